//! One stream of a dead writer: its longest whole prefix is sealed, the rest is set aside or counted.

use std::io;
use std::path::{Path, PathBuf};

use otlp_arrow_columns::Signal;

use super::context::Context;
use super::seal::{Outcome, seal, unlink};
use crate::disk::failpoint::Point;
use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Stem};
use crate::disk::storage::ReadFile;
use crate::file;
use crate::file::scan::{Check, StreamScan};
use crate::log::read::SetAside;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::event::EventName;

/// Files in quarantine that may come from one stream.
const MOST_COPIES: u32 = 1000;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// So many rows are sealed.
    Sealed(u64),
    /// Its sealed form was there already.
    Superseded,
    /// It held no whole commit, or nothing at all, and is deleted.
    Empty,
    /// Nothing in it could be read; it is in `quarantine/`.
    Quarantined,
    /// A newer version wrote it; it is left alone.
    Newer,
    /// It went while we looked.
    Gone,
}

/// Looks at a sealed file of a dead writer; whether it is there and counts from now on. One that cannot be read is set
/// aside, and then its stream counts again if that is there still: it is not deleted before every byte was checked.
pub(crate) fn sealed_counts(ctx: &Context, signal: Signal, stem: &Stem, stream_is_there: bool) -> Result<bool> {
    let path = ctx.layout.data(signal, stem, Form::Sealed);
    let state = match ctx.storage.open(&path).and_then(|file| file::sealed_state(&*file, stream_is_there)) {
        Ok(state) => state,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(storage_error("read", &path, error)),
    };
    match state {
        file::SealedState::Whole => Ok(true),
        file::SealedState::Newer => {
            announce_newer(ctx, stem, &path, None);
            Ok(true)
        }
        file::SealedState::Damaged => {
            set_file_aside(ctx, signal, stem, Form::Sealed, "this file cannot be read as a whole sealed file")?;
            Ok(false)
        }
    }
}

/// A reader found that a sealed file does not hold: it is set aside as well, unless a living process has to do with it.
/// Whether it is gone from where readers look.
fn set_unreadable_aside(ctx: &Context, signal: Signal, stem: &Stem) -> Result<bool> {
    // Whoever forwards or follows it tells the loss and goes on behind it by itself.
    let needed = ctx.hooks.holds().iter().any(|hold| hold.first_needed(signal, stem).is_some());
    if needed || ctx.is_closed() {
        return Ok(false);
    }
    if stem.writer == ctx.writer {
        // Of our own files the stream goes by itself once it is sealed; as long as it is there, that is at work.
        let stream = ctx.storage.open(&ctx.layout.data(signal, stem, Form::Live));
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

impl SetAside for Context {
    fn set_aside(&self, signal: Signal, stem: &Stem) -> Result<bool> {
        set_unreadable_aside(self, signal, stem)
    }
}

/// Recovers one stream that nobody appends to. It is never written to.
pub(crate) fn recover(ctx: &Context, signal: Signal, stem: &Stem, sealed_is_there: bool) -> Result<Recovered> {
    let path = ctx.layout.data(signal, stem, Form::Live);
    if sealed_is_there && sealed_counts(ctx, signal, stem, true)? {
        // Whoever named it may have ended before that name was sure to survive; the stream goes only after it is.
        let dir = ctx.layout.signal_dir(signal);
        ctx.sync_dir(&dir).map_err(|error| storage_error("sync", &dir, error))?;
        return unlink(ctx, signal, stem)
            .map(|()| Recovered::Superseded)
            .map_err(|error| storage_error("delete", &path, error));
    }
    let file = match ctx.storage.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Recovered::Gone),
        Err(error) => return Err(storage_error("read", &path, error)),
    };
    let scan = file::scan::stream(&*file, Check::Full).map_err(|error| storage_error("read", &path, error))?;
    if file::is_newer(scan.version.as_deref()) {
        announce_newer(ctx, stem, &path, scan.version.as_deref());
        return Ok(Recovered::Newer);
    }
    if scan.commits.is_empty() {
        return nothing_whole(ctx, signal, stem, file, &scan);
    }
    if scan.tail_non_zero {
        let reason = format!(
            "{} of {} bytes behind the last whole commit do not hold: a write that was cut short, or damage",
            scan.len - scan.valid_len(),
            scan.len
        );
        set_tail_aside(ctx, signal, stem, &*file, scan.valid_len(), &reason)?;
    }
    drop(file);
    match seal(ctx, signal, stem, scan.valid_len(), scan.rows(), &mut || true)? {
        Outcome::Sealed => {}
        Outcome::Gone => return Ok(Recovered::Gone),
        Outcome::Stopped => return Err(OtlpError::new(Code::Internal, "recovery was stopped by nobody")),
    }
    if let Err(error) = unlink(ctx, signal, stem) {
        tracing::debug!(%error, path = %path.display(), "a stream that is sealed stays for now");
    }
    let message = format!(
        "{} was left by a process that ended without closing it; {} records are kept",
        path.display(),
        scan.rows()
    );
    ctx.event(EventName::FileRecovered, Some(signal), Some(scan.rows()), message);
    Ok(Recovered::Sealed(scan.rows()))
}

fn announce_newer(ctx: &Context, stem: &Stem, path: &Path, version: Option<&str>) {
    if ctx.add_newer(stem) {
        tracing::warn!(path = %path.display(), version, "a newer version of otlp-arrow wrote this file; it is left alone");
    }
}

fn nothing_whole(
    ctx: &Context,
    signal: Signal,
    stem: &Stem,
    file: Box<dyn ReadFile>,
    scan: &StreamScan,
) -> Result<Recovered> {
    let path = ctx.layout.data(signal, stem, Form::Live);
    // A first commit that was cut short was never acknowledged; anything else may be worth a person's look, above all
    // damage in front of commits that are whole.
    let cut_short = scan.version.is_some()
        && file::scan::is_first_commit_cut_short(&*file).map_err(|error| storage_error("read", &path, error))?;
    drop(file);
    if !scan.tail_non_zero || cut_short {
        ctx.storage.remove(&path).map_err(|error| storage_error("delete", &path, error))?;
        let message = format!("{} held no whole commit and is deleted: nothing in it was acknowledged", path.display());
        ctx.event(EventName::FileRecovered, Some(signal), Some(0), message);
        return Ok(Recovered::Empty);
    }
    let reason = match scan.version {
        Some(_) => "the first commit of this stream does not hold, and what follows counts from it",
        None => "nothing in this file can be read as a stream of commits",
    };
    set_file_aside(ctx, signal, stem, Form::Live, reason)?;
    Ok(Recovered::Quarantined)
}

/// Moves a file that cannot be read into `quarantine/`, with the reason beside it.
fn set_file_aside(ctx: &Context, signal: Signal, stem: &Stem, form: Form, reason: &str) -> Result<()> {
    let (path, dir) = (ctx.layout.data(signal, stem, form), ctx.layout.quarantine_dir());
    ctx.storage.create_dir_all(&dir).map_err(|error| storage_error("create", &dir, error))?;
    write_reason(ctx, signal, stem, reason)?;
    let target = Point::Quarantine
        .around(|| move_aside(ctx, &path, &dir, &format!("{signal}-{stem}"), form))
        .map_err(|error| storage_error("move to quarantine", &path, error))?;
    let message = format!("{} cannot be read ({reason}) and is kept as {}", path.display(), target.display());
    ctx.event(EventName::FileQuarantined, Some(signal), None, message);
    Ok(())
}

/// Moves a file into `dir` under `name`, or the next one that is free: a power cut may bring a file back that was moved.
fn move_aside(ctx: &Context, path: &Path, dir: &Path, name: &str, form: Form) -> io::Result<PathBuf> {
    let mut copy = 1;
    loop {
        let number = if copy == 1 { String::new() } else { format!(".{copy}") };
        let target = dir.join(format!("{name}{number}.{}", form.extension()));
        match ctx.storage.rename(path, &target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && copy < MOST_COPIES => copy += 1,
            done => return done.and_then(|()| ctx.sync_way_to(dir)).map(|()| target),
        }
    }
}

/// Copies everything from `offset` on into `quarantine/`, with the reason beside it.
fn set_tail_aside(
    ctx: &Context,
    signal: Signal,
    stem: &Stem,
    file: &dyn ReadFile,
    offset: u64,
    reason: &str,
) -> Result<()> {
    let dir = ctx.layout.quarantine_dir();
    let target = dir.join(format!("{signal}-{stem}.tail"));
    let fail = |error| storage_error("set a damaged tail aside as", &target, error);
    ctx.storage.create_dir_all(&dir).map_err(fail)?;
    Point::Quarantine.before();
    match ctx.storage.create(&target) {
        // An earlier recovery came this far; what it wrote may be cut short.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            ctx.storage.remove(&target).and_then(|()| ctx.storage.create(&target))
        }
        done => done,
    }
    .and_then(|mut copy| {
        let (mut at, mut buffer) = (offset, vec![0; 256 << 10]);
        loop {
            match file.read_at(at, &mut buffer)? {
                0 => return copy.sync().and_then(|()| ctx.sync_way_to(&dir)),
                read => {
                    copy.append(&buffer[..read])?;
                    at += read as u64;
                }
            }
        }
    })
    .map_err(fail)?;
    write_reason(ctx, signal, stem, reason)?;
    Point::Quarantine.after();
    let message = format!("{reason}; kept as {}", target.display());
    ctx.event(EventName::FileQuarantined, Some(signal), None, message);
    Ok(())
}

fn write_reason(ctx: &Context, signal: Signal, stem: &Stem, reason: &str) -> Result<()> {
    let path = ctx.layout.quarantine_dir().join(format!("{signal}-{stem}.reason"));
    let done = match ctx.storage.create(&path) {
        Ok(mut file) => file.append(format!("{reason}\n").as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    done.map_err(|error| storage_error("write", &path, error))
}
