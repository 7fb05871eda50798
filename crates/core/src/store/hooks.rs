//! What others may hang onto the store: to see commits as they happen, and to keep files a little longer.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use otlp_arrow_columns::Signal;

use super::names::Stem;

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
    /// The OTLP protobuf bytes as they came.
    pub bytes: Bytes,
    /// Rows it added.
    pub rows: u64,
    /// Whether all of its records were kept: only then the bytes say the same as the rows.
    pub whole: bool,
}

/// Sees every commit. Called on the commit thread: it must not block, and it bounds the memory it keeps by itself.
pub trait CommitHook: Send + Sync {
    /// A commit is done.
    fn committed(&self, commit: &Committed);
}

/// Somebody who still needs rows; retention deletes such files last, and announces the loss.
pub trait Needs: Send + Sync {
    /// Rows of `stem`, of `rows` in all, that are still needed.
    fn needed_rows(&self, signal: Signal, stem: &Stem, rows: u64) -> u64;

    /// Retention has deleted `stem`, of which `rows` were still needed.
    fn evicted(&self, signal: Signal, stem: &Stem, rows: u64);
}

/// Everything that hangs onto one store.
#[derive(Default)]
pub(crate) struct Hooks {
    commits: RwLock<Vec<Arc<dyn CommitHook>>>,
    needs: RwLock<Vec<Arc<dyn Needs>>>,
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

    pub(crate) fn add_needs(&self, needs: Arc<dyn Needs>) {
        self.needs.write().unwrap_or_else(PoisonError::into_inner).push(needs);
    }

    /// The hooks, and nothing is built for nobody.
    pub(crate) fn commit_hooks(&self) -> Vec<Arc<dyn CommitHook>> {
        self.commits.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn needs(&self) -> Vec<Arc<dyn Needs>> {
        self.needs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
