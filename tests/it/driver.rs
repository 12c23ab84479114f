//! Whole ceremonies through the driver: real homes, a directory as the stick.

use std::path::Path;
use std::sync::Arc;

use conclave::audit::{Conclusion, audit};
use conclave::ceremony::Unobserved;
use conclave::ceremony::plan::Plan;
use conclave::crypto::identity::IdentityKey;
use conclave::driver::Standing;
use conclave::secret::Secret;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::folder::BoardFolder;
use conclave::store::home::Home;
use conclave::store::seat::{self, BoardMessages, Seat, SeatError, own_card, spend_if_done};
use conclave::store::vault::Marker;
use conclave::wire::card::VerifiedCard;
use conclave::wire::envelope::{Envelope, Kind, Place};

use tempfile::TempDir;

use crate::harness::homes::{Group, draft, validator};
use crate::harness::schema;

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

    schema::assert_files(directory.path());
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

/// A dealer that signs any number of deals keeps none away that a confirm of the home names.
#[test]
fn a_restored_home_finds_the_deals_of_its_confirm_under_any_others() {
    let place = TempDir::new().unwrap();
    let group = Group::new(place.path(), 4, 1);
    let root = &group.members[0].root;
    let backup = place.path().join("backup");
    copy(root, &backup);
    (0..4).for_each(|operator| drop(group.run(operator)));
    let Standing::Waiting { .. } = group.run(0).standing else {
        panic!("two confirms are missing")
    };
    (1..3).for_each(|operator| drop(group.run(operator)));
    std::fs::remove_dir_all(root).unwrap();
    copy(&backup, root);

    // The cheat's other deals come first, and more of them than a place holds.
    let cheat = group.members[3].open(Arc::new(RealDisk)).unwrap();
    let cheat = IdentityKey::from_seed(&cheat.identity_seed().unwrap());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let directory = std::fs::read_dir(&group.stick).unwrap().next().unwrap();
    let folder = BoardFolder::open(disk, &directory.unwrap().path());
    for junk in 0..20 {
        let payload = serde_json::json!({ "junk": junk });
        let deal = Envelope::sign(&cheat, *group.plan.cid(), Kind::Deal, Place::Deal, payload);
        folder.put("0-junk.json", deal.unwrap().bytes()).unwrap();
    }
    // Everyone went by the cheat's one deal, and so does it, now and again.
    for _ in 0..2 {
        let ran = group.run(0);
        assert!(matches!(ran.standing, Standing::Complete { .. }), "{ran:?}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A card may stand in several plans. Its secret goes when one ceremony with it is complete and none
/// with it is open, not before; then it opens no further plan.
#[test]
fn a_card_is_spent_when_its_last_open_plan_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let mut group = Group::new(directory.path(), 3, 1);
    let cards: Vec<_> = group
        .members
        .iter()
        .map(|member| member.card.clone())
        .collect();
    let another =
        || Plan::draft(draft(&cards.iter().collect::<Vec<_>>(), vec![validator()])).unwrap();
    let first = group.plan.clone();
    let second = another();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let open = |group: &Group| group.members[0].open(disk.clone()).unwrap();
    let has_secret = |home: &Home| {
        let key = cards[0].encryption_key().to_bytes();
        home.ceremony_secret(&key).unwrap().is_some()
    };

    seat::accept(&open(&group), &second).unwrap();
    for operator in [0, 1, 2, 0, 1, 2] {
        group.run(operator);
    }
    assert!(matches!(group.run(0).standing, Standing::Complete { .. }));
    let home = open(&group);
    assert!(
        !spend_if_done(&home, &first).unwrap(),
        "its files are not written"
    );
    Seat::open(&home, &first)
        .unwrap()
        .mark(Marker::Artifacts, b"")
        .unwrap();
    assert!(
        !spend_if_done(&home, &first).unwrap(),
        "the second plan is open"
    );
    assert!(has_secret(&home));

    // The second is closed by leaving it; a folder that is lost does not keep the card alive.
    let mut left = Seat::open(&home, &second).unwrap();
    let envelope = left.session().abandon(left.me()).unwrap().unwrap();
    left.keep_own(&envelope).unwrap();
    std::fs::remove_dir_all(left.messages().0.path()).unwrap();
    assert!(spend_if_done(&home, &first).unwrap());
    assert!(!has_secret(&home));
    let third = another();
    assert!(matches!(own_card(&home, &third), Err(SeatError::SpentCard)));
    drop(home);

    // What was accepted goes on without the secret.
    assert!(matches!(group.run(0).standing, Standing::Complete { .. }));
    group.plan = third;
    let refused = group.run_on(&disk, 0).unwrap_err();
    assert!(refused.contains("is spent"), "{refused}");
}

#[test]
fn a_plan_with_a_card_that_this_home_never_made_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 2, 1);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let home = group.members[0].open(disk).unwrap();
    assert!(own_card(&home, &group.plan).is_ok());
    let key = IdentityKey::from_seed(&home.identity_seed().unwrap());
    let name = group.members[0].card.name().clone();
    let strange = VerifiedCard::make(&key, name, &Secret::new([9; 32])).unwrap();
    let cards = [&strange, &group.members[1].card];
    let plan = Plan::draft(draft(&cards, vec![validator()])).unwrap();
    assert!(matches!(
        own_card(&home, &plan),
        Err(SeatError::StrangeCard)
    ));
}
