//! When the next request may go out: the breaker's permission and the wait after a failure. Pure, with the clock passed
//! in.

use std::time::{Duration, Instant};

use super::breaker::{Breaker, BreakerState, Outcome, Permit, Transition};
use super::retry::Schedule;

/// The pace of one destination.
#[derive(Debug)]
pub(super) struct Pace {
    breaker: Breaker,
    schedule: Schedule,
    /// Nothing is sent again before.
    not_before: Instant,
}

impl Pace {
    pub(super) fn new(breaker: Breaker, schedule: Schedule, now: Instant) -> Self {
        Self { breaker, schedule, not_before: now }
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
        self.breaker.report(permit, outcome, now)
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
            self.not_before = now + self.schedule.after_failure(asked);
        }
    }

    /// Nothing is sent again for `wait`, for a reason of our own.
    pub(super) fn hold(&mut self, wait: Duration, now: Instant) {
        self.not_before = now + wait;
    }

    /// Forgets open times and waits: the next request may go out now.
    pub(super) fn reset(&mut self, now: Instant) {
        self.breaker.release(now);
        self.delivered(now);
    }

    /// When sending again makes sense, if something `waits` to be sent again; `None` when only an answer, new data or
    /// somebody's hand changes that.
    pub(super) fn wake_at(&self, waits: bool) -> Option<Instant> {
        match self.breaker.wake_at() {
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
