//! Rows in: each batch is kept as one commit, and acknowledged after it, in the order they came.

use std::sync::Arc;

use bytes::Bytes;
use http_body::Frame;
use otlp_arrow::internal::{Hops, Ingest, Kept, Protocol, Sent};
use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::{CheckedBatches, Limits};
use otlp_arrow_net::server::{Messages, Refusal, WORTH_A_THREAD, answer, apart};
use otlp_arrow_store::BatchKey;
use otlp_arrow_store::file::signal_of;
use otlp_arrow_wire::flight::{Data, holding};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::asked::{read, target};
use crate::decode::Decoder;

/// Batches of one call that are on their way to a file at once, so that small ones share a commit.
const ON_THE_WAY: usize = 64;
/// Acknowledgements that nobody has read yet: a client may write everything before it reads any.
pub(crate) const UNREAD: usize = 65_536;

/// What takes rows.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) ingest: Arc<dyn Ingest>,
    pub(crate) protocol: Protocol,
    pub(crate) limits: Limits,
    /// The most that one message may take.
    pub(crate) max: usize,
    pub(crate) clock: Clock,
    pub(crate) stopped: watch::Receiver<bool>,
}

/// What a client is told of a batch that is kept.
#[derive(Serialize)]
struct Acknowledged {
    /// Which of the call, from 0.
    batch: u64,
    rows: u64,
    /// Its key is that of a batch that was kept before: it was not stored again.
    repeated: bool,
}

/// A batch on its way, or how the call ended.
enum Taken {
    Batch(Acknowledged, Signal, Kept),
    End(Result<(), Refusal>),
}

impl Intake {
    /// Takes all of a call, and answers to it.
    pub(crate) async fn put(self, messages: Messages, hops: Hops, weight: usize, frames: mpsc::Sender<Frame<Bytes>>) {
        let (taken, waiting) = mpsc::channel(ON_THE_WAY);
        let answering = tokio::spawn(self.clone().acknowledge(waiting, frames));
        let mut stopped = self.stopped.clone();
        let ended = tokio::select! {
            ended = self.take(messages, hops, weight, &taken) => ended,
            // One that was taken could not be kept, or nobody listens.
            () = taken.closed() => return,
            _ = stopped.wait_for(|stopped| *stopped) => Err(closing()),
        };
        if taken.send(Taken::End(ended)).await.is_ok() {
            drop(taken);
            let _ = answering.await;
        }
    }

    async fn take(
        &self,
        mut messages: Messages,
        hops: Hops,
        weight: usize,
        taken: &mpsc::Sender<Taken>,
    ) -> Result<(), Refusal> {
        // Whose rows they are is in the first message.
        let reserved = |signal| self.ingest.budget().reserve(signal, weight);
        let Some((message, reservation)) = messages.next(reserved(Signal::Traces)?).await? else {
            return Err(Refusal::invalid("nothing was put: send a schema first"));
        };
        let data = read("FlightData", Data::read(&message))?;
        let mut decoder = Decoder::new(data.head.of(&message), &reservation, self.max)?;
        let signal = target(data.descriptor.of(&message), signal_of(decoder.schema()))?;
        // Before anything else is sent.
        let empty = arrow_array::RecordBatch::new_empty(Arc::clone(decoder.schema()));
        CheckedBatches::new(signal).push(empty, &self.limits).map_err(OtlpError::from)?;
        drop((message, reservation));
        let mut batch = 0;
        while let Some((message, mut reservation)) = messages.next(reserved(signal)?).await? {
            let started = self.clock.now();
            let data = read("FlightData", Data::read(&message))?;
            if data.head.is_empty() {
                return Err(Refusal::invalid("a message without data_header: metadata goes with a batch"));
            }
            let (head, body) = (data.head.of(&message), message.slice(data.body.start..data.body.end));
            let long = body.len() > WORTH_A_THREAD;
            let Some(rows) = apart(long, || decoder.read(head, body, &mut reservation))? else { continue };
            let count = rows.num_rows() as u64;
            let key = match data.metadata.of(&message) {
                [] => None,
                key => Some(BatchKey::new(key)?),
            };
            let sent = Sent { hops: hops.clone(), key };
            // The first key has files looked into.
            let long = long || sent.key.is_some();
            let appended = apart(long, || self.ingest.append(signal, self.protocol, vec![rows], reservation, sent));
            let code = appended.as_ref().err().map(OtlpError::code);
            self.ingest.stats().request(signal, self.protocol, code, self.clock.elapsed(started));
            let (outcome, kept) = appended?;
            let acknowledged = Acknowledged { batch, rows: count, repeated: outcome.accepted < count };
            if taken.send(Taken::Batch(acknowledged, signal, kept)).await.is_err() {
                return Ok(());
            }
            batch += 1;
        }
        Ok(())
    }

    /// Tells the client of each batch when it is kept, and how the call ended.
    async fn acknowledge(self, mut waiting: mpsc::Receiver<Taken>, frames: mpsc::Sender<Frame<Bytes>>) {
        while let Some(taken) = waiting.recv().await {
            let trailers = match taken {
                Taken::Batch(acknowledged, signal, kept) => match kept.await {
                    Ok(()) => {
                        let told = serde_json::to_vec(&acknowledged).unwrap_or_default();
                        let frame = Frame::data(answer::grpc_frame(&holding(&told)));
                        if frames.send(frame).await.is_err() {
                            return;
                        }
                        continue;
                    }
                    Err(error) => {
                        tracing::debug!(%error, %signal, "a batch was not kept");
                        answer::grpc_refused(&Refusal::from(error))
                    }
                },
                Taken::End(Ok(())) => answer::grpc_success(),
                Taken::End(Err(refusal)) => answer::grpc_refused(&refusal),
            };
            let _ = frames.send(Frame::trailers(trailers)).await;
            return;
        }
    }
}

fn closing() -> Refusal {
    let text = "this recorder is shutting down: what was acknowledged is kept, send the rest again";
    OtlpError::new(Code::Unavailable, text).into()
}
