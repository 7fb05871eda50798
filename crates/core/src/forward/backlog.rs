//! What of one writer's log of one signal still has to go to one destination. Pure but for its cursor file.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use otlp_arrow_columns::Signal;

use super::log::{self, Files};
use super::origins::Origins;
use super::window::{Ticket, Window};
use crate::store::cursor::CursorFile;
use crate::store::hooks::AdoptedWriter;
use crate::store::names::{Stem, WriterId};
use crate::store::position::Position;

/// One writer's log of one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LogId {
    pub(super) writer: WriterId,
    pub(super) signal: Signal,
}

/// What of one log still has to go to one destination: its files, what of them is on its way, and the cursor from which
/// the next process goes on.
#[derive(Debug)]
pub(super) struct Backlog {
    pub(super) id: LogId,
    files: Files,
    pub(super) origins: Origins,
    window: Window,
    pub(super) cursor: CursorFile,
    /// What the cursor file says.
    saved: Option<Position>,
    /// Held until everything of a dead writer is delivered.
    adopted: Option<Arc<AdoptedWriter>>,
}

impl Backlog {
    /// Of our own writer, whose first commit is still to come; `saved` is in the cursor file.
    pub(super) fn own(id: LogId, cursor: CursorFile, saved: Position) -> Self {
        let (files, origins, window) = (Files::default(), Origins::default(), Window::new(saved.clone()));
        Self { id, files, origins, window, cursor, saved: Some(saved), adopted: None }
    }

    /// Of a dead writer, which delivered everything before `start`.
    pub(super) fn adopted(
        id: LogId,
        cursor: CursorFile,
        files: Files,
        origins: Origins,
        start: Position,
        writer: Arc<AdoptedWriter>,
    ) -> Self {
        Self { id, files, origins, window: Window::new(start), cursor, saved: None, adopted: Some(writer) }
    }

    pub(super) fn is_adopted(&self) -> bool {
        self.adopted.is_some()
    }

    /// When the file was begun that comes next.
    pub(super) fn next_created_ms(&self) -> u64 {
        self.window.next().stem.created_ms
    }

    /// `rows` more are committed in `stem`, which is the newest file.
    pub(super) fn committed(&mut self, stem: &Stem, rows: u64, now: Instant) {
        self.files.committed(stem, rows, now);
    }

    /// Where what is committed and not on its way yet begins; `None` if there is nothing.
    pub(super) fn next(&self) -> Option<Position> {
        self.files.normalize(self.window.next())
    }

    /// The lowest row that is not answered.
    pub(super) fn answered(&self) -> &Position {
        self.window.cursor()
    }

    /// Rows that are not answered.
    pub(super) fn waiting(&self) -> u64 {
        self.files.rows_after(self.window.cursor())
    }

    /// Rows of one file that are not answered.
    pub(super) fn waiting_in(&self, stem: &Stem) -> u64 {
        self.files.rows_of(stem, self.window.cursor())
    }

    /// The first row of a file that is not answered.
    pub(super) fn first_waiting_in(&self, stem: &Stem) -> Option<u64> {
        let cursor = self.window.cursor();
        let first = if cursor.stem.seq == stem.seq { cursor.row } else { 0 };
        (self.waiting_in(stem) > 0).then_some(first)
    }

    /// How long the oldest row waits that is not answered; `None` if none is.
    pub(super) fn oldest(&self, now: Instant, wall: SystemTime) -> Option<Duration> {
        let oldest = self.files.normalize(self.window.cursor())?;
        Some(self.files.age_of(&oldest, now).unwrap_or_else(|| log::age(&oldest.stem, wall)))
    }

    /// Rows that are committed in the file of `position`, from there on.
    pub(super) fn rows_from(&self, position: &Position) -> u64 {
        self.files.rows_of(&position.stem, position)
    }

    /// Marks what lies between `from` and `end` as on its way. `None` if its file was deleted meanwhile: that is counted.
    pub(super) fn issue(&mut self, from: Position, end: Position) -> Option<Ticket> {
        if !self.files.contains(&from.stem) {
            return None;
        }
        if *self.window.next() != from {
            self.window.skip_to(from);
        }
        Some(self.window.issue(end))
    }

    /// One piece is settled: delivered, or set aside. Whether that moved the cursor.
    pub(super) fn settle(&mut self, ticket: Ticket) -> bool {
        let moved = self.window.answer(ticket);
        if moved {
            self.files.forget_before(self.window.cursor());
            self.origins.forget_before(self.window.cursor());
        }
        moved
    }

    /// Forgets what is on its way, as nobody waits for the answers any more: it is handed out again. Returns how many
    /// records that are, and how many of them are lost because their file is gone.
    pub(super) fn take_back(&mut self) -> (u64, u64) {
        let pieces = self.window.take_back();
        let lost = pieces.iter().filter(|(stem, _)| !self.files.contains(stem)).map(|(_, rows)| rows).sum();
        (pieces.iter().map(|(_, rows)| rows).sum(), lost)
    }

    /// A file was deleted before its rows were delivered. Returns the rows that are lost with it: what is on its way
    /// needs no file any more.
    pub(super) fn evicted(&mut self, stem: &Stem) -> u64 {
        let lost = self.files.rows_of(stem, self.window.next());
        self.files.remove(stem);
        lost
    }

    /// A file cannot be read any more: continues behind it. Returns the rows that are lost.
    pub(super) fn give_up_file(&mut self, position: &Position) -> u64 {
        let rows = self.rows_from(position);
        self.files.remove(&position.stem);
        rows
    }

    /// Rows that are on their way and whose file is gone: lost if they do not arrive now.
    pub(super) fn without_file(&self) -> u64 {
        self.window.on_the_way().filter(|(stem, _)| !self.files.contains(stem)).map(|(_, rows)| rows).sum()
    }

    /// Where the cursor stands, if its file does not say so yet.
    pub(super) fn unsaved(&self) -> Option<&Position> {
        Some(self.window.cursor()).filter(|cursor| self.saved.as_ref() != Some(cursor))
    }

    /// The cursor file says so now.
    pub(super) fn saved(&mut self, position: Position) {
        self.saved = Some(position);
    }

    /// Whether everything of a dead writer is delivered.
    pub(super) fn is_finished(&self) -> bool {
        self.is_adopted() && self.window.is_idle() && self.next().is_none()
    }

    /// The lock of a dead writer, which its files wait behind for whoever comes next.
    pub(super) fn release(&mut self) -> Option<Arc<AdoptedWriter>> {
        self.adopted.take()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::Log;
    use crate::store::cursor::Consumer;

    const SECOND: Duration = Duration::from_secs(1);

    fn stem(seq: u32) -> Stem {
        Stem { created_ms: 1000, writer: WriterId(7), seq }
    }

    fn at(seq: u32, row: u64) -> Position {
        Position { stem: stem(seq), row }
    }

    fn backlog() -> Backlog {
        let id = LogId { writer: WriterId(7), signal: Signal::Logs };
        let consumer = Consumer::Forward { destination: "d", writer: id.writer, signal: id.signal };
        Backlog::own(id, Log::read_only("nowhere").cursor(consumer), at(0, 0))
    }

    #[test]
    fn what_is_committed_waits_until_it_is_settled() {
        let (start, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + 100 * SECOND);
        let mut backlog = backlog();
        assert_eq!((backlog.next(), backlog.waiting(), backlog.oldest(start, wall)), (None, 0, None));
        backlog.committed(&stem(1), 10, start);
        backlog.committed(&stem(2), 5, start + 5 * SECOND);
        assert_eq!((backlog.next(), backlog.waiting()), (Some(at(1, 0)), 15));
        assert_eq!(backlog.oldest(start + 7 * SECOND, wall), Some(7 * SECOND));
        let first = backlog.issue(at(1, 0), at(1, 10)).unwrap();
        let second = backlog.issue(at(2, 0), at(2, 5)).unwrap();
        assert_eq!((backlog.next(), backlog.waiting()), (None, 15), "on its way is not delivered");
        assert!(!backlog.settle(second));
        assert_eq!((backlog.first_waiting_in(&stem(1)), backlog.waiting_in(&stem(2))), (Some(0), 5));
        assert!(backlog.settle(first));
        assert_eq!((backlog.waiting(), backlog.unsaved()), (0, Some(&at(2, 5))));
        backlog.saved(at(2, 5));
        assert_eq!((backlog.unsaved(), backlog.is_finished()), (None, false), "our own is never finished");
    }

    #[test]
    fn what_is_lost_with_its_file_is_told_once() {
        let mut backlog = backlog();
        backlog.committed(&stem(1), 10, Instant::now());
        backlog.committed(&stem(2), 5, Instant::now());
        backlog.issue(at(1, 0), at(1, 4)).unwrap();
        assert_eq!(backlog.evicted(&stem(1)), 6, "what is on its way needs no file");
        assert_eq!((backlog.evicted(&stem(1)), backlog.without_file()), (0, 4));
        assert_eq!(backlog.issue(at(1, 4), at(1, 10)), None);
        assert_eq!(backlog.give_up_file(&at(2, 2)), 3);
        assert_eq!(backlog.take_back(), (4, 4));
        assert_eq!((backlog.next(), backlog.without_file()), (None, 0));
    }
}
