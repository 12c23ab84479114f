//! Identities: long-term Ed25519 keys that sign cards and envelopes, and the relay keys beside them.
//!
//! Signatures are Ed25519 (RFC 8032 section 5.1) under the strictest reading of section 5.1.7:
//! canonical encodings of A, R and S only, no point of small order, no cofactor in the equation. So
//! all verifiers agree on every input, and only the key's owner can make a second signature.
//!
//! What is signed is never a message itself but `H(tag, message)` (32 bytes, [`Hasher`]): one tag
//! for each use, so that a signature made for one use is worth nothing in another.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32m, Hrp};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::hash::{Hasher, Kdf, Tag};
use crate::json::{Hex, MAX_QUOTED_CHARS, excerpt};
use crate::secret::Seed;

/// Why bytes or a text are not a public identity or relay key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not Bech32m (BIP-350), or a wrong checksum.
    #[error("is not an identity: {0}")]
    Encoding(String),
    /// Bech32m of something else.
    #[error(
        "is not an identity: it does not start with \"{}1\"",
        IdentityPublic::PREFIX
    )]
    Prefix,
    /// Not 32 bytes.
    #[error("is not an identity: it holds {0} bytes instead of 32")]
    Length(usize),
    /// A second way to write an identity: upper case, or padding bits that are not zero.
    #[error("is not an identity in its one form: lower case, without padding bits")]
    NotCanonical,
    /// Not the canonical encoding of a point of Ed25519, or a point of small order.
    #[error("is not a usable Ed25519 public key")]
    Key,
}

/// An operator's secret identity: an Ed25519 private key, wiped on drop.
pub struct IdentityKey(SigningKey);

impl IdentityKey {
    /// Takes the 32-byte private key of RFC 8032 section 5.1.5.
    pub fn from_seed(seed: &Seed) -> Self {
        Self(seed.expose(SigningKey::from_bytes))
    }

    /// The public identity.
    pub fn public(&self) -> IdentityPublic {
        IdentityPublic(self.0.verifying_key().to_bytes())
    }

    /// Signs `H(tag, message)`; the same arguments give the same signature (RFC 8032).
    pub fn sign(&self, tag: Tag, message: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(&signed_bytes(tag, message)).to_bytes())
    }

    /// Lends the private key to `f`: for storing it encrypted, and for deriving from it.
    pub fn expose_seed<R>(&self, f: impl FnOnce(&[u8; 32]) -> R) -> R {
        f(self.0.as_bytes())
    }

    /// Returns the relay write key that goes with an encryption key E_i (48 bytes, compressed): the
    /// Ed25519 private key `KDF(identity, E_i)`.
    pub fn relay_write_key(&self, encryption_key: &[u8; 48]) -> RelayWriteKey {
        let seed: Seed = self.expose_seed(|secret| {
            Kdf::new(Tag::RELAY_KEY)
                .bytes(encryption_key)
                .derive(secret)
        });
        RelayWriteKey(seed.expose(SigningKey::from_bytes))
    }

    /// Returns the public half of [`Self::relay_write_key`].
    pub fn relay_key(&self, encryption_key: &[u8; 48]) -> RelayKey {
        self.relay_write_key(encryption_key).public()
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// A public identity: 32 bytes that are a usable Ed25519 public key, ordered by these bytes.
///
/// As text and in JSON it is Bech32m (BIP-350) under the prefix `conclave`: 67 lower-case characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdentityPublic([u8; 32]);

impl IdentityPublic {
    /// The human-readable part of the text.
    pub const PREFIX: &'static str = "conclave";

    /// Takes the encoded point of RFC 8032 section 5.1.2; refuses other encodings of a point and
    /// points of small order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, IdentityError> {
        usable(&bytes).map(|_| Self(bytes))
    }

    /// The encoded point.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` is this identity's over `H(tag, message)`, under the module's strict rules.
    #[must_use]
    pub fn verify(&self, tag: Tag, message: &[u8], signature: &Signature) -> bool {
        verify_strict(&self.0, &signed_bytes(tag, message), signature)
    }
}

impl fmt::Display for IdentityPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, Hrp::parse_unchecked(Self::PREFIX), &self.0)
            .map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for IdentityPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for IdentityPublic {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|error| {
            IdentityError::Encoding(excerpt(&error.to_string(), MAX_QUOTED_CHARS))
        })?;
        if checked.hrp() != Hrp::parse_unchecked(Self::PREFIX) {
            return Err(IdentityError::Prefix);
        }
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let identity = <[u8; 32]>::try_from(bytes)
            .map_err(|bytes| IdentityError::Length(bytes.len()))
            .and_then(Self::from_bytes)?;
        if identity.to_string() == text {
            Ok(identity)
        } else {
            Err(IdentityError::NotCanonical)
        }
    }
}

impl TryFrom<String> for IdentityPublic {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, IdentityError> {
        text.parse()
    }
}

impl From<IdentityPublic> for String {
    fn from(identity: IdentityPublic) -> String {
        identity.to_string()
    }
}

/// A relay write key: an Ed25519 private key that serves one card as a pseudonym, wiped on drop.
pub struct RelayWriteKey(SigningKey);

impl RelayWriteKey {
    /// Takes the 32-byte private key of RFC 8032 section 5.1.5.
    pub fn from_seed(seed: &Seed) -> Self {
        Self(seed.expose(SigningKey::from_bytes))
    }

    /// The public half, as the card shows it.
    pub fn public(&self) -> RelayKey {
        RelayKey(Hex(self.0.verifying_key().to_bytes()))
    }

    /// Signs `H(tag, message)`; the same arguments give the same signature (RFC 8032).
    pub fn sign(&self, tag: Tag, message: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(&signed_bytes(tag, message)).to_bytes())
    }
}

impl fmt::Debug for RelayWriteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// The public half of a relay write key: an Ed25519 key that serves one card as a pseudonym; in JSON
/// 64 hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Hex<32>", into = "Hex<32>")]
pub struct RelayKey(Hex<32>);

impl RelayKey {
    /// The encoded point of RFC 8032 section 5.1.2.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }

    /// Whether `signature` is this key's over `H(tag, message)`, under the module's strict rules.
    #[must_use]
    pub fn verify(&self, tag: Tag, message: &[u8], signature: &Signature) -> bool {
        verify_strict(&self.0.0, &signed_bytes(tag, message), signature)
    }
}

impl fmt::Display for RelayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<Hex<32>> for RelayKey {
    type Error = IdentityError;

    fn try_from(bytes: Hex<32>) -> Result<Self, IdentityError> {
        usable(&bytes.0).map(|_| Self(bytes))
    }
}

impl From<RelayKey> for Hex<32> {
    fn from(key: RelayKey) -> Self {
        key.0
    }
}

/// An Ed25519 signature as it arrived, R then S (64 bytes); worth nothing before it is verified. In
/// JSON 128 hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(Hex<64>);

impl Signature {
    /// Wraps 64 bytes, whatever they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(Hex(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn signed_bytes(tag: Tag, message: &[u8]) -> [u8; 32] {
    *Hasher::new(tag).bytes(message).finish().as_bytes()
}

/// The one way from bytes to a key that verifies anything.
fn usable(bytes: &[u8; 32]) -> Result<VerifyingKey, IdentityError> {
    if !is_canonical(bytes) {
        return Err(IdentityError::Key);
    }
    match VerifyingKey::from_bytes(bytes) {
        Ok(key) if !key.is_weak() => Ok(key),
        _ => Err(IdentityError::Key),
    }
}

/// RFC 8032 section 5.1.3, step 1: "If the resulting value is >= p, decoding fails", which the
/// library reduces instead. (Step 4's negative zero exists only for y = 1 and y = -1: small order.)
fn is_canonical(bytes: &[u8; 32]) -> bool {
    // p = 2^255 - 19; the top bit is the sign of x.
    let [first, middle @ .., last] = bytes;
    *first < 0xed || middle.iter().any(|byte| *byte != 0xff) || last & 0x7f != 0x7f
}

/// A non-canonical R fails too: the library encodes the R that it computes and compares the bytes.
fn verify_strict(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
    usable(key).is_ok_and(|key| {
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        key.verify_strict(message, &signature).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{decode_hex, encode_hex};
    use crate::secret::Secret;

    const TAG: Tag = Tag::ENVELOPE_SIGNATURE;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        let mut bytes = [0u8; N];
        decode_hex(text, &mut bytes).unwrap();
        bytes
    }

    fn key(seed: u8) -> IdentityKey {
        IdentityKey::from_seed(&Secret::new([seed; 32]))
    }

    /// RFC 8032 section 7.1, tests 1 to 3: private key, public key, message, signature.
    const KNOWN: [(&str, &str, &[u8], &str); 3] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            &[],
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];

    #[test]
    fn rfc_8032_known_answers() {
        for (seed, public, message, signature) in KNOWN {
            let key = IdentityKey::from_seed(&Secret::new(bytes(seed)));
            assert_eq!(key.public().as_bytes(), &bytes(public));
            assert_eq!(key.0.sign(message).to_bytes(), bytes::<64>(signature));
            let mut signature: [u8; 64] = bytes(signature);
            let verifies = |signature: &[u8; 64]| {
                verify_strict(&bytes(public), message, &Signature::from_bytes(*signature))
            };
            assert!(verifies(&signature));
            for bit in 0..512 {
                signature[bit / 8] ^= 1 << (bit % 8);
                assert!(!verifies(&signature), "bit {bit}");
                signature[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn what_is_signed_is_the_tagged_hash() {
        let key = key(1);
        let signature = key.sign(TAG, b"message");
        let hash = Hasher::new(TAG).bytes(b"message").finish();
        assert_eq!(
            signature.as_bytes(),
            &key.0.sign(hash.as_bytes()).to_bytes()
        );
        assert!(key.public().verify(TAG, b"message", &signature));
        assert!(!key.public().verify(TAG, b"massage", &signature));
        assert!(
            !key.public()
                .verify(Tag::CARD_SIGNATURE, b"message", &signature)
        );
        assert!(!self::key(2).public().verify(TAG, b"message", &signature));
    }

    /// RFC 8032 section 5.1.7: S in the range 0 <= S < L; S + L satisfies the equation as well.
    #[test]
    fn a_second_form_of_s_is_refused() {
        let order: [u8; 32] =
            bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let key = key(3);
        let mut signature = *key.sign(TAG, b"message").as_bytes();
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            *byte = sum.to_le_bytes()[0];
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        let doubled = Signature::from_bytes(signature);
        assert!(!key.public().verify(TAG, b"message", &doubled));
    }

    /// Every encoding of the eight points of small order, canonical or not ("Taming the many
    /// EdDSAs", table 1), as A and as R.
    #[test]
    fn small_order_points_are_refused() {
        let torsion = [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ];
        for point in torsion {
            let point: [u8; 32] = bytes(point);
            assert_eq!(IdentityPublic::from_bytes(point), Err(IdentityError::Key));
            assert!(RelayKey::try_from(Hex(point)).is_err());
            // Under such a key, (R = A, S = 0) is a signature on some messages.
            let mut signature = [0u8; 64];
            signature[..32].copy_from_slice(&point);
            for message in 0..16u8 {
                let signature = Signature::from_bytes(signature);
                assert!(!verify_strict(&point, &[message], &signature));
                assert!(!key(1).public().verify(TAG, &[message], &signature));
            }
        }
    }

    #[test]
    fn a_small_order_r_is_refused_even_when_the_equation_holds() {
        // With R = infinity, S = k*a satisfies S*G = R + k*A, for whoever knows a; computed apart.
        let key = key(4);
        let mut signature = [0u8; 64];
        signature[0] = 1;
        signature[32..].copy_from_slice(&bytes::<32>(
            "b6c19db991d0741e1c2712b048a9d996bde7305e43aa176b53cafe013041f40a",
        ));
        let lax = ed25519_dalek::Signature::from_bytes(&signature);
        let message = signed_bytes(TAG, b"message");
        assert!(key.0.verify(&message, &lax).is_ok(), "the equation holds");
        let signature = Signature::from_bytes(signature);
        assert!(!key.public().verify(TAG, b"message", &signature));
    }

    #[test]
    fn non_canonical_and_off_curve_keys_are_refused() {
        // y = p + 3 encodes the point with y = 3, which is on the curve and of large order.
        let mut low = [0u8; 32];
        low[0] = 3;
        assert!(IdentityPublic::from_bytes(low).is_ok());
        let mut high = [0xffu8; 32];
        high[0] = 0xed + 3;
        for last in [0x7f, 0xff] {
            high[31] = last;
            assert!(
                VerifyingKey::from_bytes(&high).is_ok(),
                "the library takes it"
            );
            assert_eq!(IdentityPublic::from_bytes(high), Err(IdentityError::Key));
        }
        // y = 2 is no point of the curve.
        low[0] = 2;
        assert_eq!(IdentityPublic::from_bytes(low), Err(IdentityError::Key));
    }

    #[test]
    fn text_has_one_form() {
        let identity = key(5).public();
        let text = identity.to_string();
        assert!(text.starts_with("conclave1") && text.len() == 67, "{text}");
        assert_eq!(text.parse(), Ok(identity));
        assert_eq!(format!("{identity:?}"), text);
        assert_eq!(
            text.to_uppercase().parse::<IdentityPublic>(),
            Err(IdentityError::NotCanonical)
        );
        let encode = |hrp: &str, bytes: &[u8]| {
            bech32::encode::<Bech32m>(Hrp::parse(hrp).unwrap(), bytes).unwrap()
        };
        let refused = |text: &str| text.parse::<IdentityPublic>().unwrap_err();
        assert_eq!(
            refused(&encode("age", identity.as_bytes())),
            IdentityError::Prefix
        );
        assert_eq!(
            refused(&encode("conclave", &[3; 31])),
            IdentityError::Length(31)
        );
        assert_eq!(refused(&encode("conclave", &[0; 32])), IdentityError::Key);
        let old = bech32::encode::<bech32::Bech32>(Hrp::parse("conclave").unwrap(), &identity.0);
        assert!(matches!(refused(&old.unwrap()), IdentityError::Encoding(_)));
        for bad in [
            "",
            "conclave1",
            " ",
            &text[..66],
            &format!("{text} "),
            &format!(" {text}"),
        ] {
            assert!(matches!(refused(bad), IdentityError::Encoding(_)), "{bad}");
        }
        for at in 9..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[at] = if flipped[at] == b'q' { b'p' } else { b'q' };
            let flipped = String::from_utf8(flipped).unwrap();
            assert!(matches!(refused(&flipped), IdentityError::Encoding(_)));
        }
        // 32 bytes fill 51.2 characters: the last four bits are padding and must be zero.
        use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
        let mut padded: Vec<bech32::Fe32> = identity.0.iter().copied().bytes_to_fes().collect();
        padded[51] = bech32::Fe32::try_from(padded[51].to_u8() | 1).unwrap();
        let hrp = Hrp::parse("conclave").unwrap();
        let padded: String = padded
            .into_iter()
            .with_checksum::<Bech32m>(&hrp)
            .chars()
            .collect();
        assert_eq!(refused(&padded), IdentityError::NotCanonical);
    }

    #[test]
    fn json_forms() {
        let identity = key(6).public();
        let json = serde_json::to_string(&identity).unwrap();
        assert_eq!(json, format!("\"{identity}\""));
        assert_eq!(
            serde_json::from_str::<IdentityPublic>(&json).unwrap(),
            identity
        );
        assert!(serde_json::from_str::<IdentityPublic>(&json.to_uppercase()).is_err());
        let relay = key(6).relay_key(&[1; 48]);
        let json = serde_json::to_string(&relay).unwrap();
        assert_eq!(json, format!("\"{relay}\""));
        assert_eq!(json, format!("\"{}\"", encode_hex(relay.as_bytes())));
        assert_eq!(serde_json::from_str::<RelayKey>(&json).unwrap(), relay);
        assert!(serde_json::from_str::<RelayKey>(&format!("\"{}\"", "0".repeat(64))).is_err());
        let signature = key(6).sign(TAG, b"");
        let json = serde_json::to_string(&signature).unwrap();
        assert_eq!(json.len(), 130);
        assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
    }

    /// p - 1 is the largest encoding of a y, whatever the sign of x.
    #[test]
    fn encodings_from_p_on_are_not_canonical() {
        for (first, last, canonical) in [
            (0x00, 0x7f, true),
            (0xec, 0x7f, true),
            (0xec, 0xff, true),
            (0xed, 0x7f, false),
            (0xed, 0xff, false),
            (0xff, 0xff, false),
            (0xff, 0x7e, true),
        ] {
            let mut encoding = [0xff; 32];
            (encoding[0], encoding[31]) = (first, last);
            assert_eq!(is_canonical(&encoding), canonical, "{first:02x} {last:02x}");
        }
        let mut encoding = [0xff; 32];
        encoding[7] = 0xfe;
        assert!(is_canonical(&encoding));
    }

    #[test]
    fn relay_keys_belong_to_one_identity_and_one_encryption_key() {
        let relay = key(7).relay_key(&[1; 48]);
        assert_eq!(relay, key(7).relay_key(&[1; 48]));
        assert_ne!(relay, key(7).relay_key(&[2; 48]));
        assert_ne!(relay, key(8).relay_key(&[1; 48]));
        assert_ne!(relay.as_bytes(), key(7).public().as_bytes());

        let secret = key(7).relay_write_key(&[1; 48]);
        assert_eq!(secret.public(), relay);
        assert_eq!(format!("{secret:?}"), "<secret>");
        let signature = secret.sign(TAG, b"entry");
        assert!(relay.verify(TAG, b"entry", &signature));
        assert!(!relay.verify(TAG, b"entrz", &signature));
        assert!(!relay.verify(Tag::CARD_SIGNATURE, b"entry", &signature));
        let other = key(7).relay_key(&[2; 48]);
        assert!(!other.verify(TAG, b"entry", &signature));
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", key(9)), "<secret>");
        key(9).expose_seed(|seed| assert_eq!(seed, &[9; 32]));
    }
}
