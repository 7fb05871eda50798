//! What a sender is told of a request of which not everything is kept, by every door; and what is counted.

use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow::{OtlpLibrary, Signal};
use otlp_arrow_columns::{Limits, json};
use otlp_arrow_testkit::http::{Called, called, framed, grpc_request, h2, send};
use serde_json::{Value, json};

use super::support::config;

const LOGS: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#;
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

fn open(dir: &std::path::Path) -> OtlpLibrary {
    let mut config = config(dir);
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    OtlpLibrary::open(config).unwrap()
}

fn post(library: &OtlpLibrary, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let reply = send(library.addresses().http.unwrap(), "POST", path, &[("content-type", kind)], body);
    (reply.status, reply.body)
}

fn partial(library: &OtlpLibrary, path: &str, body: &str) -> Value {
    let (status, body) = post(library, path, JSON, body.as_bytes());
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice::<Value>(&body).unwrap()["partialSuccess"].clone()
}

fn grpc(library: &OtlpLibrary, service: &str, message: &[u8]) -> Called {
    let path = format!("/opentelemetry.proto.collector.{service}Service/Export");
    let address = library.addresses().http.unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        called(h2(address).await.send_request(grpc_request(&path, vec![framed(0, message)])).await.unwrap()).await
    })
}

fn counted(library: &OtlpLibrary, metric: &str, reason: &str) -> u64 {
    library.stats().counters.total(metric, &[("reason", reason)])
}

#[test]
fn a_request_of_another_signal_is_a_success_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let warning =
        "resourceLogs is not kept: this was sent as traces, and is part of a request of logs: send it as that";
    let said = partial(&library, "/v1/traces", LOGS);
    assert_eq!(said, json!({"rejectedSpans": "0", "errorMessage": warning}));
    let said = partial(&library, "/v1/metrics", LOGS);
    assert_eq!(said["rejectedDataPoints"], "0");
    assert!(said["errorMessage"].as_str().unwrap().contains("sent as metrics"), "{said}");
    assert_eq!(partial(&library, "/v1/logs", LOGS), Value::Null);
    assert_eq!(partial(&library, "/v1/traces", "{}"), Value::Null);
    // With records of its own beside.
    let both = r#"{"resourceMetrics":[{}],"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{"flags":"x"}]}]}]}"#;
    let said = partial(&library, "/v1/logs", both);
    assert_eq!(said["rejectedLogRecords"], "1");
    let message = said["errorMessage"].as_str().unwrap();
    let refused = "1 record(s) refused; first: record 1, field value, invalid_value: resourceLogs[0].scopeLogs[0].logRecords[1].flags = \"x\": not an unsigned integer of 32 bits";
    assert!(message.starts_with(refused) && message.contains("; resourceMetrics is not kept"), "{message}");

    // In protobuf the three requests look alike up to their records: of an unknown one nothing is known at all.
    let unknown = b"\x12\x03abc";
    let (status, body) = post(&library, "/v1/traces", PROTOBUF, unknown);
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&body).contains("nothing is kept of this request: it holds no traces"), "{body:?}");
    let called = grpc(&library, "trace.v1.Trace", unknown);
    assert!(
        called.status == 0 && String::from_utf8_lossy(&called.data).contains("nothing is kept of this"),
        "{called:?}"
    );
    let outcome = block_on(library.export_otlp(Signal::Metrics, Bytes::from_static(unknown))).unwrap();
    assert_eq!((outcome.accepted, outcome.rejected), (0, 0));
    assert!(outcome.message.contains("it holds no metrics"), "{}", outcome.message);
    assert_eq!(counted(&library, "otlp_arrow_refused_requests_total", "foreign_data"), 6);
    assert_eq!(library.stats().counters.total("otlp_arrow_committed_records_total", &[]), 2);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn protobuf_of_another_signal_is_never_a_plain_success() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let of = |signal, text: &str| json::to_protobuf(signal, text.as_bytes(), &Limits::default()).unwrap();
    let requests = [
        (Signal::Logs, of(Signal::Logs, &LOGS.replace("\"body\"", "\"timeUnixNano\":\"5\",\"body\""))),
        (
            Signal::Traces,
            of(
                Signal::Traces,
                r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"a","startTimeUnixNano":"5"}]}]}]}"#,
            ),
        ),
        (
            Signal::Metrics,
            of(
                Signal::Metrics,
                r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[{"asInt":"5"}]}}]}]}]}"#,
            ),
        ),
    ];
    for (signal, request) in &requests {
        for (other, path) in
            [(Signal::Traces, "/v1/traces"), (Signal::Metrics, "/v1/metrics"), (Signal::Logs, "/v1/logs")]
        {
            let (status, body) = post(&library, path, PROTOBUF, request);
            assert_eq!(status == 200 && body.is_empty(), other == *signal, "{signal} to {path}: {status}, {body:?}");
        }
    }
    assert_eq!(library.stats().counters.total("otlp_arrow_committed_records_total", &[]), 3);
    library.shutdown_blocking(None).unwrap();
}

#[test]
fn what_cannot_be_read_is_counted_by_its_code() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path());
    let (status, body) = post(&library, "/v1/logs", JSON, br#"{"resourceLogs":[{},{"scopeLogs":"x"}]}"#);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["code"]), (400, &json!(3)));
    assert_eq!(body["message"], "malformed OTLP at byte 33: resourceLogs[1].scopeLogs = \"x\": not an array");
    assert_eq!(post(&library, "/v1/logs", PROTOBUF, b"\x0a\x05x").0, 400);
    assert_eq!(grpc(&library, "logs.v1.Logs", b"\x0a\x05x").status, 3);
    assert_eq!(post(&library, "/v1/logs", "text/plain", b"x").0, 415);
    assert_eq!(counted(&library, "otlp_arrow_refused_requests_total", "INVALID_DATA"), 4);
    let metrics = send(library.addresses().http.unwrap(), "GET", "/metrics", &[], b"");
    let metrics = String::from_utf8(metrics.body).unwrap();
    let line = r#"otlp_arrow_refused_requests_total{signal="logs",protocol="otlp_grpc",reason="INVALID_DATA"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
    library.shutdown_blocking(None).unwrap();
}
