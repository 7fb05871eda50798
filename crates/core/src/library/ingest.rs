//! The way in that everything shares, from bytes to the store, and the counting of what came of them.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use bytes::Bytes;
use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::{BatchBuilder, CheckedBatches, Limits, Payload, Refused, Signal, StoredBatch};

use super::additions::Additions;
use super::encoding::Encoding;
use super::number::recorder_number;
use super::stages::{self, Filtered, Left};
use super::waiting::Waiting;
use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::event_bus::EventBus;
use crate::ingest::{Ingest, Kept, Sent};
use crate::outcome::ExportOutcome;
use crate::recorder::Beside;
use crate::stage::Stage;
use crate::stats::{LibraryStats, Protocol, Stats};
use crate::store::budget::{Budget, Reservation};
use crate::store::{Request, Store};

/// What every way in shares: the doors, the exporters and the calls of the host program.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) store: Store,
    limits: Limits,
    max_body: usize,
    pub(super) closed: Arc<AtomicBool>,
    pub(super) encoding: Encoding,
    /// Exports of SDKs.
    pub(super) waiting: Waiting,
    /// Between the check and the commit.
    stages: Vec<Arc<dyn Stage>>,
    number: OnceLock<u64>,
    /// What crates above keep with it.
    pub(super) beside: Arc<Beside>,
}

impl Core {
    pub(super) fn open(
        config: &Config,
        additions: &Additions,
        events: &EventBus,
        stats: Arc<Stats>,
        clock: Clock,
        closed: Arc<AtomicBool>,
    ) -> Self {
        let limits = Limits { nesting: config.limits.nesting, max_request_memory: config.limits.max_request_memory };
        let waiting = Waiting::new(config.buffer.max_bytes);
        let store = Store::start(config.store_settings(), config.files(), events.sink(), stats, clock);
        additions.seal_hooks.iter().for_each(|hook| store.on_seal(Arc::clone(hook)));
        let (encoding, stages) = (Encoding::new(&config.resource), additions.stages.clone());
        let (number, beside) = Default::default();
        Self { store, limits, max_body: config.limits.max_body, closed, encoding, waiting, stages, number, beside }
    }

    /// The number of this recorder, which all processes share that record into its directory.
    pub(super) fn number(&self) -> u64 {
        *self.number.get_or_init(|| recorder_number(self.store.log()))
    }

    pub(super) fn ensure_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(OtlpError::new(Code::Closed, "this OtlpLibrary is shut down: open a new one"));
        }
        Ok(())
    }

    pub(super) fn report(&self) -> LibraryStats {
        self.waiting.settle(&self.store);
        let counters = self.store.stats();
        let mut stats = LibraryStats { events: counters.events(), ..LibraryStats::default() };
        self.store.report(&mut stats);
        counters.set_buffer_bytes(stats.buffer_bytes);
        stats.counters = counters.snapshot();
        stats
    }

    /// Keeps one OTLP export request of the host program. `urgent` says that a thread stands still until it is kept.
    pub(super) fn export_otlp(
        self: Arc<Self>,
        signal: Signal,
        bytes: Bytes,
        urgent: bool,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.export_via(signal, bytes, Hops::default(), urgent)
    }

    /// [`Core::export_otlp`] for what came through `hops`.
    pub(super) async fn export_via(
        self: Arc<Self>,
        signal: Signal,
        bytes: Bytes,
        hops: Hops,
        urgent: bool,
    ) -> Result<ExportOutcome> {
        let done = async {
            self.ensure_open()?;
            let reservation = self.store.budget().reserve(signal, bytes.len())?;
            let (outcome, kept) = self.take(signal, Protocol::LIBRARY, bytes, reservation, hops, urgent)?;
            kept.await?;
            Ok(outcome)
        };
        self.timed(signal, done).await
    }

    /// Checks, reserves and appends; what is accepted is kept whether or not the future is polled. What is `urgent` does not wait
    /// for others to be committed with.
    pub(super) fn take(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        mut reservation: Reservation,
        hops: Hops,
        urgent: bool,
    ) -> Result<(ExportOutcome, impl Future<Output = Result<()>> + Send + 'static + use<>)> {
        // What no door takes no call takes either.
        if bytes.len() > self.max_body {
            let message = format!(
                "one request has {} bytes and may have {}: send smaller requests, or raise limits.max_body",
                bytes.len(),
                self.max_body
            );
            return Err(OtlpError::new(Code::TooLarge, message));
        }
        let checked = otlp_arrow_columns::check(signal, &bytes, &self.limits)?;
        reservation.grow(checked.arrow_bytes)?;
        let mut outcome = ExportOutcome {
            accepted: checked.rows as u64,
            rejected: checked.refused.total(),
            message: checked.refused.to_string(),
        };
        if let Some(warning) = &checked.warning {
            if !outcome.message.is_empty() {
                outcome.message.push_str("; ");
            }
            outcome.message.push_str(warning);
            self.store.stats().foreign_data(signal, protocol);
        }
        let refused = checked.refused.clone();
        let payload = (checked.rows > 0).then_some(Payload::Otlp { signal, bytes, checked });
        let (payload, filtered) = self.staged(payload, &mut reservation)?;
        let appended = payload.map(|payload| Request::new(payload, reservation)).transpose()?;
        let appended = appended.map(|request| Request { urgent, ..request.with_hops(hops) });
        let count = self.count(signal, protocol, outcome.accepted, refused, filtered);
        Ok((outcome, count.when(appended.map(|request| self.store.append(request)))))
    }

    /// [`Core::take`] for rows in the columns of the storage schema, which are kept together or not at all.
    pub(super) fn take_batches<I: IntoIterator<Item = Result<RecordBatch>>>(
        &self,
        signal: Signal,
        protocol: Protocol,
        batches: I,
        mut reservation: Reservation,
        sent: Sent,
    ) -> Result<(ExportOutcome, impl Future<Output = Result<()>> + Send + 'static + use<I>)> {
        let mut checked = CheckedBatches::new(signal);
        // Of what is read batch by batch no more is read than there is room for.
        let mut held = reservation.sibling();
        for batch in batches {
            let before = checked.arrow_bytes();
            checked.push(batch?, &self.limits)?;
            held.grow(checked.arrow_bytes() - before)?;
        }
        reservation.grow_as(&held)?;
        let mut outcome = ExportOutcome { accepted: checked.rows() as u64, ..ExportOutcome::default() };
        let payload = (checked.rows() > 0).then(|| Payload::Batch(BatchBuilder::new(signal).store(&checked)));
        // What was handed over is not needed any more: whoever shares it need not wait for the disk.
        drop((checked, held));
        let (payload, filtered) = self.staged(payload, &mut reservation)?;
        let request = payload.map(|payload| Request::new(payload, reservation)).transpose()?;
        let request = request.map(|request| request.with_hops(sent.hops).with_key(sent.key));
        let (known, appended) = request.map(|request| self.store.append_once(request)).unzip();
        let filtered = if known == Some(true) {
            outcome.accepted = 0;
            Filtered::new()
        } else {
            filtered
        };
        let count = self.count(signal, protocol, outcome.accepted, Refused::default(), filtered);
        Ok((outcome, count.when(appended)))
    }

    /// [`Core::take`] for rows that are as a commit has them.
    fn take_stored(
        &self,
        protocol: Protocol,
        rows: StoredBatch,
        mut reservation: Reservation,
        hops: Hops,
    ) -> Result<(ExportOutcome, impl Future<Output = Result<()>> + Send + 'static + use<>)> {
        let (signal, accepted) = (rows.signal(), rows.batch().num_rows() as u64);
        let outcome = ExportOutcome { accepted, ..ExportOutcome::default() };
        let payload = (accepted > 0).then_some(Payload::Batch(rows));
        let (payload, filtered) = self.staged(payload, &mut reservation)?;
        let appended = payload.map(|payload| Request::new(payload, reservation)).transpose()?;
        let appended = appended.map(|request| request.with_hops(hops));
        let count = self.count(signal, protocol, accepted, Refused::default(), filtered);
        Ok((outcome, count.when(appended.map(|request| self.store.append(request)))))
    }

    /// Waits for a request of the host program, and counts how it ended and how long it took.
    pub(super) async fn timed<T>(&self, signal: Signal, request: impl Future<Output = Result<T>>) -> Result<T> {
        let clock = self.store.clock();
        let started = clock.now();
        let done = request.await;
        let code = done.as_ref().err().map(OtlpError::code);
        self.store.stats().request(signal, Protocol::LIBRARY, code, clock.elapsed(started));
        done
    }

    /// What the stages leave of a request; without stages, the request.
    fn staged(&self, payload: Option<Payload>, reservation: &mut Reservation) -> Result<Left> {
        match payload {
            Some(payload) if !self.stages.is_empty() => stages::run(&self.stages, payload, &self.limits, reservation),
            payload => Ok((payload, Filtered::new())),
        }
    }

    fn count(&self, signal: Signal, protocol: Protocol, accepted: u64, refused: Refused, filtered: Filtered) -> Count {
        let stats = Arc::clone(self.store.stats());
        Count { stats, signal, protocol, accepted, refused: Some(refused), filtered }
    }
}

/// Counts one request when its fate is known, or when nobody waits for it any more: then it is kept.
struct Count {
    stats: Arc<Stats>,
    signal: Signal,
    protocol: Protocol,
    accepted: u64,
    /// None once the request has failed: then it will come again.
    refused: Option<Refused>,
    filtered: Filtered,
}

impl Count {
    /// Resolves as `appended` does; nothing is to be waited for where no record is left.
    async fn when(mut self, appended: Option<impl Future<Output = Result<()>>>) -> Result<()> {
        match appended {
            Some(appended) => appended.await.inspect_err(|_| self.refused = None),
            None => Ok(()),
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(refused) = &self.refused {
            self.stats.received(self.signal, self.protocol, self.accepted, refused);
            for (stage, records) in &self.filtered {
                self.stats.filtered(self.signal, stage, *records);
            }
        }
    }
}

impl Ingest for Core {
    fn budget(&self) -> &Arc<Budget> {
        self.store.budget()
    }

    fn stats(&self) -> &Arc<Stats> {
        self.store.stats()
    }

    fn number(&self) -> Option<u64> {
        Some(Core::number(self))
    }

    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
        hops: Hops,
    ) -> Result<(ExportOutcome, Kept)> {
        let (outcome, kept) = self.take(signal, protocol, bytes, reservation, hops, false)?;
        Ok((outcome, Box::pin(kept)))
    }

    fn append(
        &self,
        signal: Signal,
        protocol: Protocol,
        batches: Vec<RecordBatch>,
        reservation: Reservation,
        sent: Sent,
    ) -> Result<(ExportOutcome, Kept)> {
        let (outcome, kept) = self.take_batches(signal, protocol, batches.into_iter().map(Ok), reservation, sent)?;
        Ok((outcome, Box::pin(kept)))
    }

    fn store(
        &self,
        protocol: Protocol,
        rows: StoredBatch,
        reservation: Reservation,
        hops: Hops,
    ) -> Result<(ExportOutcome, Kept)> {
        let (outcome, kept) = self.take_stored(protocol, rows, reservation, hops)?;
        Ok((outcome, Box::pin(kept)))
    }

    fn metrics(&self) -> String {
        self.report().counters.to_prometheus()
    }

    fn ready(&self) -> Result<()> {
        self.ensure_open()?;
        self.store.troubles().into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }
}
