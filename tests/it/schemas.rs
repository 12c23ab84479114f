//! The schemas themselves, and a corpus of files that schema and tool must judge alike.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::binary::{Desk, card, draft, plan_file};
use crate::harness::schema;

/// Says what a schema's object leaves open.
fn open_ends(at: &str, schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            let object = fields.get("type").is_some_and(|kind| kind == "object");
            if object && fields.get("additionalProperties") != Some(&Value::Bool(false)) {
                found.push(format!("{at}: an object that takes any field"));
            }
            let integer = fields.get("type").is_some_and(|kind| kind == "integer");
            if integer && fields.get("minimum").or(fields.get("const")).is_none() {
                found.push(format!("{at}: an integer without a minimum"));
            }
            for (key, inner) in fields {
                open_ends(&format!("{at}/{key}"), inner, found);
            }
        }
        Value::Array(items) => {
            for (position, inner) in items.iter().enumerate() {
                open_ends(&format!("{at}/{position}"), inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_schema_is_strict_and_says_what_it_is() {
    let mut found = Vec::new();
    for (name, value) in schema::all() {
        jsonschema::draft202012::meta::validate(value)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        schema::validator(name);
        assert_eq!(
            value["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{name}"
        );
        assert!(value["title"].is_string(), "{name} has no title");
        open_ends(name, value, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
#[should_panic(expected = "there is no schemas/unheard-of.schema.json")]
fn a_schema_that_is_not_there_is_no_pass() {
    schema::assert_valid("unheard-of", &Value::Null);
}

#[test]
fn cards_and_plans_that_are_made_keep_to_their_schemas() {
    let cards = ["alice", "bob", "卡罗尔 O'Neil"].map(|name| card(name).bytes().to_vec());
    let lines = String::from_utf8(cards.join(&b'\n')).unwrap();
    assert_eq!(schema::assert_valid_lines("card", &lines).len(), 3);
    schema::assert_valid_json("plan", plan_file(draft(&["alice", "bob", "carol", "dave"])));
}

#[test]
fn every_report_has_a_schema() {
    let desk = Desk::new();
    let mut reports = BTreeSet::new();
    for words in desk.commands().iter().filter(|words| !words.is_empty()) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let page = desk.ok(&[&words[..], &["--help"]].concat());
        if page
            .lines()
            .any(|line| line.trim_start().starts_with("--json"))
        {
            let name = words.join("-");
            let name = if name == "run" { "run-event" } else { &name };
            schema::validator(name);
            reports.insert(name.to_owned());
        }
    }
    assert!(reports.len() >= 10, "{reports:?}");
}

/// The examples of the documentation are held against the schemas, too.
#[test]
fn the_documented_examples_keep_to_their_schemas() {
    let page = include_str!("../../docs/formats.md");
    let mut seen = BTreeSet::new();
    for block in page.split("```json\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let value: Value = serde_json::from_str(block).unwrap();
        let has = |pointer: &str| value.pointer(pointer).is_some();
        let name = match () {
            () if has("/header") => "envelope",
            () if has("/encryption_key") => "card",
            () if has("/roster") => "plan",
            () if has("/epoch") => "cluster",
            () if has("/transcript") => "outcome",
            () if has("/home_key") => "home",
            () if has("/crypto") => "keystore",
            () if has("/0/deposit_data_root") => "deposit-data",
            () if has("/0/message") => "builder-registrations",
            () if has("/signed_with") => "rehearse",
            () if has("/entries/0/how") => "known-identities",
            () if has("/salt") => "relay-manifest",
            () if has("/entries/0/label") => "relay-list",
            () if has("/code") => "relay-refusal",
            () if has("/1-deal-2-bob.json") => "arrivals",
            () => continue,
        };
        schema::assert_valid(name, &value);
        seen.insert(name);
    }
    assert!(seen.len() >= 10, "{seen:?}");
}
