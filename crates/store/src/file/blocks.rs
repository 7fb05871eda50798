//! One file by blocks: any block, any columns, in any order. What questions are answered from.
//!
//! A block is what is read at once: a record batch of a sealed file, neighbouring commits of a live one. Row numbers are
//! those of the file, so a block of a live file is other rows than one of the file it is sealed to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::SchemaRef;

use super::check::Commit;
use super::error::{Result, damaged};
use super::sealed::Place;

/// Rows of a file that are read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Number of its first row within the file.
    pub first_row: u64,
    /// Its rows, at least 1.
    pub rows: u64,
    /// Bytes it takes in the file.
    pub bytes: u64,
}

/// The blocks of one open file.
pub trait BlockReader: fmt::Debug + Send + Sync {
    /// What is known of the file by now: hand it to the next reader of the same file, so that it need not look again.
    fn outline(&self) -> &Arc<Outline>;

    /// Reads the block at this position of [`Outline::blocks`]; its columns are made of it one by one.
    fn load(&self, block: usize) -> Result<Box<dyn LoadedBlock + '_>>;
}

/// A block in memory, whose columns are not made yet.
pub trait LoadedBlock: fmt::Debug {
    /// Bytes of memory it takes, its columns aside.
    fn bytes(&self) -> usize;

    /// The columns at these positions of the file's schema, each named once, in the types of the schema.
    fn columns(&self, columns: &[usize]) -> Result<Vec<ArrayRef>>;

    /// The keys of a column of maps: where those of each row begin, and all of them. The values are not made, where there is a
    /// way.
    fn map_keys(&self, column: usize) -> Result<(OffsetBuffer<i32>, StringArray)> {
        let column = self.columns(&[column])?.pop();
        let map = column.as_ref().and_then(|column| column.as_map_opt());
        let keys = map.and_then(|map| map.keys().as_string_opt::<i32>().cloned());
        let (Some(map), Some(keys)) = (map, keys) else { return Err(damaged("not a column of maps of text")) };
        Ok((map.offsets().clone(), keys))
    }
}

/// What is known of a file without its rows: where its blocks are, and what was read of it for all of them.
#[derive(Debug)]
pub struct Outline {
    pub(super) schema: SchemaRef,
    pub(super) blocks: Vec<Block>,
    pub(super) parts: Parts,
}

/// Where the blocks of either form are.
#[derive(Debug)]
pub(super) enum Parts {
    /// For each block the commits it is made of, and where the last one ends.
    Live { commits: Vec<Commit>, end: u64, starts: Vec<usize> },
    /// The batches, the dictionaries of the whole file as they were read, and which messages were checked.
    Sealed { batches: Vec<Place>, dictionaries: Vec<ArrayRef>, checked: Vec<AtomicU64> },
    /// Something else that a form keeps by row numbers.
    Rows,
}

impl Outline {
    /// An outline for a form that reads by row numbers.
    pub fn of_rows(schema: SchemaRef, rows: u64, each: u64) -> Self {
        let starts = (0..rows).step_by(usize::try_from(each.max(1)).unwrap_or(usize::MAX));
        let block = |first_row| Block { first_row, rows: each.min(rows - first_row), bytes: 0 };
        Self { schema, blocks: starts.map(block).collect(), parts: Parts::Rows }
    }

    /// The schema of the file.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The blocks in the order of their rows, without gaps.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> u64 {
        self.blocks.last().map_or(0, |last| last.first_row + last.rows)
    }

    /// Bytes of memory it takes, about.
    pub fn memory(&self) -> usize {
        let parts = match &self.parts {
            Parts::Live { commits, .. } => size_of_val(commits.as_slice()),
            Parts::Sealed { batches, dictionaries, .. } => {
                size_of_val(batches.as_slice())
                    + dictionaries.iter().map(|values| values.get_array_memory_size()).sum::<usize>()
            }
            Parts::Rows => 0,
        };
        size_of::<Self>() + size_of_val(self.blocks.as_slice()) + parts
    }

    /// The distinct values of each dictionary column of a sealed file, by the position of the column: every value that
    /// some row has is among them. `None` of a file that has other dictionaries in each block.
    pub fn dictionaries(&self) -> Option<impl Iterator<Item = (usize, &ArrayRef)>> {
        let Parts::Sealed { dictionaries, .. } = &self.parts else { return None };
        let columns = self.schema.fields().iter().enumerate();
        let columns = columns.filter(|(_, field)| matches!(field.data_type(), arrow_schema::DataType::Dictionary(..)));
        Some(columns.map(|(column, _)| column).zip(dictionaries))
    }
}

/// Whether the message at `block` was checked before; `mark` remembers that it is.
pub(super) fn checked(bits: &[AtomicU64], block: usize, mark: bool) -> bool {
    let (Some(word), bit) = (bits.get(block / 64), 1 << (block % 64)) else { return false };
    let before = if mark { word.fetch_or(bit, Ordering::Relaxed) } else { word.load(Ordering::Relaxed) };
    before & bit != 0
}
