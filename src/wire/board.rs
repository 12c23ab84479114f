//! The board: all authenticated messages of a ceremony, by sender and place.
//!
//! It keeps facts, not verdicts: two different messages in one place are both kept, since together
//! they are the evidence. It holds no bytes, only an id by which its owner finds them.

use std::collections::BTreeMap;

use crate::hash::Digest;
use crate::wire::envelope::{Authenticated, Kind, Place};
use crate::wire::roster::Index;

/// The most different messages that are kept of one sender for one place, and of one sender's
/// complaints against one dealer. Two are evidence enough; more than an honest operator ever sends
/// must not fill a disk.
pub const MAX_MESSAGES: usize = 16;

/// What the board knows of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<Id> {
    /// The place that the message fills.
    pub place: Place,
    /// The sender's index.
    pub sender: Index,
    /// The kind of message.
    pub kind: Kind,
    /// The message hash.
    pub message: Digest,
    /// The payload's hash.
    pub payload: Digest,
    /// Where the owner of the board finds the bytes.
    pub id: Id,
}

impl<Id> Entry<Id> {
    /// Returns the entry of a message whose bytes its owner calls `id`.
    pub fn of(message: &Authenticated, id: Id) -> Self {
        Self {
            place: message.place(),
            sender: message.sender(),
            kind: message.kind(),
            message: message.message_hash(),
            payload: *message.header().payload(),
            id,
        }
    }
}

/// What became of a message that was inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is kept and the only one in its place.
    New,
    /// The same message was there already; the entry, with its id, was dropped.
    Known,
    /// It is kept beside a different message of its sender in the same place, whose hash this is:
    /// of several, the smallest.
    Second(Digest),
    /// It was dropped: its sender has [`MAX_MESSAGES`] different ones there already.
    Full,
}

/// A place in which one sender said two or more different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivocation<'a, Id> {
    /// The sender.
    pub sender: Index,
    /// The place.
    pub place: Place,
    /// The messages, by hash; two or more.
    pub entries: Vec<&'a Entry<Id>>,
}

/// The messages of a ceremony, in the order of sender's index, then message hash. That order does
/// not depend on the order of insertion.
#[derive(Debug, Clone)]
pub struct Board<Id>(BTreeMap<(Index, Digest), Entry<Id>>);

impl<Id> Board<Id> {
    /// An empty board.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a message unless it is known or its sender has said too much in this place.
    pub fn insert(&mut self, entry: Entry<Id>) -> Inserted {
        let inserted = self.would_insert(&entry);
        if matches!(inserted, Inserted::New | Inserted::Second(_)) {
            self.0.insert((entry.sender, entry.message), entry);
        }
        inserted
    }

    /// What [`Self::insert`] would say.
    pub fn would_insert(&self, entry: &Entry<Id>) -> Inserted {
        let rivals = |other: &&Entry<Id>| crowded_together(&other.place, &entry.place);
        match self.would_insert_beyond(entry) {
            Inserted::New | Inserted::Second(_)
                if self.of(entry.sender).filter(rivals).count() >= MAX_MESSAGES =>
            {
                Inserted::Full
            }
            inserted => inserted,
        }
    }

    /// [`Self::insert`] without the bound: for who reads what is stored already, or has checked that
    /// the message counts.
    pub fn insert_beyond(&mut self, entry: Entry<Id>) -> Inserted {
        let inserted = self.would_insert_beyond(&entry);
        if inserted != Inserted::Known {
            self.0.insert((entry.sender, entry.message), entry);
        }
        inserted
    }

    fn would_insert_beyond(&self, entry: &Entry<Id>) -> Inserted {
        if self.0.contains_key(&(entry.sender, entry.message)) {
            return Inserted::Known;
        }
        let mut others = self.at(entry.sender, &entry.place);
        let other = others.next().map(|other| other.message);
        other.map_or(Inserted::New, Inserted::Second)
    }

    /// All messages.
    pub fn iter(&self) -> impl Iterator<Item = &Entry<Id>> {
        self.0.values()
    }

    /// The messages of a sender.
    pub fn of(&self, sender: Index) -> impl Iterator<Item = &Entry<Id>> {
        let (first, last) = (Digest::from_bytes([0; 32]), Digest::from_bytes([0xff; 32]));
        self.0
            .range((sender, first)..=(sender, last))
            .map(|(_, entry)| entry)
    }

    /// The messages of a sender in a place.
    pub fn at<'a>(
        &'a self,
        sender: Index,
        place: &Place,
    ) -> impl Iterator<Item = &'a Entry<Id>> + use<'a, Id> {
        let place = *place;
        self.of(sender).filter(move |entry| entry.place == place)
    }

    /// The deals of a sender.
    pub fn deals(&self, sender: Index) -> impl Iterator<Item = &Entry<Id>> {
        self.at(sender, &Place::Deal)
    }

    /// The confirms of a sender; an abandon in their place is not among them.
    pub fn confirms(&self, sender: Index) -> impl Iterator<Item = &Entry<Id>> {
        self.of(sender).filter(|entry| entry.kind == Kind::Confirm)
    }

    /// The abandons of a sender.
    pub fn abandons(&self, sender: Index) -> impl Iterator<Item = &Entry<Id>> {
        self.of(sender).filter(|entry| entry.kind == Kind::Abandon)
    }

    /// The partials of a sender.
    pub fn partials(&self, sender: Index) -> impl Iterator<Item = &Entry<Id>> {
        self.at(sender, &Place::Partial)
    }

    /// The complaints of all senders.
    pub fn complaints(&self) -> impl Iterator<Item = &Entry<Id>> {
        self.iter().filter(|entry| entry.kind == Kind::Complain)
    }

    /// Every place with two or more different messages of its sender, a confirm with an abandon
    /// included; by sender's index, then place.
    pub fn equivocations(&self) -> Vec<Equivocation<'_, Id>> {
        let mut places: BTreeMap<(Index, Place), Vec<&Entry<Id>>> = BTreeMap::new();
        for entry in self.iter() {
            places
                .entry((entry.sender, entry.place))
                .or_default()
                .push(entry);
        }
        places
            .into_iter()
            .filter(|(_, entries)| entries.len() >= 2)
            .map(|((sender, place), entries)| Equivocation {
                sender,
                place,
                entries,
            })
            .collect()
    }
}

impl<Id> Default for Board<Id> {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether two places of one sender count against one bound. A complaint names a deal's hash, which
/// its sender can make up, so that bound goes by the accused.
fn crowded_together(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::Complaint { against: a, .. }, Place::Complaint { against: b, .. }) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::envelope::Envelope;
    use crate::wire::roster::tests::{identity, index, roster};

    fn digest(byte: u8) -> Digest {
        Digest::from_bytes([byte; 32])
    }

    fn complaint(against: u64, deal: u8) -> Place {
        Place::Complaint {
            against: index(against),
            deal: digest(deal),
        }
    }

    fn entry(sender: u64, kind: Kind, place: Place, message: u8) -> Entry<u8> {
        assert!(place.admits(kind));
        Entry {
            place,
            sender: index(sender),
            kind,
            message: digest(message),
            payload: digest(!message),
            id: message,
        }
    }

    fn deal(sender: u64, message: u8) -> Entry<u8> {
        entry(sender, Kind::Deal, Place::Deal, message)
    }

    fn ids<'a>(entries: impl IntoIterator<Item = &'a Entry<u8>>) -> Vec<u8> {
        entries.into_iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn entries_are_those_of_messages() {
        let cid = digest(0xc1);
        let envelope =
            Envelope::sign(&identity(2), cid, Kind::Abandon, Place::Confirm, json!({})).unwrap();
        let message = envelope.authenticate(&cid, &roster()).unwrap();
        let entry = Entry::of(&message, "file");
        assert_eq!((entry.sender, entry.kind), (index(2), Kind::Abandon));
        assert_eq!((entry.place, entry.id), (Place::Confirm, "file"));
        assert_eq!(entry.message, message.message_hash());
        assert_eq!(&entry.payload, message.header().payload());
        assert_eq!(Board::default().insert(entry), Inserted::New);
    }

    #[test]
    fn a_second_message_is_kept_beside_the_first() {
        let mut board = Board::new();
        assert_eq!(board.insert(deal(1, 5)), Inserted::New);
        let mut copy = deal(1, 5);
        copy.id = 99;
        assert_eq!(board.insert(copy), Inserted::Known);
        assert_eq!(board.insert(deal(2, 6)), Inserted::New);
        assert!(board.equivocations().is_empty());
        assert_eq!(board.insert(deal(1, 3)), Inserted::Second(digest(5)));
        assert_eq!(board.insert(deal(1, 4)), Inserted::Second(digest(3)));
        assert_eq!(ids(board.deals(index(1))), [3, 4, 5]);
        assert_eq!(ids(board.deals(index(2))), [6]);
        assert!(ids(board.deals(index(3))).is_empty());
        let equivocations = board.equivocations();
        assert_eq!(equivocations.len(), 1);
        assert_eq!(equivocations[0].sender, index(1));
        assert_eq!(equivocations[0].place, Place::Deal);
        assert_eq!(ids(equivocations[0].entries.iter().copied()), [3, 4, 5]);
    }

    #[test]
    fn beyond_the_bound_a_message_is_taken_once() {
        let mut board = Board::new();
        assert_eq!(board.insert_beyond(deal(1, 5)), Inserted::New);
        assert_eq!(board.insert_beyond(deal(1, 5)), Inserted::Known);
        assert_eq!(board.insert_beyond(deal(1, 6)), Inserted::Second(digest(5)));
        assert_eq!(ids(board.deals(index(1))), [5, 6]);
    }

    #[test]
    fn confirm_and_abandon_share_a_place() {
        let mut board = Board::new();
        board.insert(entry(1, Kind::Confirm, Place::Confirm, 1));
        assert_eq!(
            board.insert(entry(1, Kind::Abandon, Place::Confirm, 2)),
            Inserted::Second(digest(1))
        );
        assert_eq!(ids(board.confirms(index(1))), [1]);
        assert_eq!(ids(board.abandons(index(1))), [2]);
        assert_eq!(ids(board.at(index(1), &Place::Confirm)), [1, 2]);
        assert_eq!(board.equivocations().len(), 1);
    }

    #[test]
    fn complaints_have_a_place_for_each_deal() {
        let mut board = Board::new();
        let complain = |sender, against, deal, message| {
            entry(sender, Kind::Complain, complaint(against, deal), message)
        };
        for entry in [
            complain(2, 1, 1, 9),
            complain(1, 2, 1, 8),
            complain(1, 2, 2, 7),
        ] {
            assert_eq!(board.insert(entry), Inserted::New);
        }
        assert_eq!(ids(board.complaints()), [7, 8, 9]);
        assert!(board.equivocations().is_empty());
        assert_eq!(
            board.insert(complain(1, 2, 2, 6)),
            Inserted::Second(digest(7))
        );
        assert_eq!(board.equivocations()[0].place, complaint(2, 2));
    }

    #[test]
    fn nobody_fills_the_board() {
        let mut board = Board::new();
        let max = u8::try_from(MAX_MESSAGES).unwrap();
        for n in 0..max {
            assert_ne!(board.insert(deal(1, n)), Inserted::Full);
            // The deals' hashes are made up, so each of these has a place of its own.
            let place = complaint(2, n);
            assert_eq!(
                board.insert(entry(1, Kind::Complain, place, 100 + n)),
                Inserted::New
            );
        }
        assert_eq!(board.insert(deal(1, max)), Inserted::Full);
        let place = complaint(2, max);
        assert_eq!(
            board.insert(entry(1, Kind::Complain, place, 99)),
            Inserted::Full
        );
        assert_eq!(board.insert(deal(1, 0)), Inserted::Known);
        assert_eq!(board.deals(index(1)).count(), MAX_MESSAGES);
        // Other places, other accused and other senders have room.
        let confirm = entry(1, Kind::Confirm, Place::Confirm, 201);
        assert_eq!(board.insert(confirm), Inserted::New);
        let place = complaint(3, max);
        assert_eq!(
            board.insert(entry(1, Kind::Complain, place, 202)),
            Inserted::New
        );
        assert_eq!(board.insert(deal(2, 203)), Inserted::New);
    }

    #[test]
    fn the_order_does_not_depend_on_insertion() {
        let entries = [deal(7, 1), deal(1, 255), deal(2, 3), deal(1, 0), deal(7, 0)];
        let mut forward = Board::new();
        let mut backward = Board::new();
        for (a, b) in entries.iter().zip(entries.iter().rev()) {
            forward.insert(a.clone());
            backward.insert(b.clone());
        }
        assert_eq!(ids(forward.iter()), [0, 255, 3, 0, 1]);
        assert_eq!(ids(backward.iter()), ids(forward.iter()));
        assert_eq!(ids(forward.of(index(1))), [0, 255]);
        assert_eq!(forward.equivocations(), backward.equivocations());
        assert_eq!(forward.equivocations().len(), 2);
    }
}
