//! Files that are written once and read back once, past the cache of the operating system: what is kept in there for them
//! would displace what a program reads again, and filling fresh pages costs more than compressing what goes into them
//! (`docs/adr/0004-cost.md`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::storage::{ReadFile, WriteFile};
use super::sys;

/// What devices want places, lengths and memory to be multiples of.
const BLOCK: usize = 4 << 10;
/// So much is handed to the disk at once.
const PIECE: usize = 512 << 10;

/// Memory that begins at a multiple of [`BLOCK`].
#[derive(Debug)]
struct Aligned {
    memory: Vec<u8>,
    start: usize,
}

impl Aligned {
    fn new(len: usize) -> Self {
        let memory = vec![0; len + BLOCK];
        let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        Self { memory, start }
    }

    fn bytes(&mut self, len: usize) -> &mut [u8] {
        &mut self.memory[self.start..self.start + len]
    }
}

/// Whether an error says that the file system has no such files.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// A file being appended to in complete pieces.
#[derive(Debug)]
pub(crate) struct DirectWrite {
    file: File,
    piece: Aligned,
    used: usize,
    /// Until the first piece that is not a complete one.
    is_direct: bool,
}

impl DirectWrite {
    /// Creates `path`, which must not exist yet, as `options` say; see [`is_refusal`].
    pub(crate) fn create(path: &Path, options: &mut OpenOptions) -> io::Result<Self> {
        let file = options.write(true).create_new(true).custom_flags(libc::O_DIRECT).open(path)?;
        Ok(Self { file, piece: Aligned::new(PIECE), used: 0, is_direct: true })
    }

    /// The file itself.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Writes what waits.
    fn flush(&mut self) -> io::Result<()> {
        let mut done = 0;
        let outcome = loop {
            if done == self.used {
                break Ok(());
            }
            match self.file.write(&self.piece.bytes(self.used)[done..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Some file systems refuse only the first write; and what was cut short ends anywhere.
                Err(error) if self.is_direct && is_refusal(&error) => match self.leave() {
                    Ok(()) => {}
                    failed => break failed,
                },
                Err(error) => break Err(error),
            }
        };
        let used = self.used;
        self.piece.bytes(used).copy_within(done.., 0);
        self.used -= done;
        outcome
    }

    /// From now on through the cache, which takes any number of bytes.
    fn leave(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_direct) {
            sys::use_cache(&self.file)?;
        }
        Ok(())
    }
}

impl WriteFile for DirectWrite {
    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.is_direct {
            self.flush()?;
            return self.file.write_all(bytes);
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.used));
            self.piece.bytes(PIECE)[self.used..self.used + now.len()].copy_from_slice(now);
            self.used += now.len();
            if self.used == PIECE {
                self.flush()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.leave()?;
        self.flush()?;
        self.file.set_len(len)?;
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(len)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.leave()?;
        self.flush()?;
        self.file.sync_data()
    }
}

/// A file that is read from the disk, whatever the cache has of it.
#[derive(Debug)]
pub(crate) struct DirectRead {
    file: File,
    /// The same through the cache, for what a file system refuses to read in another way.
    cached: File,
    piece: Mutex<Aligned>,
}

impl DirectRead {
    /// Opens `path`; see [`is_refusal`].
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)?;
        Ok(Self { file, cached: File::open(path)?, piece: Mutex::new(Aligned::new(PIECE)) })
    }
}

impl ReadFile for DirectRead {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let skip = (offset % BLOCK as u64) as usize;
        let len = (skip + buffer.len()).next_multiple_of(BLOCK).min(PIECE);
        let mut piece = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = piece.bytes(len);
        let read = loop {
            match self.file.read_at(piece, offset - skip as u64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_refusal(&error) => break 0,
                done => break done?,
            }
        };
        let found = piece[..read].get(skip..).unwrap_or_default();
        if found.is_empty() {
            // The end, or nothing that could be had in this way.
            return self.cached.read_at(buffer, offset);
        }
        let len = found.len().min(buffer.len());
        buffer[..len].copy_from_slice(&found[..len]);
        Ok(len)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::disk::storage::Storage;
    use crate::disk::storage_os::OsStorage;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
    }

    /// In memory there is nothing to bypass, on a disk there is: the same bytes either way.
    #[test]
    fn any_number_of_bytes_is_written_and_read_back() {
        for place in [Path::new("/dev/shm"), Path::new(env!("CARGO_MANIFEST_DIR"))] {
            let Ok(dir) = tempfile::tempdir_in(place) else { continue };
            for (turn, len) in [0, 1, BLOCK, PIECE - 1, PIECE, PIECE + BLOCK + 3, 3 * PIECE].into_iter().enumerate() {
                let (path, expected) = (dir.path().join(turn.to_string()), bytes(len));
                let mut file = OsStorage.create_uncached(&path).unwrap();
                for part in expected.chunks(100_001) {
                    file.append(part).unwrap();
                }
                file.sync().unwrap();
                assert!(std::fs::read(&path).unwrap() == expected, "{len} in {}", place.display());
                let file = OsStorage.open_uncached(&path).unwrap();
                assert_eq!(file.len().unwrap(), len as u64);
                for (at, want) in [(0, len), (len / 2, len / 3), (len.saturating_sub(5), 5.min(len))] {
                    let mut found = vec![0; want];
                    file.read_exact_at(at as u64, &mut found).unwrap();
                    assert!(found == expected[at..at + want], "{want} at {at} of {len}");
                }
                assert_eq!(file.read_at(len as u64, &mut [0; 10]).unwrap(), 0);
                assert!(OsStorage.create_uncached(&path).is_err());
            }
        }
    }

    #[test]
    fn a_file_goes_on_after_a_sync_and_a_cut() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (path, all) = (dir.path().join("a"), bytes(2 * PIECE));
        let mut file = OsStorage.create_uncached(&path).unwrap();
        file.append(&all[..PIECE + 10]).unwrap();
        file.sync().unwrap();
        file.append(&all[PIECE + 10..]).unwrap();
        assert!(std::fs::read(&path).unwrap() == all);
        file.truncate(77).unwrap();
        file.append(&all[77..100]).unwrap();
        assert!(std::fs::read(&path).unwrap() == all[..100]);
    }
}
