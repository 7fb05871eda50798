//! Records as a person at a terminal reads them: aligned, services in colours that stay, what repeats on one line.

use otlp_arrow::Signal;

use crate::ask::grid::{Look, columns, cut, fitted};
use crate::io::{Io, Outcome};
use crate::record::{self, Record};
use crate::text::{duration, one_line, time};

/// The widest that the column of services grows.
const WIDEST: usize = 20;
/// Narrower than this there is less of everything but what is said.
const NARROW: usize = 60;
/// The narrowest that anything is made for.
const NARROWEST: usize = 40;

/// What a line is made of, and how it looks so far.
#[derive(Debug, Default)]
pub(super) struct Pretty {
    /// The day of the last line.
    day: String,
    /// Columns of the longest service until now.
    service: usize,
    /// Whether lines say their signal.
    labels: bool,
}

/// Records that say the same, one after the other.
struct Folded<'a> {
    last: &'a Record,
    count: usize,
    /// Durations of spans.
    took: Option<(i64, i64)>,
}

impl Pretty {
    pub(super) fn new(labels: bool) -> Self {
        Self { labels, ..Self::default() }
    }

    /// Writes records that are in the order of time.
    pub(super) fn write(&mut self, records: &[Record], io: &mut Io<'_>) -> Outcome {
        for record in records {
            self.service = self.service.max(columns(&one_line(&record.service))).min(WIDEST);
        }
        for folded in fold(records) {
            let when = time(folded.last.time.unwrap_or_default().cast_signed());
            let (day, clock) = (&when[..10], &when[11..23]);
            if self.day != day {
                self.day = day.to_owned();
                writeln!(io.out, "{}", Look::Dim.paint(&format!("── {day} ──"), io.terminal.colours))?;
            }
            let line = self.line(&folded, clock, io.terminal.width.unwrap_or(100).max(NARROWEST), io.terminal.colours);
            writeln!(io.out, "{line}")?;
        }
        Ok(())
    }

    fn line(&self, folded: &Folded<'_>, clock: &str, width: usize, colours: bool) -> String {
        let record = folded.last;
        // A narrow terminal keeps what is said.
        let narrow = width < NARROW;
        let clock = if narrow { &clock[..8] } else { clock };
        let mut parts: Vec<(String, Look)> = vec![(clock.to_owned(), Look::Dim)];
        if self.labels {
            let letter = match record.signal {
                Signal::Traces => "span  ",
                Signal::Metrics => "metric",
                Signal::Logs => "log   ",
            };
            parts.push((letter.to_owned(), Look::Dim));
        }
        let service = if narrow { self.service.min(8) } else { self.service };
        parts.push((fitted(&one_line(&record.service), service), Look::of_service(&record.service)));
        if record.signal == Signal::Logs {
            let look = match record.severity {
                17.. => Look::Red,
                13..=16 => Look::Yellow,
                9..=12 => Look::Plain,
                _ => Look::Dim,
            };
            let level = if narrow { record.level.chars().take(1).collect() } else { fitted(&record.level, 5) };
            parts.push((level, look));
        }
        let taken: usize = parts.iter().map(|(text, _)| columns(text) + 2).sum();
        let mut left = width.saturating_sub(taken);
        let mut out: String = parts.iter().map(|(text, look)| format!("{}  ", look.paint(text, colours))).collect();
        // What follows, the most important first; each as far as there is room.
        let count = if folded.count > 1 { format!("×{}  ", folded.count) } else { String::new() };
        let took = match (record.signal, folded.took) {
            (Signal::Traces, Some((least, most))) if folded.count > 1 && least != most => {
                format!("  {}–{}", duration(least), duration(most))
            }
            (Signal::Traces, Some((_, most))) => format!("  {}", duration(most)),
            _ => String::new(),
        };
        let error = record.error.as_deref().map(|error| format!("  {}", one_line(error))).unwrap_or_default();
        let kept = columns(&count) + columns(&took) + columns(&error).min(left / 2);
        let said = cut(&one_line(&record.said), left.saturating_sub(kept).max(8).min(left));
        let look = if record.signal == Signal::Logs && record.severity >= 17 { Look::Red } else { Look::Plain };
        for (text, look) in [(count, Look::Bold), (said, look), (took, Look::Dim), (error, Look::Red)] {
            let text = cut(&text, left);
            left -= columns(&text);
            out.push_str(&look.paint(&text, colours));
        }
        // Attributes are cut, the trace is there as a whole or not at all.
        let trace = record.trace.as_deref().map(|id| format!("  {}", &id[..id.len().min(8)])).unwrap_or_default();
        let trace = if columns(&trace) <= left { trace } else { String::new() };
        let attributes = cut(&record::attributes(record.attributes.clone()), left - columns(&trace));
        for text in [if columns(&attributes) > 3 { attributes } else { String::new() }, trace] {
            out.push_str(&Look::Dim.paint(&text, colours));
        }
        out.trim_end().to_owned()
    }
}

/// What says the same one after the other is one: the last of them, and how many.
fn fold(records: &[Record]) -> Vec<Folded<'_>> {
    let mut folded: Vec<Folded<'_>> = Vec::new();
    for record in records {
        let took = record.took.map(|took| (took, took));
        match folded.last_mut().filter(|known| known.last.is_like(record)) {
            Some(known) => {
                let both = known.took.zip(took);
                known.took = both.map(|((a, b), (c, d))| (a.min(c), b.max(d)));
                (known.last, known.count) = (record, known.count + 1);
            }
            None => folded.push(Folded { last: record, count: 1, took }),
        }
    }
    folded
}
