//! What each module's error means to a person: its code, and what to do about it.

use std::fmt::Display;

use super::{CommandError, ErrorCode};
use crate::ambient::RandomnessError;
use crate::artifacts::ArtifactError;
use crate::artifacts::record::RecordError;
use crate::audit::AuditError;
use crate::ceremony::evidence::EvidenceError;
use crate::ceremony::outcome::OutcomeCodeError;
use crate::ceremony::paper::PaperError;
use crate::ceremony::plan::PlanError;
use crate::ceremony::share_proof::ShareProofError;
use crate::ceremony::step::SessionError;
use crate::courier::CourierError;
use crate::crypto::identity::IdentityError;
use crate::driver::DriverError;
use crate::ethereum::deposit::DepositFileError;
use crate::ethereum::keystore::{CapacityError, KeystoreError};
use crate::json::JsonError;
use crate::rehearsal::RehearsalError;
use crate::secret::PassphraseError;
use crate::store::backup::BackupError;
use crate::store::cluster::ClusterError;
use crate::store::disk::DiskError;
use crate::store::folder::FolderError;
use crate::store::home::HomeError;
use crate::store::imported::ImportError;
use crate::store::seat::SeatError;
use crate::store::share_backup::ShareBackupError;
use crate::store::vault::VaultError;
use crate::store::wrap::WrapError;
use crate::wire::card::CardError;
use crate::wire::code::CodeError;

fn coded(code: ErrorCode, error: &dyn Display) -> CommandError {
    CommandError::of(code, error.to_string())
}

impl From<DiskError> for CommandError {
    fn from(error: DiskError) -> Self {
        let coded = |code| coded(code, &error);
        match &error {
            DiskError::NotFound(_) => coded(ErrorCode::FILE_MISSING),
            DiskError::AlreadyExists(_) | DiskError::Differs(_) => coded(ErrorCode::FILE_EXISTS),
            DiskError::ReadOnly(_) => coded(ErrorCode::DISK_READ_ONLY)
                .hint("make it writable, or name a place elsewhere, then give the command again"),
            DiskError::Full(_) => {
                coded(ErrorCode::DISK_FULL).hint("make room, then give the command again")
            }
            DiskError::TooLarge { .. } | DiskError::TooMany(_) => coded(ErrorCode::FILE_TOO_LARGE),
            DiskError::NotRegular { .. } => coded(ErrorCode::FILE_NOT_REGULAR)
                .hint("name the file itself; links, directories and devices are never followed"),
            DiskError::Locked(_) => coded(ErrorCode::HOME_IN_USE)
                .hint("wait until it ends, then give the command again"),
            DiskError::Other { .. } => coded(ErrorCode::DISK_FAILED),
        }
    }
}

/// What to do about an age plugin that is missing or gave up.
pub(in crate::cli) fn plugin(error: CommandError, reason: &WrapError) -> CommandError {
    match reason {
        WrapError::NoPlugin(program) => error.code(ErrorCode::PLUGIN_MISSING).hint(format!(
            "install the age plugin {program} on this machine, so that the PATH finds it"
        )),
        _ => error
            .code(ErrorCode::PLUGIN_FAILED)
            .hint("do what the plugin asks for, then give the command again"),
    }
}

impl From<HomeError> for CommandError {
    fn from(error: HomeError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            HomeError::Disk(error) => error.into(),
            HomeError::NoHome(_) => coded(ErrorCode::HOME_MISSING).hint(
                "make one with `conclave identity new`, or name the one you have with --home DIR",
            ),
            HomeError::Exists { .. } => coded(ErrorCode::HOME_EXISTS)
                .hint("show its identity with `conclave identity show`")
                .hint("for a second identity, name another folder with --home DIR"),
            HomeError::Spent(_) => {
                coded(ErrorCode::SPENT_CARD).hint("`conclave card --name NAME` makes a new card")
            }
            HomeError::Occupied(_) | HomeError::Nameless(_) => {
                coded(ErrorCode::HOME_UNUSABLE).hint("name another folder with --home DIR")
            }
            HomeError::Name(_) => coded(ErrorCode::BUG),
            HomeError::Sealed {
                reason: ref reason @ (WrapError::NoPlugin(_) | WrapError::Plugin(_)),
                ..
            } => plugin(coded(ErrorCode::PLUGIN_FAILED), reason),
            HomeError::Sealed { .. } | HomeError::Malformed { .. } => coded(
                ErrorCode::HOME_DAMAGED,
            )
            .hint("restore the home from its backup; no command changes what it cannot read"),
            HomeError::WrongIdentity { .. } => coded(ErrorCode::WRONG_IDENTITY)
                .hint("name the identity file that belongs to that recipient: --unlock FILE"),
            HomeError::CeremonyBusy(_) => coded(ErrorCode::CEREMONY_IN_USE)
                .hint("wait until it ends; other ceremonies of this home can be run meanwhile"),
            HomeError::WrongPassphrase(_) => coded(ErrorCode::WRONG_PASSPHRASE)
                .hint("try again; mind the keyboard's layout and Caps Lock: nothing counts tries"),
            HomeError::Version { .. } => coded(ErrorCode::HOME_VERSION),
            HomeError::NoCard(_) => coded(ErrorCode::CARD_UNKNOWN),
        }
    }
}

impl From<BackupError> for CommandError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Home(error) => error.into(),
            BackupError::Vault(error) => error.into(),
            BackupError::TooLarge => coded(ErrorCode::FAILED, &error),
            BackupError::Malformed(_) => coded(ErrorCode::BACKUP_INVALID, &error)
                .hint("take another copy of the backup; nothing of this one was used"),
            BackupError::Version(_) => coded(ErrorCode::BACKUP_INVALID, &error)
                .hint("restore it with the conclave that made it"),
        }
    }
}

impl From<ShareBackupError> for CommandError {
    fn from(error: ShareBackupError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            ShareBackupError::Home(error) => error.into(),
            ShareBackupError::Vault(error) => error.into(),
            ShareBackupError::Folder(error) => error.into(),
            ShareBackupError::Import(error) => error.into(),
            ShareBackupError::Shares(_) => coded(ErrorCode::HOME_DAMAGED),
            ShareBackupError::NoShares(_) => coded(ErrorCode::SHARES_MISSING)
                .hint("`conclave share list` shows what there is; `conclave share restore` brings shares back"),
            ShareBackupError::TooLarge => coded(ErrorCode::FAILED),
            ShareBackupError::Malformed(_) => coded(ErrorCode::BACKUP_INVALID)
                .hint("take another copy of the backup; nothing of this one was used"),
            ShareBackupError::Version(_) => coded(ErrorCode::BACKUP_INVALID)
                .hint("open it with the conclave that made it"),
            ShareBackupError::OtherIdentity { .. } => coded(ErrorCode::BACKUP_REFUSED)
                .hint("name the home of that identity with --home DIR"),
            ShareBackupError::OtherShares(_) => coded(ErrorCode::BACKUP_REFUSED)
                .hint("find out which of the two is used; neither is thrown away by conclave"),
            ShareBackupError::Unconfirmed(_) => coded(ErrorCode::BACKUP_REFUSED)
                .hint("name the record, which every operator and auditor has: conclave share restore FILE --record DIR")
                .hint("in a home that still takes part, give `conclave run` again"),
        }
    }
}

impl From<ImportError> for CommandError {
    fn from(error: ImportError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            ImportError::Home(error) => error.into(),
            ImportError::Vault(error) => error.into(),
            ImportError::Shares(_) | ImportError::Damaged { .. } => coded(ErrorCode::HOME_DAMAGED),
            ImportError::Differs(_) => coded(ErrorCode::IMPORT_REFUSED),
            ImportError::OtherShares(_) => coded(ErrorCode::IMPORT_REFUSED)
                .hint("name the home of the other operator with --home DIR"),
            ImportError::OtherEpoch { .. } => coded(ErrorCode::IMPORT_REFUSED).hint(
                "find out which of the two is the cluster's last: while both are used, the validator can sign twice and be slashed",
            ),
            ImportError::Standing { .. } => coded(ErrorCode::IMPORT_REFUSED)
                .hint("`conclave share list` shows it; there is nothing to import"),
        }
    }
}

impl From<PaperError> for CommandError {
    fn from(error: PaperError) -> Self {
        match error {
            PaperError::NoValidator(_) | PaperError::TooLarge { .. } => {
                coded(ErrorCode::USAGE, &error)
            }
            error => coded(ErrorCode::PAPER_WRONG, &error),
        }
    }
}

impl From<ShareProofError> for CommandError {
    fn from(error: ShareProofError) -> Self {
        match error {
            ShareProofError::Secret => coded(ErrorCode::BUG, &error),
            error => coded(ErrorCode::PROOF_INVALID, &error),
        }
    }
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> Self {
        match error.problems.as_slice() {
            [one] => Self::of(ErrorCode::PLAN_INVALID, one),
            several => {
                let count = several.len();
                let message = format!("the plan has {count} problems");
                // Its text is cut to a length that a person reads.
                error
                    .to_string()
                    .lines()
                    .fold(Self::of(ErrorCode::PLAN_INVALID, message), Self::cause)
            }
        }
    }
}

impl From<KeystoreError> for CommandError {
    fn from(error: KeystoreError) -> Self {
        match error {
            KeystoreError::Randomness(error) => error.into(),
            error => coded(ErrorCode::KEYSTORE_INVALID, &error),
        }
    }
}

impl From<CapacityError> for CommandError {
    fn from(error: CapacityError) -> Self {
        memory(&error, &error)
    }
}

/// What to do about too little memory; `said` is the error with all that is said of it.
fn memory(said: &dyn Display, error: &CapacityError) -> CommandError {
    match error {
        CapacityError::Memory { needed, .. } => coded(ErrorCode::MEMORY_SHORT, said)
            .hint("close other programs, then give the same command again")
            .hint(format!(
                "--keystore-memory {}MiB tries it all the same",
                needed.div_ceil(1 << 20)
            )),
        CapacityError::Threads(_) => coded(ErrorCode::FAILED, said),
    }
}

impl From<DepositFileError> for CommandError {
    fn from(error: DepositFileError) -> Self {
        coded(ErrorCode::DEPOSIT_INVALID, &error)
    }
}

impl From<CardError> for CommandError {
    fn from(error: CardError) -> Self {
        coded(ErrorCode::CARD_INVALID, &error)
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
        coded(ErrorCode::CODE_INVALID, &error)
    }
}

impl From<JsonError> for CommandError {
    fn from(error: JsonError) -> Self {
        Self::of(ErrorCode::FILE_INVALID, format!("the file {error}"))
    }
}

impl From<IdentityError> for CommandError {
    fn from(error: IdentityError) -> Self {
        coded(ErrorCode::IDENTITY_INVALID, &error)
    }
}

impl From<PassphraseError> for CommandError {
    fn from(error: PassphraseError) -> Self {
        coded(ErrorCode::PASSPHRASE_UNUSABLE, &error)
    }
}

impl From<RandomnessError> for CommandError {
    fn from(error: RandomnessError) -> Self {
        coded(ErrorCode::RANDOMNESS_FAILED, &error)
            .hint("nothing was made; do not go on with this machine")
    }
}

impl From<FolderError> for CommandError {
    fn from(error: FolderError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            FolderError::Disk(error) => error.into(),
            FolderError::OtherCeremony(_) | FolderError::NamesTaken(_) => {
                coded(ErrorCode::FOLDER_CONFLICT)
            }
            FolderError::TooLarge(_) => coded(ErrorCode::FILE_TOO_LARGE),
        }
    }
}

impl From<VaultError> for CommandError {
    fn from(error: VaultError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            VaultError::Home(error) => error.into(),
            VaultError::Folder(error) => error.into(),
            VaultError::TooLarge { .. } => coded(ErrorCode::FILE_TOO_LARGE),
            VaultError::Excluded { .. } => coded(ErrorCode::CEREMONY_CLOSED),
            VaultError::SaidDifferently(_) => coded(ErrorCode::HOME_COPIED),
        }
    }
}

impl From<SeatError> for CommandError {
    fn from(error: SeatError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            SeatError::Home(error) => error.into(),
            SeatError::Vault(error) => error.into(),
            SeatError::Folder(error) => error.into(),
            SeatError::Session(error) => error.into(),
            SeatError::Randomness(error) => error.into(),
            SeatError::Cluster(error) => error.into(),
            SeatError::NotInvited => coded(ErrorCode::NOT_INVITED).hint(
                "give the organiser your card (`conclave card`), or name another home with --home DIR",
            ),
            SeatError::StrangeCard => coded(ErrorCode::STRANGE_CARD)
                .hint("`conclave card --name NAME` makes a new card"),
            SeatError::SpentCard => coded(ErrorCode::SPENT_CARD)
                .hint("`conclave card --name NAME` makes a new card"),
            SeatError::Shares(_) | SeatError::OtherShares(_) | SeatError::Own { .. } => {
                coded(ErrorCode::HOME_DAMAGED)
            }
        }
    }
}

impl From<ClusterError> for CommandError {
    fn from(error: ClusterError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            ClusterError::Home(error) => error.into(),
            ClusterError::Vault(error) => error.into(),
            ClusterError::Unknown(_) | ClusterError::Incomplete(_) => {
                coded(ErrorCode::CLUSTER_UNKNOWN)
                    .hint("`conclave ceremony list` shows the ceremonies of this home; name another home with --home DIR")
            }
            ClusterError::Differs { .. } => coded(ErrorCode::CLUSTER_DIFFERS)
                .hint("do not sign it; ask whoever made the plan which cluster it was made from"),
            ClusterError::Import(error) => error.into(),
            ClusterError::Damaged { .. } => coded(ErrorCode::HOME_DAMAGED),
        }
    }
}

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            SessionError::Conflict { .. } => coded(ErrorCode::HOME_COPIED)
                .hint("never use copies of one home; go on with the home that sent it"),
            SessionError::SpentCard => coded(ErrorCode::SPENT_CARD),
            SessionError::NoShares => coded(ErrorCode::CLUSTER_UNKNOWN),
            SessionError::OtherCluster(_) => coded(ErrorCode::CLUSTER_DIFFERS),
            SessionError::NotAnOperator => coded(ErrorCode::NOT_INVITED),
            SessionError::Messages(_) | SessionError::Changed(_) => coded(ErrorCode::DISK_FAILED),
            SessionError::Evidence(error) => error.into(),
            SessionError::Json(error) => error.into(),
            SessionError::Protocol(_) | SessionError::Envelope(_) => coded(ErrorCode::BUG),
        }
    }
}

impl From<CourierError> for CommandError {
    fn from(error: CourierError) -> Self {
        let code = match error {
            CourierError::Unreachable { .. } => ErrorCode::COURIER_UNREACHABLE,
            CourierError::Undelivered { .. } => ErrorCode::COURIER_UNDELIVERED,
            CourierError::SaidDifferently { .. } => ErrorCode::HOME_COPIED,
            CourierError::Board(_) => ErrorCode::DISK_FAILED,
        };
        let copied = matches!(error, CourierError::SaidDifferently { .. });
        let told = coded(code, &error);
        match copied {
            true => told.hint(
                "find the copy before anything else, and go on with the home that sent first",
            ),
            false => told,
        }
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
        let code = match error {
            EvidenceError::Messages(_) => ErrorCode::DISK_FAILED,
            _ => ErrorCode::EVIDENCE_INVALID,
        };
        coded(code, &error)
    }
}

impl From<RecordError> for CommandError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Disk(error @ DiskError::NotFound(_)) => {
                Self::from(error).hint("name a directory that holds plan.json, or an evidence file")
            }
            RecordError::Disk(error) => error.into(),
            RecordError::Outcomes { .. } => coded(ErrorCode::RECORD_INVALID, &error),
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
        let conflict = || coded(ErrorCode::FILES_CONFLICT, &error);
        match error {
            ArtifactError::Disk(error) => error.into(),
            ArtifactError::Capacity(ref reason) => memory(&error, reason),
            ArtifactError::Occupied { .. } | ArtifactError::Name(_) => {
                conflict().hint("name another directory with --out DIR")
            }
            ArtifactError::InTheWay(_) => {
                conflict().hint("the same command again starts afresh; the shares are in the vault")
            }
            error => coded(ErrorCode::FILES_FAILED, &error)
                .hint("the same command again starts afresh; the shares are in the vault"),
        }
    }
}

impl From<RehearsalError> for CommandError {
    fn from(error: RehearsalError) -> Self {
        let coded = |code| coded(code, &error);
        match error {
            RehearsalError::Disk(error) => error.into(),
            RehearsalError::Home(error) => error.into(),
            RehearsalError::Vault(error) => error.into(),
            RehearsalError::Backup(error) => error.into(),
            RehearsalError::Sealed(_) => coded(ErrorCode::BACKUP_INVALID),
            RehearsalError::Seat(error) => error.into(),
            RehearsalError::Driver(error) => error.into(),
            RehearsalError::Artifact(error) => error.into(),
            RehearsalError::Capacity(error) => error.into(),
            RehearsalError::Record(error) => error.into(),
            RehearsalError::Audit(error) => error.into(),
            RehearsalError::Randomness(error) => error.into(),
            RehearsalError::Json(error) => error.into(),
            RehearsalError::Codes(error) => error.into(),
            RehearsalError::Card(error) => error.into(),
            RehearsalError::Exists(_) => {
                coded(ErrorCode::FILE_EXISTS).hint("name another directory with --out DIR")
            }
            RehearsalError::IsRehearsal => coded(ErrorCode::REHEARSAL_PLAN),
            RehearsalError::Plan(_) => coded(ErrorCode::PLAN_INVALID),
            RehearsalError::Index(_) | RehearsalError::Size(_) | RehearsalError::Kind(_) => {
                coded(ErrorCode::USAGE)
            }
            RehearsalError::Keystore { .. } | RehearsalError::Passphrase { .. } => {
                coded(ErrorCode::FILES_FAILED)
            }
            RehearsalError::Stopped(_) | RehearsalError::Check(_) => coded(ErrorCode::BUG),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

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
