//! A ceremony on one page, for people: self-contained HTML without a script.
//!
//! The bytes follow from what it is made of and from the version of conclave, and from no clock. It
//! loads nothing and its content policy forbids it to. Everything from plans and files is escaped.
//! The page proves nothing by itself and says so: whoever doubts it computes it again.

mod checks;
mod standing;
mod timeline;
mod validators;

use std::fmt::Display;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::ambient::utc;
use crate::audit::Report;
use crate::ceremony::outcome::KeygenOutcome;
use crate::ceremony::plan::{KeygenPlan, Plan};
use crate::ethereum::keystore::KdfChoice;
use crate::json::Hex;
use crate::wire::code::Code;
use crate::wire::roster::Index;

use standing::{Mark, Row, Verdict};

/// The page's name in an operator's directory.
pub const NAME: &str = "report.html";

/// The most bytes of a page that is read again; one of 10000 validators has some three million.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

const STYLE: &str = include_str!("report/report.css");

/// Files of one kind, such as noise, that are listed; more are counted.
const LISTED: usize = 100;

/// What a page is made of.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The plan.
    pub plan: KeygenPlan<'a>,
    /// The outcome, if the ceremony is complete.
    pub outcome: Option<&'a KeygenOutcome>,
    /// The plan code.
    pub plan_code: &'a Code,
    /// The outcome code, if there is an outcome.
    pub outcome_code: Option<&'a Code>,
    /// Where this comes from.
    pub origin: Origin<'a>,
}

/// Where the facts of a page come from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// An operator's own run, which came to the end.
    OwnRun,
    /// An audit.
    Audit {
        /// What it found.
        report: &'a Report,
        /// Files of the record that were passed over.
        passed_over: &'a [String],
        /// Whether only an evidence file was audited.
        evidence: bool,
    },
}

impl<'a> Origin<'a> {
    const fn audit(&self) -> Option<&'a Report> {
        match self {
            Self::OwnRun => None,
            Self::Audit { report, .. } => Some(report),
        }
    }
}

/// Writes the page: UTF-8, with a final newline.
pub fn page(source: &Source<'_>) -> String {
    let plan = source.plan;
    let rows = standing::rows(&plan, &source.origin);
    let verdict = standing::verdict(&source.origin);
    let rehearsal = plan.is_rehearsal();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "conclave " (env!("CARGO_PKG_VERSION")) };
                title { @if rehearsal { "REHEARSAL: " } "Ceremony report: " (plan.name()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if rehearsal { div.watermark aria-hidden="true" { span { "REHEARSAL" } } }
                (header(source))
                main {
                    (conclusion(source, verdict))
                    (codes(source))
                    (facts(source))
                    section { h2 { "Who can sign" } (threshold(&plan)) }
                    section {
                        h2 { "Timeline" }
                        figure { (timeline::draw(&rows, source.outcome.is_some())) }
                    }
                    section { h2 { "Operators" } (operators(&plan, &rows)) }
                    section { h2 { "Money" } (validators::money(plan)) }
                    section { h2 { "Validators" } (validators::list(source)) }
                    section { h2 { "Checks" } (checks::table(source)) }
                    (findings(source))
                    (limits(source))
                }
                (footer(&plan))
            }
        }
    };
    let mut page = markup.into_string();
    page.push('\n');
    page
}

/// Whether bytes say that another version of conclave wrote them.
pub(super) fn is_of_another_version(page: &[u8]) -> bool {
    const GENERATOR: &str = "<meta name=\"generator\" content=\"conclave ";
    let text = String::from_utf8_lossy(page);
    text.split_once(GENERATOR)
        .and_then(|(_, rest)| rest.split_once('"'))
        .is_some_and(|(version, _)| version != env!("CARGO_PKG_VERSION"))
}

fn header(source: &Source<'_>) -> Markup {
    let plan = source.plan;
    html! {
        header {
            @if plan.is_rehearsal() {
                div.rehearsal {
                    strong { "REHEARSAL" }
                    ". Its operators were thrown away, its signatures are valid on no chain, and its keys are worth nothing."
                }
            }
            h1 dir="auto" { (plan.name()) }
            p.lead {
                "A ceremony for "
                (counted(plan.validators().len(), "new validator key")) " on " (plan.network())
                ", among " (plan.roster().len()) " operators"
            }
        }
    }
}

fn conclusion(source: &Source<'_>, verdict: Verdict) -> Markup {
    let n = source.plan.roster().len();
    let (class, title, text) = match verdict {
        Verdict::Complete => (
            "verdict good",
            "✓ Complete",
            format!("All {n} operators confirmed the same transcript, and every signature verifies."),
        ),
        Verdict::Incomplete => (
            "verdict wait",
            "◐ Not complete",
            "Messages are missing, and nothing is wrong with what is there. Nothing may be deposited yet.".into(),
        ),
        Verdict::Ended => (
            "verdict wait",
            "– Ended without an outcome",
            "It cannot become complete, and nobody is proved wrong. Make no deposit for its keys.".into(),
        ),
        Verdict::FaultyBeside => (
            "verdict bad",
            "✗ Complete, and misbehaviour is proved beside it",
            format!("All {n} operators confirmed the same transcript and every signature verifies: the outcome is right. Somebody also broke the rules; see the findings."),
        ),
        Verdict::Faulty => (
            "verdict bad",
            "✗ Misbehaviour is proved",
            "Use nothing that this ceremony made, and make no deposit for its keys. See the findings.".into(),
        ),
    };
    html! {
        div class=(class) {
            h2 { (title) }
            p { (text) }
            @if let Origin::Audit { evidence: true, .. } = source.origin {
                p { "This is the audit of an evidence file: it holds only the messages that are to prove a claim, so others are missing here." }
            }
        }
    }
}

fn codes(source: &Source<'_>) -> Markup {
    let words = |code: &Code| {
        let text = code.to_string();
        html! { ol.words { @for word in text.split(' ') { li { (word) } } } }
    };
    html! {
        section {
            h2 { "Codes" }
            p { "Two people with the same eight words hold the same file. Compare them by voice with an operator whom you know." }
            div.codes {
                div.code {
                    h3 { "Plan code" }
                    (words(source.plan_code))
                }
                @if let Some(code) = source.outcome_code {
                    div.code {
                        h3 { "Outcome code" }
                        (words(code))
                    }
                }
            }
        }
    }
}

fn facts(source: &Source<'_>) -> Markup {
    let plan = source.plan;
    let network = plan.network();
    let keystores = match plan.keystores() {
        KdfChoice::Scrypt => "scrypt",
        KdfChoice::Pbkdf2 => "PBKDF2",
    };
    let origin = match source.origin {
        Origin::OwnRun => "an operator's own run, after it had checked every message".to_owned(),
        Origin::Audit {
            report, evidence, ..
        } => format!(
            "an audit of {} in {}",
            counted(report.messages, "message"),
            if evidence {
                "an evidence file"
            } else {
                "the record"
            }
        ),
    };
    html! {
        section {
            h2 { "Facts" }
            dl {
                dt { "Network" } dd { (network) " (fork version " (Hex(network.fork_version())) ")" }
                dt { "Threshold" } dd { (plan.threshold()) " of " (plan.roster().len()) " operators" }
                dt { "Validators" } dd { (plan.validators().len()) }
                dt { "Plan made" } dd { (utc(plan.created())) " by the organiser's clock" }
                dt { "Epoch" } dd { "0: the first keys of this cluster" }
                dt { "Keystores" } dd { (keystores) ", unless an operator chose otherwise" }
                dt { "Ceremony id" } dd.mono { (plan.cid()) }
                @if let Some(outcome) = source.outcome {
                    dt { "Transcript" } dd.mono { (outcome.transcript()) }
                }
                dt { "This page" } dd { "made from " (origin) }
            }
        }
    }
}

/// The threshold in plain words.
fn threshold(plan: &Plan) -> Markup {
    let (n, t) = (plan.roster().len(), plan.threshold());
    let spare = n.saturating_sub(t);
    let below = t.saturating_sub(1);
    html! {
        ul {
            li { "Any " strong { (t) } " of the " (n) " operators together can sign for these validators. Nobody ever held a whole key." }
            li {
                @if below == 1 { "One operator alone" } @else { (below) " operators or fewer" }
                " can sign nothing and learn nothing about the keys."
            }
            li {
                @match spare {
                    0 => { "If a single operator is away, nothing can be signed; if a single one loses its shares, the keys are lost." }
                    1 => { "One operator may be away or lose its shares. If two lose theirs, the keys are lost." }
                    _ => { (spare) " operators may be away or lose their shares. If " (spare.saturating_add(1)) " lose theirs, the keys are lost." }
                }
            }
            @for warning in plan.warnings() { li { strong { "Note: " } (warning) "." } }
        }
    }
}

fn operators(plan: &Plan, rows: &[Row]) -> Markup {
    let class = |mark: Mark| match mark {
        Mark::Done => "state good",
        Mark::Missing | Mark::Abandoned => "state wait",
        Mark::Twice | Mark::Wrong => "state bad",
    };
    html! {
        table.cards role="table" {
            caption { "Who took part, by index, with what each said" }
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Operator" }
                    th role="columnheader" scope="col" { "Identity" }
                    th role="columnheader" scope="col" { "Made with" }
                    th role="columnheader" scope="col" { "Deal" }
                    th role="columnheader" scope="col" { "Confirm" }
                }
            }
            tbody role="rowgroup" {
                @for (operator, row) in plan.roster().iter().zip(rows) {
                    tr role="row" {
                        th role="rowheader" scope="row" { (row.index) " " strong dir="auto" { (row.name) } }
                        td.mono role="cell" data-label="identity" { (operator.card.identity()) }
                        td role="cell" data-label="made with" { (operator.card.tool().as_str()) }
                        td role="cell" data-label="deal" { span class=(class(row.deal)) { (row.deal.word()) } }
                        td role="cell" data-label="confirm" {
                            span class=(class(row.confirm)) { (row.confirm.word()) }
                            @for against in &row.complaints { " complained about the deal of " (named(plan, *against)) }
                        }
                    }
                }
            }
        }
    }
}

/// What the audit found, who is proved wrong by which messages, and what was passed over.
fn findings(source: &Source<'_>) -> Markup {
    let Origin::Audit {
        report,
        passed_over,
        ..
    } = source.origin
    else {
        return html! {
            section {
                h2 { "Findings" }
                p { "The ceremony is complete. What anyone may have added to the board beside it, this page does not say; the audit of a record does." }
            }
        };
    };
    let examination = &report.examination;
    html! {
        section {
            h2 { "Findings" }
            ul { @for sentence in report.sentences(&source.plan) { li { (shown(&sentence)) } } }
            @if !examination.faults.is_empty() || !examination.collisions.is_empty() {
                h3 { "Evidence" }
                p { "These messages show it. Each is signed by its sender, so that anybody can check it without a secret." }
                dl {
                    @for fault in &examination.faults {
                        dt { (named(&source.plan, fault.accused)) ": " (fault.kind.word()) }
                        dd.mono { (files(&fault.proof)) }
                    }
                    @for collision in &examination.collisions {
                        dt { "collision, nobody is blamed" }
                        dd.mono { (files(&collision.proof)) }
                    }
                }
            }
            @if !report.noise.is_empty() {
                h3 { "Noise" }
                p { "These are no messages of the ceremony. They are blamed on nobody, since anybody can put a file there." }
                (listed(&report.noise))
            }
            @if !passed_over.is_empty() {
                h3 { "Passed over" }
                p { "Other files in the record's directory; none of them counts." }
                (listed(passed_over))
            }
        }
    }
}

fn files(ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| shown(id)).collect();
    ids.join(", ")
}

fn listed(lines: &[String]) -> Markup {
    html! {
        ul {
            @for line in lines.iter().take(LISTED) { li { (shown(line)) } }
            @if let Some(more) = lines.len().checked_sub(LISTED).filter(|more| *more > 0) {
                li { "and " (more) " more" }
            }
        }
    }
}

/// What a page cannot show.
fn limits(source: &Source<'_>) -> Markup {
    html! {
        section {
            h2 { "What this page does not prove" }
            ul {
                li { "The page is not signed: anybody can write one that looks like it. To be sure, take the record and a copy of conclave that you trust, and compute it again: " code { "conclave audit RECORD" } "." }
                li { "A code shows that two people hold the same file, not that the file is right. Whether the network, the addresses and the amounts are the right ones, people have to read in the plan." }
                li { "That the operators are different people, that their machines are theirs alone, and that they keep their shares: no message can show it." }
                li { "When messages were made: the ceremony orders them in rounds and trusts no clock." }
                @if source.outcome.is_some() {
                    li { "That a deposit file is this ceremony's: " code { "conclave deposit check FILE --record RECORD" } " proves it, deposit by deposit." }
                    li { "That a keystore runs in one validator client only. Two that run the same share can get the validator slashed." }
                }
            }
        }
    }
}

fn footer(plan: &Plan) -> Markup {
    html! {
        footer {
            p { "conclave " (env!("CARGO_PKG_VERSION")) " · ceremony " span.mono { (plan.cid().short()) }
                @if plan.is_rehearsal() { " · rehearsal" } }
        }
    }
}

/// An operator as people know it.
fn named(plan: &Plan, index: Index) -> String {
    match plan.roster().operator(index) {
        Some(operator) => format!("{} ({index})", operator.card.name()),
        None => format!("operator {index}"),
    }
}

/// `1 validator`, `2 validators`.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Names of files may hold anything: what would reorder or hide text is written out.
fn shown(text: &dyn Display) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut out = String::new();
    for c in text.to_string().chars() {
        if hides(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}
