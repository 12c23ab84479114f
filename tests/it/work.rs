//! No work is done twice: how often messages are read, counted where they are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use conclave::ceremony::outcome::Outcome;
use conclave::ceremony::session::Session;
use conclave::ceremony::step::{Memory, Step};
use conclave::ceremony::{Messages, MessagesError, Unobserved};
use conclave::driver::Standing;
use conclave::ethereum::network::Network;
use conclave::store::disk::{Calls, Disk, RealDisk};
use conclave::wire::envelope::{self, Envelope, Place};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::ceremony::{Board, Ceremony, keygen};
use crate::harness::homes::Group;

/// A board that counts how often each message is read.
struct Counted<'a> {
    board: &'a Board,
    reads: Mutex<BTreeMap<String, usize>>,
}

impl<'a> Counted<'a> {
    fn new(board: &'a Board) -> Self {
        Self {
            board,
            reads: Mutex::default(),
        }
    }

    /// The reads since the last question, by the kind that a name begins with: those of the message
    /// that was read most often, and all of them.
    fn since(&self) -> BTreeMap<&'static str, (usize, usize)> {
        let reads = std::mem::take(&mut *self.reads.lock().unwrap());
        let mut kinds = BTreeMap::new();
        for (id, count) in reads {
            let kind = ["1-deal", "2-confirm", "c-complain"]
                .into_iter()
                .find(|kind| id.starts_with(kind))
                .unwrap();
            let (most, all) = kinds.entry(kind).or_insert((0, 0));
            *most = count.max(*most);
            *all += count;
        }
        kinds
    }
}

impl Messages for Counted<'_> {
    fn load(&self, id: &str) -> Result<Vec<u8>, MessagesError> {
        *self.reads.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        self.board.load(id)
    }
}

fn four() -> Ceremony {
    keygen(4, &Network::known("hoodi").unwrap().spec())
}

/// The board without the messages whose names begin so.
fn without(board: &Board, prefixes: &[&str]) -> Board {
    let mut board = board.clone();
    board
        .0
        .retain(|id, _| !prefixes.iter().any(|prefix| id.starts_with(prefix)));
    board
}

#[test]
fn whoever_has_shares_reads_each_confirm_once_and_no_deal() {
    let ceremony = four();
    let session = ceremony.board.session(&ceremony.plan);
    let counted = Counted::new(&ceremony.board);
    let player = &ceremony.players[0];
    for look in 0..3 {
        let step = session
            .next(&player.me, &player.memory, &counted, &Unobserved, &[9; 32])
            .unwrap();
        assert!(matches!(step, Step::Complete { .. }));
        let expected = if look == 0 {
            BTreeMap::from([("2-confirm", (1, 4))])
        } else {
            BTreeMap::new()
        };
        assert_eq!(counted.since(), expected, "look {look}");
    }
}

#[test]
fn whoever_waits_for_a_deal_checks_each_that_is_there_once() {
    let ceremony = four();
    let board = without(&ceremony.board, &["2-", "1-deal-4"]);
    let session = board.session(&ceremony.plan);
    let counted = Counted::new(&board);
    let player = &ceremony.players[0];
    let memory = Memory {
        shares: None,
        own: player.memory.own.clone(),
        ..Memory::default()
    };
    for expected in [BTreeMap::from([("1-deal", (1, 3))]), BTreeMap::new()] {
        let step = session
            .next(&player.me, &memory, &counted, &Unobserved, &[9; 32])
            .unwrap();
        assert!(matches!(step, Step::Wait { .. }));
        assert_eq!(counted.since(), expected);
    }
}

#[test]
fn an_auditor_reads_each_message_once() {
    let ceremony = four();
    let session = ceremony.board.session(&ceremony.plan);
    let counted = Counted::new(&ceremony.board);
    let found = session.examine(&counted, &Unobserved).unwrap();
    assert_eq!(
        found.outcome,
        Some(Outcome::Keygen(ceremony.outcome.clone()))
    );
    let once = BTreeMap::from([("1-deal", (1, 4)), ("2-confirm", (1, 4))]);
    assert_eq!(counted.since(), once);
    // A board with several deals of one sender, where the confirms say which count.
    let mut board = ceremony.board.clone();
    let junk = sign(&ceremony, 3, envelope::Kind::Deal, Place::Deal);
    board.0.insert("1-deal-4-junk.json".to_owned(), junk);
    let session = board.session(&ceremony.plan);
    let counted = Counted::new(&board);
    let found = session.examine(&counted, &Unobserved).unwrap();
    assert_eq!(found.outcome, Some(Outcome::Keygen(ceremony.outcome)));
    let twice = BTreeMap::from([("1-deal", (2, 9)), ("2-confirm", (1, 4))]);
    assert_eq!(counted.since(), twice);
}

#[test]
fn a_deal_is_checked_once_however_many_complain_about_it() {
    let ceremony = four();
    let mut board = without(&ceremony.board, &["2-"]);
    let against = ceremony.players[0].index;
    let accused = |session: &Session<'_>| session.board().deals(against).next().unwrap().message;
    let deal = accused(&board.session(&ceremony.plan));
    for by in 1..4 {
        let place = Place::Complaint { against, deal };
        let complaint = sign(&ceremony, by, envelope::Kind::Complain, place);
        board.0.insert(format!("c-complain-{by}.json"), complaint);
    }
    let session = board.session(&ceremony.plan);
    let counted = Counted::new(&board);
    let me = &ceremony.players[0].me;
    let mut looks = Vec::new();
    for _ in 0..2 {
        let memory = Memory {
            shares: None,
            own: ceremony.players[0].memory.own.clone(),
            ..Memory::default()
        };
        let step = session
            .next(me, &memory, &counted, &Unobserved, &[9; 32])
            .unwrap();
        let Step::Stop(stop) = step else {
            panic!("{step:?}")
        };
        assert_eq!(stop.faults.len(), 3);
        looks.push(counted.since());
    }
    // Each deal is read to open the own shares; the accused one to judge as well.
    assert_eq!(looks[0]["c-complain"], (1, 3));
    assert_eq!(looks[0]["1-deal"], (2, 5));
    assert_eq!(looks[1].get("c-complain"), None);
    assert_eq!(looks[1]["1-deal"], (1, 4));
}

fn sign(ceremony: &Ceremony, by: usize, kind: envelope::Kind, place: Place) -> Vec<u8> {
    let identity = &ceremony.players[by].me.identity;
    let payload = json!({ "junk": by });
    let envelope = Envelope::sign(identity, *ceremony.plan.cid(), kind, place, payload);
    envelope.unwrap().bytes().to_vec()
}

/// The system's disk, counting how often each file is read.
#[derive(Debug, Default)]
struct CountedDisk(Mutex<BTreeMap<PathBuf, usize>>);

impl Calls for CountedDisk {
    fn read_up_to(
        &self,
        file: &File,
        path: &Path,
        limit: u64,
        bytes: &mut Vec<u8>,
    ) -> std::io::Result<usize> {
        *self.0.lock().unwrap().entry(path.to_owned()).or_default() += 1;
        RealDisk.read_up_to(file, path, limit, bytes)
    }
}

/// One `run` reads a message at home when it opens the board, when it needs what the message says,
/// and when it hands it on; on the stick at each of two or three exchanges, and after writing it.
#[test]
fn a_run_reads_each_file_a_few_times() {
    let place = TempDir::new().unwrap();
    let group = Group::new(place.path(), 4, 1);
    let mut complete = 0;
    for turn in 0..3 {
        for operator in 0..4 {
            let counted = Arc::new(CountedDisk::default());
            let disk: Arc<dyn Disk> = counted.clone();
            let ran = group.run_on(&disk, operator).unwrap();
            complete += usize::from(matches!(ran.standing, Standing::Complete { .. }));
            let reads = counted.0.lock().unwrap();
            for (path, count) in reads.iter().filter(|(path, _)| is_message(path)) {
                let most = if path.starts_with(&group.stick) { 4 } else { 3 };
                assert!(
                    *count <= most,
                    "turn {turn}, operator {operator}: {} was read {count} times",
                    path.display()
                );
            }
        }
    }
    assert!(complete >= 4);
}

fn is_message(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.starts_with("1-deal") || name.starts_with("2-confirm")
}
