//! The files: commit, rotation, sealing, recovery, retention, and reading while all of that happens.
#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests time what they start"))]

mod disk;
pub mod file;
mod log;
pub mod settings;
mod write;

#[cfg(unix)]
pub use disk::shared;
pub use disk::{failpoint, names, storage, storage_os};
#[doc(hidden)]
pub use disk::{sys, volume};
pub use file::blocks::{Block, BlockReader, LoadedBlock, Outline};
pub use file::form;
pub use file::stream;
pub use file::{ReadError, Wanted};
pub use log::files::{Entry, FileInfo, FileRows};
pub use log::follow::Follow;
pub use log::read::Listed;
pub use log::{Log, cursor, hooks, position, subscription};
pub use write::budget;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;

use crate::disk::names::WriterId;
use crate::disk::storage::Storage;
use crate::log::hooks::{CommitHook, RetentionHold, SealHook};
use crate::log::read::SetAside;
use crate::log::subscription::Subscription;
use crate::write::admission::Admission;
use crate::write::budget::Budget;
use crate::write::context::{Context, lock};
use crate::write::lane::Lane;
use crate::write::maintenance::Maintenance;
use crate::write::seal_queue::SealQueue;
use crate::write::wakeup::Wakeup;
pub use file::options::{Batches, ReadOptions};
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::error::{OtlpError, Result};
use otlp_arrow_base::event::{Event, EventName, EventSink};
use otlp_arrow_base::stats::{LibraryStats, Stats};
pub use settings::Settings;
pub use write::keys::BatchKey;
pub use write::request::Request;

/// What a shutdown kept and left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosedReport {
    /// Live files that are left for the next open to seal, because the deadline came first.
    pub unsealed_files: usize,
    /// Records accepted and not committed.
    pub uncommitted_records: u64,
    /// Records that forwarding destinations did not get yet; they are kept, and sent by the next process that has the destination.
    pub undelivered_records: u64,
}

/// One writer in one output directory.
#[derive(Debug)]
pub struct Store {
    ctx: Arc<Context>,
    admission: Arc<Admission>,
    seals: Arc<SealQueue>,
    lanes: PerSignal<Arc<Lane>>,
    maintenance: Arc<Maintenance>,
    /// The process it was opened in; in a forked child its threads do not exist.
    generation: u64,
    closed: Mutex<Option<ClosedReport>>,
}

/// How long opening may take over files of dead writers; the rest is done in the background.
const ADOPT_DEADLINE: Duration = Duration::from_secs(2);
/// How long a dropped store may take to write what it accepted.
const DROP_DEADLINE: Duration = Duration::from_secs(5);

impl Store {
    /// Opens the output directory: takes a writer id and adopts what dead writers left. Threads start with the first data.
    ///
    /// A directory that cannot be written to is not an error: new data is refused as retryable until it can be, and
    /// `events` tells.
    pub fn open(settings: Settings, storage: Arc<dyn Storage>, events: EventSink) -> Result<Store> {
        let stats = Arc::new(Stats::default());
        let counted = Arc::clone(&stats);
        let events: EventSink = Arc::new(move |event| {
            counted.event(event.name);
            events(event);
        });
        Ok(Self::start(settings, storage, events, stats, Clock::system()))
    }

    /// [`Store::open`] with a sink that counts the events itself, with everything else counted in `stats`, and by `clock`.
    pub fn start(
        settings: Settings,
        storage: Arc<dyn Storage>,
        events: EventSink,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Store {
        sys::watch();
        let wakeup = Arc::new(Wakeup::new(clock.clone()));
        let ctx = Arc::new(Context::new(settings, storage, events, stats, clock));
        let admission = Arc::new(Admission::new(Arc::clone(&ctx), Arc::clone(&wakeup)));
        let seals = Arc::new(SealQueue::new(Arc::clone(&ctx), Arc::clone(&admission)));
        let lanes = PerSignal::from_fn(|signal| Lane::new(signal, &ctx, &admission, &seals));
        if let Err(error) = ctx.ensure_writer() {
            lanes.values().for_each(|lane| lane.fails_already(&error));
            ctx.event(EventName::StorageFailed, None, None, error.message().to_owned());
        }
        let maintenance = Maintenance::new(&ctx, wakeup, &admission, &seals, lanes.clone());
        let adopted = maintenance.adopt(ctx.clock.now() + ADOPT_DEADLINE);
        maintenance.start(adopted.left > 0);
        Store { ctx, admission, seals, lanes, maintenance, generation: sys::generation(), closed: Mutex::new(None) }
    }

    /// Who writes here.
    pub fn writer(&self) -> WriterId {
        self.ctx.writer
    }

    /// What it goes by.
    pub fn clock(&self) -> &Clock {
        &self.ctx.clock
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.ctx.settings
    }

    /// Where it announces what happens.
    pub fn events(&self) -> &EventSink {
        &self.ctx.events
    }

    /// What its readers see, and whoever works on what is committed.
    pub fn log(&self) -> &Log {
        &self.ctx.log
    }

    /// The memory budget that bodies are reserved from as they arrive.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.ctx.budget
    }

    /// What is counted.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.ctx.stats
    }

    /// Tells of something that happened to records before they came here.
    pub fn announce(&self, event: Event) {
        (self.ctx.events)(event);
    }

    /// From now on `hook` sees every commit.
    pub fn on_commit(&self, hook: Arc<dyn CommitHook>) {
        self.ctx.hooks.on_commit(hook);
    }

    /// From now on `hook` sees every file that is sealed in the background.
    pub fn on_seal(&self, hook: Arc<dyn SealHook>) {
        self.ctx.hooks.on_seal(hook);
    }

    /// Retention asks `hold` before it deletes a file.
    pub fn add_hold(&self, hold: Arc<dyn RetentionHold>) {
        self.ctx.hooks.add_hold(hold);
    }

    /// Hands a request to the commit thread of its signal. The future resolves at the configured durability;
    /// the request is kept or not whether or not the future is polled.
    pub fn append(&self, request: Request) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        self.lanes[request.payload.signal()].append(request)
    }

    /// [`Store::append`], unless the batch of the request's key is kept or on its way: then the request is not stored, the first is
    /// true, and the future resolves as that of the batch does.
    pub fn append_once(&self, request: Request) -> (bool, impl Future<Output = Result<()>> + Send + 'static + use<>) {
        self.lanes[request.payload.signal()].append_once(request)
    }

    /// Resolves when something that made [`Store::append`] or the budget refuse may have changed, at the latest at `until` or
    /// after 100 ms.
    pub fn changed(&self, until: Option<Instant>) -> impl Future<Output = ()> + Send + 'static {
        self.ctx.changed.changed(until)
    }

    /// Has all who wait for [`Store::changed`] look again.
    pub fn wake(&self) {
        self.ctx.changed.wake_all();
    }

    /// Whether writing `signal` takes longer than `long`: by the last commit, or by one under way; or it is refused.
    pub fn behind(&self, signal: Signal, long: Duration) -> bool {
        self.lanes[signal].behind(long)
    }

    /// How long the commit of `signal` that is under way has taken until now.
    pub fn under_way(&self, signal: Signal) -> Duration {
        self.lanes[signal].under_way()
    }

    /// Requests that are not committed or answered yet.
    pub fn queued_requests(&self, signal: Signal) -> u64 {
        self.lanes[signal].totals().queued_requests
    }

    /// Resolves when everything appended before the call is committed at the configured durability (`buffered`: written).
    pub fn flush(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let lanes: Vec<_> = self.lanes.values().map(|lane| lane.flush()).collect();
        async move { futures::future::join_all(lanes).await.into_iter().collect() }
    }

    /// [`Store::flush`], and everything of this writer is sealed then: live files are closed for it. Fails where a file cannot be
    /// sealed now, which stays as it is and is tried again.
    pub fn flush_and_seal(&self) -> impl Future<Output = Result<()>> + Send + 'static + use<> {
        let flushed = self.flush();
        let (ctx, seals, lanes) = (Arc::clone(&self.ctx), Arc::clone(&self.seals), self.lanes.clone());
        async move {
            flushed.await?;
            let unsealed = ctx.own.unsealed();
            for (_, file) in unsealed.iter().filter(|(_, file)| file.live) {
                lanes[file.signal].rotate();
            }
            seals.sealed_all(unsealed.into_iter().map(|(stem, _)| stem).collect()).await
        }
    }

    /// Everything that is committed for `signal`, from the durable position `name` on; see [`Subscription`].
    pub fn subscribe(&self, signal: Signal, name: &str, from: subscription::SubscribeFrom) -> Result<Subscription> {
        Subscription::open(&self.ctx.log, &self.ctx.hooks, signal, name, from)
    }

    /// Does at once what a thread does from time to time: deletes what retention says, and takes over what other writers
    /// left that died since. Whoever drives a store step by step need not wait for that thread.
    pub fn maintain(&self) {
        if self.generation == sys::generation() {
            self.maintenance.round();
        }
    }

    /// Fills in what the store knows.
    pub fn report(&self, stats: &mut LibraryStats) {
        let totals = self.lanes.each_ref().map(|lane| lane.totals());
        stats.accepted_records = totals.each_ref().map(|of| of.accepted);
        stats.committed_records = totals.each_ref().map(|of| of.committed);
        stats.waiting_records = totals.each_ref().map(|of| of.waiting);
        stats.dropped_records = totals.each_ref().map(|of| of.dropped);
        stats.queued_requests = totals.map(|of| of.queued_requests);
        stats.buffer_bytes = self.ctx.budget.used() as u64;
        stats.buffer_max_bytes = self.ctx.budget.max() as u64;
        stats.disk_bytes = self.ctx.stats.disk_bytes();
        stats.unsealed_files = self.ctx.own.count() as u64;
    }

    /// The signals whose new data is refused now, and with what.
    pub fn troubles(&self) -> Vec<(Signal, OtlpError)> {
        let refused = self.admission.check().err();
        let of = |lane: &Arc<Lane>| lane.trouble().or_else(|| refused.clone());
        self.lanes.iter().filter_map(|(signal, lane)| Some((signal, of(lane)?))).collect()
    }

    /// A snapshot of what is committed, over all writers of the directory.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        let keeper = Arc::clone(&self.ctx) as Arc<dyn SetAside>;
        log::read::read(&self.ctx.log, signal, options, Some(keeper))
    }

    /// Commits what waits, seals until `deadline`, releases the directory. A second call reports the same.
    pub fn close(&self, deadline: Instant) -> ClosedReport {
        self.close_committing(deadline, deadline)
    }

    /// [`Store::close`] that waits for commits until `commit_until` only.
    pub fn close_committing(&self, commit_until: Instant, deadline: Instant) -> ClosedReport {
        let mut closed = lock(&self.closed);
        if let Some(report) = &*closed {
            return report.clone();
        }
        let report = self.end(commit_until, deadline);
        *closed = Some(report.clone());
        report
    }

    fn end(&self, commit_until: Instant, seal_until: Instant) -> ClosedReport {
        if self.generation != sys::generation() {
            return ClosedReport::default(); // Everything in it belongs to the parent process.
        }
        for lane in self.lanes.values() {
            lane.begin_close(commit_until);
        }
        // Attempts that are on their way at the deadline still tell what became of them.
        let grace = commit_until + Duration::from_millis(200);
        let lanes = self.lanes.each_ref().map(|lane| lane.join(grace));
        let uncommitted_records = lanes.values().map(|(_, records)| records).sum();
        let committing = lanes.values().any(|(ended, _)| !ended);
        self.ctx.set_closed();
        let sealing = !self.seals.close(seal_until);
        self.maintenance.close(seal_until.max(commit_until));
        let unsealed_files = self.ctx.own.count();
        let needed = self.ctx.hooks.holds().iter().any(|hold| hold.keeps_writer(self.ctx.writer));
        // Nobody may take over files that a thread of ours, stuck in a slow disk, still works on: then the lock is
        // released by that thread, or with the last of what holds the context.
        let in_use = committing || (sealing && self.seals.release_at_the_end());
        if !in_use {
            self.ctx.release_writer(unsealed_files == 0 && !needed);
        }
        ClosedReport { unsealed_files, uncommitted_records, undelivered_records: 0 }
    }
}

/// What was accepted is written, as quickly as that goes; sealing is left to the next open.
impl Drop for Store {
    fn drop(&mut self) {
        if lock(&self.closed).is_none() {
            let now = self.ctx.clock.now();
            self.end(now + DROP_DEADLINE, now);
        }
    }
}
