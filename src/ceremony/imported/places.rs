//! Whose share a key is, and whether what was found in files is all that one operator has.

use std::collections::BTreeMap;

use crate::crypto::point::G1;
use crate::crypto::sharing::Sharing;
use crate::json::Hex;

/// How many problems are listed before the rest is only counted.
const LISTED: usize = 50;

/// Where a public key stands in a sharing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is a public share.
    Share {
        /// Position of the validator, from 0.
        validator: usize,
        /// The operator's index.
        index: u64,
    },
    /// It is the group key itself.
    Whole {
        /// Position of the validator, from 0.
        validator: usize,
    },
}

/// A key that stands twice: nobody could say whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key {0} stands twice in the cluster: as a group key, a public share, or both")]
pub struct PlacesError(pub Hex<48>);

/// Every key of a sharing, with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places(BTreeMap<[u8; 48], Found>);

impl Places {
    /// Lists the keys of a sharing; refuses one that stands twice.
    pub fn of(sharing: &Sharing) -> Result<Self, PlacesError> {
        let mut places = BTreeMap::new();
        let mut add = |key: &G1, found: Found| {
            let key = key.to_bytes();
            match places.insert(key, found) {
                Some(_) => Err(PlacesError(Hex(key))),
                None => Ok(()),
            }
        };
        for (validator, key) in sharing.group_keys().enumerate() {
            add(key, Found::Whole { validator })?;
        }
        for (validator, shares) in sharing.shares().enumerate() {
            for (share, index) in shares.iter().zip(sharing.indices()) {
                let index = *index;
                add(share, Found::Share { validator, index })?;
            }
        }
        Ok(Self(places))
    }

    /// Where a key stands, if it does.
    pub fn find(&self, key: &[u8; 48]) -> Option<Found> {
        self.0.get(key).copied()
    }
}

/// Holds keys that were found in files, each with the file's name, against a sharing: they have to be
/// the public shares of one operator, one for every validator and no other. Returns that operator's
/// index, and for each validator which of the keys is its.
///
/// `mine` is the operator that they have to be of, where that is known beforehand. What is wrong is
/// told of every file, and what is missing.
pub fn of_one_operator(
    sharing: &Sharing,
    places: &Places,
    keys: &[(String, [u8; 48])],
    mine: Option<u64>,
) -> Result<(u64, Vec<usize>), Vec<String>> {
    let mut problems = Vec::new();
    let mut order: Vec<Option<usize>> = vec![None; sharing.validators()];
    let mut first: Option<(u64, &str)> = mine.map(|index| (index, ""));
    for (number, (file, key)) in keys.iter().enumerate() {
        let (validator, index) = match places.find(key) {
            None => {
                problems.push(format!(
                    "{file}: its key {} is no share of this cluster: it is another cluster's, or another epoch's",
                    Hex(*key)
                ));
                continue;
            }
            Some(Found::Whole { validator }) => {
                problems.push(format!(
                    "{file}: it holds the whole key of validator {validator}, and not a share of it: whoever has it needs no other operator"
                ));
                continue;
            }
            Some(Found::Share { validator, index }) => (validator, index),
        };
        match first {
            Some((wanted, other)) if wanted != index => {
                problems.push(match other {
                    "" => format!(
                        "{file}: it holds the share of operator {index} for validator {validator}, and this home is operator {wanted}'s: shares never change hands"
                    ),
                    other => format!(
                        "{file}: it holds the share of operator {index} for validator {validator}, and {other} one of operator {wanted}: shares of two operators are never mixed"
                    ),
                });
                continue;
            }
            Some(_) => {}
            None => first = Some((index, file)),
        }
        let Some(place) = order.get_mut(validator) else {
            continue;
        };
        match place.replace(number) {
            None => {}
            Some(earlier) => {
                let other = keys.get(earlier).map_or("", |(file, _)| file);
                problems.push(format!(
                    "{file}: it holds the same share as {other}; keep one of them"
                ));
            }
        }
    }
    if problems.is_empty() {
        let missing = order.iter().zip(sharing.group_keys()).enumerate();
        let missing = missing.filter(|(_, (place, _))| place.is_none());
        problems.extend(missing.map(|(validator, (_, key))| {
            format!(
                "no keystore holds the share of validator {validator}, {}",
                Hex(key.to_bytes())
            )
        }));
    }
    match (first, problems.is_empty()) {
        (Some((index, _)), true) => Ok((index, order.into_iter().flatten().collect())),
        _ => {
            let more = problems.len().saturating_sub(LISTED);
            problems.truncate(LISTED);
            if more > 0 {
                problems.push(format!("and {more} more"));
            }
            Err(problems)
        }
    }
}
