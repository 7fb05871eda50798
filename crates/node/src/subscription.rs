//! A durable position in what is committed, for JavaScript.

use std::sync::Arc;

use arrow_ipc::writer::StreamWriter;
use futures::StreamExt;
use futures::future::{Either, select};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi::tokio::sync::{Mutex, Notify};
use napi_derive::napi;
use otlp_arrow::Subscription;
use otlp_arrow::{Code, OtlpError, Result};

use crate::error::{Outcome, outcome};
use crate::runtime::{blocking, promise};

/// Batches as they are committed, at least once.
#[napi]
pub struct BindingSubscription {
    /// None once it is closed.
    inner: Arc<Mutex<Option<Subscription>>>,
    closing: Arc<Notify>,
}

impl BindingSubscription {
    pub fn new(inner: Subscription) -> Self {
        Self { inner: Arc::new(Mutex::new(Some(inner))), closing: Arc::default() }
    }
}

#[napi]
impl BindingSubscription {
    /// The next batch as one Arrow IPC stream; null when the library is shut down or this is closed.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome<Option<Buffer>>>> {
        let (inner, closing) = (Arc::clone(&self.inner), Arc::clone(&self.closing));
        promise(env, async move {
            let mut inner = inner.lock().await;
            let Some(subscription) = inner.as_mut() else { return outcome(Ok(None)) };
            let batch = match select(subscription.next(), Box::pin(closing.notified())).await {
                Either::Left((batch, _)) => batch,
                Either::Right(_) => None,
            };
            outcome(batch.transpose().and_then(|batch| batch.map(|batch| ipc(&batch)).transpose()))
        })
    }

    /// Everything handed out so far is done with.
    #[napi(catch_unwind)]
    pub fn ack<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let inner = Arc::clone(&self.inner);
        promise(env, async move {
            if let Some(subscription) = inner.lock().await.as_mut() {
                subscription.ack();
            }
        })
    }

    /// Ends it and writes its position; the name is free afterwards.
    #[napi(catch_unwind)]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome<()>>> {
        let inner = Arc::clone(&self.inner);
        // One permit is kept for a call of next() that is about to wait.
        self.closing.notify_one();
        promise(env, async move {
            let subscription = inner.lock().await.take();
            let close = move || {
                drop(subscription);
                Ok(())
            };
            outcome(blocking(close).await)
        })
    }
}

fn ipc(batch: &arrow_array::RecordBatch) -> Result<Buffer> {
    let unwritable =
        |error| OtlpError::with_source(Code::Internal, "a batch could not be written as an Arrow IPC stream", error);
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(unwritable)?;
    writer.write(batch).map_err(unwritable)?;
    writer.into_inner().map(Buffer::from).map_err(unwritable)
}
