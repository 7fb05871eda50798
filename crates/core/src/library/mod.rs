//! [`OtlpLibrary`]: the one class of this project, the same in three languages.

mod additions;
pub(crate) mod builder;
pub(crate) mod encoding;
mod generation;
mod health;
mod ingest;
mod late;
mod number;
mod outward;
pub(crate) mod patience;
pub(crate) mod producer;
mod recorder;
mod running;
mod shutdown;
mod stages;
mod thread;
pub(crate) mod waiting;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use bytes::Bytes;
use otlp_arrow_columns::Signal;

use self::builder::Builder;
use self::generation::Root;
use self::running::Running;
use self::thread::on_a_thread;
use crate::config::Config;
#[cfg(feature = "doors")]
use crate::doors::{Addresses, Doors};
use crate::error::Result;
use crate::event::Event;
use crate::event_bus::EventReceiver;
#[cfg(feature = "forward")]
use crate::forward::Forwarder;
use crate::ingest::Sent;
use crate::outcome::ExportOutcome;
use crate::recorder::Recorder;
use crate::stats::{Health, LibraryStats, Protocol};
use crate::store::subscription::{SubscribeFrom, Subscription};
use crate::store::{Batches, ClosedReport, Log, ReadOptions};

/// What [`OtlpLibrary::flush_with`] waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushOptions {
    /// That live files are sealed too.
    pub seal: bool,
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
    /// Opens the output directory and starts recording.
    ///
    /// Recovering what a crash left takes its time; it runs on a thread of its own, and blocks no executor.
    ///
    /// # Errors
    /// INVALID_CONFIG and BIND_FAILED. A directory that cannot be written to is not an error: new data is refused as
    /// retryable until it can be, and an event says so.
    ///
    /// ```
    /// use otlp_arrow::{Config, OtlpLibrary};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # futures::executor::block_on(async {
    /// let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// let library = OtlpLibrary::new(config).await?;
    /// # library.shutdown(None).await?;
    /// # Ok::<(), otlp_arrow::OtlpError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn new(config: Config) -> Result<Self> {
        Self::builder(config).build().await
    }

    /// [`OtlpLibrary::new`] for callers without an executor; blocks while files are recovered.
    ///
    /// ```
    /// use otlp_arrow::{Config, OtlpLibrary};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let mut config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// config.listen.http = Some(([127, 0, 0, 1], 0).into()); // any free port
    /// let library = OtlpLibrary::open(config)?;
    /// println!("send OTLP to http://{}", library.addresses().http.expect("it is listened on"));
    /// library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(config: Config) -> Result<Self> {
        Self::builder(config).open()
    }

    /// Opens with more than a configuration, such as a listener that is told of the events of opening too.
    ///
    /// ```
    /// use otlp_arrow::{Config, OtlpLibrary};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// let library = OtlpLibrary::builder(config).on_event(|event| eprintln!("{}: {}", event.name, event.message)).open()?;
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// What is committed, as every reader of this process sees it.
    pub(crate) fn log(&self) -> &Log {
        self.running().core.store.log()
    }

    /// It as those see it who answer about it.
    pub(crate) fn recorder(&self) -> Recorder {
        let running = self.running();
        recorder::of(&running.core, self.config(), running.outward.destinations())
    }

    fn running(&self) -> &Running {
        self.root.running()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.root.config
    }

    /// The addresses that were bound, with the ports the system chose; none unless `listen` was given.
    #[cfg(feature = "doors")]
    pub fn addresses(&self) -> Addresses {
        self.running().outward.doors.as_ref().map(Doors::addresses).unwrap_or_default()
    }

    /// Keeps one OTLP protobuf export request (`ExportTraceServiceRequest` and its siblings). Resolves at the configured
    /// durability; what is accepted is kept whether or not the future is polled to its end.
    ///
    /// Invalid records are left out and counted in the outcome; the others are kept.
    ///
    /// # Errors
    /// INVALID_DATA if it is not such a request, TOO_LARGE if it never fits, CLOSED after a shutdown. Without space, in memory or
    /// on disk, it refuses at once with an error that is [retryable](crate::Code::retryable).
    ///
    /// ```
    /// use otlp_arrow::{Config, OtlpLibrary, Signal};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// # let request = bytes::Bytes::from_static(b"\n\r\x12\x0b\x12\t*\x07\n\x05hello");
    /// let library = OtlpLibrary::open(config)?;
    /// let outcome = futures::executor::block_on(library.export_otlp(Signal::Logs, request))?;
    /// assert_eq!((outcome.accepted, outcome.rejected), (1, 0));
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export_otlp(
        &self,
        signal: Signal,
        bytes: Bytes,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        Arc::clone(&self.running().core).export_otlp(signal, bytes, false)
    }

    /// Keeps rows of the storage schema as one commit, all of them or none. Resolves at the configured durability.
    ///
    /// The columns are those of `docs/schema.md`, found by name, in the types that [`OtlpLibrary::read`] gives them or in
    /// those that other tools make of them: text in its large and view forms, dictionaries by any index, large lists,
    /// maps as lists of key and value, ids as bytes. Nullable columns may be left out; `duration` and `service_name` are
    /// derived again. The rows are copied, so that nothing beside them in shared buffers is kept, in memory or on disk.
    ///
    /// # Errors
    /// INVALID_DATA names the column, what it has and what is expected, of a cell also the row. TOO_LARGE where the rows
    /// need more memory than one request may have. As [`OtlpLibrary::export_otlp`], it refuses at once with a retryable
    /// error when there is no room.
    ///
    /// ```
    /// use otlp_arrow::{Config, Format, OtlpLibrary, Signal, decode};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
    /// let batch = decode(Signal::Logs, json, Format::Json)?.batch;
    /// let library = OtlpLibrary::open(config)?;
    /// let outcome = futures::executor::block_on(library.append(Signal::Logs, batch))?;
    /// assert_eq!(outcome.accepted, 1);
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(
        &self,
        signal: Signal,
        batch: RecordBatch,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<> {
        self.append_together(signal, 0, [Ok(batch)])
    }

    /// [`OtlpLibrary::append`] for a table of several batches, read one by one: one commit, all of them or none.
    fn append_together<I>(
        &self,
        signal: Signal,
        read_from: usize,
        batches: I,
    ) -> impl Future<Output = Result<ExportOutcome>> + Send + 'static + use<I>
    where
        I: IntoIterator<Item = Result<RecordBatch>> + Send + 'static,
    {
        let core = Arc::clone(&self.running().core);
        async move {
            let done = async {
                core.ensure_open()?;
                let reservation = core.store.budget().reserve(signal, read_from)?;
                let (outcome, kept) =
                    core.take_batches(signal, Protocol::LIBRARY, batches, reservation, Sent::default())?;
                kept.await?;
                Ok(outcome)
            };
            core.timed(signal, done).await
        }
    }

    /// The destinations data is forwarded to: how they stand, and a hand on them. In the order of the configuration.
    ///
    /// ```
    /// use otlp_arrow::config::DestinationConfig;
    /// use otlp_arrow::{Config, OtlpLibrary};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let mut config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// config.forward = vec![DestinationConfig::new("far", "http://collector.invalid:4317")];
    /// let library = OtlpLibrary::open(config)?;
    /// for forwarder in library.forwarders() {
    ///     let info = forwarder.info();
    ///     println!("{} is {} records behind: {:?}", info.name, info.lag_records, info.last_error);
    ///     forwarder.pause(); // what arrives waits on disk
    /// }
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "forward")]
    pub fn forwarders(&self) -> Vec<Forwarder> {
        self.running().outward.forwarders()
    }

    /// A snapshot of what is committed, over all writers of the directory: one batch of at most one file at a time.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use otlp_arrow::{Config, OtlpLibrary, ReadOptions, Signal};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// let library = OtlpLibrary::open(config)?;
    /// let options = ReadOptions {
    ///     from: Some(SystemTime::now() - Duration::from_secs(3600)),
    ///     columns: Some(vec!["name".to_owned(), "duration".to_owned()]),
    ///     ..ReadOptions::default()
    /// };
    /// for batch in library.read(Signal::Traces, &options)? {
    ///     println!("{:?}", batch?.column_by_name("duration"));
    /// }
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        self.running().core.store.read(signal, options)
    }

    /// Everything that is committed for `signal`, from the durable position `name` on: batches in order, at least once.
    ///
    /// `from` says where a name begins that was never used. UNAVAILABLE while another subscriber has the name, in
    /// whatever process; INVALID_CONFIG if it cannot be a name.
    ///
    /// ```
    /// use otlp_arrow::{Config, OtlpLibrary, Signal, SubscribeFrom};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// # let request = bytes::Bytes::from_static(b"\n\r\x12\x0b\x12\t*\x07\n\x05hello");
    /// let library = OtlpLibrary::open(config)?;
    /// futures::executor::block_on(library.export_otlp(Signal::Logs, request))?;
    /// let mut batches = library.subscribe(Signal::Logs, "my-exporter", SubscribeFrom::Beginning)?;
    /// if let Some(batch) = batches.next_blocking() {
    ///     assert_eq!(batch?.num_rows(), 1);
    ///     batches.ack(); // without this it comes again, also in the next process
    /// }
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self, signal: Signal, name: &str, from: SubscribeFrom) -> Result<Subscription> {
        self.running().core.ensure_open()?;
        self.running().core.store.subscribe(signal, name, from)
    }

    /// What was done and what is in hand, and everything that is counted (the list of `/metrics`).
    pub fn stats(&self) -> LibraryStats {
        self.running().core.report()
    }

    /// Whether new data is taken, and everything that is not well.
    pub fn health(&self) -> Health {
        let running = self.running();
        health::of(self.root.closed(), &running.core, running.outward.destinations().problems())
    }

    /// A stream of everything that happens, beginning with the last 64 events; it ends with [`OtlpLibrary::shutdown`].
    ///
    /// A receiver that is more than 1,024 events behind misses events, which are counted as `events_dropped`.
    ///
    /// ```
    /// use otlp_arrow::{Config, OtlpLibrary};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// let library = OtlpLibrary::open(config)?;
    /// let mut events = library.events();
    /// let listener = std::thread::spawn(move || {
    ///     while let Some(event) = events.recv() {
    ///         println!("{}: {}", event.name, event.message);
    ///     }
    /// });
    /// library.shutdown_blocking(None)?;
    /// listener.join().expect("it ends with the library");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// [`OtlpLibrary::flush`] with options: with `seal`, every file that this recorder writes is sealed when it resolves, so that
    /// `otlp/<signal>/*.arrow` is all that was accepted before the call.
    ///
    /// # Errors
    /// Beside those of a flush, STORAGE_FAILED and its like where a file cannot be sealed now: it stays readable as it is, and is
    /// tried again. CLOSED where a shutdown came first.
    ///
    /// ```
    /// use otlp_arrow::{Config, FlushOptions, OtlpLibrary, Signal};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let config = Config { output_dir: directory.path().join("telemetry"), ..Config::default() };
    /// # let request = bytes::Bytes::from_static(b"\n\r\x12\x0b\x12\t*\x07\n\x05hello");
    /// let library = OtlpLibrary::open(config)?;
    /// futures::executor::block_on(async {
    ///     library.export_otlp(Signal::Logs, request).await?;
    ///     library.flush_with(FlushOptions { seal: true }).await // telemetry/otlp/logs/*.arrow has it
    /// })?;
    /// # library.shutdown_blocking(None)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn flush_with(&self, options: FlushOptions) -> Result<()> {
        match options {
            FlushOptions { seal: true } => self.running().core.store.flush_and_seal().await,
            FlushOptions { seal: false } => self.flush().await,
        }
    }

    /// Drains, commits, seals, and releases the directory, within `deadline` (default: `shutdown_timeout`).
    ///
    /// TIMEOUT if records that were accepted could not be written, or files not be sealed; its text says which. A second
    /// call answers as the first.
    pub async fn shutdown(&self, deadline: Option<Duration>) -> Result<ClosedReport> {
        // Closing waits for threads, which no executor may be blocked with.
        let root = Arc::clone(&self.root);
        on_a_thread("otlp-shutdown", move || shutdown::shut_down(&root, deadline, |_| ())).await
    }

    /// [`OtlpLibrary::shutdown`] for callers without an executor.
    pub fn shutdown_blocking(&self, deadline: Option<Duration>) -> Result<ClosedReport> {
        shutdown::shut_down(&self.root, deadline, |_| ())
    }
}
