//! What may change or drop records between the check and the commit.

use std::fmt;

use arrow_array::RecordBatch;

use crate::Signal;
use crate::error::Result;

/// One step between the check of a request and its commit: it sees the rows of each request, and may change or drop some.
///
/// Stages are given when a library is opened ([`Builder::stage`](crate::Builder::stage)), run in that order on the thread
/// that hands the request over, and see OTLP requests and appended batches alike. A request that no stage changes is kept,
/// and forwarded, exactly as it came; of others the rows are checked again, so that no stage can write what readers would
/// choke on.
///
/// Rows that a stage drops are not lost: the sender is told that they were accepted, and
/// `otlp_arrow_filtered_records_total` counts them by stage.
pub trait Stage: Send + Sync + 'static {
    /// What it is called in counters and errors: a few words in lower case, joined by `_`.
    fn name(&self) -> &str;

    /// Looks at the rows of one request, in the columns of docs/schema.md.
    ///
    /// The sender waits for it, so it must neither wait nor read or write files. It may give rows with the columns in any
    /// type that [`OtlpLibrary::append`](crate::OtlpLibrary::append) takes, and never more rows than there were.
    ///
    /// # Errors
    /// The request is answered with the error, and nothing of it is kept.
    fn apply(&self, signal: Signal, batch: &RecordBatch) -> Result<Staged>;
}

/// What a [`Stage`] made of a batch.
#[derive(Clone, Debug)]
pub enum Staged {
    /// Nothing: every row stays as it is.
    Unchanged,
    /// These rows, which may be none.
    Changed(RecordBatch),
}

impl fmt::Debug for dyn Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stage").field(&self.name()).finish()
    }
}
