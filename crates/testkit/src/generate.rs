//! Requests that reach every field, presence bit and edge value of OTLP, decided by a seed.
//!
//! Everything made here is valid: no record of it may be refused. Arrays and maps nest only as deep as prost reads them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};

use crate::rng::Rng;

/// Makes values. Small ones mostly, so that many requests can be made.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
}

/// Texts that break careless code: quotes and controls for JSON, marks of ours, everything beyond ASCII.
const TEXTS: [&str; 24] = [
    "",
    "a",
    "name",
    "k",
    "k#2",
    "k#3",
    "#",
    "k#",
    "k#2#2",
    "@",
    "@@",
    "@double",
    "@bytes",
    "@@double",
    "service.name",
    "quote\" backslash\\ slash/",
    "line\nbreak\ttab\r",
    "\u{0}\u{1}\u{1f}\u{7f}",
    "é",
    "日本語のテキスト",
    "😀😀",
    "\u{fffd}\u{2028}\u{feff}",
    "NaN",
    "123",
];
const INTS: [i64; 9] = [0, 1, -1, i64::MIN, i64::MAX, i64::MIN + 1, 1 << 53, -(1 << 53) - 1, 127];
const UINTS: [u64; 9] = [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 1 << 53, 127, 128];
const DOUBLES: [f64; 14] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    f64::MIN,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1e21,
    1e-7,
];
const ENUMS: [i32; 10] = [0, 1, 2, 3, 4, 5, 6, 99, -1, i32::MIN];

impl Generator {
    /// A generator that depends on nothing but `seed`.
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed) }
    }

    fn some<T>(&mut self, absent_one_in: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.rng.one_in(absent_one_in) { None } else { Some(make(self)) }
    }

    fn list<T>(&mut self, at_most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.rng.index(at_most + 1)).map(|_| make(self)).collect()
    }

    /// A text: often odd or empty, sometimes long, rarely huge.
    pub fn text(&mut self) -> String {
        match self.rng.below(200) {
            0 => "long ".repeat(self.rng.index(4_000)),
            1..10 => "0123456789".repeat(self.rng.index(30)),
            10..60 => {
                let len = self.rng.index(20);
                (0..len).map(|_| char::from_u32(self.rng.below(0x2_0000) as u32).unwrap_or('x')).collect()
            }
            60..100 => format!("word-{}", self.rng.below(1_000)),
            _ => (*self.rng.pick(&TEXTS)).to_owned(),
        }
    }

    fn key(&mut self) -> String {
        match self.rng.below(4) {
            // From few keys, so that they repeat within one list.
            0 | 1 => (*self.rng.pick(&TEXTS)).to_owned(),
            2 => format!("k#{}", self.rng.below(5)),
            _ => self.text(),
        }
    }

    fn double(&mut self) -> f64 {
        match self.rng.below(4) {
            // Every NaN payload, subnormal and exponent.
            0 => f64::from_bits(self.rng.bits()),
            1 => f64::from_bits(0x7ff0_0000_0000_0001 | self.rng.bits()),
            _ => *self.rng.pick(&DOUBLES),
        }
    }

    fn int(&mut self) -> i64 {
        if self.rng.one_in(2) { *self.rng.pick(&INTS) } else { self.rng.bits() as i64 >> self.rng.below(64) }
    }

    fn uint(&mut self) -> u64 {
        if self.rng.one_in(2) { *self.rng.pick(&UINTS) } else { self.rng.bits() >> self.rng.below(64) }
    }

    fn uint32(&mut self) -> u32 {
        if self.rng.one_in(2) { 0 } else { self.uint() as u32 }
    }

    fn enumeration(&mut self) -> i32 {
        *self.rng.pick(&ENUMS)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = self.rng.index(12);
        (0..len).map(|_| self.rng.bits() as u8).collect()
    }

    /// An id of the right length, absent, or all zero.
    fn id(&mut self, len: usize) -> Vec<u8> {
        match self.rng.below(6) {
            0 => Vec::new(),
            1 => vec![0; len],
            2 => vec![0xff; len],
            _ => self.rng.id(len),
        }
    }

    /// An attribute value; `depth` bounds how deep arrays and maps nest in it.
    pub fn value(&mut self, depth: usize) -> AnyValue {
        let kinds = if depth == 0 { 8 } else { 10 };
        let value = match self.rng.below(kinds) {
            0 | 1 => Value::StringValue(self.text()),
            2 => Value::BoolValue(self.rng.one_in(2)),
            3 => Value::IntValue(self.int()),
            4 => Value::DoubleValue(self.double()),
            5 => Value::BytesValue(self.bytes()),
            6 => return AnyValue { value: None },
            // Belongs to profiles, and means nothing elsewhere.
            7 if self.rng.one_in(8) => Value::StringValueStrindex(self.int() as i32),
            7 => Value::StringValue(String::new()),
            8 => Value::ArrayValue(ArrayValue { values: self.list(3, |this| this.value(depth - 1)) }),
            _ => Value::KvlistValue(KeyValueList { values: self.list(3, |this| this.attribute(depth - 1)) }),
        };
        AnyValue { value: Some(value) }
    }

    /// A value of arrays and maps within each other.
    fn deep_value(&mut self) -> AnyValue {
        let mut value = self.value(0);
        for _ in 0..self.rng.index(26) {
            value = AnyValue {
                value: Some(if self.rng.one_in(2) {
                    Value::ArrayValue(ArrayValue { values: vec![value] })
                } else {
                    let key = self.key();
                    let entry = KeyValue { key, value: Some(value), ..Default::default() };
                    Value::KvlistValue(KeyValueList { values: vec![entry] })
                }),
            };
        }
        value
    }

    fn any(&mut self) -> AnyValue {
        if self.rng.one_in(40) { self.deep_value() } else { self.value(3) }
    }

    fn attribute(&mut self, depth: usize) -> KeyValue {
        KeyValue {
            key: self.key(),
            value: self.some(12, |this| if depth == usize::MAX { this.any() } else { this.value(depth) }),
            key_strindex: if self.rng.one_in(60) { self.int() as i32 } else { 0 },
        }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        let at_most = if self.rng.one_in(50) { 40 } else { 4 };
        self.list(at_most, |this| this.attribute(usize::MAX))
    }

    fn resource(&mut self) -> Resource {
        Resource {
            attributes: self.attributes(),
            dropped_attributes_count: self.uint32(),
            entity_refs: if self.rng.one_in(4) {
                self.list(2, |this| EntityRef {
                    schema_url: this.text(),
                    r#type: this.text(),
                    id_keys: this.list(2, Self::text),
                    description_keys: this.list(2, Self::text),
                })
            } else {
                Vec::new()
            },
        }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: if self.rng.one_in(2) { self.attributes() } else { Vec::new() },
            dropped_attributes_count: self.uint32(),
        }
    }

    /// A few envelopes of a few records. Some envelopes occur twice, so that rows must be regrouped.
    fn envelopes<R: Clone, S: Clone, T>(
        &mut self,
        record: impl Fn(&mut Self) -> T,
        scope: impl Fn(Option<InstrumentationScope>, String, Vec<T>) -> S,
        resource: impl Fn(Option<Resource>, String, Vec<S>) -> R,
    ) -> Vec<R> {
        let mut shared: Vec<(Option<Resource>, Option<InstrumentationScope>)> = Vec::new();
        self.list(3, |this| {
            let again = !shared.is_empty() && this.rng.one_in(3);
            let (of, _) = if again { this.rng.pick(&shared).clone() } else { (this.some(8, Self::resource), None) };
            let url = if this.rng.one_in(2) { String::new() } else { this.text() };
            let scopes = this.list(2, |this| {
                let known = if shared.is_empty() || !this.rng.one_in(3) {
                    None
                } else {
                    Some(this.rng.pick(&shared).1.clone())
                };
                let by = known.unwrap_or_else(|| this.some(8, Self::scope));
                let url = if this.rng.one_in(2) { String::new() } else { this.text() };
                let records = this.list(3, &record);
                shared.push((of.clone(), by.clone()));
                scope(by, url, records)
            });
            resource(of, url, scopes)
        })
    }

    /// A traces request.
    pub fn traces(&mut self) -> ExportTraceServiceRequest {
        let resource_spans = self.envelopes(
            Self::span,
            |scope, schema_url, spans| ScopeSpans { scope, spans, schema_url },
            |resource, schema_url, scope_spans| ResourceSpans { resource, scope_spans, schema_url },
        );
        ExportTraceServiceRequest { resource_spans }
    }

    /// A logs request.
    pub fn logs(&mut self) -> ExportLogsServiceRequest {
        let resource_logs = self.envelopes(
            Self::log_record,
            |scope, schema_url, log_records| ScopeLogs { scope, log_records, schema_url },
            |resource, schema_url, scope_logs| ResourceLogs { resource, scope_logs, schema_url },
        );
        ExportLogsServiceRequest { resource_logs }
    }

    /// A metrics request.
    pub fn metrics(&mut self) -> ExportMetricsServiceRequest {
        let resource_metrics = self.envelopes(
            Self::metric,
            |scope, schema_url, metrics| ScopeMetrics { scope, metrics, schema_url },
            |resource, schema_url, scope_metrics| ResourceMetrics { resource, scope_metrics, schema_url },
        );
        ExportMetricsServiceRequest { resource_metrics }
    }

    fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.text(),
            parent_span_id: self.id(8),
            flags: self.uint32(),
            name: self.text(),
            kind: self.enumeration(),
            start_time_unix_nano: self.uint(),
            end_time_unix_nano: self.uint(),
            attributes: self.attributes(),
            dropped_attributes_count: self.uint32(),
            events: self.list(2, |this| span::Event {
                time_unix_nano: this.uint(),
                name: this.text(),
                attributes: this.attributes(),
                dropped_attributes_count: this.uint32(),
            }),
            dropped_events_count: self.uint32(),
            links: self.list(2, |this| span::Link {
                trace_id: this.id(16),
                span_id: this.id(8),
                trace_state: this.text(),
                attributes: this.attributes(),
                dropped_attributes_count: this.uint32(),
                flags: this.uint32(),
            }),
            dropped_links_count: self.uint32(),
            status: self.some(3, |this| Status { message: this.text(), code: this.enumeration() }),
        }
    }

    fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.uint(),
            observed_time_unix_nano: self.uint(),
            severity_number: self.enumeration(),
            severity_text: self.text(),
            body: self.some(4, Self::any),
            attributes: self.attributes(),
            dropped_attributes_count: self.uint32(),
            flags: self.uint32(),
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.text(),
        }
    }

    fn metric(&mut self) -> Metric {
        let data = self.some(10, |this| match this.rng.below(5) {
            0 => metric::Data::Gauge(Gauge { data_points: this.list(3, Self::number_point) }),
            1 => metric::Data::Sum(Sum {
                data_points: this.list(3, Self::number_point),
                aggregation_temporality: this.enumeration(),
                is_monotonic: this.rng.one_in(2),
            }),
            2 => metric::Data::Histogram(Histogram {
                data_points: this.list(3, Self::histogram_point),
                aggregation_temporality: this.enumeration(),
            }),
            3 => metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: this.list(3, Self::exponential_point),
                aggregation_temporality: this.enumeration(),
            }),
            _ => metric::Data::Summary(Summary { data_points: this.list(3, Self::summary_point) }),
        });
        Metric {
            name: self.text(),
            description: self.text(),
            unit: self.text(),
            metadata: if self.rng.one_in(3) { self.attributes() } else { Vec::new() },
            data,
        }
    }

    fn number_point(&mut self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.uint(),
            time_unix_nano: self.uint(),
            exemplars: self.list(2, Self::exemplar),
            flags: self.uint32(),
            value: self.some(6, |this| {
                if this.rng.one_in(2) {
                    number_data_point::Value::AsInt(this.int())
                } else {
                    number_data_point::Value::AsDouble(this.double())
                }
            }),
        }
    }

    fn histogram_point(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.uint(),
            time_unix_nano: self.uint(),
            count: self.uint(),
            sum: self.some(3, Self::double),
            bucket_counts: self.list(6, Self::uint),
            explicit_bounds: self.list(5, Self::double),
            exemplars: self.list(2, Self::exemplar),
            flags: self.uint32(),
            min: self.some(3, Self::double),
            max: self.some(3, Self::double),
        }
    }

    fn exponential_point(&mut self) -> ExponentialHistogramDataPoint {
        let buckets = |this: &mut Self| Buckets { offset: this.int() as i32, bucket_counts: this.list(6, Self::uint) };
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.uint(),
            time_unix_nano: self.uint(),
            count: self.uint(),
            sum: self.some(3, Self::double),
            scale: self.int() as i32,
            zero_count: self.uint(),
            positive: self.some(3, buckets),
            negative: self.some(3, buckets),
            flags: self.uint32(),
            exemplars: self.list(2, Self::exemplar),
            min: self.some(3, Self::double),
            max: self.some(3, Self::double),
            zero_threshold: self.double(),
        }
    }

    fn summary_point(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.uint(),
            time_unix_nano: self.uint(),
            count: self.uint(),
            sum: self.double(),
            quantile_values: self.list(3, |this| ValueAtQuantile { quantile: this.double(), value: this.double() }),
            flags: self.uint32(),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.uint(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value: self.some(6, |this| {
                if this.rng.one_in(2) {
                    exemplar::Value::AsInt(this.int())
                } else {
                    exemplar::Value::AsDouble(this.double())
                }
            }),
        }
    }
}
