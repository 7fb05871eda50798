//! What a door answers: a whole body, a gRPC message with its trailers, or a stream of gRPC messages.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use otlp_arrow_columns::Format;
use tokio::sync::mpsc;

use super::fault::Fault;
use super::wire;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ACCEPT: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing, or a whole plain body.
    Whole(Option<Bytes>),
    /// Data, then trailers.
    Grpc(Option<Bytes>, Option<Box<HeaderMap>>),
    /// Frames as they are sent.
    Frames(mpsc::Receiver<Frame<Bytes>>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Answer::Whole(data) => Poll::Ready(data.take().map(|data| Ok(Frame::data(data)))),
            Answer::Grpc(data, trailers) => Poll::Ready(match data.take() {
                Some(data) => Some(Ok(Frame::data(data))),
                None => trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))),
            }),
            Answer::Frames(frames) => frames.poll_recv(cx).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Answer::Whole(None) | Answer::Grpc(None, None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(data) => SizeHint::with_exact(data.as_ref().map_or(0, Bytes::len) as u64),
            Answer::Grpc(..) | Answer::Frames(_) => SizeHint::default(),
        }
    }
}

/// A plain answer with a body.
pub(super) fn plain(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Answer> {
    let body = body.into();
    let mut response = Response::new(Answer::Whole((!body.is_empty()).then_some(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer to HEAD: the length of its body, and no body. Over HTTP/2 hyper would send one.
pub(super) fn head(mut answer: Response<Answer>) -> Response<Answer> {
    if let Some(length) = answer.body().size_hint().exact() {
        answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *answer.body_mut() = Answer::Whole(None);
    answer
}

/// The media type of an encoding of OTLP.
pub(super) fn media_type(format: Format) -> &'static str {
    match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    }
}

/// A refusal over HTTP: `google.rpc.Status` in the encoding of the request.
pub(super) fn http_fault(fault: &Fault, format: Format) -> Response<Answer> {
    let status = fault.status();
    let mut response = plain(status.http, media_type(format), wire::status(fault, format));
    if let Some(delay) = status.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
    }
    if let Some(allowed) = fault.allowed() {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    response
}

/// One gRPC message in its frame: not compressed, length, bytes.
pub(super) fn grpc_frame(message: &[u8]) -> Bytes {
    if message.is_empty() {
        return Bytes::from_static(&[0; 5]);
    }
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.push(0);
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

/// One gRPC message and status OK.
pub(super) fn grpc(message: &[u8]) -> Response<Answer> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let mut response = Response::new(Answer::Grpc(Some(grpc_frame(message)), Some(Box::new(trailers))));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC_TYPE);
    response
}

/// A stream of gRPC messages; the sender ends it with [`grpc_trailers`].
pub(super) fn grpc_stream(frames: mpsc::Receiver<Frame<Bytes>>) -> Response<Answer> {
    let mut response = Response::new(Answer::Frames(frames));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC_TYPE);
    response
}

/// A gRPC status other than OK as headers or trailers.
pub(super) fn grpc_trailers(status: i32, message: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(GRPC_STATUS, HeaderValue::from(status));
    if let Ok(message) = HeaderValue::try_from(wire::grpc_message(message)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    headers
}

/// A gRPC status other than OK, headers only.
pub(super) fn grpc_status(status: i32, message: &str) -> Response<Answer> {
    let mut headers = grpc_trailers(status, message);
    headers.insert(header::CONTENT_TYPE, GRPC_TYPE);
    let mut response = Response::new(Answer::Grpc(None, None));
    *response.headers_mut() = headers;
    response
}

/// A refusal over gRPC: headers only, with `RetryInfo` or `BadRequest` where there is something to say.
pub(super) fn grpc_fault(fault: &Fault) -> Response<Answer> {
    let status = fault.status();
    let mut response = grpc_status(status.grpc, fault.message());
    let headers = response.headers_mut();
    if status.retry_after.is_some() || fault.is_bad_data() {
        let details = STANDARD_NO_PAD.encode(wire::status(fault, Format::Protobuf));
        if let Ok(details) = HeaderValue::try_from(details) {
            headers.insert(GRPC_DETAILS, details);
        }
    }
    if status.http == 415 {
        headers.insert(GRPC_ACCEPT, HeaderValue::from_static("identity,gzip,deflate,zstd"));
    }
    response
}
