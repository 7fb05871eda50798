//! One data point of a metric.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt32Type, UInt64Type};
use otlp_arrow_columns::schema::{common, metrics};
use serde::Serialize;

use super::attributes::Attributes;
use super::cells::{Cells, as_optional_time};
use crate::filter::Nanos;

/// A data point. Times are in nanoseconds since 1970; of a histogram there are count, sum, min and max.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are the columns of docs/schema.md")]
pub struct DataPoint {
    #[serde(serialize_with = "as_optional_time")]
    pub time: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_time")]
    pub start_time: Option<Nanos>,
    pub service: String,
    pub metric: String,
    #[serde(rename = "type")]
    pub metric_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monotonic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The value where it is an integer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_int: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    pub attributes: Attributes,
    pub resource: Attributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub flags: u32,
}

impl DataPoint {
    /// The data point in a row of a batch with all columns of the schema.
    pub fn read(batch: &RecordBatch, row: usize) -> Self {
        let cells = Cells(batch);
        let first = common::first(metrics::COUNT);
        let text = |column| cells.text(column, row).filter(|text| !text.is_empty()).map(str::to_owned);
        let double = |column| cells.number::<Float64Type>(column, row);
        let monotonic = cells.column(metrics::IS_MONOTONIC, row).and_then(|column| column.as_boolean_opt());
        Self {
            time: cells.time(metrics::TIME, row),
            start_time: cells.time(metrics::START_TIME, row),
            service: text(first + common::SERVICE_NAME).unwrap_or_default(),
            metric: text(metrics::METRIC_NAME).unwrap_or_default(),
            metric_type: text(metrics::METRIC_TYPE).unwrap_or_default(),
            unit: text(metrics::UNIT),
            temporality: text(metrics::TEMPORALITY),
            monotonic: monotonic.map(|column| column.value(row)),
            value: double(metrics::VALUE),
            value_int: cells.number::<Int64Type>(metrics::VALUE_INT, row),
            count: cells.number::<UInt64Type>(metrics::COUNT_, row),
            sum: double(metrics::SUM),
            min: double(metrics::MIN),
            max: double(metrics::MAX),
            attributes: cells.attributes(metrics::ATTRIBUTES, row),
            resource: cells.text(first + common::RESOURCE_ATTRIBUTES, row).map(Attributes::of_json).unwrap_or_default(),
            scope: text(first + common::SCOPE_NAME),
            flags: cells.number::<UInt32Type>(metrics::FLAGS, row).unwrap_or_default(),
        }
    }
}
