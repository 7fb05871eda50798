//! The thread that looks after the directory: retention, and adoption of writers that died meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use otlp_arrow_columns::Signal;

use super::adopt::adopt;
use super::context::{Context, lock};
use super::lane::Lane;
use super::retention::{Cause, File, plan};
use crate::disk::failpoint::Point;
use crate::disk::fault::storage_error;
use crate::disk::names::{Form, Stem, WriterId, parse_name};
use crate::disk::storage::{Entry, FileLock};
use crate::file;
use crate::log::hooks::RetentionHold;
use otlp_arrow_base::event::EventName;
use otlp_arrow_base::log_limit::Repeated;

/// Between two looks at an idle directory, and between two adoptions.
const EVERY: Duration = Duration::from_secs(30);
/// Between two sweeps while there is too much.
const SOON: Duration = Duration::from_millis(200);

/// Between two tries while a signal is refused. Without them a sender that waits for readiness would wait for ever.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Wakes and ends the thread.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    state: Mutex<State>,
    wake: Condvar,
    ended: Condvar,
    cannot_delete: Repeated,
    cannot_list: Repeated,
    cannot_maintain: Repeated,
    pub(crate) cannot_adopt: Repeated,
}

#[derive(Debug, Default)]
struct State {
    /// The directory may have grown beyond its limit.
    kicked: bool,
    closing: bool,
    running: bool,
}

impl Keeper {
    /// Starts the thread. Without it nothing is lost: the next open does its work.
    pub(crate) fn start(ctx: &Arc<Context>, lanes: [Arc<Lane>; 3], adopt_soon: bool) {
        let mut state = lock(&ctx.keeper.state);
        let run = Arc::clone(ctx);
        let thread = std::thread::Builder::new().name("otlp-keeper".into()).stack_size(1 << 20);
        state.running = thread.spawn(move || run.keeper.run(&run, &lanes, adopt_soon)).is_ok();
    }

    /// The directory has grown beyond its limit: sweep now.
    pub(crate) fn kick(&self) {
        let mut state = lock(&self.state);
        if !state.kicked {
            state.kicked = true;
            self.wake.notify_one();
        }
    }

    /// Ends the thread, waiting for it until `deadline`.
    pub(crate) fn close(&self, deadline: Instant) {
        let mut state = lock(&self.state);
        state.closing = true;
        self.wake.notify_all();
        while state.running {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn run(&self, ctx: &Context, lanes: &[Arc<Lane>; 3], adopt_soon: bool) {
        let mut adopted = (!adopt_soon).then(Instant::now);
        let mut pause = SOON;
        while self.sleep(pause) {
            let swept = make_room(ctx, lanes);
            let troubled = probe(ctx, lanes);
            pause = match (swept.again, troubled) {
                (true, _) => SOON,
                (false, true) => PROBE_EVERY,
                (false, false) => swept.more_after.unwrap_or(EVERY).clamp(SOON, EVERY),
            };
            if adopted.is_none_or(|adopted| adopted.elapsed() >= EVERY) {
                adopt(ctx, Instant::now() + EVERY);
                adopted = Some(Instant::now());
            }
        }
        lock(&self.state).running = false;
        self.ended.notify_all();
    }

    /// Sleeps until it is time; `false` when the store is closed.
    fn sleep(&self, pause: Duration) -> bool {
        let began = Instant::now();
        let mut state = lock(&self.state);
        loop {
            if state.closing {
                return false;
            }
            // However often it is kicked, the directory is not looked at more often than that.
            let pause = if state.kicked { pause.min(SOON) } else { pause };
            let left = pause.saturating_sub(began.elapsed());
            if left.is_zero() {
                state.kicked = false;
                return true;
            }
            state = self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One round of retention and of adoption, whatever the time.
pub(crate) fn maintain(ctx: &Context, lanes: &[Arc<Lane>; 3]) {
    make_room(ctx, lanes);
    adopt(ctx, Instant::now() + EVERY);
}

/// Sweeps, and does what follows from it.
fn make_room(ctx: &Context, lanes: &[Arc<Lane>; 3]) -> Swept {
    let swept = sweep(ctx);
    if swept.rotate {
        // Only live files are left to make room: closed, they can go like all others.
        for lane in lanes {
            lane.rotate();
        }
    }
    if swept.deleted > 0 {
        ctx.changed.wake_all();
    }
    ctx.room_again();
    swept
}

/// Tries the disk for signals that are refused and that nobody sends anything for; whether one is still in trouble.
fn probe(ctx: &Context, lanes: &[Arc<Lane>; 3]) -> bool {
    let troubled: Vec<_> = lanes.iter().filter(|lane| lane.trouble().is_some()).collect();
    // Where data comes, its commits are the better probe.
    let quiet: Vec<_> = troubled.iter().filter(|lane| lane.is_quiet(PROBE_EVERY)).collect();
    if !quiet.is_empty() && try_the_disk(ctx).is_ok() {
        for lane in quiet {
            lane.try_again();
        }
        ctx.changed.wake_all();
    }
    !troubled.is_empty()
}

fn try_the_disk(ctx: &Context) -> otlp_arrow_base::error::Result<()> {
    ctx.ensure_writer()?;
    ctx.room.check(&*ctx.storage, ctx.layout.root(), ctx.settings.min_free_bytes, 1, Instant::now())?;
    let path = ctx.layout.tmp(&ctx.next_stem());
    ctx.storage
        .create_dir_all(&ctx.layout.tmp_dir())
        .and_then(|()| ctx.storage.create(&path)?.append(&[0; 4096]))
        .and_then(|()| ctx.storage.remove(&path))
        .map_err(|error| storage_error("write", &path, error))
}

/// What a sweep found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) deleted: usize,
    /// There is more to do soon.
    pub(crate) again: bool,
    /// More files are too old, and go after so long.
    pub(crate) more_after: Option<Duration>,
    /// Live files alone take more room than there is.
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

/// Takes the lock under which files of others are adopted and old ones deleted; `None` while another process has it.
pub(crate) fn maintenance_lock(ctx: &Context) -> io::Result<Option<Box<dyn FileLock>>> {
    let path = ctx.layout.maintenance_lock();
    ctx.storage.try_lock(&path).inspect_err(|error| {
        // There is no directory before the first record.
        if error.kind() != io::ErrorKind::NotFound && ctx.keeper.cannot_maintain.may_warn() {
            tracing::warn!(%error, path = %path.display(), "cannot lock: old files stay, and so do those of dead writers");
        }
    })
}

/// Deletes what retention says, under the maintenance lock.
pub(crate) fn sweep(ctx: &Context) -> Swept {
    let _maintenance = match maintenance_lock(ctx) {
        Ok(Some(lock)) => lock,
        // Somebody else is at it, and may have looked before what made us look.
        Ok(None) => return Swept { again: true, ..Swept::default() },
        Err(_) => return Swept::default(),
    };
    sweep_locked(ctx)
}

fn sweep_locked(ctx: &Context) -> Swept {
    let written = ctx.room.written();
    let Found { files, data, mut side, unknown } = look(ctx);
    let other: u64 = side.iter().map(|(_, entry)| entry.len).sum();
    let now = ctx.clock.now();
    let settings = &ctx.settings;
    let plan = plan(&settings.retention, settings.rotation.max_age, &files, other, now);
    let mut total = other + files.iter().map(|file| file.bytes).sum::<u64>();
    let mut swept = Swept { more_after: plan.more_after, ..Swept::default() };
    let mut postponed = false;
    for (at, cause) in plan.victims {
        match delete(ctx, &data[at], cause) {
            Ok(true) => {
                total -= files[at].bytes;
                swept.deleted += 1;
            }
            Ok(false) => postponed = true,
            Err(error) => {
                if ctx.keeper.cannot_delete.may_warn() {
                    tracing::warn!(%error, stem = %data[at].stem, "cannot delete a file that is due");
                }
                swept.again = true;
            }
        }
    }
    // What was set aside is a help for a person, not data: of it the oldest goes when nothing else is left.
    side.sort_by_key(|(_, entry)| entry.modified);
    for (path, entry) in side.into_iter().take_while(|_| plan.overfull) {
        if total <= settings.retention.max_bytes {
            break;
        }
        if ctx.storage.remove(&path).is_ok() {
            total -= entry.len;
            tracing::warn!(path = %path.display(), "deleted to keep to retention.max_bytes");
        }
    }
    let overfull = total > settings.retention.max_bytes;
    swept.rotate = overfull && ctx.own.any_live();
    swept.again |= swept.rotate || postponed;
    // Nothing is refused while there is something that will make room in a moment; and what was not seen may be too much.
    if unknown.is_empty() {
        ctx.room.swept(written, total, overfull && !swept.rotate && !postponed);
    }
    for signal in Signal::ALL.into_iter().filter(|signal| !unknown.contains(signal)) {
        let bytes = files.iter().filter(|file| file.signal == signal).map(|file| file.bytes).sum();
        ctx.stats.set_disk_bytes(signal, bytes);
    }
    swept
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

fn look(ctx: &Context) -> Found {
    let mut found = Found::default();
    let holds = ctx.hooks.holds();
    for signal in Signal::ALL {
        match listed(ctx, &ctx.layout.signal_dir(signal)) {
            Some(entries) => data_files(ctx, signal, entries, &holds, &mut found),
            None => found.unknown.push(signal),
        }
    }
    found.side = side_files(ctx);
    found
}

fn listed(ctx: &Context, dir: &Path) -> Option<Vec<Entry>> {
    let entries = ctx.storage.list(dir);
    if let Err(error) = &entries
        && ctx.keeper.cannot_list.may_warn()
    {
        tracing::warn!(%error, dir = %dir.display(), "cannot look for files that are due to be deleted");
    }
    entries.ok()
}

/// The data files among `entries`, once as retention sees them and once by name.
fn data_files(ctx: &Context, signal: Signal, entries: Vec<Entry>, holds: &[Arc<dyn RetentionHold>], found: &mut Found) {
    let mut stems: BTreeMap<Stem, (u64, Vec<Form>)> = BTreeMap::new();
    for entry in entries {
        if let Some((stem, form)) = parse_name(&entry.name) {
            let (bytes, forms) = stems.entry(stem).or_default();
            *bytes += entry.len;
            forms.push(form);
        }
    }
    // The clock may have been set since: nothing of ours is older than we are.
    let began = ctx.clock.began();
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
        if forms != [Form::Live] {
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

/// Files that are no data: set aside, refused by destinations, unfinished.
fn side_files(ctx: &Context) -> Vec<(PathBuf, Entry)> {
    let rejected = ctx.layout.rejected_dir();
    let mut dirs = vec![ctx.layout.quarantine_dir(), rejected.clone()];
    let destinations = ctx.storage.list_dirs(&rejected).unwrap_or_else(|error| {
        tracing::debug!(%error, "cannot look for what destinations refused");
        Vec::new()
    });
    dirs.extend(destinations.into_iter().map(|destination| rejected.join(destination)));
    let files = |dir: PathBuf| listed(ctx, &dir).into_iter().flatten().map(move |entry| (dir.join(&entry.name), entry));
    dirs.into_iter().flat_map(files).collect()
}

/// Deletes a file in all its forms; `false` if that has to wait.
fn delete(ctx: &Context, file: &Data, cause: Cause) -> io::Result<bool> {
    let rows = file.needed_from.map(|_| rows_of(ctx, file));
    if !ctx.seals.forget(&file.stem) {
        return Ok(false);
    }
    // A living writer may be sealing its stream right now, and would bring it back.
    let _writer = if file.stem.writer != ctx.writer && file.forms == [Form::Live] {
        let Some(lock) = ctx.storage.try_lock(&ctx.layout.writer_lock(file.stem.writer))? else { return Ok(false) };
        Some(lock)
    } else {
        None
    };
    // The stream first: without its sealed form it would count again. It may have been sealed since it was listed.
    for form in [Form::Live, Form::Sealed] {
        let path = ctx.layout.data(file.signal, &file.stem, form);
        match Point::RetentionDelete.around(|| ctx.storage.remove(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    ctx.own.remove(&file.stem);
    if let Some(rows) = rows {
        announce_loss(ctx, file, cause, rows);
    }
    Ok(true)
}

/// Rows of a file; 0 if it cannot be read, since then nobody could have delivered them either.
fn rows_of(ctx: &Context, file: &Data) -> u64 {
    if let Some(own) = ctx.own.find(&file.stem) {
        return own.rows;
    }
    let form = if file.forms.contains(&Form::Sealed) { Form::Sealed } else { Form::Live };
    let opened = ctx.storage.open(&ctx.layout.data(file.signal, &file.stem, form));
    opened.ok().and_then(|file| file::rows(&*file).ok()).unwrap_or(0)
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
        Cause::Room => "there is no more room",
    };
    let message = format!("{unsaid} records of {} were deleted before they were delivered: {why}", file.stem);
    ctx.event(EventName::RecordsEvicted, Some(file.signal), Some(unsaid), message);
}

#[cfg(test)]
mod tests;
