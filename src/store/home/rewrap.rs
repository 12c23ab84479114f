//! Wrapping the home key anew: another passphrase, or another age recipient.
//!
//! Only `home-key.age` decides what opens a home, and one rename replaces it: at any instant the home
//! opens in the old way or in the new one. `home.json` says which way that is, and cannot change in
//! the same instant. So the new description is written down first, in `home-key.next`, together with
//! the new wrapped key; it counts from when `home-key.age` holds that very key, and the next process
//! that opens the home finishes or forgets it.
//!
//! Copies and backups of the home keep the old wrapped key, and with it the old way in.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    DESCRIPTION, Disk, Home, HomeError, HomePublic, KEY, SMALL_FILE_BYTES, Unlock, Wrap, WrapError,
    WrappedBy, describe, malformed, optional, sealed,
};
use crate::json::{self, encode_hex};
use crate::store::disk::Access;
use crate::store::wrap::HomeKey;

const NEXT: &str = "home-key.next";

/// A description and a wrapped key in hex: at most twice a small file, and some.
const NEXT_BYTES: u64 = SMALL_FILE_BYTES * 4;

/// What `home-key.next` holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    /// `home.json` as it will be.
    home: HomePublic,
    /// `home-key.age` as it will be, in hex.
    home_key: String,
}

impl Home {
    /// Wraps the home key anew; afterwards only `wrap` opens this home. `trial` is tried on the new
    /// key before anything is written; a passphrase is tried in any case.
    pub fn rewrap(&mut self, wrap: &Wrap, trial: Option<&Unlock>) -> Result<(), HomeError> {
        let path = self.root.join(KEY);
        let file = self.wrapped_key(wrap)?;
        if let Some(trial) = trial {
            let opened = HomeKey::unwrap(&file, trial).map_err(|reason| match reason {
                WrapError::WrongKey => HomeError::WrongIdentity {
                    root: self.root.clone(),
                    recipient: wrap.recipient().unwrap_or_default(),
                },
                reason => sealed(&path, reason),
            })?;
            if opened.recipient() != self.public.home_key {
                return Err(malformed(&path, &"would not open again"));
            }
        }
        let public = HomePublic {
            wrapped_by: WrappedBy::from(wrap),
            ..self.public.clone()
        };
        let description = json::pretty(&public).map_err(|error| malformed(&path, &error))?;

        let _lock = self.lock()?;
        self.disk.clean_temporaries(&self.root)?;
        settle(&*self.disk, &self.root)?;
        let next = Next {
            home: public.clone(),
            home_key: encode_hex(&file),
        };
        let next = json::pretty(&next).map_err(|error| malformed(&path, &error))?;
        let next_path = self.root.join(NEXT);
        self.disk.create(&next_path, &next, Access::Private)?;
        self.disk.replace(&path, &file, Access::Private)?;
        self.disk
            .replace(&self.root.join(DESCRIPTION), &description, Access::Public)?;
        self.disk.remove_file(&next_path)?;
        self.public = public;
        Ok(())
    }
}

/// Returns the description that counts although `home.json` does not hold it yet.
pub(super) fn switched(disk: &dyn Disk, root: &Path) -> Result<Option<HomePublic>, HomeError> {
    let path = root.join(NEXT);
    let Some(bytes) = optional(disk.read(&path, NEXT_BYTES))? else {
        return Ok(None);
    };
    let limit = usize::try_from(NEXT_BYTES).unwrap_or(usize::MAX);
    let next: Next = json::parse(&bytes, limit)
        .and_then(|value| json::decode(&value))
        .map_err(|error| malformed(&path, &error))?;
    let standing = disk.read(&root.join(KEY), SMALL_FILE_BYTES)?;
    Ok((encode_hex(&standing) == next.home_key).then_some(next.home))
}

/// Ends what a dead process began; under the home's lock.
pub(super) fn settle(disk: &dyn Disk, root: &Path) -> Result<(), HomeError> {
    let path = root.join(DESCRIPTION);
    if disk.kind(&root.join(NEXT))?.is_none() {
        return Ok(());
    }
    if let Some(public) = switched(disk, root)? {
        let description = json::pretty(&public).map_err(|error| malformed(&path, &error))?;
        describe(root, &path, &description)?;
        disk.replace(&path, &description, Access::Public)?;
    }
    Ok(disk.remove_file(&root.join(NEXT))?)
}
