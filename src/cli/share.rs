//! `share`: looking after the shares in the vault.

use std::path::Path;

use clap::Subcommand;

use super::Context;
use super::error::CommandError;
use super::values::utc;
use crate::ceremony::plan::Plan;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::home::{Home, HomeError};
use crate::store::share_backup::ShareBackupError;
use crate::store::upkeep::{Done, Note, Upkeep};
use crate::store::vault::{Glance, Marker, Vault};

mod backup;
mod check_backup;
mod check_paper;
mod check_proof;
mod holding;
mod import;
mod list;
mod paper;
mod paper_lines;
mod prove;
mod public;
mod restore;
mod restore_paper;
mod show;

pub(super) use holding::imports;
pub(super) use public::{cluster, imported_file};

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum ShareCommand {
    List(list::Args),
    Show(show::Args),
    Prove(prove::Args),
    CheckProof(check_proof::Args),
    Backup(backup::Args),
    CheckBackup(check_backup::Args),
    Restore(restore::Args),
    Import(import::Args),
    Paper(paper::Args),
    CheckPaper(check_paper::Args),
    RestorePaper(restore_paper::Args),
}

impl ShareCommand {
    /// Whether memory holds shares while it runs.
    pub(super) const fn works_on_secrets(&self) -> bool {
        !matches!(self, Self::List(_) | Self::CheckProof(_))
    }
}

pub(super) fn run(command: &ShareCommand, cx: &mut Context) -> Result<(), CommandError> {
    match command {
        ShareCommand::List(args) => list::run(args, cx),
        ShareCommand::Show(args) => show::run(args, cx),
        ShareCommand::Prove(args) => prove::run(args, cx),
        ShareCommand::CheckProof(args) => check_proof::run(args, cx),
        ShareCommand::Backup(args) => backup::run(args, cx),
        ShareCommand::CheckBackup(args) => check_backup::run(args, cx),
        ShareCommand::Restore(args) => restore::run(args, cx),
        ShareCommand::Import(args) => import::run(args, cx),
        ShareCommand::Paper(args) => paper::run(args, cx),
        ShareCommand::CheckPaper(args) => check_paper::run(args, cx),
        ShareCommand::RestorePaper(args) => restore_paper::run(args, cx),
    }
}

/// Where shares stand, as the home's markers and its vault say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The ceremony is complete: the shares are a key's.
    Complete,
    /// This operator confirmed, and it is not complete here: others may be complete with it.
    Pending,
    /// Stored, and the plan requires a checked backup before the confirm.
    AwaitsBackup,
    /// Stored, and nothing was confirmed.
    Unconfirmed,
    /// Stored, and this operator abandoned the ceremony or complained.
    Abandoned,
    /// The cluster was made elsewhere, and the shares were taken in.
    Imported,
    /// The markers say that there are shares, and the vault has none.
    Missing,
    /// The ceremony's plan, or the imported cluster's description, cannot be read.
    Unreadable,
}

impl State {
    fn of(glance: &Glance, plan: &Plan, stored: bool) -> Self {
        let has = |marker| glance.markers.contains(&marker);
        if !stored {
            Self::Missing
        } else if has(Marker::Complete) || has(Marker::Artifacts) {
            Self::Complete
        } else if has(Marker::Confirmed) {
            Self::Pending
        } else if has(Marker::Abandoned) {
            Self::Abandoned
        } else if plan.requires_backups() && !glance.backed_up && !has(Marker::Ended) {
            Self::AwaitsBackup
        } else {
            Self::Unconfirmed
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Pending => "pending: you confirmed, and it is not complete here",
            Self::AwaitsBackup => {
                "waits for your checked backup: the plan requires one before you confirm"
            }
            Self::Unconfirmed => "not confirmed: no key rests on them",
            Self::Abandoned => "abandoned: no key rests on them",
            Self::Imported => "imported: made elsewhere",
            Self::Missing => "MISSING: the vault does not hold them any more",
            Self::Unreadable => "its plan or description cannot be read",
        }
    }
}

/// What was last done for shares.
#[derive(Debug, Clone, Default, serde::Serialize)]
struct Care {
    #[serde(skip_serializing_if = "Option::is_none")]
    proved: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_checked: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paper_checked: Option<Time>,
}

/// When it was, and of which file.
#[derive(Debug, Clone, serde::Serialize)]
struct Time {
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<Text>,
    sha256: Digest,
}

impl Time {
    fn of(note: &Note) -> Self {
        Self {
            at: note.at,
            challenge: note.challenge.clone(),
            sha256: note.sha256,
        }
    }
}

impl Care {
    /// Reads the notes in the directory of a ceremony or imported cluster; what cannot be read of them
    /// is told.
    fn of(cid: &Digest, directory: &Path, cx: &mut Context) -> Result<Self, CommandError> {
        let upkeep = Upkeep::at(&*cx.disk, directory)?;
        for name in upkeep.unreadable() {
            cx.ui.warn(format!(
                "{}: {name} is no note of its upkeep and counts for nothing",
                cid.short()
            ));
        }
        Ok(Self {
            proved: upkeep.last(Done::Proved).map(Time::of),
            backup_checked: upkeep.last(Done::BackupChecked).map(Time::of),
            paper_checked: upkeep.last(Done::PaperChecked).map(Time::of),
        })
    }

    fn words(&self) -> String {
        let day = |time: &Option<Time>, done: &str, not: &str| match time {
            Some(time) => {
                let time = utc(time.at);
                let day = time.split_once(' ').map_or(time.as_str(), |(day, _)| day);
                format!("{done} {day}")
            }
            None => not.to_owned(),
        };
        format!(
            "{}, {}{}",
            day(&self.proved, "proved", "never proved"),
            day(&self.backup_checked, "backup checked", "no checked backup"),
            day(&self.paper_checked, ", paper checked", "")
        )
    }
}

/// Says whether the vault of the home holds the file of a ceremony's shares, without opening it.
fn is_stored(cx: &Context, root: &Path, cid: &Digest) -> Result<bool, CommandError> {
    let file = Vault::shares_path(root, cid);
    Ok(cx.disk.kind(&file)?.is_some())
}

/// The shares of a ceremony in an open home, checked.
fn own_shares(
    home: &Home,
    cid: &Digest,
) -> Result<crate::ceremony::shares::OwnShares, CommandError> {
    let blob = Vault::new(home)
        .shares(cid)?
        .ok_or(ShareBackupError::NoShares(*cid))?;
    let own = crate::ceremony::shares::OwnShares::from_blob(&blob)
        .map_err(|error| CommandError::from(ShareBackupError::Shares(error)))?;
    // One home key encrypts them all: a file that was moved here opens like the right one.
    if own.cid != *cid {
        let path = Vault::shares_path(home.root(), cid);
        let reason = "holds the shares of another ceremony".to_owned();
        return Err(HomeError::Malformed { path, reason }.into());
    }
    Ok(own)
}
