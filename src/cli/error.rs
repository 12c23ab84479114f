//! The one place that knows every error: what a person reads, what to do about it, the exit code.

use std::fmt::Display;
use std::path::Path;

use crate::ambient::RandomnessError;
use crate::artifacts::ArtifactError;
use crate::artifacts::record::RecordError;
use crate::audit::AuditError;
use crate::ceremony::evidence::EvidenceError;
use crate::ceremony::outcome::OutcomeCodeError;
use crate::ceremony::plan::PlanError;
use crate::ceremony::step::SessionError;
use crate::courier::CourierError;
use crate::crypto::identity::IdentityError;
use crate::driver::DriverError;
use crate::ethereum::deposit::DepositFileError;
use crate::ethereum::keystore::KeystoreError;
use crate::json::JsonError;
use crate::rehearsal::RehearsalError;
use crate::secret::PassphraseError;
use crate::store::disk::DiskError;
use crate::store::folder::FolderError;
use crate::store::home::HomeError;
use crate::store::seat::SeatError;
use crate::store::vault::VaultError;
use crate::wire::card::CardError;
use crate::wire::code::CodeError;

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
/// final period. A hint is a command or a file that the reader can act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

impl CommandError {
    /// An error of any kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
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
        self.kind
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
}

fn plain(error: &dyn Display) -> CommandError {
    CommandError::failed(error.to_string())
}

impl From<DiskError> for CommandError {
    fn from(error: DiskError) -> Self {
        let plain = plain(&error);
        match error {
            DiskError::Locked(_) => plain.hint("wait until it ends, then give the command again"),
            DiskError::NotRegular { .. } => plain
                .hint("name the file itself; links, directories and devices are never followed"),
            DiskError::Full(_) => plain.hint("make room, then give the command again"),
            _ => plain,
        }
    }
}

impl From<HomeError> for CommandError {
    fn from(error: HomeError) -> Self {
        let plain = plain(&error);
        match error {
            HomeError::Disk(error) => error.into(),
            HomeError::NoHome(_) => plain.hint(
                "make one with `conclave identity new`, or name the one you have with --home DIR",
            ),
            HomeError::Exists { .. } => plain
                .hint("show its identity with `conclave identity show`")
                .hint("for a second identity, name another folder with --home DIR"),
            HomeError::Spent(_) => plain.hint("`conclave card --name NAME` makes a new card"),
            HomeError::Occupied(_) | HomeError::Nameless(_) => {
                plain.hint("name another folder with --home DIR")
            }
            HomeError::Name(_) => Self {
                kind: Kind::Bug,
                ..plain
            },
            HomeError::Sealed { .. } | HomeError::Malformed { .. } => plain
                .hint("restore the home from its backup; no command changes what it cannot read"),
            HomeError::WrongPassphrase(_) | HomeError::Version { .. } | HomeError::NoCard(_) => {
                plain
            }
        }
    }
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> Self {
        match error.problems.as_slice() {
            [one] => Self::failed(one),
            several => {
                let count = several.len();
                let mut out = Self::failed(format!("the plan has {count} problems"));
                // Its text is cut to a length that a person reads.
                out.causes = error.to_string().lines().map(str::to_owned).collect();
                out
            }
        }
    }
}

impl From<KeystoreError> for CommandError {
    fn from(error: KeystoreError) -> Self {
        plain(&error)
    }
}

impl From<DepositFileError> for CommandError {
    fn from(error: DepositFileError) -> Self {
        plain(&error)
    }
}

impl From<CardError> for CommandError {
    fn from(error: CardError) -> Self {
        plain(&error)
    }
}

impl From<OutcomeCodeError> for CommandError {
    fn from(error: OutcomeCodeError) -> Self {
        match error {
            OutcomeCodeError::Json(error) => error.into(),
            OutcomeCodeError::Code(error) => error.into(),
        }
    }
}

impl From<CodeError> for CommandError {
    fn from(error: CodeError) -> Self {
        plain(&error)
    }
}

impl From<JsonError> for CommandError {
    fn from(error: JsonError) -> Self {
        Self::failed(format!("the file {error}"))
    }
}

impl From<IdentityError> for CommandError {
    fn from(error: IdentityError) -> Self {
        plain(&error)
    }
}

impl From<PassphraseError> for CommandError {
    fn from(error: PassphraseError) -> Self {
        plain(&error)
    }
}

impl From<RandomnessError> for CommandError {
    fn from(error: RandomnessError) -> Self {
        plain(&error).hint("nothing was made; do not go on with this machine")
    }
}

impl From<FolderError> for CommandError {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Disk(error) => error.into(),
            other => plain(&other),
        }
    }
}

impl From<VaultError> for CommandError {
    fn from(error: VaultError) -> Self {
        let plain = plain(&error);
        match error {
            VaultError::Home(error) => error.into(),
            VaultError::Folder(error) => error.into(),
            VaultError::TooLarge { .. } => plain,
            VaultError::Excluded { .. } | VaultError::SaidDifferently(_) => Self {
                kind: Kind::Refused,
                ..plain
            },
        }
    }
}

impl From<SeatError> for CommandError {
    fn from(error: SeatError) -> Self {
        let plain = plain(&error);
        match error {
            SeatError::Home(error) => error.into(),
            SeatError::Vault(error) => error.into(),
            SeatError::Folder(error) => error.into(),
            SeatError::Session(error) => error.into(),
            SeatError::Randomness(error) => error.into(),
            SeatError::NotInvited => plain.hint(
                "give the organiser your card (`conclave card`), or name another home with --home DIR",
            ),
            SeatError::StrangeCard | SeatError::SpentCard => Self {
                kind: Kind::Refused,
                ..plain
            }
            .hint("`conclave card --name NAME` makes a new card"),
            SeatError::Shares(_)
            | SeatError::OtherShares(_)
            | SeatError::Own { .. } => plain,
        }
    }
}

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        let plain = plain(&error);
        match error {
            SessionError::Conflict { .. } => Self {
                kind: Kind::Refused,
                ..plain
            }
            .hint("never use copies of one home; go on with the home that sent it"),
            SessionError::SpentCard => Self {
                kind: Kind::Refused,
                ..plain
            },
            SessionError::Protocol(_) => Self {
                kind: Kind::Bug,
                ..plain
            },
            _ => plain,
        }
    }
}

impl From<CourierError> for CommandError {
    fn from(error: CourierError) -> Self {
        plain(&error)
    }
}

impl From<DriverError> for CommandError {
    fn from(error: DriverError) -> Self {
        match error {
            DriverError::Seat(error) => error.into(),
            DriverError::Courier(error) => error.into(),
        }
    }
}

impl From<EvidenceError> for CommandError {
    fn from(error: EvidenceError) -> Self {
        plain(&error)
    }
}

impl From<RecordError> for CommandError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Disk(error @ DiskError::NotFound(_)) => {
                Self::from(error).hint("name a directory that holds plan.json, or an evidence file")
            }
            RecordError::Disk(error) => error.into(),
            RecordError::Outcomes { .. } => plain(&error),
        }
    }
}

impl From<AuditError> for CommandError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Session(error) => error.into(),
            AuditError::Json(error) => error.into(),
        }
    }
}

impl From<ArtifactError> for CommandError {
    fn from(error: ArtifactError) -> Self {
        let plain = plain(&error);
        match error {
            ArtifactError::Disk(error) => error.into(),
            ArtifactError::Occupied { .. } | ArtifactError::Name(_) => {
                plain.hint("name another directory with --out DIR")
            }
            _ => plain.hint("the same command again starts afresh; the shares are in the vault"),
        }
    }
}

impl From<RehearsalError> for CommandError {
    fn from(error: RehearsalError) -> Self {
        let plain = plain(&error);
        match error {
            RehearsalError::Disk(error) => error.into(),
            RehearsalError::Home(error) => error.into(),
            RehearsalError::Vault(error) => error.into(),
            RehearsalError::Seat(error) => error.into(),
            RehearsalError::Driver(error) => error.into(),
            RehearsalError::Artifact(error) => error.into(),
            RehearsalError::Record(error) => error.into(),
            RehearsalError::Audit(error) => error.into(),
            RehearsalError::Randomness(error) => error.into(),
            RehearsalError::Exists(_) => plain.hint("name another directory with --out DIR"),
            RehearsalError::Size(_) => Self {
                kind: Kind::Usage,
                ..plain
            },
            RehearsalError::Stopped(_) | RehearsalError::Check(_) => Self {
                kind: Kind::Bug,
                ..plain
            },
            _ => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn exit_codes_are_fixed() {
        let kinds = [
            Kind::Failed,
            Kind::Usage,
            Kind::Waiting,
            Kind::Misbehaviour,
            Kind::Refused,
            Kind::Bug,
        ];
        assert_eq!(kinds.map(Kind::exit_code), [1, 2, 3, 4, 5, 70]);
    }

    #[test]
    fn an_error_names_its_file_and_a_way_out() {
        let error = CommandError::from(CardError::Proof).about(Path::new("a.json"));
        assert!(error.message().starts_with("a.json: the card's proof"));
        let error = CommandError::from(HomeError::NoHome(PathBuf::from("h")));
        assert!(error.hints()[0].contains("identity new"));
        let error = CommandError::from(HomeError::Name("../x".into()));
        assert_eq!(error.kind().exit_code(), 70);
        let problems = vec!["one".to_owned(), "two".to_owned()];
        let error = CommandError::from(PlanError { problems });
        assert_eq!(error.message(), "the plan has 2 problems");
        assert_eq!(error.causes(), ["one", "two"]);
    }
}
