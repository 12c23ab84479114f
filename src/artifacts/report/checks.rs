//! Every check that an audit makes, what it stops, and what it came to here.

use std::fmt;

use maud::{Markup, html};

use super::{Origin, Source, counted, named};
use crate::ceremony::evidence::{Fault, FaultKind};
use crate::protocol::complaint::FalseComplaint;
use crate::protocol::confirm::ConfirmFault;
use crate::protocol::deal::DealFault;
use crate::wire::roster::Index;

/// What a check came to.
enum CheckResult {
    /// It holds for all of it.
    Passed(String),
    /// It holds for what is there, and something is missing.
    Partly(String),
    /// Nothing to be checked was there, or what comes before it failed.
    NotReached,
    /// These operators are proved wrong by it, or the text says what else.
    Failed(String),
    /// Nobody but each operator can make it.
    Theirs(String),
}

impl CheckResult {
    const fn class(&self) -> &'static str {
        match self {
            Self::Passed(_) => "state good",
            Self::Failed(_) => "state bad",
            Self::Partly(_) | Self::NotReached | Self::Theirs(_) => "state wait",
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "✓ passed",
            Self::Partly(_) => "◐ so far",
            Self::NotReached => "– not reached",
            Self::Failed(_) => "✗ failed",
            Self::Theirs(_) => "• theirs",
        }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(text) | Self::Partly(text) | Self::Failed(text) | Self::Theirs(text) => {
                f.write_str(text)
            }
            Self::NotReached => f.write_str("what it needs is not there"),
        }
    }
}

/// One row: what is checked, what that stops, what it came to.
type Row = (&'static str, &'static str, CheckResult);

/// The table.
pub(super) fn table(source: &Source<'_>) -> Markup {
    html! {
        table.cards role="table" {
            caption { "What is checked, in the order in which it is checked" }
            thead role="rowgroup" {
                tr role="row" {
                    th role="columnheader" scope="col" { "Check" }
                    th role="columnheader" scope="col" { "What it stops" }
                    th role="columnheader" scope="col" { "Result" }
                }
            }
            tbody role="rowgroup" {
                @for (check, stops, result) in rows(source) {
                    tr role="row" {
                        th role="rowheader" scope="row" { (check) }
                        td role="cell" data-label="stops" { (stops) }
                        td role="cell" {
                            span class=(result.class()) { (result.word()) }
                            " " span.soft { (result) }
                        }
                    }
                }
            }
        }
    }
}

/// What the counts of the results are made of.
struct Sizes {
    /// Operators, validators, threshold.
    n: usize,
    m: usize,
    t: usize,
    /// Messages that the keys sign.
    signed: usize,
    /// Deals and confirms that are there.
    deals: usize,
    confirms: usize,
    /// Whether all deals passed, so that keys and transcript follow from them.
    keys: bool,
    complete: bool,
}

fn rows(source: &Source<'_>) -> Vec<Row> {
    let plan = source.plan;
    let audit = source.origin.audit();
    let n = plan.roster().len();
    let faults: &[Fault] = audit.map_or(&[], |report| &report.examination.faults);
    let collisions = audit.map_or(&[][..], |report| &report.examination.collisions);
    let is_deal = |fault: &&Fault| matches!(fault.kind, FaultKind::Deal(_));
    let deals = audit.map_or(n, |report| {
        report.turnout.iter().filter(|at| at.deals > 0).count()
    });
    let complete = source.outcome.is_some();
    let sizes = Sizes {
        n,
        m: plan.validators().len(),
        t: plan.threshold(),
        signed: plan.validators().iter().fold(0, |sum, validator| {
            sum.saturating_add(validator.message_count())
        }),
        deals,
        confirms: audit.map_or(n, |report| {
            report.turnout.iter().filter(|at| at.confirms > 0).count()
        }),
        keys: complete
            || (deals == n && collisions.is_empty() && !faults.iter().any(|f| is_deal(&f))),
        complete,
    };
    let failed = |test: &dyn Fn(&FaultKind) -> bool| failed(source, faults, test);
    let mut rows = before(&sizes);
    rows.push(messages(source, &sizes));
    rows.extend(of_deals(source, &sizes, &failed));
    rows.push((
        "No key or public share is the point at infinity",
        "a lowered threshold, a zero key",
        match (sizes.keys, collisions.is_empty()) {
            (true, _) => {
                let shares = sizes.m.saturating_mul(n);
                CheckResult::Passed(format!(
                    "{}, {}",
                    counted(sizes.m, "key"),
                    counted(shares, "public share")
                ))
            }
            (false, false) => CheckResult::Failed("the deals collide; nobody is blamed".into()),
            (false, true) => CheckResult::NotReached,
        },
    ));
    rows.push((
        "Each complaint is judged by everybody alike",
        "a wrong share kept quiet, a false accusation",
        complaints(source, &failed),
    ));
    rows.extend(of_confirms(&sizes, &failed));
    rows.push((
        "The outcome is computed again from the messages",
        "an outcome file that somebody changed",
        match (source.origin, audit.and_then(|report| report.claim_holds)) {
            (Origin::OwnRun, _) => {
                CheckResult::Passed("this is what the operator's run computed".into())
            }
            (_, Some(true)) => {
                CheckResult::Passed("the record's outcome is the same, byte for byte".into())
            }
            (_, Some(false)) => CheckResult::Failed("the record's outcome is another".into()),
            (_, None) if complete => {
                CheckResult::Passed("the record holds no outcome file to compare".into())
            }
            (_, None) => CheckResult::NotReached,
        },
    ));
    rows.push((
        "Every operator's own shares fit the commitments",
        "a share that does not sign, found after the deposit",
        if complete {
            CheckResult::Theirs(format!(
                "all {n} operators say so in their confirms; their partial signatures bear it out"
            ))
        } else {
            CheckResult::Theirs("each operator checks it before it confirms".into())
        },
    ));
    rows
}

/// What is checked before any message.
fn before(sizes: &Sizes) -> Vec<Row> {
    let cards = counted(sizes.n, "card");
    vec![
        (
            "The plan is complete and consistent: network, amounts, addresses with checksum",
            "a typing error, a test that signs for a real chain",
            CheckResult::Passed(counted(sizes.m, "validator")),
        ),
        (
            "Each card is signed by its identity and proves its encryption key",
            "a copied key, an organiser who replaces keys",
            CheckResult::Passed(cards.clone()),
        ),
        (
            "No two operators share an index, a name or a key; no index is zero",
            "one party in two seats, a share that is the key itself",
            CheckResult::Passed(cards),
        ),
    ]
}

fn messages(source: &Source<'_>, sizes: &Sizes) -> Row {
    let count = source
        .origin
        .audit()
        .map_or_else(|| sizes.n.saturating_mul(2), |report| report.messages);
    let noise = source.origin.audit().map_or(0, |report| report.noise.len());
    let mut text = counted(count, "message");
    if noise > 0 {
        text.push_str(&format!(
            "; {} passed over, listed below",
            counted(noise, "file")
        ));
    }
    (
        "Each message is canonical, of this ceremony, and signed by its sender",
        "two readings of one message, words put into somebody's mouth",
        if count == 0 {
            CheckResult::NotReached
        } else {
            CheckResult::Passed(text)
        },
    )
}

type Failed<'a> = dyn Fn(&dyn Fn(&FaultKind) -> bool) -> Option<CheckResult> + 'a;

fn of_deals(source: &Source<'_>, sizes: &Sizes, failed: &Failed<'_>) -> Vec<Row> {
    let deals = |words: String| match (sizes.deals, sizes.keys) {
        (0, _) => CheckResult::NotReached,
        (_, true) => CheckResult::Passed(words),
        (some, false) if some < sizes.n => {
            CheckResult::Partly(format!("{some} of {} deals", sizes.n))
        }
        _ => CheckResult::Passed(words),
    };
    let points = sizes
        .m
        .saturating_mul(sizes.t)
        .saturating_add(2)
        .saturating_mul(sizes.deals);
    let collisions = source
        .origin
        .audit()
        .map_or(0, |report| report.examination.collisions.len());
    vec![
        (
            "Each deal has exactly the plan's commitments and encrypted shares",
            "a raised threshold, an operator left without a share",
            failed(&|kind| {
                matches!(
                    kind,
                    FaultKind::Deal(
                        DealFault::Count { .. } | DealFault::Malformed(_) | DealFault::Scalar(_)
                    )
                )
            })
            .unwrap_or_else(|| {
                deals(format!(
                    "{}, each {} × {} commitments and {} × {} shares",
                    counted(sizes.deals, "deal"),
                    sizes.m,
                    sizes.t,
                    sizes.m,
                    sizes.n
                ))
            }),
        ),
        (
            "Every point is on the curve, in the right group, and not infinity",
            "leaking keys, keys that the chain refuses, forgeries",
            failed(&|kind| matches!(kind, FaultKind::Deal(DealFault::Point { .. })))
                .unwrap_or_else(|| deals(counted(points, "point"))),
        ),
        (
            "Each dealer proves that it knows all that it dealt",
            "rogue keys, copied or mirrored contributions",
            failed(&|kind| {
                matches!(
                    kind,
                    FaultKind::Deal(DealFault::Proof | DealFault::Repeated(_))
                )
            })
            .unwrap_or_else(|| deals(counted(sizes.deals, "proof"))),
        ),
        (
            "No two deals share a key",
            "a contribution copied from another",
            if collisions > 0 {
                CheckResult::Failed("deals collide; nobody is blamed".into())
            } else {
                deals(counted(sizes.deals, "deal"))
            },
        ),
    ]
}

fn complaints(source: &Source<'_>, failed: &Failed<'_>) -> CheckResult {
    let wrong = failed(&|kind| {
        matches!(
            kind,
            FaultKind::WrongShares { .. }
                | FaultKind::FalseComplaint {
                    reason: FalseComplaint::Malformed(_)
                        | FalseComplaint::Proof
                        | FalseComplaint::SharesAreRight,
                    ..
                }
        )
    });
    let turnout = source.origin.audit().map(|report| &report.turnout);
    let made = turnout.into_iter().flatten();
    let made = made.fold(0usize, |sum, at| sum.saturating_add(at.complaints.len()));
    wrong.unwrap_or_else(|| match made {
        0 => CheckResult::Passed("none was made".into()),
        made => CheckResult::Partly(format!(
            "{} about deals that are not there",
            counted(made, "complaint")
        )),
    })
}

fn of_confirms(sizes: &Sizes, failed: &Failed<'_>) -> Vec<Row> {
    let confirms = |words: String| match (sizes.keys, sizes.confirms) {
        (false, _) | (_, 0) => CheckResult::NotReached,
        (true, _) if sizes.complete => CheckResult::Passed(words),
        (true, some) => CheckResult::Partly(format!("{some} of {} confirms", sizes.n)),
    };
    let shown = sizes.n.saturating_mul(sizes.n);
    let partials = sizes.n.saturating_mul(sizes.signed);
    vec![
        (
            "Nobody said two different things in one place",
            "different deals shown to different operators",
            failed(&|kind| matches!(kind, FaultKind::Equivocation(_))).unwrap_or_else(|| {
                if sizes.complete {
                    CheckResult::Passed(format!("{} of all operators", counted(sizes.n, "confirm")))
                } else {
                    CheckResult::Partly("no two were found".into())
                }
            }),
        ),
        (
            "The deals that a confirm shows carry their dealers' signatures",
            "an invented deal, a split view that no board shows",
            failed(&|kind| {
                matches!(
                    kind,
                    FaultKind::Confirm(
                        ConfirmFault::ForgedDeal { .. } | ConfirmFault::Malformed(_)
                    )
                )
            })
            .unwrap_or_else(|| {
                confirms(format!(
                    "{} in {}",
                    counted(shown, "signature"),
                    counted(sizes.n, "confirm")
                ))
            }),
        ),
        (
            "All operators confirm one and the same transcript",
            "some finished, some did not; different keys at different places",
            failed(&|kind| matches!(kind, FaultKind::Confirm(ConfirmFault::Transcript)))
                .unwrap_or_else(|| {
                    confirms(format!("{} of {}", sizes.n, counted(sizes.n, "operator")))
                }),
        ),
        (
            "Every operator's partial signatures fit its public shares",
            "a share that is unusable, found after the deposit",
            failed(&|kind| {
                matches!(
                    kind,
                    FaultKind::Confirm(
                        ConfirmFault::Partial { .. }
                            | ConfirmFault::Point { .. }
                            | ConfirmFault::Count { .. }
                    )
                )
            })
            .unwrap_or_else(|| confirms(counted(partials, "partial signature"))),
        ),
        (
            "Every signature verifies under its validator's key",
            "money paid for a validator that never starts",
            if sizes.complete {
                CheckResult::Passed(counted(sizes.signed, "signature"))
            } else {
                CheckResult::NotReached
            },
        ),
    ]
}

/// Who is proved wrong by a check, if somebody is.
fn failed(
    source: &Source<'_>,
    faults: &[Fault],
    test: &dyn Fn(&FaultKind) -> bool,
) -> Option<CheckResult> {
    let mut accused: Vec<Index> = faults
        .iter()
        .filter(|fault| test(&fault.kind))
        .map(|fault| fault.accused)
        .collect();
    accused.sort_unstable();
    accused.dedup();
    if accused.is_empty() {
        return None;
    }
    let names: Vec<String> = accused
        .iter()
        .map(|index| named(&source.plan, *index))
        .collect();
    Some(CheckResult::Failed(names.join(", ")))
}
