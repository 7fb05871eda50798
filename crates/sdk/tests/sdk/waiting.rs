//! No room: exporters wait, and say so only when the time is over.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use opentelemetry::trace::{Tracer, TracerProvider};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter};
use otlp_arrow::EventName;

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
    assert!(!flushing.is_finished(), "there is no room yet");
    assert!(spans(&library).is_empty());
    drop(taken);
    flushing.join().unwrap().unwrap();
    assert_eq!(spans(&library), once((0..1500).map(|number| format!("span {number}"))));
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
