//! The roster: the operators of a plan, from their cards, in the order of their indices.
//!
//! Distinctness is what the protocol's proofs rest on: no two operators share an index, a name, an
//! identity, an encryption key or a relay key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crypto::identity::IdentityPublic;
use crate::json::MAX_INTEGER;
use crate::wire::card::VerifiedCard;

/// A number that is no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no operator index: indices go from 1 to 2^53-1")]
pub struct IndexError(u64);

/// An operator's index, the x-coordinate of its shares: 1 to 2^53-1. Zero would be the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Index(u64);

impl Index {
    /// Takes a number from 1 to 2^53-1.
    pub const fn new(number: u64) -> Result<Self, IndexError> {
        if number == 0 || number > MAX_INTEGER {
            return Err(IndexError(number));
        }
        Ok(Self(number))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u64> for Index {
    type Error = IndexError;

    fn try_from(number: u64) -> Result<Self, IndexError> {
        Self::new(number)
    }
}

impl From<Index> for u64 {
    fn from(index: Index) -> u64 {
        index.0
    }
}

/// What is wrong with a list of operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// Not 2 to 256 operators.
    #[error(
        "a ceremony has {min} to {max} operators; this one has {0}",
        min = Roster::MIN_OPERATORS,
        max = Roster::MAX_OPERATORS
    )]
    Count(usize),
    /// Two operators that share what must be distinct.
    #[error(
        "operators {} ({}) and {} ({}) have the same {what}",
        first.0, first.1, second.0, second.1
    )]
    Shared {
        /// What they share.
        what: Distinct,
        /// Index and name of one of the two.
        first: (Index, String),
        /// Index and name of the other.
        second: (Index, String),
    },
}

/// What no two operators of a roster share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distinct {
    /// The index.
    Index,
    /// The name, but for case and Unicode compatibility forms.
    Name,
    /// The identity.
    Identity,
    /// The encryption key E_i.
    EncryptionKey,
    /// The relay write key.
    RelayKey,
}

impl std::fmt::Display for Distinct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Index => "index",
            Self::Name => "name (but for case)",
            Self::Identity => "identity",
            Self::EncryptionKey => "encryption key",
            Self::RelayKey => "relay key",
        })
    }
}

/// One operator of a roster.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its index.
    pub index: Index,
    /// Its card.
    pub card: VerifiedCard,
}

/// The operators of a plan, sorted by index.
#[derive(Debug, Clone)]
pub struct Roster(Vec<Operator>);

impl Roster {
    /// The fewest operators.
    pub const MIN_OPERATORS: usize = 2;
    /// The most operators.
    pub const MAX_OPERATORS: usize = 256;

    /// Sorts the operators by index and checks the list; reports everything that is wrong with it.
    pub fn new(operators: Vec<(Index, VerifiedCard)>) -> Result<Self, Vec<RosterError>> {
        let count = operators.len();
        if count > Self::MAX_OPERATORS {
            // No comparisons over a list of any length.
            return Err(vec![RosterError::Count(count)]);
        }
        let mut operators: Vec<Operator> = operators
            .into_iter()
            .map(|(index, card)| Operator { index, card })
            .collect();
        operators.sort_by_key(|operator| (operator.index, *operator.card.identity()));

        let mut errors = Vec::new();
        if count < Self::MIN_OPERATORS {
            errors.push(RosterError::Count(count));
        }
        shared(&operators, Distinct::Index, |o| o.index, &mut errors);
        shared(
            &operators,
            Distinct::Name,
            |o| o.card.name().folded(),
            &mut errors,
        );
        shared(
            &operators,
            Distinct::Identity,
            |o| *o.card.identity(),
            &mut errors,
        );
        shared(
            &operators,
            Distinct::EncryptionKey,
            |o| o.card.encryption_key().to_bytes(),
            &mut errors,
        );
        shared(
            &operators,
            Distinct::RelayKey,
            |o| *o.card.relay_key(),
            &mut errors,
        );
        if errors.is_empty() {
            Ok(Self(operators))
        } else {
            Err(errors)
        }
    }

    /// How many operators (n).
    #[expect(clippy::len_without_is_empty, reason = "a roster is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The operators in the order of their indices.
    pub fn iter(&self) -> std::slice::Iter<'_, Operator> {
        self.0.iter()
    }

    /// The operator at a position of that order, counted from 0.
    pub fn at(&self, position: usize) -> Option<&Operator> {
        self.0.get(position)
    }

    /// The position of an index in that order, counted from 0.
    pub fn position(&self, index: Index) -> Option<usize> {
        self.0
            .binary_search_by_key(&index, |operator| operator.index)
            .ok()
    }

    /// The operator with an index.
    pub fn operator(&self, index: Index) -> Option<&Operator> {
        self.position(index).and_then(|position| self.at(position))
    }

    /// The operator with an identity.
    pub fn by_identity(&self, identity: &IdentityPublic) -> Option<&Operator> {
        self.iter()
            .find(|operator| operator.card.identity() == identity)
    }
}

impl<'a> IntoIterator for &'a Roster {
    type Item = &'a Operator;
    type IntoIter = std::slice::Iter<'a, Operator>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Reports every operator whose property an earlier one has already.
fn shared<K: Ord>(
    operators: &[Operator],
    what: Distinct,
    property: impl Fn(&Operator) -> K,
    errors: &mut Vec<RosterError>,
) {
    let label = |operator: &Operator| (operator.index, operator.card.name().to_string());
    let mut seen = BTreeMap::new();
    for operator in operators {
        if let Some(first) = seen.insert(property(operator), operator) {
            errors.push(RosterError::Shared {
                what,
                first: label(first),
                second: label(operator),
            });
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::crypto::identity::IdentityKey;
    use crate::json::Text;
    use crate::secret::Secret;

    pub(in crate::wire) fn index(number: u64) -> Index {
        Index::new(number).unwrap()
    }

    pub(in crate::wire) fn identity(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&Secret::new([seed; 32]))
    }

    fn card(seed: u8, name: &str) -> VerifiedCard {
        card_of(seed, seed, name)
    }

    fn card_of(identity_seed: u8, ceremony_seed: u8, name: &str) -> VerifiedCard {
        let name = Text::try_from(name.to_owned()).unwrap();
        VerifiedCard::make(
            &identity(identity_seed),
            name,
            &Secret::new([ceremony_seed; 32]),
        )
        .unwrap()
    }

    /// Alice (index 1, seed 1), Bob (2, 2) and Carol (7, 3).
    pub(in crate::wire) fn roster() -> Roster {
        Roster::new(vec![
            (index(7), card(3, "Carol")),
            (index(1), card(1, "Alice")),
            (index(2), card(2, "Bob")),
        ])
        .unwrap()
    }

    fn what(errors: &[RosterError]) -> Vec<Distinct> {
        errors
            .iter()
            .filter_map(|error| match error {
                RosterError::Shared { what, .. } => Some(*what),
                RosterError::Count(_) => None,
            })
            .collect()
    }

    #[test]
    fn indices_are_bounded() {
        assert_eq!(Index::new(0), Err(IndexError(0)));
        assert_eq!(index(1).get(), 1);
        assert_eq!(index(MAX_INTEGER).get(), MAX_INTEGER);
        assert!(Index::new(MAX_INTEGER + 1).is_err());
        assert_eq!(serde_json::to_string(&index(5)).unwrap(), "5");
        assert_eq!(serde_json::from_str::<Index>("5").unwrap(), index(5));
        for bad in ["0", "9007199254740992", "-1", "1.0", "\"1\""] {
            assert!(serde_json::from_str::<Index>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_order_is_that_of_the_indices() {
        let roster = roster();
        let order: Vec<_> = roster.iter().map(|o| o.card.name().as_str()).collect();
        assert_eq!(order, ["Alice", "Bob", "Carol"]);
        assert_eq!(roster.len(), 3);
        assert_eq!(roster.position(index(7)), Some(2));
        assert_eq!(roster.position(index(3)), None);
        assert_eq!(roster.at(1).unwrap().index, index(2));
        assert!(roster.at(3).is_none());
        assert_eq!(
            roster.operator(index(7)).unwrap().card.name().as_str(),
            "Carol"
        );
        let carol = roster.by_identity(&identity(3).public()).unwrap();
        assert_eq!(carol.index, index(7));
        assert!(roster.by_identity(&identity(4).public()).is_none());
    }

    #[test]
    fn the_count_is_bounded() {
        for n in [0u64, 1] {
            let list = (1..=n).map(|i| (index(i), card(1, "Alice"))).collect();
            let count = usize::try_from(n).unwrap();
            assert_eq!(Roster::new(list).unwrap_err(), [RosterError::Count(count)]);
        }
        let alice = card(1, "Alice");
        let list = (1..=257).map(|i| (index(i), alice.clone())).collect();
        assert_eq!(Roster::new(list).unwrap_err(), [RosterError::Count(257)]);
    }

    #[test]
    fn every_shared_property_is_reported() {
        let same_index = vec![(index(1), card(1, "Alice")), (index(1), card(2, "Bob"))];
        assert_eq!(
            what(&Roster::new(same_index).unwrap_err()),
            [Distinct::Index]
        );

        let same_name = vec![(index(1), card(1, "Zoë")), (index(2), card(2, "ZOË"))];
        let errors = Roster::new(same_name).unwrap_err();
        assert_eq!(
            errors[0].to_string(),
            "operators 1 (Zoë) and 2 (ZOË) have the same name (but for case)"
        );
        assert_eq!(what(&errors), [Distinct::Name]);

        let same_identity = vec![
            (index(1), card_of(1, 1, "a")),
            (index(2), card_of(1, 2, "b")),
        ];
        assert_eq!(
            what(&Roster::new(same_identity).unwrap_err()),
            [Distinct::Identity]
        );

        let same_secret = vec![
            (index(1), card_of(1, 1, "a")),
            (index(2), card_of(2, 1, "b")),
        ];
        assert_eq!(
            what(&Roster::new(same_secret).unwrap_err()),
            [Distinct::EncryptionKey]
        );

        let twice = vec![
            (index(3), card(1, "Alice")),
            (index(3), card(1, "Alice")),
            (index(4), card(2, "alice")),
        ];
        assert_eq!(
            what(&Roster::new(twice).unwrap_err()),
            [
                Distinct::Index,
                Distinct::Name,
                Distinct::Name,
                Distinct::Identity,
                Distinct::EncryptionKey,
                Distinct::RelayKey
            ]
        );
    }

    #[test]
    fn a_roster_is_walked_by_index() {
        let roster = roster();
        let walked: Vec<Index> = (&roster)
            .into_iter()
            .map(|operator| operator.index)
            .collect();
        assert_eq!(walked, [1, 2, 7].map(index));
    }

    /// A relay key that is another's: nothing in a card proves it, so only the roster can tell.
    #[test]
    fn a_copied_relay_key_is_found() {
        let (alice, bob) = (card(1, "Alice"), card(2, "Bob"));
        let mut value = bob.value().clone();
        value["relay_key"] = alice.value()["relay_key"].clone();
        let mut signed = value.clone();
        signed.as_object_mut().unwrap().remove("signature");
        let signed = crate::json::canonical_value(&signed).unwrap();
        let signature = identity(2).sign(crate::hash::Tag::CARD_SIGNATURE, &signed);
        value["signature"] = signature.to_string().into();
        let copied = VerifiedCard::from_value(&value).unwrap();
        let errors = Roster::new(vec![(index(1), alice), (index(2), copied)]).unwrap_err();
        assert_eq!(what(&errors), [Distinct::RelayKey]);
    }
}
