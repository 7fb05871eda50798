//! A snapshot over all files of a signal, while they are written, sealed and deleted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use arrow_array::RecordBatch;
use otlp_arrow_columns::Signal;

use super::context::Context;
use super::fault::storage_error;
use super::names::{Form, Stem, WriterId, parse_name};
use super::{Batches, ReadOptions};
use crate::error::Result;
use crate::ipc::read::{Extent, FileBatches, Wanted};

/// What is committed now, over all writers: per writer in commit order, writers by the time they started.
pub(crate) fn read(ctx: &Arc<Context>, signal: Signal, options: &ReadOptions) -> Result<Batches> {
    let wanted = Wanted::new(signal, options)?;
    let dir = ctx.layout.signal_dir(signal);
    let entries = ctx.storage.list(&dir).map_err(|error| storage_error("list", &dir, error))?;
    let mut sources: BTreeMap<Stem, Source> = BTreeMap::new();
    for entry in entries {
        let Some((stem, form)) = parse_name(&entry.name) else { continue };
        // A directory entry may lag behind an open file on Windows.
        let len = if cfg!(windows) { None } else { Some(entry.len) };
        let source = match form {
            Form::Sealed => Source { form, extent: Extent::Prefix(None), rows: u64::MAX },
            Form::Live => Source { form, extent: Extent::Prefix(len), rows: u64::MAX },
        };
        match sources.get_mut(&stem) {
            // Where both exist the sealed form is the file.
            Some(known) if form == Form::Sealed => *known = source,
            Some(_) => {}
            None => drop(sources.insert(stem, source)),
        }
    }
    // Own files after the listing: what is not among them by now is sealed, and found in that form.
    for (stem, own) in ctx.own.of(signal) {
        if let Some(source) = sources.get_mut(&stem).filter(|source| source.form == Form::Live) {
            (source.extent, source.rows) = (Extent::Committed(own.len), own.rows);
        }
    }
    let snapshot = Snapshot {
        ctx: Arc::clone(ctx),
        signal,
        wanted,
        waiting: ordered(sources),
        current: None,
        left: options.limit.unwrap_or(usize::MAX),
    };
    Ok(Box::new(snapshot))
}

/// How one file is read.
#[derive(Clone, Copy, Debug)]
struct Source {
    form: Form,
    extent: Extent,
    /// Rows that belong to the snapshot.
    rows: u64,
}

fn ordered(sources: BTreeMap<Stem, Source>) -> VecDeque<(Stem, Source)> {
    // In creation order, so the first stem of a writer tells when it started.
    let mut started: HashMap<WriterId, u64> = HashMap::new();
    for stem in sources.keys() {
        started.entry(stem.writer).or_insert(stem.created_ms);
    }
    let mut files: Vec<_> = sources.into_iter().collect();
    files.sort_by_key(|(stem, _)| (started.get(&stem.writer).copied(), stem.writer, stem.seq));
    files.into()
}

struct Snapshot {
    ctx: Arc<Context>,
    signal: Signal,
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
            let path = self.ctx.layout.data(self.signal, stem, *form);
            match self.ctx.storage.open(&path) {
                Ok(file) => {
                    return FileBatches::open(file, path.display().to_string(), *extent, 0, &self.wanted).map(Some);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(storage_error("read", &path, error)),
            }
        }
        tracing::debug!(%stem, "a file was deleted while it waited to be read; it is skipped");
        self.ctx.stats.read_skipped(self.signal);
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
