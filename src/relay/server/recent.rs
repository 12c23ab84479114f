//! Entries that were read lately. Only what the store gave comes here, not what a writer sent: who
//! reads back what was put learns what the store has.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;

use crate::relay::address::{Place, ShelfName};

/// The most bytes of all that is kept.
const ROOM: usize = 64 << 20;
/// The largest entry that is kept.
const LARGEST: usize = 1 << 20;
/// What an entry takes beside its bytes, about.
const BESIDE: usize = 512;

/// The entries; the oldest make room.
#[derive(Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    entries: HashMap<Place, Bytes>,
    order: VecDeque<Place>,
    room: usize,
}

impl Recent {
    pub(super) fn get(&self, place: &Place) -> Option<Bytes> {
        self.kept().entries.get(place).cloned()
    }

    pub(super) fn add(&self, place: &Place, entry: &Bytes) {
        if entry.len() > LARGEST {
            return;
        }
        // It may be part of a larger piece of memory, as it came from the store.
        let entry = Bytes::copy_from_slice(entry);
        let mut kept = self.kept();
        let room = taken(&entry);
        if kept.entries.insert(*place, entry).is_some() {
            return;
        }
        kept.order.push_back(*place);
        kept.room = kept.room.saturating_add(room);
        while kept.room > ROOM {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            kept.remove(&oldest);
        }
    }

    /// Forgets a shelf that expired: what is put there next may be something else.
    pub(super) fn forget(&self, shelf: &ShelfName) {
        let mut kept = self.kept();
        let (gone, order) = kept
            .order
            .drain(..)
            .partition(|place| place.shelf == *shelf);
        kept.order = order;
        let gone: VecDeque<Place> = gone;
        for place in gone {
            kept.remove(&place);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, place: &Place) {
        if let Some(entry) = self.entries.remove(place) {
            self.room = self.room.saturating_sub(taken(&entry));
        }
    }
}

fn taken(entry: &Bytes) -> usize {
    entry.len().saturating_add(BESIDE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::identity::RelayWriteKey;
    use crate::hash::Digest;
    use crate::relay::address::Label;
    use crate::secret::Secret;

    fn place(shelf: u8, label: u8) -> Place {
        Place {
            shelf: ShelfName::parse(&format!("{shelf:02x}").repeat(32)).unwrap(),
            key: RelayWriteKey::from_seed(&Secret::new([1; 32])).public(),
            label: Label::of(&Digest::from_bytes([label; 32])),
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let recent = Recent::default();
        let entry = Bytes::from(vec![7; LARGEST]);
        for label in 0..=70 {
            recent.add(&place(1, label), &entry);
            recent.add(&place(1, label), &entry);
        }
        let has = |label| recent.get(&place(1, label)).is_some();
        let count = (0..=70).filter(|label| has(*label)).count();
        assert_eq!(count, 63);
        assert!(has(70) && has(8) && !has(7));
        assert_eq!(recent.kept().room, 63 * (LARGEST + BESIDE));
        recent.add(&place(1, 99), &Bytes::from(vec![7; LARGEST + 1]));
        assert!(!has(99));
    }

    #[test]
    fn an_expired_shelf_is_forgotten() {
        let recent = Recent::default();
        let entry = Bytes::from_static(b"entry");
        recent.add(&place(1, 1), &entry);
        recent.add(&place(2, 1), &entry);
        recent.forget(&place(1, 1).shelf);
        assert_eq!(recent.get(&place(1, 1)), None);
        assert_eq!(recent.get(&place(2, 1)), Some(entry.clone()));
        assert_eq!(recent.kept().room, taken(&entry));
        recent.add(&place(1, 1), &Bytes::from_static(b"other"));
        assert_eq!(recent.get(&place(1, 1)).unwrap(), "other");
    }
}
