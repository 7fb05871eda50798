//! OTLP/HTTP: encodings, statuses and their bodies.

use std::io::Write;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use otlp_arrow::internal::status_of;
use otlp_arrow::{Code, Signal};
use prost::Message;

use super::support::*;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn all_three_signals_are_taken_on_both_listeners() {
    let service = start();
    let message = traces("over http");
    for address in [service.http, service.grpc] {
        for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
            let reply = send(address, "POST", path, &[PROTOBUF], &message);
            assert_eq!((reply.status, reply.body.len()), (200, 0), "{path}");
            assert_eq!(reply.header("content-type"), "application/x-protobuf");
        }
    }
    let seen = service.seen();
    assert_eq!(seen.len(), 6);
    for ((signal, protocol, bytes), wanted) in seen.iter().zip(Signal::ALL.iter().cycle()) {
        assert_eq!((signal, protocol.as_str(), bytes.as_ref()), (wanted, "otlp_http", &message[..]));
    }
}

#[test]
fn json_becomes_protobuf_and_is_answered_in_json() {
    let service = start();
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"07070707070707070707070707070707",
        "spanId":"0909090909090909","name":"from json"}]}]}]}"#;
    for content_type in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
        let reply = send(service.http, "POST", "/v1/traces", &[("content-type", content_type)], json);
        assert_eq!((reply.status, &reply.body[..]), (200, &b"{}"[..]));
        assert_eq!(reply.header("content-type"), "application/json");
    }
    for (_, _, bytes) in service.seen() {
        assert_eq!(bytes, traces("from json"));
    }
    for bad in [&b"{"[..], b"[]", b"not json", b"", b"{\"resourceSpans\":3}"] {
        let reply = send(service.http, "POST", "/v1/traces", &[JSON], bad);
        assert_eq!(reply.status, 400, "{}", String::from_utf8_lossy(bad));
        assert_eq!(reply.status_body().0, 3);
    }
    assert_eq!(service.seen().len(), 3);
}

#[test]
fn partial_success_is_a_success_in_both_encodings() {
    let service = start();
    service.script(Script::Partial(2, "2 record(s) refused"));
    let reply = post(&service, "/v1/logs", b"");
    assert_eq!(reply.status, 200);
    let partial = ExportLogsServiceResponse::decode(&reply.body[..]).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (2, "2 record(s) refused"));

    let reply = send(service.http, "POST", "/v1/metrics", &[JSON], b"{}");
    assert_eq!(reply.status, 200);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let wanted = serde_json::json!({"rejectedDataPoints": "2", "errorMessage": "2 record(s) refused"});
    assert_eq!(body, serde_json::json!({ "partialSuccess": wanted }));
}

#[test]
fn every_code_is_what_the_table_says_in_the_encoding_of_the_request() {
    let service = start();
    for code in Code::all() {
        for (content_type, body) in [(PROTOBUF, &b""[..]), (JSON, b"{}")] {
            service.script(Script::FailLater(code));
            let reply = send(service.http, "POST", "/v1/traces", &[content_type], body);
            let wanted = status_of(code);
            assert_eq!(reply.status, wanted.http, "{code}");
            assert_eq!(reply.header("content-type"), content_type.1, "{code}");
            assert_eq!(reply.status_body(), (wanted.grpc, "as scripted".to_owned()), "{code}");
            let retry_after = wanted.retry_after.map_or(String::new(), |delay| delay.as_secs().to_string());
            assert_eq!(reply.header("retry-after"), retry_after, "{code}");
        }
    }
}

#[test]
fn what_is_unknown_is_named() {
    let service = start();
    for path in ["/", "/v1/trace", "/v1/traces/", "/v1development/profiles", "/favicon.ico"] {
        let reply = post(&service, path, b"");
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.status_body().1.contains(path), "{path}");
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let reply = send(service.http, method, "/v1/logs", &[JSON], b"");
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method}");
        assert!(reply.status_body().1.contains(method), "{method}");
    }
    for content_type in ["text/plain", "application/protobuf", "application/grpc-web", "application/jsonp", ""] {
        let reply = send(service.http, "POST", "/v1/logs", &[("content-type", content_type)], b"");
        assert_eq!(reply.status, 415, "{content_type}");
        assert!(reply.status_body().1.contains("application/x-protobuf"), "{content_type}");
    }
    assert_eq!(send(service.http, "POST", "/v1/logs", &[], b"").status, 415);
    let grpc = send(service.http, "POST", TRACES, &[("content-type", "application/grpc")], b"");
    assert_eq!(grpc.status, 415);
    assert!(grpc.status_body().1.contains("HTTP/2"));
    for encoding in ["br", "snappy", "gzip, gzip"] {
        let reply = send(service.http, "POST", "/v1/logs", &[PROTOBUF, ("content-encoding", encoding)], b"x");
        assert_eq!(reply.status, 415, "{encoding}");
        assert!(reply.status_body().1.contains(encoding), "{encoding}");
    }
    assert_eq!(service.seen(), []);
}

#[test]
fn compressed_bodies_are_unpacked() {
    let service = start();
    let message = traces(&"packed ".repeat(4000));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&message).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&message).unwrap();
    let bodies = [
        ("gzip", gzip.finish().unwrap()),
        ("x-gzip", {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&message).unwrap();
            gzip.finish().unwrap()
        }),
        ("deflate", zlib.finish().unwrap()),
        ("zstd", zstd::encode_all(&message[..], 3).unwrap()),
        ("identity", message.clone()),
    ];
    for (encoding, body) in &bodies {
        let reply = send(service.http, "POST", "/v1/traces", &[PROTOBUF, ("content-encoding", encoding)], body);
        assert_eq!(reply.status, 200, "{encoding}");
    }
    assert_eq!(service.seen().len(), bodies.len());
    assert!(service.seen().iter().all(|(_, _, bytes)| *bytes == message));
    for (encoding, body) in &bodies[..4] {
        for broken in [&body[..body.len() / 2], b"nothing of the kind"] {
            let reply = send(service.http, "POST", "/v1/traces", &[PROTOBUF, ("content-encoding", encoding)], broken);
            assert_eq!((reply.status, reply.status_body().0), (400, 3), "{encoding}");
        }
    }
    assert_eq!(service.seen().len(), bodies.len());
}

#[test]
fn chunked_bodies_are_put_together() {
    let service = start();
    let message = traces(&"chunk ".repeat(100));
    let mut request = b"POST /v1/traces HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\ncontent-type: application/x-protobuf\r\n\r\n".to_vec();
    for chunk in message.chunks(37) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(raw(service.http, &request).unwrap().status, 200);
    assert_eq!(service.seen()[0].2, message);
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let service = start();
    let mut stream = std::net::TcpStream::connect(service.http).unwrap();
    for _ in 0..3 {
        let head =
            "POST /v1/logs HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        assert_eq!(read_reply(&mut stream).unwrap().status, 200);
        // A refusal in between does not end it either.
        stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
        assert_eq!(read_reply(&mut stream).unwrap().status, 404);
    }
    assert_eq!(service.seen().len(), 3);
}

#[test]
fn a_protocol_that_is_off_is_not_answered_and_probes_still_are() {
    let service = start_with(|config| config.protocols.otlp_http = false);
    let reply = post(&service, "/v1/traces", &traces("x"));
    assert_eq!(reply.status, 404);
    assert!(reply.status_body().1.contains("protocols.otlp_http"));
    assert_eq!(send(service.http, "GET", "/readyz", &[], b"").status, 200);
    assert_eq!(service.seen(), []);
}
