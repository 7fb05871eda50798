//! The circuit breaker: a pure state machine with the clock passed in.
//!
//! Invariants, each held by a property test: while open nothing may be sent; while half-open exactly one probe is on
//! its way; an answer to a request that was sent before the breaker opened never closes it.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::config::{Breaker as BreakerSettings, BreakerConfig};
pub(super) use crate::stats::BreakerState;

/// Decides from the outcomes of requests when a closed breaker opens.
///
/// Only failures of the destination or of the way there are reported; refused data is not.
pub(super) trait BreakerStrategy: fmt::Debug + Send {
    /// One request was answered. Returns whether the breaker should open now.
    fn record(&mut self, success: bool, now: Instant) -> bool;

    /// Forgets everything: the breaker has closed.
    fn reset(&mut self);
}

/// Opens after so many failures in a row.
#[derive(Debug)]
pub(super) struct ConsecutiveFailures {
    limit: u32,
    failures: u32,
}

impl ConsecutiveFailures {
    /// Opens at the `limit`-th failure in a row.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, failures: 0 }
    }
}

impl BreakerStrategy for ConsecutiveFailures {
    fn record(&mut self, success: bool, _now: Instant) -> bool {
        self.failures = if success { 0 } else { self.failures.saturating_add(1) };
        self.failures >= self.limit
    }

    fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Opens when failures reach a share of the requests within a sliding window.
#[derive(Debug)]
pub(super) struct FailureRate {
    rate: f64,
    minimum: usize,
    window: Duration,
    outcomes: VecDeque<(Instant, bool)>,
    failures: usize,
}

impl FailureRate {
    /// More outcomes than this within one window are sampled by dropping the oldest: memory stays bounded.
    const MOST: usize = 4096;

    /// Opens when at least `minimum` requests were answered within `window` and the share `rate` (0 to 1) of them failed.
    pub(super) fn new(rate: f64, minimum: u32, window: Duration) -> Self {
        Self { rate, minimum: minimum as usize, window, outcomes: VecDeque::new(), failures: 0 }
    }

    fn drop_oldest(&mut self) {
        if let Some((_, success)) = self.outcomes.pop_front() {
            self.failures -= usize::from(!success);
        }
    }
}

impl BreakerStrategy for FailureRate {
    fn record(&mut self, success: bool, now: Instant) -> bool {
        while self.outcomes.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > self.window) {
            self.drop_oldest();
        }
        if self.outcomes.len() == Self::MOST {
            self.drop_oldest();
        }
        self.outcomes.push_back((now, success));
        self.failures += usize::from(!success);
        self.outcomes.len() >= self.minimum && self.failures as f64 >= self.rate * self.outcomes.len() as f64
    }

    fn reset(&mut self) {
        self.outcomes.clear();
        self.failures = 0;
    }
}

/// The strategy a configuration names.
pub(super) fn strategy(config: &BreakerConfig) -> Box<dyn BreakerStrategy> {
    match *config {
        BreakerConfig::ConsecutiveFailures { failures } => Box::new(ConsecutiveFailures::new(failures)),
        BreakerConfig::FailureRate { rate, minimum, window } => Box::new(FailureRate::new(rate, minimum, window)),
    }
}

/// Permission to send one request. Its answer is reported with it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "report the answer with Breaker::report, or give it back with Breaker::cancel"]
pub(super) struct Permit {
    epoch: u64,
    probe: bool,
}

impl Permit {
    /// Whether this is the one request a half-open breaker lets through: send the oldest waiting data with it.
    #[cfg(test)]
    pub(super) fn is_probe(&self) -> bool {
        self.probe
    }
}

/// How a request ended, as far as the breaker is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The destination answered: also when it refused this data for good.
    Answered,
    /// It did not answer, or asked to come back later.
    Failed,
    /// It refuses everything: credentials, address or protocol. Opens at once.
    Blocked,
}

/// A change of state, for events and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// Now open, for so long.
    Opened(Duration),
    /// Now half-open.
    HalfOpened,
    /// Now closed.
    Closed,
}

/// One destination's circuit breaker.
#[derive(Debug)]
pub(super) struct Breaker {
    strategy: Box<dyn BreakerStrategy>,
    open: Duration,
    max_open: Duration,
    state: BreakerState,
    /// Grows with each transition, so that late answers to older permits are told apart.
    epoch: u64,
    open_until: Instant,
    openings: u32,
    probe_out: bool,
    random: u64,
}

impl Breaker {
    /// A closed breaker. `seed` makes the jitter of open times reproducible.
    pub(super) fn new(settings: &BreakerSettings, now: Instant, seed: u64) -> Self {
        Self::with_strategy(strategy(&settings.strategy), settings.open, settings.max_open, now, seed)
    }

    /// A closed breaker with a strategy of the caller's.
    pub(super) fn with_strategy(
        strategy: Box<dyn BreakerStrategy>,
        open: Duration,
        max_open: Duration,
        now: Instant,
        seed: u64,
    ) -> Self {
        Self {
            strategy,
            open,
            max_open,
            state: BreakerState::Closed,
            epoch: 0,
            open_until: now,
            openings: 0,
            probe_out: false,
            random: seed | 1,
        }
    }

    /// Where it stands.
    pub(super) fn state(&self) -> BreakerState {
        self.state
    }

    /// The longest open time of the settings.
    pub(super) fn longest(&self) -> Duration {
        self.max_open
    }

    /// When asking again makes sense: the end of the open time; `None` when it is not open.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        (self.state == BreakerState::Open).then_some(self.open_until)
    }

    /// Whether its one probe is on its way: until it is answered nothing else may be sent.
    pub(super) fn awaits_probe(&self) -> bool {
        self.state == BreakerState::HalfOpen && self.probe_out
    }

    /// Asks to send one request now.
    pub(super) fn acquire(&mut self, now: Instant) -> (Option<Permit>, Option<Transition>) {
        let mut transition = None;
        if self.state == BreakerState::Open && now >= self.open_until {
            self.enter(BreakerState::HalfOpen);
            transition = Some(Transition::HalfOpened);
        }
        let permit = match self.state {
            BreakerState::Closed => Some(Permit { epoch: self.epoch, probe: false }),
            BreakerState::HalfOpen if !self.probe_out => {
                self.probe_out = true;
                Some(Permit { epoch: self.epoch, probe: true })
            }
            BreakerState::HalfOpen | BreakerState::Open => None,
        };
        (permit, transition)
    }

    /// Gives a permit back unused.
    pub(super) fn cancel(&mut self, permit: Permit) {
        if permit.epoch == self.epoch && permit.probe {
            self.probe_out = false;
        }
    }

    /// Reports how the request of `permit` ended. `most` is the longest it may stay open for now, beside its own longest
    /// time; one that is blocked opens for `blocked`.
    pub(super) fn report(
        &mut self,
        permit: Permit,
        outcome: Outcome,
        most: Option<Duration>,
        blocked: impl FnOnce() -> Duration,
        now: Instant,
    ) -> Option<Transition> {
        if permit.epoch != self.epoch {
            return None;
        }
        match (outcome, self.state) {
            (Outcome::Blocked, _) => Some(self.enter_open(blocked(), now)),
            (Outcome::Failed, BreakerState::HalfOpen) => Some(self.trip(most, now)),
            (Outcome::Answered, BreakerState::HalfOpen) => {
                self.openings = 0;
                self.strategy.reset();
                self.enter(BreakerState::Closed);
                Some(Transition::Closed)
            }
            (_, BreakerState::Closed) => {
                self.strategy.record(outcome == Outcome::Answered, now).then(|| self.trip(most, now))
            }
            (_, BreakerState::Open) => None,
        }
    }

    /// Ends an open time early: the next request is a probe.
    pub(super) fn release(&mut self, now: Instant) {
        self.open_until = now;
    }

    fn trip(&mut self, most: Option<Duration>, now: Instant) -> Transition {
        let doubled = self.open.saturating_mul(1_u32.checked_shl(self.openings).unwrap_or(u32::MAX));
        let base = doubled.min(self.max_open).min(most.unwrap_or(Duration::MAX));
        self.openings = self.openings.saturating_add(1);
        // Up to a fifth less, so that many programs do not probe a recovering remote in step.
        let time = base - base.mul_f64(0.2 * self.next_random());
        self.enter_open(time, now)
    }

    fn enter_open(&mut self, time: Duration, now: Instant) -> Transition {
        self.open_until = now.checked_add(time).unwrap_or(now);
        self.strategy.reset();
        self.enter(BreakerState::Open);
        Transition::Opened(time)
    }

    fn enter(&mut self, state: BreakerState) {
        self.state = state;
        self.epoch += 1;
        self.probe_out = false;
    }

    fn next_random(&mut self) -> f64 {
        next_unit(&mut self.random)
    }
}

/// A number in 0..1 from a xorshift generator: jitter needs no more than that.
pub(super) fn next_unit(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker(now: Instant) -> Breaker {
        Breaker::with_strategy(Box::new(ConsecutiveFailures::new(3)), 5 * SECOND, 60 * SECOND, now, 7)
    }

    fn send(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> Option<Transition> {
        let (permit, _) = breaker.acquire(now);
        report(breaker, permit.unwrap(), outcome, now)
    }

    fn report(breaker: &mut Breaker, permit: Permit, outcome: Outcome, now: Instant) -> Option<Transition> {
        breaker.report(permit, outcome, None, || 9 * SECOND, now)
    }

    #[test]
    fn opens_after_failures_in_a_row_and_closes_after_one_good_probe() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        assert_eq!(send(&mut breaker, Outcome::Failed, now), None);
        assert_eq!(send(&mut breaker, Outcome::Failed, now), None);
        assert_eq!(send(&mut breaker, Outcome::Answered, now), None, "a success starts the count again");
        for _ in 0..2 {
            assert_eq!(send(&mut breaker, Outcome::Failed, now), None);
        }
        let Some(Transition::Opened(time)) = send(&mut breaker, Outcome::Failed, now) else { panic!("not opened") };
        assert!(time > 4 * SECOND - Duration::from_millis(1) && time <= 5 * SECOND);
        assert_eq!(breaker.acquire(now).0, None);
        let later = now + time;
        let (probe, transition) = breaker.acquire(later);
        assert_eq!(transition, Some(Transition::HalfOpened));
        assert!(probe.as_ref().unwrap().is_probe());
        assert_eq!(breaker.acquire(later).0, None, "one probe only");
        assert_eq!(report(&mut breaker, probe.unwrap(), Outcome::Answered, later), Some(Transition::Closed));
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn open_time_doubles_up_to_the_longest() {
        let mut now = Instant::now();
        let mut breaker = breaker(now);
        for _ in 0..2 {
            let _ = send(&mut breaker, Outcome::Failed, now);
        }
        for base in [5, 10, 20, 40, 60, 60] {
            let Some(Transition::Opened(time)) = send(&mut breaker, Outcome::Failed, now) else { panic!("not opened") };
            assert!(time <= base * SECOND && time >= base * SECOND * 4 / 5, "{time:?} for {base}");
            now += time;
        }
    }

    #[test]
    fn blocked_opens_at_once_for_as_long_as_it_is_told() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        assert_eq!(send(&mut breaker, Outcome::Blocked, now), Some(Transition::Opened(9 * SECOND)));
        assert_eq!(breaker.acquire(now + 8 * SECOND).0, None);
        assert!(breaker.acquire(now + 9 * SECOND).0.unwrap().is_probe());
    }

    #[test]
    fn open_time_stays_below_what_is_the_most_for_now() {
        let mut now = Instant::now();
        let mut breaker = breaker(now);
        for _ in 0..2 {
            let _ = send(&mut breaker, Outcome::Failed, now);
        }
        for (most, base) in [(7, 5), (7, 7), (7, 7), (50, 40), (50, 50)] {
            let permit = breaker.acquire(now).0.unwrap();
            let opened = breaker.report(permit, Outcome::Failed, Some(most * SECOND), || SECOND, now);
            let Some(Transition::Opened(time)) = opened else { panic!("not opened") };
            assert!(time <= base * SECOND && time >= base * SECOND * 4 / 5, "{time:?} for {base}");
            now += time;
        }
    }

    #[test]
    fn answers_to_older_requests_do_not_close_it() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        let (old, _) = breaker.acquire(now);
        for _ in 0..3 {
            let _ = send(&mut breaker, Outcome::Failed, now);
        }
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(report(&mut breaker, old.unwrap(), Outcome::Answered, now), None);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn failure_rate_counts_only_its_window() {
        let now = Instant::now();
        let mut rate = FailureRate::new(0.5, 4, 10 * SECOND);
        assert!(!rate.record(false, now));
        assert!(!rate.record(false, now));
        assert!(!rate.record(false, now), "below the minimum");
        assert!(rate.record(true, now), "3 of 4 failed");
        let later = now + 11 * SECOND;
        for _ in 0..4 {
            assert!(!rate.record(true, later), "the failures are out of the window");
        }
        assert!(!rate.record(false, later));
    }

    #[test]
    fn open_until_released() {
        let now = Instant::now();
        let mut breaker = breaker(now);
        let permit = breaker.acquire(now).0.unwrap();
        assert!(report(&mut breaker, permit, Outcome::Blocked, now).is_some());
        assert_eq!(breaker.acquire(now).0, None);
        breaker.release(now);
        assert!(breaker.acquire(now).0.unwrap().is_probe());
    }

    proptest! {
        /// Any sequence of asking, answering and waiting: never a permit while open, never two probes at once.
        #[test]
        fn never_two_probes_and_nothing_while_open(steps in proptest::collection::vec((0_u8..6, 0_u64..8000), 1..300), seed: u64) {
            let mut now = Instant::now();
            let mut breaker = breaker(now);
            let mut out: Vec<Permit> = Vec::new();
            let mut random = seed | 1;
            for (step, millis) in steps {
                now += Duration::from_millis(millis);
                match step {
                    0..=2 => {
                        let waiting = breaker.wake_at();
                        let (permit, _) = breaker.acquire(now);
                        if let Some(permit) = permit {
                            prop_assert!(waiting.is_none_or(|at| now >= at), "sent while open");
                            let probes = out.iter().filter(|other| other.probe && other.epoch == breaker.epoch).count();
                            prop_assert!(!permit.probe || probes == 0, "two probes");
                            prop_assert!(breaker.state() != BreakerState::Open);
                            out.push(permit);
                        }
                    }
                    3 | 4 if !out.is_empty() => {
                        let permit = out.swap_remove((next_unit(&mut random) * out.len() as f64) as usize);
                        let outcome = [Outcome::Answered, Outcome::Failed, Outcome::Failed, Outcome::Blocked]
                            [(next_unit(&mut random) * 4.0) as usize];
                        let _ = report(&mut breaker, permit, outcome, now);
                    }
                    5 if !out.is_empty() => breaker.cancel(out.swap_remove(0)),
                    _ => {}
                }
            }
        }
    }
}
