//! `identity new` and `identity show`.

use std::sync::Arc;

use clap::Args;

use super::error::CommandError;
use super::{Context, unlock};
use crate::ambient::Randomness as _;
use crate::crypto::identity::IdentityKey;
use crate::store::disk::DiskError;
use crate::store::home::{Home, HomeError};
use crate::store::keys::Recipient;
use crate::store::wrap::{WorkFactor, Wrap};

const NEW_EXAMPLE: &str = "\
Writes: the home, encrypted under a passphrase of at least 12 characters, or to an age recipient.
Without the home, or without its passphrase or age key, what this operator holds is lost: back both
up.

Example:
  conclave identity new --home /media/operator/home

With a hardware key, through its age plugin (here a YubiKey); every later command takes --unlock:
  conclave identity new --recipient age1yubikey1...
  conclave card --name Alice --unlock yubikey-identity.txt";

const SHOW_EXAMPLE: &str = "\
Reads: home.json of the home.

Example:
  conclave identity show --json";

/// Make this operator's home and identity
///
/// The identity signs this operator's cards and messages, in every ceremony. It is made once and
/// kept.
#[derive(Debug, Args)]
#[command(after_long_help = NEW_EXAMPLE)]
pub(super) struct NewArgs {
    /// Open the home with the age key behind this recipient (age1...), a plugin's too, instead of a
    /// passphrase
    #[arg(long, value_name = "AGE_RECIPIENT", value_parser = unlock::recipient,
          conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    recipient: Option<Recipient>,
}

/// Show this operator's identity
///
/// Needs no passphrase.
#[derive(Debug, Args)]
#[command(after_long_help = SHOW_EXAMPLE)]
pub(super) struct ShowArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn new(args: &NewArgs, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    // Before the passphrase: a person is not asked in vain.
    match Home::public(&*cx.disk, &root) {
        Ok(public) => {
            let identity = public.identity;
            return Err(HomeError::Exists { root, identity }.into());
        }
        Err(HomeError::NoHome(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if let Ok(entries) = cx.disk.list(&root)
        && !entries.is_empty()
    {
        return Err(HomeError::Occupied(root).into());
    }
    let disk = Arc::clone(&cx.disk);
    let identity = match &args.recipient {
        Some(recipient) => {
            let sealing = cx.sealing(std::slice::from_ref(recipient));
            let seed = cx.rng.seed()?;
            let identity = IdentityKey::from_seed(&seed).public().to_string();
            sealing.seal(|wraps| {
                let make = |wrap| Home::create(Arc::clone(&disk), &root, wrap, &identity, &seed);
                wraps.iter().try_for_each(|wrap| make(wrap).map(drop))?;
                Ok(())
            })?;
            identity
        }
        None => {
            let passphrase = cx.new_passphrase("passphrase of the new home")?;
            let seed = cx.rng.seed()?;
            let identity = IdentityKey::from_seed(&seed).public().to_string();
            let wrap = Wrap::Passphrase(passphrase, WorkFactor::DEFAULT);
            Home::create(disk, &root, &wrap, &identity, &seed)?;
            identity
        }
    };
    cx.ui.note(format!("made the home at {}", root.display()));
    cx.ui.data(identity);
    cx.ui
        .next("`conclave card --name NAME` makes your card for the organiser of a ceremony");
    Ok(())
}

pub(super) fn show(args: &ShowArgs, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    let public = Home::public(&*cx.disk, &root)?;
    if args.json {
        let home = root.to_str().ok_or_else(|| {
            let reason = "its path is not UTF-8, as JSON needs".to_owned();
            DiskError::Other {
                action: "name",
                path: root.clone(),
                reason,
            }
        })?;
        return cx.ui.json(&serde_json::json!({
            "home": home,
            "identity": public.identity,
            "wrapped_by": public.wrapped_by,
        }));
    }
    cx.ui.data(public.identity);
    Ok(())
}
