//! Deposits: what a validator key signs, and the launchpad file (`deposit_data-*.json`).

use serde::Serialize;

use super::amount::Gwei;
use super::network::NetworkSpec;
use super::signing_root::{
    DomainType, Root, bytes_root, compute_domain, merkle_root, signing_root, uint_chunk,
};
use super::withdrawal::WithdrawalCredentials;
use crate::crypto::bls::SigningRoot;
use crate::json::Hex;

mod check;
mod foreign;
mod totals;

pub use check::{DepositFinding, DepositProblem, Spot, check_entries, check_files};
pub use foreign::{DepositFileError, ForeignEntry, MAX_BYTES, MAX_ENTRIES, parse_entries};
pub use totals::{Totals, Withdrawals};

/// What files say made them. Older launchpads refuse versions below 2.7.0; those of other tools that
/// are no version of the Ethereum Foundation's tool carry this one too.
pub const CLI_VERSION: &str = "2.7.0";

/// `DepositMessage` (consensus-specs, phase 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositMessage {
    /// The validator's public key.
    pub pubkey: [u8; 48],
    /// Where its balance can go.
    pub credentials: WithdrawalCredentials,
    /// How much is deposited.
    pub amount: Gwei,
}

impl DepositMessage {
    /// Returns the object's root: `deposit_message_root` in files.
    pub fn object_root(&self) -> Root {
        merkle_root(&[
            bytes_root(&self.pubkey),
            self.credentials.0,
            uint_chunk(self.amount.0),
        ])
    }

    /// Returns what the validator key signs. Phase 0, `apply_deposit`: under the genesis fork
    /// version and a zero root, since deposits are valid across forks.
    pub fn signing_root(&self, genesis_fork_version: [u8; 4]) -> SigningRoot {
        let domain = compute_domain(DomainType::DEPOSIT, genesis_fork_version, &[0; 32]);
        signing_root(&self.object_root(), &domain)
    }
}

/// `DepositData` (consensus-specs, phase 0): what the deposit contract takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositData {
    /// What is signed.
    pub message: DepositMessage,
    /// The signature by the validator key.
    pub signature: [u8; 96],
}

impl DepositData {
    /// Returns the object's root: `deposit_data_root` in files, which the contract computes again.
    pub fn object_root(&self) -> Root {
        merkle_root(&[
            bytes_root(&self.message.pubkey),
            self.message.credentials.0,
            uint_chunk(self.message.amount.0),
            bytes_root(&self.signature),
        ])
    }
}

/// One entry of a launchpad file, with exactly the keys that every tool writes: hex without `0x`,
/// the amount as a number of Gwei.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DepositEntry {
    pubkey: Hex<48>,
    withdrawal_credentials: Hex<32>,
    amount: Gwei,
    signature: Hex<96>,
    deposit_message_root: Hex<32>,
    deposit_data_root: Hex<32>,
    fork_version: Hex<4>,
    network_name: String,
    deposit_cli_version: &'static str,
}

impl DepositEntry {
    /// Writes out a deposit that was signed for `network`.
    pub fn new(data: &DepositData, network: &NetworkSpec) -> Self {
        Self {
            pubkey: Hex(data.message.pubkey),
            withdrawal_credentials: Hex(data.message.credentials.0),
            amount: data.message.amount,
            signature: Hex(data.signature),
            deposit_message_root: Hex(data.message.object_root()),
            deposit_data_root: Hex(data.object_root()),
            fork_version: Hex(network.fork_version()),
            network_name: network.name().to_owned(),
            deposit_cli_version: CLI_VERSION,
        }
    }
}

/// Returns the bytes of a launchpad file: the array, indented, and a newline.
pub fn write_entries(entries: &[DepositEntry]) -> Result<Vec<u8>, DepositFileError> {
    let mut bytes = serde_json::to_vec_pretty(entries)
        .map_err(|error| DepositFileError::Invalid(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
