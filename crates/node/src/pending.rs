//! Exports that were called and are not answered yet.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use otlp_arrow::internal::Clock;

/// How many there are.
#[derive(Default)]
pub(crate) struct Pending {
    count: Mutex<usize>,
    none: Condvar,
}

impl Pending {
    /// Counts one until the result is dropped.
    pub(crate) fn enter(this: &Arc<Self>) -> Entered {
        *this.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Entered(Arc::clone(this))
    }

    /// Blocks until there are none, or until `until`.
    pub(crate) fn wait(&self, until: Instant) {
        let patience = Clock::system().left(until);
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.none.wait_timeout_while(count, patience, |count| *count > 0));
    }
}

/// One export under way.
pub(crate) struct Entered(Arc<Pending>);

impl Drop for Entered {
    fn drop(&mut self) {
        let mut count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count -= 1;
        if *count == 0 {
            self.0.none.notify_all();
        }
    }
}
