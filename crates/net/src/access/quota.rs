//! What one credential may do at a time and a second. Over it a request is refused with how long to wait; nothing is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use otlp_arrow_base::lock::lock;

/// How long one may have been silent and then send all of it at once.
const BURST: Duration = Duration::from_secs(10);
/// The shortest wait that is asked for: a second, as `Retry-After` counts.
const SHORTEST: Duration = Duration::from_secs(1);

/// What one credential may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests at a time.
    pub in_flight: Option<usize>,
    /// Bytes of bodies a second, as they come in.
    pub bytes_per_second: Option<u64>,
    /// Records a second.
    pub records_per_second: Option<u64>,
}

/// One limit that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Its key below `limits`.
    pub limit: &'static str,
    /// When there is room again, as far as that can be known.
    pub wait: Duration,
}

/// How much of the limits of one credential is used.
#[derive(Debug)]
pub struct Quota {
    limits: Limits,
    running: Arc<AtomicUsize>,
    bytes: Option<Bucket>,
    records: Option<Bucket>,
}

/// A request that runs; the next may come when it is dropped.
#[derive(Debug)]
pub struct Running(Option<Arc<AtomicUsize>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(running) = &self.0 {
            running.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Quota {
    /// Nothing of `limits` is used yet.
    pub fn new(limits: Limits, now: Instant) -> Self {
        let bucket = |rate: Option<u64>| rate.map(|rate| Bucket::new(rate, now));
        let (bytes, records) = (bucket(limits.bytes_per_second), bucket(limits.records_per_second));
        Self { limits, running: Arc::default(), bytes, records }
    }

    /// What they are: where a reload leaves them, what is used stays used.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Begins a request.
    ///
    /// # Errors
    /// As many run as may.
    pub fn begin(&self) -> Result<Running, Over> {
        let Some(most) = self.limits.in_flight else { return Ok(Running(None)) };
        let one_more = |running: usize| (running < most).then_some(running + 1);
        match self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more) {
            Ok(_) => Ok(Running(Some(Arc::clone(&self.running)))),
            Err(_) => Err(Over { limit: "in_flight", wait: SHORTEST }),
        }
    }

    /// Takes room for a body.
    ///
    /// # Errors
    /// There is none yet.
    pub fn take_bytes(&self, bytes: u64, now: Instant) -> Result<(), Over> {
        self.bytes.as_ref().map_or(Ok(()), |bucket| bucket.take(bytes, now, "bytes_per_second"))
    }

    /// Takes room for records, all of a request's or none.
    ///
    /// # Errors
    /// There is none yet.
    pub fn take_records(&self, records: u64, now: Instant) -> Result<(), Over> {
        self.records.as_ref().map_or(Ok(()), |bucket| bucket.take(records, now, "records_per_second"))
    }
}

/// A token bucket. What is larger than it waits until it is full and leaves a debt: the mean holds, and nothing is refused forever.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Bucket {
    fn new(per_second: u64, now: Instant) -> Self {
        let per_second = per_second.max(1) as f64;
        Self { per_second, state: Mutex::new((per_second * BURST.as_secs_f64(), now)) }
    }

    fn take(&self, amount: u64, now: Instant, limit: &'static str) -> Result<(), Over> {
        let full = self.per_second * BURST.as_secs_f64();
        let mut state = lock(&self.state);
        let (level, since) = *state;
        let came = now.saturating_duration_since(since).as_secs_f64() * self.per_second;
        let level = (level + came).min(full);
        *state = (level, since.max(now));
        let needed = (amount as f64).min(full);
        if level >= needed {
            state.0 = level - amount as f64;
            return Ok(());
        }
        let wait = Duration::try_from_secs_f64((needed - level) / self.per_second).unwrap_or(Duration::MAX);
        Err(Over { limit, wait: wait.max(SHORTEST) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn quota(limits: Limits) -> (ManualClock, Quota) {
        let clock = ManualClock::new();
        let quota = Quota::new(limits, clock.clock().now());
        (clock, quota)
    }

    #[test]
    fn ten_seconds_may_come_at_once_and_then_the_mean_holds() {
        let (clock, quota) = quota(Limits { bytes_per_second: Some(100), ..Limits::default() });
        let take = |bytes| quota.take_bytes(bytes, clock.clock().now());
        assert_eq!((take(400), take(600)), (Ok(()), Ok(())));
        let over = |wait| Err(Over { limit: "bytes_per_second", wait });
        assert_eq!(take(300), over(3 * S));
        clock.advance(2 * S);
        assert_eq!(take(300), over(S), "what was refused took nothing");
        clock.advance(S);
        assert_eq!((take(300), take(1)), (Ok(()), over(S)));
        clock.advance(1000 * S);
        assert_eq!((take(1000), take(1)), (Ok(()), over(S)), "no more than ten seconds are saved up");
    }

    #[test]
    fn in_a_minute_no_more_comes_in_than_a_minute_and_a_burst_have() {
        let (clock, quota) = quota(Limits { records_per_second: Some(1000), ..Limits::default() });
        let mut kept = 0;
        for _ in 0..6000 {
            clock.advance(Duration::from_millis(10));
            kept += u64::from(quota.take_records(70, clock.clock().now()).is_ok()) * 70;
        }
        assert!((69_900..=70_000).contains(&kept), "{kept}");
    }

    #[test]
    fn what_is_larger_than_the_burst_comes_in_when_nothing_else_did_and_is_paid_for() {
        let (clock, quota) = quota(Limits { records_per_second: Some(10), ..Limits::default() });
        let take = |records| quota.take_records(records, clock.clock().now());
        assert_eq!(take(250), Ok(()));
        assert_eq!(take(1), Err(Over { limit: "records_per_second", wait: Duration::from_secs_f64(15.1) }));
        clock.advance(15 * S);
        assert_eq!(take(250), Err(Over { limit: "records_per_second", wait: 10 * S }));
        clock.advance(10 * S);
        assert_eq!((take(250), take(0)), (Ok(()), Err(Over { limit: "records_per_second", wait: 15 * S })));
    }

    #[test]
    fn requests_at_a_time_end_whatever_becomes_of_them() {
        let (_, quota) = quota(Limits { in_flight: Some(2), ..Limits::default() });
        let (one, _two) = (quota.begin().unwrap(), quota.begin().unwrap());
        assert_eq!(quota.begin().unwrap_err(), Over { limit: "in_flight", wait: S });
        drop(one);
        let three = quota.begin().unwrap();
        assert!(quota.begin().is_err());
        drop(
            std::thread::spawn(move || {
                let _three = three;
                std::panic::resume_unwind(Box::new(()))
            })
            .join(),
        );
        assert!(quota.begin().is_ok());
    }

    #[test]
    fn who_has_no_limits_is_not_counted() {
        let (clock, quota) = quota(Limits::default());
        let running: Vec<_> = (0..1000).map(|_| quota.begin().unwrap()).collect();
        assert_eq!(quota.take_bytes(u64::MAX, clock.clock().now()), Ok(()));
        assert_eq!(quota.take_records(u64::MAX, clock.clock().now()), Ok(()));
        drop(running);
        assert_eq!(quota.running.load(Ordering::Acquire), 0);
    }
}
