//! Blocks of a live file: neighbouring commits, each with dictionaries of its own, put together.

use std::path::Path;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::Schema;

use super::blocks::{BlockReader, LoadedBlock, Outline, Parts};
use super::body::commit;
use super::check::{Check, Commit};
use super::error::{ReadError, Result, damaged};
use super::head::Heads;
use super::merge::{Dictionaries, Merger};
use super::parse;
use super::window::Window;
use crate::disk::storage::ReadFile;

#[derive(Debug)]
pub(super) struct LiveBlocks {
    file: Arc<dyn ReadFile>,
    name: String,
    outline: Arc<Outline>,
}

/// The schema that the first message of the file holds.
pub(super) fn schema(file: &dyn ReadFile, name: &str, end: u64) -> Result<Schema> {
    let mut window = Window::new(file, end, 4 << 10);
    let head = window.head(0).map_err(|error| ReadError::read(name, error))?;
    // A live file of somebody else may not have its first commit yet.
    Ok(head.and_then(|head| parse::schema(head.schema()?)).unwrap_or_else(Schema::empty))
}

impl LiveBlocks {
    pub(super) fn new(file: Arc<dyn ReadFile>, name: String, outline: Arc<Outline>) -> Self {
        Self { file, name, outline }
    }
}

impl BlockReader for LiveBlocks {
    fn outline(&self) -> &Arc<Outline> {
        &self.outline
    }

    fn load(&self, block: usize) -> Result<Box<dyn LoadedBlock + '_>> {
        let Parts::Live { commits, starts, .. } = &self.outline.parts else { return Err(damaged("not a live file")) };
        let first = starts.get(block).ok_or_else(|| damaged(format!("{} has no block {block}", self.name)))?;
        let commits = &commits[*first..starts.get(block + 1).copied().unwrap_or(commits.len())];
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
            return Err(damaged("a block without commits"));
        };
        let len = usize::try_from(last.end - first.offset).map_err(|_| damaged("a block is too large"))?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(first.offset, &mut bytes).map_err(|error| ReadError::read(&self.name, error))?;
        Ok(Box::new(Loaded {
            outline: &self.outline,
            name: Path::new(&self.name),
            commits,
            start: first.offset,
            bytes,
        }))
    }
}

struct Loaded<'a> {
    outline: &'a Outline,
    name: &'a Path,
    commits: &'a [Commit],
    start: u64,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Loaded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("name", &self.name).field("commits", &self.commits).finish_non_exhaustive()
    }
}

impl LoadedBlock for Loaded<'_> {
    fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn columns(&self, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut merger = Merger::new(&self.outline.schema, columns, Dictionaries::PerBatch)?;
        let (mut heads, mut values) = (Heads::default(), Vec::new());
        for at in self.commits {
            let (from, to) = ((at.offset - self.start) as usize, (at.end - self.start) as usize);
            // Their checksums held when the outline was made.
            let body = commit(&self.bytes[from..to], &mut heads, Check::Heads, &mut values)
                .map_err(|error| damaged(format!("{}: {error}", self.name.display())))?;
            merger.push(body, &values)?;
        }
        Ok(merger.finish()?.columns().to_vec())
    }
}
