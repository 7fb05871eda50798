//! What this crate adds to the recorder.

use std::future::Future;

use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use otlp_arrow::internal::Producer as _;
use otlp_arrow::{ExportOutcome, OtlpLibrary, Result, Signal};

use crate::exporters::{LogExporter, MetricExporter, SpanExporter};
use crate::requests;

mod sealed {
    pub trait Sealed {}
    impl Sealed for otlp_arrow::OtlpLibrary {}
}

/// SDK objects in, and exporters for the processors and readers of the SDK: what [`OtlpLibrary`] can do with this crate.
///
/// The `export_…` calls answer as [`OtlpLibrary::export_otlp`] does: at the configured durability, or at once with an error that
/// says whether to try again. Exporters wait for room instead.
pub trait OtlpLibraryExt: sealed::Sealed {
    /// Keeps one finished span, with the resource of the configuration.
    fn export_trace(&self, span: SpanData) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<Self>;

    /// Keeps finished spans, with the resource of the configuration.
    fn export_traces(
        &self,
        spans: Vec<SpanData>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<Self>;

    /// Keeps collected metrics, with the resource they carry.
    fn export_metrics(
        &self,
        metrics: ResourceMetrics,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<Self>;

    /// [`OtlpLibraryExt::export_metrics`] of metrics that stay with the caller. Nothing of them is copied but into the
    /// one buffer that is kept.
    fn export_metrics_ref(
        &self,
        metrics: &ResourceMetrics,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<Self>;

    /// Keeps log records, with the resource of the configuration.
    fn export_logs(
        &self,
        batch: &LogBatch<'_>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<Self>;

    /// An exporter for span processors. It keeps the library open.
    fn span_exporter(&self) -> SpanExporter;

    /// An exporter for metric readers. It keeps the library open.
    fn metric_exporter(&self) -> MetricExporter;

    /// An exporter for log processors. It keeps the library open.
    fn log_exporter(&self) -> LogExporter;
}

impl OtlpLibraryExt for OtlpLibrary {
    fn export_trace(&self, span: SpanData) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        traces(self, &[span])
    }

    fn export_traces(
        &self,
        spans: Vec<SpanData>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        traces(self, &spans)
    }

    fn export_metrics(
        &self,
        metrics: ResourceMetrics,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_metrics_ref(&metrics)
    }

    fn export_metrics_ref(
        &self,
        metrics: &ResourceMetrics,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        let (bytes, _) = requests::of_metrics(&self.encoding().expected[Signal::Metrics], metrics);
        self.export_otlp(Signal::Metrics, bytes)
    }

    fn export_logs(
        &self,
        batch: &LogBatch<'_>,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        let encoding = self.encoding();
        let (bytes, _) = requests::of_logs(&encoding.expected[Signal::Logs], batch, &encoding.resource);
        self.export_otlp(Signal::Logs, bytes)
    }

    fn span_exporter(&self) -> SpanExporter {
        SpanExporter::new(self.clone())
    }

    fn metric_exporter(&self) -> MetricExporter {
        MetricExporter::new(self.clone())
    }

    fn log_exporter(&self) -> LogExporter {
        LogExporter::new(self.clone())
    }
}

fn traces(
    library: &OtlpLibrary,
    spans: &[SpanData],
) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
    let encoding = library.encoding();
    library
        .export_otlp(Signal::Traces, requests::of_spans(&encoding.expected[Signal::Traces], spans, &encoding.resource))
}
