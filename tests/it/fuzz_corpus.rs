//! The fuzz targets over their corpora, and over a few changes of each file: what the fuzzer found
//! once is tried again by every run of the tests, and a little is fuzzed by each.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::harness::schema;

mod seeds;
#[path = "../../fuzz/targets/mod.rs"]
mod targets;

use targets::mutate::{Random, mutate};
use targets::{ALL, SCHEMAS, Target};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// Name and bytes of the files in a directory, sorted; none where there is no such directory.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            (path.display().to_string(), bytes)
        })
        .collect();
    files.sort();
    files
}

/// The corpus of a target, the seeds as they would be made today, and the files of that kind that
/// schema and tool judge alike.
fn corpus(target: &Target) -> Vec<(String, Vec<u8>)> {
    let today = seeds::all()
        .into_iter()
        .filter(|(of, _, _)| *of == target.name);
    let today = today.map(|(_, name, bytes)| (name, bytes));
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let parts = ["valid", "invalid", "invalid-beyond-schema"];
    let beside = parts.map(|part| data.join(part).join(target.name));
    std::iter::once(root().join(target.name))
        .chain(beside)
        .flat_map(|directory| files(&directory))
        .chain(today)
        .collect()
}

/// Runs a target; says what it found, if it found something, and in which input.
fn run(target: &Target, name: &str, bytes: &[u8]) -> Option<String> {
    let found = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))).err()?;
    let text = found.downcast_ref::<String>().map(String::as_str);
    let text = text.or(found.downcast_ref::<&str>().copied());
    let shown: String = String::from_utf8_lossy(bytes)
        .escape_debug()
        .take(3000)
        .collect();
    Some(format!(
        "{}: {name}: {}\n{shown}",
        target.name,
        text.unwrap_or_default()
    ))
}

/// How many findings of one target are told.
const TOLD: usize = 3;

/// How many times as many changes are tried: for who has more time and
/// no fuzzer.
fn patience() -> usize {
    let times = std::env::var("CONCLAVE_FUZZ_TIMES");
    times.map_or(1, |times| times.parse().unwrap())
}

/// The only target, if one is named.
fn is_chosen(target: &Target) -> bool {
    std::env::var("CONCLAVE_FUZZ_TARGET").map_or(true, |name| name == target.name)
}

fn replay(targets: impl Iterator<Item = &'static Target>) {
    let _ = SCHEMAS.set(schema::assert_valid);
    let patience = patience();
    let mut findings = Vec::new();
    for target in targets.filter(|target| is_chosen(target)) {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{} has no corpus", target.name);
        let (before, mut inputs) = (findings.len(), 0usize);
        for (position, (name, bytes)) in corpus.iter().enumerate() {
            findings.extend(run(target, name, bytes));
            // The small ones: of a large file, the changes say little.
            let tries = if bytes.len() > 16 << 10 {
                0
            } else {
                target.tries * patience
            };
            inputs += 1 + tries;
            let mut random = Random::new(position as u64);
            for number in 0..tries {
                let changed = mutate(target.shape, bytes, 64 << 10, &mut random);
                findings.extend(run(target, &format!("change {number} of {name}"), &changed));
            }
        }
        println!("{}: {inputs} inputs", target.name);
        findings.truncate(before + TOLD);
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n\n"));
}

/// The targets that take longest have a test of their own: tests run side by side.
const SLOW: [&str; 4] = ["board", "envelope", "payload", "plan"];

#[test]
fn corpora_of_files_and_texts() {
    replay(ALL.iter().filter(|target| !SLOW.contains(&target.name)));
}

#[test]
fn corpora_of_boards() {
    replay(targets::find("board").into_iter());
}

#[test]
fn corpora_of_messages_and_plans() {
    let slow = SLOW.iter().skip(1);
    replay(slow.filter_map(|name| targets::find(name)));
}

#[test]
fn every_corpus_has_a_target() {
    let found: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let known = ALL.iter().map(|target| target.name.to_owned());
    assert!(found.is_subset(&known.collect()), "{found:?}");
}

/// The fuzzer reads its seeds from files: `CONCLAVE_BLESS=1` writes them anew. They may grow old: what
/// is no longer a card or a plan of ours is still worth reading.
#[test]
fn seeds_are_at_hand() {
    let bless = std::env::var_os("CONCLAVE_BLESS").is_some_and(|value| value == "1");
    let mut seeds = seeds::all();
    let sealed = root().join("age_file/seed-sealed");
    if bless && !sealed.exists() {
        seeds.extend(seeds::sealed());
    }
    for (target, name, bytes) in seeds {
        let path = root().join(target).join(name);
        if bless {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
        assert!(
            path.exists(),
            "{}: CONCLAVE_BLESS=1 writes it",
            path.display()
        );
    }
}

#[test]
fn corpora_stay_small() {
    let sizes = ALL
        .iter()
        .flat_map(|target| files(&root().join(target.name)));
    let total: usize = sizes.map(|(_, bytes)| bytes.len()).sum();
    assert!(total < 1 << 20, "{total} bytes");
}
