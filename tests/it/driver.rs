//! Whole ceremonies through the driver: real homes, a directory as the stick.

use std::sync::Arc;

use conclave::audit::{Conclusion, audit};
use conclave::ceremony::Unobserved;
use conclave::driver::Standing;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::folder::BoardFolder;
use conclave::store::seat::BoardMessages;

use crate::harness::homes::Group;

#[test]
fn four_operators_reach_one_outcome_in_two_rounds() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 4, 2);
    for operator in 0..3 {
        let ran = group.run(operator);
        assert!(
            matches!(ran.standing, Standing::Waiting { ref deals, .. } if deals.len() == 3 - operator)
        );
    }
    // The last to deal confirms in the same run; the others follow.
    assert!(
        matches!(group.run(3).standing, Standing::Waiting { ref confirms, .. } if confirms.len() == 3)
    );
    let mut outcomes = Vec::new();
    for operator in [0, 1, 2, 0, 1, 3] {
        if let Standing::Complete { outcome, .. } = group.run(operator).standing {
            outcomes.push(outcome.to_bytes().unwrap());
        }
    }
    assert_eq!(outcomes.len(), 4);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));

    // An outsider with the stick alone comes to the same bytes.
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let path = std::fs::read_dir(&group.stick)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let board = BoardFolder::open(disk, &path);
    let ids: Vec<String> = board
        .messages()
        .unwrap()
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(ids.len(), 8);
    let messages = BoardMessages(board);
    let report = audit(
        &group.plan,
        &ids,
        &messages,
        Some(&outcomes[0]),
        &Unobserved,
    )
    .unwrap();
    assert_eq!(report.conclusion(), Conclusion::Complete);
    assert_eq!(report.outcome.as_deref(), Some(outcomes[0].as_slice()));
    let report = audit(&group.plan, &ids, &messages, Some(b"{}"), &Unobserved).unwrap();
    assert_eq!(report.conclusion(), Conclusion::Misbehaviour);
}
