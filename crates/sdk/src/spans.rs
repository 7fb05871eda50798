//! `SpanData` as `ExportTraceServiceRequest`.

use opentelemetry::SpanId;
use opentelemetry::trace::{SpanContext, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use crate::values::{attributes, belongs, group, nanos, same_scope, scope};
use otlp_arrow_wire::Writer;

/// Set on every span and link: whether the parent is remote is known.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// One request of these spans. `capacity` is about how many bytes it will take.
pub(super) fn request(spans: &[SpanData], resource: &[u8], capacity: usize) -> Vec<u8> {
    if spans.is_empty() {
        return Vec::new();
    }
    let (scopes, positions) = group(spans.iter().map(|span| &span.instrumentation_scope), same_scope);
    let mut out = Writer::with_capacity(capacity);
    out.nest(1, 3, |out| {
        out.raw(resource);
        for (position, of) in scopes.iter().enumerate() {
            out.nest(2, 3, |out| {
                scope(of, of.name(), out);
                for (index, data) in spans.iter().enumerate() {
                    if belongs(&positions, index, position) {
                        out.nest(2, 2, |out| span(data, out));
                    }
                }
                out.text(3, of.schema_url().unwrap_or_default());
            });
        }
    });
    out.finish()
}

fn flags(remote: bool, context: &SpanContext) -> u32 {
    let remote = if remote { IS_REMOTE } else { 0 };
    u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn span(data: &SpanData, out: &mut Writer) {
    let context = &data.span_context;
    out.bytes_always(1, &context.trace_id().to_bytes());
    out.bytes_always(2, &context.span_id().to_bytes());
    out.text(3, &context.trace_state().header());
    if data.parent_span_id != SpanId::INVALID {
        out.bytes_always(4, &data.parent_span_id.to_bytes());
    }
    out.text(5, &data.name);
    out.uint(6, kind(&data.span_kind));
    out.fixed64(7, nanos(data.start_time));
    out.fixed64(8, nanos(data.end_time));
    attributes(9, &data.attributes, out);
    out.uint(10, u64::from(data.dropped_attributes_count));
    for event in data.events.iter() {
        out.nest(11, 1, |out| {
            out.fixed64(1, nanos(event.timestamp));
            out.text(2, &event.name);
            attributes(3, &event.attributes, out);
            out.uint(4, u64::from(event.dropped_attributes_count));
        });
    }
    out.uint(12, u64::from(data.events.dropped_count));
    for link in data.links.iter() {
        let context = &link.span_context;
        out.nest(13, 1, |out| {
            out.bytes_always(1, &context.trace_id().to_bytes());
            out.bytes_always(2, &context.span_id().to_bytes());
            out.text(3, &context.trace_state().header());
            attributes(4, &link.attributes, out);
            out.uint(5, u64::from(link.dropped_attributes_count));
            out.fixed32(6, flags(context.is_remote(), context));
        });
    }
    out.uint(14, u64::from(data.links.dropped_count));
    out.nest(15, 1, |out| match &data.status {
        Status::Unset => {}
        Status::Ok => out.uint(3, 1),
        Status::Error { description } => {
            out.text(2, description);
            out.uint(3, 2);
        }
    });
    out.fixed32(16, flags(data.parent_span_is_remote, context));
}
