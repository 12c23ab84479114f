//! Sign: signatures by keys of a cluster. One round, *partial*, of which any t valid ones suffice.
//!
//! [`Signing`] reads a board and says what follows from it. All partials are verified in one product
//! of pairings, together with the signatures that they combine to; whose is bad is looked for only
//! when that fails. Of the senders with a valid partial the t smallest indices are combined, and any t
//! would give the same bytes.

pub mod memo;
pub mod operator;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ceremony::evidence::{Fault, FaultKind};
use crate::ceremony::flow::sign::memo::{Finding, Memo, Rows};
use crate::ceremony::outcome::SignOutcome;
use crate::ceremony::plan::SignPlan;
use crate::ceremony::step::{AwaitedPartials, MessageRef, SessionError};
use crate::ceremony::{Messages, Observer, Stage, observed};
use crate::crypto::bls::SigningRoot;
use crate::crypto::point::G2;
use crate::hash::{Digest, Hasher, Tag};
use crate::protocol::ProtocolError;
use crate::protocol::confirm;
use crate::protocol::partial::{self, PartialFault, PartialPayload};
use crate::wire::board::{Board, Entry};
use crate::wire::envelope::Envelope;
use crate::wire::roster::Index;

/// A message on the board of a session.
pub type Message = Entry<MessageRef>;

/// The plan's messages, key by key: what batches of signatures are checked over.
#[derive(Debug)]
pub struct Layout {
    roots: Vec<Vec<SigningRoot>>,
    /// Of every key, its messages' positions in the plan.
    order: Vec<Vec<usize>>,
}

/// A signing ceremony's board, and what is needed to read it.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    /// The plan.
    pub plan: SignPlan<'a>,
    /// Its messages, key by key.
    pub layout: &'a Layout,
    /// The board.
    pub board: &'a Board<MessageRef>,
    /// What was found out before.
    pub memo: &'a Memo,
    /// The messages' bytes.
    pub messages: &'a dyn Messages,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// What the partials on a board lead to.
#[derive(Debug)]
pub struct Looked {
    /// The signatures, once t operators' partials are valid.
    pub outcome: Option<SignOutcome>,
    /// What is still needed for that, and of whom it can come.
    pub awaited: AwaitedPartials,
    /// Proved misbehaviour. It ends nothing.
    pub faults: Vec<Fault>,
}

impl Layout {
    /// Lays the messages of a plan out.
    pub fn of(plan: SignPlan<'_>) -> Self {
        let keys = plan.positions().len();
        let (mut roots, mut order) = (vec![Vec::new(); keys], vec![Vec::new(); keys]);
        for (position, (message, root)) in plan.messages().iter().zip(plan.roots()).enumerate() {
            let places = (roots.get_mut(message.key), order.get_mut(message.key));
            if let (Some(roots), Some(order)) = places {
                roots.push(*root);
                order.push(position);
            }
        }
        Self { roots, order }
    }

    /// Sorts signatures in the plan's order by key.
    fn rows(&self, signatures: &[G2]) -> Option<Rows> {
        let row = |positions: &Vec<usize>| {
            let signature = |position: &usize| signatures.get(*position).copied();
            positions.iter().map(signature).collect()
        };
        self.order.iter().map(row).collect()
    }

    /// Sorts signatures by key back into the plan's order.
    fn flat(&self, rows: &Rows) -> Vec<G2> {
        let cells = self.order.iter().zip(rows);
        let cells = cells.flat_map(|(positions, row)| positions.iter().zip(row));
        let sorted: BTreeMap<usize, G2> = cells.map(|(at, point)| (*at, *point)).collect();
        sorted.into_values().collect()
    }

    fn position(&self, key: usize, message: usize) -> usize {
        let of_key = self.order.get(key);
        let position = of_key.and_then(|positions| positions.get(message));
        position.copied().unwrap_or(usize::MAX)
    }
}

impl<'a> Signing<'a> {
    fn indices(&self) -> impl Iterator<Item = Index> + use<'a> {
        let roster = self.plan.plan().roster();
        roster.iter().map(|operator| operator.index)
    }

    /// Checks all partials, and combines when t operators have a valid one. `seed` weighs the batch:
    /// local randomness, or nothing for an auditor, who hashes all that the check reads.
    pub fn look(&self, seed: Option<&[u8; 32]>) -> Result<Looked, SessionError> {
        let threshold = self.plan.threshold();
        let mut valid: BTreeMap<usize, Arc<Rows>> = BTreeMap::new();
        let mut outcome = self.memo.outcome();
        // Of every operator its messages, by hash; a turn takes one of each that has no valid one.
        let mut left: Vec<(usize, Vec<&Message>)> = self
            .indices()
            .enumerate()
            .map(|(at, index)| (at, self.board.partials(index).collect()))
            .collect();
        for (_, messages) in &mut left {
            messages.reverse();
        }
        loop {
            let mut new: Vec<(usize, &Message, Arc<Rows>)> = Vec::new();
            for (at, messages) in &mut left {
                while !valid.contains_key(at)
                    && let Some(message) = messages.pop()
                {
                    match self.finding(message)? {
                        Finding::Valid(rows) => {
                            valid.insert(*at, rows);
                        }
                        Finding::Read(rows) => {
                            new.push((*at, message, rows));
                            break;
                        }
                        Finding::Wrong(_) => {}
                    }
                }
            }
            let enough = valid.len().saturating_add(new.len()) >= threshold;
            if new.is_empty() && (outcome.is_some() || !enough) {
                break;
            }
            let mut present: Vec<(usize, Shared)> = new
                .iter()
                .map(|(at, _, rows)| (*at, Shared(Arc::clone(rows))))
                .collect();
            let seed = seed.copied().unwrap_or_else(|| self.audit_seed(&new));
            let sharing = self.plan.sharing();
            let bad = if enough && outcome.is_none() {
                let known = valid.iter();
                present.extend(known.map(|(at, rows)| (*at, Shared(Arc::clone(rows)))));
                present.sort_by_key(|(at, _)| *at);
                let combined = observed(self.observer, Stage::Finalise, || {
                    confirm::combine(sharing, &self.layout.roots, &present, &seed)
                })?;
                match combined {
                    Ok(rows) => {
                        let signatures = self.layout.flat(&rows);
                        outcome = Some(SignOutcome::new(self.plan, signatures));
                        Vec::new()
                    }
                    Err(bad) => bad,
                }
            } else {
                observed(self.observer, Stage::Finalise, || {
                    confirm::check(sharing, &self.layout.roots, &present, &seed)
                })?
            };
            if new.is_empty() && !bad.is_empty() {
                // All of them were valid before.
                return Err(ProtocolError::Count.into());
            }
            // Whoever is not named when one is bad was checked alone.
            for (at, message, rows) in new {
                let finding = match bad.iter().find(|bad| bad.operator == at) {
                    Some(bad) => Finding::Wrong(PartialFault::Invalid {
                        message: self.layout.position(bad.validator, bad.message),
                    }),
                    None => {
                        valid.insert(at, Arc::clone(&rows));
                        Finding::Valid(rows)
                    }
                };
                self.memo.keep(message.message, &finding);
            }
        }
        if let Some(outcome) = &outcome {
            self.memo.complete(outcome);
        }
        Ok(Looked {
            awaited: AwaitedPartials {
                needed: threshold.saturating_sub(valid.len()),
                of: self
                    .indices()
                    .filter(|index| self.board.partials(*index).next().is_none())
                    .collect(),
            },
            faults: self.faults()?,
            outcome,
        })
    }

    /// Whether a message alone is a valid partial of its sender, who has none on the board.
    pub fn counts(&self, message: &Message) -> Result<bool, SessionError> {
        for other in self.board.partials(message.sender) {
            if matches!(self.memo.finding(&other.message), Some(Finding::Valid(_))) {
                return Ok(false);
            }
        }
        let Finding::Read(rows) = self.read(message)? else {
            return Ok(false);
        };
        let at = self.position(message.sender)?;
        let seed = self.audit_seed(&[(at, message, Arc::clone(&rows))]);
        let bad = confirm::check(
            self.plan.sharing(),
            &self.layout.roots,
            &[(at, Shared(rows))],
            &seed,
        )?;
        Ok(bad.is_empty())
    }

    fn finding(&self, message: &Message) -> Result<Finding, SessionError> {
        if let Some(finding) = self.memo.finding(&message.message) {
            return Ok(finding);
        }
        let finding = self.read(message)?;
        self.memo.keep(message.message, &finding);
        Ok(finding)
    }

    /// Reads a partial as far as that goes without arithmetic on its signatures.
    fn read(&self, message: &Message) -> Result<Finding, SessionError> {
        let bytes = self.messages.load(&message.id.id)?;
        let changed = || SessionError::Changed(message.id.id.clone());
        let authenticated = Envelope::take(bytes)
            .and_then(|envelope| envelope.authenticate(self.plan.cid(), self.plan.roster()))
            .map_err(|_| changed())?;
        if authenticated.message_hash() != message.message {
            return Err(changed());
        }
        let payload = match authenticated.decode::<PartialPayload>() {
            Ok(payload) => payload,
            Err(error) => {
                return Ok(Finding::Wrong(PartialFault::Malformed(error.to_string())));
            }
        };
        let messages = self.plan.messages().len();
        let decoded = observed(self.observer, Stage::Finalise, || {
            partial::decode(messages, &payload)
        });
        Ok(match decoded {
            Ok(signatures) => {
                let rows = self.layout.rows(&signatures);
                Finding::Read(Arc::new(rows.ok_or(ProtocolError::Count)?))
            }
            Err(fault) => Finding::Wrong(fault),
        })
    }

    /// Who sent a wrong partial, and who two different ones: signatures are deterministic, so one of
    /// them is wrong.
    fn faults(&self) -> Result<Vec<Fault>, SessionError> {
        let mut faults = Vec::new();
        for message in self.indices().flat_map(|index| self.board.partials(index)) {
            if let Finding::Wrong(fault) = self.finding(message)? {
                faults.push(Fault {
                    accused: message.sender,
                    kind: FaultKind::Partial(fault),
                    proof: vec![message.id.id.clone()],
                });
            }
        }
        for equivocation in self.board.equivocations() {
            let proof = equivocation.entries.iter().take(2);
            faults.push(Fault {
                accused: equivocation.sender,
                kind: FaultKind::Equivocation(equivocation.place.round()),
                proof: proof.map(|entry| entry.id.id.clone()).collect(),
            });
        }
        Ok(faults)
    }

    fn position(&self, index: Index) -> Result<usize, SessionError> {
        let position = self.plan.roster().position(index);
        position.ok_or(SessionError::NotAnOperator)
    }

    /// An auditor's weights: a hash of everything that the check reads.
    fn audit_seed(&self, new: &[(usize, &Message, Arc<Rows>)]) -> [u8; 32] {
        let mut hasher = Hasher::new(Tag::AUDIT_PARTIALS).bytes(self.plan.cid().as_bytes());
        // Whoever has a valid partial is weighed anew, so it is hashed as well.
        for message in self.indices().flat_map(|index| self.board.partials(index)) {
            hasher.add(message.message.as_bytes());
        }
        for (_, message, _) in new {
            hasher.add(message.message.as_bytes());
        }
        let seed: Digest = hasher.finish();
        *seed.as_bytes()
    }
}

/// Decoded signatures that several hold.
struct Shared(Arc<Rows>);

impl AsRef<[Vec<G2>]> for Shared {
    fn as_ref(&self) -> &[Vec<G2>] {
        &self.0
    }
}
