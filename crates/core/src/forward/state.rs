//! What a destination's worker, its public handle, and the store's hooks share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use otlp_arrow_columns::Signal;
use tokio::runtime::Handle;

use super::backlog::Backlogs;
use super::breaker::BreakerState;
use super::classify::Class;
use super::client::{Answer, Client, exporters};
use super::rejected::Rejected;
use crate::config::{Destination, ForwardProtocol};
use crate::error::Result;
use crate::event::{Event, EventName, EventSink};
use crate::stats::DestinationStats;
use crate::store::names::{Form, WriterId, parse_name};
use crate::store::{Log, Store};

/// How often the room that waiting data takes is measured: it lists directories.
const MEASURE: Duration = Duration::from_secs(30);

/// Where requests go out.
#[derive(Debug)]
pub(super) enum Outlet {
    Network(Box<Client>),
    /// One OTLP/JSON request a line.
    Stdout,
}

impl Outlet {
    pub(super) fn new(destination: &Destination) -> Result<Self> {
        match destination.protocol {
            ForwardProtocol::Stdout => Ok(Outlet::Stdout),
            _ => Ok(Outlet::Network(Box::new(Client::new(destination)?))),
        }
    }

    pub(super) async fn send(&self, signal: Signal, payload: Bytes) -> Answer {
        match self {
            Outlet::Network(client) => client.send(signal, payload).await,
            Outlet::Stdout => {
                let written = tokio::task::spawn_blocking(move || print_line(signal, &payload)).await;
                match written {
                    Ok(Ok(())) => Answer { class: Class::Delivered { rejected: 0 }, message: String::new() },
                    Ok(Err(error)) => {
                        Answer { class: Class::Passing { after: None }, message: format!("standard output: {error}") }
                    }
                    Err(error) => Answer { class: Class::Passing { after: None }, message: error.to_string() },
                }
            }
        }
    }
}

fn print_line(signal: Signal, payload: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut line = otlp_arrow_columns::json::from_protobuf(signal, payload).map_err(std::io::Error::other)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// What a person asks of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Forget open times and waits: try again now.
    Retry,
}

#[derive(Debug)]
struct Status {
    state: BreakerState,
    last_error: Option<String>,
    commands: Vec<Command>,
    measured: Option<(Instant, bool)>,
}

/// One destination.
pub(super) struct ForwardState {
    pub(super) name: String,
    pub(super) log: Log,
    /// Who writes to it in this process.
    pub(super) writer: WriterId,
    events: EventSink,
    /// Bytes that retention allows.
    max_bytes: u64,
    pub(super) backlogs: Backlogs,
    pub(super) stats: Arc<DestinationStats>,
    pub(super) rejected: Rejected,
    pub(super) outlet: Outlet,
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
    pub(super) fn new(store: &Store, destination: &Destination, runtime: Handle) -> Result<Arc<Self>> {
        let backlogs = Backlogs::new(&destination.name, destination.signals, destination.memory, store.writer());
        Ok(Arc::new(Self {
            name: destination.name.clone(),
            backlogs,
            stats: store.stats().destination(&destination.name, exporters(destination)?),
            rejected: Rejected::new(store.log(), &destination.name),
            outlet: Outlet::new(destination)?,
            runtime,
            paused: AtomicBool::new(false),
            troubled: AtomicBool::new(false),
            evicted: AtomicU64::new(0),
            status: Mutex::new(Status {
                state: BreakerState::Closed,
                last_error: None,
                commands: Vec::new(),
                measured: None,
            }),
            log: store.log().clone(),
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

    pub(super) fn state(&self) -> BreakerState {
        self.lock().state
    }

    pub(super) fn set_state(&self, state: BreakerState) {
        self.stats.set_breaker_state(state);
        self.lock().state = state;
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
        (self.events)(Event { signal, destination, count, ..Event::new(name, SystemTime::now(), message) });
    }

    /// Whether what waits takes more than half of the bytes that retention allows.
    pub(super) fn half_of_room(&self) -> bool {
        if let Some((at, verdict)) = self.lock().measured
            && at.elapsed() < MEASURE
        {
            return verdict;
        }
        let mut waiting = 0;
        for signal in Signal::ALL {
            for entry in self.log.storage().list(&self.log.layout().signal_dir(signal)).unwrap_or_default() {
                if let Some((stem, Form::Sealed | Form::Live)) = parse_name(&entry.name)
                    && self.backlogs.needed_rows(signal, &stem) > 0
                {
                    waiting += entry.len;
                }
            }
        }
        let verdict = waiting > self.max_bytes / 2;
        self.lock().measured = Some((Instant::now(), verdict));
        verdict
    }
}
