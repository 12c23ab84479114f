//! Where the wrong characters of a line are: decoding of the BCH code of codex32 (BIP-93).
//!
//! The library's own corrector panics on words with more errors than it can correct, so that only its
//! fields and constants are used here. Textbook: Berlekamp-Massey with erasures, then Forney's values
//! as a proof that the places found explain the whole error.

use bech32::primitives::Field as _;
use bech32::primitives::checksum::PackedFe32 as _;
use bech32::{Checksum, Fe32, Fe1024};

use super::Codex32;

/// Errors count twice, unreadable characters once, up to this many.
const CAPACITY: usize = 8;

/// Finds the characters of a word that are not as written: their distances from its end, 0 for its
/// last character. `word` is the whole word that the checksum covers, first character first;
/// `unreadable` are distances of characters that are known to be in doubt.
///
/// Nothing if more is wrong than the code can tell, which then may be anywhere.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic in a finite field"
)]
pub(super) fn locate(word: &[Fe32], unreadable: &[usize]) -> Option<Vec<usize>> {
    let syndromes = syndromes(word);
    if syndromes.iter().all(|syndrome| *syndrome == Fe1024::ZERO) {
        return Some(Vec::new());
    }
    let mut erasures = vec![Fe1024::ONE];
    for distance in unreadable {
        erasures = product(&erasures, &[Fe1024::ONE, root(*distance)?], usize::MAX);
    }
    // The erasures' part is taken out of the syndromes; what is left obeys the errors' recurrence.
    let known = product(&erasures, &syndromes, CAPACITY);
    let errors = recurrence(known.get(unreadable.len()..)?);
    let twice = degree(&errors).checked_mul(2)?;
    if twice.checked_add(unreadable.len())? > CAPACITY {
        return None;
    }
    let locator = product(&errors, &erasures, usize::MAX);
    let found: Vec<usize> = (0..word.len())
        .filter(|distance| {
            inverse(*distance).is_some_and(|x| evaluate(&locator, &x) == Fe1024::ZERO)
        })
        .collect();
    if found.len() != degree(&locator) {
        return None;
    }
    let evaluator = product(&locator, &syndromes, CAPACITY);
    // In characteristic 2 the derivative keeps the odd powers.
    let derivative: Vec<Fe1024> = locator
        .iter()
        .enumerate()
        .skip(1)
        .map(|(power, c)| if power % 2 == 1 { *c } else { Fe1024::ZERO })
        .collect();
    let mut wrong = Vec::new();
    let mut left = syndromes;
    for distance in found {
        let (x, inverse) = (root(distance)?, inverse(distance)?);
        let slope = evaluate(&derivative, &inverse);
        if slope == Fe1024::ZERO {
            return None;
        }
        let first = i64::try_from(*Codex32::ROOT_EXPONENTS.start()).ok()?;
        let value = evaluate(&evaluator, &inverse) / slope * x.powi(1 - first);
        Fe32::try_from(value).ok()?;
        for (syndrome, exponent) in left.iter_mut().zip(Codex32::ROOT_EXPONENTS) {
            *syndrome += value * x.powi(i64::try_from(exponent).ok()?);
        }
        if value != Fe1024::ZERO {
            wrong.push(distance);
        }
    }
    left.iter()
        .all(|syndrome| *syndrome == Fe1024::ZERO)
        .then_some(wrong)
}

/// The word's difference from a word of the code, at the code's roots.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic in a finite field"
)]
fn syndromes(word: &[Fe32]) -> Vec<Fe1024> {
    let target = (0..Codex32::CHECKSUM_LENGTH)
        .rev()
        .filter_map(|power| Fe32::try_from(Codex32::TARGET_RESIDUE.unpack(power)).ok());
    let target: Vec<Fe32> = target.collect();
    Codex32::ROOT_EXPONENTS
        .filter_map(|exponent| {
            let x = Codex32::ROOT_GENERATOR.powi(i64::try_from(exponent).ok()?);
            let at = |digits: &[Fe32]| {
                digits
                    .iter()
                    .fold(Fe1024::ZERO, |sum, digit| sum * x + Fe1024::from(*digit))
            };
            Some(at(word) + at(&target))
        })
        .collect()
}

/// Berlekamp-Massey: the shortest recurrence that makes a sequence, lowest coefficient (one) first.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic in a finite field"
)]
fn recurrence(sequence: &[Fe1024]) -> Vec<Fe1024> {
    let mut current = vec![Fe1024::ONE];
    let (mut before, mut last) = (vec![Fe1024::ONE], Fe1024::ONE);
    let (mut length, mut gap) = (0usize, 1usize);
    for (n, _) in sequence.iter().enumerate() {
        let recent = sequence.iter().take(n.saturating_add(1)).rev();
        let discrepancy = current
            .iter()
            .zip(recent)
            .fold(Fe1024::ZERO, |sum, (c, s)| sum + *c * s);
        if discrepancy == Fe1024::ZERO {
            gap = gap.saturating_add(1);
            continue;
        }
        let factor = discrepancy / last;
        let mut next = current.clone();
        let reach = before.len().saturating_add(gap);
        next.resize(next.len().max(reach), Fe1024::ZERO);
        for (c, b) in next.iter_mut().skip(gap).zip(&before) {
            *c += factor * b;
        }
        if length.saturating_mul(2) <= n {
            length = n.saturating_add(1).saturating_sub(length);
            (before, last, gap) = (current, discrepancy, 1);
        } else {
            gap = gap.saturating_add(1);
        }
        current = next;
    }
    current
}

/// The root of the code to the power of a distance.
fn root(distance: usize) -> Option<Fe1024> {
    Some(Codex32::ROOT_GENERATOR.powi(i64::try_from(distance).ok()?))
}

fn inverse(distance: usize) -> Option<Fe1024> {
    Some(root(distance)?.multiplicative_inverse())
}

fn degree(polynomial: &[Fe1024]) -> usize {
    polynomial
        .iter()
        .rposition(|c| *c != Fe1024::ZERO)
        .unwrap_or_default()
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic in a finite field"
)]
fn evaluate(polynomial: &[Fe1024], x: &Fe1024) -> Fe1024 {
    polynomial
        .iter()
        .rev()
        .fold(Fe1024::ZERO, |sum, c| sum * x + c)
}

/// The product of two polynomials, without the powers from `most` on.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic in a finite field"
)]
fn product(a: &[Fe1024], b: &[Fe1024], most: usize) -> Vec<Fe1024> {
    let length = a.len().saturating_add(b.len()).saturating_sub(1).min(most);
    let mut product = vec![Fe1024::ZERO; length];
    for (power, x) in a.iter().enumerate() {
        for (sum, y) in product.iter_mut().skip(power).zip(b) {
            *sum += *x * y;
        }
    }
    product
}
