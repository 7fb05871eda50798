//! What fails again and again and need not fill a log.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Between two lines in the log about the same.
const AGAIN: Duration = Duration::from_secs(30);

/// One trouble that is met again and again.
#[derive(Debug, Default)]
pub struct Repeated(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    warned: Option<Instant>,
    /// How often since then.
    untold: u64,
}

impl Repeated {
    /// Whether the log may be told of it at `now`.
    pub fn may_warn(&self, now: Instant) -> bool {
        self.untold(now).is_some()
    }

    /// Where the log may be told of it at `now`: how often it was not told since the last time.
    pub fn untold(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.0);
        let due = state.warned.is_none_or(|warned| now.saturating_duration_since(warned) >= AGAIN);
        if !due {
            state.untold += 1;
            return None;
        }
        state.warned = Some(now);
        Some(std::mem::take(&mut state.untold))
    }

    /// ` (N more since the last such line)` where the log may be told; nothing for none.
    pub fn more(&self, now: Instant) -> Option<String> {
        self.untold(now).map(|untold| match untold {
            0 => String::new(),
            untold => format!(" ({untold} more since the last such line)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_now_and_then() {
        let (trouble, now) = (Repeated::default(), Instant::now());
        let told = [0, 1, 29, 30, 31, 59, 60].map(|second| trouble.untold(now + Duration::from_secs(second)));
        assert_eq!(told, [Some(0), None, None, Some(2), None, None, Some(2)]);
        assert!(!trouble.may_warn(now + Duration::from_secs(61)));
        assert_eq!(trouble.more(now + AGAIN * 3).as_deref(), Some(" (1 more since the last such line)"));
        assert_eq!(trouble.more(now + AGAIN * 4).as_deref(), Some(""));
    }
}
