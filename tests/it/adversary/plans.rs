//! Plans and cards that are not what they should be, and the codes with which the real commands end.

use std::fs;
use std::sync::Arc;

use conclave::ceremony::plan::Plan;
use conclave::crypto::identity::IdentityKey;
use conclave::driver::Standing;
use conclave::hash::Tag;
use conclave::json::{self, Text};
use conclave::secret::Secret;
use conclave::store::disk::RealDisk;
use conclave::store::seat::own_card;
use conclave::wire::card::VerifiedCard;
use serde_json::{Value, json};

use super::table::{Row, rows};
use crate::harness::binary::{Desk, Ended};
use crate::harness::faults::Misdeed::*;
use crate::harness::faults::{Faults, Junk, Table};
use crate::harness::homes::{Group, draft, validator};

/// The code of no plan here.
const SOME_CODE: &str = "abandon ability able about above absent absorb abstract";

/// `run` of an operator with a plan of the desk, over its stick.
fn run(desk: &Desk, group: &Group, operator: usize, plan: &Plan, code: Option<&str>) -> Ended {
    let member = &group.members[operator];
    desk.write("key", member.key());
    desk.write("plan.json", plan.bytes());
    let (home, stick) = (member.root.display(), group.stick.display());
    let (home, stick) = (home.to_string(), stick.to_string());
    let mut args = vec!["--home", &home, "--unlock", "key", "run", "plan.json"];
    args.extend(["--via", &stick, "--keystores", "none", "--out", "files"]);
    args.extend(code.iter().flat_map(|code| ["--accept-plan", *code]));
    desk.run(&args)
}

fn changed(plan: &Plan, pointer: &str, to: Value) -> Plan {
    let mut value = plan.value().clone();
    *value.pointer_mut(pointer).unwrap() = to;
    Plan::from_value(value).unwrap()
}

/// Any change of a plan's bytes is another ceremony or no plan: one ceremony id, one plan.
#[test]
fn a_plan_changed_by_one_bit_is_another_ceremony_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    let bytes = group.plan.bytes();
    let mut others = 0;
    for position in 0..bytes.len() {
        // A bit of every byte, in turn; the loops over all bits take minutes and say the same.
        let mut flipped = bytes.to_vec();
        flipped[position] ^= 1 << (position % 8);
        if let Ok(plan) = Plan::parse(&flipped) {
            assert_ne!(plan.cid(), group.plan.cid(), "byte {position}");
            others += 1;
        }
    }
    assert!(others > 10, "{others}");
}

/// One operator's plan differs by a bit: the code that it is read is not that of its plan. Whoever
/// takes it all the same is in another ceremony, and the others wait and lose nothing.
#[test]
fn one_operators_plan_differs_by_a_bit() {
    let table = Table::new(3, Faults::new());
    let group = &table.group;
    let wrong = changed(
        &group.plan,
        "/validators/0/withdrawal_address",
        json!("0x1111111111111111111111111111111111111110"),
    );
    let code = group.plan.code().unwrap().to_string();
    let desk = Desk::new();
    let ended = run(&desk, group, 1, &wrong, Some(&code));
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("code: plan-code-wrong"), "{ended:?}");
    assert!(group.on_stick().is_empty());

    let own = wrong.code().unwrap().to_string();
    group.run(0);
    let ended = run(&desk, group, 1, &wrong, Some(&own));
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(
        ended.stderr.contains("belongs to another ceremony"),
        "{ended:?}"
    );
    let ran = group.run(2);
    let Standing::Waiting { deals, .. } = &ran.standing else {
        panic!("{:?}", ran.standing)
    };
    assert_eq!(
        deals.iter().map(|index| index.get()).collect::<Vec<_>>(),
        [2]
    );
    // With the right plan it takes part, with the same card.
    let played = table.play();
    assert!(
        played
            .values()
            .all(|ran| matches!(ran.standing, Standing::Complete { .. }))
    );
    table.check_vaults(crate::harness::faults::outcome(&played));
}

/// A stick whose `plan.json` has a wrong bit costs nothing: the plan is each operator's own.
#[test]
fn a_bit_of_the_plan_on_the_stick_changes_nothing() {
    let table = Table::new(3, Faults::new());
    table.group.run(0);
    let board = table.board(&table.group.stick);
    let path = board.path().join("plan.json");
    let mut bytes = fs::read(&path).unwrap();
    let digit = bytes
        .windows(10)
        .position(|part| part == b"\"created\":")
        .unwrap()
        + 11;
    bytes[digit] ^= 1;
    fs::write(&path, bytes).unwrap();
    let stick = &table.group.stick;
    for _ in 0..2 {
        for operator in 0..3 {
            table.run_over(operator, stick);
        }
    }
    for operator in 0..3 {
        let ran = table.run_over(operator, stick);
        assert!(
            matches!(ran.standing, Standing::Complete { .. }),
            "{:?}",
            ran.standing
        );
    }
}

#[test]
fn the_order_of_a_roster_means_nothing_and_its_indices_everything() {
    let table = Table::new(3, Faults::new());
    let group = &table.group;
    // Two entries change places: not the same plan, and not the same order in another.
    let mut value = group.plan.value().clone();
    value["roster"].as_array_mut().unwrap().swap(0, 2);
    if let Ok(plan) = Plan::from_value(value) {
        assert_ne!(plan.cid(), group.plan.cid());
        let order: Vec<u64> = plan
            .roster()
            .iter()
            .map(|operator| operator.index.get())
            .collect();
        assert_eq!(order, [1, 2, 3]);
    }
    // Two operators change indices: a deal for one plan is nothing in the other.
    let mut value = group.plan.value().clone();
    value["roster"][0]["index"] = json!(3);
    value["roster"][2]["index"] = json!(1);
    value["roster"].as_array_mut().unwrap().swap(0, 2);
    let swapped = Plan::from_value(value).unwrap();
    group.run(0);
    group.run(2);
    let disk: Arc<dyn conclave::store::disk::Disk> = Arc::new(RealDisk);
    let other = Group {
        members: Vec::new(),
        plan: swapped.clone(),
        stick: group.stick.clone(),
    };
    let home = group.members[1].open(disk.clone()).unwrap();
    let courier = conclave::courier::folder::FolderCourier::new(disk, &other.stick);
    let ran = other.run_with(&home, &mut [Box::new(courier)]).unwrap();
    drop(home);
    assert_eq!(ran.moved.received, 0);
    let Standing::Waiting { deals, .. } = ran.standing else {
        panic!("{:?}", ran.standing)
    };
    assert_eq!(deals.len(), 2);
    // Its messages, carried over by hand, are noise there.
    let board = table.board(&group.stick);
    let mut session = conclave::ceremony::session::Session::new(&swapped);
    for file in board.messages().unwrap() {
        let registered = session.register(&board.read(&file.name).unwrap(), &file.name);
        assert!(
            format!("{registered:?}").contains("belongs to ceremony"),
            "{registered:?}"
        );
    }
}

/// A card whose points or scalars are junk, signed by its identity all the same, is refused; so is
/// the plan that holds it.
#[test]
fn cards_with_junk_are_refused_and_so_is_their_plan() {
    let identity = IdentityKey::from_seed(&Secret::new([7; 32]));
    let name = Text::try_from("eve".to_owned()).unwrap();
    let card = VerifiedCard::make(&identity, name, &Secret::new([8; 32])).unwrap();
    let signed = |pointer: &str, junk: Junk| {
        let mut value = card.value().clone();
        junk.put(&mut value, pointer);
        value.as_object_mut().unwrap().remove("signature");
        let bytes = json::canonical_value(&value).unwrap();
        value["signature"] = json!(identity.sign(Tag::CARD_SIGNATURE, &bytes));
        value
    };
    // The signature alone is not what is wrong.
    assert!(VerifiedCard::from_value(&signed("/nothing", Junk::Zeros)).is_ok());
    let points = Junk::points().into_iter().take(12);
    let mut junk: Vec<(&str, Junk)> = points
        .flat_map(|junk| [("/encryption_key", junk), ("/proof/commitment", junk)])
        .collect();
    junk.extend([
        ("/proof/response", Junk::Zeros),
        ("/proof/response", Junk::PlusOrder),
        ("/proof/response", Junk::Ones),
        ("/encryption_key", Junk::Capitals),
        ("/proof", Junk::Missing),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    for (pointer, junk) in junk {
        let value = signed(pointer, junk);
        let refused = VerifiedCard::from_value(&value).unwrap_err().to_string();
        let point = Junk::points().contains(&junk) && pointer != "/proof/response";
        if point {
            assert!(refused.contains(" is "), "{pointer} {junk:?}: {refused}");
        }
        let mut plan = group.plan.value().clone();
        plan["roster"][1]["card"] = value;
        assert!(Plan::from_value(plan).is_err(), "{pointer} {junk:?}");
    }
    let mut value = group.plan.value().clone();
    value["roster"][1]["card"] = signed("/encryption_key", Junk::Torsion(0));
    let desk = Desk::new();
    desk.write("bad.json", json::pretty(&value).unwrap());
    let ended = desk.refused(&["plan", "check", "bad.json"], 1, &["code: plan-invalid"]);
    let why = "the card of operator 2: the card's encryption key is refused: is a point outside";
    assert!(ended.stdout.contains(why), "{ended:?}");
}

#[test]
fn a_strangers_card_is_refused_before_anything_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 3, 1);
    let desk = Desk::new();
    // A card with alice's identity that her home did not make.
    let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
    let identity = IdentityKey::from_seed(&home.identity_seed().unwrap());
    drop(home);
    let name = group.members[0].card.name().clone();
    let card = VerifiedCard::make(&identity, name, &Secret::new([9; 32])).unwrap();
    let strange = changed(&group.plan, "/roster/0/card", card.value().clone());
    let ended = run(&desk, &group, 0, &strange, Some(SOME_CODE));
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("code: strange-card"), "{ended:?}");
    // A stranger in her place.
    let eve = IdentityKey::from_seed(&Secret::new([7; 32]));
    let name = Text::try_from("eve".to_owned()).unwrap();
    let card = VerifiedCard::make(&eve, name, &Secret::new([8; 32])).unwrap();
    let without = changed(&group.plan, "/roster/0/card", card.value().clone());
    let ended = run(&desk, &group, 0, &without, Some(SOME_CODE));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("code: not-invited"), "{ended:?}");
    assert!(group.on_stick().is_empty());
}

/// A card's secret is gone once its ceremony has left its files: a second plan with it is refused,
/// and the first stays complete.
#[test]
fn a_card_of_a_completed_ceremony_opens_no_second_plan() {
    let table = Table::new(3, Faults::new());
    let group = &table.group;
    table.play();
    let desk = Desk::new();
    let ended = run(&desk, group, 0, &group.plan, None);
    assert_eq!(ended.code, 0, "{ended:?}");
    let cards: Vec<&VerifiedCard> = group.members.iter().map(|member| &member.card).collect();
    let second = Plan::draft(draft(&cards, vec![validator()])).unwrap();
    let before = group.on_stick();
    let ended = run(&desk, group, 0, &second, Some(SOME_CODE));
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("code: spent-card"), "{ended:?}");
    assert_eq!(group.on_stick(), before);
    let home = group.members[0].open(Arc::new(RealDisk)).unwrap();
    assert!(own_card(&home, &second).is_err());
    drop(home);
    let ended = run(&desk, group, 0, &group.plan, None);
    assert_eq!(ended.code, 0, "{ended:?}");
    // Others' cards are not spent: they wait in the second plan for one who cannot come.
    let other = Group {
        members: Vec::new(),
        plan: second,
        stick: group.stick.clone(),
    };
    let disk: Arc<dyn conclave::store::disk::Disk> = Arc::new(RealDisk);
    let home = group.members[1].open(disk.clone()).unwrap();
    let courier = conclave::courier::folder::FolderCourier::new(disk, &other.stick);
    let ran = other.run_with(&home, &mut [Box::new(courier)]).unwrap();
    assert!(matches!(ran.standing, Standing::Waiting { ref deals, .. } if deals.len() == 2));
    drop(home);
    let played = table.play();
    table.check_vaults(crate::harness::faults::outcome(&played));
}

/// What `audit` says of the stick, for each way in which a ceremony ends.
#[test]
fn the_command_audit_says_what_the_operators_say() {
    let ends = rows! {
        3 "all is well" [2: SelfComplaint] => 0 [];
        3 "ended" [2: Abandon] => 1 [];
        3 "awaited" [2: NoConfirm] => 3 [];
        4 "proved" [3: BadShare(vec![0]), 2: ComplaintProof(1)] => 4
            [3 "wrong-shares" ["deal", "complain"] "operator 1 a wrong share",
             2 "false-complaint" ["deal", "complain"] "its proof is wrong"];
    };
    for row in ends {
        let Row { exit, fault, .. } = row;
        let accused: Vec<u64> = row.named.iter().map(|(who, ..)| *who as u64 + 1).collect();
        let table = row.check(vec![validator()]);
        let stick = table.board(&table.group.stick).path().display().to_string();
        let ended = Desk::new().run(&["audit", &stick, "--json"]);
        assert_eq!(ended.code, exit, "{fault}: {ended:?}");
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        let mut said: Vec<u64> = serde_json::from_value(report["accused"].clone()).unwrap();
        said.sort_unstable();
        let mut accused = accused;
        accused.sort_unstable();
        assert_eq!(said, accused, "{fault}");
    }
}
