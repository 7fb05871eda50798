//! How far a named consumer has come: a small file, checksummed, and replaced as a whole.

use std::io;
use std::path::{Path, PathBuf};

use otlp_arrow_columns::Signal;

use super::Log;
use crate::disk::fault::storage_error;
use crate::disk::storage::{FileLock, Storage};
use crate::log::position::{Position, Positions};
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// The first line of a cursor file.
const HEADER: &str = "otlp-arrow cursor 1";
/// No cursor file is longer: some 90 bytes a writer.
const MAX_BYTES: u64 = 16 << 20;

/// The cursor of one name and signal, held by this process.
#[derive(Debug)]
pub(crate) struct Cursor {
    dir: PathBuf,
    path: PathBuf,
    fresh: PathBuf,
    _lock: Box<dyn FileLock>,
}

impl Cursor {
    /// Takes the cursor `name` of `signal`, and what it says, or `None` when it is new.
    ///
    /// UNAVAILABLE while somebody else holds it. A cursor that cannot be read is told in the log, and as good as new.
    pub(crate) fn take(log: &Log, signal: Signal, name: &str) -> Result<(Self, Option<Positions>)> {
        check_name(name)?;
        let dir = log.layout().cursors_dir().join(name);
        let fail = |step: &str, path: &Path, error| storage_error(step, path, error);
        log.storage().create_dir_all(&dir).map_err(|error| fail("create", &dir, error))?;
        let lock_path = dir.join(format!("{signal}.lock"));
        let Some(lock) = log.storage().try_lock(&lock_path).map_err(|error| fail("lock", &lock_path, error))? else {
            let message =
                format!("the subscription {name:?} to {signal} is in use: end it first, or take another name");
            return Err(OtlpError::new(Code::Unavailable, message));
        };
        let (path, fresh) = (dir.join(signal.as_str()), dir.join(format!("{signal}.new")));
        let known = match read(&**log.storage(), &path).map_err(|error| fail("read", &path, error))? {
            None => None,
            Some(text) => match parse(&text) {
                Some(positions) => Some(positions),
                None => {
                    tracing::warn!(path = %path.display(), "a cursor is damaged; its subscription begins anew");
                    None
                }
            },
        };
        Ok((Self { dir, path, fresh, _lock: lock }, known))
    }

    /// Writes the cursor, so that it survives a power cut.
    pub(crate) fn write(&self, storage: &dyn Storage, positions: &Positions) -> Result<()> {
        let write = || -> io::Result<()> {
            match storage.remove(&self.fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = storage.create(&self.fresh)?;
            file.append(text(positions).as_bytes())?;
            file.sync()?;
            drop(file);
            storage.replace(&self.fresh, &self.path)?;
            storage.sync_dir(&self.dir)
        };
        write().map_err(|error| storage_error("write", &self.path, error))
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

fn text(positions: &Positions) -> String {
    let mut text = format!("{HEADER}\n");
    for position in positions.values() {
        text += &format!("{position}\n");
    }
    let crc = crc32c::crc32c(text.as_bytes());
    text + &format!("{crc:08x}\n")
}

fn parse(text: &str) -> Option<Positions> {
    let body = text.strip_suffix('\n')?;
    let (body, crc) = body.split_at_checked(body.rfind('\n')? + 1)?;
    if crc.len() != 8 || u32::from_str_radix(crc, 16) != Ok(crc32c::crc32c(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    if lines.next() != Some(HEADER) {
        return None;
    }
    lines.map(|line| line.parse::<Position>().ok().map(|position| (position.stem.writer, position))).collect()
}

fn read(storage: &dyn Storage, path: &Path) -> io::Result<Option<String>> {
    let file = match storage.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = vec![0; file.len()?.min(MAX_BYTES) as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::disk::names::{Stem, WriterId};

    fn positions() -> Positions {
        let position = |writer, seq, row| Position { stem: Stem { created_ms: 7, writer: WriterId(writer), seq }, row };
        [position(1, 4, 17), position(2, 9, u64::MAX)].map(|position| (position.stem.writer, position)).into()
    }

    #[test]
    fn a_cursor_survives_its_text_and_no_damage() {
        assert_eq!(parse(&text(&positions())), Some(positions()));
        assert_eq!(parse(&text(&Positions::new())), Some(Positions::new()));
        let whole = text(&positions());
        for at in 0..whole.len() {
            let mut damaged = whole.clone().into_bytes();
            damaged[at] ^= 1;
            assert_eq!(parse(&String::from_utf8(damaged).unwrap()), None, "byte {at}");
            assert_eq!(parse(&whole[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn names_are_safe_as_folders() {
        for name in ["a", "alerts-2.prod_x", "0", &"n".repeat(64)] {
            check_name(name).unwrap();
        }
        for name in ["", ".", "..", ".a", "-a", "a/b", "a\\b", "a b", "é", "a.", &"n".repeat(65)] {
            assert_eq!(check_name(name).unwrap_err().code(), Code::InvalidConfig, "{name:?}");
        }
    }
}
