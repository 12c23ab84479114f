//! One frame as a QR code: on a terminal, as a picture, and as bits for a page.

use fast_qr::{ECL, QRBuilder, QRCode, Version};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::frames::Frames;

/// Light modules around a code (ISO/IEC 18004 section 9.1).
pub const QUIET: usize = 4;

/// A text that no QR code holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} characters do not fit into a QR code")]
pub struct TooLong(pub usize);

/// The modules of a QR code with error correction level L: screens do not get dirty, and a frame that
/// is not read comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    size: usize,
    dark: Vec<bool>,
}

impl Symbol {
    /// Draws a text as the smallest code that holds it.
    pub fn new(text: &str) -> Result<Self, TooLong> {
        let code = draw(text, None)?;
        Ok(Self::of(&code))
    }

    fn of(code: &QRCode) -> Self {
        let size = code.size;
        let modules = code.data.iter().take(size.saturating_mul(size));
        Self {
            size,
            dark: modules.map(|module| module.value()).collect(),
        }
    }

    /// Modules on each side, without the quiet zone: 21 to 177.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Modules on each side with the quiet zone.
    pub fn full(&self) -> usize {
        self.size.saturating_add(QUIET.saturating_mul(2))
    }

    /// Whether a module is dark, counted with the quiet zone.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < self.size);
        let (Some(x), Some(y)) = (inside(x), inside(y)) else {
            return false;
        };
        let at = y.saturating_mul(self.size).saturating_add(x);
        self.dark.get(at).copied().unwrap_or(false)
    }

    /// Lines of half blocks, two modules high and one wide, quiet zone included: dark is the
    /// foreground, light is the background.
    pub fn half_blocks(&self) -> Vec<String> {
        let full = self.full();
        (0..full)
            .step_by(2)
            .map(|y| {
                (0..full)
                    .map(|x| {
                        let below = y.saturating_add(1);
                        match (self.is_dark(x, y), self.is_dark(x, below)) {
                            (true, true) => '█',
                            (true, false) => '▀',
                            (false, true) => '▄',
                            (false, false) => ' ',
                        }
                    })
                    .collect()
            })
            .collect()
    }

    /// The modules, row by row without the quiet zone, eight a byte, the first one highest.
    pub fn bits(&self) -> Vec<u8> {
        self.dark
            .chunks(8)
            .map(|chunk| {
                chunk.iter().zip(0u32..).fold(0u8, |byte, (dark, at)| {
                    byte | (u8::from(*dark) << 7u32.saturating_sub(at))
                })
            })
            .collect()
    }

    /// A PNG picture with this many pixels a module, 1 to 32.
    pub fn png(&self, scale: usize) -> Vec<u8> {
        let scale = scale.clamp(1, 32);
        let side = self.full().saturating_mul(scale);
        let module = |at: usize| at.checked_div(scale).unwrap_or(at);
        let mut pixels = Vec::with_capacity(side.saturating_mul(side));
        for y in 0..side {
            let row = (0..side).map(|x| {
                if self.is_dark(module(x), module(y)) {
                    0
                } else {
                    255
                }
            });
            pixels.extend(row);
        }
        let side = u32::try_from(side).unwrap_or(0);
        let mut png = Vec::new();
        let written =
            PngEncoder::new(&mut png).write_image(&pixels, side, side, ExtendedColorType::L8);
        debug_assert!(written.is_ok(), "memory takes what is written to it");
        png
    }
}

/// The codes of a payload, all of one size: one that changes is one that a camera loses.
#[derive(Debug)]
pub struct Symbols {
    frames: Frames,
    size: usize,
    version: Option<Version>,
}

impl Symbols {
    /// Draws the frames of a payload.
    pub fn new(frames: Frames) -> Result<Self, TooLong> {
        let longest = "A".repeat(frames.longest());
        let code = draw(&longest, None)?;
        Ok(Self {
            frames,
            size: code.size,
            version: code.version,
        })
    }

    /// The frames.
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// Modules on each side with the quiet zone.
    pub fn full(&self) -> usize {
        self.size.saturating_add(QUIET.saturating_mul(2))
    }
}

impl Iterator for Symbols {
    type Item = Symbol;

    /// The next code; there is always one.
    fn next(&mut self) -> Option<Symbol> {
        let text = self.frames.next()?;
        let code = draw(&text, self.version).or_else(|_| draw(&text, None));
        code.ok().map(|code| Symbol::of(&code))
    }
}

fn draw(text: &str, version: Option<Version>) -> Result<QRCode, TooLong> {
    let mut builder = QRBuilder::new(text);
    builder.ecl(ECL::L);
    if let Some(version) = version {
        builder.version(version);
    }
    builder.build().map_err(|_| TooLong(text.len()))
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests reckon with small numbers"
)]
mod tests {
    use super::*;
    use crate::courier::qr::frames::DOCUMENT_TYPE;
    use crate::courier::qr::sight::Picture;

    fn payload(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * at * 31 % 251) as u8).collect()
    }

    /// The codes of every size that a payload can have are read back as they were drawn.
    #[test]
    fn what_is_drawn_is_what_was_said() {
        for fragment in [50usize, 100, 300, 550, 900] {
            let texts = Frames::new(DOCUMENT_TYPE, payload(4096), fragment).unwrap();
            let frames = Frames::new(DOCUMENT_TYPE, payload(4096), fragment).unwrap();
            let symbols = Symbols::new(frames).unwrap();
            let full = symbols.full();
            for (text, symbol) in texts.zip(symbols).skip(2).take(2) {
                assert_eq!(symbol.full(), full);
                let picture = Picture::read(&symbol.png(4)).unwrap();
                assert_eq!(picture.text(), Some(text), "{fragment}");
            }
        }
    }

    #[test]
    fn all_codes_of_a_payload_have_one_size() {
        for fragment in [50usize, 75, 250, 800] {
            let symbols =
                Symbols::new(Frames::new(DOCUMENT_TYPE, payload(3000), fragment).unwrap()).unwrap();
            let full = symbols.full();
            // Numbers of one to four digits, whatever the number of fragments.
            assert!(symbols.take(1100).all(|symbol| symbol.full() == full));
        }
    }

    /// Lines, bits and pixels say the same.
    #[test]
    fn every_form_shows_the_same_modules() {
        let symbol = Symbol::new("UR:CONCLAVE/AEAD").unwrap();
        let full = symbol.full();
        let lines = symbol.half_blocks();
        assert_eq!(lines.len(), full.div_ceil(2));
        assert!(lines.iter().all(|line| line.chars().count() == full));
        for (y, x) in (0..full).flat_map(|y| (0..full).map(move |x| (y, x))) {
            let block = lines[y / 2].chars().nth(x).unwrap();
            let shown = match y % 2 {
                0 => "█▀".contains(block),
                _ => "█▄".contains(block),
            };
            assert_eq!(symbol.is_dark(x, y), shown, "{x} {y}");
            let quiet = |at: usize| at < QUIET || at >= full - QUIET;
            if quiet(x) || quiet(y) {
                assert!(!shown, "{x} {y}");
            } else {
                let at = (y - QUIET) * symbol.size() + x - QUIET;
                let bit = symbol.bits()[at / 8] >> (7 - at % 8) & 1;
                assert_eq!(shown, bit == 1, "{x} {y}");
            }
        }
        // The upper left finder.
        assert!(symbol.is_dark(QUIET, QUIET) && !symbol.is_dark(QUIET + 1, QUIET + 1));
        let png = image::load_from_memory(&symbol.png(3))
            .unwrap()
            .into_luma8();
        assert_eq!(png.dimensions(), (full as u32 * 3, full as u32 * 3));
        for (x, y, pixel) in png.enumerate_pixels() {
            assert_eq!(
                pixel.0[0] == 0,
                symbol.is_dark(x as usize / 3, y as usize / 3)
            );
        }
    }

    #[test]
    fn what_no_code_holds_is_refused() {
        let longest = "A".repeat(4296);
        assert_eq!(Symbol::new(&longest).unwrap().size(), 177);
        assert_eq!(Symbol::new(&format!("{longest}A")), Err(TooLong(4297)));
    }
}
