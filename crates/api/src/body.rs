//! What every answer is sent with, and a body that comes in pieces: it ends where its sender says so, and breaks off where that
//! is gone before.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame, SizeHint};
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::server::Answer;
use otlp_arrow_net::server::answer::BodyError;
use tokio::sync::mpsc;

/// Bytes that are sent at once.
pub(crate) const PIECE: usize = 64 << 10;
/// Pieces that may wait for a client.
const WAITING: usize = 2;

/// What is sent: a piece, or the end.
pub(crate) type Piece = Option<Bytes>;

/// A body in pieces, and where they are put in. `length` is told to the client where it is known.
pub(crate) fn pieces(length: Option<u64>) -> (mpsc::Sender<Piece>, Answer) {
    let (sender, pieces) = mpsc::channel(WAITING);
    (sender, Answer::Other(Box::pin(Pieces { pieces, left: length, ended: false })))
}

struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    left: Option<u64>,
    ended: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        match ready!(self.pieces.poll_recv(cx)) {
            Some(Some(piece)) => {
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                // Nothing is asked for behind the last byte of a known length.
                self.ended = self.left == Some(0);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Some(None) => {
                self.ended = true;
                Poll::Ready(None)
            }
            // Half of an answer must not look like all of it.
            None => {
                self.ended = true;
                Poll::Ready(Some(Err("the answer broke off".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// An answer with the headers that all have.
pub(crate) fn headed(media_type: &'static str, encoding: Option<Encoding>, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    // It may be kept, and is asked for again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    guarded(headers);
    response
}

/// Nothing of an answer is a page, and none is for a page of others.
pub(crate) fn guarded(headers: &mut HeaderMap) {
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
}
