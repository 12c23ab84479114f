//! Several releases at one table: what envelopes say of the tool that made them, and files of another
//! protocol.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conclave::ceremony::session::{Registered, Session};
use conclave::ceremony::step::Step;
use conclave::driver::Standing;
use conclave::hash::Tag;
use conclave::json;
use conclave::store::disk::{Disk, RealDisk};
use conclave::store::seat::{self, Seat};
use conclave::wire::card::VerifiedCard;
use conclave::wire::envelope::Envelope;
use serde_json::{Value, json};

use crate::harness::binary::{Desk, card, draft, identity, plan_file};
use crate::harness::disk::every_file;
use crate::harness::homes::Group;
use crate::harness::schema;
use crate::harness::story::lighten;

/// The same envelope with another tool, or none.
fn with_tool(bytes: &[u8], tool: Option<&str>) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(bytes).unwrap();
    let fields = value.as_object_mut().unwrap();
    fields.remove("tool");
    if let Some(tool) = tool {
        fields.insert("tool".into(), tool.into());
    }
    json::canonical_value(&value).unwrap()
}

fn messages(directory: &Path) -> Vec<PathBuf> {
    let message = |path: &Path| {
        !path.ends_with("plan.json") && path.extension().is_some_and(|ending| ending == "json")
    };
    every_file(directory)
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| message(path))
        .collect()
}

#[test]
fn who_carries_messages_can_change_their_tool_and_nothing_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 4, 1);
    let tools = [Some("conclave 9.9.9"), None, Some("conclave 0.0.1")];
    let mut outcomes = Vec::new();
    for turn in 0..12 {
        let ran = group.run(turn % 4);
        assert!(ran.moved.refused.is_empty(), "{:?}", ran.moved);
        match ran.standing {
            Standing::Waiting { .. }
            | Standing::AwaitingBackup
            | Standing::AwaitingPartials(..) => {}
            Standing::Complete { outcome, faults } => {
                assert!(faults.is_empty(), "{faults:?}");
                outcomes.push(outcome.to_bytes().unwrap());
            }
            Standing::Stopped(stop) => panic!("{stop:?}"),
        }
        for (number, path) in messages(&group.stick).iter().enumerate() {
            let changed = with_tool(&fs::read(path).unwrap(), tools[(turn + number) % 3]);
            schema::assert_valid_json("envelope", &changed);
            fs::write(path, changed).unwrap();
        }
    }
    assert!(outcomes.len() >= 4);
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    for member in &group.members {
        let ceremony = member
            .root
            .join("ceremonies")
            .join(group.plan.cid().to_string());
        // One file for each message, whatever came along; nothing is held against anyone.
        assert_eq!(messages(&ceremony.join("board")).len(), 8);
        assert!(!ceremony.join("evidence").exists());
    }
    // On the stick, at most one copy of each message for each operator that had another one.
    let count = messages(&group.stick).len();
    assert!(count <= 8 * 4, "{count}");
}

#[test]
fn a_message_with_another_tool_is_the_same_message() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 4, 1);
    group.run(0);
    let (_, bytes) = group
        .on_stick()
        .into_iter()
        .find(|(name, _)| name != "plan.json")
        .unwrap();
    let other = with_tool(&bytes, Some("conclave 9.9.9"));
    let stripped = with_tool(&bytes, None);
    let mut session = Session::new(&group.plan);
    assert!(matches!(session.register(&other, "other"), Registered::New));
    for again in [&bytes, &stripped, &other] {
        assert!(matches!(
            session.register(again, "again"),
            Registered::Known
        ));
    }
    assert!(session.board().equivocations().is_empty());
    assert_eq!(session.board().iter().count(), 1);
}

#[test]
fn an_own_message_leaves_as_it_was_stored_whatever_release_makes_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let group = Group::new(directory.path(), 4, 1);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let home = group.members[0].open(disk).unwrap();
    seat::accept(&home, &group.plan).unwrap();
    let mut seat = Seat::open(&home, &group.plan).unwrap();
    let mut randomness = conclave::ambient::OsRandomness;
    let Step::Send(made) = seat
        .next(&mut randomness, &conclave::ceremony::Unobserved)
        .unwrap()
    else {
        panic!("a deal is due");
    };
    let older = with_tool(made[0].bytes(), Some("conclave 0.0.1"));
    let newer = with_tool(made[0].bytes(), Some("conclave 9.9.9"));
    seat.keep_own(&Envelope::parse(&older).unwrap()).unwrap();
    // Made again, as after a crash and an upgrade.
    for again in [made[0].clone(), Envelope::parse(&newer).unwrap()] {
        seat.keep_own(&again).unwrap();
    }
    drop(seat);
    drop(home);
    group.run(0);
    let root = group.members[0]
        .root
        .join("ceremonies")
        .join(group.plan.cid().to_string());
    for place in ["own", "board"] {
        let found = messages(&root.join(place));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(fs::read(&found[0]).unwrap(), older, "{place}");
    }
    assert!(group.on_stick().values().any(|bytes| *bytes == older));

    // A home that was restored without it takes what lies on the stick.
    for path in messages(&root) {
        fs::remove_file(path).unwrap();
    }
    group.run(0);
    assert_eq!(fs::read(&messages(&root.join("own"))[0]).unwrap(), older);
}

#[test]
fn another_protocol_is_refused_with_both_releases_named() {
    let desk = Desk::new();
    let this = concat!(
        "this is conclave ",
        env!("CARGO_PKG_VERSION"),
        ", which speaks protocol 1"
    );
    let words = [
        "by conclave 0.9.0 for protocol 2",
        this,
        "use the same release on every machine",
    ];
    let mut other: Value = serde_json::from_slice(card("alice").bytes()).unwrap();
    other["version"] = 2.into();
    other["tool"] = "conclave 0.9.0".into();
    other["new_in_2"] = json!({ "what": ["we", "cannot", "know"] });
    desk.write("alice.card.json", other.to_string());
    desk.write("bob.card.json", card("bob").bytes());
    let new = [
        "plan",
        "new",
        "keygen",
        "--name",
        "x",
        "--network",
        "hoodi",
        "--validators",
        "1",
        "--withdrawal",
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "-o",
        "x.plan.json",
        "--card",
        "alice.card.json",
        "--card",
        "bob.card.json",
    ];
    let mut all = vec!["alice.card.json"];
    all.extend(words);
    desk.refused(&new, 1, &all);
    assert!(!desk.path("x.plan.json").exists());

    let mut plan: Value = serde_json::from_slice(&plan_file(draft(&["alice", "bob"]))).unwrap();
    plan["roster"][0]["card"] = other.clone();
    desk.write("plan.json", plan.to_string());
    let checked = desk.run(&["plan", "check", "plan.json"]);
    assert_eq!(checked.code, 1);
    for word in words {
        assert!(checked.stdout.contains(word), "{word}: {checked:?}");
    }
    plan["version"] = 2.into();
    plan["new_in_2"] = true.into();
    desk.write("plan.json", plan.to_string());
    let mut all = vec!["the plan was made from cards"];
    all.extend(words);
    for command in ["show", "check"] {
        let ended = desk.run(&["plan", command, "plan.json"]);
        assert_eq!(ended.code, 1);
        for word in &all {
            assert!(
                ended.stdout.contains(word) || ended.stderr.contains(word),
                "{word}: {ended:?}"
            );
        }
    }
}

#[test]
fn other_releases_of_this_protocol_are_named_and_take_part() {
    let this = concat!("this is conclave ", env!("CARGO_PKG_VERSION"));
    // A card of an older release: the same fields, signed again.
    let older = |name: &str| {
        let mut value = card(name).value().clone();
        value["tool"] = "conclave 0.0.1".into();
        let fields = value.as_object_mut().unwrap();
        fields.remove("signature");
        let signed = json::canonical_value(&value).unwrap();
        let signature = identity(name).sign(Tag::CARD_SIGNATURE, &signed);
        value["signature"] = signature.to_string().into();
        VerifiedCard::from_value(&value).unwrap()
    };
    let mut draft = draft(&["alice", "bob", "carol", "dave"]);
    for (position, name) in [(1, "bob"), (3, "dave")] {
        draft.roster[position].1 = older(name);
    }
    let desk = Desk::new();
    desk.write("plan.json", plan_file(draft));
    let words = ["made by conclave 0.0.1: the card of bob, dave;", this];
    let checked = desk.run(&["plan", "check", "plan.json"]);
    let shown = desk.run(&["plan", "show", "plan.json"]);
    assert_eq!((checked.code, shown.code), (0, 0));
    for word in words {
        assert!(checked.stderr.contains(word), "{word}: {checked:?}");
        let page = shown
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(page.contains(word), "{word}: {shown:?}");
    }
}

#[test]
fn run_names_other_releases_by_what_the_envelopes_say() {
    let desk = Desk::new();
    desk.write("passphrase", "six words are easy to remember\n");
    fs::create_dir(desk.path("stick")).unwrap();
    let by = |name: &str, args: &[&str]| {
        let home = format!("home-{name}");
        let mut all = vec!["--home", &home, "--passphrase-file", "passphrase"];
        all.extend(args);
        desk.run(&all)
    };
    for name in ["alice", "bob"] {
        assert_eq!(by(name, &["identity", "new"]).code, 0);
        let key = desk.path(&format!("home-{name}/home-key.age"));
        lighten(&key, "six words are easy to remember");
        assert_eq!(by(name, &["card", "--name", name]).code, 0);
    }
    desk.ok(&[
        "plan",
        "new",
        "keygen",
        "--name",
        "x",
        "--network",
        "hoodi",
        "--validators",
        "1",
        "--withdrawal",
        "0x71C7656EC7ab88b098defB751B7401B5f6d8976F",
        "-o",
        "x.plan.json",
        "--card",
        "alice.card.json",
        "--card",
        "bob.card.json",
    ]);
    let page = desk.ok(&["plan", "show", "x.plan.json", "--json"]);
    let page: Value = serde_json::from_str(&page).unwrap();
    let code = page["plan_code"].as_str().unwrap();
    let run = [
        "run",
        "x.plan.json",
        "--via",
        "stick",
        "--accept-plan",
        code,
    ];
    assert_eq!(by("bob", &run).code, 3);
    for path in messages(&desk.path("stick")) {
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, with_tool(&bytes, Some("conclave 0.0.1"))).unwrap();
    }
    let ran = by("alice", &run);
    assert_eq!(ran.code, 3, "{ran:?}");
    let this = concat!("this is conclave ", env!("CARGO_PKG_VERSION"));
    for word in [
        "messages of bob (2) say that conclave 0.0.1 made them;",
        this,
    ] {
        assert!(ran.stderr.contains(word), "{word}: {ran:?}");
    }
    // One's own messages of an older release are no news.
    assert!(!by("bob", &run).stderr.contains("conclave 0.0.1"));
}
