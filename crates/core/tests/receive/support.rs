//! A service with a scripted inside, and clients: a raw socket for HTTP/1.1, hyper for HTTP/2 frames, tonic for gRPC.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_arrow::internal::{Doors, Ingest, Kept};
use otlp_arrow::internal::{Protocol, Stats};
use otlp_arrow::store::budget::{Budget, Reservation};
use otlp_arrow::{Code, Config, ExportOutcome, OtlpError, Result, Signal};
use otlp_arrow_columns::Refused;
use prost::Message;

pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(crate) const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// What the inside does with the next requests.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    Keep,
    Partial(u64, &'static str),
    Fail(Code),
    FailLater(Code),
    Hang,
    Panic,
}

/// Takes requests instead of a library.
#[derive(Debug)]
pub(crate) struct Inside {
    budget: Arc<Budget>,
    stats: Arc<Stats>,
    script: Mutex<Script>,
    pub(crate) seen: Mutex<Vec<(Signal, Protocol, Bytes)>>,
}

impl Ingest for Inside {
    fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
    ) -> Result<(ExportOutcome, Kept)> {
        assert!(reservation.bytes() >= bytes.len(), "{} reserved for {}", reservation.bytes(), bytes.len());
        self.seen.lock().unwrap().push((signal, protocol, bytes));
        let mut outcome = ExportOutcome { accepted: 1, ..Default::default() };
        let script = self.script.lock().unwrap().clone();
        let kept: Kept = match script {
            Script::Keep => Box::pin(std::future::ready(Ok(()))),
            Script::Partial(rejected, message) => {
                (outcome.rejected, outcome.message) = (rejected, message.into());
                Box::pin(std::future::ready(Ok(())))
            }
            Script::Fail(code) => return Err(OtlpError::new(code, "as scripted")),
            Script::FailLater(code) => Box::pin(std::future::ready(Err(OtlpError::new(code, "as scripted")))),
            Script::Hang => Box::pin(async move {
                let _held = reservation;
                std::future::pending().await
            }),
            Script::Panic => std::panic::resume_unwind(Box::new("as scripted")),
        };
        self.stats.received(signal, protocol, outcome.accepted, &Refused::default());
        Ok((outcome, kept))
    }

    fn ready(&self) -> Result<()> {
        match *self.script.lock().unwrap() {
            Script::Fail(code) => Err(OtlpError::new(code, "as scripted")),
            _ => Ok(()),
        }
    }
}

/// Doors on free ports of loopback.
pub(crate) struct Service {
    pub(crate) doors: Doors,
    pub(crate) inside: Arc<Inside>,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

pub(crate) fn start() -> Service {
    start_with(|_| {})
}

pub(crate) fn start_with(change: impl FnOnce(&mut Config)) -> Service {
    let mut config = Config::default();
    config.listen.grpc = Some(([127, 0, 0, 1], 0).into());
    config.listen.http = Some(([127, 0, 0, 1], 0).into());
    change(&mut config);
    let inside = Arc::new(Inside {
        budget: Arc::new(Budget::new(config.buffer.max_bytes)),
        stats: Arc::default(),
        script: Mutex::new(Script::Keep),
        seen: Mutex::default(),
    });
    let doors = Doors::open(&config, Arc::clone(&inside) as _).unwrap();
    let addresses = doors.addresses();
    Service { doors, inside, grpc: addresses.grpc.unwrap(), http: addresses.http.unwrap() }
}

impl Service {
    pub(crate) fn script(&self, script: Script) {
        *self.inside.script.lock().unwrap() = script;
    }

    pub(crate) fn seen(&self) -> Vec<(Signal, Protocol, Bytes)> {
        self.inside.seen.lock().unwrap().clone()
    }

    pub(crate) fn used(&self) -> usize {
        self.inside.budget.used()
    }

    /// Waits until nothing is reserved any more.
    pub(crate) async fn released(&self) {
        until(|| self.used() == 0).await;
    }
}

/// Waits for a condition, for at most ten seconds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not come true within ten seconds");
}

/// A traces request with one span of this name.
pub(crate) fn traces(name: &str) -> Vec<u8> {
    let span = Span { trace_id: vec![7; 16], span_id: vec![9; 8], name: name.into(), ..Default::default() };
    let scope = ScopeSpans { spans: vec![span], ..Default::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource] }.encode_to_vec()
}

/// The answer to a plain HTTP/1.1 request.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Code and message of a `google.rpc.Status` body, in the encoding the answer says it has.
    pub(crate) fn status_body(&self) -> (i32, String) {
        match self.header("content-type") {
            "application/json" => {
                let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
                (body["code"].as_i64().unwrap() as i32, body["message"].as_str().unwrap().to_owned())
            }
            "application/x-protobuf" => {
                let status = RpcStatus::decode(&self.body[..]).unwrap();
                (status.code, status.message)
            }
            other => panic!("a status in {other:?}"),
        }
    }
}

/// `google.rpc.Status`, for reading what the service writes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// Sends bytes and reads the one answer to them; None if the connection closed without one.
pub(crate) fn raw(address: SocketAddr, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let head = request.starts_with(b"HEAD");
    let request = request.to_vec();
    // A server may answer before it has read everything.
    let sender = std::thread::spawn(move || writer.write_all(&request).and_then(|()| writer.flush()));
    let reply = if head { read_head(&mut stream) } else { read_reply(&mut stream) };
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let _ = sender.join();
    reply
}

/// Reads one answer with a content length.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Option<Reply> {
    read_answer(stream, true)
}

/// Reads one answer to a HEAD: it tells the length of a body that does not come.
fn read_head(stream: &mut TcpStream) -> Option<Reply> {
    read_answer(stream, false)
}

fn read_answer(stream: &mut TcpStream, with_body: bool) -> Option<Reply> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
            if status == 100 {
                bytes.drain(..end + 4);
                continue;
            }
            let headers: HashMap<String, String> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.get("content-length").filter(|_| with_body);
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(Reply { status, headers, body: bytes[end + 4..end + 4 + length].to_vec() });
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

/// One plain HTTP/1.1 request with a content length.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    let mut request = request.into_bytes();
    request.extend_from_slice(body);
    raw(address, &request).expect("an answer")
}

/// One POST in protobuf.
pub(crate) fn post(service: &Service, path: &str, body: &[u8]) -> Reply {
    send(service.http, "POST", path, &[("content-type", "application/x-protobuf")], body)
}

/// What came back of a gRPC call.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) status: i32,
    pub(crate) message: String,
    pub(crate) details: Option<RpcStatus>,
    pub(crate) headers: HeaderMap,
    pub(crate) data: Bytes,
}

/// The frame of one gRPC message.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// An HTTP/2 connection that sends exactly these pieces as DATA frames.
pub(crate) async fn h2<B>(address: SocketAddr) -> hyper::client::conn::http2::SendRequest<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) type Pieces =
    StreamBody<futures::stream::Iter<std::vec::IntoIter<std::result::Result<Frame<Bytes>, std::io::Error>>>>;

/// A gRPC call of these pieces, for [`h2`].
pub(crate) fn grpc_request(path: &str, parts: Vec<Bytes>) -> http::Request<Pieces> {
    let request = http::Request::post(format!("http://test{path}")).header("content-type", "application/grpc");
    request.body(pieces(parts)).unwrap()
}

pub(crate) fn pieces(parts: Vec<Bytes>) -> Pieces {
    StreamBody::new(futures::stream::iter(parts.into_iter().map(|part| Ok(Frame::data(part))).collect::<Vec<_>>()))
}

/// A gRPC call made of raw pieces, with these headers on top of the usual ones.
pub(crate) async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], parts: Vec<Bytes>) -> Called {
    let mut request = Request::post(format!("http://test{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut sender = h2(address).await;
    let response = sender.send_request(request.body(pieces(parts)).unwrap()).await.unwrap();
    called(response).await
}

pub(crate) async fn called(response: Response<Incoming>) -> Called {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_else(|| parts.headers.clone());
    let text = |name: &str| trailers.get(name).map(|value| value.to_str().unwrap().to_owned());
    use base64::Engine;
    let details = text("grpc-status-details-bin").map(|details| {
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(details).unwrap();
        RpcStatus::decode(&bytes[..]).unwrap()
    });
    Called {
        status: text("grpc-status").expect("a grpc-status").parse().unwrap(),
        message: text("grpc-message").unwrap_or_default(),
        details,
        headers: parts.headers,
        data: body.to_bytes(),
    }
}
