//! How far a long computation is: a bar on a terminal, lines on one that cannot draw or is read
//! aloud, and nothing elsewhere.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::home::plain_terminal;
use super::ui::Ui;
use crate::ambient::{Clock, SystemClock};
use crate::ceremony::{Observer, Stage};
use crate::rehearsal::Narrator;

/// Bars for fewer steps than this come and go too fast to be read.
const WORTH_A_BAR: usize = 8;

/// Lines are this far apart: nobody can listen to more.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Shows the progress of the stage that is under way.
pub(super) struct Progress(Mutex<Shown>);

enum Shown {
    Nothing,
    Bar(Option<(Stage, ProgressBar)>),
    Lines(Lines<SystemClock>),
}

impl Progress {
    /// Shows it on standard error if that is a terminal and `quiet` is not asked for.
    pub(super) fn new(quiet: bool) -> Self {
        use std::io::IsTerminal as _;
        let shown = if quiet || !std::io::stderr().is_terminal() {
            Shown::Nothing
        } else if plain_terminal() {
            Shown::Lines(Lines::new(SystemClock::new()))
        } else {
            Shown::Bar(None)
        };
        Self(Mutex::new(shown))
    }

    /// Takes the bar away, so that text can follow.
    pub(super) fn clear(&self) {
        if let Ok(mut shown) = self.0.lock()
            && let Shown::Bar(bar) = &mut *shown
            && let Some((_, bar)) = bar.take()
        {
            bar.finish_and_clear();
        }
    }

    /// Lets a line appear above the bar, whose estimate goes on.
    pub(super) fn aside(&self, tell: impl FnOnce()) {
        if let Ok(shown) = self.0.lock()
            && let Shown::Bar(Some((_, bar))) = &*shown
        {
            bar.suspend(tell);
        } else {
            tell();
        }
    }

    fn show(&self, stage: Stage, done: usize, total: usize) {
        if total < WORTH_A_BAR {
            return;
        }
        let Ok(mut shown) = self.0.lock() else {
            return;
        };
        match &mut *shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => draw(bar, stage, done, total),
            Shown::Lines(lines) => {
                if let Some(line) = lines.next(stage, done, total) {
                    Ui::new(false).note(line);
                }
            }
        }
    }
}

fn draw(bar: &mut Option<(Stage, ProgressBar)>, stage: Stage, done: usize, total: usize) {
    let fresh = !matches!(bar, Some((drawn, _)) if *drawn == stage);
    if fresh {
        if let Some((_, old)) = bar.take() {
            old.finish_and_clear();
        }
        let new = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        // The bar takes what a narrow terminal leaves.
        if let Ok(style) =
            ProgressStyle::with_template("{msg} [{wide_bar}] {pos} of {len}, {eta} left")
        {
            new.set_style(style.progress_chars("=> "));
        }
        new.set_message(stage.name());
        *bar = Some((stage, new));
    }
    if let Some((_, bar)) = bar {
        bar.set_position(done as u64);
    }
    if done >= total
        && let Some((_, bar)) = bar.take()
    {
        bar.finish_and_clear();
    }
}

/// Chooses the moments at which progress is told in a line.
struct Lines<C> {
    clock: C,
    last: Duration,
    told: Option<Stage>,
}

impl<C: Clock> Lines<C> {
    fn new(clock: C) -> Self {
        let last = clock.elapsed();
        Self {
            clock,
            last,
            told: None,
        }
    }

    /// The line that is due; the end of a stage is told if its middle was.
    fn next(&mut self, stage: Stage, done: usize, total: usize) -> Option<String> {
        let now = self.clock.elapsed();
        let ends = done >= total && self.told == Some(stage);
        let due = done < total && now.saturating_sub(self.last) >= BETWEEN_LINES;
        if !ends && !due {
            return None;
        }
        self.last = now;
        self.told = (!ends).then_some(stage);
        Some(format!("{}: {done} of {total}", stage.name()))
    }
}

impl Observer for Progress {
    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.show(stage, done, total);
    }
}

/// Sentences and bars of a rehearsal.
pub(super) struct Narration {
    progress: Progress,
    quiet: bool,
}

impl Narration {
    /// Speaks on standard error unless `quiet` is asked for.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            progress: Progress::new(quiet),
            quiet,
        }
    }
}

impl Narrator for Narration {
    fn say(&self, sentence: &str) {
        self.progress.clear();
        if !self.quiet {
            Ui::new(self.quiet).note(sentence);
        }
    }

    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.progress.show(stage, done, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Watch<'a>(&'a Cell<u64>);

    impl Clock for Watch<'_> {
        fn unix_seconds(&self) -> u64 {
            0
        }
        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.get())
        }
    }

    #[test]
    fn lines_come_at_a_bounded_rate() {
        let now = Cell::new(100);
        let mut lines = Lines::new(Watch(&now));
        let mut told = Vec::new();
        for done in 1..=40 {
            now.set(now.get() + 1);
            told.extend(lines.next(Stage::Receive, done, 40));
        }
        let name = Stage::Receive.name();
        assert_eq!(told.len(), 8, "{told:?}");
        assert_eq!(told.first(), Some(&format!("{name}: 5 of 40")));
        assert_eq!(told.last(), Some(&format!("{name}: 40 of 40")));
        // What is over before a line was due needs none.
        assert_eq!(lines.next(Stage::Keystores, 9, 10), None);
        assert_eq!(lines.next(Stage::Keystores, 10, 10), None);
    }
}
