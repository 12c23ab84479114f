//! `run --json`: what happens, as it happens, one object a line.
//!
//! Every line stands alone, is flushed at once, and names the ceremony once its plan is read. The
//! last line is an `end`, whatever happens short of the process being killed: also after a usage
//! error, also after a bug. A reader that leaves stops nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use super::awaited::Awaited;
use crate::artifacts::Written;
use crate::ceremony::plan::{Plan, PlanKind, PlanWork};
use crate::ceremony::{Observer, Stage};
use crate::cli::error::{CommandError, ErrorReport};
use crate::cli::progress::Progress;
use crate::cli::ui::Lines;
use crate::courier::{CourierError, Moved};
use crate::driver::Watcher;
use crate::hash::Digest;
use crate::json;
use crate::wire::envelope;
use crate::wire::roster::Index;

/// Something that happened. Serialised with the field `event`; see schemas/run-event.schema.json.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// The plan is accepted.
    Plan {
        name: &'a str,
        kind: PlanKind,
        accepted: &'static str,
        own_index: Index,
        operators: Vec<Named<'a>>,
        threshold: u64,
        validators: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        messages: Option<usize>,
        network: String,
    },
    /// A courier was there, or not.
    Exchange {
        courier: &'a str,
        received: usize,
        sent: usize,
        refused: &'a [String],
        left: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ErrorReport<'a>>,
    },
    /// An own message is stored; it leaves with the next exchange.
    Made { kind: envelope::Kind },
    /// The own shares are stored and were read back.
    SharesStored {},
    /// A long computation goes on.
    Stage {
        stage: &'static str,
        done: usize,
        total: usize,
    },
    /// Something that is allowed and should be known.
    Warning { message: &'a str },
    /// Others are awaited.
    Waiting {
        awaiting_deals: &'a [Index],
        awaiting_confirms: &'a [Index],
        /// The own confirm waits until this operator has checked a backup of its shares.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        awaiting_backup: bool,
        /// Of a signing ceremony: who can sign yet, and how many must.
        #[serde(skip_serializing_if = "Option::is_none")]
        awaiting_partials: Option<&'a [Index]>,
        #[serde(skip_serializing_if = "Option::is_none")]
        partials_needed: Option<usize>,
    },
    /// The ceremony cannot become complete.
    Stopped {
        accused: Vec<Index>,
        abandoned_by: &'a [Index],
        evidence: &'a [String],
    },
    /// The ceremony is complete; misbehaviour beside it does not undo it.
    Complete {
        #[serde(skip_serializing_if = "Option::is_none")]
        transcript: Option<Digest>,
        outcome: Digest,
        outcome_code: &'a str,
        accused: Vec<Index>,
        evidence: &'a [String],
    },
    /// The operator's files stand.
    Files {
        directory: &'a str,
        written: bool,
        files: Vec<FileEntry>,
    },
    /// The command does not do all it was asked for.
    Error(ErrorReport<'a>),
    /// The last line.
    End { state: State, exit_code: u8 },
}

/// An operator of the plan.
#[derive(Debug, Serialize)]
pub(super) struct Named<'a> {
    index: Index,
    name: &'a str,
}

/// A file of the operator.
#[derive(Debug, Serialize)]
pub(super) struct FileEntry {
    path: String,
    purpose: &'static str,
    secret: bool,
}

/// Where the ceremony stands when the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// The command ended before that was known.
    Unknown,
    /// Others are awaited.
    Waiting,
    /// It cannot become complete.
    Stopped,
    /// It is complete.
    Complete,
}

impl<'a> Event<'a> {
    /// The event of a plan.
    pub(super) fn plan(plan: &'a Plan, own_index: Index, accepted: &'static str) -> Self {
        let operators = plan.roster().iter().map(|operator| Named {
            index: operator.index,
            name: operator.card.name().as_str(),
        });
        let (validators, messages) = match plan.work() {
            PlanWork::Keygen(plan) => (plan.validators().len(), None),
            PlanWork::Sign(plan) => (plan.positions().len(), Some(plan.messages().len())),
        };
        Self::Plan {
            kind: plan.kind(),
            name: plan.name().as_str(),
            accepted,
            own_index,
            operators: operators.collect(),
            threshold: plan.threshold() as u64,
            validators,
            messages,
            network: plan.network().to_string(),
        }
    }

    /// The event of waiting.
    pub(super) fn waiting(awaited: &'a Awaited) -> Self {
        let partials = awaited.partials.as_ref();
        Self::Waiting {
            awaiting_deals: &awaited.deals,
            awaiting_confirms: &awaited.confirms,
            awaiting_backup: awaited.backup,
            awaiting_partials: partials.map(|awaited| awaited.of.as_slice()),
            partials_needed: partials.map(|awaited| awaited.needed),
        }
    }

    /// The event of the operator's files.
    pub(super) fn files(directory: &'a str, written: &Written) -> Self {
        let files = written.files.iter().map(|file| FileEntry {
            path: file.path.display().to_string(),
            purpose: file.purpose.word(),
            secret: file.purpose.is_secret(),
        });
        Self::Files {
            directory,
            written: !written.already,
            files: files.collect(),
        }
    }
}

/// The stream.
#[derive(Debug)]
pub(in crate::cli) struct Events {
    lines: Option<Lines>,
    told: Mutex<Told>,
}

/// What the stream remembers of what it told.
#[derive(Debug)]
struct Told {
    cid: Option<Digest>,
    state: State,
    ended: bool,
    pace: Option<(Stage, usize, usize)>,
    /// The last exchange with each courier.
    exchanges: BTreeMap<String, Value>,
}

impl Events {
    /// A stream to `lines`, or one that nobody asked for.
    pub(in crate::cli) fn new(lines: Option<Lines>) -> Self {
        Self {
            lines,
            told: Mutex::new(Told {
                cid: None,
                state: State::Unknown,
                ended: false,
                pace: None,
                exchanges: BTreeMap::new(),
            }),
        }
    }

    /// Says which ceremony it is about from here on.
    pub(super) fn about(&self, cid: &Digest) {
        self.told().cid = Some(*cid);
    }

    /// Says where the ceremony stands.
    pub(super) fn stands(&self, state: State) {
        self.told().state = state;
    }

    /// Tells an event.
    pub(super) fn tell(&self, event: &Event<'_>) {
        let Some(lines) = &self.lines else { return };
        let cid = self.told().cid;
        // What cannot be told is a mistake of ours in an event's type, which the tests would show.
        let Ok(Value::Object(mut object)) = json::to_value(event) else {
            return;
        };
        if let Some(cid) = cid {
            object.insert("cid".to_owned(), Value::String(cid.to_string()));
        }
        if let Ok(line) = json::canonical_value(&Value::Object(object)) {
            lines.write(&line);
        }
    }

    /// Tells of an exchange; while it stays, only if it is another one than the last.
    fn exchange(&self, courier: &str, event: &Event<'_>, stays: bool) {
        let Ok(value) = json::to_value(event) else {
            return;
        };
        let last = self
            .told()
            .exchanges
            .insert(courier.to_owned(), value.clone());
        if !stays || last.as_ref() != Some(&value) {
            self.tell(event);
        }
    }

    /// Tells how the command ends, as the last line.
    pub(in crate::cli) fn end(&self, done: &Result<(), CommandError>) {
        let exit_code = match done {
            Ok(()) => 0,
            Err(error) => {
                self.tell(&Event::Error(error.report()));
                error.kind().exit_code()
            }
        };
        let state = {
            let mut told = self.told();
            told.ended = true;
            told.state
        };
        self.tell(&Event::End { state, exit_code });
    }

    /// Tells progress: of one pass through a stage at most 101 lines.
    fn progress(&self, stage: Stage, done: usize, total: usize) {
        if self.lines.is_none() {
            return;
        }
        let percent = done
            .saturating_mul(100)
            .checked_div(total)
            .unwrap_or(100)
            .min(100);
        {
            let mut told = self.told();
            // Threads report out of order; from the start again is another pass.
            let goes_on = |(before, of, at): (Stage, usize, usize)| {
                before == stage && of == total && at < 100 && percent <= at
            };
            if told.pace.is_some_and(goes_on) {
                return;
            }
            told.pace = Some((stage, total, percent));
        }
        self.tell(&Event::Stage {
            stage: stage.name(),
            done,
            total,
        });
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Events {
    /// A panic passes here: the stream ends all the same.
    fn drop(&mut self) {
        if !self.told().ended {
            self.end(&Err(crate::cli::bug("standard error says where")));
        }
    }
}

/// The bar and the stream, as the loop sees them.
pub(super) struct Watch<'a> {
    pub(super) bar: &'a Progress,
    pub(super) events: &'a Events,
    /// Whether the same exchange comes again and again.
    pub(super) stays: bool,
}

impl Observer for Watch<'_> {
    fn enter(&self, stage: Stage) {
        self.bar.enter(stage);
    }

    fn leave(&self, stage: Stage) {
        self.bar.leave(stage);
    }

    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.bar.progress(stage, done, total);
        self.events.progress(stage, done, total);
    }
}

impl Watcher for Watch<'_> {
    fn exchanged(&self, courier: &str, moved: &Moved, failed: Option<&CourierError>) {
        let failed = failed.cloned().map(CommandError::from);
        let event = Event::Exchange {
            courier,
            received: moved.received,
            sent: moved.sent,
            refused: &moved.refused,
            left: &moved.left,
            error: failed.as_ref().map(CommandError::report),
        };
        self.events.exchange(courier, &event, self.stays);
    }

    fn made(&self, kind: envelope::Kind) {
        self.events.tell(&Event::Made { kind });
    }

    fn shares_stored(&self) {
        self.events.tell(&Event::SharesStored {});
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ui::Ui;

    fn told(f: impl FnOnce(&Events)) -> Vec<Value> {
        let (mut ui, out) = Ui::captured();
        let events = Events::new(Some(ui.lines()));
        f(&events);
        drop(events);
        ui.finish().unwrap();
        let text = String::from_utf8(out.bytes()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_stream_that_breaks_off_has_an_end() {
        let lines = told(|events| events.stands(State::Waiting));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0]["event"], "error");
        assert_eq!(lines[0]["code"], "bug");
        let end = serde_json::json!({"event": "end", "state": "waiting", "exit_code": 70});
        assert_eq!(lines[1], end);

        let lines = told(|events| events.end(&Ok(())));
        let end = serde_json::json!({"event": "end", "state": "unknown", "exit_code": 0});
        assert_eq!(lines, [end]);
    }

    #[test]
    fn progress_is_told_a_hundred_times_at_most() {
        let lines = told(|events| {
            for done in 1..=5000 {
                events.progress(Stage::Receive, done, 5000);
                events.progress(Stage::Receive, done.saturating_sub(3), 5000);
            }
            // Another pass, and a short one.
            events.progress(Stage::Receive, 1, 5000);
            events.progress(Stage::Deal, 1, 1);
            events.end(&Ok(()));
        });
        let of = |stage: &str| lines.iter().filter(|line| line["stage"] == stage).count();
        assert_eq!(of("deal"), 1);
        assert!((50..=103).contains(&of("receive")), "{}", of("receive"));
    }
}
