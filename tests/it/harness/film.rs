//! Pictures of several screens as they lie in a folder: some frames missed, the rest in no order,
//! between pictures of other things.

use std::fs;
use std::path::Path;

use conclave::courier::qr::symbol::Symbol;
use conclave_camera::{Level, Random, Setting, Sheet, take};

use crate::harness::disk::every_file;

/// The share of frames that a camera misses, in percent.
pub(crate) const MISSED: usize = 30;

/// The pictures that somebody takes.
pub(crate) struct Film {
    random: Random,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Film {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            files: Vec::new(),
        }
    }

    /// Films a screen that shows every picture of a folder once.
    pub(crate) fn screen(&mut self, shown: &Path) {
        for (_, frame) in every_file(shown) {
            if !self.random.percent(MISSED) {
                self.shoot(Some(&Sheet::of_file(&frame)));
            }
        }
    }

    /// A few pictures of some other screen: too few to put together what it shows.
    pub(crate) fn glimpse(&mut self, shown: &Path, pictures: usize) {
        for (_, frame) in every_file(shown).into_iter().take(pictures) {
            self.shoot(Some(&Sheet::of_file(&frame)));
        }
    }

    /// Pictures of a wall, of codes of others, of no picture at all.
    pub(crate) fn clutter(&mut self) {
        self.shoot(None);
        for text in [
            "https://example.org/menu",
            "WIFI:T:WPA;S:guests;P:welcome;;",
            "UR:CONCLAVE/1-3/NOTWORDS",
        ] {
            self.shoot(Some(&Sheet::of_file(&Symbol::new(text).unwrap().png(1))));
        }
        self.files.push(("jpg", b"no picture".to_vec()));
    }

    fn shoot(&mut self, sheet: Option<&Sheet>) {
        let random = &mut self.random;
        let (width, height) = [(640, 480), (800, 600), (800, 600), (1280, 720)][random.below(4)];
        let setting = Setting {
            level: [Level::Desk, Level::Hand][random.below(2)],
            width,
            height,
            inverted: random.percent(20),
            turned: height == 720 && random.percent(50),
        };
        let photo = take(sheet, &setting, random);
        self.files.push(match random.percent(70) {
            true => ("jpg", photo.jpeg([60, 75, 90][random.below(3)])),
            false => ("png", photo.png()),
        });
    }

    /// Puts them into a folder, beside what lies there, in no order.
    pub(crate) fn develop(mut self, into: &Path) -> usize {
        fs::create_dir_all(into).unwrap();
        let before = fs::read_dir(into).unwrap().count();
        self.random.shuffle(&mut self.files);
        let count = self.files.len();
        for ((ends, bytes), number) in self.files.into_iter().zip(before..) {
            fs::write(into.join(format!("IMG_{number:04}.{ends}")), bytes).unwrap();
        }
        count
    }
}
