//! gRPC messages one by one: answered as they come, reserved each for itself, and in time once they have begun.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use otlp_arrow_net::encoding::Encoding;
use tokio::sync::mpsc;

use crate::support::*;

/// A call that is open both ways.
struct Call {
    sender: Option<mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>>,
    answer: Incoming,
    got: BytesMut,
}

impl Call {
    async fn open(fixture: &Fixture, headers: &[(&str, &str)]) -> Self {
        let (sender, mut receiver) = mpsc::channel(1);
        let frames = std::pin::Pin::from(Box::new(futures::stream::poll_fn(move |cx| receiver.poll_recv(cx))));
        let mut request =
            http::Request::post(format!("http://test{STREAM}")).header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut connection = h2(fixture.address).await;
        let response = connection.send_request(request.body(StreamBody::new(frames)).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        Self { sender: Some(sender), answer: response.into_body(), got: BytesMut::new() }
    }

    async fn send(&self, piece: impl Into<Bytes>) {
        self.sender.as_ref().unwrap().send(Ok(Frame::data(piece.into()))).await.unwrap();
    }

    fn end(&mut self) {
        self.sender = None;
    }

    /// The next message; or the status and its words at the end.
    async fn next(&mut self) -> Result<Vec<u8>, (i32, String)> {
        loop {
            if let Some(prefix) = self.got.first_chunk::<5>() {
                let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
                if self.got.len() >= 5 + length {
                    return Ok(self.got.split_to(5 + length)[5..].to_vec());
                }
            }
            let frame = self.answer.frame().await.expect("trailers at the end").unwrap();
            match frame.into_trailers() {
                Ok(trailers) => {
                    let text = |name| trailers.get(name).map_or("", |value| value.to_str().unwrap());
                    return Err((text("grpc-status").parse().unwrap(), text("grpc-message").to_owned()));
                }
                Err(frame) => self.got.extend_from_slice(&frame.into_data().unwrap()),
            }
        }
    }
}

#[tokio::test]
async fn each_message_is_answered_before_the_next_is_sent() {
    let fixture = Fixture::start();
    let mut call = Call::open(&fixture, &[]).await;
    let used = || fixture.echo.budget.used();
    for number in 0..5u8 {
        call.send(framed(0, &[number; 1000])).await;
        assert_eq!(call.next().await.unwrap(), [number; 1000]);
        until(|| used() == 0).await;
    }
    call.end();
    assert_eq!(call.next().await, Err((0, String::new())));
}

#[tokio::test]
async fn messages_come_in_any_pieces() {
    let fixture = Fixture::start();
    let texts = [&b"one"[..], b"", b"two", &[7; 40_000], b"last"];
    let whole = texts.iter().map(|text| framed(0, text)).collect::<Vec<_>>().concat();
    for size in [1, 2, 7, 4096, whole.len()] {
        // One byte at a time only as far as it says something new.
        let start = if size == 1 { whole.len() - 10 } else { 0 };
        let mut call = Call::open(&fixture, &[]).await;
        let (sender, bytes) = (call.sender.take().unwrap(), whole.clone());
        let sending = tokio::spawn(async move {
            for piece in [&bytes[..start]].into_iter().chain(bytes[start..].chunks(size)) {
                sender.send(Ok(Frame::data(Bytes::copy_from_slice(piece)))).await.unwrap();
            }
        });
        for text in texts {
            assert_eq!(call.next().await.unwrap(), text, "in pieces of {size}");
        }
        assert_eq!(call.next().await, Err((0, String::new())));
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn compressed_and_plain_messages_may_take_turns() {
    let fixture = Fixture::start();
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let mut call = Call::open(&fixture, &[("grpc-encoding", encoding.name())]).await;
        for round in 0..3u8 {
            call.send(framed(1, &encoding.compress(&[round; 5000]).unwrap())).await;
            call.send(framed(0, b"plain")).await;
            assert_eq!(call.next().await.unwrap(), [round; 5000], "{encoding:?}");
            assert_eq!(call.next().await.unwrap(), b"plain");
        }
    }
}

#[tokio::test]
async fn a_stream_may_be_quiet_but_a_message_that_has_begun_must_arrive() {
    let fixture = Fixture::start();
    let mut call = Call::open(&fixture, &[]).await;
    let frame = framed(0, b"late");
    for _ in 0..2 {
        call.send(frame.clone()).await;
        assert_eq!(call.next().await.unwrap(), b"late");
        fixture.wait(Duration::from_secs(86_400));
    }
    call.send(frame.slice(..6)).await;
    until(|| fixture.echo.budget.used() > 0).await;
    fixture.clock.advance(EACH);
    let (status, message) = call.next().await.unwrap_err();
    assert_eq!(status, 14);
    assert!(message.contains("took longer to arrive"), "{message}");
}

#[tokio::test]
async fn a_stream_that_breaks_the_rules_ends_with_its_reason() {
    let fixture = Fixture::start();
    let broken: [(&[u8], i32, &str); 4] = [
        (&[2, 0, 0, 0, 0], 3, "begins with 2"),
        (&[1, 0, 0, 0, 1, 9], 3, "grpc-encoding does not say how"),
        (&[0, 0, 0], 3, "within the five bytes"),
        (&[0, 0, 0x10, 0, 1], 8, "may take 1048576"),
    ];
    for (bytes, status, reason) in broken {
        let mut call = Call::open(&fixture, &[]).await;
        call.send(framed(0, b"good")).await;
        assert_eq!(call.next().await.unwrap(), b"good");
        call.send(bytes.to_vec()).await;
        call.end();
        let (given, message) = call.next().await.unwrap_err();
        assert!(given == status && message.contains(reason), "{bytes:?}: {given} {message}");
        until(|| fixture.echo.budget.used() == 0).await;
    }
}

#[tokio::test]
async fn the_deadline_of_the_client_holds_for_a_stream() {
    let fixture = Fixture::start();
    let mut call = Call::open(&fixture, &[("grpc-timeout", "1H")]).await;
    call.send(framed(0, b"in time")).await;
    assert_eq!(call.next().await.unwrap(), b"in time");
    let unary = call_unary(&fixture).await;
    assert_eq!(unary, b"\0\0\0\0\x02ok"[..]);
}

async fn call_unary(fixture: &Fixture) -> Bytes {
    let called = otlp_arrow_testkit::http::call(fixture.address, UNARY, &[], vec![framed(0, b"ok")]).await;
    assert_eq!(called.status, 0);
    called.data
}
