//! `deposit check`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Context;
use super::error::CommandError;
use super::values::{self, counted};
use crate::ambient::Randomness as _;
use crate::ethereum::amount::{ETHEREUM, Gwei};
use crate::ethereum::deposit::{ForeignEntry, MAX_BYTES, check_entries, parse_entries};
use crate::ethereum::network::NetworkSpec;

const EXAMPLE: &str = "\
Reads: the deposit files.
Ends with 1 when an entry has an error; a warning alone is no failure.

Example:
  conclave deposit check deposit_data-1767225600.json --network hoodi";

/// Check deposit files of any tool
///
/// Checks what launchpads check and what they forget: fields, roots, amounts, credentials, network,
/// every signature, and what stands twice.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct CheckArgs {
    /// Deposit files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The network that the deposits are for, or its rehearsal such as hoodi-rehearsal
    #[arg(long, value_name = "NAME", value_parser = values::known_network)]
    network: Option<NetworkSpec>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: String,
    ok: bool,
    entries: usize,
    /// A decimal string: the sum may exceed the largest integer of our JSON.
    gwei: String,
    findings: Vec<Finding>,
    #[serde(skip)]
    sum: String,
}

#[derive(Serialize)]
struct Finding {
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pubkey: Option<String>,
    warning: bool,
    problem: String,
    #[serde(skip)]
    line: String,
}

pub(super) fn run(args: &CheckArgs, cx: &mut Context) -> Result<(), CommandError> {
    let mut reports = Vec::new();
    for file in &args.files {
        let report = check(file, args.network.as_ref(), cx)?;
        if !args.json {
            print(&report, cx);
        }
        reports.push(report);
    }
    if args.json {
        cx.ui.json(&serde_json::json!({ "files": reports }))?;
    }
    let bad = reports.iter().filter(|report| !report.ok).count();
    if bad > 0 {
        let all = counted(reports.len(), "deposit file");
        return Err(
            CommandError::failed(format!("{bad} of {all} failed; no file was changed"))
                .hint("do not submit deposits from a file that failed"),
        );
    }
    Ok(())
}

fn check(
    file: &Path,
    network: Option<&NetworkSpec>,
    cx: &mut Context,
) -> Result<Report, CommandError> {
    let entries = match cx.read(file, MAX_BYTES) {
        Ok(bytes) => parse_entries(&bytes).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (entries, findings) = match entries {
        Ok(entries) => {
            let mut seed = [0u8; 32];
            cx.rng.fill(&mut seed)?;
            let findings = check_entries(&entries, network, &seed);
            let findings = findings.into_iter().map(|finding| Finding {
                entry: Some(finding.entry),
                warning: finding.problem.is_warning(),
                problem: finding.problem.to_string(),
                line: finding.to_string(),
                pubkey: finding.pubkey,
            });
            (entries, findings.collect())
        }
        // Unreadable as a whole.
        Err(problem) => {
            let finding = Finding {
                entry: None,
                pubkey: None,
                warning: false,
                line: problem.clone(),
                problem,
            };
            (Vec::new(), vec![finding])
        }
    };
    let rules = network
        .map(NetworkSpec::rules)
        .or_else(|| entries.first()?.network().map(|network| network.rules))
        .unwrap_or(&ETHEREUM);
    let amounts = entries.iter().filter_map(ForeignEntry::amount);
    let sum = amounts.fold(Gwei(0), |sum, amount| Gwei(sum.0.saturating_add(amount.0)));
    Ok(Report {
        file: file.display().to_string(),
        ok: findings.iter().all(|finding: &Finding| finding.warning),
        entries: entries.len(),
        gwei: sum.0.to_string(),
        findings,
        sum: rules.display(sum),
    })
}

fn print(report: &Report, cx: &mut Context) {
    for finding in &report.findings {
        let level = if finding.warning { "warning" } else { "error" };
        cx.ui
            .data(format!("{}: {level}: {}", report.file, finding.line));
    }
    let verdict = if report.ok { "ok" } else { "FAILED" };
    let count = if report.entries == 1 {
        "entry"
    } else {
        "entries"
    };
    cx.ui.data(format!(
        "{}: {verdict}, {} {count}, {}",
        report.file, report.entries, report.sum
    ));
}
