//! What is fuzzed: one plain function for each parser of bytes that others made.
//!
//! A target reads bytes as the tool would and asserts what has to hold of them whatever they are. A
//! panic is a finding, and so is a target that takes long or much memory. The fuzzer (`fuzz/run`) and
//! the ordinary tests (`tests/it/fuzz_corpus.rs`) share this file; both offer `crate::harness`.

use std::fmt::Display;
use std::sync::OnceLock;

use serde_json::Value;

pub(crate) mod boards;
pub(crate) mod codes;
mod faults;
mod foreign;
pub(crate) mod memory;
pub(crate) mod mutate;
pub(crate) mod public;
pub(crate) mod relays;
pub(crate) mod signing;
pub(crate) mod stores;

/// A target: its name, which is that of its corpus, what it does, and how its inputs are changed.
pub(crate) struct Target {
    /// The name.
    pub(crate) name: &'static str,
    /// Reads the bytes; panics at a finding.
    pub(crate) run: fn(&[u8]),
    /// What its inputs are made of.
    pub(crate) shape: Shape,
    /// How many changed inputs the ordinary tests try of each file: the slower, the fewer.
    pub(crate) tries: usize,
}

/// What inputs are made of: how to change one so that it stays worth reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// JSON, of our own kind or of others.
    Json,
    /// Lines and words.
    Text,
    /// Anything.
    Bytes,
}

const fn target(name: &'static str, run: fn(&[u8]), shape: Shape, tries: usize) -> Target {
    Target {
        name,
        run,
        shape,
        tries,
    }
}

/// Every target.
pub(crate) const ALL: &[Target] = &[
    target("address", foreign::address, Shape::Text, 200),
    target("age_file", stores::age_file, Shape::Bytes, 50),
    target("age_keys", stores::age_keys, Shape::Text, 50),
    target("backup", stores::backup, Shape::Bytes, 50),
    target("board", boards::board, Shape::Json, 4),
    target("card", public::card, Shape::Json, 10),
    target("cluster", public::cluster, Shape::Json, 10),
    target("code", foreign::code, Shape::Text, 50),
    target("csv", foreign::csv, Shape::Text, 50),
    target("deposit", foreign::deposit, Shape::Json, 15),
    target("envelope", public::envelope, Shape::Json, 15),
    target("evidence", public::evidence, Shape::Json, 6),
    target("faults", faults::play, Shape::Bytes, 0),
    target("folder", stores::folder, Shape::Json, 10),
    target("home", stores::home, Shape::Json, 30),
    target("identity", foreign::identity, Shape::Text, 50),
    target("imported", public::imported, Shape::Json, 10),
    target("json", public::json, Shape::Json, 50),
    target("key_path", foreign::key_path, Shape::Text, 100),
    target("keystore", foreign::keystore, Shape::Json, 30),
    target("known", stores::known, Shape::Json, 20),
    target("network", foreign::network, Shape::Json, 50),
    target("obol_lock", foreign::obol_lock, Shape::Json, 10),
    target("outcome", public::outcome, Shape::Json, 3),
    target("paper", codes::paper, Shape::Text, 100),
    target("partial", signing::partial, Shape::Json, 10),
    target("payload", boards::payload, Shape::Json, 10),
    target("plan", public::plan, Shape::Json, 6),
    target("qr_lines", codes::lines, Shape::Text, 100),
    target("qr_payload", codes::document, Shape::Bytes, 50),
    target("qr_picture", codes::picture, Shape::Bytes, 20),
    target("record", stores::record, Shape::Json, 6),
    target("relay_entry", relays::entry, Shape::Bytes, 100),
    target("relay_json", relays::json, Shape::Json, 30),
    target("share_backup", stores::share_backup, Shape::Bytes, 20),
    target("share_proof", public::share_proof, Shape::Json, 30),
    target("shares", stores::shares, Shape::Bytes, 10),
    target("sign_csv", signing::list, Shape::Text, 50),
    target("sign_faults", faults::sign, Shape::Bytes, 0),
    target("signed", signing::signed, Shape::Json, 20),
    target("text", foreign::text, Shape::Text, 100),
];

/// Finds a target.
pub(crate) fn find(name: &str) -> Option<&'static Target> {
    ALL.iter().find(|target| target.name == name)
}

/// Holds what the tool takes against the schema of its kind; the fuzzer does without.
pub(crate) static SCHEMAS: OnceLock<fn(&str, &Value)> = OnceLock::new();

/// What the tool takes, the schema of its kind takes.
fn taken(kind: &str, bytes: &[u8]) {
    if let Some(judge) = SCHEMAS.get() {
        judge(kind, &serde_json::from_slice(bytes).unwrap());
    }
}

/// The most bytes of one sentence of an error. Paths, names and the quoted part of a file fit; a file
/// that is quoted whole does not.
const MAX_SENTENCE_BYTES: usize = 2000;

/// An error is one sentence that a person can read, whatever the file says.
fn said(error: impl Display) -> String {
    let text = error.to_string();
    sentence(&text);
    text
}

/// Errors that list all that is wrong, a line each, and count the rest.
fn listed(error: impl Display) {
    let text = error.to_string();
    assert!(text.lines().count() <= 60, "{} lines", text.lines().count());
    text.lines().for_each(sentence);
}

fn sentence(text: &str) {
    assert!(!text.is_empty());
    assert!(text.len() <= MAX_SENTENCE_BYTES, "{} bytes", text.len());
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!text.contains(obeyed), "{text:?}");
}
