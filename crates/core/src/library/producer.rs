//! What SDK exporters and language bindings need beyond the public calls: exports that wait for room, and the count of
//! what they could not hand over.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::future::{Either, select};
use otlp_arrow_columns::Signal;

use super::encoding::Encoding;
use super::{OtlpLibrary, shutdown};
use crate::error::{Code, OtlpError, Result};
use crate::event::{Event, EventName, Severity};
use crate::outcome::ExportOutcome;
use crate::stats::Protocol;
use crate::store::ClosedReport;

/// The calls of SDK exporters and language bindings, beyond those of everybody.
pub trait Producer {
    /// `export_otlp` that waits for room instead of failing, until `deadline`, because SDK processors drop a batch whose
    /// export failed. It answers TIMEOUT at the deadline in any case; what it sent may still be kept.
    fn send_within(
        &self,
        signal: Signal,
        bytes: Bytes,
        deadline: Instant,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send;

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

    /// Counts and announces records that an SDK exporter could not hand over: as information if the exporter logs that
    /// itself.
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
    async fn send_within(&self, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
        let mut sent = pin!(patient(self, signal, bytes, deadline));
        loop {
            let changed = pin!(self.running().core.store.changed());
            match select(sent.as_mut(), changed).await {
                Either::Left((done, _)) => return done,
                Either::Right(_) if !self.running().core.store.clock().left(deadline).is_zero() => {}
                Either::Right(_) => {
                    let message = "the data was not written in time: check the disk, or raise the export timeout";
                    return Err(OtlpError::new(Code::Timeout, message));
                }
            }
        }
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
        let store = &self.running().core.store;
        store.stats().not_kept(signal, Protocol::LIBRARY, error.code(), records);
        let message = format!("{records} record(s) of {signal} from an SDK exporter were not kept: {error}");
        let event = Event::new(EventName::RecordsDropped, store.clock().wall(), message);
        store.announce(Event { severity, signal: Some(signal), count: Some(records), ..event });
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

/// Tries again whenever there may be room, until `deadline`.
async fn patient(library: &OtlpLibrary, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
    loop {
        match library.export_otlp(signal, bytes.clone()).await {
            Err(error) if error.retryable() && !library.running().core.store.clock().left(deadline).is_zero() => {
                library.running().core.store.changed().await
            }
            done => return done,
        }
    }
}
