//! The example ceremonies: whatever lies in `ceremonies/` is checked, shown, made again and rehearsed.

use std::fs;
use std::path::{Path, PathBuf};

use conclave::ceremony::plan::Plan;
use conclave::json;
use serde_json::Value;

use crate::harness::binary::{Desk, assert_golden};
use crate::harness::schema;

const ENDING: &str = ".plan.json";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ceremonies")
}

/// Name, bytes and plan of every example.
fn plans() -> Vec<(String, Vec<u8>, Plan)> {
    let mut plans = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let readable = file.ends_with(ENDING) || file.ends_with(".csv") || file == "README.md";
        assert!(readable, "{file}: what is it?");
        if let Some(name) = file.strip_suffix(ENDING) {
            let bytes = fs::read(folder().join(&file)).unwrap();
            let plan = Plan::parse(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
            plans.push((name.to_owned(), bytes, plan));
        }
    }
    plans.sort_by(|a, b| a.0.cmp(&b.0));
    plans
}

/// The example plans never change, to the byte: people compare their codes.
#[test]
fn the_examples_are_these() {
    let ids: Vec<(String, String)> = plans()
        .into_iter()
        .map(|(name, bytes, plan)| {
            schema::assert_valid_json("plan", &bytes);
            assert_eq!(json::pretty(plan.value()).unwrap(), bytes, "{name}");
            (name, plan.cid().to_string())
        })
        .collect();
    let ids: Vec<(&str, &str)> = ids.iter().map(|(n, c)| (n.as_str(), c.as_str())).collect();
    assert_eq!(
        ids,
        [
            (
                "keygen-3of4-gnosis",
                "3c15c05cb3f25c652387d8b0ac9abb72bc38919f84fec6610a4d44fc78ee7976"
            ),
            (
                "keygen-3of4-hoodi",
                "9be75833972791630c67fc19ea6f787c33c06f4e53c82e37cd7b86823a310ade"
            ),
            (
                "keygen-3of4-hoodi-100",
                "85a6a979ffcf55e7ceb896e4bc3f904b66c52f2af292386b769785d867cc92f3"
            ),
            (
                "keygen-5of7-mainnet",
                "93bdd9e6e86a6b64ce5372c3d539e03f2ae486ed26428db5dac421142f5bbbf8"
            ),
        ]
    );
}

#[test]
fn each_is_shown_as_it_was() {
    let desk = Desk::new();
    for (name, bytes, plan) in plans() {
        let file = format!("{name}{ENDING}");
        desk.write(&file, bytes);
        assert_eq!(desk.ok(&["plan", "check", &file]), "ok\n");
        desk.ok(&["plan", "check", &file, "--json"]);
        assert_golden(
            &format!("ceremonies/{name}.txt"),
            &desk.ok(&["plan", "show", &file]),
        );
        let shown = desk.ok(&["plan", "show", &file, "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(shown["ceremony_id"], plan.cid().to_string());
    }
}

#[test]
fn each_is_rehearsed() {
    let desk = Desk::new();
    for (name, bytes, plan) in plans() {
        let file = format!("{name}{ENDING}");
        desk.write(&file, bytes);
        let validators = plan.keygen().unwrap().validators().len();
        let keystores = if validators <= 10 { "pbkdf2" } else { "none" };
        let rehearse = [
            "rehearse",
            &file,
            "--json",
            "--out",
            &name,
            "--keystores",
            keystores,
        ];
        let report: Value = serde_json::from_str(&desk.ok(&rehearse)).unwrap();
        assert_eq!(report["signed_with"], validators, "{name}");
        let counts = schema::assert_files(&desk.path(&name));
        let n = plan.roster().len();
        assert_eq!(counts["cluster"], n, "{name}: {counts:?}");
        let expected = if keystores == "none" {
            0
        } else {
            n * validators
        };
        assert_eq!(
            counts.get("keystore").copied().unwrap_or(0),
            expected,
            "{name}: {counts:?}"
        );
    }
}

/// The words of a command in a document: quotes and line ends as in a shell.
fn words(command: &str) -> Vec<String> {
    let command = command.replace("\\\n", " ");
    let mut words = Vec::new();
    for (position, part) in command.split('"').enumerate() {
        if position % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_commands_given_make_them_again() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let commands: Vec<Vec<String>> = readme
        .split("```sh\n")
        .skip(1)
        .map(|block| words(block.split("```").next().unwrap()))
        .collect();
    for (name, _, plan) in plans() {
        let file = format!("{name}{ENDING}");
        let command = commands.iter().find(|words| words.last() == Some(&file));
        let command =
            command.unwrap_or_else(|| panic!("the README does not say how {file} is made"));
        let desk = Desk::new();
        for operator in plan.roster().iter() {
            let card = format!("{}.card.json", operator.card.name());
            desk.write(&card, operator.card.bytes());
        }
        for list in command.iter().filter(|word| word.ends_with(".csv")) {
            desk.write(list, fs::read(folder().join(list)).unwrap());
        }
        let created = plan.created().to_string();
        let mut args: Vec<&str> = command.iter().skip(1).map(String::as_str).collect();
        args.extend(["--created", &created]);
        desk.ok(&args);
        let mut made: Value = serde_json::from_slice(&desk.read(&file)).unwrap();
        made["random"] = plan.value()["random"].clone();
        assert_eq!(made, *plan.value(), "{name}");
    }
}
