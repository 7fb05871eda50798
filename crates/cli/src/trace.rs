//! `trace`: one trace as an indented tree.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use otlp_arrow::ReadOptions;
use otlp_arrow::Signal;
use otlp_arrow_store::Log;

use crate::args::TraceArgs;
use crate::config;
use crate::io::{Failure, Io, Outcome};
use crate::rows::Rows;
use crate::text::{duration, hex, list, one_line, path, plural, time};

const COLUMNS: [&str; 10] = [
    "trace_id",
    "span_id",
    "parent_span_id",
    "service_name",
    "name",
    "start_time",
    "duration",
    "status_code",
    "status_message",
    "events",
];

pub(crate) fn run(args: &TraceArgs, io: &mut Io<'_>) -> Outcome {
    let id = args.id.to_ascii_lowercase();
    if id.is_empty() || id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::Usage(format!(
            "otlp-arrow: {:?} is not a trace id: write up to 32 hexadecimal digits, such as those `otlp-arrow tail traces` shows",
            args.id
        )));
    }
    let directory = config::directory(&args.source)?;
    let found = spans(&directory, |trace| trace.starts_with(&id), io)?;
    let mut ids = found.keys();
    match (ids.next(), ids.next()) {
        (Some(only), None) => print(only, &found[only], io),
        (None, _) => Err(Failure::Failed(format!("no span of trace {id} is in {}", path(&directory)))),
        (Some(_), Some(_)) => {
            let ids: Vec<&str> = found.keys().take(10).map(String::as_str).collect();
            let more = if found.len() > ids.len() { " and more" } else { "" };
            Err(Failure::Failed(format!("{} traces begin with {id}: {}{more}", found.len(), list(&ids))))
        }
    }
}

/// One span, with what the tree shows.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) service: String,
    pub(crate) name: String,
    pub(crate) start: i64,
    pub(crate) duration: i64,
    /// The message of an error, empty if there is none; `None` if all went well.
    pub(crate) error: Option<String>,
}

/// The spans of every trace of the directory whose id is wanted.
pub(crate) fn spans(
    directory: &Path,
    wanted: impl Fn(&str) -> bool,
    io: &mut Io<'_>,
) -> Outcome<BTreeMap<String, Vec<Span>>> {
    let columns = Some(COLUMNS.iter().map(|column| (*column).to_owned()).collect());
    let mut found: BTreeMap<String, Vec<Span>> = BTreeMap::new();
    let options = ReadOptions { columns, ..ReadOptions::default() };
    for batch in Log::read_only(directory).read(Signal::Traces, &options)? {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                io.note(format_args!("otlp-arrow: {error}"));
                continue;
            }
        };
        let rows = Rows(&batch);
        for row in 0..rows.len() {
            let Some(trace) = rows.id("trace_id", row).map(hex).filter(|trace| wanted(trace)) else { continue };
            let text = |column: &str| rows.text(column, row).unwrap_or_default();
            let exception = || {
                let event = rows.events(row).into_iter().find(|event| event.name == "exception")?;
                let value = |key: &str| {
                    event.attributes.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.clone())
                };
                let kind = value("exception.type").unwrap_or_default();
                match (kind, value("exception.message").unwrap_or_default()) {
                    (kind, message) if message.is_empty() => Some(kind),
                    (kind, message) if kind.is_empty() => Some(message),
                    (kind, message) => Some(format!("{kind}: {message}")),
                }
            };
            let error = (text("status_code") == "error").then(|| match text("status_message") {
                "" => exception().unwrap_or_default(),
                message => message.to_owned(),
            });
            found.entry(trace).or_default().push(Span {
                id: rows.id("span_id", row).map(hex).unwrap_or_default(),
                parent: rows.id("parent_span_id", row).map(hex),
                service: text("service_name").to_owned(),
                name: text("name").to_owned(),
                start: rows.time("start_time", row).unwrap_or_default(),
                duration: rows.i64("duration", row).unwrap_or_default(),
                error,
            });
        }
    }
    Ok(found)
}

/// Writes a head line and the tree.
pub(crate) fn print(trace: &str, spans: &[Span], io: &mut Io<'_>) -> Outcome {
    let tree = Tree::new(spans);
    let start = spans.iter().map(|span| span.start.cast_unsigned()).min().unwrap_or_default();
    let end = spans
        .iter()
        .map(|span| span.start.cast_unsigned().saturating_add(u64::try_from(span.duration).unwrap_or_default()))
        .max()
        .unwrap_or_default();
    let services: HashSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    let errors = spans.iter().filter(|span| span.error.is_some()).count() as u64;
    let total = i64::try_from(end - start).unwrap_or(i64::MAX);
    writeln!(
        io.out,
        "trace {trace}  {}, {}, {}{}, began {}",
        plural(spans.len() as u64, "span"),
        plural(services.len() as u64, "service"),
        duration(total),
        if errors > 0 { format!(", {}", plural(errors, "error")) } else { String::new() },
        time(start.cast_signed())
    )?;
    let lines = tree.lines();
    let width = lines.iter().map(|line| line.label.chars().count()).max().unwrap_or_default().min(80);
    for line in lines {
        let span = &spans[line.span];
        let took = duration(span.duration);
        let error = match &span.error {
            Some(message) if !message.is_empty() => format!("  error: {}", one_line(message)),
            Some(_) => "  error".to_owned(),
            None => String::new(),
        };
        let slowest = if tree.slowest == Some(line.span) { "  ◀ slowest" } else { "" };
        writeln!(io.out, "{:width$}  {took:>8}{slowest}{error}", line.label)?;
    }
    Ok(())
}

/// Spans by parent. A span whose parent was not recorded stands at the top.
struct Tree<'a> {
    spans: &'a [Span],
    roots: Vec<usize>,
    children: HashMap<&'a str, Vec<usize>>,
    /// The span that spent most time on its own, not in a child; none in a trace of one span.
    slowest: Option<usize>,
}

struct TreeLine {
    label: String,
    span: usize,
}

impl<'a> Tree<'a> {
    fn new(spans: &'a [Span]) -> Self {
        let known: HashSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|at| (spans[*at].start.cast_unsigned(), std::cmp::Reverse(spans[*at].duration)));
        let mut roots = Vec::new();
        let mut children: HashMap<&str, Vec<usize>> = HashMap::new();
        for at in order {
            match spans[at].parent.as_deref().filter(|parent| known.contains(parent) && *parent != spans[at].id) {
                Some(parent) => children.entry(parent).or_default().push(at),
                None => roots.push(at),
            }
        }
        let own = |at: usize| {
            let below = children.get(spans[at].id.as_str()).into_iter().flatten();
            spans[at].duration - covered(spans, below.copied())
        };
        let slowest = (0..spans.len()).filter(|_| spans.len() > 1).max_by_key(|at| own(*at));
        Self { spans, roots, children, slowest }
    }

    fn lines(&self) -> Vec<TreeLine> {
        let mut lines = Vec::with_capacity(self.spans.len());
        let mut seen = HashSet::new();
        for root in &self.roots {
            self.walk(*root, &mut lines, &mut seen);
        }
        // Spans that are each other's parents hang from nothing.
        for at in 0..self.spans.len() {
            if !seen.contains(&at) {
                self.walk(at, &mut lines, &mut seen);
            }
        }
        lines
    }

    /// Depth first, with a stack of its own: a trace may be deeper than ours.
    fn walk(&self, root: usize, lines: &mut Vec<TreeLine>, seen: &mut HashSet<usize>) {
        let mut stack = vec![(root, String::new(), "")];
        while let Some((at, prefix, branch)) = stack.pop() {
            if !seen.insert(at) {
                continue;
            }
            let span = &self.spans[at];
            let service = if span.service.is_empty() { "-" } else { &span.service };
            let orphan = match &span.parent {
                Some(parent) if branch.is_empty() => format!("  (its parent {parent} is not recorded)"),
                _ => String::new(),
            };
            let label = format!("{prefix}{branch}{}  {}{orphan}", one_line(service), one_line(&span.name));
            lines.push(TreeLine { label, span: at });
            let below = match branch {
                "" => prefix,
                "└─ " => format!("{prefix}   "),
                _ => format!("{prefix}│  "),
            };
            let children = self.children.get(span.id.as_str()).map(Vec::as_slice).unwrap_or_default();
            for (position, child) in children.iter().enumerate().rev() {
                let last = position + 1 == children.len();
                stack.push((*child, below.clone(), if last { "└─ " } else { "├─ " }));
            }
        }
    }
}

/// The time that at least one of these spans was running.
fn covered(spans: &[Span], of: impl Iterator<Item = usize>) -> i64 {
    // Already ordered by start.
    let (mut total, mut until) = (0, i64::MIN);
    for span in of.map(|at| &spans[at]) {
        let end = span.start.saturating_add(span.duration.max(0));
        total += (end - span.start.max(until).min(end)).max(0);
        until = until.max(end);
    }
    total
}
