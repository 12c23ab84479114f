//! The one encoding: JSON under strict rules, hashed and signed in its RFC 8785 canonical form.
//!
//! Rules (docs/formats.md): no null; numbers are integers from 0 to 2^53-1 without sign, point or
//! exponent; no key twice; bounded size, nesting and node count; nothing after the value. With
//! these, the canonical form is the sorted-key form without white space.

mod typed;

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

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
    // A node costs memory however few bytes it took, so the count is bounded by the size. The
    // shortest values of our own files are deposit amounts: 10 digits and a comma.
    let mut nodes = bytes.len().div_euclid(8).saturating_add(1024);
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

/// Parses `bytes` and refuses them unless they are canonical.
pub fn parse_canonical(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    let value = parse(bytes, limit)?;
    require_canonical(&value, bytes)?;
    Ok(value)
}

/// Refuses `bytes`, of which `value` was read, unless they are canonical.
pub fn require_canonical(value: &Value, bytes: &[u8]) -> Result<(), JsonError> {
    if canonical_value(value)? == bytes {
        Ok(())
    } else {
        Err(JsonError::NotCanonical)
    }
}

/// Reads a typed object out of a parsed value. The type must deny unknown fields.
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, JsonError> {
    T::deserialize(typed::Typed(value)).map_err(invalid)
}

/// Returns the canonical bytes of a value.
pub fn canonical_value(value: &Value) -> Result<Vec<u8>, JsonError> {
    serde_json_canonicalizer::to_vec(value).map_err(invalid)
}

/// Returns the canonical bytes of what we made ourselves; refuses what [`parse`] would.
pub fn canonical<T: Serialize>(object: &T) -> Result<Vec<u8>, JsonError> {
    let value = to_value(object)?;
    canonical_value(&value)
}

/// Turns what we made ourselves into a value; refuses what [`parse`] would.
pub fn to_value<T: Serialize>(object: &T) -> Result<Value, JsonError> {
    let value = serde_json::to_value(object).map_err(invalid)?;
    admit(&value, 0)?;
    Ok(value)
}

/// Returns pretty-printed bytes with a final newline, for files that people open.
pub fn pretty<T: Serialize>(object: &T) -> Result<Vec<u8>, JsonError> {
    let value = to_value(object)?;
    let mut bytes = serde_json::to_vec_pretty(&value).map_err(invalid)?;
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

/// `N` bytes, in JSON a string of exactly `2 * N` lower-case hex characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Hex<N> {
    /// Reads exactly `2 * N` lower-case hex characters.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; N];
        decode_hex(text, &mut bytes)?;
        Some(Self(bytes))
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode_hex(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HexVisitor<const N: usize>;
        impl<const N: usize> Visitor<'_> for HexVisitor<N> {
            type Value = Hex<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} lower-case hex characters", N.saturating_mul(2))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hex<N>, E> {
                Hex::parse(text)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Other("another string"), &self))
            }
        }
        deserializer.deserialize_str(HexVisitor)
    }
}

/// Returns the lower-case hex of `bytes`.
pub fn encode_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?'));
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0x0f));
    }
    text
}

/// Reads lower-case hex that fills `out` exactly.
pub fn decode_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != out.len() {
        return None;
    }
    let nibble = |character: u8| match character {
        b'0'..=b'9' => Some(character.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(character.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    for ([high, low], byte) in pairs.iter().zip(out) {
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(())
}

/// Free text: NFC, 1 to 64 characters, no control, format, private-use or line-breaking characters,
/// no white space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The most characters.
    pub const MAX_CHARS: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A form in which names that differ in case or compatibility forms only are equal (NFKC, then
    /// lower case). Letters of different scripts that look alike stay different.
    pub fn folded(&self) -> String {
        self.0.nfkc().collect::<String>().to_lowercase()
    }

    /// A form for file names: lower-case ASCII letters, digits and hyphens, at most 32 of them.
    pub fn file_stem(&self) -> String {
        let mut stem = String::new();
        for character in self.folded().chars() {
            if character.is_ascii_alphanumeric() {
                stem.push(character);
            } else if !stem.is_empty() && !stem.ends_with('-') {
                stem.push('-');
            }
        }
        let stem: String = stem.chars().take(32).collect();
        let stem = stem.trim_end_matches('-');
        if stem.is_empty() {
            "unnamed".to_owned()
        } else {
            stem.to_owned()
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.0
    }
}

impl TryFrom<String> for Text {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        if text.is_empty() || text.trim() != text {
            return Err(TextError::Blank);
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err(TextError::TooLong);
        }
        if !text.nfc().eq(text.chars()) {
            return Err(TextError::NotNfc);
        }
        let forbidden = |character: &char| {
            matches!(
                character.general_category(),
                GeneralCategory::Control
                    | GeneralCategory::Format
                    | GeneralCategory::PrivateUse
                    | GeneralCategory::Surrogate
                    | GeneralCategory::Unassigned
                    | GeneralCategory::LineSeparator
                    | GeneralCategory::ParagraphSeparator
            )
        };
        match text.chars().find(forbidden) {
            Some(character) => Err(TextError::Forbidden(u32::from(character))),
            None => Ok(Self(text)),
        }
    }
}

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty, or white space at an end.
    #[error("a name is empty or has white space at an end")]
    Blank,
    /// Over [`Text::MAX_CHARS`].
    #[error("a name is longer than {} characters", Text::MAX_CHARS)]
    TooLong,
    /// Not in Unicode normalisation form C.
    #[error("a name is not in Unicode form NFC")]
    NotNfc,
    /// A character that does not print or changes how others print.
    #[error("a name holds the character U+{0:04X}, which does not print")]
    Forbidden(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes(), 1 << 20).unwrap_err().to_string()
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for (text, why) in [
            (r#"{"a":1,"a":1}"#, "stands twice"),
            (r#"{"a":null}"#, "null"),
            ("1.0", "floating point"),
            ("1e3", "floating point"),
            ("-1", "integer `-1`"),
            ("-0", "floating point"),
            ("9007199254740992", "2^53-1"),
            ("99999999999999999999", "floating point"),
            (r#"{"é":1}"#, "not ASCII"),
            ("1 2", "trailing"),
            ("", "EOF"),
            ("\u{feff}1", "expected value"),
            (r#""\ud800""#, "hex escape"),
        ] {
            assert!(refused(text).contains(why), "{text}: {}", refused(text));
        }
        assert_eq!(
            parse(b"9007199254740991", 64).unwrap(),
            Value::from(MAX_INTEGER)
        );
    }

    #[test]
    fn an_object_is_not_read_from_an_array() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Outer {
            inner: Vec<Inner>,
            kind: Option<Kind>,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Inner {
            a: u64,
        }
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Plain,
            Of(String),
        }
        let read = |text: &str| decode::<Outer>(&parse(text.as_bytes(), 1 << 20).unwrap());
        let made = |kind| Outer {
            inner: vec![Inner { a: 1 }],
            kind,
        };
        assert_eq!(read(r#"{"inner":[{"a":1}]}"#), Ok(made(None)));
        let plain = read(r#"{"inner":[{"a":1}],"kind":"plain"}"#);
        assert_eq!(plain, Ok(made(Some(Kind::Plain))));
        let of = read(r#"{"inner":[{"a":1}],"kind":{"of":"x"}}"#);
        assert_eq!(of, Ok(made(Some(Kind::Of("x".into())))));
        for (text, why) in [
            (r#"[[{"a":1}],"plain"]"#, "expected an object"),
            (r#"{"inner":[[1]]}"#, "expected an object"),
            (r#"{"inner":[{"a":1,"b":2}]}"#, "unknown field `b`"),
            (r#"{"inner":{"a":1}}"#, "expected a sequence"),
            (r#"{"inner":7}"#, "expected a sequence"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn size_depth_and_node_count_are_bounded() {
        assert_eq!(
            parse(b"[1]", 2),
            Err(JsonError::TooLarge {
                actual: 3,
                limit: 2
            })
        );
        assert!(
            parse("[".repeat(17).as_bytes(), 64)
                .unwrap_err()
                .to_string()
                .contains("EOF")
        );
        assert!(refused(&"[".repeat(18)).contains("too deeply"));
        assert!(refused(&format!("[{}1]", "1,".repeat(20_000))).contains("too many values"));
        assert!(parse(format!("[{}1]", "1,".repeat(900)).as_bytes(), 1 << 20).is_ok());
    }

    /// RFC 8785 section 3.2.3, cut to what our rules admit, and escapes of section 3.2.2.2.
    #[test]
    fn canonical_form_known_answers() {
        let value = parse(
            r#"{ "b" : [ 2, 1 ], "a" : "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/" }"#
                .as_bytes(),
            256,
        )
        .unwrap();
        let expected = "{\"a\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\"b\":[2,1]}";
        assert_eq!(
            String::from_utf8(canonical_value(&value).unwrap()).unwrap(),
            expected
        );
        assert!(parse_canonical(expected.as_bytes(), 256).is_ok());
        for other in [
            r#"{"b":1,"a":2}"#,
            r#"{"a": 2}"#,
            "{\"a\":\"\\u0041\"}",
            "[1]\n",
        ] {
            assert_eq!(
                parse_canonical(other.as_bytes(), 256),
                Err(JsonError::NotCanonical)
            );
        }
    }

    #[test]
    fn own_objects_obey_the_same_rules() {
        assert!(canonical(&Some(1u8)).is_ok());
        assert!(canonical(&None::<u8>).is_err());
        assert!(canonical(&1.5f64).is_err());
        assert!(canonical(&-1i8).is_err());
        assert!(canonical(&u64::MAX).is_err());
    }

    #[test]
    fn hex_is_lower_case_and_of_fixed_length() {
        assert_eq!(Hex::<2>::parse("00ff"), Some(Hex([0, 255])));
        for bad in ["00FF", "00f", "00fff", "0x00", "00fg", " 0ff", "00ffff"] {
            assert_eq!(Hex::<2>::parse(bad), None, "{bad}");
        }
        assert_eq!(serde_json::to_string(&Hex([0u8, 255])).unwrap(), "\"00ff\"");
    }

    #[test]
    fn text_admits_names_and_refuses_tricks() {
        for good in ["alice", "Zoë", "運営者 1", "O'Brien & Söhne"] {
            assert!(Text::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", TextError::Blank),
            (" alice", TextError::Blank),
            ("ali\u{202e}ce", TextError::Forbidden(0x202e)),
            ("ali\u{200b}ce", TextError::Forbidden(0x200b)),
            ("a\nb", TextError::Forbidden(0x0a)),
            ("Zoe\u{308}", TextError::NotNfc),
            ("\u{e000}", TextError::Forbidden(0xe000)),
        ] {
            assert_eq!(Text::try_from(bad.to_owned()), Err(why), "{bad:?}");
        }
        assert_eq!(Text::try_from("x".repeat(65)), Err(TextError::TooLong));
        let stem = |name: &str| Text::try_from(name.to_owned()).unwrap().file_stem();
        assert_eq!(stem("Pool №1 / east"), "pool-no1-east");
        assert_eq!(stem("運営者"), "unnamed");
    }
}
