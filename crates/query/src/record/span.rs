//! One span.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType, UInt32Type};
use arrow_array::{Array, RecordBatch, StructArray};
use otlp_arrow_columns::schema::{common, traces};
use serde::Serialize;

use super::{Attributes, Cells, as_nanos, as_time, hex};
use crate::filter::Nanos;

/// A span. Ids are in hexadecimal, times in nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of docs/schema.md")]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    pub service: String,
    pub name: String,
    pub kind: String,
    #[serde(serialize_with = "as_time")]
    pub start_time: Nanos,
    #[serde(serialize_with = "as_time")]
    pub end_time: Nanos,
    /// Nanoseconds.
    #[serde(serialize_with = "as_nanos")]
    pub duration: i64,
    /// `unset`, `ok` or `error`.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    pub attributes: Attributes,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    pub resource: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_state: Option<String>,
    pub flags: u32,
}

/// An event of a span.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the column events of docs/schema.md")]
pub struct SpanEvent {
    #[serde(serialize_with = "as_time")]
    pub time: Nanos,
    pub name: String,
    pub attributes: Attributes,
}

/// A link of a span.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the column links of docs/schema.md")]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
    pub attributes: Attributes,
}

impl Span {
    /// The span in a row of a batch with all columns of the schema.
    pub fn read(batch: &RecordBatch, row: usize) -> Self {
        let cells = Cells(batch);
        let first = common::first(traces::COUNT);
        let id = |column| cells.id(column, row).map(hex);
        let text = |column| cells.text(column, row).map(str::to_owned);
        Self {
            trace_id: id(traces::TRACE_ID).unwrap_or_default(),
            span_id: id(traces::SPAN_ID).unwrap_or_default(),
            parent_span_id: id(traces::PARENT_SPAN_ID),
            service: text(first + common::SERVICE_NAME).unwrap_or_default(),
            name: text(traces::NAME).unwrap_or_default(),
            kind: text(traces::KIND).unwrap_or_default(),
            start_time: cells.time(traces::START_TIME, row).unwrap_or_default(),
            end_time: cells.time(traces::END_TIME, row).unwrap_or_default(),
            duration: cells.number::<Int64Type>(traces::DURATION, row).unwrap_or_default(),
            status: text(traces::STATUS_CODE).unwrap_or_else(|| "unset".to_owned()),
            status_message: text(traces::STATUS_MESSAGE).filter(|message| !message.is_empty()),
            attributes: cells.attributes(traces::ATTRIBUTES, row),
            events: elements(cells, traces::EVENTS, row, SpanEvent::read),
            links: elements(cells, traces::LINKS, row, Link::read),
            resource: cells.text(first + common::RESOURCE_ATTRIBUTES, row).map(Attributes::of_json).unwrap_or_default(),
            scope: text(first + common::SCOPE_NAME).filter(|name| !name.is_empty()),
            trace_state: text(traces::TRACE_STATE).filter(|state| !state.is_empty()),
            flags: cells.number::<UInt32Type>(traces::FLAGS, row).unwrap_or_default(),
        }
    }

    /// Whether its status is an error.
    pub fn is_error(&self) -> bool {
        self.status == "error"
    }
}

fn elements<T>(cells: Cells<'_>, column: usize, row: usize, read: impl Fn(&StructArray, usize) -> T) -> Vec<T> {
    let Some(list) = cells.list(column, row) else { return Vec::new() };
    let Some(fields) = list.as_struct_opt() else { return Vec::new() };
    (0..fields.len()).map(|at| read(fields, at)).collect()
}

fn attributes_of(fields: &StructArray, at: usize) -> Attributes {
    let map = fields.column_by_name("attributes").and_then(|column| column.as_map_opt());
    let letters = fields.column_by_name("attribute_types").filter(|column| column.is_valid(at));
    let letters = letters.and_then(|column| column.as_string_opt::<i32>()).map(|column| column.value(at));
    map.map(|map| Attributes::of(map, at, letters)).unwrap_or_default()
}

impl SpanEvent {
    fn read(fields: &StructArray, at: usize) -> Self {
        let time =
            fields.column_by_name("time").and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
        let name = fields.column_by_name("name").and_then(|column| column.as_string_opt::<i32>());
        Self {
            time: time.map_or(0, |time| time.value(at).cast_unsigned()),
            name: name.map_or("", |name| name.value(at)).to_owned(),
            attributes: attributes_of(fields, at),
        }
    }
}

impl Link {
    fn read(fields: &StructArray, at: usize) -> Self {
        let id = |name: &str| {
            let column = fields.column_by_name(name).filter(|column| column.is_valid(at));
            column
                .and_then(|column| column.as_fixed_size_binary_opt())
                .map(|ids| hex(ids.value(at)))
                .unwrap_or_default()
        };
        Self { trace_id: id("trace_id"), span_id: id("span_id"), attributes: attributes_of(fields, at) }
    }
}
