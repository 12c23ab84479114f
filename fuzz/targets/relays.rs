//! What a relay and its clients send each other; neither trusts the other.

use conclave::crypto::identity::RelayWriteKey;
use conclave::hash::Digest;
use conclave::json;
use conclave::relay::address::{
    AddressError, Label, Listed, Listing, MAX_MANIFEST_BYTES, Manifest, Place, ReadToken, Refusal,
    Refused, ShelfName, parse_key,
};
use conclave::secret::Secret;

use super::said;

fn key(n: u8) -> RelayWriteKey {
    RelayWriteKey::from_seed(&Secret::new([n; 32]))
}

fn manifest() -> Manifest {
    let reader = ReadToken::new(Secret::new([3; 32])).reader();
    let keys = vec![key(1).public(), key(2).public()];
    Manifest::new([7; 32], reader, keys).unwrap()
}

fn place() -> Place {
    Place {
        shelf: manifest().name(),
        key: key(1).public(),
        label: Label::of(&Digest::from_bytes([5; 32])),
    }
}

/// Manifest, list and refusal: what one side takes has one form.
pub(crate) fn json(bytes: &[u8]) {
    match Manifest::parse(bytes) {
        Ok(manifest) => {
            assert!(bytes.len() <= MAX_MANIFEST_BYTES);
            assert_eq!(manifest.bytes(), bytes);
            assert_eq!(
                Manifest::parse(manifest.bytes()).unwrap().name(),
                manifest.name()
            );
            assert!(manifest.keys().iter().all(|key| manifest.has(key)));
        }
        Err(error) => drop(said(error)),
    }
    match json::read::<Listing>(bytes, 1 << 20) {
        Ok(listing) => {
            let again = json::canonical(&listing).unwrap();
            assert_eq!(json::read::<Listing>(&again, again.len()).unwrap(), listing);
        }
        Err(error) => drop(said(error)),
    }
    match json::read::<Refused>(bytes, 4096) {
        Ok(refused) => assert!(Refusal::ALL.contains(&refused.code)),
        Err(error) => drop(said(error)),
    }
}

/// Only what the write key signed for a place is an entry of it; a seal holds what was sealed, or
/// nothing; names and headers are read without harm.
pub(crate) fn entry(bytes: &[u8]) {
    let place = place();
    match place.blob(bytes) {
        Ok(blob) => assert_eq!(place.entry(&key(1), blob), bytes),
        Err(error) => {
            assert!(matches!(
                error,
                AddressError::Short | AddressError::Signature
            ));
            said(error);
        }
    }
    sealed(&place, bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let same = |shown: Option<String>| assert!(shown.is_none_or(|shown| shown == text));
        same(ShelfName::parse(text).map(|name| name.to_string()));
        same(Label::parse(text).map(|label| label.to_string()));
        same(parse_key(text).map(|key| key.to_string()));
        if let Some(token) = ReadToken::parse(text) {
            let header = token.header().expose(Clone::clone);
            assert_eq!(ReadToken::parse(&header).unwrap().reader(), token.reader());
        }
    }
}

#[cfg(feature = "net")]
fn sealed(place: &Place, bytes: &[u8]) {
    let shelf = shelf();
    let place = Place {
        shelf: *shelf.name(),
        ..*place
    };
    if let Ok(message) = shelf.open(&place, bytes) {
        assert_eq!(shelf.seal(&place, &message).unwrap(), bytes);
    }
}

#[cfg(not(feature = "net"))]
fn sealed(_place: &Place, _bytes: &[u8]) {}

#[cfg(feature = "net")]
fn shelf() -> conclave::courier::relay::Shelf {
    let operators = [(key(1).public(), "Alice".to_owned())];
    let meeting = conclave::courier::Meeting {
        random: &[9; 32],
        operators: &operators,
        own: None,
    };
    conclave::courier::relay::Shelf::of(&Digest::from_bytes([8; 32]), &meeting).unwrap()
}

/// Good inputs of [`json`].
#[cfg_attr(not(test), expect(dead_code, reason = "the tests make the corpus"))]
pub(crate) fn seeds_of_json() -> Vec<(&'static str, Vec<u8>)> {
    let listed = Listed {
        key: key(1).public(),
        label: place().label,
        bytes: 1152,
    };
    let refused = Refused {
        code: Refusal::ShelfFull,
        message: "it is full".to_owned(),
    };
    let listing = Listing {
        entries: vec![listed],
    };
    vec![
        ("manifest", manifest().bytes().to_vec()),
        ("listing", json::canonical(&listing).unwrap()),
        ("refused", json::canonical(&refused).unwrap()),
    ]
}

/// Good inputs of [`entry`].
#[cfg_attr(not(test), expect(dead_code, reason = "the tests make the corpus"))]
pub(crate) fn seeds_of_entries() -> Vec<(&'static str, Vec<u8>)> {
    let token = ReadToken::new(Secret::new([3; 32])).header();
    vec![
        ("entry", place().entry(&key(1), b"sealed")),
        ("name", place().shelf.to_string().into_bytes()),
        ("token", token.expose(|header| header.clone().into_bytes())),
        #[cfg(feature = "net")]
        ("blob", {
            let shelf = shelf();
            let place = Place {
                shelf: *shelf.name(),
                ..place()
            };
            shelf.seal(&place, b"a deal").unwrap()
        }),
    ]
}
