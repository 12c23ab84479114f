//! `plan show`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::{CommandError, ErrorCode};
use super::expect::Differences;
use super::known::KnownRow;
use super::page::Page;
use super::{Context, Expected};

const EXAMPLE: &str = "\
Reads: the plan, the list of --expect, and the book of known identities beside the home.
Ends with 1 when the list and the plan differ.

Example:
  conclave plan show pool.plan.json --expect our-addresses.txt";

/// Show a plan on one page, with its code
///
/// The code is what operators read to each other: whoever has the same eight words has the same
/// plan. It does not say that the plan is right: that is what the page is for.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct ShowArgs {
    /// The plan
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Compare withdrawal and fee addresses with your own list: one a line, # for comments
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    page: Page,
    ceremony_id: String,
    plan_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Differences>,
}

pub(super) fn run(args: &ShowArgs, cx: &mut Context) -> Result<(), CommandError> {
    let plan = cx.read_plan(&args.file)?;
    let expected = match &args.expect {
        Some(list) => Some(Expected::read(cx, list)?),
        None => None,
    };
    let known = cx.known(&plan);
    for warning in known.iter().flatten().filter_map(KnownRow::warning) {
        cx.ui.warn(warning);
    }
    let report = Report {
        page: Page::of(&plan).with_known(known),
        ceremony_id: plan.cid().to_string(),
        plan_code: plan.code()?.to_string(),
        differences: expected.as_ref().map(|list| list.differences(&plan)),
    };
    if args.json {
        cx.ui.json(&report)?;
    } else {
        cx.ui.data_page(&report.page);
        if let (Some(list), Some(differences)) = (&expected, &report.differences) {
            cx.ui.data("Your list of addresses");
            if differences.is_none() {
                cx.ui.data(format!("  equal, {} in all\n", list.count()));
            } else {
                cx.ui
                    .data(format!("  {}\n", differences.lines().join("\n  ")));
            }
        }
        cx.ui
            .data_page(format!("Plan code\n  {}", report.plan_code));
    }
    match report.differences {
        Some(differences) if !differences.is_none() => Err(CommandError::of(
            ErrorCode::ADDRESSES_DIFFER,
            "the plan's addresses are not those of the list",
        )
        .about(&args.file)),
        _ => Ok(()),
    }
}
