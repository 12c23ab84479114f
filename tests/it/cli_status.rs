//! `status` with the real binary: homes, sticks without a home, both together, and what else lies
//! on a stick.

use std::fs;

use serde_json::{Value, json};

use crate::harness::binary::{Desk, Ended, draft, plan_file};
use crate::harness::disk::every_file;
use crate::harness::faults::{Faults, Misdeed, Table};

/// The report of a status that ended with this code; it keeps to its schema.
#[track_caller]
fn report(desk: &Desk, args: &[&str], code: i32) -> Value {
    let ended = desk.run(&[&["status", "--json"], args].concat());
    assert_eq!(ended.code, code, "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema = include_str!("../../schemas/status.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    report
}

fn stick(table: &Table) -> String {
    table.group.stick.display().to_string()
}

fn home(table: &Table, operator: usize) -> String {
    table.group.members[operator].root.display().to_string()
}

#[track_caller]
fn says(ended: &Ended, words: &[&str]) {
    for word in words {
        assert!(ended.stdout.contains(word), "{word}: {ended:?}");
    }
}

#[test]
fn without_a_home_a_stick_says_who_is_awaited_and_nothing_is_written() {
    let desk = Desk::new();
    let table = Table::new(4, Faults::new());
    let stick = stick(&table);
    let empty = desk.run(&["status", "--via", &stick]);
    assert_eq!(empty.code, 0, "{empty:?}");
    assert!(empty.stderr.contains("no ceremony lies there"), "{empty:?}");
    table.group.run(0);
    table.group.run(1);
    let before = every_file(&table.group.stick);
    let ended = desk.run(&["status", "--via", &stick]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let plan = format!(
        "conclave run {} --via {stick}",
        table
            .board(&table.group.stick)
            .path()
            .join("plan.json")
            .display()
    );
    says(
        &ended,
        &[
            "Test ceremony (",
            "any 3 of 4 operators can sign",
            "2  bob    deal yes  confirm no",
            "state: waiting since round 1, deal for carol (3), dave (4)",
            "next: pass the messages on to carol (3), dave (4); each of them gives",
            &plan,
        ],
    );
    assert!(!ended.stdout.contains("(you)"), "{ended:?}");
    let report = report(&desk, &["--via", &stick], 0);
    let row = &report["ceremonies"][0];
    assert_eq!(
        (&row["view"], &row["state"]),
        (&json!("witness"), &json!("open"))
    );
    assert_eq!(
        (&row["round"], &row["awaiting"]),
        (&json!(1), &json!([3, 4]))
    );
    assert_eq!(every_file(&table.group.stick), before);
}

#[test]
fn home_and_stick_together_say_what_is_where() {
    let desk = Desk::new();
    let table = Table::new(3, Faults::new());
    let stick = stick(&table);
    let (alice, carol) = (home(&table, 0), home(&table, 2));
    for operator in 0..3 {
        table.group.run(operator);
    }
    // Alice misses two deals and carol's confirm; carol's is still the operator's own view.
    let row = |home: &str, args: &[&str]| {
        let args = [&["--home", home], args].concat();
        report(&desk, &args, 0)["ceremonies"][0].clone()
    };
    let alone = row(&alice, &[]);
    assert_eq!(
        (&alone["state"], &alone["awaiting"]),
        (&json!("awaiting"), &json!([2, 3]))
    );
    assert_eq!(alone.get("checked"), None);
    let both = row(&alice, &["--via", &stick]);
    assert_eq!(
        (&both["state"], &both["only_there"], &both["only_here"]),
        (&json!("due"), &json!(3), &json!(0))
    );
    assert_eq!(both["next"][0]["what"], "check the deals and confirm");
    // The stick is lost and another one goes round.
    let other = table.stick("other").display().to_string();
    let lost = row(&carol, &["--via", &other]);
    assert_eq!(
        (&lost["state"], &lost["only_there"], &lost["only_here"]),
        (&json!("pending"), &json!(0), &json!(4))
    );
    assert_eq!(lost["next"][0]["what"], "bring both sides together");
    for operator in [0, 1, 2, 0] {
        table.group.run(operator);
    }
    let done = row(&alice, &["--via", &stick]);
    assert_eq!(done["state"], "files_due");
    let witness = report(&desk, &["--via", &stick], 0)["ceremonies"][0].clone();
    assert_eq!(
        (&witness["state"], &witness["accused"]),
        (&json!("complete"), &json!([]))
    );
    let command = witness["next"][0]["command"].as_str().unwrap();
    assert!(
        command.contains("conclave audit") && command.contains(" --report "),
        "{command}"
    );
}

#[test]
fn misbehaviour_is_shown_with_its_exit_code_and_blames_nobody_else() {
    let desk = Desk::new();
    for (misdeed, words) in [
        (Misdeed::TwoDeals, "deal TWICE"),
        (Misdeed::ConfirmAndAbandon, "confirm TWICE"),
        (
            Misdeed::BadShare(vec![2]),
            "is proved wrong: it dealt operator 3 a wrong share",
        ),
        (
            Misdeed::FalseComplaint(0),
            "is proved wrong: its complaint against operator 1 is false",
        ),
    ] {
        let table = Table::new(3, Faults::new().by(1, misdeed.clone()));
        table.play();
        let stick = stick(&table);
        let before = every_file(&table.group.stick);
        let ended = desk.run(&["status", "--via", &stick]);
        assert_eq!(ended.code, 4, "{misdeed:?}: {ended:?}");
        says(&ended, &[words, "bob (2) proved wrong", "conclave audit "]);
        let report = report(&desk, &["--via", &stick], 4);
        assert_eq!(
            report["ceremonies"][0]["accused"],
            json!([2]),
            "{misdeed:?}"
        );
        assert_eq!(every_file(&table.group.stick), before);
        // The home says that it stopped, without a passphrase and without judging anew.
        let ended = desk.run(&["--home", &home(&table, 0), "status"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let state = match misdeed {
            // Its confirm is valid, and whoever has all of them is complete.
            Misdeed::ConfirmAndAbandon | Misdeed::FalseComplaint(_) => "state: complete",
            _ => "state: stopped",
        };
        assert!(ended.stdout.contains(state), "{misdeed:?}: {ended:?}");
    }
}

#[test]
fn who_abandons_is_named_and_nobody_is_blamed() {
    let desk = Desk::new();
    let table = Table::new(3, Faults::new().by(1, Misdeed::Abandon));
    table.play();
    let ended = desk.run(&["status", "--via", &stick(&table)]);
    assert_eq!(ended.code, 0, "{ended:?}");
    says(
        &ended,
        &[
            "confirm abandoned",
            "abandoned by bob (2); nobody is blamed",
            "plan new",
        ],
    );
}

#[test]
fn what_else_lies_on_a_stick_is_told_and_hides_nothing() {
    let desk = Desk::new();
    let table = Table::new(3, Faults::new());
    table.group.run(0);
    let at = |name: &str| table.group.stick.join(name);
    let board = table.board(&table.group.stick);
    // Another ceremony, a torn plan, a plan that is a folder, junk, a cut message, a huge one.
    for name in ["other", "torn", "folder/plan.json"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    fs::write(
        at("other/plan.json"),
        plan_file(draft(&["erin", "frank", "grace"])),
    )
    .unwrap();
    fs::write(at("torn/plan.json"), &table.group.plan.bytes()[..200]).unwrap();
    fs::write(at("holiday.jpg"), b"not ours").unwrap();
    let deal = board.messages().unwrap().remove(0).name;
    let bytes = board.read(&deal).unwrap();
    fs::write(board.path().join("cut.json"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(board.path().join("copy.json"), &bytes).unwrap();
    let huge = fs::File::create(board.path().join("huge.json")).unwrap();
    huge.set_len((64 << 20) + 1).unwrap();
    drop(huge);
    let before = fs::read_dir(&table.group.stick).unwrap().count();

    let stick = stick(&table);
    let all = report(&desk, &["--via", &stick], 0);
    let rows = all["ceremonies"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let notes = all["notes"].to_string();
    for word in ["torn", "folder/plan.json"] {
        assert!(notes.contains(word), "{notes}");
    }
    let one = report(&desk, &["Test ceremony", "--via", &stick], 0);
    let row = &one["ceremonies"][0];
    assert_eq!(
        (&row["checked"], &row["operators"][0]["deal"]),
        (&json!(1), &json!("yes"))
    );
    let noise = row["noise"].to_string();
    for word in ["cut.json", "huge.json"] {
        assert!(noise.contains(word), "{noise}");
    }
    assert!(!noise.contains("belongs to another ceremony"), "{noise}");
    // Several: a list first, then each.
    let ended = desk.run(&["status", "--via", &stick]);
    let first = ended
        .stdout
        .lines()
        .take(2)
        .filter(|line| line.contains("): waiting"));
    assert_eq!(first.count(), 2, "{ended:?}");
    assert_eq!(fs::read_dir(&table.group.stick).unwrap().count(), before);

    // By its file, also when no plan on the stick can be read.
    fs::write(board.path().join("plan.json"), b"{").unwrap();
    desk.write("my plan.json", table.group.plan.bytes());
    let named = report(&desk, &["my plan.json", "--via", &stick], 0);
    let row = &named["ceremonies"][0];
    assert_eq!(row["checked"], 1);
    let command = row["next"][0]["command"].as_str().unwrap();
    assert!(
        command.starts_with("conclave run 'my plan.json' --via "),
        "{command}"
    );

    for (args, code) in [
        (vec!["status", "Nobody's", "--via", &stick], 1),
        (vec!["status", "--via", "nowhere"], 1),
        (vec!["status", "--via", "ftp://x"], 2),
        (vec!["--home", "nowhere", "status", "--via", &stick], 1),
        (vec!["--home", "nowhere", "status"], 1),
    ] {
        desk.refused(&args, code, &[]);
    }
}
