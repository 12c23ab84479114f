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

/// Additions that may wait for others to the same bucket before a batch goes though it is not full.
const WAITING: usize = 4 * BATCH;

/// Buckets that points are added to. Additions are made in batches, in which each bucket takes one;
/// a further one waits for the next batch.
pub(in crate::crypto) struct Buckets<P: Affine> {
    sums: Vec<P>,
    /// The batch in which a bucket was last added to; batches count from 1.
    last: Vec<usize>,
    batch: usize,
    /// The batch: buckets, and their sums with what is added.
    places: Vec<usize>,
    pairs: Vec<(P, P)>,
    waiting: Vec<(usize, P)>,
    /// Those that waited for this batch; empty between two of them.
    waited: Vec<(usize, P)>,
    adder: Adder<P>,
    added: Vec<P>,
}

impl<P: Affine> Buckets<P> {
    /// So many empty buckets.
    pub(in crate::crypto) fn new(count: usize) -> Self {
        Self::from_sums(vec![P::default(); count])
    }

    /// Buckets that hold these sums.
    pub(in crate::crypto) fn from_sums(sums: Vec<P>) -> Self {
        Self {
            last: vec![0; sums.len()],
            sums,
            batch: 1,
            places: Vec::with_capacity(BATCH),
            pairs: Vec::with_capacity(BATCH),
            waiting: Vec::new(),
            waited: Vec::new(),
            adder: Adder::new(),
            added: Vec::with_capacity(BATCH),
        }
    }

    /// Adds a point to a bucket, counted from 0; one that is not there takes nothing.
    pub(in crate::crypto) fn add(&mut self, bucket: usize, point: P) {
        self.enter(bucket, point);
        if self.pairs.len() >= BATCH || self.waiting.len() >= WAITING {
            self.add_batch();
        }
    }

    fn enter(&mut self, bucket: usize, point: P) {
        let (Some(sum), Some(last)) = (self.sums.get_mut(bucket), self.last.get_mut(bucket)) else {
            return;
        };
        if *last == self.batch {
            self.waiting.push((bucket, point));
        } else if sum.is_infinity() {
            *sum = point;
        } else {
            *last = self.batch;
            self.places.push(bucket);
            self.pairs.push((*sum, point));
        }
    }

    fn add_batch(&mut self) {
        self.added.clear();
        self.adder.add_pairs(&self.pairs, &mut self.added);
        for (place, added) in self.places.drain(..).zip(&self.added) {
            if let Some(sum) = self.sums.get_mut(place) {
                *sum = *added;
            }
        }
        self.pairs.clear();
        self.batch = self.batch.saturating_add(1);
        let mut waited = std::mem::replace(&mut self.waiting, std::mem::take(&mut self.waited));
        for (bucket, point) in waited.drain(..) {
            self.enter(bucket, point);
        }
        self.waited = waited;
    }

    /// The sum of each bucket.
    pub(in crate::crypto) fn into_sums(mut self) -> Vec<P> {
        while !self.pairs.is_empty() {
            self.add_batch();
        }
        self.sums
    }
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
        let mut buckets = Buckets::new(6);
        for (n, point) in points.iter().enumerate() {
            // Bucket 4 stays empty, as does 5; there is no bucket 6.
            let bucket = if n % 5 == 4 { 6 } else { n % 5 };
            buckets.add(bucket, *point);
        }
        let sums = buckets.into_sums();
        for (bucket, actual) in sums.iter().enumerate() {
            let mut expected = G1Sum::infinity();
            for (n, point) in points.iter().enumerate() {
                if n % 5 == bucket && n % 5 != 4 {
                    expected.add(&G1(*point));
                }
            }
            let expected = expected.finite().map_or_else(Default::default, |p| p.0);
            assert!(*actual == expected, "bucket {bucket}");
        }
        assert!(sums[4].is_infinity() && sums[5].is_infinity());
        // A point and its opposite, and more of the same point.
        let mut buckets = Buckets::new(2);
        for (bucket, point) in [(0, 3), (0, 3), (0, 3), (1, 7)] {
            buckets.add(bucket, g(point));
        }
        buckets.add(1, g(7).negated_if(true));
        let sums = buckets.into_sums();
        assert!(sums[0] == g(9) && sums[1].is_infinity());
    }

    /// Batches fill, and what waits overflows: many buckets, and one of them again and again.
    #[test]
    fn batches_that_fill_and_points_that_wait_lose_nothing() {
        let points: Vec<blst_p1_affine> = (1..=7).map(g).collect();
        for buckets in [1, 3, 300, 1000] {
            let mut sums = Buckets::new(buckets);
            let mut expected = vec![0; buckets];
            for n in 1..3000 {
                let bucket = if n % 3 == 0 { 0 } else { n % buckets };
                sums.add(bucket, points[n % 7]);
                expected[bucket] += u64::try_from(n % 7 + 1).unwrap();
            }
            for (sum, expected) in sums.into_sums().into_iter().zip(expected) {
                let expected = if expected == 0 {
                    Default::default()
                } else {
                    g(expected)
                };
                assert!(sum == expected, "{buckets}");
            }
        }
    }
}
