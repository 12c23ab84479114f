//! Envelopes: one signed message of one operator in one ceremony, in its place.
//!
//! An envelope is `{"header": …, "payload": …, "signature": …, "tool": …}` in canonical bytes. The
//! signature covers the header alone, and the header holds the payload's hash; a message's hash is
//! that of its canonical header: same body, same message, whatever the signature.
//!
//! The tool stands outside of what is signed and hashed, and may be absent: a message that is made
//! again by another release is the same message. It decides nothing. Whoever carries an envelope can
//! change it, and has changed nothing but what people are told.
//!
//! [`Envelope::parse`] checks form and payload hash, [`Envelope::authenticate`] who speaks. An error
//! of either makes the bytes noise, never evidence against anyone. What the payload says is for the
//! protocol to judge.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::identity::{IdentityKey, IdentityPublic, Signature};
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, JsonError};
use crate::wire::PROTOCOL_VERSION;
use crate::wire::roster::{Index, Roster};
use crate::wire::tool::{OtherProtocol, Tool};

/// The largest envelope, in bytes: some 4 times the deal of 500 validators for 256 operators.
pub const MAX_ENVELOPE_BYTES: usize = 64 * 1024 * 1024;

/// Why bytes are not an envelope of this ceremony, or none could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not an envelope's JSON in canonical bytes.
    #[error("the envelope {0}")]
    Json(#[from] JsonError),
    /// An envelope of another protocol version.
    #[error("the envelope was made {0}")]
    Version(OtherProtocol),
    /// A kind of message in a place where it does not belong.
    #[error("a message of kind {kind} has no place in round {round}")]
    Misplaced {
        /// The kind.
        kind: Kind,
        /// The place's round.
        round: Round,
    },
    /// The payload is not an object.
    #[error("the envelope's payload is not an object")]
    PayloadForm,
    /// The payload is not the one that the header names.
    #[error("the envelope's payload does not have the hash that its header names")]
    PayloadHash,
    /// The envelope belongs to another ceremony.
    #[error("the envelope belongs to ceremony {}, not to this one", found.short())]
    OtherCeremony {
        /// The ceremony id in its header.
        found: Digest,
    },
    /// The sender is no operator of this ceremony.
    #[error("the envelope's sender {0} is no operator of this ceremony")]
    UnknownSender(IdentityPublic),
    /// The complaint is against nobody.
    #[error("the complaint is against index {0}, which no operator of this ceremony has")]
    UnknownAccused(Index),
    /// The signature is not the sender's.
    #[error("the envelope's signature is not that of its sender {0}")]
    Signature(IdentityPublic),
}

/// What an envelope says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Round 1: a secret, shared verifiably.
    Deal,
    /// Round 2: all deals are checked and the own shares are stored.
    Confirm,
    /// A proof that a deal, or its accuser, is wrong.
    Complain,
    /// The sender will never confirm.
    Abandon,
    /// Partial signatures over every message of a signing plan.
    Partial,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deal => "deal",
            Self::Confirm => "confirm",
            Self::Complain => "complain",
            Self::Abandon => "abandon",
            Self::Partial => "partial",
        })
    }
}

/// Which round a place belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// Deals.
    Deal,
    /// Confirms and abandons: who confirmed can no longer abandon.
    Confirm,
    /// Complaints.
    Complaint,
    /// Partial signatures: the one round of a signing ceremony.
    Partial,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deal => "deal",
            Self::Confirm => "confirm",
            Self::Complaint => "complaint",
            Self::Partial => "partial",
        })
    }
}

/// A place of one sender: an honest operator puts at most one message there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "PlaceFields", into = "PlaceFields")]
pub enum Place {
    /// The sender's deal.
    Deal,
    /// The sender's confirm or abandon.
    Confirm,
    /// The sender's complaint about one deal.
    Complaint {
        /// The index of the accused dealer.
        against: Index,
        /// The message hash of its deal.
        deal: Digest,
    },
    /// The sender's partial signatures.
    Partial,
}

impl Place {
    /// The round of the place.
    pub const fn round(&self) -> Round {
        match self {
            Self::Deal => Round::Deal,
            Self::Confirm => Round::Confirm,
            Self::Complaint { .. } => Round::Complaint,
            Self::Partial => Round::Partial,
        }
    }

    /// Whether a message of `kind` belongs here.
    pub const fn admits(&self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Deal, Kind::Deal)
                | (Self::Confirm, Kind::Confirm | Kind::Abandon)
                | (Self::Complaint { .. }, Kind::Complain)
                | (Self::Partial, Kind::Partial)
        )
    }
}

/// A place as JSON has it: derived enums with a tag would let unknown fields pass.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaceFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Index>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deal: Option<Digest>,
    round: Round,
}

impl TryFrom<PlaceFields> for Place {
    type Error = &'static str;

    fn try_from(fields: PlaceFields) -> Result<Self, &'static str> {
        match (fields.round, fields.against, fields.deal) {
            (Round::Deal, None, None) => Ok(Self::Deal),
            (Round::Confirm, None, None) => Ok(Self::Confirm),
            (Round::Partial, None, None) => Ok(Self::Partial),
            (Round::Complaint, Some(against), Some(deal)) => Ok(Self::Complaint { against, deal }),
            _ => Err("a place of round complaint has `against` and `deal`, any other has neither"),
        }
    }
}

impl From<Place> for PlaceFields {
    fn from(place: Place) -> Self {
        let (against, deal) = match place {
            Place::Deal | Place::Confirm | Place::Partial => (None, None),
            Place::Complaint { against, deal } => (Some(against), Some(deal)),
        };
        Self {
            round: place.round(),
            against,
            deal,
        }
    }
}

/// Fields in the order of their names, so that what is written is canonical as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderFields {
    cid: Digest,
    kind: Kind,
    payload: Digest,
    place: Place,
    sender: IdentityPublic,
    version: u64,
}

/// What an envelope's signature covers. A header alone is a claim: it takes its signature, and its
/// payload, to be a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    fields: HeaderFields,
    canonical: Vec<u8>,
}

impl Header {
    /// Makes a header; refuses a kind outside its place.
    pub fn new(
        cid: Digest,
        kind: Kind,
        place: Place,
        sender: IdentityPublic,
        payload: Digest,
    ) -> Result<Self, EnvelopeError> {
        Self::from_fields(HeaderFields {
            version: PROTOCOL_VERSION,
            cid,
            kind,
            place,
            sender,
            payload,
        })
    }

    /// Rebuilds the header of a deal of which only the payload's hash is known, as a confirm names
    /// it: "the rest of each header follows from the plan".
    pub fn deal(
        cid: Digest,
        sender: IdentityPublic,
        payload: Digest,
    ) -> Result<Self, EnvelopeError> {
        Self::new(cid, Kind::Deal, Place::Deal, sender, payload)
    }

    /// The message hash: `H(canonical header)`.
    #[must_use]
    pub fn hash(&self) -> Digest {
        Hasher::new(Tag::MESSAGE).bytes(&self.canonical).finish()
    }

    /// Whether `signature` is the sender's over this header.
    #[must_use]
    pub fn verify(&self, signature: &Signature) -> bool {
        self.fields
            .sender
            .verify(Tag::ENVELOPE_SIGNATURE, &self.canonical, signature)
    }

    /// The ceremony id.
    pub fn cid(&self) -> &Digest {
        &self.fields.cid
    }

    /// The kind of message.
    pub fn kind(&self) -> Kind {
        self.fields.kind
    }

    /// The sender's place that the message fills.
    pub fn place(&self) -> Place {
        self.fields.place
    }

    /// The sender's identity.
    pub fn sender(&self) -> &IdentityPublic {
        &self.fields.sender
    }

    /// The hash of the canonical payload.
    pub fn payload(&self) -> &Digest {
        &self.fields.payload
    }

    fn from_fields(fields: HeaderFields) -> Result<Self, EnvelopeError> {
        if fields.version != PROTOCOL_VERSION {
            return Err(EnvelopeError::Version(OtherProtocol {
                found: fields.version,
                tool: None,
            }));
        }
        if !fields.place.admits(fields.kind) {
            return Err(EnvelopeError::Misplaced {
                kind: fields.kind,
                round: fields.place.round(),
            });
        }
        let canonical = json::canonical(&fields)?;
        Ok(Self { fields, canonical })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeFields {
    header: HeaderFields,
    payload: Value,
    signature: Signature,
    #[serde(default)]
    tool: Option<Tool>,
}

/// Well-formed bytes with the payload that their header names; nobody has vouched for them yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    header: Header,
    signature: Signature,
    tool: Option<Tool>,
    bytes: Vec<u8>,
    /// Where in the bytes the payload stands.
    payload: Range<usize>,
}

impl Envelope {
    /// Makes and signs an envelope; the same arguments give the same message, and the same bytes in
    /// the same release. `payload` is an object.
    pub fn sign(
        identity: &IdentityKey,
        cid: Digest,
        kind: Kind,
        place: Place,
        payload: impl Serialize,
    ) -> Result<Self, EnvelopeError> {
        let payload = json::canonical(&payload)?;
        let header = Header::new(cid, kind, place, identity.public(), payload_hash(&payload)?)?;
        let signature = identity.sign(Tag::ENVELOPE_SIGNATURE, &header.canonical);
        let mut bytes = Vec::with_capacity(payload.len().saturating_add(1024));
        for part in [
            br#"{"header":"#.as_slice(),
            &header.canonical,
            br#","payload":"#,
            &payload,
            br#","signature":"#,
            &json::canonical(&signature)?,
            br#","tool":"#,
            &json::canonical(&Tool::this())?,
            b"}",
        ] {
            bytes.extend_from_slice(part);
        }
        drop(payload);
        // Through the reader, so that nothing leaves that others would refuse.
        Self::take(bytes)
    }

    /// Reads an envelope: at most [`MAX_ENVELOPE_BYTES`], canonical bytes, protocol version, kind in
    /// its place, payload hash. The signature is not checked here.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::take(bytes.to_vec())
    }

    /// [`Self::parse`] of bytes that need not be copied.
    pub fn take(bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        let parts = match Parts::scan(&bytes) {
            Some(parts) => parts,
            None => Parts::read(&bytes)?,
        };
        let Parts {
            header,
            payload,
            signature,
            tool,
        } = parts;
        let header = Header::from_fields(header)?;
        let content = bytes.get(payload.clone()).unwrap_or_default();
        if payload_hash(content)? != *header.payload() {
            return Err(EnvelopeError::PayloadHash);
        }
        Ok(Self {
            header,
            signature,
            tool,
            bytes,
            payload,
        })
    }

    /// The header: what the envelope claims to be.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The envelope's canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the identity that the header names signed it, whoever that is.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.header.verify(&self.signature)
    }

    /// Checks that an operator of this ceremony signed the envelope for it, and that a complaint is
    /// against an operator.
    pub fn authenticate(
        self,
        cid: &Digest,
        roster: &Roster,
    ) -> Result<Authenticated, EnvelopeError> {
        if self.header.cid() != cid {
            return Err(EnvelopeError::OtherCeremony {
                found: *self.header.cid(),
            });
        }
        let identity = *self.header.sender();
        let sender = roster
            .by_identity(&identity)
            .ok_or(EnvelopeError::UnknownSender(identity))?
            .index;
        if let Place::Complaint { against, .. } = self.header.place()
            && roster.position(against).is_none()
        {
            return Err(EnvelopeError::UnknownAccused(against));
        }
        if !self.header.verify(&self.signature) {
            return Err(EnvelopeError::Signature(identity));
        }
        Ok(Authenticated {
            sender,
            message: self.header.hash(),
            envelope: self,
        })
    }
}

/// An envelope that its sender, an operator of the ceremony, signed for this ceremony.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    envelope: Envelope,
    sender: Index,
    message: Digest,
}

impl Authenticated {
    /// The sender's index.
    pub fn sender(&self) -> Index {
        self.sender
    }

    /// The kind of message.
    pub fn kind(&self) -> Kind {
        self.envelope.header.kind()
    }

    /// The sender's place that the message fills.
    pub fn place(&self) -> Place {
        self.envelope.header.place()
    }

    /// The message hash.
    pub fn message_hash(&self) -> Digest {
        self.message
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.envelope.header
    }

    /// The sender's signature over the header.
    pub fn signature(&self) -> &Signature {
        &self.envelope.signature
    }

    /// What the envelope says made it: no signature covers this, so it is for people alone.
    pub fn tool(&self) -> Option<&Tool> {
        self.envelope.tool.as_ref()
    }

    /// The payload's canonical bytes, an object.
    pub fn payload(&self) -> &[u8] {
        let Envelope { bytes, payload, .. } = &self.envelope;
        bytes.get(payload.clone()).unwrap_or_default()
    }

    /// Reads the payload as a type, which must deny unknown fields.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        json::read_canonical(self.payload(), MAX_ENVELOPE_BYTES)
    }

    /// The envelope's canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.envelope.bytes
    }
}

/// An envelope's fields, and where its payload stands.
struct Parts {
    header: HeaderFields,
    payload: Range<usize>,
    signature: Signature,
    tool: Option<Tool>,
}

impl Parts {
    /// Splits canonical bytes with our fields, the payload unread: a payload may be of many
    /// megabytes, and one pass over its bytes says that they are canonical. Nothing if anything is
    /// not as expected; then [`Self::read`] knows what.
    fn scan(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return None;
        }
        let members = json::canonical_members(bytes)?;
        let (members, tool) = match members.as_slice() {
            [members @ .., ("tool", tool)] => (members, Some(read::<Tool>(bytes, tool)?)),
            members => (members, None),
        };
        let [
            ("header", header),
            ("payload", payload),
            ("signature", signature),
        ] = members
        else {
            return None;
        };
        let header: HeaderFields = read(bytes, header)?;
        (header.version == PROTOCOL_VERSION).then_some(Self {
            header,
            payload: payload.clone(),
            signature: read(bytes, signature)?,
            tool,
        })
    }

    /// The same by way of the whole value, which accepts no other bytes and says what is wrong.
    fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let value = json::parse(bytes, MAX_ENVELOPE_BYTES)?;
        // The version first: the fields of another one are not ours to judge.
        if let Some(other) = value
            .get("header")
            .and_then(|header| OtherProtocol::of(header, value.get("tool")))
        {
            return Err(EnvelopeError::Version(other));
        }
        json::require_canonical(&value, bytes)?;
        let fields: EnvelopeFields = json::decode(&value)?;
        let payload = json::canonical_value(&fields.payload)?;
        let before = json::canonical(&fields.header)?;
        // Canonical bytes are in order: header, then payload.
        let start = br#"{"header":,"payload":"#.len().saturating_add(before.len());
        Ok(Self {
            payload: start..start.saturating_add(payload.len()),
            header: fields.header,
            signature: fields.signature,
            tool: fields.tool,
        })
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8], place: &Range<usize>) -> Option<T> {
    json::read_canonical(bytes.get(place.clone())?, MAX_ENVELOPE_BYTES).ok()
}

fn payload_hash(payload: &[u8]) -> Result<Digest, EnvelopeError> {
    if payload.first() != Some(&b'{') {
        return Err(EnvelopeError::PayloadForm);
    }
    Ok(Hasher::new(Tag::PAYLOAD).bytes(payload).finish())
}

#[cfg(test)]
mod tests;
