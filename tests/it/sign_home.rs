//! Signing ceremonies in real homes: what a home holds against a plan, and death at every change of a
//! signing run.

use std::sync::Arc;

use conclave::ambient::OsRandomness;
use conclave::ceremony::Unobserved;
use conclave::ceremony::outcome::KeygenOutcome;
use conclave::ceremony::outcome::Outcome;
use conclave::ceremony::plan::{ClusterRef, Plan, SignDraft, SignMessage, SignObject};
use conclave::driver::{Ran, Standing};
use conclave::ethereum::network::Network;
use conclave::hash::Digest;
use conclave::json::Text;
use conclave::store::cluster::{ClusterError, check_outcome, own_shares};
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::home::Home;
use conclave::store::seat::SeatError;
use conclave::wire::roster::Index;

use crate::harness::disk::{Death, FaultDisk, copy_tree};
use crate::harness::homes::Group;

fn outcome_of(ran: Ran) -> Option<Outcome> {
    match ran.standing {
        Standing::Complete { outcome, .. } => Some(*outcome),
        _ => None,
    }
}

/// Three operators who made two keys; the third has not heard of the end.
fn cluster(directory: &std::path::Path) -> (Group, KeygenOutcome) {
    let group = Group::new(directory, 3, 2);
    for operator in [0, 1, 2, 0] {
        assert!(outcome_of(group.run(operator)).is_none());
    }
    let ends = [1, 0].map(|operator| outcome_of(group.run(operator)).unwrap());
    let [Outcome::Keygen(outcome), _] = ends else {
        panic!("no keys");
    };
    (group, outcome)
}

/// An exit by the second key.
fn draft(group: &Group, outcome: &KeygenOutcome) -> SignDraft {
    let polynomial = outcome.sharing().polynomials().nth(1).unwrap().to_vec();
    let roster = group.plan.roster().iter();
    SignDraft {
        name: Text::try_from("Leaving".to_owned()).unwrap(),
        created: 1_790_000_000,
        network: group.plan.network().clone(),
        threshold: group.plan.threshold() as u64,
        roster: roster
            .map(|operator| (operator.index, operator.card.clone()))
            .collect(),
        cluster: ClusterRef {
            cid: *group.plan.cid(),
            outcome: Outcome::Keygen(outcome.clone()).hash().unwrap(),
        },
        keys: vec![(1, polynomial)],
        messages: vec![SignMessage {
            key: 0,
            object: SignObject::Exit {
                epoch: 350_000,
                validator_index: 7,
            },
        }],
        random: [9; 32],
    }
}

fn open(group: &Group, operator: usize) -> Home {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    group.members[operator].open(disk).unwrap()
}

/// What a home finds when it holds a plan against what it knows.
fn judged(home: &Home, plan: &Plan) -> Result<(), ClusterError> {
    let sign = plan.sign().unwrap();
    let found = own_shares(home, sign)
        .and_then(|_| check_outcome(home, sign, &mut OsRandomness, &Unobserved));
    match found {
        Ok(()) => Ok(()),
        Err(SeatError::Cluster(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_plan_that_says_another_cluster_is_refused_for_what_differs() {
    let directory = tempfile::tempdir().unwrap();
    let (group, outcome) = cluster(directory.path());
    let home = open(&group, 0);
    let honest = Plan::draft_sign(draft(&group, &outcome)).unwrap();
    judged(&home, &honest).unwrap();

    type Change = fn(&mut SignDraft);
    let changes: [(&str, Change); 7] = [
        ("network", |draft| {
            draft.network = Network::known("mainnet").unwrap().spec();
        }),
        ("threshold", |draft| {
            draft.threshold = 3;
            let again = draft.keys[0].1[1];
            draft.keys[0].1.push(again);
        }),
        ("roster", |draft| draft.roster[2].0 = Index::new(9).unwrap()),
        ("roster", |draft| {
            draft.roster.pop();
        }),
        ("keys", |draft| draft.keys[0].1.swap(0, 1)),
        ("keys", |draft| draft.keys[0].0 = 0),
        ("outcome", |draft| {
            draft.cluster.outcome = Digest::from_bytes([1; 32]);
        }),
    ];
    for (expected, change) in changes {
        let mut changed = draft(&group, &outcome);
        change(&mut changed);
        let plan = Plan::draft_sign(changed).unwrap();
        match judged(&home, &plan) {
            Err(ClusterError::Differs { what, cid }) => {
                assert_eq!((what, cid), (expected, *group.plan.cid()));
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    let mut strange = draft(&group, &outcome);
    strange.cluster.cid = Digest::from_bytes([2; 32]);
    let strange = Plan::draft_sign(strange).unwrap();
    let unknown = judged(&home, &strange);
    assert!(
        matches!(unknown, Err(ClusterError::Unknown(cid)) if cid == Digest::from_bytes([2; 32]))
    );
    // Its own confirm is the last that the third operator has seen.
    let incomplete = judged(&open(&group, 2), &honest);
    assert!(
        matches!(incomplete, Err(ClusterError::Incomplete(cid)) if cid == *group.plan.cid()),
        "{incomplete:?}"
    );
}

#[test]
fn death_at_every_change_of_a_signing_run_loses_nothing_and_says_one_thing() {
    let directory = tempfile::tempdir().unwrap();
    let (mut group, outcome) = cluster(directory.path());
    group.plan = Plan::draft_sign(draft(&group, &outcome)).unwrap();
    let saved = tempfile::tempdir().unwrap();
    let save = |group: &Group, name: &str| {
        copy_tree(
            &group.members[0].root,
            &saved.path().join(name).join("home"),
        );
        copy_tree(&group.stick, &saved.path().join(name).join("stick"));
    };
    let restore = |group: &Group, name: &str| {
        for (from, to) in [("home", &group.members[0].root), ("stick", &group.stick)] {
            std::fs::remove_dir_all(to).unwrap();
            copy_tree(&saved.path().join(name).join(from), to);
        }
    };
    // Undisturbed: the first operator signs, the second one's partial completes it.
    save(&group, "signs");
    assert!(outcome_of(group.run(0)).is_none());
    let said = group.on_stick();
    let second = outcome_of(group.run(1)).unwrap().to_bytes().unwrap();
    save(&group, "finishes");
    let first = outcome_of(group.run(0)).unwrap().to_bytes().unwrap();
    assert_eq!(first, second);
    let whole = group.on_stick();

    for (run, end) in [("signs", None), ("finishes", Some(&first))] {
        for how in Death::SOUND {
            for step in 0.. {
                restore(&group, run);
                let disk = FaultDisk::dying(step, how);
                let as_disk: Arc<dyn Disk> = disk.clone();
                let result = group.run_on(&as_disk, 0);
                if !disk.died() {
                    result.unwrap();
                    assert!(step > 3, "{run}: {step} changes");
                    break;
                }
                let again = outcome_of(group.run(0)).map(|end| end.to_bytes().unwrap());
                assert_eq!(again.as_ref(), end, "{run}, {how:?} at {step}");
                // What a torn copy left on the stick is passed over, and nothing is said twice.
                let expected = if end.is_some() { &whole } else { &said };
                for (name, bytes) in expected {
                    assert_eq!(group.on_stick().get(name), Some(bytes), "{name}");
                }
            }
        }
    }
}
