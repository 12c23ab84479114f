//! Cards, plans and messages over QR codes with the real binary: pictures, lines, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use conclave::ceremony::plan::{Plan, Validator};
use conclave::courier::qr::document::{Document, DocumentError};
use conclave::courier::qr::frames::{DOCUMENT_TYPE, Frames, HASH_TYPE};
use conclave::courier::qr::payload;
use conclave::courier::qr::symbol::Symbol;
use conclave::ethereum::address::Address;
use conclave::wire::envelope::{Envelope, Kind, Place};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::four_homes::Ceremony;
use crate::harness::binary::{Desk, Ended, card, draft, identity, plan_file};
use crate::harness::disk::every_file;
use crate::harness::schema;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn plan() -> Plan {
    Plan::draft(draft(&NAMES)).unwrap()
}

/// A message of somebody, whatever it says: a courier carries it.
fn message(name: &str, plan: &Plan) -> Envelope {
    let payload = json!({"said": name, "filling": "ab".repeat(400)});
    Envelope::sign(
        &identity(name),
        *plan.cid(),
        Kind::Deal,
        Place::Deal,
        payload,
    )
    .unwrap()
}

/// The lines that a scanner types: as many frames of a payload as are enough.
fn lines_of(kind: &'static str, payload: Vec<u8>) -> String {
    let frames = Frames::new(kind, payload, 100).unwrap();
    let fragments = frames.payload_len().div_ceil(frames.fragment());
    frames
        .take(fragments)
        .fold(String::new(), |lines, frame| lines + &frame + "\n")
}

/// The same of a document, whatever it is.
fn lines(document: &[u8]) -> String {
    lines_of(DOCUMENT_TYPE, payload::pack(document).unwrap())
}

#[track_caller]
fn scan(desk: &Desk, input: &str, more: &[&str]) -> Ended {
    let args = [&["qr", "scan", "-"], more].concat();
    let ended = desk.run_with_input(&args, input);
    if more.contains(&"--json") {
        schema::assert_report(&args, ended.code, &ended.stdout);
    }
    ended
}

/// Scans what has to be refused; nothing may be kept.
#[track_caller]
fn refused(input: &str, words: &[&str]) {
    let desk = Desk::new();
    let ended = scan(&desk, input, &["--into", "desk"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    for word in words.iter().chain(&["code: qr-refused"]) {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
    assert_eq!(ended.stdout, "");
    assert!(!desk.path("desk").exists());
}

#[track_caller]
fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn files(desk: &Desk, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    every_file(&desk.path(folder)).into_iter().collect()
}

fn with_card() -> Desk {
    let desk = Desk::new();
    desk.write("alice.card.json", card("alice").bytes());
    desk.write("pool.plan.json", plan_file(draft(&NAMES)));
    desk
}

#[test]
fn pictures_carry_a_card_and_a_plan() {
    let desk = with_card();
    let shown = desk.ok(&["qr", "show", "alice.card.json", "--png", "codes", "--json"]);
    let shown = json_of(&shown);
    let written = shown["documents"][0]["files"].as_array().unwrap().len();
    assert_eq!(shown["documents"][0]["title"], "card of alice");
    assert_eq!(fs::read_dir(desk.path("codes")).unwrap().count(), written);
    desk.ok(&[
        "qr",
        "show",
        "pool.plan.json",
        "--png",
        "codes",
        "--fragment",
        "600",
    ]);
    let report = desk.ok(&["qr", "scan", "codes", "--into", "desk", "--json"]);
    let report = json_of(&report);
    assert_eq!(
        report["documents"].as_array().unwrap().len(),
        2,
        "{report:#}"
    );
    assert_eq!(desk.read("desk/alice.card.json"), card("alice").bytes());
    let name = report["documents"][1]["path"].as_str().unwrap();
    assert_eq!(desk.read(name), desk.read("pool.plan.json"));
    // Once more, from single files in another order: nothing is written.
    let before = files(&desk, "desk");
    let mut names: Vec<String> = files(&desk, "codes")
        .keys()
        .map(|path| path.display().to_string())
        .collect();
    names.reverse();
    let mut again = vec!["qr", "scan", "--into", "desk"];
    again.extend(names.iter().map(String::as_str));
    let again = desk.ok(&again);
    assert_eq!(again.matches("(there already)").count(), 2, "{again}");
    assert_eq!(files(&desk, "desk"), before);
    // Any half of the codes that is enough is enough.
    desk.ok(&["qr", "scan", "codes", "--into", "one", "--count", "1"]);
    assert_eq!(files(&desk, "one").len(), 1);
}

#[test]
fn a_page_is_one_file_that_loads_nothing() {
    let desk = with_card();
    let args = [
        "qr",
        "show",
        "pool.plan.json",
        "--html",
        "page.html",
        "--json",
    ];
    let report = json_of(&desk.ok(&args));
    assert_eq!(report["documents"][0]["files"], json!(["page.html"]));
    let page = String::from_utf8(desk.read("page.html")).unwrap();
    assert!(page.contains("default-src 'none'"), "{page}");
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    // Nothing is overwritten, and what is the same is no conflict.
    desk.refused(
        &["qr", "show", "alice.card.json", "--html", "page.html"],
        1,
        &["code: file-exists"],
    );
    let quick = [
        "qr",
        "show",
        "pool.plan.json",
        "--html",
        "quick.html",
        "--rate",
        "20",
        "--json",
    ];
    let quick = json_of(&desk.ok(&quick));
    let milliseconds = |report: &Value| report["documents"][0]["milliseconds"].as_u64().unwrap();
    assert_eq!(milliseconds(&report), 4 * milliseconds(&quick));
}

#[test]
fn what_cannot_be_shown_says_why() {
    let desk = with_card();
    desk.write("note.json", "{\"note\": 1}");
    desk.write("text.txt", "not even JSON");
    fs::create_dir(desk.path("folder")).unwrap();
    let show = |what, code, words: &[&str]| {
        desk.refused(&["qr", "show", what, "--png", "codes"], code, words);
    };
    show(
        "note.json",
        1,
        &[
            "neither a card nor a plan nor a message",
            "--hash",
            "code: file-invalid",
        ],
    );
    show(
        "text.txt",
        1,
        &["text.txt cannot be shown", "--hash", "code: file-invalid"],
    );
    show(
        "folder",
        1,
        &[
            "folder is a folder",
            "FILE",
            "ceremony list",
            "code: file-not-regular",
        ],
    );
    let none = desk.run(&["--home", "none", "qr", "show", "nothing", "--png", "codes"]);
    assert_ne!(none.code, 0);
    let plan = plan();
    let mut forged = String::from_utf8(message("alice", &plan).bytes().to_vec()).unwrap();
    let sender = identity("alice").public().to_string();
    forged = forged.replace(&sender, &identity("bob").public().to_string());
    desk.write("forged.json", forged);
    show(
        "forged.json",
        1,
        &[
            "not signed by the operator that it names",
            "code: file-invalid",
        ],
    );
    desk.refused(
        &["qr", "show", "alice.card.json", "--all", "--png", "codes"],
        2,
        &["--all is for a ceremony"],
    );
    desk.refused(
        &["qr", "show", "alice.card.json", "--json"],
        2,
        &["--png", "--html"],
    );
    desk.refused(
        &["qr", "show", "alice.card.json"],
        2,
        &["--html FILE", "--png DIR", "code: no-terminal"],
    );
    assert!(!desk.path("codes").exists());
}

#[test]
fn what_is_too_large_goes_by_stick_and_its_hash_by_code() {
    let desk = Desk::new();
    let mut large = draft(&NAMES);
    let one = large.validators[0].clone();
    large.validators = (0..2600u32)
        .map(|number| Validator {
            withdrawal_address: Address(
                Sha256::digest(number.to_be_bytes())[..20]
                    .try_into()
                    .unwrap(),
            ),
            registration: None,
            ..one.clone()
        })
        .collect();
    desk.write("large.plan.json", plan_file(large));
    let words = [
        "large.plan.json is too large",
        "--hash",
        "--expect",
        "code: qr-too-large",
    ];
    desk.refused(
        &["qr", "show", "large.plan.json", "--png", "codes"],
        1,
        &words,
    );
    // A file that is larger than any document is the same, whatever it holds.
    desk.write("larger.json", vec![b' '; 5 << 20]);
    desk.refused(
        &["qr", "show", "larger.json", "--png", "codes"],
        1,
        &["code: qr-too-large"],
    );
    assert!(!desk.path("codes").exists());
    desk.ok(&["qr", "show", "--hash", "large.plan.json", "--png", "hash"]);
    desk.ok(&["qr", "scan", "hash", "--expect", "large.plan.json"]);
}

#[test]
fn a_hash_is_compared_and_not_believed() {
    let desk = with_card();
    desk.ok(&["qr", "show", "--hash", "alice.card.json", "--png", "hash"]);
    let same = [
        "qr",
        "scan",
        "hash",
        "--expect",
        "alice.card.json",
        "--json",
    ];
    assert_eq!(json_of(&desk.ok(&same))["expected"], true);
    desk.refused(
        &["qr", "scan", "hash", "--expect", "pool.plan.json"],
        1,
        &[
            "is not the file whose hash was shown",
            "code: qr-hash-differs",
        ],
    );
    // Where two are shown, one of them is another file's: neither file is taken for the right one.
    desk.ok(&["qr", "show", "--hash", "pool.plan.json", "--png", "two"]);
    desk.ok(&["qr", "show", "--hash", "alice.card.json", "--png", "two"]);
    for file in ["alice.card.json", "pool.plan.json"] {
        desk.refused(
            &["qr", "scan", "two", "--expect", file],
            1,
            &["code: qr-hash-differs"],
        );
    }
    // A hash that nobody asked for is told and compared with nothing.
    desk.refused(
        &["qr", "scan", "hash"],
        1,
        &["--expect FILE", "code: qr-refused"],
    );
    let expect = |input: &str, words: &[&str]| {
        let ended = scan(
            &desk,
            input,
            &["--expect", "alice.card.json", "--into", "desk"],
        );
        assert_eq!(ended.code, 1, "{ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {ended:?}");
        }
    };
    let none = ["compared with nothing", "code: qr-unreadable"];
    expect("", &none);
    expect(&lines(card("bob").bytes()), &none);
    let hash = |bytes: &[u8]| lines_of(HASH_TYPE, payload::wrap(bytes));
    expect(&hash(&[7; 31]), &["carries none", "code: qr-unreadable"]);
    expect(&lines_of(HASH_TYPE, vec![0xff; 40]), &["carries none"]);
    // A wrong one is not made good by a right one.
    let right = hash(&Sha256::digest(desk.read("alice.card.json")));
    expect(&(hash(&[7; 32]) + &right), &["code: qr-hash-differs"]);
    assert_eq!(
        scan(&desk, &right, &["--expect", "alice.card.json"]).code,
        0
    );
}

#[test]
fn what_was_tampered_with_is_refused_and_nothing_of_it_kept() {
    let plan = plan();
    let good = message("alice", &plan);
    let text = String::from_utf8(good.bytes().to_vec()).unwrap();
    // The frames are well-formed each time: whoever forges makes them anew.
    let other = text.replace(
        &identity("alice").public().to_string(),
        &identity("bob").public().to_string(),
    );
    refused(
        &lines(other.as_bytes()),
        &["not signed by the operator that it names"],
    );
    let spaced = text.replacen("{\"header\"", "{ \"header\"", 1);
    refused(&lines(spaced.as_bytes()), &[]);
    // A plan's file is indented; what travels is canonical.
    refused(
        &lines(&plan_file(draft(&NAMES))),
        &["not in canonical form"],
    );
    let forged = String::from_utf8(card("alice").bytes().to_vec()).unwrap();
    let forged = forged.replace("\"alice\"", "\"mallory\"");
    refused(&lines(forged.as_bytes()), &["the card"]);
    refused(
        &lines(b"{\"note\":1}"),
        &["neither a card nor a plan nor a message"],
    );
    refused(&lines(b"no JSON"), &[]);
    refused(&lines_of(DOCUMENT_TYPE, vec![1; 200]), &["no byte string"]);
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 30 << 20]).unwrap();
    let bomb = payload::wrap(&encoder.finish().unwrap());
    refused(&lines_of(DOCUMENT_TYPE, bomb), &["more than 4194304 bytes"]);
    for wrong in [
        other.as_bytes(),
        spaced.as_bytes(),
        &plan_file(draft(&NAMES)),
    ] {
        assert!(Document::of_scan(wrong).is_err());
    }
    assert_eq!(
        Document::of_scan(&plan_file(draft(&NAMES))).unwrap_err(),
        DocumentError::Layout
    );
    for right in [good.bytes(), card("alice").bytes(), plan.bytes()] {
        assert_eq!(Document::of_scan(right).unwrap().canonical(), right);
    }
}

#[test]
fn a_stranger_to_the_plan_is_refused_and_the_others_are_kept() {
    let desk = Desk::new();
    let plan = plan();
    let input = [
        lines(plan.bytes()),
        lines(message("alice", &plan).bytes()),
        lines(message("mallory", &plan).bytes()),
    ]
    .concat();
    let ended = scan(&desk, &input, &["--into", "desk"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    for word in [
        "no operator of this ceremony",
        "2 documents kept",
        "code: qr-refused",
    ] {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
    let kept = files(&desk, "desk");
    let holds = |bytes: &[u8]| kept.values().any(|file| file == bytes);
    assert!(holds(message("alice", &plan).bytes()));
    assert!(!holds(message("mallory", &plan).bytes()));
}

#[test]
fn a_message_whose_plan_comes_later_is_kept_for_it() {
    let desk = Desk::new();
    let plan = plan();
    let message = message("alice", &plan);
    let ended = scan(
        &desk,
        &lines(message.bytes()),
        &["--into", "desk", "--json"],
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let report = json_of(&ended.stdout);
    assert_eq!(report["documents"][0]["kind"], "deal");
    let folder = format!("desk/ceremony-{}", plan.cid().short());
    let kept = files(&desk, &folder);
    assert_eq!(kept.values().collect::<Vec<_>>(), [message.bytes()]);
    let before = files(&desk, "desk");
    let again = scan(&desk, &lines(message.bytes()), &["--into", "desk"]);
    assert!(again.stdout.contains("(there already)"), "{again:?}");
    assert_eq!(files(&desk, "desk"), before);
}

/// Two operators who meet over codes alone.
#[test]
fn a_ceremony_crosses_by_codes() {
    let ceremony = Ceremony::prepare();
    let show = |name: &str, more: &[&str]| {
        let home = format!("home-{name}");
        let args = [&["--home", &home, "qr", "show", "Pool"], more].concat();
        ceremony.desk.run(&args)
    };
    let early = show("alice", &["--png", "codes"]);
    assert_ne!(early.code, 0, "{early:?}");
    ceremony.run("bob", 3, &[]);
    ceremony.run("alice", 3, &[]);
    let own = show("alice", &["--png", "codes", "--json"]);
    assert_eq!(own.code, 0, "{own:?}");
    let own = json_of(&own.stdout);
    assert_eq!(own["documents"].as_array().unwrap().len(), 1, "{own:#}");
    assert!(
        own["documents"][0]["title"]
            .as_str()
            .unwrap()
            .contains("of alice")
    );
    let all = json_of(&show("alice", &["--all", "--html", "all.html", "--json"]).stdout);
    assert_eq!(all["documents"].as_array().unwrap().len(), 2, "{all:#}");
    // Dave has nothing but the codes: the message first, the plan from his own file.
    let desk = &ceremony.desk;
    let home = ["--home", "home-dave"];
    let scanned = desk.run(&[&home[..], &["qr", "scan", "codes", "--into", "air"]].concat());
    assert_eq!(scanned.code, 0, "{scanned:?}");
    assert!(scanned.stdout.contains("air/ceremony-"), "{scanned:?}");
    let out = [
        "run",
        "pool.plan.json",
        "--via",
        "air",
        "--accept-plan",
        &ceremony.code,
    ];
    let ran = ceremony.by("dave", &[&out[..], &["--out", "files-dave"]].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    let status = desk.run(&[&home[..], &["status", "--json"]].concat());
    assert!(status.stdout.contains("alice"), "{status:?}");
    let alice = fs::read_dir(desk.path("home-dave/ceremonies"))
        .unwrap()
        .count();
    assert_eq!(alice, 1);
    let hers = files(desk, "stick")
        .into_iter()
        .find(|(path, _)| path.to_string_lossy().contains("alice"))
        .unwrap();
    let taken = files(desk, "home-dave/ceremonies");
    assert!(
        taken.values().any(|bytes| *bytes == hers.1),
        "{:?}",
        taken.keys()
    );
    // Now her newest message comes first.
    ceremony.run("carol", 3, &[]);
    ceremony.run("dave", 3, &[]);
    for name in ["bob", "alice"] {
        ceremony.by(
            name,
            &[
                "run",
                "pool.plan.json",
                "--via",
                "stick",
                "--out",
                &format!("files-{name}"),
            ],
        );
    }
    let newest = json_of(&show("alice", &["--png", "newest", "--json"]).stdout);
    let titles: Vec<&str> = newest["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["title"].as_str().unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(titles, ["confirm", "deal"], "{newest:#}");
}

#[test]
fn what_is_missing_is_waited_for() {
    let desk = Desk::new();
    let plan = plan();
    let whole = lines(card("alice").bytes());
    let half: String = lines(plan.bytes())
        .lines()
        .skip(2)
        .fold(String::new(), |all, line| all + line + "\n");
    let ended = scan(&desk, &(half.clone() + &whole), &["--into", "desk"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stderr.contains("code: qr-incomplete"), "{ended:?}");
    assert!(ended.stderr.contains("not whole: "), "{ended:?}");
    assert_eq!(desk.read("desk/alice.card.json"), card("alice").bytes());
    let report = scan(&desk, &half, &["--into", "desk", "--json"]);
    let report = json_of(&report.stdout);
    let one = &report["incomplete"][0];
    assert_eq!(
        one["known"].as_u64().unwrap() + 2,
        one["of"].as_u64().unwrap()
    );
    // Fewer documents than were asked for.
    let few = scan(&desk, &whole, &["--into", "desk", "--count", "2"]);
    assert_eq!(few.code, 3, "{few:?}");
    // No more than were asked for is looked at.
    let enough = scan(
        &desk,
        &(whole.clone() + &half),
        &["--into", "desk", "--count", "1"],
    );
    assert_eq!(enough.code, 0, "{enough:?}");
}

#[test]
fn where_nothing_is_found_nothing_is_written() {
    let desk = Desk::new();
    let png = Symbol::new("UR:CONCLAVE/AEAD").unwrap().png(4);
    desk.write("photos/damaged.png", &png[..png.len() / 2]);
    desk.write("photos/text.jpg", "no picture");
    desk.write(
        "photos/foreign.png",
        Symbol::new("https://example.org").unwrap().png(4),
    );
    desk.write("photos/note.txt", "not looked at");
    let blank = image::GrayImage::from_pixel(200, 200, image::Luma([255]));
    blank.save(desk.path("photos/blank.png")).unwrap();
    let words = [
        "photos/damaged.png",
        "photos/text.jpg",
        "no code was found in photos/blank.png",
        "1 code passed over",
        "code: qr-unreadable",
    ];
    desk.refused(&["qr", "scan", "photos", "--into", "desk"], 1, &words);
    let report = desk.run(&["qr", "scan", "photos", "--into", "desk", "--json"]);
    assert_eq!(report.code, 1);
    let report = json_of(&report.stdout);
    assert_eq!(
        report["unreadable"].as_array().unwrap().len(),
        2,
        "{report:#}"
    );
    assert_eq!(report["foreign"], 1);
    desk.refused(
        &["qr", "scan", "none.png"],
        1,
        &["none.png", "code: qr-unreadable"],
    );
    let nothing = scan(&desk, "hello\n\n", &["--into", "desk"]);
    assert_eq!(nothing.code, 1, "{nothing:?}");
    assert!(!desk.path("desk").exists());
    desk.refused(&["qr", "scan"], 2, &["PICTURES"]);
}
