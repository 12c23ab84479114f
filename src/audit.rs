//! The audit: a ceremony's outcome, recomputed from its record without a secret.
//!
//! Whoever holds a plan and the messages of its board gets the same findings and the same outcome
//! bytes as any operator, or learns who broke what. Nothing in the record is taken on trust: a claimed
//! outcome is compared with the recomputed one.

use std::collections::BTreeSet;

use crate::ceremony::evidence::Evidence;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::Plan;
use crate::ceremony::session::Session;
use crate::ceremony::step::{Examination, MessageRef, SessionError};
use crate::ceremony::{Messages, Observer};
use crate::json::JsonError;
use crate::wire::board::Board;
use crate::wire::envelope::Place;
use crate::wire::roster::Index;

pub mod deposits;

/// What an audit found.
#[derive(Debug)]
pub struct Report {
    /// What follows from the board.
    pub examination: Examination,
    /// What each operator said, in roster order.
    pub turnout: Vec<Turnout>,
    /// How many messages of the ceremony the record holds.
    pub messages: usize,
    /// Files that are not messages of this ceremony, with the reason: blamed on nobody.
    pub noise: Vec<String>,
    /// The outcome's canonical bytes, recomputed.
    pub outcome: Option<Vec<u8>>,
    /// Whether the outcome that the record claims is the recomputed one; nothing if it claims none.
    pub claim_holds: Option<bool>,
}

/// How many different messages of each kind an operator sent, whatever they are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turnout {
    /// The operator.
    pub operator: Index,
    /// Its deals.
    pub deals: usize,
    /// Its confirms.
    pub confirms: usize,
    /// Its partials.
    pub partials: usize,
    /// Its abandons.
    pub abandons: usize,
    /// Against whom it complained, ascending, each once.
    pub complaints: Vec<Index>,
}

impl Turnout {
    fn of(board: &Board<MessageRef>, operator: Index) -> Self {
        let against = board.of(operator).filter_map(|entry| match entry.place {
            Place::Complaint { against, .. } => Some(against),
            _ => None,
        });
        let against: BTreeSet<Index> = against.collect();
        Self {
            operator,
            deals: board.deals(operator).count(),
            confirms: board.confirms(operator).count(),
            partials: board.partials(operator).count(),
            abandons: board.abandons(operator).count(),
            complaints: against.into_iter().collect(),
        }
    }
}

/// What an audit comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Complete, nobody misbehaved, and a claimed outcome is the right one.
    Complete,
    /// Nothing wrong and not complete.
    Incomplete,
    /// It cannot become complete, and nobody is proved wrong.
    Ended,
    /// Somebody is proved wrong, or the claimed outcome is not what the messages lead to.
    Misbehaviour,
}

/// Why an audit could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The record could not be read.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The outcome could not be encoded.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// Audits a board: `ids` are the messages that `messages` can load.
pub fn audit(
    plan: &Plan,
    ids: &[String],
    messages: &dyn Messages,
    claimed: Option<&[u8]>,
    observer: &dyn Observer,
) -> Result<Report, AuditError> {
    let mut session = Session::new(plan);
    let mut noise = Vec::new();
    for id in ids {
        let bytes = messages.load(id).map_err(SessionError::from)?;
        // The record is stored already; with a bound, its order would decide what counts.
        match session.take(bytes) {
            Ok(message) => drop(session.place_beyond(&message, id)),
            Err(reason) => noise.push(format!("{id}: {reason}")),
        }
    }
    let examination = session.examine(messages, observer)?;
    let outcome = examination
        .outcome
        .as_ref()
        .map(|outcome| outcome.to_bytes())
        .transpose()?;
    let claim_holds = claimed.map(|claimed| outcome.as_deref() == Some(claimed));
    Ok(Report {
        turnout: plan
            .roster()
            .iter()
            .map(|operator| Turnout::of(session.board(), operator.index))
            .collect(),
        messages: session.board().iter().count(),
        examination,
        noise,
        outcome,
        claim_holds,
    })
}

impl Report {
    /// What it comes to.
    pub fn conclusion(&self) -> Conclusion {
        let examination = &self.examination;
        if !examination.faults.is_empty() || self.claim_holds == Some(false) {
            Conclusion::Misbehaviour
        } else if examination.outcome.is_some() {
            Conclusion::Complete
        } else if !examination.collisions.is_empty() || !examination.abandoned.is_empty() {
            Conclusion::Ended
        } else {
            Conclusion::Incomplete
        }
    }

    /// The findings, a sentence each, the gravest first.
    pub fn sentences(&self, plan: &Plan) -> Vec<String> {
        let examination = &self.examination;
        let name = |index| {
            plan.roster().operator(index).map_or_else(
                || format!("operator {index}"),
                |operator| format!("operator {index} ({})", operator.card.name()),
            )
        };
        let names = |indices: &[_]| {
            indices
                .iter()
                .copied()
                .map(name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let mut sentences = Vec::new();
        for fault in &examination.faults {
            sentences.push(format!(
                "{} is proved wrong: {}",
                name(fault.accused),
                fault.kind
            ));
        }
        for collision in &examination.collisions {
            sentences.push(format!("{}; this proves nobody wrong", collision.what));
        }
        if self.claim_holds == Some(false) {
            sentences.push("the outcome in the record is not what its messages lead to".into());
        }
        if !examination.abandoned.is_empty() {
            sentences.push(format!("abandoned by {}", names(&examination.abandoned)));
        }
        for (by, against) in &examination.open_complaints {
            sentences.push(format!(
                "{} complains against a deal of {} that is not in the record; nobody is blamed",
                name(*by),
                name(*against)
            ));
        }
        for (what, missing) in [
            ("deal", &examination.missing_deals),
            ("confirm", &examination.missing_confirms),
        ] {
            if !missing.is_empty() && examination.outcome.is_none() {
                sentences.push(format!("no {what} from {}", names(missing)));
            }
        }
        if let Some(awaited) = &examination.awaited_partials
            && examination.outcome.is_none()
        {
            sentences.push(format!(
                "{} more partial(s) are needed; none from {}",
                awaited.needed,
                names(&awaited.of)
            ));
        }
        match &examination.outcome {
            Some(Outcome::Keygen(_)) => sentences.push(format!(
                "complete: all {} operators confirmed one transcript, and every signature verifies",
                plan.roster().len()
            )),
            Some(Outcome::Sign(outcome)) => sentences.push(format!(
                "complete: {} operators signed, and every one of {} signature(s) verifies under its validator's key",
                plan.threshold(),
                outcome.signatures().len()
            )),
            None => {}
        }
        sentences
    }
}

/// Audits an evidence file: its messages are a small record.
pub fn audit_evidence(
    plan: &Plan,
    messages: &[Vec<u8>],
    observer: &dyn Observer,
) -> Result<Report, AuditError> {
    let ids: Vec<String> = (1..=messages.len())
        .map(|number| format!("message {number}"))
        .collect();
    audit(
        plan,
        &ids,
        &Listed {
            ids: &ids,
            messages,
        },
        None,
        observer,
    )
}

/// Whether a report on an evidence file bears out what the file claims: everyone it accuses is
/// proved wrong, or collides.
pub fn bears_out(evidence: &Evidence, report: &Report) -> bool {
    let examination = &report.examination;
    !evidence.accused.is_empty()
        && evidence.accused.iter().all(|accused| {
            examination
                .faults
                .iter()
                .any(|fault| fault.accused == *accused)
                || examination
                    .collisions
                    .iter()
                    .any(|collision| collision.dealers.contains(accused))
        })
}

struct Listed<'a> {
    ids: &'a [String],
    messages: &'a [Vec<u8>],
}

impl Messages for Listed<'_> {
    fn load(&self, id: &str) -> Result<Vec<u8>, crate::ceremony::MessagesError> {
        let position = self.ids.iter().position(|known| known == id);
        position
            .and_then(|position| self.messages.get(position))
            .cloned()
            .ok_or_else(|| {
                crate::ceremony::MessagesError(format!("{id} is not in the evidence file"))
            })
    }
}
