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
    match wait_while(py, deadline, future, || {
        Ok(deadline.is_none_or(|deadline| !Clock::system().left(deadline).is_zero()))
    })? {
        Some(output) => Ok(output),
        None => Err(to_python(py, &OtlpError::new(Code::Timeout, "the deadline passed before it was done"))),
    }
}

/// The same until `go_on`, asked every 100 ms and at the `deadline`, says no: then there is no output.
pub(crate) fn wait_while<F>(
    py: Python<'_>,
    deadline: Option<Instant>,
    future: F,
    go_on: impl Fn() -> PyResult<bool>,
) -> PyResult<Option<F::Output>>
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
        if done.is_some() {
            return Ok(done);
        }
        py.check_signals()?;
        if !go_on()? {
            return Ok(None);
        }
    }
}

/// Seconds as a float from Python; none, a negative, not a number or an endless one means no limit.
pub(crate) fn seconds(value: Option<f64>) -> Option<Duration> {
    value.and_then(|value| Duration::try_from_secs_f64(value).ok())
}
