//! The plan of a signing ceremony: which keys of a cluster sign what.
//!
//! Every message is a typed object of Ethereum, from which its root is computed here; no root comes
//! from outside. There are four kinds, and nothing that a validator can be slashed for is among them.

mod file;

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Plan, Registration};
use crate::ceremony::shares::OwnShares;
use crate::crypto::bls::SigningRoot;
use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::ethereum::address::Address;
use crate::ethereum::amount::Gwei;
use crate::ethereum::bls_change::BlsToExecutionChange;
use crate::ethereum::deposit::DepositMessage;
use crate::ethereum::exit::VoluntaryExit;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::registration::ValidatorRegistration;
use crate::ethereum::withdrawal::{CredentialsKind, WithdrawalCredentials};
use crate::hash::Digest;
use crate::json::Text;
use crate::wire::card::VerifiedCard;
use crate::wire::roster::Index;

pub(super) use file::{SignFile, facts};

/// The most messages of one plan: a partial over them stays below 64 MiB.
pub const MAX_SIGNED: usize = 100_000;

/// What is signed, by kind. Attestations, blocks and whatever else a validator can be slashed for are
/// no kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignKind {
    /// A voluntary exit.
    Exit,
    /// A change of withdrawal credentials from a BLS key to an address.
    BlsChange,
    /// A registration with block builders.
    Registration,
    /// A deposit.
    Deposit,
}

/// One object to sign, without the key, which the plan names beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignObject {
    /// The validator leaves, for ever, at this epoch or later.
    Exit {
        /// The earliest epoch at which the chain takes it.
        epoch: u64,
        /// The validator's index on the chain.
        validator_index: u64,
    },
    /// The key, a withdrawal key, gives its validator's withdrawals to an address, for ever.
    BlsChange {
        /// The validator's index on the chain.
        validator_index: u64,
        /// The address.
        to_execution_address: Address,
    },
    /// The validator registers with block builders.
    Registration(Registration),
    /// A deposit for the validator.
    Deposit {
        /// Where withdrawals go.
        withdrawal_address: Address,
        /// 0x01 or 0x02.
        credentials: CredentialsKind,
        /// How much.
        amount: Gwei,
    },
}

/// One object to sign, and by which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignMessage {
    /// The key, by its place among the plan's keys, from 0.
    pub key: usize,
    /// What it signs.
    pub object: SignObject,
}

/// The cluster that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterRef {
    /// The ceremony that made its keys.
    pub cid: Digest,
    /// The hash of that ceremony's outcome.
    pub outcome: Digest,
}

/// What the plan of a signing ceremony is made from.
#[derive(Debug, Clone)]
pub struct SignDraft {
    /// What people call the ceremony.
    pub name: Text,
    /// Seconds since 1970; names the files of the outcome.
    pub created: u64,
    /// The cluster's network.
    pub network: NetworkSpec,
    /// The cluster's threshold t.
    pub threshold: u64,
    /// The cluster's operators, with the cards of its plan.
    pub roster: Vec<(Index, VerifiedCard)>,
    /// The cluster.
    pub cluster: ClusterRef,
    /// The keys that sign: position in the cluster, from 0, ascending, and committed polynomial.
    pub keys: Vec<(usize, Vec<G1>)>,
    /// What they sign.
    pub messages: Vec<SignMessage>,
    /// 32 fresh random bytes.
    pub random: [u8; 32],
}

/// What the plan of a signing ceremony says beyond what every plan says.
#[derive(Debug, Clone)]
pub struct SignFacts {
    cluster: ClusterRef,
    positions: Vec<usize>,
    sharing: Sharing,
    messages: Vec<SignMessage>,
    roots: Vec<SigningRoot>,
}

/// A plan that is a signing ceremony's.
#[derive(Debug, Clone, Copy)]
pub struct SignPlan<'a> {
    plan: &'a Plan,
    facts: &'a SignFacts,
}

impl Deref for SignPlan<'_> {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        self.plan
    }
}

impl SignKind {
    /// The kind as plans write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::BlsChange => "bls_change",
            Self::Registration => "registration",
            Self::Deposit => "deposit",
        }
    }
}

impl SignObject {
    /// Its kind.
    pub const fn kind(&self) -> SignKind {
        match self {
            Self::Exit { .. } => SignKind::Exit,
            Self::BlsChange { .. } => SignKind::BlsChange,
            Self::Registration(_) => SignKind::Registration,
            Self::Deposit { .. } => SignKind::Deposit,
        }
    }

    /// Returns what the key signs. There is nothing to sign only for an exit on a network of which
    /// nobody here knows Capella's fork version.
    pub fn signing_root(&self, key: &G1, network: &NetworkSpec) -> Option<SigningRoot> {
        let root = network.genesis_validators_root();
        Some(match self {
            Self::Exit {
                epoch,
                validator_index,
            } => VoluntaryExit {
                epoch: *epoch,
                validator_index: *validator_index,
            }
            .signing_root(network.exit_fork_version()?, root),
            Self::BlsChange {
                validator_index,
                to_execution_address,
            } => BlsToExecutionChange {
                validator_index: *validator_index,
                from_bls_pubkey: key.to_bytes(),
                to_execution_address: *to_execution_address,
            }
            .signing_root(network.fork_version(), root),
            Self::Registration(registration) => {
                registration_of(registration, key).signing_root(network.fork_version())
            }
            Self::Deposit { .. } => self.deposit(key)?.signing_root(network.fork_version()),
        })
    }

    /// The address that it gives something to; an exit names none.
    pub const fn address(&self) -> Option<Address> {
        match self {
            Self::Exit { .. } => None,
            Self::BlsChange {
                to_execution_address,
                ..
            } => Some(*to_execution_address),
            Self::Registration(registration) => Some(registration.fee_recipient),
            Self::Deposit {
                withdrawal_address, ..
            } => Some(*withdrawal_address),
        }
    }

    /// The deposit that it is under a key, if it is one.
    pub fn deposit(&self, key: &G1) -> Option<DepositMessage> {
        let Self::Deposit {
            withdrawal_address,
            credentials,
            amount,
        } = self
        else {
            return None;
        };
        Some(DepositMessage {
            pubkey: key.to_bytes(),
            credentials: WithdrawalCredentials::new(*credentials, *withdrawal_address),
            amount: *amount,
        })
    }

    /// The registration that it is under a key, if it is one.
    pub fn registration(&self, key: &G1) -> Option<ValidatorRegistration> {
        match self {
            Self::Registration(registration) => Some(registration_of(registration, key)),
            _ => None,
        }
    }
}

fn registration_of(registration: &Registration, key: &G1) -> ValidatorRegistration {
    ValidatorRegistration {
        fee_recipient: registration.fee_recipient,
        gas_limit: registration.gas_limit,
        timestamp: registration.timestamp,
        pubkey: key.to_bytes(),
    }
}

impl<'a> SignPlan<'a> {
    pub(super) const fn new(plan: &'a Plan, facts: &'a SignFacts) -> Self {
        Self { plan, facts }
    }

    /// The plan.
    pub fn plan(self) -> &'a Plan {
        self.plan
    }

    /// The cluster that signs.
    pub fn cluster(self) -> &'a ClusterRef {
        &self.facts.cluster
    }

    /// Where each key stands in the cluster, from 0, ascending.
    pub fn positions(self) -> &'a [usize] {
        &self.facts.positions
    }

    /// The public side of the keys that sign.
    pub fn sharing(self) -> &'a Sharing {
        &self.facts.sharing
    }

    /// What is signed, in the plan's order.
    pub fn messages(self) -> &'a [SignMessage] {
        &self.facts.messages
    }

    /// The root of each message, computed here.
    pub fn roots(self) -> &'a [SigningRoot] {
        &self.facts.roots
    }

    /// The group key that signs a message.
    pub fn key(self, message: &SignMessage) -> Option<&'a G1> {
        self.facts
            .sharing
            .polynomials()
            .nth(message.key)
            .and_then(<[G1]>::first)
    }

    /// The kinds that occur, each with how many there are of it.
    pub fn kinds(self) -> BTreeMap<SignKind, usize> {
        let mut kinds = BTreeMap::new();
        for message in self.messages() {
            let count: &mut usize = kinds.entry(message.object.kind()).or_default();
            *count = count.saturating_add(1);
        }
        kinds
    }
}

impl SignPlan<'_> {
    /// Says in what the plan differs from the cluster that shares belong to: its ceremony, threshold,
    /// indices or keys. Nothing if the shares are those of the plan's keys.
    pub fn differs(self, own: &OwnShares) -> Option<&'static str> {
        let sharing = self.sharing();
        if own.cid != self.cluster().cid {
            return Some("ceremony");
        }
        if own.sharing.threshold() != sharing.threshold() {
            return Some("threshold");
        }
        if own.sharing.indices() != sharing.indices() {
            return Some("operators' indices");
        }
        let mut polynomials = own.sharing.polynomials();
        // `nth` goes on from where it was: the positions ascend.
        let mut next = 0usize;
        for (position, polynomial) in self.positions().iter().zip(sharing.polynomials()) {
            let skip = position.checked_sub(next);
            let theirs = skip.and_then(|skip| polynomials.nth(skip));
            if theirs != Some(polynomial) {
                return Some("keys");
            }
            next = position.saturating_add(1);
        }
        None
    }
}
