//! What a service answers: a complete body, a gRPC message with its trailers, or a stream.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use otlp_arrow_base::hops::Hops;
use otlp_arrow_wire::{Format, grpc, otlp, status};
use serde_json::json;
use tokio::sync::mpsc;

use super::refusal::Refusal;

const LOOP: HeaderName = HeaderName::from_static(Hops::REFUSED);
const GRPC_STATUS: HeaderName = HeaderName::from_static(grpc::STATUS);
const GRPC_MESSAGE: HeaderName = HeaderName::from_static(grpc::MESSAGE);
const GRPC_DETAILS: HeaderName = HeaderName::from_static(grpc::DETAILS);
const GRPC_ACCEPT: HeaderName = HeaderName::from_static(grpc::ACCEPT_ENCODING);
const GRPC_TYPE: HeaderValue = HeaderValue::from_static(grpc::CONTENT_TYPE);

/// What breaks off the body of an answer.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of an answer.
pub enum Answer {
    /// Nothing, or a complete plain body.
    Complete(Option<Bytes>),
    /// One gRPC message, then the trailers of a success: what is still to be sent of both.
    Grpc(Option<Bytes>, bool),
    /// Frames as they are sent: a stream of gRPC messages or of server-sent events.
    Frames(mpsc::Receiver<Frame<Bytes>>),
    /// The body of another server's making.
    Other(Pin<Box<dyn Body<Data = Bytes, Error = BodyError> + Send>>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Complete(_) => "Complete",
            Answer::Grpc(..) => "Grpc",
            Answer::Frames(_) => "Frames",
            Answer::Other(_) => "Other",
        })
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Answer::Complete(data) => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
            Answer::Grpc(data, trailers) => Poll::Ready(match data.take() {
                Some(data) => Some(Ok(Frame::data(data))),
                None => mem::take(trailers).then(|| Ok(Frame::trailers(success()))),
            }),
            Answer::Frames(frames) => frames.poll_recv(cx).map(|frame| frame.map(Ok)),
            Answer::Other(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Complete(None) | Answer::Grpc(None, false) => true,
            Answer::Other(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Complete(data) => SizeHint::with_exact(data.as_ref().map_or(0, Bytes::len) as u64),
            Answer::Other(body) => body.size_hint(),
            Answer::Grpc(..) | Answer::Frames(_) => SizeHint::default(),
        }
    }
}

/// The trailers of a call that succeeded.
fn success() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

/// A plain answer with a body.
pub fn plain(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Answer> {
    let body = body.into();
    let mut response = Response::new(Answer::Complete((!body.is_empty()).then_some(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer to HEAD: the length of its body, and no body. Over HTTP/2 hyper would send one.
pub(super) fn head(mut answer: Response<Answer>) -> Response<Answer> {
    if let Some(length) = answer.body().size_hint().exact() {
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *answer.body_mut() = Answer::Complete(None);
    answer
}

/// Has browsers take an answer for what it says it is, and keep none: it tells of telemetry. What a service says itself holds.
pub(super) fn guard_browsers(answer: &mut Response<Answer>) {
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A refusal over HTTP: `google.rpc.Status` in the encoding of the request.
pub(super) fn http_refusal(refusal: &Refusal, format: Format) -> Response<Answer> {
    let status = refusal.status();
    let body = match format {
        Format::Protobuf => refusal.details().to_protobuf(),
        Format::Json => json_status(&refusal.details()),
    };
    refused(plain(status.http, otlp::media_type(format), body), refusal)
}

/// The answer that a refusal is, with its status and the headers that tell it to programs.
pub(super) fn refused(mut response: Response<Answer>, refusal: &Refusal) -> Response<Answer> {
    let status = refusal.status();
    *response.status_mut() = StatusCode::from_u16(status.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(delay) = status.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
    }
    if let Some(allowed) = refusal.allowed() {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    tell_loop(refusal, response.headers_mut());
    response
}

fn tell_loop(refusal: &Refusal, headers: &mut HeaderMap) {
    if refusal.is_loop()
        && let Ok(reason) = HeaderValue::from_str(refusal.message())
    {
        headers.insert(LOOP, reason);
    }
}

/// The same status in the JSON form of protobuf.
fn json_status(status: &status::Status<'_>) -> Vec<u8> {
    let mut details = Vec::new();
    if let Some(delay) = status.retry_after {
        let delay = format!("{}s", delay.as_secs_f64());
        details.push(json!({ "@type": status::RETRY_INFO, "retryDelay": delay }));
    }
    if status.bad_data {
        let violations = json!([{ "description": status.message }]);
        details.push(json!({ "@type": status::BAD_REQUEST, "fieldViolations": violations }));
    }
    let mut body = json!({ "code": status.code, "message": status.message });
    if !details.is_empty() {
        body["details"] = details.into();
    }
    body.to_string().into_bytes()
}

/// One gRPC message in its frame: not compressed, length, bytes.
pub fn grpc_frame(message: &[u8]) -> Bytes {
    if message.is_empty() {
        return Bytes::from_static(&[0; grpc::PREFIX]);
    }
    // No answer of a server is as long as a frame may be.
    grpc::frame(message, false).unwrap_or_default().into()
}

/// One gRPC message and status OK.
pub fn grpc(message: &[u8]) -> Response<Answer> {
    let mut response = Response::new(Answer::Grpc(Some(grpc_frame(message)), true));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC_TYPE);
    response
}

/// A stream of gRPC messages; the sender ends it with [`grpc_trailers`].
pub fn grpc_stream(frames: mpsc::Receiver<Frame<Bytes>>) -> Response<Answer> {
    let mut response = Response::new(Answer::Frames(frames));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC_TYPE);
    response
}

/// A gRPC status other than OK as headers or trailers.
pub fn grpc_trailers(status: i32, message: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(GRPC_STATUS, HeaderValue::from(status));
    if let Ok(message) = HeaderValue::try_from(grpc::percent_encoded(grpc::shortened(message))) {
        headers.insert(GRPC_MESSAGE, message);
    }
    headers
}

/// The trailers of a stream that is refused, with `RetryInfo` or `BadRequest` where there is something to say.
pub fn grpc_refused(refusal: &Refusal) -> HeaderMap {
    let status = refusal.status();
    let mut trailers = grpc_trailers(status.grpc, refusal.message());
    if status.retry_after.is_some() || refusal.is_bad_data() {
        let details = status::details(&refusal.details().to_protobuf());
        if let Ok(details) = HeaderValue::try_from(details) {
            trailers.insert(GRPC_DETAILS, details);
        }
    }
    tell_loop(refusal, &mut trailers);
    trailers
}

/// The trailers of a stream that came to its end.
pub fn grpc_success() -> HeaderMap {
    success()
}

/// A gRPC status other than OK, headers only.
pub fn grpc_status(status: i32, message: &str) -> Response<Answer> {
    let mut headers = grpc_trailers(status, message);
    headers.insert(header::CONTENT_TYPE, GRPC_TYPE);
    let mut response = Response::new(Answer::Grpc(None, false));
    *response.headers_mut() = headers;
    response
}

/// A refusal over gRPC: headers only, with `RetryInfo` or `BadRequest` where there is something to say.
pub(super) fn grpc_refusal(refusal: &Refusal) -> Response<Answer> {
    let mut response = Response::new(Answer::Grpc(None, false));
    *response.headers_mut() = grpc_refused(refusal);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, GRPC_TYPE);
    if refusal.status().http == 415 {
        headers.insert(GRPC_ACCEPT, HeaderValue::from_static("identity,gzip,deflate,zstd"));
    }
    response
}
