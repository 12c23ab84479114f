//! How a ceremony that cannot become complete is told, and the evidence kept.

use super::error::{CommandError, Kind};
use crate::ceremony::evidence::Evidence;
use crate::ceremony::plan::Plan;
use crate::ceremony::step::Stop;
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

/// Keeps the evidence in the home; returns what to tell, and where the evidence lies.
pub(super) fn explain(
    home: &Home,
    plan: &Plan,
    seat: &Seat<'_>,
    stop: &Stop,
) -> Result<(CommandError, Vec<String>), CommandError> {
    let mut found = Vec::new();
    for fault in &stop.faults {
        let text = format!("{}: {}", names(plan, &[fault.accused]), fault.kind);
        let word = format!("{}-{}", fault.accused, fault.kind.word());
        found.push((vec![fault.accused], text, word, &fault.proof));
    }
    for collision in &stop.collisions {
        let text = format!("{}; this proves nobody wrong", collision.what);
        found.push((
            collision.dealers.clone(),
            text,
            "collision".to_owned(),
            &collision.proof,
        ));
    }
    let mut evidence = Vec::new();
    let mut causes = Vec::new();
    for (number, (accused, text, word, proof)) in (1u32..).zip(found) {
        let bytes = Evidence::collect(plan, accused, text.clone(), proof, seat.messages())?;
        let file = format!("ceremonies/{}/evidence/{word}-{number}.json", plan.cid());
        home.put_public(&file, &bytes)?;
        evidence.push(home.path(&file)?.display().to_string());
        causes.push(text);
    }
    let (kind, message) = if !stop.faults.is_empty() {
        let mut accused: Vec<Index> = stop.faults.iter().map(|fault| fault.accused).collect();
        accused.sort_unstable();
        accused.dedup();
        (
            Kind::Misbehaviour,
            format!(
                "{} proved wrong; the ceremony cannot become complete; nobody can use its keys",
                names(plan, &accused)
            ),
        )
    } else if !stop.collisions.is_empty() {
        (
            Kind::Failed,
            "the ceremony cannot become complete, and nobody is proved wrong".to_owned(),
        )
    } else {
        (
            Kind::Failed,
            format!(
                "the ceremony was abandoned by {}; it cannot become complete",
                names(plan, &stop.abandoned)
            ),
        )
    };
    let mut error = CommandError::new(kind, message);
    for cause in causes {
        error = error.cause(cause);
    }
    for file in &evidence {
        error = error.hint(format!(
            "show it to the others; anyone can check it: conclave audit {file}"
        ));
    }
    let error = error.hint("the organiser makes a new plan with `conclave plan new`; cards that were not used up may stand in it again");
    Ok((error, evidence))
}
