//! The cursor of a subscription, held by this process and nobody else.

use std::path::Path;

use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::Signal;

use super::cursor::{Consumer, CursorFile, Saved};
use super::handle::Log;
use super::position::Positions;
use crate::disk::fault::storage_error;
use crate::disk::storage::{FileLock, Storage};

/// The names that folders of kinds have: an earlier version may have kept a subscription of such a name there.
const KINDS: [&str; 2] = ["forward", "subscription"];

/// The cursor of one name and signal, as long as this exists.
#[derive(Debug)]
pub(crate) struct HeldCursor {
    file: CursorFile,
    _lock: Box<dyn FileLock>,
}

impl HeldCursor {
    /// Takes the cursor `name` of `signal`, and what it says, or `None` when it is new.
    ///
    /// UNAVAILABLE while somebody else holds it. A cursor that cannot be read is told in the log, and as good as new.
    pub(crate) fn take(log: &Log, signal: Signal, name: &str) -> Result<(Self, Option<Positions>)> {
        check_name(name)?;
        let storage = &**log.storage();
        let file = log.cursor(Consumer::Subscription { name, signal });
        storage.create_dir_all(file.dir()).map_err(|error| storage_error("create", file.dir(), error))?;
        let in_use = || {
            let message =
                format!("the subscription {name:?} to {signal} is in use: end it first, or take another name");
            OtlpError::new(Code::Unavailable, message)
        };
        let lock = |path: &Path| storage.try_lock(path).map_err(|error| storage_error("lock", path, error));
        let held = lock(&file.lock_path())?.ok_or_else(in_use)?;
        // A process of an earlier version may hold it where it was then.
        let unreadable = |error| storage_error("read", &file.path(), error);
        let old_lock = file.old_lock_path(storage).map_err(unreadable)?;
        let old_held = old_lock.map(|path| lock(&path)?.ok_or_else(in_use)).transpose()?;
        let known = match file.read(storage).map_err(unreadable)? {
            Saved::Nothing => None,
            Saved::At(positions) => Some(positions),
            Saved::Damaged => {
                tracing::warn!(path = %file.path().display(), "a cursor is damaged; its subscription begins anew");
                None
            }
        };
        if let Some(old_held) = old_held
            && let Err(error) = old_held.remove()
        {
            tracing::debug!(%error, name, %signal, "the lock of an earlier version stays");
        }
        Ok((Self { file, _lock: held }, known))
    }

    /// Writes the cursor, so that it survives a power cut.
    pub(crate) fn write(&self, storage: &dyn Storage, positions: &Positions) -> Result<()> {
        let written = self.file.write(storage, positions).and_then(|()| storage.sync_dir(self.file.dir()));
        written.map_err(|error| storage_error("write", &self.file.path(), error))
    }
}

impl Log {
    /// Moves what subscriptions of an earlier version, named as the folders of kinds are now, have left in these folders: to be
    /// called before the first cursor of a process. `cursors/forward/logs` would be in the way of a destination called `logs`.
    pub fn clear_cursor_folders(&self) {
        for name in KINDS {
            let files = self.storage().list(&self.layout().cursors_dir().join(name)).unwrap_or_default();
            for signal in Signal::ALL.into_iter().filter(|signal| files.iter().any(|file| file.name == signal.as_str()))
            {
                if let Err(error) = HeldCursor::take(self, signal, name) {
                    tracing::warn!(%error, name, %signal, "the cursor of an earlier version stays where it is");
                }
            }
        }
    }
}

/// Letters, digits, `.`, `_` and `-`, beginning with a letter or a digit: safe as a folder on every system.
fn check_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let begins = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if begins && name.len() <= 64 && name.bytes().all(plain) && !name.ends_with('.') {
        return Ok(());
    }
    Err(OtlpError::new(
        Code::InvalidConfig,
        format!(
            "{name:?} cannot name a subscription: use up to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
        ),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::disk::names::{Stem, WriterId};
    use crate::disk::storage_os::OsStorage;
    use crate::log::position::Position;

    #[test]
    fn names_are_safe_as_folders() {
        for name in ["a", "alerts-2.prod_x", "0", &"n".repeat(64)] {
            check_name(name).unwrap();
        }
        for name in ["", ".", "..", ".a", "-a", "a/b", "a\\b", "a b", "é", "a.", &"n".repeat(65)] {
            assert_eq!(check_name(name).unwrap_err().code(), Code::InvalidConfig, "{name:?}");
        }
    }

    /// A cursor of `name` where an earlier version kept it, and what it says.
    fn old_cursor(dir: &Path, name: &str) -> Positions {
        let stem = Stem { created_ms: 7, writer: WriterId(1), seq: 2 };
        let positions = Positions::from([(WriterId(1), Position { stem, row: 3 })]);
        let before = Log::read_only(dir.join("before"));
        let written = before.cursor(Consumer::Subscription { name, signal: Signal::Logs });
        written.write(&OsStorage, &positions).unwrap();
        let old = dir.join("cursors").join(name);
        std::fs::create_dir_all(&old).unwrap();
        std::fs::rename(written.path(), old.join("logs")).unwrap();
        std::fs::write(old.join("logs.lock"), "").unwrap();
        positions
    }

    #[test]
    fn a_cursor_of_an_earlier_version_is_taken_over_unless_it_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::read_only(dir.path());
        let positions = old_cursor(dir.path(), "tail");
        let old = dir.path().join("cursors/tail");
        let in_use = OsStorage.try_lock(&old.join("logs.lock")).unwrap().unwrap();
        assert_eq!(HeldCursor::take(&log, Signal::Logs, "tail").unwrap_err().code(), Code::Unavailable);
        drop(in_use);
        let (held, known) = HeldCursor::take(&log, Signal::Logs, "tail").unwrap();
        assert_eq!(known, Some(positions.clone()));
        assert_eq!(std::fs::read_dir(&old).unwrap().count(), 0, "nothing is left there");
        assert_eq!(HeldCursor::take(&log, Signal::Logs, "tail").unwrap_err().code(), Code::Unavailable);
        drop(held);
        assert_eq!(HeldCursor::take(&log, Signal::Logs, "tail").unwrap().1, Some(positions));
    }

    #[test]
    fn names_that_have_become_folders_of_kinds_are_not_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::read_only(dir.path());
        let positions = KINDS.map(|name| old_cursor(dir.path(), name));
        log.clear_cursor_folders();
        let consumer = Consumer::Forward { destination: "logs", writer: WriterId(1), signal: Signal::Logs };
        log.cursor(consumer).write(&OsStorage, &positions[0]).unwrap();
        for (name, positions) in KINDS.into_iter().zip(positions) {
            assert_eq!(HeldCursor::take(&log, Signal::Logs, name).unwrap().1, Some(positions), "{name}");
        }
        assert!(HeldCursor::take(&log, Signal::Logs, "logs").unwrap().1.is_none());
        assert!(
            HeldCursor::take(&log, Signal::Logs, "subscription").unwrap().1.is_some(),
            "the folder of `logs` is not its cursor"
        );
    }
}
