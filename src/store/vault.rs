//! What a home remembers of each ceremony: markers, own messages, and the shares.
//!
//! A ceremony's state is the set of its markers. A marker is a file made once, never changed and
//! never removed, so that no crash and no repeat can take a ceremony back: what was confirmed stays
//! confirmed. The same holds for own messages: a second one that differs is refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arrivals::Arrivals;
use super::disk::{Disk, DiskError, Kind};
use super::folder::{BoardFolder, FolderError, MAX_FILE_BYTES, MessageFile, safe_name};
use super::home::{Home, HomeError};
use crate::hash::Digest;
use crate::json::Hex;
use crate::secret::SecretBytes;

/// The most bytes of a marker's detail: 1 MiB.
pub const MAX_DETAIL_BYTES: u64 = 1 << 20;

/// The directory of a ceremony's marks of checked backups.
pub(super) const BACKED_UP: &str = "backed-up";

/// The directory of the ceremonies in a home.
pub(super) const CEREMONIES: &str = "ceremonies";

/// Why the vault refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The ceremony's folder failed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A detail over [`MAX_DETAIL_BYTES`], or an own message or shares over [`MAX_FILE_BYTES`].
    #[error("{what} of {actual} bytes is over the limit of {limit}; nothing was written")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its bytes.
        actual: usize,
        /// Bytes allowed.
        limit: u64,
    },
    /// The ceremony holds a marker that excludes this one for ever.
    #[error("ceremony {cid} is {standing} here, so it cannot become {wanted}; nothing was changed")]
    Excluded {
        /// The ceremony.
        cid: Digest,
        /// The marker that stands.
        standing: Marker,
        /// The marker that was wanted.
        wanted: Marker,
    },
    /// An own message stands there already, and it is another one.
    #[error(
        "{} holds another message that may have left this machine already; the new one was not \
         stored and must not be sent", .0.display()
    )]
    SaidDifferently(PathBuf),
}

/// Something that became true of a ceremony on this machine, and stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Marker {
    /// The operator accepted the plan.
    Accepted,
    /// The shares are in the vault.
    Shares,
    /// This operator confirmed, or in a signing ceremony signed. Excludes [`Marker::Abandoned`].
    Confirmed,
    /// This operator abandoned or complained. Excludes [`Marker::Confirmed`].
    Abandoned,
    /// It is proved that the ceremony cannot become complete: by a fault, or by a collision.
    Ended,
    /// The ceremony is complete.
    Complete,
    /// The artifacts were written and read back.
    Artifacts,
    /// The operator put the ceremony out of the daily list; it says nothing else of it.
    Archived,
}

impl Marker {
    /// Every marker, in the order in which a ceremony passes them.
    pub const ALL: [Marker; 8] = [
        Marker::Accepted,
        Marker::Shares,
        Marker::Confirmed,
        Marker::Abandoned,
        Marker::Ended,
        Marker::Complete,
        Marker::Artifacts,
        Marker::Archived,
    ];

    /// The marker's file name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Marker::Accepted => "accepted",
            Marker::Shares => "shares",
            Marker::Confirmed => "confirmed",
            Marker::Abandoned => "abandoned",
            Marker::Ended => "ended",
            Marker::Complete => "complete",
            Marker::Artifacts => "artifacts",
            Marker::Archived => "archived",
        }
    }

    const fn excluded_by(self) -> Option<Marker> {
        match self {
            Marker::Confirmed => Some(Marker::Abandoned),
            Marker::Abandoned => Some(Marker::Confirmed),
            _ => None,
        }
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ceremonies of an open home.
#[derive(Debug, Clone, Copy)]
pub struct Vault<'home> {
    home: &'home Home,
}

impl<'home> Vault<'home> {
    /// Looks at a home's ceremonies.
    pub fn new(home: &'home Home) -> Self {
        Self { home }
    }

    /// Returns every ceremony that this home knows, by cid.
    pub fn ceremonies(&self) -> Result<Vec<Digest>, VaultError> {
        list_ceremonies(&**self.home.disk(), &self.home.path(CEREMONIES)?)
    }

    /// Opens the ceremony's board under the home, made if it does not stand. What dead processes left
    /// half-written of the ceremony goes: whoever opens its board holds its lock.
    pub fn board(&self, cid: &Digest, plan_bytes: &[u8]) -> Result<BoardFolder, VaultError> {
        let ceremony = format!("{CEREMONIES}/{cid}");
        let path = self.home.path(&format!("{ceremony}/board"))?;
        let disk = self.home.disk();
        for name in [&ceremony, &own_directory(cid), &format!("vault/{cid}")] {
            let directory = self.home.path(name)?;
            disk.clean_temporaries(&directory)
                .map_err(HomeError::from)?;
        }
        disk.clean_temporaries(&path).map_err(HomeError::from)?;
        Ok(BoardFolder::create_or_open(
            disk.clone(),
            &path,
            plan_bytes,
        )?)
    }

    /// The ceremony's board as it stands, if it does; nothing is made.
    pub fn standing_board(&self, cid: &Digest) -> Result<BoardFolder, VaultError> {
        let path = self.home.path(&format!("{CEREMONIES}/{cid}/board"))?;
        Ok(BoardFolder::open(self.home.disk().clone(), &path))
    }

    /// Makes a marker, with a detail for later readers (say, the hash of what was confirmed). One
    /// that stands already is kept with its first detail. Returns whether it was made now.
    pub fn mark(&self, cid: &Digest, marker: Marker, detail: &[u8]) -> Result<bool, VaultError> {
        bounded("a detail", detail.len(), MAX_DETAIL_BYTES)?;
        if let Some(standing) = marker.excluded_by()
            && self.marker(cid, standing)?.is_some()
        {
            return Err(VaultError::Excluded {
                cid: *cid,
                standing,
                wanted: marker,
            });
        }
        match self.home.put_public(&marker_file(cid, marker), detail) {
            Err(HomeError::Disk(DiskError::Differs(_))) => Ok(false),
            other => Ok(other?),
        }
    }

    /// Returns a marker's detail if the marker stands.
    pub fn marker(&self, cid: &Digest, marker: Marker) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self
            .home
            .get_public(&marker_file(cid, marker), MAX_DETAIL_BYTES)?)
    }

    /// Marks that a backup of this ceremony's shares was opened and compared with them, share by share:
    /// of those that belong to `transcript`, and of no others. `file` is the SHA-256 of the backup; a
    /// mark that stands keeps its first. Made once and never removed, as every marker. Returns whether it
    /// was made now.
    pub fn mark_backed_up(
        &self,
        cid: &Digest,
        transcript: &Digest,
        file: &Digest,
    ) -> Result<bool, VaultError> {
        let name = backed_up_file(cid, transcript);
        // As notes of upkeep: the ceremony's own lock may be held by a `run` that waits for this mark.
        let _lock = self.home.lock()?;
        match self.home.put_public(&name, file.as_bytes()) {
            Err(HomeError::Disk(DiskError::Differs(_))) => Ok(false),
            other => Ok(other?),
        }
    }

    /// Whether a backup of the shares that belong to `transcript` was checked here.
    pub fn is_backed_up(&self, cid: &Digest, transcript: &Digest) -> Result<bool, VaultError> {
        let path = self.home.path(&backed_up_file(cid, transcript))?;
        let found = self.home.disk().kind(&path).map_err(HomeError::from)?;
        Ok(found == Some(Kind::File))
    }

    /// Stores a message of this operator before it leaves; the same again is fine, another one under
    /// the same name is refused. Returns the name it stands under: `name` made safe.
    pub fn put_own(&self, cid: &Digest, name: &str, bytes: &[u8]) -> Result<String, VaultError> {
        bounded("a message", bytes.len(), MAX_FILE_BYTES)?;
        let name = safe_name(name);
        let file = format!("{}/{name}", own_directory(cid));
        match self.home.put_public(&file, bytes) {
            Err(HomeError::Disk(DiskError::Differs(path))) => {
                Err(VaultError::SaidDifferently(path))
            }
            other => {
                other?;
                Ok(name)
            }
        }
    }

    /// Lists this operator's messages, sorted by name.
    pub fn own(&self, cid: &Digest) -> Result<Vec<MessageFile>, VaultError> {
        let path = self.home.path(&own_directory(cid))?;
        match self.home.disk().list(&path) {
            Err(DiskError::NotFound(_)) => Ok(Vec::new()),
            other => Ok(other
                .map_err(HomeError::from)?
                .into_iter()
                .filter(|entry| entry.kind == Kind::File)
                .map(|entry| MessageFile {
                    name: entry.name,
                    len: entry.len,
                })
                .collect()),
        }
    }

    /// Reads one of this operator's messages, if it stands.
    pub fn read_own(&self, cid: &Digest, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let file = format!("{}/{}", own_directory(cid), safe_name(name));
        Ok(self.home.get_public(&file, MAX_FILE_BYTES)?)
    }

    /// Stores a ceremony's shares, encrypted, fsynced and read back, then marks
    /// [`Marker::Shares`]. The same again is fine; others are refused.
    pub fn store_shares(&self, cid: &Digest, shares: &SecretBytes) -> Result<(), VaultError> {
        self.store(cid, shares)?;
        self.mark(cid, Marker::Shares, b"")?;
        Ok(())
    }

    /// Stores shares, encrypted, fsynced and read back, without a word of it among the ceremonies.
    pub(super) fn store(&self, cid: &Digest, shares: &SecretBytes) -> Result<(), VaultError> {
        let limit = MAX_FILE_BYTES.saturating_sub(1 << 20);
        bounded("a set of shares", shares.expose(Vec::len), limit)?;
        self.home.put_secret(&shares_file(cid), shares)?;
        Ok(())
    }

    /// Every ceremony or imported cluster with a directory in the vault.
    pub(super) fn holdings(&self) -> Result<Vec<Digest>, VaultError> {
        list_ceremonies(&**self.home.disk(), &self.home.path("vault")?)
    }

    /// Returns a ceremony's shares, if this home holds any.
    pub fn shares(&self, cid: &Digest) -> Result<Option<SecretBytes>, VaultError> {
        Ok(self.home.get_secret(&shares_file(cid), MAX_FILE_BYTES)?)
    }

    /// Where the shares of a ceremony lie in the home at `root`.
    pub fn shares_path(root: &Path, cid: &Digest) -> PathBuf {
        root.join(shares_file(cid))
    }

    /// Destroys a ceremony's shares; only for a key that has a successor (`share retire`).
    pub fn destroy_shares(&self, cid: &Digest) -> Result<(), VaultError> {
        Ok(self.home.destroy_secret(&shares_file(cid))?)
    }
}

/// What a home says of one ceremony without its passphrase and without its lock.
#[derive(Debug, Clone)]
pub struct Glance {
    /// The ceremony.
    pub cid: Digest,
    /// What became true of it here.
    pub markers: BTreeSet<Marker>,
    /// Whether a backup of its shares was checked here; of which ones only the open home can tell.
    pub backed_up: bool,
    /// Its board.
    pub board: BoardFolder,
    /// How its messages came.
    pub arrivals: Arrivals,
}

/// Looks at every ceremony of the home at `root`, by cid.
pub fn glance(disk: &Arc<dyn Disk>, root: &Path) -> Result<Vec<Glance>, VaultError> {
    let ceremonies = root.join(CEREMONIES);
    list_ceremonies(&**disk, &ceremonies)?
        .into_iter()
        .map(|cid| {
            let path = ceremonies.join(cid.to_string());
            let mut markers = BTreeSet::new();
            for marker in Marker::ALL {
                let found = disk
                    .kind(&path.join(marker.as_str()))
                    .map_err(HomeError::from)?;
                if found.is_some() {
                    markers.insert(marker);
                }
            }
            let marks = match disk.list(&path.join(BACKED_UP)) {
                Err(DiskError::NotFound(_)) => Vec::new(),
                other => other.map_err(HomeError::from)?,
            };
            let backed_up = marks
                .iter()
                .any(|mark| mark.kind == Kind::File && Hex::<32>::parse(&mark.name).is_some());
            let board = BoardFolder::open(disk.clone(), &path.join("board"));
            let arrivals = Arrivals::at(&**disk, &path).map_err(HomeError::from)?;
            Ok(Glance {
                cid,
                markers,
                backed_up,
                board,
                arrivals,
            })
        })
        .collect()
}

fn list_ceremonies(disk: &dyn Disk, path: &Path) -> Result<Vec<Digest>, VaultError> {
    let entries = match disk.list(path) {
        Err(DiskError::NotFound(_)) => return Ok(Vec::new()),
        other => other.map_err(HomeError::from)?,
    };
    Ok(entries
        .iter()
        .filter(|entry| entry.kind == Kind::Directory)
        .filter_map(|entry| Hex::<32>::parse(&entry.name))
        .map(|Hex(bytes)| Digest::from_bytes(bytes))
        .collect())
}

fn marker_file(cid: &Digest, marker: Marker) -> String {
    format!("{CEREMONIES}/{cid}/{marker}")
}

fn backed_up_file(cid: &Digest, transcript: &Digest) -> String {
    format!("{CEREMONIES}/{cid}/{BACKED_UP}/{transcript}")
}

fn own_directory(cid: &Digest) -> String {
    format!("{CEREMONIES}/{cid}/own")
}

fn shares_file(cid: &Digest) -> String {
    format!("vault/{cid}/shares.age")
}

fn bounded(what: &'static str, actual: usize, limit: u64) -> Result<(), VaultError> {
    if actual as u64 > limit {
        Err(VaultError::TooLarge {
            what,
            actual,
            limit,
        })
    } else {
        Ok(())
    }
}
