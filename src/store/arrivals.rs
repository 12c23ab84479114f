//! How the messages of a ceremony came to this machine: a note for people, beside the board.
//!
//! `ceremonies/{cid}/arrivals.json` maps a message's file name to the courier that brought it first.
//! It decides nothing: what cannot be read of it is as if it were not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk::{Access, Disk, DiskError};
use super::home::{Home, HomeError};
use super::vault::CEREMONIES;
use crate::hash::Digest;
use crate::json::{self, excerpt};

/// The most bytes of the note.
const MAX_BYTES: u64 = 4 << 20;
/// The most characters of a courier's name that are kept.
const MAX_NAME_CHARS: usize = 200;
/// The note's file name.
pub(super) const FILE: &str = "arrivals.json";

/// How messages came.
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    couriers: BTreeMap<String, String>,
    changed: bool,
}

impl Arrivals {
    /// Reads the note of an open home.
    pub(super) fn read(home: &Home, cid: &Digest) -> Result<Self, HomeError> {
        Ok(Self::at(&**home.disk(), &directory(home, cid)?)?)
    }

    /// Reads the note in a ceremony's directory under a home.
    pub(super) fn at(disk: &dyn Disk, directory: &Path) -> Result<Self, DiskError> {
        let couriers = match disk.read(&directory.join(FILE), MAX_BYTES) {
            Ok(bytes) => json::read(&bytes, bytes.len()).unwrap_or_default(),
            Err(DiskError::NotFound(_) | DiskError::TooLarge { .. }) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            couriers,
            changed: false,
        })
    }

    /// The courier that brought a message first, by its file name on the board.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.couriers.get(name).map(String::as_str)
    }

    pub(super) fn add(&mut self, name: String, courier: &str) {
        self.couriers.insert(name, excerpt(courier, MAX_NAME_CHARS));
        self.changed = true;
    }

    /// Writes the note if something was added.
    pub(super) fn keep(&mut self, home: &Home, cid: &Digest) -> Result<(), HomeError> {
        if !self.changed {
            return Ok(());
        }
        let Ok(bytes) = json::canonical(&self.couriers) else {
            return Ok(());
        };
        let path = directory(home, cid)?.join(FILE);
        home.disk().replace(&path, &bytes, Access::Private)?;
        self.changed = false;
        Ok(())
    }
}

fn directory(home: &Home, cid: &Digest) -> Result<PathBuf, HomeError> {
    home.path(&format!("{CEREMONIES}/{cid}"))
}
