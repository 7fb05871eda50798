//! A snapshot over all files of a signal, while they are written, sealed and deleted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::files::{Entry, FileRows};
use super::handle::Log;
use super::own_files::OwnFile;
use crate::disk::names::Stem;
use crate::file::Wanted;
use crate::file::error::ReadError;
use crate::file::options::{Batches, ReadOptions};
use crate::file::read::Extent;
use otlp_arrow_base::error::Result;

/// What a person can do about a sealed file that does not hold.
const MOVE_IT: &str = "move it out of the directory to read everything else";

/// Who can move a sealed file that cannot be read out of the way of later readers.
pub(crate) trait SetAside: Send + Sync {
    /// Whether the file is gone from where readers look.
    fn set_aside(&self, signal: Signal, stem: &Stem) -> Result<bool>;
}

/// What is committed now, over all writers: per writer in commit order, writers by the time they started.
pub(crate) fn read(
    log: &Log,
    signal: Signal,
    options: &ReadOptions,
    keeper: Option<Arc<dyn SetAside>>,
) -> Result<Batches> {
    let wanted = Wanted::new(signal, options)?;
    let mut waiting: VecDeque<Source> = VecDeque::new();
    for file in log.entries(signal)? {
        // A directory entry may lag behind an open file on Windows.
        let len = if cfg!(windows) { None } else { Some(file.len) };
        waiting.push_back(Source { file, extent: Extent::Prefix(len), rows: u64::MAX });
    }
    // Own files after the listing: what is not among them by now is sealed, and found in that form.
    let own: HashMap<Stem, OwnFile> = log.own().of(signal).into_iter().collect();
    for source in waiting.iter_mut().filter(|source| source.file.form.grows()) {
        if let Some(own) = own.get(&source.file.stem) {
            (source.extent, source.rows) = (Extent::Committed(own.len), own.rows);
        }
    }
    let left = options.limit.unwrap_or(usize::MAX);
    Ok(Box::new(Snapshot { log: log.clone(), signal, wanted, waiting, current: None, left, keeper }))
}

impl Log {
    /// What is committed now, over all writers: per writer in commit order, writers by the time they started.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        read(self, signal, options, None)
    }
}

/// How one file is read.
#[derive(Clone, Debug)]
struct Source {
    file: Entry,
    /// As long as it grows.
    extent: Extent,
    /// Rows that belong to the snapshot.
    rows: u64,
}

/// See [`read`].
struct Snapshot {
    log: Log,
    signal: Signal,
    wanted: Wanted,
    waiting: VecDeque<Source>,
    current: Option<Current>,
    left: usize,
    /// Who maintains the directory, if this process does.
    keeper: Option<Arc<dyn SetAside>>,
}

/// The file that is being read.
struct Current {
    stem: Stem,
    file: FileRows,
    /// Rows that belong to the snapshot.
    rows: u64,
}

impl Snapshot {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            if let Some(current) = &mut self.current {
                match current.file.next_batch_until(current.rows) {
                    Ok(Some(batch)) => {
                        let batch = batch.slice(0, batch.num_rows().min(self.left));
                        self.left -= batch.num_rows();
                        return Ok(Some(batch));
                    }
                    Ok(None) => self.current = None,
                    Err(error) => {
                        let (stem, grows) = (current.stem.clone(), current.file.form().grows());
                        self.current = None;
                        return Err(self.unreadable(&stem, grows, error).into());
                    }
                }
                continue;
            }
            let Some(source) = self.waiting.pop_front() else { return Ok(None) };
            self.current = self.open(source)?;
        }
        Ok(None)
    }

    /// What to do about a file that cannot be read. It is set aside where that can be done, so that the next reader gets
    /// everything else also where an error ends the iteration.
    fn unreadable(&self, stem: &Stem, grows: bool, error: ReadError) -> ReadError {
        if grows || !error.is_damage() {
            return error;
        }
        let aside = self.keeper.as_ref().map(|keeper| keeper.set_aside(self.signal, stem));
        error.with_remedy(match aside {
            Some(Ok(true)) => "it is set aside in quarantine/: read again for everything else",
            Some(Err(error)) => {
                tracing::debug!(%error, %stem, "a file that cannot be read stays where it is");
                MOVE_IT
            }
            Some(Ok(false)) | None => MOVE_IT,
        })
    }

    fn open(&self, source: Source) -> Result<Option<Current>> {
        let Source { file: Entry { path, stem, .. }, extent, rows } = source;
        let found = match self.log.find_path(&path) {
            Ok(found) => found,
            Err(error) if error.is_gone() => {
                tracing::debug!(%stem, "a file was deleted while it waited to be read; it is skipped");
                self.log.stats().read_skipped(self.signal);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let grows = found.form.grows();
        match found.open(extent, 0, &self.wanted) {
            Ok(file) => Ok(Some(Current { stem, file, rows })),
            Err(error) => Err(self.unreadable(&stem, grows, error).into()),
        }
    }
}

/// A file that cannot be read is one error; the rest of the snapshot follows it.
impl Iterator for Snapshot {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
