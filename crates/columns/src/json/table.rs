//! What OTLP messages look like: one table drives reading and writing OTLP/JSON.
//!
//! From opentelemetry-proto 1.11 (common, resource, trace, metrics, logs and their collector requests). Fields of the
//! development profiles signal (`stringValueStrindex`, `keyStrindex`) are left out on purpose: elsewhere they carry
//! nothing and are skipped as unknown ones.

use otlp_arrow_wire::write::{FIXED32, FIXED64, LEN, VARINT};

use crate::Signal;

/// One protobuf message type.
#[derive(Debug)]
pub(super) struct Message {
    /// For error texts.
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    pub(super) role: Role,
}

/// What a message means for refusals and nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Around the records: a bad value here refuses the request.
    Envelope,
    /// A span, data point or log record: a bad value in it refuses it alone.
    Record,
    /// Part of a record or envelope.
    Part,
    /// An array or map within an attribute value: one level of nesting.
    Nested,
    /// An attribute value: `null` in an array of them is an empty one.
    Value,
}

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// lowerCamelCase name.
    pub(super) json: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) shape: Shape,
}

/// How often a field may occur, and whether its default value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Once; its default value means absent.
    One,
    /// Once; its default value differs from absent.
    Optional,
    /// Once, as the only member of the message's one `oneof`.
    Member,
    /// Any number of times.
    Many,
}

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    String,
    Bool,
    /// Base64 in JSON.
    Bytes,
    /// Hexadecimal in JSON, of so many bytes.
    Id(usize),
    Double,
    Int64,
    Uint64,
    Uint32,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    /// With the names of its values, from 0.
    Enum(&'static [&'static str]),
    Message(&'static Message),
}

impl Kind {
    /// The wire type of one value.
    pub(super) const fn wire_type(self) -> u8 {
        match self {
            Kind::String | Kind::Bytes | Kind::Id(_) | Kind::Message(_) => LEN,
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => FIXED64,
            Kind::Fixed32 => FIXED32,
            Kind::Bool | Kind::Int64 | Kind::Uint64 | Kind::Uint32 | Kind::Sint32 | Kind::Enum(_) => VARINT,
        }
    }
}

impl Message {
    /// Position of the field with this JSON name; `from` is where to look first.
    pub(super) fn by_name(&self, name: &[u8], from: usize) -> Option<usize> {
        let is = |at: &usize| self.fields[*at].json.as_bytes() == name;
        (from..self.fields.len()).find(is).or_else(|| (0..from.min(self.fields.len())).find(is))
    }

    /// Position of the field with this number; `from` is where to look first.
    pub(super) fn by_number(&self, number: u32, from: usize) -> Option<usize> {
        let is = |at: &usize| self.fields[*at].number == number;
        (from..self.fields.len()).find(is).or_else(|| (0..from.min(self.fields.len())).find(is))
    }
}

/// The export request of a signal.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
    }
}

const fn one(json: &'static str, number: u32, kind: Kind) -> Field {
    Field { json, number, kind, shape: Shape::One }
}

const fn optional(json: &'static str, number: u32, kind: Kind) -> Field {
    Field { json, number, kind, shape: Shape::Optional }
}

const fn member(json: &'static str, number: u32, kind: Kind) -> Field {
    Field { json, number, kind, shape: Shape::Member }
}

const fn many(json: &'static str, number: u32, kind: Kind) -> Field {
    Field { json, number, kind, shape: Shape::Many }
}

const fn message(name: &'static str, role: Role, fields: &'static [Field]) -> Message {
    Message { name, fields, role }
}

use Kind::{Bool, Bytes, Double, Enum, Fixed32, Fixed64, Int64, Sfixed64, Sint32, String, Uint32, Uint64};
use Role::{Envelope, Nested, Part, Record, Value};

const TRACE_ID: Kind = Kind::Id(16);
const SPAN_ID: Kind = Kind::Id(8);

static SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
static STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
static TEMPORALITIES: [&str; 3] =
    ["AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA", "AGGREGATION_TEMPORALITY_CUMULATIVE"];
static SEVERITIES: [&str; 25] = [
    "SEVERITY_NUMBER_UNSPECIFIED",
    "SEVERITY_NUMBER_TRACE",
    "SEVERITY_NUMBER_TRACE2",
    "SEVERITY_NUMBER_TRACE3",
    "SEVERITY_NUMBER_TRACE4",
    "SEVERITY_NUMBER_DEBUG",
    "SEVERITY_NUMBER_DEBUG2",
    "SEVERITY_NUMBER_DEBUG3",
    "SEVERITY_NUMBER_DEBUG4",
    "SEVERITY_NUMBER_INFO",
    "SEVERITY_NUMBER_INFO2",
    "SEVERITY_NUMBER_INFO3",
    "SEVERITY_NUMBER_INFO4",
    "SEVERITY_NUMBER_WARN",
    "SEVERITY_NUMBER_WARN2",
    "SEVERITY_NUMBER_WARN3",
    "SEVERITY_NUMBER_WARN4",
    "SEVERITY_NUMBER_ERROR",
    "SEVERITY_NUMBER_ERROR2",
    "SEVERITY_NUMBER_ERROR3",
    "SEVERITY_NUMBER_ERROR4",
    "SEVERITY_NUMBER_FATAL",
    "SEVERITY_NUMBER_FATAL2",
    "SEVERITY_NUMBER_FATAL3",
    "SEVERITY_NUMBER_FATAL4",
];

static ANY_VALUE: Message = message(
    "AnyValue",
    Value,
    &[
        member("stringValue", 1, String),
        member("boolValue", 2, Bool),
        member("intValue", 3, Int64),
        member("doubleValue", 4, Double),
        member("arrayValue", 5, Kind::Message(&ARRAY_VALUE)),
        member("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)),
        member("bytesValue", 7, Bytes),
    ],
);
static ARRAY_VALUE: Message = message("ArrayValue", Nested, &[many("values", 1, Kind::Message(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = message("KeyValueList", Nested, &[many("values", 1, Kind::Message(&KEY_VALUE))]);
static KEY_VALUE: Message =
    message("KeyValue", Part, &[one("key", 1, String), one("value", 2, Kind::Message(&ANY_VALUE))]);

static RESOURCE: Message = message(
    "Resource",
    Envelope,
    &[
        many("attributes", 1, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 2, Uint32),
        many("entityRefs", 3, Kind::Message(&ENTITY_REF)),
    ],
);
static ENTITY_REF: Message = message(
    "EntityRef",
    Envelope,
    &[
        one("schemaUrl", 1, String),
        one("type", 2, String),
        many("idKeys", 3, String),
        many("descriptionKeys", 4, String),
    ],
);
static SCOPE: Message = message(
    "InstrumentationScope",
    Envelope,
    &[
        one("name", 1, String),
        one("version", 2, String),
        many("attributes", 3, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Uint32),
    ],
);

static TRACES: Message =
    message("ExportTraceServiceRequest", Envelope, &[many("resourceSpans", 1, Kind::Message(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message = message(
    "ResourceSpans",
    Envelope,
    &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        many("scopeSpans", 2, Kind::Message(&SCOPE_SPANS)),
        one("schemaUrl", 3, String),
    ],
);
static SCOPE_SPANS: Message = message(
    "ScopeSpans",
    Envelope,
    &[one("scope", 1, Kind::Message(&SCOPE)), many("spans", 2, Kind::Message(&SPAN)), one("schemaUrl", 3, String)],
);
static SPAN: Message = message(
    "Span",
    Record,
    &[
        one("traceId", 1, TRACE_ID),
        one("spanId", 2, SPAN_ID),
        one("traceState", 3, String),
        one("parentSpanId", 4, SPAN_ID),
        one("flags", 16, Fixed32),
        one("name", 5, String),
        one("kind", 6, Enum(&SPAN_KINDS)),
        one("startTimeUnixNano", 7, Fixed64),
        one("endTimeUnixNano", 8, Fixed64),
        many("attributes", 9, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 10, Uint32),
        many("events", 11, Kind::Message(&EVENT)),
        one("droppedEventsCount", 12, Uint32),
        many("links", 13, Kind::Message(&LINK)),
        one("droppedLinksCount", 14, Uint32),
        one("status", 15, Kind::Message(&STATUS)),
    ],
);
static EVENT: Message = message(
    "Span.Event",
    Part,
    &[
        one("timeUnixNano", 1, Fixed64),
        one("name", 2, String),
        many("attributes", 3, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Uint32),
    ],
);
static LINK: Message = message(
    "Span.Link",
    Part,
    &[
        one("traceId", 1, TRACE_ID),
        one("spanId", 2, SPAN_ID),
        one("traceState", 3, String),
        many("attributes", 4, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 5, Uint32),
        one("flags", 6, Fixed32),
    ],
);
static STATUS: Message = message("Status", Part, &[one("message", 2, String), one("code", 3, Enum(&STATUS_CODES))]);

static LOGS: Message =
    message("ExportLogsServiceRequest", Envelope, &[many("resourceLogs", 1, Kind::Message(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message = message(
    "ResourceLogs",
    Envelope,
    &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        many("scopeLogs", 2, Kind::Message(&SCOPE_LOGS)),
        one("schemaUrl", 3, String),
    ],
);
static SCOPE_LOGS: Message = message(
    "ScopeLogs",
    Envelope,
    &[
        one("scope", 1, Kind::Message(&SCOPE)),
        many("logRecords", 2, Kind::Message(&LOG_RECORD)),
        one("schemaUrl", 3, String),
    ],
);
static LOG_RECORD: Message = message(
    "LogRecord",
    Record,
    &[
        one("timeUnixNano", 1, Fixed64),
        one("observedTimeUnixNano", 11, Fixed64),
        one("severityNumber", 2, Enum(&SEVERITIES)),
        one("severityText", 3, String),
        one("body", 5, Kind::Message(&ANY_VALUE)),
        many("attributes", 6, Kind::Message(&KEY_VALUE)),
        one("droppedAttributesCount", 7, Uint32),
        one("flags", 8, Fixed32),
        one("traceId", 9, TRACE_ID),
        one("spanId", 10, SPAN_ID),
        one("eventName", 12, String),
    ],
);

static METRICS: Message =
    message("ExportMetricsServiceRequest", Envelope, &[many("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = message(
    "ResourceMetrics",
    Envelope,
    &[
        one("resource", 1, Kind::Message(&RESOURCE)),
        many("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)),
        one("schemaUrl", 3, String),
    ],
);
static SCOPE_METRICS: Message = message(
    "ScopeMetrics",
    Envelope,
    &[one("scope", 1, Kind::Message(&SCOPE)), many("metrics", 2, Kind::Message(&METRIC)), one("schemaUrl", 3, String)],
);
static METRIC: Message = message(
    "Metric",
    Envelope,
    &[
        one("name", 1, String),
        one("description", 2, String),
        one("unit", 3, String),
        member("gauge", 5, Kind::Message(&GAUGE)),
        member("sum", 7, Kind::Message(&SUM)),
        member("histogram", 9, Kind::Message(&HISTOGRAM)),
        member("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)),
        member("summary", 11, Kind::Message(&SUMMARY)),
        many("metadata", 12, Kind::Message(&KEY_VALUE)),
    ],
);
static GAUGE: Message = message("Gauge", Envelope, &[many("dataPoints", 1, Kind::Message(&NUMBER_POINT))]);
static SUM: Message = message(
    "Sum",
    Envelope,
    &[
        many("dataPoints", 1, Kind::Message(&NUMBER_POINT)),
        one("aggregationTemporality", 2, Enum(&TEMPORALITIES)),
        one("isMonotonic", 3, Bool),
    ],
);
static HISTOGRAM: Message = message(
    "Histogram",
    Envelope,
    &[many("dataPoints", 1, Kind::Message(&HISTOGRAM_POINT)), one("aggregationTemporality", 2, Enum(&TEMPORALITIES))],
);
static EXPONENTIAL_HISTOGRAM: Message = message(
    "ExponentialHistogram",
    Envelope,
    &[many("dataPoints", 1, Kind::Message(&EXPONENTIAL_POINT)), one("aggregationTemporality", 2, Enum(&TEMPORALITIES))],
);
static SUMMARY: Message = message("Summary", Envelope, &[many("dataPoints", 1, Kind::Message(&SUMMARY_POINT))]);
static NUMBER_POINT: Message = message(
    "NumberDataPoint",
    Record,
    &[
        many("attributes", 7, Kind::Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        member("asDouble", 4, Double),
        member("asInt", 6, Sfixed64),
        many("exemplars", 5, Kind::Message(&EXEMPLAR)),
        one("flags", 8, Uint32),
    ],
);
static HISTOGRAM_POINT: Message = message(
    "HistogramDataPoint",
    Record,
    &[
        many("attributes", 9, Kind::Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("count", 4, Fixed64),
        optional("sum", 5, Double),
        many("bucketCounts", 6, Fixed64),
        many("explicitBounds", 7, Double),
        many("exemplars", 8, Kind::Message(&EXEMPLAR)),
        one("flags", 10, Uint32),
        optional("min", 11, Double),
        optional("max", 12, Double),
    ],
);
static EXPONENTIAL_POINT: Message = message(
    "ExponentialHistogramDataPoint",
    Record,
    &[
        many("attributes", 1, Kind::Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("count", 4, Fixed64),
        optional("sum", 5, Double),
        one("scale", 6, Sint32),
        one("zeroCount", 7, Fixed64),
        one("positive", 8, Kind::Message(&BUCKETS)),
        one("negative", 9, Kind::Message(&BUCKETS)),
        one("flags", 10, Uint32),
        many("exemplars", 11, Kind::Message(&EXEMPLAR)),
        optional("min", 12, Double),
        optional("max", 13, Double),
        one("zeroThreshold", 14, Double),
    ],
);
static BUCKETS: Message = message("Buckets", Part, &[one("offset", 1, Sint32), many("bucketCounts", 2, Uint64)]);
static SUMMARY_POINT: Message = message(
    "SummaryDataPoint",
    Record,
    &[
        many("attributes", 7, Kind::Message(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        many("quantileValues", 6, Kind::Message(&QUANTILE)),
        one("flags", 8, Uint32),
    ],
);
static QUANTILE: Message = message("ValueAtQuantile", Part, &[one("quantile", 1, Double), one("value", 2, Double)]);
static EXEMPLAR: Message = message(
    "Exemplar",
    Part,
    &[
        many("filteredAttributes", 7, Kind::Message(&KEY_VALUE)),
        one("timeUnixNano", 2, Fixed64),
        member("asDouble", 3, Double),
        member("asInt", 6, Sfixed64),
        one("spanId", 4, SPAN_ID),
        one("traceId", 5, TRACE_ID),
    ],
);
