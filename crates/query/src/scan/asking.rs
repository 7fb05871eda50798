//! One question on its way: its snapshot, its deadline, its memory, and what was searched.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use otlp_arrow_base::PerSignal;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::names::Stem;

use super::engine::Engine;
use super::limits::{Cancel, Place, Stop};
use crate::filter::Nanos;
use crate::snapshot::{File, Files};

/// What one question may take beside the limits of the directory.
#[derive(Clone, Default)]
pub struct AskOptions {
    /// Less time than `query.timeout`.
    pub timeout: Option<Duration>,
    /// Ends it from outside.
    pub cancel: Cancel,
    /// Told now and then how far it is, from a thread of the question.
    pub progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

impl fmt::Debug for AskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskOptions")
            .field("timeout", &self.timeout)
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
    }
}

/// How far a question is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were searched or ruled out.
    pub rows: u64,
    /// Rows there are, as far as that is known.
    pub of: u64,
}

/// What was searched, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Rows that were looked at or ruled out, of each signal those of the scan that saw most.
    rows: PerSignal<AtomicU64>,
    /// Files that were looked at or ruled out.
    files: Mutex<BTreeSet<(Signal, Stem)>>,
    /// Files that could not be read, or not to their end, and why.
    pub(crate) skipped: Mutex<Vec<(String, String)>>,
    /// The times between which rows may be that nobody looked at.
    pub(crate) unsearched: Mutex<Option<(Nanos, Nanos)>>,
}

/// One question on its way.
pub struct Asking<'a> {
    pub(crate) engine: &'a Engine,
    files: Files,
    now: Nanos,
    deadline: Instant,
    options: &'a AskOptions,
    stop: OnceLock<Stop>,
    held: AtomicUsize,
    pub(crate) tally: Tally,
    /// Given back with the question.
    _place: Place<'a>,
}

impl fmt::Debug for Asking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking").field("tally", &self.tally).field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl<'a> Asking<'a> {
    /// Waits for its turn. UNAVAILABLE where that does not come in time.
    pub fn begin(engine: &'a Engine, options: &'a AskOptions) -> Result<Self> {
        engine.check_open()?;
        let timeout = options.timeout.unwrap_or(engine.limits.timeout).min(engine.limits.timeout);
        let deadline = engine.clock.now() + timeout;
        let place = engine.gate.enter(&engine.clock, deadline).ok_or_else(|| engine.too_many())?;
        engine.check_open()?;
        engine.source.flush()?;
        let files = Files::new(engine.source.log());
        Ok(Self {
            engine,
            files,
            now: engine.now(),
            deadline,
            options,
            stop: OnceLock::new(),
            held: AtomicUsize::new(0),
            tally: Tally::default(),
            _place: place,
        })
    }

    /// The files, as they were when the question was asked.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// What all questions to the directory share.
    pub fn engine(&self) -> &Engine {
        self.engine
    }

    /// When it was asked.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// The most rows that the answer may have, of those that were wanted.
    pub fn rows_of(&self, wanted: Option<usize>, usual: usize) -> usize {
        wanted.unwrap_or(usual).min(self.engine.limits.max_rows)
    }

    /// Ends the question; the first reason counts.
    pub fn stop(&self, why: Stop) {
        let _ = self.stop.set(why);
    }

    /// Why it ended early, if it did.
    pub fn stopped(&self) -> Option<Stop> {
        self.stop.get().copied()
    }

    /// Whether to go on: not after the deadline, nor where nobody wants to know any more.
    pub fn goes_on(&self) -> bool {
        if self.options.cancel.is_cancelled() || self.engine.is_closed() {
            self.stop(Stop::Cancelled);
        } else if self.engine.clock.left(self.deadline).is_zero() {
            self.stop(Stop::Timeout);
        }
        self.stopped().is_none()
    }

    /// Reserves memory until the question is answered; without it the question stops.
    pub fn hold(&self, bytes: usize) -> bool {
        let held = self.engine.memory.take(bytes);
        if held {
            self.held.fetch_add(bytes, Ordering::Relaxed);
        } else {
            self.stop(Stop::Memory);
        }
        held
    }

    /// Gives back some of what was reserved.
    pub(crate) fn release(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.engine.memory.give_back(bytes);
    }

    /// Reserves memory for a while.
    pub(crate) fn borrow(&self, bytes: usize) -> Option<Borrowed<'_>> {
        if !self.engine.memory.take(bytes) {
            self.stop(Stop::Memory);
            return None;
        }
        Some(Borrowed { engine: self.engine, bytes })
    }

    /// A file that could not be read, or not to its end.
    pub(crate) fn skip(&self, file: &File, why: &str) {
        let name = file.listed.file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut skipped = lock(&self.tally.skipped);
        if !skipped.iter().any(|(known, _)| *known == name) {
            skipped.push((name, why.to_owned()));
        }
    }

    /// Nobody looked at rows between these times.
    pub(crate) fn left_out(&self, (from, to): (Nanos, Nanos)) {
        let mut unsearched = lock(&self.tally.unsearched);
        *unsearched = Some(unsearched.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
    }

    pub(crate) fn progress(&self, rows: u64, of: u64) {
        if let Some(progress) = &self.options.progress {
            progress(Progress { rows, of });
        }
    }
}

impl Tally {
    /// A scan has come to a file.
    pub(crate) fn file(&self, file: &File) {
        lock(&self.files).insert((file.signal, file.stem().clone()));
    }

    /// A scan of this signal has gone through so many rows.
    pub(crate) fn went_through(&self, signal: Signal, rows: u64) {
        self.rows[signal].fetch_max(rows, Ordering::Relaxed);
    }

    /// Rows of all signals, and files.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let rows = self.rows.values().map(|rows| rows.load(Ordering::Relaxed)).sum();
        (rows, lock(&self.files).len() as u64)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.engine.memory.give_back(*self.held.get_mut());
    }
}

/// Memory that is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Borrowed<'a> {
    engine: &'a Engine,
    bytes: usize,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        self.engine.memory.give_back(self.bytes);
    }
}
