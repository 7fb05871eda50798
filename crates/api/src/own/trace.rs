//! One trace, or the part of it that somebody looks at.

mod shown;

use std::collections::HashSet;
use std::io::{self, Write};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_columns::schema::traces;
use otlp_arrow_query::filter::{Filter, IdPrefix, Nanos, Parameter, Parameters};
use otlp_arrow_query::questions::{Node, SpansQuestion, Trace, TraceQuestion};
use otlp_arrow_query::record::Form;
use otlp_arrow_query::{Answer, AskOptions, Searched, Telemetry};

use super::question::{Own, together};
use crate::words::Words;

const fn word(name: &'static str, form: &'static str, text: &'static str) -> Parameter {
    Parameter { name, repeated: false, form, text }
}

pub(super) const TRACE: Own = Own {
    name: "trace",
    filtered: true,
    // It is all of one trace.
    not: &["from", "to", "limit", "order", "cursor"],
    parameters: &[
        word("trace", "32 hexadecimal digits, or the first 4 and more", "the trace"),
        word("logs", "`true`, `false`", "whether its log records are part of the answer; they are"),
        word("depth", "`3`", "so many levels; all if it is left out"),
        word("focus", "16 hexadecimal digits, or the first 4 and more", "the span that is shown as the root"),
        word("columns", "`full`, `tree`", "everything of each span, or what a waterfall needs; full if it is left out"),
        word("max_chars", "`20000`", "with `format=text`: the most characters; 6,000 if it is left out"),
    ],
    ask: |telemetry, words, options| Ok(Box::new(ask(telemetry, words, options)?)),
};

/// One trace as it is shown.
pub(crate) struct TraceView {
    trace: Trace,
    /// The nodes that are shown, in the order of the tree; nothing where all are.
    part: Option<Vec<Row>>,
    /// Only what a waterfall needs.
    is_tree: bool,
    searched: Searched,
    text: Text,
}

/// What of it is told to people and agents.
struct Text {
    focus: Option<usize>,
    depth: Option<usize>,
    matching: Option<HashSet<Vec<u8>>>,
    max_chars: usize,
    /// The words that were given, to ask again.
    words: Words,
    now: Nanos,
}

/// Characters of a text where nobody says how many.
const USUAL_CHARS: usize = 6_000;

/// A node that is shown.
struct Row {
    /// Its position in the tree.
    at: usize,
    /// Position of its parent among those that are shown.
    parent: Option<usize>,
    depth: usize,
    /// How many below it are left out.
    hidden: usize,
    /// Whether the words of the filter hold of it; nothing without such words.
    matches: Option<bool>,
}

fn ask(telemetry: &Telemetry, words: Words, options: &AskOptions) -> Result<TraceView> {
    let wrong = |text: String| OtlpError::new(Code::InvalidConfig, text);
    if let Some((name, _)) = words.iter().find(|(name, _)| TRACE.not.contains(&name.as_str())) {
        return Err(wrong(format!("{name} is not for a trace, which is shown as a whole: leave it out")));
    }
    let given = words.iter().filter(|(name, _)| name != "trace").cloned().collect();
    let mut parameters = Parameters::new(words);
    let id =
        parameters.read("trace", |text| IdPrefix::parse(text, 16))?.ok_or_else(|| wrong("trace is missing".into()))?;
    let logs =
        parameters.read("logs", |text| text.parse::<bool>().map_err(|_| "is neither true nor false".to_owned()))?;
    let depth = parameters.read("depth", |text| match text.parse() {
        Ok(0) | Err(_) => Err("is not a number of levels: write 1 or more".to_owned()),
        Ok(depth) => Ok(depth),
    })?;
    let focus = parameters.read("focus", |text| IdPrefix::parse(text, 8))?;
    let is_tree = parameters.read("columns", |text| match text {
        "full" => Ok(false),
        "tree" => Ok(true),
        _ => Err("is neither full nor tree".to_owned()),
    })?;
    let max_chars = parameters.read("max_chars", |text| match text.parse() {
        Ok(chars @ 1_000..=10_000_000) => Ok(chars),
        _ => Err("is not a number of characters from 1000 to 10000000".to_owned()),
    })?;
    let filter = Filter::read(&mut parameters, telemetry.now())?;
    parameters.finish()?;
    let trace = telemetry.ask_with(&TraceQuestion { id, logs: logs.unwrap_or(true) }, options)?;
    let mut searched = trace.searched.clone();
    let matching = if filter == Filter::default() {
        None
    } else {
        let filter = Filter { trace: Some(id), limit: Some(usize::MAX), ..filter };
        let found = telemetry.ask_with(&SpansQuestion { filter }, options)?;
        searched = together([&searched, &found.searched]);
        Some(ids(&found.batch).map(<[u8]>::to_vec).collect::<HashSet<_>>())
    };
    let focus = focus.map(|focus| trace.position("focus", &focus)).transpose()?;
    let part = match depth.is_some() || focus.is_some() || matching.is_some() {
        true => Some(part(&trace, depth.unwrap_or(usize::MAX), focus, matching.as_ref())),
        false => None,
    };
    let max_chars = max_chars.unwrap_or(USUAL_CHARS);
    let text = Text { focus, depth, matching, max_chars, words: given, now: telemetry.now() };
    Ok(TraceView { trace, part, is_tree: is_tree.unwrap_or(false), searched, text })
}

fn ids(spans: &RecordBatch) -> impl Iterator<Item = &[u8]> {
    let ids = spans.column(traces::SPAN_ID).as_fixed_size_binary();
    (0..ids.len()).map(|row| if ids.is_valid(row) { ids.value(row) } else { &[] })
}

/// The nodes that are shown.
fn part(trace: &Trace, depth: usize, focus: Option<usize>, matching: Option<&HashSet<Vec<u8>>>) -> Vec<Row> {
    let (nodes, ids): (&[Node], Vec<&[u8]>) = (&trace.tree.nodes, ids(&trace.spans).collect());
    let (from, to) = match focus {
        None => (0, nodes.len()),
        Some(from) => {
            let below = nodes[from + 1..].iter().take_while(|node| node.depth > nodes[from].depth).count();
            (from, from + 1 + below)
        }
    };
    let base = nodes.get(from).map_or(0, |node| node.depth);
    let is_matching = |at: usize| matching.map(|matching| matching.contains(ids[nodes[at].row]));
    // What matches, and everything above it.
    let mut wanted = vec![matching.is_none(); nodes.len()];
    for at in (from..to).filter(|at| is_matching(*at) == Some(true)) {
        let mut above = Some(at);
        while let Some(at) = above.filter(|at| *at >= from && !wanted[*at]) {
            wanted[at] = true;
            above = nodes[at].parent;
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    // Where each node is shown, or the nearest one above it that is.
    let mut shown: Vec<Option<usize>> = vec![None; nodes.len()];
    for at in from..to {
        let above = nodes[at].parent.filter(|parent| *parent >= from).and_then(|parent| shown[parent]);
        let level = nodes[at].depth - base;
        if wanted[at] && level < depth {
            shown[at] = Some(rows.len());
            rows.push(Row { at, parent: above, depth: level, hidden: 0, matches: is_matching(at) });
        } else {
            shown[at] = above;
            if let Some(above) = above {
                rows[above].hidden += 1;
            }
        }
    }
    rows
}

impl TraceView {
    /// The nodes in the order they are shown.
    fn rows(&self) -> Vec<(&Node, Row)> {
        let nodes = &self.trace.tree.nodes;
        match &self.part {
            Some(part) => part.iter().map(|row| (&nodes[row.at], Row { ..*row })).collect(),
            None => nodes
                .iter()
                .enumerate()
                .map(|(at, node)| (node, Row { at, parent: node.parent, depth: node.depth, hidden: 0, matches: None }))
                .collect(),
        }
    }

    /// The spans that are shown, in the order they are shown.
    fn spans(&self) -> Result<RecordBatch> {
        let rows: UInt32Array = self.rows().iter().map(|(node, _)| node.row as u32).collect();
        let failed = |error| OtlpError::with_source(Code::Internal, "spans could not be chosen", error);
        take_record_batch(&self.trace.spans, &rows).map_err(failed)
    }
}

impl Answer for TraceView {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.part.as_ref().map_or(self.trace.spans.num_rows(), Vec::len) + self.trace.logs.num_rows()
    }

    fn table(&self) -> Result<RecordBatch> {
        match (self.is_tree, &self.part) {
            (true, _) => self.tree(),
            (false, Some(_)) => self.spans(),
            (false, None) => self.trace.table(),
        }
    }

    fn records(&self) -> Vec<(Signal, RecordBatch)> {
        let spans = if self.part.is_some() {
            self.spans().unwrap_or_else(|_| self.trace.spans.clone())
        } else {
            self.trace.spans.clone()
        };
        vec![(Signal::Traces, spans), (Signal::Logs, self.trace.logs.clone())]
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        match self.is_tree || self.part.is_some() {
            true => self.write_part(form, out),
            false => self.trace.write(form, out),
        }
    }
}
