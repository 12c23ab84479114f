//! `audit`: recompute a ceremony's outcome without secrets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::error::{CommandError, ErrorCode, Kind};
use super::progress::Progress;
use crate::artifacts::record::RecordFiles;
use crate::artifacts::{RECORD, record, report};
use crate::audit::{self, Conclusion, Report};
use crate::ceremony::evidence::{Evidence, MAX_EVIDENCE_BYTES};
use crate::ceremony::outcome::{KeygenOutcome, Outcome};
use crate::ceremony::plan::{KeygenPlan, Plan};
use crate::hash::Digest;
use crate::store::disk::{self, Access};
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Example:
  conclave audit pool-1f2e3d4c/record --report pool.html
  conclave audit 3-wrong-shares-1.json

Reads a record, the ceremony's directory on a stick, or one evidence file; needs no home and no
secret. Writes nothing but the file of --report, which is never overwritten; the same audit writes
the same bytes. Exit code 0: complete and everything verifies; 3: not complete yet; 4: misbehaviour
proved.";

/// Recompute a ceremony's outcome from its public record, without secrets
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// A record's directory, or an evidence file
    record: PathBuf,
    /// Also write a report for people: one HTML file that needs nothing else
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Json {
    cid: Digest,
    conclusion: &'static str,
    messages: usize,
    findings: Vec<String>,
    accused: Vec<Index>,
    noise: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_code: Option<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    match cx.disk.kind(&args.record)? {
        Some(disk::Kind::File) => evidence(cx, args, &args.record),
        _ => whole_record(cx, args),
    }
}

fn whole_record(cx: &mut Context, args: &Args) -> Result<(), CommandError> {
    let found = examine(cx, &args.record)?;
    tell(cx, args, &found, false)?;
    verdict(&found.report)
}

/// A record that was read and audited.
pub(super) struct Audited {
    pub(super) plan: Plan,
    pub(super) report: Report,
    /// Files in it that count for nothing.
    pub(super) passed_over: Vec<String>,
}

impl Audited {
    /// The plan and the outcome of a ceremony that made keys and is complete.
    pub(super) fn keys(&self) -> Result<(KeygenPlan<'_>, &KeygenOutcome), CommandError> {
        let invalid = |why: &str| CommandError::of(ErrorCode::RECORD_INVALID, why);
        match (self.plan.keygen(), &self.report.examination.outcome) {
            (Some(plan), Some(Outcome::Keygen(outcome))) => Ok((plan, outcome)),
            (None, _) => Err(invalid("the record is of a ceremony that makes no keys")),
            _ => Err(invalid("the record has no outcome")),
        }
    }
}

/// Audits a record, a ceremony's directory on a stick, or the record of an operator's directory.
pub(super) fn examine(cx: &mut Context, path: &Path) -> Result<Audited, CommandError> {
    Ok(examine_files(cx, path)?.0)
}

/// [`examine`], with the files that were audited.
pub(super) fn examine_files(
    cx: &mut Context,
    path: &Path,
) -> Result<(Audited, RecordFiles), CommandError> {
    // An operator's directory holds the record; people name either.
    let inner = path.join(RECORD);
    let path = if cx.disk.kind(&inner)?.is_some() {
        &inner
    } else {
        path
    };
    let found = record::read_record(&Arc::clone(&cx.disk), path)?;
    let plan = Plan::parse(found.plan()).map_err(|error| CommandError::from(error).about(path))?;
    for ignored in found.ignored() {
        cx.ui.warn(format!("passed over: {ignored}"));
    }
    let progress = Progress::of(cx.global.quiet, &plan);
    let report = audit::audit(
        &plan,
        found.messages(),
        &found,
        found.outcome()?.as_deref(),
        &progress,
    );
    progress.clear();
    let audited = Audited {
        plan,
        report: report?,
        passed_over: found.ignored().to_vec(),
    };
    Ok((audited, found))
}

/// The end that an audited record comes to.
pub(super) fn verdict(report: &Report) -> Result<(), CommandError> {
    match report.conclusion() {
        Conclusion::Complete => Ok(()),
        Conclusion::Incomplete => Err(CommandError::new(
            Kind::Waiting,
            "the ceremony is not complete; nothing is wrong with what is there",
        )),
        Conclusion::Ended => Err(CommandError::of(
            ErrorCode::CEREMONY_STOPPED,
            "the ceremony ended without an outcome, and nobody is proved wrong",
        )),
        Conclusion::Misbehaviour
            if report.examination.outcome.is_some() && report.claim_holds != Some(false) =>
        {
            Err(CommandError::of(
                ErrorCode::MISBEHAVIOUR_BESIDE,
                "the ceremony is complete and its outcome is right; beside it, misbehaviour is proved",
            ))
        }
        Conclusion::Misbehaviour => Err(CommandError::new(
            Kind::Misbehaviour,
            "misbehaviour is proved; do not use what this ceremony made",
        )),
    }
}

fn evidence(cx: &mut Context, args: &Args, path: &Path) -> Result<(), CommandError> {
    let bytes = cx.disk.read(path, MAX_EVIDENCE_BYTES as u64)?;
    let (evidence, plan, messages) =
        Evidence::parse(&bytes).map_err(|error| CommandError::from(error).about(path))?;
    let report = audit::audit_evidence(&plan, &messages, &Progress::new(cx.global.quiet))?;
    let holds = audit::bears_out(&evidence, &report);
    let found = Audited {
        plan,
        report,
        passed_over: Vec::new(),
    };
    tell(cx, args, &found, true)?;
    if holds && !found.report.examination.faults.is_empty() {
        Err(CommandError::new(
            Kind::Misbehaviour,
            "the evidence holds: what it claims is proved",
        ))
    } else if holds {
        Err(CommandError::of(
            ErrorCode::CEREMONY_STOPPED,
            "the evidence holds: these messages end the ceremony, and prove nobody wrong",
        ))
    } else {
        Err(CommandError::of(
            ErrorCode::EVIDENCE_INVALID,
            "the evidence does not show what it claims; nobody is proved wrong by it",
        ))
    }
}

fn tell(
    cx: &mut Context,
    args: &Args,
    found: &Audited,
    evidence: bool,
) -> Result<(), CommandError> {
    let Audited {
        plan,
        report,
        passed_over,
    } = found;
    let findings = report.sentences(plan);
    let outcome = report.examination.outcome.as_ref();
    let (plan_code, outcome_code) = match outcome {
        Some(outcome) => {
            let (plan_code, outcome_code) = outcome.codes()?;
            (plan_code, Some(outcome_code))
        }
        None => (plan.code()?, None),
    };
    if let Some(file) = &args.report {
        let keygen = plan.keygen().ok_or_else(|| {
            CommandError::usage("a page is made of a keygen, and this is a signing ceremony")
                .hint("without --report the audit prints all that it found")
        })?;
        let page = report::page(&report::Source {
            plan: keygen,
            outcome: outcome.and_then(Outcome::keygen),
            plan_code: &plan_code,
            outcome_code: outcome_code.as_ref(),
            origin: report::Origin::Audit {
                report,
                passed_over,
                evidence,
            },
        });
        let written = cx
            .disk
            .create_or_same(file, page.as_bytes(), Access::Public);
        written.map_err(|error| {
            CommandError::from(error).hint("name another file with --report FILE.html")
        })?;
        cx.ui.note(format!("the report: {}", file.display()));
    }
    let outcome_code = outcome_code.map(|code| code.to_string());
    if args.json {
        let json = Json {
            cid: *plan.cid(),
            conclusion: match report.conclusion() {
                Conclusion::Complete => "complete",
                Conclusion::Incomplete => "incomplete",
                Conclusion::Ended => "ended",
                Conclusion::Misbehaviour => "misbehaviour",
            },
            messages: report.messages,
            findings,
            accused: report
                .examination
                .faults
                .iter()
                .map(|fault| fault.accused)
                .collect(),
            noise: report.noise.clone(),
            plan_code: Some(plan_code.to_string()),
            outcome_code,
        };
        return cx.ui.json(&json);
    }
    for noise in &report.noise {
        cx.ui
            .warn(format!("not a message of this ceremony: {noise}"));
    }
    cx.ui.data(format!(
        "{}: {} messages of {} operators",
        plan.name(),
        report.messages,
        plan.roster().len()
    ));
    if plan.is_rehearsal() {
        cx.ui
            .data("this is a rehearsal: its signatures are valid on no chain");
    }
    for finding in findings {
        cx.ui.data(finding);
    }
    cx.ui.data(format!("plan code: {plan_code}"));
    if let Some(code) = outcome_code {
        cx.ui.data(format!("outcome code: {code}"));
    }
    Ok(())
}
