//! `cluster.json`: the public description of the cluster that a ceremony ended with.
//!
//! It holds no signature: whoever does not trust its source audits the record beside it. Reading one
//! recomputes every public share from the committed polynomials.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::KeygenPlan;
use crate::crypto::identity::IdentityPublic;
use crate::crypto::point::{G1, PointError};
use crate::crypto::sharing::{Sharing, SharingError};
use crate::ethereum::address::Address;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::withdrawal::CredentialsKind;
use crate::hash::Digest;
use crate::json::{self, Hex, JsonError, Text};
use crate::wire::roster::{Index, Roster};

/// The file's name.
pub const NAME: &str = "cluster.json";

/// The largest file, in bytes.
pub const MAX_BYTES: usize = 512 * 1024 * 1024;

/// The form this tool reads and writes.
pub const VERSION: u64 = 1;

/// A cluster whose public shares follow from its polynomials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    file: ClusterFile,
    sharing: Sharing,
}

/// Why bytes are no cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Not the JSON of a cluster.
    #[error("the cluster file {0}")]
    Json(#[from] JsonError),
    /// Of another version, or of an epoch that this version does not have.
    #[error(
        "the cluster file is of version {version} and epoch {epoch}; this tool reads version {VERSION}, epoch 0"
    )]
    Version {
        /// The file's version.
        version: u64,
        /// Its epoch.
        epoch: u64,
    },
    /// A count, order or value that no ceremony leads to.
    #[error("the cluster file is not one of a ceremony: {0}")]
    Facts(&'static str),
    /// A coefficient is no point.
    #[error("coefficient {position} of all polynomials in the cluster file: {source}")]
    Point {
        /// Counted from 0 over all validators.
        position: usize,
        /// What is wrong.
        source: PointError,
    },
    /// The polynomials lead to infinity somewhere.
    #[error("the cluster file's polynomials: {0}")]
    Sharing(#[from] SharingError),
    /// A public key or share that its polynomial does not lead to.
    #[error("the keys of validator {0} in the cluster file do not follow from its polynomial")]
    Keys(usize),
}

/// An operator of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its identity.
    pub identity: IdentityPublic,
    /// The x-coordinate of its shares.
    pub index: Index,
    /// Its name.
    pub name: Text,
}

/// A validator of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validator {
    /// 0x01 or 0x02.
    pub credentials: CredentialsKind,
    /// The committed polynomial: the group key and t-1 further coefficients.
    pub polynomial: Vec<Hex<48>>,
    /// Its position in the plan, from 0.
    pub position: usize,
    /// The group key.
    pub public_key: Hex<48>,
    /// The public shares, in the order of the operators.
    pub public_shares: Vec<Hex<48>>,
    /// Where withdrawals go.
    pub withdrawal_address: Address,
}

/// Fields in the order of their names, here and above, so that the file is written without a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClusterFile {
    cid: Digest,
    created: u64,
    epoch: u64,
    name: Text,
    network: NetworkSpec,
    operators: Vec<Operator>,
    outcome: Digest,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rehearsal: bool,
    threshold: usize,
    validators: Vec<Validator>,
    version: u64,
}

impl Cluster {
    /// Describes the cluster of a complete ceremony.
    pub fn new(plan: KeygenPlan<'_>, outcome: &KeygenOutcome) -> Result<Self, JsonError> {
        let sharing = outcome.sharing();
        let operators = plan.roster().iter().map(|operator| Operator {
            index: operator.index,
            name: operator.card.name().clone(),
            identity: *operator.card.identity(),
        });
        let keys = sharing.polynomials().zip(sharing.shares());
        let validators = plan.validators().iter().zip(keys).enumerate();
        let validators = validators.filter_map(|(position, (validator, (polynomial, shares)))| {
            Some(Validator {
                position,
                public_key: Hex(polynomial.first()?.to_bytes()),
                withdrawal_address: validator.withdrawal_address,
                credentials: validator.credentials,
                polynomial: encode(polynomial),
                public_shares: encode(shares),
            })
        });
        Ok(Self {
            file: ClusterFile {
                version: VERSION,
                network: plan.network().clone(),
                rehearsal: plan.is_rehearsal(),
                cid: *plan.cid(),
                outcome: outcome.hash()?,
                epoch: 0,
                name: plan.name().clone(),
                threshold: plan.threshold(),
                created: plan.created(),
                operators: operators.collect(),
                validators: validators.collect(),
            },
            sharing: sharing.clone(),
        })
    }

    /// Reads a file of at most [`MAX_BYTES`] and makes every check.
    pub fn parse(bytes: &[u8]) -> Result<Self, ClusterError> {
        let file: ClusterFile = json::read(bytes, MAX_BYTES)?;
        if (file.version, file.epoch) != (VERSION, 0) {
            return Err(ClusterError::Version {
                version: file.version,
                epoch: file.epoch,
            });
        }
        check_facts(&file).map_err(ClusterError::Facts)?;
        let encoded: Vec<[u8; 48]> = file
            .validators
            .iter()
            .flat_map(|validator| validator.polynomial.iter().map(|point| point.0))
            .collect();
        let points = G1::from_bytes_many(&encoded)
            .map_err(|(position, source)| ClusterError::Point { position, source })?;
        let indices = file.operators.iter().map(|operator| operator.index.get());
        let sharing = Sharing::from_polynomials(file.threshold, indices.collect(), points)?;
        for (validator, shares) in file.validators.iter().zip(sharing.shares()) {
            if validator.polynomial.first() != Some(&validator.public_key)
                || validator.public_shares != encode(shares)
            {
                return Err(ClusterError::Keys(validator.position));
            }
        }
        Ok(Self { file, sharing })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        json::pretty(&self.file)
    }

    /// The ceremony.
    pub fn cid(&self) -> &Digest {
        &self.file.cid
    }

    /// The hash of its outcome.
    pub fn outcome(&self) -> &Digest {
        &self.file.outcome
    }

    /// The network; in a rehearsal that of no chain.
    pub fn network(&self) -> &NetworkSpec {
        &self.file.network
    }

    /// What people call it.
    pub fn name(&self) -> &Text {
        &self.file.name
    }

    /// The plan's time, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.file.created
    }

    /// The operators, by index.
    pub fn operators(&self) -> &[Operator] {
        &self.file.operators
    }

    /// The validators, in the plan's order.
    pub fn validators(&self) -> &[Validator] {
        &self.file.validators
    }

    /// The public side of the keys.
    pub fn sharing(&self) -> &Sharing {
        &self.sharing
    }
}

fn encode(points: &[G1]) -> Vec<Hex<48>> {
    points.iter().map(|point| Hex(point.to_bytes())).collect()
}

/// What a plan's checks guarantee of every cluster; it bounds the work of the points as well.
fn check_facts(file: &ClusterFile) -> Result<(), &'static str> {
    let (n, t) = (file.operators.len(), file.threshold);
    if file.rehearsal != file.network.is_rehearsal() {
        return Err("network and rehearsal contradict each other");
    }
    if !(Roster::MIN_OPERATORS..=Roster::MAX_OPERATORS).contains(&n) || !(2..=n).contains(&t) {
        return Err("the numbers of operators and threshold are impossible");
    }
    if !file.operators.is_sorted_by(|a, b| a.index < b.index) {
        return Err("the operators are not in the order of distinct indices");
    }
    let names: BTreeSet<String> = file.operators.iter().map(|o| o.name.folded()).collect();
    let identities: BTreeSet<_> = file.operators.iter().map(|o| o.identity).collect();
    if names.len() != n || identities.len() != n {
        return Err("two operators have one name or identity");
    }
    if file.validators.is_empty() {
        return Err("it has no validator");
    }
    let mut keys = BTreeSet::new();
    for (position, validator) in file.validators.iter().enumerate() {
        if validator.position != position {
            return Err("the validators are not in the order of their positions");
        }
        if validator.polynomial.len() != t || validator.public_shares.len() != n {
            return Err("a validator has another number of coefficients or shares");
        }
        if validator.withdrawal_address.is_zero() {
            return Err("a withdrawal address is zero");
        }
        if !keys.insert(validator.public_key) {
            return Err("two validators have one public key");
        }
    }
    Ok(())
}
