//! Wakes those who read behind the commits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use otlp_arrow_base::lock::lock;

/// Wakes those who read behind the commits.
#[derive(Debug, Default)]
pub(crate) struct CommitNotifier {
    commits: Mutex<Commits>,
    wake: Condvar,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Commits {
    count: u64,
    /// Threads that sleep until the next commit: to wake nobody is a system call as well.
    waiting: usize,
}

impl CommitNotifier {
    /// Something was committed, or a subscription should look up.
    pub(crate) fn notify(&self) {
        let mut commits = lock(&self.commits);
        commits.count += 1;
        if commits.waiting > 0 {
            self.wake.notify_all();
        }
    }

    /// Nothing more will be committed.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.notify();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    pub(crate) fn count(&self) -> u64 {
        lock(&self.commits).count
    }

    /// Sleeps until something was committed after the count of `before`, or until the time is over.
    pub(crate) fn wait(&self, before: u64, longest: Duration) {
        let mut commits = lock(&self.commits);
        commits.waiting += 1;
        let woken = self.wake.wait_timeout_while(commits, longest, |now| now.count == before);
        woken.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
    }
}
