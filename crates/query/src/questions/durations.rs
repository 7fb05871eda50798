//! Percentiles of durations: exact while there are few enough, from a histogram beyond that.

/// So many durations are kept one by one.
const EXACT: usize = 1_000_000;
/// A bucket of the histogram ends at 2^(1/8) times its beginning: 2^-3 is what a scale of 3 means.
const SCALE: usize = 8;
/// All buckets of positive numbers, and the first one.
const BUCKETS: usize = 63 * SCALE + 2;

/// Durations in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    exact: Vec<i64>,
    /// How many are in each bucket, where there were too many to keep; those of 0 and less are in the first one.
    buckets: Vec<u64>,
}

/// Where the buckets from 2^63 to 2^64 end: 2^(63 + n / 8).
const ENDS: [u64; SCALE] = [
    0x8000_0000_0000_0000,
    0x8b95_c1e3_ea8b_d6e6,
    0x9837_f051_8db8_a96f,
    0xa5fe_d6a9_b151_38ea,
    0xb504_f333_f9de_6484,
    0xc567_2a11_5506_dadd,
    0xd744_fcca_d69d_6af4,
    0xeac0_c6e7_dd24_392e,
];

/// Bucket n + 1 has what is above 2^((n - 1) / 8), up to 2^(n / 8).
fn bucket(duration: i64) -> usize {
    let Some(zeros) = u64::try_from(duration).ok().filter(|duration| *duration > 0).map(u64::leading_zeros) else {
        return 0;
    };
    let scaled = duration.cast_unsigned() << zeros;
    (63 - zeros as usize) * SCALE + 1 + ENDS.iter().filter(|end| scaled > **end).count()
}

/// The middle of a bucket.
fn middle(bucket: usize) -> i64 {
    match bucket {
        0 => 0,
        _ => ((bucket as f64 - 1.5) / SCALE as f64).exp2() as i64,
    }
}

impl Durations {
    /// One more.
    pub fn add(&mut self, duration: i64) {
        match self.buckets.is_empty() {
            true => {
                self.exact.push(duration);
                self.bound();
            }
            false => self.buckets[bucket(duration)] += 1,
        }
    }

    /// All of `other` as well.
    pub fn merge(&mut self, other: Self) {
        if self.buckets.is_empty() && other.buckets.is_empty() {
            self.exact.extend(other.exact);
        } else {
            self.spread();
            other.exact.iter().for_each(|duration| self.buckets[bucket(*duration)] += 1);
            self.buckets.iter_mut().zip(other.buckets).for_each(|(all, count)| *all += count);
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.exact.len() > EXACT {
            self.spread();
        }
    }

    fn spread(&mut self) {
        self.buckets.resize(BUCKETS, 0);
        for duration in std::mem::take(&mut self.exact) {
            self.buckets[bucket(duration)] += 1;
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.exact.len() as u64 + self.buckets.iter().sum::<u64>()
    }

    /// Whether the percentiles are exact.
    pub fn is_exact(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Bytes it takes.
    pub(super) fn memory(&self) -> usize {
        self.exact.capacity() * 8 + self.buckets.len() * 8
    }

    /// For each of `shares`, 0 to 1: the least duration that so many do not exceed. In a bucket its middle, which is at most
    /// 4.5 % off. `None` of nothing.
    pub fn percentiles<const N: usize>(&mut self, shares: [f64; N]) -> Option<[i64; N]> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        Some(shares.map(|share| {
            let rank = ((share * count as f64).ceil() as u64).clamp(1, count);
            if self.buckets.is_empty() {
                return *self.exact.select_nth_unstable(rank as usize - 1).1;
            }
            let mut below = 0;
            let found = self.buckets.iter().position(|count| {
                below += count;
                below >= rank
            });
            found.map_or(0, middle)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_exact_and_many_are_near() {
        let mut few = Durations::default();
        (1..=100).rev().for_each(|duration| few.add(duration));
        assert_eq!(few.percentiles([0.5, 0.95, 0.99, 0.0, 1.0]), Some([50, 95, 99, 1, 100]));
        assert!(few.is_exact());
        let mut many = Durations::default();
        for at in 0..EXACT as i64 + 10 {
            many.add(1_000 + at);
        }
        assert!(!many.is_exact());
        let mut rest = few.clone();
        rest.merge(many);
        assert_eq!(rest.count(), EXACT as u64 + 110);
        let [p50, p99] = rest.percentiles([0.5, 0.99]).unwrap_or_default();
        for (found, exact) in [(p50, 501_000.0), (p99, 991_000.0)] {
            let off = (found as f64 / exact - 1.0).abs();
            assert!(off < 0.045, "{found} for {exact}");
        }
        assert_eq!(Durations::default().percentiles([0.5]), None);
    }

    #[test]
    fn buckets_end_where_a_scale_of_3_says() {
        for (number, end) in (0..SCALE).map(|number| (number, ENDS[number])) {
            let exact = (63.0 + number as f64 / SCALE as f64).exp2();
            assert!((end as f64 / exact - 1.0).abs() < 1e-15, "{number}");
        }
        for (duration, wanted) in [(i64::MIN, 0), (0, 0), (1, 1), (2, 9), (3, 14), (4, 17), (5, 20), (1 << 62, 497)] {
            assert_eq!(bucket(duration), wanted, "{duration}");
        }
        assert!(bucket(i64::MAX) < BUCKETS);
        for duration in (1..100_000).chain((0..63).map(|bit| 1 << bit)) {
            let off = (middle(bucket(duration)) as f64 - duration as f64).abs() / duration as f64;
            assert!(off < 0.045 || duration < 1_000, "{duration}: {off}");
        }
    }

    #[test]
    fn what_took_no_time_or_less_is_in_the_first_bucket() {
        let mut durations = Durations::default();
        (0..EXACT as i64 + 1).for_each(|at| durations.add(if at % 2 == 0 { -5 } else { 1 << 40 }));
        let [low, high] = durations.percentiles([0.1, 0.9]).unwrap_or_default();
        assert_eq!(low, 0);
        assert!((high as f64 / (1u64 << 40) as f64 - 1.0).abs() < 0.045);
    }
}
