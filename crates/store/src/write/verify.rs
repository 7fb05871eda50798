//! Looks at sealed files: which counts, and which is set aside because it does not hold.

use std::path::Path;

use otlp_arrow_columns::Signal;

use super::context::Context;
use super::quarantine::set_file_aside;
use crate::disk::fault::storage_error;
use crate::disk::names::Stem;
use crate::file::form::{FileState, Form};
use crate::file::scan::Check;
use crate::log::files::{Found, Look};
use crate::log::read::SetAside;
use otlp_arrow_base::error::Result;

/// Looks at a sealed file of a dead writer; whether it is there and counts from now on. One that cannot be read is set
/// aside, and then its stream counts again if that is there still: it is not deleted before every byte was checked.
pub(crate) fn sealed_counts(ctx: &Context, signal: Signal, stem: &Stem, stream_is_there: bool) -> Result<bool> {
    let Found { file, form, path } = match ctx.log.find_stem(signal, stem, Look::Above(Form::LIVE)) {
        Ok(found) => found,
        Err(error) if error.is_gone() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let check = if stream_is_there { Check::Full } else { Check::Heads };
    let state = form.state(&*file, check).map_err(|error| storage_error("read", &path, error))?;
    // Closed before it is moved: Windows moves no open file.
    drop(file);
    match state {
        FileState::Whole => Ok(true),
        FileState::Newer => {
            announce_newer(ctx, stem, &path, None);
            Ok(true)
        }
        FileState::Damaged => {
            set_file_aside(ctx, signal, stem, form, "this file cannot be read as a complete sealed file")?;
            Ok(false)
        }
    }
}

/// A reader found that a sealed file does not hold: it is set aside as well, unless a living process has to do with it.
/// Whether it is gone from where readers look.
fn set_unreadable_aside(ctx: &Context, signal: Signal, stem: &Stem) -> Result<bool> {
    // Whoever forwards or follows it reports the loss and continues behind it by itself.
    let needed = ctx.hooks.holds().iter().any(|hold| hold.first_needed(signal, stem).is_some());
    if needed || ctx.is_closed() {
        return Ok(false);
    }
    if stem.writer == ctx.writer {
        // Of our own files the stream goes by itself once it is sealed; as long as it is there, that is at work.
        let stream = ctx.storage.open(&ctx.log.path(signal, stem, Form::LIVE));
        return Ok(stream.is_err() && !sealed_counts(ctx, signal, stem, true)?);
    }
    let (dir, path) = (ctx.layout.writers_dir(), ctx.layout.writer_lock(stem.writer));
    ctx.storage.create_dir_all(&dir).map_err(|error| storage_error("create", &dir, error))?;
    let was_there = !ctx.storage.is_missing(&path);
    let lock = ctx.storage.try_lock(&path).map_err(|error| storage_error("lock", &path, error))?;
    let Some(lock) = lock else { return Ok(false) };
    let done = sealed_counts(ctx, signal, stem, true).map(|counts| !counts);
    // A lock file says that something of the writer is left to be done: only what was there before stays.
    if !was_there && let Err(error) = lock.remove() {
        tracing::debug!(%error, path = %path.display(), "a dead writer's lock file stays for now");
    }
    done
}

/// A newer version wrote this file: said once.
pub(crate) fn announce_newer(ctx: &Context, stem: &Stem, path: &Path, version: Option<&str>) {
    if ctx.add_newer(stem) {
        tracing::warn!(path = %path.display(), version, "a newer version of otlp-arrow wrote this file; it is left alone");
    }
}

impl SetAside for Context {
    fn set_aside(&self, signal: Signal, stem: &Stem) -> Result<bool> {
        set_unreadable_aside(self, signal, stem)
    }
}
