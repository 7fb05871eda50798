//! The store's wall clock: it does not jump when somebody sets the machine's clock, and gives in after an hour's difference.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

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

/// A [`SteadyClock`] over the machine's clocks, for all threads of a store.
#[derive(Debug)]
pub struct Clock {
    steady: Mutex<SteadyClock>,
    began: Instant,
}

impl Clock {
    /// A clock that agrees with the machine's at this moment.
    pub fn start() -> Self {
        let began = Instant::now();
        Self { steady: Mutex::new(SteadyClock::new(SystemTime::now(), began)), began }
    }

    /// When this clock was started, in what is the time now: another moment once the machine's clock was set.
    pub fn began(&self) -> SystemTime {
        let now = self.now();
        now.checked_sub(self.began.elapsed()).unwrap_or(now)
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        self.steady.lock().unwrap_or_else(PoisonError::into_inner).now(SystemTime::now(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
