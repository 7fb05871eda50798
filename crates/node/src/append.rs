//! One call of `append`, from its beginning until its rows are kept.

use std::sync::{Mutex, PoisonError};

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi::tokio::runtime::Handle;
use napi_derive::napi;
use otlp_arrow::internal::Producer as _;
use otlp_arrow::{Code, OtlpError, OtlpLibrary};

use crate::error::{Outcome, outcome, signal};
use crate::ipc::Batches;
use crate::library::BindingOutcome;
use crate::pending::Entered;
use crate::runtime::{blocking, promise};

/// A call of `append` that is not answered yet: a shutdown waits for it.
#[napi]
pub struct BindingAppend {
    open: Mutex<Option<(OtlpLibrary, Entered)>>,
}

impl BindingAppend {
    pub(crate) fn new(library: OtlpLibrary, entered: Entered) -> Self {
        Self { open: Mutex::new(Some((library, entered))) }
    }

    fn take(&self) -> otlp_arrow::Result<(OtlpLibrary, Entered)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        open.ok_or_else(|| OtlpError::new(Code::Internal, "this call has ended"))
    }
}

#[napi]
impl BindingAppend {
    /// Keeps the rows of an Arrow IPC stream or file as one commit, and ends the call. The bytes are copied before this
    /// returns.
    #[napi(catch_unwind)]
    pub fn append<'env>(
        &self,
        env: &'env Env,
        signal_position: u32,
        ipc: &[u8],
    ) -> napi::Result<PromiseRaw<'env, Outcome<BindingOutcome>>> {
        let (open, ipc) = (self.take(), arrow_buffer::Buffer::from(ipc));
        promise(env, async move {
            // A table takes its time to be read and copied, which nobody else should wait for.
            let appended = blocking(move || {
                let (library, entered) = open?;
                let (read_from, batches) = (ipc.len(), Batches::of(ipc)?);
                let append = library.append_batches(signal(signal_position)?, read_from, batches);
                let done = Handle::current().block_on(append);
                drop(entered);
                done
            });
            outcome(appended.await.map(BindingOutcome::from))
        })
    }

    /// Ends the call without rows.
    #[napi(catch_unwind)]
    pub fn abandon(&self) {
        drop(self.take());
    }
}
