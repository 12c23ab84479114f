//! The book of known identities: who was seen before, and who comes with another key.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use conclave::ceremony::plan::{Draft, Plan};
use conclave::crypto::identity::IdentityKey;
use conclave::json::Text;
use conclave::secret::Secret;
use conclave::store::disk::RealDisk;
use conclave::store::known::{Book, BookError, How, MAX_BOOK_BYTES, Standing};
use conclave::wire::card::VerifiedCard;
use serde_json::{Value, json};

use crate::harness::binary::{Desk, card, draft, plan_file};
use crate::harness::disk::{Death, at_every_death};

/// A card of this name with a key that nobody knows.
fn stranger(name: &str) -> VerifiedCard {
    let identity = IdentityKey::from_seed(&Secret::new([0x77; 32]));
    let name = Text::try_from(name.to_owned()).unwrap();
    VerifiedCard::make(&identity, name, &Secret::new([0x78; 32])).unwrap()
}

/// A card of Alice's key under another name.
fn renamed(name: &str) -> VerifiedCard {
    let mut seed = [0x5a; 32];
    seed.iter_mut()
        .zip("Alice".bytes())
        .for_each(|(byte, c)| *byte ^= c);
    let identity = IdentityKey::from_seed(&Secret::new(seed));
    let name = Text::try_from(name.to_owned()).unwrap();
    VerifiedCard::make(&identity, name, &Secret::new([0x79; 32])).unwrap()
}

fn named(name: &str, draft: Draft) -> Plan {
    let name = Text::try_from(name.to_owned()).unwrap();
    Plan::draft(Draft { name, ..draft }).unwrap()
}

/// A plan of Alice, Bob and whoever has the third card.
fn with_third(third: VerifiedCard) -> Plan {
    let mut draft = draft(&["Alice", "Bob", "Carol"]);
    draft.roster[2].1 = third;
    draft.random = [8; 32];
    named("Second", draft)
}

fn remember(path: &Path, plan: &Plan) -> usize {
    Book::remember(&RealDisk, path, plan, How::Planned).unwrap()
}

#[test]
fn names_and_keys_are_compared_with_other_ceremonies() {
    let place = tempfile::tempdir().unwrap();
    let path = Book::path(&place.path().join("data").join("home")).unwrap();
    assert!(path.ends_with("data/home.known.json"));
    let first = named("First", draft(&["Alice", "Bob", "Carol"]));
    let empty = Book::read(&RealDisk, &path).unwrap();
    assert_eq!(empty.standings(&first), vec![Standing::New; 3]);
    assert_eq!((remember(&path, &first), remember(&path, &first)), (3, 0));
    // That very plan makes nobody known.
    let book = Book::read(&RealDisk, &path).unwrap();
    assert_eq!(book.standings(&first), vec![Standing::New; 3]);

    let third = |card: VerifiedCard| book.standings(&with_third(card)).remove(2);
    let seen = third(card("Carol"));
    let Standing::Seen(entry) = &seen else {
        panic!("{seen:?}")
    };
    assert_eq!((entry.plan.as_str(), entry.how), ("First", How::Planned));
    assert_eq!(entry.cid, *first.cid());
    assert_eq!(third(card("Dave")), Standing::New);
    // Letter case and compatibility forms make no other name.
    for name in ["Carol", "CAROL", "ｃａｒｏｌ"] {
        let Standing::OtherKey(entry) = third(stranger(name)) else {
            panic!("{name}")
        };
        assert_eq!(entry.identity, *card("Carol").identity());
    }
    let mut other = draft(&["Eve", "Bob", "Carol"]);
    other.roster[0].1 = renamed("Alicia");
    other.random = [9; 32];
    let standing = book.standings(&named("Third", other)).remove(0);
    let Standing::OtherName(entry) = standing else {
        panic!("{standing:?}")
    };
    assert_eq!(entry.name.as_str(), "Alice");

    // Both keys stay: who was warned of once is known from then on, and so is the first.
    assert_eq!(remember(&path, &with_third(stranger("Carol"))), 1);
    let book = Book::read(&RealDisk, &path).unwrap();
    let mut later = draft(&["Alice", "Bob", "Carol"]);
    later.random = [10; 32];
    assert!(matches!(
        book.standings(&named("Fourth", later.clone())).remove(2),
        Standing::Seen(_)
    ));
    later.roster[2].1 = stranger("Carol");
    assert!(matches!(
        book.standings(&named("Fourth", later)).remove(2),
        Standing::Seen(_)
    ));

    // Nobody of a rehearsal comes in.
    let mut play = draft(&["Dave", "Eve", "Frank"]);
    play.network = play.network.rehearsal();
    let before = fs::read(&path).unwrap();
    assert_eq!(remember(&path, &named("Play", play)), 0);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_book_is_the_old_or_the_new_whenever_a_process_dies() {
    let first = named("First", draft(&["Alice", "Bob", "Carol"]));
    let second = with_third(card("Dave"));
    let deaths = at_every_death(&Death::SOUND, |disk| {
        let place = tempfile::tempdir().unwrap();
        let path = Book::path(&place.path().join("home")).unwrap();
        remember(&path, &first);
        let done = Book::remember(&*disk, &path, &second, How::Accepted);
        assert_eq!(done.is_ok(), !disk.died());
        let dave = Book::read(&RealDisk, &path).unwrap();
        let mut probe = draft(&["Alice", "Bob", "Dave"]);
        probe.random = [11; 32];
        let probe = named("Probe", probe);
        let standings = dave.standings(&probe);
        assert!(matches!(standings[0], Standing::Seen(_)), "{standings:?}");
        // And the same again mends it.
        remember(&path, &second);
        let standings = Book::read(&RealDisk, &path).unwrap().standings(&probe);
        assert!(matches!(standings[2], Standing::Seen(_)), "{standings:?}");
    });
    assert!(deaths > 3, "{deaths}");
}

#[test]
fn a_spoiled_book_is_left_as_it_is_and_stops_nothing() {
    let desk = Desk::new();
    desk.write(
        "plan.json",
        plan_file(draft(&["Alice", "Bob", "Carol", "Dave"])),
    );
    for name in ["Alice", "Bob"] {
        desk.write(&format!("{name}.json"), card(name).bytes());
    }
    let entry = json!({
        "cid": "00".repeat(32), "created": 1, "how": "planned", "name": "Alice", "plan": "P",
        "identity": card("Alice").identity().to_string(),
    });
    let with = |field: &str, value: Value| {
        let mut entry = entry.clone();
        entry[field] = value;
        json!({"version": 1, "entries": [entry]})
            .to_string()
            .into_bytes()
    };
    let huge = vec![b' '; MAX_BOOK_BYTES + 1];
    for (number, (bytes, says)) in [
        (b"{".to_vec(), "home.known.json"),
        (
            json!({"version": 2, "pages": []}).to_string().into_bytes(),
            "version 2",
        ),
        (json!([]).to_string().into_bytes(), "home.known.json"),
        (with("name", json!("a\u{202e}b")), "U+202E"),
        (with("identity", json!("conclave1qqqq")), "home.known.json"),
        (with("more", json!(1)), "unknown field"),
        (with("how", json!("dreamt")), "unknown variant"),
        (huge, "home.known.json"),
    ]
    .into_iter()
    .enumerate()
    {
        desk.write("home.known.json", &bytes);
        let ended = desk.run(&["--home", "home", "plan", "show", "plan.json"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        let warned = "warning: the book of known identities is of no use now, and nothing else is affected: ";
        assert!(
            ended.stderr.contains(warned) && ended.stderr.contains(says),
            "{ended:?}"
        );
        assert!(!ended.stdout.contains("seen before"), "{ended:?}");
        let output = format!("new-{number}");
        let start = "--home home plan new keygen --name x --network hoodi --validators 1 --card Alice.json --card Bob.json --withdrawal 0x00000000219ab540356cBB839Cbe05303d7705Fa -o";
        let args: Vec<&str> = start.split(' ').chain([output.as_str()]).collect();
        desk.ok(&args);
        assert_eq!(desk.read("home.known.json"), bytes);
    }
    let path = desk.path("home.known.json");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(
        desk.run(&["--home", "home", "plan", "show", "plan.json"])
            .code,
        0
    );
    let plan = named("First", draft(&["Alice", "Bob", "Carol"]));
    let error = Book::remember(&RealDisk, &path, &plan, How::Planned).unwrap_err();
    assert!(matches!(error, BookError::Disk(_)), "{error}");
}

#[test]
fn an_organiser_is_told_who_was_seen_before() {
    let desk = Desk::new();
    let desk = &desk;
    for name in ["Alice", "Bob", "Carol", "Dave"] {
        desk.write(&format!("{name}.json"), card(name).bytes());
    }
    desk.write("false-dave.json", stranger("dave").bytes());
    desk.write("alicia.json", renamed("Alicia").bytes());
    let plan_new = |name: &str, cards: &[&str]| {
        let output = format!("{name}.plan.json");
        let start = "--home home plan new keygen --network hoodi --validators 1 --created 1767225600 --withdrawal 0x00000000219ab540356cBB839Cbe05303d7705Fa";
        let mut args: Vec<&str> = start.split(' ').collect();
        args.extend(["--name", name, "-o", &output]);
        args.extend(cards.iter().flat_map(|card| ["--card", card]));
        let made = desk.run(&args);
        assert_eq!(made.code, 0, "{made:?}");
        made.stderr
    };
    let show = |name: &str| {
        desk.run(&[
            "--home",
            "home",
            "plan",
            "show",
            &format!("{name}.plan.json"),
        ])
    };

    let said = plan_new(
        "North",
        &["Alice.json", "Bob.json", "Carol.json", "Dave.json"],
    );
    assert!(!said.contains("another key"), "{said}");
    let page = show("North").stdout;
    assert!(page.contains("\nWho was seen before (the book on this machine)\n  all are new: none was seen before on this machine\n"), "{page}");

    let said = plan_new(
        "South",
        &["alicia.json", "Bob.json", "Carol.json", "false-dave.json"],
    );
    let key = format!(
        "operator 4, dave, comes with another key than before: {}, and Dave (North of 2026-01-01) was {}; ask dave, by another way than the card came",
        stranger("dave").identity(),
        card("Dave").identity()
    );
    let name = "operator 1, Alicia, has the key of Alice (North of 2026-01-01)";
    assert!(said.contains(&format!("warning: {key}\n")), "{said}");
    assert!(said.contains(&format!("warning: {name}")), "{said}");
    // Now that it is written, the page says the same, with or without notes.
    let shown = show("South");
    for row in [
        "  1  Alicia  A KNOWN KEY under another name, see Warnings\n",
        "  2  Bob     seen before, in North of 2026-01-01\n",
        "  4  dave    ANOTHER KEY than this name had before, see Warnings\n",
        &key,
        name,
    ] {
        assert!(shown.stdout.contains(row), "{row}: {shown:?}");
    }
    assert!(shown.stderr.contains(&key), "{shown:?}");
    let report = desk.ok(&[
        "--home",
        "home",
        "plan",
        "show",
        "South.plan.json",
        "--json",
    ]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let known = report["known_operators"].as_array().unwrap();
    let standings: Vec<&str> = known
        .iter()
        .map(|row| row["standing"].as_str().unwrap())
        .collect();
    assert_eq!(standings, ["other_name", "seen", "seen", "other_key"]);
    assert_eq!(known[1]["seen"]["plan"], "North");
    assert_eq!(known[3]["warning"], key.as_str());

    // Without a book there is nothing to say, and nothing breaks.
    let ended = desk.run(&["plan", "show", "South.plan.json"]);
    assert!(
        ended.code == 0 && !ended.stdout.contains("seen before"),
        "{ended:?}"
    );
    // A rehearsal leaves no trace in it.
    let before = desk.read("home.known.json");
    desk.ok(&[
        "--home",
        "home",
        "rehearse",
        "North.plan.json",
        "--keystores",
        "none",
    ]);
    assert_eq!(desk.read("home.known.json"), before);
}

#[test]
fn two_processes_that_write_at_once_lose_nobody() {
    let place = tempfile::tempdir().unwrap();
    let path = Arc::new(Book::path(&place.path().join("home")).unwrap());
    let names: Vec<String> = (0..8).map(|number| format!("operator {number}")).collect();
    std::thread::scope(|scope| {
        for pair in names.chunks(2) {
            let path = path.clone();
            scope.spawn(move || {
                let pair: Vec<&str> = pair.iter().map(String::as_str).collect();
                remember(&path, &named("Many", draft(&pair)));
            });
        }
    });
    let value: Value = serde_json::from_slice(&fs::read(&*path).unwrap()).unwrap();
    assert_eq!(value["entries"].as_array().unwrap().len(), 8);
}
