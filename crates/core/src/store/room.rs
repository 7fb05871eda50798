//! Whether there is room for more: free bytes of the file system, bytes of the directory, files waiting to be sealed.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::context::lock;
use super::storage::Storage;
use crate::error::{Code, OtlpError, Result};

/// The answer about free bytes is asked anew after this time,
const ASK_EVERY: Duration = Duration::from_millis(250);
/// or after so many written bytes.
const ASK_AFTER: u64 = 4 << 20;

/// What is known about room.
#[derive(Debug, Default)]
pub(crate) struct Room {
    free: Mutex<Option<Free>>,
    /// Bytes of the whole directory at the last sweep, and what was written since.
    directory: AtomicU64,
    /// The last sweep found more than `retention.max_bytes` and nothing to delete.
    overfull: AtomicBool,
}

#[derive(Debug)]
struct Free {
    bytes: u64,
    asked: Instant,
    written_since: u64,
}

impl Room {
    /// Makes sure that `more` bytes may be written: STORAGE_FULL otherwise.
    pub(crate) fn check(
        &self,
        storage: &dyn Storage,
        root: &Path,
        min_free: u64,
        more: u64,
        now: Instant,
    ) -> Result<()> {
        let mut free = lock(&self.free);
        let fresh = |free: &Free| {
            now.saturating_duration_since(free.asked) < ASK_EVERY && free.written_since + more < ASK_AFTER
        };
        if !free.as_ref().is_some_and(fresh) {
            // A file system that cannot be asked will say itself when it is full.
            *free = storage.free_bytes(root).ok().map(|bytes| Free { bytes, asked: now, written_since: 0 });
        }
        let Some(known) = free.as_mut() else { return Ok(()) };
        let left = known.bytes.saturating_sub(known.written_since);
        if left < min_free.saturating_add(more) {
            let asked = known.bytes;
            *free = None;
            return Err(OtlpError::new(
                Code::StorageFull,
                format!(
                    "the file system of {} has {asked} free bytes and {min_free} are left to others \
                     (storage.min_free_bytes): free some room, writing resumes by itself",
                    root.display()
                ),
            ));
        }
        known.written_since += more;
        Ok(())
    }

    /// So many bytes were written; the estimate of the directory's size.
    pub(crate) fn wrote(&self, bytes: u64) -> u64 {
        self.directory.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// A sweep has counted the directory; `overfull` if it is too large and nothing could be deleted.
    pub(crate) fn swept(&self, directory: u64, overfull: bool) {
        self.directory.store(directory, Ordering::Relaxed);
        self.overfull.store(overfull, Ordering::Relaxed);
    }

    pub(crate) fn is_overfull(&self) -> bool {
        self.overfull.load(Ordering::Relaxed)
    }
}
