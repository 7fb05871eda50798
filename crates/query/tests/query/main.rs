//! Questions to directories that a recorder wrote, against what was sent.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

mod calls;
mod compare;
mod documents;
mod errors;
mod index;
mod languages;
mod lists;
mod map;
mod methods;
mod metrics_sample;
mod prometheus;
mod sample;
mod series;
mod streams;
mod traces;
mod trouble;
