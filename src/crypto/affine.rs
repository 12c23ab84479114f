//! Sums of many affine points that share their inversions (Montgomery's trick): an addition costs
//! half of what one in projective coordinates does. The inputs here lie on the curve, not always in
//! the subgroup.

use crate::crypto::field::Field;

/// A curve `y^2 = x^3 + b`, its affine points, and its subgroup of prime order. (0, 0), which is on
/// neither curve, stands for infinity, as it does in blst.
pub(in crate::crypto) trait Affine: Copy + Default + Send + Sync {
    /// The coordinates' field.
    type Field: Field;

    /// The coordinates.
    fn coordinates(&self) -> (&Self::Field, &Self::Field);

    /// A point of these coordinates, which the caller knows to be on the curve.
    fn from_coordinates(x: Self::Field, y: Self::Field) -> Self;

    /// Whether this is infinity.
    fn is_infinity(&self) -> bool {
        let (x, y) = self.coordinates();
        x.is_zero() && y.is_zero()
    }

    /// `-self` if `negative`, else `self`, in the same time.
    fn negated_if(&self, negative: bool) -> Self {
        let (x, y) = self.coordinates();
        Self::from_coordinates(*x, y.negated_if(negative))
    }
}

/// Additions that share one inversion: enough to hide its cost, few enough to stay in the cache.
const BATCH: usize = 256;

/// What one addition needs besides its inputs.
struct Step<P: Affine> {
    /// Numerator and denominator of the slope.
    slope: (P::Field, P::Field),
    /// The product of the denominators before this one.
    before: P::Field,
    /// The result, where it has no slope.
    known: Option<P>,
}

/// Adds pairs of points; keeps its memory from one call to the next.
pub(in crate::crypto) struct Adder<P: Affine> {
    steps: Vec<Step<P>>,
}

impl<P: Affine> Adder<P> {
    pub(in crate::crypto) fn new() -> Self {
        Self {
            steps: Vec::with_capacity(BATCH),
        }
    }

    /// Appends `a + b` of every pair to `sums`, in order.
    ///
    /// Equal and opposite points and infinity are added correctly and take another path: that path
    /// must not depend on secrets. All others take the same time.
    pub(in crate::crypto) fn add_pairs(&mut self, pairs: &[(P, P)], sums: &mut Vec<P>) {
        for pairs in pairs.chunks(BATCH) {
            self.steps.clear();
            let mut product = P::Field::one();
            for (a, b) in pairs {
                let (slope, known) = slope(a, b);
                self.steps.push(Step {
                    slope,
                    before: product,
                    known,
                });
                product = product.mul(&slope.1);
            }
            let mut inverse = product.invert();
            let first = sums.len();
            sums.resize(first.saturating_add(pairs.len()), P::default());
            let outputs = sums.iter_mut().skip(first);
            for (((a, b), step), out) in pairs.iter().zip(&self.steps).zip(outputs).rev() {
                let slope = step.slope.0.mul(&inverse.mul(&step.before));
                inverse = inverse.mul(&step.slope.1);
                *out = step.known.unwrap_or_else(|| chord(a, b, &slope));
            }
        }
    }

    /// Overwrites what is left of the last additions.
    pub(in crate::crypto) fn wipe(&mut self) {
        for step in &mut self.steps {
            *step = Step {
                slope: Default::default(),
                before: P::Field::default(),
                known: None,
            };
        }
        std::hint::black_box(&mut self.steps);
    }
}

/// The slope of the line through both points as a fraction, or 0/1 and the sum where that has none.
#[inline]
fn slope<P: Affine>(a: &P, b: &P) -> ((P::Field, P::Field), Option<P>) {
    let none = (P::Field::default(), P::Field::one());
    if a.is_infinity() {
        return (none, Some(*b));
    }
    if b.is_infinity() {
        return (none, Some(*a));
    }
    let ((ax, ay), (bx, by)) = (a.coordinates(), b.coordinates());
    let run = bx.sub(ax);
    if !run.is_zero() {
        return ((by.sub(ay), run), None);
    }
    // The curves have odd order: no finite point has y = 0.
    if ay == by {
        let square = ax.square();
        return ((square.add(&square).add(&square), ay.add(ay)), None);
    }
    (none, Some(P::default()))
}

/// The third point of the line through `a` with this slope, reflected.
#[inline]
fn chord<P: Affine>(a: &P, b: &P, slope: &P::Field) -> P {
    let ((ax, ay), (bx, _)) = (a.coordinates(), b.coordinates());
    let x = slope.square().sub(ax).sub(bx);
    let y = slope.mul(&ax.sub(&x)).sub(ay);
    P::from_coordinates(x, y)
}

/// Sums each bucket. `items` says for each point its bucket, from 0 to `buckets - 1`, and whether it
/// is subtracted; those of no bucket are left out.
pub(in crate::crypto) fn bucket_sums<P: Affine>(
    points: &[P],
    items: &[(Option<u32>, bool)],
    buckets: usize,
) -> Vec<P> {
    let index = |bucket: u32| usize::try_from(bucket).unwrap_or(usize::MAX);
    let mut counts = vec![0usize; buckets];
    for (bucket, _) in items {
        if let Some(count) = bucket.and_then(|bucket| counts.get_mut(index(bucket))) {
            *count = count.saturating_add(1);
        }
    }
    // Sorted by bucket.
    let mut next = Vec::with_capacity(buckets);
    let mut total = 0usize;
    for count in &counts {
        next.push(total);
        total = total.saturating_add(*count);
    }
    let mut sorted = vec![P::default(); total];
    for (point, (bucket, negative)) in points.iter().zip(items) {
        let place = bucket.and_then(|bucket| next.get_mut(index(bucket)));
        if let Some(place) = place
            && let Some(slot) = sorted.get_mut(*place)
        {
            *slot = point.negated_if(*negative);
            *place = place.saturating_add(1);
        }
    }
    // Each round halves every bucket; all its additions share inversions.
    let mut adder = Adder::new();
    let (mut pairs, mut sums, mut reduced) = (Vec::new(), Vec::new(), Vec::new());
    while counts.iter().any(|count| *count > 1) {
        pairs.clear();
        sums.clear();
        let mut rest = sorted.as_slice();
        for count in &counts {
            let (own, others) = rest.split_at(rest.len().min(*count));
            rest = others;
            pairs.extend(own.as_chunks::<2>().0.iter().map(|[a, b]| (*a, *b)));
        }
        adder.add_pairs(&pairs, &mut sums);
        reduced.clear();
        let mut rest = sorted.as_slice();
        let mut added = sums.iter();
        for count in &mut counts {
            let (own, others) = rest.split_at(rest.len().min(*count));
            rest = others;
            let (twos, odd) = own.as_chunks::<2>();
            reduced.extend(added.by_ref().take(twos.len()));
            reduced.extend(odd);
            *count = twos.len().saturating_add(odd.len());
        }
        std::mem::swap(&mut sorted, &mut reduced);
    }
    let mut sums = sorted.into_iter();
    counts
        .iter()
        .map(|count| match count {
            0 => P::default(),
            _ => sums.next().unwrap_or_default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::point::{G1, G1Sum};
    use crate::crypto::scalar::Scalar;
    use blst::blst_p1_affine;

    fn g(n: u64) -> blst_p1_affine {
        G1::generator_times(&Scalar::from_u64(n)).unwrap().0
    }

    fn sum(terms: &[u64]) -> blst_p1_affine {
        let mut sum = G1Sum::infinity();
        for term in terms {
            sum.add(&G1(g(*term)));
        }
        sum.finite().map_or_else(Default::default, |point| point.0)
    }

    #[test]
    fn pairs_of_every_kind_are_added() {
        let infinity = blst_p1_affine::default();
        let opposite = g(9).negated_if(true);
        let mut pairs = vec![
            (g(2), g(3)),
            (g(4), g(4)),
            (g(9), opposite),
            (infinity, g(5)),
            (g(6), infinity),
            (infinity, infinity),
        ];
        let mut expected = vec![sum(&[5]), sum(&[8]), infinity, g(5), g(6), infinity];
        for n in 1..600 {
            pairs.push((g(n), g(1000)));
            expected.push(sum(&[n, 1000]));
        }
        let mut sums = vec![g(1)];
        let mut adder = Adder::new();
        adder.add_pairs(&pairs, &mut sums);
        assert!(sums[0] == g(1));
        assert!(sums[1..] == expected);
        adder.wipe();
        assert!(adder.steps.iter().all(|step| step.before.is_zero()));
    }

    #[test]
    fn buckets_hold_their_own_points_only() {
        let points: Vec<_> = (1..=40).map(g).collect();
        let items: Vec<_> = (1..=40u32)
            .map(|n| (n.checked_rem(5).filter(|bucket| *bucket != 4), n > 30))
            .collect();
        let sums = bucket_sums(&points, &items, 6);
        for (bucket, actual) in sums.iter().enumerate() {
            let mut expected = G1Sum::infinity();
            for (point, (place, negative)) in points.iter().zip(&items) {
                if *place == Some(u32::try_from(bucket).unwrap()) {
                    expected.add(&G1(point.negated_if(*negative)));
                }
            }
            let expected = expected.finite().map_or_else(Default::default, |p| p.0);
            assert!(*actual == expected, "bucket {bucket}");
        }
        assert!(sums[4].is_infinity() && sums[5].is_infinity());
        // A point and its opposite, and more of the same point.
        let points = [g(3), g(3), g(3), g(7), g(7)];
        let items = [(0, false), (0, false), (0, false), (1, false), (1, true)]
            .map(|(bucket, negative)| (Some(bucket), negative));
        let sums = bucket_sums(&points, &items, 2);
        assert!(sums[0] == g(9) && sums[1].is_infinity());
    }
}
