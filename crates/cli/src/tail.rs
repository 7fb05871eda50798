//! `tail`: the newest records, and those that come.

mod pretty;

use std::time::Duration;

use arrow_array::RecordBatch;
use otlp_arrow::Signal;
use otlp_arrow_query::record::{DataPoint, LogRecord, Span};
use otlp_arrow_store::position::{Position, Positions};
use otlp_arrow_store::{Entry, Follow, Log, ReadOptions, Wanted};

use crate::args::TailArgs;
use crate::config;
use crate::io::{Failure, Io, Outcome};
use crate::record::{Record, columns};
use crate::rows::Rows;
use crate::signals::StopRequests;
use crate::source::{there, wanted};
use pretty::Pretty;

pub(crate) fn run(args: &TailArgs, io: &mut Io<'_>) -> Outcome {
    if !args.follow {
        return run_while(args, io, |_| false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    // A host program may have a handler of its own in place, so the signal is taken rather than left to its default.
    let mut requests = {
        let _inside = runtime.enter();
        StopRequests::new().map_err(Failure::failed)?
    };
    run_while(args, io, |pause| runtime.block_on(async { tokio::time::timeout(pause, requests.next()).await.is_err() }))
}

/// [`run`] that follows as long as `again` says so, which is asked before each look and told how long to wait for it.
pub(crate) fn run_while(args: &TailArgs, io: &mut Io<'_>, mut again: impl FnMut(Duration) -> bool) -> Outcome {
    let log = Log::read_only(config::directory(&args.source)?);
    let tail = Tail { log, service: args.service.as_deref(), json: args.json };
    let mut shown = match (args.json, io.terminal.shows_output) {
        (true, _) => Shown::Json,
        (false, true) => Shown::Pretty(Pretty::new(args.signal.is_none())),
        (false, false) => Shown::Lines(args.signal.is_none()),
    };
    let signals: Vec<Signal> = args.signal.map_or(Signal::ALL.to_vec(), |name| vec![name.into()]);
    let (mut newest, mut follows) = (Vec::new(), Vec::new());
    for signal in signals {
        let (mut lines, follow) = tail.newest(signal, args.lines, io)?;
        newest.append(&mut lines);
        follows.push((signal, follow));
    }
    shown.print(newest, io)?;
    if !args.follow {
        return Ok(());
    }
    while again(follows.iter_mut().map(|(_, follow)| follow.pause()).min().unwrap_or_default()) {
        let mut more = Vec::new();
        for (signal, follow) in &mut follows {
            tail.more(*signal, follow, io, &mut more)?;
        }
        shown.print(more, io)?;
    }
    Ok(())
}

/// A record to be shown, and when it happened.
struct Line {
    time: u64,
    record: Record,
    /// All of it in JSON, where that is shown.
    json: String,
}

/// How records are shown.
enum Shown {
    /// To a person at a terminal.
    Pretty(Pretty),
    /// A line each; whether lines say their signal.
    Lines(bool),
    /// A JSON object each.
    Json,
}

struct Tail<'a> {
    log: Log,
    service: Option<&'a str>,
    json: bool,
}

impl Tail<'_> {
    /// The newest `lines` records, from the newest files, and what follows everything that is there.
    fn newest(&self, signal: Signal, lines: usize, io: &mut Io<'_>) -> Outcome<(Vec<Line>, Follow)> {
        let mut files = self.log.entries(signal)?;
        files.sort_by_key(|file| std::cmp::Reverse(file.stem.created_ms));
        let (mut found, mut positions) = (Vec::new(), Positions::new());
        for file in files {
            // Older files cannot have newer commits, except while they are live.
            let position = if found.len() >= lines && !file.form.grows() {
                Position::behind(&file.stem)
            } else {
                let position = self.read(signal, &file, io, &mut found)?;
                found.sort_by_key(|line| line.time);
                found.drain(..found.len().saturating_sub(lines));
                position
            };
            let known = positions.entry(file.stem.writer).or_insert_with(|| position.clone());
            if known.key() < position.key() {
                *known = position;
            }
        }
        let follow = self.log.follow(signal, positions, self.wanted(signal)?);
        Ok((found, follow))
    }

    /// All of a file, and the position behind it. One that is broken is told of.
    fn read(&self, signal: Signal, file: &Entry, io: &mut Io<'_>, out: &mut Vec<Line>) -> Outcome<Position> {
        let behind = Position::behind(&file.stem);
        match self.rows(signal, file, out) {
            Ok(Some(row)) if file.form.grows() => Ok(Position { stem: file.stem.clone(), row }),
            Ok(_) => Ok(behind),
            Err(Failure::Failed(text)) => {
                io.note(format_args!("otlp-arrow: {text}"));
                Ok(behind)
            }
            Err(other) => Err(other),
        }
    }

    /// How many rows the file has; nothing if retention deleted it.
    fn rows(&self, signal: Signal, file: &Entry, out: &mut Vec<Line>) -> Outcome<Option<u64>> {
        let rows = self.log.open(file, 0, &self.wanted(signal)?);
        let Some(mut rows) = there(rows)? else { return Ok(None) };
        while let Some(batch) = there(rows.next_batch())?.flatten() {
            self.lines(signal, &batch, out);
        }
        Ok(Some(rows.next_row()))
    }

    /// What was committed since the last look.
    fn more(&self, signal: Signal, follow: &mut Follow, io: &mut Io<'_>, out: &mut Vec<Line>) -> Outcome {
        loop {
            match follow.next_batch() {
                Ok(Some((batch, _))) => self.lines(signal, &batch, out),
                Ok(None) => return Ok(()),
                Err(error) => match error.into() {
                    Failure::Failed(text) if follow.skip() => io.note(format_args!("otlp-arrow: {text}")),
                    other => return Err(other),
                },
            }
        }
    }

    /// What is read: what a line shows, or everything.
    fn wanted(&self, signal: Signal) -> Outcome<Wanted> {
        match self.json {
            true => Ok(Wanted::new(signal, &ReadOptions::default())?),
            false => wanted(signal, columns(signal)),
        }
    }

    fn lines(&self, signal: Signal, batch: &RecordBatch, out: &mut Vec<Line>) {
        let rows = Rows(batch);
        for row in 0..rows.len() {
            if self.service.is_some_and(|service| rows.text("service_name", row) != Some(service)) {
                continue;
            }
            let record = Record::of(signal, &rows, row);
            let json = if self.json { json(signal, batch, row) } else { String::new() };
            out.push(Line { time: record.time.unwrap_or_default(), record, json });
        }
    }
}

/// The record as one JSON object on one line, as `--json` of the commands that ask has it, with its signal.
fn json(signal: Signal, batch: &RecordBatch, row: usize) -> String {
    let value = match signal {
        Signal::Traces => serde_json::to_string(&Span::read(batch, row)),
        Signal::Metrics => serde_json::to_string(&DataPoint::read(batch, row)),
        Signal::Logs => serde_json::to_string(&LogRecord::read(batch, row)),
    };
    let value = value.unwrap_or_else(|_| "{}".to_owned());
    let rest = value.strip_prefix('{').filter(|rest| *rest != "}").map(|rest| format!(",{rest}"));
    let whole = format!("{{\"signal\":\"{signal}\"{}", rest.unwrap_or_else(|| "}".to_owned()));
    crate::text::json(&whole).into_owned()
}

impl Shown {
    fn print(&mut self, mut lines: Vec<Line>, io: &mut Io<'_>) -> Outcome {
        lines.sort_by_key(|line| line.time);
        match self {
            Shown::Pretty(pretty) => {
                let records: Vec<Record> = lines.into_iter().map(|line| line.record).collect();
                pretty.write(&records, io)?;
            }
            Shown::Lines(labels) => {
                for Line { record, .. } in &lines {
                    let label = if *labels { format!("{:7}  ", record.signal.as_str()) } else { String::new() };
                    writeln!(io.out, "{label}{}", record.line())?;
                }
            }
            Shown::Json => {
                for line in &lines {
                    writeln!(io.out, "{}", line.json)?;
                }
            }
        }
        io.out.flush()?;
        Ok(())
    }
}
