//! One stream: batches come in, each is answered once it is kept. What was read is answered before the stream ends.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http_body::Frame;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::log_limit::Repeated;
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::server::{Message, Messages, Refusal, RequestBody, answer};
use otlp_arrow_wire::grpc::shortened;
use otlp_arrow_wire::otap::BatchStatus;
use tokio::sync::{mpsc, watch};

use super::batch::{Accepted, Batches};
use crate::doors::door::Inside;
use crate::error::{Code, OtlpError, Result, status_of};

/// Batches that are read and not yet kept; no more are read until one is.
const IN_FLIGHT: usize = 32;

/// gRPC statuses.
const OK: i32 = 0;
const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

type Answered = Pin<Box<dyn Future<Output = BatchStatus> + Send>>;
type Reading = Pin<Box<dyn Future<Output = (Messages, Result<Option<Message>, Refusal>)> + Send>>;

/// One stream.
pub(super) struct Exchange {
    batches: Batches,
    messages: Option<Messages>,
    frames: mpsc::Sender<Frame<Bytes>>,
    clock: Clock,
    stopped: watch::Receiver<bool>,
    told: Repeated,
}

/// How a stream ends.
struct End {
    status: i32,
    message: String,
}

impl End {
    fn of(error: &OtlpError) -> Self {
        Self { status: allowed(error.code()), message: error.message().to_owned() }
    }
}

/// The statuses that the Collector does not take as the end of the stream: each other one would end it.
fn allowed(code: Code) -> i32 {
    match status_of(code).grpc {
        // What the sender should give up: a defect of ours would come again and again.
        _ if code == Code::Internal => INVALID_ARGUMENT,
        status @ (INVALID_ARGUMENT | RESOURCE_EXHAUSTED | UNAVAILABLE | UNAUTHENTICATED) => status,
        _ if code.retryable() => UNAVAILABLE,
        _ => INVALID_ARGUMENT,
    }
}

impl Exchange {
    pub(super) fn new(
        batches: Batches,
        inside: &Inside,
        body: RequestBody,
        encoding: Option<Encoding>,
        frames: mpsc::Sender<Frame<Bytes>>,
    ) -> Self {
        let timeout: Duration = inside.limits.timeout;
        let messages = Some(Messages::stream(body, encoding, inside.limits.max_body, timeout));
        let (clock, stopped) = (inside.clock.clone(), inside.stopped.clone());
        Self { batches, messages, frames, clock, stopped, told: Repeated::default() }
    }

    /// Reads and answers until the sender has nothing more to say, or something ends the stream.
    pub(super) async fn run(mut self) {
        let mut waiting: FuturesUnordered<Answered> = FuturesUnordered::new();
        let mut reading: Option<Reading> = None;
        let mut end: Option<End> = None;
        let mut stopped = self.stopped.clone();
        let frames = self.frames.clone();
        loop {
            if end.is_none() && reading.is_none() && waiting.len() < IN_FLIGHT {
                match self.batches.reserve() {
                    Ok(reservation) => {
                        reading = self.messages.take().map(|mut messages| {
                            Box::pin(async move {
                                let next = messages.next(reservation).await;
                                (messages, next)
                            }) as Reading
                        })
                    }
                    Err(error) => end = Some(End::of(&error)),
                }
            }
            if end.is_some() && waiting.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                Some(status) = waiting.next(), if !waiting.is_empty() => {
                    if !self.send(&status).await {
                        // What was handed over is kept whether or not anybody waits for it.
                        return;
                    }
                }
                (messages, next) = async { reading.as_mut().expect("it is looked at").await },
                    if end.is_none() && reading.is_some() =>
                {
                    reading = None;
                    self.messages = Some(messages);
                    match next {
                        Ok(Some((bytes, reservation))) => {
                            let since = self.clock.now();
                            let accepted = self.batches.accept(bytes, reservation, since);
                            end = accepted.ends.as_ref().map(End::of);
                            waiting.extend(self.answered(accepted));
                        }
                        Ok(None) => end = Some(End { status: OK, message: String::new() }),
                        // What was handed over is kept all the same.
                        Err(refusal) if refusal.is_broken_off() => return,
                        Err(refusal) => end = Some(self.refused(&refusal)),
                    }
                }
                () = async { drop(stopped.wait_for(|stopped| *stopped).await) }, if end.is_none() => {
                    end = Some(End { status: UNAVAILABLE, message: "shutting down: send to another place".into() });
                }
                () = frames.closed() => return,
            }
        }
        let End { status, message } = end.unwrap_or(End { status: OK, message: String::new() });
        let _ = self.frames.send(Frame::trailers(answer::grpc_trailers(status, &message))).await;
    }

    /// A message that could not be read ends the stream: nobody knows which batch it was.
    fn refused(&self, refusal: &Refusal) -> End {
        let (signal, protocol) = (self.batches.signal(), self.batches.protocol());
        self.batches.ingest().stats().request(signal, protocol, Some(refusal.code()), Duration::ZERO);
        self.tell(refusal.code(), refusal.message());
        End { status: allowed(refusal.code()), message: refusal.message().to_owned() }
    }

    /// What a batch is answered once its fate is known; nothing where its number could not be read.
    fn answered(&self, accepted: Accepted) -> Option<Answered> {
        let Accepted { id, since, kept, .. } = accepted;
        let (signal, protocol, clock) = (self.batches.signal(), self.batches.protocol(), self.clock.clone());
        let stats = std::sync::Arc::clone(self.batches.ingest().stats());
        if let Err(error) = &kept {
            self.tell(error.code(), error.message());
        }
        let Some(batch_id) = id else {
            stats.request(signal, protocol, kept.err().map(|error| error.code()), clock.elapsed(since));
            return None;
        };
        Some(Box::pin(async move {
            let done = match kept {
                Ok(kept) => kept.await,
                Err(error) => Err(error),
            };
            let code = done.as_ref().err().map(OtlpError::code);
            stats.request(signal, protocol, code, clock.elapsed(since));
            match done {
                Ok(()) => BatchStatus { batch_id, code: OK, message: String::new() },
                Err(error) => BatchStatus {
                    batch_id,
                    code: allowed(error.code()),
                    message: shortened(error.message()).to_owned(),
                },
            }
        }))
    }

    /// Logs that a batch was refused for good: it is lost to its sender, and its sender may not say so.
    fn tell(&self, code: Code, message: &str) {
        let signal = self.batches.signal();
        if !code.retryable()
            && code != Code::Closed
            && let Some(more) = self.told.more(self.clock.now())
        {
            tracing::warn!(%signal, protocol = self.batches.protocol().as_str(), %code, "a batch was refused: {message}{more}");
        }
    }

    /// Whether whoever sent the batch still listens.
    async fn send(&self, status: &BatchStatus) -> bool {
        let frame = Frame::data(answer::grpc_frame(&status.to_protobuf()));
        self.frames.send(frame).await.is_ok()
    }
}
