//! One destination's worker: takes what waits, sends it, and acts on the answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use otlp_arrow_columns::{Format, Signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backlog::{LogId, Next};
use super::breaker::{Breaker, BreakerState, Outcome, Permit, Transition};
use super::classify::Class;
use super::client::Answer;
use super::cursor::CursorFile;
use super::log::{self, Piece, Reader};
use super::position::Position;
use super::rejected::Guard;
use super::retry::Schedule;
use super::state::{Command, ForwardState};
use super::watch::{Standing, Watch};
use super::window::Ticket;
use crate::config::Destination;
use crate::event::EventName;
use crate::store::hooks::AdoptedWriter;

/// How often cursors are written, lag is measured and troubles are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often other writers' undelivered data is looked for, at last; at first every second, as what a crash left is
/// being recovered.
const ADOPT: Duration = Duration::from_secs(30);
/// Reading a damaged file is tried so often before it is given up.
const READ_ATTEMPTS: u32 = 5;

/// One request's worth of a log, on its way.
#[derive(Debug)]
struct BatchToSend {
    log: LogId,
    ticket: Ticket,
    payload: Bytes,
    records: u64,
    /// Batches that one ticket was split into and that are not settled.
    parts: Arc<AtomicUsize>,
    /// Keeps split parts in order: where this one begins in its ticket, and how much of it it is.
    order: u64,
    span: u64,
}

impl BatchToSend {
    /// Its place among those that are sent again.
    fn key(&self) -> (Ticket, u64, LogId) {
        (self.ticket, self.order, self.log)
    }
}

struct Done {
    batch: BatchToSend,
    permit: Permit,
    answer: Answer,
    elapsed: Duration,
}

/// The loop of one destination.
pub(super) struct Worker {
    state: Arc<ForwardState>,
    config: Destination,
    breaker: Breaker,
    schedule: Schedule,
    guard: Guard,
    watch: Watch,
    readers: HashMap<LogId, (Reader, u32)>,
    sending: JoinSet<Done>,
    /// To send again, oldest first. Tickets are a log's own, so the log is part of the key.
    again: BTreeMap<(Ticket, u64, LogId), BatchToSend>,
    not_before: Instant,
    blocked: bool,
    adopt_at: Instant,
    adopt_pause: Duration,
}

impl Worker {
    pub(super) fn new(state: Arc<ForwardState>, config: Destination, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(&config.breaker, now, seed),
            schedule: Schedule::new(&config.retry, seed.rotate_left(32)),
            guard: Guard::default(),
            watch: Watch::new(now),
            readers: HashMap::new(),
            sending: JoinSet::new(),
            again: BTreeMap::new(),
            not_before: now,
            blocked: false,
            adopt_at: now,
            adopt_pause: TICK,
            state,
            config,
        }
    }

    /// Runs until told to end; then sends what it can while the destination answers.
    pub(super) async fn run(mut self, mut ending: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let idle = self.send_what_waits().await;
            if *ending.borrow() && (self.sending.is_empty() && (idle || self.in_trouble())) {
                break;
            }
            let wake = self.wake_at();
            tokio::select! {
                Some(done) = self.sending.join_next(), if !self.sending.is_empty() => {
                    if let Ok(done) = done {
                        self.settle(done).await;
                    }
                }
                () = self.state.backlogs.news.notified(), if self.may_take_more() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
                _ = tick.tick() => self.tick(),
                _ = ending.changed() => {}
            }
            self.obey();
        }
        self.tick();
    }

    /// Whether waiting for the destination at the end makes no sense.
    fn in_trouble(&self) -> bool {
        !self.again.is_empty() || self.breaker.state() != BreakerState::Closed || self.state.paused()
    }

    fn may_take_more(&self) -> bool {
        self.sending.len() < self.config.max_in_flight && self.again.is_empty() && !self.state.paused()
    }

    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let far = now + Duration::from_secs(3600);
        let retry = if self.again.is_empty() { far } else { self.not_before };
        match self.breaker.wake_at() {
            _ if self.state.paused() => far,
            Some(open) => open.max(now),
            None if self.breaker.state() == BreakerState::Open => far,
            None if self.sending.len() >= self.config.max_in_flight => far,
            None => retry.max(now),
        }
    }

    /// Sends as much as may be on its way. Whether nothing is left to send.
    async fn send_what_waits(&mut self) -> bool {
        while self.sending.len() < self.config.max_in_flight && !self.state.paused() {
            let now = Instant::now();
            if now < self.not_before && !self.again.is_empty() {
                return false;
            }
            if self.again.is_empty() && !self.state.backlogs.has_next() {
                return true;
            }
            let (permit, transition) = self.breaker.acquire(now);
            self.announce(transition);
            let Some(permit) = permit else { return false };
            let batch = match self.again.pop_first() {
                Some((_, batch)) => Some(batch),
                None => self.next_batch().await,
            };
            let Some(batch) = batch else {
                self.breaker.cancel(permit);
                return false;
            };
            let state = Arc::clone(&self.state);
            self.sending.spawn(async move {
                let started = Instant::now();
                let answer = state.outlet.send(batch.log.signal, batch.payload.clone()).await;
                Done { batch, permit, answer, elapsed: started.elapsed() }
            });
        }
        false
    }

    /// The next request's worth, from memory or from disk.
    async fn next_batch(&mut self) -> Option<BatchToSend> {
        loop {
            let (log, from, next) = self.state.backlogs.next()?;
            let (payload, records, end) = match next {
                Next::Fresh(fresh, end) => (fresh.payload, fresh.rows, end),
                Next::OnDisk(from) => match self.read(log, &from).await {
                    Some((payload, records, end)) => (payload, records, end),
                    None => continue,
                },
            };
            if let Some(ticket) = self.state.backlogs.issue(log, from, end) {
                self.state.stats.taken(log.signal, records);
                let parts = Arc::new(AtomicUsize::new(1));
                return Some(BatchToSend { log, ticket, payload, records, parts, order: 0, span: 1 << 62 });
            }
        }
    }

    /// Reads and encodes off the reactor. `None` when the file is given up or trying again later is due.
    async fn read(&mut self, log: LogId, from: &Position) -> Option<(Bytes, u64, Position)> {
        let (mut reader, failures) =
            self.readers.remove(&log).unwrap_or_else(|| (Reader::new(self.state.log.clone(), log.signal), 0));
        let limit = self.state.backlogs.rows_left_in_file(log, from);
        let position = from.clone();
        let work = tokio::task::spawn_blocking(move || {
            let read = reader.read(&position, limit).and_then(|piece| {
                piece
                    .map(|Piece { batch, end }| Ok((log::encoded(log.signal, &batch)?, batch.num_rows() as u64, end)))
                    .transpose()
            });
            (reader, read)
        });
        let Ok((reader, read)) = work.await else { return None };
        let error = match read {
            Ok(Some(piece)) => {
                self.readers.insert(log, (reader, 0));
                return Some(piece);
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let gone = error.as_ref().is_none_or(log::is_gone);
        if gone || failures + 1 >= READ_ATTEMPTS {
            let lost = self.state.backlogs.give_up_file(log, from);
            let why = error.map_or_else(|| "it ends early".to_owned(), |error| error.to_string());
            if lost > 0 {
                let message = format!("{lost} record(s) of {} cannot be read any more: {why}", from.stem);
                self.state.event(EventName::RecordsEvicted, Some(log.signal), Some(lost), message);
            }
        } else {
            self.readers.insert(log, (reader, failures + 1));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        None
    }

    async fn settle(&mut self, done: Done) {
        let Done { batch, permit, answer, elapsed } = done;
        let now = Instant::now();
        let signal = batch.log.signal;
        self.state.stats.request(elapsed);
        let mut class = answer.class;
        if class == Class::TooLarge && batch.records <= 1 {
            class = Class::Data;
        }
        if class == Class::Data && !self.guard.allows() {
            class = Class::Destination;
        }
        let outcome = match class {
            Class::Passing { .. } => Outcome::Failed,
            Class::Destination => Outcome::Blocked,
            _ => Outcome::Answered,
        };
        if matches!(class, Class::Destination | Class::Passing { .. }) {
            // Before the breaker tells of it.
            self.state.failed(&answer.message);
            self.state.stats.failed(signal, batch.records);
        }
        let transition = self.breaker.report(permit, outcome, now);
        self.announce(transition);
        self.blocked = class == Class::Destination;
        match class {
            Class::Delivered { rejected } => {
                // A destination cannot have refused more than it was sent, whatever it says.
                let rejected = rejected.min(batch.records);
                self.state.stats.forwarded(signal, batch.records - rejected);
                self.watch.success(now);
                self.guard.delivered();
                self.schedule.reset();
                self.not_before = now;
                if rejected > 0 {
                    self.state.stats.rejected(signal, rejected);
                    let message = format!("{} refused {rejected} record(s): {}", self.config.name, answer.message);
                    self.state.event(EventName::RecordsRejected, Some(signal), Some(rejected), message);
                }
                self.finish(&batch);
            }
            Class::TooLarge => self.split(batch, &answer.message).await,
            Class::Data => {
                self.guard.refused();
                self.set_aside(batch, &answer.message).await;
            }
            Class::Destination | Class::Passing { .. } => {
                // Requests that were on their way together fail together, and count as one failure.
                if now >= self.not_before {
                    let asked = if let Class::Passing { after } = class { after } else { None };
                    self.not_before = now + self.schedule.after_failure(asked);
                }
                self.again.insert(batch.key(), batch);
            }
        }
    }

    fn finish(&self, batch: &BatchToSend) {
        if batch.parts.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.state.backlogs.answer(batch.log, batch.ticket);
        }
    }

    /// Halves a request that is too large for the destination.
    async fn split(&mut self, batch: BatchToSend, answer: &str) {
        let (signal, payload) = (batch.log.signal, batch.payload.clone());
        let work = tokio::task::spawn_blocking(move || halves(signal, &payload));
        match work.await {
            Ok(Some(halves)) => {
                batch.parts.fetch_add(1, Ordering::Relaxed);
                let span = batch.span / 2;
                for (index, (payload, records)) in halves.into_iter().enumerate() {
                    let order = batch.order + index as u64 * span;
                    let parts = Arc::clone(&batch.parts);
                    let half =
                        BatchToSend { log: batch.log, ticket: batch.ticket, payload, records, parts, order, span };
                    self.again.insert(half.key(), half);
                }
            }
            // What cannot be split is refused data.
            _ => self.set_aside(batch, answer).await,
        }
    }

    async fn set_aside(&mut self, batch: BatchToSend, answer: &str) {
        let signal = batch.log.signal;
        let (state, payload, text) = (Arc::clone(&self.state), batch.payload.clone(), answer.to_owned());
        let kept =
            tokio::task::spawn_blocking(move || state.rejected.keep(&state.log, state.writer, signal, &payload, &text))
                .await;
        if let Ok(Err(error)) = kept {
            // Without a place to keep it, it stays where it is and is tried again.
            tracing::warn!(%error, destination = self.config.name, "refused data cannot be set aside");
            self.not_before = Instant::now() + Duration::from_secs(1);
            self.again.insert(batch.key(), batch);
            return;
        }
        self.state.failed(answer);
        self.state.stats.rejected(signal, batch.records);
        let message = format!(
            "{} refused {} record(s) for good: {answer}; they are kept in rejected/{}",
            self.config.name, batch.records, self.config.name
        );
        self.state.event(EventName::RecordsRejected, Some(signal), Some(batch.records), message);
        self.finish(&batch);
    }

    fn announce(&mut self, transition: Option<Transition>) {
        let Some(transition) = transition else { return };
        let state = self.breaker.state();
        self.state.set_state(state);
        let name = &self.config.name;
        let (event, message) = match transition {
            Transition::Opened(time) => {
                let why = self.state.last_error().unwrap_or_default();
                let text = format!("{name} is not asked for {:.1} s: {why}", time.as_secs_f64().min(1e9));
                (EventName::BreakerOpened, text)
            }
            Transition::HalfOpened => (EventName::BreakerHalfOpen, format!("{name} is asked with one request")),
            Transition::Closed => (EventName::BreakerClosed, format!("{name} answers again")),
        };
        self.state.event(event, None, None, message);
    }

    fn obey(&mut self) {
        for command in self.state.take_commands() {
            match command {
                Command::Retry => {
                    self.breaker.release(Instant::now());
                    self.schedule.reset();
                    self.not_before = Instant::now();
                }
            }
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        // A reader holds a batch and its file's dictionaries: those of backlogs that are through would add up.
        self.readers.retain(|log, _| self.state.backlogs.waits(*log));
        self.state.backlogs.save(&self.state.log);
        let lag = self.state.backlogs.lag();
        for (signal, (records, age)) in lag {
            self.state.stats.set_lag(signal, records, age.unwrap_or_default());
        }
        let standing = Standing {
            lag: lag.values().filter_map(|(_, age)| *age).max(),
            half_of_room: self.state.half_of_room(),
            blocked: self.blocked,
            paused: self.state.paused(),
        };
        let records: u64 = lag.values().map(|(records, _)| records).sum();
        for due in self.watch.check(standing, now) {
            let name = &self.config.name;
            let why = self.state.last_error().unwrap_or_else(|| "no error was reported".into());
            let message = match due.name {
                EventName::ForwardRecovered => format!("{name} keeps up again after {:?}", due.lasted),
                EventName::ForwardBlocked => {
                    format!("{name} refuses everything: {why}; check its address, credentials and protocol")
                }
                _ => format!("{name} is {records} record(s), {:?} behind: {why}", standing.lag.unwrap_or_default()),
            };
            self.state.event(due.name, None, Some(records), message);
        }
        self.state.set_troubled(self.watch.troubled());
        if now >= self.adopt_at {
            self.adopt_pause = (self.adopt_pause * 2).min(ADOPT);
            self.adopt_at = now + self.adopt_pause;
            self.adopt_orphans();
        }
    }

    /// Writers that left a cursor here and are gone: whoever has this destination takes them over.
    fn adopt_orphans(&self) {
        let log = &self.state.log;
        for writer in CursorFile::writers(log, &self.config.name) {
            if writer == self.state.writer || self.state.backlogs.needs_writer(writer) {
                continue;
            }
            // Held by us already for another destination, alive, or adopted by another process: then it is not ours to take.
            if let Some(adopted) = AdoptedWriter::take(log, writer) {
                self.state.backlogs.adopt(log, &adopted);
            }
        }
    }
}

type Half = (Bytes, u64);

fn halves(signal: Signal, payload: &[u8]) -> Option<[Half; 2]> {
    let batch = otlp_arrow_columns::decode(signal, payload, Format::Protobuf).ok()?.batch;
    let rows = batch.num_rows();
    if rows < 2 {
        return None;
    }
    let half = |from: usize, to: usize| {
        let part = batch.slice(from, to - from);
        log::encoded(signal, &part).ok().map(|payload| (payload, part.num_rows() as u64))
    };
    Some([half(0, rows / 2)?, half(rows / 2, rows)?])
}
