//! Generated passphrases: six groups of four characters, 137 bits.

use crate::ambient::{Randomness, RandomnessError};
use crate::secret::{Passphrase, PassphraseError, Secret};

use super::ArtifactError;

/// Letters and digits without those that people take for another: B and 8, I, l and 1, O, o and 0,
/// S and 5, Z and 2.
const ALPHABET: &[u8; 53] = b"23456789ACDEFGHJKLMNPQRTUVWXYabcdefghijkmnpqrstuvwxyz";

const GROUPS: usize = 6;
const GROUP_CHARS: usize = 4;

/// Draws a passphrase.
pub(super) fn generate(randomness: &mut dyn Randomness) -> Result<Passphrase, ArtifactError> {
    let text = draw(randomness)?;
    // `Passphrase` takes the text over, so no copy of it is left behind.
    Passphrase::new(text).map_err(|error: PassphraseError| error.into())
}

fn draw(randomness: &mut dyn Randomness) -> Result<String, RandomnessError> {
    const CHARS: usize = GROUPS * GROUP_CHARS;
    // The whole capacity at once: growing would leave unwiped copies behind.
    let mut text = Secret::new(String::with_capacity(CHARS.saturating_add(GROUPS)));
    let mut count = 0usize;
    while count < CHARS {
        let bytes = randomness.seed()?;
        bytes.expose(|bytes| {
            text.expose_mut(|text| {
                for character in bytes.iter().filter_map(|byte| character(*byte)) {
                    if count >= CHARS {
                        break;
                    }
                    if count > 0 && count.checked_rem(GROUP_CHARS) == Some(0) {
                        text.push('-');
                    }
                    text.push(character);
                    count = count.saturating_add(1);
                }
            });
        });
    }
    Ok(text.expose_mut(std::mem::take))
}

/// Turns a byte into a character, each with the same probability: the bytes from the largest
/// multiple of the alphabet's size on are thrown away.
fn character(byte: u8) -> Option<char> {
    let position = usize::from(byte);
    let size = ALPHABET.len();
    let whole = 256usize.div_euclid(size).saturating_mul(size);
    (position < whole)
        .then(|| ALPHABET.get(position.rem_euclid(size)).copied())
        .flatten()
        .map(char::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient::OsRandomness;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_character_is_as_likely_as_any_other() {
        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        for character in (0..=u8::MAX).filter_map(character) {
            *counts.entry(character).or_default() += 1;
        }
        assert_eq!(counts.len(), ALPHABET.len());
        assert!(counts.values().all(|count| *count == 4), "{counts:?}");
        for alike in ["B8", "Il1", "Oo0", "S5", "Z2"] {
            let admitted = alike.chars().filter(|c| counts.contains_key(c)).count();
            assert!(admitted <= 1, "{alike}");
        }
    }

    #[test]
    fn passphrases_have_at_least_128_bits_in_six_groups() {
        // Half of the characters hold half of the bits.
        assert!((ALPHABET.len() as u128).pow(12) >= 1 << 64);
        let drawn: BTreeSet<String> = (0..100).map(|_| draw(&mut OsRandomness).unwrap()).collect();
        assert_eq!(drawn.len(), 100);
        for text in &drawn {
            let groups: Vec<&str> = text.split('-').collect();
            assert_eq!(groups.len(), 6);
            for group in groups {
                assert!(group.len() == 4 && group.bytes().all(|byte| ALPHABET.contains(&byte)));
            }
        }
    }
}
