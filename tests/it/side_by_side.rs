//! Several processes with one home: ceremonies side by side, one card in several plans.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use conclave::ambient::OsRandomness;
use conclave::ceremony::Unobserved;
use conclave::ceremony::plan::Plan;
use conclave::courier::{Courier, folder::FolderCourier};
use conclave::driver::{self, Standing};
use conclave::store::disk::{Calls, Disk, RealDisk};
use conclave::store::seat::{self, Seat, spend_if_done};
use conclave::store::vault::{Marker, Vault};

use crate::harness::homes::{Group, draft, validator};

#[test]
fn ceremonies_of_one_home_go_on_side_by_side_also_with_one_card() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    let cards: Vec<_> = group.members.iter().map(|member| &member.card).collect();
    let another = || {
        let plan = Plan::draft(draft(&cards, vec![validator()])).unwrap();
        let stick = directory
            .path()
            .join(format!("stick-{}", plan.cid().short()));
        std::fs::create_dir(&stick).unwrap();
        (plan, stick)
    };
    let plans = [another(), another(), another()];
    let seat_of = |member: usize, (plan, stick): &(Plan, PathBuf)| {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let home = group.members[member].open(disk.clone()).unwrap();
        let mut couriers: Vec<Box<dyn Courier>> = vec![Box::new(FolderCourier::new(disk, stick))];
        seat::accept(&home, plan).unwrap();
        let mut seat = Seat::open(&home, plan).unwrap();
        let ran = driver::run(&mut seat, &mut couriers, &mut OsRandomness, &Unobserved);
        let complete = matches!(ran.unwrap().standing, Standing::Complete { .. });
        if complete {
            seat.mark(Marker::Artifacts, b"").unwrap();
        }
        let spent = spend_if_done(&home, plan).unwrap();
        (complete, spent)
    };
    // Three ceremonies with the same cards, each operator in all of them at once.
    for round in 0..3 {
        for member in 0..3 {
            let ends: Vec<(bool, bool)> = std::thread::scope(|scope| {
                let runs: Vec<_> = plans
                    .iter()
                    .map(|plan| scope.spawn(move || seat_of(member, plan)))
                    .collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect()
            });
            if round == 2 {
                assert!(ends.iter().all(|(complete, _)| *complete), "{ends:?}");
            }
        }
    }
    for (member, operator) in group.members.iter().enumerate() {
        assert!(seat_of(member, &plans[0]).1);
        let home = operator.open(Arc::new(RealDisk)).unwrap();
        let key = operator.card.encryption_key().to_bytes();
        assert!(home.ceremony_secret(&key).unwrap().is_none());
    }
}

/// Calls something once, when a process is about to make a file or to remove one with this name.
struct Hooked {
    name: &'static str,
    hook: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooked")
    }
}

impl Hooked {
    fn pass(&self, path: &Path) {
        if path.ends_with(self.name) {
            let hook = self.hook.lock().unwrap().take();
            if let Some(hook) = hook {
                hook();
            }
        }
    }
}

impl Calls for Hooked {
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass(to);
        RealDisk.hard_link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.pass(path);
        RealDisk.unlink(path)
    }
}

/// The race: one process has decided to destroy a card's secret, or to accept a plan with the card,
/// and has not done it yet; in that instant another process does the other thing.
#[test]
fn no_secret_is_destroyed_under_a_plan_that_was_just_accepted() {
    for accept_first in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let group = Arc::new(Group::new(directory.path(), 3, 1));
        let cards: Vec<_> = group.members.iter().map(|member| &member.card).collect();
        let second = Arc::new(Plan::draft(draft(&cards, vec![validator()])).unwrap());
        let real: Arc<dyn Disk> = Arc::new(RealDisk);
        let home = group.members[0].open(real.clone()).unwrap();
        seat::accept(&home, &group.plan).unwrap();
        let vault = Vault::new(&home);
        for marker in [Marker::Confirmed, Marker::Complete, Marker::Artifacts] {
            vault.mark(group.plan.cid(), marker, b"").unwrap();
        }

        let (say, heard) = mpsc::channel();
        let (group_too, second_too) = (group.clone(), second.clone());
        let other = move || {
            let worker = std::thread::spawn(move || {
                let home = group_too.members[0].open(Arc::new(RealDisk)).unwrap();
                if accept_first {
                    spend_if_done(&home, &group_too.plan).map(drop)
                } else {
                    seat::accept(&home, &second_too)
                }
            });
            // Long enough for it to have ended, if nothing held it.
            std::thread::sleep(Duration::from_millis(700));
            say.send(worker).unwrap();
        };
        let disk: Arc<dyn Disk> = Arc::new(Hooked {
            name: if accept_first {
                "accepted"
            } else {
                "secret.age"
            },
            hook: Mutex::new(Some(Box::new(other))),
        });
        let ours = group.members[0].open(disk).unwrap();
        if accept_first {
            seat::accept(&ours, &second).unwrap();
        } else {
            assert!(spend_if_done(&ours, &group.plan).unwrap());
        }
        let other = heard.recv().unwrap().join().unwrap();

        let key = group.members[0].card.encryption_key().to_bytes();
        let secret = home.ceremony_secret(&key).unwrap().is_some();
        let accepted = vault
            .marker(second.cid(), Marker::Accepted)
            .unwrap()
            .is_some();
        assert_eq!(secret, accepted, "accepted first: {accept_first}");
        assert_eq!(accepted, accept_first);
        if accept_first {
            other.unwrap();
        } else {
            assert!(matches!(other.unwrap_err(), seat::SeatError::SpentCard));
        }
    }
}
