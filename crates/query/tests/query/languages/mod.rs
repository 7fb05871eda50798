//! The questions as TypeScript and Python have them: types of words, and a method for each, written from the tables.

mod python;
mod typescript;

use otlp_arrow_query::filter::{PARAMETERS, Parameter};
use otlp_arrow_query::questions::{KINDS, Kind};
use otlp_arrow_testkit::fresh::{fresh, repository};
use serde::Serialize;

/// A kind of question as a method: its name, the words that are arguments in front of the others, and the type of its answer.
struct Method {
    kind: &'static str,
    name: &'static str,
    leads: &'static [&'static str],
    answer: &'static str,
}

const fn method(
    kind: &'static str,
    name: &'static str,
    leads: &'static [&'static str],
    answer: &'static str,
) -> Method {
    Method { kind, name, leads, answer }
}

const METHODS: &[Method] = &[
    method("trace", "trace", &["trace"], "Trace"),
    method("traces", "search", &[], "Search"),
    method("spans", "search_spans", &[], "Spans"),
    method("logs", "search_logs", &[], "Logs"),
    method("counts", "counts", &[], "Counts"),
    method("services", "services", &[], "Services"),
    method("attributes", "attributes", &[], "AttributeKeys"),
    method("attribute_values", "attribute_values", &["key"], "AttributeValues"),
    method("facets", "facets", &[], "Facets"),
    method("metrics", "metrics", &[], "Metrics"),
    method("series", "series", &[], "Series"),
    method("errors", "errors", &[], "Errors"),
    method("exceptions", "exceptions", &[], "Exceptions"),
    method("map", "service_map", &[], "ServiceMap"),
    method("compare", "compare", &["a", "b"], "Compare"),
    method("overrepresented", "overrepresented", &[], "Overrepresented"),
];

/// What the words that all of them take are for.
const FILTER: &str = "Which records a question is about. Everything that is given must hold; of several values of one word, one of them.";

/// What a word takes, beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Takes {
    Text,
    Flag,
    /// A whole number.
    Count,
    Number,
    /// A severity, by name or number.
    Severity,
    Duration,
    Time,
    /// One of a few words.
    Choice(Vec<&'static str>),
}

fn takes(word: &Parameter) -> Takes {
    match word.name {
        "limit" | "top" | "exemplars" => Takes::Count,
        "quantile" => Takes::Number,
        "severity" => Takes::Severity,
        "ignore_case" | "logs" => Takes::Flag,
        "from" | "to" => Takes::Time,
        "min_duration" | "max_duration" | "step" => Takes::Duration,
        "order" | "signal" | "show" | "agg" => Takes::Choice(word.form.split('`').skip(1).step_by(2).collect()),
        _ => Takes::Text,
    }
}

/// A kind with its method.
struct Question {
    kind: &'static Kind,
    method: &'static Method,
}

impl Question {
    /// In the order of the documentation.
    fn all() -> Vec<Self> {
        let of = |kind: &'static Kind| Self {
            kind,
            method: METHODS
                .iter()
                .find(|method| method.kind == kind.name)
                .unwrap_or_else(|| panic!("the question {} has no method in METHODS", kind.name)),
        };
        assert_eq!(METHODS.len(), KINDS.len(), "a row of METHODS is no question");
        KINDS.iter().map(of).collect()
    }

    /// Its own words that are not arguments in front.
    fn own(&self) -> Vec<&'static Parameter> {
        self.kind.parameters.iter().filter(|word| !self.method.leads.contains(&word.name)).collect()
    }

    /// Words without which it cannot be asked, and that are not arguments in front.
    fn required(&self) -> &'static [&'static str] {
        if self.kind.name == "series" { &["metric"] } else { &[] }
    }

    /// The type of its words.
    fn words(&self) -> String {
        match self.kind.filtered && self.own().is_empty() {
            true => "Filter".to_owned(),
            false => format!("{}Words", pascal(self.method.name)),
        }
    }

    /// What an argument in front is called.
    fn lead(&self, word: &'static str) -> &'static str {
        if word == "trace" { "trace_id" } else { word }
    }

    /// What it tells, as a sentence.
    fn text(&self) -> String {
        format!("{}.", capital(self.kind.text))
    }
}

/// What a word means and how it is written, as a sentence.
fn documented(word: &Parameter) -> String {
    format!("{}: {}.", capital(word.text), word.form)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &capital(word))
}

fn pascal(name: &str) -> String {
    name.split('_').map(capital).collect()
}

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

/// A question for the tests of the other languages.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    rust: &'a str,
    typescript: String,
    python: [String; 2],
    answer: &'a str,
    arguments: &'a [&'a str],
    words: Vec<&'a str>,
    filtered: bool,
    text: &'a str,
}

#[test]
fn the_questions_of_other_languages_are_fresh() {
    let questions = Question::all();
    fresh("ts/src/ask/questions.ts", &typescript::questions(&questions));
    fresh("python/src/otlp_arrow/_questions.py", &python::questions(&questions));
    let shown = |question: &Question| Shown {
        name: question.kind.name,
        rust: question.method.name,
        typescript: camel(question.method.name),
        python: [question.method.name.to_owned(), format!("a{}", question.method.name)],
        answer: question.method.answer,
        arguments: question.method.leads,
        words: question.own().iter().map(|word| word.name).collect(),
        filtered: question.kind.filtered,
        text: question.kind.text,
    };
    let words: Vec<&str> = PARAMETERS.iter().map(|word| word.name).collect();
    let all = serde_json::json!({
        "questions": questions.iter().map(|question| serde_json::to_value(shown(question)).unwrap()).collect::<Vec<_>>(),
        "words": words,
    });
    fresh("docs/questions.json", &(serde_json::to_string_pretty(&all).unwrap() + "\n"));
}

#[test]
fn rust_has_the_same_methods() {
    let source = std::fs::read_to_string(repository("crates/query/src/methods.rs")).unwrap();
    let lines = source.lines().filter_map(|line| line.strip_prefix("    pub fn "));
    let mut found: Vec<&str> = lines.map(|line| line.split(['(', '<']).next().unwrap_or_default()).collect();
    let mut wanted: Vec<&str> = METHODS.iter().map(|method| method.name).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}
