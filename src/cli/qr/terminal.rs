//! Codes on a terminal: black on white whatever its colours are, sized to it, until q is pressed.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use dialoguer::console::Term;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::show::{Args, Item, no_terminal};
use crate::cli::Context;
use crate::cli::error::{CommandError, ErrorCode};
use crate::cli::home::sixteen_colours;
use crate::courier::qr::frames::FRAGMENT_BYTES;
use crate::courier::qr::symbol::{Symbol, Symbols};

/// Bytes of a fragment that the keys d and s go through.
const DENSITIES: [usize; 10] = [50, 75, 100, 150, 200, 250, 300, 400, 550, 800];

/// Lines below the code.
const LINES: usize = 2;

const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What a frame may stand, in milliseconds.
const FASTEST: u64 = 50;
const SLOWEST: u64 = 5000;

/// How long a paused picture waits before the terminal's size is looked at again.
const PAUSED: u64 = 500;

/// The terminal as it was, given back at the end however that comes.
struct Raw {
    before: Termios,
}

impl Raw {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        let entered = Self { before };
        write(ENTER)?;
        Ok(entered)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Faster,
    Slower,
    Denser,
    Sparser,
    Pause,
    Next,
    Quit,
}

impl Key {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            b'+' | b'=' | b'f' => Self::Faster,
            b'-' | b'_' => Self::Slower,
            b'd' => Self::Denser,
            b's' => Self::Sparser,
            b' ' | b'p' => Self::Pause,
            b'n' => Self::Next,
            // q, Ctrl-C, Ctrl-D.
            b'q' | 3 | 4 => Self::Quit,
            _ => return None,
        })
    }
}

/// What is shown, and how.
struct View<'a> {
    items: &'a [Item],
    at: usize,
    symbols: Symbols,
    /// Bytes of a fragment as asked for; what does not fit becomes less.
    wanted: usize,
    milliseconds: u64,
    paused: bool,
    shown: usize,
    current: Option<Symbol>,
}

/// Shows the items until the person has enough; `fragment` is what the person asked for.
pub(super) fn show(
    args: &Args,
    cx: &mut Context,
    items: &[Item],
    fragment: Option<usize>,
) -> Result<(), CommandError> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(no_terminal(
            "codes are shown on a terminal, and there is none",
        ));
    }
    let gone = |error: io::Error| {
        CommandError::of(
            ErrorCode::OUTPUT_FAILED,
            format!("the terminal cannot be used: {error}"),
        )
    };
    let wanted = fragment.unwrap_or(FRAGMENT_BYTES);
    let mut view = View::new(items, wanted, args.milliseconds())?;
    let raw = Raw::enter().map_err(gone)?;
    let mut ended = view.run();
    drop(raw);
    if matches!(&ended, Err(error) if error.kind() == io::ErrorKind::BrokenPipe) {
        ended = Ok(());
    }
    ended.map_err(gone)?;
    cx.ui.note(format!("{} codes were shown", view.shown));
    Ok(())
}

impl<'a> View<'a> {
    fn new(items: &'a [Item], wanted: usize, milliseconds: u64) -> Result<Self, CommandError> {
        let none = || CommandError::failed("there is nothing to show");
        let item = items.first().ok_or_else(none)?;
        let symbols = item.symbols(wanted)?;
        Ok(Self {
            items,
            at: 0,
            symbols,
            wanted,
            milliseconds,
            paused: false,
            shown: 0,
            current: None,
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut size = (0, 0);
        loop {
            let (rows, columns) = Term::stdout().size();
            let now = (usize::from(rows), usize::from(columns));
            if now != size {
                size = now;
                self.fit(size);
                write("\x1b[0m\x1b[2J")?;
            }
            self.draw(size)?;
            let wait = match self.paused || self.symbols.frames().fragments() == 1 {
                true => PAUSED,
                false => self.milliseconds,
            };
            match key(wait)? {
                Some(Key::Quit) => return Ok(()),
                Some(key) => {
                    self.obey(key, size);
                    write("\x1b[0m\x1b[2J")?;
                }
                None => {}
            }
        }
    }

    fn obey(&mut self, key: Key, size: (usize, usize)) {
        let quarter = (self.milliseconds / 4).max(1);
        match key {
            Key::Faster => {
                self.milliseconds = self.milliseconds.saturating_sub(quarter).max(FASTEST);
            }
            Key::Slower => {
                self.milliseconds = self.milliseconds.saturating_add(quarter).min(SLOWEST);
            }
            Key::Denser => {
                let now = self.symbols.frames().fragment();
                let more = DENSITIES.iter().find(|bytes| **bytes > now);
                self.wanted = more.copied().unwrap_or(self.wanted);
                self.fit(size);
            }
            Key::Sparser => {
                let now = self.symbols.frames().fragment();
                let fewer = DENSITIES.iter().rev().find(|bytes| **bytes < now);
                self.wanted = fewer.copied().unwrap_or(self.wanted);
                self.fit(size);
            }
            Key::Pause => self.paused = !self.paused,
            Key::Next => {
                let next = self.at.saturating_add(1);
                self.at = if next < self.items.len() { next } else { 0 };
                self.fit(size);
            }
            Key::Quit => {}
        }
    }

    /// Makes the codes of the current document anew: as dense as wanted, if that fits.
    fn fit(&mut self, size: (usize, usize)) {
        let Some(item) = self.items.get(self.at) else {
            return;
        };
        let smaller = DENSITIES.iter().rev().filter(|bytes| **bytes < self.wanted);
        for bytes in std::iter::once(&self.wanted).chain(smaller) {
            if let Ok(symbols) = item.symbols(*bytes) {
                let fits = room(&symbols, size);
                self.symbols = symbols;
                if fits {
                    break;
                }
            }
        }
        self.current = None;
    }

    fn draw(&mut self, (rows, columns): (usize, usize)) -> io::Result<()> {
        if !room(&self.symbols, (rows, columns)) {
            let full = self.symbols.full();
            return write(&format!(
                "\x1b[H\x1b[0mtoo small: this code needs {full} columns and {} lines\x1b[K\r\n\
                 make the window larger or its letters smaller; q ends\x1b[K",
                full.div_ceil(2).saturating_add(LINES)
            ));
        }
        if !self.paused || self.current.is_none() {
            self.current = self.symbols.next();
            self.shown = self.shown.saturating_add(1);
        }
        let Some(symbol) = &self.current else {
            return Ok(());
        };
        let mut screen = String::from("\x1b[H");
        for line in symbol.half_blocks() {
            let _ = write!(screen, "{}{line}\x1b[0m\x1b[K\r\n", ink());
        }
        let title = self.items.get(self.at).map_or("", |item| &item.title);
        let count = self.symbols.frames().fragments();
        let rate = 10_000u64.checked_div(self.milliseconds).unwrap_or(0);
        let number = match self.items.len() {
            1 => String::new(),
            several => format!("{} of {several}: ", self.at.saturating_add(1)),
        };
        let how = match count {
            1 => "one code".to_owned(),
            _ if self.paused => format!("{count} codes, paused"),
            _ => format!("{count} codes, {}.{} a second", rate / 10, rate % 10),
        };
        let next = if self.items.len() > 1 { "  n next" } else { "" };
        let _ = write!(
            screen,
            "{}\x1b[K\r\n{}\x1b[K",
            cut(&format!("{number}{title}; {how}"), columns),
            cut(
                &format!("+ faster  - slower  d denser  s sparser  space pause{next}  q end"),
                columns
            )
        );
        write(&screen)
    }
}

/// Whether codes fit, with the lines below them.
fn room(symbols: &Symbols, (rows, columns): (usize, usize)) -> bool {
    let full = symbols.full();
    full <= columns && full.div_ceil(2).saturating_add(LINES) <= rows
}

/// Text without anything that a terminal obeys, as long as its line.
fn cut(text: &str, columns: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .take(columns)
        .collect()
}

/// Black on bright white: of the palette that everybody has, then of the one that no theme changes.
fn ink() -> &'static str {
    if sixteen_colours() {
        "\x1b[0;30;107m"
    } else {
        "\x1b[0;30;107m\x1b[38;5;16m\x1b[48;5;231m"
    }
}

/// Waits for a key.
fn key(milliseconds: u64) -> io::Result<Option<Key>> {
    let stdin = io::stdin();
    let wait = Duration::from_millis(milliseconds);
    let wait = Timespec::try_from(wait).unwrap_or(Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    });
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    match poll(&mut fds, Some(&wait)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut bytes = [0u8; 32];
    let read = stdin.lock().read(&mut bytes)?;
    if read == 0 {
        // The terminal went away.
        return Ok(Some(Key::Quit));
    }
    // What is held down, or an arrow's several bytes, counts once; leaving counts most.
    let keys = bytes.iter().take(read).filter_map(|byte| Key::of(*byte));
    Ok(keys.max_by_key(|key| *key == Key::Quit))
}
