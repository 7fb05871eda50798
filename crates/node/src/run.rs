//! The command line, and the version.

use std::panic::catch_unwind;

use futures::channel::oneshot;
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::runtime::promise;

/// The version of the package this addon was built for: one copied from elsewhere may be of another.
#[napi(catch_unwind)]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Exit code after a panic, the same as that of a Rust program.
const PANICKED: i32 = 101;

/// Runs one command to its end, on a thread of its own, and resolves to the exit code. `arguments` are those after the
/// program's name.
#[napi(catch_unwind)]
pub(crate) fn run(env: &Env, arguments: Vec<String>) -> napi::Result<PromiseRaw<'_, i32>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new().name("otlp-arrow-cli".into()).spawn(move || {
        // The receiver is gone only when the process is.
        let _ = sender.send(catch_unwind(|| otlp_arrow_cli::run(arguments)).unwrap_or(PANICKED));
    })?;
    promise(env, async move { receiver.await.unwrap_or(PANICKED) })
}
