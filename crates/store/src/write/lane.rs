//! One signal's way from `append` to a file: the queue, and the thread that commits it.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use otlp_arrow_columns::Signal;

use super::admission::Admission;
use super::commit_policy::{CommitPolicy, Decision, EAGER_BYTES, MAX_BYTES, MAX_ROWS, Waiting, share};
use super::committer::Committer;
use super::context::{Context, lock};
use super::keys::{self, Keys, Standing};
use super::request::{Item, Request};
use super::seal_queue::SealQueue;
use crate::settings::Durability;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::event::EventName;

/// Room for values nested as deep as allowed, in debug builds too; only what is touched takes memory.
const STACK: usize = 2 << 20;

/// One signal of one writer.
pub(crate) struct Lane {
    signal: Signal,
    ctx: Arc<Context>,
    admission: Arc<Admission>,
    seals: Arc<SealQueue>,
    queue: Mutex<Queue>,
    /// Wakes the commit thread.
    wake: Condvar,
    /// Wakes those who wait for the thread to end.
    ended: Condvar,
    keys: Keys,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    rows: usize,
    bytes: usize,
    /// Of the items, those that are not to wait for others.
    urgent: usize,
    /// When the commit under way began, and how long the last one took.
    began: Option<Instant>,
    took: Duration,
    /// Requests that ever came, and of those the ones that are committed or answered.
    came: u64,
    done: u64,
    flushes: Vec<(u64, oneshot::Sender<Result<()>>)>,
    /// New data is refused with this until then, because a write failed a moment ago.
    refusal: Option<(Instant, OtlpError)>,
    thread: Thread,
    /// The thread looks again soon by itself, before anything that comes now could be due.
    dozing: bool,
    /// The live file is to be closed, whatever its size.
    rotate: bool,
    /// No request is taken any more; what waits is tried until then.
    closing: Option<Instant>,
    totals: Totals,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    #[default]
    None,
    Running,
    Ended,
}

/// Records of one signal. Always `accepted = committed + waiting + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Acknowledged.
    pub(crate) accepted: u64,
    /// Written.
    pub(crate) committed: u64,
    /// Acknowledged and not written yet (`buffered`): what a crash would lose.
    pub(crate) waiting: u64,
    /// Acknowledged, and could not be written.
    pub(crate) dropped: u64,
    /// Requests on their way that are not acknowledged yet.
    pub(crate) queued_requests: u64,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("signal", &self.signal).finish_non_exhaustive()
    }
}

/// The answer to [`Lane::append`]: there already, or to come.
type Acknowledgement = std::result::Result<oneshot::Receiver<Result<()>>, Result<()>>;

/// Waits for an answer without needing any executor.
pub(crate) async fn wait(answer: Acknowledgement) -> Result<()> {
    match answer {
        Err(done) => done,
        Ok(receiver) => receiver
            .await
            .unwrap_or_else(|_| Err(OtlpError::new(Code::Internal, "the commit thread ended without an answer"))),
    }
}

impl Lane {
    pub(crate) fn new(
        signal: Signal,
        ctx: &Arc<Context>,
        admission: &Arc<Admission>,
        seals: &Arc<SealQueue>,
    ) -> Arc<Self> {
        let (ctx, admission, seals) = (Arc::clone(ctx), Arc::clone(admission), Arc::clone(seals));
        let (queue, wake, ended, keys) = Default::default();
        Arc::new(Self { signal, ctx, admission, seals, queue, wake, ended, keys })
    }

    /// Takes a request; the future resolves at the configured durability.
    pub(crate) fn append(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        wait(self.enqueue(request))
    }

    /// [`Lane::append`], unless the batch of the request's key is kept or on its way: whether it is, and when it is kept.
    pub(crate) fn append_once(
        self: &Arc<Self>,
        request: Request,
    ) -> (bool, impl Future<Output = Result<()>> + Send + 'static + use<>) {
        let Some(key) = request.key.clone() else { return (false, wait(self.enqueue(request))) };
        let answer = match self.keys.begin(&self.ctx, self.signal, &key) {
            Standing::Kept => return (true, wait(Err(Ok(())))),
            // What is buffered was acknowledged when it came.
            Standing::OnItsWay(_) if self.is_buffered() => return (true, wait(Err(Ok(())))),
            Standing::OnItsWay(receiver) => return (true, wait(Ok(receiver))),
            Standing::New => self.enqueue(request),
        };
        if let Err(refused @ Err(_)) = &answer {
            self.keys.settle(&self.ctx, &key, refused);
        }
        (false, wait(answer))
    }

    fn is_buffered(&self) -> bool {
        matches!(self.ctx.settings.durability, Durability::Buffered { .. })
    }

    fn enqueue(self: &Arc<Self>, request: Request) -> Acknowledgement {
        let now = self.ctx.clock.now();
        let mut queue = lock(&self.queue);
        if queue.closing.is_some() {
            return Err(Err(OtlpError::new(Code::Closed, "this OtlpLibrary is shut down: open a new one")));
        }
        if let Some((until, error)) = &queue.refusal
            && now < *until
        {
            return Err(Err(error.clone()));
        }
        self.admission.admit().map_err(Err)?;
        if queue.thread == Thread::None {
            self.start(&mut queue).map_err(Err)?;
        }
        let buffered = self.is_buffered();
        let (rows, bytes) = (request.payload.rows(), request.payload.arrow_bytes());
        let (before_rows, before_bytes) = (queue.rows, queue.bytes);
        queue.rows += rows;
        queue.bytes = queue.bytes.saturating_add(bytes);
        queue.came += 1;
        queue.urgent += usize::from(request.urgent);
        let urgent = request.urgent;
        let (done, answer) = if buffered {
            queue.totals.accepted += rows as u64;
            queue.totals.waiting += rows as u64;
            (None, Err(Ok(())))
        } else {
            let (sender, receiver) = oneshot::channel();
            (Some(sender), Ok(receiver))
        };
        queue.items.push_back(Item { request, done, came: now });
        // The thread sleeps until something comes, or until a moment that only these limits bring nearer.
        let crossed = |limit: usize, before: usize, after: usize| before < limit && after >= limit;
        if (queue.items.len() == 1 && !queue.dozing)
            || (urgent && queue.urgent == 1)
            || crossed(EAGER_BYTES, before_bytes, queue.bytes)
            || crossed(MAX_BYTES, before_bytes, queue.bytes)
            || crossed(MAX_ROWS, before_rows, queue.rows)
        {
            self.wake.notify_one();
        }
        answer
    }

    fn start(self: &Arc<Self>, queue: &mut Queue) -> Result<()> {
        let lane = Arc::clone(self);
        let name = format!("otlp-{}", self.signal);
        let thread = std::thread::Builder::new().name(name).stack_size(STACK).spawn(move || lane.run());
        thread.map_err(|error| {
            OtlpError::with_source(Code::StorageFailed, "cannot start the commit thread: too many threads", error)
        })?;
        queue.thread = Thread::Running;
        Ok(())
    }

    /// Resolves when every request that came before the call is committed or answered.
    pub(crate) fn flush(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let answer = {
            let mut queue = lock(&self.queue);
            if queue.done == queue.came {
                Err(Ok(()))
            } else {
                let (sender, receiver) = oneshot::channel();
                let came = queue.came;
                queue.flushes.push((came, sender));
                self.wake.notify_one();
                Ok(receiver)
            }
        };
        wait(answer)
    }

    /// Makes the commit thread close the live file soon, so that it can be sealed or deleted.
    pub(crate) fn rotate(&self) {
        lock(&self.queue).rotate = true;
        self.wake.notify_one();
    }

    pub(crate) fn totals(&self) -> Totals {
        let queue = lock(&self.queue);
        Totals { queued_requests: queue.came - queue.done, ..queue.totals }
    }

    /// What new data is refused with; a refusal stays until a write succeeds or [`Lane::try_again`].
    pub(crate) fn trouble(&self) -> Option<OtlpError> {
        lock(&self.queue).refusal.as_ref().map(|(_, error)| error.clone())
    }

    /// Whether a commit takes longer than `long`, the last one or that under way, or new data is refused.
    pub(crate) fn behind(&self, long: Duration) -> bool {
        let queue = lock(&self.queue);
        let under_way = queue.began.map_or(Duration::ZERO, |began| self.ctx.clock.elapsed(began));
        queue.took > long || under_way > long || queue.refusal.is_some()
    }

    /// How long the commit under way has taken until now.
    pub(crate) fn under_way(&self) -> Duration {
        lock(&self.queue).began.map_or(Duration::ZERO, |began| self.ctx.clock.elapsed(began))
    }

    /// Whether nothing was tried for so long.
    pub(crate) fn is_quiet(&self, long: Duration) -> bool {
        let queue = lock(&self.queue);
        queue.items.is_empty() && queue.refusal.as_ref().is_none_or(|(until, _)| self.ctx.clock.elapsed(*until) >= long)
    }

    /// The directory cannot be written to from the start: the next request tries again, and until then this is known.
    pub(crate) fn fails_already(&self, error: &OtlpError) {
        lock(&self.queue).refusal = Some((self.ctx.clock.now(), error.clone()));
        self.ctx.fails_already(self.signal, error);
    }

    /// The disk seems to work again: forget the refusal, though nothing was written since.
    pub(crate) fn try_again(&self) {
        lock(&self.queue).refusal = None;
        self.ctx.write_works(self.signal);
    }

    /// Takes nothing more; what waits is committed, or tried until `deadline`.
    pub(crate) fn begin_close(&self, deadline: Instant) {
        let mut queue = lock(&self.queue);
        if queue.thread == Thread::None {
            queue.thread = Thread::Ended;
        }
        queue.closing = Some(deadline);
        self.wake.notify_one();
    }

    /// Waits for the commit thread to end, at most until `deadline`; whether it has, and the records that are not written.
    pub(crate) fn join(&self, deadline: Instant) -> (bool, u64) {
        let mut queue = lock(&self.queue);
        while queue.thread == Thread::Running && !self.ctx.clock.left(deadline).is_zero() {
            queue = self.ctx.clock.wait(&self.ended, queue, deadline);
        }
        (queue.thread != Thread::Running, queue.totals.waiting + queue.totals.dropped)
    }

    fn run(&self) {
        let ctx = &self.ctx;
        let buffered = match ctx.settings.durability {
            Durability::Buffered { write_interval } => Some(write_interval),
            Durability::Written | Durability::Synced => None,
        };
        let mut policy = CommitPolicy::new(ctx.settings.commit_interval, buffered);
        let mut committer =
            Committer::new(self.signal, Arc::clone(ctx), Arc::clone(&self.admission), Arc::clone(&self.seals));
        loop {
            match self.next(&policy, committer.due_at()) {
                Next::Commit(items) => self.commit(&mut policy, &mut committer, items),
                Next::RotateIfDue => committer.rotate_if_due(ctx.clock.now()),
                Next::Rotate => committer.rotate(),
                Next::End => break,
            }
        }
        committer.rotate();
        let mut queue = lock(&self.queue);
        queue.thread = Thread::Ended;
        self.ended.notify_all();
    }

    /// Sleeps until there is something to do.
    fn next(&self, policy: &CommitPolicy, rotate_at: Option<Instant>) -> Next {
        let mut queue = lock(&self.queue);
        loop {
            let now = self.ctx.clock.now();
            let waiting = Waiting {
                requests: queue.items.len(),
                rows: queue.rows,
                bytes: queue.bytes,
                oldest: queue.items.front().map(|item| item.came),
                hurry: !queue.flushes.is_empty() || queue.closing.is_some() || queue.urgent > 0,
            };
            let until = match policy.decide(now, &waiting) {
                Decision::Commit => return Next::Commit(take(&mut queue)),
                Decision::WaitUntil(until) => Some(until),
                Decision::Idle if queue.closing.is_some() => return Next::End,
                Decision::Idle => policy.not_due_before().filter(|until| *until > now),
            };
            let dozing = until.is_some() && waiting.requests == 0;
            if std::mem::take(&mut queue.rotate) {
                return Next::Rotate;
            }
            if rotate_at.is_some_and(|at| at <= now) {
                return Next::RotateIfDue;
            }
            let until = [until, rotate_at].into_iter().flatten().min();
            queue.dozing = dozing;
            queue = self.sleep(queue, until.map(|until| until.saturating_duration_since(now)));
            queue.dozing = false;
        }
    }

    fn sleep<'a>(&self, queue: MutexGuard<'a, Queue>, pause: Option<Duration>) -> MutexGuard<'a, Queue> {
        match pause {
            None => self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner),
            Some(pause) => {
                let pause = self.ctx.clock.slice(pause);
                self.wake.wait_timeout(queue, pause).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn commit(&self, policy: &mut CommitPolicy, committer: &mut Committer, items: Vec<Item>) {
        let began = self.ctx.clock.now();
        lock(&self.queue).began = Some(began);
        policy.began(began);
        // A defect in a decoder must not end the thread, or every later request would wait forever.
        let result = catch_unwind(AssertUnwindSafe(|| committer.commit(&items, began))).unwrap_or_else(|_| {
            committer.reset();
            Err(OtlpError::new(Code::Internal, "committing this request failed because of a defect: please report it"))
        });
        let elapsed = self.ctx.clock.elapsed(began);
        self.ctx.commit_nanos.fetch_add(elapsed.as_nanos() as u64, Ordering::Relaxed);
        let rows: usize = items.iter().map(|item| item.request.payload.rows()).sum();
        if result.is_ok() {
            policy.succeeded();
            self.ctx.write_works(self.signal);
            self.ctx.stats.committed(self.signal, rows as u64, elapsed);
        } else {
            policy.failed(self.ctx.clock.now());
        }
        if let Err(error) = &result
            && error.retryable()
        {
            self.ctx.write_failed(self.signal, error);
            self.admission.write_failed();
        }
        self.finish(committer, policy, items, rows as u64, result);
        self.ctx.changed.wake_all();
    }

    /// Books the outcome of a commit and tells those who wait for it.
    fn finish(
        &self,
        committer: &mut Committer,
        policy: &CommitPolicy,
        items: Vec<Item>,
        rows: u64,
        result: Result<()>,
    ) {
        let now = self.ctx.clock.now();
        if result.is_ok() {
            // Before anybody is told: whoever flushes and then asks a consumer how far it is may count on this.
            committer.announce(&mut items.iter().map(|item| item.request.committed()));
        }
        let mut queue = lock(&self.queue);
        if let Some(began) = queue.began.take() {
            queue.took = now.saturating_duration_since(began);
        }
        let acknowledged = items.first().is_some_and(|item| item.done.is_none());
        let out_of_time = queue.closing.is_some_and(|deadline| now >= deadline);
        queue.refusal = match &result {
            Err(error) if error.retryable() => policy.pause_until().map(|until| (until, error.clone())),
            _ => None,
        };
        let retried = match &result {
            Err(error) => acknowledged && error.retryable() && !out_of_time,
            Ok(()) => false,
        };
        let mut answers = Vec::new();
        if retried {
            // Acknowledged data stays in memory until it is written; only what is new is refused.
            for item in items.into_iter().rev() {
                queue.rows += item.request.payload.rows();
                queue.bytes = queue.bytes.saturating_add(item.request.payload.arrow_bytes());
                queue.urgent += usize::from(item.request.urgent);
                queue.items.push_front(item);
            }
        } else {
            queue.done += items.len() as u64;
            match (&result, acknowledged) {
                (Ok(()), false) => {
                    queue.totals.accepted += rows;
                    queue.totals.committed += rows;
                }
                (Ok(()), true) => {
                    queue.totals.waiting -= rows;
                    queue.totals.committed += rows;
                }
                (Err(_), false) => {}
                (Err(_), true) => {
                    queue.totals.waiting -= rows;
                    queue.totals.dropped += rows;
                }
            }
            answers = items;
        }
        let done = queue.done;
        let flushes = std::mem::take(&mut queue.flushes);
        let (ready, later): (Vec<_>, Vec<_>) = flushes.into_iter().partition(|(ticket, _)| retried || *ticket <= done);
        queue.flushes = later;
        drop(queue);

        if acknowledged && !retried && result.is_err() {
            self.ctx.stats.dropped(self.signal, "not_written", rows);
            let message = format!("{rows} accepted {} records could not be written before the end", self.signal);
            self.ctx.event(EventName::RecordsDropped, Some(self.signal), Some(rows), message);
        }
        for key in answers.iter().filter_map(|item| item.request.key.as_ref()) {
            self.keys.settle(&self.ctx, key, &result);
        }
        let written = result.is_ok();
        // Memory is given back before anybody is told: whoever is told may come again at once.
        let senders: Vec<_> = answers.into_iter().map(|item| item.done).collect();
        for sender in senders.into_iter().flatten() {
            let _ = sender.send(result.clone());
        }
        for (ticket, sender) in ready {
            let outcome = if retried || (acknowledged && ticket <= done) { result.clone() } else { Ok(()) };
            let _ = sender.send(outcome);
        }
        if written {
            self.ctx.commits.notify();
        }
    }
}

enum Next {
    Commit(Vec<Item>),
    RotateIfDue,
    Rotate,
    End,
}

/// Takes the next commit's share off the queue.
fn take(queue: &mut Queue) -> Vec<Item> {
    let sizes = queue.items.iter().map(|item| (item.request.payload.rows(), item.request.payload.arrow_bytes()));
    let count = share(sizes).min(keys::share(queue.items.iter().map(|item| item.request.key.as_ref())));
    let items: Vec<Item> = queue.items.drain(..count).collect();
    for item in &items {
        queue.rows -= item.request.payload.rows();
        queue.bytes = queue.bytes.saturating_sub(item.request.payload.arrow_bytes());
        queue.urgent -= usize::from(item.request.urgent);
    }
    items
}
