//! The Tokio runtime of the core: what needs sockets runs here, whatever executor the host program has or has not.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

use crate::error::{Code, OtlpError, Result};

/// A few threads, made only where something listens or forwards.
///
/// Dropping it never panics, in an async context or not, and waits a moment for what runs. After a fork it is the parent's: a child
/// leaves its copy alone.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Taken only by `drop`.
    inner: Option<tokio::runtime::Runtime>,
    handle: Handle,
    process: u32,
}

impl Runtime {
    /// Starts the threads.
    pub(crate) fn new() -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(4));
        let inner = Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(16)
            .thread_name("otlp-arrow-io")
            .enable_all()
            .build()
            .map_err(|error| {
                OtlpError::with_source(Code::Internal, "threads for sockets could not be started", error)
            })?;
        Ok(Self { handle: inner.handle().clone(), inner: Some(inner), process: std::process::id() })
    }

    /// Runs a future to its end in the background.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// To spawn with from what outlives a borrow; after the runtime's end nothing runs that is spawned.
    #[cfg(feature = "forward")]
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Makes sockets and timers of the calling thread belong to this runtime.
    #[cfg(feature = "doors")]
    pub(crate) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.handle.enter()
    }
}

/// How long a drop waits for what runs, so that what it holds is released before the drop returns.
const END: Duration = Duration::from_secs(2);

impl Drop for Runtime {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        if std::process::id() != self.process {
            return std::mem::forget(inner);
        }
        // Tokio refuses to wait in an async context: another thread does.
        let handed = Arc::new(Mutex::new(Some(inner)));
        let taken = Arc::clone(&handed);
        let thread = std::thread::Builder::new().name("otlp-arrow-end".into()).spawn(move || {
            if let Some(inner) = taken.lock().unwrap_or_else(PoisonError::into_inner).take() {
                inner.shutdown_timeout(END);
            }
        });
        match thread {
            Ok(thread) => {
                let _ = thread.join();
            }
            Err(_) => {
                if let Some(inner) = handed.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    inner.shutdown_background();
                }
            }
        }
    }
}
