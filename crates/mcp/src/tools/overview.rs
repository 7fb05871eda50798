//! `overview`: what is there, of which time, and how it is.

use otlp_arrow::{Result, Signal};
use otlp_arrow_query::filter::{Filter, Nanos, Order};
use otlp_arrow_query::questions::{
    By, CountsQuestion, LogsQuestion, MetricsQuestion, Service, ServicesQuestion, SpansQuestion,
};
use otlp_arrow_query::text::{ago, duration, moment, name, plural, quoted, thousands};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::runs::runs;
use crate::words::Kind::Text;
use crate::words::{call, word};

pub(super) const TOOL: Tool = Tool {
    name: "overview",
    text: "What is recorded: time range, services with rate, errors and durations, logs by level, metrics, and runs (starts of processes; the last column is a side for compare). Ask this first.",
    words: &[word("since", Text, "-1h; the last hour of data if left out")],
    ask,
    waits: false,
};

const HOUR: Nanos = 3_600_000_000_000;
const RUNS: usize = 8;
const METRICS: usize = 12;
const SERVICES: usize = 40;

fn ask(call: &Call<'_>) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let now = telemetry.now();
    let (first, last) = kept(call)?;
    let mut filter = words.filter(telemetry, &["since"], &[])?;
    // Figures of all that is kept would be old ones; those of the last hour may be none.
    let from = filter.from.unwrap_or_else(|| last.unwrap_or(now).saturating_sub(HOUR));
    filter.from = Some(from);
    let mut page = Page::new(words.max_chars, 120);
    let log = telemetry.engine().log();
    let mut bytes = 0;
    for signal in Signal::ALL {
        bytes += log.entries(signal)?.iter().map(|file| file.len).sum::<u64>();
    }
    let shown = quoted(&call.place.output_dir.display().to_string(), 200);
    page.head(&format!("{shown}: {} KiB, now {}", thousands(bytes / 1024), moment(now)));
    if let (Some(first), Some(last)) = (first, last) {
        page.head(&format!(
            "kept from {} ({}) to {} ({})",
            moment(first),
            ago(first, now),
            moment(last),
            ago(last, now)
        ));
    }
    page.head(&recorder(call));
    page.head(&format!("since {} ({}):", moment(from), ago(from, now)));
    let services = telemetry.ask_with(&ServicesQuestion { filter: filter.clone() }, call.options)?;
    let mut left_out = services.services.len().saturating_sub(SERVICES);
    for service in services.services.iter().take(SERVICES) {
        left_out += usize::from(!page.line(&of_service(service)));
    }
    if services.services.is_empty() {
        page.head("no spans");
    }
    page.head(&levels(call, &filter)?);
    page.head(&metrics(call, &filter)?);
    let runs = runs(telemetry, &filter, call.options)?;
    if !runs.is_empty() {
        page.head("runs, the latest first:");
    }
    let mut runs_left_out = runs.len().saturating_sub(RUNS);
    for run in runs.iter().take(RUNS) {
        runs_left_out += usize::from(!page.line(&format!("  {}", run.line(now))));
    }
    let rest = (left_out + runs_left_out > 0).then(|| {
        let what =
            format!("{} and {}", plural(left_out as u64, "service"), plural(runs_left_out as u64, "earlier run"));
        let next = match words.max_chars < crate::page::MOST {
            true => ("max_chars", crate::page::MOST.to_string()),
            false => ("since", "-15m".to_owned()),
        };
        (what, words.again(&[next]))
    });
    Ok(page.end(Some(&services.searched), rest))
}

/// Times of the earliest and the latest record of traces and logs.
fn kept(call: &Call<'_>) -> Result<(Option<Nanos>, Option<Nanos>)> {
    let end = |order| -> Result<Vec<Nanos>> {
        let filter = Filter { order, limit: Some(1), ..Filter::default() };
        let spans = call.telemetry().ask_with(&SpansQuestion { filter: filter.clone() }, call.options)?;
        let logs = call.telemetry().ask_with(&LogsQuestion { filter }, call.options)?;
        let (span, log) = (spans.iter().map(|span| span.start_time).next(), logs.iter().map(|log| log.when()).next());
        Ok(span.into_iter().chain(log).collect())
    };
    Ok((end(Order::Oldest)?.into_iter().min(), end(Order::Newest)?.into_iter().max()))
}

fn recorder(call: &Call<'_>) -> String {
    match &call.place.recorder {
        None => "read from the files, without asking a recorder".to_owned(),
        Some(recorder) => {
            let health = recorder.health();
            let status = serde_json::to_value(health.status).ok();
            let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or("unknown").to_owned();
            let problems: Vec<String> =
                health.problems.iter().take(3).map(|problem| quoted(&problem.message, 160)).collect();
            let problems = if problems.is_empty() { String::new() } else { format!(": {}", problems.join(", ")) };
            format!("recorder: {status}{problems}")
        }
    }
}

fn of_service(service: &Service) -> String {
    let took = |nanos: Option<i64>| nanos.map_or_else(|| "-".to_owned(), duration);
    let shown = if service.name.is_empty() { "-".to_owned() } else { name(&service.name, 60) };
    format!(
        "  {shown}  {}, {:.3}/s, {} ({:.1} %)  p50 {} p95 {}  {}",
        plural(service.requests, "request"),
        service.rate,
        plural(service.errors, "error"),
        100.0 * service.error_share,
        took(service.p50),
        took(service.p95),
        plural(service.spans, "span"),
    )
}

/// Log records by level.
fn levels(call: &Call<'_>, filter: &Filter) -> Result<String> {
    let question = CountsQuestion { signal: Signal::Logs, step: None, by: Some(By::Severity), filter: filter.clone() };
    let counts = call.telemetry().ask_with(&question, call.options)?;
    let mut levels: Vec<(String, u64)> = Vec::new();
    for bucket in &counts.buckets {
        let group = bucket.group.clone().unwrap_or_else(|| "without level".to_owned());
        match levels.iter_mut().find(|(known, _)| *known == group) {
            Some((_, count)) => *count += bucket.count,
            None => levels.push((group, bucket.count)),
        }
    }
    let levels: Vec<String> =
        levels.iter().map(|(level, count)| format!("{} {}", name(level, 30), thousands(*count))).collect();
    let levels = if levels.is_empty() { String::new() } else { format!(" ({})", levels.join(", ")) };
    Ok(format!("{}{levels}", plural(counts.total, "log record")))
}

/// Names of metrics.
fn metrics(ask: &Call<'_>, filter: &Filter) -> Result<String> {
    let found = ask.telemetry().ask_with(&MetricsQuestion { filter: filter.clone() }, ask.options)?;
    let mut names: Vec<&str> = found.metrics.iter().map(|metric| metric.name.as_str()).collect();
    names.dedup();
    let some: Vec<String> = names.iter().take(METRICS).map(|metric| name(metric, 60)).collect();
    let more = match names.len() > METRICS {
        true => format!(", … {}", call("query_metric", super::query_metric::TOOL.words, &[])),
        false => String::new(),
    };
    let some = if some.is_empty() { String::new() } else { format!(": {}{more}", some.join(", ")) };
    Ok(format!("{}{some}", plural(names.len() as u64, "metric")))
}
