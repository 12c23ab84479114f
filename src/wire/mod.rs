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

/// The version of the protocol that every card and envelope names.
pub const PROTOCOL_VERSION: u64 = 1;

/// Returns the version that an object names, before anything else in it is read.
fn version_of(value: &serde_json::Value) -> Option<u64> {
    value.get("version").and_then(serde_json::Value::as_u64)
}
