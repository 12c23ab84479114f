//! Signing ceremonies with the real commands: four homes after their keygen, one folder as the stick.

use std::fs;
use std::sync::OnceLock;

use serde_json::Value;

use crate::four_homes::Ceremony;
use crate::harness::binary::{Desk, Ended};
use crate::harness::disk::copy_tree;
use crate::harness::schema;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const ADDRESS: &str = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F";

/// Four homes whose keygen is complete.
pub(crate) fn cluster() -> Ceremony {
    static ONCE: OnceLock<Ceremony> = OnceLock::new();
    let made = ONCE.get_or_init(|| {
        let ceremony = Ceremony::prepare();
        let mut done = 0;
        for turn in 0..12 {
            let name = NAMES[turn % 4];
            let out = format!("files-{name}");
            let code = ceremony.code.as_str();
            let run = ["run", "pool.plan.json", "--via", "stick", "--out", &out];
            let ended = ceremony.by(name, &[&run[..], &["--accept-plan", code]].concat());
            assert!(matches!(ended.code, 0 | 3), "{name}: {ended:?}");
            done += usize::from(ended.code == 0);
        }
        assert!(done >= 4, "the keygen is not complete");
        ceremony
    });
    let desk = Desk::new();
    copy_tree(&made.desk.path("."), &desk.path("."));
    fs::create_dir(desk.path("second")).unwrap();
    Ceremony {
        desk,
        code: made.code.clone(),
    }
}

/// Makes a signing plan and returns its code.
pub(crate) fn plan(ceremony: &Ceremony, args: &[&str]) -> String {
    ceremony.desk.ok(args);
    let file = args[args.iter().position(|arg| *arg == "-o").unwrap() + 1];
    schema::assert_valid_json("plan", ceremony.desk.read(file));
    let page = ceremony.desk.ok(&["plan", "show", "--json", file]);
    let page: Value = serde_json::from_str(&page).unwrap();
    page["plan_code"].as_str().unwrap().to_owned()
}

/// Says that a file of signed messages is not right, and why.
#[track_caller]
fn not_right(desk: &Desk, args: &[&str], why: &str) {
    let ended = desk.run(&[&["sign", "verify"][..], args].concat());
    assert_eq!(ended.code, 1, "{args:?}: {ended:?}");
    assert!(ended.stdout.contains(why), "{args:?}: {why}: {ended:?}");
    assert!(ended.stderr.contains("signed-invalid"), "{ended:?}");
}

/// A plan of one exit, `exit.plan.json`.
pub(crate) const EXIT: &[&str] = &[
    "sign",
    "exit",
    "--cluster",
    "files-alice/record",
    "--validator",
    "0=1234567",
    "--epoch",
    "350000",
    "-o",
    "exit.plan.json",
];

fn run(ceremony: &Ceremony, name: &str, file: &str, more: &[&str]) -> Ended {
    let out = format!("signed-{name}");
    let run = ["run", file, "--via", "second", "--out", &out];
    ceremony.by(name, &[&run[..], more].concat())
}

#[test]
fn three_of_four_sign_an_exit_that_anybody_can_verify() {
    let ceremony = cluster();
    let desk = &ceremony.desk;
    let code = plan(&ceremony, EXIT);

    // In words, and not without the code.
    let asked = run(&ceremony, "alice", "exit.plan.json", &[]);
    assert_eq!(asked.code, 2, "{asked:?}");
    let accept = ["--accept-plan", code.as_str()];
    let ran = run(&ceremony, "alice", "exit.plan.json", &accept);
    assert_eq!(ran.code, 3, "{ran:?}");
    for words in [
        "the validators leave for ever",
        "validator 1234567 from epoch 350000",
        "waiting for 2 partials of any of bob (2), carol (3), dave (4)",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
    }
    // The table, without a passphrase, from a home and from the stick alone.
    let status = ["--home", "home-alice", "status", "Pool exits"];
    assert!(desk.ok(&status).contains("you signed"));
    let status = desk.ok(&["status", "--via", "second", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["ceremonies"][0]["kind"], "sign");
    assert_eq!(status["ceremonies"][0]["operators"][0]["partial"], "yes");
    // Who signed cannot leave any more; who did not can, and then never signs it.
    let left = ceremony.by(
        "alice",
        &["ceremony", "abandon", "Pool exits", "--name", "Pool exits"],
    );
    assert_eq!(left.code, 5, "{left:?}");
    let ran = run(&ceremony, "bob", "exit.plan.json", &accept);
    assert_eq!(ran.code, 3, "{ran:?}");
    let ran = run(
        &ceremony,
        "carol",
        "exit.plan.json",
        &[&accept[..], &["--json"]].concat(),
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    // Dave comes late: the exit is there, and nothing is signed for it again.
    let ran = run(&ceremony, "dave", "exit.plan.json", &accept);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.stderr.contains("made and stored: partial"), "{ran:?}");

    let name = "signed_exit-1234567.json";
    let carols = desk.read(&format!("signed-carol/{name}"));
    assert_eq!(carols, desk.read(&format!("signed-dave/{name}")));
    let exit = schema::assert_valid_json("signed-exit", &carols);
    assert_eq!(exit["message"]["epoch"], "350000");
    schema::assert_files(&desk.path("signed-carol"));
    // Again changes nothing and verifies what stands.
    let again = run(&ceremony, "carol", "exit.plan.json", &[]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("verified"), "{again:?}");
    assert_eq!(run(&ceremony, "alice", "exit.plan.json", &[]).code, 0);

    // Anybody, with the plan, the cluster's file or the key.
    let file = format!("signed-carol/{name}");
    let keys = desk.read("files-alice/cluster.json");
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    let key = keys["validators"][0]["public_key"].as_str().unwrap();
    let names = fs::read_dir(desk.path("files-bob")).unwrap();
    let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let deposits = names.find(|name| name.starts_with("deposit_data"));
    let deposits = format!("files-bob/{}", deposits.unwrap());
    for by in [
        &["--plan", "exit.plan.json"][..],
        &["--cluster", "files-bob/cluster.json"],
        &["--cluster", "files-bob/record"],
        &["--cluster", "Pool", "--home", "home-bob"],
        &["--network", "hoodi", "--deposits", &deposits],
        &["--network", "hoodi", "--validator-key", key],
    ] {
        let text = desk.ok(&[&["sign", "verify", file.as_str()][..], by].concat());
        assert!(text.contains("1 of 1 valid"), "{text}");
        desk.ok(&[&["sign", "verify", file.as_str(), "--json"][..], by].concat());
    }
    let other = [&*file, "--network", "mainnet", "--validator-key", key];
    not_right(desk, &other, "none of the keys");
    let other = [
        &*file,
        "--cluster",
        "files-bob/record",
        "--network",
        "mainnet",
    ];
    let verify = [&["sign", "verify"][..], &other].concat();
    desk.refused(
        &verify,
        1,
        &["files-bob/record is for hoodi, not for mainnet"],
    );
    desk.write("keyless.json", "[{}]");
    let verify = ["sign", "verify", &*file, "--network", "hoodi", "--deposits"];
    let ended = [&verify[..], &["keyless.json"]].concat();
    desk.refused(&ended, 1, &["keyless.json", "has no key", "file-invalid"]);
    let mut forged = exit.clone();
    forged["message"]["epoch"] = "0".into();
    desk.write("forged.json", forged.to_string());
    let verify = ["forged.json", "--plan", "exit.plan.json"];
    not_right(desk, &verify, "its signature does not verify");

    // The record is audited like any other, and says so.
    let audit = desk.ok(&["audit", "signed-carol/record"]);
    assert!(audit.contains("complete: 3 operators signed"), "{audit}");
    let list = desk.ok(&["--home", "home-carol", "ceremony", "list", "--json"]);
    assert!(list.contains("\"sign\""), "{list}");
    desk.refused(
        &["audit", "signed-carol/record", "--report", "x.html"],
        2,
        &["keygen"],
    );
    desk.refused(&["rehearse", "exit.plan.json"], 2, &["cannot be rehearsed"]);
}

#[test]
fn a_plan_that_is_not_about_this_cluster_is_refused() {
    let ceremony = cluster();
    let desk = &ceremony.desk;
    plan(&ceremony, EXIT);
    let honest: Value = serde_json::from_slice(&desk.read("exit.plan.json")).unwrap();
    type Change = fn(&mut Value);
    let changes: [(&str, &str, Change); 6] = [
        ("outcome", "cluster-differs", |plan| {
            plan["cluster"]["outcome"] = "11".repeat(32).into();
        }),
        ("no shares", "cluster-unknown", |plan| {
            plan["cluster"]["cid"] = "22".repeat(32).into();
        }),
        ("threshold", "cluster-differs", |plan| {
            plan["threshold"] = 2.into();
            plan["keys"][0]["polynomial"].as_array_mut().unwrap().pop();
        }),
        ("keys", "cluster-differs", |plan| {
            let points = plan["keys"][0]["polynomial"].as_array_mut().unwrap();
            points.swap(0, 1);
        }),
        ("network", "cluster-differs", |plan| {
            plan["network"] = serde_json::json!({
                "name": "mainnet", "fork_version": "00000000",
                "genesis_validators_root":
                    "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
            });
        }),
        ("roster", "cluster-differs", |plan| {
            plan["roster"][3]["index"] = 9.into();
        }),
    ];
    for (what, code, change) in changes {
        let mut changed = honest.clone();
        change(&mut changed);
        let file = format!("changed-{}.plan.json", what.replace(' ', "-"));
        desk.write(&file, changed.to_string());
        let page = desk.ok(&["plan", "show", "--json", &file]);
        let page: Value = serde_json::from_str(&page).unwrap();
        let words = page["plan_code"].as_str().unwrap();
        let ended = run(
            &ceremony,
            "alice",
            &file,
            &["--accept-plan", words, "--json"],
        );
        assert!(ended.code != 0 && ended.code != 3, "{what}: {ended:?}");
        assert!(ended.stdout.contains(code), "{what}: {ended:?}");
        assert!(ended.stderr.contains(what), "{what}: {ended:?}");
        assert!(
            ended.stderr.contains("nothing was sent"),
            "{what}: {ended:?}"
        );
    }
    assert_eq!(fs::read_dir(desk.path("second")).unwrap().count(), 0);
}

#[test]
fn a_policy_signs_registrations_without_a_question_and_never_exits() {
    let ceremony = cluster();
    let desk = &ceremony.desk;
    desk.write(
        "list.csv",
        format!("validator,fee_recipient\n0,{ADDRESS}\n"),
    );
    let home = [
        "--home",
        "home-bob",
        "sign",
        "registration",
        "--cluster",
        "Pool",
    ];
    let flags = [
        "--csv",
        "list.csv",
        "--gas-limit",
        "45000000",
        "-o",
        "fee.plan.json",
    ];
    plan(&ceremony, &[&home[..], &flags].concat());
    let policy = r#"{"version":1,"sign_without_asking":["registration"]}"#;
    desk.write("policy.json", policy);
    schema::assert_valid_json("sign-policy", policy);
    for (name, code) in [("alice", 3), ("bob", 3), ("dave", 0)] {
        let ran = run(
            &ceremony,
            name,
            "fee.plan.json",
            &["--policy", "policy.json"],
        );
        assert_eq!(ran.code, code, "{name}: {ran:?}");
        assert!(ran.stderr.contains("without a question"), "{ran:?}");
    }
    let created = fs::read_dir(desk.path("signed-dave"))
        .unwrap()
        .find_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.starts_with("builder_registrations-").then_some(name)
        });
    let file = format!("signed-dave/{}", created.unwrap());
    schema::assert_valid_json("builder-registrations", desk.read(&file));
    desk.ok(&["sign", "verify", &file, "--network", "hoodi"]);
    not_right(desk, &[&file, "--network", "mainnet"], "does not verify");

    // The same policy does not cover an exit, and none can.
    plan(&ceremony, EXIT);
    let asked = run(
        &ceremony,
        "alice",
        "exit.plan.json",
        &["--policy", "policy.json"],
    );
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.stderr.contains("--accept-plan"), "{asked:?}");
    desk.write(
        "policy.json",
        r#"{"version":1,"sign_without_asking":["exit"]}"#,
    );
    let refused = run(
        &ceremony,
        "alice",
        "exit.plan.json",
        &["--policy", "policy.json"],
    );
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("always asked about"), "{refused:?}");

    // Who leaves a signing ceremony never signs it.
    let accept = run(
        &ceremony,
        "carol",
        "exit.plan.json",
        &["--accept-plan", "zoo"],
    );
    assert_eq!(accept.code, 5, "{accept:?}");
}

#[test]
fn exits_are_encrypted_to_whom_they_are_meant_for() {
    let ceremony = cluster();
    let desk = &ceremony.desk;
    let code = plan(&ceremony, EXIT);
    let key = age::x25519::Identity::generate();
    let recipient = key.to_public().to_string();
    for (name, code_expected) in [("alice", 3), ("bob", 3), ("carol", 0)] {
        let more = ["--accept-plan", &code, "--encrypt-to", &recipient];
        let ran = run(&ceremony, name, "exit.plan.json", &more);
        assert_eq!(ran.code, code_expected, "{name}: {ran:?}");
    }
    let sealed = desk.read("signed-carol/signed_exit-1234567.json.age");
    let decryptor = age::Decryptor::new_buffered(&sealed[..]).unwrap();
    let mut reader = decryptor
        .decrypt(std::iter::once(&key as &dyn age::Identity))
        .unwrap();
    let mut exit = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut exit).unwrap();
    desk.write("opened.json", exit);
    desk.ok(&["sign", "verify", "opened.json", "--plan", "exit.plan.json"]);
    // Nothing beside it says the same in clear.
    let signature: Value = serde_json::from_slice(&desk.read("opened.json")).unwrap();
    let signature = signature["signature"].as_str().unwrap()[2..].to_owned();
    for (path, bytes) in crate::harness::disk::every_file(&desk.path("signed-carol")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&signature), "{}", path.display());
    }
    let again = run(
        &ceremony,
        "carol",
        "exit.plan.json",
        &["--encrypt-to", &recipient],
    );
    assert_eq!(again.code, 0, "{again:?}");
}

#[test]
fn changes_and_deposits_are_signed_and_read_by_their_own_checks() {
    let ceremony = cluster();
    let desk = &ceremony.desk;
    let change = [
        "sign",
        "bls-change",
        "--cluster",
        "files-bob/record",
        "--validator",
        "0=7",
    ];
    let code = plan(
        &ceremony,
        &[&change[..], &["--to", ADDRESS, "-o", "change.plan.json"]].concat(),
    );
    desk.write("addresses.txt", format!("{ADDRESS}\n"));
    for (name, expected) in [("alice", 3), ("bob", 3), ("carol", 0)] {
        let more = ["--accept-plan", &code, "--expect", "addresses.txt"];
        let ran = run(&ceremony, name, "change.plan.json", &more);
        assert_eq!(ran.code, expected, "{name}: {ran:?}");
    }
    let of = |prefix: &str, folder: &str| {
        let entries = fs::read_dir(desk.path(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names = names.filter(|name| name.starts_with(prefix));
        format!("{folder}/{}", names.next().unwrap())
    };
    let file = of("bls_to_execution_change-", "signed-carol");
    let changes = schema::assert_valid_json("bls-changes", desk.read(&file));
    assert_eq!(
        changes[0]["message"]["to_execution_address"],
        ADDRESS.to_lowercase()
    );
    desk.ok(&["sign", "verify", &file, "--network", "hoodi", "--json"]);
    not_right(desk, &[&file, "--network", "sepolia"], "does not verify");

    fs::create_dir(desk.path("third")).unwrap();
    let deposit = [
        "sign",
        "deposit",
        "--cluster",
        "files-bob/record",
        "--validator",
        "0",
    ];
    let flags = [
        "--withdrawal",
        ADDRESS,
        "--credentials",
        "0x01",
        "--deposit",
        "1eth",
    ];
    let code = plan(
        &ceremony,
        &[&deposit[..], &flags, &["-o", "top.plan.json"]].concat(),
    );
    for (name, expected) in [("dave", 3), ("bob", 3), ("alice", 0)] {
        let run = ["run", "top.plan.json", "--via", "third", "--out"];
        let out = format!("top-{name}");
        let ran = ceremony.by(name, &[&run[..], &[&out, "--accept-plan", &code]].concat());
        assert_eq!(ran.code, expected, "{name}: {ran:?}");
    }
    let file = of("deposit_data-", "top-alice");
    desk.ok(&["deposit", "check", &file, "--network", "hoodi"]);
    desk.ok(&["sign", "verify", &file, "--network", "hoodi", "--json"]);
    schema::assert_files(&desk.path("top-alice"));
}

#[test]
fn what_cannot_be_planned_is_said() {
    let ceremony = cluster();
    let desk = &ceremony.desk;
    let exit = |more: &[&str], code: i32, words: &[&str]| {
        let start = [
            "sign",
            "exit",
            "--cluster",
            "files-alice/record",
            "-o",
            "no.plan.json",
        ];
        desk.refused(&[&start[..], more].concat(), code, words);
        assert!(!desk.path("no.plan.json").exists());
    };
    exit(&["--epoch", "1"], 2, &["--validator WHICH=INDEX"]);
    exit(&["--validator", "0=1"], 1, &["no epoch", "--epoch"]);
    exit(
        &["--validator", "0", "--epoch", "1"],
        1,
        &["no validator_index"],
    );
    exit(
        &["--validator", "1=1", "--epoch", "1"],
        1,
        &["no validator 1"],
    );
    exit(
        &["--validator", "0=x", "--epoch", "1"],
        1,
        &["no whole number"],
    );
    let twice = ["--validator", "0=1", "--validator", "0=1", "--epoch", "1"];
    exit(&twice, 1, &["twice"]);
    desk.write("list.csv", "validator,slot\n0,1\n");
    exit(&["--csv", "list.csv"], 1, &["slot"]);
    let missing = [
        "sign",
        "exit",
        "--cluster",
        "nobody",
        "--validator",
        "0=1",
        "--epoch",
        "1",
    ];
    let home = ["--home", "home-alice"];
    desk.refused(&[&home[..], &missing].concat(), 1, &["nobody"]);
    not_right(desk, &["pool.plan.json", "--network", "hoodi"], "no exits");
}
