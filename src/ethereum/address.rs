//! Execution-layer addresses in their checksummed form (ERC-55).
//!
//! Files hold that form only: a mistyped character is then found with overwhelming odds. Flags and
//! CSV cells may be all lower-case, which the caller is told, so that it can warn.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha3::{Digest as _, Keccak256};

use crate::json::{Hex, encode_hex};

/// A 20-byte execution-layer address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 20]);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `0x` and 40 hex characters.
    #[error("an address is 0x and 40 hex characters")]
    Form,
    /// Mixed case, or one case only where the checksum is required, and not the checksummed case.
    #[error(
        "the letter case of the address is not its ERC-55 checksum; compare it with its source"
    )]
    Checksum,
    /// All letters upper-case: what no tool writes.
    #[error("the address is all upper-case, so its checksum cannot be checked")]
    UpperCase,
}

/// How an address from a flag or a CSV cell was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// With a valid checksum.
    Checksummed,
    /// All lower-case: nothing guards it against a typing error, and the caller warns.
    LowerCase,
}

impl Address {
    /// Reads the checksummed form and no other (ERC-55).
    pub fn parse_eip55(text: &str) -> Result<Self, AddressError> {
        match Self::parse_flag(text)? {
            (address, Written::Checksummed) => Ok(address),
            (_, Written::LowerCase) => Err(AddressError::Checksum),
        }
    }

    /// Reads the checksummed form or an all-lower-case one, and says which it was.
    pub fn parse_flag(text: &str) -> Result<(Self, Written), AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Form)?;
        let Hex(bytes) = Hex::parse(&digits.to_ascii_lowercase()).ok_or(AddressError::Form)?;
        let address = Self(bytes);
        // Checked first: an address without letters is its own checksummed form.
        if address.to_string() == text {
            Ok((address, Written::Checksummed))
        } else if !digits.bytes().any(|c| c.is_ascii_uppercase()) {
            Ok((address, Written::LowerCase))
        } else if !digits.bytes().any(|c| c.is_ascii_lowercase()) {
            Err(AddressError::UpperCase)
        } else {
            Err(AddressError::Checksum)
        }
    }

    /// The form that most other tools' files hold: `0x` and lower-case hex.
    pub fn to_lower_hex(self) -> String {
        format!("0x{}", encode_hex(&self.0))
    }

    /// Tells whether this is the zero address, which nobody controls.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }
}

/// The checksummed form. ERC-55: a letter is upper-case where the same nibble of
/// `keccak256(lower-case hex)` is 8 or more.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = encode_hex(&self.0);
        let hash = Keccak256::digest(digits.as_bytes());
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        f.write_str("0x")?;
        digits.chars().zip(nibbles).try_for_each(|(digit, nibble)| {
            let upper = nibble >= 8;
            fmt::Write::write_char(
                f,
                if upper {
                    digit.to_ascii_uppercase()
                } else {
                    digit
                },
            )
        })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_eip55(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test cases that ERC-55 prints.
    const ERC55: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn erc55_known_answers() {
        for text in ERC55 {
            assert_eq!(Address::parse_eip55(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_changed_letter_case_or_digit_is_found() {
        let good = ERC55[4];
        for at in 2..good.len() {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = match bytes[at] {
                c if c.is_ascii_lowercase() => c.to_ascii_uppercase(),
                c if c.is_ascii_uppercase() => c.to_ascii_lowercase(),
                b'0' => b'1',
                _ => b'0',
            };
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(
                Address::parse_eip55(&text),
                Err(AddressError::Checksum),
                "{text}"
            );
        }
    }

    #[test]
    fn flags_may_be_lower_case_and_files_may_not() {
        let lower = ERC55[4].to_ascii_lowercase();
        let (address, written) = Address::parse_flag(&lower).unwrap();
        assert_eq!(
            (address.to_string().as_str(), written),
            (ERC55[4], Written::LowerCase)
        );
        assert_eq!(address.to_lower_hex(), lower);
        assert_eq!(Address::parse_eip55(&lower), Err(AddressError::Checksum));
        assert!(serde_json::from_str::<Address>(&format!("\"{lower}\"")).is_err());
        let upper = format!("0x{}", ERC55[4][2..].to_ascii_uppercase());
        assert_eq!(Address::parse_flag(&upper), Err(AddressError::UpperCase));
        let zero = Address::parse_eip55("0x0000000000000000000000000000000000000000").unwrap();
        assert!(zero.is_zero());
    }

    #[test]
    fn other_forms_are_refused() {
        let bare = &ERC55[4][2..];
        for text in [
            "",
            "0x",
            bare,
            &format!("0X{bare}"),
            &format!("0x{bare}0"),
            &ERC55[4][..41],
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeé",
            " 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ] {
            assert_eq!(Address::parse_flag(text), Err(AddressError::Form), "{text}");
        }
    }
}
