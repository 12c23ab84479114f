//! What comes before the first message: the page, the list of addresses, the plan code.

use super::Args;
use crate::ambient::OsRandomness;
use crate::ceremony::Unobserved;
use crate::ceremony::plan::{Plan, SignPlan};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::expect::Expected;
use crate::cli::known::KnownRow;
use crate::cli::page::Page;
use crate::store::cluster::{check_outcome, own_shares};
use crate::store::home::Home;
use crate::store::known::How;
use crate::store::seat::Turn;
use crate::store::vault::{Marker, Vault};
use crate::wire::code::Code;

/// Shows the plan and takes the code, once; returns whether that was before or now.
pub(super) fn accept(
    cx: &mut Context,
    args: &Args,
    home: &Home,
    turn: &Turn<'_>,
    plan: &Plan,
) -> Result<&'static str, CommandError> {
    let vault = Vault::new(home);
    if vault.marker(plan.cid(), Marker::Accepted)?.is_some() {
        // A crash may have come between the two.
        cx.remember(plan, How::Accepted);
        return Ok("before");
    }
    let known = cx.known(plan);
    for warning in known.iter().flatten().filter_map(KnownRow::warning) {
        cx.ui.warn(warning);
    }
    let page = Page::of(plan).with_known(known);
    // Who is asked for the code sees what it accepts, whatever is left out otherwise.
    if args.accept_plan.is_none() || !cx.global.quiet {
        cx.ui.show(&page);
    }
    compare(cx, plan, args, page.needs_list())?;
    let words = match &args.accept_plan {
        Some(words) => words.clone(),
        None => cx.answer(
            "Type the plan code, as another operator reads it to you (eight words):",
            "--accept-plan \"WORDS\", from another operator's `conclave plan show`",
        )?,
    };
    let refused = |text: String| {
        CommandError::of(ErrorCode::PLAN_CODE_WRONG, text).hint(
            "compare plan files with the other operators: `conclave plan show` prints each one's code",
        )
    };
    let typed =
        Code::parse(&words).map_err(|error| refused(format!("{error}; nothing was sent")))?;
    if typed != plan.code()? {
        return Err(refused("this is not the code of this plan: it was read from another plan, or misheard; nothing was sent".into()));
    }
    turn.accept()?;
    cx.remember(plan, How::Accepted);
    Ok("now")
}

/// The same of a signing plan. Its cluster is compared with what this home knows before anything of it
/// is shown: what an author made up is not worth reading. Whoever gave a policy that covers all of it is
/// not asked.
pub(super) fn accept_signing(
    cx: &mut Context,
    args: &Args,
    home: &Home,
    turn: &Turn<'_>,
    plan: SignPlan<'_>,
    asks: bool,
) -> Result<&'static str, CommandError> {
    let vault = Vault::new(home);
    if vault.marker(plan.cid(), Marker::Abandoned)?.is_some() {
        return Err(CommandError::of(
            ErrorCode::CEREMONY_CLOSED,
            "you abandoned this signing ceremony; nothing was sent",
        )
        .hint("to sign after all, make a new plan: `conclave sign`"));
    }
    if vault.marker(plan.cid(), Marker::Accepted)?.is_some() {
        return accept(cx, args, home, turn, plan.plan());
    }
    own_shares(home, plan)?;
    check_outcome(home, plan, &mut OsRandomness, &Unobserved)?;
    if asks {
        return accept(cx, args, home, turn, plan.plan());
    }
    let page = Page::of(plan.plan());
    cx.ui.show(&page);
    compare(cx, plan.plan(), args, page.needs_list())?;
    cx.ui
        .note("your policy signs all of this without a question");
    turn.accept()?;
    Ok("now")
}

/// Compares the plan's addresses with the operator's own list.
fn compare(cx: &mut Context, plan: &Plan, args: &Args, needed: bool) -> Result<(), CommandError> {
    let Some(list) = &args.expect else {
        return if needed {
            let text =
                "the plan has more addresses than a person compares by eye; nothing was sent";
            Err(CommandError::of(ErrorCode::LIST_NEEDED, text)
                .hint("give your own list of them: --expect FILE"))
        } else {
            Ok(())
        };
    };
    let differences = Expected::read(cx, list)?.differences(plan);
    if differences.is_none() {
        cx.ui.note("the plan's addresses are those of your list");
        return Ok(());
    }
    let text = "the plan's addresses are not those of your list; nothing was sent";
    let error = CommandError::of(ErrorCode::ADDRESSES_DIFFER, text).about(list);
    Err(differences
        .lines()
        .into_iter()
        .fold(error, CommandError::cause))
}
