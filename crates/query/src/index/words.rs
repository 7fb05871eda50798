//! The distinct values of columns with a dictionary, and which of them each block has; and the keys of attributes.

use super::bytes::{Put, Reader};

/// Of a column with more bytes of distinct text than this nothing is kept.
const MOST_BYTES: usize = 16 << 10;
/// Of a column with more distinct values than this nothing is kept.
const MOST_VALUES: usize = 1 << 10;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// Its position in the schema of the signal.
    pub(super) column: usize,
    values: Box<[Box<str>]>,
    /// For each block a bit for each value, and one more for rows without: whole numbers of 64 bits each.
    has: Box<[u64]>,
}

fn width(values: usize) -> usize {
    values / 64 + 1
}

impl Words {
    /// A column of which no block was seen yet. `None` where it has too many values to be kept.
    pub(super) fn of(column: usize, values: impl Iterator<Item = impl Into<Box<str>>>, blocks: usize) -> Option<Self> {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for value in values {
            let value: Box<str> = value.into();
            bytes += value.len();
            kept.push(value);
            if bytes > MOST_BYTES || kept.len() > MOST_VALUES {
                return None;
            }
        }
        let has = vec![0; blocks * width(kept.len())].into();
        Some(Self { column, values: kept.into(), has })
    }

    /// A block has the value with this number, or, by the number of values, a row without one.
    pub(super) fn add(&mut self, block: usize, value: usize) {
        let width = width(self.values.len());
        self.has[block * width + value / 64] |= 1 << (value % 64);
    }

    /// Leaves those of `left` that have a value for which `holds` says so; `null` says it of rows without.
    pub(super) fn narrow(&self, null: bool, holds: impl Fn(&str) -> bool, left: &mut [bool]) {
        let width = width(self.values.len());
        let mut wanted = vec![0u64; width];
        let all = self.values.iter().map(|value| holds(value)).chain([null]);
        for (at, _) in all.enumerate().filter(|(_, holds)| *holds) {
            wanted[at / 64] |= 1 << (at % 64);
        }
        for (left, has) in left.iter_mut().zip(self.has.chunks_exact(width)) {
            *left &= wanted.iter().zip(has).any(|(wanted, has)| wanted & has != 0);
        }
    }

    pub(super) fn memory(&self) -> usize {
        let text: usize = self.values.iter().map(|value| value.len() + size_of::<Box<str>>()).sum();
        size_of::<Self>() + text + size_of_val(&*self.has)
    }

    pub(super) fn write(&self, name: &str, out: &mut Vec<u8>) {
        out.put_text(name);
        out.put_count(self.values.len());
        self.values.iter().for_each(|value| out.put_text(value));
        self.has.iter().for_each(|bits| out.put_u64(*bits));
    }

    /// The next one, of a file with so many blocks; `column` says where a column of this name is. `Some(None)` of one that is
    /// not known here.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        blocks: usize,
        column: impl FnOnce(&str) -> Option<usize>,
    ) -> Option<Option<Self>> {
        let column = column(reader.text()?);
        let count = reader.count(4)?;
        let values = (0..count).map(|_| reader.text().map(Box::from)).collect::<Option<Box<[Box<str>]>>>()?;
        let has = reader.u64s(blocks.checked_mul(width(count))?)?.into();
        Some(column.map(|column| Self { column, values, has }))
    }
}

/// The keys of the attributes of records, and how many records have each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys(Box<[(Box<str>, u64)]>);

impl Keys {
    /// More are not kept.
    pub(super) const MOST: usize = 4 << 10;

    /// `None` where there are too many to be kept.
    pub(super) fn of(counts: impl Iterator<Item = (Box<str>, u64)>) -> Option<Self> {
        let mut keys: Vec<_> = counts.collect();
        keys.sort_unstable();
        let bytes: usize = keys.iter().map(|(key, _)| key.len()).sum();
        (keys.len() <= Self::MOST && bytes <= MOST_BYTES * 4).then(|| Self(keys.into()))
    }

    /// Whether some record has it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.binary_search_by(|(known, _)| (**known).cmp(key)).is_ok()
    }

    pub(super) fn memory(&self) -> usize {
        self.0.iter().map(|(key, _)| key.len() + size_of::<(Box<str>, u64)>()).sum()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.put_count(self.0.len());
        for (key, count) in &self.0 {
            out.put_text(key);
            out.put_u64(*count);
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let count = reader.count(12)?;
        let key = |reader: &mut Reader<'_>| Some((Box::from(reader.text()?), reader.u64()?));
        let keys = (0..count).map(|_| key(&mut reader)).collect::<Option<Box<[_]>>>()?;
        (reader.ends() && keys.is_sorted()).then_some(Self(keys))
    }
}
