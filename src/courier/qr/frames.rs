//! A payload as frames: the texts of the QR codes that carry it.
//!
//! One frame is enough for a small payload (`UR:CONCLAVE/…`). A larger one has frames without end:
//! first its fragments as they are, then in turn mixtures of some (fountain parts) and a fragment
//! again, so that whoever missed some goes on with what comes next. Upper case keeps a code in the
//! alphanumeric mode, two or more versions smaller.

use super::payload::MAX_PAYLOAD_BYTES;

/// The type of a uniform resource that carries a document.
pub const DOCUMENT_TYPE: &str = "conclave";

/// The type of a uniform resource that carries the SHA-256 of a file's bytes.
pub const HASH_TYPE: &str = "conclave-sha256";

/// The most fragments of a payload.
pub const MAX_FRAGMENTS: usize = 400;

/// Bytes of a fragment where nothing else is asked for: a code of 73 modules (version 14-L).
pub const FRAGMENT_BYTES: usize = 300;

/// The fewest bytes of a fragment that may be asked for.
pub const FEWEST_BYTES: usize = 50;

/// The most bytes of a fragment that may be asked for.
pub const MOST_BYTES: usize = 900;

/// Mixtures that are shown before they begin again, for each fragment.
const MIXTURES: usize = 32;

/// A payload that has no frames: it is empty, or of more than [`MAX_PAYLOAD_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payload has 1 to {MAX_PAYLOAD_BYTES} bytes, and this one has {0}")]
pub struct NoFrames(pub usize);

/// The frames of one payload.
pub struct Frames {
    kind: &'static str,
    payload: Vec<u8>,
    fragment: usize,
    count: usize,
    form: Form,
    shown: usize,
}

/// One frame, or all fragments and what makes mixtures of them.
enum Form {
    One(String),
    Many {
        fragments: Vec<String>,
        encoder: ur::Encoder<'static>,
    },
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames")
            .field("kind", &self.kind)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Frames {
    /// Cuts a payload into fragments of about this many bytes, or of as many as make
    /// [`MAX_FRAGMENTS`] of it.
    pub fn new(kind: &'static str, payload: Vec<u8>, fragment: usize) -> Result<Self, NoFrames> {
        let len = payload.len();
        if !(1..=MAX_PAYLOAD_BYTES).contains(&len) {
            return Err(NoFrames(len));
        }
        let fragment = fragment
            .clamp(FEWEST_BYTES, MOST_BYTES)
            .max(len.div_ceil(MAX_FRAGMENTS));
        let count = len.div_ceil(fragment);
        Ok(Self {
            form: form(kind, &payload, fragment, count).ok_or(NoFrames(len))?,
            kind,
            payload,
            fragment,
            count,
            shown: 0,
        })
    }

    /// How many fragments there are: whoever saw this many different ones has the payload.
    pub fn fragments(&self) -> usize {
        self.count
    }

    /// Bytes of a fragment, at the most.
    pub fn fragment(&self) -> usize {
        self.fragment
    }

    /// Bytes of the payload.
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// The most characters that a frame has.
    pub fn longest(&self) -> usize {
        match &self.form {
            Form::One(frame) => frame.len(),
            // Later numbers are longer, in the header and before it.
            Form::Many { fragments, .. } => {
                let first = fragments.first().map_or(0, String::len);
                first.saturating_add(10)
            }
        }
    }
}

impl Iterator for Frames {
    type Item = String;

    /// The next frame; there is always one.
    fn next(&mut self) -> Option<String> {
        // All fragments; from there on a mixture and a fragment in turn.
        let after = self.shown.checked_sub(self.count);
        if after.is_some_and(|after| after / 2 >= self.count.saturating_mul(MIXTURES)) {
            self.form = form(self.kind, &self.payload, self.fragment, self.count)?;
            self.shown = self.count;
        }
        let at = self.shown;
        self.shown = at.saturating_add(1);
        match &mut self.form {
            Form::One(frame) => Some(frame.clone()),
            Form::Many { fragments, encoder } => match at.checked_sub(self.count) {
                None => fragments.get(at).cloned(),
                Some(after) if after % 2 == 1 => {
                    let again = (after / 2).checked_rem(self.count)?;
                    fragments.get(again).cloned()
                }
                Some(_) => mixture(encoder),
            },
        }
    }
}

fn form(kind: &'static str, payload: &[u8], fragment: usize, count: usize) -> Option<Form> {
    if count == 1 {
        let frame = ur::ur::try_encode(payload, &ur::Type::Custom(kind)).ok()?;
        return Some(Form::One(frame.to_ascii_uppercase()));
    }
    let mut encoder = ur::Encoder::new(payload, fragment, kind).ok()?;
    // An encoder gives all fragments first.
    let fragments = (0..count).map(|_| mixture(&mut encoder));
    Some(Form::Many {
        fragments: fragments.collect::<Option<_>>()?,
        encoder,
    })
}

fn mixture(encoder: &mut ur::Encoder<'static>) -> Option<String> {
    let frame = encoder.next_part().ok()?;
    Some(frame.to_ascii_uppercase())
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests reckon with small numbers"
)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn payload(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn every_frame_is_alphanumeric_and_no_longer_than_said() {
        for (len, fragment) in [(1, 50), (50, 50), (51, 50), (4096, 300), (65_536, 900)] {
            let frames = Frames::new(DOCUMENT_TYPE, payload(len), fragment).unwrap();
            let longest = frames.longest();
            let count = frames.fragments();
            for frame in frames.take(count * 2 * (MIXTURES + 2)) {
                assert!(frame.len() <= longest, "{len}: {frame}");
                let known =
                    |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || b":/-".contains(&c);
                assert!(frame.bytes().all(known), "{frame}");
            }
        }
    }

    #[test]
    fn a_small_payload_is_one_frame_that_repeats() {
        let mut frames = Frames::new(DOCUMENT_TYPE, payload(50), 50).unwrap();
        assert_eq!(frames.fragments(), 1);
        let first = frames.next().unwrap();
        assert!(first.starts_with("UR:CONCLAVE/"), "{first}");
        assert!(frames.take(100).all(|frame| frame == first));
    }

    #[test]
    fn fragments_come_first_and_then_mixtures_and_fragments_in_turn() {
        let frames = Frames::new(DOCUMENT_TYPE, payload(1000), 100).unwrap();
        let count = frames.fragments();
        let around = 2 * count * MIXTURES;
        let shown: Vec<String> = frames.take(count + around + 4).collect();
        let number = |at: usize| {
            let number = shown[at].split(['/', '-']).nth(1).unwrap();
            number.parse::<usize>().unwrap()
        };
        for at in 0..count {
            assert_eq!(number(at), at + 1);
        }
        for at in 0..around / 2 {
            assert_eq!(number(count + 2 * at), count + 1 + at);
            assert_eq!(number(count + 2 * at + 1), at % count + 1);
        }
        // Nothing is forgotten and nothing grows: after many it begins again.
        assert_eq!(number(count + around), count + 1);
        let different: BTreeSet<&String> = shown.iter().collect();
        assert_eq!(different.len(), count * (MIXTURES + 1));
    }

    #[test]
    fn fragments_keep_to_their_bounds() {
        for (len, wanted, fragment, count) in [
            (1000, 0, 50, 20),
            (1000, 100, 100, 10),
            (5000, 5000, 900, 6),
            (MAX_PAYLOAD_BYTES, 50, 164, MAX_FRAGMENTS),
        ] {
            let frames = Frames::new(DOCUMENT_TYPE, payload(len), wanted).unwrap();
            assert_eq!((frames.fragment(), frames.fragments()), (fragment, count));
            assert_eq!(frames.payload_len(), len);
        }
    }
    #[test]
    fn what_has_no_frames_is_refused() {
        for len in [0, MAX_PAYLOAD_BYTES + 1] {
            let refused = Frames::new(DOCUMENT_TYPE, payload(len), 300);
            assert_eq!(refused.unwrap_err(), NoFrames(len));
        }
    }
}
