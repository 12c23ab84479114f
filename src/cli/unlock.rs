//! Age keys at the command line: identity files, and what their plugins want of a person.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::prompt::{ask_hidden, ask_line, has_terminal};
use super::ui::Ui;
use crate::secret::{Passphrase, Secret};
use crate::store::disk::open_to_others;
use crate::store::keys::{Identities, KeyError, MAX_IDENTITY_FILE_BYTES, Recipient, Talk};
use crate::store::wrap::{Unlock, Wrap};

/// What opens something, and the talk that its plugins have with a person.
pub(super) struct Unlocking {
    unlock: Unlock,
    talk: Arc<PluginTalk>,
}

impl Unlocking {
    /// Opens something with it. That a plugin failed for want of a terminal is said plainly.
    pub(super) fn open<T>(
        &self,
        open: impl FnOnce(&Unlock) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        open(&self.unlock).map_err(|error| self.talk.explain(error))
    }
}

/// What something is encrypted to, and the talk that its plugins have with a person.
pub(super) struct Sealing {
    wraps: Vec<Wrap>,
    talk: Arc<PluginTalk>,
}

impl Sealing {
    /// Encrypts something to it.
    pub(super) fn seal<T>(
        &self,
        seal: impl FnOnce(&[Wrap]) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        seal(&self.wraps).map_err(|error| self.talk.explain(error))
    }
}

impl Context {
    /// Reads an age identity file.
    pub(super) fn unlock_file(&mut self, path: &Path) -> Result<Unlocking, CommandError> {
        let bytes = Secret::new(self.disk.read(path, MAX_IDENTITY_FILE_BYTES)?);
        if open_to_others(path) {
            self.ui.warn(format!(
                "{} is an age identity file that others on this machine may read; make it yours alone: chmod 600",
                path.display()
            ));
        }
        let talk = Arc::new(PluginTalk::default());
        let keys = Identities::parse(&bytes, talk.clone())
            .map_err(|error: KeyError| invalid(&path.display(), &error))?;
        Ok(Unlocking {
            unlock: Unlock::Keys(keys),
            talk,
        })
    }

    /// Takes recipients, one at least.
    pub(super) fn sealing(&self, recipients: &[Recipient]) -> Sealing {
        let talk = Arc::new(PluginTalk::default());
        let wrap = |recipient: &Recipient| Wrap::Key(recipient.clone(), talk.clone());
        Sealing {
            wraps: recipients.iter().map(wrap).collect(),
            talk,
        }
    }
}

/// An age recipient, for clap.
pub(super) fn recipient(text: &str) -> Result<Recipient, String> {
    text.trim()
        .parse()
        .map_err(|error: KeyError| error.to_string())
}

fn invalid(path: &dyn fmt::Display, error: &KeyError) -> CommandError {
    CommandError::of(ErrorCode::FILE_INVALID, format!("{path} {error}"))
        .hint("--unlock takes a file as `age-keygen` or an age plugin writes it")
}

/// Plugins talk on standard error and listen at the terminal; without one they get no answer, and
/// what they wanted is remembered.
#[derive(Debug, Default)]
struct PluginTalk {
    unheard: Mutex<Option<String>>,
}

impl PluginTalk {
    fn explain(&self, error: CommandError) -> CommandError {
        let unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        match unheard.as_ref() {
            None => error,
            Some(what) => CommandError::of(
                ErrorCode::NO_TERMINAL,
                format!("the age plugin asks, and there is no terminal to answer at: {what}"),
            )
            .cause(error.message())
            .hint("give the command at a terminal"),
        }
    }

    fn heard<T>(&self, what: &str, answer: impl FnOnce() -> Option<T>) -> Option<T> {
        if !has_terminal() {
            let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
            *unheard = Some(what.trim().to_owned());
            return None;
        }
        answer()
    }
}

// A plugin is in the middle of its work: what cannot be read is no answer, and it gives up.
impl Talk for PluginTalk {
    fn tell(&self, message: &str) {
        Ui::new(false).note(format!("age plugin: {}", message.trim()));
    }

    fn choose(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.heard(message, || {
            let no = no.unwrap_or("no");
            let question = format!(
                "age plugin: {}\n  y: {yes}\n  n: {no}\n[y/N] ",
                message.trim()
            );
            let answer = ask_line(&mut Ui::new(false), question).ok()??;
            Some(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
        })
    }

    fn ask(&self, what: &str) -> Option<String> {
        self.heard(what, || {
            ask_line(&mut Ui::new(false), format!("age plugin: {} ", what.trim()))
                .ok()
                .flatten()
        })
    }

    fn ask_secret(&self, what: &str) -> Option<Passphrase> {
        self.heard(what, || {
            ask_hidden(&mut Ui::new(false), format!("age plugin: {} ", what.trim())).ok()
        })
    }
}
