//! The cluster that a signing plan names, as this home knows it.
//!
//! Whoever writes a signing plan has no power by it: before anything is signed, the plan is held
//! against the ceremony that made the keys, as this home took part in it; or, of a cluster that was made
//! elsewhere, against its description as this home took it in. Such a cluster has no cards: those of
//! the plan say who signs, and what they sign with is checked against the public shares as always.

use crate::ambient::Randomness;
use crate::ceremony::Observer;
use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::{MAX_PLAN_BYTES, Plan, PlanError, SignPlan};
use crate::ceremony::shares::OwnShares;
use crate::ceremony::step::{SessionError, Step};
use crate::crypto::identity::IdentityKey;
use crate::hash::Digest;
use crate::store::home::{Home, HomeError};
use crate::store::imported::{self, ImportError};
use crate::store::seat::{Seat, SeatError};
use crate::store::vault::{CEREMONIES, Vault, VaultError};
use crate::wire::roster::Index;

/// Why this home does not sign a plan.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The home holds no shares of that ceremony.
    #[error(
        "this home holds no shares of ceremony {}, whose cluster the plan names; nothing was sent", .0.short()
    )]
    Unknown(Digest),
    /// The ceremony is not complete here.
    #[error(
        "ceremony {}, whose cluster the plan names, is not complete in this home; nothing was sent", .0.short()
    )]
    Incomplete(Digest),
    /// The plan says something else of the cluster than this home knows.
    #[error("the plan gives the cluster of ceremony {} another {what} than this home knows; nothing was sent", .cid.short())]
    Differs {
        /// The ceremony that made the keys.
        cid: Digest,
        /// What differs.
        what: &'static str,
    },
    /// What the home keeps of the imported cluster cannot be used.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What the home keeps of that ceremony is damaged.
    #[error("the stored plan of ceremony {}, whose cluster is to sign, is damaged: {reason}; restore the home from a backup", .cid.short())]
    Damaged {
        /// The ceremony that made the keys.
        cid: Digest,
        /// What is wrong with it.
        reason: PlanError,
    },
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The plan of the ceremony that made a cluster's keys, as this home keeps it.
pub fn stored_plan(home: &Home, cid: &Digest) -> Result<Plan, ClusterError> {
    let file = format!("{CEREMONIES}/{cid}/board/plan.json");
    let bytes = home.get_public(&file, MAX_PLAN_BYTES as u64)?;
    let bytes = bytes.ok_or(ClusterError::Unknown(*cid))?;
    let damaged = |reason| ClusterError::Damaged { cid: *cid, reason };
    let plan = Plan::parse(&bytes).map_err(damaged)?;
    if plan.cid() == cid {
        Ok(plan)
    } else {
        let problems = vec!["it is another ceremony's".to_owned()];
        Err(damaged(PlanError { problems }))
    }
}

/// Loads this operator's shares of the cluster and compares all that the plan says of it but for the
/// outcome: network, threshold, cards, indices, keys and their positions.
pub fn own_shares(home: &Home, plan: SignPlan<'_>) -> Result<(OwnShares, Index), SeatError> {
    let cid = plan.cluster().cid;
    if let Some(cluster) = imported::stored(home, &cid).map_err(ClusterError::from)? {
        return imported_shares(home, plan, &cluster);
    }
    let cluster = stored_plan(home, &cid)?;
    let differs = |what| SeatError::Cluster(ClusterError::Differs { cid, what });
    let Some(keygen) = cluster.keygen() else {
        return Err(differs("kind of ceremony"));
    };
    if keygen.network() != plan.network() {
        return Err(differs("network"));
    }
    let cards = |plan: &Plan| -> Vec<(Index, Vec<u8>)> {
        let operators = plan.roster().iter();
        operators
            .map(|operator| (operator.index, operator.card.bytes().to_vec()))
            .collect()
    };
    if cards(&keygen) != cards(&plan) {
        return Err(differs("roster"));
    }
    let identity = IdentityKey::from_seed(&home.identity_seed()?).public();
    let operator = plan.plan().roster().by_identity(&identity);
    let my = operator.ok_or(SeatError::NotInvited)?.index;
    let blob = Vault::new(home).shares(&cid)?;
    let own = OwnShares::from_blob(&blob.ok_or(ClusterError::Unknown(cid))?)?;
    // One home key encrypts them all: a file that was moved here decrypts like the right one.
    if own.cid != cid || own.index != my.get() {
        return Err(SeatError::OtherShares(cid));
    }
    match plan.differs(&own) {
        Some(what) => Err(differs(what)),
        None => Ok((own, my)),
    }
}

/// The same of a cluster that was made elsewhere.
fn imported_shares(
    home: &Home,
    plan: SignPlan<'_>,
    cluster: &ImportedCluster,
) -> Result<(OwnShares, Index), SeatError> {
    let cid = *cluster.cid();
    let differs = |what| SeatError::Cluster(ClusterError::Differs { cid, what });
    if cluster.network() != plan.network() {
        return Err(differs("network"));
    }
    let mut operators = plan.plan().roster().iter();
    // One that names identities keeps to them.
    if !operators.all(|operator| cluster.admits(operator.index, operator.card.identity())) {
        return Err(differs("roster"));
    }
    let identity = IdentityKey::from_seed(&home.identity_seed()?).public();
    let operator = plan.plan().roster().by_identity(&identity);
    let my = operator.ok_or(SeatError::NotInvited)?.index;
    let blob = Vault::new(home).shares(&cid)?;
    let own = OwnShares::from_blob(&blob.ok_or(ClusterError::Unknown(cid))?)?;
    // One home key encrypts them all: a file that was moved here decrypts like the right one.
    if cluster.differs(&own).is_some() {
        return Err(SeatError::OtherShares(cid));
    }
    if own.index != my.get() {
        return Err(differs("index of this home's operator"));
    }
    match plan.differs(&own) {
        Some(what) => Err(differs(what)),
        None => Ok((own, my)),
    }
}

/// Compares the outcome that the plan names with the one that the cluster's ceremony came to here: it
/// is computed again from the board. Of an imported cluster the description stands for it.
pub fn check_outcome(
    home: &Home,
    plan: SignPlan<'_>,
    randomness: &mut dyn Randomness,
    observer: &dyn Observer,
) -> Result<(), SeatError> {
    let cluster = plan.cluster();
    let differs = || ClusterError::Differs {
        cid: cluster.cid,
        what: "outcome",
    };
    if let Some(stored) = imported::stored(home, &cluster.cid).map_err(ClusterError::from)? {
        return match *stored.cid() == cluster.outcome {
            true => Ok(()),
            false => Err(differs().into()),
        };
    }
    let keygen = stored_plan(home, &cluster.cid)?;
    let mut seat = Seat::open(home, &keygen)?;
    let Step::Complete { outcome, .. } = seat.next(randomness, observer)? else {
        return Err(ClusterError::Incomplete(cluster.cid).into());
    };
    let hash = match &*outcome {
        Outcome::Keygen(_) => outcome.hash(),
        Outcome::Sign(_) => return Err(ClusterError::Incomplete(cluster.cid).into()),
    };
    if hash.map_err(SessionError::from)? == cluster.outcome {
        Ok(())
    } else {
        Err(differs().into())
    }
}
