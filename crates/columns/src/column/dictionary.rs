//! A dictionary column, and the set of different texts behind it.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::{Again, MAX_KEPT_ROWS, Validity, Zeros, reserve};
use crate::sink::{ColumnSink, all_null, pour};
use crate::text::{hash, same};

/// Slots of a table at least.
const MIN_SLOTS: usize = 16;
/// Larger tables are let go when the batch is done.
const MAX_KEPT_SLOTS: usize = 1 << 17;
/// Larger texts are let go when the batch is done.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// Text of few distinct values.
#[derive(Debug)]
pub(crate) struct Dictionary {
    /// Empty while every key is 0, which `zeros` counts.
    keys: Vec<i32>,
    zeros: usize,
    /// Nulls that are not written yet.
    pending: usize,
    expected: usize,
    validity: Validity,
    values: Interner,
    nothing: Again,
    /// The array of a batch whose rows all had one text, and which of [`Interner::arrays`] it holds.
    constant: Option<(u64, ArrayRef)>,
}

impl Dictionary {
    pub(crate) fn new() -> Self {
        Self {
            keys: Vec::new(),
            zeros: 0,
            pending: 0,
            expected: 0,
            validity: Validity::default(),
            values: Interner::new(),
            nothing: Again::default(),
            constant: None,
        }
    }

    pub(crate) fn reserve(&mut self, rows: usize) {
        self.expected = self.written() + self.pending + rows;
        self.validity.expect(self.expected);
        if !self.keys.is_empty() {
            self.keys.reserve(self.pending + rows);
        }
    }

    #[inline(always)]
    fn written(&self) -> usize {
        if self.keys.is_empty() { self.zeros } else { self.keys.len() }
    }

    /// The key of a text, which is added if it is new.
    #[inline(always)]
    pub(crate) fn key(&mut self, text: &[u8]) -> i32 {
        self.values.key(text)
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, text: &[u8]) {
        let key = self.values.key(text);
        self.push_key(key);
    }

    /// Appends text that is null when empty.
    #[inline(always)]
    pub(crate) fn push_known(&mut self, text: &[u8]) {
        if text.is_empty() { self.push_null() } else { self.push(text) }
    }

    #[inline(always)]
    pub(crate) fn push_key(&mut self, key: i32) {
        if self.pending > 0 {
            self.flush();
        }
        if self.keys.is_empty() && key == 0 {
            self.zeros += 1;
        } else {
            if self.keys.is_empty() {
                self.spread();
            }
            self.keys.push(key);
        }
    }

    #[inline(always)]
    pub(crate) fn push_null(&mut self) {
        self.pending += 1;
    }

    /// Appends the same key `count` times, or nulls.
    pub(crate) fn fill(&mut self, key: Option<i32>, count: usize) {
        let Some(key) = key else {
            self.pending += count;
            return;
        };
        if self.pending > 0 {
            self.flush();
        }
        self.repeat(key, count);
    }

    fn repeat(&mut self, key: i32, count: usize) {
        if self.keys.is_empty() && key == 0 {
            self.zeros += count;
        } else {
            if self.keys.is_empty() {
                self.spread();
            }
            self.keys.resize(self.keys.len() + count, key);
        }
    }

    #[cold]
    fn flush(&mut self) {
        let first = self.written();
        let count = std::mem::take(&mut self.pending);
        self.validity.nulls(first, first + count);
        self.repeat(0, count);
    }

    /// Writes out the keys that were only counted.
    #[cold]
    fn spread(&mut self) {
        reserve(&mut self.keys, self.expected.max(self.zeros + 1));
        self.keys.resize(self.zeros, 0);
    }

    /// `zeros` serves as keys where all are 0.
    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let rows = self.written();
        if rows > 0 && self.keys.is_empty() && self.pending == 0 && self.validity.is_unset() {
            (self.zeros, self.expected) = (0, 0);
            return self.constant(rows, zeros);
        }
        let nulls = if rows == 0 {
            if self.values.ends.is_empty() {
                let rows = std::mem::take(&mut self.pending);
                self.expected = 0;
                return self.nothing.array(rows, || {
                    let keys = PrimitiveArray::<Int32Type>::new(zeros.numbers(rows), zeros.nulls(rows));
                    Arc::new(DictionaryArray::new(keys, self.values.finish()))
                });
            }
            self.zeros = std::mem::take(&mut self.pending);
            zeros.nulls(self.zeros)
        } else {
            if self.pending > 0 {
                self.flush();
            }
            self.validity.finish(self.written())
        };
        let keys = if self.keys.is_empty() {
            zeros.numbers(self.zeros)
        } else {
            ScalarBuffer::from(std::mem::take(&mut self.keys))
        };
        (self.zeros, self.expected) = (0, 0);
        self.constant = None;
        let keys = PrimitiveArray::<Int32Type>::new(keys, nulls);
        Arc::new(DictionaryArray::new(keys, self.values.finish()))
    }

    /// The column whose `rows` rows all have the first text.
    fn constant(&mut self, rows: usize, zeros: &mut Zeros) -> ArrayRef {
        let values = self.values.finish();
        if let Some((of, array)) = &self.constant
            && *of == self.values.arrays
            && array.len() == rows
        {
            return Arc::clone(array);
        }
        let array: ArrayRef = Arc::new(zeros.first_of(rows, values));
        let is_kept = rows <= MAX_KEPT_ROWS && self.values.finished.is_some();
        self.constant = is_kept.then(|| (self.values.arrays, Arc::clone(&array)));
        array
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        if self.written() == 0 {
            let rows = std::mem::take(&mut self.pending);
            all_null(rows, sink);
            sink.zeros(rows * size_of::<i32>());
        } else {
            if self.pending > 0 {
                self.flush();
            }
            self.validity.write(self.written(), sink);
            match self.keys.is_empty() {
                true => sink.zeros(self.zeros * size_of::<i32>()),
                false => pour(&mut self.keys, sink),
            }
        }
        (self.zeros, self.expected) = (0, 0);
        self.values.write(sink);
    }
}

/// Different texts in order of their first appearance, found by hash.
#[derive(Debug)]
struct Interner {
    seed: u64,
    data: Vec<u8>,
    ends: Vec<u32>,
    hashes: Vec<u64>,
    /// Open addressing: the position in `ends` plus one; 0 is free.
    slots: Vec<u32>,
    last: usize,
    /// The values of the batch before, used again if they are the same.
    finished: Option<Arc<StringArray>>,
    /// How many arrays of different texts were made.
    arrays: u64,
}

impl Interner {
    fn new() -> Self {
        Self {
            seed: RandomState::new().hash_one(0),
            data: Vec::new(),
            ends: Vec::new(),
            hashes: Vec::new(),
            slots: Vec::new(),
            last: 0,
            finished: None,
            arrays: 0,
        }
    }

    #[inline(always)]
    fn text(&self, at: usize) -> Option<&[u8]> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        self.data.get(start..*self.ends.get(at)? as usize)
    }

    #[inline(always)]
    fn key(&mut self, text: &[u8]) -> i32 {
        if self.text(self.last).is_some_and(|last| same(last, text)) {
            return self.last as i32;
        }
        self.last = self.find(text);
        self.last as i32
    }

    fn find(&mut self, text: &[u8]) -> usize {
        if (self.ends.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let hash = hash(text, self.seed);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 => break,
                at => {
                    let at = at as usize - 1;
                    if self.hashes[at] == hash && self.text(at).is_some_and(|known| same(known, text)) {
                        return at;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
        let at = self.ends.len();
        self.slots[slot] = at as u32 + 1;
        self.hashes.push(hash);
        self.data.extend_from_slice(text);
        self.ends.push(self.data.len() as u32);
        at
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(MIN_SLOTS);
        self.slots.clear();
        self.slots.resize(len, 0);
        for (at, hash) in self.hashes.iter().enumerate() {
            let mut slot = *hash as usize & (len - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = at as u32 + 1;
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let array = match self.finished.take() {
            Some(array) if self.is_same(&array) => array,
            _ => {
                self.arrays += 1;
                let offsets = std::iter::once(0).chain(self.ends.iter().map(|&end| end as i32));
                let offsets = OffsetBuffer::new(ScalarBuffer::from_iter(offsets));
                Arc::new(StringArray::new(offsets, Buffer::from_slice_ref(&self.data), None))
            }
        };
        self.clear();
        if array.get_buffer_memory_size() <= MAX_KEPT_BYTES {
            self.finished = Some(Arc::clone(&array));
        }
        array
    }

    fn write(&mut self, sink: &mut impl ColumnSink) {
        sink.dictionary(&self.ends, &self.data);
        self.clear();
    }

    fn is_same(&self, array: &StringArray) -> bool {
        let ends = array.value_offsets().get(1..).unwrap_or_default();
        array.value_data() == self.data
            && ends.len() == self.ends.len()
            && ends.iter().zip(&self.ends).all(|(&a, &b)| a as u32 == b)
    }

    fn clear(&mut self) {
        if self.slots.len() > MAX_KEPT_SLOTS || self.data.capacity() > MAX_KEPT_BYTES {
            (self.data, self.ends, self.hashes, self.slots) = Default::default();
        } else if self.ends.len() * 8 < self.slots.len() {
            // Few of many slots are in use: empty the runs that begin at each text's first slot.
            let mask = self.slots.len() - 1;
            for hash in &self.hashes {
                let mut slot = *hash as usize & mask;
                while self.slots[slot] != 0 {
                    self.slots[slot] = 0;
                    slot = (slot + 1) & mask;
                }
            }
        } else {
            self.slots.fill(0);
        }
        self.data.clear();
        self.ends.clear();
        self.hashes.clear();
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    fn shown(array: &ArrayRef) -> Vec<Option<String>> {
        let array = array.as_dictionary::<Int32Type>();
        let values = array.downcast_dict::<StringArray>().unwrap();
        values.into_iter().map(|value| value.map(str::to_owned)).collect()
    }

    #[test]
    fn keeps_distinct_texts_once_and_starts_over() {
        let mut zeros = Zeros::new();
        let mut column = Dictionary::new();
        for round in 0..3 {
            let texts: Vec<_> = (0..5000).map(|i| format!("{round}-{}", (i * 7) % 1000)).collect();
            column.reserve(texts.len() + 3);
            texts.iter().for_each(|text| column.push(text.as_bytes()));
            column.push_null();
            let key = column.key(b"");
            column.fill(Some(key), 2);
            let array = column.finish(&mut zeros);
            assert_eq!(array.as_dictionary::<Int32Type>().values().len(), 1001);
            let expected = texts.into_iter().map(Some).chain([None, Some(String::new()), Some(String::new())]);
            assert!(shown(&array).into_iter().eq(expected));
        }
    }

    #[test]
    fn constant_columns_share_their_keys_and_values() {
        let mut zeros = Zeros::new();
        let mut column = Dictionary::new();
        let mut made = Vec::new();
        for rows in [100, 60] {
            column.reserve(rows);
            let key = column.key(b"same");
            column.fill(Some(key), rows - 1);
            column.push_null();
            made.push(column.finish(&mut zeros));
        }
        assert_eq!(shown(&made[1])[58..], [Some("same".to_owned()), None]);
        let parts = made.iter().map(|array| array.as_dictionary::<Int32Type>());
        let keys: Vec<_> = parts.clone().map(|part| part.keys().values().as_ptr()).collect();
        let values: Vec<_> = parts.map(|part| part.values().as_string::<i32>().value_data().as_ptr()).collect();
        assert!(keys[0] == keys[1] && values[0] == values[1]);
        column.reserve(1);
        column.push(b"other");
        assert_eq!(shown(&column.finish(&mut zeros)), [Some("other".to_owned())]);
        assert!(shown(&column.finish(&mut zeros)).is_empty());
    }
}
