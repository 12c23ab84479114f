//! Plans that require backups: nobody confirms before it has checked a backup of its shares.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use age::secrecy::ExposeSecret as _;
use conclave::ceremony::plan::Backups;
use conclave::driver::Standing;
use conclave::hash::Digest;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::share_backup::{InHome, ShareBackup, ShareBackupError};
use conclave::store::vault::{Vault, glance};
use conclave::wire::envelope::Kind;
use serde_json::Value;

use crate::cli_home::{Pair, private};
use crate::harness::binary::Ended;
use crate::harness::disk::{Death, at_every_death, copy_tree, every_file};
use crate::harness::homes::Group;

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Four operators who all dealt, under a plan that requires backups.
fn dealt(directory: &Path) -> Group {
    let group = Group::drafted(directory, 4, |draft| {
        draft.backups = Some(Backups::Required);
    });
    for operator in 0..4 {
        group.run(operator);
    }
    group
}

/// Makes a backup, opens it, compares it, and marks that it was checked.
fn back_up(group: &Group, disk: Arc<dyn Disk>, operator: usize) -> Result<(), ShareBackupError> {
    let home = group.members[operator].open(disk)?;
    let (backup, _) = ShareBackup::collect(&home, group.plan.cid(), 1_790_000_000)?;
    let tar = backup.to_tar()?;
    let found = tar.expose(|tar| ShareBackup::from_tar(tar))?;
    assert_eq!(found.compare(&home)?, InHome::Same);
    assert!(!found.is_confirmed());
    let file = Digest::from_bytes([5; 32]);
    Vault::new(&home).mark_backed_up(group.plan.cid(), &found.about().transcript, &file)?;
    Ok(())
}

/// The confirms on the stick.
fn confirms(group: &Group) -> Vec<(String, Vec<u8>)> {
    let found = group.on_stick().into_iter();
    found
        .filter(|(name, _)| name.starts_with("2-confirm"))
        .collect()
}

#[test]
fn each_operator_waits_for_its_own_backup_and_then_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let group = dealt(directory.path());
    for operator in [0, 1, 0] {
        let ran = group.run(operator);
        assert!(
            matches!(ran.standing, Standing::AwaitingBackup),
            "{:?}",
            ran.standing
        );
        assert!(ran.sent.is_empty(), "{:?}", ran.sent);
        assert_eq!(ran.undelivered.len(), 0);
    }
    assert!(confirms(&group).is_empty());
    let home = group.members[0].open(real()).unwrap();
    let vault = Vault::new(&home);
    let cid = group.plan.cid();
    assert!(vault.shares(cid).unwrap().is_some());

    // The mark of other shares, which came from other deals, is none of these.
    let (strange, file) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    assert!(vault.mark_backed_up(cid, &strange, &file).unwrap());
    drop(home);
    let waits = |operator| matches!(group.run(operator).standing, Standing::AwaitingBackup);
    assert!(waits(0));
    // Nor is somebody else's check.
    back_up(&group, real(), 1).unwrap();
    assert!(waits(0));
    assert!(confirms(&group).is_empty());

    let ran = group.run(1);
    assert_eq!(ran.sent, [Kind::Confirm]);
    back_up(&group, real(), 0).unwrap();
    // Once is enough; the first mark stays.
    back_up(&group, real(), 0).unwrap();
    assert_eq!(group.run(0).sent, [Kind::Confirm]);
    for operator in [2, 3] {
        assert!(waits(operator));
        back_up(&group, real(), operator).unwrap();
    }
    for operator in [2, 3, 0, 1, 2] {
        group.run(operator);
    }
    for operator in 0..4 {
        let standing = group.run(operator).standing;
        assert!(matches!(standing, Standing::Complete { .. }));
    }
    assert_eq!(confirms(&group).len(), 4);
}

#[test]
fn a_check_that_is_killed_anywhere_is_made_again_and_counts_once() {
    let directory = tempfile::tempdir().unwrap();
    let group = dealt(directory.path());
    group.run(0);
    let before = tempfile::tempdir().unwrap();
    let (home, stick) = (&group.members[0].root, &group.stick);
    copy_tree(home, &before.path().join("home"));
    copy_tree(stick, &before.path().join("stick"));
    let back = || {
        for (kept, place) in [("home", home), ("stick", stick)] {
            std::fs::remove_dir_all(place).unwrap();
            copy_tree(&before.path().join(kept), place);
        }
    };
    let confirm = {
        back_up(&group, real(), 0).unwrap();
        group.run(0);
        confirms(&group)
    };
    assert_eq!(confirm.len(), 1);
    // Killed while the check is made: it counts, or it does not; never does half of it.
    let deaths = at_every_death(&Death::SOUND, |disk| {
        back();
        let done = back_up(&group, disk.clone(), 0).is_ok();
        assert_eq!(done, !disk.died());
        let marked = glance(&real(), home).unwrap()[0].backed_up;
        let standing = group.run(0).standing;
        assert_eq!(marked, !matches!(standing, Standing::AwaitingBackup));
        assert_eq!(confirms(&group).is_empty(), !marked);
        if !marked {
            back_up(&group, real(), 0).unwrap();
        }
        group.run(0);
        assert_eq!(confirms(&group), confirm);
    });
    assert!(deaths > 5, "{deaths}");
    // Killed while it confirms after the check.
    let deaths = at_every_death(&Death::SOUND, |disk| {
        back();
        back_up(&group, real(), 0).unwrap();
        let dying: Arc<dyn Disk> = disk.clone();
        let _ = group.run_on(&dying, 0);
        for found in confirms(&group) {
            assert_eq!(found, confirm[0]);
        }
        group.run(0);
        assert_eq!(confirms(&group), confirm);
    });
    assert!(deaths > 8, "{deaths}");
}

/// Two operators at one desk, under a plan that requires backups, who both dealt.
fn pair() -> Pair {
    let mut pair = Pair::new();
    std::fs::remove_file(pair.desk.path("pool.json")).unwrap();
    pair.code = pair.plan_with("Pool", "pool.json", &["--backups", "required"]);
    let spare = age::x25519::Identity::generate();
    private(&pair.desk, "spare.key", spare.to_string().expose_secret());
    pair.desk.write("recipient", spare.to_public().to_string());
    pair.run("alice", &[]);
    pair
}

/// `share backup` of an operator to the spare key.
fn backup(pair: &Pair, name: &str, file: &str) -> Ended {
    let recipient = String::from_utf8(pair.desk.read("recipient")).unwrap();
    let args = [
        "share",
        "backup",
        "Pool",
        "--recipient",
        &recipient,
        "-o",
        file,
    ];
    pair.ok(name, &args)
}

const CHECK: [&str; 4] = ["share", "check-backup", "--backup-unlock", "spare.key"];

#[track_caller]
fn field(text: &str, pointer: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    value.pointer(pointer).cloned().unwrap_or_default()
}

/// Where the ceremony stands in a home: for `status`, for `share list`, and the first next command.
fn stands(pair: &Pair, name: &str) -> (Value, Value, Value) {
    let status = pair.desk.ok(&["--home", name, "status", "--json"]);
    let list = pair.desk.ok(&["--home", name, "share", "list", "--json"]);
    (
        field(&status, "/ceremonies/0/state"),
        field(&list, "/shares/0/state"),
        field(&status, "/ceremonies/0/next/0/command"),
    )
}

#[test]
fn run_says_what_it_waits_for_and_goes_on_after_the_check() {
    let pair = pair();
    let desk = &pair.desk;
    let page = desk.ok(&["plan", "show", "pool.json"]);
    assert!(page.contains("backups      required: nobody confirms before it has checked a backup"));
    // Bob has all deals: his shares are stored, and his confirm waits.
    for _ in 0..2 {
        let waits = pair.run("bob", &[]);
        assert_eq!(waits.code, 3, "{waits:?}");
        for word in [
            "waiting for your checked backup of the shares",
            "conclave share backup",
            "conclave share check-backup FILE",
            "then give the same command again: conclave run pool.json --via stick",
        ] {
            assert!(waits.stderr.contains(word), "{word}: {waits:?}");
        }
    }
    let told = pair.run("bob", &["--json"]);
    let lines: Vec<Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let waiting: Vec<&Value> = lines
        .iter()
        .filter(|line| line["event"] == "waiting")
        .collect();
    assert_eq!(waiting.len(), 1, "{told:?}");
    assert_eq!(waiting[0]["awaiting_backup"], true);
    let (status, list, next) = stands(&pair, "bob");
    assert_eq!(
        (status, list),
        ("backup_due".into(), "awaits_backup".into())
    );
    assert!(
        next.as_str()
            .unwrap()
            .starts_with("conclave --home bob share backup ")
    );

    // A check elsewhere, and one with another operator's home, is none of Bob's.
    let made = backup(&pair, "bob", "bob.age");
    assert!(made.stderr.contains("are not confirmed yet"), "{made:?}");
    desk.ok(&[&CHECK[..], &["bob.age"]].concat());
    pair.ok("alice", &[&CHECK[..], &["bob.age"]].concat());
    assert_eq!(pair.run("bob", &[]).code, 3);
    assert_eq!(stands(&pair, "bob").0, "backup_due");
    let checked = pair.ok("bob", &[&CHECK[..], &["bob.age"]].concat());
    assert!(
        checked
            .stderr
            .contains("the confirm that waits for this check"),
        "{checked:?}"
    );
    let (status, list, _) = stands(&pair, "bob");
    assert_eq!((status, list), ("due".into(), "unconfirmed".into()));
    let went = pair.run("bob", &[]);
    assert!(went.stderr.contains("made and stored: confirm"), "{went:?}");

    // Alice likewise, and it is complete.
    assert_eq!(pair.run("alice", &[]).code, 3);
    backup(&pair, "alice", "alice.age");
    pair.ok("alice", &[&CHECK[..], &["alice.age"]].concat());
    for name in ["alice", "bob"] {
        assert_eq!(pair.run(name, &[]).code, 0);
    }

    // The early backup comes back with the record, and without it not at all.
    let vault = every_file(&desk.path("bob/vault"));
    std::fs::remove_file(&vault[0].0).unwrap();
    let restore = [
        "share",
        "restore",
        "bob.age",
        "--backup-unlock",
        "spare.key",
    ];
    let refused = pair.by("bob", &restore);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("--record DIR"), "{refused:?}");
    let rehearsed = [
        "rehearse",
        "pool.json",
        "--out",
        "played",
        "--keystores",
        "none",
    ];
    let rehearsed = desk.run(&rehearsed);
    assert_eq!(rehearsed.code, 0, "{rehearsed:?}");
    for name in ["alice", "bob"] {
        let told = format!("{name} backs its shares up and checks the backup");
        assert!(rehearsed.stderr.contains(&told), "{rehearsed:?}");
    }
    let with = |record| pair.by("bob", &[&restore[..], &["--record", record]].concat());
    let strange = with("played/record");
    assert!(
        strange.stderr.contains("the record is another ceremony's"),
        "{strange:?}"
    );
    assert_eq!(every_file(&desk.path("bob/vault")), []);
    let restored = with("files-alice");
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(stands(&pair, "bob").1, "complete");
    pair.ok("bob", &["share", "show", "Pool"]);
}

#[test]
fn a_run_that_stays_goes_on_by_itself_once_the_backup_was_checked() {
    let pair = pair();
    let args = "--home bob --unlock bob.key run pool.json --via stick --watch --json --accept-plan";
    let mut args: Vec<&str> = args.split(' ').collect();
    args.push(&pair.code);
    let mut command = pair.desk.command(&args);
    let said = pair.desk.path("said");
    command.stdout(std::fs::File::create(&said).unwrap());
    let mut staying = command.stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let wait_for = |word: &str| {
        while !std::fs::read_to_string(&said).unwrap().contains(word) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{word}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("\"awaiting_backup\":true");
    backup(&pair, "bob", "bob.age");
    pair.ok("bob", &[&CHECK[..], &["bob.age"]].concat());
    wait_for("\"kind\":\"confirm\"");
    wait_for("\"awaiting_confirms\":[1]");
    staying.kill().unwrap();
    staying.wait().unwrap();
}
