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
