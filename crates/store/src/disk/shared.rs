//! Files that others may use as well: a group, or everybody, as `storage.mode` and `storage.group` say.
//!
//! Rights are set on what was opened, never by name: in a folder that others may write to, a name may be somebody else's by
//! then. What is there already and belongs to somebody else is left as it is.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

#[cfg(target_os = "linux")]
use super::direct::{DirectWrite, is_refusal};
use super::storage::{Entry, FileLock, ReadFile, Storage, WriteFile};
use super::storage_os::{OsStorage, appending, create_private, lock, private};
use super::sys;

/// Bits beside those of the rights: set-group-ID, which has what is made in a folder belong to the group of the folder.
const SPECIAL: u32 = 0o7000;
/// Folders lie no deeper than this below an output directory.
const DEPTH: usize = 8;

/// Who may use what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedStorage {
    /// Rights of files.
    mode: u32,
    /// The group they belong to, if not the one the system gives them.
    group: Option<u32>,
}

impl SharedStorage {
    /// Files have the rights `mode` whatever the umask is, folders the same and can be entered by whoever may read them;
    /// both belong to `group`, if there is one.
    pub fn new(mode: u32, group: Option<u32>) -> Self {
        Self { mode, group }
    }

    /// Has the files and folders below `root` that this user made before belong to whom they are shared with now. The
    /// folder itself was made by whoever decides who gets in.
    pub fn take_along(&self, root: &Path) {
        self.take_along_below(root, DEPTH);
    }

    fn take_along_below(&self, dir: &Path, depth: usize) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            let done = match (kind.is_dir(), kind.is_file()) {
                (true, _) => self.share_folder(&path),
                (_, true) => open_itself(&path, 0).and_then(|file| self.share(&file, self.mode)),
                _ => Ok(()),
            };
            if let Err(error) = done {
                tracing::debug!(%error, path = %path.display(), "stays as it is: it belongs to somebody else");
            }
            if kind.is_dir() && depth > 0 {
                self.take_along_below(&path, depth - 1);
            }
        }
    }

    /// Rights of folders: whoever may read one may enter it.
    fn folder_mode(&self) -> u32 {
        self.mode | ((self.mode & 0o444) >> 2)
    }

    fn share_folder(&self, dir: &Path) -> io::Result<()> {
        self.share(&open_itself(dir, libc::O_DIRECTORY)?, self.folder_mode())
    }

    /// Gives `file` its group and its rights, if this user made it.
    fn share(&self, file: &File, mode: u32) -> io::Result<()> {
        let found = file.metadata()?;
        if found.uid() != sys::user() {
            return Ok(());
        }
        if let Some(group) = self.group.filter(|group| *group != found.gid()) {
            fchown(file, None, Some(group)).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    let why = format!("this user is not in the group {group} that storage.group names ({error})");
                    io::Error::new(io::ErrorKind::PermissionDenied, why)
                }
                _ => error,
            })?;
        }
        let wanted = mode | (found.mode() & SPECIAL);
        if found.mode() & (SPECIAL | 0o777) != wanted {
            file.set_permissions(Permissions::from_mode(wanted))?;
        }
        Ok(())
    }

    /// [`SharedStorage::share`] for a file that was just made at `path`; without it there is none.
    fn share_new(&self, file: &File, path: &Path) -> io::Result<()> {
        self.share(file, self.mode).inspect_err(|_| {
            let _ = std::fs::remove_file(path);
        })
    }
}

/// What is at `path`, but not what a link there leads to.
fn open_itself(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | flags).open(path)
}

impl Storage for SharedStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let missing: Vec<&Path> =
            dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()).collect();
        for dir in missing.into_iter().rev() {
            match std::fs::DirBuilder::new().mode(self.folder_mode()).create(dir) {
                Ok(()) => self.share_folder(dir).inspect_err(|_| {
                    let _ = std::fs::remove_dir(dir);
                })?,
                // Another process was quicker.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = create_private(path)?;
        self.share_new(&file, path)?;
        Ok(appending(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        OsStorage.open(path)
    }

    fn is_missing(&self, path: &Path) -> bool {
        OsStorage.is_missing(path)
    }

    #[cfg(target_os = "linux")]
    fn create_uncached(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let mut options = OpenOptions::new();
        private(&mut options);
        match DirectWrite::create(path, &mut options) {
            Ok(file) => {
                self.share_new(file.file(), path)?;
                Ok(Box::new(file))
            }
            Err(error) if is_refusal(&error) => {
                // Some file systems have made the file before they said so.
                let _ = std::fs::remove_file(path);
                self.create(path)
            }
            Err(error) => Err(error),
        }
    }

    fn open_uncached(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        OsStorage.open_uncached(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsStorage.rename(from, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsStorage.replace(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsStorage.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        OsStorage.list(dir)
    }

    fn list_names(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsStorage.list_names(dir)
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsStorage.list_dirs(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsStorage.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        OsStorage.free_bytes(dir)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW);
        private(&mut options);
        let file = options.open(path)?;
        self.share(&file, self.mode)?;
        lock(file, path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn rights(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn whatever_the_umask_is_files_and_folders_have_the_rights_that_were_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let before = rights(dir.path());
        for (mode, folder) in [(0o600, 0o700), (0o640, 0o750), (0o660, 0o770), (0o644, 0o755), (0o666, 0o777)] {
            let storage = SharedStorage::new(mode, None);
            let below = dir.path().join(format!("{mode:o}/a/b"));
            storage.create_dir_all(&below).unwrap();
            storage.create_dir_all(&below).unwrap();
            storage.create(&below.join("file")).unwrap().append(b"x").unwrap();
            storage.create_uncached(&below.join("direct")).unwrap().append(b"x").unwrap();
            storage.replace(&below.join("file"), &below.join("renamed")).unwrap();
            let held = storage.try_lock(&below.join("lock")).unwrap().unwrap();
            assert!(storage.try_lock(&below.join("lock")).unwrap().is_none());
            for name in ["renamed", "direct", "lock"] {
                assert_eq!(rights(&below.join(name)), mode, "{name}");
            }
            for path in [below.as_path(), below.parent().unwrap()] {
                assert_eq!(rights(path), folder);
            }
            drop(held);
            assert!(storage.create(&below.join("renamed")).is_err(), "it is there");
        }
        assert_eq!(rights(dir.path()), before, "what was there stays as it is");
    }

    #[test]
    fn the_group_of_a_folder_goes_on_below_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o2750)).unwrap();
        let storage = SharedStorage::new(0o660, None);
        storage.create_dir_all(&dir.path().join("a/b")).unwrap();
        assert_eq!(rights(&dir.path().join("a/b")), 0o2770);
        assert_eq!(rights(dir.path()), 0o2750);
    }

    #[test]
    fn what_was_private_is_taken_along_and_links_are_not_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let other = elsewhere.path().join("other");
        std::fs::write(&other, "x").unwrap();
        std::fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
        OsStorage.create_dir_all(&dir.path().join("otlp/logs")).unwrap();
        drop(OsStorage.create(&dir.path().join("otlp/logs/a")).unwrap());
        std::os::unix::fs::symlink(&other, dir.path().join("otlp/link")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("folder")).unwrap();
        let (storage, before) = (SharedStorage::new(0o640, None), rights(elsewhere.path()));
        storage.take_along(dir.path());
        assert_eq!(rights(&dir.path().join("otlp/logs/a")), 0o640);
        assert_eq!(rights(&dir.path().join("otlp/logs")), 0o750);
        assert_eq!((rights(&other), rights(elsewhere.path())), (0o600, before));
        assert!(storage.try_lock(&dir.path().join("otlp/link")).is_err(), "a lock that leads elsewhere");
    }

    #[test]
    fn a_group_that_this_user_is_not_in_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().metadata().unwrap().gid(), 54_321);
        drop(SharedStorage::new(0o640, Some(ours)).create(&dir.path().join("ours")).unwrap());
        let path = dir.path().join("theirs");
        match SharedStorage::new(0o640, Some(theirs)).create(&path) {
            // Root may give files to every group.
            Ok(_) => assert_eq!(path.metadata().unwrap().gid(), theirs),
            Err(error) => {
                assert!(error.to_string().contains("not in the group 54321"), "{error}");
                assert!(!path.exists());
            }
        }
    }
}
