//! What one destination still has to get: a backlog for each writer and signal, shared by commits, worker and
//! retention.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otlp_arrow_columns::Signal;
use tokio::sync::Notify;

use super::log::{self, Files};
use super::position::{Position, Positions};
use super::recent::{Fresh, Recent};
use super::window::{Ticket, Window};
use crate::stats::PerSignal;
use crate::store::Log;
use crate::store::cursor::{Consumer, CursorFile, Saved};
use crate::store::hooks::{AdoptedWriter, Committed};
use crate::store::names::{Stem, WriterId};

/// One writer's log of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LogId {
    pub(super) writer: WriterId,
    pub(super) signal: Signal,
}

/// What of one log still has to go to one destination.
#[derive(Debug)]
struct Backlog {
    id: LogId,
    files: Files,
    window: Window,
    cursor: CursorFile,
    saved: Option<Position>,
    /// Held until everything of a dead writer is delivered.
    adopted: Option<Arc<AdoptedWriter>>,
}

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
    backlogs: Vec<Backlog>,
    recent: PerSignal<Recent>,
    /// Where to look first, so that no signal waits for the others.
    turn: usize,
}

/// The backlogs of one destination.
#[derive(Debug)]
pub(super) struct Backlogs {
    destination: String,
    signals: PerSignal<bool>,
    own: WriterId,
    state: Mutex<State>,
    /// Something was committed, adopted or asked for.
    pub(super) news: Notify,
}

impl Backlogs {
    pub(super) fn new(destination: &str, signals: PerSignal<bool>, memory: usize, own: WriterId) -> Self {
        let taken = signals.values().filter(|taken| **taken).count().max(1);
        let recent = signals.map(|taken_here| Recent::new(if taken_here { memory / taken } else { 0 }));
        let state = Mutex::new(State { backlogs: Vec::new(), recent, turn: 0 });
        Self { destination: destination.to_owned(), signals, own, state, news: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            let (files, window) = (Files::default(), Window::new(start.clone()));
            let backlog = Backlog {
                id: LogId { writer: self.own, signal },
                files,
                window,
                cursor,
                saved: Some(start),
                adopted: None,
            };
            self.lock().backlogs.push(backlog);
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
            if state.backlogs.iter().any(|backlog| backlog.id == id) {
                continue;
            }
            let Some(start) = start.and_then(|position| files.normalize(&position)) else {
                cursor.remove(&**log.storage());
                continue;
            };
            // Ahead of our own, and of adopted ones that began later: what waits longest goes first.
            let older = |backlog: &&Backlog| {
                backlog.adopted.is_some() && backlog.window.next().stem.created_ms <= start.stem.created_ms
            };
            let place = state.backlogs.iter().take_while(older).count();
            let (window, adopted) = (Window::new(start), Some(Arc::clone(writer)));
            state.backlogs.insert(place, Backlog { id, files, window, cursor, saved: None, adopted });
        }
        self.news.notify_one();
    }

    /// Whether rows of `writer` still wait for this destination.
    pub(super) fn needs_writer(&self, writer: WriterId) -> bool {
        let state = self.lock();
        state
            .backlogs
            .iter()
            .any(|backlog| backlog.id.writer == writer && backlog.files.rows_after(backlog.window.cursor()) > 0)
    }

    /// Rows of one file that still wait.
    pub(super) fn needed_rows(&self, signal: Signal, stem: &Stem) -> u64 {
        let state = self.lock();
        let backlog = state.backlogs.iter().find(|backlog| backlog.id == LogId { writer: stem.writer, signal });
        backlog.map_or(0, |backlog| backlog.files.rows_of(stem, backlog.window.cursor()))
    }

    /// The first row of a file that still waits.
    pub(super) fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64> {
        let state = self.lock();
        let backlog = state.backlogs.iter().find(|backlog| backlog.id == LogId { writer: stem.writer, signal })?;
        let cursor = backlog.window.cursor();
        let waits = backlog.files.rows_of(stem, cursor) > 0;
        waits.then_some(if cursor.stem.seq == stem.seq { cursor.row } else { 0 })
    }

    /// A file was deleted before its rows were delivered. Returns the rows that are lost with it: what is on its way
    /// needs no file any more.
    pub(super) fn evicted(&self, signal: Signal, stem: &Stem) -> u64 {
        let mut state = self.lock();
        let Some(backlog) =
            state.backlogs.iter_mut().find(|backlog| backlog.id == LogId { writer: stem.writer, signal })
        else {
            return 0;
        };
        let lost = backlog.files.rows_of(stem, backlog.window.next());
        backlog.files.remove(stem);
        lost
    }

    /// Rows that are on their way and whose file is gone, by signal: lost if they do not arrive now.
    pub(super) fn without_file(&self) -> PerSignal<u64> {
        let mut rows = PerSignal::default();
        for backlog in &self.lock().backlogs {
            let gone = backlog.window.on_the_way().filter(|(stem, _)| !backlog.files.contains(stem));
            rows[backlog.id.signal] += gone.map(|(_, rows)| rows).sum::<u64>();
        }
        rows
    }

    /// A commit of our own writer.
    pub(super) fn committed(&self, commit: &Committed) {
        if !self.signals[commit.signal] {
            return;
        }
        let mut state = self.lock();
        state.recent[commit.signal].add(commit);
        if let Some(backlog) =
            state.backlogs.iter_mut().find(|backlog| backlog.id == LogId { writer: self.own, signal: commit.signal })
        {
            backlog.files.committed(&commit.stem, commit.rows);
        }
        drop(state);
        self.news.notify_one();
    }

    /// Whether anything is committed that is not on its way yet.
    pub(super) fn has_next(&self) -> bool {
        self.lock().backlogs.iter().any(|backlog| backlog.files.normalize(backlog.window.next()).is_some())
    }

    /// Whether anything of this log is committed that is not on its way yet.
    pub(super) fn waits(&self, id: LogId) -> bool {
        let state = self.lock();
        let backlog = state.backlogs.iter().find(|backlog| backlog.id == id);
        backlog.is_some_and(|backlog| backlog.files.normalize(backlog.window.next()).is_some())
    }

    /// What comes next: adopted backlogs first, then the signals in turn. `None` when nothing waits.
    pub(super) fn next(&self) -> Option<(LogId, Position, Next)> {
        let mut state = self.lock();
        let adopted = state.backlogs.iter().filter(|backlog| backlog.adopted.is_some()).count();
        let own = state.backlogs.len() - adopted;
        state.turn = state.turn.wrapping_add(1);
        let turn = state.turn;
        let order = (0..adopted).chain((0..own).map(|index| adopted + (index + turn) % own.max(1)));
        for index in order {
            let backlog = &state.backlogs[index];
            let Some(from) = backlog.files.normalize(backlog.window.next()) else { continue };
            let id = backlog.id;
            let fresh = (id.writer == self.own).then(|| state.recent[id.signal].take_from(&from)).flatten();
            let next = match fresh {
                Some(fresh) => {
                    let end = Position { row: from.row + fresh.rows, ..from.clone() };
                    Next::Fresh(fresh, end)
                }
                None => Next::OnDisk(from.clone()),
            };
            return Some((id, from, next));
        }
        None
    }

    /// Rows that are committed in the file of `position`, from there on.
    pub(super) fn rows_left_in_file(&self, id: LogId, position: &Position) -> u64 {
        let state = self.lock();
        let backlog = state.backlogs.iter().find(|backlog| backlog.id == id);
        backlog.map_or(0, |backlog| backlog.files.rows_of(&position.stem, position))
    }

    /// Marks what lies between `from` and `end` as on its way. `None` if its file was deleted meanwhile: that is counted.
    pub(super) fn issue(&self, id: LogId, from: Position, end: Position) -> Option<Ticket> {
        let mut state = self.lock();
        let backlog = state.backlogs.iter_mut().find(|backlog| backlog.id == id)?;
        if !backlog.files.contains(&from.stem) {
            return None;
        }
        if *backlog.window.next() != from {
            backlog.window.skip_to(from);
        }
        Some(backlog.window.issue(end))
    }

    /// Forgets what is on its way, as nobody waits for the answers any more: it is handed out again. Returns by signal how
    /// many records that are, and how many of them are lost because their file is gone.
    pub(super) fn take_back(&self) -> PerSignal<(u64, u64)> {
        let mut rows = PerSignal::all((0, 0));
        for backlog in &mut self.lock().backlogs {
            let (taken_back, lost) = &mut rows[backlog.id.signal];
            for (stem, rows) in backlog.window.take_back() {
                *taken_back += rows;
                *lost += if backlog.files.contains(&stem) { 0 } else { rows };
            }
        }
        rows
    }

    /// One piece is settled: delivered, or set aside.
    pub(super) fn answer(&self, id: LogId, ticket: Ticket) {
        let mut state = self.lock();
        let State { backlogs, recent, .. } = &mut *state;
        if let Some(backlog) = backlogs.iter_mut().find(|backlog| backlog.id == id)
            && backlog.window.answer(ticket)
        {
            backlog.files.forget_before(backlog.window.cursor());
            if id.writer == self.own {
                recent[id.signal].forget_before(backlog.window.cursor());
            }
        }
    }

    /// A file cannot be read any more: goes on behind it. Returns the rows that are lost to this destination.
    pub(super) fn give_up_file(&self, id: LogId, position: &Position) -> u64 {
        let mut state = self.lock();
        let Some(backlog) = state.backlogs.iter_mut().find(|backlog| backlog.id == id) else { return 0 };
        let rows = backlog.files.rows_of(&position.stem, position);
        backlog.files.remove(&position.stem);
        rows
    }

    /// Records that wait, and how old the oldest is, by signal.
    pub(super) fn lag(&self) -> PerSignal<(u64, Option<Duration>)> {
        let state = self.lock();
        let mut lag = PerSignal::all((0, None));
        for backlog in &state.backlogs {
            let rows = backlog.files.rows_after(backlog.window.cursor());
            let (records, age) = &mut lag[backlog.id.signal];
            *records += rows;
            if let Some(oldest) = backlog.files.normalize(backlog.window.cursor()) {
                *age = (*age).max(Some(backlog.files.age_of(&oldest).unwrap_or_else(|| log::age(&oldest.stem))));
            }
        }
        lag
    }

    /// Writes the cursors that moved, and releases dead writers of which everything is delivered.
    pub(super) fn save(&self, log: &Log) {
        let (moved, finished) = {
            let mut state = self.lock();
            let mut finished = Vec::new();
            let mut index = 0;
            while index < state.backlogs.len() {
                let backlog = &state.backlogs[index];
                if backlog.adopted.is_some()
                    && backlog.window.is_idle()
                    && backlog.files.normalize(backlog.window.next()).is_none()
                {
                    finished.push(state.backlogs.remove(index));
                } else {
                    index += 1;
                }
            }
            let moved: Vec<_> = state
                .backlogs
                .iter()
                .filter(|backlog| backlog.saved.as_ref() != Some(backlog.window.cursor()))
                .map(|backlog| (backlog.id, backlog.cursor.clone(), backlog.window.cursor().clone()))
                .collect();
            (moved, finished)
        };
        for (id, cursor, position) in moved {
            match write(&cursor, log, &position) {
                Ok(()) => {
                    if let Some(backlog) = self.lock().backlogs.iter_mut().find(|backlog| backlog.id == id) {
                        backlog.saved = Some(position);
                    }
                }
                Err(error) => tracing::warn!(%error, destination = self.destination, "a cursor cannot be written"),
            }
        }
        for backlog in finished {
            backlog.cursor.remove(&**log.storage());
            // The last destination and signal that release a writer end it for good.
            if let Some(adopted) = backlog.adopted.and_then(|adopted| Arc::try_unwrap(adopted).ok())
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
        let mut waiting = 0;
        for backlog in &state.backlogs {
            let rows = backlog.files.rows_after(backlog.window.cursor());
            waiting += rows;
            if rows == 0 {
                backlog.cursor.remove(&**log.storage());
            }
        }
        state.backlogs.retain(|backlog| backlog.files.rows_after(backlog.window.cursor()) > 0);
        // The locks of adopted writers go with their backlogs; their files wait for whoever comes next.
        for backlog in &mut state.backlogs {
            backlog.adopted = None;
        }
        waiting
    }
}

fn write(cursor: &CursorFile, log: &Log, position: &Position) -> io::Result<()> {
    cursor.write(&**log.storage(), &Positions::from([(position.stem.writer, position.clone())]))
}
