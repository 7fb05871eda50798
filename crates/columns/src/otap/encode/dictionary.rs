//! The values of one column that the peer of a stream knows.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::text::{hash, same};

/// Different values by number, in the order in which they came.
pub(super) struct Dictionary {
    table: HashTable<u32>,
    /// Where each value ends in `data`.
    ends: Vec<u32>,
    data: Vec<u8>,
    /// Keeps whoever sends from choosing values of one hash.
    seed: u64,
    /// Values that the peer was told.
    pub(super) told: usize,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { table: HashTable::new(), ends: Vec::new(), data: Vec::new(), seed, told: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all values.
    pub(super) fn bytes(&self) -> usize {
        self.data.len()
    }

    /// A value by its number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> &[u8] {
        value(&self.ends, &self.data, number)
    }

    /// The number of a value, which is added if it is new.
    #[inline]
    pub(super) fn number(&mut self, of: &[u8]) -> u32 {
        let Self { table, ends, data, seed, .. } = self;
        let wanted = hash(of, *seed);
        if let Some(number) = table.find(wanted, |number| same(value(ends, data, *number), of)) {
            return *number;
        }
        let number = ends.len() as u32;
        data.extend_from_slice(of);
        ends.push(data.len() as u32);
        table.insert_unique(wanted, number, |number| hash(value(ends, data, *number), *seed));
        number
    }

    /// Whether the value with this number is `value`.
    #[inline]
    pub(super) fn has(&self, number: u32, value: &[u8]) -> bool {
        (number as usize) < self.ends.len() && same(self.get(number), value)
    }

    /// Adds a value without a look at the others: it is not found later.
    pub(super) fn add(&mut self, value: &[u8]) -> u32 {
        let number = self.ends.len() as u32;
        self.data.extend_from_slice(value);
        self.ends.push(self.data.len() as u32);
        number
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.ends.clear();
        self.data.clear();
        self.told = 0;
    }

    /// The bytes of the values from `first` on.
    pub(super) fn data_from(&self, first: usize) -> &[u8] {
        &self.data[self.start(first)..]
    }

    /// Where the values from `first` on end, beside where the first of them begins.
    pub(super) fn ends_from(&self, first: usize) -> impl Iterator<Item = u32> {
        let start = self.start(first) as u32;
        self.ends[first..].iter().map(move |end| end - start)
    }

    fn start(&self, first: usize) -> usize {
        first.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }
}

#[inline]
fn value<'a>(ends: &[u32], data: &'a [u8], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before] as usize);
    &data[start..ends[number] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_there_once_and_by_number() {
        let mut dictionary = Dictionary::new();
        let texts: Vec<String> = (0..5_000).map(|n| "x".repeat(n % 40) + &n.to_string()).collect();
        for _ in 0..2 {
            for (number, text) in texts.iter().enumerate() {
                assert_eq!(dictionary.number(text.as_bytes()), number as u32);
                assert_eq!(dictionary.get(number as u32), text.as_bytes());
            }
        }
        assert_eq!(dictionary.number(b""), 5_000, "nothing is a value");
        assert_eq!(dictionary.number(b""), 5_000);
        assert_eq!(dictionary.len(), 5_001);
        let ends: Vec<u32> = dictionary.ends_from(4_999).collect();
        assert_eq!(dictionary.data_from(4_999), texts[4_999].as_bytes());
        assert_eq!(ends, [texts[4_999].len() as u32; 2]);
        assert_eq!(dictionary.data_from(0).len(), dictionary.bytes());
    }
}
