//! Shares of clusters that were made elsewhere, in a home.
//!
//! ```text
//! imported/<cid>/cluster.json     the cluster's description, public
//! imported/<cid>/shares           marker: the shares were put into the vault; the operator's index
//! imported/<cid>/upkeep/          notes, as for a ceremony's shares
//! vault/<cid>/shares.age          the shares, as every ceremony's
//! ```
//!
//! It is a directory of its own beside the ceremonies, so that whatever takes part in ceremonies, lists
//! or carries them never meets what is none.
//!
//! The description comes first and the marker last: a process that dies between leaves nothing that
//! says more than is true, and the same import again goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::disk::{Disk, DiskError, Kind};
use super::home::{Home, HomeError};
use super::vault::{Vault, VaultError};
use crate::ceremony::imported::{ImportedCluster, ImportedError, MAX_IMPORTED_BYTES};
use crate::ceremony::shares::{OwnShares, SharesError};
use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::hash::Digest;
use crate::json::Hex;
use crate::wire::roster::Index;

/// The directory of the imported clusters in a home.
pub(super) const IMPORTED: &str = "imported";

/// The description of one, in its directory.
pub(super) const CLUSTER: &str = "cluster.json";

/// The marker that its shares are in the vault.
pub(super) const STORED: &str = "shares";

/// The most bytes of the marker.
const MAX_MARKER_BYTES: u64 = 64;

/// Why shares were not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The home refused.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The shares are not what the vault keeps; also of shares that stand in it.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// A description in the home is damaged.
    #[error("{}: {reason}; restore the home from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: ImportedError,
    },
    /// The shares are not those of the cluster.
    #[error("the shares are not those of the cluster: {0}; nothing was written")]
    Differs(&'static str),
    /// The vault holds other shares of the same cluster.
    #[error(
        "this home holds other shares of the imported cluster {} already: one home is one operator; nothing was written", .0.short()
    )]
    OtherShares(Digest),
    /// The vault holds shares of one of the keys that lie on another polynomial.
    #[error(
        "another epoch of the key {key} is already in the vault, under {}: its shares lie on another polynomial, and shares of two epochs are never mixed; nothing was written", cid.short()
    )]
    OtherEpoch {
        /// The group key.
        key: Hex<48>,
        /// Where the vault holds it.
        cid: Digest,
    },
    /// The vault holds shares of one of the keys, and of the same polynomial, under another name.
    #[error("the key {key} is already in the vault, under {}; nothing was written", cid.short())]
    Standing {
        /// The group key.
        key: Hex<48>,
        /// Where the vault holds it.
        cid: Digest,
    },
}

/// What a home says of one imported cluster without its passphrase.
#[derive(Debug)]
pub struct ImportedGlance {
    /// What stands for its ceremony id.
    pub cid: Digest,
    /// Its directory in the home.
    pub directory: PathBuf,
    /// Whether its shares were put into the vault.
    pub stored: bool,
    /// Of which operator, if the marker says it.
    pub index: Option<Index>,
    /// Its description, or why it cannot be read.
    pub cluster: Result<ImportedCluster, String>,
}

/// Looks at every imported cluster of the home at `root`, by cid.
pub fn glance(disk: &dyn Disk, root: &Path) -> Result<Vec<ImportedGlance>, HomeError> {
    let directory = root.join(IMPORTED);
    let found = named(disk, &directory)?.into_iter().map(|cid| {
        let directory = directory.join(cid.to_string());
        let marker = directory.join(STORED);
        let stored = disk.kind(&marker)?.is_some();
        let index = match stored {
            true => marked(&disk.read(&marker, MAX_MARKER_BYTES)?),
            false => None,
        };
        let cluster = match disk.read(&directory.join(CLUSTER), MAX_IMPORTED_BYTES as u64) {
            Ok(bytes) => read(&bytes, &cid).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        Ok(ImportedGlance {
            cid,
            directory,
            stored,
            index,
            cluster,
        })
    });
    found.collect()
}

/// Every imported cluster of a home, by cid; nothing of it is read.
pub(super) fn clusters(home: &Home) -> Result<Vec<Digest>, HomeError> {
    named(&**home.disk(), &home.path(IMPORTED)?)
}

/// The description of an imported cluster as the home keeps it, if it does.
pub fn stored(home: &Home, cid: &Digest) -> Result<Option<ImportedCluster>, ImportError> {
    let name = file(cid, CLUSTER);
    let Some(bytes) = home.get_public(&name, MAX_IMPORTED_BYTES as u64)? else {
        return Ok(None);
    };
    match read(&bytes, cid) {
        Ok(cluster) => Ok(Some(cluster)),
        Err(reason) => Err(ImportError::Damaged {
            path: home.path(&name)?,
            reason,
        }),
    }
}

/// Puts an operator's shares of an imported cluster into a home, with the cluster's description.
/// Nothing is overwritten, and everything that could refuse is asked before anything is written: shares
/// of another operator, and shares of the same keys that the vault holds already. The same again is
/// fine, and after a crash goes on. Returns whether the vault held them before.
pub fn put(home: &Home, cluster: &ImportedCluster, own: &OwnShares) -> Result<bool, ImportError> {
    if let Some(what) = cluster.differs(own) {
        return Err(ImportError::Differs(what));
    }
    let cid = cluster.cid();
    let blob = own.to_blob()?;
    // Read back, so that every share is the secret of its public share, whoever calls.
    OwnShares::from_blob(&blob)?;
    let _ceremony = home.lock_ceremony(cid)?;
    // Two imports of one key that each look before the other writes would both find nothing.
    let _lock = home.lock()?;
    let vault = Vault::new(home);
    let before = match vault.shares(cid)? {
        None => false,
        Some(standing) if standing.ct_eq(&blob) => true,
        Some(_) => return Err(ImportError::OtherShares(*cid)),
    };
    refuse_standing(home, cid, cluster.sharing())?;
    home.put_public(&file(cid, CLUSTER), cluster.bytes())?;
    vault.store(cid, &blob)?;
    home.put_public(&file(cid, STORED), own.index.to_string().as_bytes())?;
    Ok(before)
}

/// Refuses keys of which the vault holds shares under another name than `cid`. Every set of shares in
/// the vault is opened for it.
pub fn refuse_standing(home: &Home, cid: &Digest, sharing: &Sharing) -> Result<(), ImportError> {
    let polynomials: BTreeMap<[u8; 48], &[G1]> = sharing
        .polynomials()
        .filter_map(|points| Some((points.first()?.to_bytes(), points)))
        .collect();
    let vault = Vault::new(home);
    let mut same = None;
    for other in vault.holdings()? {
        if other == *cid {
            continue;
        }
        let Some(blob) = vault.shares(&other)? else {
            continue;
        };
        let standing = OwnShares::from_blob(&blob)?;
        for theirs in standing.sharing.polynomials() {
            let Some(key) = theirs.first().map(G1::to_bytes) else {
                continue;
            };
            match polynomials.get(&key) {
                None => {}
                Some(points) if *points == theirs => same = Some((Hex(key), other)),
                Some(_) => {
                    return Err(ImportError::OtherEpoch {
                        key: Hex(key),
                        cid: other,
                    });
                }
            }
        }
    }
    match same {
        Some((key, cid)) => Err(ImportError::Standing { key, cid }),
        None => Ok(()),
    }
}

fn marked(bytes: &[u8]) -> Option<Index> {
    let number = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    Index::new(number).ok()
}

fn file(cid: &Digest, name: &str) -> String {
    format!("{IMPORTED}/{cid}/{name}")
}

fn read(bytes: &[u8], cid: &Digest) -> Result<ImportedCluster, ImportedError> {
    let cluster = ImportedCluster::parse(bytes)?;
    match cluster.cid() == cid {
        true => Ok(cluster),
        false => Err(ImportedError::Facts("its description is another cluster's")),
    }
}

/// The directories of a directory whose names are those of clusters.
fn named(disk: &dyn Disk, directory: &Path) -> Result<Vec<Digest>, HomeError> {
    let entries = match disk.list(directory) {
        Err(DiskError::NotFound(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let directories = entries.iter().filter(|entry| entry.kind == Kind::Directory);
    let names = directories.filter_map(|entry| Hex::<32>::parse(&entry.name));
    Ok(names.map(|Hex(bytes)| Digest::from_bytes(bytes)).collect())
}
