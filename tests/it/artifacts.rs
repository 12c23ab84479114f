//! What a complete ceremony leaves behind.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use conclave::ambient::OsRandomness;
use conclave::artifacts::cluster::Cluster;
use conclave::artifacts::{
    ArtifactError, Keystores, Purpose, Recorded, Request, Written, write as write_artifacts,
};
use conclave::ceremony::plan::{Draft, Validator};
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::{Observer, Stage, Unobserved};
use conclave::crypto::bls::{self, SigningRoot};
use conclave::crypto::point::{G1, G2};
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::deposit::{check_entries, parse_entries};
use conclave::ethereum::keystore::{Capacity, KdfChoice, Keystore};
use conclave::ethereum::network::Network;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::json::{Hex, encode_hex};
use conclave::secret::Passphrase;
use conclave::store::disk::{Disk, RealDisk};
use serde_json::Value;

use crate::harness::ceremony::{CREATED, Ceremony, ETH, draft, keygen, play, players};
use crate::harness::disk::{Death, FaultDisk, assert_nowhere, at_every_death, every_file};
use crate::harness::flips::Flips;
use crate::harness::schema;

/// Three validators among four operators.
static BIG: LazyLock<Ceremony> =
    LazyLock::new(|| keygen(4, &Network::known("hoodi").unwrap().spec()));

/// One validator with one deposit, two operators: for tests that write many times.
static SMALL: LazyLock<Ceremony> = LazyLock::new(|| {
    let players = players(&[3, 8]);
    let mut draft = draft(&players);
    draft.validators.truncate(1);
    play(draft, players)
});

const PBKDF2: Keystores<'_> = Keystores::Generated(KdfChoice::Pbkdf2);

fn everything() -> Capacity {
    Capacity::free(8, None)
}

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Writes the artifacts of the operator at a position; of a witness without one.
fn write(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    ceremony: &Ceremony,
    operator: Option<usize>,
    keystores: Keystores<'_>,
) -> Result<Written, ArtifactError> {
    let list = ceremony.board.list();
    let request = Request {
        plan: ceremony.plan.keygen().unwrap(),
        outcome: &ceremony.outcome,
        own: operator.map(|position| ceremony.shares(position)),
        keystores,
        capacity: everything(),
        messages: Recorded {
            messages: &ceremony.board,
            list: &list,
        },
        codes: &ceremony.codes,
    };
    write_artifacts(disk, directory, &request, &mut OsRandomness, &Unobserved)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file below a directory, relative to it.
fn names(directory: &Path) -> BTreeSet<String> {
    every_file(directory)
        .into_iter()
        .map(|(path, _)| {
            path.strip_prefix(directory)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn hex<const N: usize>(value: &Value) -> [u8; N] {
    let text = value.as_str().unwrap();
    Hex::parse(text.strip_prefix("0x").unwrap_or(text))
        .unwrap()
        .0
}

fn group_keys(ceremony: &Ceremony) -> Vec<String> {
    let keys = ceremony.outcome.sharing().group_keys();
    keys.map(|key| encode_hex(&key.to_bytes())).collect()
}

#[test]
fn an_operator_finds_every_file_under_its_name() {
    let ceremony = &*BIG;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("new").join("out");
    let written = write(&real(), &directory, ceremony, Some(1), PBKDF2).unwrap();
    assert!(!written.already);
    let counts = schema::assert_files(&directory);
    assert!(counts.contains_key("builder-registrations"), "{counts:?}");

    let mut expected: BTreeSet<String> = [
        "deposit_data-1790000000-1000000000.json",
        "deposit_data-1790000000-31000000000.json",
        "deposit_data-1790000000-32000000000.json",
        "deposit_data-1790000000-1000000000001.json",
        "builder_registrations-1790000000.json",
        "cluster.json",
        "report.html",
        "record/plan.json",
        "record/pool-no1-east.outcome.json",
    ]
    .map(str::to_owned)
    .into();
    for v in 0..3 {
        for extension in ["json", "txt"] {
            expected.insert(format!(
                "validator_keys/keystore-m_12381_3600_{v}_0_0-1790000000.{extension}"
            ));
        }
    }
    for i in 1..=4 {
        expected.insert(format!("record/messages/1-deal-{i}-operator-{i}.json"));
        expected.insert(format!("record/messages/2-confirm-{i}-operator-{i}.json"));
    }
    assert_eq!(names(&directory), expected);
    let listed = written
        .files
        .iter()
        .map(|file| file.path.to_str().unwrap().to_owned());
    assert_eq!(listed.collect::<BTreeSet<_>>(), expected);
    assert_eq!(written.files.len(), expected.len());
    for file in &written.files {
        let path = directory.join(&file.path);
        let secret = file.path.starts_with("validator_keys");
        assert_eq!(file.purpose.is_secret(), secret);
        assert_eq!(
            mode(&path),
            if secret { 0o600 } else { 0o644 },
            "{}",
            path.display()
        );
        let passphrase = file.path.extension().unwrap() == "txt";
        assert_eq!(file.purpose == Purpose::Passphrase, passphrase);
    }
    assert_eq!(mode(&directory), 0o755);
    assert_eq!(mode(&directory.join("validator_keys")), 0o700);
    // Nothing beside it.
    assert_eq!(
        fs::read_dir(directory.parent().unwrap()).unwrap().count(),
        1
    );

    let record = directory.join("record");
    assert_eq!(
        fs::read(record.join("plan.json")).unwrap(),
        ceremony.plan.bytes()
    );
    assert_eq!(
        fs::read(record.join("pool-no1-east.outcome.json")).unwrap(),
        ceremony.outcome.to_bytes().unwrap()
    );
    for (label, bytes) in &ceremony.board.0 {
        assert_eq!(
            &fs::read(record.join("messages").join(label)).unwrap(),
            bytes
        );
    }
    for share in &ceremony.shares(1).shares {
        share
            .to_bytes()
            .expose(|bytes| assert_nowhere(place.path(), bytes));
    }
}

#[test]
fn deposit_data_and_registrations_are_what_was_planned_and_verify() {
    let ceremony = &*BIG;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    write(&real(), &directory, ceremony, None, Keystores::None).unwrap();
    let keys = group_keys(ceremony);
    let credentials =
        |prefix: &str, byte: &str| format!("{prefix}{}{}", "00".repeat(11), byte.repeat(20));
    let (a, b, c) = (
        credentials("01", "a1"),
        credentials("01", "b2"),
        credentials("02", "c3"),
    );
    let expected: [(u64, &[(usize, &str)]); 4] = [
        (ETH, &[(1, &b)]),
        (31 * ETH, &[(1, &b)]),
        (32 * ETH, &[(0, &a), (2, &c)]),
        (1000 * ETH + 1, &[(2, &c)]),
    ];
    for (amount, rows) in expected {
        let path = directory.join(format!("deposit_data-{CREATED}-{amount}.json"));
        let entries = parse_entries(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(check_entries(&entries, None, &[3; 32]), []);
        let Value::Array(entries) = json(path) else {
            panic!("not an array");
        };
        assert_eq!(entries.len(), rows.len());
        for (entry, (v, credentials)) in entries.iter().zip(rows) {
            assert_eq!(entry["pubkey"], keys[*v].as_str());
            assert_eq!(entry["withdrawal_credentials"], *credentials);
            assert_eq!(entry["amount"], amount);
            assert_eq!(entry["fork_version"], "10000910");
            assert_eq!(entry["network_name"], "hoodi");
        }
    }
    let registrations = json(directory.join(format!("builder_registrations-{CREATED}.json")));
    assert_eq!(registrations.as_array().unwrap().len(), 1);
    let message = &registrations[0]["message"];
    assert_eq!(message["pubkey"], format!("0x{}", keys[1]));
    assert_eq!(message["fee_recipient"], format!("0x{}", "fe".repeat(20)));
    assert_eq!(message["gas_limit"], "60000000");
    assert_eq!(message["timestamp"], CREATED.to_string());
    let root = ceremony
        .plan
        .keygen()
        .unwrap()
        .messages(ceremony.outcome.sharing())[1][2];
    let signature = G2::from_bytes(&hex(&registrations[0]["signature"])).unwrap();
    let key = G1::from_bytes(&hex(&message["pubkey"])).unwrap();
    assert!(bls::verify(&key, &root, &signature));
}

#[test]
fn keystores_of_t_operators_sign_for_the_validators() {
    let ceremony = &*BIG;
    let place = tempfile::tempdir().unwrap();
    let root = SigningRoot([0x5a; 32]);
    let mut unique: BTreeSet<String> = BTreeSet::new();
    let mut partials: Vec<Vec<G2>> = vec![Vec::new(); 3];
    for operator in [0, 1, 3] {
        let directory = place.path().join(operator.to_string());
        write(&real(), &directory, ceremony, Some(operator), PBKDF2).unwrap();
        for (v, partials) in partials.iter_mut().enumerate() {
            let stem = format!("keystore-m_12381_3600_{v}_0_0-{CREATED}");
            let path = directory.join("validator_keys").join(stem);
            let bytes = fs::read(path.with_extension("json")).unwrap();
            let passphrase = fs::read_to_string(path.with_extension("txt")).unwrap();
            assert_eq!(
                (passphrase.len(), passphrase.trim()),
                (29, passphrase.as_str())
            );
            let keystore = Keystore::parse(&bytes).unwrap();
            assert_eq!(keystore.path(), format!("m/12381/3600/{v}/0/0"));
            assert_eq!(
                keystore.description(),
                format!(
                    "Pool №1, east: share {} of 4 (threshold 3), validator {v}",
                    operator + 1
                )
            );
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(value["crypto"]["kdf"]["function"], "pbkdf2");
            for part in [
                &value["uuid"],
                &value["crypto"]["kdf"]["params"]["salt"],
                &value["crypto"]["cipher"]["params"]["iv"],
            ] {
                assert!(unique.insert(part.as_str().unwrap().to_owned()));
            }
            assert!(unique.insert(passphrase.clone()));
            // The real key derivation, from the files alone.
            let secret = keystore
                .decrypt(&Passphrase::new(passphrase).unwrap())
                .unwrap();
            let secret = secret.expose(Scalar::from_bytes).unwrap();
            let public = ceremony
                .outcome
                .sharing()
                .shares_of(operator)
                .nth(v)
                .unwrap();
            assert_eq!(G1::generator_times(&secret), Some(*public));
            assert_eq!(keystore.pubkey(), &public.to_bytes());
            partials.push(bls::sign(&secret, &root).unwrap());
        }
    }
    assert_eq!(unique.len(), 3 * 3 * 4);
    for (key, partials) in ceremony.outcome.sharing().group_keys().zip(&partials) {
        let signature = bls::combine(&[1, 2, 4], partials).unwrap();
        assert!(bls::verify(key, &root, &signature));
    }
}

#[test]
fn a_chosen_passphrase_is_written_nowhere() {
    let ceremony = &*SMALL;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    let passphrase = Passphrase::new("a passphrase of mine".into()).unwrap();
    let scrypt = Keystores::Chosen(KdfChoice::Scrypt, &passphrase);
    write(&real(), &directory, ceremony, Some(0), scrypt).unwrap();
    let keys = names(&directory.join("validator_keys"));
    assert_eq!(
        keys,
        [format!("keystore-m_12381_3600_0_0_0-{CREATED}.json")].into()
    );
    assert_nowhere(place.path(), b"a passphrase of mine");
    let bytes = fs::read(directory.join("validator_keys").join(keys.first().unwrap())).unwrap();
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["crypto"]["kdf"]["params"]["n"], 262_144);
    let secret = Keystore::parse(&bytes)
        .unwrap()
        .decrypt(&passphrase)
        .unwrap();
    assert!(secret.ct_eq(&ceremony.shares(0).shares[0].to_bytes()));

    // The same passphrase opens what stands there, another one does not.
    let again = write(&real(), &directory, ceremony, Some(0), scrypt).unwrap();
    assert!(again.already);
    let other = Passphrase::new("a passphrase of yours".into()).unwrap();
    let scrypt = Keystores::Chosen(KdfChoice::Scrypt, &other);
    let error = write(&real(), &directory, ceremony, Some(0), scrypt).unwrap_err();
    assert!(error.to_string().contains("does not open"), "{error}");
}

#[test]
fn a_witness_gets_the_public_files_and_one_amount_needs_one_file() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    let ceremony = &*SMALL;
    write(&real(), &directory, ceremony, None, PBKDF2).unwrap();
    let expected = [
        "cluster.json",
        "deposit_data-1790000000.json",
        "record/messages/1-deal-3-operator-3.json",
        "record/messages/1-deal-8-operator-8.json",
        "record/messages/2-confirm-3-operator-3.json",
        "record/messages/2-confirm-8-operator-8.json",
        "record/plan.json",
        "record/pool-no1-east.outcome.json",
        "report.html",
    ];
    assert_eq!(names(&directory), expected.map(str::to_owned).into());
}

#[test]
fn a_rehearsal_says_so_in_every_file_and_is_valid_nowhere() {
    let players = players(&[1, 2, 3]);
    let mut draft = Draft {
        network: Network::known("gnosis").unwrap().spec().rehearsal(),
        ..draft(&players)
    };
    draft.validators[1].deposits = vec![Gwei(32 * ETH)];
    draft.validators[1].withdrawal_address = draft.validators[0].withdrawal_address;
    draft.validators.truncate(2);
    let ceremony = play(draft, players);
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    write(&real(), &directory, &ceremony, Some(2), PBKDF2).unwrap();
    let path = directory.join(format!("deposit_data-{CREATED}.json"));
    let entries = parse_entries(&fs::read(&path).unwrap()).unwrap();
    let findings = check_entries(&entries, None, &[3; 32]);
    assert!(findings.iter().any(|finding| !finding.problem.is_warning()));
    let deposits = json(path);
    assert_eq!(deposits.as_array().unwrap().len(), 2);
    assert_eq!(deposits[0]["network_name"], "gnosis-rehearsal");
    assert_eq!(json(directory.join("cluster.json"))["rehearsal"], true);
    let keystore = format!("validator_keys/keystore-m_12381_3600_1_0_0-{CREATED}.json");
    let description = json(directory.join(keystore))["description"].to_string();
    assert!(
        description.ends_with("validator 1 REHEARSAL\""),
        "{description}"
    );
}

/// What the plan of `draft` with these validators leaves as deposit data, by name; with how many
/// entries, withdrawal credentials and problems.
fn deposit_files(network: &str, validators: Vec<Validator>) -> Vec<(String, usize, usize, usize)> {
    let players = players(&[1, 2]);
    let network = Network::known(network).unwrap().spec();
    let ceremony = play(
        Draft {
            network: network.clone(),
            validators,
            ..draft(&players)
        },
        players,
    );
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    write(&real(), &directory, &ceremony, None, Keystores::None).unwrap();
    // The same names and bytes again.
    assert!(
        write(&real(), &directory, &ceremony, None, Keystores::None)
            .unwrap()
            .already
    );
    let names = names(&directory)
        .into_iter()
        .filter(|name| name.starts_with("deposit_data"));
    names
        .map(|name| {
            let bytes = fs::read(directory.join(&name)).unwrap();
            let entries = parse_entries(&bytes).unwrap();
            let findings = check_entries(&entries, Some(&network), &[3; 32]);
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            let credentials = value.as_array().unwrap().iter();
            let credentials: BTreeSet<String> = credentials
                .map(|entry| entry["withdrawal_credentials"].to_string())
                .collect();
            (name, entries.len(), credentials.len(), findings.len())
        })
        .collect()
}

#[test]
fn gnosis_takes_one_credential_a_file_and_ethereum_one_file() {
    let validator = |byte: u8, credentials: CredentialsKind, deposits: &[u64]| Validator {
        withdrawal_address: Address([byte; 20]),
        credentials,
        deposits: deposits.iter().map(|amount| Gwei(*amount)).collect(),
        registration: None,
    };
    let (eth1, compounding) = (CredentialsKind::Eth1, CredentialsKind::Compounding);
    let three = vec![
        validator(0xab, eth1, &[32 * ETH]),
        validator(0x11, eth1, &[32 * ETH]),
        validator(0xab, eth1, &[32 * ETH]),
        validator(0xab, compounding, &[32 * ETH]),
    ];
    let name = |rest: &str| format!("deposit_data-{CREATED}{rest}.json");
    let (ab, eleven) = ("ab".repeat(20), "11".repeat(20));
    assert_eq!(
        deposit_files("gnosis", three.clone()),
        [
            (name(&format!("-0x01-{eleven}")), 1, 1, 0),
            (name(&format!("-0x01-{ab}")), 2, 1, 0),
            (name(&format!("-0x02-{ab}")), 1, 1, 0),
        ]
    );
    let one = vec![three[0].clone(), three[2].clone()];
    assert_eq!(deposit_files("chiado", one), [(name(""), 2, 1, 0)]);
    let instalments = vec![
        validator(0xab, eth1, &[ETH, 31 * ETH]),
        validator(0x11, eth1, &[ETH, 31 * ETH]),
    ];
    let amounts = [1, 31].map(|amount| amount * ETH);
    let both = |amount: &u64, address: &str| (name(&format!("-{amount}-0x01-{address}")), 1, 1, 0);
    assert_eq!(
        deposit_files("gnosis", instalments),
        [
            both(&amounts[0], &eleven),
            both(&amounts[0], &ab),
            both(&amounts[1], &eleven),
            both(&amounts[1], &ab),
        ]
    );
    for network in ["hoodi", "mainnet"] {
        let files = deposit_files(network, three.clone());
        let [(file, 4, 3, _)] = files.as_slice() else {
            panic!("{files:?}")
        };
        assert_eq!(*file, name(""));
    }
}

#[test]
fn the_cluster_is_public_and_its_file_is_checked() {
    let ceremony = &*BIG;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    write(&real(), &directory, ceremony, None, Keystores::None).unwrap();
    let bytes = fs::read(directory.join("cluster.json")).unwrap();
    let cluster = Cluster::parse(&bytes).unwrap();
    assert_eq!(cluster.to_bytes().unwrap(), bytes);
    assert_eq!(cluster.sharing(), ceremony.outcome.sharing());
    assert_eq!(cluster.cid(), ceremony.plan.cid());
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        value["outcome"],
        ceremony.outcome.hash().unwrap().to_string()
    );
    assert_eq!(
        (&value["threshold"], &value["epoch"]),
        (&3.into(), &0.into())
    );
    assert_eq!(value["operators"][3]["name"], "operator 4");
    assert_eq!(
        value["validators"][1]["public_key"],
        group_keys(ceremony)[1].as_str()
    );
    assert_eq!(value["validators"][2]["credentials"], "0x02");
    assert_eq!(value.get("rehearsal"), None);

    let spoil = |change: &dyn Fn(&mut Value), why: &str| {
        let mut value = value.clone();
        change(&mut value);
        let error = Cluster::parse(value.to_string().as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{why}: {error}");
    };
    spoil(&|v| v["version"] = 2.into(), "version 2");
    spoil(&|v| v["epoch"] = 1.into(), "epoch 1");
    spoil(&|v| v["threshold"] = 1.into(), "impossible");
    spoil(&|v| v["threshold"] = 5.into(), "impossible");
    spoil(&|v| v["threshold"] = 2.into(), "number of coefficients");
    spoil(&|v| v["rehearsal"] = true.into(), "contradict");
    spoil(&|v| v["more"] = 1.into(), "unknown field");
    spoil(
        &|v| v["operators"][1]["index"] = 1.into(),
        "distinct indices",
    );
    spoil(
        &|v| v["operators"][1]["index"] = 0.into(),
        "no operator index",
    );
    spoil(
        &|v| v["operators"][1]["index"] = 1000.into(),
        "distinct indices",
    );
    spoil(&|v| v["operators"][3]["index"] = 1000.into(), "validator 0");
    spoil(
        &|v| v["operators"][1]["name"] = "Operator 1".into(),
        "one name",
    );
    let other = value["operators"][0]["identity"].clone();
    spoil(
        &|v| v["operators"][1]["identity"] = other.clone(),
        "identity",
    );
    spoil(&|v| v["validators"] = Value::Array(vec![]), "no validator");
    let twin = value["validators"][0].clone();
    spoil(
        &|v| {
            v["validators"][1] = twin.clone();
            v["validators"][1]["position"] = 1.into();
        },
        "one public key",
    );
    spoil(&|v| v["validators"][1]["position"] = 0.into(), "positions");
    let share = value["validators"][0]["public_shares"][1].clone();
    spoil(
        &|v| v["validators"][0]["public_shares"][0] = share.clone(),
        "validator 0",
    );
    spoil(
        &|v| v["validators"][2]["public_key"] = share.clone(),
        "validator 2",
    );
    spoil(
        &|v| v["validators"][2]["polynomial"][1] = share.clone(),
        "validator 2",
    );
    let infinity = Value::from(format!("c0{}", "00".repeat(47)));
    spoil(
        &|v| v["validators"][0]["polynomial"][2] = infinity.clone(),
        "coefficient 2",
    );
    spoil(
        &|v| v["validators"][0]["withdrawal_address"] = "0x00".into(),
        "",
    );
}

#[test]
fn what_stands_there_complete_is_verified_and_left_as_it_is() {
    let ceremony = &*SMALL;
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("out");
    // An empty directory is a place as good as none.
    fs::create_dir(&directory).unwrap();
    let first = write(&real(), &directory, ceremony, Some(1), PBKDF2).unwrap();
    let before = every_file(&directory);
    let again = write(&real(), &directory, ceremony, Some(1), PBKDF2).unwrap();
    assert!(again.already && !first.already);
    let sorted = |written: &Written| {
        let mut paths: Vec<_> = written.files.iter().map(|file| file.path.clone()).collect();
        paths.sort();
        paths
    };
    assert_eq!(sorted(&again), sorted(&first));
    assert_eq!(every_file(&directory), before);

    // Anything else is refused, and nothing is touched.
    let refused = |operator, keystores, why: &str| {
        let before = every_file(place.path());
        let error = write(&real(), &directory, ceremony, operator, keystores).unwrap_err();
        assert!(matches!(error, ArtifactError::Occupied { .. }), "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert_eq!(every_file(place.path()), before);
    };
    refused(Some(0), PBKDF2, "another share");
    refused(None, PBKDF2, "validator_keys is none of them");
    let extra = directory.join("record/messages/.hidden");
    fs::write(&extra, "x").unwrap();
    refused(Some(1), PBKDF2, "hidden");
    fs::remove_file(extra).unwrap();
    for path in every_file(&directory).into_iter().map(|(path, _)| path) {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        refused(Some(1), PBKDF2, "");
        let mut changed = bytes.clone();
        let middle = bytes.len() / 2;
        changed[middle] ^= 1;
        // A message's signature decides; any other byte of a public file counts by itself.
        fs::write(&path, &changed).unwrap();
        refused(Some(1), PBKDF2, "");
        fs::write(&path, &bytes).unwrap();
    }
    assert!(
        write(&real(), &directory, ceremony, Some(1), PBKDF2)
            .unwrap()
            .already
    );
}

#[test]
fn what_conclave_did_not_make_is_left_alone() {
    let ceremony = &*SMALL;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("foreign")).unwrap();
    fs::write(at("foreign/letter"), "dear").unwrap();
    fs::write(at("file"), "dear").unwrap();
    symlink(at("foreign"), at("link")).unwrap();
    fs::create_dir(at(".new-partial-conclave")).unwrap();
    fs::write(at(".new-partial-conclave/letter"), "dear").unwrap();
    let before = every_file(place.path());
    for name in ["foreign", "file", "link", "new"] {
        let error = write(&real(), &at(name), ceremony, Some(0), PBKDF2).unwrap_err();
        let expected = matches!(
            (name, &error),
            ("new", ArtifactError::InTheWay(_)) | (_, ArtifactError::Occupied { .. })
        );
        assert!(expected, "{error}");
        assert_eq!(every_file(place.path()), before);
        assert!(!at("new").exists());
    }
    for name in ["/", ".."] {
        let error = write(&real(), Path::new(name), ceremony, None, PBKDF2);
        assert!(error.is_err());
    }
}

#[test]
fn parts_of_different_ceremonies_are_refused_before_anything_is_written() {
    let (one, other) = (&*SMALL, &*BIG);
    let place = tempfile::tempdir().unwrap();
    let players = players(&[3, 8]);
    let mut draft = draft(&players);
    draft.validators.truncate(1);
    draft.random = [8; 32];
    let twin = play(draft, players);
    let attempt = |plan, outcome, own, why: &str| {
        let request = Request {
            plan,
            outcome,
            own,
            keystores: PBKDF2,
            capacity: everything(),
            messages: Recorded {
                messages: &one.board,
                list: &[],
            },
            codes: &one.codes,
        };
        let path = place.path().join("out");
        let error = write_artifacts(&real(), &path, &request, &mut OsRandomness, &Unobserved);
        let error = error.unwrap_err();
        assert!(matches!(error, ArtifactError::Mismatch(_)), "{error}");
        assert!(error.to_string().starts_with(why), "{error}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    };
    attempt(
        one.plan.keygen().unwrap(),
        &other.outcome,
        None,
        "the outcome",
    );
    attempt(
        one.plan.keygen().unwrap(),
        &twin.outcome,
        None,
        "the outcome",
    );
    attempt(
        one.plan.keygen().unwrap(),
        &one.outcome,
        Some(other.shares(0)),
        "the shares",
    );
    attempt(
        one.plan.keygen().unwrap(),
        &one.outcome,
        Some(twin.shares(0)),
        "the shares",
    );
    let blob = one.shares(0).to_blob().unwrap();
    let copy = || OwnShares::from_blob(&blob).unwrap();
    let (mut wrong, mut none) = (copy(), copy());
    wrong.shares[0] = Scalar::from_u64(5);
    none.shares.clear();
    attempt(
        one.plan.keygen().unwrap(),
        &one.outcome,
        Some(&wrong),
        "a share",
    );
    attempt(
        one.plan.keygen().unwrap(),
        &one.outcome,
        Some(&none),
        "a share",
    );
}

#[test]
fn after_a_death_at_any_step_the_same_command_completes() {
    let ceremony = &*SMALL;
    let complete = {
        let place = tempfile::tempdir().unwrap();
        write(
            &real(),
            &place.path().join("out"),
            ceremony,
            Some(0),
            PBKDF2,
        )
        .unwrap();
        names(place.path())
    };
    // Before a step is after the one before it.
    let deaths = at_every_death(&[Death::Torn, Death::After], |disk| {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("out");
        let died: Arc<dyn Disk> = disk.clone();
        let result = write(&died, &directory, ceremony, Some(0), PBKDF2);
        assert_eq!(result.is_err(), disk.died());
        if directory.exists() {
            assert_eq!(names(&directory).len(), complete.len());
        }
        write(&real(), &directory, ceremony, Some(0), PBKDF2).unwrap();
        assert_eq!(names(place.path()), complete);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    });
    assert!(deaths > 40, "{deaths}");
}

#[test]
fn a_disk_that_keeps_other_bytes_is_caught_at_every_file() {
    let ceremony = &*SMALL;
    let mut caught = 0;
    for step in 0.. {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("out");
        let disk = Arc::new(Flips::at(step));
        let flipping: Arc<dyn Disk> = disk.clone();
        let result = write(&flipping, &directory, ceremony, Some(0), PBKDF2);
        if disk.left() > 0 {
            result.unwrap();
            break;
        }
        if let Err(error) = result {
            assert!(error.to_string().contains("read back"), "{error}");
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
            caught += 1;
        }
    }
    // All but the marker, which is empty.
    assert_eq!(caught, 11);

    let place = tempfile::tempdir().unwrap();
    let lying: Arc<dyn Disk> = FaultDisk::lying();
    write(&lying, &place.path().join("out"), ceremony, Some(0), PBKDF2).unwrap_err();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    for disk in [FaultDisk::full(), FaultDisk::read_only()] {
        let disk: Arc<dyn Disk> = disk;
        let error = write(&disk, &place.path().join("out"), ceremony, Some(0), PBKDF2);
        assert!(matches!(error, Err(ArtifactError::Disk(_))));
        assert!(!place.path().join("out").exists());
    }
}

#[test]
fn progress_is_told_for_every_keystore() {
    #[derive(Default)]
    struct Watch(Mutex<Vec<(usize, usize)>>, Mutex<Vec<&'static str>>);
    impl Observer for Watch {
        fn enter(&self, stage: Stage) {
            assert_eq!(stage, Stage::Keystores);
            self.1.lock().unwrap().push("enter");
        }
        fn leave(&self, _: Stage) {
            self.1.lock().unwrap().push("leave");
        }
        fn progress(&self, _: Stage, done: usize, total: usize) {
            self.0.lock().unwrap().push((done, total));
        }
    }
    let ceremony = &*BIG;
    let place = tempfile::tempdir().unwrap();
    let watch = Watch::default();
    let request = Request {
        plan: ceremony.plan.keygen().unwrap(),
        outcome: &ceremony.outcome,
        own: Some(ceremony.shares(0)),
        keystores: PBKDF2,
        capacity: everything(),
        messages: Recorded {
            messages: &ceremony.board,
            list: &[],
        },
        codes: &ceremony.codes,
    };
    let directory = place.path().join("out");
    write_artifacts(&real(), &directory, &request, &mut OsRandomness, &watch).unwrap();
    let mut seen = watch.0.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, [(1, 3), (2, 3), (3, 3)]);
    assert_eq!(watch.1.into_inner().unwrap(), ["enter", "leave"]);
}
