//! From one request to its answer.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, Version, header};
use hyper::body::Incoming;
use otlp_arrow_columns::{Format, Signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Answer};
use super::body::Source;
use super::fault::Fault;
use super::{Ingest, grpc, health, http as plain};
use crate::config::{Config, Limits, Protocols};
use crate::error::{Code, OtlpError};
use crate::outcome::ExportOutcome;
use crate::stats::Protocol;
use crate::store::budget::Reservation;

/// What every connection knows.
pub(super) struct Shared {
    pub(super) ingest: Arc<dyn Ingest>,
    pub(super) limits: Limits,
    protocols: Protocols,
    /// True once the doors are closing.
    pub(super) stopped: watch::Receiver<bool>,
    /// Places for those who watch the health.
    pub(super) watchers: Arc<Semaphore>,
}

/// Bytes of protobuf from which reading a request is kept away from the other connections of its thread.
pub(super) const WORTH_A_THREAD: usize = 256 << 10;

/// How much of a refused body is taken and thrown away, so that its sender comes to read the answer.
const DISCARD: usize = 128 << 20;
/// The same where the refusal is for want of memory.
const DISCARD_WHEN_FULL: usize = 1 << 20;
const DISCARD_FOR: Duration = Duration::from_secs(5);

/// What a request takes besides its body and the text of its headers: its stream, its task and their tables.
const REQUEST: usize = 4 << 10;

/// What a request takes before its body, and so is reserved with it: a client may open thousands and send no more.
pub(super) fn weight(parts: &Parts) -> usize {
    REQUEST + header_bytes(parts)
}

/// Bytes of the headers and the path.
fn header_bytes(parts: &Parts) -> usize {
    let fields: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    fields + parts.uri.path_and_query().map_or(0, |path| path.as_str().len())
}

/// Runs `work`, apart from the other connections of this thread if it is `long`.
pub(super) fn apart<T>(long: bool, work: impl FnOnce() -> T) -> T {
    if long { tokio::task::block_in_place(work) } else { work() }
}

impl Shared {
    pub(super) fn new(config: &Config, ingest: Arc<dyn Ingest>, stopped: watch::Receiver<bool>) -> Self {
        Self {
            ingest,
            limits: config.limits.clone(),
            protocols: config.protocols.clone(),
            stopped,
            watchers: Arc::new(Semaphore::new(health::WATCHERS)),
        }
    }

    /// Hands a request over and waits until it is kept.
    pub(super) async fn keep(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
    ) -> Result<ExportOutcome, Fault> {
        let accept = || {
            let long = bytes.len() > WORTH_A_THREAD;
            apart(long, || self.ingest.accept(signal, protocol, bytes, reservation))
        };
        // A defect in reading one request must not look to its sender like a network failure, to be sent again for ever.
        let (outcome, kept) = catch_unwind(AssertUnwindSafe(accept)).unwrap_or_else(|_| {
            Err(OtlpError::new(Code::Internal, "reading this request failed: please report it to the project"))
        })?;
        kept.await?;
        Ok(outcome)
    }

    /// When the answer is due.
    fn deadline(&self, parts: &Parts, grpc: bool) -> Instant {
        let most = self.limits.timeout;
        let wanted = if grpc { grpc::timeout(parts) } else { None };
        Instant::now() + wanted.map_or(most, |wanted| wanted.min(most))
    }
}

fn content_type(parts: &Parts) -> &[u8] {
    parts.headers.get(header::CONTENT_TYPE).map_or(b"", |value| value.as_bytes())
}

/// Answers one request.
pub(super) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let started = Instant::now();
    let (parts, incoming) = request.into_parts();
    let is_grpc = grpc::is_grpc(content_type(&parts));
    let deadline = shared.deadline(&parts, is_grpc);
    let mut source = Source::new(incoming, deadline);
    let path = parts.uri.path();
    let (signal, protocol) = match is_grpc {
        true => (grpc::signal(path), Protocol::OtlpGrpc),
        false => (plain::signal(path), Protocol::OtlpHttp),
    };
    let work = async {
        headers_fit(&shared, &parts)?;
        if is_grpc {
            grpc_call(&shared, &parts, signal, &mut source).await
        } else {
            http_call(&shared, &parts, signal, &mut source).await
        }
    };
    let done = timeout_at(deadline, work).await.unwrap_or_else(|_| {
        Err(Fault::timeout("the request was not answered in time: send it again, or raise limits.timeout".into()))
    });
    if let Some(signal) = signal {
        let code = done.as_ref().err().map(Fault::code);
        shared.ingest.stats().request(signal, protocol, code, started.elapsed());
    }
    let answer = match done {
        Ok(answer) => answer,
        Err(fault) => {
            drain(&parts, source, &fault, is_grpc);
            if is_grpc && parts.version == Version::HTTP_2 {
                answer::grpc_fault(&fault)
            } else {
                answer::http_fault(&fault, plain::format(content_type(&parts)).unwrap_or(Format::Json))
            }
        }
    };
    Ok(if parts.method == Method::HEAD { answer::head(answer) } else { answer })
}

/// Over HTTP/1.1 a sender that is still writing when the connection closes never sees its answer, and curl none over
/// HTTP/2 when its stream ends early. gRPC clients bear that, and a sender that expects `100 Continue` has not begun.
fn drain(parts: &Parts, mut source: Source, fault: &Fault, is_grpc: bool) {
    // Streams that find no room must not take any: they are the many.
    let bears_it = parts.version == Version::HTTP_2 && (is_grpc || fault.code().retryable());
    if bears_it || !source.unread() || parts.headers.contains_key(header::EXPECT) {
        return;
    }
    let bytes = if fault.code().retryable() { DISCARD_WHEN_FULL } else { DISCARD };
    source.until(Instant::now() + DISCARD_FOR);
    tokio::spawn(source.discard(bytes));
}

/// HTTP/2 counts headers itself; over HTTP/1.1 hyper bounds only its buffer.
fn headers_fit(shared: &Shared, parts: &Parts) -> Result<(), Fault> {
    if parts.version == Version::HTTP_2 {
        return Ok(());
    }
    match header_bytes(parts) {
        given if given > shared.limits.header_bytes as usize => Err(Fault::headers(given, shared.limits.header_bytes)),
        _ => Ok(()),
    }
}

async fn grpc_call(
    shared: &Arc<Shared>,
    parts: &Parts,
    signal: Option<Signal>,
    source: &mut Source,
) -> Result<Response<Answer>, Fault> {
    grpc::admit(parts, content_type(parts))?;
    match (signal, parts.uri.path()) {
        (Some(_), _) if !shared.protocols.otlp_grpc => Err(Fault::switched_off("protocols.otlp_grpc")),
        (Some(signal), _) => grpc::export(shared, signal, parts, source).await,
        (None, health::CHECK) => health::check(shared, parts, source).await,
        (None, health::WATCH) => health::watch(shared, parts, source).await,
        (None, path) => Err(Fault::unknown_path(path)),
    }
}

async fn http_call(
    shared: &Shared,
    parts: &Parts,
    signal: Option<Signal>,
    source: &mut Source,
) -> Result<Response<Answer>, Fault> {
    match (signal, parts.uri.path()) {
        (Some(_), _) if !shared.protocols.otlp_http => Err(Fault::switched_off("protocols.otlp_http")),
        (Some(signal), _) => plain::export(shared, signal, parts, plain::format(content_type(parts)), source).await,
        (None, path @ ("/healthz" | "/readyz" | "/metrics")) => {
            if parts.method != Method::GET && parts.method != Method::HEAD {
                return Err(Fault::method(&parts.method, "GET, HEAD"));
            }
            Ok(health::page(shared, path))
        }
        (None, path) => Err(Fault::unknown_path(path)),
    }
}
