//! What OTAP has no place for, taken out of a request before it is compared.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, exemplar, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::canonical::CanonicalJson;

/// A request that OTAP can carry.
pub trait Normal: CanonicalJson {
    /// Without what it cannot; `loose` where zeros and NaN had to be altered.
    fn normal(self, loose: bool) -> Self;
}

fn value(of: &mut AnyValue) {
    match &mut of.value {
        Some(Value::StringValueStrindex(_)) => of.value = None,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(value),
        Some(Value::KvlistValue(list)) => {
            for entry in &mut list.values {
                entry.key_strindex = 0;
                value(entry.value.get_or_insert_default());
            }
        }
        _ => {}
    }
}

fn double(value: &mut f64, loose: bool) {
    if loose && value.is_nan() {
        *value = f64::NAN;
    } else if loose && *value == 0.0 {
        *value = 0.0;
    }
}

/// An order of attributes is not kept, not even of those that repeat a key.
fn attributes(list: &mut [KeyValue], loose: bool) {
    for entry in &mut *list {
        entry.key_strindex = 0;
        let of = entry.value.get_or_insert_default();
        value(of);
        if let Some(Value::DoubleValue(value)) = &mut of.value {
            double(value, loose);
        }
    }
    list.sort_by_cached_key(|entry| (entry.key.clone(), entry.encode_to_vec()));
}

/// What is not there cannot be told from what says nothing.
fn resource(of: &mut Option<Resource>, loose: bool) {
    let of = of.get_or_insert_default();
    of.entity_refs.clear();
    attributes(&mut of.attributes, loose);
}

fn scope(of: &mut Option<InstrumentationScope>, loose: bool) {
    attributes(&mut of.get_or_insert_default().attributes, loose);
}

/// Nor an id of zeros from none: Go sends the one for the other.
fn id(id: &mut Vec<u8>) {
    if id.iter().all(|byte| *byte == 0) {
        id.clear();
    }
}

/// Exemplars of a point come in another order.
fn exemplars(list: &mut [Exemplar], loose: bool) {
    for exemplar in &mut *list {
        attributes(&mut exemplar.filtered_attributes, loose);
        [&mut exemplar.trace_id, &mut exemplar.span_id].into_iter().for_each(id);
        // An integer 0 beside one without a value may become a double.
        if loose && matches!(exemplar.value, Some(exemplar::Value::AsInt(0))) {
            exemplar.value = Some(exemplar::Value::AsDouble(0.0));
        }
        if let Some(exemplar::Value::AsDouble(value)) = &mut exemplar.value {
            double(value, loose);
        }
    }
    list.sort_by_cached_key(Message::encode_to_vec);
}

impl Normal for ExportLogsServiceRequest {
    fn normal(mut self, loose: bool) -> Self {
        for group in &mut self.resource_logs {
            resource(&mut group.resource, loose);
            for group in &mut group.scope_logs {
                scope(&mut group.scope, loose);
                for log in &mut group.log_records {
                    [&mut log.trace_id, &mut log.span_id].into_iter().for_each(id);
                    attributes(&mut log.attributes, loose);
                    log.body.iter_mut().for_each(value);
                }
            }
        }
        self
    }
}

impl Normal for ExportTraceServiceRequest {
    fn normal(mut self, loose: bool) -> Self {
        for group in &mut self.resource_spans {
            resource(&mut group.resource, loose);
            for group in &mut group.scope_spans {
                scope(&mut group.scope, loose);
                for span in &mut group.spans {
                    [&mut span.trace_id, &mut span.span_id, &mut span.parent_span_id].into_iter().for_each(id);
                    attributes(&mut span.attributes, loose);
                    span.events.iter_mut().for_each(|event| attributes(&mut event.attributes, loose));
                    for link in &mut span.links {
                        [&mut link.trace_id, &mut link.span_id].into_iter().for_each(id);
                        attributes(&mut link.attributes, loose);
                    }
                }
            }
        }
        self
    }
}

impl Normal for ExportMetricsServiceRequest {
    fn normal(mut self, loose: bool) -> Self {
        for group in &mut self.resource_metrics {
            resource(&mut group.resource, loose);
            for group in &mut group.scope_metrics {
                scope(&mut group.scope, loose);
                for of in &mut group.metrics {
                    attributes(&mut of.metadata, loose);
                    match &mut of.data {
                        None | Some(metric::Data::Summary(_)) => {}
                        Some(metric::Data::Gauge(of)) => {
                            of.data_points.iter_mut().for_each(|point| exemplars(&mut point.exemplars, loose));
                        }
                        Some(metric::Data::Sum(of)) => {
                            of.data_points.iter_mut().for_each(|point| exemplars(&mut point.exemplars, loose));
                        }
                        Some(metric::Data::Histogram(of)) => {
                            of.data_points.iter_mut().for_each(|point| exemplars(&mut point.exemplars, loose));
                        }
                        Some(metric::Data::ExponentialHistogram(of)) => {
                            of.data_points.iter_mut().for_each(|point| exemplars(&mut point.exemplars, loose));
                        }
                    }
                    of_points(of, loose);
                }
            }
        }
        self
    }
}

fn of_points(of: &mut opentelemetry_proto::tonic::metrics::v1::Metric, loose: bool) {
    match &mut of.data {
        None => {}
        Some(metric::Data::Gauge(of)) => {
            of.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes, loose));
        }
        Some(metric::Data::Sum(of)) => {
            of.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes, loose));
        }
        Some(metric::Data::Histogram(of)) => {
            of.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes, loose));
        }
        Some(metric::Data::ExponentialHistogram(of)) => {
            of.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes, loose));
        }
        Some(metric::Data::Summary(of)) => {
            of.data_points.iter_mut().for_each(|point| attributes(&mut point.attributes, loose));
        }
    }
}
