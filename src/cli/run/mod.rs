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
use super::unlock;
use super::via::Via;
use crate::ambient::OsRandomness;
use crate::ceremony::plan::{Plan, PlanKind};
use crate::courier::{Courier, CourierError};
use crate::driver::{self, DriverError, Ran, Standing};
use crate::ethereum::keystore::KdfChoice;
use crate::store::home::Home;
use crate::store::keys::Recipient;
use crate::store::seat::{Seat, Turn, own_card, spend_if_done};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::envelope;
use crate::wire::roster::Index;
use crate::wire::tool::Tool;

mod accept;
mod awaited;
mod complete;
mod events;
mod policy;
mod signed;
mod stay;

use accept::{accept, accept_signing};
use awaited::Awaited;
use complete::{Completed, complete};
pub(super) use events::Events;
use events::{Event, State, Watch};
use policy::Policy;
use stay::Table;

const EXAMPLE: &str = "\
Example, on every operator's machine in turn, the stick at /media/stick:
  conclave run pool.plan.json --via /media/stick

Example, on every operator's machine at any time, until the ceremony ends:
  conclave run pool.plan.json --via https://relay.example

Reads the plan, the home and the messages on the stick or the relay. Writes the home, own messages to
the stick or the relay and, at the end, the operator's files to --out. Exit code 3 says that others
are awaited: pass the stick on and run the same command when it comes back. The same ceremony may
change its courier at any time, and use several at once: give --via again. Whatever ends this command,
the same command goes on from there.

Where the plan requires backups, the confirm waits until `conclave share check-backup` has found one
of your shares whole: exit code 3 then names the commands.

A plan of `conclave sign` is run alike, by as many operators as the threshold says. What is signed is
shown in words first. --policy names kinds that need no question, such as registrations: a file like
{\"version\": 1, \"sign_without_asking\": [\"registration\", \"deposit\"]}. Exits and changes of withdrawal
credentials always ask.";

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
    /// Sign the kinds of messages that FILE names without asking
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Write signed exits encrypted to this age recipient (age1...); may be given several times
    #[arg(long, value_name = "AGE_RECIPIENT", value_parser = unlock::recipient)]
    encrypt_to: Vec<Recipient>,
    #[command(flatten)]
    restored: restored::Danger,
    /// Stay until the ceremony ends, and look for messages again and again [default with a relay]
    #[arg(long)]
    watch: bool,
    /// Do what can be done now, then end [default with folders alone]
    #[arg(long, conflicts_with = "watch")]
    once: bool,
    /// Tell what happens as it happens: one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The keystores' KDF: as the flag says, else the plan. A signing ceremony has none.
    fn kdf(&self, plan: &Plan) -> Option<KdfChoice> {
        let planned = plan.keygen()?.keystores();
        self.keystores
            .map_or_else(|| Some(planned), KeystoreFormat::kdf)
    }

    /// Flags of the other kind of ceremony would do nothing.
    fn check_kind(&self, plan: &Plan) -> Result<(), CommandError> {
        let keygen = [
            (self.keystores.is_some(), "--keystores"),
            (
                self.keystore_passphrase_file.is_some(),
                "--keystore-passphrase-file",
            ),
        ];
        let sign = [
            (self.policy.is_some(), "--policy"),
            (!self.encrypt_to.is_empty(), "--encrypt-to"),
        ];
        let (useless, kind) = match plan.kind() {
            PlanKind::Keygen => (sign, "signing ceremonies"),
            PlanKind::Sign => (keygen, "key generation"),
        };
        match useless.iter().find(|(given, _)| *given) {
            Some((_, flag)) => Err(CommandError::usage(format!(
                "{flag} is for {kind}, and this plan is not of one"
            ))),
            None => Ok(()),
        }
    }

    /// Whether to stay until the end.
    fn stays(&self, couriers: &[Box<dyn Courier>]) -> bool {
        self.watch || (!self.once && couriers.iter().any(|courier| courier.follows()))
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
    args.check_kind(&plan)?;
    args.memory.check(args.kdf(&plan))?;
    let policy = args
        .policy
        .as_deref()
        .map(|path| Policy::read(cx, path))
        .transpose()?;
    let asks = !policy.is_some_and(|policy| policy.covers(&plan));
    let mut needs: Vec<Need> = cx.home_needs()?.into_iter().collect();
    if asks && args.accept_plan.is_none() && !cx.accepted(plan.cid())? {
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
    let accepted = match plan.sign() {
        None => {
            restored::ask(cx, &home, &plan, &args.restored)?;
            accept(cx, args, &home, &turn, &plan)?
        }
        // Signatures are the same whoever makes them again: a restored home says nothing else.
        Some(signing) => accept_signing(cx, args, &home, &turn, signing, asks)?,
    };
    events.tell(&Event::plan(&plan, own, accepted));

    let mut seat = turn.seat()?;
    for damage in seat.damaged() {
        let message = format!("a stored message is damaged and is passed over: {damage}");
        events.tell(&Event::Warning { message: &message });
        cx.ui.warn(message);
    }
    let stays = args.stays(&couriers);
    let mut table = Table::new(cx, &plan, own);
    let ran = if stays {
        stay(cx, &home, &mut seat, &mut couriers, events, &mut table)?
    } else {
        let ran = turn_once(cx, &mut seat, &mut couriers, events, false)?;
        tell_moved(cx, &ran);
        ran
    };
    tell_tools(cx, &plan, &seat, events);
    let end = match &ran.standing {
        Standing::Complete { outcome, faults } if plan.sign().is_some() => {
            let done = Completed {
                home: &home,
                seat: &seat,
                plan: &plan,
                outcome,
                faults,
            };
            signed::complete(cx, args, &done, events)
        }
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
        standing @ (Standing::Waiting { .. }
        | Standing::AwaitingBackup
        | Standing::AwaitingPartials(..)) => {
            events.stands(State::Waiting);
            let (words, to_do) = match Awaited::of(standing) {
                Some((awaited, faults)) => {
                    events.tell(&Event::waiting(&awaited));
                    stopped::so_far(cx, &home, &plan, &seat, faults)?;
                    (awaited.words(&plan), awaited.to_do(&plan))
                }
                None => Default::default(),
            };
            Err(waiting(args, &words, to_do))
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
    if stays
        && !ran.undelivered.is_empty()
        && let Err(error) = &end
    {
        // It may take long until it is said at the end.
        cx.ui.warn(error.message());
    }
    let undelivered = match stays {
        // Others wait for what did not leave, and nobody else can send it.
        true => deliver(
            cx,
            &mut seat,
            &mut couriers,
            ran.undelivered,
            events,
            &mut table,
        )?,
        false => ran.undelivered,
    };
    if end.is_ok() && undelivered.is_empty() {
        driver::finished(&seat, &mut couriers);
    }
    match undelivered.into_iter().next() {
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

/// Does all that can be done now.
fn turn_once(
    cx: &Context,
    seat: &mut Seat<'_>,
    couriers: &mut [Box<dyn Courier>],
    events: &Events,
    stays: bool,
) -> Result<Ran, DriverError> {
    let bar = Progress::of(cx.global.quiet, seat.plan());
    let watch = Watch {
        bar: &bar,
        events,
        stays,
    };
    let ran = driver::run(seat, couriers, &mut OsRandomness, &watch);
    bar.clear();
    ran
}

/// Does all that can be done, and waits for more, until nothing more is awaited. Couriers that fail
/// are tried again for as long as it takes.
fn stay(
    cx: &mut Context,
    home: &Home,
    seat: &mut Seat<'_>,
    couriers: &mut [Box<dyn Courier>],
    events: &Events,
    table: &mut Table<'_>,
) -> Result<Ran, CommandError> {
    let (mut told, mut blamed): (Option<Awaited>, usize) = (None, 0);
    loop {
        let (awaited, idle) = match turn_once(cx, seat, couriers, events, true) {
            Ok(ran) => {
                table.warn_once(cx, ran.moved.refused.iter().chain(&ran.moved.left));
                if let Some(error) = ran.undelivered.iter().find(|error| !error.passes()) {
                    table.clear();
                    return Err(error.clone().into());
                }
                table.made(cx, &ran.sent);
                table.failing(cx, ran.undelivered.iter());
                let idle = ran.moved.received == 0 && ran.moved.sent == 0;
                let Some((awaited, faults)) = Awaited::of(&ran.standing) else {
                    table.clear();
                    return Ok(ran);
                };
                events.stands(State::Waiting);
                if blamed < faults.len() {
                    table.clear();
                    stopped::so_far(cx, home, seat.plan(), seat, faults)?;
                    blamed = faults.len();
                }
                let words = awaited.words(seat.plan());
                if told.as_ref() != Some(&awaited) {
                    events.tell(&Event::waiting(&awaited));
                    for step in awaited.to_do(seat.plan()) {
                        table.clear();
                        cx.ui.next(format!("in another terminal, {step}"));
                    }
                    told = Some(awaited);
                }
                (Some(words), idle)
            }
            Err(DriverError::Courier(error)) if error.passes() => {
                table.failing(cx, std::iter::once(&error));
                (None, true)
            }
            Err(error) => {
                table.clear();
                return Err(error.into());
            }
        };
        table.waiting(cx, seat, awaited.as_deref());
        let begun = cx.clock.elapsed();
        let here = told.as_ref().is_some_and(|awaited| awaited.backup);
        driver::wait(seat, couriers, stay::longest(couriers.len(), here));
        // Who says that there is news, and has none, is not asked again at once.
        let waited = cx.clock.elapsed().saturating_sub(begun);
        if idle {
            std::thread::sleep(stay::SHORTEST.saturating_sub(waited));
        }
    }
}

/// Hands over what others still need, for as long as it takes.
fn deliver(
    cx: &mut Context,
    seat: &mut Seat<'_>,
    couriers: &mut [Box<dyn Courier>],
    mut undelivered: Vec<CourierError>,
    events: &Events,
    table: &mut Table<'_>,
) -> Result<Vec<CourierError>, CommandError> {
    while !undelivered.is_empty() && undelivered.iter().all(CourierError::passes) {
        table.handing_over(cx);
        table.failing(cx, undelivered.iter());
        driver::wait(seat, couriers, stay::longest(couriers.len(), false));
        undelivered = match turn_once(cx, seat, couriers, events, true) {
            Ok(ran) => ran.undelivered,
            Err(DriverError::Courier(error)) if error.passes() => vec![error],
            Err(error) => return Err(error.into()),
        };
    }
    table.failing(cx, undelivered.iter());
    Ok(undelivered)
}

fn tell_moved(cx: &mut Context, ran: &Ran) {
    for note in ran.moved.refused.iter().chain(&ran.moved.left) {
        cx.ui.warn(note);
    }
    tell_made(cx, &ran.sent);
    cx.ui.note(format!(
        "{} message(s) came in, {} went out",
        ran.moved.received, ran.moved.sent
    ));
}

fn tell_made(cx: &mut Context, made: &[envelope::Kind]) {
    let made: Vec<String> = made.iter().map(ToString::to_string).collect();
    if !made.is_empty() {
        cx.ui.note(format!("made and stored: {}", made.join(", ")));
    }
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

/// `to_do`: what this operator has to do first, if others are not awaited yet.
fn waiting(args: &Args, awaited: &str, to_do: Vec<String>) -> CommandError {
    let own = !to_do.is_empty();
    let error = CommandError::new(
        Kind::Waiting,
        format!("waiting for {awaited}; nothing is wrong"),
    );
    let error = to_do.into_iter().fold(error, CommandError::hint);
    error.hint(format!(
        "{}give the same command again: conclave run {}{}",
        if own {
            "then "
        } else if args.via.has_folder() {
            "pass the messages on, then "
        } else {
            "later, "
        },
        args.plan.display(),
        args.via.flags()
    ))
}
