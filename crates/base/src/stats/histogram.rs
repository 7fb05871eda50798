//! A histogram of seconds with fixed bounds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::metric::Metric;
use super::snapshot::{Snapshot, Value};

/// Upper bounds in microseconds; one more bucket takes everything above.
const BOUNDS: [u64; 11] = [100, 500, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000, 10_000_000];

/// Counts durations.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    sum_nanos: AtomicU64,
}

impl Histogram {
    pub(super) fn record(&self, elapsed: Duration) {
        let micros = elapsed.as_micros() as u64;
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_nanos.fetch_add(elapsed.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn value(&self) -> Value {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6).chain(std::iter::once(f64::INFINITY));
        let buckets = bounds
            .zip(&self.buckets)
            .map(|(bound, bucket)| {
                count += bucket.load(Ordering::Relaxed);
                (bound, count)
            })
            .collect();
        Value::Histogram { count, sum: self.sum_nanos.load(Ordering::Relaxed) as f64 / 1e9, buckets }
    }
}

impl Snapshot {
    pub(super) fn histogram(&mut self, metric: Metric, labels: &[(&'static str, &str)], histogram: &Histogram) {
        self.push(metric, labels, histogram.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_under_the_first_bound_that_holds_it() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_micros(100));
        histogram.record(Duration::from_micros(101));
        histogram.record(Duration::from_secs(60));
        let Value::Histogram { count, sum, buckets } = histogram.value() else { panic!("a histogram") };
        assert_eq!(count, 3);
        assert!((sum - 60.000201).abs() < 1e-9, "{sum}");
        assert_eq!(buckets[..2], [(0.0001, 1), (0.0005, 2)]);
        assert_eq!(buckets[10..], [(10.0, 2), (f64::INFINITY, 3)]);
    }
}
