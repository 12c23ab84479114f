//! Couriers carry a ceremony's messages between this machine and the other operators.
//!
//! A courier synchronises one board, message by message in both directions, and knows no protocol:
//! a message is bytes with a label for people, and is the same message as another if and only if
//! their SHA-256 is the same. It holds one message in memory at a time. It is not trusted: whatever
//! it brings is offered to the board, which decides.
//!
//! A further courier is one file that implements [`Courier`].

use std::time::Duration;

use crate::crypto::identity::{RelayKey, RelayWriteKey};
use crate::hash::Digest;

pub mod folder;
pub mod qr;
#[cfg(feature = "net")]
pub mod relay;
pub mod seated;

pub use crate::store::folder::ContentHash;

/// The ceremony that an exchange is about.
#[derive(Debug, Clone, Copy)]
pub struct Ceremony<'a> {
    /// Its id.
    pub cid: &'a Digest,
    /// Its plan, as this operator accepted it.
    pub plan: &'a [u8],
    /// The plan's name as a part of file names (`json::Text::file_stem`).
    pub stem: &'a str,
    /// What its operators find each other with where strangers pass.
    pub meeting: Meeting<'a>,
}

/// What all who hold a plan share, and nobody else knows.
#[derive(Debug, Clone, Copy)]
pub struct Meeting<'a> {
    /// The plan's random bytes.
    pub random: &'a [u8; 32],
    /// The operators' relay keys and names, in the plan's order.
    pub operators: &'a [(RelayKey, String)],
    /// This operator's own relay key; nothing for who only looks.
    pub own: Option<&'a RelayWriteKey>,
}

/// A message of the local board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// What people call it: round, operator and kind; names it in [`LocalBoard::read`] too.
    pub label: String,
    /// Its content.
    pub content: ContentHash,
    /// Whether this operator made it.
    pub own: bool,
}

/// What the local board made of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offered {
    /// Stored; it was not there before.
    New,
    /// There already.
    Known,
    /// Not a message of this ceremony, for this reason; not stored.
    Noise(String),
}

/// The local board could not be read or written; the text names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BoardError(pub String);

/// This machine's side of an exchange.
pub trait LocalBoard {
    /// Lists the messages that may leave. Own ones are among them only once they are fsynced.
    fn messages(&self) -> Result<Vec<Labelled>, BoardError>;

    /// Reads one of them.
    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError>;

    /// Takes a message that a courier found under the name `source`, and has stored it durably when
    /// it answers [`Offered::New`].
    fn offer(&mut self, bytes: Vec<u8>, source: &str) -> Result<Offered, BoardError>;
}

/// What an exchange did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Messages that left.
    pub sent: usize,
    /// Messages that were new here.
    pub received: usize,
    /// Messages that the board called noise: name and reason.
    pub refused: Vec<String>,
    /// What was passed over without being offered: name and reason.
    pub left: Vec<String>,
}

/// A ceremony that lies on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Where, as people know it.
    pub place: String,
    /// Its plan's bytes, unchecked.
    pub plan: Vec<u8>,
}

/// Why an exchange did not end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CourierError {
    /// The other side cannot be reached or read.
    #[error("cannot reach {courier}: {reason}; nothing was lost, try again when it is there")]
    Unreachable {
        /// The courier's name.
        courier: String,
        /// Why.
        reason: String,
    },
    /// Messages could not be handed over.
    #[error(
        "{unsent} message(s) could not be written to {courier}: {reason}; nothing was lost: what \
         came in ({received} new) is kept and the rest waits here; put that right or take \
         another one, then run the same command again", received = moved.received
    )]
    Undelivered {
        /// The courier's name.
        courier: String,
        /// Messages that wait.
        unsent: usize,
        /// Why.
        reason: String,
        /// What was done before.
        moved: Moved,
    },
    /// Another message stands there in the place of an own one, and only this operator's key can have
    /// put it there.
    #[error(
        "{courier} holds another message in the place of {label}, signed by this operator's own key: \
         a copy of this home is in use, or was; nothing was sent"
    )]
    SaidDifferently {
        /// The courier's name.
        courier: String,
        /// The own message.
        label: String,
    },
    /// The local side failed.
    #[error(transparent)]
    Board(#[from] BoardError),
}

impl CourierError {
    /// Whether the same exchange may succeed later without anybody doing anything here.
    pub fn passes(&self) -> bool {
        !matches!(self, Self::Board(_) | Self::SaidDifferently { .. })
    }

    /// What was moved before it failed, if the other side was reached.
    pub fn moved(&self) -> Option<&Moved> {
        match self {
            Self::Undelivered { moved, .. } => Some(moved),
            Self::Unreachable { .. } | Self::SaidDifferently { .. } | Self::Board(_) => None,
        }
    }
}

/// How long to wait before looking again where nobody says that there is news.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// A way for messages to travel.
pub trait Courier {
    /// What people call it, with its address: `folder /media/stick`.
    fn name(&self) -> String;

    /// Brings in what the board does not have, then hands over what the other side does not have.
    /// Any failure leaves both sides whole, and the same call again goes on from there.
    fn exchange(
        &mut self,
        ceremony: &Ceremony<'_>,
        board: &mut dyn LocalBoard,
    ) -> Result<Moved, CourierError>;

    /// Shows everything on the other side that may be a plan, copies included, one at a time; returns
    /// what could not be read, name and reason. It changes nothing there, and with a board that has
    /// no messages [`Self::exchange`] reads a ceremony and changes nothing either.
    fn ceremonies(&self, found: &mut dyn FnMut(Shelved)) -> Result<Vec<String>, CourierError>;

    /// Reads a message again that an exchange offered under the name `source`.
    fn read(&self, source: &str) -> Result<Vec<u8>, CourierError>;

    /// Says that this operator needs nothing more of the other side, which may then forget the
    /// ceremony once all have said so. What is not told costs nobody anything.
    fn finished(&mut self, _ceremony: &Ceremony<'_>) {}

    /// Whether the other side says by itself that there is news, so that staying is worth while.
    fn follows(&self) -> bool {
        false
    }

    /// Returns when the next exchange may bring news, at the latest after `limit`.
    fn wait(&mut self, _ceremony: &Ceremony<'_>, limit: Duration) {
        std::thread::sleep(limit.min(BETWEEN_LOOKS));
    }
}
