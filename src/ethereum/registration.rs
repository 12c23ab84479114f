//! The registration of a validator with block builders (builder-specs, `ValidatorRegistrationV1`).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::Address;
use super::api;
use super::signing_root::{
    DomainType, Root, bytes_root, compute_domain, merkle_root, signing_root, uint_chunk,
};
use crate::crypto::bls::SigningRoot;

/// `ValidatorRegistrationV1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidatorRegistration {
    /// Where the builder pays.
    pub fee_recipient: Address,
    /// The gas limit that the validator votes for.
    pub gas_limit: u64,
    /// Seconds since 1970; a relay prefers the newest registration of a key.
    pub timestamp: u64,
    /// The validator's public key.
    pub pubkey: [u8; 48],
}

impl ValidatorRegistration {
    /// Returns the object's root.
    pub fn object_root(&self) -> Root {
        merkle_root(&[
            bytes_root(&self.fee_recipient.0),
            uint_chunk(self.gas_limit),
            uint_chunk(self.timestamp),
            bytes_root(&self.pubkey),
        ])
    }

    /// Returns what the validator key signs. Builder-specs: genesis fork version, zero root.
    pub fn signing_root(&self, genesis_fork_version: [u8; 4]) -> SigningRoot {
        let domain = compute_domain(
            DomainType::APPLICATION_BUILDER,
            genesis_fork_version,
            &[0; 32],
        );
        signing_root(&self.object_root(), &domain)
    }
}

/// A signed registration as the beacon and builder APIs take it in JSON: hex with `0x`, integers as
/// decimal strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedRegistration {
    /// What is signed.
    #[serde(with = "message_form")]
    pub message: ValidatorRegistration,
    /// The signature by the validator key.
    #[serde(with = "api::hex_0x")]
    pub signature: [u8; 96],
}

mod message_form {
    use super::{Deserialize, Deserializer, Serialize, Serializer, ValidatorRegistration, api};
    use crate::ethereum::address::Address;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Message {
        #[serde(with = "api::address")]
        fee_recipient: Address,
        #[serde(with = "api::decimal")]
        gas_limit: u64,
        #[serde(with = "api::decimal")]
        timestamp: u64,
        #[serde(with = "api::hex_0x")]
        pubkey: [u8; 48],
    }

    pub(super) fn serialize<S: Serializer>(
        registration: &ValidatorRegistration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Message {
            fee_recipient: registration.fee_recipient,
            gas_limit: registration.gas_limit,
            timestamp: registration.timestamp,
            pubkey: registration.pubkey,
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ValidatorRegistration, D::Error> {
        let message = Message::deserialize(deserializer)?;
        Ok(ValidatorRegistration {
            fee_recipient: message.fee_recipient,
            gas_limit: message.gas_limit,
            timestamp: message.timestamp,
            pubkey: message.pubkey,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_the_builder_api_takes() {
        let signed = SignedRegistration {
            message: ValidatorRegistration {
                fee_recipient: Address([0xab; 20]),
                gas_limit: 60_000_000,
                timestamp: u64::MAX,
                pubkey: [1; 48],
            },
            signature: [2; 96],
        };
        let text = serde_json::to_string(&signed).unwrap();
        let expected = format!(
            r#"{{"message":{{"fee_recipient":"0x{}","gas_limit":"60000000","timestamp":"18446744073709551615","pubkey":"0x{}"}},"signature":"0x{}"}}"#,
            "ab".repeat(20),
            "01".repeat(48),
            "02".repeat(96)
        );
        assert_eq!(text, expected);
        assert_eq!(
            serde_json::from_str::<SignedRegistration>(&text).unwrap(),
            signed
        );
        for (from, to) in [
            ("\"60000000\"", "60000000"),
            ("\"60000000\"", "\"060000000\""),
            ("\"60000000\"", "\"+1\""),
            ("18446744073709551615", "18446744073709551616"),
            ("\"0x0101", "\"0101"),
            ("\"gas_limit\"", "\"gas\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(
                serde_json::from_str::<SignedRegistration>(&changed).is_err(),
                "{to}"
            );
        }
    }
}
