//! Percentiles of durations: exact while there are few enough, from a histogram beyond that.

use std::collections::BTreeMap;

/// So many durations are kept one by one.
const EXACT: usize = 1_000_000;
/// A bucket of the histogram ends at 2^(1/8) times its beginning: 2^-3 is what a scale of 3 means.
const SCALE: f64 = 8.0;

/// Durations in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    exact: Vec<i64>,
    /// How many are in each bucket, where there were too many to keep; those of 0 and less are in the first one.
    buckets: BTreeMap<i32, u64>,
}

/// Of the first bucket: nothing at all, or less.
const NOTHING: i32 = i32::MIN;

fn bucket(duration: i64) -> i32 {
    if duration <= 0 {
        return NOTHING;
    }
    ((duration as f64).log2() * SCALE).ceil() as i32
}

impl Durations {
    /// One more.
    pub fn add(&mut self, duration: i64) {
        match self.buckets.is_empty() {
            true => self.exact.push(duration),
            false => *self.buckets.entry(bucket(duration)).or_default() += 1,
        }
        self.bound();
    }

    /// All of `other` as well.
    pub fn merge(&mut self, other: Self) {
        if self.buckets.is_empty() && other.buckets.is_empty() {
            self.exact.extend(other.exact);
        } else {
            self.spread();
            other.exact.iter().for_each(|duration| *self.buckets.entry(bucket(*duration)).or_default() += 1);
            other.buckets.into_iter().for_each(|(bucket, count)| *self.buckets.entry(bucket).or_default() += count);
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.exact.len() > EXACT {
            self.spread();
        }
    }

    fn spread(&mut self) {
        for duration in std::mem::take(&mut self.exact) {
            *self.buckets.entry(bucket(duration)).or_default() += 1;
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.exact.len() as u64 + self.buckets.values().sum::<u64>()
    }

    /// Whether the percentiles are exact.
    pub fn is_exact(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Bytes it takes.
    pub(super) fn memory(&self) -> usize {
        self.exact.capacity() * 8 + self.buckets.len() * 32
    }

    /// For each of `shares`, 0 to 1: the least duration that so many do not exceed. In a bucket its middle, which is at most
    /// 4.5 % off. `None` of nothing.
    pub fn percentiles<const N: usize>(&mut self, shares: [f64; N]) -> Option<[i64; N]> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        self.exact.sort_unstable();
        let rank = |share: f64| ((share * count as f64).ceil() as u64).clamp(1, count);
        Some(shares.map(|share| {
            let rank = rank(share);
            if self.buckets.is_empty() {
                return self.exact[rank as usize - 1];
            }
            let mut below = 0;
            let found = self.buckets.iter().find(|(_, count)| {
                below += **count;
                below >= rank
            });
            match found {
                Some((bucket, _)) if *bucket != NOTHING => ((f64::from(*bucket) - 0.5) / SCALE).exp2() as i64,
                _ => 0,
            }
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
    fn what_took_no_time_or_less_is_in_the_first_bucket() {
        let mut durations = Durations::default();
        (0..EXACT as i64 + 1).for_each(|at| durations.add(if at % 2 == 0 { -5 } else { 1 << 40 }));
        let [low, high] = durations.percentiles([0.1, 0.9]).unwrap_or_default();
        assert_eq!(low, 0);
        assert!((high as f64 / (1u64 << 40) as f64 - 1.0).abs() < 0.045);
    }
}
