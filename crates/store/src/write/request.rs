//! What is handed to the store to be kept, and how it waits for its commit.

use std::time::Instant;

use futures::channel::oneshot;
use otlp_arrow_columns::Payload;

use super::budget::Reservation;
use super::commit_policy::MAX_BYTES;
use super::keys::BatchKey;
use crate::log::hooks::CommittedRequest;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::hops::Hops;

/// One request on its way into a file: what it brings, and the memory it holds.
#[derive(Debug)]
pub struct Request {
    /// The records.
    pub payload: Payload,
    /// Covers what was handed over and the Arrow memory it will take; given back when the commit is done.
    pub reservation: Reservation,
    /// The recorders they came through; kept beside what still waits for a destination, not in the files.
    pub hops: Hops,
    /// A thread stands still until it is kept: it is committed at once, with what waits.
    pub urgent: bool,
    /// What its sender calls it; kept with its commit.
    pub key: Option<BatchKey>,
}

impl Request {
    /// A request that holds `reservation`, which covers its records as they are. BUFFER_FULL where there is no memory for
    /// the columns of the commit beside a batch.
    pub fn new(payload: Payload, mut reservation: Reservation) -> Result<Self> {
        // A batch that fills a commit is written as it is; smaller ones share one, and are copied together. For OTLP the
        // columns were reserved when they were counted.
        if let Payload::Batch(batch) = &payload
            && batch.arrow_bytes() <= MAX_BYTES
        {
            reservation.grow(batch.arrow_bytes())?;
        }
        Ok(Self { payload, reservation, hops: Hops::default(), urgent: false, key: None })
    }

    /// The same, which came through these recorders.
    #[must_use]
    pub fn with_hops(self, hops: Hops) -> Self {
        Self { hops, ..self }
    }

    /// The same, which its sender calls so: see [`Store::append_once`](crate::Store::append_once).
    #[must_use]
    pub fn with_key(self, key: Option<BatchKey>) -> Self {
        Self { key, ..self }
    }

    /// What consumers see of it; the bytes are shared, not copied.
    pub(crate) fn committed(&self) -> CommittedRequest {
        let bytes = self.payload.whole_bytes().cloned();
        CommittedRequest { bytes, rows: self.payload.rows() as u64, hops: self.hops.clone() }
    }
}

/// A request that waits, and who is told.
pub(crate) struct Item {
    pub(crate) request: Request,
    /// `None` with durability `buffered`: it was acknowledged already.
    pub(crate) done: Option<oneshot::Sender<Result<()>>>,
    /// When it came.
    pub(crate) came: Instant,
}
