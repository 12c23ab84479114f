//! `status`: where ceremonies stand and what to do next, for an operator's home, and for who looks
//! at a courier without one.
//!
//! Reads only: neither the home nor the other side of a courier is changed.

mod gather;
mod signing;
mod state;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::progress::Progress;
use super::stopped::names;
use super::via::{Via, quoted};
use crate::artifacts::RECORD;
use crate::ceremony::plan::{Plan, PlanKind, PlanWork};
use crate::courier::Courier;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::disk;
use crate::store::home::{Home, HomeError};
use crate::store::vault::{Glance, MAX_DETAIL_BYTES, Marker, glance};
use crate::wire::roster::Index;
pub(super) use gather::rows as operator_rows;
use gather::{Came, OperatorRow, Places, gather};
use state::{Hands, Next, State, View};
pub(super) use table::operators as operator_lines;

const EXAMPLE: &str = "\
Examples:
  conclave status
  conclave status 1f2e3d4c
  conclave status --via /media/stick

Reads the home, and needs no passphrase. A ceremony is named by the first characters of its id, by
its name, or by its plan's file. With --via it reads what lies there too and checks all that can be
checked without a secret; that needs no home, so the organiser and a witness see the same. Writes
nothing anywhere. Exit code 4: with --via, misbehaviour is proved.";

/// Plans are looked for in the current folder among this many files at most.
const MAX_PLANS_HERE: usize = 32;

/// Show where ceremonies stand, who is awaited and what to do next
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// One ceremony: the start of its id, its name, or its plan's file [default: all]
    ceremony: Option<String>,
    #[command(flatten)]
    via: Via,
    /// Show archived ceremonies of this home too
    #[arg(long)]
    all: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// The report.
#[derive(serde::Serialize)]
struct Report {
    ceremonies: Vec<Row>,
    notes: Vec<String>,
}

/// One ceremony.
#[derive(serde::Serialize)]
pub(super) struct Row {
    cid: Digest,
    name: Text,
    kind: PlanKind,
    rehearsal: bool,
    network: String,
    validators: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<usize>,
    threshold: usize,
    view: &'static str,
    state: &'static str,
    sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<u8>,
    awaiting: Vec<Index>,
    operators: Vec<OperatorRow>,
    came: Vec<Came>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<usize>,
    findings: Vec<String>,
    accused: Vec<Index>,
    noise: Vec<String>,
    only_there: usize,
    only_here: usize,
    evidence: Vec<String>,
    places: Vec<String>,
    next: Vec<Next>,
    #[serde(skip)]
    complete: bool,
}

/// A ceremony that was found somewhere.
struct Candidate {
    plan: Plan,
    glance: Option<Glance>,
    /// Directories at a courier.
    places: Vec<String>,
    /// The plan's file, if it was named.
    file: Option<PathBuf>,
}

/// This user's home, if there is one.
struct Mine {
    root: PathBuf,
    identity: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let mut notes = Vec::new();
    let mine = mine(args, cx, &mut notes)?;
    let mut couriers = args.via.couriers(cx)?;
    let named = match &args.ceremony {
        Some(name) if cx.disk.kind(Path::new(name)).ok().flatten() == Some(disk::Kind::File) => {
            Some(cx.read_plan(Path::new(name))?)
        }
        _ => None,
    };
    let mut found = BTreeMap::new();
    if let Some(mine) = &mine {
        at_home(cx, &mine.root, &mut found, &mut notes)?;
    }
    for courier in &couriers {
        at_courier(&**courier, &mut found, &mut notes)?;
    }
    let places: Vec<String> = found
        .values()
        .flat_map(|candidate| candidate.places.iter().cloned())
        .collect();
    choose(args, named, &mut found)?;
    let mut rows = Vec::new();
    for candidate in found.into_values() {
        let mut row = row(args, cx, &candidate, mine.as_ref(), &mut couriers)?;
        // That a neighbour is another ceremony is no news here.
        row.noise.retain(|noise| {
            !places
                .iter()
                .any(|place| *noise == format!("{place}: belongs to another ceremony"))
        });
        // Nor is what the notes say already.
        row.noise.retain(|noise| {
            let torn = noise.strip_suffix(": its plan.json cannot be read");
            !notes.iter().any(|note| {
                note == noise || torn.is_some_and(|place| note.starts_with(&format!("{place}: ")))
            })
        });
        rows.push(row);
    }
    let report = Report {
        ceremonies: rows,
        notes,
    };
    if args.json {
        cx.ui.json(&report)?;
    } else {
        tell(args, cx, &report);
    }
    judge(&report.ceremonies)
}

fn tell(args: &Args, cx: &mut Context, report: &Report) {
    for note in &report.notes {
        cx.ui.warn(note);
    }
    let rows = &report.ceremonies;
    if rows.is_empty() && args.via.is_empty() {
        cx.ui.note("this home takes part in no ceremony");
        cx.ui.next("conclave run PLAN --via FOLDER");
    } else if rows.is_empty() {
        cx.ui
            .note(format!("no ceremony lies there:{}", args.via.flags()));
        if !args.via.has_folder() {
            cx.ui
                .note("a relay holds no plans: name the plan's file to see a ceremony there");
        }
        cx.ui.next(format!(
            "put it there: conclave run PLAN{}",
            args.via.flags()
        ));
    }
    let width = cx.ui.width();
    if rows.len() > 1 {
        for row in rows {
            table::summary(row, width)
                .iter()
                .for_each(|line| cx.ui.data(line));
        }
        cx.ui.data("");
    }
    for (number, row) in rows.iter().enumerate() {
        for noise in &row.noise {
            cx.ui
                .warn(format!("{}: passed over: {noise}", row.cid.short()));
        }
        if number > 0 {
            cx.ui.data("");
        }
        table::lines(row, width)
            .iter()
            .for_each(|line| cx.ui.data(line));
    }
}

/// Misbehaviour that an audit proved is an exit code of its own.
fn judge(rows: &[Row]) -> Result<(), CommandError> {
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.accused.is_empty()).collect();
    let Some(first) = wrong.first() else {
        return Ok(());
    };
    if wrong.iter().all(|row| row.complete) {
        let text = format!(
            "misbehaviour is proved beside {}, which is complete and stays so",
            first.name.as_str()
        );
        return Err(CommandError::of(ErrorCode::MISBEHAVIOUR_BESIDE, text));
    }
    let names: Vec<&str> = wrong.iter().map(|row| row.name.as_str()).collect();
    let names = names.join(", ");
    let text = match wrong.iter().all(|row| row.kind == PlanKind::Sign) {
        true => format!("misbehaviour is proved in {names}; others can sign without the culprits"),
        false => format!("misbehaviour is proved in {names}; make no deposit for its keys"),
    };
    Err(CommandError::of(ErrorCode::MISBEHAVIOUR, text))
}

/// Looks for the home. With a courier it may be missing, unless it was named.
fn mine(args: &Args, cx: &Context, notes: &mut Vec<String>) -> Result<Option<Mine>, CommandError> {
    let optional = !args.via.is_empty() && cx.global.home.is_none();
    let root = match cx.home_root() {
        Ok(root) => root,
        Err(_) if optional => return Ok(None),
        Err(error) => return Err(error),
    };
    match Home::public(&*cx.disk, &root) {
        Ok(public) => Ok(Some(Mine {
            root,
            identity: public.identity,
        })),
        Err(HomeError::NoHome(_)) if optional => Ok(None),
        Err(error) if optional => {
            notes.push(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn at_home(
    cx: &Context,
    root: &Path,
    found: &mut BTreeMap<Digest, Candidate>,
    notes: &mut Vec<String>,
) -> Result<(), CommandError> {
    for glance in glance(&cx.disk, root)? {
        let cid = glance.cid;
        match open(glance) {
            Ok((glance, plan)) => {
                let candidate = Candidate {
                    plan,
                    glance: Some(glance),
                    places: Vec::new(),
                    file: None,
                };
                found.insert(cid, candidate);
            }
            Err(error) => notes.push(format!(
                "ceremony {} cannot be read: {}",
                cid.short(),
                error.message()
            )),
        }
    }
    Ok(())
}

fn at_courier(
    courier: &dyn Courier,
    found: &mut BTreeMap<Digest, Candidate>,
    notes: &mut Vec<String>,
) -> Result<(), CommandError> {
    let left = courier.ceremonies(&mut |shelved| match Plan::parse(&shelved.plan) {
        Ok(plan) => found
            .entry(*plan.cid())
            .or_insert_with(|| Candidate {
                plan,
                glance: None,
                places: Vec::new(),
                file: None,
            })
            .places
            .push(shelved.place),
        Err(error) => notes.push(format!("{}: no plan: {error}", shelved.place)),
    })?;
    notes.extend(left);
    Ok(())
}

/// Leaves what was asked for.
fn choose(
    args: &Args,
    named: Option<Plan>,
    found: &mut BTreeMap<Digest, Candidate>,
) -> Result<(), CommandError> {
    let Some(name) = &args.ceremony else {
        let archived = |candidate: &Candidate| {
            let glance = candidate.glance.as_ref();
            glance.is_some_and(|glance| glance.markers.contains(&Marker::Archived))
        };
        found.retain(|_, candidate| args.all || !archived(candidate));
        // What is over here and lies on no courier is no news to who asks about a courier.
        found.retain(|_, candidate| {
            args.via.is_empty()
                || !candidate.places.is_empty()
                || candidate
                    .glance
                    .as_ref()
                    .is_some_and(|glance| !glance.markers.contains(&Marker::Artifacts))
        });
        return Ok(());
    };
    if let Some(plan) = named {
        let cid = *plan.cid();
        // Without a courier, a plan that this home does not know is no ceremony of it.
        if !args.via.is_empty() || found.contains_key(&cid) {
            let candidate = found.entry(cid).or_insert_with(|| Candidate {
                plan,
                glance: None,
                places: Vec::new(),
                file: None,
            });
            candidate.file = Some(PathBuf::from(name));
        }
        found.retain(|key, _| *key == cid);
    } else {
        found.retain(|cid, candidate| {
            cid.to_string().starts_with(name.as_str()) || candidate.plan.name().as_str() == name
        });
    }
    match found.len() {
        1 => Ok(()),
        0 if args.via.is_empty() => Err(unknown(name)),
        0 => Err(CommandError::of(
            ErrorCode::CEREMONY_UNKNOWN,
            format!("no ceremony {name} lies there, and this home takes part in none of that name"),
        )
        .hint(format!(
            "`conclave status{}` lists what lies there",
            args.via.flags()
        ))),
        _ => Err(ambiguous(name)),
    }
}

fn unknown(name: &str) -> CommandError {
    CommandError::of(
        ErrorCode::CEREMONY_UNKNOWN,
        format!("this home takes part in no ceremony {name}"),
    )
    .hint("`conclave status` lists those it does")
}

pub(super) fn ambiguous(name: &str) -> CommandError {
    CommandError::of(
        ErrorCode::CEREMONY_AMBIGUOUS,
        format!("{name} names several ceremonies"),
    )
    .hint("give more characters of the id; `conclave status` lists them")
}

fn row(
    args: &Args,
    cx: &Context,
    candidate: &Candidate,
    mine: Option<&Mine>,
    couriers: &mut [Box<dyn Courier>],
) -> Result<Row, CommandError> {
    let plan = &candidate.plan;
    let me = mine.and_then(|mine| {
        let own =
            |card: &crate::wire::card::VerifiedCard| card.identity().to_string() == mine.identity;
        let mut roster = plan.roster().iter();
        roster
            .find(|operator| own(&operator.card))
            .map(|operator| operator.index)
    });
    let mut places = Places {
        home: candidate
            .glance
            .as_ref()
            .map(|glance| (&glance.board, glance.markers.clone(), &glance.arrivals)),
        backed_up: candidate
            .glance
            .as_ref()
            .is_some_and(|glance| glance.backed_up),
        me,
        couriers,
    };
    let progress = Progress::new(cx.global.quiet);
    let gathered = gather(plan, &mut places, &progress);
    progress.clear();
    let gathered = gathered?;
    let state = gathered.facts.state();
    let name_all = |indices: &[Index]| names(plan, indices);
    let hands = hands(args, cx, candidate, &state);
    let next = gathered.facts.next(&state, &hands, &name_all);
    let audited = gathered.facts.audited.unwrap_or_default();
    let (validators, messages) = match plan.work() {
        PlanWork::Keygen(plan) => (plan.validators().len(), None),
        PlanWork::Sign(plan) => (plan.positions().len(), Some(plan.messages().len())),
    };
    Ok(Row {
        cid: *plan.cid(),
        name: plan.name().clone(),
        kind: plan.kind(),
        rehearsal: plan.is_rehearsal(),
        network: plan.network().name().to_owned(),
        validators,
        messages,
        threshold: plan.threshold(),
        view: match gathered.facts.view {
            View::Operator => "operator",
            View::Witness => "witness",
        },
        state: state.word(),
        sentence: state.sentence(&name_all),
        round: state.round(),
        awaiting: state.awaited().to_vec(),
        operators: gathered.operators,
        came: gathered.came,
        checked: gathered.checked,
        findings: gathered.findings,
        accused: audited.accused,
        noise: gathered.noise,
        only_there: gathered.facts.only_there,
        only_here: gathered.facts.only_here,
        evidence: evidence(cx, candidate),
        places: candidate.places.clone(),
        next,
        complete: audited.complete,
    })
}

/// The commands, with the names of what is really there.
fn hands(args: &Args, cx: &Context, candidate: &Candidate, state: &State) -> Hands {
    let plan = &candidate.plan;
    let path = |path: &Path| quoted(&path.display().to_string());
    let home = match (&cx.global.home, &candidate.glance, state) {
        (Some(home), Some(_), _) | (Some(home), None, State::Invited) => {
            format!(" --home {}", path(home))
        }
        _ => String::new(),
    };
    let via = if args.via.is_empty() {
        " --via FOLDER".to_owned()
    } else {
        args.via.flags()
    };
    let on_shelf = candidate.places.first();
    let file = candidate
        .file
        .clone()
        .or_else(|| plan_here(cx, plan))
        .or_else(|| on_shelf.map(|place| Path::new(place).join("plan.json")))
        .or_else(|| {
            let glance = candidate.glance.as_ref();
            glance.map(|glance| glance.board.path().join("plan.json"))
        })
        .unwrap_or_else(|| PathBuf::from("PLAN"));
    let files = candidate.glance.as_ref().and_then(|glance| {
        let marker = glance
            .board
            .path()
            .parent()?
            .join(Marker::Artifacts.as_str());
        let went = cx.disk.read(&marker, MAX_DETAIL_BYTES).ok()?;
        let record = PathBuf::from(String::from_utf8(went).ok()?).join(RECORD);
        let stands = cx.disk.kind(&record).ok().flatten() == Some(disk::Kind::Directory);
        stands.then_some(record)
    });
    let checked = files.or_else(|| on_shelf.map(PathBuf::from));
    let audit = checked.map(|directory| format!("conclave audit {}", path(&directory)));
    Hands {
        carried: args.via.is_empty() || args.via.has_folder(),
        run: format!("conclave{home} run {}{via}", path(&file)),
        report: audit.as_ref().map(|audit| {
            format!(
                "{audit} --report {}-{}.html",
                plan.name().file_stem(),
                plan.cid().short()
            )
        }),
        audit,
        evidence: evidence(cx, candidate)
            .iter()
            .map(|file| format!("conclave audit {}", quoted(file)))
            .collect(),
        backup: format!("conclave{home} share backup {} -o FILE", plan.cid().short()),
        check_backup: format!("conclave{home} share check-backup FILE"),
        abandon: format!(
            "conclave{home} ceremony abandon {}{via}",
            plan.cid().short()
        ),
    }
}

/// Looks for the plan's file in the current folder: people keep it there.
fn plan_here(cx: &Context, plan: &Plan) -> Option<PathBuf> {
    let entries = cx.disk.list(Path::new(".")).ok()?;
    entries
        .into_iter()
        .filter(|entry| entry.kind == disk::Kind::File && entry.name.ends_with(".plan.json"))
        .take(MAX_PLANS_HERE)
        .map(|entry| PathBuf::from(entry.name))
        .find(|file| {
            cx.read_plan(file)
                .is_ok_and(|found| found.cid() == plan.cid())
        })
}

/// The evidence files that this home keeps of a ceremony.
fn evidence(cx: &Context, candidate: &Candidate) -> Vec<String> {
    let directory = candidate
        .glance
        .as_ref()
        .and_then(|glance| Some(glance.board.path().parent()?.join("evidence")));
    let entries = directory
        .as_ref()
        .and_then(|directory| cx.disk.list(directory).ok());
    let files = entries.into_iter().flatten();
    files
        .filter(|entry| entry.kind == disk::Kind::File)
        .filter_map(|entry| Some(directory.as_ref()?.join(entry.name).display().to_string()))
        .collect()
}

/// Finds one ceremony of the home by its id's start, its name, or its plan's file.
pub(super) fn find(cx: &Context, root: &Path, name: &str) -> Result<(Glance, Plan), CommandError> {
    let by_file = cx.read_plan(Path::new(name)).ok().map(|plan| *plan.cid());
    let mut found = Vec::new();
    for glance in glance(&cx.disk, root)? {
        // One that cannot be read does not hide the others; `status` names it.
        let Ok((glance, plan)) = open(glance) else {
            continue;
        };
        let matches = match by_file {
            Some(cid) => glance.cid == cid,
            None => glance.cid.to_string().starts_with(name) || plan.name().as_str() == name,
        };
        if matches {
            found.push((glance, plan));
        }
    }
    let several = found.len() > 1;
    match found.pop() {
        Some(found) if !several => Ok(found),
        Some(_) => Err(ambiguous(name)),
        None => Err(unknown(name)),
    }
}

fn open(glance: Glance) -> Result<(Glance, Plan), CommandError> {
    let plan = Plan::parse(&glance.board.plan_bytes()?)?;
    Ok((glance, plan))
}
