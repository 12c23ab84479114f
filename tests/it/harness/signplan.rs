//! Random fault plans of signing ceremonies, made from any bytes and played over homes and several
//! sticks in any order; what [`super::faultplan`] is for key generation.
//!
//! Five operators, of whom any three sign. [`SignFaultPlan::play`] panics where a promise is broken:
//! whoever completes has the right bytes, and with three valid partials everybody completes; at the end
//! exactly those are named who signed something wrong or two things, for just that; the evidence shows
//! it to others; no honest operator is blamed, and none says anything but its one partial.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use conclave::ambient::OsRandomness;
use conclave::audit::{audit, audit_evidence, bears_out};
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::{Evidence, Fault};
use conclave::ceremony::plan::{
    ClusterRef, Plan, Registration, SignDraft, SignMessage, SignObject,
};
use conclave::ceremony::session::{Session, label};
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::step::{Me, Memory, Step};
use conclave::courier::Courier;
use conclave::courier::folder::FolderCourier;
use conclave::crypto::bls;
use conclave::crypto::point::G2;
use conclave::crypto::scalar::Scalar;
use conclave::driver::{self, Ran, Standing};
use conclave::ethereum::address::Address;
use conclave::ethereum::amount::Gwei;
use conclave::ethereum::withdrawal::CredentialsKind;
use conclave::hash::Digest;
use conclave::json::{self, Hex, Text};
use conclave::protocol::partial::PartialPayload;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::folder::BoardFolder;
use conclave::store::seat::{self, BoardMessages, Seat};
use conclave::store::vault::Vault;
use conclave::wire::envelope::{Envelope, Kind, Place};
use serde_json::{Value, json};

use super::ceremony::Board;
use super::disk::copy_tree;
use super::faultplan::{Choices, Event};
use super::faults::{accused, secrets};
use super::homes::{Group, validator};

const OPERATORS: usize = 5;
const THRESHOLD: usize = 3;
const STICKS: usize = 2;
const MAX_EVENTS: usize = 10;

/// More than a board keeps of one sender in one place.
const CROWD: usize = 18;

/// What an operator does instead of signing what the plan says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignMisdeed {
    /// It says nothing.
    Silent,
    /// An error along the signed message itself: two of them may cancel where nobody weighs them.
    Shift {
        /// Which signature.
        at: usize,
        /// Times the message's point.
        error: i8,
    },
    /// Its first two signatures in each other's place.
    Swapped,
    /// What another operator signed.
    Copied(usize),
    /// A signature that is the point at infinity.
    Infinity(usize),
    /// A signature outside of the subgroup.
    OffSubgroup(usize),
    /// A signature too few.
    Short,
    /// A signature too many.
    Long,
    /// Something that is no list of signatures.
    Malformed(u8),
    /// What it signed in another ceremony, signed as a message of this one.
    Resigned,
    /// The right partial, and a wrong one.
    Twice,
    /// More wrong ones than a board keeps, and the right one after them.
    Crowd,
    /// Its message of another ceremony, as it stood there.
    Replayed,
    /// A message of another kind of ceremony.
    Foreign,
    /// A message in another operator's name.
    Forged(usize),
    /// Half of its right message.
    Torn,
}

/// Who cheats how, and who does what in which order.
#[derive(Debug, Clone)]
pub(crate) struct SignFaultPlan {
    /// The cheaters; what else they do, they sign nothing.
    pub(crate) cheaters: BTreeMap<usize, Vec<SignMisdeed>>,
    /// What happens before all sticks are joined and everybody goes on to the end.
    pub(crate) events: Vec<Event>,
}

/// A cluster, what it is to sign, and all that is right.
struct Stage {
    _directory: tempfile::TempDir,
    group: Group,
    plan: Plan,
    operators: Vec<Me>,
    /// What each operator honestly says.
    honest: Vec<Envelope>,
    /// The same in a ceremony that signs something else.
    elsewhere: Vec<Envelope>,
    /// The outcome.
    right: Vec<u8>,
}

fn real() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

/// Two exits, a registration and a deposit by two keys; `other`: others, so that no root is the same.
fn sign_plan(group: &Group, outcome: &conclave::ceremony::outcome::Outcome, other: u64) -> Plan {
    let polynomials = outcome.keygen().unwrap().sharing().polynomials();
    let exit = |key, validator_index| SignMessage {
        key,
        object: SignObject::Exit {
            epoch: 350_000 + other,
            validator_index,
        },
    };
    let registration = SignObject::Registration(Registration {
        fee_recipient: Address([0xfe; 20]),
        gas_limit: 45_000_000 + other,
        timestamp: 1_790_000_000,
    });
    let deposit = SignObject::Deposit {
        withdrawal_address: Address([0xa1; 20]),
        credentials: CredentialsKind::Eth1,
        amount: Gwei(1_000_000_000 + other),
    };
    let roster = group.plan.roster().iter();
    Plan::draft_sign(SignDraft {
        name: Text::try_from("Leaving".to_owned()).unwrap(),
        created: 1_790_000_000,
        network: group.plan.network().clone(),
        threshold: group.plan.threshold() as u64,
        roster: roster
            .map(|operator| (operator.index, operator.card.clone()))
            .collect(),
        cluster: ClusterRef {
            cid: *group.plan.cid(),
            outcome: outcome.hash().unwrap(),
        },
        keys: polynomials.map(<[_]>::to_vec).enumerate().collect(),
        messages: vec![
            exit(1, 8),
            exit(0, 7),
            SignMessage {
                key: 1,
                object: registration,
            },
            SignMessage {
                key: 0,
                object: deposit,
            },
        ],
        random: [9; 32],
    })
    .unwrap()
}

impl Stage {
    fn make() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let group = Group::drafted(directory.path(), OPERATORS, |draft| {
            draft.threshold = THRESHOLD as u64;
            draft.danger_low_threshold = true;
            draft.validators = vec![validator(); 2];
        });
        for operator in (0..OPERATORS).chain(0..OPERATORS).chain(1..OPERATORS) {
            group.run(operator);
        }
        let Standing::Complete { outcome, .. } = group.run(0).standing else {
            panic!("the keys are not made");
        };
        let (plan, other) = (
            sign_plan(&group, &outcome, 0),
            sign_plan(&group, &outcome, 1),
        );
        let operators: Vec<Me> = (0..OPERATORS).map(|who| secrets(&group, who)).collect();
        let says = |plan: &Plan| -> Vec<Envelope> {
            let operators = operators.iter().zip(&group.members);
            operators
                .map(|(me, member)| {
                    let home = member.open(real()).unwrap();
                    let blob = Vault::new(&home).shares(group.plan.cid()).unwrap();
                    let memory = Memory {
                        shares: Some(OwnShares::from_blob(&blob.unwrap()).unwrap()),
                        ..Memory::default()
                    };
                    let board = Board::default();
                    let session = Session::new(plan);
                    match session.next(me, &memory, &board, &Unobserved, &[3; 32]) {
                        Ok(Step::Send(mut envelopes)) => envelopes.remove(0),
                        other => panic!("{other:?}"),
                    }
                })
                .collect()
        };
        let (honest, elsewhere) = (says(&plan), says(&other));
        let mut board = Board::default();
        for (who, envelope) in honest.iter().enumerate() {
            board.0.insert(who.to_string(), envelope.bytes().to_vec());
        }
        let found = board.session(&plan).examine(&board, &Unobserved).unwrap();
        let right = found.outcome.unwrap().to_bytes().unwrap();
        Self {
            _directory: directory,
            group,
            plan,
            operators,
            honest,
            elsewhere,
            right,
        }
    }

    fn index(&self, who: usize) -> u64 {
        self.plan.roster().at(who).unwrap().index.get()
    }

    fn payload(&self, who: usize) -> PartialPayload {
        payload(&self.honest[who])
    }

    fn sign(&self, who: usize, payload: &Value) -> Vec<u8> {
        let identity = &self.operators[who].identity;
        let cid = *self.plan.cid();
        let envelope = Envelope::sign(identity, cid, Kind::Partial, Place::Partial, payload);
        envelope.unwrap().bytes().to_vec()
    }

    /// Everything that a cheater says with a misdeed.
    fn says(&self, who: usize, misdeed: SignMisdeed) -> Vec<Vec<u8>> {
        let right = self.honest[who].bytes().to_vec();
        let changed = |change: &dyn Fn(&mut Vec<Hex<96>>)| {
            let mut payload = self.payload(who);
            change(&mut payload.partials);
            self.sign(who, &json::to_value(&payload).unwrap())
        };
        let at = |position: usize| position % self.payload(who).partials.len();
        match misdeed {
            SignMisdeed::Silent => Vec::new(),
            SignMisdeed::Shift { at: place, error } => vec![changed(&|partials| {
                let place = at(place);
                let root = &self.plan.sign().unwrap().roots()[place];
                let size = Scalar::from_u64(error.unsigned_abs().into());
                let error = if error < 0 { size } else { size.neg() };
                // At the indices 1 and 2 the Lagrange coefficients are 2 and -1.
                let cell = G2::from_bytes(&partials[place].0).unwrap();
                let half = cell.times(&Scalar::from_u64(2).invert().unwrap()).unwrap();
                let along = bls::sign(&error, root).unwrap();
                let sum = bls::combine(&[1, 2], &[half, along]).unwrap();
                partials[place] = Hex(sum.to_bytes());
            })],
            SignMisdeed::Swapped => vec![changed(&|partials| partials.swap(0, 1))],
            SignMisdeed::Copied(other) => {
                let other = if other == who {
                    (who + 1) % OPERATORS
                } else {
                    other
                };
                let theirs = json::to_value(&self.payload(other)).unwrap();
                vec![self.sign(who, &theirs)]
            }
            SignMisdeed::Infinity(place) => vec![changed(&|partials| {
                let mut infinity = [0; 96];
                infinity[0] = 0xc0;
                partials[at(place)] = Hex(infinity);
            })],
            SignMisdeed::OffSubgroup(place) => vec![changed(&|partials| {
                // x = 2, which is on the curve.
                let mut outside = [0; 96];
                (outside[0], outside[95]) = (0x80, 2);
                partials[at(place)] = Hex(outside);
            })],
            SignMisdeed::Short => vec![changed(&|partials| partials.truncate(partials.len() - 1))],
            SignMisdeed::Long => vec![changed(&|partials| partials.push(partials[0]))],
            SignMisdeed::Malformed(which) => {
                let payload = match which % 4 {
                    0 => json!({}),
                    1 => json!({ "partials": 5 }),
                    2 => json!({ "partials": ["00"] }),
                    _ => {
                        let mut value = json::to_value(&self.payload(who)).unwrap();
                        value["more"] = 1.into();
                        value
                    }
                };
                vec![self.sign(who, &payload)]
            }
            SignMisdeed::Resigned => {
                let theirs = json::to_value(&payload(&self.elsewhere[who])).unwrap();
                vec![self.sign(who, &theirs)]
            }
            SignMisdeed::Twice => vec![right, changed(&|partials| partials.swap(0, 1))],
            SignMisdeed::Crowd => (0..CROWD)
                .map(|number| {
                    changed(&|partials| {
                        partials.truncate(1);
                        partials[0].0[50] ^= u8::try_from(number + 1).unwrap();
                    })
                })
                .chain([right])
                .collect(),
            SignMisdeed::Replayed => vec![self.elsewhere[who].bytes().to_vec()],
            SignMisdeed::Foreign => {
                let (kind, place) = (Kind::Abandon, Place::Confirm);
                let identity = &self.operators[who].identity;
                let envelope = Envelope::sign(identity, *self.plan.cid(), kind, place, json!({}));
                vec![envelope.unwrap().bytes().to_vec()]
            }
            SignMisdeed::Forged(victim) => {
                let victim = if victim == who {
                    (who + 1) % OPERATORS
                } else {
                    victim
                };
                let mut envelope: Value = serde_json::from_slice(&right).unwrap();
                let theirs = serde_json::from_slice::<Value>(self.honest[victim].bytes());
                envelope["header"]["sender"] = theirs.unwrap()["header"]["sender"].clone();
                vec![json::canonical_value(&envelope).unwrap()]
            }
            SignMisdeed::Torn => vec![right[..right.len() / 2].to_vec()],
        }
    }

    /// What bytes are, as a message of a cheater: its hash, and whether it is right. Signatures are the
    /// same whoever makes them, so that everything but the honest message is wrong.
    fn judge(&self, who: usize, bytes: &[u8]) -> Option<(Digest, bool)> {
        let message = Session::new(&self.plan).read(bytes).ok()?;
        assert_eq!(message.sender().get(), self.index(who), "a forgery passes");
        let hash = message.message_hash();
        Some((hash, hash == self.honest[who].header().hash()))
    }
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(Stage::make)
}

fn payload(envelope: &Envelope) -> PartialPayload {
    let value: Value = serde_json::from_slice(envelope.bytes()).unwrap();
    json::decode(&value["payload"]).unwrap()
}

impl SignFaultPlan {
    /// Reads a plan from any bytes: the same bytes give the same plan.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut choices = Choices::new(bytes);
        let first = choices.below(OPERATORS);
        let count = 1 + choices.below(OPERATORS - 2);
        let mut cheaters = BTreeMap::new();
        for place in 0..count {
            let misdeeds = (0..=choices.below(2)).map(|_| misdeed(&mut choices));
            cheaters.insert((first + place) % OPERATORS, misdeeds.collect());
        }
        let events = (0..choices.below(MAX_EVENTS + 1))
            .map(|_| Event::from(&mut choices, OPERATORS, STICKS))
            .collect();
        Self { cheaters, events }
    }

    /// Plays it and checks every promise; returns who did what that can be proved, which all honest
    /// operators say at the end.
    pub(crate) fn play(&self) -> BTreeSet<(u64, &'static str)> {
        let stage = stage();
        let directory = tempfile::tempdir().unwrap();
        let said: BTreeMap<usize, Vec<Vec<u8>>> = self
            .cheaters
            .iter()
            .map(|(who, misdeeds)| {
                let said = misdeeds.iter();
                let said = said.flat_map(|misdeed| stage.says(*who, *misdeed));
                (*who, said.collect())
            })
            .collect();
        let (mut truth, mut unsaid, mut valid) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (who, said) in &said {
            let judged = said.iter().filter_map(|bytes| stage.judge(*who, bytes));
            let judged: BTreeMap<Digest, bool> = judged.collect();
            valid += judged.values().filter(|right| **right).count();
            let index = stage.index(*who);
            if judged.values().any(|right| !right) {
                truth.insert((index, "invalid-partial"));
            }
            if judged.len() > 1 {
                truth.insert((index, "equivocation"));
                // Two different ones prove that one is wrong. Which it is, nobody looks for who has the
                // right one.
                if judged.values().any(|right| *right) {
                    unsaid.insert((index, "invalid-partial"));
                }
            }
        }
        let game = Game {
            stage,
            sticks: (0..STICKS)
                .map(|stick| {
                    let path = directory.path().join(format!("stick-{stick}"));
                    std::fs::create_dir_all(&path).unwrap();
                    path
                })
                .collect(),
            homes: (0..OPERATORS)
                .filter(|who| !said.contains_key(who))
                .map(|who| {
                    let home = directory.path().join(format!("home-{who}"));
                    copy_tree(&stage.group.members[who].root, &home);
                    (who, home)
                })
                .collect(),
            said,
            truth,
            unsaid,
        };
        for event in &self.events {
            match *event {
                Event::Turn {
                    who,
                    stick,
                    messages,
                } => drop(game.turn(who, stick, messages)),
                Event::Carry { from, to, messages } => game.carry(from, to, messages),
            }
        }
        for stick in 1..STICKS {
            game.carry(stick, 0, u8::MAX);
        }
        game.end(game.homes.len() + valid >= THRESHOLD);
        game.truth
    }
}

fn misdeed(choices: &mut Choices<'_>) -> SignMisdeed {
    match choices.below(19) {
        0 => SignMisdeed::Silent,
        1 | 2 => SignMisdeed::Shift {
            at: choices.below(4),
            error: choices.of(&[1, -1, 3, -3]),
        },
        3 => SignMisdeed::Swapped,
        4 | 5 => SignMisdeed::Copied(choices.below(OPERATORS)),
        6 => SignMisdeed::Infinity(choices.below(4)),
        7 => SignMisdeed::OffSubgroup(choices.below(4)),
        8 => SignMisdeed::Short,
        9 => SignMisdeed::Long,
        10 => SignMisdeed::Malformed(choices.byte()),
        11 | 12 => SignMisdeed::Resigned,
        13 => SignMisdeed::Twice,
        14 => SignMisdeed::Crowd,
        15 => SignMisdeed::Replayed,
        16 => SignMisdeed::Foreign,
        17 => SignMisdeed::Forged(choices.below(OPERATORS)),
        _ => SignMisdeed::Torn,
    }
}

/// A plan that is being played.
struct Game<'s> {
    stage: &'s Stage,
    sticks: Vec<PathBuf>,
    /// The honest operators' homes.
    homes: BTreeMap<usize, PathBuf>,
    /// What each cheater says.
    said: BTreeMap<usize, Vec<Vec<u8>>>,
    /// Who is to be named for what, once everything is known.
    truth: BTreeSet<(u64, &'static str)>,
    /// What of that may go without saying.
    unsaid: BTreeSet<(u64, &'static str)>,
}

impl Game<'_> {
    fn board(&self, stick: usize) -> BoardFolder {
        let plan = &self.stage.plan;
        let name = format!("{}-{}", plan.name().file_stem(), plan.cid().short());
        BoardFolder::create_or_open(real(), &self.sticks[stick].join(name), plan.bytes()).unwrap()
    }

    fn turn(&self, who: usize, stick: usize, messages: u8) -> Option<Ran> {
        let plan = &self.stage.plan;
        let Some(root) = self.homes.get(&who) else {
            let board = self.board(stick);
            for (place, bytes) in self.said[&who].iter().enumerate() {
                if messages & 1 << (place % 8) != 0 {
                    let read = Session::new(plan).read(bytes);
                    let name = match read {
                        Ok(message) => label(plan, &message),
                        Err(_) => format!("x-{who}-{place}.json"),
                    };
                    board.put(&name, bytes).unwrap();
                }
            }
            return None;
        };
        let home = self.stage.group.members[who].open_at(real(), root).unwrap();
        seat::accept(&home, plan).unwrap();
        let mut seat = Seat::open(&home, plan).unwrap();
        let mut couriers: Vec<Box<dyn Courier>> =
            vec![Box::new(FolderCourier::new(real(), &self.sticks[stick]))];
        let ran = driver::run(&mut seat, &mut couriers, &mut OsRandomness, &Unobserved).unwrap();
        // Whoever completes has the right bytes, and every accusation is true, at any time.
        if let Standing::Complete { outcome, .. } = &ran.standing {
            assert_eq!(outcome.to_bytes().unwrap(), self.stage.right, "{who}");
        }
        let named = accused(faults(&ran));
        assert!(named.is_subset(&self.truth), "{who} says {named:?}");
        Some(ran)
    }

    fn carry(&self, from: usize, to: usize, messages: u8) {
        let (from, to) = (self.board(from), self.board(to));
        for (place, file) in from.messages().unwrap().into_iter().enumerate() {
            if messages & 1 << (place % 8) != 0 {
                to.put(&file.name, &from.read(&file.name).unwrap()).unwrap();
            }
        }
    }

    /// Everybody goes on over one stick until nobody has anything to say; `enough`: the valid partials
    /// there make the signatures.
    fn end(&self, enough: bool) {
        let board = self.board(0);
        let ended = loop {
            let before = board.messages().unwrap().len();
            let turns = (0..OPERATORS).map(|who| (who, self.turn(who, 0, u8::MAX)));
            let ran: Vec<(usize, Ran)> = turns.filter_map(|(who, ran)| Some((who, ran?))).collect();
            if board.messages().unwrap().len() == before {
                break ran;
            }
        };
        for (who, ran) in &ended {
            let complete = matches!(ran.standing, Standing::Complete { .. });
            assert_eq!(complete, enough, "{who}: {:?}", ran.standing);
            self.hold_against_the_truth(faults(ran));
            self.check_evidence(*who, faults(ran));
        }
        // An outsider says the same of the stick.
        let plan = &self.stage.plan;
        let files = board.messages().unwrap().into_iter();
        let ids: Vec<String> = files.map(|file| file.name).collect();
        let report = audit(plan, &ids, &BoardMessages(board.clone()), None, &Unobserved).unwrap();
        self.hold_against_the_truth(&report.examination.faults);
        let right = enough.then_some(&self.stage.right);
        assert_eq!(report.outcome.as_ref(), right);
        // Nobody honest said anything but its one partial.
        for id in &ids {
            let Ok(message) = Session::new(plan).read(&board.read(id).unwrap()) else {
                continue;
            };
            let who = plan.roster().position(message.sender()).unwrap();
            if self.homes.contains_key(&who) {
                let honest = self.stage.honest[who].header().hash();
                assert_eq!(message.message_hash(), honest, "{id}");
            }
        }
    }

    /// Everybody is named who did something, for just that, and nobody else.
    fn hold_against_the_truth(&self, faults: &[Fault]) {
        let named = accused(faults);
        assert!(named.is_subset(&self.truth), "{named:?}, {:?}", self.truth);
        let said: BTreeSet<_> = named.union(&self.unsaid).copied().collect();
        assert_eq!(said, self.truth);
    }

    /// Whoever reads the evidence finds the same, and nothing against anyone honest.
    fn check_evidence(&self, who: usize, faults: &[Fault]) {
        let plan = &self.stage.plan;
        let home = self.stage.group.members[who]
            .open_at(real(), &self.homes[&who])
            .unwrap();
        let own = Vault::new(&home).board(plan.cid(), plan.bytes()).unwrap();
        for fault in faults {
            let sentence = fault.kind.to_string();
            let messages = BoardMessages(own.clone());
            let accused = vec![fault.accused];
            let file = Evidence::collect(plan, accused, sentence, &fault.proof, &messages);
            let (mut evidence, read, bytes) = Evidence::parse(&file.unwrap()).unwrap();
            let report = audit_evidence(&read, &bytes, &Unobserved).unwrap();
            assert!(bears_out(&evidence, &report), "not borne out: {fault:?}");
            for honest in self.homes.keys() {
                let index = self.stage.index(*honest);
                evidence.accused = vec![index.try_into().unwrap()];
                assert!(
                    !bears_out(&evidence, &report),
                    "{index} is blamed: {fault:?}"
                );
            }
        }
    }
}

/// What a standing proves, whatever it ends in.
fn faults(ran: &Ran) -> &[Fault] {
    match &ran.standing {
        Standing::Complete { faults, .. } | Standing::AwaitingPartials(_, faults) => faults,
        Standing::Stopped(stop) => &stop.faults,
        Standing::Waiting { .. } | Standing::AwaitingBackup => &[],
    }
}
