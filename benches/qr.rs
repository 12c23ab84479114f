//! How long QR codes take: to make them, to put frames together, to find one in a picture.
//!
//! `cargo bench --bench qr`. Not what people wait for, which is the number of codes at five a second,
//! but what has to be done between two of them.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::missing_docs_in_private_items,
    reason = "a benchmark may fail and count"
)]

use std::hint::black_box;

use conclave::courier::qr::collect::{Collector, Seen};
use conclave::courier::qr::frames::{DOCUMENT_TYPE, FRAGMENT_BYTES, Frames};
use conclave::courier::qr::payload;
use conclave::courier::qr::sight::Picture;
use conclave::courier::qr::symbol::Symbols;
use conclave_camera::{Level, Random, Setting, Sheet, take};
use criterion::{BenchmarkId, Criterion, Throughput};

fn noise(bytes: usize, random: &mut Random) -> Vec<u8> {
    let byte = |random: &mut Random| u8::try_from(random.below(256)).unwrap();
    (0..bytes).map(|_| byte(random)).collect()
}

fn encode(criterion: &mut Criterion) {
    // JSON of hexadecimal text, as a message is.
    let bytes = noise(4096, &mut Random::new(1));
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let document = format!("{{\"payload\":\"{hex}\"}}");
    criterion.bench_function("encode/pack 4 KiB", |bencher| {
        bencher.iter(|| payload::pack(black_box(document.as_bytes())).unwrap());
    });
    criterion.bench_function("encode/pack 4 KiB and draw 20 codes", |bencher| {
        bencher.iter(|| {
            let packed = payload::pack(black_box(document.as_bytes())).unwrap();
            let symbols = Symbols::new(Frames::new(DOCUMENT_TYPE, packed, FRAGMENT_BYTES).unwrap());
            symbols.unwrap().take(20).collect::<Vec<_>>()
        });
    });
}

fn collect(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("collect");
    for kibibytes in [4usize, 64] {
        let mut random = Random::new(2);
        let bytes = noise(kibibytes << 10, &mut random);
        let frames = Frames::new(DOCUMENT_TYPE, bytes.clone(), FRAGMENT_BYTES).unwrap();
        let count = frames.fragments();
        let mut texts: Vec<String> = frames
            .take(count * 4)
            .filter(|_| !random.percent(30))
            .collect();
        random.shuffle(&mut texts);
        group.throughput(Throughput::Bytes(bytes.len().try_into().unwrap()));
        let id = BenchmarkId::from_parameter(format!("{kibibytes} KiB"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                let mut collector = Collector::default();
                let whole = texts.iter().find_map(|text| match collector.take(text) {
                    Seen::Whole(whole) => Some(whole),
                    _ => None,
                });
                assert_eq!(whole.unwrap().payload, bytes);
            });
        });
    }
    group.finish();
}

fn look(criterion: &mut Criterion) {
    let mut random = Random::new(3);
    let bytes = noise(1200, &mut random);
    let mut symbols =
        Symbols::new(Frames::new(DOCUMENT_TYPE, bytes, FRAGMENT_BYTES).unwrap()).unwrap();
    let sheet = Sheet::of_file(&symbols.next().unwrap().png(1));
    let mut group = criterion.benchmark_group("look at 1280x720");
    group.sample_size(20);
    for level in Level::ALL {
        for inverted in [false, true] {
            let setting = Setting {
                level,
                width: 1280,
                height: 720,
                inverted,
                turned: false,
            };
            let photo = take(Some(&sheet), &setting, &mut random);
            let id = format!("{level:?}{}", if inverted { " inverted" } else { "" });
            // The file's format costs too: a camera gives JPEG.
            for (kind, file) in [("JPEG", photo.jpeg(85)), ("PNG", photo.png())] {
                group.bench_function(BenchmarkId::new(kind, &id), |bencher| {
                    bencher.iter(|| Picture::read(black_box(&file)).unwrap().text());
                });
            }
        }
    }
    let setting = Setting {
        level: Level::Hand,
        width: 1280,
        height: 720,
        inverted: false,
        turned: false,
    };
    let nothing = take(None, &setting, &mut random).jpeg(85);
    group.bench_function("JPEG/no code", |bencher| {
        bencher.iter(|| Picture::read(black_box(&nothing)).unwrap().text());
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    encode(&mut criterion);
    collect(&mut criterion);
    look(&mut criterion);
    criterion.final_summary();
}
