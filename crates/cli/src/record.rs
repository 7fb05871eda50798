//! One record as one line.

use otlp_arrow::Signal;

use crate::rows::Rows;
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

/// The row as one line, without its line break.
pub(crate) fn line(signal: Signal, rows: &Rows<'_>, row: usize) -> String {
    let service = one_line(rows.text("service_name", row).unwrap_or("-"));
    let attributes = attributes(rows.attributes("attributes", row));
    match signal {
        Signal::Traces => {
            let name = one_line(rows.text("name", row).unwrap_or_default());
            let took = duration(rows.i64("duration", row).unwrap_or_default());
            let error = match (rows.text("status_code", row), rows.text("status_message", row)) {
                (Some("error"), Some(message)) if !message.is_empty() => format!("  error: {}", one_line(message)),
                (Some("error"), _) => "  error".to_owned(),
                _ => String::new(),
            };
            let trace = rows.id("trace_id", row).map(|id| format!("  trace={}", hex(id))).unwrap_or_default();
            format!("{}  {service}  {name}  {took}{error}{attributes}{trace}", when(rows, row, &["start_time"]))
        }
        Signal::Metrics => {
            let name = one_line(rows.text("metric_name", row).unwrap_or_default());
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
            let unit = unit.unwrap_or_default();
            format!("{}  {service}  {name} {value}{}{attributes}", when(rows, row, &["time"]), one_line(&unit))
        }
        Signal::Logs => {
            let severity = match (rows.text("severity_text", row), rows.i32("severity_number", row)) {
                (Some(text), _) if !text.is_empty() => one_line(text).into_owned(),
                (_, Some(number)) => severity(number),
                _ => "-".to_owned(),
            };
            let body = rows.text("body", row).or_else(|| rows.text("event_name", row)).unwrap_or_default();
            let trace = rows.id("trace_id", row).map(|id| format!("  trace={}", hex(id))).unwrap_or_default();
            let when = when(rows, row, &["time", "observed_time"]);
            format!("{when}  {severity:5}  {service}  {}{attributes}{trace}", one_line(body))
        }
    }
}

fn when(rows: &Rows<'_>, row: usize, columns: &[&str]) -> String {
    columns.iter().find_map(|column| rows.time(column, row)).map_or_else(|| "-".to_owned(), time)
}

pub(crate) fn attributes(entries: Vec<(String, Option<String>)>) -> String {
    let pairs: Vec<String> = entries
        .into_iter()
        .map(|(key, value)| format!("{}={}", one_line(&key), one_line(&value.unwrap_or_default())))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("  {{{}}}", pairs.join(", ")) }
}

/// The name of a severity number, as OTLP groups them by four.
fn severity(number: i32) -> String {
    let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    match usize::try_from(number) {
        Ok(number @ 1..=24) => names[(number - 1) / 4].to_owned(),
        _ => number.to_string(),
    }
}
