//! Histograms whose buckets have bounds of their own.

use std::sync::Arc;

use super::increase::{Accumulated, Since};

/// A histogram with explicit bounds, of a point or of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explicit {
    /// Upper bounds of all buckets but the last, ascending; a value that equals one is below it.
    pub bounds: Arc<[f64]>,
    /// Values a bucket, one more than bounds; nothing where no buckets are kept.
    pub counts: Vec<f64>,
    /// All values.
    pub count: f64,
    /// Their sum, where it is kept.
    pub sum: Option<f64>,
    /// The smallest, where it is known of all of them.
    pub min: Option<f64>,
    /// The greatest, as above.
    pub max: Option<f64>,
}

impl Explicit {
    /// The values of `other` as well; `false` if its bounds are others, which do not add.
    #[must_use]
    pub fn add(&mut self, other: &Self) -> bool {
        if self.count == 0.0 && self.counts.is_empty() {
            *self = other.clone();
            return true;
        }
        if self.bounds != other.bounds || self.counts.len() != other.counts.len() {
            return false;
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.count += other.count;
        self.sum = self.sum.zip(other.sum).map(|(a, b)| a + b);
        self.min = self.min.zip(other.min).map(|(a, b)| a.min(b));
        self.max = self.max.zip(other.max).map(|(a, b)| a.max(b));
        true
    }

    /// Their mean.
    pub fn mean(&self) -> Option<f64> {
        self.sum.filter(|_| self.count > 0.0).map(|sum| sum / self.count)
    }

    /// The value that a share `q`, 0 to 1, of all values does not exceed: linear within a bucket. The first bucket begins at 0
    /// if its bound is positive, and otherwise is its bound; the last one is the greatest bound. `None` without values or
    /// without buckets.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.counts.iter().sum::<f64>();
        if total <= 0.0 || self.bounds.is_empty() || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = q * total;
        let mut below = 0.0;
        let mut found = None;
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            found = Some((at, *count, below));
            below += count;
            if below >= rank {
                break;
            }
        }
        let (at, count, below) = found?;
        let lower = at.checked_sub(1).map(|at| self.bounds[at]);
        let value = match (lower, self.bounds.get(at).filter(|bound| bound.is_finite())) {
            (None, Some(upper)) if *upper <= 0.0 => *upper,
            (lower, Some(upper)) => {
                let lower = lower.unwrap_or(0.0);
                lower + (upper - lower) * ((rank - below) / count).clamp(0.0, 1.0)
            }
            (lower, None) => lower?,
        };
        Some(clip(value, self.min, self.max))
    }
}

/// A quantile cannot lie outside of all values.
pub(super) fn clip(value: f64, min: Option<f64>, max: Option<f64>) -> f64 {
    let value = min.filter(|min| value < *min).unwrap_or(value);
    max.filter(|max| value > *max).unwrap_or(value)
}

impl Accumulated for Explicit {
    type Grown = Self;

    fn since(&self, before: &Self) -> Since<Self> {
        if self.bounds != before.bounds || self.counts.len() != before.counts.len() {
            return Since::Unlike;
        }
        let less = |now: &f64, before: &f64| now < before;
        if self.count < before.count || self.counts.iter().zip(&before.counts).any(|(now, before)| less(now, before)) {
            return Since::Fell;
        }
        Since::Grew(Self {
            bounds: Arc::clone(&self.bounds),
            counts: self.counts.iter().zip(&before.counts).map(|(now, before)| now - before).collect(),
            count: self.count - before.count,
            sum: self.sum.zip(before.sum).map(|(now, before)| now - before),
            // What is known of them is known since their start.
            min: None,
            max: None,
        })
    }

    fn whole(&self) -> Self {
        self.clone()
    }

    fn share(&self, share: f64) -> Self {
        Self {
            bounds: Arc::clone(&self.bounds),
            counts: self.counts.iter().map(|count| count * share).collect(),
            count: self.count * share,
            sum: self.sum.map(|sum| sum * share),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(bounds: &[f64], counts: &[u64]) -> Explicit {
        let counts: Vec<f64> = counts.iter().map(|count| *count as f64).collect();
        Explicit { bounds: bounds.into(), count: counts.iter().sum(), counts, ..Explicit::default() }
    }

    #[test]
    fn quantiles_lie_where_their_rank_says() {
        for (what, histogram, q, wanted) in [
            ("linear within a bucket", histogram(&[1.0, 2.0, 4.0], &[0, 10, 10, 0]), 0.75, Some(3.0)),
            ("the first one begins at 0", histogram(&[10.0, 20.0], &[10, 0, 0]), 0.5, Some(5.0)),
            ("or is its bound", histogram(&[-10.0, 20.0], &[10, 0, 0]), 0.5, Some(-10.0)),
            ("the last one is the greatest bound", histogram(&[10.0, 20.0], &[0, 0, 7]), 0.5, Some(20.0)),
            ("a last bound that is infinite is none", histogram(&[10.0, f64::INFINITY], &[0, 7, 0]), 0.5, Some(10.0)),
            ("the rank at the end of a bucket", histogram(&[1.0, 2.0, 4.0], &[5, 5, 0, 0]), 0.5, Some(1.0)),
            ("empty buckets are passed over", histogram(&[1.0, 2.0, 4.0], &[0, 0, 4, 0]), 0.0, Some(2.0)),
            ("all of it", histogram(&[1.0, 2.0, 4.0], &[1, 1, 1, 0]), 1.0, Some(4.0)),
            ("nothing", histogram(&[1.0], &[0, 0]), 0.5, None),
            ("no buckets", histogram(&[], &[7]), 0.5, None),
            ("no share", histogram(&[1.0], &[1, 0]), 1.5, None),
        ] {
            assert_eq!(histogram.quantile(q), wanted, "{what}");
        }
        let known = Explicit { min: Some(3.0), max: Some(3.5), ..histogram(&[1.0, 2.0, 4.0], &[0, 0, 4, 0]) };
        assert_eq!([0.0, 0.6, 1.0].map(|q| known.quantile(q)), [Some(3.0), Some(3.2), Some(3.5)]);
    }

    #[test]
    fn what_is_less_began_anew_and_other_bounds_do_not_compare() {
        let before = histogram(&[1.0, 2.0], &[4, 4, 4]);
        let now = Explicit { sum: Some(9.0), min: Some(0.5), ..histogram(&[1.0, 2.0], &[5, 4, 6]) };
        let Since::Grew(grown) = now.since(&before) else { panic!("it grew") };
        assert_eq!((grown.counts, grown.count, grown.sum, grown.min), (vec![1.0, 0.0, 2.0], 3.0, None, None));
        assert_eq!(histogram(&[1.0, 2.0], &[3, 9, 9]).since(&before), Since::Fell, "one bucket is less");
        let fewer = Explicit { count: 11.0, ..before.clone() };
        assert_eq!(fewer.since(&before), Since::Fell, "the count is less");
        assert_eq!(histogram(&[1.0, 3.0], &[5, 5, 5]).since(&before), Since::Unlike);
        assert_eq!(histogram(&[1.0], &[5, 5]).since(&before), Since::Unlike);
        let mut sum = before.clone();
        assert!(!sum.add(&histogram(&[1.0, 3.0], &[5, 5, 5])) && sum == before);
        assert!(sum.add(&before) && sum.counts == [8.0, 8.0, 8.0] && sum.count == 24.0);
    }

    proptest! {
        /// A quantile lies in the bucket in which the value of that rank is, and grows with the share.
        #[test]
        fn a_quantile_is_as_near_as_its_bucket(mut values in proptest::collection::vec(0.01f64..100.0, 1..200), q in 0.0f64..1.0) {
            let bounds = [1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0];
            let mut counts = [0u64; 8];
            values.iter().for_each(|value| counts[bounds.partition_point(|bound| bound < value)] += 1);
            values.sort_by(f64::total_cmp);
            let histogram = histogram(&bounds, &counts);
            let found = histogram.quantile(q).unwrap();
            let exact = values[((q * values.len() as f64).ceil() as usize).max(1) - 1];
            let bucket = bounds.partition_point(|bound| *bound < exact);
            let lower = if bucket == 0 { 0.0 } else { bounds[bucket - 1] };
            prop_assert!(lower <= found && found <= bounds[bucket], "{found} for {exact}");
            prop_assert!(histogram.quantile((q + 0.1).min(1.0)).unwrap() >= found);
        }

        /// Parts of a histogram make the whole again.
        #[test]
        fn shares_add_up(counts in proptest::collection::vec(0u64..1000, 4), share in 0.0f64..1.0) {
            let whole = histogram(&[1.0, 2.0, 3.0], &counts);
            let mut sum = whole.share(share);
            prop_assert!(sum.add(&whole.share(1.0 - share)));
            prop_assert!((sum.count - whole.count).abs() < 1e-6);
            for (a, b) in sum.counts.iter().zip(&whole.counts) {
                prop_assert!((a - b).abs() < 1e-6);
            }
        }
    }
}
