//! What was done for the shares of a ceremony after it: proved, or found whole in a backup or on paper.
//!
//! Each is a note of its own in `ceremonies/{cid}/upkeep`, or in `imported/{cid}/upkeep` where the cluster
//! was made elsewhere, public and written once. They are for
//! people: `share list` says from them when a share was last proved and whether it is backed up, and
//! nothing else follows from one.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk::{Access, Disk, DiskError, Kind};
use super::home::{HomeError, lock_home};
use super::imported::{CLUSTER, IMPORTED};
use super::vault::CEREMONIES;
use crate::hash::Digest;
use crate::json::{self, Text};

/// The form of a note.
pub const NOTE_VERSION: u64 = 1;

/// The directory of the notes, in a ceremony's.
pub(super) const DIRECTORY: &str = "upkeep";

/// The most bytes of a note.
const MAX_NOTE_BYTES: u64 = 4 << 10;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// A backup was opened, and holds these very shares.
    BackupChecked,
    /// Every one of these shares was read from paper.
    PaperChecked,
    /// A proof of all shares was made.
    Proved,
}

/// One note; fields in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// When, in seconds since 1970, as this machine's clock said.
    pub at: u64,
    /// What the proof answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Text>,
    /// The ceremony.
    pub cid: Digest,
    /// What.
    pub done: Done,
    /// SHA-256 of the file that was made or checked; of paper, of the shares' public keys, 48 bytes
    /// each.
    pub sha256: Digest,
    /// The transcript T of the shares.
    pub transcript: Digest,
    /// [`NOTE_VERSION`].
    pub version: u64,
}

/// The notes of one ceremony.
#[derive(Debug, Clone, Default)]
pub struct Upkeep {
    notes: Vec<Note>,
    unreadable: Vec<String>,
}

impl Note {
    /// Says of a file what was done with it.
    pub fn new(done: Done, cid: &Digest, transcript: &Digest, file: &[u8], at: u64) -> Self {
        Self {
            at,
            challenge: None,
            cid: *cid,
            done,
            sha256: Digest::from_bytes(Sha256::digest(file).into()),
            transcript: *transcript,
            version: NOTE_VERSION,
        }
    }

    /// Writes it into the home at `root`, which need not be open. The same note again is fine.
    pub fn keep(&self, disk: &dyn Disk, root: &Path) -> Result<(), HomeError> {
        let done = match self.done {
            Done::BackupChecked => "backup-checked",
            Done::PaperChecked => "paper-checked",
            Done::Proved => "proved",
        };
        let cid = self.cid.to_string();
        // A cluster that was made elsewhere has its own directory, and no ceremony.
        let imported = root.join(IMPORTED).join(&cid);
        let place = match disk.kind(&imported.join(CLUSTER))? {
            Some(_) => imported,
            None => root.join(CEREMONIES).join(&cid),
        };
        let directory = place.join(DIRECTORY);
        let path = directory.join(format!("{}-{done}-{}.json", self.at, self.sha256.short()));
        let bytes = json::pretty(self).map_err(|error| HomeError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        // The ceremony's own lock may be held by a `run` that stays; this one is held for moments.
        let _lock = lock_home(disk, root)?;
        disk.create_dir_all(&directory, Access::Private)?;
        disk.clean_temporaries(&directory)?;
        disk.create_or_same(&path, &bytes, Access::Public)?;
        Ok(())
    }
}

impl Upkeep {
    /// Reads the notes in a ceremony's directory under a home. What cannot be read of them counts
    /// for nothing, and is named.
    pub fn at(disk: &dyn Disk, ceremony: &Path) -> Result<Self, DiskError> {
        let directory = ceremony.join(DIRECTORY);
        let entries = match disk.list(&directory) {
            Err(DiskError::NotFound(_)) => return Ok(Self::default()),
            other => other?,
        };
        let cid = ceremony.file_name().and_then(|name| name.to_str());
        let mut upkeep = Self::default();
        for entry in entries {
            if entry.kind != Kind::File {
                continue;
            }
            let note = disk
                .read(&directory.join(&entry.name), MAX_NOTE_BYTES)
                .ok()
                .and_then(|bytes| json::read::<Note>(&bytes, bytes.len()).ok())
                .filter(|note| note.version == NOTE_VERSION)
                // A note that was moved here says nothing of these shares.
                .filter(|note| cid == Some(note.cid.to_string().as_str()));
            match note {
                Some(note) => upkeep.notes.push(note),
                None => upkeep.unreadable.push(entry.name),
            }
        }
        Ok(upkeep)
    }

    /// The last note of its kind.
    pub fn last(&self, done: Done) -> Option<&Note> {
        let notes = self.notes.iter().filter(|note| note.done == done);
        notes.max_by_key(|note| note.at)
    }

    /// File names of what is no note of this ceremony.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }
}
