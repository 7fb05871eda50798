//! Whether there is space for more: free bytes of the file system, bytes of the directory.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::disk::storage::Storage;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::lock::lock;

/// The answer about free bytes is asked anew after this time,
const ASK_EVERY: Duration = Duration::from_millis(250);
/// or after so many written bytes.
const ASK_AFTER: u64 = 4 << 20;

/// What is known about space.
#[derive(Debug, Default)]
pub(crate) struct DiskSpace {
    free: Mutex<Option<Free>>,
    /// Bytes written since the start.
    written: AtomicU64,
    /// What to add to that for the size of the directory, modulo 2^64: set by each sweep.
    offset: AtomicU64,
    /// The last sweep found more than `retention.max_bytes` and nothing to delete.
    overfull: AtomicBool,
}

#[derive(Debug)]
struct Free {
    bytes: u64,
    asked: Instant,
    written_since: u64,
}

impl DiskSpace {
    /// Makes sure that `more` bytes may be written: STORAGE_FULL otherwise. Returns how many more may be.
    pub(crate) fn check(
        &self,
        storage: &dyn Storage,
        root: &Path,
        min_free: u64,
        more: u64,
        now: Instant,
    ) -> Result<u64> {
        let mut free = lock(&self.free);
        let fresh = |free: &Free| {
            now.saturating_duration_since(free.asked) < ASK_EVERY && free.written_since + more < ASK_AFTER
        };
        if !free.as_ref().is_some_and(fresh) {
            // A file system that cannot be asked will say itself when it is full.
            *free = storage.free_bytes(root).ok().map(|bytes| Free { bytes, asked: now, written_since: 0 });
        }
        let Some(known) = free.as_mut() else { return Ok(u64::MAX) };
        let left = known.bytes.saturating_sub(known.written_since);
        if left < min_free.saturating_add(more) {
            *free = None;
            return Err(OtlpError::new(
                Code::StorageFull,
                format!(
                    "the file system of {} has {left} free bytes and {min_free} are left to others \
                     (storage.min_free_bytes): free some space or lower storage.min_free_bytes, writing resumes by itself",
                    root.display()
                ),
            ));
        }
        known.written_since += more;
        Ok(left - min_free - more)
    }

    /// So many bytes were written; the estimate of the directory's size.
    pub(crate) fn wrote(&self, bytes: u64) -> u64 {
        let written = self.written.fetch_add(bytes, Ordering::Relaxed) + bytes;
        written.wrapping_add(self.offset.load(Ordering::Relaxed))
    }

    /// To be asked before a sweep, and handed to [`DiskSpace::swept`]: what is written meanwhile counts on top.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// A sweep has counted the directory; `overfull` if it is too large and nothing could be deleted.
    pub(crate) fn swept(&self, written: u64, directory: u64, overfull: bool) {
        self.offset.store(directory.wrapping_sub(written), Ordering::Relaxed);
        self.overfull.store(overfull, Ordering::Relaxed);
    }

    pub(crate) fn is_overfull(&self) -> bool {
        self.overfull.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::disk::storage_os::OsStorage;

    #[test]
    fn what_is_written_during_a_sweep_is_not_forgotten() {
        let space = DiskSpace::default();
        assert_eq!(space.wrote(100), 100);
        let before = space.written();
        space.wrote(30);
        space.swept(before, 70, false);
        assert_eq!(space.wrote(5), 70 + 30 + 5);
        space.swept(space.written(), 0, true);
        assert!(space.is_overfull());
        assert_eq!(space.wrote(1), 1);
    }

    #[test]
    fn space_for_others_is_kept_and_asked_about_anew() {
        let (space, now) = (DiskSpace::default(), Instant::now());
        let dir = std::env::temp_dir();
        space.check(&OsStorage, &dir, 1, 1, now).unwrap();
        let error = space.check(&OsStorage, &dir, u64::MAX, 1, now).unwrap_err();
        assert_eq!(error.code(), Code::StorageFull);
        space.check(&OsStorage, &dir, 1, 1, now).unwrap();
    }
}
