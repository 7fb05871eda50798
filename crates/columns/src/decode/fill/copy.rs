//! Columns of checked batches into those of a builder. What a dictionary column had is looked up once a text, not once
//! a row.

use std::ops::Range;

use arrow_array::ArrowPrimitiveType;
use arrow_array::types::{TimestampNanosecondType, UInt32Type};

use super::cells::Enumeration;
use super::points::NumberLists;
use crate::batch;
use crate::column::{Attributes, Counters, Dictionary, Ids, Numbers, Text, Times};
use crate::names::number;
use crate::render::letter;
use crate::text::same;

/// What each text of a dictionary has become, by its position there. Used again from column to column.
#[derive(Debug, Default)]
pub(super) struct Memo {
    keys: Vec<i32>,
}

const UNSEEN: i32 = -1;
const NULL: i32 = -2;
/// A longer memo is not kept for the next column.
const MAX_KEPT: usize = 1 << 16;

impl Memo {
    fn start(&mut self, texts: usize) {
        if self.keys.capacity() > MAX_KEPT && texts <= MAX_KEPT {
            self.keys = Vec::new();
        }
        self.keys.clear();
        self.keys.resize(texts, UNSEEN);
    }
}

/// Appends text with a dictionary; `key` gives the key of a text in it, or none where it stands for null.
pub(super) fn dictionary<'a>(
    memo: &mut Memo,
    to: &mut Dictionary,
    from: &batch::Text<'a>,
    rows: usize,
    mut key: impl FnMut(&mut Dictionary, &'a [u8]) -> Option<i32>,
) {
    if let Some(texts) = from.dictionary() {
        memo.start(texts);
        let mut key_of = |to: &mut Dictionary, slot: Option<usize>| {
            let slot = slot?;
            if memo.keys[slot] == UNSEEN {
                memo.keys[slot] = key(to, from.at(slot)).unwrap_or(NULL);
            }
            Some(memo.keys[slot]).filter(|key| *key != NULL)
        };
        // Most columns have the same text for many rows.
        let mut start = 0;
        let mut slot = from.slot(0);
        for row in 1..=rows {
            let next = if row < rows { from.slot(row) } else { None };
            if next != slot || row == rows {
                let key = key_of(to, slot);
                to.fill(key, row - start);
                (start, slot) = (row, next);
            }
        }
        return;
    }
    let mut last: Option<(&[u8], Option<i32>)> = None;
    for row in 0..rows {
        let Some(text) = from.get(row) else {
            to.push_null();
            continue;
        };
        let found = match last {
            Some((before, found)) if same(before, text) => found,
            _ => key(to, text),
        };
        last = Some((text, found));
        match found {
            Some(key) => to.push_key(key),
            None => to.push_null(),
        }
    }
}

/// Appends text as it is.
pub(super) fn texts(memo: &mut Memo, to: &mut Dictionary, from: &batch::Text<'_>, rows: usize) {
    dictionary(memo, to, from, rows, |to, text| Some(to.key(text)));
}

/// Appends text that is null when empty.
pub(super) fn known_texts(memo: &mut Memo, to: &mut Dictionary, from: &batch::Text<'_>, rows: usize) {
    dictionary(memo, to, from, rows, |to, text| (!text.is_empty()).then(|| to.key(text)));
}

/// Appends an enumeration: a number that has a name becomes that name.
pub(super) fn names<const N: usize>(
    memo: &mut Memo,
    to: &mut Enumeration<N>,
    from: &batch::Text<'_>,
    rows: usize,
    names: &[&str; N],
) {
    dictionary(memo, &mut to.column, from, rows, |to, text| {
        let number = number(names, text)?;
        Some(match usize::try_from(number).ok().and_then(|number| names.get(number)) {
            Some(name) => to.key(name.as_bytes()),
            None => to.key(itoa::Buffer::new().format(number).as_bytes()),
        })
    });
}

/// Whether these letters say no more than null does.
pub(super) fn are_strings(letters: &[u8]) -> bool {
    letters.iter().all(|letter| *letter == letter::STRING)
}

/// Appends the letters beside attributes: null when all are strings.
pub(super) fn types(memo: &mut Memo, to: &mut Dictionary, from: &batch::Attributes<'_>, rows: usize) {
    dictionary(memo, to, &from.types, rows, |to, letters| (!are_strings(letters)).then(|| to.key(letters)));
}

/// The same below a list.
#[inline(always)]
pub(super) fn plain_types(to: &mut Text, from: &batch::Attributes<'_>, row: usize) {
    match from.types.get(row).filter(|letters| !are_strings(letters)) {
        Some(letters) => to.push_slice(letters),
        None => to.push_null(),
    }
}

/// Appends the attributes of a row.
#[inline(always)]
pub(super) fn attributes(to: &mut Attributes, from: &batch::Attributes<'_>, row: usize) {
    for at in from.range(row) {
        to.push_entry(from.keys.get(at).unwrap_or_default(), from.values.get(at));
    }
    to.end();
}

/// Appends text that has no dictionary.
#[inline(always)]
pub(super) fn text(to: &mut Text, from: &batch::Text<'_>, row: usize) {
    match from.get(row) {
        Some(text) => to.push_slice(text),
        None => to.push_null(),
    }
}

/// The same, null when empty.
#[inline(always)]
pub(super) fn known_text(to: &mut Text, from: &batch::Text<'_>, row: usize) {
    match from.get(row).filter(|text| !text.is_empty()) {
        Some(text) => to.push_slice(text),
        None => to.push_null(),
    }
}

/// Appends numbers.
pub(super) fn numbers<T: ArrowPrimitiveType>(to: &mut Numbers<T>, from: &batch::Numbers<'_, T>, rows: usize) {
    match from.values(0..rows) {
        Some(values) => to.push_all(values),
        None if from.is_null() => to.push_nulls(rows),
        None => (0..rows).for_each(|row| to.push_option(from.get(row))),
    }
}

/// Appends times that are never null.
pub(super) fn times(to: &mut Times, from: &batch::Numbers<'_, TimestampNanosecondType>, rows: Range<usize>) {
    match from.values(rows.clone()) {
        Some(values) => to.push_all(values),
        None => rows.for_each(|row| to.push(from.or_zero(row) as u64)),
    }
}

/// Appends times that are null when 0.
pub(super) fn known_times(to: &mut Times, from: &batch::Numbers<'_, TimestampNanosecondType>, rows: usize) {
    (0..rows).for_each(|row| to.push_known(from.or_zero(row) as u64));
}

/// Appends numbers that are never null.
pub(super) fn counters(to: &mut Counters, from: &batch::Numbers<'_, UInt32Type>, rows: Range<usize>) {
    rows.for_each(|row| to.push(from.or_zero(row)));
}

/// Appends ids.
pub(super) fn ids<const N: usize>(to: &mut Ids<N>, from: &batch::Ids<'_, N>, rows: Range<usize>) {
    rows.for_each(|row| to.push_id(from.get(row)));
}

/// Appends lists of numbers.
pub(super) fn lists<T: ArrowPrimitiveType>(to: &mut NumberLists<T>, from: &batch::NumberLists<'_, T>, rows: usize) {
    if from.lists.are_null() {
        return to.push_nulls(rows);
    }
    for row in 0..rows {
        let list = from.get(row);
        to.push_all(list.unwrap_or_default());
        to.close(list.is_some());
    }
}
