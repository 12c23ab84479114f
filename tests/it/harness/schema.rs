//! The JSON Schemas in `schemas/`: what the tool writes is held against them.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;

/// Where the schemas seem to lie: references between them are relative, and nothing is fetched.
const BASE: &str = "file:///schemas/";

/// Every schema by its name: `card` is `schemas/card.schema.json`.
pub(crate) fn all() -> &'static BTreeMap<String, Value> {
    static ALL: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let mut all = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            let name = file.strip_suffix(".schema.json");
            let name = name.unwrap_or_else(|| panic!("{file} is no <name>.schema.json"));
            let schema = serde_json::from_slice(&std::fs::read(&path).unwrap());
            let schema = schema.unwrap_or_else(|error| panic!("{file}: {error}"));
            all.insert(name.to_owned(), schema);
        }
        all
    })
}

struct Ours;

impl Retrieve for Ours {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        uri.as_str()
            .strip_prefix(BASE)
            .and_then(|file| file.strip_suffix(".schema.json"))
            .and_then(|name| all().get(name))
            .cloned()
            .ok_or_else(|| format!("{uri} is none of our schemas").into())
    }
}

/// The validator of one schema.
#[track_caller]
pub(crate) fn validator(name: &str) -> Arc<Validator> {
    static MADE: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let schema = all().get(name);
    let schema = schema.unwrap_or_else(|| panic!("there is no schemas/{name}.schema.json"));
    let mut made = MADE.lock().unwrap();
    let validator = made.entry(name.to_owned()).or_insert_with(|| {
        let validator = jsonschema::draft202012::options()
            .with_base_uri(format!("{BASE}{name}.schema.json"))
            .with_retriever(Ours)
            .build(schema);
        Arc::new(validator.unwrap_or_else(|error| panic!("{name}.schema.json: {error}")))
    });
    validator.clone()
}

/// What a schema finds wrong with a value; empty if it accepts it.
#[track_caller]
pub(crate) fn problems(name: &str, value: &Value) -> Vec<String> {
    validator(name)
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Holds a value against a schema.
#[track_caller]
pub(crate) fn assert_valid(name: &str, value: &Value) {
    let problems = problems(name, value);
    assert!(problems.is_empty(), "{name}: {problems:#?}\n{value:#}");
}

/// Holds a JSON file, or what a command printed, against a schema; returns it.
#[track_caller]
pub(crate) fn assert_valid_json(name: &str, text: impl AsRef<[u8]>) -> Value {
    let value = serde_json::from_slice(text.as_ref());
    let value = value.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_valid(name, &value);
    value
}

/// Holds every line of JSON Lines against a schema; returns them.
#[track_caller]
pub(crate) fn assert_valid_lines(name: &str, text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| assert_valid_json(name, line))
        .collect()
}

/// Holds what a command printed with `--json` against the schema of its report, or of errors.
#[track_caller]
pub(crate) fn assert_report(args: &[&str], code: i32, stdout: &str) {
    if args.contains(&"run") {
        assert_valid_lines("run-event", stdout);
        return;
    }
    let report: Value = serde_json::from_str(stdout)
        .unwrap_or_else(|error| panic!("{args:?} ended with {code}: {error}: {stdout}"));
    if report.get("error").is_some() {
        assert_valid("error", &report);
        assert_eq!(report["error"]["exit_code"], code, "{args:?}: {report:#}");
    } else {
        assert_valid(&report_name(args), &report);
    }
}

/// The schema of a command's report: its words with hyphens between.
fn report_name(args: &[&str]) -> String {
    // A word of a command may be two words of its report's name: `check-proof`.
    let words = args.iter().filter(|arg| !arg.starts_with('-'));
    let args: Vec<&str> = words.flat_map(|arg| arg.split('-')).collect();
    let names = all().keys();
    let mut fitting: Vec<&String> = names
        .filter(|name| {
            let mut words = args.iter();
            name.split('-').all(|word| words.any(|arg| *arg == word))
        })
        .collect();
    // `plan check FILE` must not be taken for a schema named `plan`.
    fitting.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let name = fitting.first().map(|name| (*name).clone());
    name.unwrap_or_else(|| panic!("no schema of the report of {args:?}"))
}

/// Holds every JSON file under a directory against the schema of its kind; returns how many of each.
#[track_caller]
pub(crate) fn assert_files(directory: &Path) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for (path, bytes) in crate::harness::disk::every_file(directory) {
        if path.extension().is_some_and(|ending| ending == "json") {
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let kind = kind_of(&path, &value);
            let problems = problems(kind, &value);
            assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

/// The kind of a file, by the name that the tool gives it; messages may be renamed.
#[track_caller]
fn kind_of(path: &Path, value: &Value) -> &'static str {
    let name = path.file_name().unwrap().to_str().unwrap();
    let within = path.parent().and_then(Path::file_name);
    match name {
        "card.json" => "card",
        "plan.json" => "plan",
        "cluster.json" => "cluster",
        "home.json" => "home",
        "arrivals.json" => "arrivals",
        _ if within.is_some_and(|within| within == "upkeep") => "upkeep",
        _ if value.get("header").is_some() => "envelope",
        _ if name.ends_with(".proof.json") => "share-proof",
        _ if name.ends_with(".known.json") => "known-identities",
        _ if name.ends_with(".card.json") => "card",
        _ if name.ends_with(".plan.json") => "plan",
        _ if name.ends_with(".outcome.json") => "outcome",
        _ if name.starts_with("deposit_data-") => "deposit-data",
        _ if name.starts_with("builder_registrations-") => "builder-registrations",
        _ if name.starts_with("keystore-") => "keystore",
        _ if name.starts_with("signed_exit-") => "signed-exit",
        _ if name.starts_with("bls_to_execution_change-") => "bls-changes",
        _ if within.is_some_and(|within| within == "evidence") => "evidence",
        _ => panic!("{}: which schema is its?", path.display()),
    }
}
