//! conclave: all that the operator at position 0 computes, with decoding, encryption and proofs.

#[path = "../../../tests/it/harness/maths.rs"]
mod maths;

use std::hint::black_box;

use conclave::crypto::feldman;
use conclave::crypto::scalar::Scalar;
use conclave::protocol::{confirm, deal};

use self::maths::Table;
use crate::meter::Meter;

fn table(n: usize, t: usize, m: usize) -> Table {
    let indices: Vec<u64> = (1..=n as u64).collect();
    let mut table = Table::new(&indices, t, m);
    // One deposit for each validator.
    for messages in &mut table.messages {
        messages.truncate(1);
    }
    table
}

/// Deals, checks and opens all deals, sums: milliseconds.
pub(crate) fn generate_many(n: usize, t: usize, m: usize) -> f64 {
    run(&table(n, t, m), false)
}

/// The same, then signs, and checks and combines everybody's partial signatures: milliseconds.
pub(crate) fn confirm_many(n: usize, t: usize, m: usize) -> f64 {
    run(&table(n, t, m), true)
}

pub(crate) fn generate(n: usize, t: usize) -> f64 {
    generate_many(n, t, 1)
}

pub(crate) fn confirm(n: usize, t: usize) -> f64 {
    confirm_many(n, t, 1)
}

fn run(table: &Table, with_confirm: bool) -> f64 {
    let payloads = table.deals();
    let mut meter = Meter::default();
    meter.time(|| black_box(deal::make(&table.params, 0, &table.secrets[0]).unwrap()));
    let (sharing, shares, deals) = meter.time(|| {
        let deals = table.check(&payloads);
        let sharing = table.sharing(&deals);
        let mut shares: Vec<Scalar> = table.messages.iter().map(|_| Scalar::zero()).collect();
        for deal in &deals {
            let opened = deal.open(&table.params, 0, &table.encryption[0]).unwrap();
            for (sum, share) in shares.iter_mut().zip(&opened) {
                sum.accumulate(share);
            }
        }
        let t = table.params.threshold;
        assert!(feldman::check_shares(
            1,
            &shares,
            sharing.coefficients(),
            t,
            &[5; 32]
        ));
        (sharing, shares, deals)
    });
    if with_confirm {
        let partials = table.partials(&deals);
        meter.time(|| {
            black_box(confirm::sign(&shares, &table.messages).unwrap());
            let finalised = confirm::finalise(&sharing, &table.messages, &partials, &[5; 32]);
            black_box(finalised.unwrap().unwrap());
        });
    }
    meter.ms()
}
