//! What a command would have to ask, told all at once where nobody can be asked.

use super::Context;
use super::error::{CommandError, ErrorCode};
use crate::hash::Digest;
use crate::store::home::{Home, WrappedBy};
use crate::store::vault::{Marker, glance};

/// Something to be asked, and the flag that answers it.
pub(super) type Need = (&'static str, &'static str);

/// The courier of a command that cannot do without.
pub(super) const COURIER: Need = ("the courier", "--via FOLDER");

/// The plan code of a plan that is not accepted.
pub(super) const PLAN_CODE: Need = (
    "the plan code",
    "--accept-plan \"WORDS\", from another operator's `conclave plan show`",
);

impl Context {
    /// Refuses to begin if something has to be asked and nobody can be; a person is asked in turn.
    pub(super) fn require(&self, needs: Vec<Need>) -> Result<(), CommandError> {
        if needs.is_empty() || self.has_terminal() {
            return Ok(());
        }
        let what: Vec<&str> = needs.iter().map(|(what, _)| *what).collect();
        let error = CommandError::of(
            ErrorCode::NO_TERMINAL,
            format!(
                "there is no terminal to ask at, and no flag gives {}; nothing was done",
                what.join(", ")
            ),
        );
        Err(needs
            .iter()
            .fold(error, |error, (_, flag)| error.hint(format!("give {flag}"))))
    }

    /// What opening the home asks for.
    pub(super) fn home_needs(&self) -> Result<Option<Need>, CommandError> {
        let given = self.global.passphrase_file.is_some()
            || self.global.passphrase_fd.is_some()
            || self.global.unlock.is_some();
        let public = Home::public(&*self.disk, &self.home_root()?)?;
        let asks = matches!(public.wrapped_by, WrappedBy::Passphrase) && !given;
        Ok(asks.then_some((
            "the passphrase of the home",
            "--passphrase-file FILE or --passphrase-fd N",
        )))
    }

    /// Whether this home accepted a plan before.
    pub(super) fn accepted(&self, cid: &Digest) -> Result<bool, CommandError> {
        let found = glance(&self.disk, &self.home_root()?)?;
        Ok(found
            .iter()
            .any(|glance| glance.cid == *cid && glance.markers.contains(&Marker::Accepted)))
    }
}
