//! The library from open to shutdown.
#![allow(clippy::unwrap_used, reason = "tests")]

mod lifecycle;
mod opening;
mod support;
