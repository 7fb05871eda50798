//! HTTP/2 clients that send frames which carry nothing: they are left, and others are served meanwhile. What hyper and h2
//! bound by themselves and what we do is told apart by nobody who is flooded: all of it is tried.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use otlp_arrow_net::identity::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No client gets as many frames through.
const MANY: usize = 400_000;
const LATE: Duration = Duration::from_secs(60);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// POST to `/echo`, as HPACK without Huffman codes and tables.
fn headers(flags: u8, stream: u32) -> Vec<u8> {
    let mut block = vec![0x83, 0x86];
    for (name, value) in [(":path", "/echo"), (":authority", "t")] {
        block.push(0);
        for text in [name, value] {
            block.push(text.len() as u8);
            block.extend(text.as_bytes());
        }
    }
    frame(1, flags, stream, &block)
}

fn connect(fixture: &Fixture) -> TcpStream {
    let mut stream = TcpStream::connect(fixture.address).unwrap();
    stream.set_write_timeout(Some(LATE)).unwrap();
    stream.set_read_timeout(Some(LATE)).unwrap();
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&frame(4, 0, 0, b"")).unwrap();
    stream
}

/// Sends what `next` makes until the other side has had enough: how many frames got out.
fn flood(fixture: &Fixture, mut next: impl FnMut(usize) -> Vec<u8>) -> usize {
    let mut stream = connect(fixture);
    let mut reader = stream.try_clone().unwrap();
    // Answers are read, as by one who wants to go on.
    let answers = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    assert_ne!(error.kind(), ErrorKind::WouldBlock, "neither answered nor closed");
                    return;
                }
            }
        }
    });
    let mut sent = 0;
    while sent < MANY {
        let batch: Vec<u8> = (0..100).flat_map(|at| next(sent + at)).collect();
        if stream.write_all(&batch).is_err() {
            break;
        }
        sent += 100;
    }
    let _ = stream.shutdown(Shutdown::Write);
    answers.join().unwrap();
    sent
}

fn still_serves(fixture: &Fixture) {
    let reply = send(fixture.address, "POST", "/echo", &[], b"hi");
    assert_eq!((reply.status, &*reply.body), (200, &b"hi"[..]));
}

#[test]
fn a_flood_of_frames_that_carry_nothing_ends_the_connection() {
    let fixture = Fixture::start();
    let opened = |at: usize, frame: Vec<u8>| if at == 0 { [headers(4, 1), frame].concat() } else { frame };
    type Next<'a> = Box<dyn FnMut(usize) -> Vec<u8> + 'a>;
    let floods: Vec<(&str, Next<'_>)> = vec![
        ("PING", Box::new(|_| frame(6, 0, 0, &[7; 8]))),
        ("acknowledged PING", Box::new(|_| frame(6, 1, 0, &[7; 8]))),
        ("SETTINGS", Box::new(|_| frame(4, 0, 0, b""))),
        ("SETTINGS that say something", Box::new(|_| frame(4, 0, 0, &[0, 3, 0, 0, 0, 100].repeat(10)))),
        ("acknowledged SETTINGS", Box::new(|_| frame(4, 1, 0, b""))),
        ("WINDOW_UPDATE", Box::new(|_| frame(8, 0, 0, &[0, 0, 0, 1]))),
        ("WINDOW_UPDATE of a stream", Box::new(move |at| opened(at, frame(8, 0, 1, &[0, 0, 0, 1])))),
        ("PRIORITY", Box::new(|_| frame(2, 0, 3, &[0, 0, 0, 0, 16]))),
        ("unknown frames", Box::new(|_| frame(0xfe, 0, 0, b""))),
        ("GOAWAY", Box::new(|_| frame(7, 0, 0, &[0; 8]))),
        ("empty DATA", Box::new(move |at| opened(at, frame(0, 0, 1, b"")))),
        ("DATA of padding only", Box::new(move |at| opened(at, frame(0, 8, 1, &[3, 0, 0, 0])))),
        ("CONTINUATION", Box::new(|at| if at == 0 { headers(0, 1) } else { frame(9, 0, 1, b"") })),
        (
            "streams that are reset",
            Box::new(|at| {
                let stream = at as u32 * 2 + 1;
                [headers(4, stream), frame(3, 0, stream, &[0, 0, 0, 8])].concat()
            }),
        ),
        ("RST_STREAM of what never was", Box::new(|at| frame(3, 0, at as u32 * 2 + 1, &[0, 0, 0, 8]))),
        ("HEADERS without an end", Box::new(|at| headers(4, at as u32 * 2 + 1))),
    ];
    for (name, next) in floods {
        let began = Instant::now();
        let sent = flood(&fixture, next);
        assert!(sent < MANY, "{name}: {sent} frames were taken");
        assert!(began.elapsed() < LATE, "{name} took {:?}", began.elapsed());
        still_serves(&fixture);
    }
}

/// Over a stream that throws nothing away: the last that comes is GOAWAY with ENHANCE_YOUR_CALM.
#[test]
fn a_flood_is_told_by_goaway() {
    let fixture = Fixture::start();
    let answers = fixture.runtime().block_on(async {
        let (client, server) = tokio::io::duplex(1 << 20);
        let connection = fixture.server.connection(fixture.server.place().await);
        let served = tokio::spawn(connection.serve(server, Peer::Unnamed));
        let (mut reader, mut writer) = tokio::io::split(client);
        let read = tokio::spawn(async move {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).await.unwrap();
            all
        });
        let opening = [PREFACE, &frame(4, 0, 0, b""), &frame(6, 0, 0, &[7; 8]).repeat(20_000)].concat();
        let _ = writer.write_all(&opening).await;
        served.await.unwrap();
        read.await.unwrap()
    });
    let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb];
    assert!(answers.ends_with(&goaway), "{:?}", &answers[answers.len().saturating_sub(40)..]);
}

/// What real clients send beside their requests is no flood, however long they go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_works_is_served_as_long_as_it_likes() {
    let fixture = tokio::task::block_in_place(Fixture::start);
    let mut sender = h2(fixture.address).await;
    for at in 0..12_000 {
        let message = Bytes::from(vec![at as u8; 20]);
        let answer = called(sender.send_request(grpc_request(UNARY, vec![framed(0, &message)])).await.unwrap()).await;
        assert_eq!((answer.status, answer.data.len()), (0, 25), "{at}");
    }
    // Large answers are acknowledged frame by frame.
    for _ in 0..100 {
        let message = Bytes::from(vec![1; 900_000]);
        let answer = called(sender.send_request(grpc_request(UNARY, vec![framed(0, &message)])).await.unwrap()).await;
        assert_eq!((answer.status, answer.data.len()), (0, 900_005));
    }
    tokio::task::block_in_place(|| drop(fixture));
}
