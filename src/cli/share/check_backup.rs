//! `share check-backup`.

use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::sealed;
use crate::cli::values::{counted, utc};
use crate::hash::Digest;
use crate::json::Text;
use crate::store::home::{Home, HomeError};
use crate::store::imported;
use crate::store::share_backup::{InHome, ShareBackup};
use crate::store::upkeep::{Done, Note};
use crate::store::vault::{Marker, Vault, glance};
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Reads: the backup, and this home if there is one. Every share is checked against its public share, and
these against the transcript that the operators confirmed. Nothing of the backup is stored; if the
home holds the same shares, a note says in the ceremony's directory when its backup was found whole.

Where the plan requires backups, the confirm of `conclave run` waits for this check, made with the home
at hand that holds the shares. It is marked there for good, for these very shares.

Example:
  conclave share check-backup /media/safe/pool-north.age";

/// Check that a backup of shares opens and holds the right ones
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    key: sealed::ShareBackupKey,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    cid: Digest,
    name: Text,
    network: String,
    epoch: u64,
    /// Whether the cluster was made elsewhere.
    imported: bool,
    index: Index,
    validators: u64,
    made: u64,
    confirmed: bool,
    messages: usize,
    home: AtHome,
    sha256: Digest,
}

/// What a home has to do next once its backup was checked: the confirm that waited for it.
fn tell_next(cx: &mut Context, backup: &ShareBackup, home: AtHome) {
    if home == AtHome::Same && backup.is_required() && !backup.is_confirmed() {
        cx.ui
            .next("the confirm that waits for this check: conclave run PLAN --via FOLDER");
    }
}

/// What this home has to do with the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum AtHome {
    /// It holds the same shares; a note was kept.
    Same,
    /// It holds none of the ceremony.
    Missing,
    /// It is another operator's.
    Other,
    /// There is none.
    None,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let (file, backup) = args.key.open(cx, &args.file)?;
    let about = backup.about();
    let now = cx.clock.unix_seconds();
    let note = Note::new(
        Done::BackupChecked,
        &about.cid,
        &about.transcript,
        &file,
        now,
    );
    let home = at_home(cx, &backup, &note, &args.file)?;
    let report = Report {
        cid: about.cid,
        name: backup.name().clone(),
        network: backup.network().name().to_owned(),
        imported: backup.is_imported(),
        epoch: about.epoch,
        index: about.index,
        validators: about.validators,
        made: about.created,
        confirmed: backup.is_confirmed(),
        messages: backup.messages(),
        home,
        sha256: note.sha256,
    };
    if !report.confirmed {
        cx.ui.warn(
            "it was made before this operator confirmed: it is whole, and restoring it takes the record of the complete ceremony too",
        );
    }
    if args.json {
        return cx.ui.json(&report);
    }
    cx.ui.data(format!(
        "{}: whole: the shares of operator {} for {} of {} on {}, epoch {}, made {}",
        args.file.display(),
        report.index,
        counted(backup.shares().shares.len(), "validator"),
        report.name,
        report.network,
        report.epoch,
        utc(report.made)
    ));
    cx.ui.note(match home {
        AtHome::Same => "this home holds the same shares, and notes that they are backed up",
        AtHome::Missing => "this home holds no shares of that ceremony; nothing was noted",
        AtHome::Other => "this home is another operator's; nothing was noted",
        AtHome::None => "there is no home here to compare with; nothing was noted",
    });
    tell_next(cx, &backup, home);
    Ok(())
}

/// Compares with this home, if it is the backup's operator's and holds such shares.
fn at_home(
    cx: &mut Context,
    backup: &ShareBackup,
    note: &Note,
    file: &Path,
) -> Result<AtHome, CommandError> {
    // A machine that keeps backups alone may have no place for a home at all.
    let Ok(root) = cx.home_root() else {
        return Ok(AtHome::None);
    };
    let public = match Home::public(&*cx.disk, &root) {
        // A home that was named has to be there.
        Err(HomeError::NoHome(_)) if cx.global.home.is_none() => return Ok(AtHome::None),
        other => other?,
    };
    if public.identity != backup.about().identity.to_string() {
        return Ok(AtHome::Other);
    }
    let cid = backup.about().cid;
    let ceremony = glance(&cx.disk, &root)?;
    let ceremony = ceremony.iter().filter(|glance| glance.cid == cid);
    let elsewhere = imported::glance(&*cx.disk, &root)?;
    let mut elsewhere = elsewhere.iter().filter(|glance| glance.cid == cid);
    let holds = ceremony
        .into_iter()
        .any(|glance| glance.markers.contains(&Marker::Shares))
        || elsewhere.any(|glance| glance.stored);
    if !holds {
        return Ok(AtHome::Missing);
    }
    let home = cx.open_home()?;
    let compared = backup
        .compare(&home)
        .map_err(|error| CommandError::from(error).about(file))?;
    Ok(match compared {
        InHome::Same => {
            // `compare` held all shares against all: what the confirm waits for, in these words alone.
            if backup.is_required() {
                Vault::new(&home).mark_backed_up(&cid, &note.transcript, &note.sha256)?;
            }
            note.keep(&*cx.disk, &root)?;
            AtHome::Same
        }
        InHome::Missing => AtHome::Missing,
    })
}
