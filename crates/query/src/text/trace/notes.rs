//! What is worth a sentence: where errors begin, what is asked one by one, where the time is spent, what is missing.

use std::collections::HashMap;

use super::{NAME, View, log_line, message};
use crate::text::units::{duration, plural, thousands};
use crate::text::words::{name, quoted};

/// So many sentences at most.
const MOST: usize = 3;
/// So many log records.
const LOGS: usize = 4;
/// Severity numbers from `warn` on.
const WARN: i32 = 13;
/// Calls of one kind from one span that are worth a sentence.
const MANY: usize = 10;

/// The worst first.
pub(super) fn findings(view: &View<'_>) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(origin(view));
    found.extend(one_by_one(view));
    found.extend(own_time(view));
    found.extend(missing(view));
    found.truncate(MOST);
    found
}

fn span(view: &View<'_>, at: usize) -> String {
    format!("{} ({}) {}", name(view.name(at), NAME), name(view.service(at), NAME), view.ids.short(at))
}

fn share(part: u64, of: u64) -> String {
    format!("{:.0} %", 100.0 * part as f64 / of.max(1) as f64)
}

/// The first span that failed with none below it that did.
fn origin(view: &View<'_>) -> Option<String> {
    let mut has_below = vec![false; view.nodes.len()];
    for at in view.range.clone().rev().filter(|at| view.errors[*at]) {
        if let Some(parent) = view.parent(at) {
            has_below[parent] = true;
        }
    }
    let mut origins = view.range.clone().filter(|at| view.errors[*at] && !has_below[*at]);
    let first = origins.next()?;
    let more = match origins.count() as u64 {
        0 => String::new(),
        more => format!("; so do {more} others"),
    };
    let says = message(&view.span(first)).map(|message| format!(": {}", quoted(&message, 120))).unwrap_or_default();
    Some(format!("! error begins in {}{says}{more}", span(view, first)))
}

/// Many calls of one kind from one span, one after the other.
fn one_by_one(view: &View<'_>) -> Option<String> {
    type Calls = (usize, u64, u64, u64);
    let mut calls: HashMap<(usize, &str, &str), Calls> = HashMap::new();
    for at in view.range.clone() {
        let Some(parent) = view.parent(at) else { continue };
        let (start, end) = view.shape.times[at];
        let (count, sum, first, last) =
            calls.entry((parent, view.name(at), view.service(at))).or_insert((0, 0, start, end));
        (*count, *sum, *first, *last) = (*count + 1, *sum + (end - start), (*first).min(start), (*last).max(end));
    }
    // What runs beside each other takes less time from the first to the last than all of it together.
    let in_turn = |(count, sum, first, last): &Calls| *count >= MANY && sum.saturating_sub(last - first) * 10 <= *sum;
    let worst = calls.iter().filter(|(_, calls)| in_turn(calls));
    let ((parent, call, service), (count, sum, ..)) =
        worst.max_by(|(a, (_, x, ..)), (b, (_, y, ..))| x.cmp(y).then_with(|| b.cmp(a)))?;
    (sum.saturating_mul(20) > view.length).then(|| {
        format!(
            "! {count} × {} ({}) one after the other below {}: {}, {} of the time; could it be one call?",
            name(call, NAME),
            name(service, NAME),
            span(view, *parent),
            duration(sum.cast_signed()),
            share(*sum, view.length),
        )
    })
}

/// The span that spends most time itself, where that is much.
fn own_time(view: &View<'_>) -> Option<String> {
    let at = view.range.clone().rev().max_by_key(|at| view.shape.own[*at])?;
    let own = view.shape.own[at];
    (view.range.len() > 1 && own.saturating_mul(4) >= view.length && view.length > 0).then(|| {
        let (own_shown, share) = (duration(own.cast_signed()), share(own, view.length));
        format!("! {} spends {own_shown} ({share}) itself, in nothing below it", span(view, at))
    })
}

/// Spans that are named and not kept, and clocks that differ.
fn missing(view: &View<'_>) -> Option<String> {
    let trace = view.trace;
    let mut parts = Vec::new();
    if !trace.tree.missing.is_empty() {
        let some: Vec<&str> = trace.tree.missing.iter().take(2).map(String::as_str).collect();
        parts.push(format!(
            "{} named and not kept: {}",
            plural(trace.tree.missing.len() as u64, "parent"),
            some.join(", ")
        ));
    }
    if trace.tree.skewed() > 0 {
        parts.push(format!("{} before what called: clocks differ", plural(trace.tree.skewed() as u64, "start")));
    }
    if trace.duplicates > 0 {
        parts.push(format!("{} left out", plural(trace.duplicates as u64, "duplicate")));
    }
    (!parts.is_empty()).then(|| format!("! {}", parts.join("; ")))
}

/// The log records of the trace: how many, and the first that warn.
pub(super) fn logs(view: &View<'_>) -> Vec<String> {
    let count = view.trace.logs.num_rows();
    if count == 0 {
        return Vec::new();
    }
    let numbers = crate::record::Cells(&view.trace.logs);
    let severity = |row: usize| {
        let column = otlp_arrow_columns::schema::logs::SEVERITY_NUMBER;
        numbers.number::<arrow_array::types::Int32Type>(column, row).unwrap_or_default()
    };
    let mut worst: Vec<usize> = (0..count).filter(|row| severity(*row) >= WARN).collect();
    let warned = worst.len();
    worst.sort_by_key(|row| (std::cmp::Reverse(severity(*row)), *row));
    worst.truncate(LOGS);
    worst.sort_unstable();
    let ask = view.how.logs.as_ref().map(|ask| format!(": {ask}")).unwrap_or_default();
    let mut lines = vec![format!(
        "{}, {} of them warn or worse{ask}",
        plural(count as u64, "log record"),
        thousands(warned as u64)
    )];
    let record = |row| crate::record::LogRecord::read(&view.trace.logs, row);
    lines.extend(worst.into_iter().map(|row| format!("  {}", log_line(&record(row)))));
    lines
}
