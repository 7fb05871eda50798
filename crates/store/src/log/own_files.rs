//! The files of this writer that are not sealed yet, as readers of the same process see them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;

use crate::disk::names::Stem;
use crate::file::form::Committed;

/// The files this writer has not sealed yet, with what of them is committed.
#[derive(Debug, Default)]
pub(crate) struct OwnFiles(Mutex<BTreeMap<Stem, OwnFile>>);

/// An unsealed file of this writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnFile {
    pub signal: Signal,
    /// Bytes up to the end of the last commit.
    pub len: u64,
    /// Rows up to there.
    pub rows: u64,
    /// Still being appended to.
    pub live: bool,
}

impl OwnFile {
    pub(crate) fn committed(&self) -> Committed {
        Committed { rows: self.rows, bytes: self.len }
    }
}

impl OwnFiles {
    pub(crate) fn set(&self, stem: &Stem, file: OwnFile) {
        let mut files = lock(&self.0);
        match files.get_mut(stem) {
            Some(known) => *known = file,
            None => {
                files.insert(stem.clone(), file);
            }
        }
    }

    pub(crate) fn remove(&self, stem: &Stem) {
        lock(&self.0).remove(stem);
    }

    pub(crate) fn of(&self, signal: Signal) -> Vec<(Stem, OwnFile)> {
        lock(&self.0)
            .iter()
            .filter(|(_, file)| file.signal == signal)
            .map(|(stem, file)| (stem.clone(), file.clone()))
            .collect()
    }

    pub(crate) fn find(&self, stem: &Stem) -> Option<OwnFile> {
        lock(&self.0).get(stem).cloned()
    }

    /// The newest file of a signal that is not sealed.
    pub(crate) fn newest(&self, signal: Signal) -> Option<Stem> {
        let files = lock(&self.0);
        let of_signal = files.iter().filter(|(_, file)| file.signal == signal);
        of_signal.map(|(stem, _)| stem).max_by_key(|stem| stem.seq).cloned()
    }

    /// Every file that is not sealed, and whether it is appended to.
    pub(crate) fn unsealed(&self) -> Vec<(Stem, OwnFile)> {
        lock(&self.0).iter().map(|(stem, file)| (stem.clone(), file.clone())).collect()
    }

    /// Whether one of these is not sealed.
    pub(crate) fn any_of(&self, stems: &[Stem]) -> bool {
        let files = lock(&self.0);
        stems.iter().any(|stem| files.contains_key(stem))
    }

    pub(crate) fn any_live(&self) -> bool {
        lock(&self.0).values().any(|file| file.live)
    }

    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}
