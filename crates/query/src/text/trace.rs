//! One trace in as few lines as tell it: like siblings and what is short are one line, what failed or decides how long all of it
//! takes is always there, and what does not fit is counted and named.

mod fold;
mod notes;

use std::collections::HashSet;
use std::fmt::Write as _;

use otlp_arrow_columns::schema::{common, traces};

use super::shape::Shape;
use super::units::{ago, clock, duration, moment, plural};
use super::words::{name, pair, quoted};
use crate::filter::Nanos;
use crate::questions::{Node, Trace};
use crate::record::{Cells, LogRecord, Span};
use fold::{Entry, Kind, entries};

/// Writes how to ask again, with these words instead of those that were given; an empty one is left out.
pub type Again<'a> = dyn Fn(&[(&str, String)]) -> String + 'a;

/// Which part of a trace is told, and in how many characters.
pub struct TraceText<'a> {
    /// The node that is shown as the root.
    pub focus: Option<usize>,
    /// So many levels.
    pub depth: Option<usize>,
    /// Ids of the spans that are wanted: they and those above them.
    pub matching: Option<&'a HashSet<Vec<u8>>>,
    /// Every span on a line of its own, with its attributes.
    pub full: bool,
    /// The most characters.
    pub max_chars: usize,
    /// How to ask again.
    pub again: &'a Again<'a>,
    /// How to ask for the log records, if there is a way.
    pub logs: Option<String>,
    /// What times are relative to.
    pub now: Nanos,
}

impl std::fmt::Debug for TraceText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceText").field("focus", &self.focus).field("depth", &self.depth).finish_non_exhaustive()
    }
}

/// Names are cut behind so many characters.
const NAME: usize = 80;
/// Messages, and values of attributes.
const VALUE: usize = 160;
/// Levels behind this one stand where it stands.
const DEEPEST: usize = 24;
/// What is kept free for what is left out, beside the call that brings it.
const END: usize = 60;
/// The longest call that is written out.
const LONGEST_CALL: usize = 600;
/// The most that an answer may be asked to be cut to.
const MOST: usize = 20_000;

/// The trace as text.
pub fn trace(trace: &Trace, how: &TraceText<'_>) -> String {
    let view = View::of(trace, how);
    let mut out = view.head();
    let end =
        chars(&(how.again)(&[("focus", "0".repeat(16)), ("max_chars", MOST.to_string())])).min(LONGEST_CALL) + END;
    let mut left = how.max_chars.saturating_sub(chars(&out) + end);
    // However little room there is, half of it is for the tree.
    let mut for_notes = left / 2;
    let mut notes = notes::findings(&view);
    notes.extend(notes::logs(&view));
    notes.retain(|note| {
        let takes = chars(note) + 1;
        let fits = takes <= for_notes;
        for_notes = for_notes.saturating_sub(takes);
        fits
    });
    left = left.saturating_sub(notes.iter().map(|note| chars(note) + 1).sum());
    let entries = entries(&view);
    let shown = view.choose(&entries, left);
    let hidden = view.write(&entries, &shown, &mut out);
    for note in notes {
        out.push_str(&note);
        out.push('\n');
    }
    if let Some(rest) = view.rest(&entries, &shown, hidden) {
        out.push_str(&rest);
        out.push('\n');
    }
    out
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// A trace while it is written.
struct View<'a> {
    trace: &'a Trace,
    how: &'a TraceText<'a>,
    nodes: &'a [Node],
    shape: Shape,
    /// The nodes that are looked at.
    range: std::ops::Range<usize>,
    /// When the trace begins.
    start: Nanos,
    /// How long what is looked at takes.
    length: u64,
    ids: Ids,
    errors: Vec<bool>,
}

impl<'a> View<'a> {
    fn of(trace: &'a Trace, how: &'a TraceText<'a>) -> Self {
        let nodes = &trace.tree.nodes[..];
        let range = match how.focus {
            None => 0..nodes.len(),
            Some(from) => {
                let below = nodes[from + 1..].iter().take_while(|node| node.depth > nodes[from].depth).count();
                from..from + 1 + below
            }
        };
        let shape = Shape::of(trace);
        let times = &shape.times[range.clone()];
        let (first, last) = (times.iter().map(|time| time.0).min(), times.iter().map(|time| time.1).max());
        let cells = Cells(&trace.spans);
        let errors = nodes.iter().map(|node| cells.text(traces::STATUS_CODE, node.row) == Some("error")).collect();
        Self {
            trace,
            how,
            nodes,
            range,
            start: trace.bounds().map_or(0, |(start, _)| start),
            length: last.unwrap_or_default().saturating_sub(first.unwrap_or_default()),
            shape,
            ids: Ids::of(trace),
            errors,
        }
    }

    fn name(&self, at: usize) -> &'a str {
        Cells(&self.trace.spans).text(traces::NAME, self.nodes[at].row).unwrap_or_default()
    }

    fn service(&self, at: usize) -> &'a str {
        let column = common::first(traces::COUNT) + common::SERVICE_NAME;
        Cells(&self.trace.spans).text(column, self.nodes[at].row).unwrap_or_default()
    }

    fn span(&self, at: usize) -> Span {
        Span::read(&self.trace.spans, self.nodes[at].row)
    }

    fn took(&self, at: usize) -> u64 {
        let (start, end) = self.shape.times[at];
        end - start
    }

    /// Of the parent of `at`, where that is looked at.
    fn parent(&self, at: usize) -> Option<usize> {
        self.nodes[at].parent.filter(|parent| self.range.contains(parent))
    }

    fn level(&self, at: usize) -> usize {
        self.nodes[at].depth - self.nodes[self.range.start].depth
    }

    fn head(&self) -> String {
        let trace = self.trace;
        let (start, end) = trace.bounds().unwrap_or_default();
        let took = duration(i64::try_from(end.saturating_sub(start)).unwrap_or(i64::MAX));
        let mut out = format!(
            "trace {}  {took}  {}  {}  {}  {} ({})\n",
            trace.id,
            plural(trace.spans.num_rows() as u64, "span"),
            plural(trace.services().len() as u64, "service"),
            plural(trace.errors() as u64, "error"),
            moment(start),
            ago(start, self.how.now),
        );
        if self.how.focus.is_some() {
            let below = plural(self.range.len() as u64 - 1, "span");
            let _ = writeln!(out, "only span {} and {below} below it", self.ids.short(self.range.start));
        }
        out
    }

    /// Which entries are written: what failed and the critical path first, then what takes longest, each with all above it.
    fn choose(&self, entries: &[Entry], mut left: usize) -> Vec<bool> {
        let mut order: Vec<usize> = (0..entries.len()).collect();
        let rank = |entry: &Entry| (entry.weight(self), std::cmp::Reverse(entry.members[0]));
        order.sort_by_key(|at| std::cmp::Reverse(rank(&entries[*at])));
        let mut shown = vec![false; entries.len()];
        let mut misses = 0;
        for at in order {
            let (mut cost, mut above, mut chain) = (0, Some(at), Vec::new());
            while let Some(next) = above.filter(|next| !shown[*next] && cost <= left) {
                cost += chars(&self.line(entries, &entries[next])) + HIDDEN;
                chain.push(next);
                above = entries[next].parent;
            }
            if cost <= left {
                left -= cost;
                chain.into_iter().for_each(|at| shown[at] = true);
            } else {
                misses += 1;
                if left < SHORTEST || misses > MISSES {
                    break;
                }
            }
        }
        shown
    }

    /// Writes the entries, and tells how many spans are not in them.
    fn write(&self, entries: &[Entry], shown: &[bool], out: &mut String) -> usize {
        let mut hidden = 0;
        for (at, entry) in entries.iter().enumerate().filter(|(at, _)| shown[*at]) {
            out.push_str(&self.line(entries, entry));
            let below = self.hidden_below(entries, shown, at);
            if below > 0 {
                hidden += below;
                let _ = write!(out, " (+{below} below)");
            }
            out.push('\n');
        }
        let roots = entries.iter().zip(shown).filter(|(entry, shown)| entry.parent.is_none() && !**shown);
        hidden + roots.map(|(entry, _)| entry.spans).sum::<usize>()
    }

    /// Spans below an entry that is written which no entry below it tells.
    fn hidden_below(&self, entries: &[Entry], shown: &[bool], at: usize) -> usize {
        let entry = &entries[at];
        if !matches!(entry.kind, Kind::One) {
            return 0;
        }
        let told: usize = entry.children.iter().filter(|child| shown[**child]).map(|child| entries[*child].spans).sum();
        (entry.spans - 1).saturating_sub(told)
    }

    /// One line without its end.
    fn line(&self, entries: &[Entry], entry: &Entry) -> String {
        let first = entry.members[0];
        let level = self.level(first);
        let indent = "  ".repeat(level.min(DEEPEST));
        let above = entry.parent.map(|parent| self.service(entries[parent].members[0]));
        let service = match self.service(first) {
            service if above == Some(service) && entry.kind != Kind::Short => String::new(),
            _ if entry.kind == Kind::Short => String::new(),
            "" => "  -".to_owned(),
            service => format!("  {}", name(service, NAME)),
        };
        let mark = if entry.members.iter().any(|at| self.shape.critical[*at]) { "*" } else { " " };
        match entry.kind {
            Kind::One => {
                let took = duration(self.took(first).cast_signed());
                let at = self.offset(first);
                let deep = if level > DEEPEST { format!("level {level}: ") } else { String::new() };
                let mut line = format!(
                    "{took:>7}{mark}{indent}{deep}{}{service}{at} {}{}",
                    name(self.name(first), NAME),
                    self.ids.short(first),
                    self.error(first)
                );
                if self.how.full {
                    self.attributes(first, &indent, &mut line);
                }
                line
            }
            Kind::Alike => {
                let (least, most) = entry.bounds(self);
                let range = match duration(least) == duration(most) {
                    true => duration(most),
                    false => format!("{}–{}", duration(least), duration(most)),
                };
                let (count, sum) = (entry.members.len(), duration(entry.sum(self)));
                let below = match entry.spans - count {
                    0 => String::new(),
                    below => format!(" (+{below} below)"),
                };
                format!("{sum:>7}{mark}{indent}×{count} {}{service}  {range} each{below}", name(self.name(first), NAME))
            }
            Kind::Short => {
                let mut names: Vec<&str> = entry.members.iter().map(|at| self.name(*at)).collect();
                names.sort_unstable();
                names.dedup();
                let some: Vec<String> = names.iter().take(3).map(|text| name(text, 40)).collect();
                let more = if names.len() > 3 { ", …" } else { "" };
                let (count, sum) = (entry.members.len(), duration(entry.sum(self)));
                let (_, most) = entry.bounds(self);
                format!("{sum:>7} {indent}{count} short, up to {}: {}{more}", duration(most), some.join(", "))
            }
        }
    }

    /// When it starts, where that is not with the span above it.
    fn offset(&self, at: usize) -> String {
        let start = self.shape.times[at].0;
        let above = self.parent(at).map_or(self.start, |parent| self.shape.times[parent].0);
        match start.abs_diff(above).saturating_mul(100) > self.length && start > above {
            true => format!(" @{}", duration(start.saturating_sub(self.start).cast_signed())),
            false => String::new(),
        }
    }

    fn error(&self, at: usize) -> String {
        if !self.errors[at] {
            return String::new();
        }
        match message(&self.span(at)) {
            Some(message) => format!(" ERROR {}", quoted(&message, VALUE)),
            None => " ERROR".to_owned(),
        }
    }

    fn attributes(&self, at: usize, indent: &str, line: &mut String) {
        let span = self.span(at);
        let pairs: Vec<String> = span.attributes.0.iter().map(|(key, value)| pair(key, value, VALUE)).collect();
        if !pairs.is_empty() {
            let _ = write!(line, "\n        {indent}  {}", pairs.join(" "));
        }
    }

    /// What is left out, and how to ask for it.
    fn rest(&self, entries: &[Entry], shown: &[bool], hidden: usize) -> Option<String> {
        if hidden == 0 {
            return None;
        }
        let cut = shown.iter().filter(|shown| !**shown).count();
        let again = |words: &[(&str, String)]| (self.how.again)(words);
        let below = |at: usize| self.hidden_below(entries, shown, at);
        let most = (0..entries.len()).filter(|at| shown[*at]).max_by_key(|at| (below(*at), std::cmp::Reverse(*at)));
        let deeper = most.map(|at| entries[at].members[0]).filter(|at| *at != self.range.start);
        let next = match deeper {
            // A smaller part of the trace.
            Some(at) if below(most.unwrap_or_default()) > 0 => {
                let mut words = vec![("focus", self.ids.short(at))];
                words.extend(self.how.depth.map(|_| ("depth", String::new())));
                again(&words)
            }
            _ if cut == 0 && self.how.depth.is_some() => again(&[("depth", String::new())]),
            _ if cut == 0 && self.how.matching.is_some() => again(&[("filter", String::new())]),
            _ if self.how.max_chars < MOST => again(&[("max_chars", MOST.to_string())]),
            _ => {
                // What was left out took no longer than the longest of it; of those that took as long it starts later.
                let out = || entries.iter().zip(shown).filter(|(_, shown)| !**shown).map(|(entry, _)| entry);
                let longest = out().map(|entry| entry.bounds(self).1).max().unwrap_or_default();
                let shorter = again(&[("filter", format!("max_duration={longest}ns"))]);
                let from = out().filter(|entry| entry.bounds(self).1 == longest).map(|entry| entry.members[0]).min();
                let from = from.map_or(self.start, |at| self.shape.times[at].0);
                match shorter == again(&[]) || self.how.matching.is_some() {
                    true => again(&[("filter", format!("max_duration={longest}ns from={from}"))]),
                    false => shorter,
                }
            }
        };
        let next = match chars(&next) {
            0..=LONGEST_CALL => next,
            _ => "ask for a part of it: focus on a span, or filter by name".to_owned(),
        };
        Some(format!("Left out: {}. Next: {next}", plural(hidden as u64, "span")))
    }
}

/// ` (+100000 below)`, and the end of the line.
const HIDDEN: usize = 18;
/// So many lines that found no room are enough to know that there is none.
const MISSES: usize = 500;
/// No line is shorter.
const SHORTEST: usize = 20;

/// What a span that failed says of it.
pub(super) fn message(span: &Span) -> Option<String> {
    let exception = || {
        let event = span.events.iter().find(|event| event.name == "exception")?;
        let value = |key: &str| event.attributes.text(key).unwrap_or_default().to_owned();
        match (value("exception.type"), value("exception.message")) {
            (kind, message) if message.is_empty() => Some(kind),
            (kind, message) if kind.is_empty() => Some(message),
            (kind, message) => Some(format!("{kind}: {message}")),
        }
    };
    span.status_message.clone().or_else(exception).filter(|message| !message.is_empty())
}

/// Ids of the nodes as numbers, and how many digits of each tell it from all others, four at least.
struct Ids(Vec<(u64, u32)>);

impl Ids {
    fn of(trace: &Trace) -> Self {
        let cells = Cells(&trace.spans);
        let id = |node: &Node| cells.id(traces::SPAN_ID, node.row).and_then(|id| <[u8; 8]>::try_from(id).ok());
        let mut ids: Vec<(u64, u32)> =
            trace.tree.nodes.iter().map(|node| (id(node).map_or(0, u64::from_be_bytes), 4)).collect();
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_unstable_by_key(|at| ids[*at].0);
        for pair in order.windows(2) {
            let common = (ids[pair[0]].0 ^ ids[pair[1]].0).leading_zeros() / 4;
            pair.iter().for_each(|at| ids[*at].1 = ids[*at].1.max((common + 1).min(16)));
        }
        Self(ids)
    }

    fn short(&self, at: usize) -> String {
        let (id, digits) = self.0[at];
        format!("{id:016x}")[..digits as usize].to_owned()
    }
}

/// One log record in a line.
pub(super) fn log_line(log: &LogRecord) -> String {
    let level = log.severity_text.clone().unwrap_or_else(|| log.severity_number.to_string());
    let service = if log.service.is_empty() { "-" } else { &log.service };
    let body = log.body.as_deref().or(log.event_name.as_deref()).unwrap_or_default();
    format!("{} {} {} {}", clock(log.when()), name(&level, 20), name(service, NAME), quoted(body, VALUE))
}
