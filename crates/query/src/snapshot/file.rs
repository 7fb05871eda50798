//! One file of a snapshot, and one that is open.

use std::sync::Arc;

use otlp_arrow_columns::Signal;
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::{Block, BlockReader, Listed, Log, ReadError};

use super::cache::{Cache, Known};

/// One data file as it was when the question was asked.
#[derive(Clone, Debug)]
pub struct File {
    /// Whose rows it has.
    pub signal: Signal,
    /// The file, and how much of it is committed.
    pub listed: Listed,
}

impl File {
    /// Its name without the extension, the same in every form.
    pub fn stem(&self) -> &Stem {
        &self.listed.file.stem
    }

    /// Whether its writer may still append to it: no other form than that has an index.
    pub fn grows(&self) -> bool {
        self.listed.file.form.grows()
    }

    /// Opens it by blocks. What is known of it is taken from `cache` and put there.
    pub fn open(self: &Arc<Self>, log: &Log, cache: &Cache) -> Result<OpenFile, ReadError> {
        let known = cache.get(self);
        let reader = log.open_blocks(&self.listed, known.as_ref().map(|known| &known.outline))?;
        let known = match known {
            Some(known) if Arc::ptr_eq(&known.outline, reader.outline()) => known,
            _ => cache.put(self, Arc::clone(reader.outline())),
        };
        let schema = reader.outline().schema();
        let own = otlp_arrow_columns::schema(self.signal);
        let columns = own.fields().iter().map(|field| schema.index_of(field.name()).ok()).collect();
        Ok(OpenFile { file: Arc::clone(self), reader, known, columns })
    }
}

/// A file that is open.
#[derive(Debug)]
pub struct OpenFile {
    /// Which one.
    pub file: Arc<File>,
    pub(crate) reader: Box<dyn BlockReader>,
    pub(crate) known: Arc<Known>,
    /// Where each column of the schema of the signal is in the file.
    pub(crate) columns: Vec<Option<usize>>,
}

impl OpenFile {
    /// Its blocks, as far as they belong to the snapshot.
    pub fn blocks(&self) -> &[Block] {
        let blocks = self.reader.outline().blocks();
        let end = blocks.partition_point(|block| block.first_row < self.file.listed.rows);
        &blocks[..end]
    }

    /// How many rows of a block belong to the snapshot.
    pub fn rows_of(&self, block: &Block) -> usize {
        let rows = block.rows.min(self.file.listed.rows.saturating_sub(block.first_row));
        usize::try_from(rows).unwrap_or(usize::MAX)
    }
}
