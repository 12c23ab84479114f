//! A camera for the tests: pictures of a screen with a code as somebody's hand makes them, the same
//! ones for the same seed.
//!
//! A picture is the screen under a homography, sampled several times a pixel, then blurred, lit from
//! one side, and noisy. The levels are those under which readers of codes were compared before one
//! was chosen: the code with its quiet zone is as high as 85 % of the picture.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pixels are counted and computed with; all of them are small"
)]

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;

/// Numbers that look random (xorshift64*).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // The first ones of small seeds are alike.
        for _ in 0..8 {
            random.number();
        }
        random
    }

    fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.number() >> 33) as usize % count
    }

    /// Whether something that happens in so many of a hundred cases happens.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.number() >> 40) as f32 / (1u32 << 24) as f32)
    }

    /// Normal with variance 1, nearly: the sum of four uniform ones.
    fn normal(&mut self) -> f32 {
        let bits = self.number();
        let sum: u32 = (0..4).map(|at| (bits >> (16 * at)) as u32 & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 1.732
    }
}

/// How a picture is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Screen and camera stand on a desk.
    Desk,
    /// The camera is in a hand.
    Hand,
    /// In a hand that moves.
    Motion,
    /// In a hand, and a lamp is mirrored in the screen.
    Glare,
}

impl Level {
    pub const ALL: [Self; 4] = [Self::Desk, Self::Hand, Self::Motion, Self::Glare];
}

/// What is before the camera.
pub struct Sheet {
    side: usize,
    light: Vec<u8>,
}

impl Sheet {
    /// A picture file with a code that fills it.
    pub fn of_file(bytes: &[u8]) -> Self {
        let picture = image::load_from_memory(bytes).unwrap().into_luma8();
        assert_eq!(picture.width(), picture.height());
        Self {
            side: picture.width() as usize,
            light: picture.into_raw(),
        }
    }
}

/// One picture's circumstances.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub level: Level,
    pub width: usize,
    pub height: usize,
    /// Light modules on a dark ground.
    pub inverted: bool,
    /// The camera is held at any angle; then the code is as large as still fits.
    pub turned: bool,
}

/// A picture, brightnesses row by row.
pub struct Photo {
    width: usize,
    height: usize,
    light: Vec<u8>,
}

impl Photo {
    pub fn png(&self) -> Vec<u8> {
        let mut file = Vec::new();
        self.write(PngEncoder::new(&mut file));
        file
    }

    pub fn jpeg(&self, quality: u8) -> Vec<u8> {
        let mut file = Vec::new();
        self.write(JpegEncoder::new_with_quality(&mut file, quality));
        file
    }

    fn write(&self, encoder: impl image::ImageEncoder) {
        let (width, height) = (self.width as u32, self.height as u32);
        let written = encoder.write_image(&self.light, width, height, ExtendedColorType::L8);
        written.unwrap();
    }
}

/// Takes a picture, of a screen or of nothing.
pub fn take(sheet: Option<&Sheet>, setting: &Setting, random: &mut Random) -> Photo {
    let level = setting.level;
    let (width, height) = (setting.width, setting.height);
    let (degrees, jitter, blur, noise) = match level {
        Level::Desk => (5.0, 0.02, 0.7, 8.0),
        Level::Hand | Level::Motion | Level::Glare => (20.0, 0.05, 1.2, 15.0),
    };
    let ground = random.between(50.0, 190.0);
    let mut film = Film {
        width,
        height,
        light: vec![ground; width * height],
    };
    let degrees = if setting.turned { 180.0 } else { degrees };
    let angle = random.between(-degrees, degrees).to_radians();
    let mut side = 0.85 * height as f32;
    if setting.turned {
        side *= 0.98 / (angle.sin().abs() + angle.cos().abs()).max(0.98);
    }
    let mut middle = |length: usize| length as f32 * random.between(0.49, 0.51);
    let centre = (middle(width), middle(height));
    if let Some(sheet) = sheet {
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(x, y)| {
            let (sin, cos) = angle.sin_cos();
            let mut off = || side * random.between(-jitter, jitter);
            (
                centre.0 + side * (x * cos - y * sin) + off(),
                centre.1 + side * (x * sin + y * cos) + off(),
            )
        });
        film.project(sheet, corners, setting.inverted);
    }
    if level == Level::Motion {
        film.convolve(&[0.2; 5], &[1.0]);
    }
    let kernel = gaussian(blur);
    film.convolve(&kernel, &kernel);
    if level != Level::Desk {
        film.gradient(random.between(0.0, std::f32::consts::TAU));
    }
    if level == Level::Glare {
        let mut near = |at: f32| at + side * random.between(-0.4, 0.4);
        let spot = (near(centre.0), near(centre.1));
        // 5 % of the code's area.
        film.glare(spot, side * 0.126);
    }
    let light = film
        .light
        .iter()
        .map(|light| light + noise * random.normal());
    let light = light.map(|light| light.clamp(0.0, 255.0) as u8).collect();
    Photo {
        width,
        height,
        light,
    }
}

fn gaussian(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as i32;
    let weight = |at: i32| (-(at * at) as f32 / (2.0 * sigma * sigma)).exp();
    let sum: f32 = (-radius..=radius).map(weight).sum();
    (-radius..=radius).map(|at| weight(at) / sum).collect()
}

/// A picture that is being made.
struct Film {
    width: usize,
    height: usize,
    light: Vec<f32>,
}

impl Film {
    fn project(&mut self, sheet: &Sheet, corners: [(f32, f32); 4], inverted: bool) {
        let to_sheet = inverse(&homography(corners));
        let samples = if self.width > 640 { 2 } else { 3 };
        let share = 1.0 / (samples * samples) as f32;
        let (xs, ys) = (
            corners.map(|corner| corner.0),
            corners.map(|corner| corner.1),
        );
        let range = |at: [f32; 4], end: usize| {
            let low = at.into_iter().fold(f32::MAX, f32::min) - 1.0;
            let high = at.into_iter().fold(f32::MIN, f32::max) + 2.0;
            low.max(0.0) as usize..(high.max(0.0) as usize).min(end)
        };
        for y in range(ys, self.height) {
            for x in range(xs, self.width) {
                let at = y * self.width + x;
                let ground = self.light[at];
                let mut sum = 0.0;
                for part in 0..samples * samples {
                    let inside = |part: usize| (part as f32 + 0.5) / samples as f32;
                    let px = x as f32 + inside(part % samples);
                    let py = y as f32 + inside(part / samples);
                    let [u, v, w] = to_sheet.map(|row| row[0] * px + row[1] * py + row[2]);
                    let (u, v) = (u / w, v / w);
                    sum += match (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
                        true => {
                            let line = (v * sheet.side as f32) as usize * sheet.side;
                            let light = sheet.light[line + (u * sheet.side as f32) as usize];
                            let light = if inverted { 255 - light } else { light };
                            // A screen's black is not quite dark, nor its white all that there is.
                            25.0 + f32::from(light) * (200.0 / 255.0)
                        }
                        false => ground,
                    };
                }
                self.light[at] = sum * share;
            }
        }
    }

    /// Two kernels of odd length, along the lines and across.
    fn convolve(&mut self, along: &[f32], across: &[f32]) {
        let (width, height) = (self.width, self.height);
        let radius = along.len() / 2;
        let mut padded = vec![0.0; width + 2 * radius];
        for line in self.light.chunks_mut(width) {
            padded[..radius].fill(line[0]);
            padded[radius..radius + width].copy_from_slice(line);
            padded[radius + width..].fill(line[width - 1]);
            line.fill(0.0);
            for (weight, shifted) in along.iter().zip(padded.windows(width)) {
                for (light, other) in line.iter_mut().zip(shifted) {
                    *light += weight * other;
                }
            }
        }
        let radius = across.len() / 2;
        let before = std::mem::replace(&mut self.light, vec![0.0; width * height]);
        for (y, line) in self.light.chunks_mut(width).enumerate() {
            for (weight, at) in across.iter().zip(y..) {
                let from = at.saturating_sub(radius).min(height - 1) * width;
                for (light, other) in line.iter_mut().zip(&before[from..from + width]) {
                    *light += weight * other;
                }
            }
        }
    }

    /// From full light on one side to 55 % on the other.
    fn gradient(&mut self, direction: f32) {
        let (sin, cos) = direction.sin_cos();
        let reach = (self.width as f32 * cos.abs() + self.height as f32 * sin.abs()) / 2.0;
        let (half_width, half_height) = (self.width as f32 / 2.0, self.height as f32 / 2.0);
        for (y, line) in self.light.chunks_mut(self.width).enumerate() {
            for (x, light) in line.iter_mut().enumerate() {
                let along = (x as f32 - half_width) * cos + (y as f32 - half_height) * sin;
                *light *= 0.775 + 0.225 * along / reach;
            }
        }
    }

    /// A white disc with a soft edge.
    fn glare(&mut self, spot: (f32, f32), radius: f32) {
        for (y, line) in self.light.chunks_mut(self.width).enumerate() {
            for (x, light) in line.iter_mut().enumerate() {
                let distance = (x as f32 - spot.0).hypot(y as f32 - spot.1);
                let shine = (1.2 - distance / radius).clamp(0.0, 0.2) * 5.0;
                *light += (255.0 - *light) * shine;
            }
        }
    }
}

type Matrix = [[f32; 3]; 3];

/// What takes the corners of the unit square to these (Heckbert, Fundamentals of Texture Mapping,
/// section 2.2.3).
fn homography([p0, p1, p2, p3]: [(f32, f32); 4]) -> Matrix {
    let (dx1, dx2, dx3) = (p1.0 - p2.0, p3.0 - p2.0, p0.0 - p1.0 + p2.0 - p3.0);
    let (dy1, dy2, dy3) = (p1.1 - p2.1, p3.1 - p2.1, p0.1 - p1.1 + p2.1 - p3.1);
    let determinant = dx1 * dy2 - dx2 * dy1;
    let g = (dx3 * dy2 - dx2 * dy3) / determinant;
    let h = (dx1 * dy3 - dx3 * dy1) / determinant;
    [
        [p1.0 - p0.0 + g * p1.0, p3.0 - p0.0 + h * p3.0, p0.0],
        [p1.1 - p0.1 + g * p1.1, p3.1 - p0.1 + h * p3.1, p0.1],
        [g, h, 1.0],
    ]
}

/// The inverse but for a factor, which does not matter here.
fn inverse(m: &Matrix) -> Matrix {
    let minor = |row: usize, column: usize| {
        let (r, s) = ((row + 1) % 3, (row + 2) % 3);
        let (c, d) = ((column + 1) % 3, (column + 2) % 3);
        m[r][c] * m[s][d] - m[r][d] * m[s][c]
    };
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| minor(column, row)))
}
