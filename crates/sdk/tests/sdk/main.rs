//! The Rust SDK's processors and readers over our exporters: what they are told, and what is in the files afterwards.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod lifecycle;
mod many;
mod tracing;
mod waiting;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use otlp_arrow::ReadOptions;
use otlp_arrow::{Config, Format, OtlpLibrary, Signal};
use otlp_arrow_sdk::OtlpLibraryExt as _;
use prost::Message;

/// A library over `dir`.
fn open(dir: &Path) -> OtlpLibrary {
    open_with(dir, |_| {})
}

fn open_with(dir: &Path, change: impl FnOnce(&mut Config)) -> OtlpLibrary {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    change(&mut config);
    OtlpLibrary::open(config).unwrap()
}

fn span(name: impl Into<String>) -> SpanData {
    SpanData {
        span_context: SpanContext::new(
            TraceId::from(1),
            SpanId::from(2),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: name.into().into(),
        start_time: std::time::SystemTime::now(),
        end_time: std::time::SystemTime::now(),
        attributes: vec![KeyValue::new("k", 1)],
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::builder("test").build(),
    }
}

/// What is kept of one signal, as one OTLP request.
fn kept<M: Message + Default>(library: &OtlpLibrary, signal: Signal) -> M {
    let batches: Vec<_> = library.read(signal, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    let bytes = otlp_arrow_columns::encode(signal, &batches, Format::Protobuf).unwrap();
    M::decode(&bytes[..]).unwrap()
}

/// The names of the spans that are kept and how often each is there.
fn spans(library: &OtlpLibrary) -> BTreeMap<String, usize> {
    let request: ExportTraceServiceRequest = kept(library, Signal::Traces);
    let mut names = BTreeMap::new();
    for span in request.resource_spans.iter().flat_map(|of| &of.scope_spans).flat_map(|of| &of.spans) {
        *names.entry(span.name.clone()).or_default() += 1;
    }
    names
}

/// The text bodies of the log records that are kept and how often each is there.
fn bodies(library: &OtlpLibrary) -> BTreeMap<String, usize> {
    let request: ExportLogsServiceRequest = kept(library, Signal::Logs);
    let mut bodies = BTreeMap::new();
    for record in request.resource_logs.iter().flat_map(|of| &of.scope_logs).flat_map(|of| &of.log_records) {
        let body = record.body.clone().and_then(|body| body.value);
        let Some(Value::StringValue(text)) = body else { panic!("a text: {body:?}") };
        *bodies.entry(text).or_default() += 1;
    }
    bodies
}

/// The `n` attributes of the points of sums that are kept and how often each is there.
fn points(library: &OtlpLibrary) -> BTreeMap<i64, usize> {
    let request: ExportMetricsServiceRequest = kept(library, Signal::Metrics);
    let mut numbers = BTreeMap::new();
    let metrics = request.resource_metrics.iter().flat_map(|of| &of.scope_metrics).flat_map(|of| &of.metrics);
    for metric in metrics {
        let Some(Data::Sum(sum)) = &metric.data else { panic!("a sum: {metric:?}") };
        for point in &sum.data_points {
            let value = point.attributes.iter().find(|pair| pair.key == "n").and_then(|pair| pair.value.clone());
            let Some(Value::IntValue(number)) = value.and_then(|value| value.value) else { panic!("a number") };
            *numbers.entry(number).or_default() += 1;
        }
    }
    numbers
}

/// Names that are each there once.
fn once<T: Ord>(names: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    names.into_iter().map(|name| (name, 1)).collect()
}

/// Waits for a condition, for at most ten seconds.
fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the condition did not come true within ten seconds");
}
