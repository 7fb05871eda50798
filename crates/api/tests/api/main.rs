//! Questions over HTTP to a recorder that runs, by a client of raw bytes.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

mod attacks;
mod documents;
mod forms;
mod questions;
mod recorder;
#[allow(dead_code, reason = "of the tests of questions")]
#[path = "../../../query/tests/query/sample.rs"]
mod sample;
mod support;
mod tail;
