//! A column of plain text.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_buffer::Buffer;

use super::{Offsets, Validity, reserve};
use crate::wire::{Block, text};

/// Text one after another. Whoever appends has seen that it is UTF-8; Arrow looks again when the column is finished.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) data: Vec<u8>,
    offsets: Offsets,
    validity: Validity,
}

impl Text {
    pub(crate) fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows);
        self.validity.expect(self.len() + rows);
        reserve(&mut self.data, bytes + text::SLACK);
    }

    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
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
        self.offsets.push(self.data.len());
    }

    #[inline(always)]
    pub(crate) fn push_null(&mut self) {
        self.validity.null(self.len());
        self.close();
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

    pub(crate) fn finish(&mut self) -> ArrayRef {
        let nulls = self.validity.finish(self.len());
        let data = Buffer::from_vec(std::mem::take(&mut self.data));
        Arc::new(StringArray::new(self.offsets.finish(), data, nulls))
    }
}
