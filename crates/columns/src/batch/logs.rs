//! The columns of log records.

use arrow_array::types::{Int32Type, TimestampNanosecondType, UInt32Type};

use super::attributes::{Attributes, Known};
use super::cells::{Ids, Numbers};
use super::common::COUNT;
use super::context::Context;
use super::error::{BatchError, Checked, Flaw};
use super::find::Finder;
use super::json;
use super::text::Text;
use crate::counts::Counts;

/// A batch of log records.
pub(crate) struct Logs<'a> {
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) observed_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) severity_number: Numbers<'a, Int32Type>,
    pub(crate) severity_text: Text<'a>,
    pub(crate) body: Text<'a>,
    pub(crate) body_type: Text<'a>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped_attributes: Numbers<'a, UInt32Type>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) trace_id: Ids<'a, 16>,
    pub(crate) span_id: Ids<'a, 8>,
    pub(crate) event_name: Text<'a>,
}

pub(super) const TIME: &str = "Timestamp(ns)";

impl<'a> Logs<'a> {
    pub(super) fn of(columns: &mut Finder<'a>) -> Result<Self, BatchError> {
        Ok(Self {
            time: Numbers::optional(columns, "time", TIME)?,
            observed_time: Numbers::optional(columns, "observed_time", TIME)?,
            severity_number: Numbers::optional(columns, "severity_number", "Int32")?,
            severity_text: Text::optional(columns, "severity_text")?,
            body: Text::optional(columns, "body")?,
            body_type: Text::optional(columns, "body_type")?,
            attributes: Attributes::of(columns, "attributes", "attribute_types")?,
            dropped_attributes: Numbers::required(columns, "dropped_attributes_count", COUNT)?,
            flags: Numbers::required(columns, "flags", "UInt32")?,
            trace_id: Ids::optional(columns, "trace_id")?,
            span_id: Ids::optional(columns, "span_id")?,
            event_name: Text::optional(columns, "event_name")?,
        })
    }

    pub(super) fn check(&self, context: &Context, rows: usize, counts: &mut Counts) -> Checked<()> {
        let any = |_: &'a [u8]| Ok(());
        counts.text[0] += self.body.check(0..rows)?;
        context.within(counts)?;
        for text in [&self.severity_text, &self.event_name] {
            counts.dictionary += text.check_each(context, rows, any)?;
        }
        counts.dictionary += self.body_type.check_each(context, rows, one_letter)?;
        for row in 0..rows {
            self.body(context, row)?;
        }
        let mut known = Known::default();
        for row in 0..rows {
            self.attributes.check(context, &mut known, row, &mut counts.attributes)?;
        }
        counts.dictionary += self.attributes.types.check_each(context, rows, any)?;
        self.dropped_attributes.check(0..rows)?;
        self.flags.check(0..rows)?;
        self.trace_id.check(0..rows)?;
        self.span_id.check(0..rows)?;
        context.within(counts)
    }

    #[inline(always)]
    fn body(&self, context: &Context, row: usize) -> Result<(), Flaw> {
        match (self.body_type.get(row), self.body.get(row)) {
            (None, None) | (Some(b"s"), Some(_)) => Ok(()),
            (None, Some(_)) => Err(self
                .body_type
                .flaw(row, "is null, which says that there is no body, and body is not: use s for text")),
            (Some(letter), body) => {
                let letter = letter.first().copied().unwrap_or_default();
                json::attribute(context, letter, body).map_err(|message| {
                    self.body.flaw(row, format!("with the letter {}: {message}", char::from(letter)))
                })
            }
        }
    }
}

fn one_letter(text: &[u8]) -> Result<(), &'static str> {
    if text.len() == 1 { Ok(()) } else { Err("is not one letter") }
}
