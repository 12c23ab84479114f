//! Operators that cheat: whoever is proved wrong is named by everyone who saw it, nobody honest is,
//! and nobody finishes what others cannot.

mod complaints;
mod confirms;
mod deals;
mod plans;
mod random;
mod signing;
mod table;
mod views;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use conclave::audit::Conclusion;
use conclave::ceremony::Unobserved;
use conclave::ceremony::evidence::Evidence;
use conclave::courier::Courier;
use conclave::courier::folder::FolderCourier;
use conclave::crypto::identity::IdentityKey;
use conclave::driver::Standing;
use conclave::hash::{Digest, Hasher, Tag};
use conclave::json::{Hex, canonical_value};
use conclave::secret::Secret;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::seat::BoardMessages;
use conclave::wire::envelope::{Envelope, Kind, Place};
use serde_json::json;

use crate::harness::faults::Misdeed::*;
use crate::harness::faults::{Faults, Misdeed, Played, Table, accused, faults, secrets};
use crate::harness::homes::Group;

/// Every honest operator stopped and names exactly these, as does an outsider with the stick; every
/// fault is borne out by its evidence.
fn all_stopped(table: &Table, played: &Played, expected: &[(usize, &'static str)]) {
    let expected: BTreeSet<(u64, &str)> = expected
        .iter()
        .map(|(position, word)| (*position as u64 + 1, *word))
        .collect();
    for (operator, ran) in played {
        assert!(
            matches!(ran.standing, Standing::Stopped(_)),
            "operator {operator}: {:?}",
            ran.standing
        );
        assert_eq!(accused(faults(ran)), expected, "operator {operator}");
        table.check_evidence(*operator, faults(ran));
    }
    let report = table.audit(&table.group.stick);
    assert_eq!(accused(&report.examination.faults), expected, "outsider");
    assert!(report.examination.outcome.is_none());
    if !expected.is_empty() {
        assert_eq!(report.conclusion(), Conclusion::Misbehaviour);
    }
}

/// Every honest operator has the outcome that an outsider computes.
fn all_complete(table: &Table, played: &Played) -> Vec<u8> {
    let report = table.audit(&table.group.stick);
    let expected = report.outcome.unwrap();
    for (operator, ran) in played {
        let Standing::Complete { outcome, .. } = &ran.standing else {
            panic!("operator {operator}: {:?}", ran.standing);
        };
        assert_eq!(outcome.to_bytes().unwrap(), expected);
    }
    expected
}

fn stops(n: usize, cheats: &[(usize, Misdeed)], expected: &[(usize, &'static str)]) -> Table {
    let plan = cheats.iter().cloned();
    let table = Table::new(
        n,
        plan.fold(Faults::new(), |plan, (who, how)| plan.by(who, how)),
    );
    all_stopped(&table, &table.play(), expected);
    table
}

#[test]
fn deals_that_share_a_secret_end_the_ceremony_and_blame_nobody() {
    let faults = Faults::new().by(1, SharedSecret(3)).by(3, NoConfirm);
    let table = Table::new(4, faults);
    let played = table.play();
    all_stopped(&table, &played, &[]);
    let Standing::Stopped(stop) = &played[&0].standing else {
        unreachable!()
    };
    let dealers: Vec<u64> = stop.collisions[0].dealers.iter().map(|i| i.get()).collect();
    assert_eq!(dealers, [2, 4]);
    let report = table.audit(&table.group.stick);
    assert_eq!(report.conclusion(), Conclusion::Ended);
    // Its evidence names both and shows the same.
    let collision = &report.examination.collisions[0];
    let (evidence, plan, messages) = Evidence::parse(
        &Evidence::collect(
            &table.group.plan,
            collision.dealers.clone(),
            collision.what.clone(),
            &collision.proof,
            &BoardMessages(table.board(&table.group.stick)),
        )
        .unwrap(),
    )
    .unwrap();
    let report = conclave::audit::audit_evidence(&plan, &messages, &Unobserved).unwrap();
    assert!(conclave::audit::bears_out(&evidence, &report));
    assert!(report.examination.faults.is_empty());
}

#[test]
fn a_complaint_about_an_unseen_deal_or_about_oneself_blames_nobody() {
    for (misdeed, open) in [(OpenComplaint(1), 1), (SelfComplaint, 0)] {
        let table = Table::new(4, Faults::new().by(2, misdeed));
        let played = table.play();
        all_complete(&table, &played);
        let report = table.audit(&table.group.stick);
        assert!(report.examination.faults.is_empty());
        assert_eq!(report.examination.open_complaints.len(), open);
    }
}

#[test]
fn nobody_confirms_once_a_fault_is_known() {
    // The first to speak after all deals are there lies; nobody honest follows it.
    let table = stops(4, &[(3, LyingTranscript)], &[(3, "invalid-confirm")]);
    assert!((0..3).all(|operator| !table.confirmed(operator)));
}

#[test]
fn who_abandons_ends_it_without_blame() {
    let table = stops(4, &[(2, Abandon)], &[]);
    let report = table.audit(&table.group.stick);
    assert_eq!(report.conclusion(), Conclusion::Ended);
    assert_eq!(report.examination.abandoned.len(), 1);
}

#[test]
fn a_second_word_in_the_confirms_place_is_reported_beside_the_outcome() {
    for misdeed in [ConfirmAndAbandon, TwoConfirms] {
        let table = Table::new(4, Faults::new().by(0, NoConfirm));
        table.play();
        // The others have confirmed by now; the cheater's two messages arrive together.
        let table = Table {
            faults: Faults::new().by(0, misdeed),
            ..table
        };
        all_complete(&table, &table.play());
        let report = table.audit(&table.group.stick);
        assert_eq!(report.conclusion(), Conclusion::Misbehaviour);
        assert!(
            report
                .examination
                .faults
                .iter()
                .all(|fault| fault.accused.get() == 1)
        );
    }
}

#[test]
fn what_comes_late_changes_no_outcome() {
    let table = Table::new(4, Faults::new().by(3, SelfComplaint));
    let before = all_complete(&table, &table.play());
    let table = Table {
        faults: Faults::new()
            .by(3, TwoDeals)
            .by(3, TwoConfirms)
            .by(3, FalseComplaint(0)),
        ..table
    };
    assert_eq!(all_complete(&table, &table.play()), before);
    let report = table.audit(&table.group.stick);
    assert_eq!(report.conclusion(), Conclusion::Misbehaviour);
    let words = accused(&report.examination.faults);
    assert!(words.contains(&(4, "equivocation")) && words.contains(&(4, "false-complaint")));
    assert!(words.iter().all(|(index, _)| *index == 4));
}

#[test]
fn a_split_view_is_shown_by_the_confirms() {
    let table = Table::new(4, Faults::new().by(3, TwoDeals));
    let (left, right) = (table.stick("left"), table.stick("right"));
    let deals = table.deals(3, &table.board(&left));
    table.say(&deals[0], &table.board(&left));
    table.say(&deals[1], &table.board(&right));
    // The honest ones deal on both sticks; two see one deal of the cheater, the third the other.
    let sides = [&left, &left, &right];
    for (operator, side) in sides.iter().enumerate() {
        table.run_over(operator, side);
    }
    for (from, to) in [(&left, &right), (&right, &left)] {
        copy(&table, from, to, |message| message == Kind::Deal, &[4]);
    }
    for _ in 0..2 {
        for (operator, side) in sides.iter().enumerate() {
            table.run_over(operator, side);
        }
    }
    let confirms = table.messages(&table.board(&left)).into_iter();
    assert_eq!(
        confirms.filter(|(_, m)| m.kind() == Kind::Confirm).count(),
        2
    );
    // Nobody has seen both deals; the confirms alone now go over.
    for (from, to) in [(&left, &right), (&right, &left)] {
        copy(&table, from, to, |message| message == Kind::Confirm, &[]);
    }
    for (operator, side) in sides.iter().enumerate() {
        let ran = table.run_over(operator, side);
        assert_eq!(
            accused(faults(&ran)),
            [(4, "equivocation")].into(),
            "operator {operator}: {:?}",
            ran.standing
        );
        table.check_evidence(operator, faults(&ran));
    }
    for side in [&left, &right] {
        let report = table.audit(side);
        assert_eq!(
            accused(&report.examination.faults),
            [(4, "equivocation")].into()
        );
    }
}

fn copy(table: &Table, from: &Path, to: &Path, which: impl Fn(Kind) -> bool, but: &[u64]) {
    let (from, to) = (table.board(from), table.board(to));
    for (name, message) in table.messages(&from) {
        if which(message.kind()) && !but.contains(&message.sender().get()) {
            to.put(&name, message.bytes()).unwrap();
        }
    }
}

#[test]
fn rubbish_on_the_stick_stops_nobody() {
    let table = Table::new(4, Faults::new().by(3, SelfComplaint));
    let stranger = Table::new(4, Faults::new().by(0, SelfComplaint));
    let board = table.board(&table.group.stick);
    let theirs = stranger.board(&stranger.group.stick);
    // Another ceremony's deal, a stranger's deal for this one, garbage, and an empty file.
    let other = &stranger.deals(0, &theirs)[0];
    board.put("1-deal-1-alice.json", other.bytes()).unwrap();
    let cid = *table.group.plan.cid();
    let identity = &stranger.cheaters[&0].identity;
    let forged = Envelope::sign(
        identity,
        cid,
        Kind::Deal,
        Place::Deal,
        json!({"from": "a stranger"}),
    );
    board
        .put("1-deal-2-bob.json", forged.unwrap().bytes())
        .unwrap();
    std::fs::write(board.path().join("2-confirm-1-alice.json"), b"{\"header\":").unwrap();
    std::fs::write(board.path().join("empty.json"), b"").unwrap();
    std::fs::create_dir(board.path().join("directory.json")).unwrap();
    std::fs::write(board.path().join("holiday.jpg"), [0xff; 100]).unwrap();
    let first = table.run_over(0, &table.group.stick);
    assert!(first.moved.refused.len() >= 4);
    // The first deal stands there renamed, doubled and cut short too.
    let (name, deal) = table.messages(&board).remove(0);
    std::fs::rename(board.path().join(&name), board.path().join("renamed.json")).unwrap();
    std::fs::write(board.path().join("copy of it.json"), deal.bytes()).unwrap();
    let half = &deal.bytes()[..deal.bytes().len() / 2];
    std::fs::write(board.path().join(&name), half).unwrap();
    all_complete(&table, &table.play());
    let report = table.audit(&table.group.stick);
    assert_eq!(report.conclusion(), Conclusion::Complete);
    assert!(report.noise.len() >= 5);
}

#[test]
fn a_valid_confirm_counts_however_many_others_its_sender_signed() {
    let table = Table::new(4, Faults::new().by(3, NoConfirm));
    table.play();
    let table = Table {
        faults: Faults::new().by(3, SelfComplaint),
        ..table
    };
    let group = table.board(&table.group.stick);
    let valid = table.confirms(3, &group).remove(0);
    // One operator gets twice sixteen lies first, then the truth; another the truth alone.
    let flood = table.stick("flood");
    let folder = table.board(&flood);
    for lie in 0..32 {
        let lie = table.sign(3, Kind::Confirm, Place::Confirm, json!({ "lie": lie }));
        folder.put("0-lie.json", lie.bytes()).unwrap();
    }
    let ran = table.run_over(0, &flood);
    assert!(matches!(ran.standing, Standing::Stopped(_)));
    table.say(&valid, &group);
    table.say(&valid, &folder);
    let Standing::Complete { outcome: alone, .. } = table.run_over(1, &table.group.stick).standing
    else {
        panic!("the truth alone")
    };
    for _ in 0..2 {
        let Standing::Complete {
            outcome: flooded, ..
        } = table.run_over(0, &flood).standing
        else {
            panic!("the truth after lies")
        };
        assert_eq!(alone, flooded);
    }
    // Nor does it matter to an outsider in which order the record has them.
    let report = table.audit(&flood);
    assert_eq!(report.outcome.unwrap(), alone.to_bytes().unwrap());
    assert!(report.noise.is_empty());
}

#[test]
fn a_swollen_complaint_is_noise_to_everyone() {
    let table = Table::new(4, Faults::new().by(3, SelfComplaint));
    let board = table.board(&table.group.stick);
    let place = Place::Complaint {
        against: 1.try_into().unwrap(),
        deal: Digest::from_bytes([7; 32]),
    };
    let payload = json!({"shared": "0".repeat(20_000)});
    let swollen = table.sign(3, Kind::Complain, place, payload);
    board.put("c.json", swollen.bytes()).unwrap();
    let played = table.play();
    all_complete(&table, &played);
    assert!(played[&0].moved.refused[0].contains("at most 16384 bytes"));
    let report = table.audit(&table.group.stick);
    assert_eq!(
        (report.noise.len(), report.conclusion()),
        (1, Conclusion::Complete)
    );
}

#[test]
fn another_plan_on_one_stick_is_another_ceremony() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    let mut value = group.plan.value().clone();
    let random = value["random"].as_str().unwrap();
    let flipped = if random.ends_with('0') { '1' } else { '0' };
    value["random"] = json!(format!("{}{flipped}", &random[..63]));
    let other = conclave::ceremony::plan::Plan::from_value(value).unwrap();
    assert_ne!(other.cid(), group.plan.cid());
    group.run(0);
    let group = Group {
        plan: other,
        ..group
    };
    let ran = group.run(1);
    assert!(matches!(ran.standing, Standing::Waiting { deals, .. } if deals.len() == 2));
    assert!(ran.moved.received == 0 && !ran.moved.left.is_empty());
}

#[test]
fn a_plan_with_another_card_of_ours_or_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    let strange = Group::new(&directory.path().join("strange"), 3, 1);
    // A card with alice's identity that her home did not make.
    let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
    let identity = IdentityKey::from_seed(&home.identity_seed().unwrap());
    drop(home);
    let name = group.members[0].card.name().clone();
    let card =
        conclave::wire::card::VerifiedCard::make(&identity, name, &Secret::new([9; 32])).unwrap();
    let mut value = group.plan.value().clone();
    value["roster"][0]["card"] = card.value().clone();
    let plan = conclave::ceremony::plan::Plan::from_value(value).unwrap();
    let group = Group { plan, ..group };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let refused = group.run_on(&disk, 0).unwrap_err();
    assert!(refused.contains("did not make"), "{refused}");
    let group = Group {
        plan: strange.plan.clone(),
        ..group
    };
    let refused = group.run_on(&disk, 0).unwrap_err();
    assert!(refused.contains("does not name"), "{refused}");
    assert!(group.on_stick().is_empty());
}

#[test]
fn evidence_of_another_ceremony_is_refused() {
    let table = Table::new(4, Faults::new().by(1, DealField));
    let board = table.board(&table.group.stick);
    table.cheat(1, &board);
    let ids = vec!["1-deal-2-bob.json".to_owned()];
    let accused = vec![2.try_into().unwrap()];
    let messages = BoardMessages(board);
    let plan = &table.group.plan;
    let file = Evidence::collect(plan, accused, "x".into(), &ids, &messages).unwrap();
    assert!(Evidence::parse(&file).is_ok());
    let text = String::from_utf8(file).unwrap();
    let other = Digest::from_bytes([9; 32]).to_string();
    let begin = text.find("\"cid\":\"").unwrap() + 7;
    let mut changed = text.clone();
    changed.replace_range(begin..begin + 64, &other);
    assert!(Evidence::parse(changed.as_bytes()).is_err());
}

/// Signs as RFC 8032 does, but with another nonce: anyone can with their own key.
fn signs_again(identity: &IdentityKey, header: &serde_json::Value) -> Hex<64> {
    use curve25519_dalek::{
        constants::ED25519_BASEPOINT_TABLE, scalar::Scalar, scalar::clamp_integer,
    };
    use sha2::{Digest as _, Sha512};
    let message = canonical_value(header).unwrap();
    let message = Hasher::new(Tag::ENVELOPE_SIGNATURE)
        .bytes(&message)
        .finish();
    let wide = |parts: &[&[u8]]| {
        let mut hash = Sha512::new();
        parts.iter().for_each(|part| hash.update(part));
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    };
    let secret: [u8; 64] = identity.expose_seed(|seed| Sha512::digest(seed).into());
    let secret = Scalar::from_bytes_mod_order(clamp_integer(secret[..32].try_into().unwrap()));
    let nonce = wide(&[b"another nonce", message.as_bytes()]);
    let point = (&nonce * ED25519_BASEPOINT_TABLE).compress().to_bytes();
    let public = *identity.public().as_bytes();
    let response = nonce + wide(&[&point, &public, message.as_bytes()]) * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&point);
    signature[32..].copy_from_slice(response.as_bytes());
    Hex(signature)
}

/// A dealer signs its one deal twice; an operator restored to before its confirm meets the second
/// signature and confirms the same again in other bytes. It has said nothing else.
#[test]
fn a_dealer_that_signs_twice_makes_no_equivocator() {
    let table = Table::new(4, Faults::new());
    all_complete(&table, &table.play());
    let board = table.board(&table.group.stick);
    let messages = table.messages(&board);
    let of = |index: u64, kind| {
        let found = messages
            .iter()
            .find(|(_, message)| message.sender().get() == index && message.kind() == kind);
        found.unwrap().1.clone()
    };
    let deal: serde_json::Value = serde_json::from_slice(of(2, Kind::Deal).bytes()).unwrap();
    let again = signs_again(&secrets(&table.group, 1).identity, &deal["header"]);
    let mut payload = of(1, Kind::Confirm).decode::<serde_json::Value>().unwrap();
    payload["deals"][1]["signature"] = json!(again);
    let identity = secrets(&table.group, 0).identity;
    let cid = *table.group.plan.cid();
    let sign =
        |payload| Envelope::sign(&identity, cid, Kind::Confirm, Place::Confirm, payload).unwrap();
    let second = sign(payload.clone());
    board.put("second.json", second.bytes()).unwrap();
    let report = table.audit(&table.group.stick);
    assert_eq!(report.conclusion(), Conclusion::Complete, "{report:?}");
    assert!(report.noise.is_empty() && report.messages == 9);
    // With any other difference it has.
    payload["transcript"] = json!(Digest::from_bytes([1; 32]));
    board.put("third.json", sign(payload).bytes()).unwrap();
    let report = table.audit(&table.group.stick);
    assert!(
        accused(&report.examination.faults).contains(&(1, "equivocation")),
        "{report:?}"
    );
}

#[test]
fn a_courier_that_is_away_keeps_nobody_from_the_others() {
    let table = Table::new(4, Faults::new());
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let home = table.group.members[0].open(disk.clone()).unwrap();
    let nowhere = table.group.stick.join("nowhere");
    let courier =
        |path: &Path| Box::new(FolderCourier::new(disk.clone(), path)) as Box<dyn Courier>;
    let mut couriers = vec![courier(&nowhere), courier(&table.group.stick)];
    let ran = table.group.run_with(&home, &mut couriers).unwrap();
    assert_eq!((ran.moved.sent, ran.undelivered.len()), (1, 1));
    assert!(ran.undelivered[0].to_string().contains("nowhere"));
    let alone = table.group.run_with(&home, &mut [courier(&nowhere)]);
    assert!(alone.unwrap_err().to_string().contains("nothing was lost"));
}

/// Dave signs sixteen deals beside the one that all have confirmed, and they lie first on the stick
/// that a restored home is given. Its own confirm names the deal that finds no room.
#[test]
fn a_restored_home_finds_the_deal_that_junk_crowds_out() {
    let table = Table::new(4, Faults::new());
    let directory = table.directory.path().join("restored");
    copy_tree(&table.group.members[0].root, &directory);
    let outcome = all_complete(&table, &table.play());
    let table = Table {
        cheaters: [(3, secrets(&table.group, 3))].into(),
        ..table
    };
    let stick = table.stick("crowded");
    let board = table.board(&stick);
    for junk in 0..16 {
        let junk = table.sign(3, Kind::Deal, Place::Deal, json!({ "junk": junk }));
        board.put("0-junk.json", junk.bytes()).unwrap();
    }
    let mut late = None;
    for (name, message) in table.messages(&table.board(&table.group.stick)) {
        if message.kind() == Kind::Deal && message.sender().get() == 2 {
            late = Some((name, message));
        } else {
            board.put(&name, message.bytes()).unwrap();
        }
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let home = table.group.members[0]
        .open_at(disk.clone(), &directory)
        .unwrap();
    let run = || {
        let courier = FolderCourier::new(disk.clone(), &stick);
        let ran = table.group.run_with(&home, &mut [Box::new(courier)]);
        ran.unwrap().standing
    };
    // Bob's deal alone is awaited, and the one that was let in is found again.
    for _ in 0..2 {
        let standing = run();
        assert!(
            matches!(&standing, Standing::Waiting { deals, .. } if deals.len() == 1 && deals[0].get() == 2),
            "{standing:?}"
        );
        let seat = conclave::store::seat::Seat::open(&home, &table.group.plan).unwrap();
        assert!(seat.damaged().is_empty(), "{:?}", seat.damaged());
    }
    let (name, message) = late.unwrap();
    board.put(&name, message.bytes()).unwrap();
    for _ in 0..2 {
        let Standing::Complete {
            outcome: again,
            faults,
        } = run()
        else {
            panic!("not complete")
        };
        assert_eq!(again.to_bytes().unwrap(), outcome);
        assert!(faults.iter().all(|fault| fault.accused.get() == 4) && !faults.is_empty());
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
