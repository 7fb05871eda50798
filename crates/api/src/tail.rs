//! What is committed, as it is committed: server-sent events that go on where they ended.
//!
//! Each event has the records of a tenth of a second at least, and as its id the place behind them. A client that is slow is sent
//! the latest of what it missed, and how many were left out; nothing waits for it but the files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response};
use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_net::server::{Answer as Body, Refusal};
use otlp_arrow_net::time::until;
use otlp_arrow_query::filter::{Filter, Parameter, Parameters};
use otlp_arrow_query::record::{DataPoint, LogRecord, Span};
use otlp_arrow_query::scan::give_way;
use otlp_arrow_query::{Tail, TailCursor, Telemetry};
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::body::{Piece, headed, pieces};
use crate::words::Words;

/// Clients that may listen at a time.
const TAILS: usize = 32;
/// The time between two events.
const EACH: Duration = Duration::from_millis(100);
/// How often a tail looks whether somebody still listens.
const LOOK: Duration = Duration::from_millis(250);
/// When something is said if nothing is to be said: what is between may end a connection that is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Records of one event where nobody says how many, and at most.
const USUAL: usize = 1_000;
const MOST: usize = 10_000;
/// Bytes of one event, about, and of what is held for one.
const MOST_BYTES: usize = 1 << 20;
const MOST_HELD: usize = 4 << 20;
/// Rows that are read before something is sent.
const MOST_READ: usize = 100_000;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a tail takes beside the words of a filter.
pub(crate) const WORDS: &[Parameter] = &[Parameter {
    name: "cursor",
    repeated: false,
    form: "the id of an earlier event",
    text: "goes on from there, as the header `Last-Event-ID` does; from now on if both are left out",
}];

/// Everybody who listens.
pub(crate) struct Tails {
    places: Arc<Semaphore>,
    clock: Clock,
    patience: Duration,
    stopped: watch::Receiver<bool>,
}

impl Tails {
    pub(crate) fn new(clock: Clock, patience: Duration, stopped: watch::Receiver<bool>) -> Self {
        Self { places: Arc::new(Semaphore::new(TAILS)), clock, patience, stopped }
    }

    /// One more listens.
    pub(crate) async fn open(
        &self,
        telemetry: &Telemetry,
        words: Words,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let text = format!("{TAILS} tails are open: end one, or share one between the tabs of a browser");
            OtlpError::new(Code::Unavailable, text)
        })?;
        let last = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?").to_owned());
        let (first, opened) = oneshot::channel();
        let (sender, body) = pieces(None);
        let mut sending = Sending {
            sender,
            runtime: Handle::current(),
            clock: self.clock.clone(),
            patience: self.patience,
            stopped: self.stopped.clone(),
            _place: place,
        };
        let telemetry = telemetry.clone();
        let body_of_thread = move || {
            give_way();
            match Reading::open(&telemetry, words, last) {
                Ok(mut reading) => {
                    if first.send(Ok(())).is_ok() {
                        sending.run(&mut reading);
                    }
                }
                Err(error) => drop(first.send(Err(error))),
            }
        };
        let thread = std::thread::Builder::new().name("otlp-tail".to_owned()).spawn(body_of_thread);
        thread.map_err(|error| {
            OtlpError::with_source(Code::Unavailable, "the system gives no thread for a tail", error)
        })?;
        opened
            .await
            .map_err(|_| OtlpError::new(Code::Internal, "this tail failed: please report it to the project"))??;
        let mut response = headed("text/event-stream", None, body);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // A proxy that gathers what comes would make a tail of it that comes late.
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        Ok(response)
    }
}

/// What is read for one client.
struct Reading {
    signal: Signal,
    tail: Tail,
    most: usize,
    /// The same problem is told once.
    told: Option<String>,
}

/// Records that are sent with one event.
#[derive(Default)]
struct Update {
    batches: Vec<RecordBatch>,
    rows: usize,
    dropped: usize,
}

impl Reading {
    fn open(telemetry: &Telemetry, words: Words, last: Option<String>) -> Result<Self> {
        let wrong = |text: String| OtlpError::new(Code::InvalidConfig, text);
        let mut parameters = Parameters::new(words);
        let signal = parameters
            .read("signal", |text| text.parse().map_err(|_| "is not one of traces, metrics, logs".to_owned()))?;
        let signal = signal.ok_or_else(|| wrong("signal is missing".to_owned()))?;
        let cursor = parameters.read("cursor", |text| text.parse::<TailCursor>())?;
        let filter = Filter::read(&mut parameters, telemetry.now())?;
        parameters.finish()?;
        if filter.order != Default::default() {
            return Err(wrong("order is not for a tail: records come as they are committed".to_owned()));
        }
        let most = filter.limit.unwrap_or(USUAL).min(MOST);
        // A browser that connects again says where it was: that is later than where it began.
        let last = last
            .map(|id| id.parse().map_err(|problem| wrong(format!("Last-Event-ID {id:?} {problem}"))))
            .transpose()?;
        let tail = telemetry.tail(signal, &filter, last.or(cursor).as_ref())?;
        Ok(Self { signal, tail, most, told: None })
    }

    /// What is committed and was not sent, the latest of it where that is much; and what is wrong.
    fn update(&mut self) -> (Update, Option<String>) {
        let (mut update, mut read, mut bytes) = (Update::default(), 0, 0);
        loop {
            match self.tail.next_batch() {
                Ok(Some(batch)) => {
                    read += batch.num_rows().max(1);
                    update.rows += batch.num_rows();
                    bytes += batch.get_array_memory_size();
                    update.batches.push(batch);
                    while update.rows > self.most || bytes > MOST_HELD && update.batches.len() > 1 {
                        let first = &update.batches[0];
                        let over = update.rows.saturating_sub(self.most);
                        let left = if over > 0 { first.num_rows().saturating_sub(over) } else { 0 };
                        update.dropped += first.num_rows() - left;
                        update.rows -= first.num_rows() - left;
                        if left > 0 {
                            update.batches[0] = first.slice(over, left);
                        } else {
                            bytes = bytes.saturating_sub(first.get_array_memory_size());
                            update.batches.remove(0);
                        }
                    }
                    if read >= MOST_READ {
                        return (update, None);
                    }
                }
                Ok(None) => {
                    self.told = None;
                    return (update, None);
                }
                Err(error) => {
                    let text = error.message().to_owned();
                    let new = self.told.as_ref() != Some(&text);
                    self.told = Some(text.clone());
                    return (update, new.then_some(text));
                }
            }
        }
    }

    fn row(&self, batch: &RecordBatch, row: usize) -> serde_json::Result<String> {
        match self.signal {
            Signal::Traces => serde_json::to_string(&Span::read(batch, row)),
            Signal::Logs => serde_json::to_string(&LogRecord::read(batch, row)),
            Signal::Metrics => serde_json::to_string(&DataPoint::read(batch, row)),
        }
    }

    /// `event: logs` with its id and data, all of it in one line each.
    fn event(&self, update: &Update) -> serde_json::Result<Vec<u8>> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let newest =
            update.batches.iter().rev().flat_map(|batch| (0..batch.num_rows()).rev().map(move |row| (batch, row)));
        for (batch, row) in newest {
            let row = self.row(batch, row)?;
            bytes += row.len();
            if bytes > MOST_BYTES && !rows.is_empty() {
                break;
            }
            rows.push(row);
        }
        rows.reverse();
        let dropped = update.dropped + update.rows - rows.len();
        let (signal, id, list, rows) = (self.signal, self.tail.cursor(), self.name(), rows.join(","));
        let event = format!("event: {signal}\nid: {id}\ndata: {{\"{list}\":[{rows}],\"dropped\":{dropped}}}\n\n");
        Ok(event.into_bytes())
    }

    /// The list in its data.
    fn name(&self) -> &'static str {
        match self.signal {
            Signal::Traces => "spans",
            Signal::Logs => "logs",
            Signal::Metrics => "points",
        }
    }
}

/// Where it is sent, and who is still there.
struct Sending {
    sender: mpsc::Sender<Piece>,
    runtime: Handle,
    clock: Clock,
    patience: Duration,
    stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

#[derive(Serialize)]
struct Opened<'a> {
    signal: &'a str,
    most: usize,
}

#[derive(Serialize)]
struct Problem<'a> {
    message: &'a str,
}

impl Sending {
    /// Sends until nobody listens any more, or the doors close.
    fn run(&mut self, reading: &mut Reading) {
        let (mut update, mut problem) = reading.update();
        let data =
            serde_json::to_string(&Opened { signal: reading.signal.as_str(), most: reading.most }).unwrap_or_default();
        // With it a client can go on from the start, unless something is to be sent first.
        let id = if update.rows == 0 { format!("id: {}\n", reading.tail.cursor()) } else { String::new() };
        let mut goes_on = self.send(format!("retry: 1000\nevent: open\n{id}data: {data}\n\n").into_bytes());
        let mut said = self.clock.now();
        while goes_on {
            if let Some(problem) = problem.take() {
                let data = serde_json::to_string(&Problem { message: &problem }).unwrap_or_default();
                goes_on = self.send(format!("event: problem\ndata: {data}\n\n").into_bytes());
                said = self.clock.now();
            }
            if update.rows + update.dropped > 0 {
                match reading.event(&update) {
                    Ok(event) => goes_on = goes_on && self.send(event),
                    Err(error) => tracing::warn!(%error, "records of a tail could not be written"),
                }
                said = self.clock.now();
            } else if self.clock.elapsed(said) >= KEEP_ALIVE {
                goes_on = self.send(b": nothing new\n\n".to_vec());
                said = self.clock.now();
            }
            if !goes_on {
                return;
            }
            let sent = self.clock.now();
            goes_on = self.rest(reading, sent);
            (update, problem) = reading.update();
        }
    }

    /// Waits until an event may be sent again, and a moment longer where nothing is committed. False where nobody listens.
    fn rest(&self, reading: &mut Reading, sent: Instant) -> bool {
        reading.tail.wait(LOOK);
        let left = EACH.saturating_sub(self.clock.elapsed(sent));
        if !left.is_zero() {
            self.clock.sleep(left);
        }
        !self.sender.is_closed() && !*self.stopped.borrow()
    }

    /// Sends one event. False where nobody takes it.
    fn send(&mut self, event: Vec<u8>) -> bool {
        let deadline = self.clock.now().checked_add(self.patience);
        let (sender, mut stopped) = (&self.sender, self.stopped.clone());
        let sent = self.runtime.block_on(until(&self.clock, deadline, async {
            tokio::select! {
                sent = sender.send(Some(Bytes::from(event))) => sent.is_ok(),
                _ = stopped.wait_for(|stopped| *stopped) => false,
            }
        }));
        sent == Some(true)
    }
}

/// The end of a stream that may end at any time is not a break.
impl Drop for Sending {
    fn drop(&mut self) {
        let _ = self.sender.try_send(None);
    }
}
