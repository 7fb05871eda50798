//! `search_traces`: one line a trace.

use otlp_arrow::{Result, Signal};
use otlp_arrow_query::questions::{SearchQuestion, TraceSummary};
use otlp_arrow_query::text::{ago, clock, duration, name, plural};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, Number, OneOf, Text};
use crate::words::word;

pub(super) const TOOL: Tool = Tool {
    name: "search_traces",
    text: "Find traces in which some span matches, one line each: id (its beginning is enough for get_trace), when, root, duration, spans, errors. Conditions of attributes: http.route=/cart, code>=500, key, !key, key~regex.",
    words: &[
        word("service", List, "names; !name, ~regex"),
        word("name", List, "of a span"),
        word("min_duration", Text, "such as 250ms"),
        word("status", OneOf(&["error", "ok", "unset"]), ""),
        word("attributes", List, "conditions"),
        word("resource", List, "conditions"),
        word("text", Text, "in name, message or an attribute"),
        word("since", Text, "-1h or RFC 3339"),
        word("until", Text, ""),
        word("sort", OneOf(&["newest", "slowest"]), ""),
        word("limit", Number, "10"),
        word("cursor", Text, ""),
    ],
    ask,
    waits: false,
};

/// Lines where nobody says how many, and at most.
const USUAL: usize = 10;
const MOST: usize = 100;
/// The slowest are looked for among so many of the newest.
const SLOWEST_OF: usize = 1_000;
const NAMES: [&str; 9] =
    ["service", "name", "min_duration", "status", "attributes", "resource", "text", "since", "until"];

fn ask(call: &Call<'_>) -> Result<String> {
    let words = call.words;
    let limit = words.number("limit", USUAL, MOST)?;
    let slowest = words.one("sort") == Some("slowest");
    let mut filter = words.filter(call.telemetry(), &NAMES, &[])?;
    if let Some(cursor) = words.one("cursor") {
        filter.cursor = words.filter(call.telemetry(), &[], &[("cursor", cursor)])?.cursor;
    }
    filter.limit = Some(if slowest { SLOWEST_OF } else { limit });
    let mut found = call.telemetry().ask_with(&SearchQuestion { filter: filter.clone() }, call.options)?;
    if found.traces.is_empty() {
        return Ok(call.nothing_found(&found.searched, Signal::Traces));
    }
    let all = found.traces.len();
    if slowest {
        found.traces.sort_by_key(|trace| std::cmp::Reverse(trace.duration));
    }
    let digits = digits(&found.traces);
    let now = call.telemetry().now();
    let again = |cursor: &str| words.again(&[("cursor", cursor.to_owned())]);
    let mut page = Page::new(words.max_chars, again(&"9".repeat(60)).chars().count());
    let mut shown = 0;
    for trace in found.traces.iter().take(limit) {
        if !page.line(&line(trace, digits, now)) {
            break;
        }
        shown += 1;
    }
    let more = found.cursor.is_some();
    let rest = match shown < all || more {
        false => None,
        true if slowest => {
            let what = match more {
                true => format!("{} faster ones; only the newest {all} that match were looked at", all - shown),
                false => format!("{} faster ones", all - shown),
            };
            let next = match limit {
                _ if shown < limit && shown < all => words.again(&[("max_chars", crate::page::MOST.to_string())]),
                _ if limit < MOST => words.again(&[("limit", (limit * 5).min(MOST).to_string())]),
                _ => words.again(&[("sort", String::new())]),
            };
            Some((what, next))
        }
        true => {
            // Behind the last one that is shown.
            filter.limit = Some(shown.max(1));
            let cursor = call.telemetry().ask_with(&SearchQuestion { filter }, call.options)?.cursor;
            let older =
                if all > shown && !more { plural((all - shown) as u64, "trace") } else { "older traces".to_owned() };
            cursor.map(|cursor| (older, again(&cursor.to_string())))
        }
    };
    Ok(page.end(Some(&found.searched), rest))
}

fn line(trace: &TraceSummary, digits: usize, now: u64) -> String {
    let took = duration(i64::try_from(trace.duration).unwrap_or(i64::MAX));
    let errors = match trace.errors {
        0 => String::new(),
        errors => format!("  {}", plural(errors, "error").to_uppercase()),
    };
    let service = if trace.root_service.is_empty() { "-".to_owned() } else { name(&trace.root_service, 60) };
    format!(
        "{}  {} ({})  {}  {service}  {took}  {}{errors}",
        &trace.trace_id[..digits.min(trace.trace_id.len())],
        clock(trace.start_time),
        ago(trace.start_time, now),
        name(&trace.root_name, 80),
        plural(trace.spans, "span"),
    )
}

/// As many digits as tell these traces from each other, eight at least.
fn digits(traces: &[TraceSummary]) -> usize {
    let mut ids: Vec<&str> = traces.iter().map(|trace| trace.trace_id.as_str()).collect();
    ids.sort_unstable();
    let common = |pair: &[&str]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    ids.windows(2).map(|pair| common(pair) + 1).max().unwrap_or_default().max(8)
}
