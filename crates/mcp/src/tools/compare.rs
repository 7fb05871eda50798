//! `compare`: two traces, runs or ranges beside each other.

use otlp_arrow::{Result, Signal};
use otlp_arrow_query::filter::Filter;
use otlp_arrow_query::questions::{Change, CompareQuestion, ComparedSide, ErrorChange, OperationChange, Side};
use otlp_arrow_query::text::{duration, name, plural, quoted, thousands};

use super::call::{Call, Tool};
use crate::page::Page;
use crate::words::Kind::{List, Number, Text};
use crate::words::{required, word};

pub(super) const TOOL: Tool = Tool {
    name: "compare",
    text: "Before and after: two traces, runs or time ranges. Operations that are new, gone, failing, slower, faster, by effect, and errors that came or went. A side is a trace id, a range (-2h..-1h, TIME..), or words such as service=shop resource=process.pid=42 (a run, as overview shows it).",
    words: &[
        required("a", Text, "before"),
        required("b", Text, "after"),
        word("service", List, ""),
        word("name", List, "of spans"),
        word("limit", Number, "operations; 20"),
    ],
    ask,
    waits: false,
};

const USUAL: usize = 20;
const MOST: usize = 200;

fn ask(call: &Call<'_>) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let limit = words.number("limit", USUAL, MOST)?;
    let filter = words.filter(telemetry, &["service", "name"], &[])?;
    let side = |name: &'static str| Side::parse(name, words.one(name).unwrap_or_default(), telemetry.now());
    let question = CompareQuestion { a: side("a")?, b: side("b")?, filter: Filter { limit: Some(MOST + 1), ..filter } };
    let found = telemetry.ask_with(&question, call.options)?;
    if found.a.spans == 0 && found.b.spans == 0 {
        return Ok(call.nothing_found(&found.searched, Signal::Traces));
    }
    let again =
        |limit: usize| words.again(&[("limit", limit.to_string()), ("max_chars", crate::page::MOST.to_string())]);
    let mut page = Page::new(words.max_chars, again(MOST).chars().count());
    for (name, side) in [("a", &found.a), ("b", &found.b)] {
        page.head(&format!("{name}: {}", of_side(side)));
    }
    for hint in &found.searched.hints {
        page.head(&format!("note: {}", quoted(hint, 200)));
    }
    for error in found.errors.iter().take(10) {
        let _ = page.line(&of_error(error));
    }
    let changed: Vec<_> = found.operations.iter().filter(|change| change.change != Change::Same).collect();
    let same = found.operations.len() - changed.len();
    if changed.is_empty() {
        page.head("no operation changed");
    }
    let shown = changed.iter().take(limit).take_while(|change| page.line(&of_operation(change))).count();
    if same > 0 {
        page.head(&format!("{} much as before", plural(same as u64, "operation")));
    }
    let rest = (shown < changed.len()).then(|| {
        let what = format!("{} operations with less effect", changed.len() - shown);
        let next = match shown < limit && words.max_chars == crate::page::MOST {
            true => words.again(&[("service", changed[shown].service.clone())]),
            false => again((limit * 2).min(MOST)),
        };
        (what, next)
    });
    Ok(page.end(Some(&found.searched), rest))
}

fn of_side(side: &ComparedSide) -> String {
    let services: Vec<String> = side.services.iter().take(5).map(|service| name(service, 40)).collect();
    format!(
        "{}  {}, {}, {}  {}",
        name(&side.is, 160),
        plural(side.requests, "request"),
        plural(side.spans, "span"),
        plural(side.errors, "error"),
        services.join(", ")
    )
}

/// `20ms → 50ms`, or once where both are the same.
fn both(a: Option<String>, b: Option<String>) -> String {
    match (a, b) {
        (Some(a), Some(b)) if a == b => a,
        (a, b) => format!("{} → {}", a.as_deref().unwrap_or("-"), b.as_deref().unwrap_or("-")),
    }
}

fn of_operation(change: &OperationChange) -> String {
    let (a, b) = (change.a.as_ref(), change.b.as_ref());
    let impact = change.impact.round() as i64;
    let sign = if impact > 0 { "+" } else { "" };
    let errors = match (a.map_or(0, |side| side.errors), b.map_or(0, |side| side.errors)) {
        (0, 0) => String::new(),
        (a, b) => format!(", errors {}", both(Some(thousands(a)), Some(thousands(b)))),
    };
    format!(
        "{}  {}  {}  {sign}{} a request, count {}{errors}, p50 {}, p95 {}",
        change.change.as_str(),
        name(&change.name, 80),
        if change.service.is_empty() { "-".to_owned() } else { name(&change.service, 60) },
        duration(impact),
        both(a.map(|side| thousands(side.count)), b.map(|side| thousands(side.count))),
        both(a.map(|side| duration(side.p50)), b.map(|side| duration(side.p50))),
        both(a.map(|side| duration(side.p95)), b.map(|side| duration(side.p95))),
    )
}

fn of_error(error: &ErrorChange) -> String {
    let what = match (error.a, error.b) {
        (0, _) => "new error",
        (_, 0) => "error gone",
        _ => "error",
    };
    let frame = error.frame.as_deref().map(|frame| format!(" at {}", quoted(frame, 120))).unwrap_or_default();
    let kind =
        if error.exception_type.is_empty() { String::new() } else { format!("{} ", name(&error.exception_type, 100)) };
    format!("{what}  {} → {}  {kind}{}{frame}", thousands(error.a), thousands(error.b), quoted(&error.message, 200))
}
