//! The points of every series that match, in order of time.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, PrimitiveArray};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::metrics;
use otlp_arrow_store::ReadError;

use super::exemplar::{Exemplar, exemplars};
use super::identity::{Identities, Identity};
use crate::figures::{Buckets, Explicit, Exponential, Number, Point};
use crate::filter::{Nanos, Term};
use crate::maps::Map;
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, View};

/// What one point takes beside its buckets.
const POINT_BYTES: usize = 112;
/// What one series takes beside its identity.
const SERIES_BYTES: usize = 256;
/// Exemplars of one series that are looked at.
const MOST_EXEMPLARS: usize = 100;

/// The points of one series.
#[derive(Debug)]
pub(super) enum Points {
    Numbers(Vec<Placed<Point<Number>>>),
    Explicit(Vec<Placed<Point<Explicit>>>),
    Exponential(Vec<Placed<Point<Exponential>>>),
    Summaries(Vec<Placed<Point<Summary>>>),
}

/// With its place: of several of one time the last one counts.
#[derive(Debug)]
pub(super) struct Placed<P> {
    /// Milliseconds, sequence and row of its file.
    place: (u64, u32, u64),
    pub(super) point: P,
}

/// What a summary says.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub(super) count: f64,
    pub(super) sum: Option<f64>,
    /// Quantile and value.
    pub(super) quantiles: Vec<(f64, f64)>,
}

/// One series.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) identity: Arc<Identity>,
    pub(super) points: Points,
    pub(super) exemplars: Vec<Exemplar>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct AllRead {
    /// In the order of their identities.
    pub(super) series: Vec<Read>,
    /// Points that nobody knows the time of.
    pub(super) timeless: u64,
}

impl<T> Point<T> {
    /// The points alone, in order of time, the last one of each time.
    fn sorted(mut placed: Vec<Placed<Self>>) -> Vec<Placed<Self>> {
        placed.sort_by_key(|placed| (placed.point.time, placed.place));
        let mut kept: Vec<Placed<Self>> = Vec::with_capacity(placed.len());
        for next in placed {
            match kept.last_mut().filter(|last| last.point.time == next.point.time) {
                Some(last) => *last = next,
                None => kept.push(next),
            }
        }
        kept
    }
}

/// The points alone.
pub(super) fn alone<T>(placed: Vec<Placed<Point<T>>>) -> Vec<Point<T>> {
    placed.into_iter().map(|placed| placed.point).collect()
}

/// Reads the points of all series for which `terms` hold, and as many exemplars as are wanted.
pub(super) fn read(asking: &Asking<'_>, terms: Vec<Term>, wants_exemplars: bool) -> Result<AllRead> {
    let scan = Scan { asking, signal: Signal::Metrics, terms, bound: None, within: ANY_TIME };
    let mut all = AllRead::default();
    let mut known: Map<Arc<Identity>, usize> = Map::default();
    for some in scan.run(|| Reading::new(asking, wants_exemplars))? {
        all.timeless += some.timeless;
        for read in some.series {
            match known.get(&read.identity) {
                Some(at) => all.series[*at].append(read),
                None => {
                    known.insert(Arc::clone(&read.identity), all.series.len());
                    all.series.push(read);
                }
            }
        }
    }
    for read in &mut all.series {
        let points = std::mem::replace(&mut read.points, Points::Numbers(Vec::new()));
        read.points = match points {
            Points::Numbers(points) => Points::Numbers(Point::sorted(points)),
            Points::Explicit(points) => Points::Explicit(Point::sorted(points)),
            Points::Exponential(points) => Points::Exponential(Point::sorted(points)),
            Points::Summaries(points) => Points::Summaries(Point::sorted(points)),
        };
    }
    all.series.sort_by(|a, b| a.identity.cmp(&b.identity));
    Ok(all)
}

impl Read {
    fn append(&mut self, other: Self) {
        match (&mut self.points, other.points) {
            (Points::Numbers(own), Points::Numbers(others)) => own.extend(others),
            (Points::Explicit(own), Points::Explicit(others)) => own.extend(others),
            (Points::Exponential(own), Points::Exponential(others)) => own.extend(others),
            (Points::Summaries(own), Points::Summaries(others)) => own.extend(others),
            // The type is part of the identity.
            _ => {}
        }
        self.exemplars.extend(other.exemplars);
    }

    /// The earliest and the latest time of its points.
    pub(super) fn bounds(&self) -> Option<(Nanos, Nanos)> {
        fn of<T>(points: &[Placed<Point<T>>]) -> Option<(Nanos, Nanos)> {
            Some((points.first()?.point.time, points.last()?.point.time))
        }
        match &self.points {
            Points::Numbers(points) => of(points),
            Points::Explicit(points) => of(points),
            Points::Exponential(points) => of(points),
            Points::Summaries(points) => of(points),
        }
    }

    /// The earliest start of its points, or time where that is not known.
    pub(super) fn first_start(&self) -> Option<Nanos> {
        fn of<T>(points: &[Placed<Point<T>>]) -> Option<Nanos> {
            points.first().map(|first| first.point.since().unwrap_or(first.point.time))
        }
        match &self.points {
            Points::Numbers(points) => of(points),
            Points::Explicit(points) => of(points),
            Points::Exponential(points) => of(points),
            Points::Summaries(points) => of(points),
        }
    }

    fn len(&self) -> u64 {
        let len = match &self.points {
            Points::Numbers(points) => points.len(),
            Points::Explicit(points) => points.len(),
            Points::Exponential(points) => points.len(),
            Points::Summaries(points) => points.len(),
        };
        len as u64
    }
}

/// How far points of a series are apart, in most of these.
pub(super) fn typical_interval(series: &[Read]) -> Nanos {
    let interval = |read: &Read| {
        let (first, last) = read.bounds()?;
        (last - first).checked_div(read.len().saturating_sub(1))
    };
    let mut intervals: Vec<Nanos> = series.iter().filter_map(interval).collect();
    intervals.sort_unstable();
    intervals.get(intervals.len() / 2).copied().unwrap_or_default()
}

struct Reading<'a> {
    asking: &'a Asking<'a>,
    columns: Vec<usize>,
    wants_exemplars: bool,
    known: Map<Arc<Identity>, usize>,
    series: Vec<Read>,
    timeless: u64,
}

impl<'a> Reading<'a> {
    fn new(asking: &'a Asking<'a>, wants_exemplars: bool) -> Self {
        use metrics::*;
        let mut columns = Identities::COLUMNS.to_vec();
        columns.extend([
            START_TIME,
            TIME,
            FLAGS,
            VALUE,
            VALUE_INT,
            COUNT_,
            SUM,
            MIN,
            MAX,
            BUCKET_COUNTS,
            EXPLICIT_BOUNDS,
        ]);
        columns.extend([SCALE, ZERO_COUNT, ZERO_THRESHOLD, POSITIVE_OFFSET, POSITIVE_BUCKET_COUNTS]);
        columns.extend([NEGATIVE_OFFSET, NEGATIVE_BUCKET_COUNTS, QUANTILES]);
        if wants_exemplars {
            columns.push(EXEMPLARS);
        }
        Self { asking, columns, wants_exemplars, known: Map::default(), series: Vec::new(), timeless: 0 }
    }
}

impl Gather for Reading<'_> {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let cells = Cells::of(view)?;
        let mut identities = Identities::of(view)?;
        // The series of each identity of the block.
        let mut series: Vec<Option<usize>> = Vec::new();
        let (created, seq) = view.written();
        let mut bytes = 0;
        for row in rows.iter() {
            let time = cells.times.value(row).cast_unsigned();
            if time == 0 {
                self.timeless += 1;
                continue;
            }
            let number = identities.number(row)?;
            series.resize(series.len().max(number + 1), None);
            let at = match series[number] {
                Some(at) => at,
                None => {
                    let identity = identities.identity(number);
                    let at = *self.known.entry(Arc::clone(&identity)).or_insert_with(|| {
                        bytes += SERIES_BYTES + identity.memory();
                        let points = match &*identity.metric_type {
                            "histogram" => Points::Explicit(Vec::new()),
                            "exponential_histogram" => Points::Exponential(Vec::new()),
                            "summary" => Points::Summaries(Vec::new()),
                            _ => Points::Numbers(Vec::new()),
                        };
                        self.series.push(Read { identity, points, exemplars: Vec::new() });
                        self.series.len() - 1
                    });
                    *series[number].insert(at)
                }
            };
            let read = &mut self.series[at];
            let recorded = cells.flags.value(row) & 1 == 0;
            let start = if cells.starts.is_valid(row) { cells.starts.value(row).cast_unsigned() } else { 0 };
            let place = (created, seq, view.first_row() + row as u64);
            let cumulative = read.identity.temporality.as_deref() != Some("delta");
            bytes += POINT_BYTES;
            match &mut read.points {
                Points::Numbers(points) => {
                    let value = cells.number(row).filter(|_| recorded);
                    points.push(Placed { place, point: Point { start, time, value } });
                }
                Points::Explicit(points) => {
                    let last = points.last().and_then(|placed| placed.point.value.as_ref()).map(|value| &value.bounds);
                    let value = recorded.then(|| cells.explicit(row, cumulative, last)).transpose()?;
                    bytes += value.as_ref().map_or(0, |value| 16 * value.counts.len());
                    points.push(Placed { place, point: Point { start, time, value } });
                }
                Points::Exponential(points) => {
                    let value = recorded.then(|| cells.exponential(row, cumulative)).transpose()?;
                    let counts = |side: &Buckets| 8 * side.counts.len();
                    bytes += value.as_ref().map_or(0, |value| 64 + counts(&value.positive) + counts(&value.negative));
                    points.push(Placed { place, point: Point { start, time, value } });
                }
                Points::Summaries(points) => {
                    let value = recorded.then(|| cells.summary(row)).transpose()?;
                    bytes += value.as_ref().map_or(0, |value| 16 * value.quantiles.len());
                    points.push(Placed { place, point: Point { start, time, value } });
                }
            }
            if self.wants_exemplars {
                exemplars(view.list(metrics::EXEMPLARS)?, row, &mut read.exemplars);
                // The latest are kept; what is far more than that is cut off now and then.
                if read.exemplars.len() > 4 * MOST_EXEMPLARS {
                    read.exemplars.sort_by_key(|exemplar| std::cmp::Reverse(exemplar.time));
                    read.exemplars.truncate(MOST_EXEMPLARS);
                }
            }
        }
        self.asking.hold(bytes);
        Ok(())
    }
}

/// The columns of a block that tell values.
struct Cells<'a> {
    starts: &'a PrimitiveArray<arrow_array::types::TimestampNanosecondType>,
    times: &'a PrimitiveArray<arrow_array::types::TimestampNanosecondType>,
    flags: &'a PrimitiveArray<UInt32Type>,
    values: &'a PrimitiveArray<Float64Type>,
    ints: &'a PrimitiveArray<Int64Type>,
    counts: &'a PrimitiveArray<UInt64Type>,
    /// Sum, min, max, zero threshold.
    floats: [&'a PrimitiveArray<Float64Type>; 4],
    scales: &'a PrimitiveArray<Int32Type>,
    zero_counts: &'a PrimitiveArray<UInt64Type>,
    /// Of positive, of negative buckets.
    offsets: [&'a PrimitiveArray<Int32Type>; 2],
    buckets: [&'a ListArray; 2],
    explicit: [&'a ListArray; 2],
    quantiles: &'a ListArray,
}

/// A cell, if it is there.
fn cell<T: arrow_array::ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    array.is_valid(row).then(|| array.value(row))
}

fn floats(list: &ArrayRef) -> Result<Vec<f64>, ReadError> {
    if let Some(floats) = list.as_primitive_opt::<Float64Type>() {
        return Ok(floats.values().to_vec());
    }
    let counts = list.as_primitive_opt::<UInt64Type>();
    let counts = counts.ok_or_else(|| ReadError::damaged("buckets are not numbers"))?;
    Ok(counts.values().iter().map(|count| *count as f64).collect())
}

impl<'a> Cells<'a> {
    fn of(view: &'a View<'_>) -> Result<Self, ReadError> {
        use metrics::*;
        let f64s = |column| view.primitive::<Float64Type>(column);
        Ok(Self {
            starts: view.times(START_TIME)?,
            times: view.times(TIME)?,
            flags: view.primitive(FLAGS)?,
            values: f64s(VALUE)?,
            ints: view.i64s(VALUE_INT)?,
            counts: view.primitive(COUNT_)?,
            floats: [f64s(SUM)?, f64s(MIN)?, f64s(MAX)?, f64s(ZERO_THRESHOLD)?],
            scales: view.i32s(SCALE)?,
            zero_counts: view.primitive(ZERO_COUNT)?,
            offsets: [view.i32s(POSITIVE_OFFSET)?, view.i32s(NEGATIVE_OFFSET)?],
            buckets: [view.list(POSITIVE_BUCKET_COUNTS)?, view.list(NEGATIVE_BUCKET_COUNTS)?],
            explicit: [view.list(EXPLICIT_BOUNDS)?, view.list(BUCKET_COUNTS)?],
            quantiles: view.list(QUANTILES)?,
        })
    }

    fn number(&self, row: usize) -> Option<Number> {
        cell(self.ints, row).map(Number::Int).or_else(|| cell(self.values, row).map(Number::Float))
    }

    /// Sum, min and max; the last two only of delta points, for others they are since their start.
    fn summed(&self, row: usize, cumulative: bool) -> [Option<f64>; 3] {
        let [sum, min, max, _] = self.floats;
        [cell(sum, row), cell(min, row).filter(|_| !cumulative), cell(max, row).filter(|_| !cumulative)]
    }

    fn explicit(&self, row: usize, cumulative: bool, known: Option<&Arc<[f64]>>) -> Result<Explicit, ReadError> {
        let [bounds, counts] = self.explicit;
        let list = |list: &ListArray| if list.is_valid(row) { floats(&list.value(row)) } else { Ok(Vec::new()) };
        let (bounds, mut counts) = (list(bounds)?, list(counts)?);
        if counts.len() != bounds.len() + 1 {
            counts.clear();
        }
        let [sum, min, max] = self.summed(row, cumulative);
        // Neighbours have the same bounds: they share them.
        let bounds = match known.filter(|known| ***known == *bounds) {
            Some(known) => Arc::clone(known),
            None => bounds.into(),
        };
        Ok(Explicit { bounds, counts, count: cell(self.counts, row).unwrap_or_default() as f64, sum, min, max })
    }

    fn exponential(&self, row: usize, cumulative: bool) -> Result<Exponential, ReadError> {
        let side = |at: usize| {
            let list: &ListArray = self.buckets[at];
            let counts = if list.is_valid(row) { floats(&list.value(row))? } else { Vec::new() };
            Ok::<_, ReadError>(Buckets { offset: i64::from(cell(self.offsets[at], row).unwrap_or_default()), counts })
        };
        let [sum, min, max] = self.summed(row, cumulative);
        Ok(Exponential {
            scale: cell(self.scales, row).unwrap_or_default(),
            zero_count: cell(self.zero_counts, row).unwrap_or_default() as f64,
            zero_threshold: cell(self.floats[3], row).unwrap_or_default(),
            positive: side(0)?,
            negative: side(1)?,
            count: cell(self.counts, row).unwrap_or_default() as f64,
            sum,
            min,
            max,
        })
    }

    fn summary(&self, row: usize) -> Result<Summary, ReadError> {
        let mut summary = Summary {
            count: cell(self.counts, row).unwrap_or_default() as f64,
            sum: cell(self.floats[0], row),
            quantiles: Vec::new(),
        };
        if self.quantiles.is_valid(row) {
            let list = self.quantiles.value(row);
            let columns = list.as_struct_opt().map(arrow_array::StructArray::columns).unwrap_or_default();
            if let [quantiles, values] = columns {
                summary.quantiles = floats(quantiles)?.into_iter().zip(floats(values)?).collect();
            }
        }
        Ok(summary)
    }
}

/// Whether a sum only grows.
pub(super) fn flag(array: &BooleanArray, row: usize) -> Option<bool> {
    array.is_valid(row).then(|| array.value(row))
}
