//! Metrics whose every point is known, as requests.

use futures::executor::block_on;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use otlp_arrow::{OtlpLibrary, Signal};
use prost::Message;

pub(crate) const DELTA: i32 = 1;
pub(crate) const CUMULATIVE: i32 = 2;

pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn all(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    pairs.iter().map(|(key, value)| text(key, value)).collect()
}

/// A number point.
pub(crate) fn number(start: u64, time: u64, value: i64, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        attributes: all(attributes),
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    }
}

pub(crate) fn gauge(data_points: Vec<NumberDataPoint>) -> Data {
    Data::Gauge(Gauge { data_points })
}

pub(crate) fn sum(aggregation_temporality: i32, is_monotonic: bool, data_points: Vec<NumberDataPoint>) -> Data {
    Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
}

pub(crate) fn histogram(aggregation_temporality: i32, data_points: Vec<HistogramDataPoint>) -> Data {
    Data::Histogram(Histogram { data_points, aggregation_temporality })
}

pub(crate) fn exponential(aggregation_temporality: i32, data_points: Vec<ExponentialHistogramDataPoint>) -> Data {
    Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
}

pub(crate) fn summary(data_points: Vec<SummaryDataPoint>) -> Data {
    Data::Summary(Summary { data_points })
}

/// A point of a histogram of these values.
pub(crate) fn values(start: u64, time: u64, bounds: &[f64], values: &[f64]) -> HistogramDataPoint {
    let mut bucket_counts = vec![0; bounds.len() + 1];
    values.iter().for_each(|value| bucket_counts[bounds.partition_point(|bound| bound < value)] += 1);
    HistogramDataPoint {
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: values.len() as u64,
        sum: Some(values.iter().sum()),
        bucket_counts,
        explicit_bounds: bounds.to_vec(),
        ..Default::default()
    }
}

/// Sends one metric of one service.
pub(crate) fn send(library: &OtlpLibrary, resource: &[(&str, &str)], name: &str, unit: &str, data: Data) {
    let metric = Metric {
        name: name.into(),
        unit: unit.into(),
        description: format!("what {name} measures"),
        data: Some(data),
        ..Default::default()
    };
    let resource = Some(Resource { attributes: all(resource), ..Default::default() });
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..Default::default() }];
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
    let request = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    let outcome = block_on(library.export_otlp(Signal::Metrics, request.into())).unwrap();
    assert!(outcome.accepted > 0 && outcome.rejected == 0);
}
