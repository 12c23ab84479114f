//! Multiples of G1's generator in constant time, from a table of its multiples.
//!
//! A scalar is written with 51 odd digits, `s = sum d_i 32^i` with `d_i` in {±1, ±3, …, ±31}. An even
//! scalar is replaced by its negative, which is odd, and the result negated. With bits b of s from
//! the lowest, `d_i = 2 v_i - 31` with `v_i = sum_j b_(5i+1+j) 2^j`; the highest is `2 v + 1`. These
//! telescope to s because b_0 is 1.
//!
//! The table holds the 16 odd multiples 1, 3, …, 31 of `32^i G`. A digit's entry is taken by reading
//! all 16 under masks, and its sign by a masked negation, so that neither the addresses read nor the
//! branches taken depend on the scalar. No digit is zero, so no addition meets infinity; partial sums
//! are smaller than the entry they meet, so none meets its equal or its opposite either, but for
//! the highest digit of a handful of scalars, whose sum is correct as well.

use std::sync::OnceLock;

use blst::blst_p1_affine;
use rayon::prelude::*;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::crypto::affine::{Adder, Affine};
use crate::crypto::point::{G1, G1Sum};
use crate::crypto::scalar::Scalar;

/// Bits of a digit, and digits of a scalar: 5 * 51 = 255.
const WIDTH: usize = 5;
const DIGITS: usize = 51;

/// Odd multiples of one row.
const ROW: usize = 16;

/// Scalars of one batch: they share the inversions of each digit.
const BATCH: usize = 256;

/// Fewer than this do not repay a digit's inversion.
const SHARED: usize = 16;

type Row = [blst_p1_affine; ROW];

/// 51 rows, 78 KB, made on first use.
fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut sums = Vec::with_capacity(DIGITS.saturating_mul(ROW));
        let mut base = G1Sum::from(G1::generator());
        for _ in 0..DIGITS {
            let mut double = base;
            double.add_sum(&base);
            let mut multiple = base;
            for _ in 0..ROW {
                sums.push(multiple);
                multiple.add_sum(&double);
            }
            base = base.times_small(1 << WIDTH);
        }
        let points = G1Sum::finite_many(&sums).unwrap_or_default();
        points
            .as_chunks::<ROW>()
            .0
            .iter()
            .map(|row| row.map(|point| point.0))
            .collect()
    })
}

/// One scalar as digits; wiped on drop.
struct Digits {
    /// For each digit: the position in the row, and 1 if the entry is subtracted.
    signed: [(u8, u8); DIGITS],
    /// 1 if the whole is to be negated.
    negative: u8,
}

impl Digits {
    fn of(scalar: &Scalar) -> Self {
        let odd = scalar.to_blst();
        let even = scalar.neg().to_blst();
        let negative = (odd.b.first().copied().unwrap_or(0) & 1) ^ 1;
        let mask = 0u8.wrapping_sub(negative);
        // Bit 255 of the 256 is zero.
        let mut bytes = [0u8; 33];
        for (byte, (a, b)) in bytes.iter_mut().zip(odd.b.iter().zip(&even.b)) {
            *byte = (a & !mask) | (b & mask);
        }
        let mut signed = [(0, 0); DIGITS];
        for (i, digit) in signed.iter_mut().enumerate() {
            let bit = i.saturating_mul(WIDTH).saturating_add(1);
            let at = |offset: usize| {
                let place = bit.div_euclid(8).saturating_add(offset);
                u16::from(bytes.get(place).copied().unwrap_or(0))
            };
            let two = at(0) | at(1).wrapping_shl(8);
            let shift = u32::try_from(bit.rem_euclid(8)).unwrap_or(0);
            let value = u8::try_from(two.wrapping_shr(shift) & 31).unwrap_or(0);
            // The highest digit is positive, as one with the upper bit is.
            let upper = value.wrapping_shr(4) | u8::from(i.saturating_add(1) == DIGITS);
            let below = 0u8.wrapping_sub(upper ^ 1);
            *digit = ((value ^ below) & 15, upper ^ 1);
        }
        bytes.zeroize();
        Self { signed, negative }
    }

    /// The entry of digit `i`, read in constant time.
    fn entry(&self, row: &Row, i: usize) -> blst_p1_affine {
        let (place, negative) = self.signed.get(i).copied().unwrap_or_default();
        let mut out = blst_p1_affine::default();
        for (candidate, entry) in (0u8..).zip(row) {
            let mask = 0u64.wrapping_sub(u64::from(place.ct_eq(&candidate).unwrap_u8()));
            let limbs = out.x.l.iter_mut().chain(&mut out.y.l);
            for (limb, read) in limbs.zip(entry.x.l.iter().chain(&entry.y.l)) {
                *limb |= read & mask;
            }
        }
        out.negated_if(negative == 1)
    }
}

impl Drop for Digits {
    fn drop(&mut self) {
        for (place, negative) in &mut self.signed {
            place.zeroize();
            negative.zeroize();
        }
        self.negative.zeroize();
    }
}

/// Returns `scalar * G` in constant time; infinity for zero.
pub(in crate::crypto) fn times(scalar: &Scalar) -> G1Sum {
    if scalar.is_zero() {
        return G1Sum::infinity();
    }
    let digits = Digits::of(scalar);
    let mut sum = G1Sum::infinity();
    for (i, row) in table().iter().enumerate() {
        // A multiple of the generator, as every entry is.
        sum.add(&G1(digits.entry(row, i)));
    }
    sum.negate_if(digits.negative == 1);
    sum
}

/// Returns `scalar * G` for every scalar, on all cores, in constant time for a given number of
/// scalars; nothing if one is zero.
pub(in crate::crypto) fn times_many(scalars: &[&Scalar]) -> Option<Vec<G1>> {
    if scalars.iter().any(|scalar| scalar.is_zero()) {
        return None;
    }
    let share = scalars.len().div_ceil(rayon::current_num_threads().max(1));
    let batches: Vec<Vec<G1>> = scalars
        .par_chunks(share.clamp(1, BATCH))
        .map(|batch| {
            if batch.len() < SHARED {
                return batch.iter().filter_map(|s| times(s).finite()).collect();
            }
            times_batch(batch)
        })
        .collect();
    Some(batches.concat())
}

/// One batch of scalars that are not zero: all their first digits, then all their second ones, ….
fn times_batch(scalars: &[&Scalar]) -> Vec<G1> {
    let digits: Vec<Digits> = scalars.iter().map(|scalar| Digits::of(scalar)).collect();
    let mut adder = Adder::new();
    let mut sums = vec![blst_p1_affine::default(); scalars.len()];
    let mut pairs = Vec::with_capacity(scalars.len());
    for (i, row) in table().iter().enumerate() {
        pairs.clear();
        let entries = digits.iter().map(|digits| digits.entry(row, i));
        pairs.extend(sums.iter().copied().zip(entries));
        sums.clear();
        adder.add_pairs(&pairs, &mut sums);
    }
    let out = sums
        .iter()
        .zip(&digits)
        .map(|(sum, digits)| G1(sum.negated_if(digits.negative == 1)))
        .collect();
    // Entries and partial sums tell digits.
    adder.wipe();
    wipe(&mut pairs);
    out
}

fn wipe(pairs: &mut [(blst_p1_affine, blst_p1_affine)]) {
    for point in pairs.iter_mut().flat_map(|(a, b)| [a, b]) {
        point.x.l.zeroize();
        point.y.l.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::xof::Xof;

    /// blst's own multiplication, by another method.
    fn by_blst(scalar: &Scalar) -> Option<G1> {
        G1::generator().times(scalar)
    }

    /// Around zero, around the order, the digits' edges, sparse and dense ones, random ones.
    fn scalars() -> Vec<Scalar> {
        let n = Scalar::from_u64;
        let mut all: Vec<Scalar> = (1..=70).map(n).collect();
        all.extend((1..=70).map(|k| n(k).neg()));
        let mut power = n(1);
        for _ in 0..255 {
            all.extend([
                power.duplicate(),
                power.add(&n(1)),
                power.sub(&n(1)),
                power.neg(),
            ]);
            power = power.add(&power);
        }
        // Where the highest digit meets its like: 2 * (v * 32^50) minus the order, and around it.
        let mut top = n(1);
        for _ in 0..50 {
            top = top.mul(&n(32));
        }
        for k in 1..=31 {
            let multiple = top.mul(&n(k));
            let double = multiple.add(&multiple);
            all.extend([multiple.neg(), double.neg(), double, multiple]);
        }
        let mut stream = Xof::new(&[8; 32]);
        all.extend((0..300).map(|_| stream.scalar()));
        all.retain(|scalar| !scalar.is_zero());
        all
    }

    #[test]
    fn every_way_agrees_with_blst() {
        let all = scalars();
        let expected: Vec<G1> = all.iter().map(|s| by_blst(s).unwrap()).collect();
        let borrowed: Vec<&Scalar> = all.iter().collect();
        assert_eq!(times_many(&borrowed), Some(expected.clone()));
        for (scalar, expected) in all.iter().zip(&expected) {
            assert_eq!(times(scalar).finite(), Some(*expected));
        }
        for few in [1, 2, SHARED - 1, SHARED, SHARED + 1] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
            let some = pool.unwrap().install(|| times_many(&borrowed[..few]));
            assert_eq!(some.unwrap(), expected[..few]);
        }
    }

    #[test]
    fn zero_has_no_point() {
        let (zero, one) = (Scalar::zero(), Scalar::from_u64(1));
        assert!(times(&zero).is_infinity());
        assert!(times_many(&[&one, &zero]).is_none());
        assert_eq!(times_many(&[]), Some(Vec::new()));
    }

    #[test]
    fn digits_are_odd_and_sum_to_the_scalar() {
        for scalar in scalars() {
            let digits = Digits::of(&scalar);
            let mut sum = Scalar::zero();
            for (place, negative) in digits.signed.iter().rev() {
                let digit = Scalar::from_u64(u64::from(*place) * 2 + 1);
                let digit = if *negative == 1 { digit.neg() } else { digit };
                sum = sum.mul(&Scalar::from_u64(32)).add(&digit);
            }
            let sum = if digits.negative == 1 { sum.neg() } else { sum };
            assert_eq!(sum, scalar);
        }
    }
}
