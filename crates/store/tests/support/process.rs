//! What one process sees of the disk.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use otlp_arrow_store::storage::{Entry, FileLock, ReadFile, Storage, WriteFile};

use super::disk::{Disk, Node, Op, State, Stop, eio, trace};

/// One process and its view of the disk.
#[derive(Clone)]
pub struct Process {
    disk: Arc<Disk>,
    id: u64,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({})", self.id)
    }
}

impl Process {
    pub(super) fn new(disk: Arc<Disk>, id: u64) -> Self {
        Self { disk, id }
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it has not died.
    pub fn is_alive(&self) -> bool {
        self.disk.state().alive.get(&self.id).copied().unwrap_or(false)
    }

    /// Ends it: what it wrote stays, its locks go.
    pub fn kill(&self) {
        let mut state = self.disk.state();
        state.alive.insert(self.id, false);
        let id = self.id;
        state.locks.retain(|_, owner| *owner != id);
    }

    /// Runs an operation that happens as a whole or not at all.
    fn whole<T>(&self, op: Op, path: &Path, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        match state.begin(self.id, op) {
            Ok(()) => {
                let done = act(&mut state);
                trace(self.id, op, path, &done.as_ref().err().map_or_else(|| "ok".to_owned(), ToString::to_string));
                done
            }
            Err(stop) => {
                let (error, happened) = stop.whole();
                trace(self.id, op, path, &format!("{error}{}", if happened { ", but it happened" } else { "" }));
                if happened {
                    let _ = act(&mut state);
                }
                Err(error)
            }
        }
    }
}

impl Storage for Process {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.whole(Op::CreateDir, dir, |state| {
            for dir in dir.ancestors().filter(|dir| *dir != Path::new("/")) {
                state.entries.entry(dir.to_owned()).or_insert(Node::Dir);
            }
            Ok(())
        })
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let id = self.whole(Op::Create, path, |state| {
            state.parent_exists(path)?;
            if state.entries.contains_key(path) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Ok(state.new_file(path))
        })?;
        Ok(Box::new(Handle { process: self.clone(), path: path.to_owned(), file: id }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let id = self.whole(Op::Open, path, |state| state.file(path))?;
        Ok(Box::new(Handle { process: self.clone(), path: path.to_owned(), file: id }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(Op::Rename, to, |state| {
            let file = state.file(from)?;
            state.parent_exists(to)?;
            if state.entries.contains_key(to) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.entries.remove(from);
            state.entries.insert(to.to_owned(), Node::File(file));
            Ok(())
        })
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(Op::Rename, to, |state| {
            let file = state.file(from)?;
            state.parent_exists(to)?;
            state.entries.remove(from);
            state.entries.insert(to.to_owned(), Node::File(file));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole(Op::Remove, path, |state| {
            state.file(path)?;
            state.remove(path);
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.whole(Op::List, dir, |state| {
            let mut found = Vec::new();
            for (path, node) in &state.entries {
                if let (Node::File(id), Some(name)) = (node, path.file_name())
                    && path.parent() == Some(dir)
                {
                    found.push(Entry {
                        name: name.to_string_lossy().into_owned(),
                        len: state.files.get(id).map_or(0, |file| file.bytes.len() as u64),
                        modified: SystemTime::UNIX_EPOCH + Duration::from_secs(*id),
                    });
                }
            }
            Ok(found)
        })
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.whole(Op::List, dir, |state| {
            let dirs =
                state.entries.iter().filter(|(path, node)| matches!(node, Node::Dir) && path.parent() == Some(dir));
            Ok(dirs.filter_map(|(path, _)| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.whole(Op::SyncDir, dir, |state| {
            let State { entries, synced, .. } = state;
            let inside = |path: &PathBuf| path.parent() == Some(dir);
            synced.retain(|path, _| !inside(path));
            synced.extend(entries.iter().filter(|(path, _)| inside(path)).map(|(path, node)| (path.clone(), *node)));
            Ok(())
        })
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.disk.state().free)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let file = self.whole(Op::Lock, path, |state| {
            state.parent_exists(path)?;
            let file = match state.file(path) {
                Ok(file) => file,
                Err(_) => state.new_file(path),
            };
            if state.locks.contains_key(&file) {
                return Ok(None);
            }
            state.locks.insert(file, self.id);
            Ok(Some(file))
        })?;
        let lock = |file| Box::new(Lock { process: self.clone(), path: path.to_owned(), file }) as Box<dyn FileLock>;
        Ok(file.map(lock))
    }
}

/// A lock on a file in memory.
#[derive(Debug)]
struct Lock {
    process: Process,
    path: PathBuf,
    file: u64,
}

impl FileLock for Lock {
    fn remove(self: Box<Self>) -> io::Result<()> {
        self.process.whole(Op::Remove, &self.path, |state| {
            if state.entries.get(&self.path) == Some(&Node::File(self.file)) {
                state.entries.remove(&self.path);
            }
            Ok(())
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.process.disk.state();
        if state.locks.get(&self.file) == Some(&self.process.id) {
            state.locks.remove(&self.file);
        }
    }
}

/// An open file.
#[derive(Debug)]
struct Handle {
    process: Process,
    path: PathBuf,
    file: u64,
}

impl WriteFile for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.process.disk.state();
        match state.begin(self.process.id, Op::Append) {
            Ok(()) => {
                state.pages(self.file).append(bytes);
                trace(self.process.id, Op::Append, &self.path, &format!("{} bytes", bytes.len()));
                Ok(())
            }
            Err(stop) => {
                // A short write, sometimes of nothing; of everything only if nobody is there to be told.
                let (mut rng, most) = match stop {
                    Stop::Dies(rng) => (rng, bytes.len() + 1),
                    Stop::Dead => return Err(eio()),
                    Stop::Fails(rng) => (rng, bytes.len()),
                };
                let len = [0, most.saturating_sub(1), rng.index(most)][rng.index(3)];
                state.pages(self.file).append(&bytes[..len]);
                trace(
                    self.process.id,
                    Op::Append,
                    &self.path,
                    &format!("{len} of {} bytes, then an error", bytes.len()),
                );
                Err(if rng.one_in(2) { eio() } else { ErrorKind::StorageFull.into() })
            }
        }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let file = self.file;
        self.process.whole(Op::Truncate, &self.path, |state| {
            state.pages(file).truncate(len as usize);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.process.disk.state();
        match state.begin(self.process.id, Op::Sync) {
            Ok(()) => {
                state.pages(self.file).sync();
                trace(self.process.id, Op::Sync, &self.path, "ok");
                Ok(())
            }
            Err(Stop::Dead) => Err(eio()),
            Err(Stop::Dies(_)) => Err(eio()),
            Err(Stop::Fails(mut rng)) => {
                state.pages(self.file).fail_sync(&mut rng);
                trace(self.process.id, Op::Sync, &self.path, "failed");
                Err(eio())
            }
        }
    }
}

impl ReadFile for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.process.disk.state();
        Ok(state.pages(self.file).bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = self.file;
        let mut copied = 0;
        self.process.whole(Op::Read, &self.path, |state| {
            let bytes = &state.pages(file).bytes;
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            copied = rest.len().min(buffer.len());
            buffer[..copied].copy_from_slice(&rest[..copied]);
            Ok(())
        })?;
        Ok(copied)
    }
}
