//! The one encoding: JSON under strict rules, hashed and signed in its RFC 8785 canonical form.
//!
//! Rules (docs/formats.md): no null; numbers are integers from 0 to 2^53-1 without sign, point or
//! exponent; no key twice; bounded size, nesting and node count; nothing after the value. With
//! these, the canonical form is the sorted-key form without white space.

mod direct;
mod hex;
mod scan;
mod text;
mod typed;

pub use hex::{Hex, decode_hex, encode_hex};
pub use text::{Text, TextError, is_device};

use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::{Map, Value};

use scan::Form;

/// The largest integer: 2^53-1, the last one that every JSON reader holds exactly.
pub const MAX_INTEGER: u64 = 9_007_199_254_740_991;

/// The deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 16;

/// Why bytes are not JSON under our rules, or not the object that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than this kind of file may have.
    #[error("is {actual} bytes long; the limit is {limit}")]
    TooLarge {
        /// Bytes found.
        actual: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not JSON, or against a rule above.
    #[error("is not valid: {0}")]
    Invalid(String),
    /// JSON, but not in its canonical bytes.
    #[error("is not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// Parses `bytes` (at most `limit` of them) under the rules of this module.
pub fn parse(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge {
            actual: bytes.len(),
            limit,
        });
    }
    let mut nodes = node_bound(bytes.len());
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict {
        depth: 0,
        nodes: &mut nodes,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value))
    .map_err(invalid)?;
    Ok(value)
}

/// The most values in a file of so many bytes. A node costs memory however few bytes it took, so the
/// count is bounded by the size. The shortest values of our own files are deposit amounts: 10 digits
/// and a comma.
fn node_bound(bytes: usize) -> usize {
    bytes.div_euclid(8).saturating_add(1024)
}

/// Parses `bytes` and refuses them unless they are canonical.
pub fn parse_canonical(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    let value = parse(bytes, limit)?;
    require_canonical(&value, bytes)?;
    Ok(value)
}

/// Refuses `bytes`, of which `value` was read, unless they are canonical.
pub fn require_canonical(value: &Value, bytes: &[u8]) -> Result<(), JsonError> {
    if scan::holds(bytes, Form::Canonical) || canonical_value(value)? == bytes {
        Ok(())
    } else {
        Err(JsonError::NotCanonical)
    }
}

/// Reads a typed object out of a parsed value. The type must deny unknown fields.
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, JsonError> {
    T::deserialize(typed::Typed(value)).map_err(invalid)
}

/// [`parse`], then [`decode`]; builds no value if the bytes are as expected.
pub fn read<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, JsonError> {
    if bytes.len() <= limit
        && scan::holds(bytes, Form::Free)
        && let Some(made) = read_scanned(bytes)
    {
        return Ok(made);
    }
    decode(&parse(bytes, limit)?)
}

/// [`parse_canonical`], then [`decode`]; builds no value if the bytes are as expected.
pub fn read_canonical<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, JsonError> {
    if bytes.len() <= limit
        && scan::holds(bytes, Form::Canonical)
        && let Some(made) = read_scanned(bytes)
    {
        return Ok(made);
    }
    decode(&parse_canonical(bytes, limit)?)
}

/// Splits an object in canonical bytes into its members: name, and where the value stands, which is
/// canonical too. Nothing if the bytes are no such object under the rules of [`parse`], or hold what
/// only [`parse`] reads.
pub fn canonical_members(bytes: &[u8]) -> Option<Vec<(&str, Range<usize>)>> {
    scan::members(bytes)
}

/// Reads a typed object out of bytes that passed the scanner. What is refused here may be accepted by
/// [`decode`], and what is accepted here is read there alike.
fn read_scanned<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let made = T::deserialize(direct::Direct(&mut deserializer)).ok()?;
    deserializer.end().ok()?;
    Some(made)
}

/// Returns the canonical bytes of a value.
pub fn canonical_value(value: &Value) -> Result<Vec<u8>, JsonError> {
    if let Some(bytes) = canonical_as_written(value)? {
        return Ok(bytes);
    }
    serde_json_canonicalizer::to_vec(value).map_err(invalid)
}

/// Returns the canonical bytes of what we made ourselves; refuses what [`parse`] would. Takes no more
/// memory than the bytes if the object's fields are declared in the order of their names.
pub fn canonical<T: Serialize>(object: &T) -> Result<Vec<u8>, JsonError> {
    if let Some(bytes) = canonical_as_written(object)? {
        return Ok(bytes);
    }
    let value = to_value(object)?;
    canonical_value(&value)
}

/// Writes without sorting; returns the bytes if they turn out to be canonical.
fn canonical_as_written<T: Serialize>(object: &T) -> Result<Option<Vec<u8>>, JsonError> {
    let bytes = serde_json::to_vec(object).map_err(invalid)?;
    Ok(scan::holds(&bytes, Form::Canonical).then_some(bytes))
}

/// Turns what we made ourselves into a value; refuses what [`parse`] would.
pub fn to_value<T: Serialize>(object: &T) -> Result<Value, JsonError> {
    let value = serde_json::to_value(object).map_err(invalid)?;
    admit(&value, 0)?;
    Ok(value)
}

/// Returns pretty-printed bytes with a final newline, for files that people open.
pub fn pretty<T: Serialize>(object: &T) -> Result<Vec<u8>, JsonError> {
    let sorted = canonical_as_written(object)?.is_some();
    let mut bytes = if sorted {
        serde_json::to_vec_pretty(object)
    } else {
        serde_json::to_vec_pretty(&to_value(object)?)
    }
    .map_err(invalid)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What an error may repeat of a file: at most `most` characters of it, on one line, and nothing that
/// a terminal obeys.
pub fn excerpt(text: &str, most: usize) -> String {
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let plain = |c: char| if obeyed(c) { '\u{fffd}' } else { c };
    let mut characters = text.chars();
    let mut safe: String = characters.by_ref().take(most).map(plain).collect();
    if characters.next().is_some() {
        safe.push_str("...");
    }
    safe
}

/// The most characters that are repeated of an error of another library, which may quote the file.
pub const MAX_QUOTED_CHARS: usize = 300;

fn invalid(error: serde_json::Error) -> JsonError {
    JsonError::Invalid(excerpt(&error.to_string(), MAX_QUOTED_CHARS))
}

/// The rules of [`parse`], for values that were built in memory.
fn admit(value: &Value, depth: usize) -> Result<(), JsonError> {
    let refuse = |what: &str| Err(JsonError::Invalid(what.to_owned()));
    if depth > MAX_DEPTH {
        return refuse("nested too deeply");
    }
    match value {
        Value::Null => refuse("null is not allowed"),
        Value::Bool(_) | Value::String(_) => Ok(()),
        Value::Number(number) => match number.as_u64() {
            Some(n) if n <= MAX_INTEGER => Ok(()),
            _ => refuse("numbers are integers from 0 to 2^53-1"),
        },
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| admit(item, depth.saturating_add(1))),
        Value::Object(map) => map
            .values()
            .try_for_each(|item| admit(item, depth.saturating_add(1))),
    }
}

struct Strict<'a> {
    depth: usize,
    nodes: &'a mut usize,
}

impl Strict<'_> {
    fn deeper(&mut self) -> Strict<'_> {
        Strict {
            depth: self.depth.saturating_add(1),
            nodes: self.nodes,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        *self.nodes = self
            .nodes
            .checked_sub(1)
            .ok_or_else(|| de::Error::custom("too many values for its size"))?;
        if self.depth > MAX_DEPTH {
            return Err(de::Error::custom("nested too deeply"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, array, string, boolean or integer from 0 to 2^53-1")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_INTEGER {
            return Err(E::custom("numbers are integers from 0 to 2^53-1"));
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper())? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            // RFC 8785 sorts by UTF-16 code units and serde_json by bytes; ASCII keys sort alike.
            if !key.is_ascii() {
                return Err(de::Error::custom("a key is not ASCII"));
            }
            let item = entries.next_value_seed(self.deeper())?;
            if map.contains_key(&key) {
                return Err(de::Error::custom(format!("the key {key:?} stands twice")));
            }
            map.insert(key, item);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
