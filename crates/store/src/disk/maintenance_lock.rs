//! The lock under which one process at a time works on what other processes wrote.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::names::Layout;
use super::storage::{FileLock, Storage};
use otlp_arrow_base::log_limit::Repeated;

/// `maintenance.lock`: whoever holds it takes over files of dead writers and deletes old ones.
#[derive(Debug)]
pub(crate) struct MaintenanceLock {
    path: PathBuf,
    cannot_lock: Repeated,
}

impl MaintenanceLock {
    /// The one of this directory.
    pub(crate) fn new(layout: &Layout) -> Self {
        Self { path: layout.maintenance_lock(), cannot_lock: Repeated::default() }
    }

    /// Takes it; `None` while another process has it.
    pub(crate) fn take(&self, storage: &dyn Storage, now: Instant) -> io::Result<Option<Box<dyn FileLock>>> {
        storage.try_lock(&self.path).inspect_err(|error| {
            // There is no directory before the first record.
            if error.kind() != io::ErrorKind::NotFound && self.cannot_lock.may_warn(now) {
                let path = self.path.display();
                tracing::warn!(%error, %path, "cannot lock: old files stay, and so do those of dead writers");
            }
        })
    }
}
