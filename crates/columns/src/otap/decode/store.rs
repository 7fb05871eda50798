//! The values of dictionaries, which grow from batch to batch: what is added is appended, never copied together.

use std::collections::HashSet;

use super::arrays::{Array, Body};
use super::error::{Fault, broken};
use super::schema::Kind;
use crate::text::{hash, is_utf8};
use otlp_arrow_wire::read::Block;

/// Values of one dictionary in order.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) kind: Kind,
    len: usize,
    /// Bytes of all values, one after the other.
    pub(super) data: Vec<u8>,
    /// Where each ends, where they have no width.
    pub(super) ends: Vec<u32>,
    /// Empty while no value is null.
    nulls: Vec<bool>,
    /// Of the keys of attributes: hashes of those that are there.
    distinct: Option<HashSet<u64>>,
    /// Whether two values may be the same.
    pub(super) repeats: bool,
}

/// A hash need not be secret where a collision only costs time; it is nevertheless another one for each dictionary.
const SEED: u64 = 0x6f74_6170;

impl Values {
    /// None yet. `watched` says that it must be known whether two are the same.
    pub(super) fn new(kind: Kind, watched: bool) -> Self {
        let distinct = watched.then(HashSet::new);
        Self { kind, len: 0, data: Vec::new(), ends: Vec::new(), nulls: Vec::new(), distinct, repeats: false }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_null(&self, at: usize) -> bool {
        self.nulls.get(at).is_some_and(|null| *null)
    }

    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, |set| set.capacity() * 9);
        self.data.capacity() + self.ends.capacity() * 4 + self.nulls.capacity() + distinct
    }

    /// Bytes that adding these takes, at most.
    pub(super) fn needed(&self, more: &Array<'_>) -> usize {
        let data = match &more.body {
            Body::Fixed(data) | Body::Text { data, .. } => data.len(),
            _ => 0,
        };
        // Vectors double when they are full.
        let growth = |capacity: usize, len: usize, more: usize| match len + more {
            needed if needed <= capacity => 0,
            needed => needed.max(capacity * 2).max(64) - capacity,
        };
        let ends = growth(self.ends.capacity(), self.ends.len(), more.len) * 4;
        let nulls = growth(self.nulls.capacity(), self.len, more.len);
        let distinct = self.distinct.as_ref().map_or(0, |set| growth(set.capacity(), set.len(), more.len * 2) * 9);
        growth(self.data.capacity(), self.data.len(), data) + ends + nulls + distinct
    }

    /// Forgets what is there: what comes replaces it.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.data.clear();
        self.ends.clear();
        self.nulls.clear();
        self.repeats = false;
        if let Some(distinct) = &mut self.distinct {
            distinct.clear();
        }
    }

    /// Adds values.
    pub(super) fn append(&mut self, more: &Array<'_>) -> Result<(), Fault> {
        match &more.body {
            Body::Fixed(data) => self.data.extend_from_slice(data),
            Body::Text { offsets, data } => self.append_texts(more, offsets, data)?,
            _ if more.len == 0 => {}
            _ => return broken("a dictionary has values of a type that none has"),
        }
        if more.has_nulls() {
            self.nulls.resize(self.len, false);
            self.nulls.extend((0..more.len).map(|at| more.is_null(at)));
        } else if !self.nulls.is_empty() {
            self.nulls.resize(self.len + more.len, false);
        }
        self.len += more.len;
        Ok(())
    }

    fn append_texts(&mut self, more: &Array<'_>, offsets: &[[u8; 4]], data: &[u8]) -> Result<(), Fault> {
        self.ends.reserve(more.len);
        for (at, pair) in offsets.windows(2).enumerate() {
            let (start, end) = (offset(pair[0]), offset(pair[1]));
            let text = data.get(start..end).unwrap_or_default();
            if self.kind == Kind::Text && !more.is_null(at) && !is_utf8(text, Block { start: 0, end: text.len() }) {
                return broken("a text of a dictionary is not UTF-8");
            }
            self.data.extend_from_slice(text);
            self.ends.push(self.data.len() as u32);
            if let Some(distinct) = &mut self.distinct
                && !distinct.insert(hash(text, SEED))
            {
                self.repeats = true;
            }
        }
        Ok(())
    }
}

/// An offset that was seen to be in range.
#[inline(always)]
pub(super) fn offset(bytes: [u8; 4]) -> usize {
    u32::from_le_bytes(bytes) as usize
}

/// The dictionaries of the columns of one table.
#[derive(Debug, Default)]
pub(super) struct Stores {
    /// By number; None for a column that is not looked at.
    pub(super) entries: Vec<(i64, Option<Values>)>,
}

impl Stores {
    /// Of a table that was not sent.
    pub(super) const NONE: Self = Self { entries: Vec::new() };

    /// The values of a dictionary.
    pub(super) fn values(&self, id: i64) -> Option<&Values> {
        self.entries.iter().find(|(other, _)| *other == id).and_then(|(_, values)| values.as_ref())
    }

    /// Bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.entries
            .iter()
            .map(|(_, values)| size_of::<(i64, Values)>() + values.as_ref().map_or(0, Values::bytes))
            .sum()
    }
}
