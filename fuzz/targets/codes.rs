//! What QR codes carry: whatever stands before a camera.

use conclave::ceremony::paper::PaperShare;
use conclave::courier::qr::collect::{Collector, MAX_OPEN, Seen};
use conclave::courier::qr::document::Document;
use conclave::courier::qr::frames::{DOCUMENT_TYPE, Frames};
use conclave::courier::qr::payload::{self, MAX_DOCUMENT_BYTES, MAX_PAYLOAD_BYTES};
use conclave::courier::qr::sight::Picture;
use conclave::courier::qr::symbol::Symbol;

use super::{listed, said};

/// Texts of codes, a line each: no payload is larger than any, no more are open than may be, and a
/// good one after all of them still comes through.
pub(crate) fn lines(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut collector = Collector::default();
    for line in text.lines().take(500) {
        match collector.take(line) {
            Seen::Whole(whole) => {
                assert!(whole.payload.len() <= MAX_PAYLOAD_BYTES);
                assert!(!whole.kind.is_empty() && whole.kind == whole.kind.to_ascii_lowercase());
                assert_eq!(collector.take(line), Seen::Known);
            }
            Seen::Part(progress) => assert!(progress.percent() < 100, "{progress:?}"),
            Seen::Broken(progress) => assert!(progress.known <= progress.of, "{progress:?}"),
            Seen::Strange(why) => assert!(!why.is_empty()),
            Seen::Known => {}
        }
        assert!(collector.open().count() <= MAX_OPEN);
    }
    let good: Vec<u8> = (0..=254).collect();
    let mut frames = Frames::new(DOCUMENT_TYPE, good.clone(), 60)
        .unwrap()
        .take(100);
    let whole = frames.any(|frame| match collector.take(&frame) {
        Seen::Whole(whole) => whole.payload == good,
        _ => false,
    });
    // It may stand among the lines itself.
    assert!(whole || text.to_ascii_lowercase().contains("ur:conclave/"));
}

/// A share on paper, as it was typed: what is taken has one line, and nothing of what is not is told.
pub(crate) fn paper(bytes: &[u8]) {
    let typed = String::from_utf8_lossy(bytes);
    match PaperShare::read(&typed) {
        Ok(paper) => {
            let plain: String = typed
                .chars()
                .filter(|c| !c.is_whitespace() && *c != '-')
                .collect();
            paper
                .line()
                .expose(|line| assert_eq!(*line, plain.to_ascii_lowercase()));
        }
        Err(error) => drop(said(error)),
    }
}

/// What frames carry together: what is a document has one form, and comes back as it is.
pub(crate) fn document(bytes: &[u8]) {
    let scanned = match payload::unpack(bytes) {
        Ok(scanned) => scanned,
        Err(error) => return drop(said(error)),
    };
    assert!(scanned.len() <= MAX_DOCUMENT_BYTES);
    match Document::of_scan(&scanned) {
        Ok(document) => {
            assert_eq!(document.canonical(), scanned);
            let again = payload::pack(document.canonical()).unwrap();
            assert_eq!(payload::unpack(&again).unwrap(), scanned);
        }
        // A plan lists all that is wrong with it.
        Err(error) => listed(error),
    }
}

/// A picture from anywhere: a text, nothing, or a reason.
pub(crate) fn picture(bytes: &[u8]) {
    match Picture::read(bytes) {
        Ok(picture) => drop(picture.text()),
        Err(error) => drop(said(error)),
    }
}

/// Frames of two documents in turn, and ones that are none.
pub(crate) fn seeds_of_lines() -> Vec<(&'static str, Vec<u8>)> {
    let frames = |fill: u8, fragment| {
        let payload = (0..240u8).map(|at| at.wrapping_mul(fill)).collect();
        Frames::new(DOCUMENT_TYPE, payload, fragment).unwrap()
    };
    let mixed = frames(7, 50).zip(frames(31, 60)).skip(3).take(8);
    let mixed: Vec<String> = mixed.flat_map(|(one, other)| [one, other]).collect();
    let single = frames(1, 300).next().unwrap_or_default();
    vec![
        ("mixed", mixed.join("\n").into_bytes()),
        ("single", single.into_bytes()),
        (
            "strange",
            b"ur:conclave/1-5000000/aeae\nhttps://example.org\nur:bytes/ae".to_vec(),
        ),
    ]
}

/// A small code as a picture.
pub(crate) fn seed_of_picture() -> Vec<u8> {
    Symbol::new("UR:CONCLAVE/AEADAO").map_or_else(|_| Vec::new(), |symbol| symbol.png(2))
}
