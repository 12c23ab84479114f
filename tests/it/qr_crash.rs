//! `qr scan` that is killed while it files what it read, or whose disk fails: what was there stays, and
//! the same codes again give the same desk.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use conclave::courier::qr::document::Document;
use conclave::courier::qr::frames::{DOCUMENT_TYPE, FRAGMENT_BYTES, Frames};
use conclave::courier::qr::payload;

use crate::harness::apart::{Apart, Operator};
use crate::harness::binary::example;
use crate::harness::disk::{copy_tree, every_file};

/// What lies below a folder.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

fn tree(folder: &Path) -> Tree {
    if fs::read_dir(folder).is_err() {
        return Tree::new();
    }
    let files = every_file(folder).into_iter();
    let inside = |path: PathBuf| path.strip_prefix(folder).unwrap().to_owned();
    files.map(|(path, bytes)| (inside(path), bytes)).collect()
}

/// The codes of a document, a line each, as a barcode scanner types them.
fn lines(file: &[u8]) -> String {
    let document = Document::of_file(file).unwrap();
    let payload = payload::pack(document.canonical()).unwrap();
    let frames = Frames::new(DOCUMENT_TYPE, payload, FRAGMENT_BYTES).unwrap();
    let count = frames.fragments();
    frames.take(count).map(|line| line + "\n").collect()
}

/// Scans lines into `desk`, with or without a fault.
fn scan(program: &Path, place: &Path, faulty: &[&str], lines: &str) -> Output {
    let mut child = Command::new(program)
        .args(faulty)
        .args(["--home", "home", "qr", "scan", "-", "--into", "desk"])
        .env_clear()
        .env("TMPDIR", std::env::temp_dir())
        .current_dir(place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who was killed reads no more.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    child.wait_with_output().unwrap()
}

/// Disturbs a scan of these lines, on a desk that looks like `before`, at every change of the disk.
fn disturbed(before: &Path, lines: &str) -> usize {
    let (faulty, binary) = (example("conclave-faulty"), env!("CARGO_BIN_EXE_conclave"));
    let begin = || {
        let place = tempfile::tempdir().unwrap();
        copy_tree(before, &place.path().join("desk"));
        place
    };
    let stood = tree(before);
    let twin = begin();
    let count = twin.path().join("count");
    let flags = ["--count", count.to_str().unwrap(), "--"];
    let whole = scan(&faulty, twin.path(), &flags, lines);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    let wanted = tree(&twin.path().join("desk"));
    let counted = fs::read_to_string(count).unwrap();
    let changes = counted.lines().next().unwrap();
    assert!(changes.len() >= 8, "{counted}");
    let mut faults = Vec::new();
    for (at, letter) in changes.char_indices() {
        for what in ["before", "cut", "torn", "eio", "full"] {
            if what != "torn" || letter == 'w' {
                faults.push(format!("{what}:{at}"));
            }
        }
    }
    faults.push(format!("after:{}", changes.len() - 1));
    for fault in &faults {
        let place = begin();
        let desk = place.path().join("desk");
        let first = scan(&faulty, place.path(), &["--fault", fault, "--"], lines);
        match first.status.code() {
            None => assert_eq!(first.status.signal(), Some(9), "{fault}: {first:?}"),
            Some(code) => {
                let fails = fault.starts_with("eio") || fault.starts_with("full");
                assert!(fails && [0, 1].contains(&code), "{fault}: {first:?}");
                // Who says that it is done has done it.
                assert!(code == 1 || tree(&desk) == wanted, "{fault}: {first:?}");
            }
        }
        let left = tree(&desk);
        for (path, bytes) in &stood {
            assert!(left.get(path) == Some(bytes), "{fault}: {}", path.display());
        }
        // What stands under its name is whole.
        let hidden = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with('.');
        for (path, bytes) in left.iter().filter(|(path, _)| !hidden(path)) {
            let same = wanted.get(path) == Some(bytes);
            assert!(same, "{fault}: {} is not the same", path.display());
        }
        let again = scan(Path::new(binary), place.path(), &[], lines);
        assert_eq!(again.status.code(), Some(0), "{fault}: {again:?}");
        let found = tree(&desk);
        assert!(
            found == wanted,
            "{fault}: {:?} instead of {:?}",
            found.keys(),
            wanted.keys()
        );
    }
    faults.len()
}

/// The deals of a ceremony, by the operator's number.
fn deals(apart: &Apart) -> Vec<Vec<u8>> {
    ["alice", "carol"]
        .map(|name| {
            apart.turn(name, &["desk"], 3);
            let files = every_file(&apart.of(name).desk.path("desk")).into_iter();
            let is_deal =
                |path: &Path| path.file_name().unwrap().to_string_lossy().contains("deal");
            files
                .map(|(path, bytes)| (is_deal(&path), bytes))
                .find(|(is, _)| *is)
                .unwrap()
                .1
        })
        .into()
}

#[test]
fn a_scan_that_dies_is_repeated_with_or_without_the_plan() {
    let apart = Apart::prepare();
    let deals = deals(&apart);
    let plan = apart.of("alice").desk.read("pool.plan.json");
    let card = fs::read(apart.of("alice").card()).unwrap();
    // An empty desk that gets everything at once.
    let empty = tempfile::tempdir().unwrap();
    let all: String = [&card, &plan, &deals[0], &deals[1]]
        .map(|file| lines(file))
        .concat();
    assert!(disturbed(empty.path(), &all) > 60);
    // A desk with one deal, whose plan nobody knows there.
    let place = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_conclave"));
    let first = scan(binary, place.path(), &[], &lines(&deals[0]));
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let both = lines(&deals[0]) + &lines(&deals[1]);
    assert!(disturbed(&place.path().join("desk"), &both) > 15);
}

/// What was kept without a plan counts as soon as the plan is there, whatever came first.
#[test]
fn the_order_in_which_documents_arrive_does_not_matter() {
    let apart = Apart::prepare();
    let deals = deals(&apart);
    let plan = apart.of("alice").desk.read("pool.plan.json");
    let bob = apart.of("bob");
    // This home has not heard of the ceremony: deals first, then the plan, then a deal again.
    for file in [&deals[0], &deals[1], &plan, &deals[0]] {
        let binary = Path::new(env!("CARGO_BIN_EXE_conclave"));
        let ended = scan(binary, &bob.desk.path("."), &[], &lines(file));
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
    let ended = bob.run("desk/pool.plan.json", &apart.code, &["desk"], 3);
    assert!(
        ended.stderr.contains("waiting for the deal of dave (4)"),
        "{ended:?}"
    );
}

/// Scans lines on an operator's machine; returns the exit code and the report.
fn scanned(operator: &Operator, args: &[&str], lines: &str) -> (i32, serde_json::Value) {
    let mut all = vec!["qr", "scan", "-", "--into", "desk", "--json"];
    all.extend(args);
    let mut command = operator.desk.command(&all);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let report = serde_json::from_slice(&ended.stdout).unwrap();
    (ended.status.code().unwrap(), report)
}

/// Another screen is in the picture too: a plan of which one code was seen.
#[test]
fn a_number_of_documents_that_is_reached_is_enough() {
    let apart = Apart::prepare();
    let alice = apart.of("alice");
    let plan = lines(&alice.desk.read("pool.plan.json"));
    let first = plan.lines().next().unwrap();
    let card = lines(&fs::read(alice.card()).unwrap());
    let both = format!("{first}\n{card}");
    let (code, report) = scanned(alice, &["--count", "1"], &both);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["documents"][0]["title"], "card of alice");
    assert_eq!(report["incomplete"][0]["known"], 1, "{report:#}");
    for args in [&["--count", "2"][..], &[]] {
        let (code, report) = scanned(alice, args, &both);
        assert_eq!(code, 3, "{report:#}");
    }
}

/// A wallet's codes, whole and in part, are passed over like those of any other program.
#[test]
fn what_a_wallet_shows_does_not_spoil_what_was_wanted() {
    let apart = Apart::prepare();
    let alice = apart.of("alice");
    let card = lines(&fs::read(alice.card()).unwrap());
    let whole = ur::ur::encode(&[7; 40], &ur::Type::Custom("crypto-psbt"));
    let part = ur::Encoder::new(&[8; 500], 100, "bytes")
        .unwrap()
        .next_part();
    let all = format!("{whole}\n{}\n{card}", part.unwrap().to_uppercase());
    let (code, report) = scanned(alice, &[], &all);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["foreign"], 2, "{report:#}");
    assert_eq!(report["refused"].as_array().unwrap().len(), 0, "{report:#}");
}

/// Bytes that begin with a byte string's head, are as long as `payload`, and have its CRC-32.
fn same_checksum(payload: &[u8]) -> Vec<u8> {
    let mut forged = payload.to_vec();
    forged[20..].fill(0x5a);
    let at = forged.len() - 4;
    let with = |mut bytes: Vec<u8>, end: u32| {
        bytes[at..].copy_from_slice(&end.to_le_bytes());
        crc32fast::hash(&bytes)
    };
    // CRC-32 is affine: which bits of the end change which of it, solved by elimination.
    let zero = with(forged.clone(), 0);
    let mut missing = zero ^ crc32fast::hash(payload);
    let mut rows: Vec<(u32, u32)> = (0..32)
        .map(|bit| (with(forged.clone(), 1 << bit) ^ zero, 1 << bit))
        .collect();
    let mut end = 0;
    for bit in (0..32).rev() {
        let Some(at) = rows.iter().position(|(change, _)| change >> bit == 1) else {
            continue;
        };
        let (change, by) = rows.swap_remove(at);
        for row in &mut rows {
            if row.0 >> bit & 1 == 1 {
                *row = (row.0 ^ change, row.1 ^ by);
            }
        }
        if missing >> bit & 1 == 1 {
            missing ^= change;
            end ^= by;
        }
    }
    forged[at..].copy_from_slice(&end.to_le_bytes());
    forged
}

/// A checksum of 32 bits is easily met: what was made under a right header does not hide the right one.
#[test]
fn a_forged_document_does_not_hide_the_right_one() {
    let apart = Apart::prepare();
    let alice = apart.of("alice");
    let file = fs::read(alice.card()).unwrap();
    let payload = payload::pack(Document::of_file(&file).unwrap().canonical()).unwrap();
    let forged = same_checksum(&payload);
    assert_ne!(forged, payload);
    assert_eq!(crc32fast::hash(&forged), crc32fast::hash(&payload));
    let frames = Frames::new(DOCUMENT_TYPE, forged, FRAGMENT_BYTES).unwrap();
    let count = frames.fragments();
    let forged: String = frames.take(count).map(|line| line + "\n").collect();
    let (_, report) = scanned(alice, &[], &(forged + &lines(&file)));
    assert_eq!(report["refused"].as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(
        report["documents"][0]["title"], "card of alice",
        "{report:#}"
    );
}
