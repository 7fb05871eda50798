//! The lifecycle table: who may shut down what, and what is told afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLoggerProvider};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
use otlp_arrow::{Code, Signal};

use super::*;

#[test]
fn an_exporter_that_was_shut_down_refuses_and_the_library_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let (one, other) = (library.span_exporter(), library.span_exporter());
    block_on(one.export(vec![span("before")])).unwrap();
    one.shutdown().unwrap();
    assert!(matches!(block_on(one.export(vec![span("after")])), Err(OTelSdkError::AlreadyShutdown)));
    assert!(matches!(one.shutdown(), Err(OTelSdkError::AlreadyShutdown)));
    block_on(other.export(vec![span("other")])).unwrap();
    assert_eq!(spans(&library), once(["before".into(), "other".into()]));
}

#[test]
fn a_closed_library_gives_exporters_that_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let before = library.span_exporter();
    block_on(library.shutdown(None)).unwrap();
    for exporter in [before, library.span_exporter()] {
        assert!(matches!(block_on(exporter.export(vec![span("late")])), Err(OTelSdkError::AlreadyShutdown)));
    }
    let logs = library.log_exporter();
    assert!(matches!(block_on(LogExporter::export(&logs, LogBatch::new(&[]))), Err(OTelSdkError::AlreadyShutdown)));
    let metrics = library.metric_exporter();
    let told = block_on(PushMetricExporter::export(&metrics, &ResourceMetrics::default()));
    assert!(matches!(told, Err(OTelSdkError::AlreadyShutdown)), "{told:?}");
    assert_eq!(block_on(library.export_traces(vec![span("late")])).unwrap_err().code(), Code::Closed);
    assert_eq!(library.stats().counters.total("otlp_arrow_refused_records_total", &[("reason", "CLOSED")]), 2);
}

#[test]
fn an_empty_batch_is_a_success_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    block_on(library.span_exporter().export(vec![])).unwrap();
    block_on(LogExporter::export(&library.log_exporter(), LogBatch::new(&[]))).unwrap();
    block_on(PushMetricExporter::export(&library.metric_exporter(), &ResourceMetrics::default())).unwrap();
    assert_eq!(block_on(library.export_traces(vec![])).unwrap().accepted, 0);
    assert_eq!(library.stats().counters.total("otlp_arrow_committed_records_total", &[]), 0);
    assert!(spans(&library).is_empty() && bodies(&library).is_empty() && points(&library).is_empty());
}

/// A value nested deeper than any record may have it.
fn too_deep() -> AnyValue {
    (0..70).fold(AnyValue::Int(1), |inner, _| AnyValue::ListAny(Box::new(vec![inner])))
}

#[test]
fn one_bad_record_among_good_ones_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let provider = SdkLoggerProvider::builder().with_batch_exporter(library.log_exporter()).build();
    let logger = provider.logger("test");
    for number in 0..10 {
        let mut record = logger.create_log_record();
        record.set_body(AnyValue::from(format!("log {number}")));
        if number == 4 {
            record.add_attribute("deep", too_deep());
        }
        logger.emit(record);
    }
    provider.force_flush().unwrap();
    let good = (0..10).filter(|number| *number != 4).map(|number| format!("log {number}"));
    assert_eq!(bodies(&library), once(good));
    let counters = library.stats().counters;
    assert_eq!(counters.total("otlp_arrow_refused_records_total", &[("signal", "logs"), ("reason", "too_deep")]), 1);
    assert_eq!(counters.total("otlp_arrow_received_records_total", &[("signal", "logs")]), 9);
    provider.shutdown().unwrap();
}

#[test]
fn all_bad_is_a_failure_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let provider = SdkLoggerProvider::builder().with_batch_exporter(library.log_exporter()).build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    record.set_body(too_deep());
    logger.emit(record);
    let Err(OTelSdkError::InternalFailure(text)) = provider.force_flush() else { panic!("a failure") };
    assert!(text.contains("INVALID_DATA") && text.contains("too_deep"), "{text}");
    let _ = provider.shutdown();
}

#[test]
fn a_library_that_is_dropped_lives_on_in_its_exporters() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let provider = SdkTracerProvider::builder().with_batch_exporter(library.span_exporter()).build();
    drop(library);
    let tracer = provider.tracer("test");
    for number in 0..100 {
        tracer.start(format!("span {number}"));
    }
    provider.shutdown().unwrap();
    drop((provider, tracer));
    assert_eq!(spans(&open(dir.path())), once((0..100).map(|number| format!("span {number}"))));
}

#[test]
fn shutting_down_twice_and_during_exports_loses_nothing_that_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (exporter, stop) = (library.span_exporter(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut told = Vec::new();
                for number in 0.. {
                    let name = format!("{thread}/{number}");
                    match block_on(exporter.export(vec![span(name.clone())])) {
                        Ok(()) => told.push(name),
                        Err(OTelSdkError::AlreadyShutdown) => break,
                        Err(other) => panic!("{other:?}"),
                    }
                    assert!(!stop.load(Ordering::SeqCst), "exports go on after the shutdown");
                }
                told
            })
        })
        .collect();
    until(|| library.stats().counters.total("otlp_arrow_received_records_total", &[]) > 20);
    let second = library.clone();
    let closing = std::thread::spawn(move || block_on(second.shutdown(None)).unwrap());
    block_on(library.shutdown(None)).unwrap();
    closing.join().unwrap();
    block_on(library.shutdown(None)).unwrap();
    let told: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    stop.store(true, Ordering::SeqCst);
    drop(library);
    let found = spans(&open(dir.path()));
    for name in &told {
        assert_eq!(found.get(name), Some(&1), "{name}");
    }
    assert!(told.len() > 20);
}

#[test]
fn a_limit_may_be_longer_than_any_clock_runs() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let exporter = library.span_exporter().with_timeout(Duration::MAX);
    block_on(exporter.export(vec![span("one")])).unwrap();
    exporter.shutdown_with_timeout(Duration::MAX).unwrap();
    assert_eq!(spans(&library), once(["one".into()]));
    library.shutdown_blocking(Some(Duration::MAX)).unwrap();
}

#[test]
fn the_resource_is_the_providers_or_else_the_configured_one() {
    let dir = tempfile::tempdir().unwrap();
    let library = open_with(dir.path(), |config| config.resource = vec![("service.name".into(), "configured".into())]);
    block_on(library.export_trace(span("bare"))).unwrap();
    let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "provided")).build();
    let provider =
        SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(library.span_exporter()).build();
    provider.tracer("test").start("provided");
    provider.shutdown().unwrap();
    let request: ExportTraceServiceRequest = kept(&library, Signal::Traces);
    let mut found: Vec<(String, String)> = Vec::new();
    for of in &request.resource_spans {
        let Some(Value::StringValue(service)) = of.resource.clone().unwrap().attributes[0].value.clone().unwrap().value
        else {
            panic!("a text")
        };
        let spans = of.scope_spans.iter().flat_map(|of| &of.spans);
        found.extend(spans.map(|span| (span.name.clone(), service.clone())));
    }
    found.sort();
    assert_eq!(found, [("bare".into(), "configured".into()), ("provided".into(), "provided".into())]);
}

#[test]
fn temporality_is_what_the_argument_says() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    assert_eq!(library.metric_exporter().temporality(), Temporality::Cumulative);
    let delta = library.metric_exporter().with_temporality(Temporality::Delta);
    assert_eq!(delta.temporality(), Temporality::Delta);
}

#[tokio::test]
async fn exporters_work_and_libraries_drop_in_an_async_context() {
    let dir = tempfile::tempdir().unwrap();
    let library = open_with(dir.path(), |config| config.listen.http = Some(([127, 0, 0, 1], 0).into()));
    // A simple processor exports and waits on the thread that ends the span.
    let provider = SdkTracerProvider::builder().with_simple_exporter(library.span_exporter()).build();
    provider.tracer("test").start("one");
    provider.force_flush().unwrap();
    block_on(async { provider.force_flush() }).unwrap();
    assert_eq!(spans(&library), once(["one".into()]));
    provider.shutdown_with_timeout(Duration::from_secs(5)).unwrap();
    drop((provider, library));
}

/// Hands each batch over as a program with an exporter of its own would.
#[derive(Debug)]
struct Own(OtlpLibrary);

impl LogExporter for Own {
    async fn export(&self, batch: LogBatch<'_>) -> opentelemetry_sdk::error::OTelSdkResult {
        let outcome = self.0.export_logs(&batch).await.unwrap();
        assert_eq!((outcome.accepted, outcome.rejected), (batch.iter().count() as u64, 0));
        Ok(())
    }
}

#[test]
fn objects_may_be_handed_over_directly() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    assert_eq!(block_on(library.export_trace(span("one"))).unwrap().accepted, 1);
    assert_eq!(block_on(library.export_traces(vec![span("two"), span("three")])).unwrap().accepted, 2);
    assert_eq!(spans(&library), once(["one".into(), "two".into(), "three".into()]));

    let provider = SdkLoggerProvider::builder().with_simple_exporter(Own(library.clone())).build();
    let logger = provider.logger("test");
    let mut record = logger.create_log_record();
    record.set_body(AnyValue::from("direct"));
    logger.emit(record);
    assert_eq!(bodies(&library), once(["direct".into()]));

    let owned = block_on(library.export_metrics(ResourceMetrics::default())).unwrap();
    assert_eq!(owned, block_on(library.export_metrics_ref(&ResourceMetrics::default())).unwrap());
}
