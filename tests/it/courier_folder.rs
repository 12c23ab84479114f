//! The folder courier: sticks as people treat them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::courier::folder::FolderCourier;
use conclave::courier::{
    BoardError, Ceremony, ContentHash, Courier, CourierError, Labelled, LocalBoard, Meeting, Moved,
    Offered,
};
use conclave::hash::Digest;
use conclave::store::disk::{Disk, RealDisk};

use crate::harness::disk::{Death, FaultDisk, at_every_death, every_file};

const CID: Digest = Digest::from_bytes([0xc1; 32]);
const PLAN: &[u8] = b"{\"a\":1,\"b\":[2,3]}";
const DIRECTORY: &str = "pool-c1c1c1c1";

/// A board that takes whatever begins with `m:`, one message at a time.
#[derive(Debug, Default, Clone)]
struct Board {
    messages: BTreeMap<String, Vec<u8>>,
    offers: RefCell<usize>,
}

impl Board {
    fn with(messages: &[(&str, &[u8])]) -> Self {
        Self {
            messages: messages
                .iter()
                .map(|(label, bytes)| ((*label).to_owned(), bytes.to_vec()))
                .collect(),
            offers: RefCell::new(0),
        }
    }

    fn contents(&self) -> Vec<Vec<u8>> {
        let mut contents: Vec<_> = self.messages.values().cloned().collect();
        contents.sort();
        contents
    }
}

impl LocalBoard for Board {
    fn messages(&self) -> Result<Vec<Labelled>, BoardError> {
        Ok(self
            .messages
            .iter()
            .map(|(label, bytes)| Labelled {
                label: label.clone(),
                content: ContentHash::of(bytes),
                own: label.contains("alice"),
            })
            .collect())
    }

    fn read(&self, label: &str) -> Result<Vec<u8>, BoardError> {
        Ok(self.messages[label].clone())
    }

    fn offer(&mut self, bytes: Vec<u8>, _source: &str) -> Result<Offered, BoardError> {
        *self.offers.borrow_mut() += 1;
        if self.messages.values().any(|known| *known == bytes) {
            return Ok(Offered::Known);
        }
        if !bytes.starts_with(b"m:") || !bytes.ends_with(b".") {
            return Ok(Offered::Noise("not a message".to_owned()));
        }
        let label = format!("received-{}.json", self.messages.len());
        self.messages.insert(label, bytes);
        Ok(Offered::New)
    }
}

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn exchange(disk: Arc<dyn Disk>, stick: &Path, board: &mut Board) -> Result<Moved, CourierError> {
    let ceremony = Ceremony {
        cid: &CID,
        plan: PLAN,
        stem: "pool",
        meeting: Meeting {
            random: &[0; 32],
            operators: &[],
            own: None,
        },
    };
    FolderCourier::new(disk, stick).exchange(&ceremony, board)
}

fn go(stick: &Path, board: &mut Board) -> Moved {
    exchange(real(), stick, board).unwrap()
}

fn alice() -> Board {
    Board::with(&[("1-deal-alice.json", b"m:deal of alice.")])
}

fn bob() -> Board {
    Board::with(&[("1-deal-bob.json", b"m:deal of bob.")])
}

fn stick() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().to_owned();
    (place, path)
}

#[test]
fn a_stick_brings_two_boards_together() {
    let (_guard, stick) = stick();
    let (mut alice, mut bob) = (alice(), bob());
    let moved = go(&stick, &mut alice);
    assert_eq!((moved.sent, moved.received), (1, 0));
    assert_eq!(
        fs::read(stick.join(DIRECTORY).join("plan.json")).unwrap(),
        PLAN
    );
    assert!(stick.join(DIRECTORY).join("1-deal-alice.json").is_file());
    let moved = go(&stick, &mut bob);
    assert_eq!((moved.sent, moved.received), (1, 1));
    let moved = go(&stick, &mut alice);
    assert_eq!((moved.sent, moved.received), (0, 1));
    assert_eq!(alice.contents(), bob.contents());

    // Again: nothing moves, nothing is offered, nothing changes.
    let before = every_file(&stick);
    let offers = *alice.offers.borrow();
    assert_eq!(go(&stick, &mut alice), Moved::default());
    assert_eq!(*alice.offers.borrow(), offers);
    assert_eq!(every_file(&stick), before);
    assert_eq!(before.len(), 3);
}

#[test]
fn a_lost_or_wiped_stick_is_filled_again() {
    let (_guard, stick) = stick();
    let (mut alice, mut bob) = (alice(), bob());
    go(&stick, &mut alice);
    go(&stick, &mut bob);
    fs::remove_dir_all(stick.join(DIRECTORY)).unwrap();
    assert_eq!(go(&stick, &mut bob).sent, 2);
    assert_eq!(go(&stick, &mut alice).received, 1);
    assert_eq!(alice.contents(), bob.contents());

    let nowhere = stick.join("not-mounted");
    let error = exchange(real(), &nowhere, &mut alice).unwrap_err();
    assert!(matches!(error, CourierError::Unreachable { .. }));
    assert!(error.to_string().contains("nothing was lost"), "{error}");
    assert!(!nowhere.exists());
}

#[test]
fn renamed_doubled_and_reformatted_files_are_the_same_messages() {
    let (_guard, stick) = stick();
    let mut alice = alice();
    go(&stick, &mut alice);
    let directory = stick.join(DIRECTORY);
    fs::rename(
        directory.join("1-deal-alice.json"),
        directory.join("Copy of deal (2).JSON"),
    )
    .unwrap();
    // The directory copied by a file manager, and a plan that an editor laid out anew.
    let copy = stick.join("Kopie von Pool");
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("plan.json"), b"{ \"b\": [2, 3],\n \"a\": 1 }").unwrap();
    fs::write(copy.join("x.json"), b"m:deal of alice.").unwrap();
    fs::write(copy.join("y.json"), b"m:deal of carol.").unwrap();

    let mut bob = bob();
    let moved = go(&stick, &mut bob);
    assert_eq!((moved.sent, moved.received), (1, 2), "{moved:?}");
    assert_eq!((moved.refused.len(), moved.left.len()), (0, 0), "{moved:?}");
    assert_eq!(*bob.offers.borrow(), 2);
    assert_eq!(go(&stick, &mut alice).sent, 0);
    assert_eq!(alice.contents(), bob.contents());
}

#[test]
fn the_given_directory_may_be_the_ceremonys_own() {
    let (_guard, stick) = stick();
    go(&stick, &mut alice());
    let mut bob = bob();
    let moved = go(&stick.join(DIRECTORY), &mut bob);
    assert_eq!((moved.sent, moved.received), (1, 1));
    assert_eq!(every_file(&stick).len(), 3);
}

#[test]
fn leftovers_and_other_ceremonies_are_passed_over_with_a_note() {
    let (_guard, stick) = stick();
    go(&stick, &mut alice());
    let directory = stick.join(DIRECTORY);
    fs::write(directory.join(".tmp-1-1-conclave"), b"m:temporary.").unwrap();
    fs::write(directory.join("._1-deal.json"), b"m:resource fork.").unwrap();
    fs::write(directory.join("half.json"), b"m:half a mess").unwrap();
    std::os::unix::fs::symlink("/dev/zero", directory.join("zero.json")).unwrap();
    fs::create_dir(stick.join("other-12345678")).unwrap();
    fs::write(stick.join("other-12345678/plan.json"), b"{\"a\":2}").unwrap();
    fs::write(
        stick.join("other-12345678/1.json"),
        b"m:of another ceremony.",
    )
    .unwrap();
    fs::create_dir(stick.join("photos")).unwrap();
    fs::write(stick.join("photos/1.json"), b"m:not a ceremony.").unwrap();
    let before = every_file(&stick);

    let mut bob = bob();
    let moved = go(&stick, &mut bob);
    assert_eq!((moved.sent, moved.received), (1, 1));
    assert_eq!(moved.refused.len(), 1, "{moved:?}");
    assert!(moved.refused[0].contains("half.json: not a message"));
    assert_eq!(moved.left.len(), 2, "{moved:?}");
    assert!(moved.left[0].contains("other-12345678: belongs to another ceremony"));
    assert!(moved.left[1].contains("zero.json is a symbolic link"));
    let after = every_file(&stick);
    assert!(
        before.iter().all(|file| after.contains(file)),
        "a file was changed"
    );
    assert_eq!(after.len(), before.len() + 1);
}

#[test]
fn a_plan_copied_in_part_costs_a_directory_not_a_message() {
    let (_guard, stick) = stick();
    go(&stick, &mut alice());
    let torn = stick.join(DIRECTORY).join("plan.json");
    for cut in [0, 5, PLAN.len() - 1] {
        fs::write(&torn, &PLAN[..cut]).unwrap();
        let mut bob = bob();
        let moved = go(&stick, &mut bob);
        assert_eq!(moved.received, 1, "{moved:?}");
        assert_eq!(fs::read(&torn).unwrap(), &PLAN[..cut]);
    }
    let second = stick.join(format!("{DIRECTORY}~2"));
    assert_eq!(fs::read(second.join("plan.json")).unwrap(), PLAN);
    assert_eq!(every_file(&second).len(), 2);
    fs::remove_file(&torn).unwrap();
    assert_eq!(go(&stick, &mut alice()).received, 1);
}

#[test]
fn a_read_only_stick_can_be_read() {
    let (_guard, stick) = stick();
    go(&stick, &mut alice());
    let before = every_file(&stick);
    let mut carol = Board::default();
    assert_eq!(
        exchange(FaultDisk::read_only(), &stick, &mut carol)
            .unwrap()
            .received,
        1
    );
    let mut bob = bob();
    for disk in [FaultDisk::read_only(), FaultDisk::full()] {
        let error = exchange(disk, &stick, &mut bob).unwrap_err();
        let CourierError::Undelivered { unsent: 1, .. } = &error else {
            panic!("{error}");
        };
        assert!(error.to_string().contains("nothing was lost"), "{error}");
        assert_eq!(bob.messages.len(), 2);
    }
    assert_eq!(every_file(&stick), before);
    assert_eq!(go(&stick, &mut bob).sent, 1);
}

#[test]
fn a_stick_that_keeps_half_of_what_it_takes_is_found_out() {
    let (_guard, stick) = stick();
    go(&stick, &mut alice());
    let mut bob = bob();
    let error = exchange(FaultDisk::lying(), &stick, &mut bob).unwrap_err();
    assert!(error.to_string().contains("does not read back"), "{error}");
    let moved = go(&stick, &mut bob);
    assert_eq!((moved.sent, moved.refused.len()), (1, 1));
    assert!(stick.join(DIRECTORY).join("1-deal-bob~2.json").is_file());
}

#[test]
fn an_exchange_killed_anywhere_goes_on_the_next_time() {
    let message = |n: u8| {
        (
            format!("{n}.json"),
            [b"m:".as_slice(), &[n; 9], b"."].concat(),
        )
    };
    let deaths = at_every_death(&Death::STICK, |disk| {
        let (_guard, stick) = stick();
        let mut bob = bob();
        go(&stick, &mut bob);
        fs::rename(stick.join(DIRECTORY), stick.join("renamed")).unwrap();
        fs::remove_file(stick.join("renamed/plan.json")).unwrap();
        fs::rename(stick.join("renamed"), stick.join("old-c1c1c1c1")).unwrap();

        let mut alice = Board::default();
        alice.messages.extend((1..=3).map(message));
        let result = exchange(disk.clone(), &stick, &mut alice);
        assert_eq!(result.is_ok(), !disk.died());
        let survivors = every_file(&stick);

        let moved = go(&stick, &mut alice);
        assert!(alice.messages.len() == 4, "{moved:?}");
        go(&stick, &mut bob);
        assert_eq!(alice.contents(), bob.contents());
        // Nothing that stood was changed, and a third run finds nothing to do.
        let after = every_file(&stick);
        assert!(survivors.iter().all(|file| after.contains(file)));
        let quiet = go(&stick, &mut alice);
        assert_eq!((quiet.sent, quiet.received), (0, 0));
        assert_eq!(every_file(&stick), after);
    });
    assert!(deaths > 16, "{deaths}");
}

#[test]
fn what_lies_there_is_listed_and_read_again_and_nothing_is_changed() {
    let (_guard, stick) = stick();
    go(&stick, &mut alice());
    fs::create_dir_all(stick.join("copy/plan.json")).unwrap();
    fs::create_dir(stick.join("photos")).unwrap();
    fs::create_dir(stick.join("other-00000000")).unwrap();
    fs::write(stick.join("other-00000000/plan.json"), b"torn {").unwrap();
    let before = every_file(&stick);

    let courier = FolderCourier::new(FaultDisk::read_only(), &stick);
    let mut plans = Vec::new();
    let left = courier
        .ceremonies(&mut |shelved| plans.push((shelved.place, shelved.plan)))
        .unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("copy/plan.json"), "{left:?}");
    let place = |name: &str| stick.join(name).display().to_string();
    assert_eq!(
        plans,
        [
            (place("other-00000000"), b"torn {".to_vec()),
            (place(DIRECTORY), PLAN.to_vec())
        ]
    );
    // A board without messages takes all and gives nothing: a look.
    let mut board = Board::default();
    let moved = exchange(FaultDisk::read_only(), &stick, &mut board).unwrap();
    assert_eq!((moved.received, moved.sent), (1, 0));
    let message = place(&format!("{DIRECTORY}/1-deal-alice.json"));
    assert_eq!(courier.read(&message).unwrap(), b"m:deal of alice.");
    for elsewhere in [
        "/etc/passwd".to_owned(),
        place("../1-deal-alice.json"),
        place("nothing.json"),
        String::new(),
    ] {
        assert!(courier.read(&elsewhere).is_err(), "{elsewhere}");
    }
    assert_eq!(every_file(&stick), before);
    let gone = FolderCourier::new(real(), &stick.join("gone"));
    assert!(gone.ceremonies(&mut |_| ()).is_err());
}
