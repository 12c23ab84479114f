//! What a session has found out about messages, so that it does not find it out again at each look.
//!
//! Everything is kept under the hash of a message that this process read, authenticated and checked;
//! that hash covers every byte that the finding rests on. What does not fit is found out again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::hash::Digest;
use crate::protocol::complaint::{FalseComplaint, Judgement};
use crate::protocol::confirm::{ConfirmFault, Partials};
use crate::protocol::deal::DealFault;

/// The most that a session keeps of findings, in bytes: three times what 10,000 validators among seven
/// operators take.
pub const MAX_MEMO_BYTES: usize = 64 * 1024 * 1024;

/// A confirm, read as far as that goes without the deals that it names.
#[derive(Debug)]
pub struct ConfirmFacts {
    /// The transcript that it confirms.
    pub transcript: Digest,
    /// The payload hashes of the deals that it shows.
    pub deals: Vec<Digest>,
    /// Its partial signatures, not verified yet, if its counts and encodings are right and the
    /// dealers signed the deals.
    pub partials: Result<Partials, ConfirmFault>,
}

/// A confirm, or why it is none.
pub type Confirm = Result<ConfirmFacts, ConfirmFault>;

/// The keys of a valid deal that no other deal may have, or what is wrong with it.
pub type Deal = Result<Vec<[u8; 48]>, DealFault>;

/// What a complaint comes to.
#[derive(Debug)]
pub enum Verdict {
    /// The deal fails a public check.
    Deal(DealFault),
    /// The deal's shares, or the complaint, were judged.
    Judged(Judgement),
}

/// The findings of one session.
#[derive(Debug)]
pub struct Memo(Mutex<Findings>);

#[derive(Debug)]
struct Findings {
    room: usize,
    verified: BTreeSet<(Digest, Digest)>,
    confirms: BTreeMap<Digest, Arc<Confirm>>,
    unsigned: BTreeMap<Digest, Arc<Option<Digest>>>,
    deals: BTreeMap<Digest, Arc<Deal>>,
    verdicts: BTreeMap<Digest, Arc<Verdict>>,
}

impl Default for Memo {
    fn default() -> Self {
        Self(Mutex::new(Findings {
            room: MAX_MEMO_BYTES,
            verified: BTreeSet::new(),
            confirms: BTreeMap::new(),
            unsigned: BTreeMap::new(),
            deals: BTreeMap::new(),
            verdicts: BTreeMap::new(),
        }))
    }
}

impl Memo {
    /// Whether the partial signatures of a confirm were verified while others were awaited. The
    /// transcript and the message hash together name every byte of the check; what completes a
    /// ceremony is verified as a whole all the same.
    pub fn is_verified(&self, transcript: Digest, message: Digest) -> bool {
        self.lock().verified.contains(&(transcript, message))
    }

    /// Keeps that the partial signatures of these confirms were verified, or made here.
    pub fn verified(&self, transcript: Digest, messages: impl Iterator<Item = Digest>) {
        self.lock()
            .verified
            .extend(messages.map(|message| (transcript, message)));
    }

    /// The confirm of a message hash, read by `find` if it is not known.
    pub fn confirm<E>(
        &self,
        message: Digest,
        find: impl FnOnce() -> Result<Confirm, E>,
    ) -> Result<Arc<Confirm>, E> {
        self.recall(message, find, |findings| &mut findings.confirms)
    }

    /// The hash of what a confirm says without its dealers' signatures; nothing for what is none.
    pub fn unsigned<E>(
        &self,
        message: Digest,
        find: impl FnOnce() -> Result<Option<Digest>, E>,
    ) -> Result<Option<Digest>, E> {
        let found = self.recall(message, find, |findings| &mut findings.unsigned)?;
        Ok(*found)
    }

    /// The deal of a message hash, checked by `find` if it is not known.
    pub fn deal<E>(
        &self,
        message: Digest,
        find: impl FnOnce() -> Result<Deal, E>,
    ) -> Result<Arc<Deal>, E> {
        self.recall(message, find, |findings| &mut findings.deals)
    }

    /// The verdict on a complaint, if it is known.
    pub fn verdict(&self, message: Digest) -> Option<Arc<Verdict>> {
        self.lock().verdicts.get(&message).cloned()
    }

    /// Keeps a verdict.
    pub fn judged(&self, message: Digest, verdict: Verdict) -> Arc<Verdict> {
        let verdict = Arc::new(verdict);
        self.keep(message, &verdict, |findings| &mut findings.verdicts);
        verdict
    }

    fn recall<T: Size, E>(
        &self,
        message: Digest,
        find: impl FnOnce() -> Result<T, E>,
        shelf: impl Fn(&mut Findings) -> &mut BTreeMap<Digest, Arc<T>>,
    ) -> Result<Arc<T>, E> {
        if let Some(known) = shelf(&mut self.lock()).get(&message) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(find()?);
        self.keep(message, &found, shelf);
        Ok(found)
    }

    fn keep<T: Size>(
        &self,
        message: Digest,
        found: &Arc<T>,
        shelf: impl Fn(&mut Findings) -> &mut BTreeMap<Digest, Arc<T>>,
    ) {
        const ENTRY: usize = 256;
        let mut findings = self.lock();
        let size = found.size().saturating_add(ENTRY);
        if let Some(room) = findings.room.checked_sub(size) {
            findings.room = room;
            shelf(&mut findings).insert(message, Arc::clone(found));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Findings> {
        // Whoever panicked while holding it left true statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how many bytes a finding takes beyond its entry.
trait Size {
    fn size(&self) -> usize;
}

impl Size for Confirm {
    fn size(&self) -> usize {
        let Ok(facts) = self else { return 0 };
        let partials = facts.partials.as_ref().map_or(0, |rows| {
            rows.iter()
                .map(|row| size_of_val(row.as_slice()).saturating_add(size_of::<Vec<u8>>()))
                .sum()
        });
        size_of_val(facts.deals.as_slice()).saturating_add(partials)
    }
}

impl Size for Option<Digest> {
    fn size(&self) -> usize {
        0
    }
}

impl Size for Deal {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, |keys| size_of_val(keys.as_slice()))
    }
}

impl Size for Verdict {
    fn size(&self) -> usize {
        match self {
            Self::Judged(Judgement::Dealer { validators }) => size_of_val(validators.as_slice()),
            Self::Judged(Judgement::Complainer(FalseComplaint::Malformed(text))) => text.len(),
            Self::Judged(Judgement::Complainer(_)) | Self::Deal(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_found_out_again() {
        let memo = Memo::default();
        let message = |byte| Digest::from_bytes([byte; 32]);
        let keys = |count: usize| Ok::<Deal, ()>(Ok(vec![[0; 48]; count]));
        memo.deal(message(1), || keys(3)).unwrap();
        memo.lock().room = 1024;
        memo.deal(message(2), || keys(100)).unwrap();
        memo.deal(message(3), || keys(2)).unwrap();
        let again = |byte| memo.deal(message(byte), || Err(())).is_err();
        assert!(!again(1) && again(2) && !again(3));
        assert!(memo.lock().room < 1024);
    }
}
