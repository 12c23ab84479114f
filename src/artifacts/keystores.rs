//! Keystores: each share encrypted for a validator client, read back and opened.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::{
    ArtifactError, KEYS, Keystores, Purpose, Request, SharedRandomness, WrittenFile, passphrase,
    read_back,
};
use crate::ceremony::plan::Plan;
use crate::ceremony::shares::OwnShares;
use crate::ceremony::{Observer, Stage, observed};
use crate::crypto::point::G1;
use crate::crypto::scalar::Scalar;
use crate::ethereum::keystore::{self, KdfChoice, Keystore, KeystoreError, Threads};
use crate::secret::{Passphrase, Secret, Seed};
use crate::store::disk::{Access, Disk};

/// The keystores that one operator gets.
pub(super) struct KeystoreSet<'a> {
    plan: &'a Plan,
    own: &'a OwnShares,
    publics: Vec<G1>,
    choice: KdfChoice,
    threads: Threads,
    /// Without one, each keystore has a generated passphrase.
    chosen: Option<&'a Passphrase>,
}

/// Returns where an operator's directory holds the keystore of the validator at `position`.
pub fn path(directory: &Path, plan: &Plan, position: usize) -> PathBuf {
    directory
        .join(KEYS)
        .join(file_name(position, plan.created(), "json"))
}

/// A name that validator clients recognise in a directory of keystores.
fn file_name(position: usize, created: u64, extension: &str) -> String {
    format!("keystore-m_12381_3600_{position}_0_0-{created}.{extension}")
}

/// One validator's share.
struct Share<'a> {
    position: usize,
    secret: &'a Scalar,
    public: &'a G1,
}

impl<'a> KeystoreSet<'a> {
    /// Returns what the request asks for; nothing for a witness. The shares have been checked.
    ///
    /// Fails where not even one key derivation fits into memory.
    pub(super) fn of(request: &Request<'a>) -> Result<Option<Self>, ArtifactError> {
        let Some(own) = request.own else {
            return Ok(None);
        };
        let (choice, chosen) = match request.keystores {
            Keystores::None => return Ok(None),
            Keystores::Generated(choice) => (choice, None),
            Keystores::Chosen(choice, passphrase) => (choice, Some(passphrase)),
        };
        let sharing = request.outcome.sharing();
        let operator = sharing.indices().iter().position(|x| *x == own.index);
        let operator = operator.ok_or(ArtifactError::Mismatch(
            "the shares do not belong to the outcome",
        ))?;
        Ok(Some(Self {
            plan: request.plan.plan(),
            own,
            publics: sharing.shares_of(operator).copied().collect(),
            choice,
            threads: request.capacity.threads(choice.memory_bytes())?,
            chosen,
        }))
    }

    /// The files, relative to the directory of artifacts.
    pub(super) fn files(&self) -> Vec<WrittenFile> {
        let file = |name: String, purpose| WrittenFile {
            path: Path::new(KEYS).join(name),
            purpose,
        };
        (0..self.own.shares.len())
            .flat_map(|position| {
                let keystore = file(self.name(position, "json"), Purpose::Keystore);
                let passphrase = self
                    .chosen
                    .is_none()
                    .then(|| file(self.name(position, "txt"), Purpose::Passphrase));
                [Some(keystore), passphrase]
            })
            .flatten()
            .collect()
    }

    /// Writes all keystores, reads each back and opens it with the key that it was encrypted under:
    /// one key derivation a keystore.
    ///
    /// The file as read must be the bytes that were written and name the salt and cost that the key
    /// was derived with; its checksum must match, and the secret inside be the share, with the public
    /// key that the file names. What this does not repeat is the derivation: that the passphrase leads
    /// to the same key once more rests on the function being one, and would fail where the machine
    /// computed wrongly. [`Self::verify`], when the same command is given again, and `keystore check`
    /// derive every key afresh; until then the share is in the vault.
    pub(super) fn write(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        randomness: &SharedRandomness<'_>,
        observer: &dyn Observer,
    ) -> Result<Vec<WrittenFile>, ArtifactError> {
        disk.create_dir_all(directory, Access::Private)?;
        self.each(observer, |share| {
            let mut randomness = randomness;
            let generated = match self.chosen {
                Some(_) => None,
                None => Some(passphrase::generate(&mut randomness)?),
            };
            let path = directory.join(self.name(share.position, "json"));
            let failed = |error| ArtifactError::Keystore {
                path: path.clone(),
                source: Box::new(error),
            };
            let Some(passphrase) = generated.as_ref().or(self.chosen) else {
                return Err(failed(KeystoreError::EmptyPassphrase));
            };
            let secret = share.secret.to_bytes();
            let (keystore, derived) = Keystore::encrypt(
                &secret,
                &share.public.to_bytes(),
                passphrase,
                self.choice,
                &key_path(share.position),
                &self.description(share.position),
                &mut randomness,
            )
            .map_err(failed)?;
            let bytes = keystore.to_bytes().map_err(failed)?;
            disk.create(&path, &bytes, Access::Private)?;
            let read = disk.read(&path, keystore::MAX_BYTES as u64)?;
            if read != bytes {
                return Err(read_back(&path, "holds other bytes than were written"));
            }
            let read = self.parse(&read, &path, &share)?;
            let opened = read
                .decrypt_with(&derived)
                .map_err(|error| read_back(&path, &format!("does not open: {error}")))?;
            compare(&path, &opened, &secret)?;
            if let Some(generated) = &generated {
                let path = directory.join(self.name(share.position, "txt"));
                generated.expose(|text| disk.create(&path, text.as_bytes(), Access::Private))?;
                if !read_passphrase(disk, &path)?.ct_eq(generated) {
                    return Err(read_back(
                        &path,
                        "holds another passphrase than was written",
                    ));
                }
            }
            Ok(())
        })?;
        Ok(self.files())
    }

    /// Opens all keystores that stand there: each holds its share, under its passphrase.
    pub(super) fn verify(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        observer: &dyn Observer,
    ) -> Result<(), ArtifactError> {
        self.each(observer, |share| {
            let path = directory.join(self.name(share.position, "json"));
            let bytes = disk.read(&path, keystore::MAX_BYTES as u64)?;
            let keystore = self.parse(&bytes, &path, &share)?;
            let opened = match self.chosen {
                Some(chosen) => keystore.decrypt(chosen),
                None => {
                    let path = directory.join(self.name(share.position, "txt"));
                    keystore.decrypt(&read_passphrase(disk, &path)?)
                }
            };
            let opened =
                opened.map_err(|error| read_back(&path, &format!("does not open: {error}")))?;
            compare(&path, &opened, &share.secret.to_bytes())
        })
    }

    /// Reads a keystore's bytes and checks what it says about itself.
    fn parse(
        &self,
        bytes: &[u8],
        path: &Path,
        share: &Share<'_>,
    ) -> Result<Keystore, ArtifactError> {
        let keystore =
            Keystore::parse(bytes).map_err(|error| read_back(path, &error.to_string()))?;
        if keystore.pubkey() != &share.public.to_bytes()
            || keystore.path() != key_path(share.position)
            || keystore.description() != self.description(share.position)
        {
            return Err(read_back(path, "is the keystore of another share"));
        }
        Ok(keystore)
    }

    /// Runs `work` for every share, on as many threads as cores and memory bear: each thread has one
    /// key derivation under way, so that their number bounds the memory.
    fn each(
        &self,
        observer: &dyn Observer,
        work: impl Fn(Share<'_>) -> Result<(), ArtifactError> + Sync,
    ) -> Result<(), ArtifactError> {
        let total = self.own.shares.len();
        let done = AtomicUsize::new(0);
        observed(observer, Stage::Keystores, || {
            self.threads.install(|| {
                self.own
                    .shares
                    .par_iter()
                    .zip(&self.publics)
                    .enumerate()
                    // Share by share: a keystore takes most of a second, a split costs nothing.
                    .with_max_len(1)
                    .try_for_each(|(position, (secret, public))| {
                        work(Share {
                            position,
                            secret,
                            public,
                        })?;
                        let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                        observer.progress(Stage::Keystores, done, total);
                        Ok(())
                    })
            })
        })
    }

    /// A name that validator clients recognise when they import a directory.
    fn name(&self, position: usize, extension: &str) -> String {
        let created = self.plan.created();
        file_name(position, created, extension)
    }

    fn description(&self, position: usize) -> String {
        format!(
            "{}: share {} of {} (threshold {}), validator {position}{}",
            self.plan.name(),
            self.own.index,
            self.plan.roster().len(),
            self.plan.threshold(),
            if self.plan.is_rehearsal() {
                " REHEARSAL"
            } else {
                ""
            }
        )
    }
}

/// ERC-2334 names the key of validator `position` so; a share has no path of its own.
fn key_path(position: usize) -> String {
    format!("m/12381/3600/{position}/0/0")
}

fn compare(path: &Path, opened: &Seed, share: &Seed) -> Result<(), ArtifactError> {
    if opened.ct_eq(share) {
        Ok(())
    } else {
        Err(read_back(path, "holds another secret than the share"))
    }
}

fn read_passphrase(disk: &dyn Disk, path: &Path) -> Result<Passphrase, ArtifactError> {
    let mut bytes = Secret::new(disk.read(path, Passphrase::MAX_BYTES as u64)?);
    String::from_utf8(bytes.expose_mut(std::mem::take))
        .ok()
        .and_then(|text| Passphrase::new(text).ok())
        .ok_or_else(|| read_back(path, "holds no passphrase"))
}
