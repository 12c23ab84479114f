//! This machine's side of every exchange: a seat, as couriers see it.

use super::{BoardError, Labelled, LocalBoard, Offered};
use crate::ceremony::session::Registered;
use crate::store::seat::{Seat, SeatError};

/// A seat that messages are taken from and offered to.
#[derive(Debug)]
pub struct Side<'s, 'a>(pub &'s mut Seat<'a>);

impl LocalBoard for Side<'_, '_> {
    fn messages(&self) -> Result<Vec<Labelled>, BoardError> {
        let files = self.0.files().map_err(board_error)?;
        let labelled = |(label, content)| Labelled { label, content };
        Ok(files.into_iter().map(labelled).collect())
    }

    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError> {
        self.0
            .messages()
            .0
            .read(label)
            .map_err(|error| BoardError(error.to_string()))
    }

    fn offer(&mut self, bytes: Vec<u8>, _source: &str) -> Result<Offered, BoardError> {
        Ok(match self.0.offer(&bytes).map_err(board_error)? {
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
