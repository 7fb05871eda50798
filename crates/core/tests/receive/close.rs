//! Opening and closing: addresses, refusals to bind, and requests on their way when the doors close.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use otlp_arrow::{Code, Config};

use super::support::*;

const LONG: Duration = Duration::from_secs(10);

fn refused(change: impl FnOnce(&mut Config)) -> otlp_arrow::OtlpError {
    let mut config = Config::default();
    change(&mut config);
    let inside = start().inside;
    otlp_arrow::internal::Doors::open(&config, inside).unwrap_err()
}

#[test]
fn a_port_that_is_taken_is_named_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = refused(|config| config.listen.http = Some(address));
    assert_eq!(error.code(), Code::BindFailed);
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("listen.http"), "{text}");
}

#[test]
fn others_may_not_come_in_unless_it_is_said_so() {
    let everyone = ([0, 0, 0, 0], 0).into();
    let error = refused(|config| config.listen.grpc = Some(everyone));
    assert_eq!(error.code(), Code::InvalidConfig);
    assert!(error.message().contains("insecure: true"), "{error}");
    let service = start_with(|config| {
        config.insecure = true;
        config.listen.grpc = Some(everyone);
    });
    assert_ne!(service.grpc.port(), 0);
}

#[test]
fn one_address_for_both_is_one_listener() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let service = start_with(|config| {
        config.listen.grpc = Some(free);
        config.listen.http = Some(free);
    });
    assert_eq!((service.grpc, service.http), (free, free));
    assert_eq!(post(&service, "/v1/logs", b"").status, 200);
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_doors_open() {
    let service = start();
    let mut idle = TcpStream::connect(service.http).unwrap();
    let silent = TcpStream::connect(service.grpc).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut idle).unwrap().status, 200);
    let mut sender = h2(service.grpc).await;
    let request = http::Request::post(format!("http://t{LOGS}")).header("content-type", "application/grpc");
    let response = sender.send_request(request.body(pieces(vec![framed(0, b"")])).unwrap()).await.unwrap();
    assert_eq!(called(response).await.status, 0);
    assert!(service.doors.close(LONG).await);
    assert!(TcpStream::connect(service.http).is_err(), "the port is free again");
    drop(silent);
}

#[tokio::test]
async fn requests_on_their_way_are_finished() {
    let service = start();
    let mut stream = TcpStream::connect(service.http).unwrap();
    let head =
        b"POST /v1/logs HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 4\r\n\r\nab";
    stream.write_all(head).unwrap();
    until(|| service.used() > 0).await;
    let mut closing = Box::pin(service.doors.close(LONG));
    assert!(futures::poll!(&mut closing).is_pending());
    stream.write_all(b"cd").unwrap();
    let reply = tokio::task::spawn_blocking(move || read_reply(&mut stream)).await.unwrap().unwrap();
    assert_eq!(reply.status, 200);
    assert!(closing.await);
    assert_eq!(service.seen()[0].2, "abcd");
}

#[tokio::test]
async fn what_does_not_finish_is_left_at_the_deadline() {
    let service = start();
    service.script(Script::Hang);
    let mut stream = TcpStream::connect(service.http).unwrap();
    stream
        .write_all(
            b"POST /v1/logs HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n",
        )
        .unwrap();
    until(|| service.seen().len() == 1).await;
    let started = Instant::now();
    assert!(!service.doors.close(Duration::from_millis(100)).await);
    assert!(started.elapsed() < LONG);
}

#[test]
fn closing_works_without_an_executor_and_twice() {
    let service = start();
    assert!(futures::executor::block_on(service.doors.close(LONG)));
    assert!(futures::executor::block_on(service.doors.close(LONG)));
}

#[tokio::test]
async fn doors_may_be_dropped_in_an_async_context() {
    let service = start();
    let _open = TcpStream::connect(service.http).unwrap();
    let address = service.http;
    drop(service);
    until(|| TcpStream::connect(address).is_err()).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_forked_child_does_not_hold_the_port() {
    let service = start();
    // SAFETY: the child does nothing but wait for a signal, which is allowed after a fork of a threaded program.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: as above.
            unsafe { libc::pause() };
        }
    }
    assert!(child > 0);
    let closed = service.doors.close(LONG).await;
    // The child lets go in its first moments.
    let bound = until(|| TcpListener::bind(service.http).is_ok());
    let bound = tokio::time::timeout(LONG / 2, bound).await;
    // SAFETY: the child is ours, and it is waited for.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        libc::waitpid(child, std::ptr::null_mut(), 0);
    }
    assert!(closed);
    bound.unwrap();
}
