//! Bodies of requests as they arrive: each frame is reserved from the memory budget before it is kept.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_store::budget::Reservation;

use super::apart::{WORTH_A_THREAD, apart};
use super::gather::Gather;
use super::refusal::Refusal;
use crate::encoding::Encoding;
use crate::time::until;

/// The body of a request, which knows whether it was read to its end.
///
/// As a [`Body`] for services of another making it has no deadline of its own.
pub struct RequestBody {
    /// None once it was read to its end, or taken.
    incoming: Option<Incoming>,
    clock: Clock,
    deadline: Option<Instant>,
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("unread", &self.unread()).finish_non_exhaustive()
    }
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, clock: Clock, deadline: Option<Instant>) -> Self {
        Self { incoming: Some(incoming), clock, deadline }
    }

    /// The next piece; None at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let Some(incoming) = &mut self.incoming else { return Ok(None) };
            let Some(frame) = until(&self.clock, self.deadline, incoming.frame()).await else {
                return Err(Refusal::timeout(
                    "the request took longer to arrive than it may: send it again, or raise limits.timeout",
                ));
            };
            match frame {
                None => {
                    self.incoming = None;
                    return Ok(None);
                }
                Some(Err(error)) => {
                    self.incoming = None;
                    return Err(Refusal::broke_off(&error));
                }
                // Trailers carry nothing for a service.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Ok(Some(data)),
                    Err(_) => {}
                },
            }
        }
    }

    /// The complete body of at most `max` bytes, as it was sent.
    pub async fn complete(&mut self, max: usize, reservation: &mut Reservation) -> Result<Bytes, Refusal> {
        let announced = self.announced().unwrap_or(0);
        if announced > max as u64 {
            return Err(Refusal::too_large(announced as usize, max));
        }
        let mut gather = Gather::new(announced as usize);
        while let Some(piece) = self.next().await? {
            if gather.len() + piece.len() > max {
                return Err(Refusal::too_large(gather.len() + piece.len(), max));
            }
            gather.push(piece, reservation)?;
        }
        Ok(gather.finish())
    }

    /// The body itself, for a service that still reads after it has answered.
    pub fn take(&mut self) -> Self {
        Self { incoming: self.incoming.take(), clock: self.clock.clone(), deadline: self.deadline }
    }

    /// Waits no longer than this for further pieces; as long as it takes for `None`.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// What its deadlines go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the sender says it will send, if it says so.
    fn announced(&self) -> Option<u64> {
        self.incoming.as_ref().and_then(|incoming| incoming.size_hint().exact())
    }

    /// Whether something may still come.
    pub(super) fn unread(&self) -> bool {
        self.incoming.as_ref().is_some_and(|incoming| !incoming.is_end_stream())
    }

    /// Takes what still comes and throws it away, so that a sender that writes before it reads gets its answer.
    pub(super) async fn discard(mut self, mut bytes: usize) {
        while let Ok(Some(data)) = self.next().await {
            if data.len() > bytes {
                return;
            }
            bytes -= data.len();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(incoming).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        !self.unread()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}

/// What `packed` is without its encoding: at most `max` bytes, each reserved before it is kept. A large body is kept
/// away from the other connections of this thread.
pub fn unpacked(
    encoding: Encoding,
    packed: &[u8],
    max: usize,
    reservation: &mut Reservation,
) -> Result<Bytes, Refusal> {
    let plain =
        apart(packed.len() > WORTH_A_THREAD / 8, || encoding.decompress(packed, max, |more| reservation.grow(more)));
    plain.map_err(|error| Refusal::packed(error, max))
}
