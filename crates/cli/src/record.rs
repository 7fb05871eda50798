//! One record as one line.

use otlp_arrow::Signal;

use crate::rows::Rows;
use crate::source::time_columns;
use crate::text::{duration, hex, one_line, time};

/// The columns that [`line`] shows.
pub(crate) fn columns(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Traces => &[
            "start_time",
            "service_name",
            "name",
            "duration",
            "status_code",
            "status_message",
            "trace_id",
            "attributes",
        ],
        Signal::Metrics => {
            &["time", "service_name", "metric_name", "unit", "value", "value_int", "count", "sum", "attributes"]
        }
        Signal::Logs => &[
            "time",
            "observed_time",
            "service_name",
            "severity_text",
            "severity_number",
            "body",
            "event_name",
            "trace_id",
            "attributes",
        ],
    }
}

/// What a line is made of.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) signal: Signal,
    /// Nanoseconds since 1970.
    pub(crate) time: Option<u64>,
    pub(crate) service: String,
    /// Name of a span; name and value of a metric; body of a log record.
    pub(crate) said: String,
    /// Nanoseconds that a span took.
    pub(crate) took: Option<i64>,
    /// What a span that failed says.
    pub(crate) error: Option<String>,
    /// Of a log record, as a name.
    pub(crate) level: String,
    /// Its number.
    pub(crate) severity: i32,
    pub(crate) attributes: Vec<(String, Option<String>)>,
    pub(crate) trace: Option<String>,
}

impl Record {
    pub(crate) fn of(signal: Signal, rows: &Rows<'_>, row: usize) -> Self {
        let text = |column: &str| rows.text(column, row).unwrap_or_default().to_owned();
        let (mut error, mut level) = (None, String::new());
        let severity = rows.i32("severity_number", row).unwrap_or_default();
        let said = match signal {
            Signal::Traces => {
                error = (rows.text("status_code", row) == Some("error")).then(|| match text("status_message") {
                    message if message.is_empty() => "error".to_owned(),
                    message => format!("error: {message}"),
                });
                text("name")
            }
            Signal::Metrics => {
                let unit = rows.text("unit", row).filter(|unit| !unit.is_empty()).map(|unit| format!(" {unit}"));
                let value = match (rows.i64("value_int", row), rows.f64("value", row), rows.u64("count", row)) {
                    (Some(value), _, _) => format!("= {value}"),
                    (None, Some(value), _) => format!("= {value}"),
                    (None, None, Some(count)) => match rows.f64("sum", row) {
                        Some(sum) => format!("count {count}, sum {sum}"),
                        None => format!("count {count}"),
                    },
                    _ => "has no value".to_owned(),
                };
                format!("{} {value}{}", text("metric_name"), unit.unwrap_or_default())
            }
            Signal::Logs => {
                level = match (rows.text("severity_text", row), rows.i32("severity_number", row)) {
                    (Some(text), _) if !text.is_empty() => one_line(text).into_owned(),
                    (_, Some(number)) => name_of(number),
                    _ => "-".to_owned(),
                };
                let body = rows.text("body", row).or_else(|| rows.text("event_name", row));
                body.unwrap_or_default().to_owned()
            }
        };
        Self {
            signal,
            time: time_columns(signal).iter().find_map(|column| rows.time(column, row)).map(i64::cast_unsigned),
            service: rows.text("service_name", row).unwrap_or("-").to_owned(),
            said,
            took: rows.i64("duration", row),
            error,
            level,
            severity,
            attributes: rows.attributes("attributes", row),
            trace: rows.id("trace_id", row).map(hex),
        }
    }

    /// Whether both say the same, whenever and of whichever trace.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = |record: &Self| (record.signal, record.severity, record.error.clone());
        same(self) == same(other)
            && self.service == other.service
            && self.said == other.said
            && self.level == other.level
    }

    /// As one line for programs that read lines, without its line break.
    pub(crate) fn line(&self) -> String {
        let when = self.time.map_or_else(|| "-".to_owned(), |nanos| time(nanos.cast_signed()));
        let (service, said) = (one_line(&self.service), one_line(&self.said));
        let attributes = attributes(self.attributes.clone());
        let trace = self.trace.as_deref().map(|id| format!("  trace={id}")).unwrap_or_default();
        match self.signal {
            Signal::Traces => {
                let took = duration(self.took.unwrap_or_default());
                let error = self.error.as_deref().map(|error| format!("  {}", one_line(error))).unwrap_or_default();
                format!("{when}  {service}  {said}  {took}{error}{attributes}{trace}")
            }
            Signal::Metrics => format!("{when}  {service}  {said}{attributes}"),
            Signal::Logs => format!("{when}  {:5}  {service}  {said}{attributes}{trace}", self.level),
        }
    }
}

pub(crate) fn attributes(entries: Vec<(String, Option<String>)>) -> String {
    let pairs: Vec<String> = entries
        .into_iter()
        .map(|(key, value)| format!("{}={}", one_line(&key), one_line(&value.unwrap_or_default())))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("  {{{}}}", pairs.join(", ")) }
}

/// The name of a severity number, as OTLP groups them by four.
fn name_of(number: i32) -> String {
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    match usize::try_from(number) {
        Ok(number @ 1..=24) => names[(number - 1) / 4].to_owned(),
        _ => number.to_string(),
    }
}
