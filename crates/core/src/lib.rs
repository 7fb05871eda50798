//! An embeddable, crash-safe OpenTelemetry recorder: traces, metrics and logs kept as Apache Arrow files.
//!
//! See `ARCHITECTURE.md` for the map of this crate.
#![deny(unsafe_code)]

pub mod config;
pub mod destinations;
pub mod doors;
pub mod event_bus;
pub mod forward;
mod ingest;
#[doc(hidden)]
pub mod internal;
mod key;
pub mod library;
mod on_event;
mod outcome;
mod runtime;
#[cfg(test)]
mod vocabulary;

pub use config::Config;
pub use error::{Code, OtlpError, Result, Status, status_of};
pub use event::{Event, EventName, Severity};
pub use library::OtlpLibrary;
pub use library::builder::Builder;
use otlp_arrow_base::wait;
pub use otlp_arrow_base::{error, event, stats};
pub use otlp_arrow_columns::{Format, Signal};
pub use otlp_arrow_store as store;
pub use otlp_arrow_store::file as ipc;
pub use outcome::ExportOutcome;
