//! The doors with a real library behind them: what is answered, and what is in the files afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_arrow::ReadOptions;
use otlp_arrow::{Config, Format, OtlpLibrary, Signal};
use prost::Message;

use super::support::*;

fn open(dir: &Path) -> OtlpLibrary {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    OtlpLibrary::open(config).unwrap()
}

fn span(name: &str) -> Span {
    Span { trace_id: vec![7; 16], span_id: vec![9; 8], name: name.into(), ..Default::default() }
}

fn request(spans: Vec<Span>) -> Vec<u8> {
    let scope = ScopeSpans { spans, ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..Default::default() }] }
        .encode_to_vec()
}

/// The spans that are kept.
fn kept(library: &OtlpLibrary) -> Vec<Span> {
    let batches: Vec<_> = library.read(Signal::Traces, &ReadOptions::default()).unwrap().map(Result::unwrap).collect();
    let bytes = otlp_arrow_columns::encode(Signal::Traces, &batches, Format::Protobuf).unwrap();
    let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
    request.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
}

fn names(library: &OtlpLibrary) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for span in kept(library) {
        *names.entry(span.name).or_default() += 1;
    }
    names
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

#[tokio::test]
async fn one_request_through_each_door_is_kept_alike() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let (grpc, http) = (library.addresses().grpc.unwrap(), library.addresses().http.unwrap());
    let mut full = span("through every door");
    full.trace_state = "a=b".into();
    full.flags = 0x101;
    (full.start_time_unix_nano, full.end_time_unix_nano) = (1_700_000_000_000_000_001, 1_700_000_000_000_000_002);
    full.attributes = vec![
        KeyValue {
            key: "n".into(),
            value: Some(AnyValue { value: Some(Value::IntValue(i64::MIN)) }),
            ..Default::default()
        },
        KeyValue {
            key: "d".into(),
            value: Some(AnyValue { value: Some(Value::DoubleValue(0.1)) }),
            ..Default::default()
        },
    ];
    let body = request(vec![full.clone()]);
    let json = otlp_arrow_columns::json::from_protobuf(Signal::Traces, &body).unwrap();
    assert_eq!(call(grpc, TRACES, &[], vec![framed(0, &body)]).await.status, 0);
    assert_eq!(send(http, "POST", "/v1/traces", &[PROTOBUF], &body).status, 200);
    assert_eq!(send(http, "POST", "/v1/traces", &[("content-type", "application/json")], &json).status, 200);
    let kept = kept(&library);
    assert_eq!(kept.len(), 3);
    for span in kept {
        assert_eq!(span, full);
    }
    let counters = library.stats().counters;
    for (protocol, count) in [("otlp_grpc", 1), ("otlp_http", 2)] {
        assert_eq!(counters.total("otlp_arrow_received_records_total", &[("protocol", protocol)]), count, "{protocol}");
    }
    assert_eq!(counters.total("otlp_arrow_committed_records_total", &[("signal", "traces")]), 3);
    library.shutdown(None).await.unwrap();
}

#[tokio::test]
async fn a_bad_record_is_refused_alone_and_a_bad_request_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let (grpc, http) = (library.addresses().grpc.unwrap(), library.addresses().http.unwrap());
    let bad_id = Span { trace_id: vec![7; 3], ..span("bad id") };
    let deep = (0..70).fold(AnyValue { value: Some(Value::IntValue(1)) }, |inner, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue { values: vec![inner] })),
    });
    let too_deep = Span {
        attributes: vec![KeyValue { key: "deep".into(), value: Some(deep), ..Default::default() }],
        ..span("too deep")
    };
    let body = request(vec![span("good 1"), bad_id, span("good 2"), too_deep]);
    let reply = send(http, "POST", "/v1/traces", &[PROTOBUF], &body);
    assert_eq!(reply.status, 200);
    let partial = ExportTraceServiceResponse::decode(&reply.body[..]).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("record 1") && partial.error_message.contains("trace_id"), "{partial:?}");

    // Torn protobuf is nothing at all, however many records come before the tear.
    let mut torn = request(vec![span("torn 1"), span("torn 2")]);
    torn.truncate(torn.len() - 2);
    let reply = send(http, "POST", "/v1/traces", &[PROTOBUF], &torn);
    assert_eq!((reply.status, reply.status_body().0), (400, 3));
    let called = call(grpc, TRACES, &[], vec![framed(0, &torn)]).await;
    assert_eq!(called.status, 3);
    assert_eq!(called.details.unwrap().details[0].type_url, "type.googleapis.com/google.rpc.BadRequest");
    assert_eq!(names(&library), BTreeMap::from([("good 1".into(), 1), ("good 2".into(), 1)]));

    // A request of refused records only is a partial success, too.
    let reply = send(http, "POST", "/v1/traces", &[PROTOBUF], &request(vec![Span::default()]));
    assert_eq!(reply.status, 200);
    library.shutdown(None).await.unwrap();
}

#[tokio::test]
async fn a_request_that_would_grow_too_large_as_columns_is_refused_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let http = library.addresses().http.unwrap();
    // Two bytes on the wire are a whole log record: 24 MB of them would be gigabytes of columns.
    let empty_records = b"\x12\x00".repeat(12 << 20);
    let mut scope = Vec::new();
    prost::encoding::bytes::encode(2, &empty_records, &mut scope);
    let mut body = Vec::new();
    prost::encoding::bytes::encode(1, &scope, &mut body);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &body).unwrap();
    let headers = [PROTOBUF, ("content-encoding", "gzip")];
    let reply = send(http, "POST", "/v1/logs", &headers, &packed.finish().unwrap());
    assert_eq!((reply.status, reply.status_body().0), (413, 8));
    assert_eq!(library.stats().buffer_bytes, 0);
    library.shutdown(None).await.unwrap();
}

#[tokio::test]
async fn sixteen_senders_over_both_doors_store_each_record_once() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let (grpc, http) = (library.addresses().grpc.unwrap(), library.addresses().http.unwrap());
    let senders: Vec<_> = (0..16)
        .map(|sender| {
            tokio::spawn(async move {
                let mut connection = h2::<Pieces>(if sender % 2 == 0 { grpc } else { http }).await;
                for number in 0..25 {
                    let spans = (0..20).map(|span_number| span(&format!("{sender}/{number}/{span_number}"))).collect();
                    let body = request(spans);
                    let (path, kind, body) = match sender % 4 {
                        0 | 1 => (TRACES, "application/grpc", framed(0, &body)),
                        _ => ("/v1/traces", "application/x-protobuf", body.into()),
                    };
                    let request = http::Request::post(format!("http://t{path}")).header("content-type", kind);
                    connection.ready().await.unwrap();
                    let sent = connection.send_request(request.body(pieces(vec![body])).unwrap());
                    assert_eq!(sent.await.unwrap().status(), 200);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    // What was answered is kept, whatever comes next: another open reads it.
    library.shutdown(None).await.unwrap();
    drop(library);
    let wanted: BTreeMap<String, usize> = (0..16)
        .flat_map(|sender| (0..25).flat_map(move |number| (0..20).map(move |span| format!("{sender}/{number}/{span}"))))
        .map(|name| (name, 1))
        .collect();
    assert!(names(&open(dir.path())) == wanted);
}

#[tokio::test]
async fn after_a_shutdown_the_ports_are_free_and_the_next_library_may_have_them() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let listen = library.addresses();
    library.shutdown(None).await.unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    (config.listen.grpc, config.listen.http) = (listen.grpc, listen.http);
    let next = OtlpLibrary::open(config).unwrap();
    assert_eq!(next.addresses(), listen);
    assert_eq!(send(listen.http.unwrap(), "GET", "/readyz", &[], b"").status, 200);
    let text = String::from_utf8(send(listen.http.unwrap(), "GET", "/metrics", &[], b"").body).unwrap();
    assert!(text.contains("otlp_arrow_buffer_bytes 0\n"), "{text}");
    next.shutdown(None).await.unwrap();
}

#[tokio::test]
async fn random_protobuf_is_refused_or_kept_and_crashes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let http = library.addresses().http.unwrap();
    let good = request(vec![span("a"), span("b")]);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let mut body = good.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state >> 8) as usize % body.len();
            body[at] = state as u8;
        }
        let reply = send(http, "POST", "/v1/traces", &[PROTOBUF], &body);
        assert!([200, 400].contains(&reply.status), "{}", reply.status);
    }
    let counters = library.stats().counters;
    let received = counters.total("otlp_arrow_received_records_total", &[]);
    assert_eq!(kept(&library).len() as u64, received);
    assert_eq!(counters.total("otlp_arrow_committed_records_total", &[]), received);
    library.shutdown(None).await.unwrap();
}

#[tokio::test]
async fn what_was_answered_is_written_when_a_listening_library_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.storage.min_free_bytes = 0;
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    config.durability =
        otlp_arrow::config::Durability::Buffered { write_interval: std::time::Duration::from_secs(3600) };
    let library = OtlpLibrary::open(config).unwrap();
    let address = library.addresses().http.unwrap();
    // A connection that stays open must not keep the store open either.
    let _idle = std::net::TcpStream::connect(address).unwrap();
    assert_eq!(send(address, "POST", "/v1/traces", &[PROTOBUF], &request(vec![span("buffered")])).status, 200);
    drop(library);
    assert_eq!(names(&open(dir.path())), BTreeMap::from([("buffered".into(), 1)]));
}
