//! Bodies that are large, slow, or more than there is room for.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use otlp_arrow::Code;

use super::support::*;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn a_body_over_the_limit_is_refused_for_good_even_while_it_is_being_sent() {
    let service = start();
    let body = vec![0; 100 << 20];
    let reply = send(service.http, "POST", "/v1/traces", &[PROTOBUF], &body);
    assert_eq!((reply.status, reply.status_body().0), (413, 8));
    assert!(reply.status_body().1.contains("limits.max_body"));
    assert_eq!((service.seen(), service.used()), (vec![], 0));
}

#[tokio::test]
async fn a_grpc_message_over_the_limit_is_refused_for_good_at_its_prefix() {
    let service = start_with(|config| config.limits.max_body = 1 << 20);
    let mut frame = vec![0];
    frame.extend_from_slice(&((1_u32 << 20) + 1).to_be_bytes());
    let called = call(service.grpc, TRACES, &[], vec![Bytes::from(frame), Bytes::from(vec![0; 4096])]).await;
    assert_eq!(called.status, 8);
    assert_eq!(called.details, None, "without RetryInfo it is not sent again");
    assert!(called.message.contains("limits.max_body"), "{}", called.message);
    let called = call(service.grpc, TRACES, &[], vec![framed(0, &vec![0; 1 << 20])]).await;
    assert_eq!(called.status, 0, "exactly the limit fits");
}

#[tokio::test]
async fn a_bomb_is_refused_for_good_and_gives_its_memory_back() {
    let service = start();
    let bomb = gzip(&vec![0; 65 << 20]);
    assert!(bomb.len() < 100_000);
    let reply = send(service.http, "POST", "/v1/traces", &[PROTOBUF, ("content-encoding", "gzip")], &bomb);
    assert_eq!((reply.status, reply.status_body().0), (413, 8));
    let called = call(service.grpc, TRACES, &[("grpc-encoding", "gzip")], vec![framed(1, &bomb)]).await;
    assert_eq!((called.status, called.details), (8, None));
    assert_eq!(service.seen(), []);
    service.released().await;
}

#[tokio::test]
async fn json_that_grows_is_reserved_as_it_grows() {
    let counts = "1,".repeat(200_000);
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}1]}}]}}}}]}}]}}]}}"#
    );
    // The text, and four times as much as protobuf: 2 MB. One signal has three quarters of the buffer.
    for (room, status) in [(4 << 20, 200), (2 << 20, 413)] {
        let service = start_with(|config| config.buffer.max_bytes = room);
        let reply = send(service.http, "POST", "/v1/metrics", &[("content-type", "application/json")], json.as_bytes());
        assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
        let sizes: Vec<usize> = service.seen().iter().map(|(_, _, bytes)| bytes.len()).collect();
        match status {
            200 => assert!(matches!(sizes[..], [1_600_000..1_700_000]), "{sizes:?}"),
            _ => assert_eq!(sizes, [0; 0]),
        }
        service.released().await;
    }
}

#[tokio::test]
async fn what_no_empty_buffer_holds_is_refused_for_good_without_reading_on() {
    let service = start_with(|config| config.buffer.max_bytes = 4 << 20);
    let started = Instant::now();
    let called = call(service.grpc, TRACES, &[], vec![framed(0, &vec![0; 20 << 20])]).await;
    assert_eq!((called.status, called.details), (8, None), "sending it again would not help");
    assert!(called.message.contains("buffer.max_bytes"), "{}", called.message);
    let reply = send(service.http, "POST", "/v1/traces", &[PROTOBUF], &vec![0; (3 << 20) + 1]);
    assert_eq!((reply.status, reply.header("retry-after")), (413, ""));
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(service.seen(), []);
    service.released().await;
}

#[tokio::test]
async fn all_connections_share_one_budget_while_bodies_arrive() {
    let service = start_with(|config| config.buffer.max_bytes = 4 << 20);
    // Each sends a part that is held, together nearly three quarters of four MiB.
    let held: Vec<TcpStream> = (0..5)
        .map(|_| {
            let mut stream = TcpStream::connect(service.http).unwrap();
            let head = "POST /v1/traces HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&[0; 600_000]).unwrap();
            stream
        })
        .collect();
    until(|| service.used() >= 3_000_000).await;
    let one_more = post(&service, "/v1/traces", &vec![0; 400_000]);
    assert_eq!((one_more.status, one_more.header("retry-after")), (503, "1"));
    let called = call(service.grpc, TRACES, &[], vec![framed(0, &vec![0; 400_000])]).await;
    assert_eq!(called.status, 14);
    assert_eq!(called.details.unwrap().details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let other_signal = post(&service, "/v1/logs", &[0; 1000]);
    assert_eq!(other_signal.status, 200, "one signal leaves room for the others");
    service.script(Script::Fail(Code::Closed));
    drop(held);
    service.released().await;
}

#[tokio::test]
async fn a_slow_body_is_given_up_and_its_memory_given_back() {
    let service = start_with(|config| config.limits.timeout = Duration::from_millis(300));
    let mut stream = TcpStream::connect(service.http).unwrap();
    stream
        .write_all(b"POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nabc")
        .unwrap();
    let reply = tokio::task::spawn_blocking(move || read_reply(&mut stream)).await.unwrap().unwrap();
    assert_eq!((reply.status, reply.status_body().0), (503, 14));
    assert!(reply.status_body().1.contains("limits.timeout"));

    // Over HTTP/2, with a body that never ends.
    let mut sender = h2(service.grpc).await;
    let (_keep, frames) = tokio::sync::mpsc::channel::<hyper::body::Frame<Bytes>>(1);
    let body = http_body_util::StreamBody::new(futures::stream::unfold(frames, |mut frames| async move {
        let frame = frames.recv().await?;
        Some((Ok::<_, std::io::Error>(frame), frames))
    }));
    let request = http::Request::post(format!("http://t{TRACES}")).header("content-type", "application/grpc");
    let response = sender.send_request(request.body(Box::pin(body)).unwrap()).await.unwrap();
    assert_eq!(called(response).await.status, 14);
    service.released().await;
}

/// Thousands of requests of which nothing comes but the headers take memory as well.
#[tokio::test]
async fn requests_without_a_body_yet_share_the_budget_too() {
    let service = start_with(|config| config.buffer.max_bytes = 1 << 20);
    let request = || {
        let body = http_body_util::StreamBody::new(futures::stream::pending::<
            Result<hyper::body::Frame<Bytes>, std::io::Error>,
        >());
        let request = http::Request::post(format!("http://t{TRACES}")).header("content-type", "application/grpc");
        request.header("x-padding", "x".repeat(2_000)).body(Box::pin(body)).unwrap()
    };
    // Three quarters of the buffer hold 127 times 6 kB.
    let mut senders = [h2(service.grpc).await, h2(service.grpc).await];
    let mut answers: futures::stream::FuturesUnordered<_> =
        (0..200).map(|at| tokio::spawn(senders[at % 2].send_request(request()))).collect();
    for _ in 0..73 {
        let answer = called(answers.next().await.unwrap().unwrap().unwrap()).await;
        assert_eq!((answer.status, answer.details.is_some()), (14, true), "{answer:?}");
    }
    assert!((700_000..=786_432).contains(&service.used()), "{}", service.used());
    assert_eq!(post(&service, "/v1/logs", &[0; 1000]).status, 200, "one signal leaves room for the others");
    answers.iter().for_each(|waiting| waiting.abort());
    service.released().await;
}

#[tokio::test]
async fn a_sender_that_goes_away_leaves_nothing_behind() {
    let service = start();
    let mut stream = TcpStream::connect(service.http).unwrap();
    stream
        .write_all(b"POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nabc")
        .unwrap();
    until(|| service.used() > 0).await;
    drop(stream);
    service.released().await;
    assert_eq!(service.seen(), []);
}

/// curl over HTTP/2 shows no answer when its upload is cut short.
#[tokio::test]
async fn a_refused_upload_over_http2_is_taken_to_its_end() {
    let service = start();
    let mut sender = h2(service.http).await;
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&sent);
    let frames = futures::stream::iter((0..64).map(move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(hyper::body::Frame::data(Bytes::from(vec![0; 64 << 10])))
    }));
    let request = http::Request::post("http://t/v1/nothing").body(http_body_util::StreamBody::new(frames)).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 404);
    until(|| sent.load(std::sync::atomic::Ordering::Relaxed) == 64).await;
}

#[test]
fn a_sender_that_asks_first_is_told_before_it_sends() {
    let service = start();
    let request = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        100 << 20
    );
    assert_eq!(raw(service.http, request.as_bytes()).unwrap().status, 413);
}
