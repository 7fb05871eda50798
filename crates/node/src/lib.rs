//! The Node.js addon: converts types and errors between JavaScript and the core. No policy lives here.
//!
//! Everything that crosses is named `Binding*` and is wrapped once more in `ts/src`; nothing here is public API.
//! Failures cross as a `error::BindingError` value in a union with the result, because napi keeps no error code of an
//! async function.
#![expect(missing_debug_implementations, reason = "JavaScript holds these values; nobody prints them in Rust")]

mod append;
mod ask;
mod convert;
mod error;
mod ipc;
mod library;
mod pending;
mod pieces;
mod reader;
mod run;
mod runtime;
mod subscription;
