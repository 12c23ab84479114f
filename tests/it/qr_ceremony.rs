//! A ceremony of four machines that meet by screen and camera alone; and what a camera reads.

use std::path::{Path, PathBuf};

use conclave::courier::qr::collect::{Collector, Seen};
use conclave::courier::qr::document::Document;
use conclave::courier::qr::frames::{DOCUMENT_TYPE, FRAGMENT_BYTES, Frames};
use conclave::courier::qr::payload;
use conclave::courier::qr::sight::Picture;
use conclave::courier::qr::symbol::Symbols;
use conclave_camera::{Level, Random, Setting, Sheet, take};
use serde_json::Value;

use crate::harness::apart::{Apart, NAMES, Operator};
use crate::harness::disk::every_file;
use crate::harness::film::{Film, MISSED};

/// What all pictures come from. Which frames a message has differs each time: its keys do.
fn seed() -> u64 {
    let wanted = std::env::var("CONCLAVE_CAMERA_SEED").ok();
    let seed = wanted.and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("CONCLAVE_CAMERA_SEED={seed}");
    seed
}

/// The pictures that one operator takes of the others' screens.
struct Visit<'a> {
    to: &'a Operator,
    photos: &'a str,
    screens: &'a [PathBuf],
    /// A screen that is only glimpsed, and how often.
    other: Option<(&'a Path, usize)>,
}

impl Visit<'_> {
    /// Takes pictures until so many documents are whole, and again if it takes more; returns the last
    /// report, and how many pictures there were.
    #[track_caller]
    fn scan(&self, documents: usize, seed: u64) -> (Value, usize) {
        let count = documents.to_string();
        let mut args = vec![self.photos];
        if self.other.is_some() {
            args.extend(["--count", &count]);
        }
        let mut pictures = 0;
        for round in 0..6 {
            let mut film = Film::new(seed * 16 + round);
            self.screens.iter().for_each(|screen| film.screen(screen));
            if let Some((other, pictures)) = self.other {
                film.glimpse(other, pictures);
            }
            film.clutter();
            pictures += film.develop(&self.to.desk.path(self.photos));
            let (code, report) = self.to.scan(&args);
            let whole = report["documents"].as_array().unwrap().len();
            match code {
                0 => {
                    assert_eq!(whole, documents, "{report:#}");
                    return (report, pictures);
                }
                // What is whole is kept; the rest needs more pictures.
                3 => assert!(whole <= documents, "{report:#}"),
                other => panic!("{} ended with {other}: {report:#}", self.to.name),
            }
        }
        panic!("{}: not whole after 6 looks: {}", self.to.name, self.photos)
    }
}

/// The number of codes of each document that was shown.
fn codes(report: &Value) -> Vec<u64> {
    let documents = report["documents"].as_array().unwrap();
    let codes = documents.iter().map(|document| &document["codes"]);
    codes.map(|codes| codes.as_u64().unwrap()).collect()
}

fn file_of(operator: &Operator, part: &str) -> Vec<u8> {
    let mut files = every_file(&operator.desk.path("desk")).into_iter();
    let named = |path: &Path| path.file_name().unwrap().to_string_lossy().contains(part);
    files.find(|(path, _)| named(path)).unwrap().1
}

/// Cards to the organiser, the plan to each operator, deals and confirms from each to each: every bit
/// goes through a camera, and nothing else is shared.
#[test]
fn a_ceremony_by_qr_alone() {
    let seed = seed();
    let operators = NAMES.map(Operator::new);
    let (organiser, others) = operators.split_first().unwrap();
    let mut pictures = 0;

    // Three cards on three screens, in one folder of pictures.
    let screens: Vec<PathBuf> = others
        .iter()
        .map(|operator| operator.show(&[operator.card().to_str().unwrap()]).0)
        .collect();
    let visit = Visit {
        to: organiser,
        photos: "photos-cards",
        screens: &screens,
        other: None,
    };
    let (report, count) = visit.scan(3, seed);
    pictures += count;
    assert!(report["foreign"].as_u64() >= Some(2), "{report:#}");
    assert!(!report["unreadable"].as_array().unwrap().is_empty());
    let mut cards = vec![organiser.card()];
    for operator in others {
        let name = format!("desk/{}.card.json", operator.name);
        let original = std::fs::read(operator.card()).unwrap();
        assert_eq!(organiser.desk.read(&name), original, "{name}");
        cards.push(organiser.desk.path(&name));
    }
    let code = organiser.plan(&cards);

    let (screen, _) = organiser.show(&["pool.plan.json"]);
    for (operator, at) in others.iter().zip(1u64..) {
        let visit = Visit {
            to: operator,
            photos: "photos-plan",
            screens: std::slice::from_ref(&screen),
            other: Some((screens[0].as_path(), 1)),
        };
        pictures += visit.scan(1, seed + at).1;
        assert_eq!(
            operator.desk.read("desk/pool.plan.json"),
            organiser.desk.read("pool.plan.json")
        );
    }
    organiser
        .desk
        .write("desk/pool.plan.json", organiser.desk.read("pool.plan.json"));
    let plan_screen = screen;

    // Deals, then confirms. With its confirm an operator shows its deal again.
    for (round, documents) in [(1u64, 3), (2, 6)] {
        let screens: Vec<(PathBuf, Value)> = operators
            .iter()
            .map(|operator| {
                operator.run("desk/pool.plan.json", &code, &["desk"], 3);
                operator.show(&["Pool"])
            })
            .collect();
        for (operator, (_, shown)) in operators.iter().zip(&screens) {
            let codes = codes(shown);
            assert_eq!(codes.len() as u64, round, "{shown:#}");
            let few = codes.iter().all(|codes| (3..=5).contains(codes));
            assert!(few, "{}: {shown:#}", operator.name);
        }
        for ((operator, at), photos) in operators
            .iter()
            .zip(0..)
            .zip(std::iter::repeat(format!("photos-{round}")))
        {
            let of_others = screens.iter().enumerate().filter(|(other, _)| *other != at);
            let of_others: Vec<PathBuf> = of_others.map(|(_, (path, _))| path.clone()).collect();
            let visit = Visit {
                to: operator,
                photos: &photos,
                screens: &of_others,
                other: (round == 1).then_some((plan_screen.as_path(), 2)),
            };
            let (report, count) = visit.scan(documents, seed + 10 * round + at as u64);
            pictures += count;
            assert_eq!(report["refused"].as_array().unwrap().len(), 0, "{report:#}");
        }
        // What was scanned and not taken in yet is told.
        let status = others[0].desk.ok(&["status", "--via", "desk"]);
        assert!(status.contains("Pool"), "{status}");
    }

    let ended: Vec<String> = operators
        .iter()
        .map(|operator| {
            let ended = operator.run("desk/pool.plan.json", &code, &["desk"], 0);
            ended.stdout.lines().last().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ended[0].split(' ').count(), 8, "{ended:?}");
    assert!(ended.iter().all(|code| *code == ended[0]), "{ended:?}");
    let mut deposits = Vec::new();
    for operator in &operators {
        operator
            .desk
            .ok(&["keystore", "check", "files/validator_keys"]);
        let audited = operator.desk.ok(&["audit", "files/record"]);
        assert!(audited.contains(&ended[0]), "{audited}");
        let files = every_file(&operator.desk.path("files"));
        let is_deposit = |path: &Path| path.to_string_lossy().contains("deposit_data-");
        let deposit = files.into_iter().find(|(path, _)| is_deposit(path));
        deposits.push(deposit.unwrap().1);
    }
    assert!(deposits.iter().all(|deposit| *deposit == deposits[0]));

    println!("{pictures} pictures");
    let bob = &operators[1];
    for (what, bytes) in [
        ("card", std::fs::read(bob.card()).unwrap()),
        ("plan", file_of(bob, "pool.plan")),
        ("deal", file_of(bob, "deal-1")),
        ("confirm", file_of(bob, "confirm-1")),
    ] {
        println!("{}", needed(what, &bytes));
    }
}

/// How many frames a document takes if a camera misses some and begins anywhere, in a line.
fn needed(what: &str, file: &[u8]) -> String {
    const RUNS: usize = 200;
    let document = Document::of_file(file).unwrap();
    let packed = payload::pack(document.canonical()).unwrap();
    let frames = Frames::new(DOCUMENT_TYPE, packed.clone(), FRAGMENT_BYTES).unwrap();
    let count = frames.fragments();
    let endless: Vec<String> = frames.take(count * 20 + 200).collect();
    // Pictures and pages hold so many and begin again.
    let looped: Vec<String> = endless.iter().take(count * 2 + 2).cloned().collect();
    let modules = Symbols::new(Frames::new(DOCUMENT_TYPE, packed.clone(), FRAGMENT_BYTES).unwrap());
    let modules = modules.unwrap().full();
    let mut line = format!(
        "{what}: {} bytes, {count} codes of {modules} modules",
        packed.len()
    );
    for (how, texts) in [("endless", endless), ("page", looped)] {
        let mut random = Random::new(42);
        let mut shown: Vec<usize> = (0..RUNS)
            .map(|_| {
                let mut collector = Collector::default();
                let start = random.below(texts.len().min(count * 10));
                let from = texts.iter().cycle().skip(start).zip(1..);
                for (text, number) in from.take(5000) {
                    if random.percent(MISSED) {
                        continue;
                    }
                    if let Seen::Whole(whole) = collector.take(text) {
                        assert_eq!(whole.payload, packed);
                        return number;
                    }
                }
                panic!("{what}: not whole after 5000 frames")
            })
            .collect();
        shown.sort_unstable();
        let (median, late) = (shown[RUNS / 2], shown[RUNS * 95 / 100]);
        assert!(median <= 3 * count + 6, "{what}: {median} frames");
        line += &format!(
            "; {how}: median {median} frames, {}.{} s, 95 % {late}",
            median / 5,
            median % 5 * 2
        );
    }
    line
}

/// The share of pictures that are read, of so many, in percent, and milliseconds for each.
fn share_read(setting: &Setting, pictures: usize, fragment: usize) -> (usize, u128) {
    let mut random = Random::new(seed());
    let byte = |random: &mut Random| u8::try_from(random.below(256)).unwrap();
    let bytes: Vec<u8> = (0..1200).map(|_| byte(&mut random)).collect();
    let frames = Frames::new(DOCUMENT_TYPE, payload::wrap(&bytes), fragment).unwrap();
    let texts: Vec<String> = frames.take(pictures).collect();
    let symbols =
        Symbols::new(Frames::new(DOCUMENT_TYPE, payload::wrap(&bytes), fragment).unwrap());
    let mut milliseconds = 0;
    let read = symbols.unwrap().zip(&texts).filter(|(symbol, text)| {
        let photo = take(Some(&Sheet::of_file(&symbol.png(1))), setting, &mut random);
        let picture = Picture::read(&photo.jpeg(85)).unwrap();
        let begun = std::time::Instant::now();
        let found = picture.text();
        milliseconds += begun.elapsed().as_millis();
        // What is read is never something else.
        assert!(
            found.is_none() || found.as_ref() == Some(*text),
            "{found:?}"
        );
        found.is_some()
    });
    let read = read.count();
    (read * 100 / pictures, milliseconds / pictures as u128)
}

fn setting(level: Level, (width, height): (usize, usize)) -> Setting {
    Setting {
        level,
        width,
        height,
        inverted: false,
        turned: false,
    }
}

#[test]
fn a_camera_on_a_desk_reads_nearly_everything_and_a_hand_most() {
    for (level, inverted, least) in [
        (Level::Desk, false, 90),
        (Level::Desk, true, 90),
        (Level::Hand, false, 80),
    ] {
        let setting = Setting {
            inverted,
            ..setting(level, (1280, 720))
        };
        let (share, _) = share_read(&setting, 20, FRAGMENT_BYTES);
        assert!(share >= least, "{setting:?}: {share} %");
    }
}

/// `cargo test --locked --test it -- --ignored --nocapture what_a_camera_reads`
#[test]
#[ignore = "a measurement, of minutes"]
fn what_a_camera_reads() {
    for size in [(640, 480), (1280, 720)] {
        for level in Level::ALL {
            for (inverted, turned) in [(false, false), (true, false), (false, true)] {
                let setting = Setting {
                    inverted,
                    turned,
                    ..setting(level, size)
                };
                let (share, milliseconds) = share_read(&setting, 60, FRAGMENT_BYTES);
                println!(
                    "{size:?} {level:?} inverted {inverted} turned {turned}: {share} %, {milliseconds} ms each"
                );
            }
        }
    }
}

/// Who has everybody's messages passes them on from one screen.
#[test]
fn one_operator_can_show_what_everybody_said() {
    let apart = Apart::prepare();
    for name in NAMES {
        apart.turn(name, &["desk"], 3);
    }
    apart.by_qr(&["bob", "carol", "dave"], &["alice"], &[]);
    apart.turn("alice", &["desk"], 3);
    // alice's confirm and all four deals reach dave from one screen.
    let (shown, report) = apart.of("alice").show(&["Pool", "--all"]);
    assert_eq!(codes(&report).len(), 5, "{report:#}");
    assert!(
        report["documents"][0]["title"]
            .as_str()
            .unwrap()
            .starts_with("confirm of alice (1)"),
        "{report:#}"
    );
    let (code, scanned) = apart.of("dave").scan(&[shown.to_str().unwrap()]);
    assert_eq!(code, 0, "{scanned:#}");
    let ended = apart.turn("dave", &["desk"], 3);
    assert!(
        ended.stderr.contains("the confirm of bob (2), carol (3)"),
        "{ended:?}"
    );
}
