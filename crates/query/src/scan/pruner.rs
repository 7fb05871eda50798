//! The seam of the index: which blocks of a file can have a row that matches, known without opening the file.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_store::Log;

use crate::filter::{Nanos, Term};
use crate::snapshot::{Cache, File};

/// Rows of a file that belong together: a block as [`otlp_arrow_store::Block`] numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRange {
    /// Number of the first row within the file.
    pub first_row: u64,
    /// Rows.
    pub rows: u64,
    /// The earliest and the latest time among them, if it is known.
    pub time: Option<(Nanos, Nanos)>,
}

/// What is left of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Rows of the whole file.
    pub rows: u64,
    /// The blocks that may have a row for which every term holds, in the order of their rows.
    pub blocks: Vec<BlockRange>,
}

/// Rules out blocks. It may only rule out what cannot match: every row that is left is tested all the same.
///
/// Files that grow are never asked about: an index of them would be old.
pub trait Pruner: fmt::Debug + Send + Sync {
    /// What is left of `file` under `terms`, as far as that is known without a look at the disk.
    fn remembered(&self, cache: &Cache, file: &File, terms: &[Term]) -> Option<Pruned> {
        let _ = (cache, file, terms);
        None
    }

    /// What is left of `file` under `terms`; `None` where nothing is known of the file, and then it is opened.
    fn prune(&self, log: &Log, cache: &Cache, file: &File, terms: &[Term]) -> Option<Pruned>;

    /// A question has opened a sealed file that nothing was known of: a chance to make an index of it.
    fn opened(&self, log: &Log, cache: &Arc<Cache>, file: &Arc<File>) {
        let _ = (log, cache, file);
    }

    /// Waits until what questions missed until now is made, or until `deadline`; whether that is so.
    fn settle(&self, clock: &Clock, deadline: Instant) -> bool {
        let _ = (clock, deadline);
        true
    }

    /// There will be no more questions: nothing more is made.
    fn close(&self) {}
}

/// Knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPruner;

impl Pruner for NoPruner {
    fn prune(&self, _: &Log, _: &Cache, _: &File, _: &[Term]) -> Option<Pruned> {
        None
    }
}
