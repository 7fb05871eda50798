//! What a destination's worker, its public handle, and the store's hooks share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use otlp_arrow_base::clock::Clock;
use otlp_arrow_columns::Signal;
use tokio::runtime::Handle;

use super::backlogs::Backlogs;
use super::breaker::BreakerState;
use super::rejected::Rejected;
use crate::destinations::{Destination, DestinationConfig, Takes};
use crate::error::Result;
use crate::event::{Event, EventName, EventSink};
use crate::stats::{DestinationStats, Exporter, PerSignal};
use crate::store::names::WriterId;
use crate::store::{Log, Store};

/// How often the room that waiting data takes is measured: it lists directories.
const MEASURE: Duration = Duration::from_secs(30);

/// What a person asks of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Forget open times and waits: try again now.
    Retry,
}

#[derive(Debug)]
struct Status {
    breaker: BreakerState,
    last_error: Option<String>,
    commands: Vec<Command>,
    measured: Option<(Instant, bool)>,
}

/// One destination.
pub(super) struct ForwardState {
    pub(super) name: String,
    /// What this recorder is known by to others.
    pub(super) number: u64,
    pub(super) log: Log,
    pub(super) clock: Clock,
    /// Who writes to it in this process.
    pub(super) writer: WriterId,
    events: EventSink,
    /// Bytes that retention allows.
    max_bytes: u64,
    pub(super) backlogs: Backlogs,
    pub(super) stats: Arc<DestinationStats>,
    pub(super) rejected: Rejected,
    pub(super) destination: Arc<dyn Destination>,
    /// In what form it is handed the records.
    pub(super) takes: Takes,
    /// Where its requests run.
    pub(super) runtime: Handle,
    paused: AtomicBool,
    troubled: AtomicBool,
    evicted: AtomicU64,
    status: Mutex<Status>,
}

impl fmt::Debug for ForwardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardState").field("name", &self.name).field("log", &self.log).finish_non_exhaustive()
    }
}

impl ForwardState {
    pub(super) fn new(
        store: &Store,
        number: u64,
        config: &DestinationConfig,
        runtime: Handle,
        clock: Clock,
    ) -> Result<Arc<Self>> {
        let (destination, spec) = (config.protocol.open(config)?, config.protocol.spec());
        let signals = PerSignal::from_fn(|signal| config.signals[signal] && spec.signals[signal]);
        let memory = match spec.takes {
            Takes::Otlp => config.memory,
            // What is fresh is read back as rows from the page cache: that takes less than decoding it once more.
            Takes::Rows => 0,
        };
        Ok(Arc::new(Self {
            name: config.name.clone(),
            number,
            takes: spec.takes,
            backlogs: Backlogs::new(&config.name, signals, memory, store.writer(), clock.clone()),
            stats: store.stats().destination(&config.name, exporters(config, &*destination)),
            rejected: Rejected::new(store.log(), &config.name),
            destination,
            runtime,
            paused: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
            evicted: AtomicU64::new(0),
            status: Mutex::new(Status {
                breaker: BreakerState::Closed,
                last_error: None,
                commands: Vec::new(),
                measured: None,
            }),
            log: store.log().clone(),
            clock,
            writer: store.writer(),
            events: Arc::clone(store.events()),
            max_bytes: store.settings().retention.max_bytes,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
        self.backlogs.news.notify_one();
    }

    pub(super) fn troubled(&self) -> bool {
        self.troubled.load(Ordering::Relaxed)
    }

    pub(super) fn set_troubled(&self, troubled: bool) {
        self.troubled.store(troubled, Ordering::Relaxed);
    }

    pub(super) fn breaker(&self) -> BreakerState {
        self.lock().breaker
    }

    pub(super) fn set_breaker(&self, state: BreakerState) {
        self.stats.set_breaker_state(state);
        self.lock().breaker = state;
    }

    pub(super) fn last_error(&self) -> Option<String> {
        self.lock().last_error.clone()
    }

    pub(super) fn failed(&self, message: &str) {
        self.lock().last_error = Some(message.to_owned());
    }

    pub(super) fn command(&self, command: Command) {
        self.lock().commands.push(command);
        self.backlogs.news.notify_one();
    }

    pub(super) fn take_commands(&self) -> Vec<Command> {
        std::mem::take(&mut self.lock().commands)
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Announces something about this destination; what is announced is counted where it is delivered.
    pub(super) fn event(&self, name: EventName, signal: Option<Signal>, count: Option<u64>, message: String) {
        if name == EventName::RecordsEvicted {
            self.evicted.fetch_add(count.unwrap_or(0), Ordering::Relaxed);
        }
        let destination = Some(self.name.clone());
        (self.events)(Event { signal, destination, count, ..Event::new(name, self.clock.wall(), message) });
    }

    /// The worker ended by a defect, and starts again after `pause`.
    pub(super) fn defect(&self, text: &str, pause: Duration) {
        let message = format!("forwarding to {} ended by a defect and starts again in {pause:?}: {text}", self.name);
        self.failed(&message);
        self.set_troubled(true);
        self.event(EventName::ForwardStalled, None, None, message);
    }

    /// Nobody waits any more for the answers to what is on its way: it is sent again.
    pub(super) fn take_back(&self) {
        for (signal, (records, lost)) in self.backlogs.take_back() {
            self.stats.taken_back(signal, records);
            if lost > 0 {
                let text = format!("{lost} record(s) on their way to {} are lost: their file is gone", self.name);
                self.event(EventName::RecordsEvicted, Some(signal), Some(lost), text);
                self.log.stats().dropped(signal, "evicted", lost);
            }
        }
        self.set_breaker(BreakerState::Closed);
    }

    /// Whether what waits takes more than half of the bytes that retention allows.
    pub(super) fn half_of_room(&self, now: Instant) -> bool {
        if let Some((at, verdict)) = self.lock().measured
            && now.saturating_duration_since(at) < MEASURE
        {
            return verdict;
        }
        let mut waiting = 0;
        for signal in Signal::ALL {
            let files = self.log.entries(signal).unwrap_or_default();
            let needed = files.iter().filter(|file| self.backlogs.needed_rows(signal, &file.stem) > 0);
            waiting += needed.map(|file| file.len).sum::<u64>();
        }
        let verdict = waiting > self.max_bytes / 2;
        self.lock().measured = Some((now, verdict));
        verdict
    }
}

/// What the semantic conventions call the exporters of a destination, by signal.
fn exporters(config: &DestinationConfig, destination: &dyn Destination) -> PerSignal<Option<Exporter>> {
    PerSignal::from_fn(|signal| {
        let component = config.protocol.spec().component?;
        let server = destination.server(signal).filter(|_| config.signals[signal])?;
        Some(Exporter::new(component, signal, &config.name, &server.host, server.port))
    })
}
