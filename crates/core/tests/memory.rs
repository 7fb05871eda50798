//! A disk that stands still, and senders that never stop: memory stays within the budget and a little more.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp_arrow::store::failpoint::VARIABLE;
use otlp_arrow::{Code, Config, OtlpLibrary, Signal};
use otlp_arrow_testkit::payload;
use prost::Message;

/// Set in the process whose disk stands still: its directory.
const CHILD: &str = "OTLP_ARROW_TEST_STALLED";
/// What issue 5 allows beyond the budget.
const BEYOND: u64 = 64 << 20;
/// So often each way in is to be refused before memory is looked at.
const REFUSALS: u64 = 300;
const LATE: Duration = Duration::from_secs(60);

/// Requests of every size that senders may have: the largest would fill most of the budget by itself.
fn requests() -> Vec<(Signal, Bytes)> {
    vec![
        (Signal::Traces, payload::spans(1000, 10, 1).encode_to_vec().into()),
        (Signal::Logs, payload::logs(5000, 200, 2).encode_to_vec().into()),
        (Signal::Metrics, payload::numbers(3000, 3).encode_to_vec().into()),
        (Signal::Logs, payload::logs(20, 1 << 20, 4).encode_to_vec().into()),
        (Signal::Traces, payload::spans(1, 10, 5).encode_to_vec().into()),
    ]
}

/// Keeps asking for room through the calls of the host program, and says how often there was none.
fn stalled_process(dir: &Path) {
    let mut config = Config { output_dir: dir.to_owned(), ..Config::default() };
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::open(config).unwrap();
    let addresses = library.addresses();
    println!("{} {}", addresses.grpc.unwrap(), addresses.http.unwrap());
    let requests = requests();
    let mut refused = 0;
    for turn in 0.. {
        let (signal, bytes) = &requests[turn % requests.len()];
        // What is taken stays, whether or not its caller waits.
        let sent = pin!(library.export_otlp(*signal, bytes.clone())).now_or_never();
        if let Some(done) = sent {
            assert_eq!(done.unwrap_err().code(), Code::BufferFull);
            refused += 1;
            if refused % REFUSALS == 0 {
                println!("refused {refused}");
                std::io::stdout().flush().unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn the_stalled_process() {
    if let Ok(dir) = std::env::var(CHILD) {
        stalled_process(Path::new(&dir));
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// The most that was ever resident, in bytes.
    fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
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
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_stalled_process", "--nocapture"])
        .env(CHILD, dir.path())
        .env(VARIABLE, "write.before:2:stall")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (grpc, http): (SocketAddr, SocketAddr) = lines
        .find_map(|line| {
            // The harness prints the name of the test without a line end before what the test says.
            let mut words = line.rsplit(' ');
            let http = words.next()?.parse().ok()?;
            Some((words.next()?.parse().ok()?, http))
        })
        .unwrap();
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
    assert!(lines.any(|line| line.starts_with("refused")), "the API did not refuse");
    let (peak, budget) = (child.peak(), Config::default().buffer.max_bytes as u64);
    assert!(peak > budget / 2, "{peak} bytes: the budget was never used");
    assert!(peak <= budget + BEYOND, "{} MiB at peak, {} MiB of budget", peak >> 20, budget >> 20);
    println!("{} MiB at peak with a budget of {} MiB", peak >> 20, budget >> 20);
}
