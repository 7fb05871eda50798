//! `attributes['key']` over the map column, and tests of it: the length of a key is compared first, then its bytes.

use std::cell::Cell;

use arrow_array::cast::AsArray;
use arrow_array::{Array, MapArray, StringArray};
use otlp_arrow_store::ReadError;

use super::predicate::Test;
use super::selection::Selection;
use super::view::View;
use crate::filter::Condition;

/// The attributes of the rows of a block.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    offsets: &'a [i32],
    key_offsets: &'a [i32],
    key_bytes: &'a [u8],
    /// How many attributes of the row that was found last are before it: records of one place in a program are alike.
    before: Cell<usize>,
    pub(crate) keys: &'a StringArray,
    pub(crate) values: &'a StringArray,
}

impl<'a> Attributes<'a> {
    pub(crate) fn of(map: &'a MapArray) -> Result<Self, ReadError> {
        let text = |column: usize| {
            let column = map.entries().columns().get(column).and_then(|column| column.as_string_opt::<i32>());
            column.ok_or_else(|| ReadError::damaged("attributes are not a map of text"))
        };
        let (keys, values) = (text(0)?, text(1)?);
        let offsets = map.value_offsets();
        let (key_offsets, key_bytes) = (keys.value_offsets(), keys.value_data());
        Ok(Self { offsets, key_offsets, key_bytes, before: Cell::new(0), keys, values })
    }

    /// Where in `keys` and `values` the attributes of a row are.
    pub(crate) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// The place of `key` in a row.
    fn find(&self, row: usize, key: &[u8]) -> Option<usize> {
        let is_key = |at: usize| {
            let (from, to) = (self.key_offsets[at] as usize, self.key_offsets[at + 1] as usize);
            to - from == key.len() && self.key_bytes[from..to] == *key
        };
        let range = self.range(row);
        let guess = range.start + self.before.get();
        if guess < range.end && is_key(guess) {
            return Some(guess);
        }
        let start = range.start;
        let found = range.into_iter().find(|at| is_key(*at))?;
        self.before.set(found - start);
        Some(found)
    }

    /// The value of `key` in a row: `None` without it, `Some(None)` if it is empty.
    pub(crate) fn get(&self, row: usize, key: &[u8]) -> Option<Option<&'a str>> {
        let at = self.find(row, key)?;
        Some(self.values.is_valid(at).then(|| self.values.value(at)))
    }
}

/// A term about an attribute.
pub(super) struct AttributeTest {
    column: [usize; 1],
    condition: Condition,
}

impl AttributeTest {
    pub(super) fn new(column: usize, condition: Condition) -> Self {
        Self { column: [column], condition }
    }
}

impl Test for AttributeTest {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<(), ReadError> {
        let attributes = Attributes::of(view.map(self.column[0])?)?;
        let key = self.condition.key.as_bytes();
        rows.retain(|row| self.condition.holds(attributes.get(row, key).map(|value| value.map(str::as_bytes))));
        Ok(())
    }
}
