//! `run`: take part in a ceremony.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Context;
use super::capacity::KeystoreMemory;
use super::error::{CommandError, ErrorCode, Kind};
use super::needs::{self, Need};
use super::progress::Progress;
use super::restored;
use super::stopped;
use super::via::Via;
use crate::ambient::OsRandomness;
use crate::ceremony::plan::Plan;
use crate::driver::{self, Ran, Standing};
use crate::ethereum::keystore::KdfChoice;
use crate::store::seat::{Seat, Turn, own_card, spend_if_done};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::roster::Index;
use crate::wire::tool::Tool;

mod accept;
mod complete;
mod events;

use accept::accept;
use complete::{Completed, complete};
pub(super) use events::Events;
use events::{Event, State, Watch};

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
    memory: KeystoreMemory,
    #[command(flatten)]
    restored: restored::Danger,
    /// Tell what happens as it happens: one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The keystores' KDF: as the flag says, else the plan.
    fn kdf(&self, plan: &Plan) -> Option<KdfChoice> {
        self.keystores
            .map_or_else(|| Some(plan.keystores()), KeystoreFormat::kdf)
    }
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

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let events = Events::new(args.json.then(|| cx.ui.lines()));
    let done = take_part(args, cx, &events);
    events.end(&done);
    done
}

fn take_part(args: &Args, cx: &mut Context, events: &Events) -> Result<(), CommandError> {
    let plan = cx.read_plan(&args.plan)?;
    events.about(plan.cid());
    if plan.is_rehearsal() {
        return Err(CommandError::of(
            ErrorCode::REHEARSAL_PLAN,
            "this is the plan of a rehearsal; its keys would be worth nothing and look real; nothing was sent",
        )
        .hint("take the plan that it was made from, or rehearse that: `conclave rehearse PLAN`"));
    }
    args.memory.check(args.kdf(&plan))?;
    let mut needs: Vec<Need> = cx.home_needs()?.into_iter().collect();
    if args.accept_plan.is_none() && !cx.accepted(plan.cid())? {
        needs.push(needs::PLAN_CODE);
    }
    if args.via.is_empty() && !needs.is_empty() {
        needs.push(needs::COURIER);
    }
    cx.require(needs)?;
    if args.via.is_empty() {
        return Err(CommandError::usage("no courier is named")
            .hint("name the folder that carries the messages: --via /media/stick"));
    }
    let mut couriers = args.via.couriers(cx)?;
    let passphrase = args
        .keystore_passphrase_file
        .as_deref()
        .map(|path| cx.passphrase_in(path))
        .transpose()?;
    let home = cx.open_home()?;
    let own = own_card(&home, &plan)?.index;
    let turn = Turn::take(&home, &plan)?;
    restored::ask(cx, &home, &plan, &args.restored)?;
    let accepted = accept(cx, args, &home, &turn, &plan)?;
    events.tell(&Event::plan(&plan, own, accepted));

    let mut seat = turn.seat()?;
    for damage in seat.damaged() {
        let message = format!("a stored message is damaged and is passed over: {damage}");
        events.tell(&Event::Warning { message: &message });
        cx.ui.warn(message);
    }
    let bar = Progress::of(cx.global.quiet, &plan);
    let watch = Watch { bar: &bar, events };
    let ran = driver::run(&mut seat, &plan, &mut couriers, &mut OsRandomness, &watch);
    bar.clear();
    let ran = ran?;
    tell_moved(cx, &ran);
    tell_tools(cx, &plan, &seat, events);
    let end = match &ran.standing {
        Standing::Complete { outcome, faults } => {
            let done = Completed {
                home: &home,
                seat: &seat,
                plan: &plan,
                outcome,
                faults,
            };
            complete(cx, args, &done, passphrase.as_ref(), events)
        }
        Standing::Waiting { deals, confirms } => {
            events.stands(State::Waiting);
            events.tell(&Event::Waiting {
                awaiting_deals: deals,
                awaiting_confirms: confirms,
            });
            Err(waiting(&plan, args, deals, confirms))
        }
        Standing::Stopped(stop) => {
            events.stands(State::Stopped);
            let (error, evidence) = stopped::explain(&home, &plan, &seat, stop)?;
            events.tell(&Event::Stopped {
                accused: stop.faults.iter().map(|fault| fault.accused).collect(),
                abandoned_by: &stop.abandoned,
                evidence: &evidence,
            });
            Err(error)
        }
    };
    spend_if_done(&home, &plan)?;
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

/// Names the releases that others use. What an envelope says of it is not signed: it is told, and
/// decides nothing.
fn tell_tools(cx: &mut Context, plan: &Plan, seat: &Seat<'_>, events: &Events) {
    let own = plan.roster().by_identity(&seat.me().identity.public());
    let this = Tool::this();
    let mut others: BTreeMap<&str, Vec<Index>> = BTreeMap::new();
    for entry in seat.session().board().iter() {
        let foreign = own.is_none_or(|own| own.index != entry.sender);
        if let Some(tool) = entry.id.tool.as_ref().filter(|tool| **tool != this)
            && foreign
        {
            let senders = others.entry(tool.as_str()).or_default();
            if senders.last() != Some(&entry.sender) {
                senders.push(entry.sender);
            }
        }
    }
    for (tool, senders) in others {
        let message = format!(
            "messages of {} say that {tool} made them; this is {this}: both speak protocol {PROTOCOL_VERSION} and work together",
            stopped::names(plan, &senders)
        );
        events.tell(&Event::Warning { message: &message });
        cx.ui.warn(message);
    }
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
