//! Reads one file of either IPC form as batches of a useful size.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::MessageHeader;
use arrow_schema::{Schema, SchemaRef};

use super::body::{Body, Values};
use super::error::{ReadError, Result, damaged};
use super::form::RowReader;
use super::merge::Merger;
pub use super::options::Extent;
use super::parse;
use super::scan::{Check, Commits, Form, form};
use super::sealed::{Contents, load};
use super::wanted::Wanted;
use super::window::Window;
use crate::disk::storage::ReadFile;

/// Small commits are put together up to so many rows.
const BATCH_ROWS: u64 = 16_384;
/// Small commits are put together up to so many bytes.
const BATCH_BYTES: u64 = 8 << 20;
const CHUNK: usize = 256 << 10;

/// The batches of one file.
#[derive(Debug)]
pub(crate) struct FileBatches {
    file: Box<dyn ReadFile>,
    name: String,
    wanted: Wanted,
    /// Columns that are delivered; those the filter needs follow them.
    delivered: usize,
    time: Vec<usize>,
    schema: SchemaRef,
    merger: Merger,
    from_row: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Stream { end: u64, check: Check, at: u64, row: u64 },
    Sealed { contents: Contents, next: usize, dictionaries: Option<Vec<Values<'static>>> },
    Done,
}

impl FileBatches {
    /// The rows of `file` from `from_row` on. `name` is for errors.
    ///
    /// Of a stream `extent` is delivered, of a sealed file everything, or an error if it is not whole. What is neither has no rows:
    /// a stream that has just been created.
    pub(crate) fn open(
        file: Box<dyn ReadFile>,
        name: impl Into<String>,
        extent: Extent,
        from_row: u64,
        wanted: &Wanted,
    ) -> Result<Self> {
        let name = name.into();
        let failed = |error| ReadError::read(&name, error);
        let (schema, source) = match form(file.as_ref()).map_err(failed)? {
            Form::File => {
                let contents = Contents::read(file.as_ref()).map_err(failed)?;
                let contents = contents.ok_or_else(|| damaged(format!("{name} is not a complete sealed file")))?;
                (Some(contents.schema.clone()), Source::Sealed { contents, next: 0, dictionaries: None })
            }
            Form::Stream => {
                let (end, check) = match extent {
                    Extent::Committed(end) => (end, Check::Heads),
                    Extent::Prefix(end) => {
                        let len = file.len().map_err(failed)?;
                        (end.map_or(len, |end| end.min(len)), Check::Full)
                    }
                };
                let source = Source::Stream { end, check, at: 0, row: 0 };
                let mut window = Window::new(file.as_ref(), end, 4 << 10);
                let head = window.head(0).map_err(failed)?;
                (head.and_then(|head| parse::schema(head.schema()?)), source)
            }
            Form::Unknown => (None, Source::Done),
        };
        // A live file of somebody else may not have its first commit yet.
        let (schema, source) = match schema {
            Some(schema) => (schema, source),
            None => (Schema::empty(), Source::Done),
        };
        let none = matches!(source, Source::Done);
        let position =
            |name: &str| schema.index_of(name).map_err(|_| damaged(format!("a file without the column {name:?}")));
        let mut columns: Vec<usize> = match wanted.columns() {
            _ if none => Vec::new(),
            None => (0..schema.fields().len()).collect(),
            Some(names) => names.iter().map(|name| position(name)).collect::<Result<_>>()?,
        };
        let delivered = columns.len();
        let mut time = Vec::new();
        if wanted.has_time() && !none {
            for name in wanted.time_columns() {
                let column = position(name)?;
                time.push(columns.iter().position(|wanted| *wanted == column).unwrap_or_else(|| {
                    columns.push(column);
                    columns.len() - 1
                }));
            }
        }
        let merger = Merger::new(&schema, &columns, wanted.mode())?;
        let all: Vec<_> = (0..delivered).collect();
        let schema = merger.schema().project(&all).map_err(|error| damaged(error.to_string()))?;
        let schema = Arc::new(schema);
        Ok(Self { file, name, wanted: wanted.clone(), delivered, time, schema, merger, from_row, source })
    }

    // All rows from `from_row` to the end of some commit or message, unfiltered.
    fn next_merged(&mut self) -> Result<Option<RecordBatch>> {
        let first_row = match &mut self.source {
            Source::Done => return Ok(None),
            Source::Stream { end, check, at, row } => {
                let position = Position { end: *end, check: *check, at, row };
                fill_from_stream(self.file.as_ref(), &self.name, position, self.from_row, &mut self.merger)?
            }
            Source::Sealed { contents, next, dictionaries } => {
                let file = self.file.as_ref();
                let values = match dictionaries {
                    Some(values) => values,
                    None => dictionaries.insert(sealed_dictionaries(file, &self.name, contents)?),
                };
                fill_from_sealed(file, &self.name, contents, next, values, self.from_row, &mut self.merger)?
            }
        };
        let Some(first_row) = first_row else {
            // A stream may grow: see `extend`.
            if matches!(self.source, Source::Sealed { .. }) {
                self.source = Source::Done;
            }
            return Ok(None);
        };
        let batch = self.merger.finish()?;
        let skip = self.from_row.saturating_sub(first_row).min(batch.num_rows() as u64) as usize;
        self.from_row = self.from_row.max(first_row + batch.num_rows() as u64);
        Ok(Some(if skip == 0 { batch } else { batch.slice(skip, batch.num_rows() - skip) }))
    }
}

impl RowReader for FileBatches {
    fn next_batch_until(&mut self, end: u64) -> Result<Option<RecordBatch>> {
        loop {
            let before = self.from_row;
            if before >= end {
                return Ok(None);
            }
            let Some(batch) = self.next_merged()? else { return Ok(None) };
            let beyond = self.from_row.saturating_sub(end).min(batch.num_rows() as u64) as usize;
            let batch = batch.slice(0, batch.num_rows() - beyond);
            let batch = self.wanted.filter(batch, &self.time, self.delivered);
            let batch = batch.map_err(|error| damaged(format!("{}: {error}", self.name)))?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    fn next_row(&self) -> u64 {
        self.from_row
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn grow(&mut self, extent: Extent) -> Result<bool> {
        let Source::Stream { end: known, .. } = &mut self.source else { return Ok(false) };
        let end = match extent {
            Extent::Committed(end) | Extent::Prefix(Some(end)) => end,
            Extent::Prefix(None) => self.file.len().map_err(|error| ReadError::read(&self.name, error))?,
        };
        *known = end.max(*known);
        Ok(true)
    }
}

struct Position<'a> {
    end: u64,
    check: Check,
    at: &'a mut u64,
    row: &'a mut u64,
}

// Pushes commits until a batch is full; the number of its first row, or `None` at the end.
fn fill_from_stream(
    file: &dyn ReadFile,
    name: &str,
    position: Position<'_>,
    from_row: u64,
    merger: &mut Merger,
) -> Result<Option<u64>> {
    let mut walk = Commits::resume(file, position.end, position.check, *position.at, *position.row);
    let mut window = Window::new(file, position.end, CHUNK);
    let mut first_row = None;
    while let Some(next) = walk.next_commit().map_err(|error| ReadError::read(name, error))? {
        let full = first_row.is_some()
            && (merger.rows() as u64 + next.rows > BATCH_ROWS
                || merger.bytes() as u64 + (next.end - next.offset) > BATCH_BYTES);
        if full {
            return Ok(first_row);
        }
        if next.first_row + next.rows > from_row {
            let mut values = Vec::new();
            let body = window.commit(&next, Check::Heads, Path::new(name), &mut values)?;
            merger.push(body, &values)?;
            first_row.get_or_insert(next.first_row);
        }
        (*position.at, *position.row) = (next.end, next.first_row + next.rows);
    }
    // Everything this process committed must still be there.
    if position.check == Check::Heads && *position.at != position.end {
        return Err(damaged(format!(
            "{name} holds up to byte {} of {} that were committed",
            position.at, position.end
        )));
    }
    Ok(first_row)
}

fn fill_from_sealed(
    file: &dyn ReadFile,
    name: &str,
    contents: &Contents,
    next: &mut usize,
    values: &[Values<'_>],
    from_row: u64,
    merger: &mut Merger,
) -> Result<Option<u64>> {
    while let Some(place) = contents.batches.get(*next) {
        *next += 1;
        if place.first_row + place.rows <= from_row {
            continue;
        }
        let mut bytes = Vec::new();
        let head = load(file, place, &mut bytes).map_err(|error| ReadError::read(name, error))?;
        let (head, body) = head.ok_or_else(|| damaged(format!("{name} is damaged at byte {}", place.offset)))?;
        if head.kind != MessageHeader::RecordBatch {
            return Err(damaged(format!("{name} has no record batch at byte {}", place.offset)));
        }
        merger.push(Body::new(&head, body)?, values)?;
        return Ok(Some(place.first_row));
    }
    Ok(None)
}

fn sealed_dictionaries(file: &dyn ReadFile, name: &str, contents: &Contents) -> Result<Vec<Values<'static>>> {
    let mut dictionaries = Vec::new();
    for place in &contents.dictionaries {
        let mut bytes = Vec::new();
        let head = load(file, place, &mut bytes).map_err(|error| ReadError::read(name, error))?;
        let (head, body) = head.ok_or_else(|| damaged(format!("{name} is damaged at byte {}", place.offset)))?;
        let (id, values) = Values::read(&head, body)?;
        if usize::try_from(id) != Ok(dictionaries.len()) {
            return Err(damaged(format!("{name}: dictionary {id} is not in order")));
        }
        dictionaries.push(values.into_owned());
    }
    Ok(dictionaries)
}

#[cfg(test)]
mod tests;
