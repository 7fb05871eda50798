//! Which data files there are, and which form of each counts: the one place that decides.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use otlp_arrow_columns::Signal;

use super::handle::Log;
use crate::disk::names::{Stem, WriterId};
use crate::disk::storage::ReadFile;
use crate::file::error::{ReadError, Result};
use crate::file::form::{Committed, Form, RowReader};
use crate::file::read::Extent;
use crate::file::scan::Check;
use crate::file::{Wanted, signal_of};

/// One data file of an output directory, in the form that counted when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it was.
    pub path: PathBuf,
    /// What its name says.
    pub stem: Stem,
    /// Its form: where there are several, the one that counts.
    pub form: Form,
    /// Its length in bytes when it was listed, whatever of it is committed: see [`Log::committed`].
    pub len: u64,
}

/// What one file is and holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its form.
    pub form: Form,
    /// Its length in bytes.
    pub len: u64,
    /// How much of that is committed.
    pub committed: Committed,
}

/// The rows of one open file, from some row on.
#[derive(Debug)]
pub struct FileRows {
    path: PathBuf,
    form: Form,
    rows: Box<dyn RowReader>,
}

impl FileRows {
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The form it was opened in.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The next batch, never an empty one. `None` when there are no more for now. Do not go on after an error.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.rows.next_batch()
    }

    /// [`FileRows::next_batch`] of rows before the one with the number `end`.
    pub fn next_batch_until(&mut self, end: u64) -> Result<Option<RecordBatch>> {
        self.rows.next_batch_until(end)
    }

    /// The number of the row that the next batch would start with, filters aside.
    pub fn next_row(&self) -> u64 {
        self.rows.next_row()
    }

    /// The schema of the batches, with the metadata of the file. It has no fields while nothing is committed in the file.
    pub fn schema(&self) -> &SchemaRef {
        self.rows.schema()
    }

    /// The signal of the rows: by the metadata of the file, of an older one by its columns. `None` if it is none of ours, or
    /// while nothing is committed in it.
    pub fn signal(&self) -> Option<Signal> {
        signal_of(self.schema())
    }

    pub(crate) fn grow(&mut self, extent: Extent) -> Result<bool> {
        self.rows.grow(extent)
    }
}

/// A file that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) file: Box<dyn ReadFile>,
    pub(crate) form: Form,
    pub(crate) path: PathBuf,
}

/// In which forms a file is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// In any.
    Any,
    /// In this one, or in those it may have gone to since.
    From(Form),
    /// In those it may have gone to from this one.
    Above(Form),
}

impl Log {
    /// The data files of one signal in the order their rows are read: writers by the time of their first file, the files of a
    /// writer by sequence. None if there is no directory yet.
    pub fn entries(&self, signal: Signal) -> Result<Vec<Entry>> {
        self.entries_in(&self.layout().signal_dir(signal))
    }

    /// [`Log::entries`] of a directory that itself holds the files.
    pub fn entries_in(&self, dir: &Path) -> Result<Vec<Entry>> {
        // A listing may miss a file that changes its form while it runs: its new name came where the listing had passed, and
        // its old one went before the listing came there. The new name is in a second listing. What only the first one has is
        // looked for by itself; asking for the lengths of all would be most of what a short question costs.
        let failed = |error| ReadError::disk("list", dir, error);
        let names = self.storage().list_names(dir).map_err(failed)?;
        let mut files: BTreeMap<Stem, Entry> = BTreeMap::new();
        for listed in self.storage().list(dir).map_err(failed)? {
            let Some((stem, form)) = self.forms().parse(&listed.name) else { continue };
            if files.get(&stem).is_none_or(|known| known.form < form) {
                let entry = Entry { path: dir.join(&listed.name), stem: stem.clone(), form, len: listed.len };
                files.insert(stem, entry);
            }
        }
        for (stem, form) in names.iter().filter_map(|name| self.forms().parse(name)) {
            if files.get(&stem).is_none_or(|known| known.form < form) {
                let Some(entry) = self.entry(dir, &stem)? else { continue };
                files.insert(stem, entry);
            }
        }
        let mut files: Vec<Entry> = files.into_values().collect();
        let mut began: BTreeMap<WriterId, u64> = BTreeMap::new();
        for file in &files {
            let first = began.entry(file.stem.writer).or_insert(file.stem.created_ms);
            *first = (*first).min(file.stem.created_ms);
        }
        files.sort_by_key(|file| (began.get(&file.stem.writer).copied(), file.stem.writer, file.stem.seq));
        Ok(files)
    }

    /// One file of a directory, in the form that counts now; `None` if it is gone.
    fn entry(&self, dir: &Path, stem: &Stem) -> Result<Option<Entry>> {
        match self.find(&dir.join(stem.to_string()), Look::Any) {
            Ok(Found { file, form, path }) => {
                let len = file.len().map_err(|error| ReadError::read(&path, error))?;
                Ok(Some(Entry { path, stem: stem.clone(), form, len }))
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The rows of a listed file from `from_row` on, as far as they are committed, in the form that it has by now.
    ///
    /// [`ReadError::is_gone`] when the file was deleted since.
    pub fn open(&self, entry: &Entry, from_row: u64, wanted: &Wanted) -> Result<FileRows> {
        self.open_path(&entry.path, from_row, wanted)
    }

    /// [`Log::open`] of a file that is known by name only.
    pub fn open_stem(&self, signal: Signal, stem: &Stem, from_row: u64, wanted: &Wanted) -> Result<FileRows> {
        // Asked before it is looked for: what is not among them by now and is found to grow is not ours.
        let extent = self.extent(stem);
        let found = self.find_stem(signal, stem, Look::Any)?;
        found.open(extent, from_row, wanted)
    }

    /// [`Log::open`] of the file at `path`, under any name. Where it is gone, the form it has gone to is beside it.
    pub fn open_path(&self, path: &Path, from_row: u64, wanted: &Wanted) -> Result<FileRows> {
        let stem = path.file_name().and_then(|name| self.forms().parse(name.to_str()?)).map(|(stem, _)| stem);
        let extent = stem.map_or(Extent::Prefix(None), |stem| self.extent(&stem));
        self.find_path(path)?.open(extent, from_row, wanted)
    }

    /// How much of a listed file is committed. Of a file that another process may be writing, the longest prefix of commits
    /// counts whose checksums hold; every byte of it is read for that. Nothing of a file that cannot be read.
    pub fn committed(&self, entry: &Entry) -> Result<Committed> {
        if let Some(own) = self.own().find(&entry.stem) {
            return Ok(own.committed());
        }
        self.find_path(&entry.path)?.committed(None)
    }

    /// [`Log::committed`] of the file at `path`, under any name, and what else there is to say of it.
    pub fn info(&self, path: &Path) -> Result<FileInfo> {
        let found = self.find_path(path)?;
        let len = found.file.len().map_err(|error| ReadError::read(&found.path, error))?;
        Ok(FileInfo { form: found.form, len, committed: found.committed(None)? })
    }

    /// Rows of a file by its heads; 0 if it is gone.
    pub(crate) fn rows(&self, signal: Signal, stem: &Stem) -> Result<u64> {
        if let Some(own) = self.own().find(stem) {
            return Ok(own.rows);
        }
        match self.find_stem(signal, stem, Look::Any) {
            Ok(found) => Ok(found.committed(Some(Check::Heads))?.rows),
            Err(error) if error.is_gone() => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The keys of the batches in the file at `path`, each with the time of its commit in seconds since 1970.
    pub(crate) fn keys(&self, path: &Path) -> Result<Vec<(u64, Vec<u8>)>> {
        let found = self.find_path(path)?;
        found.form.keys(&*found.file).map_err(|error| ReadError::read(&found.path, error))
    }

    /// Where the file is in one form.
    pub(crate) fn path(&self, signal: Signal, stem: &Stem, form: Form) -> PathBuf {
        self.layout().signal_dir(signal).join(format!("{stem}.{}", form.extension()))
    }

    /// How much of a file that is found to grow is read.
    pub(crate) fn extent(&self, stem: &Stem) -> Extent {
        self.own().find(stem).map_or(Extent::Prefix(None), |own| Extent::Committed(own.len))
    }

    /// The file at `path`, or what it has become since.
    pub(crate) fn find_path(&self, path: &Path) -> Result<Found> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let Some(form) = self.forms().of_extension(extension) else {
            return Err(ReadError::damaged(format!("{} has no form that is known", path.display())));
        };
        self.find(&path.with_extension(""), Look::From(form))
    }

    /// A file of the directory.
    pub(crate) fn find_stem(&self, signal: Signal, stem: &Stem, look: Look) -> Result<Found> {
        self.find(&self.layout().signal_dir(signal).join(stem.to_string()), look)
    }

    /// Opens the file `base`, a path without an extension, in the form that counts. This decides which one that is, for everybody.
    fn find(&self, base: &Path, look: Look) -> Result<Found> {
        let forms: Vec<Form> = match look {
            Look::Any => self.forms().iter().collect(),
            Look::From(from) => self.forms().iter().filter(|form| *form >= from).collect(),
            Look::Above(below) => self.forms().iter().filter(|form| *form > below).collect(),
        };
        // Forms change upwards only. Who looks downwards may pass a file that goes up at this moment, and so looks up again.
        let down = forms.iter().rev().take(if matches!(look, Look::From(_)) { 0 } else { usize::MAX });
        let up = forms.iter().skip(usize::from(!matches!(look, Look::From(_))));
        for form in down.chain(up) {
            let mut path = base.as_os_str().to_owned();
            path.push(".");
            path.push(form.extension());
            let path = PathBuf::from(path);
            match self.storage().open(&path) {
                Ok(file) => return Ok(Found { file, form: *form, path }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(ReadError::read(path, error)),
            }
        }
        Err(ReadError::gone(base))
    }
}

impl Found {
    /// Its rows; `extent` is for a file that grows.
    pub(crate) fn open(self, extent: Extent, from_row: u64, wanted: &Wanted) -> Result<FileRows> {
        let Self { file, form, path } = self;
        let extent = if form.grows() { extent } else { Extent::Prefix(None) };
        let rows = form.open(file, &path.display().to_string(), extent, from_row, wanted)?;
        Ok(FileRows { path, form, rows })
    }

    /// How much of it is committed; a file that may be written by somebody else is looked at more closely than others.
    pub(crate) fn committed(&self, check: Option<Check>) -> Result<Committed> {
        let check = check.unwrap_or(if self.form.grows() { Check::Full } else { Check::Heads });
        self.form.committed(&*self.file, check).map_err(|error| ReadError::read(&self.path, error))
    }
}

#[cfg(test)]
mod tests;
