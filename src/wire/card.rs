//! Cards: what an operator gives the organiser before a ceremony.
//!
//! A card holds the operator's name, its identity, a fresh encryption key `E_i = e_i*G` with a proof
//! that its maker knows e_i, and its relay write key, signed by the identity. Its encryption
//! key and proof come from one *ceremony secret*; the relay key from the identity and `E_i`.
//!
//! [`VerifiedCard`] has no other way in than all checks.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::crypto::identity::{IdentityKey, IdentityPublic, RelayKey, Signature};
use crate::crypto::point::{G1, PointError};
use crate::crypto::proof::Knowledge;
use crate::crypto::scalar::Scalar;
use crate::hash::{Kdf, Tag};
use crate::json::{self, Hex, JsonError, Text};
use crate::secret::{Secret, Seed};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::tool::{OtherProtocol, Tool};

/// The largest card file, in bytes.
pub const MAX_CARD_BYTES: usize = 16 * 1024;

/// Why a card was refused, or could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Not a card's JSON in canonical bytes.
    #[error("the card {0}")]
    Json(#[from] JsonError),
    /// A card of another protocol version.
    #[error("the card was made {0}")]
    Version(OtherProtocol),
    /// E_i or the proof's commitment is no point.
    #[error("the card's {what} is refused: {source}")]
    Point {
        /// Which point.
        what: &'static str,
        /// Why.
        source: PointError,
    },
    /// The proof of knowledge of e_i does not verify.
    #[error("the card's proof does not show that its maker knows the encryption key's secret")]
    Proof,
    /// The identity's signature does not verify.
    #[error("the card's signature is not that of its identity")]
    Signature,
    /// The ceremony secret gives a zero scalar, which no honest randomness does.
    #[error("the ceremony secret gives no usable key; nothing was made")]
    Secret,
}

/// The fields of a card as they stand in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    version: u64,
    name: Text,
    identity: IdentityPublic,
    encryption_key: Hex<48>,
    proof: Proof,
    relay_key: RelayKey,
    tool: Tool,
    signature: Signature,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    commitment: Hex<48>,
    response: Hex<32>,
}

/// A card that passed every check.
#[derive(Debug, Clone)]
pub struct VerifiedCard {
    fields: Fields,
    encryption_key: G1,
    value: Value,
    bytes: Vec<u8>,
}

impl VerifiedCard {
    /// Makes an operator's card; the same arguments give the same bytes.
    pub fn make(
        identity: &IdentityKey,
        name: Text,
        ceremony_secret: &Seed,
    ) -> Result<Self, CardError> {
        Self::make_with(identity, name, ceremony_secret, Tool::this())
    }

    /// Reads a card's file: at most [`MAX_CARD_BYTES`], canonical bytes and nothing after them.
    pub fn parse(bytes: &[u8]) -> Result<Self, CardError> {
        let value = json::parse(bytes, MAX_CARD_BYTES)?;
        // The version first: the fields of another one are not ours to judge.
        if let Some(other) = OtherProtocol::of(&value, value.get("tool")) {
            return Err(CardError::Version(other));
        }
        json::require_canonical(&value, bytes)?;
        let fields: Fields = json::decode(&value)?;
        let encryption_key = point("encryption key", &fields.encryption_key)?;
        let signed = signed_part(&value)?;
        if !fields
            .identity
            .verify(Tag::CARD_SIGNATURE, &signed, &fields.signature)
        {
            return Err(CardError::Signature);
        }
        let proof = Knowledge {
            commitment: point("proof", &fields.proof.commitment)?,
            response: Scalar::from_bytes(&fields.proof.response.0).ok_or(CardError::Proof)?,
        };
        let context = context(&fields.identity, &fields.name);
        if !proof.verify(&encryption_key, Tag::CARD_PROOF, &context) {
            return Err(CardError::Proof);
        }
        Ok(Self {
            fields,
            encryption_key,
            value,
            bytes: bytes.to_vec(),
        })
    }

    /// Reads a card that stands inside a plan, under the same checks.
    pub fn from_value(value: &Value) -> Result<Self, CardError> {
        Self::parse(&json::canonical_value(value)?)
    }

    /// The operator's name.
    pub fn name(&self) -> &Text {
        &self.fields.name
    }

    /// The operator's identity.
    pub fn identity(&self) -> &IdentityPublic {
        &self.fields.identity
    }

    /// The encryption key E_i.
    pub fn encryption_key(&self) -> &G1 {
        &self.encryption_key
    }

    /// The relay write key.
    pub fn relay_key(&self) -> &RelayKey {
        &self.fields.relay_key
    }

    /// The program that made the card.
    pub fn tool(&self) -> &Tool {
        &self.fields.tool
    }

    /// The card as it arrived, for a plan to embed.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The card's file: its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn make_with(
        identity: &IdentityKey,
        name: Text,
        ceremony_secret: &Seed,
        tool: Tool,
    ) -> Result<Self, CardError> {
        let secret = encryption_secret(ceremony_secret);
        let encryption_key = G1::generator_times(&secret).ok_or(CardError::Secret)?;
        let public = identity.public();
        let encoded = encryption_key.to_bytes();
        // The nonce hashes every byte that the challenge hashes except its own commitment.
        let nonce = Kdf::new(Tag::CARD_PROOF_NONCE)
            .bytes(Tag::CARD_PROOF.as_str().as_bytes())
            .bytes(public.as_bytes())
            .bytes(name.as_str().as_bytes())
            .bytes(&encoded);
        let nonce = ceremony_secret
            .expose(|secret| nonce.derive::<48>(secret))
            .expose(Scalar::from_wide);
        let context = context(&public, &name);
        let proof = Knowledge::prove(&secret, &encryption_key, Tag::CARD_PROOF, &context, &nonce)
            .ok_or(CardError::Secret)?;
        let mut fields = Fields {
            version: PROTOCOL_VERSION,
            identity: public,
            encryption_key: Hex(encoded),
            proof: Proof {
                commitment: Hex(proof.commitment.to_bytes()),
                response: Hex(proof.response.to_public_bytes()),
            },
            relay_key: identity.relay_key(&encoded),
            tool,
            signature: Signature::from_bytes([0; 64]),
            name,
        };
        let signed = signed_part(&json::to_value(&fields)?)?;
        fields.signature = identity.sign(Tag::CARD_SIGNATURE, &signed);
        Self::parse(&json::canonical(&fields)?)
    }
}

impl PartialEq for VerifiedCard {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for VerifiedCard {}

/// As [`VerifiedCard::value`].
impl Serialize for VerifiedCard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

/// Returns a fresh ceremony secret: `KDF(OS randomness || identity secret)`. Weak randomness alone,
/// or a stolen identity alone, does not give it away.
pub fn ceremony_secret(os_random: &Seed, identity: &IdentityKey) -> Seed {
    let mut both = Secret::new([0u8; 64]);
    both.expose_mut(|both| {
        let (first, second) = both.split_at_mut(32);
        os_random.expose(|bytes| first.copy_from_slice(bytes));
        identity.expose_seed(|bytes| second.copy_from_slice(bytes));
    });
    both.expose(|both| Kdf::new(Tag::CEREMONY_SECRET).derive(both))
}

/// Returns the encryption secret e_i of a ceremony secret.
pub fn encryption_secret(ceremony_secret: &Seed) -> Scalar {
    ceremony_secret
        .expose(|secret| Kdf::new(Tag::ENCRYPTION_KEY).derive::<48>(secret))
        .expose(Scalar::from_wide)
}

/// "A card's proof takes identity key, name and E_i in place of cid"; E_i is the proven point.
fn context<'a>(identity: &'a IdentityPublic, name: &'a Text) -> [&'a [u8]; 2] {
    [identity.as_bytes(), name.as_str().as_bytes()]
}

fn point(what: &'static str, bytes: &Hex<48>) -> Result<G1, CardError> {
    G1::from_bytes(&bytes.0).map_err(|source| CardError::Point { what, source })
}

/// The canonical bytes of the card without its signature.
fn signed_part(value: &Value) -> Result<Vec<u8>, CardError> {
    let mut value = value.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("signature");
    }
    Ok(json::canonical_value(&value)?)
}

#[cfg(test)]
mod tests;
