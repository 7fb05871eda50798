//! Rows out: all that match, from the files, or what comes as it is committed. In pieces that every client takes.

use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use otlp_arrow::{OtlpError, Result};
use otlp_arrow_net::server::Refusal;
use otlp_arrow_query::{Following, Held, Stream};
use otlp_arrow_store::stream::StreamEncoder;

use crate::sink::{DATA_LOSS, Gone, Sink, UNAVAILABLE};

/// Bytes of one message, about: many clients refuse 4 MiB.
const MESSAGE: usize = 2 << 20;
/// How often a follower looks whether somebody still listens.
const LOOK: Duration = Duration::from_millis(250);
/// What one answer holds: a batch being read, and one being sent.
pub(crate) const HELD: usize = 16 << 20;

/// Rows on their way out.
struct Outward {
    encoder: StreamEncoder,
    sink: Sink,
}

/// Why it ended before the last row.
enum Ended {
    Gone,
    Failed(OtlpError),
}

impl From<Gone> for Ended {
    fn from(Gone: Gone) -> Self {
        Ended::Gone
    }
}

impl From<OtlpError> for Ended {
    fn from(error: OtlpError) -> Self {
        Ended::Failed(error)
    }
}

impl Outward {
    fn new(schema: &SchemaRef, sink: Sink) -> Result<Self> {
        Ok(Self { encoder: StreamEncoder::new(schema)?, sink })
    }

    /// Sends rows; dictionaries before the first piece of a batch only.
    fn batch(&self, batch: &RecordBatch, metadata: &[u8]) -> Result<(), Ended> {
        for dictionary in self.encoder.dictionaries(batch)? {
            self.sink.message(dictionary, b"")?;
        }
        self.rows(batch, metadata)
    }

    /// What is told beside a batch is told with its last piece: then all of it is there.
    fn rows(&self, batch: &RecordBatch, metadata: &[u8]) -> Result<(), Ended> {
        let message = self.encoder.rows(batch)?;
        let (rows, bytes) = (batch.num_rows(), message.body_len());
        if bytes <= MESSAGE || rows <= 1 {
            return Ok(self.sink.message(message, metadata)?);
        }
        drop(message);
        let each = rows.div_ceil(bytes.div_ceil(MESSAGE).max(2)).min(rows - 1).max(1);
        for from in (0..rows).step_by(each) {
            let last = from + each >= rows;
            self.rows(&batch.slice(from, each.min(rows - from)), if last { metadata } else { b"" })?;
        }
        Ok(())
    }

    fn end(self, ended: Result<(), Ended>) {
        match ended {
            Ok(()) => self.sink.end(),
            Err(Ended::Failed(error)) => self.sink.refuse(&Refusal::from(error)),
            Err(Ended::Gone) if self.sink.stops() => self.sink.fail(UNAVAILABLE, "this recorder is shutting down"),
            Err(Ended::Gone) => {}
        }
    }
}

/// Sends all rows. `_held` is memory that they may take meanwhile.
pub(crate) fn stream(mut rows: Stream, sink: Sink, _held: Held) {
    let outward = match Outward::new(rows.schema(), sink) {
        Ok(outward) => outward,
        Err(error) => return tracing::error!(%error, "rows have a column that cannot be sent"),
    };
    let mut send = || -> Result<(), Ended> {
        outward.sink.message(outward.encoder.schema(), b"")?;
        while let Some(batch) = rows.next_batch()? {
            outward.batch(&batch, b"")?;
            if !outward.sink.goes_on() {
                return Err(Ended::Gone);
            }
        }
        Ok(())
    };
    let ended = send();
    match ended {
        // Half of an answer must not look like all of it.
        Ok(()) if !rows.skipped().is_empty() => {
            let text = format!("everything else was sent, but not what is in {}", rows.skipped().join("; and in "));
            outward.sink.fail(DATA_LOSS, &text);
        }
        ended => outward.end(ended),
    }
}

/// Sends what comes, until nobody takes it. Each batch is told with the place behind it, the first, which is empty, with where it
/// begins.
pub(crate) fn follow(mut rows: Following, sink: Sink, _held: Held) {
    let outward = match Outward::new(rows.schema(), sink) {
        Ok(outward) => outward,
        Err(error) => return tracing::error!(%error, "rows have a column that cannot be sent"),
    };
    let place = |rows: &Following| serde_json::json!({ "cursor": rows.tail.cursor().to_string() });
    let empty = RecordBatch::new_empty(rows.schema().clone());
    let mut send = || -> Result<(), Ended> {
        outward.sink.message(outward.encoder.schema(), b"")?;
        outward.batch(&empty, place(&rows).to_string().as_bytes())?;
        while outward.sink.goes_on() {
            match rows.next_batch() {
                Ok(Some(batch)) if batch.num_rows() > 0 => {
                    outward.batch(&batch, place(&rows).to_string().as_bytes())?
                }
                Ok(Some(_)) => {}
                Ok(None) => rows.tail.wait(LOOK),
                Err(error) if error.retryable() => {
                    tracing::warn!(%error, "a follower looks again");
                    rows.tail.wait(LOOK);
                }
                // A file whose content does not hold is passed over, and nobody must take that for nothing.
                Err(error) => {
                    let mut told = place(&rows);
                    told["problem"] = error.to_string().into();
                    outward.batch(&empty, told.to_string().as_bytes())?;
                }
            }
        }
        Err(Ended::Gone)
    };
    let ended = send();
    outward.end(ended);
}
