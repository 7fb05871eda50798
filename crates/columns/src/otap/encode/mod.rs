//! Rows of schema v1 to the messages of an OTAP stream, straight from their columns.
//!
//! Each table of a batch is a piece of an Arrow IPC stream of its own that lasts as long as the gRPC stream: dictionaries
//! grow with it, a column appears with its first value, and where a schema changes a new IPC stream begins under a new id.
//! docs/otap.md says which of the protocol's traps this steps around, and what the protocol has no place for.

mod attributes;
mod coded;
mod dictionary;
mod exemplars;
mod ids;
mod ipc;
mod leaf;
mod logs;
mod lost;
mod metrics;
mod order;
mod points;
mod shared;
mod table;
mod tables;
mod traces;
mod value;

use std::fmt;

use arrow_array::RecordBatch;
use otlp_arrow_wire::otap::BatchArrowRecords;

use crate::encode::in_own_types;
use crate::{EncodeError, Signal};
use ipc::Messages;
pub use lost::{Loss, Lost};
use table::{Piece, SchemaIds};
use tables::Tables;

/// The most rows of one message: those that others hang on, resources and scopes have numbers of 16 bits.
pub const MAX_ROWS: usize = 65_535;

/// How batches are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The level of zstd at which buffers are compressed; `None` for buffers as they are.
    pub zstd: Option<i32>,
    /// Whether metadata of metrics is written: Go's decoder refuses it, the Rust engine takes it.
    pub metric_metadata: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { zstd: Some(1), metric_metadata: false }
    }
}

/// One stream of OTAP, on its way out. What it returns has to be sent in that order, and everything of it.
pub struct Encoder {
    tables: Box<dyn Tables>,
    signal: Signal,
    ids: SchemaIds,
    messages: Messages,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("signal", &self.signal).field("ids", &self.ids).finish_non_exhaustive()
    }
}

/// One message.
#[derive(Debug)]
pub struct Encoded {
    /// `BatchArrowRecords` in protobuf.
    pub message: Vec<u8>,
    /// What did not fit.
    pub lost: Lost,
}

impl Encoder {
    /// The stream of one signal.
    pub fn new(signal: Signal, options: &Options) -> Self {
        let tables: Box<dyn Tables> = match signal {
            Signal::Traces => Box::new(traces::Traces::new()),
            Signal::Metrics => Box::new(metrics::Metrics::new(options.metric_metadata)),
            Signal::Logs => Box::new(logs::Logs::new()),
        };
        Self { tables, signal, ids: SchemaIds::default(), messages: Messages::new(options.zstd) }
    }

    /// The message with the number `batch_id` of the rows of a batch, at most [`MAX_ROWS`].
    ///
    /// # Errors
    /// [`EncodeError`] when a column is missing, has a wrong type, or holds a value that no decoder of ours makes, and where
    /// there are too many rows. The stream goes on as if it had not been asked for.
    pub fn encode(&mut self, batch: &RecordBatch, batch_id: i64) -> Result<Encoded, EncodeError> {
        if batch.num_rows() > MAX_ROWS {
            let message = format!("{} rows at once: a message of OTAP has at most {MAX_ROWS}", batch.num_rows());
            return Err(EncodeError::Unwritable { message });
        }
        let own = in_own_types(self.signal, std::slice::from_ref(batch))?;
        if let Err(error) = own.iter().try_for_each(|batch| self.tables.fill(batch)) {
            self.tables.forget();
            self.tables.lost();
            return Err(error);
        }
        let pieces = self.tables.pieces(&mut self.ids, &mut self.messages);
        let payloads = pieces.iter().map(Piece::payload).collect();
        let message = BatchArrowRecords { batch_id, payloads, headers: b"" }.to_protobuf();
        Ok(Encoded { message, lost: self.tables.lost() })
    }

    /// What follows stands alone: whoever reads it needs nothing of what was returned before. For a message that is not sent.
    pub fn restart(&mut self) {
        self.tables.restart();
    }
}
