//! Fault plans: which operator misbehaves, and how. Its envelopes are forged with its real identity
//! key and ceremony secret; everybody else is honest, with a home, the driver and a stick.
//!
//! A new misdeed is a variant of [`Misdeed`] and the few lines in [`Table::deals`],
//! [`Table::confirms`] or [`Table::complaints`] that commit it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::audit::{Report, audit, audit_evidence, bears_out};
use conclave::ceremony::evidence::{Evidence, Fault};
use conclave::ceremony::session::{Session, label};
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::step::{Me, Memory, Step};
use conclave::ceremony::{Messages, Unobserved};
use conclave::courier::Courier;
use conclave::courier::folder::FolderCourier;
use conclave::crypto::identity::IdentityKey;
use conclave::crypto::scalar::Scalar;
use conclave::driver::{Ran, Standing};
use conclave::hash::Digest;
use conclave::json::{self, Hex};
use conclave::protocol::confirm::ConfirmPayload;
use conclave::protocol::deal::DealPayload;
use conclave::protocol::{complaint, confirm, deal};
use conclave::secret::Secret;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::folder::{BoardFolder, Put};
use conclave::store::seat::BoardMessages;
use conclave::store::vault::Vault;
use conclave::wire::envelope::{Authenticated, Envelope, Kind, Place};
use serde_json::{Value, json};

use super::forgery::INFINITY;
use super::homes::Group;

/// What an operator does that it should not. Positions of operators count from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misdeed {
    /// Deals these operators a share that breaks the share equation.
    BadShare(Vec<usize>),
    /// Deals polynomials with this many coefficients.
    Coefficients(usize),
    /// Deals for this many validators.
    Validators(usize),
    /// Deals with a field that no deal has.
    DealField,
    /// Deals with this instead of a commitment.
    Commitment([u8; 48]),
    /// Deals with constant and proof of this operator.
    CopiedConstant(usize),
    /// Deals what this operator dealt.
    CopiedDeal(usize),
    /// Deals the secrets of this operator, who lets it: needs that one to cheat too.
    SharedSecret(usize),
    /// Deals twice, both times well.
    TwoDeals,
    /// Never deals.
    NoDeal,
    /// Confirms another transcript than follows from the deals.
    LyingTranscript,
    /// Confirms a deal of this operator that it never signed.
    ForgedDeal(usize),
    /// Signs with its share and one.
    BadPartial,
    /// Signs infinity.
    InfinitePartial,
    /// Confirms without a partial signature.
    NoPartials,
    /// Confirms with a field that no confirm has.
    ConfirmField,
    /// Confirms well, and once more badly.
    TwoConfirms,
    /// Confirms and abandons.
    ConfirmAndAbandon,
    /// Abandons.
    Abandon,
    /// Neither confirms nor abandons.
    NoConfirm,
    /// Complains about this operator, who dealt well.
    FalseComplaint(usize),
    /// The same with a proof that fails.
    ComplaintProof(usize),
    /// The same with infinity for the shared point.
    ComplaintPoint(usize),
    /// Complains about a deal of this operator that nobody ever saw.
    OpenComplaint(usize),
    /// Complains about itself.
    SelfComplaint,
}

/// A fault plan: everybody's misdeeds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(BTreeMap<usize, Vec<Misdeed>>);

impl Faults {
    /// Everyone is honest.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a misdeed.
    pub(crate) fn by(mut self, operator: usize, misdeed: Misdeed) -> Self {
        self.0.entry(operator).or_default().push(misdeed);
        self
    }

    fn of(&self, operator: usize) -> &[Misdeed] {
        self.0.get(&operator).map_or(&[], Vec::as_slice)
    }
}

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
        let directory = tempfile::tempdir().unwrap();
        let group = Group::new(directory.path(), n, 1);
        let cheaters = faults.0.keys();
        let cheaters = cheaters.map(|who| (*who, secrets(&group, *who))).collect();
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
        loop {
            let before = board.messages().unwrap().len();
            let mut played = Played::new();
            for operator in 0..self.group.members.len() {
                if self.cheaters.contains_key(&operator) {
                    self.cheat(operator, &board);
                } else {
                    played.insert(operator, self.run_over(operator, &self.group.stick));
                }
            }
            if board.messages().unwrap().len() == before {
                return played;
            }
        }
    }

    /// A cheater's turn: everything that it can say now.
    pub(crate) fn cheat(&self, who: usize, board: &BoardFolder) {
        for envelope in self.deals(who, board) {
            self.say(&envelope, board);
        }
        let messages = self.messages(board);
        let dealt: BTreeSet<_> = messages
            .iter()
            .filter(|(_, message)| message.kind() == Kind::Deal)
            .map(|(_, message)| message.sender())
            .collect();
        if dealt.len() == self.group.members.len() {
            for envelope in self.complaints(who, board) {
                self.say(&envelope, board);
            }
            for envelope in self.confirms(who, board) {
                self.say(&envelope, board);
            }
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

    fn deal_of(&self, who: usize, board: &BoardFolder) -> Option<Authenticated> {
        let index = self.group.plan.roster().at(who).unwrap().index;
        let mut messages = self.messages(board).into_iter().map(|(_, message)| message);
        messages.find(|message| message.kind() == Kind::Deal && message.sender() == index)
    }

    /// Signs as an operator whose secrets are at hand.
    pub(crate) fn sign(&self, who: usize, kind: Kind, place: Place, payload: Value) -> Envelope {
        let identity = &self.cheaters[&who].identity;
        Envelope::sign(identity, *self.group.plan.cid(), kind, place, payload).unwrap()
    }

    /// The deals of a cheater; none while it waits for the one that it copies.
    pub(crate) fn deals(&self, who: usize, board: &BoardFolder) -> Vec<Envelope> {
        let mut params = self.group.plan.params();
        let mut secret = self.cheaters[&who].secret.as_ref().unwrap();
        for misdeed in self.faults.of(who) {
            match misdeed {
                Misdeed::NoDeal => return Vec::new(),
                Misdeed::Coefficients(count) => params.threshold = *count,
                Misdeed::Validators(count) => params.validators = *count,
                Misdeed::SharedSecret(other) => {
                    secret = self.cheaters[other].secret.as_ref().unwrap();
                }
                _ => {}
            }
        }
        let mut payload = deal::make(&params, who, secret).unwrap();
        for misdeed in self.faults.of(who) {
            match misdeed {
                Misdeed::BadShare(recipients) => {
                    for recipient in recipients {
                        let cell = &mut payload.ciphertexts[0][*recipient];
                        let share = Scalar::from_bytes(&cell.0).unwrap();
                        *cell = Hex(share.add(&Scalar::from_u64(1)).to_public_bytes());
                    }
                }
                Misdeed::Commitment(bytes) => payload.commitments[0][0] = Hex(*bytes),
                Misdeed::CopiedConstant(victim) | Misdeed::CopiedDeal(victim) => {
                    let Some(theirs) = self.deal_of(*victim, board) else {
                        return Vec::new();
                    };
                    let Ok(theirs) = theirs.decode::<DealPayload>() else {
                        return Vec::new();
                    };
                    if matches!(misdeed, Misdeed::CopiedDeal(_)) {
                        payload = theirs;
                    } else {
                        payload.commitments[0][0] = theirs.commitments[0][0];
                        payload.proof = theirs.proof;
                    }
                }
                _ => {}
            }
        }
        let mut payloads = vec![json::to_value(&payload).unwrap()];
        for misdeed in self.faults.of(who) {
            match misdeed {
                Misdeed::DealField => payloads[0]["extra"] = json!(1),
                Misdeed::TwoDeals => {
                    let other = deal::make(&params, who, &Secret::new([0x77; 32])).unwrap();
                    payloads.push(json::to_value(&other).unwrap());
                }
                _ => {}
            }
        }
        let sign = |payload| self.sign(who, Kind::Deal, Place::Deal, payload);
        payloads.into_iter().map(sign).collect()
    }

    /// A cheater's shares, if the board leads to any.
    fn shares(&self, who: usize, board: &BoardFolder) -> Option<OwnShares> {
        let plan = &self.group.plan;
        let index = plan.roster().at(who).unwrap().index;
        let mut session = Session::new(plan);
        let mut memory = Memory::default();
        for (name, message) in self.messages(board) {
            let own = message.sender() == index;
            if own {
                memory.own.insert(message.message_hash());
            }
            // It looks away from what would keep an honest operator from confirming.
            if message.kind() == Kind::Deal {
                session.place(&message, &name);
            }
        }
        let messages = BoardMessages(board.clone());
        let me = &self.cheaters[&who];
        match session.next(me, &memory, &messages, &Unobserved, &[5; 32]) {
            Ok(Step::StoreShares(shares)) => Some(*shares),
            _ => None,
        }
    }

    /// What a cheater puts in the place of its confirm.
    pub(crate) fn confirms(&self, who: usize, board: &BoardFolder) -> Vec<Envelope> {
        let misdeeds = self.faults.of(who);
        let abandon = || self.sign(who, Kind::Abandon, Place::Confirm, json!({}));
        if misdeeds.contains(&Misdeed::NoConfirm) {
            return Vec::new();
        }
        if misdeeds.contains(&Misdeed::Abandon) {
            return vec![abandon()];
        }
        let Some(mut own) = self.shares(who, board) else {
            return Vec::new();
        };
        if misdeeds.contains(&Misdeed::BadPartial) {
            own.shares[0] = own.shares[0].add(&Scalar::from_u64(1));
        }
        let roots = self.group.plan.messages(&own.sharing);
        let partials = confirm::sign(&own.shares, &roots).unwrap();
        let honest = confirm::make(own.transcript, own.deals.clone(), &partials);
        let lying = ConfirmPayload {
            transcript: Digest::from_bytes([0xee; 32]),
            ..honest.clone()
        };
        let mut payload = honest;
        for misdeed in misdeeds {
            match misdeed {
                Misdeed::LyingTranscript => payload = lying.clone(),
                Misdeed::ForgedDeal(dealer) => {
                    payload.deals[*dealer].payload = Digest::from_bytes([0xdd; 32]);
                }
                Misdeed::InfinitePartial => {
                    payload.partials[0][0].0.fill(0);
                    payload.partials[0][0].0[0] = INFINITY[0];
                }
                Misdeed::NoPartials => payload.partials[0].clear(),
                _ => {}
            }
        }
        let mut payloads = vec![json::to_value(&payload).unwrap()];
        let mut envelopes = Vec::new();
        for misdeed in misdeeds {
            match misdeed {
                Misdeed::ConfirmField => payloads[0]["extra"] = json!(1),
                Misdeed::TwoConfirms => payloads.push(json::to_value(&lying).unwrap()),
                Misdeed::ConfirmAndAbandon => envelopes.push(abandon()),
                _ => {}
            }
        }
        let sign = |payload| self.sign(who, Kind::Confirm, Place::Confirm, payload);
        envelopes.extend(payloads.into_iter().map(sign));
        envelopes
    }

    /// A cheater's complaints, once all deals are there.
    fn complaints(&self, who: usize, board: &BoardFolder) -> Vec<Envelope> {
        let params = self.group.plan.params();
        let me = self.cheaters[&who].secret.as_ref().unwrap();
        let mut envelopes = Vec::new();
        for misdeed in self.faults.of(who) {
            let against = match misdeed {
                Misdeed::FalseComplaint(other)
                | Misdeed::ComplaintProof(other)
                | Misdeed::ComplaintPoint(other)
                | Misdeed::OpenComplaint(other) => *other,
                Misdeed::SelfComplaint => who,
                _ => continue,
            };
            let Some(message) = self.deal_of(against, board) else {
                continue;
            };
            let hash = message.message_hash();
            // Another cheat's deal may be none.
            let Ok(theirs) = message.decode::<DealPayload>() else {
                continue;
            };
            let Ok(checked) = deal::check(&params, against, &theirs) else {
                continue;
            };
            let key = conclave::wire::card::encryption_secret(me);
            let mut payload = complaint::make(&params, who, &key, me, &checked, &hash).unwrap();
            let mut deal = hash;
            match misdeed {
                Misdeed::ComplaintProof(_) => payload.proof.response.0[31] ^= 1,
                Misdeed::ComplaintPoint(_) => payload.shared = Hex(INFINITY),
                Misdeed::OpenComplaint(_) => deal = Digest::from_bytes([0xcc; 32]),
                _ => {}
            }
            let against = self.group.plan.roster().at(against).unwrap().index;
            let place = Place::Complaint { against, deal };
            let payload = json::to_value(&payload).unwrap();
            envelopes.push(self.sign(who, Kind::Complain, place, payload));
        }
        envelopes
    }

    /// What an outsider makes of a stick.
    pub(crate) fn audit(&self, stick: &Path) -> Report {
        let board = self.board(stick);
        let files = board.messages().unwrap().into_iter();
        let ids: Vec<String> = files.map(|file| file.name).collect();
        let messages = BoardMessages(board);
        audit(&self.group.plan, &ids, &messages, None, &Unobserved).unwrap()
    }

    /// The shares that an operator's home holds.
    pub(crate) fn holds_shares(&self, operator: usize) -> bool {
        let home = self.group.members[operator]
            .open(Arc::new(RealDisk))
            .unwrap();
        let shares = Vault::new(&home).shares(self.group.plan.cid()).unwrap();
        shares.is_some()
    }

    /// Whether an operator's confirm stands on the group's stick.
    pub(crate) fn confirmed(&self, operator: usize) -> bool {
        let index = self.group.plan.roster().at(operator).unwrap().index;
        let board = self.board(&self.group.stick);
        let mut messages = self.messages(&board).into_iter();
        messages.any(|(_, message)| message.kind() == Kind::Confirm && message.sender() == index)
    }

    /// Makes evidence of each fault from what an operator's own board holds, and checks that
    /// whoever reads the file finds the same, and nothing against anyone honest.
    pub(crate) fn check_evidence(&self, operator: usize, faults: &[Fault]) {
        let home = self.group.members[operator]
            .open(Arc::new(RealDisk))
            .unwrap();
        let plan = &self.group.plan;
        let board = Vault::new(&home).board(plan.cid(), plan.bytes()).unwrap();
        let messages = BoardMessages(board);
        for fault in faults {
            let sentence = fault.kind.to_string();
            assert!(sentence.len() > 10, "{sentence}");
            let accused = vec![fault.accused];
            check_file(plan, accused, &sentence, &fault.proof, &messages, self);
        }
    }

    /// Everyone but the cheaters, by index.
    pub(crate) fn honest(&self) -> BTreeSet<u64> {
        let roster = self.group.plan.roster().iter().enumerate();
        roster
            .filter(|(position, _)| !self.cheaters.contains_key(position))
            .map(|(_, operator)| operator.index.get())
            .collect()
    }
}

fn check_file(
    plan: &conclave::ceremony::plan::Plan,
    accused: Vec<conclave::wire::roster::Index>,
    sentence: &str,
    proof: &[String],
    messages: &dyn Messages,
    table: &Table,
) {
    let file = Evidence::collect(plan, accused, sentence.to_owned(), proof, messages).unwrap();
    super::schema::assert_valid_json("evidence", &file);
    let (mut evidence, read, bytes) = Evidence::parse(&file).unwrap();
    assert_eq!(read.cid(), plan.cid());
    let report = audit_evidence(&read, &bytes, &Unobserved).unwrap();
    assert!(bears_out(&evidence, &report), "not borne out: {sentence}");
    for honest in table.honest() {
        evidence.accused = vec![honest.try_into().unwrap()];
        assert!(
            !bears_out(&evidence, &report),
            "{honest} blamed: {sentence}"
        );
    }
}

/// Whom a standing accuses, with the word for what.
pub(crate) fn accused(faults: &[Fault]) -> BTreeSet<(u64, &'static str)> {
    let accused = faults.iter();
    accused
        .map(|fault| (fault.accused.get(), fault.kind.word()))
        .collect()
}

/// The faults of an operator's standing.
pub(crate) fn faults(ran: &Ran) -> &[Fault] {
    match &ran.standing {
        Standing::Stopped(stop) => &stop.faults,
        _ => &[],
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
