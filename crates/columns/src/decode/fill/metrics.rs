//! Metrics in the second pass: one row a data point.

mod copy;

use arrow_array::ArrayRef;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow_schema::FieldRef;
use otlp_arrow_wire::read::{Block, Cursor, Wire, block_key, zigzag};

use super::points::{Exemplars, NumberLists, Quantiles, Skips};
use super::{Enumeration, push_types_dictionary};
use crate::Signal;
use crate::column::{Attributes, Booleans, Counters, Dictionary, Letters, Lists, Numbers, Times, Zeros};
use crate::counts::Counts;
use crate::names::{METRIC_TYPES, TEMPORALITIES};
use crate::render::json_object;
use crate::schema;
use crate::sink::ColumnSink;

/// Positions in [`METRIC_TYPES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

#[derive(Debug)]
pub(super) struct Metrics {
    name: Dictionary,
    description: Dictionary,
    unit: Dictionary,
    kind: Enumeration<5>,
    temporality: Enumeration<3>,
    monotonic: Booleans,
    metadata: Dictionary,
    start_time: Times,
    time: Times,
    attributes: Attributes,
    attribute_types: Dictionary,
    flags: Counters,
    value: Numbers<Float64Type>,
    value_int: Numbers<Int64Type>,
    count: Numbers<UInt64Type>,
    sum: Numbers<Float64Type>,
    min: Numbers<Float64Type>,
    max: Numbers<Float64Type>,
    bucket_counts: NumberLists<UInt64Type>,
    explicit_bounds: NumberLists<Float64Type>,
    scale: Numbers<Int32Type>,
    zero_count: Numbers<UInt64Type>,
    zero_threshold: Numbers<Float64Type>,
    positive: Side,
    negative: Side,
    quantile_lists: Lists,
    quantiles: Quantiles,
    exemplar_lists: Lists,
    exemplars: Exemplars,
    letters: Letters,
    scratch: Vec<u8>,
    u64_item: FieldRef,
    f64_item: FieldRef,
}

/// One side of exponential histograms.
#[derive(Debug, Default)]
struct Side {
    offset: Numbers<Int32Type>,
    counts: NumberLists<UInt64Type>,
}

/// What one data point holds beside lists, which go to their columns as they come.
#[derive(Clone, Copy, Default)]
struct Point {
    start: u64,
    time: u64,
    flags: u32,
    value: Option<f64>,
    int: Option<i64>,
    count: u64,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

fn double(cursor: &mut Cursor<'_>) -> Wire<f64> {
    Ok(f64::from_bits(cursor.fixed64()?))
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            name: Dictionary::new(),
            description: Dictionary::new(),
            unit: Dictionary::new(),
            kind: Enumeration::new(METRIC_TYPES),
            temporality: Enumeration::new(TEMPORALITIES),
            monotonic: Booleans::default(),
            metadata: Dictionary::new(),
            start_time: Times::default(),
            time: Times::default(),
            attributes: Attributes::default(),
            attribute_types: Dictionary::new(),
            flags: Counters::default(),
            value: Numbers::default(),
            value_int: Numbers::default(),
            count: Numbers::default(),
            sum: Numbers::default(),
            min: Numbers::default(),
            max: Numbers::default(),
            bucket_counts: NumberLists::default(),
            explicit_bounds: NumberLists::default(),
            scale: Numbers::default(),
            zero_count: Numbers::default(),
            zero_threshold: Numbers::default(),
            positive: Side::default(),
            negative: Side::default(),
            quantile_lists: Lists::default(),
            quantiles: Quantiles::new(),
            exemplar_lists: Lists::default(),
            exemplars: Exemplars::new(),
            letters: Letters::default(),
            scratch: Vec::new(),
            u64_item: schema::item_of(Signal::Metrics, schema::metrics::BUCKET_COUNTS),
            f64_item: schema::item_of(Signal::Metrics, schema::metrics::EXPLICIT_BOUNDS),
        }
    }

    pub(super) fn reserve(&mut self, counts: &Counts) {
        let rows = counts.rows;
        for column in
            [&mut self.name, &mut self.description, &mut self.unit, &mut self.metadata, &mut self.attribute_types]
        {
            column.reserve(rows);
        }
        self.kind.column.reserve(rows);
        self.temporality.column.reserve(rows);
        self.monotonic.reserve(rows);
        self.start_time.reserve(rows);
        self.time.reserve(rows);
        self.attributes.reserve(rows, &counts.attributes);
        self.flags.reserve(rows);
        for column in [&mut self.value, &mut self.sum, &mut self.min, &mut self.max, &mut self.zero_threshold] {
            column.expect(rows);
        }
        self.value_int.expect(rows);
        self.count.expect(rows);
        self.zero_count.expect(rows);
        for column in [&mut self.scale, &mut self.positive.offset, &mut self.negative.offset] {
            column.expect(rows);
        }
        let [buckets, bounds, positive, negative] = counts.numbers;
        self.bucket_counts.reserve(rows, buckets);
        self.explicit_bounds.reserve(rows, bounds);
        self.positive.counts.reserve(rows, positive);
        self.negative.counts.reserve(rows, negative);
        self.exemplar_lists.expect(rows);
        self.exemplars.reserve(&counts.children[0]);
        self.quantile_lists.expect(rows);
        self.quantiles.reserve(&counts.children[1]);
    }

    /// Appends the points of a `Metric`; how many there were.
    pub(super) fn metric(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, skips: &mut Skips<'_>) -> Wire<usize> {
        let message = cursor.rest();
        let (mut name, mut description, mut unit) = (Block::default(), Block::default(), Block::default());
        let mut data = None;
        let mut has_metadata = false;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => name = cursor.block()?,
                0x12 => description = cursor.block()?,
                0x1a => unit = cursor.block()?,
                0x2a => data = Some((Kind::Gauge, cursor.message()?)),
                0x3a => data = Some((Kind::Sum, cursor.message()?)),
                0x4a => data = Some((Kind::Histogram, cursor.message()?)),
                0x52 => data = Some((Kind::Exponential, cursor.message()?)),
                0x5a => data = Some((Kind::Summary, cursor.message()?)),
                0x62 => {
                    has_metadata = true;
                    cursor.block()?;
                }
                key => cursor.skip(key, 0)?,
            }
        }
        let Some((kind, data)) = data else { return Ok(0) };
        let before = self.rows();
        let (temporality, monotonic) = self.points(bytes, kind, data, skips)?;
        let count = self.rows() - before;
        if count == 0 {
            return Ok(0);
        }
        self.leave_out(kind, count);
        for (column, block) in [(&mut self.name, name), (&mut self.description, description), (&mut self.unit, unit)] {
            let key = column.key(block.of(bytes));
            column.fill(Some(key), count);
        }
        self.kind.fill(Some(kind as i32), count);
        let has_temporality = !matches!(kind, Kind::Gauge | Kind::Summary);
        self.temporality.fill(has_temporality.then_some(temporality), count);
        self.monotonic.fill((kind == Kind::Sum).then_some(monotonic), count);
        let metadata = if has_metadata {
            self.scratch.clear();
            json_object(&mut self.scratch, bytes, message, 12)?;
            Some(self.metadata.key(&self.scratch))
        } else {
            None
        };
        self.metadata.fill(metadata, count);
        Ok(count)
    }

    fn rows(&self) -> usize {
        self.flags.len()
    }

    /// Appends the points of a `Gauge`, `Sum` and so on; its temporality and whether it is monotonic.
    fn points(&mut self, bytes: &[u8], kind: Kind, mut cursor: Cursor<'_>, skips: &mut Skips<'_>) -> Wire<(i32, bool)> {
        let (mut temporality, mut monotonic) = (0, false);
        while !cursor.done() {
            match cursor.key()? {
                0x0a => {
                    let point = cursor.message()?;
                    if let Some(repeats) = skips.next() {
                        self.point(bytes, kind, point, repeats)?;
                    }
                }
                0x10 if kind != Kind::Gauge && kind != Kind::Summary => temporality = cursor.varint32()? as i32,
                0x18 if kind == Kind::Sum => monotonic = cursor.varint()? != 0,
                key => cursor.skip(key, 0)?,
            }
        }
        Ok((temporality, monotonic))
    }

    #[inline(always)]
    fn point(&mut self, bytes: &[u8], kind: Kind, cursor: Cursor<'_>, repeats: bool) -> Wire<()> {
        self.letters.clear();
        let point = match kind {
            Kind::Gauge | Kind::Sum => self.number(bytes, cursor, repeats)?,
            Kind::Histogram => self.histogram(bytes, cursor, repeats)?,
            Kind::Exponential => self.exponential(bytes, cursor, repeats)?,
            Kind::Summary => self.summary(bytes, cursor)?,
        };
        self.start_time.push_known(point.start);
        self.time.push(point.time);
        self.attributes.close(repeats, &mut self.letters);
        push_types_dictionary(&mut self.attribute_types, &self.letters);
        self.flags.push(point.flags);
        self.exemplar_lists.push_known(self.exemplars.len());
        Ok(())
    }

    /// Says that the columns of other kinds are null in the last `count` rows.
    fn leave_out(&mut self, kind: Kind, count: usize) {
        if kind == Kind::Gauge || kind == Kind::Sum {
            self.count.push_nulls(count);
            self.sum.push_nulls(count);
        } else {
            self.value.push_nulls(count);
            self.value_int.push_nulls(count);
        }
        if kind != Kind::Histogram && kind != Kind::Exponential {
            self.min.push_nulls(count);
            self.max.push_nulls(count);
        }
        if kind != Kind::Histogram {
            self.bucket_counts.push_nulls(count);
            self.explicit_bounds.push_nulls(count);
        }
        if kind != Kind::Exponential {
            self.scale.push_nulls(count);
            self.zero_count.push_nulls(count);
            self.zero_threshold.push_nulls(count);
            for side in [&mut self.positive, &mut self.negative] {
                side.offset.push_nulls(count);
                side.counts.push_nulls(count);
            }
        }
        if kind != Kind::Summary {
            self.quantile_lists.push_nulls(count);
        }
    }

    #[inline(always)]
    fn number(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool) -> Wire<Point> {
        let mut point = Point::default();
        while !cursor.done() {
            match cursor.key()? {
                0x11 => point.start = cursor.fixed64()?,
                0x19 => point.time = cursor.fixed64()?,
                0x21 => (point.value, point.int) = (Some(double(&mut cursor)?), None),
                0x2a => self.exemplars.push(bytes, cursor.message()?, repeats)?,
                0x31 => {
                    let int = cursor.fixed64()? as i64;
                    (point.value, point.int) = (Some(int as f64), Some(int));
                }
                0x3a => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                0x40 => point.flags = cursor.varint32()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.value.push_option(point.value);
        self.value_int.push_option(point.int);
        Ok(point)
    }

    fn histogram(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool) -> Wire<Point> {
        let mut point = Point::default();
        while !cursor.done() {
            match cursor.key()? {
                0x11 => point.start = cursor.fixed64()?,
                0x19 => point.time = cursor.fixed64()?,
                0x21 => point.count = cursor.fixed64()?,
                0x29 => point.sum = Some(double(&mut cursor)?),
                0x32 => self.bucket_counts.extend(cursor.block()?.of(bytes), u64::from_le_bytes),
                0x31 => self.bucket_counts.push(cursor.fixed64()?),
                0x3a => self.explicit_bounds.extend(cursor.block()?.of(bytes), f64::from_le_bytes),
                0x39 => self.explicit_bounds.push(double(&mut cursor)?),
                0x42 => self.exemplars.push(bytes, cursor.message()?, repeats)?,
                0x4a => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                0x50 => point.flags = cursor.varint32()?,
                0x59 => point.min = Some(double(&mut cursor)?),
                0x61 => point.max = Some(double(&mut cursor)?),
                key => cursor.skip(key, 0)?,
            }
        }
        self.push_statistics(&point);
        self.bucket_counts.close(true);
        self.explicit_bounds.close(true);
        Ok(point)
    }

    fn push_statistics(&mut self, point: &Point) {
        self.count.push(point.count);
        self.sum.push_option(point.sum);
        self.min.push_option(point.min);
        self.max.push_option(point.max);
    }

    fn exponential(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool) -> Wire<Point> {
        let mut point = Point::default();
        let (mut scale, mut zero_count, mut zero_threshold) = (0, 0, 0.0);
        let (mut positive, mut negative) = (None, None);
        while !cursor.done() {
            match cursor.key()? {
                0x0a => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                0x11 => point.start = cursor.fixed64()?,
                0x19 => point.time = cursor.fixed64()?,
                0x21 => point.count = cursor.fixed64()?,
                0x29 => point.sum = Some(double(&mut cursor)?),
                0x30 => scale = zigzag(cursor.varint32()?),
                0x39 => zero_count = cursor.fixed64()?,
                0x42 => positive = Some(cursor.message()?),
                0x4a => negative = Some(cursor.message()?),
                0x50 => point.flags = cursor.varint32()?,
                0x5a => self.exemplars.push(bytes, cursor.message()?, repeats)?,
                0x61 => point.min = Some(double(&mut cursor)?),
                0x69 => point.max = Some(double(&mut cursor)?),
                0x71 => zero_threshold = double(&mut cursor)?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.push_statistics(&point);
        self.scale.push(scale);
        self.zero_count.push(zero_count);
        self.zero_threshold.push(zero_threshold);
        self.positive.push(positive)?;
        self.negative.push(negative)?;
        Ok(point)
    }

    fn summary(&mut self, bytes: &[u8], mut cursor: Cursor<'_>) -> Wire<Point> {
        let mut point = Point { sum: Some(0.0), ..Point::default() };
        while !cursor.done() {
            match cursor.key()? {
                0x11 => point.start = cursor.fixed64()?,
                0x19 => point.time = cursor.fixed64()?,
                0x21 => point.count = cursor.fixed64()?,
                0x29 => point.sum = Some(double(&mut cursor)?),
                0x32 => self.quantiles.push(cursor.message()?)?,
                0x3a => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                0x40 => point.flags = cursor.varint32()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.count.push(point.count);
        self.sum.push_option(point.sum);
        self.quantile_lists.push(self.quantiles.len());
        Ok(point)
    }

    /// The columns in schema order.
    pub(super) fn finish(&mut self, zeros: &mut Zeros, columns: &mut Vec<ArrayRef>) {
        let quantiles = self.quantiles.finish(zeros);
        let exemplars = self.exemplars.finish(zeros);
        columns.extend([
            self.name.finish(zeros),
            self.description.finish(zeros),
            self.unit.finish(zeros),
            self.kind.finish(zeros),
            self.temporality.finish(zeros),
            self.monotonic.finish(),
            self.metadata.finish(zeros),
            self.start_time.finish(zeros),
            self.time.finish(zeros),
            self.attributes.finish(zeros),
            self.attribute_types.finish(zeros),
            self.flags.finish(zeros),
            self.value.finish(zeros),
            self.value_int.finish(zeros),
            self.count.finish(zeros),
            self.sum.finish(zeros),
            self.min.finish(zeros),
            self.max.finish(zeros),
            self.bucket_counts.finish(&self.u64_item, zeros),
            self.explicit_bounds.finish(&self.f64_item, zeros),
            self.scale.finish(zeros),
            self.zero_count.finish(zeros),
            self.zero_threshold.finish(zeros),
            self.positive.offset.finish(zeros),
            self.positive.counts.finish(&self.u64_item, zeros),
            self.negative.offset.finish(zeros),
            self.negative.counts.finish(&self.u64_item, zeros),
            self.quantile_lists.finish(self.quantiles.item.clone(), quantiles, zeros),
            self.exemplar_lists.finish(self.exemplars.item.clone(), exemplars, zeros),
        ]);
    }

    /// The same, written.
    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.name.write(sink);
        self.description.write(sink);
        self.unit.write(sink);
        self.kind.write(sink);
        self.temporality.write(sink);
        self.monotonic.write(sink);
        self.metadata.write(sink);
        self.start_time.write(sink);
        self.time.write(sink);
        self.attributes.write(sink);
        self.attribute_types.write(sink);
        self.flags.write(sink);
        self.value.write(sink);
        self.value_int.write(sink);
        self.count.write(sink);
        self.sum.write(sink);
        self.min.write(sink);
        self.max.write(sink);
        self.bucket_counts.write(sink);
        self.explicit_bounds.write(sink);
        self.scale.write(sink);
        self.zero_count.write(sink);
        self.zero_threshold.write(sink);
        self.positive.offset.write(sink);
        self.positive.counts.write(sink);
        self.negative.offset.write(sink);
        self.negative.counts.write(sink);
        self.quantile_lists.write(sink);
        self.quantiles.write(sink);
        self.exemplar_lists.write(sink);
        self.exemplars.write(sink);
    }
}

impl Side {
    /// Appends a `Buckets` message, or nulls.
    fn push(&mut self, buckets: Option<Cursor<'_>>) -> Wire<()> {
        let Some(mut cursor) = buckets else {
            self.offset.push_option(None);
            self.counts.close(false);
            return Ok(());
        };
        let mut offset = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x08 => offset = zigzag(cursor.varint32()?),
                0x10 => self.counts.push(cursor.varint()?),
                key if key == block_key(2) => {
                    let mut packed = cursor.message()?;
                    while !packed.done() {
                        self.counts.push(packed.varint()?);
                    }
                }
                key => cursor.skip(key, 0)?,
            }
        }
        self.offset.push_option(Some(offset));
        self.counts.close(true);
        Ok(())
    }
}
