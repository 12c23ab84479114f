//! This machine's side of every exchange: a seat, as couriers see it.

use std::sync::Arc;

use super::{BoardError, Ceremony, Labelled, LocalBoard, Meeting, Offered};
use crate::ceremony::plan::Plan;
use crate::ceremony::session::Registered;
use crate::crypto::identity::{RelayKey, RelayWriteKey};
use crate::store::seat::{Seat, SeatError};

/// What couriers need to know of a ceremony, from its plan.
#[derive(Debug)]
pub struct Known<'p> {
    plan: &'p Plan,
    stem: String,
    operators: Vec<(RelayKey, String)>,
    own: Option<Arc<RelayWriteKey>>,
}

impl<'p> Known<'p> {
    /// As who only looks knows it.
    pub fn looked_at(plan: &'p Plan) -> Self {
        let operators = plan.roster().iter().map(|operator| {
            let name = format!("{} ({})", operator.card.name(), operator.index);
            (*operator.card.relay_key(), name)
        });
        Self {
            plan,
            stem: plan.name().file_stem(),
            operators: operators.collect(),
            own: None,
        }
    }

    /// As an operator of it knows it.
    pub fn seated(seat: &Seat<'p>) -> Self {
        Self {
            own: Some(Arc::clone(seat.relay_key())),
            ..Self::looked_at(seat.plan())
        }
    }

    /// As couriers take it.
    pub fn ceremony(&self) -> Ceremony<'_> {
        Ceremony {
            cid: self.plan.cid(),
            plan: self.plan.bytes(),
            stem: &self.stem,
            meeting: Meeting {
                random: self.plan.random(),
                operators: &self.operators,
                own: self.own.as_deref(),
            },
        }
    }
}

/// A seat that messages are taken from and offered to.
#[derive(Debug)]
pub struct Side<'s, 'a> {
    /// The seat.
    pub seat: &'s mut Seat<'a>,
    /// The courier that brings and takes, by its name.
    pub courier: &'s str,
}

impl LocalBoard for Side<'_, '_> {
    fn messages(&self) -> Result<Vec<Labelled>, BoardError> {
        let files = self.seat.files().map_err(board_error)?;
        let labelled = |(label, content): (String, _)| Labelled {
            own: self.seat.is_own(&label),
            label,
            content,
        };
        Ok(files.into_iter().map(labelled).collect())
    }

    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError> {
        self.seat
            .messages()
            .0
            .read(label)
            .map_err(|error| BoardError(error.to_string()))
    }

    fn offer(&mut self, bytes: Vec<u8>, _source: &str) -> Result<Offered, BoardError> {
        let offered = self.seat.offer(&bytes, self.courier);
        Ok(match offered.map_err(board_error)? {
            Registered::New => Offered::New,
            Registered::Known => Offered::Known,
            Registered::Noise(reason) => Offered::Noise(reason),
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a mapping of errors")]
fn board_error(error: SeatError) -> BoardError {
    BoardError(error.to_string())
}
