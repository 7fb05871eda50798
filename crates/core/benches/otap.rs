//! CPU of the recording process for each record that comes by OTAP, beside the same records by OTLP: both to a file, over loopback, in
//! the same run. `cargo bench --bench otap`; `-- --requests 40` for a shorter one.
//!
//! The recorder is a process of its own; its CPU time is what the operating system says, read from `/metrics` before and after.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use otlp_arrow::{Config, Format, OtlpLibrary, Signal};
use otlp_arrow_columns::otap::encode::{Encoder, Options};
use otlp_arrow_testkit::http::{framed, grpc_request, h2};
use otlp_arrow_testkit::payload::Kind;
use otlp_arrow_wire::{otap, otlp};
use tokio::sync::mpsc;

/// Records of one request.
const RECORDS: usize = 1000;
/// Batches of a stream that are on their way at once, and connections of OTLP.
const IN_FLIGHT: usize = 4;

/// Runs a recorder until standard input ends.
fn serve() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config { output_dir: dir.path().to_owned(), ..Config::default() };
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    let library = OtlpLibrary::open(config).unwrap();
    println!("{}", library.addresses().grpc.unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// CPU seconds of the recorder so far.
fn cpu(address: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find(|line| line.starts_with("process_cpu_seconds_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Requests over a few connections, one after the other on each.
async fn by_otlp(address: SocketAddr, signal: Signal, requests: &[Bytes]) {
    let senders = requests.chunks(requests.len().div_ceil(IN_FLIGHT)).map(|mine| async move {
        let mut connection = h2(address).await;
        for request in mine {
            let request = grpc_request(otlp::grpc_path(signal), vec![framed(0, request)]);
            let body = connection.send_request(request).await.unwrap().into_body().collect().await.unwrap();
            assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        }
    });
    futures::future::join_all(senders).await;
}

/// Batches on one stream, a few at once.
async fn by_otap(address: SocketAddr, signal: Signal, messages: &[Bytes]) {
    let (sender, mut receiver) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(IN_FLIGHT * 2);
    let receiver = Box::pin(futures::stream::poll_fn(move |cx| receiver.poll_recv(cx)));
    let request = http::Request::post(format!("http://bench{}", otap::path(signal)));
    let request = request.header("content-type", "application/grpc").body(StreamBody::new(receiver)).unwrap();
    let mut connection = h2(address).await;
    let mut answer = connection.send_request(request).await.unwrap().into_body();
    let mut left = messages.iter();
    let mut send = || left.next().map(|message| sender.try_send(Ok(Frame::data(framed(0, message)))).unwrap());
    for _ in 0..IN_FLIGHT {
        send();
    }
    let (mut answers, mut got) = (0, Vec::new());
    while answers < messages.len() {
        let frame = answer.frame().await.unwrap().unwrap();
        got.extend_from_slice(&frame.into_data().expect("a status, and no end"));
        while let Some(prefix) = got.first_chunk::<5>() {
            let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
            if got.len() < 5 + length {
                break;
            }
            let status = otap::BatchStatus::read(&got[5..5 + length]).unwrap();
            assert_eq!(status.code, 0, "{}", status.message);
            got.drain(..5 + length);
            answers += 1;
            send();
        }
    }
}

/// CPU nanoseconds a record costs the recorder.
fn measure(signal: Signal, messages: &[Bytes], is_otap: bool) -> f64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let load = |messages: &[Bytes]| match is_otap {
        true => runtime.block_on(by_otap(address, signal, messages)),
        false => runtime.block_on(by_otlp(address, signal, messages)),
    };
    load(&messages[..messages.len().div_ceil(10)]);
    let before = cpu(address);
    load(messages);
    let spent = cpu(address) - before;
    drop(child.stdin.take());
    child.wait().unwrap();
    spent * 1e9 / (messages.len() * RECORDS) as f64
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--serve") {
        return serve();
    }
    let requests = arguments.iter().position(|argument| argument == "--requests");
    let requests: u64 = requests.map_or(400, |at| arguments[at + 1].parse().unwrap());
    let cases = [
        (Signal::Traces, "spans of 10 attributes", Kind::Spans { attributes: 10 }),
        (Signal::Logs, "log records, bodies of 200 bytes", Kind::Logs { body: 200 }),
        (Signal::Metrics, "numbers", Kind::Numbers),
    ];
    println!("CPU of the recording process, ns a record, batches of {RECORDS}");
    for (signal, name, kind) in cases {
        let sent: Vec<Bytes> = (0..requests).map(|seed| kind.encoded(RECORDS, seed).into()).collect();
        let otlp = measure(signal, &sent, false);
        for zstd in [None, Some(1)] {
            let mut encoder = Encoder::new(signal, &Options { zstd, ..Options::default() });
            let messages: Vec<Bytes> = sent
                .iter()
                .enumerate()
                .map(|(at, request)| {
                    let rows = otlp_arrow::decode(signal, request, Format::Protobuf).unwrap();
                    encoder.encode(&rows.batch, at as i64).unwrap().message.into()
                })
                .collect();
            let otap = measure(signal, &messages, true);
            let bytes = |of: &[Bytes]| of.iter().map(Bytes::len).sum::<usize>() / (of.len() * RECORDS);
            let how = if zstd.is_some() { "zstd buffers" } else { "plain buffers" };
            println!(
                "{name}: OTLP {otlp:.0} ({} B), OTAP with {how} {otap:.0} ({} B), {:.2} times the records",
                bytes(&sent),
                bytes(&messages),
                otlp / otap
            );
        }
    }
}
