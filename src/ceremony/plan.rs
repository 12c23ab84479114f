//! The plan: everything that a ceremony will do, said beforehand.
//!
//! A plan is JSON, at most 16 MiB, possibly pretty-printed; its hash over the canonical form of the
//! generic value is the ceremony id. [`Plan::parse`] makes every check. What is no plan at all (bad
//! JSON, an unknown field, a wrong type, a bad network) is one problem; of a plan that can be read,
//! all that is wrong is reported.

mod checks;
mod keygen;
mod sign;
mod warnings;

pub use checks::{instalment_problems, threshold_problem};
pub use keygen::{Backups, Draft, KeygenFacts, KeygenPlan, Registration, RehearsalSize, Validator};
pub use sign::{
    ClusterRef, MAX_SIGNED, SignDraft, SignFacts, SignKind, SignMessage, SignObject, SignPlan,
};
pub use warnings::Warning;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ethereum::network::NetworkSpec;
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex, JsonError, Text};
use crate::wire::code::{Code, CodeError};
use crate::wire::envelope::Kind;
use crate::wire::roster::{Index, Roster};
use crate::wire::tool::OtherProtocol;

use keygen::KeygenFile;
use sign::SignFile;

/// The largest plan, in bytes.
pub const MAX_PLAN_BYTES: usize = 16 * 1024 * 1024;

/// The most instalments of one validator.
pub const MAX_INSTALMENTS: usize = 32;

/// The last moment that a plan may be dated: the end of the year 9999, in seconds since 1970.
const MAX_CREATED: u64 = 253_402_300_799;

/// How many problems are listed before the rest is only counted.
const LISTED_PROBLEMS: usize = 50;

/// What a ceremony is for. Later kinds join with their flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// A new key for every validator.
    Keygen,
    /// Signatures by the keys of a cluster.
    Sign,
}

impl PlanKind {
    /// The kind as plans and reports write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Keygen => "keygen",
            Self::Sign => "sign",
        }
    }

    /// Whether messages of this kind belong to such a ceremony.
    pub const fn admits(self, kind: Kind) -> bool {
        match self {
            Self::Keygen => !matches!(kind, Kind::Partial),
            Self::Sign => matches!(kind, Kind::Partial),
        }
    }
}

/// A checked plan.
#[derive(Debug, Clone)]
pub struct Plan {
    canonical: Vec<u8>,
    value: Value,
    cid: Digest,
    head: Head,
    roster: Roster,
    facts: Facts,
}

/// What every plan says.
#[derive(Debug, Clone)]
struct Head {
    name: Text,
    created: u64,
    rehearsal: bool,
    network: NetworkSpec,
    threshold: u64,
    random: Hex<32>,
}

/// What the plans of each kind say beyond that.
#[derive(Debug, Clone)]
enum Facts {
    Keygen(KeygenFacts),
    Sign(SignFacts),
}

/// A plan by its kind, for whoever does something else for each.
#[derive(Debug, Clone, Copy)]
pub enum PlanWork<'a> {
    /// New keys.
    Keygen(KeygenPlan<'a>),
    /// Signatures.
    Sign(SignPlan<'a>),
}

/// A plan was refused; nothing was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// Everything that is wrong, in the plan's order.
    pub problems: Vec<String>,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, problem) in self.problems.iter().take(LISTED_PROBLEMS).enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            f.write_str(problem)?;
        }
        match self.problems.len().checked_sub(LISTED_PROBLEMS) {
            Some(more) if more > 0 => write!(f, "\nand {more} more problems"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for PlanError {}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RosterRow {
    index: Index,
    card: Value,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if asks for a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Plan {
    /// Reads a plan, at most [`MAX_PLAN_BYTES`], and makes every check; see the module for what is
    /// reported at once.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanError> {
        let value = json::parse(bytes, MAX_PLAN_BYTES)
            .map_err(|error| problem(format!("the plan {error}")))?;
        Self::from_value(value)
    }

    /// [`Self::parse`] for a value that `json::parse` has read.
    pub fn from_value(value: Value) -> Result<Self, PlanError> {
        // The version first: a plan of another version may differ in anything else.
        // A plan has no tool of its own; its cards have.
        let tool = value.pointer("/roster/0/card/tool");
        if let Some(other) = OtherProtocol::of(&value, tool) {
            return Err(problem(format!("the plan was made from cards {other}")));
        }
        if value.get("version").and_then(Value::as_u64).is_none() {
            return Err(problem("this is not a plan: it has no version".into()));
        }
        let canonical = json::canonical_value(&value).map_err(unusable)?;
        let read = |error| problem(format!("the plan {error}"));
        let mut problems = Vec::new();
        let (head, roster, facts) =
            if value.get("kind").and_then(Value::as_str) == Some(PlanKind::Sign.word()) {
                let file: SignFile = json::decode(&value).map_err(read)?;
                let roster = checks::roster(&file.roster, &mut problems);
                let (n, t) = (file.roster.len(), file.threshold);
                // What its cluster dared is not dared again here.
                problems.extend(threshold_problem(n, t, true));
                checks::head(&file.head(), &mut problems);
                let facts = roster
                    .as_ref()
                    .and_then(|roster| sign::facts(&file, roster, &mut problems));
                (file.head(), roster, facts.map(Facts::Sign))
            } else {
                let file: KeygenFile = json::decode(&value).map_err(read)?;
                let roster = checks::roster(&file.roster, &mut problems);
                let danger = file.danger_low_threshold;
                problems.extend(threshold_problem(file.roster.len(), file.threshold, danger));
                checks::head(&file.head(), &mut problems);
                let validators = checks::validators(&file, &mut problems);
                checks::sizes(&file, &mut problems);
                let facts = KeygenFacts {
                    validators,
                    keystores: file.keystores,
                    backups: file.backups,
                    danger_low_threshold: danger,
                };
                (file.head(), roster, Some(Facts::Keygen(facts)))
            };
        match (roster, facts) {
            (Some(roster), Some(facts)) if problems.is_empty() => {
                let cid = Hasher::new(Tag::PLAN).bytes(&canonical).finish();
                Ok(Self {
                    canonical,
                    value,
                    cid,
                    head,
                    roster,
                    facts,
                })
            }
            _ => Err(PlanError { problems }),
        }
    }

    /// The ceremony id.
    pub fn cid(&self) -> &Digest {
        &self.cid
    }

    /// The plan code: what operators read to each other. Takes a third of a second.
    pub fn code(&self) -> Result<Code, CodeError> {
        Code::of(&self.cid, Tag::PLAN_CODE)
    }

    /// The random bytes that make this plan one of its kind; only who holds the plan knows them.
    pub fn random(&self) -> &[u8; 32] {
        &self.head.random.0
    }

    /// The canonical bytes: what is stored and carried.
    pub fn bytes(&self) -> &[u8] {
        &self.canonical
    }

    /// The generic value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// What the ceremony is for.
    pub fn kind(&self) -> PlanKind {
        match &self.facts {
            Facts::Keygen(_) => PlanKind::Keygen,
            Facts::Sign(_) => PlanKind::Sign,
        }
    }

    /// The plan by its kind.
    pub fn work(&self) -> PlanWork<'_> {
        match &self.facts {
            Facts::Keygen(facts) => PlanWork::Keygen(KeygenPlan::new(self, facts)),
            Facts::Sign(facts) => PlanWork::Sign(SignPlan::new(self, facts)),
        }
    }

    /// The plan as a keygen's, if it is one.
    pub fn keygen(&self) -> Option<KeygenPlan<'_>> {
        match self.work() {
            PlanWork::Keygen(plan) => Some(plan),
            PlanWork::Sign(_) => None,
        }
    }

    /// Whether each operator confirms only after it checked a backup of its shares.
    pub fn requires_backups(&self) -> bool {
        self.keygen()
            .is_some_and(|plan| plan.backups() == Some(Backups::Required))
    }

    /// The plan as a signing ceremony's, if it is one.
    pub fn sign(&self) -> Option<SignPlan<'_>> {
        match self.work() {
            PlanWork::Keygen(_) => None,
            PlanWork::Sign(plan) => Some(plan),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &Text {
        &self.head.name
    }

    /// Seconds since 1970.
    pub fn created(&self) -> u64 {
        self.head.created
    }

    /// Whether this is a rehearsal: its signatures are valid nowhere.
    pub fn is_rehearsal(&self) -> bool {
        self.head.rehearsal
    }

    /// The network.
    pub fn network(&self) -> &NetworkSpec {
        &self.head.network
    }

    /// The threshold t.
    pub fn threshold(&self) -> usize {
        // At most n, which is at most 256.
        usize::try_from(self.head.threshold).unwrap_or(usize::MAX)
    }

    /// The operators.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The most bytes that all messages of a ceremony without faults take together.
    pub fn message_bytes(&self) -> usize {
        match self.work() {
            PlanWork::Keygen(plan) => plan.deals_and_confirms(),
            PlanWork::Sign(plan) => {
                checks::partial_bound(plan.messages().len()).saturating_mul(self.roster.len())
            }
        }
    }
}

/// Returns ceil(2n/3), from which on live signing is safe from slashing.
pub fn default_threshold(operators: usize) -> usize {
    operators.saturating_mul(2).div_ceil(3)
}

fn problem(text: String) -> PlanError {
    PlanError {
        problems: vec![text],
    }
}

fn unusable(error: JsonError) -> PlanError {
    problem(format!("the plan {error}"))
}
