//! Blocks of a sealed file: its batches, which share the dictionaries of the file.
//!
//! What is read for the first time is read whole and checked. Later only the buffers of the columns that are asked for are
//! read.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, PrimitiveArray, StringArray, make_array};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_ipc::MessageHeader;
use arrow_schema::{DataType, Field};

use super::blocks::{BlockReader, LoadedBlock, Outline, Parts, checked};
use super::body::{Body, Piece, Values};
use super::error::{ReadError, Result, damaged};
use super::head::Head;
use super::layout::{Shape, shapes};
use super::recycled;
use super::sealed::{Contents, Place, load};
use crate::disk::storage::ReadFile;

#[derive(Debug)]
pub(super) struct SealedBlocks {
    file: Arc<dyn ReadFile>,
    name: String,
    outline: Arc<Outline>,
    shapes: Vec<Shape>,
}

/// The dictionaries of the file, as every batch of it uses them.
pub(super) fn dictionaries(file: &dyn ReadFile, name: &str, contents: &Contents) -> Result<Vec<ArrayRef>> {
    let mut arrays = Vec::with_capacity(contents.dictionaries.len());
    for place in &contents.dictionaries {
        let mut bytes = Vec::new();
        let head = load(file, place, &mut bytes).map_err(|error| ReadError::read(name, error))?;
        let (head, body) = head.ok_or_else(|| damaged(format!("{name} is damaged at byte {}", place.offset)))?;
        let (id, values) = Values::read(&head, body)?;
        if usize::try_from(id) != Ok(arrays.len()) {
            return Err(damaged(format!("{name}: dictionary {id} is not in order")));
        }
        arrays.push(text(values)?);
    }
    Ok(arrays)
}

fn text(values: Values<'_>) -> Result<ArrayRef> {
    let (offsets, bytes, len) = values.into_parts();
    let offsets = if len == 0 { Buffer::from_vec(vec![0i32]) } else { aligned(offsets, 4 * (len + 1))? };
    let offsets = ScalarBuffer::<i32>::new(offsets, 0, len + 1);
    if offsets.windows(2).any(|pair| pair[0] > pair[1]) || offsets.first() != Some(&0) {
        return Err(damaged("the offsets of a dictionary do not grow from 0"));
    }
    let values = StringArray::try_new(OffsetBuffer::new(offsets), Buffer::from_vec(bytes), None);
    Ok(Arc::new(values.map_err(|error| damaged(format!("a dictionary holds what is not text: {error}")))?))
}

/// The first `len` of `bytes` where wider values may lie.
fn aligned(bytes: Vec<u8>, len: usize) -> Result<Buffer> {
    if bytes.len() < len {
        return Err(damaged("a buffer is too short for its rows"));
    }
    let fits = bytes.as_ptr().align_offset(16) == 0;
    let buffer = if fits { recycled::buffer(bytes) } else { Buffer::from_slice_ref(&bytes) };
    Ok(buffer.slice_with_length(0, len))
}

impl SealedBlocks {
    pub(super) fn new(file: Arc<dyn ReadFile>, name: String, outline: Arc<Outline>) -> Result<Self> {
        let shapes = shapes(&outline.schema)?;
        Ok(Self { file, name, outline, shapes })
    }
}

impl BlockReader for SealedBlocks {
    fn outline(&self) -> &Arc<Outline> {
        &self.outline
    }

    fn load(&self, block: usize) -> Result<Box<dyn LoadedBlock + '_>> {
        let Parts::Sealed { batches, checked: bits, .. } = &self.outline.parts else {
            return Err(damaged("not a sealed file"));
        };
        let place = batches.get(block).ok_or_else(|| damaged(format!("{} has no block {block}", self.name)))?;
        let loaded = Loaded { reader: self, place, bytes: OnceLock::new() };
        if !checked(bits, block, false) {
            let bytes = self.whole(place)?;
            checked(bits, block, true);
            let _ = loaded.bytes.set(bytes);
        }
        Ok(Box::new(loaded))
    }
}

impl SealedBlocks {
    /// The message at `place`, checked.
    fn whole(&self, place: &Place) -> Result<Vec<u8>> {
        let mut bytes = recycled::take(usize::try_from(place.len).unwrap_or_default());
        let head = load(&*self.file, place, &mut bytes).map_err(|error| ReadError::read(&self.name, error))?;
        match head {
            Some((head, _)) if head.kind == MessageHeader::RecordBatch => Ok(bytes),
            Some(_) => Err(damaged(format!("{} has no record batch at byte {}", self.name, place.offset))),
            None => Err(damaged(format!("{} is damaged at byte {}", self.name, place.offset))),
        }
    }

    /// More than half of the columns: one read is quicker than many.
    fn reads_whole(&self, columns: &[usize]) -> bool {
        let wanted: usize = columns.iter().filter_map(|column| self.shapes.get(*column)).map(Shape::buffers).sum();
        2 * wanted > self.shapes.iter().map(Shape::buffers).sum()
    }
}

#[derive(Debug)]
struct Loaded<'a> {
    reader: &'a SealedBlocks,
    place: &'a Place,
    /// The message, where all of it was read.
    bytes: OnceLock<Vec<u8>>,
}

impl Drop for Loaded<'_> {
    fn drop(&mut self) {
        self.bytes.take().into_iter().for_each(recycled::give);
    }
}

impl LoadedBlock for Loaded<'_> {
    fn bytes(&self) -> usize {
        self.bytes.get().map_or(0, Vec::len)
    }

    fn columns(&self, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        if self.bytes.get().is_none() && self.reader.reads_whole(columns) {
            let _ = self.bytes.set(self.reader.whole(self.place)?);
        }
        let buffers = |column: usize, first: usize| first..first + self.reader.shapes[column].buffers();
        self.with_body(columns, buffers, |body| self.decode(body, columns))
    }

    fn map_keys(&self, column: usize) -> Result<(OffsetBuffer<i32>, StringArray)> {
        let field = self.reader.outline.schema.fields().get(column);
        let shape = self.reader.shapes.get(column);
        let (Some(Shape::List(entries)), Some(DataType::Map(entry, _))) = (shape, field.map(|field| field.data_type()))
        else {
            return Err(damaged("not a column of maps"));
        };
        let (Shape::Struct(shapes), Some(key)) = (&**entries, fields(entry.data_type()).first()) else {
            return Err(damaged("a map without keys"));
        };
        let key_shape = shapes.first().ok_or_else(|| damaged("a map without keys"))?;
        // The offsets of the list, each with its validity, then of the entries, then the keys.
        let buffers = |_, first| first..first + 3 + key_shape.buffers();
        self.with_body(&[column], buffers, |mut body| {
            self.reader.shapes[..column].iter().try_for_each(|shape| body.skip(shape))?;
            let (len, nulls) = body.node()?;
            validity(&mut body, len, nulls)?;
            let starts = ScalarBuffer::<i32>::new(offsets(&mut body, len)?, 0, len + 1);
            let (entries, nulls) = body.node()?;
            validity(&mut body, entries, nulls)?;
            let keys = make_array(array(&mut body, key_shape, key.data_type())?);
            let keys = keys.as_string_opt::<i32>().cloned().ok_or_else(|| damaged("keys are not text"))?;
            let grow = starts.windows(2).all(|pair| pair[0] <= pair[1]) && starts.first() == Some(&0);
            if !grow || starts.last().is_none_or(|last| usize::try_from(*last).is_ok_and(|last| last > keys.len())) {
                return Err(damaged("a map reaches beyond its entries"));
            }
            Ok((OffsetBuffer::new(starts), keys))
        })
    }
}

impl Loaded<'_> {
    fn decode(&self, mut body: Body<'_>, columns: &[usize]) -> Result<Vec<ArrayRef>> {
        let mut made: Vec<Option<ArrayRef>> = vec![None; columns.len()];
        let Parts::Sealed { dictionaries, .. } = &self.reader.outline.parts else {
            return Err(damaged("not a sealed file"));
        };
        let (mut dictionary, rows) = (0, body.rows);
        for (column, (shape, field)) in self.reader.shapes.iter().zip(self.reader.outline.schema.fields()).enumerate() {
            let values = dictionaries.get(dictionary);
            dictionary += usize::from(*shape == Shape::Dictionary);
            if !columns.contains(&column) {
                body.skip(shape)?;
                continue;
            }
            let array = match shape {
                Shape::Dictionary => keyed(&mut body, values)?,
                _ => make_array(array(&mut body, shape, field.data_type())?),
            };
            if array.len() != rows {
                return Err(damaged("the columns of a record batch differ in length"));
            }
            for (wanted, slot) in columns.iter().zip(&mut made) {
                if *wanted == column {
                    *slot = Some(Arc::clone(&array));
                }
            }
        }
        let made: Option<Vec<ArrayRef>> = made.into_iter().collect();
        made.ok_or_else(|| damaged(format!("{} lacks a column", self.reader.name)))
    }

    /// Hands over the body: all of it where it was read, else with those bytes that `buffers` names of each of `columns`, by its
    /// number and that of its first buffer.
    fn with_body<T>(
        &self,
        columns: &[usize],
        buffers: impl Fn(usize, usize) -> Range<usize>,
        decode: impl FnOnce(Body<'_>) -> Result<T>,
    ) -> Result<T> {
        let partly = match self.bytes.get() {
            Some(_) => None,
            None => self.partly(columns, buffers)?,
        };
        if let Some((start, pieces)) = partly {
            let head = Head::parse(&start).ok_or_else(|| damaged("a message without its head"))?;
            let made = decode(Body::of_pieces(&head, &pieces)?);
            pieces.into_iter().for_each(|(_, bytes)| recycled::give(bytes));
            return made;
        }
        if self.bytes.get().is_none() {
            let _ = self.bytes.set(self.reader.whole(self.place)?);
        }
        let bytes = self.bytes.get().map(Vec::as_slice).unwrap_or_default();
        let head = Head::parse(bytes).ok_or_else(|| damaged("a message without its head"))?;
        let body = bytes.get(head.len()..).unwrap_or_default();
        decode(Body::new(&head, body)?)
    }

    /// The head, and the bytes of neighbouring buffers from reads of their own. `None` of a head that is longer than
    /// ours are.
    fn partly(
        &self,
        columns: &[usize],
        buffers: impl Fn(usize, usize) -> Range<usize>,
    ) -> Result<Option<(Vec<u8>, Vec<Piece>)>> {
        let failed = |error| ReadError::read(&self.reader.name, error);
        let mut start = vec![0; usize::try_from(self.place.len).unwrap_or(usize::MAX).min(HEAD)];
        self.reader.file.read_exact_at(self.place.offset, &mut start).map_err(failed)?;
        let Some(head) = Head::parse(&start) else { return Ok(None) };
        let len = usize::try_from(self.place.len).map_err(|_| damaged("a message is too large"))?;
        let body_len = len.checked_sub(head.len()).ok_or_else(|| damaged("a message ends within its head"))?;
        let (mut first, mut ranges): (usize, Vec<Range<usize>>) = (0, Vec::new());
        for (column, shape) in self.reader.shapes.iter().enumerate() {
            if columns.contains(&column) {
                let range = Body::span(&head, buffers(column, first), body_len)?;
                match ranges.last_mut() {
                    Some(last) if last.end <= range.start && range.start - last.end <= GAP => last.end = range.end,
                    _ => ranges.push(range),
                }
            }
            first += shape.buffers();
        }
        let read = |range: Range<usize>| -> Result<Piece> {
            let mut bytes = recycled::filled(range.len());
            let at = self.place.offset + (head.len() + range.start) as u64;
            self.reader.file.read_exact_at(at, &mut bytes).map_err(failed)?;
            Ok((range.start, bytes))
        };
        let pieces = ranges.into_iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(Some((start, pieces)))
    }
}

/// More than the head of a batch of ours takes.
const HEAD: usize = 4 << 10;
/// So many bytes are sooner read than passed over.
const GAP: usize = 4 << 10;

fn keyed(body: &mut Body<'_>, values: Option<&ArrayRef>) -> Result<ArrayRef> {
    let values = values.ok_or_else(|| damaged("a dictionary is missing"))?;
    let (len, nulls) = body.node()?;
    let nulls = validity(body, len, nulls)?;
    let keys = aligned(body.buffer()?.into_owned(), len.saturating_mul(4))?;
    let keys = PrimitiveArray::<Int32Type>::try_new(ScalarBuffer::new(keys, 0, len), nulls);
    let keys = keys.map_err(|error| damaged(format!("a column is not valid: {error}")))?;
    let array = DictionaryArray::try_new(keys, Arc::clone(values));
    Ok(Arc::new(array.map_err(|error| damaged(format!("a column is not valid: {error}")))?))
}

fn validity(body: &mut Body<'_>, len: usize, nulls: usize) -> Result<Option<NullBuffer>> {
    let bits = body.buffer()?;
    if nulls == 0 {
        return Ok(None);
    }
    if bits.len() < len.div_ceil(8) {
        return Err(damaged("a validity buffer is too short"));
    }
    let bits = arrow_buffer::BooleanBuffer::new(Buffer::from_vec(bits.into_owned()), 0, len);
    Ok(Some(NullBuffer::new(bits)))
}

fn array(body: &mut Body<'_>, shape: &Shape, data_type: &DataType) -> Result<ArrayData> {
    let (len, nulls) = body.node()?;
    let nulls = validity(body, len, nulls)?;
    let mut data = ArrayData::builder(data_type.clone()).len(len).nulls(nulls);
    match shape {
        Shape::Fixed(width) => data = data.add_buffer(buffer(body, len.saturating_mul(*width))?),
        Shape::Bits => data = data.add_buffer(buffer(body, len.div_ceil(8))?),
        Shape::Bytes => {
            let offsets = offsets(body, len)?;
            let end = offsets.typed_data::<i32>().last().copied().and_then(|end| usize::try_from(end).ok());
            let end = end.ok_or_else(|| damaged("offsets do not grow"))?;
            data = data.add_buffer(offsets).add_buffer(buffer(body, end)?);
        }
        Shape::Dictionary => return Err(damaged("a dictionary below a list")),
        Shape::List(child) => {
            data = data.add_buffer(offsets(body, len)?);
            let field = fields(data_type).first().ok_or_else(|| damaged("a list without a type"))?;
            data = data.add_child_data(array(body, child, field.data_type())?);
        }
        Shape::Struct(children) => {
            for (child, field) in children.iter().zip(fields(data_type)) {
                data = data.add_child_data(array(body, child, field.data_type())?);
            }
        }
    }
    data.build().map_err(|error| damaged(format!("a column is not valid: {error}")))
}

fn buffer(body: &mut Body<'_>, least: usize) -> Result<Buffer> {
    aligned(body.buffer()?.into_owned(), least)
}

fn offsets(body: &mut Body<'_>, len: usize) -> Result<Buffer> {
    match len {
        // Of no values a writer may leave even the one offset out.
        0 => body.buffer().map(|_| Buffer::from_vec(vec![0i32])),
        _ => buffer(body, 4 * (len + 1)),
    }
}

fn fields(data_type: &DataType) -> &[Arc<Field>] {
    match data_type {
        DataType::List(child) | DataType::Map(child, _) => std::slice::from_ref(child),
        DataType::Struct(fields) => fields,
        _ => &[],
    }
}
