//! OTLP protobuf bytes to record batches, in two passes.

use arrow_array::RecordBatch;

use crate::{Checked, DecodeError, Limits, Signal};

/// The first pass: walks one export request, refuses records that are invalid, and counts what the columns will need.
pub fn check(signal: Signal, bytes: &[u8], limits: &Limits) -> Result<Checked, DecodeError> {
    let _ = (signal, limits);
    Err(DecodeError::Malformed { offset: bytes.len(), message: "the decoder is not there yet".into() })
}

/// The second pass: appends checked requests to columns. Reused from batch to batch.
#[derive(Debug)]
pub struct BatchBuilder {
    signal: Signal,
}

impl BatchBuilder {
    /// An empty builder; it allocates when the first request comes.
    pub fn new(signal: Signal) -> Self {
        Self { signal }
    }

    /// The signal whose requests it takes.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Appends the rows of one request. `checked` is what [`check`] returned for exactly these bytes.
    pub fn append(&mut self, bytes: &[u8], checked: &Checked) {
        let _ = (bytes, checked);
    }

    /// Rows appended since the last [`BatchBuilder::finish`].
    pub fn rows(&self) -> usize {
        0
    }

    /// The batch of everything appended; the builder is empty again and keeps its buffers and its resource cache.
    pub fn finish(&mut self) -> RecordBatch {
        RecordBatch::new_empty(std::sync::Arc::new(arrow_schema::Schema::empty()))
    }
}
