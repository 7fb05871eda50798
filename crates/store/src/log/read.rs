//! A snapshot over all files of a signal, while they are written, sealed and deleted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::files::{Entry, FileRows, Look};
use super::handle::Log;
use super::own_files::OwnFile;
use crate::disk::names::Stem;
use crate::file::Wanted;
use crate::file::blocks::{BlockReader, Outline};
use crate::file::error::ReadError;
use crate::file::form::Form;
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
    let waiting = log.snapshot(signal)?.into();
    let left = options.limit.unwrap_or(usize::MAX);
    Ok(Box::new(Snapshot { log: log.clone(), signal, wanted, waiting, current: None, left, keeper }))
}

impl Log {
    /// What is committed now, over all writers: per writer in commit order, writers by the time they started.
    pub fn read(&self, signal: Signal, options: &ReadOptions) -> Result<Batches> {
        read(self, signal, options, None)
    }

    /// [`Log::entries`] with how much of each is committed at this moment, as far as that is known without a look inside.
    pub fn snapshot(&self, signal: Signal) -> Result<Vec<Listed>> {
        let mut listed = Vec::new();
        for file in self.entries(signal)? {
            // A directory entry may lag behind an open file on Windows.
            let len = if cfg!(windows) { None } else { Some(file.len) };
            listed.push(Listed { file, extent: Extent::Prefix(len), rows: u64::MAX });
        }
        // Own files after the listing: what is not among them by now is sealed, and found in that form.
        let own: HashMap<Stem, OwnFile> = self.own().of(signal).into_iter().collect();
        for listed in listed.iter_mut().filter(|listed| listed.file.form.grows()) {
            if let Some(own) = own.get(&listed.file.stem) {
                (listed.extent, listed.rows) = (Extent::Committed(own.len), own.rows);
            }
        }
        Ok(listed)
    }

    /// One file that does not grow any more as [`Log::snapshot`] lists it. [`ReadError::is_gone`] where there is none.
    pub fn listed(&self, signal: Signal, stem: &Stem) -> Result<Listed, ReadError> {
        let found = self.find_stem(signal, stem, Look::Above(Form::LIVE))?;
        let len = found.file.len().map_err(|error| ReadError::read(&found.path, error))?;
        let file = Entry { path: found.path, stem: stem.clone(), form: found.form, len };
        Ok(Listed { file, extent: Extent::Prefix(None), rows: u64::MAX })
    }

    /// Opens a file of a snapshot by blocks, in the form that it has by now. `known` is an outline of the same file in the
    /// form it was listed in, from an earlier call.
    ///
    /// [`ReadError::is_gone`] when the file was deleted since. Rows from [`Listed::rows`] on do not belong to the snapshot.
    pub fn open_blocks(
        &self,
        listed: &Listed,
        known: Option<&Arc<Outline>>,
    ) -> Result<Box<dyn BlockReader>, ReadError> {
        let found = self.find_path(&listed.file.path)?;
        let extent = if found.form.grows() { listed.extent } else { Extent::Prefix(None) };
        let known = known.filter(|_| found.form == listed.file.form);
        found.form.open_blocks(found.file.into(), &found.path.display().to_string(), extent, known)
    }
}

/// One file of a snapshot: how it is read.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The file as it was listed.
    pub file: Entry,
    /// How much of it is read as long as it grows.
    pub(crate) extent: Extent,
    /// How many of its rows belong to the snapshot: all, where that is not known.
    pub rows: u64,
}

/// See [`read`].
struct Snapshot {
    log: Log,
    signal: Signal,
    wanted: Wanted,
    waiting: VecDeque<Listed>,
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
            let Some(listed) = self.waiting.pop_front() else { return Ok(None) };
            self.current = self.open(listed)?;
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

    fn open(&self, listed: Listed) -> Result<Option<Current>> {
        let Listed { file: Entry { path, stem, .. }, extent, rows } = listed;
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
