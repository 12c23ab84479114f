//! Codes: the eight words that people compare by voice.
//!
//! A code is the first 88 bits, big-endian and 11 bits a word, of
//! `scrypt(password = hash, salt = tag, N = 2^17, r = 8, p = 1)` in the English words of BIP-39. The
//! slow hash is there because an author can search for two plans with one code: a pair costs about
//! 2^44 evaluations of 128 MiB each. Two equal codes show that two people hold the same file, not
//! that the file is right.

use std::fmt;

use bip39::Language;
use scrypt::{Params, scrypt};

use crate::hash::{Digest, Tag};

/// Why a text is not a code, or a code could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Far more text than eight words.
    #[error("is longer than a code can be ({} characters)", Code::MAX_TEXT_BYTES)]
    TooLong,
    /// Not eight words.
    #[error("a code has {words} words; this text has {0}", words = Code::WORDS)]
    Count(usize),
    /// A word outside the list.
    #[error("word {position}, \"{word}\", is not one of the 2048 code words")]
    Unknown {
        /// Which word, counted from 1.
        position: usize,
        /// The word, lower case, control characters escaped, cut to 20 characters.
        word: String,
    },
    /// The slow hash gave up.
    #[error("the code could not be computed: {0}")]
    Derivation(String),
}

/// Eight code words, each an index into the word list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code([u16; Code::WORDS]);

impl Code {
    /// How many words.
    pub const WORDS: usize = 8;
    /// The longest text that [`Self::parse`] looks at, in bytes.
    pub const MAX_TEXT_BYTES: usize = 512;

    /// Computes the code of a hash; `tag` says of what. Takes 128 MiB and some tenths of a second.
    pub fn of(hash: &Digest, tag: Tag) -> Result<Self, CodeError> {
        let failed = |error: &dyn fmt::Display| CodeError::Derivation(error.to_string());
        let params = Params::new(17, 8, 1).map_err(|error| failed(&error))?;
        let mut out = [0u8; 32];
        scrypt(hash.as_bytes(), tag.as_str().as_bytes(), &params, &mut out)
            .map_err(|error| failed(&error))?;
        Ok(Self::from_leading_bits(&out))
    }

    /// Reads a code as a person typed it: any case; white space, commas or hyphens between words.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        if text.len() > Self::MAX_TEXT_BYTES {
            return Err(CodeError::TooLong);
        }
        let between = |c: char| c.is_whitespace() || matches!(c, ',' | '-');
        let words: Vec<&str> = text
            .split(between)
            .filter(|word| !word.is_empty())
            .collect();
        let mut indices = Vec::with_capacity(Self::WORDS);
        for (position, word) in (1usize..).zip(&words) {
            let word = word.to_ascii_lowercase();
            let index = Language::English
                .find_word(&word)
                .ok_or_else(|| CodeError::Unknown {
                    position,
                    word: word.escape_debug().take(20).collect(),
                })?;
            indices.push(index);
        }
        let indices = <[u16; Self::WORDS]>::try_from(indices);
        indices.map(Self).map_err(|_| CodeError::Count(words.len()))
    }

    /// "The first 88 bits", 11 bits a word, most significant first.
    fn from_leading_bits(bytes: &[u8; 32]) -> Self {
        let mut bits = bytes.iter().flat_map(|byte| {
            (0..8u32)
                .rev()
                .map(move |shift| u16::from(byte >> shift & 1))
        });
        Self(std::array::from_fn(|_| {
            bits.by_ref().take(11).fold(0, |word, bit| word << 1 | bit)
        }))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, index) in self.0.iter().enumerate() {
            let word = Language::English.word_list().get(usize::from(*index));
            let space = if position == 0 { "" } else { " " };
            write!(f, "{space}{}", word.ok_or(fmt::Error)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "kiwi amused erode deny abandon vote arrow chuckle";

    fn hash() -> Digest {
        Digest::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()))
    }

    /// Computed with Python's `hashlib.scrypt` and the word list of BIP-39.
    #[test]
    fn known_answer() {
        assert_eq!(
            Code::of(&hash(), Tag::PLAN_CODE).unwrap().to_string(),
            WORDS
        );
        assert_ne!(
            Code::of(&hash(), Tag::OUTCOME_CODE).unwrap().to_string(),
            WORDS
        );
    }

    #[test]
    fn bits_are_taken_from_the_front() {
        let code = |bytes: &[u8]| {
            let mut all = [0u8; 32];
            all[..bytes.len()].copy_from_slice(bytes);
            Code::from_leading_bits(&all).0
        };
        assert_eq!(code(&[]), [0; 8]);
        assert_eq!(code(&[0xff; 11]), [2047; 8]);
        assert_eq!(code(&[0x00, 0x20]), [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            code(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff]),
            [0, 0, 0, 0, 0, 0, 0, 1]
        );
    }

    #[test]
    fn people_may_type_it_in_many_ways() {
        let code = Code::parse(WORDS).unwrap();
        assert_eq!(code.to_string(), WORDS);
        for text in [
            WORDS.to_uppercase(),
            WORDS.replace(' ', "-"),
            WORDS.replace(' ', ", "),
            format!("  {}\r\n", WORDS.replace(' ', "\t\n \u{a0}")),
        ] {
            assert_eq!(Code::parse(&text), Ok(code), "{text:?}");
        }
        let (first, rest) = WORDS.split_once(' ').unwrap();
        assert_ne!(Code::parse(&format!("{rest} {first}")), Ok(code));
    }

    #[test]
    fn errors_name_the_word() {
        assert_eq!(Code::parse(""), Err(CodeError::Count(0)));
        assert_eq!(Code::parse("zoo zoo"), Err(CodeError::Count(2)));
        assert_eq!(
            Code::parse(&format!("{WORDS} zoo")),
            Err(CodeError::Count(9))
        );
        assert_eq!(Code::parse(&"zoo ".repeat(129)), Err(CodeError::TooLong));
        let longest = format!("{WORDS:512}");
        assert!(Code::parse(&longest).is_ok());
        assert_eq!(Code::parse(&format!("{longest} ")), Err(CodeError::TooLong));
        assert_eq!(
            Code::parse("zoo zoo Zooo zoo").unwrap_err().to_string(),
            "word 3, \"zooo\", is not one of the 2048 code words"
        );
        // The first four letters say which word is meant, but a code is compared whole.
        assert!(matches!(
            Code::parse("aban"),
            Err(CodeError::Unknown { position: 1, .. })
        ));
        assert_eq!(
            Code::parse("zoo \u{1b}[31m").unwrap_err(),
            CodeError::Unknown {
                position: 2,
                word: "\\u{1b}[31m".to_owned()
            }
        );
    }
}
