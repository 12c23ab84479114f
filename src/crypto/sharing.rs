//! A sharing: the public side of the keys of a ceremony's validators.

use rayon::prelude::*;

use crate::crypto::feldman;
use crate::crypto::point::{G1, G1Sum};

/// Indices, threshold, the committed polynomial and every public share of m validators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    threshold: usize,
    indices: Vec<u64>,
    polynomials: Vec<G1>,
    shares: Vec<G1>,
}

/// A point of a sharing that is infinity; by chance this happens with probability 2^-250.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::Polynomial;
    use crate::crypto::xof::Xof;

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
