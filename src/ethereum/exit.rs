//! The voluntary exit (consensus-specs, phase 0, with EIP-7044).

use serde::{Deserialize, Serialize};

use super::api;
use super::signing_root::{
    DomainType, Root, compute_domain, merkle_root, signing_root, uint_chunk,
};
use crate::crypto::bls::SigningRoot;

/// `VoluntaryExit`; in JSON as the beacon API takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoluntaryExit {
    /// The earliest epoch at which the chain takes the exit.
    #[serde(with = "api::decimal")]
    pub epoch: u64,
    /// The validator's index on the chain.
    #[serde(with = "api::decimal")]
    pub validator_index: u64,
}

/// `SignedVoluntaryExit`, as `POST /eth/v1/beacon/pool/voluntary_exits` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedExit {
    /// What is signed.
    pub message: VoluntaryExit,
    /// The signature by the validator key.
    #[serde(with = "api::hex_0x")]
    pub signature: [u8; 96],
}

impl VoluntaryExit {
    /// Returns the object's root.
    pub fn object_root(&self) -> Root {
        merkle_root(&[uint_chunk(self.epoch), uint_chunk(self.validator_index)])
    }

    /// Returns what a validator key signs. EIP-7044: always under the Capella fork version, so an
    /// exit signed once stays valid for ever.
    pub fn signing_root(
        &self,
        capella_fork_version: [u8; 4],
        genesis_validators_root: &Root,
    ) -> SigningRoot {
        let domain = compute_domain(
            DomainType::VOLUNTARY_EXIT,
            capella_fork_version,
            genesis_validators_root,
        );
        signing_root(&self.object_root(), &domain)
    }
}
