//! Finds the data files that a path stands for, and opens them.

use std::path::{Path, PathBuf};

use otlp_arrow::ReadOptions;
use otlp_arrow::Signal;
use otlp_arrow_store::file::META_SIGNAL;
use otlp_arrow_store::form::Forms;
use otlp_arrow_store::names::Layout;
use otlp_arrow_store::{FileRows, Log, ReadError, Wanted};

use crate::io::{Failure, Outcome};
use crate::text::path as shown;

/// One data file and the signal it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) signal: Signal,
}

/// Whether the name says that a file holds Arrow data.
pub(crate) fn is_arrow(path: &Path) -> bool {
    extension(path).is_some_and(|extension| Forms::default().of_extension(extension).is_some())
}

pub(crate) fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

/// The data files of a path, in reading order: an Arrow file, an output directory, its `otlp`, or a directory of files.
/// The first file that cannot be told ends it.
pub(crate) fn data_files(path: &Path) -> Outcome<Vec<Source>> {
    let mut first = None;
    let found = data_files_of(path, &mut |_, problem| {
        first.get_or_insert(problem);
    })?;
    first.map_or(Ok(found), |problem| Err(Failure::Failed(problem)))
}

/// Whether a directory is one that this program writes to: there nothing but data files is data.
pub(crate) fn is_ours(path: &Path) -> bool {
    let layout = Layout::new(path);
    layout.signal_dir(Signal::Traces).parent().is_some_and(Path::is_dir) || layout.writers_dir().is_dir()
}

/// [`data_files`] that tells `broken` of each file that cannot be told, and goes on.
pub(crate) fn data_files_of(path: &Path, broken: &mut dyn FnMut(PathBuf, String)) -> Outcome<Vec<Source>> {
    if !path.is_dir() {
        let metadata = std::fs::metadata(path).map_err(|error| Failure::file("read", path, error))?;
        if !metadata.is_file() || !is_arrow(path) {
            return Err(Failure::Usage(format!(
                "otlp-arrow: {} is neither a directory nor an .arrow or .arrows file",
                shown(path)
            )));
        }
        return Ok(told(path.to_owned(), broken).into_iter().collect());
    }
    if let Some(signal) = path.file_name().and_then(|name| name.to_str()?.parse::<Signal>().ok()) {
        return named_files(path, signal, broken);
    }
    let layout = Layout::new(path);
    let dirs = Signal::ALL.map(|signal| match layout.signal_dir(signal) {
        below if below.is_dir() => below,
        _ => path.join(signal.as_str()),
    });
    if dirs.iter().any(|dir| dir.is_dir()) {
        let mut found = Vec::new();
        for (signal, dir) in Signal::ALL.into_iter().zip(dirs) {
            if dir.is_dir() {
                found.extend(named_files(&dir, signal, broken)?);
            }
        }
        return Ok(found);
    }
    if layout.signal_dir(Signal::Traces).parent().is_some_and(Path::is_dir) {
        return Ok(Vec::new());
    }
    loose_files(path, broken)
}

/// The files of a signal's directory.
fn named_files(dir: &Path, signal: Signal, broken: &mut dyn FnMut(PathBuf, String)) -> Outcome<Vec<Source>> {
    let files = log().entries_in(dir)?;
    if files.is_empty() {
        return loose_files(dir, broken);
    }
    Ok(files.into_iter().map(|file| Source { path: file.path, signal }).collect())
}

/// Arrow files under names that are not ours, by name.
fn loose_files(dir: &Path, broken: &mut dyn FnMut(PathBuf, String)) -> Outcome<Vec<Source>> {
    let failed = |error| Failure::file("list", dir, error);
    let entries = std::fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    let mut paths: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_arrow(path) && path.is_file()).collect();
    paths.sort();
    Ok(paths.into_iter().filter_map(|path| told(path, broken)).collect())
}

/// The file and its signal; nothing for one without rows, and for one that cannot be told, which is handed to `broken`.
fn told(path: PathBuf, broken: &mut dyn FnMut(PathBuf, String)) -> Option<Source> {
    match signal_of(&path) {
        Ok(signal) => Some(Source { signal: signal?, path }),
        Err(Failure::Failed(problem) | Failure::Usage(problem) | Failure::Partly(problem)) => {
            broken(path, problem);
            None
        }
        Err(Failure::Pipe) => None,
    }
}

/// The signal of an Arrow file; `None` if it has no rows yet.
fn signal_of(path: &Path) -> Outcome<Option<Signal>> {
    let wanted = Wanted::new(Signal::Traces, &ReadOptions::default())?;
    let Some(rows) = open(path, &wanted, 0)? else { return Ok(None) };
    match (rows.signal(), rows.schema().metadata().get(META_SIGNAL)) {
        (Some(signal), _) => Ok(Some(signal)),
        (None, Some(other)) => {
            Err(Failure::Failed(format!("{} holds {other}, which this version does not know", shown(path))))
        }
        (None, None) if rows.schema().fields().is_empty() => Ok(None),
        (None, None) => Err(Failure::Failed(format!(
            "{} has none of our tables: metric_name, severity_number and span_id are missing",
            shown(path)
        ))),
    }
}

/// A listed file for reading from a row on, as far as it is whole. `None` if it was deleted since.
pub(crate) fn open(path: &Path, wanted: &Wanted, from_row: u64) -> Outcome<Option<FileRows>> {
    there(log().open_path(path, from_row, wanted))
}

/// What was read of a file, or `None` if the file was deleted since it was listed.
pub(crate) fn there<T>(read: Result<T, ReadError>) -> Outcome<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.is_gone() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens files by path, whatever directory they are in.
pub(crate) fn log() -> Log {
    Log::read_only(Path::new(""))
}

/// What to read of `signal`: these columns, as plain text.
pub(crate) fn wanted(signal: Signal, columns: &[&str]) -> Outcome<Wanted> {
    let columns = Some(columns.iter().map(|column| (*column).to_owned()).collect());
    Ok(Wanted::new(signal, &ReadOptions { columns, ..ReadOptions::default() })?)
}

/// The column that tells when a record happened, and the one that stands in where it is null.
pub(crate) fn time_columns(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Traces => &["start_time"],
        Signal::Metrics => &["time"],
        Signal::Logs => &["time", "observed_time"],
    }
}
