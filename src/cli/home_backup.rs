//! `home backup` and `home restore`.

use std::path::PathBuf;

use clap::Args;

use super::error::CommandError;
use super::sealed::{self, BackupPassphrase, By};
use super::values::{counted, utc};
use super::{Context, unlock};
use crate::store::backup::Backup;
use crate::store::home::{WrappedBy, refuse_standing};
use crate::store::keys::Recipient;

const BACKUP_EXAMPLE: &str = "\
Reads: the home. Writes: one file, readable by you alone, which is read back before success is said.
The backup opens with its own passphrase or age keys; what is secret in it is encrypted to the home
key as well, and opens as the home does today.

Guard it like the home: it holds shares, and the secrets of cards that are not used up. Make a new
one after each ceremony: a backup does not know what was said after it.

Examples:
  conclave home backup -o /media/safe/home-2026-01.age
  conclave home backup --recipient age1... --recipient age1... -o home.age
Without conclave:
  age --decrypt home.age | tar --list";

const RESTORE_EXAMPLE: &str = "\
Reads: a backup. Writes: the home, which must not stand yet.

Never use a restored home beside the one it was made from, nor two copies. Go on with a ceremony
only over a board that holds the messages that your operator sent; `run` asks for that.

Example:
  conclave home restore /media/safe/home-2026-01.age --home /media/operator/home";

/// Back this home up into one encrypted file
#[derive(Debug, Args)]
#[command(after_long_help = BACKUP_EXAMPLE)]
pub(super) struct BackupArgs {
    /// Write the backup to FILE
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    passphrase: BackupPassphrase,
    /// Encrypt to this age recipient (age1...) instead of a passphrase; may be given several times
    #[arg(long, value_name = "AGE_RECIPIENT", value_parser = unlock::recipient,
          conflicts_with_all = ["backup_passphrase_file", "backup_passphrase_fd"])]
    recipient: Vec<Recipient>,
}

/// Restore a home from its backup
#[derive(Debug, Args)]
#[command(after_long_help = RESTORE_EXAMPLE)]
pub(super) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    passphrase: BackupPassphrase,
}

pub(super) fn backup(args: &BackupArgs, cx: &mut Context) -> Result<(), CommandError> {
    cx.refuse_taken(&args.output)?;
    let asked = args.recipient.is_empty() && !args.passphrase.is_given();
    let own = asked.then_some(("the passphrase of the backup", sealed::TWIN));
    cx.require(cx.home_needs()?.into_iter().chain(own).collect())?;
    let home = cx.open_home()?;
    // Taken first: a person who mistypes it waits for nothing.
    let by = if args.recipient.is_empty() {
        let given = args.passphrase.given(cx)?;
        By::Passphrase(cx.new_passphrase_or("passphrase of the backup", given, sealed::TWIN)?)
    } else {
        By::Recipients(cx.sealing(&args.recipient))
    };
    let (contents, left) = Backup::collect(&home, cx.clock.unix_seconds())?;
    for name in &left {
        cx.ui.warn(format!(
            "{name} is no part of a home and is not in the backup"
        ));
    }
    let tar = contents.to_tar()?;
    let opened = sealed::write(cx, &args.output, by, &tar)?;
    if Backup::from_tar(&tar)? != contents {
        return Err(sealed::differs(&args.output));
    }
    cx.ui.data(args.output.display());
    cx.ui.note(format!(
        "holds {}; read back and compared",
        holds(&contents)
    ));
    if !opened {
        cx.ui.note("it was not opened again, for that takes the age keys behind its recipients; try one of them: age --decrypt --identity FILE BACKUP | tar --list");
    }
    cx.ui
        .next("guard the file like the home, and make a new one after each ceremony");
    Ok(())
}

pub(super) fn restore(args: &RestoreArgs, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    // Before the passphrase: a person is not asked in vain.
    refuse_standing(&*cx.disk, &root)?;
    let keys = cx.global.unlock.clone();
    let (_, plain) = sealed::HOME.open(cx, &args.file, &args.passphrase, keys.as_deref())?;
    let contents = plain
        .expose(|tar| Backup::from_tar(tar))
        .map_err(|error| CommandError::from(error).about(&args.file))?;
    let now = cx.clock.unix_seconds();
    let public = contents.restore(&cx.disk, &root, now)?;
    cx.ui.data(root.display());
    cx.ui.note(format!(
        "restored the home of {}, as it was on {} (made by conclave {}): {}",
        public.identity,
        utc(contents.about.created),
        contents.about.tool,
        holds(&contents)
    ));
    cx.ui.note(match public.wrapped_by {
        WrappedBy::Passphrase => "it opens with the passphrase that the home had then".to_owned(),
        WrappedBy::Recipient(recipient) => {
            format!("it opens with the age key {recipient}: --unlock FILE")
        }
    });
    cx.ui.warn("never use this home beside the one it was made from, nor two copies of it; go on with a ceremony only over a board that holds the messages that your operator sent");
    cx.ui
        .next("`conclave ceremony list` shows what is under way");
    Ok(())
}

fn holds(contents: &Backup) -> String {
    format!(
        "{} ({} unspent), {} and the shares of {}",
        counted(contents.cards(), "card"),
        contents.unspent_cards(),
        match contents.ceremonies() {
            1 => "1 ceremony".to_owned(),
            count => format!("{count} ceremonies"),
        },
        contents.shares()
    )
}
