//! `plan check`.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::values::counted;
use crate::ceremony::plan::{MAX_PLAN_BYTES, Plan};

const EXAMPLE: &str = "\
Reads: the plan.
Ends with 1 when the plan has a problem.

Example:
  conclave plan check pool.plan.json";

/// Check a plan and list every problem
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct CheckArgs {
    /// The plan
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs, cx: &mut Context) -> Result<(), CommandError> {
    let bytes = cx.read(&args.file, MAX_PLAN_BYTES)?;
    let (problems, warnings) = match Plan::parse(&bytes) {
        Ok(plan) => {
            let warnings = plan.warnings();
            (
                Vec::new(),
                warnings.iter().map(ToString::to_string).collect(),
            )
        }
        Err(error) => (error.problems, Vec::<String>::new()),
    };
    if args.json {
        cx.ui.json(&serde_json::json!({
            "ok": problems.is_empty(),
            "problems": problems,
            "warnings": warnings,
        }))?;
    } else {
        for problem in &problems {
            cx.ui.data(problem);
        }
        if problems.is_empty() {
            cx.ui.data("ok");
        }
        for warning in &warnings {
            cx.ui.warn(warning);
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let count = counted(problems.len(), "problem");
    Err(CommandError::of(
        ErrorCode::PLAN_INVALID,
        format!("the plan has {count}; it cannot be run"),
    )
    .about(&args.file))
}
