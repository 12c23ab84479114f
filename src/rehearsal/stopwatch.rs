//! The stopwatch of a rehearsal, and how much of the whole is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Narrator, Part};
use crate::ambient::Clock;
use crate::ceremony::{Observer, Stage};
use crate::wire::envelope::Kind;

/// How much of a rehearsal is done, by about how long its parts take.
pub(super) struct Tally {
    done: AtomicUsize,
    total: usize,
}

impl Tally {
    const DEAL: usize = 2;
    const CONFIRM: usize = 10;
    pub(super) const FINALISE: usize = 6;
    pub(super) const FILES: usize = 4;
    pub(super) const AUDIT: usize = 14;
    const SIGNING: usize = 4;

    pub(super) fn new(operators: usize) -> Self {
        let each = [Self::DEAL, Self::CONFIRM, Self::FINALISE, Self::FILES];
        let total = each
            .into_iter()
            .fold(0, usize::saturating_add)
            .saturating_mul(operators)
            .saturating_add(Self::AUDIT)
            .saturating_add(Self::SIGNING);
        Self {
            done: AtomicUsize::new(0),
            total,
        }
    }

    /// A part is done.
    pub(super) fn add(&self, part: usize) {
        self.done.fetch_add(part, Ordering::Relaxed);
    }

    /// An operator has sent a message.
    pub(super) fn sent(&self, kind: Kind) {
        self.add(match kind {
            Kind::Deal => Self::DEAL,
            Kind::Confirm => Self::CONFIRM,
            Kind::Complain | Kind::Abandon | Kind::Partial => 0,
        });
    }

    fn permille(&self) -> usize {
        let done = self.done.load(Ordering::Relaxed);
        let permille = done.saturating_mul(1000).checked_div(self.total);
        permille.unwrap_or(0).min(1000)
    }
}

/// Adds up the time in each stage and passes progress on.
pub(super) struct Stopwatch<'a> {
    clock: &'a (dyn Clock + Sync),
    narrator: &'a dyn Narrator,
    who: &'a str,
    tally: &'a Tally,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<Duration>,
    times: BTreeMap<Stage, Duration>,
    /// The stage that was told last, with its steps.
    told: Option<(Stage, usize, usize)>,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn new(
        clock: &'a (dyn Clock + Sync),
        narrator: &'a dyn Narrator,
        who: &'a str,
        tally: &'a Tally,
    ) -> Self {
        Self {
            clock,
            narrator,
            who,
            tally,
            state: Mutex::default(),
        }
    }

    pub(super) fn add_to(self, totals: &mut BTreeMap<Stage, Duration>) {
        let state = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        for (stage, time) in state.times {
            let total = totals.entry(stage).or_default();
            *total = total.saturating_add(time);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, stage: Stage, done: usize, total: usize) {
        self.narrator.progress(&Part {
            who: self.who,
            stage,
            done,
            total,
            permille: self.tally.permille(),
        });
    }
}

impl crate::driver::Watcher for Stopwatch<'_> {}

impl Observer for Stopwatch<'_> {
    fn enter(&self, stage: Stage) {
        let mut state = self.state();
        state.since = Some(self.clock.elapsed());
        // A stage that goes on is where it was.
        let told = state.told.filter(|(told, _, _)| *told == stage);
        let (_, done, total) = *state.told.insert(told.unwrap_or((stage, 0, 0)));
        drop(state);
        self.tell(stage, done, total);
    }

    fn leave(&self, stage: Stage) {
        let mut state = self.state();
        if let Some(start) = state.since.take() {
            let time = self.clock.elapsed().saturating_sub(start);
            let total = state.times.entry(stage).or_default();
            *total = total.saturating_add(time);
        }
    }

    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.state().told = Some((stage, done, total));
        self.tell(stage, done, total);
    }
}
