//! Arrays that come out the same from batch to batch, and columns of counts, which nearly always do.

use std::sync::Arc;

use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::ScalarBuffer;

use super::Zeros;
use crate::sink::{ColumnSink, no_null, pour};

/// Batches of more rows make every array anew: that costs them little, and so nothing large is kept.
pub(crate) const MAX_KEPT_ROWS: usize = 1024;

/// The array of a column that had no value, or nothing but zeros. The next such batch of as many rows takes it again,
/// without an allocation: of a small batch most columns are like that.
#[derive(Debug, Default)]
pub(crate) struct Again(Option<ArrayRef>);

impl Again {
    /// The array of `rows` rows that `make` gives, or gave last time.
    pub(crate) fn array(&mut self, rows: usize, make: impl FnOnce() -> ArrayRef) -> ArrayRef {
        if let Some(array) = self.0.as_ref().filter(|array| array.len() == rows) {
            return Arc::clone(array);
        }
        let array = make();
        self.0 = (rows <= MAX_KEPT_ROWS).then(|| Arc::clone(&array));
        array
    }
}

/// A column of numbers that are mostly 0: flags, and counts of what senders dropped.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Empty while every number is 0, which `zeros` counts.
    values: Vec<u32>,
    zeros: usize,
    expected: usize,
    nothing: Again,
}

impl Counters {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.expected = self.len() + rows;
        if !self.values.is_empty() {
            self.values.reserve(rows);
        }
    }

    pub(crate) fn len(&self) -> usize {
        if self.values.is_empty() { self.zeros } else { self.values.len() }
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, value: u32) {
        if self.values.is_empty() {
            if value == 0 {
                self.zeros += 1;
                return;
            }
            self.spread();
        }
        self.values.push(value);
    }

    /// Appends the same number `count` times.
    pub(crate) fn fill(&mut self, value: u32, count: usize) {
        if self.values.is_empty() {
            if value == 0 {
                self.zeros += count;
                return;
            }
            self.spread();
        }
        self.values.resize(self.values.len() + count, value);
    }

    /// Writes out the zeros that were only counted.
    #[cold]
    fn spread(&mut self) {
        self.values.reserve_exact(self.expected.max(self.zeros + 1));
        self.values.resize(self.zeros, 0);
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        let rows = self.len();
        no_null(rows, sink);
        match self.values.is_empty() {
            true => sink.zeros(rows * size_of::<u32>()),
            false => pour(&mut self.values, sink),
        }
        self.zeros = 0;
    }

    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let rows = std::mem::take(&mut self.zeros);
        if self.values.is_empty() {
            let make = || Arc::new(PrimitiveArray::<UInt32Type>::new(zeros.numbers(rows), None)) as ArrayRef;
            return self.nothing.array(rows, make);
        }
        let values = ScalarBuffer::from(std::mem::take(&mut self.values));
        Arc::new(PrimitiveArray::<UInt32Type>::new(values, None))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn counts_are_kept_wherever_the_first_one_comes() {
        let mut zeros = Zeros::new();
        let mut column = Counters::default();
        for first in 0..5u32 {
            for rows in [first, 5, 2000] {
                column.reserve(rows as usize);
                (0..rows).for_each(|row| column.push(if row < first { 0 } else { row }));
                column.fill(0, 2);
                column.fill(7, 1);
                assert_eq!(column.len(), rows as usize + 3);
                let array = column.finish(&mut zeros);
                let expected = (0..rows).map(|row| if row < first { 0 } else { row }).chain([0, 0, 7]);
                assert!(array.as_primitive::<UInt32Type>().values().iter().copied().eq(expected), "{first} {rows}");
            }
        }
    }

    #[test]
    fn small_arrays_of_nothing_are_made_once() {
        let mut zeros = Zeros::new();
        let mut column = Counters::default();
        let mut made = |rows: usize| {
            column.fill(0, rows);
            let array = column.finish(&mut zeros);
            assert!(array.len() == rows && array.as_primitive::<UInt32Type>().values().iter().all(|&value| value == 0));
            array
        };
        let (one, same, two) = (made(1), made(1), made(2));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &two));
        assert!(!Arc::ptr_eq(&made(MAX_KEPT_ROWS + 1), &made(MAX_KEPT_ROWS + 1)), "nothing large is kept");
    }
}
