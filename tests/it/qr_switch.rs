//! Ceremonies that change between QR codes and other couriers, and that use them at once.

use crate::harness::apart::{Apart, NAMES};
#[cfg(all(feature = "net", feature = "server"))]
use crate::harness::relay::{Relay, Setup, in_directory};

/// A folder that all can write to.
struct Stick(tempfile::TempDir);

impl Stick {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> String {
        self.0.path().display().to_string()
    }

    fn names(&self) -> Vec<String> {
        let files = crate::harness::disk::every_file(self.0.path()).into_iter();
        files
            .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    }
}

#[cfg(all(feature = "net", feature = "server"))]
fn relay(store: &tempfile::TempDir) -> Relay {
    Setup::over(in_directory(store.path())).serve()
}

/// Deals by QR, confirms by another courier.
fn deals_by_qr_confirms_over(other: &str, called: &str) {
    let apart = Apart::prepare();
    for name in NAMES {
        apart.turn(name, &["desk"], 3);
    }
    apart.by_qr(&NAMES, &NAMES, &[]);
    // What lies on the desk is told before it is taken in.
    let report = status(&apart, "carol");
    for operator in report["ceremonies"][0]["operators"].as_array().unwrap() {
        assert_eq!(operator["deal"], "yes", "{report:#}");
        assert_eq!(operator["confirm"], "no", "{report:#}");
    }
    // The desk gives the deals, the other courier takes the confirms on.
    for name in NAMES {
        apart.turn(name, &["desk"], 3);
    }
    finish(&apart, &[other]);
    let came = apart.of("dave").desk.ok(&["--home", "home", "status"]);
    assert!(
        came.contains("came by folder desk: deal of 1, 2, 3"),
        "{came}"
    );
    assert!(
        came.contains(&format!("came by {called}: confirm of 1, 2, 3")),
        "{came}"
    );
}

/// Deals by another courier, confirms by QR.
fn deals_over_confirms_by_qr(other: &str, called: &str) {
    let apart = Apart::prepare();
    for name in NAMES {
        apart.turn(name, &[other], 3);
    }
    // dave came last and saw all deals; the others get what they miss from his screen, and each one's
    // confirm from the screen of who confirmed before.
    for from in ["dave", "alice", "bob", "carol"] {
        // carol has all that she needs by then.
        let code = if from == "carol" { 0 } else { 3 };
        apart.turn(from, &["desk"], code);
        let others: Vec<&str> = NAMES.into_iter().filter(|to| *to != from).collect();
        apart.by_qr(&[from], &others, &["--all"]);
    }
    finish(&apart, &["desk"]);
    let came = apart.of("dave").desk.ok(&["--home", "home", "status"]);
    assert!(
        came.contains(&format!("came by {called}: deal of 1, 2, 3")),
        "{came}"
    );
    assert!(
        came.contains("came by folder desk: confirm of 1, 2, 3"),
        "{came}"
    );
}

/// Everybody goes on over these couriers until all are done with one outcome.
#[track_caller]
fn finish(apart: &Apart, via: &[&str]) {
    for name in NAMES {
        let plan = [
            "run",
            "pool.plan.json",
            "--once",
            "--accept-plan",
            &apart.code,
        ];
        let mut args = [&plan[..], &["--out", "files"]].concat();
        via.iter()
            .for_each(|courier| args.extend(["--via", courier]));
        let ended = apart.of(name).by(&args);
        assert!([0, 3].contains(&ended.code), "{name}: {ended:?}");
    }
    let outcomes = NAMES.map(|name| apart.turn(name, via, 0).stdout);
    assert_eq!(outcomes[0].split(' ').count(), 8, "{outcomes:?}");
    assert!(
        outcomes.iter().all(|outcome| *outcome == outcomes[0]),
        "{outcomes:?}"
    );
}

/// What `status` says of a desk, without a home.
fn status(apart: &Apart, name: &str) -> serde_json::Value {
    let desk = &apart.of(name).desk;
    let report = desk.ok(&["status", "--via", "desk", "--json"]);
    serde_json::from_str(&report).unwrap()
}

#[test]
fn deals_by_qr_and_confirms_on_a_stick() {
    let stick = Stick::new();
    deals_by_qr_confirms_over(&stick.path(), &format!("folder {}", stick.path()));
    let confirms = stick.names();
    let confirms = confirms
        .iter()
        .filter(|name| name.starts_with("2-confirm-"));
    assert_eq!(confirms.count(), 4, "{:?}", stick.names());
}

#[test]
fn deals_on_a_stick_and_confirms_by_qr() {
    let stick = Stick::new();
    deals_over_confirms_by_qr(&stick.path(), &format!("folder {}", stick.path()));
    // dave, the last one to deal, confirmed at once.
    let confirms = stick.names();
    let confirms = confirms
        .iter()
        .filter(|name| name.starts_with("2-confirm-"));
    assert_eq!(confirms.count(), 1, "{:?}", stick.names());
}

#[cfg(all(feature = "net", feature = "server"))]
#[test]
fn deals_by_qr_and_confirms_over_a_relay() {
    let store = tempfile::tempdir().unwrap();
    let relay = relay(&store);
    deals_by_qr_confirms_over(&relay.url(), &format!("relay {}", relay.url()));
}

#[cfg(all(feature = "net", feature = "server"))]
#[test]
fn deals_over_a_relay_and_confirms_by_qr() {
    let store = tempfile::tempdir().unwrap();
    let relay = relay(&store);
    deals_over_confirms_by_qr(&relay.url(), &format!("relay {}", relay.url()));
}

/// alice and bob meet by QR, carol has a stick, dave the relay; alice has all three, and through her
/// they meet.
#[cfg(all(feature = "net", feature = "server"))]
#[test]
fn qr_a_stick_and_a_relay_at_once_through_one_operator() {
    let apart = Apart::prepare();
    let (stick, store) = (Stick::new(), tempfile::tempdir().unwrap());
    let relay = relay(&store);
    let (stick, relay) = (stick.path(), relay.url());
    let (qr, stick, relay) = (["desk"], [stick.as_str()], [relay.as_str()]);
    let all = [qr[0], stick[0], relay[0]];

    apart.turn("bob", &qr, 3);
    apart.by_qr(&["bob"], &["alice"], &[]);
    apart.turn("carol", &stick, 3);
    apart.turn("dave", &relay, 3);
    // Once to take in, once more to pass on what came by the courier looked at last.
    apart.turn("alice", &all, 3);
    apart.turn("alice", &all, 3);
    let ended = apart.turn("carol", &stick, 3);
    assert!(
        ended.stderr.contains("the confirm of bob (2), dave (4)"),
        "{ended:?}"
    );
    apart.turn("dave", &relay, 3);
    apart.by_qr(&["alice"], &["bob"], &["--all"]);
    apart.turn("bob", &qr, 3);
    apart.by_qr(&["bob"], &["alice"], &[]);
    apart.turn("alice", &all, 0);
    apart.turn("alice", &all, 0);
    apart.by_qr(&["alice"], &["bob"], &["--all"]);
    let ended = [
        ("alice", &all[..]),
        ("bob", &qr),
        ("carol", &stick),
        ("dave", &relay),
    ]
    .map(|(name, via)| apart.turn(name, via, 0).stdout);
    assert!(
        ended.iter().all(|outcome| *outcome == ended[0]),
        "{ended:?}"
    );
    // bob has never had anything but a camera.
    let came = apart.of("bob").desk.ok(&["--home", "home", "status"]);
    assert!(
        came.contains("came by folder desk: deal of 1, 3, 4; confirm of 1, 3, 4"),
        "{came}"
    );
}
