//! What one operator of four computes in a ceremony, by the number of validators.
//!
//! `deal` once; `check_deal` and `open_and_check_shares` once for each dealer; `sign` once;
//! `finalise` once, over the partial signatures of all operators.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark may fail"
)]

#[path = "../tests/it/harness/maths.rs"]
mod maths;

use std::hint::black_box;
use std::time::Duration;

use conclave::protocol::{confirm, deal};
use criterion::{BenchmarkId, Criterion, Throughput};

use crate::maths::Table;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for validators in [1, 100, 1000] {
        ceremony(&mut criterion, validators);
    }
    criterion.final_summary();
}

fn ceremony(criterion: &mut Criterion, validators: usize) {
    let table = Table::new(&[1, 2, 3, 4], 3, validators);
    let payloads = table.deals();
    let deals = table.check(&payloads);
    let sharing = table.sharing(&deals);
    let shares = table.receive(0, &deals);
    let partials = table.partials(&deals);

    let mut measure = |step: &str, run: &mut dyn FnMut()| {
        let mut group = criterion.benchmark_group(step);
        group.throughput(Throughput::Elements(validators.try_into().unwrap()));
        if validators > 1 {
            group
                .sample_size(10)
                .warm_up_time(Duration::from_millis(500));
        }
        group.bench_function(BenchmarkId::new("4,3", validators), |bencher| {
            bencher.iter(&mut *run);
        });
        group.finish();
    };
    measure("deal", &mut || {
        black_box(deal::make(&table.params, 0, &table.secrets[0])).unwrap();
    });
    measure("check_deal", &mut || {
        black_box(deal::check(&table.params, 0, &payloads[0])).unwrap();
    });
    measure("open_and_check_shares", &mut || {
        black_box(table.receive(0, &deals[..1]));
    });
    measure("sign", &mut || {
        black_box(confirm::sign(&shares, &table.messages)).unwrap();
    });
    measure("finalise", &mut || {
        let result = confirm::finalise(&sharing, &table.messages, &partials, &[5; 32]);
        black_box(result).unwrap().unwrap();
    });
}
