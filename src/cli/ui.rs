//! What a person and a pipe see.
//!
//! Rules: standard output carries data only, so that it can be piped; everything else goes to
//! standard error, one line a thought, readable without colour, never with colour. A reader that
//! closes standard output early is no error and stops no work; a full disk behind it is one. Control
//! characters from files, of which a terminal might make something else, are printed as escapes.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::error::{CommandError, ErrorCode, Kind};
use super::layout::fit;
use crate::json;

/// Nothing is laid out for less than this, whatever a terminal says.
pub(super) const MIN_WIDTH: usize = 20;

/// The owner of both streams.
pub struct Ui {
    stdout: Arc<Mutex<Stdout>>,
    stderr: Box<dyn Write>,
    quiet: bool,
    json: bool,
}

/// Standard output, and how it fares.
struct Stdout {
    to: Box<dyn Write + Send>,
    spoke: bool,
    state: io::Result<()>,
}

impl Stdout {
    fn write(&mut self, bytes: &[u8]) {
        self.spoke = true;
        if self.state.is_ok() {
            self.state = self.to.write_all(bytes);
        }
    }

    fn flush(&mut self) {
        if self.state.is_ok() {
            self.state = self.to.flush();
        }
    }
}

/// A share of standard output for lines that are seen at once, from any thread.
#[derive(Clone)]
pub struct Lines(Arc<Mutex<Stdout>>);

impl Lines {
    /// Writes a line whole.
    pub fn write(&self, line: &[u8]) {
        let mut stdout = lock(&self.0);
        stdout.write(&[line, b"\n"].concat());
        stdout.flush();
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

fn lock(stdout: &Mutex<Stdout>) -> MutexGuard<'_, Stdout> {
    stdout.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Ui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ui").field("quiet", &self.quiet).finish()
    }
}

impl Ui {
    /// Takes the process's streams; with `quiet`, notes are left out, warnings and errors are not.
    pub fn new(quiet: bool) -> Self {
        Self::over(Box::new(io::stdout()), Box::new(io::stderr()), quiet)
    }

    fn over(to: Box<dyn Write + Send>, stderr: Box<dyn Write>, quiet: bool) -> Self {
        let stdout = Stdout {
            to,
            spoke: false,
            state: Ok(()),
        };
        Self {
            stdout: Arc::new(Mutex::new(stdout)),
            stderr,
            quiet,
            json: false,
        }
    }

    /// Makes [`Self::fail`] speak to a program too.
    pub fn for_programs(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// Writes a line, or several, of data to standard output.
    pub fn data(&mut self, text: impl Display) {
        self.write_data(format!("{}\n", visible(&text.to_string())).as_bytes());
    }

    /// [`Self::data`], broken between words where a terminal is narrow.
    pub fn data_page(&mut self, page: impl Display) {
        let page = fitted(page, dialoguer::console::Term::stdout().size_checked());
        self.data(page);
    }

    /// Shows on standard error what a question is about, also when notes are left out; broken
    /// between words where a terminal is narrow.
    pub fn show(&mut self, page: impl Display) {
        self.say(fitted(
            page,
            dialoguer::console::Term::stderr().size_checked(),
        ));
    }

    /// Writes a text of this program's own making to standard output, for another program: as it is.
    pub fn script(&mut self, text: &str) {
        self.write_data(text.as_bytes());
    }

    /// How many columns standard output has, if it is a terminal.
    pub fn width(&self) -> Option<usize> {
        let terminal = dialoguer::console::Term::stdout();
        terminal
            .size_checked()
            .map(|(_, columns)| usize::from(columns).max(MIN_WIDTH))
    }

    /// Writes an object to standard output as JSON.
    pub fn json<T: Serialize>(&mut self, object: &T) -> Result<(), CommandError> {
        let bytes = json::pretty(object)?;
        self.write_data(&bytes);
        Ok(())
    }

    /// Returns a share of standard output for a stream of events.
    pub fn lines(&self) -> Lines {
        Lines(Arc::clone(&self.stdout))
    }

    /// Says on standard error how things stand.
    pub fn note(&mut self, text: impl Display) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Says what to do next.
    pub fn next(&mut self, text: impl Display) {
        self.note(format!("next: {text}"));
    }

    /// Says what is allowed and should be known.
    pub fn warn(&mut self, text: impl Display) {
        self.say(format!("warning: {text}"));
    }

    /// Says why a command did not do what it was asked, then what to do about it.
    pub fn error(&mut self, error: &CommandError) {
        // Who only waits for others has not met an error, and should not read of one.
        let head = match error.kind() {
            Kind::Waiting => "",
            _ => "error: ",
        };
        self.say(format!("{head}{}", error.message()));
        for cause in error.causes() {
            self.say(format!("  {cause}"));
        }
        for hint in error.hints() {
            self.say(format!("hint: {hint}"));
        }
        self.say(format!("code: {}", error.error_code()));
    }

    /// [`Self::error`], and for programs [`Self::error_object`].
    pub fn fail(&mut self, error: &CommandError) {
        self.error(error);
        self.error_object(error);
    }

    /// With `--json`, writes the error to standard output as an object, unless a report stands there
    /// already: there is one object, whatever happens.
    pub fn error_object(&mut self, error: &CommandError) {
        if !self.json || lock(&self.stdout).spoke {
            return;
        }
        let object = serde_json::json!({ "error": error.report() });
        if let Ok(bytes) = json::pretty(&object) {
            let mut stdout = lock(&self.stdout);
            stdout.write(&bytes);
            stdout.flush();
        }
    }

    /// Writes a question without a line's end.
    pub fn ask(&mut self, question: impl Display) {
        // Nobody is left to tell when standard error is gone.
        let _ = write!(self.stderr, "{}", visible(&question.to_string()));
        let _ = self.stderr.flush();
    }

    /// Tells whether all data got out.
    pub fn finish(&mut self) -> Result<(), CommandError> {
        let mut stdout = lock(&self.stdout);
        stdout.flush();
        match std::mem::replace(&mut stdout.state, Ok(())) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::of(
                ErrorCode::OUTPUT_FAILED,
                format!("cannot write to standard output: {error}"),
            )),
            _ => Ok(()),
        }
    }

    fn write_data(&mut self, bytes: &[u8]) {
        lock(&self.stdout).write(bytes);
    }

    fn say(&mut self, text: impl Display) {
        let _ = writeln!(self.stderr, "{}", visible(&text.to_string()));
    }
}

fn fitted(page: impl Display, terminal: Option<(u16, u16)>) -> String {
    let page = page.to_string();
    match terminal {
        Some((_, columns)) => fit(&page, usize::from(columns).max(MIN_WIDTH)),
        None => page,
    }
}

/// How many columns this terminal has, also when standard output goes into a pager.
pub(super) fn terminal_width() -> Option<usize> {
    use dialoguer::console::Term;
    [Term::stdout(), Term::stderr()]
        .iter()
        .find_map(Term::size_checked)
        .map(|(_, columns)| usize::from(columns))
}

/// Replaces what a terminal would obey or reorder by, but for line ends.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c != '\n' && (c.is_control() || reorders) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
pub(super) mod captured {
    use super::*;

    #[derive(Clone, Default)]
    pub(in crate::cli) struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        pub(in crate::cli) fn bytes(&self) -> Vec<u8> {
            self.0.lock().unwrap().clone()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Ui {
        /// Over a standard output that the test reads.
        pub(in crate::cli) fn captured() -> (Self, Shared) {
            let out = Shared::default();
            let ui = Self::over(Box::new(out.clone()), Box::new(io::sink()), false);
            (ui, out)
        }

        /// What a person reads of an error.
        pub(in crate::cli) fn words(error: &CommandError) -> String {
            let err = Shared::default();
            Self::over(Box::new(io::sink()), Box::new(err.clone()), false).error(error);
            String::from_utf8(err.bytes()).unwrap()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ui::captured::Shared;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn data_and_talk_go_their_own_ways() {
        for quiet in [false, true] {
            let (out, err) = (Shared::default(), Shared::default());
            let mut ui = Ui::over(Box::new(out.clone()), Box::new(err.clone()), quiet);
            ui.data("a\n\u{1b}[31mb\u{202e}");
            ui.note("fine");
            ui.warn("careful");
            ui.fail(&CommandError::failed("broken").cause("why").hint("mend it"));
            ui.finish().unwrap();
            let text = |shared: &Shared| String::from_utf8(shared.bytes()).unwrap();
            assert_eq!(text(&out), "a\n\\u{1b}[31mb\\u{202e}\n");
            let note = if quiet { "" } else { "fine\n" };
            assert_eq!(
                text(&err),
                format!(
                    "{note}warning: careful\nerror: broken\n  why\nhint: mend it\ncode: failed\n"
                )
            );
        }
    }

    #[test]
    fn a_program_gets_one_object() {
        let told = |report: bool| {
            let out = Shared::default();
            let mut ui = Ui::over(Box::new(out.clone()), Box::new(Shared::default()), false)
                .for_programs(true);
            if report {
                ui.json(&serde_json::json!({"a": 1})).unwrap();
            }
            ui.fail(&CommandError::usage("broken"));
            let bytes = out.bytes();
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
        };
        assert_eq!(told(true), serde_json::json!({"a": 1}));
        assert_eq!(told(false)["error"]["code"], "usage");
    }

    #[test]
    fn a_reader_that_leaves_is_no_error_and_a_full_disk_is() {
        for (kind, fine) in [
            (ErrorKind::BrokenPipe, true),
            (ErrorKind::StorageFull, false),
        ] {
            let mut ui = Ui::over(Box::new(Failing(kind)), Box::new(Shared::default()), false);
            ui.data("x");
            ui.data("y");
            assert_eq!(ui.finish().is_ok(), fine);
        }
    }
}
