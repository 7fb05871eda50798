//! Data a destination refuses for good: set aside as OTLP files with the answer beside them, never dropped in silence.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use otlp_arrow_columns::Signal;

use crate::store::Log;
use crate::store::names::WriterId;

/// The most bytes one destination's refused data may take; beyond it the oldest goes.
const MOST_BYTES: u64 = 256 << 20;

/// Decides whether one more refusal is still about the data, or already about the destination.
#[derive(Debug, Default)]
pub(super) struct Guard {
    in_a_row: u32,
    last: VecDeque<bool>,
    refused: usize,
}

impl Guard {
    const ROW: u32 = 5;
    const WINDOW: usize = 1000;
    const SHARE: usize = Self::WINDOW / 100;

    /// The destination took a request.
    pub(super) fn delivered(&mut self) {
        self.in_a_row = 0;
        self.note(false);
    }

    /// Whether the next refusal may be set aside; if not, the destination is at fault.
    pub(super) fn allows(&self) -> bool {
        self.in_a_row + 1 < Self::ROW && self.refused < Self::SHARE
    }

    /// A refusal was set aside.
    pub(super) fn refused(&mut self) {
        self.in_a_row += 1;
        self.note(true);
    }

    fn note(&mut self, refused: bool) {
        if self.last.len() == Self::WINDOW {
            self.refused -= usize::from(self.last.pop_front() == Some(true));
        }
        self.last.push_back(refused);
        self.refused += usize::from(refused);
    }
}

/// The directory of one destination's refused data.
#[derive(Debug)]
pub(super) struct Rejected {
    dir: PathBuf,
    next: AtomicU64,
}

/// One request that was set aside.
#[derive(Debug)]
pub(super) struct SetAside {
    pub(super) signal: Signal,
    pub(super) payload: Bytes,
    name: String,
}

impl Rejected {
    pub(super) fn new(log: &Log, destination: &str) -> Self {
        Self { dir: log.layout().rejected_dir().join(destination), next: AtomicU64::new(0) }
    }

    /// Keeps a refused request as `<time>-<writer>-<n>-<signal>.pb`, and the answer as `.txt` beside it.
    pub(super) fn keep(
        &self,
        log: &Log,
        writer: WriterId,
        time: SystemTime,
        signal: Signal,
        payload: &[u8],
        answer: &str,
    ) -> io::Result<()> {
        log.storage().create_dir_all(&self.dir)?;
        let millis = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{millis:013}-{}-{number:06}-{signal}", writer);
        let (data, reason) = (self.dir.join(format!("{name}.pb")), self.dir.join(format!("{name}.txt")));
        // The answer first: with its data it is whole, and data that is cut short would be sent again as it is.
        let kept = write(log, &reason, answer.as_bytes()).and_then(|()| write(log, &data, payload));
        if kept.is_err() {
            for path in [&data, &reason] {
                let _ = log.storage().remove(path);
            }
        }
        self.cap(log);
        kept
    }

    fn cap(&self, log: &Log) {
        let Ok(mut entries) = log.storage().list(&self.dir) else { return };
        let mut total: u64 = entries.iter().map(|entry| entry.len).sum();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            if total <= MOST_BYTES {
                return;
            }
            tracing::warn!(name = entry.name, "refused data beyond its room is deleted, the oldest first");
            if log.storage().remove(&self.dir.join(&entry.name)).is_ok() {
                total -= entry.len;
            }
        }
    }

    /// Everything that was set aside, oldest first.
    pub(super) fn names(&self, log: &Log) -> Vec<String> {
        let entries = log.storage().list(&self.dir).unwrap_or_default();
        let mut names: Vec<String> =
            entries.into_iter().filter_map(|entry| Some(entry.name.strip_suffix(".pb")?.to_owned())).collect();
        names.sort();
        names
    }

    /// Reads one back.
    pub(super) fn load(&self, log: &Log, name: String) -> io::Result<SetAside> {
        let signal = name.rsplit('-').next().and_then(|signal| signal.parse().ok());
        let signal = signal.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the name has no signal"))?;
        let file = log.storage().open(&self.dir.join(format!("{name}.pb")))?;
        let mut payload = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
        file.read_exact_at(0, &mut payload)?;
        Ok(SetAside { signal, payload: payload.into(), name })
    }

    /// One was delivered after all.
    pub(super) fn remove(&self, log: &Log, done: &SetAside) -> io::Result<()> {
        log.storage().remove(&self.dir.join(format!("{}.pb", done.name)))?;
        match log.storage().remove(&self.dir.join(format!("{}.txt", done.name))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn write(log: &Log, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = log.storage().create(path)?;
    file.append(bytes)?;
    file.sync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fifth_refusal_in_a_row_is_the_destinations_fault() {
        let mut guard = Guard::default();
        for _ in 0..4 {
            assert!(guard.allows());
            guard.refused();
        }
        assert!(!guard.allows());
        guard.delivered();
        assert!(guard.allows());
    }

    #[test]
    fn more_than_one_in_a_hundred_is_the_destinations_fault() {
        let mut guard = Guard::default();
        for _ in 0..10 {
            assert!(guard.allows());
            guard.refused();
            for _ in 0..20 {
                guard.delivered();
            }
        }
        assert!(!guard.allows(), "ten within the last thousand");
        for _ in 0..1000 {
            guard.delivered();
        }
        assert!(guard.allows());
    }
}
