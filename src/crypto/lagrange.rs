//! Lagrange coefficients at zero with small integers, and the basis that gives polynomials back.
//!
//! For small indices the coefficients are fractions with tiny numerators over a tiny common
//! denominator D, so `sum L_i * P_i = D^-1 * sum (D * L_i) * P_i` is a few doublings instead of
//! 255-bit multiplications. D is 1 whenever the indices are consecutive. Public data only.

use crate::crypto::scalar::Scalar;

/// Lagrange coefficients at zero for one set of indices, in the order given.
#[derive(Debug, PartialEq, Eq)]
pub enum Coefficients {
    /// `L_i = numerators[i] / denominator`.
    Small {
        /// Signed, at most 64 bits each.
        numerators: Vec<(bool, u64)>,
        /// Positive.
        denominator: u64,
    },
    /// Field elements, where the integers would not fit.
    Field(Vec<Scalar>),
}

impl Coefficients {
    /// Computes the coefficients, or nothing for zero or repeated indices or none at all.
    pub fn at_zero(indices: &[u64]) -> Option<Self> {
        let distinct = indices.iter().enumerate().all(|(position, index)| {
            *index != 0
                && !indices
                    .iter()
                    .skip(position.saturating_add(1))
                    .any(|other| other == index)
        });
        if indices.is_empty() || !distinct {
            return None;
        }
        match small(indices) {
            Some(small) => Some(small),
            None => indices
                .iter()
                .map(|index| {
                    let x = Scalar::from_u64(*index);
                    let (mut top, mut bottom) = (Scalar::from_u64(1), Scalar::from_u64(1));
                    for other in indices.iter().filter(|other| *other != index) {
                        let other = Scalar::from_u64(*other);
                        top = top.mul(&other);
                        bottom = bottom.mul(&other.sub(&x));
                    }
                    Some(top.mul(&bottom.invert()?))
                })
                .collect::<Option<Vec<_>>>()
                .map(Self::Field),
        }
    }
}

/// The basis polynomials of a set of indices, for recovering a polynomial from its values: the
/// coefficient of `x^k` is the sum of `basis[k][i] * f(indices[i])`. Nothing for zero or repeated
/// indices or none at all.
pub fn basis(indices: &[u64]) -> Option<Vec<Vec<Scalar>>> {
    if indices.is_empty() || indices.contains(&0) {
        return None;
    }
    // The product of all (x - x_i), constant term first.
    let mut product = vec![Scalar::from_u64(1)];
    for index in indices {
        let x = Scalar::from_u64(*index);
        let mut next = vec![Scalar::zero()];
        next.extend(product.iter().map(Scalar::duplicate));
        for (coefficient, lower) in next.iter_mut().zip(&product) {
            *coefficient = coefficient.sub(&lower.mul(&x));
        }
        product = next;
    }
    let mut basis: Vec<Vec<Scalar>> = indices.iter().map(|_| Vec::new()).collect();
    for index in indices {
        let x = Scalar::from_u64(*index);
        // Divided by (x - x_i), from the leading coefficient down; what remains is zero.
        let mut quotient = Vec::with_capacity(indices.len());
        let mut carried = Scalar::zero();
        for coefficient in product.iter().skip(1).rev() {
            carried = carried.mul(&x).add(coefficient);
            quotient.push(carried.duplicate());
        }
        let value = quotient.iter().fold(Scalar::zero(), |value, coefficient| {
            value.mul(&x).add(coefficient)
        });
        let inverse = value.invert()?;
        for (row, coefficient) in basis.iter_mut().zip(quotient.iter().rev()) {
            row.push(coefficient.mul(&inverse));
        }
    }
    Some(basis)
}

/// The small form, if every number fits.
fn small(indices: &[u64]) -> Option<Coefficients> {
    let mut fractions = Vec::with_capacity(indices.len());
    for index in indices {
        // L_i = prod other / (other - i), reduced factor by factor so that products stay small.
        let (mut negative, mut top, mut bottom) = (false, 1u128, 1u128);
        for other in indices.iter().filter(|other| *other != index) {
            negative ^= other < index;
            top = top.checked_mul(u128::from(*other))?;
            bottom = bottom.checked_mul(u128::from(other.abs_diff(*index)))?;
            let common = gcd(top, bottom);
            top = top.checked_div(common)?;
            bottom = bottom.checked_div(common)?;
        }
        fractions.push((negative, top, bottom));
    }
    let mut denominator = 1u128;
    for (_, _, bottom) in &fractions {
        denominator = denominator
            .checked_div(gcd(denominator, *bottom))?
            .checked_mul(*bottom)?;
    }
    let numerators = fractions
        .iter()
        .map(|(negative, top, bottom)| {
            let scaled = top.checked_mul(denominator.checked_div(*bottom)?)?;
            Some((*negative, u64::try_from(scaled).ok()?))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Coefficients::Small {
        numerators,
        denominator: u64::try_from(denominator).ok()?,
    })
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while let Some(remainder) = a.checked_rem(b) {
        (a, b) = (b, remainder);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::polynomial::interpolate_at_zero;

    fn as_field(coefficients: &Coefficients) -> Vec<Scalar> {
        match coefficients {
            Coefficients::Field(field) => field.iter().map(Scalar::duplicate).collect(),
            Coefficients::Small {
                numerators,
                denominator,
            } => numerators
                .iter()
                .map(|(negative, numerator)| {
                    let value = Scalar::from_u64(*numerator)
                        .mul(&Scalar::from_u64(*denominator).invert().unwrap());
                    if *negative { value.neg() } else { value }
                })
                .collect(),
        }
    }

    #[test]
    fn consecutive_indices_need_no_denominator() {
        assert_eq!(
            Coefficients::at_zero(&[1, 2, 3]),
            Some(Coefficients::Small {
                numerators: vec![(false, 3), (true, 3), (false, 1)],
                denominator: 1
            })
        );
        assert_eq!(
            Coefficients::at_zero(&[1, 2, 4]),
            Some(Coefficients::Small {
                numerators: vec![(false, 8), (true, 6), (false, 1)],
                denominator: 3
            })
        );
    }

    #[test]
    fn both_forms_interpolate() {
        let large: Vec<u64> = (0..5).map(|i| (1 << 53) - 1 - i * 7919).collect();
        let wide: Vec<u64> = (1..=67).collect();
        for indices in [vec![2], vec![1, 3, 7, 12], vec![9, 1, 5], large, wide] {
            let coefficients = Coefficients::at_zero(&indices).unwrap();
            for (position, coefficient) in as_field(&coefficients).iter().enumerate() {
                // L_i is what interpolation gives for the values (0, …, 1, …, 0).
                let (zero, one) = (Scalar::zero(), Scalar::from_u64(1));
                let values: Vec<_> = indices
                    .iter()
                    .enumerate()
                    .map(|(i, x)| (*x, if i == position { &one } else { &zero }))
                    .collect();
                assert_eq!(Some(coefficient.duplicate()), interpolate_at_zero(&values));
            }
        }
    }

    #[test]
    fn the_basis_gives_a_polynomial_back() {
        use crate::crypto::polynomial::Polynomial;
        use crate::crypto::xof::Xof;
        let large: Vec<u64> = (0..5).map(|i| (1 << 53) - 1 - i * 7919).collect();
        for indices in [vec![2], vec![1, 2, 3], vec![9, 1, 5, 12], large] {
            let f = Polynomial::draw(&mut Xof::new(&[8; 32]), indices.len());
            let values: Vec<Scalar> = indices.iter().map(|x| f.evaluate(*x)).collect();
            let basis = basis(&indices).unwrap();
            let recovered: Vec<Scalar> = basis
                .iter()
                .map(|row| {
                    let terms = row.iter().zip(&values).map(|(a, b)| a.mul(b));
                    terms.fold(Scalar::zero(), |sum, term| sum.add(&term))
                })
                .collect();
            assert_eq!(recovered, f.coefficients());
        }
        for bad in [&[][..], &[0, 1], &[1, 1], &[3, 2, 3]] {
            assert!(basis(bad).is_none());
        }
    }

    #[test]
    fn zero_repeated_and_no_indices_are_refused() {
        for bad in [&[][..], &[0, 1], &[1, 1], &[3, 2, 3]] {
            assert_eq!(Coefficients::at_zero(bad), None);
        }
    }
}
