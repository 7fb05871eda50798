//! The columns of a builder on their way into an Arrow IPC message, without Arrow arrays in between.

use arrow_buffer::{ArrowNativeType, ToByteSlice};

/// Takes columns as an Arrow IPC record batch message has them: arrays in depth-first order, each with its buffers.
///
/// For a batch of few rows an array costs more than what is in it: a dozen blocks of memory for a few bytes each.
pub trait ColumnSink {
    /// The next array: how many values it has, and how many of them are null.
    fn array(&mut self, len: usize, nulls: usize);

    /// The next buffer of that array.
    fn buffer(&mut self, bytes: &[u8]);

    /// The next buffer of that array: so many bytes, all zero.
    fn zeros(&mut self, len: usize);

    /// The values of the dictionary column that was just written: where each ends in `text`.
    fn dictionary(&mut self, ends: &[u32], text: &[u8]);
}

/// Memory of a column beyond this many bytes is not kept for the next batch.
const KEPT: usize = 16 << 10;

/// Empties a vector whose content was written.
pub(crate) fn empty<T>(vector: &mut Vec<T>) {
    if vector.capacity() * size_of::<T>() > KEPT { *vector = Vec::new() } else { vector.clear() }
}

/// Writes the values of a vector as a buffer, and empties it.
pub(crate) fn pour<T: ArrowNativeType>(vector: &mut Vec<T>, sink: &mut impl ColumnSink) {
    sink.buffer(vector.to_byte_slice());
    empty(vector);
}

/// Writes the validity of an array of nulls only.
pub(crate) fn all_null(rows: usize, sink: &mut impl ColumnSink) {
    sink.array(rows, rows);
    sink.zeros(rows.div_ceil(8));
}

/// Writes an array that has no nulls.
pub(crate) fn no_null(rows: usize, sink: &mut impl ColumnSink) {
    sink.array(rows, 0);
    sink.buffer(&[]);
}
