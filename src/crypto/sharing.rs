//! A sharing: the public side of the keys of a ceremony's validators.

use rayon::prelude::*;

use crate::crypto::feldman;
use crate::crypto::lagrange::basis;
use crate::crypto::point::{G1, G1Sum};
use crate::crypto::scalar::Scalar;

/// Indices, threshold, the committed polynomial and every public share of m validators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    threshold: usize,
    indices: Vec<u64>,
    polynomials: Vec<G1>,
    shares: Vec<G1>,
}

/// A point of a sharing that is infinity, which by chance happens with probability 2^-250; or, of a
/// sharing that was made elsewhere, keys that belong to no such polynomial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// The counts do not fit: no validator, or not `threshold` coefficients for each.
    #[error("the number of coefficients is not a multiple of the threshold")]
    Counts,
    /// A group key, an inner or a leading coefficient.
    #[error("coefficient {coefficient} of validator {validator} is infinity")]
    Coefficient {
        /// Position in the plan, from 0.
        validator: usize,
        /// From 0, the group key, to t-1.
        coefficient: usize,
    },
    /// A public share.
    #[error("the public share of index {index} of validator {validator} is infinity")]
    Share {
        /// Position in the plan, from 0.
        validator: usize,
        /// The operator's index.
        index: u64,
    },
    /// A public share that the polynomial of the first t does not lead to.
    #[error(
        "the public share of index {index} of validator {validator} is not on the polynomial of the others"
    )]
    OffPolynomial {
        /// Position, from 0.
        validator: usize,
        /// The operator's index.
        index: u64,
    },
    /// Public shares of another key.
    #[error("the public shares of validator {0} do not lead to its group key")]
    OtherKey(usize),
}

impl Sharing {
    /// Makes the sharing of summed coefficient commitments, validator by validator, `threshold` each
    /// (`A_vk`), for operators at `indices`. Computes every public share `Y_iv`.
    ///
    /// Refuses infinity in group keys, leading coefficients and public shares. An inner coefficient
    /// at infinity is refused as well: it has no encoding here, and happens by chance only.
    pub fn new(threshold: usize, indices: Vec<u64>, sums: &[G1Sum]) -> Result<Self, SharingError> {
        let cell = |position: usize, width: usize| {
            (
                position.checked_div(width).unwrap_or(0),
                position.checked_rem(width).unwrap_or(0),
            )
        };
        if threshold == 0 || sums.is_empty() || cell(sums.len(), threshold).1 != 0 {
            return Err(SharingError::Counts);
        }
        let polynomials = G1Sum::finite_many(sums).map_err(|position| {
            let (validator, coefficient) = cell(position, threshold);
            SharingError::Coefficient {
                validator,
                coefficient,
            }
        })?;
        Self::from_polynomials(threshold, indices, polynomials)
    }

    /// [`Self::new`] for coefficients that are points already.
    pub fn from_polynomials(
        threshold: usize,
        indices: Vec<u64>,
        polynomials: Vec<G1>,
    ) -> Result<Self, SharingError> {
        if threshold == 0
            || polynomials.is_empty()
            || polynomials.len().checked_rem(threshold) != Some(0)
            || indices.is_empty()
        {
            return Err(SharingError::Counts);
        }
        // Validator by validator and operator by operator, so that one validator of many operators
        // keeps all cores busy too.
        let sums: Vec<G1Sum> = polynomials
            .par_chunks(threshold)
            .flat_map(|polynomial| {
                indices
                    .par_iter()
                    .map(|x| feldman::evaluate(polynomial, *x))
            })
            .collect();
        let shares = G1Sum::finite_many(&sums).map_err(|position| SharingError::Share {
            validator: position.checked_div(indices.len()).unwrap_or(0),
            index: position
                .checked_rem(indices.len())
                .and_then(|operator| indices.get(operator))
                .copied()
                .unwrap_or(0),
        })?;
        Ok(Self {
            threshold,
            indices,
            polynomials,
            shares,
        })
    }

    /// Recovers a sharing of which another tool tells group keys and public shares alone: `shares`
    /// validator by validator, one for each of the distinct `indices`.
    ///
    /// The first t public shares fix a polynomial of degree at most t-1, whose commitments are their
    /// interpolation in the exponent. The degree is t-1, since a leading coefficient at infinity is
    /// refused as in [`Self::new`]; every public share has to lie on it, and its constant term has to be
    /// the group key. The points are in the subgroup by their type.
    pub fn from_public_shares(
        threshold: usize,
        indices: Vec<u64>,
        keys: &[G1],
        shares: &[G1],
    ) -> Result<Self, SharingError> {
        let n = indices.len();
        if keys.is_empty() || keys.len().checked_mul(n) != Some(shares.len()) {
            return Err(SharingError::Counts);
        }
        let basis = indices.get(..threshold).and_then(basis);
        let weights: Vec<Vec<[u8; 32]>> = basis
            .ok_or(SharingError::Counts)?
            .iter()
            .map(|row| row.iter().map(little_endian).collect())
            .collect();
        let sums: Vec<G1Sum> = shares
            .par_chunks(n)
            .flat_map_iter(|shares| {
                let first = shares.get(..threshold).unwrap_or_default();
                weights
                    .iter()
                    .map(move |weights| G1Sum::msm_serial(first, weights))
            })
            .collect();
        let sharing = Self::new(threshold, indices, &sums)?;
        for (validator, (given, found)) in shares.chunks(n).zip(sharing.shares()).enumerate() {
            let mut pairs = given.iter().zip(found).zip(&sharing.indices);
            if let Some((_, index)) = pairs.find(|((given, found), _)| given != found) {
                return Err(SharingError::OffPolynomial {
                    validator,
                    index: *index,
                });
            }
        }
        let other = keys
            .iter()
            .zip(sharing.group_keys())
            .position(|(given, found)| given != found);
        match other {
            Some(validator) => Err(SharingError::OtherKey(validator)),
            None => Ok(sharing),
        }
    }

    /// The threshold t.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The operators' indices, in roster order.
    pub fn indices(&self) -> &[u64] {
        &self.indices
    }

    /// How many validators.
    pub fn validators(&self) -> usize {
        self.polynomials
            .len()
            .checked_div(self.threshold)
            .unwrap_or(0)
    }

    /// The summed coefficient commitments of every validator: `A_v0` (the group key), …, `A_v,t-1`.
    pub fn polynomials(&self) -> impl ExactSizeIterator<Item = &[G1]> {
        self.polynomials.chunks_exact(self.threshold)
    }

    /// All coefficients in one run, validator by validator.
    pub fn coefficients(&self) -> &[G1] {
        &self.polynomials
    }

    /// The public shares of every validator, in roster order.
    pub fn shares(&self) -> impl ExactSizeIterator<Item = &[G1]> {
        self.shares.chunks_exact(self.indices.len())
    }

    /// The group key of every validator.
    pub fn group_keys(&self) -> impl Iterator<Item = &G1> {
        self.polynomials.iter().step_by(self.threshold)
    }

    /// The public shares of one operator, validator by validator.
    pub fn shares_of(&self, operator: usize) -> impl Iterator<Item = &G1> {
        self.shares
            .iter()
            .skip(operator)
            .step_by(self.indices.len())
    }
}

/// A public scalar as a weight.
fn little_endian(scalar: &Scalar) -> [u8; 32] {
    let mut bytes = scalar.to_public_bytes();
    bytes.reverse();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::Polynomial;
    use crate::crypto::xof::Xof;

    /// Group keys and public shares of `m` validators, as another tool would tell them.
    fn told(m: usize, threshold: usize, indices: &[u64]) -> (Sharing, Vec<G1>, Vec<G1>) {
        let mut stream = Xof::new(&[6; 32]);
        let points = (0..m)
            .flat_map(|_| Polynomial::draw(&mut stream, threshold).commit().unwrap())
            .collect();
        let sharing = Sharing::from_polynomials(threshold, indices.to_vec(), points).unwrap();
        let keys = sharing.group_keys().copied().collect();
        let shares = sharing.shares().flatten().copied().collect();
        (sharing, keys, shares)
    }

    #[test]
    fn public_shares_give_the_polynomials_back() {
        let far = [7, 40, (1 << 53) - 1];
        for (m, threshold, indices) in [
            (1, 1, &[1][..]),
            (3, 2, &[1, 2]),
            (2, 3, &[1, 2, 3, 4]),
            (1, 2, &far),
            (2, 7, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ] {
            let (sharing, keys, shares) = told(m, threshold, indices);
            let found = Sharing::from_public_shares(threshold, indices.to_vec(), &keys, &shares);
            assert_eq!(found.as_ref(), Ok(&sharing), "{threshold} of {indices:?}");
        }
    }

    #[test]
    fn keys_of_no_such_polynomial_are_refused() {
        let indices = vec![1, 2, 3, 4];
        let (_, keys, shares) = told(2, 3, &indices);
        let recovered = |threshold, keys: &[G1], shares: &[G1]| {
            Sharing::from_public_shares(threshold, indices.clone(), keys, shares).unwrap_err()
        };
        let off = |validator, index| SharingError::OffPolynomial { validator, index };
        // Another share in each place. One of the first t changes the polynomial: the fourth is off it.
        for (place, expected) in [
            (0, off(0, 4)),
            (2, off(0, 4)),
            (3, off(0, 4)),
            (5, off(1, 4)),
            (7, off(1, 4)),
        ] {
            let mut wrong = shares.clone();
            wrong[place] = G1::generator();
            assert_eq!(recovered(3, &keys, &wrong), expected, "{place}");
        }
        let mut swapped = shares.clone();
        swapped.swap(0, 1);
        assert_eq!(recovered(3, &keys, &swapped), off(0, 4));
        // Both keys in each other's place, and a share's in a key's.
        assert_eq!(
            recovered(3, &[keys[1], keys[0]], &shares),
            SharingError::OtherKey(0)
        );
        assert_eq!(
            recovered(3, &[keys[0], shares[4]], &shares),
            SharingError::OtherKey(1)
        );
        // A threshold that the shares do not have: too low, they are off; too high, the leading
        // coefficient vanishes, and fewer could sign than it says.
        assert_eq!(recovered(2, &keys, &shares), off(0, 3));
        assert_eq!(
            recovered(4, &keys, &shares),
            SharingError::Coefficient {
                validator: 0,
                coefficient: 3
            }
        );
        // A key that cancels out: f(x) = x - 1 at zero is no key, f(x) = x has none.
        let mut minus = G1Sum::from(G1::generator());
        minus.negate();
        let minus = minus.finite().unwrap();
        let doubled = G1Sum::from(G1::generator())
            .times_small(2)
            .finite()
            .unwrap();
        assert_eq!(
            Sharing::from_public_shares(2, vec![1, 2], &[minus], &[G1::generator(), doubled]),
            Err(SharingError::Coefficient {
                validator: 0,
                coefficient: 0
            })
        );
        let (keys, shares) = (keys.as_slice(), shares.as_slice());
        for (threshold, indices, keys, shares) in [
            (3, vec![1, 2, 3], keys, shares),
            (5, indices.clone(), keys, shares),
            (0, indices.clone(), keys, shares),
            (3, indices.clone(), &keys[..1], shares),
            (3, indices.clone(), &[], &[]),
            (3, Vec::new(), keys, shares),
            (3, vec![0, 1, 2, 3], keys, shares),
            (3, vec![1, 1, 2, 3], keys, shares),
        ] {
            assert_eq!(
                Sharing::from_public_shares(threshold, indices, keys, shares),
                Err(SharingError::Counts)
            );
        }
    }

    #[test]
    fn public_shares_commit_to_the_secret_ones() {
        let mut stream = Xof::new(&[4; 32]);
        let secrets: Vec<Polynomial> = (0..3).map(|_| Polynomial::draw(&mut stream, 2)).collect();
        let sums: Vec<G1Sum> = secrets
            .iter()
            .flat_map(|f| f.commit().unwrap())
            .map(G1Sum::from)
            .collect();
        let indices = vec![1, 7, 40];
        let sharing = Sharing::new(2, indices.clone(), &sums).unwrap();
        assert_eq!(sharing.validators(), 3);
        for (f, (key, shares)) in secrets
            .iter()
            .zip(sharing.group_keys().zip(sharing.shares()))
        {
            assert_eq!(Some(*key), G1::generator_times(&f.evaluate(0)));
            for (x, share) in indices.iter().zip(shares) {
                assert_eq!(Some(*share), G1::generator_times(&f.evaluate(*x)));
            }
        }
        let second: Vec<G1> = sharing.shares_of(1).copied().collect();
        assert_eq!(
            Some(second[2]),
            G1::generator_times(&secrets[2].evaluate(7))
        );
    }

    #[test]
    fn counts_that_do_not_fit_are_refused() {
        let points = vec![G1::generator(); 4];
        let sharing = Sharing::from_polynomials;
        assert!(sharing(2, vec![1], points.clone()).is_ok());
        for (t, indices, points) in [
            (0, vec![1], points.clone()),
            (2, vec![1], Vec::new()),
            (3, vec![1], points.clone()),
            (2, Vec::new(), points),
        ] {
            assert_eq!(sharing(t, indices, points), Err(SharingError::Counts));
        }
    }

    #[test]
    fn infinity_is_refused_wherever_it_appears() {
        let one = G1Sum::from(G1::generator());
        let mut minus_one = one;
        minus_one.negate();
        let infinity = G1Sum::infinity();
        assert_eq!(
            Sharing::new(2, vec![1], &[one, one, infinity, one]),
            Err(SharingError::Coefficient {
                validator: 1,
                coefficient: 0
            })
        );
        assert_eq!(
            Sharing::new(2, vec![1], &[one, infinity]),
            Err(SharingError::Coefficient {
                validator: 0,
                coefficient: 1
            })
        );
        // f(x) = x - 1 vanishes at 1.
        assert_eq!(
            Sharing::new(2, vec![3, 1], &[minus_one, one]),
            Err(SharingError::Share {
                validator: 0,
                index: 1
            })
        );
        assert_eq!(Sharing::new(2, vec![1], &[one]), Err(SharingError::Counts));
        assert_eq!(Sharing::new(2, vec![1], &[]), Err(SharingError::Counts));
    }
}
