//! Deletes what retention says: lists the directory, asks for a plan, and carries it out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use otlp_arrow_columns::Signal;

use super::admission::Admission;
use super::context::Context;
use super::retention::{Cause, File, plan};
use super::seal_queue::SealQueue;
use crate::disk::failpoint::Point;
use crate::disk::names::{Layout, Stem, WriterId};
use crate::disk::storage::Entry;
use crate::file::form::Form;
use crate::log::hooks::RetentionHold;
use crate::settings::Retention;
use otlp_arrow_base::event::EventName;
use otlp_arrow_base::log_limit::Repeated;

/// An index that is not finished after so long never will be.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// What a sweep found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) deleted: usize,
    /// There is more to do soon.
    pub(crate) again: bool,
    /// More files are too old, and go after so long.
    pub(crate) more_after: Option<Duration>,
    /// Live files alone take more than the directory may.
    pub(crate) rotate: bool,
}

/// A data file with all its forms.
#[derive(Debug)]
struct Data {
    signal: Signal,
    stem: Stem,
    forms: Vec<Form>,
    /// The first row somebody needs.
    needed_from: Option<u64>,
}

impl Data {
    /// Whether somebody may be appending to it, for all that its name says.
    fn may_grow(&self) -> bool {
        self.forms.iter().all(|form| form.grows())
    }
}

/// What was found in directories. One that cannot be listed does not stand in the way of the others.
#[derive(Debug, Default)]
struct Found {
    files: Vec<File>,
    data: Vec<Data>,
    side: Vec<(PathBuf, Entry)>,
    /// Signals whose directory could not be listed.
    unknown: Vec<Signal>,
}

/// Keeps the directory to what retention says.
#[derive(Debug)]
pub(crate) struct Sweeper {
    ctx: Arc<Context>,
    admission: Arc<Admission>,
    seals: Arc<SealQueue>,
    cannot_delete: Repeated,
    cannot_list: Repeated,
}

impl Sweeper {
    pub(crate) fn new(ctx: Arc<Context>, admission: Arc<Admission>, seals: Arc<SealQueue>) -> Self {
        let (cannot_delete, cannot_list) = Default::default();
        Self { ctx, admission, seals, cannot_delete, cannot_list }
    }

    /// Deletes what retention says, under the maintenance lock.
    pub(crate) fn sweep(&self) -> Swept {
        let _maintenance = match self.ctx.maintenance.take(&*self.ctx.storage, self.ctx.clock.now()) {
            Ok(Some(lock)) => lock,
            // Somebody else is at it, and may have looked before what made us look.
            Ok(None) => return Swept { again: true, ..Swept::default() },
            Err(_) => return Swept::default(),
        };
        self.sweep_locked()
    }

    fn sweep_locked(&self) -> Swept {
        let ctx = &*self.ctx;
        let written = self.admission.space.written();
        let Found { files, data, mut side, unknown } = self.look();
        let other: u64 = side.iter().map(|(_, entry)| entry.len).sum();
        let now = ctx.wall.now();
        let settings = &ctx.settings;
        let mut total = other + files.iter().map(|file| file.bytes).sum::<u64>();
        let free = settings.makes_way.then(|| ctx.storage.free_bytes(ctx.layout.root()).ok()).flatten();
        let most = settings.most_bytes(total, free.unwrap_or(u64::MAX));
        let retention = Retention { max_bytes: most, ..settings.retention.clone() };
        let plan = plan(&retention, settings.rotation.max_age, &files, other, now);
        let mut swept = Swept { more_after: plan.more_after, ..Swept::default() };
        let mut postponed = false;
        for (at, cause) in plan.victims {
            match self.delete(&data[at], cause) {
                Ok(true) => {
                    total -= files[at].bytes;
                    swept.deleted += 1;
                }
                Ok(false) => postponed = true,
                Err(error) => {
                    if self.cannot_delete.may_warn(ctx.clock.now()) {
                        tracing::warn!(%error, stem = %data[at].stem, "cannot delete a file that is due");
                    }
                    swept.again = true;
                }
            }
        }
        // What was set aside is a help for a person, not data: of it the oldest goes when nothing else is left.
        side.sort_by_key(|(_, entry)| entry.modified);
        for (path, entry) in side.into_iter().take_while(|_| plan.overfull) {
            if total <= most {
                break;
            }
            if ctx.storage.remove(&path).is_ok() {
                total -= entry.len;
                tracing::warn!(path = %path.display(), "deleted to keep to retention.max_bytes");
            }
        }
        swept.rotate = total > most && ctx.own.any_live();
        swept.again |= swept.rotate || postponed;
        // Nothing is refused while there is something that will make space in a moment; and what was not seen may be too much.
        let overfull = total > settings.retention.max_bytes;
        if unknown.is_empty() {
            self.admission.space.swept(written, total, overfull && !swept.rotate && !postponed);
        }
        for signal in Signal::ALL.into_iter().filter(|signal| !unknown.contains(signal)) {
            let bytes = files.iter().filter(|file| file.signal == signal).map(|file| file.bytes).sum();
            ctx.stats.set_disk_bytes(signal, bytes);
        }
        swept
    }

    fn look(&self) -> Found {
        let ctx = &*self.ctx;
        let mut found = Found::default();
        let holds = ctx.hooks.holds();
        for signal in Signal::ALL {
            match self.listed(&ctx.layout.signal_dir(signal)) {
                Some(entries) => {
                    let first = found.data.len();
                    data_files(ctx, signal, entries, &holds, &mut found);
                    self.count_indexes(signal, first, &mut found);
                }
                None => found.unknown.push(signal),
            }
        }
        found.side.extend(self.side_files());
        found
    }

    fn listed(&self, dir: &Path) -> Option<Vec<Entry>> {
        let entries = self.ctx.storage.list(dir);
        if let Err(error) = &entries
            && self.cannot_list.may_warn(self.ctx.clock.now())
        {
            tracing::warn!(%error, dir = %dir.display(), "cannot look for files that are due to be deleted");
        }
        entries.ok()
    }

    /// Adds what the indexes of files take, for they go with them, and deletes those whose file is gone. `first` is where the
    /// files of `signal` begin.
    fn count_indexes(&self, signal: Signal, first: usize, found: &mut Found) {
        let ctx = &*self.ctx;
        let dir = ctx.layout.index_dir(signal);
        for entry in self.listed(&dir).into_iter().flatten() {
            let path = dir.join(&entry.name);
            let Some(stem) = Layout::indexed(&entry.name) else {
                // One that is not finished, and whose maker may be at it.
                let old = ctx.clock.wall().duration_since(entry.modified).is_ok_and(|age| age > UNFINISHED);
                if !old || ctx.storage.remove(&path).is_err() {
                    found.side.push((path, entry));
                }
                continue;
            };
            match found.data[first..].binary_search_by(|data| data.stem.cmp(&stem)) {
                Ok(at) => found.files[first + at].bytes += entry.len,
                // It may be of a file that was sealed since these were listed.
                Err(_) if ctx.log.listed(signal, &stem).is_err_and(|error| error.is_gone()) => {
                    if ctx.storage.remove(&path).is_err() {
                        found.side.push((path, entry));
                    }
                }
                Err(_) => found.side.push((path, entry)),
            }
        }
    }

    /// Files that are not data: set aside, refused by destinations, unfinished.
    fn side_files(&self) -> Vec<(PathBuf, Entry)> {
        let ctx = &*self.ctx;
        let rejected = ctx.layout.rejected_dir();
        let mut dirs = vec![ctx.layout.quarantine_dir(), rejected.clone()];
        let destinations = ctx.storage.list_dirs(&rejected).unwrap_or_else(|error| {
            tracing::debug!(%error, "cannot look for what destinations refused");
            Vec::new()
        });
        dirs.extend(destinations.into_iter().map(|destination| rejected.join(destination)));
        let files =
            |dir: PathBuf| self.listed(&dir).into_iter().flatten().map(move |entry| (dir.join(&entry.name), entry));
        dirs.into_iter().flat_map(files).collect()
    }

    /// Deletes a file in all its forms; `false` if that has to wait.
    fn delete(&self, file: &Data, cause: Cause) -> io::Result<bool> {
        let ctx = &*self.ctx;
        // If it cannot be read, nobody could have delivered them either.
        let rows = file.needed_from.map(|_| ctx.log.rows(file.signal, &file.stem).unwrap_or(0));
        if !self.seals.forget(&file.stem) {
            return Ok(false);
        }
        // A living writer may be sealing its stream right now, and would bring it back.
        let _writer = if file.stem.writer != ctx.writer && file.may_grow() {
            let Some(lock) = ctx.storage.try_lock(&ctx.layout.writer_lock(file.stem.writer))? else { return Ok(false) };
            Some(lock)
        } else {
            None
        };
        // The lowest form first: without the others it would count again. It may have been sealed since it was listed.
        for form in ctx.log.forms().iter() {
            let path = ctx.log.path(file.signal, &file.stem, form);
            match Point::RetentionDelete.around(|| ctx.storage.remove(&path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        ctx.own.remove(&file.stem);
        // The next sweep deletes what stays.
        let _ = ctx.storage.remove(&ctx.layout.index(file.signal, &file.stem));
        if let Some(rows) = rows {
            announce_loss(ctx, file, cause, rows);
        }
        Ok(true)
    }
}

/// The data files among `entries`, once as retention sees them and once by name.
fn data_files(ctx: &Context, signal: Signal, entries: Vec<Entry>, holds: &[Arc<dyn RetentionHold>], found: &mut Found) {
    let mut stems: BTreeMap<Stem, (u64, Vec<Form>)> = BTreeMap::new();
    for entry in entries {
        if let Some((stem, form)) = ctx.log.forms().parse(&entry.name) {
            let (bytes, forms) = stems.entry(stem).or_default();
            *bytes += entry.len;
            forms.push(form);
        }
    }
    // The clock may have been set since: nothing of ours is older than we are.
    let began = ctx.wall.began();
    let live = possibly_live(ctx, stems.iter().map(|(stem, (_, forms))| (stem, forms.as_slice())));
    for (stem, (bytes, forms)) in stems {
        let needed_from = holds.iter().filter_map(|hold| hold.first_needed(signal, &stem)).min();
        found.files.push(File {
            signal,
            created: if stem.writer == ctx.writer { stem.created().max(began) } else { stem.created() },
            order: found.files.len(),
            bytes,
            deletable: !live.contains(&stem),
            needed: needed_from.is_some(),
        });
        found.data.push(Data { signal, stem, forms, needed_from });
    }
}

/// Streams that somebody may be appending to: our own live ones, and the newest stream of each other writer.
fn possibly_live<'a>(ctx: &Context, stems: impl Iterator<Item = (&'a Stem, &'a [Form])>) -> BTreeSet<Stem> {
    let mut newest: BTreeMap<WriterId, &Stem> = BTreeMap::new();
    let mut live = BTreeSet::new();
    for (stem, forms) in stems {
        if !forms.iter().all(|form| form.grows()) {
            continue;
        }
        if stem.writer == ctx.writer {
            // Not in the list yet means: created a moment ago.
            if ctx.own.find(stem).is_none_or(|own| own.live) {
                live.insert(stem.clone());
            }
        } else if newest.get(&stem.writer).is_none_or(|known| known.seq < stem.seq) {
            newest.insert(stem.writer, stem);
        }
    }
    live.extend(newest.into_values().cloned());
    live
}

fn announce_loss(ctx: &Context, file: &Data, cause: Cause, rows: u64) {
    let (mut lost, mut unsaid) = (0, 0);
    for hold in ctx.hooks.holds() {
        if let Some(from) = hold.first_needed(file.signal, &file.stem) {
            let rows = hold.evicted(file.signal, &file.stem, rows.saturating_sub(from));
            lost = lost.max(rows);
            if !hold.announces_evictions() {
                unsaid = unsaid.max(rows);
            }
        }
    }
    if lost > 0 {
        ctx.stats.dropped(file.signal, "evicted", lost);
    }
    if unsaid == 0 {
        return;
    }
    let why = match cause {
        Cause::Age => "they are older than retention keeps them",
        Cause::Size => {
            "the directory is at its limit (retention.max_bytes), or others need its space (storage.min_free_bytes)"
        }
    };
    let message = format!("{unsaid} records of {} were deleted before they were delivered: {why}", file.stem);
    ctx.event(EventName::RecordsEvicted, Some(file.signal), Some(unsaid), message);
}

#[cfg(test)]
mod tests;
