//! A whole set of keystores beside its key derivations alone: what encryption, files, reading back and
//! waiting add.
//!
//! `cargo bench --bench keystore_set [-- SCRYPT PBKDF2]`: so many keystores of each kind (16 and 400).
//! The set is written by the program itself in a rehearsal of three operators; their median counts. The
//! derivations alone run before and after it on as many threads, in turn, so that both meet the same
//! machine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark may fail and reads a clock"
)]

use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;
use sha2::Sha256;

/// Seconds for `count` key derivations on all cores.
fn derivations(kind: &str, count: usize) -> f64 {
    let threads = std::thread::available_parallelism().unwrap().get();
    let taken = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = taken.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let salt = [number.to_le_bytes(); 4].concat();
                    let mut key = [0; 32];
                    if kind == "scrypt" {
                        let params = scrypt::Params::new(18, 8, 1).unwrap();
                        scrypt::scrypt(b"correct horse", &salt, &params, &mut key).unwrap();
                    } else {
                        pbkdf2::pbkdf2_hmac::<Sha256>(b"correct horse", &salt, 1 << 18, &mut key);
                    }
                    black_box(key);
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}

/// Seconds for a set of `count` keystores: the median of three operators.
fn set(kind: &str, count: usize) -> f64 {
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_conclave"))
        .args(["rehearse", "--json", "--quiet", "--operators", "3"])
        .args(["--validators", &count.to_string(), "--keystores", kind])
        .arg("--out")
        .arg(place.path().join("out"))
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/ceremonies/keygen-3of4-hoodi.plan.json"
        ))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let operators = report["operators"].as_array().unwrap();
    let mut times: Vec<f64> = operators
        .iter()
        .map(|operator| operator["stages_ms"]["keystores"].as_f64().unwrap() / 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let mut counts = std::env::args().filter_map(|text| text.parse().ok());
    let scrypt = counts.next().unwrap_or(16);
    let pbkdf2 = counts.next().unwrap_or(400);
    for (kind, count) in [("scrypt", scrypt), ("pbkdf2", pbkdf2)] {
        let before = derivations(kind, count);
        let whole = set(kind, count);
        let alone = f64::midpoint(before, derivations(kind, count));
        println!(
            "{kind}: {count} keystores in {whole:.2} s, their key derivations alone in {alone:.2} s ({:.1} ms each on one core's share): ratio {:.3}",
            alone / count as f64 * 1e3,
            whole / alone
        );
    }
}
