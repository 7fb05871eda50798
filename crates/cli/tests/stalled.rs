//! A disk that stands still, and senders that never stop: memory of the service stays within the budget and a little more.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, clippy::disallowed_methods, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp_arrow::{Config, Signal};
use otlp_arrow_store::failpoint::VARIABLE;
use otlp_arrow_testkit::payload::Kind;
use otlp_arrow_testkit::process::{Running, memory};

/// What issue 5 allows beyond the budget.
const BEYOND: u64 = 64 << 20;
/// So often each door is to refuse before memory is looked at.
const REFUSALS: u64 = 300;
const LATE: Duration = Duration::from_secs(60);

/// Requests of every size that senders may have: the largest would fill most of the budget by itself.
fn requests() -> Vec<(Signal, Bytes)> {
    vec![
        (Signal::Traces, Kind::Spans { attributes: 10 }.encoded(1000, 1).into()),
        (Signal::Logs, Kind::Logs { body: 200 }.encoded(5000, 2).into()),
        (Signal::Metrics, Kind::Numbers.encoded(3000, 3).into()),
        (Signal::Logs, Kind::Logs { body: 1 << 20 }.encoded(20, 4).into()),
        (Signal::Traces, Kind::Spans { attributes: 10 }.encoded(1, 5).into()),
    ]
}

/// Sends request after request until `refused` has counted enough; an answer is not waited for long.
async fn send(address: SocketAddr, grpc: bool, requests: Arc<Vec<(Signal, Bytes)>>, first: usize, refused: &AtomicU64) {
    let end = Instant::now() + LATE;
    let mut turn = first;
    while refused.load(Ordering::Relaxed) < REFUSALS && Instant::now() < end {
        turn += 1;
        let (signal, bytes) = &requests[turn % requests.len()];
        let sent = one(address, grpc, *signal, bytes.clone());
        if let Ok(true) = tokio::time::timeout(Duration::from_millis(200), sent).await {
            refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One request over a connection of its own; whether it was refused for want of room.
async fn one(address: SocketAddr, grpc: bool, signal: Signal, bytes: Bytes) -> bool {
    let Ok(stream) = tokio::net::TcpStream::connect(address).await else { return false };
    let io = TokioIo::new(stream);
    let name = match signal {
        Signal::Traces => "trace",
        Signal::Metrics => "metrics",
        Signal::Logs => "logs",
    };
    if grpc {
        let service = match signal {
            Signal::Traces => "Trace",
            Signal::Metrics => "Metrics",
            Signal::Logs => "Logs",
        };
        let path = format!("http://test/opentelemetry.proto.collector.{name}.v1.{service}Service/Export");
        let mut frame = vec![0];
        frame.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        frame.extend_from_slice(&bytes);
        let Ok((mut sender, connection)) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await else {
            return false;
        };
        let _task = Ended(tokio::spawn(async move { drop(connection.await) }));
        let request = http::Request::post(path).header("content-type", "application/grpc");
        let Ok(answer) = sender.send_request(request.body(Full::new(Bytes::from(frame))).unwrap()).await else {
            return false;
        };
        answer.headers().get("grpc-status").is_some_and(|status| status == "14")
    } else {
        let path = if name == "trace" { "traces" } else { name };
        let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(io).await else { return false };
        let _task = Ended(tokio::spawn(async move { drop(connection.await) }));
        let request = http::Request::post(format!("/v1/{path}"))
            .header("host", "test")
            .header("content-type", "application/x-protobuf");
        let Ok(answer) = sender.send_request(request.body(Full::new(bytes)).unwrap()).await else { return false };
        let status = answer.status();
        let _ = answer.into_body().collect().await;
        status == 503
    }
}

/// Ends a task with its request, and with it the connection.
struct Ended(tokio::task::JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[test]
fn memory_stays_within_the_budget_while_the_disk_stands_still() {
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_otlp-arrow"))
        .current_dir(dir.path())
        .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--output-dir", "out"])
        .env(VARIABLE, "write.before:2:stall")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut service = Running(child);
    let mut lines = BufReader::new(service.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut address = || -> SocketAddr {
        let said = |line: String| line.strip_prefix("listening on http://")?.split(' ').next()?.parse().ok();
        lines.find_map(said).unwrap()
    };
    let (grpc, http) = (address(), address());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let refused = [AtomicU64::new(0), AtomicU64::new(0)];
    let requests = Arc::new(requests());
    runtime.block_on(async {
        let senders = (0..24).map(|number| {
            let by_grpc = number % 2 == 0;
            let (address, refused) = if by_grpc { (grpc, &refused[0]) } else { (http, &refused[1]) };
            send(address, by_grpc, Arc::clone(&requests), number, refused)
        });
        futures::future::join_all(senders).await;
    });
    for (door, refused) in ["gRPC", "HTTP"].into_iter().zip(refused) {
        assert!(refused.into_inner() >= REFUSALS, "the {door} door did not refuse: is the disk stalled?");
    }
    let (peak, budget) = (memory(&service.0, "VmHWM"), Config::default().buffer.max_bytes as u64);
    assert!(peak > budget / 2, "{peak} bytes: the budget was never used");
    assert!(peak <= budget + BEYOND, "{} MiB at peak, {} MiB of budget", peak >> 20, budget >> 20);
    println!("{} MiB at peak with a budget of {} MiB", peak >> 20, budget >> 20);
}
