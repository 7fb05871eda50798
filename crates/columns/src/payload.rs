//! What one request brings to the log, through whatever door it came.

use bytes::Bytes;

use crate::{Checked, Signal, StoredBatch};

/// The records of one request, as they were handed over: checked, and not yet part of a batch that is committed.
#[derive(Clone, Debug)]
pub enum Payload {
    /// One OTLP protobuf export request.
    Otlp {
        /// What it holds.
        signal: Signal,
        /// Its bytes as they came.
        bytes: Bytes,
        /// The first pass over exactly these bytes.
        checked: Checked,
    },
    /// Rows in the form that a commit has them in.
    Batch(StoredBatch),
}

impl Payload {
    /// Of which signal the records are.
    pub fn signal(&self) -> Signal {
        match self {
            Payload::Otlp { signal, .. } => *signal,
            Payload::Batch(batch) => batch.signal(),
        }
    }

    /// Rows it adds: what was refused is not among them.
    pub fn rows(&self) -> usize {
        match self {
            Payload::Otlp { checked, .. } => checked.rows,
            Payload::Batch(batch) => batch.batch().num_rows(),
        }
    }

    /// Bytes of Arrow memory its rows take in the columns of a commit, at most.
    pub fn arrow_bytes(&self) -> usize {
        match self {
            Payload::Otlp { checked, .. } => checked.arrow_bytes,
            Payload::Batch(batch) => batch.arrow_bytes(),
        }
    }

    /// The OTLP bytes that say exactly what its rows say: of an OTLP request of which no record was refused.
    pub fn whole_bytes(&self) -> Option<&Bytes> {
        match self {
            // With a warning there is more in them than the rows.
            Payload::Otlp { bytes, checked, .. } => {
                (checked.refused.total() == 0 && checked.warning.is_none()).then_some(bytes)
            }
            Payload::Batch(_) => None,
        }
    }
}
