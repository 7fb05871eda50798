//! The example with `tracing`, run as it stands.

use super::*;

#[path = "../../examples/tracing.rs"]
#[allow(dead_code, unreachable_pub, reason = "its main is for people")]
mod example;

#[test]
fn spans_of_the_tracing_example_are_kept_with_their_fields_and_parents() {
    let dir = tempfile::tempdir().unwrap();
    example::record(dir.path()).unwrap();
    let library = open(dir.path());
    let request: ExportTraceServiceRequest = kept(&library, Signal::Traces);
    let spans: Vec<_> = request.resource_spans.iter().flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans).collect();
    let named =
        |name: &str| *spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let (order, payment) = (named("order"), named("payment"));
    assert_eq!((&payment.trace_id, &payment.parent_span_id), (&order.trace_id, &order.span_id));
    let item = order.attributes.iter().find(|pair| pair.key == "item").and_then(|pair| pair.value.clone());
    assert_eq!(item.and_then(|value| value.value), Some(Value::StringValue("teapot".into())));
    assert_eq!(payment.events.len(), 1, "a tracing event within a span is a span event");
}
