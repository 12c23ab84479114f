//! Staying until the end: the live table, what is told of couriers that fail for a while, and how long
//! to wait.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::time::Duration;

use dialoguer::console::Term;

use super::tell_made;
use crate::ceremony::plan::Plan;
use crate::cli::Context;
use crate::cli::home::plain_terminal;
use crate::cli::status::{operator_lines, operator_rows};
use crate::cli::values::utc;
use crate::courier::CourierError;
use crate::store::seat::Seat;
use crate::wire::envelope::Kind;
use crate::wire::roster::Index;

/// The shortest time between two looks, the first of which found nothing.
pub(super) const SHORTEST: Duration = Duration::from_secs(1);
/// The longest wait for news, where one courier alone says when there is any.
const ALONE: Duration = Duration::from_secs(25);
/// The same where other couriers want to be looked at too.
const AMONG_OTHERS: Duration = Duration::from_secs(5);

/// The same where something is awaited that is done on this machine.
const HERE: Duration = Duration::from_secs(2);

/// How long to wait with so many couriers; `here`: for something that is done on this machine, of which
/// no courier tells.
pub(super) fn longest(couriers: usize, here: bool) -> Duration {
    match (here, couriers) {
        (true, _) => HERE,
        (false, 0 | 1) => ALONE,
        (false, _) => AMONG_OTHERS,
    }
}

/// What is shown while others are awaited: a table that is drawn anew where a terminal can, and a
/// line for each change elsewhere.
pub(super) struct Table<'p> {
    plan: &'p Plan,
    own: Index,
    shown: Shown,
    /// The lines of the last picture.
    last: Vec<String>,
    /// What was warned of; once is enough.
    warned: BTreeSet<String>,
    /// The couriers that fail, as they were told last.
    failing: BTreeSet<String>,
    delivered: bool,
}

enum Shown {
    Nothing,
    Drawn(Term, usize),
    Lines,
}

impl<'p> Table<'p> {
    pub(super) fn new(cx: &Context, plan: &'p Plan, own: Index) -> Self {
        let shown = if cx.global.quiet {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() && !plain_terminal() {
            Shown::Drawn(Term::stderr(), 0)
        } else {
            Shown::Lines
        };
        Self {
            plan,
            own,
            shown,
            last: Vec::new(),
            warned: BTreeSet::new(),
            failing: BTreeSet::new(),
            delivered: true,
        }
    }

    /// Takes the table away, so that text can follow.
    pub(super) fn clear(&mut self) {
        if let Shown::Drawn(term, lines) = &mut self.shown {
            // A terminal that is gone shows nothing anyway.
            let _ = term.clear_last_lines(*lines);
            *lines = 0;
        }
    }

    /// Warns of what was not warned of before.
    pub(super) fn warn_once<'a>(
        &mut self,
        cx: &mut Context,
        texts: impl Iterator<Item = &'a String>,
    ) {
        for text in texts {
            if self.warned.insert(text.clone()) {
                self.clear();
                cx.ui.warn(text);
            }
        }
    }

    /// Tells of couriers that fail now, and of those that do no more. A failure is no reason to go:
    /// all that is asked for may be asked for again.
    pub(super) fn failing<'a>(
        &mut self,
        cx: &mut Context,
        errors: impl Iterator<Item = &'a CourierError>,
    ) {
        let now: BTreeSet<String> = errors.map(ToString::to_string).collect();
        if now == self.failing {
            return;
        }
        let time = utc(cx.clock.unix_seconds());
        self.clear();
        for text in now.difference(&self.failing) {
            cx.ui.warn(format!("{time}: {text}"));
        }
        if now.is_empty() {
            cx.ui
                .note(format!("{time}: all couriers can be reached again"));
        } else {
            cx.ui.note(
                "this goes on trying; Ctrl-C ends it, and the same command goes on from there",
            );
        }
        self.failing = now;
    }

    /// Shows who is where.
    pub(super) fn waiting(&mut self, cx: &mut Context, seat: &Seat<'_>, awaited: Option<&str>) {
        let width = cx.ui.width().unwrap_or(usize::MAX);
        let rows = operator_rows(self.plan, seat.session(), Some(self.own), None);
        let mut lines = vec![format!(
            "{} ({}), at {}",
            self.plan.name(),
            self.plan.cid().short(),
            utc(cx.clock.unix_seconds())
        )];
        lines.extend(operator_lines(&rows, width));
        if let Some(awaited) = awaited {
            lines.push(format!("  waiting for {awaited}"));
        }
        if !self.failing.is_empty() {
            lines.push("  a courier fails; trying again".to_owned());
        }
        lines.push("  Ctrl-C ends this; nothing is lost".to_owned());
        // The time alone is no news where lines add up.
        let news = self.last.get(1..) != lines.get(1..);
        match &mut self.shown {
            Shown::Nothing => {}
            Shown::Lines if news => {
                if let Some(awaited) = awaited {
                    let time = utc(cx.clock.unix_seconds());
                    cx.ui.note(format!("{time}: waiting for {awaited}"));
                }
            }
            Shown::Lines => {}
            Shown::Drawn(term, drawn) => {
                let fitting: Vec<String> = lines.iter().map(|line| cut(line, width)).collect();
                let _ = term.clear_last_lines(*drawn);
                for line in &fitting {
                    let _ = term.write_line(line);
                }
                *drawn = fitting.len();
            }
        }
        self.last = lines;
    }

    /// Tells what was made.
    pub(super) fn made(&mut self, cx: &mut Context, made: &[Kind]) {
        if !made.is_empty() {
            self.clear();
            tell_made(cx, made);
        }
    }

    /// Says, once, that the end is reached here and that a message waits for its courier.
    pub(super) fn handing_over(&mut self, cx: &mut Context) {
        if std::mem::take(&mut self.delivered) {
            self.clear();
            cx.ui.note(
                "the ceremony has ended here; what others need of it still waits for a courier",
            );
        }
    }
}

/// A line that would wrap could not be drawn over.
fn cut(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_courier_is_waited_for_longer_than_several() {
        assert_eq!(longest(1, false), ALONE);
        assert_eq!(longest(2, false), AMONG_OTHERS);
        assert_eq!(longest(1, true), HERE);
    }

    #[test]
    fn no_line_wraps() {
        assert_eq!(cut("abcdef", 4), "abc");
        assert_eq!(cut("äöü", usize::MAX), "äöü");
    }
}
