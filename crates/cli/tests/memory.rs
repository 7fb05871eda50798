//! Memory of the binary while it is sent what no program sends: it stays within the budget and a little more.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, clippy::disallowed_methods, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use otlp_arrow_testkit::process::{Running, memory};

/// The default of `buffer.max_bytes`, and what is allowed beyond it.
const MOST: u64 = (128 + 64) << 20;
const LATE: Duration = Duration::from_secs(60);

struct Service {
    process: Running,
    http: String,
    _dir: tempfile::TempDir,
}

impl Service {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_otlp-arrow"))
            .current_dir(dir.path())
            .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--output-dir", "out"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let listening = |line: String| {
            let (address, _) = line.strip_prefix("listening on http://")?.split_once(' ')?;
            Some(address.to_owned())
        };
        let http = lines.filter_map(listening).nth(1).unwrap();
        Self { process: Running(child), http, _dir: dir }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(LATE)).unwrap();
        stream
    }

    /// What `/metrics` says is reserved.
    fn reserved(&self) -> usize {
        let mut stream = self.connect();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix("otlp_arrow_buffer_bytes "));
        line.unwrap().trim().parse::<f64>().unwrap() as usize
    }

    /// The most that was ever resident, in bytes.
    fn peak(&self) -> u64 {
        memory(&self.process.0, "VmHWM")
    }

    fn until(&self, what: &str, condition: impl Fn(usize) -> bool) {
        let end = Instant::now() + LATE;
        while !condition(self.reserved()) {
            assert!(Instant::now() < end, "not {what}: {} bytes reserved", self.reserved());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn hundreds_of_half_sent_requests_take_little_more_than_what_was_sent() {
    const SENDERS: usize = 900;
    const SENT: usize = 100_000;
    let service = Service::start();
    let head = b"POST /v1/logs HTTP/1.1\r\nhost: t\r\ncontent-type: application/x-protobuf\r\ncontent-length: 60000000\r\n\r\n";
    let half = [&head[..], &[b'x'; SENT]].concat();
    let senders: Vec<TcpStream> = (0..SENDERS)
        .map(|_| {
            let mut stream = service.connect();
            stream.write_all(&half).unwrap();
            stream
        })
        .collect();
    service.until("all there", |reserved| reserved >= SENDERS * SENT);
    let peak = service.peak();
    assert!(peak <= MOST, "{} MiB at peak, {} MiB allowed", peak >> 20, MOST >> 20);
    drop(senders);
    service.until("given back", |reserved| reserved < 100_000);
}

#[test]
fn json_of_short_numbers_takes_no_more_than_is_reserved() {
    let service = Service::start();
    let counts = "1,".repeat(20 << 20);
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":[{counts}1]}}]}}}}]}}]}}]}}"#
    );
    let mut stream = service.connect();
    let head = format!(
        "POST /v1/metrics HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        json.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(json.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    // Four times the text and the text itself are more than one signal may ever have.
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let peak = service.peak();
    assert!(peak <= MOST, "{} MiB at peak, {} MiB allowed", peak >> 20, MOST >> 20);
}
