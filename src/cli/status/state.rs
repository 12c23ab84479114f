//! Where a ceremony stands and what to do next: one pure function from facts to a state.
//!
//! Nothing else decides: the table, the JSON and every viewpoint (an operator's home, or the
//! organiser and a witness who have none) take their words from here.

use std::collections::BTreeSet;

use super::signing::Signing;
use crate::ceremony::step::AwaitedPartials;
use crate::store::vault::Marker;
use crate::wire::roster::Index;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// An operator of the plan, with its home.
    Operator,
    /// The organiser, a witness, or a home that the plan does not name.
    Witness,
}

/// What is known of a ceremony.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) view: View,
    /// What became true of it in this home.
    pub(super) markers: BTreeSet<Marker>,
    /// Whether the plan requires a backup of the stored shares that was not checked here yet.
    pub(super) backup_due: bool,
    /// This operator's messages on the board.
    pub(super) own: Own,
    /// Of a signing ceremony, what it still needs.
    pub(super) signing: Option<AwaitedPartials>,
    /// Whose deals are not there.
    pub(super) missing_deals: Vec<Index>,
    /// Whose confirms are not there.
    pub(super) missing_confirms: Vec<Index>,
    /// Who abandoned and did not confirm.
    pub(super) abandoned: Vec<Index>,
    /// Who has two different messages in one place.
    pub(super) twice: Vec<Index>,
    /// What the audit found, where one was made.
    pub(super) audited: Option<Audited>,
    /// Messages that lie with the courier and not in this home.
    pub(super) only_there: usize,
    /// Messages of this home that do not lie with the courier.
    pub(super) only_here: usize,
}

/// Which messages of this operator are on the board.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    pub(super) deal: bool,
    pub(super) confirm: bool,
    pub(super) complaint: bool,
}

/// What an audit of the messages comes to.
#[derive(Debug, Clone, Default)]
pub(super) struct Audited {
    /// Who is proved wrong.
    pub(super) accused: Vec<Index>,
    /// Whether it ends without blame.
    pub(super) collided: bool,
    /// Whether it is complete.
    pub(super) complete: bool,
}

/// A round, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Round 1.
    Deal,
    /// Round 2.
    Confirm,
}

/// Where a ceremony stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// The plan names this home, which has not accepted it.
    Invited,
    /// Complete, and this operator's files were written.
    Done,
    /// Complete here; the files are not written.
    FilesDue,
    /// Everyone confirmed; this home has not finished yet.
    Finishable,
    /// Proved that it cannot become complete; this operator had confirmed.
    StoppedKept,
    /// Proved that it cannot become complete.
    Stopped,
    /// This operator complained.
    Complained,
    /// This operator abandoned it.
    Left,
    /// Something stands against it that `run` is to judge.
    Doubtful(Vec<Index>),
    /// Others abandoned it; this operator had confirmed.
    AbandonedKept(Vec<Index>),
    /// It was abandoned.
    Abandoned(Vec<Index>),
    /// It is this operator's turn.
    Due(Round),
    /// This operator has to check a backup of its shares before it confirms.
    BackupDue,
    /// Others are awaited before this operator can confirm.
    Awaiting(Vec<Index>),
    /// This operator confirmed; others are awaited.
    Pending(Vec<Index>),
    /// For a witness: complete; with those who are proved wrong beside it.
    Complete(Vec<Index>),
    /// For a witness: somebody is proved wrong.
    Misbehaviour(Vec<Index>),
    /// For a witness: it ends and nobody is proved wrong.
    Collided,
    /// For a witness: these operators' messages of a round are awaited.
    Open(Round, Vec<Index>),
    /// For a witness: nobody is awaited and there is no outcome.
    Unclear,
    /// Of a signing ceremony, which has states of its own.
    Signing(Signing),
}

impl Facts {
    /// Where it stands.
    pub(super) fn state(&self) -> State {
        match (&self.signing, self.view) {
            (Some(awaited), _) => State::Signing(Signing::of(self, awaited)),
            (None, View::Operator) => self.operator(),
            (None, View::Witness) => self.witness(),
        }
    }

    fn operator(&self) -> State {
        let has = |marker| self.markers.contains(&marker);
        let audited = self.audited.clone().unwrap_or_default();
        let confirmed = has(Marker::Confirmed) || self.own.confirm;
        // Complete is complete, whatever else became known.
        if has(Marker::Artifacts) {
            State::Done
        } else if has(Marker::Complete) {
            State::FilesDue
        } else if audited.complete {
            State::Finishable
        } else if has(Marker::Ended) && confirmed {
            State::StoppedKept
        } else if has(Marker::Ended) {
            State::Stopped
        } else if has(Marker::Abandoned) && self.own.complaint {
            State::Complained
        } else if has(Marker::Abandoned) {
            State::Left
        } else if !self.twice.is_empty() || !audited.accused.is_empty() || audited.collided {
            let mut suspects = self.twice.clone();
            suspects.extend(audited.accused);
            suspects.sort_unstable();
            suspects.dedup();
            State::Doubtful(suspects)
        } else if !self.abandoned.is_empty() && confirmed {
            State::AbandonedKept(self.abandoned.clone())
        } else if !self.abandoned.is_empty() {
            State::Abandoned(self.abandoned.clone())
        } else if !has(Marker::Accepted) && !self.own.deal && !confirmed {
            State::Invited
        } else if confirmed && self.missing_confirms.is_empty() {
            State::Finishable
        } else if confirmed {
            State::Pending(self.missing_confirms.clone())
        } else if !self.own.deal {
            State::Due(Round::Deal)
        } else if self.missing_deals.is_empty() && self.backup_due && has(Marker::Shares) {
            State::BackupDue
        } else if self.missing_deals.is_empty() {
            State::Due(Round::Confirm)
        } else {
            State::Awaiting(self.missing_deals.clone())
        }
    }

    fn witness(&self) -> State {
        let audited = self.audited.clone().unwrap_or_default();
        if audited.complete {
            State::Complete(audited.accused)
        } else if !audited.accused.is_empty() {
            State::Misbehaviour(audited.accused)
        } else if audited.collided {
            State::Collided
        } else if !self.abandoned.is_empty() {
            State::Abandoned(self.abandoned.clone())
        } else if !self.missing_deals.is_empty() {
            State::Open(Round::Deal, self.missing_deals.clone())
        } else if !self.missing_confirms.is_empty() {
            State::Open(Round::Confirm, self.missing_confirms.clone())
        } else {
            State::Unclear
        }
    }
}

impl Round {
    /// Its number and name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Deal => "round 1, deal",
            Self::Confirm => "round 2, confirm",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Deal => 1,
            Self::Confirm => 2,
        }
    }
}

impl State {
    /// The word for it in JSON.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Done => "done",
            Self::FilesDue => "files_due",
            Self::Finishable => "finishable",
            Self::StoppedKept => "stopped_kept",
            Self::Stopped => "stopped",
            Self::Complained => "complained",
            Self::Left => "left",
            Self::Doubtful(_) => "doubtful",
            Self::AbandonedKept(_) => "abandoned_kept",
            Self::Abandoned(_) => "abandoned",
            Self::Due(_) => "due",
            Self::BackupDue => "backup_due",
            Self::Awaiting(_) => "awaiting",
            Self::Pending(_) => "pending",
            Self::Complete(_) => "complete",
            Self::Misbehaviour(_) => "misbehaviour",
            Self::Collided => "collided",
            Self::Open(..) => "open",
            Self::Unclear => "unclear",
            Self::Signing(signing) => signing.word(),
        }
    }

    /// The round that it is in, by number.
    pub(super) const fn round(&self) -> Option<u8> {
        match self {
            Self::Invited | Self::Awaiting(_) => Some(Round::Deal.number()),
            Self::Pending(_) | Self::BackupDue => Some(Round::Confirm.number()),
            Self::Due(round) | Self::Open(round, _) => Some(round.number()),
            Self::Signing(signing) => signing.round(),
            _ => None,
        }
    }

    /// Who is awaited.
    pub(super) fn awaited(&self) -> &[Index] {
        match self {
            Self::Awaiting(who) | Self::Pending(who) | Self::Open(_, who) => who,
            Self::Signing(signing) => signing.awaited(),
            _ => &[],
        }
    }

    /// The state in a sentence; `names` turns operators into words.
    pub(super) fn sentence(&self, names: &dyn Fn(&[Index]) -> String) -> String {
        let fixed = match self {
            Self::Awaiting(who) => {
                return format!("waiting since {} for {}", Round::Deal.name(), names(who));
            }
            Self::Pending(who) => {
                return format!(
                    "waiting since {} for {}; your shares are stored and you confirmed",
                    Round::Confirm.name(),
                    names(who)
                );
            }
            Self::Open(round, who) => {
                return format!("waiting since {} for {}", round.name(), names(who));
            }
            Self::Doubtful(who) if !who.is_empty() => {
                return format!(
                    "something stands against {}; `conclave run` judges it",
                    names(who)
                );
            }
            Self::AbandonedKept(who) => {
                return format!(
                    "abandoned by {}; you confirmed, so your shares are kept",
                    names(who)
                );
            }
            Self::Abandoned(who) => {
                return format!("abandoned by {}; nobody is blamed", names(who));
            }
            Self::Complete(accused) if !accused.is_empty() => {
                return format!(
                    "complete; beside it, {} proved wrong, which does not undo it",
                    names(accused)
                );
            }
            Self::Misbehaviour(accused) => {
                return format!(
                    "{} proved wrong; make no deposit for its keys",
                    names(accused)
                );
            }
            Self::Signing(signing) => return signing.sentence(names),
            Self::Due(Round::Deal) => "it is your turn: your deal is not made yet",
            Self::Due(Round::Confirm) => {
                "it is your turn: every deal is there and you did not confirm yet"
            }
            Self::BackupDue => {
                "it waits for your checked backup: your shares are stored, and the plan requires one before you confirm"
            }
            Self::Invited => "the plan names you, and you have not accepted it; nothing was sent",
            Self::Done => "complete, and your files were written",
            Self::FilesDue => "complete; your files are not written yet",
            Self::Finishable => "everyone confirmed; your files are not made yet",
            Self::StoppedKept => {
                "stopped: it cannot become complete; you confirmed, so your shares are kept"
            }
            Self::Stopped => "stopped: it cannot become complete; make no deposit for its keys",
            Self::Complained => "you complained of a wrong deal; it cannot become complete",
            Self::Left => "you abandoned it",
            Self::Doubtful(_) => "its deals end it without blame; `conclave run` judges it",
            Self::Complete(_) => "complete: all operators confirmed one transcript",
            Self::Collided => "it cannot become complete, and nobody is proved wrong",
            Self::Unclear => "nobody is awaited and there is no outcome",
        };
        fixed.to_owned()
    }
}

/// The commands that a reader can give, with the names of real files.
#[derive(Debug, Clone)]
pub(super) struct Hands {
    /// Takes part.
    pub(super) run: String,
    /// Checks the messages; there is none without a directory to check.
    pub(super) audit: Option<String>,
    /// Backs up the own shares.
    pub(super) backup: String,
    /// Checks the backup of them.
    pub(super) check_backup: String,
    /// Checks and makes the page to pass on, of a complete ceremony.
    pub(super) report: Option<String>,
    /// Checks each evidence file.
    pub(super) evidence: Vec<String>,
    /// Tells the others that it is abandoned.
    pub(super) abandon: String,
    /// Whether somebody has to carry the messages.
    pub(super) carried: bool,
}

/// Something to do; with the exact command, if it is one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Next {
    /// In words.
    pub(super) what: String,
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
}

impl Next {
    pub(super) fn say(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            command: None,
        }
    }

    pub(super) fn give(what: impl Into<String>, command: &str) -> Self {
        Self {
            command: Some(command.to_owned()),
            ..Self::say(what)
        }
    }
}

impl Facts {
    /// What to do next, in order; never empty.
    pub(super) fn next(
        &self,
        state: &State,
        hands: &Hands,
        names: &dyn Fn(&[Index]) -> String,
    ) -> Vec<Next> {
        let again = || {
            Next::give(
                "the organiser writes a new plan; cards that were not used up may stand in it again",
                "conclave plan new keygen",
            )
        };
        let audit = |what: &str| {
            hands
                .audit
                .iter()
                .map(|command| Next::give(what, command))
                .collect::<Vec<_>>()
        };
        let pass_on = |who: &[Index]| {
            if self.only_here > 0 || self.only_there > 0 {
                Next::give("bring both sides together", &hands.run)
            } else if !hands.carried {
                Next::give(
                    format!("nothing until {} did; then", names(who)),
                    &hands.run,
                )
            } else {
                Next::give(
                    format!(
                        "pass the messages on to {}; when they come back",
                        names(who)
                    ),
                    &hands.run,
                )
            }
        };
        let stopped = || {
            let mut next: Vec<Next> = hands
                .evidence
                .iter()
                .map(|command| {
                    Next::give(
                        "show the evidence to the others; anyone can check it",
                        command,
                    )
                })
                .collect();
            if next.is_empty() {
                next.push(Next::give("see why, and get the evidence", &hands.run));
            }
            next.push(again());
            next
        };
        match state {
            State::Invited => vec![Next::give("look at the plan and take part", &hands.run)],
            State::Done => {
                let mut next = vec![Next::say("keep the record and your shares")];
                next.extend(hands.report.iter().map(|command| {
                    Next::give("check the record; make a page of it for others", command)
                }));
                if self.only_here > 0 {
                    next.insert(
                        0,
                        Next::give("others miss messages that are here", &hands.run),
                    );
                }
                next
            }
            State::FilesDue | State::Finishable => {
                vec![Next::give("write your files", &hands.run)]
            }
            State::StoppedKept | State::Stopped | State::Complained => stopped(),
            State::Doubtful(_) => vec![Next::give("let it be judged", &hands.run)],
            State::Left => vec![
                Next::give("tell the others, if they do not know", &hands.abandon),
                again(),
            ],
            State::AbandonedKept(_) | State::Abandoned(_) => {
                let mut next = Vec::new();
                if self.only_here > 0 {
                    next.push(Next::give("others miss messages that are here", &hands.run));
                }
                next.push(again());
                next
            }
            State::Due(Round::Deal) => vec![Next::give("make your deal", &hands.run)],
            State::Due(Round::Confirm) => {
                vec![Next::give("check the deals and confirm", &hands.run)]
            }
            State::BackupDue => vec![
                Next::give("back your shares up", &hands.backup),
                Next::give("see that it opens where it is kept", &hands.check_backup),
                Next::give("then confirm", &hands.run),
            ],
            State::Awaiting(who) | State::Pending(who) => vec![pass_on(who)],
            State::Open(_, who) => {
                let what = match hands.carried {
                    true => format!("pass the messages on to {}; each of them gives", names(who)),
                    false => format!("each of {} gives", names(who)),
                };
                vec![Next::give(what, &hands.run)]
            }
            State::Complete(_) => {
                let mut next: Vec<Next> = hands
                    .report
                    .iter()
                    .map(|command| {
                        Next::give("check it, and make a page of it for others", command)
                    })
                    .collect();
                next.push(Next::say(
                    "compare the outcome code with the one that the operators read",
                ));
                next
            }
            State::Misbehaviour(_) | State::Collided => {
                let mut next = audit("see what is proved");
                next.push(again());
                next
            }
            State::Signing(signing) => signing.next(self, hands, names),
            State::Unclear => {
                let mut next = audit("check the messages");
                next.push(Next::say("ask the operators what `conclave run` says"));
                next
            }
        }
    }
}

#[cfg(test)]
mod tests;
