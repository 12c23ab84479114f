//! How far a long computation is: a bar on a terminal, and lines now and then on one that cannot draw
//! or is read aloud, and where no terminal is.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::home::plain_terminal;
use super::ui::Ui;
use crate::ambient::{Clock, SystemClock};
use crate::ceremony::plan::{Plan, PlanWork};
use crate::ceremony::{Observer, Stage};
use crate::rehearsal::{Narrator, Part};

/// Bars for fewer steps than this come and go too fast to be read.
const WORTH_A_BAR: usize = 8;

/// Operators times validators from which a stage is long enough to be told that it began.
const WORTH_A_WORD: usize = 2000;

/// Lines are this far apart on a terminal: nobody can listen to more.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// And where no terminal is: a log is read later.
const BETWEEN_LOGGED_LINES: Duration = Duration::from_secs(15);

/// No estimate before this: it would jump.
const BEFORE_ESTIMATE: Duration = Duration::from_secs(3);

/// Shows the progress of what is under way.
pub(super) struct Progress {
    shown: Mutex<Shown>,
    /// Whether stages without steps are told, too.
    long: bool,
}

enum Shown {
    Nothing,
    Bar(Option<(String, ProgressBar)>),
    Lines(Lines<SystemClock>),
}

/// What there is to show.
struct View<'a> {
    /// A bar goes on as long as this stays.
    of: &'a str,
    /// What is done now.
    what: &'a str,
    done: usize,
    total: usize,
    /// What stands behind the bar, or in the line: how far, and how long to go.
    far: &'a str,
}

impl Progress {
    /// Shows it on standard error unless `quiet` is asked for.
    pub(super) fn new(quiet: bool) -> Self {
        let shown = if quiet {
            Shown::Nothing
        } else if !std::io::stderr().is_terminal() {
            Shown::Lines(Lines::new(SystemClock::new(), BETWEEN_LOGGED_LINES))
        } else if plain_terminal() {
            Shown::Lines(Lines::new(SystemClock::new(), BETWEEN_LINES))
        } else {
            Shown::Bar(None)
        };
        Self {
            shown: Mutex::new(shown),
            long: false,
        }
    }

    /// The same for the work that a plan makes.
    pub(super) fn of(quiet: bool, plan: &Plan) -> Self {
        let rows = match plan.work() {
            PlanWork::Keygen(plan) => plan.validators().len(),
            PlanWork::Sign(plan) => plan.messages().len(),
        };
        let size = plan.roster().len().saturating_mul(rows);
        Self {
            long: size >= WORTH_A_WORD,
            ..Self::new(quiet)
        }
    }

    /// Takes the bar away, so that text can follow.
    pub(super) fn clear(&self) {
        if let Ok(mut shown) = self.shown.lock()
            && let Shown::Bar(bar) = &mut *shown
            && let Some((_, bar)) = bar.take()
        {
            bar.finish_and_clear();
        }
    }

    /// Lets a line appear above the bar, whose estimate goes on.
    pub(super) fn aside(&self, tell: impl FnOnce()) {
        if let Ok(shown) = self.shown.lock()
            && let Shown::Bar(Some((_, bar))) = &*shown
        {
            bar.suspend(tell);
        } else {
            tell();
        }
    }

    /// Shows, in these words, how far work is whose end follows from what comes in.
    pub(super) fn open_ended(&self, words: &str) {
        self.show(&View {
            of: "",
            what: words,
            done: 0,
            total: 0,
            far: "",
        });
    }

    fn show(&self, view: &View<'_>) {
        let Ok(mut shown) = self.shown.lock() else {
            return;
        };
        match &mut *shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => draw(bar, view),
            Shown::Lines(lines) => {
                if let Some(line) = lines.next(view) {
                    Ui::new(false).note(line);
                }
            }
        }
    }
}

fn draw(bar: &mut Option<(String, ProgressBar)>, view: &View<'_>) {
    let fresh = !matches!(bar, Some((drawn, _)) if drawn == view.of);
    if fresh {
        if let Some((_, old)) = bar.take() {
            old.finish_and_clear();
        }
        let target = ProgressDrawTarget::stderr();
        let new = ProgressBar::with_draw_target(Some(view.total as u64), target);
        // The bar takes what a narrow terminal leaves.
        let template = match view.total {
            0 => "{msg} {elapsed}",
            _ if view.far.is_empty() => "{msg} [{wide_bar}] {pos} of {len}, {eta} left",
            _ => "{msg} [{wide_bar}] {prefix}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            new.set_style(style.progress_chars("=> "));
        }
        if view.total == 0 {
            new.enable_steady_tick(Duration::from_secs(1));
        }
        *bar = Some((view.of.to_owned(), new));
    }
    if let Some((_, bar)) = bar {
        bar.set_message(view.what.to_owned());
        bar.set_prefix(view.far.to_owned());
        bar.set_position(view.done as u64);
    }
    if view.total > 0
        && view.done >= view.total
        && let Some((_, bar)) = bar.take()
    {
        bar.finish_and_clear();
    }
}

/// Chooses the moments at which progress is told in a line.
struct Lines<C> {
    clock: C,
    between: Duration,
    last: Duration,
    told: Option<String>,
}

impl<C: Clock> Lines<C> {
    fn new(clock: C, between: Duration) -> Self {
        let last = clock.elapsed();
        Self {
            clock,
            between,
            last,
            told: None,
        }
    }

    /// The line that is due; the end of a stage is told if its middle was.
    fn next(&mut self, view: &View<'_>) -> Option<String> {
        let now = self.clock.elapsed();
        let over = view.total > 0 && view.done >= view.total;
        let due = !over && now.saturating_sub(self.last) >= self.between;
        let ends = over && self.told.as_deref() == Some(view.of);
        if !due && !ends {
            return None;
        }
        self.last = now;
        self.told = due.then(|| view.of.to_owned());
        let what = view.what;
        Some(match (view.total, view.far) {
            (0, _) => what.to_owned(),
            (total, "") => format!("{what}: {} of {total}", view.done),
            (_, far) => format!("{what}: {far}"),
        })
    }
}

impl Observer for Progress {
    fn enter(&self, stage: Stage) {
        if self.long {
            self.show(&View {
                of: stage.name(),
                what: stage.name(),
                done: 0,
                total: 0,
                far: "",
            });
        }
    }

    fn leave(&self, _stage: Stage) {
        if self.long {
            self.clear();
        }
    }

    fn progress(&self, stage: Stage, done: usize, total: usize) {
        if total >= WORTH_A_BAR {
            self.show(&View {
                of: stage.name(),
                what: stage.name(),
                done,
                total,
                far: "",
            });
        }
    }
}

/// Sentences and bars of a rehearsal.
pub(super) struct Narration {
    progress: Progress,
    clock: SystemClock,
    quiet: bool,
}

impl Narration {
    /// Speaks on standard error unless `quiet` is asked for.
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            progress: Progress::new(quiet),
            clock: SystemClock::new(),
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

    fn progress(&self, part: &Part<'_>) {
        let what = match part.total {
            total if total >= 2 => format!(
                "{}: {}, {} of {total}",
                part.who,
                part.stage.name(),
                part.done
            ),
            _ => format!("{}: {}", part.who, part.stage.name()),
        };
        self.progress.show(&View {
            of: "rehearsal",
            what: &what,
            // Never whole: the bar goes when the next sentence comes.
            done: part.permille.min(999),
            total: 1000,
            far: &far(self.clock.elapsed(), part.permille),
        });
    }
}

/// How much of all is done after some time, and about how long the rest takes at that rate.
fn far(elapsed: Duration, permille: usize) -> String {
    let percent = permille.div_euclid(10);
    let rest = u128::from(1000u16).saturating_sub(permille as u128);
    let left = elapsed
        .as_millis()
        .saturating_mul(rest)
        .checked_div(permille as u128)
        .filter(|_| elapsed >= BEFORE_ESTIMATE && percent > 0);
    match left.map(|left| left.div_euclid(1000)) {
        None => format!("{percent}%"),
        Some(seconds @ 0..100) => format!("{percent}%, about {seconds} s left"),
        Some(seconds) => format!("{percent}%, about {} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[derive(Debug)]
    struct Watch<'a>(&'a Cell<u64>);

    impl Clock for Watch<'_> {
        fn unix_seconds(&self) -> u64 {
            0
        }
        fn elapsed(&self) -> Duration {
            Duration::from_secs(self.0.get())
        }
    }

    fn view(stage: Stage, done: usize, total: usize) -> View<'static> {
        View {
            of: stage.name(),
            what: stage.name(),
            done,
            total,
            far: "",
        }
    }

    #[test]
    fn lines_come_at_a_bounded_rate() {
        let now = Cell::new(100);
        let mut lines = Lines::new(Watch(&now), BETWEEN_LINES);
        let mut told = Vec::new();
        for done in 1..=40 {
            now.set(now.get() + 1);
            told.extend(lines.next(&view(Stage::Receive, done, 40)));
        }
        let name = Stage::Receive.name();
        assert_eq!(told.len(), 8, "{told:?}");
        assert_eq!(told.first(), Some(&format!("{name}: 5 of 40")));
        assert_eq!(told.last(), Some(&format!("{name}: 40 of 40")));
        // What is over before a line was due needs none.
        assert_eq!(lines.next(&view(Stage::Keystores, 9, 10)), None);
        assert_eq!(lines.next(&view(Stage::Keystores, 10, 10)), None);
    }

    #[test]
    fn what_has_no_steps_is_named_when_a_line_is_due() {
        let now = Cell::new(0);
        let mut lines = Lines::new(Watch(&now), BETWEEN_LOGGED_LINES);
        assert_eq!(lines.next(&view(Stage::Finalise, 0, 0)), None);
        now.set(20);
        let line = lines.next(&view(Stage::Finalise, 0, 0));
        assert_eq!(line.as_deref(), Some(Stage::Finalise.name()));
        assert_eq!(lines.next(&view(Stage::Finalise, 0, 0)), None);
        now.set(40);
        let at = View {
            far: "12%, about 3 min left",
            ..view(Stage::Deal, 120, 1000)
        };
        let line = lines.next(&at).unwrap();
        assert_eq!(
            line,
            format!("{}: 12%, about 3 min left", Stage::Deal.name())
        );
    }

    #[test]
    fn the_estimate_is_at_the_rate_so_far() {
        let far = |seconds, permille| far(Duration::from_secs(seconds), permille);
        assert_eq!(far(0, 0), "0%");
        assert_eq!(far(2, 500), "50%");
        assert_eq!(far(10, 250), "25%, about 30 s left");
        assert_eq!(far(100, 100), "10%, about 15 min left");
        assert_eq!(far(100, 1000), "100%, about 0 s left");
        assert_eq!(far(100, 0), "0%");
    }
}
