//! A snapshot over all files of a signal, while they are written, sealed and deleted.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::context::{Context, OwnFile};
use super::directory::files_in;
use super::fault::storage_error;
use super::names::{Form, Stem};
use super::storage::Storage;
use super::{Batches, ReadOptions};
use crate::error::Result;
use crate::ipc::read::{Extent, FileBatches, Wanted};
use crate::stats::Stats;

/// What is committed now, over all writers: per writer in commit order, writers by the time they started.
pub(crate) fn read(ctx: &Arc<Context>, signal: Signal, options: &ReadOptions) -> Result<Batches> {
    let dir = ctx.layout.signal_dir(signal);
    snapshot(Arc::clone(&ctx.storage), dir, signal, options, || ctx.own.of(signal), Arc::clone(&ctx.stats))
}

/// The files of `dir` as they stand; `own` tells what of them this process wrote itself.
pub(crate) fn snapshot(
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    signal: Signal,
    options: &ReadOptions,
    own: impl FnOnce() -> Vec<(Stem, OwnFile)>,
    stats: Arc<Stats>,
) -> Result<Batches> {
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
    Ok(Box::new(Snapshot { storage, dir, signal, stats, wanted, waiting, current: None, left }))
}

/// How one file is read.
#[derive(Clone, Copy, Debug)]
struct Source {
    form: Form,
    extent: Extent,
    /// Rows that belong to the snapshot.
    rows: u64,
}

struct Snapshot {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    signal: Signal,
    stats: Arc<Stats>,
    wanted: Wanted,
    waiting: VecDeque<(Stem, Source)>,
    current: Option<(FileBatches, u64)>,
    left: usize,
}

impl Snapshot {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.left > 0 {
            if let Some((file, rows)) = &mut self.current {
                match file.next_batch_until(*rows) {
                    Ok(Some(batch)) => {
                        let batch = batch.slice(0, batch.num_rows().min(self.left));
                        self.left -= batch.num_rows();
                        return Ok(Some(batch));
                    }
                    Ok(None) => self.current = None,
                    Err(error) => {
                        self.current = None;
                        return Err(error);
                    }
                }
                continue;
            }
            let Some((stem, source)) = self.waiting.pop_front() else { return Ok(None) };
            self.current = self.open(&stem, source)?.map(|file| (file, source.rows));
        }
        Ok(None)
    }

    fn open(&self, stem: &Stem, source: Source) -> Result<Option<FileBatches>> {
        // A stream that is gone was sealed meanwhile: the same rows under the same numbers.
        let forms: &[(Form, Extent)] = match source.form {
            Form::Live => &[(Form::Live, source.extent), (Form::Sealed, Extent::Prefix(None))],
            Form::Sealed => &[(Form::Sealed, source.extent)],
        };
        for (form, extent) in forms {
            let path = self.dir.join(format!("{stem}.{}", form.extension()));
            match self.storage.open(&path) {
                Ok(file) => {
                    return FileBatches::open(file, path.display().to_string(), *extent, 0, &self.wanted).map(Some);
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
