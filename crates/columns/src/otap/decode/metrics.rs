//! Metrics: one row a data point.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::{Attributes, Seen};
use super::cells::{Bools, Ints, Texts};
use super::common::Common;
use super::error::{Fault, invalid};
use super::output::{Memo, Missing, batch, dictionary, dictionary_bytes, types_dictionary, zeros};
use super::planning::Planning;
use super::points::{EXPONENTIALS, ExemplarColumns, HISTOGRAMS, KINDS, NUMBERS, NumberLists, Points, SUMMARIES, Side};
use super::tables::Tables;
use super::traces::names;
use crate::Signal;
use crate::column::{self, Booleans, Counters, Dictionary, Letters, Lists, Numbers, Times, Zeros};
use crate::counts::Counts;
use crate::names::{METRIC_TYPES, TEMPORALITIES};
use crate::otap::table::metric_type;
use crate::schema::{self, item_of};

/// What the rows of a batch will be.
pub(super) struct Metrics<'b> {
    rows: Vec<Row>,
    name: Texts<'b>,
    description: Texts<'b>,
    unit: Texts<'b>,
    kind: Ints<'b>,
    temporality: Ints<'b>,
    monotonic: Bools<'b>,
    metadata: Metadata,
    points: [Option<Points<'b>>; 4],
    common: Common<'b>,
}

/// JSON, and for each metric where its own is.
type Metadata = (Vec<u8>, Vec<(u32, u32)>);

/// Of which metric a row is, and which point of which table.
#[derive(Clone, Copy)]
struct Row {
    metric: u32,
    point: u32,
    table: u8,
}

/// The table of the points of a type of metric.
fn table_of(kind: u8) -> Option<u8> {
    match kind {
        metric_type::GAUGE | metric_type::SUM => Some(NUMBERS),
        metric_type::HISTOGRAM => Some(HISTOGRAMS),
        metric_type::EXP_HISTOGRAM => Some(EXPONENTIALS),
        metric_type::SUMMARY => Some(SUMMARIES),
        _ => None,
    }
}

impl<'b> Metrics<'b> {
    pub(super) fn of(
        tables: &'b Tables<'_>,
        planning: &mut Planning<'_, '_>,
        counts: &mut Counts,
    ) -> Result<Self, Fault> {
        let root = tables.root(PayloadType::UnivariateMetrics);
        planning.take(root.rows * 16)?;
        let ids = root.written("id")?.ids(root.rows)?;
        let kind = root.ints("metric_type")?;
        let mut points: [Option<Points<'b>>; 4] = Default::default();
        for (to, kind) in points.iter_mut().zip(&KINDS) {
            *to = Points::of(tables, kind, &ids, planning)?;
        }
        let mut rows = Vec::new();
        for (metric, id) in ids.iter().enumerate() {
            let number = kind.or_zero(metric) as u8;
            let Some(table) = table_of(number) else {
                if number == metric_type::EMPTY {
                    continue;
                }
                return invalid(format!("row {metric}, column metric_type: {number} is not the number of a type"));
            };
            let Some(of) = &points[usize::from(table)] else { continue };
            let found = of.groups.rows(*id);
            planning.take(found.len() * size_of::<Row>())?;
            for &point in found {
                of.count(point as usize, counts, planning)?;
                rows.push(Row { metric: metric as u32, point, table });
            }
            counts.rows = rows.len();
            planning.within(Signal::Metrics, counts)?;
        }
        let metadata = metadata(tables, &ids, planning)?;
        let metrics = Self {
            name: root.texts("name")?,
            description: root.texts("description")?,
            unit: root.texts("unit")?,
            kind,
            temporality: root.ints("aggregation_temporality")?,
            monotonic: root.bools("is_monotonic"),
            metadata,
            points,
            common: Common::of(tables, &root, planning, counts)?,
            rows,
        };
        for texts in [&metrics.name, &metrics.description, &metrics.unit] {
            counts.dictionary += dictionary_bytes(texts, metrics.metrics());
        }
        // Names of enumerations, numbers that have none, and letters as if those of all rows were different.
        counts.dictionary += 256 + counts.attributes.entries + metrics.metadata.0.len();
        counts.dictionary +=
            metrics.metrics().filter(|metric| !(0..3).contains(&metrics.temporality.or_zero(*metric))).count() * 11;
        Ok(metrics)
    }

    fn metrics(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.iter().map(|row| row.metric as usize)
    }

    /// The table and position of the point of each row.
    fn points(&self) -> impl Iterator<Item = (u8, &Points<'b>, usize)> {
        self.rows.iter().filter_map(|row| {
            let of = self.points[usize::from(row.table)].as_ref()?;
            Some((row.table, of, row.point as usize))
        })
    }

    /// A column of numbers that points of these tables have: of the others it is null.
    fn numbers<P: ArrowPrimitiveType>(
        &self,
        tables: &[u8],
        get: impl Fn(&Points<'b>, usize) -> Option<P::Native>,
    ) -> Numbers<P> {
        let mut column = Numbers::default();
        column.expect(self.rows.len());
        for (table, of, point) in self.points() {
            column.push_option(if tables.contains(&table) { get(of, point) } else { None });
        }
        column
    }

    /// A column of lists of numbers; `get` says which, and `push` appends them.
    fn lists<P: ArrowPrimitiveType>(
        &self,
        get: impl Fn(u8, &Points<'b>, usize) -> Option<NumberLists<'b>>,
        push: impl Fn(&NumberLists<'b>, usize, &mut Numbers<P>),
        values: usize,
        place: usize,
        zeros: &mut Zeros,
    ) -> ArrayRef {
        let (mut lists, mut column) = (Lists::default(), Numbers::<P>::default());
        lists.expect(self.rows.len());
        column.reserve(values);
        for (table, of, point) in self.points() {
            match get(table, of, point) {
                Some(numbers) => {
                    push(&numbers, point, &mut column);
                    lists.push(column.len());
                }
                None => lists.push_nulls(1),
            }
        }
        let values = column.finish(zeros);
        lists.finish(item_of(Signal::Metrics, place), values, zeros)
    }

    pub(super) fn build(&self, counts: &Counts) -> RecordBatch {
        use schema::metrics as at;
        let rows = self.rows.len();
        let mut zeros = zeros();
        let mut memo = Memo::default();
        let mut text = |from: &Texts<'_>| {
            let mut column = Dictionary::new();
            column.reserve(rows);
            dictionary(&mut memo, &mut column, from, self.metrics(), Missing::Empty);
            column
        };
        let (mut name, mut description, mut unit) = (text(&self.name), text(&self.description), text(&self.unit));
        let kinds = || self.metrics().map(|metric| self.kind.or_zero(metric) as u8);
        let mut kind = names(rows, kinds().map(|kind| Some(i32::from(kind) - 1)), &METRIC_TYPES);
        let temporalities = self.metrics().map(|metric| {
            let has_none = matches!(self.kind.or_zero(metric) as u8, metric_type::GAUGE | metric_type::SUMMARY);
            (!has_none).then(|| self.temporality.or_zero(metric) as i32)
        });
        let mut temporality = names(rows, temporalities, &TEMPORALITIES);
        let mut monotonic = Booleans::default();
        monotonic.reserve(rows);
        for metric in self.metrics() {
            let is_sum = self.kind.or_zero(metric) as u8 == metric_type::SUM;
            monotonic.fill(is_sum.then(|| self.monotonic.get(metric).unwrap_or_default()), 1);
        }
        let mut metadata = self.metadata_column();
        let (mut start_time, mut time) = (Times::default(), Times::default());
        let mut flags = Counters::default();
        start_time.reserve(rows);
        time.reserve(rows);
        flags.reserve(rows);
        for (_, of, point) in self.points() {
            start_time.push_known(of.start.or_zero(point) as u64);
            time.push(of.time.or_zero(point) as u64);
            flags.push(of.flags.count(point));
        }
        let (mut attributes, mut types) = (column::Attributes::default(), Dictionary::new());
        attributes.reserve(rows, &counts.attributes);
        types.reserve(rows);
        let (mut seen, mut letters) = (Seen::default(), Letters::default());
        for (_, of, point) in self.points() {
            of.attributes.push(of.ids[point], &mut attributes, &mut letters, &mut seen);
            types_dictionary(&mut types, &letters);
        }
        let mut value = self.numbers::<Float64Type>(&[NUMBERS], |of, point| {
            of.int.get(point).map(|int| int as f64).or_else(|| of.double.double(point))
        });
        let mut value_int = self.numbers::<Int64Type>(&[NUMBERS], |of, point| of.int.get(point));
        let counted = [SUMMARIES, HISTOGRAMS, EXPONENTIALS];
        let mut count = self.numbers::<UInt64Type>(&counted, |of, point| Some(of.count.or_zero(point) as u64));
        let mut sum = self.sum();
        let spread = [HISTOGRAMS, EXPONENTIALS];
        let mut min = self.numbers::<Float64Type>(&spread, |of, point| of.min.double(point));
        let mut max = self.numbers::<Float64Type>(&spread, |of, point| of.max.double(point));
        let mut scale = self.numbers::<Int32Type>(&[EXPONENTIALS], |of, point| Some(of.scale.or_zero(point) as i32));
        let mut zero_count =
            self.numbers::<UInt64Type>(&[EXPONENTIALS], |of, point| Some(of.zero_count.or_zero(point) as u64));
        let mut zero_threshold = self.numbers::<Float64Type>(&[EXPONENTIALS], |of, point| {
            Some(of.zero_threshold.double(point).unwrap_or_default())
        });
        let [buckets, bounds, positive, negative] = counts.numbers;
        let of_histograms = |table| (table == HISTOGRAMS).then_some(());
        let bucket_counts = self.lists::<UInt64Type>(
            |table, of, _| of_histograms(table).map(|()| of.buckets),
            |numbers, point, to| numbers.counts(point, to),
            buckets,
            at::BUCKET_COUNTS,
            &mut zeros,
        );
        let explicit_bounds = self.lists::<Float64Type>(
            |table, of, _| of_histograms(table).map(|()| of.bounds),
            |numbers, point, to| numbers.doubles(point, to),
            bounds,
            at::EXPLICIT_BOUNDS,
            &mut zeros,
        );
        let mut side = |of: for<'p> fn(&'p Points<'b>) -> &'p Option<Side<'b>>, values, place| {
            let there = move |points: &Points<'b>, point: usize| {
                of(points)
                    .as_ref()
                    .filter(|side| side.is_there(point))
                    .map(|side| (side.offset.or_zero(point) as i32, side.counts))
            };
            let offset = self
                .numbers::<Int32Type>(&[EXPONENTIALS], |points, point| there(points, point).map(|(offset, _)| offset))
                .finish(&mut zeros);
            let counts = self.lists::<UInt64Type>(
                |table, points, point| {
                    (table == EXPONENTIALS).then(|| there(points, point)).flatten().map(|(_, counts)| counts)
                },
                |numbers, point, to| numbers.counts(point, to),
                values,
                place,
                &mut zeros,
            );
            (offset, counts)
        };
        let (positive_offset, positive_counts) = side(|of| &of.positive, positive, at::POSITIVE_BUCKET_COUNTS);
        let (negative_offset, negative_counts) = side(|of| &of.negative, negative, at::NEGATIVE_BUCKET_COUNTS);
        let quantiles = self.quantiles(counts.children[1].items, &mut zeros);
        let exemplars = self.exemplars(counts, &mut zeros);
        let mut columns = vec![
            name.finish(&mut zeros),
            description.finish(&mut zeros),
            unit.finish(&mut zeros),
            kind.finish(&mut zeros),
            temporality.finish(&mut zeros),
            monotonic.finish(),
            metadata.finish(&mut zeros),
            start_time.finish(&mut zeros),
            time.finish(&mut zeros),
            attributes.finish(&mut zeros),
            types.finish(&mut zeros),
            flags.finish(&mut zeros),
            value.finish(&mut zeros),
            value_int.finish(&mut zeros),
            count.finish(&mut zeros),
            sum.finish(&mut zeros),
            min.finish(&mut zeros),
            max.finish(&mut zeros),
            bucket_counts,
            explicit_bounds,
            scale.finish(&mut zeros),
            zero_count.finish(&mut zeros),
            zero_threshold.finish(&mut zeros),
            positive_offset,
            positive_counts,
            negative_offset,
            negative_counts,
            quantiles,
            exemplars,
        ];
        self.common.build(self.metrics(), rows, &mut zeros, &mut columns);
        batch(Signal::Metrics, rows, columns)
    }

    /// A summary always has a sum.
    fn sum(&self) -> Numbers<Float64Type> {
        let mut column = Numbers::default();
        column.expect(self.rows.len());
        for (table, of, point) in self.points() {
            column.push_option(match (table, of.sum.double(point)) {
                (NUMBERS, _) => None,
                (SUMMARIES, sum) => Some(sum.unwrap_or_default()),
                (_, sum) => sum,
            });
        }
        column
    }

    fn metadata_column(&self) -> Dictionary {
        let (json, places) = &self.metadata;
        let mut column = Dictionary::new();
        column.reserve(self.rows.len());
        for metric in self.metrics() {
            match places.get(metric).and_then(|(start, end)| json.get(*start as usize..*end as usize)) {
                Some(json) if !json.is_empty() => column.push(json),
                _ => column.push_null(),
            }
        }
        column
    }

    fn quantiles(&self, items: usize, zeros: &mut Zeros) -> ArrayRef {
        let (item, fields) = schema::struct_of(Signal::Metrics, schema::metrics::QUANTILES);
        let mut lists = Lists::default();
        lists.expect(self.rows.len());
        let (mut quantile, mut value) = (Numbers::<Float64Type>::default(), Numbers::<Float64Type>::default());
        quantile.reserve(items);
        value.reserve(items);
        for (table, of, point) in self.points() {
            if table != SUMMARIES {
                lists.push_nulls(1);
                continue;
            }
            if let Some(quantiles) = &of.quantiles {
                quantiles.push(point, &mut quantile, &mut value);
            }
            lists.push(value.len());
        }
        let columns = vec![quantile.finish(zeros), value.finish(zeros)];
        lists.finish(item, Arc::new(StructArray::new(fields, columns, None)), zeros)
    }

    fn exemplars(&self, counts: &Counts, zeros: &mut Zeros) -> ArrayRef {
        let (item, fields) = schema::struct_of(Signal::Metrics, schema::metrics::EXEMPLARS);
        let mut lists = Lists::default();
        lists.expect(self.rows.len());
        let mut to = ExemplarColumns::default();
        to.reserve(&counts.children[0]);
        let (mut seen, mut letters) = (Seen::default(), Letters::default());
        for (_, of, point) in self.points() {
            if let Some(exemplars) = &of.exemplars {
                exemplars.push(of.ids[point], &mut to, &mut letters, &mut seen);
            }
            lists.push_known(to.len());
        }
        let columns = vec![
            to.time.finish(zeros),
            to.value.finish(zeros),
            to.value_int.finish(zeros),
            to.trace_id.finish(zeros),
            to.span_id.finish(zeros),
            to.attributes.finish(zeros),
            to.types.finish(zeros),
        ];
        lists.finish(item, Arc::new(StructArray::new(fields, columns, None)), zeros)
    }
}

/// The metadata of metrics as JSON, and where that of each is.
fn metadata(tables: &Tables<'_>, ids: &[u32], planning: &mut Planning<'_, '_>) -> Result<Metadata, Fault> {
    let Some(table) = tables.get(PayloadType::MetricAttrs) else { return Ok((Vec::new(), Vec::new())) };
    let attributes = Attributes::of(Some(table), ids, planning)?;
    planning.next();
    let mut json = Vec::new();
    let mut places = Vec::with_capacity(ids.len());
    for id in ids {
        let start = json.len() as u32;
        if !attributes.is_empty(*id) {
            attributes.object(*id, &mut json);
        }
        places.push((start, json.len() as u32));
        planning.taken(&json)?;
        if json.len() > planning.limit {
            return Err(Fault::TooLarge { needed: json.len(), limit: planning.limit });
        }
    }
    planning.next();
    Ok((json, places))
}
