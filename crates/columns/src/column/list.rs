//! Offsets and columns of lists.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::FieldRef;

use super::{Validity, reserve};

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

    pub(crate) fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows + 1);
    }

    pub(crate) fn finish(&mut self) -> OffsetBuffer<i32> {
        self.reserve(0);
        OffsetBuffer::new(ScalarBuffer::from(std::mem::take(&mut self.ends)))
    }
}

/// The rows of a list column; the elements are kept by someone else.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    offsets: Offsets,
    validity: Validity,
}

impl Lists {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.offsets.reserve(rows);
        self.validity.expect(self.offsets.len() + rows);
    }

    /// Ends a row after so many elements in all.
    #[inline(always)]
    pub(crate) fn push(&mut self, end: usize) {
        self.offsets.push(end);
    }

    /// Ends a row; it is null if it has no element.
    #[inline(always)]
    pub(crate) fn push_known(&mut self, end: usize) {
        if end == self.offsets.last() {
            self.validity.null(self.offsets.len());
        }
        self.offsets.push(end);
    }

    #[inline(always)]
    pub(crate) fn push_null(&mut self) {
        self.validity.null(self.offsets.len());
        self.offsets.push(self.offsets.last());
    }

    pub(crate) fn finish(&mut self, item: FieldRef, elements: ArrayRef) -> ArrayRef {
        let nulls = self.validity.finish(self.offsets.len());
        Arc::new(ListArray::new(item, self.offsets.finish(), elements, nulls))
    }
}
