//! The public cursor: everything that is committed for one signal, from a durable named position on.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::channel::mpsc;
use futures::{SinkExt, Stream};
use otlp_arrow_columns::Signal;

use super::commit_notifier::CommitNotifier;
use super::follow::Follow;
use super::handle::Log;
use super::held_cursor::HeldCursor;
use super::hooks::{Hooks, RetentionHold};
use crate::disk::names::Stem;
use crate::disk::sys;
use crate::file::Wanted;
use crate::file::options::ReadOptions;
use crate::log::position::{Position, Positions};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::lock::lock;

/// The cursor file is written at most so often; what was acknowledged since may come again after a crash.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// The longest sleep: then it is looked at what other processes wrote.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Batches that are read ahead.
const AHEAD: usize = 1;

/// Where a subscription that has no cursor yet begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubscribeFrom {
    /// With the oldest record there is.
    #[default]
    Beginning,
    /// With what is committed after the call.
    Now,
}

/// A stream of what is committed, at least once, in the order of each writer.
///
/// Batches keep coming until the library is shut down and everything is delivered; then the stream ends. What was
/// delivered and not acknowledged comes again for the next subscription of that name, in this process or a later one.
/// One name and signal has one subscriber in a directory at a time. Retention deletes what it still needs last.
///
/// After a fork it goes on in the parent. In the child it answers CLOSED once and ends.
pub struct Subscription {
    receiver: mpsc::Receiver<Delivery>,
    shared: Arc<Shared>,
    log: Log,
    hooks: Arc<Hooks>,
    /// Positions behind what was handed out.
    handed_out: Positions,
    generation: u64,
    /// Whether a child was told that this is its parent's.
    told: bool,
}

type Delivery = Result<(RecordBatch, Position)>;

struct Shared {
    signal: Signal,
    stop: AtomicBool,
    acknowledged: Mutex<Acknowledged>,
    log: Log,
}

#[derive(Default)]
struct Acknowledged {
    positions: Positions,
    /// Not in the cursor file yet.
    dirty: bool,
    /// The thread is gone, and with it the cursor.
    ended: bool,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("signal", &self.shared.signal).finish_non_exhaustive()
    }
}

impl Subscription {
    pub(crate) fn open(log: &Log, hooks: &Arc<Hooks>, signal: Signal, name: &str, from: SubscribeFrom) -> Result<Self> {
        log.clear_cursor_folders();
        let (cursor, known) = HeldCursor::take(log, signal, name)?;
        let positions = match (known, from) {
            (Some(positions), _) => positions,
            (None, SubscribeFrom::Beginning) => Positions::new(),
            (None, SubscribeFrom::Now) => {
                let positions = log.ends(signal)?;
                // Kept at once: a later subscription of this name goes on from here.
                cursor.write(&**log.storage(), &positions)?;
                positions
            }
        };
        let wanted = Wanted::new(signal, &ReadOptions::default())?;
        let follower = log.follow(signal, positions.clone(), wanted);
        let shared = Arc::new(Shared {
            signal,
            stop: AtomicBool::new(false),
            acknowledged: Mutex::new(Acknowledged { positions: positions.clone(), ..Acknowledged::default() }),
            log: log.clone(),
        });
        let (sender, receiver) = mpsc::channel(AHEAD);
        let reader = Reader { log: log.clone(), shared: Arc::clone(&shared), cursor, follower, sender };
        std::thread::Builder::new()
            .name(format!("otlp-follow-{signal}"))
            .stack_size(1 << 20)
            .spawn(move || reader.run())
            .map_err(|error| {
                OtlpError::with_source(Code::Unavailable, "cannot start a thread for a subscription", error)
            })?;
        hooks.add_hold(Arc::clone(&shared) as _);
        let generation = sys::generation();
        Ok(Self {
            receiver,
            shared,
            log: log.clone(),
            hooks: Arc::clone(hooks),
            handed_out: positions,
            generation,
            told: false,
        })
    }

    /// The next batch, waiting without an executor; `None` when the library is shut down and everything is delivered.
    pub fn next_blocking(&mut self) -> Option<Result<RecordBatch>> {
        otlp_arrow_base::wait::block_on(futures::StreamExt::next(self))
    }

    /// Everything that was handed out so far is done with, and will not come again.
    ///
    /// Kept on disk within a second, and when the subscription is dropped or the library shut down.
    pub fn ack(&mut self) {
        if self.is_parents() {
            return;
        }
        let mut acknowledged = lock(&self.shared.acknowledged);
        if acknowledged.positions != self.handed_out {
            acknowledged.positions = self.handed_out.clone();
            acknowledged.dirty = true;
        }
    }

    /// Whether this is a child's copy: the thread behind it does not exist here, and its locks may be held forever.
    fn is_parents(&self) -> bool {
        self.generation != sys::generation()
    }
}

impl Stream for Subscription {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_parents() {
            let error = || {
                OtlpError::new(Code::Closed, "this subscription is the parent process's: make one of another name here")
            };
            return Poll::Ready((!std::mem::replace(&mut this.told, true)).then(|| Err(error())));
        }
        let delivery = match Pin::new(&mut this.receiver).poll_next(task) {
            Poll::Ready(Some(delivery)) => delivery,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Some(delivery.map(|(batch, position)| {
            this.handed_out.insert(position.stem.writer, position);
            batch
        })))
    }
}

/// Ends the thread, which writes the cursor, and waits for that: the name is free afterwards.
impl Drop for Subscription {
    fn drop(&mut self) {
        if self.is_parents() {
            std::mem::forget(std::mem::replace(&mut self.receiver, mpsc::channel(0).1));
            std::mem::forget((Arc::clone(&self.shared), self.log.clone(), Arc::clone(&self.hooks)));
            return;
        }
        self.receiver.close();
        self.shared.stop.store(true, Ordering::SeqCst);
        self.hooks.remove_hold(&(Arc::clone(&self.shared) as Arc<dyn RetentionHold>));
        // The thread ends in its own time, whatever the clock of the log is.
        let clock = Clock::system();
        let deadline = clock.now() + Duration::from_secs(2);
        while !lock(&self.shared.acknowledged).ended && !clock.left(deadline).is_zero() {
            self.log.commits().notify();
            clock.sleep(Duration::from_millis(1));
        }
    }
}

/// The thread of a subscription.
struct Reader {
    log: Log,
    shared: Arc<Shared>,
    cursor: HeldCursor,
    follower: Follow,
    sender: mpsc::Sender<Delivery>,
}

impl Reader {
    fn run(mut self) {
        let mut written = self.log.clock().now();
        loop {
            if self.log.clock().elapsed(written) >= WRITE_EVERY {
                self.write();
                written = self.log.clock().now();
            }
            // Counted before looking, so that nothing committed meanwhile is slept over.
            let before = self.log.commits().count();
            let closed = self.log.commits().has_ended();
            if self.shared.stop.load(Ordering::SeqCst) {
                break;
            }
            let delivery = match self.follower.next_batch() {
                Ok(Some(found)) => Ok(found),
                Ok(None) if closed => break,
                Ok(None) => {
                    self.log.wait(before, LOOK_EVERY);
                    continue;
                }
                Err(error) => Err(error.into()),
            };
            let failed = delivery.is_err();
            if self.deliver(delivery).is_err() || (failed && closed) {
                break;
            }
            if failed {
                self.log.wait(before, LOOK_EVERY);
            }
        }
        let Self { log, shared, cursor, follower, sender } = self;
        drop((sender, follower));
        // The receiver may still acknowledge what it took: after a shutdown the cursor is kept until it is dropped.
        while !shared.stop.load(Ordering::SeqCst) {
            write(&log, &shared, &cursor, |_| true);
            log.wait(log.commits().count(), WRITE_EVERY);
        }
        write(&log, &shared, &cursor, |_| true);
        drop(cursor);
        lock(&shared.acknowledged).ended = true;
    }

    /// Hands over a batch as soon as there is room, keeping the cursor file up to date meanwhile.
    fn deliver(&mut self, delivery: Delivery) -> std::result::Result<(), ()> {
        let mut sending = self.sender.send(delivery);
        let waker = Arc::new(WakeReader(Arc::clone(self.log.commits())));
        let waker = futures::task::waker(waker);
        let mut task = TaskContext::from_waker(&waker);
        loop {
            let before = self.log.commits().count();
            match std::future::Future::poll(Pin::new(&mut sending), &mut task) {
                Poll::Ready(sent) => return sent.map_err(|_| ()),
                Poll::Pending if self.shared.stop.load(Ordering::SeqCst) => return Err(()),
                Poll::Pending => {
                    write(&self.log, &self.shared, &self.cursor, |_| true);
                    self.log.wait(before, WRITE_EVERY);
                }
            }
        }
    }

    fn write(&self) {
        write(&self.log, &self.shared, &self.cursor, |writer| self.follower.knows(writer));
    }
}

/// Writes the cursor file if anything was acknowledged since.
fn write(log: &Log, shared: &Shared, cursor: &HeldCursor, known: impl Fn(crate::disk::names::WriterId) -> bool) {
    let positions = {
        let mut acknowledged = lock(&shared.acknowledged);
        if !std::mem::take(&mut acknowledged.dirty) {
            return;
        }
        let mut positions = acknowledged.positions.clone();
        positions.retain(|writer, _| known(*writer));
        positions
    };
    if let Err(error) = cursor.write(&**log.storage(), &positions) {
        tracing::warn!(%error, "a cursor cannot be written for now; what was acknowledged may come again");
        lock(&shared.acknowledged).dirty = true;
    }
}

struct WakeReader(Arc<CommitNotifier>);

impl futures::task::ArcWake for WakeReader {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.notify();
    }
}

impl RetentionHold for Shared {
    fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64> {
        if signal != self.signal {
            return None;
        }
        let position = lock(&self.acknowledged).positions.get(&stem.writer).cloned();
        let Some(position) = position else { return Some(0) };
        match stem.seq.cmp(&position.stem.seq) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Greater => Some(0),
            std::cmp::Ordering::Equal => {
                let all = self.log.rows(signal, stem).unwrap_or(u64::MAX);
                (position.row < all).then_some(position.row)
            }
        }
    }

    fn evicted(&self, _: Signal, _: &Stem, rows: u64) -> u64 {
        rows
    }
}
