//! Exporters for the processors and readers of `opentelemetry_sdk`.
//!
//! For a processor that gathers they wait for room instead of failing, because it drops a batch whose export failed; a thread
//! of the program they hold for a moment only (docs/adr/0014). They need no Tokio context, and their shutdown leaves the
//! library to its owner.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::LogBatch;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;

use otlp_arrow::internal::{ExpectedSize, Export, Producer as _, Waiter};
use otlp_arrow::{Code, ExportOutcome, OtlpError, OtlpLibrary, Result, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::event::Severity;
use otlp_arrow_base::wait::{after, block_until};

use crate::{requests, values};

/// What an export may take when nothing says otherwise: the SDK's own default.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What `force_flush` may take: the SDK names no time.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// Refused records are logged this often at most.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What the three exporters share.
struct Way {
    library: OtlpLibrary,
    signal: Signal,
    timeout: Duration,
    /// Whether somebody chose the timeout for this exporter.
    chosen: bool,
    expected: ExpectedSize,
    closed: AtomicBool,
    warned: Mutex<Option<Instant>>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("signal", &self.signal).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Way {
    fn new(library: OtlpLibrary, signal: Signal) -> Self {
        let variable = match signal {
            Signal::Traces => "OTEL_BSP_EXPORT_TIMEOUT",
            Signal::Metrics => "OTEL_METRIC_EXPORT_TIMEOUT",
            Signal::Logs => "OTEL_BLRP_EXPORT_TIMEOUT",
        };
        let set = std::env::var(variable).ok().and_then(|text| text.trim().parse().ok());
        Self {
            library,
            signal,
            timeout: set.filter(|millis| *millis > 0).map_or(TIMEOUT, Duration::from_millis),
            chosen: false,
            expected: ExpectedSize::default(),
            closed: AtomicBool::new(false),
            warned: Mutex::new(None),
        }
    }

    fn ensure_open(&self) -> OTelSdkResult {
        if self.closed.load(Ordering::SeqCst) { Err(OTelSdkError::AlreadyShutdown) } else { Ok(()) }
    }

    /// Sends one request of `records` records and says what came of it, as the SDK wants to hear it.
    async fn send(&self, bytes: Bytes, records: u64) -> OTelSdkResult {
        let started = Clock::system().now();
        let (signal, timeout, severity) = (self.signal, self.timeout, Severity::Warn);
        let waiter = waiter(std::thread::current().name(), records, self.chosen);
        let sent = self.library.send(Export { signal, bytes, records, waiter, timeout, severity }).await;
        self.told(sent, Clock::system().elapsed(started))
    }

    fn told(&self, sent: Result<ExportOutcome>, waited: Duration) -> OTelSdkResult {
        match sent {
            Ok(outcome) if outcome.rejected > 0 && outcome.accepted == 0 => {
                Err(sdk_error(&OtlpError::new(Code::InvalidData, outcome.message), waited))
            }
            Ok(outcome) => {
                if outcome.rejected > 0 {
                    self.warn(&outcome);
                }
                Ok(())
            }
            Err(error) => Err(sdk_error(&error, waited)),
        }
    }

    fn set_timeout(&mut self, timeout: Duration) {
        (self.timeout, self.chosen) = (timeout, true);
    }

    fn warn(&self, outcome: &ExportOutcome) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = Clock::system();
        if warned.is_none_or(|last| clock.elapsed(last) >= WARN_EVERY) {
            *warned = Some(clock.now());
            tracing::warn!(signal = %self.signal, "{} record(s) kept, {}", outcome.accepted, outcome.message);
        }
    }

    fn flush(&self, timeout: Duration) -> OTelSdkResult {
        let clock = Clock::system();
        let started = clock.now();
        match block_until(self.library.flush(), after(started, timeout)) {
            Some(done) => done.map_err(|error| sdk_error(&error, clock.elapsed(started))),
            None => Err(OTelSdkError::Timeout(timeout)),
        }
    }

    /// Flushes, then refuses: the library is another's to shut down. All exporters of a library share the time of their end, since
    /// a program shuts them down one after the other.
    fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        if self.closed.swap(true, Ordering::SeqCst) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        self.flush(timeout.min(Clock::system().left(self.library.exporter_ends())))
    }
}

/// Who waits for an export of so many records on a thread of this name. Batch processors and periodic readers have threads
/// of their own, named by the SDK; on any other thread, one record is handed over by a processor that does so for each.
/// More than one were gathered by somebody, who has the time only if a timeout was chosen or it is not the main thread.
fn waiter(thread: Option<&str>, records: u64, chosen: bool) -> Waiter {
    let own = thread.is_some_and(|name| name.starts_with("OpenTelemetry."));
    let gathered = records > 1 && (chosen || thread != Some("main"));
    if own || gathered { Waiter::Batch } else { Waiter::Request }
}

/// An error as the SDK's own, with the context kept.
fn sdk_error(error: &OtlpError, waited: Duration) -> OTelSdkError {
    match error.code() {
        Code::Closed => OTelSdkError::AlreadyShutdown,
        Code::Timeout => OTelSdkError::Timeout(waited),
        _ => OTelSdkError::InternalFailure(error.to_string()),
    }
}

/// Keeps spans: give it to a `SimpleSpanProcessor` or `BatchSpanProcessor`.
#[derive(Debug)]
pub struct SpanExporter {
    way: Way,
    resource: Vec<u8>,
}

impl SpanExporter {
    pub(super) fn new(library: OtlpLibrary) -> Self {
        Self { resource: library.encoding().resource.clone(), way: Way::new(library, Signal::Traces) }
    }

    /// How long one export may wait for room at most: `OTEL_BSP_EXPORT_TIMEOUT`, or 30 s, unless it is set here. A thread of the
    /// program that hands over one record is held for 100 ms in all while something is wrong, whatever this says.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.way.set_timeout(timeout);
        self
    }
}

impl opentelemetry_sdk::trace::SpanExporter for SpanExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.way.ensure_open()?;
        let bytes = requests::of_spans(&self.way.expected, &batch, &self.resource);
        let records = batch.len() as u64;
        drop(batch);
        self.way.send(bytes, records).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.way.shutdown(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.way.flush(FLUSH_TIMEOUT)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = values::resource(resource);
    }
}

/// Keeps log records: give it to a `SimpleLogProcessor` or `BatchLogProcessor`.
#[derive(Debug)]
pub struct LogExporter {
    way: Way,
    resource: Vec<u8>,
}

impl LogExporter {
    pub(super) fn new(library: OtlpLibrary) -> Self {
        Self { resource: library.encoding().resource.clone(), way: Way::new(library, Signal::Logs) }
    }

    /// How long one export may wait for room at most: `OTEL_BLRP_EXPORT_TIMEOUT`, or 30 s, unless it is set here. A thread of the
    /// program that hands over one record is held for 100 ms in all while something is wrong, whatever this says.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.way.set_timeout(timeout);
        self
    }
}

impl opentelemetry_sdk::logs::LogExporter for LogExporter {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.way.ensure_open()?;
        let (bytes, records) = requests::of_logs(&self.way.expected, &batch, &self.resource);
        self.way.send(bytes, records).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.way.shutdown(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = values::resource(resource);
    }
}

/// Keeps metrics: give it to a `PeriodicReader`.
#[derive(Debug)]
pub struct MetricExporter {
    way: Way,
    temporality: Temporality,
}

impl MetricExporter {
    pub(super) fn new(library: OtlpLibrary) -> Self {
        let preference = std::env::var("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE").unwrap_or_default();
        Self { way: Way::new(library, Signal::Metrics), temporality: preferred(&preference) }
    }

    /// Whether values add up over the life of the program or since the last export. Without this
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` decides, and without that they are cumulative.
    pub fn with_temporality(mut self, temporality: Temporality) -> Self {
        self.temporality = temporality;
        self
    }

    /// How long one export may wait for room at most: `OTEL_METRIC_EXPORT_TIMEOUT`, or 30 s, unless it is set here. A thread of the
    /// program that hands over one record is held for 100 ms in all while something is wrong, whatever this says.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.way.set_timeout(timeout);
        self
    }
}

/// The temporality a value of the environment variable names, in any case; cumulative if it names none.
fn preferred(preference: &str) -> Temporality {
    match preference.trim().to_ascii_lowercase().as_str() {
        "delta" => Temporality::Delta,
        "lowmemory" => Temporality::LowMemory,
        _ => Temporality::Cumulative,
    }
}

impl opentelemetry_sdk::metrics::exporter::PushMetricExporter for MetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.way.ensure_open()?;
        let (bytes, points) = requests::of_metrics(&self.way.expected, metrics);
        self.way.send(bytes, points).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.way.flush(FLUSH_TIMEOUT)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.way.shutdown(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reaches_the_sdk_with_its_context() {
        for code in Code::all() {
            let error = OtlpError::new(code, "what; remedy");
            let told = sdk_error(&error, Duration::from_secs(3));
            match code {
                Code::Closed => assert!(matches!(told, OTelSdkError::AlreadyShutdown)),
                Code::Timeout => assert!(matches!(told, OTelSdkError::Timeout(waited) if waited.as_secs() == 3)),
                _ => {
                    let OTelSdkError::InternalFailure(text) = told else { panic!("{code}: {told:?}") };
                    assert_eq!(text, format!("{code}: what; remedy"));
                }
            }
        }
    }

    #[test]
    fn the_sdks_own_threads_wait_and_those_of_the_program_do_not() {
        for own in ["OpenTelemetry.Traces.BatchProcessor", "OpenTelemetry.Logs.BatchProcessor"] {
            assert_eq!(waiter(Some(own), 1, false), Waiter::Batch);
        }
        assert_eq!(waiter(Some("OpenTelemetry.Metrics.PeriodicReader"), 0, false), Waiter::Batch);
        for program in [None, Some("main"), Some("tokio-rt-worker"), Some("request")] {
            assert_eq!(waiter(program, 1, true), Waiter::Request, "one at a time, whatever was chosen");
        }
        assert_eq!(waiter(Some("tokio-rt-worker"), 2, false), Waiter::Batch, "a batch processor in an async runtime");
        assert_eq!(waiter(Some("main"), 2, false), Waiter::Request);
        assert_eq!(waiter(Some("main"), 2, true), Waiter::Batch);
    }

    #[test]
    fn the_environment_names_a_temporality_in_any_case() {
        assert_eq!(preferred("DELTA"), Temporality::Delta);
        assert_eq!(preferred(" LowMemory "), Temporality::LowMemory);
        for cumulative in ["", "cumulative", "something"] {
            assert_eq!(preferred(cumulative), Temporality::Cumulative);
        }
    }
}
