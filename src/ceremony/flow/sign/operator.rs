//! One operator's side of a signing ceremony: what it is to do next.

use crate::ceremony::flow::sign::Signing;
use crate::ceremony::outcome::Outcome;
use crate::ceremony::shares::OwnShares;
use crate::ceremony::step::{Me, Memory, SessionError, Step, Stop};
use crate::ceremony::{Stage, observed};
use crate::crypto::scalar::Scalar;
use crate::protocol::partial;
use crate::wire::envelope::{Envelope, Kind, Place};
use crate::wire::roster::Index;

/// An operator at its board.
pub struct Operator<'a> {
    signing: Signing<'a>,
    me: &'a Me,
    memory: &'a Memory,
    seed: &'a [u8; 32],
    index: Index,
}

impl<'a> Operator<'a> {
    /// Finds the operator in the plan.
    pub fn new(
        signing: Signing<'a>,
        me: &'a Me,
        memory: &'a Memory,
        seed: &'a [u8; 32],
    ) -> Result<Self, SessionError> {
        let roster = signing.plan.plan().roster();
        let operator = roster.by_identity(&me.identity.public());
        Ok(Self {
            signing,
            me,
            memory,
            seed,
            index: operator.ok_or(SessionError::NotAnOperator)?.index,
        })
    }

    /// Says what to do next.
    ///
    /// Complete comes first: who finds t partials on the board signs nothing more. A wrong partial of
    /// somebody else ends nothing; it is told with what is said.
    pub fn next(&self) -> Result<Step, SessionError> {
        let looked = self.signing.look(Some(self.seed))?;
        if let Some(outcome) = looked.outcome {
            return Ok(Step::Complete {
                outcome: Box::new(Outcome::Sign(outcome)),
                faults: looked.faults,
            });
        }
        let mut own = self.signing.board.partials(self.index).peekable();
        if own.peek().is_none() {
            return Ok(Step::Send(vec![self.make()?]));
        }
        if let Some(strange) = own.find(|message| !self.memory.own.contains(&message.message)) {
            // This home was restored, or killed between two steps: what it would say is adopted.
            let made = self.make()?;
            if made.header().hash() != strange.message {
                return Err(SessionError::Conflict {
                    kind: Kind::Partial,
                });
            }
            let bytes = self.signing.messages.load(&strange.id.id)?;
            return Ok(Step::Send(vec![Envelope::take(bytes)?]));
        }
        if looked.awaited.needed > looked.awaited.of.len() {
            return Ok(Step::Stop(Stop {
                faults: looked.faults,
                ..Stop::default()
            }));
        }
        Ok(Step::AwaitPartials {
            awaited: looked.awaited,
            faults: looked.faults,
        })
    }

    /// Signs every message of the plan, and nothing else.
    fn make(&self) -> Result<Envelope, SessionError> {
        let plan = self.signing.plan;
        let own = self.memory.shares.as_ref().ok_or(SessionError::NoShares)?;
        if let Some(what) = plan.differs(own).or_else(|| self.not_mine(own)) {
            return Err(SessionError::OtherCluster(what));
        }
        let share = |key: usize| own.shares.get(*plan.positions().get(key)?);
        let shares: Option<Vec<&Scalar>> = plan
            .messages()
            .iter()
            .map(|message| share(message.key))
            .collect();
        let shares = shares.ok_or(SessionError::OtherCluster("keys"))?;
        let partials = observed(self.signing.observer, Stage::Sign, || {
            partial::sign(&shares, plan.roots())
        })?;
        Ok(Envelope::sign(
            &self.me.identity,
            *plan.cid(),
            Kind::Partial,
            Place::Partial,
            partial::make(&partials),
        )?)
    }

    fn not_mine(&self, own: &OwnShares) -> Option<&'static str> {
        (own.index != self.index.get()).then_some("index of this operator")
    }
}
