//! Waiting for the core from a Python thread.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use otlp_arrow::internal::Clock;
use otlp_arrow::{Code, OtlpError};
use pyo3::prelude::*;

use crate::error::to_python;

/// How long Ctrl-C may go unnoticed.
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `future` to its end, detached from the interpreter, so that other Python threads go on. Signals that arrive
/// meanwhile are handled: Ctrl-C raises `KeyboardInterrupt` here, and the future is dropped.
///
/// With a `deadline` the answer is TIMEOUT when that has passed.
pub(crate) fn wait<F>(py: Python<'_>, deadline: Option<Instant>, future: F) -> PyResult<F::Output>
where
    F: Future + Send,
    F::Output: Send,
{
    let mut future = pin!(future);
    loop {
        let done = py.detach(|| {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            let mut context = Context::from_waker(&waker);
            let clock = Clock::system();
            let pause = clock.now() + SIGNAL_CHECK;
            let until = deadline.map_or(pause, |deadline| deadline.min(pause));
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return Some(output);
                }
                let left = clock.left(until);
                if left.is_zero() {
                    return None;
                }
                thread::park_timeout(left);
            }
        });
        if let Some(output) = done {
            return Ok(output);
        }
        py.check_signals()?;
        if deadline.is_some_and(|deadline| Clock::system().left(deadline).is_zero()) {
            return Err(to_python(py, &OtlpError::new(Code::Timeout, "the deadline passed before it was done")));
        }
    }
}

/// Seconds as a float from Python; none, a negative, not a number or an endless one means no limit.
pub(crate) fn seconds(value: Option<f64>) -> Option<Duration> {
    value.and_then(|value| Duration::try_from_secs_f64(value).ok())
}
