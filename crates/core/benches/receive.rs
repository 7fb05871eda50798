//! CPU of the receiving process for each record, beside a handler on the same stack that takes the bytes and drops them.
//!
//! Each server is a process of its own; its CPU time is what the operating system says, read from `/metrics` before and
//! after a bounded load over loopback. `cargo bench --bench receive`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp_arrow::internal::{Doors, Hops, Ingest, Kept, Sent};
use otlp_arrow::internal::{Protocol, Stats};
use otlp_arrow::{Config, ExportOutcome, OtlpLibrary, Result, Signal};
use otlp_arrow_columns::StoredBatch;
use otlp_arrow_store::budget::{Budget, Reservation};
use otlp_arrow_testkit::payload;
use prost::Message;

/// Takes the bytes and drops them.
struct Drop {
    budget: Arc<Budget>,
    stats: Arc<Stats>,
}

impl Ingest for Drop {
    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    fn accept(&self, _: Signal, _: Protocol, bytes: Bytes, _: Reservation, _: Hops) -> Result<(ExportOutcome, Kept)> {
        std::hint::black_box(&bytes);
        Ok((ExportOutcome::default(), Box::pin(std::future::ready(Ok(())))))
    }

    fn append(
        &self,
        _: Signal,
        _: Protocol,
        batches: Vec<RecordBatch>,
        _: Reservation,
        _: Sent,
    ) -> Result<(ExportOutcome, Kept)> {
        std::hint::black_box(batches);
        Ok((ExportOutcome::default(), Box::pin(std::future::ready(Ok(())))))
    }

    fn store(&self, _: Protocol, rows: StoredBatch, _: Reservation, _: Hops) -> Result<(ExportOutcome, Kept)> {
        std::hint::black_box(rows);
        Ok((ExportOutcome::default(), Box::pin(std::future::ready(Ok(())))))
    }

    fn ready(&self) -> Result<()> {
        Ok(())
    }
}

/// Runs a server until standard input ends.
fn serve(kind: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    let told = |address: Option<SocketAddr>| {
        println!("{}", address.unwrap());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    };
    if kind == "keep" {
        let library = OtlpLibrary::open(config).unwrap();
        told(library.addresses().grpc);
    } else {
        let ingest = Drop { budget: Arc::new(Budget::new(config.buffer.max_bytes)), stats: Arc::default() };
        let doors = Doors::open(&config, Arc::new(ingest)).unwrap();
        told(doors.addresses().grpc);
    }
}

/// CPU seconds of the server so far.
fn cpu(address: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with("process_cpu_seconds_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

const CONNECTIONS: usize = 2;

/// Sends `requests` over two connections and waits for each answer.
fn load(address: SocketAddr, path: &'static str, message: &[u8], requests: usize) {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    let frame = Bytes::from(frame);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let senders = (0..CONNECTIONS).map(|_| async {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let io = TokioIo::new(stream);
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            for _ in 0..requests / CONNECTIONS {
                let request = http::Request::post(format!("http://bench{path}"))
                    .header("content-type", "application/grpc")
                    .body(Full::new(frame.clone()))
                    .unwrap();
                let body = sender.send_request(request).await.unwrap().collect().await.unwrap();
                assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
            }
        });
        futures::future::join_all(senders).await;
    });
}

/// CPU nanoseconds a record costs one kind of server.
fn measure(kind: &str, path: &'static str, message: &[u8], records: usize, requests: usize) -> f64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--serve", kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().parse().unwrap();
    load(address, path, message, requests / 10);
    let before = cpu(address);
    load(address, path, message, requests);
    let spent = cpu(address) - before;
    drop(child.stdin.take());
    child.wait().unwrap();
    spent * 1e9 / (requests * records) as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--serve") {
        return serve(&arguments[at + 1]);
    }
    const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let cases = [
        ("512 spans of 10 attributes", TRACES, payload::spans(512, 10, 1).encode_to_vec(), 512, 400),
        ("1 span of 10 attributes", TRACES, payload::spans(1, 10, 1).encode_to_vec(), 1, 4000),
        ("512 log records", LOGS, payload::logs(512, 100, 1).encode_to_vec(), 512, 400),
        ("512 numbers", METRICS, payload::numbers(512, 1).encode_to_vec(), 512, 400),
    ];
    println!("CPU of the receiving process, ns a record");
    for (name, path, message, records, requests) in cases {
        let dropped = measure("drop", path, &message, records, requests);
        let kept = measure("keep", path, &message, records, requests);
        let bytes = message.len() / records;
        println!("{name} ({bytes} B each): drop {dropped:.0}, keep {kept:.0}, ratio {:.2}", kept / dropped);
    }
}
