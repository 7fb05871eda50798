//! `MetricsData` to `opentelemetry.proto.metrics.v1`.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use otlp_arrow_wire::Writer;

use super::group::Groups;
use super::ids::{nanos, span_id, text, trace_id};
use super::types::{EXPONENTIAL_HISTOGRAM, GAUGE, HISTOGRAM, SUM};
use super::value::attributes;
use super::{DefaultResource, Encoded, Failure, LeftOut};

mod metric {
    pub(super) const NAME: u32 = 1;
    pub(super) const DESCRIPTION: u32 = 2;
    pub(super) const UNIT: u32 = 3;
    pub(super) const GAUGE: u32 = 5;
    pub(super) const SUM: u32 = 7;
    pub(super) const HISTOGRAM: u32 = 9;
    pub(super) const EXPONENTIAL_HISTOGRAM: u32 = 10;
}

const DATA_POINTS: u32 = 1;
const AGGREGATION_TEMPORALITY: u32 = 2;
const START_TIME: u32 = 2;
const TIME: u32 = 3;

/// Writes the content of one data point.
type Point = fn(&mut Writer, &Bound<'_, PyAny>) -> Result<(), Failure>;

/// Encodes every data point of a `MetricsData`.
pub(super) fn encode(data: &Bound<'_, PyAny>, default: &DefaultResource) -> PyResult<Encoded> {
    const METRICS: u32 = 2;
    let py = data.py();
    let mut groups = Groups::new(0, default);
    let mut left_out = LeftOut::default();
    for resource_metrics in data.getattr(intern!(py, "resource_metrics"))?.try_iter()? {
        let resource_metrics = resource_metrics?;
        let resource = resource_metrics.getattr(intern!(py, "resource"))?;
        let resource_url = resource_metrics.getattr(intern!(py, "schema_url"))?;
        for scope_metrics in resource_metrics.getattr(intern!(py, "scope_metrics"))?.try_iter()? {
            let scope_metrics = scope_metrics?;
            let scope = scope_metrics.getattr(intern!(py, "scope"))?;
            let scope_url = scope_metrics.getattr(intern!(py, "schema_url"))?;
            let writer = match groups.records_of(&resource, &scope, &resource_url, &scope_url) {
                Ok(writer) => writer,
                Err(failure) => {
                    for metric in scope_metrics.getattr(intern!(py, "metrics"))?.try_iter()? {
                        left_out.add(py, points_of(&metric?), failure.again(py))?;
                    }
                    continue;
                }
            };
            for metric in scope_metrics.getattr(intern!(py, "metrics"))?.try_iter()? {
                let metric = metric?;
                let mark = writer.mark();
                let message = writer.open(METRICS, 2);
                let before = left_out.count;
                match encode_metric(writer, &metric, &mut left_out) {
                    Ok(()) => {
                        writer.close(message);
                        left_out.written += points_of(&metric).saturating_sub(left_out.count - before);
                    }
                    Err(error) => {
                        writer.rewind(mark);
                        // Points of it that were left out on the way are among its points.
                        let points = points_of(&metric).saturating_sub(left_out.count - before);
                        left_out.add(py, points, error.into())?;
                    }
                }
            }
        }
    }
    Ok(left_out.encoded(groups.finish()))
}

/// How many points a metric has; what cannot be told counts as one.
fn points_of(metric: &Bound<'_, PyAny>) -> u64 {
    let py = metric.py();
    let points = metric
        .getattr(intern!(py, "data"))
        .and_then(|data| data.getattr(intern!(py, "data_points")))
        .and_then(|points| points.len());
    points.map_or(1, |count| count as u64)
}

/// Writes one metric; points of it that cannot be read are left out alone.
fn encode_metric(writer: &mut Writer, metric: &Bound<'_, PyAny>, left_out: &mut LeftOut) -> PyResult<()> {
    const IS_MONOTONIC: u32 = 3;
    let py = metric.py();
    text(writer, metric::NAME, &metric.getattr(intern!(py, "name"))?)?;
    text(writer, metric::DESCRIPTION, &metric.getattr(intern!(py, "description"))?)?;
    text(writer, metric::UNIT, &metric.getattr(intern!(py, "unit"))?)?;
    let data = metric.getattr(intern!(py, "data"))?;
    let (field, point): (u32, Point) = if GAUGE.is(&data) {
        (metric::GAUGE, number_point)
    } else if SUM.is(&data) {
        (metric::SUM, number_point)
    } else if HISTOGRAM.is(&data) {
        (metric::HISTOGRAM, histogram_point)
    } else if EXPONENTIAL_HISTOGRAM.is(&data) {
        (metric::EXPONENTIAL_HISTOGRAM, exponential_point)
    } else {
        return Err(PyTypeError::new_err(format!(
            "a metric's data must be a Gauge, Sum, Histogram or ExponentialHistogram of opentelemetry.sdk.metrics.export, not {}",
            data.get_type().name()?
        )));
    };
    let message = writer.open(field, 2);
    for data_point in data.getattr(intern!(py, "data_points"))?.try_iter()? {
        let mark = writer.mark();
        let open = writer.open(DATA_POINTS, 2);
        match point(writer, &data_point?) {
            Ok(()) => writer.close(open),
            Err(failure) => {
                writer.rewind(mark);
                left_out.add(py, 1, failure)?;
            }
        }
    }
    if field != metric::GAUGE {
        let temporality: i64 = data.getattr(intern!(py, "aggregation_temporality"))?.extract()?;
        writer.uint(AGGREGATION_TEMPORALITY, temporality as u64);
    }
    if field == metric::SUM {
        let monotonic = data.getattr(intern!(py, "is_monotonic"))?.is_truthy()?;
        writer.uint(IS_MONOTONIC, monotonic.into());
    }
    writer.close(message);
    Ok(())
}

fn times(writer: &mut Writer, point: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = point.py();
    writer.fixed64(START_TIME, nanos(&point.getattr(intern!(py, "start_time_unix_nano"))?)?);
    writer.fixed64(TIME, nanos(&point.getattr(intern!(py, "time_unix_nano"))?)?);
    Ok(())
}

/// A value that is an integer or a double by its Python type.
fn number(writer: &mut Writer, as_double: u32, as_int: u32, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match value.cast::<PyInt>().ok().and_then(|value| value.extract::<i64>().ok()) {
        Some(value) => writer.fixed64_always(as_int, value as u64),
        None => writer.double_always(as_double, value.extract()?),
    }
    Ok(())
}

/// A double that is left out when it is None.
fn optional_double(writer: &mut Writer, field: u32, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if !value.is_none() {
        writer.double_always(field, value.extract()?);
    }
    Ok(())
}

fn number_point(writer: &mut Writer, point: &Bound<'_, PyAny>) -> Result<(), Failure> {
    const AS_DOUBLE: u32 = 4;
    const EXEMPLARS: u32 = 5;
    const AS_INT: u32 = 6;
    const ATTRIBUTES: u32 = 7;
    let py = point.py();
    times(writer, point)?;
    number(writer, AS_DOUBLE, AS_INT, &point.getattr(intern!(py, "value"))?)?;
    exemplars(writer, EXEMPLARS, point)?;
    attributes(writer, ATTRIBUTES, &point.getattr(intern!(py, "attributes"))?)?;
    Ok(())
}

fn histogram_point(writer: &mut Writer, point: &Bound<'_, PyAny>) -> Result<(), Failure> {
    const COUNT: u32 = 4;
    const SUM: u32 = 5;
    const BUCKET_COUNTS: u32 = 6;
    const EXPLICIT_BOUNDS: u32 = 7;
    const EXEMPLARS: u32 = 8;
    const ATTRIBUTES: u32 = 9;
    const MIN: u32 = 11;
    const MAX: u32 = 12;
    let py = point.py();
    times(writer, point)?;
    writer.fixed64(COUNT, point.getattr(intern!(py, "count"))?.extract()?);
    optional_double(writer, SUM, &point.getattr(intern!(py, "sum"))?)?;
    packed(writer, BUCKET_COUNTS, &point.getattr(intern!(py, "bucket_counts"))?, |writer, count| {
        writer.raw(&count.extract::<u64>()?.to_le_bytes());
        Ok(())
    })?;
    packed(writer, EXPLICIT_BOUNDS, &point.getattr(intern!(py, "explicit_bounds"))?, |writer, bound| {
        writer.raw(&bound.extract::<f64>()?.to_le_bytes());
        Ok(())
    })?;
    exemplars(writer, EXEMPLARS, point)?;
    attributes(writer, ATTRIBUTES, &point.getattr(intern!(py, "attributes"))?)?;
    optional_double(writer, MIN, &point.getattr(intern!(py, "min"))?)?;
    optional_double(writer, MAX, &point.getattr(intern!(py, "max"))?)?;
    Ok(())
}

fn exponential_point(writer: &mut Writer, point: &Bound<'_, PyAny>) -> Result<(), Failure> {
    const ATTRIBUTES: u32 = 1;
    const COUNT: u32 = 4;
    const SUM: u32 = 5;
    const SCALE: u32 = 6;
    const ZERO_COUNT: u32 = 7;
    const POSITIVE: u32 = 8;
    const NEGATIVE: u32 = 9;
    const FLAGS: u32 = 10;
    const EXEMPLARS: u32 = 11;
    const MIN: u32 = 12;
    const MAX: u32 = 13;
    let py = point.py();
    attributes(writer, ATTRIBUTES, &point.getattr(intern!(py, "attributes"))?)?;
    times(writer, point)?;
    writer.fixed64(COUNT, point.getattr(intern!(py, "count"))?.extract()?);
    optional_double(writer, SUM, &point.getattr(intern!(py, "sum"))?)?;
    writer.sint32(SCALE, point.getattr(intern!(py, "scale"))?.extract()?);
    writer.fixed64(ZERO_COUNT, point.getattr(intern!(py, "zero_count"))?.extract()?);
    buckets(writer, POSITIVE, &point.getattr(intern!(py, "positive"))?)?;
    buckets(writer, NEGATIVE, &point.getattr(intern!(py, "negative"))?)?;
    let flags = point.getattr(intern!(py, "flags"))?;
    if !flags.is_none() {
        writer.uint(FLAGS, flags.extract::<u32>()?.into());
    }
    exemplars(writer, EXEMPLARS, point)?;
    optional_double(writer, MIN, &point.getattr(intern!(py, "min"))?)?;
    optional_double(writer, MAX, &point.getattr(intern!(py, "max"))?)?;
    Ok(())
}

/// One side of an exponential histogram. Without buckets there is no message, as in the SDK's own encoder.
fn buckets(writer: &mut Writer, field: u32, side: &Bound<'_, PyAny>) -> PyResult<()> {
    const OFFSET: u32 = 1;
    const BUCKET_COUNTS: u32 = 2;
    if side.is_none() {
        return Ok(());
    }
    let py = side.py();
    let counts = side.getattr(intern!(py, "bucket_counts"))?;
    if counts.len()? == 0 {
        return Ok(());
    }
    let message = writer.open(field, 2);
    writer.sint32(OFFSET, side.getattr(intern!(py, "offset"))?.extract()?);
    packed(writer, BUCKET_COUNTS, &counts, |writer, count| {
        writer.packed_varint(count.extract()?);
        Ok(())
    })?;
    writer.close(message);
    Ok(())
}

fn packed(
    writer: &mut Writer,
    field: u32,
    items: &Bound<'_, PyAny>,
    mut element: impl FnMut(&mut Writer, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    if items.is_none() || items.len()? == 0 {
        return Ok(());
    }
    let message = writer.open(field, 1);
    for item in items.try_iter()? {
        element(writer, &item?)?;
    }
    writer.close(message);
    Ok(())
}

fn exemplars(writer: &mut Writer, field: u32, point: &Bound<'_, PyAny>) -> Result<(), Failure> {
    const TIME: u32 = 2;
    const AS_DOUBLE: u32 = 3;
    const SPAN_ID: u32 = 4;
    const TRACE_ID: u32 = 5;
    const AS_INT: u32 = 6;
    const FILTERED_ATTRIBUTES: u32 = 7;
    let py = point.py();
    let list = point.getattr(intern!(py, "exemplars"))?;
    if list.is_none() || list.len()? == 0 {
        return Ok(());
    }
    for exemplar in list.try_iter()? {
        let exemplar = exemplar?;
        let message = writer.open(field, 1);
        writer.fixed64(TIME, nanos(&exemplar.getattr(intern!(py, "time_unix_nano"))?)?);
        number(writer, AS_DOUBLE, AS_INT, &exemplar.getattr(intern!(py, "value"))?)?;
        let span = exemplar.getattr(intern!(py, "span_id"))?;
        let trace = exemplar.getattr(intern!(py, "trace_id"))?;
        if !span.is_none() && !trace.is_none() {
            writer.bytes_always(SPAN_ID, &span_id(&span)?);
            writer.bytes_always(TRACE_ID, &trace_id(&trace)?);
        }
        attributes(writer, FILTERED_ATTRIBUTES, &exemplar.getattr(intern!(py, "filtered_attributes"))?)?;
        writer.close(message);
    }
    Ok(())
}
