//! What operators send each other: cards before a ceremony, envelopes during it, codes to compare.
//!
//! This floor knows who said what, and that it was said in canonical bytes under the right
//! signature. What a payload means is not known here. Untrusted bytes change their type at every
//! check: `&[u8]` to [`envelope::Envelope`] to [`envelope::Authenticated`], and `&[u8]` to
//! [`card::VerifiedCard`].

pub mod board;
pub mod card;
pub mod code;
pub mod envelope;
pub mod roster;
pub mod tool;

/// The version of the protocol that every card and envelope names.
pub const PROTOCOL_VERSION: u64 = 1;
