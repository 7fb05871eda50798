//! Reads files piece by piece: a line, a few MiB of a protobuf request, a batch.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use otlp_arrow::ReadOptions;
use otlp_arrow::Signal;
use otlp_arrow_store::Wanted;
use otlp_arrow_wire::read::Cursor;
use otlp_arrow_wire::write;
use serde::de::IgnoredAny;

use super::Item;
use crate::io::{Failure, Outcome};
use crate::source::{self, extension};

/// A protobuf file is cut between its resource groups into requests of about this size.
const CHUNK: usize = 4 << 20;
/// Tag of field 1 with a length: the only field of the three export requests.
const GROUP: u64 = 0x0a;

/// Hands every piece of `path` to `take`.
pub(super) fn read(path: &Path, take: &mut dyn FnMut(Item<'_>) -> Outcome<u64>) -> Outcome {
    match extension(path) {
        Some("pb") if !path.is_dir() => protobuf(path, take),
        Some("jsonl" | "ndjson") if !path.is_dir() => lines(path, take),
        _ if path.is_dir() || source::is_arrow(path) => arrow(path, take),
        _ if !path.exists() => Err(Failure::Failed(format!("there is no {}", path.display()))),
        _ => Err(Failure::Usage(format!(
            "otlp-arrow: cannot tell the form of {}: use .pb, .jsonl, .arrow, .arrows or a directory",
            path.display()
        ))),
    }
}

fn open(path: &Path) -> Outcome<BufReader<File>> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, error))?;
    Ok(BufReader::with_capacity(256 << 10, file))
}

fn arrow(path: &Path, take: &mut dyn FnMut(Item<'_>) -> Outcome<u64>) -> Outcome {
    // Half of a directory may not be taken for all of it.
    let others = |failure| match failure {
        Failure::Failed(text) if path.is_dir() => {
            Failure::Failed(format!("{text}; move that file out of {} to convert the others", path.display()))
        }
        other => other,
    };
    for file in source::data_files(path)? {
        if take(Item::File { signal: file.signal })? == 0 {
            continue;
        }
        let options = ReadOptions { dictionaries: true, ..ReadOptions::default() };
        // One that retention deletes while the directory is converted is not there any more.
        let wanted = Wanted::new(file.signal, &options)?;
        let Some(mut batches) = source::open(&file.path, &wanted, 0).map_err(others)? else { continue };
        while let Some(batch) = batches.next_batch().map_err(|error| others(error.into()))? {
            take(Item::Rows { batch: &batch, signal: file.signal })?;
        }
    }
    Ok(())
}

fn lines(path: &Path, take: &mut dyn FnMut(Item<'_>) -> Outcome<u64>) -> Outcome {
    let mut file = open(path)?;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if file.read_until(b'\n', &mut line).map_err(|error| Failure::file("read", path, error))? == 0 {
            break;
        }
        // Some editors and shells begin a file with a byte order mark.
        let text = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line) } else { &line };
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let place = format!("{}:{number}", path.display());
        let fields: BTreeMap<String, IgnoredAny> = serde_json::from_slice(text)
            .map_err(|error| Failure::Failed(format!("{place}: not an OTLP/JSON request: {error}")))?;
        let signal =
            Signal::ALL.into_iter().find(|signal| names(*signal).iter().any(|name| fields.contains_key(*name)));
        if signal.is_some() || !fields.is_empty() {
            take(Item::Json { line: text, signal, place: &place })?;
        }
    }
    Ok(())
}

fn names(signal: Signal) -> [&'static str; 2] {
    match signal {
        Signal::Traces => ["resourceSpans", "resource_spans"],
        Signal::Metrics => ["resourceMetrics", "resource_metrics"],
        Signal::Logs => ["resourceLogs", "resource_logs"],
    }
}

/// Cuts one request between its groups: a part of the groups is a request as well.
fn protobuf(path: &Path, take: &mut dyn FnMut(Item<'_>) -> Outcome<u64>) -> Outcome {
    let mut file = open(path)?;
    let place = path.display().to_string();
    let failed = |error| Failure::file("read", path, error);
    let malformed =
        |at: u64| Failure::Failed(format!("{place}: not an OTLP export request: cut off or wrong at byte {at}"));
    let signal = signal_of(path);
    let (mut chunk, mut at, mut before) = (Vec::new(), 0, 0);
    loop {
        let start = at;
        let Some(tag) = varint(&mut file, &mut at).map_err(failed)? else {
            if at == start {
                break;
            }
            return Err(malformed(start));
        };
        if tag != GROUP {
            // A field that a later OTLP may have: left out, as every reader does.
            let len = match tag & 7 {
                0 => varint(&mut file, &mut at).map_err(failed)?.map(|_| 0),
                1 => Some(8),
                2 => varint(&mut file, &mut at).map_err(failed)?,
                5 => Some(4),
                _ => None,
            };
            let len = len.filter(|_| tag >> 3 != 0).ok_or_else(|| malformed(start))?;
            let skipped = std::io::copy(&mut file.by_ref().take(len), &mut std::io::sink()).map_err(failed)?;
            if skipped < len {
                return Err(malformed(start));
            }
            at += len;
            continue;
        }
        let len = varint(&mut file, &mut at).map_err(failed)?.ok_or_else(|| malformed(start))?;
        write::varint(&mut chunk, GROUP);
        write::varint(&mut chunk, len);
        let read = file.by_ref().take(len).read_to_end(&mut chunk).map_err(failed)?;
        if (read as u64) < len {
            return Err(malformed(start));
        }
        at += len;
        if chunk.len() >= CHUNK {
            before += take(Item::Request { bytes: &chunk, signal, place: &place, before })?;
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        take(Item::Request { bytes: &chunk, signal, place: &place, before })?;
    }
    Ok(())
}

/// The signal that a path names: `traces.pb`, `logs/1.pb`.
fn signal_of(path: &Path) -> Option<Signal> {
    let named = |text: &str| {
        let lower = text.to_ascii_lowercase();
        Signal::ALL.into_iter().find(|signal| {
            let word = signal.as_str();
            lower
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|part| part == word || part == &word[..word.len() - 1])
        })
    };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(named);
    stem.or_else(|| path.parent()?.file_name()?.to_str().and_then(named))
}

/// The next varint; `None` at the end, also in the middle of one.
fn varint(file: &mut impl Read, at: &mut u64) -> std::io::Result<Option<u64>> {
    let mut bytes = [0; 10];
    for end in 0..bytes.len() {
        if file.read(&mut bytes[end..=end])? == 0 {
            return Ok(None);
        }
        *at += 1;
        if let Ok(value) = Cursor::new(&bytes[..=end]).varint() {
            return Ok(Some(value));
        }
    }
    Ok(Some(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_name_the_signal() {
        for (path, signal) in [
            ("traces.pb", Some(Signal::Traces)),
            ("a-trace.1.pb", Some(Signal::Traces)),
            ("logs/1.pb", Some(Signal::Logs)),
            ("Metrics_old.pb", Some(Signal::Metrics)),
            ("catalogs.pb", None),
        ] {
            assert_eq!(signal_of(Path::new(path)), signal, "{path}");
        }
    }

    #[test]
    fn varints_are_read_as_they_were_put() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX >> 1] {
            let mut bytes = Vec::new();
            write::varint(&mut bytes, value);
            let mut at = 0;
            assert_eq!(varint(&mut bytes.as_slice(), &mut at).ok().flatten(), Some(value));
            assert_eq!(at, bytes.len() as u64);
        }
        assert_eq!(varint(&mut [0x80u8].as_slice(), &mut 0).ok().flatten(), None);
    }
}
