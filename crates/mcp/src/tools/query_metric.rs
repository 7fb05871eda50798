//! `query_metric`: one metric over time, or which there are.

use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_query::filter::{Nanos, parse_duration};
use otlp_arrow_query::questions::{Line, Metric, MetricsQuestion, Series, SeriesQuestion};
use otlp_arrow_query::text::{clock, duration, moment, name, plural, thousands};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, OneOf, Text};
use crate::words::word;

pub(super) const TOOL: Tool = Tool {
    name: "query_metric",
    text: "One metric over time: up to 10 series of up to 24 points with min, max and last. Without a name: which metrics there are. What suits the metric is shown (rate, value, quantiles) unless aggregation says otherwise.",
    words: &[
        word("name", Text, "of the metric"),
        word("service", List, ""),
        word("attributes", List, "conditions"),
        word("by", List, "one series for each: service, attr:KEY, resource:KEY"),
        word(
            "aggregation",
            OneOf(&["rate", "increase", "value", "quantile", "mean", "sum", "avg", "min", "max", "count"]),
            "",
        ),
        word("since", Text, "-1h"),
        word("until", Text, ""),
        word("step", Text, "such as 1m"),
    ],
    ask,
    waits: false,
};

const SERIES: usize = 10;
const POINTS: u64 = 24;
const HOUR: Nanos = 3_600_000_000_000;
const NAMES: [&str; 4] = ["service", "attributes", "since", "until"];

fn ask(call: &Call<'_>) -> Result<String> {
    match call.words.one("name") {
        None => list(call),
        Some(metric) => series(call, metric),
    }
}

/// Which metrics there are.
fn list(call: &Call<'_>) -> Result<String> {
    let words = call.words;
    let filter = words.filter(call.telemetry(), &NAMES, &[])?;
    let found = call.telemetry().ask_with(&MetricsQuestion { filter }, call.options)?;
    if found.metrics.is_empty() {
        return Ok(call.nothing_found(&found.searched, Signal::Metrics));
    }
    let again = words.again(&[("name", "NAME".to_owned())]);
    let mut page = Page::new(words.max_chars, again.chars().count());
    page.head(&plural(found.metrics.len() as u64, "metric"));
    let shown = found.metrics.iter().take_while(|metric| page.line(&of_metric(metric))).count();
    let rest = (shown < found.metrics.len()).then(|| {
        let next = match words.max_chars < crate::page::MOST {
            true => words.again(&[("max_chars", crate::page::MOST.to_string())]),
            false => again,
        };
        (plural((found.metrics.len() - shown) as u64, "metric"), next)
    });
    Ok(page.end(Some(&found.searched), rest))
}

fn of_metric(metric: &Metric) -> String {
    let services: Vec<String> = metric.services.iter().take(3).map(|service| name(service, 60)).collect();
    let unit = if metric.unit.is_empty() { String::new() } else { format!(" {}", name(&metric.unit, 30)) };
    let last = metric.last_value.map(|value| format!(", last {}", number(value))).unwrap_or_default();
    format!(
        "{}  {}{unit}  {}{last}  {}",
        name(&metric.name, 120),
        metric.metric_type,
        format_args!("{} series", thousands(metric.series)),
        services.join(", ")
    )
}

fn series(call: &Call<'_>, metric: &str) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let now = telemetry.now();
    let mut filter = words.filter(telemetry, &NAMES, &[])?;
    let to = filter.to.unwrap_or(now);
    let from = *filter.from.get_or_insert(to.saturating_sub(HOUR));
    let step = match words.one("step") {
        Some(text) => parse_duration(text)
            .map_err(|problem| OtlpError::new(Code::InvalidConfig, format!("step = {text:?} {problem}")))?,
        None => 0,
    };
    // However long it is: so many points and no more.
    let least = to.saturating_sub(from).div_ceil(POINTS).max(1_000_000_000);
    let step = if step == 0 { readable(least) } else { step.max(least) };
    let mut pairs = vec![("metric", metric.to_owned()), ("step", format!("{step}ns")), ("top", SERIES.to_string())];
    pairs.extend([("exemplars", "1".to_owned())]);
    pairs.extend(words.all("by").map(|by| ("by", by.to_owned())));
    if let Some(word) = words.one("aggregation") {
        let is_show = matches!(word, "rate" | "increase" | "value" | "quantile" | "mean");
        pairs.push((if is_show { "show" } else { "agg" }, word.to_owned()));
    }
    let mut question = SeriesQuestion::parse(pairs, now)?;
    question.filter = filter;
    let found = telemetry.ask_with(&question, call.options)?;
    if found.lines.is_empty() {
        let mut nothing = call.nothing_found(&found.searched, Signal::Metrics);
        nothing.push_str("\nWhich metrics there are: ");
        nothing.push_str(&crate::words::call("query_metric", TOOL.words, &[]));
        return Ok(nothing);
    }
    Ok(page(call, &found, from))
}

fn page(call: &Call<'_>, found: &Series, from: Nanos) -> String {
    let words = call.words;
    let next = words.again(&[("by", "service".to_owned()), ("aggregation", "sum".to_owned())]);
    let mut page = Page::new(words.max_chars, next.chars().count());
    let unit = found.lines.first().map(|line| line.unit.as_str()).filter(|unit| !unit.is_empty());
    let unit = unit.map(|unit| format!(" in {}", name(unit, 30))).unwrap_or_default();
    page.head(&format!(
        "{}{unit}, a value each {} from {}",
        name(&found.metric, 120),
        duration(found.step.cast_signed()),
        moment(from)
    ));
    for warning in found.warnings.iter().take(3) {
        page.head(&format!("note: {}", otlp_arrow_base::terminal::seen(warning)));
    }
    let shown = found.lines.iter().take(SERIES).take_while(|line| page.line(&of_line(line))).count();
    let left = found.left_out + (found.lines.len() - shown) as u64;
    let rest = (left > 0).then(|| (format!("{left} series with smaller values"), next));
    page.end(Some(&found.searched), rest)
}

fn of_line(line: &Line) -> String {
    let labels: Vec<String> =
        line.labels.iter().map(|(key, value)| format!("{}={}", name(key, 60), name(value, 80))).collect();
    let labels = if labels.is_empty() { "all series".to_owned() } else { labels.join(" ") };
    let quantile = line.quantile.map(|quantile| format!(" p{}", number(100.0 * quantile))).unwrap_or_default();
    let values = || line.points.iter().map(|point| point.value);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let skip = line.points.len().saturating_sub(POINTS as usize);
    let points = &line.points[skip..];
    let first = points.first().map(|point| clock(point.time)).unwrap_or_default();
    let shown: Vec<String> = points.iter().map(|point| number(point.value)).collect();
    let exemplar =
        line.exemplars.iter().find(|exemplar| exemplar.kept).and_then(|exemplar| exemplar.trace_id.as_deref());
    let exemplar = exemplar.map(|id| format!(" trace={}", &id[..id.len().min(8)])).unwrap_or_default();
    let last = points.last().map(|point| number(point.value)).unwrap_or_default();
    format!(
        "{labels}  {}{quantile}  min {} max {} last {last}{exemplar}\n    from {}: {}",
        line.show,
        number(least),
        number(most),
        &first[..first.len().min(8)],
        shown.join(" ")
    )
}

/// Lengths of steps that people can read a clock by, in seconds.
const STEPS: [u64; 14] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

fn readable(least: Nanos) -> Nanos {
    let seconds = least.div_ceil(1_000_000_000);
    let known = STEPS.into_iter().find(|step| *step >= seconds);
    known.unwrap_or_else(|| seconds.div_ceil(3600) * 3600) * 1_000_000_000
}

/// A number with four digits that matter.
fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || (size >= 1e15 || (size > 0.0 && size < 1e-4)) {
        return format!("{value:.3e}").replace("NaN", "none").replace("inf", "none");
    }
    let digits =
        if size >= 1000.0 || size == 0.0 { 0 } else { usize::try_from(3 - size.log10().floor() as i32).unwrap_or(0) };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_steps_are_short() {
        for (value, text) in
            [(0.0, "0"), (1.0, "1"), (12.3456, "12.35"), (-0.012_345, "-0.01235"), (123_456.7, "123457")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(2e18), "2.000e18");
        assert_eq!(
            (readable(HOUR / 24), readable(1), readable(86_400_000_000_000)),
            (300_000_000_000, 1_000_000_000, 24 * HOUR)
        );
    }
}
