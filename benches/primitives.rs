//! Each trick beside what it replaces, over the same inputs.

use std::hint::black_box;
use std::time::Duration;

use conclave::crypto::bls::{self, SigningRoot};
use conclave::crypto::lagrange::Coefficients;
use conclave::crypto::point::{G1, G1Sum, G2, G2Sum};
use conclave::crypto::scalar::Scalar;
use conclave::crypto::xof::Xof;
use criterion::Criterion;
use rayon::prelude::*;

pub(crate) fn run(criterion: &mut Criterion) {
    let mut stream = Xof::new(&[3; 32]);
    let scalars: Vec<Scalar> = (0..5000).map(|_| stream.scalar()).collect();
    let borrowed: Vec<&Scalar> = scalars.iter().collect();
    let points = G1::generator_times_many(&borrowed).unwrap();

    let mut group = criterion.benchmark_group("generator_times_5000");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300));
    group.bench_function("blst", |bencher| {
        let generator = G1::generator();
        bencher.iter(|| {
            let all = scalars.par_iter().map(|scalar| generator.times(scalar));
            black_box(all.collect::<Vec<_>>())
        });
    });
    group.bench_function("table", |bencher| {
        bencher.iter(|| {
            let all = scalars.par_iter().map(G1::generator_times);
            black_box(all.collect::<Vec<_>>())
        });
    });
    group.bench_function("table_shared_inversions", |bencher| {
        bencher.iter(|| black_box(G1::generator_times_many(&borrowed)));
    });
    group.finish();

    for count in [500, 5000, 50_000] {
        let bytes: Vec<[u8; 48]> = points.iter().map(G1::to_bytes).collect();
        let bytes: Vec<[u8; 48]> = bytes.iter().copied().cycle().take(count).collect();
        let mut group = criterion.benchmark_group(format!("decode_g1_{count}"));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300));
        group.bench_function("one_by_one", |bencher| {
            bencher.iter(|| {
                let all = bytes.par_iter().map(G1::from_bytes);
                black_box(all.collect::<Result<Vec<_>, _>>())
            });
        });
        group.bench_function("together", |bencher| {
            bencher.iter(|| black_box(G1::from_bytes_many(&bytes)));
        });
        group.finish();
    }

    let signatures: Vec<G2> = scalars
        .par_iter()
        .take(1000)
        .map(|key| bls::sign(key, &SigningRoot([9; 32])).unwrap())
        .collect();
    let bytes: Vec<[u8; 96]> = signatures.iter().map(G2::to_bytes).collect();
    let mut group = criterion.benchmark_group("decode_g2_1000");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300));
    group.bench_function("one_by_one", |bencher| {
        bencher.iter(|| {
            let all = bytes.par_iter().map(G2::from_bytes);
            black_box(all.collect::<Result<Vec<_>, _>>())
        });
    });
    group.bench_function("together", |bencher| {
        bencher.iter(|| black_box(G2::from_bytes_many(&bytes)));
    });
    group.finish();

    let weights = Xof::new(&[4; 32]).weights(5000);
    criterion.bench_function("msm_g1_5000_128_bit", |bencher| {
        bencher.iter(|| black_box(G1Sum::msm(&points, &weights)));
    });
    criterion.bench_function("hash_to_g2", |bencher| {
        bencher.iter(|| black_box(bls::hash_to_g2(&[7; 32])));
    });

    let mut group = criterion.benchmark_group("combine");
    let first = |t: u64| (1..=t).collect::<Vec<u64>>();
    let gap = |t: u64| (1..t).chain([t + 2]).collect::<Vec<u64>>();
    for (name, indices) in [
        ("3_first", first(3)),
        ("3_gap", gap(3)),
        ("5_first", first(5)),
        ("5_gap", gap(5)),
        ("9_first", first(9)),
        ("22_first", first(22)),
        ("67_first", first(67)),
    ] {
        let coefficients = Coefficients::at_zero(&indices).unwrap();
        let partials = &signatures[..indices.len()];
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(bls::combine_with(&coefficients, partials)));
        });
        let weights: Vec<[u8; 32]> = (0..indices.len())
            .map(|_| {
                let mut weight = stream.scalar().to_public_bytes();
                weight.reverse();
                weight
            })
            .collect();
        group.bench_function(format!("{name}_by_field_elements"), |bencher| {
            bencher.iter(|| black_box(G2Sum::msm_serial(partials, &weights)));
        });
    }
    group.finish();
}
