//! Rotated files on their way to their sealed form: the queue, and the thread that works it off.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;

use super::admission::{Admission, NO_YIELD};
use super::context::{Context, lock};
use super::recover::{Recovered, recover};
use super::seal::{SealOutcome, seal, unlink};
use crate::disk::names::Stem;
use crate::file::form::Form;
use crate::log::files::Look;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::event::EventName;
use otlp_arrow_base::log_limit::Repeated;

/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Pause after a failure while closing.
const CLOSING_RETRY: Duration = Duration::from_millis(10);
/// How long after the deadline the file that is being sealed may take to be given up.
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
#[derive(Debug)]
pub(crate) struct SealQueue {
    ctx: Arc<Context>,
    admission: Arc<Admission>,
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
    /// Release the writer's lock at the end.
    release: bool,
    /// Seal without yielding, until this moment, then end.
    closing: Option<Instant>,
    /// So many wait for what is there to be sealed: without yielding.
    hurried: usize,
    /// What the last attempt to seal a file failed with.
    failed: BTreeMap<Stem, OtlpError>,
}

impl SealQueue {
    pub(crate) fn new(ctx: Arc<Context>, admission: Arc<Admission>) -> Self {
        let (state, wake, ended, cannot_seal) = Default::default();
        Self { ctx, admission, state, wake, ended, cannot_seal }
    }

    /// Hands over a file; the thread starts with the first one.
    pub(crate) fn push(self: &Arc<Self>, file: Rotated) {
        let mut state = lock(&self.state);
        state.files.push_back(file);
        self.admission.file_waits();
        if !state.running {
            let queue = Arc::clone(self);
            let thread = std::thread::Builder::new().name("otlp-seal".into()).stack_size(1 << 20);
            // Without a thread the file stays as it is, complete and readable, and the next push tries again.
            state.running = thread.spawn(move || queue.run()).is_ok();
        }
        self.wake.notify_one();
    }

    /// Seals a file on the caller's thread; one that cannot be sealed now is queued.
    pub(crate) fn seal_now(self: &Arc<Self>, file: Rotated) -> Result<()> {
        lock(&self.state).sealing.push(file.stem.clone());
        match seal(&self.ctx, file.signal, &file.stem, file.len, file.rows, &mut || true) {
            Ok(outcome) => {
                if let SealOutcome::Sealed(bytes) = outcome {
                    self.admission.wrote(bytes);
                }
                self.sealed(file);
                Ok(())
            }
            Err(error) => {
                self.let_go(&file.stem);
                self.push(file);
                Err(error.into())
            }
        }
    }

    /// It is not being sealed any more.
    fn let_go(&self, stem: &Stem) {
        lock(&self.state).sealing.retain(|other| other != stem);
    }

    /// Resolves when these files of this writer are sealed; they are not yielded for as long. Fails where one cannot be
    /// sealed now: it stays as it is, complete, and is tried again.
    pub(crate) async fn sealed_all(self: Arc<Self>, stems: Vec<Stem>) -> Result<()> {
        let hurried = Hurried::new(&self, &stems);
        while hurried.unsealed(&stems)? {
            self.ctx.changed.changed(None).await;
        }
        Ok(())
    }

    /// Forgets a file that is sealed, or gone, and deletes its stream.
    fn sealed(&self, file: Rotated) {
        let ctx = &*self.ctx;
        ctx.own.remove(&file.stem);
        let unlinked = unlink(ctx, file.signal, &file.stem);
        let mut state = lock(&self.state);
        state.sealing.retain(|other| *other != file.stem);
        state.failed.remove(&file.stem);
        if let Err(error) = unlinked {
            tracing::debug!(%error, stem = %file.stem, "a stream that is sealed stays for now");
            state.to_unlink.push((file.signal, file.stem));
        }
        drop(state);
        ctx.changed.wake_all();
    }

    /// Seals what waits until `deadline`; whether the thread has ended, which it is given a moment more for.
    pub(crate) fn close(&self, deadline: Instant) -> bool {
        let mut state = lock(&self.state);
        state.closing = Some(deadline);
        self.wake.notify_all();
        let (clock, until) = (&self.ctx.clock, deadline + STOP_GRACE);
        while state.running && !clock.left(until).is_zero() {
            state = clock.wait(&self.ended, state, until);
        }
        !state.running
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
        self.admission.files_done(before - state.files.len());
        true
    }

    fn run(&self) {
        while let Some(next) = self.next() {
            match next {
                Next::Seal(file) => self.seal(file),
                Next::Unlink => self.unlink_again(),
            }
        }
        let mut state = lock(&self.state);
        state.running = false;
        self.ended.notify_all();
        if std::mem::take(&mut state.release) {
            self.ctx.release_writer(false);
        }
    }

    /// Makes the thread release the writer when it ends, unless it has ended: then this is `false`.
    pub(crate) fn release_at_the_end(&self) -> bool {
        let mut state = lock(&self.state);
        state.release = state.running;
        state.running
    }

    fn seal(&self, file: Rotated) {
        let ctx = &*self.ctx;
        let mut go_on = || lock(&self.state).closing.is_none_or(|deadline| ctx.clock.now() < deadline);
        match seal(ctx, file.signal, &file.stem, file.len, file.rows, &mut go_on) {
            Ok(SealOutcome::Sealed(bytes)) => {
                self.admission.wrote(bytes);
                let (signal, stem) = (file.signal, file.stem.clone());
                self.sealed(file);
                self.done();
                self.tell(signal, &stem);
            }
            Ok(SealOutcome::Gone) => {
                // Of what retention deletes, nothing is known any more.
                let sealed = ctx.log.find_stem(file.signal, &file.stem, Look::Above(Form::LIVE));
                if ctx.own.find(&file.stem).is_some() && sealed.is_err_and(|error| error.is_gone()) {
                    ctx.stats.dropped(file.signal, "deleted", file.rows);
                    let message = format!(
                        "{} was deleted, by another program or a person, with its {} records",
                        file.stem, file.rows
                    );
                    ctx.event(EventName::RecordsDropped, Some(file.signal), Some(file.rows), message);
                }
                self.sealed(file);
                self.done();
            }
            Ok(SealOutcome::Stopped) => {
                self.let_go(&file.stem);
                lock(&self.state).files.push_front(file);
            }
            Err(error) if error.is_damage() && self.salvage(&file) => {
                self.sealed(file);
                self.done();
            }
            Err(error) => {
                let error = OtlpError::from(error);
                lock(&self.state).failed.insert(file.stem.clone(), error.clone());
                ctx.changed.wake_all();
                if self.cannot_seal.may_warn(ctx.clock.now()) {
                    tracing::warn!(stem = %file.stem, %error, "cannot seal a file; it stays as it is and is tried again");
                }
                self.let_go(&file.stem);
                let mut state = lock(&self.state);
                // Behind the others: they need not wait for what may be wrong with this one.
                state.files.push_back(file);
                let pause = if state.closing.is_some() { CLOSING_RETRY } else { RETRY };
                drop(ctx.clock.pause(&self.wake, state, ctx.clock.now() + pause));
            }
        }
    }

    /// Tells whoever makes something of sealed files, unless it is time to end: they can make it later.
    fn tell(&self, signal: Signal, stem: &Stem) {
        let ctx = &*self.ctx;
        for hook in ctx.hooks.seal_hooks() {
            if lock(&self.state).closing.is_none_or(|deadline| ctx.clock.now() < deadline) {
                self.admission.wrote(hook.sealed(&ctx.log, signal, stem));
            }
        }
    }

    /// A file does not hold what was written to it: what still does is sealed, the rest set aside and counted as lost. Tried
    /// again it would fail forever, and new data be refused in the end.
    fn salvage(&self, file: &Rotated) -> bool {
        let ctx = &*self.ctx;
        let kept = match recover(ctx, file.signal, &file.stem, false) {
            Ok(Recovered::Sealed { rows, bytes }) => {
                self.admission.wrote(bytes);
                rows
            }
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

    /// Deleting failed before, because somebody reads the file or the disk does not let us: tried forever.
    fn unlink_again(&self) {
        let files = std::mem::take(&mut lock(&self.state).to_unlink);
        for (signal, stem) in files {
            if unlink(&self.ctx, signal, &stem).is_err() {
                lock(&self.state).to_unlink.push((signal, stem));
            }
        }
    }

    fn done(&self) {
        self.admission.files_done(1);
        self.admission.space_again();
        self.ctx.changed.wake_all();
    }

    /// The next thing to do, once it is its turn; `None` when the store is closed.
    fn next(&self) -> Option<Next> {
        let clock = &self.ctx.clock;
        let mut unlink_at = None;
        let mut state = lock(&self.state);
        loop {
            if state.closing.is_some_and(|deadline| state.files.is_empty() || clock.now() >= deadline) {
                return None;
            }
            if state.files.is_empty() {
                if state.to_unlink.is_empty() {
                    state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                let at = *unlink_at.get_or_insert_with(|| clock.now() + UNLINK_AGAIN);
                if clock.left(at).is_zero() {
                    return Some(Next::Unlink);
                }
                state = clock.wait(&self.wake, state, at);
                continue;
            }
            if state.closing.is_some() || state.hurried > 0 || state.files.len() >= NO_YIELD {
                return state.begin();
            }
            let before = self.ctx.commit_nanos.load(Ordering::Relaxed);
            let began = clock.now();
            state = clock.wait(&self.wake, state, began + LOOK);
            let worked = self.ctx.commit_nanos.load(Ordering::Relaxed) - before;
            if !is_busy(worked, clock.elapsed(began)) && state.closing.is_none() {
                return state.begin();
            }
        }
    }
}

/// Somebody waits for files to be sealed.
struct Hurried<'a>(&'a SealQueue);

impl<'a> Hurried<'a> {
    fn new(queue: &'a SealQueue, stems: &[Stem]) -> Self {
        let mut state = lock(&queue.state);
        state.hurried += 1;
        // Only what is tried from now on counts.
        stems.iter().for_each(|stem| drop(state.failed.remove(stem)));
        queue.wake.notify_one();
        Self(queue)
    }

    /// Whether one of these is not sealed yet, and still can be.
    fn unsealed(&self, stems: &[Stem]) -> Result<bool> {
        let state = lock(&self.0.state);
        if !self.0.ctx.own.any_of(stems) {
            // The stream of a sealed file is deleted as the last of it.
            return Ok(state.sealing.iter().any(|stem| stems.contains(stem)));
        }
        if let Some(error) = stems.iter().find_map(|stem| state.failed.get(stem)) {
            return Err(error.clone());
        }
        let left = state.closing.is_some() || state.files.iter().any(|file| stems.contains(&file.stem));
        if !state.running && left {
            let message = "the library was shut down before its files were sealed: the next open seals them";
            return Err(OtlpError::new(Code::Closed, message));
        }
        Ok(true)
    }
}

impl Drop for Hurried<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).hurried -= 1;
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
