//! What a relay says when it does not do what it was asked.

use serde::{Deserialize, Serialize};

/// A relay's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// What kind, for programs.
    pub code: Refusal,
    /// What happened, for people.
    pub message: String,
}

/// Why a relay does not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The request is none of those that a relay knows, or its parts are malformed.
    BadRequest,
    /// The manifest is not that of this shelf.
    OtherShelf,
    /// There is no such shelf: it was never made, or it expired.
    NoShelf,
    /// There is no such entry.
    NoEntry,
    /// Every write key said that nothing more is needed: the entries are gone, and none is taken.
    Closed,
    /// No token, or not this shelf's.
    Token,
    /// The write key is not one of the shelf's.
    Stranger,
    /// The entry is not signed by its write key.
    Signature,
    /// Another entry stands in this place.
    Taken,
    /// The entry is larger than this relay takes.
    BlobTooLarge,
    /// The write key has as many entries there as this relay allows.
    TooManyEntries,
    /// The shelf is as full as this relay allows.
    ShelfFull,
    /// This address asks too often.
    TooManyRequests,
    /// This address makes too many shelves.
    TooManyShelves,
    /// This address sends too many bytes.
    TooManyBytes,
    /// The relay has too much to do.
    Busy,
    /// The body did not come in time.
    TooSlow,
    /// The relay's store failed.
    Store,
}

impl Refusal {
    /// Every refusal there is.
    pub const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::OtherShelf,
        Self::NoShelf,
        Self::NoEntry,
        Self::Closed,
        Self::Token,
        Self::Stranger,
        Self::Signature,
        Self::Taken,
        Self::BlobTooLarge,
        Self::TooManyEntries,
        Self::ShelfFull,
        Self::TooManyRequests,
        Self::TooManyShelves,
        Self::TooManyBytes,
        Self::Busy,
        Self::TooSlow,
        Self::Store,
    ];

    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::OtherShelf => 400,
            Self::Token => 401,
            Self::Stranger | Self::Signature => 403,
            Self::NoShelf | Self::NoEntry => 404,
            Self::TooSlow => 408,
            Self::Taken => 409,
            Self::Closed => 410,
            Self::BlobTooLarge => 413,
            Self::TooManyRequests | Self::TooManyShelves | Self::TooManyBytes => 429,
            Self::Busy | Self::Store => 503,
            Self::TooManyEntries | Self::ShelfFull => 507,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::TooManyRequests
                | Self::TooManyShelves
                | Self::TooManyBytes
                | Self::Busy
                | Self::TooSlow
                | Self::Store
        )
    }

    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::OtherShelf => "other-shelf",
            Self::NoShelf => "no-shelf",
            Self::NoEntry => "no-entry",
            Self::Closed => "closed",
            Self::Token => "token",
            Self::Stranger => "stranger",
            Self::Signature => "signature",
            Self::Taken => "taken",
            Self::BlobTooLarge => "blob-too-large",
            Self::TooManyEntries => "too-many-entries",
            Self::ShelfFull => "shelf-full",
            Self::TooManyRequests => "too-many-requests",
            Self::TooManyShelves => "too-many-shelves",
            Self::TooManyBytes => "too-many-bytes",
            Self::Busy => "busy",
            Self::TooSlow => "too-slow",
            Self::Store => "store",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_called_alike_everywhere() {
        for refusal in Refusal::ALL {
            let text = serde_json::to_string(refusal).unwrap();
            assert_eq!(text, format!("\"{}\"", refusal.as_str()));
            assert!((400..600).contains(&refusal.status()));
        }
    }
}
