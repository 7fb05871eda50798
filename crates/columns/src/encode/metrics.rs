//! Rows of the metrics table back to `Metric` messages with their data points.

use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array as _, BooleanArray, RecordBatch};
use otlp_arrow_wire::write::zigzag;

use super::attributes::Attributes;
use super::column::{Cell, Columns, Flaw, Ids, Lists, Numbers, Rows, Text};
use super::envelope::object;
use super::out::{Open, Out};
use super::spans::{Names, TIME, id};
use super::{EncodeError, Records, Run};
use crate::names::TEMPORALITIES;

/// The columns of data points.
pub(crate) struct Points<'a> {
    pub(crate) rows: usize,
    pub(crate) metric_name: Text<'a>,
    pub(crate) description: Text<'a>,
    pub(crate) unit: Text<'a>,
    pub(crate) metric_type: Text<'a>,
    pub(crate) temporality_text: Text<'a>,
    pub(crate) temporality: Names<'a>,
    pub(crate) is_monotonic: &'a BooleanArray,
    pub(crate) metadata: Text<'a>,
    pub(crate) start_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) value: Numbers<'a, Float64Type>,
    pub(crate) value_int: Numbers<'a, Int64Type>,
    pub(crate) count: Numbers<'a, UInt64Type>,
    pub(crate) sum: Numbers<'a, Float64Type>,
    pub(crate) min: Numbers<'a, Float64Type>,
    pub(crate) max: Numbers<'a, Float64Type>,
    pub(crate) bucket_counts: Lists<'a, UInt64Type>,
    pub(crate) explicit_bounds: Lists<'a, Float64Type>,
    pub(crate) scale: Numbers<'a, Int32Type>,
    pub(crate) zero_count: Numbers<'a, UInt64Type>,
    pub(crate) zero_threshold: Numbers<'a, Float64Type>,
    pub(crate) positive: (Numbers<'a, Int32Type>, Lists<'a, UInt64Type>),
    pub(crate) negative: (Numbers<'a, Int32Type>, Lists<'a, UInt64Type>),
    pub(crate) quantiles: Rows<'a>,
    pub(crate) quantile: Numbers<'a, Float64Type>,
    pub(crate) quantile_value: Numbers<'a, Float64Type>,
    pub(crate) exemplars: Rows<'a>,
    pub(crate) exemplar: Exemplars<'a>,
}

/// The columns of `exemplars`.
pub(crate) struct Exemplars<'a> {
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) value: Numbers<'a, Float64Type>,
    pub(crate) value_int: Numbers<'a, Int64Type>,
    pub(crate) trace_id: Ids<'a>,
    pub(crate) span_id: Ids<'a>,
    pub(crate) attributes: Attributes<'a>,
}

/// What points of one metric share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) description: &'a [u8],
    pub(crate) unit: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) temporality: i32,
    pub(crate) is_monotonic: bool,
    /// JSON; none = none.
    pub(crate) metadata: Option<&'a [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl<'a> Records<'a> for Points<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, EncodeError> {
        let columns = Columns::of(batch);
        let (quantiles, quantile) = columns.structs("quantiles")?;
        let (exemplars, exemplar) = columns.structs("exemplars")?;
        let temporality_text = columns.text("temporality")?;
        Ok(Self {
            rows: batch.num_rows(),
            metric_name: columns.text("metric_name")?,
            description: columns.text("description")?,
            unit: columns.text("unit")?,
            metric_type: columns.text("metric_type")?,
            temporality_text,
            temporality: Names::of(temporality_text, &TEMPORALITIES),
            is_monotonic: columns.booleans("is_monotonic")?,
            metadata: columns.text("metadata")?,
            start_time: columns.numbers("start_time", TIME)?,
            time: columns.numbers("time", TIME)?,
            attributes: Attributes::of(&columns, "attributes", "attribute_types")?,
            flags: columns.numbers("flags", "UInt32")?,
            value: columns.numbers("value", "Float64")?,
            value_int: columns.numbers("value_int", "Int64")?,
            count: columns.numbers("count", "UInt64")?,
            sum: columns.numbers("sum", "Float64")?,
            min: columns.numbers("min", "Float64")?,
            max: columns.numbers("max", "Float64")?,
            bucket_counts: columns.lists("bucket_counts", "List(UInt64)")?,
            explicit_bounds: columns.lists("explicit_bounds", "List(Float64)")?,
            scale: columns.numbers("scale", "Int32")?,
            zero_count: columns.numbers("zero_count", "UInt64")?,
            zero_threshold: columns.numbers("zero_threshold", "Float64")?,
            positive: (
                columns.numbers("positive_offset", "Int32")?,
                columns.lists("positive_bucket_counts", "List(UInt64)")?,
            ),
            negative: (
                columns.numbers("negative_offset", "Int32")?,
                columns.lists("negative_bucket_counts", "List(UInt64)")?,
            ),
            quantiles,
            quantile: quantile.numbers("quantiles.quantile", "Float64")?,
            quantile_value: quantile.numbers("quantiles.value", "Float64")?,
            exemplars,
            exemplar: Exemplars {
                time: exemplar.numbers("exemplars.time", TIME)?,
                value: exemplar.numbers("exemplars.value", "Float64")?,
                value_int: exemplar.numbers("exemplars.value_int", "Int64")?,
                trace_id: exemplar.ids("exemplars.trace_id", 16)?,
                span_id: exemplar.ids("exemplars.span_id", 8)?,
                attributes: Attributes::of(&exemplar, "exemplars.attributes", "exemplars.attribute_types")?,
            },
        })
    }

    fn estimate(&self) -> usize {
        self.rows * 50
            + self.attributes.estimate()
            + self.exemplar.attributes.estimate()
            + 8 * (self.bucket_counts.len() + self.explicit_bounds.len())
            + 2 * (self.positive.1.len() + self.negative.1.len())
    }

    /// Consecutive points of one metric form one `Metric`.
    fn write_scope(out: &mut Out, batches: &[Self], runs: &[Run]) -> Result<(), EncodeError> {
        // The metric that is open.
        let mut current: Option<(Identity<'_>, [Open; 2])> = None;
        for run in runs {
            let Some(points) = batches.get(run.batch) else { continue };
            let mut start = run.start;
            while start < run.end {
                let corrupt = |flaw| run.corrupt(start, flaw);
                let identity = points.identity(start).map_err(corrupt)?;
                let mut end = start + 1;
                while end < run.end && points.continues(end, &identity).map_err(|flaw| run.corrupt(end, flaw))? {
                    end += 1;
                }
                if current.as_ref().is_none_or(|(open, _)| *open != identity) {
                    if let Some((_, fields)) = current.take() {
                        end_metric(out, fields);
                    }
                    let fields = begin_metric(out, &identity, (end - start) * 64)
                        .map_err(|message| corrupt(Flaw { column: "metadata", message }))?;
                    current = Some((identity, fields));
                }
                for row in start..end {
                    points.point(out, identity.kind, row).map_err(|flaw| run.corrupt(row, flaw))?;
                }
                start = end;
            }
        }
        if let Some((_, fields)) = current {
            end_metric(out, fields);
        }
        Ok(())
    }
}

/// Opens a `Metric` and its data, with everything but the points.
fn begin_metric(out: &mut Out, identity: &Identity<'_>, guess: usize) -> Result<[Open; 2], &'static str> {
    let metric = out.open(2, super::room_for(guess));
    out.bytes_unless_empty(1, identity.name);
    out.bytes_unless_empty(2, identity.description);
    out.bytes_unless_empty(3, identity.unit);
    if let Some(metadata) = identity.metadata {
        object(out, 12, metadata)?;
    }
    let number = match identity.kind {
        Kind::Gauge => 5,
        Kind::Sum => 7,
        Kind::Histogram => 9,
        Kind::ExponentialHistogram => 10,
        Kind::Summary => 11,
    };
    let data = out.open(number, super::room_for(guess));
    if !matches!(identity.kind, Kind::Gauge | Kind::Summary) {
        out.varint_unless_zero(2, identity.temporality as u64);
    }
    if identity.kind == Kind::Sum {
        out.varint_unless_zero(3, identity.is_monotonic.into());
    }
    Ok([metric, data])
}

fn end_metric(out: &mut Out, [metric, data]: [Open; 2]) {
    out.close(data);
    out.close(metric);
}

impl<'a> Points<'a> {
    pub(crate) fn identity(&self, row: usize) -> Cell<Identity<'a>> {
        Ok(Identity {
            name: self.metric_name.or_empty(row)?,
            description: self.description.or_empty(row)?,
            unit: self.unit.or_empty(row)?,
            kind: match self.metric_type.or_empty(row)? {
                b"gauge" => Kind::Gauge,
                b"sum" => Kind::Sum,
                b"histogram" => Kind::Histogram,
                b"exponential_histogram" => Kind::ExponentialHistogram,
                b"summary" => Kind::Summary,
                _ => return Err(Flaw { column: "metric_type", message: "not a kind of metric" }),
            },
            temporality: self.temporality.get(row)?.unwrap_or_default(),
            is_monotonic: self.is_monotonic.is_valid(row) && self.is_monotonic.value(row),
            metadata: self.metadata.get(row)?,
        })
    }

    /// Whether a row belongs to the metric of the row before, whose identity is given.
    #[inline(always)]
    pub(crate) fn continues(&self, row: usize, identity: &Identity<'_>) -> Cell<bool> {
        let same = [
            &self.metric_name,
            &self.description,
            &self.unit,
            &self.metric_type,
            &self.temporality_text,
            &self.metadata,
        ]
        .iter()
        .all(|text| text.same_slot(row, row - 1));
        if same && self.is_monotonic.is_null(row) == self.is_monotonic.is_null(row - 1) {
            let value = self.is_monotonic.is_valid(row) && self.is_monotonic.value(row);
            return Ok(value == identity.is_monotonic);
        }
        Ok(self.identity(row)? == *identity)
    }

    fn point(&self, out: &mut Out, kind: Kind, row: usize) -> Cell<()> {
        match kind {
            Kind::Gauge | Kind::Sum => self.number(out, row),
            Kind::Histogram => self.histogram(out, row),
            Kind::ExponentialHistogram => self.exponential(out, row),
            Kind::Summary => self.summary(out, row),
        }
    }

    #[inline(always)]
    fn times(&self, out: &mut Out, row: usize) {
        out.fixed64_unless_zero(2, self.start_time.or_zero(row) as u64);
        out.fixed64_unless_zero(3, self.time.or_zero(row) as u64);
    }

    fn number(&self, out: &mut Out, row: usize) -> Cell<()> {
        let point = out.open(1, 2);
        self.times(out, row);
        if let Some(value) = self.value_int.get(row) {
            out.fixed64_field(6, value as u64);
        } else if let Some(value) = self.value.get(row) {
            out.fixed64_field(4, value.to_bits());
        }
        self.exemplars(out, 5, row)?;
        self.attributes.write(out, 7, row)?;
        out.varint_unless_zero(8, self.flags.or_zero(row).into());
        out.close(point);
        Ok(())
    }

    fn histogram(&self, out: &mut Out, row: usize) -> Cell<()> {
        let point = out.open(1, 2);
        self.times(out, row);
        out.fixed64_unless_zero(4, self.count.or_zero(row));
        optional(out, 5, self.sum.get(row));
        out.packed_fixed64(6, self.bucket_counts.get(row)?.iter().copied());
        out.packed_fixed64(7, self.explicit_bounds.get(row)?.iter().map(|bound| bound.to_bits()));
        self.exemplars(out, 8, row)?;
        self.attributes.write(out, 9, row)?;
        out.varint_unless_zero(10, self.flags.or_zero(row).into());
        optional(out, 11, self.min.get(row));
        optional(out, 12, self.max.get(row));
        out.close(point);
        Ok(())
    }

    fn exponential(&self, out: &mut Out, row: usize) -> Cell<()> {
        let point = out.open(1, 2);
        self.attributes.write(out, 1, row)?;
        self.times(out, row);
        out.fixed64_unless_zero(4, self.count.or_zero(row));
        optional(out, 5, self.sum.get(row));
        out.varint_unless_zero(6, zigzag(self.scale.or_zero(row)));
        out.fixed64_unless_zero(7, self.zero_count.or_zero(row));
        for (number, (offset, counts)) in [(8, &self.positive), (9, &self.negative)] {
            let Some(offset) = offset.get(row) else { continue };
            let buckets = out.open(number, 1);
            out.varint_unless_zero(1, zigzag(offset));
            let counts = counts.get(row)?;
            if !counts.is_empty() {
                let packed = out.open(2, super::room_for(counts.len()));
                counts.iter().for_each(|&count| out.varint(count));
                out.close(packed);
            }
            out.close(buckets);
        }
        out.varint_unless_zero(10, self.flags.or_zero(row).into());
        self.exemplars(out, 11, row)?;
        optional(out, 12, self.min.get(row));
        optional(out, 13, self.max.get(row));
        out.fixed64_unless_zero(14, self.zero_threshold.or_zero(row).to_bits());
        out.close(point);
        Ok(())
    }

    fn summary(&self, out: &mut Out, row: usize) -> Cell<()> {
        let point = out.open(1, 2);
        self.times(out, row);
        out.fixed64_unless_zero(4, self.count.or_zero(row));
        out.fixed64_unless_zero(5, self.sum.or_zero(row).to_bits());
        for at in self.quantiles.range(row)? {
            let quantile = out.open(6, 1);
            out.fixed64_unless_zero(1, self.quantile.or_zero(at).to_bits());
            out.fixed64_unless_zero(2, self.quantile_value.or_zero(at).to_bits());
            out.close(quantile);
        }
        self.attributes.write(out, 7, row)?;
        out.varint_unless_zero(8, self.flags.or_zero(row).into());
        out.close(point);
        Ok(())
    }

    fn exemplars(&self, out: &mut Out, number: u8, row: usize) -> Cell<()> {
        for at in self.exemplars.range(row)? {
            let exemplar = out.open(number, 1);
            out.fixed64_unless_zero(2, self.exemplar.time.or_zero(at) as u64);
            if let Some(value) = self.exemplar.value_int.get(at) {
                out.fixed64_field(6, value as u64);
            } else if let Some(value) = self.exemplar.value.get(at) {
                out.fixed64_field(3, value.to_bits());
            }
            id(out, 4, self.exemplar.span_id.get(at));
            id(out, 5, self.exemplar.trace_id.get(at));
            self.exemplar.attributes.write(out, 7, at)?;
            out.close(exemplar);
        }
        Ok(())
    }
}

/// Writes a double with presence; a null one is absent.
#[inline(always)]
fn optional(out: &mut Out, number: u8, value: Option<f64>) {
    if let Some(value) = value {
        out.fixed64_field(number, value.to_bits());
    }
}
