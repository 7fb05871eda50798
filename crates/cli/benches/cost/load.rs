//! The senders: a process of its own, whose CPU is not counted.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp_arrow::Signal;
use otlp_arrow_testkit::payload::Kind;

/// Different requests are sent in turns, of so many records together at least: more than a sealed batch has.
const RECORDS: usize = 64_000;
/// Records of one program among them, at least.
const PROGRAM: usize = 1000;
/// How long a sender waits that was told to come again.
const REFUSED: Duration = Duration::from_millis(500);

/// The name of a kind on the command line.
pub(crate) fn kind(name: &str) -> Kind {
    match name {
        "spans" => Kind::Spans { attributes: 8 },
        "logs" => Kind::Logs { body: 150 },
        "numbers" => Kind::Numbers,
        "histograms" => Kind::Histograms,
        other => panic!("no kind is called {other}"),
    }
}

/// The signal of a kind.
pub(crate) fn signal(kind: Kind) -> Signal {
    match kind {
        Kind::Spans { .. } => Signal::Traces,
        Kind::Logs { .. } => Signal::Logs,
        Kind::Numbers | Kind::Histograms => Signal::Metrics,
    }
}

fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// What a load did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Requests that were acknowledged.
    pub(crate) requests: f64,
    /// Requests that were refused for now.
    pub(crate) refused: f64,
    /// Seconds it took.
    pub(crate) seconds: f64,
    /// Seconds within which 99 of 100 were acknowledged.
    pub p99: f64,
}

/// A running sender process.
#[derive(Debug)]
pub(crate) struct Load {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Load {
    /// Starts it; the requests are made before this returns.
    pub(crate) fn start(address: SocketAddr, kind: &str, records: usize, connections: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--load", &address.to_string(), kind, &records.to_string(), &connections.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut load = Self { child, orders, answers };
        assert_eq!(load.line(), "ready");
        load
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Sends for so long, as fast as it is answered, or at most so many requests a second.
    pub(crate) fn run(&mut self, seconds: f64, rate: Option<f64>) -> Sent {
        writeln!(self.orders, "{seconds} {}", rate.unwrap_or(0.0)).unwrap();
        let line = self.line();
        let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        Sent { requests: numbers[0], refused: numbers[1], seconds: numbers[2], p99: numbers[3] }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself.
pub(crate) fn main(arguments: &[String]) {
    let [address, name, records, connections] = arguments else { panic!("--load ADDRESS KIND RECORDS CONNECTIONS") };
    let (records, connections): (usize, usize) = (records.parse().unwrap(), connections.parse().unwrap());
    let kind = kind(name);
    let framed = |message: Vec<u8>| {
        let mut frame = vec![0];
        frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
        frame.extend_from_slice(&message);
        Bytes::from(frame)
    };
    // Small requests are those of a few programs, large ones of as many as there are.
    let programs = 0..RECORDS.div_ceil(records.max(PROGRAM)) as u64;
    let requests = programs.flat_map(|seed| kind.in_requests(records.max(PROGRAM), records, seed + 1));
    let frames: Vec<Bytes> = requests.map(framed).collect();
    let uri = format!("http://bench{}", path(signal(kind)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (seconds, rate) = line.split_once(' ').unwrap();
        let (seconds, rate): (f64, f64) = (seconds.parse().unwrap(), rate.parse().unwrap());
        runtime.block_on(run(address.parse().unwrap(), &uri, &frames, connections, seconds, rate));
    }
}

async fn run(address: SocketAddr, uri: &str, frames: &[Bytes], connections: usize, seconds: f64, rate: f64) {
    let began = Instant::now();
    let end = began + Duration::from_secs_f64(seconds);
    let (times, refused) = (RefCell::new(Vec::<f32>::new()), RefCell::new(0u64));
    let sender = |number: usize| {
        let (times, refused) = (&times, &refused);
        async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
            let (mut sender, connection) = handshake.await.unwrap();
            tokio::spawn(connection);
            let mut turn = number;
            while Instant::now() < end {
                if rate > 0.0 {
                    let due = began + Duration::from_secs_f64(turn as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                }
                let request = http::Request::post(uri)
                    .header("content-type", "application/grpc")
                    .header("te", "trailers")
                    .body(Full::new(frames[turn % frames.len()].clone()))
                    .unwrap();
                let sent = Instant::now();
                let answer = sender.send_request(request).await.unwrap();
                let head = answer.headers().get("grpc-status").cloned();
                let body = answer.into_body().collect().await.unwrap();
                let status = head.or_else(|| body.trailers()?.get("grpc-status").cloned()).unwrap();
                match status.as_bytes() {
                    b"0" => {
                        times.borrow_mut().push(sent.elapsed().as_secs_f32());
                        turn += connections;
                    }
                    b"14" => {
                        *refused.borrow_mut() += 1;
                        tokio::time::sleep(REFUSED).await;
                    }
                    other => panic!("grpc-status {}", String::from_utf8_lossy(other)),
                }
            }
        }
    };
    futures::future::join_all((0..connections).map(sender)).await;
    let seconds = began.elapsed().as_secs_f64();
    let mut times = times.into_inner();
    times.sort_unstable_by(f32::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or(0.0);
    println!("{} {} {seconds} {p99}", times.len(), refused.into_inner());
}
