//! Blocks of a form that reads by row numbers only.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_empty_array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use otlp_arrow_columns::Signal;

use super::blocks::{BlockReader, LoadedBlock, Outline};
use super::error::{Result, damaged};
use super::form::Form;
use super::options::{Extent, ReadOptions};
use super::scan::Check;
use super::wanted::Wanted;
use super::{ReadError, signal_of};
use crate::disk::storage::ReadFile;

/// Rows of a block.
const ROWS: u64 = 8_192;

#[derive(Debug)]
pub(super) struct RowBlocks {
    form: Form,
    file: Arc<dyn ReadFile>,
    name: String,
    extent: Extent,
    signal: Signal,
    outline: Arc<Outline>,
}

/// A file that several readers have.
#[derive(Debug)]
struct Shared(Arc<dyn ReadFile>);

impl ReadFile for Shared {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}

fn wanted(signal: Signal, columns: Option<Vec<String>>) -> Result<Wanted> {
    Ok(Wanted::new(signal, &ReadOptions { columns, dictionaries: true, ..ReadOptions::default() })?)
}

impl RowBlocks {
    pub(super) fn new(form: Form, file: Arc<dyn ReadFile>, name: &str, extent: Extent) -> Result<Self> {
        let check = if form.grows() { Check::Full } else { Check::Heads };
        let rows = form.committed(&*file, check).map_err(|error| ReadError::read(name, error))?.rows;
        let all = wanted(Signal::Traces, None)?;
        let schema = form.open(Box::new(Shared(Arc::clone(&file))), name, extent, rows, &all)?;
        let schema: SchemaRef = Arc::clone(schema.schema());
        let signal = signal_of(&schema).unwrap_or(Signal::Traces);
        let outline = Arc::new(Outline::of_rows(schema, rows, ROWS));
        Ok(Self { form, file, name: name.to_owned(), extent, signal, outline })
    }
}

impl BlockReader for RowBlocks {
    fn outline(&self) -> &Arc<Outline> {
        &self.outline
    }

    fn load(&self, block: usize) -> Result<Box<dyn LoadedBlock + '_>> {
        let block = self.outline.blocks().get(block).copied();
        let block = block.ok_or_else(|| damaged(format!("{} has no such block", self.name)))?;
        Ok(Box::new(Loaded { reader: self, from: block.first_row, end: block.first_row + block.rows }))
    }
}

#[derive(Debug)]
struct Loaded<'a> {
    reader: &'a RowBlocks,
    from: u64,
    end: u64,
}

impl LoadedBlock for Loaded<'_> {
    fn bytes(&self) -> usize {
        0
    }

    fn columns(&self, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let RowBlocks { form, file, name, extent, signal, outline } = self.reader;
        let names = columns.iter().map(|column| outline.schema().field(*column).name().clone()).collect();
        let (file, wanted) = (Box::new(Shared(Arc::clone(file))), wanted(*signal, Some(names))?);
        let mut rows = form.open(file, name, *extent, self.from, &wanted)?;
        let mut batches: Vec<RecordBatch> = Vec::new();
        while let Some(batch) = rows.next_batch_until(self.end)? {
            batches.push(batch);
        }
        match batches.first() {
            None => {
                Ok(wanted.schema(*signal).fields().iter().map(|field| new_empty_array(field.data_type())).collect())
            }
            Some(first) => {
                let batch = concat_batches(&first.schema(), &batches);
                Ok(batch.map_err(|error| damaged(format!("{name}: {error}")))?.columns().to_vec())
            }
        }
    }
}
