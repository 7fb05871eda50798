//! The real disk behind [`Storage`].

use std::fs::{DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

#[cfg(target_os = "linux")]
use super::direct::{DirectRead, DirectWrite, is_refusal};
use super::storage::{Entry, FileLock, ReadFile, Storage, WriteFile};
use super::sys;

/// Files of the operating system. Directories are private to the user (0700), files too (0600); those that others may use
/// are of [`SharedStorage`](super::shared::SharedStorage).
#[derive(Clone, Copy, Debug, Default)]
pub struct OsStorage;

impl Storage for OsStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        Ok(appending(create_private(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        // A pipe with a file's name would be waited for until somebody writes to it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
        let file = options.open(path)?;
        let found = file.metadata()?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a folder"));
        }
        Ok(Box::new(OsRead { file }))
    }

    #[cfg(target_os = "linux")]
    fn create_uncached(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let mut options = OpenOptions::new();
        private(&mut options);
        match DirectWrite::create(path, &mut options) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if is_refusal(&error) => {
                // Some file systems have made the file before they said so.
                let _ = std::fs::remove_file(path);
                self.create(path)
            }
            Err(error) => Err(error),
        }
    }

    #[cfg(target_os = "linux")]
    fn open_uncached(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        match DirectRead::open(path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if is_refusal(&error) => self.open(path),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        // The caller owns both names (the writer's lock), so nobody takes `to` between the check and the rename.
        if to.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(from, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut files = Vec::new();
        for entry in entries(dir)? {
            let entry = entry?;
            // A file that goes while we look was not there; a name that is not text is not ours.
            let (Ok(metadata), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else { continue };
            if metadata.is_file() {
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push(Entry { name, len: metadata.len(), modified });
            }
        }
        Ok(files)
    }

    fn list_names(&self, dir: &Path) -> io::Result<Vec<String>> {
        // Of files only; a name that is not text is not ours.
        let name = |entry: io::Result<DirEntry>| match entry {
            Ok(entry) if entry.file_type().is_ok_and(|kind| kind.is_file()) => {
                entry.file_name().into_string().ok().map(Ok)
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        };
        entries(dir)?.filter_map(name).collect()
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut dirs = Vec::new();
        for entry in entries(dir)? {
            let entry = entry?;
            if let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string())
                && kind.is_dir()
            {
                dirs.push(name);
            }
        }
        Ok(dirs)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if cfg!(unix) {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        sys::free_and_size(dir).map(|(free, _)| free)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        lock(options.open(path)?, path)
    }
}

/// A new file for appending.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create_new(true);
    private(&mut options);
    // Cutting a file needs more than the right to append on Windows.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::access_mode(&mut options, windows::APPEND_AND_CUT);
    options.open(path)
}

/// A file that was opened for appending, as the store writes it.
pub(super) fn appending(file: File) -> Box<dyn WriteFile> {
    Box::new(OsWrite { file })
}

/// Takes the lock of a file that was opened at `path`.
pub(super) fn lock(file: File, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let lock = OsLock::new(file, path);
    // Between opening and locking, the holder may have deleted the file: then this lock protects nothing.
    Ok(if lock.is_still_at(path)? { Some(Box::new(lock)) } else { None })
}

pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(windows)]
mod windows {
    use windows_sys::Win32::Storage::FileSystem::{FILE_APPEND_DATA, FILE_GENERIC_READ, FILE_GENERIC_WRITE};

    /// Append, read the length, and set the end of the file.
    pub(super) const APPEND_AND_CUT: u32 = FILE_APPEND_DATA | FILE_GENERIC_READ | FILE_GENERIC_WRITE;
}

#[derive(Debug)]
struct OsWrite {
    file: File,
}

impl WriteFile for OsWrite {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // With full write access Windows does not append by itself, so the place is set; Unix appends by O_APPEND.
        #[cfg(windows)]
        io::Seek::seek(&mut self.file, io::SeekFrom::End(0))?;
        self.file.write_all(bytes)
    }

    fn append_parts(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        #[cfg(windows)]
        io::Seek::seek(&mut self.file, io::SeekFrom::End(0))?;
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = &mut slices[..];
        while !left.is_empty() {
            match self.file.write_vectored(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut left, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[derive(Debug)]
struct OsRead {
    file: File,
}

impl ReadFile for OsRead {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            #[cfg(unix)]
            let read = std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset);
            #[cfg(windows)]
            let read = std::os::windows::fs::FileExt::seek_read(&self.file, buffer, offset);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

/// A lock by `flock` or `LockFileEx`: it belongs to this open file, so two instances in one process exclude each other.
#[derive(Debug)]
struct OsLock {
    /// `None` only while it is dropped.
    file: Option<File>,
    path: PathBuf,
    generation: u64,
}

impl OsLock {
    fn new(file: File, path: &Path) -> Self {
        sys::watch();
        #[cfg(unix)]
        sys::close_in_children(std::os::fd::AsRawFd::as_raw_fd(&file));
        Self { file: Some(file), path: path.to_owned(), generation: sys::generation() }
    }

    #[cfg(unix)]
    fn is_still_at(&self, path: &Path) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &self.file else { return Ok(false) };
        let ours = file.metadata()?;
        match std::fs::metadata(path) {
            Ok(there) => Ok(ours.dev() == there.dev() && ours.ino() == there.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[cfg(not(unix))]
    fn is_still_at(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }
}

impl FileLock for OsLock {
    fn remove(self: Box<Self>) -> io::Result<()> {
        if self.generation != sys::generation() {
            return Ok(()); // The parent's lock: not ours to end.
        }
        std::fs::remove_file(&self.path)
    }
}

impl Drop for OsLock {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if self.generation == sys::generation() {
            #[cfg(unix)]
            sys::keep_in_children(std::os::fd::AsRawFd::as_raw_fd(&file));
            drop(file); // Closing releases the lock.
        } else {
            // In a forked child the handler has closed this descriptor already, and its number may be another file by now.
            std::mem::forget(file);
        }
    }
}

/// What is in a directory; nothing in one that is missing.
fn entries(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<DirEntry>>> {
    match std::fs::read_dir(dir) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Nobody writes to it: to wait for that would be to wait forever.
    #[test]
    fn a_pipe_with_the_name_of_a_file_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(OsStorage.open(&path).err().unwrap().kind(), io::ErrorKind::InvalidInput);
    }
}
