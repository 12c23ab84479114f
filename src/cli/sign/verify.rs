//! `sign verify`: anyone's exits, changes of withdrawal credentials, registrations and deposits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::ambient::Randomness as _;
use crate::ceremony::plan::{MAX_PLAN_BYTES, Plan, SignObject};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::cluster;
use crate::cli::values::{self, counted};
use crate::crypto::point::G1;
use crate::ethereum::deposit::{self, ForeignEntry, check_entries, parse_entries};
use crate::ethereum::exit::SignedExit;
use crate::ethereum::network::NetworkSpec;
use crate::ethereum::signed::{
    MAX_SIGNED_BYTES, SignedFile, SignedProblem, check_changes, check_exits, check_registrations,
};
use crate::json::Hex;

/// The most attempts to find the key of an exit: a minute or so.
const MAX_ATTEMPTS: usize = 50_000;

/// How many problems of a file are listed before the rest is only counted.
const LISTED: usize = 20;

const EXAMPLE: &str = "\
Reads: files of signed exits, changes of withdrawal credentials, registrations or deposits, of any
tool, and what --plan, --cluster or --deposits name. Writes nothing, and needs no home unless --cluster
names one of it.

An exit does not say which key signed it: name the plan that it was signed by (--plan), the cluster
(--cluster), the deposit files of the validators, of any tool (--deposits), or the keys
(--validator-key). Registrations and changes name their keys.
That a change is its validator's, the chain alone knows: its credentials are the key's hash.

Ends with 1 when a signature does not verify.

Examples:
  conclave sign verify signed_exit-1234567.json --plan exits.plan.json
  conclave sign verify exits.json --deposits deposit_data-1767225600.json --network hoodi";

/// Verify signed exits, credential changes, registrations and deposits
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct VerifyArgs {
    /// Files of signed messages
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The network that they are for [default: that of --plan or --cluster]
    #[arg(long, value_name = "NAME", value_parser = values::known_network)]
    network: Option<NetworkSpec>,
    /// The plan that they were signed by: it names every key with its validator's index
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The cluster whose keys signed: its cluster.json or cluster-lock.json, a record's directory, or
    /// one of this home
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// A deposit file whose keys may have signed
    #[arg(long, value_name = "FILE")]
    deposits: Vec<PathBuf>,
    /// A validator key that may have signed, 96 hex characters
    #[arg(long = "validator-key", value_name = "KEY", value_parser = values::hex::<48>)]
    validator_keys: Vec<Hex<48>>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    network: String,
    files: Vec<FileRow>,
}

#[derive(Serialize)]
struct FileRow {
    file: String,
    kind: &'static str,
    messages: usize,
    valid: usize,
    exits: Vec<ExitRow>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct ExitRow {
    validator_index: u64,
    epoch: u64,
    public_key: Hex<48>,
}

/// The keys that may have signed.
struct Keys {
    /// Of a signing plan: which key leaves under which index.
    planned: BTreeMap<u64, G1>,
    /// All others.
    loose: Vec<G1>,
}

pub(super) fn run(args: &VerifyArgs, cx: &mut Context) -> Result<(), CommandError> {
    let (network, keys) = known(args, cx)?;
    let mut files = Vec::with_capacity(args.files.len());
    for path in &args.files {
        files.push(examine(path, &network, &keys, cx)?);
    }
    let report = Report {
        ok: files.iter().all(|file| file.problems.is_empty()),
        network: network.to_string(),
        files,
    };
    if args.json {
        cx.ui.json(&report)?;
    } else {
        tell(cx, &report);
    }
    let bad: Vec<&FileRow> = report
        .files
        .iter()
        .filter(|file| !file.problems.is_empty())
        .collect();
    match bad.first() {
        None => Ok(()),
        Some(first) => Err(CommandError::of(
            ErrorCode::SIGNED_INVALID,
            format!(
                "{} of {} is not right",
                counted(bad.len(), "file"),
                report.files.len()
            ),
        )
        .about(Path::new(&first.file))
        .hint("do not send what failed, and ask where it comes from")),
    }
}

fn tell(cx: &mut Context, report: &Report) {
    for file in &report.files {
        cx.ui.data(format!(
            "{}: {}, {} of {} valid for {}",
            file.file, file.kind, file.valid, file.messages, report.network
        ));
        for exit in &file.exits {
            cx.ui.data(format!(
                "  validator {} from epoch {}, key {}",
                exit.validator_index, exit.epoch, exit.public_key
            ));
        }
        for problem in &file.problems {
            cx.ui.data(format!("  {problem}"));
        }
    }
}

/// The network and the keys, from all that was named.
fn known(args: &VerifyArgs, cx: &mut Context) -> Result<(NetworkSpec, Keys), CommandError> {
    let mut keys = Keys {
        planned: BTreeMap::new(),
        loose: Vec::new(),
    };
    let mut network = args.network.clone();
    let mut of = |found: &NetworkSpec, name: &str| match &network {
        Some(network) if network != found => Err(CommandError::failed(format!(
            "{name} is for {found}, not for {network}; nothing was checked"
        ))),
        _ => {
            network = Some(found.clone());
            Ok(())
        }
    };
    if let Some(path) = &args.plan {
        let plan = Plan::parse(&cx.read(path, MAX_PLAN_BYTES)?)
            .map_err(|error| CommandError::from(error).about(path))?;
        let signing = plan.sign().ok_or_else(|| {
            CommandError::usage("--plan names no signing plan")
                .hint("for a cluster name its cluster.json with --cluster")
        })?;
        of(signing.network(), &path.display().to_string())?;
        for message in signing.messages() {
            if let SignObject::Exit {
                validator_index, ..
            } = message.object
            {
                let key = signing.key(message).map(|key| (validator_index, *key));
                keys.planned.extend(key);
            }
        }
    }
    if let Some(name) = &args.cluster {
        let (cluster, _) = cluster(name, cx)?;
        of(cluster.network(), name)?;
        keys.loose.extend(cluster.sharing().group_keys().copied());
    }
    for path in &args.deposits {
        keys.loose.extend(deposited(path, cx)?);
    }
    for key in &args.validator_keys {
        keys.loose.push(G1::from_bytes(&key.0).map_err(|error| {
            CommandError::usage(format!("--validator-key {key}: the key {error}"))
        })?);
    }
    let network = network.ok_or_else(|| {
        CommandError::usage("the network is not named")
            .hint("--network NAME, or --plan or --cluster, which know it")
    })?;
    Ok((network, keys))
}

/// The keys of a deposit file, each once: instalments of a validator have one key.
fn deposited(path: &Path, cx: &Context) -> Result<Vec<G1>, CommandError> {
    let invalid = |why: String| CommandError::of(ErrorCode::FILE_INVALID, why).about(path);
    let bytes = cx.read(path, deposit::MAX_BYTES)?;
    let entries = parse_entries(&bytes).map_err(|error| invalid(error.to_string()))?;
    let keys: Option<BTreeSet<[u8; 48]>> = entries.iter().map(ForeignEntry::pubkey).collect();
    let keys = keys.ok_or_else(|| invalid("an entry of it has no key".to_owned()))?;
    let read = keys.iter().map(G1::from_bytes);
    read.collect::<Result<_, _>>()
        .map_err(|error| invalid(format!("a key of it {error}")))
}

fn examine(
    path: &Path,
    network: &NetworkSpec,
    keys: &Keys,
    cx: &mut Context,
) -> Result<FileRow, CommandError> {
    let mut row = FileRow {
        file: path.display().to_string(),
        kind: "unknown",
        messages: 0,
        valid: 0,
        exits: Vec::new(),
        problems: Vec::new(),
    };
    let read = cx
        .read(path, MAX_SIGNED_BYTES)
        .map_err(|error| error.to_string())
        .and_then(|bytes| SignedFile::parse(&bytes).map_err(|error| error.to_string()));
    let file = match read {
        Ok(file) => file,
        Err(why) => {
            row.problems.push(why);
            return Ok(row);
        }
    };
    let mut seed = [0u8; 32];
    cx.rng.fill(&mut seed)?;
    row.messages = file.count();
    let problems: Vec<(usize, String)> = match &file {
        SignedFile::Exits(exits) => {
            row.kind = "exits";
            let (found, problems) = exits_of(exits, network, keys, &seed)?;
            row.exits = found;
            worded(problems)
        }
        SignedFile::BlsChanges(changes) => {
            row.kind = "bls_changes";
            worded(check_changes(changes, network, &seed))
        }
        SignedFile::Registrations(registrations) => {
            row.kind = "registrations";
            worded(check_registrations(registrations, network, &seed))
        }
        SignedFile::Deposits(entries) => {
            row.kind = "deposits";
            check_entries(entries, Some(network), &seed)
                .iter()
                .filter(|finding| !finding.problem.is_warning())
                .map(|finding| (finding.spot.entry, finding.to_string()))
                .collect()
        }
    };
    let mut wrong: Vec<usize> = problems.iter().map(|(position, _)| *position).collect();
    wrong.sort_unstable();
    wrong.dedup();
    row.valid = row.messages.saturating_sub(wrong.len());
    let more = problems.len().saturating_sub(LISTED);
    let listed = problems.into_iter().take(LISTED).map(|(_, text)| text);
    row.problems.extend(listed);
    if row.messages == 0 {
        row.problems.push("the file holds no message".to_owned());
    }
    if more > 0 {
        row.problems.push(format!("and {more} more problems"));
    }
    Ok(row)
}

fn worded(problems: Vec<(usize, SignedProblem)>) -> Vec<(usize, String)> {
    let worded = |(position, problem): (usize, SignedProblem)| {
        (position, format!("message {position}: {problem}"))
    };
    problems.into_iter().map(worded).collect()
}

type Exits = (Vec<ExitRow>, Vec<(usize, SignedProblem)>);

fn exits_of(
    exits: &[SignedExit],
    network: &NetworkSpec,
    keys: &Keys,
    seed: &[u8; 32],
) -> Result<Exits, CommandError> {
    let loose = keys.loose.len();
    if keys.planned.is_empty() && loose == 0 {
        return Err(CommandError::usage(
            "an exit does not say which key signed it, and no key is named",
        )
        .hint("--plan FILE, the plan that it was signed by; --cluster CLUSTER; --deposits FILE; or --validator-key KEY"));
    }
    let is_planned = |exit: &&SignedExit| {
        let index = exit.message.validator_index;
        keys.planned.contains_key(&index)
    };
    let unplanned = exits
        .len()
        .saturating_sub(exits.iter().filter(is_planned).count());
    if loose.saturating_mul(unplanned) > MAX_ATTEMPTS {
        return Err(CommandError::usage(format!(
            "{} and {} would take too long to be tried with each other",
            counted(unplanned, "exit"),
            counted(loose, "key")
        ))
        .hint("name the plan that the exits were signed by: --plan FILE"));
    }
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let checked = check_exits(exits, &keys.planned, &keys.loose, network, seed);
    for (position, (exit, checked)) in exits.iter().zip(checked).enumerate() {
        match checked {
            Ok(key) => found.push(ExitRow {
                validator_index: exit.message.validator_index,
                epoch: exit.message.epoch,
                public_key: Hex(key.to_bytes()),
            }),
            Err(problem) => problems.push((position, problem)),
        }
    }
    Ok((found, problems))
}
