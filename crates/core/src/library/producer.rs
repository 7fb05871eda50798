//! What SDK exporters and language bindings need beyond the public calls: exports that wait for room, and the count of
//! what they could not hand over.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use bytes::Bytes;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_columns::Signal;

use super::encoding::Encoding;
use super::waiting::{self, Export};
use super::{OtlpLibrary, shutdown};
use crate::error::{Code, OtlpError, Result};
use crate::event::Severity;
use crate::outcome::ExportOutcome;
use crate::stats::Protocol;
use crate::store::ClosedReport;

/// The calls of SDK exporters and language bindings, beyond those of everybody.
pub trait Producer {
    /// Keeps the request of an SDK's exporter: waits for room and for the disk as long as who waits for it may, and counts and
    /// announces what is lost. What cannot pass by waiting fails at once.
    ///
    /// TIMEOUT if it is on its way to the disk and takes too long: if it is written after all it is kept, else counted then.
    fn send(&self, export: Export) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static;

    /// The recorders that a request came through, by the value of its header `otlp-arrow-via`; or, where it is not to be taken as this
    /// recorder is among them, why.
    fn came_through(&self, via: &str) -> std::result::Result<Hops, &'static str>;

    /// `export_otlp` of a request that came through `hops`, which a destination is told.
    fn export_via(
        &self,
        signal: Signal,
        bytes: Bytes,
        hops: Hops,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static;

    /// The program ends: no export waits beyond that moment. None if it goes on after all. A forked child that has recorded
    /// nothing yet has no export that waits.
    fn ends_by(&self, moment: Option<Instant>);

    /// An exporter is shut down: until when it may wait for what it handed over. The first one of a library starts a time that all
    /// share, and that a shutdown does not give again to what they were told TIMEOUT of.
    fn exporter_ends(&self) -> Instant;

    /// `flush` for at most `timeout`: TIMEOUT if it takes longer, or a write has stood still for 2.5 s.
    fn flush_within(&self, timeout: Duration) -> impl Future<Output = Result<()>> + Send + 'static;

    /// `append` for a table of several batches, read one by one: one commit, all of it or nothing. `read_from` is how many
    /// bytes of memory they are read from.
    fn append_batches<I>(
        &self,
        signal: Signal,
        read_from: usize,
        batches: I,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static
    where
        I: IntoIterator<Item = Result<RecordBatch>> + Send + 'static;

    /// Counts and announces records that an SDK exporter could not even try to hand over: as information if the exporter logs
    /// that itself.
    fn not_kept(&self, signal: Signal, records: u64, error: &OtlpError, severity: Severity);

    /// Counts records that could not even be turned into a request, beside others that were.
    fn unreadable(&self, signal: Signal, records: u64);

    /// `shutdown_blocking` that first waits with `hand_over` for what is on its way to this library, until the moment it
    /// is given.
    fn shutdown_after(&self, deadline: Option<Duration>, hand_over: impl FnOnce(Instant)) -> Result<ClosedReport>;

    /// What encoders of SDK objects share.
    fn encoding(&self) -> &Encoding;
}

impl Producer for OtlpLibrary {
    fn send(&self, export: Export) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static {
        let core = Arc::clone(&self.running().core);
        async move { waiting::export(&core, export).await }
    }

    fn came_through(&self, via: &str) -> std::result::Result<Hops, &'static str> {
        let hops = Hops::parse(via);
        // Most came through none: then the number is not needed.
        match hops.is_empty() {
            true => Ok(hops),
            false => hops.refused_by(Some(self.running().core.number())).map_or(Ok(hops), Err),
        }
    }

    fn export_via(
        &self,
        signal: Signal,
        bytes: Bytes,
        hops: Hops,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static {
        Arc::clone(&self.running().core).export_via(signal, bytes, hops, false)
    }

    fn ends_by(&self, moment: Option<Instant>) {
        if let Some(running) = self.root.running_here() {
            running.core.waiting.ends_by(moment);
        }
    }

    fn exporter_ends(&self) -> Instant {
        let core = &self.running().core;
        core.waiting.exporter_ends(&core.store)
    }

    fn flush_within(&self, timeout: Duration) -> impl Future<Output = Result<()>> + Send + 'static {
        let core = Arc::clone(&self.running().core);
        async move { waiting::flush(&core.store, timeout).await }
    }

    fn append_batches<I>(
        &self,
        signal: Signal,
        read_from: usize,
        batches: I,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static
    where
        I: IntoIterator<Item = Result<RecordBatch>> + Send + 'static,
    {
        self.append_together(signal, read_from, batches)
    }

    fn not_kept(&self, signal: Signal, records: u64, error: &OtlpError, severity: Severity) {
        let core = &self.running().core;
        core.waiting.lost(&core.store, signal, records, error, severity);
    }

    fn unreadable(&self, signal: Signal, records: u64) {
        self.running().core.store.stats().not_kept(signal, Protocol::LIBRARY, Code::InvalidData, records);
    }

    fn shutdown_after(&self, deadline: Option<Duration>, hand_over: impl FnOnce(Instant)) -> Result<ClosedReport> {
        shutdown::shut_down(&self.root, deadline, hand_over)
    }

    fn encoding(&self) -> &Encoding {
        &self.running().core.encoding
    }
}
