//! What the vault's shares belong to: a ceremony of this home, or a cluster that was made elsewhere.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::plan::Plan;
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::share::{State, is_stored};
use crate::cli::status::{self, ambiguous};
use crate::crypto::identity::IdentityPublic;
use crate::ethereum::network::NetworkSpec;
use crate::hash::Digest;
use crate::json::Text;
use crate::store::home::{Home, HomeError};
use crate::store::imported::{self, ImportedGlance};
use crate::store::vault::{Glance, glance};
use crate::wire::roster::Index;

/// One of them, found by its name.
pub(super) struct Holding {
    /// Its directory in the home.
    pub(super) directory: PathBuf,
    /// Where its shares stand.
    pub(super) state: State,
    /// Which it is.
    pub(super) origin: Origin,
}

/// Where the keys come from.
pub(super) enum Origin {
    /// From a ceremony.
    Ceremony {
        glance: Box<Glance>,
        plan: Box<Plan>,
    },
    /// From elsewhere.
    Imported(Box<ImportedCluster>),
}

impl Holding {
    /// The ceremony id, or what stands for it.
    pub(super) fn cid(&self) -> &Digest {
        match &self.origin {
            Origin::Ceremony { plan, .. } => plan.cid(),
            Origin::Imported(cluster) => cluster.cid(),
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &Text {
        match &self.origin {
            Origin::Ceremony { plan, .. } => plan.name(),
            Origin::Imported(cluster) => cluster.name(),
        }
    }

    /// The network.
    pub(super) fn network(&self) -> &NetworkSpec {
        match &self.origin {
            Origin::Ceremony { plan, .. } => plan.network(),
            Origin::Imported(cluster) => cluster.network(),
        }
    }

    /// The operators by index, with their names where they have some.
    pub(super) fn operators(&self) -> Vec<(u64, Option<Text>)> {
        match &self.origin {
            Origin::Ceremony { plan, .. } => {
                let operators = plan.roster().iter();
                operators
                    .map(|operator| (operator.index.get(), Some(operator.card.name().clone())))
                    .collect()
            }
            Origin::Imported(cluster) => {
                let operators = cluster.operators().iter();
                operators
                    .map(|operator| (operator.index.get(), operator.name.clone()))
                    .collect()
            }
        }
    }
}

/// Where the shares of an imported cluster stand; nothing, if none were ever put into the vault.
pub(super) fn state(
    cx: &Context,
    root: &Path,
    found: &ImportedGlance,
) -> Result<Option<State>, CommandError> {
    Ok(match (is_stored(cx, root, &found.cid)?, found.stored) {
        (false, false) => None,
        (false, true) => Some(State::Missing),
        (true, _) if found.cluster.is_err() => Some(State::Unreadable),
        (true, _) => Some(State::Imported),
    })
}

/// The index of this home's operator in a cluster that its vault holds shares of, and the home. No
/// passphrase is needed.
pub(super) fn own_index(
    cx: &Context,
    cid: &Digest,
) -> Result<Option<(Index, PathBuf)>, CommandError> {
    // A machine that keeps paper alone may have no place for a home at all.
    let Ok(root) = cx.home_root() else {
        return Ok(None);
    };
    let public = match Home::public(&*cx.disk, &root) {
        // A home that was named has to be there.
        Err(HomeError::NoHome(_)) if cx.global.home.is_none() => return Ok(None),
        other => other?,
    };
    if !is_stored(cx, &root, cid)? {
        return Ok(None);
    }
    let elsewhere = imported::glance(&*cx.disk, &root)?;
    let index = match elsewhere.iter().find(|found| found.cid == *cid) {
        Some(found) => found.index,
        None => {
            let ceremonies = glance(&cx.disk, &root)?;
            let found = ceremonies.iter().find(|found| found.cid == *cid);
            let me = IdentityPublic::from_str(&public.identity).ok();
            let (Some(found), Some(me)) = (found, me) else {
                return Ok(None);
            };
            let plan = Plan::parse(&found.board.plan_bytes()?)?;
            let operator = plan.roster().by_identity(&me);
            operator.map(|operator| operator.index)
        }
    };
    Ok(index.map(|index| (index, root)))
}

/// Finds what shares belong to, by its id's start, its name, or a plan's file.
pub(super) fn find(cx: &Context, root: &Path, name: &str) -> Result<Holding, CommandError> {
    let mut elsewhere = imports(cx, root, name)?;
    let ceremony = match status::find(cx, root, name) {
        Err(error)
            if error.error_code() == ErrorCode::CEREMONY_UNKNOWN && !elsewhere.is_empty() =>
        {
            None
        }
        other => Some(other?),
    };
    match (ceremony, elsewhere.pop()) {
        (Some((glance, plan)), None) => Ok(Holding {
            directory: glance.board.path().parent().unwrap_or(root).to_owned(),
            state: State::of(&glance, &plan, true),
            origin: Origin::Ceremony {
                glance: Box::new(glance),
                plan: Box::new(plan),
            },
        }),
        (None, Some((directory, cluster))) if elsewhere.is_empty() => Ok(Holding {
            directory,
            state: State::Imported,
            origin: Origin::Imported(Box::new(cluster)),
        }),
        _ => Err(ambiguous(name)),
    }
}

/// The imported clusters of the home that a name may mean.
pub(in crate::cli) fn imports(
    cx: &Context,
    root: &Path,
    name: &str,
) -> Result<Vec<(PathBuf, ImportedCluster)>, CommandError> {
    let mut found = Vec::new();
    for glance in imported::glance(&*cx.disk, root)? {
        // One that cannot be read does not hide the others; `share list` names it.
        if let Ok(cluster) = glance.cluster
            && (glance.cid.to_string().starts_with(name) || cluster.name().as_str() == name)
        {
            found.push((glance.directory, cluster));
        }
    }
    Ok(found)
}
