//! What a comparison is answered with.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use serde::Serialize;

use super::super::table::Table;
use crate::answer::{Answer, Searched, json};
use crate::filter::Nanos;
use crate::record::{Form, as_nanos, as_time};

/// What one side is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// As it was asked for; of a trace its whole id.
    pub is: String,
    /// Its spans.
    pub spans: u64,
    /// Spans without a parent.
    pub requests: u64,
    /// Spans that are errors.
    pub errors: u64,
    /// When it begins.
    #[serde(serialize_with = "as_time")]
    pub from: Nanos,
    /// When it ends.
    #[serde(serialize_with = "as_time")]
    pub to: Nanos,
    /// Services that have spans in it, by name.
    pub services: Vec<String>,
}

/// How an operation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the second side has it.
    New,
    /// Only the first one has it.
    Gone,
    /// Its share of errors is larger by more than 5 points.
    Failing,
    /// Its share of errors is smaller by more than 5 points.
    Recovered,
    /// Its median is longer by more than a fifth, and by a millisecond or more.
    Slower,
    /// Its median is shorter by as much.
    Faster,
    /// None of these.
    Same,
}

impl Change {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Gone => "gone",
            Change::Failing => "failing",
            Change::Recovered => "recovered",
            Change::Slower => "slower",
            Change::Faster => "faster",
            Change::Same => "same",
        }
    }
}

/// What the spans of one operation come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operation {
    /// How many.
    pub count: u64,
    /// How many are errors.
    pub errors: u64,
    /// Their share, 0 to 1.
    pub error_share: f64,
    /// Nanoseconds of all of them together.
    #[serde(serialize_with = "as_nanos")]
    pub total: i64,
    /// Half of them took at most so many nanoseconds.
    #[serde(serialize_with = "as_nanos")]
    pub p50: i64,
    /// 95 of 100.
    #[serde(serialize_with = "as_nanos")]
    pub p95: i64,
    /// 99 of 100.
    #[serde(serialize_with = "as_nanos")]
    pub p99: i64,
}

/// One operation of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationChange {
    /// `service.name`; empty without.
    pub service: String,
    /// Name of its spans.
    pub name: String,
    /// Their kind.
    pub kind: String,
    /// How it changed.
    pub change: Change,
    /// By how many nanoseconds a request spends more in it: of all its spans, by the number of spans without a parent.
    pub impact: f64,
    /// On the first side.
    pub a: Option<Operation>,
    /// On the second one.
    pub b: Option<Operation>,
}

/// A group of exceptions of which one side has more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorChange {
    /// Its number, as `errors` gives it.
    pub group: String,
    /// Type of all of them.
    #[serde(rename = "type")]
    pub exception_type: String,
    /// What all of them say, without numbers and ids.
    pub message: String,
    /// Where they come from.
    pub frame: Option<String>,
    /// How many the first side has.
    pub a: u64,
    /// How many the second one has.
    pub b: u64,
}

/// Two sides beside each other.
#[derive(Clone, Debug)]
pub struct Compare {
    /// The first side.
    pub a: Side,
    /// The second one.
    pub b: Side,
    /// What changed, by what it does to a request; behind that what did not.
    pub operations: Vec<OperationChange>,
    /// Groups of exceptions of which one side has more, those first that only one has.
    pub errors: Vec<ErrorChange>,
    /// What was searched.
    pub searched: Searched,
}

impl Answer for Compare {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.operations.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.operations.iter();
        let mut table = Table::default()
            .text("service", all().map(|operation| operation.service.as_str()))
            .text("name", all().map(|operation| operation.name.as_str()))
            .text("kind", all().map(|operation| operation.kind.as_str()))
            .text("change", all().map(|operation| operation.change.as_str()))
            .f64s("impact", all().map(|operation| operation.impact));
        for (prefix, side) in [("a", 0), ("b", 1)] {
            let of = || all().map(move |operation| [&operation.a, &operation.b][side].as_ref());
            table = table
                .u64s(&format!("{prefix}_count"), of().map(|side| side.map_or(0, |side| side.count)))
                .u64s(&format!("{prefix}_errors"), of().map(|side| side.map_or(0, |side| side.errors)))
                .optional_i64s(&format!("{prefix}_p50"), of().map(|side| side.map(|side| side.p50)))
                .optional_i64s(&format!("{prefix}_p95"), of().map(|side| side.map(|side| side.p95)))
                .optional_i64s(&format!("{prefix}_total"), of().map(|side| side.map(|side| side.total)));
        }
        table.finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            a: &'a Side,
            b: &'a Side,
            operations: &'a [OperationChange],
            errors: &'a [ErrorChange],
            searched: &'a Searched,
        }
        let Self { a, b, operations, errors, searched } = self;
        json(form, out, &Shown { a, b, operations, errors, searched })
    }
}
