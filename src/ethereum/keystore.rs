//! Encrypted key files (ERC-2335, version 4).
//!
//! Ours have exactly the standard's keys, a fresh salt, IV and UUID each, and the public key of the
//! secret inside, which is what every other reader accepts. Readers of foreign files tolerate unknown
//! keys, upper-case hex and a missing description; they bound the cost of the key derivation before
//! it runs, and check after decryption that the secret has the public key that the file names.
//!
//! The passphrase's encoded form, the derived key and the secret are wiped; scrypt's large working
//! memory by the allocator, when it is freed.

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;

use super::hd::{KeyPath, PathError};
use crate::ambient::{Randomness, RandomnessError};
use crate::crypto::bls;
use crate::crypto::scalar::Scalar;
use crate::json::Hex;
use crate::secret::{Passphrase, Secret, SecretBytes, Seed};

mod capacity;
mod foreign;
mod form;

pub use capacity::{Capacity, CapacityError, Size, Threads};
pub use foreign::{ForeignKeystore, Remark};
use form::{CryptoForm, FileForm, hex_array, parse_json};

/// The most bytes of a keystore file; real ones have under 1000.
pub const MAX_BYTES: usize = 64 * 1024;

/// How the passphrase becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KdfChoice {
    /// scrypt with N = 2^18, r = 8, p = 1: 256 MiB and most of a second.
    #[default]
    Scrypt,
    /// PBKDF2-HMAC-SHA256 with 2^18 rounds: no memory, so weaker against guessing machines, but a
    /// client with thousands of keys starts in seconds.
    Pbkdf2,
}

impl KdfChoice {
    /// The working memory of one derivation, in bytes: scrypt's 128 * N * r, and next to none.
    pub const fn memory_bytes(self) -> u64 {
        match self {
            Self::Scrypt => 256 << 20,
            Self::Pbkdf2 => 0,
        }
    }
}

/// Why a keystore was not made, read or opened.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Over [`MAX_BYTES`].
    #[error("the keystore is {0} bytes long; the limit is {MAX_BYTES}")]
    TooLarge(usize),
    /// Not JSON, or a standard field is missing or of the wrong type.
    #[error("not a keystore of ERC-2335: {0}")]
    Invalid(String),
    /// A function that ERC-2335 does not list.
    #[error("the keystore uses another {what} than {supported}")]
    Unsupported {
        /// What is done with it.
        what: &'static str,
        /// What we support.
        supported: &'static str,
    },
    /// A parameter of a wrong length or outside the bounds; nothing was computed.
    #[error("the keystore's {0}")]
    Parameter(&'static str),
    /// Nothing is left of the passphrase.
    #[error("the passphrase holds control characters only, which ERC-2335 drops")]
    EmptyPassphrase,
    /// The checksum does not match.
    #[error("wrong passphrase, or the keystore is damaged (its format cannot tell which)")]
    Checksum,
    /// The checksum matches and the content is no BLS secret key.
    #[error("the keystore opens, but what it holds is not a BLS secret key")]
    NotASecretKey,
    /// The checksum matches and the secret is another validator's.
    #[error(
        "the secret key in the keystore has the public key {actual}, not {named} as the keystore says"
    )]
    OtherKey {
        /// The public key of the secret.
        actual: Hex<48>,
        /// The public key in the file.
        named: Hex<48>,
    },
    /// The derived key is of other parameters than this file's.
    #[error("the keystore has another salt or other key-derivation parameters than were written")]
    OtherDerivation,
    /// A path that is not one.
    #[error("cannot make a keystore: {0}")]
    Path(#[from] PathError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// A keystore whose parameters were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keystore {
    crypto: Crypto,
    description: Option<String>,
    pubkey: Hex<48>,
    path: String,
    uuid: String,
}

/// The key that a passphrase gave under one keystore's salt: opens that file again without a second
/// key derivation.
#[derive(Debug)]
pub struct DerivedKey {
    kdf: Kdf,
    key: Seed,
}

impl Keystore {
    /// Encrypts a BLS secret key (32 bytes, big-endian) under a fresh salt and IV.
    ///
    /// `pubkey` must be the secret's own public key, also for a share of a larger key.
    pub fn encrypt(
        secret: &Seed,
        pubkey: &[u8; 48],
        passphrase: &Passphrase,
        choice: KdfChoice,
        path: &str,
        description: &str,
        rng: &mut dyn Randomness,
    ) -> Result<(Self, DerivedKey), KeystoreError> {
        let path = KeyPath::parse(path)?;
        check_public_key(secret, pubkey)?;
        let mut salt = vec![0u8; 32];
        let (mut iv, mut uuid) = ([0u8; 16], [0u8; 16]);
        rng.fill(&mut salt)?;
        rng.fill(&mut iv)?;
        rng.fill(&mut uuid)?;
        let kdf = Kdf::standard(choice, salt);
        let key = kdf.derive(passphrase)?;
        // Encrypted in place, so that the copy of the secret is gone before the bytes get out.
        let mut message = secret.expose(|bytes| Secret::new(bytes.to_vec()));
        message.expose_mut(|bytes| apply_cipher(&key, &iv, bytes));
        let message = message.expose(Vec::clone);
        let checksum = checksum(&key, &message);
        let keystore = Self {
            crypto: Crypto {
                kdf: kdf.clone(),
                iv,
                message,
                checksum,
            },
            description: Some(description.to_owned()),
            pubkey: Hex(*pubkey),
            path: path.to_string(),
            uuid: uuid::Builder::from_random_bytes(uuid)
                .into_uuid()
                .to_string(),
        };
        Ok((keystore, DerivedKey { kdf, key }))
    }

    /// Reads a keystore of any tool; checks everything that can be checked without the passphrase.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeystoreError> {
        let file: FileForm = parse_json(bytes)?;
        if file.version != 4 {
            return Err(KeystoreError::Parameter("version is not 4"));
        }
        let pubkey = hex_array(&file.pubkey).ok_or(KeystoreError::Parameter(
            "pubkey is not 96 hex characters without 0x",
        ))?;
        Ok(Self {
            crypto: Crypto::try_from(file.crypto)?,
            description: file.description,
            pubkey: Hex(pubkey),
            path: file.path,
            uuid: file.uuid,
        })
    }

    /// Returns the file's bytes: exactly the standard's keys, then a newline.
    pub fn to_bytes(&self) -> Result<Vec<u8>, KeystoreError> {
        let form = FileForm {
            crypto: CryptoForm::from(&self.crypto),
            description: self.description.clone(),
            pubkey: self.pubkey.to_string(),
            path: self.path.clone(),
            uuid: self.uuid.clone(),
            version: 4,
        };
        let mut bytes = serde_json::to_vec_pretty(&form)
            .map_err(|error| KeystoreError::Invalid(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Opens the keystore: one key derivation.
    pub fn decrypt(&self, passphrase: &Passphrase) -> Result<Seed, KeystoreError> {
        self.open(&self.crypto.kdf.derive(passphrase)?)
    }

    /// Opens the keystore with the key it was encrypted under, when its salt and key-derivation
    /// parameters are still those: then the passphrase opens it too.
    pub fn decrypt_with(&self, derived: &DerivedKey) -> Result<Seed, KeystoreError> {
        if self.crypto.kdf != derived.kdf {
            return Err(KeystoreError::OtherDerivation);
        }
        self.open(&derived.key)
    }

    /// The public key that the file names.
    pub const fn pubkey(&self) -> &[u8; 48] {
        &self.pubkey.0
    }

    /// The derivation path that the file names; empty or any text in other tools' files.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The description, empty when there is none; any text in other tools' files.
    pub fn description(&self) -> &str {
        self.description.as_deref().unwrap_or_default()
    }

    /// The file's UUID, unchecked in files of other tools.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    fn open(&self, key: &Seed) -> Result<Seed, KeystoreError> {
        let secret = self.crypto.open_seed(key)?;
        // The IV is under no checksum: only this finds that it was changed.
        check_public_key(&secret, &self.pubkey.0)?;
        Ok(secret)
    }
}

/// The `crypto` object: what ERC-2335 encrypts, whatever it is. Some tools keep keys of other kinds
/// in one without the rest of a keystore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crypto {
    kdf: Kdf,
    iv: [u8; 16],
    message: Vec<u8>,
    checksum: [u8; 32],
}

impl Crypto {
    /// Reads a bare `crypto` object; other keys beside its three are ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeystoreError> {
        parse_json::<CryptoForm>(bytes)?.try_into()
    }

    /// Opens it: one key derivation.
    pub fn decrypt(&self, passphrase: &Passphrase) -> Result<SecretBytes, KeystoreError> {
        self.open(&self.kdf.derive(passphrase)?)
    }

    /// The working memory of its key derivation, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        match &self.kdf {
            Kdf::Scrypt { log_n, r, .. } => 1u64
                .checked_shl(u32::from(*log_n))
                .and_then(|n| n.checked_mul(u64::from(*r)))
                .and_then(|product| product.checked_mul(128))
                .unwrap_or(u64::MAX),
            Kdf::Pbkdf2 { .. } => 0,
        }
    }

    /// The key derivation and its cost in the parameters' own names, such as `scrypt n=262144 r=8 p=1`.
    pub fn key_derivation(&self) -> String {
        match &self.kdf {
            Kdf::Scrypt { log_n, r, p, .. } => {
                let n = 1u64.checked_shl(u32::from(*log_n)).unwrap_or(u64::MAX);
                format!("scrypt n={n} r={r} p={p}")
            }
            Kdf::Pbkdf2 { c, .. } => format!("pbkdf2 c={c}"),
        }
    }

    /// Whether the key derivation costs less than that of the standard's test vectors, which is ours.
    pub const fn is_cheap_to_guess(&self) -> bool {
        match &self.kdf {
            Kdf::Scrypt { log_n, r, .. } => *log_n < Kdf::LOG_N || *r < Kdf::R,
            Kdf::Pbkdf2 { c, .. } => *c < Kdf::C,
        }
    }

    /// Opens what has to be a BLS secret key.
    fn decrypt_seed(&self, passphrase: &Passphrase) -> Result<Seed, KeystoreError> {
        self.open_seed(&self.kdf.derive(passphrase)?)
    }

    fn open_seed(&self, key: &Seed) -> Result<Seed, KeystoreError> {
        let plain = self.open(key)?;
        let mut secret = Secret::new([0u8; 32]);
        let fits = plain.expose(|plain| {
            secret.expose_mut(|out| {
                let fits = plain.len() == out.len();
                out.iter_mut()
                    .zip(plain)
                    .for_each(|(out, byte)| *out = *byte);
                fits
            })
        });
        if fits {
            Ok(secret)
        } else {
            Err(KeystoreError::NotASecretKey)
        }
    }

    fn open(&self, key: &Seed) -> Result<SecretBytes, KeystoreError> {
        if !bool::from(checksum(key, &self.message).ct_eq(&self.checksum)) {
            return Err(KeystoreError::Checksum);
        }
        let mut plain = Secret::new(self.message.clone());
        plain.expose_mut(|bytes| apply_cipher(key, &self.iv, bytes));
        Ok(plain)
    }
}

/// A key derivation within our bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kdf {
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
        salt: Vec<u8>,
    },
    Pbkdf2 {
        c: u32,
        salt: Vec<u8>,
    },
}

impl Kdf {
    const LOG_N: u8 = 18;
    const R: u32 = 8;
    const P: u32 = 1;
    const C: u32 = 1 << 18;
    /// The most of 128 * N * r * p: four times the standard cost in memory and work.
    const MAX_SCRYPT_BYTES: u64 = 1 << 30;
    /// The most rounds: 64 times the standard cost, some two seconds.
    const MAX_C: u64 = 1 << 24;
    const MAX_SALT_BYTES: usize = 64;

    fn standard(choice: KdfChoice, salt: Vec<u8>) -> Self {
        match choice {
            KdfChoice::Scrypt => Self::Scrypt {
                log_n: Self::LOG_N,
                r: Self::R,
                p: Self::P,
                salt,
            },
            KdfChoice::Pbkdf2 => Self::Pbkdf2 { c: Self::C, salt },
        }
    }

    fn derive(&self, passphrase: &Passphrase) -> Result<Seed, KeystoreError> {
        let password = encode_passphrase(passphrase)?;
        let mut key = Secret::new([0u8; 32]);
        password.expose(|password| {
            key.expose_mut(|out| match self {
                Self::Scrypt { log_n, r, p, salt } => {
                    const BAD: KeystoreError = KeystoreError::Parameter(SCRYPT_BOUNDS);
                    let params = scrypt::Params::new(*log_n, *r, *p).map_err(|_| BAD)?;
                    scrypt::scrypt(password.as_bytes(), salt, &params, out).map_err(|_| BAD)
                }
                Self::Pbkdf2 { c, salt } => {
                    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, *c, out);
                    Ok(())
                }
            })
        })?;
        Ok(key)
    }
}

const SCRYPT_BOUNDS: &str = "scrypt parameters are out of bounds: n a power of two from 2, r and p from 1, 128*n*r*p at most 1 GiB";

/// ERC-2335, password requirements: NFKD, then without C0, C1 and Delete, then UTF-8.
fn encode_passphrase(passphrase: &Passphrase) -> Result<Secret<String>, KeystoreError> {
    // No character grows more than twelvefold, so the buffer never moves and leaves no copy.
    let mut encoded = Secret::new(String::with_capacity(
        Passphrase::MAX_BYTES.saturating_mul(12),
    ));
    passphrase.expose(|text| {
        encoded.expose_mut(|encoded| {
            // `char::is_control` is exactly 0x00-0x1F and 0x7F-0x9F.
            encoded.extend(text.nfkd().filter(|character| !character.is_control()));
        });
    });
    if encoded.expose(String::is_empty) {
        return Err(KeystoreError::EmptyPassphrase);
    }
    Ok(encoded)
}

/// AES-128-CTR under the first half of the derived key, the IV as initial counter block.
fn apply_cipher(key: &Seed, iv: &[u8; 16], bytes: &mut [u8]) {
    key.expose(|key| {
        if let Some((half, _)) = key.split_first_chunk::<16>() {
            Ctr128BE::<Aes128>::new(half.into(), iv.into()).apply_keystream(bytes);
        }
    });
}

/// SHA-256 of the second half of the derived key and the cipher message.
fn checksum(key: &Seed, message: &[u8]) -> [u8; 32] {
    key.expose(|key| {
        let (_, half) = key.split_at(16);
        Sha256::new()
            .chain_update(half)
            .chain_update(message)
            .finalize()
            .into()
    })
}

fn public_key_of(secret: &Seed) -> Result<[u8; 48], KeystoreError> {
    secret
        .expose(Scalar::from_bytes)
        .and_then(|scalar| bls::public_key(&scalar))
        .map(|key| key.to_bytes())
        .ok_or(KeystoreError::NotASecretKey)
}

fn check_public_key(secret: &Seed, pubkey: &[u8; 48]) -> Result<(), KeystoreError> {
    let actual = public_key_of(secret)?;
    if &actual != pubkey {
        return Err(KeystoreError::OtherKey {
            actual: Hex(actual),
            named: Hex(*pubkey),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
