//! The public side of a cluster, from whatever names it: files of this tool and of others, a record, a
//! home.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::artifacts::cluster::{Cluster, MAX_BYTES};
use crate::artifacts::record::RecordFiles;
use crate::ceremony::Messages as _;
use crate::ceremony::imported::{ImportedCluster, ImportedFacts, ImportedOperator};
use crate::ceremony::step::SessionError;
use crate::cli::Context;
use crate::cli::audit::{Audited, examine_files, verdict};
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::holding::{Origin, find};
use crate::crypto::identity::IdentityPublic;
use crate::crypto::sharing::Sharing;
use crate::ethereum::network::NetworkSpec;
use crate::formats::obol_lock::ObolLock;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::disk::Kind;
use crate::wire::roster::Index;

/// A cluster, as far as its public side goes.
pub(in crate::cli) enum Public {
    /// What a ceremony ended with.
    Made(Box<Cluster>),
    /// What another tool made.
    Imported(Box<ImportedCluster>),
}

/// An operator of a cluster, as far as the cluster says anything of it.
pub(super) struct PublicOperator {
    pub(super) index: Index,
    pub(super) identity: Option<IdentityPublic>,
    pub(super) name: Option<Text>,
}

impl Public {
    pub(super) fn cid(&self) -> &Digest {
        match self {
            Self::Made(cluster) => cluster.cid(),
            Self::Imported(cluster) => cluster.cid(),
        }
    }

    /// The hash of the outcome, for which the description of an imported one stands.
    pub(super) fn outcome(&self) -> &Digest {
        match self {
            Self::Made(cluster) => cluster.outcome(),
            Self::Imported(cluster) => cluster.cid(),
        }
    }

    pub(super) fn name(&self) -> &Text {
        match self {
            Self::Made(cluster) => cluster.name(),
            Self::Imported(cluster) => cluster.name(),
        }
    }

    pub(in crate::cli) fn network(&self) -> &NetworkSpec {
        match self {
            Self::Made(cluster) => cluster.network(),
            Self::Imported(cluster) => cluster.network(),
        }
    }

    pub(in crate::cli) fn sharing(&self) -> &Sharing {
        match self {
            Self::Made(cluster) => cluster.sharing(),
            Self::Imported(cluster) => cluster.sharing(),
        }
    }

    pub(super) fn operators(&self) -> Vec<PublicOperator> {
        match self {
            Self::Made(cluster) => {
                let operators = cluster.operators().iter();
                operators
                    .map(|operator| PublicOperator {
                        index: operator.index,
                        identity: Some(operator.identity),
                        name: Some(operator.name.clone()),
                    })
                    .collect()
            }
            Self::Imported(cluster) => {
                let operators = cluster.operators().iter();
                operators
                    .map(|operator| PublicOperator {
                        index: operator.index,
                        identity: operator.identity,
                        name: operator.name.clone(),
                    })
                    .collect()
            }
        }
    }
}

/// A file of a cluster, of whichever kind.
pub(super) enum ClusterFile {
    /// Our `cluster.json`.
    Made(Box<Cluster>),
    /// Our description of an imported cluster.
    Imported(Box<ImportedCluster>),
    /// Obol's `cluster-lock.json`.
    ObolLock(Box<ImportedCluster>),
}

/// What tells the files of clusters apart: a field that only one kind has.
#[derive(Deserialize)]
struct Probe {
    cluster_definition: Option<IgnoredAny>,
    polynomials: Option<IgnoredAny>,
}

/// Reads a cluster's file and makes every check of its kind.
pub(super) fn read_file(cx: &Context, path: &Path) -> Result<ClusterFile, CommandError> {
    let bytes = cx.read(path, MAX_BYTES)?;
    if let Some(found) = elsewhere(&bytes, path)? {
        return Ok(found);
    }
    let cluster = Cluster::parse(&bytes).map_err(|error| invalid(&error, path))?;
    Ok(ClusterFile::Made(Box::new(cluster)))
}

/// Reads the file of a cluster that was made elsewhere; nothing, if it is a file of another kind.
pub(in crate::cli) fn imported_file(
    cx: &Context,
    path: &Path,
) -> Result<Option<ImportedCluster>, CommandError> {
    let bytes = cx.read(path, MAX_BYTES)?;
    Ok(match elsewhere(&bytes, path)? {
        Some(ClusterFile::Imported(cluster) | ClusterFile::ObolLock(cluster)) => Some(*cluster),
        Some(ClusterFile::Made(_)) | None => None,
    })
}

fn elsewhere(bytes: &[u8], path: &Path) -> Result<Option<ClusterFile>, CommandError> {
    let Ok(probe) = serde_json::from_slice::<Probe>(bytes) else {
        return Ok(None);
    };
    if probe.cluster_definition.is_some() {
        let lock = ObolLock::parse(bytes).map_err(|error| invalid(&error, path))?;
        let cluster = ImportedCluster::of_lock(&lock).map_err(|error| invalid(&error, path))?;
        return Ok(Some(ClusterFile::ObolLock(Box::new(cluster))));
    }
    if probe.polynomials.is_some() {
        let cluster = ImportedCluster::parse(bytes).map_err(|error| invalid(&error, path))?;
        return Ok(Some(ClusterFile::Imported(Box::new(cluster))));
    }
    Ok(None)
}

fn invalid(error: &dyn std::fmt::Display, path: &Path) -> CommandError {
    CommandError::of(ErrorCode::FILE_INVALID, error.to_string()).about(path)
}

/// Describes the cluster of a `cluster.json` as one that was made elsewhere: of the ceremony behind it
/// nothing is here.
pub(super) fn imported_of(cluster: &Cluster) -> Result<ImportedCluster, CommandError> {
    let operators = cluster.operators().iter().map(|operator| ImportedOperator {
        identity: Some(operator.identity),
        index: operator.index,
        name: Some(operator.name.clone()),
    });
    ImportedCluster::new(&ImportedFacts {
        name: cluster.name().clone(),
        network: cluster.network().clone(),
        operators: operators.collect(),
        sharing: cluster.sharing().clone(),
    })
    .map_err(|error| CommandError::of(ErrorCode::FILE_INVALID, error.to_string()))
}

/// Audits a record, or what lies of a ceremony in a home; it has to be complete.
pub(super) fn audited(
    cx: &mut Context,
    place: &Path,
) -> Result<(Audited, RecordFiles), CommandError> {
    let (found, files) = examine_files(cx, place)?;
    if let Err(error) = verdict(&found.report)
        && error.error_code() != ErrorCode::MISBEHAVIOUR_BESIDE
    {
        return Err(error.about(place));
    }
    found.keys().map_err(|error| error.about(place))?;
    Ok((found, files))
}

/// All messages of a record, by name.
pub(super) fn messages(files: &RecordFiles) -> Result<BTreeMap<String, Vec<u8>>, CommandError> {
    let mut messages = BTreeMap::new();
    for id in files.messages() {
        let bytes = files.load(id).map_err(SessionError::from)?;
        messages.insert(id.clone(), bytes);
    }
    Ok(messages)
}

/// Reads the cluster from whatever names it; with its transcript T if it was audited here.
pub(in crate::cli) fn cluster(
    name: &str,
    cx: &mut Context,
) -> Result<(Public, Option<Digest>), CommandError> {
    let path = Path::new(name);
    let place = match cx.disk.kind(path)? {
        Some(Kind::Directory) => path.to_owned(),
        Some(_) => {
            return Ok(match read_file(cx, path)? {
                ClusterFile::Made(cluster) => (Public::Made(cluster), None),
                ClusterFile::Imported(cluster) | ClusterFile::ObolLock(cluster) => {
                    (Public::Imported(cluster), None)
                }
            });
        }
        None => {
            let root = cx.home_root()?;
            match find(cx, &root, name)?.origin {
                Origin::Ceremony { glance, .. } => glance.board.path().to_owned(),
                Origin::Imported(cluster) => return Ok((Public::Imported(cluster), None)),
            }
        }
    };
    let (found, _) = audited(cx, &place)?;
    let (plan, outcome) = found.keys().map_err(|error| error.about(&place))?;
    let cluster = Public::Made(Box::new(Cluster::new(plan, outcome)?));
    Ok((cluster, Some(*outcome.transcript())))
}
