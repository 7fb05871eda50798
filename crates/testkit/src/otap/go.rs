//! What a Collector changes of any request that it passes on, taken out before it is sent and before it is compared.

use std::collections::HashSet;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// A request that a Collector passes on as it is.
pub trait PassedOn {
    /// Without repeated keys, which collapse in a Go map, and in the order of their keys, which it forgets; with the messages that
    /// Go always has; without metadata of metrics; with spans that last less than Go's durations.
    fn passed_on(self) -> Self;
}

/// Times below it have differences that fit.
const TIMES: u64 = (1 << 61) - 1;

fn value(of: &mut AnyValue) {
    match &mut of.value {
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(value),
        Some(Value::KvlistValue(list)) => {
            attributes(&mut list.values);
            list.values.sort_by(|one, other| one.key.cmp(&other.key));
        }
        _ => {}
    }
}

fn attributes(list: &mut Vec<KeyValue>) {
    let mut seen = HashSet::new();
    list.retain(|entry| seen.insert(entry.key.clone()));
    list.iter_mut().for_each(|entry| value(entry.value.get_or_insert_default()));
}

fn shared(resource: &mut Option<Resource>) {
    attributes(&mut resource.get_or_insert_default().attributes);
}

fn scope(scope: &mut Option<InstrumentationScope>) {
    attributes(&mut scope.get_or_insert_default().attributes);
}

fn exemplars(list: &mut [Exemplar]) {
    list.iter_mut().for_each(|exemplar| attributes(&mut exemplar.filtered_attributes));
}

impl PassedOn for ExportLogsServiceRequest {
    fn passed_on(mut self) -> Self {
        for group in &mut self.resource_logs {
            shared(&mut group.resource);
            for group in &mut group.scope_logs {
                scope(&mut group.scope);
                for log in &mut group.log_records {
                    attributes(&mut log.attributes);
                    value(log.body.get_or_insert_default());
                }
            }
        }
        self
    }
}

impl PassedOn for ExportTraceServiceRequest {
    fn passed_on(mut self) -> Self {
        for group in &mut self.resource_spans {
            shared(&mut group.resource);
            for group in &mut group.scope_spans {
                scope(&mut group.scope);
                for span in &mut group.spans {
                    span.start_time_unix_nano &= TIMES;
                    span.end_time_unix_nano &= TIMES;
                    span.status.get_or_insert_default();
                    attributes(&mut span.attributes);
                    span.events.iter_mut().for_each(|event| attributes(&mut event.attributes));
                    span.links.iter_mut().for_each(|link| attributes(&mut link.attributes));
                }
            }
        }
        self
    }
}

impl PassedOn for ExportMetricsServiceRequest {
    fn passed_on(mut self) -> Self {
        for group in &mut self.resource_metrics {
            shared(&mut group.resource);
            for group in &mut group.scope_metrics {
                scope(&mut group.scope);
                for of in &mut group.metrics {
                    of.metadata.clear();
                    points(&mut of.data);
                }
            }
        }
        self
    }
}

fn points(data: &mut Option<metric::Data>) {
    match data {
        None => {}
        Some(metric::Data::Gauge(of)) => {
            for point in &mut of.data_points {
                attributes(&mut point.attributes);
                exemplars(&mut point.exemplars);
            }
        }
        Some(metric::Data::Sum(of)) => {
            for point in &mut of.data_points {
                attributes(&mut point.attributes);
                exemplars(&mut point.exemplars);
            }
        }
        Some(metric::Data::Histogram(of)) => {
            for point in &mut of.data_points {
                attributes(&mut point.attributes);
                exemplars(&mut point.exemplars);
            }
        }
        Some(metric::Data::ExponentialHistogram(of)) => {
            for point in &mut of.data_points {
                attributes(&mut point.attributes);
                exemplars(&mut point.exemplars);
                point.positive.get_or_insert_default();
                point.negative.get_or_insert_default();
            }
        }
        Some(metric::Data::Summary(of)) => {
            of.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes))
        }
    }
}
