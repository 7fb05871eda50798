//! From a closed stream to a sealed file: each step leaves the directory in a state that everybody reads the same way.

use std::io;
use std::path::Path;

use otlp_arrow_columns::Signal;

use super::context::Context;
use super::verify::sealed_counts;
use crate::disk::failpoint::Point;
use crate::disk::fault::storage_error;
use crate::disk::names::Stem;
use crate::file::compact::compact;
use crate::file::error::ReadError;
use crate::file::form::Form;
use crate::file::scan::Check;
use crate::log::files::Look;
use crate::settings::SealingCompression;
use otlp_arrow_base::error::{Code, OtlpError, Result};

/// The last step, for errors.
const NAME: &str = "name the sealed file";

/// What became of a file that was to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealOutcome {
    /// `.arrow` is there, with so many bytes, and counts from now on.
    Sealed(u64),
    /// `go_on` said no.
    Stopped,
    /// The stream is not there any more: retention or somebody else deleted it.
    Gone,
}

/// Seals the first `len` bytes, `rows` rows, of a stream that nobody appends to. The stream stays; see [`unlink`].
pub(crate) fn seal(
    ctx: &Context,
    signal: Signal,
    stem: &Stem,
    len: u64,
    rows: u64,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<SealOutcome, ReadError> {
    let storage = &*ctx.storage;
    let (source, target) = (ctx.log.path(signal, stem, Form::LIVE), ctx.log.path(signal, stem, Form::SEALED));
    if let Err(error) = storage.open(&source)
        && error.kind() == io::ErrorKind::NotFound
    {
        return Ok(SealOutcome::Gone);
    }
    let tmp = ctx.layout.tmp(stem);
    storage
        .create_dir_all(&ctx.layout.tmp_dir())
        .map_err(|error| storage_error("create", &ctx.layout.tmp_dir(), error))?;
    // What an earlier attempt left; nobody reads in tmp/.
    remove_if_there(ctx, &tmp)?;
    let level = match ctx.settings.sealing.compression {
        SealingCompression::Zstd => Some(ctx.settings.sealing.level),
        SealingCompression::None => None,
    };
    let Some(sealed) = compact(storage, &source, len, &tmp, level, go_on)? else {
        return Ok(SealOutcome::Stopped);
    };
    if sealed.rows != rows {
        let _ = storage.remove(&tmp);
        let message =
            format!("{} has {} rows where {rows} were committed: it stays as it is", source.display(), sealed.rows);
        return Err(OtlpError::new(Code::Internal, message).into());
    }
    match Point::Rename.around(|| storage.rename(&tmp, &target)) {
        Ok(()) => {}
        // An earlier attempt came this far, or somebody else has put something there: the stream goes only for the former.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let done = match holds(ctx, signal, stem, rows) {
                Ok(true) => Ok(()),
                Ok(false) => storage.rename(&tmp, &target).map_err(|error| storage_error(NAME, &target, error)),
                Err(error) => Err(error),
            };
            let _ = storage.remove(&tmp);
            done?;
        }
        Err(error) => {
            let _ = storage.remove(&tmp);
            return Err(storage_error(NAME, &target, error).into());
        }
    }
    let dir = ctx.layout.signal_dir(signal);
    ctx.sync_dir(&dir).map_err(|error| storage_error("sync", &dir, error))?;
    Ok(SealOutcome::Sealed(sealed.bytes))
}

/// Whether the sealed form is there with all of these rows. What cannot be read in its place is set aside.
fn holds(ctx: &Context, signal: Signal, stem: &Stem, rows: u64) -> Result<bool> {
    if !sealed_counts(ctx, signal, stem, true)? {
        return Ok(false);
    }
    let found = ctx.log.find_stem(signal, stem, Look::Above(Form::LIVE))?;
    let there = found.committed(Some(Check::Heads))?.rows;
    if there == rows {
        return Ok(true);
    }
    let message = format!(
        "{} is not ours: it has {there} rows where {rows} were committed; move it out of the directory",
        found.path.display()
    );
    Err(OtlpError::new(Code::Internal, message))
}

/// Deletes a stream whose sealed form is there. Failing is a normal state: the stream does not count any more.
pub(crate) fn unlink(ctx: &Context, signal: Signal, stem: &Stem) -> io::Result<()> {
    let path = ctx.log.path(signal, stem, Form::LIVE);
    match Point::Unlink.around(|| ctx.storage.remove(&path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove_if_there(ctx: &Context, path: &Path) -> Result<()> {
    match ctx.storage.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage_error("delete", path, error)),
        _ => Ok(()),
    }
}
