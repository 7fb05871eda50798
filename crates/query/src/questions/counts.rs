//! How many records match over time, by nothing or by one thing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::maps::Map;
use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::by::By;
use super::hints;
use super::question::{Kind, Question, signal};
use super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::{Filter, Nanos, one, parse_duration, wrong};
use crate::record::{Form, as_nanos, as_time};
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, Stop, View, time_columns};

/// Groups where nobody says how many; the rest of the rows is one more.
const USUAL: usize = 10;
/// Buckets where nobody says how long one is, at most.
pub(super) const BUCKETS: u64 = 60;
const SECOND: Nanos = 1_000_000_000;
/// Lengths of buckets that people can read a clock by, in seconds.
const STEPS: [u64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600];
/// What one bucket takes while it is counted.
const BUCKET_BYTES: usize = 96;

pub(super) const KIND: Kind = Kind {
    name: "counts",
    text: "how many records match, over time",
    filtered: true,
    parameters: &[
        one("signal", "`traces`, `logs`, `metrics`", "which records are counted; traces"),
        one("step", "`1m`", "length of a bucket; so that there are at most 60 if it is left out"),
        one(
            "by",
            "`service`, `name`, `kind`, `status`, `severity`, `attr:KEY`, `resource:KEY`",
            "counts each of the most frequent values apart",
        ),
    ],
    read: |parameters, now| {
        let signal = signal(parameters, Signal::Traces)?;
        let step = |text: &str| match parse_duration(text)? {
            0 => Err("is not a length of time".to_owned()),
            step => Ok(step),
        };
        let step = parameters.read("step", step)?;
        let by = parameters.read("by", By::parse)?;
        Ok(Box::new(CountsQuestion { signal, step, by, filter: Filter::read(parameters, now)? }))
    },
};

/// How many records match over time.
#[derive(Clone, Debug)]
pub struct CountsQuestion {
    /// Of which signal.
    pub signal: Signal,
    /// Nanoseconds of a bucket.
    pub step: Option<Nanos>,
    /// Each of the most frequent values apart; [`Filter::limit`] says how many.
    pub by: Option<By>,
    /// Which records.
    pub filter: Filter,
}

/// Counts over time.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Nanoseconds of a bucket. Buckets begin at multiples of it since 1970.
    pub step: Nanos,
    /// Those that are not empty, by time, then by group, the most frequent group first.
    pub buckets: Vec<Bucket>,
    /// Records of all buckets, and those without a time.
    pub total: u64,
    /// What was searched.
    pub searched: Searched,
}

/// Records of some time and some group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When it begins.
    #[serde(serialize_with = "as_time")]
    pub time: Nanos,
    /// The value; `None` where a record has none, or where nothing is told apart.
    pub group: Option<String>,
    /// Whether these are the records of all less frequent values.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub other: bool,
    /// How many.
    pub count: u64,
}

type Group = Option<Box<str>>;
/// By group, by the number of the step.
type Cells = Map<Group, BTreeMap<u64, u64>>;

impl Question for CountsQuestion {
    type Answer = Counts;

    fn ask(&self, asking: &Asking<'_>) -> Result<Counts> {
        let mut columns = time_columns(self.signal).to_vec();
        if let Some(by) = &self.by {
            columns.push(by.column(self.signal).map_err(|problem| wrong("by", &by.to_string(), &problem))?);
        }
        let terms = self.filter.terms(self.signal)?;
        let scan = Scan { asking, signal: self.signal, terms, bound: None, within: ANY_TIME };
        let fine = self.step.unwrap_or(SECOND);
        let make = || Counting {
            asking,
            by: self.by.as_ref(),
            step: fine,
            columns: &columns,
            cells: Cells::default(),
            timeless: 0,
        };
        let (mut cells, mut total) = (Cells::default(), 0);
        for some in scan.run(make)? {
            total += some.timeless;
            for (group, times) in some.cells {
                let known = cells.entry(group).or_default();
                times.into_iter().for_each(|(time, count)| *known.entry(time).or_default() += count);
            }
        }
        total += cells.values().flat_map(BTreeMap::values).sum::<u64>();
        let step = self.step.unwrap_or_else(|| readable(seconds(&cells)));
        let mut buckets = self.buckets(cells, fine, step);
        if buckets.len() > asking.engine().limits().max_rows {
            asking.stop(Stop::MaxRows);
            buckets.truncate(asking.engine().limits().max_rows);
        }
        let mut searched = Searched::of(asking, &self.filter);
        if total == 0 {
            searched.hints = hints::of(asking, self.signal, &self.filter)?;
        }
        Ok(Counts { step, buckets, total, searched })
    }
}

impl CountsQuestion {
    /// The buckets of `step`, made of finer ones; less frequent groups together.
    fn buckets(&self, cells: Cells, fine: Nanos, step: Nanos) -> Vec<Bucket> {
        let mut groups: Vec<(Group, BTreeMap<u64, u64>, u64)> = cells
            .into_iter()
            .map(|(group, times)| {
                let sum = times.values().sum();
                (group, times, sum)
            })
            .collect();
        groups.sort_by(|a, b| (Reverse(a.2), &a.0).cmp(&(Reverse(b.2), &b.0)));
        let most = self.filter.limit.unwrap_or(USUAL);
        let mut found: BTreeMap<(Nanos, usize), u64> = BTreeMap::new();
        for (rank, (_, times, _)) in groups.iter().enumerate() {
            for (time, count) in times {
                let begin = time.saturating_mul(fine) / step * step;
                *found.entry((begin, rank.min(most))).or_default() += count;
            }
        }
        let bucket = |((time, rank), count): ((Nanos, usize), u64)| {
            let other = rank == most;
            let group = groups.get(rank).filter(|_| !other).and_then(|(group, ..)| group.as_deref().map(str::to_owned));
            Bucket { time, group, other, count }
        };
        found.into_iter().map(bucket).collect()
    }
}

/// Seconds from the first bucket to the last one.
fn seconds(cells: &Cells) -> u64 {
    let first = cells.values().filter_map(|times| times.first_key_value()).map(|(time, _)| *time).min();
    let last = cells.values().filter_map(|times| times.last_key_value()).map(|(time, _)| *time).max();
    first.zip(last).map_or(0, |(first, last)| last - first)
}

/// The shortest step that leaves few enough buckets of so many seconds, in nanoseconds.
pub(super) fn readable(seconds: u64) -> Nanos {
    let step = STEPS.into_iter().find(|step| seconds / step < BUCKETS);
    // Whole days from there on.
    step.unwrap_or_else(|| seconds.div_ceil(BUCKETS).div_ceil(86_400) * 86_400) * SECOND
}

struct Counting<'a> {
    asking: &'a Asking<'a>,
    by: Option<&'a By>,
    step: Nanos,
    columns: &'a [usize],
    cells: Cells,
    /// Records without a time.
    timeless: u64,
}

impl Gather for Counting<'_> {
    fn columns(&self) -> &[usize] {
        self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let times = crate::scan::Times::of(view)?;
        let mut made = 0;
        match self.by {
            None => {
                let cells = self.cells.entry(None).or_default();
                let step = self.step;
                // Neighbours are mostly of one bucket.
                let (mut begin, mut count) = (0, 0);
                let mut put = |begin: Nanos, count: u64| {
                    if count > 0 {
                        let cell = cells.entry(begin / step).or_insert_with(|| {
                            made += 1;
                            0
                        });
                        *cell += count;
                    }
                };
                let mut one = |time: Nanos| {
                    if time.wrapping_sub(begin) >= step {
                        put(begin, count);
                        (begin, count) = (time / step * step, 0);
                    }
                    count += 1;
                };
                match times.plain() {
                    Some(times) => rows.iter().for_each(|row| one(times[row].cast_unsigned())),
                    None => rows.iter().for_each(|row| match times.get(row) {
                        Some(time) => one(time),
                        None => self.timeless += 1,
                    }),
                }
                put(begin, count);
            }
            Some(by) => by.each(view, rows, |row, group| {
                let Some(time) = times.get(row) else {
                    self.timeless += 1;
                    return;
                };
                let group: Group = group.map(Into::into);
                let cell = self.cells.entry(group).or_default().entry(time / self.step).or_insert_with(|| {
                    made += 1;
                    0
                });
                *cell += 1;
            })?,
        }
        self.asking.hold(made * BUCKET_BYTES);
        Ok(())
    }
}

impl Answer for Counts {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.buckets.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.buckets.iter();
        Table::default()
            .times("time", all().map(|bucket| bucket.time))
            .optional_text("group", all().map(|bucket| bucket.group.as_deref()))
            .flags("other", all().map(|bucket| bucket.other))
            .u64s("count", all().map(|bucket| bucket.count))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            #[serde(serialize_with = "as_nanos")]
            step: Nanos,
            total: u64,
            buckets: &'a [Bucket],
            searched: &'a Searched,
        }
        json(form, out, &Shown { step: self.step, total: self.total, buckets: &self.buckets, searched: &self.searched })
    }
}
