//! [`OtlpLibrary`]: the one class of this project, the same in three languages.

mod generation;
mod health;
mod ingest;
mod running;
mod shutdown;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{Either, select};
use otlp_arrow_columns::Signal;

use self::generation::Root;
use self::running::Running;
use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::event::{Event, EventName, Severity};
use crate::event_bus::{EventListener, EventReceiver};
use crate::forward::Forwarder;
use crate::receive::{Addresses, Doors};
use crate::sdk::{Expected, ResourceFields};
use crate::stats::{Health, LibraryStats, Protocol};
use crate::store::subscription::{From, Subscription};
use crate::store::{Batches, ClosedReport, ReadOptions};

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
/// last clone is dropped: then what was accepted is written, and sealed by the next open of the directory.
///
/// In a forked child the first call opens a writer of its own in the same directory; the parent's goes on in the parent.
#[derive(Clone, Debug)]
pub struct OtlpLibrary {
    root: Arc<Root>,
}

impl OtlpLibrary {
    /// Opens the output directory and starts recording. Recovery of what a crash left happens here.
    pub async fn new(config: Config) -> Result<Self> {
        Self::open(config)
    }

    /// [`OtlpLibrary::new`] for callers without an executor; blocks while files are recovered.
    pub fn open(config: Config) -> Result<Self> {
        Self::open_with(config, None)
    }

    /// [`OtlpLibrary::open`] with a listener that is told everything from the first moment, see [`OtlpLibrary::on_event`].
    pub fn open_with(mut config: Config, listener: Option<EventListener>) -> Result<Self> {
        config.check()?;
        // A program that turns to another directory later, as a daemon does, must find its files all the same.
        if let Ok(absolute) = std::path::absolute(&config.output_dir) {
            config.output_dir = absolute;
        }
        Ok(Self { root: Arc::new(Root::open(config, listener)?) })
    }

    fn running(&self) -> &Running {
        self.root.running()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.root.config
    }

    /// The addresses that were bound, with the ports the system chose; none unless `listen` was given.
    pub fn addresses(&self) -> Addresses {
        self.running().doors.as_ref().map(Doors::addresses).unwrap_or_default()
    }

    /// Keeps one OTLP protobuf export request. Resolves at the configured durability.
    ///
    /// Refuses at once with a retryable error when there is no room; see [`OtlpLibrary::export_otlp_within`].
    pub fn export_otlp(
        &self,
        signal: Signal,
        bytes: Bytes,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        let core = Arc::clone(&self.running().core);
        async move {
            let started = Instant::now();
            let done = async {
                core.ensure_open()?;
                let reservation = core.store.budget().reserve(signal, bytes.len())?;
                let (outcome, kept) = core.take(signal, Protocol::Library, bytes, reservation)?;
                kept.await?;
                Ok(outcome)
            }
            .await;
            let code = done.as_ref().err().map(OtlpError::code);
            core.store.stats().request(signal, Protocol::Library, code, started.elapsed());
            done
        }
    }

    /// [`OtlpLibrary::export_otlp`] that waits for room instead of failing, until `deadline`: what SDK exporters use,
    /// because SDK processors drop a batch whose export failed.
    pub async fn export_otlp_within(&self, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
        loop {
            match self.export_otlp(signal, bytes.clone()).await {
                Err(error) if error.retryable() && Instant::now() < deadline => {
                    self.running().core.store.changed().await
                }
                done => return done,
            }
        }
    }

    /// [`OtlpLibrary::export_otlp_within`] that answers TIMEOUT at the deadline in any case; what it sent may still be kept.
    pub async fn send_within(&self, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
        let mut sent = pin!(self.export_otlp_within(signal, bytes, deadline));
        loop {
            let changed = pin!(self.running().core.store.changed());
            match select(sent.as_mut(), changed).await {
                Either::Left((done, _)) => return done,
                Either::Right(_) if Instant::now() < deadline => {}
                Either::Right(_) => {
                    let message = "the data was not written in time: look after the disk, or raise the export timeout";
                    return Err(OtlpError::new(Code::Timeout, message));
                }
            }
        }
    }

    /// Tells of records that an SDK exporter could not hand over: as information if the exporter logs that itself.
    pub fn not_kept(&self, signal: Signal, records: u64, error: &OtlpError, severity: Severity) {
        let store = &self.running().core.store;
        store.stats().not_kept(signal, Protocol::Library, error.code(), records);
        let message = format!("{records} record(s) of {signal} from an SDK exporter were not kept: {error}");
        let event = Event::new(EventName::RecordsDropped, SystemTime::now(), message);
        store.announce(Event { severity, signal: Some(signal), count: Some(records), ..event });
    }

    /// Counts records that could not even be turned into a request, beside others that were.
    pub fn unreadable(&self, signal: Signal, records: u64) {
        self.running().core.store.stats().not_kept(signal, Protocol::Library, Code::InvalidData, records);
    }

    pub(crate) fn resource(&self) -> &ResourceFields {
        &self.running().core.resource
    }

    pub(crate) fn expected(&self, signal: Signal) -> &Expected {
        &self.running().core.expected[signal]
    }

    /// The destinations data is forwarded to: how they stand, and a hand on them. In the order of the configuration.
    pub fn forwarders(&self) -> Vec<Forwarder> {
        self.running().forwarders()
    }

    /// A snapshot of what is committed.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        self.running().core.store.read(signal, options)
    }

    /// Everything that is committed for `signal`, from the durable position `name` on: batches in order, at least once.
    ///
    /// `from` says where a name begins that was never used. UNAVAILABLE while another subscriber has the name, in
    /// whatever process; INVALID_CONFIG if it cannot be a name.
    pub fn subscribe(&self, signal: Signal, name: &str, from: From) -> Result<Subscription> {
        self.running().core.ensure_open()?;
        self.running().core.store.subscribe(signal, name, from)
    }

    /// What was done and what is in hand, and everything that is counted (the list of `/metrics`).
    pub fn stats(&self) -> LibraryStats {
        self.running().core.report()
    }

    /// Whether new data is taken, and everything that is not well.
    pub fn health(&self) -> Health {
        health::of(self.root.closed(), self.running())
    }

    /// A stream of everything that happens, beginning with the last 64 events; it ends with [`OtlpLibrary::shutdown`].
    ///
    /// A receiver that is more than 1,024 events behind misses events, which are counted as `events_dropped`.
    pub fn events(&self) -> EventReceiver {
        self.running().events.receiver()
    }

    /// Has `listener` called with each event from now on, one after the other, on a thread of the library.
    pub fn on_event(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.running().events.listen(Arc::new(listener));
    }

    /// Resolves when everything accepted before the call is committed at the configured durability. Never waits for a remote.
    pub async fn flush(&self) -> Result<()> {
        self.running().core.store.flush().await
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
        self.shutdown_after(deadline, |_| ())
    }

    /// [`OtlpLibrary::shutdown_blocking`] that first waits with `hand_over` for what is on its way to this library, until
    /// the moment it is given.
    #[doc(hidden)]
    pub fn shutdown_after(&self, deadline: Option<Duration>, hand_over: impl FnOnce(Instant)) -> Result<ClosedReport> {
        shutdown::shut_down(&self.root, deadline, hand_over)
    }
}
