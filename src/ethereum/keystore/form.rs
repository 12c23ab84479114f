//! The JSON of keystores, and the bounds that turn it into checked parameters.

use serde::{Deserialize, Serialize};

use super::{Crypto, Kdf, KeystoreError, MAX_BYTES, SCRYPT_BOUNDS};
use crate::json::{Hex, MAX_QUOTED_CHARS, decode_hex, encode_hex, excerpt};

#[derive(Serialize, Deserialize)]
#[serde(expecting = "a keystore object")]
pub(super) struct FileForm {
    pub(super) crypto: CryptoForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) pubkey: String,
    pub(super) path: String,
    pub(super) uuid: String,
    pub(super) version: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CryptoForm {
    kdf: Module<KdfForm>,
    checksum: Module<ChecksumForm>,
    cipher: Module<CipherForm>,
}

#[derive(Serialize, Deserialize)]
struct Module<P> {
    function: String,
    params: P,
    message: String,
}

#[derive(Serialize, Deserialize, Default)]
struct KdfForm {
    dklen: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prf: Option<String>,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct ChecksumForm {}

#[derive(Serialize, Deserialize)]
struct CipherForm {
    iv: String,
}

impl KdfForm {
    /// N, r and p of scrypt, in bounds; N as its logarithm.
    fn scrypt_params(&self) -> Result<(u8, u32, u32), KeystoreError> {
        let bad = || KeystoreError::Parameter(SCRYPT_BOUNDS);
        let (n, r, p) = (
            self.n.ok_or_else(bad)?,
            self.r.ok_or_else(bad)?,
            self.p.ok_or_else(bad)?,
        );
        let bytes = [n, r, p]
            .iter()
            .try_fold(128u64, |product, x| product.checked_mul(*x));
        let in_bounds = bytes.is_some_and(|bytes| bytes <= Kdf::MAX_SCRYPT_BYTES);
        if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 || !in_bounds {
            return Err(bad());
        }
        let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| bad())?;
        Ok((
            log_n,
            u32::try_from(r).map_err(|_| bad())?,
            u32::try_from(p).map_err(|_| bad())?,
        ))
    }
}

impl TryFrom<Module<KdfForm>> for Kdf {
    type Error = KeystoreError;

    fn try_from(module: Module<KdfForm>) -> Result<Self, KeystoreError> {
        let parameter = KeystoreError::Parameter;
        let params = module.params;
        if params.dklen != 32 {
            return Err(parameter("dklen is not 32"));
        }
        let salt = hex_bytes(&params.salt)
            .filter(|salt| (1..=Self::MAX_SALT_BYTES).contains(&salt.len()))
            .ok_or(parameter("salt is not 1 to 64 bytes of hex"))?;
        match module.function.as_str() {
            "scrypt" => {
                let (log_n, r, p) = params.scrypt_params()?;
                Ok(Self::Scrypt { log_n, r, p, salt })
            }
            "pbkdf2" => {
                if params.prf.is_some_and(|prf| prf != PRF) {
                    return Err(unsupported("prf", PRF));
                }
                let c = params
                    .c
                    .filter(|c| (1..=Self::MAX_C).contains(c))
                    .and_then(|c| u32::try_from(c).ok())
                    .ok_or(parameter("pbkdf2 count c is not 1 to 2^24"))?;
                Ok(Self::Pbkdf2 { c, salt })
            }
            _ => Err(unsupported("key derivation", "scrypt or pbkdf2")),
        }
    }
}

const fn unsupported(what: &'static str, supported: &'static str) -> KeystoreError {
    KeystoreError::Unsupported { what, supported }
}

const PRF: &str = "hmac-sha256";
const CIPHER: &str = "aes-128-ctr";
const CHECKSUM: &str = "sha256";

impl TryFrom<CryptoForm> for Crypto {
    type Error = KeystoreError;

    fn try_from(form: CryptoForm) -> Result<Self, KeystoreError> {
        if form.checksum.function != CHECKSUM {
            return Err(unsupported("checksum", CHECKSUM));
        }
        if form.cipher.function != CIPHER {
            return Err(unsupported("cipher", CIPHER));
        }
        let parameter = KeystoreError::Parameter;
        Ok(Self {
            kdf: form.kdf.try_into()?,
            iv: hex_array(&form.cipher.params.iv).ok_or(parameter("iv is not 16 bytes of hex"))?,
            message: hex_bytes(&form.cipher.message)
                .ok_or(parameter("cipher message is not hex"))?,
            checksum: hex_array(&form.checksum.message)
                .ok_or(parameter("checksum is not 32 bytes of hex"))?,
        })
    }
}

impl From<&Crypto> for CryptoForm {
    fn from(crypto: &Crypto) -> Self {
        let (function, params) = match &crypto.kdf {
            Kdf::Scrypt { log_n, r, p, salt } => (
                "scrypt",
                KdfForm {
                    n: 1u64.checked_shl(u32::from(*log_n)),
                    r: Some(u64::from(*r)),
                    p: Some(u64::from(*p)),
                    salt: encode_hex(salt),
                    ..KdfForm::default()
                },
            ),
            Kdf::Pbkdf2 { c, salt } => (
                "pbkdf2",
                KdfForm {
                    c: Some(u64::from(*c)),
                    prf: Some(PRF.to_owned()),
                    salt: encode_hex(salt),
                    ..KdfForm::default()
                },
            ),
        };
        Self {
            kdf: Module {
                function: function.to_owned(),
                params: KdfForm {
                    dklen: 32,
                    ..params
                },
                message: String::new(),
            },
            checksum: Module {
                function: CHECKSUM.to_owned(),
                params: ChecksumForm {},
                message: encode_hex(&crypto.checksum),
            },
            cipher: Module {
                function: CIPHER.to_owned(),
                params: CipherForm {
                    iv: encode_hex(&crypto.iv),
                },
                message: encode_hex(&crypto.message),
            },
        }
    }
}

pub(super) fn parse_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, KeystoreError> {
    if bytes.len() > MAX_BYTES {
        return Err(KeystoreError::TooLarge(bytes.len()));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| KeystoreError::Invalid(excerpt(&error.to_string(), MAX_QUOTED_CHARS)))
}

pub(super) fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    Hex::parse(&text.to_ascii_lowercase()).map(|Hex(bytes)| bytes)
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; text.len().div_euclid(2)];
    decode_hex(&text.to_ascii_lowercase(), &mut bytes)?;
    Some(bytes)
}
