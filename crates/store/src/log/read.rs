//! A snapshot over all files of a signal, while they are written, sealed and deleted.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::directory::files_in;
use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Stem};
use crate::disk::storage::Storage;
use crate::file::body::is_damage;
use crate::file::options::{Batches, ReadOptions};
use crate::file::read::{Extent, FileBatches, Wanted};
use crate::log::own_files::OwnFile;
use crate::write::context::Context;
use crate::write::recover::set_unreadable_aside;

use otlp_arrow_base::error::{OtlpError, Result};
use otlp_arrow_base::stats::Stats;

/// What a person can do about a sealed file that does not hold.
const MOVE_IT: &str = "move it out of the directory to read everything else";

/// What is committed now, over all writers: per writer in commit order, writers by the time they started.
pub(crate) fn read(ctx: &Arc<Context>, signal: Signal, options: &ReadOptions) -> Result<Batches> {
    let dir = ctx.layout.signal_dir(signal);
    let found =
        snapshot(Arc::clone(&ctx.storage), dir, signal, options, || ctx.own.of(signal), Arc::clone(&ctx.stats))?;
    Ok(Box::new(Snapshot { keeper: Some(Arc::clone(ctx)), ..found }))
}

/// The files of `dir` as they stand; `own` tells what of them this process wrote itself.
pub(crate) fn snapshot(
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    signal: Signal,
    options: &ReadOptions,
    own: impl FnOnce() -> Vec<(Stem, OwnFile)>,
    stats: Arc<Stats>,
) -> Result<Snapshot> {
    let wanted = Wanted::new(signal, options)?;
    let mut waiting: VecDeque<(Stem, Source)> = VecDeque::new();
    for file in files_in(storage.as_ref(), &dir)? {
        // A directory entry may lag behind an open file on Windows.
        let len = if cfg!(windows) { None } else { Some(file.len) };
        let extent = Extent::Prefix(if file.form == Form::Live { len } else { None });
        waiting.push_back((file.stem, Source { form: file.form, extent, rows: u64::MAX }));
    }
    // Own files after the listing: what is not among them by now is sealed, and found in that form.
    let own: HashMap<Stem, OwnFile> = own().into_iter().collect();
    for (stem, source) in waiting.iter_mut().filter(|(_, source)| source.form == Form::Live) {
        if let Some(own) = own.get(stem) {
            (source.extent, source.rows) = (Extent::Committed(own.len), own.rows);
        }
    }
    let left = options.limit.unwrap_or(usize::MAX);
    Ok(Snapshot { storage, dir, signal, stats, wanted, waiting, current: None, left, keeper: None })
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
pub(crate) struct Snapshot {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    signal: Signal,
    stats: Arc<Stats>,
    wanted: Wanted,
    waiting: VecDeque<(Stem, Source)>,
    current: Option<Current>,
    left: usize,
    /// Who looks after the directory, if this process does.
    keeper: Option<Arc<Context>>,
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
        let aside = self.keeper.as_ref().map(|ctx| set_unreadable_aside(ctx, self.signal, stem));
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
            let path = self.dir.join(format!("{stem}.{}", form.extension()));
            match self.storage.open(&path) {
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
        self.stats.read_skipped(self.signal);
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
