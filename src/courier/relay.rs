//! The relay courier: messages travel over a server that is trusted with nothing.
//!
//! What comes from a relay is checked in this order, each failure with its own culprit: the write
//! key's signature (a wrong one is the relay's doing: it made the entry up, or broke it), the seal
//! under the plan (a wrong one is the key's owner's doing), and then, by the board, the message
//! itself. What a relay leaves out cannot be told from what was never sent, but for own entries that
//! it said it took: those are missed. Nothing it does can change an outcome; it can keep a ceremony
//! waiting, and then another courier carries the same messages.

mod http;
mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use reqwest::header::HeaderValue;
use tokio::runtime::{Builder, Runtime};

use super::{Ceremony, ContentHash, Courier, CourierError, LocalBoard, Moved, Offered, Shelved};
use crate::crypto::identity::RelayKey;
use crate::hash::Digest;
use crate::relay::address::{self, Label, MAX_WAIT_SECONDS, Place, Refusal, parse_key};
pub use http::{AddressError, Patience};
use http::{Http, Listed, Trouble, Written};
pub use seal::{MAX_ENTRY_BYTES, OpenError, Shelf};

/// Entries that are fetched at a time.
const AT_ONCE: usize = 4;
/// The most entries of one write key that are looked at: far more than a ceremony has, so that a
/// relay's made-up list ends.
const MAX_ENTRIES: usize = 4096;
/// The most entries of one exchange that turn out to be the relay's doing, before it is asked for no
/// more of them.
const MAX_FORGED: usize = 64;
/// How often a write is tried whose place seems taken and then is empty.
const MAX_TRIES: u32 = 3;
/// How long to wait before a relay that failed is asked again.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// A courier over a relay.
#[derive(Debug)]
pub struct RelayCourier {
    http: Http,
    runtime: Runtime,
    open: Option<Open>,
}

/// What is known of the shelf of the ceremony that was asked for last.
#[derive(Debug)]
struct Open {
    cid: Digest,
    shelf: Shelf,
    etag: Option<HeaderValue>,
    /// The entries that the relay listed last, with their sizes.
    listed: BTreeMap<(RelayKey, Label), u64>,
    /// Entries that were read, with their messages' content, if they are messages.
    read: BTreeMap<(RelayKey, Label), Option<ContentHash>>,
    /// Those among them that the board had no use for, when it held so many messages.
    noise: (usize, BTreeSet<(RelayKey, Label)>),
    /// Own entries that the relay said it took.
    taken: BTreeSet<Label>,
}

/// What an entry turned out to be.
enum Fetched {
    Message(Vec<u8>),
    /// Listed, and not there.
    Missing,
    /// Not what its write key signed: how it is wrong.
    Forged(String),
    /// Signed, and not sealed under the plan.
    Unsealed,
}

impl RelayCourier {
    /// Uses the relay at an address: `https://host/path`, or `http://` on this machine. Nothing is
    /// asked of it yet.
    pub fn new(address: &str) -> Result<Self, AddressError> {
        Self::with_patience(address, Patience::default())
    }

    /// [`Self::new`], waiting for as long as is said.
    pub fn with_patience(address: &str, patience: Patience) -> Result<Self, AddressError> {
        let http = Http::new(address, patience)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| AddressError::Malformed(error.to_string()))?;
        Ok(Self {
            http,
            runtime,
            open: None,
        })
    }

    /// Takes what is known of the ceremony's shelf out, or starts anew.
    fn opened(&mut self, ceremony: &Ceremony<'_>) -> Result<Open, CourierError> {
        if let Some(open) = self.open.take().filter(|open| open.cid == *ceremony.cid) {
            return Ok(open);
        }
        let shelf = Shelf::of(ceremony.cid, &ceremony.meeting)
            .map_err(|error| self.unreachable(&format!("the ceremony's shelf {error}")))?;
        Ok(Open {
            cid: *ceremony.cid,
            shelf,
            etag: None,
            listed: BTreeMap::new(),
            read: BTreeMap::new(),
            noise: (0, BTreeSet::new()),
            taken: BTreeSet::new(),
        })
    }

    fn unreachable(&self, reason: &dyn std::fmt::Display) -> CourierError {
        CourierError::Unreachable {
            courier: self.name(),
            reason: reason.to_string(),
        }
    }
}

impl Courier for RelayCourier {
    fn name(&self) -> String {
        format!("relay {}", self.http.base())
    }

    fn exchange(
        &mut self,
        ceremony: &Ceremony<'_>,
        board: &mut dyn LocalBoard,
    ) -> Result<Moved, CourierError> {
        let mut open = self.opened(ceremony)?;
        let name = self.name();
        let mut exchange = Exchange {
            http: &self.http,
            name: &name,
            ceremony,
            open: &mut open,
            board,
            moved: Moved::default(),
        };
        let done = self.runtime.block_on(exchange.go());
        let moved = exchange.moved;
        self.open = Some(open);
        match done {
            Ok(()) => Ok(moved),
            Err(Failure::Board(error)) => Err(error.into()),
            Err(Failure::Pull(trouble)) => Err(self.unreachable(&trouble)),
            Err(Failure::SaidDifferently(label)) => Err(CourierError::SaidDifferently {
                courier: name,
                label,
            }),
            Err(Failure::Push(unsent, reason)) => Err(CourierError::Undelivered {
                courier: name,
                unsent,
                reason,
                moved,
            }),
        }
    }

    /// A relay holds no plans: who knows none finds nothing there.
    fn ceremonies(&self, _found: &mut dyn FnMut(Shelved)) -> Result<Vec<String>, CourierError> {
        Ok(Vec::new())
    }

    fn read(&self, source: &str) -> Result<Vec<u8>, CourierError> {
        let unknown = || self.unreachable(&format!("{source} does not stand there"));
        let open = self.open.as_ref().ok_or_else(unknown)?;
        let (before, label) = source.rsplit_once('/').ok_or_else(unknown)?;
        let (_, key) = before.rsplit_once('/').ok_or_else(unknown)?;
        let place = Place {
            shelf: *open.shelf.name(),
            key: parse_key(key).ok_or_else(unknown)?,
            label: Label::parse(label).ok_or_else(unknown)?,
        };
        let size = open.listed.get(&(place.key, place.label));
        let size = *size.ok_or_else(unknown)?;
        let fetched = self
            .runtime
            .block_on(fetch(&self.http, &open.shelf, &place, size))
            .map_err(|trouble| self.unreachable(&trouble))?;
        match fetched {
            Fetched::Message(bytes) => Ok(bytes),
            _ => Err(unknown()),
        }
    }

    fn finished(&mut self, ceremony: &Ceremony<'_>) {
        let (Some(own), Ok(open)) = (ceremony.meeting.own, self.opened(ceremony)) else {
            return;
        };
        let place = Place {
            shelf: *open.shelf.name(),
            key: own.public(),
            label: Label::DONE,
        };
        let entry = place.entry(own, b"");
        // A relay that does not hear it keeps the shelf until it expires.
        let _ = self.runtime.block_on(self.http.put(&place, &entry));
        self.open = Some(open);
    }

    fn follows(&self) -> bool {
        true
    }

    fn wait(&mut self, ceremony: &Ceremony<'_>, limit: Duration) {
        let limit = limit.min(Duration::from_secs(MAX_WAIT_SECONDS));
        let known = self
            .open
            .as_ref()
            .filter(|open| open.cid == *ceremony.cid)
            .and_then(|open| Some((&open.shelf, open.etag.as_ref()?)));
        let http = &self.http;
        self.runtime.block_on(async {
            let waited = match known {
                Some((shelf, etag)) => http.wait(shelf, etag, limit).await,
                None => Err(Trouble::Away(String::new())),
            };
            // The next exchange says what is wrong.
            if waited.is_err() {
                tokio::time::sleep(AFTER_TROUBLE.min(limit)).await;
            }
        });
    }
}

enum Failure {
    Board(super::BoardError),
    Pull(Trouble),
    Push(usize, String),
    SaidDifferently(String),
}

impl From<super::BoardError> for Failure {
    fn from(error: super::BoardError) -> Self {
        Self::Board(error)
    }
}

/// One exchange.
struct Exchange<'x, 'c> {
    http: &'x Http,
    name: &'x str,
    ceremony: &'x Ceremony<'c>,
    open: &'x mut Open,
    board: &'x mut dyn LocalBoard,
    moved: Moved,
}

impl Exchange<'_, '_> {
    async fn go(&mut self) -> Result<(), Failure> {
        let Some(listed) = self.list().await.map_err(Failure::Pull)? else {
            return Ok(());
        };
        let there = self.pull(&listed).await?;
        self.open.etag = listed.etag;
        self.push(&there).await
    }

    /// Reads the list; makes the shelf first where this operator may. Nothing: there is no shelf, and
    /// who only looks makes none.
    async fn list(&mut self) -> Result<Option<Listed>, Trouble> {
        match self.http.list(&self.open.shelf).await {
            Err(Trouble::Refused(Refusal::NoShelf, _)) => {}
            Err(Trouble::Refused(Refusal::Closed, _)) => {
                self.moved.left.push(format!(
                    "{}: it says that the shelf is closed, since all operators are complete; if this one is not, this is the relay's doing, or a copy of this home said so",
                    self.name
                ));
                return Ok(None);
            }
            other => return other.map(Some),
        }
        // It was never made, or it expired: whatever stood there is sent again.
        self.open.read.clear();
        self.open.noise = (0, BTreeSet::new());
        self.open.taken.clear();
        if self.ceremony.meeting.own.is_none() {
            return Ok(None);
        }
        self.http.make(&self.open.shelf).await?;
        self.http.list(&self.open.shelf).await.map(Some)
    }

    /// Brings in what the list shows and was not read yet; returns the content of every message there.
    async fn pull(&mut self, listed: &Listed) -> Result<BTreeSet<ContentHash>, Failure> {
        let shown = self.shown(listed);
        self.miss(&shown);
        self.look_again()?;
        let sizes = shown
            .values()
            .map(|entry| ((entry.key, entry.label), entry.bytes));
        self.open.listed = sizes.collect();
        let unread: Vec<&address::Listed> = shown
            .values()
            .filter(|entry| !self.open.read.contains_key(&(entry.key, entry.label)))
            .collect();
        let shelf = &self.open.shelf;
        let http = self.http;
        let mut fetched = stream::iter(unread)
            .map(|entry| async move {
                let place = Place {
                    shelf: *shelf.name(),
                    key: entry.key,
                    label: entry.label,
                };
                (place, fetch(http, shelf, &place, entry.bytes).await)
            })
            .buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        let mut noise = BTreeSet::new();
        let mut trouble = None;
        let mut forged = Vec::new();
        while let Some((place, fetched)) = fetched.next().await {
            if forged.len() >= MAX_FORGED {
                forged.push("more of what it lists is made up than is worth asking for".to_owned());
                break;
            }
            let source = format!("{}{}", self.name, place.path());
            let who = self.who(&place.key).to_owned();
            let content = match fetched {
                Ok(Fetched::Message(bytes)) => {
                    let content = ContentHash::of(&bytes);
                    match self.board.offer(bytes, &source)? {
                        Offered::New => self.moved.received = self.moved.received.saturating_add(1),
                        Offered::Known => {}
                        Offered::Noise(why) => {
                            noise.insert((place.key, place.label));
                            let text = format!("{}: what {who} put there: {why}", self.name);
                            self.moved.refused.push(text);
                        }
                    }
                    Some(content)
                }
                Ok(Fetched::Unsealed) => {
                    self.moved.refused.push(format!(
                        "{}: what {who} put there is not sealed under this plan; it is this operator's doing",
                        self.name
                    ));
                    None
                }
                Ok(Fetched::Missing) => {
                    forged.push(format!("an entry of {who} is listed and cannot be had"));
                    continue;
                }
                Ok(Fetched::Forged(how)) => {
                    forged.push(format!("an entry under the key of {who} {how}"));
                    continue;
                }
                Err(Trouble::Odd(how)) => {
                    forged.push(format!("for an entry of {who} it {how}"));
                    continue;
                }
                Err(other) => {
                    trouble = Some(other);
                    continue;
                }
            };
            found.push(((place.key, place.label), content));
        }
        drop(fetched);
        forged.iter().for_each(|what| self.blame(what));
        self.open.read.extend(found);
        self.open.noise.1.extend(noise);
        // What came is kept; the rest comes with the next exchange.
        if let Some(trouble) = trouble {
            return Err(Failure::Pull(trouble));
        }
        let there = shown.keys().filter_map(|place| self.open.read.get(place));
        Ok(there.filter_map(|content| *content).collect())
    }

    /// The entries of the list that can be any, by place.
    fn shown(&mut self, listed: &Listed) -> BTreeMap<(RelayKey, Label), address::Listed> {
        let mut shown = BTreeMap::new();
        let mut counts: BTreeMap<RelayKey, usize> = BTreeMap::new();
        let mut odd = BTreeSet::new();
        let operators = self.ceremony.meeting.operators;
        for entry in &listed.listing.entries {
            if entry.label == Label::DONE {
                continue;
            }
            if !operators.iter().any(|(key, _)| *key == entry.key) {
                odd.insert("lists entries of keys that are not in the plan");
                continue;
            }
            if entry.bytes > MAX_ENTRY_BYTES {
                odd.insert("lists entries that are larger than any message");
                continue;
            }
            let count = counts.entry(entry.key).or_default();
            *count = count.saturating_add(1);
            if *count > MAX_ENTRIES {
                odd.insert("lists more entries than any ceremony has");
                continue;
            }
            shown.insert((entry.key, entry.label), *entry);
        }
        for how in odd {
            self.blame(&format!("it {how}"));
        }
        shown
    }

    /// What was noise may be worth something once other messages are there.
    fn look_again(&mut self) -> Result<(), Failure> {
        let messages = self.board.messages()?.len();
        let (before, noise) = &mut self.open.noise;
        if *before != messages {
            *before = messages;
            for place in std::mem::take(noise) {
                self.open.read.remove(&place);
            }
        }
        Ok(())
    }

    /// Notices own entries that the relay took and does not show.
    fn miss(&mut self, shown: &BTreeMap<(RelayKey, Label), address::Listed>) {
        let Some(own) = self.ceremony.meeting.own else {
            return;
        };
        let key = own.public();
        let (kept, lost): (BTreeSet<Label>, BTreeSet<Label>) = self
            .open
            .taken
            .iter()
            .partition(|label| shown.contains_key(&(key, **label)));
        if !lost.is_empty() {
            self.blame(&format!(
                "it said that it took {} message(s) and does not show them; they are sent again",
                lost.len()
            ));
        }
        self.open
            .read
            .retain(|(owner, label), _| *owner != key || !lost.contains(label));
        self.open.taken = kept;
    }

    /// Hands over what is not there.
    async fn push(&mut self, there: &BTreeSet<ContentHash>) -> Result<(), Failure> {
        let Some(own) = self.ceremony.meeting.own else {
            return Ok(());
        };
        let mut waiting = self.board.messages()?;
        waiting.retain(|message| !there.contains(&message.content));
        let mut unsent = waiting.len();
        for message in waiting {
            let bytes = self.board.read(&message.label)?;
            let key = own.public();
            let place = match message.own {
                true => self.open.shelf.own(key, &message.label),
                false => self.open.shelf.passed_on(key, &message.content),
            };
            let entry = self
                .open
                .shelf
                .seal(&place, &bytes)
                .map(|blob| place.entry(own, &blob))
                .map_err(|error| Failure::Push(unsent, format!("{}: {error}", message.label)))?;
            match self.hand_over(&place, &entry, &message.label).await {
                Ok(true) => {}
                Ok(false) => return Err(Failure::SaidDifferently(message.label)),
                Err(reason) => return Err(Failure::Push(unsent, reason)),
            }
            self.open.taken.insert(place.label);
            let read = (place.key, place.label);
            self.open.read.insert(read, Some(message.content));
            unsent = unsent.saturating_sub(1);
            self.moved.sent = self.moved.sent.saturating_add(1);
        }
        Ok(())
    }

    /// Writes one entry and reads it back, as a stick is read back. Not done, and no error: another one
    /// stands there that this operator's key signed.
    async fn hand_over(&self, place: &Place, entry: &[u8], label: &str) -> Result<bool, String> {
        for _ in 0..MAX_TRIES {
            let written = self.http.put(place, entry).await;
            let written = written.map_err(|trouble| trouble.to_string())?;
            // Another message of ours may have another size, within reason.
            let limit = match written {
                Written::Stands => entry.len() as u64,
                Written::Taken => (entry.len() as u64)
                    .saturating_mul(2)
                    .saturating_add(1 << 16),
            };
            let stands = self.http.get(&self.open.shelf, place, limit).await;
            match stands.map_err(|trouble| trouble.to_string())? {
                Some(stands) if stands == entry => return Ok(true),
                Some(stands) if place.blob(&stands).is_ok() => return Ok(false),
                Some(_) => {
                    return Err(format!(
                        "what stands in the place of {label} is not signed by this operator's key; this is the relay's doing"
                    ));
                }
                None if written == Written::Stands => {
                    return Err(format!(
                        "it says that it took {label} and does not have it; this is the relay's doing"
                    ));
                }
                // Taken, and nothing there: whoever was there is gone.
                None => {}
            }
        }
        Err(format!(
            "it says that the place of {label} is taken, and nothing stands there; this is the relay's doing"
        ))
    }

    /// Says what nobody but the relay can have done.
    fn blame(&mut self, what: &str) {
        let text = format!("{}: {what}; this is the relay's doing", self.name);
        if !self.moved.left.contains(&text) {
            self.moved.left.push(text);
        }
    }

    fn who(&self, key: &RelayKey) -> &str {
        let operators = self.ceremony.meeting.operators.iter();
        operators
            .filter(|(owner, _)| owner == key)
            .map(|(_, name)| name.as_str())
            .next()
            .unwrap_or("nobody")
    }
}

/// Reads an entry, and checks signature and seal.
async fn fetch(http: &Http, shelf: &Shelf, place: &Place, limit: u64) -> Result<Fetched, Trouble> {
    let Some(entry) = http.get(shelf, place, limit).await? else {
        return Ok(Fetched::Missing);
    };
    Ok(match place.blob(&entry) {
        Err(error) => Fetched::Forged(error.to_string()),
        Ok(blob) => match shelf.open(place, blob) {
            Ok(message) => Fetched::Message(message),
            Err(OpenError) => Fetched::Unsealed,
        },
    })
}
