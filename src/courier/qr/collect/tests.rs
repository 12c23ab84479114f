use std::collections::BTreeMap;

use proptest::prelude::*;
use ur::bytewords::Style;

use super::*;
use crate::courier::qr::frames::{DOCUMENT_TYPE, Frames};

/// Numbers that look random and are the same each time.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for at in (1..all.len()).rev() {
            all.swap(at, self.below(at + 1));
        }
    }
}

fn frames(payload: &[u8], fragment: usize) -> Frames {
    Frames::new(DOCUMENT_TYPE, payload.to_vec(), fragment).unwrap()
}

/// The numbers of a part's header and its data.
#[derive(Clone)]
struct Part {
    kind: String,
    sequence: String,
    number: u64,
    count: u64,
    len: u64,
    checksum: u64,
    data: Vec<u8>,
}

impl Part {
    fn of(frame: &str) -> Self {
        let frame = frame.to_ascii_lowercase();
        let parts: Vec<&str> = frame.split(['/', ':']).collect();
        let body = ur::bytewords::decode(parts[3], Style::Minimal).unwrap();
        let mut decoder = minicbor::Decoder::new(&body);
        assert_eq!(decoder.array().unwrap(), Some(5));
        Self {
            kind: parts[1].to_owned(),
            sequence: parts[2].to_owned(),
            number: decoder.u64().unwrap(),
            count: decoder.u64().unwrap(),
            len: decoder.u64().unwrap(),
            checksum: decoder.u64().unwrap(),
            data: decoder.bytes().unwrap().to_vec(),
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut encoder = minicbor::Encoder::new(Vec::new());
        let header = [self.number, self.count, self.len, self.checksum];
        encoder.array(5).unwrap();
        for number in header {
            encoder.u64(number).unwrap();
        }
        encoder.bytes(&self.data).unwrap();
        encoder.into_writer()
    }

    /// The frame again, with a right checksum of its words.
    fn frame(&self) -> String {
        frame_of(&self.kind, &self.sequence, &self.body())
    }

    fn numbered(mut self, number: u64, count: u64) -> Self {
        (self.number, self.count) = (number, count);
        self.sequence = format!("{number}-{count}");
        self
    }
}

fn frame_of(kind: &str, sequence: &str, body: &[u8]) -> String {
    format!(
        "ur:{kind}/{sequence}/{}",
        ur::bytewords::encode(body, Style::Minimal)
    )
}

/// A frame with other data than it should have.
fn forged(frame: &str) -> String {
    let mut part = Part::of(frame);
    part.data[0] ^= 0x55;
    part.frame()
}

/// Takes frames until a payload is whole; returns it.
fn whole(collector: &mut Collector, frames: impl IntoIterator<Item = String>) -> Option<Whole> {
    frames
        .into_iter()
        .find_map(|frame| match collector.take(&frame) {
            Seen::Whole(whole) => Some(whole),
            Seen::Strange(why) => panic!("{why}: {frame}"),
            _ => None,
        })
}

/// A reader that came late and misses some: how many frames were shown until it had all.
fn shown_until_whole(payload: &[u8], fragment: usize, percent: usize, lot: &mut Lot) -> usize {
    let shown = frames(payload, fragment);
    let count = shown.fragments();
    let join = lot.below(count * 3);
    let mut collector = Collector::default();
    for (at, frame) in shown.skip(join).take(count * 16 + 200).enumerate() {
        if lot.below(100) < percent {
            continue;
        }
        match collector.take(&frame) {
            Seen::Whole(whole) => {
                assert_eq!(whole.payload, payload);
                assert_eq!(collector.open().count(), 0);
                return at + 1;
            }
            Seen::Part(progress) => assert!(progress.percent() < 100, "{progress:?}"),
            Seen::Known => {}
            other => panic!("{other:?}"),
        }
    }
    panic!("{count} fragments, joined at {join}, {percent} % lost: never whole");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whoever_comes_late_and_misses_half_has_it_in_the_end(
        len in prop_oneof![1usize..2000, 1usize..=MAX_PAYLOAD_BYTES],
        fragment in 50usize..=900,
        percent in 30usize..=50,
        seed in 1u64..u64::MAX,
    ) {
        let mut lot = Lot(seed);
        let payload = lot.bytes(len);
        shown_until_whole(&payload, fragment, percent, &mut lot);
    }

    #[test]
    fn any_order_will_do(
        len in 1usize..20_000,
        fragment in 50usize..=900,
        seed in 1u64..u64::MAX,
    ) {
        let mut lot = Lot(seed);
        let payload = lot.bytes(len);
        let shown = frames(&payload, fragment);
        let count = shown.fragments();
        let mut some: Vec<String> = shown.take(count * 6 + 60).collect();
        lot.shuffle(&mut some);
        let found = whole(&mut Collector::default(), some).unwrap();
        prop_assert_eq!(found.payload, payload);
    }

    #[test]
    fn no_text_is_more_than_strange(text in "\\PC{0,80}|ur:[a-z-]{0,5}/[0-9-]{0,6}/?[a-z]{0,60}") {
        let mut collector = Collector::default();
        prop_assert!(matches!(collector.take(&text), Seen::Strange(_)), "{}", text);
        prop_assert_eq!(collector.open().count(), 0);
    }

    #[test]
    fn a_small_payload_survives_one_forged_frame(
        wanted in 2usize..=64,
        at in 0usize..60,
        percent in 0usize..=50,
        seed in 1u64..u64::MAX,
    ) {
        let mut lot = Lot(seed);
        let payload = lot.bytes(wanted * 50);
        let shown = frames(&payload, 50);
        let count = shown.fragments();
        prop_assert_eq!(count, wanted);
        let mut collector = Collector::default();
        let mut taken = 0;
        let mut found = None;
        for frame in shown.skip(lot.below(count * 2)).take(count * 24 + 300) {
            if lot.below(100) < percent {
                continue;
            }
            let frame = if taken == at % count { forged(&frame) } else { frame };
            taken += 1;
            match collector.take(&frame) {
                Seen::Whole(whole) => {
                    found = Some(whole.payload);
                    break;
                }
                Seen::Part(progress) => prop_assert!(progress.percent() < 100),
                Seen::Known => {}
                other => prop_assert!(false, "{:?} after {}", other, taken),
            }
        }
        prop_assert_eq!(found, Some(payload));
    }
}

#[test]
fn elimination_needs_few_frames_more_than_there_are_fragments() {
    let mut lot = Lot(7);
    for (len, fragment, percent, median, worst) in [
        (4_096, 300, 0, 26, 60),
        (4_096, 300, 30, 34, 80),
        (16_384, 300, 30, 120, 200),
        (16_384, 300, 50, 185, 300),
    ] {
        let mut shown: Vec<usize> = (0..60)
            .map(|_| {
                let payload = lot.bytes(len);
                shown_until_whole(&payload, fragment, percent, &mut lot)
            })
            .collect();
        shown.sort_unstable();
        println!(
            "{len} bytes in fragments of {fragment}, {percent} % lost: median {}, most {}",
            shown[30], shown[59]
        );
        assert!(shown[30] <= median && shown[59] <= worst, "{shown:?}");
    }
}

#[test]
fn frames_of_several_payloads_do_not_hinder_each_other() {
    let mut lot = Lot(11);
    let payloads: Vec<Vec<u8>> = (0..MAX_OPEN - 1)
        .map(|at| lot.bytes(900 + 700 * at))
        .collect();
    let mut mixed: Vec<String> = payloads
        .iter()
        .flat_map(|payload| {
            let shown = frames(payload, 100);
            let count = shown.fragments();
            shown.take(count * 4 + 40).collect::<Vec<_>>()
        })
        .collect();
    lot.shuffle(&mut mixed);
    let mut collector = Collector::default();
    let mut found = Vec::new();
    for frame in mixed {
        match collector.take(&frame) {
            Seen::Whole(whole) => found.push(whole.payload),
            Seen::Part(_) | Seen::Known => {}
            other => panic!("{other:?}"),
        }
    }
    found.sort_by_key(Vec::len);
    assert_eq!(found, payloads);
    assert_eq!(collector.open().count(), 0);
}

#[test]
fn a_stale_frame_that_comes_first_does_not_block() {
    let mut lot = Lot(13);
    let (stale, payload) = (lot.bytes(4096), lot.bytes(4096));
    let mut collector = Collector::default();
    let first = frames(&stale, 300).next().unwrap();
    assert!(matches!(collector.take(&first), Seen::Part(_)));
    let shown = frames(&payload, 300);
    let count = shown.fragments();
    let found = whole(&mut collector, shown.take(count)).unwrap();
    assert_eq!((found.payload, found.frames), (payload, count));
    assert_eq!(found.kind, DOCUMENT_TYPE);
    let left: Vec<usize> = collector.open().map(|open| open.known).collect();
    assert_eq!(left, [1]);
}

#[test]
fn a_large_payload_with_a_forged_frame_is_collected_anew() {
    let mut lot = Lot(17);
    let payload = lot.bytes(50 * (MAX_DOUBTED + 1));
    let mut shown = frames(&payload, 50);
    let count = shown.fragments();
    assert!(count > MAX_DOUBTED);
    let mut collector = Collector::default();
    let mut last = Seen::Known;
    for at in 0..count {
        let frame = shown.next().unwrap();
        let frame = if at == 3 { forged(&frame) } else { frame };
        last = collector.take(&frame);
    }
    assert!(matches!(last, Seen::Broken(_)), "{last:?}");
    assert_eq!(collector.open().next().unwrap().known, 0);
    let found = whole(&mut collector, shown.take(count * 4 + 40)).unwrap();
    assert_eq!(found.payload, payload);
}

#[test]
fn two_forged_frames_are_found_out_and_all_is_collected_anew() {
    let mut lot = Lot(19);
    let payload = lot.bytes(1000);
    let mut shown = frames(&payload, 100);
    let count = shown.fragments();
    let mut collector = Collector::default();
    for at in 0..count {
        let frame = shown.next().unwrap();
        let frame = if at < 2 { forged(&frame) } else { frame };
        assert!(matches!(collector.take(&frame), Seen::Part(_)));
    }
    let mut broken = 0;
    let found = shown
        .take(400)
        .find_map(|frame| match collector.take(&frame) {
            Seen::Whole(whole) => Some(whole.payload),
            Seen::Broken(_) => {
                broken += 1;
                None
            }
            _ => None,
        });
    assert_eq!((found, broken), (Some(payload), 1));
}

#[test]
fn a_payload_whose_checksum_is_wrong_is_never_whole() {
    let mut lot = Lot(23);
    for len in [300usize, 50 * (MAX_DOUBTED + 6)] {
        let payload = lot.bytes(len);
        let mut collector = Collector::default();
        for frame in frames(&payload, 50).take(len / 50 * 5 + 100) {
            let mut part = Part::of(&frame);
            // Its mixtures are others for another checksum, so only fragments are left.
            if part.number > part.count {
                continue;
            }
            part.checksum ^= 1;
            let seen = collector.take(&part.frame());
            assert!(!matches!(seen, Seen::Whole(_)), "{seen:?}");
        }
    }
}

#[test]
fn forged_headers_without_end_cost_little_and_spare_what_is_advanced() {
    let mut lot = Lot(29);
    let payload = lot.bytes(4096);
    let mut shown = frames(&payload, 300);
    let count = shown.fragments();
    let mut collector = Collector::default();
    let template = Part::of(&shown.next().unwrap());
    for _ in 1..count / 2 {
        collector.take(&shown.next().unwrap());
    }
    let advanced = collector.open().next().unwrap();
    assert!(advanced.known > 2);
    let begun = std::time::Instant::now();
    for number in 0..10_000u64 {
        let mut part = template.clone();
        part.checksum = number;
        let seen = collector.take(&part.frame());
        assert!(matches!(seen, Seen::Part(_)), "{seen:?}");
        assert!(collector.open.len() <= MAX_OPEN);
    }
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    assert!(collector.open().any(|open| open == advanced));
    let found = whole(&mut collector, shown.take(count * 2 + 40)).unwrap();
    assert_eq!(found.payload, payload);
}

#[test]
fn one_who_comes_while_others_are_far_is_collected() {
    let mut lot = Lot(31);
    let mut collector = Collector::default();
    for _ in 0..MAX_OPEN {
        for frame in frames(&lot.bytes(1000), 100).take(9) {
            collector.take(&frame);
        }
    }
    assert_eq!(collector.open().count(), MAX_OPEN);
    let payload = lot.bytes(1000);
    let found = whole(&mut collector, frames(&payload, 100).take(10)).unwrap();
    assert_eq!(found.payload, payload);
    assert_eq!(collector.open().count(), MAX_OPEN - 1);
}

#[test]
fn a_header_out_of_bounds_is_strange_and_costs_nothing() {
    let payload = Lot(37).bytes(1000);
    let good = Part::of(&frames(&payload, 100).next().unwrap());
    let with = |change: &dyn Fn(&mut Part)| {
        let mut part = good.clone();
        change(&mut part);
        part.frame()
    };
    let over = u64::from(u32::MAX) + 1;
    let mut long = good.body();
    long.push(0);
    let mut four = good.body();
    four[0] = 0x84;
    let mut six = good.body();
    six[0] = 0x86;
    six.push(0);
    let cases: BTreeMap<&str, String> = BTreeMap::from([
        ("no fragment", good.clone().numbered(1, 0).frame()),
        ("five million", good.clone().numbered(1, 5_000_000).frame()),
        ("one too many", {
            let mut part = good.clone().numbered(1, MAX_FRAGMENTS as u64 + 1);
            part.len = part.count * 100;
            part.frame()
        }),
        ("number 0", good.clone().numbered(0, 10).frame()),
        ("number over u32", good.clone().numbered(over, 10).frame()),
        ("no bytes", with(&|part| part.len = 0)),
        ("more than fits", {
            let mut part = good.clone().numbered(1, MAX_FRAGMENTS as u64);
            part.len = MAX_PAYLOAD_BYTES as u64 + 1;
            part.data = vec![0; 164];
            part.frame()
        }),
        ("length over u32", with(&|part| part.len = over + 1000)),
        ("checksum over u32", with(&|part| part.checksum += over)),
        ("shorter data", with(&|part| part.data.truncate(99))),
        ("longer data", with(&|part| part.data.push(0))),
        ("no data", with(&|part| part.data.clear())),
        (
            "too few bytes for so many",
            with(&|part| {
                part.len = 1;
                part.data = vec![0];
            }),
        ),
        (
            "another number outside",
            with(&|part| part.sequence = "2-10".to_owned()),
        ),
        (
            "another count outside",
            with(&|part| part.sequence = "1-11".to_owned()),
        ),
        (
            "no number outside",
            with(&|part| part.sequence = "-10".to_owned()),
        ),
        (
            "one number outside",
            with(&|part| part.sequence = "1".to_owned()),
        ),
        (
            "three numbers outside",
            with(&|part| part.sequence = "1-10-1".to_owned()),
        ),
        ("bytes after it", frame_of(DOCUMENT_TYPE, "1-10", &long)),
        ("four of five", frame_of(DOCUMENT_TYPE, "1-10", &four)),
        ("six", frame_of(DOCUMENT_TYPE, "1-10", &six)),
        ("nothing", frame_of(DOCUMENT_TYPE, "1-10", &[])),
        ("no CBOR", frame_of(DOCUMENT_TYPE, "1-10", &[0xff; 40])),
        ("no type", with(&|part| part.kind = String::new())),
        ("a long type", with(&|part| part.kind = "a".repeat(65))),
        (
            "a type with a sign",
            with(&|part| part.kind = "con_clave".to_owned()),
        ),
        ("no words", "ur:conclave/1-10/".to_owned()),
        ("wrong words", "ur:conclave/1-10/zz".to_owned()),
        ("other letters", "ur:conclave/1-10/ää".to_owned()),
        ("another scheme", with(&|_| ()).replace("ur:", "up:")),
        ("nothing at all", String::new()),
        ("a text without end", "A".repeat(MAX_FRAME_CHARS + 1)),
    ]);
    let mut collector = Collector::default();
    assert!(matches!(collector.take(&good.frame()), Seen::Part(_)));
    let begun = std::time::Instant::now();
    for (name, frame) in &cases {
        let seen = collector.take(frame);
        assert!(matches!(seen, Seen::Strange(_)), "{name}: {seen:?}");
    }
    assert!(begun.elapsed().as_millis() < 1000, "{:?}", begun.elapsed());
    assert_eq!(collector.open().count(), 1);
}

#[test]
fn the_largest_header_that_is_allowed_is_taken() {
    let payload = Lot(41).bytes(MAX_PAYLOAD_BYTES);
    let shown = frames(&payload, 50);
    assert_eq!(shown.fragments(), MAX_FRAGMENTS);
    let found = whole(&mut Collector::default(), shown.take(MAX_FRAGMENTS)).unwrap();
    assert_eq!(found.payload, payload);
    // Whoever watches for years sees a number that high.
    let last = Part::of(&frames(&payload, 50).next().unwrap());
    let late = last.numbered(u64::from(u32::MAX), MAX_FRAGMENTS as u64);
    assert!(matches!(
        Collector::default().take(&late.frame()),
        Seen::Part(_)
    ));
}

#[test]
fn copies_say_nothing_new() {
    let payload = Lot(43).bytes(1000);
    let shown: Vec<String> = frames(&payload, 100).take(10).collect();
    let mut collector = Collector::default();
    for frame in &shown[..9] {
        assert!(matches!(collector.take(frame), Seen::Part(_)));
        assert_eq!(collector.take(frame), Seen::Known);
    }
    assert_eq!(collector.open().next().unwrap().percent(), 90);
    assert!(matches!(collector.take(&shown[9]), Seen::Whole(_)));
    for frame in &shown {
        assert_eq!(collector.take(frame), Seen::Known);
    }
    let single = frames(b"short", 100).next().unwrap();
    assert!(matches!(collector.take(&single), Seen::Whole(_)));
    assert_eq!(collector.take(&single), Seen::Known);
}

#[test]
fn one_payload_of_two_types_is_two() {
    let payload = b"the same bytes".to_vec();
    let mut collector = Collector::default();
    // Each keeps its type, whether it is known here or not.
    for kind in ["crypto-psbt", "bytes", "x-1", "conclave"] {
        let frame = Frames::new(kind, payload.clone(), 100)
            .unwrap()
            .next()
            .unwrap();
        let found = whole(&mut collector, [frame]).expect(kind);
        assert_eq!((found.kind.as_str(), &found.payload), (kind, &payload));
        let parts = Frames::new(kind, vec![7; 500], 100).unwrap().take(5);
        assert_eq!(whole(&mut collector, parts).expect(kind).kind, kind);
    }
}

#[test]
fn progress_is_whole_only_at_the_end() {
    for of in [1usize, 2, 3, 7, 99, 101, MAX_FRAGMENTS] {
        for known in 0..=of {
            let progress = Progress {
                checksum: 0,
                known,
                of,
            };
            assert_eq!(progress.percent() == 100, known == of, "{progress:?}");
        }
    }
}

#[test]
fn letters_may_be_large_or_small() {
    let payload = Lot(47).bytes(1000);
    for small in [true, false] {
        let shown = frames(&payload, 100).take(10).map(|frame| match small {
            true => format!("  {}\r", frame.to_ascii_lowercase()),
            false => {
                assert_eq!(frame, frame.to_ascii_uppercase());
                frame
            }
        });
        let found = whole(&mut Collector::default(), shown).unwrap();
        assert_eq!(
            (found.payload, found.kind.as_str()),
            (payload.clone(), "conclave")
        );
    }
}

#[test]
fn the_crate_that_others_use_understands_these_frames_and_they_its() {
    let mut lot = Lot(59);
    for len in [1usize, 50, 51, 1000, 12_345] {
        let payload = lot.bytes(len);
        let mut shown = frames(&payload, 100);
        let count = shown.fragments();
        if count == 1 {
            let text = shown.next().unwrap().to_ascii_lowercase();
            let (kind, read) = ur::decode(&text).unwrap();
            assert_eq!((kind, read), (ur::ur::Kind::SinglePart, payload.clone()));
        } else {
            let mut decoder = ur::Decoder::default();
            let mut taken = 0;
            // It wants mixtures that it can peel, so it takes more of them.
            for frame in shown.skip(count).take(count * 30) {
                taken += 1;
                decoder.receive(&frame.to_ascii_lowercase()).unwrap();
                if decoder.complete() {
                    break;
                }
            }
            assert_eq!(decoder.message().unwrap(), Some(payload.clone()), "{taken}");
            assert_eq!(decoder.ur_type(), Some(DOCUMENT_TYPE));
        }
        let mut encoder = ur::Encoder::new(&payload, 77, "bytes").unwrap();
        let theirs = std::iter::from_fn(|| encoder.next_part().ok());
        let found = whole(&mut Collector::default(), theirs.skip(3).take(2000)).unwrap();
        assert_eq!((found.kind.as_str(), found.payload), ("bytes", payload));
    }
}
