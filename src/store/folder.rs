//! One ceremony as a directory that people can read: `plan.json` and one file per message.
//!
//! The same form serves under the home and on a stick. A message is opaque here; its file name is a
//! label for people and decides nothing. Nothing is overwritten: a message whose name is taken by
//! other bytes, a half-copied file for instance, gets the next free suffix (`name~2.json`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::disk::{Access, Disk, DiskError, Entry, Kind};
use crate::json::is_device;

/// The most bytes of a plan or of one message: 64 MiB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// The most characters of a file name that [`safe_name`] returns.
pub const MAX_NAME_CHARS: usize = 100;

const PLAN: &str = "plan.json";
const EXTENSION: &str = ".json";
const MAX_SUFFIX: u32 = 99;

/// Why a ceremony's folder could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The folder's plan is not the one that was expected.
    #[error("{} belongs to another ceremony: its plan.json differs; nothing was written", .0.display())]
    OtherCeremony(PathBuf),
    /// The plan is larger than anything this tool writes.
    #[error("a plan or message of {0} bytes is over the limit of {MAX_FILE_BYTES}")]
    TooLarge(usize),
    /// A name and 98 suffixes are all taken by other contents.
    #[error("{} and {MAX_SUFFIX} variants of its name are taken by other contents; the message was not written there", .0.display())]
    NamesTaken(PathBuf),
}

/// SHA-256 of a message's bytes: says which messages are the same, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes a message.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// One message file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFile {
    /// Its name in the folder.
    pub name: String,
    /// Its size in bytes, at most [`MAX_FILE_BYTES`].
    pub len: u64,
}

/// What [`BoardFolder::put`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// Written under this name.
    Written(String),
    /// The same bytes stood under this name already.
    Same(String),
}

impl Put {
    /// The name under which the message now stands.
    pub fn name(&self) -> &str {
        match self {
            Put::Written(name) | Put::Same(name) => name,
        }
    }
}

/// A ceremony's folder.
#[derive(Debug, Clone)]
pub struct BoardFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl BoardFolder {
    /// Opens the folder of the ceremony with this plan, made if it does not stand. A standing
    /// `plan.json` must hold the same bytes.
    pub fn create_or_open(
        disk: Arc<dyn Disk>,
        path: &Path,
        plan_bytes: &[u8],
    ) -> Result<Self, FolderError> {
        bounded(plan_bytes)?;
        disk.create_dir_all(path, Access::Public)?;
        disk.create_or_same(&path.join(PLAN), plan_bytes, Access::Public)
            .map_err(|error| match error {
                DiskError::Differs(_) => FolderError::OtherCeremony(path.to_owned()),
                other => FolderError::Disk(other),
            })?;
        Ok(Self::open(disk, path))
    }

    /// Opens a folder as it is, whatever its plan.
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Self {
        Self {
            disk,
            path: path.to_owned(),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads `plan.json`, at most [`MAX_FILE_BYTES`].
    pub fn plan_bytes(&self) -> Result<Vec<u8>, FolderError> {
        Ok(self.disk.read(&self.path.join(PLAN), MAX_FILE_BYTES)?)
    }

    /// Lists the message files, sorted by name; see [`Self::survey`] for what is left out.
    pub fn messages(&self) -> Result<Vec<MessageFile>, FolderError> {
        Ok(self.survey()?.0)
    }

    /// Lists the message files, and beside them, in words, files that look like messages and cannot
    /// be any: too large, or not regular files. Other files and hidden ones are passed over.
    pub fn survey(&self) -> Result<(Vec<MessageFile>, Vec<String>), FolderError> {
        let mut messages = Vec::new();
        let mut notes = Vec::new();
        for Entry { name, kind, len } in self.disk.list(&self.path)? {
            let folded = name.to_ascii_lowercase();
            if !folded.ends_with(EXTENSION) || folded == PLAN || name.starts_with('.') {
                continue;
            }
            let place = self.path.join(&name);
            match kind {
                Kind::File if len <= MAX_FILE_BYTES => messages.push(MessageFile { name, len }),
                Kind::File => notes.push(
                    DiskError::TooLarge {
                        path: place,
                        actual: len,
                        limit: MAX_FILE_BYTES,
                    }
                    .to_string(),
                ),
                _ => notes.push(DiskError::NotRegular { path: place, kind }.to_string()),
            }
        }
        Ok((messages, notes))
    }

    /// Reads a message file, at most [`MAX_FILE_BYTES`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>, FolderError> {
        Ok(self.disk.read(&self.path.join(name), MAX_FILE_BYTES)?)
    }

    /// Writes a message under `name` made safe, or under the first suffix of it that is free;
    /// finding the same bytes under one of these names is as good.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<Put, FolderError> {
        bounded(bytes)?;
        let stem = safe_name(name.strip_suffix(EXTENSION).unwrap_or(name));
        // Room for suffix and extension within the limit of a name.
        let stem: String = stem
            .chars()
            .take(MAX_NAME_CHARS.saturating_sub(8))
            .collect();
        for suffix in 1..=MAX_SUFFIX {
            let candidate = match suffix {
                // A message may not stand where the plan does.
                1 if stem == "plan" => continue,
                1 => format!("{stem}{EXTENSION}"),
                _ => format!("{stem}~{suffix}{EXTENSION}"),
            };
            match self
                .disk
                .create_or_same(&self.path.join(&candidate), bytes, Access::Public)
            {
                Ok(true) => return Ok(Put::Written(candidate)),
                Ok(false) => return Ok(Put::Same(candidate)),
                Err(DiskError::Differs(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(FolderError::NamesTaken(self.path.join(stem)))
    }
}

/// Returns a form of `name` that every file system takes, FAT included: lower-case ASCII letters,
/// digits, hyphens and dots, no dot or hyphen at either end, at most [`MAX_NAME_CHARS`], never empty.
pub fn safe_name(name: &str) -> String {
    let mut safe = String::new();
    for character in name.chars() {
        let character = match character.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '.') => c,
            _ => '-',
        };
        let doubled = matches!(character, '-' | '.') && safe.ends_with(['-', '.']);
        if safe.len() < MAX_NAME_CHARS && !doubled {
            safe.push(character);
        }
    }
    let safe = safe.trim_matches(['-', '.']);
    if safe.is_empty() || is_device(safe.split('.').next().unwrap_or_default()) {
        let prefixed: String = format!("x-{safe}").chars().take(MAX_NAME_CHARS).collect();
        prefixed.trim_end_matches(['-', '.']).to_owned()
    } else {
        safe.to_owned()
    }
}

fn bounded(bytes: &[u8]) -> Result<(), FolderError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        Err(FolderError::TooLarge(bytes.len()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_on_every_file_system() {
        for (name, safe) in [
            ("1-deal-alice.json", "1-deal-alice.json"),
            ("../../etc/passwd", "etc-passwd"),
            ("Ä/ö:ü?.JSON", "json"),
            ("a..b--c-.json", "a.b-c-json"),
            ("", "x"),
            ("...", "x"),
            ("con.json", "x-con.json"),
            ("lpt1.json", "x-lpt1.json"),
            ("lptx.json", "lptx.json"),
        ] {
            assert_eq!(safe_name(name), safe, "{name}");
        }
        assert_eq!(safe_name(&"n".repeat(400)).len(), MAX_NAME_CHARS);
    }
}
