//! QR codes on a terminal: what stands there can be read, and the terminal is given back.

use std::collections::BTreeSet;

use conclave::courier::qr::collect::{Collector, Seen};
use conclave::courier::qr::document::Document;
use conclave::courier::qr::payload;
use conclave::courier::qr::sight::Picture;
use image::{ExtendedColorType, GrayImage, ImageEncoder as _, Luma};

use crate::four_homes::Ceremony;
use crate::harness::binary::{Desk, card};
use crate::harness::terminal::Terminal;

const HOME: &str = "\u{1b}[H";
const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
/// Black on white, which no theme changes.
const INK: &str = "\u{1b}[0;30;107m\u{1b}[38;5;16m\u{1b}[48;5;231m";

/// The codes that were drawn, each as lines of half blocks.
fn drawn(shown: &str) -> Vec<Vec<String>> {
    shown
        .split(HOME)
        .skip(1)
        .map(|screen| {
            let lines = screen.lines().filter_map(|line| line.strip_prefix(INK));
            lines
                .map(|line| line.split('\u{1b}').next().unwrap().to_owned())
                .collect()
        })
        .filter(|lines: &Vec<String>| !lines.is_empty())
        .collect()
}

/// What a camera would read: dark where the foreground is.
fn read(lines: &[String]) -> Option<String> {
    const SCALE: u32 = 4;
    let width = u32::try_from(lines[0].chars().count()).unwrap();
    let height = u32::try_from(lines.len()).unwrap() * 2;
    let dark: Vec<[bool; 2]> = lines
        .iter()
        .flat_map(|line| line.chars())
        .map(|block| match block {
            '█' => [true, true],
            '▀' => [true, false],
            '▄' => [false, true],
            ' ' => [false, false],
            other => panic!("{other:?}"),
        })
        .collect();
    let picture = GrayImage::from_fn(width * SCALE, height * SCALE, |x, y| {
        let (x, y) = (x / SCALE, y / SCALE);
        let at = usize::try_from(y / 2 * width + x).unwrap();
        let half = usize::try_from(y % 2).unwrap();
        Luma([if dark[at][half] { 0 } else { 255 }])
    });
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(
            &picture,
            width * SCALE,
            height * SCALE,
            ExtendedColorType::L8,
        )
        .unwrap();
    Picture::read(&png).unwrap().text()
}

#[test]
fn what_stands_on_the_screen_is_the_document() {
    let desk = Desk::new();
    desk.write("alice.card.json", card("alice").bytes());
    let args = [
        "qr",
        "show",
        "alice.card.json",
        "--rate",
        "20",
        "--fragment",
        "150",
    ];
    let mut terminal = Terminal::new(&desk.path("."), &args);
    terminal.wait_for(ENTER);
    for _ in 0..12 {
        terminal.wait_for("q end");
    }
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end().exit_code(), 0);
    assert!(terminal.is_sane());
    let (_, shown) = terminal.end();
    let (_, after) = shown.rsplit_once(LEAVE).unwrap();
    assert!(after.contains("codes were shown"), "{after}");
    let codes = drawn(&shown);
    assert!(codes.len() >= 12, "{}", codes.len());
    let sizes: BTreeSet<usize> = codes.iter().map(Vec::len).collect();
    assert_eq!(
        sizes.len(),
        1,
        "a code that changes its size is lost: {sizes:?}"
    );
    let mut collector = Collector::default();
    let whole = codes.iter().find_map(|lines| {
        let text = read(lines).expect("a code that can be read");
        match collector.take(&text) {
            Seen::Whole(whole) => Some(whole),
            Seen::Part(_) | Seen::Known => None,
            other => panic!("{other:?}"),
        }
    });
    let document = payload::unpack(&whole.unwrap().payload).unwrap();
    let document = Document::of_scan(&document).unwrap();
    assert_eq!(document.canonical(), card("alice").bytes());
}

#[test]
fn keys_change_what_is_shown() {
    let ceremony = Ceremony::prepare();
    ceremony.run("bob", 3, &[]);
    ceremony.run("alice", 3, &[]);
    let args = ["--home", "home-alice", "qr", "show", "Pool", "--all"];
    let mut terminal = Terminal::new(&ceremony.desk.path("."), &args);
    terminal.wait_for("1 of 2: ");
    terminal.wait_for("5.0 a second");
    terminal.keys("+");
    terminal.wait_for("6.6 a second");
    terminal.keys("-");
    terminal.wait_for("5.3 a second");
    terminal.keys(" ");
    terminal.wait_for("paused");
    terminal.keys(" ");
    terminal.wait_for("5.3 a second");
    terminal.keys("s");
    // Keys that come together count once.
    for _ in 0..5 {
        terminal.wait_for("q end");
    }
    terminal.keys("n");
    terminal.wait_for("2 of 2: ");
    terminal.keys("n");
    terminal.wait_for("1 of 2: ");
    // Ctrl-C leaves as q does.
    terminal.keys("\u{3}");
    assert_eq!(terminal.wait_for_end().exit_code(), 0);
    assert!(terminal.is_sane());
    let (_, shown) = terminal.end();
    assert!(shown.contains(LEAVE));
    // The key s made the modules larger: fewer of them, and more codes.
    let sizes: BTreeSet<usize> = drawn(&shown).iter().map(Vec::len).collect();
    assert!(sizes.len() >= 2, "{sizes:?}");
    assert!(*sizes.last().unwrap() + 2 <= 40, "{sizes:?}");
}
