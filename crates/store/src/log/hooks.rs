//! What others may hang onto the store: to see commits as they happen, and to keep files a little longer.

use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::Signal;

use super::handle::Log;
use crate::disk::names::{Stem, WriterId};
use crate::disk::storage::FileLock;

/// One commit, just written at the configured durability.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Which signal.
    pub signal: Signal,
    /// The file.
    pub stem: Stem,
    /// Position of its first row in the file.
    pub first_row: u64,
    /// Rows of the commit: the sum over its requests.
    pub rows: u64,
    /// The requests in row order.
    pub requests: Vec<CommittedRequest>,
}

/// One request of a commit.
#[derive(Clone, Debug)]
pub struct CommittedRequest {
    /// OTLP protobuf bytes as they came, where they say the same as the rows. `None` where a record of them was refused,
    /// and where the rows did not come as OTLP: then the rows are the only source.
    pub bytes: Option<Bytes>,
    /// Rows it added.
    pub rows: u64,
    /// The recorders it came through.
    pub hops: Hops,
}

/// Sees every commit. Called on the commit thread: it must not block, and it bounds the memory it keeps by itself.
pub trait CommitHook: Send + Sync {
    /// A commit is done.
    fn committed(&self, commit: &Committed);
}

/// Sees every file that this process seals in the background. Called on the sealing thread, when the file is there for everybody
/// and its stream is gone: what takes long here makes others wait to be sealed.
pub trait SealHook: Send + Sync {
    /// `stem` is sealed. Returns how many bytes this one has written to the directory because of it.
    fn sealed(&self, log: &Log, signal: Signal, stem: &Stem) -> u64;
}

/// Somebody who still needs rows; retention deletes such files last, and announces the loss.
pub trait RetentionHold: Send + Sync {
    /// The first row of `stem` that is still needed; `None` if none is. Asked for every file at every sweep.
    fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64>;

    /// Retention has deleted `stem`, of which this one still needed `rows`. Returns how many of them it cannot have any
    /// more: less, if some are in its hands already.
    fn evicted(&self, signal: Signal, stem: &Stem, rows: u64) -> u64;

    /// Whether [`RetentionHold::evicted`] announces the loss itself: then nobody else does.
    fn announces_evictions(&self) -> bool {
        false
    }

    /// A dead writer's files are ours now; whoever has work left with them keeps a clone, and with it the lock.
    fn adopted(&self, writer: &Arc<AdoptedWriter>) {
        let _ = writer;
    }

    /// Whether rows of this writer are still to be worked on: then its lock file stays when nobody holds it.
    fn keeps_writer(&self, writer: WriterId) -> bool {
        let _ = writer;
        false
    }
}

/// A dead writer whose files this process maintains, as long as this exists.
#[derive(Debug)]
pub struct AdoptedWriter {
    id: WriterId,
    lock: Box<dyn FileLock>,
}

impl AdoptedWriter {
    /// The dead writer `id`, whose lock is held.
    pub fn new(id: WriterId, lock: Box<dyn FileLock>) -> Arc<Self> {
        Arc::new(Self { id, lock })
    }

    /// Takes the dead writer `id` over. `None` while somebody holds it: then it is alive, or taken over already.
    pub fn take(log: &Log, id: WriterId) -> Option<Arc<Self>> {
        let lock = log.storage().try_lock(&log.layout().writer_lock(id)).ok().flatten()?;
        Some(Self::new(id, lock))
    }

    /// Which writer.
    pub fn id(&self) -> WriterId {
        self.id
    }

    /// Ends it for good: nobody needs anything of it any more.
    pub fn remove(self) -> io::Result<()> {
        self.lock.remove()
    }
}

/// Everything that hangs onto one store.
#[derive(Default)]
pub struct Hooks {
    commits: RwLock<Vec<Arc<dyn CommitHook>>>,
    seals: RwLock<Vec<Arc<dyn SealHook>>>,
    holds: RwLock<Vec<Arc<dyn RetentionHold>>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Hooks {
    pub(crate) fn on_commit(&self, hook: Arc<dyn CommitHook>) {
        self.commits.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    pub(crate) fn on_seal(&self, hook: Arc<dyn SealHook>) {
        self.seals.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    pub(crate) fn seal_hooks(&self) -> Vec<Arc<dyn SealHook>> {
        self.seals.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add_hold(&self, hold: Arc<dyn RetentionHold>) {
        self.holds.write().unwrap_or_else(PoisonError::into_inner).push(hold);
    }

    pub(crate) fn remove_hold(&self, hold: &Arc<dyn RetentionHold>) {
        self.holds.write().unwrap_or_else(PoisonError::into_inner).retain(|known| !Arc::ptr_eq(known, hold));
    }

    /// The hooks, and nothing is built for nobody.
    pub fn commit_hooks(&self) -> Vec<Arc<dyn CommitHook>> {
        self.commits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn holds(&self) -> Vec<Arc<dyn RetentionHold>> {
        self.holds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
