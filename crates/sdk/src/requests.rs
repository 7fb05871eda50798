//! One OTLP request of SDK objects, in a buffer of about the right size.

use bytes::Bytes;
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use otlp_arrow::internal::ExpectedSize;

use crate::{logs, metrics, spans};

pub(crate) fn of_spans(expected: &ExpectedSize, spans: &[SpanData], resource: &[u8]) -> Bytes {
    expected.learn(spans::request(spans, resource, expected.capacity(spans.len())), spans.len())
}

/// One request and how many points it holds.
pub(crate) fn of_metrics(expected: &ExpectedSize, metrics: &ResourceMetrics) -> (Bytes, u64) {
    let points = metrics::points(metrics);
    (expected.learn(metrics::request(metrics, expected.capacity(points)), points), points as u64)
}

/// One request and how many records it holds.
pub(crate) fn of_logs(expected: &ExpectedSize, batch: &LogBatch<'_>, resource: &[u8]) -> (Bytes, u64) {
    let records = batch.iter().count();
    (expected.learn(logs::request(batch, resource, expected.capacity(records)), records), records as u64)
}
