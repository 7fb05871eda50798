//! The table of a filter's words, and pairs of words and values as flags, query strings and arguments give them.

use std::fmt::Write as _;

use otlp_arrow_base::error::{Code, OtlpError, Result};

use super::nearest::nearest;

/// One word that a question takes.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// The word, the same everywhere; other languages write it in their letter case.
    pub name: &'static str,
    /// Whether it may be given several times.
    pub repeated: bool,
    /// How its value is written.
    pub form: &'static str,
    /// What it does.
    pub text: &'static str,
}

/// A row of the table.
pub(crate) const fn one(name: &'static str, form: &'static str, text: &'static str) -> Parameter {
    Parameter { name, repeated: false, form, text }
}

const fn many(name: &'static str, form: &'static str, text: &'static str) -> Parameter {
    Parameter { name, repeated: true, form, text }
}

/// Every word of a [`Filter`](super::Filter), in the order of the documentation.
#[rustfmt::skip]
pub const PARAMETERS: &[Parameter] = &[
    many("service", "`checkout`, `!checkout`, `~^check`, `!~^check`", "`service.name` of the resource: one of those given, none of those with `!`; `~` is a regular expression, `\"\"` is none"),
    many("name", "as `service`", "name of the span, of the log record's event, of the metric"),
    many("kind", "`internal`, `server`, `client`, `producer`, `consumer`", "kind of the span; of a metric its type: `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`"),
    many("status", "`ok`, `error`, `unset`", "status of the span"),
    one("min_duration", "`250ms`", "spans that took at least so long"),
    one("max_duration", "`2s`", "spans that took at most so long"),
    one("severity", "`error`, `>=warn`, `17`, `<13`", "severity of the log record, by name or number; a name alone is its four numbers"),
    many("text", "any text", "must occur: in the body of a log record; in the name, the status message or the value of an attribute of a span"),
    one("regex", "`timeout after [0-9]+`", "a regular expression that must match somewhere in what `text` looks at"),
    one("ignore_case", "`true`, `false`", "`text` and `regex` take upper and lower case for the same"),
    one("trace", "32 hexadecimal digits, or the first 4 and more", "records of this trace"),
    one("span", "16 hexadecimal digits, or the first 4 and more", "records of this span"),
    many("attr", "`http.route=/cart`, `!=`, `>5`, `~regex`, `key`, `!key`", "what must hold of an attribute of the record; what is negated also holds where there is none"),
    many("resource", "as `attr`", "what must hold of an attribute of the resource"),
    one("from", "`-1h`, `2026-11-30T12:00:00Z`, nanoseconds since 1970", "records at or after this time"),
    one("to", "as `from`, `now`", "records before this time"),
    one("limit", "`20`", "the most rows of the answer"),
    one("order", "`newest`, `oldest`", "which rows come first"),
    one("cursor", "as an answer gives it", "rows behind those of an earlier answer"),
];

/// Words with values, as they were given. Whoever reads them takes what it knows; what is left is a mistake.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
    /// Every word that somebody asked for.
    known: Vec<&'static str>,
}

impl Parameters {
    /// Of pairs in any order.
    pub fn new<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { pairs, known: Vec::new() }
    }

    /// Every value of `name`.
    pub fn all(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let (taken, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(word, _)| word == name);
        self.pairs = rest;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of `name`; INVALID_CONFIG if it is there twice.
    pub fn one(&mut self, name: &'static str) -> Result<Option<String>> {
        let mut values = self.all(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            count => Err(wrong(name, &values[1], &format!("is the {count}th value: it can be given once"))),
        }
    }

    /// The value of `name`, read by `parse`, which says what is wrong.
    pub fn read<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>> {
        let value = self.one(name)?;
        value.map(|value| parse(&value).map_err(|problem| wrong(name, &value, &problem))).transpose()
    }

    /// As [`Parameters::read`], of every value.
    pub fn read_all<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>> {
        let values = self.all(name).into_iter();
        values.map(|value| parse(&value).map_err(|problem| wrong(name, &value, &problem))).collect()
    }

    /// INVALID_CONFIG with the nearest known word, if a word is left that nobody took.
    pub fn finish(self) -> Result<()> {
        let Some((name, value)) = self.pairs.into_iter().next() else { return Ok(()) };
        let meant = nearest(&name, self.known.iter().copied());
        let hint = match meant {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("there are {}", self.known.join(", ")),
        };
        Err(wrong(&name, &value, &format!("is for a word that this question does not take: {hint}")))
    }
}

/// The error of a value that cannot be read.
pub(crate) fn wrong(name: &str, value: &str, problem: &str) -> OtlpError {
    let shown = match value.char_indices().nth(200) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    };
    OtlpError::new(Code::InvalidConfig, format!("{name} = {shown} {problem}"))
}

/// The table for the documentation.
pub fn markdown(parameters: &[Parameter]) -> String {
    let mut out = String::from("| word | value | what it does |\n|---|---|---|\n");
    for Parameter { name, repeated, form, text } in parameters {
        let again = if *repeated { ", repeated" } else { "" };
        let form = form.replace('|', "\\|");
        let _ = writeln!(out, "| `{name}`{again} | {form} | {text} |");
    }
    out
}
