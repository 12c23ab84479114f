//! `ceremony list` and `ceremony archive`.

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::status::find;
use super::values::utc;
use crate::ceremony::plan::{Plan, PlanKind};
use crate::hash::Digest;
use crate::json::Text;
use crate::store::home::Home;
use crate::store::vault::{Glance, Marker, Vault, glance};

const LIST_EXAMPLE: &str = "\
Reads: the home. Needs no passphrase.

Example:
  conclave ceremony list --json";

const ARCHIVE_EXAMPLE: &str = "\
Reads: the home. Writes: the mark `archived` in the ceremony's directory. Nothing is deleted or
moved: shares, board and all that this operator said stay where they are, and the ceremony never
deals again. `conclave ceremony list` and `conclave status --all` still show it.

Example:
  conclave ceremony archive 1f2e3d4c";

/// List the ceremonies of this home, archived ones too
#[derive(Debug, clap::Args)]
#[command(after_long_help = LIST_EXAMPLE)]
pub(super) struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Put a ceremony that has ended out of the daily list
#[derive(Debug, clap::Args)]
#[command(after_long_help = ARCHIVE_EXAMPLE)]
pub(super) struct ArchiveArgs {
    /// The ceremony: the start of its id, its name, or its plan's file
    ceremony: String,
}

/// Where a ceremony stands for this operator, as the home's markers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Files written and read back.
    Complete,
    /// Complete; the files are not written yet.
    CompleteWithoutFiles,
    /// This operator abandoned it or complained.
    Abandoned,
    /// Proved that it cannot become complete; this operator had not confirmed.
    Ended,
    /// This operator confirmed, and it is not complete here.
    Pending,
    /// Accepted, and not confirmed.
    UnderWay,
    /// Its plan cannot be read.
    Unreadable,
}

impl State {
    fn of(glance: &Glance) -> Self {
        let has = |marker| glance.markers.contains(&marker);
        if has(Marker::Artifacts) {
            Self::Complete
        } else if has(Marker::Complete) {
            Self::CompleteWithoutFiles
        } else if has(Marker::Confirmed) {
            Self::Pending
        } else if has(Marker::Abandoned) {
            Self::Abandoned
        } else if has(Marker::Ended) {
            Self::Ended
        } else {
            Self::UnderWay
        }
    }

    /// [`Self::words`] where the kind of ceremony is known: who signs does not confirm.
    const fn words_of(self, kind: Option<PlanKind>) -> &'static str {
        match (self, kind) {
            (Self::Pending, Some(PlanKind::Sign)) => "pending, you signed",
            _ => self.words(),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Complete => "complete, files written",
            Self::CompleteWithoutFiles => "complete, files not written yet",
            Self::Abandoned => "abandoned here",
            Self::Ended => "ended, cannot become complete",
            Self::Pending => "pending, you confirmed",
            Self::UnderWay => "under way",
            Self::Unreadable => "its plan cannot be read",
        }
    }
}

#[derive(serde::Serialize)]
struct Row {
    cid: Digest,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<PlanKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    state: State,
    archived: bool,
}

pub(super) fn list(args: &ListArgs, cx: &mut Context) -> Result<(), CommandError> {
    let root = cx.home_root()?;
    Home::public(&*cx.disk, &root)?;
    let mut rows = Vec::new();
    for glance in glance(&cx.disk, &root)? {
        let archived = glance.markers.contains(&Marker::Archived);
        let plan = glance
            .board
            .plan_bytes()
            .map_err(CommandError::from)
            .and_then(|bytes| Ok(Plan::parse(&bytes)?));
        rows.push(match plan {
            Ok(plan) => Row {
                cid: glance.cid,
                name: Some(plan.name().clone()),
                created: Some(plan.created()),
                kind: Some(plan.kind()),
                network: Some(plan.network().name().to_owned()),
                state: State::of(&glance),
                archived,
            },
            Err(error) => {
                cx.ui.warn(format!(
                    "the plan of ceremony {} cannot be read: {}",
                    glance.cid.short(),
                    error.message()
                ));
                Row {
                    cid: glance.cid,
                    name: None,
                    created: None,
                    kind: None,
                    network: None,
                    state: State::Unreadable,
                    archived,
                }
            }
        });
    }
    // The newest last, next to the prompt.
    rows.sort_by_key(|row| (row.created, row.cid));
    if args.json {
        return cx.ui.json(&serde_json::json!({ "ceremonies": rows }));
    }
    if rows.is_empty() {
        cx.ui.note("this home takes part in no ceremony");
        cx.ui.next("conclave run PLAN --via FOLDER");
    }
    for row in &rows {
        let name = row.name.as_ref().map_or("?", Text::as_str);
        let network = row.network.as_deref().unwrap_or("?");
        let created = row.created.map_or_else(|| "?".to_owned(), utc);
        let archived = if row.archived { ", archived" } else { "" };
        cx.ui.data(format!(
            "{}  {created}  {network}  {name}: {}{archived}",
            row.cid.short(),
            row.state.words_of(row.kind)
        ));
    }
    Ok(())
}

pub(super) fn archive(args: &ArchiveArgs, cx: &mut Context) -> Result<(), CommandError> {
    cx.require(cx.home_needs()?.into_iter().collect())?;
    let root = cx.home_root()?;
    let (glance, plan) = find(cx, &root, &args.ceremony)?;
    let state = State::of(&glance);
    let refused = |why: &str, hint: String| {
        let text = format!(
            "{} is {}: {why}; nothing was done",
            plan.name(),
            state.words_of(Some(plan.kind()))
        );
        Err(CommandError::of(ErrorCode::CEREMONY_OPEN, text).hint(hint))
    };
    let short = glance.cid.short();
    match state {
        State::Complete | State::Abandoned | State::Ended => {}
        State::CompleteWithoutFiles => {
            return refused(
                "your files come first",
                "write them: conclave run PLAN --via FOLDER".to_owned(),
            );
        }
        State::Pending => {
            return refused(
                "others may be complete with what you sent",
                "`conclave status` says who is awaited".to_owned(),
            );
        }
        State::UnderWay | State::Unreadable => {
            return refused(
                "only what has ended is archived",
                format!("leave it for good with `conclave ceremony abandon {short}`"),
            );
        }
    }
    if glance.markers.contains(&Marker::Archived) {
        cx.ui
            .note(format!("{} ({short}) is archived already", plan.name()));
        return Ok(());
    }
    let home = cx.open_home()?;
    let _turn = home.lock_ceremony(plan.cid())?;
    Vault::new(&home).mark(plan.cid(), Marker::Archived, b"")?;
    cx.ui.note(format!(
        "{} ({short}) is archived: nothing was deleted, and its shares stay in the vault",
        plan.name()
    ));
    Ok(())
}
