//! Shares that were made elsewhere, with the real binary: taken in, cared for like others, and signed
//! with.

use std::fs;

use age::secrecy::ExposeSecret as _;
use conclave::ambient::OsRandomness;
use conclave::crypto::bls;
use conclave::crypto::polynomial::Polynomial;
use conclave::crypto::scalar::Scalar;
use conclave::crypto::xof::Xof;
use conclave::ethereum::keystore::{KdfChoice, Keystore};
use conclave::json::encode_hex;
use conclave::secret::Passphrase;
use serde_json::{Value, json};

use crate::cli_home::{Pair, private};
use crate::harness::binary::{Desk, Ended};
use crate::harness::disk::every_file;
use crate::harness::schema;

#[track_caller]
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn key_of(secret: &Scalar) -> String {
    format!(
        "0x{}",
        encode_hex(&bls::public_key(secret).unwrap().to_bytes())
    )
}

/// A cluster of another tool: its polynomials, and as many operators as there are.
struct Elsewhere {
    keys: Vec<Polynomial>,
    operators: u64,
}

impl Elsewhere {
    fn new(seed: u8, validators: usize, threshold: usize, operators: u64) -> Self {
        let mut stream = Xof::new(&[seed; 32]);
        let keys = (0..validators).map(|_| Polynomial::draw(&mut stream, threshold));
        Self {
            keys: keys.collect(),
            operators,
        }
    }

    /// The lock as its tool writes it, as far as it counts, and more.
    fn lock(&self) -> Value {
        let validators = self.keys.iter().map(|f| {
            let shares: Vec<String> = (1..=self.operators)
                .map(|x| key_of(&f.evaluate(x)))
                .collect();
            json!({
                "distributed_public_key": key_of(&f.evaluate(0)),
                "public_shares": shares,
                "partial_deposit_data": null,
            })
        });
        let operators = (0..self.operators).map(|_| json!({ "enr": "", "address": "" }));
        json!({
            "cluster_definition": {
                "name": "Pool West",
                "version": "v1.10.0",
                "uuid": "anything",
                "operators": operators.collect::<Vec<_>>(),
                "num_validators": self.keys.len(),
                "threshold": self.keys[0].coefficients().len(),
                "fork_version": "0x10000910",
                "deposit_amounts": null,
            },
            "distributed_validators": validators.collect::<Vec<_>>(),
            "lock_hash": "0x00",
        })
    }

    /// Writes the keystore of one share, with its passphrase beside it.
    fn keystore(&self, desk: &Desk, file: &str, validator: usize, operator: u64) {
        let secret = self.keys[validator].evaluate(operator);
        let passphrase = Passphrase::new("0123456789abcdef".to_owned()).unwrap();
        let (keystore, _) = Keystore::encrypt(
            &secret.to_bytes(),
            &bls::public_key(&secret).unwrap().to_bytes(),
            &passphrase,
            KdfChoice::Pbkdf2,
            "m/12381/3600/0/0/0",
            "",
            &mut OsRandomness,
        )
        .unwrap();
        if let Some(folder) = desk.path(file).parent() {
            fs::create_dir_all(folder).unwrap();
        }
        desk.write(&format!("{file}.json"), keystore.to_bytes().unwrap());
        desk.write(&format!("{file}.txt"), "0123456789abcdef");
    }

    /// Writes all keystores of an operator.
    fn folder(&self, desk: &Desk, folder: &str, operator: u64) {
        for validator in 0..self.keys.len() {
            let file = format!("{folder}/keystore-{validator}");
            self.keystore(desk, &file, validator, operator);
        }
    }
}

fn import(cluster: &str, keystores: &str) -> Vec<String> {
    let words = [
        "share",
        "import",
        "--cluster",
        cluster,
        "--keystores",
        keystores,
    ];
    words.map(str::to_owned).to_vec()
}

fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[track_caller]
fn listed(desk: &Desk, home: &str) -> Vec<Value> {
    let report = parsed(&desk.ok(&["--home", home, "share", "list", "--json"]));
    report["shares"].as_array().unwrap().clone()
}

#[test]
fn a_cluster_of_another_tool_is_taken_in_and_cared_for_like_others() {
    let pair = Pair::new();
    let desk = &pair.desk;
    let pool = Elsewhere::new(21, 2, 3, 4);
    desk.write("cluster-lock.json", pool.lock().to_string());
    pool.folder(desk, "keys", 2);
    let words = import("cluster-lock.json", "keys");
    let done = pair.ok("alice", &[&strs(&words)[..], &["--json"]].concat());
    let report = parsed(&done.stdout);
    for (field, value) in [
        ("name", json!("Pool West")),
        ("network", json!("hoodi")),
        ("source", json!("obol_lock")),
        ("index", json!(2)),
        ("operators", json!(4)),
        ("threshold", json!(3)),
        ("validators", json!(2)),
        ("already", json!(false)),
    ] {
        assert_eq!(report[field], value, "{field}");
    }
    for words in ["who else has these shares", "were not verified"] {
        assert!(done.stderr.contains(words), "{words}: {done:?}");
    }
    let cid = report["cid"].as_str().unwrap().to_owned();
    let file = format!("alice/imported/{cid}/cluster.json");
    schema::assert_valid_json("imported-cluster", desk.read(&file));
    // Again, by the description itself: nothing changes.
    let before = every_file(&desk.path("alice/imported"));
    let again = import(&file, "keys");
    let again = pair.ok("alice", &strs(&again));
    assert!(again.stderr.contains("nothing was missing"), "{again:?}");
    assert_eq!(again.stdout.trim(), cid);
    assert_eq!(every_file(&desk.path("alice/imported")), before);
    // Every operator has the same name for it.
    pool.folder(desk, "keys-bob", 3);
    let bobs = pair.ok("bob", &strs(&import("cluster-lock.json", "keys-bob")));
    assert_eq!(bobs.stdout.trim(), cid);

    // It is no ceremony, and nothing of it can be run.
    let rows = listed(desk, "alice");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["state"], "imported");
    assert_eq!(rows[0]["cluster"]["index"], 2);
    let text = desk.ok(&["--home", "alice", "share", "list"]);
    let line = "hoodi  Pool West: index 2, 3 of 4, epoch 0, 2 validators; imported: made elsewhere; never proved";
    assert!(text.contains(line), "{text}");
    let ceremonies = desk.ok(&["--home", "alice", "ceremony", "list", "--json"]);
    assert_eq!(parsed(&ceremonies)["ceremonies"], json!([]));
    let run = pair.by("alice", &["run", &file, "--via", "stick"]);
    assert!(run.stderr.contains("code: plan-invalid"), "{run:?}");
    let status = pair.by("alice", &["status", "Pool West"]);
    assert!(
        status.stderr.contains("code: ceremony-unknown"),
        "{status:?}"
    );

    let shown = parsed(
        &pair
            .ok("alice", &["share", "show", "Pool West", "--json"])
            .stdout,
    );
    assert_eq!(
        (&shown["state"], &shown["operators"][3]),
        (&json!("imported"), &json!({ "index": 4 }))
    );
    let share = pool.lock()["distributed_validators"][1]["public_shares"][1].clone();
    let share = share.as_str().unwrap().trim_start_matches("0x").to_owned();
    assert_eq!(shown["validators"][1]["public_share"], json!(share));
    let text = pair.ok("alice", &["share", "show", &cid[..8]]).stdout;
    assert!(text.contains("2  (no name)  (you)"), "{text}");

    cares(&pair, &cid);
}

/// Proofs, backups and paper of an imported cluster.
fn cares(pair: &Pair, cid: &str) {
    let desk = &pair.desk;
    for name in ["alice", "bob"] {
        let file = format!("{name}.proof.json");
        let prove = [
            "share",
            "prove",
            "Pool West",
            "--challenge",
            "drill",
            "-o",
            &file,
        ];
        pair.ok(name, &prove);
    }
    // By the lock, for who has no home; and by the home.
    let check = |more: &[&str]| {
        let base = [
            "share",
            "check-proof",
            "alice.proof.json",
            "bob.proof.json",
            "--json",
        ];
        desk.run(&[&base[..], more].concat())
    };
    let by_lock = check(&["--cluster", "cluster-lock.json", "--challenge", "drill"]);
    assert_eq!(by_lock.code, 0, "{by_lock:?}");
    let report = parsed(&by_lock.stdout);
    assert_eq!(report["unproved"], json!([1, 4]));
    let identity = parsed(&desk.ok(&["--home", "alice", "identity", "show", "--json"]));
    assert_eq!(
        report["proofs"][0]["claim"]["identity"],
        identity["identity"]
    );
    assert_eq!(report["audited"], false);
    let at_home = check(&["--home", "bob", "--cluster", &cid[..8]]);
    assert_eq!(at_home.code, 0, "{at_home:?}");
    let text = desk.ok(&[
        "share",
        "check-proof",
        "alice.proof.json",
        "--cluster",
        "cluster-lock.json",
    ]);
    assert!(text.contains("holds: operator 2 (conclave1"), "{text}");
    let other = Elsewhere::new(22, 2, 3, 4).lock();
    desk.write("other-lock.json", other.to_string());
    let strange = check(&["--cluster", "other-lock.json"]);
    assert_eq!(strange.code, 1, "{strange:?}");
    assert_eq!(listed(desk, "alice")[0]["proved"]["challenge"], "drill");

    // A backup of the shares, and one of the home that holds all of it.
    let spare = age::x25519::Identity::generate();
    private(desk, "spare.key", spare.to_string().expose_secret());
    let public = spare.to_public().to_string();
    pair.ok(
        "alice",
        &[
            "share",
            "backup",
            cid,
            "--recipient",
            &public,
            "-o",
            "west.age",
        ],
    );
    let checked = pair.ok(
        "alice",
        &[
            "share",
            "check-backup",
            "west.age",
            "--backup-unlock",
            "spare.key",
            "--json",
        ],
    );
    let checked = parsed(&checked.stdout);
    assert_eq!(
        (&checked["imported"], &checked["home"], &checked["messages"]),
        (&json!(true), &json!("same"), &json!(0))
    );
    pair.ok(
        "alice",
        &["home", "backup", "--recipient", &public, "-o", "home.age"],
    );
    let restored = pair.with("new", "spare.key", &["home", "restore", "home.age"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let row = &listed(desk, "new")[0];
    assert_eq!(
        (&row["state"], &row["proved"]["challenge"]),
        (&json!("imported"), &json!("drill"))
    );
    assert!(row["backup_checked"]["at"].is_u64(), "{row}");

    // What the vault lost comes back from the backup, and from paper.
    let lose = || {
        let vault = every_file(&desk.path("alice/vault"));
        fs::remove_file(&vault[0].0).unwrap();
        assert_eq!(listed(desk, "alice")[0]["state"], "missing");
    };
    pair.ok(
        "alice",
        &[
            "share",
            "paper",
            "Pool West",
            "--out",
            "pages",
            "--danger-in-clear",
        ],
    );
    lose();
    let lost = pair.by("alice", &["share", "show", "Pool West"]);
    assert!(lost.stderr.contains("code: shares-missing"), "{lost:?}");
    let restore = [
        "share",
        "restore",
        "west.age",
        "--backup-unlock",
        "spare.key",
    ];
    pair.ok("alice", &restore);
    assert_eq!(listed(desk, "alice")[0]["state"], "imported");
    let refused = pair.by("bob", &restore);
    assert!(
        refused.stderr.contains("code: backup-refused"),
        "{refused:?}"
    );
    lose();
    let mut lines = String::new();
    for (path, page) in every_file(&desk.path("pages")) {
        let page = String::from_utf8(page).unwrap();
        let rows = page
            .split("<code>")
            .skip(1)
            .filter_map(|part| part.split("</code>").next());
        let groups: Vec<&str> = rows.filter(|group| group.len() <= 4).collect();
        assert!(groups.concat().starts_with("shr1"), "{}", path.display());
        lines.push_str(&(groups.concat() + "\n"));
    }
    desk.write("lines.txt", &lines);
    desk.ok(&[
        "share",
        "check-paper",
        "lines.txt",
        "--cluster",
        "cluster-lock.json",
    ]);
    let back = pair.ok(
        "alice",
        &["share", "restore-paper", "cluster-lock.json", "lines.txt"],
    );
    assert!(
        back.stderr.contains("restored: the shares of operator 2"),
        "{back:?}"
    );
    let row = listed(desk, "alice")[0].clone();
    assert_eq!(row["state"], "imported");
    assert!(row.get("paper_checked").is_none(), "{row}");
    let check = ["share", "check-paper", "lines.txt", "--cluster"];
    let check = [&["--home", "alice"], &check[..], &["Pool West"]].concat();
    desk.ok(&check);
    assert!(listed(desk, "alice")[0]["paper_checked"]["at"].is_u64());
}

#[track_caller]
fn refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{ended:?}");
    for words in words {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
}

#[test]
fn what_is_not_one_operators_of_one_cluster_is_refused_and_nothing_is_written() {
    let pair = Pair::new();
    let desk = &pair.desk;
    let pool = Elsewhere::new(23, 2, 2, 3);
    let other = Elsewhere::new(24, 1, 2, 3);
    let lock = pool.lock();
    desk.write("lock.json", lock.to_string());
    // Two operators; one missing; the same twice; another cluster's; the whole key.
    for (folder, shares) in [
        ("mixed", &[(0, 1), (1, 2)][..]),
        ("few", &[(1, 2)]),
        ("whole", &[(0, 0), (1, 1)]),
    ] {
        for (number, (validator, operator)) in shares.iter().enumerate() {
            let file = format!("{folder}/keystore-{number}");
            pool.keystore(desk, &file, *validator, *operator);
        }
    }
    pool.folder(desk, "good", 1);
    fs::create_dir(desk.path("twice")).unwrap();
    fs::create_dir(desk.path("empty")).unwrap();
    for (from, to) in [(0, "a"), (0, "b"), (1, "c")] {
        for extension in ["json", "txt"] {
            let bytes = desk.read(&format!("good/keystore-{from}.{extension}"));
            desk.write(&format!("twice/keystore-{to}.{extension}"), bytes);
        }
    }
    pool.keystore(desk, "strange/keystore-0", 0, 1);
    other.keystore(desk, "strange/keystore-1", 0, 1);
    let before = every_file(&desk.path("alice"));
    let by = |cluster: &str, keystores: &str, more: &[&str]| {
        let words = import(cluster, keystores);
        pair.by("alice", &[&strs(&words)[..], more].concat())
    };
    for (folder, words) in [
        (
            "mixed",
            "mixed/keystore-1.json: it holds the share of operator 2 for validator 1, and mixed/keystore-0.json one of operator 1",
        ),
        ("few", "no keystore holds the share of validator 0, "),
        (
            "twice",
            "twice/keystore-b.json: it holds the same share as twice/keystore-a.json",
        ),
        ("strange", "strange/keystore-1.json: its key"),
        (
            "whole",
            "whole/keystore-0.json: it holds the whole key of validator 0",
        ),
    ] {
        let ended = by("lock.json", folder, &[]);
        refused(
            &ended,
            5,
            &[words, "code: import-refused", "nothing was written"],
        );
    }
    refused(&by("lock.json", "empty", &[]), 1, &["code: file-missing"]);
    refused(&by("lock.json", "none", &[]), 1, &["code: file-missing"]);
    refused(&by("none.json", "good", &[]), 1, &["code: file-missing"]);
    // A passphrase that does not open; one that nobody can be asked for.
    desk.write("wrong", "another passphrase");
    let wrong = by(
        "lock.json",
        "good",
        &["--keystore-passphrase-file", "wrong"],
    );
    refused(
        &wrong,
        1,
        &["2 of 2 keystores did not open", "code: keystore-invalid"],
    );
    fs::remove_file(desk.path("good/keystore-1.txt")).unwrap();
    let asked = by("lock.json", "good", &[]);
    refused(
        &asked,
        2,
        &["--keystore-passphrase-file FILE", "code: no-terminal"],
    );
    // Files that are no keystore, and no cluster; a lock whose keys do not fit each other.
    desk.write("bad/keystore-0.json", "{}");
    refused(&by("lock.json", "bad", &[]), 1, &["code: keystore-invalid"]);
    refused(
        &by(
            "pool.json",
            "good",
            &["--keystore-passphrase-file", "wrong"],
        ),
        1,
        &["code: file-invalid"],
    );
    for (pointer, value, words) in [
        (
            "/distributed_validators/1/public_shares/2",
            lock["distributed_validators"][0]["public_shares"][2].clone(),
            "validator 1 is not on the polynomial",
        ),
        (
            "/distributed_validators/0/distributed_public_key",
            lock["distributed_validators"][1]["distributed_public_key"].clone(),
            "validator 0 do not lead to its group key",
        ),
        (
            "/cluster_definition/threshold",
            json!(3),
            "coefficient 2 of validator 0",
        ),
        (
            "/cluster_definition/version",
            json!("v2.0.0"),
            "version v2.0.0",
        ),
        (
            "/cluster_definition/fork_version",
            json!("0x01020304"),
            "fork version 01020304",
        ),
    ] {
        let mut changed = lock.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        desk.write("changed.json", changed.to_string());
        let ended = by(
            "changed.json",
            "good",
            &["--keystore-passphrase-file", "wrong"],
        );
        refused(&ended, 1, &[words, "changed.json: ", "code: file-invalid"]);
    }
    assert_eq!(every_file(&desk.path("alice")), before);

    // Another epoch of a key that is there already: it is said so, and the first one stays.
    desk.write("right", "0123456789abcdef");
    let right = ["--keystore-passphrase-file", "right"];
    assert_eq!(by("lock.json", "good", &right).code, 0);
    let mut stream = Xof::new(&[3; 32]);
    let again = Elsewhere {
        keys: pool
            .keys
            .iter()
            .map(|f| Polynomial::from_coefficients(vec![f.evaluate(0), stream.scalar()]))
            .collect(),
        operators: 3,
    };
    desk.write("again.json", again.lock().to_string());
    again.folder(desk, "anew", 1);
    let epoch = by("again.json", "anew", &[]);
    refused(
        &epoch,
        5,
        &[
            "another epoch of the key",
            "is already in the vault",
            "code: import-refused",
        ],
    );
    pool.folder(desk, "second", 2);
    let second = by("lock.json", "second", &[]);
    refused(
        &second,
        5,
        &["one home is one operator", "code: import-refused"],
    );
    assert_eq!(listed(desk, "alice").len(), 1);
}

#[test]
fn keystores_of_our_own_ceremony_come_back_by_the_record_and_by_nothing_of_anybody_else() {
    let pair = Pair::new();
    let desk = &pair.desk;
    // The home as it was before the ceremony.
    let spare = age::x25519::Identity::generate();
    private(desk, "spare.key", spare.to_string().expose_secret());
    let public = spare.to_public().to_string();
    pair.ok(
        "alice",
        &["home", "backup", "--recipient", &public, "-o", "early.age"],
    );
    for name in ["alice", "bob", "alice", "bob", "alice"] {
        pair.run(name, &[]);
    }
    let restored = pair.with("new", "spare.key", &["home", "restore", "early.age"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let words = import("files-alice", "files-alice/validator_keys");
    // Bob's home takes none of alice's, whichever file says whose they are.
    for cluster in ["files-alice/record", "files-alice/cluster.json"] {
        let theirs = import(cluster, "files-alice/validator_keys");
        let ended = pair.by("bob", &strs(&theirs));
        refused(
            &ended,
            5,
            &["this home is operator 2's", "code: import-refused"],
        );
    }
    let done = pair.with(
        "new",
        "alice.key",
        &[&strs(&words)[..], &["--json"]].concat(),
    );
    assert_eq!(done.code, 0, "{done:?}");
    let report = parsed(&done.stdout);
    assert_eq!(
        (&report["source"], &report["already"]),
        (&json!("record"), &json!(false))
    );
    assert_eq!(listed(desk, "new")[0]["state"], "pending");
    // The shares are the ceremony's, and everything of a ceremony's shares goes on with them.
    let same = pair.with("new", "alice.key", &strs(&words));
    assert!(same.stderr.contains("nothing was missing"), "{same:?}");
    let prove = ["share", "prove", "Pool", "-o", "new.proof.json"];
    let proved = pair.with("new", "alice.key", &prove);
    assert_eq!(proved.code, 0, "{proved:?}");
    desk.ok(&[
        "share",
        "check-proof",
        "new.proof.json",
        "--cluster",
        "files-bob/record",
    ]);
    let backup = [
        "share",
        "backup",
        "Pool",
        "--recipient",
        &public,
        "-o",
        "pool.age",
    ];
    assert_eq!(pair.with("new", "alice.key", &backup).code, 0);
    let again = pair.run_in("new", "alice.key", &[]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(listed(desk, "new")[0]["state"], "complete");

    // With the cluster file alone it is an imported cluster, whose operators are named.
    let other = pair.with("third", "spare.key", &["home", "restore", "early.age"]);
    assert_eq!(other.code, 0, "{other:?}");
    let words = import("files-alice/cluster.json", "files-alice/validator_keys");
    let done = pair.with("third", "alice.key", &strs(&words));
    assert_eq!(done.code, 0, "{done:?}");
    let shown = pair.with("third", "alice.key", &["share", "show", "Pool"]);
    assert!(shown.stdout.contains("1  alice  (you)"), "{shown:?}");
    // Where the ceremony is, there is nothing to import; and the record comes after all.
    let standing = pair.by("alice", &strs(&words));
    refused(
        &standing,
        5,
        &["is already in the vault", "code: import-refused"],
    );
    let words = import("files-alice/record", "files-alice/validator_keys");
    let late = pair.with("third", "alice.key", &strs(&words));
    assert_eq!(late.code, 0, "{late:?}");
    assert!(
        late.stderr.contains("was imported without a record"),
        "{late:?}"
    );
}

#[test]
fn an_imported_cluster_signs_with_the_cards_of_its_operators() {
    let pair = Pair::new();
    let desk = &pair.desk;
    let pool = Elsewhere::new(25, 2, 2, 2);
    desk.write("lock.json", pool.lock().to_string());
    for (name, operator) in [("alice", 1), ("bob", 2)] {
        let folder = format!("keys-{name}");
        pool.folder(desk, &folder, operator);
        pair.ok(name, &strs(&import("lock.json", &folder)));
    }
    let exit = |cluster: &str, cards: &[&str], file: &str| {
        let mut words = vec!["--home", "alice", "sign", "exit", "--cluster", cluster];
        for card in cards {
            words.extend(["--card", card]);
        }
        words.extend(["--validator", "1=77", "--epoch", "9", "-o", file]);
        desk.run(&words)
    };
    let none = exit("Pool West", &[], "none.json");
    refused(
        &none,
        2,
        &["an imported cluster has no cards", "--card FILE"],
    );
    let few = exit("Pool West", &["alice.card.json"], "few.json");
    refused(&few, 1, &["the cluster has 1, 2", "code: plan-invalid"]);
    let twice = exit(
        "Pool West",
        &["alice.card.json", "alice.card.json"],
        "twice.json",
    );
    refused(&twice, 1, &["code: plan-invalid"]);
    let made = exit(
        "Pool West",
        &["alice.card.json", "bob.card.json"],
        "exit.json",
    );
    assert_eq!(made.code, 0, "{made:?}");
    // By the lock's file it is the same cluster; with the cards changed over, everybody refuses.
    let swapped = exit(
        "lock.json",
        &["2=alice.card.json", "1=bob.card.json"],
        "swapped.json",
    );
    assert_eq!(swapped.code, 0, "{swapped:?}");
    let code = |file: &str| {
        let page = parsed(&desk.ok(&["plan", "show", "--json", file]));
        page["plan_code"].as_str().unwrap().to_owned()
    };
    fs::create_dir(desk.path("second")).unwrap();
    let run = |name: &str, file: &str| {
        let code = code(file);
        let out = format!("signed-{name}");
        let words = [
            "run",
            file,
            "--via",
            "second",
            "--out",
            &out,
            "--accept-plan",
            &code,
        ];
        pair.by(name, &words)
    };
    let wrong = run("alice", "swapped.json");
    refused(
        &wrong,
        5,
        &[
            "another index of this home's operator",
            "code: cluster-differs",
        ],
    );
    assert_eq!(run("alice", "exit.json").code, 3);
    let done = run("bob", "exit.json");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(run("alice", "exit.json").code, 0);
    desk.ok(&[
        "sign",
        "verify",
        "signed-bob/signed_exit-77.json",
        "--plan",
        "exit.json",
    ]);
    // A plan that gives the cluster another outcome, network, threshold or key is not signed; nor is
    // one for a cluster that this home did not take in.
    let plan = parsed(&String::from_utf8(desk.read("exit.json")).unwrap());
    for (pointer, value, words) in [
        (
            "/cluster/outcome",
            json!("00".repeat(32)),
            "another outcome",
        ),
        (
            "/cluster/cid",
            json!("11".repeat(32)),
            "code: cluster-unknown",
        ),
        (
            "/network",
            parsed(&serde_json::to_string(&mainnet()).unwrap()),
            "another network",
        ),
        ("/keys/0/position", json!(0), "another keys"),
    ] {
        let mut changed = plan.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        desk.write("changed.json", changed.to_string());
        let ended = run("alice", "changed.json");
        assert!(ended.stderr.contains(words), "{pointer}: {ended:?}");
        assert!(matches!(ended.code, 1 | 5), "{pointer}: {ended:?}");
    }
    let strange = exit("pool.json", &["alice.card.json"], "strange.json");
    refused(&strange, 2, &["--card is for imported clusters"]);
}

fn mainnet() -> conclave::ethereum::network::NetworkSpec {
    conclave::ethereum::network::Network::known("mainnet")
        .unwrap()
        .spec()
}
