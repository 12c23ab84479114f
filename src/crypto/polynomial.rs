//! Secret polynomials over the scalar field (Shamir 1979).

use crate::crypto::point::G1;
use crate::crypto::scalar::Scalar;
use crate::crypto::xof::Xof;

/// A secret polynomial; the constant term is what is shared. Wiped on drop.
#[derive(Debug)]
pub struct Polynomial(Vec<Scalar>);

impl Polynomial {
    /// Draws `threshold` coefficients (degree `threshold - 1`) from a secret stream.
    pub fn draw(stream: &mut Xof, threshold: usize) -> Self {
        Self((0..threshold).map(|_| stream.scalar()).collect())
    }

    /// Takes coefficients from the constant term up.
    pub fn from_coefficients(coefficients: Vec<Scalar>) -> Self {
        Self(coefficients)
    }

    /// The coefficients, constant term first.
    pub fn coefficients(&self) -> &[Scalar] {
        &self.0
    }

    /// Returns f(x) by Horner's rule, in constant time for a given length.
    pub fn evaluate(&self, x: u64) -> Scalar {
        let x = Scalar::from_u64(x);
        self.0
            .iter()
            .rev()
            .fold(Scalar::zero(), |value, coefficient| {
                value.mul(&x).add(coefficient)
            })
    }

    /// Returns `a_k * G` for every coefficient, or nothing when one is zero.
    pub fn commit(&self) -> Option<Vec<G1>> {
        let coefficients: Vec<&Scalar> = self.0.iter().collect();
        G1::generator_times_many(&coefficients)
    }
}

/// Returns f(0) from `(x, f(x))` pairs, or nothing for repeated or zero x or no pair at all.
pub fn interpolate_at_zero(points: &[(u64, &Scalar)]) -> Option<Scalar> {
    if points.is_empty() {
        return None;
    }
    let mut sum = Scalar::zero();
    for (x, value) in points {
        if *x == 0 {
            return None;
        }
        let x_scalar = Scalar::from_u64(*x);
        let mut numerator = Scalar::from_u64(1);
        let mut denominator = Scalar::from_u64(1);
        for (other, _) in points.iter().filter(|(other, _)| other != x) {
            let other = Scalar::from_u64(*other);
            numerator = numerator.mul(&other);
            denominator = denominator.mul(&other.sub(&x_scalar));
        }
        if points.iter().filter(|(other, _)| other == x).count() != 1 {
            return None;
        }
        sum.accumulate(&value.mul(&numerator).mul(&denominator.invert()?));
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluation_known_answer() {
        // 5 + 3x + 2x^2
        let f = Polynomial::from_coefficients([5, 3, 2].map(Scalar::from_u64).into());
        assert_eq!(f.evaluate(0), Scalar::from_u64(5));
        assert_eq!(f.evaluate(10), Scalar::from_u64(235));
    }

    #[test]
    fn any_t_values_give_the_constant_term_and_fewer_do_not() {
        let f = Polynomial::draw(&mut Xof::new(&[1; 32]), 3);
        let constant = f.evaluate(0);
        let values: Vec<(u64, Scalar)> =
            [1, 2, 5, (1 << 53) - 1].map(|x| (x, f.evaluate(x))).into();
        for skip in 0..4 {
            let three: Vec<(u64, &Scalar)> = values
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != skip)
                .map(|(_, (x, y))| (*x, y))
                .collect();
            assert_eq!(interpolate_at_zero(&three), Some(constant.duplicate()));
            assert_ne!(interpolate_at_zero(&three[..2]), Some(constant.duplicate()));
        }
    }

    #[test]
    fn repeated_and_zero_positions_are_refused() {
        let one = Scalar::from_u64(1);
        assert!(interpolate_at_zero(&[]).is_none());
        assert!(interpolate_at_zero(&[(1, &one), (1, &one)]).is_none());
        assert!(interpolate_at_zero(&[(0, &one), (1, &one)]).is_none());
    }
}
