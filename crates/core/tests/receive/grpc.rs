//! OTLP/gRPC: framing, compression, statuses, deadlines.

use std::io::Write;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use otlp_arrow::internal::status_of;
use otlp_arrow::{Code, Signal};
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;

use super::support::*;

/// Bytes in, bytes out: tonic as an independent client.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;
    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

async fn client(service: &Service) -> tonic::client::Grpc<Channel> {
    let channel = Channel::from_shared(format!("http://{}", service.grpc)).unwrap().connect().await.unwrap();
    tonic::client::Grpc::new(channel)
}

async fn unary(
    client: &mut tonic::client::Grpc<Channel>,
    path: &'static str,
    message: Vec<u8>,
) -> Result<Bytes, tonic::Status> {
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(path);
    client.unary(tonic::Request::new(Bytes::from(message)), path, Raw).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn tonic_delivers_all_three_signals_in_every_encoding() {
    let service = start();
    let message = traces(&"a span with a long name ".repeat(500));
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = client(&service).await;
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        for path in [TRACES, METRICS, LOGS] {
            assert_eq!(unary(&mut client, path, message.clone()).await.unwrap(), "", "{path} {encoding:?}");
        }
    }
    let seen = service.seen();
    assert_eq!(seen.len(), 9);
    for ((signal, protocol, bytes), wanted) in seen.iter().zip(Signal::ALL.iter().cycle()) {
        assert_eq!((signal, protocol.as_str()), (wanted, "otlp_grpc"));
        assert_eq!(bytes, &message);
    }
    service.released().await;
}

#[tokio::test]
async fn an_empty_request_is_a_success() {
    let service = start();
    let called = call(service.grpc, LOGS, &[], vec![framed(0, b"")]).await;
    assert_eq!((called.status, &called.data[..]), (0, &[0; 5][..]));
    assert_eq!(service.seen()[0].2, "");
}

#[tokio::test]
async fn partial_success_says_how_many_and_why() {
    let service = start();
    service.script(Script::Partial(3, "3 record(s) refused"));
    let answer = unary(&mut client(&service).await, METRICS, vec![]).await.unwrap();
    let partial = ExportMetricsServiceResponse::decode(answer).unwrap().partial_success.unwrap();
    assert_eq!((partial.rejected_data_points, partial.error_message.as_str()), (3, "3 record(s) refused"));
}

#[tokio::test]
async fn every_code_is_what_the_table_says_with_retry_info_where_it_says_so() {
    let service = start();
    for code in Code::all() {
        for script in [Script::Fail(code), Script::FailLater(code)] {
            service.script(script);
            let called = call(service.grpc, TRACES, &[], vec![framed(0, &traces("x"))]).await;
            let wanted = status_of(code);
            assert_eq!((called.status, called.message.as_str()), (wanted.grpc, "as scripted"), "{code}");
            let urls: Vec<String> =
                called.details.iter().flat_map(|status| &status.details).map(|any| any.type_url.clone()).collect();
            let expected = match (wanted.retry_after, code) {
                (Some(_), _) => vec!["type.googleapis.com/google.rpc.RetryInfo".to_owned()],
                (None, Code::InvalidData) => vec!["type.googleapis.com/google.rpc.BadRequest".to_owned()],
                (None, _) => vec![],
            };
            assert_eq!(urls, expected, "{code}");
            if let (Some(delay), Some(status)) = (wanted.retry_after, called.details) {
                // RetryInfo { retry_delay: Duration { seconds } }
                assert_eq!(status.details[0].value, [0x0a, 2, 0x08, delay.as_secs() as u8], "{code}");
            }
        }
    }
}

#[tokio::test]
async fn a_message_may_come_in_any_pieces() {
    let service = start();
    let message = traces("in pieces");
    let frame = framed(0, &message);
    for size in [1, 2, 3, 4, 5, 6, 7, frame.len() - 1] {
        let parts = frame.chunks(size).map(Bytes::copy_from_slice).collect();
        assert_eq!(call(service.grpc, TRACES, &[], parts).await.status, 0, "pieces of {size}");
    }
    assert!(service.seen().iter().all(|(_, _, bytes)| *bytes == message));
    assert_eq!(service.seen().len(), 8);
}

#[tokio::test]
async fn deflate_and_identity_are_taken_and_others_are_named() {
    let service = start();
    let message = traces("packed");
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&message).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(call(service.grpc, TRACES, &[("grpc-encoding", "deflate")], vec![framed(1, &packed)]).await.status, 0);
    assert_eq!(call(service.grpc, TRACES, &[("grpc-encoding", "gzip")], vec![framed(0, &message)]).await.status, 0);
    assert_eq!(call(service.grpc, TRACES, &[("grpc-encoding", "identity")], vec![framed(0, &message)]).await.status, 0);
    assert!(service.seen().iter().all(|(_, _, bytes)| *bytes == message));

    let unknown = call(service.grpc, TRACES, &[("grpc-encoding", "snappy")], vec![framed(1, &message)]).await;
    assert_eq!(unknown.status, 12);
    assert!(unknown.message.contains("snappy"), "{}", unknown.message);
    assert_eq!(unknown.headers["grpc-accept-encoding"], "identity,gzip,deflate,zstd");
    assert_eq!(service.seen().len(), 3);
}

#[tokio::test]
async fn broken_messages_are_invalid_and_reach_nobody() {
    let service = start();
    let message = traces("broken");
    let whole = framed(0, &message);
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<Bytes>);
    let invalid: [Case<'_>; 6] = [
        ("a torn prefix", &[], vec![whole.slice(..3)]),
        ("a torn message", &[], vec![whole.slice(..whole.len() - 1)]),
        ("an unknown flag", &[], vec![framed(2, &message)]),
        ("compressed without an encoding", &[], vec![framed(1, &message)]),
        ("compressed as identity", &[("grpc-encoding", "identity")], vec![framed(1, &message)]),
        ("not gzip", &[("grpc-encoding", "gzip")], vec![framed(1, &message)]),
    ];
    for (what, headers, parts) in invalid {
        assert_eq!(call(service.grpc, TRACES, headers, parts).await.status, 3, "{what}");
    }
    for (what, parts) in [("no message", vec![]), ("two messages", vec![whole.clone(), whole.clone()])] {
        assert_eq!(call(service.grpc, TRACES, &[], parts).await.status, 12, "{what}");
    }
    assert_eq!(service.seen(), []);
    service.released().await;
}

#[tokio::test]
async fn unknown_methods_and_subtypes_are_unimplemented() {
    let service = start();
    let message = framed(0, b"");
    for path in ["/opentelemetry.proto.collector.trace.v1.TraceService/Import", "/nothing", "/v1/traces"] {
        assert_eq!(call(service.grpc, path, &[], vec![message.clone()]).await.status, 12, "{path}");
    }
    let json = call(service.grpc, TRACES, &[("content-type", "application/grpc+json")], vec![message.clone()]).await;
    assert_eq!(json.status, 12);
    let proto = call(service.grpc, TRACES, &[("content-type", "application/grpc+proto")], vec![message]).await;
    assert_eq!(proto.status, 0);
}

#[tokio::test]
async fn a_protocol_that_is_off_is_not_answered() {
    let service = start_with(|config| config.protocols.otlp_grpc = false);
    let called = call(service.grpc, TRACES, &[], vec![framed(0, &traces("x"))]).await;
    assert_eq!(called.status, 12);
    assert!(called.message.contains("protocols.otlp_grpc"), "{}", called.message);
    assert_eq!(service.seen(), []);
}

#[tokio::test]
async fn grpc_is_answered_on_the_http_listener_too() {
    let service = start();
    assert_eq!(call(service.http, TRACES, &[], vec![framed(0, &traces("x"))]).await.status, 0);
    assert_eq!(service.seen()[0].1.as_str(), "otlp_grpc");
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_ever_is_answered_in_time() {
    let service = start();
    service.script(Script::Hang);
    let answer = call(service.grpc, TRACES, &[("grpc-timeout", "50m")], vec![framed(0, &traces("x"))]);
    let called = tokio::time::timeout(Duration::from_secs(10), answer).await.unwrap();
    assert_eq!(called.status, status_of(Code::Timeout).grpc);
    service.released().await;
}

#[tokio::test]
async fn a_defect_inside_is_internal_and_the_connection_lives_on() {
    let service = start();
    let mut client = client(&service).await;
    service.script(Script::Panic);
    let status = unary(&mut client, TRACES, traces("x")).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Internal);
    service.script(Script::Keep);
    assert_eq!(unary(&mut client, TRACES, traces("x")).await.unwrap(), "");
}

#[tokio::test]
async fn requests_of_one_connection_do_not_wait_for_each_other() {
    let service = start();
    service.script(Script::Hang);
    let mut sender = h2(service.grpc).await;
    let request = || grpc_request(TRACES, vec![framed(0, &traces("x"))]);
    let hanging = sender.send_request(request());
    until(|| service.seen().len() == 1).await;
    service.script(Script::Keep);
    assert_eq!(called(sender.send_request(request()).await.unwrap()).await.status, 0);
    drop(hanging);
    service.released().await;
}

#[tokio::test]
async fn what_was_answered_is_counted_by_code() {
    let service = start();
    call(service.grpc, LOGS, &[], vec![framed(0, b"")]).await;
    call(service.grpc, LOGS, &[], vec![framed(7, b"")]).await;
    let page = send(service.http, "GET", "/metrics", &[], b"");
    let text = String::from_utf8(page.body).unwrap();
    for code in ["OK", "INVALID_DATA"] {
        let line =
            format!("otlp_arrow_request_seconds_count{{signal=\"logs\",protocol=\"otlp_grpc\",code=\"{code}\"}} 1\n");
        assert!(text.contains(&line), "{code}: {text}");
    }
    assert!(text.contains("otlp_arrow_received_records_total{signal=\"logs\",protocol=\"otlp_grpc\"} 1\n"), "{text}");
}
