//! What cannot be read is set aside for a person to look at, never deleted.

use std::io;
use std::path::{Path, PathBuf};

use otlp_arrow_columns::Signal;

use super::context::Context;
use crate::disk::failpoint::Point;
use crate::disk::fault::storage_error;
use crate::disk::names::Stem;
use crate::disk::storage::ReadFile;
use crate::file::form::Form;
use otlp_arrow_base::error::Result;
use otlp_arrow_base::event::EventName;

/// Files in quarantine that may come from one stream.
const MOST_COPIES: u32 = 1000;

/// Moves a file that cannot be read into `quarantine/`, with the reason beside it.
pub(crate) fn set_file_aside(ctx: &Context, signal: Signal, stem: &Stem, form: Form, reason: &str) -> Result<()> {
    let (path, dir) = (ctx.log.path(signal, stem, form), ctx.layout.quarantine_dir());
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
pub(crate) fn set_tail_aside(
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
