//! Keystores and key derivation against published vectors.

use std::collections::BTreeSet;

use conclave::crypto::bls;
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::deposit::DepositMessage;
use conclave::ethereum::hd::KeyPath;
use conclave::ethereum::keystore::{Crypto, Keystore, KeystoreError};
use conclave::ethereum::withdrawal::WithdrawalCredentials;
use conclave::secret::Passphrase;
use serde_json::{Value, json};

use crate::vectors::{array, folder, hex, int, load};

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn opened(keystore: &Value, password: &str) -> Result<[u8; 32], KeystoreError> {
    let keystore = Keystore::parse(&serde_json::to_vec(keystore).unwrap())?;
    let secret = keystore.decrypt(&passphrase(password))?;
    Ok(secret.expose(|bytes| *bytes))
}

#[test]
fn keystores_of_the_standard_and_of_other_tools_open() {
    let Some(folder) = folder() else { return };
    for name in ["erc2335-scrypt.json", "erc2335-pbkdf2.json"] {
        let file = load(folder.join("eth/erc2335").join(name));
        let password = file["password"].as_str().unwrap();
        let secret = opened(&file["keystore"], password).unwrap();
        assert_eq!(secret, hex::<32>(&file["secret"]), "{name}");
        assert!(matches!(
            opened(&file["keystore"], "password"),
            Err(KeystoreError::Checksum)
        ));
        // The normalised form that the file prints is the same password.
        let mut encoded = [0u8; 16];
        conclave::json::decode_hex(file["password_encoded_hex"].as_str().unwrap(), &mut encoded)
            .unwrap();
        let encoded = String::from_utf8(encoded.to_vec()).unwrap();
        assert_eq!(
            opened(&file["keystore"], &encoded).unwrap(),
            secret,
            "{name}"
        );
        // The bare `crypto` object opens to the same bytes.
        let crypto = serde_json::to_vec(&file["keystore"]["crypto"]).unwrap();
        let plain = Crypto::parse(&crypto)
            .unwrap()
            .decrypt(&passphrase(password))
            .unwrap();
        assert!(plain.expose(|plain| plain.as_slice() == secret));
    }
    let mut secrets = BTreeSet::new();
    for name in ["ethstaker-scrypt.json", "ethstaker-pbkdf2.json"] {
        let file = load(folder.join("eth/keystores").join(name));
        secrets.insert(opened(&file, "testpassword123").unwrap());
        let again = Keystore::parse(&serde_json::to_vec(&file).unwrap())
            .unwrap()
            .to_bytes()
            .unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&again).unwrap(),
            file,
            "{name}"
        );
    }
    println!("4 keystores opened, {} different secrets", secrets.len());
}

#[test]
fn changed_keystores_are_refused_for_the_right_reason() {
    let Some(folder) = folder() else { return };
    let scrypt = load(folder.join("eth/keystores/ethstaker-scrypt.json"));
    let pbkdf2 = load(folder.join("eth/keystores/ethstaker-pbkdf2.json"));
    // Found before any key derivation: the passphrase is never asked for.
    for (file, at, value, why) in [
        (&scrypt, "/version", json!(3), "version is not 4"),
        (
            &scrypt,
            "/crypto/cipher/params/iv",
            json!("00".repeat(15)),
            "iv is not 16 bytes",
        ),
        (
            &scrypt,
            "/crypto/cipher/message",
            json!("0"),
            "cipher message is not hex",
        ),
        (
            &scrypt,
            "/crypto/cipher/function",
            json!("aes-256-ctr"),
            "than aes-128-ctr",
        ),
        (
            &scrypt,
            "/crypto/checksum/message",
            json!("00"),
            "checksum is not 32 bytes",
        ),
        (
            &scrypt,
            "/crypto/checksum/function",
            json!("keccak"),
            "than sha256",
        ),
        (
            &scrypt,
            "/crypto/kdf/function",
            json!("argon2id"),
            "than scrypt or pbkdf2",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/n",
            json!(1u64 << 40),
            "scrypt parameters",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/n",
            json!(1u64 << 21),
            "scrypt parameters",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/n",
            json!(262_143),
            "scrypt parameters",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/n",
            json!(1),
            "scrypt parameters",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/n",
            json!(0),
            "scrypt parameters",
        ),
        (&scrypt, "/crypto/kdf/params/n", json!(-1), "invalid value"),
        (
            &scrypt,
            "/crypto/kdf/params/r",
            json!(0),
            "scrypt parameters",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/p",
            json!(u64::MAX),
            "scrypt parameters",
        ),
        (
            &scrypt,
            "/crypto/kdf/params/dklen",
            json!(16),
            "dklen is not 32",
        ),
        (&scrypt, "/crypto/kdf/params/salt", json!(""), "salt is not"),
        (&pbkdf2, "/crypto/kdf/params/c", json!(0), "count c"),
        (
            &pbkdf2,
            "/crypto/kdf/params/c",
            json!((1u64 << 24) + 1),
            "count c",
        ),
        (
            &pbkdf2,
            "/crypto/kdf/params/prf",
            json!("hmac-sha1"),
            "than hmac-sha256",
        ),
        (&pbkdf2, "/pubkey", json!("00"), "pubkey is not 96 hex"),
    ] {
        let mut file = file.clone();
        *file.pointer_mut(at).unwrap() = value;
        let error = Keystore::parse(&serde_json::to_vec(&file).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{at}: {error}");
    }
    // Found after it.
    let open = |at: &str, value: Value| {
        let mut file = pbkdf2.clone();
        *file.pointer_mut(at).unwrap() = value;
        opened(&file, "testpassword123").unwrap_err()
    };
    let zeros = || json!("00".repeat(32));
    assert!(matches!(
        open("/crypto/checksum/message", zeros()),
        KeystoreError::Checksum
    ));
    assert!(matches!(
        open("/crypto/cipher/message", zeros()),
        KeystoreError::Checksum
    ));
    assert!(matches!(
        open("/crypto/kdf/params/salt", zeros()),
        KeystoreError::Checksum
    ));
    let other = bls::public_key(&Scalar::from_u64(5)).unwrap().to_bytes();
    let other = json!(conclave::json::encode_hex(&other));
    assert!(matches!(
        open("/pubkey", other),
        KeystoreError::OtherKey { .. }
    ));
    assert!(matches!(
        open("/crypto/cipher/params/iv", json!("00".repeat(16))),
        KeystoreError::OtherKey { .. } | KeystoreError::NotASecretKey
    ));
    // What other readers tolerate, this one does too.
    let mut file = pbkdf2.clone();
    file["name"] = json!("x");
    file["crypto"]["kdf"]["extra"] = json!(1);
    file["path"] = json!("");
    let upper = file["crypto"]["cipher"]["message"]
        .as_str()
        .unwrap()
        .to_ascii_uppercase();
    file["crypto"]["cipher"]["message"] = json!(upper);
    file.as_object_mut().unwrap().remove("description");
    assert!(opened(&file, "testpassword123").is_ok());
    let large = vec![b' '; conclave::ethereum::keystore::MAX_BYTES + 1];
    assert!(matches!(
        Keystore::parse(&large),
        Err(KeystoreError::TooLarge(_))
    ));
}

/// Another tool keeps operators' RSA keys in bare `crypto` objects.
#[test]
fn crypto_objects_may_hold_other_keys() {
    let Some(folder) = folder() else { return };
    let operator = folder.join("ssv/ssv-dkg/operators/operator1");
    let file = serde_json::to_vec(&load(operator.join("encrypted_private_key.json"))).unwrap();
    let crypto = Crypto::parse(&file).unwrap();
    let plain = crypto.decrypt(&passphrase("12345678")).unwrap();
    assert!(plain.expose(|plain| plain.starts_with(b"-----BEGIN RSA PRIVATE KEY-----")));
    assert!(matches!(
        crypto.decrypt(&passphrase("12345679")),
        Err(KeystoreError::Checksum)
    ));
    assert!(matches!(
        Keystore::parse(&file),
        Err(KeystoreError::Invalid(_))
    ));
}

/// Decimal text of any length as 32 bytes, big-endian.
fn decimal(text: &str) -> [u8; 32] {
    let mut bytes = [0u8; 32];
    for digit in text.bytes() {
        let mut carry = u32::from(digit - b'0');
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 10 + carry;
            *byte = value.to_le_bytes()[0];
            carry = value >> 8;
        }
        assert_eq!(carry, 0);
    }
    bytes
}

fn bytes_of(text: &str) -> Vec<u8> {
    let text = text.trim_start_matches("0x").to_ascii_lowercase();
    let mut bytes = vec![0u8; text.len() / 2];
    conclave::json::decode_hex(&text, &mut bytes).unwrap();
    bytes
}

#[test]
fn erc2333_master_and_child_keys() {
    let Some(folder) = folder() else { return };
    let cases = load(folder.join("eth/erc2333/erc2333-cases.json"));
    let encoded = |key: &Scalar| key.to_bytes().expose(|bytes| *bytes);
    for case in array(&cases) {
        let text = |name: &str| case[name].as_str().unwrap();
        let master = bls::derive_master_eip2333(&bytes_of(text("seed"))).unwrap();
        assert_eq!(encoded(&master), decimal(text("master_SK")));
        let index = u32::try_from(int(&case["child_index"])).unwrap();
        let child = bls::derive_child_eip2333(&master, index);
        assert_eq!(encoded(&child), decimal(text("child_SK")));
    }
    println!("{} cases of ERC-2333", array(&cases).len());
}

/// The keystores that ethstaker made and its deposits have the same keys: from one mnemonic, by path.
#[test]
fn keystore_path_and_deposit_key_belong_together() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/keystores/ethstaker-pbkdf2.json"));
    let deposits = load(folder.join("eth/deposits/ethstaker-hoodi-s5.json"));
    assert!(KeyPath::parse(file["path"].as_str().unwrap()).is_ok());
    let secret = Scalar::from_bytes(&opened(&file, "testpassword123").unwrap()).unwrap();
    let public = bls::public_key(&secret).unwrap().to_bytes();
    let entry = array(&deposits)
        .iter()
        .find(|entry| hex::<48>(&entry["pubkey"]) == public)
        .unwrap();
    let message = DepositMessage {
        pubkey: public,
        credentials: WithdrawalCredentials(hex(&entry["withdrawal_credentials"])),
        amount: Gwei(int(&entry["amount"])),
    };
    let root = message.signing_root(hex(&entry["fork_version"]));
    let signature = bls::sign(&secret, &root).unwrap();
    assert_eq!(signature.to_bytes(), hex::<96>(&entry["signature"]));
}
