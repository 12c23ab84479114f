//! What a session works with: the flow of its plan's kind, with what that flow remembers.

use crate::ceremony::flow::keygen::{self, Keygen};
use crate::ceremony::flow::sign::{self, Layout, Signing};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::plan::{KeygenPlan, Plan, PlanWork, SignPlan};
use crate::ceremony::shares::OwnShares;
use crate::ceremony::step::{Examination, Me, Memory, MessageRef, SessionError, Step};
use crate::ceremony::{Messages, MessagesError, Observer, Unobserved};
use crate::protocol::Params;
use crate::wire::board::{Board, Entry, MAX_MESSAGES};
use crate::wire::envelope::{Authenticated, Kind};
use crate::wire::roster::Index;

/// The flow of a plan's kind.
#[derive(Debug)]
pub(in crate::ceremony) enum Work<'a> {
    Keygen(KeygenWork<'a>),
    Sign(SignWork<'a>),
}

/// A keygen.
#[derive(Debug)]
pub(in crate::ceremony) struct KeygenWork<'a> {
    plan: KeygenPlan<'a>,
    memo: keygen::memo::Memo,
    params: Params,
}

/// A signing ceremony.
#[derive(Debug)]
pub(in crate::ceremony) struct SignWork<'a> {
    plan: SignPlan<'a>,
    memo: sign::memo::Memo,
    layout: Layout,
}

impl<'a> Work<'a> {
    /// The flow of a plan.
    pub(in crate::ceremony) fn of(plan: &'a Plan) -> Self {
        match plan.work() {
            PlanWork::Keygen(plan) => Self::Keygen(KeygenWork {
                plan,
                memo: keygen::memo::Memo::default(),
                params: plan.params(),
            }),
            PlanWork::Sign(plan) => Self::Sign(SignWork {
                plan,
                memo: sign::memo::Memo::default(),
                layout: Layout::of(plan),
            }),
        }
    }

    /// What follows from a board, without any secret.
    pub(in crate::ceremony) fn examine(
        &self,
        board: &Board<MessageRef>,
        messages: &dyn Messages,
        observer: &dyn Observer,
    ) -> Result<Examination, SessionError> {
        match self {
            Self::Keygen(work) => work.flow(board, messages, observer).examine(),
            Self::Sign(work) => {
                let looked = work.flow(board, messages, observer).look(None)?;
                Ok(Examination {
                    faults: looked.faults,
                    awaited_partials: Some(looked.awaited),
                    outcome: looked.outcome.map(Outcome::Sign),
                    ..Examination::default()
                })
            }
        }
    }

    /// What an operator is to do next.
    pub(in crate::ceremony) fn next(
        &self,
        board: &Board<MessageRef>,
        me: &Me,
        memory: &Memory,
        messages: &dyn Messages,
        observer: &dyn Observer,
        seed: &[u8; 32],
    ) -> Result<Step, SessionError> {
        match self {
            Self::Keygen(work) => {
                let flow = work.flow(board, messages, observer);
                keygen::operator::Operator::new(flow, me, memory, seed)?.next()
            }
            Self::Sign(work) => {
                let flow = work.flow(board, messages, observer);
                sign::operator::Operator::new(flow, me, memory, seed)?.next()
            }
        }
    }

    /// Whether a message that finds no room counts all the same; see `Session::counts`.
    pub(in crate::ceremony) fn counts(
        &self,
        board: &Board<MessageRef>,
        message: &Authenticated,
        my: Index,
        own: Option<&OwnShares>,
        messages: &dyn Messages,
    ) -> Result<bool, SessionError> {
        let entry = Entry::of(message, MessageRef::of(message, ""));
        let bytes = Offered(message.bytes());
        match (self, message.kind(), own) {
            (Self::Keygen(work), Kind::Confirm, Some(own)) => {
                // Findings of its own: whoever offers any number must not fill ours.
                let memo = keygen::memo::Memo::default();
                let mut flow = work.flow(board, &bytes, &Unobserved);
                flow.memo = &memo;
                let alone = board.confirms(entry.sender).count() <= MAX_MESSAGES;
                Ok(alone && flow.confirms(&entry, own)?)
            }
            (Self::Keygen(work), Kind::Deal, None) => {
                work.flow(board, messages, &Unobserved).is_named(&entry, my)
            }
            (Self::Sign(work), Kind::Partial, _) => {
                let alone = board.partials(entry.sender).count() <= MAX_MESSAGES;
                Ok(alone && work.flow(board, &bytes, &Unobserved).counts(&entry)?)
            }
            _ => Ok(false),
        }
    }
}

impl KeygenWork<'_> {
    fn flow<'s>(
        &'s self,
        board: &'s Board<MessageRef>,
        messages: &'s dyn Messages,
        observer: &'s dyn Observer,
    ) -> Keygen<'s> {
        Keygen {
            plan: self.plan,
            params: &self.params,
            board,
            memo: &self.memo,
            messages,
            observer,
        }
    }
}

impl SignWork<'_> {
    fn flow<'s>(
        &'s self,
        board: &'s Board<MessageRef>,
        messages: &'s dyn Messages,
        observer: &'s dyn Observer,
    ) -> Signing<'s> {
        Signing {
            plan: self.plan,
            layout: &self.layout,
            board,
            memo: &self.memo,
            messages,
            observer,
        }
    }
}

/// A message in hand that is stored nowhere yet.
struct Offered<'a>(&'a [u8]);

impl Messages for Offered<'_> {
    fn load(&self, _id: &str) -> Result<Vec<u8>, MessagesError> {
        Ok(self.0.to_vec())
    }
}
