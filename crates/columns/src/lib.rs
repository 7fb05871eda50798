//! OTLP wire formats to Apache Arrow record batches and back.
//!
//! Everything here is a pure function: no I/O, no clock, no async, no threads, no `unsafe`.
//!
//! The way in has two passes. [`check`] walks the wire bytes once, refuses what OTLP calls invalid and counts exactly
//! what the columns will need; [`BatchBuilder::append`] walks them again and cannot fail half-way. Several requests may
//! be appended to one builder, which is how a group commit becomes one record batch without concatenation.
//!
//! [`decode`] and [`encode`] are the convenient whole-message forms. OTLP/JSON is transcoded to and from OTLP protobuf
//! ([`json`]), so both encodings obey the same rules.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests"))]

mod column;
mod decode;
mod encode;
pub mod json;
mod outcome;
mod put;
mod render;
pub mod schema;
mod signal;
mod wire;

pub use decode::{BatchBuilder, check};
pub use encode::{EncodeError, encode_protobuf};
pub use outcome::{Checked, DecodeError, Limits, Reason, Refusal, Refused};
pub use schema::schema;
pub use signal::{Format, Signal, UnknownName};
