//! A snapshot over all files of a signal, while they are written, sealed and deleted.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::Log;
use super::directory::files_in;
use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Stem};
use crate::file::body::is_damage;
use crate::file::options::{Batches, ReadOptions};
use crate::file::read::{Extent, FileBatches, Wanted};
use crate::log::own_files::OwnFile;
use otlp_arrow_base::error::{OtlpError, Result};

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
    let mut waiting: VecDeque<(Stem, Source)> = VecDeque::new();
    for file in files_in(&**log.storage(), &log.layout().signal_dir(signal))? {
        // A directory entry may lag behind an open file on Windows.
        let len = if cfg!(windows) { None } else { Some(file.len) };
        let extent = Extent::Prefix(if file.form == Form::Live { len } else { None });
        waiting.push_back((file.stem, Source { form: file.form, extent, rows: u64::MAX }));
    }
    // Own files after the listing: what is not among them by now is sealed, and found in that form.
    let own: HashMap<Stem, OwnFile> = log.own().of(signal).into_iter().collect();
    for (stem, source) in waiting.iter_mut().filter(|(_, source)| source.form == Form::Live) {
        if let Some(own) = own.get(stem) {
            (source.extent, source.rows) = (Extent::Committed(own.len), own.rows);
        }
    }
    let left = options.limit.unwrap_or(usize::MAX);
    Ok(Box::new(Snapshot { log: log.clone(), signal, wanted, waiting, current: None, left, keeper }))
}

/// How one file is read.
#[derive(Clone, Copy, Debug)]
struct Source {
    form: Form,
    extent: Extent,
    /// Rows that belong to the snapshot.
    rows: u64,
}

/// See [`read`].
struct Snapshot {
    log: Log,
    signal: Signal,
    wanted: Wanted,
    waiting: VecDeque<(Stem, Source)>,
    current: Option<Current>,
    left: usize,
    /// Who looks after the directory, if this process does.
    keeper: Option<Arc<dyn SetAside>>,
}

/// The file that is being read.
struct Current {
    stem: Stem,
    form: Form,
    batches: FileBatches,
    /// Rows that belong to the snapshot.
    rows: u64,
}

impl Snapshot {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            if let Some(current) = &mut self.current {
                match current.batches.next_batch_until(current.rows) {
                    Ok(Some(batch)) => {
                        let batch = batch.slice(0, batch.num_rows().min(self.left));
                        self.left -= batch.num_rows();
                        return Ok(Some(batch));
                    }
                    Ok(None) => self.current = None,
                    Err(error) => {
                        let (stem, form) = (current.stem.clone(), current.form);
                        self.current = None;
                        return Err(self.unreadable(&stem, form, error));
                    }
                }
                continue;
            }
            let Some((stem, source)) = self.waiting.pop_front() else { return Ok(None) };
            self.current = self.open(stem, source)?;
        }
        Ok(None)
    }

    /// What to do about a file that cannot be read. It is set aside where that can be done, so that the next reader gets
    /// everything else also where an error ends the iteration.
    fn unreadable(&self, stem: &Stem, form: Form, error: OtlpError) -> OtlpError {
        if form == Form::Live || !is_damage(&error) {
            return error;
        }
        let aside = self.keeper.as_ref().map(|keeper| keeper.set_aside(self.signal, stem));
        let remedy = match aside {
            Some(Ok(true)) => "it is set aside in quarantine/: read again for everything else",
            Some(Err(error)) => {
                tracing::debug!(%error, %stem, "a file that cannot be read stays where it is");
                MOVE_IT
            }
            Some(Ok(false)) | None => MOVE_IT,
        };
        OtlpError::new(error.code(), format!("{}; {remedy}", error.message()))
    }

    fn open(&self, stem: Stem, source: Source) -> Result<Option<Current>> {
        // A stream that is gone was sealed meanwhile: the same rows under the same numbers.
        let forms: &[(Form, Extent)] = match source.form {
            Form::Live => &[(Form::Live, source.extent), (Form::Sealed, Extent::Prefix(None))],
            Form::Sealed => &[(Form::Sealed, source.extent)],
        };
        for (form, extent) in forms {
            let path = self.log.layout().data(self.signal, &stem, *form);
            match self.log.storage().open(&path) {
                Ok(file) => {
                    return match FileBatches::open(file, path.display().to_string(), *extent, 0, &self.wanted) {
                        Ok(batches) => Ok(Some(Current { stem, form: *form, batches, rows: source.rows })),
                        Err(error) => Err(self.unreadable(&stem, *form, error)),
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(storage_error("read", &path, error)),
            }
        }
        tracing::debug!(%stem, "a file was deleted while it waited to be read; it is skipped");
        self.log.stats().read_skipped(self.signal);
        Ok(None)
    }
}

/// A file that cannot be read is one error; the rest of the snapshot follows it.
impl Iterator for Snapshot {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
