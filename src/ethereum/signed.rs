//! Files of signed messages, whoever made them: exits, changes of withdrawal credentials, builder
//! registrations and deposits, as beacon nodes, relays and launchpads take them.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::bls_change::SignedBlsChange;
use super::deposit::{DepositFileError, ForeignEntry, parse_entries};
use super::exit::SignedExit;
use super::network::NetworkSpec;
use super::registration::SignedRegistration;
use crate::crypto::bls::{self, SigningRoot};
use crate::crypto::point::{G1, G2, PointError};
use crate::json::{self, JsonError};

/// The largest file, in bytes.
pub const MAX_SIGNED_BYTES: usize = 64 * 1024 * 1024;

/// A file that was read; its signatures are not verified.
#[derive(Debug, Clone)]
pub enum SignedFile {
    /// Exits.
    Exits(Vec<SignedExit>),
    /// Changes of withdrawal credentials.
    BlsChanges(Vec<SignedBlsChange>),
    /// Builder registrations.
    Registrations(Vec<SignedRegistration>),
    /// Deposits.
    Deposits(Vec<ForeignEntry>),
}

/// Why a file is none.
#[derive(Debug, thiserror::Error)]
pub enum SignedFileError {
    /// Not the JSON of one.
    #[error("the file {0}")]
    Json(#[from] JsonError),
    /// Deposits that are none.
    #[error(transparent)]
    Deposits(#[from] DepositFileError),
    /// JSON that holds none of the four.
    #[error(
        "the file holds no exits, changes of withdrawal credentials, registrations or deposits"
    )]
    Unknown,
}

/// What is wrong with one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedProblem {
    /// A key that may not be used.
    #[error("its key {0}")]
    Key(PointError),
    /// A signature that may not be used.
    #[error("its signature {0}")]
    Signature(PointError),
    /// The signature is not the key's over this message on this network.
    #[error("its signature does not verify")]
    Invalid,
    /// None of the keys that were given made the signature.
    #[error("its signature is of none of the keys that were given")]
    Stranger,
    /// Exits of a network of which nobody here knows Capella's fork version.
    #[error("exits of the network {0} cannot be checked: its Capella fork version is not known")]
    Network(String),
}

impl SignedFile {
    /// Reads a file of at most [`MAX_SIGNED_BYTES`]: one object, or an array of one kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignedFileError> {
        let value = json::parse(bytes, MAX_SIGNED_BYTES)?;
        let first = match &value {
            Value::Array(items) => items.first(),
            other => Some(other),
        };
        let has = |pointer: &str| first.is_some_and(|first| first.pointer(pointer).is_some());
        Ok(if has("/message/epoch") {
            Self::Exits(some(&value)?)
        } else if has("/message/to_execution_address") {
            Self::BlsChanges(some(&value)?)
        } else if has("/message/fee_recipient") {
            Self::Registrations(some(&value)?)
        } else if has("/deposit_data_root") {
            Self::Deposits(parse_entries(bytes)?)
        } else {
            return Err(SignedFileError::Unknown);
        })
    }

    /// How many messages it holds.
    pub fn count(&self) -> usize {
        match self {
            Self::Exits(rows) => rows.len(),
            Self::BlsChanges(rows) => rows.len(),
            Self::Registrations(rows) => rows.len(),
            Self::Deposits(rows) => rows.len(),
        }
    }
}

/// One of something, or an array of it.
fn some<T: DeserializeOwned>(value: &Value) -> Result<Vec<T>, JsonError> {
    match value {
        Value::Array(_) => json::decode(value),
        one => Ok(vec![json::decode(one)?]),
    }
}

/// Verifies changes, each under the key that it names; what is wrong stands beside its position.
pub fn check_changes(
    changes: &[SignedBlsChange],
    network: &NetworkSpec,
    seed: &[u8; 32],
) -> Vec<(usize, SignedProblem)> {
    let root = network.genesis_validators_root();
    let items = changes.iter().map(|change| {
        let signed = change.message.signing_root(network.fork_version(), root);
        (change.message.from_bls_pubkey, signed, change.signature)
    });
    check(items, seed)
}

/// Verifies registrations, each under the key that it names; what is wrong stands beside its position.
pub fn check_registrations(
    registrations: &[SignedRegistration],
    network: &NetworkSpec,
    seed: &[u8; 32],
) -> Vec<(usize, SignedProblem)> {
    let items = registrations.iter().map(|row| {
        let signed = row.message.signing_root(network.fork_version());
        (row.message.pubkey, signed, row.signature)
    });
    check(items, seed)
}

/// Verifies an exit under one of some keys, and says which: an exit does not name its key.
pub fn check_exit(
    exit: &SignedExit,
    keys: &[G1],
    network: &NetworkSpec,
) -> Result<usize, SignedProblem> {
    let version = network
        .exit_fork_version()
        .ok_or_else(|| SignedProblem::Network(network.to_string()))?;
    let root = exit
        .message
        .signing_root(version, network.genesis_validators_root());
    let signature = G2::from_bytes(&exit.signature).map_err(SignedProblem::Signature)?;
    keys.iter()
        .position(|key| bls::verify(key, &root, &signature))
        .ok_or(SignedProblem::Stranger)
}

fn check(
    items: impl Iterator<Item = ([u8; 48], SigningRoot, [u8; 96])>,
    seed: &[u8; 32],
) -> Vec<(usize, SignedProblem)> {
    let mut problems = Vec::new();
    let mut triples = Vec::new();
    for (position, (key, root, signature)) in items.enumerate() {
        match (G1::from_bytes(&key), G2::from_bytes(&signature)) {
            (Ok(key), Ok(signature)) => triples.push((position, (key, root, signature))),
            (Err(error), _) => problems.push((position, SignedProblem::Key(error))),
            (_, Err(error)) => problems.push((position, SignedProblem::Signature(error))),
        }
    }
    let read: Vec<(G1, SigningRoot, G2)> = triples.iter().map(|(_, item)| *item).collect();
    for invalid in bls::find_invalid(&read, seed) {
        let position = triples.get(invalid).map(|(position, _)| *position);
        problems.extend(position.map(|position| (position, SignedProblem::Invalid)));
    }
    problems.sort_by_key(|(position, _)| *position);
    problems
}
