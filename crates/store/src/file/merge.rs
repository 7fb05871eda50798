//! Puts the columns of many small messages behind each other, from their bytes, without an array for each.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::bit_chunk_iterator::UnalignedBitChunk;
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBuffer, ToByteSlice};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::body::{Body, Values};
use super::error::{Result, damaged};
use super::layout::{Shape, shapes};
use super::message::MessageWriter;
use super::unified::{Unified, position};

/// What becomes of dictionary columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dictionaries {
    /// They are delivered as plain Utf8.
    Plain,
    /// They stay, with a dictionary for each batch.
    PerBatch,
    /// They stay, and all batches share the dictionaries the merger was made with: for [`Merger::write`].
    Shared,
}

/// One column that grows.
#[derive(Debug)]
struct Column {
    rows: usize,
    /// Made with the first null.
    validity: Option<BooleanBufferBuilder>,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Fixed(usize, Vec<u8>),
    Bits(BooleanBufferBuilder),
    Bytes(Vec<i32>, Vec<u8>),
    /// Numbers in the dictionary of this position.
    Numbers(usize, Vec<i32>),
    /// The values of the dictionary of this position in full.
    Plain(usize, Vec<i32>, Vec<u8>),
    List(Vec<i32>, Box<Column>),
    Struct(Vec<Column>),
}

/// The dictionaries of one message while its rows are appended.
struct Lookup<'a> {
    values: &'a [Values<'a>],
    numbers: &'a [Vec<i32>],
}

impl Column {
    fn new(shape: &Shape, dictionary: usize, plain: bool) -> Self {
        let parts = match shape {
            Shape::Fixed(width) => Parts::Fixed(*width, Vec::new()),
            Shape::Bits => Parts::Bits(BooleanBufferBuilder::new(0)),
            Shape::Bytes => Parts::Bytes(vec![0], Vec::new()),
            Shape::Dictionary if plain => Parts::Plain(dictionary, vec![0], Vec::new()),
            Shape::Dictionary => Parts::Numbers(dictionary, Vec::new()),
            Shape::List(child) => Parts::List(vec![0], Box::new(Column::new(child, dictionary, plain))),
            Shape::Struct(children) => {
                Parts::Struct(children.iter().map(|child| Column::new(child, dictionary, plain)).collect())
            }
        };
        Self { rows: 0, validity: None, parts }
    }

    /// An empty column like this one, with capacity for as much: batches of one file are alike.
    fn again(&self) -> Self {
        fn empty<T>(like: &[T]) -> Vec<T> {
            Vec::with_capacity(like.len())
        }
        fn offsets(like: &[i32]) -> Vec<i32> {
            let mut offsets = empty(like);
            offsets.push(0);
            offsets
        }
        let parts = match &self.parts {
            Parts::Fixed(width, bytes) => Parts::Fixed(*width, empty(bytes)),
            Parts::Bits(bits) => Parts::Bits(BooleanBufferBuilder::new(bits.len())),
            Parts::Bytes(from, bytes) => Parts::Bytes(offsets(from), empty(bytes)),
            Parts::Numbers(dictionary, numbers) => Parts::Numbers(*dictionary, empty(numbers)),
            Parts::Plain(dictionary, from, bytes) => Parts::Plain(*dictionary, offsets(from), empty(bytes)),
            Parts::List(from, child) => Parts::List(offsets(from), Box::new(child.again())),
            Parts::Struct(children) => Parts::Struct(children.iter().map(Column::again).collect()),
        };
        Self { rows: 0, validity: None, parts }
    }

    fn push(&mut self, body: &mut Body<'_>, lookup: &Lookup<'_>) -> Result<usize> {
        let (len, nulls) = body.node()?;
        let valid = body.buffer()?;
        let valid = (nulls > 0).then_some(valid.as_ref());
        if valid.is_some_and(|bits| bits.len() < len.div_ceil(8)) {
            return Err(damaged("a validity buffer is too short"));
        }
        match (valid, &mut self.validity) {
            (Some(bits), validity) => {
                let rows = self.rows;
                let validity = validity.get_or_insert_with(|| {
                    let mut validity = BooleanBufferBuilder::new(rows + len);
                    validity.append_n(rows, true);
                    validity
                });
                validity.append_packed_range(0..len, bits);
            }
            (None, Some(validity)) => validity.append_n(len, true),
            (None, None) => {}
        }
        let is_null = |row: usize| valid.is_some_and(|bits| bits[row / 8] & (1 << (row % 8)) == 0);
        match &mut self.parts {
            Parts::Fixed(width, bytes) => {
                let buffer = body.buffer()?;
                bytes.extend_from_slice(taken(&buffer, len.saturating_mul(*width))?);
            }
            Parts::Bits(bits) => {
                let buffer = body.buffer()?;
                bits.append_packed_range(0..len, taken(&buffer, len.div_ceil(8))?);
            }
            Parts::Bytes(offsets, bytes) => {
                let (from, buffer) = (body.buffer()?, body.buffer()?);
                let end = push_offsets(offsets, &from, len, bytes.len())?;
                bytes.extend_from_slice(taken(&buffer, end)?);
            }
            Parts::Numbers(dictionary, numbers) => {
                let buffer = body.buffer()?;
                let known = lookup.numbers.get(*dictionary).ok_or_else(|| damaged("a dictionary is missing"))?;
                for (row, index) in integers(taken(&buffer, len * 4)?).enumerate() {
                    numbers.push(match usize::try_from(index).ok().and_then(|index| known.get(index)) {
                        Some(number) => *number,
                        None if is_null(row) => 0,
                        None => return Err(damaged(format!("{index} is not a dictionary index"))),
                    });
                }
            }
            Parts::Plain(dictionary, offsets, bytes) => {
                let buffer = body.buffer()?;
                let values = lookup.values.get(*dictionary).ok_or_else(|| damaged("a dictionary is missing"))?;
                for (row, index) in integers(taken(&buffer, len * 4)?).enumerate() {
                    if !is_null(row) {
                        let value = usize::try_from(index).ok().and_then(|index| values.get(index));
                        let value = value.ok_or_else(|| damaged(format!("{index} is not a dictionary index")))?;
                        bytes.extend_from_slice(value);
                    }
                    offsets.push(position(bytes.len())?);
                }
            }
            Parts::List(offsets, child) => {
                let buffer = body.buffer()?;
                let end = push_offsets(offsets, &buffer, len, child.rows)?;
                if child.push(body, lookup)? < end {
                    return Err(damaged("a list reaches beyond its values"));
                }
            }
            Parts::Struct(children) => {
                for child in children {
                    if child.push(body, lookup)? != len {
                        return Err(damaged("the fields of a struct differ in length"));
                    }
                }
            }
        }
        self.rows += len;
        Ok(len)
    }

    /// Writes the column and what is below it, and leaves it empty with the memory it has.
    fn write(&mut self, message: &mut MessageWriter<'_>) -> Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let validity = self.validity.take();
        let valid =
            validity.as_ref().map_or(rows, |bits| UnalignedBitChunk::new(bits.as_slice(), 0, rows).count_ones());
        message.node(rows, rows - valid);
        message.bytes(validity.as_ref().filter(|_| valid < rows).map_or(&[], |bits| bits.as_slice()))?;
        let again = |offsets: &mut Vec<i32>| offsets.truncate(1);
        match &mut self.parts {
            Parts::Fixed(_, bytes) => {
                message.bytes(bytes)?;
                bytes.clear();
            }
            Parts::Bits(bits) => {
                message.bytes(bits.as_slice())?;
                bits.truncate(0);
            }
            Parts::Bytes(offsets, bytes) | Parts::Plain(_, offsets, bytes) => {
                message.bytes(offsets.to_byte_slice())?;
                message.bytes(bytes)?;
                again(offsets);
                bytes.clear();
            }
            Parts::Numbers(_, numbers) => {
                message.bytes(numbers.to_byte_slice())?;
                numbers.clear();
            }
            Parts::List(offsets, child) => {
                message.bytes(offsets.to_byte_slice())?;
                again(offsets);
                child.write(message)?;
            }
            Parts::Struct(columns) => columns.iter_mut().try_for_each(|column| column.write(message))?,
        }
        Ok(())
    }

    fn finish(self, data_type: &DataType, dictionaries: &[ArrayData]) -> Result<ArrayData> {
        let nulls = self.validity.map(|mut validity| NullBuffer::new(validity.finish()));
        let mut data = ArrayData::builder(data_type.clone()).len(self.rows).nulls(nulls);
        let fields = children(data_type);
        data = match self.parts {
            Parts::Fixed(_, bytes) => data.add_buffer(Buffer::from_vec(bytes)),
            Parts::Bits(mut bits) => data.add_buffer(bits.finish().into_inner()),
            Parts::Bytes(offsets, bytes) | Parts::Plain(_, offsets, bytes) => {
                data.add_buffer(Buffer::from_vec(offsets)).add_buffer(Buffer::from_vec(bytes))
            }
            Parts::Numbers(dictionary, numbers) => {
                let values = dictionaries.get(dictionary).ok_or_else(|| damaged("a dictionary is missing"))?;
                data.add_buffer(Buffer::from_vec(numbers)).add_child_data(values.clone())
            }
            Parts::List(offsets, child) => {
                let field = fields.first().ok_or_else(|| damaged("a list without a type"))?;
                let child = child.finish(field.data_type(), dictionaries)?;
                data.add_buffer(Buffer::from_vec(offsets)).add_child_data(child)
            }
            Parts::Struct(columns) => {
                for (column, field) in columns.into_iter().zip(fields) {
                    data = data.add_child_data(column.finish(field.data_type(), dictionaries)?);
                }
                data
            }
        };
        // Bytes may lie anywhere in memory; arrays of wider values may not.
        data.align_buffers(true).build().map_err(|error| damaged(format!("a column is not valid: {error}")))
    }
}

fn children(data_type: &DataType) -> &[Arc<Field>] {
    match data_type {
        DataType::List(child) | DataType::Map(child, _) => std::slice::from_ref(child),
        DataType::Struct(fields) => fields,
        _ => &[],
    }
}

fn taken(buffer: &[u8], len: usize) -> Result<&[u8]> {
    buffer.get(..len).ok_or_else(|| damaged("a buffer is too short for its rows"))
}

fn integers(bytes: &[u8]) -> impl Iterator<Item = i32> {
    bytes.chunks_exact(4).map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

// Returns where the last of `len` values ends within its own message.
fn push_offsets(offsets: &mut Vec<i32>, buffer: &[u8], len: usize, base: usize) -> Result<usize> {
    if len == 0 {
        return Ok(0);
    }
    let mut last = 0;
    for (at, offset) in integers(taken(buffer, (len + 1) * 4)?).enumerate() {
        if offset < last {
            return Err(damaged("offsets do not grow"));
        }
        if at == 0 {
            if offset != 0 {
                return Err(damaged("offsets do not start at 0"));
            }
            continue;
        }
        last = offset;
        offsets.push(position(base + offset as usize)?);
    }
    Ok(last as usize)
}

/// Merges record batch messages of one file into larger batches.
#[derive(Debug)]
pub(crate) struct Merger {
    schema: SchemaRef,
    shapes: Vec<Shape>,
    /// For each column of the file where it goes, if anywhere.
    slots: Vec<Option<usize>>,
    dictionaries: Dictionaries,
    /// Which dictionaries some column that is delivered has.
    used: Vec<bool>,
    unified: Vec<Unified>,
    numbers: Vec<Vec<i32>>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

impl Merger {
    /// A merger for messages of `file` that delivers its columns at these positions, in this order.
    pub(crate) fn new(file: &Schema, wanted: &[usize], dictionaries: Dictionaries) -> Result<Self> {
        let fields: Vec<_> = wanted.iter().map(|column| delivered(file.field(*column), dictionaries)).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, file.metadata().clone()));
        let shapes = shapes(file)?;
        let slots = (0..shapes.len()).map(|column| wanted.iter().position(|wanted| *wanted == column)).collect();
        let dictionary_columns = shapes.iter().enumerate().filter(|(_, shape)| **shape == Shape::Dictionary);
        let used: Vec<bool> = dictionary_columns.map(|(column, _)| wanted.contains(&column)).collect();
        let count = used.len();
        let mut merger = Self {
            schema,
            shapes,
            slots,
            dictionaries,
            used,
            unified: vec![Unified::default(); count],
            numbers: vec![Vec::new(); count],
            columns: Vec::new(),
            rows: 0,
            bytes: 0,
        };
        merger.reset();
        Ok(merger)
    }

    /// A merger of all columns whose dictionaries are these, and stay these.
    pub(crate) fn shared(file: &Schema, unified: Vec<Unified>) -> Result<Self> {
        let wanted: Vec<_> = (0..file.fields().len()).collect();
        let mut merger = Self::new(file, &wanted, Dictionaries::Shared)?;
        merger.unified = unified;
        Ok(merger)
    }

    /// The schema of what is delivered.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows that wait.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of the messages they came from.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn reset(&mut self) {
        let plain = self.dictionaries == Dictionaries::Plain;
        let mut columns: Vec<Option<Column>> = self.schema.fields().iter().map(|_| None).collect();
        let mut dictionary = 0;
        for (shape, slot) in self.shapes.iter().zip(&self.slots) {
            if let Some(slot) = slot {
                columns[*slot] = Some(Column::new(shape, dictionary, plain));
            }
            dictionary += usize::from(*shape == Shape::Dictionary);
        }
        self.columns = columns.into_iter().flatten().collect();
        (self.rows, self.bytes) = (0, 0);
    }

    /// Appends the rows of one message. After an error the merger must not be used again.
    pub(crate) fn push(&mut self, mut body: Body<'_>, values: &[Values<'_>]) -> Result<()> {
        if self.dictionaries != Dictionaries::Plain {
            let all = self.unified.iter_mut().zip(values).zip(&mut self.numbers).zip(&self.used);
            for ((unified, values), numbers) in all.filter(|(_, used)| **used).map(|(all, _)| all) {
                let known = unified.len();
                unified.number_all(values, numbers)?;
                if self.dictionaries == Dictionaries::Shared && unified.len() > known {
                    return Err(damaged("a dictionary has changed while it was read"));
                }
            }
        }
        let (rows, lookup) = (body.rows, Lookup { values, numbers: &self.numbers });
        for (shape, slot) in self.shapes.iter().zip(&self.slots) {
            match slot.and_then(|slot| self.columns.get_mut(slot)) {
                None => body.skip(shape)?,
                Some(column) => {
                    if column.push(&mut body, &lookup)? != rows {
                        return Err(damaged("the columns of a record batch differ in length"));
                    }
                }
            }
        }
        self.rows += rows;
        self.bytes += body.len();
        Ok(())
    }

    /// The dictionaries, in the order of their ids.
    pub(crate) fn dictionaries(&self) -> &[Unified] {
        &self.unified
    }

    /// Writes all rows appended; the merger is empty again and keeps its memory, for batches of one file are alike.
    pub(crate) fn write(&mut self, message: &mut MessageWriter<'_>) -> Result<()> {
        (self.rows, self.bytes) = (0, 0);
        self.columns.iter_mut().try_for_each(|column| column.write(message))
    }

    /// The batch of all rows appended; the merger is empty again.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let dictionaries: Vec<_> = match self.dictionaries {
            Dictionaries::Plain => Vec::new(),
            _ => self.unified.iter().map(Unified::data).collect::<Result<_>>()?,
        };
        // Room is memory only once something is written to it: by then the batch of these columns is gone.
        let next = self.columns.iter().map(Column::again).collect();
        let (rows, columns) = (self.rows, std::mem::replace(&mut self.columns, next));
        let mut arrays = Vec::with_capacity(columns.len());
        for (column, field) in columns.into_iter().zip(self.schema.fields()) {
            arrays.push(make_array(column.finish(field.data_type(), &dictionaries)?));
        }
        if self.dictionaries == Dictionaries::PerBatch {
            self.unified.iter_mut().for_each(Unified::clear);
        }
        (self.rows, self.bytes) = (0, 0);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|error| damaged(format!("a batch is not valid: {error}")))
    }
}

/// `field` as it is delivered.
pub(crate) fn delivered(field: &Field, dictionaries: Dictionaries) -> Field {
    match field.data_type() {
        DataType::Dictionary(_, _) if dictionaries == Dictionaries::Plain => {
            field.clone().with_data_type(DataType::Utf8)
        }
        _ => field.clone(),
    }
}
