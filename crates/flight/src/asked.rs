//! What a descriptor, a ticket or a criterion asks for: a table, and words about which of its rows and columns.

use std::collections::BTreeMap;

use otlp_arrow::{Code, OtlpError, Result, Signal};
use otlp_arrow_query::filter::{Filter, Nanos, Parameters, words_of_json};
use otlp_arrow_query::{Columns, TailCursor};
use otlp_arrow_wire::flight::Descriptor;
use otlp_arrow_wire::read::Wire;
use serde_json::Value;

/// Words and values, as they were given.
type Words = Vec<(String, String)>;

/// Rows that somebody asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) signal: Signal,
    pub(crate) filter: Filter,
    pub(crate) columns: Columns,
    /// What comes, without an end, from there on; from now on if it does not say.
    pub(crate) follow: Option<Option<TailCursor>>,
    /// What it was read from, but for the signal.
    words: Words,
}

/// A message that is not one of Flight's.
pub(crate) fn read<T>(what: &str, message: Wire<T>) -> Result<T> {
    message.map_err(|stop| invalid(format!("this is not a {what} of Arrow Flight: {stop:?}")))
}

fn invalid(text: impl Into<String>) -> OtlpError {
    OtlpError::new(Code::InvalidData, text)
}

/// The table of this name.
fn signal(name: &str) -> Result<Signal> {
    let shown: String = name.chars().take(100).collect();
    name.parse().map_err(|_| invalid(format!("there is no table {shown:?}: there are traces, metrics and logs")))
}

impl Asked {
    /// What the words of `text` ask for: a JSON object, or the name of a table.
    pub(crate) fn of_ticket(text: &[u8], now: Nanos) -> Result<Self> {
        Self::of_words(words("the ticket", text)?, now)
    }

    /// The same of a descriptor: the path of a table, or a command that is what a ticket is.
    pub(crate) fn of_descriptor(message: &[u8], now: Nanos) -> Result<Self> {
        Self::of_words(words_of(message)?, now)
    }

    /// What a criterion asks for of `signal`; nothing where it is about other tables.
    pub(crate) fn of_criteria(text: &[u8], of: Signal, now: Nanos) -> Result<Option<Self>> {
        let mut words = words("the criterion", text)?;
        match words.iter().find(|(word, _)| word == "signal") {
            Some((_, name)) if signal(name)? != of => return Ok(None),
            Some(_) => {}
            None => words.push(("signal".to_owned(), of.to_string())),
        }
        Self::of_words(words, now).map(Some)
    }

    fn of_words(mut words: Words, now: Nanos) -> Result<Self> {
        let mut parameters = Parameters::new(words.iter().cloned());
        let flag = |text: &str| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("is neither true nor false".to_owned()),
        };
        let named = parameters.one("signal")?;
        let named = named.ok_or_else(|| invalid("signal is missing: name one of traces, metrics and logs"))?;
        let names = parameters.all("columns");
        let names: Vec<String> =
            names.iter().flat_map(|names| names.split(',')).map(|name| name.trim().into()).collect();
        let given = words.iter().any(|(word, _)| word == "columns");
        let dictionaries = parameters.read("dictionaries", flag)?.unwrap_or_default();
        let follow = parameters.read("follow", flag)?.unwrap_or_default();
        let cursor = parameters.read("cursor", str::parse::<TailCursor>)?;
        if cursor.is_some() && !follow {
            return Err(invalid("cursor says where to follow from: set follow to true, or leave it out"));
        }
        if words.iter().any(|(word, _)| word == "order") {
            return Err(invalid("order: rows come as they were committed: leave it out"));
        }
        let filter = Filter::read(&mut parameters, now)?;
        parameters.finish()?;
        let signal = signal(&named)?;
        // What this signal cannot have is told before anything is opened.
        filter.terms(signal)?;
        words.retain(|(word, _)| word != "signal");
        let columns = Columns { names: given.then_some(names), dictionaries };
        Ok(Self { signal, filter, columns, follow: follow.then_some(cursor), words })
    }

    /// A ticket that asks for the same.
    pub(crate) fn ticket(&self) -> Vec<u8> {
        let mut object: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (word, value) in &self.words {
            object.entry(word).or_default().push(value);
        }
        let one_or_all = |values: Vec<&str>| match values.as_slice() {
            [one] => Value::from(*one),
            all => Value::from(all.to_vec()),
        };
        let object = object.into_iter().map(|(word, values)| (word.to_owned(), one_or_all(values)));
        let object = object.chain([("signal".to_owned(), Value::from(self.signal.as_str()))]);
        Value::Object(object.collect()).to_string().into_bytes()
    }

    /// Whether all rows of the table are asked for.
    pub(crate) fn is_whole(&self) -> bool {
        self.filter == Filter::default() && self.follow.is_none()
    }
}

/// The table that rows are sent to. Without a descriptor it is the one that their columns are of.
pub(crate) fn target(message: &[u8], of_columns: Option<Signal>) -> Result<Signal> {
    if message.is_empty() {
        return of_columns.ok_or_else(|| {
            invalid("a descriptor is missing: send the path traces, metrics or logs with the schema of what is put")
        });
    }
    let mut words = words_of(message)?;
    let named = words.iter().position(|(word, _)| word == "signal").map(|at| words.remove(at).1);
    if let Some((word, _)) = words.first() {
        let text = format!("{word:?} is for a word that what is put does not take: there is signal");
        return Err(invalid(text));
    }
    signal(&named.ok_or_else(|| invalid("signal is missing: name one of traces, metrics and logs"))?)
}

fn words_of(message: &[u8]) -> Result<Words> {
    let descriptor = read("FlightDescriptor", Descriptor::read(message))?;
    match descriptor {
        Descriptor { kind: Descriptor::PATH, path, .. } => match path.as_slice() {
            [segment] => Ok(vec![("signal".to_owned(), String::from_utf8_lossy(segment).into_owned())]),
            _ => Err(invalid("the path has not one segment: it is traces, metrics or logs")),
        },
        Descriptor { kind: Descriptor::COMMAND, command, .. } => words("the command", command),
        _ => Err(invalid("the descriptor is neither a path nor a command: send the path traces, metrics or logs")),
    }
}

fn words(what: &str, text: &[u8]) -> Result<Words> {
    // A name alone, as a person types it.
    if let Ok(name) = std::str::from_utf8(text)
        && name.parse::<Signal>().is_ok()
    {
        return Ok(vec![("signal".to_owned(), name.to_owned())]);
    }
    words_of_json(what, text)
}

#[cfg(test)]
mod tests {
    use otlp_arrow_wire::Writer;

    use super::*;

    const NOW: Nanos = 1_760_000_000_000_000_000;

    #[test]
    fn a_ticket_says_which_rows_and_columns() {
        let text = br#"{"signal":"traces","service":["checkout","!cart"],"from":"-1h","limit":5,"columns":["name","duration"],"dictionaries":true}"#;
        let asked = Asked::of_ticket(text, NOW).unwrap();
        assert_eq!((asked.signal, asked.filter.limit, asked.filter.service.len()), (Signal::Traces, Some(5), 2));
        assert_eq!(asked.filter.from, Some(NOW - 3_600_000_000_000));
        let columns = Columns { names: Some(vec!["name".into(), "duration".into()]), dictionaries: true };
        assert_eq!((asked.columns.clone(), asked.follow.clone()), (columns, None));
        assert_eq!(Asked::of_ticket(&asked.ticket(), NOW).unwrap().filter, asked.filter);
        assert_eq!(
            Asked::of_ticket(br#"{"signal":"logs","columns":"body, time"}"#, NOW).unwrap().columns.names.unwrap().len(),
            2
        );
        assert!(Asked::of_ticket(b"logs", NOW).unwrap().is_whole());
        let follow = Asked::of_ticket(br#"{"signal":"logs","follow":true,"cursor":"0"}"#, NOW).unwrap();
        assert_eq!(follow.follow, Some(Some(TailCursor::default())));
    }

    #[test]
    fn what_cannot_be_asked_is_told() {
        for (text, problem) in [
            (&b""[..], "signal is missing"),
            (b"spans", "is not JSON"),
            (b"\xff\x00", "is not JSON"),
            (b"[]", "is not a JSON object"),
            (br#"{"signal":"spans"}"#, "there is no table \"spans\""),
            (br#"{"signal":"logs","min_duration":"1s"}"#, "min_duration"),
            (br#"{"signal":"traces","sevice":"a"}"#, "did you mean service?"),
            (br#"{"signal":"traces","columns":{"a":1}}"#, "columns"),
            (br#"{"signal":"traces","order":"newest"}"#, "order"),
            (br#"{"signal":"traces","cursor":"0"}"#, "follow"),
            (br#"{"signal":"traces","follow":"yes"}"#, "follow"),
            (br#"{"signal":"traces","follow":true,"cursor":"x"}"#, "cursor"),
            (br#"{"signal":["traces","logs"]}"#, "signal"),
        ] {
            let error = Asked::of_ticket(text, NOW).unwrap_err();
            assert!(error.message().contains(problem), "{}: {error}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn rows_go_to_the_table_of_the_descriptor_or_of_their_columns() {
        let path = Descriptor::of_path("metrics");
        assert_eq!(target(&path, Some(Signal::Logs)).unwrap(), Signal::Metrics);
        assert_eq!(target(b"", Some(Signal::Logs)).unwrap(), Signal::Logs);
        let mut command = Writer::default();
        command.uint(1, Descriptor::COMMAND);
        command.text(2, r#"{"signal":"traces"}"#);
        assert_eq!(target(&command.finish(), None).unwrap(), Signal::Traces);
        let mut limited = Writer::default();
        limited.uint(1, Descriptor::COMMAND);
        limited.text(2, r#"{"signal":"traces","limit":1}"#);
        for wrong in [
            limited.finish(),
            Descriptor::of_path("spans"),
            b"\x08\x01".to_vec(),
            b"\x08\x07".to_vec(),
            b"\xff".to_vec(),
        ] {
            assert!(target(&wrong, Some(Signal::Logs)).is_err(), "{wrong:?}");
        }
        assert!(target(b"", None).is_err());
    }
}
