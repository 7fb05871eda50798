//! `LogBatch` as `ExportLogsServiceRequest`.

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord};

use crate::values::{belongs, group, log_attribute, log_value, nanos, same_scope, scope};
use otlp_arrow_wire::Writer;

/// The name a record's scope is written with: its target if it has one.
fn scope_name<'a>(record: &'a SdkLogRecord, scope: &'a InstrumentationScope) -> &'a str {
    record.target().map_or(scope.name(), |target| target)
}

/// One request of these records. `capacity` is about how many bytes it will take.
pub(super) fn request(batch: &LogBatch<'_>, resource: &[u8], capacity: usize) -> Vec<u8> {
    if batch.iter().next().is_none() {
        return Vec::new();
    }
    let keys = batch.iter().map(|(record, scope)| (scope_name(record, scope), scope));
    // The scope's own name does not matter where the target takes its place.
    let same = |one: (&str, &InstrumentationScope), other: (&str, &InstrumentationScope)| {
        one.0 == other.0 && same_scope(one.1, other.1)
    };
    let (scopes, positions) = group(keys, same);
    let mut out = Writer::with_capacity(capacity);
    out.nest(1, 3, |out| {
        out.raw(resource);
        for (position, (name, of)) in scopes.iter().enumerate() {
            out.nest(2, 3, |out| {
                scope(of, name, out);
                for (index, (data, _)) in batch.iter().enumerate() {
                    if belongs(&positions, index, position) {
                        out.nest(2, 2, |out| record(data, out));
                    }
                }
                out.text(3, of.schema_url().unwrap_or_default());
            });
        }
    });
    out.finish()
}

fn record(data: &SdkLogRecord, out: &mut Writer) {
    out.fixed64(1, data.timestamp().map_or(0, nanos));
    out.uint(2, data.severity_number().map_or(0, |severity| severity as u64));
    out.text(3, data.severity_text().unwrap_or_default());
    if let Some(body) = data.body() {
        log_value(5, body, out);
    }
    for (key, value) in data.attributes_iter() {
        log_attribute(6, key.as_str(), value, out);
    }
    if let Some(context) = data.trace_context() {
        out.fixed32(8, context.trace_flags.map_or(0, |flags| u32::from(flags.to_u8())));
        out.bytes_always(9, &context.trace_id.to_bytes());
        out.bytes_always(10, &context.span_id.to_bytes());
    }
    out.fixed64(11, data.observed_timestamp().map_or(0, nanos));
    out.text(12, data.event_name().unwrap_or_default());
}
