//! Whatever comes in at the port: answered or closed, never stored, and the next client is served. What connections may
//! do, whatever is behind them, is tried in `otlp-arrow-net`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::support::*;

/// A small generator of reproducible noise (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

fn still_serves(service: &Service) {
    assert_eq!(post(service, "/v1/logs", b"").status, 200);
    let mut seen = service.inside.seen.lock().unwrap();
    assert_eq!(seen.drain(..).count(), 1, "only the good request is stored");
}

/// Sends bytes, ends the sending side, and reads whatever comes until the other side closes.
fn throw(service: &Service, bytes: &[u8]) {
    let mut stream = TcpStream::connect(service.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the connection was neither answered nor closed");
    }
}

#[test]
fn random_bytes_are_survived() {
    let service = start();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for round in 0..60 {
        let length = (noise.next() % 3000) as usize;
        throw(&service, &noise.bytes(length));
        if round % 20 == 19 {
            still_serves(&service);
        }
    }
}

#[test]
fn random_http2_frames_are_survived() {
    let service = start();
    let mut noise = Noise(7);
    for round in 0..60 {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        if round % 2 == 0 {
            bytes.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        }
        for _ in 0..noise.next() % 8 {
            let length = (noise.next() % 200) as usize;
            bytes.extend_from_slice(&[0, (length >> 8) as u8, length as u8]);
            bytes.extend_from_slice(&[
                (noise.next() % 11) as u8,
                noise.next() as u8,
                0,
                0,
                0,
                (noise.next() % 6) as u8,
            ]);
            bytes.extend_from_slice(&noise.bytes(length));
        }
        throw(&service, &bytes);
    }
    still_serves(&service);
}

#[tokio::test]
async fn random_bodies_are_handed_on_as_they_are_or_refused() {
    let service = start();
    let mut noise = Noise(11);
    for _ in 0..30 {
        let length = (noise.next() % 400) as usize;
        let body = noise.bytes(length);
        for encoding in ["gzip", "deflate", "zstd"] {
            let headers = [("content-type", "application/x-protobuf"), ("content-encoding", encoding)];
            assert_eq!(send(service.http, "POST", "/v1/metrics", &headers, &body).status, 400, "{encoding}");
        }
        let called = call(service.grpc, TRACES, &[("grpc-encoding", "zstd")], vec![body.into()]).await;
        assert!([3, 8, 12].contains(&called.status), "{called:?}");
    }
    still_serves(&service);
    service.released().await;
}

#[test]
fn headers_have_a_limit() {
    let service = start();
    for length in [20_000, 200_000] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n", "x".repeat(length));
        assert_eq!(raw(service.http, request.as_bytes()).unwrap().status, 431, "{length}");
    }
    let many = format!("GET /healthz HTTP/1.1\r\nhost: t\r\n{}\r\n", "x: y\r\n".repeat(500));
    assert_eq!(raw(service.http, many.as_bytes()).unwrap().status, 431);
    still_serves(&service);
}

/// A byte now and then does not keep a connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_dribbles_in_is_given_up() {
    let service = start_with(|config| config.limits.timeout = Duration::from_millis(200));
    let mut stream = TcpStream::connect(service.http).unwrap();
    let started = std::time::Instant::now();
    let head = b"POST /v1/logs HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x'));
    let written = head.take(2000).take_while(|byte| {
        tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(10)));
        stream.write_all(&[**byte]).is_ok()
    });
    assert!(written.count() < 2000, "closed after {:?}", started.elapsed());
    service.released().await;
}

#[test]
fn hundreds_of_connections_are_served_and_more_wait_for_a_place() {
    let service = start_with(|config| config.limits.max_connections = 100);
    let mut open: Vec<TcpStream> = (0..150).map(|_| TcpStream::connect(service.http).unwrap()).collect();
    let head =
        b"POST /v1/logs HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    for stream in &mut open {
        stream.write_all(head).unwrap();
    }
    for mut stream in open {
        assert_eq!(read_reply(&mut stream).unwrap().status, 200);
    }
    assert_eq!(service.seen().len(), 150);
}

#[tokio::test]
async fn streams_of_one_connection_have_a_limit() {
    let service = start_with(|config| config.limits.max_streams = 4);
    let mut sender = h2(service.grpc).await;
    let request = || grpc_request(TRACES, vec![framed(0, b"")]);
    // With its answer the client learns the limit.
    assert_eq!(called(sender.send_request(request()).await.unwrap()).await.status, 0);
    service.script(Script::Hang);
    let mut waiting: Vec<_> = (0..10).map(|_| tokio::spawn(sender.send_request(request()))).collect();
    until(|| service.seen().len() == 5).await;
    // The others come when there is room.
    for one in waiting.drain(..4) {
        one.abort();
    }
    until(|| service.seen().len() == 9).await;
}
