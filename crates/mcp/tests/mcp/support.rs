//! A directory with telemetry, and calls of tools over it.

use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use otlp_arrow::{Config, OtlpLibrary, Signal};
use otlp_arrow_mcp::internal::answer;
use otlp_arrow_query::{AskOptions, Telemetry};
use prost::Message;
use serde_json::Value;
use tempfile::TempDir;

/// When the first span starts.
pub(crate) const START: u64 = 1_795_000_000_000_000_000;
pub(crate) const MS: u64 = 1_000_000;

pub(crate) struct Kept {
    pub(crate) dir: TempDir,
    pub(crate) telemetry: Telemetry,
}

impl Kept {
    /// What is kept of these requests.
    pub(crate) fn of(requests: impl IntoIterator<Item = (Signal, Vec<u8>)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
        config.storage.min_free_bytes = 0;
        let library = OtlpLibrary::builder(config).open().unwrap();
        for (signal, request) in requests {
            export(&library, signal, request);
        }
        library.shutdown_blocking(None).unwrap();
        Self { telemetry: Telemetry::open(dir.path()), dir }
    }

    /// What the tool answers; an error as its text.
    pub(crate) fn call(&self, tool: &str, given: Value) -> Result<String, String> {
        call(self.dir.path(), &self.telemetry, tool, &given)
    }
}

pub(crate) fn call(dir: &Path, telemetry: &Telemetry, tool: &str, given: &Value) -> Result<String, String> {
    answer(dir, telemetry, tool, given, &AskOptions::default()).map_err(|error| error.message().to_owned())
}

fn export(library: &OtlpLibrary, signal: Signal, request: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(library.export_otlp(signal, request.into())).unwrap();
}

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

pub(crate) fn id(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// A span of a trace: number, number of its parent (0 is none), name, start and length in microseconds, error.
pub(crate) fn span(trace: u8, number: u64, parent: u64, name: &str, at: (u64, u64), error: Option<&str>) -> Span {
    let start = START + at.0 * 1_000;
    Span {
        trace_id: vec![trace; 16],
        span_id: id(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        parent_span_id: if parent == 0 { Vec::new() } else { id(parent.wrapping_mul(0x9e37_79b9_7f4a_7c15)) },
        name: name.into(),
        kind: span::SpanKind::Internal as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + at.1 * 1_000,
        status: error.map(|message| Status { code: 2, message: message.into() }),
        ..Default::default()
    }
}

pub(crate) fn spans(service: &str, spans: Vec<Span>) -> (Signal, Vec<u8>) {
    let resource = Resource { attributes: vec![text("service.name", service)], ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    (Signal::Traces, ExportTraceServiceRequest { resource_spans }.encode_to_vec())
}

pub(crate) fn logs(service: &str, bodies: &[(u64, i32, String)], trace: Option<u8>) -> (Signal, Vec<u8>) {
    let record = |(at, severity, body): &(u64, i32, String)| LogRecord {
        time_unix_nano: START + at * 1_000,
        severity_number: *severity,
        body: Some(AnyValue { value: Some(any_value::Value::StringValue(body.clone())) }),
        trace_id: trace.map(|trace| vec![trace; 16]).unwrap_or_default(),
        ..Default::default()
    };
    let resource = Resource { attributes: vec![text("service.name", service)], ..Default::default() };
    let scope_logs = vec![ScopeLogs { log_records: bodies.iter().map(record).collect(), ..Default::default() }];
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs, ..Default::default() }];
    (Signal::Logs, ExportLogsServiceRequest { resource_logs }.encode_to_vec())
}

/// So many gauges of one name, each with another attribute.
pub(crate) fn gauges(name: &str, series: usize) -> (Signal, Vec<u8>) {
    let point = |at: usize| NumberDataPoint {
        attributes: vec![text("host", &format!("host-{at}"))],
        time_unix_nano: START + MS * at as u64,
        value: Some(number_data_point::Value::AsDouble(at as f64)),
        ..Default::default()
    };
    let gauge = Gauge { data_points: (0..series).map(point).collect() };
    let metric = Metric { name: name.into(), data: Some(metric::Data::Gauge(gauge)), ..Default::default() };
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    let resource = Resource { attributes: vec![text("service.name", "shop")], ..Default::default() };
    let resource_metrics = vec![ResourceMetrics { resource: Some(resource), scope_metrics, ..Default::default() }];
    (Signal::Metrics, ExportMetricsServiceRequest { resource_metrics }.encode_to_vec())
}
