//! Forwarding: cursors over the committed log, retry, circuit breaker.
//!
//! Nothing waits here: what is committed is the queue. Each destination has a worker with a cursor for every writer and
//! signal; fresh data goes from memory as the bytes it came in, a laggard reads back from the files. A destination that
//! is away costs disk and nothing else.

pub mod breaker;
pub mod classify;
pub mod client;
mod cursor;
mod lanes;
mod log;
pub use otlp_arrow_store::position;
mod recent;
mod rejected;
pub mod retry;
mod shared;
mod watch;
mod window;
mod worker;

use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;
use serde::Serialize;
use tokio::sync::watch as signal_watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::error::{Code, OtlpError, Result};
use crate::event::EventName;
use crate::runtime::Runtime;
use crate::store::Store;
use crate::store::context::Context;
use crate::store::hooks::{AdoptedWriter, CommitHook, Committed, RetentionHold};
use crate::store::names::{Stem, WriterId};
pub use breaker::BreakerState;
use classify::Class;
use shared::{Command, Shared};
use worker::Worker;

/// All destinations of one library.
#[derive(Debug)]
pub(crate) struct Forwarding {
    destinations: Vec<Arc<Shared>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    ending: signal_watch::Sender<bool>,
}

/// How one destination stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ForwarderInfo {
    /// Its name in the configuration.
    pub name: String,
    /// The breaker: `closed`, `open` or `half_open`.
    pub state: BreakerState,
    /// Whether it was paused by hand.
    pub paused: bool,
    /// Whether it lags, stalls or refuses everything, as events announced.
    pub troubled: bool,
    /// Records that wait for it.
    pub lag_records: u64,
    /// Age of the oldest of them, in seconds; 0 when nothing waits.
    pub lag_seconds: f64,
    /// Records that retention deleted before they were delivered.
    pub evicted_records: u64,
    /// Requests it refused for good, waiting in `rejected/`.
    pub rejected_requests: usize,
    /// What it, or the way to it, said last when something failed.
    pub last_error: Option<String>,
}

/// What [`Forwarder::retry_rejected`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retried {
    /// Requests that were taken now, and are not set aside any more.
    pub delivered: usize,
    /// Requests that stay set aside.
    pub left: usize,
}

/// A handle to one destination.
#[derive(Clone, Debug)]
pub struct Forwarder {
    shared: Arc<Shared>,
}

impl Forwarder {
    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// How it stands now.
    pub fn info(&self) -> ForwarderInfo {
        let lag = self.shared.lanes.lag();
        ForwarderInfo {
            name: self.shared.name.clone(),
            state: self.shared.state(),
            paused: self.shared.paused(),
            troubled: self.shared.troubled(),
            lag_records: lag.values().map(|(records, _)| records).sum(),
            lag_seconds: lag.values().filter_map(|(_, age)| *age).max().unwrap_or_default().as_secs_f64(),
            evicted_records: self.shared.evicted(),
            rejected_requests: self.shared.rejected.names(&self.shared.context).len(),
            last_error: self.shared.last_error(),
        }
    }

    /// Stops sending; what arrives waits on disk.
    pub fn pause(&self) {
        self.shared.set_paused(true);
    }

    /// Goes on after [`Forwarder::pause`].
    pub fn resume(&self) {
        self.shared.set_paused(false);
    }

    /// Forgets open times and waits: the destination is asked again at once, with one request.
    pub fn reset(&self) {
        self.shared.command(Command::Retry);
    }

    /// Sends again what was set aside, oldest first, and stops where the destination does not answer.
    ///
    /// UNAVAILABLE says why it stopped. Blocks; call it from a thread that may wait.
    pub fn retry_rejected(&self, timeout: Duration) -> Result<Retried> {
        let shared = Arc::clone(&self.shared);
        let (sender, receiver) = mpsc::channel();
        self.shared.runtime.spawn(async move {
            let _ = sender.send(retry_rejected(&shared).await);
        });
        receiver.recv_timeout(timeout).unwrap_or_else(|_| {
            Err(OtlpError::new(Code::Timeout, format!("not everything was sent again within {timeout:?}: call again")))
        })
    }
}

async fn retry_rejected(shared: &Shared) -> Result<Retried> {
    let names = shared.rejected.names(&shared.context);
    let mut retried = Retried { delivered: 0, left: names.len() };
    for name in names {
        let failed = |error: std::io::Error| {
            OtlpError::with_source(Code::StorageFailed, format!("rejected/{}: {error}", shared.name), error)
        };
        let set_aside = shared.rejected.load(&shared.context, name).map_err(failed)?;
        let answer = shared.outlet.send(set_aside.signal, set_aside.payload.clone()).await;
        match answer.class {
            Class::Delivered { .. } => {
                shared.rejected.remove(&shared.context, &set_aside).map_err(failed)?;
                retried.delivered += 1;
                retried.left -= 1;
            }
            Class::Data | Class::TooLarge => {}
            Class::Destination | Class::Passing { .. } => {
                let text = format!("{} after {} request(s): {}", shared.name, retried.delivered, answer.message);
                return Err(OtlpError::new(Code::Unavailable, text));
            }
        }
    }
    Ok(retried)
}

impl Forwarding {
    /// Starts a worker for each destination. INVALID_CONFIG if one cannot be used as it is configured.
    pub(crate) fn start(config: &Config, store: &Store, runtime: &Runtime) -> Result<Self> {
        let context = store.context();
        let (ending, _) = signal_watch::channel(false);
        let destinations: Vec<Arc<Shared>> = config
            .forward
            .iter()
            .map(|destination| Shared::new(Arc::clone(context), destination, runtime.handle()))
            .collect::<Result<_>>()?;
        for shared in &destinations {
            if let Err(error) = shared.lanes.begin(context) {
                tracing::warn!(%error, destination = shared.name, "cursors cannot be written yet");
            }
        }
        let hooks = Arc::new(Dispatch { destinations: destinations.iter().map(Arc::downgrade).collect() });
        store.on_commit(Arc::clone(&hooks) as _);
        store.add_hold(hooks);
        let workers = destinations
            .iter()
            .zip(&config.forward)
            .map(|(shared, destination)| {
                let seed = seed_of(context, &destination.name);
                let worker = Worker::new(Arc::clone(shared), destination.clone(), seed);
                runtime.spawn(worker.run(ending.subscribe()))
            })
            .collect();
        Ok(Self { destinations, workers: Mutex::new(workers), ending })
    }

    /// A handle to each destination, in the order of the configuration.
    pub(crate) fn forwarders(&self) -> Vec<Forwarder> {
        self.destinations.iter().map(|shared| Forwarder { shared: Arc::clone(shared) }).collect()
    }

    /// Sends what the destinations take until `deadline`. One that does not answer is not waited for: what it should get
    /// is on disk.
    pub(crate) fn drain_blocking(&self, deadline: Instant, runtime: &Runtime) {
        self.ending.send_replace(true);
        let workers = self.take_workers();
        let (sender, receiver) = mpsc::channel();
        let aborts: Vec<_> = workers.iter().map(JoinHandle::abort_handle).collect();
        runtime.spawn(async move {
            for worker in workers {
                let _ = worker.await;
            }
            let _ = sender.send(());
        });
        let _ = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        for abort in aborts {
            abort.abort();
        }
    }

    /// Writes the cursors for good, after the last commit. Returns how many records still wait.
    pub(crate) fn end(&self) -> u64 {
        for shared in &self.destinations {
            for (signal, rows) in shared.lanes.without_file().into_iter().filter(|(_, rows)| *rows > 0) {
                let text =
                    format!("{rows} record(s) on their way to {} did not arrive, and their file is gone", shared.name);
                shared.event(EventName::RecordsEvicted, Some(signal), Some(rows), text);
                shared.context.stats.dropped(signal, "evicted", rows);
            }
        }
        self.destinations.iter().map(|shared| shared.lanes.end(&shared.context)).sum()
    }

    /// The cursors as they stand, for a library that is dropped without a shutdown.
    pub(crate) fn abandon(&self) {
        for worker in self.take_workers() {
            worker.abort();
        }
        for shared in &self.destinations {
            shared.lanes.save(&shared.context);
        }
    }

    fn take_workers(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Jitter differs between processes and destinations.
fn seed_of(context: &Context, name: &str) -> u64 {
    context.writer.0 ^ u64::from(crc32c::crc32c(name.as_bytes())) << 16
}

/// The store's hooks: every destination hears of commits and says what it still needs.
///
/// Weak, as each destination holds on to the store's context.
struct Dispatch {
    destinations: Vec<Weak<Shared>>,
}

impl Dispatch {
    fn destinations(&self) -> impl Iterator<Item = Arc<Shared>> {
        self.destinations.iter().filter_map(Weak::upgrade)
    }
}

impl CommitHook for Dispatch {
    fn committed(&self, commit: &Committed) {
        for shared in self.destinations() {
            shared.lanes.committed(commit);
        }
    }
}

impl RetentionHold for Dispatch {
    fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64> {
        self.destinations().filter_map(|shared| shared.lanes.first_needed(signal, stem)).min()
    }

    fn evicted(&self, signal: Signal, stem: &Stem, _rows: u64) -> u64 {
        let mut most = 0;
        for shared in self.destinations() {
            let rows = shared.lanes.evicted(signal, stem);
            if rows > 0 {
                let text = format!("{rows} record(s) of {stem} were deleted before {} got them", shared.name);
                shared.event(EventName::RecordsEvicted, Some(signal), Some(rows), text);
            }
            most = most.max(rows);
        }
        most
    }

    fn announces_evictions(&self) -> bool {
        true
    }

    fn adopted(&self, writer: &Arc<AdoptedWriter>) {
        for shared in self.destinations() {
            shared.lanes.adopt(&shared.context, writer);
        }
    }

    fn keeps_writer(&self, writer: WriterId) -> bool {
        self.destinations().any(|shared| shared.lanes.needs_writer(writer))
    }
}
