//! commonware-cryptography, Feldman with signed acknowledgements. Shares are not encrypted and nothing
//! is decoded; its threshold is n - f.

use std::hint::black_box;

use commonware_cryptography::bls12381::dkg::feldman_desmedt::{
    Dealer, Info, Logs, Player, Reveal,
};
use commonware_cryptography::bls12381::primitives::{sharing::Mode, variant::MinPk};
use commonware_cryptography::{Signer as _, ed25519};
use commonware_math::algebra::Random as _;
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, TryCollect as _, ordered::Set};
use rand10::SeedableRng as _;
use rand10::rngs::StdRng;

use crate::meter::Meter;

pub(crate) fn party(n: usize, _threshold: usize) -> f64 {
    let mut rng = StdRng::seed_from_u64(n as u64);
    let mut keys: Vec<ed25519::PrivateKey> =
        (0..n).map(|_| ed25519::PrivateKey::random(&mut rng)).collect();
    keys.sort_by_key(|key| key.public_key());
    let set: Set<ed25519::PublicKey> =
        keys.iter().map(|key| key.public_key()).try_collect().unwrap();
    let info = Info::<MinPk, ed25519::PublicKey>::new::<N3f1>(
        b"peers",
        0,
        None,
        Mode::NonZeroCounter,
        Reveal::V1,
        set.clone(),
        set,
    )
    .unwrap();
    let mut players: Vec<Player<MinPk, ed25519::PrivateKey>> = keys
        .iter()
        .map(|key| Player::new(info.clone(), key.clone()).unwrap())
        .collect();
    let mut meter = Meter::default();
    let mut signed = Vec::new();
    for (position, key) in keys.iter().enumerate() {
        let mut own = Meter::default();
        let started = own.time(|| Dealer::start::<N3f1>(&mut rng, info.clone(), key.clone(), None));
        let (mut dealer, public, private) = started.unwrap();
        for (name, share) in private {
            let to = keys.iter().position(|key| key.public_key() == name).unwrap();
            let mut read = Meter::default();
            let player = &mut players[to];
            let ack = read
                .time(|| player.dealer_message::<N3f1>(key.public_key(), public.clone(), share))
                .unwrap()
                .unwrap();
            own.time(|| dealer.receive_player_ack(name, ack)).unwrap();
            if to == 0 {
                meter.add(&read);
            }
        }
        signed.push(own.time(|| dealer.finalize::<N3f1>()));
        if position == 0 {
            meter.add(&own);
        }
    }
    let player = players.swap_remove(0);
    meter.time(|| {
        let mut logs = Logs::<MinPk, ed25519::PublicKey, N3f1>::new(info.clone());
        for log in signed {
            let (dealer, log) = log.check(&info).unwrap();
            logs.record(dealer, log);
        }
        black_box(player.finalize::<N3f1>(&mut rng, logs, &Sequential).unwrap());
    });
    meter.ms()
}
