//! The coordinate fields of G1 and G2, as far as sums of many affine points need them.
#![expect(unsafe_code, reason = "calls blst")]

use blst::{blst_fp, blst_fp2};

/// Arithmetic of coordinates. It takes the same time whatever the values; comparisons do not.
pub(in crate::crypto) trait Field:
    Copy + Default + PartialEq + Send + Sync
{
    /// One.
    fn one() -> Self;
    /// Whether this is zero, the default value.
    fn is_zero(&self) -> bool;
    /// `self + other`.
    fn add(&self, other: &Self) -> Self;
    /// `self - other`.
    fn sub(&self, other: &Self) -> Self;
    /// `self * other`.
    fn mul(&self, other: &Self) -> Self;
    /// `self * self`.
    fn square(&self) -> Self;
    /// `1 / self`; zero for zero.
    fn invert(&self) -> Self;
    /// `-self` if `negative`, else `self`.
    fn negated_if(&self, negative: bool) -> Self;
}

macro_rules! field {
    ($Field:ident, $one:expr, $is_zero:expr, $add:ident, $sub:ident, $mul:ident, $sqr:ident, $inverse:ident, $cneg:ident) => {
        impl Field for $Field {
            fn one() -> Self {
                $one
            }

            fn is_zero(&self) -> bool {
                let is_zero: fn(&Self) -> bool = $is_zero;
                is_zero(self)
            }

            fn add(&self, other: &Self) -> Self {
                let mut out = Self::default();
                // SAFETY: all point to live values.
                unsafe { blst::$add(&raw mut out, self, other) };
                out
            }

            fn sub(&self, other: &Self) -> Self {
                let mut out = Self::default();
                // SAFETY: all point to live values.
                unsafe { blst::$sub(&raw mut out, self, other) };
                out
            }

            fn mul(&self, other: &Self) -> Self {
                let mut out = Self::default();
                // SAFETY: all point to live values.
                unsafe { blst::$mul(&raw mut out, self, other) };
                out
            }

            fn square(&self) -> Self {
                let mut out = Self::default();
                // SAFETY: both point to live values.
                unsafe { blst::$sqr(&raw mut out, self) };
                out
            }

            fn invert(&self) -> Self {
                let mut out = Self::default();
                // SAFETY: both point to live values.
                unsafe { blst::$inverse(&raw mut out, self) };
                out
            }

            fn negated_if(&self, negative: bool) -> Self {
                let mut out = Self::default();
                // SAFETY: both point to live values.
                unsafe { blst::$cneg(&raw mut out, self, negative) };
                out
            }
        }
    };
}

/// Without a call to compare 48 bytes: sums ask this for every addition.
fn fp_is_zero(element: &blst_fp) -> bool {
    element.l.iter().fold(0, |all, limb| all | limb) == 0
}

field!(
    blst_fp,
    {
        // SAFETY: blst returns a pointer to a constant, whose Z is one.
        unsafe { (*blst::blst_p1_generator()).z }
    },
    fp_is_zero,
    blst_fp_add,
    blst_fp_sub,
    blst_fp_mul,
    blst_fp_sqr,
    blst_fp_inverse,
    blst_fp_cneg
);

field!(
    blst_fp2,
    {
        // SAFETY: blst returns a pointer to a constant, whose Z is one.
        unsafe { (*blst::blst_p2_generator()).z }
    },
    |element| element.fp.iter().all(fp_is_zero),
    blst_fp2_add,
    blst_fp2_sub,
    blst_fp2_mul,
    blst_fp2_sqr,
    blst_fp2_inverse,
    blst_fp2_cneg
);

#[cfg(test)]
mod tests {
    use super::*;

    fn laws<F: Field + std::fmt::Debug>() {
        let one = F::one();
        let three = one.add(&one).add(&one);
        assert_eq!(one.mul(&three), three);
        assert_eq!(three.square(), three.mul(&three));
        assert_eq!(three.invert().mul(&three), one);
        assert!(F::default().invert().is_zero());
        assert!(three.add(&three.negated_if(true)).is_zero());
        assert_eq!(three.negated_if(false), three);
        assert_eq!(three.sub(&one).sub(&one), one);
        assert!(F::default().is_zero() && !one.is_zero() && !three.is_zero());
    }

    #[test]
    fn the_laws_of_a_field_hold_in_both() {
        laws::<blst_fp>();
        laws::<blst_fp2>();
    }

    /// Whatever its limbs have in common, and in either half of a pair.
    #[test]
    fn what_is_not_zero_in_one_limb_is_not_zero() {
        for (i, j) in (0..6).flat_map(|i| (0..6).map(move |j| (i, j))) {
            let mut element = blst_fp::default();
            (element.l[i], element.l[j]) = (5, 5);
            assert!(!element.is_zero());
            let zero = blst_fp::default();
            assert!(
                !blst_fp2 {
                    fp: [element, zero]
                }
                .is_zero()
            );
            assert!(
                !blst_fp2 {
                    fp: [zero, element]
                }
                .is_zero()
            );
        }
    }
}
