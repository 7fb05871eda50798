//! [`OtlpLibrary`]: the one class of this project, the same in three languages.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::channel::oneshot;
use otlp_arrow_columns::{Limits, Signal};

use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::store::storage_os::OsStorage;
use crate::store::{Batches, ClosedReport, EventSink, ReadOptions, Request, Store};

/// What became of the records of one export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOutcome {
    /// Records that are kept.
    pub accepted: u64,
    /// Records that were refused as invalid.
    pub rejected: u64,
    /// Why the first was refused; empty when none was.
    pub message: String,
}

/// A recorder: telemetry goes in as SDK objects or OTLP bytes, and is kept as Arrow files in one directory.
///
/// Cloning is cheap and every clone is the same recorder. Its threads end with [`OtlpLibrary::shutdown`], or when the
/// last clone is dropped.
#[derive(Clone, Debug)]
pub struct OtlpLibrary {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    limits: Limits,
    shutdown_timeout: Duration,
    closed: AtomicBool,
}

impl OtlpLibrary {
    /// Opens the output directory and starts recording. Recovery of what a crash left happens here.
    pub async fn new(config: Config) -> Result<Self> {
        Self::open(config)
    }

    /// [`OtlpLibrary::new`] for callers without an executor; blocks while files are recovered.
    pub fn open(config: Config) -> Result<Self> {
        let limits = Limits { nesting: config.limits.nesting, max_request_memory: config.limits.max_request_memory };
        let events: EventSink = Arc::new(|event| tracing::info!(name = %event.name, "{}", event.message));
        let store = Store::open(&config, Arc::new(OsStorage), events)?;
        let inner = Inner { store, limits, shutdown_timeout: config.shutdown_timeout, closed: AtomicBool::new(false) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Keeps one OTLP protobuf export request. Resolves at the configured durability.
    ///
    /// Refuses at once with a retryable error when there is no room; see [`OtlpLibrary::export_otlp_within`].
    pub fn export_otlp(
        &self,
        signal: Signal,
        bytes: Bytes,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static {
        let this = self.clone();
        async move {
            this.ensure_open()?;
            let mut reservation = this.inner.store.budget().reserve(signal, bytes.len())?;
            let checked = otlp_arrow_columns::check(signal, &bytes, &this.inner.limits)?;
            reservation.grow(checked.arrow_bytes)?;
            let outcome = ExportOutcome {
                accepted: checked.rows as u64,
                rejected: checked.refused.total(),
                message: checked.refused.to_string(),
            };
            if checked.rows > 0 {
                this.inner.store.append(signal, Request { bytes, checked, reservation }).await?;
            }
            Ok(outcome)
        }
    }

    /// [`OtlpLibrary::export_otlp`] that waits for room instead of failing, until `deadline`: what SDK exporters use,
    /// because SDK processors drop a batch whose export failed.
    pub async fn export_otlp_within(&self, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
        loop {
            match self.export_otlp(signal, bytes.clone()).await {
                Err(error) if error.retryable() && Instant::now() < deadline => self.inner.store.changed().await,
                done => return done,
            }
        }
    }

    /// A snapshot of what is committed.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        self.inner.store.read(signal, options)
    }

    /// Resolves when everything accepted before the call is committed at the configured durability. Never waits for a remote.
    pub async fn flush(&self) -> Result<()> {
        self.inner.store.flush().await
    }

    /// Drains, commits, seals, and lets go of the directory, within `deadline` (default: `shutdown_timeout`).
    ///
    /// TIMEOUT if records that were accepted could not be written, or files not be sealed; its text says which. A second
    /// call answers as the first.
    pub async fn shutdown(&self, deadline: Option<Duration>) -> Result<ClosedReport> {
        let (sender, receiver) = oneshot::channel();
        let this = self.clone();
        // Closing waits for threads, which no executor may be blocked with.
        let thread = std::thread::Builder::new().name("otlp-shutdown".into()).spawn(move || {
            let _ = sender.send(this.shutdown_blocking(deadline));
        });
        match thread {
            Ok(_) => receiver
                .await
                .unwrap_or_else(|_| Err(OtlpError::new(Code::Internal, "shutting down failed by a defect"))),
            Err(_) => self.shutdown_blocking(deadline),
        }
    }

    /// [`OtlpLibrary::shutdown`] for callers without an executor.
    pub fn shutdown_blocking(&self, deadline: Option<Duration>) -> Result<ClosedReport> {
        self.inner.closed.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + deadline.unwrap_or(self.inner.shutdown_timeout);
        let report = self.inner.store.close(deadline);
        if report == ClosedReport::default() {
            return Ok(report);
        }
        Err(OtlpError::new(
            Code::Timeout,
            format!(
                "shut down before everything was done: {} record(s) could not be written and are lost, {} file(s) are left for the next open to seal",
                report.uncommitted_records, report.unsealed_files
            ),
        ))
    }

    fn ensure_open(&self) -> Result<()> {
        if self.inner.closed.load(Ordering::SeqCst) {
            return Err(OtlpError::new(Code::Closed, "this OtlpLibrary is shut down: open a new one"));
        }
        Ok(())
    }
}
