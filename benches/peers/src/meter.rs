//! CPU time of parts of a run.

use std::time::Duration;

use cpu_time::ProcessTime;

/// Adds up the CPU time of what one party does.
#[derive(Default)]
pub(crate) struct Meter(Duration);

impl Meter {
    pub(crate) fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let start = ProcessTime::now();
        let result = work();
        self.0 += start.elapsed();
        result
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0 += other.0;
    }

    pub(crate) fn ms(&self) -> f64 {
        self.0.as_secs_f64() * 1e3
    }
}
