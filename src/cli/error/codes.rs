//! Every error code there is, with its exit code: what scripts and front ends tell errors apart by.
//!
//! A code stays when the words of its message change. docs/errors.md says of each when it comes, what
//! is still safe and what to do; a test holds that page to this list.

use std::fmt;

use super::Kind;

/// A short stable name for what went wrong: kebab-case, from the list below and from nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode {
    name: &'static str,
    kind: Kind,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $kind:ident;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $constant: ErrorCode = ErrorCode { name: $name, kind: Kind::$kind };)*
            /// Every code there is, sorted by kind.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$constant),*];
        }
    };
}

codes! {
    /// A command did not work, for a reason without a code of its own.
    FAILED = "failed", Failed;
    /// A named file or directory does not exist.
    FILE_MISSING = "file-missing", Failed;
    /// Something stands where a file was to be written.
    FILE_EXISTS = "file-exists", Failed;
    /// A file, or a directory's list, is larger than such a one may be.
    FILE_TOO_LARGE = "file-too-large", Failed;
    /// A link, directory or device stands where a regular file is needed.
    FILE_NOT_REGULAR = "file-not-regular", Failed;
    /// A file is not what its kind of file must be.
    FILE_INVALID = "file-invalid", Failed;
    /// A key derivation does not fit into memory.
    MEMORY_SHORT = "memory-short", Failed;
    /// No space is left, or a quota is used up.
    DISK_FULL = "disk-full", Failed;
    /// The file system cannot be written to.
    DISK_READ_ONLY = "disk-read-only", Failed;
    /// The operating system refused something else.
    DISK_FAILED = "disk-failed", Failed;
    /// Standard output took not all that was to be said.
    OUTPUT_FAILED = "output-failed", Failed;
    /// The operating system gave no randomness.
    RANDOMNESS_FAILED = "randomness-failed", Failed;
    /// There is no home.
    HOME_MISSING = "home-missing", Failed;
    /// There is a home already.
    HOME_EXISTS = "home-exists", Failed;
    /// A new home was to stand where it cannot.
    HOME_UNUSABLE = "home-unusable", Failed;
    /// Another process uses the home.
    HOME_IN_USE = "home-in-use", Failed;
    /// A file of the home is not what was written there.
    HOME_DAMAGED = "home-damaged", Failed;
    /// The home is of another version of conclave.
    HOME_VERSION = "home-version", Failed;
    /// The home opens by another kind of key than was given.
    HOME_KEY_KIND = "home-key-kind", Failed;
    /// The passphrase does not open the home.
    WRONG_PASSPHRASE = "wrong-passphrase", Failed;
    /// No key of the identity file opens the home or the backup.
    WRONG_IDENTITY = "wrong-identity", Failed;
    /// An age plugin is not installed.
    PLUGIN_MISSING = "plugin-missing", Failed;
    /// An age plugin gave up.
    PLUGIN_FAILED = "plugin-failed", Failed;
    /// What was given cannot be a passphrase here.
    PASSPHRASE_UNUSABLE = "passphrase-unusable", Failed;
    /// The two typed passphrases differ.
    PASSPHRASES_DIFFER = "passphrases-differ", Failed;
    /// A person answered no.
    DECLINED = "declined", Failed;
    /// An identity is not one.
    IDENTITY_INVALID = "identity-invalid", Failed;
    /// A card is not one, or is not its identity's.
    CARD_INVALID = "card-invalid", Failed;
    /// This home never made the card.
    CARD_UNKNOWN = "card-unknown", Failed;
    /// A plan breaks a rule.
    PLAN_INVALID = "plan-invalid", Failed;
    /// The plan does not name this home's identity.
    NOT_INVITED = "not-invited", Failed;
    /// This home holds no shares of the cluster that a signing plan names.
    CLUSTER_UNKNOWN = "cluster-unknown", Failed;
    /// A policy for signing is not one.
    POLICY_INVALID = "policy-invalid", Failed;
    /// A file of signed messages is not one, or a signature in it does not verify.
    SIGNED_INVALID = "signed-invalid", Failed;
    /// A list of addresses is not one.
    LIST_INVALID = "list-invalid", Failed;
    /// Words are no plan or outcome code.
    CODE_INVALID = "code-invalid", Failed;
    /// This home takes part in no such ceremony.
    CEREMONY_UNKNOWN = "ceremony-unknown", Failed;
    /// Another process is at work in the ceremony.
    CEREMONY_IN_USE = "ceremony-in-use", Failed;
    /// The ceremony was abandoned.
    CEREMONY_ABANDONED = "ceremony-abandoned", Failed;
    /// The ceremony cannot become complete, and nobody is proved wrong.
    CEREMONY_STOPPED = "ceremony-stopped", Failed;
    /// A courier cannot be reached.
    COURIER_UNREACHABLE = "courier-unreachable", Failed;
    /// A courier did not take all messages.
    COURIER_UNDELIVERED = "courier-undelivered", Failed;
    /// A relay cannot serve.
    RELAY_FAILED = "relay-failed", Failed;
    /// A directory of messages belongs to another ceremony, or is full of other files' names.
    FOLDER_CONFLICT = "folder-conflict", Failed;
    /// The operator's files stand elsewhere, or something else stands in their place.
    FILES_CONFLICT = "files-conflict", Failed;
    /// The operator's files could not be made.
    FILES_FAILED = "files-failed", Failed;
    /// A keystore is not one, or does not open.
    KEYSTORE_INVALID = "keystore-invalid", Failed;
    /// A deposit file is not one, or is not right.
    DEPOSIT_INVALID = "deposit-invalid", Failed;
    /// A record is not one.
    RECORD_INVALID = "record-invalid", Failed;
    /// An evidence file is not one, or shows nothing.
    EVIDENCE_INVALID = "evidence-invalid", Failed;
    /// This home holds no shares of the ceremony.
    SHARES_MISSING = "shares-missing", Failed;
    /// A share proof is not one, or does not hold.
    PROOF_INVALID = "proof-invalid", Failed;
    /// A share on paper is not one, or is another cluster's.
    PAPER_WRONG = "paper-wrong", Failed;
    /// A backup of a home or of shares is not one.
    BACKUP_INVALID = "backup-invalid", Failed;
    /// Something is too large to be carried by QR codes.
    QR_TOO_LARGE = "qr-too-large", Failed;
    /// No QR code that can be used was found.
    QR_UNREADABLE = "qr-unreadable", Failed;
    /// What QR codes carried did not pass its checks.
    QR_REFUSED = "qr-refused", Failed;
    /// A file is not the one whose hash a QR code carries.
    QR_HASH_DIFFERS = "qr-hash-differs", Failed;
    /// A camera gives no pictures.
    CAMERA_FAILED = "camera-failed", Failed;
    /// The command was called in a way that cannot work.
    USAGE = "usage", Usage;
    /// Something has to be asked, and nobody can be.
    NO_TERMINAL = "no-terminal", Usage;
    /// A name stands for several ceremonies.
    CEREMONY_AMBIGUOUS = "ceremony-ambiguous", Usage;
    /// Frames of a document are missing.
    QR_INCOMPLETE = "qr-incomplete", Waiting;
    /// Others have to act first.
    WAITING = "waiting", Waiting;
    /// Somebody is proved wrong.
    MISBEHAVIOUR = "misbehaviour", Misbehaviour;
    /// Somebody is proved wrong, beside a ceremony that is complete and right.
    MISBEHAVIOUR_BESIDE = "misbehaviour-beside", Misbehaviour;
    /// It would not have been safe, for a reason without a code of its own.
    REFUSED = "refused", Refused;
    /// The card's secret was destroyed when a ceremony with it was complete.
    SPENT_CARD = "spent-card", Refused;
    /// The plan holds a card with this identity that this home did not make.
    STRANGE_CARD = "strange-card", Refused;
    /// A signing plan says something else of its cluster than this home knows.
    CLUSTER_DIFFERS = "cluster-differs", Refused;
    /// The plan is a rehearsal's.
    REHEARSAL_PLAN = "rehearsal-plan", Refused;
    /// The words that were given are not this plan's code.
    PLAN_CODE_WRONG = "plan-code-wrong", Refused;
    /// The plan has too many addresses to be compared without a list.
    LIST_NEEDED = "list-needed", Refused;
    /// The plan's addresses are not those of the list.
    ADDRESSES_DIFFER = "addresses-differ", Refused;
    /// The name that was given is not the ceremony's.
    NAME_WRONG = "name-wrong", Refused;
    /// The ceremony has not ended.
    CEREMONY_OPEN = "ceremony-open", Refused;
    /// The home was restored, and may have said more than it remembers.
    HOME_RESTORED = "home-restored", Refused;
    /// A backup of shares is not for this home, or nothing may come back from it.
    BACKUP_REFUSED = "backup-refused", Refused;
    /// Keystores are not one operator's shares of the cluster, or the vault holds other shares of its keys.
    IMPORT_REFUSED = "import-refused", Refused;
    /// What stands in the home excludes what was asked for, for ever.
    CEREMONY_CLOSED = "ceremony-closed", Refused;
    /// This operator said something else before: another copy of the home is in use.
    HOME_COPIED = "home-copied", Refused;
    /// A mistake in this program.
    BUG = "bug", Bug;
}

impl ErrorCode {
    /// The code as scripts see it.
    pub const fn as_str(self) -> &'static str {
        self.name
    }

    /// The kind of end that it stands for, and with it the exit code.
    pub const fn kind(self) -> Kind {
        self.kind
    }

    /// The code for a reason without one of its own.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Failed => Self::FAILED,
            Kind::Usage => Self::USAGE,
            Kind::Waiting => Self::WAITING,
            Kind::Misbehaviour => Self::MISBEHAVIOUR,
            Kind::Refused => Self::REFUSED,
            Kind::Bug => Self::BUG,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_short_and_kebab_case() {
        for (position, code) in ErrorCode::ALL.iter().enumerate() {
            let name = code.as_str();
            let parts: Vec<&str> = name.split('-').collect();
            let word = |part: &&str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase())
            };
            assert!(parts.iter().all(word) && name.len() <= 24, "{name}");
            let again = ErrorCode::ALL.iter().skip(position + 1);
            assert!(again.clone().all(|other| other.as_str() != name), "{name}");
            assert!(
                again
                    .clone()
                    .all(|other| other.kind().exit_code() >= code.kind().exit_code()),
                "{name}"
            );
        }
    }

    /// docs/errors.md has a section `## exit code …` for each kind and in it a `### code` for each code.
    #[test]
    fn the_page_of_errors_lists_exactly_these_codes() {
        let page = include_str!("../../../docs/errors.md");
        let mut exit_code = None;
        let mut listed = Vec::new();
        for line in page.lines() {
            if let Some(title) = line.strip_prefix("## ") {
                exit_code = title
                    .strip_prefix("Exit code ")
                    .and_then(|rest| rest.split(':').next()?.parse::<u8>().ok());
            } else if let Some(code) = line.strip_prefix("### ") {
                listed.push((exit_code, code.trim_matches('`')));
            }
        }
        let codes: Vec<(Option<u8>, &str)> = ErrorCode::ALL
            .iter()
            .map(|code| (Some(code.kind().exit_code()), code.as_str()))
            .collect();
        assert_eq!(listed, codes);
        // Of each: when, what is still safe, what to do.
        for section in page.split("\n### ").skip(1) {
            let section = section.split("\n## ").next().unwrap_or_default();
            let name = section.lines().next().unwrap_or_default();
            for part in ["\nWhen: ", "\nStill safe: ", "\nDo: "] {
                assert_eq!(section.matches(part).count(), 1, "{name}: {part}");
            }
        }
    }
}
