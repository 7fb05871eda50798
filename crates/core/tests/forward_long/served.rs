//! A service as `otlp-arrow serve` runs it, in a process of its own, under load over loopback; its cost is what the
//! operating system says of the process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use otlp_arrow::config::Kind;
use otlp_arrow::config::{DestinationConfig, ForwardCompression};
use otlp_arrow::{Config, OtlpLibrary};
use otlp_arrow_testkit::harness::{Process, again};
use serde_json::{Value, json};

/// The service; its job is its destinations, as JSON.
pub(crate) const SERVICE: Process = ("OTLP_ARROW_TEST_SERVED", the_service);
const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const CONNECTIONS: usize = 2;

/// A destination of a service.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) compression: ForwardCompression,
}

/// A running service. Dropping it ends it.
pub(crate) struct Served {
    child: Child,
    /// Held so that the process can write to its end.
    _output: BufReader<ChildStdout>,
    grpc: SocketAddr,
    http: SocketAddr,
}

impl Served {
    pub(crate) fn start(targets: &[Target]) -> Self {
        let job: Vec<Value> = targets
            .iter()
            .map(|target| {
                let compression = match target.compression {
                    ForwardCompression::None => "none",
                    ForwardCompression::Gzip => "gzip",
                    ForwardCompression::Zstd => "zstd",
                };
                json!({"url": target.url, "compression": compression})
            })
            .collect();
        let mut command = again(SERVICE, &Value::from(job).to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut lines = output.by_ref().lines().map(Result::unwrap);
        let line = lines.find_map(|line| line.strip_prefix("> ").map(str::to_owned)).unwrap();
        let (grpc, http) = line.split_once(' ').unwrap();
        Self { child, _output: output, grpc: grpc.parse().unwrap(), http: http.parse().unwrap() }
    }

    /// Sends `requests` of these messages in turn over two connections, waits for each answer, and says how long all took.
    pub(crate) fn load(&self, messages: &[Vec<u8>], requests: usize) -> Duration {
        let framed = |message: &Vec<u8>| {
            let mut frame = BytesMut::with_capacity(5 + message.len());
            frame.put_u8(0);
            frame.put_u32(message.len() as u32);
            frame.put_slice(message);
            frame.freeze()
        };
        let frames: Vec<Bytes> = messages.iter().map(framed).collect();
        let frames = &frames;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let started = Instant::now();
        runtime.block_on(async {
            let senders = (0..CONNECTIONS).map(|first| async move {
                let stream = tokio::net::TcpStream::connect(self.grpc).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let io = TokioIo::new(stream);
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                for number in (first..requests).step_by(CONNECTIONS) {
                    let request = http::Request::post(format!("http://load{PATH}"))
                        .header("content-type", "application/grpc")
                        .body(Full::new(frames[number % frames.len()].clone()))
                        .unwrap();
                    let body = sender.send_request(request).await.unwrap().collect().await.unwrap();
                    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
                }
            });
            futures::future::join_all(senders).await;
        });
        started.elapsed()
    }

    /// CPU seconds of the process so far.
    pub(crate) fn cpu(&self) -> f64 {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: load\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find(|line| line.starts_with("process_cpu_seconds_total ")).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn the_service(job: &str) {
    let targets: Vec<Value> = serde_json::from_str(job).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    config.shutdown_timeout = Duration::from_secs(2);
    for (number, target) in targets.iter().enumerate() {
        let mut destination = DestinationConfig::new(format!("d{number}"), target["url"].as_str().unwrap());
        destination.protocol = Kind::OTLP_GRPC;
        destination.compression = match target["compression"].as_str().unwrap() {
            "none" => ForwardCompression::None,
            "gzip" => ForwardCompression::Gzip,
            _ => ForwardCompression::Zstd,
        };
        config.forward.push(destination);
    }
    let library = OtlpLibrary::open(config).unwrap();
    let addresses = library.addresses();
    println!("> {} {}", addresses.grpc.unwrap(), addresses.http.unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    // What a stuck destination did not take is of no interest any more.
    let _ = library.shutdown_blocking(None);
}
