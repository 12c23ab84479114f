//! `status`: where the ceremonies of this home stand.

use std::path::Path;

use super::Context;
use super::error::{CommandError, ErrorCode};
use crate::ceremony::Messages as _;
use crate::ceremony::plan::Plan;
use crate::ceremony::session::{Registered, Session};
use crate::ceremony::step::SessionError;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::seat::BoardMessages;
use crate::store::vault::{Glance, Marker, glance};
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Example:
  conclave status
  conclave status 1f2e3d4c

Reads the home, and needs no passphrase. A ceremony is named by the first characters of its id, by
its name, or by its plan's file.";

/// Show where the ceremonies of this home stand
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// One ceremony: the start of its id, its name, or its plan's file [default: all]
    ceremony: Option<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// One ceremony's state.
#[derive(serde::Serialize)]
struct Row {
    cid: Digest,
    name: Text,
    state: &'static str,
    operators: Vec<OperatorRow>,
    next: String,
}

#[derive(serde::Serialize)]
struct OperatorRow {
    index: Index,
    name: Text,
    deal: &'static str,
    confirm: &'static str,
    complaints: usize,
    own: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    let own = crate::store::home::Home::public(&*cx.disk, &root)?.identity;
    let mut chosen = Vec::new();
    match &args.ceremony {
        Some(name) => chosen.push(find(cx, &root, name)?),
        None => {
            for glance in glance(&cx.disk, &root)? {
                let cid = glance.cid;
                match open(glance) {
                    Ok(found) => chosen.push(found),
                    Err(error) => cx.ui.warn(format!(
                        "ceremony {} cannot be read: {}",
                        cid.short(),
                        error.message()
                    )),
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (glance, plan) in chosen {
        rows.push(row(&glance, &plan, &own)?);
    }
    if args.json {
        return cx.ui.json(&serde_json::json!({ "ceremonies": rows }));
    }
    if rows.is_empty() {
        cx.ui.note("this home takes part in no ceremony");
        cx.ui.next("conclave run PLAN --via FOLDER");
    }
    for row in rows {
        cx.ui
            .data(format!("{}  {}  {}", row.cid.short(), row.name, row.state));
        let width = row
            .operators
            .iter()
            .map(|operator| operator.name.as_str().chars().count())
            .max()
            .unwrap_or(0);
        for operator in &row.operators {
            let mut line = format!(
                "  {:>4}  {:width$}  deal {:9}  confirm {:9}",
                operator.index.to_string(),
                operator.name.as_str(),
                operator.deal,
                operator.confirm
            );
            if operator.complaints > 0 {
                line.push_str(&format!("  complaints {}", operator.complaints));
            }
            if operator.own {
                line.push_str("  (you)");
            }
            cx.ui.data(line.trim_end());
        }
        cx.ui.data(format!("  next: {}", row.next));
    }
    Ok(())
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
        Some(_) => Err(CommandError::of(
            ErrorCode::CEREMONY_AMBIGUOUS,
            format!("{name} names several ceremonies of this home"),
        )
        .hint("give more characters of the id; `conclave status` lists them")),
        None => Err(CommandError::of(
            ErrorCode::CEREMONY_UNKNOWN,
            format!("this home takes part in no ceremony {name}"),
        )
        .hint("`conclave status` lists those it does")),
    }
}

fn open(glance: Glance) -> Result<(Glance, Plan), CommandError> {
    let plan = Plan::parse(&glance.board.plan_bytes()?)?;
    Ok((glance, plan))
}

fn row(glance: &Glance, plan: &Plan, own: &str) -> Result<Row, CommandError> {
    let mut session = Session::new(plan);
    let messages = BoardMessages(glance.board.clone());
    for file in glance.board.messages()? {
        let bytes = messages.load(&file.name).map_err(SessionError::from)?;
        // Damage is told by `run`; what is not a message does not change where things stand.
        let (Registered::New | Registered::Known | Registered::Noise(_)) =
            session.register(&bytes, &file.name);
    }
    let board = session.board();
    let operators: Vec<OperatorRow> = plan
        .roster()
        .iter()
        .map(|operator| {
            let index = operator.index;
            let (confirms, abandons) =
                (board.confirms(index).count(), board.abandons(index).count());
            OperatorRow {
                index,
                name: operator.card.name().clone(),
                deal: count(board.deals(index).count()),
                confirm: if confirms == 0 && abandons > 0 {
                    "abandoned"
                } else {
                    count(confirms)
                },
                complaints: board
                    .complaints()
                    .filter(|entry| entry.sender == index)
                    .count(),
                own: operator.card.identity().to_string() == own,
            }
        })
        .collect();
    let has = |marker| glance.markers.contains(&marker);
    let state = if has(Marker::Artifacts) {
        "complete, files written"
    } else if has(Marker::Complete) {
        "complete, files not written yet"
    } else if has(Marker::Ended) && has(Marker::Confirmed) {
        "stopped and pending: you confirmed, so your shares are kept (`conclave run` says why)"
    } else if has(Marker::Ended) {
        "stopped: it cannot become complete (`conclave run` says why)"
    } else if has(Marker::Abandoned) {
        "ended here: you abandoned it or complained"
    } else if operators
        .iter()
        .any(|operator| operator.confirm == "abandoned")
    {
        "stopped: abandoned"
    } else if has(Marker::Confirmed) {
        "pending: your shares are stored and you confirmed"
    } else if has(Marker::Shares) {
        "your shares are stored, you did not confirm yet"
    } else {
        "under way"
    };
    let next = if has(Marker::Artifacts) {
        "nothing; keep the record, and your shares".to_owned()
    } else if has(Marker::Ended) || has(Marker::Abandoned) || state == "stopped: abandoned" {
        "nothing more can be done in this ceremony; a new plan is needed".to_owned()
    } else {
        "conclave run PLAN --via FOLDER, when the messages come back".to_owned()
    };
    Ok(Row {
        cid: glance.cid,
        name: plan.name().clone(),
        state,
        operators,
        next,
    })
}

fn count(messages: usize) -> &'static str {
    match messages {
        0 => "-",
        1 => "yes",
        _ => "TWICE",
    }
}
