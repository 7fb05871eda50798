//! `trace`: one trace as an indented tree.

use otlp_arrow::Signal;
use otlp_arrow_query::Answer;
use otlp_arrow_query::filter::IdPrefix;
use otlp_arrow_query::questions::{Node, Trace, TraceQuestion};
use otlp_arrow_query::record::Span;
use otlp_arrow_query::text::Shape;

use super::asker::Asker;
use super::grid::{self, Look, columns, cut};
use super::logs::line;
use crate::args::ask::TraceArgs;
use crate::io::{Failure, Io, Outcome};
use crate::text::{duration, one_line, path, plural, time};

pub(crate) fn run(args: &TraceArgs, io: &mut Io<'_>) -> Outcome {
    let id = IdPrefix::parse(&args.id, 16).map_err(|problem| {
        Failure::Usage(format!("otlp-arrow: {:?} {problem}, such as `otlp-arrow traces` shows", args.id))
    })?;
    let asker = Asker::new(&args.output, io)?;
    let wants_logs = args.logs || args.output.json || args.output.otlp;
    let answer = asker.ask(&TraceQuestion { id, logs: wants_logs }, io).map_err(|failure| match failure {
        // That several begin so is told of the directory, not of what was typed.
        Failure::Usage(text) => Failure::Failed(text.trim_start_matches("otlp-arrow: ").to_owned()),
        other => other,
    })?;
    if answer.rows() == 0 && answer.searched.complete {
        let directory = crate::config::directory(&args.output.source)?;
        return Err(Failure::Failed(format!("no span of trace {id} is in {}", path(&directory))));
    }
    let records = [(Signal::Traces, &answer.spans), (Signal::Logs, &answer.logs)];
    asker.write(&answer, &records, io, |answer, io| {
        print(answer, io)?;
        for record in answer.log_records().filter(|_| args.logs) {
            let line = line(&record, io.terminal.colours);
            writeln!(io.out, "{line}")?;
        }
        Ok(())
    })
}

/// Writes a head line and the tree.
pub(crate) fn print(trace: &Trace, io: &mut Io<'_>) -> Outcome {
    let colours = io.terminal.colours;
    let spans: Vec<Span> = trace.iter().collect();
    let (start, end) = trace.bounds().unwrap_or_default();
    let errors = trace.errors() as u64;
    let mut notes = String::new();
    if errors > 0 {
        notes += &format!(", {}", plural(errors, "error"));
    }
    if trace.duplicates > 0 {
        notes += &format!(", {} left out", plural(trace.duplicates as u64, "duplicate"));
    }
    if trace.tree.skewed() > 0 {
        notes += &format!(", {} before their parent", plural(trace.tree.skewed() as u64, "start"));
    }
    writeln!(
        io.out,
        "trace {}  {}, {}, {}{notes}, began {}",
        trace.id,
        plural(spans.len() as u64, "span"),
        plural(trace.services().len() as u64, "service"),
        duration(i64::try_from(end.saturating_sub(start)).unwrap_or(i64::MAX)),
        time(start.cast_signed())
    )?;
    let nodes = &trace.tree.nodes;
    let labels = labels(nodes, &spans);
    let longest = labels.iter().map(|label| columns(&label.text())).max().unwrap_or_default();
    // Elsewhere than at a terminal nothing is cut, and lines are as wide as they have to be.
    let shape = Shape::of(trace);
    let slowest = shape.slowest();
    let behind = |at: usize| {
        let error = match error(&spans[nodes[at].row]) {
            Some(message) if !message.is_empty() => format!("  error: {}", one_line(&message)),
            Some(_) => "  error".to_owned(),
            None => String::new(),
        };
        (if slowest == Some(at) { "  ◀ slowest" } else { "" }, error)
    };
    let (width, bars) = match io.terminal.width {
        Some(width) => {
            // Most of what stands behind the bars has its place as well.
            let behind = (0..nodes.len()).map(|at| columns(behind(at).0) + columns(&behind(at).1)).max();
            let left = width.saturating_sub(TOOK + 4 + behind.unwrap_or_default().min(width / 3));
            let label = longest.min(left.saturating_sub(NARROWEST_BAR).max(20)).min(left * 2 / 3).max(12);
            (label, left.saturating_sub(label).clamp(NARROWEST_BAR, WIDEST_BAR))
        }
        None => (longest.min(80), USUAL_BAR),
    };
    let length = end.saturating_sub(start).max(1) as f64;
    for (at, (node, label)) in nodes.iter().zip(labels).enumerate() {
        let span = &spans[node.row];
        let (mark, error) = behind(at);
        let share = |time: u64| time.saturating_sub(start) as f64 / length;
        let (from, to) = shape.times[at];
        let look = if span.is_error() { Look::Red } else { Look::of_service(&span.service) };
        let bar = look.paint(&grid::span(share(from), share(to), bars), colours);
        let took = duration(span.duration);
        let label = label.paint(io.terminal.width.map_or(usize::MAX, |_| width), width, colours);
        // What does not fit behind its bar stands below it.
        let line = width + 2 + bars + 2 + took.len().max(8) + columns(mark) + columns(&error);
        let below = io.terminal.width.is_some_and(|columns| line > columns) && !error.is_empty();
        let behind = if below { "" } else { &error };
        writeln!(
            io.out,
            "{label}  {bar}  {took:>8}{}{}",
            Look::Yellow.paint(mark, colours),
            Look::Red.paint(behind, colours)
        )?;
        if below {
            writeln!(
                io.out,
                "{}",
                Look::Red.paint(&format!("{}{}", " ".repeat(node.depth.min(20) * 3), error), colours)
            )?;
        }
    }
    Ok(())
}

/// Columns of a duration.
const TOOK: usize = 8;
/// Columns of the bars: where nobody says how wide the terminal is, at least, at most.
const USUAL_BAR: usize = 32;
const NARROWEST_BAR: usize = 10;
const WIDEST_BAR: usize = 80;

/// Branch, service and name of a span.
struct Label {
    before: String,
    service: String,
    name: String,
}

impl Label {
    fn text(&self) -> String {
        format!("{}{}  {}", self.before, self.service, self.name)
    }

    /// Cut to `most` columns and filled up to `width`, the service in its colour.
    fn paint(&self, most: usize, width: usize, colours: bool) -> String {
        let text = cut(&self.text(), most);
        let fill = " ".repeat(width.saturating_sub(columns(&text)));
        let service = self.before.len()..self.before.len() + self.service.len();
        match text.get(service.clone()).filter(|shown| *shown == self.service) {
            Some(shown) => {
                let look = Look::of_service(&self.service);
                format!(
                    "{}{}{}{fill}",
                    Look::Dim.paint(&self.before, colours),
                    look.paint(shown, colours),
                    &text[service.end..]
                )
            }
            None => format!("{text}{fill}"),
        }
    }
}

/// The message of an error, empty if it has none; `None` if all went well.
fn error(span: &Span) -> Option<String> {
    if !span.is_error() {
        return None;
    }
    let exception = || {
        let event = span.events.iter().find(|event| event.name == "exception")?;
        let value = |key: &str| event.attributes.text(key).unwrap_or_default().to_owned();
        match (value("exception.type"), value("exception.message")) {
            (kind, message) if message.is_empty() => Some(kind),
            (kind, message) if kind.is_empty() => Some(message),
            (kind, message) => Some(format!("{kind}: {message}")),
        }
    };
    Some(span.status_message.clone().or_else(exception).unwrap_or_default())
}

/// The branch, the service and the name of each node.
fn labels(nodes: &[Node], spans: &[Span]) -> Vec<Label> {
    let mut last_child = vec![None; nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        if let Some(parent) = node.parent {
            last_child[parent] = Some(at);
        }
    }
    // What stands before the children of each node.
    let mut before: Vec<String> = Vec::with_capacity(nodes.len());
    let mut labels = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.iter().enumerate() {
        let span = &spans[node.row];
        let service = if span.service.is_empty() { "-" } else { &span.service };
        let (prefix, branch, below) = match node.parent {
            None => ("", "", String::new()),
            Some(parent) if last_child[parent] == Some(at) => {
                (before[parent].as_str(), "└─ ", format!("{}   ", before[parent]))
            }
            Some(parent) => (before[parent].as_str(), "├─ ", format!("{}│  ", before[parent])),
        };
        let note = match &span.parent_span_id {
            Some(parent) if node.orphan => format!("  (its parent {parent} is not recorded)"),
            Some(_) if node.cyclic => "  (its parents lead back to it)".to_owned(),
            _ => String::new(),
        };
        labels.push(Label {
            before: format!("{prefix}{branch}"),
            service: one_line(service).into_owned(),
            name: format!("{}{note}", one_line(&span.name)),
        });
        before.push(below);
    }
    labels
}
