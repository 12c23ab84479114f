//! The vault with the real binary: list, show, prove, back up, restore.

use std::fs;

use age::secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::cli_home::{Pair, private};
use crate::harness::disk::every_file;
use crate::harness::schema;

#[track_caller]
fn list(pair: &Pair, home: &str) -> Vec<Value> {
    let report = pair.desk.ok(&["--home", home, "share", "list", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    report["shares"].as_array().unwrap().clone()
}

#[track_caller]
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn shares_are_listed_without_a_secret_from_the_first_one_on() {
    let pair = Pair::new();
    assert!(list(&pair, "alice").is_empty());
    pair.run("alice", &[]);
    // Alice has dealt: nothing is in the vault yet.
    assert!(list(&pair, "alice").is_empty());
    pair.run("bob", &[]);
    let shares = list(&pair, "bob");
    assert_eq!(shares.len(), 1);
    assert_eq!(shares[0]["state"], "pending");
    assert_eq!(shares[0]["cluster"]["index"], 2);
    assert!(shares[0].get("proved").is_none());
    // What is pending proves nothing yet.
    let early = pair.by("bob", &["share", "prove", "Pool", "-o", "early.proof.json"]);
    assert_eq!(early.code, 3, "{early:?}");
    assert!(
        early.stderr.contains("is not complete in this home"),
        "{early:?}"
    );
    assert!(!pair.desk.path("early.proof.json").exists());

    for name in ["alice", "bob", "alice"] {
        pair.run(name, &[]);
    }
    for name in ["alice", "bob"] {
        assert_eq!(list(&pair, name)[0]["state"], "complete");
    }
    let text = pair.desk.ok(&["--home", "alice", "share", "list"]);
    assert!(
        text.contains("hoodi  Pool: index 1, 2 of 2, epoch 0, 1 validator; complete; never proved, no checked backup"),
        "{text}"
    );
    let shown = json(
        &pair
            .ok("alice", &["share", "show", "Pool", "--json"])
            .stdout,
    );
    let cluster = json(&String::from_utf8(pair.desk.read("files-alice/cluster.json")).unwrap());
    let validator = &cluster["validators"][0];
    assert_eq!(
        shown["validators"][0]["public_key"],
        validator["public_key"]
    );
    assert_eq!(
        shown["validators"][0]["public_share"],
        validator["public_shares"][0]
    );
    let text = pair.ok("alice", &["share", "show", "Pool"]).stdout;
    assert!(
        text.contains(validator["public_shares"][0].as_str().unwrap()),
        "{text}"
    );
    assert!(text.contains("1  alice  (you)"), "{text}");

    // A vault that lost its file says so, and what needs it says where to go.
    let vault = every_file(&pair.desk.path("alice/vault"));
    fs::remove_file(&vault[0].0).unwrap();
    assert_eq!(list(&pair, "alice")[0]["state"], "missing");
    let text = pair.desk.ok(&["--home", "alice", "share", "list"]);
    assert!(text.contains("MISSING"), "{text}");
    let lost = pair.by("alice", &["share", "show", "Pool"]);
    assert!(lost.stderr.contains("code: shares-missing"), "{lost:?}");
}

#[test]
fn shares_under_another_ceremonys_name_are_noticed() {
    let pair = Pair::new();
    let code = pair.plan("Other", "other.json");
    let other = [
        "run",
        "other.json",
        "--via",
        "stick",
        "--accept-plan",
        &code,
    ];
    assert_eq!(pair.by("alice", &other).code, 3);
    for name in ["alice", "bob", "alice"] {
        pair.run(name, &[]);
    }
    assert_eq!(list(&pair, "alice").len(), 1);
    // The home key opens it there as well.
    let vault = every_file(&pair.desk.path("alice/vault"));
    let ceremonies = fs::read_dir(pair.desk.path("alice/ceremonies")).unwrap();
    let names = ceremonies.map(|entry| entry.unwrap().file_name());
    let pool = vault[0].0.parent().unwrap().file_name().unwrap().to_owned();
    let strange = names.into_iter().find(|name| *name != pool).unwrap();
    let place = pair.desk.path("alice/vault").join(strange);
    fs::create_dir(&place).unwrap();
    fs::write(place.join("shares.age"), &vault[0].1).unwrap();
    pair.desk.write("p", "the passphrase of the backup");
    for args in [
        &["share", "show", "Other"][..],
        &["share", "prove", "Other", "-o", "other.proof.json"],
        &[
            "share",
            "backup",
            "Other",
            "--backup-passphrase-file",
            "p",
            "-o",
            "other.age",
        ],
    ] {
        let found = pair.by("alice", args);
        assert_eq!(found.code, 1, "{args:?}: {found:?}");
    }
    let shown = pair.by("alice", &["share", "show", "Other"]);
    assert!(shown.stderr.contains("code: home-damaged"), "{shown:?}");
    pair.ok("alice", &["share", "show", "Pool"]);
}

#[test]
fn a_drill_is_proved_and_checked_by_anybody() {
    let pair = Pair::complete();
    let desk = &pair.desk;
    for name in ["alice", "bob"] {
        let file = format!("{name}.proof.json");
        let prove = [
            "share",
            "prove",
            "Pool",
            "--challenge",
            "drill 7",
            "-o",
            &file,
        ];
        let made = pair.ok(name, &prove);
        assert_eq!(made.stdout, format!("{file}\n"));
        schema::assert_valid_json("share-proof", desk.read(&file));
        let again = pair.by(name, &prove);
        assert!(again.stderr.contains("code: file-exists"), "{again:?}");
    }
    let notes = every_file(&desk.path("alice/ceremonies"))
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains("upkeep"));
    let notes: Vec<_> = notes.collect();
    assert_eq!(notes.len(), 1);
    schema::assert_valid_json("upkeep", &notes[0].1);
    assert_eq!(list(&pair, "alice")[0]["proved"]["challenge"], "drill 7");

    // By the cluster file, the record, and a ceremony of one's own; by somebody without a home.
    let check = |more: &[&str], cluster: &str| {
        let base = ["share", "check-proof", "--cluster", cluster, "--json"];
        desk.run(&[&base[..], more].concat())
    };
    let both = ["alice.proof.json", "bob.proof.json"];
    for (cluster, audited) in [
        ("files-bob/cluster.json", false),
        ("files-bob/record", true),
    ] {
        let ended = check(&both, cluster);
        assert_eq!(ended.code, 0, "{ended:?}");
        let report = json(&ended.stdout);
        assert_eq!(report["audited"], audited);
        assert_eq!(report["unproved"], serde_json::json!([]));
        assert_eq!(report["proofs"][1]["claim"]["name"], "bob");
    }
    let ended = check(&[&both[..], &["--home", "bob"]].concat(), "Pool");
    assert_eq!(ended.code, 0, "{ended:?}");
    let text = desk.ok(&[
        "share",
        "check-proof",
        "alice.proof.json",
        "--cluster",
        "files-bob/cluster.json",
        "--challenge",
        "drill 7",
    ]);
    assert!(
        text.starts_with("alice.proof.json: holds: operator 1 (alice), 1 validator"),
        "{text}"
    );

    // One that answers something else, one that was changed, one of another cluster, no proof.
    let other = check(
        &["alice.proof.json", "--challenge", "drill 8"],
        "files-bob/cluster.json",
    );
    assert_eq!(other.code, 1, "{other:?}");
    let report = json(&other.stdout);
    assert_eq!(report["ok"], false);
    assert_eq!(report["unproved"], serde_json::json!([1, 2]));
    let proof = String::from_utf8(desk.read("alice.proof.json")).unwrap();
    desk.write("changed.proof.json", proof.replace("drill 7", "drill 8"));
    let changed = check(
        &["changed.proof.json", "bob.proof.json"],
        "files-bob/cluster.json",
    );
    assert_eq!(changed.code, 1, "{changed:?}");
    assert!(
        changed.stderr.contains("1 of 2 proofs failed"),
        "{changed:?}"
    );
    assert_eq!(json(&changed.stdout)["unproved"], serde_json::json!([1]));
    let played = [
        "rehearse",
        "pool.json",
        "--out",
        "played",
        "--keystores",
        "none",
    ];
    desk.ok(&played);
    let strange = check(&["alice.proof.json"], "played/1-alice/cluster.json");
    assert_eq!(strange.code, 1, "{strange:?}");
    let problem = json(&strange.stdout)["proofs"][0]["problem"].clone();
    assert!(
        problem.as_str().unwrap().contains("another cluster"),
        "{problem}"
    );
    let none = check(&["pool.json"], "files-bob/cluster.json");
    assert_eq!(none.code, 1, "{none:?}");
    // A home that keeps notes is backed up with them, and comes back with them.
    let spare = age::x25519::Identity::generate();
    private(desk, "spare.key", spare.to_string().expose_secret());
    let public = spare.to_public().to_string();
    pair.ok(
        "alice",
        &["home", "backup", "--recipient", &public, "-o", "h.age"],
    );
    let restored = pair.with("new", "spare.key", &["home", "restore", "h.age"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert_eq!(list(&pair, "new")[0]["proved"]["challenge"], "drill 7");
}

#[test]
fn shares_are_backed_up_checked_and_restored() {
    let pair = Pair::complete();
    let desk = &pair.desk;
    let spare = age::x25519::Identity::generate();
    private(desk, "spare.key", spare.to_string().expose_secret());
    let public = spare.to_public().to_string();
    desk.write("p", "the passphrase of the backup");
    let both = [
        "share",
        "backup",
        "Pool",
        "--recipient",
        &public,
        "--backup-passphrase-file",
        "p",
        "-o",
        "pool.age",
    ];
    let made = pair.ok("alice", &both);
    assert_eq!(made.stdout, "pool.age\npool-passphrase.age\n");
    assert!(
        made.stderr.contains("with 4 messages of the ceremony"),
        "{made:?}"
    );
    let again = pair.by("alice", &both);
    assert!(again.stderr.contains("code: file-exists"), "{again:?}");
    for file in ["pool.age", "pool-passphrase.age"] {
        let bytes = desk.read(file);
        for clear in [&b"plan.json"[..], b"alice", b"conclave-shares"] {
            assert!(!bytes.windows(clear.len()).any(|window| window == clear));
        }
    }
    // A backup that nobody opened is none.
    assert!(list(&pair, "alice")[0].get("backup_checked").is_none());

    // Where there is no home, at another operator's, and at home.
    let check = ["share", "check-backup", "pool-passphrase.age", "--json"];
    let passphrase = ["--backup-passphrase-file", "p"];
    let elsewhere = desk.run(&[&check[..], &passphrase].concat());
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");
    assert_eq!(json(&elsewhere.stdout)["home"], "none");
    let named = desk.run(&[&["--home", "nowhere"], &check[..], &passphrase].concat());
    assert!(named.stderr.contains("code: home-missing"), "{named:?}");
    let at = |home: &str, more: &[&str]| {
        let ended = pair.with(home, &format!("{home}.key"), &[&check[..], more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        json(&ended.stdout)["home"].clone()
    };
    let before = every_file(&desk.path("bob"));
    assert_eq!(at("bob", &passphrase), "other");
    assert_eq!(every_file(&desk.path("bob")), before);
    assert_eq!(at("alice", &passphrase), "same");
    let noted = list(&pair, "alice")[0]["backup_checked"].clone();
    assert!(noted["at"].as_u64().unwrap() > 1_700_000_000, "{noted}");
    let by_key = ["share", "check-backup", "pool.age"];
    let asked = desk.run(&[&["--home", "alice"], &by_key[..]].concat());
    assert!(asked.stderr.contains("--backup-unlock FILE"), "{asked:?}");
    pair.ok(
        "alice",
        &[&by_key[..], &["--backup-unlock", "spare.key"]].concat(),
    );
    let wrong = pair.by("alice", &by_key);
    assert!(wrong.stderr.contains("code: wrong-identity"), "{wrong:?}");

    // Damaged, of another kind, not an age file.
    let mut damaged = desk.read("pool.age");
    *damaged.last_mut().unwrap() ^= 1;
    desk.write("damaged.age", damaged);
    pair.ok(
        "alice",
        &["home", "backup", "--recipient", &public, "-o", "home.age"],
    );
    for file in ["damaged.age", "home.age", "pool.json"] {
        for command in ["check-backup", "restore"] {
            let args = ["share", command, file, "--backup-unlock", "spare.key"];
            let refused = pair.by("alice", &args);
            assert!(
                refused.stderr.contains("code: backup-invalid"),
                "{file}: {refused:?}"
            );
        }
    }

    // The vault's file is lost, and comes back; another operator's home takes none.
    let restore = [
        "share",
        "restore",
        "pool.age",
        "--backup-unlock",
        "spare.key",
    ];
    let refused = pair.by("bob", &restore);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("code: backup-refused"),
        "{refused:?}"
    );
    let vault = every_file(&desk.path("alice/vault"));
    fs::remove_file(&vault[0].0).unwrap();
    let shown = pair.by("alice", &["share", "show", "Pool"]);
    assert!(shown.stderr.contains("code: shares-missing"), "{shown:?}");
    let done = pair.ok("alice", &restore);
    assert!(
        done.stderr.contains("restored: the shares of operator 1"),
        "{done:?}"
    );
    assert!(
        pair.ok("alice", &restore)
            .stderr
            .contains("nothing was missing")
    );
    pair.ok("alice", &["share", "show", "Pool"]);
    assert_eq!(list(&pair, "alice")[0]["state"], "complete");

    // And the keystores are written again from it.
    let again = ["run", "pool.json", "--via", "stick", "--out", "again"];
    pair.ok("alice", &again);
    assert!(desk.path("again/cluster.json").exists());
}
