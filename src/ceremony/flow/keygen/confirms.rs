//! What the confirms on a board lead to: an outcome, faults, or waiting.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ceremony::evidence::{Fault, FaultKind};
use crate::ceremony::flow::keygen::memo::{Confirm, ConfirmFacts};
use crate::ceremony::flow::keygen::{Dealt, Finalised, Keygen, Message, ReadConfirm};
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::Validator;
use crate::ceremony::shares::OwnShares;
use crate::ceremony::step::SessionError;
use crate::ceremony::{Stage, observed};
use crate::crypto::identity::Signature;
use crate::hash::{Digest, Hasher, Tag};
use crate::protocol::confirm::{self, ConfirmFault, ConfirmPayload, Partials};
use crate::wire::envelope::{Header, Round};
use crate::wire::roster::Index;

impl<'a> Keygen<'a> {
    /// The deals that all n operators name in a confirm each and that are on the board, in dealer
    /// order. There is one such list at most, unless everyone equivocates; then the first by payload
    /// hashes, so that everybody takes the same.
    pub fn confirmed_deals(&self) -> Result<Option<Vec<&'a Message>>, SessionError> {
        let mut named: BTreeMap<Vec<Digest>, Vec<Index>> = BTreeMap::new();
        for message in self.indices().flat_map(|index| self.board.confirms(index)) {
            if let Ok(facts) = self.confirm(message)?.as_ref() {
                let by = named.entry(facts.deals.clone()).or_default();
                if !by.contains(&message.sender) {
                    by.push(message.sender);
                }
            }
        }
        let on_board = |payloads: &[Digest]| {
            if payloads.len() != self.plan.roster().len() {
                return None;
            }
            self.indices()
                .zip(payloads)
                .map(|(index, payload)| {
                    self.board
                        .deals(index)
                        .find(|deal| deal.payload == *payload)
                })
                .collect::<Option<Vec<_>>>()
        };
        Ok(named
            .iter()
            .filter(|(_, by)| by.len() == self.plan.roster().len())
            .find_map(|(payloads, _)| on_board(payloads)))
    }

    /// Checks all confirms against what the deals lead to, and combines their partial signatures
    /// when all n are valid. Several of one sender: the one with the smallest hash counts.
    ///
    /// `seed` weighs the batch: local randomness, or nothing for an auditor, who hashes all that the
    /// check reads.
    pub fn finalise(
        &self,
        dealt: &Dealt,
        seed: Option<&[u8; 32]>,
    ) -> Result<(Finalised, Vec<Fault>), SessionError> {
        let roots = observed(self.observer, Stage::Finalise, || {
            self.plan.messages(&dealt.sharing)
        });
        let (confirms, mut faults) = self.read_confirms()?;
        let ours: Vec<Digest> = dealt.seen.iter().map(|seen| seen.payload).collect();
        let mut candidates: Vec<Vec<Candidate<'_>>> = self.indices().map(|_| Vec::new()).collect();
        for confirm in &confirms {
            let Some((facts, partials)) = confirm.facts() else {
                continue;
            };
            // Over other deals it is no fault of its sender's: their dealer signed both.
            if facts.deals != ours {
                continue;
            }
            if facts.transcript != dealt.transcript {
                faults.push(self.confirm_fault(confirm.message, ConfirmFault::Transcript, dealt));
                continue;
            }
            let position = self.position(confirm.message.sender)?;
            if let Some(valid) = candidates.get_mut(position) {
                valid.push((confirm.message, partials));
            }
        }
        let missing: Vec<Index> = self
            .indices()
            .filter(|index| self.board.confirms(*index).next().is_none())
            .collect();
        // Each turn but the last takes away at least one candidate, so this ends.
        loop {
            let present: Vec<(usize, &Candidate<'_>)> = candidates
                .iter()
                .enumerate()
                .filter_map(|(position, valid)| Some((position, valid.first()?)))
                .collect();
            let seed = seed
                .copied()
                .unwrap_or_else(|| *self.audit_seed(dealt, &candidates).as_bytes());
            let bad = if present.len() == candidates.len() {
                let chosen: Vec<&Partials> =
                    present.iter().map(|(_, (_, partials))| *partials).collect();
                let result = observed(self.observer, Stage::Finalise, || {
                    confirm::finalise(&dealt.sharing, &roots, &chosen, &seed)
                })?;
                match result {
                    Ok(signatures) => {
                        let sharing = dealt.sharing.clone();
                        let outcome =
                            KeygenOutcome::new(self.plan, dealt.transcript, sharing, signatures);
                        return Ok((Finalised::Complete(Box::new(outcome)), faults));
                    }
                    Err(bad) => bad,
                }
            } else {
                // Whoever is awaited need not be, for a bad partial to be named.
                let new: Vec<(usize, &Partials)> = present
                    .iter()
                    .filter(|(_, (message, _))| {
                        !self.memo.is_verified(dealt.transcript, message.message)
                    })
                    .map(|(position, (_, partials))| (*position, *partials))
                    .collect();
                let bad = observed(self.observer, Stage::Finalise, || {
                    confirm::check(&dealt.sharing, &roots, &new, &seed)
                })?;
                if bad.is_empty() {
                    let good = present.iter().map(|(_, (message, _))| message.message);
                    self.memo.verified(dealt.transcript, good);
                }
                bad
            };
            if bad.is_empty() {
                let result = if faults.is_empty() || !missing.is_empty() {
                    Finalised::Missing(missing)
                } else {
                    Finalised::Faulty(faults.clone())
                };
                return Ok((result, faults));
            }
            for bad in bad {
                let Some(valid) = candidates.get_mut(bad.operator) else {
                    continue;
                };
                let (message, _) = valid.remove(0);
                let fault = ConfirmFault::Partial {
                    validator: bad.validator,
                    message: bad.message,
                };
                faults.push(self.confirm_fault(message, fault, dealt));
            }
        }
    }

    /// Reads every confirm on the board, as far as that goes without its deals: its form, and that
    /// it shows deals which their dealers signed. The faults are those of the confirms, and those of
    /// dealers of whom the board and the confirms together show two deals.
    pub fn read_confirms(&self) -> Result<(Vec<ReadConfirm<'a>>, Vec<Fault>), SessionError> {
        let (mut confirms, mut faults) = (Vec::new(), Vec::new());
        let mut shown: BTreeMap<Index, BTreeMap<Digest, &Message>> = BTreeMap::new();
        for deal in self.indices().flat_map(|index| self.board.deals(index)) {
            let of = shown.entry(deal.sender).or_default();
            of.entry(deal.payload).or_insert(deal);
        }
        for message in self.indices().flat_map(|index| self.board.confirms(index)) {
            match self.read_confirm(message)? {
                Err(fault) => faults.push(Fault {
                    accused: message.sender,
                    kind: FaultKind::Confirm(fault),
                    proof: vec![message.id.id.clone()],
                }),
                Ok(confirm) => {
                    let facts = confirm.facts().map(|(facts, _)| facts);
                    let deals = facts.map(|facts| facts.deals.as_slice());
                    for (index, payload) in self.indices().zip(deals.unwrap_or_default()) {
                        let of = shown.entry(index).or_default();
                        of.entry(*payload).or_insert(message);
                    }
                    confirms.push(confirm);
                }
            }
        }
        for (index, messages) in shown {
            // Two on the board itself are told as what they are: an equivocation.
            if messages.len() > 1 && self.board.deals(index).nth(1).is_none() {
                faults.push(Fault {
                    accused: index,
                    kind: FaultKind::Equivocation(Round::Deal),
                    proof: messages
                        .values()
                        .take(2)
                        .map(|entry| entry.id.id.clone())
                        .collect(),
                });
            }
        }
        Ok((confirms, faults))
    }

    fn read_confirm<'m>(
        &self,
        message: &'m Message,
    ) -> Result<Result<ReadConfirm<'m>, ConfirmFault>, SessionError> {
        let confirm = self.confirm(message)?;
        let fault = match confirm.as_ref() {
            Ok(facts) => facts.partials.as_ref().err().cloned(),
            Err(fault) => Some(fault.clone()),
        };
        Ok(match fault {
            Some(fault) => Err(fault),
            None => Ok(ReadConfirm { message, confirm }),
        })
    }

    /// What a confirm says, read once.
    pub fn confirm(&self, message: &Message) -> Result<Arc<Confirm>, SessionError> {
        self.memo.confirm(message.message, || {
            let payload = match self.payload::<ConfirmPayload>(message)? {
                Ok(payload) => payload,
                Err(reason) => return Ok(Err(ConfirmFault::Malformed(reason))),
            };
            Ok(Ok(ConfirmFacts {
                transcript: payload.transcript,
                deals: payload.deals.iter().map(|seen| seen.payload).collect(),
                partials: self.partials(&payload)?,
            }))
        })
    }

    /// Checks and decodes what a confirm shows.
    fn partials(
        &self,
        payload: &ConfirmPayload,
    ) -> Result<Result<Partials, ConfirmFault>, SessionError> {
        let counts: Vec<usize> = self
            .plan
            .validators()
            .iter()
            .map(Validator::message_count)
            .collect();
        let partials = observed(self.observer, Stage::Finalise, || {
            confirm::decode(self.params, &counts, payload)
        });
        if partials.is_err() {
            return Ok(partials);
        }
        for (operator, seen) in self.plan.roster().iter().zip(&payload.deals) {
            let header = Header::deal(*self.plan.cid(), *operator.card.identity(), seen.payload)?;
            if !header.verify(&Signature::from_bytes(seen.signature.0)) {
                return Ok(Err(ConfirmFault::ForgedDeal {
                    dealer: operator.index.get(),
                }));
            }
        }
        Ok(partials)
    }

    /// Whether a message is a valid confirm over what our shares were opened from.
    pub fn confirms(&self, message: &Message, own: &OwnShares) -> Result<bool, SessionError> {
        let confirm = self.read_confirm(message)?;
        let Some((facts, partials)) = confirm.as_ref().ok().and_then(ReadConfirm::facts) else {
            return Ok(false);
        };
        let ours = own.deals.iter().map(|seen| seen.payload);
        if facts.transcript != own.transcript || !ours.eq(facts.deals.iter().copied()) {
            return Ok(false);
        }
        let seed = Hasher::new(Tag::AUDIT_SIGNATURES)
            .bytes(own.transcript.as_bytes())
            .bytes(message.message.as_bytes())
            .finish();
        let partials = [(self.position(message.sender)?, partials)];
        let roots = self.plan.messages(&own.sharing);
        let bad = confirm::check(&own.sharing, &roots, &partials, seed.as_bytes())?;
        Ok(bad.is_empty())
    }

    /// Whether a confirm of the operator at `my` index names this deal.
    pub fn is_named(&self, deal: &Message, my: Index) -> Result<bool, SessionError> {
        let position = self.position(deal.sender)?;
        for message in self.board.confirms(my) {
            if let Ok(facts) = self.confirm(message)?.as_ref()
                && facts.deals.get(position) == Some(&deal.payload)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A confirm's fault that shows against the deals, with the messages that prove it.
    fn confirm_fault(&self, message: &Message, fault: ConfirmFault, dealt: &Dealt) -> Fault {
        let mut proof = Vec::new();
        for (index, seen) in self.indices().zip(&dealt.seen) {
            let deal = self
                .board
                .deals(index)
                .find(|deal| deal.payload == seen.payload);
            proof.extend(deal.map(|deal| deal.id.id.clone()));
        }
        proof.push(message.id.id.clone());
        Fault {
            accused: message.sender,
            kind: FaultKind::Confirm(fault),
            proof,
        }
    }

    /// An auditor's weights: a hash of everything that the check of all signatures reads.
    fn audit_seed(&self, dealt: &Dealt, candidates: &[Vec<Candidate<'_>>]) -> Digest {
        let mut hasher = Hasher::new(Tag::AUDIT_SIGNATURES).bytes(dealt.transcript.as_bytes());
        for (message, _) in candidates.iter().filter_map(|valid| valid.first()) {
            hasher.add(message.message.as_bytes());
        }
        hasher.finish()
    }
}

/// A confirm over our deals and transcript, with its partial signatures.
type Candidate<'a> = (&'a Message, &'a Partials);

impl ReadConfirm<'_> {
    /// What it says, and its partial signatures, not verified yet.
    fn facts(&self) -> Option<(&ConfirmFacts, &Partials)> {
        let facts = self.confirm.as_ref().as_ref().ok()?;
        Some((facts, facts.partials.as_ref().ok()?))
    }
}
