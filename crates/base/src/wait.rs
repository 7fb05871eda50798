//! Waiting for a future on a thread, wherever that thread is, and until when.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::clock::Clock;

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// `wait` after `start`; callers say "without limit" by `Duration::MAX`, which no clock can be set forward by.
pub fn after(start: Instant, wait: Duration) -> Instant {
    start + wait.min(FOR_EVER)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks this thread until `future` is done. Unlike `futures::executor::block_on` it may be called from inside any
/// executor, itself included; that executor's other tasks on this thread wait meanwhile.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // A wake-up between the poll and here makes the next park return at once.
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Runs a future on this thread until it is done, at most until `deadline`. Unlike the executors of `futures` and
/// Tokio it may be called from within another one, as SDK processors do.
pub fn block_until<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = deadline.checked_duration_since(Clock::system().now())?;
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn it_waits_for_another_thread_also_inside_an_executor() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(7).unwrap());
        assert_eq!(futures::executor::block_on(async { block_on(receiver) }), Ok(7));
        thread.join().unwrap();
        assert_eq!(block_on(async { block_on(async { 3 }) }), 3);
    }

    #[test]
    fn a_future_is_waited_for_until_it_is_done_or_the_time_is_over() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(7));
        assert_eq!(block_until(receiver, Instant::now() + Duration::from_secs(20)), Some(Ok(7)));
        assert_eq!(thread.join().ok(), Some(Ok(())));
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(block_until(std::future::pending::<()>(), soon), None);
        assert!(Instant::now() >= soon);
    }

    #[test]
    fn it_may_be_called_within_another_executor() {
        let done = futures::executor::block_on(async { block_until(async { 3 }, Instant::now()) });
        assert_eq!(done, Some(3));
    }
}
