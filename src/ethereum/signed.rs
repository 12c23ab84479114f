//! Files of signed messages, whoever made them: exits, changes of withdrawal credentials, builder
//! registrations and deposits, as beacon nodes, relays and launchpads take them.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
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

/// A key, what it signed, and the signature.
type Item = (G1, SigningRoot, G2);

/// Verifies changes, each under the key that it names; what is wrong stands beside its position.
pub fn check_changes(
    changes: &[SignedBlsChange],
    network: &NetworkSpec,
    seed: &[u8; 32],
) -> Vec<(usize, SignedProblem)> {
    let root = network.genesis_validators_root();
    let items = changes.par_iter().map(|change| {
        let signed = change.message.signing_root(network.fork_version(), root);
        item(&change.message.from_bls_pubkey, signed, &change.signature)
    });
    problems(verified(items.collect(), seed))
}

/// Verifies registrations, each under the key that it names; what is wrong stands beside its position.
pub fn check_registrations(
    registrations: &[SignedRegistration],
    network: &NetworkSpec,
    seed: &[u8; 32],
) -> Vec<(usize, SignedProblem)> {
    let items = registrations.par_iter().map(|row| {
        let signed = row.message.signing_root(network.fork_version());
        item(&row.message.pubkey, signed, &row.signature)
    });
    problems(verified(items.collect(), seed))
}

/// Verifies exits and says whose each is: an exit does not name its key. Where the key of a validator's
/// index is `known`, no other counts for it; else each of the `others` is tried.
pub fn check_exits(
    exits: &[SignedExit],
    known: &BTreeMap<u64, G1>,
    others: &[G1],
    network: &NetworkSpec,
    seed: &[u8; 32],
) -> Vec<Result<G1, SignedProblem>> {
    let items = exits.par_iter().map(|exit| {
        let version = network
            .exit_fork_version()
            .ok_or_else(|| SignedProblem::Network(network.to_string()))?;
        let genesis = network.genesis_validators_root();
        let root = exit.message.signing_root(version, genesis);
        let signature = G2::from_bytes(&exit.signature).map_err(SignedProblem::Signature)?;
        let signer = match known.get(&exit.message.validator_index) {
            Some(key) => Some(key),
            None => others
                .iter()
                .find(|key| bls::verify(key, &root, &signature)),
        };
        Ok((*signer.ok_or(SignedProblem::Stranger)?, root, signature))
    });
    verified(items.collect(), seed)
}

fn item(key: &[u8; 48], root: SigningRoot, signature: &[u8; 96]) -> Result<Item, SignedProblem> {
    let key = G1::from_bytes(key).map_err(SignedProblem::Key)?;
    let signature = G2::from_bytes(signature).map_err(SignedProblem::Signature)?;
    Ok((key, root, signature))
}

/// Verifies in one batch what could be read, and says of each item which key signed it.
fn verified(
    items: Vec<Result<Item, SignedProblem>>,
    seed: &[u8; 32],
) -> Vec<Result<G1, SignedProblem>> {
    let read = items.iter().enumerate();
    let (positions, read): (Vec<usize>, Vec<Item>) = read
        .filter_map(|(position, item)| Some((position, *item.as_ref().ok()?)))
        .unzip();
    let invalid = bls::find_invalid(&read, seed).into_iter();
    let invalid: BTreeSet<usize> = invalid
        .filter_map(|number| positions.get(number).copied())
        .collect();
    let judge = |(position, item): (usize, Result<Item, SignedProblem>)| match item {
        Ok(_) if invalid.contains(&position) => Err(SignedProblem::Invalid),
        item => item.map(|(key, ..)| key),
    };
    items.into_iter().enumerate().map(judge).collect()
}

fn problems(judged: Vec<Result<G1, SignedProblem>>) -> Vec<(usize, SignedProblem)> {
    let judged = judged.into_iter().enumerate();
    judged
        .filter_map(|(position, found)| Some((position, found.err()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::scalar::Scalar;
    use crate::ethereum::exit::VoluntaryExit;
    use crate::ethereum::network::Network;

    #[test]
    fn an_exit_is_of_the_key_of_its_index_or_of_one_of_the_others() {
        let network = Network::known("hoodi").unwrap().spec();
        let secrets: Vec<Scalar> = (1..=3).map(Scalar::from_u64).collect();
        let keys: Vec<G1> = secrets
            .iter()
            .map(G1::generator_times)
            .map(Option::unwrap)
            .collect();
        let exit = |index: u64, secret: &Scalar| {
            let message = VoluntaryExit {
                epoch: 7,
                validator_index: index,
            };
            let version = network.exit_fork_version().unwrap();
            let root = message.signing_root(version, network.genesis_validators_root());
            SignedExit {
                message,
                signature: bls::sign(secret, &root).unwrap().to_bytes(),
            }
        };
        let mut exits: Vec<SignedExit> = vec![
            exit(10, &secrets[0]),
            // The key of index 11 is known, and others, who are tried for what is not known, do not
            // count for it.
            exit(11, &secrets[2]),
            exit(12, &secrets[2]),
            exit(13, &secrets[0]),
            exit(14, &secrets[1]),
            exit(15, &secrets[1]),
        ];
        exits[4].signature = [0; 96];
        // A right signature, of another message.
        exits[5].message.epoch = 8;
        let known = BTreeMap::from([(10, keys[0]), (11, keys[1]), (14, keys[1]), (15, keys[1])]);
        let others = [keys[1], keys[2]];
        let found = check_exits(&exits, &known, &others, &network, &[3; 32]);
        let invalid = Err(SignedProblem::Invalid);
        assert_eq!(found[0], Ok(keys[0]));
        assert_eq!(found[1], invalid);
        assert_eq!(found[2], Ok(keys[2]));
        assert_eq!(found[3], Err(SignedProblem::Stranger));
        assert!(matches!(found[4], Err(SignedProblem::Signature(_))));
        assert_eq!(found[5], invalid);
        let elsewhere = Network::known("mainnet").unwrap().spec();
        let found = check_exits(&exits[..1], &known, &others, &elsewhere, &[3; 32]);
        assert_eq!(found, [invalid]);
    }
}
