//! `plan new`: from flags, or from a person's answers.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::known::KnownRow;
use super::page::Page;
use crate::ambient::Randomness as _;
use crate::ceremony::plan::{Draft, Plan, default_threshold, threshold_problem};
use crate::ethereum::keystore::KdfChoice;
use crate::json;
use crate::store::known::How;

mod ask;
mod facts;
mod flags;

pub(super) use facts::card;

pub(super) use flags::KeygenArgs;

/// `plan new` with or without a kind.
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(super) struct NewArgs {
    #[command(subcommand)]
    kind: Option<NewCommand>,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum NewCommand {
    // Boxed: far more flags than any other command.
    Keygen(Box<KeygenArgs>),
}

pub(super) fn run(args: &NewArgs, cx: &mut Context) -> Result<(), CommandError> {
    let mut flags = match &args.kind {
        Some(NewCommand::Keygen(flags)) => (**flags).clone(),
        None => KeygenArgs::default(),
    };
    check_usage(&flags)?;
    let missing = flags.missing();
    if missing.is_empty() {
        return write(&flags, None, cx);
    }
    if !ask::possible(cx) {
        let error = CommandError::usage(format!(
            "the plan cannot be made without {}",
            missing.join(", ")
        ));
        return Err(error
            .hint("on a terminal, `conclave plan new` asks for what is missing")
            .hint("`conclave plan new keygen --help` says what each flag means and ends with an example"));
    }
    let created = flags.created.unwrap_or_else(|| cx.clock.unix_seconds());
    ask::ask(&mut flags, cx)?;
    let plan = make(&flags, created, cx);
    if let Ok(plan) = &plan {
        let known = cx.known(plan);
        cx.ui
            .show(format!("\n{}", Page::of(plan).with_known(known)));
    }
    cx.ui.note(format!(
        "The same without questions (another plan, with a code of its own):\n  {}\n",
        flags.command_line()
    ));
    let plan = plan?;
    let path = path(&flags);
    if !cx.confirm(format!("Write this plan to {}?", path.display()))? {
        return Err(CommandError::of(
            ErrorCode::DECLINED,
            "nothing was written, as you said",
        ));
    }
    write(&flags, Some(plan), cx)
}

/// What flags say of registrations is of no use without one.
fn check_usage(args: &KeygenArgs) -> Result<(), CommandError> {
    if args.fee_recipient.is_some() || args.validators_csv.is_some() {
        return Ok(());
    }
    for (given, flag) in [
        (args.gas_limit, "--gas-limit"),
        (args.registration_timestamp, "--registration-timestamp"),
    ] {
        if given.is_some() {
            return Err(CommandError::usage(format!(
                "{flag} is given, and no registration is planned"
            ))
            .hint("registrations need --fee-recipient ADDR, or a list with that column"));
        }
    }
    Ok(())
}

fn path(args: &KeygenArgs) -> PathBuf {
    args.output.clone().unwrap_or_else(|| {
        let stem = args.name.as_ref().map(json::Text::file_stem);
        format!("{}.plan.json", stem.unwrap_or_default()).into()
    })
}

fn write(args: &KeygenArgs, plan: Option<Plan>, cx: &mut Context) -> Result<(), CommandError> {
    let path = path(args);
    cx.refuse_taken(&path)?;
    let plan = match plan {
        Some(plan) => plan,
        None => {
            let created = args.created.unwrap_or_else(|| cx.clock.unix_seconds());
            let plan = make(args, created, cx)?;
            for warning in plan.warnings() {
                cx.ui.warn(warning);
            }
            for warning in cx
                .known(&plan)
                .iter()
                .flatten()
                .filter_map(KnownRow::warning)
            {
                cx.ui.warn(warning);
            }
            plan
        }
    };
    cx.write_new(&path, &json::pretty(plan.value())?)?;
    cx.remember(&plan, How::Planned);
    cx.ui.data(path.display());
    let file = path.display();
    cx.ui
        .next(format!("read it with `conclave plan show {file}`"));
    cx.ui.next(format!(
        "give it to every operator; each compares the plan code with another and runs `conclave run {file} --via COURIER`"
    ));
    Ok(())
}

fn make(args: &KeygenArgs, created: u64, cx: &mut Context) -> Result<Plan, CommandError> {
    let mut problems = Vec::new();
    let network = facts::network(args)
        .map_err(|problem| problems.push(problem))
        .ok();
    let roster = facts::cards(args, cx, &mut problems);
    // Without a network nobody knows what an amount means.
    let validators = match &network {
        Some(network) => facts::validators(args, network, created, cx, &mut problems),
        None => Vec::new(),
    };
    let mut random = [0u8; 32];
    cx.rng.fill(&mut random)?;
    let threshold = args
        .threshold
        .unwrap_or_else(|| default_threshold(roster.len()) as u64);
    if roster.len() == args.cards.len() {
        let danger = args.danger_low_threshold;
        problems.extend(threshold_problem(roster.len(), threshold, danger));
    }
    // The plan's own checks speak of what was read; with a part missing they would mislead.
    let plan = match (network, &args.name) {
        (Some(network), Some(name)) if problems.is_empty() => Plan::draft(Draft {
            name: name.clone(),
            created,
            network,
            threshold,
            roster,
            validators,
            keystores: args
                .keystores
                .map_or(KdfChoice::Scrypt, flags::Keystores::kdf),
            backups: args.backups.map(flags::BackupRule::rule),
            danger_low_threshold: args.danger_low_threshold,
            random,
        })
        .map_err(|error| {
            // One problem may stand at every validator alike.
            problems.extend(error.to_string().lines().map(str::to_owned));
        }),
        _ => Err(()),
    };
    plan.map_err(|()| {
        let error = CommandError::of(
            ErrorCode::PLAN_INVALID,
            "the plan cannot be made so; nothing was written",
        );
        problems.into_iter().fold(error, CommandError::cause)
    })
}
