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
use super::plan_new::card;
use super::progress::Progress;
use super::share::{imported_file, imports};
use super::status::{ambiguous, find};
use super::values;
use crate::ambient::Randomness as _;
use crate::audit;
use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::plan::{ClusterRef, MAX_PLAN_BYTES, Plan, PlanError, SignDraft, SignMessage};
use crate::ceremony::{Messages, MessagesError};
use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::ethereum::network::NetworkSpec;
use crate::json::{self, Text};
use crate::store::disk;
use crate::store::folder::BoardFolder;
use crate::store::known::How;
use crate::wire::card::VerifiedCard;
use crate::wire::roster::Index;
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
    /// The cluster: its ceremony in this home (the start of its id, its name, or its plan's file), its
    /// record's directory, or an imported cluster of this home or its file
    #[arg(long, value_name = "CEREMONY|RECORD")]
    cluster: String,
    /// Of an imported cluster, which has no cards: the card of each operator; INDEX=FILE sets its
    /// index, else it is the position from 1
    #[arg(long = "card", value_name = "[INDEX=]FILE")]
    cards: Vec<String>,
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
    name: Text,
    network: NetworkSpec,
    roster: Vec<(Index, VerifiedCard)>,
    reference: ClusterRef,
    sharing: Sharing,
}

impl Cluster {
    /// Every validator's position, by its position and by its key as people write it.
    fn positions(&self) -> BTreeMap<String, usize> {
        let keys = self.sharing.group_keys().enumerate();
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
    let cluster = cluster(args, cx)?;
    if cluster.network.is_rehearsal() {
        return Err(CommandError::of(
            ErrorCode::REHEARSAL_PLAN,
            "this is a rehearsal's cluster: its operators are nobody; nothing was written",
        )
        .hint("name the cluster of a real ceremony"));
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => values::text(&format!("{} {what}", cluster.name))
            .or_else(|_| values::text(what))
            .map_err(CommandError::usage)?,
    };
    let path = args
        .output
        .clone()
        .unwrap_or_else(|| format!("{}.plan.json", name.file_stem()).into());
    cx.refuse_taken(&path)?;
    let created = args.created.unwrap_or_else(|| cx.clock.unix_seconds());
    let found = objects.objects(args.csv.as_deref(), &cluster.network, created, cx)?;
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
    let validators = cluster.sharing.validators();
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
    let polynomials: Vec<&[G1]> = cluster.sharing.polynomials().collect();
    let mut random = [0u8; 32];
    cx.rng.fill(&mut random)?;
    let draft = SignDraft {
        name,
        created,
        network: cluster.network.clone(),
        threshold: cluster.sharing.threshold() as u64,
        roster: cluster.roster.clone(),
        cluster: cluster.reference,
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

/// Finds the cluster and audits its ceremony: a record, or what lies in this home. One that was made
/// elsewhere is taken from its file, or as this home took it in.
fn cluster(args: &PlanArgs, cx: &mut Context) -> Result<Cluster, CommandError> {
    let name = args.cluster.as_str();
    let path = Path::new(name);
    let kind = cx.disk.kind(path)?;
    if kind != Some(disk::Kind::Directory)
        && let Some(imported) = elsewhere(name, kind.is_some(), cx)?
    {
        return with_cards(args, &imported, cx);
    }
    if !args.cards.is_empty() {
        return Err(CommandError::usage(
            "--card is for imported clusters; this one's cards stand in its plan",
        ));
    }
    let found = if kind == Some(disk::Kind::Directory) {
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
    let outcome = outcome.ok_or_else(not_a_cluster)?;
    let plan = &found.plan;
    let operators = plan.roster().iter();
    Ok(Cluster {
        name: plan.name().clone(),
        network: plan.network().clone(),
        roster: operators
            .map(|operator| (operator.index, operator.card.clone()))
            .collect(),
        reference: ClusterRef {
            cid: *plan.cid(),
            outcome: outcome.hash()?,
        },
        sharing: outcome.sharing().clone(),
    })
}

/// The imported cluster that a name means: its file, or one of this home that no ceremony is called
/// like.
fn elsewhere(
    name: &str,
    is_file: bool,
    cx: &mut Context,
) -> Result<Option<ImportedCluster>, CommandError> {
    let path = Path::new(name);
    if is_file {
        // A plan's file names its ceremony.
        if cx.read_plan(path).is_ok() {
            return Ok(None);
        }
        return imported_file(cx, path);
    }
    let Ok(root) = cx.home_root() else {
        return Ok(None);
    };
    let mut found = imports(cx, &root, name)?;
    let Some((_, cluster)) = found.pop() else {
        return Ok(None);
    };
    if !found.is_empty() || find(cx, &root, name).is_ok() {
        return Err(ambiguous(name));
    }
    Ok(Some(cluster))
}

/// An imported cluster with the operators of the cards.
fn with_cards(
    args: &PlanArgs,
    imported: &ImportedCluster,
    cx: &mut Context,
) -> Result<Cluster, CommandError> {
    let indices = imported.sharing().indices();
    if args.cards.is_empty() {
        return Err(CommandError::usage(
            "an imported cluster has no cards, and a signing ceremony needs one of each operator",
        )
        .hint(format!(
            "name the cards of all {} operators, in the order of their indices: --card FILE",
            indices.len()
        )));
    }
    let mut problems = Vec::new();
    let mut roster = Vec::new();
    for (position, given) in (1u64..).zip(&args.cards) {
        match card(given, position, cx) {
            Ok(read) => roster.push(read),
            Err(found) => problems.extend(found.into_iter().map(|why| format!("--card: {why}"))),
        }
    }
    roster.sort_by_key(|(index, _)| *index);
    let given: Vec<u64> = roster.iter().map(|(index, _)| index.get()).collect();
    if problems.is_empty() && given != indices {
        let list = |indices: &[u64]| {
            let words: Vec<String> = indices.iter().map(u64::to_string).collect();
            words.join(", ")
        };
        problems.push(format!(
            "the cards are those of the operators {}, and the cluster has {}",
            list(&given),
            list(indices)
        ));
    }
    for (index, card) in &roster {
        if problems.is_empty() && !imported.admits(*index, card.identity()) {
            problems.push(format!(
                "the card of {} is not that of the cluster's operator {index}",
                card.name()
            ));
        }
    }
    if !problems.is_empty() {
        return Err(invalid(PlanError { problems }));
    }
    cx.ui.note("which card is which operator's is taken on your word; each operator's conclave compares its own with its shares");
    Ok(Cluster {
        name: imported.name().clone(),
        network: imported.network().clone(),
        roster,
        reference: ClusterRef {
            cid: *imported.cid(),
            outcome: *imported.cid(),
        },
        sharing: imported.sharing().clone(),
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
