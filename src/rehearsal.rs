//! A rehearsal: the whole ceremony of a plan with throw-away operators on this machine.
//!
//! Everything is real: homes, cards, a folder as the stick, the driver, the audit, the artifacts.
//! Only the plan differs: its copy says `rehearsal` and carries the fork version of no chain, so
//! that nothing it makes is valid anywhere. Operators run one after another, each with all cores.
//! The homes' keys exist in memory only and the homes are removed at the end.

mod scene;
mod stopwatch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use age::x25519;
use rayon::prelude::*;

use crate::ambient::{Clock, Randomness, RandomnessError};
use crate::artifacts::record::RecordError;
use crate::artifacts::{self, ArtifactError};
use crate::audit::{AuditError, Conclusion, audit};
use crate::ceremony::Stage;
use crate::ceremony::outcome::{KeygenOutcome, OutcomeCodeError};
use crate::ceremony::plan::{
    KeygenPlan, Plan, PlanError, PlanKind, RehearsalSize, default_threshold,
};
use crate::crypto::bls;
use crate::crypto::identity::IdentityKey;
use crate::crypto::point::G2;
use crate::crypto::scalar::Scalar;
use crate::driver::DriverError;
use crate::ethereum::keystore::{Capacity, CapacityError, KdfChoice, Keystore, KeystoreError};
use crate::json::{JsonError, Text};
use crate::secret::{Passphrase, PassphraseError};
use crate::store::disk::{Access, Disk, DiskError};
use crate::store::home::{Home, HomeError};
use crate::store::seat::SeatError;
use crate::store::share_backup::ShareBackupError;
use crate::store::vault::VaultError;
use crate::store::wrap::{Unlock, Wrap, WrapError};
use crate::wire::card::{CardError, VerifiedCard, ceremony_secret};
use crate::wire::code::Code;
use crate::wire::roster::{Index, IndexError, Roster};

use scene::Scene;
use stopwatch::{Stopwatch, Tally};

/// Validators whose keystores are opened again with their passphrases and made to sign: each costs
/// a key derivation for each of t operators. All keystores were read back once before.
const REOPENED: usize = 2;

/// Validators whose shares are made to sign again where there are no keystores, spread evenly: the
/// share equations and partial signatures of all were verified by everyone.
const SIGNED_AGAIN: usize = 500;

/// The rounds that a keygen can take over one stick, with one to spare.
const MAX_TURNS: usize = 4;

/// What to rehearse, beyond the plan.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Another number of operators; the threshold is then two thirds of it, rounded up.
    pub operators: Option<usize>,
    /// Another number of validators.
    pub validators: Option<usize>,
    /// The keystores' KDF; without one, no keystores are made.
    pub keystores: Option<KdfChoice>,
    /// What keystores may take at one time.
    pub capacity: Capacity,
}

/// What the rehearsal touches outside itself.
pub struct World<'a> {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The stopwatch.
    pub clock: &'a (dyn Clock + Sync),
    /// Randomness.
    pub randomness: &'a mut (dyn Randomness + Send),
    /// Who is told what happens, in sentences.
    pub narrator: &'a dyn Narrator,
}

/// Is told how the rehearsal goes on.
pub trait Narrator: Sync {
    /// A sentence about what begins now.
    fn say(&self, sentence: &str);
    /// Where it stands.
    fn progress(&self, part: &Part<'_>);
}

/// Where a rehearsal stands.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Who is at work.
    pub who: &'a str,
    /// What it does.
    pub stage: Stage,
    /// So many steps of the stage are done.
    pub done: usize,
    /// Of so many; none where the stage has no steps.
    pub total: usize,
    /// How much of the whole rehearsal is done, in thousandths.
    pub permille: usize,
}

/// What a rehearsal made, where, and how long it took.
#[derive(Debug)]
pub struct Report {
    /// The rehearsed plan.
    pub plan: Plan,
    /// The outcome.
    pub outcome: KeygenOutcome,
    /// Its plan code and outcome code.
    pub codes: (Code, Code),
    /// Every operator, in roster order.
    pub operators: Vec<OperatorReport>,
    /// The public record.
    pub record: PathBuf,
    /// Validators for which t keystores (or shares, without keystores) were used to sign: a few.
    pub signed_with: usize,
}

/// One operator's part.
#[derive(Debug)]
pub struct OperatorReport {
    /// The index.
    pub index: Index,
    /// The name.
    pub name: Text,
    /// What this operator would hold.
    pub directory: PathBuf,
    /// Time in each stage, without JSON and disk; keystores with them.
    pub stages: BTreeMap<Stage, Duration>,
}

/// Why a rehearsal failed.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The directory is there already.
    #[error("{} is there already; nothing was written: name another directory", .0.display())]
    Exists(PathBuf),
    /// The plan is one of a rehearsal already.
    #[error("the plan is a rehearsal's own copy; rehearse the plan it was made from")]
    IsRehearsal,
    /// A plan of another kind than keygen.
    #[error("a plan of kind {} cannot be rehearsed; keygens can", .0.word())]
    Kind(PlanKind),
    /// Sizes that no plan may have.
    #[error("{0}")]
    Size(String),
    /// The copy of the plan is invalid.
    #[error("the rehearsed plan is invalid: {0}")]
    Plan(#[from] PlanError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A backup of shares, which the plan requires, was refused.
    #[error(transparent)]
    Backup(#[from] ShareBackupError),
    /// A backup of shares could not be encrypted or opened.
    #[error("a backup of shares {0}")]
    Sealed(#[from] WrapError),
    /// A card could not be made.
    #[error(transparent)]
    Card(#[from] CardError),
    /// An index is out of range.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A seat failed.
    #[error(transparent)]
    Seat(#[from] SeatError),
    /// An operator's run failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// Artifacts could not be made.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The audit could not be done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// An outcome could not be encoded.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The codes could not be computed.
    #[error(transparent)]
    Codes(#[from] OutcomeCodeError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A keystore does not open.
    #[error("the keystore {path} {reason}")]
    Keystore {
        /// The file.
        path: String,
        /// Why.
        reason: Box<KeystoreError>,
    },
    /// Too little memory for keystores, or no threads.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// A passphrase file is unusable.
    #[error("the passphrase file {path}: {reason}")]
    Passphrase {
        /// The file.
        path: String,
        /// Why.
        reason: PassphraseError,
    },
    /// The ceremony stopped, among operators that are all ours.
    #[error("the rehearsed ceremony stopped: {0}; this is a bug in conclave")]
    Stopped(String),
    /// A check of the results failed.
    #[error("{0}; this is a bug in conclave")]
    Check(&'static str),
}

/// One throw-away operator.
struct Player {
    index: Index,
    name: Text,
    home: Home,
    directory: PathBuf,
    watch: BTreeMap<Stage, Duration>,
    done: bool,
    /// Kept of those who sign at the end without keystores.
    shares: Vec<Scalar>,
}

/// Plays the whole ceremony of `plan` and leaves what it makes in `out`, which must not exist.
pub fn rehearse(
    plan: &Plan,
    out: &Path,
    options: Options,
    world: &mut World<'_>,
) -> Result<Report, RehearsalError> {
    let plan = plan.keygen().ok_or(RehearsalError::Kind(plan.kind()))?;
    if plan.is_rehearsal() {
        return Err(RehearsalError::IsRehearsal);
    }
    if world.disk.kind(out)?.is_some() {
        return Err(RehearsalError::Exists(out.to_owned()));
    }
    let casting = casting(plan, options)?;
    let work = out.join("work");
    let stick = work.join("stick");
    world.disk.create_dir_all(&stick, Access::Private)?;

    world.narrator.say(&format!(
        "{} operators make identities and cards",
        casting.len()
    ));
    let mut players = Vec::new();
    let mut cards = Vec::new();
    for (index, name) in casting {
        let (home, card) = make_home(&work.join(format!("home-{index}")), &name, world)?;
        let directory = out.join(format!("{index}-{}", name.file_stem()));
        players.push(Player {
            index,
            name,
            home,
            directory,
            watch: BTreeMap::new(),
            done: false,
            shares: Vec::new(),
        });
        cards.push((index, card));
    }
    let plan = copy(plan, cards, options, world)?;
    let record = out.join("record");
    let played = plan.keygen().ok_or(RehearsalError::Kind(plan.kind()))?;
    let scene = Scene {
        plan: played,
        stick: &stick,
        record: &record,
        options,
        tally: Tally::new(players.len()),
    };
    let end = scene.play(&mut players, world)?;
    let (outcome, codes) = (end.outcome, end.codes);
    world.narrator.say("an outsider audits the record");
    check_record(&scene, &outcome, world)?;
    scene.tally.add(Tally::AUDIT);
    world
        .narrator
        .say("the keystores are opened again and made to sign");
    let signed_with = check_signing(played, &outcome, &players, options, world)?;

    let operators = players
        .into_iter()
        .map(|player| OperatorReport {
            index: player.index,
            name: player.name,
            directory: player.directory,
            stages: player.watch,
        })
        .collect();
    world.disk.remove_tree(&work)?;
    Ok(Report {
        plan,
        outcome,
        codes,
        operators,
        record,
        signed_with,
    })
}

/// Who plays: the plan's names and indices, or as many as were asked for.
fn casting(plan: KeygenPlan<'_>, options: Options) -> Result<Vec<(Index, Text)>, RehearsalError> {
    let own = || {
        plan.roster()
            .iter()
            .map(|operator| (operator.index, operator.card.name().clone()))
    };
    let Some(count) = options.operators else {
        return Ok(own().collect());
    };
    if !(Roster::MIN_OPERATORS..=Roster::MAX_OPERATORS).contains(&count) {
        return Err(RehearsalError::Size(format!(
            "{count} operators are not possible: {} to {} are",
            Roster::MIN_OPERATORS,
            Roster::MAX_OPERATORS
        )));
    }
    let mut cast: Vec<(Index, Text)> = own().take(count).collect();
    let mut number = 0u64;
    while cast.len() < count {
        number = number.saturating_add(1);
        let index = Index::new(number)?;
        let name = Text::try_from(format!("operator {number}"))
            .map_err(|error| RehearsalError::Size(error.to_string()))?;
        let taken = cast
            .iter()
            .any(|(other, known)| *other == index || known.folded() == name.folded());
        if !taken {
            cast.push((index, name));
        }
    }
    Ok(cast)
}

/// Makes a home whose key is wrapped by an age identity that is thrown away: nobody opens it again.
fn make_home(
    root: &Path,
    name: &Text,
    world: &mut World<'_>,
) -> Result<(Home, VerifiedCard), RehearsalError> {
    let thrown_away = x25519::Identity::generate();
    let seed = world.randomness.seed()?;
    let identity = IdentityKey::from_seed(&seed);
    let wrap = Wrap::Recipient(thrown_away.to_public());
    let public = identity.public().to_string();
    drop(Home::create(
        world.disk.clone(),
        root,
        &wrap,
        &public,
        &seed,
    )?);
    let home = Home::open(world.disk.clone(), root, &Unlock::Identity(thrown_away))?;
    let secret = ceremony_secret(&world.randomness.seed()?, &identity);
    let card = VerifiedCard::make(&identity, name.clone(), &secret)?;
    home.put_card(card.bytes(), &card.encryption_key().to_bytes(), &secret)?;
    Ok((home, card))
}

fn copy(
    plan: KeygenPlan<'_>,
    cards: Vec<(Index, VerifiedCard)>,
    options: Options,
    world: &mut World<'_>,
) -> Result<Plan, RehearsalError> {
    let threshold = match options.operators {
        Some(count) => default_threshold(count),
        None => plan.threshold(),
    };
    let mut random = [0u8; 32];
    world.randomness.fill(&mut random)?;
    let size = RehearsalSize {
        validators: options.validators,
    };
    Ok(Plan::draft(plan.rehearsal(
        cards,
        threshold as u64,
        size,
        random,
    ))?)
}

fn check_record(
    scene: &Scene<'_>,
    outcome: &KeygenOutcome,
    world: &World<'_>,
) -> Result<(), RehearsalError> {
    let (plan, record) = (scene.plan, scene.record);
    let found = artifacts::record::read_record(&world.disk, record)?;
    let recorded = Plan::parse(found.plan())?;
    if recorded.cid() != plan.cid() {
        return Err(RehearsalError::Check("the record holds another plan"));
    }
    let watch = Stopwatch::new(world.clock, world.narrator, "an outsider", &scene.tally);
    let report = audit(
        &recorded,
        found.messages(),
        &found,
        found.outcome()?.as_deref(),
        &watch,
    )?;
    let same = report.outcome.as_deref() == Some(outcome.to_bytes()?.as_slice());
    if report.conclusion() == Conclusion::Complete && same && report.noise.is_empty() {
        Ok(())
    } else {
        Err(RehearsalError::Check(
            "the audit of the record does not come to the operators' outcome",
        ))
    }
}

/// Lets the last t operators sign the first deposit of some validators again, with the keys in their
/// keystores; the result must be the very signature in the deposit file. (The outcome's own
/// signatures were combined from the first t.)
fn check_signing(
    plan: KeygenPlan<'_>,
    outcome: &KeygenOutcome,
    players: &[Player],
    options: Options,
    world: &World<'_>,
) -> Result<usize, RehearsalError> {
    let t = plan.threshold();
    let skipped = players.len().saturating_sub(t);
    let signers: Vec<&Player> = players.iter().skip(skipped).collect();
    let indices: Vec<u64> = signers.iter().map(|player| player.index.get()).collect();
    let roots = plan.messages(outcome.sharing());
    let count = match options.keystores {
        Some(_) => REOPENED.min(roots.len()),
        None => SIGNED_AGAIN.min(roots.len()),
    };
    let secrets: Vec<Vec<Scalar>> = match options.keystores {
        Some(kdf) => {
            let threads = options.capacity.threads(kdf.memory_bytes())?;
            let disk = &*world.disk;
            let open = |signer: &&Player| open_keystores(&plan, &signer.directory, count, disk);
            threads.install(|| signers.par_iter().map(open).collect::<Result<_, _>>())?
        }
        None if signers.iter().any(|signer| signer.shares.is_empty()) => {
            return Err(RehearsalError::Check("an operator has no shares"));
        }
        None => signers
            .iter()
            .map(|signer| signer.shares.iter().map(Scalar::duplicate).collect())
            .collect(),
    };
    // The keystores that were opened are the first.
    let last = if options.keystores.is_some() {
        count
    } else {
        roots.len()
    };
    let checked = (0..count)
        .into_par_iter()
        .map(|number| {
            let v = number.checked_mul(last)?.checked_div(count)?;
            let (root, signature) = (
                roots.get(v)?.first()?,
                outcome.signatures().get(v)?.first()?,
            );
            let partials: Vec<G2> = secrets
                .iter()
                .map(|own| bls::sign(own.get(v)?, root))
                .collect::<Option<_>>()?;
            (bls::combine(&indices, &partials)? == *signature).then_some(())
        })
        .collect::<Option<Vec<()>>>();
    let checked = checked.ok_or(RehearsalError::Check(
        "the keystores do not sign as the deposit file does",
    ))?;
    Ok(checked.len())
}

/// Opens an operator's first keystores, all at once as far as threads and memory go.
fn open_keystores(
    plan: &Plan,
    directory: &Path,
    count: usize,
    disk: &dyn Disk,
) -> Result<Vec<Scalar>, RehearsalError> {
    let open = |v: usize| {
        let path = artifacts::keystores::path(directory, plan, v);
        let text = path.with_extension("txt");
        let keystore = |reason: KeystoreError| RehearsalError::Keystore {
            path: path.display().to_string(),
            reason: Box::new(reason),
        };
        let passphrase = |reason| RehearsalError::Passphrase {
            path: text.display().to_string(),
            reason,
        };
        let bytes = disk.read(&text, Passphrase::MAX_BYTES as u64)?;
        let words = String::from_utf8(bytes).map_err(|_| passphrase(PassphraseError::Empty))?;
        let words = Passphrase::new(words).map_err(passphrase)?;
        let file = disk.read(&path, crate::ethereum::keystore::MAX_BYTES as u64)?;
        let secret = Keystore::parse(&file)
            .and_then(|file| file.decrypt(&words))
            .map_err(keystore)?;
        let secret = secret.expose(Scalar::from_bytes);
        secret.ok_or(RehearsalError::Check("a keystore holds no scalar"))
    };
    (0..count)
        .into_par_iter()
        .with_max_len(1)
        .map(open)
        .collect()
}
