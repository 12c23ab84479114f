//! How a ceremony that cannot become complete is told, and the evidence kept.

use super::Context;
use super::error::{CommandError, ErrorCode};
use crate::ceremony::evidence::{Collision, Evidence, EvidenceError, Fault};
use crate::ceremony::plan::{Plan, PlanKind};
use crate::ceremony::step::Stop;
use crate::hash::{Hasher, Tag};
use crate::store::home::Home;
use crate::store::seat::Seat;
use crate::wire::roster::Index;

/// Returns operators as people know them: `carol (3), dave (4)`.
pub(super) fn names(plan: &Plan, indices: &[Index]) -> String {
    let name = |index: &Index| match plan.roster().operator(*index) {
        Some(operator) => format!("{} ({index})", operator.card.name()),
        None => index.to_string(),
    };
    indices.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// What was found, in sentences, and the evidence files that show it.
struct Kept {
    sentences: Vec<String>,
    files: Vec<String>,
}

/// Keeps the evidence in the home.
fn keep(
    home: &Home,
    plan: &Plan,
    seat: &Seat<'_>,
    faults: &[Fault],
    collisions: &[Collision],
) -> Result<Kept, CommandError> {
    let mut found = Vec::new();
    for fault in faults {
        let text = format!("{}: {}", names(plan, &[fault.accused]), fault.kind);
        let word = format!("{}-{}", fault.accused, fault.kind.word());
        found.push((vec![fault.accused], text, word, &fault.proof));
    }
    for collision in collisions {
        let text = format!("{}; this proves nobody wrong", collision.what);
        let word = "collision".to_owned();
        found.push((collision.dealers.clone(), text, word, &collision.proof));
    }
    let (mut sentences, mut files) = (Vec::new(), Vec::new());
    for (accused, text, word, proof) in found {
        match Evidence::collect(plan, accused, text.clone(), proof, seat.messages()) {
            Ok(bytes) => {
                // Named by its content: another proof of the same is another file, no conflict.
                let content = Hasher::new(Tag::EVIDENCE).bytes(&bytes).finish().short();
                let file = format!("ceremonies/{}/evidence/{word}-{content}.json", plan.cid());
                home.put_public(&file, &bytes)?;
                files.push(home.path(&file)?.display().to_string());
                sentences.push(text);
            }
            Err(error @ EvidenceError::TooLarge) => sentences.push(format!("{text} ({error})")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Kept { sentences, files })
}

/// Warns of misbehaviour beside a complete ceremony and keeps the evidence; returns its files.
pub(super) fn beside(
    cx: &mut Context,
    home: &Home,
    plan: &Plan,
    seat: &Seat<'_>,
    faults: &[Fault],
) -> Result<Vec<String>, CommandError> {
    let what = "proved beside the complete ceremony, which it does not undo";
    warn(cx, home, plan, seat, faults, what)
}

/// The same of a ceremony that can still become complete without the culprits.
pub(super) fn so_far(
    cx: &mut Context,
    home: &Home,
    plan: &Plan,
    seat: &Seat<'_>,
    faults: &[Fault],
) -> Result<Vec<String>, CommandError> {
    let what = "proved, and others can still complete the ceremony";
    warn(cx, home, plan, seat, faults, what)
}

fn warn(
    cx: &mut Context,
    home: &Home,
    plan: &Plan,
    seat: &Seat<'_>,
    faults: &[Fault],
    what: &str,
) -> Result<Vec<String>, CommandError> {
    let kept = keep(home, plan, seat, faults, &[])?;
    for sentence in &kept.sentences {
        cx.ui.warn(format!("{what}: {sentence}"));
    }
    for file in &kept.files {
        cx.ui.warn(format!("the evidence: conclave audit {file}"));
    }
    Ok(kept.files)
}

/// Says why a ceremony cannot become complete, and keeps the evidence; returns its files.
pub(super) fn explain(
    home: &Home,
    plan: &Plan,
    seat: &Seat<'_>,
    stop: &Stop,
) -> Result<(CommandError, Vec<String>), CommandError> {
    let kept = keep(home, plan, seat, &stop.faults, &stop.collisions)?;
    let (code, message) = if !stop.faults.is_empty() {
        let mut accused: Vec<Index> = stop.faults.iter().map(|fault| fault.accused).collect();
        accused.sort_unstable();
        accused.dedup();
        (
            ErrorCode::MISBEHAVIOUR,
            match plan.kind() {
                PlanKind::Keygen => format!(
                    "{} proved wrong; the ceremony cannot become complete here: make no deposit for its keys",
                    names(plan, &accused)
                ),
                PlanKind::Sign => format!(
                    "{} proved wrong; too few other operators are left to sign",
                    names(plan, &accused)
                ),
            },
        )
    } else if !stop.collisions.is_empty() {
        (
            ErrorCode::CEREMONY_STOPPED,
            "the ceremony cannot become complete, and nobody is proved wrong".to_owned(),
        )
    } else {
        (
            ErrorCode::CEREMONY_ABANDONED,
            format!(
                "the ceremony was abandoned by {}; it cannot become complete",
                names(plan, &stop.abandoned)
            ),
        )
    };
    let mut error = CommandError::of(code, message);
    for sentence in kept.sentences {
        error = error.cause(sentence);
    }
    for file in &kept.files {
        error = error.hint(format!(
            "show it to the others; anyone can check it: conclave audit {file}"
        ));
    }
    let error = error.hint(match plan.kind() {
        PlanKind::Keygen => "the organiser makes a new plan with `conclave plan new`; cards that were not used up may stand in it again",
        PlanKind::Sign => "with the others make a new signing plan: `conclave sign`",
    });
    Ok((error, kept.files))
}
