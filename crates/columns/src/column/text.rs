//! A column of plain text.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer};
use otlp_arrow_wire::read::Block;

use super::{Again, Offsets, Validity, Zeros, reserve};
use crate::sink::{ColumnSink, all_null, empty, pour};
use crate::text;

/// Text one after another. Whoever appends has seen that it is UTF-8; Arrow looks again when the column is finished.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) data: Vec<u8>,
    offsets: Offsets,
    /// Nulls that are not written yet.
    pending: usize,
    validity: Validity,
    nothing: Again,
}

impl Text {
    pub(crate) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows);
        self.validity.expect(self.len() + rows);
        reserve(&mut self.data, bytes + text::SLACK);
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len() + self.pending
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, bytes: &[u8], block: Block) {
        text::copy(&mut self.data, bytes, block);
        self.close();
    }

    #[inline(always)]
    pub(crate) fn push_slice(&mut self, text: &[u8]) {
        self.data.extend_from_slice(text);
        self.close();
    }

    /// Appends text that is null when empty.
    #[inline(always)]
    pub(crate) fn push_known(&mut self, bytes: &[u8], block: Block) {
        if block.is_empty() { self.push_null() } else { self.push(bytes, block) }
    }

    /// Ends a row whose text was written to `data`.
    #[inline(always)]
    pub(crate) fn close(&mut self) {
        if self.pending > 0 {
            self.flush();
        }
        self.offsets.push(self.data.len());
    }

    #[inline(always)]
    pub(crate) fn push_null(&mut self) {
        self.pending += 1;
    }

    #[cold]
    fn flush(&mut self) {
        let first = self.offsets.len();
        let end = first + std::mem::take(&mut self.pending);
        self.validity.nulls(first, end);
        self.offsets.repeat(end - first);
    }

    /// Where a row begins in `data`.
    pub(crate) fn start(&self, row: usize) -> usize {
        self.offsets.start(row)
    }

    /// Drops the rows from `row` on; none of them may be null.
    pub(crate) fn truncate(&mut self, row: usize) {
        self.data.truncate(self.start(row));
        self.offsets.truncate(row);
    }

    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        if self.offsets.len() == 0 {
            let rows = std::mem::take(&mut self.pending);
            self.offsets.clear(rows);
            return self.nothing.array(rows, || {
                let offsets = OffsetBuffer::new(zeros.numbers(rows + 1));
                Arc::new(StringArray::new(offsets, zeros.numbers::<u8>(0).into_inner(), zeros.nulls(rows)))
            });
        }
        if self.pending > 0 {
            self.flush();
        }
        let nulls = self.validity.finish(self.len());
        let data = Buffer::from_vec(std::mem::take(&mut self.data));
        Arc::new(StringArray::new(self.offsets.finish(), data, nulls))
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        if self.offsets.len() == 0 {
            self.offsets.empty();
            empty(&mut self.data);
            let rows = std::mem::take(&mut self.pending);
            all_null(rows, sink);
            sink.zeros((rows + 1) * size_of::<i32>());
            return sink.buffer(&[]);
        }
        if self.pending > 0 {
            self.flush();
        }
        self.validity.write(self.len(), sink);
        self.offsets.write(sink);
        pour(&mut self.data, sink);
    }
}
