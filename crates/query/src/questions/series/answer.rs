//! What the question for a series is answered with.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use otlp_arrow_base::error::Result;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::super::table::Table;
use super::exemplar::Exemplar;
use crate::answer::{Answer, Searched, json};
use crate::filter::Nanos;
use crate::record::{Form, as_nanos, as_time};

/// One metric over time.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Its name.
    pub metric: String,
    /// Nanoseconds of a step. Steps end at multiples of it since 1970, the last one where the range does.
    pub step: Nanos,
    /// Those with the greatest values first.
    pub lines: Vec<Line>,
    /// Lines that are not here.
    pub left_out: u64,
    /// What is to be known of the numbers.
    pub warnings: Vec<String>,
    /// What was searched.
    pub searched: Searched,
}

/// One line: a series, or several together.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line {
    /// What all of its series have in common: what was asked for with `by`, otherwise service and attributes.
    #[serde(serialize_with = "as_object")]
    pub labels: Vec<(String, String)>,
    /// UCUM unit of the metric. A rate is that a second.
    pub unit: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    #[serde(rename = "type")]
    pub metric_type: String,
    /// What its values are: `rate`, `increase`, `value`, `quantile`, `buckets`, `mean`, `sum`.
    pub show: &'static str,
    /// Of which share of all values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Of which bucket: of values greater than this; of all below its other end if it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Up to this value, it included; without a bound if it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<f64>,
    /// How many series it is made of.
    pub series: u64,
    /// In the order of time; steps without a value are not here.
    pub points: Vec<Value>,
    /// Single values, those first whose trace is kept, then the latest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exemplars: Vec<Exemplar>,
    /// Lines of one group stay together.
    #[serde(skip)]
    pub(super) group: usize,
}

/// The value of a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Value {
    /// When the step ends.
    #[serde(serialize_with = "as_time")]
    pub time: Nanos,
    /// What came within it, or is so then.
    pub value: f64,
}

fn as_object<S: Serializer>(labels: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(labels.len()))?;
    for (key, value) in labels {
        map.serialize_entry(key, value)?;
    }
    map.end()
}

impl Line {
    /// The labels as a JSON object.
    fn labels_json(&self) -> String {
        struct Shown<'a>(&'a [(String, String)]);
        impl Serialize for Shown<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                as_object(self.0, serializer)
            }
        }
        serde_json::to_string(&Shown(&self.labels)).unwrap_or_default()
    }
}

impl Answer for Series {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.lines.iter().map(|line| line.points.len()).sum()
    }

    fn table(&self) -> Result<RecordBatch> {
        let labels: Vec<String> = self.lines.iter().map(Line::labels_json).collect();
        let all = || {
            let lines = self.lines.iter().enumerate();
            lines.flat_map(|(number, line)| line.points.iter().map(move |point| (number, line, point)))
        };
        Table::default()
            .u64s("line", all().map(|(number, ..)| number as u64))
            .text("labels", all().map(|(number, ..)| labels[number].as_str()))
            .text("unit", all().map(|(_, line, _)| line.unit.as_str()))
            .text("show", all().map(|(_, line, _)| line.show))
            .optional_f64s("quantile", all().map(|(_, line, _)| line.quantile))
            .times("time", all().map(|(.., point)| point.time))
            .f64s("value", all().map(|(.., point)| point.value))
            .optional_f64s("above", all().map(|(_, line, _)| line.above))
            .optional_f64s("up_to", all().map(|(_, line, _)| line.up_to))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            metric: &'a str,
            #[serde(serialize_with = "as_nanos")]
            step: Nanos,
            lines: &'a [Line],
            #[serde(skip_serializing_if = "is_zero")]
            left_out: u64,
            warnings: &'a [String],
            searched: &'a Searched,
        }
        #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
        fn is_zero(number: &u64) -> bool {
            *number == 0
        }
        json(
            form,
            out,
            &Shown {
                metric: &self.metric,
                step: self.step,
                lines: &self.lines,
                left_out: self.left_out,
                warnings: &self.warnings,
                searched: &self.searched,
            },
        )
    }
}
