//! Withdrawal credentials: where a validator's balance can go (consensus-specs, Capella and Electra
//! `validator.md`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::address::Address;
use crate::json::encode_hex;

/// The two kinds of credentials that new validators use: both name an execution-layer address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CredentialsKind {
    /// `ETH1_ADDRESS_WITHDRAWAL_PREFIX`: the balance above 32 ETH is paid out by itself.
    #[serde(rename = "0x01")]
    Eth1,
    /// `COMPOUNDING_WITHDRAWAL_PREFIX` (EIP-7251): the balance grows to 2048 ETH.
    #[serde(rename = "0x02")]
    Compounding,
}

impl CredentialsKind {
    /// The first byte of the credentials.
    pub const fn prefix(self) -> u8 {
        match self {
            Self::Eth1 => 0x01,
            Self::Compounding => 0x02,
        }
    }
}

impl fmt::Display for CredentialsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02x}", self.prefix())
    }
}

/// The 32 bytes of a deposit's `withdrawal_credentials`, of any form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WithdrawalCredentials(pub [u8; 32]);

/// Why credentials are not of the form that new validators use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// `BLS_WITHDRAWAL_PREFIX`: withdrawals need one more BLS key and message first.
    #[error(
        "the withdrawal credentials are of the old form 0x00 (a BLS key), which tools no longer accept"
    )]
    Bls,
    /// A first byte that no validator deposit uses.
    #[error("the withdrawal credentials start with 0x{0:02x}; 0x01 or 0x02 is expected")]
    Prefix(u8),
    /// Bytes 1 to 11 are not zero.
    #[error("the withdrawal credentials do not have 11 zero bytes before the address")]
    Padding,
}

impl WithdrawalCredentials {
    /// Returns prefix, 11 zero bytes, address.
    pub fn new(kind: CredentialsKind, address: Address) -> Self {
        let mut bytes = [0u8; 32];
        let (head, tail) = bytes.split_at_mut(12);
        head.fill(0);
        if let Some(first) = head.first_mut() {
            *first = kind.prefix();
        }
        tail.copy_from_slice(&address.0);
        Self(bytes)
    }

    /// Reads kind and address back out of the bytes.
    pub fn form(&self) -> Result<(CredentialsKind, Address), CredentialsError> {
        let [prefix, rest @ ..] = &self.0;
        let kind = match prefix {
            0x00 => return Err(CredentialsError::Bls),
            0x01 => CredentialsKind::Eth1,
            0x02 => CredentialsKind::Compounding,
            other => return Err(CredentialsError::Prefix(*other)),
        };
        match rest.split_first_chunk::<11>() {
            Some(([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], tail)) => tail
                .try_into()
                .map(|address| (kind, Address(address)))
                .map_err(|_| CredentialsError::Padding),
            _ => Err(CredentialsError::Padding),
        }
    }
}

impl fmt::Display for WithdrawalCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for WithdrawalCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_the_inverse_of_new() {
        let address = Address([0xab; 20]);
        for (kind, prefix) in [
            (CredentialsKind::Eth1, "01"),
            (CredentialsKind::Compounding, "02"),
        ] {
            let credentials = WithdrawalCredentials::new(kind, address);
            let text = format!("{prefix}{}{}", "00".repeat(11), "ab".repeat(20));
            assert_eq!(credentials.to_string(), text);
            assert_eq!(credentials.form(), Ok((kind, address)));
            assert_eq!(
                serde_json::to_string(&kind).unwrap(),
                format!("\"0x{prefix}\"")
            );
        }
    }

    #[test]
    fn other_forms_are_told_apart() {
        let mut bytes = WithdrawalCredentials::new(CredentialsKind::Eth1, Address([1; 20])).0;
        for (prefix, why) in [
            (0x00, CredentialsError::Bls),
            (0xb0, CredentialsError::Prefix(0xb0)),
        ] {
            bytes[0] = prefix;
            assert_eq!(WithdrawalCredentials(bytes).form(), Err(why));
        }
        bytes[0] = 0x02;
        for at in 1..12 {
            let mut bytes = bytes;
            bytes[at] = 1;
            assert_eq!(
                WithdrawalCredentials(bytes).form(),
                Err(CredentialsError::Padding)
            );
        }
    }
}
