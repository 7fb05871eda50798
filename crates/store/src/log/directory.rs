//! Reads an output directory as it stands: no lock, no writer, nobody is disturbed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use otlp_arrow_columns::Signal;

use super::{Log, read};
use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Layout, Stem, WriterId, parse_name};
use crate::disk::storage::{ReadFile, Storage};
use crate::file::options::{Batches, ReadOptions};
use otlp_arrow_base::error::Result;

/// One data file of an output directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Where it is.
    pub path: PathBuf,
    /// What its name says.
    pub stem: Stem,
    /// Its form; where both exist only the sealed one is listed.
    pub form: Form,
    /// Its length when it was listed, in bytes.
    pub len: u64,
}

/// The data files of one signal below `output_dir`, in the order their rows are read: writers by the time of their first
/// file, the files of a writer by sequence.
pub fn data_files(storage: &dyn Storage, output_dir: &Path, signal: Signal) -> Result<Vec<DataFile>> {
    let dir = Layout::new(output_dir).signal_dir(signal);
    files_in(storage, &dir)
}

/// [`data_files`] of a directory that itself holds the files.
pub fn files_in(storage: &dyn Storage, dir: &Path) -> Result<Vec<DataFile>> {
    // A listing may miss a file that is sealed while it runs: its new name came where the listing had passed, and its old
    // one went before the listing came there. The new name is in a second listing.
    let list = || storage.list(dir).map_err(|error| storage_error("list", dir, error));
    let entries = [list()?, list()?].concat();
    let mut files: BTreeMap<Stem, DataFile> = BTreeMap::new();
    for entry in entries {
        let Some((stem, form)) = parse_name(&entry.name) else { continue };
        let file = DataFile { path: dir.join(&entry.name), stem: stem.clone(), form, len: entry.len };
        match files.get_mut(&stem) {
            Some(known) if form == Form::Sealed => *known = file,
            Some(_) => {}
            None => {
                files.insert(stem, file);
            }
        }
    }
    let mut files: Vec<DataFile> = files.into_values().collect();
    let mut began: BTreeMap<WriterId, u64> = BTreeMap::new();
    for file in &files {
        let first = began.entry(file.stem.writer).or_insert(file.stem.created_ms);
        *first = (*first).min(file.stem.created_ms);
    }
    files.sort_by_key(|file| (began.get(&file.stem.writer).copied(), file.stem.writer, file.stem.seq));
    Ok(files)
}

/// What is committed in `output_dir`, over all writers, as far as it is whole now. The writers need not run.
pub fn read_directory(output_dir: &Path, signal: Signal, options: &ReadOptions) -> Result<Batches> {
    read::read(&Log::read_only(output_dir), signal, options, None)
}

/// Opens a listed file, in its sealed form if it was sealed since. `None` if retention deleted it since.
pub fn open_file(storage: &dyn Storage, file: &DataFile) -> Result<Option<(Box<dyn ReadFile>, PathBuf)>> {
    let sealed = file.path.with_extension(Form::Sealed.extension());
    for path in [&file.path, &sealed] {
        match storage.open(path) {
            Ok(opened) => return Ok(Some((opened, path.clone()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(storage_error("read", path, error)),
        }
    }
    tracing::info!(file = %file.path.display(), "deleted by retention before it was read");
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::disk::storage_os::OsStorage;
    use crate::file::CommitEncoder;
    use crate::file::compact::compact;

    fn stem(second: u64, writer: u64, seq: u32) -> Stem {
        Stem::new(UNIX_EPOCH + Duration::from_secs(second), WriterId(writer), seq)
    }

    /// Writes a live file of these commits and returns its path.
    fn live(dir: &Path, stem: &Stem, commits: &[u64]) -> PathBuf {
        let path = Layout::new(dir).data(Signal::Logs, stem, Form::Live);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut encoder = CommitEncoder::new(stem.writer.to_string());
        let (mut bytes, mut row) = (Vec::new(), 0);
        for rows in commits {
            let batch = crate::file::sample::batch(stem.writer.0 * 1000 + row, *rows);
            bytes.extend_from_slice(encoder.encode(&batch, row).unwrap());
            row += *rows;
        }
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn rows(dir: &Path, limit: Option<usize>) -> usize {
        let options = ReadOptions { limit, ..ReadOptions::default() };
        read_directory(dir, Signal::Logs, &options).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
    }

    #[test]
    fn writers_come_by_their_first_file_and_files_by_sequence() {
        let dir = tempfile::tempdir().unwrap();
        let stems = [stem(10, 7, 1), stem(5, 7, 2), stem(7, 3, 1), stem(12, 3, 2)];
        for stem in &stems {
            live(dir.path(), stem, &[1]);
        }
        std::fs::write(Layout::new(dir.path()).signal_dir(Signal::Logs).join("notes.txt"), "x").unwrap();
        let listed = data_files(&OsStorage, dir.path(), Signal::Logs).unwrap();
        let order: Vec<(u64, u32)> = listed.iter().map(|file| (file.stem.writer.0, file.stem.seq)).collect();
        assert_eq!(order, [(7, 1), (7, 2), (3, 1), (3, 2)]);
        assert!(data_files(&OsStorage, dir.path(), Signal::Traces).unwrap().is_empty());
    }

    #[test]
    fn live_and_sealed_files_are_read_alike_and_the_sealed_one_counts_where_both_are() {
        let dir = tempfile::tempdir().unwrap();
        let first = live(dir.path(), &stem(1, 1, 1), &[3, 4]);
        live(dir.path(), &stem(2, 1, 2), &[5]);
        assert_eq!(rows(dir.path(), None), 12);
        let end = std::fs::metadata(&first).unwrap().len();
        compact(&OsStorage, &first, end, &first.with_extension("arrow"), Some(1), &mut || true).unwrap().unwrap();
        assert_eq!(rows(dir.path(), None), 12);
        assert_eq!(rows(dir.path(), Some(8)), 8);

        // Sealed after it was listed: it is found under its new name.
        let listed = read_directory(dir.path(), Signal::Logs, &ReadOptions::default()).unwrap();
        std::fs::remove_file(&first).unwrap();
        assert_eq!(listed.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 12);
        let listed = data_files(&OsStorage, dir.path(), Signal::Logs).unwrap();
        std::fs::remove_file(&listed[0].path).unwrap();
        assert!(open_file(&OsStorage, &listed[0]).unwrap().is_none());
    }

    #[test]
    fn a_torn_tail_ends_a_file_and_not_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let torn = live(dir.path(), &stem(1, 1, 1), &[3, 4]);
        live(dir.path(), &stem(2, 1, 2), &[5]);
        let bytes = std::fs::read(&torn).unwrap();
        std::fs::write(&torn, &bytes[..bytes.len() - 9]).unwrap();
        assert_eq!(rows(dir.path(), None), 8);
    }
}
