//! Rotated files on their way to their sealed form: the queue, and the thread that works it off.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;

use super::context::{Context, lock};
use super::names::Stem;
use crate::error::{Code, OtlpError, Result};

/// With so many files waiting, sealing no longer yields to ingest.
const NO_YIELD: usize = 4;
/// With so many files waiting, new data is refused.
const NO_ROOM: usize = 16;
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Over this time it is measured whether ingest is busy.
const LOOK: Duration = Duration::from_millis(100);

/// A closed live file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    pub(crate) signal: Signal,
    pub(crate) stem: Stem,
    /// Bytes up to the end of the last commit.
    pub(crate) len: u64,
    /// Rows up to there.
    pub(crate) rows: u64,
}

/// Files waiting to be sealed.
#[derive(Debug, Default)]
pub(crate) struct SealQueue {
    waiting: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: VecDeque<Rotated>,
    running: bool,
    /// Seal without yielding, until this moment, then end.
    closing: Option<Instant>,
}

impl SealQueue {
    /// Hands over a file; the thread starts with the first one.
    pub(crate) fn push(&self, ctx: &Arc<Context>, file: Rotated) {
        let mut state = lock(&self.state);
        state.files.push_back(file);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if !state.running {
            let ctx = Arc::clone(ctx);
            let thread = std::thread::Builder::new().name("otlp-seal".into()).stack_size(1 << 20);
            // Without a thread the file stays as it is, complete and readable, and the next push tries again.
            state.running = thread.spawn(move || ctx.seals.run(&ctx)).is_ok();
        }
        self.wake.notify_one();
    }

    /// STORAGE_FULL while too many files wait.
    pub(crate) fn check_room(&self) -> Result<()> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting < NO_ROOM {
            return Ok(());
        }
        let message =
            format!("{waiting} files wait to be sealed: data comes faster than it can be compressed, send again");
        Err(OtlpError::new(Code::StorageFull, message))
    }

    /// Files that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Seals what waits until `deadline`; the number of files that are left.
    pub(crate) fn close(&self, deadline: Instant) -> usize {
        let mut state = lock(&self.state);
        state.closing = Some(deadline);
        self.wake.notify_all();
        while state.running {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.waiting()
    }

    fn run(&self, ctx: &Context) {
        while let Some(file) = self.next(ctx) {
            match super::seal::seal(ctx, &file) {
                Ok(()) => self.done(ctx),
                Err(error) => {
                    tracing::warn!(stem = %file.stem, %error, "cannot seal a file; it stays as it is and is tried again");
                    let mut state = lock(&self.state);
                    state.files.push_front(file);
                    drop(self.wake.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner));
                }
            }
        }
        lock(&self.state).running = false;
        self.ended.notify_all();
    }

    fn done(&self, ctx: &Context) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        ctx.changed.wake_all();
    }

    /// The next file to seal, once it is its turn; `None` when the store is closed.
    fn next(&self, ctx: &Context) -> Option<Rotated> {
        let mut state = lock(&self.state);
        loop {
            if state.closing.is_some_and(|deadline| state.files.is_empty() || Instant::now() >= deadline) {
                return None;
            }
            if state.files.is_empty() {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if state.closing.is_some() || state.files.len() >= NO_YIELD {
                return state.files.pop_front();
            }
            let before = ctx.commit_nanos.load(Ordering::Relaxed);
            let began = Instant::now();
            state = self.wake.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            let worked = ctx.commit_nanos.load(Ordering::Relaxed) - before;
            if !is_busy(worked, began.elapsed()) && state.closing.is_none() {
                return state.files.pop_front();
            }
        }
    }
}

/// Whether commits took at least half of the time that was looked at.
fn is_busy(worked_nanos: u64, looked: Duration) -> bool {
    u128::from(worked_nanos) * 2 >= looked.as_nanos()
}
