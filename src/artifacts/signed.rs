//! What a signing ceremony leaves behind: the signed messages in the form that their consumers take,
//! and the record, in one directory, with the promises of the other artifacts.
//!
//! ```text
//! signed_exit-<validator index>.json          one exit, as a beacon node takes it, or
//! signed_exit-<validator index>.json.age      the same, encrypted to the recipients that were named
//! bls_to_execution_change-<created>.json      all changes, as a beacon node takes them
//! builder_registrations-<created>.json        all registrations, as relays and beacon nodes take them
//! deposit_data-<created>.json                 all deposits, as launchpads take them
//! README.txt                                  what may be done with them, for people
//! record/plan.json, record/messages/*.json, record/<plan name>.outcome.json
//! ```
//!
//! With recipients the record's outcome and messages stay in the home: whoever holds them holds the
//! exits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::existing::{Subject, check_names, check_record};
use super::record::{self, MESSAGES, Recorded};
use super::{
    ArtifactError, Check, PublicFile, Purpose, RECORD, Written, WrittenFile, put, read_back,
    staging,
};
use crate::ambient::Randomness;
use crate::ceremony::Observer;
use crate::ceremony::outcome::{Outcome, SignOutcome};
use crate::ceremony::plan::{SignObject, SignPlan};
use crate::crypto::bls::{self, SigningRoot};
use crate::crypto::point::{G1, G2};
use crate::ethereum::bls_change::{BlsToExecutionChange, SignedBlsChange};
use crate::ethereum::deposit::{DepositData, DepositEntry, write_entries};
use crate::ethereum::exit::{SignedExit, VoluntaryExit};
use crate::ethereum::registration::SignedRegistration;
use crate::json;
use crate::store::disk::{Access, Disk};
use crate::store::wrap::{Wrap, is_age_file, seal};

/// The page of words in the directory.
const README: &str = "README.txt";

/// The largest file of signed messages that is read back: as many as a plan can hold.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What is to be written.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The plan.
    pub plan: SignPlan<'a>,
    /// What its ceremony ended with.
    pub outcome: &'a SignOutcome,
    /// The messages of the board.
    pub messages: Recorded<'a>,
    /// Whom the exits are encrypted to; nobody: they are written in clear.
    pub recipients: &'a [Wrap],
}

/// Writes the artifacts of a complete signing ceremony into `directory`, which must not exist or be
/// empty; or verifies the complete set of the same ceremony that stands there. What is encrypted
/// cannot be verified again without its key: then it has to be there.
pub fn write_signed(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    request: &SignedRequest<'_>,
    randomness: &mut dyn Randomness,
    observer: &dyn Observer,
) -> Result<Written, ArtifactError> {
    let mut seed = [0u8; 32];
    randomness.fill(&mut seed)?;
    verify_all(request, &seed)?;
    let (public, exits) = files(request)?;
    let sealed = !request.recipients.is_empty();
    if !staging::is_vacant(disk.as_ref(), directory)? {
        let files = existing(disk, directory, request, &public, &exits, observer)?;
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
            file.verify(place, &seed)?;
            files.push(file.written());
        }
        let secret: Vec<(PathBuf, Vec<u8>)> = exits
            .par_iter()
            .map(|exit| {
                let bytes = match sealed {
                    true => seal(request.recipients, &exit.bytes)?,
                    false => exit.bytes.clone(),
                };
                Ok((place.join(&exit.name), bytes))
            })
            .collect::<Result<_, ArtifactError>>()?;
        disk.create_unpublished(&secret, Access::Private)?;
        for (path, bytes) in &secret {
            if !disk.holds(path, bytes)? {
                return Err(read_back(path, "holds other bytes than were written"));
            }
        }
        files.extend(exits.iter().map(PublicFile::written));
        if !sealed {
            let messages = record::put_messages(disk, &place.join(RECORD), &request.messages)?;
            files.extend(messages.into_iter().map(|file| file.under(RECORD)));
        }
        Ok(files)
    })?;
    Ok(Written {
        already: false,
        files,
    })
}

fn existing(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    request: &SignedRequest<'_>,
    public: &[PublicFile],
    exits: &[PublicFile],
    observer: &dyn Observer,
) -> Result<Vec<WrittenFile>, ArtifactError> {
    let differs = |why: String| ArtifactError::Occupied {
        path: directory.to_owned(),
        why,
    };
    let sealed = !request.recipients.is_empty();
    let all = public.iter().chain(exits);
    let mut files: Vec<WrittenFile> = all.map(PublicFile::written).collect();
    check_names(disk.as_ref(), directory, &files, !sealed).map_err(differs)?;
    for file in public.iter().chain(exits.iter().filter(|_| !sealed)) {
        if !disk.holds(&directory.join(&file.name), &file.bytes)? {
            return Err(differs(format!("{} is another", file.name)));
        }
    }
    for exit in exits.iter().filter(|_| sealed) {
        let bytes = disk.read(&directory.join(&exit.name), MAX_BYTES as u64)?;
        if !is_age_file(&bytes) {
            return Err(differs(format!("{} is not encrypted", exit.name)));
        }
    }
    if !sealed {
        let subject = Subject {
            plan: request.plan.plan(),
            leads_to: &|found: &Outcome| found.sign() == Some(request.outcome),
        };
        let messages = check_record(disk, directory, &subject, observer).map_err(differs)?;
        files.extend(messages.into_iter().map(|name| WrittenFile {
            path: [RECORD, MESSAGES, &name].iter().collect::<PathBuf>(),
            purpose: Purpose::Message,
        }));
    }
    Ok(files)
}

/// Whether plan and outcome are of one ceremony and every signature is its key's: before anything is
/// written.
fn verify_all(request: &SignedRequest<'_>, seed: &[u8; 32]) -> Result<(), ArtifactError> {
    let (plan, outcome) = (request.plan, request.outcome);
    let keys: Option<Vec<&G1>> = plan.messages().iter().map(|row| plan.key(row)).collect();
    let mismatch = ArtifactError::Mismatch("the outcome does not belong to the plan");
    let Some(keys) = keys else {
        return Err(mismatch);
    };
    if outcome.cid() != plan.cid() || outcome.signatures().len() != plan.messages().len() {
        return Err(mismatch);
    }
    let items: Vec<(G1, SigningRoot, G2)> = keys
        .into_iter()
        .zip(plan.roots())
        .zip(outcome.signatures())
        .map(|((key, root), signature)| (*key, *root, *signature))
        .collect();
    if bls::verify_batch(&items, seed) {
        Ok(())
    } else {
        Err(ArtifactError::Mismatch(
            "a signature of the outcome does not verify under its key",
        ))
    }
}

/// The files that follow from plan and outcome: those for everybody, and the exits.
fn files(request: &SignedRequest<'_>) -> Result<(Vec<PublicFile>, Vec<PublicFile>), ArtifactError> {
    let (plan, network) = (request.plan, request.plan.network());
    let created = plan.created();
    let sealed = !request.recipients.is_empty();
    let mut exits: BTreeMap<(u64, u64), PublicFile> = BTreeMap::new();
    let mut changes = Vec::new();
    let mut signed = Vec::new();
    let mut entries = Vec::new();
    let repeated = repeated(plan);
    for (row, signature) in plan.messages().iter().zip(request.outcome.signatures()) {
        let Some(key) = plan.key(row) else { continue };
        let signature = signature.to_bytes();
        match row.object {
            SignObject::Exit {
                epoch,
                validator_index,
            } => {
                let mut name = format!("signed_exit-{validator_index}");
                // Two exits of one validator, for two epochs, need two names.
                if repeated.contains(&validator_index) {
                    name.push_str(&format!("-epoch-{epoch}"));
                }
                let ending = if sealed { ".json.age" } else { ".json" };
                let exit = SignedExit {
                    message: VoluntaryExit {
                        epoch,
                        validator_index,
                    },
                    signature,
                };
                exits.insert(
                    (validator_index, epoch),
                    PublicFile {
                        name: name + ending,
                        purpose: Purpose::Exit,
                        bytes: json::pretty(&exit)?,
                        check: Check::Same,
                    },
                );
            }
            SignObject::BlsChange {
                validator_index,
                to_execution_address,
            } => changes.push(SignedBlsChange::new(
                BlsToExecutionChange {
                    validator_index,
                    from_bls_pubkey: key.to_bytes(),
                    to_execution_address,
                },
                signature,
            )),
            SignObject::Registration(_) => {
                if let Some(message) = row.object.registration(key) {
                    signed.push(SignedRegistration { message, signature });
                }
            }
            SignObject::Deposit { .. } => {
                if let Some(message) = row.object.deposit(key) {
                    let data = DepositData { message, signature };
                    entries.push(DepositEntry::new(&data, network));
                }
            }
        }
    }
    let mut public = vec![PublicFile {
        name: README.to_owned(),
        purpose: Purpose::Notes,
        bytes: notes(plan, sealed).into_bytes(),
        check: Check::Same,
    }];
    if !changes.is_empty() {
        public.push(PublicFile {
            name: format!("bls_to_execution_change-{created}.json"),
            purpose: Purpose::BlsChanges,
            bytes: json::pretty(&changes)?,
            check: Check::Same,
        });
    }
    if !signed.is_empty() {
        public.push(PublicFile {
            name: format!("builder_registrations-{created}.json"),
            purpose: Purpose::Registrations,
            bytes: json::pretty(&signed)?,
            check: Check::Registrations(network.fork_version()),
        });
    }
    if !entries.is_empty() {
        public.push(PublicFile {
            name: format!("deposit_data-{created}.json"),
            purpose: Purpose::Deposits,
            bytes: write_entries(&entries)?,
            check: Check::Deposits(network.clone()),
        });
    }
    let outcome = request.outcome.to_bytes()?;
    let outcome = (!sealed).then_some(outcome.as_slice());
    for file in record::files(&plan, outcome)? {
        public.push(PublicFile {
            name: format!("{RECORD}/{}", file.name),
            ..file
        });
    }
    Ok((public, exits.into_values().collect()))
}

/// The validators with two exits or more.
fn repeated(plan: SignPlan<'_>) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    let exits = plan.messages().iter().filter_map(|row| match row.object {
        SignObject::Exit {
            validator_index, ..
        } => Some(validator_index),
        _ => None,
    });
    exits.filter(|index| !seen.insert(*index)).collect()
}

fn notes(plan: SignPlan<'_>, sealed: bool) -> String {
    let mut text = format!(
        "{}: signed by ceremony {}\n\n\
         The files here hold signatures that anybody can use, at any time: whoever has a signed exit\n\
         can make its validator leave, for ever. Keep them as you keep keys, and pass on only what you\n\
         mean to be used.\n\n",
        plan.name(),
        plan.cid()
    );
    text.push_str(match sealed {
        true => {
            "The exits are encrypted (age): `age --decrypt -i KEY signed_exit-N.json.age` opens one. The\n\
             record here leaves the messages and the outcome out, since they hold the same signatures.\n\n"
        }
        false => {
            "The record holds the same signatures: do not publish it. `conclave audit record` checks it.\n\n"
        }
    });
    text.push_str(
        "`conclave sign verify FILE` checks any of these files.\n\n\
         signed_exit-*.json              POST /eth/v1/beacon/pool/voluntary_exits of a beacon node\n\
         bls_to_execution_change-*.json  POST /eth/v1/beacon/pool/bls_to_execution_changes\n\
         builder_registrations-*.json    POST /eth/v1/validator/register_validator\n\
         deposit_data-*.json             the launchpad of the network\n",
    );
    text
}
