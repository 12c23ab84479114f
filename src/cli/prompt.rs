//! Passphrases and answers: from a file or descriptor that a flag names, or from a person.
//!
//! A secret never comes from an argument, an environment variable or standard input in passing. A
//! question without a terminal is a usage error that names the flag, never a wait. "Terminal" means
//! that standard input is one; secrets are then read from the terminal itself, without echo.

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;

use super::Context;
use super::error::{CommandError, ErrorCode};
use super::ui::Ui;
use crate::secret::{Passphrase, Secret, SecretBytes};
use crate::store::disk::{DiskError, read_descriptor};

/// The fewest characters of a new passphrase.
pub const MIN_PASSPHRASE_CHARS: usize = 12;

const GLOBAL_TWIN: &str = "--passphrase-file FILE or --passphrase-fd N";

/// The longest answer to a question, in bytes.
const MAX_ANSWER_BYTES: u64 = 1024;

impl Context {
    /// Tells whether a person can be asked.
    pub fn has_terminal(&self) -> bool {
        has_terminal()
    }

    /// Returns the passphrase that the global flags name, if they name one.
    pub fn flag_passphrase(&mut self) -> Result<Option<Passphrase>, CommandError> {
        let file = self.global.passphrase_file.clone();
        self.passphrase_of(file.as_deref(), self.global.passphrase_fd)
    }

    /// Returns the passphrase in a file or behind a descriptor, if one is named.
    pub fn passphrase_of(
        &mut self,
        file: Option<&Path>,
        descriptor: Option<u32>,
    ) -> Result<Option<Passphrase>, CommandError> {
        if let Some(path) = file {
            return self.passphrase_in(path).map(Some);
        }
        let Some(descriptor) = descriptor else {
            return Ok(None);
        };
        let read = read_descriptor(descriptor, limit()).map_err(|error| match error {
            DiskError::NotRegular { .. } => CommandError::usage(format!(
                "file descriptor {descriptor} is a terminal, which would show the passphrase"
            ))
            .hint("without the flag, conclave asks for it and shows nothing"),
            error => error.into(),
        })?;
        let bytes = Secret::new(read);
        let name = format!("file descriptor {descriptor}");
        self.take_passphrase(&bytes, &name).map(Some)
    }

    /// Returns the passphrase that a file holds; one newline at its end does not belong to it.
    pub fn passphrase_in(&mut self, path: &Path) -> Result<Passphrase, CommandError> {
        let bytes = Secret::new(self.disk.read(path, limit())?);
        self.take_passphrase(&bytes, &path.display().to_string())
    }

    /// Returns an existing passphrase: the flags', or a person's.
    pub fn passphrase(&mut self, what: &str) -> Result<Passphrase, CommandError> {
        if let Some(passphrase) = self.flag_passphrase()? {
            return Ok(passphrase);
        }
        self.asked_passphrase(what, GLOBAL_TWIN)
    }

    /// Asks for an existing passphrase; `twin` names its flags.
    pub fn asked_passphrase(&mut self, what: &str, twin: &str) -> Result<Passphrase, CommandError> {
        self.need_terminal(what, twin)?;
        ask_hidden(&mut self.ui, format!("{what}: "))
    }

    /// Returns a new passphrase of [`MIN_PASSPHRASE_CHARS`] at least: the flags', or a person's, who
    /// types it twice.
    pub fn new_passphrase(&mut self, what: &str) -> Result<Passphrase, CommandError> {
        let given = self.flag_passphrase()?;
        self.new_passphrase_or(what, given, GLOBAL_TWIN)
    }

    /// [`Self::new_passphrase`] with what other flags gave; `twin` names these.
    pub fn new_passphrase_or(
        &mut self,
        what: &str,
        given: Option<Passphrase>,
        twin: &str,
    ) -> Result<Passphrase, CommandError> {
        let typed = given.is_none();
        let passphrase = match given {
            Some(passphrase) => passphrase,
            None => {
                self.need_terminal(what, twin)?;
                let least = format!("at least {MIN_PASSPHRASE_CHARS} characters");
                ask_hidden(&mut self.ui, format!("{what} ({least}): "))?
            }
        };
        let chars = passphrase.expose(|text| text.chars().count());
        if chars < MIN_PASSPHRASE_CHARS {
            return Err(CommandError::of(
                ErrorCode::PASSPHRASE_UNUSABLE,
                format!(
                    "the {what} is shorter than {MIN_PASSPHRASE_CHARS} characters; nothing was made"
                ),
            )
            .hint("six random words are easy to write down and hard to guess"));
        }
        if typed && !ask_hidden(&mut self.ui, "the same again: ")?.ct_eq(&passphrase) {
            return Err(CommandError::of(
                ErrorCode::PASSPHRASES_DIFFER,
                "the two passphrases differ; nothing was made",
            ));
        }
        Ok(passphrase)
    }

    /// Asks and reads a line, without its ends' spaces; nothing if the terminal went away.
    pub(super) fn typed_line(&mut self, question: impl Display) -> io::Result<Option<String>> {
        ask_line(&mut self.ui, question)
    }

    /// Asks a question whose answer is no secret. `flag` is its twin for scripts.
    pub fn answer(&mut self, question: impl Display, flag: &str) -> Result<String, CommandError> {
        if !self.has_terminal() {
            return Err(CommandError::of(
                ErrorCode::NO_TERMINAL,
                format!("there is no terminal to ask at: {question}"),
            )
            .hint(format!("give {flag}")));
        }
        let line = self
            .typed_line(format!("{question} "))
            .map_err(|error| CommandError::failed(format!("cannot read the answer: {error}")))?;
        Ok(line.unwrap_or_default())
    }

    /// Asks for a yes; `--yes` is one. Never for a question of safety.
    pub fn confirm(&mut self, question: impl Display) -> Result<bool, CommandError> {
        if self.global.yes {
            return Ok(true);
        }
        let answer = self.answer(format!("{question} [y/N]"), "--yes")?;
        Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    fn need_terminal(&self, what: &str, twin: &str) -> Result<(), CommandError> {
        if self.has_terminal() {
            return Ok(());
        }
        Err(CommandError::of(
            ErrorCode::NO_TERMINAL,
            format!("the {what} is needed, and there is no terminal to ask at"),
        )
        .hint(format!("give {twin}")))
    }

    fn take_passphrase(
        &mut self,
        bytes: &SecretBytes,
        source: &str,
    ) -> Result<Passphrase, CommandError> {
        let (text, stripped) = bytes
            .expose(|bytes| {
                let end = bytes.strip_suffix(b"\n");
                let end = end.map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
                let text = std::str::from_utf8(end.unwrap_or(bytes)).ok()?;
                Some((text.to_owned(), end.is_some()))
            })
            .ok_or_else(|| {
                CommandError::of(
                    ErrorCode::PASSPHRASE_UNUSABLE,
                    format!("the passphrase in {source} is not UTF-8"),
                )
            })?;
        let passphrase = Passphrase::new(text).map_err(|error| {
            CommandError::of(ErrorCode::PASSPHRASE_UNUSABLE, format!("{source}: {error}"))
        })?;
        if stripped {
            self.ui.note(format!(
                "the newline at the end of {source} is not part of the passphrase"
            ));
        }
        Ok(passphrase)
    }
}

/// Tells whether a person can be asked.
pub(super) fn has_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Asks on standard error and reads a line of standard input, which is a terminal, without its ends'
/// spaces; nothing if the terminal went away.
pub(super) fn ask_line(ui: &mut Ui, question: impl Display) -> io::Result<Option<String>> {
    ui.ask(question);
    let mut line = String::new();
    let read = io::stdin()
        .lock()
        .take(MAX_ANSWER_BYTES)
        .read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

/// A passphrase and its newline.
fn limit() -> u64 {
    (Passphrase::MAX_BYTES as u64).saturating_add(2)
}

/// A terminal that shows nothing of what is typed and raises no signal, in the state that `rpassword`
/// gives it for the answer alone; put back on drop.
struct Silence {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Silence {
    fn begin() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).ok()?;
        Some(Self { before })
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // The terminal may be gone: then nothing is shown on it.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(not(unix))]
impl Silence {
    fn begin() -> Option<Self> {
        None
    }
}

/// Asks on standard error and reads at the terminal, without echo.
pub(super) fn ask_hidden(ui: &mut Ui, question: impl Display) -> Result<Passphrase, CommandError> {
    // Before the question is shown: who answers at once is not shown either.
    let _silence = Silence::begin();
    ui.ask(question);
    let text = rpassword::prompt_password("").map_err(|error| {
        CommandError::of(
            ErrorCode::NO_TERMINAL,
            format!("cannot read from the terminal: {error}"),
        )
        .hint("give --passphrase-file FILE or --passphrase-fd N")
    })?;
    Ok(Passphrase::new(text)?)
}
