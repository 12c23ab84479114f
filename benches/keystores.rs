//! One keystore: making it (key derivation, encryption, the public key's check) and opening it.

use std::hint::black_box;
use std::time::Duration;

use conclave::ambient::OsRandomness;
use conclave::crypto::bls;
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::keystore::{KdfChoice, Keystore};
use conclave::secret::Passphrase;
use criterion::Criterion;

pub(crate) fn run(criterion: &mut Criterion) {
    let secret = Scalar::from_u64(12_345);
    let pubkey = bls::public_key(&secret).unwrap().to_bytes();
    let secret = secret.to_bytes();
    let passphrase = Passphrase::new("correct horse battery staple".into()).unwrap();
    let mut group = criterion.benchmark_group("keystore");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3));
    for (name, choice) in [("pbkdf2", KdfChoice::Pbkdf2), ("scrypt", KdfChoice::Scrypt)] {
        let make = || {
            let path = "m/12381/3600/0/0/0";
            let rng = &mut OsRandomness;
            Keystore::encrypt(&secret, &pubkey, &passphrase, choice, path, "", rng).unwrap()
        };
        let (keystore, derived) = make();
        group.bench_function(format!("{name}/encrypt"), |bencher| {
            bencher.iter(|| black_box(make()));
        });
        group.bench_function(format!("{name}/decrypt"), |bencher| {
            bencher.iter(|| black_box(keystore.decrypt(&passphrase)).unwrap());
        });
        group.bench_function(format!("{name}/decrypt_with_derived_key"), |bencher| {
            bencher.iter(|| black_box(keystore.decrypt_with(&derived)).unwrap());
        });
    }
    group.finish();
}
