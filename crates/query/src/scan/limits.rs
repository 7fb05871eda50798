//! What stops a question, and the memory that all of them share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::lock::lock;
use serde::Serialize;

/// Why a question ended before everything was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// The wanted number of rows was found: the cursor goes on from there.
    Limit,
    /// An answer may have no more rows (`query.max_rows`).
    MaxRows,
    /// It took too long (`query.timeout`).
    Timeout,
    /// There was no more memory for it (`query.max_memory`).
    Memory,
    /// Who asked does not want to know any more.
    Cancelled,
}

impl Stop {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Stop::Limit => "limit",
            Stop::MaxRows => "max_rows",
            Stop::Timeout => "timeout",
            Stop::Memory => "memory",
            Stop::Cancelled => "cancelled",
        }
    }
}

/// Ends a question from another thread.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The question ends with the block it is at.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Memory that questions reserve before they use it.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    max: usize,
}

impl Memory {
    pub(crate) fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// Bytes that are reserved now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes`, if they are there.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Lets so many questions in at once; the others wait.
#[derive(Debug)]
pub(crate) struct Gate {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A place at the gate.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(places: usize) -> Self {
        Self { free: Mutex::new(places.max(1)), changed: Condvar::new() }
    }

    /// Waits for a place; `None` if none is free at the deadline.
    pub(crate) fn enter(&self, clock: &Clock, deadline: Instant) -> Option<Place<'_>> {
        let mut free = lock(&self.free);
        while *free == 0 {
            if clock.left(deadline).is_zero() {
                return None;
            }
            free = clock.wait(&self.changed, free, deadline);
        }
        *free -= 1;
        Some(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *lock(&self.0.free) += 1;
        self.0.changed.notify_one();
    }
}
