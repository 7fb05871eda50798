//! Whether new data may come: not while too much waits to be sealed, or the directory is full and nothing can be deleted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::context::Context;
use super::space::DiskSpace;
use super::wakeup::Wakeup;
use crate::disk::fault::StorageHealth;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::lock::lock;

/// With so many files waiting, sealing no longer yields to ingest.
pub(crate) const NO_YIELD: usize = 4;
/// With so many files waiting, new data is refused,
const TOO_MANY: usize = 16;
/// or, where the oldest files make way, also those that wait, with as many as have so many bytes.
const TOO_MUCH: u64 = 1 << 30;

/// The longest a commit waits for files that make way.
const MAKING_ROOM: Duration = Duration::from_secs(1);

/// What is known about the space for new data.
#[derive(Debug)]
pub(crate) struct Admission {
    ctx: Arc<Context>,
    maintenance: Arc<Wakeup>,
    pub(crate) space: DiskSpace,
    /// Closed files that are not sealed.
    unsealed: AtomicUsize,
    /// Refusals before anything is tried.
    refused: Mutex<StorageHealth>,
}

impl Admission {
    pub(crate) fn new(ctx: Arc<Context>, maintenance: Arc<Wakeup>) -> Self {
        Self { ctx, maintenance, space: DiskSpace::default(), unsealed: AtomicUsize::new(0), refused: Mutex::default() }
    }

    /// Whether new data may come at all: STORAGE_FULL while too much waits to be sealed, or nothing can be deleted.
    pub(crate) fn check(&self) -> Result<()> {
        let waiting = self.unsealed.load(Ordering::Relaxed);
        if waiting >= self.too_many() {
            let message =
                format!("{waiting} files wait to be sealed: data comes faster than it can be compressed, send again");
            return Err(OtlpError::new(Code::StorageFull, message));
        }
        if self.space.is_overfull() {
            let message = format!(
                "{} holds more than retention.max_bytes ({}) and nothing in it may be deleted: raise the limit",
                self.ctx.layout.root().display(),
                self.ctx.settings.retention.max_bytes
            );
            return Err(OtlpError::new(Code::StorageFull, message));
        }
        Ok(())
    }

    fn too_many(&self) -> usize {
        let settings = &self.ctx.settings;
        let files = if settings.makes_way { TOO_MUCH / settings.rotation.max_bytes.max(1) } else { 0 };
        usize::try_from(files).unwrap_or(usize::MAX).max(TOO_MANY)
    }

    /// [`Admission::check`] for data that comes now: a refusal is announced once, until [`Admission::space_again`].
    pub(crate) fn admit(&self) -> Result<()> {
        self.check().inspect_err(|error| {
            let event = lock(&self.refused).failed(error.code());
            if let Some(event) = event {
                self.ctx.event(event, None, None, error.message().to_owned());
            }
        })
    }

    /// Makes sure that the file system takes `more` bytes: STORAGE_FULL otherwise.
    pub(crate) fn check_free(&self, more: u64, now: Instant) -> Result<()> {
        let ctx = &self.ctx;
        let left = self.space.check(&*ctx.storage, ctx.layout.root(), ctx.settings.min_free_bytes, more, now)?;
        if ctx.settings.makes_way && left < ctx.settings.headroom() {
            self.maintenance.ask();
        }
        Ok(())
    }

    /// [`Admission::check_free`], for which the oldest files make way where they may: waits until they are gone.
    pub(crate) fn make_room(&self, more: u64, now: Instant) -> Result<()> {
        let refused = self.check_free(more, now);
        if refused.is_ok() || !self.ctx.settings.makes_way {
            return refused;
        }
        let clock = &self.ctx.clock;
        self.maintenance.ask_and_wait(clock.now() + MAKING_ROOM);
        self.check_free(more, clock.now())
    }

    /// So many bytes were written; the directory is looked at when it seems to have grown too large.
    pub(crate) fn wrote(&self, bytes: u64) {
        if self.space.wrote(bytes) > self.ctx.settings.retention.max_bytes {
            self.maintenance.ask();
        }
    }

    /// Writing failed: maintenance may find out why, or make space.
    pub(crate) fn write_failed(&self) {
        self.maintenance.ask();
    }

    /// A closed file waits to be sealed.
    pub(crate) fn file_waits(&self) {
        self.unsealed.fetch_add(1, Ordering::Relaxed);
    }

    /// So many files wait no longer.
    pub(crate) fn files_done(&self, files: usize) {
        self.unsealed.fetch_sub(files, Ordering::Relaxed);
    }

    /// Something was sealed or deleted: announces that there is space again once that will last, so not at every file.
    pub(crate) fn space_again(&self) {
        if self.unsealed.load(Ordering::Relaxed) < NO_YIELD && !self.space.is_overfull() {
            let event = lock(&self.refused).succeeded();
            if let Some(event) = event {
                self.ctx.event(event, None, None, "there is space for new data again".to_owned());
            }
        }
    }
}
