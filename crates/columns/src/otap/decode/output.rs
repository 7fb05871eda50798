//! From cells to the builders of columns: what a dictionary has is looked up once a text, not once a row.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};

use super::cells::Texts;
use crate::Signal;
use crate::column::{Dictionary, Letters, Text, Zeros};
use crate::schema::schema;
use otlp_arrow_wire::read::Block;

/// What each text of a dictionary has become, by its place there. Used again from column to column.
#[derive(Default)]
pub(super) struct Memo(Vec<i32>);

const UNSEEN: i32 = -1;

impl Memo {
    fn start(&mut self, texts: usize) {
        self.0.clear();
        self.0.resize(texts, UNSEEN);
    }
}

/// What stands for a cell that is null.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Empty text.
    Empty,
    /// Null, which empty text is as well.
    Null,
}

/// Appends text with a dictionary, of these rows of a table.
pub(super) fn dictionary(
    memo: &mut Memo,
    to: &mut Dictionary,
    from: &Texts<'_>,
    rows: impl Iterator<Item = usize>,
    missing: Missing,
) {
    let own = from.dictionary();
    memo.start(own.unwrap_or(0));
    let mut key_of = |to: &mut Dictionary, slot: Option<usize>| -> Option<i32> {
        let text = match slot {
            Some(slot) => {
                if own.is_some() && memo.0[slot] != UNSEEN {
                    return Some(memo.0[slot]);
                }
                from.at(slot).of(from.data)
            }
            None => b"",
        };
        if text.is_empty() && missing == Missing::Null {
            return None;
        }
        let key = to.key(text);
        if let Some(slot) = slot.filter(|_| own.is_some()) {
            memo.0[slot] = key;
        }
        Some(key)
    };
    // Most columns have the same text for many rows.
    let (mut last, mut count) = (None, 0);
    for row in rows {
        let slot = from.slot(row);
        if count > 0 && last != slot {
            let key = key_of(to, last);
            to.fill(key, count);
            count = 0;
        }
        last = slot;
        count += 1;
    }
    if count > 0 {
        let key = key_of(to, last);
        to.fill(key, count);
    }
}

/// Bytes that the different texts of these rows take, at most.
pub(super) fn dictionary_bytes(from: &Texts<'_>, rows: impl Iterator<Item = usize>) -> usize {
    let (mut bytes, mut last) = (0, None);
    for row in rows {
        let slot = from.slot(row);
        if slot != last {
            bytes += slot.map_or(0, |slot| from.at(slot).len());
            last = slot;
        }
    }
    // Each is kept once.
    if from.dictionary().is_some() && !from.repeats() { bytes.min(from.data.len()) } else { bytes }
}

/// Appends text that has no dictionary.
#[inline(always)]
pub(super) fn text(to: &mut Text, from: &Texts<'_>, row: usize, missing: Missing) {
    match from.block(row) {
        Some(block) if missing == Missing::Empty || !block.is_empty() => to.push(from.data, block),
        None if missing == Missing::Empty => to.push(b"", Block::default()),
        _ => to.push_null(),
    }
}

/// Appends the letters of a row to the column beside its attributes.
#[inline(always)]
pub(super) fn types_dictionary(to: &mut Dictionary, letters: &Letters) {
    match letters.text() {
        Some(letters) => to.push(letters),
        None => to.push_null(),
    }
}

/// The same below a list.
#[inline(always)]
pub(super) fn types(to: &mut Text, letters: &Letters) {
    match letters.text() {
        Some(letters) => to.push_slice(letters),
        None => to.push_null(),
    }
}

/// The columns as a batch of the schema of `signal`.
pub(super) fn batch(signal: Signal, rows: usize, columns: Vec<ArrayRef>) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema(signal), columns, &options).expect("columns are built as the schema says")
}

/// One buffer of zeros for a batch.
pub(super) fn zeros() -> Zeros {
    Zeros::new()
}
