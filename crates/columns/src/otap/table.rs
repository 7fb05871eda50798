//! The tables of OTAP: their columns by name, the types these have, and how ids are written in them. docs/otap.md lists
//! where senders differ.

use otlp_arrow_wire::otap::PayloadType;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I32,
    I64,
    F64,
    /// `Timestamp(ns)`, of any zone: Go says UTC, Rust none.
    Time,
    /// `Duration(ns)`.
    Duration,
    /// `Utf8`.
    Text,
    /// `Binary`.
    Bytes,
    /// `FixedSizeBinary` of so many bytes.
    Fixed(usize),
    Struct(&'static [Column]),
    /// A list of unnamed elements, or of structs.
    List(&'static Column),
}

/// Whether a column may have a dictionary, and the narrowest index of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// It has none.
    Plain,
    /// Of `UInt8`, then of `UInt16`, then none.
    FromU8,
    /// Of `UInt16`, then none.
    FromU16,
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) data: Type,
    pub(crate) keys: Keys,
    /// Whether the column must be there, without nulls. Go sends nulls in some of these nevertheless.
    pub(crate) required: bool,
}

/// The key of a field's metadata that says how its ids are written.
pub(crate) const ENCODING: &str = "encoding";
/// Ids as they are.
pub(crate) const ENCODING_PLAIN: &str = "plain";
/// Each id as its distance from the one before.
pub(crate) const ENCODING_DELTA: &str = "delta";
/// The same where the row before is alike, else the id itself.
pub(crate) const ENCODING_QUASI_DELTA: &str = "quasidelta";

/// The numbers that `type` of an attribute or a body may have.
pub(crate) mod value_type {
    pub(crate) const EMPTY: u8 = 0;
    pub(crate) const STR: u8 = 1;
    pub(crate) const INT: u8 = 2;
    pub(crate) const DOUBLE: u8 = 3;
    pub(crate) const BOOL: u8 = 4;
    pub(crate) const MAP: u8 = 5;
    pub(crate) const SLICE: u8 = 6;
    pub(crate) const BYTES: u8 = 7;
}

/// The numbers that `metric_type` may have.
pub(crate) mod metric_type {
    pub(crate) const EMPTY: u8 = 0;
    pub(crate) const GAUGE: u8 = 1;
    pub(crate) const SUM: u8 = 2;
    pub(crate) const HISTOGRAM: u8 = 3;
    pub(crate) const EXP_HISTOGRAM: u8 = 4;
    pub(crate) const SUMMARY: u8 = 5;
}

const fn column(name: &'static str, data: Type, keys: Keys) -> Column {
    Column { name, data, keys, required: false }
}

const fn plain(name: &'static str, data: Type) -> Column {
    column(name, data, Keys::Plain)
}

const fn required(column: Column) -> Column {
    Column { required: true, ..column }
}

const fn text8(name: &'static str) -> Column {
    column(name, Type::Text, Keys::FromU8)
}

/// Resource of a root row.
pub(crate) const RESOURCE: Column = plain(
    "resource",
    Type::Struct(&[plain("id", Type::U16), text8("schema_url"), plain("dropped_attributes_count", Type::U32)]),
);

/// Scope of a root row; the URL of its schema is a column of the root.
pub(crate) const SCOPE: Column = plain(
    "scope",
    Type::Struct(&[
        plain("id", Type::U16),
        text8("name"),
        text8("version"),
        plain("dropped_attributes_count", Type::U32),
    ]),
);

const SCHEMA_URL: Column = text8("schema_url");
const DROPPED: Column = plain("dropped_attributes_count", Type::U32);
const TIME: Column = plain("time_unix_nano", Type::Time);
const START: Column = plain("start_time_unix_nano", Type::Time);
const FLAGS: Column = plain("flags", Type::U32);
const TRACE_ID: Column = column("trace_id", Type::Fixed(16), Keys::FromU8);
const SPAN_ID: Column = column("span_id", Type::Fixed(8), Keys::FromU8);
const TRACE_STATE: Column = text8("trace_state");
const NAME: Column = text8("name");

/// The columns of an `AnyValue`, `type` first.
const VALUE: [Column; 7] = [
    required(plain("type", Type::U8)),
    column("str", Type::Text, Keys::FromU16),
    column("int", Type::I64, Keys::FromU16),
    plain("double", Type::F64),
    plain("bool", Type::Bool),
    column("bytes", Type::Bytes, Keys::FromU16),
    column("ser", Type::Bytes, Keys::FromU16),
];

const fn attributes(parent: Column) -> [Column; 9] {
    let [kind, text, int, double, bool, bytes, ser] = VALUE;
    [required(parent), required(text8("key")), kind, text, int, double, bool, bytes, ser]
}

static ATTRIBUTES_16: [Column; 9] = attributes(plain("parent_id", Type::U16));
static ATTRIBUTES_32: [Column; 9] = attributes(column("parent_id", Type::U32, Keys::FromU8));

static LOGS: [Column; 14] = [
    plain("id", Type::U16),
    RESOURCE,
    SCOPE,
    SCHEMA_URL,
    TIME,
    plain("observed_time_unix_nano", Type::Time),
    TRACE_ID,
    SPAN_ID,
    column("severity_number", Type::I32, Keys::FromU8),
    text8("severity_text"),
    plain("body", Type::Struct(&VALUE)),
    DROPPED,
    FLAGS,
    text8("event_name"),
];

static SPANS: [Column; 17] = [
    plain("id", Type::U16),
    RESOURCE,
    SCOPE,
    SCHEMA_URL,
    required(START),
    required(column("duration_time_unix_nano", Type::Duration, Keys::FromU8)),
    required(TRACE_ID),
    required(SPAN_ID),
    TRACE_STATE,
    plain("parent_span_id", Type::Fixed(8)),
    required(NAME),
    column("kind", Type::I32, Keys::FromU8),
    DROPPED,
    plain("dropped_events_count", Type::U32),
    plain("dropped_links_count", Type::U32),
    plain("status", Type::Struct(&[column("code", Type::I32, Keys::FromU8), text8("status_message")])),
    FLAGS,
];

static EVENTS: [Column; 5] =
    [plain("id", Type::U32), required(plain("parent_id", Type::U16)), TIME, required(NAME), DROPPED];

static LINKS: [Column; 7] = [
    plain("id", Type::U32),
    required(plain("parent_id", Type::U16)),
    required(TRACE_ID),
    required(SPAN_ID),
    TRACE_STATE,
    DROPPED,
    FLAGS,
];

static METRICS: [Column; 10] = [
    required(plain("id", Type::U16)),
    RESOURCE,
    SCOPE,
    SCHEMA_URL,
    required(plain("metric_type", Type::U8)),
    required(NAME),
    text8("description"),
    text8("unit"),
    column("aggregation_temporality", Type::I32, Keys::FromU8),
    plain("is_monotonic", Type::Bool),
];

const POINT_ID: Column = plain("id", Type::U32);
const POINT_PARENT: Column = required(plain("parent_id", Type::U16));
const COUNT: Column = plain("count", Type::U64);
const SUM: Column = plain("sum", Type::F64);
const MIN: Column = plain("min", Type::F64);
const MAX: Column = plain("max", Type::F64);
const BUCKETS: Column = plain("bucket_counts", Type::List(&plain("item", Type::U64)));
const SIDE: Type = Type::Struct(&[plain("offset", Type::I32), BUCKETS]);

static NUMBER_POINTS: [Column; 7] =
    [POINT_ID, POINT_PARENT, START, TIME, plain("int_value", Type::I64), plain("double_value", Type::F64), FLAGS];

static SUMMARY_POINTS: [Column; 8] = [
    POINT_ID,
    POINT_PARENT,
    START,
    TIME,
    COUNT,
    SUM,
    plain(
        "quantile",
        Type::List(&plain("item", Type::Struct(&[plain("quantile", Type::F64), plain("value", Type::F64)]))),
    ),
    FLAGS,
];

static HISTOGRAM_POINTS: [Column; 11] = [
    POINT_ID,
    POINT_PARENT,
    START,
    TIME,
    COUNT,
    SUM,
    BUCKETS,
    plain("explicit_bounds", Type::List(&plain("item", Type::F64))),
    FLAGS,
    MIN,
    MAX,
];

static EXP_HISTOGRAM_POINTS: [Column; 14] = [
    POINT_ID,
    POINT_PARENT,
    START,
    TIME,
    COUNT,
    SUM,
    plain("scale", Type::I32),
    plain("zero_count", Type::U64),
    plain("positive", SIDE),
    plain("negative", SIDE),
    FLAGS,
    MIN,
    MAX,
    plain("zero_threshold", Type::F64),
];

static EXEMPLARS: [Column; 7] = [
    plain("id", Type::U32),
    required(column("parent_id", Type::U32, Keys::FromU8)),
    required(TIME),
    column("int_value", Type::I64, Keys::FromU8),
    plain("double_value", Type::F64),
    SPAN_ID,
    TRACE_ID,
];

/// The columns of a table, in the order that Go writes them in.
pub(crate) fn columns(kind: PayloadType) -> &'static [Column] {
    match kind {
        PayloadType::ResourceAttrs
        | PayloadType::ScopeAttrs
        | PayloadType::MetricAttrs
        | PayloadType::LogAttrs
        | PayloadType::SpanAttrs => &ATTRIBUTES_16,
        PayloadType::NumberDpAttrs
        | PayloadType::SummaryDpAttrs
        | PayloadType::HistogramDpAttrs
        | PayloadType::ExpHistogramDpAttrs
        | PayloadType::NumberDpExemplarAttrs
        | PayloadType::HistogramDpExemplarAttrs
        | PayloadType::ExpHistogramDpExemplarAttrs
        | PayloadType::SpanEventAttrs
        | PayloadType::SpanLinkAttrs => &ATTRIBUTES_32,
        PayloadType::UnivariateMetrics => &METRICS,
        PayloadType::NumberDataPoints => &NUMBER_POINTS,
        PayloadType::SummaryDataPoints => &SUMMARY_POINTS,
        PayloadType::HistogramDataPoints => &HISTOGRAM_POINTS,
        PayloadType::ExpHistogramDataPoints => &EXP_HISTOGRAM_POINTS,
        PayloadType::NumberDpExemplars | PayloadType::HistogramDpExemplars | PayloadType::ExpHistogramDpExemplars => {
            &EXEMPLARS
        }
        PayloadType::Logs => &LOGS,
        PayloadType::Spans => &SPANS,
        PayloadType::SpanEvents => &EVENTS,
        PayloadType::SpanLinks => &LINKS,
    }
}
