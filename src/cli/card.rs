//! `card`.

use std::path::PathBuf;

use clap::Args;

use super::error::{CommandError, ErrorCode};
use super::home::identity_of;
use super::values::counted;
use super::{Context, values};
use crate::ambient::Randomness as _;
use crate::json::Text;
use crate::wire::card::{VerifiedCard, ceremony_secret};

const EXAMPLE: &str = "\
Reads: the home, with its passphrase.
Writes: the card, and behind it in the home the secret of the ceremony.

Example:
  conclave card --name Alice -o alice.card.json";

/// Make this operator's card for the organiser of a ceremony
///
/// A card holds the operator's name, its identity and a fresh encryption key, signed. It holds no
/// secret. Every call makes a new card, for one ceremony.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct CardArgs {
    /// What people call this operator, up to 64 characters
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    name: Text,
    /// Write the card to FILE [default: NAME.card.json in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: CardArgs, cx: &mut Context) -> Result<(), CommandError> {
    let path = args
        .output
        .unwrap_or_else(|| format!("{}.card.json", args.name.file_stem()).into());
    cx.refuse_taken(&path)?;
    let home = cx.open_home()?;
    let unspent = home.cards()?.iter().filter(|card| !card.spent).count();
    if unspent > 0 && cx.has_terminal() {
        let question = format!(
            "this home holds {} for ceremonies to come; make one more?",
            counted(unspent, "unspent card")
        );
        if !cx.confirm(question)? {
            return Err(CommandError::of(ErrorCode::DECLINED, "no card was made"));
        }
    }
    let identity = identity_of(&home)?;
    let secret = ceremony_secret(&cx.rng.seed()?, &identity);
    let card = VerifiedCard::make(&identity, args.name, &secret)?;
    // The home first: a card that was given out always has its secret.
    home.put_card(card.bytes(), &card.encryption_key().to_bytes(), &secret)?;
    cx.write_new(&path, card.bytes())?;
    cx.ui.data(path.display());
    cx.ui.note(format!(
        "this home now holds {}",
        counted(unspent.saturating_add(1), "unspent card")
    ));
    cx.ui
        .next("give the file to the organiser; it holds no secret");
    Ok(())
}
