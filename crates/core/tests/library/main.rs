//! The library from open to shutdown.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod corpus;
mod largest;
mod lifecycle;
mod opening;
mod support;
mod waiting;
mod warned;
