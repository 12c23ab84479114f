//! Reading and writing the files that people name.

use std::path::Path;

use super::Context;
use super::error::CommandError;
use crate::ceremony::plan::{MAX_PLAN_BYTES, Plan};
use crate::store::disk::{Access, DiskError};
use crate::wire::card::{MAX_CARD_BYTES, VerifiedCard};

impl Context {
    /// Reads a file of at most `limit` bytes.
    pub fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, DiskError> {
        self.disk.read(path, limit as u64)
    }

    /// Reads a plan and makes every check.
    pub fn read_plan(&self, path: &Path) -> Result<Plan, CommandError> {
        let bytes = self.read(path, MAX_PLAN_BYTES)?;
        Plan::parse(&bytes).map_err(|error| CommandError::from(error).about(path))
    }

    /// Reads a card and makes every check.
    pub fn read_card(&self, path: &Path) -> Result<VerifiedCard, CommandError> {
        let bytes = self.read(path, MAX_CARD_BYTES)?;
        VerifiedCard::parse(&bytes).map_err(|error| CommandError::from(error).about(path))
    }

    /// Writes a public file once; the same bytes again are fine, other bytes are left as they are.
    pub fn write_new(&self, path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
        match self.disk.create_or_same(path, bytes, Access::Public) {
            Err(error @ (DiskError::Differs(_) | DiskError::AlreadyExists(_))) => {
                Err(CommandError::from(error).hint("name another file with -o FILE"))
            }
            other => Ok(other.map(|_| ())?),
        }
    }

    /// Refuses a name that is taken, before work is done for it.
    pub fn refuse_taken(&self, path: &Path) -> Result<(), CommandError> {
        match self.disk.kind(path)? {
            Some(_) => {
                self.disk.clean_temporary_of(path);
                Err(
                    CommandError::from(DiskError::AlreadyExists(path.to_owned()))
                        .hint("name another file with -o FILE"),
                )
            }
            None => Ok(()),
        }
    }
}
