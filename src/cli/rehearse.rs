//! `rehearse`: a whole ceremony on this machine.

use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;

use super::Context;
use super::capacity::KeystoreMemory;
use super::error::CommandError;
use super::progress::Narration;
use super::run::KeystoreFormat;
use crate::ambient::OsRandomness;
use crate::ceremony::Stage;
use crate::rehearsal::{self, Options, RehearsalError, Report, World};
use crate::store::disk::peak_memory_bytes;

const EXAMPLE: &str = "\
Example:
  conclave rehearse ceremonies/keygen-3of4-hoodi.plan.json

Plays the plan with throw-away operators, real homes and a folder as the stick; then audits the
record, opens the keystores and lets them sign. Its copy of the plan carries the fork version of no
chain: nothing it makes is valid anywhere. Writes to --out only.";

/// Play a plan's whole ceremony on this machine, with throw-away operators
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(super) struct Args {
    /// The plan
    plan: PathBuf,
    /// Another number of operators
    #[arg(long, value_name = "N")]
    operators: Option<usize>,
    /// Another number of validators
    #[arg(long, value_name = "N")]
    validators: Option<usize>,
    /// How keystores are encrypted [default: as the plan says]
    #[arg(long, value_enum)]
    keystores: Option<KeystoreFormat>,
    #[command(flatten)]
    memory: KeystoreMemory,
    /// Where everything goes [default: rehearsals/<plan name>-<UTC time>]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Report as JSON, with times and memory
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let plan = cx.read_plan(&args.plan)?;
    let keygen = plan
        .keygen()
        .ok_or_else(|| RehearsalError::Kind(plan.kind()))?;
    let clock = Arc::clone(&cx.clock);
    let out = match &args.out {
        Some(out) => out.clone(),
        None => vacant(cx, plan.name().file_stem(), clock.unix_seconds())?,
    };
    let keystores = match args.keystores {
        Some(format) => format.kdf(),
        None => Some(keygen.keystores()),
    };
    args.memory.check(keystores)?;
    let validators = args.validators.unwrap_or(keygen.validators().len());
    let capacity = args.memory.prepared(keystores, validators, cx)?;
    let options = Options {
        operators: args.operators,
        validators: args.validators,
        keystores,
        capacity,
    };
    let narration = Narration::new(cx.global.quiet);
    let mut world = World {
        disk: Arc::clone(&cx.disk),
        clock: &*clock,
        randomness: &mut OsRandomness,
        narrator: &narration,
    };
    let report = rehearsal::rehearse(&plan, &out, options, &mut world)?;
    if args.json {
        return cx.ui.json(&json(&report));
    }
    tell(cx, &report, keystores.is_some());
    let seconds = clock.elapsed().as_secs_f64();
    cx.ui.note(format!("rehearsed in {seconds:.1} s"));
    cx.ui.next(format!(
        "look around in {}; then each operator makes an identity: conclave identity new",
        out.display()
    ));
    Ok(())
}

/// Returns the first free name in `rehearsals`: two rehearsals may start within one second.
fn vacant(cx: &Context, stem: String, seconds: u64) -> Result<PathBuf, CommandError> {
    let first = PathBuf::from("rehearsals").join(format!("{stem}-{}", utc(seconds)));
    let mut out = first.clone();
    for suffix in 2..100 {
        if cx.disk.kind(&out)?.is_none() {
            break;
        }
        out.clone_from(&first);
        out.as_mut_os_string().push(format!("-{suffix}"));
    }
    Ok(out)
}

fn tell(cx: &mut Context, report: &Report, keystores: bool) {
    let plan = &report.plan;
    cx.ui.note(format!(
        "{} operators made {} validator key(s) that none of them holds; any {} of them can sign",
        report.operators.len(),
        report.outcome.sharing().validators(),
        plan.threshold()
    ));
    for operator in &report.operators {
        let total: f64 = operator
            .stages
            .values()
            .map(std::time::Duration::as_secs_f64)
            .sum();
        cx.ui.data(format!(
            "{}  what {} would hold ({total:.2} s of computing)",
            operator.directory.display(),
            operator.name
        ));
    }
    cx.ui.data(format!(
        "{}  the public record; audited, it comes to the same outcome",
        report.record.display()
    ));
    let what = if keystores {
        "keystores were opened again and"
    } else {
        "shares"
    };
    cx.ui.note(format!(
        "{} of {} {what} signed the deposit of {} validator(s) to the same bytes",
        plan.threshold(),
        report.operators.len(),
        report.signed_with
    ));
    cx.ui.note(
        "this was a rehearsal: its deposits are valid on no chain, its keys are worth nothing",
    );
    cx.ui.note(format!("outcome code: {}", report.codes.1));
}

fn json(report: &Report) -> serde_json::Value {
    let operators: Vec<serde_json::Value> = report
        .operators
        .iter()
        .map(|operator| {
            let milliseconds = |stage| {
                let time = operator.stages.get(&stage).copied().unwrap_or_default();
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
            };
            let stages: serde_json::Map<String, serde_json::Value> = Stage::ALL
                .iter()
                .map(|stage| (stage.name().to_owned(), milliseconds(*stage).into()))
                .collect();
            serde_json::json!({
                "index": operator.index,
                "name": operator.name,
                "directory": operator.directory.display().to_string(),
                "stages_ms": stages,
            })
        })
        .collect();
    let mut object = serde_json::json!({
        "validators": report.outcome.sharing().validators(),
        "threshold": report.plan.threshold(),
        "cid": report.plan.cid(),
        "operators": operators,
        "record": report.record.display().to_string(),
        "signed_with": report.signed_with,
    });
    if let (Some(bytes), Some(object)) = (peak_memory_bytes(), object.as_object_mut()) {
        object.insert("peak_memory_bytes".into(), bytes.into());
    }
    object
}

/// `20261122T184500Z`; the clock of a machine without a network may be anything.
fn utc(seconds: u64) -> String {
    let moment = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (moment.date(), moment.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
