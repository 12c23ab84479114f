//! What a relay and its clients agree on: names, entries, the list of a shelf, refusals, paths.
//!
//! ```text
//! PUT /v1/shelves/{shelf}                  the manifest: makes the shelf, any number of times
//! GET /v1/shelves/{shelf}?wait=SECONDS     the list; with If-None-Match it waits for another one
//! PUT /v1/shelves/{shelf}/{key}/{label}    an entry, once; the same bytes again are as good
//! GET /v1/shelves/{shelf}/{key}/{label}    the entry
//! GET /healthz                             whether the store answers
//! ```
//!
//! Reading needs `Authorization: Bearer TOKEN`. A refusal is a JSON object with `code` and `message`.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::crypto::identity::{RelayKey, RelayWriteKey, Signature};
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex};
use crate::secret::{Secret, Seed};

pub use super::refusal::{Refusal, Refused};

/// The version of everything here, as a shelf's manifest says it.
pub const VERSION: u64 = 1;

/// The most write keys of a shelf: as many as a ceremony has operators at most.
pub const MAX_KEYS: usize = 256;

/// The most bytes of a manifest.
pub const MAX_MANIFEST_BYTES: usize = 32 << 10;

/// The bytes of an entry beside its blob: the signature.
pub const SIGNATURE_BYTES: usize = 64;

/// The longest wait for news that a client asks for and a relay grants, in seconds: below the 60
/// after which proxies usually give a silent connection up.
pub const MAX_WAIT_SECONDS: u64 = 25;

/// The header in which a proxy says who asked.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a manifest.
    #[error("is not a shelf's manifest: it {0}")]
    Manifest(String),
    /// A manifest of another version.
    #[error("is a manifest of version {0}; this relay speaks version {VERSION}")]
    Version(u64),
    /// No keys, too many, one twice, or not in order.
    #[error("names no write keys, more than {MAX_KEYS}, one of them twice, or not in their order")]
    Keys,
    /// An entry that is too short to be one.
    #[error("is too short to be an entry")]
    Short,
    /// The write key did not sign it for this place.
    #[error("is not signed by the write key of its place")]
    Signature,
}

/// A shelf's name: the hash of what its manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShelfName(Hex<32>);

impl ShelfName {
    /// Reads 64 lower-case hex characters.
    pub fn parse(text: &str) -> Option<Self> {
        Hex::parse(text).map(Self)
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// The first eight hex characters: enough for a log, never to trust.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for ShelfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A label on a shelf: a keyed hash that only those who hold the plan can make or compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Label(Hex<32>);

impl Label {
    /// Under this label a write key says that its owner needs nothing more of the shelf. When all of
    /// them have, the shelf is closed. No keyed hash comes out like this.
    pub const DONE: Self = Self(Hex([0xff; 32]));

    /// Wraps the hash.
    pub const fn of(digest: &Digest) -> Self {
        Self(Hex(*digest.as_bytes()))
    }

    /// Reads 64 lower-case hex characters.
    pub fn parse(text: &str) -> Option<Self> {
        Hex::parse(text).map(Self)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a write key as it stands in a path.
pub fn parse_key(text: &str) -> Option<RelayKey> {
    Hex::parse(text).and_then(|key: Hex<32>| RelayKey::try_from(key).ok())
}

/// What reading a shelf needs: 32 bytes that a relay knows the hash of.
#[derive(Debug)]
pub struct ReadToken(Seed);

impl ReadToken {
    /// Takes the token.
    pub const fn new(token: Seed) -> Self {
        Self(token)
    }

    /// Reads the value of an `Authorization` header.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let Hex(token) = Hex::parse(token.trim())?;
        Some(Self(Secret::new(token)))
    }

    /// The value of an `Authorization` header.
    pub fn header(&self) -> Secret<String> {
        Secret::new(self.0.expose(|token| format!("Bearer {}", Hex(*token))))
    }

    /// What a relay keeps of it.
    pub fn reader(&self) -> Digest {
        self.0
            .expose(|token| Hasher::new(Tag::RELAY_READER).bytes(token).finish())
    }
}

/// What makes a shelf: who may write there, and what who reads must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    fields: Fields,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    version: u64,
    salt: Hex<32>,
    reader: Digest,
    keys: Vec<RelayKey>,
}

impl Manifest {
    /// Makes the manifest of a shelf for these keys. It lists them by their bytes: a relay has no
    /// business with the order of a plan.
    pub fn new(
        salt: [u8; 32],
        reader: Digest,
        mut keys: Vec<RelayKey>,
    ) -> Result<Self, AddressError> {
        keys.sort_unstable();
        Self::of(Fields {
            version: VERSION,
            salt: Hex(salt),
            reader,
            keys,
        })
    }

    /// Reads a manifest, canonical JSON of at most [`MAX_MANIFEST_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AddressError> {
        let fields: Fields = json::read_canonical(bytes, MAX_MANIFEST_BYTES)
            .map_err(|error| AddressError::Manifest(error.to_string()))?;
        Self::of(fields)
    }

    fn of(fields: Fields) -> Result<Self, AddressError> {
        if fields.version != VERSION {
            return Err(AddressError::Version(fields.version));
        }
        let keys = &fields.keys;
        let ordered = keys.is_sorted_by(|a, b| a < b);
        if !ordered || keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(AddressError::Keys);
        }
        let bytes =
            json::canonical(&fields).map_err(|error| AddressError::Manifest(error.to_string()))?;
        Ok(Self { fields, bytes })
    }

    /// The canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The shelf's name: the hash of salt, reader and keys, so that nobody can make another shelf of
    /// this name.
    pub fn name(&self) -> ShelfName {
        let Fields {
            version,
            salt,
            reader,
            keys,
        } = &self.fields;
        let mut hasher = Hasher::new(Tag::RELAY_SHELF)
            .int(*version)
            .bytes(&salt.0)
            .bytes(reader.as_bytes());
        for key in keys {
            hasher.add(key.as_bytes());
        }
        ShelfName(Hex(*hasher.finish().as_bytes()))
    }

    /// The write keys.
    pub fn keys(&self) -> &[RelayKey] {
        &self.fields.keys
    }

    /// Whether `key` may write there.
    pub fn has(&self, key: &RelayKey) -> bool {
        self.fields.keys.binary_search(key).is_ok()
    }

    /// Whether this token reads there, in constant time.
    pub fn lets(&self, token: &ReadToken) -> bool {
        let reader = token.reader();
        reader
            .as_bytes()
            .ct_eq(self.fields.reader.as_bytes())
            .into()
    }
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The shelf.
    pub shelf: ShelfName,
    /// The write key.
    pub key: RelayKey,
    /// The label.
    pub label: Label,
}

impl Place {
    /// Its path below a relay's address.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", shelf_path(&self.shelf), self.key, self.label)
    }

    /// Makes the entry: the signature, then the blob. The key must be this place's.
    pub fn entry(&self, key: &RelayWriteKey, blob: &[u8]) -> Vec<u8> {
        let signature = key.sign(Tag::RELAY_ENTRY, &self.signed(blob));
        let mut entry = signature.as_bytes().to_vec();
        entry.extend_from_slice(blob);
        entry
    }

    /// Returns the blob of an entry that the write key signed for this place.
    pub fn blob<'e>(&self, entry: &'e [u8]) -> Result<&'e [u8], AddressError> {
        let (signature, blob) = entry
            .split_first_chunk::<SIGNATURE_BYTES>()
            .ok_or(AddressError::Short)?;
        let signature = Signature::from_bytes(*signature);
        if self
            .key
            .verify(Tag::RELAY_ENTRY, &self.signed(blob), &signature)
        {
            Ok(blob)
        } else {
            Err(AddressError::Signature)
        }
    }

    /// Shelf, label and SHA-256 of the blob, 32 bytes each.
    fn signed(&self, blob: &[u8]) -> Vec<u8> {
        let hash: [u8; 32] = Sha256::digest(blob).into();
        [self.shelf.0.0, self.label.0.0, hash].concat()
    }
}

/// The path of a shelf below a relay's address.
pub fn shelf_path(shelf: &ShelfName) -> String {
    format!("/v1/shelves/{shelf}")
}

/// One entry as the list shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The write key.
    pub key: RelayKey,
    /// The label.
    pub label: Label,
    /// The entry's size, its signature included.
    pub bytes: u64,
}

/// A shelf's list, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The entries.
    pub entries: Vec<Listed>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> RelayWriteKey {
        RelayWriteKey::from_seed(&Secret::new([n; 32]))
    }

    fn token(n: u8) -> ReadToken {
        ReadToken::new(Secret::new([n; 32]))
    }

    fn manifest() -> Manifest {
        let keys = vec![key(1).public(), key(2).public()];
        Manifest::new([7; 32], token(3).reader(), keys).unwrap()
    }

    #[test]
    fn a_manifest_reads_back_and_has_one_name() {
        let ours = manifest();
        assert_eq!(Manifest::parse(ours.bytes()).unwrap(), ours);
        assert!(ours.has(&key(1).public()) && !ours.has(&key(3).public()));
        assert!(ours.lets(&token(3)) && !ours.lets(&token(4)));
        let name = |salt, reader: u8, keys: &[u8]| {
            let keys = keys.iter().map(|n| key(*n).public()).collect();
            Manifest::new(salt, token(reader).reader(), keys)
                .unwrap()
                .name()
        };
        assert_eq!(name([7; 32], 3, &[1, 2]), ours.name());
        assert_eq!(name([7; 32], 3, &[2, 1]), ours.name());
        // Everything that a relay goes by is in the name.
        for other in [
            name([8; 32], 3, &[1, 2]),
            name([7; 32], 4, &[1, 2]),
            name([7; 32], 3, &[1]),
            name([7; 32], 3, &[1, 2, 4]),
        ] {
            assert_ne!(other, ours.name());
        }
        let text = ours.name().to_string();
        assert_eq!(ShelfName::parse(&text), Some(ours.name()));
        assert_eq!(ShelfName::parse(&text.to_uppercase()), None);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let ours = manifest();
        let text = String::from_utf8(ours.bytes().to_vec()).unwrap();
        let twice = vec![key(1).public(), key(1).public()];
        assert_eq!(
            Manifest::new([7; 32], token(3).reader(), twice),
            Err(AddressError::Keys)
        );
        assert_eq!(
            Manifest::new([7; 32], token(3).reader(), Vec::new()),
            Err(AddressError::Keys)
        );
        // In another order it would be another shelf.
        let [first, second] = ours.keys() else {
            panic!("two keys");
        };
        let swapped = text
            .replace(&first.to_string(), "first")
            .replace(&second.to_string(), &first.to_string())
            .replace("first", &second.to_string());
        assert_eq!(Manifest::parse(swapped.as_bytes()), Err(AddressError::Keys));
        let other = text.replace("\"version\":1", "\"version\":2");
        assert_eq!(
            Manifest::parse(other.as_bytes()),
            Err(AddressError::Version(2))
        );
        for broken in [
            text.replace(',', ", "),
            text.replace("salt", "tlas"),
            text.replace("\"version\":1", "\"version\":1,\"x\":1"),
            text.replace(&key(1).public().to_string(), &"0".repeat(64)),
            text.get(1..).unwrap().to_owned(),
            format!("{text}{}", " ".repeat(MAX_MANIFEST_BYTES)),
        ] {
            let error = Manifest::parse(broken.as_bytes()).unwrap_err();
            assert!(matches!(error, AddressError::Manifest(_)), "{error}");
        }
    }

    #[test]
    fn an_entry_belongs_to_its_place() {
        let place = Place {
            shelf: manifest().name(),
            key: key(1).public(),
            label: Label(Hex([5; 32])),
        };
        let entry = place.entry(&key(1), b"blob");
        assert_eq!(place.blob(&entry).unwrap(), b"blob");
        assert_eq!(entry, place.entry(&key(1), b"blob"));
        assert_eq!(place.blob(&place.entry(&key(1), b"")).unwrap(), b"");
        let mut others = vec![place; 3];
        others[0].shelf = ShelfName(Hex([1; 32]));
        others[1].key = key(2).public();
        others[2].label = Label(Hex([6; 32]));
        for other in others {
            assert_eq!(other.blob(&entry), Err(AddressError::Signature));
        }
        assert_eq!(
            place.blob(&place.entry(&key(2), b"blob")),
            Err(AddressError::Signature)
        );
        for position in 0..entry.len() {
            let mut changed = entry.clone();
            changed[position] ^= 1;
            assert_eq!(place.blob(&changed), Err(AddressError::Signature));
        }
        assert_eq!(place.blob(&entry[..63]), Err(AddressError::Short));
    }

    #[test]
    fn a_token_travels_in_a_header() {
        let header = token(3).header().expose(Clone::clone);
        assert_eq!(header, format!("Bearer {}", "03".repeat(32)));
        let read = |header: &str| ReadToken::parse(header).map(|token| token.reader());
        assert_eq!(read(&header), Some(token(3).reader()));
        assert_eq!(
            read(&header.replace("Bearer", "bearer")),
            Some(token(3).reader())
        );
        assert_eq!(read(&header.replace("Bearer", "Basic")), None);
        assert_eq!(read("Bearer 03"), None);
        assert_eq!(read(""), None);
        assert_eq!(format!("{:?}", token(3)), "ReadToken(<secret>)");
    }

    #[test]
    fn paths_lead_back() {
        let place = Place {
            shelf: manifest().name(),
            key: key(1).public(),
            label: Label(Hex([5; 32])),
        };
        let path = place.path();
        let parts: Vec<&str> = path.split('/').skip(3).collect();
        assert_eq!(ShelfName::parse(parts[0]), Some(place.shelf));
        assert_eq!(parse_key(parts[1]), Some(place.key));
        assert_eq!(Label::parse(parts[2]), Some(place.label));
        assert_eq!(parse_key(&"0".repeat(64)), None);
    }
}
