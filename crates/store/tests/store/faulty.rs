//! The real disk with switches: each operation can be made to fail.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otlp_arrow_store::storage::{Entry, FileLock, ReadFile, Storage, WriteFile};
use otlp_arrow_store::storage_os::OsStorage;

/// An operation that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Create,
    Append,
    /// Half of the bytes are written before it fails.
    ShortAppend,
    Truncate,
    Sync,
    SyncDir,
    Rename,
    Remove,
    Lock,
    Read,
}

/// Holds up an operation until it is dropped.
pub(crate) struct Gate {
    _open: std::sync::mpsc::Sender<()>,
}

/// How often each operation fails from now on, and with what.
pub(crate) type Switches = Arc<Mutex<HashMap<Op, (usize, io::ErrorKind)>>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty {
    switches: Switches,
    gates: Arc<Mutex<HashMap<Op, Arc<Mutex<()>>>>>,
    delays: Arc<Mutex<HashMap<Op, Duration>>>,
    free: Arc<Mutex<Option<u64>>>,
}

impl Faulty {
    /// The next `times` calls of `op` fail.
    pub(crate) fn fail(&self, op: Op, times: usize, kind: io::ErrorKind) {
        self.switches.lock().unwrap().insert(op, (times, kind));
    }

    /// Each call of `op` takes so long.
    pub(crate) fn delay(&self, op: Op, time: Duration) {
        self.delays.lock().unwrap().insert(op, time);
    }

    /// Calls of `op` hang until the gate is dropped.
    pub(crate) fn block(&self, op: Op) -> Gate {
        let gate = Arc::new(Mutex::new(()));
        self.gates.lock().unwrap().insert(op, Arc::clone(&gate));
        let (closed, wait) = std::sync::mpsc::channel();
        let (open, dropped) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            let _held = gate.lock().unwrap();
            closed.send(()).unwrap();
            let _ = dropped.recv();
        });
        wait.recv().unwrap();
        Gate { _open: open }
    }

    /// Nothing fails any more.
    pub(crate) fn heal(&self) {
        self.switches.lock().unwrap().clear();
    }

    /// What the file system says about its free bytes.
    pub(crate) fn set_free(&self, bytes: Option<u64>) {
        *self.free.lock().unwrap() = bytes;
    }

    fn check(&self, op: Op) -> io::Result<()> {
        let gate = self.gates.lock().unwrap().get(&op).cloned();
        if let Some(gate) = gate {
            drop(gate.lock().unwrap());
        }
        let delay = self.delays.lock().unwrap().get(&op).copied();
        delay.into_iter().for_each(std::thread::sleep);
        check(&self.switches, op)
    }
}

fn check(switches: &Switches, op: Op) -> io::Result<()> {
    match switches.lock().unwrap().get_mut(&op) {
        Some((times, kind)) if *times > 0 => {
            *times -= 1;
            Err((*kind).into())
        }
        _ => Ok(()),
    }
}

impl Storage for Faulty {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        OsStorage.create_dir_all(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.check(Op::Create)?;
        Ok(Box::new(FaultyFile { file: OsStorage.create(path)?, switches: Arc::clone(&self.switches) }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        Ok(Box::new(FaultyRead { file: OsStorage.open(path)?, switches: Arc::clone(&self.switches) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Op::Rename)?;
        OsStorage.rename(from, to)
    }

    fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsStorage.replace(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.exists() {
            self.check(Op::Remove)?;
        }
        OsStorage.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        OsStorage.list(dir)
    }

    fn list_dirs(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsStorage.list_dirs(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.check(Op::SyncDir)?;
        OsStorage.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        match *self.free.lock().unwrap() {
            Some(bytes) => Ok(bytes),
            None => OsStorage.free_bytes(dir),
        }
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.check(Op::Lock)?;
        OsStorage.try_lock(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn WriteFile>,
    switches: Switches,
}

impl WriteFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = check(&self.switches, Op::ShortAppend) {
            self.file.append(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        check(&self.switches, Op::Append)?;
        self.file.append(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        check(&self.switches, Op::Truncate)?;
        self.file.truncate(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        check(&self.switches, Op::Sync)?;
        self.file.sync()
    }
}

#[derive(Debug)]
struct FaultyRead {
    file: Box<dyn ReadFile>,
    switches: Switches,
}

impl ReadFile for FaultyRead {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        check(&self.switches, Op::Read)?;
        self.file.read_at(offset, buffer)
    }
}
