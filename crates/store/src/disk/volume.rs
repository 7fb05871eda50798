//! The file system a directory is on: how large it is, and how much of it the directory can have.

use std::io;
use std::path::Path;

use super::sys;

/// Directories lie no deeper than this below an output directory.
const DEPTH: usize = 8;

/// A file system, as far as a directory on it is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// All bytes of it.
    pub size: u64,
    /// Bytes this user may still write.
    pub free: u64,
    /// Whether it is kept in memory, so that what is written counts as memory of whoever wrote it.
    pub in_memory: bool,
}

impl Volume {
    /// The one that holds `dir`, or will when `dir` is created.
    pub fn of(dir: &Path) -> io::Result<Self> {
        let mut there = dir;
        loop {
            let asked = if there.as_os_str().is_empty() { Path::new(".") } else { there };
            match (sys::free_and_size(asked), there.parent()) {
                (Ok((free, size)), _) => return Ok(Self { size, free, in_memory: is_in_memory(asked) }),
                (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => there = parent,
                (Err(error), _) => return Err(error),
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn is_in_memory(dir: &Path) -> bool {
    sys::is_in_memory(dir).unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_dir: &Path) -> bool {
    false
}

/// Bytes of the files in `dir` and below. What cannot be looked at does not count.
pub fn bytes_below(dir: &Path) -> u64 {
    fn below(dir: &Path, depth: usize) -> u64 {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.metadata() {
                Ok(metadata) if metadata.is_file() => metadata.len(),
                Ok(metadata) if metadata.is_dir() && depth > 0 => below(&entry.path(), depth - 1),
                _ => 0,
            })
            .sum()
    }
    below(dir, DEPTH)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let there = Volume::of(dir.path()).unwrap();
        assert!(there.size >= there.free && there.size > 0, "{there:?}");
        let later = Volume::of(&dir.path().join("a/b/c")).unwrap();
        assert_eq!((later.size, later.in_memory), (there.size, there.in_memory));
        assert!(Volume::of(Path::new("nothing/of/that/name")).unwrap().size > 0);
    }

    #[test]
    fn what_is_taken_is_counted_in_all_folders() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("x"), [0; 10]).unwrap();
        std::fs::write(dir.path().join("a/b/y"), [0; 7]).unwrap();
        assert_eq!(bytes_below(dir.path()), 17);
        assert_eq!(bytes_below(&dir.path().join("none")), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_kept_in_memory_is_known() {
        if Path::new("/dev/shm").is_dir() {
            assert!(Volume::of(Path::new("/dev/shm")).unwrap().in_memory);
        }
        assert!(!Volume::of(Path::new("/proc")).unwrap().in_memory);
    }
}
