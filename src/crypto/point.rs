//! Points of G1 and G2: finite members of the prime-order subgroups, and sums of them.
//!
//! Encodings are the compressed ones of the beacon chain (48 and 96 bytes). Every constructor
//! checks: on the curve, in the subgroup, not infinity. A sum may be infinity, so it has its own
//! type, which becomes a point only through `finite`.
#![expect(unsafe_code, reason = "calls blst")]

use std::fmt;

use blst::{
    BLST_ERROR, blst_fp, blst_fp2, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine, blst_scalar,
};
use rayon::prelude::*;

use crate::crypto::affine::Affine;
use crate::crypto::fixed;
use crate::crypto::scalar::Scalar;
use crate::crypto::subgroup::{self, Curve};
use crate::hash::{Hasher, Tag};
use crate::json::encode_hex;

/// Why bytes are not a point that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// Not the canonical encoding of a point on the curve.
    #[error("is not a point on the curve")]
    NotOnCurve,
    /// On the curve, outside the prime-order subgroup.
    #[error("is a point outside the prime-order subgroup")]
    NotInSubgroup,
    /// The neutral element.
    #[error("is the point at infinity")]
    Infinity,
}

/// Points handled by one thread at a time; below this, threads cost more than they bring.
const CHUNK: usize = 64;

/// Points of one multi-scalar multiplication by one thread: Pippenger gains from size.
const MSM_CHUNK: usize = 1024;

macro_rules! group {
    (
        $(#[$doc:meta])* $Point:ident, $(#[$sum_doc:meta])* $Sum:ident, $bytes:literal,
        $affine:ident, $projective:ident,
        $uncompress:ident, $compress:ident, $in_group:ident, $affine_inf:ident, $affine_eq:ident,
        $from_affine:ident, $to_affine:ident, $to_affine_many:ident, $inf:ident,
        $add:ident, $add_affine:ident, $double:ident, $cneg:ident, $mult:ident,
        $pippenger:ident, $scratch:ident, $affine_generator:ident,
        $field:ident, $sum_in_group:ident,
        weights: $weight:literal, $checks:literal, $costs:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub struct $Point(pub(in crate::crypto) $affine);

        impl $Point {
            /// Bytes of the compressed encoding.
            pub const BYTES: usize = $bytes;

            /// The generator of the group.
            pub fn generator() -> Self {
                // SAFETY: blst returns a pointer to a constant.
                Self(unsafe { *blst::$affine_generator() })
            }

            /// Reads a compressed point and makes every check.
            pub fn from_bytes(bytes: &[u8; $bytes]) -> Result<Self, PointError> {
                let point = Self::decode(bytes)?;
                // SAFETY: `point` is a live value on the curve.
                if unsafe { !blst::$in_group(&raw const point) } {
                    return Err(PointError::NotInSubgroup);
                }
                Ok(Self(point))
            }

            /// Reads a compressed point that is on the curve and not infinity; the subgroup is not
            /// asked for yet.
            fn decode(bytes: &[u8; $bytes]) -> Result<$affine, PointError> {
                let mut point = $affine::default();
                // SAFETY: `bytes` has the length that blst reads; `point` is a live value.
                let status = unsafe { blst::$uncompress(&raw mut point, bytes.as_ptr()) };
                match status {
                    BLST_ERROR::BLST_SUCCESS => {}
                    // blst knows the points of order 3 (x = 0) by sight.
                    BLST_ERROR::BLST_POINT_NOT_IN_GROUP => return Err(PointError::NotInSubgroup),
                    _ => return Err(PointError::NotOnCurve),
                }
                // SAFETY: `point` is a live value on the curve.
                if unsafe { blst::$affine_inf(&raw const point) } {
                    return Err(PointError::Infinity);
                }
                Ok(point)
            }

            /// Reads many compressed points and makes every check, on all cores. On failure returns
            /// the position of the first bad one, whatever the number of threads.
            pub fn from_bytes_many(all: &[[u8; $bytes]]) -> Result<Vec<Self>, (usize, PointError)> {
                if let Some(points) = Self::from_bytes_together(all) {
                    return Ok(points);
                }
                let checked: Vec<Result<Self, PointError>> =
                    all.par_iter().with_min_len(CHUNK).map(Self::from_bytes).collect();
                checked
                    .into_iter()
                    .enumerate()
                    .map(|(position, point)| point.map_err(|error| (position, error)))
                    .collect()
            }

            /// Reads points that are all good, with one batch of subgroup checks; nothing if one is
            /// bad, or where points are too few for a batch to pay.
            fn from_bytes_together(all: &[[u8; $bytes]]) -> Option<Vec<Self>> {
                let together = subgroup::checks_together::<$affine>(all.len())?;
                let points: Vec<$affine> = all
                    .par_iter()
                    .with_min_len(CHUNK)
                    .map(|bytes| Self::decode(bytes).ok())
                    .collect::<Option<_>>()?;
                let mut seed = Hasher::new(Tag::SUBGROUP_WEIGHTS);
                all.iter().for_each(|bytes| seed.add(bytes));
                if !subgroup::all_in_subgroup(&points, seed.finish().as_bytes(), together) {
                    return None;
                }
                Some(points.into_iter().map(Self).collect())
            }

            /// Returns the compressed encoding.
            pub fn to_bytes(&self) -> [u8; $bytes] {
                let mut out = [0u8; $bytes];
                // SAFETY: `out` has the length that blst writes; `self.0` is a live value.
                unsafe { blst::$compress(out.as_mut_ptr(), &raw const self.0) };
                out
            }

            /// Returns `scalar * self` in constant time, or nothing for zero.
            pub fn times(&self, scalar: &Scalar) -> Option<Self> {
                $Sum::from(*self).times(scalar).finite()
            }

            /// Returns `-self`.
            #[must_use]
            pub fn negated(&self) -> Self {
                let mut sum = $Sum::from(*self);
                sum.negate();
                // The negative of a finite point is finite: `self` stands for the case that is none.
                sum.finite().unwrap_or(*self)
            }
        }

        impl PartialEq for $Point {
            fn eq(&self, other: &Self) -> bool {
                // SAFETY: both point to live values.
                unsafe { blst::$affine_eq(&raw const self.0, &raw const other.0) }
            }
        }

        impl Eq for $Point {}

        impl fmt::Display for $Point {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode_hex(&self.to_bytes()))
            }
        }

        impl fmt::Debug for $Point {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        $(#[$sum_doc])*
        #[derive(Clone, Copy, Default)]
        #[repr(transparent)]
        pub struct $Sum(pub(in crate::crypto) $projective);

        impl From<$Point> for $Sum {
            fn from(point: $Point) -> Self {
                let mut out = $projective::default();
                // SAFETY: both point to live values.
                unsafe { blst::$from_affine(&raw mut out, &raw const point.0) };
                Self(out)
            }
        }

        impl $Sum {
            /// The empty sum.
            pub fn infinity() -> Self {
                Self::default()
            }

            /// Whether the sum is infinity.
            pub fn is_infinity(&self) -> bool {
                // SAFETY: points to a live value.
                unsafe { blst::$inf(&raw const self.0) }
            }

            /// Adds a point.
            pub fn add(&mut self, point: &$Point) {
                // SAFETY: all point to live values; blst allows the output to be an input.
                unsafe {
                    let this = &raw mut self.0;
                    blst::$add_affine(this, this, &raw const point.0);
                }
            }

            /// Adds a sum.
            pub fn add_sum(&mut self, other: &Self) {
                // SAFETY: all point to live values; blst allows the output to be an input.
                unsafe {
                    let this = &raw mut self.0;
                    blst::$add(this, this, &raw const other.0);
                }
            }

            /// Doubles the sum.
            pub(in crate::crypto) fn double(&mut self) {
                // SAFETY: points to a live value; blst allows the output to be the input.
                unsafe {
                    let this = &raw mut self.0;
                    blst::$double(this, this);
                }
            }

            /// Changes the sign.
            pub fn negate(&mut self) {
                self.negate_if(true);
            }

            /// Changes the sign or not, in the same time.
            pub(in crate::crypto) fn negate_if(&mut self, negative: bool) {
                // SAFETY: points to a live value.
                unsafe { blst::$cneg(&raw mut self.0, negative) };
            }

            /// Returns `scalar * self` in constant time.
            #[must_use]
            pub fn times(&self, scalar: &Scalar) -> Self {
                let scalar: blst_scalar = scalar.to_blst();
                let mut out = $projective::default();
                // SAFETY: the scalar has 32 bytes, more than 255 bits; the points are live values.
                unsafe { blst::$mult(&raw mut out, &raw const self.0, scalar.b.as_ptr(), 255) };
                Self(out)
            }

            /// Returns `n * self`. Variable-time: public values only.
            #[must_use]
            pub fn times_small(&self, n: u64) -> Self {
                let mut out = Self::infinity();
                for bit in (0..u64::BITS.saturating_sub(n.leading_zeros())).rev() {
                    out.double();
                    if n.wrapping_shr(bit) & 1 == 1 {
                        out.add_sum(self);
                    }
                }
                out
            }

            /// Returns the sum as a point unless it is infinity.
            pub fn finite(&self) -> Option<$Point> {
                if self.is_infinity() {
                    return None;
                }
                let mut out = $affine::default();
                // SAFETY: both point to live values.
                unsafe { blst::$to_affine(&raw mut out, &raw const self.0) };
                Some($Point(out))
            }

            /// Returns all sums as points, sharing the inversions, or the position of the first one
            /// that is infinity.
            pub fn finite_many(sums: &[Self]) -> Result<Vec<$Point>, usize> {
                if let Some(position) = sums.iter().position(Self::is_infinity) {
                    return Err(position);
                }
                let mut out = vec![$Point($affine::default()); sums.len()];
                out.par_chunks_mut(CHUNK).zip(sums.par_chunks(CHUNK)).for_each(|(out, sums)| {
                    let inputs = [sums.as_ptr().cast::<$projective>(), std::ptr::null()];
                    // SAFETY: a pointer to the first element, then null, tells blst that the points
                    // are contiguous, which the transparent layout makes true; `out` is as long.
                    unsafe {
                        blst::$to_affine_many(out.as_mut_ptr().cast(), inputs.as_ptr(), sums.len());
                    }
                });
                Ok(out)
            }

            /// Returns the sum of `weights[i] * points[i]` on one thread, by Pippenger's method.
            /// Public values only. The shorter of the two slices counts.
            pub fn msm_serial<const N: usize>(points: &[$Point], weights: &[[u8; N]]) -> Self {
                const { assert!(N * 8 <= 256, "weights have at most 256 bits, little-endian") };
                let count = points.len().min(weights.len());
                if count == 0 {
                    return Self::infinity();
                }
                let points = [points.as_ptr().cast::<$affine>(), std::ptr::null()];
                let weights = [weights.as_ptr().cast::<u8>(), std::ptr::null()];
                let mut out = $projective::default();
                // SAFETY: pointer-then-null marks contiguous inputs, `count` of each are readable;
                // the scratch space has the size that blst asks for, in limbs of eight bytes.
                unsafe {
                    let limbs = blst::$scratch(count).div_ceil(8);
                    let mut scratch = vec![0u64; limbs];
                    blst::$pippenger(
                        &raw mut out,
                        points.as_ptr(),
                        count,
                        weights.as_ptr(),
                        N.saturating_mul(8),
                        scratch.as_mut_ptr(),
                    );
                }
                Self(out)
            }

            /// Returns the sum of `weights[i] * points[i]` on all cores. Weights are little-endian.
            /// Public values only.
            pub fn msm<const N: usize>(points: &[$Point], weights: &[[u8; N]]) -> Self {
                let share = points.len().div_ceil(rayon::current_num_threads().max(1));
                let chunk = share.max(MSM_CHUNK);
                points
                    .par_chunks(chunk)
                    .zip(weights.par_chunks(chunk))
                    .map(|(points, weights)| Self::msm_serial(points, weights))
                    .reduce(Self::infinity, |mut a, b| {
                        a.add_sum(&b);
                        a
                    })
            }
        }

        impl Affine for $affine {
            type Field = $field;

            fn coordinates(&self) -> (&$field, &$field) {
                (&self.x, &self.y)
            }

            fn from_coordinates(x: $field, y: $field) -> Self {
                Self { x, y }
            }
        }

        impl Curve for $affine {
            const LARGEST_WEIGHT: u64 = $weight;
            const CHECKS: u32 = $checks;
            const COSTS: (u64, u64, u64) = $costs;
            type Sum = $Sum;

            fn add_to(&self, sum: &mut $Sum) {
                // SAFETY: all point to live values; blst allows the output to be an input.
                unsafe {
                    let sum = &raw mut sum.0;
                    blst::$add_affine(sum, sum, self);
                }
            }

            fn add_sums(sum: &mut $Sum, other: &$Sum) {
                sum.add_sum(other);
            }

            fn sum_in_subgroup(sum: &$Sum) -> bool {
                // SAFETY: points to a live value.
                unsafe { blst::$sum_in_group(&raw const sum.0) }
            }
        }

        impl fmt::Debug for $Sum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.finite() {
                    Some(point) => fmt::Display::fmt(&point, f),
                    None => f.write_str("infinity"),
                }
            }
        }

        impl PartialEq for $Sum {
            fn eq(&self, other: &Self) -> bool {
                self.finite() == other.finite()
            }
        }

        impl Eq for $Sum {}
    };
}

group!(
    /// A finite point of G1's prime-order subgroup: a public key, a commitment. 48 bytes.
    G1,
    /// A sum of G1 points; may be infinity.
    G1Sum,
    48,
    blst_p1_affine,
    blst_p1,
    blst_p1_uncompress,
    blst_p1_affine_compress,
    blst_p1_affine_in_g1,
    blst_p1_affine_is_inf,
    blst_p1_affine_is_equal,
    blst_p1_from_affine,
    blst_p1_to_affine,
    blst_p1s_to_affine,
    blst_p1_is_inf,
    blst_p1_add_or_double,
    blst_p1_add_or_double_affine,
    blst_p1_double,
    blst_p1_cneg,
    blst_p1_mult,
    blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof,
    blst_p1_affine_generator,
    blst_fp,
    blst_p1_in_g1,
    weights: 1, 81, (260, 520, 45_000)
);

group!(
    /// A finite point of G2's prime-order subgroup: a signature. 96 bytes.
    G2,
    /// A sum of G2 points; may be infinity.
    G2Sum,
    96,
    blst_p2_affine,
    blst_p2,
    blst_p2_uncompress,
    blst_p2_affine_compress,
    blst_p2_affine_in_g2,
    blst_p2_affine_is_inf,
    blst_p2_affine_is_equal,
    blst_p2_from_affine,
    blst_p2_to_affine,
    blst_p2s_to_affine,
    blst_p2_is_inf,
    blst_p2_add_or_double,
    blst_p2_add_or_double_affine,
    blst_p2_double,
    blst_p2_cneg,
    blst_p2_mult,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof,
    blst_p2_affine_generator,
    blst_fp2,
    blst_p2_in_g2,
    weights: 6, 35, (800, 1_500, 60_000)
);

impl G1 {
    /// Returns `scalar * generator` in constant time, or nothing for zero.
    pub fn generator_times(scalar: &Scalar) -> Option<Self> {
        fixed::times(scalar).finite()
    }

    /// Returns `scalar * generator` of all scalars, on all cores and in constant time, or nothing if
    /// one is zero.
    pub fn generator_times_many(scalars: &[&Scalar]) -> Option<Vec<Self>> {
        fixed::times_many(scalars)
    }
}

impl G1Sum {
    /// Returns `scalar * generator` in constant time.
    pub fn generator_times(scalar: &Scalar) -> Self {
        fixed::times(scalar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Hex;

    fn g1(n: u64) -> G1 {
        G1::generator_times(&Scalar::from_u64(n)).unwrap()
    }

    /// The generator's x-coordinate of draft-irtf-cfrg-pairing-friendly-curves section 4.2.1, with
    /// the flag of the compressed form (ZCash encoding).
    #[test]
    fn generator_known_answer() {
        assert_eq!(
            G1::generator().to_string(),
            "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
        );
    }

    #[test]
    fn bytes_round_trip_and_infinity_is_refused() {
        let point = g1(7);
        assert_eq!(G1::from_bytes(&point.to_bytes()), Ok(point));
        let mut infinity = [0u8; 48];
        infinity[0] = 0xc0;
        assert_eq!(G1::from_bytes(&infinity), Err(PointError::Infinity));
        let mut infinity = [0u8; 96];
        infinity[0] = 0xc0;
        assert_eq!(G2::from_bytes(&infinity), Err(PointError::Infinity));
        assert_eq!(G1::from_bytes(&[0; 48]), Err(PointError::NotOnCurve));
        assert!(G1::generator_times(&Scalar::zero()).is_none());
    }

    /// A point of order 3 on E(Fp): (0, 2) satisfies y^2 = x^3 + 4 and doubles to its negative.
    #[test]
    fn a_point_of_order_three_is_refused() {
        let mut order_three = [0u8; 48];
        order_three[0] = 0x80;
        assert_eq!(G1::from_bytes(&order_three), Err(PointError::NotInSubgroup));
    }

    #[test]
    fn x_not_below_the_field_prime_is_refused() {
        // p itself (same draft), flagged as compressed: decodes to x = 0 only for a lax reader.
        let mut p = Hex::<48>::parse(
            "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
        )
        .unwrap()
        .0;
        p[0] |= 0x80;
        assert_eq!(G1::from_bytes(&p), Err(PointError::NotOnCurve));
    }

    #[test]
    fn sums_and_multiples_agree() {
        let mut sum = G1Sum::infinity();
        sum.add(&g1(2));
        sum.add(&g1(3));
        assert_eq!(sum.finite(), Some(g1(5)));
        assert_eq!(sum.times_small(9).finite(), Some(g1(45)));
        assert!(sum.times_small(0).is_infinity());
        assert_eq!(sum.times(&Scalar::from_u64(9)).finite(), Some(g1(45)));
        sum.add(&g1(5).negated());
        assert!(sum.is_infinity());
        assert_eq!(
            G1Sum::from(g1(1)).times_small(u64::MAX).finite(),
            Some(g1(u64::MAX))
        );
    }

    #[test]
    fn multi_scalar_multiplication_agrees_with_its_definition() {
        for count in [0u64, 1, 2, 7, 40, 2100] {
            let points: Vec<G1> = (1..=count).map(g1).collect();
            let weights: Vec<[u8; 16]> = (1..=count)
                .map(|n| u128::from(n * 3).to_le_bytes())
                .collect();
            let expected: u64 = (1..=count).map(|n| n * n * 3).sum();
            let expected = G1::generator_times(&Scalar::from_u64(expected));
            assert_eq!(G1Sum::msm(&points, &weights).finite(), expected);
            assert_eq!(G1Sum::msm_serial(&points, &weights).finite(), expected);
        }
    }

    #[test]
    fn batches_name_the_first_bad_position() {
        let mut bytes: Vec<[u8; 48]> = (1..=300).map(|n| g1(n).to_bytes()).collect();
        assert_eq!(G1::from_bytes_many(&bytes).unwrap()[299], g1(300));
        bytes[200] = [0; 48];
        bytes[201] = [1; 48];
        assert_eq!(
            G1::from_bytes_many(&bytes),
            Err((200, PointError::NotOnCurve))
        );
        let sums = [G1Sum::from(g1(1)), G1Sum::infinity(), G1Sum::infinity()];
        assert_eq!(G1Sum::finite_many(&sums), Err(1));
        let sums: Vec<G1Sum> = (1..=130)
            .map(|n| G1Sum::from(g1(1)).times_small(n))
            .collect();
        assert_eq!(G1Sum::finite_many(&sums).unwrap()[129], g1(130));
    }
}
