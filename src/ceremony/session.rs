//! A session: one party's view of one ceremony. Bytes in; verdicts and the next step out.
//!
//! It never stores or sends: the driver does what a [`Step`] says and asks again. Asked again with
//! the same board and memory it says the same, so that a crash anywhere costs nothing.

use crate::ceremony::plan::Plan;
use crate::ceremony::shares::OwnShares;
use crate::ceremony::step::{Examination, Me, Memory, MessageRef, SessionError, Step};
use crate::ceremony::work::Work;
use crate::ceremony::{Messages, Observer};
use crate::wire::board::{Board, Entry, Inserted};
use crate::wire::envelope::{Authenticated, Envelope, Kind, Place};
use crate::wire::roster::Index;

/// The largest complaint or abandon, in bytes: some ten times an honest one.
pub const MAX_SMALL_BYTES: usize = 16 * 1024;

/// What became of bytes that were offered to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// A message of the ceremony, new to the board.
    New,
    /// On the board already.
    Known,
    /// Not a message of this ceremony: noise, blamed on nobody.
    Noise(String),
}

/// One ceremony's plan and board.
#[derive(Debug)]
pub struct Session<'a> {
    plan: &'a Plan,
    work: Work<'a>,
    board: Board<MessageRef>,
}

impl<'a> Session<'a> {
    /// Starts with an empty board.
    pub fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            work: Work::of(plan),
            board: Board::new(),
        }
    }

    /// Reads bytes that somebody brought: a message of the ceremony, or noise with a reason.
    ///
    /// A complaint or abandon over [`MAX_SMALL_BYTES`] is noise to everyone: its sender could make so
    /// many that their size must not matter.
    pub fn read(&self, bytes: &[u8]) -> Result<Authenticated, String> {
        self.take(bytes.to_vec())
    }

    /// [`Self::read`] of bytes that need not be copied.
    pub fn take(&self, bytes: Vec<u8>) -> Result<Authenticated, String> {
        let size = bytes.len();
        let message = Envelope::take(bytes)
            .and_then(|envelope| envelope.authenticate(self.plan.cid(), self.plan.roster()))
            .map_err(|error| error.to_string())?;
        if !self.plan.kind().admits(message.kind()) {
            return Err(format!(
                "a message of kind {} does not belong to a ceremony of kind {}",
                message.kind(),
                self.plan.kind().word()
            ));
        }
        let small = matches!(message.kind(), Kind::Complain | Kind::Abandon);
        if small && size > MAX_SMALL_BYTES {
            return Err(format!(
                "a message of kind {} takes at most {MAX_SMALL_BYTES} bytes, not {}",
                message.kind(),
                size
            ));
        }
        Ok(message)
    }

    /// Puts a message on the board. `id` is what [`Messages::load`] will be asked for.
    pub fn place(&mut self, message: &Authenticated, id: &str) -> Registered {
        let reference = MessageRef::of(message, id);
        registered(self.board.insert(Entry::of(message, reference)))
    }

    /// [`Self::place`], however much its sender has said: for who stores nothing by it, or has asked
    /// [`Self::counts`].
    pub fn place_beyond(&mut self, message: &Authenticated, id: &str) -> Registered {
        let reference = MessageRef::of(message, id);
        match self.board.insert_beyond(Entry::of(message, reference)) {
            Inserted::Known => Registered::Known,
            _ => Registered::New,
        }
    }

    /// Whether a message that finds no room counts all the same, for the operator at `my` index: in a
    /// signing ceremony the one valid partial of its sender, in a keygen a valid confirm over the deals that its shares come from, one of each sender; or, before it has
    /// shares, a deal that its own confirm names. Completeness cannot be talked away.
    pub fn counts(
        &self,
        message: &Authenticated,
        my: Index,
        own: Option<&OwnShares>,
        messages: &dyn Messages,
    ) -> Result<bool, SessionError> {
        self.work.counts(&self.board, message, my, own, messages)
    }

    /// [`Self::read`], then [`Self::place`].
    pub fn register(&mut self, bytes: &[u8], id: &str) -> Registered {
        match self.read(bytes) {
            Ok(message) => self.place(&message, id),
            Err(reason) => Registered::Noise(reason),
        }
    }

    /// What [`Self::place`] would say, without placing it: nothing is stored that has no place.
    pub fn would_place(&self, message: &Authenticated) -> Registered {
        let reference = MessageRef::of(message, "");
        registered(self.board.would_insert(&Entry::of(message, reference)))
    }

    /// The board.
    pub fn board(&self) -> &Board<MessageRef> {
        &self.board
    }

    /// Says what follows from the board, without any secret: what `audit` does.
    pub fn examine(
        &self,
        messages: &dyn Messages,
        observer: &dyn Observer,
    ) -> Result<Examination, SessionError> {
        self.work.examine(&self.board, messages, observer)
    }

    /// Says what the operator `me` is to do next. `seed` is local randomness for batch checks.
    pub fn next(
        &self,
        me: &Me,
        memory: &Memory,
        messages: &dyn Messages,
        observer: &dyn Observer,
        seed: &[u8; 32],
    ) -> Result<Step, SessionError> {
        let board = &self.board;
        self.work.next(board, me, memory, messages, observer, seed)
    }

    /// Makes the own *abandon*; refused once a confirm of ours exists. There is none in a signing
    /// ceremony: who does not sign says nothing.
    pub fn abandon(&self, me: &Me) -> Result<Option<Envelope>, SessionError> {
        let my = self
            .plan
            .roster()
            .by_identity(&me.identity.public())
            .ok_or(SessionError::NotAnOperator)?
            .index;
        if !self.plan.kind().admits(Kind::Abandon) {
            return Ok(None);
        }
        if self.board.confirms(my).next().is_some() {
            return Ok(None);
        }
        let payload = serde_json::Value::Object(serde_json::Map::new());
        Ok(Some(Envelope::sign(
            &me.identity,
            *self.plan.cid(),
            Kind::Abandon,
            Place::Confirm,
            payload,
        )?))
    }
}

fn registered(inserted: Inserted) -> Registered {
    match inserted {
        Inserted::New | Inserted::Second(_) => Registered::New,
        Inserted::Known => Registered::Known,
        Inserted::Full => Registered::Noise("its sender has said too much in this place".into()),
    }
}

/// A message's name for people and files: round, index, name, kind.
pub fn label(plan: &Plan, message: &Authenticated) -> String {
    let round = match message.place() {
        Place::Deal | Place::Partial => "1",
        Place::Confirm => "2",
        Place::Complaint { .. } => "c",
    };
    let name = plan
        .roster()
        .operator(message.sender())
        .map_or_else(String::new, |operator| operator.card.name().file_stem());
    let against = match message.place() {
        Place::Complaint { against, deal } => format!("-against-{against}-{}", deal.short()),
        _ => String::new(),
    };
    format!(
        "{round}-{}-{}-{name}{against}.json",
        message.kind(),
        message.sender()
    )
}
