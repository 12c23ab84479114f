//! Where a ceremony stands, operator by operator, from whatever a report is made of.

use super::Origin;
use crate::audit::Conclusion;
use crate::ceremony::evidence::{Fault, FaultKind};
use crate::ceremony::plan::Plan;
use crate::wire::envelope::Round;
use crate::wire::roster::Index;

/// What became of one operator's message in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It is there, and nothing is wrong with it.
    Done,
    /// It is not there.
    Missing,
    /// There are two different ones.
    Twice,
    /// The operator gave up instead.
    Abandoned,
    /// It is proved wrong.
    Wrong,
}

impl Mark {
    /// The mark in words.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Missing => "missing",
            Self::Twice => "two different ones",
            Self::Abandoned => "abandoned",
            Self::Wrong => "proved wrong",
        }
    }
}

/// One operator's part.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) index: Index,
    pub(super) name: String,
    pub(super) deal: Mark,
    pub(super) confirm: Mark,
    /// Against whom it complained.
    pub(super) complaints: Vec<Index>,
    /// What it is proved to have done.
    pub(super) accused: Vec<String>,
}

/// What it all comes to, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Misbehaviour, and no outcome to be used.
    Faulty,
    /// Misbehaviour is proved beside a complete ceremony, which it does not undo.
    FaultyBeside,
    /// It cannot become complete.
    Ended,
    /// Messages are missing.
    Incomplete,
    /// Complete, and nobody did wrong.
    Complete,
}

/// The rows in roster order.
pub(super) fn rows(plan: &Plan, origin: &Origin<'_>) -> Vec<Row> {
    plan.roster()
        .iter()
        .map(|operator| {
            let index = operator.index;
            let mut row = Row {
                index,
                name: operator.card.name().to_string(),
                deal: Mark::Done,
                confirm: Mark::Done,
                complaints: Vec::new(),
                accused: Vec::new(),
            };
            if let Some(report) = origin.audit() {
                let turnout = report
                    .turnout
                    .iter()
                    .find(|turnout| turnout.operator == index);
                if let Some(turnout) = turnout {
                    row.deal = count(turnout.deals);
                    row.confirm = match (turnout.confirms, turnout.abandons) {
                        (0, 1..) => Mark::Abandoned,
                        (1.., 1..) => Mark::Twice,
                        (confirms, 0) => count(confirms),
                    };
                    row.complaints.clone_from(&turnout.complaints);
                }
                let own = report.examination.faults.iter();
                for fault in own.filter(|fault| fault.accused == index) {
                    accuse(&mut row, fault);
                }
            }
            row
        })
        .collect()
}

const fn count(messages: usize) -> Mark {
    match messages {
        0 => Mark::Missing,
        1 => Mark::Done,
        _ => Mark::Twice,
    }
}

fn accuse(row: &mut Row, fault: &Fault) {
    match &fault.kind {
        FaultKind::Deal(_) | FaultKind::WrongShares { .. } => row.deal = Mark::Wrong,
        FaultKind::Confirm(_) => row.confirm = Mark::Wrong,
        FaultKind::Equivocation(Round::Deal) => row.deal = Mark::Twice,
        FaultKind::Equivocation(Round::Confirm) => row.confirm = Mark::Twice,
        // The last two are faults of a signing ceremony, of which no page is made.
        FaultKind::Equivocation(Round::Complaint | Round::Partial)
        | FaultKind::FalseComplaint { .. }
        | FaultKind::Partial(_) => {}
    }
    row.accused.push(fault.kind.to_string());
}

/// The verdict.
pub(super) fn verdict(origin: &Origin<'_>) -> Verdict {
    let Some(report) = origin.audit() else {
        return Verdict::Complete;
    };
    match report.conclusion() {
        Conclusion::Complete => Verdict::Complete,
        Conclusion::Incomplete => Verdict::Incomplete,
        Conclusion::Ended => Verdict::Ended,
        Conclusion::Misbehaviour
            if report.examination.outcome.is_some() && report.claim_holds != Some(false) =>
        {
            Verdict::FaultyBeside
        }
        Conclusion::Misbehaviour => Verdict::Faulty,
    }
}
