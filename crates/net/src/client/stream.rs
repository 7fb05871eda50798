//! A gRPC call whose messages go both ways for as long as either end likes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, Request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use otlp_arrow_base::error::Result;
use otlp_arrow_wire::grpc::{self, Prefix};
use tokio::sync::mpsc;

use super::{Client, Failure, unreachable};
use crate::encoding::Encoding;
use crate::grpc::CallStatus;

/// Messages that wait for the peer to read the ones before them.
const WAITING: usize = 4;

/// What a request sends: all at once, or as it comes.
#[derive(Debug)]
pub(super) enum Outgoing {
    Whole(Full<Bytes>),
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Outgoing::Whole(body) => Pin::new(body).poll_frame(cx),
            Outgoing::Stream(messages) => {
                messages.poll_recv(cx).map(|message| message.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Whole(body) => body.is_end_stream(),
            Outgoing::Stream(messages) => messages.is_closed() && messages.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(body) => body.size_hint(),
            Outgoing::Stream(_) => SizeHint::default(),
        }
    }
}

/// The sending end of a call: messages with their prefix. Dropped, it tells the peer that no more come.
pub type Sender = mpsc::Sender<Bytes>;

/// What comes back of a call.
#[derive(Debug)]
pub struct Replies {
    /// Status and headers.
    pub head: Parts,
    /// What came behind the last message.
    pub trailers: Option<HeaderMap>,
    body: Incoming,
    read: BytesMut,
    most: usize,
}

impl Client {
    /// Begins a call: its sending end, and what comes back once the peer has begun to answer, which it may not before the first
    /// message. No time limits it; whoever waits gives up by dropping what it waits for.
    pub fn call(
        &self,
        request: Request<()>,
    ) -> (Sender, impl Future<Output = Result<Replies, Failure>> + Send + 'static) {
        let (sender, messages) = mpsc::channel(WAITING);
        let request = request.map(|()| Outgoing::Stream(messages));
        let (connections, most) = (self.connections.current(), self.max_answer);
        let replies = async move {
            let response =
                connections.http.request(request).await.map_err(|error| unreachable(&error, &connections.alert))?;
            let (head, body) = response.into_parts();
            Ok(Replies { head, trailers: None, body, read: BytesMut::new(), most })
        };
        (sender, replies)
    }
}

impl Replies {
    /// The next message; `None` behind the last.
    ///
    /// # Errors
    /// [`Failure::TooLong`] for one that exceeds what an answer may have, and [`Failure::Interrupted`] where the call broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(message) = self.message()? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.read.extend_from_slice(&data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Some(Err(error)) => return Err(Failure::Interrupted(self.head.status, error.to_string())),
                None => return Ok(None),
            }
        }
    }

    /// How the call ended: none if it was not a gRPC server that answered.
    pub fn status(&self) -> Option<CallStatus> {
        CallStatus::of(&self.head, self.trailers.as_ref())
    }

    /// A message that has arrived.
    fn message(&mut self) -> Result<Option<Bytes>, Failure> {
        let broken = |text: &str| Failure::Interrupted(self.head.status, text.to_owned());
        let Some(prefix) = self.read.first_chunk() else { return Ok(None) };
        let prefix = Prefix::read(*prefix).map_err(|_| broken("what came back is not a gRPC message"))?;
        if prefix.length as usize > self.most {
            return Err(Failure::TooLong(self.head.status));
        }
        if self.read.len() < grpc::PREFIX + prefix.length as usize {
            return Ok(None);
        }
        self.read.advance(grpc::PREFIX);
        let message = self.read.split_to(prefix.length as usize).freeze();
        if !prefix.compressed {
            return Ok(Some(message));
        }
        let encoding = Encoding::parse(self.head.headers.get(grpc::ENCODING)).ok().flatten();
        let plain = encoding.and_then(|encoding| encoding.decompress(&message, self.most, |_| Ok(())).ok());
        let text = "a compressed message came back that cannot be read";
        plain.map(Some).ok_or_else(|| Failure::Interrupted(self.head.status, text.to_owned()))
    }
}
