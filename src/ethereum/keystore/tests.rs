use super::*;
use std::collections::BTreeSet;

/// The PBKDF2 keystore that ERC-2335 prints.
const ERC2335: &str = r#"{"crypto":{"kdf":{"function":"pbkdf2","params":{"dklen":32,"c":262144,
    "prf":"hmac-sha256","salt":"d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"},
    "message":""},"checksum":{"function":"sha256","params":{},"message":
    "8a9f5d9912ed7e75ea794bc5a89bca5f193721d30868ade6f73043c6ea6febf1"},"cipher":{"function":
    "aes-128-ctr","params":{"iv":"264daa3f303d7259501c93d997d84fe6"},"message":
    "cee03fde2af33149775b7223e7845e4fb2c8ae1792e5f99fe9ecf474cc8c16ad"}},"description":
    "This is a test keystore that uses PBKDF2 to secure the secret.","pubkey":
    "9612d7a727c9d0a22e185a1c768478dfe919cada9266988cb32359c11f2b7b27f4ae4040902382ae2910c15e2b420d07",
    "path":"m/12381/60/0/0","uuid":"64625def-3331-4eea-ab6f-782f3ed16a83","version":4}"#;
const PASSWORD: &str = "𝔱𝔢𝔰𝔱𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡🔑";
const SECRET: &str = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn hex(secret: &Seed) -> String {
    secret.expose(|bytes| Hex(*bytes).to_string())
}

fn secret() -> (Seed, [u8; 48]) {
    let Hex(bytes) = Hex::<32>::parse(SECRET).unwrap();
    let pubkey = bls::public_key(&Scalar::from_bytes(&bytes).unwrap()).unwrap();
    (Seed::new(bytes), pubkey.to_bytes())
}

/// Different bytes at every call.
struct Counter(u64);

impl Randomness for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomnessError> {
        for byte in out {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
        Ok(())
    }
}

fn make(choice: KdfChoice, rng: &mut Counter) -> (Keystore, DerivedKey) {
    let (secret, pubkey) = secret();
    let path = "m/12381/3600/0/0/0";
    Keystore::encrypt(
        &secret,
        &pubkey,
        &passphrase("correct horse"),
        choice,
        path,
        "share 1 of 4",
        rng,
    )
    .unwrap()
}

#[test]
fn erc2335_pbkdf2_known_answer() {
    let keystore = Keystore::parse(ERC2335.as_bytes()).unwrap();
    assert_eq!(
        hex(&keystore.decrypt(&passphrase(PASSWORD)).unwrap()),
        SECRET
    );
    // The same after NFKD, and with control characters, which are dropped.
    for same in ["testpassword🔑", "test\tpass\u{7f}word\u{85}🔑\n"] {
        assert!(keystore.decrypt(&passphrase(same)).is_ok(), "{same:?}");
    }
    let wrong = keystore.decrypt(&passphrase("testpassword")).unwrap_err();
    assert!(matches!(wrong, KeystoreError::Checksum));
    let empty = keystore.decrypt(&passphrase("\n\u{7f}")).unwrap_err();
    assert!(matches!(empty, KeystoreError::EmptyPassphrase));
}

#[test]
fn what_was_written_opens_with_passphrase_and_derived_key() {
    for choice in [KdfChoice::Scrypt, KdfChoice::Pbkdf2] {
        let (made, derived) = make(choice, &mut Counter(1));
        let bytes = made.to_bytes().unwrap();
        let read = Keystore::parse(&bytes).unwrap();
        assert_eq!(read, made);
        assert_eq!(hex(&read.decrypt_with(&derived).unwrap()), SECRET);
        assert_eq!(
            hex(&read.decrypt(&passphrase("correct horse")).unwrap()),
            SECRET
        );
        assert!(read.decrypt(&passphrase("correct horsf")).is_err());
        assert_eq!(read.description(), "share 1 of 4");
        let uuid = uuid::Uuid::parse_str(read.uuid()).unwrap();
        assert_eq!(uuid.get_version_num(), 4);
        assert!(!format!("{derived:?}").contains(&SECRET[10..]));

        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let keys: Vec<_> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            ["crypto", "description", "path", "pubkey", "uuid", "version"]
        );
        let params = value["crypto"]["kdf"]["params"].as_object().unwrap();
        let keys: Vec<_> = params.keys().map(String::as_str).collect();
        match choice {
            KdfChoice::Scrypt => {
                assert_eq!(keys, ["dklen", "n", "p", "r", "salt"]);
                assert_eq!(
                    (&params["n"], &params["r"], &params["p"]),
                    (&262_144.into(), &8.into(), &1.into())
                );
            }
            KdfChoice::Pbkdf2 => {
                assert_eq!(keys, ["c", "dklen", "prf", "salt"]);
                assert_eq!(params["c"], 262_144);
            }
        }
    }
}

#[test]
fn salt_iv_and_uuid_are_fresh_in_each_of_a_batch() {
    let mut rng = Counter(2);
    let (mut salts, mut ivs, mut uuids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for _ in 0..8 {
        let (made, _) = make(KdfChoice::Pbkdf2, &mut rng);
        let Kdf::Pbkdf2 { salt, .. } = made.crypto.kdf else {
            panic!("another function")
        };
        assert_eq!(salt.len(), 32);
        salts.insert(salt);
        ivs.insert(made.crypto.iv);
        uuids.insert(made.uuid);
    }
    assert_eq!((salts.len(), ivs.len(), uuids.len()), (8, 8, 8));
}

#[test]
fn a_derived_key_opens_its_own_file_only() {
    let mut rng = Counter(3);
    let (first, key) = make(KdfChoice::Pbkdf2, &mut rng);
    let (second, _) = make(KdfChoice::Pbkdf2, &mut rng);
    assert!(matches!(
        second.decrypt_with(&key),
        Err(KeystoreError::OtherDerivation)
    ));
    let mut damaged = first.clone();
    damaged.crypto.message[0] ^= 1;
    assert!(matches!(
        damaged.decrypt_with(&key),
        Err(KeystoreError::Checksum)
    ));
    let mut damaged = first.clone();
    damaged.crypto.checksum[31] ^= 1;
    assert!(matches!(
        damaged.decrypt_with(&key),
        Err(KeystoreError::Checksum)
    ));
    // The IV is outside the checksum: the public key finds it.
    let mut damaged = first.clone();
    damaged.crypto.iv[15] ^= 1;
    assert!(matches!(
        damaged.decrypt_with(&key),
        Err(KeystoreError::OtherKey { .. } | KeystoreError::NotASecretKey)
    ));
    let mut other = first;
    other.pubkey.0[47] ^= 1;
    assert!(matches!(
        other.decrypt_with(&key),
        Err(KeystoreError::OtherKey { .. })
    ));
}

#[test]
fn nothing_is_encrypted_under_a_wrong_name() {
    let (secret, mut pubkey) = secret();
    pubkey[47] ^= 1;
    let make = |secret: &Seed, pubkey: &[u8; 48], path: &str| {
        let choice = KdfChoice::Pbkdf2;
        Keystore::encrypt(
            secret,
            pubkey,
            &passphrase("p"),
            choice,
            path,
            "",
            &mut Counter(4),
        )
        .unwrap_err()
    };
    assert!(matches!(
        make(&secret, &pubkey, "m/12381/3600/0/0/0"),
        KeystoreError::OtherKey { .. }
    ));
    assert!(matches!(
        make(&secret, &pubkey, "m/dkg/1"),
        KeystoreError::Path(_)
    ));
    let zero = Seed::new([0; 32]);
    assert!(matches!(
        make(&zero, &pubkey, "m/12381/3600/0/0/0"),
        KeystoreError::NotASecretKey
    ));
}
