//! `wait_for`: what comes from now on, or from a cursor on; the cursor is a mark of a moment.

use std::time::Duration;

use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_base::clock::Clock;
use otlp_arrow_query::TailCursor;
use otlp_arrow_query::record::{DataPoint, LogRecord, Span};
use otlp_arrow_query::text::{clock, duration, name, plural, quoted};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, Number, OneOf, Text};
use crate::words::word;

pub(super) const TOOL: Tool = Tool {
    name: "wait_for",
    text: "Wait until a span, log record or data point that matches is recorded, after this call or after cursor. Answers with the first matches, or with \"nothing yet\"; always with a cursor. Take a cursor with timeout=0 before you run a test, then wait from it.",
    words: &[
        word("signal", OneOf(&["traces", "logs", "metrics"]), "traces"),
        word("service", List, ""),
        word("name", List, "of span, event or metric"),
        word("status", OneOf(&["error", "ok", "unset"]), ""),
        word("severity", Text, "such as >=error"),
        word("text", Text, ""),
        word("attributes", List, "conditions"),
        word("resource", List, "conditions"),
        word("min_duration", Text, ""),
        word("timeout", Number, "seconds, 0 to 45; 30"),
        word("cursor", Text, ""),
    ],
    ask,
    waits: true,
};

/// Seconds where nobody says how many, and at most: clients give a request up after 60.
const USUAL: u64 = 30;
const MOST: u64 = 45;
/// Records that are shown.
const SHOWN: usize = 10;
/// How often it is asked whether anybody still wants to know.
const SLICE: Duration = Duration::from_millis(100);
const NAMES: [&str; 8] = ["service", "name", "status", "severity", "text", "attributes", "resource", "min_duration"];

fn ask(call: &Call<'_>) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let wrong = |text: String| OtlpError::new(Code::InvalidConfig, text);
    let signal: Signal = words.one("signal").unwrap_or("traces").parse().map_err(|_| wrong("no such signal".into()))?;
    let timeout = match words.one("timeout").map(str::parse::<u64>) {
        None => USUAL,
        Some(Ok(seconds)) if seconds <= MOST => seconds,
        _ => {
            let given = words.one("timeout").unwrap_or_default();
            return Err(wrong(format!(
                "timeout = {given} is not a number of seconds from 0 to {MOST}: wait again with the cursor"
            )));
        }
    };
    let cursor = words.one("cursor").map(|text| {
        text.parse::<TailCursor>()
            .map_err(|_| wrong(format!("cursor = {} is not of wait_for: leave it out to begin now", quoted(text, 80))))
    });
    let filter = words.filter(telemetry, &NAMES, &[])?;
    let mut tail = telemetry.tail(signal, &filter, cursor.transpose()?.as_ref())?;
    let system = Clock::system();
    let deadline = system.now() + Duration::from_secs(timeout);
    let mut lines = Vec::new();
    let (mut found, mut skipped) = (0, 0);
    loop {
        // Everything that is there belongs to one answer, up to what fits.
        while found < SHOWN && !call.options.cancel.is_cancelled() {
            match tail.next_batch() {
                Ok(None) => break,
                Ok(Some(batch)) => {
                    lines.extend(
                        (0..batch.num_rows()).take(SHOWN.saturating_sub(found)).map(|row| line(signal, &batch, row)),
                    );
                    found += batch.num_rows();
                }
                Err(_) => {
                    skipped += 1;
                    break;
                }
            }
        }
        let left = system.left(deadline);
        if found > 0 || left.is_zero() || call.options.cancel.is_cancelled() || telemetry.engine().is_closed() {
            break;
        }
        tail.wait(left.min(SLICE));
    }
    let cursor = tail.cursor().to_string();
    let again = words.again(&[("cursor", cursor.clone())]);
    let mut page = Page::new(words.max_chars, again.chars().count());
    match found {
        0 if timeout == 0 => page.head("Nothing yet."),
        0 => page.head(&format!("Nothing yet after {timeout} s.")),
        found => page.head(&format!("{}:", plural(found as u64, noun(signal)))),
    }
    let shown = lines.iter().take_while(|line| page.line(line)).count();
    if skipped > 0 {
        page.head("some of a file could not be read");
    }
    page.head(&format!("cursor: {cursor}"));
    let rest = match found - shown.min(found) {
        0 => String::new(),
        more => format!("{more} more that match"),
    };
    Ok(page.end(None, Some((rest, again))))
}

fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "span",
        Signal::Metrics => "data point",
        Signal::Logs => "log record",
    }
}

fn line(signal: Signal, batch: &arrow_array::RecordBatch, row: usize) -> String {
    match signal {
        Signal::Logs => super::search_logs::record(&LogRecord::read(batch, row), 200),
        Signal::Traces => {
            let span = Span::read(batch, row);
            let error = match (span.is_error(), &span.status_message) {
                (false, _) => String::new(),
                (true, None) => " ERROR".to_owned(),
                (true, Some(message)) => format!(" ERROR {}", quoted(message, 120)),
            };
            format!(
                "{} {}  {}  {}  trace={} span={}{error}",
                clock(span.start_time),
                name(&span.name, 80),
                if span.service.is_empty() { "-".to_owned() } else { name(&span.service, 60) },
                duration(span.duration),
                &span.trace_id[..span.trace_id.len().min(8)],
                &span.span_id[..span.span_id.len().min(8)],
            )
        }
        Signal::Metrics => {
            let point = DataPoint::read(batch, row);
            let value = point.value_int.map(|value| value.to_string());
            let value = value.or_else(|| point.value.map(|value| value.to_string()));
            let value = value.or_else(|| point.count.map(|count| plural(count, "value"))).unwrap_or_default();
            let service = if point.service.is_empty() { "-".to_owned() } else { name(&point.service, 60) };
            format!("{} {}  {service}  {value}", clock(point.time.unwrap_or_default()), name(&point.metric, 100))
        }
    }
}
