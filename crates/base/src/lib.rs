//! What every part of otlp-arrow shares and none owns: the error table, events, counters, the clock, and waiting.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

pub mod clock;
pub mod error;
pub mod event;
pub mod hops;
pub mod lock;
pub mod log_limit;
mod per_signal;
pub mod stats;
pub mod terminal;
pub mod wait;

pub use error::{Code, OtlpError, Result, Status, status_of};
pub use event::{Event, EventName, EventSink, Severity};
pub use per_signal::PerSignal;
