//! All that one operator computes in a ceremony, timed once: its deal, the check of all deals, its
//! shares, the sharing and the transcript, its partial signatures, and everybody's partial
//! signatures decoded, combined and verified. One deposit message for each validator.
//!
//! `whole` as argument, then sizes like `7,5,1000`; without sizes, all of them.

use std::io::Write as _;
use std::time::{Duration, Instant};

use conclave::crypto::feldman;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::sharing::Sharing;
use conclave::hash::Digest;
use conclave::protocol::confirm::{self, ConfirmPayload};
use conclave::protocol::deal::{self, Aggregate, DealPayload};

use crate::maths::Table;

const SIZES: [(u64, usize, usize); 17] = [
    (4, 3, 1),
    (4, 3, 100),
    (4, 3, 1000),
    (4, 3, 10_000),
    (7, 5, 1),
    (7, 5, 100),
    (7, 5, 1000),
    (7, 5, 10_000),
    (13, 9, 1),
    (13, 9, 100),
    (13, 9, 1000),
    (32, 22, 1),
    (32, 22, 100),
    (32, 22, 1000),
    (100, 67, 1),
    (100, 67, 5),
    (100, 67, 10),
];

/// Ceremonies that are quicker than this are repeated for as long, and the fastest counts.
const REPEAT: Duration = Duration::from_secs(2);

const STAGES: [&str; 8] = [
    "deal", "check", "open", "sharing", "equation", "sign", "decode", "finalise",
];

pub(crate) fn run(arguments: &[String]) {
    let chosen: Vec<(u64, usize, usize)> = arguments
        .iter()
        .filter_map(|argument| {
            let mut numbers = argument.split(',').map(str::parse::<usize>);
            let mut next = || numbers.next()?.ok();
            Some((next()?.try_into().ok()?, next()?, next()?))
        })
        .collect();
    let sizes = if chosen.is_empty() {
        &SIZES[..]
    } else {
        &chosen[..]
    };
    println!(
        "|   n |  t |      m |    total s | cpu s / 2 | peak MB | {} |",
        STAGES.join(" | ")
    );
    for (n, t, m) in sizes {
        let everybody = Everybody::of(*n, *t, *m);
        let started = Instant::now();
        let mut best = everybody.operator();
        while started.elapsed() < REPEAT {
            let again = everybody.operator();
            if again.1 < best.1 {
                best = again;
            }
        }
        let stages: Vec<String> = best
            .0
            .iter()
            .map(|d| format!("{:.4}", d.as_secs_f64()))
            .collect();
        println!(
            "| {n:3} | {t:2} | {m:6} | {:10.4} | {:9.4} | {:>7} | {} |",
            best.total().as_secs_f64(),
            best.1.as_secs_f64() / 2.0,
            peak().map_or("?".into(), |kib| (kib / 1024).to_string()),
            stages.join(" | ")
        );
        let _ = std::io::stdout().flush();
        reset_peak();
    }
}

/// What the others send.
struct Everybody {
    table: Table,
    deals: Vec<DealPayload>,
    confirms: Vec<ConfirmPayload>,
}

/// Time of each stage, and the processors' time of all.
struct Times([Duration; STAGES.len()], Duration);

impl Times {
    fn total(&self) -> Duration {
        self.0.iter().sum()
    }
}

impl Everybody {
    fn of(n: u64, t: usize, m: usize) -> Self {
        let indices: Vec<u64> = (1..=n).collect();
        let table = crate::deposits(&indices, t, m);
        let deals = table.deals();
        let mut shares: Vec<Vec<Scalar>> = indices
            .iter()
            .map(|_| (0..m).map(|_| Scalar::zero()).collect())
            .collect();
        for (j, payload) in deals.iter().enumerate() {
            let deal = deal::check(&table.params, j, payload).unwrap();
            for (i, sums) in shares.iter_mut().enumerate() {
                let opened = deal.open(&table.params, i, &table.encryption[i]).unwrap();
                for (sum, share) in sums.iter_mut().zip(&opened) {
                    sum.accumulate(share);
                }
            }
        }
        let confirms = shares
            .iter()
            .map(|own| {
                let partials = confirm::sign(own, &table.messages).unwrap();
                confirm::make(
                    Digest::from_bytes([7; 32]),
                    crate::seen(table.params.operators.len()),
                    &partials,
                )
            })
            .collect();
        Self {
            table,
            deals,
            confirms,
        }
    }

    /// The first operator's part.
    fn operator(&self) -> Times {
        let (table, params) = (&self.table, &self.table.params);
        let mut times = Times([Duration::ZERO; STAGES.len()], Duration::ZERO);
        let before = processors();
        let mut clock = Instant::now();
        let mut lap = |stage: &str| {
            let at = STAGES.iter().position(|name| *name == stage).unwrap();
            times.0[at] += clock.elapsed();
            clock = Instant::now();
        };
        let own = deal::make(params, 0, &table.secrets[0]).unwrap();
        lap("deal");
        let mut sums = Aggregate::new(params);
        let mut shares: Vec<Scalar> = (0..params.validators).map(|_| Scalar::zero()).collect();
        let numbered: Vec<(usize, &DealPayload)> = self.deals.iter().enumerate().collect();
        for group in numbered.chunks(deal::together(params)) {
            let checked = deal::check_many(params, group);
            lap("check");
            for deal in checked {
                let deal = deal.unwrap();
                sums.add(&deal);
                lap("sharing");
                let opened = deal.open(params, 0, &table.encryption[0]).unwrap();
                for (sum, share) in shares.iter_mut().zip(&opened) {
                    sum.accumulate(share);
                }
                lap("open");
            }
        }
        let sharing = Sharing::new(params.threshold, params.indices(), sums.sums()).unwrap();
        drop(sums);
        let hashes = vec![Digest::from_bytes([3; 32]); self.deals.len()];
        let transcript = deal::transcript(&params.cid, &hashes, &sharing);
        lap("sharing");
        assert!(feldman::check_shares(
            1,
            &shares,
            sharing.coefficients(),
            params.threshold,
            &[5; 32]
        ));
        lap("equation");
        let partials = confirm::sign(&shares, &table.messages).unwrap();
        let confirm = confirm::make(
            transcript,
            crate::seen(table.params.operators.len()),
            &partials,
        );
        lap("sign");
        let counts: Vec<usize> = table.messages.iter().map(Vec::len).collect();
        let partials: Vec<_> = self
            .confirms
            .iter()
            .map(|payload| confirm::decode(params, &counts, payload).unwrap())
            .collect();
        lap("decode");
        let full = confirm::finalise(&sharing, &table.messages, &partials, &[6; 32]);
        full.unwrap().unwrap();
        lap("finalise");
        times.1 = processors().saturating_sub(before);
        // What was made is what the others were given.
        assert_eq!(own, self.deals[0]);
        assert_eq!(confirm.partials, self.confirms[0].partials);
        times
    }
}

/// Time that all threads ran so far, where the system tells: on a machine with other work this says
/// more than the clock.
fn processors() -> Duration {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.filter_map(of).sum())
}

/// The most memory that this process held since the last reset, in KiB, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
