//! A cluster that no ceremony of this tool made, as its operators take its shares into their vaults.
//!
//! Its description stands where a ceremony has plan and outcome. It is public and a pure function of
//! the cluster: no card, no randomness, no clock, nothing of one operator, so that all operators who
//! take their shares from the same cluster have the same one, and the same hash for its name. It is no
//! plan. A plan is an invitation that its operators accept, and all that reads one (sessions, couriers,
//! seats) rests on the cards in it; here is nothing to take part in, and so nothing that could be run.
//!
//! The hash serves as ceremony id, as transcript and as hash of the outcome: the description is all
//! three.

mod places;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

pub use places::{Found, Places, PlacesError, of_one_operator};

use crate::ceremony::shares::OwnShares;
use crate::crypto::identity::IdentityPublic;
use crate::crypto::point::{G1, PointError};
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::{Sharing, SharingError};
use crate::ethereum::network::{Network, NetworkSpec};
use crate::formats::obol_lock::ObolLock;
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex, JsonError, Text};
use crate::wire::roster::{Index, Roster};

/// The largest description, in bytes.
pub const MAX_IMPORTED_BYTES: usize = 60 * 1024 * 1024;

/// The form this tool reads and writes.
pub const IMPORTED_VERSION: u64 = 1;

/// The most public shares times coefficients of all validators together: some minutes of work on one
/// core. 10,000 validators of 16 operators stay below a half of it.
pub const MAX_WORK: usize = 4_000_000;

/// What a cluster is called whose authors gave it no name that can be one here.
const UNNAMED: &str = "imported cluster";

/// Why a cluster is not one whose shares can be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportedError {
    /// Not the JSON of a description in canonical bytes.
    #[error("the description of the imported cluster {0}")]
    Json(#[from] JsonError),
    /// Of another version, or of an epoch that this version does not have.
    #[error(
        "the description of the imported cluster is of version {version} and epoch {epoch}; this tool reads version {IMPORTED_VERSION}, epoch 0"
    )]
    Version {
        /// The file's version.
        version: u64,
        /// Its epoch.
        epoch: u64,
    },
    /// A count or order that no cluster has.
    #[error("this is no cluster whose shares can be taken in: {0}")]
    Facts(&'static str),
    /// A chain that this tool does not know.
    #[error("the cluster's network has the fork version {0}, which is none that this tool knows")]
    Network(Hex<4>),
    /// More than this tool computes.
    #[error(
        "the cluster is too large: {validators} validators of {operators} operators with the threshold {threshold} are more than this tool takes in"
    )]
    TooLarge {
        /// m.
        validators: usize,
        /// n.
        operators: usize,
        /// t.
        threshold: usize,
    },
    /// A group key, coefficient or public share is no point.
    #[error("{what} of validator {validator} {source}")]
    Point {
        /// Which of the validator's points.
        what: &'static str,
        /// Position, from 0.
        validator: usize,
        /// What is wrong.
        source: PointError,
    },
    /// The keys belong to no polynomial of the degree that the threshold says.
    #[error("the cluster's keys belong to no sharing with its threshold: {0}")]
    Sharing(#[from] SharingError),
    /// A key stands twice, or a share is also a whole key.
    #[error(transparent)]
    Places(#[from] PlacesError),
}

/// What a description is made from.
#[derive(Debug, Clone)]
pub struct ImportedFacts {
    /// What people call it.
    pub name: Text,
    /// The network.
    pub network: NetworkSpec,
    /// The operators, by index.
    pub operators: Vec<ImportedOperator>,
    /// The public side of the keys.
    pub sharing: Sharing,
}

/// An operator, as far as the cluster's file says anything of it. Fields in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedOperator {
    /// Its identity here, if the file says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityPublic>,
    /// The x-coordinate of its shares.
    pub index: Index,
    /// Its name, if the file says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
}

/// What a description says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Import,
}

/// Fields in the order of their names, so that the file is canonical as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportedFile {
    epoch: u64,
    kind: Kind,
    name: Text,
    network: NetworkSpec,
    operators: Vec<ImportedOperator>,
    polynomials: Vec<Vec<Hex<48>>>,
    threshold: usize,
    version: u64,
}

/// The description of a cluster that was made elsewhere. Its public shares follow from its polynomials,
/// and no two of its keys are one.
#[derive(Debug, Clone)]
pub struct ImportedCluster {
    name: Text,
    network: NetworkSpec,
    operators: Vec<ImportedOperator>,
    sharing: Sharing,
    places: Places,
    bytes: Vec<u8>,
    cid: Digest,
}

impl ImportedCluster {
    /// Describes a cluster; through the reader, with all its checks.
    pub fn new(facts: &ImportedFacts) -> Result<Self, ImportedError> {
        let polynomials = facts.sharing.polynomials();
        let file = ImportedFile {
            epoch: 0,
            kind: Kind::Import,
            name: facts.name.clone(),
            network: facts.network.clone(),
            operators: facts.operators.clone(),
            polynomials: polynomials
                .map(|points| points.iter().map(|point| Hex(point.to_bytes())).collect())
                .collect(),
            threshold: facts.sharing.threshold(),
            version: IMPORTED_VERSION,
        };
        Self::parse(&json::canonical(&file)?)
    }

    /// Describes the cluster of an Obol lock. Every public share has to lie on a polynomial whose
    /// degree is one less than the lock's threshold and whose constant term is the group key.
    pub fn of_lock(lock: &ObolLock) -> Result<Self, ImportedError> {
        let (n, m) = (lock.operators, lock.validators.len());
        bounded(m, n, lock.threshold)?;
        let network = Network::by_fork_version(lock.fork_version)
            .ok_or(ImportedError::Network(Hex(lock.fork_version)))?
            .spec();
        let keys: Vec<[u8; 48]> = lock.validators.iter().map(|v| v.public_key).collect();
        let shares = lock.validators.iter().flat_map(|v| &v.public_shares);
        let shares: Vec<[u8; 48]> = shares.copied().collect();
        let keys = points("the group key", &keys, 1)?;
        let shares = points("a public share", &shares, n)?;
        let indices = (1u64..).take(n);
        let sharing =
            Sharing::from_public_shares(lock.threshold, indices.clone().collect(), &keys, &shares)?;
        let operators = indices.filter_map(|index| {
            Some(ImportedOperator {
                identity: None,
                index: Index::new(index).ok()?,
                name: None,
            })
        });
        Self::new(&ImportedFacts {
            name: named(&lock.name)?,
            network,
            operators: operators.collect(),
            sharing,
        })
    }

    /// Reads a description of at most [`MAX_IMPORTED_BYTES`] in canonical bytes, and makes every check.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImportedError> {
        let file: ImportedFile = json::read_canonical(bytes, MAX_IMPORTED_BYTES)?;
        if (file.version, file.epoch) != (IMPORTED_VERSION, 0) {
            return Err(ImportedError::Version {
                version: file.version,
                epoch: file.epoch,
            });
        }
        check_facts(&file).map_err(ImportedError::Facts)?;
        let t = file.threshold;
        bounded(file.polynomials.len(), file.operators.len(), t)?;
        let encoded: Vec<[u8; 48]> = file.polynomials.iter().flatten().map(|p| p.0).collect();
        let coefficients = points("a coefficient", &encoded, t)?;
        let indices = file.operators.iter().map(|operator| operator.index.get());
        let sharing = Sharing::from_polynomials(t, indices.collect(), coefficients)?;
        Ok(Self {
            places: Places::of(&sharing)?,
            name: file.name,
            network: file.network,
            operators: file.operators,
            sharing,
            bytes: bytes.to_vec(),
            cid: Hasher::new(Tag::IMPORTED_CLUSTER).bytes(bytes).finish(),
        })
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hash, which stands for the ceremony id, the transcript and the hash of the outcome.
    pub fn cid(&self) -> &Digest {
        &self.cid
    }

    /// What people call it.
    pub fn name(&self) -> &Text {
        &self.name
    }

    /// The network.
    pub fn network(&self) -> &NetworkSpec {
        &self.network
    }

    /// The operators, by index.
    pub fn operators(&self) -> &[ImportedOperator] {
        &self.operators
    }

    /// The public side of the keys.
    pub fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Which share each of its keys belongs to.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether this identity may hold the shares of an index: a cluster that names identities keeps to
    /// them, and one that does not says nothing of it.
    pub fn admits(&self, index: Index, identity: &IdentityPublic) -> bool {
        let mut operators = self.operators.iter();
        let named =
            |operator: &ImportedOperator| operator.identity.is_none_or(|id| id == *identity);
        operators.any(|operator| operator.index == index && named(operator))
    }

    /// What the vault keeps of it for an operator; whether the shares are the right ones is checked
    /// where the vault's form is read.
    pub fn own_shares(&self, index: Index, shares: Vec<Scalar>) -> OwnShares {
        OwnShares {
            cid: self.cid,
            index: index.get(),
            transcript: self.cid,
            deals: Vec::new(),
            sharing: self.sharing.clone(),
            shares,
        }
    }

    /// Says in what shares differ from this cluster's, if in anything.
    pub fn differs(&self, own: &OwnShares) -> Option<&'static str> {
        match () {
            () if own.cid != self.cid => Some("another cluster"),
            () if own.transcript != self.cid || !own.deals.is_empty() => Some("another origin"),
            () if own.sharing != self.sharing => Some("other keys"),
            () => None,
        }
    }
}

/// A name for people: the text, if it can be one.
fn named(text: &str) -> Result<Text, ImportedError> {
    // One more than a name may have, so that a longer text is none and is not cut.
    let most = Text::MAX_CHARS.saturating_add(1);
    let normal: String = text.trim().nfc().take(most).collect();
    Text::try_from(normal)
        .or_else(|_| Text::try_from(UNNAMED.to_owned()))
        .map_err(|_| ImportedError::Facts("it has no name"))
}

fn check_facts(file: &ImportedFile) -> Result<(), &'static str> {
    let (n, t) = (file.operators.len(), file.threshold);
    if !(Roster::MIN_OPERATORS..=Roster::MAX_OPERATORS).contains(&n) || !(2..=n).contains(&t) {
        return Err("the numbers of operators and threshold are impossible");
    }
    if !file.operators.is_sorted_by(|a, b| a.index < b.index) {
        return Err("the operators are not in the order of distinct indices");
    }
    let names: Vec<String> = file
        .operators
        .iter()
        .filter_map(|operator| operator.name.as_ref().map(Text::folded))
        .collect();
    let identities: Vec<_> = file.operators.iter().filter_map(|o| o.identity).collect();
    let distinct = names.iter().collect::<BTreeSet<_>>().len() == names.len()
        && identities.iter().collect::<BTreeSet<_>>().len() == identities.len();
    if !distinct {
        return Err("two operators have one name or identity");
    }
    // All or none: an operator without an identity would be anybody.
    if ![0, n].contains(&identities.len()) {
        return Err("some operators have an identity and some have none");
    }
    if file.polynomials.is_empty() {
        return Err("it has no validator");
    }
    if file.polynomials.iter().any(|points| points.len() != t) {
        return Err("a validator has another number of coefficients");
    }
    Ok(())
}

/// Refuses what would take too long, before any point is looked at.
fn bounded(validators: usize, operators: usize, threshold: usize) -> Result<(), ImportedError> {
    let work = validators
        .saturating_mul(operators)
        .saturating_mul(threshold);
    match work > MAX_WORK {
        true => Err(ImportedError::TooLarge {
            validators,
            operators,
            threshold,
        }),
        false => Ok(()),
    }
}

/// Reads points, so many of each validator.
fn points(what: &'static str, encoded: &[[u8; 48]], each: usize) -> Result<Vec<G1>, ImportedError> {
    G1::from_bytes_many(encoded).map_err(|(position, source)| ImportedError::Point {
        what,
        validator: position.checked_div(each).unwrap_or(0),
        source,
    })
}

#[cfg(test)]
mod tests;
