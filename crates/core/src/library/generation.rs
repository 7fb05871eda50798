//! Fork generations: a forked child has the parent's handle, but none of its threads, and opens a recorder of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::additions::Additions;
use super::running::Running;
use crate::config::Config;
use crate::error::Result;
use crate::store::sys;

/// What every clone of a library shares, in the process that opened it and in those forked from it.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) config: Config,
    additions: Additions,
    closed: Arc<AtomicBool>,
    first: ForkGeneration,
}

/// The recorder in one process; a forked child makes the next one.
#[derive(Debug)]
struct ForkGeneration {
    number: u64,
    running: Arc<Running>,
    next: OnceLock<Box<ForkGeneration>>,
}

/// What belongs to the parent process is never ended in a child: its threads do not exist here, its locks may be held.
impl Drop for ForkGeneration {
    fn drop(&mut self) {
        if self.number != sys::generation() {
            std::mem::forget(Arc::clone(&self.running));
        }
    }
}

impl Root {
    pub(super) fn open(config: Config, additions: Additions) -> Result<Self> {
        let closed = Arc::new(AtomicBool::new(false));
        let running = Running::open(&config, &additions, Arc::clone(&closed))?;
        let first = ForkGeneration { number: sys::generation(), running: Arc::new(running), next: OnceLock::new() };
        Ok(Self { config, additions, closed, first })
    }

    /// The recorder of this process.
    pub(super) fn running(&self) -> &Running {
        let number = sys::generation();
        let mut generation = &self.first;
        while generation.number != number {
            generation = generation.next.get_or_init(|| {
                let running = Running::in_child(&self.config, &self.additions, Arc::clone(&self.closed));
                Box::new(ForkGeneration { number, running: Arc::new(running), next: OnceLock::new() })
            });
        }
        &generation.running
    }

    /// The same, unless it has not begun in this process.
    pub(super) fn running_here(&self) -> Option<&Running> {
        let number = sys::generation();
        let mut generation = &self.first;
        while generation.number != number {
            generation = generation.next.get()?;
        }
        Some(&generation.running)
    }

    /// Whether a shutdown has begun.
    pub(super) fn closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Refuses new data from now on.
    pub(super) fn set_closed(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}
