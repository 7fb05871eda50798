//! What one destination still has to get: a lane for each writer and signal, shared by commits, worker and retention.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otlp_arrow_columns::Signal;
use tokio::sync::Notify;

use super::cursor::CursorFile;
use super::log::{self, Files};
use super::position::Position;
use super::recent::{Fresh, Recent};
use super::window::{Ticket, Window};
use crate::stats::PerSignal;
use crate::store::context::Context;
use crate::store::hooks::{AdoptedWriter, Committed};
use crate::store::names::{Stem, WriterId};

/// Names a lane for as long as its worker runs.
pub(super) type LaneId = (WriterId, Signal);

/// One writer's log of one signal on its way to one destination.
#[derive(Debug)]
struct Lane {
    id: LaneId,
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
    lanes: Vec<Lane>,
    recent: PerSignal<Recent>,
    /// Where to look first, so that no signal waits for the others.
    turn: usize,
}

/// The lanes of one destination.
#[derive(Debug)]
pub(super) struct Lanes {
    destination: String,
    signals: PerSignal<bool>,
    own: WriterId,
    state: Mutex<State>,
    /// Something was committed, adopted or asked for.
    pub(super) news: Notify,
}

impl Lanes {
    pub(super) fn new(destination: &str, signals: PerSignal<bool>, memory: usize, own: WriterId) -> Self {
        let taken = signals.values().filter(|taken| **taken).count().max(1);
        let recent = signals.map(|taken_here| Recent::new(if taken_here { memory / taken } else { 0 }));
        let state = Mutex::new(State { lanes: Vec::new(), recent, turn: 0 });
        Self { destination: destination.to_owned(), signals, own, state, news: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins this writer's own lanes. The cursor files come first: after a crash they say who still waits.
    pub(super) fn begin(&self, context: &Context) -> io::Result<()> {
        for signal in Signal::ALL.into_iter().filter(|signal| self.signals[*signal]) {
            let start = Position::start_of(Stem { created_ms: 0, writer: self.own, seq: 0 });
            let cursor = CursorFile::new(context, &self.destination, self.own, signal);
            cursor.write(context, &start)?;
            let (files, window) = (Files::default(), Window::new(start.clone()));
            let lane = Lane { id: (self.own, signal), files, window, cursor, saved: Some(start), adopted: None };
            self.lock().lanes.push(lane);
        }
        Ok(())
    }

    /// Takes over what a dead writer did not deliver here. Nothing happens if there is no cursor of it.
    pub(super) fn adopt(&self, context: &Context, writer: &Arc<AdoptedWriter>) {
        for signal in Signal::ALL.into_iter().filter(|signal| self.signals[*signal]) {
            let id = (writer.id(), signal);
            let cursor = CursorFile::new(context, &self.destination, writer.id(), signal);
            let Some(saved) = cursor.read(context) else { continue };
            let files = match Files::of_dead_writer(context, signal, writer.id()) {
                Ok(files) => files,
                Err(error) => {
                    tracing::warn!(%error, destination = self.destination, "cannot look for undelivered files");
                    continue;
                }
            };
            let start = saved.or_else(|| files.start());
            let mut state = self.lock();
            if state.lanes.iter().any(|lane| lane.id == id) {
                continue;
            }
            let Some(start) = start.and_then(|position| files.normalize(&position)) else {
                cursor.remove(context);
                continue;
            };
            // Ahead of our own, and of adopted ones that began later: what waits longest goes first.
            let older =
                |lane: &&Lane| lane.adopted.is_some() && lane.window.next().stem.created_ms <= start.stem.created_ms;
            let place = state.lanes.iter().take_while(older).count();
            let (window, adopted) = (Window::new(start), Some(Arc::clone(writer)));
            state.lanes.insert(place, Lane { id, files, window, cursor, saved: None, adopted });
        }
        self.news.notify_one();
    }

    /// Whether rows of `writer` still wait for this destination.
    pub(super) fn needs_writer(&self, writer: WriterId) -> bool {
        let state = self.lock();
        state.lanes.iter().any(|lane| lane.id.0 == writer && lane.files.rows_after(lane.window.cursor()) > 0)
    }

    /// Rows of one file that still wait.
    pub(super) fn needed_rows(&self, signal: Signal, stem: &Stem) -> u64 {
        let state = self.lock();
        let lane = state.lanes.iter().find(|lane| lane.id == (stem.writer, signal));
        lane.map_or(0, |lane| lane.files.rows_of(stem, lane.window.cursor()))
    }

    /// The first row of a file that still waits.
    pub(super) fn first_needed(&self, signal: Signal, stem: &Stem) -> Option<u64> {
        let state = self.lock();
        let lane = state.lanes.iter().find(|lane| lane.id == (stem.writer, signal))?;
        let cursor = lane.window.cursor();
        let waits = lane.files.rows_of(stem, cursor) > 0;
        waits.then_some(if cursor.stem.seq == stem.seq { cursor.row } else { 0 })
    }

    /// A file was deleted before its rows were delivered. Returns the rows that are lost with it: what is on its way
    /// needs no file any more.
    pub(super) fn evicted(&self, signal: Signal, stem: &Stem) -> u64 {
        let mut state = self.lock();
        let Some(lane) = state.lanes.iter_mut().find(|lane| lane.id == (stem.writer, signal)) else { return 0 };
        let lost = lane.files.rows_of(stem, lane.window.next());
        lane.files.remove(stem);
        lost
    }

    /// Rows that are on their way and whose file is gone, by signal: lost if they do not arrive now.
    pub(super) fn without_file(&self) -> PerSignal<u64> {
        let mut rows = PerSignal::default();
        for lane in &self.lock().lanes {
            let gone = lane.window.on_the_way().filter(|(stem, _)| !lane.files.contains(stem));
            rows[lane.id.1] += gone.map(|(_, rows)| rows).sum::<u64>();
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
        if let Some(lane) = state.lanes.iter_mut().find(|lane| lane.id == (self.own, commit.signal)) {
            lane.files.committed(&commit.stem, commit.rows);
        }
        drop(state);
        self.news.notify_one();
    }

    /// Whether anything is committed that is not on its way yet.
    pub(super) fn has_next(&self) -> bool {
        self.lock().lanes.iter().any(|lane| lane.files.normalize(lane.window.next()).is_some())
    }

    /// Whether anything of this lane is committed that is not on its way yet.
    pub(super) fn waits(&self, id: LaneId) -> bool {
        let state = self.lock();
        let lane = state.lanes.iter().find(|lane| lane.id == id);
        lane.is_some_and(|lane| lane.files.normalize(lane.window.next()).is_some())
    }

    /// What comes next: adopted lanes first, then the signals in turn. `None` when nothing waits.
    pub(super) fn next(&self) -> Option<(LaneId, Position, Next)> {
        let mut state = self.lock();
        let adopted = state.lanes.iter().filter(|lane| lane.adopted.is_some()).count();
        let own = state.lanes.len() - adopted;
        state.turn = state.turn.wrapping_add(1);
        let turn = state.turn;
        let order = (0..adopted).chain((0..own).map(|index| adopted + (index + turn) % own.max(1)));
        for index in order {
            let lane = &state.lanes[index];
            let Some(from) = lane.files.normalize(lane.window.next()) else { continue };
            let id = lane.id;
            let fresh = (id.0 == self.own).then(|| state.recent[id.1].take_from(&from)).flatten();
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
    pub(super) fn rows_left_in_file(&self, id: LaneId, position: &Position) -> u64 {
        let state = self.lock();
        let lane = state.lanes.iter().find(|lane| lane.id == id);
        lane.map_or(0, |lane| lane.files.rows_of(&position.stem, position))
    }

    /// Marks what lies between `from` and `end` as on its way. `None` if its file was deleted meanwhile: that is counted.
    pub(super) fn issue(&self, id: LaneId, from: Position, end: Position) -> Option<Ticket> {
        let mut state = self.lock();
        let lane = state.lanes.iter_mut().find(|lane| lane.id == id)?;
        if !lane.files.contains(&from.stem) {
            return None;
        }
        if *lane.window.next() != from {
            lane.window.skip_to(from);
        }
        Some(lane.window.issue(end))
    }

    /// One piece is settled: delivered, or set aside.
    pub(super) fn answer(&self, id: LaneId, ticket: Ticket) {
        let mut state = self.lock();
        let State { lanes, recent, .. } = &mut *state;
        if let Some(lane) = lanes.iter_mut().find(|lane| lane.id == id)
            && lane.window.answer(ticket)
        {
            lane.files.forget_before(lane.window.cursor());
            if id.0 == self.own {
                recent[id.1].forget_before(lane.window.cursor());
            }
        }
    }

    /// A file cannot be read any more: goes on behind it. Returns the rows that are lost to this destination.
    pub(super) fn give_up_file(&self, id: LaneId, position: &Position) -> u64 {
        let mut state = self.lock();
        let Some(lane) = state.lanes.iter_mut().find(|lane| lane.id == id) else { return 0 };
        let rows = lane.files.rows_of(&position.stem, position);
        lane.files.remove(&position.stem);
        rows
    }

    /// Records that wait, and how old the oldest is, by signal.
    pub(super) fn lag(&self) -> PerSignal<(u64, Option<Duration>)> {
        let state = self.lock();
        let mut lag = PerSignal::all((0, None));
        for lane in &state.lanes {
            let rows = lane.files.rows_after(lane.window.cursor());
            let (records, age) = &mut lag[lane.id.1];
            *records += rows;
            if let Some(oldest) = lane.files.normalize(lane.window.cursor()) {
                *age = (*age).max(Some(lane.files.age_of(&oldest).unwrap_or_else(|| log::age(&oldest.stem))));
            }
        }
        lag
    }

    /// Writes the cursors that moved, and lets go of dead writers of which everything is delivered.
    pub(super) fn save(&self, context: &Context) {
        let (moved, finished) = {
            let mut state = self.lock();
            let mut finished = Vec::new();
            let mut index = 0;
            while index < state.lanes.len() {
                let lane = &state.lanes[index];
                if lane.adopted.is_some() && lane.window.is_idle() && lane.files.normalize(lane.window.next()).is_none()
                {
                    finished.push(state.lanes.remove(index));
                } else {
                    index += 1;
                }
            }
            let moved: Vec<_> = state
                .lanes
                .iter()
                .filter(|lane| lane.saved.as_ref() != Some(lane.window.cursor()))
                .map(|lane| (lane.id, lane.cursor.clone(), lane.window.cursor().clone()))
                .collect();
            (moved, finished)
        };
        for (id, cursor, position) in moved {
            match cursor.write(context, &position) {
                Ok(()) => {
                    if let Some(lane) = self.lock().lanes.iter_mut().find(|lane| lane.id == id) {
                        lane.saved = Some(position);
                    }
                }
                Err(error) => tracing::warn!(%error, destination = self.destination, "a cursor cannot be written"),
            }
        }
        for lane in finished {
            lane.cursor.remove(context);
            // The last destination and signal that let go of a writer end it for good.
            if let Some(adopted) = lane.adopted.and_then(|adopted| Arc::try_unwrap(adopted).ok())
                && let Err(error) = adopted.remove()
            {
                tracing::debug!(%error, "a dead writer's lock file stays for now");
            }
        }
    }

    /// At the end: cursors of what is delivered go, those of what waits are written. Returns the records that wait.
    pub(super) fn end(&self, context: &Context) -> u64 {
        self.save(context);
        let mut state = self.lock();
        let mut waiting = 0;
        for lane in &state.lanes {
            let rows = lane.files.rows_after(lane.window.cursor());
            waiting += rows;
            if rows == 0 {
                lane.cursor.remove(context);
            }
        }
        state.lanes.retain(|lane| lane.files.rows_after(lane.window.cursor()) > 0);
        // The locks of adopted writers go with their lanes; their files wait for whoever comes next.
        for lane in &mut state.lanes {
            lane.adopted = None;
        }
        waiting
    }
}
