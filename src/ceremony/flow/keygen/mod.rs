//! Keygen: a new key for every validator. Rounds *deal* and *confirm*.
//!
//! [`Keygen`] reads a board message by message and says what follows from it: a sharing, faults, an
//! outcome. It holds one deal at a time; what it keeps are running sums.

mod confirms;
mod examine;
pub mod memo;
pub mod operator;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::ceremony::evidence::{Collision, Fault, FaultKind};
use crate::ceremony::flow::keygen::memo::{Confirm, Memo, Verdict};
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::KeygenPlan;
use crate::ceremony::step::{MessageRef, SessionError};
use crate::ceremony::{Messages, Observer, Stage, observed};
use crate::crypto::sharing::Sharing;
use crate::hash::{Digest, Hasher, Tag};
use crate::json::{self, Hex};
use crate::protocol::complaint::{self, ComplaintPayload, FalseComplaint, Judgement};
use crate::protocol::confirm::{ConfirmPayload, SeenDeal};
use crate::protocol::deal::{self, Aggregate, CheckedDeal, DealFault, DealPayload};
use crate::protocol::{Params, ProtocolError};
use crate::wire::board::{Board, Entry};
use crate::wire::envelope::{Envelope, Kind, Place};
use crate::wire::roster::Index;

/// A message on the board of a session.
pub type Message = Entry<MessageRef>;

/// A keygen's board, and what is needed to read it.
#[derive(Clone, Copy)]
pub struct Keygen<'a> {
    /// The plan.
    pub plan: KeygenPlan<'a>,
    /// The plan's parameters.
    pub params: &'a Params,
    /// The board.
    pub board: &'a Board<MessageRef>,
    /// What was found out before.
    pub memo: &'a Memo,
    /// The messages' bytes.
    pub messages: &'a dyn Messages,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// What all n deals together lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dealt {
    /// The public side of the keys.
    pub sharing: Sharing,
    /// The transcript T.
    pub transcript: Digest,
    /// Every deal, as a confirm shows it.
    pub seen: Vec<SeenDeal>,
}

/// A confirm that is one, as far as that shows without the deals that it names.
#[derive(Debug)]
pub struct ReadConfirm<'a> {
    /// The message.
    pub message: &'a Message,
    confirm: Arc<Confirm>,
}

/// What is wrong on a board.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrong {
    /// Proved misbehaviour.
    pub faults: Vec<Fault>,
    /// What ends the ceremony without blame.
    pub collisions: Vec<Collision>,
}

/// What the confirms lead to.
#[derive(Debug)]
pub enum Finalised {
    /// All n are valid over one transcript.
    Complete(Box<KeygenOutcome>),
    /// These operators' confirms are missing.
    Missing(Vec<Index>),
    /// These faults are proved and somebody has no valid confirm.
    Faulty(Vec<Fault>),
}

impl Wrong {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty() && self.collisions.is_empty()
    }

    fn add(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Adds what another look found.
    pub fn extend(&mut self, other: Self) {
        other.faults.into_iter().for_each(|fault| self.add(fault));
        self.collisions.extend(other.collisions);
    }
}

/// The faults that complaints prove, and the complaints (by, against) whose deal is not there.
pub type Complaints = (Vec<Fault>, Vec<(Index, Index)>);

/// Who takes what each checked deal holds; an operator opens its shares here.
pub type Sink<'s> = dyn FnMut(&CheckedDeal, &Message) -> Result<(), SessionError> + 's;

impl<'a> Keygen<'a> {
    /// The indices in roster order.
    fn indices(&self) -> impl Iterator<Item = Index> + use<'a> {
        let roster = self.plan.plan().roster();
        roster.iter().map(|operator| operator.index)
    }

    /// The deals, one an operator in roster order, if each operator has exactly one.
    pub fn only_deals(&self) -> Option<Vec<&'a Message>> {
        self.indices()
            .map(|index| {
                let mut deals = self.board.deals(index);
                deals.next().filter(|_| deals.next().is_none())
            })
            .collect()
    }

    /// Operators without a deal.
    pub fn missing_deals(&self) -> Vec<Index> {
        self.indices()
            .filter(|index| self.board.deals(*index).next().is_none())
            .collect()
    }

    /// Operators that abandoned and did not confirm.
    pub fn abandoned(&self) -> Vec<Index> {
        let gone = |index: &Index| {
            self.board.abandons(*index).next().is_some()
                && self.board.confirms(*index).next().is_none()
        };
        self.indices().filter(gone).collect()
    }

    /// Two different messages of one sender in one place.
    ///
    /// Confirms that differ in the dealers' signatures only say the same: a dealer can sign one deal
    /// twice, and an operator restored to before its confirm may meet the other signature. That must
    /// not make an equivocator of it.
    pub fn equivocations(&self) -> Result<Vec<Fault>, SessionError> {
        let mut faults = Vec::new();
        for equivocation in self.board.equivocations() {
            let mut said: Vec<(Option<Digest>, &Message)> = Vec::new();
            for entry in equivocation.entries {
                let says = self.unsigned_confirm(entry)?;
                let known =
                    |(other, _): &(Option<Digest>, &Message)| says.is_some() && *other == says;
                if !said.iter().any(known) {
                    said.push((says, entry));
                }
            }
            if let [(_, first), (_, second), ..] = said.as_slice() {
                faults.push(Fault {
                    accused: equivocation.sender,
                    kind: FaultKind::Equivocation(equivocation.place.round()),
                    proof: vec![first.id.id.clone(), second.id.id.clone()],
                });
            }
        }
        Ok(faults)
    }

    /// The hash of what a confirm says, without the signatures that it shows; nothing for other
    /// messages.
    fn unsigned_confirm(&self, message: &Message) -> Result<Option<Digest>, SessionError> {
        if message.kind != Kind::Confirm {
            return Ok(None);
        }
        self.memo.unsigned(message.message, || {
            let Ok(mut payload) = self.payload::<ConfirmPayload>(message)? else {
                return Ok(None);
            };
            for seen in &mut payload.deals {
                seen.signature = Hex([0; 64]);
            }
            let hasher = Hasher::new(Tag::PAYLOAD).bytes(&json::canonical(&payload)?);
            Ok(Some(hasher.finish()))
        })
    }

    /// Checks every deal that is there on its own, and whether two dealers' deals share a key.
    pub fn check_deals_alone(&self) -> Result<Wrong, SessionError> {
        let mut wrong = Wrong::default();
        let mut keys = BTreeMap::new();
        for message in self.indices().flat_map(|index| self.board.deals(index)) {
            let found = self.memo.deal(message.message, || {
                let unique =
                    |checked: CheckedDeal| checked.unique_keys(self.params.threshold).collect();
                Ok::<_, SessionError>(self.check_deal(message)?.map(unique))
            })?;
            match found.as_ref() {
                Ok(unique) => {
                    wrong
                        .collisions
                        .extend(collision(&mut keys, unique.iter().copied(), message))
                }
                Err(fault) => wrong.add(deal_fault(message, fault.clone())),
            }
        }
        Ok(wrong)
    }

    /// Checks n deals, in roster order, and sums them up; `sink` sees each that is valid.
    pub fn read_deals(
        &self,
        deals: &[&Message],
        sink: &mut Sink<'_>,
    ) -> Result<Result<Dealt, Wrong>, SessionError> {
        let mut wrong = Wrong::default();
        let mut sums = Aggregate::new(self.params);
        let mut keys = BTreeMap::new();
        let mut seen = 0usize;
        for group in deals.chunks(deal::together(self.params)) {
            for (message, verdict) in group.iter().zip(self.check_deals(group)?) {
                seen = seen.saturating_add(1);
                let checked = match verdict {
                    Ok(checked) => checked,
                    Err(fault) => {
                        wrong.add(deal_fault(message, fault));
                        continue;
                    }
                };
                let unique = checked.unique_keys(self.params.threshold);
                wrong
                    .collisions
                    .extend(collision(&mut keys, unique, message));
                observed(self.observer, Stage::Receive, || sums.add(&checked));
                sink(&checked, message)?;
                self.observer.progress(Stage::Receive, seen, deals.len());
            }
        }
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        let sharing = observed(self.observer, Stage::Receive, || {
            Sharing::new(self.params.threshold, self.params.indices(), sums.sums())
        });
        let sharing = match sharing {
            Ok(sharing) => sharing,
            Err(error) => {
                wrong.collisions.push(Collision {
                    dealers: deals.iter().map(|message| message.sender).collect(),
                    what: format!("in the sum of all deals, {error}"),
                    proof: deals.iter().map(|message| message.id.id.clone()).collect(),
                });
                return Ok(Err(wrong));
            }
        };
        let hashes: Vec<Digest> = deals.iter().map(|message| message.message).collect();
        let transcript = observed(self.observer, Stage::Receive, || {
            deal::transcript(self.plan.cid(), &hashes, &sharing)
        });
        let seen = deals
            .iter()
            .map(|message| SeenDeal {
                payload: message.payload,
                signature: Hex(*message.id.signature.as_bytes()),
            })
            .collect();
        Ok(Ok(Dealt {
            sharing,
            transcript,
            seen,
        }))
    }

    /// Judges every complaint whose deal is there. Returns the faults, and the complaints whose deal
    /// is missing: nobody is blamed by those.
    pub fn complaints(&self) -> Result<Complaints, SessionError> {
        let (mut faults, mut open) = (Vec::new(), Vec::new());
        let mut accused: BTreeMap<Digest, (&Message, Vec<&Message>)> = BTreeMap::new();
        let mut answered = Vec::new();
        for message in self.board.complaints() {
            let Place::Complaint { against, deal } = message.place else {
                continue;
            };
            // A complaint against oneself says nothing about anybody else.
            if against == message.sender {
                continue;
            }
            let mut deals = self.board.deals(against);
            let Some(dealt) = deals.find(|entry| entry.message == deal) else {
                open.push((message.sender, against));
                continue;
            };
            answered.push((message, dealt));
            if self.memo.verdict(message.message).is_none() {
                let (_, complaints) = accused.entry(deal).or_insert((dealt, Vec::new()));
                complaints.push(message);
            }
        }
        // One deal is checked once, however many complain about it.
        let mut verdicts: BTreeMap<Digest, Arc<Verdict>> = BTreeMap::new();
        for (dealt, complaints) in accused.values() {
            let checked = self.check_deal(dealt)?;
            for message in complaints {
                let verdict = match &checked {
                    Err(fault) => Verdict::Deal(fault.clone()),
                    Ok(checked) => Verdict::Judged(self.judge(message, dealt, checked)?),
                };
                let hash = message.message;
                verdicts.insert(hash, self.memo.judged(hash, verdict));
            }
        }
        for (message, dealt) in answered {
            let new = verdicts.remove(&message.message);
            let Some(verdict) = new.or_else(|| self.memo.verdict(message.message)) else {
                continue;
            };
            faults.push(verdict_fault(message, dealt, &verdict));
        }
        Ok((faults, open))
    }

    fn judge(
        &self,
        complaint: &Message,
        dealt: &Message,
        checked: &CheckedDeal,
    ) -> Result<Judgement, SessionError> {
        Ok(match self.payload::<ComplaintPayload>(complaint)? {
            Err(reason) => Judgement::Complainer(FalseComplaint::Malformed(reason)),
            Ok(payload) => {
                let complainer = self.position(complaint.sender)?;
                complaint::judge(self.params, complainer, checked, &dealt.message, &payload)?
            }
        })
    }

    /// Checks one deal publicly.
    pub fn check_deal(
        &self,
        message: &Message,
    ) -> Result<Result<CheckedDeal, DealFault>, SessionError> {
        let dealer = self.position(message.sender)?;
        Ok(match self.payload::<DealPayload>(message)? {
            Err(reason) => Err(DealFault::Malformed(reason)),
            Ok(payload) => observed(self.observer, Stage::Receive, || {
                deal::check(self.params, dealer, &payload)
            }),
        })
    }

    /// [`Self::check_deal`] for several, which share work.
    fn check_deals(
        &self,
        messages: &[&Message],
    ) -> Result<Vec<Result<CheckedDeal, DealFault>>, SessionError> {
        let mut payloads = Vec::with_capacity(messages.len());
        for message in messages {
            let dealer = self.position(message.sender)?;
            let payload = self.payload::<DealPayload>(message)?;
            let payload = payload.map_err(DealFault::Malformed);
            payloads.push(payload.map(|payload| (dealer, payload)));
        }
        let read: Vec<(usize, &DealPayload)> = payloads
            .iter()
            .flatten()
            .map(|(dealer, payload)| (*dealer, payload))
            .collect();
        let mut verdicts = observed(self.observer, Stage::Receive, || {
            deal::check_many(self.params, &read)
        })
        .into_iter();
        payloads
            .iter()
            .map(|payload| match payload {
                Err(fault) => Ok(Err(fault.clone())),
                Ok(_) => verdicts.next().ok_or(ProtocolError::Count.into()),
            })
            .collect()
    }

    /// Reads a message's payload as its kind's type; what its sender signed and is no such payload
    /// is the sender's fault, said in the inner error.
    pub fn payload<T: DeserializeOwned>(
        &self,
        message: &Message,
    ) -> Result<Result<T, String>, SessionError> {
        let bytes = self.messages.load(&message.id.id)?;
        let authenticated = Envelope::take(bytes)
            .and_then(|envelope| envelope.authenticate(self.plan.cid(), self.plan.roster()))
            .map_err(|_| SessionError::Changed(message.id.id.clone()))?;
        if authenticated.message_hash() != message.message {
            return Err(SessionError::Changed(message.id.id.clone()));
        }
        Ok(authenticated.decode().map_err(|error| error.to_string()))
    }

    fn position(&self, index: Index) -> Result<usize, SessionError> {
        self.plan
            .roster()
            .position(index)
            .ok_or(SessionError::NotAnOperator)
    }
}

/// Says whether a deal has a key that an earlier deal of another dealer has too.
fn collision<'m>(
    keys: &mut BTreeMap<[u8; 48], &'m Message>,
    unique: impl Iterator<Item = [u8; 48]>,
    message: &'m Message,
) -> Option<Collision> {
    let mut found = None;
    for key in unique {
        let other = *keys.entry(key).or_insert(message);
        if other.sender != message.sender {
            found = found.or(Some(other));
        }
    }
    found.map(|other| Collision {
        dealers: vec![other.sender, message.sender],
        what: format!(
            "the deals of operators {} and {} share a key",
            other.sender, message.sender
        ),
        proof: vec![other.id.id.clone(), message.id.id.clone()],
    })
}

fn verdict_fault(complaint: &Message, dealt: &Message, verdict: &Verdict) -> Fault {
    let proof = vec![dealt.id.id.clone(), complaint.id.id.clone()];
    match verdict {
        Verdict::Deal(fault) => deal_fault(dealt, fault.clone()),
        Verdict::Judged(Judgement::Dealer { validators }) => Fault {
            accused: dealt.sender,
            kind: FaultKind::WrongShares {
                complainer: complaint.sender,
                positions: validators.clone(),
            },
            proof,
        },
        Verdict::Judged(Judgement::Complainer(reason)) => Fault {
            accused: complaint.sender,
            kind: FaultKind::FalseComplaint {
                against: dealt.sender,
                reason: reason.clone(),
            },
            proof,
        },
    }
}

fn deal_fault(message: &Message, fault: DealFault) -> Fault {
    Fault {
        accused: message.sender,
        kind: FaultKind::Deal(fault),
        proof: vec![message.id.id.clone()],
    }
}
