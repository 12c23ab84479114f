//! `share backup`.

use std::path::{Path, PathBuf};

use crate::cli::error::CommandError;
use crate::cli::sealed::{self, BackupPassphrase, By};
use crate::cli::share::holding::find;
use crate::cli::values::counted;
use crate::cli::{Context, unlock};
use crate::store::keys::Recipient;
use crate::store::share_backup::ShareBackup;

const EXAMPLE: &str = "\
Reads: the home. Writes: one file, readable by you alone, which is read back before success is said;
with recipients and a passphrase two, FILE to the recipients and one with -passphrase in its name,
because an age file opens by the one or by the other.

The shares stand in clear inside: whoever opens the file has them. It holds no card's secret and no
identity, so that nobody can speak as this operator with it. Check it before you rely on it, on the
medium and the machine that it is kept for: `conclave share check-backup`.

Examples:
  conclave share backup 1f2e3d4c -o /media/safe/pool-north.age
  conclave share backup 1f2e3d4c --recipient age1... --recipient age1... -o pool-north.age
Without conclave:
  age -d pool-north.age | tar -t";

/// Back the shares of one ceremony up into an encrypted file
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The ceremony: the start of its id, its name, or its plan's file
    ceremony: String,
    /// Write the backup to FILE
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    passphrase: BackupPassphrase,
    /// Encrypt to this age recipient (age1...); may be given several times
    #[arg(long, alias = "to", value_name = "AGE_RECIPIENT", value_parser = unlock::recipient)]
    recipient: Vec<Recipient>,
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let by_passphrase = args.recipient.is_empty() || args.passphrase.is_given();
    let second = beside(&args.output);
    let mut outputs = vec![args.output.as_path()];
    if by_passphrase && !args.recipient.is_empty() {
        outputs.push(&second);
    }
    for output in &outputs {
        cx.refuse_taken(output)?;
    }
    let asked = by_passphrase && !args.passphrase.is_given();
    let own = asked.then_some(("the passphrase of the backup", sealed::TWIN));
    cx.require(cx.home_needs()?.into_iter().chain(own).collect())?;
    let root = cx.home_root()?;
    let holding = find(cx, &root, &args.ceremony)?;
    let home = cx.open_home()?;
    // Taken first: a person who mistypes it waits for nothing.
    let mut doors = Vec::new();
    if !args.recipient.is_empty() {
        doors.push(By::Recipients(cx.sealing(&args.recipient)));
    }
    if by_passphrase {
        let given = args.passphrase.given(cx)?;
        let passphrase = cx.new_passphrase_or("passphrase of the backup", given, sealed::TWIN)?;
        doors.push(By::Passphrase(passphrase));
    }
    let (backup, left) = ShareBackup::collect(&home, holding.cid(), cx.clock.unix_seconds())?;
    for name in &left {
        cx.ui.warn(format!(
            "{name} is no message of the ceremony and is not in the backup"
        ));
    }
    let tar = backup.to_tar()?;
    // What is written can be read: by the checks of a restore, before anything relies on it.
    tar.expose(|tar| ShareBackup::from_tar(tar).map(drop))?;
    let mut unopened = Vec::new();
    for (output, by) in outputs.into_iter().zip(doors) {
        if !tar.expose(|tar| sealed::write(cx, output, by, tar))? {
            unopened.push(output);
        }
        cx.ui.data(output.display());
    }
    let with = match backup.is_imported() {
        true => "with the description of its cluster, which was made elsewhere".to_owned(),
        false => format!(
            "with {} of the ceremony",
            counted(backup.messages(), "message")
        ),
    };
    cx.ui.note(format!(
        "holds the shares of operator {} for {} of {}, {with}; read back and compared",
        backup.about().index,
        counted(backup.shares().shares.len(), "validator"),
        backup.name(),
    ));
    if !backup.is_confirmed() {
        cx.ui.warn("these shares are not confirmed yet: restoring this backup takes the record of the complete ceremony too; one that is made after `conclave run` confirmed needs nothing else");
    }
    for output in unopened {
        cx.ui.note(format!(
            "{} was not opened again, for that takes the age keys behind its recipients",
            output.display()
        ));
    }
    cx.ui.next(format!(
        "see that it opens where it is kept: conclave share check-backup {}",
        args.output.display()
    ));
    Ok(())
}

/// `pool.age` gives `pool-passphrase.age`.
fn beside(output: &Path) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    let extension = output.extension().map_or_else(String::new, |extension| {
        format!(".{}", extension.to_string_lossy())
    });
    output.with_file_name(format!("{stem}-passphrase{extension}"))
}
