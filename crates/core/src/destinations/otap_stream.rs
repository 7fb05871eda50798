//! One stream of OTAP: batches go out on it, and their statuses come back in any order.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use bytes::Bytes;
use http::StatusCode;
use otlp_arrow_columns::otap::encode::{Encoder, Lost, MAX_ROWS};
use otlp_arrow_net::client::{Failure, Replies, Sender};
use otlp_arrow_net::encoding::Encoding;
use otlp_arrow_net::grpc::{CallStatus, framed};
use otlp_arrow_wire::otap::BatchStatus;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::http::refused_loop;
use crate::error::{Code, OtlpError, Result};

/// What became of one batch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its status.
    Answered(BatchStatus),
    /// The stream ended before; whether this was the only batch on it.
    Ended(Arc<End>, bool),
}

/// How a stream ended.
#[derive(Debug)]
pub(super) enum End {
    /// With a status of gRPC.
    Status(CallStatus),
    /// It was not a gRPC server that answered; whether it says that it is one.
    Http(StatusCode, bool),
    /// The other end notices a ring.
    Loop(String),
    /// There was no complete answer.
    Failed(Failure),
    /// The other end does not keep to the protocol.
    Broken(&'static str),
    /// We gave it up.
    Abandoned,
}

/// Rows of a request that went out as one batch.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) rows: Range<usize>,
    pub(super) lost: Lost,
    /// None for what does not fit into a message.
    pub(super) outcome: Option<oneshot::Receiver<Outcome>>,
}

/// How messages are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The largest message, before compression.
    pub(super) most: usize,
    pub(super) compression: Option<Encoding>,
}

/// A stream that is open, or being opened.
#[derive(Debug)]
pub(super) struct Stream {
    writing: Mutex<(Encoder, i64)>,
    waiting: Arc<Waiting>,
    begun: Instant,
    task: AbortHandle,
}

/// Batches without a status, and the way on which more would go.
#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<State>,
    sender: Mutex<Option<Sender>>,
    /// No more is sent on the stream.
    retired: AtomicBool,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    batches: HashMap<i64, oneshot::Sender<Outcome>>,
    ended: Option<Arc<End>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    fn register(&self, id: i64) -> oneshot::Receiver<Outcome> {
        let (sender, receiver) = oneshot::channel();
        let mut state = lock(&self.state);
        match &state.ended {
            // What was not sent is not to blame.
            Some(end) => drop(sender.send(Outcome::Ended(Arc::clone(end), false))),
            None => drop(state.batches.insert(id, sender)),
        }
        receiver
    }

    /// False for a status of a batch that was not sent.
    fn answer(&self, status: BatchStatus) -> bool {
        let batch = lock(&self.state).batches.remove(&status.batch_id);
        batch.map(|batch| batch.send(Outcome::Answered(status))).is_some()
    }

    fn end(&self, end: End) {
        let mut state = lock(&self.state);
        if state.ended.is_some() {
            return;
        }
        let end = Arc::new(end);
        let alone = state.batches.len() == 1;
        for (_, batch) in state.batches.drain() {
            // Nobody may wait for it any more.
            let _ = batch.send(Outcome::Ended(Arc::clone(&end), alone));
        }
        state.ended = Some(end);
    }

    fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        lock(&self.sender).take();
        self.changed.notify_one();
    }

    /// Ends so long after the stream was retired as an answer may take: a peer that never ends it is not waited for.
    async fn overdue(&self, patience: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.retired.load(Ordering::Acquire) {
                return tokio::time::sleep(patience).await;
            }
            changed.await;
        }
    }
}

impl Stream {
    /// A stream of what `replies` brings, on which batches are sent for a `lifetime`: also where none comes, so that a server
    /// which ends in order need not wait for it. Its answers take at most `patience`.
    pub(super) fn begin(
        encoder: Encoder,
        (sender, replies): (Sender, impl Future<Output = Result<Replies, Failure>> + Send + 'static),
        [lifetime, patience]: [Duration; 2],
        now: Instant,
    ) -> Self {
        let waiting = Arc::new(Waiting { sender: Mutex::new(Some(sender)), ..Waiting::default() });
        let of_task = Arc::clone(&waiting);
        let task = tokio::spawn(async move {
            let aged = async {
                tokio::time::sleep(lifetime).await;
                of_task.retire();
                std::future::pending().await
            };
            let end = tokio::select! {
                end = read(replies, &of_task) => end,
                end = aged => end,
                () = of_task.overdue(patience) => End::Abandoned,
            };
            of_task.end(end);
        });
        Self { writing: Mutex::new((encoder, 0)), waiting, begun: now, task: task.abort_handle() }
    }

    /// Whether batches may be sent on it.
    pub(super) fn is_usable(&self, lifetime: Duration, now: Instant) -> bool {
        let retired = self.waiting.retired.load(Ordering::Acquire);
        !retired && now.saturating_duration_since(self.begun) < lifetime && lock(&self.waiting.state).ended.is_none()
    }

    /// Sends no more; the statuses of what was sent still come.
    pub(super) fn retire(&self) {
        self.waiting.retire();
    }

    /// Gives up whatever is on it.
    pub(super) fn abandon(&self) {
        self.retire();
        self.task.abort();
        self.waiting.end(End::Abandoned);
    }

    /// Sends the rows at the front of `todo`, at most `batches` of them, in as few messages as fit. Blocks while the peer
    /// reads nothing. What it returns is on its way, and what it leaves in `todo` is not: all of it where the stream is retired.
    pub(super) fn send(
        &self,
        rows: &RecordBatch,
        todo: &mut Vec<Range<usize>>,
        batches: usize,
        form: Form,
    ) -> Result<Vec<Sent>> {
        let mut writing = lock(&self.writing);
        let (encoder, next) = &mut *writing;
        let mut sent = Vec::new();
        let Some(sender) = lock(&self.waiting.sender).clone() else { return Ok(sent) };
        while sent.len() < batches
            && let Some(range) = todo.pop()
        {
            if range.len() > MAX_ROWS {
                todo.extend([range.start + MAX_ROWS..range.end, range.start..range.start + MAX_ROWS]);
                continue;
            }
            let encoded = match encoder.encode(&rows.slice(range.start, range.len()), *next) {
                Ok(encoded) => encoded,
                Err(error) => {
                    let text = format!("stored rows cannot be encoded: {error}");
                    return Err(OtlpError::with_source(Code::Internal, text, error));
                }
            };
            if encoded.message.len() > form.most {
                // Its dictionaries were not sent.
                encoder.restart();
                let middle = range.start + range.len() / 2;
                match range.len() {
                    1 => sent.push(Sent { rows: range, lost: Lost::default(), outcome: None }),
                    _ => todo.extend([middle..range.end, range.start..middle]),
                }
                continue;
            }
            let message = Bytes::from(encoded.message);
            let packed = form.compression.map_or(Ok(message.clone()), |encoding| encoding.compress(&message))?;
            let frame = framed(&packed, form.compression.is_some())?;
            let outcome = self.waiting.register(*next);
            *next += 1;
            sent.push(Sent { rows: range, lost: encoded.lost, outcome: Some(outcome) });
            if sender.blocking_send(frame).is_err() {
                // It ended: whoever waits for the batch is told why.
                self.retire();
                break;
            }
        }
        Ok(sent)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Hands each status to whoever waits for it, until the stream ends.
async fn read(replies: impl Future<Output = Result<Replies, Failure>>, waiting: &Waiting) -> End {
    let mut replies = match replies.await {
        Ok(replies) => replies,
        Err(failure) => return End::Failed(failure),
    };
    loop {
        if let Some(words) = refused_loop(&replies.head.headers) {
            return End::Loop(words);
        }
        match replies.next().await {
            Ok(Some(message)) => match BatchStatus::read(&message) {
                Some(status) => {
                    if !waiting.answer(status) {
                        return End::Broken("a status came back of a batch that was not sent, or was answered");
                    }
                }
                None => return End::Broken("what came back is not a status of a batch"),
            },
            Ok(None) => break,
            Err(failure) => return End::Failed(failure),
        }
    }
    if let Some(words) = replies.trailers.as_ref().and_then(refused_loop) {
        return End::Loop(words);
    }
    match replies.status() {
        Some(status) => End::Status(status),
        None => {
            let kind = replies.head.headers.get(http::header::CONTENT_TYPE);
            End::Http(replies.head.status, kind.is_some_and(|kind| otlp_arrow_wire::grpc::is_grpc(kind.as_bytes())))
        }
    }
}
