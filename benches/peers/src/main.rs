//! What one operator computes in a key generation: conclave beside the published crates that generate
//! keys on BLS12-381, in one process and one run.
//!
//! `peers [--quick] [GENNARO]`: GENNARO is the program of the package in `gennaro/`, which cannot be
//! linked with the others (each wants its own blst). Everything is CPU time of one thread, in
//! milliseconds, of the party at position 0 through all rounds; what others do is not counted.
//! docs/performance.md says what each figure includes.

mod commonware;
mod fastcrypto_tbls;
mod frost;
mod frost_dkg;
mod meter;
mod ours;

use std::process::Command;

/// Operators and threshold, and how often each is repeated.
const SIZES: [(usize, usize, usize); 5] =
    [(4, 3, 15), (7, 5, 15), (13, 9, 9), (32, 22, 3), (100, 67, 1)];

type Row = (&'static str, fn(usize, usize) -> f64);

const ROWS: [Row; 6] = [
    ("conclave: key generation", ours::generate),
    ("conclave: with confirm", ours::confirm),
    ("commonware feldman_desmedt", commonware::party),
    ("frost-core, G1 of blstrs", frost::party),
    ("frost-dkg, blstrs_plus", frost_dkg::party),
    ("fastcrypto-tbls dkg_v1, t = n/2", fastcrypto_tbls::party),
];

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The gennaro program's median, in its own process.
fn gennaro(program: &str, n: usize, t: usize, repeats: usize) -> f64 {
    let numbers = [n, t, repeats].map(|number| number.to_string());
    let output = Command::new(program).args(numbers).output();
    let output = output.expect("the gennaro program runs");
    assert!(output.status.success(), "the gennaro program fails");
    let text = String::from_utf8(output.stdout).expect("it prints a number");
    text.trim().parse().expect("it prints a number")
}

fn line(name: &str, figures: &[f64]) {
    let figures: Vec<String> = figures.iter().map(|ms| format!("{ms:.2}")).collect();
    println!("| {name} | {} |", figures.join(" | "));
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.first().is_some_and(|first| first == "--quick");
    if quick {
        arguments.remove(0);
    }
    let sizes = if quick { &SIZES[..2] } else { &SIZES[..] };
    // One thread, so that figures compare; each other crate uses one.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build_global()
        .expect("threads");

    // Interleaved by size: whatever else the machine does meets all rows alike.
    let mut table = vec![Vec::new(); ROWS.len() + 1];
    for &(n, t, repeats) in sizes {
        let repeats = if quick { 3 } else { repeats };
        let mut times = vec![Vec::new(); ROWS.len()];
        for _ in 0..repeats {
            for (times, (_, party)) in times.iter_mut().zip(ROWS) {
                times.push(party(n, t));
            }
        }
        for (column, times) in table.iter_mut().zip(times) {
            column.push(median(times));
        }
        if let Some(program) = arguments.first() {
            table[ROWS.len()].push(gennaro(program, n, t, repeats));
        }
        eprintln!("n={n} done");
    }
    println!("CPU ms of one party, one thread, m = 1:\n");
    let heads: Vec<String> = sizes.iter().map(|(n, t, _)| format!("{n},{t}")).collect();
    println!("| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for ((name, _), figures) in ROWS.iter().zip(&table) {
        line(name, figures);
    }
    if !arguments.is_empty() {
        line("gennaro-dkg, blsful", &table[ROWS.len()]);
    }

    println!("\nMany validators, CPU ms for each of them:\n");
    println!("| | 4,3 | 7,5 |\n|---|---|---|");
    let many = if quick { 100 } else { 1000 };
    let pair = |figure: &dyn Fn(usize, usize) -> f64| [figure(4, 3), figure(7, 5)];
    let each = |total: f64| total / many as f64;
    line(
        &format!("conclave: key generation, m = {many}"),
        &pair(&|n, t| each(ours::generate_many(n, t, many))),
    );
    line(
        &format!("conclave: with confirm, m = {many}"),
        &pair(&|n, t| each(ours::confirm_many(n, t, many))),
    );
    for (name, party) in &ROWS[2..] {
        let looped = |n, t| (0..20).map(|_| party(n, t)).sum::<f64>() / 20.0;
        line(&format!("{name}, 20 runs"), &pair(&looped));
    }
    if let Some(program) = arguments.first() {
        // Its median of 20.
        let looped = |n, t| gennaro(program, n, t, 20);
        line("gennaro-dkg, blsful, 20 runs", &pair(&looped));
    }
}
