//! A server of OTAP that does with each batch what a test tells it, and answers in the order that it likes. As Go's does, it
//! says nothing on a stream before the first batch has come. OTLP/gRPC it takes as well.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::otlp;
use super::strict::Reader;

type Body = BoxBody<Bytes, io::Error>;

#[derive(Clone, PartialEq, Message)]
struct BatchStatus {
    #[prost(int64, tag = "1")]
    batch_id: i64,
    #[prost(int32, tag = "2")]
    status_code: i32,
    #[prost(string, tag = "3")]
    status_message: String,
}

/// What the server does with one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Status 0; what is in it counts as kept.
    Keep,
    /// The same, behind the answer to the batch that comes next.
    KeepAfterNext,
    /// A status.
    Answer(i32),
    /// The stream ends with this status of gRPC, and the batch is not answered.
    End(i32),
    /// The stream is reset.
    Reset,
    /// No answer.
    Hang,
    /// A status of a batch that nobody sent.
    Stray,
    /// Kept, and then the stream ends before the status is sent.
    KeepAndEnd,
}

/// A batch of logs that came.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Which stream it came on, from 0.
    pub stream: usize,
    /// Its number there.
    pub batch_id: i64,
    /// What is in it.
    pub request: ExportLogsServiceRequest,
    /// Bytes of the message.
    pub bytes: usize,
    /// Whether the server kept it.
    pub kept: bool,
}

#[derive(Default)]
struct State {
    acts: VecDeque<Act>,
    always: Option<Act>,
    arrived: Vec<Arrived>,
    /// Headers of the streams, in the order in which they began.
    streams: Vec<HeaderMap>,
    ended: usize,
    otlp: Vec<Vec<u8>>,
    /// Streams are refused with this status.
    refuses: Option<i32>,
    in_flight: usize,
    most_in_flight: usize,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server; dropped, it ends.
pub struct ArrowServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for ArrowServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrowServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl ArrowServer {
    /// At any port.
    pub fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    /// At an address.
    pub fn start_at(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind(address).await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, of_thread) => {}
                }
            });
        });
        Self { shared, address: started.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it does with the next batches; those that follow are kept.
    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.shared.lock().acts.extend(acts);
    }

    /// What it does with every batch that no script is left for; `None` keeps them.
    pub fn always(&self, act: Option<Act>) {
        self.shared.lock().always = act;
    }

    /// Refuses streams with this status, as a server does that has no OTAP.
    pub fn refuse(&self, status: Option<i32>) {
        self.shared.lock().refuses = status;
    }

    /// Batches that came.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.shared.lock().arrived.clone()
    }

    /// Requests of OTLP that came.
    pub fn otlp(&self) -> Vec<Vec<u8>> {
        self.shared.lock().otlp.clone()
    }

    /// Headers of the streams that were begun.
    pub fn streams(&self) -> Vec<HeaderMap> {
        self.shared.lock().streams.clone()
    }

    /// Streams whose client said that no more come.
    pub fn ended(&self) -> usize {
        self.shared.lock().ended
    }

    /// The most batches that were on one stream without a status.
    pub fn most_in_flight(&self) -> usize {
        self.shared.lock().most_in_flight
    }

    /// Waits until a condition holds of what came, and says whether it did.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&[Arrived], &[Vec<u8>]) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.shared.lock();
        while !condition(&state.arrived, &state.otlp) {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for ArrowServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let serve = service_fn(move |request| answer(Arc::clone(&shared), request));
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), serve).await;
        });
    }
}

fn status(code: i32) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    trailers.insert("grpc-message", "scripted".parse().unwrap());
    Frame::trailers(trailers)
}

fn message(message: &impl Message) -> Frame<Bytes> {
    let bytes = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend((bytes.len() as u32).to_be_bytes());
    frame.extend(bytes);
    Frame::data(frame.into())
}

fn response(frames: mpsc::Receiver<io::Result<Frame<Bytes>>>) -> Response<Body> {
    let frames = futures::stream::unfold(frames, |mut frames| async { Some((frames.recv().await?, frames)) });
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(BodyExt::boxed(StreamBody::new(Box::pin(frames)))).unwrap()
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let encoding = head.headers.get("grpc-encoding").map(|name| name.to_str().unwrap().to_owned());
    let mut messages = Messages { body, read: BytesMut::new(), encoding };
    let (frames, receiver) = mpsc::channel(64);
    if head.uri.path().ends_with("/Export") {
        if let Some(payload) = messages.next().await {
            shared.lock().otlp.push(payload);
            shared.changed.notify_all();
        }
        frames.send(Ok(Frame::data(Bytes::from_static(&[0; 5])))).await.unwrap();
        frames.send(Ok(status(0))).await.unwrap();
        return Ok(response(receiver));
    }
    assert!(head.uri.path().starts_with("/opentelemetry.proto.experimental.arrow.v1.Arrow"), "{}", head.uri);
    let stream = {
        let mut state = shared.lock();
        state.streams.push(head.headers.clone());
        state.streams.len() - 1
    };
    if let Some(code) = shared.lock().refuses {
        let refusal = Response::builder().header("content-type", "application/grpc").header("grpc-status", code);
        return Ok(refusal.body(BodyExt::boxed(http_body_util::Empty::new().map_err(|never| match never {}))).unwrap());
    }
    let first = messages.next().await;
    tokio::spawn(serve(shared, stream, first, messages, frames));
    Ok(response(receiver))
}

async fn serve(
    shared: Arc<Shared>,
    stream: usize,
    first: Option<Vec<u8>>,
    mut messages: Messages,
    frames: mpsc::Sender<io::Result<Frame<Bytes>>>,
) {
    let mut reader = Reader::default();
    let mut next = first;
    // Answers that are sent behind the next one.
    let mut later: Vec<i64> = Vec::new();
    let mut batch_id = 0;
    while let Some(bytes) = next {
        // Every message is read, by the strictest of readers, in the order in which it came.
        let batch = reader.read(&bytes, batch_id);
        let request = otlp::logs(&batch);
        let (act, kept) = {
            let mut state = shared.lock();
            let act = state.acts.pop_front().or(state.always).unwrap_or(Act::Keep);
            let kept = matches!(act, Act::Keep | Act::KeepAfterNext | Act::KeepAndEnd);
            state.arrived.push(Arrived { stream, batch_id, request, bytes: bytes.len(), kept });
            state.in_flight = later.len() + 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            (act, kept)
        };
        shared.changed.notify_all();
        let said = |batch_id: i64, status_code: i32| {
            Ok(message(&BatchStatus { batch_id, status_code, status_message: "scripted".into() }))
        };
        let mut answers = Vec::new();
        match act {
            Act::Keep => answers.push(said(batch_id, 0)),
            Act::KeepAfterNext => later.push(batch_id),
            Act::Answer(code) => answers.push(said(batch_id, code)),
            Act::Stray => answers.push(said(batch_id + 1000, 0)),
            Act::Hang => {}
            Act::End(code) => {
                let _ = frames.send(Ok(status(code))).await;
                return;
            }
            Act::KeepAndEnd => {
                let _ = frames.send(Ok(status(0))).await;
                return;
            }
            Act::Reset => {
                let _ = frames.send(Err(io::Error::other("scripted"))).await;
                return;
            }
        }
        if kept && act == Act::Keep {
            answers.extend(later.drain(..).map(|batch_id| said(batch_id, 0)));
        }
        for answer in answers {
            if frames.send(answer).await.is_err() {
                return;
            }
        }
        batch_id += 1;
        next = messages.next().await;
    }
    shared.lock().ended += 1;
    shared.changed.notify_all();
    for batch_id in later {
        let _ = frames.send(Ok(message(&BatchStatus { batch_id, ..Default::default() }))).await;
    }
    let _ = frames.send(Ok(status(0))).await;
}

/// The messages of a request.
struct Messages {
    body: Incoming,
    read: BytesMut,
    encoding: Option<String>,
}

impl Messages {
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some([compressed, length @ ..]) = self.read.first_chunk::<5>().copied() {
                let length = u32::from_be_bytes(length) as usize;
                if self.read.len() >= 5 + length {
                    self.read.advance(5);
                    let bytes = self.read.split_to(length);
                    return Some(match (compressed, self.encoding.as_deref()) {
                        (0, _) => bytes.to_vec(),
                        (_, Some("zstd")) => zstd::decode_all(&bytes[..]).unwrap(),
                        (_, Some("gzip")) => {
                            let mut plain = Vec::new();
                            io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain).unwrap();
                            plain
                        }
                        (_, other) => panic!("compressed by {other:?}"),
                    });
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.read.extend_from_slice(&frame.into_data().ok()?);
        }
    }
}
