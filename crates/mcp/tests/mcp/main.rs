//! The tools as an agent gets them: what fits, what is quoted, what stops, and who is answered.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "tests")]

mod caps;
mod door;
mod hostile;
mod support;
mod waiting;
