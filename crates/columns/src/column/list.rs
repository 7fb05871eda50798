//! Offsets and columns of lists.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, ListArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::FieldRef;

use super::{Again, MAX_KEPT_ROWS, Validity, Zeros, reserve};
use crate::sink::{ColumnSink, all_null, empty, pour};

/// Where each row ends in what lies below. They stay below 2^31, because a request and a batch may not be larger.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    /// Begins with 0 once something was reserved.
    ends: Vec<i32>,
}

impl Offsets {
    pub(crate) fn reserve(&mut self, rows: usize) {
        reserve(&mut self.ends, rows + 1);
        if self.ends.is_empty() {
            self.ends.push(0);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len().saturating_sub(1)
    }

    pub(crate) fn is_unset(&self) -> bool {
        self.ends.is_empty()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, end: usize) {
        self.ends.push(end as i32);
    }

    pub(crate) fn start(&self, row: usize) -> usize {
        self.ends.get(row).map_or(0, |&start| start as usize)
    }

    pub(crate) fn last(&self) -> usize {
        self.ends.last().map_or(0, |&end| end as usize)
    }

    /// Ends `count` empty rows.
    pub(crate) fn repeat(&mut self, count: usize) {
        let end = self.last() as i32;
        self.ends.resize(self.ends.len() + count, end);
    }

    /// Forgets what was written. The next batch may use the memory of one of few rows.
    pub(crate) fn clear(&mut self, rows: usize) {
        if rows > MAX_KEPT_ROWS {
            self.ends = Vec::new();
        } else {
            self.ends.clear();
        }
    }

    /// Forgets all rows.
    pub(crate) fn empty(&mut self) {
        empty(&mut self.ends);
    }

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.reserve(0);
        pour(&mut self.ends, sink);
    }

    pub(crate) fn finish(&mut self) -> OffsetBuffer<i32> {
        // Asking for room here would grow every vector that was reserved exactly.
        if self.ends.is_empty() {
            self.ends.push(0);
        }
        OffsetBuffer::new(ScalarBuffer::from(std::mem::take(&mut self.ends)))
    }
}

/// The rows of a list column; the elements are kept by someone else.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    offsets: Offsets,
    /// Nulls that are not written yet.
    pending: usize,
    validity: Validity,
    nothing: Again,
    empty: Again,
}

impl Lists {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.offsets.reserve(rows);
        self.expect(rows);
    }

    /// As [`Lists::reserve`], for a column that may have no value at all.
    pub(crate) fn expect(&mut self, rows: usize) {
        self.validity.expect(self.offsets.len() + self.pending + rows);
    }

    /// Ends a row after so many elements in all.
    #[inline(always)]
    pub(crate) fn push(&mut self, end: usize) {
        if self.pending > 0 || self.offsets.is_unset() {
            self.flush();
        }
        self.offsets.push(end);
    }

    /// Ends a row; it is null if it has no element.
    #[inline(always)]
    pub(crate) fn push_known(&mut self, end: usize) {
        if end == self.offsets.last() {
            self.pending += 1;
        } else {
            self.push(end);
        }
    }

    #[inline(always)]
    pub(crate) fn push_nulls(&mut self, count: usize) {
        self.pending += count;
    }

    #[cold]
    fn flush(&mut self) {
        if self.offsets.is_unset() {
            self.offsets.reserve(self.validity.expected.max(self.pending + 1));
        }
        if self.pending > 0 {
            let first = self.offsets.len();
            let end = first + std::mem::take(&mut self.pending);
            self.validity.nulls(first, end);
            self.offsets.repeat(end - first);
        }
    }

    pub(crate) fn finish(&mut self, item: FieldRef, elements: ArrayRef, zeros: &mut Zeros) -> ArrayRef {
        if elements.is_empty() && self.pending == 0 && self.validity.is_unset() {
            let rows = self.offsets.len();
            self.offsets.clear(rows);
            return self.empty.array(rows, || {
                let offsets = OffsetBuffer::new(zeros.numbers(rows + 1));
                Arc::new(ListArray::new(item, offsets, elements, None))
            });
        }
        if self.offsets.len() == 0 {
            let rows = std::mem::take(&mut self.pending);
            self.offsets.clear(rows);
            let has_elements = !elements.is_empty();
            let make = || {
                let offsets = OffsetBuffer::new(zeros.numbers(rows + 1));
                Arc::new(ListArray::new(item, offsets, elements, zeros.nulls(rows))) as ArrayRef
            };
            return if has_elements { make() } else { self.nothing.array(rows, make) };
        }
        if self.pending > 0 {
            self.flush();
        }
        let nulls = self.validity.finish(self.offsets.len());
        Arc::new(ListArray::new(item, self.offsets.finish(), elements, nulls))
    }

    /// Writes what comes before the elements, which are to be written next.
    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        if self.offsets.len() == 0 {
            self.offsets.empty();
            let rows = std::mem::take(&mut self.pending);
            all_null(rows, sink);
            return sink.zeros((rows + 1) * size_of::<i32>());
        }
        if self.pending > 0 {
            self.flush();
        }
        self.validity.write(self.offsets.len(), sink);
        self.offsets.write(sink);
    }
}
