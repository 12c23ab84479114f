//! QR codes found in pictures.
//!
//! Pictures come from anywhere: their size is bounded before anything is decoded, and whatever a
//! decoder does not survive is a picture without a code.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageReader, Limits};
use rxing::{BarcodeFormat, DecodeHints};

/// The most bytes of a picture's file: 32 MiB.
pub const MAX_PICTURE_BYTES: usize = 32 << 20;

/// The most pixels on a picture's side.
const MAX_SIDE: u32 = 16_384;

/// The most memory that decoding a picture may take: 512 MiB, a photo of 100 megapixels.
const MAX_MEMORY: u64 = 512 << 20;

/// Codes are looked for in a copy of about this many pixels on the longer side first, then in
/// larger ones: small copies have less noise and cost less.
const FIRST_SIDE: u32 = 640;

/// The largest copy that is looked at. A code that fills a tenth of it still has enough pixels.
const LAST_SIDE: u32 = 4_096;

thread_local! {
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a decoder, whose panic is caught and is no bug of this program.
pub fn is_looking() -> bool {
    LOOKING.get()
}

/// Lets a decoder look; nothing if it does not survive what it sees.
fn survived<T>(look: impl FnOnce() -> T) -> Option<T> {
    LOOKING.set(true);
    let seen = catch_unwind(AssertUnwindSafe(look));
    LOOKING.set(false);
    seen.ok()
}

/// Why a file is no picture that can be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Neither PNG nor JPEG.
    #[error("it is neither a PNG nor a JPEG picture")]
    Format,
    /// Larger than any camera's.
    #[error("the picture is too large: {MAX_SIDE} pixels on a side at the most")]
    TooLarge,
    /// Broken.
    #[error("the picture is damaged: {0}")]
    Damaged(String),
}

/// What a decoder says, in one line: some of them end theirs.
fn damaged(error: &dyn std::fmt::Display) -> PictureError {
    let text = error.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    PictureError::Damaged(words.join(" "))
}

/// Brightnesses, row by row: always `ImageLuma8`.
#[derive(Debug, Clone)]
pub struct Picture(DynamicImage);

impl Picture {
    /// Reads a PNG or JPEG file of at most [`MAX_PICTURE_BYTES`].
    pub fn read(bytes: &[u8]) -> Result<Self, PictureError> {
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|error| damaged(&error))?;
        if reader.format().is_none() {
            return Err(PictureError::Format);
        }
        let mut limits = Limits::default();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_MEMORY);
        reader.limits(limits);
        match survived(|| reader.decode()) {
            Some(Ok(picture)) => Ok(picture.into_luma8().into()),
            Some(Err(image::ImageError::Limits(_))) => Err(PictureError::TooLarge),
            Some(Err(image::ImageError::Unsupported(_))) => Err(PictureError::Format),
            Some(Err(error)) => Err(damaged(&error)),
            None => Err(PictureError::Damaged("its decoder gave up".to_owned())),
        }
    }

    /// Takes a camera's frame in the form YUYV, where every second byte is a brightness and a line is
    /// `stride` bytes long; nothing if it is shorter than it should be.
    pub fn of_yuyv(width: u32, height: u32, stride: u32, bytes: &[u8]) -> Option<Self> {
        let wanted = usize::try_from(width).ok()?;
        let stride = usize::try_from(stride).ok()?.max(1);
        let brightness: Vec<u8> = bytes
            .chunks(stride)
            .take(usize::try_from(height).ok()?)
            .flat_map(|line| line.iter().step_by(2).take(wanted).copied())
            .collect();
        // The buffer must have exactly as many as there are pixels, or lines would be shifted.
        let pixels = u64::from(width).checked_mul(u64::from(height))?;
        (brightness.len() as u64 == pixels).then_some(())?;
        GrayImage::from_raw(width, height, brightness).map(Self::from)
    }

    /// Reads the text of a QR code in it, dark on light or light on dark, in any direction.
    pub fn text(&self) -> Option<String> {
        let (width, height) = (self.0.width(), self.0.height());
        let longest = width.max(height);
        // Half the size again and again, down to a small copy; looked at from that one up.
        let sizes: Vec<u32> = (0u32..16)
            .map_while(|halvings| {
                let before = longest.checked_shl(1)?.checked_shr(halvings)?;
                (halvings == 0 || before > FIRST_SIDE).then_some(halvings)
            })
            .collect();
        sizes.into_iter().rev().find_map(|halvings| {
            let half = |side: u32| side.checked_shr(halvings).unwrap_or(0).max(1);
            match halvings {
                _ if half(longest) > LAST_SIDE => None,
                0 => text_of(self.0.to_luma8()),
                _ => {
                    let (width, height) = (half(width), half(height));
                    let smaller = self.0.resize_exact(width, height, FilterType::Triangle);
                    text_of(smaller.into_luma8())
                }
            }
        })
    }
}

impl From<GrayImage> for Picture {
    fn from(picture: GrayImage) -> Self {
        Self(picture.into())
    }
}

fn text_of(picture: GrayImage) -> Option<String> {
    let (width, height) = picture.dimensions();
    let mut hints = DecodeHints {
        AlsoInverted: Some(true),
        TryHarder: Some(true),
        ..DecodeHints::default()
    };
    let found = survived(|| {
        let format = Some(BarcodeFormat::QR_CODE);
        rxing::helpers::detect_in_luma_with_hints(
            picture.into_raw(),
            width,
            height,
            format,
            &mut hints,
        )
    });
    Some(found?.ok()?.getText().to_owned())
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests reckon with small numbers"
)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder as _, Luma};

    use super::*;
    use crate::courier::qr::symbol::Symbol;

    const TEXT: &str = "UR:CONCLAVE/1-9/LPADASCFADAXCYLAWEHDNYHDFE";

    fn code(scale: usize) -> GrayImage {
        let png = Symbol::new(TEXT).unwrap().png(scale);
        image::load_from_memory(&png).unwrap().into_luma8()
    }

    /// A code on a larger background.
    fn on(side: u32, shade: u8, code: &GrayImage) -> GrayImage {
        let mut picture = GrayImage::from_pixel(side, side, Luma([shade]));
        image::imageops::overlay(&mut picture, code, i64::from(side) / 3, i64::from(side) / 4);
        picture
    }

    fn jpeg(picture: &GrayImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality)
            .write_image(
                picture.as_raw(),
                picture.width(),
                picture.height(),
                ExtendedColorType::L8,
            )
            .unwrap();
        bytes
    }

    #[test]
    fn a_code_is_read_in_any_direction_and_in_any_shade() {
        let picture = on(400, 200, &code(3));
        let mut inverted = picture.clone();
        image::imageops::invert(&mut inverted);
        for upright in [picture, inverted] {
            let turned = [
                upright.clone(),
                image::imageops::rotate90(&upright),
                image::imageops::rotate180(&upright),
                image::imageops::rotate270(&upright),
                image::imageops::flip_horizontal(&upright),
            ];
            for (at, picture) in turned.into_iter().enumerate() {
                assert_eq!(Picture::from(picture).text().as_deref(), Some(TEXT), "{at}");
            }
        }
    }

    #[test]
    fn a_code_is_read_in_pictures_of_any_size() {
        for (scale, side) in [(1usize, 100u32), (2, 300), (8, 1500), (12, 4500)] {
            let picture = Picture::from(on(side, 180, &code(scale)));
            assert_eq!(picture.text().as_deref(), Some(TEXT), "{side}");
        }
    }

    #[test]
    fn a_photo_is_read_from_jpeg() {
        let picture = Picture::read(&jpeg(&on(700, 120, &code(5)), 60)).unwrap();
        assert_eq!(picture.text().as_deref(), Some(TEXT));
    }

    #[test]
    fn what_shows_no_code_is_nothing() {
        for picture in [
            GrayImage::new(0, 0),
            GrayImage::new(1, 1),
            GrayImage::new(1, 5000),
            GrayImage::from_pixel(640, 480, Luma([255])),
            GrayImage::from_fn(640, 480, |x, y| {
                Luma([(x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) as u8])
            }),
        ] {
            assert_eq!(Picture::from(picture).text(), None);
        }
    }

    #[test]
    fn damaged_and_hostile_files_are_refused_and_not_more() {
        let png = Symbol::new(TEXT).unwrap().png(4);
        let jpeg = jpeg(&code(4), 90);
        // A checksum stands at the end of each chunk: what is cut before the picture's end is damaged.
        for end in (8..png.len() - 12).step_by(7) {
            let read = Picture::read(&png[..end]);
            assert!(
                matches!(read, Err(PictureError::Damaged(_))),
                "{end}: {read:?}"
            );
        }
        // Of a cut JPEG something may be left, and be read or not.
        for end in (0..jpeg.len()).step_by(41) {
            if let Ok(picture) = Picture::read(&jpeg[..end]) {
                let text = picture.text();
                assert!(text.is_none_or(|text| text == TEXT));
            }
        }
        for at in (0..png.len()).step_by(3) {
            let mut changed = png.clone();
            changed[at] ^= 0x10;
            if let Ok(picture) = Picture::read(&changed) {
                let _ = picture.text();
            }
        }
        for (name, bytes) in [
            ("nothing", &b""[..]),
            ("text", b"UR:CONCLAVE/AEAD"),
            ("another form", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
            ("one more", b"BM\x3a\0\0\0\0\0\0\0"),
        ] {
            let read = Picture::read(bytes);
            assert!(
                matches!(read, Err(PictureError::Format)),
                "{name}: {read:?}"
            );
        }
    }

    /// A few bytes that claim to be billions.
    #[test]
    fn the_size_is_bounded_before_anything_is_decoded() {
        let png = Symbol::new(TEXT).unwrap().png(1);
        for (width, height) in [(60_000u32, 60_000u32), (MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)] {
            let mut huge = png.clone();
            huge[16..20].copy_from_slice(&width.to_be_bytes());
            huge[20..24].copy_from_slice(&height.to_be_bytes());
            let checksum = crc32fast::hash(&huge[12..29]);
            huge[29..33].copy_from_slice(&checksum.to_be_bytes());
            let read = Picture::read(&huge);
            assert!(matches!(read, Err(PictureError::TooLarge)), "{read:?}");
        }
        let mut photo = jpeg(&code(1), 90);
        let frame = photo
            .windows(2)
            .position(|two| two == [0xff, 0xc0])
            .unwrap();
        photo[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        let read = Picture::read(&photo);
        assert!(matches!(read, Err(PictureError::TooLarge)), "{read:?}");
    }

    #[test]
    fn a_cameras_frame_is_every_second_byte_of_its_lines() {
        let picture = on(200, 150, &code(2));
        let (width, height) = picture.dimensions();
        let mut bytes = Vec::new();
        for line in picture.as_raw().chunks(width as usize) {
            bytes.extend(line.iter().flat_map(|brightness| [*brightness, 0x80]));
            // Lines are filled up to where the hardware wants them.
            bytes.extend([0x55; 24]);
        }
        let stride = width * 2 + 24;
        let of =
            |width, height, stride, bytes: &[u8]| Picture::of_yuyv(width, height, stride, bytes);
        let taken = of(width, height, stride, &bytes).unwrap();
        assert_eq!(taken.0, picture.into());
        assert_eq!(taken.text().as_deref(), Some(TEXT));
        // The last line need not be filled up; more than was said is not looked at.
        assert!(of(width, height, stride, &bytes[..bytes.len() - 24]).is_some());
        assert!(of(width, height - 1, stride, &bytes).is_some());
        for (name, none) in [
            (
                "a short frame",
                of(width, height, stride, &bytes[..bytes.len() - 30]),
            ),
            ("a short line", of(width, height, width * 2 - 2, &bytes)),
            ("no line", of(width, height, 0, &bytes)),
            ("no byte", of(width, height, stride, &[])),
            ("too high", of(width, height + 1, stride, &bytes)),
            ("endless", of(u32::MAX, u32::MAX, u32::MAX, &bytes)),
        ] {
            assert!(none.is_none(), "{name}");
        }
        let nothing = of(0, 0, 0, &[]);
        assert!(nothing.is_none_or(|picture| picture.text().is_none()));
    }
}
