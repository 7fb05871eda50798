//! The rows of one signal, as the writer of envelopes asks for them.

use arrow_array::RecordBatch;

use super::column::{Cell, Flaw};
use super::error::EncodeError;
use super::out::Out;

/// The columns of one signal in one batch.
pub(crate) trait Records<'a>: Sized {
    /// Finds them.
    fn of(batch: &'a RecordBatch) -> Result<Self, EncodeError>;
    /// About how many bytes all rows take.
    fn estimate(&self) -> usize;
    /// Writes the rows of one scope into its `ScopeSpans`, `ScopeMetrics` or `ScopeLogs`.
    fn write_scope(out: &mut Out, batches: &[Self], runs: &[Run]) -> Result<(), EncodeError>;
}

/// Rows `start..end` of the batch at this position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) batch: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Run {
    pub(crate) fn corrupt(&self, row: usize, flaw: Flaw) -> EncodeError {
        EncodeError::Corrupt { batch: self.batch, row, column: flaw.column, message: flaw.message }
    }
}

/// Writes rows that each are one message.
pub(crate) fn each_row<R>(
    out: &mut Out,
    batches: &[R],
    runs: &[Run],
    write: impl Fn(&R, &mut Out, usize) -> Cell<()>,
) -> Result<(), EncodeError> {
    for run in runs {
        let Some(records) = batches.get(run.batch) else { continue };
        for row in run.start..run.end {
            write(records, out, row).map_err(|flaw| run.corrupt(row, flaw))?;
        }
    }
    Ok(())
}
