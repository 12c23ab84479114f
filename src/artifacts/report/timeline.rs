//! The timeline: operators by rounds, as a drawing that needs no script, font or colour.

use maud::{Markup, html};

use super::standing::{Mark, Row};

/// Measures in the drawing's own units; text is 12 of them high.
const WIDTH: usize = 380;
const ROW: usize = 30;
const HEAD: usize = 40;
/// Where names begin and how many characters of one fit.
const NAME_X: usize = 4;
const NAME_CHARS: usize = 17;
/// The columns' middles.
const CARD_X: usize = 160;
const DEAL_X: usize = 220;
const CONFIRM_X: usize = 285;
const OUTCOME_X: usize = 350;

/// Draws the rows; `complete` says whether there is an outcome.
pub(super) fn draw(rows: &[Row], complete: bool) -> Markup {
    let bottom = HEAD.saturating_add(rows.len().saturating_mul(ROW));
    let height = bottom.saturating_add(6);
    let outcome_top = HEAD.saturating_add(5);
    let outcome_height = rows.len().saturating_mul(ROW).saturating_sub(10);
    html! {
        svg.timeline viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
            aria-labelledby="timeline-title timeline-text" {
            title #timeline-title { "Operators by rounds" }
            desc #timeline-text { (description(rows, complete)) }
            g.heads aria-hidden="true" {
                (head(CARD_X, "plan", "card"))
                (head(DEAL_X, "round 1", "deal"))
                (head(CONFIRM_X, "round 2", "confirm"))
                (head(OUTCOME_X, "end", "outcome"))
            }
            @for (position, row) in rows.iter().enumerate() {
                (line(position, row, complete))
            }
            @if complete {
                rect.outcome x=(OUTCOME_X.saturating_sub(9)) y=(outcome_top) width="18"
                    height=(outcome_height) rx="9" {}
                g transform={ "translate(" (OUTCOME_X) " " (middle_of(outcome_top, outcome_height)) ")" } {
                    path.tick d="M-5 0 L-1 4 L6 -5" {}
                }
            } @else {
                rect.no-outcome x=(OUTCOME_X.saturating_sub(9)) y=(outcome_top) width="18"
                    height=(outcome_height) rx="9" {}
            }
        }
        ul.legend {
            (legend(Mark::Done, "done"))
            (legend(Mark::Missing, "missing: awaited, or never sent"))
            (legend(Mark::Twice, "two different messages in one place"))
            (legend(Mark::Abandoned, "abandoned"))
            (legend(Mark::Wrong, "proved wrong"))
            @if rows.iter().any(|row| !row.complaints.is_empty()) {
                li { svg.key viewBox="-10 -10 20 20" aria-hidden="true" { (flag()) }
                    "complained about a deal" }
            }
        }
    }
}

fn middle_of(top: usize, height: usize) -> usize {
    top.saturating_add(height.div_euclid(2))
}

fn head(x: usize, above: &str, below: &str) -> Markup {
    html! {
        text.small x=(x) y="14" text-anchor="middle" { (above) }
        text x=(x) y="29" text-anchor="middle" { (below) }
    }
}

fn line(position: usize, row: &Row, complete: bool) -> Markup {
    let middle = HEAD
        .saturating_add(position.saturating_mul(ROW))
        .saturating_add(ROW.div_euclid(2));
    let reached = |mark| mark != Mark::Missing;
    let end = if complete {
        OUTCOME_X
    } else if reached(row.confirm) {
        CONFIRM_X
    } else if reached(row.deal) {
        DEAL_X
    } else {
        CARD_X
    };
    html! {
        g aria-hidden="true" {
            @if position.is_multiple_of(2) {
                rect.band x="0" y=(middle.saturating_sub(ROW.div_euclid(2))) width=(WIDTH) height=(ROW) {}
            }
            text x=(NAME_X) y=(middle.saturating_add(4)) {
                tspan.small { (row.index) } " " (short(&row.name))
            }
            line.way x1=(CARD_X) y1=(middle) x2=(OUTCOME_X) y2=(middle) {}
            line.gone x1=(CARD_X) y1=(middle) x2=(end) y2=(middle) {}
            g transform={ "translate(" (CARD_X) " " (middle) ")" } { (glyph(Mark::Done)) }
            g transform={ "translate(" (DEAL_X) " " (middle) ")" } { (glyph(row.deal)) }
            g transform={ "translate(" (CONFIRM_X) " " (middle) ")" } { (glyph(row.confirm)) }
            @if !row.complaints.is_empty() {
                g transform={ "translate(" (middle_of(DEAL_X, CONFIRM_X.saturating_sub(DEAL_X))) " " (middle) ")" } {
                    (flag())
                }
            }
        }
    }
}

/// A mark around the origin, told by its shape.
fn glyph(mark: Mark) -> Markup {
    html! {
        @match mark {
            Mark::Done => { circle.done r="9" {} path.tick d="M-4.5 0 L-1 3.5 L5 -4" {} }
            Mark::Missing => { circle.missing r="8" {} }
            Mark::Twice => {
                rect.wrong x="-11" y="-9" width="22" height="18" rx="3" {}
                text.on-wrong y="4" text-anchor="middle" { "2×" }
            }
            Mark::Abandoned => { rect.left x="-8" y="-8" width="16" height="16" {} path.bar d="M-4 0 L4 0" {} }
            Mark::Wrong => { rect.wrong x="-9" y="-9" width="18" height="18" {} path.tick d="M-4.5 -4.5 L4.5 4.5 M4.5 -4.5 L-4.5 4.5" {} }
        }
    }
}

/// A complaint.
fn flag() -> Markup {
    html! {
        path.flag d="M0 -8 L8 7 L-8 7 Z" {}
        text.on-flag y="5" text-anchor="middle" { "!" }
    }
}

fn legend(mark: Mark, words: &str) -> Markup {
    html! {
        li {
            svg.key viewBox="-12 -12 24 24" aria-hidden="true" { (glyph(mark)) }
            (words)
        }
    }
}

fn short(name: &str) -> String {
    let mut short: String = name.chars().take(NAME_CHARS).collect();
    if short.len() < name.len() {
        short.pop();
        short.push('…');
    }
    short
}

/// What the drawing shows, for who does not see it; the operators' table says it for each.
fn description(rows: &[Row], complete: bool) -> String {
    let count = |mark: fn(&Row) -> Mark| rows.iter().filter(|row| mark(row) == Mark::Done).count();
    let all = rows.len();
    let end = if complete {
        "The ceremony is complete."
    } else {
        "There is no outcome."
    };
    format!(
        "Of {all} operators, {} dealt and {} confirmed without fault. {end} The table of operators says so of each.",
        count(|row| row.deal),
        count(|row| row.confirm)
    )
}
