//! One stream of a dead writer: its longest prefix of complete commits is sealed, the rest is set aside or counted.

use std::io;

use otlp_arrow_columns::Signal;

use super::context::Context;
use super::quarantine::{set_file_aside, set_tail_aside};
use super::seal::{SealOutcome, seal, unlink};
use super::verify::{announce_newer, sealed_counts};
use crate::disk::fault::storage_error;
use crate::disk::names::Stem;
use crate::disk::storage::ReadFile;
use crate::file;
use crate::file::form::Form;
use crate::file::scan::{Check, StreamScan};
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::event::EventName;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// So many rows are sealed, in a file of so many bytes.
    Sealed { rows: u64, bytes: u64 },
    /// Its sealed form was there already.
    Superseded,
    /// It held no complete commit, or nothing at all, and is deleted.
    Empty,
    /// Nothing in it could be read; it is in `quarantine/`.
    Quarantined,
    /// A newer version wrote it; it is left alone.
    Newer,
    /// It went while we looked.
    Gone,
}

/// Recovers one stream that nobody appends to. It is never written to.
pub(crate) fn recover(ctx: &Context, signal: Signal, stem: &Stem, sealed_is_there: bool) -> Result<Recovered> {
    let path = ctx.log.path(signal, stem, Form::LIVE);
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
            "{} of {} bytes behind the last complete commit are not valid: a write that was cut short, or damage",
            scan.len - scan.valid_len(),
            scan.len
        );
        set_tail_aside(ctx, signal, stem, &*file, scan.valid_len(), &reason)?;
    }
    drop(file);
    let bytes = match seal(ctx, signal, stem, scan.valid_len(), scan.rows(), &mut || true)? {
        SealOutcome::Sealed(bytes) => bytes,
        SealOutcome::Gone => return Ok(Recovered::Gone),
        SealOutcome::Stopped => {
            return Err(OtlpError::new(Code::Internal, "recovery stopped though nothing asked it to"));
        }
    };
    if let Err(error) = unlink(ctx, signal, stem) {
        tracing::debug!(%error, path = %path.display(), "a stream that is sealed stays for now");
    }
    let message = format!(
        "{} was left by a process that ended without closing it; {} records are kept",
        path.display(),
        scan.rows()
    );
    ctx.event(EventName::FileRecovered, Some(signal), Some(scan.rows()), message);
    Ok(Recovered::Sealed { rows: scan.rows(), bytes })
}

fn nothing_whole(
    ctx: &Context,
    signal: Signal,
    stem: &Stem,
    file: Box<dyn ReadFile>,
    scan: &StreamScan,
) -> Result<Recovered> {
    let path = ctx.log.path(signal, stem, Form::LIVE);
    // A first commit that was cut short was never acknowledged; anything else may be worth a person's look, above all
    // damage in front of commits that are complete.
    let cut_short = scan.version.is_some()
        && file::scan::is_first_commit_cut_short(&*file).map_err(|error| storage_error("read", &path, error))?;
    drop(file);
    if !scan.tail_non_zero || cut_short {
        ctx.storage.remove(&path).map_err(|error| storage_error("delete", &path, error))?;
        let message =
            format!("{} held no complete commit and was deleted: nothing in it was acknowledged", path.display());
        ctx.event(EventName::FileRecovered, Some(signal), Some(0), message);
        return Ok(Recovered::Empty);
    }
    let reason = match scan.version {
        Some(_) => "the first commit of this stream is damaged, and what follows counts from it",
        None => "nothing in this file can be read as a stream of commits",
    };
    set_file_aside(ctx, signal, stem, Form::LIVE, reason)?;
    Ok(Recovered::Quarantined)
}
