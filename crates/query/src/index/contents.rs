//! What the index of one file knows, and what it rules out.

use std::ops::Range;

use otlp_arrow_columns::Signal;

use super::blocks::{self, Known, severity_bits};
use super::bytes::{Put, Reader};
use super::fuse::Fuse;
use super::ids::{Table, Wanted};
use super::words::{Keys, Words};
use crate::filter::Term;
use crate::scan::{Pruned, dictionary_term};

/// The parts of an index by the numbers they have in its file. One that is not known is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Blocks = 1,
    Words = 2,
    Keys = 3,
    Filter = 4,
    /// Last: it is read only where a trace is asked for.
    Table = 5,
}

/// The index of one file.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) signal: Signal,
    pub(super) rows: u64,
    pub(super) blocks: Box<[Known]>,
    pub(super) words: Box<[Words]>,
    /// `None` where they are not known.
    pub(super) keys: Option<Keys>,
    /// Of the ids of traces, `None` where they are not known.
    pub(super) filter: Option<Fuse>,
    /// Where in the file of the index the table of ids is, and its checksum.
    pub(super) table: Option<(Range<u64>, u32)>,
}

/// What is asked of an index.
#[derive(Debug)]
pub(super) enum Asked {
    /// That is left.
    Left(Pruned),
    /// Only the table of ids can say.
    Table,
}

impl Contents {
    /// What is left of the file under `terms`; `table` reads the table of ids, or says that it is not to be read now.
    pub(super) fn prune(&self, terms: &[Term], table: Option<&mut dyn FnMut() -> Option<Vec<u8>>>) -> Asked {
        let mut left = vec![true; self.blocks.len()];
        let mut ids: Vec<Vec<Wanted>> = Vec::new();
        for term in terms {
            match term {
                Term::Trace(prefix) => ids.extend(Wanted::prefix(prefix).map(|wanted| vec![wanted])),
                Term::Traces(traces) => ids.push(traces.iter().map(|id| Wanted::id(*id)).collect()),
                term => self.narrow(term, &mut left),
            }
        }
        if let Some(filter) = &self.filter {
            for wanted in &mut ids {
                wanted.retain(|wanted| wanted.may_be_in(filter));
                if wanted.is_empty() {
                    left.fill(false);
                }
            }
            if !ids.is_empty() && left.contains(&true) && self.table.is_some() {
                let Some(table) = table else { return Asked::Table };
                if let Some(bytes) = table() {
                    narrow_by_table(&bytes, &ids, &mut left);
                }
            }
        }
        Asked::Left(Pruned { rows: self.rows, blocks: blocks::ranges(&self.blocks, &left) })
    }

    /// Leaves the blocks that may have a row for which `term` holds.
    fn narrow(&self, term: &Term, left: &mut [bool]) {
        let mut retain = |holds: &dyn Fn(&Known) -> bool| {
            left.iter_mut().zip(&self.blocks).for_each(|(left, block)| *left &= holds(block));
        };
        match term {
            Term::Time(from, to) => retain(&|block| block.time.0 < *to && block.time.1 >= *from),
            Term::Duration(min, max) => retain(&|block| block.duration.0 <= *max && block.duration.1 >= *min),
            Term::Severity(min, max) => {
                let bits = severity_bits(*min, *max);
                retain(&|block| block.severities & bits != 0);
            }
            Term::Attribute(condition) => {
                // Where no record has it, what is negated holds of all.
                if self.keys.as_ref().is_some_and(|keys| !keys.has(&condition.key)) && !condition.holds(None) {
                    left.fill(false);
                }
            }
            Term::Text(..) | Term::Resource(_) => {
                if let Some(test) = dictionary_term(self.signal, term)
                    && let Some(words) = self.words.iter().find(|words| words.column == test.column)
                {
                    words.narrow(test.null, &test.holds, left);
                }
            }
            Term::Trace(_) | Term::Traces(_) | Term::Span(_) | Term::Contains(_) => {}
        }
    }

    /// Bytes of memory it takes, about.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            + size_of_val(&*self.blocks)
            + self.words.iter().map(Words::memory).sum::<usize>()
            + self.keys.as_ref().map_or(0, Keys::memory)
            + self.filter.as_ref().map_or(0, Fuse::memory)
    }

    /// Its parts as they are written, the table aside.
    pub(super) fn parts(&self) -> Vec<(Part, Vec<u8>)> {
        let mut parts = Vec::new();
        let mut add = |part, write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            parts.push((part, bytes));
        };
        add(Part::Blocks, &|out| blocks::write(&self.blocks, out));
        add(Part::Words, &|out| {
            let schema = otlp_arrow_columns::schema(self.signal);
            out.put_count(self.words.len());
            self.words.iter().for_each(|words| words.write(schema.field(words.column).name(), out));
        });
        if let Some(keys) = &self.keys {
            add(Part::Keys, &|out| keys.write(out));
        }
        if let Some(filter) = &self.filter {
            add(Part::Filter, &|out| filter.write(out));
        }
        parts
    }

    /// Of a file of so many rows, from its parts. `None` where one of them cannot be, or the blocks are missing.
    pub(super) fn read<'a>(signal: Signal, rows: u64, part: impl Fn(Part) -> Option<&'a [u8]>) -> Option<Self> {
        let blocks = blocks::read(part(Part::Blocks)?, rows)?;
        let words = part(Part::Words).map_or(Some(Box::default()), |bytes| read_words(signal, bytes, blocks.len()))?;
        let keys = part(Part::Keys).map(|bytes| Keys::read(bytes).ok_or(())).transpose().ok()?;
        let filter = part(Part::Filter).map(|bytes| Fuse::read(bytes).ok_or(())).transpose().ok()?;
        Some(Self { signal, rows, blocks, words, keys, filter, table: None })
    }
}

fn read_words(signal: Signal, bytes: &[u8], blocks: usize) -> Option<Box<[Words]>> {
    let (mut reader, schema) = (Reader(bytes), otlp_arrow_columns::schema(signal));
    let mut words = Vec::new();
    for _ in 0..reader.count(8)? {
        words.extend(Words::read(&mut reader, blocks, |name| schema.index_of(name).ok())?);
    }
    reader.ends().then(|| words.into())
}

/// A table that cannot be rules nothing out.
fn narrow_by_table(bytes: &[u8], ids: &[Vec<Wanted>], left: &mut [bool]) {
    let Some(table) = Table::read(bytes) else { return };
    for any in ids {
        let mut has = vec![false; left.len()];
        if any.iter().try_for_each(|wanted| table.mark(*wanted, &mut has)).is_some() {
            left.iter_mut().zip(has).for_each(|(left, has)| *left &= has);
        }
    }
}
