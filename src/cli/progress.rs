//! A progress bar on a terminal, and nothing elsewhere.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ceremony::{Observer, Stage};
use crate::rehearsal::Narrator;

/// Bars for fewer steps than this come and go too fast to be read.
const WORTH_A_BAR: usize = 8;

/// Draws the progress of the stage that is under way.
pub(super) struct Progress {
    draw: bool,
    bar: Mutex<Option<(Stage, ProgressBar)>>,
}

impl Progress {
    /// Draws on standard error if that is a terminal and `quiet` is not asked for.
    pub(super) fn new(quiet: bool) -> Self {
        use std::io::IsTerminal as _;
        Self {
            draw: !quiet && std::io::stderr().is_terminal(),
            bar: Mutex::new(None),
        }
    }

    /// Takes the bar away, so that text can follow.
    pub(super) fn clear(&self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some((_, bar)) = bar.take()
        {
            bar.finish_and_clear();
        }
    }

    fn draw(&self, stage: Stage, done: usize, total: usize) {
        if !self.draw || total < WORTH_A_BAR {
            return;
        }
        let Ok(mut bar) = self.bar.lock() else { return };
        let fresh = !matches!(&*bar, Some((drawn, _)) if *drawn == stage);
        if fresh {
            if let Some((_, old)) = bar.take() {
                old.finish_and_clear();
            }
            let new =
                ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len}, {eta} left")
            {
                new.set_style(style.progress_chars("=> "));
            }
            new.set_message(stage.name());
            *bar = Some((stage, new));
        }
        if let Some((_, bar)) = &*bar {
            bar.set_position(done as u64);
        }
        if done >= total
            && let Some((_, bar)) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Progress {
    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.draw(stage, done, total);
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
            super::ui::Ui::new(self.quiet).note(sentence);
        }
    }

    fn progress(&self, stage: Stage, done: usize, total: usize) {
        self.progress.draw(stage, done, total);
    }
}
