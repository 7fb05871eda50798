//! What is committed, as everybody reads it: files in order, snapshots, followers, cursors.

pub(crate) mod commit_notifier;
pub(crate) mod cursor;
pub mod directory;
pub(crate) mod follow;
pub mod hooks;
pub(crate) mod own_files;
pub mod position;
pub(crate) mod read;
pub mod subscription;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::stats::Stats;
use otlp_arrow_columns::Signal;

use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Layout, Stem, WriterId};
use crate::disk::storage::Storage;
use crate::disk::storage_os::OsStorage;
use crate::file::read::{Extent, FileBatches, Wanted};
use commit_notifier::CommitNotifier;
use own_files::OwnFiles;

/// One output directory as its readers see it. Cloning is cheap, and every clone is the same log.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    storage: Arc<dyn Storage>,
    layout: Layout,
    /// Who writes in this process.
    writer: Option<WriterId>,
    own: Arc<OwnFiles>,
    commits: Arc<CommitNotifier>,
    stats: Arc<Stats>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("root", &self.0.layout.root())
            .field("writer", &self.0.writer)
            .finish_non_exhaustive()
    }
}

impl Log {
    /// The log that `writer`, in this process, appends to.
    pub(crate) fn of_writer(storage: Arc<dyn Storage>, layout: Layout, writer: WriterId, stats: Arc<Stats>) -> Self {
        let (own, commits) = Default::default();
        Self(Arc::new(Inner { storage, layout, writer: Some(writer), own, commits, stats }))
    }

    /// The log of an output directory that this process does not write to. Nothing is created, locked or changed.
    pub fn read_only(output_dir: impl Into<PathBuf>) -> Self {
        let (layout, (own, commits, stats)) = (Layout::new(output_dir), Default::default());
        Self(Arc::new(Inner { storage: Arc::new(OsStorage), layout, writer: None, own, commits, stats }))
    }

    /// The rows of a file from `from_row` on, in the form that counts. STORAGE_FAILED with a NotFound source when the file is gone.
    pub fn open(&self, signal: Signal, stem: &Stem, from_row: u64, wanted: &Wanted) -> Result<FileBatches> {
        // A file may be sealed between two looks, so both forms are tried twice.
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for _ in 0..2 {
            let live = self.own().find(stem).map_or(Extent::Prefix(None), |file| Extent::Committed(file.len));
            for (form, extent) in [(Form::Sealed, Extent::Prefix(None)), (Form::Live, live)] {
                let path = self.layout().data(signal, stem, form);
                match self.storage().open(&path) {
                    Ok(file) => return FileBatches::open(file, path.display().to_string(), extent, from_row, wanted),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => last = error,
                    Err(error) => return Err(storage_error("read", &path, error)),
                }
            }
        }
        Err(OtlpError::with_source(Code::StorageFailed, format!("{stem} cannot be read: {last}"), last))
    }

    /// How it touches files.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.0.storage
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// Who writes to it in this process.
    pub fn writer(&self) -> Option<WriterId> {
        self.0.writer
    }

    /// Where what its readers meet is counted.
    pub fn stats(&self) -> &Arc<Stats> {
        &self.0.stats
    }

    /// The files of this process's writer that are not sealed yet.
    pub(crate) fn own(&self) -> &Arc<OwnFiles> {
        &self.0.own
    }

    /// Told of every commit of this process's writer.
    pub(crate) fn commits(&self) -> &Arc<CommitNotifier> {
        &self.0.commits
    }
}
