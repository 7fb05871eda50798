//! One request of `limits.max_body`, at every door of a library with default settings (ADR 0018).

use std::io::Write;

use bytes::Bytes;
use futures::executor::block_on;
use otlp_arrow::{Addresses, Code, Config, OtlpLibrary, Signal};
use otlp_arrow_columns::json;
use otlp_arrow_testkit::http::{called, framed, grpc_request, h2, send};
use otlp_arrow_testkit::payload::Kind;

use super::support::config;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// A request of exactly `size` bytes: as many records as fit, and a field of a later OTLP.
fn request(kind: Kind, size: usize) -> Vec<u8> {
    let each = kind.encoded(1000, 1).len() / 1000;
    let mut bytes = kind.encoded((size - size / 50) / each, 1);
    let room = size - bytes.len() - 1;
    // Two to four bytes of length, whichever it takes.
    for digits in 2..=4 {
        let padding = room - digits;
        if padding.ilog2() as usize / 7 + 1 == digits {
            bytes.push(15 << 3 | 2);
            bytes.extend((0..digits).map(|at| {
                let more = if at + 1 < digits { 0x80 } else { 0 };
                (padding >> (7 * at)) as u8 & 0x7f | more
            }));
            bytes.resize(size, 0);
            return bytes;
        }
    }
    panic!("{room} bytes cannot be filled");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Sends the request by OTLP/gRPC; the status.
fn grpc(addresses: Addresses, path: &str, encoding: Option<&'static str>, message: &[u8]) -> (i32, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut call = grpc_request(path, vec![framed(u8::from(encoding.is_some()), message)]);
        if let Some(encoding) = encoding {
            call.headers_mut().insert("grpc-encoding", http::HeaderValue::from_static(encoding));
        }
        let called = called(h2(addresses.grpc.unwrap()).await.send_request(call).await.unwrap()).await;
        (called.status, called.message)
    })
}

fn open(dir: &std::path::Path, change: impl FnOnce(&mut Config)) -> OtlpLibrary {
    let mut config = config(dir);
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    // Builds for tests read slowly.
    config.limits.timeout = std::time::Duration::from_secs(120);
    change(&mut config);
    OtlpLibrary::open(config).unwrap()
}

/// Whether everything is sent every way, as in `npm run test:long`: in a build for tests that takes minutes.
fn all() -> bool {
    std::env::var_os("OTLP_ARROW_LARGEST").is_some()
}

/// What is sent: large records, and those of the published comparison.
fn kinds() -> Vec<Kind> {
    let compared = Kind::COMPARED.into_iter().filter(|_| all());
    compared.chain([Kind::Logs { body: 20_000 }]).collect()
}

const fn of(kind: Kind) -> (Signal, &'static str, &'static str) {
    match kind {
        Kind::Spans { .. } => {
            (Signal::Traces, "/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        }
        Kind::Logs { .. } => (Signal::Logs, "/v1/logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
        Kind::Numbers | Kind::Histograms => {
            (Signal::Metrics, "/v1/metrics", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
        }
    }
}

#[test]
fn a_request_of_the_largest_body_is_taken_at_every_door() {
    let dir = tempfile::tempdir().unwrap();
    let library = open(dir.path(), |_| {});
    let (addresses, max) = (library.addresses(), library.config().limits.max_body);
    let http = addresses.http.unwrap();
    assert_eq!(max, 64 << 20);
    for kind in kinds() {
        let (signal, url, path) = of(kind);
        let post = |headers: &[(&str, &str)], body: &[u8]| {
            let reply = send(http, "POST", url, headers, body);
            assert_eq!(reply.status, 200, "{} {headers:?}: {}", kind.name(), String::from_utf8_lossy(&reply.body));
            assert!(reply.body.is_empty() || reply.body == b"{}", "{}", String::from_utf8_lossy(&reply.body));
        };
        let plain = request(kind, max);
        assert_eq!(plain.len(), max);
        let zstd = zstd::bulk::compress(&plain, 1).unwrap();
        post(&[PROTOBUF], &plain);
        assert_eq!(grpc(addresses, path, Some("zstd"), &zstd), (0, String::new()));
        if all() {
            let gzip = gzip(&plain);
            post(&[PROTOBUF, ("content-encoding", "gzip")], &gzip);
            post(&[PROTOBUF, ("content-encoding", "zstd")], &zstd);
            assert_eq!(grpc(addresses, path, None, &plain), (0, String::new()));
            assert_eq!(grpc(addresses, path, Some("gzip"), &gzip), (0, String::new()));
        }
        let outcome = block_on(library.export_otlp(signal, Bytes::from(plain))).unwrap();
        assert!(outcome.accepted > 3_000 && outcome.rejected == 0, "{outcome:?}");

        // As JSON, padded with white space.
        let mut text = json::from_protobuf(signal, &request(kind, max / 3)).unwrap();
        assert!(text.len() > max / 4 && text.len() < max, "{} {}", kind.name(), text.len());
        text.resize(max, b' ');
        post(&[("content-type", "application/json")], &text);
        if all() {
            post(&[("content-type", "application/json"), ("content-encoding", "gzip")], &gzip(&text));
        }
    }
    assert_eq!(library.stats().buffer_bytes, 0, "all of it is given back");
    // Sealing takes its time in a build for tests.
    library.shutdown_blocking(Some(std::time::Duration::from_secs(300))).unwrap();
}

#[test]
fn the_limits_follow_a_smaller_budget_and_hold_there_too() {
    for budget in [2 << 20, 8 << 20] {
        let dir = tempfile::tempdir().unwrap();
        let library = open(dir.path(), |config| {
            config.buffer.max_bytes = budget;
            config.limits.max_body = budget / 4 * 3;
            config.limits.max_request_memory = budget * 2;
        });
        let http = library.addresses().http.unwrap();
        for kind in Kind::COMPARED.into_iter().chain([Kind::Logs { body: 3000 }]) {
            let (signal, path, _) = of(kind);
            let largest = request(kind, budget / 4 * 3);
            let headers = [PROTOBUF, ("content-encoding", "gzip")];
            for (headers, body) in [(&headers[..1], largest.clone()), (&headers[..], gzip(&largest))] {
                let reply = send(http, "POST", path, headers, &body);
                assert_eq!(reply.status, 200, "{}: {}", kind.name(), String::from_utf8_lossy(&reply.body));
            }
            assert!(block_on(library.export_otlp(signal, Bytes::from(largest))).unwrap().accepted > 0);
        }
        // Beyond: for good, by the limit it is beyond.
        let reply = send(http, "POST", "/v1/logs", &[PROTOBUF], &vec![0; budget / 4 * 3 + 1]);
        assert_eq!(reply.status, 413);
        let error = block_on(library.export_otlp(Signal::Logs, vec![0; budget / 4 * 3 + 1].into())).unwrap_err();
        assert_eq!(error.code(), Code::TooLarge);
        assert!(error.message().contains("limits.max_body"), "{error}");
        library.shutdown_blocking(Some(std::time::Duration::from_secs(300))).unwrap();
    }
}
