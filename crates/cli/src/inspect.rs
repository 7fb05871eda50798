//! `inspect`: what files and directories hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use otlp_arrow::PerSignal;
use otlp_arrow_store::file::{META_SCHEMA, is_newer};
use serde_json::{Value, json};

use crate::args::InspectArgs;
use crate::io::{Failure, Io, Outcome};
use crate::rows::Rows;
use crate::source::{Source, data_files_of, log, open, there, time_columns, wanted};
use crate::text::{bytes, json as json_text, one_line, path as shown, plural, thousands, time};

pub(crate) fn run(args: &InspectArgs, io: &mut Io<'_>) -> Outcome {
    let mut report = Report::default();
    for path in &args.paths {
        let mut broken = |path: PathBuf, problem: String| report.unreadable.push((path, problem));
        let sources = data_files_of(path, &mut broken)?;
        sources.into_iter().for_each(|source| report.add(source));
        report.aside("quarantine", &path.join("quarantine"));
        report.aside("rejected", &path.join("rejected"));
    }
    if args.json {
        let text = serde_json::to_string_pretty(&report.json()).map_err(Failure::failed)?;
        writeln!(io.out, "{}", json_text(&text))?;
    } else {
        report.print(io)?;
    }
    match report.unreadable.len() {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{} could not be read", plural(n as u64, "file")))),
    }
}

/// What one signal has.
#[derive(Default)]
struct Summary {
    records: u64,
    sealed: u64,
    live: u64,
    bytes: u64,
    /// Bytes of live files after their last whole commit.
    unfinished: u64,
    first: Option<i64>,
    last: Option<i64>,
    /// Records by service; the empty name for those without.
    services: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Report {
    signals: PerSignal<Summary>,
    /// Files set aside: where, how many, bytes.
    aside: Vec<(&'static str, PathBuf, u64, u64)>,
    unreadable: Vec<(PathBuf, String)>,
    /// Files of a storage schema this version does not know.
    newer: Vec<PathBuf>,
}

impl Report {
    fn add(&mut self, source: Source) {
        let outcome = match self.signals[source.signal].add(&source) {
            Ok(Known::Yes) => return,
            Ok(Known::Newer) => return self.newer.push(source.path),
            Err(Failure::Failed(text) | Failure::Usage(text) | Failure::Partly(text)) => text,
            Err(Failure::Pipe) => return,
        };
        self.unreadable.push((source.path, outcome));
    }

    fn aside(&mut self, what: &'static str, dir: &Path) {
        let mut files = 0;
        let mut total = 0;
        let mut dirs = vec![dir.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                    Ok(metadata) => {
                        files += 1;
                        total += metadata.len();
                    }
                    Err(_) => {}
                }
            }
        }
        if files > 0 {
            self.aside.push((what, dir.to_owned(), files, total));
        }
    }

    fn print(&self, io: &mut Io<'_>) -> Outcome {
        for (signal, summary) in self.signals.iter() {
            if summary.sealed + summary.live == 0 {
                writeln!(io.out, "{signal}: none")?;
                continue;
            }
            let files = match (summary.sealed, summary.live) {
                (sealed, 0) => plural(sealed, "sealed file"),
                (0, live) => plural(live, "live file"),
                (sealed, live) => format!("{} and {}", plural(sealed, "sealed file"), plural(live, "live file")),
            };
            let size = bytes(summary.bytes);
            writeln!(io.out, "{signal}: {} in {files}, {size}", plural(summary.records, "record"))?;
            if let (Some(first), Some(last)) = (summary.first, summary.last) {
                writeln!(io.out, "  from {} to {}", time(first), time(last))?;
            }
            for (service, records) in &summary.services {
                let name = if service.is_empty() { "(no service)" } else { service };
                writeln!(io.out, "  {}: {}", one_line(name), thousands(*records))?;
            }
            if summary.unfinished > 0 {
                writeln!(
                    io.out,
                    "  {} after the last whole commit: being written now, or left by a crash and dropped at the next start",
                    bytes(summary.unfinished)
                )?;
            }
        }
        for (what, dir, files, total) in &self.aside {
            let meaning = match *what {
                "quarantine" => "could not be read and was set aside",
                _ => "was refused for good by a forwarding destination",
            };
            writeln!(io.out, "{what}: {}, {} ({meaning}: {})", plural(*files, "file"), bytes(*total), shown(dir))?;
        }
        for path in &self.newer {
            writeln!(io.out, "newer: {} was written by a later version and is left alone", shown(path))?;
        }
        for (path, problem) in &self.unreadable {
            writeln!(io.out, "unreadable: {}: {}", shown(path), one_line(problem))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let signals: serde_json::Map<String, Value> =
            self.signals.iter().map(|(signal, summary)| (signal.as_str().to_owned(), summary.json())).collect();
        let aside: serde_json::Map<String, Value> = self
            .aside
            .iter()
            .map(|(what, dir, files, total)| {
                ((*what).to_owned(), json!({"directory": dir, "files": files, "bytes": total}))
            })
            .collect();
        let unreadable: Vec<Value> =
            self.unreadable.iter().map(|(path, problem)| json!({"path": path, "problem": problem})).collect();
        json!({"signals": signals, "set_aside": aside, "newer": self.newer, "unreadable": unreadable})
    }
}

/// Whether a file's storage schema is one we read.
enum Known {
    Yes,
    Newer,
}

impl Summary {
    fn add(&mut self, source: &Source) -> Outcome<Known> {
        let Some(info) = there(log().info(&source.path))? else { return Ok(Known::Yes) };
        let live = info.form.grows();
        let times = time_columns(source.signal);
        let columns: Vec<&str> = times.iter().copied().chain(["service_name"]).collect();
        let Some(mut batches) = open(&source.path, &wanted(source.signal, &columns)?, 0)? else {
            return Ok(Known::Yes);
        };
        if is_newer(batches.schema().metadata().get(META_SCHEMA).map(String::as_str)) {
            return Ok(Known::Newer);
        }
        while let Some(batch) = batches.next_batch()? {
            let rows = Rows(&batch);
            self.records += rows.len() as u64;
            for row in 0..rows.len() {
                let time = times.iter().find_map(|column| rows.time(column, row)).filter(|time| *time != 0);
                if let Some(time) = time.map(i64::cast_unsigned) {
                    let earliest = self.first.is_none_or(|first| time < first.cast_unsigned());
                    let latest = self.last.is_none_or(|last| time > last.cast_unsigned());
                    self.first = if earliest { Some(time.cast_signed()) } else { self.first };
                    self.last = if latest { Some(time.cast_signed()) } else { self.last };
                }
                let service = rows.text("service_name", row).unwrap_or_default();
                match self.services.get_mut(service) {
                    Some(count) => *count += 1,
                    None => drop(self.services.insert(service.to_owned(), 1)),
                }
            }
        }
        self.bytes += info.len;
        self.unfinished += if live { info.len - info.committed.bytes } else { 0 };
        *(if live { &mut self.live } else { &mut self.sealed }) += 1;
        Ok(Known::Yes)
    }

    fn json(&self) -> Value {
        json!({
            "records": self.records,
            "files": {"sealed": self.sealed, "live": self.live},
            "bytes": self.bytes,
            "unfinished_bytes": self.unfinished,
            "first_time": self.first.map(time),
            "last_time": self.last.map(time),
            "services": self.services,
        })
    }
}
