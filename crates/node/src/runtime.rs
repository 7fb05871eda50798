//! The threads that promises are settled from.

use std::future::Future;

use napi::bindgen_prelude::{PromiseRaw, ToNapiValue, create_custom_tokio_runtime};
use napi::{Env, Result};
use otlp_arrow::{Code, OtlpError};

/// One thread suffices: it waits for the core and settles promises. Work that blocks goes to the blocking pool.
#[napi_derive::module_init]
fn init() {
    let runtime = napi::tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(16)
        .thread_name("otlp-arrow-napi")
        .enable_all()
        .build();
    // Without it napi makes one of its own.
    if let Ok(runtime) = runtime {
        create_custom_tokio_runtime(runtime);
    }
}

/// A promise of what `future` resolves to. It keeps the event loop alive until it is settled.
pub(crate) fn promise<T, F>(env: &Env, future: F) -> Result<PromiseRaw<'_, T>>
where
    T: ToNapiValue + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    env.spawn_future(async move { Ok(future.await) })
}

/// Runs what blocks on a thread of its own; a panic there is INTERNAL.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> otlp_arrow::Result<T> + Send + 'static,
) -> otlp_arrow::Result<T> {
    match napi::tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(OtlpError::with_source(Code::Internal, "a call ended in a panic: please report it", error)),
    }
}
