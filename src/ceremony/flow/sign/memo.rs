//! What a session has found out about partials, so that it does not find it out again at each look.
//!
//! Everything is kept under the hash of a message that this process read, authenticated and checked.
//! What does not fit is found out again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ceremony::outcome::SignOutcome;
use crate::crypto::point::G2;
use crate::hash::Digest;
use crate::protocol::partial::PartialFault;

/// The most that a session keeps of decoded signatures, in bytes: some twenty partials over 10,000
/// messages.
pub const MAX_MEMO_BYTES: usize = 64 * 1024 * 1024;

/// The signatures of one partial, key by key.
pub type Rows = Vec<Vec<G2>>;

/// What is known of a partial.
#[derive(Debug, Clone)]
pub enum Finding {
    /// It is wrong by itself.
    Wrong(PartialFault),
    /// Count and encodings are right; nothing is verified yet.
    Read(Arc<Rows>),
    /// Every signature verifies.
    Valid(Arc<Rows>),
}

/// The findings of one session.
#[derive(Debug, Default)]
pub struct Memo(Mutex<Findings>);

#[derive(Debug, Default)]
struct Findings {
    used: usize,
    found: BTreeMap<Digest, Finding>,
    outcome: Option<SignOutcome>,
}

impl Memo {
    /// What is known of a message.
    pub fn finding(&self, message: &Digest) -> Option<Finding> {
        self.lock().found.get(message).cloned()
    }

    /// Keeps a finding, if there is room; a later one replaces an earlier.
    pub fn keep(&self, message: Digest, finding: &Finding) {
        let mut findings = self.lock();
        let before = findings.found.get(&message).map_or(0, size);
        let used = findings.used.saturating_sub(before);
        let used = used.saturating_add(size(finding));
        if used <= MAX_MEMO_BYTES {
            findings.used = used;
            findings.found.insert(message, finding.clone());
        }
    }

    /// The outcome, once it was found.
    pub fn outcome(&self) -> Option<SignOutcome> {
        self.lock().outcome.clone()
    }

    /// Keeps the outcome: complete is complete, and there is one only.
    pub fn complete(&self, outcome: &SignOutcome) {
        self.lock().outcome.get_or_insert_with(|| outcome.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Findings> {
        // Whoever panicked while holding it left true statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About how many bytes a finding takes.
fn size(finding: &Finding) -> usize {
    match finding {
        Finding::Wrong(PartialFault::Malformed(text)) => text.len(),
        Finding::Wrong(_) => 64,
        Finding::Read(rows) | Finding::Valid(rows) => rows
            .iter()
            .map(|row| size_of_val(row.as_slice()).saturating_add(size_of::<Vec<G2>>()))
            .fold(0, usize::saturating_add),
    }
}
