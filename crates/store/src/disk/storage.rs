//! The only way the store touches files: a small trait, so that tests can put a faulty disk under it.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// A place where files live. Every method may fail; no method is retried by its implementation.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// Creates `dir` and its parents, private to the user.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file that must not exist yet, for appending, private to the user.
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>>;

    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>>;

    /// Whether nothing is at `path`. What cannot be looked at is there.
    fn is_missing(&self, path: &Path) -> bool {
        matches!(self.open(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// [`Storage::create`] for a file that is written once and read back once: past the system's cache where there is a way.
    /// Nothing is in the file for certain before it is synced.
    fn create_uncached(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.create(path)
    }

    /// [`Storage::open`] of such a file: what is on the disk, where there is a way.
    fn open_uncached(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        self.open(path)
    }

    /// Moves a closed file to a name that is not taken.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Replaces `path` as a whole by a closed file, where the platform can do so atomically.
    fn replace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The entries of a directory that are files, in no order. A missing directory has none.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// The names that [`Storage::list`] has, for who asks nothing else of the files.
    fn list_names(&self, dir: &Path) -> io::Result<Vec<String>> {
        Ok(self.list(dir)?.into_iter().map(|entry| entry.name).collect())
    }

    /// The names of the directories in a directory, in no order. A missing directory has none.
    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals in `dir` survive a power cut. Does nothing where the platform needs no such call.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes this user may still write on the file system that holds `dir`.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Creates `path` if needed and takes its exclusive lock; `None` if somebody else holds it.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>>;
}

/// A file being appended to.
pub trait WriteFile: fmt::Debug + Send {
    /// Appends all of `bytes`, in one call where the system takes them at once. On failure some may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// [`WriteFile::append`] of bytes that lie in several places.
    fn append_parts(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        match parts {
            [one] => self.append(one),
            several => self.append(&several.concat()),
        }
    }

    /// Cuts the file to `len` bytes; the next append goes there.
    fn truncate(&mut self, len: u64) -> io::Result<()>;

    /// Makes what was appended survive a power cut.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file being read.
pub trait ReadFile: fmt::Debug + Send + Sync {
    /// Its length now.
    fn len(&self) -> io::Result<u64>;

    /// Whether it is empty now.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `offset`; 0 only at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Fills `buffer` from `offset`, or fails with `UnexpectedEof`.
    fn read_exact_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = self.read_at(offset, buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += read as u64;
            buffer = &mut buffer[read..];
        }
        Ok(())
    }
}

/// A lock that is held until it is dropped.
pub trait FileLock: fmt::Debug + Send + Sync {
    /// Deletes the lock's file and then releases it, so that nobody can take a lock on a file that is going.
    fn remove(self: Box<Self>) -> io::Result<()>;
}

/// A file in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the directory.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
    /// When it was last changed.
    pub modified: SystemTime,
}
