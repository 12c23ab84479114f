//! Whether many points of a curve all lie in its subgroup of prime order, for a small part of the
//! cost of asking each.
//!
//! **The check.** Let c be 1 on G1's curve and 6 on G2's. A *check* draws a weight w_i from
//! {-c, …, c} for every point P_i, and asks the subgroup question once, of `sum w_i P_i`. There are
//! 81 checks on G1's curve and 35 on G2's, with independent weights; all must pass.
//!
//! **Why it holds.** The curve's group is the subgroup times a group Q of order h, the cofactor,
//! which the subgroup's order does not divide. Let e_i be the part of P_i in Q. If all points lie in
//! the subgroup, every e_i is zero and so is every sum: a good set always passes. If some e_i is
//! not zero, fix all weights but w_i: the check passes only if `w_i e_i` is one given element. Two
//! different weights differ by d with 0 < |d| <= 2c. The smallest prime factor of h is 2c + 1, which
//! is 3 on G1's curve and 13 on G2's, so d is prime to the order of e_i and `d e_i` is not zero. Hence
//! at most one of the 2c + 1 weights passes. A bad set passes all checks with probability at most
//! 3^-81 < 2^-128 and 13^-35 < 2^-129. (Larger weights would not help: of order 3, two that agree
//! modulo 3 are one. That is why a plain random combination proves nothing here.)
//!
//! **What it costs.** k checks are made together: a point's k weights are one number in base 2c + 1
//! with balanced digits; points of one number, up to sign, share a bucket. The buckets then enter the
//! k sums, digit by digit: what remains of a number without its top digit is another bucket's. That is
//! one addition a point instead of k.
//!
//! The weights come from a hash of all points. Whoever chooses the points can try again and again
//! for a hash that suits them, at 2^-128 a try.

use rayon::prelude::*;

use crate::crypto::affine::{Affine, Buckets};
use crate::crypto::xof::Xof;

/// A curve whose subgroup is asked for.
pub(in crate::crypto) trait Curve: Affine {
    /// c: the smallest prime factor of the cofactor is 2c + 1.
    const LARGEST_WEIGHT: u64;
    /// Checks for 2^-128.
    const CHECKS: u32;
    /// What a shared addition, a single one and a subgroup check of one point cost, in nanoseconds.
    const COSTS: (u64, u64, u64);
    /// The projective sum of points.
    type Sum: Default + Copy + Send;

    /// Adds a point to a sum.
    fn add_to(&self, sum: &mut Self::Sum);
    /// Adds one sum to another.
    fn add_sums(sum: &mut Self::Sum, other: &Self::Sum);
    /// Whether a sum lies in the subgroup; infinity does.
    fn sum_in_subgroup(sum: &Self::Sum) -> bool;
}

/// Numbers of a pass at most: few against the 32 bits that each is drawn from.
const MOST_NUMBERS: u64 = 1 << 14;

/// Number of checks that are made together, for so many points; none where asking each point is
/// cheaper.
pub(in crate::crypto) fn checks_together<P: Curve>(points: usize) -> Option<u32> {
    let points = u64::try_from(points).unwrap_or(u64::MAX);
    let (shared, single, check) = P::COSTS;
    let one_by_one = points.saturating_mul(check);
    (1..=8)
        .filter(|k| base::<P>().saturating_pow(*k) <= MOST_NUMBERS)
        .map(|k| {
            // An inversion costs as much as a dozen additions that share it, one for each bucket at most.
            let shared_by_few = 12u64.saturating_mul(shared).div_euclid(buckets::<P>(k));
            let per_pass = points
                .saturating_mul(shared.saturating_add(shared_by_few))
                .saturating_add(buckets::<P>(k).saturating_mul(shared.saturating_add(single)))
                .saturating_add(u64::from(k).saturating_mul(check));
            let passes = u64::from(P::CHECKS.div_ceil(k));
            (passes.saturating_mul(per_pass), k)
        })
        .min()
        .filter(|(cost, _)| *cost < one_by_one)
        .map(|(_, k)| k)
}

/// Numbers of k balanced digits, up to sign, without zero.
fn buckets<P: Curve>(k: u32) -> u64 {
    base::<P>().saturating_pow(k).div_euclid(2)
}

fn base<P: Curve>() -> u64 {
    P::LARGEST_WEIGHT.saturating_mul(2).saturating_add(1)
}

/// Whether all points, which are finite and on the curve, lie in the subgroup. A bad set passes with
/// probability 2^-128 over `seed`, which is a hash of all points. `together` is the number of checks
/// that share their additions: any number gives the same answer, [`checks_together`] the fastest.
pub(in crate::crypto) fn all_in_subgroup<P: Curve>(
    points: &[P],
    seed: &[u8; 32],
    together: u32,
) -> bool {
    let passes = P::CHECKS.div_ceil(together.max(1));
    (0..passes)
        .into_par_iter()
        .all(|pass| pass_holds(points, seed, pass, together))
}

/// Makes `together` checks.
fn pass_holds<P: Curve>(points: &[P], seed: &[u8; 32], pass: u32, together: u32) -> bool {
    let numbers = base::<P>().saturating_pow(together);
    let zero = buckets::<P>(together);
    let mut stream = Xof::part(seed, pass);
    let mut sums = Buckets::new(usize::try_from(zero).unwrap_or(0));
    for point in points {
        // Weights are uniform to within `numbers` / 2^32: less than 2^-18 of each probability.
        let drawn = u64::from(stream.word())
            .saturating_mul(numbers)
            .wrapping_shr(32);
        // The number is drawn - zero; its bucket, from 0, is its magnitude less one.
        if let Some(bucket) = drawn.abs_diff(zero).checked_sub(1) {
            let bucket = usize::try_from(bucket).unwrap_or(usize::MAX);
            sums.add(bucket, point.negated_if(drawn < zero));
        }
    }
    digit_sums(sums.into_sums(), together)
        .iter()
        .all(|sum| P::sum_in_subgroup(sum))
}

/// The `together` sums of a pass: bucket b, from 0, holds the points of number b + 1, and enters sum
/// j with the j-th digit of that number.
///
/// Digit by digit from the top: a number is `d B + r`, where B is a power of the base and r smaller
/// than B / 2 in magnitude. It enters the sum of the top digit with d; then the bucket of r takes it.
fn digit_sums<P: Curve>(mut sums: Vec<P>, together: u32) -> Vec<P::Sum> {
    let largest = usize::try_from(P::LARGEST_WEIGHT).unwrap_or(0);
    let mut out = Vec::new();
    for digit in (0..together).rev() {
        let power = base::<P>().saturating_pow(digit);
        let rest = usize::try_from(buckets::<P>(digit)).unwrap_or(0);
        let mut weighted = vec![P::Sum::default(); largest];
        let mut lower = Buckets::from_sums(sums.drain(..rest.min(sums.len())).collect());
        // What is left begins with the number B - (B - 1) / 2, of top digit 1 and the least r.
        for (sum, numbers) in weighted
            .iter_mut()
            .zip(sums.chunks(usize::try_from(power).unwrap_or(1)))
        {
            for (at, point) in numbers.iter().enumerate() {
                if point.is_infinity() {
                    continue;
                }
                point.add_to(sum);
                if let Some(bucket) = at.abs_diff(rest).checked_sub(1) {
                    lower.add(bucket, point.negated_if(at < rest));
                }
            }
        }
        // 1 M_1 + 2 M_2 + …, as a sum of sums from the top.
        let (mut running, mut total) = (P::Sum::default(), P::Sum::default());
        for weighted in weighted.iter().rev() {
            P::add_sums(&mut running, weighted);
            P::add_sums(&mut total, &running);
        }
        out.push(total);
        sums = lower.into_sums();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::bls::hash_to_g2;
    use crate::crypto::point::{G1, G2, PointError};
    use crate::crypto::scalar::Scalar;
    use crate::json::Hex;
    use blst::{blst_p1_affine, blst_p2_affine};

    /// Points of prime order outside the subgroups, one for each small prime factor of the cofactors
    /// (3, 11, 10177, 859267, 52437899 and 13, 23, 2713, 11953, 262069), computed with Python's
    /// integers as cofactor multiples of random points.
    const SMALL_G1: [&str; 5] = [
        "800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "b3bcf8c3d4c4461789587ca4e42b7edc4ea5bcb4c848d37fe7657a8d31a298b299e20530eb3548d780eb8979bcce7813",
        "841601284c46461c6409743a51888bf7ee5f6cc2ca1842044a81f83d99dee41bfdd8906742c179f7ba59facf27e5f97d",
        "b69b0ba8a90693bfeb420c3c5d1d7ff2a6356e2f37d77ec646df33fd0ef46c8731b9fc22e2bc830850f012a3d506713e",
        "87f5e166cb9db677fd4d1ebb272ef5a18d68e54cd3e53076cc8f7561bb1eb115b43fef6e057261141083166ea795ca3c",
    ];
    const SMALL_G2: [&str; 5] = [
        "b77ade2e475e137b2b237f727a95fb4a27ce084c5a5dc5df3398c972a630f727c84a521e3bb19becb4fbe7c6a77c79c90cb0e212c0086b3c9291148d76e22c0ec857d9f256c9bbb87d9034e5b2266319ca20324ab0d0390e637e7c57bffa3f37",
        "b3aa0b4879311ad3f08faf86172bc2c8d745556e5850d92e75ad5ec3209ed783fa5d62ab4ff707126e148ba293b705a60f8c8576749f6ef99687722be49c46ef60c4cad47bdd52f46911d6999fb40b3ed4954b2bc02f40e4bf94b36270b33dc3",
        "84fa0068152d566604e0b245e5f80e32d4db2cc60f977910ff048bbf7833c6bee503bddae6ff13540639ef1d450e61970b8149a5b353e66be2cb39ba979962bb6982501b5783b9216c244bee15aeb6d1f2be3436638828acaec26955a6f6fcf1",
        "902b299228e9587fe72abd26a5984737ecb1bff51dafebddd8f39d4a03009232eddcedfb804ada590f5a519ad094a67c0b99ad8a062c8caf69f4cf86372d6d0338c47a7187c68034bb251de00f107d2454584abe429dc73bc190cb4561a4a6aa",
        "9459c9328a65d4b36c0a5987e240f1380f1aa56f854b753b660416808ce88100ef7cb28643b168251178e795aea0df3110b33b1b2fcf22f60835f3c7a1f8101e19badb0adb9e7262dd1107bb6870f89d898960deca793f375a3fd9f96ab95ac4",
    ];

    fn small<P: Curve, const N: usize>(
        hex: [&str; 5],
        read: impl Fn(&[u8; N]) -> Option<P>,
    ) -> Vec<P> {
        let parse = |hex| read(&Hex::<N>::parse(hex).unwrap().0);
        hex.into_iter().filter_map(parse).collect()
    }

    fn good_g1(count: u64) -> Vec<blst_p1_affine> {
        (1..=count)
            .map(|n| G1::generator_times(&Scalar::from_u64(n)).unwrap().0)
            .collect()
    }

    fn good_g2(count: u64) -> Vec<blst_p2_affine> {
        (0..count)
            .map(|n| hash_to_g2(&n.to_be_bytes()).unwrap().0)
            .collect()
    }

    fn plus<P: Affine>(a: &P, b: &P) -> P {
        let mut sum = Vec::new();
        crate::crypto::affine::Adder::new().add_pairs(&[(*a, *b)], &mut sum);
        sum[0]
    }

    /// Errors of one small order each: alone, in opposite pairs, in as many as the order, all over.
    fn refuses<P: Curve>(good: &[P], small: &[P], most: u32) {
        for together in 1..=most {
            assert!(all_in_subgroup(good, &[1; 32], together));
            assert!(all_in_subgroup::<P>(&[], &[1; 32], together));
            for (case, error) in small.iter().enumerate() {
                let opposite = error.negated_if(true);
                let refused = |changes: &[(usize, &P)]| {
                    let mut points = good.to_vec();
                    for (position, error) in changes {
                        points[*position] = plus(&points[*position], error);
                    }
                    assert!(
                        !all_in_subgroup(&points, &[1; 32], together),
                        "order {case}, {together} together, {} errors",
                        changes.len()
                    );
                };
                refused(&[(0, error)]);
                refused(&[(11, error)]);
                refused(&[(3, error), (4, &opposite)]);
                refused(&[(3, error), (4, error), (5, error)]);
                let everywhere: Vec<_> = (0..good.len()).map(|at| (at, error)).collect();
                refused(&everywhere);
            }
        }
    }

    #[test]
    fn every_small_order_of_g1s_curve_is_seen() {
        let small = small(SMALL_G1, |bytes| {
            let mut point = blst_p1_affine::default();
            // The point of order 3 has x = 0: blst would not decode it.
            if bytes[47] == 0 {
                let two = blst::blst_fp::one().add(&blst::blst_fp::one());
                return Some(blst_p1_affine::from_coordinates(Default::default(), two));
            }
            point_of_g1(bytes, &mut point).then_some(point)
        });
        assert_eq!(small.len(), 5);
        refuses(&good_g1(30), &small, 4);
    }

    #[test]
    fn every_small_order_of_g2s_curve_is_seen() {
        let small = small(SMALL_G2, |bytes| {
            let mut point = blst_p2_affine::default();
            point_of_g2(bytes, &mut point).then_some(point)
        });
        assert_eq!(small.len(), 5);
        refuses(&good_g2(12), &small, 2);
    }

    use crate::crypto::field::Field as _;

    #[expect(unsafe_code, reason = "calls blst")]
    fn point_of_g1(bytes: &[u8; 48], point: &mut blst_p1_affine) -> bool {
        // SAFETY: `bytes` has the length that blst reads; `point` is a live value.
        unsafe { blst::blst_p1_uncompress(point, bytes.as_ptr()) == blst::BLST_ERROR::BLST_SUCCESS }
    }

    #[expect(unsafe_code, reason = "calls blst")]
    fn point_of_g2(bytes: &[u8; 96], point: &mut blst_p2_affine) -> bool {
        // SAFETY: `bytes` has the length that blst reads; `point` is a live value.
        unsafe { blst::blst_p2_uncompress(point, bytes.as_ptr()) == blst::BLST_ERROR::BLST_SUCCESS }
    }

    /// One check sees an error of order 3 with probability 2/3, of order 13 with 12/13: neither
    /// never nor always. The other checks make up for it.
    #[test]
    fn a_single_check_errs_as_often_as_the_argument_says() {
        let mut points = good_g1(2);
        let two = blst::blst_fp::one().add(&blst::blst_fp::one());
        let error = blst_p1_affine::from_coordinates(Default::default(), two);
        points[0] = plus(&points[0], &error);
        points[1] = plus(&points[1], &error.negated_if(true));
        let passed = (0..300)
            .filter(|pass| pass_holds(&points, &[5; 32], *pass, 1))
            .count();
        assert!((70..130).contains(&passed), "{passed} of 300");
        // k together are k independent checks: 1 in 27.
        let passed = (0..300)
            .filter(|pass| pass_holds(&points, &[5; 32], *pass, 3))
            .count();
        assert!(passed < 30, "{passed} of 300");
    }

    #[test]
    fn there_are_enough_checks() {
        fn bits<P: Curve>() -> f64 {
            let base = u32::try_from(base::<P>()).unwrap();
            f64::from(base).log2() * f64::from(P::CHECKS)
        }
        assert!(bits::<blst_p1_affine>() > 128.0);
        assert!(bits::<blst_p2_affine>() > 128.0);
        // Few points are asked one by one, many together.
        assert_eq!(checks_together::<blst_p1_affine>(60), None);
        assert!(checks_together::<blst_p1_affine>(2_000) >= Some(4));
        assert!(checks_together::<blst_p2_affine>(7_000) >= Some(2));
    }

    /// The sums of a pass are those of the weights' definition, digit by digit.
    #[test]
    fn buckets_enter_the_sums_with_their_digits() {
        fn digits(mut number: i64, base: i64, count: u32) -> Vec<i64> {
            let digit = |_| {
                let digit = (number + base / 2).rem_euclid(base) - base / 2;
                number = (number - digit) / base;
                digit
            };
            (0..count).map(digit).collect()
        }
        fn agree<P: Curve>(points: &[P], together: u32)
        where
            P::Sum: PartialEq + std::fmt::Debug,
        {
            let base = i64::try_from(base::<P>()).unwrap();
            let mut expected = vec![P::Sum::default(); usize::try_from(together).unwrap()];
            for (number, point) in (1i64..).zip(points) {
                // The first sum is that of the top digit.
                let digits = digits(number, base, together);
                for (sum, digit) in expected.iter_mut().rev().zip(digits) {
                    for _ in 0..digit.abs() {
                        point.negated_if(digit < 0).add_to(sum);
                    }
                }
            }
            assert_eq!(digit_sums(points.to_vec(), together), expected);
        }
        let mut points = good_g1(121);
        points[40] = Default::default();
        agree(&points, 5);
        agree(&good_g2(84), 2);
    }

    /// The verdict of a big set names the first bad point, whatever is wrong with it and with later
    /// ones, and however many threads look.
    #[test]
    fn the_first_bad_point_is_named_whatever_the_number_of_threads() {
        let good: Vec<[u8; 48]> = good_g1(700).into_iter().map(|p| G1(p).to_bytes()).collect();
        let outside = Hex::<48>::parse(SMALL_G1[1]).unwrap().0;
        let mut infinity = [0u8; 48];
        infinity[0] = 0xc0;
        assert!(checks_together::<blst_p1_affine>(good.len()).is_some());
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| {
                assert_eq!(G1::from_bytes_many(&good).unwrap().len(), 700);
                let mut bad = good.clone();
                bad[650] = outside;
                let error = Err((650, PointError::NotInSubgroup));
                assert_eq!(G1::from_bytes_many(&bad), error);
                // What cannot be decoded comes later, and does not hide the earlier fault.
                bad[651] = [1; 48];
                bad[699] = infinity;
                assert_eq!(G1::from_bytes_many(&bad), error);
                bad[3] = infinity;
                let error = Err((3, PointError::Infinity));
                assert_eq!(G1::from_bytes_many(&bad), error);
            });
        }
        let mut good: Vec<[u8; 96]> = good_g2(200).into_iter().map(|p| G2(p).to_bytes()).collect();
        assert!(checks_together::<blst_p2_affine>(good.len()).is_some());
        assert_eq!(G2::from_bytes_many(&good).unwrap().len(), 200);
        good[177] = Hex::<96>::parse(SMALL_G2[0]).unwrap().0;
        let error = Err((177, PointError::NotInSubgroup));
        assert_eq!(G2::from_bytes_many(&good), error);
    }
}
