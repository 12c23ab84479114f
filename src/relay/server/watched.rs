//! The shelves that somebody asked for lately, with their lists: so that whoever waits for news costs
//! nothing, and is woken by what this instance takes at once, by what others take within a poll.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::{Mutex as Turn, watch};

use super::recent::Recent;
use crate::ambient::Clock;
use crate::crypto::identity::RelayKey;
use crate::hash::{Hasher, Tag};
use crate::relay::address::{Label, Listed, Listing, Manifest, Place, ShelfName};
use crate::relay::shelf::{ShelfError, Shelves, Stands};

/// How long a shelf that nobody waits for is remembered.
const IDLE: Duration = Duration::from_secs(60);
/// Shelves that are read at a time.
const AT_ONCE: usize = 16;

/// A shelf's list at one time.
#[derive(Debug, Default)]
pub(super) struct List {
    stands: Stands,
    etag: String,
    /// What everybody who waited is sent: made once.
    body: OnceLock<Bytes>,
}

impl List {
    fn of(stands: Stands) -> Self {
        let mut hasher = Hasher::new(Tag::RELAY_LISTING).int(u64::from(stands.closed));
        for ((key, label), bytes) in &stands.entries {
            hasher.add(key.as_bytes());
            hasher.add(label.as_bytes());
            hasher.add(&bytes.to_be_bytes());
        }
        let etag = format!("\"{}\"", hasher.finish());
        Self {
            stands,
            etag,
            body: OnceLock::new(),
        }
    }

    /// Whether the shelf is closed.
    pub(super) fn closed(&self) -> bool {
        self.stands.closed
    }

    /// Whether every one of these keys said that it needs nothing more.
    pub(super) fn done(&self, keys: &[RelayKey]) -> bool {
        keys.iter()
            .all(|key| self.stands.entries.contains_key(&(*key, Label::DONE)))
    }

    /// What tells this list from any other.
    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    /// Whether an entry is on it.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.stands.entries.contains_key(&(place.key, place.label))
    }

    /// The entries of a write key.
    pub(super) fn count(&self, key: &RelayKey) -> usize {
        self.stands
            .entries
            .keys()
            .filter(|(owner, _)| owner == key)
            .count()
    }

    /// The bytes of all entries.
    pub(super) fn bytes(&self) -> u64 {
        self.stands
            .entries
            .values()
            .fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// The list as it goes out, JSON.
    pub(super) fn body(&self) -> Bytes {
        let listed = |((key, label), bytes): (&(RelayKey, _), &u64)| Listed {
            key: *key,
            label: *label,
            bytes: *bytes,
        };
        let body = self.body.get_or_init(|| {
            let listing = Listing {
                entries: self.stands.entries.iter().map(listed).collect(),
            };
            serde_json::to_vec(&listing).unwrap_or_default().into()
        });
        body.clone()
    }
}

/// One of these shelves.
pub(super) struct Shelf {
    pub(super) manifest: Manifest,
    list: watch::Sender<Arc<List>>,
    touched: AtomicU64,
    /// Readings of the store's list that began, counted.
    begun: AtomicU64,
    /// The last one that ended: its number, and how it ended.
    ended: Turn<(u64, Result<bool, ShelfError>)>,
    /// When the last good one began, in milliseconds of the clock.
    read: AtomicU64,
}

impl Shelf {
    /// The list as it is known now.
    pub(super) fn list(&self) -> Arc<List> {
        Arc::clone(&self.list.borrow())
    }

    /// Follows the list.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<List>> {
        self.list.subscribe()
    }

    /// Adds what stands; nothing is ever taken off but with the whole shelf.
    fn add(&self, more: Stands) {
        self.list.send_if_modified(|list| {
            let had = &list.stands;
            let fresh = more
                .entries
                .keys()
                .any(|place| !had.entries.contains_key(place));
            if !fresh && (had.closed || !more.closed) {
                return false;
            }
            let mut stands = had.clone();
            stands.closed |= more.closed;
            stands.entries.extend(more.entries);
            *list = Arc::new(List::of(stands));
            true
        });
    }

    /// Notes that it was closed here.
    pub(super) fn close(&self) {
        self.add(Stands {
            closed: true,
            ..Stands::default()
        });
    }

    /// Adds an entry that was stored here.
    pub(super) fn stored(&self, place: &Place, bytes: u64) {
        self.add(Stands {
            entries: [((place.key, place.label), bytes)].into(),
            closed: false,
        });
    }
}

/// These shelves.
pub(super) struct Watched {
    shelves: Shelves,
    clock: Arc<dyn Clock + Send + Sync>,
    known: Mutex<HashMap<ShelfName, Arc<Shelf>>>,
    recent: Recent,
}

impl Watched {
    pub(super) fn new(shelves: Shelves, clock: Arc<dyn Clock + Send + Sync>) -> Self {
        Self {
            shelves,
            clock,
            known: Mutex::default(),
            recent: Recent::default(),
        }
    }

    /// Returns a shelf, with a list that is at most a poll old; nothing if there is none.
    pub(super) async fn get(&self, name: &ShelfName) -> Result<Option<Arc<Shelf>>, ShelfError> {
        let now = self.clock.elapsed().as_secs();
        let known = self.known().get(name).cloned();
        let shelf = match known {
            Some(shelf) => shelf,
            None => {
                let Some(manifest) = self.shelves.manifest(name).await? else {
                    return Ok(None);
                };
                let read = AtomicU64::new(self.milliseconds());
                let Some(stands) = self.shelves.list(name).await? else {
                    return Ok(None);
                };
                let list = List::of(stands);
                let shelf = Arc::new(Shelf {
                    manifest,
                    list: watch::Sender::new(Arc::new(list)),
                    touched: AtomicU64::new(now),
                    begun: AtomicU64::new(0),
                    ended: Turn::new((0, Ok(true))),
                    read,
                });
                Arc::clone(self.known().entry(*name).or_insert(shelf))
            }
        };
        shelf.touched.store(now, Ordering::Relaxed);
        Ok(Some(shelf))
    }

    /// Reads an entry. It never changes, and when it comes everybody wants it.
    pub(super) async fn entry(&self, place: &Place) -> Result<Option<Bytes>, ShelfError> {
        if let Some(entry) = self.recent.get(place) {
            return Ok(Some(entry));
        }
        let entry = self.shelves.get(place).await?;
        if let Some(entry) = &entry {
            self.recent.add(place, entry);
        }
        Ok(entry)
    }

    /// Reads the store's list of a shelf now. Says whether it is still the shelf that was known: one
    /// that another instance closed or let expire is forgotten, also if it was made anew since, which
    /// is seen by what it lacks.
    pub(super) async fn reread(
        &self,
        name: &ShelfName,
        shelf: &Arc<Shelf>,
    ) -> Result<bool, ShelfError> {
        // When news come all who waited ask: a reading that began after this call is as good as an
        // own one, however it ended.
        let begun = shelf.begun.load(Ordering::SeqCst);
        let mut ended = shelf.ended.lock().await;
        if ended.0 > begun {
            return ended.1.clone();
        }
        let number = shelf.begun.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let read = self.read(name, shelf).await;
        *ended = (number, read.clone());
        read
    }

    async fn read(&self, name: &ShelfName, shelf: &Arc<Shelf>) -> Result<bool, ShelfError> {
        let (before, now) = (shelf.list(), self.milliseconds());
        let stands = self.shelves.list(name).await?;
        shelf.read.store(now, Ordering::Relaxed);
        let lasts = |stands: &Stands| {
            let mut known = before.stands.entries.keys();
            known.all(|at| stands.entries.contains_key(at))
        };
        if let Some(stands) = stands.filter(lasts) {
            shelf.add(stands);
            return Ok(true);
        }
        self.recent.forget(name);
        let mut known = self.known();
        if known
            .get(name)
            .is_some_and(|other| Arc::ptr_eq(other, shelf))
        {
            known.remove(name);
        }
        Ok(false)
    }

    /// Rereads all but those that were read just now, and forgets those that nobody asked for.
    pub(super) async fn refresh(&self, every: Duration) -> Result<(), ShelfError> {
        let now = self.clock.elapsed().as_secs();
        let half = u64::try_from(every.as_millis()).unwrap_or(u64::MAX) / 2;
        let fresh = self.milliseconds().saturating_sub(half);
        let all: Vec<(ShelfName, Arc<Shelf>)> = {
            let mut known = self.known();
            known.retain(|_, shelf| {
                let idle = now.saturating_sub(shelf.touched.load(Ordering::Relaxed));
                shelf.list.receiver_count() > 0 || idle < IDLE.as_secs()
            });
            known
                .iter()
                .filter(|(_, shelf)| shelf.read.load(Ordering::Relaxed) <= fresh)
                .map(|(name, shelf)| (*name, Arc::clone(shelf)))
                .collect()
        };
        let results: Vec<Result<(), ShelfError>> = stream::iter(all)
            .map(|(name, shelf)| async move { self.reread(&name, &shelf).await.map(|_| ()) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        results.into_iter().collect()
    }

    /// Forgets a shelf that expired.
    pub(super) fn drop_shelf(&self, name: &ShelfName) {
        self.known().remove(name);
        self.recent.forget(name);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<ShelfName, Arc<Shelf>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;
    use object_store::throttle::{ThrottleConfig, ThrottledStore};

    use super::*;
    use crate::ambient::SystemClock;
    use crate::crypto::identity::RelayWriteKey;
    use crate::hash::Digest;
    use crate::relay::address::{Label, ReadToken};
    use crate::secret::Secret;

    async fn watched() -> (Watched, Manifest, RelayKey) {
        let slow = ThrottleConfig {
            wait_list_per_call: Duration::from_millis(30),
            ..ThrottleConfig::default()
        };
        let store = Arc::new(ThrottledStore::new(InMemory::new(), slow));
        let shelves = Shelves::over(store, "");
        let key = RelayWriteKey::from_seed(&Secret::new([1; 32])).public();
        let reader = ReadToken::new(Secret::new([2; 32])).reader();
        let manifest = Manifest::new([3; 32], reader, vec![key]).unwrap();
        shelves.make(&manifest).await.unwrap();
        let watched = Watched::new(shelves, Arc::new(SystemClock::new()));
        (watched, manifest, key)
    }

    fn place(manifest: &Manifest, key: RelayKey, label: u8) -> Place {
        Place {
            shelf: manifest.name(),
            key,
            label: Label::of(&Digest::from_bytes([label; 32])),
        }
    }

    #[tokio::test]
    async fn who_asks_at_one_time_shares_a_reading() {
        let (watched, manifest, key) = watched().await;
        let name = manifest.name();
        let shelf = watched.get(&name).await.unwrap().unwrap();
        let place = place(&manifest, key, 1);
        watched
            .shelves
            .put(&place, Bytes::from_static(b"x"))
            .await
            .unwrap();
        let all = futures_util::future::join_all((0..10).map(|_| watched.reread(&name, &shelf)));
        assert!(all.await.into_iter().all(|read| read.is_ok()));
        // One that had begun when the others asked is not good enough for them.
        assert_eq!(shelf.begun.load(Ordering::SeqCst), 2);
        assert!(shelf.list().has(&place));
        watched.reread(&name, &shelf).await.unwrap();
        assert_eq!(shelf.begun.load(Ordering::SeqCst), 3);
        // Read just now, so the poll leaves it alone; once it is not, the poll reads it.
        watched.refresh(Duration::from_secs(3600)).await.unwrap();
        assert_eq!(shelf.begun.load(Ordering::SeqCst), 3);
        watched.refresh(Duration::ZERO).await.unwrap();
        assert_eq!(shelf.begun.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn what_is_not_in_the_store_is_not_kept() {
        let (watched, manifest, key) = watched().await;
        let place = place(&manifest, key, 1);
        assert_eq!(watched.entry(&place).await, Ok(None));
        let entry = Bytes::from_static(b"entry");
        watched.shelves.put(&place, entry.clone()).await.unwrap();
        assert_eq!(watched.entry(&place).await, Ok(Some(entry.clone())));
        assert_eq!(watched.recent.get(&place), Some(entry));
        watched.drop_shelf(&place.shelf);
        assert_eq!(watched.recent.get(&place), None);
    }
}
