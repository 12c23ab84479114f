//! One exit signed over each courier, by another three of the four each time: the same bytes.

use serde_json::Value;

use crate::cli_sign::{EXIT, cluster, plan};
use crate::four_homes::Ceremony;
use crate::harness::binary::Ended;
use crate::relay_homes::{Relay, end, start};

const SIGNED: &str = "signed_exit-1234567.json";

/// One look over a folder.
#[track_caller]
fn turn(ceremony: &Ceremony, name: &str, folder: &str, accept: &str, code: i32) {
    let out = format!("signed-{name}");
    let run = ["run", "exit.plan.json", "--via", folder, "--out", &out];
    let ended = ceremony.by(name, &[&run[..], &["--accept-plan", accept]].concat());
    assert_eq!(ended.code, code, "{name}: {ended:?}");
}

/// Shows what an operator said of the exit, and the plan, as pictures.
fn show(ceremony: &Ceremony, name: &str) -> [String; 2] {
    ["Pool exits", "exit.plan.json"].map(|what| {
        let into = format!("shown-{name}-{}", what.len());
        ceremony.ok(name, &["qr", "show", "--png", &into, what]);
        into
    })
}

/// Scans pictures into a folder of one's own, and finds so many documents.
fn scan(ceremony: &Ceremony, name: &str, into: &str, shown: &[String], documents: usize) {
    std::fs::create_dir_all(ceremony.desk.path(into)).unwrap();
    let mut args = vec!["qr", "scan", "--into", into, "--json"];
    args.extend(shown.iter().map(String::as_str));
    let report: Value = serde_json::from_str(&ceremony.ok(name, &args).stdout).unwrap();
    let whole = report["documents"].as_array().unwrap();
    assert_eq!(whole.len(), documents, "{report:#}");
}

/// By screen and camera alone: alice, bob, carol.
fn by_qr(ceremony: &Ceremony, accept: &str) -> Vec<u8> {
    std::fs::create_dir(ceremony.desk.path("desk-alice")).unwrap();
    turn(ceremony, "alice", "desk-alice", accept, 3);
    let of_alice = show(ceremony, "alice");
    scan(ceremony, "bob", "desk-bob", &of_alice, 2);
    turn(ceremony, "bob", "desk-bob", accept, 3);
    let [of_bob, _] = show(ceremony, "bob");
    let [of_alice, _] = of_alice;
    scan(ceremony, "carol", "desk-carol", &[of_alice, of_bob], 2);
    turn(ceremony, "carol", "desk-carol", accept, 0);
    ceremony.desk.read(&format!("signed-carol/{SIGNED}"))
}

/// Over a relay, all at once, each with one command that stays: bob, carol, dave.
fn by_relay(ceremony: &Ceremony, accept: &str) -> Vec<u8> {
    let relay = Relay::start(ceremony, 0);
    let names = ["bob", "carol", "dave"];
    let began = names.map(|name| {
        let out = format!("signed-{name}");
        let run = ["run", "exit.plan.json", "--accept-plan", accept];
        let via = ["--via", relay.address.as_str(), "--out", &out];
        start(ceremony, name, &[run, via].concat())
    });
    let ended: Vec<Ended> = began.into_iter().map(end).collect();
    for ended in &ended {
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let signed = names.map(|name| ceremony.desk.read(&format!("signed-{name}/{SIGNED}")));
    assert!(signed.iter().all(|bytes| *bytes == signed[0]));
    let [bytes, ..] = signed;
    bytes
}

/// On a stick, then over the relay: alice, dave, and carol who has both.
fn by_stick_and_relay(ceremony: &Ceremony, accept: &str) -> Vec<u8> {
    let relay = Relay::start(ceremony, 0);
    turn(ceremony, "alice", "second", accept, 3);
    let run = ["run", "exit.plan.json", "--accept-plan", accept, "--once"];
    let dave = ["--via", relay.address.as_str(), "--out", "signed-dave"];
    let ended = ceremony.by("dave", &[&run[..], &dave].concat());
    assert_eq!(ended.code, 3, "{ended:?}");
    let carol = ["--via", &relay.address, "--via", "second"];
    let out = ["--out", "signed-carol"];
    let ended = ceremony.by("carol", &[&run[..], &carol, &out].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ceremony.desk.read(&format!("signed-carol/{SIGNED}"))
}

#[test]
fn every_courier_and_every_three_come_to_the_same_exit() {
    let first = cluster();
    let accept = plan(&first, EXIT);
    let exit = first.desk.read("exit.plan.json");
    let signed = [by_qr, by_relay, by_stick_and_relay].map(|sign| {
        let ceremony = cluster();
        ceremony.desk.write("exit.plan.json", &exit);
        sign(&ceremony, &accept)
    });
    assert!(signed.iter().all(|bytes| *bytes == signed[0]));
}
