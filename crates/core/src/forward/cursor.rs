//! Durable cursors: `cursors/<destination>/<writer>-<signal>`, one checksummed line, replaced as a whole.

use std::io;
use std::path::PathBuf;

use otlp_arrow_columns::Signal;

use super::position::Position;
use crate::store::Log;
use crate::store::names::WriterId;

/// One cursor on disk.
#[derive(Clone, Debug)]
pub(crate) struct CursorFile {
    dir: PathBuf,
    name: String,
}

impl CursorFile {
    /// The cursor of `consumer` in one writer's log of one signal.
    pub(crate) fn new(log: &Log, consumer: &str, writer: WriterId, signal: Signal) -> Self {
        Self { dir: log.layout().cursors_dir().join(consumer), name: format!("{writer}-{signal}") }
    }

    /// Replaces it. A crash leaves the old one or the new one.
    pub(crate) fn write(&self, log: &Log, position: &Position) -> io::Result<()> {
        let storage = log.storage();
        storage.create_dir_all(&self.dir)?;
        let temporary = self.dir.join(format!("{}.new", self.name));
        match storage.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = storage.create(&temporary)?;
        file.append(format!("{position}\n").as_bytes())?;
        file.sync()?;
        drop(file);
        storage.replace(&temporary, &self.dir.join(&self.name))
    }

    /// `None` if there is none; `Some(None)` if there is one that cannot be read: then everything is delivered again.
    pub(crate) fn read(&self, log: &Log) -> Option<Option<Position>> {
        let file = match log.storage().open(&self.dir.join(&self.name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => return Some(None),
        };
        let mut text = vec![0; 256];
        let length = file.read_at(0, &mut text).unwrap_or(0);
        text.truncate(length);
        Some(String::from_utf8(text).ok().and_then(|text| text.parse().ok()))
    }

    /// Removes it: there is nothing left to deliver.
    pub(crate) fn remove(&self, log: &Log) {
        if let Err(error) = log.storage().remove(&self.dir.join(&self.name))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(%error, name = self.name, "a cursor that is done stays");
        }
    }

    /// The writers that `consumer` has cursors of.
    pub(crate) fn writers(log: &Log, consumer: &str) -> Vec<WriterId> {
        let entries = log.storage().list(&log.layout().cursors_dir().join(consumer)).unwrap_or_default();
        let mut writers: Vec<WriterId> =
            entries.iter().filter_map(|entry| entry.name.split_once('-')?.0.parse().ok()).collect();
        writers.sort_unstable();
        writers.dedup();
        writers
    }
}
