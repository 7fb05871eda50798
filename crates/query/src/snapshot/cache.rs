//! What is kept of files between questions: where their blocks are, their dictionaries, and the time of each block. Bounded;
//! what was not used for the longest time goes first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::Outline;
use otlp_arrow_store::names::Stem;

use super::file::File;
use crate::filter::Nanos;

/// What is known of one file in one form.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) outline: Arc<Outline>,
    /// The earliest and the latest time of each block, once somebody had to read them.
    pub(crate) times: OnceLock<Arc<[(Nanos, Nanos)]>>,
}

impl Known {
    fn memory(&self) -> usize {
        // The times are counted from the start: they come later, without a call here.
        self.outline.memory() + self.outline.blocks().len() * size_of::<(Nanos, Nanos)>()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    signal: Signal,
    stem: Stem,
    extension: &'static str,
}

#[derive(Debug)]
struct Entry {
    known: Arc<Known>,
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
        let mut state = lock(&self.state);
        state.uses += 1;
        let uses = state.uses;
        let entry = state.entries.get_mut(&key(file)).filter(|entry| entry.len == len(file))?;
        entry.used = uses;
        Some(Arc::clone(&entry.known))
    }

    pub(crate) fn put(&self, file: &File, outline: Arc<Outline>) -> Arc<Known> {
        let known = Arc::new(Known { outline, times: OnceLock::new() });
        let memory = known.memory();
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.uses += 1;
        let entry = Entry { known: Arc::clone(&known), len: len(file), memory, used: state.uses };
        state.memory += memory;
        if let Some(before) = state.entries.insert(key(file), entry) {
            state.memory -= before.memory;
        }
        while state.memory > self.max {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| state.entries.remove(&key)) else { break };
            state.memory -= gone.memory;
        }
        known
    }
}

fn key(file: &File) -> Key {
    Key { signal: file.signal, stem: file.stem().clone(), extension: file.listed.file.form.extension() }
}

fn len(file: &File) -> Option<u64> {
    (!file.grows()).then_some(file.listed.file.len)
}
