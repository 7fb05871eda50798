//! A remote that does what a test tells it: accepts, refuses, hangs, resets, throttles, accepts in part.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

type Body = BoxBody<Bytes, std::io::Error>;

/// What the backend does with one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Success; the payload counts as kept.
    Accept,
    /// Success after a while; the payload counts as kept.
    AcceptAfter(Duration),
    /// Partial success; the payload counts as kept.
    Partial {
        /// Records refused.
        rejected: i64,
        /// Why.
        message: String,
    },
    /// A gRPC status, with RetryInfo if a delay is given.
    Grpc {
        /// The status number.
        status: i32,
        /// The delay of RetryInfo.
        retry_after: Option<Duration>,
    },
    /// An HTTP status, with `Retry-After` if given.
    Http {
        /// The status number.
        status: u16,
        /// The header's value.
        retry_after: Option<String>,
    },
    /// No answer until the client gives up.
    Hang,
    /// The connection or stream is broken off without an answer.
    Reset,
    /// Success is announced and its body broken off.
    HalfWritten,
    /// Requests of more than so many payload bytes are too large; others are accepted.
    Limit(usize),
    /// An HTTP status, or for gRPC a status number, with every header of the request in its text.
    Echo {
        /// For OTLP/HTTP.
        http: u16,
        /// For gRPC.
        grpc: i32,
    },
    /// For OTLP/HTTP a status and a plain text by what is in the request, success where there is none.
    Judge(Judge),
    /// Success with this `Authorization` header; without it, UNAUTHENTICATED or 401.
    Token(String),
}

/// Says the status and the words with which a payload is refused.
#[derive(Clone)]
pub struct Judge(pub fn(&[u8]) -> Option<(u16, &'static str)>);

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Judge")
    }
}

impl PartialEq for Judge {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

/// What is done with each request that is answered with success, instead of keeping its payload and headers.
pub type Sink = Arc<dyn Fn(&Received) + Send + Sync>;

/// One request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// `traces`, `metrics` or `logs`; empty for any other path.
    pub signal: &'static str,
    /// The request's path.
    pub path: String,
    /// Whether it came as gRPC.
    pub grpc: bool,
    /// The OTLP protobuf request, decompressed.
    pub payload: Vec<u8>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Whether it was answered with success.
    pub kept: bool,
    /// When it arrived.
    pub at: Instant,
}

struct State {
    default: Reply,
    sink: Option<Sink>,
    script: VecDeque<Reply>,
    received: Vec<Received>,
    in_flight: usize,
    most_in_flight: usize,
}

struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("requests", &self.lock().received.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running backend, on a free loopback port and a thread of its own. Dropping it closes every connection.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    /// Starts one that accepts everything.
    pub fn start() -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), None)
    }

    /// Starts one at a given address, for a remote that comes back.
    pub fn start_at(address: SocketAddr, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                default: Reply::Accept,
                sink: None,
                script: VecDeque::new(),
                received: Vec::new(),
                in_flight: 0,
                most_in_flight: 0,
            }),
            arrived: Condvar::new(),
        });
        let (stop, stopped) = oneshot::channel();
        let (bound, address_of) = std::sync::mpsc::channel();
        let with_tls = tls.is_some();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = bind(address).await;
                let _ = bound.send(listener.local_addr().expect("an address"));
                tokio::select! {
                    () = serve(listener, served, tls) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address_of.recv().expect("the backend binds");
        Self { address, tls: with_tls, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL; with TLS by the name `localhost`.
    pub fn url(&self) -> String {
        if self.tls { format!("https://localhost:{}", self.address.port()) } else { format!("http://{}", self.address) }
    }

    /// What it does from now on, when the script is empty.
    pub fn reply(&self, reply: Reply) {
        self.shared.lock().default = reply;
    }

    /// From now on what is kept goes there, and only that it came is remembered here: for runs of millions of records.
    pub fn sink(&self, sink: Sink) {
        self.shared.lock().sink = Some(sink);
    }

    /// What it does with the next requests, one entry each.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().script.extend(replies);
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().received.clone()
    }

    /// The most requests that were being answered at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.lock().most_in_flight
    }

    /// Waits until what arrived fulfils `condition`; panics after `limit` with what there is.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let end = Instant::now() + limit;
        let mut state = self.shared.lock();
        while !condition(&state.received) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the backend has {} requests after {limit:?}", state.received.len());
            state = self.shared.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.received.clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A port that was just given up may take a moment to be free again.
async fn bind(address: SocketAddr) -> TcpListener {
    for _ in 0..200 {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            Err(error) => panic!("{address}: {error}"),
        }
    }
    panic!("{address} stays taken");
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, tls: Option<Arc<rustls::ServerConfig>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        let tls = tls.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            let builder = auto::Builder::new(TokioExecutor::new());
            match tls {
                None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                Some(config) => {
                    let accept = tokio_rustls::TlsAcceptor::from(config).accept(stream);
                    let stream = match accept.into_fallible().await {
                        Ok(stream) => stream,
                        Err((_, stream)) => return leave(stream).await,
                    };
                    drop(builder.serve_connection(TokioIo::new(stream), service).await);
                }
            }
        });
    }
}

/// Ends a refused connection so that the other side learns why: closed with bytes unread, it would be reset.
async fn leave(mut stream: tokio::net::TcpStream) {
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let text: Vec<String> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let echo = text.join("; ");
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let grpc = head.headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let payload = if grpc { unframed(&head.headers, &body) } else { plain(&head.headers, "content-encoding", &body) };
    let reply = {
        let mut state = shared.lock();
        let reply = state.script.pop_front().unwrap_or_else(|| state.default.clone());
        let reply = match reply {
            Reply::Limit(most) if payload.len() <= most => Reply::Accept,
            Reply::Limit(_) if grpc => Reply::Grpc { status: 8, retry_after: None },
            Reply::Limit(_) => Reply::Http { status: 413, retry_after: None },
            Reply::Token(token) if head.headers.get("authorization").is_some_and(|value| *value == *token) => {
                Reply::Accept
            }
            Reply::Token(_) if grpc => Reply::Grpc { status: 16, retry_after: None },
            Reply::Token(_) => Reply::Http { status: 401, retry_after: None },
            Reply::Judge(Judge(judge)) if judge(&payload).is_none() => Reply::Accept,
            other => other,
        };
        let kept = matches!(reply, Reply::Accept | Reply::AcceptAfter(_) | Reply::Partial { .. });
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
        let path = head.uri.path().to_owned();
        let mut received = Received {
            signal: signal_of(&path),
            path,
            grpc,
            payload: payload.clone(),
            headers: headers.collect(),
            kept,
            at: Instant::now(),
        };
        if let Some(sink) = state.sink.clone() {
            if kept {
                sink(&received);
            }
            received.payload = Vec::new();
            received.headers = Vec::new();
        }
        state.received.push(received);
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        reply
    };
    shared.arrived.notify_all();
    let response = match reply {
        Reply::Judge(Judge(judge)) => {
            let (status, words) = judge(&payload).unwrap_or((200, ""));
            let mut response = Response::new(whole(Bytes::from_static(words.as_bytes())));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            response.headers_mut().insert("content-type", "text/plain; charset=utf-8".parse().expect("a header value"));
            Ok(response)
        }
        Reply::Echo { http, grpc: status } => Ok(echoed(&echo, grpc, http, status)),
        reply => respond(reply, grpc).await,
    };
    shared.lock().in_flight -= 1;
    response
}

async fn respond(reply: Reply, grpc: bool) -> Result<Response<Body>, std::io::Error> {
    Ok(match reply {
        Reply::Accept | Reply::Limit(_) | Reply::Token(_) => success(grpc, &[]),
        Reply::AcceptAfter(delay) => {
            tokio::time::sleep(delay).await;
            success(grpc, &[])
        }
        Reply::Partial { rejected, message } => {
            let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: message };
            success(grpc, &ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec())
        }
        Reply::Grpc { status, retry_after } => grpc_status(status, retry_after),
        Reply::Http { status, retry_after } => {
            let mut response = Response::new(whole(Bytes::from_static(b"\x12\x07refused")));
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            if let Some(value) = retry_after {
                response.headers_mut().insert("retry-after", value.parse().expect("a header value"));
            }
            response
        }
        Reply::Echo { .. } | Reply::Judge(_) | Reply::Hang => {
            std::future::pending::<Infallible>().await.into_response()
        }
        Reply::Reset => return Err(std::io::ErrorKind::ConnectionReset.into()),
        Reply::HalfWritten => {
            // The break comes a moment later, or nothing at all would have been written.
            let broken = async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::ErrorKind::BrokenPipe.into())
            };
            let begun = futures::stream::iter([Ok(Frame::data(Bytes::from_static(&[0, 0, 0])))]);
            let frames = futures::StreamExt::chain(begun, futures::stream::once(broken));
            let body = BodyExt::boxed(StreamBody::new(Box::pin(frames)));
            let mut response = Response::new(body);
            let kind = if grpc { "application/grpc" } else { "application/x-protobuf" };
            response.headers_mut().insert("content-type", kind.parse().expect("a header value"));
            response
        }
    })
}

fn echoed(text: &str, grpc: bool, http: u16, status: i32) -> Response<Body> {
    if grpc {
        let mut trailers = trailers(status, None);
        trailers.insert("grpc-message", text.replace(' ', "%20").parse().expect("a header value"));
        return grpc_response(Bytes::new(), trailers);
    }
    let mut response = Response::new(whole(Bytes::copy_from_slice(text.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(http).expect("a status");
    response
}

trait IntoResponse {
    fn into_response(self) -> Response<Body>;
}

impl IntoResponse for Infallible {
    fn into_response(self) -> Response<Body> {
        match self {}
    }
}

fn whole(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn success(grpc: bool, message: &[u8]) -> Response<Body> {
    if !grpc {
        let mut response = Response::new(whole(Bytes::copy_from_slice(message)));
        response.headers_mut().insert("content-type", "application/x-protobuf".parse().expect("a header value"));
        return response;
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    grpc_response(frame.freeze(), trailers(0, None))
}

fn grpc_status(status: i32, retry_after: Option<Duration>) -> Response<Body> {
    grpc_response(Bytes::new(), trailers(status, retry_after))
}

fn grpc_response(data: Bytes, trailers: HeaderMap) -> Response<Body> {
    let frames = [Ok(Frame::data(data)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(BodyExt::boxed(StreamBody::new(futures::stream::iter(frames))));
    response.headers_mut().insert("content-type", "application/grpc".parse().expect("a header value"));
    response
}

fn trailers(status: i32, retry_after: Option<Duration>) -> HeaderMap {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.to_string().parse().expect("a header value"));
    trailers.insert("grpc-message", "as%20the%20test%20says".parse().expect("a header value"));
    if let Some(delay) = retry_after {
        use base64::Engine as _;
        let retry_delay = Some(Delay { seconds: delay.as_secs() as i64, nanos: delay.subsec_nanos() as i32 });
        let value = RetryInfo { retry_delay }.encode_to_vec();
        let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value };
        let status = Status { code: status, details: vec![any] }.encode_to_vec();
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(status);
        trailers.insert("grpc-status-details-bin", text.parse().expect("a header value"));
    }
    trailers
}

fn unframed(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let message = body.get(5..).unwrap_or_default();
    if body.first() == Some(&1) { plain(headers, "grpc-encoding", message) } else { message.to_vec() }
}

fn plain(headers: &HeaderMap, name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match headers.get(name).map(|value| value.as_bytes()) {
        Some(b"gzip") => drop(flate2::read::MultiGzDecoder::new(body).read_to_end(&mut out)),
        Some(b"zstd") => out = zstd::stream::decode_all(body).unwrap_or_default(),
        _ => out.extend_from_slice(body),
    }
    out
}

fn signal_of(path: &str) -> &'static str {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => "traces",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => "metrics",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => "logs",
        path if path.ends_with("/v1/traces") => "traces",
        path if path.ends_with("/v1/metrics") => "metrics",
        path if path.ends_with("/v1/logs") => "logs",
        _ => "",
    }
}
