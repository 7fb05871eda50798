//! Rows of the logs table back to `LogRecord` messages.

use arrow_array::RecordBatch;
use arrow_array::types::{Int32Type, TimestampNanosecondType, UInt32Type};

use super::attributes::Attributes;
use super::column::{Cell, Columns, Flaw, Ids, Numbers, Text};
use super::out::Out;
use super::spans::{TIME, id};
use super::{EncodeError, Records, Run, each_row, value};

/// The columns of log records.
pub(crate) struct Logs<'a> {
    pub(crate) rows: usize,
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) observed_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) severity_number: Numbers<'a, Int32Type>,
    pub(crate) severity_text: Text<'a>,
    pub(crate) body: Text<'a>,
    pub(crate) body_type: Text<'a>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped_attributes: Numbers<'a, UInt32Type>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) trace_id: Ids<'a>,
    pub(crate) span_id: Ids<'a>,
    pub(crate) event_name: Text<'a>,
}

impl<'a> Records<'a> for Logs<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, EncodeError> {
        let columns = Columns::of(batch);
        Ok(Self {
            rows: batch.num_rows(),
            time: columns.numbers("time", TIME)?,
            observed_time: columns.numbers("observed_time", TIME)?,
            severity_number: columns.numbers("severity_number", "Int32")?,
            severity_text: columns.text("severity_text")?,
            body: columns.text("body")?,
            body_type: columns.text("body_type")?,
            attributes: Attributes::of(&columns, "attributes", "attribute_types")?,
            dropped_attributes: columns.numbers("dropped_attributes_count", "UInt32")?,
            flags: columns.numbers("flags", "UInt32")?,
            trace_id: columns.ids("trace_id", 16)?,
            span_id: columns.ids("span_id", 8)?,
            event_name: columns.text("event_name")?,
        })
    }

    fn estimate(&self) -> usize {
        self.rows * 80 + self.attributes.estimate() + self.body.values.data.len()
    }

    fn write_scope(out: &mut Out, batches: &[Self], runs: &[Run]) -> Result<(), EncodeError> {
        each_row(out, batches, runs, Self::write)
    }
}

impl Logs<'_> {
    fn write(&self, out: &mut Out, row: usize) -> Cell<()> {
        let record = out.open(2, 2);
        out.fixed64_unless_zero(1, self.time.or_zero(row) as u64);
        out.varint_unless_zero(2, self.severity_number.or_zero(row) as u64);
        out.bytes_unless_empty(3, self.severity_text.or_empty(row)?);
        self.body(out, row)?;
        self.attributes.write(out, 6, row)?;
        out.varint_unless_zero(7, self.dropped_attributes.or_zero(row).into());
        out.fixed32_unless_zero(8, self.flags.or_zero(row));
        id(out, 9, self.trace_id.get(row));
        id(out, 10, self.span_id.get(row));
        out.fixed64_unless_zero(11, self.observed_time.or_zero(row) as u64);
        out.bytes_unless_empty(12, self.event_name.or_empty(row)?);
        out.close(record);
        Ok(())
    }

    fn body(&self, out: &mut Out, row: usize) -> Cell<()> {
        let letter = match self.body_type.get(row)? {
            None => return Ok(()),
            Some(&[letter]) => letter,
            Some(_) => return Err(Flaw { column: "body_type", message: "not one letter" }),
        };
        let text = self.body.get(row)?;
        let body = out.open(5, if text.is_some_and(|text| text.len() >= 126) { 2 } else { 1 });
        value::any_value(out, letter, text).map_err(|message| Flaw { column: "body", message })?;
        out.close(body);
        Ok(())
    }
}
