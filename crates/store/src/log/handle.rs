//! The log itself: what everything that reads one output directory stands on.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::stats::Stats;

use super::commit_notifier::CommitNotifier;
use super::own_files::OwnFiles;
use crate::disk::names::{Layout, WriterId};
use crate::disk::storage::Storage;
use crate::disk::storage_os::OsStorage;
use crate::file::form::{Form, Forms};

/// One output directory as its readers see it. Cloning is cheap, and every clone is the same log.
#[derive(Clone)]
pub struct Log(Arc<Inner>);

struct Inner {
    storage: Arc<dyn Storage>,
    layout: Layout,
    forms: Forms,
    clock: Clock,
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
    pub(crate) fn of_writer(
        storage: Arc<dyn Storage>,
        layout: Layout,
        forms: Forms,
        writer: WriterId,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Self {
        let (own, commits) = Default::default();
        Self(Arc::new(Inner { storage, layout, forms, clock, writer: Some(writer), own, commits, stats }))
    }

    /// The log of an output directory that this process does not write to. Nothing is created, locked or changed.
    pub fn read_only(output_dir: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            storage: Arc::new(OsStorage),
            layout: Layout::new(output_dir),
            forms: Forms::default(),
            clock: Clock::system(),
            writer: None,
            own: Arc::default(),
            commits: Arc::default(),
            stats: Arc::default(),
        }))
    }

    /// The same log, in which files of one more form are found as well.
    pub fn with_form(self, form: Form) -> Self {
        let Inner { storage, layout, forms, clock, writer, own, commits, stats } = &*self.0;
        Self(Arc::new(Inner {
            storage: Arc::clone(storage),
            layout: layout.clone(),
            forms: forms.with(form),
            clock: clock.clone(),
            writer: *writer,
            own: Arc::clone(own),
            commits: Arc::clone(commits),
            stats: Arc::clone(stats),
        }))
    }

    /// How it touches files.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.0.storage
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The forms its files may have.
    pub fn forms(&self) -> &Forms {
        &self.0.forms
    }

    /// What the time is told by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
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
