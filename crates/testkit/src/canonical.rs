//! Requests as OTLP semantics sees them: what may differ between two encodings of the same telemetry is taken out.
//!
//! Attribute order, the grouping of records in envelopes, empty envelopes and unknown fields may differ; nothing else
//! may. Records of one resource and scope keep their order, metrics fall apart into points.

use std::collections::BTreeMap;
use std::fmt::Debug;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Metric, NumberDataPoint, Summary, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

type OfResource = (Option<Resource>, String);
type OfScope = (Option<InstrumentationScope>, String);

/// The content of a request. Equal contents are equal telemetry.
#[derive(Clone, Debug)]
pub struct Content {
    /// Records by their resource and scope.
    groups: BTreeMap<Vec<u8>, Group>,
    /// Makes canonical bytes readable.
    show: fn(&[u8]) -> String,
}

#[derive(Clone, Debug)]
struct Group {
    resource: OfResource,
    scope: OfScope,
    /// Canonical bytes, a span, log record, or metric of one point each.
    records: Vec<Vec<u8>>,
}

impl Group {
    fn place(&self) -> String {
        format!("{:?} {:?}", self.resource, self.scope)
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.difference(other).is_none()
    }
}

fn show<M: Message + Default + Debug>(bytes: &[u8]) -> String {
    M::decode(bytes).map_or_else(|error| error.to_string(), |message| format!("{message:?}"))
}

/// A request whose content can be taken.
pub trait Canonical: Message + Default + Debug {
    /// What it says.
    fn content(self) -> Content;
}

/// Replaces what cannot be told apart, or cannot be carried.
#[derive(Clone, Copy, Debug, Default)]
struct Normal {
    /// JSON has one NaN only.
    one_nan: bool,
}

impl Content {
    fn new<M: Message + Default + Debug>() -> Self {
        Self { groups: BTreeMap::new(), show: show::<M> }
    }

    /// Records in it.
    pub fn records(&self) -> usize {
        self.groups.values().map(|group| group.records.len()).sum()
    }

    /// The first difference to another content, in words; none when they are equal.
    pub fn difference(&self, other: &Self) -> Option<String> {
        for (key, group) in &self.groups {
            let records = &group.records;
            let Some(others) = other.groups.get(key).map(|group| &group.records) else {
                return Some(format!("{} record(s) are missing of {}", records.len(), group.place()));
            };
            for (index, record) in records.iter().enumerate() {
                let was = || format!("record {index} of {}\n  was {}", group.place(), (self.show)(record));
                match others.get(index) {
                    Some(other) if other == record => {}
                    Some(other) => return Some(format!("{}\n  now {}", was(), (self.show)(other))),
                    None => return Some(format!("{}\n  now missing", was())),
                }
            }
            if others.len() > records.len() {
                return Some(format!("{} record(s) too many of {}", others.len() - records.len(), group.place()));
            }
        }
        let new = other.groups.iter().find(|(key, _)| !self.groups.contains_key(*key));
        new.map(|(_, group)| format!("{} record(s) out of nowhere of {}", group.records.len(), group.place()))
    }

    fn add(&mut self, resource: &OfResource, scope: OfScope, records: Vec<Vec<u8>>) {
        if records.is_empty() {
            return;
        }
        let mut key = Vec::new();
        for (present, bytes, url) in [
            (resource.0.is_some(), resource.0.as_ref().map(Message::encode_to_vec), &resource.1),
            (scope.0.is_some(), scope.0.as_ref().map(Message::encode_to_vec), &scope.1),
        ] {
            for part in [vec![present.into()], bytes.unwrap_or_default(), url.clone().into_bytes()] {
                key.extend((part.len() as u64).to_be_bytes());
                key.extend(part);
            }
        }
        let new = || Group { resource: resource.clone(), scope, records: Vec::new() };
        self.groups.entry(key).or_insert_with(new).records.extend(records);
    }
}

impl Normal {
    fn double(self, value: &mut f64) {
        if self.one_nan && value.is_nan() {
            *value = f64::NAN;
        }
    }

    fn optional(self, value: &mut Option<f64>) {
        if let Some(value) = value {
            self.double(value);
        }
    }

    fn value(self, value: &mut AnyValue) {
        match &mut value.value {
            Some(Value::DoubleValue(double)) => self.double(double),
            Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(|value| self.value(value)),
            Some(Value::KvlistValue(list)) => list.values.iter_mut().for_each(|entry| self.key_value(entry)),
            Some(Value::StringValueStrindex(_)) => value.value = None,
            _ => {}
        }
    }

    /// An attribute without a value has an empty one.
    fn key_value(self, entry: &mut KeyValue) {
        entry.key_strindex = 0;
        self.value(entry.value.get_or_insert_default());
    }

    fn attributes(self, list: &mut [KeyValue]) {
        list.iter_mut().for_each(|entry| self.key_value(entry));
        // Stable: attributes of one key keep their order.
        list.sort_by(|a, b| a.key.cmp(&b.key));
    }

    fn resource(self, resource: Option<Resource>, url: String) -> (Option<Resource>, String) {
        let resource = resource.map(|mut resource| {
            self.attributes(&mut resource.attributes);
            resource
        });
        (resource, url)
    }

    fn scope(self, scope: Option<InstrumentationScope>, url: String) -> (Option<InstrumentationScope>, String) {
        let scope = scope.map(|mut scope| {
            self.attributes(&mut scope.attributes);
            scope
        });
        (scope, url)
    }

    fn exemplars(self, exemplars: &mut [Exemplar]) {
        for exemplar in exemplars {
            self.attributes(&mut exemplar.filtered_attributes);
            if let Some(exemplar::Value::AsDouble(value)) = &mut exemplar.value {
                self.double(value);
            }
        }
    }

    fn traces(self, request: ExportTraceServiceRequest) -> Content {
        let mut content = Content::new::<Span>();
        for group in request.resource_spans {
            let resource = self.resource(group.resource, group.schema_url);
            for group in group.scope_spans {
                let scope = self.scope(group.scope, group.schema_url);
                content.add(&resource, scope, group.spans.into_iter().map(|span| self.span(span)).collect());
            }
        }
        content
    }

    fn span(self, mut span: Span) -> Vec<u8> {
        self.attributes(&mut span.attributes);
        span.events.iter_mut().for_each(|event| self.attributes(&mut event.attributes));
        span.links.iter_mut().for_each(|link| self.attributes(&mut link.attributes));
        span.encode_to_vec()
    }

    fn logs(self, request: ExportLogsServiceRequest) -> Content {
        let mut content = Content::new::<LogRecord>();
        for group in request.resource_logs {
            let resource = self.resource(group.resource, group.schema_url);
            for group in group.scope_logs {
                let scope = self.scope(group.scope, group.schema_url);
                content.add(&resource, scope, group.log_records.into_iter().map(|log| self.log_record(log)).collect());
            }
        }
        content
    }

    fn log_record(self, mut log: LogRecord) -> Vec<u8> {
        self.attributes(&mut log.attributes);
        if let Some(body) = &mut log.body {
            self.value(body);
        }
        log.encode_to_vec()
    }

    fn metrics(self, request: ExportMetricsServiceRequest) -> Content {
        let mut content = Content::new::<Metric>();
        for group in request.resource_metrics {
            let resource = self.resource(group.resource, group.schema_url);
            for group in group.scope_metrics {
                let scope = self.scope(group.scope, group.schema_url);
                content.add(
                    &resource,
                    scope,
                    group.metrics.into_iter().flat_map(|metric| self.points(metric)).collect(),
                );
            }
        }
        content
    }

    /// One record a point: a metric of this point only.
    fn points(self, mut metric: Metric) -> Vec<Vec<u8>> {
        self.attributes(&mut metric.metadata);
        let data = metric.data.take();
        let one = |data| Metric { data: Some(data), ..metric.clone() }.encode_to_vec();
        match data {
            None => Vec::new(),
            Some(metric::Data::Gauge(mut data)) => std::mem::take(&mut data.data_points)
                .into_iter()
                .map(|point| {
                    let data_points = vec![self.number(point)];
                    one(metric::Data::Gauge(Gauge { data_points }))
                })
                .collect(),
            Some(metric::Data::Sum(mut data)) => std::mem::take(&mut data.data_points)
                .into_iter()
                .map(|point| {
                    let mut data = data.clone();
                    data.data_points.push(self.number(point));
                    one(metric::Data::Sum(data))
                })
                .collect(),
            Some(metric::Data::Histogram(mut data)) => std::mem::take(&mut data.data_points)
                .into_iter()
                .map(|mut point| {
                    self.attributes(&mut point.attributes);
                    self.exemplars(&mut point.exemplars);
                    [&mut point.sum, &mut point.min, &mut point.max].into_iter().for_each(|value| self.optional(value));
                    point.explicit_bounds.iter_mut().for_each(|value| self.double(value));
                    let mut data = data.clone();
                    data.data_points.push(point);
                    one(metric::Data::Histogram(data))
                })
                .collect(),
            Some(metric::Data::ExponentialHistogram(mut data)) => std::mem::take(&mut data.data_points)
                .into_iter()
                .map(|mut point| {
                    self.attributes(&mut point.attributes);
                    self.exemplars(&mut point.exemplars);
                    [&mut point.sum, &mut point.min, &mut point.max].into_iter().for_each(|value| self.optional(value));
                    self.double(&mut point.zero_threshold);
                    let mut data = data.clone();
                    data.data_points.push(point);
                    one(metric::Data::ExponentialHistogram(data))
                })
                .collect(),
            Some(metric::Data::Summary(data)) => data
                .data_points
                .into_iter()
                .map(|mut point| {
                    self.attributes(&mut point.attributes);
                    self.double(&mut point.sum);
                    for quantile in &mut point.quantile_values {
                        self.double(&mut quantile.quantile);
                        self.double(&mut quantile.value);
                    }
                    let data_points = vec![point];
                    one(metric::Data::Summary(Summary { data_points }))
                })
                .collect(),
        }
    }

    fn number(self, mut point: NumberDataPoint) -> NumberDataPoint {
        self.attributes(&mut point.attributes);
        self.exemplars(&mut point.exemplars);
        if let Some(number_data_point::Value::AsDouble(value)) = &mut point.value {
            self.double(value);
        }
        point
    }
}

macro_rules! canonical {
    ($($request:ty, $method:ident;)*) => {$(
        impl Canonical for $request {
            fn content(self) -> Content {
                Normal::default().$method(self)
            }
        }

        impl CanonicalJson for $request {
            fn json_content(self) -> Content {
                Normal { one_nan: true }.$method(self)
            }
        }
    )*};
}

/// A request whose content can be taken as JSON is able to carry it: with one NaN instead of many.
pub trait CanonicalJson: Canonical {
    /// What it says.
    fn json_content(self) -> Content;
}

canonical! {
    ExportTraceServiceRequest, traces;
    ExportLogsServiceRequest, logs;
    ExportMetricsServiceRequest, metrics;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Generator;

    fn first_span(request: &mut ExportTraceServiceRequest) -> Option<&mut Span> {
        request.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans).next()
    }

    #[test]
    fn what_may_differ_does_not_count() {
        let mut with_spans = 0;
        for seed in 0..200 {
            let request = Generator::new(seed).traces();
            let mut other = request.clone();
            other.resource_spans.push(Default::default());
            if let Some(span) = first_span(&mut other) {
                span.attributes.sort_by(|a, b| b.key.cmp(&a.key));
                with_spans += 1;
            }
            if let Some(first) = other.resource_spans.first_mut() {
                // One envelope a scope instead of one for all.
                let scopes = std::mem::take(&mut first.scope_spans);
                let first = first.clone();
                let split = scopes.into_iter().map(|scope| {
                    let mut one = first.clone();
                    one.scope_spans.push(scope);
                    one
                });
                other.resource_spans.splice(0..1, split);
            }
            assert_eq!(request.content().difference(&other.content()), None, "seed {seed}");
        }
        assert!(with_spans > 100);
    }

    #[test]
    fn what_may_not_differ_is_told() {
        let changes: [fn(&mut Span); 6] = [
            |span| span.name.push('x'),
            |span| span.flags ^= 1,
            |span| span.trace_id.push(0),
            |span| span.start_time_unix_nano ^= 1,
            |span| span.attributes.push(KeyValue::default()),
            |span| span.status = if span.status.is_some() { None } else { Some(Default::default()) },
        ];
        let mut told = 0;
        for seed in 0..50 {
            let request = Generator::new(seed).traces();
            for change in changes {
                let mut other = request.clone();
                let Some(span) = first_span(&mut other) else { continue };
                change(span);
                assert!(request.clone().content().difference(&other.content()).is_some(), "seed {seed}");
                told += 1;
            }
        }
        assert!(told > 100);
    }

    #[test]
    fn the_generator_reaches_every_field() {
        let mut shown = String::new();
        for seed in 0..300 {
            let mut generator = Generator::new(seed);
            shown += &format!("{:?}{:?}{:?}", generator.traces(), generator.logs(), generator.metrics());
        }
        for part in [
            "ArrayValue(",
            "KvlistValue(",
            "BytesValue(",
            "StringValueStrindex(",
            "DoubleValue(NaN)",
            "DoubleValue(-0.0)",
            "IntValue(-9223372036854775808)",
            "18446744073709551615",
            "kind: 99",
            "status: None",
            "status: Some",
            "resource: None",
            "scope: None",
            "body: None",
            "value: None",
            "positive: None",
            "sum: None",
            "AsInt(0)",
            "AsDouble(",
            "EntityRef {",
            "ValueAtQuantile {",
            "Exemplar {",
            "Link {",
            "Event {",
            "metadata: [KeyValue",
            "key: \"k#2\"",
            "is_monotonic: true",
            "trace_id: []",
            "event_name: \"a\"",
        ] {
            assert!(shown.contains(part), "no {part} within 300 seeds");
        }
    }
}
