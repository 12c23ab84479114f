//! A backup of a home: a tar archive inside of an age file, and back.
//!
//! Everything secret in the archive is still encrypted to the home key, and the home key is wrapped
//! as it was; the age file around it hides the rest, such as who took part in what. `age --decrypt`
//! and `tar` open it without this tool.
//!
//! A backup says what was true when it was made. A home that is restored from it may have said more
//! since than it remembers: docs/protocol.md section 14 has the rule for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::archive::{self, Malformed};
use super::arrivals::FILE as ARRIVALS;
use super::disk::{Access, Disk, DiskError, Kind};
use super::folder::MAX_FILE_BYTES;
use super::home::{Home, HomeError, HomePublic, building_site, publish, refuse_standing};
use super::imported::{self, CLUSTER, STORED};
use super::upkeep::DIRECTORY as UPKEEP;
use super::vault::{BACKED_UP, Marker, Vault, VaultError};
use crate::json::{self, MAX_QUOTED_CHARS, encode_hex, excerpt};

/// The version of the archive.
pub const BACKUP_VERSION: u32 = 1;

/// The most bytes of an archive, and of the age file around it: 2 GiB.
pub const MAX_BACKUP_BYTES: u64 = 2 << 30;

/// The most files of a home that is backed up.
pub const MAX_BACKUP_FILES: usize = 100_000;

/// The file of a restored home that says when its backup was made; see [`restored`].
pub const RESTORED: &str = "restored.json";

const PREFIX: &str = "conclave-home/";
const ABOUT: &str = "backup.json";
const MAX_ABOUT_BYTES: usize = 64 << 10;
const MAX_RESTORED_BYTES: usize = 4 << 20;

/// Files of the home's root that a backup holds.
const ROOT_FILES: [&str; 4] = ["home.json", "home-key.age", "identity.age", RESTORED];

/// Directories with the files of one ceremony.
const CEREMONY_DIRECTORIES: [&str; 4] = ["board", "evidence", "own", UPKEEP];

/// Why a home could not be backed up or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The home refused.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The home is larger than a backup may be.
    #[error(
        "the home holds more than {MAX_BACKUP_FILES} files or {MAX_BACKUP_BYTES} bytes; copy its directory while no conclave runs"
    )]
    TooLarge,
    /// The archive is not one that this tool wrote.
    #[error("is no backup of a home: {0}; nothing was written")]
    Malformed(String),
    /// The archive is of another version.
    #[error(
        "is a backup of version {0}; this tool reads version {BACKUP_VERSION}; nothing was written"
    )]
    Version(u32),
}

/// What a backup says of itself: `backup.json`, its first file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// [`BACKUP_VERSION`].
    pub version: u32,
    /// The version of the tool that made it.
    pub tool: String,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The identity of the home.
    pub identity: String,
    /// How many files follow.
    pub files: u64,
}

/// The contents of a home, in memory: paths inside of it, and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// What it says of itself.
    pub about: About,
    files: BTreeMap<String, Vec<u8>>,
}

impl Backup {
    /// Collects a home while nothing else changes it: fails if a ceremony of it is at work. Returns
    /// beside it the files that are no part of a home, which are left out.
    pub fn collect(home: &Home, created: u64) -> Result<(Self, Vec<String>), BackupError> {
        // No plan is accepted and no card made meanwhile; then no ceremony is at work either.
        let _lock = home.lock()?;
        let mut locks = Vec::new();
        let ceremonies = Vault::new(home).ceremonies()?;
        for cid in ceremonies.into_iter().chain(imported::clusters(home)?) {
            locks.push(home.lock_ceremony(&cid)?);
        }
        let (mut files, mut left) = (BTreeMap::new(), Vec::new());
        let mut total = 0u64;
        let mut open = vec![String::new()];
        while let Some(directory) = open.pop() {
            let path = home.root().join(&directory);
            for entry in home.disk().list(&path).map_err(HomeError::from)? {
                let name = format!("{directory}{}", entry.name);
                match entry.kind {
                    _ if is_left(&name) => {}
                    Kind::Directory if is_directory(&name) => open.push(format!("{name}/")),
                    Kind::File if is_file(&name) => {
                        let bytes = home
                            .disk()
                            .read(&home.root().join(&name), MAX_FILE_BYTES)
                            .map_err(HomeError::from)?;
                        total = total
                            .saturating_add(bytes.len() as u64)
                            .saturating_add(1024);
                        files.insert(name, bytes);
                        if files.len() > MAX_BACKUP_FILES || total > MAX_BACKUP_BYTES >> 1 {
                            return Err(BackupError::TooLarge);
                        }
                    }
                    _ => left.push(name),
                }
            }
        }
        let about = About {
            version: BACKUP_VERSION,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            created,
            identity: home.description().identity.clone(),
            files: files.len() as u64,
        };
        Ok((Self { about, files }, left))
    }

    /// Writes it as a tar archive: the same contents, the same bytes.
    pub fn to_tar(&self) -> Result<Vec<u8>, BackupError> {
        let about = json::pretty(&self.about).map_err(|error| malformed(&error))?;
        let own = std::iter::once((ABOUT, about.as_slice()));
        let files = self
            .files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let mut tar = Vec::new();
        archive::write(&mut tar, PREFIX, self.about.created, own.chain(files))?;
        Ok(tar)
    }

    /// Reads a tar archive of [`Self::to_tar`]; whatever else it holds refuses the whole.
    pub fn from_tar(bytes: &[u8]) -> Result<Self, BackupError> {
        let (mut about, mut files) = (None, BTreeMap::new());
        let form = archive::Form {
            holder: "a home",
            prefix: PREFIX,
            is_file: |name| name == ABOUT || is_file(name),
        };
        form.read(bytes, &mut |name, contents| {
            if name == ABOUT {
                if about.is_some() || !files.is_empty() {
                    return Err(malformed(&format!("{ABOUT} is not its first file")));
                }
                about = Some(read_about(&contents)?);
            } else if files.insert(name.clone(), contents).is_some() {
                return Err(malformed(&format!("it holds {name} twice")));
            }
            Ok(())
        })?;
        let about = about.ok_or_else(|| malformed(&format!("it holds no {ABOUT}")))?;
        if about.files != files.len() as u64 {
            return Err(malformed(&"it does not hold as many files as it says"));
        }
        for name in ROOT_FILES.iter().take(3) {
            if !files.contains_key(*name) {
                return Err(malformed(&format!("it holds no {name}")));
            }
        }
        Ok(Self { about, files })
    }

    /// Makes the home at `root`, a new or empty directory, whole by one rename. `restored` is the
    /// present, in seconds since 1970.
    pub fn restore(
        &self,
        disk: &Arc<dyn Disk>,
        root: &Path,
        restored: u64,
    ) -> Result<HomePublic, BackupError> {
        refuse_standing(&**disk, root)?;
        let (building, _lock) = building_site(&**disk, root)?;
        let write = |name: &str, bytes: &[u8]| -> Result<(), HomeError> {
            let path = building.join(name);
            if let Some(directory) = path.parent() {
                disk.create_dir_all(directory, Access::Private)?;
            }
            let access = if name.ends_with(".age") {
                Access::Private
            } else {
                Access::Public
            };
            disk.create(&path, bytes, access)?;
            if !disk.holds(&path, bytes)? {
                return Err(DiskError::Differs(path).into());
            }
            Ok(())
        };
        for (name, bytes) in &self.files {
            if name != RESTORED {
                write(name, bytes)?;
            }
        }
        let cards = self.files.keys().filter_map(|name| {
            let card = name.strip_prefix("cards/")?.strip_suffix("/card.json")?;
            Some(card.to_owned())
        });
        let mark = Restored {
            backup_made: self.about.created,
            restored,
            cards: cards.collect(),
        };
        write(
            RESTORED,
            &json::pretty(&mark).map_err(|error| malformed(&error))?,
        )?;
        let public = Home::public(&**disk, &building).map_err(|error| malformed(&error))?;
        if public.identity != self.about.identity {
            return Err(malformed(&"it says another identity than its home"));
        }
        publish(&**disk, &building, root)?;
        Ok(public)
    }

    /// How many cards it holds.
    pub fn cards(&self) -> usize {
        self.count("cards/", "/card.json")
    }

    /// How many of them still have their secret.
    pub fn unspent_cards(&self) -> usize {
        self.count("cards/", "/secret.age")
    }

    /// How many ceremonies it holds.
    pub fn ceremonies(&self) -> usize {
        self.count("ceremonies/", "/accepted")
    }

    /// For how many ceremonies it holds shares.
    pub fn shares(&self) -> usize {
        self.count("vault/", "/shares.age")
    }

    fn count(&self, start: &str, end: &str) -> usize {
        let names = self.files.keys();
        names
            .filter(|name| name.starts_with(start) && name.ends_with(end))
            .count()
    }
}

/// What `restored.json` of a restored home holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// When the backup was made, in seconds since 1970: what this home said later it does not know.
    pub backup_made: u64,
    /// When the home was restored, in seconds since 1970.
    pub restored: u64,
    /// The cards that the backup held, by the names of their directories. With cards made later the
    /// home before this one cannot have said anything.
    pub cards: Vec<String>,
}

impl Restored {
    /// Says whether the home before this one may have said something with the card of this
    /// encryption key.
    pub fn knows(&self, encryption_key: &[u8; 48]) -> bool {
        let name = encode_hex(encryption_key);
        self.cards
            .iter()
            .any(|card| name.starts_with(card.as_str()))
    }
}

/// Says from when a home's memory is, if it was restored from a backup.
pub fn restored(home: &Home) -> Result<Option<Restored>, HomeError> {
    let Some(bytes) = home.get_public(RESTORED, MAX_RESTORED_BYTES as u64)? else {
        return Ok(None);
    };
    json::parse(&bytes, MAX_RESTORED_BYTES)
        .and_then(|value| json::decode(&value))
        .map(Some)
        .map_err(|error| HomeError::Malformed {
            path: home.root().join(RESTORED),
            reason: error.to_string(),
        })
}

fn read_about(bytes: &[u8]) -> Result<About, BackupError> {
    let value = json::parse(bytes, MAX_ABOUT_BYTES).map_err(|error| malformed(&error))?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    match version.and_then(|version| u32::try_from(version).ok()) {
        Some(version) if version != BACKUP_VERSION => Err(BackupError::Version(version)),
        _ => json::decode(&value).map_err(|error| malformed(&error)),
    }
}

impl From<Malformed> for BackupError {
    fn from(Malformed(reason): Malformed) -> Self {
        malformed(&reason)
    }
}

fn malformed(reason: &dyn std::fmt::Display) -> BackupError {
    BackupError::Malformed(excerpt(&reason.to_string(), MAX_QUOTED_CHARS))
}

/// What belongs to processes, not to the home.
fn is_left(name: &str) -> bool {
    matches!(name, "lock" | "locks" | "home-key.next")
}

fn parts(name: &str) -> Vec<&str> {
    name.split('/').collect()
}

fn is_hex(text: &str, bytes: usize) -> bool {
    let lower = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.len() == bytes.saturating_mul(2) && text.bytes().all(lower)
}

/// A name as [`super::folder::safe_name`] makes it, or with a suffix after `~`.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.~".contains(&c);
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.bytes().all(plain)
}

fn is_directory(name: &str) -> bool {
    match parts(name).as_slice() {
        ["cards" | "ceremonies" | "imported" | "vault"] => true,
        ["cards", card] => is_hex(card, 8),
        ["ceremonies" | "imported" | "vault", cid] => is_hex(cid, 32),
        ["imported", cid, UPKEEP] => is_hex(cid, 32),
        ["ceremonies", cid, directory] => {
            let known = *directory == BACKED_UP || CEREMONY_DIRECTORIES.contains(directory);
            is_hex(cid, 32) && known
        }
        _ => false,
    }
}

fn is_file(name: &str) -> bool {
    match parts(name).as_slice() {
        [file] => ROOT_FILES.contains(file),
        ["cards", card, file] => is_hex(card, 8) && matches!(*file, "card.json" | "secret.age"),
        ["ceremonies", cid, file] => {
            let marker = || Marker::ALL.iter().any(|marker| marker.as_str() == *file);
            is_hex(cid, 32) && (*file == ARRIVALS || marker())
        }
        ["ceremonies", cid, BACKED_UP, transcript] => is_hex(cid, 32) && is_hex(transcript, 32),
        ["ceremonies", cid, directory, file] => {
            is_hex(cid, 32) && CEREMONY_DIRECTORIES.contains(directory) && is_plain(file)
        }
        ["imported", cid, CLUSTER | STORED] => is_hex(cid, 32),
        ["imported", cid, UPKEEP, file] => is_hex(cid, 32) && is_plain(file),
        ["vault", cid, file] => is_hex(cid, 32) && *file == "shares.age",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_home_holds_has_a_name() {
        let cid = "ab".repeat(32);
        for name in [
            "home.json".to_owned(),
            "cards/0123456789abcdef/secret.age".to_owned(),
            format!("ceremonies/{cid}/accepted"),
            format!("ceremonies/{cid}/board/1-deal-alice~2.json"),
            format!("ceremonies/{cid}/arrivals.json"),
            format!("imported/{cid}/cluster.json"),
            format!("imported/{cid}/shares"),
            format!("imported/{cid}/upkeep/1790000000-proved-01234567.json"),
            format!("ceremonies/{cid}/backed-up/{cid}"),
            format!("vault/{cid}/shares.age"),
        ] {
            assert!(is_file(&name), "{name}");
        }
        for name in [
            String::new(),
            "lock".to_owned(),
            "../home.json".to_owned(),
            "/home.json".to_owned(),
            "home.json/".to_owned(),
            "cards/0123456789ABCDEF/secret.age".to_owned(),
            "cards/../home.json".to_owned(),
            format!("ceremonies/{cid}/backed-up/x"),
            format!("ceremonies/{cid}/board/../x"),
            format!("ceremonies/{cid}/board/.."),
            format!("ceremonies/{cid}/board/.hidden"),
            format!("ceremonies/{cid}/board/"),
            format!("ceremonies/{cid}/board/a\0b"),
            format!("ceremonies/{cid}/board/a\\b"),
            format!("ceremonies/{cid}/board/{}", "a".repeat(101)),
            format!("ceremonies/{cid}/other"),
            format!("imported/{cid}/accepted"),
            format!("imported/{cid}/board/plan.json"),
            format!("imported/{cid}/upkeep/.hidden"),
            "imported/cluster.json".to_owned(),
            format!("vault/{cid}/more.age"),
            format!("vault/{}/shares.age", "ab".repeat(31)),
        ] {
            assert!(!is_file(&name), "{name}");
        }
    }
}
