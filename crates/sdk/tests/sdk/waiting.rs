//! No room: exporters wait, and say so only when the time is over.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
use otlp_arrow::EventName;
use otlp_arrow::internal::Producer as _;

use super::*;

/// A library whose room for traces is taken by a body that is on its way, until the socket is dropped.
fn full(dir: &Path) -> (OtlpLibrary, TcpStream) {
    let library = open_with(dir, |config| {
        config.buffer.max_bytes = 4 << 20;
        config.listen.http = Some(([127, 0, 0, 1], 0).into());
    });
    let mut stream = TcpStream::connect(library.addresses().http.unwrap()).unwrap();
    // With its body a request holds 4 KiB for itself, and its headers.
    let length = (3 << 20) - (4 << 10) - 200;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        length + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![0; length]).unwrap();
    until(|| library.stats().buffer_bytes >= length as u64);
    (library, stream)
}

#[test]
fn an_exporter_that_finds_no_room_tries_again_and_loses_nothing_under_a_batch_processor() {
    let dir = tempfile::tempdir().unwrap();
    let (library, taken) = full(dir.path());
    let provider = SdkTracerProvider::builder().with_batch_exporter(library.span_exporter()).build();
    let tracer = provider.tracer("test");
    for number in 0..1500 {
        tracer.start(format!("span {number}"));
    }
    let flushing = provider.clone();
    let flushing = std::thread::spawn(move || flushing.force_flush());
    let refused = [("signal", "traces"), ("code", "BUFFER_FULL")];
    until(|| library.stats().counters.total("otlp_arrow_request_seconds", &refused) >= 5);
    assert!(spans(&library).is_empty(), "there is no room yet");
    drop(taken);
    // After 2.5 s without room it is told that it is not known yet.
    flushing.join().unwrap().ok();
    until(|| spans(&library) == once((0..1500).map(|number| format!("span {number}"))));
    assert_eq!(super::waiting::refused(&library), 0);
    provider.shutdown().unwrap();
}

#[test]
fn after_its_timeout_an_export_fails_is_counted_and_announced() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _taken) = full(dir.path());
    let mut events = library.events();
    let exporter = library.span_exporter().with_timeout(Duration::from_millis(200));
    let started = Instant::now();
    let told = block_on(exporter.export(vec![span("one"), span("two")]));
    assert!(started.elapsed() >= Duration::from_millis(200));
    match told {
        Err(OTelSdkError::InternalFailure(text)) => assert!(text.starts_with("BUFFER_FULL: "), "{text}"),
        Err(OTelSdkError::Timeout(_)) => {}
        other => panic!("{other:?}"),
    }
    let lost = library.stats().counters.total("otlp_arrow_refused_records_total", &[("signal", "traces")]);
    assert_eq!(lost, 2);
    let event = block_on(async {
        use futures::StreamExt;
        loop {
            let event = events.next().await.unwrap();
            if event.name == EventName::RecordsDropped {
                return event;
            }
        }
    });
    assert_eq!((event.signal, event.count), (Some(Signal::Traces), Some(2)));
}

/// Far more than a request may be held, and far less than if each record held it for so long.
const LOADED_MACHINE: Duration = Duration::from_secs(3);

fn refused(library: &OtlpLibrary) -> u64 {
    library.stats().counters.total("otlp_arrow_refused_records_total", &[])
}

/// Ends a hundred spans and emits a hundred log records through simple processors, and says how long that took.
fn one_at_a_time(library: &OtlpLibrary) -> Duration {
    let tracers = SdkTracerProvider::builder().with_simple_exporter(library.span_exporter()).build();
    let loggers = SdkLoggerProvider::builder().with_simple_exporter(library.log_exporter()).build();
    let (tracer, logger) = (tracers.tracer("test"), loggers.logger("test"));
    let began = Instant::now();
    for number in 0..100 {
        tracer.start(format!("span {number}"));
        let mut record = logger.create_log_record();
        record.set_body(format!("log {number}").into());
        logger.emit(record);
    }
    began.elapsed()
}

#[test]
fn a_simple_processor_holds_a_request_for_a_moment_in_all_while_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let (library, taken) = full(dir.path());
    let held = one_at_a_time(&library);
    assert!(held >= Duration::from_millis(100) && held < LOADED_MACHINE, "{held:?}");
    let kept = spans(&library).len() + bodies(&library).len();
    assert_eq!(kept as u64 + refused(&library), 200);
    assert_eq!(spans(&library).len(), 0);
    drop(taken);
    until(|| library.stats().buffer_bytes == 0);
    one_at_a_time(&library);
    assert_eq!(spans(&library), once((0..100).map(|number| format!("span {number}"))), "it is used again");
}

#[test]
fn a_simple_processor_does_not_wait_at_all_for_a_directory_that_cannot_be_made() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "in the way").unwrap();
    let library = open(&dir.path().join("file/telemetry"));
    let held = one_at_a_time(&library);
    assert!(held < LOADED_MACHINE, "{held:?}");
    assert_eq!(refused(&library), 200);
    std::fs::remove_file(dir.path().join("file")).unwrap();
    until(|| block_on(library.span_exporter().export(vec![span("again")])).is_ok());
    assert_eq!(spans(&library), once(["again".to_owned()]));
}

#[test]
fn every_kind_of_processor_ends_in_time_while_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let (library, _taken) = full(dir.path());
    let tracers = SdkTracerProvider::builder().with_batch_exporter(library.span_exporter()).build();
    for number in 0..2000 {
        tracers.tracer("test").start(format!("span {number}"));
    }
    library.ends_by(Some(Instant::now() + Duration::from_millis(500)));
    let began = Instant::now();
    tracers.shutdown().ok();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    until(|| refused(&library) == 2000);
}
