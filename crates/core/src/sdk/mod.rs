//! The objects of `opentelemetry_sdk` 0.33: encoded to OTLP directly, and exporters for its processors and readers.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod equality;
mod exporters;
mod logs;
mod metrics;
mod spans;
mod values;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use otlp_arrow_columns::Signal;

pub use exporters::{LogExporter, MetricExporter, SpanExporter};
pub(crate) use values::ResourceFields;

use crate::error::Result;
use crate::library::{ExportOutcome, OtlpLibrary};

/// About how large the next request of one kind will be, from what the last one took for each record.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    bytes_per_record: AtomicUsize,
}

/// Before the first request.
const BYTES_PER_RECORD: usize = 256;

impl Expected {
    /// Room for so many records, with an eighth to spare.
    fn capacity(&self, records: usize) -> usize {
        let each = match self.bytes_per_record.load(Ordering::Relaxed) {
            0 => BYTES_PER_RECORD,
            known => known,
        };
        512 + records.saturating_mul(each + each / 8)
    }

    fn learn(&self, bytes: Vec<u8>, records: usize) -> Bytes {
        if let Some(each) = bytes.len().checked_div(records) {
            self.bytes_per_record.store(each, Ordering::Relaxed);
        }
        bytes.into()
    }

    fn spans(&self, spans: &[SpanData], resource: &ResourceFields) -> Bytes {
        self.learn(spans::request(spans, resource, self.capacity(spans.len())), spans.len())
    }

    /// One request and how many points it holds.
    fn metrics(&self, metrics: &ResourceMetrics) -> (Bytes, u64) {
        let points = metrics::points(metrics);
        (self.learn(metrics::request(metrics, self.capacity(points)), points), points as u64)
    }

    /// One request and how many records it holds.
    fn logs(&self, batch: &LogBatch<'_>, resource: &ResourceFields) -> (Bytes, u64) {
        let records = batch.iter().count();
        (self.learn(logs::request(batch, resource, self.capacity(records)), records), records as u64)
    }
}

impl OtlpLibrary {
    /// Keeps one finished span, with the resource of the configuration. See [`OtlpLibrary::export_otlp`].
    pub fn export_trace(&self, span: SpanData) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_otlp(Signal::Traces, self.expected(Signal::Traces).spans(&[span], self.resource()))
    }

    /// Keeps finished spans, with the resource of the configuration. See [`OtlpLibrary::export_otlp`].
    pub fn export_traces(
        &self,
        spans: Vec<SpanData>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_otlp(Signal::Traces, self.expected(Signal::Traces).spans(&spans, self.resource()))
    }

    /// Keeps collected metrics, with the resource they carry. See [`OtlpLibrary::export_otlp`].
    pub fn export_metrics(
        &self,
        metrics: ResourceMetrics,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_metrics_ref(&metrics)
    }

    /// [`OtlpLibrary::export_metrics`] of metrics that stay with the caller. Nothing of them is copied but into the
    /// one buffer that is kept.
    pub fn export_metrics_ref(
        &self,
        metrics: &ResourceMetrics,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_otlp(Signal::Metrics, self.expected(Signal::Metrics).metrics(metrics).0)
    }

    /// Keeps log records, with the resource of the configuration. See [`OtlpLibrary::export_otlp`].
    pub fn export_logs(
        &self,
        batch: &LogBatch<'_>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_otlp(Signal::Logs, self.expected(Signal::Logs).logs(batch, self.resource()).0)
    }

    /// An exporter for span processors. It keeps the library alive.
    pub fn span_exporter(&self) -> SpanExporter {
        SpanExporter::new(self.clone())
    }

    /// An exporter for metric readers. It keeps the library alive.
    pub fn metric_exporter(&self) -> MetricExporter {
        MetricExporter::new(self.clone())
    }

    /// An exporter for log processors. It keeps the library alive.
    pub fn log_exporter(&self) -> LogExporter {
        LogExporter::new(self.clone())
    }
}
