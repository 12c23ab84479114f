//! Reading launchpad files of any tool.
//!
//! Tolerated, because launchpads tolerate it: other fields, upper-case hex, any white space and key
//! order, no `network_name`. Not tolerated: `0x` before hex, numbers as strings, a field that stands
//! twice. What an entry lacks or has wrong is for the checker to say, with the entry's number; only
//! what makes the file unreadable as a whole is refused here.

use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::ethereum::amount::Gwei;
use crate::ethereum::network::Network;
use crate::ethereum::withdrawal::WithdrawalCredentials;
use crate::json::{Hex, MAX_QUOTED_CHARS, excerpt};

/// The most bytes of a deposit file.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most entries of a deposit file; one takes over 600 bytes.
pub const MAX_ENTRIES: usize = 100_000;

/// Why a deposit file cannot be read or written at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepositFileError {
    /// Over [`MAX_BYTES`].
    #[error("the deposit file is {0} bytes long; the limit is {MAX_BYTES}")]
    TooLarge(usize),
    /// Not a JSON array of objects, or a known field stands twice in one.
    #[error("not a deposit file: {0}")]
    Invalid(String),
    /// An array of nothing.
    #[error("the deposit file has no entry")]
    Empty,
}

/// One entry as it stood in the file, checked by nobody yet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, expecting = "a deposit object")]
pub struct ForeignEntry {
    pub(super) pubkey: Field,
    pub(super) withdrawal_credentials: Field,
    pub(super) amount: Field,
    pub(super) signature: Field,
    pub(super) deposit_message_root: Field,
    pub(super) deposit_data_root: Field,
    pub(super) fork_version: Field,
    pub(super) network_name: Field,
    pub(super) deposit_cli_version: Field,
}

impl ForeignEntry {
    /// The public key, where it can be read.
    pub fn pubkey(&self) -> Option<[u8; 48]> {
        self.pubkey.hex()
    }

    /// The withdrawal credentials, where they can be read.
    pub fn credentials(&self) -> Option<WithdrawalCredentials> {
        self.withdrawal_credentials.hex().map(WithdrawalCredentials)
    }

    /// The signature's bytes, where they can be read.
    pub fn signature(&self) -> Option<[u8; 96]> {
        self.signature.hex()
    }

    /// The fork version, where it can be read.
    pub fn fork_version(&self) -> Option<[u8; 4]> {
        self.fork_version.hex()
    }

    /// The amount, where it is a number.
    pub fn amount(&self) -> Option<Gwei> {
        match self.amount {
            Field::Number(amount) => Some(Gwei(amount)),
            _ => None,
        }
    }

    /// The known network of its fork version.
    pub fn network(&self) -> Option<&'static Network> {
        Network::by_fork_version(self.fork_version.hex()?)
    }
}

/// What stands in one field.
#[derive(Debug, Clone, Default)]
pub(super) enum Field {
    #[default]
    Missing,
    Text(String),
    Number(u64),
    /// Null, a boolean, another kind of number, an array, an object, a string over [`Field::MAX_BYTES`].
    Other,
}

/// Reads a launchpad file's entries.
pub fn parse_entries(bytes: &[u8]) -> Result<Vec<ForeignEntry>, DepositFileError> {
    if bytes.len() > MAX_BYTES {
        return Err(DepositFileError::TooLarge(bytes.len()));
    }
    let Entries(entries) = serde_json::from_slice(bytes).map_err(|error| {
        DepositFileError::Invalid(excerpt(&error.to_string(), MAX_QUOTED_CHARS))
    })?;
    if entries.is_empty() {
        return Err(DepositFileError::Empty);
    }
    Ok(entries)
}

impl Field {
    const MAX_BYTES: usize = 256;

    /// Reads hex of exactly `N` bytes in either case, without `0x`.
    pub(super) fn hex<const N: usize>(&self) -> Option<[u8; N]> {
        match self {
            Self::Text(text) => Hex::parse(&text.to_ascii_lowercase()).map(|Hex(bytes)| bytes),
            _ => None,
        }
    }
}

/// The array, bounded while it is read: an entry of two characters would else cost hundreds of bytes.
struct Entries(Vec<ForeignEntry>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of deposits")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = items.next_element()? {
                    if entries.len() >= MAX_ENTRIES {
                        return Err(de::Error::custom(format!(
                            "more than {MAX_ENTRIES} entries"
                        )));
                    }
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_seq(EntriesVisitor)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldVisitor;
        impl<'de> Visitor<'de> for FieldVisitor {
            type Value = Field;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Field, E> {
                if text.len() > Field::MAX_BYTES {
                    return Ok(Field::Other);
                }
                Ok(Field::Text(text.to_owned()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
                Ok(Field::Number(number))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
                Ok(Field::Other)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
                Ok(Field::Other)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
                Ok(Field::Other)
            }
            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field::Other)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Field::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Field::Other)
            }
        }
        deserializer.deserialize_any(FieldVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreadable_files_are_refused_and_odd_entries_are_kept() {
        for (text, why) in [
            ("", "EOF"),
            ("{}", "expected an array"),
            ("[1]", "expected a deposit object"),
            ("[{}] 1", "trailing"),
            (r#"[{"pubkey":"","pubkey":""}]"#, "duplicate field"),
        ] {
            let error = parse_entries(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!(parse_entries(b"[]").unwrap_err(), DepositFileError::Empty);
        let odd = r#"[{"pubkey":null,"amount":[1,{"a":2}],"signature":1.5,"x":{"y":[]},"fork_version":-1}]"#;
        let [entry] = parse_entries(odd.as_bytes()).unwrap().try_into().unwrap();
        assert!(matches!(entry.pubkey, Field::Other));
        assert!(matches!(entry.amount, Field::Other));
        assert!(matches!(entry.network_name, Field::Missing));
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        let many = format!("[{{}}{}]", ",{}".repeat(MAX_ENTRIES));
        assert!(
            parse_entries(many.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("more than 100000")
        );
    }
}
