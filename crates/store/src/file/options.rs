//! What a reader asks for, and what it gets.

use std::time::SystemTime;

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;

/// How much of a stream is read. A sealed file is read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The commits in its first bytes, which this process wrote: all must be there, checksums are not looked at.
    Committed(u64),
    /// The longest prefix that holds, checksums included, within so many bytes if given.
    Prefix(Option<u64>),
}

/// Which rows to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// Records at or after this time.
    pub from: Option<SystemTime>,
    /// Records before this time.
    pub to: Option<SystemTime>,
    /// Only these columns, in this order; an unknown name is INVALID_CONFIG.
    pub columns: Option<Vec<String>>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Leaves dictionary columns as they are instead of delivering plain text.
    pub dictionaries: bool,
}

/// A snapshot being read, one batch of at most one file at a time.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;
