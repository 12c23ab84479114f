//! `doctor`: is this machine fit for a ceremony?

mod host;
mod verdict;

use std::path::{Path, PathBuf};

use super::Context;
use super::error::CommandError;
use super::home::locale;
use super::layout::wrap;
use super::via::Via;
use crate::ceremony::plan::Plan;
use crate::memory::Locked;
use crate::store::home::{Home, HomeError};
use crate::store::medium;
use crate::store::vault::glance;
pub(super) use host::memory as free_memory;
use host::{HomeFound, Host, Room, Stick};
use verdict::{Line, Verdict, judge};

const EXAMPLE: &str = "\
Example:
  conclave doctor pool.plan.json --via /media/stick

One line for each check: what was found, what it means, what to do. Reads this machine, the home and
the plan; needs no network and no passphrase. Writes a file into the home and 4 MiB to each --via,
and removes both: killed in between, it leaves hidden files (.tmp-*-conclave) that no command takes
for anything. Exit code 1: a ceremony would fail here; warnings alone are 0.";

/// Room that is asked for without a plan, in bytes: 64 MiB.
const USUAL_BYTES: u64 = 64 << 20;

/// Check that this machine is fit for a ceremony
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// The plan, for the room that its messages take and its time
    plan: Option<PathBuf>,
    #[command(flatten)]
    via: Via,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    /// The worst of all.
    verdict: Verdict,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    checks: Vec<Line>,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let plan = args
        .plan
        .as_deref()
        .map(|path| cx.read_plan(path))
        .transpose()?;
    let folders = args.via.folders()?;
    for relay in args.via.relays() {
        cx.ui.note(format!(
            "{relay} is not tried here: `conclave status PLAN --via {relay}` asks it"
        ));
    }
    let host = examine(cx, plan.as_ref(), &folders);
    let checks = judge(&host);
    let worst = checks.iter().map(|line| line.verdict).max();
    let report = Report {
        verdict: worst.unwrap_or(Verdict::Ok),
        version: host.version,
        sha256: host.sha256.ok(),
        checks,
    };
    if args.json {
        cx.ui.json(&report)?;
    } else {
        let wide = cx.ui.width().unwrap_or(usize::MAX);
        for line in &report.checks {
            for part in wrap(&line.to_string(), "", wide) {
                cx.ui.data(part);
            }
        }
    }
    if report.verdict < Verdict::Problem {
        return Ok(());
    }
    let problems: Vec<&str> = report
        .checks
        .iter()
        .filter(|line| line.verdict == Verdict::Problem)
        .map(|line| line.check)
        .collect();
    Err(CommandError::failed(format!(
        "a ceremony would fail on this machine: {}",
        problems.join(", ")
    ))
    .hint("do what its line says, then give the same command again"))
}

/// Says where this machine may write memory in clear, if conclave could not lock its own.
pub(super) fn warn_of_swap(cx: &mut Context) {
    if cx.hardened.locked == Locked::All {
        return;
    }
    let swaps = host::swaps(&*cx.disk).unwrap_or_default();
    let plain: Vec<String> = swaps
        .into_iter()
        .filter(|swap| swap.kind == host::SwapKind::Plain)
        .map(|swap| swap.name)
        .collect();
    if !plain.is_empty() {
        cx.ui.warn(format!(
            "swap is on ({}) and memory could not be locked, so that secrets may be written there; {}",
            plain.join(", "),
            verdict::AGAINST_SWAP
        ));
    }
}

/// Asks for all facts.
fn examine(cx: &mut Context, plan: Option<&Plan>, folders: &[&Path]) -> Host {
    let disk = std::sync::Arc::clone(&cx.disk);
    let disk = &*disk;
    let root = cx.home_root().ok();
    let home = match &root {
        None => HomeFound::Missing(PathBuf::from("any place: this user has no data folder")),
        Some(root) => match Home::public(disk, root) {
            Ok(_) => host::home(disk, root),
            Err(HomeError::NoHome(path)) => HomeFound::Missing(path),
            Err(error) => HomeFound::Broken(error.to_string()),
        },
    };
    let carried = plan.map_or(USUAL_BYTES, |plan| {
        let messages = u64::try_from(plan.message_bytes()).unwrap_or(u64::MAX);
        messages.saturating_add(plan.bytes().len() as u64)
    });
    let mut rooms = Vec::new();
    if let Some(root) = &root {
        rooms.push(Room {
            what: "the home's disk",
            path: standing(cx, root),
            available: None,
            // Board, own messages and shares; then the record among this operator's files.
            needed: carried.saturating_mul(3),
        });
    }
    rooms.extend(folders.iter().map(|folder| Room {
        what: "the stick",
        path: folder.to_path_buf(),
        available: None,
        needed: carried,
    }));
    for room in &mut rooms {
        room.available = medium::space(&room.path).map(|space| space.available);
    }
    let youngest = youngest(cx, root.as_deref(), plan);
    let sticks = folders
        .iter()
        .map(|folder| Stick {
            path: folder.to_path_buf(),
            outcome: host::read_back(disk, folder, &mut cx.rng),
        })
        .collect();
    Host {
        interfaces: host::interfaces(),
        swaps: host::swaps(disk),
        core: host::core(disk),
        hardened: cx.hardened.clone(),
        now: cx.clock.unix_seconds(),
        youngest,
        rooms,
        entropy: host::entropy(disk, &mut cx.rng),
        terminal: host::terminal(cx.ui.width(), locale()),
        memory: host::memory(),
        home,
        sticks,
        version: env!("CARGO_PKG_VERSION"),
        sha256: host::program_sha256(disk),
    }
}

/// The nearest folder above that stands: where a home would be made.
fn standing(cx: &Context, path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute
        .ancestors()
        .find(|folder| cx.disk.kind(folder).ok().flatten().is_some())
        .unwrap_or(&absolute)
        .to_owned()
}

/// The youngest plan of the home's ceremonies and the one that was named.
fn youngest(cx: &Context, root: Option<&Path>, plan: Option<&Plan>) -> Option<(u64, String)> {
    let of = |plan: &Plan| (plan.created(), plan.name().as_str().to_owned());
    let known = root.and_then(|root| glance(&cx.disk, root).ok());
    known
        .into_iter()
        .flatten()
        .filter_map(|glance| Plan::parse(&glance.board.plan_bytes().ok()?).ok())
        .map(|plan| of(&plan))
        .chain(plan.map(of))
        .max()
}
