//! What is kept of files between questions: where their blocks are, their dictionaries, and the time of each block. Bounded;
//! what was not used for the longest time goes first.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use arrow_array::ArrayRef;
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{logs, metrics, traces};
use otlp_arrow_store::names::Stem;
use otlp_arrow_store::{Block, Outline};

use super::file::File;
use crate::filter::Nanos;
use crate::maps::{Map, Set};

/// What is known of one file in one form.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) outline: Arc<Outline>,
    /// The earliest and the latest time of each block, once somebody had to read them.
    pub(crate) times: OnceLock<Arc<[(Nanos, Nanos)]>>,
    /// Columns of a live file that are asked for again and again, by block: its first row, its rows, the column.
    kept: Option<Mutex<Kept>>,
}

type Kept = Map<(u64, u64, usize), ArrayRef>;

/// Columns of a live file that stay in memory: ids of traces and times, which decide most questions.
fn is_kept(signal: Signal, column: usize) -> bool {
    let ids = match signal {
        Signal::Traces => column == traces::TRACE_ID,
        Signal::Logs => column == logs::TRACE_ID,
        Signal::Metrics => false,
    };
    ids || match signal {
        Signal::Traces => column == traces::START_TIME,
        Signal::Logs => matches!(column, logs::TIME | logs::OBSERVED_TIME),
        Signal::Metrics => column == metrics::TIME,
    }
}

/// Bytes of these columns, a row.
const KEPT_BYTES: usize = 16 + 8 + 8;

impl Known {
    /// `before` is what was known of the file when it was shorter.
    fn new(outline: Arc<Outline>, signal: Signal, grows: bool, before: Option<&Known>) -> Self {
        let kept = grows.then(|| {
            let mut kept =
                before.and_then(|before| before.kept.as_ref()).map(|kept| lock(kept).clone()).unwrap_or_default();
            // The last block has more rows by now.
            let blocks: Set<(u64, u64)> = outline.blocks().iter().map(|block| (block.first_row, block.rows)).collect();
            kept.retain(|(first_row, rows, column), _| {
                blocks.contains(&(*first_row, *rows)) && is_kept(signal, *column)
            });
            Mutex::new(kept)
        });
        Self { outline, times: OnceLock::new(), kept }
    }

    /// A column of a block that is in memory.
    pub(crate) fn kept(&self, block: &Block, column: usize) -> Option<ArrayRef> {
        lock(self.kept.as_ref()?).get(&(block.first_row, block.rows, column)).cloned()
    }

    /// A column of a block was made: whoever comes next may want it.
    pub(crate) fn keep(&self, block: &Block, signal: Signal, column: usize, array: &ArrayRef) {
        if let Some(kept) = self.kept.as_ref().filter(|_| is_kept(signal, column)) {
            lock(kept).insert((block.first_row, block.rows, column), Arc::clone(array));
        }
    }

    fn memory(&self) -> usize {
        // What comes later, without a call here, is counted from the start.
        let rows = if self.kept.is_some() { usize::try_from(self.outline.rows()).unwrap_or(usize::MAX) } else { 0 };
        self.outline.memory()
            + self.outline.blocks().len() * size_of::<(Nanos, Nanos)>()
            + rows.saturating_mul(KEPT_BYTES)
    }
}

/// The index of a file, as those who make it know it.
pub(crate) type Index = Arc<dyn Any + Send + Sync>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    signal: Signal,
    stem: Stem,
    what: What,
}

/// What is kept of a file, each apart: one goes while the other stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// Where its blocks are, in the form with this extension.
    Blocks(&'static str),
    /// Its index.
    Index,
}

#[derive(Clone, Debug)]
enum Value {
    Blocks(Arc<Known>),
    Index(Index),
}

#[derive(Debug)]
struct Entry {
    value: Value,
    /// Bytes of the file, where it does not grow: another file of the same name is another file.
    len: Option<u64>,
    memory: usize,
    used: u64,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    memory: usize,
    uses: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Cache {
    max: usize,
    state: Mutex<State>,
}

impl Cache {
    /// A cache of at most `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { max, state: Mutex::default() }
    }

    /// Bytes it takes now.
    pub fn memory(&self) -> usize {
        lock(&self.state).memory
    }

    pub(crate) fn get(&self, file: &File) -> Option<Arc<Known>> {
        match self.value(key(file), len(file))? {
            Value::Blocks(known) => Some(known),
            Value::Index(_) => None,
        }
    }

    pub(crate) fn put(&self, file: &File, outline: Arc<Outline>) -> Arc<Known> {
        let before = self.value(key(file), len(file));
        let before = match &before {
            Some(Value::Blocks(before)) => Some(&**before),
            _ => None,
        };
        let known = Arc::new(Known::new(outline, file.signal, file.grows(), before));
        self.keep(key(file), len(file), Value::Blocks(Arc::clone(&known)), known.memory());
        known
    }

    /// What [`Cache::put_index`] was given for this file.
    pub(crate) fn index(&self, file: &File) -> Option<Index> {
        match self.value(Key { what: What::Index, ..key(file) }, len(file))? {
            Value::Index(index) => Some(index),
            Value::Blocks(_) => None,
        }
    }

    /// Keeps the index of a file, which takes so many bytes.
    pub(crate) fn put_index(&self, file: &File, index: Index, memory: usize) {
        self.keep(Key { what: What::Index, ..key(file) }, len(file), Value::Index(index), memory);
    }

    /// Forgets the index of a file.
    pub(crate) fn forget_index(&self, file: &File) {
        let mut state = lock(&self.state);
        if let Some(gone) = state.entries.remove(&Key { what: What::Index, ..key(file) }) {
            state.memory -= gone.memory;
        }
    }

    fn value(&self, key: Key, len: Option<u64>) -> Option<Value> {
        let mut state = lock(&self.state);
        state.uses += 1;
        let uses = state.uses;
        let entry = state.entries.get_mut(&key).filter(|entry| entry.len == len)?;
        entry.used = uses;
        Some(entry.value.clone())
    }

    fn keep(&self, key: Key, len: Option<u64>, value: Value, memory: usize) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.uses += 1;
        let entry = Entry { value, len, memory, used: state.uses };
        state.memory += memory;
        if let Some(before) = state.entries.insert(key, entry) {
            state.memory -= before.memory;
        }
        while state.memory > self.max {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| state.entries.remove(&key)) else { break };
            state.memory -= gone.memory;
        }
    }
}

fn key(file: &File) -> Key {
    let what = What::Blocks(file.listed.file.form.extension());
    Key { signal: file.signal, stem: file.stem().clone(), what }
}

fn len(file: &File) -> Option<u64> {
    (!file.grows()).then_some(file.listed.file.len)
}
