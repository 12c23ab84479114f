//! What anyone can say of a keygen's board without a secret.

use crate::ceremony::flow::keygen::{Finalised, Keygen, Wrong};
use crate::ceremony::outcome::Outcome;
use crate::ceremony::step::{Examination, SessionError};

impl Keygen<'_> {
    /// Says what follows from the board: what `audit` does.
    pub fn examine(&self) -> Result<Examination, SessionError> {
        let mut wrong = Wrong {
            faults: self.equivocations()?,
            ..Wrong::default()
        };
        let (faults, open_complaints) = self.complaints()?;
        wrong.extend(Wrong {
            faults,
            ..Wrong::default()
        });
        let mut examination = Examination {
            missing_deals: self.missing_deals(),
            abandoned: self.abandoned(),
            open_complaints,
            ..Examination::default()
        };
        let deals = match self.only_deals() {
            Some(deals) => Some(deals),
            None => {
                wrong.extend(self.check_deals_alone()?);
                self.confirmed_deals()?
            }
        };
        let dealt = deals
            .map(|deals| self.read_deals(&deals, &mut |_, _| Ok(())))
            .transpose()?;
        match dealt {
            // Confirms show faults without their deals, too.
            None | Some(Err(_)) => {
                if let Some(Err(found)) = dealt {
                    wrong.extend(found);
                }
                wrong.extend(Wrong {
                    faults: self.read_confirms()?.1,
                    ..Wrong::default()
                });
            }
            Some(Ok(dealt)) => {
                let (result, faults) = self.finalise(&dealt, None)?;
                wrong.extend(Wrong {
                    faults,
                    ..Wrong::default()
                });
                match result {
                    Finalised::Complete(outcome) => {
                        examination.outcome = Some(Outcome::Keygen(*outcome));
                    }
                    Finalised::Missing(missing) => examination.missing_confirms = missing,
                    Finalised::Faulty(_) => {}
                }
            }
        }
        examination.faults = wrong.faults;
        examination.collisions = wrong.collisions;
        Ok(examination)
    }
}
