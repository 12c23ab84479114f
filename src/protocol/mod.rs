//! The protocol of a ceremony: pure functions of parameters, secrets and messages.
//!
//! No I/O, no clock; randomness is a seed that the caller passes in. docs/protocol.md has the
//! equations and says what each check stops. Each file owns the payload of its message.

pub mod complaint;
pub mod confirm;
pub mod deal;
pub mod partial;

use crate::crypto::point::G1;
use crate::hash::Digest;

/// What every computation of one ceremony shares: all of it follows from the plan.
#[derive(Debug, Clone)]
pub struct Params {
    /// The ceremony id.
    pub cid: Digest,
    /// The threshold t: this many shares sign, one fewer knows nothing.
    pub threshold: usize,
    /// How many validators, m.
    pub validators: usize,
    /// The operators in roster order.
    pub operators: Vec<Operator>,
}

/// One operator, as far as the mathematics goes.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// The Shamir x-coordinate, from 1 to 2^53-1.
    pub index: u64,
    /// The encryption key `E_i` of the card.
    pub key: G1,
}

impl Params {
    /// The indices in roster order.
    pub fn indices(&self) -> Vec<u64> {
        self.operators
            .iter()
            .map(|operator| operator.index)
            .collect()
    }

    /// The operator at a position of the roster.
    pub fn operator(&self, position: usize) -> Option<&Operator> {
        self.operators.get(position)
    }
}

/// Something that cannot happen but by a defect of ours or a chance of 2^-250; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A derived secret is zero.
    #[error("a derived secret is zero")]
    ZeroSecret,
    /// A position or a count that the parameters do not have.
    #[error("a count does not fit the ceremony")]
    Count,
}
