//! Wakes those who wait for room: at once when something changed, and after 100 ms in any case.
//!
//! Callers run on any executor or none, so the 100 ms come from a thread of our own, which exists only while somebody waits.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::oneshot;

/// The longest wait.
const LONGEST: Duration = Duration::from_millis(100);
/// How long the thread stays after the last waiter is gone.
const LINGER: Duration = Duration::from_secs(1);

/// A list of those who wait for room.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notifier {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The number of waiters, to make a wake-up without any cost one load.
    count: AtomicUsize,
    waiters: Mutex<Waiters>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiters {
    list: Vec<(Instant, oneshot::Sender<()>)>,
    thread_runs: bool,
}

impl Notifier {
    /// Resolves at the next [`Notifier::wake_all`], at the latest after 100 ms.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + 'static {
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiters = self.shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            waiters.list.push((Instant::now() + LONGEST, sender));
            self.shared.count.store(waiters.list.len(), Ordering::Release);
            if !waiters.thread_runs {
                let shared = Arc::clone(&self.shared);
                let thread = std::thread::Builder::new().name("otlp-timer".into()).stack_size(64 << 10);
                waiters.thread_runs = thread.spawn(move || shared.run()).is_ok();
                if !waiters.thread_runs {
                    // Without a timer the caller must not wait for a wake-up that may never come.
                    waiters.list.pop();
                }
            }
            self.shared.wake.notify_one();
        }
        async move {
            // An error means the sender is gone, which is a change as well.
            let _ = receiver.await;
        }
    }

    /// Something changed: everybody may try again.
    pub(crate) fn wake_all(&self) {
        if self.shared.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let list = {
            let mut waiters = self.shared.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.count.store(0, Ordering::Release);
            std::mem::take(&mut waiters.list)
        };
        for (_, sender) in list {
            let _ = sender.send(());
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle_since = Instant::now();
        loop {
            let now = Instant::now();
            let due = waiters.list.partition_point(|(until, _)| *until <= now);
            if due > 0 {
                let rest = waiters.list.split_off(due);
                let woken = std::mem::replace(&mut waiters.list, rest);
                self.count.store(waiters.list.len(), Ordering::Release);
                drop(waiters);
                for (_, sender) in woken {
                    let _ = sender.send(());
                }
                waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
                idle_since = now;
                continue;
            }
            let pause = match waiters.list.first() {
                Some((until, _)) => until.saturating_duration_since(now),
                None if now.duration_since(idle_since) >= LINGER => {
                    waiters.thread_runs = false;
                    return;
                }
                None => LINGER,
            };
            waiters = self.wake.wait_timeout(waiters, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn a_change_wakes_at_once_and_the_clock_wakes_in_the_end() {
        let notifier = Notifier::default();
        let (first, second) = (notifier.changed(), notifier.changed());
        notifier.wake_all();
        block_on(futures::future::join(first, second));
        let began = Instant::now();
        block_on(notifier.changed());
        assert!(began.elapsed() >= Duration::from_millis(90), "nothing changed before {:?}", began.elapsed());
    }

    #[test]
    fn a_waiter_that_went_away_does_no_harm() {
        let notifier = Notifier::default();
        drop(notifier.changed());
        notifier.wake_all();
        notifier.wake_all();
        block_on(notifier.changed());
    }
}
