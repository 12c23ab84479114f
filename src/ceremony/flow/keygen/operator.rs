//! One operator's side of a keygen: what it is to do next.
//!
//! The order of the questions is the protocol's safety: own messages found on the board are compared
//! with what this home would say before anything else; nothing is confirmed while anything stands
//! against the ceremony; shares are stored before the confirm that speaks of them; and whoever has
//! confirmed keeps its shares, whatever happens.

use serde::Serialize;

use crate::ceremony::flow::keygen::{Dealt, Finalised, Keygen, Message, Wrong};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::shares::OwnShares;
use crate::ceremony::step::{Me, Memory, SessionError, Step, Stop};
use crate::ceremony::{Stage, observed};
use crate::crypto::feldman;
use crate::crypto::scalar::Scalar;
use crate::protocol::{complaint, confirm, deal};
use crate::secret::Seed;
use crate::wire::card::encryption_secret;
use crate::wire::envelope::{Envelope, Kind, Place};
use crate::wire::roster::Index;

/// An operator at its board.
pub struct Operator<'a> {
    keygen: Keygen<'a>,
    me: &'a Me,
    memory: &'a Memory,
    seed: &'a [u8; 32],
    index: Index,
    position: usize,
}

impl<'a> Operator<'a> {
    /// Finds the operator in the plan.
    pub fn new(
        keygen: Keygen<'a>,
        me: &'a Me,
        memory: &'a Memory,
        seed: &'a [u8; 32],
    ) -> Result<Self, SessionError> {
        let roster = keygen.plan.plan().roster();
        let index = roster
            .by_identity(&me.identity.public())
            .ok_or(SessionError::NotAnOperator)?
            .index;
        let position = roster.position(index).ok_or(SessionError::NotAnOperator)?;
        Ok(Self {
            keygen,
            me,
            memory,
            seed,
            index,
            position,
        })
    }

    /// Says what to do next.
    pub fn next(&self) -> Result<Step, SessionError> {
        match self.adopt() {
            Ok(Some(step)) => return Ok(step),
            Ok(None) => {}
            // Complete is complete, whatever else this identity signed somewhere.
            Err(conflict @ SessionError::Conflict { .. }) => {
                let step = self.memory.shares.as_ref().map(|own| self.finish(own));
                return match step.transpose()? {
                    Some(step @ Step::Complete { .. }) => Ok(step),
                    _ => Err(conflict),
                };
            }
            Err(error) => return Err(error),
        }
        let confirm = self.keygen.board.confirms(self.index).next();
        match (&self.memory.shares, confirm) {
            (Some(own), Some(_)) => self.finish(own),
            (None, Some(confirm)) => self.recover(confirm),
            (stored, None) => self.take_part(stored.as_ref()),
        }
    }

    /// Own messages on the board that this home has not stored: it was restored, or killed between
    /// two steps. What equals what would be sent is adopted; anything else stops everything.
    fn adopt(&self) -> Result<Option<Step>, SessionError> {
        for message in self.keygen.board.of(self.index) {
            if self.memory.own.contains(&message.message) {
                continue;
            }
            // "Who complained or abandoned never confirms", and the other way round.
            let contradicted = match message.kind {
                Kind::Deal | Kind::Partial => false,
                Kind::Confirm => self.said(|kind| matches!(kind, Kind::Abandon | Kind::Complain)),
                Kind::Abandon | Kind::Complain => self.said(|kind| kind == Kind::Confirm),
            };
            let same = match (message.kind, &self.me.secret, &self.memory.shares) {
                // Shares first: `recover` brings them back, and then this is asked again.
                (Kind::Confirm, _, None) => continue,
                _ if contradicted => false,
                (Kind::Deal, Some(secret), _) => {
                    self.make_deal(secret)?.header().hash() == message.message
                }
                (Kind::Confirm, _, Some(own)) => self.says_the_same(message, own)?,
                // What cannot be compared was signed by this identity all the same.
                _ => true,
            };
            if !same {
                return Err(SessionError::Conflict { kind: message.kind });
            }
            let bytes = self.keygen.messages.load(&message.id.id)?;
            return Ok(Some(Step::Send(vec![Envelope::take(bytes)?])));
        }
        Ok(None)
    }

    /// Whether this home stored an own message of such a kind.
    fn said(&self, kind: impl Fn(Kind) -> bool) -> bool {
        let mut own = self.keygen.board.of(self.index);
        own.any(|entry| kind(entry.kind) && self.memory.own.contains(&entry.message))
    }

    /// Before the own confirm: deal, check, complain or store shares, confirm.
    fn take_part(&self, stored: Option<&OwnShares>) -> Result<Step, SessionError> {
        let keygen = &self.keygen;
        let (complaints, _) = keygen.complaints()?;
        let mut stop = Stop {
            faults: keygen.equivocations()?,
            collisions: Vec::new(),
            abandoned: keygen.abandoned(),
        };
        stop.faults.extend(complaints);
        let silent = stop.abandoned.contains(&self.index);
        let complained = keygen
            .board
            .of(self.index)
            .any(|entry| entry.kind == Kind::Complain);
        if keygen.board.deals(self.index).next().is_none() {
            return match &self.me.secret {
                _ if !stop.is_empty() => self.stop(stop),
                Some(secret) => Ok(Step::Send(vec![self.make_deal(secret)?])),
                None => Err(SessionError::SpentCard),
            };
        }
        let Some(deals) = keygen.only_deals() else {
            let wrong = keygen.check_deals_alone()?;
            stop.add_faults(wrong.faults);
            stop.collisions = wrong.collisions;
            stop.add_faults(keygen.read_confirms()?.1);
            return Ok(stop.or_wait(keygen.missing_deals(), Vec::new()));
        };
        if let Some(own) = stored {
            // Others may have confirmed what proves somebody wrong: then we do not follow.
            let (_, faults) = keygen.finalise(&dealt(own), Some(self.seed))?;
            stop.add_faults(faults);
            return if stop.is_empty() && !complained {
                if self.lacks_backup(own) {
                    return Ok(Step::AwaitBackup);
                }
                Ok(Step::Send(vec![self.make_confirm(own)?]))
            } else {
                Ok(Step::Stop(stop))
            };
        }
        if silent {
            return self.stop(stop);
        }
        let secret = self.me.secret.as_ref().ok_or(SessionError::SpentCard)?;
        let own = match self.receive(&deals, secret)? {
            Ok(own) => own,
            Err(wrong) => return self.stop_over(stop, Err(wrong)),
        };
        if !self.shares_hold(&own) {
            let complaints = self.complain(&deals, secret)?;
            return if complaints.is_empty() {
                self.stop_over(stop, Ok(dealt(&own)))
            } else {
                Ok(Step::Send(complaints))
            };
        }
        if !stop.is_empty() || complained {
            return self.stop_over(stop, Ok(dealt(&own)));
        }
        Ok(Step::StoreShares(Box::new(own)))
    }

    /// Whether the plan requires a backup that was not checked yet: one of these shares, and not of what
    /// other deals gave.
    fn lacks_backup(&self, own: &OwnShares) -> bool {
        self.keygen.plan.requires_backups() && self.memory.backed_up != Some(own.transcript)
    }

    /// Our confirm is on the board and our shares are not in the vault: a home was restored. They
    /// are opened again from the very deals that the confirm names, whatever else the board says.
    fn recover(&self, confirm: &Message) -> Result<Step, SessionError> {
        let conflict = || SessionError::Conflict {
            kind: Kind::Confirm,
        };
        let confirm = self.keygen.confirm(confirm)?;
        let facts = confirm.as_ref().as_ref().map_err(|_| conflict())?;
        let roster = self.keygen.plan.roster();
        if facts.deals.len() != roster.len() {
            return Err(conflict());
        }
        let mut deals = Vec::new();
        let mut missing = Vec::new();
        for (operator, payload) in roster.iter().zip(&facts.deals) {
            match self
                .keygen
                .board
                .deals(operator.index)
                .find(|deal| deal.payload == *payload)
            {
                Some(deal) => deals.push(deal),
                None => missing.push(operator.index),
            }
        }
        if !missing.is_empty() {
            return Ok(Step::Wait {
                deals: missing,
                confirms: Vec::new(),
            });
        }
        let secret = self.me.secret.as_ref().ok_or(SessionError::SpentCard)?;
        match self.receive(&deals, secret)? {
            Ok(own) if own.transcript == facts.transcript && self.shares_hold(&own) => {
                Ok(Step::StoreShares(Box::new(own)))
            }
            _ => Err(conflict()),
        }
    }

    /// Stops, and names everybody whom the board proves wrong: an outsider with the same board would.
    fn stop(&self, stop: Stop) -> Result<Step, SessionError> {
        let read = match self.keygen.only_deals() {
            None => Err(self.keygen.check_deals_alone()?),
            Some(deals) => self.keygen.read_deals(&deals, &mut |_, _| Ok(()))?,
        };
        self.stop_over(stop, read)
    }

    /// [`Self::stop`] after the deals have been read.
    fn stop_over(&self, mut stop: Stop, read: Result<Dealt, Wrong>) -> Result<Step, SessionError> {
        match read {
            Ok(dealt) => stop.add_faults(self.keygen.finalise(&dealt, Some(self.seed))?.1),
            Err(wrong) => {
                stop.add_faults(wrong.faults);
                stop.collisions = wrong.collisions;
                stop.add_faults(self.keygen.read_confirms()?.1);
            }
        }
        Ok(Step::Stop(stop))
    }

    /// Our shares are stored and our confirm has left.
    fn finish(&self, own: &OwnShares) -> Result<Step, SessionError> {
        let (result, faults) = self.keygen.finalise(&dealt(own), Some(self.seed))?;
        let mut stop = Stop {
            faults,
            collisions: Vec::new(),
            abandoned: self.keygen.abandoned(),
        };
        stop.add_faults(self.keygen.equivocations()?);
        let (complaints, _) = self.keygen.complaints()?;
        stop.add_faults(complaints);
        if self.keygen.only_deals().is_none() {
            stop.add_faults(self.keygen.check_deals_alone()?.faults);
        }
        let missing = match result {
            Finalised::Complete(outcome) => {
                let outcome = Box::new(Outcome::Keygen(*outcome));
                let faults = stop.faults;
                return Ok(Step::Complete { outcome, faults });
            }
            Finalised::Missing(missing) => missing,
            Finalised::Faulty(_) => Vec::new(),
        };
        Ok(stop.or_wait(Vec::new(), missing))
    }

    /// Whether an own confirm on the board says what these shares say.
    fn says_the_same(&self, message: &Message, own: &OwnShares) -> Result<bool, SessionError> {
        Ok(self
            .keygen
            .confirm(message)?
            .as_ref()
            .as_ref()
            .is_ok_and(|facts| {
                let ours = own.deals.iter().map(|seen| seen.payload);
                facts.transcript == own.transcript && ours.eq(facts.deals.iter().copied())
            }))
    }

    fn make_deal(&self, secret: &Seed) -> Result<Envelope, SessionError> {
        let payload = observed(self.keygen.observer, Stage::Deal, || {
            deal::make(self.keygen.params, self.position, secret)
        })?;
        self.sign(Kind::Deal, Place::Deal, &payload)
    }

    fn make_confirm(&self, own: &OwnShares) -> Result<Envelope, SessionError> {
        let partials = observed(self.keygen.observer, Stage::Confirm, || {
            confirm::sign(&own.shares, &self.keygen.plan.messages(&own.sharing))
        })?;
        let payload = confirm::make(own.transcript, own.deals.clone(), &partials);
        let envelope = self.sign(Kind::Confirm, Place::Confirm, &payload)?;
        // Made from shares that were checked: verified with all others at the end, not before.
        let message = envelope.header().hash();
        let made = std::iter::once(message);
        self.keygen.memo.verified(own.transcript, made);
        Ok(envelope)
    }

    fn sign(
        &self,
        kind: Kind,
        place: Place,
        payload: &impl Serialize,
    ) -> Result<Envelope, SessionError> {
        Ok(Envelope::sign(
            &self.me.identity,
            *self.keygen.plan.cid(),
            kind,
            place,
            payload,
        )?)
    }

    /// Checks all deals publicly and opens the own shares, summed up dealer by dealer.
    fn receive(
        &self,
        deals: &[&Message],
        secret: &Seed,
    ) -> Result<Result<OwnShares, Wrong>, SessionError> {
        let key = encryption_secret(secret);
        let params = self.keygen.params;
        let mut shares: Vec<Scalar> = (0..params.validators).map(|_| Scalar::zero()).collect();
        let dealt = self.keygen.read_deals(deals, &mut |checked, _| {
            observed(self.keygen.observer, Stage::Receive, || {
                let opened = checked.open(params, self.position, &key)?;
                shares
                    .iter_mut()
                    .zip(&opened)
                    .for_each(|(sum, share)| sum.accumulate(share));
                Ok(())
            })
        })?;
        Ok(dealt.map(|dealt| OwnShares {
            cid: params.cid,
            index: self.index.get(),
            transcript: dealt.transcript,
            deals: dealt.seen,
            sharing: dealt.sharing,
            shares,
        }))
    }

    /// The share equation of all dealers and validators at once.
    fn shares_hold(&self, own: &OwnShares) -> bool {
        observed(self.keygen.observer, Stage::Receive, || {
            feldman::check_shares(
                own.index,
                &own.shares,
                own.sharing.coefficients(),
                own.sharing.threshold(),
                self.seed,
            )
        })
    }

    /// Finds who dealt wrong shares, dealer by dealer, and makes the complaints that are not on the
    /// board yet.
    fn complain(&self, deals: &[&Message], secret: &Seed) -> Result<Vec<Envelope>, SessionError> {
        let key = encryption_secret(secret);
        let params = self.keygen.params;
        let mut envelopes = Vec::new();
        for message in deals {
            let Ok(checked) = self.keygen.check_deal(message)? else {
                continue;
            };
            let shares = checked.open(params, self.position, &key)?;
            let index = self.index.get();
            if feldman::check_shares(
                index,
                &shares,
                checked.commitments(),
                params.threshold,
                self.seed,
            ) {
                continue;
            }
            let place = Place::Complaint {
                against: message.sender,
                deal: message.message,
            };
            let payload = complaint::make(
                params,
                self.position,
                &key,
                secret,
                &checked,
                &message.message,
            )?;
            let envelope = self.sign(Kind::Complain, place, &payload)?;
            // What was stored was sent, even if the board had no place for it.
            if !self.memory.own.contains(&envelope.header().hash()) {
                envelopes.push(envelope);
            }
        }
        Ok(envelopes)
    }
}

/// What our shares were opened from.
fn dealt(own: &OwnShares) -> Dealt {
    Dealt {
        sharing: own.sharing.clone(),
        transcript: own.transcript,
        seen: own.deals.clone(),
    }
}
