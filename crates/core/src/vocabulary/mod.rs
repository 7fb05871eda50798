//! One vocabulary: everything that has a name in three languages, from the tables of the core.
//!
//! Only for the tests here, which write `docs/vocabulary.json`, the tables of `docs/reference.md` and the types of TypeScript and
//! Python from it, and fail where a committed file is stale. What is written nowhere else needs no edit there; what is
//! written by hand in a language (classes of errors, methods) is compared with `docs/vocabulary.json` by its own tests.
#![allow(clippy::unwrap_used, reason = "tests")]

mod markdown;
mod methods;
mod python;
mod tree;
mod typescript;

use serde::Serialize;
use serde_json::Value;

use crate::config::keys;
use crate::error::{Code, status_of};
use crate::event::{Event, EventName};
use crate::forward::ForwarderInfo;
use crate::key::{Key, Kind};
use crate::stats::{BreakerState, Health, HealthStatus, LibraryStats, Metric, Problem};
use methods::Method;

/// The whole of it, in the order it is written.
#[derive(Serialize)]
struct Vocabulary {
    config: Vec<ConfigKey>,
    errors: Vec<ErrorCode>,
    events: Vec<EventOf>,
    metrics: Vec<MetricOf>,
    methods: Vec<Method>,
    reports: Reports,
}

/// A key of the configuration.
#[derive(Serialize)]
struct ConfigKey {
    key: &'static str,
    /// What it takes, in a word.
    takes: &'static str,
    /// The same for a person.
    allowed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<&'static str>>,
    default: Option<Value>,
    required: bool,
    meaning: &'static str,
}

#[derive(Serialize)]
struct ErrorCode {
    code: &'static str,
    retryable: bool,
    grpc: i32,
    http: u16,
    meaning: &'static str,
}

#[derive(Serialize)]
struct EventOf {
    name: &'static str,
    severity: &'static str,
    meaning: &'static str,
}

#[derive(Serialize)]
struct MetricOf {
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

/// The fields of what `stats()`, `health()`, `forwarders()` and events are as JSON, and the words in them.
#[derive(Serialize)]
struct Reports {
    stats: Vec<String>,
    health: Vec<String>,
    problem: Vec<String>,
    forwarder: Vec<String>,
    event: Vec<String>,
    health_status: Vec<String>,
    breaker_state: Vec<String>,
}

impl Vocabulary {
    fn of_the_core() -> Self {
        Self {
            config: keys::standard()
                .keys()
                .iter()
                .map(|key| ConfigKey {
                    key: &key.path,
                    takes: takes(&key.kind),
                    allowed: key.kind.allowed(),
                    choices: match &key.kind {
                        Kind::Choice(words) => Some(words.iter().map(|(word, _)| *word).collect()),
                        _ => None,
                    },
                    default: crate::config::default_value(key),
                    required: tree::REQUIRED.contains(&&*key.path),
                    meaning: key.text,
                })
                .collect(),
            errors: Code::all()
                .map(|code| ErrorCode {
                    code: code.as_str(),
                    retryable: code.retryable(),
                    grpc: status_of(code).grpc,
                    http: status_of(code).http,
                    meaning: code.meaning(),
                })
                .collect(),
            events: EventName::ALL
                .iter()
                .map(|event| EventOf {
                    name: event.as_str(),
                    severity: event.severity().as_str(),
                    meaning: event.meaning(),
                })
                .collect(),
            metrics: Metric::ALL
                .iter()
                .map(|metric| MetricOf {
                    name: metric.name(),
                    kind: metric.kind().as_str(),
                    unit: metric.unit(),
                    labels: metric.labels(),
                    help: metric.help(),
                })
                .collect(),
            methods: methods::all(),
            reports: Reports::of_the_core(),
        }
    }
}

impl Reports {
    fn of_the_core() -> Self {
        let problem = Problem {
            part: "forward",
            signal: Some("logs"),
            destination: Some(String::new()),
            code: Some(Code::Internal),
            message: String::new(),
        };
        let forwarder = ForwarderInfo {
            name: String::new(),
            state: BreakerState::Closed,
            paused: false,
            troubled: false,
            lag_records: 0,
            lag_seconds: 0.0,
            evicted_records: 0,
            rejected_requests: 0,
            last_error: None,
        };
        let event = Event {
            signal: Some(otlp_arrow_columns::Signal::Logs),
            destination: Some(String::new()),
            count: Some(1),
            ..Event::new(EventName::RecordsDropped, std::time::SystemTime::UNIX_EPOCH, "")
        };
        let statuses = [HealthStatus::Ok, HealthStatus::Degraded, HealthStatus::Failing, HealthStatus::Closed];
        let states = [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open];
        Self {
            stats: fields(&LibraryStats::default()),
            problem: fields(&problem),
            health: fields(&Health { status: HealthStatus::Ok, accepting: true, problems: vec![problem] }),
            forwarder: fields(&forwarder),
            event: fields(&event),
            health_status: statuses.iter().map(word).collect(),
            breaker_state: states.iter().map(word).collect(),
        }
    }
}

/// The names of the fields of a report, in alphabetical order.
fn fields(report: &impl Serialize) -> Vec<String> {
    serde_json::to_value(report).unwrap().as_object().unwrap().keys().cloned().collect()
}

fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

const fn takes(kind: &Kind) -> &'static str {
    match kind {
        Kind::Address => "address",
        Kind::Attributes => "attributes",
        Kind::Choice(_) => "choice",
        Kind::Command => "command",
        Kind::Count(..) => "count",
        Kind::Duration(..) => "duration",
        Kind::Flag => "flag",
        Kind::Headers => "headers",
        Kind::Mode => "mode",
        Kind::Name => "name",
        Kind::Number(..) => "number",
        Kind::Path => "path",
        Kind::Proxy => "proxy",
        Kind::Secret => "secret",
        Kind::Signals => "signals",
        Kind::Size(..) => "size",
        Kind::Text => "text",
        Kind::Url => "url",
    }
}

/// What a key means, with what each of its words does.
fn key_text(key: &Key) -> String {
    let Kind::Choice(words) = &key.kind else { return key.text.to_owned() };
    let words: Vec<String> = words.iter().map(|(word, text)| format!("`{word}` ({text})")).collect();
    format!("{}: {}", key.text, words.join(", "))
}

/// `breaker_half_open` as TypeScript writes it: `breakerHalfOpen`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &capital(word))
}

/// With a capital first letter.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Text in lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use otlp_arrow_testkit::fresh::{fresh, section};

    use super::*;

    #[test]
    fn the_vocabulary_and_what_is_written_from_it_are_fresh() {
        let vocabulary = Vocabulary::of_the_core();
        fresh("docs/vocabulary.json", &(serde_json::to_string_pretty(&vocabulary).unwrap() + "\n"));
        for (name, table) in markdown::tables(&vocabulary) {
            fresh("docs/reference.md", &section("docs/reference.md", name, &table));
        }
        fresh("ts/src/vocabulary.ts", &typescript::vocabulary(&vocabulary));
        fresh("ts/src/keys.ts", &typescript::keys());
        fresh("python/src/otlp_arrow/_vocabulary.py", &python::vocabulary(&vocabulary));
        fresh("python/src/otlp_arrow/_config.py", &python::keys());
    }

    #[test]
    fn every_method_has_its_row() {
        assert_eq!(methods::of_the_sources(), methods::of_the_table());
    }
}
