//! What the spans of one side come to, by operation, and how two sides differ.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::Array;
use otlp_arrow_columns::schema::{common, traces};
use otlp_arrow_store::ReadError;

use super::answer::{Change, Operation, OperationChange, Side as Summary};
use super::side::Side;
use crate::filter::Nanos;
use crate::maps::Map;
use crate::questions::durations::Durations;
use crate::record::hex;
use crate::scan::{Asking, Gather, Selection, View};

/// A change of less than this is none: a fifth, and a millisecond.
const SHARE: f64 = 0.2;
const LEAST: i64 = 1_000_000;
/// As many points of the share of errors.
const POINTS: f64 = 0.05;

/// Service, name, kind.
type Key = (Box<str>, Box<str>, Box<str>);

/// The spans of one operation.
#[derive(Clone, Debug, Default)]
struct Sums {
    count: u64,
    errors: u64,
    total: i128,
    durations: Durations,
}

/// The spans of one side.
#[derive(Debug, Default)]
pub(super) struct Operations {
    of: BTreeMap<Key, Sums>,
    pub(super) spans: u64,
    errors: u64,
    roots: u64,
    seen: Option<(Nanos, Nanos)>,
    /// The first of them; more than one are several.
    pub(super) traces: Vec<[u8; 16]>,
}

impl Operations {
    fn merge(&mut self, other: Gathering<'_>) {
        for (key, sums) in other.of {
            let known = self.of.entry(key).or_default();
            known.count += sums.count;
            known.errors += sums.errors;
            known.total += sums.total;
            known.durations.merge(sums.durations);
        }
        self.spans += other.spans;
        self.errors += other.errors;
        self.roots += other.roots;
        self.seen = match (self.seen, other.seen) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        for trace in other.traces {
            if self.traces.len() < 2 && !self.traces.contains(&trace) {
                self.traces.push(trace);
            }
        }
    }

    pub(super) fn summary(&self, side: &Side) -> Summary {
        let (from, to) = side.range();
        let (first, last) = self.seen.unwrap_or_default();
        let is = match (side, self.traces.first()) {
            (Side::Trace(_), Some(trace)) => hex(trace),
            _ => side.to_string(),
        };
        let services: BTreeSet<&str> = self.of.keys().map(|(service, ..)| &**service).collect();
        Summary {
            is,
            spans: self.spans,
            requests: self.roots,
            errors: self.errors,
            from: from.unwrap_or(first),
            to: to.unwrap_or(last),
            services: services.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Nanoseconds of an operation for each request.
    fn each(&self, sums: &Sums) -> f64 {
        sums.total as f64 / self.roots.max(1) as f64
    }
}

pub(super) fn all_of(gathered: Vec<Gathering<'_>>) -> Operations {
    let mut all = Operations::default();
    gathered.into_iter().for_each(|some| all.merge(some));
    all
}

fn operation(sums: &mut Sums) -> Operation {
    let [p50, p95, p99] = sums.durations.percentiles([0.5, 0.95, 0.99]).unwrap_or_default();
    Operation {
        count: sums.count,
        errors: sums.errors,
        error_share: sums.errors as f64 / sums.count.max(1) as f64,
        total: i64::try_from(sums.total).unwrap_or(i64::MAX),
        p50,
        p95,
        p99,
    }
}

fn change(a: Option<&Operation>, b: Option<&Operation>) -> Change {
    let (Some(a), Some(b)) = (a, b) else { return if a.is_some() { Change::Gone } else { Change::New } };
    if b.error_share > a.error_share + POINTS {
        return Change::Failing;
    }
    if b.error_share < a.error_share - POINTS {
        return Change::Recovered;
    }
    let more = |less: i64, more: i64| more - less >= LEAST && more as f64 > less as f64 * (1.0 + SHARE);
    match (more(a.p50, b.p50), more(b.p50, a.p50)) {
        (true, _) => Change::Slower,
        (_, true) => Change::Faster,
        _ => Change::Same,
    }
}

/// The operations of both, those first that matter most for the time that a request takes.
pub(super) fn compared(mut a: Operations, mut b: Operations) -> Vec<OperationChange> {
    let keys: BTreeSet<Key> = a.of.keys().chain(b.of.keys()).cloned().collect();
    let mut changes = Vec::new();
    for key in keys {
        let each = |side: &Operations| side.of.get(&key).map_or(0.0, |sums| side.each(sums));
        let impact = each(&b) - each(&a);
        let (a, b) = (a.of.get_mut(&key).map(operation), b.of.get_mut(&key).map(operation));
        let change = change(a.as_ref(), b.as_ref());
        let (service, name, kind) = key;
        changes.push(OperationChange {
            service: service.into(),
            name: name.into(),
            kind: kind.into(),
            change,
            impact,
            a,
            b,
        });
    }
    // Each end of the list is a place to look at: what changed is before what did not.
    changes.sort_by(|a, b| {
        let same = |change: &OperationChange| change.change == Change::Same;
        same(a).cmp(&same(b)).then(b.impact.abs().total_cmp(&a.impact.abs()))
    });
    changes
}

/// What one thread gathers.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    asking: &'a Asking<'a>,
    of: Map<Key, Sums>,
    spans: u64,
    errors: u64,
    roots: u64,
    seen: Option<(Nanos, Nanos)>,
    traces: Vec<[u8; 16]>,
    held: usize,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(asking: &'a Asking<'a>) -> Self {
        Self { asking, of: Map::default(), spans: 0, errors: 0, roots: 0, seen: None, traces: Vec::new(), held: 0 }
    }
}

const SERVICE: usize = common::first(traces::COUNT) + common::SERVICE_NAME;

impl Gather for Gathering<'_> {
    fn columns(&self) -> &[usize] {
        &[
            traces::TRACE_ID,
            traces::PARENT_SPAN_ID,
            traces::NAME,
            traces::KIND,
            traces::START_TIME,
            traces::DURATION,
            traces::STATUS_CODE,
            SERVICE,
        ]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let (ids, parents) = (view.ids(traces::TRACE_ID)?, view.ids(traces::PARENT_SPAN_ID)?);
        let (starts, durations) = (view.times(traces::START_TIME)?, view.i64s(traces::DURATION)?);
        let (statuses, status_values) = view.dictionary(traces::STATUS_CODE)?;
        let texts = [view.dictionary(SERVICE)?, view.dictionary(traces::NAME)?, view.dictionary(traces::KIND)?];
        // The sums of each operation of the block, by its numbers in the dictionaries.
        let mut of_block: Map<[i32; 3], Sums> = Map::default();
        for row in rows.iter() {
            let number = texts.map(|(array, _)| if array.keys().is_valid(row) { array.keys().value(row) } else { -1 });
            let sums = of_block.entry(number).or_default();
            let is_error =
                statuses.keys().is_valid(row) && status_values.value(statuses.keys().value(row) as usize) == "error";
            let (start, duration) = (starts.value(row).cast_unsigned(), durations.value(row));
            sums.count += 1;
            sums.errors += u64::from(is_error);
            sums.total += i128::from(duration);
            sums.durations.add(duration);
            self.spans += 1;
            self.errors += u64::from(is_error);
            self.roots += u64::from(parents.is_null(row));
            let end = start.saturating_add_signed(duration);
            self.seen = Some(self.seen.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
            if self.traces.len() < 2
                && ids.is_valid(row)
                && let Ok(trace) = ids.value(row).try_into()
                && !self.traces.contains(&trace)
            {
                self.traces.push(trace);
            }
        }
        for (numbers, sums) in of_block {
            let text = |at: usize| -> Box<str> {
                usize::try_from(numbers[at]).map_or_else(|_| Box::default(), |number| texts[at].1.value(number).into())
            };
            let known = self.of.entry((text(0), text(1), text(2))).or_default();
            known.count += sums.count;
            known.errors += sums.errors;
            known.total += sums.total;
            known.durations.merge(sums.durations);
        }
        let now = self.of.values().map(|sums| sums.durations.memory() + 256).sum::<usize>();
        if now > self.held && self.asking.hold(now - self.held) {
            self.held = now;
        }
        Ok(())
    }
}
