//! What one destination still has to get: a backlog for each writer and signal, shared by commits, worker and
//! retention.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::hops::Hops;
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use tokio::sync::Notify;

use super::backlog::{Backlog, LogId};
use super::log::Files;
use super::origins::Origins;
use super::recent::{Fresh, Recent};
use super::window::Ticket;
use crate::stats::PerSignal;
use crate::store::Log;
use crate::store::cursor::{Consumer, CursorFile, Saved};
use crate::store::hooks::{AdoptedWriter, Committed};
use crate::store::names::{Stem, WriterId};
use crate::store::position::{Position, Positions};

/// What to send next.
#[derive(Debug)]
pub(super) enum Next {
    /// From memory, as it came.
    Fresh(Fresh, Position),
    /// From the file, up to the position.
    OnDisk(Position),
}

#[derive(Debug)]
struct State {
    /// Those of dead writers first.
    backlogs: Vec<Backlog>,
    recent: PerSignal<Recent>,
    /// Where to look first, so that no signal waits for the others.
    turn: usize,
}

impl State {
    fn find(&self, id: LogId) -> Option<&Backlog> {
        self.backlogs.iter().find(|backlog| backlog.id == id)
    }

    fn find_mut(&mut self, id: LogId) -> Option<&mut Backlog> {
        self.backlogs.iter_mut().find(|backlog| backlog.id == id)
    }
}

/// The backlogs of one destination.
#[derive(Debug)]
pub(super) struct Backlogs {
    destination: String,
    signals: PerSignal<bool>,
    own: WriterId,
    clock: Clock,
    state: Mutex<State>,
    /// Something was committed, adopted or asked for.
    pub(super) news: Notify,
}

impl Backlogs {
    /// `memory` is what fresh data may take, all signals together.
    pub(super) fn new(destination: &str, signals: PerSignal<bool>, memory: usize, own: WriterId, clock: Clock) -> Self {
        let taken = signals.values().filter(|taken| **taken).count().max(1);
        let recent = signals.map(|taken_here| Recent::new(if taken_here { memory / taken } else { 0 }));
        let state = Mutex::new(State { backlogs: Vec::new(), recent, turn: 0 });
        Self { destination: destination.to_owned(), signals, own, clock, state, news: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn cursor(&self, log: &Log, writer: WriterId, signal: Signal) -> CursorFile {
        log.cursor(Consumer::Forward { destination: &self.destination, writer, signal })
    }

    /// Begins this writer's own backlogs. The cursor files come first: after a crash they say who still waits.
    pub(super) fn begin(&self, log: &Log) -> io::Result<()> {
        for signal in Signal::ALL.into_iter().filter(|signal| self.signals[*signal]) {
            let start = Position::start_of(Stem { created_ms: 0, writer: self.own, seq: 0 });
            let cursor = self.cursor(log, self.own, signal);
            write(&cursor, log, &start)?;
            let id = LogId { writer: self.own, signal };
            self.lock().backlogs.push(Backlog::own(id, cursor, start));
        }
        Ok(())
    }

    /// Takes over what a dead writer did not deliver here. Nothing happens if there is no cursor of it.
    pub(super) fn adopt(&self, log: &Log, writer: &Arc<AdoptedWriter>) {
        for signal in Signal::ALL.into_iter().filter(|signal| self.signals[*signal]) {
            let id = LogId { writer: writer.id(), signal };
            let cursor = self.cursor(log, writer.id(), signal);
            let saved = match cursor.read(&**log.storage()) {
                Ok(Saved::Nothing) => continue,
                Ok(Saved::At(mut positions)) => positions.remove(&writer.id()),
                // Everything is delivered again.
                Ok(Saved::Damaged) | Err(_) => None,
            };
            let files = match Files::of_dead_writer(log, signal, writer.id()) {
                Ok(files) => files,
                Err(error) => {
                    tracing::warn!(%error, destination = self.destination, "cannot look for undelivered files");
                    continue;
                }
            };
            let start = saved.or_else(|| files.start());
            let mut state = self.lock();
            if state.find(id).is_some() {
                continue;
            }
            let Some(start) = start.and_then(|position| files.normalize(&position)) else {
                cursor.remove(&**log.storage());
                continue;
            };
            // Ahead of our own, and of adopted ones that began later: what waits longest goes first.
            let older = |other: &&Backlog| other.is_adopted() && other.next_created_ms() <= start.stem.created_ms;
            let place = state.backlogs.iter().take_while(older).count();
            let origins = Origins::parse(&cursor.read_hops(&**log.storage()));
            state.backlogs.insert(place, Backlog::adopted(id, cursor, files, origins, start, Arc::clone(writer)));
        }
        self.news.notify_one();
    }

    /// Whether rows of `writer` still wait for this destination.
    pub(super) fn needs_writer(&self, writer: WriterId) -> bool {
        self.lock().backlogs.iter().any(|backlog| backlog.id.writer == writer && backlog.waiting() > 0)
    }

    /// Rows of one file that still wait.
    pub(super) fn needed_rows(&self, signal: Signal, stem: &Stem) -> u64 {
        let state = self.lock();
        state.find(LogId { writer: stem.writer, signal }).map_or(0, |backlog| backlog.waiting_in(stem))
    }

    /// The first row of a file that still waits.
    pub(super) fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64> {
        self.lock().find(LogId { writer: stem.writer, signal })?.first_waiting_in(stem)
    }

    /// A file was deleted before its rows were delivered. Returns the rows that are lost with it.
    pub(super) fn evicted(&self, signal: Signal, stem: &Stem) -> u64 {
        let mut state = self.lock();
        state.find_mut(LogId { writer: stem.writer, signal }).map_or(0, |backlog| backlog.evicted(stem))
    }

    /// Rows that are on their way and whose file is gone, by signal: lost if they do not arrive now.
    pub(super) fn without_file(&self) -> PerSignal<u64> {
        let mut rows = PerSignal::default();
        for backlog in &self.lock().backlogs {
            rows[backlog.id.signal] += backlog.without_file();
        }
        rows
    }

    /// A commit of our own writer.
    pub(super) fn committed(&self, commit: &Committed) {
        if !self.signals[commit.signal] {
            return;
        }
        let now = self.clock.now();
        let mut state = self.lock();
        state.recent[commit.signal].add(commit);
        if let Some(backlog) = state.find_mut(LogId { writer: self.own, signal: commit.signal }) {
            let mut row = commit.first_row;
            for request in &commit.requests {
                backlog.origins.add((commit.stem.seq, row), &request.hops);
                row += request.rows;
            }
            backlog.committed(&commit.stem, commit.rows, now);
        }
        drop(state);
        self.news.notify_one();
    }

    /// Whether anything is committed that is not on its way yet.
    pub(super) fn has_next(&self) -> bool {
        self.lock().backlogs.iter().any(|backlog| backlog.next().is_some())
    }

    /// Whether anything of this log is committed that is not on its way yet.
    pub(super) fn waits(&self, id: LogId) -> bool {
        self.lock().find(id).is_some_and(|backlog| backlog.next().is_some())
    }

    /// What comes next: adopted backlogs first, then the signals in turn. `None` when nothing waits.
    pub(super) fn next(&self) -> Option<(LogId, Position, Next, Hops)> {
        let mut state = self.lock();
        let adopted = state.backlogs.iter().filter(|backlog| backlog.is_adopted()).count();
        let own = state.backlogs.len() - adopted;
        state.turn = state.turn.wrapping_add(1);
        let turn = state.turn;
        let order = (0..adopted).chain((0..own).map(|index| adopted + (index + turn) % own.max(1)));
        for index in order {
            let backlog = &state.backlogs[index];
            let Some(from) = backlog.next() else { continue };
            let id = backlog.id;
            let (hops, same) = backlog.origins.at(&from);
            let fresh = (id.writer == self.own).then(|| state.recent[id.signal].take_from(&from, same)).flatten();
            let next = match fresh {
                Some(fresh) => {
                    let end = Position { row: from.row + fresh.rows, ..from.clone() };
                    Next::Fresh(fresh, end)
                }
                None => Next::OnDisk(from.clone()),
            };
            return Some((id, from, next, hops));
        }
        None
    }

    /// Rows that are committed in the file of `position`, from there on, and came through the same recorders.
    pub(super) fn rows_left_in_file(&self, id: LogId, position: &Position) -> u64 {
        let rows = |backlog: &Backlog| backlog.rows_from(position).min(backlog.origins.at(position).1);
        self.lock().find(id).map_or(0, rows)
    }

    /// Marks what lies between `from` and `end` as on its way. `None` if its file was deleted meanwhile: that is counted.
    pub(super) fn issue(&self, id: LogId, from: Position, end: Position) -> Option<Ticket> {
        self.lock().find_mut(id)?.issue(from, end)
    }

    /// Forgets what is on its way, as nobody waits for the answers any more: it is handed out again. Returns by signal how
    /// many records that are, and how many of them are lost because their file is gone.
    pub(super) fn take_back(&self) -> PerSignal<(u64, u64)> {
        let mut all = PerSignal::all((0, 0));
        for backlog in &mut self.lock().backlogs {
            let (rows, lost) = backlog.take_back();
            let (all_rows, all_lost) = &mut all[backlog.id.signal];
            *all_rows += rows;
            *all_lost += lost;
        }
        all
    }

    /// One piece is settled: delivered, or set aside.
    pub(super) fn settle(&self, id: LogId, ticket: Ticket) {
        let mut state = self.lock();
        let State { backlogs, recent, .. } = &mut *state;
        if let Some(backlog) = backlogs.iter_mut().find(|backlog| backlog.id == id)
            && backlog.settle(ticket)
            && id.writer == self.own
        {
            recent[id.signal].forget_before(backlog.answered());
        }
    }

    /// A file cannot be read any more: continues behind it. Returns the rows that are lost to this destination.
    pub(super) fn give_up_file(&self, id: LogId, position: &Position) -> u64 {
        self.lock().find_mut(id).map_or(0, |backlog| backlog.give_up_file(position))
    }

    /// Records that wait, and how old the oldest is, by signal.
    pub(super) fn lag(&self) -> PerSignal<(u64, Option<Duration>)> {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let mut lag = PerSignal::all((0, None));
        for backlog in &self.lock().backlogs {
            let (records, age) = &mut lag[backlog.id.signal];
            *records += backlog.waiting();
            *age = (*age).max(backlog.oldest(now, wall));
        }
        lag
    }

    /// Writes the cursors that moved, and releases dead writers of which everything is delivered.
    pub(super) fn save(&self, log: &Log) {
        let (moved, finished, hops) = {
            let mut state = self.lock();
            let finished: Vec<_> = state.backlogs.extract_if(.., |backlog| backlog.is_finished()).collect();
            let hops = state.backlogs.iter_mut().filter_map(|one| Some((one.cursor.clone(), one.origins.unsaved()?)));
            let hops: Vec<_> = hops.collect();
            let unsaved = |backlog: &Backlog| Some((backlog.id, backlog.cursor.clone(), backlog.unsaved()?.clone()));
            let moved: Vec<_> = state.backlogs.iter().filter_map(unsaved).collect();
            (moved, finished, hops)
        };
        for (cursor, lines) in hops {
            if let Err(error) = cursor.write_hops(&**log.storage(), &lines) {
                tracing::warn!(%error, destination = self.destination, "the way that records came cannot be written");
            }
        }
        for (id, cursor, position) in moved {
            match write(&cursor, log, &position) {
                Ok(()) => {
                    if let Some(backlog) = self.lock().find_mut(id) {
                        backlog.saved(position);
                    }
                }
                Err(error) => tracing::warn!(%error, destination = self.destination, "a cursor cannot be written"),
            }
        }
        for mut backlog in finished {
            backlog.cursor.remove(&**log.storage());
            // The last destination and signal that release a writer end it for good.
            if let Some(adopted) = backlog.release().and_then(|adopted| Arc::try_unwrap(adopted).ok())
                && let Err(error) = adopted.remove()
            {
                tracing::debug!(%error, "a dead writer's lock file stays for now");
            }
        }
    }

    /// At the end: cursors of what is delivered go, those of what waits are written. Returns the records that wait.
    pub(super) fn end(&self, log: &Log) -> u64 {
        self.save(log);
        let mut state = self.lock();
        for delivered in state.backlogs.extract_if(.., |backlog| backlog.waiting() == 0) {
            delivered.cursor.remove(&**log.storage());
        }
        // The locks of dead writers end with their backlogs.
        for backlog in &mut state.backlogs {
            backlog.release();
        }
        state.backlogs.iter().map(Backlog::waiting).sum()
    }
}

fn write(cursor: &CursorFile, log: &Log, position: &Position) -> io::Result<()> {
    cursor.write(&**log.storage(), &Positions::from([(position.stem.writer, position.clone())]))
}
