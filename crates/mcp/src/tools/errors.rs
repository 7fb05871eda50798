//! `errors`: exceptions in groups.

use otlp_arrow::{Result, Signal};
use otlp_arrow_query::questions::{ErrorGroup, ErrorsQuestion};
use otlp_arrow_query::text::{ago, moment, name, plural, quoted, thousands};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, Number, Text};
use crate::words::word;

pub(super) const TOOL: Tool = Tool {
    name: "errors",
    text: "Exceptions of spans and logs in groups, the most frequent first: type, message without numbers and ids, count, services, first and last time, top frame, and a trace that has one. Start here when something fails.",
    words: &[
        word("service", List, ""),
        word("attributes", List, "conditions"),
        word("resource", List, "conditions, such as of a run"),
        word("since", Text, ""),
        word("until", Text, ""),
        word("limit", Number, "10"),
    ],
    ask,
    waits: false,
};

const USUAL: usize = 10;
const MOST: usize = 100;
const NAMES: [&str; 5] = ["service", "attributes", "resource", "since", "until"];

fn ask(call: &Call<'_>) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let limit = words.number("limit", USUAL, MOST)?;
    let mut filter = words.filter(telemetry, &NAMES, &[])?;
    filter.limit = Some(MOST + 1);
    let found = telemetry.ask_with(&ErrorsQuestion { signal: None, filter }, call.options)?;
    if found.groups.is_empty() {
        let mut nothing = call.nothing_found(&found.searched, Signal::Traces);
        nothing.push_str("\nNo exception is recorded there; spans may have failed without one: ");
        nothing.push_str(&crate::words::call(
            "search_traces",
            super::search_traces::TOOL.words,
            &[("status", "error".to_owned())],
        ));
        return Ok(nothing);
    }
    let now = telemetry.now();
    let again =
        |limit: usize| words.again(&[("limit", limit.to_string()), ("max_chars", crate::page::MOST.to_string())]);
    let mut page = Page::new(words.max_chars, again(MOST).chars().count());
    let groups = found.groups.len();
    page.head(&format!("{} in {}", plural(found.total, "exception"), plural(groups as u64, "group")));
    let mut shown = 0;
    for group in found.groups.iter().take(limit) {
        if !page.line(&of_group(group, now)) {
            break;
        }
        shown += 1;
    }
    let rest = (shown < groups).then(|| {
        let next = match shown < limit && words.max_chars == crate::page::MOST {
            // As many as fit; others come with a narrower question.
            true => words.again(&[("since", "-15m".to_owned())]),
            false => again((limit * 2).min(MOST)),
        };
        (format!("{} less frequent groups", groups - shown), next)
    });
    Ok(page.end(Some(&found.searched), rest))
}

fn of_group(group: &ErrorGroup, now: u64) -> String {
    let kind = if group.exception_type.is_empty() { "error".to_owned() } else { name(&group.exception_type, 120) };
    let services: Vec<String> = group.services.iter().take(4).map(|(service, _)| name(service, 60)).collect();
    let frame = group.frame.as_deref().map(|frame| format!("\n    at {}", quoted(frame, 200))).unwrap_or_default();
    let example = &group.example;
    let trace = example.trace_id.as_deref().map(|id| {
        let span = example.span_id.as_deref().map(|id| format!(" span={}", &id[..id.len().min(8)])).unwrap_or_default();
        format!(" trace={}{span}", &id[..id.len().min(8)])
    });
    format!(
        "×{} {kind} {}  {}\n    first {}, last {} ({}){}{frame}",
        thousands(group.count),
        quoted(&group.message, 240),
        services.join(", "),
        moment(group.first_seen),
        moment(group.last_seen),
        ago(group.last_seen, now),
        trace.unwrap_or_default(),
    )
}
