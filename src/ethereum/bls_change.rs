//! The change of withdrawal credentials from 0x00 to an address (consensus-specs, Capella).

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::api;
use super::signing_root::{
    DomainType, Root, bytes_root, compute_domain, merkle_root, signing_root, uint_chunk,
};
use crate::crypto::bls::SigningRoot;

/// `BLSToExecutionChange`; in JSON as the beacon API takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlsToExecutionChange {
    /// The validator's index on the chain.
    #[serde(with = "api::decimal")]
    pub validator_index: u64,
    /// The BLS withdrawal key whose hash the old credentials hold; it signs, not the validator key.
    #[serde(with = "api::hex_0x")]
    pub from_bls_pubkey: [u8; 48],
    /// The address of the new 0x01 credentials.
    #[serde(with = "api::address")]
    pub to_execution_address: Address,
}

/// `SignedBLSToExecutionChange`, as `POST /eth/v1/beacon/pool/bls_to_execution_changes` takes an array
/// of them. Other tools write notes beside it, which are read and pass for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBlsChange {
    /// What is signed.
    pub message: BlsToExecutionChange,
    /// The signature by the withdrawal key.
    #[serde(with = "api::hex_0x")]
    pub signature: [u8; 96],
    #[serde(default, rename = "metadata", skip_serializing)]
    _metadata: Option<serde_json::Value>,
}

impl SignedBlsChange {
    /// Takes a message and its signature.
    pub const fn new(message: BlsToExecutionChange, signature: [u8; 96]) -> Self {
        Self {
            message,
            signature,
            _metadata: None,
        }
    }
}

impl BlsToExecutionChange {
    /// Returns the object's root.
    pub fn object_root(&self) -> Root {
        merkle_root(&[
            uint_chunk(self.validator_index),
            bytes_root(&self.from_bls_pubkey),
            bytes_root(&self.to_execution_address.0),
        ])
    }

    /// Returns what the withdrawal key signs. Capella, `process_bls_to_execution_change`: under the
    /// genesis fork version, so that it is valid across forks.
    pub fn signing_root(
        &self,
        genesis_fork_version: [u8; 4],
        genesis_validators_root: &Root,
    ) -> SigningRoot {
        let domain = compute_domain(
            DomainType::BLS_TO_EXECUTION_CHANGE,
            genesis_fork_version,
            genesis_validators_root,
        );
        signing_root(&self.object_root(), &domain)
    }
}
