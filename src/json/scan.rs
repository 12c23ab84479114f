//! One pass over bytes that builds nothing: whether they are JSON under our rules.
//!
//! What passes here passes [`super::parse`] too, with the same meaning; the scanner knows a part of
//! the language only (no escapes in strings) and the caller takes what it does not know to the full
//! reader, which also says what is wrong. Messages of megabytes are read so without a tree of values.

use std::ops::Range;

use super::{MAX_DEPTH, MAX_INTEGER, node_bound};

/// Which bytes of one value are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The canonical ones alone.
    Canonical,
    /// White space between tokens, and keys in any order.
    Free,
}

/// Whether `bytes` are one value in this form. "No" may also mean: not seen by this reader.
pub(super) fn holds(bytes: &[u8], form: Form) -> bool {
    scan(bytes, form, |scan| scan.value(0)).is_some()
}

/// The members of an object in canonical form, in order, and where the value of each stands; nothing
/// if the bytes are no such object, as far as this reader sees.
pub(super) fn members(bytes: &[u8]) -> Option<Vec<(&str, Range<usize>)>> {
    let mut members = Vec::new();
    scan(bytes, Form::Canonical, |scan| {
        scan.node(0)?;
        scan.object(0, |key, before, after| {
            let start = bytes.len().checked_sub(before)?;
            let end = bytes.len().checked_sub(after)?;
            members.push((std::str::from_utf8(key).ok()?, start..end));
            Some(())
        })
    })?;
    Some(members)
}

fn scan<'a>(
    bytes: &'a [u8],
    form: Form,
    whole: impl FnOnce(&mut Scan<'a>) -> Option<()>,
) -> Option<()> {
    std::str::from_utf8(bytes).ok()?;
    let mut scan = Scan {
        rest: bytes,
        nodes: node_bound(bytes.len()),
        form,
    };
    scan.space();
    whole(&mut scan)?;
    scan.space();
    scan.rest.is_empty().then_some(())
}

struct Scan<'a> {
    rest: &'a [u8],
    nodes: usize,
    form: Form,
}

impl<'a> Scan<'a> {
    fn space(&mut self) {
        if self.form == Form::Free {
            while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
                self.rest = rest;
            }
        }
    }

    fn take(&mut self, token: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    /// Takes the token if it comes next, white space before and after it included.
    fn takes(&mut self, token: u8) -> bool {
        self.space();
        let found = self.take(&[token]).is_some();
        self.space();
        found
    }

    fn node(&mut self, depth: usize) -> Option<()> {
        self.nodes = self.nodes.checked_sub(1)?;
        (depth <= MAX_DEPTH).then_some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        self.node(depth)?;
        match self.rest.first()? {
            b'"' => self.string().map(drop),
            b'[' => self.array(depth),
            b'{' => self.object(depth, |_, _, _| Some(())),
            b't' => self.take(b"true"),
            b'f' => self.take(b"false"),
            _ => self.number(),
        }
    }

    /// A string without escapes: its bytes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b"\"")?;
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
        let end = self.rest.iter().position(special)?;
        let (text, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        self.take(b"\"")?;
        Some(text)
    }

    fn number(&mut self) -> Option<()> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at_checked(digits.count())?;
        if matches!(digits, [b'0', _, ..]) {
            return None;
        }
        let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        self.rest = rest;
        (number <= MAX_INTEGER).then_some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b"[")?;
        if self.takes(b']') {
            return Some(());
        }
        loop {
            self.value(depth.saturating_add(1))?;
            if !self.takes(b',') {
                self.space();
                return self.take(b"]");
            }
        }
    }

    /// An object; `member` gets each key, and how many bytes were left before and after its value.
    fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(&'a [u8], usize, usize) -> Option<()>,
    ) -> Option<()> {
        self.take(b"{")?;
        if self.takes(b'}') {
            return Some(());
        }
        let mut keys = Keys::default();
        loop {
            let key = self.string()?;
            keys.add(key, self.form)?;
            if !self.takes(b':') {
                return None;
            }
            let before = self.rest.len();
            self.value(depth.saturating_add(1))?;
            member(key, before, self.rest.len())?;
            if !self.takes(b',') {
                self.space();
                return self.take(b"}");
            }
        }
    }
}

/// The keys of one object: ASCII, none twice.
#[derive(Default)]
struct Keys<'a> {
    last: Option<&'a [u8]>,
    others: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    /// Our own objects have fewer fields; more are left to the full reader, which compares faster.
    const MOST: usize = 32;

    fn add(&mut self, key: &'a [u8], form: Form) -> Option<()> {
        if !key.is_ascii() {
            return None;
        }
        let known = match form {
            // RFC 8785 sorts by UTF-16 code units: of ASCII keys, by bytes.
            Form::Canonical => self.last.is_some_and(|last| last >= key),
            Form::Free => self.others.len() >= Self::MOST || self.others.contains(&key),
        };
        if known {
            return None;
        }
        self.last = Some(key);
        if form == Form::Free {
            self.others.push(key);
        }
        Some(())
    }
}
