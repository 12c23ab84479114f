//! `keystore check`, on files of any tool.

use conclave::ambient::OsRandomness;
use conclave::crypto::bls;
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::keystore::{KdfChoice, Keystore};
use conclave::json::encode_hex;
use conclave::secret::Passphrase;
use serde_json::{Value, json};

use crate::harness::binary::Desk;

const PASSPHRASE: &str = "open sesame, once more";

fn keystore(secret: u64) -> (String, Vec<u8>) {
    let secret = Scalar::from_u64(secret);
    let pubkey = bls::public_key(&secret).unwrap().to_bytes();
    let passphrase = Passphrase::new(PASSPHRASE.to_owned()).unwrap();
    let (keystore, _) = Keystore::encrypt(
        &secret.to_bytes(),
        &pubkey,
        &passphrase,
        KdfChoice::Pbkdf2,
        "m/12381/3600/0/0",
        "",
        &mut OsRandomness,
    )
    .unwrap();
    (encode_hex(&pubkey), keystore.to_bytes().unwrap())
}

#[test]
fn keystores_are_opened_and_compared_with_their_keys() {
    let desk = Desk::new();
    let (first, bytes) = keystore(11);
    desk.write("keys/keystore-0.json", &bytes);
    desk.write("keys/keystore-0.txt", PASSPHRASE);
    let (second, bytes) = keystore(12);
    desk.write("keys/keystore-1.json", &bytes);
    desk.write("keys/notes.json", "{}");
    desk.write("pass", format!("{PASSPHRASE}\n"));
    desk.write("wrong", "open barley");

    let line = |file: &str, pubkey: &str, opened: &str| {
        format!("keys/{file}: ok, pubkey {pubkey}, pbkdf2 c=262144, {opened}\n")
    };
    let opened = "decrypted, the secret has this public key";
    assert_eq!(
        desk.ok(&["keystore", "check", "keys"]),
        line("keystore-0.json", &first, opened)
            + &line("keystore-1.json", &second, "not decrypted")
    );
    assert_eq!(
        desk.ok(&["keystore", "check", "keys", "--passphrase-file", "pass"]),
        line("keystore-0.json", &first, opened) + &line("keystore-1.json", &second, opened)
    );
    let plain = desk.ok(&["keystore", "check", "keys", "--no-decrypt"]);
    assert_eq!(plain.matches("not decrypted").count(), 2);

    let mut swapped: Value = serde_json::from_slice(&desk.read("keys/keystore-1.json")).unwrap();
    swapped["pubkey"] = json!(first);
    desk.write("keys/keystore-2.json", swapped.to_string());
    let ended = desk.refused(
        &[
            "keystore",
            "check",
            "keys",
            "--passphrase-file",
            "pass",
            "--json",
        ],
        1,
        &["1 of 3 keystores failed; no file was changed"],
    );
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    keeps_to_schema(&report);
    let row = &report["keystores"][2];
    assert_eq!(
        (&row["ok"], &row["decrypted"]),
        (&json!(false), &json!(false))
    );
    assert!(row["problem"].as_str().unwrap().contains(&second), "{row}");
    assert!(
        row["warnings"][0]
            .as_str()
            .unwrap()
            .contains("has the same public key"),
        "{row}"
    );

    let wrong = [
        "keystore",
        "check",
        "keys/keystore-0.json",
        "--passphrase-file",
        "wrong",
    ];
    let ended = desk.refused(&wrong, 1, &["1 of 1 keystore failed"]);
    assert!(
        ended
            .stdout
            .contains("FAILED: wrong passphrase, or the keystore is damaged")
    );
    assert!(!format!("{ended:?}").contains("barley"));

    // Cheap to guess: allowed, and said.
    let mut cheap = swapped;
    cheap["crypto"]["kdf"]["params"]["c"] = json!(1000);
    desk.write("cheap.json", cheap.to_string());
    let ended = desk.run(&["keystore", "check", "cheap.json"]);
    assert_eq!(ended.code, 0);
    assert!(
        ended
            .stderr
            .contains("warning: cheap.json: pbkdf2 c=1000 is below the usual cost")
    );

    desk.write("empty/x", "");
    desk.refused(
        &["keystore", "check", "empty"],
        1,
        &["empty: holds no keystore*.json file"],
    );
    let ended = desk.refused(
        &["keystore", "check", "absent", "empty/x"],
        1,
        &["2 of 2 keystores"],
    );
    assert!(
        ended
            .stdout
            .contains("absent: FAILED: absent does not exist\n"),
        "{ended:?}"
    );
}

fn keeps_to_schema(report: &Value) {
    let schema = include_str!("../../schemas/keystore-check.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}: {report}");
}

/// What opens is read, whoever wrote it; who refuses it is said.
#[test]
fn unusual_keystores_open_and_those_who_refuse_them_are_named() {
    let desk = Desk::new();
    let (pubkey, bytes) = keystore(21);
    let plain: Value = serde_json::from_slice(&bytes).unwrap();
    let all = ["ethstaker-deposit-cli", "Lodestar", "Lighthouse"];
    type Change = fn(&mut Value);
    let changes: [(&str, Change, &[&str]); 9] = [
        ("plain", |_| {}, &[]),
        ("name", |file| file["name"] = json!("x"), &[]),
        (
            "description",
            |file| drop(file.as_object_mut().unwrap().remove("description")),
            &[],
        ),
        (
            "upper",
            |file| {
                let message = &mut file["crypto"]["cipher"]["message"];
                *message = json!(message.as_str().unwrap().to_ascii_uppercase());
            },
            &[],
        ),
        (
            "prefix",
            |file| file["pubkey"] = json!(format!("0x{}", file["pubkey"].as_str().unwrap())),
            &all,
        ),
        (
            "missing",
            |file| drop(file.as_object_mut().unwrap().remove("pubkey")),
            &["ethstaker-deposit-cli", "Lighthouse"],
        ),
        (
            "path",
            |file| file["path"] = json!(""),
            &["ethstaker-deposit-cli"],
        ),
        (
            "uuid",
            |file| file["uuid"] = json!("1"),
            &["Lodestar", "Lighthouse"],
        ),
        (
            "extra",
            |file| file["crypto"]["extra"] = json!(1),
            &["Lighthouse"],
        ),
    ];
    desk.write("pass", PASSPHRASE);
    for (name, change, refused_by) in changes {
        let mut file = plain.clone();
        change(&mut file);
        desk.write("one.json", file.to_string());
        let args = [
            "keystore",
            "check",
            "one.json",
            "--keystore-passphrase-file",
            "pass",
            "--json",
        ];
        let report: Value = serde_json::from_str(&desk.ok(&args)).unwrap();
        keeps_to_schema(&report);
        let row = &report["keystores"][0];
        assert_eq!(
            (&row["decrypted"], &row["pubkey"]),
            (&json!(true), &json!(pubkey)),
            "{name}"
        );
        let clients: Vec<&str> = row["refused_by"]
            .as_array()
            .unwrap()
            .iter()
            .map(|refusal| refusal["client"].as_str().unwrap())
            .collect();
        assert_eq!(clients, refused_by, "{name}");
    }
    // Nothing is remarked that cannot be opened anyway.
    for (field, value) in [
        ("version", json!(3)),
        ("crypto", json!([])),
        ("pubkey", json!("xy")),
    ] {
        let mut file = plain.clone();
        file[field] = value;
        desk.write("one.json", file.to_string());
        desk.refused(&["keystore", "check", "one.json"], 1, &["1 of 1 keystore"]);
    }
}

/// Passphrases are found where other tools keep them, and a newline at their end is no part of them.
#[test]
fn the_folders_of_other_tools_are_understood() {
    let desk = Desk::new();
    let mut expected = Vec::new();
    let mut put = |secret: u64, file: &str, passphrase: &str| {
        let (pubkey, bytes) = keystore(secret);
        desk.write(file, bytes);
        desk.write(passphrase, format!("{PASSPHRASE}\r\n"));
        expected.push(pubkey);
    };
    put(
        31,
        "charon/validator_keys/keystore-0.json",
        "charon/validator_keys/keystore-0.txt",
    );
    put(
        32,
        "teku/keys/keystore-m_1.json",
        "teku/passwords/keystore-m_1.txt",
    );
    let lighthouse = "validators/0xaa/voting-keystore.json";
    put(
        33,
        &format!("lighthouse/{lighthouse}"),
        "lighthouse/secrets/0xaa",
    );
    desk.write("deep/1/2/3/4/keystore-0.json", "{}");
    let args = [
        "keystore",
        "check",
        "charon",
        "teku",
        "lighthouse",
        "--json",
    ];
    let ended = desk.run(&args);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended
            .stderr
            .matches("is not part of the passphrase")
            .count(),
        3
    );
    assert!(!format!("{ended:?}").contains(PASSPHRASE));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    keeps_to_schema(&report);
    let rows = report["keystores"].as_array().unwrap();
    let keys: Vec<&str> = rows
        .iter()
        .map(|row| row["pubkey"].as_str().unwrap())
        .collect();
    assert_eq!(keys, expected);
    assert!(
        rows.iter().all(|row| row["decrypted"] == json!(true)),
        "{report}"
    );
    desk.refused(&["keystore", "check", "deep"], 1, &["holds no keystore"]);
}

#[test]
fn published_keystores_are_opened() {
    let Some(folder) = crate::vectors::folder() else {
        return;
    };
    let desk = Desk::new();
    for name in ["ethstaker-scrypt", "ethstaker-pbkdf2"] {
        let file = std::fs::read(folder.join(format!("eth/keystores/{name}.json"))).unwrap();
        desk.write(&format!("ethstaker/keystore-{name}.json"), file);
        desk.write(&format!("ethstaker/keystore-{name}.txt"), "testpassword123");
    }
    for name in ["scrypt", "pbkdf2"] {
        let file = crate::vectors::load(folder.join(format!("eth/erc2335/erc2335-{name}.json")));
        desk.write(
            &format!("standard/keystore-{name}.json"),
            file["keystore"].to_string(),
        );
        // Characters that NFKD takes apart.
        desk.write(
            &format!("standard/keystore-{name}.txt"),
            file["password"].as_str().unwrap(),
        );
    }
    let report = desk.ok(&["keystore", "check", "ethstaker", "standard", "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    keeps_to_schema(&report);
    let rows = report["keystores"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    assert!(
        rows.iter().all(|row| row["decrypted"] == json!(true)),
        "{report}"
    );
}
