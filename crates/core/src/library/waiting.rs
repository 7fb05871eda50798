//! Exports that wait: for how long says [`Patience`], of how many says the memory they may hold, and what became of those that
//! nobody waited for to the end is found out here.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::{Either, select};
use otlp_arrow_base::lock::lock;
use otlp_arrow_base::wait::after;
use otlp_arrow_columns::Signal;

use super::ingest::Core;
use super::late::{Known, Late, Lates, Sent};
use super::patience::{AT_THE_END, HELD, Losses, NORMAL, Patience, STILL, Waiter};
use crate::error::{Code, OtlpError, Result};
use crate::event::{Event, EventName, Severity};
use crate::outcome::ExportOutcome;
use crate::stats::Protocol;
use crate::store::Store;

/// One export of an SDK.
#[derive(Debug)]
pub struct Export {
    /// What it is of.
    pub signal: Signal,
    /// One OTLP export request, and how many records are in it.
    pub bytes: Bytes,
    #[expect(missing_docs, reason = "see above")]
    pub records: u64,
    /// Who waits for it, and for how long at most.
    pub waiter: Waiter,
    #[expect(missing_docs, reason = "see above")]
    pub timeout: Duration,
    /// How a loss is announced: as information if the exporter logs that itself.
    pub severity: Severity,
}

/// The exports of one library that wait, did wait, or were lost.
pub(super) struct Waiting {
    patience: Mutex<Patience>,
    losses: Mutex<Losses>,
    pub(super) lates: Lates,
    under_way: Mutex<UnderWay>,
    none: Condvar,
    /// Bytes of requests that were refused and will be tried again, and how many they may be.
    held: AtomicUsize,
    max_held: usize,
    /// How many these are.
    holders: AtomicUsize,
}

/// Each of them tries again ten times a second.
const MAX_HOLDERS: usize = 1000;

/// Exports that are not answered yet.
#[derive(Debug, Default)]
struct UnderWay {
    exports: usize,
    /// Nothing new is taken: records that are lost from now on.
    lost_at_the_end: Option<u64>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Waiting {
    /// `buffer_max_bytes` is what data may take in memory: what waits for a part of it takes an eighth of that at most.
    pub(super) fn new(buffer_max_bytes: usize) -> Self {
        let (patience, losses, lates, under_way, none, held, holders) = Default::default();
        Self { patience, losses, lates, under_way, none, held, max_held: buffer_max_bytes / 8, holders }
    }

    /// No export waits longer than that any more.
    pub(super) fn ends_by(&self, moment: Option<Instant>) {
        lock(&self.patience).ends_by(moment);
    }

    /// An exporter is shut down: until when it may wait.
    pub(super) fn exporter_ends(&self, store: &Store) -> Instant {
        lock(&self.patience).exporter_ends(store.clock().now(), any_stands_still(store))
    }

    /// Until when commits may be waited for where exporters had the time of the end, and were told TIMEOUT of all that is left.
    pub(super) fn given_up(&self, store: &Store) -> Option<Instant> {
        let end = lock(&self.patience).exporters_end(store.clock().now())?;
        self.settle(store);
        let told = |signal| store.queued_requests(signal) <= self.lates.count(signal);
        (Signal::ALL.into_iter().all(told) && !self.lates.is_empty()).then_some(end)
    }

    /// Counts and announces records that an exporter could not hand over: the first of a fault at once, the others together.
    pub(super) fn lost(&self, store: &Store, signal: Signal, records: u64, error: &OtlpError, severity: Severity) {
        store.stats().not_kept(signal, Protocol::LIBRARY, error.code(), records);
        let told = lock(&self.losses).add(signal, records, store.clock().now());
        if let Some(records) = told {
            let message = format!("{records} record(s) of {signal} from an SDK exporter were not kept: {error}");
            tell(store, signal, records, severity, message);
        }
    }

    /// [`Waiting::lost`] for records that had come before nothing new was taken.
    fn lost_late(&self, store: &Store, signal: Signal, records: u64, error: &OtlpError, severity: Severity) {
        if let Some(lost) = &mut lock(&self.under_way).lost_at_the_end {
            *lost += records;
        }
        self.lost(store, signal, records, error, severity);
    }

    fn well(&self, store: &Store, signal: Signal) {
        let now = store.clock().now();
        {
            let mut patience = lock(&self.patience);
            patience.kept(signal);
            patience.well(now);
        }
        let untold = lock(&self.losses).well(signal, now);
        if let Some(records) = untold {
            tell(store, signal, records, Severity::Warn, more(signal, records));
        }
    }

    /// Looks what became of what was on its way when nobody waited for it any longer.
    pub(super) fn settle(&self, store: &Store) {
        self.became(store, self.lates.settled());
    }

    /// Counts those of them that are lost.
    pub(super) fn became(&self, store: &Store, known: Vec<Known>) {
        for (Late { signal, records, severity, .. }, became) in known {
            match became {
                Ok(_) => lock(&self.patience).kept(signal),
                Err(error) => self.lost_late(store, signal, records, &error, severity),
            }
        }
    }

    /// Nothing new is taken any more: has those who wait for room learn that, for at most `patience`.
    pub(super) fn close(&self, store: &Store, patience: Duration) {
        let until = store.clock().now() + patience;
        let mut under_way = lock(&self.under_way);
        under_way.lost_at_the_end.get_or_insert(0);
        while under_way.exports > 0 && self.holders.load(Ordering::Relaxed) > 0 && !store.clock().left(until).is_zero()
        {
            store.wake();
            under_way = store.clock().wait(&self.none, under_way, until.min(store.clock().now() + NORMAL));
        }
    }

    /// A library that is dropped: until when commits may be waited for, where some are left that exporters were told TIMEOUT of.
    pub(super) fn dropped(&self, store: &Store) -> Option<Instant> {
        self.lates.end_trying(|| store.wake());
        (!self.lates.is_empty()).then(|| self.given_up(store).unwrap_or(store.clock().now() + AT_THE_END))
    }

    /// [`Waiting::settle`] when nothing more is written: what is not done now is lost. Returns how many records of exporters
    /// were lost since nothing new was taken.
    pub(super) fn end(&self, store: &Store) -> u64 {
        self.lates.end_trying(|| store.wake());
        let (known, left) = self.lates.end();
        self.became(store, known);
        let error = OtlpError::new(Code::Timeout, "they were not written before the end: check the disk");
        for late in &left {
            self.lost_late(store, late.signal, late.records, &error, late.severity);
        }
        for signal in Signal::ALL {
            let untold = lock(&self.losses).over(signal);
            if let Some(records) = untold {
                tell(store, signal, records, Severity::Warn, more(signal, records));
            }
        }
        lock(&self.under_way).lost_at_the_end.unwrap_or_default()
    }
}

fn more(signal: Signal, records: u64) -> String {
    format!("{records} more record(s) of {signal} from SDK exporters were not kept meanwhile")
}

fn tell(store: &Store, signal: Signal, records: u64, severity: Severity, message: String) {
    let event = Event::new(EventName::RecordsDropped, store.clock().wall(), message);
    store.announce(Event { severity, signal: Some(signal), count: Some(records), ..event });
}

/// One export, until it is answered.
struct Entered<'a>(&'a Waiting);

impl<'a> Entered<'a> {
    fn new(waiting: &'a Waiting) -> Self {
        lock(&waiting.under_way).exports += 1;
        Self(waiting)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        lock(&self.0.under_way).exports -= 1;
        self.0.none.notify_all();
    }
}

/// Memory of one request that waits, given back when it is dropped.
struct Held {
    core: Arc<Core>,
    bytes: usize,
}

impl Held {
    /// What an export of so many bytes may wait with, unless others wait with too many.
    fn new(core: &Arc<Core>, bytes: usize) -> Option<Self> {
        let waiting = &core.waiting;
        let before = waiting.held.fetch_add(bytes, Ordering::Relaxed);
        let others = waiting.holders.fetch_add(1, Ordering::Relaxed);
        let held = Self { core: Arc::clone(core), bytes };
        // Whatever its size, one may always wait.
        if others > 0 && (before + bytes > waiting.max_held || others >= MAX_HOLDERS) {
            return None;
        }
        Some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let waiting = &self.core.waiting;
        waiting.held.fetch_sub(self.bytes, Ordering::Relaxed);
        waiting.holders.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps the request of an SDK's exporter. It waits for room and for the disk as long as who waits for it may; what is lost is
/// counted and announced here.
///
/// TIMEOUT if it is on its way to the disk and takes too long, or there has been no room for so long that nobody waits for it: if it is
/// written after all it is kept, else counted then.
pub(super) async fn export(core: &Arc<Core>, export: Export) -> Result<ExportOutcome> {
    let (waiting, store) = (&core.waiting, &core.store);
    let _entered = Entered::new(waiting);
    waiting.settle(store);
    let Export { signal, bytes, records, waiter, timeout, severity } = export;
    let urgent = waiter == Waiter::Request;
    let clock = store.clock();
    let began = clock.now();
    let mut until = lock(&waiting.patience).at_first(waiter, began, timeout, store.behind(signal, NORMAL));
    let (mut held, mut troubled) = (None, false);
    let size = bytes.len();
    let mut sent: Sent = Box::pin(core.clone().export_otlp(signal, bytes.clone(), urgent));
    loop {
        match by(waiting, store, signal, until, began, sent).await {
            Ok(Ok(outcome)) => {
                match troubled {
                    true => lock(&waiting.patience).kept(signal),
                    false => waiting.well(store, signal),
                }
                return Ok(outcome);
            }
            // What was refused may be tried again.
            Ok(Err(error)) => {
                troubled = true;
                let mut patient_until = until;
                if error.passes() {
                    let mut patience = lock(&waiting.patience);
                    until = patience.in_trouble(waiter, began, timeout);
                    patient_until = match waiter {
                        Waiter::Batch => until.min(patience.refused(signal, clock.now())),
                        Waiter::Request => until,
                    };
                    held = held.or_else(|| Held::new(core, size));
                }
                if error.passes() && held.is_some() && !clock.left(patient_until).is_zero() {
                    store.changed(Some(patient_until)).await;
                } else {
                    let late = |sent| Late { signal, records, severity, sent };
                    match held {
                        Some(held) if error.passes() && waiter == Waiter::Batch && !clock.left(until).is_zero() => {
                            let again = again(Arc::clone(core), signal, bytes, began, timeout, held);
                            waiting.lates.push_refused(core, late(Box::pin(again)));
                            let message = format!("{NO_ROOM}: {}", error.message());
                            return Err(OtlpError::with_source(Code::Timeout, message, error));
                        }
                        Some(_) => waiting.lost_late(store, signal, records, &error, severity),
                        None => waiting.lost(store, signal, records, &error, severity),
                    }
                    return Err(error);
                }
                sent = Box::pin(core.clone().export_otlp(signal, bytes.clone(), urgent));
            }
            // What is under way cannot be taken back.
            Err(under_way) => {
                let now = clock.now();
                let slow_machine = waiter == Waiter::Request
                    && !troubled
                    && now < began + HELD.min(timeout)
                    && !store.behind(signal, NORMAL);
                if slow_machine {
                    until += NORMAL;
                } else {
                    troubled = true;
                    until = lock(&waiting.patience).in_trouble(waiter, began, timeout);
                    if until <= now || stands_still(store, signal, waiter) {
                        waiting.lates.push_under_way(Late { signal, records, severity, sent: under_way });
                        return Err(OtlpError::new(Code::Timeout, TOO_SLOW));
                    }
                }
                sent = under_way;
            }
        }
    }
}

const TOO_SLOW: &str = "the data is not written yet and is not waited for any longer: if it cannot be written it is counted \
                        as lost; check the disk";

const NO_ROOM: &str = "there is no room for the data yet and it is not waited for any longer: it is tried again until the timeout of \
                       its export, and counted as lost if there is none then";

/// Tries what was refused until its time is over, whenever something changed.
async fn again(
    core: Arc<Core>,
    signal: Signal,
    bytes: Bytes,
    began: Instant,
    timeout: Duration,
    held: Held,
) -> Result<ExportOutcome> {
    let store = &core.store;
    let until = || lock(&core.waiting.patience).in_trouble(Waiter::Batch, began, timeout);
    loop {
        store.changed(Some(until())).await;
        match core.clone().export_otlp(signal, bytes.clone(), false).await {
            Err(error) if error.passes() && !store.clock().left(until()).is_zero() => {}
            done => {
                drop(held);
                return done;
            }
        }
    }
}

/// Whether the disk stands still, for those who are not told that the program ends: it would wait for them.
fn stands_still(store: &Store, signal: Signal, waiter: Waiter) -> bool {
    waiter == Waiter::Batch && store.under_way(signal) >= STILL
}

fn any_stands_still(store: &Store) -> bool {
    Signal::ALL.into_iter().any(|signal| store.under_way(signal) >= STILL)
}

/// What `sent` comes to, or itself where it is not done by `until`, or by the end of the program, or the disk stands still.
async fn by(
    waiting: &Waiting,
    store: &Store,
    signal: Signal,
    until: Instant,
    began: Instant,
    mut sent: Sent,
) -> std::result::Result<Result<ExportOutcome>, Sent> {
    loop {
        // Anew each time: the program may have come to its end meanwhile.
        let until = lock(&waiting.patience).bounded(until, began);
        let changed = std::pin::pin!(store.changed(Some(until)));
        match select(sent.as_mut(), changed).await {
            Either::Left((done, _)) => return Ok(done),
            Either::Right(_) if !store.clock().left(until).is_zero() && store.under_way(signal) < STILL => {}
            Either::Right(_) => return Err(sent),
        }
    }
}

/// Waits until everything that came before is committed, for at most `timeout`, and not for a write that stands still: SDKs flush an
/// exporter before they shut it down.
pub(super) async fn flush(store: &Store, timeout: Duration) -> Result<()> {
    let until = after(store.clock().now(), timeout);
    let mut flushed = Box::pin(store.flush());
    loop {
        let changed = std::pin::pin!(store.changed(Some(until)));
        match select(flushed.as_mut(), changed).await {
            Either::Left((done, _)) => return done,
            Either::Right(_) if store.clock().left(until).is_zero() || any_stands_still(store) => {
                return Err(OtlpError::new(Code::Timeout, "not everything is written yet: check the disk"));
            }
            Either::Right(_) => {}
        }
    }
}
