//! `run --json`: every line as its schema says, in the order in which things happen, with an end.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::four_homes::Ceremony;
use crate::harness::binary::Ended;

const SCHEMA: &str = include_str!("../../schemas/run-event.schema.json");

/// Runs `run --json` for an operator and returns how it ended and its events, each of which is valid.
fn run(ceremony: &Ceremony, name: &str, more: &[&str]) -> (Ended, Vec<Value>) {
    let out = format!("files-{name}");
    let mut args = vec!["run", "pool.plan.json", "--json", "--out", &out];
    args.extend(more);
    events(ceremony.by(name, &args))
}

fn events(ended: Ended) -> (Ended, Vec<Value>) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let events: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for event in &events {
        let errors: Vec<String> = validator
            .iter_errors(event)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{event}: {errors:?}");
    }
    // One end, the last line, with the exit code.
    let last = events.last().unwrap();
    assert_eq!(last["event"], "end", "{ended:?}");
    assert_eq!(last["exit_code"], ended.code, "{ended:?}");
    assert_eq!(named(&events, "end").len(), 1, "{ended:?}");
    assert_eq!(named(&events, "error").len(), usize::from(ended.code != 0));
    (ended, events)
}

fn named<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["event"] == name)
        .collect()
}

/// The names of the events, progress left out.
fn order(events: &[Value]) -> Vec<&str> {
    let names = events.iter().map(|event| event["event"].as_str().unwrap());
    names.filter(|name| *name != "stage").collect()
}

#[test]
fn a_ceremony_is_told_as_it_happens() {
    let ceremony = Ceremony::prepare();
    let code = ceremony.code.clone();
    let via = ["--via", "stick", "--accept-plan", &code];
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();

    let (ended, told) = run(&ceremony, "alice", &via);
    assert_eq!(ended.code, 3);
    assert_eq!(
        order(&told),
        [
            "plan", "exchange", "made", "exchange", "waiting", "error", "end"
        ]
    );
    assert_eq!(told[0]["accepted"], "now");
    assert_eq!(told[0]["own_index"], 1);
    assert_eq!(told[0]["operators"].as_array().unwrap().len(), 4);
    let waiting = named(&told, "waiting")[0];
    assert_eq!(waiting["awaiting_deals"], serde_json::json!([2, 3, 4]));
    assert_eq!(named(&told, "exchange")[1]["sent"], 1);
    assert_eq!(named(&told, "error")[0]["code"], "waiting");
    assert_eq!(told.last().unwrap()["state"], "waiting");
    // The words for people are the same as without.
    assert!(ended.stderr.contains("\nwaiting for the deal of bob"));
    all.extend(told);

    for name in ["bob", "carol", "dave"] {
        let (ended, told) = run(&ceremony, name, &via);
        assert_eq!(ended.code, 3, "{ended:?}");
        if name == "dave" {
            let names = order(&told);
            let at = |name: &str, nth: usize| {
                let mut found = (0..names.len()).filter(|at| names[*at] == name);
                found.nth(nth).unwrap()
            };
            // Shares are stored before the message that speaks of them, and that before it leaves.
            assert!(at("made", 0) < at("shares_stored", 0), "{names:?}");
            assert!(at("shares_stored", 0) < at("made", 1), "{names:?}");
            assert!(at("made", 1) < at("exchange", 1), "{names:?}");
            assert!(!named(&told, "stage").is_empty());
        }
        all.extend(told);
    }
    for name in ["alice", "bob"] {
        all.extend(run(&ceremony, name, &via).1);
    }
    let (ended, told) = run(&ceremony, "carol", &via);
    assert_eq!(ended.code, 0, "{ended:?}");
    let names = order(&told);
    assert_eq!(names[names.len() - 3..], ["complete", "files", "end"]);
    let complete = named(&told, "complete")[0].clone();
    assert_eq!(
        complete["outcome_code"]
            .as_str()
            .unwrap()
            .split(' ')
            .count(),
        8
    );
    let files = named(&told, "files")[0];
    assert_eq!(files["written"], true);
    let directory = std::path::Path::new(files["directory"].as_str().unwrap());
    let listed = files["files"].as_array().unwrap();
    for purpose in ["deposits", "keystore", "passphrase", "cluster", "outcome"] {
        let file = listed.iter().find(|file| file["purpose"] == purpose);
        let file = file.unwrap_or_else(|| panic!("{purpose}: {files}"));
        assert!(directory.join(file["path"].as_str().unwrap()).is_file());
        let secret = matches!(purpose, "keystore" | "passphrase");
        assert_eq!(file["secret"], secret, "{purpose}");
    }
    all.extend(told);

    // Again: the same outcome, and nothing is written twice. A stored message that is damaged is told.
    let cid = complete["cid"].as_str().unwrap();
    let board = ceremony
        .desk
        .path(&format!("home-carol/ceremonies/{cid}/board"));
    let stored = fs::read_dir(board)
        .unwrap()
        .map(|file| file.unwrap().path());
    let stored = stored
        .filter(|path| path.to_string_lossy().contains("alice"))
        .min();
    fs::write(stored.unwrap(), b"{}").unwrap();
    let (ended, told) = run(&ceremony, "carol", &["--via", "stick"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(told[0]["accepted"], "before");
    assert_eq!(named(&told, "complete")[0], &complete);
    assert_eq!(named(&told, "files")[0]["written"], false);
    assert_eq!(named(&told, "warning").len(), 1, "{told:?}");
    all.extend(told);

    seen.extend(all.iter().map(|event| event["event"].as_str().unwrap()));
    let expected = [
        "complete",
        "end",
        "error",
        "exchange",
        "files",
        "made",
        "plan",
        "shares_stored",
        "stage",
        "waiting",
        "warning",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    assert!(
        all.iter().all(|event| event["cid"] == cid),
        "every line names the ceremony"
    );
}

#[test]
fn a_stream_ends_however_the_command_fails() {
    let ceremony = Ceremony::prepare();
    let code = ceremony.code.clone();
    let other = format!("{} abandon", code.rsplit_once(' ').unwrap().0);
    let told = |args: &[&str]| {
        let (ended, told) = events(ceremony.by("alice", args));
        assert_eq!(order(&told)[told.len() - 2..], ["error", "end"]);
        assert_eq!(told.last().unwrap()["state"], "unknown", "{ended:?}");
        let error = &told[told.len() - 2];
        assert_eq!(error["exit_code"], ended.code);
        error["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(told(&["run", "--json"]), "usage");
    let no_courier = ["run", "--json", "pool.plan.json", "--accept-plan", &code];
    assert_eq!(told(&no_courier), "usage");
    assert_eq!(
        told(&["run", "--json", "pool.plan.json", "--no-such-flag"]),
        "usage"
    );
    assert_eq!(
        told(&["run", "none.plan.json", "--via", "stick", "--json"]),
        "file-missing"
    );
    let run = ["run", "pool.plan.json", "--json", "--via"];
    assert_eq!(told(&[&run[..], &["stick"]].concat()), "no-terminal");
    assert_eq!(
        told(&[&run[..], &["stick", "--accept-plan", &other]].concat()),
        "plan-code-wrong"
    );
    // A courier that is away is told as an exchange too.
    let (ended, lines) = events(ceremony.by(
        "alice",
        &[&run[..], &["away", "--accept-plan", &code]].concat(),
    ));
    assert_eq!(
        order(&lines),
        ["plan", "exchange", "error", "end"],
        "{ended:?}"
    );
    assert_eq!(lines[1]["error"]["code"], "courier-unreachable");
    assert_eq!(lines[2]["code"], "courier-unreachable");
}

#[test]
fn an_abandoned_ceremony_is_told_and_a_reader_that_leaves_stops_nothing() {
    let ceremony = Ceremony::prepare();
    let code = ceremony.code.clone();
    let mut child = ceremony
        .command(
            "alice",
            &[
                "run",
                "pool.plan.json",
                "--json",
                "--via",
                "stick",
                "--accept-plan",
                &code,
            ],
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(ceremony.stick().len(), 2, "the plan and a deal");

    ceremony.run("bob", 3, &[]);
    ceremony.ok(
        "bob",
        &[
            "ceremony", "abandon", "Pool", "--name", "Pool", "--via", "stick",
        ],
    );
    let (ended, told) = run(&ceremony, "alice", &["--via", "stick"]);
    assert_eq!(ended.code, 1);
    let stopped = named(&told, "stopped")[0];
    assert_eq!(stopped["abandoned_by"], serde_json::json!([2]));
    assert_eq!(named(&told, "error")[0]["code"], "ceremony-abandoned");
    assert_eq!(told.last().unwrap()["state"], "stopped");
}
