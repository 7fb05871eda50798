//! Where the messages of an answer go: to a client that takes them as quickly as it likes.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_net::server::{Answer, Refusal, answer};
use otlp_arrow_net::time::until;
use otlp_arrow_store::stream::StreamMessage;
use otlp_arrow_wire::flight::Data;
use otlp_arrow_wire::grpc::Prefix;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Frames that wait for a client; those of one batch share its memory.
const WAITING: usize = 64;
/// The longest that a client may take for one of them: somebody may look at a batch before taking the next.
const PATIENCE: Duration = Duration::from_secs(600);

/// gRPC statuses.
pub(crate) const UNAVAILABLE: i32 = 14;
pub(crate) const DATA_LOSS: i32 = 15;

/// One answer on its way, from a thread of its own.
pub(crate) struct Sink {
    frames: mpsc::Sender<Frame<Bytes>>,
    runtime: Handle,
    clock: Clock,
    stopped: watch::Receiver<bool>,
}

/// Nobody takes it any more, or the doors close.
#[derive(Debug)]
pub(crate) struct Gone;

/// An answer of these messages, all of which are there.
pub(crate) fn all(messages: impl IntoIterator<Item = Vec<u8>>) -> Response<Answer> {
    let frames: Vec<_> = messages.into_iter().map(|message| Frame::data(answer::grpc_frame(&message))).collect();
    let (sender, receiver) = mpsc::channel(frames.len() + 1);
    for frame in frames.into_iter().chain([Frame::trailers(answer::grpc_success())]) {
        // There is room for all of them.
        let _ = sender.try_send(frame);
    }
    answer::grpc_stream(receiver)
}

impl Sink {
    /// An answer, and where it is put in.
    pub(crate) fn new(clock: Clock, stopped: watch::Receiver<bool>) -> (Self, Response<Answer>) {
        let (frames, receiver) = mpsc::channel(WAITING);
        (Self { frames, runtime: Handle::current(), clock, stopped }, answer::grpc_stream(receiver))
    }

    /// Whether somebody still takes it.
    pub(crate) fn goes_on(&self) -> bool {
        !self.frames.is_closed() && !self.stops()
    }

    /// Whether the doors close.
    pub(crate) fn stops(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Sends a message of an IPC stream, with what is told beside it.
    pub(crate) fn message(&self, message: StreamMessage, metadata: &[u8]) -> Result<(), Gone> {
        let body = message.body_len();
        let begin = Data::begin(b"", &message.head, metadata, body);
        // A batch is cut long before it fills a message.
        let prefix = Prefix::of(begin.len() + body, false).ok_or(Gone)?;
        let begin = Bytes::from([&prefix.bytes()[..], &begin].concat());
        std::iter::once(begin).chain(message.body).try_for_each(|piece| self.frame(Frame::data(piece)))
    }

    /// The end of what was sent whole.
    pub(crate) fn end(self) {
        let _ = self.frame(Frame::trailers(answer::grpc_success()));
    }

    /// The end of what was not.
    pub(crate) fn refuse(self, refusal: &Refusal) {
        let _ = self.frame(Frame::trailers(answer::grpc_refused(refusal)));
    }

    /// The same with a status of its own.
    pub(crate) fn fail(self, status: i32, text: &str) {
        // Said also when the doors close: then there is a moment left.
        let _ = self.frames.try_send(Frame::trailers(answer::grpc_trailers(status, text)));
    }

    fn frame(&self, frame: Frame<Bytes>) -> Result<(), Gone> {
        let frame = match self.frames.try_send(frame) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Gone),
            Err(mpsc::error::TrySendError::Full(frame)) => frame,
        };
        let deadline = self.clock.now().checked_add(PATIENCE);
        let mut stopped = self.stopped.clone();
        let sent = self.runtime.block_on(until(&self.clock, deadline, async {
            tokio::select! {
                sent = self.frames.send(frame) => sent.is_ok(),
                _ = stopped.wait_for(|stopped| *stopped) => false,
            }
        }));
        if sent == Some(true) { Ok(()) } else { Err(Gone) }
    }
}
