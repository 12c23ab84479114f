//! Where a signing ceremony stands and what to do next.

use super::state::{Facts, Hands, Next, View};
use crate::ceremony::step::AwaitedPartials;
use crate::cli::values::counted;
use crate::store::vault::Marker;
use crate::wire::roster::Index;

/// Where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signing {
    /// The plan names this home, which has not accepted it.
    Invited,
    /// Complete, and this operator's files were written.
    Done,
    /// Complete here; the files are not written.
    FilesDue,
    /// Enough operators signed; this home has not finished yet.
    Finishable,
    /// This operator left it.
    Left,
    /// Too few operators are left.
    Stopped,
    /// It is this operator's turn.
    Due(AwaitedPartials),
    /// This operator signed; others are awaited.
    Pending(AwaitedPartials),
    /// For a witness: complete.
    Complete,
    /// For a witness: partials are awaited.
    Open(AwaitedPartials),
    /// For a witness: enough were sent, and whether they are valid nobody has checked.
    Unclear,
}

impl Signing {
    /// Where it stands.
    pub(super) fn of(facts: &Facts, awaited: &AwaitedPartials) -> Self {
        let has = |marker| facts.markers.contains(&marker);
        let complete = facts.audited.as_ref().is_some_and(|found| found.complete);
        let short = awaited.needed > awaited.of.len();
        if facts.view == View::Witness {
            return match (complete, awaited.needed) {
                (true, _) => Self::Complete,
                _ if short => Self::Stopped,
                (false, 0) => Self::Unclear,
                (false, _) => Self::Open(awaited.clone()),
            };
        }
        let signed = has(Marker::Confirmed) || facts.own.confirm;
        // Complete is complete, whatever else became known.
        if has(Marker::Artifacts) {
            Self::Done
        } else if has(Marker::Complete) {
            Self::FilesDue
        } else if complete {
            Self::Finishable
        } else if has(Marker::Abandoned) {
            Self::Left
        } else if has(Marker::Ended) || short {
            Self::Stopped
        } else if !has(Marker::Accepted) && !signed {
            Self::Invited
        } else if awaited.needed == 0 {
            Self::Finishable
        } else if signed {
            Self::Pending(awaited.clone())
        } else {
            Self::Due(awaited.clone())
        }
    }

    /// The word for it in JSON.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Done => "done",
            Self::FilesDue => "files_due",
            Self::Finishable => "finishable",
            Self::Left => "left",
            Self::Stopped => "stopped",
            Self::Due(_) => "due",
            Self::Pending(_) => "pending",
            Self::Complete => "complete",
            Self::Open(_) => "open",
            Self::Unclear => "unclear",
        }
    }

    /// The round that it is in: there is one.
    pub(super) const fn round(&self) -> Option<u8> {
        match self {
            Self::Invited | Self::Due(_) | Self::Pending(_) | Self::Open(_) => Some(1),
            _ => None,
        }
    }

    /// Who is awaited; any of them will do.
    pub(super) fn awaited(&self) -> &[Index] {
        match self {
            Self::Pending(awaited) | Self::Open(awaited) => &awaited.of,
            _ => &[],
        }
    }

    /// The state in a sentence; `names` turns operators into words.
    pub(super) fn sentence(&self, names: &dyn Fn(&[Index]) -> String) -> String {
        let more = |awaited: &AwaitedPartials| {
            let partials = counted(awaited.needed, "partial");
            format!("waiting for {partials} of any of {}", names(&awaited.of))
        };
        let fixed = match self {
            Self::Invited => "the plan names you, and you have not accepted it; nothing was sent",
            Self::Done => "complete, and your files were written",
            Self::FilesDue => "complete; your files are not written yet",
            Self::Finishable => "enough operators signed; your files are not made yet",
            Self::Left => "you abandoned it; others may sign it without you",
            Self::Stopped => "too few operators are left to sign it",
            Self::Due(_) => "it is your turn: you did not sign yet",
            Self::Complete => "complete: enough operators signed",
            Self::Unclear => "enough operators sent partials; nobody has checked them here",
            Self::Pending(awaited) => return format!("{}; you signed", more(awaited)),
            Self::Open(awaited) => return more(awaited),
        };
        fixed.to_owned()
    }

    /// What to do next, in order; never empty.
    pub(super) fn next(
        &self,
        facts: &Facts,
        hands: &Hands,
        names: &dyn Fn(&[Index]) -> String,
    ) -> Vec<Next> {
        let carry = |who: &[Index]| match hands.carried {
            true => format!("pass the messages on to {}; then", names(who)),
            false => format!("nothing until one of {} did; then", names(who)),
        };
        let audit = hands.audit.iter();
        let audit = audit.map(|command| Next::give("check the messages", command));
        match self {
            Self::Invited | Self::Due(_) => {
                vec![Next::give(
                    "look at what is to be signed, and sign",
                    &hands.run,
                )]
            }
            Self::FilesDue | Self::Finishable => {
                vec![Next::give("write your files", &hands.run)]
            }
            Self::Pending(_) if facts.only_here > 0 || facts.only_there > 0 => {
                vec![Next::give("bring both sides together", &hands.run)]
            }
            Self::Pending(awaited) => vec![Next::give(carry(&awaited.of), &hands.run)],
            Self::Open(awaited) => {
                let who = names(&awaited.of);
                vec![Next::give(format!("each of {who} can give"), &hands.run)]
            }
            Self::Done => vec![Next::say(
                "keep the files as you keep keys: whoever has a signature can use it",
            )],
            Self::Left => vec![Next::say(
                "to sign after all, make a new plan: `conclave sign`",
            )],
            Self::Stopped => {
                let mut next: Vec<Next> = hands
                    .evidence
                    .iter()
                    .map(|command| Next::give("show the evidence to the others", command))
                    .collect();
                next.push(Next::say(
                    "with the others make a new signing plan: `conclave sign`",
                ));
                next
            }
            Self::Complete | Self::Unclear => {
                let mut next: Vec<Next> = audit.collect();
                next.push(Next::say(
                    "each operator can write the files: `conclave run`",
                ));
                next
            }
        }
    }
}
