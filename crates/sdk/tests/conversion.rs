//! Whatever way telemetry came in, it goes out by any other with the same content: from memory, and read back from disk.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use futures::executor::block_on;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use otlp_arrow::ReadOptions;
use otlp_arrow::config::Kind;
use otlp_arrow::config::{DestinationConfig, ForwardCompression};
use otlp_arrow::{Config, Format, OtlpLibrary, Signal};
use otlp_arrow_sdk::OtlpLibraryExt as _;
use otlp_arrow_testkit::backend::{Backend, Received};
use otlp_arrow_testkit::canonical::Canonical;
use otlp_arrow_testkit::payload;
use prost::Message;

const LONG: Duration = Duration::from_secs(20);

fn destination(name: &str, url: &str) -> DestinationConfig {
    let mut destination = DestinationConfig::new(name, url);
    destination.timeout = Duration::from_secs(2);
    destination.retry.initial = Duration::from_millis(20);
    destination.retry.max = Duration::from_millis(100);
    destination
}

fn config(dir: &Path, destinations: impl IntoIterator<Item = DestinationConfig>) -> Config {
    let mut config =
        Config { output_dir: dir.to_owned(), forward: destinations.into_iter().collect(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

const SERVICES: [&str; 3] = [
    "opentelemetry.proto.collector.trace.v1.TraceService",
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "opentelemetry.proto.collector.logs.v1.LogsService",
];

fn by_http(address: SocketAddr, signal: Signal, kind: &str, body: &[u8]) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /v1/{signal} HTTP/1.1\r\nhost: test\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

fn by_grpc(address: SocketAddr, signal: Signal, body: &[u8]) {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(body.len() as u32);
    frame.put_slice(body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let io = TokioIo::new(tokio::net::TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://test/{}/Export", SERVICES[signal.index()]))
            .header("content-type", "application/grpc")
            .body(Full::new(frame.freeze()))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    });
}

/// One span, as an SDK's processor hands it over.
fn by_sdk(library: &OtlpLibrary) {
    let span = SpanData {
        span_context: SpanContext::new(
            TraceId::from(1),
            SpanId::from(2),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: SpanId::from(3),
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: "by the SDK".into(),
        start_time: SystemTime::UNIX_EPOCH,
        end_time: SystemTime::now(),
        attributes: vec![KeyValue::new("answer", 42)],
        dropped_attributes_count: 7,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::error("it broke"),
        instrumentation_scope: opentelemetry::InstrumentationScope::builder("sdk").with_version("1").build(),
    };
    block_on(library.span_exporter().export(vec![span])).unwrap();
}

/// Fails unless two joined requests of a signal have the same content.
fn same(signal: Signal, what: &str, expected: &[u8], found: &[u8]) {
    fn difference<M: Canonical>(expected: &[u8], found: &[u8]) -> (usize, Option<String>) {
        let (expected, found) = (M::decode(expected).unwrap().content(), M::decode(found).unwrap().content());
        (expected.records(), expected.difference(&found))
    }
    let (records, difference) = match signal {
        Signal::Traces => difference::<ExportTraceServiceRequest>(expected, found),
        Signal::Metrics => difference::<ExportMetricsServiceRequest>(expected, found),
        Signal::Logs => difference::<ExportLogsServiceRequest>(expected, found),
    };
    assert!(records > 0, "{what}: nothing to compare");
    assert_eq!(difference, None, "{what}: {signal}");
}

/// Joined bytes of what a backend kept of a signal.
fn joined(received: &[Received], signal: Signal) -> Vec<u8> {
    let of_signal = received.iter().filter(|request| request.kept && request.signal == signal.as_str());
    of_signal.flat_map(|request| request.payload.iter().copied()).collect()
}

#[test]
fn every_way_in_goes_out_by_every_way_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let mut ways = Vec::new();
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        for compression in [ForwardCompression::Gzip, ForwardCompression::Zstd, ForwardCompression::None] {
            for memory in [16 << 20, 0] {
                let (name, backend) = (format!("way{}", ways.len()), Backend::start());
                let mut way = DestinationConfig { protocol, compression, memory, ..destination(&name, &backend.url()) };
                way.max_in_flight = 1;
                ways.push((way, backend));
            }
        }
    }
    let mut config = config(dir.path(), ways.iter().map(|(way, _)| way.clone()));
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::open(config).unwrap();
    let addresses = library.addresses();
    let (grpc, http) = (addresses.grpc.unwrap(), addresses.http.unwrap());

    let mut sent: [Vec<u8>; 3] = Default::default();
    for (seed, way_in) in ["grpc", "http protobuf", "http json", "library"].iter().enumerate() {
        for signal in Signal::ALL {
            let seed = seed as u64 + 1;
            let request: Bytes = match signal {
                Signal::Traces => payload::spans(40, 12, seed).encode_to_vec(),
                Signal::Metrics => {
                    let mut both = payload::numbers(40, seed).encode_to_vec();
                    both.extend(payload::histograms(40, seed).encode_to_vec());
                    both
                }
                Signal::Logs => payload::logs(40, 100, seed).encode_to_vec(),
            }
            .into();
            match *way_in {
                "grpc" => by_grpc(grpc, signal, &request),
                "http protobuf" => by_http(http, signal, "application/x-protobuf", &request),
                "http json" => {
                    let json = otlp_arrow_columns::json::from_protobuf(signal, &request).unwrap();
                    by_http(http, signal, "application/json", &json);
                }
                _ => drop(block_on(library.export_otlp(signal, request.clone())).unwrap()),
            }
            sent[signal.index()].extend_from_slice(&request);
        }
    }
    by_sdk(&library);
    block_on(library.flush()).unwrap();
    let all_sent = || library.forwarders().iter().all(|forwarder| forwarder.info().lag_records == 0);
    wait_for("everything to be forwarded", all_sent);

    let spans: Vec<_> = library.read(Signal::Traces, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    let with_sdk = otlp_arrow_columns::encode(Signal::Traces, &spans, Format::Protobuf).unwrap();
    for (way, backend) in &ways {
        let what = format!("{:?}, {:?}, {} bytes of memory", way.protocol, way.compression, way.memory);
        let received = backend.wait_until(LONG, |received| !received.is_empty());
        let encoding = match way.compression {
            ForwardCompression::Gzip => Some("gzip"),
            ForwardCompression::Zstd => Some("zstd"),
            ForwardCompression::None => None,
        };
        for request in &received {
            assert_eq!(request.grpc, way.protocol == Kind::OTLP_GRPC, "{what}");
            let named = request.headers.iter().find(|(name, _)| name == "grpc-encoding" || name == "content-encoding");
            assert_eq!(named.map(|(_, value)| value.as_str()), encoding, "{what}");
        }
        for signal in [Signal::Metrics, Signal::Logs] {
            same(signal, &what, &sent[signal.index()], &joined(&received, signal));
        }
        let traces = joined(&received, Signal::Traces);
        same(Signal::Traces, &what, &with_sdk, &traces);
        // What the SDK handed over, and what came as OTLP, each as it was.
        let mut request = ExportTraceServiceRequest::decode(&*traces).unwrap();
        let mut by_sdk = Vec::new();
        for scope in request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans) {
            by_sdk.extend(scope.spans.extract_if(.., |span| span.name == "by the SDK"));
        }
        let [span] = &by_sdk[..] else { panic!("{what}: {} spans by the SDK", by_sdk.len()) };
        assert_eq!((span.kind, span.dropped_attributes_count, span.attributes.len()), (2, 7, 1), "{what}");
        assert_eq!(span.parent_span_id, [0, 0, 0, 0, 0, 0, 0, 3], "{what}");
        assert_eq!(span.status.as_ref().map(|status| status.message.as_str()), Some("it broke"), "{what}");
        same(Signal::Traces, &what, &sent[0], &request.encode_to_vec());
    }
    assert_eq!(library.shutdown_blocking(None).unwrap().undelivered_records, 0);
}
