//! Who may write what is made of data files and kept beside them, such as indexes.

use std::sync::Arc;

use otlp_arrow_columns::Signal;

use super::handle::Log;
use crate::disk::storage::Storage;

impl Log {
    /// What writes files that are made of the data files of `signal`: whoever may read those may read these. `None` where the
    /// directory is somebody else's, or not there: what is made there would stand in the way of its owner.
    pub fn beside(&self, signal: Signal) -> Option<Arc<dyn Storage>> {
        if self.writer().is_some() {
            return Some(Arc::clone(self.storage()));
        }
        self.of_owner(signal)
    }

    #[cfg(unix)]
    fn of_owner(&self, signal: Signal) -> Option<Arc<dyn Storage>> {
        use std::os::unix::fs::MetadataExt;

        use crate::disk::{shared::SharedStorage, sys};
        let found = std::fs::metadata(self.layout().signal_dir(signal)).ok()?;
        let mine = found.uid() == sys::user();
        mine.then(|| Arc::new(SharedStorage::new(found.mode() & 0o666, Some(found.gid()))) as _)
    }

    #[cfg(not(unix))]
    fn of_owner(&self, signal: Signal) -> Option<Arc<dyn Storage>> {
        self.layout().signal_dir(signal).is_dir().then(|| Arc::clone(self.storage()))
    }
}
