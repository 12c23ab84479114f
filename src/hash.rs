//! Tagged hashing: SHA-256 and HKDF-SHA256 over length-prefixed arguments, one tag per use.
//!
//! `H(tag, a, b, …)` is SHA-256 over the tag and every argument, each preceded by its length as a
//! u64, big-endian. `KDF(secret, tag, a, b, …)` is HKDF-SHA256 (RFC 5869, no salt) of the secret,
//! with the same encoding as its info.

use std::fmt;

use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize;

use crate::json::Hex;
use crate::secret::Secret;

/// One kind of use of a hash; two kinds never share a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(&'static str);

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Tag {
            $($(#[$doc])* pub const $name: Tag = Tag($text);)*
            /// Every tag there is.
            pub const ALL: &'static [Tag] = &[$(Tag::$name),*];
        }
    };
}

tags! {
    /// Signature of an identity over its card.
    CARD_SIGNATURE = "conclave/1/card/signature";
    /// Challenge of the proof of knowledge of a card's encryption key.
    CARD_PROOF = "conclave/1/card/proof";
    /// Nonce of the same proof.
    CARD_PROOF_NONCE = "conclave/1/card/proof-nonce";
    /// Ceremony secret from OS randomness and identity secret.
    CEREMONY_SECRET = "conclave/1/ceremony-secret";
    /// Encryption key from the ceremony secret.
    ENCRYPTION_KEY = "conclave/1/encryption-key";
    /// Relay write key from identity secret and encryption key.
    RELAY_KEY = "conclave/1/relay-key";
    /// Salt of a shelf's name from the plan's random bytes.
    RELAY_SALT = "conclave/1/relay/salt";
    /// Token for reading a shelf from the plan's random bytes.
    RELAY_TOKEN = "conclave/1/relay/token";
    /// Hash of that token: what a relay keeps of it.
    RELAY_READER = "conclave/1/relay/reader";
    /// A shelf's name.
    RELAY_SHELF = "conclave/1/relay/shelf";
    /// Key of the labels on a shelf from the plan's random bytes.
    RELAY_LABEL_KEY = "conclave/1/relay/label-key";
    /// A label on a shelf.
    RELAY_LABEL = "conclave/1/relay/label";
    /// Key of the blobs on a shelf from the plan's random bytes.
    RELAY_BLOB_KEY = "conclave/1/relay/blob-key";
    /// Key of the blobs' nonces from the plan's random bytes.
    RELAY_NONCE_KEY = "conclave/1/relay/nonce-key";
    /// Nonce of a blob.
    RELAY_NONCE = "conclave/1/relay/nonce";
    /// Signature of a relay write key over an entry.
    RELAY_ENTRY = "conclave/1/relay/entry";
    /// Hash of a shelf's list of entries.
    RELAY_LISTING = "conclave/1/relay/listing";
    /// Hash of a plan: the ceremony id.
    PLAN = "conclave/1/plan";
    /// The spoken words of a plan.
    PLAN_CODE = "conclave/1/plan-code";
    /// Hash of an outcome.
    OUTCOME = "conclave/1/outcome";
    /// The spoken words of an outcome.
    OUTCOME_CODE = "conclave/1/outcome-code";
    /// Hash of an envelope's header: the message hash.
    MESSAGE = "conclave/1/message";
    /// Hash of an envelope's payload.
    PAYLOAD = "conclave/1/payload";
    /// Signature of an identity over an envelope's header.
    ENVELOPE_SIGNATURE = "conclave/1/envelope/signature";
    /// Coefficients of a deal from the ceremony secret.
    DEAL_COEFFICIENTS = "conclave/1/deal/coefficients";
    /// Ephemeral key of a deal from the ceremony secret.
    DEAL_EPHEMERAL = "conclave/1/deal/ephemeral";
    /// Nonce of a deal's proof of knowledge.
    DEAL_PROOF_NONCE = "conclave/1/deal/proof-nonce";
    /// Challenge seed of a deal's proof of knowledge; its nonce hashes the same statement under it.
    DEAL_PROOF = "conclave/1/deal/proof";
    /// Key of the pads of one dealer for one recipient.
    DEAL_PAD = "conclave/1/deal/pad";
    /// The transcript T that every confirm carries.
    TRANSCRIPT = "conclave/1/transcript";
    /// Nonce of a complaint's proof.
    COMPLAINT_NONCE = "conclave/1/complaint/nonce";
    /// Challenge of a complaint's proof of equal discrete logarithms.
    COMPLAINT_PROOF = "conclave/1/complaint/proof";
    /// An auditor's weights for a batch of share equations.
    AUDIT_SHARES = "conclave/1/audit/shares";
    /// Name of an evidence file.
    EVIDENCE = "conclave/1/evidence";
    /// Weights of the check that stored shares are still the secrets of their public shares.
    STORED_SHARES = "conclave/1/stored-shares";
    /// Hash of the description of a cluster that was made elsewhere: what stands for a ceremony id.
    IMPORTED_CLUSTER = "conclave/1/imported-cluster";
    /// Binding of a share on paper to what stands beside it and to its public share.
    PAPER_BINDING = "conclave/1/paper/binding";
    /// Challenge seed of a proof of all shares; its nonce hashes the same statement under it.
    SHARE_PROOF = "conclave/1/share-proof";
    /// Nonce of the same proof.
    SHARE_PROOF_NONCE = "conclave/1/share-proof/nonce";
    /// Signature of an identity over a file with such a proof.
    SHARE_PROOF_SIGNATURE = "conclave/1/share-proof/signature";
    /// Weights of a batch of subgroup checks.
    SUBGROUP_WEIGHTS = "conclave/1/subgroup-weights";
    /// An auditor's weights for a batch of signatures.
    AUDIT_SIGNATURES = "conclave/1/audit/signatures";
    /// An auditor's weights for the batch of a signing ceremony's partial signatures.
    AUDIT_PARTIALS = "conclave/1/audit/partials";
}

impl Tag {
    /// The tag as text, for signatures that are not hashes.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A 32-byte hash; prints and serialises as 64 lower-case hex characters.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Digest(Hex<32>);

impl Digest {
    /// Wraps 32 bytes that are a hash already.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Hex(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// The first eight hex characters: enough to tell files apart, never to trust.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `H(tag, …)`, argument by argument.
#[derive(Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a hash under `tag`.
    pub fn new(tag: Tag) -> Self {
        Self(Sha256::new()).bytes(tag.0.as_bytes())
    }

    /// Adds one argument of bytes.
    #[must_use]
    pub fn bytes(mut self, argument: &[u8]) -> Self {
        self.add(argument);
        self
    }

    /// Adds one integer argument: a u64, big-endian.
    #[must_use]
    pub fn int(self, argument: u64) -> Self {
        self.bytes(&argument.to_be_bytes())
    }

    /// Adds one argument of bytes in place, for loops.
    pub fn add(&mut self, argument: &[u8]) {
        self.0.update(length(argument));
        self.0.update(argument);
    }

    /// Ends the hash.
    pub fn finish(self) -> Digest {
        Digest::from_bytes(self.0.finalize().into())
    }
}

/// The arguments of one `KDF(secret, tag, …)`.
pub struct Kdf(Vec<u8>);

impl Kdf {
    /// Starts a derivation under `tag`.
    pub fn new(tag: Tag) -> Self {
        Self(Vec::new()).bytes(tag.0.as_bytes())
    }

    /// Adds one argument of bytes. Arguments are public: what is secret goes into [`Self::derive`].
    #[must_use]
    pub fn bytes(mut self, argument: &[u8]) -> Self {
        self.0.extend_from_slice(&length(argument));
        self.0.extend_from_slice(argument);
        self
    }

    /// Adds one integer argument: a u64, big-endian.
    #[must_use]
    pub fn int(self, argument: u64) -> Self {
        self.bytes(&argument.to_be_bytes())
    }

    /// Derives `N` bytes (at most 255 * 32) from `secret`.
    pub fn derive<const N: usize>(self, secret: &[u8]) -> Secret<[u8; N]>
    where
        [u8; N]: Zeroize,
    {
        const { assert!(N <= 255 * 32, "HKDF-SHA256 gives at most 8160 bytes") };
        let mut out = Secret::new([0u8; N]);
        out.expose_mut(|bytes| {
            // The only error is a length over 255 blocks, which the assertion above excludes.
            let _ = Hkdf::<Sha256>::new(None, secret).expand(&self.0, bytes);
        });
        out
    }
}

fn length(argument: &[u8]) -> [u8; 8] {
    // usize is at most 64 bits wide on every target of Rust.
    (argument.len() as u64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_unique_and_none_is_a_prefix_of_another_argument_encoding() {
        for (i, a) in Tag::ALL.iter().enumerate() {
            assert!(
                Tag::ALL.iter().skip(i + 1).all(|b| a != b),
                "{} is used twice",
                a.0
            );
        }
    }

    /// The encoding, spelled out by hand over FIPS 180-4 SHA-256.
    #[test]
    fn hash_is_sha256_of_length_prefixed_arguments() {
        let mut by_hand = Vec::new();
        for argument in [b"conclave/1/plan".as_slice(), b"ab", &7u64.to_be_bytes()] {
            by_hand.extend_from_slice(&(argument.len() as u64).to_be_bytes());
            by_hand.extend_from_slice(argument);
        }
        let expected: [u8; 32] = Sha256::digest(&by_hand).into();
        assert_eq!(
            Hasher::new(Tag::PLAN)
                .bytes(b"ab")
                .int(7)
                .finish()
                .as_bytes(),
            &expected
        );
    }

    #[test]
    fn arguments_do_not_run_into_each_other() {
        let ab_c = Hasher::new(Tag::PLAN).bytes(b"ab").bytes(b"c").finish();
        let a_bc = Hasher::new(Tag::PLAN).bytes(b"a").bytes(b"bc").finish();
        assert_ne!(ab_c, a_bc);
    }

    /// RFC 5869, test case 3 (no salt, empty info) checks the crate that we derive with.
    #[test]
    fn hkdf_known_answer() {
        let mut okm = [0u8; 42];
        Hkdf::<Sha256>::new(None, &[0x0b; 22])
            .expand(&[], &mut okm)
            .unwrap();
        assert_eq!(
            Hex(okm).to_string(),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }

    #[test]
    fn derivations_differ_by_tag_secret_and_argument() {
        let one = |tag, secret: &[u8], n| Kdf::new(tag).int(n).derive::<32>(secret).expose(|b| *b);
        let base = one(Tag::DEAL_PAD, b"s", 1);
        assert_eq!(base, one(Tag::DEAL_PAD, b"s", 1));
        assert_ne!(base, one(Tag::DEAL_EPHEMERAL, b"s", 1));
        assert_ne!(base, one(Tag::DEAL_PAD, b"t", 1));
        assert_ne!(base, one(Tag::DEAL_PAD, b"s", 2));
    }
}
