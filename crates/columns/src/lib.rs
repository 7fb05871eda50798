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

mod batch;
mod column;
mod counts;
mod decode;
mod encode;
pub mod json;
mod names;
pub mod otap;
mod outcome;
mod parse;
mod payload;
mod render;
pub mod schema;
mod sink;
mod text;

pub use otlp_arrow_wire::{Format, Signal, UnknownName};

pub use batch::{BatchError, CheckedBatches, StoredBatch, check_batches};
pub use decode::plan::Checked;
pub use decode::{BatchBuilder, check};
pub use encode::{EncodeError, encode_protobuf};
pub use outcome::{DecodeError, Limits, Reason, Refusal, Refused};
pub use payload::Payload;
pub use schema::schema;
pub use sink::ColumnSink;

use std::borrow::Cow;

use arrow_array::RecordBatch;

/// One request as columns.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Its records, one row each: spans, data points or log records, in schema v1.
    pub batch: RecordBatch,
    /// The records that are not in it, because they are invalid.
    pub refused: Refused,
}

/// Turns one OTLP export request into a record batch, within the default [`Limits`].
///
/// # Errors
/// [`DecodeError`] when the bytes are not such a request, or would take too much memory. Invalid records do not fail:
/// they are left out and counted.
pub fn decode(signal: Signal, bytes: &[u8], format: Format) -> Result<Decoded, DecodeError> {
    let limits = Limits::default();
    let bytes = match format {
        Format::Protobuf => Cow::Borrowed(bytes),
        Format::Json => Cow::Owned(json::to_remarked_protobuf(signal, bytes, &limits)?),
    };
    let checked = check(signal, &bytes, &limits)?;
    let mut builder = BatchBuilder::new(signal);
    builder.append(&bytes, &checked);
    let mut refused = checked.refused;
    if refused.first.is_none() {
        refused.detail = checked.warning;
    }
    Ok(Decoded { batch: builder.finish(), refused })
}

/// Turns record batches of schema v1 into one OTLP export request; JSON is compact, on one line. Columns may be in the
/// types that other programs give them, such as the large and view forms of text.
///
/// # Errors
/// [`EncodeError`] when a column is missing, has a wrong type, or holds a value that [`decode`] never makes.
pub fn encode(signal: Signal, batches: &[RecordBatch], format: Format) -> Result<Vec<u8>, EncodeError> {
    let protobuf = encode_protobuf(signal, &encode::in_own_types(signal, batches)?)?;
    match format {
        Format::Protobuf => Ok(protobuf),
        Format::Json => json::from_protobuf(signal, &protobuf)
            .map_err(|error| EncodeError::Unwritable { message: format!("as JSON: {error}") }),
    }
}
