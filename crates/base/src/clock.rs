//! The clocks. Whoever needs the time is given a [`Clock`]: the machine's, or in tests one that is set by hand.
//!
//! Only this file asks the machine. Pure state machines take moments as arguments; what runs on a thread or in a task
//! holds a [`Clock`] and waits with [`Clock::slice`], so that a test can move the time instead of waiting for it.
#![expect(clippy::disallowed_methods, reason = "the one place that asks the machine's clocks and sleeps")]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::lock::lock;

/// What time it is, by the machine's clocks or by a [`ManualClock`]. Clones agree.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// None for the machine's: asking costs no more than a look at this.
    manual: Option<Arc<Mutex<Manual>>>,
}

impl Clock {
    /// The machine's clocks.
    pub const fn system() -> Self {
        Self { manual: None }
    }

    /// The monotonic time.
    pub fn now(&self) -> Instant {
        self.manual.as_ref().map_or_else(Instant::now, |manual| lock(manual).now)
    }

    /// The wall clock, which somebody may set.
    pub fn wall(&self) -> SystemTime {
        self.manual.as_ref().map_or_else(SystemTime::now, |manual| lock(manual).wall)
    }

    /// How long ago `since` was; nothing if it is still to come.
    pub fn elapsed(&self, since: Instant) -> Duration {
        self.now().saturating_duration_since(since)
    }

    /// How long it is until `deadline`; nothing if it has passed.
    pub fn left(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.now())
    }

    /// How long of `wait` to wait before looking at this clock again: all of it, or a moment where a test moves the time.
    pub fn slice(&self, wait: Duration) -> Duration {
        if self.manual.is_some() { wait.min(MOMENT) } else { wait }
    }

    /// Waits until `condvar` is notified or `deadline` has passed, perhaps less: the caller looks at both again.
    pub fn wait<'a, T>(&self, condvar: &Condvar, guard: MutexGuard<'a, T>, deadline: Instant) -> MutexGuard<'a, T> {
        let wait = self.slice(self.left(deadline));
        condvar.wait_timeout(guard, wait).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until `condvar` is notified or `deadline` has passed, and not less.
    pub fn pause<'a, T>(
        &self,
        condvar: &Condvar,
        mut guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> MutexGuard<'a, T> {
        loop {
            let left = self.left(deadline);
            if left.is_zero() {
                return guard;
            }
            let waited = condvar.wait_timeout(guard, self.slice(left)).unwrap_or_else(PoisonError::into_inner);
            guard = waited.0;
            if !waited.1.timed_out() {
                return guard;
            }
        }
    }

    /// Blocks this thread for `wait`.
    pub fn sleep(&self, wait: Duration) {
        let Some(until) = self.now().checked_add(wait) else { return std::thread::sleep(wait) };
        loop {
            let left = self.left(until);
            if left.is_zero() {
                return;
            }
            std::thread::sleep(self.slice(left));
        }
    }
}

/// What a waiting thread really sleeps between two looks at a clock that is set by hand.
const MOMENT: Duration = Duration::from_millis(1);

/// A clock for tests, which stands still until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Manual>>);

#[derive(Debug)]
struct Manual {
    now: Instant,
    wall: SystemTime,
}

impl ManualClock {
    /// Stands at the machine's time.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Manual { now: Instant::now(), wall: SystemTime::now() })))
    }

    /// What is handed to whatever is tested.
    pub fn clock(&self) -> Clock {
        Clock { manual: Some(Arc::clone(&self.0)) }
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let mut manual = lock(&self.0);
        manual.now += by;
        manual.wall += by;
    }

    /// Somebody sets the wall clock; the monotonic time stays.
    pub fn set_wall(&self, wall: SystemTime) {
        lock(&self.0).wall = wall;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

/// A difference between our clock and the machine's from which the machine is believed again.
const RE_ANCHOR: Duration = Duration::from_secs(3600);

/// Wall time at an anchor plus monotonic time since. Pure: both clocks are arguments.
#[derive(Clone, Copy, Debug)]
pub struct SteadyClock {
    wall: SystemTime,
    monotonic: Instant,
}

impl SteadyClock {
    /// A clock that agrees with the machine's at this moment.
    pub fn new(wall: SystemTime, monotonic: Instant) -> Self {
        Self { wall, monotonic }
    }

    /// The time now; `wall` and `monotonic` are what the machine's clocks say.
    pub fn now(&mut self, wall: SystemTime, monotonic: Instant) -> SystemTime {
        let steady = self.wall + monotonic.saturating_duration_since(self.monotonic);
        let difference = match wall.duration_since(steady) {
            Ok(ahead) => ahead,
            Err(behind) => behind.duration(),
        };
        if difference < RE_ANCHOR {
            return steady;
        }
        *self = Self::new(wall, monotonic);
        wall
    }
}

/// The store's wall clock, a [`SteadyClock`] for all its threads: it does not jump when somebody sets the machine's, and
/// gives in after an hour's difference.
#[derive(Debug)]
pub struct WallClock {
    clock: Clock,
    steady: Mutex<SteadyClock>,
    began: Instant,
}

impl WallClock {
    /// A clock that agrees with `clock` at this moment.
    pub fn start(clock: Clock) -> Self {
        let began = clock.now();
        let steady = Mutex::new(SteadyClock::new(clock.wall(), began));
        Self { clock, steady, began }
    }

    /// When this clock was started, in what is the time now: another moment once the machine's clock was set.
    pub fn began(&self) -> SystemTime {
        let now = self.now();
        now.checked_sub(self.clock.elapsed(self.began)).unwrap_or(now)
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        lock(&self.steady).now(self.clock.wall(), self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_by_hand_moves_only_by_hand_and_for_all_who_hold_it() {
        let manual = ManualClock::new();
        let (clock, start) = (manual.clock(), manual.clock().now());
        let wall = clock.wall();
        assert_eq!((clock.elapsed(start), clock.left(start + RE_ANCHOR)), (Duration::ZERO, RE_ANCHOR));
        manual.advance(RE_ANCHOR);
        assert_eq!((clock.elapsed(start), clock.left(start + RE_ANCHOR)), (RE_ANCHOR, Duration::ZERO));
        manual.set_wall(wall);
        assert_eq!((clock.clone().now(), clock.wall()), (start + RE_ANCHOR, wall));
    }

    #[test]
    fn who_waits_by_a_clock_set_by_hand_is_done_when_it_is_moved() {
        let manual = ManualClock::new();
        let clock = manual.clock();
        let day = Duration::from_secs(86_400);
        let sleeper = std::thread::spawn({
            let clock = clock.clone();
            move || clock.sleep(day)
        });
        let waiter = std::thread::spawn(move || {
            let (mutex, condvar, deadline) = (Mutex::new(()), Condvar::new(), clock.now() + day);
            let mut guard = lock(&mutex);
            while !clock.left(deadline).is_zero() {
                guard = clock.wait(&condvar, guard, deadline);
            }
            drop(clock.pause(&condvar, guard, deadline + day));
        });
        // Whichever of the threads has not looked at the clock yet needs another day.
        while !sleeper.is_finished() || !waiter.is_finished() {
            manual.advance(day);
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_steady_wall_clock_stands_on_the_clock_it_was_given() {
        let manual = ManualClock::new();
        let wall = WallClock::start(manual.clock());
        let began = wall.now();
        manual.advance(Duration::from_secs(10));
        manual.set_wall(began);
        assert_eq!(wall.now(), began + Duration::from_secs(10), "set back by ten seconds: ignored");
        manual.set_wall(began + 4 * RE_ANCHOR);
        assert_eq!(wall.now(), began + 4 * RE_ANCHOR, "set forward by hours: believed");
        assert_eq!(wall.began(), began + 4 * RE_ANCHOR - Duration::from_secs(10));
    }

    #[test]
    fn small_jumps_are_ignored_and_large_ones_believed() {
        let (wall, start) = (SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30), Instant::now());
        let minute = Duration::from_secs(60);
        let mut clock = SteadyClock::new(wall, start);
        assert_eq!(clock.now(wall + minute, start + minute), wall + minute);
        assert_eq!(
            clock.now(wall + 50 * minute, start + 2 * minute),
            wall + 2 * minute,
            "forward by less than an hour"
        );
        assert_eq!(clock.now(wall - 50 * minute, start + 3 * minute), wall + 3 * minute, "back by less than an hour");
        let far = wall + Duration::from_secs(86_400);
        assert_eq!(clock.now(far, start + 4 * minute), far, "forward by a day");
        assert_eq!(clock.now(far + minute, start + 5 * minute), far + minute, "anchored there");
        assert_eq!(clock.now(wall, start + 6 * minute), wall, "and back by a day");
    }
}
