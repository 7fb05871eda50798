//! Cells that all signals have: enumerations, and the letters beside attributes.

use arrow_array::ArrayRef;

use crate::column::{Dictionary, Letters, Text, Zeros};
use crate::sink::ColumnSink;

/// A dictionary column of an enumeration: names, or the number where there is none.
#[derive(Debug)]
pub(super) struct Enumeration<const N: usize> {
    pub(super) column: Dictionary,
    names: [&'static str; N],
    /// Keys of the names in the batch being built, or -1.
    keys: [i32; N],
}

impl<const N: usize> Enumeration<N> {
    pub(super) fn new(names: [&'static str; N]) -> Self {
        Self { column: Dictionary::new(), names, keys: [-1; N] }
    }

    #[inline(always)]
    pub(super) fn key(&mut self, value: i32) -> i32 {
        match self.keys.get(value as usize) {
            Some(&key) if key >= 0 => key,
            _ => self.new_key(value),
        }
    }

    #[cold]
    fn new_key(&mut self, value: i32) -> i32 {
        let Some(name) = self.names.get(value as usize) else {
            return self.column.key(itoa::Buffer::new().format(value).as_bytes());
        };
        let key = self.column.key(name.as_bytes());
        self.keys[value as usize] = key;
        key
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: i32) {
        let key = self.key(value);
        self.column.push_key(key);
    }

    pub(super) fn fill(&mut self, value: Option<i32>, count: usize) {
        let key = value.map(|value| self.key(value));
        self.column.fill(key, count);
    }

    pub(super) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        self.keys = [-1; N];
        self.column.finish(zeros)
    }

    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.keys = [-1; N];
        self.column.write(sink);
    }
}

/// Appends the letters of a list to the `attribute_types` beside it.
#[inline(always)]
pub(super) fn push_types(column: &mut Text, letters: &Letters) {
    match letters.text() {
        Some(letters) => column.push_slice(letters),
        None => column.push_null(),
    }
}

/// The same at the top level of a row.
#[inline(always)]
pub(super) fn push_types_dictionary(column: &mut Dictionary, letters: &Letters) {
    match letters.text() {
        Some(letters) => column.push(letters),
        None => column.push_null(),
    }
}
