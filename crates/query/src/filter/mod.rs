//! The one vocabulary of questions: which records, of which time, how many, in which order.
//!
//! A [`Filter`] is what command line flags, HTTP query strings and the arguments of every language become. [`PARAMETERS`] is
//! the table of its words, from which they are parsed and documented.

mod condition;
mod json;
mod nearest;
mod parameters;
mod parse;
mod text;
mod time;

pub use condition::{Comparison, Condition};
pub use json::words_of_json;
pub use nearest::nearest;
pub use parameters::{PARAMETERS, Parameter, Parameters, markdown};
pub(crate) use parameters::{one, wrong};
pub use text::{IdPrefix, Pattern, TextIs, TextTest};
pub(crate) use text::{Matcher, find_any_case};
pub(crate) use time::nanos;
pub use time::{Nanos, parse_duration, parse_time, show_time};

use std::collections::BTreeSet;

use otlp_arrow_columns::Signal;

/// Which records a question is about. The default is all of them.
///
/// Everything that is set must hold. Of `service`, `name`, `kind` and `status` one of the given values must hold, or, if
/// all of them are negations, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Records at or after this time, in nanoseconds since 1970.
    pub from: Option<Nanos>,
    /// Records before this time.
    pub to: Option<Nanos>,
    /// `service.name` of the resource.
    pub service: Vec<TextTest>,
    /// Name of the span, of the event of a log record, or of the metric.
    pub name: Vec<TextTest>,
    /// Kind of the span: `server`, `client`, …; type of the metric.
    pub kind: Vec<TextTest>,
    /// Status of the span: `error`, `ok`, `unset`.
    pub status: Vec<TextTest>,
    /// Spans that took at least so many nanoseconds.
    pub min_duration: Option<i64>,
    /// Spans that took at most so many nanoseconds.
    pub max_duration: Option<i64>,
    /// Log records of at least this severity number.
    pub min_severity: Option<i32>,
    /// Log records of at most this severity number.
    pub max_severity: Option<i32>,
    /// Text that must occur: in the body of a log record; in the name, the status message or an attribute of a span.
    pub text: Vec<String>,
    /// A regular expression that must match somewhere in what `text` looks at.
    pub regex: Option<String>,
    /// Whether `text` and `regex` take upper and lower case of ASCII letters for the same.
    pub ignore_case: bool,
    /// Records of this trace, by its id or its beginning.
    pub trace: Option<IdPrefix>,
    /// Records of this span, by its id or its beginning.
    pub span: Option<IdPrefix>,
    /// What must hold of the attributes of the record.
    pub attributes: Vec<Condition>,
    /// What must hold of the attributes of the resource.
    pub resource: Vec<Condition>,
    /// The most rows of the answer; what a question takes by default if it is `None`.
    pub limit: Option<usize>,
    /// Which end of time comes first.
    pub order: Order,
    /// Where an earlier answer ended: rows behind it.
    pub cursor: Option<Cursor>,
}

/// Which rows come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The latest.
    #[default]
    Newest,
    /// The earliest.
    Oldest,
}

impl Order {
    /// `newest` or `oldest`.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Newest => "newest",
            Order::Oldest => "oldest",
        }
    }
}

/// The place of one row in the order of time. It stays valid when files are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The time of the row.
    pub time: Nanos,
    /// Who wrote the file it is in.
    pub writer: u64,
    /// Which file of that writer.
    pub seq: u32,
    /// Its number in the file.
    pub row: u64,
}

/// What one filter says, one part after the other: rows for which all of them hold are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// The record's time is at or after the first and before the second.
    Time(Nanos, Nanos),
    /// The id begins so.
    Trace(IdPrefix),
    /// The trace is one of these.
    Traces(std::sync::Arc<BTreeSet<[u8; 16]>>),
    /// The id begins so.
    Span(IdPrefix),
    /// A text column with few distinct values, by its position in the schema of the signal: one of these holds.
    Text(usize, Vec<TextTest>),
    /// The duration in nanoseconds, both ends included.
    Duration(i64, i64),
    /// The severity number, both ends included.
    Severity(i32, i32),
    /// The pattern occurs in what `text` looks at.
    Contains(Pattern),
    /// Of the record's attributes.
    Attribute(Condition),
    /// Of the resource's attributes.
    Resource(Condition),
}

impl Filter {
    /// The parts of the filter as they apply to `signal`, the cheapest first.
    ///
    /// INVALID_CONFIG names a part that records of this signal cannot have.
    pub fn terms(&self, signal: Signal) -> otlp_arrow_base::Result<Vec<Term>> {
        parse::terms(self, signal)
    }

    /// The time it asks for, from and to, exclusive.
    pub fn time(&self) -> (Nanos, Nanos) {
        (self.from.unwrap_or(0), self.to.unwrap_or(Nanos::MAX))
    }
}
