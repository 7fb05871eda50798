//! Remotes that answer as no OTLP server should, and connections that die without a word.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use otlp_arrow::config::DestinationConfig;
use otlp_arrow::config::Kind;
use otlp_arrow::internal::destinations::{Answer, Class};
use otlp_arrow::{EventName, OtlpLibrary};
use otlp_arrow_testkit::backend::{Backend, Reply};

use crate::support::{LONG, all_of, config, destination, event, events_of, export, request, wait_for};

const PASSING: Class = Class::Passing { after: None };

fn http(url: &str) -> DestinationConfig {
    DestinationConfig { protocol: Kind::OTLP_HTTP, ..destination("odd", url) }
}

/// Answers every HTTP/1.1 request with these bytes and closes the connection; counts the requests.
struct Raw {
    address: SocketAddr,
    requests: Arc<Mutex<usize>>,
}

impl Raw {
    fn start(reply: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                if read_request(&mut stream) {
                    *counted.lock().unwrap() += 1;
                    let _ = stream.write_all(&reply);
                }
            }
        });
        Self { address, requests }
    }

    fn send(&self) -> Answer {
        let opened = {
            let remote = http(&format!("http://{}", self.address));
            remote.protocol.open(&remote).unwrap()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(opened.send(request(Bytes::from_static(b"\x0a\x00"))))
    }
}

/// Takes one request with its body; whether there was one.
fn read_request(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if read.len() >= end + 4 + length {
                return true;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(count) => read.extend_from_slice(&piece[..count]),
        }
    }
}

fn reply(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn strange_answers_mean_what_they_say() {
    let delivered = |rejected| Class::Delivered { rejected };
    let json = r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"two too old"}}"#;
    let number = r#"{"partialSuccess":{"rejectedSpans":3}}"#;
    let page = "\n<!DOCTYPE html><p>Welcome";
    let cases = [
        ("nothing", reply("204 No Content", ""), delivered(0), ""),
        ("no type", reply("200 OK", ""), delivered(0), ""),
        ("text", reply("200 OK\r\ncontent-type: text/plain", "ok"), delivered(0), ""),
        ("html that is none", reply("200 OK\r\ncontent-type: text/html", "ok"), delivered(0), ""),
        ("broken protobuf", reply("200 OK\r\ncontent-type: application/x-protobuf", "\n\u{7f}x"), delivered(0), ""),
        ("broken gzip", reply("200 OK\r\ncontent-encoding: gzip", "no gzip"), delivered(0), ""),
        ("json", reply("200 OK\r\ncontent-type: Application/JSON; charset=utf-8", json), delivered(2), "two too old"),
        ("json number", reply("200 OK\r\ncontent-type: application/json", number), delivered(3), ""),
        ("empty json", reply("200 OK\r\ncontent-type: application/json", "{}"), delivered(0), ""),
        ("broken json", reply("200 OK\r\ncontent-type: application/json", "{\"partialSuccess\":[1"), delivered(0), ""),
        ("a page", reply("200 OK\r\ncontent-type: text/html; charset=utf-8", page), Class::Destination, "web page"),
        (
            "moved",
            reply("307 Moved\r\nlocation: https://new.example/v1", ""),
            Class::Destination,
            "https://new.example",
        ),
        (
            "early hints",
            b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n".to_vec(),
            delivered(0),
            "",
        ),
        (
            "a refusal cut short",
            b"HTTP/1.1 401 No\r\ncontent-length: 50\r\n\r\nten".to_vec(),
            Class::Destination,
            "401",
        ),
        ("cut short", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nten".to_vec(), PASSING, "broke off"),
        ("cut in its head", b"HTTP/1.1 200 OK\r\ncontent-le".to_vec(), PASSING, ""),
        ("no http", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), PASSING, ""),
        ("no words", Vec::new(), PASSING, ""),
    ];
    for (what, bytes, class, says) in cases {
        let answer = Raw::start(bytes).send();
        assert_eq!(answer.class, class, "{what}: {}", answer.message);
        assert!(answer.message.contains(says), "{what}: {}", answer.message);
    }
}

#[test]
fn a_handshake_that_hangs_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        let url = format!("https://{}", listener.local_addr().unwrap());
        let remote = DestinationConfig { protocol, timeout: Duration::from_millis(300), ..destination("odd", &url) };
        let opened = remote.protocol.open(&remote).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(opened.send(request(Bytes::from_static(b"\x0a\x00"))));
        assert_eq!(answer.class, PASSING);
        assert!(answer.message.starts_with("no connection within 300ms"), "{}", answer.message);
    }
}

#[test]
fn an_endless_answer_is_not_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    long.resize(5 << 20, b' ');
    let remote = Raw::start(long);
    let library = OtlpLibrary::open(config(dir.path(), [http(&format!("http://{}", remote.address))])).unwrap();
    export(&library, 0, 10);
    wait_for("delivery", || library.forwarders()[0].info().lag_records == 0);
    drop(library);
    assert_eq!(*remote.requests.lock().unwrap(), 1);
}

#[test]
fn absurd_delays_neither_end_forwarding_nor_bind_it_for_ever() {
    for (protocol, delay) in [
        (Kind::OTLP_HTTP, Reply::Http { status: 429, retry_after: Some(u64::MAX.to_string()) }),
        (Kind::OTLP_GRPC, Reply::Grpc { status: 14, retry_after: Some(Duration::from_secs(i64::MAX as u64)) }),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let backend = Backend::start();
        backend.script([delay]);
        let remote = DestinationConfig { protocol, ..destination("odd", &backend.url()) };
        let library = OtlpLibrary::open(config(dir.path(), [remote])).unwrap();
        export(&library, 0, 5);
        backend.wait_until(LONG, |received| received.len() == 1);
        let forwarder = &library.forwarders()[0];
        wait_for("the failure", || forwarder.info().last_error.is_some());
        forwarder.reset();
        backend.wait_until(LONG, all_of(0..5));
    }
}

#[test]
fn a_destination_cannot_refuse_more_than_it_was_sent() {
    let dir = tempfile::tempdir().unwrap();
    let backend = Backend::start();
    backend.script([Reply::Partial { rejected: i64::MAX, message: "all and more".into() }]);
    let library = OtlpLibrary::open(config(dir.path(), [http(&backend.url())])).unwrap();
    let events = events_of(&library);
    export(&library, 0, 7);
    assert_eq!(event(&events, EventName::RecordsRejected).count, Some(7));
}

/// A way to a backend: whatever connections it has can be made to carry nothing more, in silence.
struct Way {
    address: SocketAddr,
    open: Arc<Mutex<Vec<Arc<AtomicBool>>>>,
}

impl Way {
    fn to(backend: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&open);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let near = stream.unwrap();
                let Ok(far) = TcpStream::connect(backend) else { continue };
                let dead = Arc::new(AtomicBool::new(false));
                all.lock().unwrap().push(Arc::clone(&dead));
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let dead = Arc::clone(&dead);
                    std::thread::spawn(move || {
                        let mut piece = [0; 4096];
                        while let Ok(count @ 1..) = from.read(&mut piece) {
                            if !dead.load(Ordering::SeqCst) && to.write_all(&piece[..count]).is_err() {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Self { address, open }
    }

    fn die(&self) {
        for dead in self.open.lock().unwrap().iter() {
            dead.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_connection_that_died_in_silence_is_left() {
    for protocol in [Kind::OTLP_GRPC, Kind::OTLP_HTTP] {
        let dir = tempfile::tempdir().unwrap();
        let backend = Backend::start();
        let way = Way::to(backend.address());
        let mut remote = DestinationConfig { protocol, ..destination("odd", &format!("http://{}", way.address)) };
        remote.timeout = Duration::from_millis(500);
        let library = OtlpLibrary::open(config(dir.path(), [remote])).unwrap();
        export(&library, 0, 5);
        backend.wait_until(LONG, all_of(0..5));
        way.die();
        export(&library, 5, 10);
        backend.wait_until(LONG, all_of(0..10));
    }
}
