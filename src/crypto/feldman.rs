//! Feldman's verifiable secret sharing (FOCS 1987): public evaluation of committed polynomials and
//! the share equation, in batches.

use rayon::prelude::*;

use crate::crypto::point::{G1, G1Sum};
use crate::crypto::scalar::Scalar;
use crate::crypto::xof::{Xof, weight_scalar};

/// Returns `sum_k x^k * coefficients[k]`: the commitment to f(x).
pub fn evaluate(coefficients: &[G1], x: u64) -> G1Sum {
    let mut value = G1Sum::infinity();
    for coefficient in coefficients.iter().rev() {
        value = value.times_small(x);
        value.add(coefficient);
    }
    value
}

/// Checks `shares[v] * G = sum_k x^k * commitments[v * t + k]` for all v at once.
///
/// With weights rho_v of 128 bits out of `seed`: `(sum rho_v s_v) * G = sum_k x^k (sum_v rho_v
/// C_vk)`. The seed must not be known to whoever chose the commitments: local randomness, or a hash
/// of everything that is checked. A wrong share passes with probability 2^-128.
pub fn check_shares(
    x: u64,
    shares: &[Scalar],
    commitments: &[G1],
    threshold: usize,
    seed: &[u8; 32],
) -> bool {
    if shares.len().checked_mul(threshold) != Some(commitments.len()) || threshold == 0 {
        return false;
    }
    let weights = Xof::new(seed).weights(shares.len());
    let mut combined = Scalar::zero();
    for (share, weight) in shares.iter().zip(&weights) {
        combined.accumulate(&share.mul(&weight_scalar(weight)));
    }
    let left = G1Sum::generator_times(&combined);
    let columns: Vec<G1Sum> = (0..threshold)
        .into_par_iter()
        .map(|k| {
            let column: Vec<G1> = commitments
                .iter()
                .skip(k)
                .step_by(threshold)
                .copied()
                .collect();
            G1Sum::msm(&column, &weights)
        })
        .collect();
    let mut right = G1Sum::infinity();
    for column in columns.iter().rev() {
        right = right.times_small(x);
        right.add_sum(column);
    }
    left == right
}

/// Returns the positions v at which the share equation fails, by bisection: few checks when few fail.
pub fn find_bad_shares(
    x: u64,
    shares: &[Scalar],
    commitments: &[G1],
    threshold: usize,
    seed: &[u8; 32],
) -> Vec<usize> {
    fn search(
        x: u64,
        shares: &[Scalar],
        commitments: &[G1],
        threshold: usize,
        seed: &[u8; 32],
        offset: usize,
        bad: &mut Vec<usize>,
    ) {
        if check_shares(x, shares, commitments, threshold, seed) {
            return;
        }
        if shares.len() <= 1 {
            bad.push(offset);
            return;
        }
        let half = shares.len().div_euclid(2);
        let (left, right) = shares.split_at(half);
        let cut = half.saturating_mul(threshold).min(commitments.len());
        let (left_points, right_points) = commitments.split_at(cut);
        search(x, left, left_points, threshold, seed, offset, bad);
        search(
            x,
            right,
            right_points,
            threshold,
            seed,
            offset.saturating_add(half),
            bad,
        );
    }
    let mut bad = Vec::new();
    search(x, shares, commitments, threshold, seed, 0, &mut bad);
    bad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::Polynomial;

    const T: usize = 3;

    fn dealt(m: usize) -> (Vec<Polynomial>, Vec<G1>) {
        let mut stream = Xof::new(&[9; 32]);
        let polynomials: Vec<_> = (0..m).map(|_| Polynomial::draw(&mut stream, T)).collect();
        let commitments = polynomials
            .iter()
            .flat_map(|f| f.commit().unwrap())
            .collect();
        (polynomials, commitments)
    }

    #[test]
    fn evaluation_in_the_exponent_is_evaluation() {
        let (polynomials, commitments) = dealt(1);
        for x in [1, 2, 77, (1 << 53) - 1] {
            let expected = G1::generator_times(&polynomials[0].evaluate(x));
            assert_eq!(evaluate(&commitments, x).finite(), expected);
        }
    }

    #[test]
    fn right_shares_pass_and_each_wrong_one_is_found() {
        let (polynomials, commitments) = dealt(9);
        let mut shares: Vec<_> = polynomials.iter().map(|f| f.evaluate(4)).collect();
        assert!(check_shares(4, &shares, &commitments, T, &[1; 32]));
        assert!(find_bad_shares(4, &shares, &commitments, T, &[1; 32]).is_empty());
        // Another operator's index is another equation.
        assert!(!check_shares(5, &shares, &commitments, T, &[1; 32]));
        // Two errors that cancel in an unweighted sum.
        let one = Scalar::from_u64(1);
        shares[2] = shares[2].add(&one);
        shares[7] = shares[7].sub(&one);
        assert!(!check_shares(4, &shares, &commitments, T, &[1; 32]));
        assert_eq!(
            find_bad_shares(4, &shares, &commitments, T, &[1; 32]),
            [2, 7]
        );
    }

    #[test]
    fn wrong_counts_are_refused() {
        let (polynomials, commitments) = dealt(2);
        let shares: Vec<_> = polynomials.iter().map(|f| f.evaluate(1)).collect();
        assert!(!check_shares(1, &shares, &commitments[..5], T, &[1; 32]));
        assert!(!check_shares(1, &shares[..1], &commitments, T, &[1; 32]));
        assert!(!check_shares(1, &shares, &commitments, 0, &[1; 32]));
    }
}
