//! Connections: how long they may say nothing, how much they may send ahead, and how many there may be.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use otlp_arrow_net::server::Limits;

use crate::support::*;

const ECHO: &[u8] = b"POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi";

fn connect(fixture: &Fixture) -> TcpStream {
    let stream = TcpStream::connect(fixture.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn echoes(stream: &mut TcpStream) {
    stream.write_all(ECHO).unwrap();
    assert_eq!(read_reply(stream).unwrap().body, b"hi");
}

/// Reads until the other side closes.
fn closes(stream: &mut TcpStream) {
    let closed = std::io::copy(stream, &mut std::io::sink());
    assert!(closed.is_ok(), "neither answered nor closed: {closed:?}");
}

#[test]
fn headers_have_a_limit() {
    let fixture = Fixture::start();
    for length in [20_000, 200_000] {
        let request = format!("GET /peer HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n", "x".repeat(length));
        assert_eq!(raw(fixture.address, request.as_bytes()).unwrap().status, 431, "{length}");
    }
    let many = format!("GET /peer HTTP/1.1\r\nhost: t\r\n{}\r\n", "x: y\r\n".repeat(500));
    assert_eq!(raw(fixture.address, many.as_bytes()).unwrap().status, 431);
    echoes(&mut connect(&fixture));
}

#[test]
fn half_a_request_is_not_waited_for_forever() {
    let fixture = Fixture::start();
    let kinds: [&[u8]; 4] = [b"", b"POST /echo HT", b"POST /echo HTTP/1.1\r\nhost: t\r\n", b"PRI * HTTP/2.0\r\n"];
    for (sent, later) in kinds.into_iter().flat_map(|sent| [(sent, false), (sent, true)]) {
        if later && (sent.is_empty() || sent.starts_with(b"PRI")) {
            continue;
        }
        let mut stream = connect(&fixture);
        if later {
            echoes(&mut stream);
        }
        stream.write_all(sent).unwrap();
        fixture.while_time_flies(|| closes(&mut stream));
    }
}

/// A byte now and then does not keep a connection.
#[test]
fn a_head_that_dribbles_in_is_given_up() {
    let fixture = Fixture::start();
    let mut stream = connect(&fixture);
    let head = b"POST /echo HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x'));
    let written = fixture.while_time_flies(|| {
        let sent = head.take(10_000).take_while(|byte| {
            std::thread::sleep(Duration::from_millis(1));
            stream.write_all(&[**byte]).is_ok()
        });
        sent.count()
    });
    assert!(written < 10_000, "it was not closed");
}

/// SDKs export once a minute, and an export that is sent while the server closes the connection may be lost.
#[test]
fn a_connection_may_be_idle_for_longer_than_a_request_may_take_but_not_forever() {
    let fixture = Fixture::start();
    let mut stream = connect(&fixture);
    for _ in 0..3 {
        echoes(&mut stream);
        fixture.wait(4 * LIMITS.timeout);
    }
    echoes(&mut stream);
    fixture.while_time_flies(|| closes(&mut stream));
}

#[test]
fn an_idle_connection_makes_room_for_one_that_waits() {
    let fixture = Fixture::start_with(Limits { max_connections: 2, ..LIMITS }, |_| {});
    let mut idle: Vec<_> = (0..2).map(|_| connect(&fixture)).collect();
    idle.iter_mut().for_each(echoes);
    let mut waiting = connect(&fixture);
    waiting.write_all(ECHO).unwrap();
    // Far less than a connection may be idle for otherwise.
    fixture.wait(3 * LIMITS.timeout);
    assert_eq!(read_reply(&mut waiting).unwrap().body, b"hi");
}

#[test]
fn hundreds_of_connections_are_served_and_more_wait_for_a_place() {
    let fixture = Fixture::start_with(Limits { max_connections: 100, ..LIMITS }, |_| {});
    let mut open: Vec<TcpStream> = (0..150).map(|_| connect(&fixture)).collect();
    for stream in &mut open {
        stream.write_all(ECHO).unwrap();
    }
    for mut stream in open {
        assert_eq!(read_reply(&mut stream).unwrap().status, 200);
    }
}

fn hang() -> http::Request<Pieces> {
    http::Request::post("http://test/hang").body(pieces(vec![])).unwrap()
}

#[tokio::test]
async fn streams_of_one_connection_have_a_limit() {
    let fixture = Fixture::start_with(Limits { max_streams: 4, ..LIMITS }, |_| {});
    let mut sender = h2(fixture.address).await;
    let hanging = || fixture.echo.hanging.load(Ordering::SeqCst);
    // With its answer the client learns the limit.
    let first = http::Request::get("http://test/peer").body(pieces(vec![])).unwrap();
    assert_eq!(sender.send_request(first).await.unwrap().status(), 200);
    let mut waiting: Vec<_> = (0..10).map(|_| tokio::spawn(sender.send_request(hang()))).collect();
    until(|| hanging() == 4).await;
    // The others come when there is room.
    waiting.drain(..4).for_each(|one| one.abort());
    until(|| hanging() == 8).await;
}

/// More than a hundred connections with as many streams each are no program, and what they send before anything is
/// reserved adds up.
#[tokio::test]
async fn one_connection_of_many_has_fewer_streams() {
    let fixture = Fixture::start_with(Limits { max_streams: 32, ..LIMITS }, |_| {});
    // One listener accepts in order.
    let mut others: Vec<TcpStream> = (0..140).map(|_| connect(&fixture)).collect();
    others.iter_mut().for_each(echoes);
    let mut sender = h2(fixture.address).await;
    let hanging = || fixture.echo.hanging.load(Ordering::SeqCst);
    let first = http::Request::get("http://test/peer").body(pieces(vec![])).unwrap();
    assert_eq!(sender.send_request(first).await.unwrap().status(), 200);
    let mut waiting: Vec<_> = (0..20).map(|_| tokio::spawn(sender.send_request(hang()))).collect();
    until(|| hanging() == 8).await;
    waiting.drain(..8).for_each(|one| one.abort());
    until(|| hanging() == 16).await;
}

#[test]
fn a_request_that_is_not_answered_in_time_is_told_so() {
    let fixture = Fixture::start();
    let mut stream = connect(&fixture);
    stream.write_all(b"POST /hang HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n").unwrap();
    let reply = fixture.while_time_flies(|| read_reply(&mut stream).unwrap());
    assert_eq!(reply.status, 503);
    assert!(reply.status_body().1.contains("limits.timeout"), "{reply:?}");
}

#[test]
fn a_server_that_stops_is_closed_when_its_requests_are_done() {
    let fixture = Fixture::start();
    let (mut idle, mut busy) = (connect(&fixture), connect(&fixture));
    echoes(&mut idle);
    busy.write_all(&ECHO[..ECHO.len() - 1]).unwrap();
    while fixture.echo.budget.used() == 0 {
        std::thread::yield_now();
    }
    let server = std::sync::Arc::clone(&fixture.server);
    server.stop();
    closes(&mut idle);
    assert!(!fixture.while_time_flies(|| fixture.runtime().block_on(server.closed(LIMITS.timeout / 10))));
    busy.write_all(&ECHO[ECHO.len() - 1..]).unwrap();
    assert_eq!(read_reply(&mut busy).unwrap().body, b"hi");
    assert!(fixture.runtime().block_on(server.closed(LIMITS.timeout)));
    assert!(TcpStream::connect(fixture.address).is_err(), "the port is free again");
}
