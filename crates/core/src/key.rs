//! One row of the table of configuration keys: what the configuration and the kinds of destinations both speak of.

use std::borrow::Cow;

/// One key that can be set.
#[derive(Clone, Debug)]
pub struct Key {
    /// Dotted name; `forward[]` stands for each destination. A key of a kind of destination has its name alone.
    pub path: Cow<'static, str>,
    /// What it takes.
    pub kind: Kind,
    /// The default as it would be written; empty for none.
    pub default: &'static str,
    /// One line for a person.
    pub text: &'static str,
}

/// What a key takes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// `127.0.0.1:4317`, `localhost:4317`, `[::1]:4317` or `off`.
    Address,
    /// Names and values.
    Attributes,
    /// One of these words, each with its meaning.
    Choice(Cow<'static, [(&'static str, &'static str)]>),
    /// A program and its arguments.
    Command,
    /// A whole number, from and to.
    Count(u64, u64),
    /// A time with a unit, from and to, as written.
    Duration(&'static str, &'static str),
    /// `true` or `false`.
    Flag,
    /// Header names and secret values.
    Headers,
    /// Rights of files in octal digits, `0640`.
    Mode,
    /// Letters, digits, `-`, `_` and `.`: safe in a file name.
    Name,
    /// A number, from and to.
    Number(f64, f64),
    /// A file or directory.
    Path,
    /// `none`, or the URL of a proxy, which may hold a password: text, `{env: NAME}` or `{file: PATH}`.
    Proxy,
    /// Text, `{env: NAME}` or `{file: PATH}`.
    Secret,
    /// Some of traces, metrics and logs.
    Signals,
    /// Bytes with a unit, from and to, as written.
    Size(&'static str, &'static str),
    /// Text.
    Text,
    /// An `http://` or `https://` URL.
    Url,
}

impl Key {
    /// A key with its row of the table.
    pub const fn new(path: &'static str, kind: Kind, default: &'static str, text: &'static str) -> Self {
        Self { path: Cow::Borrowed(path), kind, default, text }
    }
}

impl Kind {
    /// One of these words, each with its meaning.
    pub const fn choice(words: &'static [(&'static str, &'static str)]) -> Self {
        Kind::Choice(Cow::Borrowed(words))
    }

    /// What it takes, for a person: `a time with a unit from 1ms to 1h, such as 5s`.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Kind::Address => {
                "an IP address and port such as 127.0.0.1:4317, localhost:4317, [::1]:0, or off".to_owned()
            }
            Kind::Attributes => "names and values, such as {service.name: shop}".to_owned(),
            Kind::Choice(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                match words.split_last() {
                    Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                    _ => words.concat(),
                }
            }
            Kind::Command => "a list of a program and its arguments, such as [notify, --now]".to_owned(),
            Kind::Count(from, to) => format!("a whole number from {from} to {to}"),
            Kind::Duration(from, to) => format!("a time with a unit from {from} to {to}"),
            Kind::Flag => "true or false".to_owned(),
            Kind::Headers => "header names and values, such as {x-tenant: shop, x-token: {env: TOKEN}}".to_owned(),
            Kind::Mode => {
                "octal digits in quotes, 6 for the owner, and 0, 4 (read) or 6 (read and write) for the group and for others, such as \"0640\"".to_owned()
            }
            Kind::Name => "letters, digits, '-', '_' and '.', at most 64".to_owned(),
            Kind::Number(from, to) => format!("a number from {from} to {to}"),
            Kind::Path => "a path".to_owned(),
            Kind::Proxy => {
                "none, or an http:// or https:// URL of a proxy; also {env: NAME} or {file: PATH}".to_owned()
            }
            Kind::Secret => "text, {env: NAME} or {file: PATH}".to_owned(),
            Kind::Signals => "a list of traces, metrics, logs".to_owned(),
            Kind::Size(from, to) => format!("a size with a unit from {from} to {to}"),
            Kind::Text => "text".to_owned(),
            Kind::Url => "an http:// or https:// URL".to_owned(),
        }
    }

    /// Whether its values must never be shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret | Kind::Headers | Kind::Proxy)
    }

    /// Whether it takes names of its own, which may contain dots.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Kind::Attributes | Kind::Headers)
    }
}
