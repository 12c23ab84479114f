//! What a relay sees of a message: a blob under a label, both of which say nothing to it.
//!
//! All keys come from the plan's random bytes (docs/protocol.md, section on relays), so who holds the
//! plan reads the shelf and nobody else does. A blob is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha)
//! of the padded message; its associated data is the place, its nonce a keyed hash of place and
//! plaintext, so that the same message in the same place is the same bytes, and no nonce serves two.
//!
//! Sizes are padded to Padmé's classes (Nikitin et al., "Reducing Metadata Leakage from Encrypted
//! Files and Communication with PURBs", PETS 2019, section 4) over a floor of 1 KiB: at most 12 % more.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::courier::{ContentHash, Meeting};
use crate::crypto::identity::RelayKey;
use crate::hash::{Digest, Hasher, Kdf, Tag};
use crate::relay::address::{AddressError, Label, Manifest, Place, ReadToken, ShelfName};
use crate::secret::Seed;
use crate::store::folder::MAX_FILE_BYTES;

const NONCE_BYTES: usize = 24;
const LENGTH_BYTES: usize = 8;
/// The smallest padded message.
const FLOOR: u64 = 1024;

/// The largest entry that a message of ours makes: a message at its limit, a length before it, an
/// eighth of padding, nonce, tag and signature.
pub const MAX_ENTRY_BYTES: u64 = MAX_FILE_BYTES + MAX_FILE_BYTES / 8 + 128;

/// A blob is not a message sealed for its place under this plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not sealed under this plan for its place")]
pub struct OpenError;

/// The shelf of a ceremony, with the keys to what stands there.
#[derive(Debug)]
pub struct Shelf {
    manifest: Manifest,
    name: ShelfName,
    token: ReadToken,
    label_key: Seed,
    blob_key: Seed,
    nonce_key: Seed,
}

impl Shelf {
    /// Derives a ceremony's shelf.
    pub fn of(cid: &Digest, meeting: &Meeting<'_>) -> Result<Self, AddressError> {
        let derive = |tag| -> Seed { Kdf::new(tag).bytes(cid.as_bytes()).derive(meeting.random) };
        let token = ReadToken::new(derive(Tag::RELAY_TOKEN));
        let keys = meeting.operators.iter().map(|(key, _)| *key).collect();
        // The salt is no secret: it goes to the relay as it is.
        let salt = derive(Tag::RELAY_SALT).expose(|salt| *salt);
        let manifest = Manifest::new(salt, token.reader(), keys)?;
        Ok(Self {
            name: manifest.name(),
            manifest,
            token,
            label_key: derive(Tag::RELAY_LABEL_KEY),
            blob_key: derive(Tag::RELAY_BLOB_KEY),
            nonce_key: derive(Tag::RELAY_NONCE_KEY),
        })
    }

    /// What makes it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its name.
    pub fn name(&self) -> &ShelfName {
        &self.name
    }

    /// What reads it.
    pub fn token(&self) -> &ReadToken {
        &self.token
    }

    /// The place of an own message, by its name on the board: a second message of that name is
    /// refused by an honest relay.
    pub fn own(&self, key: RelayKey, name: &str) -> Place {
        self.place(key, &[b"own", name.as_bytes()])
    }

    /// The place of a message that is passed on for another: by its content, so that nothing else can
    /// claim it.
    pub fn passed_on(&self, key: RelayKey, content: &ContentHash) -> Place {
        self.place(key, &[b"passed on", content.as_bytes()])
    }

    fn place(&self, key: RelayKey, what: &[&[u8]]) -> Place {
        let mut hasher = self
            .label_key
            .expose(|secret| Hasher::new(Tag::RELAY_LABEL).bytes(secret));
        for part in what {
            hasher.add(part);
        }
        Place {
            shelf: self.name,
            key,
            label: Label::of(&hasher.finish()),
        }
    }

    /// Seals a message for its place: nonce, then ciphertext.
    pub fn seal(&self, place: &Place, message: &[u8]) -> Result<Vec<u8>, OpenError> {
        let padded = pad(message);
        let nonce: [u8; NONCE_BYTES] = {
            let digest = self.nonce_key.expose(|secret| {
                Hasher::new(Tag::RELAY_NONCE)
                    .bytes(secret)
                    .bytes(&associated(place))
                    .bytes(&padded)
                    .finish()
            });
            *digest.as_bytes().first_chunk().ok_or(OpenError)?
        };
        let payload = Payload {
            msg: &padded,
            aad: &associated(place),
        };
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| OpenError)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens a blob that was sealed for its place.
    pub fn open(&self, place: &Place, blob: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (nonce, sealed) = blob.split_first_chunk::<NONCE_BYTES>().ok_or(OpenError)?;
        let payload = Payload {
            msg: sealed,
            aad: &associated(place),
        };
        let padded = self
            .cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| OpenError)?;
        unpad(padded).ok_or(OpenError)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        self.blob_key
            .expose(|key| XChaCha20Poly1305::new(&(*key).into()))
    }
}

/// Shelf, write key and label: the place, and nothing else, is bound to the blob.
fn associated(place: &Place) -> Vec<u8> {
    let Place { shelf, key, label } = place;
    [*shelf.as_bytes(), *key.as_bytes(), *label.as_bytes()].concat()
}

/// The message's length as a u64, big-endian, the message, and zeros up to its class.
fn pad(message: &[u8]) -> Vec<u8> {
    let length = message.len() as u64;
    let padded = padme(length.saturating_add(LENGTH_BYTES as u64));
    let size = usize::try_from(padded).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(size);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.resize(size, 0);
    bytes
}

fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
    let (_, zeros) = rest.split_at_checked(length)?;
    // One message has one form.
    if zeros.iter().any(|byte| *byte != 0) || pad(rest.get(..length)?).len() != padded.len() {
        return None;
    }
    padded.drain(..LENGTH_BYTES);
    padded.truncate(length);
    Some(padded)
}

/// The size class of `length` bytes: as a floating-point number with as many mantissa bits as its
/// exponent has.
fn padme(length: u64) -> u64 {
    let length = length.max(FLOOR);
    let exponent = length.ilog2();
    let kept = exponent.ilog2().saturating_add(1);
    let zeros = exponent.saturating_sub(kept);
    let mask = 1u64.checked_shl(zeros).unwrap_or(1).saturating_sub(1);
    length.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::identity::RelayWriteKey;
    use crate::relay::address::SIGNATURE_BYTES;
    use crate::secret::Secret;
    use proptest::prelude::*;

    const TAG_BYTES: usize = 16;

    /// The size of the entry that a message of `bytes` becomes.
    fn entry_bytes(bytes: u64) -> u64 {
        padme(bytes.saturating_add(LENGTH_BYTES as u64))
            .saturating_add((NONCE_BYTES + TAG_BYTES + SIGNATURE_BYTES) as u64)
    }

    fn key(n: u8) -> RelayKey {
        RelayWriteKey::from_seed(&Secret::new([n; 32])).public()
    }

    fn shelf(random: u8) -> Shelf {
        let operators = [(key(1), "Alice".to_owned()), (key(2), "Bob".to_owned())];
        let meeting = Meeting {
            random: &[random; 32],
            operators: &operators,
            own: None,
        };
        Shelf::of(&Digest::from_bytes([9; 32]), &meeting).unwrap()
    }

    #[test]
    fn who_holds_the_plan_opens_what_another_sealed() {
        let (ours, theirs) = (shelf(1), shelf(1));
        assert_eq!(ours.name(), theirs.name());
        let place = ours.own(key(1), "1-deal-alice.json");
        assert_eq!(place, theirs.own(key(1), "1-deal-alice.json"));
        let blob = ours.seal(&place, b"a deal").unwrap();
        assert_eq!(theirs.open(&place, &blob).unwrap(), b"a deal");
        // A retry is the same bytes; another message has another nonce.
        assert_eq!(blob, theirs.seal(&place, b"a deal").unwrap());
        let other = ours.seal(&place, b"a dead").unwrap();
        assert_ne!(blob[..NONCE_BYTES], other[..NONCE_BYTES]);
    }

    #[test]
    fn a_blob_opens_in_its_place_alone() {
        let ours = shelf(1);
        let place = ours.own(key(1), "1-deal-alice.json");
        let blob = ours.seal(&place, b"a deal").unwrap();
        for other in [
            ours.own(key(2), "1-deal-alice.json"),
            ours.own(key(1), "2-confirm-alice.json"),
            ours.passed_on(key(1), &ContentHash::of(b"a deal")),
        ] {
            assert_ne!(other, place);
            assert_eq!(ours.open(&other, &blob), Err(OpenError));
        }
        assert_eq!(shelf(2).open(&place, &blob), Err(OpenError));
        for position in 0..blob.len() {
            let mut changed = blob.clone();
            changed[position] ^= 1;
            assert_eq!(ours.open(&place, &changed), Err(OpenError));
        }
        for length in [0, NONCE_BYTES, NONCE_BYTES + TAG_BYTES, blob.len() - 1] {
            assert_eq!(ours.open(&place, &blob[..length]), Err(OpenError));
        }
    }

    #[test]
    fn another_plan_is_another_shelf() {
        assert_ne!(shelf(1).name(), shelf(2).name());
        assert_ne!(shelf(1).token().reader(), shelf(2).token().reader());
        let place = |random| shelf(random).own(key(1), "x");
        assert_ne!(place(1).label, place(2).label);
    }

    /// Sizes by hand from the paper's definition.
    #[test]
    fn sizes_fall_into_classes() {
        for (length, class) in [
            (0, 1024),
            (1024, 1024),
            (1025, 1088),
            (1088, 1088),
            (9000, 9216),
            (1_000_000, 1_015_808),
            (MAX_FILE_BYTES, MAX_FILE_BYTES),
        ] {
            assert_eq!(padme(length), class, "{length}");
        }
        assert!(entry_bytes(MAX_FILE_BYTES) <= MAX_ENTRY_BYTES);
    }

    #[test]
    fn padding_has_one_form() {
        let padded = pad(b"message");
        assert_eq!(unpad(padded.clone()).unwrap(), b"message");
        let mut dirty = padded.clone();
        *dirty.last_mut().unwrap() = 1;
        assert_eq!(unpad(dirty), None);
        let mut longer = padded.clone();
        longer.push(0);
        assert_eq!(unpad(longer), None);
        let mut beyond = padded;
        beyond[0] = 1;
        assert_eq!(unpad(beyond), None);
        assert_eq!(unpad(vec![0; 7]), None);
    }

    proptest! {
        #[test]
        fn any_message_comes_back(message in proptest::collection::vec(any::<u8>(), 0..5000)) {
            let ours = shelf(1);
            let place = ours.passed_on(key(2), &ContentHash::of(&message));
            let blob = ours.seal(&place, &message).unwrap();
            let entry = place.entry(&RelayWriteKey::from_seed(&Secret::new([2; 32])), &blob);
            prop_assert_eq!(entry.len() as u64, entry_bytes(message.len() as u64));
            prop_assert_eq!(ours.open(&place, &blob).unwrap(), message);
        }
    }
}
