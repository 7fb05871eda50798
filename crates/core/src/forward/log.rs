//! One writer's log of one signal as a consumer reads it: from memory where it is fresh, else from the files.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::recent::JOINED_BYTES;
use crate::error::Result;
use crate::store::names::{Stem, WriterId};
use crate::store::position::Position;
use crate::store::{Entry, FileRows, Log, ReadError, ReadOptions, Wanted};

/// How far marks are apart.
const MARK: Duration = Duration::from_secs(1);
/// An hour's worth; who is further behind is measured by the names of the files.
const MOST_MARKS: usize = 3600;

/// The files of one writer and signal in order, with the rows that are committed in each.
#[derive(Debug, Default)]
pub(crate) struct Files {
    list: VecDeque<(Stem, u64)>,
    /// When rows were committed, a mark a second at most: how old what waits is.
    marks: VecDeque<((u32, u64), Instant)>,
    newest: Option<Instant>,
}

impl Files {
    /// What is in the directory of a writer that is dead: nothing is added to it any more.
    pub(crate) fn of_dead_writer(log: &Log, signal: Signal, writer: WriterId) -> Result<Self> {
        let of_writer = |entry: &Entry| entry.stem.writer == writer;
        // Of a sealed file a footer says how many rows it has: a backlog of gigabytes is not read to count it.
        let rows = |entry: &Entry| log.committed(entry).map_or(0, |committed| committed.rows);
        let entries = log.entries(signal)?.into_iter().filter(of_writer);
        let list = entries.map(|entry| (entry.stem.clone(), rows(&entry))).collect();
        Ok(Self { list, ..Self::default() })
    }

    /// `rows` more are committed in `stem`, which is the newest file.
    pub(crate) fn committed(&mut self, stem: &Stem, rows: u64, now: Instant) {
        match self.list.back_mut() {
            Some((last, total)) if last == stem => *total += rows,
            _ => self.list.push_back((stem.clone(), rows)),
        }
        self.newest = Some(now);
        if self.marks.back().is_none_or(|(_, at)| now.duration_since(*at) >= MARK) {
            let end = self.list.back().map_or(0, |(_, total)| *total);
            self.marks.push_back(((stem.seq, end), now));
            if self.marks.len() > MOST_MARKS {
                self.marks.pop_front();
            }
        }
    }

    /// Where to read on after `position`: there, or at the start of the next file if its file has no more rows.
    /// `None` when everything that is committed is behind.
    pub(crate) fn normalize(&self, position: &Position) -> Option<Position> {
        let from = self.list.iter().skip_while(|(stem, _)| stem.seq < position.stem.seq);
        for (stem, rows) in from {
            let row = if stem.seq == position.stem.seq { position.row } else { 0 };
            if row < *rows {
                return Some(Position { stem: stem.clone(), row });
            }
        }
        None
    }

    /// Rows from `position` to the end.
    pub(crate) fn rows_after(&self, position: &Position) -> u64 {
        self.list
            .iter()
            .map(|(stem, rows)| match stem.seq.cmp(&position.stem.seq) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => rows.saturating_sub(position.row),
                std::cmp::Ordering::Greater => *rows,
            })
            .sum()
    }

    /// Rows of one file from `position` on, as far as it lies in the file.
    pub(crate) fn rows_of(&self, stem: &Stem, position: &Position) -> u64 {
        let rows = self.list.iter().find(|(known, _)| known == stem).map_or(0, |(_, rows)| *rows);
        match stem.seq.cmp(&position.stem.seq) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => rows.saturating_sub(position.row),
            std::cmp::Ordering::Greater => rows,
        }
    }

    /// How long ago the row at `position` was committed, to the second; `None` if nobody remembers.
    pub(crate) fn age_of(&self, position: &Position, now: Instant) -> Option<Duration> {
        let since = |at: Instant| now.saturating_duration_since(at);
        let index = self.marks.partition_point(|(key, _)| *key <= position.key());
        // Without a mark behind it, it came with the newest commits; without one before it, nobody knows.
        match (index, self.marks.get(index)) {
            (_, None) => self.newest.map(since),
            (0, Some(_)) if self.marks.len() == MOST_MARKS => None,
            (_, Some((_, at))) => Some(since(*at)),
        }
    }

    /// Forgets the files before `position`.
    pub(crate) fn forget_before(&mut self, position: &Position) {
        while self.marks.front().is_some_and(|(key, _)| *key <= position.key()) {
            self.marks.pop_front();
        }
        while self.list.front().is_some_and(|(stem, _)| stem.seq < position.stem.seq) {
            self.list.pop_front();
        }
    }

    /// A file is gone: nothing of it can be delivered any more.
    pub(crate) fn remove(&mut self, stem: &Stem) {
        self.list.retain(|(known, _)| known != stem);
    }

    /// Whether rows of this file can be read.
    pub(crate) fn contains(&self, stem: &Stem) -> bool {
        self.list.iter().any(|(known, _)| known == stem)
    }

    /// The start of the first file.
    pub(crate) fn start(&self) -> Option<Position> {
        self.list.front().map(|(stem, _)| Position::start_of(stem.clone()))
    }
}

/// Rows read back from a file.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The rows.
    pub(crate) batch: RecordBatch,
    /// Where they end.
    pub(crate) end: Position,
}

/// Reads one log's files front to back; the file stays open from piece to piece.
#[derive(Debug)]
pub(crate) struct Reader {
    source: Log,
    signal: Signal,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    stem: Stem,
    rows: FileRows,
    /// Where `rest` begins.
    row: u64,
    rest: Option<RecordBatch>,
    /// Bytes a row of the batch that `rest` is the end of: a slice still counts the whole of its buffers.
    per_row: usize,
}

impl Reader {
    pub(crate) fn new(source: Log, signal: Signal) -> Self {
        Self { source, signal, open: None }
    }

    /// Up to `limit` rows from `position` on, about one request's worth. `None` at the end of what is committed in the file.
    ///
    /// [`ReadError::is_gone`] when the file is.
    pub(crate) fn read(&mut self, position: &Position, limit: u64) -> Result<Option<Piece>, ReadError> {
        let continues = |open: &Open| open.stem == position.stem && open.row == position.row;
        let (mut open, batch) = match self.open.take().filter(continues).map(next_of).transpose()? {
            Some((open, Some(batch))) => (open, batch),
            // What was opened while it was shorter ends where it ended then.
            Some((_, None)) | None => {
                let wanted = Wanted::new(self.signal, &ReadOptions { dictionaries: true, ..Default::default() })?;
                let rows = self.source.open_stem(self.signal, &position.stem, position.row, &wanted)?;
                let open = Open { stem: position.stem.clone(), rows, row: position.row, rest: None, per_row: 1 };
                match next_of(open)? {
                    (open, Some(batch)) => (open, batch),
                    (_, None) => return Ok(None),
                }
            }
        };
        let fits = (JOINED_BYTES / open.per_row).clamp(1, batch.num_rows());
        let rows = fits.min(usize::try_from(limit).unwrap_or(usize::MAX)).max(1);
        let piece = batch.slice(0, rows);
        open.row += rows as u64;
        if rows < batch.num_rows() {
            open.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        let end = Position { stem: open.stem.clone(), row: open.row };
        self.open = Some(open);
        Ok(Some(Piece { batch: piece, end }))
    }
}

fn next_of(mut open: Open) -> Result<(Open, Option<RecordBatch>), ReadError> {
    let batch = match open.rest.take() {
        Some(batch) => Some(batch),
        None => {
            let next = open.rows.next_batch()?;
            open.per_row =
                next.as_ref().map_or(1, |batch| batch.get_array_memory_size() / batch.num_rows().max(1)).max(1);
            next
        }
    };
    Ok((open, batch))
}

/// How long ago a file was begun, by the wall clock.
pub(crate) fn age(stem: &Stem, wall: SystemTime) -> Duration {
    wall.duration_since(stem.created()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem(seq: u32) -> Stem {
        Stem { created_ms: 1, writer: WriterId(7), seq }
    }

    fn at(seq: u32, row: u64) -> Position {
        Position { stem: stem(seq), row }
    }

    #[test]
    fn positions_move_on_to_the_next_file_with_rows() {
        let mut files = Files::default();
        assert_eq!(files.normalize(&at(0, 0)), None);
        files.committed(&stem(3), 5, Instant::now());
        files.committed(&stem(3), 5, Instant::now());
        files.committed(&stem(8), 4, Instant::now());
        assert_eq!(files.normalize(&at(0, 0)), Some(at(3, 0)));
        assert_eq!(files.normalize(&at(3, 9)), Some(at(3, 9)));
        assert_eq!(files.normalize(&at(3, 10)), Some(at(8, 0)));
        assert_eq!(files.normalize(&at(3, 99)), Some(at(8, 0)), "a cursor beyond the end is clamped");
        assert_eq!(files.normalize(&at(8, 4)), None);
        assert_eq!(files.rows_after(&at(0, 0)), 14);
        assert_eq!(files.rows_after(&at(3, 7)), 7);
        assert_eq!(files.rows_after(&at(8, 4)), 0);
        files.remove(&stem(3));
        assert_eq!(files.normalize(&at(0, 0)), Some(at(8, 0)));
        files.forget_before(&at(8, 2));
        assert_eq!(files.start(), Some(at(8, 0)));
        assert_eq!(files.rows_of(&stem(8), &at(8, 1)), 3);
    }
}
