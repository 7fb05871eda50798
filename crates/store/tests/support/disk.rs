//! `Storage` in memory, with seeded faults and a moment at which a process dies.
//!
//! Whether an operation fails depends on the seed, the kind of operation and how many of that kind came before, so a
//! schedule that runs its operations in the same order meets the same faults.

#![allow(clippy::print_stderr, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otlp_arrow_testkit::rng::Rng;

use super::power::Pages;
pub use super::process::Process;

/// A kind of operation, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    CreateDir,
    Create,
    Open,
    Rename,
    Remove,
    List,
    SyncDir,
    Lock,
    Append,
    Truncate,
    Sync,
    Read,
}

/// How often what fails.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// One in so many operations of a kind fails.
    pub one_in: BTreeMap<Op, u64>,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Dir,
    File(u64),
}

/// The disk: what processes see, and what would survive a power cut.
#[derive(Debug)]
pub struct Disk(Mutex<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) seed: u64,
    pub(super) faults: Faults,
    pub(super) counts: HashMap<Op, u64>,
    pub(super) injected: BTreeMap<Op, u64>,
    /// Entries as they are, and as they were last synced.
    pub(super) entries: BTreeMap<PathBuf, Node>,
    pub(super) synced: BTreeMap<PathBuf, Node>,
    pub(super) files: HashMap<u64, Pages>,
    /// Names, without extension, of files of which the last form was deleted.
    pub(super) deleted: BTreeSet<String>,
    pub(super) next_file: u64,
    pub(super) locks: HashMap<u64, u64>,
    pub(super) next_process: u64,
    pub(super) alive: BTreeMap<u64, bool>,
    /// Operations until the process that does the last of them dies in it.
    pub(super) fuse: Option<u64>,
    pub(super) free: u64,
}

impl Disk {
    /// An empty disk with the durable directory `/out`.
    pub fn new(seed: u64) -> Arc<Self> {
        let root: BTreeMap<_, _> = [(PathBuf::from("/out"), Node::Dir)].into();
        Arc::new(Self(Mutex::new(State {
            seed,
            faults: Faults::default(),
            counts: HashMap::new(),
            injected: BTreeMap::new(),
            synced: root.clone(),
            entries: root,
            files: HashMap::new(),
            deleted: BTreeSet::new(),
            next_file: 1,
            locks: HashMap::new(),
            next_process: 1,
            alive: BTreeMap::new(),
            fuse: None,
            free: 1 << 40,
        })))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Lets everything succeed; the faults that were in force.
    pub fn pause_faults(&self) -> (Faults, Option<u64>) {
        let mut state = self.state();
        (std::mem::take(&mut state.faults), state.fuse.take())
    }

    /// Puts faults in force again.
    pub fn resume_faults(&self, (faults, fuse): (Faults, Option<u64>)) {
        let mut state = self.state();
        (state.faults, state.fuse) = (faults, fuse);
    }

    /// Operations that failed on purpose so far, by kind.
    pub fn injected(&self) -> BTreeMap<Op, u64> {
        self.state().injected.clone()
    }

    /// Whether somebody deleted the last file of this name, whatever its extension.
    pub fn is_deleted(&self, stem: &str) -> bool {
        self.state().deleted.contains(stem)
    }

    /// Free bytes from now on.
    pub fn set_free(&self, free: u64) {
        self.state().free = free;
    }

    /// The process that does the operation after `operations` more dies in the middle of it.
    pub fn light_fuse(&self, operations: u64) {
        self.state().fuse = Some(operations);
    }

    /// A process that uses this disk.
    pub fn process(self: &Arc<Self>) -> Arc<Process> {
        let mut state = self.state();
        let id = state.next_process;
        state.next_process += 1;
        state.alive.insert(id, true);
        Arc::new(Process::new(Arc::clone(self), id))
    }

    /// Ends every process: what they wrote stays, their locks go.
    pub fn kill_all(&self) {
        let mut state = self.state();
        state.fuse = None;
        state.alive.values_mut().for_each(|alive| *alive = false);
        state.locks.clear();
    }

    /// Ends every process and loses what was not synced, page by page and entry by entry.
    pub fn cut_power(&self, rng: &mut Rng) {
        self.kill_all();
        let state = &mut *self.state();
        let mut paths: Vec<_> = state.entries.keys().chain(state.synced.keys()).cloned().collect();
        paths.sort();
        paths.dedup();
        let mut after: BTreeMap<PathBuf, Node> = BTreeMap::new();
        for path in paths {
            let (old, new) = (state.synced.get(&path).copied(), state.entries.get(&path).copied());
            let survivor = if old == new || rng.one_in(2) { new } else { old };
            let parent = path.parent().is_none_or(|parent| parent == Path::new("/") || after.contains_key(parent));
            if let Some(node) = survivor.filter(|_| parent) {
                after.insert(path, node);
            }
        }
        state.entries = after.clone();
        state.synced = after;
        let mut ids: Vec<_> = state.files.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(file) = state.files.get_mut(&id) {
                file.cut_power(rng);
            }
        }
    }

    /// Every file with its content.
    pub fn dump(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        let files = state.entries.iter().filter_map(|(path, node)| match node {
            Node::File(id) => Some((path.clone(), state.files.get(id)?.bytes.clone())),
            Node::Dir => None,
        });
        files.collect()
    }
}

pub(super) fn eio() -> io::Error {
    io::Error::other("injected: input/output error")
}

impl State {
    /// Counts an operation of `process`: the error it fails with, and whether it dies in it.
    pub(super) fn begin(&mut self, process: u64, op: Op) -> Result<(), Stop> {
        if !self.alive.get(&process).copied().unwrap_or(false) {
            return Err(Stop::Dead);
        }
        let count = self.counts.entry(op).or_default();
        *count += 1;
        let mut rng = Rng::new(self.seed ^ ((op as u64) << 56) ^ count.wrapping_mul(0x9E37_79B9));
        match &mut self.fuse {
            Some(0) => {
                self.fuse = None;
                self.alive.insert(process, false);
                self.locks.retain(|_, owner| *owner != process);
                return Err(Stop::Dies(rng));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        match self.faults.one_in.get(&op) {
            Some(one_in) if rng.one_in(*one_in) => {
                *self.injected.entry(op).or_default() += 1;
                Err(Stop::Fails(rng))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn parent_exists(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if self.entries.get(parent) == Some(&Node::Dir) => Ok(()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.entries.get(path) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Dir) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn pages(&mut self, id: u64) -> &mut Pages {
        self.files.entry(id).or_default()
    }

    /// Deletes a file's name.
    pub(super) fn remove(&mut self, path: &Path) {
        self.entries.remove(path);
        let forms = ["arrow", "arrows"].map(|extension| path.with_extension(extension));
        if let Some(stem) = path.file_stem().filter(|_| forms.iter().all(|form| !self.entries.contains_key(form))) {
            self.deleted.insert(stem.to_string_lossy().into_owned());
        }
    }

    pub(super) fn new_file(&mut self, path: &Path) -> u64 {
        let id = self.next_file;
        self.next_file += 1;
        self.files.insert(id, Pages::default());
        self.entries.insert(path.to_owned(), Node::File(id));
        id
    }
}

/// Prints an operation where `OTLP_ARROW_TRACE` asks for it.
pub fn trace(process: u64, op: Op, path: &Path, outcome: &str) {
    if std::env::var_os("OTLP_ARROW_TRACE").is_some() {
        let name = path.strip_prefix("/out/telemetry").unwrap_or(path);
        eprintln!("process {process}: {op:?} {} -> {outcome}", name.display());
    }
}

/// Why an operation does not happen as asked.
pub(super) enum Stop {
    /// The process is dead already.
    Dead,
    /// The process dies now; the operation may have happened in part.
    Dies(Rng),
    /// The operation fails; it may have happened in part.
    Fails(Rng),
}

impl Stop {
    /// The error, and whether the operation, one that happens as a whole or not at all, happened all the same.
    pub(super) fn whole(self) -> (io::Error, bool) {
        match self {
            Stop::Dead => (eio(), false),
            Stop::Dies(mut rng) => (eio(), rng.one_in(2)),
            Stop::Fails(mut rng) => (if rng.one_in(2) { eio() } else { ErrorKind::StorageFull.into() }, false),
        }
    }
}
