//! `home change-passphrase`.

use std::path::PathBuf;

use clap::Args;

use super::error::CommandError;
use super::{Context, unlock};
use crate::store::home::WrappedBy;
use crate::store::keys::Recipient;
use crate::store::wrap::{WorkFactor, Wrap};

const EXAMPLE: &str = "\
Reads: the home, opened in the old way: by a passphrase, or by --unlock.
Writes: home-key.age and home.json of the home, and nothing else. Killed at any moment, the home
opens either in the old way or in the new one.

Copies and backups of the home still open in the old way. If the old passphrase may be known to
others, destroy them, or keep them as you would keep the passphrase.

Examples:
  conclave home change-passphrase
  conclave home change-passphrase --recipient age1yubikey1... --new-unlock yubikey-identity.txt";

const TWIN: &str = "--new-passphrase-file FILE, --new-passphrase-fd N or --recipient AGE_RECIPIENT";

/// Change what opens this home: its passphrase, or an age key
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct PassphraseArgs {
    /// Read the new passphrase from FILE [default: asked for, twice]
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Read the new passphrase from the open file descriptor N
    #[arg(long, value_name = "N", conflicts_with = "new_passphrase_file")]
    new_passphrase_fd: Option<u32>,
    /// Open the home with the age key behind this recipient (age1...) from now on
    #[arg(long, value_name = "AGE_RECIPIENT", value_parser = unlock::recipient,
          conflicts_with_all = ["new_passphrase_file", "new_passphrase_fd"])]
    recipient: Option<Recipient>,
    /// The new recipient's age identity file, to try it before anything is changed
    #[arg(long, value_name = "FILE", requires = "recipient")]
    new_unlock: Option<PathBuf>,
}

pub(super) fn run(args: &PassphraseArgs, cx: &mut Context) -> Result<(), CommandError> {
    let asked = args.recipient.is_none()
        && args.new_passphrase_file.is_none()
        && args.new_passphrase_fd.is_none();
    let new = asked.then_some(("the new passphrase", TWIN));
    cx.require(cx.home_needs()?.into_iter().chain(new).collect())?;
    let mut home = cx.open_home()?;
    match &args.recipient {
        Some(recipient) => {
            let trial = match &args.new_unlock {
                Some(file) => Some(cx.unlock_file(file)?),
                None => None,
            };
            let sealing = cx.sealing(std::slice::from_ref(recipient));
            let mut rewrap = |trial: Option<&_>| {
                sealing.seal(|wraps| {
                    let mut each = wraps.iter();
                    each.try_for_each(|wrap| Ok(home.rewrap(wrap, trial)?))
                })
            };
            match &trial {
                Some(trial) => trial.open(|unlock| rewrap(Some(unlock)))?,
                None => {
                    rewrap(None)?;
                    cx.ui.warn("the new key was not tried; open the home with it now, while copies still open in the old way (--new-unlock tries it beforehand)");
                }
            }
        }
        None => {
            let file = args.new_passphrase_file.as_deref();
            let given = cx.passphrase_of(file, args.new_passphrase_fd)?;
            let passphrase = cx.new_passphrase_or("new passphrase of the home", given, TWIN)?;
            home.rewrap(&Wrap::Passphrase(passphrase, WorkFactor::DEFAULT), None)?;
        }
    }
    cx.ui.note(match &home.description().wrapped_by {
        WrappedBy::Passphrase => {
            "the home opens with the new passphrase, and not with the old one".to_owned()
        }
        WrappedBy::Recipient(recipient) => {
            format!(
                "the home opens with the age key {recipient} (--unlock FILE), and in no other way"
            )
        }
    });
    cx.ui
        .note("copies and backups of the home that were made before still open in the old way");
    Ok(())
}
