//! The stopwatch of a rehearsal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Narrator;
use crate::ambient::Clock;
use crate::ceremony::{Observer, Stage};

/// Adds up the time in each stage and passes progress on.
pub(super) struct Stopwatch<'a> {
    clock: &'a (dyn Clock + Sync),
    narrator: &'a dyn Narrator,
    times: Mutex<(Option<Duration>, BTreeMap<Stage, Duration>)>,
}

impl<'a> Stopwatch<'a> {
    pub(super) fn new(clock: &'a (dyn Clock + Sync), narrator: &'a dyn Narrator) -> Self {
        Self {
            clock,
            narrator,
            times: Mutex::new((None, BTreeMap::new())),
        }
    }

    pub(super) fn add_to(self, totals: &mut BTreeMap<Stage, Duration>) {
        let (_, times) = self
            .times
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        for (stage, time) in times {
            let total = totals.entry(stage).or_default();
            *total = total.saturating_add(time);
        }
    }
}

impl crate::driver::Watcher for Stopwatch<'_> {}

impl Observer for Stopwatch<'_> {
    fn enter(&self, _stage: Stage) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.0 = Some(self.clock.elapsed());
    }

    fn leave(&self, stage: Stage) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(start) = times.0.take() {
            let time = self.clock.elapsed().saturating_sub(start);
            let total = times.1.entry(stage).or_default();
            *total = total.saturating_add(time);
        }
    }

    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.narrator.progress(stage, done, total);
    }
}
