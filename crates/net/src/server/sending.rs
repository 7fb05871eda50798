//! The body of an answer on its way: a connection is in use as long as it sends a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::answer::{Answer, BodyError};
use super::idle::{Activity, OpenStream};

/// An answer, and where it is known that it is being sent.
pub(super) struct Sending {
    answer: Answer,
    /// None for what is sent at once.
    stream: Option<OpenStream>,
}

impl Sending {
    pub(super) fn new(answer: Answer, activity: &Arc<Activity>) -> Self {
        let stream = match answer {
            Answer::Complete(_) | Answer::Grpc(..) => None,
            Answer::Frames(_) | Answer::Other(_) => Some(Activity::stream(activity)),
        };
        Self { answer, stream }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.answer).poll_frame(cx);
        if let (Poll::Ready(Some(_)), Some(stream)) = (&frame, &self.stream) {
            stream.moved();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
