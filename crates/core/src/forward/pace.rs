//! When the next request may go out: the breaker's permission and the wait after a failure. Pure, with the clock passed
//! in.

use std::time::{Duration, Instant};

use super::breaker::{Breaker, BreakerState, Outcome, Permit, Transition};
use super::retry::Schedule;

/// So long after the first of them, failures that need not last are tried again with the ordinary waits.
const PATIENCE: Duration = Duration::from_secs(120);
/// Later they are tried again at least so often.
const RAREST: Duration = Duration::from_secs(60);

/// The pace of one destination.
///
/// One bad answer is not a verdict: a name that does not resolve yet, a token that is not known yet, a port where nobody
/// listens yet. Whatever refuses everything, and whatever fails before anything was answered, is a trouble; how long it
/// lasts decides the waits.
#[derive(Debug)]
pub(super) struct Pace {
    breaker: Breaker,
    schedule: Schedule,
    /// The longest ordinary wait.
    ordinary: Duration,
    /// Nothing is sent again before.
    not_before: Instant,
    /// When the trouble began that is not over.
    trouble: Option<Instant>,
    /// Something was answered since the start.
    answered: bool,
}

impl Pace {
    pub(super) fn new(breaker: Breaker, schedule: Schedule, now: Instant) -> Self {
        let ordinary = schedule.longest();
        Self { breaker, schedule, ordinary, not_before: now, trouble: None, answered: false }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.breaker.state()
    }

    /// Whether what failed has waited long enough.
    pub(super) fn may_send_again(&self, now: Instant) -> bool {
        now >= self.not_before
    }

    /// Asks to send one request now.
    pub(super) fn acquire(&mut self, now: Instant) -> (Option<Permit>, Option<Transition>) {
        self.breaker.acquire(now)
    }

    /// Gives a permit back unused.
    pub(super) fn cancel(&mut self, permit: Permit) {
        self.breaker.cancel(permit);
    }

    /// Tells how the request of `permit` ended.
    pub(super) fn report(&mut self, permit: Permit, outcome: Outcome, now: Instant) -> Option<Transition> {
        match outcome {
            Outcome::Answered => (self.trouble, self.answered) = (None, true),
            Outcome::Failed if self.answered && self.trouble.is_none() => {}
            Outcome::Failed | Outcome::Blocked => drop(self.trouble.get_or_insert(now)),
        }
        let (most, lasts, longest) = (self.most(now), self.lasts(now), self.breaker.longest().min(RAREST));
        let (schedule, not_before) = (&mut self.schedule, &mut self.not_before);
        let blocked = || {
            let wait = if lasts { schedule.spread(longest) } else { schedule.after_failure(None).min(RAREST) };
            *not_before = now + wait;
            wait
        };
        self.breaker.report(permit, outcome, most, blocked, now)
    }

    /// Whether the trouble lasts too long to be tried again with the ordinary waits.
    fn lasts(&self, now: Instant) -> bool {
        self.trouble.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE)
    }

    /// The longest time for which nothing is sent while a trouble lasts; `None` without one.
    fn most(&self, now: Instant) -> Option<Duration> {
        self.trouble?;
        Some(if self.lasts(now) { RAREST } else { self.ordinary.min(RAREST) })
    }

    /// Records were delivered: the next failure starts from the shortest wait.
    pub(super) fn delivered(&mut self, now: Instant) {
        self.schedule.reset();
        self.not_before = now;
    }

    /// A request failed, and the destination asked to wait for so long. Requests that were on their way together fail
    /// together, and count as one failure.
    pub(super) fn failed(&mut self, asked: Option<Duration>, now: Instant) {
        if now >= self.not_before {
            let wait = self.schedule.after_failure(asked);
            // What the destination asks for is honoured in any case.
            let most = if asked.is_some() { None } else { self.most(now) };
            self.not_before = now + wait.min(most.unwrap_or(Duration::MAX));
        }
    }

    /// Nothing is sent again for `wait`, for a reason of our own.
    pub(super) fn hold(&mut self, wait: Duration, now: Instant) {
        self.not_before = now + wait;
    }

    /// Forgets open times and waits: the next request may go out now. What changed deserves as much patience as what is new.
    pub(super) fn reset(&mut self, now: Instant) {
        self.trouble = self.trouble.and(Some(now));
        self.breaker.release(now);
        self.delivered(now);
    }

    /// When sending again makes sense, if something `waits` to be sent again; `None` when only an answer, new data or
    /// somebody's hand changes that.
    pub(super) fn wake_at(&self, waits: bool) -> Option<Instant> {
        match self.breaker.wake_at() {
            // Looked at before, it would find that it may not be sent again yet.
            Some(open_until) if waits => Some(open_until.max(self.not_before)),
            Some(open_until) => Some(open_until),
            None if self.breaker.state() == BreakerState::Open || self.breaker.awaits_probe() => None,
            None => waits.then_some(self.not_before),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::breaker::ConsecutiveFailures;
    use super::*;
    use crate::config::Retry;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(now: Instant) -> Pace {
        let breaker = Breaker::with_strategy(Box::new(ConsecutiveFailures::new(2)), 60 * SECOND, 60 * SECOND, now, 7);
        let retry = Retry { initial: SECOND, max: 30 * SECOND, multiplier: 2.0 };
        Pace::new(breaker, Schedule::new(&retry, 7), now)
    }

    fn fail(pace: &mut Pace, now: Instant) -> Option<Transition> {
        let permit = pace.acquire(now).0.unwrap();
        let transition = pace.report(permit, Outcome::Failed, now);
        pace.failed(None, now);
        transition
    }

    #[test]
    fn failures_at_the_same_time_are_one_failure() {
        let now = Instant::now();
        let mut pace = pace(now);
        fail(&mut pace, now);
        let first = pace.wake_at(true).unwrap();
        assert!(first > now && first <= now + 2 * SECOND);
        pace.failed(None, now);
        assert_eq!(pace.wake_at(true), Some(first));
        assert_eq!(pace.wake_at(false), None, "nothing waits to be sent again");
        assert!(!pace.may_send_again(now) && pace.may_send_again(first));
        pace.failed(Some(20 * SECOND), first);
        assert!(pace.wake_at(true).unwrap() >= first + 20 * SECOND, "as long as it was asked for");
        pace.delivered(first);
        assert!(pace.may_send_again(first));
    }

    #[test]
    fn while_a_probe_is_on_its_way_only_its_answer_wakes() {
        let now = Instant::now();
        let mut pace = pace(now);
        fail(&mut pace, now);
        let later = now + 10 * SECOND;
        let Some(Transition::Opened(time)) = fail(&mut pace, later) else { panic!("not opened") };
        assert_eq!(pace.wake_at(true), Some(later + time));
        let probing = later + time;
        let (probe, _) = pace.acquire(probing);
        assert_eq!(pace.wake_at(true), None, "what waits to be sent again would only be refused a permit");
        pace.cancel(probe.unwrap());
        assert!(pace.wake_at(true).is_some());
        let (probe, _) = pace.acquire(probing);
        assert_eq!(pace.report(probe.unwrap(), Outcome::Answered, probing), Some(Transition::Closed));
        assert!(pace.wake_at(true).is_some());
    }

    /// Fails whenever it may send, for so long; returns when it did, in seconds.
    fn attempts(pace: &mut Pace, outcome: Outcome, start: Instant, seconds: u64) -> Vec<f64> {
        let (mut now, mut at) = (start, Vec::new());
        while now < start + Duration::from_secs(seconds) {
            let (permit, _) = pace.acquire(now);
            if let Some(permit) = permit.filter(|_| pace.may_send_again(now)) {
                at.push((now - start).as_secs_f64());
                pace.report(permit, outcome, now);
                pace.failed(None, now);
            }
            now = pace.wake_at(true).unwrap().max(now + Duration::from_millis(1));
        }
        at
    }

    fn longest_gap(at: &[f64], from: f64, to: f64) -> f64 {
        let gaps = at.windows(2).filter(|pair| pair[0] >= from && pair[0] < to).map(|pair| pair[1] - pair[0]);
        gaps.fold(0.0, f64::max)
    }

    fn patient(seed: u64, longest: Duration, now: Instant) -> Pace {
        let breaker = Breaker::with_strategy(Box::new(ConsecutiveFailures::new(5)), 5 * SECOND, longest, now, seed);
        let retry = Retry { initial: SECOND, max: 30 * SECOND, multiplier: 1.5 };
        Pace::new(breaker, Schedule::new(&retry, seed), now)
    }

    #[test]
    fn what_is_no_verdict_is_tried_again_with_the_ordinary_waits_and_then_once_a_minute() {
        for seed in 1..50 {
            for outcome in [Outcome::Blocked, Outcome::Failed] {
                let start = Instant::now();
                let mut pace = patient(seed, 300 * SECOND, start);
                let at = attempts(&mut pace, outcome, start, 1800);
                assert!(longest_gap(&at, 0.0, 5.0) < 4.5, "{outcome:?}: {at:?}");
                assert!(longest_gap(&at, 0.0, 120.0) <= 30.01, "{outcome:?}: {at:?}");
                assert!(longest_gap(&at, 120.0, 1800.0) <= 60.01, "{outcome:?}: {at:?}");
                assert!(at.len() < 50, "{outcome:?}: {} attempts in half an hour", at.len());
            }
        }
    }

    #[test]
    fn a_destination_that_answered_before_is_asked_as_rarely_as_the_breaker_says() {
        let start = Instant::now();
        let mut pace = patient(3, 300 * SECOND, start);
        let permit = pace.acquire(start).0.unwrap();
        assert_eq!(pace.report(permit, Outcome::Answered, start), None);
        let at = attempts(&mut pace, Outcome::Failed, start, 3600);
        assert!(longest_gap(&at, 1200.0, 3600.0) > 200.0, "{at:?}");
        // Once it refuses everything, that is not a verdict either.
        let at = attempts(&mut pace, Outcome::Blocked, start + 4000 * SECOND, 600);
        assert!(longest_gap(&at, 0.0, 600.0) <= 60.01, "{at:?}");
    }

    #[test]
    fn the_longest_time_of_the_settings_counts_where_it_is_shorter() {
        let start = Instant::now();
        let mut pace = patient(3, 10 * SECOND, start);
        let at = attempts(&mut pace, Outcome::Blocked, start, 600);
        assert!(longest_gap(&at, 150.0, 600.0) <= 10.01, "{at:?}");
    }

    #[test]
    fn nobody_looks_again_before_what_was_asked_for() {
        let now = Instant::now();
        let mut pace = pace(now);
        for later in [0, 2] {
            let permit = pace.acquire(now + later * SECOND).0.unwrap();
            pace.report(permit, Outcome::Failed, now + later * SECOND);
            pace.failed(Some(3600 * SECOND), now + later * SECOND);
        }
        assert_eq!(pace.state(), BreakerState::Open);
        assert!(pace.wake_at(true).unwrap() >= now + 3600 * SECOND, "not when the breaker would let it through");
    }

    #[test]
    fn a_hand_ends_every_wait() {
        let now = Instant::now();
        let mut pace = pace(now);
        fail(&mut pace, now);
        fail(&mut pace, now + 10 * SECOND);
        assert_eq!(pace.state(), BreakerState::Open);
        let soon = now + 11 * SECOND;
        assert!(pace.acquire(soon).0.is_none());
        pace.reset(soon);
        assert!(pace.may_send_again(soon) && pace.acquire(soon).0.unwrap().is_probe());
    }
}
