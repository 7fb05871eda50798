//! What an attribute column will hold, counted before it grows.

/// Entries of one attribute map column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttributeCounts {
    pub(crate) entries: usize,
    /// Bytes of all keys.
    pub(crate) keys: usize,
    /// Bytes of all values as text, at most.
    pub(crate) values: usize,
}

/// Two offsets, a type letter and a validity bit.
const ENTRY_BYTES: usize = 10;

impl AttributeCounts {
    pub(crate) fn add(&mut self, other: &AttributeCounts) {
        self.entries += other.entries;
        self.keys += other.keys;
        self.values += other.values;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries * ENTRY_BYTES + self.keys + self.values
    }
}
