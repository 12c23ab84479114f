//! The one place that knows every error: its code, what a person reads, what to do about it, the
//! exit code.

use std::path::Path;

mod codes;
mod from;

pub use codes::ErrorCode;
pub(super) use from::plugin;

/// What kind of end a command came to; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It did not work: 1.
    Failed,
    /// It was called in a way that cannot work: 2.
    Usage,
    /// Nothing is wrong, others have to act first: 3.
    Waiting,
    /// Somebody's misbehaviour is proved: 4.
    Misbehaviour,
    /// It could have been done and would not have been safe: 5.
    Refused,
    /// A mistake in this program: 70.
    Bug,
}

impl Kind {
    /// The exit code. (0 is for what was done.)
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Waiting => 3,
            Self::Misbehaviour => 4,
            Self::Refused => 5,
            Self::Bug => 70,
        }
    }
}

/// Why a command ended without having done all it was asked for.
///
/// The message says what happened, to which file or operator, and what is still safe: lower case, no
/// final period. A hint is a command or a file that the reader can act on. The code is for programs,
/// and decides the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    code: ErrorCode,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

/// An error as `--json` prints it.
#[derive(Debug, serde::Serialize)]
pub struct ErrorReport<'a> {
    code: &'static str,
    exit_code: u8,
    message: &'a str,
    causes: &'a [String],
    hints: &'a [String],
}

impl CommandError {
    /// An error of any kind, with the code for what has none of its own; see [`Self::code`].
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self::of(ErrorCode::of(kind), message)
    }

    /// An error with its code.
    pub fn of(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// It did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// It was called in a way that cannot work.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Gives it another code, and with it that code's kind.
    #[must_use]
    pub fn code(mut self, code: ErrorCode) -> Self {
        self.code = code;
        self
    }

    /// Adds one of several things that are wrong.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds something to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Names the file that an error without a path speaks of.
    #[must_use]
    pub fn about(mut self, path: &Path) -> Self {
        self.message = format!("{}: {}", path.display(), self.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.code.kind()
    }

    /// The code.
    pub fn error_code(&self) -> ErrorCode {
        self.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// All that is wrong, where it is more than one thing.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to do about it.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The error for a program.
    pub fn report(&self) -> ErrorReport<'_> {
        ErrorReport {
            code: self.code.as_str(),
            exit_code: self.kind().exit_code(),
            message: &self.message,
            causes: &self.causes,
            hints: &self.hints,
        }
    }
}

#[cfg(test)]
mod tests;
