//! `sign`: plans for signatures by keys of a cluster, and the check of anyone's signed messages.

mod objects;
mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Context;
use super::audit::{Audited, examine, verdict};
use super::error::{CommandError, ErrorCode};
use super::known::KnownRow;
use super::progress::Progress;
use super::status::find;
use super::values;
use crate::ambient::Randomness as _;
use crate::audit;
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::{
    ClusterRef, KeygenPlan, MAX_PLAN_BYTES, Plan, PlanError, SignDraft, SignMessage,
};
use crate::ceremony::{Messages, MessagesError};
use crate::crypto::point::G1;
use crate::json::{self, Text};
use crate::store::disk;
use crate::store::folder::BoardFolder;
use crate::store::known::How;
use objects::{BlsChangeArgs, DepositArgs, ExitArgs, Listed, RegistrationArgs};

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(super) enum SignCommand {
    Exit(ExitArgs),
    BlsChange(BlsChangeArgs),
    Registration(RegistrationArgs),
    Deposit(DepositArgs),
    Verify(verify::VerifyArgs),
}

/// What every signing plan needs.
#[derive(Debug, Clone, Args)]
struct PlanArgs {
    /// The cluster: its ceremony in this home (the start of its id, its name, or its plan's file), or
    /// its record's directory
    #[arg(long, value_name = "CEREMONY|RECORD")]
    cluster: String,
    /// What is signed, as a list: one row a message
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// What people call the ceremony, up to 64 characters [default: the cluster's name and the kind]
    #[arg(long, value_name = "NAME", value_parser = values::text)]
    name: Option<Text>,
    /// The time of the plan, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECS")]
    created: Option<u64>,
    /// Write the plan to FILE [default: NAME.plan.json in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(command: &SignCommand, cx: &mut Context) -> Result<(), CommandError> {
    match command {
        SignCommand::Exit(args) => make(&args.plan, args, "exits", cx),
        SignCommand::BlsChange(args) => make(&args.plan, args, "withdrawal credentials", cx),
        SignCommand::Registration(args) => make(&args.plan, args, "registrations", cx),
        SignCommand::Deposit(args) => make(&args.plan, args, "deposits", cx),
        SignCommand::Verify(args) => verify::run(args, cx),
    }
}

/// The cluster that is to sign.
struct Cluster {
    plan: Plan,
    outcome: KeygenOutcome,
}

impl Cluster {
    fn plan(&self) -> Result<KeygenPlan<'_>, CommandError> {
        self.plan.keygen().ok_or_else(not_a_cluster)
    }

    /// Every validator's position, by its position and by its key as people write it.
    fn positions(&self) -> BTreeMap<String, usize> {
        let keys = self.outcome.sharing().group_keys().enumerate();
        keys.flat_map(|(position, key)| {
            [
                (position.to_string(), position),
                (json::encode_hex(&key.to_bytes()), position),
            ]
        })
        .collect()
    }
}

fn make(
    args: &PlanArgs,
    objects: &dyn Listed,
    what: &str,
    cx: &mut Context,
) -> Result<(), CommandError> {
    let cluster = cluster(&args.cluster, cx)?;
    let keygen = cluster.plan()?;
    if keygen.is_rehearsal() {
        return Err(CommandError::of(
            ErrorCode::REHEARSAL_PLAN,
            "this is a rehearsal's cluster: its operators are nobody; nothing was written",
        )
        .hint("name the cluster of a real ceremony"));
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => values::text(&format!("{} {what}", keygen.name()))
            .or_else(|_| values::text(what))
            .map_err(CommandError::usage)?,
    };
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| format!("{}.plan.json", name.file_stem()).into());
    cx.refuse_taken(&path)?;
    let created = args.created.unwrap_or_else(|| cx.clock.unix_seconds());
    let found = objects.objects(args.csv.as_deref(), &keygen, created, cx)?;
    let plan = draft(&cluster, name, created, found, cx)?;
    for warning in plan.warnings() {
        cx.ui.warn(warning);
    }
    let known = cx.known(&plan);
    for warning in known.iter().flatten().filter_map(KnownRow::warning) {
        cx.ui.warn(warning);
    }
    let pretty = json::pretty(plan.value())?;
    // Laid out, a plan may be over the limit that its canonical form keeps.
    let bytes = match pretty.len() > MAX_PLAN_BYTES {
        true => plan.bytes(),
        false => pretty.as_slice(),
    };
    cx.write_new(&path, bytes)?;
    cx.remember(&plan, How::Planned);
    cx.ui.data(path.display());
    let file = path.display();
    cx.ui
        .next(format!("read it with `conclave plan show {file}`"));
    cx.ui.next(format!(
        "give it to the operators; any {} of them compare the plan code and run `conclave run {file} --via COURIER`",
        plan.threshold()
    ));
    Ok(())
}

/// Makes the plan of what was found: each object with the validator that signs it, as it was named.
fn draft(
    cluster: &Cluster,
    name: Text,
    created: u64,
    found: Vec<objects::Object>,
    cx: &mut Context,
) -> Result<Plan, CommandError> {
    let positions = cluster.positions();
    let validators = cluster.outcome.sharing().validators();
    let mut problems = Vec::new();
    let mut signing: BTreeMap<usize, usize> = BTreeMap::new();
    let mut placed = Vec::with_capacity(found.len());
    for object in found {
        let named = object.validator.to_ascii_lowercase();
        let named = named.strip_prefix("0x").unwrap_or(&named);
        match positions.get(named) {
            Some(position) => {
                signing.insert(*position, 0);
                placed.push((*position, object.object));
            }
            None => problems.push(format!(
                "{}: the cluster has no validator {}; name its position from 0 to {}, or its key",
                object.place,
                json::excerpt(&object.validator, 100),
                validators.saturating_sub(1)
            )),
        }
    }
    if !problems.is_empty() {
        return Err(invalid(PlanError { problems }));
    }
    for (number, key) in signing.values_mut().enumerate() {
        *key = number;
    }
    let polynomials: Vec<&[G1]> = cluster.outcome.sharing().polynomials().collect();
    let keygen = cluster.plan()?;
    let mut random = [0u8; 32];
    cx.rng.fill(&mut random)?;
    let draft = SignDraft {
        name,
        created,
        network: keygen.network().clone(),
        threshold: keygen.threshold() as u64,
        roster: keygen
            .roster()
            .iter()
            .map(|operator| (operator.index, operator.card.clone()))
            .collect(),
        cluster: ClusterRef {
            cid: *keygen.cid(),
            outcome: cluster.outcome.hash()?,
        },
        keys: signing
            .keys()
            .filter_map(|position| Some((*position, polynomials.get(*position)?.to_vec())))
            .collect(),
        messages: placed
            .into_iter()
            .filter_map(|(position, object)| {
                let key = *signing.get(&position)?;
                Some(SignMessage { key, object })
            })
            .collect(),
        random,
    };
    Plan::draft_sign(draft).map_err(invalid)
}

fn invalid(error: PlanError) -> CommandError {
    let text = "the plan cannot be made so; nothing was written";
    let lines = error.to_string();
    lines.lines().map(str::to_owned).fold(
        CommandError::of(ErrorCode::PLAN_INVALID, text),
        CommandError::cause,
    )
}

fn not_a_cluster() -> CommandError {
    CommandError::of(
        ErrorCode::CLUSTER_UNKNOWN,
        "this is no ceremony that made keys; nothing was written",
    )
    .hint("name the ceremony that made the validators' keys, or its record")
}

/// Finds the cluster and audits its ceremony: a record, or what lies in this home.
fn cluster(name: &str, cx: &mut Context) -> Result<Cluster, CommandError> {
    let path = Path::new(name);
    let found = if cx.disk.kind(path)? == Some(disk::Kind::Directory) {
        examine(cx, path)?
    } else {
        let root = cx.home_root()?;
        let (glance, plan) = find(cx, &root, name)?;
        at_home(cx, &glance.board, plan)?
    };
    verdict(&found.report).map_err(|error| {
        error.hint(format!(
            "only a complete ceremony has a cluster that signs: see `conclave audit {name}` or `conclave status`"
        ))
    })?;
    let outcome = found.report.examination.outcome;
    let outcome = outcome.as_ref().and_then(|outcome| outcome.keygen());
    let outcome = outcome.cloned().ok_or_else(not_a_cluster)?;
    Ok(Cluster {
        plan: found.plan,
        outcome,
    })
}

/// Audits a ceremony's messages where they lie in the home; no passphrase is needed.
fn at_home(cx: &mut Context, board: &BoardFolder, plan: Plan) -> Result<Audited, CommandError> {
    let ids: Vec<String> = board
        .messages()?
        .into_iter()
        .map(|file| file.name)
        .collect();
    let progress = Progress::of(cx.global.quiet, &plan);
    let report = audit::audit(&plan, &ids, &Board(board), None, &progress);
    progress.clear();
    Ok(Audited {
        plan,
        report: report?,
        passed_over: Vec::new(),
    })
}

struct Board<'a>(&'a BoardFolder);

impl Messages for Board<'_> {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        let read = self.0.read(id);
        read.map_err(|error| MessagesError(error.to_string()))
    }
}
