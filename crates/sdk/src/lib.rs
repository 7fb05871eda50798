//! Exporters of [`opentelemetry_sdk`] for the [`otlp_arrow`] recorder: spans, metrics and log records of a Rust program,
//! kept as Apache Arrow files.
//!
//! [`OtlpLibraryExt`] adds them to [`OtlpLibrary`](otlp_arrow::OtlpLibrary):
//!
//! ```
//! use opentelemetry::trace::{Tracer, TracerProvider};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! use otlp_arrow::{Config, OtlpLibrary, Signal};
//! use otlp_arrow_sdk::OtlpLibraryExt;
//!
//! # let directory = tempfile::tempdir()?;
//! # let output_dir = directory.path().join("telemetry");
//! let library = OtlpLibrary::open(Config { output_dir, ..Config::default() })?;
//! let tracers = SdkTracerProvider::builder().with_batch_exporter(library.span_exporter()).build();
//!
//! tracers.tracer("shop").start("order");
//!
//! tracers.shutdown()?; // hands over what the processor still holds
//! let spans: usize = library.read(Signal::Traces, &Default::default())?.map(|batch| batch.map_or(0, |of| of.num_rows())).sum();
//! assert_eq!(spans, 1);
//! library.shutdown_blocking(None)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What holds
//!
//! - Objects of the SDK are written to OTLP directly, each once, into the one buffer that is kept.
//! - An exporter waits for room instead of failing, because a processor drops a batch whose export failed: for as long as
//!   `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_METRIC_EXPORT_TIMEOUT` and `OTEL_BLRP_EXPORT_TIMEOUT` say, else for 30 seconds.
//! - An exporter needs no Tokio, keeps the library open, and its shutdown flushes and leaves the library to its owner.
//! - What could not be kept is counted in `stats()` and is an event.
//!
//! This crate is for `opentelemetry_sdk` 0.33. A program on another version sends OTLP to the listeners of the recorder.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod equality;
mod exporters;
mod extension;
mod logs;
mod metrics;
mod requests;
mod spans;
mod values;

pub use exporters::{LogExporter, MetricExporter, SpanExporter};
pub use extension::OtlpLibraryExt;
