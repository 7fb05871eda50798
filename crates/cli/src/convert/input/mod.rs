//! Reads what programs and people leave, piece by piece: a JSON object, a few MiB of a protobuf request, a batch. In which
//! form a file is, its content says; its name only where that leaves a doubt.

mod json;
mod otap;
mod protobuf;
mod stream;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use otlp_arrow::ReadOptions;
use otlp_arrow::Signal;
use otlp_arrow_store::Wanted;

use super::piece::{Item, OTAP, Take, Taken};
use crate::io::{Failure, Outcome};
use crate::source::{self, extension, is_arrow};
use crate::text;
use protobuf::Framing;
use stream::Stream;

/// How much of a file is looked at to tell its form.
const LOOK: usize = 64 << 10;
/// How deep folders are looked into.
const DEPTH: usize = 16;

/// Hands every piece of `path` to `take`; of a directory, not of the file `output`.
pub(super) fn read(path: &Path, output: &Path, take: &mut Take<'_>) -> Outcome {
    if path == Path::new("-") {
        return file(path, "standard input", take);
    }
    if path.is_dir() {
        return directory(path, output, take);
    }
    if !path.exists() {
        return Err(Failure::Failed(format!("there is no {}", text::path(path))));
    }
    if is_arrow(path) {
        return arrow(path, take);
    }
    file(path, &text::path(path), take)
}

/// The data files of an output directory or a directory of Arrow files; and of any other directory every file that is not
/// hidden, the oldest first, as files are that a program has rotated.
fn directory(path: &Path, output: &Path, take: &mut Take<'_>) -> Outcome {
    arrow(path, take)?;
    if source::is_ours(path) {
        return Ok(());
    }
    let mut found = Vec::new();
    files(path, DEPTH, &mut found)?;
    found.sort();
    let output = output.canonicalize().ok();
    for (_, path) in found {
        if output.is_none() || path.canonicalize().ok() != output {
            file(&path, &text::path(&path), take)?;
        }
    }
    Ok(())
}

/// Files that are not Arrow, each with the time of its last change.
fn files(dir: &Path, depth: usize, found: &mut Vec<(SystemTime, PathBuf)>) -> Outcome {
    let failed = |error| Failure::file("list", dir, error);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if hidden || is_arrow(&path) {
            continue;
        }
        if metadata.is_dir() && depth > 0 {
            files(&path, depth - 1, found)?;
        } else if metadata.is_file() {
            found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), path));
        }
    }
    Ok(())
}

fn arrow(path: &Path, take: &mut Take<'_>) -> Outcome {
    // Half of a directory may not be taken for all of it.
    let others = |failure| match failure {
        Failure::Failed(problem) if path.is_dir() => {
            Failure::Failed(format!("{problem}; move that file out of {} to convert the others", text::path(path)))
        }
        other => other,
    };
    for file in source::data_files(path)? {
        if matches!(take(Item::File { signal: file.signal })?, Taken::Records(0)) {
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

/// A file that is not Arrow; `name` is for messages.
fn file(path: &Path, name: &str, take: &mut Take<'_>) -> Outcome {
    let mut stream = Stream::open(path)?;
    let start = stream.peek(LOOK).map_err(|error| Failure::file("read", path, error))?;
    match form(start, named(path)) {
        Ok(Form::Empty) => {}
        Ok(Form::Json) => json::read(&mut stream, name, take)?,
        Ok(Form::Otap) => otap::read(&mut stream, name, take)?,
        Ok(Form::Protobuf(framing)) => protobuf::read(&mut stream, framing, signal_of(path), name, take)?,
        Err(what) => drop(take(Item::LeftOut { place: name, what })?),
    }
    if let Some(problem) = stream.damage() {
        let what = format!("the compressed data is damaged or ends before its end: {}", text::one_line(&problem));
        take(Item::LeftOut { place: name, what: &what })?;
    }
    Ok(())
}

/// The form of a file that is not Arrow.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Empty,
    Json,
    Otap,
    Protobuf(Framing),
}

/// What the name of a file says of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Json,
    Protobuf,
    Other,
}

/// The form of a file that begins so; or what is wrong with it.
fn form(start: &[u8], named: Named) -> Result<Form, &'static str> {
    if start.is_empty() {
        return Ok(Form::Empty);
    }
    if start.starts_with(&OTAP) {
        return Ok(Form::Otap);
    }
    if start.starts_with(&OTAP[..7]) {
        return Err("a file of OTAP of a later form: convert it with a newer otlp-arrow");
    }
    if start.starts_with(b"ARROW1") {
        return Err("an Arrow file: give it as a file whose name ends in .arrow");
    }
    if is_utf16(start) {
        return Err("text in UTF-16 or UTF-32, and OTLP/JSON is UTF-8: convert it with `iconv -f UTF-16 -t UTF-8`");
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    if text.is_empty() {
        return Ok(Form::Empty);
    }
    if json::begins(text) {
        return Ok(Form::Json);
    }
    match (named, Framing::of(start)) {
        (Named::Json, Some(Framing::Length)) | (Named::Other, Some(_)) | (Named::Protobuf, Some(_)) => {
            Ok(Form::Protobuf(Framing::of(start).unwrap_or(Framing::Joined)))
        }
        (Named::Protobuf, None) => Ok(Form::Protobuf(Framing::Joined)),
        (Named::Json, framing) => match framing {
            // A line of text may look like a field; nobody names protobuf so without a length before it.
            Some(framing) if !is_text(start) => Ok(Form::Protobuf(framing)),
            _ => Ok(Form::Json),
        },
        (Named::Other, None) if is_text(start) => Ok(Form::Json),
        (Named::Other, None) => Err("neither OTLP/JSON nor OTLP protobuf nor Arrow"),
    }
}

fn is_text(start: &[u8]) -> bool {
    start.iter().take(4096).all(|byte| *byte >= b' ' || byte.is_ascii_whitespace())
}

/// Whether text begins so in which each character takes two or four bytes.
fn is_utf16(start: &[u8]) -> bool {
    let pair = |at: usize| start.get(at..at + 2);
    let ascii = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let low = (0..6).step_by(2).all(|at| pair(at).is_some_and(|pair| ascii(pair[0]) && pair[1] == 0));
    let high = (0..6).step_by(2).all(|at| pair(at).is_some_and(|pair| pair[0] == 0 && ascii(pair[1])));
    start.starts_with(b"\xff\xfe")
        || start.starts_with(b"\xfe\xff")
        || start.starts_with(b"\0\0\xfe\xff")
        || low
        || high
}

/// By the extension, without those of compression and rotation: `traces.json.1`, `traces-2026-11-30.jsonl.gz`.
fn named(path: &Path) -> Named {
    let mut path = path.to_owned();
    loop {
        let Some(last) = extension(&path).map(str::to_ascii_lowercase) else { return Named::Other };
        match &*last {
            "json" | "jsonl" | "ndjson" | "jsonlines" => return Named::Json,
            "pb" | "binpb" | "proto" | "protobuf" => return Named::Protobuf,
            "gz" | "zst" | "zstd" => {}
            rotated if rotated.starts_with(|c: char| c.is_ascii_digit()) => {}
            _ => return Named::Other,
        }
        path.set_extension("");
    }
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
            ("-", None),
        ] {
            assert_eq!(signal_of(Path::new(path)), signal, "{path}");
        }
    }

    #[test]
    fn a_path_may_name_the_form() {
        for (path, form) in [
            ("a.json", Named::Json),
            ("a.JSONL.gz", Named::Json),
            ("a.json.1", Named::Json),
            ("a.json-20261130.zst", Named::Other),
            ("a-2026-11-30T19-00-00.000.json", Named::Json),
            ("a.json.2026-11-30", Named::Json),
            ("a.pb.3.gz", Named::Protobuf),
            ("a.log", Named::Other),
            ("a", Named::Other),
            ("-", Named::Other),
        ] {
            assert_eq!(named(Path::new(path)), form, "{path}");
        }
    }

    #[test]
    fn the_content_says_the_form_and_the_name_only_where_there_is_a_doubt() {
        let json = b"\n{\"resourceLogs\":[]}";
        let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02\x0a\x00";
        for name in [Named::Json, Named::Protobuf, Named::Other] {
            assert_eq!(form(b"", name), Ok(Form::Empty));
            assert_eq!(form(b"\xef\xbb\xbf\r\n", name), Ok(Form::Empty));
            assert_eq!(form(json, name), Ok(Form::Json));
            assert_eq!(form(b" [ {", name), Ok(Form::Json));
            assert_eq!(form(request, name), Ok(Form::Protobuf(Framing::Joined)));
            for utf16 in [&b"\xff\xfe{\0"[..], b"\xfe\xff\0{", b"{\0\"\0r\0", b"\0{\0\"\0r", b"\xff\xfe\0\0{\0\0\0"] {
                assert!(form(utf16, name).is_err_and(|problem| problem.contains("UTF-16")), "{utf16:?}");
            }
        }
        for name in [Named::Json, Named::Protobuf, Named::Other] {
            assert_eq!(form(&OTAP, name), Ok(Form::Otap));
            assert!(form(b"\x89OTAP\r\n\x02", name).is_err_and(|problem| problem.contains("newer")));
        }
        assert_eq!(form(b"[info] started", Named::Other), Ok(Form::Json));
        assert_eq!(form(b"junk", Named::Protobuf), Ok(Form::Protobuf(Framing::Joined)));
        assert!(form(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Named::Other).is_err());
    }
}
