//! What a restored home has to be asked before it says anything new; docs/protocol.md section 14.

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::values::utc;
use crate::ceremony::plan::Plan;
use crate::store::backup::restored;
use crate::store::home::Home;
use crate::store::seat::own_card;
use crate::store::vault::{Marker, Vault};

/// The flag that answers the question.
#[derive(Debug, clap::Args)]
pub(super) struct Danger {
    /// This home was restored, and the courier holds every message that this operator sent before
    #[arg(long)]
    danger_restored: bool,
}

/// Asks whether the courier holds what the home before this one sent, unless nothing depends on it:
/// the home was not restored, its card is newer than that, or it knows what it said.
pub(super) fn ask(
    cx: &mut Context,
    home: &Home,
    plan: &Plan,
    danger: &Danger,
) -> Result<(), CommandError> {
    let Some(restored) = restored(home)? else {
        return Ok(());
    };
    let card = &own_card(home, plan)?.card;
    if !restored.knows(&card.encryption_key().to_bytes()) {
        return Ok(());
    }
    let vault = Vault::new(home);
    for said in [
        Marker::Confirmed,
        Marker::Abandoned,
        Marker::Ended,
        Marker::Complete,
    ] {
        if vault.marker(plan.cid(), said)?.is_some() {
            return Ok(());
        }
    }
    if danger.danger_restored {
        return Ok(());
    }
    cx.ui.warn(format!(
        "this home was restored from a backup of {}. If the home before it confirmed, complained or abandoned in this ceremony since then, this one does not know, and could say something else in its place. The courier must hold all that this operator sent.",
        utc(restored.backup_made)
    ));
    let typed = cx.answer(
        format!(
            "Type the ceremony's name ({}) if it does, or if nothing was sent:",
            plan.name()
        ),
        "--danger-restored, if the courier holds all that this operator sent",
    )?;
    if typed == plan.name().as_str() {
        return Ok(());
    }
    Err(CommandError::of(
        ErrorCode::HOME_RESTORED,
        "this is not the ceremony's name; nothing was sent",
    )
    .hint("bring the board that holds this operator's messages, then give the command again"))
}
