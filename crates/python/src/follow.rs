//! What goes on behind the commits: subscriptions, and the destinations that are forwarded to.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::Stream;
use otlp_arrow::Subscription as Batches;
use pyo3::prelude::*;

use crate::detached::Detached;
use crate::error::IntoPython;
use crate::library::as_json;
use crate::table::Table;
use crate::wait::wait;

/// Batches of what is committed, from a durable position on.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Subscription {
    /// None once closed. Locked only while something is looked up, so that `ack` and `close` work during a wait.
    inner: Detached<Mutex<Option<Batches>>>,
}

impl Subscription {
    pub(crate) fn new(inner: Batches) -> Self {
        Self { inner: Detached::new(Mutex::new(Some(inner))) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Batches>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Subscription {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    /// The next batch; waits for it. The end comes with `close` and with the shutdown of the library.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Table>> {
        let next = poll_fn(|context| match &mut *self.lock() {
            Some(inner) => Pin::new(inner).poll_next(context),
            None => Poll::Ready(None),
        });
        wait(py, None, next)?.transpose().into_python(py).map(|batch| batch.map(Table::of_batch))
    }

    /// Everything that was handed out so far is done with, and will not come again.
    fn ack(&self, py: Python<'_>) {
        py.detach(|| {
            if let Some(inner) = &mut *self.lock() {
                inner.ack();
            }
        });
    }

    /// Ends it; the name is free again.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            let inner = self.lock().take();
            drop(inner);
        });
    }
}

/// One destination that is forwarded to.
#[pyclass(module = "otlp_arrow._native", frozen)]
pub(crate) struct Forwarder {
    inner: otlp_arrow::Forwarder,
}

impl Forwarder {
    pub(crate) fn new(inner: otlp_arrow::Forwarder) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl Forwarder {
    /// How it stands now, as JSON.
    fn info(&self, py: Python<'_>) -> PyResult<String> {
        as_json(py, &py.detach(|| self.inner.info()))
    }

    /// Stops sending; what arrives waits on disk.
    fn pause(&self, py: Python<'_>) {
        py.detach(|| self.inner.pause());
    }

    /// Goes on after `pause`.
    fn resume(&self, py: Python<'_>) {
        py.detach(|| self.inner.resume());
    }

    /// Forgets open times and waits: the destination is asked again at once.
    fn reset(&self, py: Python<'_>) {
        py.detach(|| self.inner.reset());
    }

    /// Sends again what was set aside: requests taken now, requests that stay.
    fn retry_rejected(&self, py: Python<'_>, timeout_seconds: f64) -> PyResult<(usize, usize)> {
        let timeout = Duration::try_from_secs_f64(timeout_seconds).unwrap_or_default();
        let retried = py.detach(|| self.inner.retry_rejected(timeout)).into_python(py)?;
        Ok((retried.delivered, retried.left))
    }
}
