//! Free text for people, in one form.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

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

    /// A form for file names, on every system: lower-case ASCII letters, digits and hyphens, at most
    /// 32 of them.
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
        } else if is_device(stem) {
            format!("x-{stem}")
        } else {
            stem.to_owned()
        }
    }
}

/// Whether Windows keeps this name, in lower case and without extension, for a device.
pub fn is_device(stem: &str) -> bool {
    let numbered = |word| {
        stem.strip_prefix(word)
            .is_some_and(|rest: &str| matches!(rest.as_bytes(), [b'0'..=b'9']))
    };
    matches!(stem, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
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
        // `con.card.json` cannot be written on Windows, nor on a stick there.
        assert_eq!(stem("CON \u{fffd}"), "x-con");
        assert_eq!(stem("lpt1"), "x-lpt1");
        assert_eq!(stem("lpt10"), "lpt10");
    }
}
