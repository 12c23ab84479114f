//! `audit` on evidence files and on records that somebody broke, with the real binary.

use conclave::ceremony::Messages as _;
use conclave::ceremony::evidence::Evidence;
use conclave::json;
use conclave::store::seat::BoardMessages;

use crate::harness::binary::Desk;
use crate::harness::faults::{Faults, Misdeed, Table, faults};
use crate::harness::schema;

#[test]
fn evidence_is_explained_and_a_false_accusation_is_not_believed() {
    let desk = Desk::new();
    let table = Table::new(4, Faults::new().by(1, Misdeed::BadShare(vec![2])));
    let played = table.play();
    let [fault] = faults(&played[&0]) else {
        panic!("{:?}", played[&0])
    };
    let board = table.board(&table.group.stick);
    let ids: Vec<String> = board
        .messages()
        .unwrap()
        .into_iter()
        .map(|file| file.name)
        .collect();
    let messages = BoardMessages(board);
    // The fault was found on another board: its messages have the same bytes under other names.
    let of = |part: &str| ids.iter().find(|id| id.contains(part)).unwrap().clone();
    let proof = [of("deal-2"), of("complain-3")];
    assert!(proof.iter().all(|id| messages.load(id).is_ok()));
    let file = |accused| {
        let claim = fault.kind.to_string();
        Evidence::collect(&table.group.plan, vec![accused], claim, &proof, &messages).unwrap()
    };
    schema::assert_valid_json("evidence", file(fault.accused));
    desk.write("evidence.json", file(fault.accused));
    let ended = desk.refused(&["audit", "evidence.json"], 4, &["the evidence holds"]);
    let sentence =
        "operator 2 (bob) is proved wrong: it dealt operator 3 a wrong share for validator 0";
    assert!(ended.stdout.contains(sentence), "{ended:?}");
    let ended = desk.run(&["audit", "evidence.json", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (ended.code, &report["accused"]),
        (4, &serde_json::json!([2]))
    );

    desk.write("slander.json", file(1.try_into().unwrap()));
    desk.refused(
        &["audit", "slander.json"],
        1,
        &["does not show what it claims"],
    );
    desk.write("torn.json", &file(fault.accused)[..500]);
    desk.refused(&["audit", "torn.json"], 1, &["torn.json"]);

    // The whole stick says the same; a record without its messages says that it waits.
    let stick = std::fs::read_dir(&table.group.stick)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let stick = stick.display().to_string();
    let ended = desk.refused(&["audit", &stick], 4, &["misbehaviour is proved"]);
    assert!(ended.stdout.contains(sentence), "{ended:?}");
    desk.write(
        "empty/plan.json",
        json::pretty(table.group.plan.value()).unwrap(),
    );
    let ended = desk.refused(&["audit", "empty"], 3, &["not complete"]);
    assert!(
        ended.stdout.contains("no deal from operator 1 (alice)"),
        "{ended:?}"
    );
    desk.refused(&["audit", "nowhere"], 1, &["nowhere", "hint: "]);
}
