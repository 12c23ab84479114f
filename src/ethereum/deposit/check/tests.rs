use super::*;
use crate::crypto::scalar::Scalar;
use crate::ethereum::address::Address;
use crate::ethereum::amount::Gwei;
use crate::ethereum::deposit::{DepositEntry, parse_entries, write_entries};
use serde_json::{Value, json};

fn network() -> NetworkSpec {
    Network::known("hoodi").unwrap().spec()
}

fn entry(key: u64, kind: CredentialsKind, amount: u64, spec: &NetworkSpec) -> Value {
    let secret = Scalar::from_u64(key);
    let message = DepositMessage {
        pubkey: bls::public_key(&secret).unwrap().to_bytes(),
        credentials: WithdrawalCredentials::new(kind, Address([0xab; 20])),
        amount: Gwei(amount),
    };
    let signature = bls::sign(&secret, &message.signing_root(spec.fork_version()))
        .unwrap()
        .to_bytes();
    serde_json::to_value(DepositEntry::new(&DepositData { message, signature }, spec)).unwrap()
}

fn file() -> Vec<Value> {
    vec![
        entry(5, CredentialsKind::Eth1, 32_000_000_000, &network()),
        entry(
            6,
            CredentialsKind::Compounding,
            2_048_000_000_000,
            &network(),
        ),
        entry(7, CredentialsKind::Eth1, 1_000_000_000, &network()),
    ]
}

fn check(file: &[Value], expected: Option<&NetworkSpec>) -> Vec<DepositFinding> {
    let entries = parse_entries(&serde_json::to_vec(file).unwrap()).unwrap();
    check_entries(&entries, expected, &[9; 32])
}

#[test]
fn our_own_file_has_the_standard_keys_and_passes() {
    assert_eq!(check(&file(), Some(&network())), []);
    assert_eq!(check(&file(), None), []);
    let secret = Scalar::from_u64(5);
    let message = DepositMessage {
        pubkey: bls::public_key(&secret).unwrap().to_bytes(),
        credentials: WithdrawalCredentials::new(CredentialsKind::Eth1, Address([1; 20])),
        amount: Gwei(32_000_000_000),
    };
    let entry = DepositEntry::new(
        &DepositData {
            message,
            signature: [0; 96],
        },
        &network(),
    );
    let bytes = write_entries(&[entry]).unwrap();
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let keys: Vec<_> = value[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        [
            "amount",
            "deposit_cli_version",
            "deposit_data_root",
            "deposit_message_root",
            "fork_version",
            "network_name",
            "pubkey",
            "signature",
            "withdrawal_credentials"
        ]
    );
    assert_eq!(
        (&value[0]["amount"], &value[0]["fork_version"]),
        (&json!(32_000_000_000u64), &json!("10000910"))
    );
    assert_eq!(
        (&value[0]["network_name"], &value[0]["deposit_cli_version"]),
        (&json!("hoodi"), &json!("2.7.0"))
    );
}

#[test]
fn what_launchpads_tolerate_passes() {
    let mut file = file();
    let entry = file[1].as_object_mut().unwrap();
    let upper = entry["pubkey"].as_str().unwrap().to_ascii_uppercase();
    entry.insert("pubkey".into(), json!(upper));
    entry.insert("extra".into(), json!({"a": [null]}));
    entry.remove("network_name");
    assert_eq!(check(&file, None), []);
}

/// Each change alone is found, in its entry and in no other.
#[test]
fn every_single_change_is_found_and_named() {
    let changes: &[(&str, Value, &str)] = &[
        ("pubkey", json!("00"), "pubkey is not 96 hex"),
        (
            "pubkey",
            json!("11".repeat(48)),
            "not a valid BLS public key",
        ),
        (
            "withdrawal_credentials",
            json!(format!("00{}", "11".repeat(31))),
            "old form 0x00",
        ),
        (
            "withdrawal_credentials",
            json!(format!("03{}", "11".repeat(31))),
            "0x03",
        ),
        (
            "withdrawal_credentials",
            json!(format!("01{}", "11".repeat(31))),
            "11 zero bytes",
        ),
        (
            "withdrawal_credentials",
            json!(format!("01{}", "00".repeat(31))),
            "address is zero",
        ),
        (
            "withdrawal_credentials",
            json!(format!("0x{}", "11".repeat(32))),
            "64 hex",
        ),
        ("amount", json!("1000000000"), "whole number"),
        ("amount", json!(1e9), "whole number"),
        ("amount", json!(2_000_000_000u64), "does not verify"),
        ("amount", json!(999_999_999u64), "0.999999999 ETH"),
        ("amount", json!(32_000_000_001u64), "32.000000001 ETH"),
        (
            "signature",
            json!("00".repeat(96)),
            "not a valid BLS signature",
        ),
        (
            "signature",
            file()[0]["signature"].clone(),
            "does not verify",
        ),
        (
            "deposit_message_root",
            json!("00".repeat(32)),
            "deposit_message_root is not the root",
        ),
        (
            "deposit_data_root",
            json!("00".repeat(32)),
            "deposit_data_root is not the root",
        ),
        (
            "fork_version",
            json!("00000000"),
            "not that of the first entry",
        ),
        ("fork_version", json!("01020304"), "no known network"),
        (
            "network_name",
            json!("mainnet"),
            "network_name is not hoodi",
        ),
        ("network_name", json!(7), "network_name is not hoodi"),
        (
            "deposit_cli_version",
            json!(""),
            "deposit_cli_version is not",
        ),
        (
            "deposit_cli_version",
            json!("2.6.9"),
            "\"2.6.9\" is below 2.7.0",
        ),
    ];
    for (field, value, why) in changes {
        let mut file = file();
        file[2][*field] = value.clone();
        let findings = check(&file, None);
        assert!(
            findings.iter().all(|finding| finding.spot.entry == 3),
            "{field}: {findings:?}"
        );
        let text: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(
            text.iter().any(|text| text.contains(why)),
            "{field} {value}: {text:?}"
        );
        assert!(
            text.iter().all(|text| text.starts_with("entry 3 (pubkey ")),
            "{text:?}"
        );
    }
    for field in file()[2].as_object().unwrap().keys() {
        let mut file = file();
        file[2].as_object_mut().unwrap().remove(field);
        let found = check(&file, None)
            .iter()
            .any(|f| matches!(&f.problem, DepositProblem::Missing(name) if name == field));
        assert_eq!(found, field != "network_name", "{field}");
    }
}

#[test]
fn the_network_that_was_meant_is_compared() {
    let mainnet = Network::known("mainnet").unwrap().spec();
    let findings = check(&file(), Some(&mainnet));
    assert_eq!(findings.len(), 3);
    assert!(
        findings[0]
            .to_string()
            .contains("10000910, which is hoodi's; mainnet has 00000000")
    );
    // Not the file's word counts, but the network that is meant.
    let mut wrong = file();
    wrong[1]["fork_version"] = json!("00000000");
    wrong[1]["network_name"] = json!("mainnet");
    let problems = |file: &[Value], expected| -> Vec<String> {
        let findings = check(file, expected).into_iter();
        findings.map(|finding| finding.to_string()).collect()
    };
    let hoodi = network();
    let found = problems(&wrong, Some(&hoodi));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("00000000, which is mainnet's; hoodi has"));
    let found = problems(&wrong[1..2], None);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the signature is for hoodi, not for mainnet"));
    let found = problems(&wrong[1..2], Some(&mainnet));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the signature is for hoodi, not for mainnet"));
    let custom = NetworkSpec::new("devnet".into(), [1, 2, 3, 4], [0; 32]).unwrap();
    let file = [entry(5, CredentialsKind::Eth1, 32_000_000_000, &custom)];
    assert_eq!(check(&file, Some(&custom)), []);
    // What a rehearsal signs is refused everywhere but in its rehearsal.
    let rehearsal = network().rehearsal();
    let file = [entry(5, CredentialsKind::Eth1, 32_000_000_000, &rehearsal)];
    assert_eq!(check(&file, Some(&rehearsal)), []);
    assert!(matches!(
        check(&file, None)[0].problem,
        DepositProblem::UnknownFork(_)
    ));
    assert!(matches!(
        check(&file, Some(&network()))[0].problem,
        DepositProblem::OtherFork { .. }
    ));
}

#[test]
fn repetitions_between_entries_are_found() {
    let problems = |file: &[Value]| -> Vec<(usize, DepositProblem)> {
        check(file, None)
            .into_iter()
            .map(|f| (f.spot.entry, f.problem))
            .collect()
    };
    let mut twice = file();
    twice.push(twice[0].clone());
    assert_eq!(
        problems(&twice),
        [(4, DepositProblem::Duplicate("entry 1".into()))]
    );
    // A second instalment of one key is no repetition, but other credentials decide nothing.
    twice[3] = entry(5, CredentialsKind::Eth1, 1_000_000_000, &network());
    assert_eq!(problems(&twice), []);
    twice[3] = entry(5, CredentialsKind::Compounding, 1_000_000_000, &network());
    assert_eq!(
        problems(&twice),
        [(4, DepositProblem::CredentialsDiffer("entry 1".into()))]
    );
    let gnosis = Network::known("gnosis").unwrap().spec();
    let mixed = [
        entry(5, CredentialsKind::Eth1, 32_000_000_000, &gnosis),
        entry(6, CredentialsKind::Compounding, 32_000_000_000, &gnosis),
    ];
    assert_eq!(problems(&mixed), [(2, DepositProblem::GnosisCredentials)]);
}

/// A funder pays several files together.
#[test]
fn files_are_checked_together() {
    let parse = |file: &[Value]| parse_entries(&serde_json::to_vec(file).unwrap()).unwrap();
    let eth = 1_000_000_000;
    let first = parse(&[entry(5, CredentialsKind::Eth1, eth, &network())]);
    let rest = parse(&[
        entry(6, CredentialsKind::Eth1, eth, &network()),
        entry(5, CredentialsKind::Eth1, 31 * eth, &network()),
    ]);
    let found = |files: &[&[ForeignEntry]]| -> Vec<(Spot, String)> {
        let findings = check_files(files, None, &[9; 32]).into_iter();
        findings
            .map(|finding| (finding.spot, finding.problem.to_string()))
            .collect()
    };
    // Instalments of one validator.
    assert_eq!(found(&[&first, &rest]), []);
    let twice = found(&[&rest, &first, &first]);
    assert_eq!(twice.len(), 1, "{twice:?}");
    assert_eq!(twice[0].0, Spot { file: 3, entry: 1 });
    assert!(twice[0].1.contains("entry 1 of file 2 already"));
    let other = parse(&[entry(5, CredentialsKind::Compounding, 31 * eth, &network())]);
    let differs = found(&[&first, &other]);
    assert_eq!(differs.len(), 1, "{differs:?}");
    assert!(differs[0].1.starts_with("entry 1 of file 1 has the same"));
    let mainnet = Network::known("mainnet").unwrap().spec();
    let elsewhere = parse(&[entry(7, CredentialsKind::Eth1, eth, &mainnet)]);
    let mixed = found(&[&first, &elsewhere]);
    assert!(
        mixed[0].1.contains("deposits go to one network"),
        "{mixed:?}"
    );
}

#[test]
fn versions_are_compared_as_numbers() {
    for (version, recent) in [
        ("2.7.0", true),
        ("2.10.0", true),
        ("10.0.0+build", true),
        ("1.3.1", false),
        ("2.7", false),
        ("2.7.0-rc.1", false),
        ("+2.7.0", false),
        ("v2.7.0", false),
        ("2.7.0.1", false),
        ("", false),
    ] {
        assert_eq!(is_recent(version), recent, "{version}");
    }
}
