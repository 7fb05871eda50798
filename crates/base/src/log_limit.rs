//! What fails again and again and need not fill a log.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Between two lines in the log about the same.
const AGAIN: Duration = Duration::from_secs(30);

/// One trouble that is met again and again.
#[derive(Debug, Default)]
pub struct Repeated(Mutex<Option<Instant>>);

impl Repeated {
    /// Whether the log may be told of it at `now`.
    pub fn may_warn(&self, now: Instant) -> bool {
        let mut warned = lock(&self.0);
        let due = warned.is_none_or(|warned| now.saturating_duration_since(warned) >= AGAIN);
        if due {
            *warned = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_now_and_then() {
        let (trouble, now) = (Repeated::default(), Instant::now());
        let told = [0, 1, 29, 30, 31, 59, 60].map(|second| trouble.may_warn(now + Duration::from_secs(second)));
        assert_eq!(told, [true, false, false, true, false, false, true]);
    }
}
