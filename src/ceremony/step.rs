//! What a session says: the next step of an operator, and what anyone can see of a board.

use std::collections::BTreeSet;

use crate::ceremony::MessagesError;
use crate::ceremony::evidence::{Collision, EvidenceError, Fault};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::shares::OwnShares;
use crate::crypto::identity::{IdentityKey, Signature};
use crate::hash::Digest;
use crate::json::JsonError;
use crate::protocol::ProtocolError;
use crate::secret::Seed;
use crate::wire::envelope::{Authenticated, Envelope, EnvelopeError, Kind};
use crate::wire::roster::Index;
use crate::wire::tool::Tool;

/// Where the owner of a board finds a message, and the signature that a confirm shows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef {
    /// The name that [`crate::ceremony::Messages::load`] takes.
    pub id: String,
    /// The sender's signature.
    pub signature: Signature,
    /// What the message says made it; not signed, and for people alone.
    pub tool: Option<Tool>,
}

impl MessageRef {
    /// Returns the reference of a message whose bytes their owner calls `id`.
    pub fn of(message: &Authenticated, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            signature: *message.signature(),
            tool: message.tool().cloned(),
        }
    }
}

/// Why a session cannot go on; always our own side.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A message could not be read.
    #[error(transparent)]
    Messages(#[from] MessagesError),
    /// A stored message is no longer the one that was stored.
    #[error("the stored message {0} has changed since it was read; nothing was sent")]
    Changed(String),
    /// This identity is not in the plan.
    #[error("this identity is not an operator of the plan")]
    NotAnOperator,
    /// The ceremony secret is gone: the card was used up by another ceremony.
    #[error(
        "the card of this plan is spent: its secret was destroyed when a ceremony with it was complete; make a new card and plan"
    )]
    SpentCard,
    /// A signing ceremony without the shares of its cluster.
    #[error("this home holds no shares of the cluster that is to sign; nothing was sent")]
    NoShares,
    /// A signing plan that is not about the cluster that the shares belong to.
    #[error(
        "the plan names other {0} than the cluster has whose shares this home holds; nothing was sent"
    )]
    OtherCluster(&'static str),
    /// An own message that stands on the board differs from what this home says.
    #[error("{}", conflict(.kind))]
    Conflict {
        /// Which message.
        kind: Kind,
    },
    /// The mathematics failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A message of ours could not be made.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// An object of ours could not be encoded.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Evidence could not be collected.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

fn conflict(kind: &Kind) -> String {
    format!(
        "the board holds another {kind} signed by this identity than the one this home would send; is a copy of this home in use on another machine? Nothing was sent"
    )
}

/// An operator's secrets of a ceremony.
#[derive(Debug)]
pub struct Me {
    /// The identity.
    pub identity: IdentityKey,
    /// The ceremony secret, unless the card is spent.
    pub secret: Option<Seed>,
}

/// What an operator's home remembers of a ceremony.
#[derive(Debug, Default)]
pub struct Memory {
    /// The shares from the vault; in a signing ceremony those of the cluster that signs.
    pub shares: Option<OwnShares>,
    /// The message hashes of the own messages that were stored before they left.
    pub own: BTreeSet<Digest>,
    /// The transcript T of the shares of which a backup was opened here and found to hold these very
    /// ones; asked for where the plan requires backups.
    pub backed_up: Option<Digest>,
}

/// What the driver is to do next.
#[derive(Debug)]
pub enum Step {
    /// Store these own messages and fsync them; then they may leave.
    Send(Vec<Envelope>),
    /// Store the own shares in the vault and fsync them.
    StoreShares(Box<OwnShares>),
    /// The ceremony is complete: write the artifacts.
    Complete {
        /// What it ended with.
        outcome: Box<Outcome>,
        /// Misbehaviour that is proved beside it and does not undo it.
        faults: Vec<Fault>,
    },
    /// Nothing to do until these operators' messages are there.
    Wait {
        /// Whose deals are missing.
        deals: Vec<Index>,
        /// Whose confirms are missing.
        confirms: Vec<Index>,
    },
    /// Nothing to do until this operator has checked a backup of its shares, which the plan requires
    /// before its confirm.
    AwaitBackup,
    /// Nothing to do until more operators have signed; of a signing ceremony alone.
    AwaitPartials {
        /// How many, and who can.
        awaited: AwaitedPartials,
        /// Misbehaviour that is proved and ends nothing.
        faults: Vec<Fault>,
    },
    /// It cannot become complete.
    Stop(Stop),
}

/// What a signing ceremony still needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwaitedPartials {
    /// How many more operators have to sign: t less those with a valid partial.
    pub needed: usize,
    /// Who has sent none yet: any of them will do.
    pub of: Vec<Index>,
}

/// Why a ceremony cannot become complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// Proved misbehaviour.
    pub faults: Vec<Fault>,
    /// What ends the ceremony without blame.
    pub collisions: Vec<Collision>,
    /// Who abandoned it.
    pub abandoned: Vec<Index>,
}

/// What anyone can say of a board without a secret.
#[derive(Debug, Default)]
pub struct Examination {
    /// Proved misbehaviour; it does not undo an outcome.
    pub faults: Vec<Fault>,
    /// What ends the ceremony without blame.
    pub collisions: Vec<Collision>,
    /// Whose deals are missing.
    pub missing_deals: Vec<Index>,
    /// Whose confirms are missing.
    pub missing_confirms: Vec<Index>,
    /// Of a signing ceremony, what it still needs; it may need nothing.
    pub awaited_partials: Option<AwaitedPartials>,
    /// Who abandoned.
    pub abandoned: Vec<Index>,
    /// Complaints (by, against) whose deal is not there.
    pub open_complaints: Vec<(Index, Index)>,
    /// The outcome, if the ceremony is complete.
    pub outcome: Option<Outcome>,
}

impl Stop {
    /// Whether nothing stands against the ceremony.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.collisions.is_empty() && self.abandoned.is_empty()
    }

    /// Adds faults that are not among them yet.
    pub(in crate::ceremony) fn add_faults(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            if !self.faults.contains(&fault) {
                self.faults.push(fault);
            }
        }
    }

    pub(in crate::ceremony) fn or_wait(self, deals: Vec<Index>, confirms: Vec<Index>) -> Step {
        if self.is_empty() {
            Step::Wait { deals, confirms }
        } else {
            Step::Stop(self)
        }
    }
}
