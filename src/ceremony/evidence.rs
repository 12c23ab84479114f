//! Faults that can be proved, and the files that prove them.
//!
//! An evidence file is the smallest record that shows a fault: the plan and the messages concerned.
//! Whoever examines it like any other record finds the fault again, without a secret.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ceremony::plan::{Plan, PlanError};
use crate::ceremony::{Messages, MessagesError};
use crate::hash::Digest;
use crate::json::{self, JsonError};
use crate::protocol::complaint::FalseComplaint;
use crate::protocol::confirm::ConfirmFault;
use crate::protocol::deal::DealFault;
use crate::protocol::partial::PartialFault;
use crate::wire::envelope::Round;
use crate::wire::roster::Index;

/// The largest evidence file, in bytes.
pub const MAX_EVIDENCE_BYTES: usize = 512 * 1024 * 1024;

const VERSION: u64 = 1;

/// One operator's misbehaviour, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Who.
    pub accused: Index,
    /// What.
    pub kind: FaultKind,
    /// The board's ids of the messages that prove it.
    pub proof: Vec<String>,
}

/// What an operator did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Its deal fails a public check.
    #[error("its deal is invalid: {0}")]
    Deal(DealFault),
    /// Its confirm fails a check.
    #[error("its confirm is invalid: {0}")]
    Confirm(ConfirmFault),
    /// Its partial fails a check.
    #[error("its partial is invalid: {0}")]
    Partial(PartialFault),
    /// It signed two different messages for one place.
    #[error("it signed two different messages in the {0} round")]
    Equivocation(Round),
    /// It dealt shares that break the share equation.
    #[error("it dealt operator {complainer} a wrong share for {}", validators(.positions))]
    WrongShares {
        /// Who complained.
        complainer: Index,
        /// Positions in the plan, from 0.
        positions: Vec<usize>,
    },
    /// It complained without cause.
    #[error("its complaint against operator {against} is false: {reason}")]
    FalseComplaint {
        /// Whom it accused.
        against: Index,
        /// Why it falls back.
        reason: FalseComplaint,
    },
}

impl FaultKind {
    /// A short word for file names.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Deal(_) => "invalid-deal",
            Self::Confirm(_) => "invalid-confirm",
            Self::Partial(_) => "invalid-partial",
            Self::Equivocation(_) => "equivocation",
            Self::WrongShares { .. } => "wrong-shares",
            Self::FalseComplaint { .. } => "false-complaint",
        }
    }
}

fn validators(positions: &[usize]) -> String {
    const LISTED: usize = 5;
    let mut list: Vec<String> = positions
        .iter()
        .take(LISTED)
        .map(ToString::to_string)
        .collect();
    if let Some(more) = positions.len().checked_sub(LISTED).filter(|more| *more > 0) {
        list.push(format!("{more} more"));
    }
    let noun = if positions.len() == 1 {
        "validator"
    } else {
        "validators"
    };
    format!("{noun} {}", list.join(", "))
}

/// Something that ends a ceremony and proves nobody wrong: both are named, neither is blamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// Whose deals.
    pub dealers: Vec<Index>,
    /// What they have in common, or what their sum is.
    pub what: String,
    /// The board's ids of their deals.
    pub proof: Vec<String>,
}

/// An evidence file as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    version: u64,
    cid: Digest,
    /// The indices of those it names.
    pub accused: Vec<Index>,
    /// What it is said to show: for people; whoever examines the file finds out.
    pub claim: String,
    plan: Value,
    messages: Vec<Value>,
}

/// An evidence file could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A message could not be read.
    #[error(transparent)]
    Messages(#[from] MessagesError),
    /// Not the JSON of an evidence file.
    #[error("the evidence file {0}")]
    Json(#[from] JsonError),
    /// Its plan is none.
    #[error("the evidence file's plan is invalid: {0}")]
    Plan(#[from] PlanError),
    /// Its plan is another ceremony's.
    #[error("the evidence file speaks of ceremony {}, and its plan is of ceremony {}", .0.short(), .1.short())]
    OtherPlan(Digest, Digest),
    /// Over [`MAX_EVIDENCE_BYTES`].
    #[error(
        "the messages that prove it are over {MAX_EVIDENCE_BYTES} bytes: show the whole record instead"
    )]
    TooLarge,
    /// Of another version.
    #[error("the evidence file is of version {0}; this tool reads version {VERSION}")]
    Version(u64),
}

impl Evidence {
    /// Collects the messages that prove something.
    pub fn collect(
        plan: &Plan,
        accused: Vec<Index>,
        claim: String,
        proof: &[String],
        messages: &dyn Messages,
    ) -> Result<Vec<u8>, EvidenceError> {
        let mut collected = Vec::new();
        let mut size = plan.bytes().len();
        for id in proof {
            let bytes = messages.load(id)?;
            size = size.saturating_add(bytes.len());
            if size > MAX_EVIDENCE_BYTES {
                return Err(EvidenceError::TooLarge);
            }
            collected.push(json::parse(&bytes, MAX_EVIDENCE_BYTES)?);
        }
        let file = Self {
            version: VERSION,
            cid: *plan.cid(),
            accused,
            claim,
            plan: plan.value().clone(),
            messages: collected,
        };
        Ok(json::canonical(&file)?)
    }

    /// Reads an evidence file: its plan, checked, and its messages' bytes, unchecked.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Plan, Vec<Vec<u8>>), EvidenceError> {
        let value = json::parse(bytes, MAX_EVIDENCE_BYTES)?;
        let file: Self = json::decode(&value)?;
        if file.version != VERSION {
            return Err(EvidenceError::Version(file.version));
        }
        let plan = Plan::from_value(file.plan.clone())?;
        if file.cid != *plan.cid() {
            return Err(EvidenceError::OtherPlan(file.cid, *plan.cid()));
        }
        let messages = file
            .messages
            .iter()
            .map(json::canonical_value)
            .collect::<Result<Vec<_>, JsonError>>()?;
        Ok((file, plan, messages))
    }
}
