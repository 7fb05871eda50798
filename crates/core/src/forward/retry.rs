//! How long to wait before the next attempt: exponential, jittered, never less than the remote asked for.

use std::time::Duration;

use super::breaker::next_unit;
use crate::config::Retry;

/// The longest wait that a destination may ask for: one that names centuries is not to be believed.
const MOST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// The waiting times of one request's attempts. Pure: randomness comes from a seed, time is the caller's.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    settings: Retry,
    next: Duration,
    random: u64,
}

impl Schedule {
    /// A fresh schedule; `seed` makes the jitter reproducible.
    pub(super) fn new(settings: &Retry, seed: u64) -> Self {
        Self { settings: settings.clone(), next: settings.initial, random: seed | 1 }
    }

    /// The time to wait after a failed attempt. `asked` is what RetryInfo or Retry-After said: the wait is at least that
    /// long, or a day, and later waits grow from it (OTLP specification, throttling). Without it no wait is longer than the
    /// longest of the settings.
    pub(super) fn after_failure(&mut self, asked: Option<Duration>) -> Duration {
        let asked = asked.map(|asked| asked.min(MOST_ASKED));
        let base = self.next.max(asked.unwrap_or_default());
        self.next = base.mul_f64(self.settings.multiplier.max(1.0)).min(self.settings.max.max(base));
        let random = next_unit(&mut self.random);
        match asked {
            Some(asked) => asked.max(base) + base.mul_f64(0.5 * random),
            None => {
                let least = base.mul_f64(0.75);
                let most = base.mul_f64(1.25).min(base.max(self.longest()));
                least + (most - least).mul_f64(random)
            }
        }
    }

    /// Up to a fifth less than `wait`, so that many programs do not ask in step.
    pub(super) fn spread(&mut self, wait: Duration) -> Duration {
        wait.mul_f64(1.0 - 0.2 * next_unit(&mut self.random))
    }

    /// The longest wait that nobody asked for.
    pub(super) fn longest(&self) -> Duration {
        self.settings.max.max(self.settings.initial)
    }

    /// An attempt succeeded: the next failure starts from the beginning.
    pub(super) fn reset(&mut self) {
        self.next = self.settings.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(seed: u64) -> Schedule {
        let settings = Retry { initial: Duration::from_secs(1), max: Duration::from_secs(30), multiplier: 2.0 };
        Schedule::new(&settings, seed)
    }

    #[test]
    fn grows_to_the_longest_wait_within_its_jitter() {
        for seed in 0..200 {
            let mut schedule = schedule(seed);
            for base in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
                let (wait, most) = (schedule.after_failure(None).as_secs_f64(), f64::min(base * 1.25, 30.0));
                assert!((base * 0.75..=most).contains(&wait), "{wait} for {base}");
            }
        }
    }

    #[test]
    fn differs_from_seed_to_seed() {
        let waits: std::collections::HashSet<_> =
            (0..50).map(|seed| schedule(seed * 7919 + 1).after_failure(None)).collect();
        assert!(waits.len() > 40);
    }

    #[test]
    fn waits_at_least_as_long_as_asked_and_grows_from_there() {
        let mut schedule = schedule(3);
        let asked = Duration::from_secs(20);
        assert!(schedule.after_failure(Some(asked)) >= asked);
        assert!(schedule.after_failure(None) >= Duration::from_secs(22), "grows from what was asked");
        schedule.reset();
        assert!(schedule.after_failure(None) <= Duration::from_millis(1250));
    }

    #[test]
    fn nobody_makes_it_wait_for_ever() {
        for asked in [Duration::MAX, Duration::from_secs(u64::MAX / 2), Duration::from_secs(1 << 40)] {
            let mut schedule = schedule(5);
            for _ in 0..3 {
                let wait = schedule.after_failure(Some(asked));
                assert!((MOST_ASKED..=MOST_ASKED * 2).contains(&wait), "{wait:?} for {asked:?}");
            }
        }
    }
}
