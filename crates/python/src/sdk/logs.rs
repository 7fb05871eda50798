//! `ReadableLogRecord` to `opentelemetry.proto.logs.v1.LogRecord`.

use pyo3::intern;
use pyo3::prelude::*;

use otlp_arrow_wire::Writer;

use super::Failure;
use super::group::Groups;
use super::ids::{enum_number, nanos, span_id, text, trace_id};
use super::types::BOUNDED_ATTRIBUTES;
use super::value::{any_value, attributes};

mod log {
    pub(super) const TIME: u32 = 1;
    pub(super) const SEVERITY_NUMBER: u32 = 2;
    pub(super) const SEVERITY_TEXT: u32 = 3;
    pub(super) const BODY: u32 = 5;
    pub(super) const ATTRIBUTES: u32 = 6;
    pub(super) const DROPPED_ATTRIBUTES_COUNT: u32 = 7;
    pub(super) const FLAGS: u32 = 8;
    pub(super) const TRACE_ID: u32 = 9;
    pub(super) const SPAN_ID: u32 = 10;
    pub(super) const OBSERVED_TIME: u32 = 11;
    pub(super) const EVENT_NAME: u32 = 12;
}

/// Appends one log record to its group; nothing of it stays there if it cannot be written whole.
pub(super) fn encode<'py>(record: &Bound<'py, PyAny>, groups: &mut Groups<'py, '_>) -> Result<(), Failure> {
    const LOG_RECORDS: u32 = 2;
    let py = record.py();
    let resource = record.getattr(intern!(py, "resource"))?;
    let scope = record.getattr(intern!(py, "instrumentation_scope"))?;
    let writer = groups.records(&resource, &scope)?;
    let mark = writer.mark();
    let message = writer.open(LOG_RECORDS, 2);
    match content(writer, record) {
        Ok(()) => writer.close(message),
        Err(failure) => {
            writer.rewind(mark);
            return Err(failure);
        }
    }
    Ok(())
}

fn content(writer: &mut Writer, record: &Bound<'_, PyAny>) -> Result<(), Failure> {
    let py = record.py();
    let log = record.getattr(intern!(py, "log_record"))?;
    writer.fixed64(log::TIME, nanos(&log.getattr(intern!(py, "timestamp"))?)?);
    writer.uint(log::SEVERITY_NUMBER, enum_number(&log.getattr(intern!(py, "severity_number"))?)? as u64);
    text(writer, log::SEVERITY_TEXT, &log.getattr(intern!(py, "severity_text"))?)?;
    any_value(writer, log::BODY, &log.getattr(intern!(py, "body"))?)?;
    let mapping = log.getattr(intern!(py, "attributes"))?;
    let left_out = attributes(writer, log::ATTRIBUTES, &mapping)?;
    let dropped: u32 = if BOUNDED_ATTRIBUTES.is(&mapping) {
        mapping.getattr(intern!(py, "dropped"))?.extract()?
    } else {
        record.getattr_opt(intern!(py, "dropped_attributes"))?.map_or(Ok(0), |count| count.extract())?
    };
    writer.uint(log::DROPPED_ATTRIBUTES_COUNT, u64::from(dropped) + u64::from(left_out));
    let flags = log.getattr(intern!(py, "trace_flags"))?;
    if !flags.is_none() {
        writer.fixed32(log::FLAGS, flags.extract()?);
    }
    let trace = log.getattr(intern!(py, "trace_id"))?;
    if trace.is_truthy()? {
        writer.bytes_always(log::TRACE_ID, &trace_id(&trace)?);
    }
    let span = log.getattr(intern!(py, "span_id"))?;
    if span.is_truthy()? {
        writer.bytes_always(log::SPAN_ID, &span_id(&span)?);
    }
    writer.fixed64(log::OBSERVED_TIME, nanos(&log.getattr(intern!(py, "observed_timestamp"))?)?);
    text(writer, log::EVENT_NAME, &log.getattr(intern!(py, "event_name"))?)?;
    Ok(())
}
