//! Whether deposits come from an audited ceremony: what a funder asks before it pays.
//!
//! A deposit is proved when its public key is one that the ceremony made, its credentials and amount
//! are the plan's for that key, and its signature is the outcome's, byte for byte (BLS signatures
//! are deterministic, so no other is right). Roots and form are for the deposit check to look at.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::KeygenPlan;
use crate::crypto::point::G1;
use crate::ethereum::amount::Gwei;
use crate::ethereum::deposit::{ForeignEntry, Spot};
use crate::json::{Hex, encode_hex};

/// What a ceremony says of the deposits in files.
#[derive(Debug, Default)]
pub struct Proof {
    /// How many entries are deposits of the ceremony.
    pub proved: usize,
    /// Those that are not, with the reason; in the order of files and entries.
    pub unproved: Vec<(Spot, Unproved)>,
    /// Deposits of the plan that stand in no file, in the plan's order.
    pub missing: Vec<Planned>,
}

/// A deposit that the plan wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The validator's position in the plan, from 0.
    pub validator: usize,
    /// Its public key.
    pub pubkey: Hex<48>,
    /// The instalment.
    pub amount: Gwei,
}

/// Why an entry is no deposit of the ceremony.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    /// A field that is compared cannot be read.
    #[error("it is not proved to come from the ceremony: a field cannot be read")]
    Unreadable,
    /// The public key is nobody's in this ceremony.
    #[error("the ceremony made no key {0}")]
    Stranger(String),
    /// The money would go elsewhere.
    #[error("the plan gives validator {validator} the withdrawal credentials {planned}")]
    Credentials {
        /// The validator's position.
        validator: usize,
        /// The plan's credentials.
        planned: String,
    },
    /// No such instalment.
    #[error("the plan has no such deposit of validator {validator}; it has {planned}")]
    Amount {
        /// The validator's position.
        validator: usize,
        /// The plan's instalments.
        planned: String,
    },
    /// Not the signature that the operators made.
    #[error(
        "the signature is not the one that the ceremony made for this deposit of validator {0}"
    )]
    Signature(usize),
    /// For another chain.
    #[error("its fork version is not that of {0}, the ceremony's network")]
    Network(String),
}

/// Compares entries of files with what a complete, audited ceremony made.
pub fn prove(plan: KeygenPlan<'_>, outcome: &KeygenOutcome, files: &[&[ForeignEntry]]) -> Proof {
    let keys: Vec<[u8; 48]> = outcome.sharing().group_keys().map(G1::to_bytes).collect();
    let positions: HashMap<&[u8; 48], usize> = keys.iter().zip(0..).collect();
    let mut planned: BTreeMap<(usize, Gwei), [u8; 96]> = BTreeMap::new();
    for (position, (validator, signatures)) in plan
        .validators()
        .iter()
        .zip(outcome.signatures())
        .enumerate()
    {
        // The registration's signature, if there is one, comes after those of the instalments.
        for (amount, signature) in validator.deposits.iter().zip(signatures) {
            planned.insert((position, *amount), signature.to_bytes());
        }
    }
    let mut proof = Proof::default();
    let mut seen = HashSet::new();
    for (spot, entry) in Spot::all(files) {
        match examine(plan, &positions, &planned, entry) {
            Ok(deposit) => {
                proof.proved = proof.proved.saturating_add(1);
                seen.insert(deposit);
            }
            Err(why) => proof.unproved.push((spot, why)),
        }
    }
    let all = plan.validators().iter().enumerate();
    let all = all.flat_map(|(position, validator)| {
        let amounts = validator.deposits.iter();
        amounts.map(move |amount| (position, *amount))
    });
    proof.missing = all
        .filter(|deposit| !seen.contains(deposit))
        .filter_map(|(validator, amount)| {
            Some(Planned {
                validator,
                pubkey: Hex(*keys.get(validator)?),
                amount,
            })
        })
        .collect();
    proof
}

fn examine(
    plan: KeygenPlan<'_>,
    positions: &HashMap<&[u8; 48], usize>,
    planned: &BTreeMap<(usize, Gwei), [u8; 96]>,
    entry: &ForeignEntry,
) -> Result<(usize, Gwei), Unproved> {
    let pubkey = entry.pubkey().ok_or(Unproved::Unreadable)?;
    let position = *positions
        .get(&pubkey)
        .ok_or_else(|| Unproved::Stranger(encode_hex(&pubkey)))?;
    let validator = plan
        .validators()
        .get(position)
        .ok_or(Unproved::Unreadable)?;
    let network = plan.network();
    if entry.fork_version() != Some(network.fork_version()) {
        return Err(Unproved::Network(network.name().to_owned()));
    }
    let credentials = entry.credentials().ok_or(Unproved::Unreadable)?;
    if credentials != validator.withdrawal_credentials() {
        return Err(Unproved::Credentials {
            validator: position,
            planned: validator.withdrawal_credentials().to_string(),
        });
    }
    let amount = entry.amount().ok_or(Unproved::Unreadable)?;
    let signature = planned.get(&(position, amount)).ok_or_else(|| {
        let amounts = validator.deposits.iter();
        let amounts: Vec<String> = amounts
            .map(|amount| network.rules().display(*amount))
            .collect();
        Unproved::Amount {
            validator: position,
            planned: amounts.join(" + "),
        }
    })?;
    if entry.signature().as_ref() != Some(signature) {
        return Err(Unproved::Signature(position));
    }
    Ok((position, amount))
}
