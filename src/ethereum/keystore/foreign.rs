//! Keystores as other tools write them, and which clients refuse what is unusual in one.
//!
//! What opens is read: a missing or odd field beside the encrypted secret is remarked, not refused.
//! The remarks follow the readers of the tools that they name (ethstaker-deposit-cli 1.3,
//! @chainsafe/bls-keystore 3 in Lodestar, Lighthouse, Web3Signer).

use serde_json::Value;

use super::form::{hex_array, parse_json};
use super::{Crypto, KeystoreError, public_key_of};
use crate::crypto::scalar::Scalar;
use crate::ethereum::hd::KeyPath;
use crate::json::Hex;
use crate::secret::Passphrase;

/// Something unusual in a keystore, and who refuses the file for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// What is unusual.
    pub what: &'static str,
    /// The clients that refuse it; none, where it is only worth knowing.
    pub refused_by: &'static [&'static str],
}

const ETHSTAKER: &str = "ethstaker-deposit-cli";
const LODESTAR: &str = "Lodestar";
const LIGHTHOUSE: &str = "Lighthouse";

const NO_PUBKEY: Remark = Remark {
    what: "it names no public key",
    refused_by: &[ETHSTAKER, LIGHTHOUSE],
};
const PREFIXED: Remark = Remark {
    what: "its public key starts with 0x",
    refused_by: &[ETHSTAKER, LODESTAR, LIGHTHOUSE],
};
const NO_PATH: Remark = Remark {
    what: "its path is missing, or no derivation path such as m/12381/3600/0/0/0",
    refused_by: &[ETHSTAKER],
};
const NO_UUID: Remark = Remark {
    what: "its uuid is missing, or no UUID",
    refused_by: &[LODESTAR, LIGHTHOUSE],
};
const EXTRA: Remark = Remark {
    what: "it has fields beside those of the standard",
    refused_by: &[LIGHTHOUSE],
};

/// A keystore of any tool.
#[derive(Debug, Clone)]
pub struct ForeignKeystore {
    crypto: Crypto,
    pubkey: Option<[u8; 48]>,
    remarks: Vec<Remark>,
}

impl ForeignKeystore {
    /// Reads a keystore; refuses what cannot be opened whatever the passphrase is.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeystoreError> {
        let file: Value = parse_json(bytes)?;
        let fields = file
            .as_object()
            .ok_or_else(|| KeystoreError::Invalid("not an object".to_owned()))?;
        if file.get("version").and_then(Value::as_u64) != Some(4) {
            return Err(KeystoreError::Parameter("version is not 4"));
        }
        let crypto = file
            .get("crypto")
            .ok_or_else(|| KeystoreError::Invalid("there is no crypto object".to_owned()))?;
        let text = |name: &str| file.get(name).and_then(Value::as_str);
        let mut remarks = Vec::new();
        let pubkey = match text("pubkey") {
            None | Some("") => {
                remarks.push(NO_PUBKEY);
                None
            }
            Some(named) => {
                let plain = named.strip_prefix("0x");
                if plain.is_some() {
                    remarks.push(PREFIXED);
                }
                Some(
                    hex_array(plain.unwrap_or(named))
                        .ok_or(KeystoreError::Parameter("pubkey is not 96 hex characters"))?,
                )
            }
        };
        if text("path").is_none_or(|path| KeyPath::parse(path).is_err()) {
            remarks.push(NO_PATH);
        }
        if text("uuid").is_none_or(|uuid| uuid::Uuid::try_parse(uuid).is_err()) {
            remarks.push(NO_UUID);
        }
        let standard = [
            "crypto",
            "description",
            "name",
            "path",
            "pubkey",
            "uuid",
            "version",
        ];
        let extra = |fields: &serde_json::Map<String, Value>, known: &[&str]| {
            fields.keys().any(|key| !known.contains(&key.as_str()))
        };
        let inner = crypto.as_object();
        if extra(fields, &standard)
            || inner.is_some_and(|inner| extra(inner, &["kdf", "checksum", "cipher"]))
        {
            remarks.push(EXTRA);
        }
        let crypto = serde_json::to_vec(crypto)
            .map_err(|error| KeystoreError::Invalid(error.to_string()))?;
        Ok(Self {
            crypto: Crypto::parse(&crypto)?,
            pubkey,
            remarks,
        })
    }

    /// The public key that the file names, if it names one.
    pub const fn pubkey(&self) -> Option<&[u8; 48]> {
        self.pubkey.as_ref()
    }

    /// What is unusual.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// How it is encrypted.
    pub const fn crypto(&self) -> &Crypto {
        &self.crypto
    }

    /// Opens it, one key derivation, and returns the public key of the secret inside, which must be
    /// the one that the file names.
    pub fn open(&self, passphrase: &Passphrase) -> Result<[u8; 48], KeystoreError> {
        Ok(self.secret(passphrase)?.1)
    }

    /// [`Self::open`] for who needs the secret: the scalar, and its public key.
    pub fn secret(&self, passphrase: &Passphrase) -> Result<(Scalar, [u8; 48]), KeystoreError> {
        let secret = self.crypto.decrypt_seed(passphrase)?;
        let actual = public_key_of(&secret)?;
        if let Some(named) = self.pubkey.filter(|named| *named != actual) {
            return Err(KeystoreError::OtherKey {
                actual: Hex(actual),
                named: Hex(named),
            });
        }
        let scalar = secret.expose(Scalar::from_bytes);
        Ok((scalar.ok_or(KeystoreError::NotASecretKey)?, actual))
    }
}
