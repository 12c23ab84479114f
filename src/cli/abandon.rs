//! `ceremony abandon`: leave a ceremony for good.

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::restored;
use super::status::find;
use super::via::Via;
use crate::ambient::OsRandomness;
use crate::ceremony::Unobserved;
use crate::ceremony::plan::Plan;
use crate::driver;
use crate::store::home::Home;
use crate::store::seat::{Seat, Turn, spend_if_done};
use crate::store::vault::{Marker, Vault};

const EXAMPLE: &str = "\
Example:
  conclave ceremony abandon 1f2e3d4c --via /media/stick

The others learn of it from the message on the stick. Who confirmed can no longer abandon.";

/// Leave a ceremony for good, and tell the others
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// The ceremony: the start of its id, its name, or its plan's file
    ceremony: String,
    #[command(flatten)]
    via: Via,
    /// The ceremony's name, to say that it is meant
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    restored: restored::Danger,
}

/// Leaves a signing ceremony. No message says so: others sign without whoever does not.
fn leave_signing(cx: &mut Context, home: &Home, plan: &Plan) -> Result<(), CommandError> {
    let _turn = Turn::take(home, plan)?;
    let vault = Vault::new(home);
    if vault.marker(plan.cid(), Marker::Confirmed)?.is_some() {
        return Err(CommandError::of(
            ErrorCode::CEREMONY_CLOSED,
            "you signed already: others may be complete with your partial, so it cannot be abandoned any more",
        )
        .hint("`conclave status` says who is awaited"));
    }
    vault.mark(plan.cid(), Marker::Abandoned, b"")?;
    cx.ui.note(format!(
        "{} is abandoned here: this home never signs it; others may, without you",
        plan.name()
    ));
    Ok(())
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let name = args
        .name
        .is_none()
        .then_some(("the ceremony's name", "--name NAME"));
    cx.require(name.into_iter().chain(cx.home_needs()?).collect())?;
    let root = cx.home_root()?;
    let (_, plan) = find(cx, &root, &args.ceremony)?;
    let mut couriers = args.via.couriers(cx)?;
    let typed = match &args.name {
        Some(name) => name.clone(),
        None => cx.answer(
            format!(
                "Abandoning cannot be taken back. Type the ceremony's name ({}) to go on:",
                plan.name()
            ),
            "--name NAME",
        )?,
    };
    if typed != plan.name().as_str() {
        return Err(CommandError::of(
            ErrorCode::NAME_WRONG,
            "this is not the ceremony's name; nothing was done",
        ));
    }
    let home = cx.open_home()?;
    if plan.sign().is_some() {
        return leave_signing(cx, &home, &plan);
    }
    restored::ask(cx, &home, &plan, &args.restored)?;
    let mut seat = Seat::open(&home, &plan)?;
    let Some(envelope) = seat.session().abandon(seat.me())? else {
        return Err(CommandError::of(
            ErrorCode::CEREMONY_CLOSED,
            "you confirmed this ceremony: others may be complete with your confirm, so your shares are kept and it cannot be abandoned any more",
        )
        .hint("`conclave status` says who is awaited"));
    };
    seat.keep_own(&envelope)?;
    let ran = driver::run(&mut seat, &mut couriers, &mut OsRandomness, &Unobserved)?;
    spend_if_done(&home, &plan)?;
    cx.ui.note(format!(
        "{} is abandoned; {} message(s) went out",
        plan.name(),
        ran.moved.sent
    ));
    if args.via.is_empty() {
        cx.ui.next(format!(
            "tell the others: conclave ceremony abandon {} --via FOLDER",
            plan.cid().short()
        ));
    }
    match ran.undelivered.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
