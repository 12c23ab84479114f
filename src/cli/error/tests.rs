//! The words of every error a person can meet, one golden file: tests/cli/errors.txt.
//!
//! A failure prints what it is to hold. Every code stands in it, and every message is held to the house
//! style: lower case, no final period, no colour, short hints.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::ambient::{Randomness, RandomnessError};
use crate::artifacts::ArtifactError;
use crate::artifacts::record::RecordError;
use crate::ceremony::MessagesError;
use crate::ceremony::evidence::EvidenceError;
use crate::ceremony::imported::ImportedError;
use crate::ceremony::paper::PaperError;
use crate::ceremony::plan::PlanError;
use crate::ceremony::share_proof::ShareProofError;
use crate::ceremony::step::SessionError;
use crate::cli::ui::Ui;
use crate::courier::{BoardError, CourierError, Moved};
use crate::crypto::identity::{IdentityError, IdentityKey, IdentityPublic};
use crate::ethereum::deposit::DepositFileError;
use crate::ethereum::keystore::{Capacity, CapacityError, KeystoreError};
use crate::hash::Digest;
use crate::json::{Hex, JsonError};
use crate::rehearsal::RehearsalError;
use crate::secret::{PassphraseError, Secret};
use crate::store::backup::BackupError;
use crate::store::cluster::ClusterError;
use crate::store::disk::{self, DiskError};
use crate::store::folder::FolderError;
use crate::store::home::HomeError;
use crate::store::imported::ImportError;
use crate::store::seat::SeatError;
use crate::store::share_backup::ShareBackupError;
use crate::store::vault::{Marker, VaultError};
use crate::store::wrap::WrapError;
use crate::wire::card::CardError;
use crate::wire::code::CodeError;
use crate::wire::envelope;

fn file() -> PathBuf {
    PathBuf::from("/media/stick/file")
}

fn home() -> PathBuf {
    PathBuf::from("/home/ana/home")
}

fn identity(byte: u8) -> IdentityPublic {
    IdentityKey::from_seed(&Secret::new([byte; 32])).public()
}

fn no_randomness() -> RandomnessError {
    struct Broken;
    impl Randomness for Broken {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), RandomnessError> {
            Err(RandomnessError::new("the entropy device is gone"))
        }
    }
    Broken.fill(&mut [0]).unwrap_err()
}

fn from_modules() -> Vec<CommandError> {
    let cid = Digest::from_bytes([0xab; 32]);
    vec![
        DiskError::NotFound(file()).into(),
        DiskError::AlreadyExists(file()).into(),
        DiskError::Differs(file()).into(),
        DiskError::ReadOnly(file()).into(),
        DiskError::Full(file()).into(),
        DiskError::TooLarge {
            path: file(),
            actual: 9_000_000,
            limit: 1_000_000,
        }
        .into(),
        DiskError::TooMany(file()).into(),
        DiskError::NotRegular {
            path: file(),
            kind: disk::Kind::Symlink,
        }
        .into(),
        DiskError::Locked(home()).into(),
        DiskError::Other {
            action: "read",
            path: file(),
            reason: "input/output error".to_owned(),
        }
        .into(),
        HomeError::NoHome(home()).into(),
        HomeError::Exists {
            root: home(),
            identity: "conclave1ana".to_owned(),
        }
        .into(),
        HomeError::Occupied(home()).into(),
        HomeError::Nameless("..".into()).into(),
        HomeError::Name("../x".to_owned()).into(),
        HomeError::Malformed {
            path: home().join("home.json"),
            reason: "is not valid: EOF".to_owned(),
        }
        .into(),
        HomeError::WrongPassphrase(home()).into(),
        HomeError::Version {
            root: home(),
            version: 9,
        }
        .into(),
        HomeError::WrongIdentity {
            root: home(),
            recipient: "age1ana".to_owned(),
        }
        .into(),
        HomeError::Sealed {
            path: home().join("home-key.age"),
            reason: WrapError::NoPlugin("age-plugin-key".to_owned()),
        }
        .into(),
        HomeError::Sealed {
            path: home().join("home-key.age"),
            reason: WrapError::Plugin("nobody touched the key".to_owned()),
        }
        .into(),
        HomeError::CeremonyBusy(home()).into(),
        BackupError::Malformed("it holds ../x".to_owned()).into(),
        BackupError::Version(9).into(),
        BackupError::TooLarge.into(),
        ShareBackupError::NoShares(cid).into(),
        ShareBackupError::TooLarge.into(),
        CommandError::from(ShareBackupError::Malformed(
            "it holds no plan.json".to_owned(),
        ))
        .about(&file()),
        CommandError::from(ShareBackupError::Version(9)).about(&file()),
        CommandError::from(ShareBackupError::OtherIdentity {
            backup: identity(1),
            home: identity(2),
        })
        .about(&file()),
        CommandError::from(ShareBackupError::OtherShares(cid)).about(&file()),
        CommandError::from(ShareBackupError::Unconfirmed(cid)).about(&file()),
        ImportError::OtherShares(cid).into(),
        ImportError::OtherEpoch {
            key: Hex([0xab; 48]),
            cid,
        }
        .into(),
        ShareBackupError::Import(ImportError::Standing {
            key: Hex([0xab; 48]),
            cid,
        })
        .into(),
        ImportError::Differs("other keys").into(),
        ImportError::Damaged {
            path: file(),
            reason: ImportedError::Facts("it has no validator"),
        }
        .into(),
        CommandError::from(PaperError::Unlocated),
        CommandError::from(PaperError::NoValidator(7)),
        CommandError::from(ShareProofError::Signature).about(&file()),
        CommandError::from(ShareProofError::Time),
        HomeError::Spent(home().join("cards/aa")).into(),
        HomeError::NoCard(home().join("cards/aa")).into(),
        PlanError {
            problems: vec!["the plan has no validator".to_owned()],
        }
        .into(),
        PlanError {
            problems: vec!["one thing".to_owned(), "another".to_owned()],
        }
        .into(),
        CommandError::from(CardError::Proof).about(&file()),
        CommandError::from(CardError::Signature).about(&file()),
        CommandError::from(IdentityError::Prefix).about(&file()),
        CommandError::from(JsonError::NotCanonical),
        CommandError::from(KeystoreError::Checksum).about(&file()),
        CommandError::from(DepositFileError::Empty).about(&file()),
        CommandError::from(PassphraseError::Empty).about(&file()),
        CodeError::Count(7).into(),
        no_randomness().into(),
        FolderError::OtherCeremony(file()).into(),
        FolderError::NamesTaken(file()).into(),
        FolderError::TooLarge(9_000_000).into(),
        VaultError::Excluded {
            cid,
            standing: Marker::Confirmed,
            wanted: Marker::Abandoned,
        }
        .into(),
        VaultError::SaidDifferently(home().join("own/1-ana-deal.json")).into(),
        SeatError::NotInvited.into(),
        SeatError::StrangeCard.into(),
        SeatError::SpentCard.into(),
        SeatError::from(ClusterError::Unknown(cid)).into(),
        SeatError::from(ClusterError::Incomplete(cid)).into(),
        SeatError::from(ClusterError::Differs {
            cid,
            what: "roster",
        })
        .into(),
        SeatError::OtherShares(cid).into(),
        SessionError::Changed("1-ana-deal.json".to_owned()).into(),
        SessionError::Messages(MessagesError("the board is gone".to_owned())).into(),
        SessionError::SpentCard.into(),
        SessionError::Conflict {
            kind: envelope::Kind::Deal,
        }
        .into(),
        CourierError::Unreachable {
            courier: "folder /media/stick".to_owned(),
            reason: "/media/stick does not exist".to_owned(),
        }
        .into(),
        CourierError::Undelivered {
            courier: "folder /media/stick".to_owned(),
            unsent: 2,
            reason: "the disk is full".to_owned(),
            moved: Moved::default(),
        }
        .into(),
        CourierError::SaidDifferently {
            courier: "relay https://relay.example".to_owned(),
            label: "1-deal-1-alice.json".to_owned(),
        }
        .into(),
        CourierError::Board(BoardError("cannot read the board".to_owned())).into(),
        EvidenceError::TooLarge.into(),
        EvidenceError::Version(7).into(),
        RecordError::Disk(DiskError::NotFound(file())).into(),
        RecordError::Outcomes {
            path: file(),
            first: "a.outcome.json".to_owned(),
            second: "b.outcome.json".to_owned(),
        }
        .into(),
        ArtifactError::Occupied {
            path: file(),
            why: "cluster.json differs".to_owned(),
        }
        .into(),
        ArtifactError::InTheWay(file()).into(),
        ArtifactError::ReadBack {
            path: file(),
            why: "differs".to_owned(),
        }
        .into(),
        ArtifactError::Capacity(CapacityError::Memory {
            needed: 256 << 20,
            capacity: Capacity::free(4, Some(180 << 20)),
        })
        .into(),
        ArtifactError::Capacity(CapacityError::Threads("try again later".to_owned())).into(),
        RehearsalError::IsRehearsal.into(),
        RehearsalError::Exists(file()).into(),
        RehearsalError::Check("a signature is wrong").into(),
    ]
}

/// What commands say themselves, as the binary printed it (tests/it/errors.rs).
const PRINTED: &[&str] = &[
    include_str!("../../../tests/cli/errors/calls.txt"),
    include_str!("../../../tests/cli/errors/ceremonies.txt"),
    include_str!("../../../tests/cli/errors/codes.txt"),
    include_str!("../../../tests/cli/errors/files.txt"),
    include_str!("../../../tests/cli/errors/homes.txt"),
    include_str!("../../../tests/cli/errors/relays.txt"),
];

/// Codes that need a person at a terminal, a camera or a broken output; tests/it/errors.rs reads them there. The
/// last is the default of a kind that every command refines.
const NOT_IN_A_GOLDEN: &[ErrorCode] = &[
    ErrorCode::DECLINED,
    ErrorCode::POLICY_INVALID,
    ErrorCode::SIGNED_INVALID,
    ErrorCode::PASSPHRASES_DIFFER,
    ErrorCode::OUTPUT_FAILED,
    ErrorCode::CAMERA_FAILED,
    ErrorCode::HOME_RESTORED,
    ErrorCode::REFUSED,
];

#[test]
fn the_words_of_errors_are_what_they_were() {
    let mut text = String::new();
    for error in from_modules() {
        let message = error.message();
        let first = message.chars().next().unwrap();
        assert!(
            !first.is_uppercase() && !message.ends_with('.'),
            "{message}"
        );
        assert!(!message.contains("error:"), "{message}");
        for hint in error.hints() {
            assert!(!hint.ends_with('.') && hint.len() < 140, "{hint}");
        }
        text.push_str(&format!(
            "{}exit: {}\n\n",
            Ui::words(&error),
            error.kind().exit_code()
        ));
    }
    assert!(!text.contains('\u{1b}'));
    let golden = include_str!("../../../tests/cli/errors.txt");
    assert_eq!(
        text, golden,
        "tests/cli/errors.txt differs; it is to be:\n{text}"
    );
}

#[test]
fn every_code_has_its_words() {
    let modules = from_modules();
    let mut seen: BTreeSet<&str> = modules
        .iter()
        .map(|error| error.error_code().as_str())
        .collect();
    for line in PRINTED.iter().flat_map(|text| text.lines()) {
        let line = line.strip_prefix("stderr: ").unwrap_or(line);
        seen.extend(line.strip_prefix("code: "));
    }
    for code in NOT_IN_A_GOLDEN {
        assert!(seen.insert(code.as_str()), "{} has a golden", code.as_str());
    }
    let all: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(seen, all);
}

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
    for kind in kinds {
        assert_eq!(CommandError::new(kind, "x").kind(), kind);
    }
}

#[test]
fn a_code_decides_the_exit_code() {
    let error = CommandError::failed("x").code(ErrorCode::SPENT_CARD);
    assert_eq!(error.kind(), Kind::Refused);
    let report = serde_json::to_value(error.cause("a").hint("b").report()).unwrap();
    let expected = serde_json::json!({
        "code": "spent-card", "exit_code": 5, "message": "x", "causes": ["a"], "hints": ["b"],
    });
    assert_eq!(report, expected);
}
