//! Changing an input so that what comes out still has the shape of one.

use serde_json::{Map, Value};

use super::Shape;

/// A small generator: the same seed, the same changes.
pub(crate) struct Random(u64);

impl Random {
    /// Starts at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below a bound; 0 for none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Text that parsers and terminals trip over.
const TEXTS: &[&str] = &[
    "",
    " ",
    "0",
    "0x",
    "00",
    "\u{1b}[2J\u{7}",
    "a\nb",
    "\r",
    "\u{202e}drawkcab",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}\u{10ffff}",
    "e\u{301}",
    "\u{ac00}\u{11a7}",
    "..",
    "../plan.json",
    "CON",
    ".tmp-x-conclave",
    "\\\"\\u0000",
    "$cid",
    "alice",
    "operator 1",
    "9007199254740993",
    "18446744073709551616",
    "-1",
    "1e400",
    "m/12381/3600/0/0",
    "conclave1",
    "age1",
];

const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    3,
    4,
    255,
    256,
    257,
    65_535,
    4_294_967_295,
    4_294_967_296,
    1_000_000_000,
    32_000_000_000,
    253_402_300_799,
    9_007_199_254_740_991,
    9_007_199_254_740_992,
    u64::MAX,
];

/// Encoded points and scalars: infinity, order 3, off the curve, off the subgroup, the group's order.
const HEX: &[&str] = &[
    "c00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
    "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000004",
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
    "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001",
    "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// Changes an input a little, in the way of its shape; it may grow to `max` bytes.
pub(crate) fn mutate(shape: Shape, bytes: &[u8], max: usize, random: &mut Random) -> Vec<u8> {
    let mut changed = match (shape, random.below(8)) {
        (Shape::Json, 1..) => json(bytes, random).unwrap_or_else(|| plain(bytes, random)),
        (Shape::Text, 2..) => text(bytes, random).unwrap_or_else(|| plain(bytes, random)),
        _ => plain(bytes, random),
    };
    changed.truncate(max);
    changed
}

/// One to four changes of bytes.
fn plain(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            2 => drop(bytes.drain(at..end)),
            3 => {
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, part);
            }
            4 => {
                let inserted = random.pick(TEXTS).as_bytes();
                bytes.splice(at..at, inserted.iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Moves, doubles, drops and replaces words and lines.
fn text(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let between = if random.below(2) == 0 {
        |c: char| c == '\n'
    } else {
        |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '/' | '-' | '.')
    };
    let mut parts: Vec<String> = text.split_inclusive(between).map(str::to_owned).collect();
    for _ in 0..=random.below(3) {
        let (at, other) = (random.below(parts.len() + 1), random.below(parts.len() + 1));
        match random.below(5) {
            0 if at < parts.len() => drop(parts.remove(at)),
            1 if other < parts.len() => {
                let part = parts[other].clone();
                parts.insert(at, part);
            }
            2 if at < parts.len() && other < parts.len() => parts.swap(at, other),
            3 => parts.insert(at, (*random.pick(TEXTS)).to_owned()),
            _ if at < parts.len() => {
                let upper = random.below(2) == 0;
                let part = &mut parts[at];
                *part = if upper {
                    part.to_uppercase()
                } else {
                    part.to_lowercase()
                };
            }
            _ => parts.insert(at, random.pick(NUMBERS).to_string()),
        }
    }
    Some(parts.concat().into_bytes())
}

/// Changes one to three values of a document, and writes it in one of several layouts.
fn json(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_slice(bytes).ok()?;
    let donor = document.clone();
    for _ in 0..=random.below(3) {
        let chosen = random.below(count(&document));
        if let Some(value) = nth(&mut document, &mut { chosen }) {
            change(value, &donor, random);
        }
    }
    let canonical = serde_json_canonicalizer::to_vec(&document).ok()?;
    Some(match random.below(16) {
        0 => serde_json::to_vec_pretty(&document).ok()?,
        1 => plain(&canonical, random),
        _ => canonical,
    })
}

/// How many values a document has, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at a position of the document's order.
fn nth<'a>(value: &'a mut Value, position: &mut usize) -> Option<&'a mut Value> {
    if *position == 0 {
        return Some(value);
    }
    *position -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, position)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, position)),
        _ => None,
    }
}

fn change(value: &mut Value, donor: &Value, random: &mut Random) {
    // Now and then another kind of value, or one from elsewhere in the document.
    match random.below(10) {
        0 => {
            *value = invented(random);
            return;
        }
        1 => {
            let mut donor = donor.clone();
            let chosen = random.below(count(&donor));
            if let Some(other) = nth(&mut donor, &mut { chosen }) {
                *value = other.take();
            }
            return;
        }
        _ => {}
    }
    match value {
        Value::Object(fields) => change_fields(fields, random),
        Value::Array(items) => {
            let (at, other) = (random.below(items.len()), random.below(items.len()));
            match random.below(4) {
                0 if !items.is_empty() => drop(items.remove(at)),
                1 if !items.is_empty() => items.insert(other, items[at].clone()),
                2 if !items.is_empty() => items.swap(at, other),
                _ => items.push(invented(random)),
            }
        }
        Value::String(text) => change_string(text, donor, random),
        Value::Number(number) => {
            let n = number.as_u64().unwrap_or_default();
            *value = Value::from(match random.below(3) {
                0 => n.wrapping_add(1),
                1 => n.wrapping_sub(1),
                _ => *random.pick(NUMBERS),
            });
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Null => *value = invented(random),
    }
}

fn change_fields(fields: &mut Map<String, Value>, random: &mut Random) {
    let keys: Vec<String> = fields.keys().cloned().collect();
    if keys.is_empty() || random.below(6) == 0 {
        fields.insert((*random.pick(TEXTS)).to_owned(), invented(random));
        return;
    }
    let (key, other) = (random.pick(&keys).clone(), random.pick(&keys).clone());
    match random.below(3) {
        0 => drop(fields.remove(&key)),
        1 => {
            let value = fields[&other].clone();
            fields.insert(key, value);
        }
        _ => {
            if let Some(value) = fields.remove(&key) {
                fields.insert(format!("{key}_"), value);
            }
        }
    }
}

fn change_string(text: &mut String, donor: &Value, random: &mut Random) {
    let is_hex = text.len() > 7 && text.bytes().all(|c| c.is_ascii_hexdigit());
    match random.below(6) {
        0 if is_hex => {
            let at = random.below(text.len());
            let digit = char::from_digit(u32::try_from(random.below(16)).unwrap(), 16).unwrap();
            text.replace_range(at..=at, &digit.to_string());
        }
        1 if is_hex => (*random.pick(HEX)).clone_into(text),
        2 if is_hex => {
            // Another one of the same length: a valid value in the wrong place.
            let mut others = Vec::new();
            strings(donor, text.len(), &mut others);
            if !others.is_empty() {
                (*random.pick(&others)).clone_into(text);
            }
        }
        3 => (*random.pick(TEXTS)).clone_into(text),
        4 => {
            let more = random.pick(TEXTS).repeat(1 << random.below(8));
            text.push_str(&more);
        }
        _ => *text = String::from_utf8_lossy(&plain(text.as_bytes(), random)).into_owned(),
    }
}

fn strings<'a>(value: &'a Value, length: usize, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.len() == length => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, length, found)),
        Value::Object(fields) => fields
            .values()
            .for_each(|item| strings(item, length, found)),
        _ => {}
    }
}

fn invented(random: &mut Random) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => Value::from(random.below(2) == 0),
        2 => Value::from(*random.pick(NUMBERS)),
        3 => Value::from(-0.5),
        4 => Value::from(*random.pick(TEXTS)),
        5 => Value::from(*random.pick(HEX)),
        6 => Value::Array((0..random.below(3)).map(|_| invented(random)).collect()),
        _ => Value::Object(Map::new()),
    }
}
