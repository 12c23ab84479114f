//! The stages of a ceremony, as one operator goes through them.
//!
//! `deal` once; `check` (decode, proofs, repetitions) and `open` once for each dealer's deal; the rest
//! once: `aggregate` and `public_shares` over all deals, the `share_equation`, `sign`,
//! `decode_partials` and `verify_partials` for each operator's confirm, `combine`, and `finalise`,
//! which is combination and verification of everything.

use std::hint::black_box;
use std::time::Duration;

use conclave::crypto::bls;
use conclave::crypto::feldman;
use conclave::crypto::lagrange::Coefficients;
use conclave::crypto::point::G2;
use conclave::crypto::sharing::Sharing;
use conclave::hash::Digest;
use conclave::protocol::deal::Aggregate;
use conclave::protocol::{confirm, deal};
use criterion::{BenchmarkId, Criterion, Throughput};

pub(crate) fn run(criterion: &mut Criterion) {
    for (n, t) in [(4u64, 3), (7, 5)] {
        for validators in [1, 100, 1000] {
            ceremony(criterion, n, t, validators);
        }
    }
    ceremony(criterion, 100, 67, 1);
}

fn ceremony(criterion: &mut Criterion, n: u64, t: usize, validators: usize) {
    let indices: Vec<u64> = (1..=n).collect();
    let table = crate::deposits(&indices, t, validators);
    let payloads = table.deals();
    let deals = table.check(&payloads);
    let sharing = table.sharing(&deals);
    let shares = table.receive(0, &deals);
    let partials = table.partials(&deals);
    let counts: Vec<usize> = table.messages.iter().map(Vec::len).collect();
    let seen = crate::seen(table.params.operators.len());
    let confirm = confirm::make(Digest::from_bytes([1; 32]), seen, &partials[0]);
    let mut aggregate = Aggregate::new(&table.params);
    deals.iter().for_each(|deal| aggregate.add(deal));

    let mut measure = |stage: &str, run: &mut dyn FnMut()| {
        let mut group = criterion.benchmark_group(stage);
        group
            .throughput(Throughput::Elements(validators.try_into().unwrap()))
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        let id = BenchmarkId::new(format!("n={n},t={t}"), format!("m={validators}"));
        group.bench_function(id, |bencher| bencher.iter(&mut *run));
        group.finish();
    };
    measure("deal", &mut || {
        black_box(deal::make(&table.params, 0, &table.secrets[0])).unwrap();
    });
    measure("check", &mut || {
        black_box(deal::check(&table.params, 0, &payloads[0])).unwrap();
    });
    let together: Vec<_> = payloads.iter().enumerate().collect();
    measure("check_all", &mut || {
        for group in together.chunks(deal::together(&table.params)) {
            black_box(deal::check_many(&table.params, group));
        }
    });
    measure("open", &mut || {
        let secret = &table.encryption[0];
        black_box(deals[0].open(&table.params, 0, secret)).unwrap();
    });
    measure("aggregate", &mut || {
        let mut aggregate = Aggregate::new(&table.params);
        deals.iter().for_each(|deal| aggregate.add(deal));
        black_box(aggregate);
    });
    measure("public_shares", &mut || {
        black_box(Sharing::new(t, indices.clone(), aggregate.sums())).unwrap();
    });
    measure("share_equation", &mut || {
        let coefficients = sharing.coefficients();
        assert!(feldman::check_shares(1, &shares, coefficients, t, &[5; 32]));
    });
    measure("sign", &mut || {
        black_box(confirm::sign(&shares, &table.messages)).unwrap();
    });
    measure("decode_partials", &mut || {
        black_box(confirm::decode(&table.params, &counts, &confirm)).unwrap();
    });
    measure("verify_partials", &mut || {
        let own = [(0, &partials[0])];
        let bad = confirm::check(&sharing, &table.messages, &own, &[5; 32]).unwrap();
        assert!(bad.is_empty());
    });
    measure("combine", &mut || {
        let coefficients = Coefficients::at_zero(&indices[..t]).unwrap();
        for v in 0..validators {
            let column: Vec<G2> = partials[..t].iter().map(|own| own[v][0]).collect();
            black_box(bls::combine_with(&coefficients, &column));
        }
    });
    measure("finalise", &mut || {
        let result = confirm::finalise(&sharing, &table.messages, &partials, &[5; 32]);
        black_box(result).unwrap().unwrap();
    });
}
