//! The objects of `opentelemetry_sdk` 0.33: encoded to OTLP directly, and exporters for its processors and readers.

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod equality;
mod exporters;
mod logs;
mod metrics;
mod spans;
mod values;
mod wait;
mod writer;

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use otlp_arrow_columns::Signal;

pub use exporters::{LogExporter, MetricExporter, SpanExporter};
pub(crate) use values::ResourceFields;
pub(crate) use wait::wait;

use crate::error::Result;
use crate::library::{ExportOutcome, OtlpLibrary};

/// About how large the next request of one kind will be: what the last one was.
#[derive(Debug, Default)]
pub(crate) struct Expected(AtomicUsize);

impl Expected {
    fn capacity(&self) -> usize {
        let last = self.0.load(Ordering::Relaxed);
        (last + last / 8).max(1024)
    }

    fn learn(&self, bytes: Vec<u8>) -> Bytes {
        self.0.store(bytes.len(), Ordering::Relaxed);
        bytes.into()
    }
}

impl OtlpLibrary {
    /// Keeps one finished span, with the resource of the configuration. See [`OtlpLibrary::export_otlp`].
    pub fn export_trace(&self, span: SpanData) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_otlp(Signal::Traces, spans::request(&[span], self.resource(), 1024).into())
    }

    /// Keeps finished spans, with the resource of the configuration. See [`OtlpLibrary::export_otlp`].
    pub fn export_traces(
        &self,
        spans: Vec<SpanData>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        let expected = self.expected(Signal::Traces);
        let bytes = expected.learn(spans::request(&spans, self.resource(), expected.capacity()));
        self.export_otlp(Signal::Traces, bytes)
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
        let expected = self.expected(Signal::Metrics);
        let (bytes, _) = metrics::request(metrics, expected.capacity());
        self.export_otlp(Signal::Metrics, expected.learn(bytes))
    }

    /// Keeps log records, with the resource of the configuration. See [`OtlpLibrary::export_otlp`].
    pub fn export_logs(
        &self,
        batch: &LogBatch<'_>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        let expected = self.expected(Signal::Logs);
        let (bytes, _) = logs::request(batch, self.resource(), expected.capacity());
        self.export_otlp(Signal::Logs, expected.learn(bytes))
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
