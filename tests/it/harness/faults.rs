//! Fault plans: which operator misbehaves, and how. Its envelopes are forged with its real identity
//! key and ceremony secret; everybody else is honest, with a home, the driver and a stick.
//!
//! A new misdeed is a variant of [`Misdeed`], the few lines in `commit.rs` that commit it, and what it
//! proves in [`Misdeed::provable`].

mod commit;
mod judge;
mod misdeeds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::ceremony::plan::Validator;
use conclave::ceremony::session::{Session, label};
use conclave::ceremony::step::Me;
use conclave::courier::Courier;
use conclave::courier::folder::FolderCourier;
use conclave::crypto::identity::IdentityKey;
use conclave::driver::Ran;
use conclave::hash::Digest;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::folder::{BoardFolder, Put};
use conclave::wire::envelope::{Authenticated, Envelope, Kind};

use super::homes::{Group, validator};
pub(crate) use judge::{accused, all_faults, exit_code, faults, outcome};
pub(crate) use misdeeds::{DealSecret, Faults, Garble, Junk, Misdeed};

/// The ceremony id of another ceremony.
pub(crate) const ANOTHER_CEREMONY: Digest = Digest::from_bytes([0x0c; 32]);

/// Operators around a stick, some of whom cheat.
pub(crate) struct Table {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) group: Group,
    pub(crate) faults: Faults,
    pub(crate) cheaters: BTreeMap<usize, Me>,
}

/// How it ended for every honest operator, by position.
pub(crate) type Played = BTreeMap<usize, Ran>;

impl Table {
    /// Seats n operators with a plan for one validator.
    pub(crate) fn new(n: usize, faults: Faults) -> Self {
        Self::with(n, vec![validator()], faults)
    }

    /// Seats n operators with a plan for these validators.
    pub(crate) fn with(n: usize, validators: Vec<Validator>, faults: Faults) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let group = Group::with(directory.path(), n, validators);
        let cheaters = faults.cheaters();
        let cheaters = cheaters.map(|who| (who, secrets(&group, who))).collect();
        Self {
            directory,
            group,
            faults,
            cheaters,
        }
    }

    /// Another stick beside the group's.
    pub(crate) fn stick(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// The ceremony's folder on a stick.
    pub(crate) fn board(&self, stick: &Path) -> BoardFolder {
        let plan = &self.group.plan;
        let name = format!("{}-{}", plan.name().file_stem(), plan.cid().short());
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        BoardFolder::create_or_open(disk, &stick.join(name), plan.bytes()).unwrap()
    }

    /// Lets an honest operator run over a stick.
    pub(crate) fn run_over(&self, operator: usize, stick: &Path) -> Ran {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let home = self.group.members[operator].open(disk.clone()).unwrap();
        let mut couriers: Vec<Box<dyn Courier>> = vec![Box::new(FolderCourier::new(disk, stick))];
        self.group.run_with(&home, &mut couriers).unwrap()
    }

    /// Goes round the table until nobody has anything new to say.
    pub(crate) fn play(&self) -> Played {
        let board = self.board(&self.group.stick);
        let last = self.faults.cheaters().flat_map(|who| self.faults.of(who));
        let last = last.filter_map(|misdeed| match misdeed {
            Misdeed::Late(_, turn) => Some(*turn),
            _ => None,
        });
        let last = last.max().unwrap_or(0);
        let mut turn = 0;
        loop {
            let before = board.messages().unwrap().len();
            let mut played = Played::new();
            for operator in 0..self.group.members.len() {
                if self.cheaters.contains_key(&operator) {
                    self.cheat_at(operator, &board, turn);
                } else {
                    played.insert(operator, self.run_over(operator, &self.group.stick));
                }
            }
            if board.messages().unwrap().len() == before && turn >= last {
                return played;
            }
            turn += 1;
        }
    }

    /// A cheater's turn: everything that it can say now.
    pub(crate) fn cheat(&self, who: usize, board: &BoardFolder) {
        self.cheat_at(who, board, usize::MAX);
    }

    fn cheat_at(&self, who: usize, board: &BoardFolder, turn: usize) {
        for kind in [Kind::Deal, Kind::Complain, Kind::Confirm] {
            if kind != Kind::Deal && !self.all_dealt(board) {
                return;
            }
            let late = |misdeed: &Misdeed| matches!(misdeed, Misdeed::Late(of, from) if *of == kind && turn < *from);
            if self.faults.of(who).iter().any(late) {
                continue;
            }
            for envelope in self.envelopes(who, kind, board) {
                self.utter(who, &envelope, board);
            }
        }
        if self.faults.of(who).contains(&Misdeed::Replays) {
            for (name, message) in self.messages(board) {
                if !name.starts_with("again-") {
                    board
                        .put(&format!("again-{name}"), message.bytes())
                        .unwrap();
                }
            }
        }
    }

    /// Whether everybody's deal is on a board.
    pub(crate) fn all_dealt(&self, board: &BoardFolder) -> bool {
        let messages = self.messages(board);
        let dealt: BTreeSet<_> = messages
            .iter()
            .filter(|(_, message)| message.kind() == Kind::Deal)
            .map(|(_, message)| message.sender())
            .collect();
        dealt.len() == self.group.members.len()
    }

    /// Puts a cheater's message on a stick, garbled if that is what it does.
    pub(crate) fn utter(&self, who: usize, envelope: &Envelope, board: &BoardFolder) {
        let kind = envelope.header().kind();
        let mut garbled = false;
        for misdeed in self.faults.of(who) {
            if let Misdeed::Garbles(of, garble) = misdeed
                && *of == kind
            {
                let bytes = self.garbled(who, envelope, *garble);
                board.put(&format!("x-{kind}-{who}.json"), &bytes).unwrap();
                garbled = true;
            }
        }
        if !garbled {
            self.say(envelope, board);
        }
    }

    /// Puts a message on a stick.
    pub(crate) fn say(&self, envelope: &Envelope, board: &BoardFolder) -> Put {
        let plan = &self.group.plan;
        let message = envelope.clone().authenticate(plan.cid(), plan.roster());
        board
            .put(&label(plan, &message.unwrap()), envelope.bytes())
            .unwrap()
    }

    /// The ceremony's messages on a stick, by file name.
    pub(crate) fn messages(&self, board: &BoardFolder) -> Vec<(String, Authenticated)> {
        let session = Session::new(&self.group.plan);
        let files = board.messages().unwrap().into_iter();
        files
            .filter_map(|file| {
                let message = session.read(&board.read(&file.name).unwrap()).ok()?;
                Some((file.name, message))
            })
            .collect()
    }
}

/// An operator's identity and ceremony secret.
pub(crate) fn secrets(group: &Group, who: usize) -> Me {
    let home = group.members[who].open(Arc::new(RealDisk)).unwrap();
    let key = group.members[who].card.encryption_key().to_bytes();
    Me {
        identity: IdentityKey::from_seed(&home.identity_seed().unwrap()),
        secret: home.ceremony_secret(&key).unwrap(),
    }
}
