//! One block while it is searched: its columns are made when somebody asks for them.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, FixedSizeBinaryArray, ListArray, MapArray,
    PrimitiveArray, RecordBatch, StringArray,
};
use arrow_buffer::OffsetBuffer;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::{Block, LoadedBlock, ReadError};

use crate::filter::Cursor;
use crate::snapshot::{File, OpenFile};

type Result<T> = std::result::Result<T, ReadError>;

/// One block while it is searched. Columns have the positions of the schema of the signal.
#[derive(Debug)]
pub struct View<'a> {
    signal: Signal,
    /// None of rows that are in memory, all columns of them.
    from: Option<Of<'a>>,
    rows: usize,
    columns: Vec<OnceCell<ArrayRef>>,
}

/// A block of a file.
#[derive(Debug)]
struct Of<'a> {
    open: &'a OpenFile,
    /// Position of the block.
    at: usize,
    block: Block,
    /// Read with the first column that is not kept in memory.
    loaded: OnceCell<Box<dyn LoadedBlock + 'a>>,
}

impl<'a> Of<'a> {
    /// Where a column is in the file.
    fn position(&self, column: usize) -> Result<usize> {
        self.open.columns[column].ok_or_else(|| {
            let schema = otlp_arrow_columns::schema(self.open.file.signal);
            ReadError::damaged(format!("a file without the column {:?}", schema.field(column).name()))
        })
    }

    fn loaded(&self) -> Result<&(dyn LoadedBlock + 'a)> {
        match self.loaded.get() {
            Some(loaded) => Ok(&**loaded),
            None => {
                let loaded = self.open.reader.load(self.at)?;
                Ok(&**self.loaded.get_or_init(|| loaded))
            }
        }
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(open: &'a OpenFile, at: usize, block: Block) -> Self {
        let columns = open.columns.iter().map(|_| OnceCell::new()).collect();
        let from = Some(Of { open, at, block, loaded: OnceCell::new() });
        Self { signal: open.file.signal, from, rows: open.rows_of(&block), columns }
    }

    /// Of rows that are in memory, in the columns of the schema, or in some of them by their names.
    pub(crate) fn of_batch(signal: Signal, batch: &RecordBatch) -> Self {
        let schema = otlp_arrow_columns::schema(signal);
        let columns = match batch.num_columns() == schema.fields().len() {
            true => batch.columns().iter().map(|column| OnceCell::from(Arc::clone(column))).collect(),
            false => {
                let column = |name: &String| batch.column_by_name(name).map(Arc::clone);
                schema
                    .fields()
                    .iter()
                    .map(|field| column(field.name()).map_or_else(OnceCell::new, OnceCell::from))
                    .collect()
            }
        };
        Self { signal, from: None, rows: batch.num_rows(), columns }
    }

    /// The file, where the rows are of one.
    pub fn file(&self) -> Option<&File> {
        self.from.as_ref().map(|from| &*from.open.file)
    }

    /// When its file was begun, in milliseconds since 1970, and which of its writer's it is: what is in a later one was written
    /// later.
    pub(crate) fn written(&self) -> (u64, u32) {
        self.file().map_or((0, 0), |file| (file.stem().created_ms, file.stem().seq))
    }

    /// Whose rows these are.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// How many rows the block has, as far as they belong to the snapshot.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of its first row within the file.
    pub fn first_row(&self) -> u64 {
        self.from.as_ref().map_or(0, |from| from.block.first_row)
    }

    /// The place of a row in the order of time.
    pub fn place(&self, row: usize, time: u64) -> Cursor {
        let (writer, seq) = self.file().map_or((0, 0), |file| (file.stem().writer.0, file.stem().seq));
        Cursor { time, writer, seq, row: self.first_row() + row as u64 }
    }

    /// Makes those of these columns that are not made yet, all at once.
    pub fn need(&self, columns: &[usize]) -> Result<()> {
        let mut missing: Vec<usize> = Vec::with_capacity(columns.len());
        for column in columns {
            if !self.has(*column) && !missing.contains(column) {
                missing.push(*column);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let Some(from) = &self.from else { return Err(ReadError::damaged("rows without a column")) };
        let positions = missing.iter().map(|column| from.position(*column)).collect::<Result<Vec<_>>>()?;
        for (column, array) in missing.into_iter().zip(from.loaded()?.columns(&positions)?) {
            from.open.known.keep(&from.block, self.signal, column, &array);
            self.set(column, array);
        }
        Ok(())
    }

    /// The keys of a column of attributes, without their values: where those of each row begin, and all of them. Of all rows of
    /// the block.
    pub(crate) fn map_keys(&self, column: usize) -> Result<(OffsetBuffer<i32>, StringArray)> {
        let from = self.from.as_ref().ok_or_else(|| ReadError::damaged("rows that are not of a file"))?;
        from.loaded()?.map_keys(from.position(column)?)
    }

    /// Whether a column is there without a read.
    pub(crate) fn has(&self, column: usize) -> bool {
        if self.columns[column].get().is_none()
            && let Some(from) = &self.from
            && let Some(array) = from.open.known.kept(&from.block, column)
        {
            self.set(column, array);
        }
        self.columns[column].get().is_some()
    }

    fn set(&self, column: usize, array: ArrayRef) {
        // Rows that came after the snapshot are nobody's here.
        let array = if array.len() > self.rows { array.slice(0, self.rows) } else { array };
        let _ = self.columns[column].set(array);
    }

    /// One column.
    pub fn column(&self, column: usize) -> Result<&ArrayRef> {
        self.need(&[column])?;
        self.columns[column].get().ok_or_else(|| ReadError::damaged("a column was not made"))
    }

    fn typed<'v, T: ?Sized>(
        &'v self,
        column: usize,
        cast: impl FnOnce(&'v ArrayRef) -> Option<&'v T>,
    ) -> Result<&'v T> {
        cast(self.column(column)?).ok_or_else(|| {
            let schema = otlp_arrow_columns::schema(self.signal());
            ReadError::damaged(format!("the column {:?} has another type than ours", schema.field(column).name()))
        })
    }

    /// A column of plain text.
    pub fn text(&self, column: usize) -> Result<&StringArray> {
        self.typed(column, |array| array.as_string_opt())
    }

    /// A column of text with a dictionary: its keys and its values.
    pub fn dictionary(&self, column: usize) -> Result<(&DictionaryArray<Int32Type>, &StringArray)> {
        let array = self.typed(column, |array| array.as_dictionary_opt::<Int32Type>())?;
        let values =
            array.values().as_string_opt().ok_or_else(|| ReadError::damaged("a dictionary of what is not text"))?;
        Ok((array, values))
    }

    /// A column of times.
    pub fn times(&self, column: usize) -> Result<&PrimitiveArray<TimestampNanosecondType>> {
        self.typed(column, |array| array.as_primitive_opt())
    }

    /// A column of numbers of 64 bits.
    pub fn i64s(&self, column: usize) -> Result<&PrimitiveArray<Int64Type>> {
        self.typed(column, |array| array.as_primitive_opt())
    }

    /// A column of numbers of 32 bits.
    pub fn i32s(&self, column: usize) -> Result<&PrimitiveArray<Int32Type>> {
        self.typed(column, |array| array.as_primitive_opt())
    }

    /// A column of numbers of any type.
    pub(crate) fn primitive<T: ArrowPrimitiveType>(&self, column: usize) -> Result<&PrimitiveArray<T>> {
        self.typed(column, |array| array.as_primitive_opt())
    }

    /// A column of truths.
    pub(crate) fn boolean(&self, column: usize) -> Result<&BooleanArray> {
        self.typed(column, |array| array.as_boolean_opt())
    }

    /// A column of ids.
    pub fn ids(&self, column: usize) -> Result<&FixedSizeBinaryArray> {
        self.typed(column, |array| array.as_fixed_size_binary_opt())
    }

    /// A column of attributes.
    pub fn map(&self, column: usize) -> Result<&MapArray> {
        self.typed(column, |array| array.as_map_opt())
    }

    /// A column of lists.
    pub fn list(&self, column: usize) -> Result<&ListArray> {
        self.typed(column, |array| array.as_list_opt())
    }
}
