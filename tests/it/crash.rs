//! One operator of three of four dies at every change of its disk, and goes on as if it had not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use conclave::courier::{Courier, CourierError, folder::FolderCourier};
use conclave::driver::Standing;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::seat::Turn;
use conclave::store::vault::{Marker, Vault};
use conclave::wire::envelope::Kind;

use crate::harness::disk::{Death, FaultDisk, copy_tree};
use crate::harness::faults::{Faults, Table};
use crate::harness::homes::Group;

/// The runs of operator 0, by what the stick brings: nothing; all deals; all confirms.
const RUNS: usize = 3;

/// A ceremony that was played undisturbed, kept in steps: before each run of operator 0, its home
/// and the stick.
struct Recorded {
    table: Table,
    states: Vec<tempfile::TempDir>,
    stick: BTreeMap<String, Vec<u8>>,
    outcome: Vec<u8>,
}

fn record() -> Recorded {
    let table = Table::new(4, Faults::new());
    let group = &table.group;
    let mut states = Vec::new();
    let mut outcome = None;
    for run in 0..RUNS {
        let state = tempfile::tempdir().unwrap();
        copy_tree(&group.members[0].root, &state.path().join("home"));
        copy_tree(&group.stick, &state.path().join("stick"));
        states.push(state);
        if let Standing::Complete { outcome: found, .. } = group.run(0).standing {
            outcome = Some(found.to_bytes().unwrap());
        }
        for other in (1..4).filter(|_| run < 2) {
            group.run(other);
        }
    }
    Recorded {
        stick: group.on_stick(),
        outcome: outcome.unwrap(),
        table,
        states,
    }
}

impl Recorded {
    /// Puts operator 0's home and the stick back to what they were before a run.
    fn restore(&self, run: usize) {
        self.restore_home(run);
        replace_tree(
            &self.states[run].path().join("stick"),
            &self.table.group.stick,
        );
    }

    fn restore_home(&self, run: usize) {
        let home = &self.table.group.members[0].root;
        replace_tree(&self.states[run].path().join("home"), home);
    }

    /// Whatever a run left: what stands on the stick under operator 0's name is what its undisturbed
    /// twin said, and a confirm exists nowhere unless the shares are stored.
    fn check(&self, healthy: bool) {
        let board = self.table.board(&self.table.group.stick);
        let own = self.table.messages(&board).into_iter();
        for (name, message) in own.filter(|(_, message)| message.sender().get() == 1) {
            let twin = self.stick.values().any(|bytes| bytes == message.bytes());
            assert!(twin, "{name} differs");
        }
        let ceremony = self.table.group.members[0]
            .root
            .join("ceremonies")
            .join(self.table.group.plan.cid().to_string());
        let confirms = ["own/2-confirm-1-alice.json", "board/2-confirm-1-alice.json"];
        let said =
            confirms.iter().any(|file| ceremony.join(file).exists()) || self.table.confirmed(0);
        if said {
            assert!(self.table.holds_shares(0), "a confirm without shares");
        }
        if healthy {
            assert!(ceremony.join("accepted").exists());
        }
    }

    /// A healthy run ends as the twin's did.
    fn go_on(&self, run: usize) {
        let ran = self.table.run_over(0, &self.table.group.stick);
        self.check(true);
        let kinds: Vec<Kind> = self
            .table
            .messages(&self.table.board(&self.table.group.stick))
            .into_iter()
            .filter(|(_, message)| message.sender().get() == 1)
            .map(|(_, message)| message.kind())
            .collect();
        assert!(kinds.contains(&Kind::Deal));
        assert_eq!(kinds.contains(&Kind::Confirm), run > 0);
        match ran.standing {
            Standing::Complete { outcome, .. } => {
                assert_eq!(outcome.to_bytes().unwrap(), self.outcome)
            }
            Standing::Waiting { .. }
            | Standing::AwaitingBackup
            | Standing::AwaitingPartials(..) => assert!(run < 2),
            Standing::Stopped(stop) => panic!("{stop:?}"),
        }
    }
}

fn replace_tree(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).unwrap();
    copy_tree(from, to);
}

/// Every death of one way in one run, then a healthy run.
fn dies_everywhere(recorded: &Recorded, run: usize, how: Death) -> u64 {
    for step in 0.. {
        recorded.restore(run);
        let disk = FaultDisk::dying(step, how);
        let as_disk: Arc<dyn Disk> = disk.clone();
        let result = recorded.table.group.run_on(&as_disk, 0);
        if !disk.died() {
            result.unwrap();
            return step;
        }
        recorded.check(false);
        recorded.go_on(run);
    }
    unreachable!()
}

#[test]
fn death_at_every_change_of_the_first_run_loses_nothing() {
    let recorded = record();
    for how in Death::SOUND {
        assert!(dies_everywhere(&recorded, 0, how) > 8);
    }
}

#[test]
fn death_at_every_change_of_the_confirming_run_loses_nothing() {
    let recorded = record();
    for how in Death::SOUND {
        assert!(dies_everywhere(&recorded, 1, how) > 8);
    }
}

#[test]
fn death_at_every_change_of_the_last_run_loses_nothing() {
    let recorded = record();
    for how in Death::SOUND {
        assert!(dies_everywhere(&recorded, 2, how) > 4);
    }
}

#[test]
fn a_stick_pulled_out_at_every_change_loses_nothing() {
    let recorded = record();
    let group = &recorded.table.group;
    for run in 0..2 {
        for step in 0.. {
            recorded.restore(run);
            let stick = FaultDisk::dying(step, Death::HalfCopied);
            let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
            let mut couriers: Vec<Box<dyn Courier>> =
                vec![Box::new(FolderCourier::new(stick.clone(), &group.stick))];
            let result = group.run_with(&home, &mut couriers);
            drop(home);
            if !stick.died() {
                result.unwrap();
                assert!(step > 0);
                break;
            }
            // The plan on it may be cut off too: the healthy run makes another directory beside it.
            group.run(0);
            let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
            let own = Vault::new(&home).own(group.plan.cid()).unwrap();
            assert_eq!(own.len(), run + 1);
            let there = group.on_stick();
            for file in own {
                let twin = &recorded.stick[&file.name];
                assert!(there.values().any(|bytes| bytes == twin), "{}", file.name);
            }
        }
    }
}

#[test]
fn a_full_disk_and_a_read_only_stick_lose_nothing() {
    let recorded = record();
    let group = &recorded.table.group;
    for run in 0..RUNS {
        recorded.restore(run);
        let full: Arc<dyn Disk> = FaultDisk::full();
        assert!(group.run_on(&full, 0).is_err());
        recorded.check(false);
        recorded.go_on(run);

        // The home is well, and the stick takes nothing: what came in counts, the rest waits.
        recorded.restore(run);
        let before = group.on_stick();
        let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
        for stick in [FaultDisk::read_only(), FaultDisk::full()] {
            let mut couriers: Vec<Box<dyn Courier>> =
                vec![Box::new(FolderCourier::new(stick, &group.stick))];
            let ran = group.run_with(&home, &mut couriers).unwrap();
            if run < 2 {
                assert!(
                    matches!(ran.undelivered[..], [CourierError::Undelivered { .. }]),
                    "run {run}: {:?}",
                    ran.undelivered
                );
            }
            assert_eq!(group.on_stick(), before);
        }
        drop(home);
        recorded.go_on(run);
    }
}

#[test]
fn a_restored_home_says_the_same_again() {
    let recorded = record();
    let group = &recorded.table.group;
    // Back to the card, or to before the confirm, with all that was said on the stick.
    for run in [0, 1] {
        recorded.restore_home(run);
        let ran = group.run(0);
        let Standing::Complete { outcome, .. } = ran.standing else {
            panic!("{:?}", ran.standing)
        };
        assert_eq!(outcome.to_bytes().unwrap(), recorded.outcome);
        assert_eq!(group.on_stick(), recorded.stick);
        let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
        let vault = Vault::new(&home);
        assert!(vault.shares(group.plan.cid()).unwrap().is_some());
        let confirmed = vault.marker(group.plan.cid(), Marker::Confirmed).unwrap();
        assert!(confirmed.is_some());
    }
    // Back to the card, and the stick without anything of its own: the same bytes.
    recorded.restore_home(0);
    let board = recorded.table.board(&group.stick);
    for name in ["1-deal-1-alice.json", "2-confirm-1-alice.json"] {
        std::fs::remove_file(board.path().join(name)).unwrap();
    }
    group.run(0);
    assert_eq!(group.on_stick(), recorded.stick);
}

#[test]
fn a_copied_home_on_two_machines_says_the_same() {
    let recorded = record();
    let group = &recorded.table.group;
    recorded.restore(1);
    group.run(0);
    let one = group.on_stick();
    recorded.restore(1);
    group.run(0);
    assert_eq!(group.on_stick(), one);
}

#[test]
fn two_processes_exclude_each_other_in_one_ceremony() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
    let turn = Turn::take(&home, &group.plan).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let refused = group.run_on(&disk, 0).unwrap_err();
    assert!(refused.contains("at work in this ceremony"), "{refused}");
    assert!(group.on_stick().is_empty());
    // An open home alone keeps nobody out.
    drop(turn);
    group.run(0);
    assert_eq!(group.on_stick().len(), 2);
    drop(home);
}

#[test]
fn shares_of_another_ceremony_are_never_signed_with() {
    let recorded = record();
    let group = &recorded.table.group;
    let other = {
        let mut value = group.plan.value().clone();
        value["name"] = serde_json::json!("Another");
        conclave::ceremony::plan::Plan::from_value(value).unwrap()
    };
    let vault = group.members[0].root.join("vault");
    std::fs::rename(
        vault.join(group.plan.cid().to_string()),
        vault.join(other.cid().to_string()),
    )
    .unwrap();
    let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
    let refused = conclave::store::seat::Seat::open(&home, &other).unwrap_err();
    assert!(
        refused.to_string().contains("another ceremony"),
        "{refused}"
    );
}

#[test]
fn what_a_stolen_identity_says_later_takes_no_outcome_away() {
    let mut recorded = record();
    let group = &recorded.table.group;
    let me = crate::harness::faults::secrets(group, 0);
    recorded.table.cheaters.insert(0, me);
    let table = &recorded.table;
    let board = table.board(&table.group.stick);
    for (kind, place) in [
        (Kind::Abandon, conclave::wire::envelope::Place::Confirm),
        (Kind::Deal, conclave::wire::envelope::Place::Deal),
    ] {
        let envelope = table.sign(0, kind, place, serde_json::json!({}));
        table.say(&envelope, &board);
        for _ in 0..2 {
            let ran = table.run_over(0, &table.group.stick);
            let Standing::Complete { outcome, .. } = ran.standing else {
                panic!("{:?}", ran.standing)
            };
            assert_eq!(outcome.to_bytes().unwrap(), recorded.outcome);
        }
    }
}
