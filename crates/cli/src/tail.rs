//! `tail`: the newest records, and those that come.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use otlp_arrow::Signal;
use otlp_arrow::store::directory::{DataFile, data_files};
use otlp_arrow::store::names::{Form, Stem};
use otlp_arrow::store::storage_os::OsStorage;

use crate::args::TailArgs;
use crate::config;
use crate::io::{Failure, Io, Outcome};
use crate::record::{columns, line};
use crate::rows::Rows;
use crate::signals::StopRequests;
use crate::source::{open, time_columns, wanted};

/// How often files are looked at for more.
const POLL: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &TailArgs, io: &mut Io<'_>) -> Outcome {
    if !args.follow {
        return run_while(args, io, || false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    // A host program may have a handler of its own in place, so the signal is taken rather than left to its default.
    let mut requests = {
        let _inside = runtime.enter();
        StopRequests::new().map_err(Failure::failed)?
    };
    run_while(args, io, || runtime.block_on(async { tokio::time::timeout(POLL, requests.next()).await.is_err() }))
}

/// [`run`] that follows as long as `again` says so.
pub(crate) fn run_while(args: &TailArgs, io: &mut Io<'_>, mut again: impl FnMut() -> bool) -> Outcome {
    let mut tail = Tail {
        directory: config::directory(&args.source)?,
        service: args.service.as_deref(),
        labels: args.signal.is_none(),
        positions: HashMap::new(),
    };
    let signals: Vec<Signal> = args.signal.map_or(Signal::ALL.to_vec(), |name| vec![name.into()]);
    let mut newest = Vec::new();
    for signal in &signals {
        newest.append(&mut tail.newest(*signal, args.lines, io)?);
    }
    print(newest, io)?;
    while args.follow && again() {
        let mut more = Vec::new();
        for signal in &signals {
            tail.more(*signal, io, &mut more)?;
        }
        print(more, io)?;
    }
    Ok(())
}

/// A record to be shown, and when it happened.
struct Line {
    time: u64,
    text: String,
}

struct Tail<'a> {
    directory: PathBuf,
    service: Option<&'a str>,
    /// Whether lines say their signal.
    labels: bool,
    positions: HashMap<(Signal, Stem), Position>,
}

/// How far a file has been shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    next_row: u64,
    len: u64,
    sealed: bool,
}

impl Tail<'_> {
    /// The newest `lines` records, from the newest files; everything there is counts as shown.
    fn newest(&mut self, signal: Signal, lines: usize, io: &mut Io<'_>) -> Outcome<Vec<Line>> {
        let mut files = data_files(&OsStorage, &self.directory, signal)?;
        files.sort_by_key(|file| std::cmp::Reverse(file.stem.created_ms));
        let mut found = Vec::new();
        for file in files {
            // Older files cannot have newer commits, except while they are live.
            if found.len() >= lines && file.form == Form::Sealed {
                self.mark(signal, &file, u64::MAX);
                continue;
            }
            let mut of_file = Vec::new();
            self.read(signal, &file, 0, io, &mut of_file)?;
            found.append(&mut of_file);
            found.sort_by_key(|line| line.time);
            found.drain(..found.len().saturating_sub(lines));
        }
        Ok(found)
    }

    /// What was committed since the last look.
    fn more(&mut self, signal: Signal, io: &mut Io<'_>, out: &mut Vec<Line>) -> Outcome {
        let files = data_files(&OsStorage, &self.directory, signal)?;
        for file in &files {
            let known = self.positions.get(&(signal, file.stem.clone())).copied();
            let seen = known.is_some_and(|known| known.sealed || (known.len == file.len && file.form == Form::Live));
            if !seen {
                self.read(signal, file, known.map_or(0, |known| known.next_row), io, out)?;
            }
        }
        self.positions.retain(|(of, stem), _| *of != signal || files.iter().any(|file| file.stem == *stem));
        Ok(())
    }

    /// Reads a file from a row on. One that retention just deleted has nothing more; one that is broken is told of.
    fn read(&mut self, signal: Signal, file: &DataFile, from: u64, io: &mut Io<'_>, out: &mut Vec<Line>) -> Outcome {
        match self.lines(signal, &file.path, from, out) {
            Ok(Some(next_row)) => self.mark(signal, file, next_row),
            Ok(None) => {}
            Err(Failure::Failed(text)) => {
                io.note(format_args!("otlp-arrow: {text}"));
                self.mark(signal, file, u64::MAX);
            }
            Err(other) => return Err(other),
        }
        Ok(())
    }

    fn lines(&self, signal: Signal, path: &Path, from: u64, out: &mut Vec<Line>) -> Outcome<Option<u64>> {
        let Some(mut batches) = open(path, &wanted(signal, columns(signal))?, from)? else { return Ok(None) };
        while let Some(batch) = batches.next_batch()? {
            let rows = Rows(&batch);
            for row in 0..rows.len() {
                if self.service.is_some_and(|service| rows.text("service_name", row) != Some(service)) {
                    continue;
                }
                let time = time_columns(signal).iter().find_map(|column| rows.time(column, row));
                let label = if self.labels { format!("{:7}  ", signal.as_str()) } else { String::new() };
                let text = format!("{label}{}", line(signal, &rows, row));
                out.push(Line { time: time.unwrap_or_default().cast_unsigned(), text });
            }
        }
        Ok(Some(batches.next_row()))
    }

    fn mark(&mut self, signal: Signal, file: &DataFile, next_row: u64) {
        let position = Position { next_row, len: file.len, sealed: file.form == Form::Sealed };
        self.positions.insert((signal, file.stem.clone()), position);
    }
}

fn print(mut lines: Vec<Line>, io: &mut Io<'_>) -> Outcome {
    lines.sort_by_key(|line| line.time);
    for line in &lines {
        writeln!(io.out, "{}", line.text)?;
    }
    io.out.flush()?;
    Ok(())
}
