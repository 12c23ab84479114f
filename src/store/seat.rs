//! An operator's seat in one ceremony: the session, fed from the home and kept in it.
//!
//! Own messages and shares are stored and fsynced here before anything else happens with them.
//! Opening a seat repeats whatever a crash cut short.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ambient::{Randomness, RandomnessError};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::{Plan, PlanWork};
use crate::ceremony::session::{Registered, Session, label};
use crate::ceremony::shares::{OwnShares, SharesError};
use crate::ceremony::step::{Me, Memory, SessionError, Step};
use crate::ceremony::{Messages, MessagesError, Observer};
use crate::crypto::identity::{IdentityKey, RelayWriteKey};
use crate::hash::Digest;
use crate::store::arrivals::Arrivals;
use crate::store::cluster::{self, ClusterError};
use crate::store::disk::{DiskError, DiskLock};
use crate::store::folder::{BoardFolder, ContentHash, FolderError};
use crate::store::home::{Home, HomeError};
use crate::store::vault::{Marker, Vault, VaultError};
use crate::wire::envelope::{Authenticated, Envelope, EnvelopeError, Kind};
use crate::wire::roster::{Index, Operator};

/// Why a seat could not be taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// The home's identity is not in the plan.
    #[error(
        "the plan does not name this home's identity: it was made from other cards; nothing was sent"
    )]
    NotInvited,
    /// The plan holds a card that this home never made.
    #[error(
        "the plan holds a card with this home's identity that this home did not make; do not take part, and ask the organiser where the card comes from"
    )]
    StrangeCard,
    /// The card's secret is gone and the plan was not accepted before.
    #[error(
        "the plan's card is spent: another ceremony with it is complete; make a new card, and ask the organiser for a new plan"
    )]
    SpentCard,
    /// The cluster that is to sign is not the one that this home knows.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The vault refused.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The ceremony's folder refused.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The session cannot go on.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The stored shares are damaged.
    #[error(transparent)]
    Shares(#[from] SharesError),
    /// The stored shares are another ceremony's.
    #[error(
        "the shares stored for ceremony {0} are another ceremony's; restore the home from a backup; nothing was sent"
    )]
    OtherShares(Digest),
    /// A stored own message is damaged.
    #[error("the stored message {name} {reason}; restore the home from a backup")]
    Own {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: EnvelopeError,
    },
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
}

/// The messages of a ceremony's folder.
#[derive(Debug)]
pub struct BoardMessages(pub BoardFolder);

impl Messages for BoardMessages {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        self.0
            .read(id)
            .map_err(|error| MessagesError(error.to_string()))
    }
}

/// The right to work in one ceremony, which one process has at a time.
#[derive(Debug)]
pub struct Turn<'a> {
    home: &'a Home,
    plan: &'a Plan,
    lock: DiskLock,
}

/// An operator's place in a ceremony.
#[derive(Debug)]
pub struct Seat<'a> {
    home: &'a Home,
    plan: &'a Plan,
    session: Session<'a>,
    messages: BoardMessages,
    me: Me,
    memory: Memory,
    my: Index,
    contents: BTreeMap<String, ContentHash>,
    /// The own messages' file names.
    own: BTreeSet<String>,
    arrivals: Arrivals,
    relay_key: Arc<RelayWriteKey>,
    damaged: Vec<String>,
    _lock: DiskLock,
}

/// Returns the operator of the plan whose card this home made; refuses any other plan. A signing
/// plan's card is that of the ceremony that made the keys, and may be spent: nothing is signed with it.
pub fn own_card<'p>(home: &Home, plan: &'p Plan) -> Result<&'p Operator, SeatError> {
    let identity = IdentityKey::from_seed(&home.identity_seed()?).public();
    let operator = plan
        .roster()
        .by_identity(&identity)
        .ok_or(SeatError::NotInvited)?;
    let cards = home.cards()?;
    let stored = cards
        .iter()
        .find(|stored| stored.bytes == operator.card.bytes());
    let stored = stored.ok_or(SeatError::StrangeCard)?;
    let accepted = Vault::new(home)
        .marker(plan.cid(), Marker::Accepted)?
        .is_some();
    if stored.spent && !accepted && plan.keygen().is_some() {
        return Err(SeatError::SpentCard);
    }
    Ok(operator)
}

impl<'a> Turn<'a> {
    /// Takes the turn; fails soon if another process has it.
    pub fn take(home: &'a Home, plan: &'a Plan) -> Result<Self, SeatError> {
        let lock = home.lock_ceremony(plan.cid())?;
        Ok(Self { home, plan, lock })
    }

    /// Records that the operator accepted the plan, with the card that it is open with from now on. A
    /// signing plan is open with none.
    pub fn accept(&self) -> Result<(), SeatError> {
        if let Some(plan) = self.plan.sign() {
            cluster::own_shares(self.home, plan)?;
            let detail = plan.cluster().cid;
            Vault::new(self.home).mark(plan.cid(), Marker::Accepted, detail.as_bytes())?;
            return Ok(());
        }
        // From the look at the card to the mark nobody destroys its secret; see `spend_if_done`.
        let _lock = self.home.lock()?;
        let key = own_card(self.home, self.plan)?
            .card
            .encryption_key()
            .to_bytes();
        Vault::new(self.home).mark(self.plan.cid(), Marker::Accepted, &key)?;
        Ok(())
    }

    /// Takes the seat; see [`Seat::open`].
    pub fn seat(self) -> Result<Seat<'a>, SeatError> {
        Seat::over(self.home, self.plan, self.lock)
    }
}

impl<'a> Seat<'a> {
    /// Takes the seat of a plan that was accepted: loads shares, own messages and the board.
    pub fn open(home: &'a Home, plan: &'a Plan) -> Result<Self, SeatError> {
        Turn::take(home, plan)?.seat()
    }

    fn over(home: &'a Home, plan: &'a Plan, lock: DiskLock) -> Result<Self, SeatError> {
        let operator = own_card(home, plan)?;
        let vault = Vault::new(home);
        let key = operator.card.encryption_key().to_bytes();
        let identity = IdentityKey::from_seed(&home.identity_seed()?);
        let relay_key = Arc::new(identity.relay_write_key(&key));
        let (secret, shares) = match plan.work() {
            PlanWork::Keygen(_) => (
                home.ceremony_secret(&key)?,
                stored_shares(&vault, plan, operator)?,
            ),
            // The shares are the cluster's, and no secret of the card is needed.
            PlanWork::Sign(plan) => (None, Some(cluster::own_shares(home, plan)?.0)),
        };
        let me = Me { identity, secret };
        let messages = BoardMessages(vault.board(plan.cid(), plan.bytes())?);
        let memory = Memory {
            shares,
            ..Memory::default()
        };
        let mut seat = Self {
            home,
            plan,
            session: Session::new(plan),
            messages,
            me,
            memory,
            my: operator.index,
            contents: BTreeMap::new(),
            own: BTreeSet::new(),
            arrivals: Arrivals::read(home, plan.cid())?,
            relay_key,
            damaged: Vec::new(),
            _lock: lock,
        };
        for file in seat.messages.0.messages()? {
            if let Some(reason) = seat.reload(&file.name)? {
                seat.damaged.push(format!("{}: {reason}", file.name));
            }
        }
        for file in vault.own(plan.cid())? {
            if let Some(bytes) = vault.read_own(plan.cid(), &file.name)? {
                let envelope = Envelope::parse(&bytes).map_err(|reason| SeatError::Own {
                    name: file.name.clone(),
                    reason,
                })?;
                seat.keep_own(&envelope)?;
            }
        }
        Ok(seat)
    }

    /// Places a stored message, or says why it is none. It was let in when it was stored: which of many
    /// has room must not go by their names.
    fn reload(&mut self, name: &str) -> Result<Option<String>, SeatError> {
        let bytes = self.messages.0.read(name)?;
        let content = ContentHash::of(&bytes);
        let message = match self.session.take(bytes) {
            Ok(message) => message,
            Err(reason) => return Ok(Some(reason)),
        };
        if self.session.place_beyond(&message, name) == Registered::New {
            self.contents.insert(name.to_owned(), content);
        }
        Ok(None)
    }

    /// The plan.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The session.
    pub fn session(&self) -> &Session<'a> {
        &self.session
    }

    /// The messages' bytes.
    pub fn messages(&self) -> &BoardMessages {
        &self.messages
    }

    /// Files of the board that are no messages of the ceremony (any more), with the reason.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// The own shares, once they are stored.
    pub fn shares(&self) -> Option<&OwnShares> {
        self.memory.shares.as_ref()
    }

    /// The operator's secrets.
    pub fn me(&self) -> &Me {
        &self.me
    }

    /// Asks the session what to do next. A backup may have been checked meanwhile, by another process.
    pub fn next(
        &mut self,
        randomness: &mut dyn Randomness,
        observer: &dyn Observer,
    ) -> Result<Step, SeatError> {
        if let Some(own) = self.memory.shares.as_ref()
            && self.memory.backed_up.is_none()
            && self.plan.requires_backups()
            && Vault::new(self.home).is_backed_up(self.plan.cid(), &own.transcript)?
        {
            self.memory.backed_up = Some(own.transcript);
        }
        let seed = randomness.seed()?;
        Ok(seed.expose(|seed| {
            self.session
                .next(&self.me, &self.memory, &self.messages, observer, seed)
        })?)
    }

    /// Stores a message of our own, then puts it on the board, from where it may leave.
    pub fn keep_own(&mut self, envelope: &Envelope) -> Result<(), SeatError> {
        let vault = Vault::new(self.home);
        let cid = self.plan.cid();
        let message = envelope
            .clone()
            .authenticate(cid, self.plan.roster())
            .map_err(SessionError::from)?;
        let name = label(self.plan, &message);
        let message = match vault.put_own(cid, &name, message.bytes()) {
            Ok(_) => message,
            // The same message, made again by another release: what was stored first may have left,
            // and is what leaves again.
            Err(VaultError::SaidDifferently(path)) => self
                .stored(&name)?
                .filter(|stored| stored.message_hash() == message.message_hash())
                .ok_or(VaultError::SaidDifferently(path))?,
            Err(error) => return Err(error.into()),
        };
        match message.kind() {
            Kind::Confirm | Kind::Partial => {
                vault.mark(cid, Marker::Confirmed, message.message_hash().as_bytes())?
            }
            Kind::Abandon | Kind::Complain => vault.mark(cid, Marker::Abandoned, b"")?,
            Kind::Deal => false,
        };
        let put = self.messages.0.put(&name, message.bytes())?;
        if self.session.place(&message, put.name()) == Registered::New {
            let content = ContentHash::of(message.bytes());
            self.contents.insert(put.name().to_owned(), content);
        }
        self.own.insert(put.name().to_owned());
        self.memory.own.insert(message.message_hash());
        Ok(())
    }

    /// The own message of a name, if there is one and it is a message of this ceremony.
    fn stored(&self, name: &str) -> Result<Option<Authenticated>, SeatError> {
        let stored = Vault::new(self.home).read_own(self.plan.cid(), name)?;
        Ok(stored.and_then(|bytes| {
            let envelope = Envelope::parse(&bytes).ok()?;
            envelope
                .authenticate(self.plan.cid(), self.plan.roster())
                .ok()
        }))
    }

    /// Stores our shares in the vault, before any message that speaks of them.
    pub fn keep_shares(&mut self, shares: OwnShares) -> Result<(), SeatError> {
        Vault::new(self.home).store_shares(self.plan.cid(), &shares.to_blob()?)?;
        self.memory.shares = Some(shares);
        Ok(())
    }

    /// Whether the message of this file name is an own one.
    pub fn is_own(&self, name: &str) -> bool {
        self.own.contains(name)
    }

    /// The key that this operator writes to a relay with.
    pub fn relay_key(&self) -> &Arc<RelayWriteKey> {
        &self.relay_key
    }

    /// Takes bytes that the named courier brought; stores them if they are a message of the ceremony.
    pub fn offer(&mut self, bytes: &[u8], courier: &str) -> Result<Registered, SeatError> {
        let message = match self.session.read(bytes) {
            Ok(message) => message,
            Err(reason) => return Ok(Registered::Noise(reason)),
        };
        let mut name = String::new();
        let placed = self.place(&message, |seat| {
            let put = seat.messages.0.put(&label(seat.plan, &message), bytes)?;
            put.name().clone_into(&mut name);
            Ok((name.clone(), ContentHash::of(bytes)))
        })?;
        if placed == Registered::New {
            self.arrivals.add(name, courier);
        }
        Ok(placed)
    }

    /// Writes down how messages came, for `status`. What a crash loses of it is not known again, and
    /// decides nothing.
    pub fn keep_arrivals(&mut self) -> Result<(), SeatError> {
        Ok(self.arrivals.keep(self.home, self.plan.cid())?)
    }

    /// Only what has a place is stored, and only what was stored takes it.
    fn place(
        &mut self,
        message: &Authenticated,
        store: impl FnOnce(&Self) -> Result<(String, ContentHash), SeatError>,
    ) -> Result<Registered, SeatError> {
        let beyond = match self.session.would_place(message) {
            Registered::New => false,
            Registered::Known => return Ok(Registered::Known),
            full @ Registered::Noise(_) => {
                let own = self.memory.shares.as_ref();
                let (session, messages) = (&self.session, &self.messages);
                if !session.counts(message, self.my, own, messages)? {
                    return Ok(full);
                }
                true
            }
        };
        let (id, content) = store(self)?;
        let placed = if beyond {
            self.session.place_beyond(message, &id)
        } else {
            self.session.place(message, &id)
        };
        self.contents.insert(id, content);
        Ok(placed)
    }

    /// Label and id of the ceremony's messages, in the board's order: what a record holds.
    pub fn record(&self) -> Vec<(String, String)> {
        let named = |id: &String| (id.clone(), id.clone());
        self.session
            .board()
            .iter()
            .map(|entry| named(&entry.id.id))
            .collect()
    }

    /// Names the messages of the board that lie there, for couriers, with what they held when they
    /// were read or written.
    pub fn files(&self) -> Result<Vec<(String, ContentHash)>, SeatError> {
        let known = |name: String| self.contents.get(&name).map(|content| (name, *content));
        let files = self.messages.0.messages()?.into_iter();
        Ok(files.filter_map(|file| known(file.name)).collect())
    }

    /// Marks the ceremony complete, with the transcript of a keygen, or the hash of what was signed.
    pub fn mark_complete(&self, outcome: &Outcome) -> Result<(), SeatError> {
        let detail = match outcome {
            Outcome::Keygen(outcome) => *outcome.transcript(),
            Outcome::Sign(_) => outcome.hash().map_err(SessionError::from)?,
        };
        self.mark(Marker::Complete, detail.as_bytes())
    }

    /// Makes a marker of this ceremony.
    pub fn mark(&self, marker: Marker, detail: &[u8]) -> Result<(), SeatError> {
        Vault::new(self.home).mark(self.plan.cid(), marker, detail)?;
        Ok(())
    }
}

/// The own shares of a keygen, once they are stored.
fn stored_shares(
    vault: &Vault<'_>,
    plan: &Plan,
    operator: &Operator,
) -> Result<Option<OwnShares>, SeatError> {
    let blob = vault.shares(plan.cid())?;
    let shares = blob.map(|blob| OwnShares::from_blob(&blob)).transpose()?;
    // One home key encrypts them all: a file that was moved here decrypts like the right one.
    if shares
        .as_ref()
        .is_some_and(|own| own.cid != *plan.cid() || own.index != operator.index.get())
    {
        return Err(SeatError::OtherShares(*plan.cid()));
    }
    if shares.is_some() {
        // A crash may have come between the two.
        vault.mark(plan.cid(), Marker::Shares, b"")?;
    }
    Ok(shares)
}

/// Records that the operator accepted the plan; see [`Turn::accept`].
pub fn accept(home: &Home, plan: &Plan) -> Result<(), SeatError> {
    Turn::take(home, plan)?.accept()
}

/// Destroys the secret of the plan's card when a ceremony with it is complete and read back and no
/// accepted plan with it is still open. Returns whether it is gone. A signing plan spends nothing.
///
/// Under the home's lock, as every acceptance is: a plan is accepted before this looks, and then it is
/// open and keeps the secret, or after it, and then its card is spent. What closes a plan needs no
/// lock: it is never taken back.
pub fn spend_if_done(home: &Home, plan: &Plan) -> Result<bool, SeatError> {
    if plan.keygen().is_none() {
        return Ok(false);
    }
    let _lock = home.lock()?;
    let key = own_card(home, plan)?.card.encryption_key().to_bytes();
    let vault = Vault::new(home);
    let has = |cid: &Digest, marker| vault.marker(cid, marker).map(|found| found.is_some());
    let mut done = false;
    for cid in vault.ceremonies()? {
        // The mark names the card: what else is left of that ceremony does not matter.
        if vault.marker(&cid, Marker::Accepted)?.as_deref() != Some(key.as_slice()) {
            continue;
        }
        done |= has(&cid, Marker::Artifacts)?;
        let closed = [Marker::Confirmed, Marker::Abandoned, Marker::Ended]
            .into_iter()
            .map(|marker| has(&cid, marker))
            .collect::<Result<Vec<_>, _>>()?;
        if !closed.contains(&true) {
            return Ok(false);
        }
    }
    if done {
        home.spend_card(&key)?;
    }
    Ok(done)
}

impl From<DiskError> for SeatError {
    fn from(error: DiskError) -> Self {
        Self::Home(HomeError::Disk(error))
    }
}
