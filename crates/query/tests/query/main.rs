//! Questions to directories that a recorder wrote, against what was sent.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

mod documents;
mod errors;
mod lists;
mod metrics_sample;
mod sample;
mod series;
mod traces;
mod trouble;
