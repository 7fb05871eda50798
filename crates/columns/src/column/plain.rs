//! Columns of values that all have the same width, and what every column needs: bits, validity, growth.

use std::sync::Arc;

use arrow_array::types::{Int32Type, TimestampNanosecondType};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, FixedSizeBinaryArray, PrimitiveArray,
    StringArray,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, ScalarBuffer, ToByteSlice};
use otlp_arrow_wire::read::Block;

use super::again::{Again, MAX_KEPT_ROWS};
use crate::sink::{ColumnSink, all_null, empty, no_null, pour};

/// Grows a vector for what one request adds: exactly for the first, doubling when several share a batch.
pub(crate) fn reserve<T>(vector: &mut Vec<T>, additional: usize) {
    if vector.is_empty() {
        vector.reserve_exact(additional);
    } else {
        vector.reserve(additional);
    }
}

/// Bits, least significant first, as Arrow keeps booleans and validity.
#[derive(Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// Appends equal bits until there are `len`.
    pub(crate) fn fill(&mut self, len: usize, bit: bool) {
        while self.len < len {
            let at = self.len % 64;
            if at == 0 {
                self.words.push(0);
            }
            let take = (64 - at).min(len - self.len);
            if bit && let Some(word) = self.words.last_mut() {
                *word |= (u64::MAX >> (64 - take)) << at;
            }
            self.len += take;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Writes the bits and forgets them.
    fn write(&mut self, sink: &mut impl ColumnSink) {
        self.words.iter_mut().for_each(|word| *word = word.to_le());
        sink.buffer(&self.words.to_byte_slice()[..self.len.div_ceil(8)]);
        self.clear();
    }

    fn clear(&mut self) {
        empty(&mut self.words);
        self.len = 0;
    }

    pub(crate) fn finish(&mut self) -> BooleanBuffer {
        let mut words = std::mem::take(&mut self.words);
        words.iter_mut().for_each(|word| *word = word.to_le());
        BooleanBuffer::new(Buffer::from_vec(words), 0, std::mem::take(&mut self.len))
    }
}

/// Which rows of a column are null. A row that is not mentioned is valid; without nulls there is no bitmap.
#[derive(Debug, Default)]
pub(crate) struct Validity {
    bits: Bits,
    pub(super) expected: usize,
}

impl Validity {
    /// Says how many rows there will be.
    pub(crate) fn expect(&mut self, rows: usize) {
        self.expected = rows;
    }

    /// Says that the rows from `first` to before `end` are null. Rows come in ascending order.
    pub(crate) fn nulls(&mut self, first: usize, end: usize) {
        if self.bits.words.capacity() == 0 {
            self.bits.words.reserve_exact(self.expected.max(end).div_ceil(64));
        }
        self.bits.fill(first, true);
        self.bits.fill(end, false);
    }

    /// Whether no row is null so far.
    pub(crate) fn is_unset(&self) -> bool {
        self.bits.len() == 0
    }

    /// Begins an array of `rows` values with its length and validity.
    pub(crate) fn write(&mut self, rows: usize, sink: &mut impl ColumnSink) {
        if self.is_unset() {
            return no_null(rows, sink);
        }
        self.bits.fill(rows, true);
        let valid: usize = self.bits.words.iter().map(|word| word.count_ones() as usize).sum();
        if valid == rows {
            self.bits.clear();
            return no_null(rows, sink);
        }
        sink.array(rows, rows - valid);
        self.bits.write(sink);
    }

    pub(crate) fn finish(&mut self, rows: usize) -> Option<NullBuffer> {
        if self.is_unset() {
            return None;
        }
        self.bits.fill(rows, true);
        Some(NullBuffer::new(self.bits.finish()))
    }
}

/// A column of numbers.
#[derive(Debug)]
pub(crate) struct Numbers<P: ArrowPrimitiveType> {
    values: Vec<P::Native>,
    /// Nulls that come after `values` and are not written yet: most nulls come in long runs.
    pending: usize,
    validity: Validity,
    nothing: Again,
}

impl<P: ArrowPrimitiveType> Default for Numbers<P> {
    fn default() -> Self {
        Self { values: Vec::new(), pending: 0, validity: Validity::default(), nothing: Again::default() }
    }
}

impl<P: ArrowPrimitiveType> Numbers<P> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        reserve(&mut self.values, rows);
        self.validity.expect(self.len() + rows);
    }

    /// As [`Numbers::reserve`], for a column that may have no value at all.
    pub(crate) fn expect(&mut self, rows: usize) {
        self.validity.expect(self.len() + rows);
        if !self.values.is_empty() {
            self.values.reserve(self.pending + rows);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len() + self.pending
    }

    pub(crate) fn extend(&mut self, values: impl Iterator<Item = P::Native>) {
        self.values.extend(values);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: P::Native) {
        if self.pending > 0 || self.values.capacity() == 0 {
            self.flush();
        }
        self.values.push(value);
    }

    /// Appends numbers of which none is null.
    pub(crate) fn push_all(&mut self, values: &[P::Native]) {
        if values.is_empty() {
            return;
        }
        if self.pending > 0 || self.values.capacity() == 0 {
            self.flush();
        }
        self.values.extend_from_slice(values);
    }

    #[inline(always)]
    pub(crate) fn push_option(&mut self, value: Option<P::Native>) {
        match value {
            Some(value) => self.push(value),
            None => self.pending += 1,
        }
    }

    #[inline(always)]
    pub(crate) fn push_nulls(&mut self, count: usize) {
        self.pending += count;
    }

    #[cold]
    fn flush(&mut self) {
        let (first, end) = (self.values.len(), self.len());
        if self.values.capacity() == 0 {
            self.values.reserve_exact(self.validity.expected.max(end + 1));
        }
        self.values.resize(end, P::Native::default());
        if self.pending > 0 {
            self.validity.nulls(first, end);
        }
        self.pending = 0;
    }

    /// `shared` makes the array one of the type that the column has.
    fn array(&mut self, zeros: &mut Zeros, shared: impl FnOnce(PrimitiveArray<P>) -> ArrayRef) -> ArrayRef {
        if self.values.is_empty() {
            let rows = std::mem::take(&mut self.pending);
            let make = || shared(PrimitiveArray::new(zeros.numbers(rows), zeros.nulls(rows)));
            return self.nothing.array(rows, make);
        }
        if self.pending > 0 {
            self.flush();
        }
        let nulls = self.validity.finish(self.values.len());
        shared(PrimitiveArray::new(ScalarBuffer::from(std::mem::take(&mut self.values)), nulls))
    }

    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        self.array(zeros, |array| Arc::new(array))
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        if self.values.is_empty() {
            let rows = std::mem::take(&mut self.pending);
            all_null(rows, sink);
            return sink.zeros(rows * size_of::<P::Native>());
        }
        if self.pending > 0 {
            self.flush();
        }
        self.validity.write(self.values.len(), sink);
        pour(&mut self.values, sink);
    }
}

/// A column of times in nanoseconds, as the bit pattern of OTLP's unsigned ones.
#[derive(Debug, Default)]
pub(crate) struct Times {
    values: Numbers<TimestampNanosecondType>,
}

impl Times {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.values.reserve(rows);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, nanos: u64) {
        self.values.push(nanos as i64);
    }

    /// Appends times of which none is null.
    pub(crate) fn push_all(&mut self, nanos: &[i64]) {
        self.values.push_all(nanos);
    }

    /// Appends a time that is null when unknown, which is 0 in OTLP.
    #[inline(always)]
    pub(crate) fn push_known(&mut self, nanos: u64) {
        self.values.push_option((nanos != 0).then_some(nanos as i64));
    }

    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        self.values.array(zeros, |array| Arc::new(array.with_data_type(crate::schema::timestamp())))
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.values.write(sink);
    }
}

/// A buffer of zeros: keys, offsets, values and validity of whatever has none, shared by all columns and batches.
#[derive(Debug)]
pub(crate) struct Zeros {
    /// Kept for good, because [`Again`] keeps arrays of it.
    small: Buffer,
    buffer: Buffer,
    /// As many keys 0 as the batch has rows. Arrow has seen them to be in range, and need not look again.
    keys: Option<DictionaryArray<Int32Type>>,
}

/// What [`MAX_KEPT_ROWS`] rows take at most: each has an id of 16 bytes.
const SMALL_ZEROS: usize = MAX_KEPT_ROWS * 16;
/// A larger buffer of zeros is let go when the batch is done.
const MAX_KEPT_ZEROS: usize = 1 << 20;

impl Zeros {
    pub(crate) fn new() -> Self {
        let none = Buffer::from_vec(Vec::<u64>::new());
        Self { small: none.clone(), buffer: none, keys: None }
    }

    /// A dictionary column whose `rows` rows all have the first of `values`.
    pub(crate) fn first_of(&mut self, rows: usize, values: ArrayRef) -> DictionaryArray<Int32Type> {
        if let Some(keys) = self.keys.as_ref().filter(|keys| keys.len() == rows) {
            return keys.with_values(values);
        }
        let keys = PrimitiveArray::<Int32Type>::new(self.numbers(rows), None);
        let array = DictionaryArray::new(keys, values);
        self.keys = Some(array.with_values(Arc::new(StringArray::from_iter_values([""]))));
        array
    }

    fn bytes(&mut self, len: usize) -> Buffer {
        if len <= SMALL_ZEROS {
            if self.small.is_empty() {
                self.small = Buffer::from_vec(vec![0_u64; SMALL_ZEROS / 8]);
            }
            return self.small.slice_with_length(0, len);
        }
        if self.buffer.len() < len {
            self.buffer = Buffer::from_vec(vec![0_u64; len.next_power_of_two().div_ceil(8)]);
        }
        self.buffer.slice_with_length(0, len)
    }

    pub(crate) fn numbers<T: ArrowNativeType>(&mut self, len: usize) -> ScalarBuffer<T> {
        ScalarBuffer::new(self.bytes(len * size_of::<T>()), 0, len)
    }

    /// Says that all of `rows` rows are null.
    pub(crate) fn nulls(&mut self, rows: usize) -> Option<NullBuffer> {
        (rows > 0).then(|| NullBuffer::new(BooleanBuffer::new(self.bytes(rows.div_ceil(8)), 0, rows)))
    }

    pub(crate) fn trim(&mut self) {
        // Another large batch has another number of rows.
        self.keys.take_if(|keys| keys.len() > MAX_KEPT_ROWS);
        if self.buffer.len() > MAX_KEPT_ZEROS {
            self.buffer = Buffer::from_vec(Vec::<u64>::new());
        }
    }
}

/// A nullable column of booleans that comes in runs.
#[derive(Debug, Default)]
pub(crate) struct Booleans {
    bits: Bits,
    validity: Validity,
}

impl Booleans {
    pub(crate) fn reserve(&mut self, rows: usize) {
        let end = self.bits.len() + rows;
        let more = end.div_ceil(64) - self.bits.words.len();
        reserve(&mut self.bits.words, more);
        self.validity.expect(end);
    }

    pub(crate) fn fill(&mut self, value: Option<bool>, count: usize) {
        let end = self.bits.len() + count;
        if value.is_none() {
            self.validity.nulls(self.bits.len(), end);
        }
        self.bits.fill(end, value.unwrap_or_default());
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        let nulls = self.validity.finish(self.bits.len());
        Arc::new(BooleanArray::new(self.bits.finish(), nulls))
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.validity.write(self.bits.len(), sink);
        self.bits.write(sink);
    }
}

/// A column of ids of `N` bytes, null where there is none.
#[derive(Debug, Default)]
pub(crate) struct Ids<const N: usize> {
    data: Vec<u8>,
    pending: usize,
    validity: Validity,
    nothing: Again,
}

impl<const N: usize> Ids<N> {
    pub(crate) fn reserve(&mut self, rows: usize) {
        reserve(&mut self.data, rows * N);
        self.validity.expect(self.data.len() / N + rows);
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, bytes: &[u8], block: Block) {
        self.push_id(block.of(bytes).first_chunk::<N>());
    }

    #[inline(always)]
    pub(crate) fn push_id(&mut self, id: Option<&[u8; N]>) {
        match id {
            Some(id) => {
                if self.pending > 0 {
                    self.flush();
                }
                self.data.extend_from_slice(id);
            }
            None => self.pending += 1,
        }
    }

    #[cold]
    fn flush(&mut self) {
        let first = self.data.len() / N;
        let end = first + std::mem::take(&mut self.pending);
        self.validity.nulls(first, end);
        self.data.resize(end * N, 0);
    }

    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        if self.data.is_empty() {
            let rows = std::mem::take(&mut self.pending);
            if rows > MAX_KEPT_ROWS {
                self.data = Vec::new();
            }
            return self.nothing.array(rows, || {
                Arc::new(FixedSizeBinaryArray::new(N as i32, zeros.bytes(rows * N), zeros.nulls(rows)))
            });
        }
        if self.pending > 0 {
            self.flush();
        }
        let rows = self.data.len() / N;
        let nulls = self.validity.finish(rows);
        Arc::new(FixedSizeBinaryArray::new(N as i32, Buffer::from_vec(std::mem::take(&mut self.data)), nulls))
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        if self.pending > 0 {
            self.flush();
        }
        self.validity.write(self.data.len() / N, sink);
        pour(&mut self.data, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_fill_over_words() {
        let mut validity = Validity::default();
        validity.nulls(0, 1);
        validity.nulls(63, 65);
        validity.nulls(130, 300);
        let nulls = validity.finish(400).unwrap();
        let expected = |row| row == 0 || (63..65).contains(&row) || (130..300).contains(&row);
        assert!((0..400).all(|row| nulls.is_null(row) == expected(row)));
        assert!(validity.finish(10).is_none());
    }
}
