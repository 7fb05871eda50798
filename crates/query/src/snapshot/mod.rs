//! Which files a question is about, decided once for all of it, and what is kept of files between questions.

mod cache;
mod file;
mod source;

pub use cache::Cache;
pub use file::{File, OpenFile};
pub use source::{Files, Source};
