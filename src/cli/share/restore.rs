//! `share restore`.

use std::path::PathBuf;

use crate::cli::Context;
use crate::cli::error::CommandError;
use crate::cli::sealed;
use crate::cli::share::public::{audited, messages};
use crate::cli::values::{counted, utc};
use crate::store::share_backup::InHome;

const EXAMPLE: &str = "\
Reads: a backup of shares. Writes: the home, which has to be of the same identity: the shares, the
ceremony's board and messages, and its card without a secret; of an imported cluster, its description.
Nothing is overwritten, and nothing is mixed: shares of another ceremony, epoch or operator are refused.

It says nothing new in the ceremony: the shares come back together with the confirm that speaks of
them. A backup that was made before the confirm takes it from the record of the complete ceremony,
which every operator and auditor has and which is audited first. Given again after a crash, it goes on.

Examples:
  conclave share restore /media/safe/pool-north.age
  conclave share restore early.age --record /media/stick/record";

/// Put the shares of a backup into this home
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    key: sealed::ShareBackupKey,
    /// The ceremony's record, for a backup that was made before your confirm
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    cx.require(cx.home_needs()?.into_iter().collect())?;
    let record = match &args.record {
        Some(record) => Some(audited(cx, record)?),
        None => None,
    };
    let (_, mut backup) = args.key.open(cx, &args.file)?;
    // One that holds the confirm itself needs no other word of it.
    if let Some((found, files)) = record.filter(|_| !backup.is_confirmed()) {
        backup = backup
            .with_record(&found.plan, messages(&files)?)
            .map_err(|error| CommandError::from(error).about(&args.file))?;
    }
    let home = cx.open_home()?;
    let before = backup
        .restore(&home)
        .map_err(|error| CommandError::from(error).about(&args.file))?;
    let about = backup.about();
    cx.ui.data(about.cid);
    cx.ui.note(format!(
        "{}: the shares of operator {} for {} of {}, as they were on {}",
        match before {
            InHome::Same => "nothing was missing",
            InHome::Missing => "restored",
        },
        about.index,
        counted(backup.shares().shares.len(), "validator"),
        backup.name(),
        utc(about.created)
    ));
    cx.ui.warn("never sign with the same share on two machines: stop the old one for good before this one signs");
    cx.ui.next(match backup.is_imported() {
        true => "conclave share list shows what the vault holds",
        false => {
            "conclave run PLAN --via FOLDER writes your files again, and says whether the ceremony is complete"
        }
    });
    Ok(())
}
