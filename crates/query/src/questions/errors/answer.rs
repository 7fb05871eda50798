//! What questions for exceptions are answered with.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use serde::Serialize;

use super::super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::Nanos;
use crate::record::{Form, as_nanos, as_time};

/// An exception that a span or a log record tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exception {
    /// When.
    #[serde(serialize_with = "as_time")]
    pub time: Nanos,
    /// `service.name`; empty without.
    pub service: String,
    /// Its type; empty where that is not told.
    #[serde(rename = "type")]
    pub exception_type: String,
    /// What it says.
    pub message: String,
    /// As it came, up to 16 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stacktrace: Option<String>,
    /// Whether it left the span.
    pub escaped: bool,
    /// Its trace, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its span, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// Name of the span that tells of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_name: Option<String>,
    /// What tells of it: traces or logs.
    #[serde(serialize_with = "as_word")]
    pub signal: Signal,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_word<S: serde::Serializer>(signal: &Signal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(signal.as_str())
}

impl Exception {
    /// By time; of one time by what they say, so that the order is always the same.
    pub(super) fn order(&self) -> (Nanos, Option<&str>, Option<&str>, &str) {
        (self.time, self.trace_id.as_deref(), self.span_id.as_deref(), &self.message)
    }
}

/// Exceptions that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorGroup {
    /// Its number in hexadecimal: the same in every directory.
    pub group: String,
    /// The type of all of them.
    #[serde(rename = "type")]
    pub exception_type: String,
    /// What all of them say, with numbers, ids and quoted texts replaced.
    pub message: String,
    /// Function and file they come from, where there is a stack trace.
    pub frame: Option<String>,
    /// How many.
    pub count: u64,
    /// Services and how many each had, the most first.
    pub services: Vec<(String, u64)>,
    /// The first one.
    #[serde(serialize_with = "as_time")]
    pub first_seen: Nanos,
    /// The latest one.
    #[serde(serialize_with = "as_time")]
    pub last_seen: Nanos,
    /// How many came when, in steps of [`Errors::step`]; those with none are not here.
    pub trend: Vec<TrendBucket>,
    /// The latest one, as it came.
    pub example: Exception,
}

/// Exceptions of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrendBucket {
    /// When it begins.
    #[serde(serialize_with = "as_time")]
    pub time: Nanos,
    /// How many.
    pub count: u64,
}

/// Exceptions in groups.
#[derive(Clone, Debug)]
pub struct Errors {
    /// The most frequent first.
    pub groups: Vec<ErrorGroup>,
    /// All exceptions.
    pub total: u64,
    /// Nanoseconds of a step of their trends. Steps begin at multiples of it since 1970.
    pub step: Nanos,
    /// What was searched.
    pub searched: Searched,
}

/// Exceptions one by one.
#[derive(Clone, Debug)]
pub struct Exceptions {
    /// In the order that was asked for.
    pub exceptions: Vec<Exception>,
    /// What was searched.
    pub searched: Searched,
}

impl Answer for Errors {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.groups.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.groups.iter();
        Table::default()
            .text("group", all().map(|group| group.group.as_str()))
            .text("type", all().map(|group| group.exception_type.as_str()))
            .text("message", all().map(|group| group.message.as_str()))
            .optional_text("frame", all().map(|group| group.frame.as_deref()))
            .u64s("count", all().map(|group| group.count))
            .lists("services", all().map(|group| group.services.iter().map(|(name, _)| name.as_str())))
            .times("first_seen", all().map(|group| group.first_seen))
            .times("last_seen", all().map(|group| group.last_seen))
            .optional_text("trace_id", all().map(|group| group.example.trace_id.as_deref()))
            .optional_text("span_id", all().map(|group| group.example.span_id.as_deref()))
            .text("example", all().map(|group| group.example.message.as_str()))
            .optional_text("stacktrace", all().map(|group| group.example.stacktrace.as_deref()))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            total: u64,
            #[serde(serialize_with = "as_nanos")]
            step: Nanos,
            errors: &'a [ErrorGroup],
            searched: &'a Searched,
        }
        json(form, out, &Shown { total: self.total, step: self.step, errors: &self.groups, searched: &self.searched })
    }
}

impl Answer for Exceptions {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.exceptions.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.exceptions.iter();
        Table::default()
            .times("time", all().map(|told| told.time))
            .text("service", all().map(|told| told.service.as_str()))
            .text("type", all().map(|told| told.exception_type.as_str()))
            .text("message", all().map(|told| told.message.as_str()))
            .optional_text("stacktrace", all().map(|told| told.stacktrace.as_deref()))
            .flags("escaped", all().map(|told| told.escaped))
            .optional_text("trace_id", all().map(|told| told.trace_id.as_deref()))
            .optional_text("span_id", all().map(|told| told.span_id.as_deref()))
            .optional_text("span_name", all().map(|told| told.span_name.as_deref()))
            .text("signal", all().map(|told| told.signal.as_str()))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            exceptions: &'a [Exception],
            searched: &'a Searched,
        }
        json(form, out, &Shown { exceptions: &self.exceptions, searched: &self.searched })
    }
}
