//! `get_spans`: everything of some spans.

use std::collections::BTreeSet;

use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_query::Answer as _;
use otlp_arrow_query::filter::IdPrefix;
use otlp_arrow_query::questions::{Trace, TraceQuestion};
use otlp_arrow_query::record::{Attributes, Span};
use otlp_arrow_query::text::{duration, moment, name, pair, plural, quoted};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, Text};
use crate::words::required;

pub(super) const TOOL: Tool = Tool {
    name: "get_spans",
    text: "Everything of up to 20 spans of a trace: attributes, events with stack traces, links, resource, log records. Values are cut at 500 characters.",
    words: &[
        required("trace", Text, "id or its first digits"),
        required("spans", List, "ids or their first digits, as get_trace shows them"),
    ],
    ask,
    waits: false,
};

const MOST: usize = 20;
/// Characters of one value.
const VALUE: usize = 500;
/// Log records of one span.
const LOGS: usize = 20;

fn ask(call: &Call<'_>) -> Result<String> {
    let words = call.words;
    let wanted: Vec<&str> = words.all("spans").collect();
    if wanted.len() > MOST {
        let text = format!("spans has {} ids: ask for at most {MOST} at once", wanted.len());
        return Err(OtlpError::new(Code::InvalidConfig, text));
    }
    let id = super::get_trace::id_of(call)?;
    let trace = call.telemetry().ask_with(&TraceQuestion { id, logs: true }, call.options)?;
    if trace.rows() == 0 {
        return Ok(call.nothing_found(trace.searched(), Signal::Traces));
    }
    let mut positions = Vec::new();
    for text in &wanted {
        let prefix = IdPrefix::parse(text, 8)
            .map_err(|problem| OtlpError::new(Code::InvalidConfig, format!("spans = {text:?} {problem}")))?;
        positions.push(trace.position("spans", &prefix)?);
    }
    let again = |from: usize| {
        let mut set: Vec<(&str, String)> = wanted[from..].iter().map(|id| ("spans", (*id).to_owned())).collect();
        set.push(("max_chars", crate::page::MOST.to_string()));
        words.again(&set)
    };
    let mut page = Page::new(words.max_chars, again(0).chars().count());
    let mut told = BTreeSet::new();
    for (at, position) in positions.iter().enumerate() {
        let lines = lines(&trace, *position, &mut told);
        let whole: usize = lines.iter().map(|line| line.chars().count() + 1).sum();
        if at > 0 && whole > page.left() {
            let rest = plural((positions.len() - at) as u64, "span");
            return Ok(page.end(Some(trace.searched()), Some((rest, again(at)))));
        }
        let told = lines.iter().take_while(|line| page.line(line)).count();
        if told < lines.len() {
            let rest = format!("{} of this span", plural((lines.len() - told) as u64, "line"));
            let next = match words.max_chars < crate::page::MOST || at + 1 == positions.len() {
                true => again(at),
                false => again(at + 1),
            };
            return Ok(page.end(Some(trace.searched()), Some((rest, next))));
        }
    }
    Ok(page.end(Some(trace.searched()), None))
}

/// The span in lines. The resource of a service is told once.
fn lines(trace: &Trace, position: usize, told: &mut BTreeSet<String>) -> Vec<String> {
    let node = &trace.tree.nodes[position];
    let span = Span::read(&trace.spans, node.row);
    let start = trace.bounds().map_or(0, |(start, _)| start);
    let mut lines = vec![format!(
        "span {}  {}  {}  {}  {}  {}{}",
        span.span_id,
        name(&span.name, VALUE),
        if span.service.is_empty() { "-".to_owned() } else { name(&span.service, 100) },
        span.kind,
        duration(span.duration),
        span.status,
        span.status_message.as_deref().map(|message| format!(" {}", quoted(message, VALUE))).unwrap_or_default(),
    )];
    let parent = span.parent_span_id.as_deref().unwrap_or("none");
    let after = duration(i64::try_from(span.start_time.saturating_sub(start)).unwrap_or(i64::MAX));
    lines.push(format!("  parent {parent}, {} below, began {} (@{after})", node.children, moment(span.start_time)));
    attributes(&span.attributes, "  ", &mut lines);
    for event in &span.events {
        let after = duration(event.time.cast_signed().saturating_sub(span.start_time.cast_signed()));
        lines.push(format!("  event {} +{after}", name(&event.name, 100)));
        attributes(&event.attributes, "    ", &mut lines);
    }
    for link in &span.links {
        lines.push(format!("  link trace {} span {}", link.trace_id, link.span_id));
        attributes(&link.attributes, "    ", &mut lines);
    }
    if let Some(scope) = &span.scope {
        lines.push(format!("  scope {}", name(scope, 200)));
    }
    let mut resource = Vec::new();
    attributes(&span.resource, "    ", &mut resource);
    let same = resource.join("\n");
    if !resource.is_empty() && told.insert(same) {
        lines.push("  resource".to_owned());
        lines.append(&mut resource);
    }
    let mut logs = trace.log_records().filter(|log| log.span_id.as_deref() == Some(span.span_id.as_str()));
    for log in logs.by_ref().take(LOGS) {
        lines.push(format!("  log {}", super::search_logs::record(&log, VALUE)));
        attributes(&log.attributes, "    ", &mut lines);
    }
    let more = logs.count();
    if more > 0 {
        lines.push(format!("  and {more} more log records"));
    }
    lines
}

fn attributes(attributes: &Attributes, indent: &str, lines: &mut Vec<String>) {
    lines.extend(attributes.0.iter().map(|(key, value)| format!("{indent}{}", pair(key, value, VALUE))));
}
