//! What stands behind the doors: they hand data over, and learn what became of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::Bytes;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::{Signal, StoredBatch};

use crate::error::Result;
use crate::outcome::ExportOutcome;
use crate::stats::{Protocol, Stats};
use crate::store::BatchKey;
use crate::store::budget::{Budget, Reservation};

/// Resolves when what was accepted is kept at the configured durability.
pub type Kept = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What a sender says of rows, beside them.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// The recorders that they came through.
    pub hops: Hops,
    /// What it calls them: rows whose key is known are kept already, and not stored again.
    pub key: Option<BatchKey>,
}

/// What stands behind the doors.
pub trait Ingest: Send + Sync + 'static {
    /// The memory budget that bodies are reserved from.
    fn budget(&self) -> &Arc<Budget>;

    /// Where requests are counted.
    fn stats(&self) -> &Arc<Stats>;

    /// The number of this recorder among those that records come through; `None` where nobody could come back to it.
    fn number(&self) -> Option<u64> {
        None
    }

    /// Takes one OTLP protobuf export request whose bytes are covered by `reservation`, and which came through `hops`. What is
    /// accepted is kept whether or not the future is polled.
    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
        hops: Hops,
    ) -> Result<(ExportOutcome, Kept)>;

    /// Takes rows in the columns of the storage schema, which are kept together or not at all; `reservation` covers what
    /// they were read from. What is accepted is kept whether or not the future is polled; nothing is where their key is known.
    fn append(
        &self,
        signal: Signal,
        protocol: Protocol,
        batches: Vec<RecordBatch>,
        reservation: Reservation,
        sent: Sent,
    ) -> Result<(ExportOutcome, Kept)>;

    /// Takes rows in the form that a commit has them in, which came through `hops` and are kept together; `reservation` covers
    /// them. What is accepted is kept whether or not the future is polled.
    fn store(
        &self,
        protocol: Protocol,
        rows: StoredBatch,
        reservation: Reservation,
        hops: Hops,
    ) -> Result<(ExportOutcome, Kept)>;

    /// Whether new data would be taken now; if not, why.
    fn ready(&self) -> Result<()>;

    /// Everything that is counted, in the Prometheus text form.
    fn metrics(&self) -> String {
        self.stats().snapshot().to_prometheus()
    }
}
