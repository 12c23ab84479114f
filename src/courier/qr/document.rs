//! What may travel as QR codes: a card, a plan or a message, each checked by itself.

use crate::ceremony::plan::{Plan, PlanError};
use crate::json::{self, JsonError};
use crate::wire::card::{CardError, VerifiedCard};
use crate::wire::envelope::{Envelope, EnvelopeError};

use super::payload::MAX_DOCUMENT_BYTES;

/// A document that holds together: a card proves its keys and is signed, a plan's cards are, a message
/// is signed by the identity that it names.
#[derive(Debug)]
pub enum Document {
    /// A card.
    Card(Box<VerifiedCard>),
    /// A plan. Its code tells whether it is the one that was meant.
    Plan(Box<Plan>),
    /// A message, of whoever signed it.
    Message(Box<Envelope>),
}

/// Why bytes are no document that travels as QR codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Neither a card nor a plan nor a message.
    #[error("it is neither a card nor a plan nor a message of a ceremony")]
    Other,
    /// Not canonical JSON.
    #[error("it is not in canonical form")]
    Layout,
    /// Not JSON.
    #[error("it {0}")]
    Json(#[from] JsonError),
    /// A card that is wrong.
    #[error("the card: {0}")]
    Card(#[from] CardError),
    /// A plan that is wrong.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// A message that is wrong.
    #[error("the message: {0}")]
    Message(#[from] EnvelopeError),
    /// A message that its sender did not sign.
    #[error("the message is not signed by the operator that it names")]
    Signature,
}

impl Document {
    /// Reads a file of at most [`MAX_DOCUMENT_BYTES`], in any layout that files of its kind have.
    pub fn of_file(bytes: &[u8]) -> Result<Self, DocumentError> {
        let value = json::parse(bytes, MAX_DOCUMENT_BYTES)?;
        let has = |name| value.get(name).is_some();
        if has("header") {
            let envelope = Envelope::parse(bytes)?;
            if !envelope.is_signed() {
                return Err(DocumentError::Signature);
            }
            return Ok(Self::Message(Box::new(envelope)));
        }
        if has("roster") {
            return Ok(Self::Plan(Box::new(Plan::from_value(value)?)));
        }
        if has("encryption_key") {
            return Ok(Self::Card(Box::new(VerifiedCard::parse(bytes)?)));
        }
        Err(DocumentError::Other)
    }

    /// Reads what came over QR codes: canonical bytes of a document.
    pub fn of_scan(bytes: &[u8]) -> Result<Self, DocumentError> {
        let document = Self::of_file(bytes)?;
        match document.canonical() == bytes {
            true => Ok(document),
            false => Err(DocumentError::Layout),
        }
    }

    /// Its canonical bytes.
    pub fn canonical(&self) -> &[u8] {
        match self {
            Self::Card(card) => card.bytes(),
            Self::Plan(plan) => plan.bytes(),
            Self::Message(envelope) => envelope.bytes(),
        }
    }
}
