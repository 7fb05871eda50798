//! Waiting for a future on a plain thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread until it is done, at most until `deadline`. Unlike the executors of `futures` and
/// Tokio it may be called from within another one, as SDK processors do.
pub(crate) fn wait<F: Future>(future: F, deadline: Instant) -> Option<F::Output> {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        std::thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_future_is_waited_for_until_it_is_done_or_the_time_is_over() {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let thread = std::thread::spawn(move || sender.send(7));
        assert_eq!(wait(receiver, Instant::now() + Duration::from_secs(20)), Some(Ok(7)));
        assert_eq!(thread.join().ok(), Some(Ok(())));
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(wait(std::future::pending::<()>(), soon), None);
        assert!(Instant::now() >= soon);
    }

    #[test]
    fn it_may_be_called_within_another_executor() {
        let done = futures::executor::block_on(async { wait(async { 3 }, Instant::now()) });
        assert_eq!(done, Some(3));
    }
}
