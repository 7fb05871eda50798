//! OTLP/JSON as programs and people leave it: a request a line, pretty-printed, joined, in an array, with lines of others
//! between, torn. What is whole is handed on; what is not is told of, with its lines.

use std::fmt;

use otlp_arrow::{PerSignal, Signal};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::stream::Stream;
use crate::convert::piece::{Item, MAX, Take, Taken};
use crate::io::{Failure, Outcome};
use crate::text::{one_line, plural};

/// Long enough for a `{`, some white space and the first name of a request.
const LEAD: usize = 64;

/// Hands on every request of `stream`.
pub(super) fn read(stream: &mut Stream, name: &str, take: &mut Take<'_>) -> Outcome {
    let mut documents = Documents { stream, name, line: 1, arrays: 0, foreign: None };
    while documents.next(take)? {}
    documents.end(take)
}

/// Whether the text that begins here, without white space before it, can be that of a request, or of several.
pub(super) fn begins(text: &[u8]) -> bool {
    match text.first() {
        Some(b'{') => !matches!(scan(text), Scan::Wrong(_)),
        Some(b'[') => opens_array(text),
        _ => false,
    }
}

/// Whether an array of requests begins here, and not a line of a log such as `[info] …`.
fn opens_array(text: &[u8]) -> bool {
    let inner = text[1..].iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(inner, None | Some(b'{' | b'[' | b']'))
}

struct Documents<'a> {
    stream: &'a mut Stream,
    name: &'a str,
    line: u64,
    /// Arrays of requests that are open.
    arrays: usize,
    /// Lines that are not a request, one after the other.
    foreign: Option<Foreign>,
}

struct Foreign {
    first: u64,
    last: u64,
    /// What is wrong with the first.
    problem: String,
}

/// What the text of an object is.
enum Scan {
    Whole(usize, Names),
    /// It may go on.
    Short,
    Wrong(String),
}

/// What an object says by the names of its members.
#[derive(Default)]
struct Names {
    signals: PerSignal<bool>,
    any: bool,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Names::default();
                while let Some(name) = map.next_key::<String>()? {
                    map.next_value::<IgnoredAny>()?;
                    names.any = true;
                    let signal =
                        Signal::ALL.into_iter().find(|signal| otlp_arrow_columns::json::is_request(*signal, &name));
                    if let Some(signal) = signal {
                        names.signals[signal] = true;
                    }
                }
                Ok(names)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn scan(text: &[u8]) -> Scan {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Names>();
    match values.next() {
        Some(Ok(names)) => Scan::Whole(values.byte_offset(), names),
        None => Scan::Short,
        Some(Err(error)) if error.is_eof() => Scan::Short,
        Some(Err(error)) => {
            // Its own place counts from the beginning of the object.
            let problem = error.to_string();
            Scan::Wrong(problem.split(" at line ").next().unwrap_or_default().to_owned())
        }
    }
}

impl Documents<'_> {
    fn peek(&mut self, wanted: usize) -> Outcome<&[u8]> {
        let name = self.name;
        self.stream.peek(wanted).map_err(|error| Failure::Failed(format!("cannot read {name}: {error}")))
    }

    /// Takes text, and counts its lines.
    fn advance(&mut self, bytes: usize) {
        self.line += self.stream.there()[..bytes].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.stream.advance(bytes);
    }

    /// Goes on to the next document, or to what is none; false at the end.
    fn next(&mut self, take: &mut Take<'_>) -> Outcome<bool> {
        let there = self.peek(1)?;
        let blank = there.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x1e)).count();
        if blank > 0 {
            self.advance(blank);
            return Ok(true);
        }
        let within = self.arrays > 0;
        let text = self.peek(LEAD)?;
        match text {
            [] => return Ok(false),
            // Some editors and shells begin a file with a byte order mark, and files are put together.
            [0xef, 0xbb, 0xbf, ..] => self.advance(3),
            [b'{', ..] => self.document(take)?,
            [b'[', ..] if opens_array(text) => {
                self.arrays += 1;
                self.advance(1);
            }
            [b']', ..] if within => {
                self.arrays -= 1;
                self.advance(1);
            }
            [b',', ..] if within => self.advance(1),
            _ => self.foreign("this is not JSON", false)?,
        }
        Ok(true)
    }

    fn document(&mut self, take: &mut Take<'_>) -> Outcome {
        let mut wanted = 1;
        let (len, names) = loop {
            let text = self.peek(wanted)?;
            let long = text.len();
            match scan(text) {
                Scan::Whole(len, names) => break (len, names),
                Scan::Short if long > MAX => return self.foreign("a JSON object of more than 2 GiB", true),
                Scan::Short if !self.stream.ends() => wanted = long * 2,
                Scan::Short => return self.foreign("cut off: the JSON object has no end", true),
                Scan::Wrong(problem) => return self.foreign(&problem, false),
            }
        };
        let first = self.line;
        if names.signals == PerSignal::default() {
            self.advance(len);
            if names.any {
                self.add(first, "no export request of OTLP: none of resourceSpans, resourceMetrics and resourceLogs");
            }
            return Ok(());
        }
        self.tell(take)?;
        let place = format!("{}:{first}", self.name);
        let line = &self.stream.there()[..len];
        let taken = take(Item::Json { line, signals: names.signals, place: &place })?;
        self.advance(len);
        if let Taken::Foreign(problem) = taken {
            take(Item::LeftOut { place: &place, what: &problem })?;
        }
        Ok(())
    }

    /// Goes on behind what is not a request: at the next line that begins an object, or where a request begins within a line.
    /// Within a cut off object (`cut`) others begin so that belong to it, and only a request is something new.
    fn foreign(&mut self, problem: &str, cut: bool) -> Outcome {
        let (first, mut from) = (self.line, 1);
        loop {
            let text = self.peek(from + LEAD)?;
            let long = text.len();
            if let Some(at) = next_begin(text, from, cut) {
                self.advance(at);
                break;
            }
            // A beginning may be cut by the end of what is there.
            let done = if self.stream.ends() { long } else { long.saturating_sub(LEAD) };
            self.advance(done);
            from = 0;
            if self.stream.ends() {
                break;
            }
        }
        // Behind its line break the next line has begun.
        self.add(first, problem);
        Ok(())
    }

    /// Lines from `first` up to here are not a request.
    fn add(&mut self, first: u64, problem: &str) {
        let last =
            if self.line > first && self.stream.there().first() != Some(&b'\n') { self.line - 1 } else { self.line };
        match &mut self.foreign {
            Some(foreign) => foreign.last = last,
            None => self.foreign = Some(Foreign { first, last, problem: problem.to_owned() }),
        }
    }

    /// Tells of the lines that were no request.
    fn tell(&mut self, take: &mut Take<'_>) -> Outcome {
        if let Some(Foreign { first, last, problem }) = self.foreign.take() {
            let place = format!("{}:{first}", self.name);
            let what = format!("{}: {}", plural(last - first + 1, "line"), one_line(&problem));
            take(Item::LeftOut { place: &place, what: &what })?;
        }
        Ok(())
    }

    fn end(&mut self, take: &mut Take<'_>) -> Outcome {
        self.tell(take)?;
        if self.arrays > 0 {
            let place = format!("{}:{}", self.name, self.line);
            take(Item::LeftOut { place: &place, what: "cut off: the array of requests has no end" })?;
        }
        Ok(())
    }
}

/// Where something begins that may be a request, at `from` or behind it.
fn next_begin(text: &[u8], from: usize, cut: bool) -> Option<usize> {
    (from..text.len()).find(|&at| match text[at] {
        b'{' => {
            let first_of_line = at > 0 && text[at - 1] == b'\n';
            (first_of_line && !cut) || names_request(&text[at + 1..])
        }
        b'[' => !cut && at > 0 && text[at - 1] == b'\n' && opens_array(&text[at..]),
        _ => false,
    })
}

/// Whether the first name of an object is that of a request.
fn names_request(text: &[u8]) -> bool {
    let Some(name) = text.trim_ascii_start().strip_prefix(b"\"") else { return false };
    let Some(end) = name.iter().take(LEAD).position(|byte| *byte == b'"') else { return false };
    let Ok(name) = std::str::from_utf8(&name[..end]) else { return false };
    Signal::ALL.into_iter().any(|signal| otlp_arrow_columns::json::is_request(signal, name))
}
