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
    /// Whether the log may be told of it now.
    pub fn may_warn(&self) -> bool {
        let mut warned = lock(&self.0);
        let due = warned.is_none_or(|warned| warned.elapsed() >= AGAIN);
        if due {
            *warned = Some(Instant::now());
        }
        due
    }
}
