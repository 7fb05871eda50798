//! Forwarding: cursors over the committed log, retry, circuit breaker.
//!
//! Nothing waits here: what is committed is the queue. Each destination has a worker with a cursor for every writer and
//! signal; fresh data goes from memory as the bytes it came in, a laggard reads back from the files. A destination that
//! is away costs disk and nothing else.

mod adopter;
mod backlog;
mod backlogs;
mod batch;
mod bookkeeper;
mod breaker;
mod handle;
mod hooks;
mod log;
mod origins;
pub(crate) mod own_address;
mod pace;
mod reader;
mod recent;
mod rejected;
mod retry;
mod sender;
mod state;
mod supervise;
#[cfg(test)]
mod tests;
mod watch;
mod window;
mod worker;

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;
use tokio::sync::watch as signal_watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::destinations::DestinationConfig;
use crate::error::Result;
use crate::event::EventName;
use crate::runtime::Runtime;
use crate::store::Store;
use crate::store::names::WriterId;
pub use handle::{Forwarder, ForwarderInfo, Retried};
use hooks::Dispatch;
use state::ForwardState;
use supervise::supervise;
use watch::Watch;
use worker::Worker;

/// How long after its first defect a worker starts again.
const RESTART: Duration = Duration::from_secs(1);

/// All destinations of one library.
#[derive(Debug)]
pub(crate) struct Forwarding {
    destinations: Vec<Arc<ForwardState>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    ending: signal_watch::Sender<bool>,
    clock: Clock,
}

impl Forwarding {
    /// Starts a worker for each destination, which know this recorder by `number`. INVALID_CONFIG if one cannot be used as it is configured.
    pub(crate) fn start(config: &Config, store: &Store, number: u64, runtime: &Runtime) -> Result<Self> {
        let (ending, _) = signal_watch::channel(false);
        let clock = store.clock().clone();
        let destinations: Vec<Arc<ForwardState>> = config
            .forward
            .iter()
            .map(|destination| ForwardState::new(store, number, destination, runtime.handle(), clock.clone()))
            .collect::<Result<_>>()?;
        store.log().clear_cursor_folders();
        for state in &destinations {
            if let Err(error) = state.backlogs.begin(store.log()) {
                tracing::warn!(%error, destination = state.name, "cursors cannot be written yet");
            }
        }
        let hooks = Arc::new(Dispatch { destinations: destinations.iter().map(Arc::downgrade).collect() });
        store.on_commit(Arc::clone(&hooks) as _);
        store.add_hold(hooks);
        let workers = destinations
            .iter()
            .zip(&config.forward)
            .map(|(state, destination)| {
                let seed = seed_of(store.writer(), &destination.name);
                runtime.spawn(serve(Arc::clone(state), destination.clone(), seed, ending.subscribe()))
            })
            .collect();
        Ok(Self { destinations, workers: Mutex::new(workers), ending, clock })
    }

    /// A handle to each destination, in the order of the configuration.
    pub(crate) fn forwarders(&self) -> Vec<Forwarder> {
        self.destinations.iter().map(|state| Forwarder { state: Arc::clone(state) }).collect()
    }

    /// Sends what the destinations take until `deadline`. One that does not answer is not waited for: what it should get
    /// is on disk.
    pub(crate) fn drain_blocking(&self, deadline: Instant, runtime: &Runtime) {
        self.ending.send_replace(true);
        let workers = self.take_workers();
        let (sender, receiver) = mpsc::sync_channel(1);
        let aborts: Vec<_> = workers.iter().map(JoinHandle::abort_handle).collect();
        runtime.spawn(async move {
            for worker in workers {
                let _ = worker.await;
            }
            let _ = sender.send(());
        });
        let _ = receiver.recv_timeout(self.clock.left(deadline));
        for abort in aborts {
            abort.abort();
        }
    }

    /// Writes the cursors for good, after the last commit. Returns how many records still wait.
    pub(crate) fn end(&self) -> u64 {
        for state in &self.destinations {
            for (signal, rows) in state.backlogs.without_file().into_iter().filter(|(_, rows)| *rows > 0) {
                let text =
                    format!("{rows} record(s) on their way to {} did not arrive, and their file is gone", state.name);
                state.event(EventName::RecordsEvicted, Some(signal), Some(rows), text);
                state.log.stats().dropped(signal, "evicted", rows);
            }
        }
        self.destinations.iter().map(|state| state.backlogs.end(&state.log)).sum()
    }

    /// The cursors as they stand, for a library that is dropped without a shutdown.
    pub(crate) fn abandon(&self) {
        for worker in self.take_workers() {
            worker.abort();
        }
        for state in &self.destinations {
            state.backlogs.save(&state.log);
        }
    }

    fn take_workers(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs the worker of one destination, and starts it again after a defect of it.
async fn serve(state: Arc<ForwardState>, config: DestinationConfig, seed: u64, ending: signal_watch::Receiver<bool>) {
    let start = |starts: u32| {
        let now = state.clock.now();
        let watch = match starts {
            0 => Watch::new(now),
            _ => {
                state.take_back();
                Watch::after_defect(now)
            }
        };
        Worker::new(Arc::clone(&state), &config, watch, seed.wrapping_add(starts.into())).run(ending.clone())
    };
    let defect = |text: &str, pause: Duration| state.defect(text, pause);
    supervise(start, defect, &state.clock, RESTART, ending.clone()).await;
}

/// Jitter differs between processes and destinations.
fn seed_of(writer: WriterId, name: &str) -> u64 {
    writer.0 ^ u64::from(crc32c::crc32c(name.as_bytes())) << 16
}
