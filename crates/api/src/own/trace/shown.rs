//! A trace as it is written: the nodes that are shown, with everything of a span or what a waterfall needs.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, PrimitiveArray, RecordBatch, StringArray, UInt32Array,
};
use otlp_arrow::{Code, OtlpError, Result};
use otlp_arrow_columns::schema::{logs, traces};
use otlp_arrow_query::Searched;
use otlp_arrow_query::filter::show_time;
use otlp_arrow_query::questions::Node;
use otlp_arrow_query::record::{Form, LogRecord, Span, hex};
use otlp_arrow_query::text::TraceText;
use serde::Serialize;

use super::{Row, TraceView};
use crate::words::ROOT;

/// What a waterfall needs of one span.
#[derive(Serialize)]
struct Bar {
    id: String,
    parent: Option<usize>,
    depth: usize,
    name: String,
    service: String,
    /// Nanoseconds from the start of the trace.
    start: u64,
    duration: i64,
    status: String,
    kind: String,
    events: usize,
    logs: usize,
    /// When these were, in nanoseconds from the start of the trace; so many of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    event_times: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log_times: Vec<i64>,
    children: usize,
    hidden: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    orphan: bool,
}

/// Times of events and log records of one span that are told: more would be one stroke in a waterfall.
const MARKS: usize = 32;

/// Everything of one span, and its place.
#[derive(Serialize)]
struct Full {
    parent: Option<usize>,
    depth: usize,
    children: usize,
    hidden: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    orphan: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cyclic: bool,
    #[serde(skip_serializing_if = "is_zero")]
    early: u64,
    #[serde(flatten)]
    span: Span,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TraceView {
    /// Whoever looks at a part wants it as JSON with what is known of the whole.
    pub(super) fn write_part(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a, S: Serialize> {
            trace_id: &'a str,
            start_time: String,
            duration: u64,
            services: BTreeMap<String, usize>,
            errors: usize,
            duplicates: usize,
            missing_parents: &'a [String],
            spans: Vec<S>,
            #[serde(skip_serializing_if = "Option::is_none")]
            logs: Option<Vec<LogRecord>>,
            searched: &'a Searched,
        }
        fn shown<'a, S: Serialize>(view: &'a TraceView, spans: Vec<S>, logs: Option<Vec<LogRecord>>) -> Shown<'a, S> {
            let trace = &view.trace;
            let (start, end) = trace.bounds().unwrap_or_default();
            Shown {
                trace_id: &trace.id,
                start_time: show_time(start),
                duration: end.saturating_sub(start),
                services: trace.services(),
                errors: trace.errors(),
                duplicates: trace.duplicates,
                missing_parents: &trace.tree.missing,
                spans,
                logs,
                searched: &view.searched,
            }
        }
        match self.is_tree {
            true => form.write(&shown(self, self.bars(), None), out),
            false => {
                let full = self.rows().into_iter().map(|(node, row)| self.full(node, &row)).collect();
                form.write(&shown(self, full, Some(self.trace.log_records().collect())), out)
            }
        }
    }

    fn full(&self, node: &Node, row: &Row) -> Full {
        Full {
            parent: row.parent,
            depth: row.depth,
            children: node.children,
            hidden: row.hidden,
            matches: row.matches,
            orphan: node.orphan,
            cyclic: node.cyclic,
            early: node.early,
            span: Span::read(&self.trace.spans, node.row),
        }
    }

    fn bars(&self) -> Vec<Bar> {
        let start = self.trace.bounds().map_or(0, |(start, _)| start);
        let spans = &self.trace.spans;
        let events = spans.column(traces::EVENTS).as_list_opt::<i32>();
        let starts = spans.column(traces::START_TIME).as_primitive_opt::<TimestampNanosecondType>();
        let since = |time: i64| time.saturating_sub(start.cast_signed());
        let event_times = events.map(|events| times_in(events));
        let mut of_span: HashMap<&[u8], Vec<i64>> = HashMap::new();
        let ids = self.trace.logs.column(logs::SPAN_ID).as_fixed_size_binary();
        let log_times = [logs::TIME, logs::OBSERVED_TIME]
            .map(|column| self.trace.logs.column(column).as_primitive_opt::<TimestampNanosecondType>());
        for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
            let time = log_times.iter().flatten().find(|times| times.is_valid(row)).map(|times| times.value(row));
            of_span.entry(ids.value(row)).or_default().push(time.map_or(0, since));
        }
        let ids: Vec<&[u8]> = super::ids(spans).collect();
        let texts = Texts::of(spans);
        let bar = |(node, row): (&Node, Row)| Bar {
            id: hex(ids[node.row]),
            parent: row.parent,
            depth: row.depth,
            name: texts.get(traces::NAME, node.row).to_owned(),
            service: texts.get(spans.num_columns() - SERVICE_FROM_END, node.row).to_owned(),
            start: starts.map_or(0, |starts| starts.value(node.row).cast_unsigned().saturating_sub(start)),
            duration: texts.duration(node.row),
            status: match texts.get(traces::STATUS_CODE, node.row) {
                "" => "unset".to_owned(),
                status => status.to_owned(),
            },
            kind: texts.get(traces::KIND, node.row).to_owned(),
            events: events
                .filter(|events| events.is_valid(node.row))
                .map_or(0, |events| events.value_length(node.row) as usize),
            logs: of_span.get(ids[node.row]).map_or(0, Vec::len),
            event_times: match (events.filter(|events| events.is_valid(node.row)), event_times.flatten()) {
                (Some(events), Some(times)) => {
                    let offsets = events.value_offsets();
                    let within = offsets[node.row] as usize..offsets[node.row + 1] as usize;
                    within.take(MARKS).map(|at| since(times.value(at))).collect()
                }
                _ => Vec::new(),
            },
            log_times: of_span.get(ids[node.row]).into_iter().flatten().take(MARKS).copied().collect(),
            children: node.children,
            hidden: row.hidden,
            matches: row.matches,
            orphan: node.orphan,
        };
        self.rows().into_iter().map(bar).collect()
    }

    /// The bars as a table.
    pub(super) fn tree(&self) -> Result<RecordBatch> {
        let bars = self.bars();
        fn texts(bars: &[Bar], of: impl Fn(&Bar) -> &str) -> ArrayRef {
            Arc::new(bars.iter().map(|bar| Some(of(bar))).collect::<StringArray>())
        }
        let number = |of: fn(&Bar) -> usize| {
            Arc::new(bars.iter().map(|bar| of(bar) as u32).collect::<UInt32Array>()) as ArrayRef
        };
        let parents: UInt32Array = bars.iter().map(|bar| bar.parent.map(|parent| parent as u32)).collect();
        let longs = |of: fn(&Bar) -> i64| Arc::new(bars.iter().map(of).collect::<Int64Array>()) as ArrayRef;
        let columns: Vec<(&str, ArrayRef, bool)> = vec![
            ("id", texts(&bars, |bar| &bar.id), false),
            ("parent", Arc::new(parents), true),
            ("depth", number(|bar| bar.depth), false),
            ("name", texts(&bars, |bar| &bar.name), false),
            ("service", texts(&bars, |bar| &bar.service), false),
            ("start", longs(|bar| i64::try_from(bar.start).unwrap_or(i64::MAX)), false),
            ("duration", longs(|bar| bar.duration), false),
            ("status", texts(&bars, |bar| &bar.status), false),
            ("kind", texts(&bars, |bar| &bar.kind), false),
            ("events", number(|bar| bar.events), false),
            ("logs", number(|bar| bar.logs), false),
            ("children", number(|bar| bar.children), false),
            ("hidden", number(|bar| bar.hidden), false),
            ("matches", Arc::new(bars.iter().map(|bar| bar.matches).collect::<BooleanArray>()), true),
        ];
        let failed = |error| OtlpError::with_source(Code::Internal, "a table could not be made", error);
        RecordBatch::try_from_iter_with_nullable(columns).map_err(failed)
    }

    /// For people and agents: as the tools for agents write it.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let (text, id) = (&self.text, &self.trace.id);
        let again = |words: &[(&str, String)]| {
            let kept = text.words.iter().filter(|(name, _)| words.iter().all(|(word, _)| word != name));
            let kept = kept.map(|(name, value)| (name.as_str(), value));
            let set = words.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, value));
            // Words of a condition are words of the query.
            let word = |(name, value): (&str, &String)| match (name, value.split_once('=')) {
                ("filter", Some((name, value))) => {
                    format!("&{name}={}", escaped(value.split(' ').next().unwrap_or_default()))
                }
                (name, _) => format!("&{name}={}", escaped(value)),
            };
            format!("GET {ROOT}/traces/{id}?format=text{}", kept.chain(set).map(word).collect::<String>())
        };
        let how = TraceText {
            focus: text.focus,
            depth: text.depth,
            matching: text.matching.as_ref(),
            full: false,
            max_chars: text.max_chars,
            again: &again,
            logs: Some(format!("GET {ROOT}/logs?trace={id}")),
            now: text.now,
        };
        out.write_all(otlp_arrow_query::text::trace(&self.trace, &how).as_bytes())
    }
}

/// The times of all events.
fn times_in(events: &ListArray) -> Option<&PrimitiveArray<TimestampNanosecondType>> {
    events.values().as_struct_opt()?.column_by_name("time")?.as_primitive_opt()
}

/// A value as a query string has it.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    let byte = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    value.bytes().map(byte).collect()
}

/// Columns from the end to the name of the service.
const SERVICE_FROM_END: usize =
    otlp_arrow_columns::schema::common::COUNT - otlp_arrow_columns::schema::common::SERVICE_NAME;

/// Columns of text of spans.
struct Texts<'a>(&'a RecordBatch);

impl<'a> Texts<'a> {
    fn of(spans: &'a RecordBatch) -> Self {
        Self(spans)
    }

    fn get(&self, column: usize, row: usize) -> &'a str {
        let array = self.0.column(column);
        if array.is_null(row) {
            return "";
        }
        match array.as_dictionary_opt::<arrow_array::types::Int32Type>() {
            Some(array) => {
                let values = array.values().as_string_opt::<i32>();
                values.map_or("", |values| values.value(array.keys().value(row) as usize))
            }
            None => array.as_string_opt::<i32>().map_or("", |array| array.value(row)),
        }
    }

    fn duration(&self, row: usize) -> i64 {
        let durations = self.0.column(traces::DURATION).as_primitive_opt::<arrow_array::types::Int64Type>();
        durations.filter(|durations| durations.is_valid(row)).map_or(0, |durations| durations.value(row))
    }
}
