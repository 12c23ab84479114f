//! Networks, signing roots, deposits, keystores and key derivation against published vectors.

use std::collections::BTreeSet;

use conclave::crypto::bls::{self, SigningRoot};
use conclave::crypto::point::{G1, G2};
use conclave::crypto::scalar::Scalar;
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::bls_change::BlsToExecutionChange;
use conclave::ethereum::deposit::{self, DepositData, DepositEntry, DepositMessage};
use conclave::ethereum::exit::VoluntaryExit;
use conclave::ethereum::hd::KeyPath;
use conclave::ethereum::keystore::{Crypto, Keystore, KeystoreError};
use conclave::ethereum::network::{Network, NetworkSpec};
use conclave::ethereum::registration::ValidatorRegistration;
use conclave::ethereum::signing_root::{DomainType, Root, compute_domain, signing_root};
use conclave::ethereum::withdrawal::WithdrawalCredentials;
use conclave::secret::Passphrase;
use serde_json::{Value, json};

use crate::vectors::{array, folder, hex, int, load};

#[test]
fn networks_agree_with_their_published_configuration() {
    let Some(folder) = folder() else { return };
    let networks = load(folder.join("eth/networks.json"));
    for network in Network::ALL {
        let published = &networks["networks"][network.name];
        let fork = |name: &str| hex::<4>(&published["forks"][name]["version"]);
        assert_eq!(
            network.genesis_fork_version,
            fork("genesis"),
            "{}",
            network.name
        );
        assert_eq!(
            network.capella_fork_version,
            fork("capella"),
            "{}",
            network.name
        );
        assert_eq!(
            network.genesis_validators_root,
            hex::<32>(&published["genesis_validators_root"])
        );
        assert_eq!(network.chain_id, int(&published["deposit_chain_id"]));
        assert_eq!(
            network.deposit_contract.0,
            hex::<20>(&published["deposit_contract"])
        );
    }
    // No fork of any published network is the one of rehearsals.
    for published in networks["networks"].as_object().unwrap().values() {
        for fork in published["forks"].as_object().unwrap().values() {
            assert_ne!(hex::<4>(&fork["version"]), Network::REHEARSAL_FORK_VERSION);
        }
    }
}

fn deposit_message(message: &Value) -> DepositMessage {
    DepositMessage {
        pubkey: hex(&message["pubkey"]),
        credentials: WithdrawalCredentials(hex(&message["withdrawal_credentials"])),
        amount: Gwei(int(&message["amount"])),
    }
}

fn exit(message: &Value) -> VoluntaryExit {
    VoluntaryExit {
        epoch: int(&message["epoch"]),
        validator_index: int(&message["validator_index"]),
    }
}

fn registration(message: &Value) -> ValidatorRegistration {
    ValidatorRegistration {
        fee_recipient: Address(hex(&message["fee_recipient"])),
        gas_limit: int(&message["gas_limit"]),
        timestamp: int(&message["timestamp"]),
        pubkey: hex(&message["pubkey"]),
    }
}

/// Domain, object root and signing root of a vector of one of our four messages.
fn roots(
    kind: &str,
    message: &Value,
    fork: [u8; 4],
    genesis: &Root,
) -> Option<(DomainType, Root, SigningRoot)> {
    Some(match kind {
        "DepositMessage" => {
            let object = deposit_message(message);
            (
                DomainType::DEPOSIT,
                object.object_root(),
                object.signing_root(fork),
            )
        }
        "VoluntaryExit" => {
            let object = exit(message);
            (
                DomainType::VOLUNTARY_EXIT,
                object.object_root(),
                object.signing_root(fork, genesis),
            )
        }
        "BLSToExecutionChange" => {
            let object = BlsToExecutionChange {
                validator_index: int(&message["validator_index"]),
                from_bls_pubkey: hex(&message["from_bls_pubkey"]),
                to_execution_address: Address(hex(&message["to_execution_address"])),
            };
            (
                DomainType::BLS_TO_EXECUTION_CHANGE,
                object.object_root(),
                object.signing_root(fork, genesis),
            )
        }
        "ValidatorRegistrationV1" => {
            let object = registration(message);
            (
                DomainType::APPLICATION_BUILDER,
                object.object_root(),
                object.signing_root(fork),
            )
        }
        _ => return None,
    })
}

#[test]
fn signing_vectors_of_the_executable_specification() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/signing_vectors.json"));
    let secret = Scalar::from_bytes(&hex(&file["secret_key"])).unwrap();
    let public = bls::public_key(&secret).unwrap();
    assert_eq!(public.to_bytes(), hex::<48>(&file["public_key"]));
    let (mut ran, mut kinds, mut others) = (0, BTreeSet::new(), BTreeSet::new());
    for vector in array(&file["vectors"]) {
        let kind = vector["type"].as_str().unwrap();
        let fork = hex::<4>(&vector["fork_version"]);
        let genesis = hex::<32>(&vector["genesis_validators_root"]);
        let Some((domain_type, object_root, root)) =
            roots(kind, &vector["message"], fork, &genesis)
        else {
            others.insert(kind.to_owned());
            continue;
        };
        // The vectors' fork is the network's own: exits the Capella one, all else genesis'.
        let network = Network::known(vector["network"].as_str().unwrap()).unwrap();
        let own = match kind {
            "VoluntaryExit" => network.spec().exit_fork_version().unwrap(),
            _ => network.genesis_fork_version,
        };
        assert_eq!(fork, own, "{kind}");
        let domain = compute_domain(domain_type, fork, &genesis);
        assert_eq!(domain.0, hex::<32>(&vector["domain"]), "{kind}");
        assert_eq!(object_root, hex::<32>(&vector["object_root"]), "{kind}");
        assert_eq!(root, signing_root(&object_root, &domain), "{kind}");
        assert_eq!(root.0, hex::<32>(&vector["signing_root"]), "{kind}");
        let signature = bls::sign(&secret, &root).unwrap();
        assert_eq!(
            signature.to_bytes(),
            hex::<96>(&vector["signature"]),
            "{kind}"
        );
        assert!(bls::verify(&public, &root, &signature));
        if kind == "DepositMessage" {
            let message = deposit_message(&vector["message"]);
            let data = DepositData {
                message,
                signature: signature.to_bytes(),
            };
            assert_eq!(data.object_root(), hex::<32>(&vector["deposit_data_root"]));
        }
        ran += 1;
        kinds.insert(kind.to_owned());
    }
    println!("{ran} signing vectors of {kinds:?} ran; not signed by this program: {others:?}");
    assert_eq!((ran, kinds.len()), (16, 4));
}

#[test]
fn signing_roots_of_remote_signer_examples() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/web3signer/signing-root-vectors.json"));
    let mut ran = 0;
    for example in array(&file) {
        let request = &example["request"];
        let fork_info = &request["fork_info"];
        // These examples sign exits under their current fork and all else under 0x00000001.
        let (kind, message, fork, genesis) = match request["type"].as_str().unwrap() {
            "DEPOSIT" => {
                let fork = hex(&request["deposit"]["genesis_fork_version"]);
                ("DepositMessage", &request["deposit"], fork, [0; 32])
            }
            "VALIDATOR_REGISTRATION" => (
                "ValidatorRegistrationV1",
                &request["validator_registration"],
                [0, 0, 0, 1],
                [0; 32],
            ),
            "VOLUNTARY_EXIT" => (
                "VoluntaryExit",
                &request["voluntary_exit"],
                hex(&fork_info["fork"]["current_version"]),
                hex(&fork_info["genesis_validators_root"]),
            ),
            _ => continue,
        };
        let (domain_type, object_root, root) = roots(kind, message, fork, &genesis).unwrap();
        assert_eq!(
            compute_domain(domain_type, fork, &genesis).0,
            hex::<32>(&example["domain"]),
            "{kind}"
        );
        assert_eq!(object_root, hex::<32>(&example["object_root"]), "{kind}");
        assert_eq!(root.0, hex::<32>(&request["signingRoot"]), "{kind}");
        ran += 1;
    }
    println!(
        "{ran} of {} remote-signer examples are of our messages",
        array(&file).len()
    );
    assert_eq!(ran, 3);
}

fn findings(file: &Value, expected: Option<&NetworkSpec>) -> Vec<deposit::DepositFinding> {
    let entries = deposit::parse_entries(&serde_json::to_vec(file).unwrap()).unwrap();
    deposit::check_entries(&entries, expected, &[7; 32])
}

#[test]
fn deposit_files_of_other_tools_pass_and_are_reproduced() {
    let Some(folder) = folder() else { return };
    let mut entries = 0;
    for (name, network) in [
        ("ethstaker-hoodi-c1.json", "hoodi"),
        ("ethstaker-hoodi-s5.json", "hoodi"),
        ("gnosis-chiado.json", "chiado"),
        (
            "lighthouse-mainnet_first_0_count_2_eth1_true.json",
            "mainnet",
        ),
    ] {
        let file = load(folder.join("eth/deposits").join(name));
        let spec = Network::known(network).unwrap().spec();
        assert_eq!(findings(&file, None), [], "{name}");
        assert_eq!(findings(&file, Some(&spec)), [], "{name}");
        for entry in array(&file) {
            let data = DepositData {
                message: deposit_message(entry),
                signature: hex(&entry["signature"]),
            };
            let mut ours = serde_json::to_value(DepositEntry::new(&data, &spec)).unwrap();
            ours["deposit_cli_version"] = entry["deposit_cli_version"].clone();
            assert_eq!(&ours, entry, "{name}");
            entries += 1;
        }
    }
    // Two ceremonies of another distributed key generation.
    for ceremony in ["n4-1validator", "n7-1validator"] {
        let folder = folder.join("ssv/ssv-dkg/ceremonies").join(ceremony);
        for validator in std::fs::read_dir(folder).unwrap() {
            let file = load(validator.unwrap().path().join("deposit_data.json"));
            assert_eq!(findings(&file, None), [], "{ceremony}");
            entries += array(&file).len();
        }
    }
    println!("{entries} deposits of six files");
}

#[test]
fn one_changed_digit_anywhere_in_a_deposit_is_found() {
    let Some(folder) = folder() else { return };
    let file = load(folder.join("eth/deposits/ethstaker-hoodi-s5.json"));
    for field in [
        "pubkey",
        "withdrawal_credentials",
        "signature",
        "deposit_message_root",
        "deposit_data_root",
        "fork_version",
        "network_name",
    ] {
        let length = file[3][field].as_str().unwrap().len();
        for at in [0, length / 2, length - 1] {
            let mut changed = file.clone();
            let mut text = changed[3][field].as_str().unwrap().as_bytes().to_vec();
            text[at] = if text[at] == b'1' { b'2' } else { b'1' };
            changed[3][field] = json!(String::from_utf8(text).unwrap());
            let found = findings(&changed, None);
            assert!(!found.is_empty(), "{field} {at}");
            assert!(
                found.iter().all(|finding| finding.entry == 4),
                "{field} {at}: {found:?}"
            );
        }
    }
    let mut changed = file.clone();
    changed[3]["amount"] = json!(31_999_999_999u64);
    assert!(!findings(&changed, None).is_empty());
    let mut swapped = file.clone();
    swapped[3]["signature"] = file[2]["signature"].clone();
    swapped[2]["signature"] = file[3]["signature"].clone();
    let entries: BTreeSet<usize> = findings(&swapped, None).iter().map(|f| f.entry).collect();
    assert_eq!(entries, BTreeSet::from([3, 4]));
}

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
    let root = deposit_message(entry).signing_root(hex(&entry["fork_version"]));
    let signature = bls::sign(&secret, &root).unwrap();
    assert_eq!(signature.to_bytes(), hex::<96>(&entry["signature"]));
    assert!(bls::verify_batch(
        &[(
            G1::from_bytes(&public).unwrap(),
            root,
            G2::from_bytes(&hex(&entry["signature"])).unwrap()
        )],
        &[1; 32]
    ));
}
