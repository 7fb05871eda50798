//! Sealing: a stream of many small commits becomes a file of few large batches, row for row.

use std::io;
use std::path::Path;

use super::body::Found;
use super::error::{ReadError, Result, damaged};
use super::keys;
use super::merge::Merger;
use super::parse;
use super::scan::{Check, Commit, Commits};
use super::sealed::{Contents, SealedWriter, WriteError};
use super::unified::Unified;
use super::window::Window;
use crate::disk::storage::{ReadFile, Storage};

/// A batch of a sealed file is full at so many rows: who reads back holds a complete batch, one for each writer it catches up with.
pub const BATCH_ROWS: usize = 16_384;
/// A batch of a sealed file is full at so many bytes of live messages.
pub const BATCH_BYTES: usize = 4 << 20;

/// The second pass reads every byte, in pieces of so many.
const CHUNK: usize = 1 << 20;

/// A file that was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its rows: those of all commits of the stream.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its record batches.
    pub batches: usize,
}

/// Seals the first `end` bytes of the stream at `source` as the new file `target`, synced, and reads it back.
///
/// `end` is the end of a commit. `level` is that of zstd, `None` leaves buffers as they are. Between batches `go_on` is
/// asked; when it says no, the result is `None`. A target that is not complete is deleted, as far as the disk lets us.
/// Memory: one batch, the largest commit (of a damaged stream what it claims, at most all of it), and the distinct values
/// of the dictionary columns.
pub fn compact(
    storage: &dyn Storage,
    source: &Path,
    end: u64,
    target: &Path,
    level: Option<i32>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Sealed>> {
    let file = storage.open(source).map_err(|error| ReadError::read(source, error))?;
    let outcome = write(storage, file.as_ref(), source, end, target, level, go_on);
    if !matches!(outcome, Ok(Some(_))) {
        let _ = storage.remove(target);
    }
    outcome
}

fn write(
    storage: &dyn Storage,
    file: &dyn ReadFile,
    source: &Path,
    end: u64,
    target: &Path,
    level: Option<i32>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Sealed>> {
    let Some(plan) = Plan::make(file, source, end, go_on)? else { return Ok(None) };
    let output = storage.create_uncached(target).map_err(|error| ReadError::disk("create", target, error))?;
    let mut writer = SealedWriter::new(output, &plan.schema, level)?;
    let mut merger = Merger::shared(&plan.schema, plan.unified)?;
    let mut window = Window::new(file, end, CHUNK);
    let (mut rows, mut batches) = (0, 0);
    let failed = |error| match error {
        WriteError::Io(error) => ReadError::disk("write", target, error),
        WriteError::Other(error) => error,
    };
    for (position, at) in plan.commits.iter().enumerate() {
        let mut values = Vec::new();
        let body = window.commit(at, Check::Full, source, &mut values)?;
        merger.push(body, &values)?;
        let next = plan.commits.get(position + 1);
        let full = next.is_none_or(|next| {
            merger.rows() as u64 + next.rows > BATCH_ROWS as u64
                || merger.bytes() as u64 + (next.end - next.offset) > BATCH_BYTES as u64
        });
        if full {
            (rows, batches) = (rows + merger.rows() as u64, batches + 1);
            writer.write(&mut merger).map_err(failed)?;
            if next.is_some() && !go_on() {
                return Ok(None);
            }
        }
    }
    let bytes = writer.finish(&keys::join(&plan.keys)).map_err(failed)?;
    let sealed = Sealed { rows, bytes, batches };
    let written = storage.open_uncached(target).map_err(|error| ReadError::disk("re-open", target, error))?;
    let found = check(written.as_ref()).map_err(|error| ReadError::disk("read back", target, error))?;
    (found == Some(sealed) && rows == plan.rows).then_some(Some(sealed)).ok_or_else(|| {
        damaged(format!(
            "{} reads back differently from what was written: the disk is not to be trusted",
            target.display()
        ))
    })
}

/// What a sealed file holds, if it is complete: footer, row numbers and the checksum of every message.
pub fn check(file: &dyn ReadFile) -> io::Result<Option<Sealed>> {
    let Some(contents) = Contents::read(file)? else { return Ok(None) };
    if !contents.verify(file)? {
        return Ok(None);
    }
    Ok(Some(Sealed { rows: contents.rows(), bytes: file.len()?, batches: contents.batches.len() }))
}

/// The first pass: where the commits are, and the dictionaries of all of the file. Checksums are the second pass's, which
/// reads all of it anyway.
struct Plan {
    schema: arrow_schema::Schema,
    commits: Vec<Commit>,
    unified: Vec<Unified>,
    rows: u64,
    /// Those of each commit that has any.
    keys: Vec<String>,
}

impl Plan {
    fn make(file: &dyn ReadFile, source: &Path, end: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<Plan>> {
        let failed = |error| ReadError::read(source, error);
        let mut window = Window::new(file, end, 4 << 10);
        let schema = window.head(0).map_err(failed)?.and_then(|head| parse::schema(head.schema()?));
        let schema = schema.ok_or_else(|| damaged(format!("{} has no schema this version knows", source.display())))?;
        let mut walk = Commits::new(file, end, Check::Heads);
        let (mut commits, mut unified, mut keys) = (Vec::<Commit>::new(), Vec::<Unified>::new(), Vec::new());
        let (mut wrong, mut since_asked) = (Ok(()), 0);
        loop {
            let mut add = |found: Found<'_>| {
                let added = found.and_then(|(id, values)| {
                    let id = usize::try_from(id).ok().filter(|id| *id <= unified.len());
                    let id = id.ok_or_else(|| damaged("a dictionary is not in order"))?;
                    if id == unified.len() {
                        unified.push(Unified::default());
                    }
                    unified[id].add_all(&values)
                });
                if wrong.is_ok() {
                    wrong = added;
                }
            };
            let next = walk.next_with_dictionaries(&mut add).map_err(failed)?;
            std::mem::replace(&mut wrong, Ok(()))?;
            let Some(next) = next else { break };
            since_asked += next.end - next.offset;
            if since_asked > BATCH_BYTES as u64 {
                since_asked = 0;
                if !go_on() {
                    return Ok(None);
                }
            }
            if !walk.keys().is_empty() {
                keys.push(walk.keys().to_owned());
            }
            commits.push(next);
        }
        let rows = match commits.last() {
            Some(last) if last.end == end => last.first_row + last.rows,
            found => {
                let at = found.map_or(0, |last| last.end);
                return Err(damaged(format!("{} holds up to byte {at}, not {end}", source.display())));
            }
        };
        Ok(Some(Plan { schema, commits, unified, rows, keys }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_ipc::reader::FileReader;

    use super::*;
    use crate::disk::storage_os::OsStorage;
    use crate::file::sample::{self, InMemory};

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn with(stream: &[u8]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("a.arrows"), stream).unwrap();
            Self(dir)
        }

        fn seal(&self, end: u64, level: Option<i32>) -> Result<Option<Sealed>> {
            let (source, target) = (self.0.path().join("a.arrows"), self.0.path().join("a.tmp"));
            compact(&OsStorage, &source, end, &target, level, &mut || true)
        }

        fn sealed(&self) -> std::path::PathBuf {
            self.0.path().join("a.tmp")
        }
    }

    fn plain(batch: &RecordBatch) -> Vec<arrow_array::ArrayRef> {
        let columns = batch.columns().iter();
        columns
            .map(|column| match column.as_dictionary_opt::<Int32Type>() {
                Some(dictionary) => {
                    let values: arrow_array::StringArray =
                        dictionary.downcast_dict::<arrow_array::StringArray>().unwrap().into_iter().collect();
                    std::sync::Arc::new(values) as arrow_array::ArrayRef
                }
                None => std::sync::Arc::clone(column),
            })
            .collect()
    }

    #[test]
    fn every_row_comes_back_in_order() {
        let rows = [1, 1, 1, 500, 1, 2, 90_000, 1, 1];
        let stream = sample::stream(&rows);
        let dir = Dir::with(&stream);
        let total: u64 = rows.iter().sum();
        for level in [None, Some(1)] {
            let sealed = dir.seal(stream.len() as u64, level).unwrap().unwrap();
            assert_eq!((sealed.rows, sealed.batches), (total, 3));
            assert_eq!(sealed.bytes, std::fs::metadata(dir.sealed()).unwrap().len());
            let reader = FileReader::try_new(std::fs::File::open(dir.sealed()).unwrap(), None).unwrap();
            assert_eq!(reader.schema().metadata()[crate::file::META_WRITER], "00000000000000aa");
            let mut row = 0;
            for batch in reader.map(std::result::Result::unwrap) {
                let expected = sample::batch(row, batch.num_rows() as u64);
                assert_eq!(plain(&batch), plain(&expected));
                row += batch.num_rows() as u64;
            }
            assert_eq!(row, total);
            if let Ok(path) = std::env::var("OTLP_ARROW_KEEP_SAMPLE") {
                std::fs::copy(dir.sealed(), format!("{path}{}", level.unwrap_or_default())).unwrap();
            }
            std::fs::remove_file(dir.sealed()).unwrap();
        }
    }

    #[test]
    fn a_stream_that_does_not_hold_is_not_sealed() {
        let mut stream = sample::stream(&[3, 4, 5]);
        let end = stream.len();
        let dir = Dir::with(&stream);
        assert!(dir.seal(end as u64 - 8, None).is_err());
        stream[end - 9] ^= 1;
        let dir = Dir::with(&stream);
        assert!(dir.seal(end as u64, None).is_err());
        assert!(!dir.sealed().exists());
        let dir = Dir::with(&[7; 100]);
        assert!(dir.seal(100, None).is_err());
    }

    #[test]
    fn sealing_stops_when_it_is_told_to() {
        let stream = sample::stream(&[40_000, 40_000, 40_000]);
        let dir = Dir::with(&stream);
        for limit in 0..2 {
            let (mut asked, target) = (0, dir.sealed());
            let mut go_on = || {
                asked += 1;
                asked <= limit
            };
            let source = dir.0.path().join("a.arrows");
            let outcome = compact(&OsStorage, &source, stream.len() as u64, &target, None, &mut go_on).unwrap();
            assert_eq!(outcome, None);
            assert!(!target.exists());
        }
    }

    #[test]
    fn damage_anywhere_in_a_sealed_file_is_noticed() {
        let stream = sample::stream(&[30, 1, 20]);
        let dir = Dir::with(&stream);
        let sealed = dir.seal(stream.len() as u64, Some(1)).unwrap().unwrap();
        let file = std::fs::read(dir.sealed()).unwrap();
        assert_eq!(check(&InMemory(file.clone())).unwrap(), Some(sealed));
        // The length of the footer, the magic, and all messages; not the schema at the start, which nobody reads.
        let contents = Contents::read(&InMemory(file.clone())).unwrap().unwrap();
        let begin = contents.dictionaries[0].offset as usize;
        let end = contents.batches.last().map(|last| last.offset + last.len).unwrap() as usize;
        for at in (begin..end).chain(file.len() - 10..file.len()).step_by(5) {
            let mut bytes = file.clone();
            bytes[at] ^= 0x04;
            assert_eq!(check(&InMemory(bytes)).unwrap(), None, "byte {at}");
        }
        for at in (0..file.len()).step_by(11) {
            assert_eq!(check(&InMemory(file[..at].to_vec())).unwrap(), None);
            let mut bytes = file.clone();
            bytes[at] = bytes[at].wrapping_add(0x5b);
            drop(check(&InMemory(bytes)));
        }
    }
}
