//! Bytes as lower-case hex of a fixed length.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    let digit = |nibble: u8| match nibble {
        0..=9 => nibble.wrapping_add(b'0'),
        _ => nibble.wrapping_sub(10).wrapping_add(b'a'),
    };
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]);
    String::from_utf8(digits.collect()).unwrap_or_default()
}

/// The value of each lower-case hex digit; [`NO_DIGIT`] of every other byte.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut rest: &[u8] = b"0123456789abcdef";
    let mut value = 0u8;
    while let [digit, higher @ ..] = rest {
        let (_, after) = nibbles.split_at_mut(*digit as usize);
        if let [nibble, ..] = after {
            *nibble = value;
        }
        value = value.saturating_add(1);
        rest = higher;
    }
    nibbles
};

const NO_DIGIT: u8 = 0xff;

/// Reads lower-case hex that fills `out` exactly.
pub fn decode_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != out.len() {
        return None;
    }
    let nibble = |digit: u8| NIBBLES.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
    let mut seen = 0u8;
    for ([high, low], byte) in pairs.iter().zip(out) {
        let (high, low) = (nibble(*high), nibble(*low));
        *byte = high << 4 | low;
        seen |= high | low;
    }
    // A nibble has four bits, and whatever is no digit more.
    (seen <= 0x0f).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_of_fixed_length() {
        assert_eq!(Hex::<2>::parse("00ff"), Some(Hex([0, 255])));
        for bad in ["00FF", "00f", "00fff", "0x00", "00fg", " 0ff", "00ffff"] {
            assert_eq!(Hex::<2>::parse(bad), None, "{bad}");
        }
        assert_eq!(serde_json::to_string(&Hex([0u8, 255])).unwrap(), "\"00ff\"");
    }

    #[test]
    fn every_byte_comes_back_and_no_other_character_is_a_digit() {
        for byte in 0..=255u8 {
            let text = format!("{byte:02x}");
            assert_eq!(encode_hex(&[byte]), text);
            assert_eq!(Hex::<1>::parse(&text), Some(Hex([byte])));
            let digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            for pair in [[b'0', byte], [byte, b'0']] {
                let read = std::str::from_utf8(&pair).ok().and_then(Hex::<1>::parse);
                assert_eq!(read.is_some(), digit, "{pair:?}");
            }
        }
    }
}
