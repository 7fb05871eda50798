//! Rotated files on their way to their sealed form: the queue, and the thread that works it off.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;

use super::context::{Context, lock};
use super::recover::{Recovered, recover};
use super::seal::{Outcome, seal, unlink};
use crate::disk::names::{Form, Stem};
use crate::file::body::is_damage;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::event::EventName;
use otlp_arrow_base::log_limit::Repeated;

/// With so many files waiting, sealing no longer yields to ingest.
const NO_YIELD: usize = 4;
/// With so many files waiting, new data is refused.
const NO_ROOM: usize = 16;
/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Pause after a failure while closing.
const CLOSING_RETRY: Duration = Duration::from_millis(10);
/// How long after the deadline a file that is being sealed may take to be let go of.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// Between two attempts to delete what is sealed.
const UNLINK_AGAIN: Duration = Duration::from_secs(10);
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

impl State {
    /// Takes the next file off the queue, to be sealed now.
    fn begin(&mut self) -> Option<Next> {
        let file = self.files.pop_front()?;
        self.sealing.push(file.stem.clone());
        Some(Next::Seal(file))
    }
}

/// Files waiting to be sealed.
#[derive(Debug, Default)]
pub(crate) struct SealQueue {
    waiting: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
    ended: Condvar,
    cannot_seal: Repeated,
}

#[derive(Debug, Default)]
struct State {
    files: VecDeque<Rotated>,
    /// What is being sealed now.
    sealing: Vec<Stem>,
    /// Streams whose sealed form is there and that could not be deleted.
    to_unlink: Vec<(Signal, Stem)>,
    running: bool,
    /// Let go of the writer's lock at the end.
    release: bool,
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

    /// Seals a file on the caller's thread; one that cannot be sealed now is queued.
    pub(crate) fn seal_now(&self, ctx: &Arc<Context>, file: Rotated) -> Result<()> {
        lock(&self.state).sealing.push(file.stem.clone());
        match seal(ctx, file.signal, &file.stem, file.len, file.rows, &mut || true) {
            Ok(_) => {
                self.sealed(ctx, file);
                Ok(())
            }
            Err(error) => {
                self.let_go(&file.stem);
                self.push(ctx, file);
                Err(error)
            }
        }
    }

    /// It is not being sealed any more.
    fn let_go(&self, stem: &Stem) {
        lock(&self.state).sealing.retain(|other| other != stem);
    }

    /// Forgets a file that is sealed, or gone, and deletes its stream.
    fn sealed(&self, ctx: &Context, file: Rotated) {
        ctx.own.remove(&file.stem);
        self.let_go(&file.stem);
        if let Err(error) = unlink(ctx, file.signal, &file.stem) {
            tracing::debug!(%error, stem = %file.stem, "a stream that is sealed stays for now");
            lock(&self.state).to_unlink.push((file.signal, file.stem));
        }
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

    /// Seals what waits until `deadline`; whether the thread has ended, which it is given a moment more for.
    pub(crate) fn close(&self, deadline: Instant) -> bool {
        let mut state = lock(&self.state);
        state.closing = Some(deadline);
        self.wake.notify_all();
        while state.running {
            let left = (deadline + STOP_GRACE).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Retention deletes this file: it need not be sealed any more. `false` while it is being sealed: deleted now, it would
    /// come back in its sealed form.
    pub(crate) fn forget(&self, stem: &Stem) -> bool {
        let mut state = lock(&self.state);
        if state.sealing.contains(stem) {
            return false;
        }
        let before = state.files.len();
        state.files.retain(|file| file.stem != *stem);
        self.waiting.fetch_sub(before - state.files.len(), Ordering::Relaxed);
        true
    }

    fn run(&self, ctx: &Context) {
        while let Some(next) = self.next(ctx) {
            match next {
                Next::Seal(file) => self.seal(ctx, file),
                Next::Unlink => self.unlink_again(ctx),
            }
        }
        let mut state = lock(&self.state);
        state.running = false;
        self.ended.notify_all();
        if std::mem::take(&mut state.release) {
            ctx.release_writer(false);
        }
    }

    /// Has the thread let go of the writer when it ends, unless it has ended: then this is `false`.
    pub(crate) fn release_at_the_end(&self) -> bool {
        let mut state = lock(&self.state);
        state.release = state.running;
        state.running
    }

    fn seal(&self, ctx: &Context, file: Rotated) {
        let mut go_on = || lock(&self.state).closing.is_none_or(|deadline| Instant::now() < deadline);
        match seal(ctx, file.signal, &file.stem, file.len, file.rows, &mut go_on) {
            Ok(Outcome::Sealed) => {
                self.sealed(ctx, file);
                self.done(ctx);
            }
            Ok(Outcome::Gone) => {
                // Of what retention deletes, nothing is known any more.
                let sealed = ctx.layout.data(file.signal, &file.stem, Form::Sealed);
                if ctx.own.find(&file.stem).is_some() && ctx.storage.is_missing(&sealed) {
                    ctx.stats.dropped(file.signal, "deleted", file.rows);
                    let message = format!("{} was deleted by somebody with its {} records", file.stem, file.rows);
                    ctx.event(EventName::RecordsDropped, Some(file.signal), Some(file.rows), message);
                }
                self.sealed(ctx, file);
                self.done(ctx);
            }
            Ok(Outcome::Stopped) => {
                self.let_go(&file.stem);
                lock(&self.state).files.push_front(file);
            }
            Err(error) if is_damage(&error) && self.salvage(ctx, &file) => {
                self.sealed(ctx, file);
                self.done(ctx);
            }
            Err(error) => {
                if self.cannot_seal.may_warn() {
                    tracing::warn!(stem = %file.stem, %error, "cannot seal a file; it stays as it is and is tried again");
                }
                self.let_go(&file.stem);
                let mut state = lock(&self.state);
                // Behind the others: they need not wait for what may be wrong with this one.
                state.files.push_back(file);
                let pause = if state.closing.is_some() { CLOSING_RETRY } else { RETRY };
                drop(self.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// A file does not hold what was written to it: what still does is sealed, the rest set aside and counted as lost. Tried
    /// again it would fail for ever, and new data be refused in the end.
    fn salvage(&self, ctx: &Context, file: &Rotated) -> bool {
        let kept = match recover(ctx, file.signal, &file.stem, false) {
            Ok(Recovered::Sealed(rows)) => rows,
            Ok(Recovered::Empty | Recovered::Quarantined) => 0,
            Ok(Recovered::Superseded | Recovered::Gone | Recovered::Newer) => file.rows,
            Err(error) => {
                tracing::debug!(%error, stem = %file.stem, "a damaged file cannot be recovered for now");
                return false;
            }
        };
        let lost = file.rows.saturating_sub(kept);
        if lost > 0 {
            ctx.stats.dropped(file.signal, "damaged", lost);
            let message = format!("{lost} records of {} were damaged on the disk after they were written", file.stem);
            ctx.event(EventName::RecordsDropped, Some(file.signal), Some(lost), message);
        }
        true
    }

    /// Deleting failed before, because somebody reads the file or the disk does not let us: tried for ever.
    fn unlink_again(&self, ctx: &Context) {
        let files = std::mem::take(&mut lock(&self.state).to_unlink);
        for (signal, stem) in files {
            if unlink(ctx, signal, &stem).is_err() {
                lock(&self.state).to_unlink.push((signal, stem));
            }
        }
    }

    /// Whether sealing keeps up: below what it was when it began to be a trouble, so that this does not change at every file.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) < NO_YIELD
    }

    fn done(&self, ctx: &Context) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        ctx.room_again();
        ctx.changed.wake_all();
    }

    /// The next thing to do, once it is its turn; `None` when the store is closed.
    fn next(&self, ctx: &Context) -> Option<Next> {
        let mut state = lock(&self.state);
        loop {
            if state.closing.is_some_and(|deadline| state.files.is_empty() || Instant::now() >= deadline) {
                return None;
            }
            if state.files.is_empty() {
                if state.to_unlink.is_empty() {
                    state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                let (after, timeout) =
                    self.wake.wait_timeout(state, UNLINK_AGAIN).unwrap_or_else(PoisonError::into_inner);
                state = after;
                if timeout.timed_out() {
                    return Some(Next::Unlink);
                }
                continue;
            }
            if state.closing.is_some() || state.files.len() >= NO_YIELD {
                return state.begin();
            }
            let before = ctx.commit_nanos.load(Ordering::Relaxed);
            let began = Instant::now();
            state = self.wake.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
            let worked = ctx.commit_nanos.load(Ordering::Relaxed) - before;
            if !is_busy(worked, began.elapsed()) && state.closing.is_none() {
                return state.begin();
            }
        }
    }
}

enum Next {
    Seal(Rotated),
    Unlink,
}

/// Whether commits took at least half of the time that was looked at.
fn is_busy(worked_nanos: u64, looked: Duration) -> bool {
    u128::from(worked_nanos) * 2 >= looked.as_nanos()
}
