//! The outside world that a computation may not reach for by itself: randomness and the clock.
//!
//! Both are passed in, so that tests can hold them still. A release build has only the operating
//! system's; no flag or variable replaces them.
#![expect(
    clippy::disallowed_methods,
    reason = "the one owner of the clock and of OS randomness"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::secret::{Secret, Seed};

/// The operating system gave no randomness; nothing may go on.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct RandomnessError(String);

impl RandomnessError {
    /// Another source of randomness than the system's says why it gave none.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A source of cryptographic randomness.
pub trait Randomness {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomnessError>;

    /// Returns 32 fresh secret bytes.
    fn seed(&mut self) -> Result<Seed, RandomnessError> {
        let mut seed = Secret::new([0u8; 32]);
        seed.expose_mut(|bytes| self.fill(bytes))?;
        Ok(seed)
    }
}

/// The operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomnessError> {
        getrandom::fill(out).map_err(|error| RandomnessError(error.to_string()))
    }
}

/// The time of day and a stopwatch.
///
/// The time of day is anyone's guess on a machine without a network: it may stand still, or jump.
/// It is written down for people and decides nothing.
pub trait Clock: std::fmt::Debug {
    /// Seconds since 1970-01-01T00:00:00Z; 0 when the clock stands before it.
    fn unix_seconds(&self) -> u64;
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
}

/// Seconds since 1970 as `2026-01-31 12:00:00 UTC`; the number itself where no calendar goes.
pub fn utc(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or_else(
        || format!("{seconds} seconds after 1970"),
        |time| {
            let (hour, minute, second) = time.to_hms();
            format!(
                "{:04}-{:02}-{:02} {hour:02}:{minute:02}:{second:02} UTC",
                time.year(),
                u8::from(time.month()),
                time.day()
            )
        },
    )
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// Starts the stopwatch.
    #[expect(
        clippy::new_without_default,
        reason = "starting a stopwatch is an act, not a default"
    )]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn unix_seconds(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
