//! What comes before the first message: the page, the list of addresses, the plan code.

use super::Args;
use crate::ceremony::plan::Plan;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::expect::Expected;
use crate::cli::known::KnownRow;
use crate::cli::page::Page;
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
