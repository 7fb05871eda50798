//! `ResourceMetrics` as `ExportMetricsServiceRequest`.

use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Exemplar, ExponentialBucket, ExponentialHistogram, Histogram, Metric, MetricData,
    ResourceMetrics,
};

use crate::values::{attributes, nanos, resource_fields, scope};
use otlp_arrow_wire::Writer;

/// How many points there are.
pub(super) fn points(metrics: &ResourceMetrics) -> usize {
    fn of<T>(data: &MetricData<T>) -> usize {
        match data {
            MetricData::Gauge(of) => of.data_points().count(),
            MetricData::Sum(of) => of.data_points().count(),
            MetricData::Histogram(of) => of.data_points().count(),
            MetricData::ExponentialHistogram(of) => of.data_points().count(),
        }
    }
    let each = metrics.scope_metrics().flat_map(|of| of.metrics()).map(|metric| match metric.data() {
        AggregatedMetrics::F64(data) => of(data),
        AggregatedMetrics::U64(data) => of(data),
        AggregatedMetrics::I64(data) => of(data),
    });
    each.sum()
}

/// One request of these metrics. `capacity` is about how many bytes it will take.
pub(super) fn request(metrics: &ResourceMetrics, capacity: usize) -> Vec<u8> {
    let mut out = Writer::with_capacity(capacity);
    out.nest(1, 3, |out| {
        resource_fields(metrics.resource(), out);
        for of in metrics.scope_metrics() {
            out.nest(2, 3, |out| {
                scope(of.scope(), of.scope().name(), out);
                for one in of.metrics() {
                    out.nest(2, 2, |out| metric(one, out));
                }
                out.text(3, of.scope().schema_url().unwrap_or_default());
            });
        }
    });
    out.finish()
}

/// A number of a point. A `u64` above `i64::MAX` cannot be written as OTLP's `as_int` and becomes 0, as in the
/// OpenTelemetry exporter.
trait Number: Copy {
    fn double(self) -> f64;
    /// An integer goes into field 6, a double into this one.
    fn write(self, double: u32, out: &mut Writer);
}

impl Number for f64 {
    fn double(self) -> f64 {
        self
    }

    fn write(self, double: u32, out: &mut Writer) {
        out.double_always(double, self);
    }
}

impl Number for i64 {
    fn double(self) -> f64 {
        self as f64
    }

    fn write(self, _: u32, out: &mut Writer) {
        out.fixed64_always(6, self as u64);
    }
}

impl Number for u64 {
    fn double(self) -> f64 {
        self as f64
    }

    fn write(self, double: u32, out: &mut Writer) {
        i64::try_from(self).unwrap_or_default().write(double, out);
    }
}

fn metric(metric: &Metric, out: &mut Writer) {
    out.text(1, metric.name());
    out.text(2, metric.description());
    out.text(3, metric.unit());
    match metric.data() {
        AggregatedMetrics::F64(data) => aggregated(data, out),
        AggregatedMetrics::U64(data) => aggregated(data, out),
        AggregatedMetrics::I64(data) => aggregated(data, out),
    }
}

fn temporality(temporality: Temporality) -> u64 {
    match temporality {
        Temporality::Delta => 1,
        _ => 2,
    }
}

fn aggregated<T: Number>(data: &MetricData<T>, out: &mut Writer) {
    match data {
        MetricData::Gauge(gauge) => out.nest(5, 2, |out| {
            let times = (gauge.start_time(), gauge.time());
            for point in gauge.data_points() {
                number_point(point.attributes(), times, point.value(), point.exemplars(), out);
            }
        }),
        MetricData::Sum(sum) => out.nest(7, 2, |out| {
            let times = (Some(sum.start_time()), sum.time());
            for point in sum.data_points() {
                number_point(point.attributes(), times, point.value(), point.exemplars(), out);
            }
            out.uint(2, temporality(sum.temporality()));
            out.uint(3, u64::from(sum.is_monotonic()));
        }),
        MetricData::Histogram(of) => out.nest(9, 2, |out| histogram(of, out)),
        MetricData::ExponentialHistogram(of) => out.nest(10, 2, |out| exponential(of, out)),
    }
}

fn number_point<'a, T: Number + 'a>(
    pairs: impl Iterator<Item = &'a KeyValue>,
    (start, time): (Option<SystemTime>, SystemTime),
    value: T,
    exemplars: impl Iterator<Item = &'a Exemplar<T>>,
    out: &mut Writer,
) {
    out.nest(1, 1, |out| {
        out.fixed64(2, start.map_or(0, nanos));
        out.fixed64(3, nanos(time));
        value.write(4, out);
        exemplars.for_each(|of| exemplar(5, of, out));
        attributes(7, pairs, out);
    });
}

fn histogram<T: Number>(histogram: &Histogram<T>, out: &mut Writer) {
    for point in histogram.data_points() {
        out.nest(1, 2, |out| {
            out.fixed64(2, nanos(histogram.start_time()));
            out.fixed64(3, nanos(histogram.time()));
            out.fixed64(4, point.count());
            out.double_always(5, point.sum().double());
            out.packed(6, 2, |out| point.bucket_counts().for_each(|count| out.packed_fixed64(count)));
            out.packed(7, 2, |out| point.bounds().for_each(|bound| out.packed_fixed64(bound.to_bits())));
            point.exemplars().for_each(|of| exemplar(8, of, out));
            attributes(9, point.attributes(), out);
            extremes([point.min(), point.max()], 11, out);
        });
    }
    out.uint(2, temporality(histogram.temporality()));
}

fn exponential<T: Number>(histogram: &ExponentialHistogram<T>, out: &mut Writer) {
    for point in histogram.data_points() {
        out.nest(1, 2, |out| {
            attributes(1, point.attributes(), out);
            out.fixed64(2, nanos(histogram.start_time()));
            out.fixed64(3, nanos(histogram.time()));
            out.fixed64(4, point.count() as u64);
            out.double_always(5, point.sum().double());
            out.sint32(6, i32::from(point.scale()));
            out.fixed64(7, point.zero_count());
            buckets(8, point.positive_bucket(), out);
            buckets(9, point.negative_bucket(), out);
            point.exemplars().for_each(|of| exemplar(11, of, out));
            extremes([point.min(), point.max()], 12, out);
            out.double(14, point.zero_threshold());
        });
    }
    out.uint(2, temporality(histogram.temporality()));
}

fn buckets(field: u32, bucket: &ExponentialBucket, out: &mut Writer) {
    out.nest(field, 2, |out| {
        out.sint32(1, bucket.offset());
        out.packed(2, 2, |out| bucket.counts().for_each(|count| out.packed_varint(count)));
    });
}

/// Minimum and maximum, in this field and the next.
fn extremes<T: Number>(values: [Option<T>; 2], field: u32, out: &mut Writer) {
    for (field, value) in (field..).zip(values) {
        if let Some(value) = value {
            out.double_always(field, value.double());
        }
    }
}

fn exemplar<T: Number>(field: u32, exemplar: &Exemplar<T>, out: &mut Writer) {
    out.nest(field, 1, |out| {
        out.fixed64(2, nanos(exemplar.time()));
        exemplar.value.write(3, out);
        out.bytes_always(4, exemplar.span_id());
        out.bytes_always(5, exemplar.trace_id());
        attributes(7, exemplar.filtered_attributes(), out);
    });
}
