//! The log itself: what everything that reads one output directory stands on.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use otlp_arrow_base::clock::Clock;
use otlp_arrow_base::stats::Stats;

use super::commit_notifier::CommitNotifier;
use super::own_files::OwnFiles;
use crate::disk::names::{Layout, WriterId};
use crate::disk::storage::Storage;
use crate::disk::storage_os::OsStorage;
use crate::file::form::{Form, Forms};

/// One output directory as everything that reads sees it. Cloning is cheap, and every clone is the same log.
///
/// - [`Log::entries`] lists the data files of a signal in reading order, each in the form that counts.
/// - [`Log::open`] reads the rows of one of them, from any row on.
/// - [`Log::committed`] says how much of one is committed, also while another process writes it.
/// - [`Log::read`] reads everything that is there, [`Log::follow`] from positions on and what comes later.
/// - [`Log::cursor`] keeps such positions on disk.
///
/// A position, a file and a row in it, stays valid when the file is sealed, or goes to another form that is registered.
///
/// The log of a [`Store`](crate::Store) knows what its writer has committed and is woken by each commit. The one of
/// [`Log::read_only`] needs no writer.
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

    /// The log of an output directory that this process does not write to: nothing is created, locked or changed, and the
    /// directory need not exist yet.
    ///
    /// Of a file that another process appends to, the commits count that are whole, checksums included. Files that are rotated,
    /// sealed, taken over or deleted meanwhile are read to their end, passed over, or reported as gone.
    ///
    /// ```
    /// use otlp_arrow_columns::Signal;
    /// use otlp_arrow_store::position::Positions;
    /// use otlp_arrow_store::{Log, ReadOptions, Wanted};
    ///
    /// # fn main() -> Result<(), otlp_arrow_base::OtlpError> {
    /// let log = Log::read_only("output_dir");
    /// for entry in log.entries(Signal::Traces)? {
    ///     println!("{}: {} spans", entry.path.display(), log.committed(&entry)?.rows);
    /// }
    /// let columns = Some(vec!["name".to_owned(), "duration".to_owned()]);
    /// let wanted = Wanted::new(Signal::Traces, &ReadOptions { columns, ..ReadOptions::default() })?;
    /// let mut follow = log.follow(Signal::Traces, Positions::new(), wanted);
    /// while let Some((batch, position)) = follow.next_batch()? {
    ///     println!("{} spans up to row {} of {}", batch.num_rows(), position.row, position.stem);
    /// }
    /// // Everything that is committed is behind; `follow.wait` sleeps until more may be there.
    /// # Ok(())
    /// # }
    /// ```
    pub fn read_only(output_dir: impl Into<PathBuf>) -> Self {
        Self::reading(Arc::new(OsStorage), Layout::new(output_dir), Forms::default(), Clock::system())
    }

    /// [`Log::read_only`] of any storage, by any clock.
    pub(crate) fn reading(storage: Arc<dyn Storage>, layout: Layout, forms: Forms, clock: Clock) -> Self {
        let (own, commits, stats) = Default::default();
        Self(Arc::new(Inner { storage, layout, forms, clock, writer: None, own, commits, stats }))
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

    /// Sleeps until this process's writer has committed more than `before`, or until the time is over.
    pub(crate) fn wait(&self, before: u64, longest: Duration) {
        self.0.commits.wait(before, self.0.clock.slice(longest));
    }

    /// Told of every commit of this process's writer.
    pub(crate) fn commits(&self) -> &Arc<CommitNotifier> {
        &self.0.commits
    }
}
