//! Opens a file of either IPC form by blocks, and finds out where they are.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::blocks::{Block, BlockReader, LoadedBlock, Outline, Parts};
use super::check::{Check, Commit};
use super::error::{ReadError, Result, damaged};
use super::live_blocks::LiveBlocks;
use super::options::Extent;
use super::scan::{self, Commits};
use super::sealed::{Contents, Place};
use super::sealed_blocks::SealedBlocks;
use crate::disk::storage::ReadFile;

/// Commits of a live file are read together up to so many rows.
const LIVE_ROWS: u64 = 8_192;
/// Commits of a live file are read together up to so many bytes.
const LIVE_BYTES: u64 = 4 << 20;

/// The blocks of `file`, of either IPC form. `known` is an outline of the same file.
pub(super) fn open(
    file: Arc<dyn ReadFile>,
    name: &str,
    extent: Extent,
    known: Option<&Arc<Outline>>,
) -> Result<Box<dyn BlockReader>> {
    let failed = |error| ReadError::read(name, error);
    match scan::form(&*file).map_err(failed)? {
        scan::Form::File => {
            let known = known.filter(|outline| matches!(outline.parts, Parts::Sealed { .. }));
            let outline = match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(sealed(&*file, name)?),
            };
            Ok(Box::new(SealedBlocks::new(file, name.to_owned(), outline)?))
        }
        scan::Form::Stream => {
            let (end, check) = match extent {
                Extent::Committed(end) => (end, Check::Heads),
                Extent::Prefix(end) => {
                    let len = file.len().map_err(failed)?;
                    (end.map_or(len, |end| end.min(len)), Check::Full)
                }
            };
            let outline = live(&*file, name, end, check, known)?;
            Ok(Box::new(LiveBlocks::new(file, name.to_owned(), outline)))
        }
        // A stream that has just been created.
        scan::Form::Unknown => {
            let outline = Outline::of_rows(Arc::new(arrow_schema::Schema::empty()), 0, 1);
            Ok(Box::new(NoBlocks(Arc::new(outline))))
        }
    }
}

fn sealed(file: &dyn ReadFile, name: &str) -> Result<Outline> {
    let contents = Contents::read(file).map_err(|error| ReadError::read(name, error))?;
    let contents = contents.ok_or_else(|| damaged(format!("{name} is not a complete sealed file")))?;
    let dictionaries = super::sealed_blocks::dictionaries(file, name, &contents)?;
    let block = |place: &Place| Block { first_row: place.first_row, rows: place.rows, bytes: place.len };
    let checked = (0..contents.batches.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
    Ok(Outline {
        schema: Arc::new(contents.schema),
        blocks: contents.batches.iter().map(block).collect(),
        parts: Parts::Sealed { batches: contents.batches, dictionaries, checked },
    })
}

fn live(file: &dyn ReadFile, name: &str, end: u64, check: Check, known: Option<&Arc<Outline>>) -> Result<Arc<Outline>> {
    let known = known.and_then(|outline| match &outline.parts {
        Parts::Live { commits, end: verified, .. } if *verified <= end => Some((outline, commits, *verified)),
        _ => None,
    });
    let (mut commits, at, row) = match known {
        Some((outline, _, verified)) if verified == end => return Ok(Arc::clone(outline)),
        Some((outline, commits, verified)) => (commits.clone(), verified, outline.rows()),
        None => (Vec::new(), 0, 0),
    };
    let mut walk = Commits::resume(file, end, check, at, row);
    while let Some(commit) = walk.next_commit().map_err(|error| ReadError::read(name, error))? {
        commits.push(commit);
    }
    let reached = commits.last().map_or(0, |last| last.end);
    // Everything this process committed must still be there.
    if check == Check::Heads && reached != end {
        return Err(damaged(format!("{name} holds up to byte {reached} of {end} that were committed")));
    }
    // The first message may not have been whole when the outline was made.
    let schema = match known.filter(|(outline, ..)| !outline.schema.fields().is_empty()) {
        Some((outline, ..)) => Arc::clone(&outline.schema),
        None => Arc::new(super::live_blocks::schema(file, name, end)?),
    };
    Ok(Arc::new(grouped(schema, commits, reached)))
}

/// Neighbouring commits as blocks of a useful size.
fn grouped(schema: arrow_schema::SchemaRef, commits: Vec<Commit>, end: u64) -> Outline {
    let (mut blocks, mut starts): (Vec<Block>, Vec<usize>) = (Vec::new(), Vec::new());
    for (at, commit) in commits.iter().enumerate() {
        let bytes = commit.end - commit.offset;
        match blocks.last_mut() {
            Some(block) if block.rows + commit.rows <= LIVE_ROWS && block.bytes + bytes <= LIVE_BYTES => {
                block.rows += commit.rows;
                block.bytes += bytes;
            }
            _ => {
                blocks.push(Block { first_row: commit.first_row, rows: commit.rows, bytes });
                starts.push(at);
            }
        }
    }
    Outline { schema, blocks, parts: Parts::Live { commits, end, starts } }
}

#[derive(Debug)]
struct NoBlocks(Arc<Outline>);

impl BlockReader for NoBlocks {
    fn outline(&self) -> &Arc<Outline> {
        &self.0
    }

    fn load(&self, block: usize) -> Result<Box<dyn LoadedBlock + '_>> {
        Err(damaged(format!("a file without rows has no block {block}")))
    }
}

#[cfg(test)]
mod tests;
