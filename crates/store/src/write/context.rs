//! What all threads of one writer share.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otlp_arrow_columns::Signal;

use super::budget::Budget;
use super::notify::Notifier;
use crate::disk::failpoint::Point;
use crate::disk::fault::{StorageHealth, storage_error};
use crate::disk::maintenance_lock::MaintenanceLock;
use crate::disk::names::{Layout, Stem, WriterId};
use crate::disk::storage::{FileLock, Storage};
use crate::log::Log;
use crate::log::commit_notifier::CommitNotifier;
use crate::log::hooks::Hooks;
use crate::log::own_files::OwnFiles;
use crate::settings::{Durability, Settings};
use otlp_arrow_base::PerSignal;
use otlp_arrow_base::clock::{Clock, WallClock};
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::event::EventSink;
use otlp_arrow_base::event::{Event, EventName};
pub(crate) use otlp_arrow_base::lock::lock;
use otlp_arrow_base::stats::Stats;

/// One writer's means and state.
pub(crate) struct Context {
    pub storage: Arc<dyn Storage>,
    pub layout: Layout,
    pub settings: Settings,
    pub writer: WriterId,
    pub clock: Clock,
    /// What the names of files and their age are told by.
    pub wall: WallClock,
    pub stats: Arc<Stats>,
    pub events: EventSink,
    pub budget: Arc<Budget>,
    pub(crate) changed: Notifier,
    pub own: Arc<OwnFiles>,
    pub(crate) maintenance: MaintenanceLock,
    pub hooks: Arc<Hooks>,
    /// Told of every commit.
    pub(crate) commits: Arc<CommitNotifier>,
    /// What readers of this process see of all this.
    pub(crate) log: Log,
    /// Nanoseconds the commit threads have worked, for those who yield to them.
    pub commit_nanos: AtomicU64,
    /// Files of a newer version, which are left alone and announced once.
    newer: Mutex<BTreeSet<Stem>>,
    seq: AtomicU32,
    faults: PerSignal<Mutex<StorageHealth>>,
    lock: Mutex<Option<Box<dyn FileLock>>>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("root", &self.layout.root())
            .field("writer", &self.writer)
            .finish_non_exhaustive()
    }
}

impl Context {
    pub(crate) fn new(
        settings: Settings,
        storage: Arc<dyn Storage>,
        events: EventSink,
        stats: Arc<Stats>,
        clock: Clock,
    ) -> Self {
        let (layout, writer) = (Layout::new(&settings.output_dir), WriterId::random());
        let log = Log::of_writer(
            Arc::clone(&storage),
            layout.clone(),
            settings.forms.clone(),
            writer,
            Arc::clone(&stats),
            clock.clone(),
        );
        Self {
            storage,
            maintenance: MaintenanceLock::new(&layout),
            layout,
            writer,
            wall: WallClock::start(clock.clone()),
            stats,
            events,
            budget: Arc::new(Budget::new(settings.buffer_max_bytes).with_largest(settings.request_max_bytes)),
            settings,
            changed: Notifier::new(clock.clone()),
            clock,
            own: Arc::clone(log.own()),
            hooks: Arc::default(),
            commits: Arc::clone(log.commits()),
            log,
            commit_nanos: AtomicU64::new(0),
            newer: Mutex::default(),
            seq: AtomicU32::new(1),
            faults: Default::default(),
            lock: Mutex::new(None),
        }
    }

    /// The name of the next file of this writer.
    pub(crate) fn next_stem(&self) -> Stem {
        Stem::new(self.wall.now(), self.writer, self.seq.fetch_add(1, Ordering::Relaxed))
    }

    /// A newer version wrote this file; whether that is news.
    pub(crate) fn add_newer(&self, stem: &Stem) -> bool {
        lock(&self.newer).insert(stem.clone())
    }

    pub(crate) fn is_newer(&self, stem: &Stem) -> bool {
        lock(&self.newer).contains(stem)
    }

    /// Nothing more will be committed.
    pub(crate) fn set_closed(&self) {
        self.commits.end();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.commits.has_ended()
    }

    /// Announces something.
    pub(crate) fn event(&self, name: EventName, signal: Option<Signal>, count: Option<u64>, message: String) {
        (self.events)(Event { signal, count, ..Event::new(name, self.clock.wall(), message) });
    }

    /// Writing failed: announced once, until it works again or fails differently.
    pub(crate) fn write_failed(&self, signal: Signal, error: &OtlpError) {
        let event = lock(&self.faults[signal]).failed(error.code());
        if let Some(event) = event {
            self.event(event, Some(signal), None, error.message().to_owned());
        }
    }

    /// Writing fails, which was announced for all signals at once; that it works again will be told for each.
    pub(crate) fn fails_already(&self, signal: Signal, error: &OtlpError) {
        lock(&self.faults[signal]).failed(error.code());
    }

    /// Writing works, or will as far as anybody can tell.
    pub(crate) fn write_works(&self, signal: Signal) {
        let event = lock(&self.faults[signal]).succeeded();
        if let Some(event) = event {
            self.event(event, Some(signal), None, format!("{signal} can be written again"));
        }
    }

    /// Takes the writer's lock if it is not held yet; no data file may exist before.
    pub(crate) fn ensure_writer(&self) -> Result<()> {
        let mut held = lock(&self.lock);
        if held.is_none() {
            *held = Some(self.take_writer_lock()?);
        }
        Ok(())
    }

    fn take_writer_lock(&self) -> Result<Box<dyn FileLock>> {
        let (dir, path) = (self.layout.writers_dir(), self.layout.writer_lock(self.writer));
        let fail = |step: &str, path: &std::path::Path, error| storage_error(step, path, error);
        self.storage.create_dir_all(&dir).map_err(|error| fail("create", &dir, error))?;
        // An adopter that just saw the file appear may hold it for a moment; it finds nothing and releases it.
        for _ in 0..100 {
            if let Some(lock) = self.storage.try_lock(&path).map_err(|error| fail("lock", &path, error))? {
                if matches!(self.settings.durability, Durability::Synced) {
                    self.sync_dir(&dir).map_err(|error| fail("sync", &dir, error))?;
                }
                return Ok(lock);
            }
            // It does so in its own time, whatever our clock is.
            Clock::system().sleep(Duration::from_millis(1));
        }
        Err(OtlpError::new(Code::StorageFailed, format!("the lock {} is held by another process", path.display())))
    }

    /// [`Context::ensure_writer`] where somebody may have deleted the lock file, with ours or with all of the directory: then
    /// it is taken anew, or others would take our files for those of a dead writer.
    pub(crate) fn renew_writer(&self) -> Result<()> {
        let path = self.layout.writer_lock(self.writer);
        if self.storage.is_missing(&path) {
            *lock(&self.lock) = None;
        }
        self.ensure_writer()
    }

    /// Releases the writer; `remove` if no file of it needs anything any more.
    pub(crate) fn release_writer(&self, remove: bool) {
        let held = lock(&self.lock).take();
        if let Some(held) = held.filter(|_| remove)
            && let Err(error) = held.remove()
        {
            tracing::debug!(%error, "the writer's lock file stays; the next writer of this directory removes it");
        }
    }

    /// Makes the entries of `dir` survive a power cut.
    pub(crate) fn sync_dir(&self, dir: &std::path::Path) -> io::Result<()> {
        Point::DirectorySync.around(|| self.storage.sync_dir(dir))
    }

    /// [`Context::sync_dir`] for `dir` and what it lies in, up to where the output directory itself is named: a file
    /// survives only with every directory on the way to it.
    pub(crate) fn sync_way_to(&self, dir: &std::path::Path) -> io::Result<()> {
        let root = self.layout.root();
        for dir in dir.ancestors().take_while(|dir| dir.starts_with(root)) {
            self.sync_dir(dir)?;
        }
        let parent = match root.parent() {
            Some(parent) if parent.as_os_str().is_empty() => std::path::Path::new("."),
            Some(parent) => parent,
            None => return Ok(()),
        };
        match self.storage.sync_dir(parent) {
            // It may belong to somebody else, who lets us pass and not look.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            done => done,
        }
    }
}
