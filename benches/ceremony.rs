//! How long the mathematics takes: primitives, the stages of a ceremony, keystores, and all that one
//! operator computes in whole ceremonies of many sizes. docs/performance.md says how to run it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::missing_docs_in_private_items,
    reason = "a benchmark may fail, count, read the clock and print"
)]

#[path = "../tests/it/harness/maths.rs"]
mod maths;

mod keystores;
mod primitives;
mod stages;
mod whole;

use conclave::hash::Digest;
use conclave::json::Hex;
use conclave::protocol::confirm::SeenDeal;
use criterion::Criterion;

use crate::maths::Table;

/// A ceremony with one message for each validator: a deposit.
fn deposits(indices: &[u64], threshold: usize, validators: usize) -> Table {
    let mut table = Table::new(indices, threshold, validators);
    table
        .messages
        .iter_mut()
        .for_each(|roots| roots.truncate(1));
    table
}

/// Deals as a confirm shows them; only their number counts here.
fn seen(operators: usize) -> Vec<SeenDeal> {
    let seen = SeenDeal {
        payload: Digest::from_bytes([0x5d; 32]),
        signature: Hex([0; 64]),
    };
    vec![seen; operators]
}

fn main() {
    // Whole ceremonies are timed once each, beside Criterion, which would sample them.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "whole") {
        whole::run(&arguments);
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    primitives::run(&mut criterion);
    stages::run(&mut criterion);
    keystores::run(&mut criterion);
    criterion.final_summary();
    if arguments.iter().all(|argument| argument.starts_with("--")) {
        whole::run(&["whole".to_owned()]);
    }
}
