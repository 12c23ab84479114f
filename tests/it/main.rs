//! Integration tests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "helpers of tests may stop a test, say what ran, and read vectors from disk"
)]

mod vectors;
mod vectors_bls;
mod vectors_ethereum;
