//! Walks everything that is committed in a directory for one signal, writer by writer, and goes on as more is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::files::{Entry, FileRows, Look};
use super::handle::Log;
use crate::disk::names::{Stem, WriterId};
use crate::file::Wanted;
use crate::file::error::{ReadError, Result};
use crate::file::read::Extent;
use crate::log::position::{Position, Positions};

/// How often the directory is listed for what other processes write, beside a writer that tells of its commits.
const LIST_BESIDE_A_WRITER: Duration = Duration::from_secs(1);
/// The same without a writer.
const LIST: Duration = Duration::from_millis(250);
/// The first pause of a reader without a writer. It doubles while nothing comes, up to [`LIST`].
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Everything that is committed from positions on, one per writer, while files are written, sealed and deleted.
///
/// Rows come at most once and in the order of each writer; a file that retention deletes before it was read is passed over.
#[derive(Debug)]
pub struct Follow {
    log: Log,
    signal: Signal,
    wanted: Wanted,
    /// Writers in the order of their first files.
    order: Vec<WriterId>,
    files: BTreeMap<WriterId, Vec<Entry>>,
    positions: Positions,
    open: BTreeMap<WriterId, Open>,
    /// Last files of writers of which everything is behind and that do not grow: not opened again at every look.
    finished: BTreeMap<WriterId, Stem>,
    looked: Option<Instant>,
    /// Files whose content does not hold: told once, then passed over.
    unreadable: BTreeSet<Stem>,
    /// What the last error was about.
    failed: Option<Stem>,
    /// Commits of this process's writer before it was looked for more.
    seen: u64,
    pause: Duration,
}

#[derive(Debug)]
struct Open {
    stem: Stem,
    rows: FileRows,
}

/// What one writer has to offer at the moment.
enum Step {
    Batch(RecordBatch),
    /// Everything of this file is behind, and it does not grow.
    Finished,
    /// Nothing more for now.
    Nothing,
}

impl Log {
    /// Everything of `signal` that is committed behind `positions`, of other writers from their first file on, and what is
    /// committed from now on.
    pub fn follow(&self, signal: Signal, positions: Positions, wanted: Wanted) -> Follow {
        let (order, files, open, finished, unreadable) = Default::default();
        Follow {
            log: self.clone(),
            signal,
            wanted,
            order,
            files,
            positions,
            open,
            finished,
            looked: None,
            unreadable,
            failed: None,
            seen: self.commits().count(),
            pause: FIRST_PAUSE,
        }
    }

    /// Where everything ends that is committed now: to be followed from there, only what comes later is read.
    pub fn ends(&self, signal: Signal) -> Result<Positions> {
        let mut last: BTreeMap<WriterId, Entry> = BTreeMap::new();
        for entry in self.entries(signal)? {
            // Files of a writer come in order: the last one counts.
            last.insert(entry.stem.writer, entry);
        }
        let end = |(writer, entry): (WriterId, Entry)| {
            let row = match self.committed(&entry) {
                Ok(committed) => committed.rows,
                Err(error) if error.is_gone() => 0,
                Err(error) => return Err(error),
            };
            Ok((writer, Position { stem: entry.stem, row }))
        };
        last.into_iter().map(end).collect()
    }
}

impl Follow {
    /// The next batch and the position behind it; `None` when everything committed is behind, for now.
    ///
    /// After an error of the disk the same place is tried again; a file whose content does not hold is passed over.
    pub fn next_batch(&mut self) -> Result<Option<(RecordBatch, Position)>> {
        // Counted before looking, so that nothing committed meanwhile is slept over.
        self.seen = self.log.commits().count();
        self.failed = None;
        self.look()?;
        for at in 0..self.order.len() {
            let writer = self.order[at];
            while let Some(stem) = self.current(writer) {
                let finished = self.finished.get(&writer) == Some(&stem);
                let step = match if finished { Ok(Step::Finished) } else { self.read(&stem) } {
                    Ok(step) => step,
                    Err(error) => {
                        if self.is_damage(&error, &stem) {
                            tracing::warn!(%error, "a reader goes on behind a damaged file");
                            self.pass_over(&stem);
                        }
                        self.failed = Some(stem);
                        return Err(error);
                    }
                };
                match step {
                    Step::Batch(batch) => {
                        let row = self.open.get(&writer).map_or(0, |open| open.rows.next_row());
                        let position = Position { stem, row };
                        self.positions.insert(writer, position.clone());
                        self.pause = FIRST_PAUSE;
                        return Ok(Some((batch, position)));
                    }
                    Step::Nothing => break,
                    Step::Finished => {
                        self.open.remove(&writer);
                        let Some(next) = self.after(&stem) else {
                            self.finished.insert(writer, stem);
                            break;
                        };
                        self.positions.insert(writer, Position::start_of(next));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Sleeps until more may be committed, at most for `longest`.
    ///
    /// What a writer in this process commits wakes at once. What others commit is looked for after a pause that grows while
    /// nothing comes: from 10 to 250 ms without a writer in this process, each second beside one.
    pub fn wait(&mut self, longest: Duration) {
        let pause = self.pause().min(longest);
        self.log.wait(self.seen, pause);
    }

    /// What [`Follow::wait`] sleeps if nothing wakes it, for those who wait for something else as well.
    pub fn pause(&mut self) -> Duration {
        if self.log.writer().is_some() {
            return LIST_BESIDE_A_WRITER;
        }
        let next = (self.pause * 2).min(LIST);
        std::mem::replace(&mut self.pause, next)
    }

    /// Goes on behind the file that the last error was about. `false` if it was about none.
    pub fn skip(&mut self) -> bool {
        let failed = self.failed.take();
        failed.inspect(|stem| self.pass_over(stem)).is_some()
    }

    /// What is behind: to be kept, and to be followed from another time.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Where it stands behind each writer that is still there, in no order, and whether everything of that writer is behind and
    /// nothing more is expected in the file it stands in.
    pub fn standing(&self) -> impl Iterator<Item = (&Position, bool)> {
        let known = self.positions.iter().filter(|(writer, _)| self.knows(**writer));
        known.map(|(writer, position)| (position, self.finished.get(writer) == Some(&position.stem)))
    }

    /// Whether this writer is still known: without files and dead, its position says nothing any more.
    pub(crate) fn knows(&self, writer: WriterId) -> bool {
        Some(writer) == self.log.writer() || self.files.contains_key(&writer)
    }

    /// Whether an error is about the content of a file that nobody appends to: it will not get better.
    fn is_damage(&self, error: &ReadError, stem: &Stem) -> bool {
        error.is_damage() && self.log.own().find(stem).is_none_or(|own| !own.live)
    }

    fn pass_over(&mut self, stem: &Stem) {
        if let Some(files) = self.files.get_mut(&stem.writer) {
            files.retain(|other| other.stem != *stem);
        }
        self.open.remove(&stem.writer);
        self.unreadable.insert(stem.clone());
    }

    /// Lists the directory: when time has passed, or when a file of our own is not in the list yet.
    fn look(&mut self) -> Result<()> {
        let every = if self.log.writer().is_some() { LIST_BESIDE_A_WRITER } else { LIST };
        let newest = self.log.own().newest(self.signal);
        let known = newest.is_none_or(|stem| self.listed(&stem).is_some() || self.unreadable.contains(&stem));
        if known && self.looked.is_some_and(|looked| self.log.clock().elapsed(looked) < every) {
            return Ok(());
        }
        self.order.clear();
        self.files.clear();
        for file in self.log.entries(self.signal)? {
            if self.order.last() != Some(&file.stem.writer) {
                self.order.push(file.stem.writer);
            }
            let files = self.files.entry(file.stem.writer).or_default();
            if !self.unreadable.contains(&file.stem) {
                files.push(file);
            }
        }
        self.looked = Some(self.log.clock().now());
        Ok(())
    }

    fn listed(&self, stem: &Stem) -> Option<&Entry> {
        self.files.get(&stem.writer)?.iter().find(|known| known.stem == *stem)
    }

    /// The file that is to be read for `writer`, if there is one at or behind its position.
    fn current(&mut self, writer: WriterId) -> Option<Stem> {
        let files = self.files.get(&writer)?;
        let Some(position) = self.positions.get(&writer) else {
            let stem = files.first()?.stem.clone();
            self.positions.insert(writer, Position::start_of(stem.clone()));
            return Some(stem);
        };
        let stem = &files.iter().find(|file| file.stem.seq >= position.stem.seq)?.stem;
        if stem.seq > position.stem.seq {
            // Retention was faster: what is gone is gone.
            let stem = stem.clone();
            self.positions.insert(writer, Position::start_of(stem.clone()));
            self.open.remove(&writer);
            return Some(stem);
        }
        Some(stem.clone())
    }

    fn after(&self, stem: &Stem) -> Option<Stem> {
        self.files.get(&stem.writer)?.iter().map(|file| &file.stem).find(|other| other.seq > stem.seq).cloned()
    }

    fn read(&mut self, stem: &Stem) -> Result<Step> {
        let own = self.log.own().find(stem);
        let extent = own.as_ref().map_or(Extent::Prefix(None), |own| Extent::Committed(own.len));
        let listed_to_grow = self.listed(stem).is_some_and(|file| file.form.grows());
        let (ours, newer) = (Some(stem.writer) == self.log.writer(), self.after(stem).is_some());
        let mut open = self.open.remove(&stem.writer).filter(|open| open.stem == *stem);
        // An open file is read on where it grows. One of ours that is not among our own any more has ended.
        if let Some(Open { rows, .. }) = &mut open
            && rows.form().grows()
            && !(ours && own.is_none())
            && !rows.grow(extent)?
        {
            open = None;
        }
        let mut rows = match open {
            Some(open) => open.rows,
            None => {
                let row = self.positions.get(&stem.writer).map_or(0, |position| position.row);
                match self.log.find_stem(self.signal, stem, Look::Any) {
                    Ok(found) => found.open(extent, row, &self.wanted)?,
                    Err(error) if error.is_gone() => return Ok(Step::Finished),
                    Err(error) => return Err(error),
                }
            }
        };
        if let Some(batch) = rows.next_batch()? {
            self.open.insert(stem.writer, Open { stem: stem.clone(), rows });
            return Ok(Step::Batch(batch));
        }
        let grows = match (rows.form().grows(), &own) {
            (false, _) => false,
            (true, Some(own)) => own.live,
            // Sealed meanwhile: looked at again in that form, in case more was committed in between.
            (true, None) if ours || !listed_to_grow => {
                self.looked = None;
                return self.rest(stem, &rows);
            }
            (true, None) => !newer,
        };
        if grows {
            self.open.insert(stem.writer, Open { stem: stem.clone(), rows });
        }
        Ok(if grows { Step::Nothing } else { Step::Finished })
    }

    /// What `read`, of which everything is behind, has more in the form it has gone to.
    fn rest(&mut self, stem: &Stem, read: &FileRows) -> Result<Step> {
        let found = match self.log.find_stem(self.signal, stem, Look::Above(read.form())) {
            Ok(found) => found,
            Err(error) if error.is_gone() => return Ok(Step::Finished),
            Err(error) => return Err(error),
        };
        let mut rows = found.open(Extent::Prefix(None), read.next_row(), &self.wanted)?;
        let batch = rows.next_batch()?;
        self.open.insert(stem.writer, Open { stem: stem.clone(), rows });
        Ok(batch.map_or(Step::Finished, Step::Batch))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;

    use otlp_arrow_base::clock::ManualClock;

    use super::*;
    use crate::disk::names::Layout;
    use crate::disk::storage::Storage;
    use crate::disk::storage_os::OsStorage;
    use crate::file::CommitEncoder;
    use crate::file::form::{Form, Forms};
    use crate::file::options::ReadOptions;
    use crate::file::sample;

    /// A directory with a writer of another process, whose files are written by hand.
    struct Other {
        log: Log,
        clock: ManualClock,
        dir: tempfile::TempDir,
    }

    impl Other {
        fn new() -> Self {
            let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
            let layout = Layout::new(dir.path());
            std::fs::create_dir_all(layout.signal_dir(Signal::Logs)).unwrap();
            let log = Log::reading(Arc::new(OsStorage), layout, Forms::default(), clock.clock());
            Self { log, clock, dir }
        }

        fn stem(seq: u32) -> Stem {
            Stem { created_ms: 1, writer: WriterId(7), seq }
        }

        /// Appends the bytes of a commit of `rows` rows behind `first`, all but the last `cut`.
        fn append(&self, seq: u32, first: u64, rows: u64, cut: usize) {
            let commit = CommitEncoder::new("7").encode(&sample::batch(first, rows), first).unwrap().to_vec();
            let path = self.log.path(Signal::Logs, &Self::stem(seq), Form::LIVE);
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, &commit[..commit.len() - cut]).unwrap();
        }

        fn seal(&self, seq: u32) {
            let [live, sealed] =
                [Form::LIVE, Form::SEALED].map(|form| self.log.path(Signal::Logs, &Self::stem(seq), form));
            let len = OsStorage.open(&live).unwrap().len().unwrap();
            crate::file::compact::compact(&OsStorage, &live, len, &sealed, None, &mut || true).unwrap().unwrap();
            std::fs::remove_file(live).unwrap();
        }

        fn follow(&self) -> Follow {
            self.log.follow(Signal::Logs, Positions::new(), Wanted::new(Signal::Logs, &ReadOptions::default()).unwrap())
        }
    }

    fn rows(follow: &mut Follow) -> Vec<u64> {
        std::iter::from_fn(|| follow.next_batch().unwrap()).map(|(batch, _)| batch.num_rows() as u64).collect()
    }

    #[test]
    fn an_open_file_is_read_on_at_once_and_the_directory_is_listed_now_and_then() {
        let other = Other::new();
        let mut follow = other.follow();
        other.append(1, 0, 3, 0);
        assert_eq!(rows(&mut follow), [3]);
        other.append(1, 3, 4, 0);
        assert_eq!(rows(&mut follow), [4], "no time has passed");
        other.append(2, 0, 5, 0);
        assert_eq!(rows(&mut follow), [0; 0], "a new file is in the next listing");
        other.clock.advance(LIST);
        assert_eq!(rows(&mut follow), [5]);
        assert!(other.dir.path().read_dir().unwrap().count() == 1, "nothing was created");
    }

    #[test]
    fn pauses_grow_while_nothing_comes_and_begin_anew_with_what_does() {
        let other = Other::new();
        let mut follow = other.follow();
        let pauses = |follow: &mut Follow| (0..7).map(|_| follow.pause().as_millis()).collect::<Vec<_>>();
        assert_eq!(pauses(&mut follow), [10, 20, 40, 80, 160, 250, 250]);
        other.append(1, 0, 3, 0);
        assert_eq!(rows(&mut follow), [3]);
        assert_eq!(follow.pause(), FIRST_PAUSE);
    }

    #[test]
    fn a_commit_that_is_not_all_there_yet_comes_when_it_is() {
        let other = Other::new();
        let mut follow = other.follow();
        other.append(1, 0, 3, 0);
        assert_eq!(rows(&mut follow), [3]);
        let path = other.log.path(Signal::Logs, &Other::stem(1), Form::LIVE);
        let whole = std::fs::metadata(&path).unwrap().len();
        other.append(1, 3, 4, 9);
        assert_eq!(rows(&mut follow), [0; 0]);
        // Its writer takes it back, as after a failed write, and writes another one.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole).unwrap();
        assert_eq!(rows(&mut follow), [0; 0]);
        other.append(1, 3, 6, 0);
        assert_eq!(rows(&mut follow), [6]);
        other.append(1, 9, 1, 0);
        other.seal(1);
        other.clock.advance(LIST);
        assert_eq!(rows(&mut follow), [1], "read before it was sealed, or after");
        other.append(2, 0, 2, 0);
        other.clock.advance(LIST);
        assert_eq!(rows(&mut follow), [2]);
    }

    #[test]
    fn a_file_that_fails_is_passed_over_when_that_is_asked_for() {
        let other = Other::new();
        for seq in 1..4 {
            other.append(seq, 0, u64::from(seq), 0);
            other.seal(seq);
        }
        std::fs::write(other.log.path(Signal::Logs, &Other::stem(2), Form::SEALED), b"ARROW1 and no more").unwrap();
        let mut follow = other.follow();
        assert!(!follow.skip(), "nothing failed yet");
        assert_eq!(follow.next_batch().unwrap().unwrap().1, Position { stem: Other::stem(1), row: 1 });
        assert!(follow.next_batch().unwrap_err().is_damage());
        assert!(follow.skip());
        assert_eq!(rows(&mut follow), [3]);
        assert_eq!(follow.positions()[&WriterId(7)], Position { stem: Other::stem(3), row: 3 });
    }
}
