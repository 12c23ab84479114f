//! `doctor` with the real binary on this machine: what it says varies, what it does must not.

use std::fs;
use std::sync::Arc;

use sha2::Digest as _;

use serde_json::Value;

use crate::harness::binary::{Desk, draft, plan_file};
use crate::harness::disk::every_file;
use crate::harness::homes::Member;

fn report(desk: &Desk, args: &[&str]) -> (i32, Value) {
    let ended = desk.run(&[args, &["--json"]].concat());
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema = include_str!("../../schemas/doctor.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    (ended.code, report)
}

fn line<'a>(report: &'a Value, check: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    let mut found = checks.iter().filter(|line| line["check"] == check);
    found
        .next()
        .unwrap_or_else(|| panic!("{check}: {report:#}"))
}

#[test]
fn a_machine_is_looked_at_and_left_as_it_was() {
    let desk = Desk::new();
    desk.write(
        "pool.plan.json",
        plan_file(draft(&["alice", "bob", "carol"])),
    );
    fs::create_dir(desk.path("stick")).unwrap();
    desk.write("stick/holiday.jpg", "not ours");
    // What a doctor that was killed leaves behind: it is replaced and removed.
    desk.write("stick/.tmp-doctor-conclave", "half");
    let member = Member::new(&desk.path("home"), "alice");
    let home = |desk: &Desk| every_file(&desk.path("home"));
    let before = home(&desk);
    let all = [
        "--home",
        "home",
        "doctor",
        "pool.plan.json",
        "--via",
        "stick",
    ];
    let (code, found) = report(&desk, &all);
    assert_eq!(line(&found, "stick")["verdict"], "ok", "{found:#}");
    assert_eq!(line(&found, "home")["verdict"], "ok", "{found:#}");
    assert_eq!(line(&found, "entropy")["verdict"], "ok", "{found:#}");
    assert_eq!(line(&found, "terminal")["verdict"], "note", "{found:#}");
    let problem = found["verdict"] == "problem";
    assert_eq!(code, i32::from(problem), "{found:#}");
    assert_eq!(home(&desk), before);
    let left: Vec<_> = fs::read_dir(desk.path("stick"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["holiday.jpg"]);
    // The hash is that of the binary that ran.
    let binary = fs::read(env!("CARGO_BIN_EXE_conclave")).unwrap();
    let sha256 = sha2::Sha256::digest(&binary);
    assert_eq!(
        found["sha256"],
        conclave::json::Hex::<32>(sha256.into()).to_string()
    );
    drop(
        member
            .open(Arc::new(conclave::store::disk::RealDisk))
            .unwrap(),
    );
}

#[test]
fn what_is_wrong_is_found() {
    let desk = Desk::new();
    // Without a home or a stick, for an organiser.
    let (_, found) = report(&desk, &["--home", "none", "doctor"]);
    assert_eq!(line(&found, "home")["verdict"], "note");
    assert!(!desk.path("none").exists());
    let ended = desk.refused(
        &["doctor", "--via", "nowhere"],
        1,
        &["a ceremony would fail on this machine: ", "stick", "hint: "],
    );
    assert!(
        ended
            .stdout
            .contains("problem  stick: nowhere is no folder"),
        "{ended:?}"
    );
    assert!(!desk.path("nowhere").exists());
    desk.refused(&["doctor", "--via", "ftp://x"], 2, &[]);
    desk.refused(&["doctor", "missing.plan.json"], 1, &["missing.plan.json"]);

    // A plan from the future, and a home that others can read.
    let mut later = draft(&["alice", "bob", "carol"]);
    later.created = 4_000_000_000;
    desk.write("later.plan.json", plan_file(later));
    let (_, found) = report(&desk, &["doctor", "later.plan.json"]);
    let clock = line(&found, "clock");
    assert_eq!(clock["verdict"], "warning");
    assert!(
        clock["found"].as_str().unwrap().contains("Pool North"),
        "{clock}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let _member = Member::new(&desk.path("home"), "alice");
        let open = fs::Permissions::from_mode(0o644);
        fs::set_permissions(desk.path("home/identity.age"), open).unwrap();
        let (_, found) = report(&desk, &["--home", "home", "doctor"]);
        let home = line(&found, "home");
        assert_eq!(home["verdict"], "warning");
        assert!(
            home["found"]
                .as_str()
                .unwrap()
                .ends_with("home/identity.age"),
            "{home}"
        );
    }
    desk.write("broken/home.json", "{}");
    let (code, found) = report(&desk, &["--home", "broken", "doctor"]);
    assert_eq!(
        (code, line(&found, "home")["verdict"].as_str().unwrap()),
        (1, "problem")
    );
}
