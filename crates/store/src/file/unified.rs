//! One dictionary out of many.

use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;
use hashbrown::HashTable;

use super::body::Values;
use super::error::{Result, damaged};

/// Distinct values, numbered as they come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unified {
    table: HashTable<u32>,
    hasher: ahash::RandomState,
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Unified {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    fn get(&self, index: u32) -> &[u8] {
        let index = index as usize;
        &self.bytes[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// The number of `value`, a new one if it was not seen before.
    pub(crate) fn add(&mut self, value: &[u8]) -> Result<i32> {
        let hash = self.hasher.hash_one(value);
        if let Some(index) = self.table.find(hash, |index| self.get(*index) == value) {
            return Ok(*index as i32);
        }
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let index = self.len() as u32;
        self.bytes.extend_from_slice(value);
        self.offsets.push(position(self.bytes.len())?);
        let Self { table, hasher, offsets, bytes } = self;
        table.insert_unique(hash, index, |index| {
            let index = *index as usize;
            hasher.hash_one(&bytes[offsets[index] as usize..offsets[index + 1] as usize])
        });
        Ok(index as i32)
    }

    /// Adds all of `values`.
    pub(crate) fn add_all(&mut self, values: &Values<'_>) -> Result<()> {
        (0..values.len).try_for_each(|index| self.add(at(values, index)?).map(drop))
    }

    /// Adds all of `values` and fills `numbers` with the number of each.
    pub(crate) fn number_all(&mut self, values: &Values<'_>, numbers: &mut Vec<i32>) -> Result<()> {
        numbers.clear();
        for index in 0..values.len {
            numbers.push(self.add(at(values, index)?)?);
        }
        Ok(())
    }

    /// Where each value begins, and where the last one ends; nothing at all if there is none.
    pub(crate) fn offsets(&self) -> &[i32] {
        &self.offsets
    }

    /// The values behind each other.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes
    }

    /// The values as an array.
    pub(crate) fn data(&self) -> Result<ArrayData> {
        let offsets = if self.offsets.is_empty() { vec![0] } else { self.offsets.clone() };
        let data = ArrayData::builder(DataType::Utf8)
            .len(self.len())
            .add_buffer(Buffer::from_vec(offsets))
            .add_buffer(Buffer::from_vec(self.bytes.clone()));
        data.build().map_err(|error| damaged(format!("a dictionary holds what is not text: {error}")))
    }

    /// Forgets all values.
    pub(crate) fn clear(&mut self) {
        self.table.clear();
        self.offsets.clear();
        self.bytes.clear();
    }
}

fn at<'v>(values: &'v Values<'_>, index: usize) -> Result<&'v [u8]> {
    values.get(index).ok_or_else(|| damaged("a dictionary value lies outside of its message"))
}

/// A position in a buffer of 32-bit offsets.
pub(crate) fn position(len: usize) -> Result<i32> {
    i32::try_from(len).map_err(|_| damaged("a merged column has more than 2 GiB"))
}
