//! How far a consumer has come: a small file, checksummed, and replaced as a whole.
//!
//! Kinds of consumers have folders of their own, `cursors/forward/<destination>/<writer>-<signal>` and
//! `cursors/subscription/<name>/<signal>`, and one form: a head line, a line for each writer, a checksum. Earlier both
//! kinds were at `cursors/<name>/`, and a cursor of forwarding was one line. Such files are read, and moved when they are.

use std::io;
use std::path::{Path, PathBuf};

use otlp_arrow_columns::Signal;

use super::handle::Log;
use crate::disk::names::WriterId;
use crate::disk::storage::Storage;
use crate::log::position::{Position, Positions};

/// The first line of a cursor file.
const HEADER: &str = "otlp-arrow cursor 1";
/// No cursor file is longer: some 90 bytes a writer.
const MAX_BYTES: u64 = 16 << 20;

/// Whose cursor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer<'a> {
    /// What a destination got of one writer. It belongs to whoever holds the lock of that writer.
    Forward {
        /// The name of the destination.
        destination: &'a str,
        /// Whose files.
        writer: WriterId,
        /// Which signal.
        signal: Signal,
    },
    /// What a subscription has acknowledged, of all writers. It belongs to whoever holds the lock beside it.
    Subscription {
        /// Its name.
        name: &'a str,
        /// Which signal.
        signal: Signal,
    },
}

/// The folder of the cursors of forwarding.
const FORWARD: &str = "forward";
/// The folder of the cursors of subscriptions.
const SUBSCRIPTION: &str = "subscription";

/// One cursor on disk.
#[derive(Clone, Debug)]
pub struct CursorFile {
    dir: PathBuf,
    name: String,
    /// Where it was before there were kinds.
    old_dir: PathBuf,
}

/// What a cursor file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// There is none.
    Nothing,
    /// There is one that cannot be read: everything is to be delivered again.
    Damaged,
    /// Everything before these positions is done with.
    At(Positions),
}

impl Log {
    /// The cursor of `consumer`, which need not exist yet.
    pub fn cursor(&self, consumer: Consumer<'_>) -> CursorFile {
        let cursors = self.layout().cursors_dir();
        let (kind, owner, name) = match consumer {
            Consumer::Forward { destination, writer, signal } => (FORWARD, destination, format!("{writer}-{signal}")),
            Consumer::Subscription { name, signal } => (SUBSCRIPTION, name, signal.to_string()),
        };
        CursorFile { dir: cursors.join(kind).join(owner), name, old_dir: cursors.join(owner) }
    }

    /// The writers of which `destination` has cursors.
    pub fn writers_with_cursors(&self, destination: &str) -> Vec<WriterId> {
        let cursors = self.layout().cursors_dir();
        let dirs = [cursors.join(FORWARD).join(destination), cursors.join(destination)];
        let names = dirs.iter().flat_map(|dir| self.storage().list(dir).unwrap_or_default());
        let mut writers: Vec<WriterId> = names.filter_map(|entry| entry.name.split_once('-')?.0.parse().ok()).collect();
        writers.sort_unstable();
        writers.dedup();
        writers
    }
}

impl CursorFile {
    /// The folder it is in.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// The lock of a cursor that no other lock covers.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join(format!("{}.lock", self.name))
    }

    /// Where that lock was before there were kinds, if anything of the cursor is there.
    pub(crate) fn old_lock_path(&self, storage: &dyn Storage) -> io::Result<Option<PathBuf>> {
        let lock = format!("{}.lock", self.name);
        let there = self.is_old(storage, &self.name)? || self.is_old(storage, &lock)?;
        Ok(there.then(|| self.old_dir.join(lock)))
    }

    /// Whether a file of this name is where it was before there were kinds. Listed, since a folder of that name is not meant.
    fn is_old(&self, storage: &dyn Storage, name: &str) -> io::Result<bool> {
        Ok(storage.list(&self.old_dir)?.iter().any(|file| file.name == name))
    }

    /// What it says. One that lies where it was before there were kinds is moved; only its owner may call this.
    pub fn read(&self, storage: &dyn Storage) -> io::Result<Saved> {
        let old = self.old_dir.join(&self.name);
        let before = if self.is_old(storage, &self.name)? { read(storage, &old)? } else { Saved::Nothing };
        match (read(storage, &self.path())?, before) {
            (known, Saved::Nothing) => Ok(known),
            (Saved::Nothing | Saved::Damaged, Saved::Damaged) => Ok(Saved::Damaged),
            (known, before) => {
                // Each is the word of an owner, so everything before the further one is done with.
                let positions = further([known, before]);
                if let Err(error) = self.move_here(storage, &positions, &old) {
                    tracing::warn!(%error, path = %old.display(), "a cursor of an earlier version cannot be moved for now");
                }
                Ok(Saved::At(positions))
            }
        }
    }

    /// Writes what was found at `old`, and deletes that once it is sure to survive.
    fn move_here(&self, storage: &dyn Storage, positions: &Positions, old: &Path) -> io::Result<()> {
        self.write(storage, positions)?;
        for dir in self.dir.ancestors().take(3) {
            storage.sync_dir(dir)?;
        }
        storage.remove(old)
    }

    /// Replaces it. A crash leaves the old one or the new one.
    pub fn write(&self, storage: &dyn Storage, positions: &Positions) -> io::Result<()> {
        storage.create_dir_all(&self.dir)?;
        let fresh = self.dir.join(format!("{}.new", self.name));
        remove_if_there(storage, &fresh)?;
        let mut file = storage.create(&fresh)?;
        file.append(text(positions).as_bytes())?;
        file.sync()?;
        drop(file);
        storage.replace(&fresh, &self.path())
    }

    /// Where the hops are of what waits behind it: `<cursor>.via`.
    fn hops_path(&self) -> PathBuf {
        self.dir.join(format!("{}.via", self.name))
    }

    /// Replaces the lines that tell through which recorders what waits has come.
    pub fn write_hops(&self, storage: &dyn Storage, lines: &str) -> io::Result<()> {
        storage.create_dir_all(&self.dir)?;
        let fresh = self.dir.join(format!("{}.via.new", self.name));
        remove_if_there(storage, &fresh)?;
        let mut file = storage.create(&fresh)?;
        file.append(format!("{lines}{:08x}\n", crc32c::crc32c(lines.as_bytes())).as_bytes())?;
        file.sync()?;
        drop(file);
        storage.replace(&fresh, &self.hops_path())
    }

    /// These lines; empty where there are none, or they are damaged.
    pub fn read_hops(&self, storage: &dyn Storage) -> String {
        let read = || {
            let file = storage.open(&self.hops_path()).ok()?;
            let mut bytes = vec![0; file.len().ok()?.min(MAX_BYTES) as usize];
            file.read_exact_at(0, &mut bytes).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (lines, crc) = text.strip_suffix('\n')?.split_at_checked(text.len().checked_sub(9)?)?;
            (u32::from_str_radix(crc, 16) == Ok(crc32c::crc32c(lines.as_bytes()))).then(|| lines.to_owned())
        };
        read().unwrap_or_default()
    }

    /// Removes it: there is nothing left to deliver.
    pub fn remove(&self, storage: &dyn Storage) {
        let old = self.is_old(storage, &self.name).unwrap_or(false).then(|| self.old_dir.join(&self.name));
        for path in [Some(self.path()), Some(self.hops_path()), old].into_iter().flatten() {
            if let Err(error) = remove_if_there(storage, &path) {
                tracing::debug!(%error, path = %path.display(), "a cursor that is done stays");
            }
        }
    }
}

fn remove_if_there(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    match storage.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Of each writer the position that is further.
fn further(saved: [Saved; 2]) -> Positions {
    let mut positions = Positions::new();
    for saved in saved {
        let Saved::At(found) = saved else { continue };
        for (writer, position) in found {
            let known = positions.entry(writer).or_insert_with(|| position.clone());
            if known.key() < position.key() {
                *known = position;
            }
        }
    }
    positions
}

fn text(positions: &Positions) -> String {
    let mut text = format!("{HEADER}\n");
    for position in positions.values() {
        text += &format!("{position}\n");
    }
    let crc = crc32c::crc32c(text.as_bytes());
    text + &format!("{crc:08x}\n")
}

fn parse(text: &str) -> Option<Positions> {
    let entry = |position: Position| (position.stem.writer, position);
    // One line: a cursor of forwarding as it was before there were kinds.
    if !text.starts_with(HEADER) {
        return text.parse().ok().map(|position| Positions::from([entry(position)]));
    }
    let body = text.strip_suffix('\n')?;
    let (body, crc) = body.split_at_checked(body.rfind('\n')? + 1)?;
    if crc.len() != 8 || u32::from_str_radix(crc, 16) != Ok(crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next() != Some(HEADER) {
        return None;
    }
    lines.map(|line| line.parse().ok().map(entry)).collect()
}

fn read(storage: &dyn Storage, path: &Path) -> io::Result<Saved> {
    let file = match storage.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::Nothing),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; file.len()?.min(MAX_BYTES) as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(parse(&String::from_utf8_lossy(&bytes)).map_or(Saved::Damaged, Saved::At))
}

#[cfg(test)]
mod tests;
