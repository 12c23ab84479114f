//! Known secrets, in every form in which a program may keep or print them, and the search for them.
//!
//! A form is searched for in pieces of eight bytes (of text: as many characters as make as much), so
//! that a single limb that was left somewhere is found. Half a billion bytes hold such a piece by
//! chance with a probability of 2^-35.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// r of BLS12-381, and p: the moduli of blst's Montgomery forms.
const R: &str = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
const P: &str = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624\
                 1eabfffeb153ffffb9feffffffffaaab";

/// Secrets to look for.
#[derive(Default)]
pub(crate) struct Secrets {
    pieces: Vec<Piece>,
    /// By their first eight bytes.
    index: HashMap<u64, Vec<usize>>,
    filter: Vec<u64>,
    names: Vec<String>,
    forms: usize,
}

/// A part of one form of one secret.
struct Piece {
    name: usize,
    form: &'static str,
    bytes: Vec<u8>,
}

/// Where something of a secret stands.
pub(crate) struct Found {
    pub(crate) at: usize,
    pub(crate) secret: String,
    pub(crate) form: &'static str,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}: {} ({})", self.at, self.secret, self.form)
    }
}

const FILTER_BITS: u32 = 20;

impl Secrets {
    /// Adds bytes that are no number: a seed, a key.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        let name = self.name(name);
        self.number(name, bytes);
        self.words(name, bytes);
    }

    /// Adds an element of BLS12-381's scalar field, 32 bytes, big-endian.
    pub(crate) fn scalar(&mut self, name: &str, bytes: &[u8; 32]) {
        let name = self.name(name);
        self.number(name, bytes);
        self.pieces(name, "Montgomery", &montgomery(bytes, &hex(R)), 8);
        let mut limbs = montgomery(bytes, &hex(R));
        limbs.reverse();
        self.pieces(name, "Montgomery limbs", &limbs, 8);
    }

    /// Adds a point of G1, compressed.
    pub(crate) fn point(&mut self, name: &str, bytes: &[u8; 48]) {
        self.bytes(name, bytes);
        let name = self.names.len() - 1;
        let mut x = *bytes;
        x[0] &= 0x1f;
        let mut limbs = montgomery(&x, &hex(P));
        limbs.reverse();
        self.pieces(name, "Montgomery limbs of x", &limbs, 8);
        x.reverse();
        self.pieces(name, "limbs of x", &x, 8);
    }

    /// Adds a scalar of Ed25519, 32 bytes, little-endian.
    pub(crate) fn ed25519_scalar(&mut self, name: &str, bytes: &[u8; 32]) {
        self.bytes(name, bytes);
        let name = self.names.len() - 1;
        // Five limbs of 52 bits, as its arithmetic has them.
        let bit = |n: usize| u64::from(n < 256 && bytes[n / 8 % 32] >> (n % 8) & 1 == 1);
        for limb in 0..4 {
            let value = (0..52).fold(0u64, |value, n| value | bit(limb * 52 + n) << n);
            self.piece(name, "limbs of 52 bits", value.to_le_bytes().to_vec());
        }
    }

    /// Adds a text that nobody could guess.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        assert!(text.len() >= 16, "{name} is too short to be recognised");
        let name = self.name(name);
        self.texts(name, "text", text, 12);
        self.texts(name, "upper case", &text.to_uppercase(), 12);
        let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
        self.pieces(name, "UTF-16", &wide, 24);
        self.number(name, text.as_bytes());
        self.words(name, text.as_bytes());
    }

    /// What is looked for: secrets and forms of them.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.names.len(), self.forms)
    }

    /// Calls `found` for every piece in `data`.
    pub(crate) fn search(&self, data: &[u8], found: &mut dyn FnMut(Found)) {
        let mut window = 0u64;
        for (at, byte) in data.iter().enumerate() {
            window = window << 8 | u64::from(*byte);
            if window == 0 || at < 7 || !self.may_hold(window) {
                continue;
            }
            let start = at - 7;
            for piece in self.index.get(&window).into_iter().flatten() {
                let piece = &self.pieces[*piece];
                if data[start..].starts_with(&piece.bytes) {
                    found(Found {
                        at: start,
                        secret: self.names[piece.name].clone(),
                        form: piece.form,
                    });
                }
            }
        }
    }

    fn may_hold(&self, window: u64) -> bool {
        let bit = filter_bit(window);
        self.filter
            .get(bit / 64)
            .is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    fn name(&mut self, name: &str) -> usize {
        self.names.push(name.to_owned());
        self.names.len() - 1
    }

    /// A number in either order, as limbs of either order within, in digits of every kind.
    fn number(&mut self, name: usize, bytes: &[u8]) {
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        let limbs = |bytes: &[u8]| -> Vec<u8> {
            let chunks = bytes.chunks(8);
            chunks.flat_map(|limb| limb.iter().rev().copied()).collect()
        };
        for (form, hexed, listed, decimal, bytes) in [
            ("bytes", "hex", "list", "decimal", bytes),
            (
                "reversed bytes",
                "hex, reversed",
                "list, reversed",
                "decimal, reversed",
                &reversed,
            ),
        ] {
            self.pieces(name, form, bytes, 8);
            self.pieces(name, "limbs", &limbs(bytes), 8);
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            self.texts(name, hexed, &digits, 16);
            self.texts(name, hexed, &digits.to_uppercase(), 16);
            let list: Vec<String> = bytes.iter().map(ToString::to_string).collect();
            self.texts(name, listed, &list.join(", "), 32);
            self.texts(name, listed, &list.join(","), 24);
            self.texts(name, decimal, &digits_of(bytes), 20);
            for skipped in 0..3.min(bytes.len()) {
                let text = base64(&bytes[skipped..]);
                self.texts(name, "base64", &text, 12);
                let url = text.replace('+', "-").replace('/', "_");
                self.texts(name, "base64", &url, 12);
            }
        }
    }

    /// Bytes as hash functions read them, and as the key of an HMAC.
    fn words(&mut self, name: usize, bytes: &[u8]) {
        let words = bytes.chunks_exact(4);
        let swapped: Vec<u8> = words.flat_map(|word| word.iter().rev().copied()).collect();
        self.pieces(name, "words of 32 bits", &swapped, 8);
        for pad in [0x36, 0x5c] {
            let padded: Vec<u8> = bytes.iter().map(|byte| byte ^ pad).collect();
            self.pieces(name, "key of an HMAC", &padded, 8);
        }
    }

    fn texts(&mut self, name: usize, form: &'static str, text: &str, width: usize) {
        self.pieces(name, form, text.as_bytes(), width);
    }

    fn pieces(&mut self, name: usize, form: &'static str, bytes: &[u8], width: usize) {
        self.forms += 1;
        for piece in bytes.chunks_exact(width) {
            self.piece(name, form, piece.to_vec());
        }
    }

    fn piece(&mut self, name: usize, form: &'static str, bytes: Vec<u8>) {
        let first: [u8; 8] = bytes[..8].try_into().unwrap();
        let key = u64::from_be_bytes(first);
        let places = self.index.entry(key).or_default();
        if places
            .iter()
            .any(|other| self.pieces[*other].bytes == bytes)
        {
            return;
        }
        places.push(self.pieces.len());
        self.filter.resize(1 << (FILTER_BITS - 6), 0);
        let bit = filter_bit(key);
        self.filter[bit / 64] |= 1 << (bit % 64);
        self.pieces.push(Piece { name, form, bytes });
    }
}

fn filter_bit(window: u64) -> usize {
    let mixed = window.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - FILTER_BITS)).unwrap()
}

/// `x * 2^(8 * length) mod modulus`, all big-endian and of one length.
fn montgomery(x: &[u8], modulus: &[u8]) -> Vec<u8> {
    let mut value = x.to_vec();
    for _ in 0..value.len() * 8 {
        let mut carry = 0;
        for byte in value.iter_mut().rev() {
            let doubled = u16::from(*byte) << 1 | carry;
            *byte = doubled.to_le_bytes()[0];
            carry = doubled >> 8;
        }
        // Twice a residue is below twice the modulus, which has bits to spare.
        assert_eq!(carry, 0);
        if value.as_slice() >= modulus {
            let mut borrow = 0;
            for (byte, other) in value.iter_mut().zip(modulus).rev() {
                let difference = i16::from(*byte) - i16::from(*other) - borrow;
                borrow = i16::from(difference < 0);
                *byte = difference.to_le_bytes()[0];
            }
        }
    }
    value
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The decimal digits of a big-endian number.
fn digits_of(bytes: &[u8]) -> String {
    let mut number = bytes.to_vec();
    let mut digits = Vec::new();
    while number.iter().any(|byte| *byte != 0) {
        let mut rest = 0u16;
        for byte in &mut number {
            let value = rest << 8 | u16::from(*byte);
            *byte = (value / 10).to_le_bytes()[0];
            rest = value % 10;
        }
        digits.push(b'0' + rest.to_le_bytes()[0]);
    }
    digits.reverse();
    String::from_utf8(digits).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let whole = bytes.chunks_exact(3);
    let letters = whole.flat_map(|three| {
        let bits = three
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift & 63) as usize]))
    });
    letters.collect()
}

/// What `conclave-image` wrote of its memory: runs of pages that are not zero, by address.
#[cfg(target_os = "linux")]
pub(crate) struct Image {
    pub(crate) runs: Vec<(u64, Vec<u8>)>,
    maps: String,
    folder: PathBuf,
}

#[cfg(target_os = "linux")]
impl Image {
    pub(crate) fn read(folder: &Path) -> Self {
        const PAGE: usize = 4096;
        let pages = std::fs::read(folder.join("pages")).unwrap();
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for page in pages.chunks_exact(8 + PAGE) {
            let (address, bytes) = page.split_at(8);
            let address = u64::from_le_bytes(address.try_into().unwrap());
            match runs.last_mut() {
                Some((start, run)) if *start + run.len() as u64 == address => {
                    run.extend_from_slice(bytes);
                }
                _ => runs.push((address, bytes.to_vec())),
            }
        }
        Self {
            runs,
            maps: std::fs::read_to_string(folder.join("maps")).unwrap(),
            folder: folder.to_owned(),
        }
    }

    /// The mapping that holds an address, as the kernel names it.
    pub(crate) fn mapping(&self, address: u64) -> &str {
        let holds = |line: &&str| {
            let range = line.split_whitespace().next().unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let number = |text| u64::from_str_radix(text, 16).unwrap();
            (number(start)..number(end)).contains(&address)
        };
        self.maps.lines().find(holds).unwrap_or("no mapping")
    }

    /// A fact that the kernel told: the rest of the line that begins so in one of its files.
    pub(crate) fn fact(&self, file: &str, key: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key} in {file}: {text}"))
            .trim()
            .to_owned()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.runs.iter().map(|(_, run)| run.len()).sum()
    }
}

#[test]
fn every_form_of_a_secret_is_found() {
    let secret: [u8; 32] = hex("15301f7a81ace326597867828ba9f4133e45608faaf11c3b466d88d7f2192443")
        .try_into()
        .unwrap();
    let mut secrets = Secrets::default();
    secrets.scalar("scalar", &secret);
    secrets.text("text", "correct-horse-battery");
    let found = |data: &[u8]| {
        let mut all = Vec::new();
        let data = [b"noise", data, b"more"].concat();
        secrets.search(&data, &mut |found| all.push(found.to_string()));
        !all.is_empty()
    };
    let reversed: Vec<u8> = secret.iter().rev().copied().collect();
    let hexed: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    // Computed with Python: x * 2^256 mod r, x in decimal and in base64.
    let montgomery = hex("21f3ece1ce8b3cf781513d01323dc0e896de2fd0f865c5b172567349cdd4a26f");
    let limbs: Vec<u8> = montgomery.iter().rev().copied().collect();
    for planted in [
        secret.as_slice(),
        &reversed,
        &secret[8..16],
        &reversed[16..24],
        &montgomery,
        &limbs[8..16],
        hexed.as_bytes(),
        hexed.to_uppercase().as_bytes(),
        format!("{secret:?}").as_bytes(),
        "9583595736264607840383678844584913231265122574916396204940508250268843451459".as_bytes(),
        "FTAfeoGs4yZZeGeCi6n0Ez5FYI+q8Rw7Rm2I1/IZJEM=".as_bytes(),
        b"correct-horse-battery",
    ] {
        let text = String::from_utf8_lossy(planted);
        assert!(found(planted), "{text}");
    }
    for other in [&secret[9..16], b"correct horse battery", &[0; 64]] {
        assert!(!found(other), "{other:?}");
    }
}
