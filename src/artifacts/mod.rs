//! What a complete ceremony leaves behind: deposit data, builder registrations, keystores, the
//! cluster's description, a page for people and the record, in one directory.
//!
//! Promises: the directory appears under its name whole, read back and verified, or not at all;
//! nothing is overwritten; asked again for the same ceremony, what stands there is verified and left
//! as it is. Names carry the plan's `created`, so that every operator has the same names. Secrets
//! (the keystores, and the files with generated passphrases) are 0600 in a directory of 0700.
//!
//! ```text
//! deposit_data-<created>.json            one amount in the whole plan, or one file for each amount:
//! deposit_data-<created>-<gwei>.json
//! deposit_data-<created>[-<gwei>]-<kind>-<address>.json   on Gnosis networks with several credentials
//! builder_registrations-<created>.json   when the plan has registrations
//! cluster.json
//! report.html                            the ceremony on one page, for people
//! validator_keys/keystore-m_12381_3600_<position>_0_0-<created>.json, and .txt with its passphrase
//! record/plan.json, record/messages/*.json, record/<plan name>.outcome.json
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ambient::{Randomness, RandomnessError};
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::KeygenPlan;
use crate::ceremony::shares::OwnShares;
use crate::ceremony::{MessagesError, Observer};
use crate::crypto::feldman;
use crate::ethereum::deposit::DepositFileError;
use crate::ethereum::keystore::{Capacity, CapacityError, KdfChoice, KeystoreError};
use crate::ethereum::network::NetworkSpec;
use crate::json::JsonError;
use crate::secret::{Passphrase, PassphraseError};
use crate::store::disk::{Access, Disk, DiskError};
use crate::store::folder::FolderError;
use crate::store::wrap::WrapError;
use crate::wire::code::Code;

pub mod cluster;
mod deposits;
mod existing;
pub mod keystores;
mod passphrase;
pub mod record;
mod registrations;
pub mod report;
mod signed;
mod staging;

pub use record::{Recorded, write_record};
pub use signed::{SignedRequest, write_signed};

/// The directory of the keystores.
pub const KEYS: &str = "validator_keys";

/// The directory of the record.
pub const RECORD: &str = "record";

/// What is to be written.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The plan.
    pub plan: KeygenPlan<'a>,
    /// What its ceremony ended with.
    pub outcome: &'a KeygenOutcome,
    /// The operator's shares; a witness has none and gets no keystores.
    pub own: Option<&'a OwnShares>,
    /// Which keystores the operator wants.
    pub keystores: Keystores<'a>,
    /// What encrypting them may take at one time.
    pub capacity: Capacity,
    /// The messages of the board.
    pub messages: Recorded<'a>,
    /// The outcome's plan code and outcome code: slow to compute, so that it is done once.
    pub codes: &'a (Code, Code),
}

/// How the shares become keystores.
#[derive(Debug, Clone, Copy)]
pub enum Keystores<'a> {
    /// Not at all: they stay in the vault.
    None,
    /// Each under a random passphrase of its own, in a file beside it.
    Generated(KdfChoice),
    /// All under one chosen passphrase, which is written nowhere.
    Chosen(KdfChoice, &'a Passphrase),
}

/// What stands in the directory now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Whether a complete set stood there already: then nothing was written.
    pub already: bool,
    /// The files.
    pub files: Vec<WrittenFile>,
}

impl Written {
    /// The files by purpose: the first of each, and how many there are.
    pub fn by_purpose(&self) -> Vec<(Purpose, usize, &Path)> {
        let mut groups: BTreeMap<Purpose, (usize, &Path)> = BTreeMap::new();
        for file in &self.files {
            let group = groups.entry(file.purpose).or_insert((0, &file.path));
            group.0 = group.0.saturating_add(1);
        }
        groups
            .into_iter()
            .map(|(purpose, (count, first))| (purpose, count, first))
            .collect()
    }
}

/// One file of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    /// Relative to the directory.
    pub path: PathBuf,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The page for people.
    Report,
    /// Words about the other files.
    Notes,
    /// A signed exit.
    Exit,
    /// Signed changes of withdrawal credentials.
    BlsChanges,
    /// Deposit data.
    Deposits,
    /// Builder registrations.
    Registrations,
    /// The cluster's public description.
    Cluster,
    /// A share as a keystore.
    Keystore,
    /// The passphrase of a keystore, in clear.
    Passphrase,
    /// The record's plan.
    Plan,
    /// A message of the record.
    Message,
    /// The record's outcome.
    Outcome,
}

impl Purpose {
    /// The purpose as programs see it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Notes => "notes",
            Self::Exit => "exit",
            Self::BlsChanges => "bls_changes",
            Self::Deposits => "deposits",
            Self::Registrations => "registrations",
            Self::Cluster => "cluster",
            Self::Keystore => "keystore",
            Self::Passphrase => "passphrase",
            Self::Plan => "plan",
            Self::Message => "message",
            Self::Outcome => "outcome",
        }
    }

    /// Whether the file is for this operator's eyes alone.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Keystore | Self::Passphrase | Self::Exit)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "the ceremony on one page, for a browser or a printer",
            Self::Notes => "what may be done with the other files",
            Self::Exit => "a signed exit for a beacon node: whoever has it can use it",
            Self::BlsChanges => "signed changes of withdrawal credentials for a beacon node",
            Self::Deposits => "deposit data for a launchpad",
            Self::Registrations => "signed registrations with block builders",
            Self::Cluster => "the cluster: operators and public keys",
            Self::Keystore => "a key share, encrypted, for the validator client",
            Self::Passphrase => "the passphrase of the keystore of the same name, in clear",
            Self::Plan => "the record: the plan",
            Self::Message => "the record: a message of an operator",
            Self::Outcome => "the record: the outcome",
        })
    }
}

/// Why nothing was written, or what stands there was not accepted. Shares stay in the vault.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The record's folder failed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A message of the board could not be read.
    #[error(transparent)]
    Messages(#[from] MessagesError),
    /// Parts of different ceremonies.
    #[error("{0}; nothing was written")]
    Mismatch(&'static str),
    /// Not a name that a directory can have.
    #[error("{} cannot be the name of a new directory", .0.display())]
    Name(PathBuf),
    /// Something else stands there.
    #[error("{} exists already and is not the complete set of files of this ceremony: {why}; nothing was changed", path.display())]
    Occupied {
        /// The directory.
        path: PathBuf,
        /// In what it differs.
        why: String,
    },
    /// Something stands where the files are collected, and this program did not put it there.
    #[error("{} is in the way and was not made by conclave; move it elsewhere; nothing was changed", .0.display())]
    InTheWay(PathBuf),
    /// A file is not what was written.
    #[error("{} was read back and {why}; nothing was published, and the shares are still in the vault", path.display())]
    ReadBack {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A keystore could not be made.
    #[error("{}: {source}; nothing was published, and the shares are still in the vault", path.display())]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<KeystoreError>,
    },
    /// A file could not be encrypted.
    #[error("{0}; nothing was published")]
    Seal(#[from] WrapError),
    /// No passphrase could be made.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A file could not be encoded.
    #[error("a file of the ceremony {0}; nothing was published")]
    Json(#[from] JsonError),
    /// Deposit data could not be encoded.
    #[error("{0}; nothing was published")]
    Deposits(#[from] DepositFileError),
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// Too little memory, or no threads.
    #[error("{0}; nothing was published, and the shares are still in the vault")]
    Capacity(#[from] CapacityError),
}

/// Writes the artifacts of a complete ceremony into `directory`, which must not exist or be empty;
/// or verifies the complete set of the same ceremony that stands there.
///
/// Takes one key derivation a keystore; progress goes to `observer` under `Stage::Keystores`.
pub fn write(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    request: &Request<'_>,
    randomness: &mut (dyn Randomness + Send),
    observer: &dyn Observer,
) -> Result<Written, ArtifactError> {
    // Weights of all batches: nobody who made a share or a signature could know them.
    let mut seed = [0u8; 32];
    randomness.fill(&mut seed)?;
    check_request(request, &seed)?;
    let public = public_files(request)?;
    let keystores = keystores::KeystoreSet::of(request)?;
    let randomness = SharedRandomness(Mutex::new(randomness));
    if !staging::is_vacant(disk.as_ref(), directory)? {
        let files = existing::verify(
            disk,
            directory,
            &existing::Subject {
                plan: request.plan.plan(),
                leads_to: &|found| found.keygen() == Some(request.outcome),
            },
            &public,
            keystores.as_ref(),
            observer,
        )?;
        staging::sweep(disk.as_ref(), directory)?;
        return Ok(Written {
            already: true,
            files,
        });
    }
    let files = staging::publish(disk.as_ref(), directory, |place| {
        let mut files = Vec::new();
        for file in &public {
            put(disk.as_ref(), place, file)?;
            // The same bytes by now: what is verified is what stands on the disk.
            file.verify(place, &seed)?;
            files.push(file.written());
        }
        if let Some(keystores) = &keystores {
            files.extend(keystores.write(
                disk.as_ref(),
                &place.join(KEYS),
                &randomness,
                observer,
            )?);
        }
        let record = place.join(RECORD);
        let messages = record::put_messages(disk, &record, &request.messages)?;
        files.extend(messages.into_iter().map(|file| file.under(RECORD)));
        Ok(files)
    })?;
    Ok(Written {
        already: false,
        files,
    })
}

/// A public file whose bytes follow from plan and outcome.
struct PublicFile {
    /// Relative to the directory, with `/`.
    name: String,
    purpose: Purpose,
    bytes: Vec<u8>,
    check: Check,
}

/// What is checked of a file's bytes beyond their being the same.
enum Check {
    /// Nothing: the bytes say it all.
    Same,
    /// Deposit data for this network, with valid signatures.
    Deposits(NetworkSpec),
    /// Registrations with valid signatures, under the fork version.
    Registrations([u8; 4]),
    /// A cluster whose public shares follow from its polynomials.
    Cluster,
}

impl PublicFile {
    /// Checks what the bytes say, as whoever gets the file does.
    fn verify(&self, place: &Path, seed: &[u8; 32]) -> Result<(), ArtifactError> {
        let verified = match &self.check {
            Check::Same => Ok(()),
            Check::Deposits(network) => deposits::verify(&self.bytes, network, seed),
            Check::Registrations(fork_version) => {
                registrations::verify(&self.bytes, *fork_version, seed)
            }
            Check::Cluster => cluster::Cluster::parse(&self.bytes)
                .map(drop)
                .map_err(|error| error.to_string()),
        };
        verified.map_err(|why| read_back(&place.join(&self.name), &why))
    }

    fn written(&self) -> WrittenFile {
        WrittenFile {
            path: PathBuf::from(&self.name),
            purpose: self.purpose,
        }
    }
}

impl WrittenFile {
    fn under(self, directory: &str) -> Self {
        Self {
            path: Path::new(directory).join(self.path),
            ..self
        }
    }
}

/// One source of randomness for many threads.
struct SharedRandomness<'a>(Mutex<&'a mut (dyn Randomness + Send)>);

impl Randomness for &SharedRandomness<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomnessError> {
        // A thread that died while it held the source left nothing half-done in it.
        let mut source = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        source.fill(out)
    }
}

fn read_back(path: &Path, why: &str) -> ArtifactError {
    ArtifactError::ReadBack {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

/// Whether plan, outcome and shares are of one ceremony.
fn check_request(request: &Request<'_>, seed: &[u8; 32]) -> Result<(), ArtifactError> {
    let (plan, outcome) = (request.plan, request.outcome);
    let sharing = outcome.sharing();
    let counts = plan.validators().iter().map(|v| v.message_count());
    let indices = plan.roster().iter().map(|operator| operator.index.get());
    if outcome.cid() != plan.cid()
        || sharing.threshold() != plan.threshold()
        || sharing.validators() != plan.validators().len()
        || !indices.eq(sharing.indices().iter().copied())
        || !counts.eq(outcome.signatures().iter().map(Vec::len))
    {
        return Err(ArtifactError::Mismatch(
            "the outcome does not belong to the plan",
        ));
    }
    let Some(own) = request.own else {
        return Ok(());
    };
    if own.cid != *outcome.cid()
        || own.transcript != *outcome.transcript()
        || own.sharing != *sharing
        || !sharing.indices().contains(&own.index)
    {
        return Err(ArtifactError::Mismatch(
            "the shares do not belong to the outcome",
        ));
    }
    let t = sharing.threshold();
    if !feldman::check_shares(own.index, &own.shares, sharing.coefficients(), t, seed) {
        return Err(ArtifactError::Mismatch(
            "a share is not the secret of its public share",
        ));
    }
    Ok(())
}

/// Every file that follows from plan and outcome alone.
fn public_files(request: &Request<'_>) -> Result<Vec<PublicFile>, ArtifactError> {
    let (plan, outcome) = (request.plan, request.outcome);
    let mut files = deposits::files(plan, outcome)?;
    files.extend(registrations::file(plan, outcome)?);
    files.push(PublicFile {
        name: cluster::NAME.to_owned(),
        purpose: Purpose::Cluster,
        bytes: cluster::Cluster::new(plan, outcome)?.to_bytes()?,
        check: Check::Cluster,
    });
    let (plan_code, outcome_code) = request.codes;
    let page = report::page(&report::Source {
        plan,
        outcome: Some(outcome),
        plan_code,
        outcome_code: Some(outcome_code),
        origin: report::Origin::OwnRun,
    });
    files.push(PublicFile {
        name: report::NAME.to_owned(),
        purpose: Purpose::Report,
        bytes: page.into_bytes(),
        check: Check::Same,
    });
    for file in record::files(&plan, Some(&outcome.to_bytes()?))? {
        files.push(PublicFile {
            name: format!("{RECORD}/{}", file.name),
            ..file
        });
    }
    Ok(files)
}

/// Writes one public file below `place` and reads it back.
fn put(disk: &dyn Disk, place: &Path, file: &PublicFile) -> Result<(), ArtifactError> {
    let path = place.join(&file.name);
    if let Some(directory) = path.parent() {
        disk.create_dir_all(directory, Access::Public)?;
    }
    disk.create(&path, &file.bytes, Access::Public)?;
    if disk.read(&path, file.bytes.len() as u64)? == file.bytes {
        Ok(())
    } else {
        Err(read_back(&path, "holds other bytes than were written"))
    }
}
