//! Goes through the blocks of all files on a few threads, the most wanted first, until everything is searched or enough is
//! found.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_base::lock::lock;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::ReadError;

use super::asking::Asking;
use super::limits::Stop;
use super::predicate::{Test, tests};
use super::pruner::{BlockRange, Pruned};
use super::selection::Selection;
use super::thread;
use super::times::{Times, time_columns};
use super::view::View;
use crate::filter::{Nanos, Order, Term};
use crate::snapshot::{File, OpenFile};

/// Threads of one question: more would take processors that record.
const MOST_THREADS: usize = 4;
/// Files that one thread keeps open.
const OPEN_FILES: usize = 8;
/// What a byte of a file takes in memory, about: what is compressed there is not here.
const SEALED_FACTOR: usize = 6;
/// As above, of a live file: the block as it was read, and its columns.
const LIVE_FACTOR: usize = 2;

/// What one thread makes of the rows that match.
pub trait Gather: Send {
    /// Columns it looks at in blocks in which something matches, made together.
    fn columns(&self) -> &[usize];

    /// Takes the rows of one block, at least one.
    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError>;
}

/// From when on rows are still wanted: the threads of a question tell each other.
#[derive(Debug)]
pub struct Bound {
    order: Order,
    time: AtomicU64,
}

impl Bound {
    /// Everything is wanted.
    pub fn new(order: Order) -> Self {
        let time = match order {
            Order::Newest => 0,
            Order::Oldest => Nanos::MAX,
        };
        Self { order, time: AtomicU64::new(time) }
    }

    /// Enough rows were found that come before this time in the order, or at it.
    pub fn tighten(&self, time: Nanos) {
        match self.order {
            Order::Newest => self.time.fetch_max(time, Ordering::Relaxed),
            Order::Oldest => self.time.fetch_min(time, Ordering::Relaxed),
        };
    }

    /// Whether rows between these times may still be wanted.
    pub fn wants(&self, (from, to): (Nanos, Nanos)) -> bool {
        let time = self.time.load(Ordering::Relaxed);
        match self.order {
            Order::Newest => to >= time,
            Order::Oldest => from <= time,
        }
    }
}

/// What is searched.
#[derive(Debug)]
pub struct Scan<'a> {
    /// For whom.
    pub asking: &'a Asking<'a>,
    /// Whose files.
    pub signal: Signal,
    /// What must hold of a row.
    pub terms: Vec<Term>,
    /// From when on rows are wanted, for questions that end early.
    pub bound: Option<&'a Bound>,
    /// The times, both ends included, that rows may have for the order: blocks of others are passed over.
    pub within: (Nanos, Nanos),
}

/// Rows to be searched: a block, as it was when the question was planned.
#[derive(Clone, Debug)]
struct Unit {
    file: Arc<File>,
    first_row: u64,
    rows: u64,
    time: (Nanos, Nanos),
}

/// Every time.
pub const ANY_TIME: (Nanos, Nanos) = (0, Nanos::MAX);

impl Scan<'_> {
    /// Goes through all rows that match. Each thread gathers for itself; what they gathered comes back, in no order.
    ///
    /// Files that cannot be read are told of in what was searched. INVALID_CONFIG and failures to list the directory are
    /// errors.
    pub fn run<G: Gather>(&self, make: impl Fn() -> G + Sync) -> Result<Vec<G>> {
        let files = self.asking.files().of(self.signal)?;
        let passed = AtomicU64::new(0);
        let (units, threads) = self.plan(&files, &passed)?;
        let of = units.iter().map(|unit| unit.rows).sum::<u64>() + passed.load(Ordering::Relaxed);
        let next = AtomicUsize::new(0);
        let missed = AtomicUsize::new(usize::MAX);
        let gathered = Mutex::new(Vec::new());
        on_threads(threads.min(units.len()), || {
            let (mut worker, mut gather) = (Worker::new(self, &passed), make());
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(unit) = units.get(at) else { break };
                if self.bound.is_some_and(|bound| !bound.wants(unit.time)) {
                    // They are in order: nothing behind it is wanted either.
                    break;
                }
                if !self.asking.goes_on() || !worker.search(unit, &mut gather) {
                    missed.fetch_min(at, Ordering::Relaxed);
                    break;
                }
                let rows = passed.fetch_add(unit.rows, Ordering::Relaxed) + unit.rows;
                self.asking.progress(rows, of);
            }
            lock(&gathered).push(gather);
        })?;
        self.asking.tally.went_through(self.signal, passed.into_inner());
        for unit in units.get(missed.into_inner()..).unwrap_or_default() {
            self.asking.left_out(unit.time);
        }
        Ok(gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// The blocks that may have a match, the most wanted first, and how many threads are worth it.
    fn plan(&self, files: &[Arc<File>], passed: &AtomicU64) -> Result<(Vec<Unit>, usize)> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let engine = self.asking.engine;
        let (mut units, mut unknown) = (Vec::new(), Vec::new());
        for file in files {
            let known = if file.grows() { None } else { engine.pruner.remembered(&engine.cache, file, &self.terms) };
            match known {
                Some(pruned) => units.extend(self.units_left(file, &pruned, passed)),
                None => unknown.push(file),
            }
        }
        let (next, opened) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        on_threads(threads.min(unknown.len()), || {
            let mut worker = Worker::new(self, passed);
            while let Some(file) = unknown.get(next.fetch_add(1, Ordering::Relaxed)) {
                // After the deadline nothing of the others is known, not even how many rows they have.
                match self.asking.goes_on() {
                    true => lock(&opened).extend(worker.units_of(file)),
                    false => self.asking.left_out(ANY_TIME),
                }
            }
        })?;
        units.append(&mut lock(&opened));
        match self.bound.map(|bound| bound.order) {
            Some(Order::Newest) => units.sort_by_key(|unit| std::cmp::Reverse((unit.time.1, unit.first_row))),
            Some(Order::Oldest) => units.sort_by_key(|unit| (unit.time.0, unit.first_row)),
            // Rows of one file by one thread, in the order of the files.
            None => {}
        }
        let threads = threads.min(units.len()).max(1);
        Ok((units, threads))
    }

    /// What is left of a file that an index is known of.
    fn units_left(&self, file: &Arc<File>, pruned: &Pruned, passed: &AtomicU64) -> Vec<Unit> {
        self.asking.tally.file(file);
        let unit = |block: &BlockRange| {
            let time = block.time.unwrap_or(ANY_TIME);
            let unit = || Unit { file: Arc::clone(file), first_row: block.first_row, rows: block.rows, time };
            self.can_match(time).then(unit)
        };
        let units: Vec<Unit> = pruned.blocks.iter().filter_map(unit).collect();
        let left = units.iter().map(|unit| unit.rows).sum::<u64>();
        passed.fetch_add(pruned.rows.saturating_sub(left), Ordering::Relaxed);
        units
    }

    /// Whether the times of blocks are worth to be read before anything else.
    fn needs_times(&self) -> bool {
        self.bound.is_some() || self.terms.iter().any(|term| matches!(term, Term::Time(..)))
    }

    /// Whether a row of a block of this time can match.
    fn can_match(&self, (first, last): (Nanos, Nanos)) -> bool {
        let within = first <= self.within.1 && last >= self.within.0;
        within
            && self.terms.iter().all(|term| match term {
                Term::Time(from, to) => first < *to && last >= *from,
                _ => true,
            })
    }
}

/// Runs `work` on so many threads that give way to others, and waits for all of them.
fn on_threads(threads: usize, work: impl Fn() + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let spawn = |_| {
            let body = || {
                thread::give_way();
                work();
            };
            let thread = std::thread::Builder::new().name("otlp-query".to_owned());
            let failed = |error: std::io::Error| {
                OtlpError::new(Code::Unavailable, format!("the system gives no thread for a question: {error}"))
            };
            thread.spawn_scoped(scope, body).map(drop).map_err(failed)
        };
        (0..threads).try_for_each(spawn)
    })
}

/// One thread of a scan.
struct Worker<'a> {
    scan: &'a Scan<'a>,
    /// Rows that the scan has passed through.
    passed: &'a AtomicU64,
    tests: Vec<Box<dyn Test>>,
    /// The columns of the tests, as far as they are made together.
    first: Vec<usize>,
    /// The last used one first.
    open: Vec<Arc<OpenFile>>,
}

impl<'a> Worker<'a> {
    fn new(scan: &'a Scan<'a>, passed: &'a AtomicU64) -> Self {
        let tests = tests(scan.signal, &scan.terms);
        let mut first: Vec<usize> = tests.iter().flat_map(|test| test.columns()).copied().collect();
        first.sort_unstable();
        first.dedup();
        Self { scan, passed, tests, first, open: Vec::new() }
    }

    fn open(&mut self, file: &Arc<File>) -> std::result::Result<Arc<OpenFile>, ReadError> {
        if let Some(at) = self.open.iter().position(|open| Arc::ptr_eq(&open.file, file)) {
            let open = self.open.remove(at);
            self.open.insert(0, Arc::clone(&open));
            return Ok(open);
        }
        let asking = self.scan.asking;
        let open = Arc::new(file.open(asking.files().log(), &asking.engine.cache)?);
        self.open.insert(0, Arc::clone(&open));
        self.open.truncate(OPEN_FILES);
        Ok(open)
    }

    /// The blocks of a file that nothing was known of.
    fn units_of(&mut self, file: &Arc<File>) -> Vec<Unit> {
        let engine = self.scan.asking.engine;
        let log = self.scan.asking.files().log();
        if !file.grows()
            && let Some(pruned) = engine.pruner.prune(log, &engine.cache, file, &self.scan.terms)
        {
            return self.scan.units_left(file, &pruned, self.passed);
        }
        self.scan.asking.tally.file(file);
        let open = match self.open(file) {
            Ok(open) => open,
            Err(error) => {
                self.skip(file, &error);
                return Vec::new();
            }
        };
        if !file.grows() {
            engine.pruner.opened(log, &engine.cache, file);
        }
        let rule_out = |rows: u64| {
            self.passed.fetch_add(rows, Ordering::Relaxed);
        };
        if self.is_impossible(&open) {
            rule_out(open.blocks().iter().map(|block| open.rows_of(block) as u64).sum());
            return Vec::new();
        }
        let times = match self.scan.needs_times() {
            true => self.times_of(&open),
            false => open.known.times.get().cloned(),
        };
        let mut units = Vec::new();
        for (at, block) in open.blocks().iter().enumerate() {
            let time = times.as_ref().and_then(|times| times.get(at).copied()).unwrap_or(ANY_TIME);
            let rows = open.rows_of(block) as u64;
            match self.scan.can_match(time) {
                true => units.push(Unit { file: Arc::clone(file), first_row: block.first_row, rows, time }),
                false => rule_out(rows),
            }
        }
        units
    }

    /// Whether the dictionaries of a sealed file lack what is asked for.
    fn is_impossible(&mut self, open: &OpenFile) -> bool {
        let Some(dictionaries) = open.reader.outline().dictionaries() else { return false };
        let own = |column: usize| open.columns.iter().position(|at| *at == Some(column));
        let mut dictionaries = dictionaries.filter_map(|(column, values)| Some((own(column)?, values)));
        dictionaries.any(|(column, values)| self.tests.iter_mut().any(|test| test.is_impossible(column, values)))
    }

    /// The times of the blocks, read if nobody did so before. Nothing where that fails: then a block may be of any time.
    fn times_of(&self, open: &OpenFile) -> Option<Arc<[(Nanos, Nanos)]>> {
        if let Some(times) = open.known.times.get() {
            return Some(Arc::clone(times));
        }
        let mut times = Vec::new();
        for (at, block) in open.reader.outline().blocks().iter().enumerate() {
            if !self.scan.asking.goes_on() {
                return None;
            }
            let bounds = || -> std::result::Result<_, ReadError> {
                let view = View::new(open, at, *block);
                view.need(time_columns(self.scan.signal))?;
                Ok(Times::of(&view)?.bounds(view.rows()))
            };
            times.push(bounds().ok()?);
        }
        let times: Arc<[(Nanos, Nanos)]> = times.into();
        Some(Arc::clone(open.known.times.get_or_init(|| times)))
    }

    /// Searches a block; `false` where the question has to stop.
    fn search(&mut self, unit: &Unit, gather: &mut impl Gather) -> bool {
        let open = match self.open(&unit.file) {
            Ok(open) => open,
            Err(error) => {
                self.skip(&unit.file, &error);
                return true;
            }
        };
        let end = unit.first_row + unit.rows;
        // A file that was sealed since the plan was made has other blocks, of the same rows.
        let blocks = open.blocks();
        let first = blocks.partition_point(|block| block.first_row + block.rows <= unit.first_row);
        for (at, block) in blocks.iter().enumerate().skip(first).take_while(|(_, block)| block.first_row < end) {
            let factor = if unit.file.grows() { LIVE_FACTOR } else { SEALED_FACTOR };
            let bytes = usize::try_from(block.bytes).unwrap_or(usize::MAX).saturating_mul(factor);
            // One request may have been larger than any bound set later: alone it is read all the same.
            let bytes = bytes.min(self.scan.asking.engine.limits.max_memory / 2);
            let Some(_memory) = self.scan.asking.borrow(bytes) else { return false };
            let from = unit.first_row.saturating_sub(block.first_row).min(block.rows) as u32;
            let to = (end - block.first_row).min(open.rows_of(block) as u64) as u32;
            let found = self.narrow(&View::new(&open, at, *block), from..to, gather);
            if let Err(error) = found {
                self.skip(&unit.file, &error);
                break;
            }
            if self.scan.asking.stopped().is_some_and(|stop| stop != Stop::Limit) {
                return false;
            }
        }
        true
    }

    fn narrow(
        &mut self,
        view: &View<'_>,
        wanted: std::ops::Range<u32>,
        gather: &mut impl Gather,
    ) -> std::result::Result<(), ReadError> {
        let rows = view.rows() as u32;
        let mut selection = match wanted.start == 0 && wanted.end == rows {
            true => Selection::All(rows),
            false => Selection::Rows(wanted.collect()),
        };
        for test in &mut self.tests {
            if selection.is_empty() {
                return Ok(());
            }
            // A live block is taken apart anew for each call, and its columns are not compressed: all of them at once.
            if view.file().is_some_and(File::grows) && !test.columns().iter().all(|column| view.has(*column)) {
                view.need(&self.first)?;
            }
            test.narrow(view, &mut selection)?;
        }
        if selection.is_empty() {
            return Ok(());
        }
        view.need(gather.columns())?;
        gather.gather(view, &selection)
    }

    fn skip(&self, file: &File, error: &ReadError) {
        let why =
            if error.is_gone() { "deleted while the question was answered".to_owned() } else { error.to_string() };
        self.scan.asking.skip(file, &why);
    }
}
