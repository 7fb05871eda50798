//! `trace`: one trace as an indented tree.

use otlp_arrow::Signal;
use otlp_arrow_query::Answer;
use otlp_arrow_query::filter::IdPrefix;
use otlp_arrow_query::questions::{Node, Trace, TraceQuestion};
use otlp_arrow_query::record::Span;

use super::asker::Asker;
use super::grid::Look;
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
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default().min(80);
    let slowest = slowest(nodes, &spans);
    for (at, (node, label)) in nodes.iter().zip(labels).enumerate() {
        let span = &spans[node.row];
        let error = match error(span) {
            Some(message) if !message.is_empty() => format!("  error: {}", one_line(&message)),
            Some(_) => "  error".to_owned(),
            None => String::new(),
        };
        let mark = if slowest == Some(at) { "  ◀ slowest" } else { "" };
        let (mark, error) = (Look::Yellow.paint(mark, colours), Look::Red.paint(&error, colours));
        writeln!(io.out, "{label:width$}  {:>8}{mark}{error}", duration(span.duration))?;
    }
    Ok(())
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
fn labels(nodes: &[Node], spans: &[Span]) -> Vec<String> {
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
        labels.push(format!("{prefix}{branch}{}  {}{note}", one_line(service), one_line(&span.name)));
        before.push(below);
    }
    labels
}

/// The span that spent most time on its own, not in a child; none in a trace of one span.
fn slowest(nodes: &[Node], spans: &[Span]) -> Option<usize> {
    let mut own: Vec<i64> = nodes.iter().map(|node| spans[node.row].duration).collect();
    // Children come in the order of their start, so what two of them share is counted once.
    let mut until = vec![0u64; nodes.len()];
    for node in nodes {
        let (Some(parent), span) = (node.parent, &spans[node.row]) else { continue };
        let end = span.start_time.saturating_add(span.duration.max(0).cast_unsigned());
        let from = span.start_time.max(until[parent]).min(end);
        own[parent] = own[parent].saturating_sub(i64::try_from(end - from).unwrap_or(i64::MAX));
        until[parent] = until[parent].max(end);
    }
    (0..nodes.len()).filter(|_| nodes.len() > 1).max_by_key(|at| own[*at])
}
