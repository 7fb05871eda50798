//! `Storage` in memory, with seeded faults and a moment at which a process dies.
//!
//! Whether an operation fails depends on the seed, the kind of operation and how many of that kind came before, so a
//! schedule that runs its operations in the same order meets the same faults.

#![allow(clippy::print_stderr, reason = "tests")]

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use otlp_arrow::store::storage::{Entry, FileLock, ReadFile, Storage, WriteFile};
use otlp_arrow_testkit::rng::Rng;

use super::power::Pages;

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
struct State {
    seed: u64,
    faults: Faults,
    counts: HashMap<Op, u64>,
    injected: BTreeMap<Op, u64>,
    /// Entries as they are, and as they were last synced.
    entries: BTreeMap<PathBuf, Node>,
    synced: BTreeMap<PathBuf, Node>,
    files: HashMap<u64, Pages>,
    next_file: u64,
    locks: HashMap<u64, u64>,
    next_process: u64,
    alive: BTreeMap<u64, bool>,
    /// Operations until the process that does the last of them dies in it.
    fuse: Option<u64>,
    free: u64,
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
            next_file: 1,
            locks: HashMap::new(),
            next_process: 1,
            alive: BTreeMap::new(),
            fuse: None,
            free: 1 << 40,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
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
        Arc::new(Process { disk: Arc::clone(self), id })
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

fn eio() -> io::Error {
    io::Error::other("injected: input/output error")
}

impl State {
    /// Counts an operation of `process`: the error it fails with, and whether it dies in it.
    fn begin(&mut self, process: u64, op: Op) -> Result<(), Stop> {
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

    fn parent_exists(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(parent) if self.entries.get(parent) == Some(&Node::Dir) => Ok(()),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        match self.entries.get(path) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Dir) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn pages(&mut self, id: u64) -> &mut Pages {
        self.files.entry(id).or_default()
    }

    fn new_file(&mut self, path: &Path) -> u64 {
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
enum Stop {
    /// The process is dead already.
    Dead,
    /// The process dies now; the operation may have happened in part.
    Dies(Rng),
    /// The operation fails; it may have happened in part.
    Fails(Rng),
}

impl Stop {
    /// The error, and whether the operation, one that happens as a whole or not at all, happened all the same.
    fn whole(self) -> (io::Error, bool) {
        match self {
            Stop::Dead => (eio(), false),
            Stop::Dies(mut rng) => (eio(), rng.one_in(2)),
            Stop::Fails(mut rng) => (if rng.one_in(2) { eio() } else { ErrorKind::StorageFull.into() }, false),
        }
    }
}

/// One process and its view of the disk.
#[derive(Clone)]
pub struct Process {
    disk: Arc<Disk>,
    id: u64,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({})", self.id)
    }
}

impl Process {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it has not died.
    pub fn is_alive(&self) -> bool {
        self.disk.state().alive.get(&self.id).copied().unwrap_or(false)
    }

    /// Ends it: what it wrote stays, its locks go.
    pub fn kill(&self) {
        let mut state = self.disk.state();
        state.alive.insert(self.id, false);
        let id = self.id;
        state.locks.retain(|_, owner| *owner != id);
    }

    /// Runs an operation that happens as a whole or not at all.
    fn whole<T>(&self, op: Op, path: &Path, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        match state.begin(self.id, op) {
            Ok(()) => {
                let done = act(&mut state);
                trace(self.id, op, path, &done.as_ref().err().map_or_else(|| "ok".to_owned(), ToString::to_string));
                done
            }
            Err(stop) => {
                let (error, happened) = stop.whole();
                trace(self.id, op, path, &format!("{error}{}", if happened { ", but it happened" } else { "" }));
                if happened {
                    let _ = act(&mut state);
                }
                Err(error)
            }
        }
    }
}

impl Storage for Process {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.whole(Op::CreateDir, dir, |state| {
            for dir in dir.ancestors().filter(|dir| *dir != Path::new("/")) {
                state.entries.entry(dir.to_owned()).or_insert(Node::Dir);
            }
            Ok(())
        })
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let id = self.whole(Op::Create, path, |state| {
            state.parent_exists(path)?;
            if state.entries.contains_key(path) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Ok(state.new_file(path))
        })?;
        Ok(Box::new(Handle { process: self.clone(), path: path.to_owned(), file: id }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let id = self.whole(Op::Open, path, |state| state.file(path))?;
        Ok(Box::new(Handle { process: self.clone(), path: path.to_owned(), file: id }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(Op::Rename, to, |state| {
            let file = state.file(from)?;
            state.parent_exists(to)?;
            if state.entries.contains_key(to) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.entries.remove(from);
            state.entries.insert(to.to_owned(), Node::File(file));
            Ok(())
        })
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(Op::Rename, to, |state| {
            let file = state.file(from)?;
            state.parent_exists(to)?;
            state.entries.remove(from);
            state.entries.insert(to.to_owned(), Node::File(file));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole(Op::Remove, path, |state| {
            state.file(path)?;
            state.entries.remove(path);
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.whole(Op::List, dir, |state| {
            let mut found = Vec::new();
            for (path, node) in &state.entries {
                if let (Node::File(id), Some(name)) = (node, path.file_name())
                    && path.parent() == Some(dir)
                {
                    found.push(Entry {
                        name: name.to_string_lossy().into_owned(),
                        len: state.files.get(id).map_or(0, |file| file.bytes.len() as u64),
                        modified: SystemTime::UNIX_EPOCH + Duration::from_secs(*id),
                    });
                }
            }
            Ok(found)
        })
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.whole(Op::List, dir, |state| {
            let dirs =
                state.entries.iter().filter(|(path, node)| matches!(node, Node::Dir) && path.parent() == Some(dir));
            Ok(dirs.filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.whole(Op::SyncDir, dir, |state| {
            let State { entries, synced, .. } = state;
            let inside = |path: &PathBuf| path.parent() == Some(dir);
            synced.retain(|path, _| !inside(path));
            synced.extend(entries.iter().filter(|(path, _)| inside(path)).map(|(path, node)| (path.clone(), *node)));
            Ok(())
        })
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.disk.state().free)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let file = self.whole(Op::Lock, path, |state| {
            state.parent_exists(path)?;
            let file = match state.file(path) {
                Ok(file) => file,
                Err(_) => state.new_file(path),
            };
            if state.locks.contains_key(&file) {
                return Ok(None);
            }
            state.locks.insert(file, self.id);
            Ok(Some(file))
        })?;
        let lock = |file| Box::new(Lock { process: self.clone(), path: path.to_owned(), file }) as Box<dyn FileLock>;
        Ok(file.map(lock))
    }
}

/// A lock on a file in memory.
#[derive(Debug)]
struct Lock {
    process: Process,
    path: PathBuf,
    file: u64,
}

impl FileLock for Lock {
    fn remove(self: Box<Self>) -> io::Result<()> {
        self.process.whole(Op::Remove, &self.path, |state| {
            if state.entries.get(&self.path) == Some(&Node::File(self.file)) {
                state.entries.remove(&self.path);
            }
            Ok(())
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.process.disk.state();
        if state.locks.get(&self.file) == Some(&self.process.id) {
            state.locks.remove(&self.file);
        }
    }
}

/// An open file.
#[derive(Debug)]
struct Handle {
    process: Process,
    path: PathBuf,
    file: u64,
}

impl WriteFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.process.disk.state();
        match state.begin(self.process.id, Op::Append) {
            Ok(()) => {
                state.pages(self.file).append(bytes);
                trace(self.process.id, Op::Append, &self.path, &format!("{} bytes", bytes.len()));
                Ok(())
            }
            Err(stop) => {
                // A short write, sometimes of nothing; of everything only if nobody is there to be told.
                let (mut rng, most) = match stop {
                    Stop::Dies(rng) => (rng, bytes.len() + 1),
                    Stop::Dead => return Err(eio()),
                    Stop::Fails(rng) => (rng, bytes.len()),
                };
                let len = [0, most.saturating_sub(1), rng.index(most)][rng.index(3)];
                state.pages(self.file).append(&bytes[..len]);
                trace(
                    self.process.id,
                    Op::Append,
                    &self.path,
                    &format!("{len} of {} bytes, then an error", bytes.len()),
                );
                Err(if rng.one_in(2) { eio() } else { ErrorKind::StorageFull.into() })
            }
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let file = self.file;
        self.process.whole(Op::Truncate, &self.path, |state| {
            state.pages(file).truncate(len as usize);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.process.disk.state();
        match state.begin(self.process.id, Op::Sync) {
            Ok(()) => {
                state.pages(self.file).sync();
                trace(self.process.id, Op::Sync, &self.path, "ok");
                Ok(())
            }
            Err(Stop::Dead) => Err(eio()),
            Err(Stop::Dies(_)) => Err(eio()),
            Err(Stop::Fails(mut rng)) => {
                state.pages(self.file).fail_sync(&mut rng);
                trace(self.process.id, Op::Sync, &self.path, "failed");
                Err(eio())
            }
        }
    }
}

impl ReadFile for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.process.disk.state();
        Ok(state.pages(self.file).bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = self.file;
        let mut copied = 0;
        self.process.whole(Op::Read, &self.path, |state| {
            let bytes = &state.pages(file).bytes;
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            copied = rest.len().min(buffer.len());
            buffer[..copied].copy_from_slice(&rest[..copied]);
            Ok(())
        })?;
        Ok(copied)
    }
}
