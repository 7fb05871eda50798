//! Storage schema v1: one table a signal. docs/schema.md says what every column means; DESIGN 4.4 why it has this shape.
//!
//! The rules behind it: dictionaries only at the top level of a row and only of `Int32` to `Utf8`; no view, large or
//! run-end types; every list and map of plain text. Each comes from a reader that fails otherwise.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use crate::Signal;

/// Key of the schema metadata entry that carries [`VERSION`].
pub const VERSION_KEY: &str = "otlp_arrow.schema";
/// Schema metadata: which table it is, `traces`, `metrics` or `logs`.
pub const SIGNAL_KEY: &str = "otlp_arrow.signal";

/// Version of the storage schema. A later version only adds columns.
pub const VERSION: &str = "1";

/// Columns every table ends with, in this order: what a record shares with its neighbours.
pub mod common {
    /// Position of the first common column in a table with `columns` columns.
    pub const fn first(columns: usize) -> usize {
        columns - COUNT
    }

    /// How many there are.
    pub const COUNT: usize = 10;
    /// Offset of `service_name` from [`first`]: a copy of the resource's `service.name`, for filtering.
    pub const SERVICE_NAME: usize = 0;
    /// Offset of `resource_attributes`: a JSON object; null = no resource.
    pub const RESOURCE_ATTRIBUTES: usize = 1;
    /// Offset of `resource_dropped_attributes_count`.
    pub const RESOURCE_DROPPED: usize = 2;
    /// Offset of `resource_schema_url`.
    pub const RESOURCE_SCHEMA_URL: usize = 3;
    /// Offset of `resource_entity_refs`: a JSON array; null = none.
    pub const RESOURCE_ENTITY_REFS: usize = 4;
    /// Offset of `scope_name`; null = no scope.
    pub const SCOPE_NAME: usize = 5;
    /// Offset of `scope_version`.
    pub const SCOPE_VERSION: usize = 6;
    /// Offset of `scope_attributes`: a JSON object.
    pub const SCOPE_ATTRIBUTES: usize = 7;
    /// Offset of `scope_dropped_attributes_count`.
    pub const SCOPE_DROPPED: usize = 8;
    /// Offset of `scope_schema_url`.
    pub const SCOPE_SCHEMA_URL: usize = 9;
}

macro_rules! positions {
    ($(#[$doc:meta])* $module:ident: $($name:ident)*) => {
        $(#[$doc])*
        #[allow(missing_docs, reason = "each is the position of the column of that name, described in docs/schema.md")]
        pub mod $module {
            positions!(@count 0usize; $($name)*);
            /// All columns, the common ones included.
            pub const COUNT: usize = OWN + super::common::COUNT;
        }
    };
    (@count $at:expr; $name:ident $($rest:ident)*) => {
        pub const $name: usize = $at;
        positions!(@count $name + 1; $($rest)*);
    };
    (@count $at:expr;) => {
        /// Columns of the record itself; the common ones follow.
        pub const OWN: usize = $at;
    };
}

positions! {
    /// Positions in the traces table, one row a span.
    traces: TRACE_ID SPAN_ID PARENT_SPAN_ID TRACE_STATE FLAGS NAME KIND START_TIME END_TIME DURATION STATUS_CODE
        STATUS_MESSAGE ATTRIBUTES ATTRIBUTE_TYPES DROPPED_ATTRIBUTES_COUNT EVENTS DROPPED_EVENTS_COUNT LINKS
        DROPPED_LINKS_COUNT
}

positions! {
    /// Positions in the logs table, one row a log record.
    logs: TIME OBSERVED_TIME SEVERITY_NUMBER SEVERITY_TEXT BODY BODY_TYPE ATTRIBUTES ATTRIBUTE_TYPES
        DROPPED_ATTRIBUTES_COUNT FLAGS TRACE_ID SPAN_ID EVENT_NAME
}

positions! {
    /// Positions in the metrics table, one row a data point.
    metrics: METRIC_NAME DESCRIPTION UNIT METRIC_TYPE TEMPORALITY IS_MONOTONIC METADATA START_TIME TIME ATTRIBUTES
        ATTRIBUTE_TYPES FLAGS VALUE VALUE_INT COUNT_ SUM MIN MAX BUCKET_COUNTS EXPLICIT_BOUNDS SCALE ZERO_COUNT
        ZERO_THRESHOLD POSITIVE_OFFSET POSITIVE_BUCKET_COUNTS NEGATIVE_OFFSET NEGATIVE_BUCKET_COUNTS QUANTILES EXEMPLARS
}

static SCHEMAS: LazyLock<[SchemaRef; 3]> = LazyLock::new(|| Signal::ALL.map(|signal| Arc::new(build(signal))));

/// The schema of the table of one signal: exactly the columns of docs/schema.md, metadata `otlp_arrow.schema = "1"`
/// and `otlp_arrow.signal`.
pub fn schema(signal: Signal) -> SchemaRef {
    SCHEMAS[signal.index()].clone()
}

/// The field of the elements of a list column. It is the schema's own, which Arrow sees to be the same without a look
/// inside.
pub(crate) fn item_of(signal: Signal, column: usize) -> FieldRef {
    match SCHEMAS[signal.index()].field(column).data_type() {
        DataType::List(item) => item.clone(),
        other => unreachable!("column {column} of {} is {other}", signal.as_str()),
    }
}

/// As [`item_of`], for a list of structs, with the fields of these.
pub(crate) fn struct_of(signal: Signal, column: usize) -> (FieldRef, Fields) {
    let item = item_of(signal, column);
    match item.data_type() {
        DataType::Struct(fields) => (item.clone(), fields.clone()),
        other => unreachable!("elements of column {column} of {} are {other}", signal.as_str()),
    }
}

/// `Timestamp(ns, "UTC")`.
pub fn timestamp() -> DataType {
    static UTC: LazyLock<Arc<str>> = LazyLock::new(|| "UTC".into());
    DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.clone()))
}

/// `Dictionary(Int32, Utf8)`: text with few distinct values, at the top level of a row only.
pub fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// `Map<Utf8, Utf8>` of the fields `entries`, `key` and `value`: attribute values as text, null for an empty value.
pub fn attributes() -> DataType {
    DataType::Map(entries_field(), false)
}

pub(crate) fn entries_field() -> FieldRef {
    static ENTRIES: LazyLock<FieldRef> =
        LazyLock::new(|| Arc::new(Field::new("entries", DataType::Struct(entry_fields()), false)));
    ENTRIES.clone()
}

pub(crate) fn entry_fields() -> Fields {
    static ENTRY: LazyLock<Fields> = LazyLock::new(|| {
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)])
    });
    ENTRY.clone()
}

/// Fields of one element of `events`.
pub fn event_fields() -> Fields {
    Fields::from(vec![
        required("time", timestamp()),
        required("name", DataType::Utf8),
        required("attributes", attributes()),
        optional("attribute_types", DataType::Utf8),
        required("dropped_attributes_count", DataType::UInt32),
    ])
}

/// Fields of one element of `links`.
pub fn link_fields() -> Fields {
    Fields::from(vec![
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        optional("trace_state", DataType::Utf8),
        required("flags", DataType::UInt32),
        required("attributes", attributes()),
        optional("attribute_types", DataType::Utf8),
        required("dropped_attributes_count", DataType::UInt32),
    ])
}

/// Fields of one element of `quantiles`.
pub fn quantile_fields() -> Fields {
    Fields::from(vec![required("quantile", DataType::Float64), required("value", DataType::Float64)])
}

/// Fields of one element of `exemplars`.
pub fn exemplar_fields() -> Fields {
    Fields::from(vec![
        required("time", timestamp()),
        optional("value", DataType::Float64),
        optional("value_int", DataType::Int64),
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        required("attributes", attributes()),
        optional("attribute_types", DataType::Utf8),
    ])
}

/// The field of a list's elements: `item`, never null.
pub fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("item", data_type, false))
}

fn list(data_type: DataType) -> DataType {
    DataType::List(item(data_type))
}

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn build(signal: Signal) -> Schema {
    let mut fields = match signal {
        Signal::Traces => trace_columns(),
        Signal::Metrics => metric_columns(),
        Signal::Logs => log_columns(),
    };
    fields.extend(common_columns());
    let metadata = [(VERSION_KEY, VERSION), (SIGNAL_KEY, signal.as_str())];
    let metadata: HashMap<_, _> = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    Schema::new_with_metadata(fields, metadata)
}

fn common_columns() -> Vec<Field> {
    vec![
        optional("service_name", dictionary()),
        optional("resource_attributes", dictionary()),
        required("resource_dropped_attributes_count", DataType::UInt32),
        required("resource_schema_url", dictionary()),
        optional("resource_entity_refs", dictionary()),
        optional("scope_name", dictionary()),
        required("scope_version", dictionary()),
        required("scope_attributes", dictionary()),
        required("scope_dropped_attributes_count", DataType::UInt32),
        required("scope_schema_url", dictionary()),
    ]
}

fn trace_columns() -> Vec<Field> {
    vec![
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        optional("parent_span_id", DataType::FixedSizeBinary(8)),
        optional("trace_state", DataType::Utf8),
        required("flags", DataType::UInt32),
        required("name", dictionary()),
        required("kind", dictionary()),
        required("start_time", timestamp()),
        required("end_time", timestamp()),
        required("duration", DataType::Int64),
        optional("status_code", dictionary()),
        optional("status_message", DataType::Utf8),
        required("attributes", attributes()),
        optional("attribute_types", dictionary()),
        required("dropped_attributes_count", DataType::UInt32),
        required("events", list(DataType::Struct(event_fields()))),
        required("dropped_events_count", DataType::UInt32),
        required("links", list(DataType::Struct(link_fields()))),
        required("dropped_links_count", DataType::UInt32),
    ]
}

fn log_columns() -> Vec<Field> {
    vec![
        optional("time", timestamp()),
        optional("observed_time", timestamp()),
        optional("severity_number", DataType::Int32),
        optional("severity_text", dictionary()),
        optional("body", DataType::Utf8),
        optional("body_type", dictionary()),
        required("attributes", attributes()),
        optional("attribute_types", dictionary()),
        required("dropped_attributes_count", DataType::UInt32),
        required("flags", DataType::UInt32),
        optional("trace_id", DataType::FixedSizeBinary(16)),
        optional("span_id", DataType::FixedSizeBinary(8)),
        optional("event_name", dictionary()),
    ]
}

fn metric_columns() -> Vec<Field> {
    let (counts, bounds) = (list(DataType::UInt64), list(DataType::Float64));
    vec![
        required("metric_name", dictionary()),
        required("description", dictionary()),
        required("unit", dictionary()),
        required("metric_type", dictionary()),
        optional("temporality", dictionary()),
        optional("is_monotonic", DataType::Boolean),
        optional("metadata", dictionary()),
        optional("start_time", timestamp()),
        required("time", timestamp()),
        required("attributes", attributes()),
        optional("attribute_types", dictionary()),
        required("flags", DataType::UInt32),
        optional("value", DataType::Float64),
        optional("value_int", DataType::Int64),
        optional("count", DataType::UInt64),
        optional("sum", DataType::Float64),
        optional("min", DataType::Float64),
        optional("max", DataType::Float64),
        optional("bucket_counts", counts.clone()),
        optional("explicit_bounds", bounds.clone()),
        optional("scale", DataType::Int32),
        optional("zero_count", DataType::UInt64),
        optional("zero_threshold", DataType::Float64),
        optional("positive_offset", DataType::Int32),
        optional("positive_bucket_counts", counts.clone()),
        optional("negative_offset", DataType::Int32),
        optional("negative_bucket_counts", counts.clone()),
        optional("quantiles", list(DataType::Struct(quantile_fields()))),
        optional("exemplars", list(DataType::Struct(exemplar_fields()))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of ours addresses columns by position, so the two lists must not drift apart.
    #[test]
    fn positions_name_the_columns() {
        let name = |signal: Signal, at: usize| schema(signal).field(at).name().clone();
        assert_eq!(schema(Signal::Traces).fields().len(), traces::COUNT);
        assert_eq!(schema(Signal::Logs).fields().len(), logs::COUNT);
        assert_eq!(schema(Signal::Metrics).fields().len(), metrics::COUNT);
        assert_eq!(name(Signal::Traces, traces::DROPPED_LINKS_COUNT), "dropped_links_count");
        assert_eq!(name(Signal::Traces, traces::ATTRIBUTES), "attributes");
        assert_eq!(name(Signal::Traces, traces::EVENTS), "events");
        assert_eq!(name(Signal::Logs, logs::BODY_TYPE), "body_type");
        assert_eq!(name(Signal::Logs, logs::EVENT_NAME), "event_name");
        assert_eq!(name(Signal::Metrics, metrics::COUNT_), "count");
        assert_eq!(name(Signal::Metrics, metrics::EXEMPLARS), "exemplars");
        assert_eq!(name(Signal::Metrics, metrics::NEGATIVE_BUCKET_COUNTS), "negative_bucket_counts");
        for (signal, own) in [(Signal::Traces, traces::OWN), (Signal::Logs, logs::OWN), (Signal::Metrics, metrics::OWN)]
        {
            assert_eq!(name(signal, own + common::SERVICE_NAME), "service_name");
            assert_eq!(name(signal, own + common::RESOURCE_ATTRIBUTES), "resource_attributes");
            assert_eq!(name(signal, own + common::SCOPE_NAME), "scope_name");
            assert_eq!(name(signal, own + common::SCOPE_SCHEMA_URL), "scope_schema_url");
            assert_eq!(common::first(schema(signal).fields().len()), own);
            assert_eq!(schema(signal).metadata()[VERSION_KEY], "1");
            assert_eq!(schema(signal).metadata()[SIGNAL_KEY], signal.as_str());
        }
    }

    /// DuckDB, polars, nanoarrow and pyarrow each fail on one of these, see DESIGN 4.4.
    #[test]
    fn no_type_that_breaks_a_reader() {
        fn walk(data_type: &DataType, top: bool) {
            match data_type {
                DataType::Dictionary(index, value) => {
                    assert!(top, "a dictionary below a list or map");
                    assert_eq!((&**index, &**value), (&DataType::Int32, &DataType::Utf8));
                }
                DataType::List(field) | DataType::Map(field, false) => walk(field.data_type(), false),
                DataType::Struct(fields) => fields.iter().for_each(|field| walk(field.data_type(), false)),
                DataType::Utf8 | DataType::Boolean | DataType::FixedSizeBinary(8 | 16) | DataType::Timestamp(..) => {}
                other => assert!(other.is_numeric(), "{other}"),
            }
        }
        for signal in Signal::ALL {
            schema(signal).fields().iter().for_each(|field| walk(field.data_type(), true));
        }
    }
}
