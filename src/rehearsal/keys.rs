//! The keys that a rehearsal signs with.

use std::path::Path;

use rayon::prelude::*;

use super::RehearsalError;
use crate::artifacts;
use crate::ceremony::plan::Plan;
use crate::crypto::scalar::Scalar;
use crate::ethereum::keystore::{Keystore, KeystoreError, MAX_BYTES};
use crate::secret::{Passphrase, PassphraseError};
use crate::store::disk::Disk;
use crate::store::home::Home;
use crate::store::seat::Seat;

/// An operator's shares, from its home.
pub(super) fn shares(plan: &Plan, home: &Home) -> Result<Vec<Scalar>, RehearsalError> {
    let seat = Seat::open(home, plan)?;
    let shares = seat
        .shares()
        .ok_or(RehearsalError::Check("an operator has no shares"))?;
    Ok(shares.shares.iter().map(Scalar::duplicate).collect())
}

/// Opens an operator's first keystores, all at once as far as threads and memory go.
pub(super) fn open_keystores(
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
        let file = disk.read(&path, MAX_BYTES as u64)?;
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
