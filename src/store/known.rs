//! The book of known identities: under which name this machine saw an identity first, and where.
//!
//! A public JSON file beside the home, so that an organiser without a home has one too. It is advice
//! and nothing more: a lost or spoiled book loses no key and stops no work. What it is for: a card
//! with a known name and another key may be somebody else's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{Access, Disk, DiskError};
use crate::ceremony::plan::Plan;
use crate::crypto::identity::IdentityPublic;
use crate::hash::Digest;
use crate::json::{self, JsonError, Text};

/// The largest book, in bytes.
pub const MAX_BOOK_BYTES: usize = 4 * 1024 * 1024;

/// The version of the book's form.
const VERSION: u64 = 1;

/// Why the book cannot be used. Nothing else is affected.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Not a book.
    #[error("{} {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: JsonError,
    },
    /// A book of another version.
    #[error("{} is of version {version}; this is conclave {}, which reads version {VERSION}", path.display(), env!("CARGO_PKG_VERSION"))]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// No room for another entry.
    #[error("{} is full; move it away, and a new one is begun", .0.display())]
    Full(PathBuf),
}

/// How an identity came into the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its card went into a plan that was written here.
    Planned,
    /// It stood in a plan whose code was compared here.
    Accepted,
}

/// An identity under a name, and the ceremony in which it was first seen so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The identity.
    pub identity: IdentityPublic,
    /// The name.
    pub name: Text,
    /// The ceremony.
    pub cid: Digest,
    /// The name of its plan.
    pub plan: Text,
    /// When the plan was made, in seconds since 1970.
    pub created: u64,
    /// How it came here.
    pub how: How,
}

/// What the book says of one operator of a plan. Entries of that same plan do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Neither the name nor the key was seen.
    New,
    /// The key was seen under this name.
    Seen(Entry),
    /// The key was seen, under another name.
    OtherName(Entry),
    /// The name was seen, with another key, and this key never.
    OtherKey(Entry),
}

/// The book.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    /// Each with its name's folded form.
    entries: Vec<(String, Entry)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BookFile {
    version: u64,
    entries: Vec<Entry>,
}

impl Book {
    /// Where the book of a home lies: beside it, whether there is a home or not. `None` for a path
    /// without a name, such as the root.
    pub fn path(home: &Path) -> Option<PathBuf> {
        // A home that was named `.` has its name from the current folder.
        let home = std::path::absolute(home).ok()?;
        let mut name = OsString::from(home.file_name()?);
        name.push(".known.json");
        Some(home.with_file_name(name))
    }

    /// Reads a book; where there is none, it is empty.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Self, BookError> {
        let malformed = |reason| BookError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let bytes = match disk.read(path, MAX_BOOK_BYTES as u64) {
            Err(DiskError::NotFound(_)) => return Ok(Self::default()),
            other => other?,
        };
        let value = json::parse(&bytes, MAX_BOOK_BYTES).map_err(malformed)?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            None | Some(VERSION) => {}
            Some(version) => {
                let path = path.to_owned();
                return Err(BookError::Version { path, version });
            }
        }
        let file: BookFile = json::decode(&value).map_err(malformed)?;
        let entries = file.entries.into_iter();
        Ok(Self {
            entries: entries.map(|entry| (entry.name.folded(), entry)).collect(),
        })
    }

    /// Says of every operator of a plan, in the roster's order, what was seen before.
    pub fn standings(&self, plan: &Plan) -> Vec<Standing> {
        let operators = plan.roster().iter();
        operators
            .map(|operator| {
                let (name, identity) = (operator.card.name(), operator.card.identity());
                self.standing(plan.cid(), name, identity)
            })
            .collect()
    }

    /// Says what was seen of a name and a key in other ceremonies than this one.
    fn standing(&self, cid: &Digest, name: &Text, identity: &IdentityPublic) -> Standing {
        let folded = name.folded();
        let others = || self.entries.iter().filter(|(_, entry)| entry.cid != *cid);
        let by_key = || others().filter(|(_, entry)| entry.identity == *identity);
        let same = by_key().find(|(name, _)| *name == folded);
        // The latest says best who has the name now.
        let by_name = others().rfind(|(name, _)| *name == folded);
        let other_name = by_key().next_back();
        match (same, by_name, other_name) {
            (Some((_, entry)), _, _) => Standing::Seen(entry.clone()),
            (None, Some((_, entry)), _) => Standing::OtherKey(entry.clone()),
            (None, None, Some((_, entry))) => Standing::OtherName(entry.clone()),
            (None, None, None) => Standing::New,
        }
    }

    /// Writes into the book whoever of a plan is not in it under that name. A rehearsal's operators
    /// are nobody, and never are. Returns how many came in.
    pub fn remember(
        disk: &dyn Disk,
        path: &Path,
        plan: &Plan,
        how: How,
    ) -> Result<usize, BookError> {
        if plan.is_rehearsal() {
            return Ok(0);
        }
        if let Some(folder) = path.parent() {
            disk.create_dir_all(folder, Access::Private)?;
        }
        // Another process may be adding to it.
        let _lock = disk.lock(&path.with_extension("lock"))?;
        let mut book = Self::read(disk, path)?;
        let before = book.entries.len();
        for operator in plan.roster().iter() {
            let (name, identity) = (operator.card.name(), operator.card.identity());
            let folded = name.folded();
            let known = book
                .entries
                .iter()
                .any(|(name, entry)| entry.identity == *identity && *name == folded);
            if !known {
                let entry = Entry {
                    identity: *identity,
                    name: name.clone(),
                    cid: *plan.cid(),
                    plan: plan.name().clone(),
                    created: plan.created(),
                    how,
                };
                book.entries.push((folded, entry));
            }
        }
        let added = book.entries.len().saturating_sub(before);
        if added > 0 {
            let file = BookFile {
                version: VERSION,
                entries: book.entries.into_iter().map(|(_, entry)| entry).collect(),
            };
            let bytes = json::pretty(&file).map_err(|reason| BookError::Malformed {
                path: path.to_owned(),
                reason,
            })?;
            if bytes.len() > MAX_BOOK_BYTES {
                return Err(BookError::Full(path.to_owned()));
            }
            disk.replace(path, &bytes, Access::Public)?;
        }
        Ok(added)
    }
}
