//! Calls on threads of their own, which give way to those that record: so many at once, and none that blocks the threads that sockets
//! are served by.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_query::scan::{Cancel, give_way};
use tokio::sync::{Semaphore, oneshot};

/// Calls that are answered or wait: one that waits for telemetry takes 45 seconds.
const IN_HAND: usize = 64;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Hand(Arc<Semaphore>);

/// Ends a call when nobody waits for it any more.
struct EndsWith(Cancel);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Default for Hand {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(IN_HAND)))
    }
}

impl Hand {
    /// What `work` comes to. It is told by `cancel` when this is dropped or `cancelled` comes first, and awaited then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        cancel: Cancel,
        cancelled: impl Future<Output = ()>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let busy =
            |_| OtlpError::new(Code::Unavailable, format!("{IN_HAND} calls are in hand: call again in a moment"));
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(busy)?;
        let ends = EndsWith(cancel);
        let (sender, mut receiver) = oneshot::channel();
        let body = move || {
            give_way();
            // Whoever waits is told of a panic by the sender that is gone.
            let _ = catch_unwind(AssertUnwindSafe(|| sender.send(work())));
            drop(place);
        };
        let thread = std::thread::Builder::new().name("otlp-mcp".to_owned()).spawn(body);
        thread.map_err(|error| {
            OtlpError::with_source(Code::Unavailable, "the system gives no thread for a call", error)
        })?;
        let made = tokio::select! {
            made = &mut receiver => made,
            () = cancelled => {
                ends.0.cancel();
                receiver.await
            }
        };
        made.unwrap_or_else(|_| {
            Err(OtlpError::new(Code::Internal, "answering this call failed: please report it to the project"))
        })
    }
}
