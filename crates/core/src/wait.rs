//! Waiting for a future on a thread, wherever that thread is, and until when.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// `wait` after `start`; callers say "without limit" by `Duration::MAX`, which no clock can be set forward by.
pub(crate) fn after(start: Instant, wait: Duration) -> Instant {
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
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
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
}
