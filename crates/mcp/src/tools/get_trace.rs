//! `get_trace`: one trace as a tree that fits.

use std::collections::HashSet;

use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_columns::schema::traces;
use otlp_arrow_query::filter::{Filter, IdPrefix, TextTest};
use otlp_arrow_query::questions::{Side, SpansQuestion, TraceQuestion};
use otlp_arrow_query::text::{TraceText, trace};
use otlp_arrow_query::{Answer as _, Telemetry};

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;

use super::call::{Call, Tool};
use crate::words::Kind::{Number, OneOf, Text};
use crate::words::{call, required, word};

pub(super) const TOOL: Tool = Tool {
    name: "get_trace",
    text: "One trace as a tree: duration, * where it is on the critical path, name, service, @start, id, errors. Alike siblings (×N) and short spans are one line; ! are findings. Cut answers name the call that goes on. detail=full adds attributes.",
    words: &[
        required("trace", Text, "id or its first digits"),
        word("focus", Text, "span that is the root"),
        word("depth", Number, "levels"),
        word("filter", Text, "spans wanted: text, or words such as service=db min_duration=10ms"),
        word("detail", OneOf(&["tree", "full"]), ""),
    ],
    ask,
    waits: false,
};

/// The trace that a word names; an error says how to find one.
pub(super) fn id_of(call: &Call<'_>) -> Result<IdPrefix> {
    let text = call.words.one("trace").unwrap_or_default();
    IdPrefix::parse(text, 16).map_err(|problem| {
        let shown = otlp_arrow_query::text::quoted(text, 80);
        let text = format!("trace = {shown} {problem}: search_traces and errors show ids of traces");
        OtlpError::new(Code::InvalidConfig, text)
    })
}

fn ask(call: &Call<'_>) -> Result<String> {
    let (words, telemetry) = (call.words, call.telemetry());
    let id = id_of(call)?;
    let depth = words.one("depth").map(|_| words.number("depth", 1, 100_000)).transpose()?;
    let answer = telemetry.ask_with(&TraceQuestion { id, logs: true }, call.options)?;
    if answer.rows() == 0 {
        return Ok(call.nothing_found(answer.searched(), Signal::Traces));
    }
    let focus = words.one("focus").map(|text| {
        let prefix = IdPrefix::parse(text, 8)
            .map_err(|problem| OtlpError::new(Code::InvalidConfig, format!("focus = {text:?} {problem}")))?;
        answer.position("focus", &prefix)
    });
    let matching = words.one("filter").map(|text| matching(call, telemetry, id, text)).transpose()?;
    if matching.as_ref().is_some_and(HashSet::is_empty) {
        let again = words.again(&[("filter", String::new())]);
        return Ok(format!("No span of trace {} matches the filter. All of it: {again}", answer.id));
    }
    let how = TraceText {
        focus: focus.transpose()?,
        depth,
        matching: matching.as_ref(),
        full: words.one("detail") == Some("full"),
        max_chars: words.max_chars,
        again: &|set| words.again(set),
        logs: Some(call_logs(&answer.id)),
        now: telemetry.now(),
    };
    Ok(trace(&answer, &how).trim_end().to_owned())
}

fn call_logs(id: &str) -> String {
    call("search_logs", super::search_logs::TOOL.words, &[("trace", id[..id.len().min(8)].to_owned())])
}

/// Ids of the spans of the trace that match: words of the filter, or a text.
fn matching(call: &Call<'_>, telemetry: &Telemetry, id: IdPrefix, text: &str) -> Result<HashSet<Vec<u8>>> {
    let filters = match text.contains('=') {
        true => match Side::parse("filter", text, telemetry.now())? {
            Side::Matching(filter, _) => vec![*filter],
            Side::Trace(_) => vec![Filter::default()],
        },
        // A text is that of a span, or its service.
        false => vec![
            Filter { text: vec![text.to_owned()], ignore_case: true, ..Filter::default() },
            Filter { service: vec![TextTest::equals(text)], ..Filter::default() },
        ],
    };
    let mut matching = HashSet::new();
    for filter in filters {
        let filter = Filter { trace: Some(id), limit: Some(usize::MAX), ..filter };
        let found = telemetry.ask_with(&SpansQuestion { filter }, call.options)?;
        let ids = found.batch.column(traces::SPAN_ID).as_fixed_size_binary();
        matching.extend((0..ids.len()).filter(|row| ids.is_valid(*row)).map(|row| ids.value(row).to_vec()));
    }
    Ok(matching)
}
