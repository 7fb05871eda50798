//! One log record.

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, UInt32Type};
use otlp_arrow_columns::schema::{common, logs};
use serde::Serialize;

use super::{Attributes, Cells, as_optional_time, hex};
use crate::filter::Nanos;

/// A log record. Ids are in hexadecimal, times in nanoseconds since 1970.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of docs/schema.md")]
pub struct LogRecord {
    #[serde(serialize_with = "as_optional_time")]
    pub time: Option<Nanos>,
    #[serde(serialize_with = "as_optional_time")]
    pub observed_time: Option<Nanos>,
    pub service: String,
    pub severity_number: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity_text: Option<String>,
    /// As text; a body that was an array or a map is JSON.
    pub body: Option<String>,
    /// The letter of its type where it is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    pub attributes: Attributes,
    pub resource: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub flags: u32,
}

impl LogRecord {
    /// The record in a row of a batch with all columns of the schema.
    pub fn read(batch: &RecordBatch, row: usize) -> Self {
        let cells = Cells(batch);
        let first = common::first(logs::COUNT);
        let text = |column| cells.text(column, row).map(str::to_owned);
        let id = |column| cells.id(column, row).map(hex);
        Self {
            time: cells.time(logs::TIME, row),
            observed_time: cells.time(logs::OBSERVED_TIME, row),
            service: text(first + common::SERVICE_NAME).unwrap_or_default(),
            severity_number: cells.number::<Int32Type>(logs::SEVERITY_NUMBER, row).unwrap_or_default(),
            severity_text: text(logs::SEVERITY_TEXT).filter(|text| !text.is_empty()),
            body: text(logs::BODY),
            body_type: text(logs::BODY_TYPE).filter(|letter| letter != "s"),
            event_name: text(logs::EVENT_NAME).filter(|name| !name.is_empty()),
            trace_id: id(logs::TRACE_ID),
            span_id: id(logs::SPAN_ID),
            attributes: cells.attributes(logs::ATTRIBUTES, row),
            resource: cells.text(first + common::RESOURCE_ATTRIBUTES, row).map(Attributes::of_json).unwrap_or_default(),
            scope: text(first + common::SCOPE_NAME).filter(|name| !name.is_empty()),
            flags: cells.number::<UInt32Type>(logs::FLAGS, row).unwrap_or_default(),
        }
    }

    /// Its own time, or when it was seen.
    pub fn when(&self) -> Nanos {
        self.time.or(self.observed_time).unwrap_or_default()
    }
}
