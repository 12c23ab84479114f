//! Ceremonies: a plan, the messages on its board, and the outcome that follows from both.
//!
//! No I/O, no clock: bytes come in, verdicts and next steps go out. Messages are read from the board
//! one at a time, whoever holds them.

pub mod evidence;
pub mod flow;
pub mod imported;
pub mod outcome;
pub mod paper;
pub mod plan;
pub mod session;
pub mod share_proof;
pub mod shares;
pub mod step;
mod work;

/// Reads the messages of a board, one at a time, by the id that they were registered under.
pub trait Messages {
    /// Returns the bytes of one message.
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError>;
}

/// A message of the board could not be read; the text names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MessagesError(pub String);

/// The stages of one operator's work: mathematics without JSON and disk, but for the keystores,
/// which are written and read back as they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Making the own deal.
    Deal,
    /// Checking all deals and opening the own shares.
    Receive,
    /// Making the own partial signatures.
    Confirm,
    /// Checking all partial signatures and combining them.
    Finalise,
    /// Encrypting and reading back the keystores.
    Keystores,
    /// Making the own partial signatures of a signing ceremony.
    Sign,
}

impl Stage {
    /// All stages of a keygen, in order.
    pub const ALL: [Self; 5] = [
        Self::Deal,
        Self::Receive,
        Self::Confirm,
        Self::Finalise,
        Self::Keystores,
    ];

    /// The stage's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deal => "deal",
            Self::Receive => "receive",
            Self::Confirm => "confirm",
            Self::Finalise => "finalise",
            Self::Keystores => "keystores",
            Self::Sign => "sign",
        }
    }
}

/// Is told what a long computation is doing: progress bars and stopwatches live outside.
pub trait Observer: Sync {
    /// A stage's mathematics begins (again).
    fn enter(&self, _stage: Stage) {}
    /// It pauses or ends.
    fn leave(&self, _stage: Stage) {}
    /// So many of so many steps of a stage are done.
    fn progress(&self, _stage: Stage, _done: usize, _total: usize) {}
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Runs `work` as part of `stage`.
pub fn observed<R>(observer: &dyn Observer, stage: Stage, work: impl FnOnce() -> R) -> R {
    observer.enter(stage);
    let result = work();
    observer.leave(stage);
    result
}
