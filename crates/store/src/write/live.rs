//! The file that one signal's commits are appended to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;

use super::context::Context;
use super::seal_queue::{Rotated, SealQueue};
use crate::disk::failpoint::Point;
use crate::disk::fault::storage_error;
use crate::disk::names::Stem;
use crate::disk::storage::WriteFile;
use crate::file::form::Form;
use crate::log::own_files::OwnFile;
use crate::settings::{Durability, Rotation};
use otlp_arrow_base::error::{Code, OtlpError};

/// A live file is closed after so many commits, whatever its size: sealing merges them.
pub(crate) const MAX_COMMITS: u32 = 16_384;

/// Whether a file of `bytes` and `commits`, created `age` ago, is to be closed. Pure.
pub(crate) fn is_due(rotation: &Rotation, bytes: u64, commits: u32, age: Duration) -> bool {
    commits > 0 && (bytes >= rotation.max_bytes || commits >= MAX_COMMITS || age >= rotation.max_age)
}

/// A live file, valid up to `len`.
#[derive(Debug)]
pub(crate) struct LiveFile {
    file: Box<dyn WriteFile>,
    pub(crate) path: PathBuf,
    pub(crate) stem: Stem,
    signal: Signal,
    /// Bytes up to the end of the last commit.
    pub(crate) len: u64,
    /// Rows up to there.
    pub(crate) rows: u64,
    commits: u32,
    began: Instant,
}

/// What became of a commit that was not made.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The file is as it was before.
    Undone(io::Error),
    /// The file cannot be trusted beyond its last commit, or synced: nothing more is appended to it.
    Abandoned {
        /// What failed.
        error: io::Error,
        /// Whether the batch may go to another file.
        elsewhere: Elsewhere,
    },
}

/// Whether a batch that could not be committed may go to another file, without ever being found twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// It may be in the file.
    No,
    /// It never was in the file.
    Yes,
    /// It was cut off; a power cut may bring it back until the file is abandoned.
    AfterAbandoning,
}

/// How a live file lies on the disk, as far as its name and length tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDisk {
    AsWritten,
    /// It is shorter: what is appended to the rest of it is found by nobody.
    Cut,
    Gone,
}

impl LiveFile {
    /// Creates the file; its first commit follows at once.
    pub(crate) fn create(ctx: &Context, signal: Signal, now: Instant) -> io::Result<Self> {
        let stem = ctx.next_stem();
        let path = ctx.log.path(signal, &stem, Form::LIVE);
        let file = Point::Create.around(|| match ctx.storage.create(&path) {
            // At the first file, or when somebody deleted the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ctx.storage.create_dir_all(&ctx.layout.signal_dir(signal))?;
                ctx.storage.create(&path)
            }
            done => done,
        })?;
        Ok(Self { file, path, stem, signal, len: 0, rows: 0, commits: 0, began: now })
    }

    /// Appends one commit, and syncs it where the durability asks for it.
    pub(crate) fn commit(&mut self, ctx: &Context, parts: &[&[u8]], rows: u64) -> Result<(), Failed> {
        // The name of a new file must survive as well, and does so before there is anything that could come back in it.
        if self.commits == 0
            && ctx.settings.durability == Durability::Synced
            && let Err(error) = ctx.sync_way_to(&ctx.layout.signal_dir(self.signal))
        {
            return Err(Failed::Abandoned { error, elsewhere: Elsewhere::Yes });
        }
        if let Err(error) = Point::Write.around(|| self.file.append_parts(parts)) {
            return Err(match self.file.truncate(self.len) {
                Ok(()) => Failed::Undone(error),
                Err(_) => Failed::Abandoned { error, elsewhere: Elsewhere::No },
            });
        }
        if ctx.settings.durability == Durability::Synced
            && let Err(error) = Point::Fdatasync.around(|| self.file.sync())
        {
            // What could not be synced goes to another file, but only if it is not found here a second time.
            let cut = self.file.truncate(self.len).is_ok();
            let elsewhere = if cut { Elsewhere::AfterAbandoning } else { Elsewhere::No };
            return Err(Failed::Abandoned { error, elsewhere });
        }
        self.len += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        self.rows += rows;
        self.commits += 1;
        let own = OwnFile { signal: self.signal, len: self.len, rows: self.rows, live: true };
        ctx.own.set(&self.stem, own);
        Ok(())
    }

    /// What somebody else has made of it.
    pub(crate) fn on_disk(&self, ctx: &Context) -> OnDisk {
        match ctx.storage.open(&self.path).and_then(|file| file.len()) {
            Ok(len) if len < self.len => OnDisk::Cut,
            Err(error) if error.kind() == io::ErrorKind::NotFound => OnDisk::Gone,
            _ => OnDisk::AsWritten,
        }
    }

    pub(crate) fn is_due(&self, rotation: &Rotation, now: Instant) -> bool {
        is_due(rotation, self.len, self.commits, now.saturating_duration_since(self.began))
    }

    /// When it will be due by age.
    pub(crate) fn due_at(&self, rotation: &Rotation) -> Option<Instant> {
        self.began.checked_add(rotation.max_age)
    }

    /// Closes it after a sync that failed, so that what was cut off behind its last commit counts nowhere, even if a power
    /// cut brings it back: sealed up to there, or deleted, and that synced. Only then may the batch go to another file.
    pub(crate) fn abandon(self, ctx: &Context, seals: &Arc<SealQueue>) -> Result<(), OtlpError> {
        if self.rows == 0 {
            let (dir, path) = (ctx.layout.signal_dir(self.signal), self.path.clone());
            self.close(ctx, seals);
            if !ctx.storage.is_missing(&path) {
                return Err(OtlpError::new(Code::StorageFailed, format!("{} cannot be deleted", path.display())));
            }
            return ctx.sync_dir(&dir).map_err(|error| storage_error("sync", &dir, error));
        }
        let Self { file, stem, signal, len, rows, .. } = self;
        drop(file);
        ctx.own.set(&stem, OwnFile { signal, len, rows, live: false });
        seals.seal_now(Rotated { signal, stem, len, rows })
    }

    /// Closes it, to be sealed; without a commit it is deleted.
    pub(crate) fn close(self, ctx: &Context, seals: &Arc<SealQueue>) {
        let Self { file, path, stem, signal, len, rows, .. } = self;
        Point::Rotate.around(|| drop(file));
        if rows == 0 {
            if let Err(error) = ctx.storage.remove(&path) {
                tracing::debug!(%error, path = %path.display(), "an empty file stays; the next writer removes it");
            }
            return;
        }
        ctx.own.set(&stem, OwnFile { signal, len, rows, live: false });
        seals.push(Rotated { signal, stem, len, rows });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_due_by_bytes_commits_or_age_and_never_empty() {
        let rotation = Rotation { max_bytes: 100, max_age: Duration::from_secs(10) };
        let (old, young) = (Duration::from_secs(10), Duration::from_millis(9_999));
        for (bytes, commits, age, due) in [
            (99, 1, young, false),
            (100, 1, young, true),
            (99, MAX_COMMITS - 1, young, false),
            (99, MAX_COMMITS, young, true),
            (1, 1, old, true),
            (1000, 0, old, false),
        ] {
            assert_eq!(is_due(&rotation, bytes, commits, age), due, "{bytes} {commits} {age:?}");
        }
    }
}
