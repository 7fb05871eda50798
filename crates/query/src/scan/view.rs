//! One block while it is searched: its columns are made when somebody asks for them.

use std::cell::OnceCell;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, FixedSizeBinaryArray, ListArray, MapArray,
    PrimitiveArray, StringArray,
};
use otlp_arrow_columns::Signal;
use otlp_arrow_store::{Block, LoadedBlock, ReadError};

use crate::filter::Cursor;
use crate::snapshot::{File, OpenFile};

type Result<T> = std::result::Result<T, ReadError>;

/// One block while it is searched. Columns have the positions of the schema of the signal.
#[derive(Debug)]
pub struct View<'a> {
    open: &'a OpenFile,
    /// Position of the block.
    at: usize,
    block: Block,
    rows: usize,
    /// Read with the first column that is not kept in memory.
    loaded: OnceCell<Box<dyn LoadedBlock + 'a>>,
    columns: Vec<OnceCell<ArrayRef>>,
}

impl<'a> View<'a> {
    pub(crate) fn new(open: &'a OpenFile, at: usize, block: Block) -> Self {
        let columns = open.columns.iter().map(|_| OnceCell::new()).collect();
        Self { open, at, block, rows: open.rows_of(&block), loaded: OnceCell::new(), columns }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.open.file
    }

    /// Whose rows these are.
    pub fn signal(&self) -> Signal {
        self.open.file.signal
    }

    /// How many rows the block has, as far as they belong to the snapshot.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of its first row within the file.
    pub fn first_row(&self) -> u64 {
        self.block.first_row
    }

    /// The place of a row in the order of time.
    pub fn place(&self, row: usize, time: u64) -> Cursor {
        let stem = self.open.file.stem();
        Cursor { time, writer: stem.writer.0, seq: stem.seq, row: self.block.first_row + row as u64 }
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
        let position = |column: &usize| {
            let field = otlp_arrow_columns::schema(self.signal());
            let name = field.field(*column).name().clone();
            self.open.columns[*column].ok_or_else(|| ReadError::damaged(format!("a file without the column {name:?}")))
        };
        let positions = missing.iter().map(position).collect::<Result<Vec<_>>>()?;
        let loaded = match self.loaded.get() {
            Some(loaded) => loaded,
            None => {
                let loaded = self.open.reader.load(self.at)?;
                self.loaded.get_or_init(|| loaded)
            }
        };
        for (column, array) in missing.into_iter().zip(loaded.columns(&positions)?) {
            self.open.known.keep(&self.block, self.signal(), column, &array);
            self.set(column, array);
        }
        Ok(())
    }

    /// Whether a column is there without a read.
    pub(crate) fn has(&self, column: usize) -> bool {
        if self.columns[column].get().is_none()
            && let Some(array) = self.open.known.kept(&self.block, column)
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
