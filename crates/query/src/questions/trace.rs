//! One trace: its spans as a tree, and the log records that belong to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use crate::maps::Map;
use arrow_array::RecordBatch;
use otlp_arrow_base::error::{Code, OtlpError, Result};
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, traces};
use serde::Serialize;

use super::collect::{Collected, collect};
use super::question::{Kind, Question};
use super::tree::{Item, Node, Tree};
use crate::answer::{Answer, Each, Searched, internal, json};
use crate::filter::{Cursor, Filter, IdPrefix, Nanos, Term, one, wrong};
use crate::record::{Cells, Fields, Form, LogRecord, Span, as_nanos, as_time, assemble, hex};
use crate::scan::Asking;

/// Log records of a trace, at most.
const MOST_LOGS: usize = 10_000;

pub(super) const KIND: Kind = Kind {
    name: "trace",
    text: "one trace: its spans as a tree, and its log records",
    filtered: false,
    parameters: &[
        one("trace", "32 hexadecimal digits, or the first 4 and more", "the trace"),
        one("logs", "`true`, `false`", "whether its log records are part of the answer; they are"),
    ],
    read: |parameters, _| {
        let id = parameters.read("trace", |text| IdPrefix::parse(text, 16))?;
        let id = id.ok_or_else(|| wrong("trace", "", "is missing: which trace?"))?;
        let flag = |text: &str| text.parse::<bool>().map_err(|_| "is neither true nor false".to_owned());
        Ok(Box::new(TraceQuestion { id, logs: parameters.read("logs", flag)?.unwrap_or(true) }))
    },
};

/// One trace by its id, or the beginning of that.
#[derive(Clone, Copy, Debug)]
pub struct TraceQuestion {
    /// Which one.
    pub id: IdPrefix,
    /// Whether its log records are part of the answer.
    pub logs: bool,
}

/// One trace.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its id in hexadecimal; what was asked for, where nothing was found.
    pub id: String,
    /// Its spans in the order of their start, each once; all columns of the schema of traces.
    pub spans: RecordBatch,
    /// The spans as a tree.
    pub tree: Tree,
    /// Its log records in the order of time; all columns of the schema of logs.
    pub logs: RecordBatch,
    /// Spans that came twice: the same id and start. The last of them is here.
    pub duplicates: usize,
    /// What was searched.
    pub searched: Searched,
}

impl Question for TraceQuestion {
    type Answer = Trace;

    fn ask(&self, asking: &Asking<'_>) -> Result<Trace> {
        let most = asking.engine().limits().max_rows;
        let found = collect(asking, Signal::Traces, vec![Term::Trace(self.id)], most)?;
        let id = self.only_one(&found)?;
        let (rows, duplicates) = without_duplicates(&found);
        let spans = assemble(Signal::Traces, &found.parts, &rows).map_err(|error| internal(&error))?;
        let tree = Tree::of(&(0..spans.num_rows()).map(|row| item(&spans, row)).collect::<Vec<_>>());
        let mut logs = Collected::default();
        if self.logs {
            let term = IdPrefix::whole(&id.unwrap_or_default()).filter(|_| id.is_some()).unwrap_or(self.id);
            logs = collect(asking, Signal::Logs, vec![Term::Trace(term)], MOST_LOGS.min(most))?;
        }
        logs.rows.sort_unstable_by_key(|(key, _, _)| *key);
        let rows: Vec<(usize, usize)> = logs.rows.iter().map(|(_, part, row)| (*part, *row)).collect();
        let logs = assemble(Signal::Logs, &logs.parts, &rows).map_err(|error| internal(&error))?;
        let id = id.map_or_else(|| self.id.to_string(), |id| hex(&id));
        Ok(Trace { id, spans, tree, logs, duplicates, searched: Searched::of(asking, &Filter::default()) })
    }
}

impl TraceQuestion {
    /// The trace that the spans are of; INVALID_CONFIG if they are of several.
    fn only_one(&self, found: &Collected) -> Result<Option<[u8; 16]>> {
        let mut ids = BTreeSet::new();
        for part in &found.parts {
            use arrow_array::cast::AsArray;
            let column = part[traces::TRACE_ID].as_fixed_size_binary();
            ids.extend(column.iter().flatten().filter_map(|id| <[u8; 16]>::try_from(id).ok()));
        }
        if ids.len() > 1 {
            let some: Vec<String> = ids.iter().take(10).map(|id| hex(id)).collect();
            let more = if ids.len() > some.len() { ", …" } else { "" };
            return Err(OtlpError::new(
                Code::InvalidConfig,
                format!("{} traces begin with {}: {}{more}", ids.len(), self.id, some.join(", ")),
            ));
        }
        Ok(ids.pop_first())
    }
}

fn item(spans: &RecordBatch, row: usize) -> Item {
    let cells = Cells(spans);
    let id = |column| cells.id(column, row).and_then(|id| id.try_into().ok());
    Item {
        id: id(traces::SPAN_ID),
        parent: id(traces::PARENT_SPAN_ID),
        start: cells.time(traces::START_TIME, row).unwrap_or_default(),
        end: cells.time(traces::END_TIME, row).unwrap_or_default(),
    }
}

/// Each span once, in the order of their start, as part and row; and how many came again.
fn without_duplicates(found: &Collected) -> (Vec<(usize, usize)>, usize) {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    let mut rows = found.rows.clone();
    rows.sort_unstable_by_key(|(key, _, _)| *key);
    let mut last: Map<([u8; 8], Nanos), usize> = Map::default();
    let mut kept: Vec<Option<(Cursor, usize, usize)>> = Vec::with_capacity(rows.len());
    let mut duplicates = 0;
    for (key, part, row) in rows {
        let ids = found.parts[part][traces::SPAN_ID].as_fixed_size_binary();
        let id = ids.is_valid(row).then(|| <[u8; 8]>::try_from(ids.value(row)).ok()).flatten();
        if let Some(id) = id
            && let Some(before) = last.insert((id, key.time), kept.len())
        {
            kept[before] = None;
            duplicates += 1;
        }
        kept.push(Some((key, part, row)));
    }
    (kept.into_iter().flatten().map(|(_, part, row)| (part, row)).collect(), duplicates)
}

impl Trace {
    /// The spans as values, in the order of their start.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        (0..self.spans.num_rows()).map(|row| Span::read(&self.spans, row))
    }

    /// Its log records as values.
    pub fn log_records(&self) -> impl Iterator<Item = LogRecord> + '_ {
        (0..self.logs.num_rows()).map(|row| LogRecord::read(&self.logs, row))
    }

    /// When its first span starts, and when the last one ends.
    pub fn bounds(&self) -> Option<(Nanos, Nanos)> {
        let cells = Cells(&self.spans);
        let times = |column| (0..self.spans.num_rows()).filter_map(move |row| cells.time(column, row));
        Some((times(traces::START_TIME).min()?, times(traces::END_TIME).max()?))
    }

    /// Its services and how many spans each has, by name.
    pub fn services(&self) -> BTreeMap<String, usize> {
        let (cells, column) = (Cells(&self.spans), common::first(traces::COUNT) + common::SERVICE_NAME);
        let mut services = BTreeMap::new();
        for row in 0..self.spans.num_rows() {
            *services.entry(cells.text(column, row).unwrap_or_default().to_owned()).or_default() += 1;
        }
        services
    }

    /// The position among the nodes of the span whose id begins so; INVALID_CONFIG if none or several do. `name` is what errors call
    /// it.
    pub fn position(&self, name: &'static str, prefix: &IdPrefix) -> Result<usize> {
        let cells = Cells(&self.spans);
        let begins = |row: usize| cells.id(traces::SPAN_ID, row).is_some_and(|id| prefix.begins(id));
        let mut found = (0..self.tree.nodes.len()).filter(|at| begins(self.tree.nodes[*at].row));
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => {
                Err(wrong(name, &prefix.to_string(), "is the beginning of several spans: write more digits"))
            }
            _ => Err(wrong(name, &prefix.to_string(), "is not a span of this trace")),
        }
    }

    /// How many spans are errors.
    pub fn errors(&self) -> usize {
        let cells = Cells(&self.spans);
        (0..self.spans.num_rows()).filter(|row| cells.text(traces::STATUS_CODE, *row) == Some("error")).count()
    }
}

impl Answer for Trace {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.spans.num_rows() + self.logs.num_rows()
    }

    fn table(&self) -> Result<RecordBatch> {
        Ok(self.spans.clone())
    }

    fn records(&self) -> Vec<(Signal, RecordBatch)> {
        vec![(Signal::Traces, self.spans.clone()), (Signal::Logs, self.logs.clone())]
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Row {
            parent: Option<usize>,
            depth: usize,
            children: usize,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            orphan: bool,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            cyclic: bool,
            #[serde(skip_serializing_if = "is_zero")]
            #[serde(serialize_with = "as_nanos")]
            early: u64,
            #[serde(flatten)]
            span: Span,
        }
        #[derive(Serialize)]
        struct Shown<'a, S: Serialize, L: Serialize> {
            trace_id: &'a str,
            #[serde(serialize_with = "as_time")]
            start_time: Nanos,
            #[serde(serialize_with = "as_nanos")]
            duration: u64,
            services: BTreeMap<String, usize>,
            errors: usize,
            duplicates: usize,
            missing_parents: &'a [String],
            spans: S,
            logs: L,
            searched: &'a Searched,
        }
        let row = |node: &Node| {
            Fields(Row {
                parent: node.parent,
                depth: node.depth,
                children: node.children,
                orphan: node.orphan,
                cyclic: node.cyclic,
                early: node.early,
                span: Span::read(&self.spans, node.row),
            })
        };
        let (start_time, end) = self.bounds().unwrap_or_default();
        json(
            form,
            out,
            &Shown {
                trace_id: &self.id,
                start_time,
                duration: end.saturating_sub(start_time),
                services: self.services(),
                errors: self.errors(),
                duplicates: self.duplicates,
                missing_parents: &self.tree.missing,
                spans: Each(self.tree.nodes.len(), |at| row(&self.tree.nodes[at])),
                logs: Each(self.logs.num_rows(), |row| LogRecord::read(&self.logs, row)),
                searched: &self.searched,
            },
        )
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
