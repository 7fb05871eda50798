//! OpenTelemetry SDK objects to OTLP protobuf bytes.
//!
//! The objects are walked once per batch, attached to the interpreter; what comes out is bytes, and everything after
//! that runs detached. The content is that of the SDK's own OTLP encoder, with what that one loses added: the trace
//! state of links, integers beyond 64 bits (as decimal text, as OpenTelemetry's attribute mapping says), values of
//! foreign types (as their `str`).

mod failure;
mod group;
mod ids;
mod logs;
mod metrics;
mod spans;
mod types;
mod value;

use pyo3::prelude::*;

pub(crate) use failure::Encoded;
use failure::{Failure, LeftOut, MAX_NESTING};
pub(crate) use group::DefaultResource;
use group::Groups;

/// Encodes a sequence of `ReadableSpan`.
pub(crate) fn encode_spans(spans: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    encode_each(spans, default, spans::encode)
}

/// Encodes a sequence of `ReadableLogRecord`.
pub(crate) fn encode_logs(records: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    encode_each(records, default, logs::encode)
}

/// Encodes a `MetricsData`.
pub(crate) fn encode_metrics(data: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    metrics::encode(data, default)
}

fn encode_each<'py>(
    records: &Bound<'py, PyAny>,
    default: &DefaultResource,
    mut encode: impl FnMut(&Bound<'py, PyAny>, &mut Groups<'py, '_>) -> Result<(), Failure>,
) -> PyResult<Encoded> {
    let mut groups = Groups::new(records.len().unwrap_or(0), default);
    let mut left_out = LeftOut::default();
    for record in records.try_iter()? {
        match encode(&record?, &mut groups) {
            Ok(()) => left_out.written += 1,
            Err(failure) => left_out.add(records.py(), 1, failure)?,
        }
    }
    Ok(left_out.encoded(groups.finish()))
}
