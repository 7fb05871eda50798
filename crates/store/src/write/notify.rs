//! Wakes those who wait for space or memory: at once when something changed, and after 100 ms in any case.
//!
//! Callers run on any executor or none, so the 100 ms come from a thread of our own, which exists only while somebody waits.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::lock::lock;

/// The longest wait.
const LONGEST: Duration = Duration::from_millis(100);
/// How long the thread stays after the last waiter is gone.
const LINGER: Duration = Duration::from_secs(1);

/// A list of those who wait.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    shared: Arc<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    clock: Clock,
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

impl Waiters {
    /// Takes those off the list who have waited long enough at `now`.
    fn due(&mut self, now: Instant) -> Vec<(Instant, oneshot::Sender<()>)> {
        let due = self.list.partition_point(|(until, _)| *until <= now);
        self.list.drain(..due).collect()
    }
}

impl Notifier {
    pub(crate) fn new(clock: Clock) -> Self {
        let (count, waiters, wake) = Default::default();
        Self { shared: Arc::new(Waiting { clock, count, waiters, wake }) }
    }

    /// Resolves at the next [`Notifier::wake_all`], at the latest at `until` or after 100 ms.
    pub(crate) fn changed(&self, until: Option<Instant>) -> impl Future<Output = ()> + Send + 'static {
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiters = lock(&self.shared.waiters);
            let longest = self.shared.clock.now() + LONGEST;
            let until = until.map_or(longest, |until| until.min(longest));
            let place = waiters.list.partition_point(|(other, _)| *other <= until);
            waiters.list.insert(place, (until, sender));
            self.shared.count.store(waiters.list.len(), Ordering::Release);
            if !waiters.thread_runs {
                let shared = Arc::clone(&self.shared);
                let thread = std::thread::Builder::new().name("otlp-timer".into()).stack_size(64 << 10);
                waiters.thread_runs = thread.spawn(move || shared.run()).is_ok();
                if !waiters.thread_runs {
                    // Without a timer the caller must not wait for a wake-up that may never come.
                    waiters.list.remove(place);
                }
            }
            // The thread sleeps until the first of them is due.
            if place == 0 {
                self.shared.wake.notify_one();
            }
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
            let mut waiters = lock(&self.shared.waiters);
            self.shared.count.store(0, Ordering::Release);
            std::mem::take(&mut waiters.list)
        };
        for (_, sender) in list {
            let _ = sender.send(());
        }
    }
}

impl Waiting {
    fn run(&self) {
        let mut waiters = lock(&self.waiters);
        let mut idle_since = self.clock.now();
        loop {
            let now = self.clock.now();
            let woken = waiters.due(now);
            if !woken.is_empty() {
                self.count.store(waiters.list.len(), Ordering::Release);
                drop(waiters);
                for (_, sender) in woken {
                    let _ = sender.send(());
                }
                waiters = lock(&self.waiters);
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
            let pause = self.clock.slice(pause);
            waiters = self.wake.wait_timeout(waiters, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use otlp_arrow_base::clock::ManualClock;

    #[test]
    fn a_change_wakes_at_once() {
        let notifier = Notifier::new(ManualClock::new().clock());
        let (first, second) = (notifier.changed(None), notifier.changed(None));
        notifier.wake_all();
        block_on(futures::future::join(first, second));
    }

    #[test]
    fn the_clock_wakes_in_the_end_and_not_before() {
        let (manual, mut waiters) = (ManualClock::new(), Waiters::default());
        let came = manual.clock().now();
        waiters.list = [came, came + LONGEST].map(|came| (came + LONGEST, oneshot::channel().0)).into();
        assert_eq!(waiters.due(came + LONGEST - Duration::from_millis(1)).len(), 0);
        assert_eq!((waiters.due(came + LONGEST).len(), waiters.list.len()), (1, 1));

        let notifier = Notifier::new(manual.clock());
        let changed = notifier.changed(None);
        manual.advance(LONGEST);
        block_on(changed);
    }

    #[test]
    fn who_has_less_time_is_woken_before_those_who_came_earlier() {
        let manual = ManualClock::new();
        let (notifier, now) = (Notifier::new(manual.clock()), manual.clock().now());
        let (mut late, soon) = (Box::pin(notifier.changed(None)), notifier.changed(Some(now + LONGEST / 10)));
        manual.advance(LONGEST / 10);
        block_on(soon);
        assert!(futures::FutureExt::now_or_never(&mut late).is_none());
    }

    #[test]
    fn a_waiter_that_went_away_does_no_harm() {
        let manual = ManualClock::new();
        let notifier = Notifier::new(manual.clock());
        drop(notifier.changed(None));
        notifier.wake_all();
        notifier.wake_all();
        let changed = notifier.changed(None);
        manual.advance(LONGEST);
        block_on(changed);
    }
}
