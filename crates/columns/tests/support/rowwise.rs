//! The way in as one would write it at first: prost structs, then arrow's own builders, row by row.
//!
//! Tests take it as the oracle, benchmarks as a baseline. It shares nothing with the crate but the schema.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "tests and benchmarks")]

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::*;
use arrow_array::types::{Float64Type, Int32Type, UInt64Type};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef};
use base64::Engine as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, exemplar,
    exponential_histogram_data_point::Buckets, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_arrow_columns::{Signal, schema, schema as schema_of};
use prost::Message;

type Dict = StringDictionaryBuilder<Int32Type>;
type Map = MapBuilder<StringBuilder, StringBuilder>;

/// Decodes with prost and builds the batch.
pub fn decode(signal: Signal, bytes: &[u8]) -> Result<RecordBatch, prost::DecodeError> {
    Ok(match signal {
        Signal::Traces => traces(&ExportTraceServiceRequest::decode(bytes)?),
        Signal::Logs => logs(&ExportLogsServiceRequest::decode(bytes)?),
        Signal::Metrics => metrics(&ExportMetricsServiceRequest::decode(bytes)?),
    })
}

pub fn double(value: f64) -> String {
    if value.is_finite() {
        zmij::Buffer::new().format_finite(value).to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else if value.to_bits() == 0x7ff8_0000_0000_0000 {
        "NaN".into()
    } else {
        format!("NaN:{:016x}", value.to_bits())
    }
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn json_string(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32).unwrap(),
            c => out.push(c),
        }
    }
    out + "\""
}

pub fn json(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::StringValueStrindex(_)) => "null".into(),
        Some(Value::StringValue(text)) => json_string(text),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) if value.is_finite() => double(*value),
        Some(Value::DoubleValue(value)) => format!(r#"{{"@double":"{}"}}"#, double(*value)),
        Some(Value::BytesValue(bytes)) => format!(r#"{{"@bytes":"{}"}}"#, base64(bytes)),
        Some(Value::ArrayValue(array)) => {
            let items: Vec<_> = array.values.iter().map(|value| json(value.value.as_ref())).collect();
            format!("[{}]", items.join(","))
        }
        Some(Value::KvlistValue(map)) => json_object(&map.values),
    }
}

pub fn json_object(attributes: &[KeyValue]) -> String {
    let mark = if attributes.len() == 1 && attributes[0].key.starts_with('@') { "@" } else { "" };
    let entries: Vec<_> = attributes
        .iter()
        .map(|kv| format!("{}:{}", json_string(&format!("{mark}{}", kv.key)), json(member(&kv.value))))
        .collect();
    format!("{{{}}}", entries.join(","))
}

fn member(value: &Option<AnyValue>) -> Option<&Value> {
    value.as_ref().and_then(|value| value.value.as_ref())
}

/// Text and letter of a value.
pub fn text(value: Option<&Value>) -> (Option<String>, char) {
    let (text, letter) = match value {
        None | Some(Value::StringValueStrindex(_)) => return (None, 'n'),
        Some(Value::StringValue(text)) => (text.clone(), 's'),
        Some(Value::BoolValue(value)) => (value.to_string(), 'b'),
        Some(Value::IntValue(value)) => (value.to_string(), 'i'),
        Some(Value::DoubleValue(value)) => (double(*value), 'd'),
        Some(Value::BytesValue(bytes)) => (base64(bytes), 'y'),
        Some(Value::ArrayValue(_)) => (json(value), 'a'),
        Some(Value::KvlistValue(_)) => (json(value), 'm'),
    };
    (Some(text), letter)
}

fn map_builder() -> Map {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
        .with_keys_field(Field::new("key", DataType::Utf8, false))
        .with_values_field(Field::new("value", DataType::Utf8, true))
}

/// Appends a list of attributes; the letters, if not all are `s`.
fn push_attributes(map: &mut Map, attributes: &[KeyValue]) -> Option<String> {
    let keys: HashSet<&str> = attributes.iter().map(|kv| kv.key.as_str()).collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut letters = String::new();
    for kv in attributes {
        let (value, letter) = text(member(&kv.value));
        let number = seen.entry(&kv.key).or_default();
        *number += 1;
        if *number == 1 {
            map.keys().append_value(&kv.key);
            letters.push(letter);
        } else {
            while keys.contains(&format!("{}#{number}", kv.key)[..]) {
                *number += 1;
            }
            map.keys().append_value(format!("{}#{number}", kv.key));
            letters.push(letter.to_ascii_uppercase());
        }
        map.values().append_option(value);
    }
    map.append(true).unwrap();
    (!letters.chars().all(|letter| letter == 's')).then_some(letters)
}

struct Attributes {
    map: Map,
    types: Dict,
}

impl Attributes {
    fn new() -> Self {
        Self { map: map_builder(), types: Dict::new() }
    }

    fn push(&mut self, attributes: &[KeyValue]) {
        let types = push_attributes(&mut self.map, attributes);
        self.types.append_option(types);
    }
}

#[derive(Default)]
struct Common {
    dicts: [Dict; 8],
    resource_dropped: UInt32Builder,
    scope_dropped: UInt32Builder,
}

impl Common {
    fn push(&mut self, resource: &Option<Resource>, url: &str, scope: &Option<InstrumentationScope>, scope_url: &str) {
        let [service, attributes, resource_url, entities, name, version, scope_attributes, schema_url] =
            &mut self.dicts;
        let found = resource.iter().flat_map(|r| &r.attributes).find(|kv| kv.key == "service.name");
        service.append_option(found.and_then(|kv| text(member(&kv.value)).0));
        attributes.append_option(resource.as_ref().map(|r| json_object(&r.attributes)));
        self.resource_dropped.append_value(resource.as_ref().map_or(0, |r| r.dropped_attributes_count));
        resource_url.append_value(url);
        let list = |keys: &[String]| keys.iter().map(|key| json_string(key)).collect::<Vec<_>>().join(",");
        let refs: Vec<_> = resource
            .iter()
            .flat_map(|r| &r.entity_refs)
            .map(|e| {
                format!(
                    r#"{{"schema_url":{},"type":{},"id_keys":[{}],"description_keys":[{}]}}"#,
                    json_string(&e.schema_url),
                    json_string(&e.r#type),
                    list(&e.id_keys),
                    list(&e.description_keys)
                )
            })
            .collect();
        entities.append_option((!refs.is_empty()).then(|| format!("[{}]", refs.join(","))));
        name.append_option(scope.as_ref().map(|s| &s.name));
        version.append_value(scope.as_ref().map_or("", |s| &s.version));
        scope_attributes.append_value(json_object(scope.as_ref().map_or(&[], |s| &s.attributes)));
        self.scope_dropped.append_value(scope.as_ref().map_or(0, |s| s.dropped_attributes_count));
        schema_url.append_value(scope_url);
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let [a, b, c, d, e, f, g, h] = self.dicts.each_mut().map(|dict| Arc::new(dict.finish()) as ArrayRef);
        let resource_dropped = Arc::new(self.resource_dropped.finish());
        vec![a, b, resource_dropped, c, d, e, f, g, Arc::new(self.scope_dropped.finish()), h]
    }
}

fn batch(signal: Signal, mut columns: Vec<ArrayRef>, common: Common, rows: usize) -> RecordBatch {
    columns.extend(common.finish());
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema_of(signal), columns, &options).unwrap()
}

fn ids(column: &mut FixedSizeBinaryBuilder, id: &[u8]) {
    if id.is_empty() { column.append_null() } else { column.append_value(id).unwrap() }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn name(names: &[&str], number: i32) -> String {
    usize::try_from(number).ok().and_then(|at| names.get(at)).map_or(number.to_string(), |name| (*name).to_owned())
}

fn times() -> TimestampNanosecondBuilder {
    TimestampNanosecondBuilder::new().with_timezone("UTC")
}

type Structs = ListBuilder<StructBuilder>;

fn structs(fields: arrow_schema::Fields) -> Structs {
    let builders: Vec<Box<dyn ArrayBuilder>> = fields
        .iter()
        .map(|field| -> Box<dyn ArrayBuilder> {
            match field.data_type() {
                DataType::Map(..) => Box::new(map_builder()),
                DataType::Timestamp(..) => Box::new(times()),
                other => make_builder(other, 0),
            }
        })
        .collect();
    let item = schema::item(DataType::Struct(fields.clone()));
    ListBuilder::new(StructBuilder::new(fields, builders)).with_field(item)
}

fn at<B: ArrayBuilder>(list: &mut Structs, field: usize) -> &mut B {
    list.values().field_builder(field).unwrap()
}

pub fn traces(request: &ExportTraceServiceRequest) -> RecordBatch {
    let mut rows = 0;
    let mut common = Common::default();
    let (mut trace_id, mut span_id) = (FixedSizeBinaryBuilder::new(16), FixedSizeBinaryBuilder::new(8));
    let mut parent = FixedSizeBinaryBuilder::new(8);
    let (mut state, mut message) = (StringBuilder::new(), StringBuilder::new());
    let (mut flags, mut dropped) = (UInt32Builder::new(), UInt32Builder::new());
    let (mut dropped_events, mut dropped_links) = (UInt32Builder::new(), UInt32Builder::new());
    let (mut names, mut kinds, mut codes) = (Dict::new(), Dict::new(), Dict::new());
    let (mut start, mut end, mut duration) = (times(), times(), Int64Builder::new());
    let mut attributes = Attributes::new();
    let (mut events, mut links) = (structs(schema::event_fields()), structs(schema::link_fields()));
    for envelope in &request.resource_spans {
        for scope in &envelope.scope_spans {
            for span in &scope.spans {
                let span: &Span = span;
                rows += 1;
                ids(&mut trace_id, &span.trace_id);
                ids(&mut span_id, &span.span_id);
                ids(&mut parent, &span.parent_span_id);
                state.append_option(known(&span.trace_state));
                flags.append_value(span.flags);
                names.append_value(&span.name);
                let all = ["unspecified", "internal", "server", "client", "producer", "consumer"];
                kinds.append_value(name(&all, span.kind));
                start.append_value(span.start_time_unix_nano as i64);
                end.append_value(span.end_time_unix_nano as i64);
                duration.append_value(span.end_time_unix_nano.wrapping_sub(span.start_time_unix_nano) as i64);
                codes.append_option(span.status.as_ref().map(|s| name(&["unset", "ok", "error"], s.code)));
                message.append_option(span.status.as_ref().and_then(|s| known(&s.message)));
                attributes.push(&span.attributes);
                dropped.append_value(span.dropped_attributes_count);
                for event in &span.events {
                    at::<TimestampNanosecondBuilder>(&mut events, 0).append_value(event.time_unix_nano as i64);
                    at::<StringBuilder>(&mut events, 1).append_value(&event.name);
                    let types = push_attributes(at(&mut events, 2), &event.attributes);
                    at::<StringBuilder>(&mut events, 3).append_option(types);
                    at::<UInt32Builder>(&mut events, 4).append_value(event.dropped_attributes_count);
                    events.values().append(true);
                }
                events.append(true);
                dropped_events.append_value(span.dropped_events_count);
                for link in &span.links {
                    ids(at(&mut links, 0), &link.trace_id);
                    ids(at(&mut links, 1), &link.span_id);
                    at::<StringBuilder>(&mut links, 2).append_option(known(&link.trace_state));
                    at::<UInt32Builder>(&mut links, 3).append_value(link.flags);
                    let types = push_attributes(at(&mut links, 4), &link.attributes);
                    at::<StringBuilder>(&mut links, 5).append_option(types);
                    at::<UInt32Builder>(&mut links, 6).append_value(link.dropped_attributes_count);
                    links.values().append(true);
                }
                links.append(true);
                dropped_links.append_value(span.dropped_links_count);
                common.push(&envelope.resource, &envelope.schema_url, &scope.scope, &scope.schema_url);
            }
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(trace_id.finish()),
        Arc::new(span_id.finish()),
        Arc::new(parent.finish()),
        Arc::new(state.finish()),
        Arc::new(flags.finish()),
        Arc::new(names.finish()),
        Arc::new(kinds.finish()),
        Arc::new(start.finish()),
        Arc::new(end.finish()),
        Arc::new(duration.finish()),
        Arc::new(codes.finish()),
        Arc::new(message.finish()),
        Arc::new(attributes.map.finish()),
        Arc::new(attributes.types.finish()),
        Arc::new(dropped.finish()),
        Arc::new(events.finish()),
        Arc::new(dropped_events.finish()),
        Arc::new(links.finish()),
        Arc::new(dropped_links.finish()),
    ];
    batch(Signal::Traces, columns, common, rows)
}

pub fn logs(request: &ExportLogsServiceRequest) -> RecordBatch {
    let mut rows = 0;
    let mut common = Common::default();
    let (mut time, mut observed, mut severity) = (times(), times(), Int32Builder::new());
    let (mut severity_text, mut body, mut body_type) = (Dict::new(), StringBuilder::new(), Dict::new());
    let mut attributes = Attributes::new();
    let (mut dropped, mut flags, mut event_name) = (UInt32Builder::new(), UInt32Builder::new(), Dict::new());
    let (mut trace_id, mut span_id) = (FixedSizeBinaryBuilder::new(16), FixedSizeBinaryBuilder::new(8));
    let stamp = |nanos: u64| (nanos != 0).then_some(nanos as i64);
    for envelope in &request.resource_logs {
        for scope in &envelope.scope_logs {
            for record in &scope.log_records {
                let record: &LogRecord = record;
                rows += 1;
                time.append_option(stamp(record.time_unix_nano));
                observed.append_option(stamp(record.observed_time_unix_nano));
                severity.append_option((record.severity_number != 0).then_some(record.severity_number));
                severity_text.append_option(known(&record.severity_text));
                let shown = record.body.as_ref().map(|body| text(body.value.as_ref()));
                body_type.append_option(shown.as_ref().map(|(_, letter)| letter.to_string()));
                body.append_option(shown.and_then(|(text, _)| text));
                attributes.push(&record.attributes);
                dropped.append_value(record.dropped_attributes_count);
                flags.append_value(record.flags);
                ids(&mut trace_id, &record.trace_id);
                ids(&mut span_id, &record.span_id);
                event_name.append_option(known(&record.event_name));
                common.push(&envelope.resource, &envelope.schema_url, &scope.scope, &scope.schema_url);
            }
        }
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(time.finish()),
        Arc::new(observed.finish()),
        Arc::new(severity.finish()),
        Arc::new(severity_text.finish()),
        Arc::new(body.finish()),
        Arc::new(body_type.finish()),
        Arc::new(attributes.map.finish()),
        Arc::new(attributes.types.finish()),
        Arc::new(dropped.finish()),
        Arc::new(flags.finish()),
        Arc::new(trace_id.finish()),
        Arc::new(span_id.finish()),
        Arc::new(event_name.finish()),
    ];
    batch(Signal::Logs, columns, common, rows)
}

/// One data point of any kind, as the row it becomes.
#[derive(Default)]
struct Point<'a> {
    attributes: &'a [KeyValue],
    exemplars: &'a [Exemplar],
    start: u64,
    time: u64,
    flags: u32,
    value: Option<f64>,
    int: Option<i64>,
    count: Option<u64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    bounds: Option<(&'a [u64], &'a [f64])>,
    exponential: Option<(i32, u64, f64)>,
    positive: Option<&'a Buckets>,
    negative: Option<&'a Buckets>,
    quantiles: Option<Vec<(f64, f64)>>,
}

impl<'a> From<&'a NumberDataPoint> for Point<'a> {
    fn from(p: &'a NumberDataPoint) -> Self {
        let (value, int) = match p.value {
            None => (None, None),
            Some(number_data_point::Value::AsDouble(value)) => (Some(value), None),
            Some(number_data_point::Value::AsInt(value)) => (Some(value as f64), Some(value)),
        };
        let (start, time, flags) = (p.start_time_unix_nano, p.time_unix_nano, p.flags);
        Point { attributes: &p.attributes, exemplars: &p.exemplars, start, time, flags, value, int, ..Point::default() }
    }
}

impl<'a> From<&'a HistogramDataPoint> for Point<'a> {
    fn from(p: &'a HistogramDataPoint) -> Self {
        Point {
            attributes: &p.attributes,
            exemplars: &p.exemplars,
            start: p.start_time_unix_nano,
            time: p.time_unix_nano,
            flags: p.flags,
            count: Some(p.count),
            sum: p.sum,
            min: p.min,
            max: p.max,
            bounds: Some((&p.bucket_counts, &p.explicit_bounds)),
            ..Point::default()
        }
    }
}

impl<'a> From<&'a ExponentialHistogramDataPoint> for Point<'a> {
    fn from(p: &'a ExponentialHistogramDataPoint) -> Self {
        Point {
            attributes: &p.attributes,
            exemplars: &p.exemplars,
            start: p.start_time_unix_nano,
            time: p.time_unix_nano,
            flags: p.flags,
            count: Some(p.count),
            sum: p.sum,
            min: p.min,
            max: p.max,
            exponential: Some((p.scale, p.zero_count, p.zero_threshold)),
            positive: p.positive.as_ref(),
            negative: p.negative.as_ref(),
            ..Point::default()
        }
    }
}

impl<'a> From<&'a SummaryDataPoint> for Point<'a> {
    fn from(p: &'a SummaryDataPoint) -> Self {
        Point {
            attributes: &p.attributes,
            start: p.start_time_unix_nano,
            time: p.time_unix_nano,
            flags: p.flags,
            count: Some(p.count),
            sum: Some(p.sum),
            quantiles: Some(p.quantile_values.iter().map(|q| (q.quantile, q.value)).collect()),
            ..Point::default()
        }
    }
}

fn numbers<B: ArrayBuilder>(values: B, data_type: DataType) -> ListBuilder<B> {
    ListBuilder::new(values).with_field(schema::item(data_type) as FieldRef)
}

struct MetricTable {
    dicts: [Dict; 6],
    monotonic: BooleanBuilder,
    start: TimestampNanosecondBuilder,
    time: TimestampNanosecondBuilder,
    attributes: Attributes,
    flags: UInt32Builder,
    /// value, sum, min, max, zero_threshold
    doubles: [Float64Builder; 5],
    value_int: Int64Builder,
    count: UInt64Builder,
    zero_count: UInt64Builder,
    buckets: ListBuilder<PrimitiveBuilder<UInt64Type>>,
    bounds: ListBuilder<PrimitiveBuilder<Float64Type>>,
    /// scale, positive and negative offset
    ints: [Int32Builder; 3],
    sides: [ListBuilder<PrimitiveBuilder<UInt64Type>>; 2],
    quantiles: Structs,
    exemplars: Structs,
}

pub fn metrics(request: &ExportMetricsServiceRequest) -> RecordBatch {
    let mut rows = 0;
    let mut common = Common::default();
    let counts = || numbers(UInt64Builder::new(), DataType::UInt64);
    let mut table = MetricTable {
        dicts: Default::default(),
        monotonic: BooleanBuilder::new(),
        start: times(),
        time: times(),
        attributes: Attributes::new(),
        flags: UInt32Builder::new(),
        doubles: Default::default(),
        value_int: Int64Builder::new(),
        count: UInt64Builder::new(),
        zero_count: UInt64Builder::new(),
        buckets: counts(),
        bounds: numbers(Float64Builder::new(), DataType::Float64),
        ints: Default::default(),
        sides: [counts(), counts()],
        quantiles: structs(schema::quantile_fields()),
        exemplars: structs(schema::exemplar_fields()),
    };
    for envelope in &request.resource_metrics {
        for scope in &envelope.scope_metrics {
            for metric in &scope.metrics {
                use metric::Data;
                let (kind, temporality, monotonic, points): (_, _, _, Vec<Point<'_>>) = match &metric.data {
                    None => continue,
                    Some(Data::Gauge(data)) => {
                        ("gauge", None, None, data.data_points.iter().map(Point::from).collect())
                    }
                    Some(Data::Sum(data)) => (
                        "sum",
                        Some(data.aggregation_temporality),
                        Some(data.is_monotonic),
                        data.data_points.iter().map(Point::from).collect(),
                    ),
                    Some(Data::Histogram(data)) => {
                        let points = data.data_points.iter().map(Point::from).collect();
                        ("histogram", Some(data.aggregation_temporality), None, points)
                    }
                    Some(Data::ExponentialHistogram(data)) => {
                        let points = data.data_points.iter().map(Point::from).collect();
                        ("exponential_histogram", Some(data.aggregation_temporality), None, points)
                    }
                    Some(Data::Summary(data)) => {
                        ("summary", None, None, data.data_points.iter().map(Point::from).collect())
                    }
                };
                for point in &points {
                    rows += 1;
                    table.push(metric, kind, temporality, monotonic, point);
                    common.push(&envelope.resource, &envelope.schema_url, &scope.scope, &scope.schema_url);
                }
            }
        }
    }
    batch(Signal::Metrics, table.finish(), common, rows)
}

impl MetricTable {
    fn push(&mut self, of: &Metric, kind: &str, temporality: Option<i32>, monotonic: Option<bool>, p: &Point<'_>) {
        let [name_, description, unit, kinds, temporalities, metadata] = &mut self.dicts;
        name_.append_value(&of.name);
        description.append_value(&of.description);
        unit.append_value(&of.unit);
        kinds.append_value(kind);
        temporalities.append_option(temporality.map(|t| name(&["unspecified", "delta", "cumulative"], t)));
        metadata.append_option((!of.metadata.is_empty()).then(|| json_object(&of.metadata)));
        self.monotonic.append_option(monotonic);
        self.start.append_option((p.start != 0).then_some(p.start as i64));
        self.time.append_value(p.time as i64);
        self.attributes.push(p.attributes);
        self.flags.append_value(p.flags);
        let [value, sum, min, max, threshold] = &mut self.doubles;
        value.append_option(p.value);
        sum.append_option(p.sum);
        min.append_option(p.min);
        max.append_option(p.max);
        threshold.append_option(p.exponential.map(|(_, _, threshold)| threshold));
        self.value_int.append_option(p.int);
        self.count.append_option(p.count);
        self.zero_count.append_option(p.exponential.map(|(_, count, _)| count));
        if let Some((buckets, bounds)) = p.bounds {
            self.buckets.values().append_slice(buckets);
            self.bounds.values().append_slice(bounds);
        }
        self.buckets.append(p.bounds.is_some());
        self.bounds.append(p.bounds.is_some());
        let [scale, offsets @ ..] = &mut self.ints;
        scale.append_option(p.exponential.map(|(scale, _, _)| scale));
        for ((offset, counts), side) in offsets.iter_mut().zip(&mut self.sides).zip([p.positive, p.negative]) {
            offset.append_option(side.map(|side| side.offset));
            if let Some(side) = side {
                counts.values().append_slice(&side.bucket_counts);
            }
            counts.append(side.is_some());
        }
        for &(quantile, value) in p.quantiles.iter().flatten() {
            at::<Float64Builder>(&mut self.quantiles, 0).append_value(quantile);
            at::<Float64Builder>(&mut self.quantiles, 1).append_value(value);
            self.quantiles.values().append(true);
        }
        self.quantiles.append(p.quantiles.is_some());
        for exemplar in p.exemplars {
            let list = &mut self.exemplars;
            let (value, int) = match exemplar.value {
                None => (None, None),
                Some(exemplar::Value::AsDouble(value)) => (Some(value), None),
                Some(exemplar::Value::AsInt(value)) => (Some(value as f64), Some(value)),
            };
            at::<TimestampNanosecondBuilder>(list, 0).append_value(exemplar.time_unix_nano as i64);
            at::<Float64Builder>(list, 1).append_option(value);
            at::<Int64Builder>(list, 2).append_option(int);
            ids(at(list, 3), &exemplar.trace_id);
            ids(at(list, 4), &exemplar.span_id);
            let types = push_attributes(at(list, 5), &exemplar.filtered_attributes);
            at::<StringBuilder>(list, 6).append_option(types);
            list.values().append(true);
        }
        self.exemplars.append(!p.exemplars.is_empty());
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let [name, description, unit, kinds, temporality, metadata] =
            self.dicts.each_mut().map(|dict| Arc::new(dict.finish()) as ArrayRef);
        let [value, sum, min, max, threshold] =
            self.doubles.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [scale, positive, negative] = self.ints.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [positive_counts, negative_counts] =
            self.sides.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        vec![
            name,
            description,
            unit,
            kinds,
            temporality,
            Arc::new(self.monotonic.finish()),
            metadata,
            Arc::new(self.start.finish()),
            Arc::new(self.time.finish()),
            Arc::new(self.attributes.map.finish()),
            Arc::new(self.attributes.types.finish()),
            Arc::new(self.flags.finish()),
            value,
            Arc::new(self.value_int.finish()),
            Arc::new(self.count.finish()),
            sum,
            min,
            max,
            Arc::new(self.buckets.finish()),
            Arc::new(self.bounds.finish()),
            scale,
            Arc::new(self.zero_count.finish()),
            threshold,
            positive,
            positive_counts,
            negative,
            negative_counts,
            Arc::new(self.quantiles.finish()),
            Arc::new(self.exemplars.finish()),
        ]
    }
}
