//! Keeps the indexes of a directory: reads them when a question wants to know, and has those made that are missing.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::names::{Layout, Stem};
use otlp_arrow_store::{Log, ReadError, sys};

use super::build::build;
use super::contents::{Asked, Contents};
use super::file::{self, Missing, Of};
use crate::filter::Term;
use crate::scan::{Pruned, Pruner, give_way};
use crate::snapshot::{Cache, File};

/// Nobody but the recorder writes indexes where less is free: what is left is for what is recorded.
const LEAST_FREE: u64 = 256 << 20;

/// What is not finished after so long never will be.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// How long the end may take on a slow disk.
const LONGEST_END: Duration = Duration::from_secs(1);

/// The indexes of one directory. What is missing is made in the background, when a question has met the file.
#[derive(Debug, Default)]
pub struct Indexes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was made, or there is nothing more to make.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Files that wait, or whose index could not be kept on disk: they are not tried again.
    known: HashSet<Key>,
    /// The process whose thread works: in a forked child it does not exist.
    working: Option<u64>,
    ended: bool,
}

/// A file is tried again only when it is another one.
type Key = (Signal, Stem, u64);

/// More are not remembered: those before are forgotten, and tried again.
const MOST_KNOWN: usize = 100_000;

#[derive(Debug)]
struct Job {
    log: Log,
    cache: Arc<Cache>,
    file: Arc<File>,
}

impl Drop for Indexes {
    fn drop(&mut self) {
        self.close();
    }
}

impl Pruner for Indexes {
    fn remembered(&self, cache: &Cache, file: &File, terms: &[Term]) -> Option<Pruned> {
        match kept(cache, file)?.prune(terms, None) {
            Asked::Left(pruned) => Some(pruned),
            Asked::Table => None,
        }
    }

    fn prune(&self, log: &Log, cache: &Cache, file: &File, terms: &[Term]) -> Option<Pruned> {
        let contents = match kept(cache, file) {
            Some(contents) => contents,
            None => {
                let contents = Arc::new(read(log, file).ok()?);
                cache.put_index(file, Arc::clone(&contents) as _, contents.memory());
                contents
            }
        };
        let mut wrong = false;
        let mut table = || {
            let table = read_table(log, file, &contents);
            wrong |= table.is_none();
            table
        };
        let asked = contents.prune(terms, Some(&mut table));
        if wrong {
            // It is made anew, for it is damaged or gone.
            cache.forget_index(file);
            return None;
        }
        match asked {
            Asked::Left(pruned) => Some(pruned),
            Asked::Table => None,
        }
    }

    fn opened(&self, log: &Log, cache: &Arc<Cache>, file: &Arc<File>) {
        let job = Job { log: log.clone(), cache: Arc::clone(cache), file: Arc::clone(file) };
        self.0.add(job);
    }

    fn settle(&self, clock: &Clock, deadline: Instant) -> bool {
        let mut state = lock(&self.0.state);
        while state.working == Some(sys::generation()) && !clock.left(deadline).is_zero() {
            state = clock.wait(&self.0.changed, state, deadline);
        }
        state.working != Some(sys::generation())
    }

    fn close(&self) {
        {
            let mut state = lock(&self.0.state);
            state.ended = true;
            state.waiting.clear();
        }
        // Whoever deletes the directory now must not find a new file in it: the thread ends with the block it is at.
        let clock = Clock::system();
        self.settle(&clock, clock.now() + LONGEST_END);
    }
}

fn key(file: &File) -> Key {
    (file.signal, file.stem().clone(), file.listed.file.len)
}

fn kept(cache: &Cache, file: &File) -> Option<Arc<Contents>> {
    cache.index(file)?.downcast().ok()
}

/// The index of a file as it is on the disk.
fn read(log: &Log, file: &File) -> Result<Contents, Missing> {
    let index = log.storage().open(&log.layout().index(file.signal, file.stem())).map_err(|_| Missing::Wrong)?;
    let of = Of::file(log, file).map_err(|_| Missing::Wrong)?;
    file::read(&*index, &of)
}

fn read_table(log: &Log, file: &File, contents: &Contents) -> Option<Vec<u8>> {
    let (range, sum) = contents.table.as_ref()?;
    let index = log.storage().open(&log.layout().index(file.signal, file.stem())).ok()?;
    file::checked_bytes(&*index, range, *sum)
}

impl Shared {
    fn add(self: &Arc<Self>, job: Job) {
        let mut state = lock(&self.state);
        if state.known.len() >= MOST_KNOWN {
            state.known.clear();
        }
        if state.ended || !state.known.insert(key(&job.file)) {
            return;
        }
        state.waiting.push_back(job);
        if state.working != Some(sys::generation()) {
            let shared = Arc::clone(self);
            let thread = std::thread::Builder::new().name("otlp-index".to_owned());
            // Without a thread the next question tries again.
            let started = thread.spawn(move || shared.work()).is_ok();
            state.working = started.then(sys::generation);
        }
    }

    fn work(&self) {
        let _failing = Failing(self);
        give_way();
        let mut cleaned = [false; Signal::ALL.len()];
        while let Some(job) = self.next() {
            if !std::mem::replace(&mut cleaned[job.file.signal.index()], true) {
                remove_unfinished(&job.log, job.file.signal);
            }
            match self.make(&job) {
                Ok(()) => {}
                Err(error) => tracing::debug!(stem = %job.file.stem(), %error, "no index is made of a file"),
            }
        }
    }

    /// The next one; without any the thread has ended.
    fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.working = None;
            self.changed.notify_all();
        }
        next
    }

    fn make(&self, Job { log, cache, file }: &Job) -> Result<(), ReadError> {
        let goes_on = || !lock(&self.state).ended;
        let before = read(log, file);
        if before.is_ok() {
            // Another process was quicker.
            lock(&self.state).known.remove(&key(file));
            return Ok(());
        }
        let open = file.open(log, cache)?;
        // The file that is read may be of another form by now, or another one altogether.
        let of = |error| ReadError::read(&file.listed.file.path, error);
        let is = Of::file(log, file).map_err(of)?;
        let Some((mut contents, table)) = build(&open, &goes_on)? else { return Ok(()) };
        let bytes = file::write(&is, &contents, table);
        // Nothing comes into a directory that was deleted meanwhile.
        let is_there = !log.storage().is_missing(&file.listed.file.path);
        let ours = matches!(before, Err(Missing::Wrong)) && goes_on() && is_there;
        match ours.then(|| save(log, file, &bytes)).transpose() {
            Ok(Some(true)) => {
                contents.table = file::table_of(&bytes);
                // Somebody may delete or damage it.
                lock(&self.state).known.remove(&key(file));
            }
            // It stays in memory, without the table.
            Ok(_) => {}
            Err(error) => tracing::debug!(stem = %file.stem(), %error, "an index cannot be kept on disk"),
        }
        let memory = contents.memory();
        cache.put_index(file, Arc::new(contents), memory);
        Ok(())
    }
}

/// A thread that panics has ended as well.
struct Failing<'a>(&'a Shared);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.state).working = None;
            self.0.changed.notify_all();
        }
    }
}

/// Removes what processes left that ended in the middle of it.
fn remove_unfinished(log: &Log, signal: Signal) {
    let Some(storage) = log.beside(signal) else { return };
    let (dir, now) = (log.layout().index_dir(signal), Clock::system().wall());
    for entry in storage.list(&dir).unwrap_or_default() {
        let old = now.duration_since(entry.modified).is_ok_and(|age| age > UNFINISHED);
        if old && Layout::indexed(&entry.name).is_none() {
            let _ = storage.remove(&dir.join(&entry.name));
        }
    }
}

/// Whether it is there for later questions: not in a directory of somebody else, nor where space is short.
fn save(log: &Log, file: &File, bytes: &[u8]) -> io::Result<bool> {
    let Some(storage) = log.beside(file.signal) else { return Ok(false) };
    if log.writer().is_none() && storage.free_bytes(log.layout().root())? < LEAST_FREE {
        return Ok(false);
    }
    file::save(log, &*storage, file.signal, file.stem(), bytes)?;
    Ok(true)
}
