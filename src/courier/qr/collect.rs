//! Frames put together again, of several payloads at once and in any order.
//!
//! Each payload is its own linear system over GF(2): a frame says which fragments it is the sum of.
//! It is solved by elimination, which needs fewer frames than peeling off single fragments. Frames
//! come from whatever a camera saw: stale ones of another screen, forged ones, other people's. They
//! cost a bounded place each and never stop another payload; a forged frame under the right header
//! is found out by the payload's checksum, and then left out or, if it cannot be told which one it
//! is, all are collected anew.

use std::collections::VecDeque;

use super::frames::MAX_FRAGMENTS;
use super::payload::MAX_PAYLOAD_BYTES;

/// The most payloads that are collected at once; the least advanced one makes room for a new one.
pub const MAX_OPEN: usize = 16;

/// The most characters of a frame: those of the largest QR code (ISO/IEC 18004, version 40-L).
pub const MAX_FRAME_CHARS: usize = 4296;

/// Payloads that are remembered when they are whole, so that they are not collected again.
const MAX_DONE: usize = 256;

/// Payloads of at most this many fragments survive a forged frame; each frame is left out in turn.
const MAX_DOUBTED: usize = 64;

/// Frames that do not fit to others and are kept, to find out which one is wrong.
const SPARE: usize = 64;

/// What a frame was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The last one that was needed.
    Whole(Whole),
    /// One more of a payload that is not whole yet.
    Part(Progress),
    /// Nothing new: of a payload that is whole, or of fragments that are known.
    Known,
    /// Not a frame of a uniform resource, for this reason.
    Strange(&'static str),
    /// The frames of a payload do not fit together: one of them was wrong. They are collected anew.
    Broken(Progress),
}

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The uniform resource's type, in lower case.
    pub kind: String,
    /// Its bytes, which nobody has vouched for.
    pub payload: Vec<u8>,
    /// How many frames it took.
    pub frames: usize,
}

/// How far a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its CRC-32, which tells it from others.
    pub checksum: u32,
    /// What is known of it: as much as this many fragments.
    pub known: usize,
    /// How many fragments it has.
    pub of: usize,
}

impl Progress {
    /// How much is known, in percent; 100 only if all is.
    pub fn percent(&self) -> usize {
        let hundredfold = self.known.saturating_mul(100);
        hundredfold.checked_div(self.of).unwrap_or(0)
    }
}

/// What tells payloads apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kind: String,
    checksum: u32,
    len: usize,
    count: usize,
    fragment: usize,
}

/// A frame with several fragments' sum.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    fragments: Mask,
    sum: Vec<u8>,
}

/// A set of fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mask([u64; MAX_FRAGMENTS.div_ceil(64)]);

impl Mask {
    fn of(indexes: &[usize]) -> Self {
        let mut mask = Self::default();
        for index in indexes {
            if let Some(word) = mask.0.get_mut(index / 64) {
                *word ^= 1u64 << (index % 64);
            }
        }
        mask
    }

    fn has(&self, index: usize) -> bool {
        let word = self.0.get(index / 64).copied().unwrap_or(0);
        word >> (index % 64) & 1 == 1
    }

    fn first(&self) -> Option<usize> {
        let (at, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        let bit = usize::try_from(word.trailing_zeros()).ok()?;
        Some(at.saturating_mul(64).saturating_add(bit))
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        for (word, other) in self.fragments.0.iter_mut().zip(&other.fragments.0) {
            *word ^= other;
        }
        for (byte, other) in self.sum.iter_mut().zip(&other.sum) {
            *byte ^= other;
        }
    }
}

/// The frames of one payload.
#[derive(Debug)]
struct Open {
    key: Key,
    /// All that added something or did not fit, the oldest first.
    seen: Vec<Row>,
    /// For each fragment the row that begins with it.
    pivots: Vec<Option<Row>>,
    known: usize,
    frames: usize,
}

/// What a row did to a system.
enum Added {
    New,
    Nothing,
    Contradicts,
}

impl Open {
    fn new(key: Key) -> Self {
        Self {
            pivots: vec![None; key.count],
            key,
            seen: Vec::new(),
            known: 0,
            frames: 0,
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            checksum: self.key.checksum,
            known: self.known,
            of: self.key.count,
        }
    }

    fn add(&mut self, mut row: Row) -> Added {
        while let Some(first) = row.fragments.first() {
            match self.pivots.get_mut(first) {
                Some(Some(pivot)) => row.add(pivot),
                Some(free) => {
                    *free = Some(row);
                    self.known = self.known.saturating_add(1);
                    return Added::New;
                }
                None => return Added::Nothing,
            }
        }
        if row.sum.iter().any(|byte| *byte != 0) {
            Added::Contradicts
        } else {
            Added::Nothing
        }
    }

    /// Puts the payload together, if all is known and its checksum is right.
    fn solve(&self) -> Option<Vec<u8>> {
        let mut solved: Vec<Row> = Vec::with_capacity(self.pivots.len());
        // From the last fragment on, each row's other fragments are solved already.
        for (at, pivot) in self.pivots.iter().enumerate().rev() {
            let mut row = pivot.clone()?;
            for (other, done) in (at.saturating_add(1)..self.key.count).rev().zip(&solved) {
                if row.fragments.has(other) {
                    row.add(done);
                }
            }
            solved.push(row);
        }
        let payload: Vec<u8> = solved.into_iter().rev().flat_map(|row| row.sum).collect();
        let payload = payload.get(..self.key.len)?;
        (crc32fast::hash(payload) == self.key.checksum).then(|| payload.to_vec())
    }

    /// Puts the payload together without one of the frames, whichever.
    fn solve_without_one(&self) -> Option<Vec<u8>> {
        if self.key.count > MAX_DOUBTED {
            return None;
        }
        (0..self.seen.len()).find_map(|left_out| {
            let mut without = Self::new(self.key.clone());
            for (at, row) in self.seen.iter().enumerate() {
                if at != left_out {
                    without.add(row.clone());
                }
            }
            without.solve()
        })
    }

    /// Takes one more frame.
    fn take(&mut self, row: Row) -> Seen {
        if self.seen.contains(&row) {
            return Seen::Known;
        }
        self.frames = self.frames.saturating_add(1);
        let added = self.add(row.clone());
        if matches!(added, Added::Nothing) {
            // Where one of the others is wrong, one that fits to them does not tell which.
            return Seen::Known;
        }
        self.seen.push(row);
        if self.known < self.key.count && matches!(added, Added::New) {
            return Seen::Part(self.progress());
        }
        let whole = self.known == self.key.count;
        if whole && let Some(payload) = self.solve().or_else(|| self.solve_without_one()) {
            return Seen::Whole(Whole {
                kind: self.key.kind.clone(),
                payload,
                frames: self.frames,
            });
        }
        // A frame was wrong. Until all is known, and once more after that, those that do not fit to the
        // others are kept: with one of them and all but the wrong one the payload can be put together.
        let doubts = self.seen.len().saturating_sub(self.known);
        let limit = if whole { 1 } else { SPARE };
        if self.key.count <= MAX_DOUBTED && doubts < limit {
            let known = self.known.min(self.key.count.saturating_sub(1));
            return Seen::Part(Progress {
                known,
                ..self.progress()
            });
        }
        let broken = self.progress();
        let frames = self.frames;
        *self = Self::new(self.key.clone());
        self.frames = frames;
        Seen::Broken(broken)
    }
}

/// Collects frames.
#[derive(Debug, Default)]
pub struct Collector {
    open: Vec<Open>,
    done: VecDeque<Key>,
    /// The payload that became whole last, if it had several frames.
    last: Option<Key>,
    single: VecDeque<(String, Vec<u8>)>,
}

impl Collector {
    /// Takes the text of one QR code, in upper or lower case.
    pub fn take(&mut self, text: &str) -> Seen {
        let text = text.trim();
        if text.len() > MAX_FRAME_CHARS {
            return Seen::Strange("longer than any QR code");
        }
        match Frame::read(text) {
            Ok(Frame::Single { kind, payload }) => {
                // One payload of two types is two: a foreign code must not hide one of ours.
                let single = (kind, payload);
                if self.single.contains(&single) {
                    return Seen::Known;
                }
                remember(&mut self.single, single.clone());
                self.last = None;
                let (kind, payload) = single;
                Seen::Whole(Whole {
                    kind,
                    payload,
                    frames: 1,
                })
            }
            Ok(Frame::Part(key, row)) => self.part(key, row),
            Err(why) => Seen::Strange(why),
        }
    }

    /// Says that the payload that became whole last is not what it should be, so that another one under
    /// its header still counts: a checksum of 32 bits is no authentication.
    pub fn refuse(&mut self) {
        if let Some(key) = self.last.take() {
            self.done.retain(|done| *done != key);
        }
    }

    /// Returns how far the payloads are that are not whole.
    pub fn open(&self) -> impl Iterator<Item = Progress> {
        self.open.iter().map(Open::progress)
    }

    fn part(&mut self, key: Key, row: Row) -> Seen {
        if self.done.contains(&key) {
            return Seen::Known;
        }
        let at = match self.open.iter().position(|open| open.key == key) {
            Some(at) => at,
            None => {
                self.make_room();
                self.open.push(Open::new(key));
                self.open.len().saturating_sub(1)
            }
        };
        let Some(open) = self.open.get_mut(at) else {
            return Seen::Known;
        };
        let seen = open.take(row);
        if matches!(seen, Seen::Whole(_)) {
            let whole = self.open.remove(at);
            self.last = Some(whole.key.clone());
            remember(&mut self.done, whole.key);
        }
        seen
    }

    /// Drops the least advanced payload, the oldest of several, when there are too many.
    fn make_room(&mut self) {
        if self.open.len() < MAX_OPEN {
            return;
        }
        let least = self
            .open
            .iter()
            .enumerate()
            .min_by_key(|(_, open)| open.known);
        if let Some((at, _)) = least {
            self.open.remove(at);
        }
    }
}

fn remember<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() >= MAX_DONE {
        all.pop_front();
    }
    all.push_back(one);
}

/// A frame, with every number of its header in its bounds.
#[derive(Debug)]
enum Frame {
    Single { kind: String, payload: Vec<u8> },
    Part(Key, Row),
}

impl Frame {
    /// Reads a frame (BCR-2020-005 section "Single-Part Encoding", BCR-2024-001 "Part Structure").
    fn read(text: &str) -> Result<Self, &'static str> {
        let text = text.to_ascii_lowercase();
        let rest = text.strip_prefix("ur:").ok_or("no frame of a document")?;
        let (kind, rest) = rest.split_once('/').ok_or("a frame without a type")?;
        let kind_is_one = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if kind.is_empty() || kind.len() > 64 || !kind.bytes().all(kind_is_one) {
            return Err("a frame of no known type");
        }
        let words = |text| {
            ur::bytewords::decode(text, ur::bytewords::Style::Minimal)
                .map_err(|_| "a frame that was misread: its checksum is wrong")
        };
        let Some((sequence, body)) = rest.split_once('/') else {
            return Ok(Self::Single {
                kind: kind.to_owned(),
                payload: words(rest)?,
            });
        };
        let body = words(body)?;
        part(kind, sequence, &body).ok_or("a frame whose header is not one of this tool's")
    }
}

/// Reads a part: `[sequence, count, length, checksum, data]`, the first two as before the last slash.
fn part(kind: &str, sequence: &str, body: &[u8]) -> Option<Frame> {
    let mut decoder = minicbor::Decoder::new(body);
    if decoder.array().ok()? != Some(5) {
        return None;
    }
    let number = decoder.u32().ok()?;
    let count = usize::try_from(decoder.u32().ok()?).ok()?;
    let len = usize::try_from(decoder.u32().ok()?).ok()?;
    let checksum = decoder.u32().ok()?;
    let sum = decoder.bytes().ok()?;
    let (shown, of) = sequence.split_once('-')?;
    let bounded = number >= 1
        && (1..=MAX_FRAGMENTS).contains(&count)
        && (1..=MAX_PAYLOAD_BYTES).contains(&len)
        // As many fragments as there must be, the last one filled up.
        && sum.len() == len.div_ceil(count)
        && len.div_ceil(sum.len()) == count
        && decoder.position() == body.len()
        && shown.parse() == Ok(number)
        && of.parse() == Ok(count);
    if !bounded {
        return None;
    }
    let part: ur::fountain::Part = minicbor::decode(body).ok()?;
    let key = Key {
        kind: kind.to_owned(),
        checksum,
        len,
        count,
        fragment: sum.len(),
    };
    let row = Row {
        fragments: Mask::of(&part.indexes()),
        sum: sum.to_vec(),
    };
    Some(Frame::Part(key, row))
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "tests reckon with small numbers, and measure time"
)]
mod tests;
