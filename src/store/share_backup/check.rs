//! What holds the parts of a backup of shares together.

use std::collections::BTreeMap;

use super::ShareAbout;
use crate::ceremony::imported::ImportedCluster;
use crate::ceremony::plan::Plan;
use crate::ceremony::session::{Session, label};
use crate::ceremony::shares::OwnShares;
use crate::crypto::identity::Signature;
use crate::hash::Digest;
use crate::protocol::confirm::ConfirmPayload;
use crate::protocol::deal::transcript;
use crate::store::folder::safe_name;
use crate::wire::envelope::{Envelope, Header, Kind};

/// Holds shares of an imported cluster against its description.
pub(super) fn imported(
    about: &ShareAbout,
    cluster: &ImportedCluster,
    shares: &OwnShares,
) -> Result<(), String> {
    if about.cid != *cluster.cid() || about.transcript != about.cid {
        return Err("cluster and what it says of itself are different ones".to_owned());
    }
    if about.epoch > 0 {
        return Err("its shares are of an epoch that this version does not have".to_owned());
    }
    if let Some(what) = cluster.differs(shares) {
        return Err(format!("its shares are not those of its cluster: {what}"));
    }
    if about.index.get() != shares.index
        || about.validators != shares.sharing.validators() as u64
        || !cluster.admits(about.index, &about.identity)
    {
        return Err("its shares are not those of the operator that it names".to_owned());
    }
    Ok(())
}

/// Holds all parts together; returns the message hash of the own confirm, if there is one.
pub(super) fn ceremony(
    about: &ShareAbout,
    plan: &Plan,
    board: &BTreeMap<String, Vec<u8>>,
    own: &BTreeMap<String, Vec<u8>>,
    shares: &OwnShares,
) -> Result<Option<Digest>, String> {
    let no = |what: &str| Err(what.to_owned());
    if about.cid != *plan.cid() || about.cid != shares.cid {
        return no("plan, shares and what it says of itself are of different ceremonies");
    }
    if about.epoch != 0 {
        return no("its shares are of an epoch that this version does not have");
    }
    let operator = plan.roster().by_identity(&about.identity);
    if operator.map(|operator| operator.index) != Some(about.index)
        || about.index.get() != shares.index
    {
        return no("its shares are not those of the operator that it names");
    }
    let Some(keygen) = plan.keygen() else {
        return no("its plan makes no shares");
    };
    let sharing = &shares.sharing;
    let indices = plan.roster().iter().map(|operator| operator.index.get());
    if sharing.threshold() != plan.threshold()
        || sharing.validators() != keygen.validators().len()
        || about.validators != sharing.validators() as u64
        || !indices.eq(sharing.indices().iter().copied())
    {
        return no("its shares are of another number of operators or validators than the plan");
    }
    if shares.deals.len() != plan.roster().len() {
        return no("it does not name one deal of each operator");
    }
    let mut hashes = Vec::new();
    for (operator, seen) in plan.roster().iter().zip(&shares.deals) {
        let header = Header::deal(*plan.cid(), *operator.card.identity(), seen.payload)
            .map_err(|error| error.to_string())?;
        if !header.verify(&Signature::from_bytes(seen.signature.0)) {
            return Err(format!(
                "it names a deal of operator {} that operator {0} did not sign",
                operator.index
            ));
        }
        hashes.push(header.hash());
    }
    let computed = transcript(plan.cid(), &hashes, sharing);
    if computed != shares.transcript || computed != about.transcript {
        return no("its public shares do not lead to its transcript");
    }
    let session = Session::new(plan);
    for (name, bytes) in board {
        session
            .read(bytes)
            .map_err(|error| format!("{name} is no message of its ceremony: {error}"))?;
    }
    own_confirm(about, plan, own, shares)
}

/// Checks the own messages, and that a confirm among them speaks of these shares.
fn own_confirm(
    about: &ShareAbout,
    plan: &Plan,
    own: &BTreeMap<String, Vec<u8>>,
    shares: &OwnShares,
) -> Result<Option<Digest>, String> {
    let (mut confirmed, mut left) = (None, false);
    for (name, bytes) in own {
        let message = Envelope::parse(bytes)
            .and_then(|envelope| envelope.authenticate(plan.cid(), plan.roster()))
            .map_err(|error| format!("the own message {name}: {error}"))?;
        if message.sender() != about.index || safe_name(&label(plan, &message)) != *name {
            return Err(format!("{name} is not the own message that its name says"));
        }
        match message.kind() {
            Kind::Confirm => {
                let payload: ConfirmPayload = message
                    .decode()
                    .map_err(|error| format!("the own message {name}: {error}"))?;
                if payload.transcript != shares.transcript || payload.deals != shares.deals {
                    return Err(format!("{name} confirms other shares"));
                }
                confirmed = Some(message.message_hash());
            }
            Kind::Abandon | Kind::Complain => left = true,
            Kind::Deal => {}
            Kind::Partial => return Err(format!("{name} is of another kind of ceremony")),
        }
    }
    match left && confirmed.is_some() {
        true => Err("its operator both confirmed and left the ceremony".to_owned()),
        false => Ok(confirmed),
    }
}

/// Whether two own messages are one message, which another release may have written in other bytes.
pub(super) fn same_message(one: &[u8], other: &[u8]) -> bool {
    let hash = |bytes: &[u8]| Some(Envelope::parse(bytes).ok()?.header().hash());
    one == other || hash(one).is_some_and(|found| Some(found) == hash(other))
}
