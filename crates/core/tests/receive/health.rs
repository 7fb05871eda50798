//! What probes are told.

use bytes::Bytes;
use http_body_util::BodyExt;
use otlp_arrow::Code;

use super::support::*;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// `HealthCheckRequest { service }`.
fn asking(service: &str) -> Vec<Bytes> {
    let mut message = vec![0x0a, service.len() as u8];
    message.extend_from_slice(service.as_bytes());
    vec![framed(0, &message)]
}

/// `HealthCheckResponse { status }` in its frame.
fn saying(status: u8) -> Vec<u8> {
    vec![0, 0, 0, 0, 2, 0x08, status]
}

#[test]
fn pages_say_alive_and_ready_or_why_not() {
    let service = start();
    for path in ["/healthz", "/readyz"] {
        let reply = send(service.http, "GET", path, &[], b"");
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(send(service.http, "HEAD", path, &[], b"").status, 200, "{path}");
        let reply = send(service.http, "POST", path, &[], b"");
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"), "{path}");
    }
    service.script(Script::Fail(Code::StorageFull));
    assert_eq!(send(service.http, "GET", "/healthz", &[], b"").status, 200);
    let reply = send(service.http, "GET", "/readyz", &[], b"");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.body, b"not ready: STORAGE_FULL: as scripted\n");
}

#[tokio::test]
async fn head_has_the_length_and_no_body_over_both_versions() {
    let service = start();
    let reply = send(service.http, "HEAD", "/healthz", &[], b"");
    assert_eq!((reply.header("content-length"), &reply.body[..]), ("3", &b""[..]));
    let mut sender = h2(service.http).await;
    let request = http::Request::head("http://t/healthz").body(pieces(vec![])).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-length"]),
        (http::StatusCode::OK, &"3".parse().unwrap())
    );
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");
}

#[test]
fn metrics_are_prometheus_text() {
    let service = start();
    assert_eq!(post(&service, "/v1/metrics", b"").status, 200);
    let reply = send(service.http, "GET", "/metrics", &[], b"");
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(reply.body).unwrap();
    let line = "otlp_arrow_received_records_total{signal=\"metrics\",protocol=\"otlp_http\"} 1\n";
    assert!(text.contains(line), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(series.starts_with("otlp_arrow_") || series.starts_with("process_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn grpc_health_knows_our_services() {
    let service = start();
    for name in ["", "opentelemetry.proto.collector.logs.v1.LogsService"] {
        let called = call(service.grpc, CHECK, &[], asking(name)).await;
        assert_eq!((called.status, &called.data[..]), (0, &saying(1)[..]), "{name}");
    }
    assert_eq!(call(service.grpc, CHECK, &[], asking("nobody")).await.status, 5);
    assert_eq!(call(service.grpc, CHECK, &[], vec![framed(0, b"\xff")]).await.status, 3);
    service.script(Script::Fail(Code::StorageFailed));
    assert_eq!(&call(service.grpc, CHECK, &[], vec![framed(0, b"")]).await.data[..], &saying(2)[..]);
}

#[tokio::test]
async fn grpc_health_can_be_watched_until_the_doors_close() {
    let service = start();
    let mut sender = h2(service.grpc).await;
    let response = sender.send_request(grpc_request(WATCH, asking(""))).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap()[..], saying(1)[..]);
    service.script(Script::Fail(Code::StorageFull));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap()[..], saying(2)[..]);
    service.script(Script::Keep);
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap()[..], saying(1)[..]);
    assert!(service.doors.close(std::time::Duration::from_secs(10)).await, "a watcher does not hold the doors open");
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap()[..], saying(2)[..]);
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap()["grpc-status"], "14");
}

#[tokio::test]
async fn so_many_may_watch_and_no_more() {
    let service = start_with(|config| config.limits.max_streams = 2000);
    let mut sender = h2(service.grpc).await;
    let request = || grpc_request(WATCH, asking(""));
    // With its first answer the client learns how many streams it may have.
    let mut watching = vec![sender.send_request(request()).await.unwrap()];
    let more = (1..1024).map(|_| sender.send_request(request()));
    watching.extend(futures::future::try_join_all(more).await.unwrap());
    assert!(watching.iter().all(|response| !response.headers().contains_key("grpc-status")));
    let refused = called(sender.send_request(request()).await.unwrap()).await;
    assert_eq!(refused.status, 8, "{refused:?}");
    watching.pop();
    // The place is free once the server has seen that nobody listens.
    loop {
        let response = sender.send_request(request()).await.unwrap();
        if !response.headers().contains_key("grpc-status") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
