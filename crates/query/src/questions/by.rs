//! What rows are grouped by: a column with few values, or an attribute.

use crate::maps::Map;
use arrow_array::Array;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};
use otlp_arrow_store::ReadError;

use crate::scan::{Attributes, Resource, Selection, View};

/// What rows are grouped by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// `service.name` of the resource.
    Service,
    /// Name of the span, of the event, of the metric.
    Name,
    /// Kind of the span, type of the metric.
    Kind,
    /// Status of the span.
    Status,
    /// Level of the log record.
    Severity,
    /// An attribute of the record.
    Attribute(String),
    /// An attribute of the resource.
    Resource(String),
}

/// Levels, four numbers each.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

impl By {
    /// `service`, `name`, `kind`, `status`, `severity`, `attr:KEY`, `resource:KEY`; anything else with a point in it is the
    /// key of an attribute.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "write service, name, kind, status, severity, attr:KEY or resource:KEY";
        Ok(match text {
            "service" => By::Service,
            "name" => By::Name,
            "kind" => By::Kind,
            "status" => By::Status,
            "severity" => By::Severity,
            _ => match (text.strip_prefix("attr:"), text.strip_prefix("resource:")) {
                (Some(key), _) if !key.is_empty() => By::Attribute(key.to_owned()),
                (_, Some(key)) if !key.is_empty() => By::Resource(key.to_owned()),
                _ if text.contains('.') => By::Attribute(text.to_owned()),
                _ => return Err(format!("is nothing to group by: {FORM}")),
            },
        })
    }

    /// The column it looks at, of a signal that has it.
    pub(super) fn column(&self, signal: Signal) -> Result<usize, String> {
        let first = common::first(otlp_arrow_columns::schema(signal).fields().len());
        Ok(match (self, signal) {
            (By::Service, _) => first + common::SERVICE_NAME,
            (By::Resource(_), _) => first + common::RESOURCE_ATTRIBUTES,
            (By::Name, Signal::Traces) => traces::NAME,
            (By::Name, Signal::Logs) => logs::EVENT_NAME,
            (By::Name, Signal::Metrics) => metrics::METRIC_NAME,
            (By::Kind, Signal::Traces) => traces::KIND,
            (By::Kind, Signal::Metrics) => metrics::METRIC_TYPE,
            (By::Status, Signal::Traces) => traces::STATUS_CODE,
            (By::Severity, Signal::Logs) => logs::SEVERITY_NUMBER,
            (By::Attribute(_), Signal::Traces) => traces::ATTRIBUTES,
            (By::Attribute(_), Signal::Logs) => logs::ATTRIBUTES,
            (By::Attribute(_), Signal::Metrics) => metrics::ATTRIBUTES,
            _ => return Err(format!("is not of {signal}")),
        })
    }

    /// Calls `each` with the group of each row: `None` where it has none.
    pub(super) fn each(
        &self,
        view: &View<'_>,
        rows: &Selection,
        mut each: impl FnMut(usize, Option<&str>),
    ) -> Result<(), ReadError> {
        let column = self.column(view.signal()).map_err(ReadError::damaged)?;
        match self {
            By::Severity => {
                let numbers = view.i32s(column)?;
                for row in rows.iter() {
                    let number = if numbers.is_valid(row) { numbers.value(row) } else { 0 };
                    let level = usize::try_from((number - 1).div_euclid(4)).ok().and_then(|level| LEVELS.get(level));
                    each(row, level.copied());
                }
            }
            By::Attribute(key) => {
                let attributes = Attributes::of(view.map(column)?)?;
                for row in rows.iter() {
                    each(row, attributes.get(row, key.as_bytes()).flatten());
                }
            }
            By::Resource(key) => {
                let (array, values) = view.dictionary(column)?;
                let mut known: Map<i32, Option<String>> = Map::default();
                for row in rows.iter() {
                    if array.keys().is_null(row) {
                        each(row, None);
                        continue;
                    }
                    let number = array.keys().value(row);
                    let value = known
                        .entry(number)
                        .or_insert_with(|| Resource::parse(values.value(number as usize)).get(key).cloned().flatten());
                    each(row, value.as_deref());
                }
            }
            By::Service | By::Name | By::Kind | By::Status => {
                let (array, values) = view.dictionary(column)?;
                let keys = array.keys();
                let absent = if *self == By::Status { Some("unset") } else { None };
                for row in rows.iter() {
                    let value = keys.is_valid(row).then(|| values.value(keys.value(row) as usize));
                    each(row, value.or(absent));
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            By::Service => f.write_str("service"),
            By::Name => f.write_str("name"),
            By::Kind => f.write_str("kind"),
            By::Status => f.write_str("status"),
            By::Severity => f.write_str("severity"),
            By::Attribute(key) => write!(f, "attr:{key}"),
            By::Resource(key) => write!(f, "resource:{key}"),
        }
    }
}
