//! `share import`.

use std::path::{Path, PathBuf};

use crate::artifacts::record::RecordFiles;
use crate::ceremony::imported::{ImportedCluster, Places, of_one_operator};
use crate::ceremony::plan::Plan;
use crate::ceremony::{Observer as _, Stage};
use crate::cli::Context;
use crate::cli::capacity::KeystoreMemory;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::home::identity_of;
use crate::cli::keystore_check::{MAX_DEPTH, found_passphrase, search};
use crate::cli::lanes::{self, in_order};
use crate::cli::needs::Need;
use crate::cli::progress::Progress;
use crate::cli::share::public::{ClusterFile, audited, imported_of, messages, read_file};
use crate::cli::values::counted;
use crate::crypto::scalar::Scalar;
use crate::crypto::sharing::Sharing;
use crate::ethereum::keystore::{CapacityError, ForeignKeystore, MAX_BYTES};
use crate::ethereum::network::NetworkSpec;
use crate::hash::Digest;
use crate::json::Text;
use crate::secret::Passphrase;
use crate::store::disk::Kind;
use crate::store::home::Home;
use crate::store::imported::{self, ImportError};
use crate::store::share_backup::{InHome, ShareBackup};
use crate::wire::roster::Index;

const EXAMPLE: &str = "\
Reads: the cluster's public side, which is an Obol cluster-lock.json, a cluster.json, or the record of a
ceremony, which is audited first; and the folder of one operator's keystores, searched four levels deep for
keystore*.json. Each is opened with the passphrase that --keystore-passphrase-file names, or the one in
the file beside it (keystore-0.txt beside keystore-0.json), or one that is asked for. Writes: the home.
With a record it is what `conclave share restore` writes; else the shares and a description of the
cluster, which is no ceremony: nothing of it can be run.

Nothing is written before every keystore is open and all of them together are one operator's shares,
one of each validator. Shares of two operators, clusters or epochs are refused. The hashes and
signatures of a lock are not verified, only that its keys fit each other. The same again is harmless.

Who else has these shares nobody can see: whoever made them, or copied the keystores, may.

Examples:
  conclave share import --cluster cluster-lock.json --keystores validator_keys
  conclave share import --cluster pool-1f2e3d4c/record --keystores pool-1f2e3d4c/validator_keys";

/// Take share keystores that were made elsewhere into the vault
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLE)]
pub(in crate::cli) struct Args {
    /// The cluster: its cluster-lock.json or cluster.json, or the ceremony's record
    #[arg(long, value_name = "FILE|RECORD")]
    cluster: PathBuf,
    /// The folder of your keystores, one of each validator
    #[arg(long, value_name = "DIR")]
    keystores: PathBuf,
    /// Open all of them with the passphrase in FILE
    #[arg(long, value_name = "FILE")]
    keystore_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    memory: KeystoreMemory,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const KEYSTORES: Need = (
    "the passphrase of the keystores",
    "--keystore-passphrase-file FILE",
);

#[derive(serde::Serialize)]
struct Report {
    cid: Digest,
    name: Text,
    network: String,
    epoch: u64,
    source: Source,
    index: Index,
    operators: usize,
    threshold: usize,
    validators: usize,
    /// Whether the vault held these shares before.
    already: bool,
}

/// What said which shares they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Record,
    Cluster,
    ObolLock,
}

/// The cluster that the shares have to be of.
enum Target {
    /// A ceremony of this tool, by its record.
    Ceremony {
        plan: Box<Plan>,
        sharing: Box<Sharing>,
        places: Places,
        files: Box<RecordFiles>,
    },
    /// One that was made elsewhere.
    Imported(Box<ImportedCluster>),
}

/// A keystore, and the passphrase that lies beside it.
struct Keystore {
    file: String,
    keystore: ForeignKeystore,
    passphrase: Option<Passphrase>,
}

/// A keystore that is to be opened.
struct Job<'a> {
    keystore: &'a Keystore,
    passphrase: &'a Passphrase,
}

impl lanes::Job for Job<'_> {
    fn bytes(&self) -> u64 {
        self.keystore.keystore.crypto().memory_bytes()
    }
}

pub(in crate::cli) fn run(args: &Args, cx: &mut Context) -> Result<(), CommandError> {
    let keystores = keystores(args, cx)?;
    let asked = keystores.iter().any(|found| found.passphrase.is_none())
        && args.keystore_passphrase_file.is_none();
    let needs = cx.home_needs()?.into_iter();
    cx.require(needs.chain(asked.then_some(KEYSTORES)).collect())?;
    let (source, target) = target(args, cx)?;
    // By the names in the files, before any key derivation: who took the wrong folder waits for nothing.
    let named: Option<Vec<(String, [u8; 48])>> = keystores
        .iter()
        .map(|found| Some((found.file.clone(), *found.keystore.pubkey()?)))
        .collect();
    if let Some(named) = named {
        target.of_one_operator(&named, None)?;
    }
    let given = match &args.keystore_passphrase_file {
        Some(path) => Some(cx.passphrase_in(path)?),
        None if asked => Some(cx.asked_passphrase(KEYSTORES.0, KEYSTORES.1)?),
        None => None,
    };
    let home = cx.open_home()?;
    let mine = target.mine(&home)?;
    let opened = open_all(args, cx, &keystores, given.as_ref())?;
    let keys: Vec<(String, [u8; 48])> = keystores
        .iter()
        .zip(&opened)
        .map(|(found, (_, key))| (found.file.clone(), *key))
        .collect();
    let (index, order) = target.of_one_operator(&keys, mine.map(Index::get))?;
    let shares: Vec<Scalar> = order
        .iter()
        .filter_map(|number| opened.get(*number).map(|(share, _)| share.duplicate()))
        .collect();
    let already = target.put(cx, &home, index, shares)?;
    let report = Report {
        cid: *target.cid(),
        name: target.name().clone(),
        network: target.network().name().to_owned(),
        epoch: 0,
        source,
        index,
        operators: target.sharing().indices().len(),
        threshold: target.sharing().threshold(),
        validators: target.sharing().validators(),
        already,
    };
    tell(args, cx, &report)
}

fn tell(args: &Args, cx: &mut Context, report: &Report) -> Result<(), CommandError> {
    if args.json {
        cx.ui.json(report)?;
    } else {
        cx.ui.data(report.cid);
    }
    cx.ui.note(format!(
        "{}: the shares of operator {} for {} of {}, {} of {} on {}",
        match report.already {
            true => "nothing was missing",
            false => "imported",
        },
        report.index,
        counted(report.validators, "validator"),
        report.name,
        report.threshold,
        report.operators,
        report.network
    ));
    if report.source == Source::ObolLock {
        cx.ui
            .note("the lock's keys fit each other; its hashes and signatures were not verified");
    }
    if report.source != Source::Record {
        cx.ui.warn("who else has these shares nobody can see: whoever made them may, and whoever copied the keystores");
    }
    cx.ui.warn("never sign with the same share on two machines: stop the old one for good before this one signs");
    cx.ui.next(format!(
        "back them up: conclave share backup {} -o FILE",
        report.cid.short()
    ));
    Ok(())
}

/// Reads every keystore of the folder, and the passphrases that lie beside them.
fn keystores(args: &Args, cx: &mut Context) -> Result<Vec<Keystore>, CommandError> {
    let folder = &args.keystores;
    let mut files = Vec::new();
    match cx.disk.kind(folder)? {
        Some(Kind::Directory) => search(folder, MAX_DEPTH, &mut files, cx)?,
        _ => {
            let words = "is no folder; name the one that holds the keystores";
            return Err(CommandError::of(ErrorCode::FILE_MISSING, words).about(folder));
        }
    }
    if files.is_empty() {
        let words = "holds no keystore*.json file";
        return Err(CommandError::of(ErrorCode::FILE_MISSING, words).about(folder));
    }
    let mut keystores = Vec::with_capacity(files.len());
    for file in files {
        let bytes = cx.read(&file, MAX_BYTES)?;
        let keystore = ForeignKeystore::parse(&bytes)
            .map_err(|error| CommandError::from(error).about(&file))?;
        let passphrase = match args.keystore_passphrase_file {
            Some(_) => None,
            None => found_passphrase(&file, cx)?,
        };
        keystores.push(Keystore {
            file: file.display().to_string(),
            keystore,
            passphrase,
        });
    }
    Ok(keystores)
}

/// Opens every keystore, on all cores, as many at once as fit into memory.
fn open_all(
    args: &Args,
    cx: &mut Context,
    keystores: &[Keystore],
    given: Option<&Passphrase>,
) -> Result<Vec<(Scalar, [u8; 48])>, CommandError> {
    let capacity = args.memory.capacity();
    let most = keystores
        .iter()
        .map(|found| found.keystore.crypto().memory_bytes());
    let needed = most.max().unwrap_or(0);
    if capacity.at_once(needed) == 0 {
        return Err(CapacityError::Memory { needed, capacity }.into());
    }
    let mut jobs = Vec::with_capacity(keystores.len());
    for keystore in keystores {
        // Beside each or given for all: what is needed was asked for.
        let passphrase = keystore.passphrase.as_ref().or(given).ok_or_else(|| {
            CommandError::failed("there is no passphrase for it; nothing was written")
                .about(Path::new(&keystore.file))
        })?;
        jobs.push(Job {
            keystore,
            passphrase,
        });
    }
    let bar = Progress::new(cx.global.quiet);
    let mut opened = Vec::with_capacity(jobs.len());
    let mut problems = Vec::new();
    let mut done = 0usize;
    in_order(
        capacity,
        &jobs,
        cx,
        |job, _| Job { ..*job },
        |job| {
            let found = job.keystore.keystore.secret(job.passphrase);
            found.map_err(|error| format!("{}: {error}", job.keystore.file))
        },
        |result, _| {
            match result {
                Ok(found) => opened.push(found),
                Err(problem) => problems.push(problem),
            }
            done = done.saturating_add(1);
            bar.progress(Stage::Keystores, done, jobs.len());
        },
    )?;
    bar.clear();
    if problems.is_empty() {
        return Ok(opened);
    }
    let all = counted(keystores.len(), "keystore");
    let text = format!(
        "{} of {all} did not open; nothing was written",
        problems.len()
    );
    let error = CommandError::of(ErrorCode::KEYSTORE_INVALID, text)
        .hint("`conclave keystore check` says more of each");
    Err(problems
        .into_iter()
        .take(LISTED)
        .fold(error, CommandError::cause))
}

/// How many keystores that do not open are named.
const LISTED: usize = 50;

/// The cluster, audited or checked as far as its file allows it.
fn target(args: &Args, cx: &mut Context) -> Result<(Source, Target), CommandError> {
    if cx.disk.kind(&args.cluster)? != Some(Kind::Directory) {
        return Ok(match read_file(cx, &args.cluster)? {
            ClusterFile::Made(cluster) => {
                let cluster = imported_of(&cluster).map_err(|error| error.about(&args.cluster))?;
                (Source::Cluster, Target::Imported(Box::new(cluster)))
            }
            ClusterFile::Imported(cluster) => (Source::Cluster, Target::Imported(cluster)),
            ClusterFile::ObolLock(cluster) => (Source::ObolLock, Target::Imported(cluster)),
        });
    }
    let (found, files) = audited(cx, &args.cluster)?;
    let (_, outcome) = found.keys().map_err(|error| error.about(&args.cluster))?;
    let sharing = outcome.sharing().clone();
    let places = Places::of(&sharing).map_err(|error| {
        CommandError::of(ErrorCode::RECORD_INVALID, error.to_string()).about(&args.cluster)
    })?;
    let target = Target::Ceremony {
        plan: Box::new(found.plan),
        sharing: Box::new(sharing),
        places,
        files: Box::new(files),
    };
    Ok((Source::Record, target))
}

impl Target {
    fn cid(&self) -> &Digest {
        match self {
            Self::Ceremony { plan, .. } => plan.cid(),
            Self::Imported(cluster) => cluster.cid(),
        }
    }

    fn name(&self) -> &Text {
        match self {
            Self::Ceremony { plan, .. } => plan.name(),
            Self::Imported(cluster) => cluster.name(),
        }
    }

    fn network(&self) -> &NetworkSpec {
        match self {
            Self::Ceremony { plan, .. } => plan.network(),
            Self::Imported(cluster) => cluster.network(),
        }
    }

    fn sharing(&self) -> &Sharing {
        match self {
            Self::Ceremony { sharing, .. } => sharing,
            Self::Imported(cluster) => cluster.sharing(),
        }
    }

    /// Which operator of it this home is; of a cluster that names no identities, any may be.
    fn mine(&self, home: &Home) -> Result<Option<Index>, CommandError> {
        let identity = identity_of(home)?.public();
        let mine = match self {
            Self::Ceremony { plan, .. } => {
                let operator = plan.roster().by_identity(&identity);
                operator.map(|operator| operator.index)
            }
            Self::Imported(cluster) => {
                let mut operators = cluster.operators().iter();
                if cluster
                    .operators()
                    .iter()
                    .all(|operator| operator.identity.is_none())
                {
                    return Ok(None);
                }
                let mine = operators.find(|operator| operator.identity == Some(identity));
                mine.map(|operator| operator.index)
            }
        };
        mine.map(Some).ok_or_else(|| {
            CommandError::of(
                ErrorCode::IMPORT_REFUSED,
                format!(
                    "{} has no operator with this home's identity, {identity}: shares never change hands; nothing was written",
                    self.name()
                ),
            )
            .hint("name the home of the operator whose shares they are with --home DIR")
        })
    }

    /// Holds the keys of the keystores against the cluster.
    fn of_one_operator(
        &self,
        keys: &[(String, [u8; 48])],
        mine: Option<u64>,
    ) -> Result<(Index, Vec<usize>), CommandError> {
        let places = match self {
            Self::Ceremony { places, .. } => places,
            Self::Imported(cluster) => cluster.places(),
        };
        let refused = || {
            let text = format!(
                "the keystores are not one operator's shares of every validator of {}; nothing was written",
                self.name()
            );
            CommandError::of(ErrorCode::IMPORT_REFUSED, text).hint(
                "name the folder of one operator, and the file of the cluster that it belongs to",
            )
        };
        let found = of_one_operator(self.sharing(), places, keys, mine);
        let (index, order) =
            found.map_err(|problems| problems.into_iter().fold(refused(), CommandError::cause))?;
        // Every index of a sharing is one.
        let index = Index::new(index).map_err(|_| refused())?;
        Ok((index, order))
    }

    /// Puts the shares into the vault; says whether they stood there before.
    fn put(
        &self,
        cx: &mut Context,
        home: &Home,
        index: Index,
        shares: Vec<Scalar>,
    ) -> Result<bool, CommandError> {
        let (plan, sharing, files) = match self {
            Self::Imported(cluster) => {
                let own = cluster.own_shares(index, shares);
                return Ok(imported::put(home, cluster, &own)?);
            }
            Self::Ceremony {
                plan,
                sharing,
                files,
                ..
            } => (plan, sharing, files),
        };
        match imported::refuse_standing(home, plan.cid(), sharing) {
            // The same shares, imported before without their ceremony: here they come to it.
            Err(ImportError::Standing { cid, .. }) => cx.ui.warn(format!(
                "the vault holds these shares as those of {} too, which was imported without a record",
                cid.short()
            )),
            other => other?,
        }
        let messages = messages(files)?;
        let created = cx.clock.unix_seconds();
        let sharing = Sharing::clone(sharing);
        let plan = Plan::clone(plan);
        let backup = ShareBackup::of_record(plan, messages, index, sharing, shares, created)?;
        Ok(backup.restore(home)? == InHome::Same)
    }
}
