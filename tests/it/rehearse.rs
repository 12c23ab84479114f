//! `rehearse`: what it leaves, what it reports, and that nothing of it passes for real.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::binary::Desk;
use crate::harness::schema;

/// A desk with an example plan of the project.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        include_bytes!("../../ceremonies/keygen-3of4-hoodi.plan.json"),
    );
    desk
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn an_example_plan_is_played_twice() {
    let desk = desk();
    desk.ok(&["plan", "check", "plan.json"]);
    let told = desk.run(&["rehearse", "plan.json"]);
    assert_eq!(told.code, 0, "{told:?}");
    for words in [
        "any 3 of them can sign",
        "valid on no chain",
        "outcome code: ",
        "next: ",
    ] {
        assert!(told.stderr.contains(words), "{words}: {told:?}");
    }
    desk.ok(&["rehearse", "plan.json", "--quiet"]);
    let runs = names(&desk.path("rehearsals"));
    assert_eq!(runs.len(), 2, "{runs:?}");

    let out = format!("rehearsals/{}", runs.first().unwrap());
    let expected = set(&["1-alice", "2-bob", "3-carol", "4-dave", "record"]);
    assert_eq!(names(&desk.path(&out)), expected, "no home is left");
    for operator in ["1-alice", "2-bob", "3-carol", "4-dave"] {
        let directory = desk.path(&format!("{out}/{operator}"));
        let found = names(&directory);
        let deposit = found.iter().find(|name| name.starts_with("deposit_data-"));
        let deposit: Value =
            serde_json::from_slice(&fs::read(directory.join(deposit.unwrap())).unwrap()).unwrap();
        assert_eq!(deposit[0]["network_name"], "hoodi-rehearsal");
        let keys = names(&directory.join("validator_keys"));
        assert_eq!(keys.len(), 2, "{keys:?}");
        for key in &keys {
            let path = directory.join("validator_keys").join(key);
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            if key.ends_with(".json") {
                let keystore: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                let description = keystore["description"].as_str().unwrap().to_lowercase();
                assert!(description.contains("rehearsal"), "{description}");
            }
        }
        desk.ok(&[
            "keystore",
            "check",
            &format!("{out}/{operator}/validator_keys"),
        ]);
        let audited = desk.ok(&["audit", &format!("{out}/{operator}")]);
        assert!(audited.contains("this is a rehearsal"), "{audited}");
    }
    schema::assert_files(&desk.path("rehearsals"));
    // It is never mixed with the real thing.
    let copy = format!("{out}/record/plan.json");
    desk.refused(&["rehearse", &copy], 5, &["rehearsal's own copy"]);
    desk.refused(&["run", &copy, "--via", "."], 5, &["plan of a rehearsal"]);
}

#[test]
fn sizes_and_report_are_as_asked() {
    let desk = desk();
    let args = ["rehearse", "plan.json", "--out", "out", "--json"];
    let sizes = [
        "--operators",
        "5",
        "--validators",
        "3",
        "--keystores",
        "none",
    ];
    let report: Value = serde_json::from_str(&desk.ok(&[&args[..], &sizes].concat())).unwrap();
    assert_eq!(
        (&report["validators"], &report["threshold"]),
        (&3.into(), &4.into())
    );
    let operators = report["operators"].as_array().unwrap();
    assert_eq!(operators.len(), 5);
    for (index, operator) in (1..).zip(operators) {
        assert_eq!(operator["index"], index);
        let stages = operator["stages_ms"].as_object().unwrap();
        let expected = ["confirm", "deal", "finalise", "keystores", "receive"];
        assert_eq!(
            stages.keys().cloned().collect::<BTreeSet<_>>(),
            set(&expected)
        );
        assert!(stages.values().all(Value::is_u64));
    }
    assert!(report["peak_memory_bytes"].as_u64().unwrap() > 1_000_000);
    assert_eq!(report["signed_with"], 3);
    assert!(!desk.path("out/1-alice/validator_keys").exists());
    // A directory that stands is not touched.
    let before = names(&desk.path("out"));
    desk.refused(&args, 1, &["is there already", "--out DIR"]);
    assert_eq!(names(&desk.path("out")), before);
    desk.refused(
        &["rehearse", "plan.json", "--operators", "1"],
        2,
        &["2 to 256"],
    );
    desk.refused(&["rehearse", "none.json"], 1, &["none.json"]);
}

/// Memory does not follow the size of what is dealt: the codes' 128 MiB are most of it.
#[test]
fn a_thousand_validators_take_hardly_more_memory_than_one() {
    let desk = desk();
    let peak = |validators: &str, out: &str| {
        let args = ["rehearse", "plan.json", "--json", "--keystores", "none"];
        let sizes = ["--validators", validators, "--out", out];
        let report: Value = serde_json::from_str(&desk.ok(&[&args[..], &sizes].concat())).unwrap();
        report["peak_memory_bytes"].as_u64().unwrap()
    };
    let (one, thousand) = (peak("1", "one"), peak("1000", "thousand"));
    assert!(one < 220 << 20, "{one}");
    assert!(thousand < one + (64 << 20), "{one} and {thousand}");
}
