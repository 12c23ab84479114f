//! A corpus of valid and invalid files (`tests/data`), which schema and tool must judge alike.
//!
//! The files are the examples of docs/formats.md, whole or with one defect, which is their name.
//! What JSON Schema cannot say is in `invalid-beyond-schema`: there the schema accepts and the tool
//! refuses. What the tool says to each is a golden.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::artifacts::cluster::Cluster;
use conclave::artifacts::record::read_record;
use conclave::audit::{Conclusion, audit};
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::Evidence;
use conclave::ceremony::imported::ImportedCluster;
use conclave::ceremony::plan::Plan;
use conclave::json;
use conclave::protocol::complaint::ComplaintPayload;
use conclave::protocol::confirm::{self, ConfirmPayload};
use conclave::protocol::deal::{self, DealPayload};
use conclave::protocol::partial::{self, PartialPayload};
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::home::Home;
use conclave::wire::card::VerifiedCard;
use conclave::wire::envelope::{Envelope, Kind};
use serde_json::{Map, Value};

use crate::harness::binary::assert_golden;
use crate::harness::disk::every_file;
use crate::harness::schema;

const KINDS: [&str; 8] = [
    "card",
    "cluster",
    "envelope",
    "evidence",
    "home",
    "imported-cluster",
    "outcome",
    "plan",
];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// Path, kind and bytes of the files in one part of the corpus.
fn files(part: &str) -> Vec<(String, &'static str, Vec<u8>)> {
    let mut counts = BTreeMap::new();
    let files: Vec<_> = every_file(&data().join(part))
        .into_iter()
        .map(|(path, bytes)| {
            let name = path
                .strip_prefix(data())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let kind = KINDS
                .iter()
                .find(|kind| name.starts_with(&format!("{part}/{kind}/")));
            let kind = *kind.unwrap_or_else(|| panic!("{name}: of which kind?"));
            *counts.entry(kind).or_insert(0) += 1;
            (name, kind, bytes)
        })
        .collect();
    assert!(counts.len() >= 5, "{part}: {counts:?}");
    files
}

/// What the schema says; bytes that are no JSON at all are refused.
fn by_schema(kind: &str, bytes: &[u8]) -> Result<(), String> {
    let value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match schema::problems(kind, &value).as_slice() {
        [] => Ok(()),
        problems => Err(problems.join("; ")),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What the tool says.
fn by_tool(kind: &str, bytes: &[u8]) -> Result<(), String> {
    match kind {
        "card" => VerifiedCard::parse(bytes).map(drop).map_err(text),
        "plan" => Plan::parse(bytes).map(drop).map_err(text),
        "cluster" => Cluster::parse(bytes).map(drop).map_err(text),
        "evidence" => Evidence::parse(bytes).map(drop).map_err(text),
        "imported-cluster" => ImportedCluster::parse(bytes).map(drop).map_err(text),
        "home" => {
            let root = tempfile::tempdir().unwrap();
            std::fs::write(root.path().join("home.json"), bytes).unwrap();
            let read = Home::public(&RealDisk, root.path()).map(drop);
            read.map_err(|error| text(error).replace(&root.path().display().to_string(), "HOME"))
        }
        "envelope" => envelope(bytes),
        "outcome" => outcome(bytes),
        other => panic!("{other}: of which kind?"),
    }
}

/// An outcome is read by nobody: an audit of its record makes it again and compares.
fn outcome(bytes: &[u8]) -> Result<(), String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let record = read_record(&disk, &data().join("record")).unwrap();
    let plan = Plan::parse(record.plan()).unwrap();
    let report = audit(&plan, record.messages(), &record, Some(bytes), &Unobserved);
    let report = report.map_err(text)?;
    match report.conclusion() {
        Conclusion::Complete => Ok(()),
        _ => Err(report.sentences(&plan).join("; ")),
    }
}

/// Form and payload, as far as they can be judged without the other messages.
fn envelope(bytes: &[u8]) -> Result<(), String> {
    let envelope = Envelope::parse(bytes).map_err(text)?;
    let plan = std::fs::read(data().join("valid/plan/example.json")).unwrap();
    let params = Plan::parse(&plan).unwrap().keygen().unwrap().params();
    let value = json::parse(bytes, bytes.len()).unwrap();
    let payload = &value["payload"];
    match envelope.header().kind() {
        Kind::Deal => {
            let payload: DealPayload = json::decode(payload).map_err(text)?;
            deal::check(&params, 0, &payload).map(drop).map_err(text)
        }
        Kind::Confirm => {
            let payload: ConfirmPayload = json::decode(payload).map_err(text)?;
            confirm::decode(&params, &[1], &payload)
                .map(drop)
                .map_err(text)
        }
        Kind::Complain => json::decode::<ComplaintPayload>(payload)
            .map(drop)
            .map_err(text),
        Kind::Partial => {
            let payload: PartialPayload = json::decode(payload).map_err(text)?;
            partial::decode(2, &payload).map(drop).map_err(text)
        }
        Kind::Abandon => match payload.as_object() {
            Some(fields) if fields.is_empty() => Ok(()),
            _ => Err("an abandon says nothing".into()),
        },
    }
}

#[test]
fn valid_files_are_taken_by_both() {
    for (name, kind, bytes) in files("valid") {
        assert_eq!(by_schema(kind, &bytes), Ok(()), "{name}");
        assert_eq!(by_tool(kind, &bytes), Ok(()), "{name}");
    }
}

#[test]
fn invalid_files_are_refused_by_both_or_by_the_tool_where_a_schema_cannot() {
    let (mut said, mut wrong) = (String::new(), Vec::new());
    for part in ["invalid", "invalid-beyond-schema"] {
        for (name, kind, bytes) in files(part) {
            let schema = by_schema(kind, &bytes);
            if schema.is_ok() != (part == "invalid-beyond-schema") {
                wrong.push(format!("{name}: the schema says {schema:?}"));
            }
            let Err(tool) = by_tool(kind, &bytes) else {
                wrong.push(format!("{name}: the tool takes it"));
                continue;
            };
            writeln!(said, "{name}\n  {}", tool.replace('\n', "\n  ")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_golden("refusals.txt", &said);
}

/// Every change of one field of an object, at any depth: dropped, renamed, of another type.
fn mutations(value: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    match value {
        Value::Object(fields) => {
            let values = Value::Array(fields.values().cloned().collect());
            all.push((" as an array of its values".to_owned(), values));
            for (key, inner) in fields {
                let put = |change: &dyn Fn(&mut Map<String, Value>)| {
                    let mut changed = fields.clone();
                    change(&mut changed);
                    Value::Object(changed)
                };
                let dropped = put(&|fields| drop(fields.remove(key)));
                all.push((format!("/{key} dropped"), dropped));
                let renamed = put(&|fields| {
                    let inner = fields.remove(key).unwrap();
                    fields.insert(format!("{key}_"), inner);
                });
                all.push((format!("/{key} renamed"), renamed));
                for other in [
                    Value::from("text"),
                    Value::from(7),
                    Value::from(true),
                    Value::Array(vec![]),
                    Value::Object(Map::new()),
                    Value::Null,
                    Value::from(0.5),
                    Value::from(-1),
                ] {
                    let same = std::mem::discriminant(&other) == std::mem::discriminant(inner);
                    if !same || (other.is_number() && !other.is_u64()) {
                        let retyped =
                            put(&|fields| drop(fields.insert(key.clone(), other.clone())));
                        all.push((format!("/{key} is {other}"), retyped));
                    }
                }
                for (at, inner) in mutations(inner) {
                    let deeper = put(&|fields| drop(fields.insert(key.clone(), inner.clone())));
                    all.push((format!("/{key}{at}"), deeper));
                }
            }
        }
        Value::Array(items) => {
            // The first stands for all.
            for (at, inner) in items.first().map(mutations).unwrap_or_default() {
                let mut items = items.clone();
                items[0] = inner;
                all.push((format!("/0{at}"), Value::Array(items)));
            }
        }
        _ => {}
    }
    all
}

#[test]
fn schema_and_tool_agree_on_every_change_of_a_field() {
    let (mut taken, mut refused, mut wrong) = (0, 0, Vec::new());
    for (name, kind, bytes) in files("valid") {
        // One file of each kind of object is enough.
        if kind == "plan" && !name.ends_with("example.json") {
            continue;
        }
        let mut value: Value = serde_json::from_slice(&bytes).unwrap();
        if kind == "evidence" {
            // Whatever they are, they are the accused's; and they are tried as envelopes.
            value["messages"] = Value::Array(vec![]);
        }
        for (at, changed) in mutations(&value) {
            let bytes = json::canonical_value(&changed).unwrap();
            let schema = by_schema(kind, &bytes);
            let tool = by_tool(kind, &bytes);
            if schema.is_ok() != tool.is_ok() {
                wrong.push(format!("{name}{at}: schema {schema:?}, tool {tool:?}"));
            }
            *(if tool.is_ok() {
                &mut taken
            } else {
                &mut refused
            }) += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(
        taken >= 4 && refused > 1000,
        "{taken} taken, {refused} refused"
    );
}
