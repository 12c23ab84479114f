//! `run`: take part in a ceremony.

use std::path::PathBuf;
use std::sync::Arc;

use super::Context;
use super::error::{CommandError, ErrorCode, Kind};
use super::expect::Expected;
use super::page::Page;
use super::progress::Progress;
use super::restored;
use super::stopped;
use super::via::Via;
use crate::ambient::OsRandomness;
use crate::artifacts::{self, Keystores, Recorded, Request};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::Plan;
use crate::driver::{self, Ran, Standing};
use crate::ethereum::keystore::KdfChoice;
use crate::hash::Digest;
use crate::secret::Passphrase;
use crate::store::home::Home;
use crate::store::seat::{Seat, Turn, own_card, spend_if_done};
use crate::store::vault::{Marker, Vault};
use crate::wire::code::Code;
use crate::wire::envelope;
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Example, on every operator's machine in turn, the stick at /media/stick:
  conclave run pool.plan.json --via /media/stick

Reads the plan, the home and the messages on the stick. Writes the home, own messages to the stick
and, at the end, the operator's files to --out. Exit code 3 says that others are awaited: pass the
stick on and run the same command when it comes back.";

/// Take part in a ceremony: do all that can be done now
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// The plan
    plan: PathBuf,
    #[command(flatten)]
    via: Via,
    /// The plan code that another operator reads to you: eight words
    #[arg(long, value_name = "WORDS")]
    accept_plan: Option<String>,
    /// Your own list of withdrawal and fee addresses, to compare the plan with
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Where your files go at the end [default: <plan name>-<8 characters of the ceremony id>]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How keystores are encrypted [default: as the plan says]
    #[arg(long, value_enum)]
    keystores: Option<KeystoreFormat>,
    /// One passphrase for all keystores [default: one each, in a file beside it]
    #[arg(long, value_name = "FILE")]
    keystore_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    restored: restored::Danger,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// How keystores are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum KeystoreFormat {
    /// scrypt, N = 2^18: slow to attack, slow to load
    Scrypt,
    /// PBKDF2, 2^18 rounds: faster to load
    Pbkdf2,
    /// No keystores; the shares stay in the vault
    None,
}

impl KeystoreFormat {
    /// The KDF, unless there is to be no keystore.
    pub(super) fn kdf(self) -> Option<KdfChoice> {
        match self {
            Self::Scrypt => Some(KdfChoice::Scrypt),
            Self::Pbkdf2 => Some(KdfChoice::Pbkdf2),
            Self::None => None,
        }
    }
}

/// The report as `--json` prints it.
#[derive(serde::Serialize)]
struct Report {
    cid: Digest,
    state: &'static str,
    sent: Vec<envelope::Kind>,
    received: usize,
    awaiting_deals: Vec<Index>,
    awaiting_confirms: Vec<Index>,
    abandoned_by: Vec<Index>,
    accused: Vec<Index>,
    evidence: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    if args.via.is_empty() {
        return Err(CommandError::usage("no courier is named")
            .hint("name the folder that carries the messages: --via /media/stick"));
    }
    let plan = cx.read_plan(&args.plan)?;
    if plan.is_rehearsal() {
        return Err(CommandError::of(
            ErrorCode::REHEARSAL_PLAN,
            "this is the plan of a rehearsal; its keys would be worth nothing and look real; nothing was sent",
        )
        .hint("take the plan that it was made from, or rehearse that: `conclave rehearse PLAN`"));
    }
    let mut couriers = args.via.couriers(cx)?;
    let passphrase = args
        .keystore_passphrase_file
        .as_deref()
        .map(|path| cx.passphrase_in(path))
        .transpose()?;
    let home = cx.open_home()?;
    own_card(&home, &plan)?;
    let turn = Turn::take(&home, &plan)?;
    restored::ask(cx, &home, &plan, &args.restored)?;
    accept(cx, args, &home, &turn, &plan)?;

    let mut seat = turn.seat()?;
    for damage in seat.damaged() {
        cx.ui.warn(format!(
            "a stored message is damaged and is passed over: {damage}"
        ));
    }
    let progress = Progress::new(cx.global.quiet);
    let ran = driver::run(
        &mut seat,
        &plan,
        &mut couriers,
        &mut OsRandomness,
        &progress,
    );
    progress.clear();
    let ran = ran?;
    tell_moved(cx, &ran);
    let mut report = Report {
        cid: *plan.cid(),
        state: "waiting",
        sent: ran.sent.clone(),
        received: ran.moved.received,
        awaiting_deals: Vec::new(),
        awaiting_confirms: Vec::new(),
        abandoned_by: Vec::new(),
        accused: Vec::new(),
        evidence: Vec::new(),
        outcome_code: None,
        directory: None,
    };
    let end = match ran.standing {
        Standing::Complete { outcome, faults } => {
            report.state = "complete";
            let done = complete(
                cx,
                args,
                &home,
                &seat,
                &plan,
                &outcome,
                passphrase.as_ref(),
                &mut report,
            );
            report.accused = faults.iter().map(|fault| fault.accused).collect();
            report.evidence = stopped::beside(cx, &home, &plan, &seat, &faults)?;
            done
        }
        Standing::Waiting { deals, confirms } => {
            let error = waiting(&plan, args, &deals, &confirms);
            (report.awaiting_deals, report.awaiting_confirms) = (deals, confirms);
            Err(error)
        }
        Standing::Stopped(stop) => {
            report.state = "stopped";
            report.accused = stop.faults.iter().map(|fault| fault.accused).collect();
            report.abandoned_by.clone_from(&stop.abandoned);
            let (error, evidence) = stopped::explain(&home, &plan, &seat, &stop)?;
            report.evidence = evidence;
            Err(error)
        }
    };
    spend_if_done(&home, &plan)?;
    if args.json {
        cx.ui.json(&report)?;
    }
    match ran.undelivered.into_iter().next() {
        // What waits here matters more than that others are awaited.
        Some(error)
            if end
                .as_ref()
                .err()
                .is_none_or(|end| end.kind() == Kind::Waiting) =>
        {
            Err(error.into())
        }
        _ => end,
    }
}

/// Shows the plan and takes the code, once.
fn accept(
    cx: &mut Context,
    args: &Args,
    home: &Home,
    turn: &Turn<'_>,
    plan: &Plan,
) -> Result<(), CommandError> {
    let vault = Vault::new(home);
    if vault.marker(plan.cid(), Marker::Accepted)?.is_some() {
        return Ok(());
    }
    let page = Page::of(plan);
    cx.ui.note(&page);
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
    Ok(turn.accept()?)
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

fn tell_moved(cx: &mut Context, ran: &Ran) {
    for note in ran.moved.refused.iter().chain(&ran.moved.left) {
        cx.ui.warn(note);
    }
    let sent: Vec<String> = ran.sent.iter().map(ToString::to_string).collect();
    if !sent.is_empty() {
        cx.ui.note(format!("made and stored: {}", sent.join(", ")));
    }
    cx.ui.note(format!(
        "{} message(s) came in, {} went out",
        ran.moved.received, ran.moved.sent
    ));
}

fn waiting(plan: &Plan, args: &Args, deals: &[Index], confirms: &[Index]) -> CommandError {
    let mut parts = Vec::new();
    for (what, missing) in [("deal", deals), ("confirm", confirms)] {
        if !missing.is_empty() {
            parts.push(format!("the {what} of {}", stopped::names(plan, missing)));
        }
    }
    CommandError::new(
        Kind::Waiting,
        format!("waiting for {}; nothing is wrong", parts.join(" and ")),
    )
    .hint(format!(
        "pass the messages on, then give the same command again: conclave run {}{}",
        args.plan.display(),
        args.via.flags()
    ))
}

/// Returns where this operator's files go, or went: twice the same keystores in two places would be
/// an invitation to run them twice.
fn directory(cx: &Context, args: &Args, home: &Home, plan: &Plan) -> Result<PathBuf, CommandError> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let Some(went) = Vault::new(home).marker(plan.cid(), Marker::Artifacts)? else {
        let name = format!("{}-{}", plan.name().file_stem(), plan.cid().short());
        return Ok(PathBuf::from(name));
    };
    let went = PathBuf::from(String::from_utf8_lossy(&went).into_owned());
    if cx.disk.kind(&went)?.is_some() {
        return Ok(went);
    }
    let text = format!(
        "the ceremony is complete, and your files were written to {}, where they are no more",
        went.display()
    );
    Err(CommandError::of(ErrorCode::FILES_CONFLICT, text).hint(
        "to write them again, name a directory with --out DIR; never run the same keystores twice",
    ))
}

/// Writes the artifacts, or verifies those that stand.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of `run`, cut out for length"
)]
fn complete(
    cx: &mut Context,
    args: &Args,
    home: &Home,
    seat: &Seat<'_>,
    plan: &Plan,
    outcome: &Outcome,
    passphrase: Option<&Passphrase>,
    report: &mut Report,
) -> Result<(), CommandError> {
    let directory = directory(cx, args, home, plan)?;
    let kdf = match args.keystores {
        Some(format) => format.kdf(),
        None => Some(plan.keystores()),
    };
    let list = seat.record();
    let codes = outcome.codes()?;
    let request = Request {
        plan,
        outcome,
        own: seat.shares(),
        keystores: match (kdf, passphrase) {
            (None, _) => Keystores::None,
            (Some(kdf), Some(passphrase)) => Keystores::Chosen(kdf, passphrase),
            (Some(kdf), None) => Keystores::Generated(kdf),
        },
        messages: Recorded {
            messages: seat.messages(),
            list: &list,
        },
        codes: &codes,
    };
    let progress = Progress::new(cx.global.quiet);
    let disk = Arc::clone(&cx.disk);
    let written = artifacts::write(&disk, &directory, &request, &mut OsRandomness, &progress);
    progress.clear();
    let written = written?;
    // Without a current folder it stays relative: then it says at least which name.
    let place = std::path::absolute(&directory).unwrap_or_else(|_| directory.clone());
    seat.mark(Marker::Artifacts, place.display().to_string().as_bytes())?;
    spend_if_done(home, plan)?;

    let verb = if written.already {
        "verified"
    } else {
        "written and read back"
    };
    cx.ui.note(format!(
        "the ceremony is complete; your files are {verb}, in {}:",
        directory.display()
    ));
    for (purpose, count, first) in written.by_purpose() {
        let more = if count > 1 {
            format!(" and {} more", count.saturating_sub(1))
        } else {
            String::new()
        };
        cx.ui
            .note(format!("  {}{more}: {purpose}", first.display()));
    }
    let code = codes.1.to_string();
    cx.ui
        .note("the outcome code, to be read to the other operators and written down:");
    if !args.json {
        cx.ui.data(&code);
    }
    cx.ui.next("load the keystores into your validator client, and deposit only after all operators read the same code");
    report.outcome_code = Some(code);
    report.directory = Some(directory.display().to_string());
    Ok(())
}
