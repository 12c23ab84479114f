//! The *partial*: one operator's partial signature over every message of a signing plan.
//!
//! It holds nothing else, and BLS signatures are deterministic: an operator that makes it again makes
//! the same bytes, and of two different ones of a sender at least one is wrong.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::crypto::bls::{self, SigningRoot};
use crate::crypto::point::{G2, PointError};
use crate::crypto::scalar::Scalar;
use crate::json::Hex;
use crate::protocol::ProtocolError;

/// A partial as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartialPayload {
    /// One signature for each message of the plan, in its order.
    pub partials: Vec<Hex<96>>,
}

/// A public fault of a partial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartialFault {
    /// Not the fields of a partial.
    #[error("it is not a partial: {0}")]
    Malformed(String),
    /// Not one signature for each message.
    #[error("it has {actual} signatures for {expected} messages")]
    Count {
        /// In the partial.
        actual: usize,
        /// In the plan.
        expected: usize,
    },
    /// A signature that may not be used.
    #[error("its signature of message {message} {error}")]
    Point {
        /// Position in the plan, from 0.
        message: usize,
        /// Why not.
        error: PointError,
    },
    /// A signature that does not verify under the sender's public share.
    #[error("its signature of message {message} does not verify")]
    Invalid {
        /// Position in the plan, from 0.
        message: usize,
    },
}

/// Signs every message with the share of its key; one share a message.
pub fn sign(shares: &[&Scalar], roots: &[SigningRoot]) -> Result<Vec<G2>, ProtocolError> {
    if shares.len() != roots.len() {
        return Err(ProtocolError::Count);
    }
    shares
        .par_iter()
        .zip(roots)
        .map(|(share, root)| bls::sign(share, root).ok_or(ProtocolError::ZeroSecret))
        .collect()
}

/// Makes the payload.
pub fn make(partials: &[G2]) -> PartialPayload {
    PartialPayload {
        partials: partials
            .par_iter()
            .map(|partial| Hex(partial.to_bytes()))
            .collect(),
    }
}

/// Checks count and encodings (curve, subgroup, not infinity), and decodes the signatures of a plan
/// with so many `messages`.
pub fn decode(messages: usize, payload: &PartialPayload) -> Result<Vec<G2>, PartialFault> {
    if payload.partials.len() != messages {
        return Err(PartialFault::Count {
            actual: payload.partials.len(),
            expected: messages,
        });
    }
    let encoded: Vec<[u8; 96]> = payload.partials.iter().map(|bytes| bytes.0).collect();
    G2::from_bytes_many(&encoded).map_err(|(message, error)| PartialFault::Point { message, error })
}
