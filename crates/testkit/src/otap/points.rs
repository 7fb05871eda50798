//! Tables of metrics to the OTLP request that they stand for.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};

use super::cells::{Cell, Table, cell};
use super::otlp::{Place, attributes, places, table, take};
use super::parents::{ids, of_exemplars, of_points};
use super::strict::Batch;

type Of<T> = HashMap<u32, Vec<T>>;

/// The points of one table by their metric.
fn points<T>(batch: &Batch, kinds: [i32; 3], make: impl Fn(&Table, usize, Points) -> T) -> Of<T> {
    let mut found = Of::<T>::new();
    let Some(table) = table(batch, kinds[0]) else { return found };
    let (attributes, exemplars, ids) = (attributes(batch, kinds[1]), exemplars(batch, kinds[2]), ids(&table));
    for (row, parent) in of_points(&table).into_iter().enumerate() {
        let of = Points { attributes: take(&attributes, ids[row]), exemplars: take(&exemplars, ids[row]) };
        found.entry(parent).or_default().push(make(&table, row, of));
    }
    found
}

struct Points {
    attributes: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>,
    exemplars: Vec<Exemplar>,
}

fn exemplars(batch: &Batch, kind: i32) -> Of<Exemplar> {
    let mut found = Of::<Exemplar>::new();
    let Some(table) = table(batch, kind) else { return found };
    let (attributes, ids) = (attributes(batch, kind + 3), ids(&table));
    for (row, parent) in of_exemplars(&table).into_iter().enumerate() {
        let int = table.int("int_value", row).map(|value| exemplar::Value::AsInt(value as i64));
        found.entry(parent).or_default().push(Exemplar {
            filtered_attributes: take(&attributes, ids[row]),
            time_unix_nano: table.zero("time_unix_nano", row) as u64,
            span_id: table.bytes("span_id", row).unwrap_or_default(),
            trace_id: table.bytes("trace_id", row).unwrap_or_default(),
            value: int.or_else(|| table.double("double_value", row).map(exemplar::Value::AsDouble)),
        });
    }
    found
}

fn number(table: &Table, row: usize, of: Points) -> NumberDataPoint {
    let int = table.int("int_value", row).map(|value| number_data_point::Value::AsInt(value as i64));
    NumberDataPoint {
        attributes: of.attributes,
        start_time_unix_nano: table.zero("start_time_unix_nano", row) as u64,
        time_unix_nano: table.zero("time_unix_nano", row) as u64,
        exemplars: of.exemplars,
        flags: table.zero("flags", row) as u32,
        value: int.or_else(|| table.double("double_value", row).map(number_data_point::Value::AsDouble)),
    }
}

fn uints(table: &Table, name: &str, row: usize) -> Vec<u64> {
    table.list(name, row).map_or_else(Vec::new, |list| list.as_primitive::<UInt64Type>().values().to_vec())
}

fn histogram(table: &Table, row: usize, of: Points) -> HistogramDataPoint {
    let bounds = table.list("explicit_bounds", row);
    HistogramDataPoint {
        attributes: of.attributes,
        start_time_unix_nano: table.zero("start_time_unix_nano", row) as u64,
        time_unix_nano: table.zero("time_unix_nano", row) as u64,
        count: table.zero("count", row) as u64,
        sum: table.double("sum", row),
        bucket_counts: uints(table, "bucket_counts", row),
        explicit_bounds: bounds.map_or_else(Vec::new, |list| list.as_primitive::<Float64Type>().values().to_vec()),
        exemplars: of.exemplars,
        flags: table.zero("flags", row) as u32,
        min: table.double("min", row),
        max: table.double("max", row),
    }
}

fn exponential(table: &Table, row: usize, of: Points) -> ExponentialHistogramDataPoint {
    let buckets = |name: &str| {
        let group = table.group(name).filter(|_| table.has(name, row))?;
        Some(Buckets { offset: group.zero("offset", row) as i32, bucket_counts: uints(&group, "bucket_counts", row) })
    };
    ExponentialHistogramDataPoint {
        attributes: of.attributes,
        start_time_unix_nano: table.zero("start_time_unix_nano", row) as u64,
        time_unix_nano: table.zero("time_unix_nano", row) as u64,
        count: table.zero("count", row) as u64,
        sum: table.double("sum", row),
        scale: table.zero("scale", row) as i32,
        zero_count: table.zero("zero_count", row) as u64,
        positive: buckets("positive"),
        negative: buckets("negative"),
        flags: table.zero("flags", row) as u32,
        exemplars: of.exemplars,
        min: table.double("min", row),
        max: table.double("max", row),
        zero_threshold: table.double("zero_threshold", row).unwrap_or(0.0),
    }
}

fn summary(table: &Table, row: usize, of: Points) -> SummaryDataPoint {
    let quantiles = table.list("quantile", row).map_or_else(Vec::new, |list| {
        let pairs = list.as_struct();
        let double = |name: &str, at: usize| match cell(pairs.column_by_name(name).unwrap(), at) {
            Some(Cell::Double(value)) => value,
            other => panic!("{other:?}"),
        };
        (0..list.len())
            .map(|at| ValueAtQuantile { quantile: double("quantile", at), value: double("value", at) })
            .collect()
    });
    SummaryDataPoint {
        attributes: of.attributes,
        start_time_unix_nano: table.zero("start_time_unix_nano", row) as u64,
        time_unix_nano: table.zero("time_unix_nano", row) as u64,
        count: table.zero("count", row) as u64,
        sum: table.double("sum", row).unwrap_or(0.0),
        quantile_values: quantiles,
        flags: table.zero("flags", row) as u32,
    }
}

/// The request of a batch of metrics.
pub fn metrics(batch: &Batch) -> ExportMetricsServiceRequest {
    let Some(root) = table(batch, 10) else { return Default::default() };
    let (metadata, ids) = (attributes(batch, 26), ids(&root));
    let numbers = points(batch, [11, 15, 19], number);
    let summaries = points(batch, [12, 16, 0], summary);
    let histograms = points(batch, [13, 17, 20], histogram);
    let exponentials = points(batch, [14, 18, 21], exponential);
    let mut request = ExportMetricsServiceRequest::default();
    for (row, Place { resource, scope }) in places(batch, &root).into_iter().enumerate() {
        if let Some((resource, schema_url)) = resource {
            let resource = Some(resource);
            request.resource_metrics.push(ResourceMetrics { resource, schema_url, scope_metrics: Vec::new() });
        }
        let scopes = &mut request.resource_metrics.last_mut().unwrap().scope_metrics;
        if let Some((scope, schema_url)) = scope {
            scopes.push(ScopeMetrics { scope: Some(scope), schema_url, metrics: Vec::new() });
        }
        let aggregation_temporality = root.zero("aggregation_temporality", row) as i32;
        let is_monotonic = root.bool("is_monotonic", row).unwrap_or(false);
        let id = ids[row];
        let data = match root.zero("metric_type", row) {
            1 => metric::Data::Gauge(Gauge { data_points: take(&numbers, id) }),
            2 => metric::Data::Sum(Sum { data_points: take(&numbers, id), aggregation_temporality, is_monotonic }),
            3 => metric::Data::Histogram(Histogram { data_points: take(&histograms, id), aggregation_temporality }),
            4 => {
                let data_points = take(&exponentials, id);
                metric::Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
            }
            5 => metric::Data::Summary(Summary { data_points: take(&summaries, id) }),
            other => panic!("the metric type {other}"),
        };
        scopes.last_mut().unwrap().metrics.push(Metric {
            name: root.text("name", row),
            description: root.text("description", row),
            unit: root.text("unit", row),
            metadata: take(&metadata, id),
            data: Some(data),
        });
    }
    request
}
