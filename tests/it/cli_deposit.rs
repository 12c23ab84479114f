//! `deposit check`: files of any tool, and whether they come from a ceremony.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use conclave::ambient::OsRandomness;
use conclave::artifacts::{self, Keystores, Recorded, Request};
use conclave::ceremony::Unobserved;
use conclave::crypto::bls;
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::deposit::{DepositData, DepositEntry, DepositMessage, write_entries};
use conclave::ethereum::keystore::Capacity;
use conclave::ethereum::network::{Network, NetworkSpec};
use conclave::ethereum::withdrawal::{CredentialsKind, WithdrawalCredentials};
use conclave::store::disk::RealDisk;
use serde_json::{Value, json};

use crate::harness::binary::Desk;
use crate::harness::ceremony::{CREATED, Ceremony, ETH, keygen};

fn entry(secret: u64, amount: u64, network: &NetworkSpec) -> DepositEntry {
    let secret = Scalar::from_u64(secret);
    let message = DepositMessage {
        pubkey: bls::public_key(&secret).unwrap().to_bytes(),
        credentials: WithdrawalCredentials::new(CredentialsKind::Eth1, Address([7; 20])),
        amount: Gwei(amount),
    };
    let root = message.signing_root(network.fork_version());
    let signature = bls::sign(&secret, &root).unwrap().to_bytes();
    DepositEntry::new(&DepositData { message, signature }, network)
}

#[test]
fn deposit_files_are_checked_entry_by_entry() {
    let desk = Desk::new();
    let hoodi = Network::known("hoodi").unwrap().spec();
    let write = |name: &str, entries: &[DepositEntry]| {
        desk.write(name, write_entries(entries).unwrap());
    };
    let eth = 1_000_000_000;
    write(
        "good.json",
        &[entry(1, 32 * eth, &hoodi), entry(2, eth, &hoodi)],
    );
    assert_eq!(
        desk.ok(&["deposit", "check", "good.json", "--network", "hoodi"]),
        "
Withdrawal addresses
  0x0707070707070707070707070707070707070707  0x01  2 validators, 2 deposits, 33 ETH

Notes
  1 validator gets less than 32 ETH here: none of them starts before the rest is deposited

All together: 2 deposits of 2 validators for hoodi, 33 ETH
Verdict: ok: all checks passed; whose keys these are, only --record RECORD proves
"
    );
    let mainnet = ["deposit", "check", "good.json", "--network", "mainnet"];
    let ended = desk.refused(
        &mainnet,
        1,
        &["1 of 1 deposit file failed", "hint: do not submit"],
    );
    assert!(
        ended.stdout.starts_with("good.json: error: 2 entries (1-2): the fork version is 10000910, which is hoodi's; mainnet has 00000000"),
        "{ended:?}"
    );
    assert!(
        ended
            .stdout
            .ends_with("for mainnet, 33 ETH\nVerdict: FAILED: pay none of these deposits\n"),
        "{ended:?}"
    );

    // A warning is no failure.
    let mut old: Value = serde_json::from_slice(&desk.read("good.json")).unwrap();
    old[1]["deposit_cli_version"] = json!("1.3.1");
    desk.write("old.json", old.to_string());
    let warned = desk.ok(&["deposit", "check", "old.json"]);
    assert!(
        warned.starts_with("old.json: warning: entry 2 (pubkey "),
        "{warned}"
    );

    // What is paid together is checked together.
    let twice = ["deposit", "check", "good.json", "old.json"];
    let ended = desk.refused(&twice, 1, &["1 of 2 deposit files failed"]);
    assert!(
        ended.stdout.contains("entry 1 of file 1 already"),
        "{ended:?}"
    );

    let mut forged: Value = serde_json::from_slice(&desk.read("good.json")).unwrap();
    forged[1]["signature"] = forged[0]["signature"].clone();
    desk.write("forged.json", forged.to_string());
    write(
        "other.json",
        &[entry(3, eth, &hoodi), entry(4, 32 * eth, &hoodi)],
    );
    desk.write("torn.json", "[{");
    let args = [
        "deposit",
        "check",
        "other.json",
        "forged.json",
        "torn.json",
        "absent.json",
        "--json",
    ];
    let ended = desk.refused(&args, 1, &["3 of 4 deposit files failed"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let entries = |file: usize| -> BTreeSet<Option<u64>> {
        let findings = report["files"][file]["findings"].as_array().unwrap();
        findings
            .iter()
            .map(|finding| finding["entry"].as_u64())
            .collect()
    };
    keeps_to_schema(&report);
    assert_eq!(report["files"][0]["gwei"], "33000000000");
    assert_eq!(report["gwei"], "66000000000");
    assert_eq!(
        (&report["ok"], &report["network"]),
        (&json!(false), &json!("hoodi"))
    );
    assert_eq!(entries(0), BTreeSet::new());
    assert_eq!(entries(1), BTreeSet::from([Some(2)]));
    assert_eq!(
        (entries(2), entries(3)),
        (BTreeSet::from([None]), BTreeSet::from([None]))
    );

    let play = hoodi.rehearsal();
    write("play.json", &[entry(1, eth, &play)]);
    desk.refused(&["deposit", "check", "play.json"], 1, &[]);
    desk.ok(&[
        "deposit",
        "check",
        "play.json",
        "--network",
        "hoodi-rehearsal",
    ]);
}

fn keeps_to_schema(report: &Value) {
    let schema = include_str!("../../schemas/deposit-check.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}: {report}");
}

static CEREMONY: LazyLock<Ceremony> =
    LazyLock::new(|| keygen(3, &Network::known("hoodi").unwrap().spec()));

/// Writes what a witness of a ceremony gets into `name`.
fn files(desk: &Desk, ceremony: &Ceremony, name: &str) {
    let list = ceremony.board.list();
    let request = Request {
        plan: ceremony.plan.keygen().unwrap(),
        outcome: &ceremony.outcome,
        own: None,
        keystores: Keystores::None,
        capacity: Capacity::free(1, None),
        messages: Recorded {
            messages: &ceremony.board,
            list: &list,
        },
        codes: &ceremony.codes,
    };
    let disk: Arc<dyn conclave::store::disk::Disk> = Arc::new(RealDisk);
    let directory = desk.path(name);
    artifacts::write(&disk, &directory, &request, &mut OsRandomness, &Unobserved).unwrap();
}

fn deposits(amount: u64) -> String {
    format!("pool/deposit_data-{CREATED}-{amount}.json")
}

#[test]
fn deposits_are_proved_to_come_from_a_ceremony() {
    let desk = Desk::new();
    files(&desk, &CEREMONY, "pool");
    let all = [ETH, 31 * ETH, 32 * ETH, 1000 * ETH + 1].map(deposits);
    let mut args = vec!["deposit", "check", "--record", "pool"];
    args.extend(all.iter().map(String::as_str));
    let page = desk.ok(&args);
    let codes = &CEREMONY.codes;
    for line in [
        "  5 of 5 deposits here come from it\n",
        &format!("  plan code: {}\n", codes.0),
        &format!("  outcome code: {}\n", codes.1),
        "All together: 5 deposits of 3 validators for hoodi, 1096.000000001 ETH\n",
        "Verdict: ok: all checks passed, and every deposit comes from the ceremony Pool №1, east\n",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    assert!(!page.contains("of its plan"), "{page}");

    // One instalment's file: proved, and the rest is named as missing.
    let first = deposits(ETH);
    let args = [
        "deposit",
        "check",
        &first,
        "--record",
        "pool/record",
        "--json",
    ];
    let report: Value = serde_json::from_str(&desk.ok(&args)).unwrap();
    keeps_to_schema(&report);
    let ceremony = &report["ceremony"];
    assert_eq!(
        (&ceremony["proved"], &report["ok"]),
        (&json!(1), &json!(true))
    );
    let missing: Vec<(u64, &str)> = ceremony["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["validator"].as_u64().unwrap(),
                row["gwei"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        missing,
        [
            (0, "32000000000"),
            (1, "31000000000"),
            (2, "1000000000001"),
            (2, "32000000000")
        ]
    );
    assert_eq!(ceremony["outcome_code"], codes.1.to_string());

    let args = [
        "deposit",
        "check",
        &first,
        "--record",
        "pool",
        "--network",
        "mainnet",
    ];
    desk.refused(
        &args,
        1,
        &["is for hoodi, not for mainnet; no deposit was checked"],
    );
}

/// Every one of these passes all other checks.
#[test]
fn deposits_of_anybody_else_are_not_proved() {
    let desk = Desk::new();
    files(&desk, &CEREMONY, "pool");
    let hoodi = Network::known("hoodi").unwrap().spec();
    let check = |name: &str, why: &str| {
        desk.ok(&["deposit", "check", name]);
        let args = ["deposit", "check", name, "--record", "pool"];
        let ended = desk.refused(&args, 1, &["do not submit"]);
        assert!(ended.stdout.contains(why), "{why}: {ended:?}");
        assert!(ended.stdout.contains("Verdict: FAILED"), "{ended:?}");
    };
    let stranger = entry(9, 32 * ETH, &hoodi);
    desk.write("stranger.json", write_entries(&[stranger]).unwrap());
    check("stranger.json", "the ceremony made no key ");

    // The keys of the ceremony, used as no ceremony would: t operators put their shares together.
    let sign = |validator: usize, credentials: WithdrawalCredentials, amount: u64| {
        let shares = [CEREMONY.shares(0), CEREMONY.shares(1)];
        let message = DepositMessage {
            pubkey: shares[0]
                .sharing
                .group_keys()
                .nth(validator)
                .unwrap()
                .to_bytes(),
            credentials,
            amount: Gwei(amount),
        };
        let root = message.signing_root(hoodi.fork_version());
        let partials = shares.map(|own| bls::sign(&own.shares[validator], &root).unwrap());
        let signature = bls::combine(&shares.map(|own| own.index), &partials).unwrap();
        let signature = signature.to_bytes();
        let entry = DepositEntry::new(&DepositData { message, signature }, &hoodi);
        write_entries(&[entry]).unwrap()
    };
    let own = CEREMONY.plan.keygen().unwrap().validators()[0].withdrawal_credentials();
    let other = CEREMONY.plan.keygen().unwrap().validators()[1].withdrawal_credentials();
    desk.write("elsewhere.json", sign(0, other, 32 * ETH));
    check(
        "elsewhere.json",
        &format!("the plan gives validator 0 the withdrawal credentials {own}"),
    );
    desk.write("amount.json", sign(0, own, 16 * ETH));
    check(
        "amount.json",
        "the plan has no such deposit of validator 0; it has 32 ETH",
    );
    // The right deposit is proved, whoever writes the file.
    desk.write("right.json", sign(0, own, 32 * ETH));
    desk.ok(&["deposit", "check", "right.json", "--record", "pool"]);
}

#[test]
fn a_record_that_proves_nothing_is_said_to() {
    let desk = Desk::new();
    files(&desk, &CEREMONY, "pool");
    let file = deposits(ETH);
    let args = ["deposit", "check", &file, "--record", "pool"];
    let messages = desk.path("pool/record/messages");
    let confirm = std::fs::read_dir(&messages)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.display().to_string().contains("2-confirm-1"))
        .unwrap();
    std::fs::remove_file(&confirm).unwrap();
    // Without the outcome's claim it waits; with it, the claim is not borne out.
    let ended = desk.refused(&args, 4, &["nothing is proved about the deposits"]);
    assert_eq!(ended.stdout, "");
    let record = desk.path("pool/record");
    let outcome = std::fs::read_dir(&record)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.display().to_string().ends_with(".outcome.json"))
        .unwrap();
    std::fs::remove_file(outcome).unwrap();
    desk.refused(
        &args,
        3,
        &["not complete", "no confirm from operator 1 (operator 1)"],
    );

    let play = keygen(2, &Network::known("hoodi").unwrap().spec().rehearsal());
    files(&desk, &play, "play");
    let file = format!("play/deposit_data-{CREATED}-{ETH}.json");
    let args = ["deposit", "check", &file, "--record", "play"];
    desk.refused(&args, 5, &["the record of a rehearsal", "worth nothing"]);
    desk.refused(
        &["deposit", "check", &file, "--record", "void"],
        1,
        &["void"],
    );
}
