//! `home backup` and `home restore`.

use std::path::PathBuf;

use clap::Args;

use super::error::{CommandError, ErrorCode};
use super::unlock::Sealing;
use super::values::{counted, utc};
use super::{Context, unlock};
use crate::secret::Passphrase;
use crate::store::backup::{Backup, MAX_BACKUP_BYTES};
use crate::store::disk::Access;
use crate::store::home::{WrappedBy, refuse_standing};
use crate::store::keys::Recipient;
use crate::store::wrap::{Unlock, WorkFactor, Wrap, is_passphrase_file, seal, unseal};

const TWIN: &str =
    "--backup-passphrase-file FILE, --backup-passphrase-fd N or --recipient AGE_RECIPIENT";

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

#[derive(Debug, Args)]
struct BackupPassphrase {
    /// Read the backup's own passphrase from FILE [default: asked for]
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: Option<PathBuf>,
    /// Read the backup's own passphrase from the open file descriptor N
    #[arg(long, value_name = "N", conflicts_with = "backup_passphrase_file")]
    backup_passphrase_fd: Option<u32>,
}

impl BackupPassphrase {
    fn is_given(&self) -> bool {
        self.backup_passphrase_file.is_some() || self.backup_passphrase_fd.is_some()
    }

    fn given(&self, cx: &mut Context) -> Result<Option<Passphrase>, CommandError> {
        let file = self.backup_passphrase_file.as_deref();
        cx.passphrase_of(file, self.backup_passphrase_fd)
    }
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
    let own = asked.then_some(("the passphrase of the backup", TWIN));
    cx.require(cx.home_needs()?.into_iter().chain(own).collect())?;
    let home = cx.open_home()?;
    // Taken first: a person who mistypes it waits for nothing.
    let by = if args.recipient.is_empty() {
        let given = args.passphrase.given(cx)?;
        By::Passphrase(cx.new_passphrase_or("passphrase of the backup", given, TWIN)?)
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
    let sealed = |error| told(&args.output, error);
    let (file, opens) = match by {
        By::Passphrase(passphrase) => {
            let wraps = [Wrap::Passphrase(passphrase, WorkFactor::DEFAULT)];
            let file = seal(&wraps, &tar).map_err(sealed)?;
            let [Wrap::Passphrase(passphrase, _)] = wraps else {
                return Err(CommandError::new(super::error::Kind::Bug, "no passphrase"));
            };
            (file, Some(Unlock::Passphrase(passphrase)))
        }
        By::Recipients(sealing) => (
            sealing.seal(|wraps| seal(wraps, &tar).map_err(sealed))?,
            None,
        ),
    };
    cx.disk.create(&args.output, &file, Access::Private)?;
    // What is encrypted to somebody's age key only its owner can open; the bytes are compared.
    let back = cx.disk.read(&args.output, MAX_BACKUP_BYTES)?;
    let same = match &opens {
        Some(unlock) => unseal(&back, unlock)
            .map_err(sealed)?
            .expose(|plain| *plain == tar),
        None => back == file,
    };
    if !same || Backup::from_tar(&tar)? != contents {
        return Err(CommandError::of(
            ErrorCode::DISK_FAILED,
            "the backup does not read back as it was written; do not trust this disk",
        )
        .about(&args.output));
    }
    cx.ui.data(args.output.display());
    cx.ui.note(format!(
        "holds {}; read back and compared",
        holds(&contents)
    ));
    if opens.is_none() {
        cx.ui.note("it was not opened again, for that takes the age keys behind its recipients; try one of them: age --decrypt --identity FILE BACKUP | tar --list");
    }
    cx.ui
        .next("guard the file like the home, and make a new one after each ceremony");
    Ok(())
}

enum By {
    Passphrase(Passphrase),
    Recipients(Sealing),
}

pub(super) fn restore(args: &RestoreArgs, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    // Before the passphrase: a person is not asked in vain.
    refuse_standing(&*cx.disk, &root)?;
    let file = cx.disk.read(&args.file, MAX_BACKUP_BYTES)?;
    let sealed = |error| told(&args.file, error);
    let plain = if is_passphrase_file(&file) {
        let passphrase = match args.passphrase.given(cx)? {
            Some(passphrase) => passphrase,
            None => cx.asked_passphrase(
                "passphrase of the backup",
                "--backup-passphrase-file FILE or --backup-passphrase-fd N",
            )?,
        };
        unseal(&file, &Unlock::Passphrase(passphrase)).map_err(sealed)?
    } else if let Some(keys) = cx.global.unlock.clone() {
        let keys = cx.unlock_file(&keys)?;
        keys.open(|unlock| unseal(&file, unlock).map_err(sealed))?
    } else if file.starts_with(b"age-encryption.org/") {
        return Err(CommandError::of(
            ErrorCode::HOME_KEY_KIND,
            "the backup opens with an age key, not with a passphrase; nothing was written",
        )
        .about(&args.file)
        .hint("name its age identity file with --unlock FILE"));
    } else {
        return Err(CommandError::of(
            ErrorCode::BACKUP_INVALID,
            "is no backup of a home: it is no age file; nothing was written",
        )
        .about(&args.file));
    };
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

fn told(path: &std::path::Path, error: crate::store::wrap::WrapError) -> CommandError {
    use crate::store::wrap::WrapError;
    let text = format!("{} {error}; nothing was restored or kept", path.display());
    match &error {
        WrapError::WrongPassphrase => CommandError::of(
            ErrorCode::WRONG_PASSPHRASE,
            format!("the passphrase does not open the backup {}", path.display()),
        ),
        WrapError::WrongKey => CommandError::of(
            ErrorCode::WRONG_IDENTITY,
            format!(
                "no key of that identity file opens the backup {}",
                path.display()
            ),
        ),
        WrapError::NoPlugin(_) | WrapError::Plugin(_) => {
            super::error::plugin(CommandError::of(ErrorCode::PLUGIN_FAILED, text), &error)
        }
        _ => CommandError::of(ErrorCode::BACKUP_INVALID, text),
    }
}
