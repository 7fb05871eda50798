//! [`OtlpLibrary`]: the one class of this project, the same in three languages.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::{Either, select};
use otlp_arrow_columns::{Limits, Refused, Signal};

use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::event::{Event, EventName};
use crate::event_bus::{CLOSE_WAIT, EventBus, EventListener, EventReceiver};
use crate::forward::{BreakerState, Forwarder, Forwarding};
use crate::on_event::{self, Untold};
use crate::receive::{Addresses, Doors, Ingest, Kept};
use crate::runtime::Runtime;
use crate::sdk::{Expected, ResourceFields};
use crate::stats::{Health, HealthStatus, LibraryStats, PerSignal, Problem, Protocol, Stats};
use crate::store::budget::{Budget, Reservation};
use crate::store::storage_os::OsStorage;
use crate::store::subscription::{From, Subscription};
use crate::store::{Batches, ClosedReport, ReadOptions, Request, Store, sys};

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

#[derive(Debug)]
struct Root {
    config: Config,
    listener: Listener,
    closed: Arc<AtomicBool>,
    first: Incarnation,
}

/// The library in one process; a forked child makes the next one.
#[derive(Debug)]
struct Incarnation {
    generation: u64,
    inner: Arc<Inner>,
    next: OnceLock<Box<Incarnation>>,
}

/// What belongs to the parent process is never ended in a child: its threads do not exist here, its locks may be held.
impl Drop for Incarnation {
    fn drop(&mut self) {
        if self.generation != sys::generation() {
            std::mem::forget(Arc::clone(&self.inner));
        }
    }
}

#[derive(Clone, Default)]
struct Listener(Option<EventListener>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(_)" } else { "None" })
    }
}

impl Root {
    fn inner(&self) -> &Inner {
        let generation = sys::generation();
        let mut incarnation = &self.first;
        while incarnation.generation != generation {
            incarnation = incarnation.next.get_or_init(|| {
                let inner = Inner::in_child(&self.config, &self.listener, Arc::clone(&self.closed));
                Box::new(Incarnation { generation, inner: Arc::new(inner), next: OnceLock::new() })
            });
        }
        &incarnation.inner
    }
}

#[derive(Debug)]
struct Inner {
    /// Closed before the core: no door may outlive what stands behind it.
    doors: Option<Doors>,
    forwarding: Option<(Forwarding, Runtime)>,
    core: Arc<Core>,
    events: EventBus,
    /// What a webhook or a command was not told yet.
    untold: Option<Untold>,
    shutdown_timeout: Duration,
}

impl Inner {
    fn open(config: &Config, listener: &Listener, closed: Arc<AtomicBool>) -> Result<Self> {
        let mut inner = Self::without_doors(config, listener, closed);
        inner.forwarding = inner.core.forward(config)?;
        let listens = config.listen.grpc.is_some() || config.listen.http.is_some();
        inner.doors = listens.then(|| Doors::open(config, Arc::clone(&inner.core) as _)).transpose()?;
        Ok(inner)
    }

    /// The ports belong to the parent; everything else is there again.
    fn in_child(config: &Config, listener: &Listener, closed: Arc<AtomicBool>) -> Self {
        let mut inner = Self::without_doors(config, listener, closed);
        if inner.core.closed.load(Ordering::SeqCst) {
            inner.core.store.close(Instant::now());
            return inner;
        }
        inner.forwarding = inner.core.forward(config).unwrap_or_else(|error| {
            tracing::warn!(%error, "a forked child does not forward; what it keeps is forwarded by another process");
            None
        });
        inner
    }

    fn without_doors(config: &Config, listener: &Listener, closed: Arc<AtomicBool>) -> Self {
        let stats = Arc::new(Stats::default());
        let events = EventBus::new(Arc::clone(&stats));
        if let Some(listener) = &listener.0 {
            events.listen(Arc::clone(listener));
        }
        let untold = on_event::listener(&config.on_event).map(|(listener, untold)| {
            events.listen(listener);
            untold
        });
        let core = Arc::new(Core::open(config, &events, stats, closed));
        Self { doors: None, forwarding: None, core, events, untold, shutdown_timeout: config.shutdown_timeout }
    }
}

/// What every way in shares: the doors, the exporters and the calls of the host program.
#[derive(Debug)]
struct Core {
    store: Store,
    limits: Limits,
    closed: Arc<AtomicBool>,
    /// Of SDK objects that come without one.
    resource: ResourceFields,
    /// How large the next request of SDK objects will be, by signal.
    expected: PerSignal<Expected>,
}

impl Core {
    fn open(config: &Config, events: &EventBus, stats: Arc<Stats>, closed: Arc<AtomicBool>) -> Self {
        let limits = Limits { nesting: config.limits.nesting, max_request_memory: config.limits.max_request_memory };
        let store = Store::start(config.store_settings(), Arc::new(OsStorage), events.sink(), stats);
        let resource = ResourceFields::of_text(&config.resource);
        Self { store, limits, closed, resource, expected: Default::default() }
    }

    fn forward(&self, config: &Config) -> Result<Option<(Forwarding, Runtime)>> {
        if config.forward.is_empty() {
            return Ok(None);
        }
        let runtime = Runtime::new()?;
        let forwarding = Forwarding::start(config, &self.store, &runtime)?;
        Ok(Some((forwarding, runtime)))
    }

    fn ensure_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(OtlpError::new(Code::Closed, "this OtlpLibrary is shut down: open a new one"));
        }
        Ok(())
    }

    fn report(&self) -> LibraryStats {
        let counters = self.store.stats();
        let mut stats = LibraryStats { events: counters.events(), ..LibraryStats::default() };
        self.store.report(&mut stats);
        counters.set_buffer_bytes(stats.buffer_bytes);
        stats.counters = counters.snapshot();
        stats
    }

    /// Checks, reserves and appends; what is accepted is kept whether or not the future is polled.
    fn take(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        mut reservation: Reservation,
    ) -> Result<(ExportOutcome, impl Future<Output = Result<()>> + Send + 'static + use<>)> {
        let checked = otlp_arrow_columns::check(signal, &bytes, &self.limits)?;
        reservation.grow(checked.arrow_bytes)?;
        let outcome = ExportOutcome {
            accepted: checked.rows as u64,
            rejected: checked.refused.total(),
            message: checked.refused.to_string(),
        };
        let refused = checked.refused.clone();
        let appended = (checked.rows > 0).then(|| self.store.append(signal, Request { bytes, checked, reservation }));
        let mut count = Count {
            stats: Arc::clone(self.store.stats()),
            signal,
            protocol,
            accepted: outcome.accepted,
            refused: Some(refused),
        };
        let kept = async move {
            if let Some(appended) = appended {
                appended.await.inspect_err(|_| count.refused = None)?;
            }
            Ok(())
        };
        Ok((outcome, kept))
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
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(refused) = &self.refused {
            self.stats.received(self.signal, self.protocol, self.accepted, refused);
        }
    }
}

impl Ingest for Core {
    fn budget(&self) -> &Arc<Budget> {
        self.store.budget()
    }

    fn stats(&self) -> &Stats {
        self.store.stats()
    }

    fn accept(
        &self,
        signal: Signal,
        protocol: Protocol,
        bytes: Bytes,
        reservation: Reservation,
    ) -> Result<(ExportOutcome, Kept)> {
        let (outcome, kept) = self.take(signal, protocol, bytes, reservation)?;
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
        let (listener, closed) = (Listener(listener), Arc::new(AtomicBool::new(false)));
        let inner = Inner::open(&config, &listener, Arc::clone(&closed))?;
        let first = Incarnation { generation: sys::generation(), inner: Arc::new(inner), next: OnceLock::new() };
        Ok(Self { root: Arc::new(Root { config, listener, closed, first }) })
    }

    fn inner(&self) -> &Inner {
        self.root.inner()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.root.config
    }

    /// The addresses that were bound, with the ports the system chose; none unless `listen` was given.
    pub fn addresses(&self) -> Addresses {
        self.inner().doors.as_ref().map(Doors::addresses).unwrap_or_default()
    }

    /// Keeps one OTLP protobuf export request. Resolves at the configured durability.
    ///
    /// Refuses at once with a retryable error when there is no room; see [`OtlpLibrary::export_otlp_within`].
    pub fn export_otlp(
        &self,
        signal: Signal,
        bytes: Bytes,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        let core = Arc::clone(&self.inner().core);
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
                Err(error) if error.retryable() && Instant::now() < deadline => self.inner().core.store.changed().await,
                done => return done,
            }
        }
    }

    /// [`OtlpLibrary::export_otlp_within`] that answers TIMEOUT at the deadline in any case; what it sent may still be kept.
    pub async fn send_within(&self, signal: Signal, bytes: Bytes, deadline: Instant) -> Result<ExportOutcome> {
        let mut sent = pin!(self.export_otlp_within(signal, bytes, deadline));
        loop {
            let changed = pin!(self.inner().core.store.changed());
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

    /// Tells of records that an SDK exporter could not hand over.
    pub fn not_kept(&self, signal: Signal, records: u64, error: &OtlpError) {
        let store = &self.inner().core.store;
        store.stats().not_kept(signal, Protocol::Library, error.code(), records);
        let message = format!("{records} record(s) of {signal} from an SDK exporter were not kept: {error}");
        store.announce(EventName::RecordsDropped, signal, records, message);
    }

    /// Counts records that could not even be turned into a request, beside others that were.
    pub fn unreadable(&self, signal: Signal, records: u64) {
        self.inner().core.store.stats().not_kept(signal, Protocol::Library, Code::InvalidData, records);
    }

    pub(crate) fn resource(&self) -> &ResourceFields {
        &self.inner().core.resource
    }

    pub(crate) fn expected(&self, signal: Signal) -> &Expected {
        &self.inner().core.expected[signal]
    }

    /// The destinations data is forwarded to: how they stand, and a hand on them. In the order of the configuration.
    pub fn forwarders(&self) -> Vec<Forwarder> {
        self.inner().forwarding.as_ref().map(|(forwarding, _)| forwarding.forwarders()).unwrap_or_default()
    }

    /// A snapshot of what is committed.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        self.inner().core.store.read(signal, options)
    }

    /// Everything that is committed for `signal`, from the durable position `name` on: batches in order, at least once.
    ///
    /// `from` says where a name begins that was never used. UNAVAILABLE while another subscriber has the name, in
    /// whatever process; INVALID_CONFIG if it cannot be a name.
    pub fn subscribe(&self, signal: Signal, name: &str, from: From) -> Result<Subscription> {
        self.inner().core.ensure_open()?;
        self.inner().core.store.subscribe(signal, name, from)
    }

    /// What was done and what is in hand, and everything that is counted (the list of `/metrics`).
    pub fn stats(&self) -> LibraryStats {
        self.inner().core.report()
    }

    /// Whether new data is taken, and everything that is not well.
    pub fn health(&self) -> Health {
        if self.root.closed.load(Ordering::SeqCst) {
            return Health { status: HealthStatus::Closed, accepting: false, problems: Vec::new() };
        }
        let mut problems: Vec<Problem> = self.inner().core.store.troubles().iter().map(storage_problem).collect();
        let accepting = problems.len() < Signal::ALL.len();
        let storage_works = problems.is_empty();
        problems.extend(self.forwarders().iter().filter_map(forward_problem));
        let status = match (storage_works, problems.is_empty()) {
            (false, _) => HealthStatus::Failing,
            (true, false) => HealthStatus::Degraded,
            (true, true) => HealthStatus::Ok,
        };
        Health { status, accepting, problems }
    }

    /// A stream of everything that happens, beginning with the last 64 events; it ends with [`OtlpLibrary::shutdown`].
    ///
    /// A receiver that is more than 1,024 events behind misses events, which are counted as `events_dropped`.
    pub fn events(&self) -> EventReceiver {
        self.inner().events.receiver()
    }

    /// Has `listener` called with each event from now on, one after the other, on a thread of the library.
    pub fn on_event(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        self.inner().events.listen(Arc::new(listener));
    }

    /// Resolves when everything accepted before the call is committed at the configured durability. Never waits for a remote.
    pub async fn flush(&self) -> Result<()> {
        self.inner().core.store.flush().await
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
        self.root.closed.store(true, Ordering::SeqCst);
        let inner = self.inner();
        let deadline = crate::wait::after(Instant::now(), deadline.unwrap_or(inner.shutdown_timeout));
        if let Some(doors) = &inner.doors {
            // Half of the time at most: what was already accepted must still reach a file.
            doors.close_blocking(deadline.saturating_duration_since(Instant::now()) / 2);
        }
        if let Some((forwarding, runtime)) = &inner.forwarding {
            // What was accepted is committed first, so that it can still go out.
            let _ = crate::wait::block_on(inner.core.store.flush());
            // A destination that hangs may not take the time that sealing needs.
            let now = Instant::now();
            forwarding.drain_blocking(now + deadline.saturating_duration_since(now) / 2, runtime);
        }
        let mut report = inner.core.store.close(deadline);
        if let Some((forwarding, _)) = &inner.forwarding {
            report.undelivered_records = forwarding.end();
        }
        let until = Instant::now() + CLOSE_WAIT;
        inner.events.close(until);
        if let Some(untold) = &inner.untold {
            untold.wait(until);
        }
        if report.uncommitted_records == 0 && report.unsealed_files == 0 {
            return Ok(report);
        }
        let lost = format!("{} record(s) could not be written and are lost", report.uncommitted_records);
        let left = format!("{} file(s) are left for the next open to seal", report.unsealed_files);
        let what = match (report.uncommitted_records, report.unsealed_files) {
            (0, _) => left,
            (_, 0) => lost,
            _ => format!("{lost}, {left}"),
        };
        Err(OtlpError::new(Code::Timeout, format!("shut down before everything was done: {what}")))
    }
}

fn storage_problem((signal, error): &(Signal, OtlpError)) -> Problem {
    Problem {
        part: "storage",
        signal: Some(signal.as_str()),
        destination: None,
        code: Some(error.code()),
        message: error.message().to_owned(),
    }
}

fn forward_problem(forwarder: &Forwarder) -> Option<Problem> {
    let info = forwarder.info();
    // Half-open is not well yet: one request is asking.
    (info.troubled || info.state != BreakerState::Closed).then(|| Problem {
        part: "forward",
        signal: None,
        message: format!(
            "{} is {} record(s), {:.0} s behind, its breaker {}: {}",
            info.name,
            info.lag_records,
            info.lag_seconds,
            info.state,
            info.last_error.as_deref().unwrap_or("no error was reported")
        ),
        destination: Some(info.name),
        code: Some(Code::Unavailable),
    })
}

/// Ends the events once nobody can hear them.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some((forwarding, _)) = &self.forwarding {
            forwarding.abandon();
        }
        self.events.close(Instant::now());
    }
}
