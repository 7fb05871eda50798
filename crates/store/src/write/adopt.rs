//! Taking over the files of writers that are dead, each under its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use otlp_arrow_columns::Signal;

use super::admission::Admission;
use super::context::Context;
use super::recover::{Recovered, recover};
use super::verify::sealed_counts;
use crate::disk::failpoint::Point;
use crate::disk::fault::storage_error;
use crate::disk::names::{Stem, WriterId};
use crate::file::form::Form;
use crate::log::hooks::AdoptedWriter;
use otlp_arrow_base::log_limit::Repeated;

/// What one round of adoption did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Dead writers of which everything was taken over.
    pub(crate) writers: usize,
    /// Streams of dead writers that were looked at.
    pub(crate) files: usize,
    /// Streams that could not be recovered for now, or for which there was no time.
    pub(crate) left: usize,
}

/// Takes over what dead writers left.
#[derive(Debug)]
pub(crate) struct Adopter {
    ctx: Arc<Context>,
    admission: Arc<Admission>,
    cannot_adopt: Repeated,
}

impl Adopter {
    pub(crate) fn new(ctx: Arc<Context>, admission: Arc<Admission>) -> Self {
        Self { ctx, admission, cannot_adopt: Repeated::default() }
    }

    /// Adopts what dead writers left, until `deadline`. Never fails: what cannot be done now is tried again later.
    pub(crate) fn adopt(&self, deadline: Instant) -> Report {
        let ctx = &*self.ctx;
        let mut report = Report::default();
        let candidates = candidates(ctx);
        if candidates.is_empty() {
            return report;
        }
        // One process at a time takes over others' files; whoever does not get the lock has nothing to do.
        let Ok(Some(_maintenance)) = ctx.maintenance.take(&*ctx.storage, ctx.clock.now()) else { return report };
        for (writer, streams) in candidates {
            if ctx.is_closed() || ctx.clock.now() >= deadline {
                report.left += streams.len();
                continue;
            }
            let dir = ctx.layout.writers_dir();
            let lock = ctx
                .storage
                .create_dir_all(&dir)
                .and_then(|()| ctx.storage.try_lock(&ctx.layout.writer_lock(writer)))
                .map_err(|error| storage_error("lock a writer in", &dir, error));
            match lock {
                Ok(Some(lock)) => self.adopt_writer(AdoptedWriter::new(writer, lock), deadline, &mut report),
                Ok(None) => {} // Alive, or adopted by somebody else.
                Err(error) if self.cannot_adopt.may_warn(ctx.clock.now()) => {
                    tracing::warn!(%error, %writer, "cannot adopt a writer")
                }
                Err(_) => {}
            }
        }
        report
    }

    /// Takes over everything of one dead writer, whose lock we hold.
    fn adopt_writer(&self, adopted: Arc<AdoptedWriter>, deadline: Instant, report: &mut Report) {
        let ctx = &*self.ctx;
        Point::Adopt.before();
        let mut left = 0;
        for signal in Signal::ALL {
            // Listed again under the lock: the writer may have been alive a moment ago.
            let Ok(entries) = ctx.storage.list(&ctx.layout.signal_dir(signal)) else {
                left += 1;
                continue;
            };
            let mut files: Vec<(Stem, Form)> =
                entries.iter().filter_map(|entry| ctx.log.forms().parse(&entry.name)).collect();
            files.retain(|(stem, _)| stem.writer == adopted.id());
            files.sort_by_key(|(stem, form)| (stem.seq, *form));
            let sealed: BTreeSet<&Stem> =
                files.iter().filter(|(_, form)| *form > Form::LIVE).map(|(stem, _)| stem).collect();
            let streams: BTreeSet<&Stem> =
                files.iter().filter(|(_, form)| *form == Form::LIVE).map(|(stem, _)| stem).collect();
            let out_of_time = || ctx.is_closed() || ctx.clock.now() >= deadline;
            for (stem, _) in files.iter().filter(|(_, form)| *form == Form::LIVE) {
                if out_of_time() {
                    left += 1;
                    continue;
                }
                report.files += 1;
                match recover(ctx, signal, stem, sealed.contains(stem)) {
                    Ok(Recovered::Sealed { bytes, .. }) => self.admission.wrote(bytes),
                    Ok(_) => {}
                    Err(error) => {
                        // On a full disk there may be thousands.
                        if self.cannot_adopt.may_warn(ctx.clock.now()) {
                            tracing::warn!(%error, %stem, "cannot recover a file for now; it is tried again, as others may be");
                        }
                        left += 1;
                    }
                }
            }
            // What came with a crash may have damaged them, too; nobody else looks before somebody wants to read them.
            for stem in sealed.difference(&streams) {
                if out_of_time() {
                    left += 1;
                } else if let Err(error) = sealed_counts(ctx, signal, stem, false) {
                    // Another user's, say: whoever reads it is told, and nothing of it waits to be done.
                    tracing::debug!(%error, %stem, "cannot look at a sealed file");
                }
            }
        }
        remove_tmp(ctx, adopted.id());
        Point::Adopt.after();
        report.left += left;
        if left == 0 {
            report.writers += 1;
            hand_on(ctx, adopted);
        }
    }
}

type Streams = BTreeSet<(Signal, Stem)>;

/// Every other writer that has a lock file, a stream or something unfinished in `tmp/`, with its streams. A directory that
/// cannot be listed does not stand in the way of the others.
fn candidates(ctx: &Context) -> BTreeMap<WriterId, Streams> {
    let list = |dir: &Path| {
        ctx.storage.list(dir).unwrap_or_else(|error| {
            tracing::warn!(%error, dir = %dir.display(), "cannot look for files of dead writers");
            Vec::new()
        })
    };
    let mut writers: BTreeMap<WriterId, Streams> = BTreeMap::new();
    for entry in list(&ctx.layout.writers_dir()) {
        if let Some(writer) = entry.name.strip_suffix(".lock").and_then(|id| id.parse().ok()) {
            writers.entry(writer).or_default();
        }
    }
    for signal in Signal::ALL {
        for entry in list(&ctx.layout.signal_dir(signal)) {
            if let Some((stem, form)) = ctx.log.forms().parse(&entry.name)
                && form == Form::LIVE
                && !ctx.is_newer(&stem)
            {
                writers.entry(stem.writer).or_default().insert((signal, stem));
            }
        }
    }
    for entry in list(&ctx.layout.tmp_dir()) {
        if let Ok(stem) = entry.name.parse::<Stem>() {
            writers.entry(stem.writer).or_default();
        }
    }
    writers.remove(&ctx.writer);
    writers
}

fn remove_tmp(ctx: &Context, writer: WriterId) {
    let dir = ctx.layout.tmp_dir();
    for entry in ctx.storage.list(&dir).unwrap_or_default() {
        if entry.name.parse::<Stem>().is_ok_and(|stem| stem.writer == writer)
            && let Err(error) = ctx.storage.remove(&dir.join(&entry.name))
        {
            tracing::debug!(%error, name = entry.name, "an unfinished file stays for now");
        }
    }
}

/// Offers the writer to those who may still need its rows; if nobody does, its lock file goes.
fn hand_on(ctx: &Context, adopted: Arc<AdoptedWriter>) {
    let mut kept = false;
    for hold in ctx.hooks.holds() {
        hold.adopted(&adopted);
        kept |= hold.keeps_writer(adopted.id());
    }
    if let Ok(adopted) = Arc::try_unwrap(adopted)
        && !kept
        && let Err(error) = adopted.remove()
    {
        tracing::debug!(%error, "a dead writer's lock file stays for now");
    }
}
