//! What wakes the maintenance thread before its time, and ends it.

use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::lock::lock;

/// However often it is asked for, maintenance is not done more often than that.
pub(crate) const SOON: Duration = Duration::from_millis(200);

/// The state of the maintenance thread.
#[derive(Debug)]
pub(crate) struct Wakeup {
    clock: Clock,
    state: Mutex<State>,
    wake: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The directory may have grown beyond its limit, or writing failed.
    asked: bool,
    closing: bool,
    running: bool,
    /// Rounds that have begun, and of those the last one that has made what space it could.
    begun: u64,
    swept: u64,
}

impl State {
    /// How long to sleep of `pause`.
    fn pause(&self, pause: Duration) -> Duration {
        if self.asked { pause.min(SOON) } else { pause }
    }
}

impl Wakeup {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default(), wake: Condvar::new(), ended: Condvar::new() }
    }

    /// Starts the thread by `start`, which says whether it could.
    pub(crate) fn started(&self, start: impl FnOnce() -> bool) {
        let mut state = lock(&self.state);
        state.running = start();
    }

    /// Asks for maintenance soon.
    pub(crate) fn ask(&self) {
        let mut state = lock(&self.state);
        if !state.asked {
            state.asked = true;
            self.wake.notify_one();
        }
    }

    /// Asks for maintenance, and waits until a round that begins after this has made what space it could, at most until
    /// `deadline`.
    pub(crate) fn ask_and_wait(&self, deadline: Instant) {
        let mut state = lock(&self.state);
        state.asked = true;
        self.wake.notify_one();
        let round = state.begun + 1;
        let open = |state: &State| state.running && !state.closing && state.swept < round;
        while open(&state) && !self.clock.left(deadline).is_zero() {
            state = self.clock.wait(&self.ended, state, deadline);
        }
    }

    /// This round has made what space it could.
    pub(crate) fn swept(&self) {
        let mut state = lock(&self.state);
        state.swept = state.begun;
        self.ended.notify_all();
    }

    /// Sleeps until it is time; `false` when the store is closed.
    pub(crate) fn sleep(&self, pause: Duration) -> bool {
        let began = self.clock.now();
        let mut state = lock(&self.state);
        loop {
            if state.closing {
                return false;
            }
            let pause = state.pause(pause);
            if self.clock.elapsed(began) >= pause {
                state.asked = false;
                state.begun += 1;
                return true;
            }
            state = self.clock.wait(&self.wake, state, began + pause);
        }
    }

    /// The thread ends.
    pub(crate) fn end(&self) {
        lock(&self.state).running = false;
        self.ended.notify_all();
    }

    /// Ends the thread, waiting for it until `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        let mut state = lock(&self.state);
        state.closing = true;
        self.wake.notify_all();
        self.ended.notify_all();
        while state.running && !self.clock.left(deadline).is_zero() {
            state = self.clock.wait(&self.ended, state, deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use otlp_arrow_base::clock::ManualClock;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_pause_is_as_long_as_it_should_be_or_short_when_somebody_asked() {
        let asked = State { asked: true, ..State::default() };
        assert_eq!((State::default().pause(HOUR), asked.pause(HOUR)), (HOUR, SOON));
        assert_eq!(asked.pause(SOON / 2), SOON / 2);
    }

    #[test]
    fn who_waits_for_space_waits_for_a_round_that_began_after_that() {
        let clock = Clock::system();
        let wakeup = Arc::new(Wakeup::new(clock.clone()));
        wakeup.ask_and_wait(clock.now() + HOUR); // Nobody would come.
        let rounds = Arc::clone(&wakeup);
        wakeup.started(|| true);
        assert!(wakeup.sleep(Duration::ZERO), "a round has begun, and may have looked already");
        let waiting = std::thread::spawn(move || rounds.ask_and_wait(Clock::system().now() + HOUR));
        while !lock(&wakeup.state).asked {
            std::thread::yield_now();
        }
        wakeup.swept();
        assert!(!waiting.is_finished());
        assert!(wakeup.sleep(HOUR), "it was asked for");
        wakeup.swept();
        waiting.join().expect("it ends");
    }

    #[test]
    fn it_sleeps_by_the_clock_and_wakes_at_once_to_end() {
        let manual = ManualClock::new();
        let wakeup = Arc::new(Wakeup::new(manual.clock()));
        let sleep = || {
            let wakeup = Arc::clone(&wakeup);
            std::thread::spawn(move || wakeup.sleep(HOUR))
        };
        let sleeper = sleep();
        // Until it has looked at the clock once it needs another hour.
        while !sleeper.is_finished() {
            manual.advance(HOUR);
            std::thread::yield_now();
        }
        assert_eq!(sleeper.join().ok(), Some(true));
        let sleeper = sleep();
        wakeup.close(manual.clock().now());
        assert_eq!(sleeper.join().ok(), Some(false), "the time stands still");
    }
}
