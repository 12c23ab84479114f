//! Many short sums `sum w_i P_i` with 128-bit weights at once: a few points each, too few for
//! Pippenger's method, which all sums go through in step so that their additions share inversions.
//!
//! A weight is written with 33 signed digits, `w = sum d_j 16^j` with -7 <= d_j <= 8. Each point has
//! its multiples 1 to 8. What has the same place j in one sum is added up first; then the 33 places
//! are joined from the top, with four doublings between two of them. Variable-time: public values.

use blst::blst_p1_affine;

use crate::crypto::affine::{Adder, Affine as _, Buckets};
use crate::crypto::point::{G1, G1Sum};

/// Places of a weight: 32 of four bits, and a carry.
const PLACES: usize = 33;

/// Multiples of a point that a digit can ask for.
const MULTIPLES: usize = 8;

/// Sums that go in step: enough to share inversions, few enough to stay in the cache.
const IN_STEP: usize = 16;

/// One sum: points, and as many weights of 16 little-endian bytes. The shorter counts.
pub(in crate::crypto) type Terms<'a> = (&'a [G1], &'a [[u8; 16]]);

/// Returns each sum, in order.
pub(in crate::crypto) fn sums(all: &[Terms<'_>]) -> Vec<G1Sum> {
    all.chunks(IN_STEP).flat_map(in_step).collect()
}

fn in_step(all: &[Terms<'_>]) -> Vec<G1Sum> {
    let points: Vec<blst_p1_affine> = all
        .iter()
        .flat_map(|(points, weights)| points.iter().zip(*weights))
        .map(|(point, _)| point.0)
        .collect();
    let multiples = multiples(&points);
    let mut places = Buckets::new(all.len().saturating_mul(PLACES));
    let mut place = 0usize;
    let mut own = multiples.iter();
    for (points, weights) in all {
        for ((_, weight), multiples) in points.iter().zip(*weights).zip(&mut own) {
            for (offset, (magnitude, negative)) in digits(weight).into_iter().enumerate() {
                let entry = magnitude.checked_sub(1).and_then(|at| multiples.get(at));
                if let Some(entry) = entry {
                    places.add(place.saturating_add(offset), entry.negated_if(negative));
                }
            }
        }
        place = place.saturating_add(PLACES);
    }
    places
        .into_sums()
        .chunks(PLACES)
        .map(|places| {
            let mut sum = G1Sum::infinity();
            for place in places.iter().rev() {
                for _ in 0..4 {
                    sum.double();
                }
                if !place.is_infinity() {
                    // A sum of multiples of points of the subgroup lies in it.
                    sum.add(&G1(*place));
                }
            }
            sum
        })
        .collect()
}

/// 1 to 8 times every point.
fn multiples(points: &[blst_p1_affine]) -> Vec<[blst_p1_affine; MULTIPLES]> {
    let mut adder = Adder::new();
    let mut add = |a: &[blst_p1_affine], b: &[blst_p1_affine]| {
        let pairs: Vec<_> = a.iter().copied().zip(b.iter().copied()).collect();
        let mut sums = Vec::with_capacity(pairs.len());
        adder.add_pairs(&pairs, &mut sums);
        sums
    };
    let two = add(points, points);
    let three = add(&two, points);
    let four = add(&two, &two);
    let five = add(&four, points);
    let six = add(&three, &three);
    let seven = add(&four, &three);
    let eight = add(&four, &four);
    points
        .iter()
        .zip(two.iter().zip(&three))
        .zip(four.iter().zip(&five))
        .zip(six.iter().zip(seven.iter().zip(&eight)))
        .map(|(((p1, (p2, p3)), (p4, p5)), (p6, (p7, p8)))| {
            [*p1, *p2, *p3, *p4, *p5, *p6, *p7, *p8]
        })
        .collect()
}

/// The digits of a weight from the lowest: magnitude, and whether it is negative.
fn digits(weight: &[u8; 16]) -> [(usize, bool); PLACES] {
    let mut out = [(0, false); PLACES];
    let nibbles = weight
        .iter()
        .flat_map(|byte| [byte & 15, byte.wrapping_shr(4)]);
    let mut carry = 0u8;
    for (digit, nibble) in out.iter_mut().zip(nibbles.chain([0])) {
        let value = nibble.saturating_add(carry);
        carry = u8::from(value > 8);
        *digit = if carry == 1 {
            (usize::from(16u8.saturating_sub(value)), true)
        } else {
            (usize::from(value), false)
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::scalar::Scalar;
    use crate::crypto::xof::Xof;

    #[test]
    fn each_sum_is_its_own() {
        let g = |n: u64| G1::generator_times(&Scalar::from_u64(n)).unwrap();
        let mut stream = Xof::new(&[6; 32]);
        let edges = [
            0u128,
            1,
            7,
            8,
            9,
            15,
            16,
            0x88,
            0x99,
            u128::MAX,
            u128::MAX - 6,
            1 << 127,
        ];
        let mut groups: Vec<(Vec<G1>, Vec<[u8; 16]>)> = vec![
            (vec![], vec![]),
            (
                edges.map(|_| g(5)).to_vec(),
                edges.map(u128::to_le_bytes).to_vec(),
            ),
            // Everything cancels.
            (vec![g(3), g(3).negated()], vec![[7; 16]; 2]),
            (vec![g(3), g(4)], vec![[0; 16]; 2]),
        ];
        for count in 0..40 {
            let points = (0..count).map(|n| g(n * 31 + 1)).collect();
            groups.push((points, stream.weights(usize::try_from(count).unwrap())));
        }
        let terms: Vec<Terms<'_>> = groups
            .iter()
            .map(|(p, w)| (p.as_slice(), w.as_slice()))
            .collect();
        let sums = sums(&terms);
        assert_eq!(sums.len(), groups.len());
        for (sum, (points, weights)) in sums.iter().zip(&groups) {
            assert_eq!(*sum, G1Sum::msm_serial(points, weights));
        }
        assert!(sums[0].is_infinity() && sums[2].is_infinity() && sums[3].is_infinity());
    }

    #[test]
    fn digits_sum_to_the_weight() {
        let mut stream = Xof::new(&[6; 32]);
        for weight in stream
            .weights(50)
            .into_iter()
            .chain([[0xff; 16], [0x88; 16], [0x99; 16]])
        {
            let mut sum = Scalar::zero();
            for (magnitude, negative) in digits(&weight).iter().rev() {
                assert!(*magnitude <= MULTIPLES);
                let digit = Scalar::from_u64(u64::try_from(*magnitude).unwrap());
                let digit = if *negative { digit.neg() } else { digit };
                sum = sum.mul(&Scalar::from_u64(16)).add(&digit);
            }
            assert_eq!(sum, crate::crypto::xof::weight_scalar(&weight));
        }
    }
}
