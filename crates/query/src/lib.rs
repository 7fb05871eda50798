//! Questions about what a recorder keeps, answered from its files: while it runs, while another process runs it, or long
//! after.
//!
//! ```
//! use otlp_arrow_query::filter::Filter;
//! use otlp_arrow_query::questions::SearchQuestion;
//! use otlp_arrow_query::{Answer, Telemetry};
//!
//! # let directory = tempfile::tempdir().unwrap();
//! let telemetry = Telemetry::open(directory.path());
//! let filter = Filter::parse([("service", "checkout"), ("min_duration", "250ms"), ("from", "-1h")], telemetry.now())?;
//! let found = telemetry.ask(&SearchQuestion { filter })?;
//! for trace in &found.traces {
//!     println!("{} {} {} spans", trace.trace_id, trace.root_name, trace.spans);
//! }
//! assert!(found.searched.complete);
//! println!("{}", found.to_json()?);
//! # Ok::<(), otlp_arrow_base::OtlpError>(())
//! ```
//!
//! # How it is put together
//!
//! From the ground up, each room uses only those before it:
//!
//! - [`filter`]: what is asked for. One typed vocabulary, read from words and values, which is what command line flags, HTTP
//!   query strings and arguments of every language are.
//! - [`snapshot`]: which files, decided once for a question, and what is kept of files between questions.
//! - [`scan`]: goes through the blocks of files on threads that give way to recording: what an index rules out first
//!   ([`scan::Pruner`]), then the columns that decide, then the others where something matches. Bounded in time, memory and
//!   rows; whatever ends it early is told.
//! - [`index`]: what is known of sealed files without opening them.
//! - [`record`]: rows as typed values.
//! - [`figures`]: what data points and errors come to: increase, resets, quantiles, messages without their numbers. Pure.
//! - [`answer`]: what a question is answered with, and what was searched for it.
//! - [`questions`]: one file each, and the list [`questions::KINDS`].
//! - `text`: a trace as people and agents read it, the same for command line, API and tools.
//! - [`Stream`] and [`Tail`]: all that matches, and what comes, batch by batch.
//!
//! # To add a question
//!
//! 1. A file in `src/questions/` with a type for the question that implements [`Question`], a type for its answer that
//!    implements [`Answer`], and a `KIND`: its name, its own words and how it is made of them.
//! 2. `mod`, `pub use` and a line in [`questions::KINDS`]: with that [`Telemetry::ask_named`] knows it.
//! 3. A method in `src/methods.rs` and a line in `tests/query/languages/mod.rs`: with that TypeScript and Python have it.
//!
//! A question gathers over [`scan::Scan`]: a type that implements [`scan::Gather`] is made once for each thread, is given the
//! rows of each block that match, and what all of them gathered is put together at the end. Lists of records in the order of
//! time are [`answer::top`]. What it keeps it reserves with [`scan::Asking::hold`]; rows beyond `query.max_rows` it leaves
//! out and says so with [`scan::Asking::stop`].
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests"))]

pub mod answer;
pub mod figures;
pub mod filter;
pub mod index;
mod library;
mod maps;
mod methods;
pub mod questions;
pub mod record;
pub mod scan;
pub mod snapshot;
mod stream;
mod tail;
mod telemetry;
#[doc(hidden)]
pub mod text;

pub use answer::{Answer, Searched};
pub use filter::Filter;
pub use library::{Ask, Indexed};
pub use methods::Words;
pub use questions::Question;
pub use scan::AskOptions;
pub use stream::{Columns, Following, Size, Stream};
pub use tail::{Tail, TailCursor};
pub use telemetry::{Held, Telemetry};
