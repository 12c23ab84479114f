//! What a session makes of a board that somebody spoiled, and what it says to do next: in memory, no
//! homes, one thing wrong at a time. `adversary` plays such boards through homes, sticks and audits.

use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::{Fault, FaultKind};
use conclave::ceremony::plan::{Backups, Draft, Plan};
use conclave::ceremony::session::{MAX_SMALL_BYTES, Registered, Session, label};
use conclave::ceremony::shares::OwnShares;
use conclave::ceremony::step::{Examination, Memory, SessionError, Step, Stop};
use conclave::crypto::scalar::Scalar;
use conclave::crypto::sharing::Sharing;
use conclave::hash::Digest;
use conclave::json::{self, Hex};
use conclave::protocol::confirm::{ConfirmFault, ConfirmPayload};
use conclave::protocol::deal::DealPayload;
use conclave::protocol::{complaint, confirm, deal};
use conclave::secret::Secret;
use conclave::wire::card::encryption_secret;
use conclave::wire::envelope::{Envelope, Kind, Place};
use conclave::wire::roster::Index;
use serde_json::{Value, json};

use crate::harness::ceremony::{Board, Player, draft, players};
use crate::harness::forgery::{Dealing, INFINITY};

const SEED: [u8; 32] = [9; 32];

/// Four operators, whose secrets are all at hand, and one board that everybody sees.
struct Room {
    plan: Plan,
    players: Vec<Player>,
    board: Board,
}

impl Room {
    fn new() -> Self {
        Self::of(None)
    }

    /// A room whose plan asks this of backups.
    fn of(backups: Option<Backups>) -> Self {
        let players = players(&[1, 2, 3, 4]);
        let draft = Draft {
            backups,
            ..draft(&players)
        };
        Self {
            plan: Plan::draft(draft).unwrap(),
            players,
            board: Board::default(),
        }
    }

    /// A room in which everybody dealt.
    fn dealt() -> Self {
        Self::new().everybody_deals()
    }

    fn everybody_deals(mut self) -> Self {
        for who in 0..4 {
            self.say_deal(who, &self.deal(who));
        }
        self
    }

    /// A room in which everybody dealt and these operators stored their shares and confirmed.
    fn confirmed(by: &[usize]) -> Self {
        let mut room = Self::dealt();
        for who in by {
            let own = room.stored(*who);
            let payload = room.confirm(&own);
            room.say_confirm(*who, &payload);
            room.players[*who].memory.shares = Some(own);
        }
        room
    }

    fn deal(&self, who: usize) -> DealPayload {
        let secret = self.players[who].me.secret.as_ref().unwrap();
        deal::make(&self.plan.keygen().unwrap().params(), who, secret).unwrap()
    }

    /// Another deal of the same operator, as good as its first.
    fn other_deal(&self, who: usize) -> DealPayload {
        deal::make(
            &self.plan.keygen().unwrap().params(),
            who,
            &Secret::new([0x77; 32]),
        )
        .unwrap()
    }

    /// A deal whose share for `to` is wrong in the second validator.
    fn bad_deal(&self, who: usize, to: usize) -> DealPayload {
        let mut payload = self.deal(who);
        let cell = &mut payload.ciphertexts[1][to];
        let share = Scalar::from_bytes(&cell.0).unwrap();
        *cell = Hex(share.add(&Scalar::from_u64(1)).to_public_bytes());
        payload
    }

    /// The shares that an operator is told to store.
    fn stored(&self, who: usize) -> OwnShares {
        match self.next(who) {
            Ok(Step::StoreShares(own)) => *own,
            other => panic!("{other:?}"),
        }
    }

    fn confirm(&self, own: &OwnShares) -> ConfirmPayload {
        let roots = self.plan.keygen().unwrap().messages(&own.sharing);
        let partials = confirm::sign(&own.shares, &roots).unwrap();
        confirm::make(own.transcript, own.deals.clone(), &partials)
    }

    fn sign(&self, who: usize, kind: Kind, place: Place, payload: Value) -> Envelope {
        let identity = &self.players[who].me.identity;
        Envelope::sign(identity, *self.plan.cid(), kind, place, payload).unwrap()
    }

    /// Puts a message on the board; its sender remembers that it said so.
    fn say(&mut self, who: usize, kind: Kind, place: Place, payload: Value) -> Digest {
        let envelope = self.sign(who, kind, place, payload);
        let hash = envelope.header().hash();
        let message = Session::new(&self.plan).read(envelope.bytes()).unwrap();
        let id = format!("{} {}", label(&self.plan, &message), hash.short());
        self.board.0.insert(id, envelope.bytes().to_vec());
        self.players[who].memory.own.insert(hash);
        hash
    }

    fn say_deal(&mut self, who: usize, payload: &DealPayload) -> Digest {
        self.say(
            who,
            Kind::Deal,
            Place::Deal,
            json::to_value(payload).unwrap(),
        )
    }

    fn say_confirm(&mut self, who: usize, payload: &ConfirmPayload) -> Digest {
        let payload = json::to_value(payload).unwrap();
        self.say(who, Kind::Confirm, Place::Confirm, payload)
    }

    /// A complaint that is proved as well as can be, about the deal of `against` with this hash.
    fn complain(&mut self, who: usize, against: usize, deal: &DealPayload, hash: Digest) -> Digest {
        let params = self.plan.keygen().unwrap().params();
        let secret = self.players[who].me.secret.as_ref().unwrap();
        let checked = deal::check(&params, against, deal).unwrap();
        let key = encryption_secret(secret);
        let payload = complaint::make(&params, who, &key, secret, &checked, &hash).unwrap();
        let payload = json::to_value(&payload).unwrap();
        self.say(who, Kind::Complain, self.about(against, hash), payload)
    }

    fn about(&self, against: usize, deal: Digest) -> Place {
        let against = self.players[against].index;
        Place::Complaint { against, deal }
    }

    fn next(&self, who: usize) -> Result<Step, SessionError> {
        let session = self.board.session(&self.plan);
        let player = &self.players[who];
        session.next(&player.me, &player.memory, &self.board, &Unobserved, &SEED)
    }

    #[track_caller]
    fn stopped(&self, who: usize) -> Stop {
        match self.next(who) {
            Ok(Step::Stop(stop)) => stop,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn sends(&self, who: usize) -> Vec<Envelope> {
        match self.next(who) {
            Ok(Step::Send(envelopes)) => envelopes,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn conflicts(&self, who: usize, expected: Kind) {
        match self.next(who) {
            Err(SessionError::Conflict { kind }) => assert_eq!(kind, expected),
            other => panic!("{other:?}"),
        }
    }

    fn examine(&self) -> Examination {
        let session = self.board.session(&self.plan);
        session.examine(&self.board, &Unobserved).unwrap()
    }

    /// What an outsider and this operator find, which must be the same.
    #[track_caller]
    fn blamed(&self, who: usize) -> Vec<(u64, &'static str)> {
        let found = words(&self.examine().faults);
        assert_eq!(words(&self.stopped(who).faults), found);
        found
    }

    fn indices(&self, positions: &[usize]) -> Vec<Index> {
        positions
            .iter()
            .map(|who| self.players[*who].index)
            .collect()
    }
}

fn words(faults: &[Fault]) -> Vec<(u64, &'static str)> {
    let word = |fault: &Fault| (fault.accused.get(), fault.kind.word());
    faults.iter().map(word).collect()
}

#[test]
fn a_wrong_share_is_complained_of_and_never_stored() {
    let mut room = Room::new();
    let bad = room.bad_deal(3, 0);
    for who in 0..3 {
        room.say_deal(who, &room.deal(who));
    }
    let hash = room.say_deal(3, &bad);
    // One complaint, about the one wrong deal.
    let complaints = room.sends(0);
    assert_eq!(complaints.len(), 1);
    assert_eq!(complaints[0].header().place(), room.about(3, hash));
    // Nobody else has a reason to.
    room.stored(1);
    room.complain(0, 3, &bad, hash);
    assert_eq!(room.blamed(1), [(4, "wrong-shares")]);
    // Who complained neither stores nor says it again.
    assert_eq!(words(&room.stopped(0).faults), [(4, "wrong-shares")]);
}

#[test]
fn shares_are_stored_before_they_are_confirmed() {
    let mut room = Room::dealt();
    let own = room.stored(0);
    room.players[0].memory.shares = Some(own);
    let confirms = room.sends(0);
    assert_eq!(confirms.len(), 1);
    assert_eq!(confirms[0].header().kind(), Kind::Confirm);
}

#[test]
fn nobody_goes_on_once_anything_stands_against_the_ceremony() {
    // No deal: somebody abandoned before ours.
    let mut room = Room::new();
    room.say(3, Kind::Abandon, Place::Confirm, json!({}));
    assert_eq!(room.stopped(0).abandoned, room.indices(&[3]));
    // No shares: a complaint is true, or false.
    for true_one in [true, false] {
        let mut room = Room::new();
        let deal = if true_one {
            room.bad_deal(3, 1)
        } else {
            room.deal(3)
        };
        for who in 0..3 {
            room.say_deal(who, &room.deal(who));
        }
        let hash = room.say_deal(3, &deal);
        room.complain(1, 3, &deal, hash);
        let expected = if true_one {
            (4, "wrong-shares")
        } else {
            (2, "false-complaint")
        };
        assert_eq!(room.blamed(0), [expected]);
    }
    // No confirm: somebody confirmed what is not so, abandoned, or signed badly.
    for spoil in 0..3 {
        let mut room = Room::dealt();
        let own = room.stored(0);
        let mut payload = room.confirm(&room.stored(3));
        match spoil {
            0 => payload.transcript = Digest::from_bytes([0xee; 32]),
            1 => payload.partials[2][1] = payload.partials[2][0],
            _ => {}
        }
        if spoil == 2 {
            room.say(3, Kind::Abandon, Place::Confirm, json!({}));
        } else {
            room.say_confirm(3, &payload);
        }
        room.players[0].memory.shares = Some(own);
        let stop = room.stopped(0);
        if spoil == 2 {
            assert_eq!(stop.abandoned, room.indices(&[3]));
        } else {
            assert_eq!(room.blamed(0), [(4, "invalid-confirm")]);
        }
    }
    // Nor does who complained, whatever became of it.
    let mut room = Room::dealt();
    let own = room.stored(0);
    room.complain(0, 3, &room.deal(3), Digest::from_bytes([0xcc; 32]));
    assert!(room.stopped(0).is_empty());
    room.players[0].memory.shares = Some(own);
    assert!(room.stopped(0).is_empty());
    // Nor who abandoned.
    let mut room = Room::dealt();
    room.say(0, Kind::Abandon, Place::Confirm, json!({}));
    assert_eq!(room.stopped(0).abandoned, room.indices(&[0]));
}

#[test]
fn two_deals_of_one_dealer_are_equivocation() {
    let mut room = Room::dealt();
    room.say_deal(3, &room.other_deal(3));
    assert_eq!(room.blamed(0), [(4, "equivocation")]);
    assert!(room.examine().outcome.is_none());
    // Both are good, and neither is taken.
    assert_eq!(words(&room.stopped(1).faults), [(4, "equivocation")]);
}

/// Whichever of its two deals comes late, and however their hashes sort: what all confirmed stands.
#[test]
fn a_second_deal_after_the_end_takes_nothing_back() {
    for first in [true, false] {
        let mut room = Room::new();
        for who in 0..3 {
            room.say_deal(who, &room.deal(who));
        }
        let mut deals = [room.deal(3), room.other_deal(3)];
        if !first {
            deals.reverse();
        }
        room.say_deal(3, &deals[0]);
        let confirms: Vec<_> = (0..4).map(|who| room.confirm(&room.stored(who))).collect();
        for (who, payload) in confirms.iter().enumerate() {
            room.say_confirm(who, payload);
        }
        let before = room.examine().outcome.unwrap();
        room.say_deal(3, &deals[1]);
        let examined = room.examine();
        assert_eq!(examined.outcome, Some(before));
        assert_eq!(words(&examined.faults), [(4, "equivocation")]);
    }
}

#[test]
fn deals_that_share_a_key_end_the_ceremony_and_blame_nobody() {
    let changes: [fn(&Dealing, &mut Dealing); 2] = [
        |first, second| second.r = first.r.duplicate(),
        |first, second| second.coefficients[0][0] = first.coefficients[2][0].duplicate(),
    ];
    for change in changes {
        let mut room = Room::new();
        let params = room.plan.keygen().unwrap().params();
        let first = Dealing::new(&params, 60);
        let mut second = Dealing::new(&params, 61);
        change(&first, &mut second);
        second.evaluate(&params);
        room.say_deal(0, &room.deal(0));
        room.say_deal(1, &first.payload(&params, 1));
        room.say_deal(2, &second.payload(&params, 2));
        // It is known as soon as both are there, and when all are.
        for all in [false, true] {
            if all {
                room.say_deal(3, &room.deal(3));
            }
            let stop = room.stopped(0);
            let examined = room.examine();
            for collisions in [&stop.collisions, &examined.collisions] {
                assert_eq!(collisions.len(), 1);
                assert_eq!(collisions[0].dealers, room.indices(&[1, 2]));
            }
            assert!(stop.faults.is_empty() && examined.faults.is_empty());
        }
    }
}

#[test]
fn a_sum_at_infinity_ends_the_ceremony_and_blames_nobody() {
    let mut room = Room::new();
    let params = room.plan.keygen().unwrap().params();
    let dealings: Vec<Dealing> = (0..4).map(|who| Dealing::new(&params, 60 + who)).collect();
    let mut sum = Scalar::zero();
    for (who, mut dealing) in dealings.into_iter().enumerate() {
        if who == 3 {
            dealing.coefficients[1][0] = sum.neg();
            dealing.evaluate(&params);
        }
        sum.accumulate(&dealing.coefficients[1][0]);
        room.say_deal(who, &dealing.payload(&params, who));
    }
    let examined = room.examine();
    assert!(examined.faults.is_empty() && examined.outcome.is_none());
    assert_eq!(examined.collisions.len(), 1);
    assert_eq!(examined.collisions[0].dealers, room.indices(&[0, 1, 2, 3]));
}

#[test]
fn a_complaint_is_judged_by_the_deal_that_it_names() {
    // About oneself it says nothing; about a deal that nobody has it waits for one.
    let mut room = Room::new();
    let bad = room.bad_deal(3, 3);
    for who in 0..3 {
        room.say_deal(who, &room.deal(who));
    }
    let hash = room.say_deal(3, &bad);
    room.complain(3, 3, &bad, hash);
    let unseen = Digest::from_bytes([0xcc; 32]);
    room.complain(2, 1, &room.deal(1), unseen);
    let examined = room.examine();
    assert_eq!(words(&examined.faults), []);
    let open: Vec<_> = room.indices(&[2, 1]);
    assert_eq!(examined.open_complaints, [(open[0], open[1])]);
    // About a deal that everybody can see is none, it is the dealer's fault and not the complainer's.
    let mut room = Room::new();
    let honest = room.deal(3);
    let mut none = honest.clone();
    none.commitments[0][0] = Hex(INFINITY);
    for who in 0..3 {
        room.say_deal(who, &room.deal(who));
    }
    let hash = room.say_deal(3, &none);
    room.complain(0, 3, &honest, hash);
    let faults = words(&room.examine().faults);
    assert!(
        faults.iter().all(|fault| *fault == (4, "invalid-deal")),
        "{faults:?}"
    );
}

#[test]
fn all_confirm_one_transcript_or_none_is_complete() {
    let mut room = Room::confirmed(&[0, 1, 2]);
    let examined = room.examine();
    assert_eq!(examined.missing_confirms, room.indices(&[3]));
    assert!(examined.outcome.is_none() && examined.faults.is_empty());
    match room.next(0).unwrap() {
        Step::Wait { deals, confirms } => {
            assert_eq!((deals, confirms), (Vec::new(), room.indices(&[3])));
        }
        other => panic!("{other:?}"),
    }
    let honest = room.confirm(&room.stored(3));
    let mut lying = honest.clone();
    lying.transcript = Digest::from_bytes([0xee; 32]);
    room.say_confirm(3, &lying);
    assert_eq!(room.blamed(0), [(4, "invalid-confirm")]);
    assert!(matches!(
        room.examine().faults[0].kind,
        FaultKind::Confirm(ConfirmFault::Transcript)
    ));
    assert!(room.examine().outcome.is_none());
}

#[test]
fn what_a_confirm_shows_was_signed_by_its_dealer() {
    let mut room = Room::dealt();
    let mut payload = room.confirm(&room.stored(1));
    payload.deals[2].payload = Digest::from_bytes([0xdd; 32]);
    room.say_confirm(1, &payload);
    assert_eq!(words(&room.examine().faults), [(2, "invalid-confirm")]);
    assert!(matches!(
        room.examine().faults[0].kind,
        FaultKind::Confirm(ConfirmFault::ForgedDeal { dealer: 3 })
    ));
}

/// The dealer of two deals shows each to half of the others: who confirmed the other half's is blamed
/// for nothing, and the confirms alone prove the dealer wrong.
#[test]
fn a_split_view_is_its_dealers_fault_alone() {
    let mut left = Room::dealt();
    let mut right = Room::new();
    for who in 0..3 {
        right.say_deal(who, &right.deal(who));
    }
    right.say_deal(3, &right.other_deal(3));
    let theirs = right.confirm(&right.stored(1));
    let own = left.stored(0);
    let ours = left.confirm(&own);
    left.players[0].memory.shares = Some(own);
    left.say_confirm(0, &ours);
    left.say_confirm(1, &theirs);
    assert_eq!(left.blamed(0), [(4, "equivocation")]);
    assert!(left.examine().outcome.is_none());
}

#[test]
fn a_bad_partial_is_named_while_others_are_awaited_and_when_all_are_there() {
    let mut room = Room::confirmed(&[0, 1]);
    let mut payload = room.confirm(&room.stored(2));
    payload.partials[1].swap(0, 1);
    let last = room.confirm(&room.stored(3));
    room.say_confirm(2, &payload);
    for all in [false, true] {
        if all {
            room.say_confirm(3, &last);
        }
        assert_eq!(room.blamed(0), [(3, "invalid-confirm")]);
        assert!(matches!(
            room.examine().faults[0].kind,
            FaultKind::Confirm(ConfirmFault::Partial {
                validator: 1,
                message: 0
            })
        ));
        assert!(room.examine().outcome.is_none());
    }
}

#[test]
fn who_confirmed_abandons_no_more() {
    let mut room = Room::confirmed(&[0]);
    let abandon = |room: &Room, who: usize| {
        let session = room.board.session(&room.plan);
        session.abandon(&room.players[who].me).unwrap()
    };
    assert!(abandon(&room, 0).is_none());
    assert!(abandon(&room, 1).is_some());
    // Signed all the same, it is a second word in one place, and ends nothing.
    room.say(0, Kind::Abandon, Place::Confirm, json!({}));
    let examined = room.examine();
    assert!(examined.abandoned.is_empty());
    assert_eq!(words(&examined.faults), [(1, "equivocation")]);
}

#[test]
fn a_home_never_says_two_things() {
    // Another deal, signed by this identity elsewhere.
    let mut room = Room::new();
    room.say_deal(0, &room.other_deal(0));
    room.players[0].memory.own.clear();
    room.conflicts(0, Kind::Deal);
    // Its own deal comes back, and is taken as its own.
    let mut room = Room::new();
    room.say_deal(0, &room.deal(0));
    room.players[0].memory.own.clear();
    assert_eq!(room.sends(0)[0].header().kind(), Kind::Deal);
    // Another confirm than the stored shares say.
    let mut room = Room::dealt();
    let own = room.stored(0);
    let mut payload = room.confirm(&own);
    payload.transcript = Digest::from_bytes([0xee; 32]);
    let dealt = room.players[0].memory.own.clone();
    room.say_confirm(0, &payload);
    room.players[0].memory.shares = Some(own);
    room.players[0].memory.own = dealt;
    room.conflicts(0, Kind::Confirm);
    // A confirm by who has stored an abandon or a complaint, and the other way round.
    for kind in [Kind::Abandon, Kind::Complain] {
        for first in [true, false] {
            let mut room = Room::dealt();
            let own = room.stored(0);
            let payload = room.confirm(&own);
            let before = room.players[0].memory.own.clone();
            let confirm = room.say_confirm(0, &payload);
            let other = if kind == Kind::Abandon {
                room.say(0, Kind::Abandon, Place::Confirm, json!({}))
            } else {
                room.complain(0, 3, &room.deal(3), Digest::from_bytes([0xcc; 32]))
            };
            room.players[0].memory = Memory {
                shares: Some(own),
                own: before,
                ..Memory::default()
            };
            let stored = if first { other } else { confirm };
            room.players[0].memory.own.insert(stored);
            room.conflicts(0, if first { Kind::Confirm } else { kind });
        }
    }
}

#[test]
fn a_restored_home_takes_back_only_what_it_confirmed() {
    let restored = |deal: fn(&Room) -> DealPayload, transcript: bool| {
        let mut room = Room::new();
        for who in 0..3 {
            room.say_deal(who, &room.deal(who));
        }
        let last = deal(&room);
        room.say_deal(3, &last);
        // The one who is not wronged computes the same transcript.
        let mut payload = room.confirm(&room.stored(1));
        if !transcript {
            payload.transcript = Digest::from_bytes([0xee; 32]);
        }
        room.say_confirm(0, &payload);
        room.players[0].memory = Memory::default();
        // Its own deal first, then its shares.
        let deal = room.sends(0)[0].header().hash();
        room.players[0].memory.own.insert(deal);
        room
    };
    let right = restored(|room| room.deal(3), true);
    assert!(matches!(right.next(0), Ok(Step::StoreShares(_))));
    restored(|room| room.deal(3), false).conflicts(0, Kind::Confirm);
    restored(|room| room.bad_deal(3, 0), true).conflicts(0, Kind::Confirm);
    // A confirm of this identity over fewer deals than operators, whose transcript follows from them.
    let mut room = Room::dealt();
    let params = room.plan.keygen().unwrap().params();
    let mut payload = room.confirm(&room.stored(1));
    let hashes: Vec<Digest> = (0..3)
        .map(|who| {
            let payload = json::to_value(&room.deal(who)).unwrap();
            let envelope = room.sign(who, Kind::Deal, Place::Deal, payload);
            envelope.header().hash()
        })
        .collect();
    let mut sums = deal::Aggregate::new(&params);
    for who in 0..3 {
        sums.add(&deal::check(&params, who, &room.deal(who)).unwrap());
    }
    let sharing = Sharing::new(params.threshold, params.indices(), sums.sums()).unwrap();
    payload.deals.truncate(3);
    payload.transcript = deal::transcript(&params.cid, &hashes, &sharing);
    room.say_confirm(0, &payload);
    room.conflicts(0, Kind::Confirm);
}

#[test]
fn only_a_valid_confirm_over_our_deals_is_let_in_beyond_the_bound() {
    let room = Room::dealt();
    let own = room.stored(0);
    let honest = room.confirm(&room.stored(1));
    let counts = |payload: &ConfirmPayload| {
        let payload = json::to_value(payload).unwrap();
        let envelope = room.sign(1, Kind::Confirm, Place::Confirm, payload);
        let session = room.board.session(&room.plan);
        let message = session.read(envelope.bytes()).unwrap();
        session
            .counts(&message, room.players[0].index, Some(&own), &room.board)
            .unwrap()
    };
    assert!(counts(&honest));
    let changes: [fn(&mut ConfirmPayload); 4] = [
        |payload| payload.transcript = Digest::from_bytes([0xee; 32]),
        |payload| payload.deals[3].payload = Digest::from_bytes([0xdd; 32]),
        |payload| payload.partials.swap(0, 2),
        |payload| payload.partials[1].swap(0, 1),
    ];
    for change in changes {
        let mut payload = honest.clone();
        change(&mut payload);
        assert!(!counts(&payload));
    }
    // Over another deal of the last dealer, signed by it and all.
    let mut other = Room::new();
    for who in 0..3 {
        other.say_deal(who, &other.deal(who));
    }
    other.say_deal(3, &other.other_deal(3));
    let mut theirs = other.confirm(&other.stored(1));
    theirs.transcript = own.transcript;
    theirs.partials = honest.partials.clone();
    assert!(!counts(&theirs));
}

#[test]
fn stored_bytes_that_changed_are_noticed() {
    let mut room = Room::dealt();
    let session = room.board.session(&room.plan);
    // The file of one deal now holds another good message of the same operator.
    let payload = json::to_value(&room.other_deal(3)).unwrap();
    let other = room.sign(3, Kind::Deal, Place::Deal, payload);
    let id = room
        .board
        .0
        .keys()
        .find(|id| id.contains("-4-"))
        .unwrap()
        .clone();
    let mut changed = room.board.clone();
    changed.0.insert(id, other.bytes().to_vec());
    assert!(matches!(
        session.examine(&changed, &Unobserved),
        Err(SessionError::Changed(_))
    ));
    drop(session);
    room.board = changed;
    assert!(room.examine().faults.is_empty());
}

#[test]
fn a_large_complaint_or_abandon_is_noise() {
    let room = Room::new();
    let fill = |bytes: usize| json!({ "a": "x".repeat(bytes) });
    let about = room.about(1, Digest::from_bytes([0xcc; 32]));
    for (kind, place) in [(Kind::Complain, about), (Kind::Abandon, Place::Confirm)] {
        let mut session = Session::new(&room.plan);
        let large = room.sign(0, kind, place, fill(MAX_SMALL_BYTES));
        assert!(matches!(
            session.register(large.bytes(), "large"),
            Registered::Noise(_)
        ));
        let small = room.sign(0, kind, place, fill(MAX_SMALL_BYTES / 2));
        assert_eq!(session.register(small.bytes(), "small"), Registered::New);
    }
    let mut session = Session::new(&room.plan);
    let deal = room.sign(0, Kind::Deal, Place::Deal, fill(MAX_SMALL_BYTES));
    assert_eq!(session.register(deal.bytes(), "deal"), Registered::New);
}

#[test]
fn nobody_confirms_before_the_backup_that_the_plan_requires_was_checked() {
    let mut room = Room::of(Some(Backups::Required)).everybody_deals();
    let own = room.stored(0);
    let transcript = own.transcript;
    let wanted = room.sign(
        0,
        Kind::Confirm,
        Place::Confirm,
        json::to_value(&room.confirm(&own)).unwrap(),
    );
    room.players[0].memory.shares = Some(own);
    let waits = |room: &Room| matches!(room.next(0).unwrap(), Step::AwaitBackup);
    assert!(waits(&room) && waits(&room));
    // A backup of shares that came from other deals is none of these.
    room.players[0].memory.backed_up = Some(Digest::from_bytes([7; 32]));
    assert!(waits(&room));
    room.players[0].memory.backed_up = Some(transcript);
    match room.next(0).unwrap() {
        Step::Send(envelopes) => assert_eq!(envelopes[0].bytes(), wanted.bytes()),
        other => panic!("{other:?}"),
    }

    // What stands against the ceremony is said all the same: nobody makes a backup for nothing.
    room.players[0].memory.backed_up = None;
    room.say(3, Kind::Abandon, Place::Confirm, json!({}));
    assert_eq!(room.stopped(0).abandoned, [room.players[3].index]);

    // Who confirmed and lost its home takes its shares back without a new check: it says nothing new.
    let mut room = Room::of(Some(Backups::Required)).everybody_deals();
    let own = room.stored(0);
    let payload = room.confirm(&own);
    let dealt = room.players[0].memory.own.clone();
    room.say_confirm(0, &payload);
    room.players[0].memory.own = dealt;
    let again = room.stored(0);
    assert_eq!(again.transcript, own.transcript);
    room.players[0].memory.shares = Some(again);
    assert!(matches!(room.next(0).unwrap(), Step::Send(_)));
}
