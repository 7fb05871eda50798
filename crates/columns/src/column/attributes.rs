//! Attribute maps: keys and values as text, and the letters that say what the values were.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, MapArray, StructArray};
use otlp_arrow_wire::read::{Block, Cursor, Wire};

use super::counts::AttributeCounts;
use super::{Offsets, Text, Zeros};
use crate::render::{Value, key_value, letter, usual_key_value};
use crate::schema;
use crate::sink::{ColumnSink, no_null};

/// The letters of one attribute list.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    letters: Vec<u8>,
    /// Whether one is not that of a string.
    mixed: bool,
}

impl Letters {
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        self.letters.clear();
        self.mixed = false;
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, letter: u8) {
        self.letters.push(letter);
        self.mixed |= letter != letter::STRING;
    }

    /// What `attribute_types` holds: nothing when all values are strings.
    #[inline(always)]
    pub(crate) fn text(&self) -> Option<&[u8]> {
        self.mixed.then_some(&self.letters)
    }
}

/// A `Map<Utf8, Utf8>` column.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    offsets: Offsets,
    keys: Text,
    values: Text,
}

impl Attributes {
    pub(crate) fn reserve(&mut self, rows: usize, counts: &AttributeCounts) {
        self.offsets.reserve(rows);
        self.keys.reserve(counts.entries, counts.keys);
        self.values.reserve(counts.entries, counts.values);
    }

    /// Appends one `KeyValue` to the list that is open.
    #[inline(always)]
    pub(crate) fn push(&mut self, bytes: &[u8], attribute: Cursor<'_>, letters: &mut Letters) -> Wire<()> {
        let (key, value) = match usual_key_value(bytes, attribute) {
            Some((key, Value::String(text))) => {
                self.keys.push(bytes, key);
                self.values.push(bytes, text);
                letters.push(letter::STRING);
                return Ok(());
            }
            Some(usual) => usual,
            None => key_value(attribute)?,
        };
        self.keys.push(bytes, key);
        let letter = value.text(bytes, &mut self.values.data)?;
        letters.push(letter);
        if letter == letter::EMPTY {
            self.values.push_null()
        } else {
            self.values.close()
        }
        Ok(())
    }

    /// Appends an entry to the list that is open.
    #[inline(always)]
    pub(crate) fn push_entry(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.keys.push_slice(key);
        match value {
            Some(value) => self.values.push_slice(value),
            None => self.values.push_null(),
        }
    }

    /// The same for a key and a value that are blocks of what was received.
    #[inline(always)]
    pub(crate) fn push_blocks(&mut self, keys: &[u8], key: Block, value: Option<(&[u8], Block)>) {
        self.keys.push(keys, key);
        match value {
            Some((values, value)) => self.values.push(values, value),
            None => self.values.push_null(),
        }
    }

    /// Ends a list whose keys are known to differ.
    #[inline(always)]
    pub(crate) fn end(&mut self) {
        self.offsets.push(self.keys.len());
    }

    /// Ends a list. `repeats` says that a key may occur in it twice.
    #[inline(always)]
    pub(crate) fn close(&mut self, repeats: bool, letters: &mut Letters) {
        if repeats {
            self.number_repeated_keys(letters);
        }
        self.offsets.push(self.keys.len());
    }

    /// Gives the second and later `k` of the open list the names `k#2`, `k#3` and so on, leaving out names that are
    /// keys themselves, and makes their letters upper case.
    #[cold]
    fn number_repeated_keys(&mut self, letters: &mut Letters) {
        let first = self.offsets.last();
        let start = self.keys.start(first);
        let old = self.keys.data[start..].to_vec();
        let ends: Vec<usize> = (first..self.keys.len()).map(|row| self.keys.start(row + 1) - start).collect();
        // How often each key was seen, and the last number it was given.
        let mut numbers: HashMap<&[u8], usize> = HashMap::with_capacity(ends.len().min(1024));
        let starts = || std::iter::once(0).chain(ends.iter().copied());
        let mut distinct = 0;
        for (start, &end) in starts().zip(&ends) {
            distinct += usize::from(numbers.insert(&old[start..end], 0).is_none());
        }
        if distinct == ends.len() {
            return;
        }
        self.keys.truncate(first);
        let mut name = Vec::new();
        for (i, (start, &end)) in starts().zip(&ends).enumerate() {
            let key = &old[start..end];
            let mut number = numbers.get(key).copied().unwrap_or_default() + 1;
            if number == 1 {
                self.keys.push_slice(key);
            } else {
                loop {
                    name.clear();
                    name.extend_from_slice(key);
                    name.push(b'#');
                    name.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
                    if !numbers.contains_key(&name[..]) {
                        break;
                    }
                    number += 1;
                }
                self.keys.push_slice(&name);
                letters.letters[i].make_ascii_uppercase();
                letters.mixed = true;
            }
            numbers.insert(key, number);
        }
    }

    pub(crate) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let columns = vec![self.keys.finish(zeros), self.values.finish(zeros)];
        let entries = StructArray::new(schema::entry_fields(), columns, None);
        Arc::new(MapArray::new(schema::entries_field(), self.offsets.finish(), entries, None, false))
    }

    pub(crate) fn write(&mut self, sink: &mut impl ColumnSink) {
        no_null(self.offsets.len(), sink);
        self.offsets.write(sink);
        no_null(self.keys.len(), sink);
        self.keys.write(sink);
        self.values.write(sink);
    }
}
