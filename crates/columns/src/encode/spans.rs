//! Rows of the traces table back to `Span` messages.

use arrow_array::RecordBatch;
use arrow_array::types::{TimestampNanosecondType, UInt32Type};

use super::attributes::Attributes;
use super::column::{Cell, Columns, Flaw, Ids, Numbers, Rows, Text};
use super::out::Out;
use super::{EncodeError, Records, Run, each_row};
use crate::names::{KINDS, STATUS_CODES, number};

/// The columns of spans.
pub(crate) struct Spans<'a> {
    pub(crate) rows: usize,
    pub(crate) trace_id: Ids<'a>,
    pub(crate) span_id: Ids<'a>,
    pub(crate) parent_span_id: Ids<'a>,
    pub(crate) trace_state: Text<'a>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) name: Text<'a>,
    pub(crate) kind: Names<'a>,
    pub(crate) start_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) end_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) status_code: Names<'a>,
    pub(crate) status_message: Text<'a>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped_attributes: Numbers<'a, UInt32Type>,
    pub(crate) events: Rows<'a>,
    pub(crate) event: Events<'a>,
    pub(crate) dropped_events: Numbers<'a, UInt32Type>,
    pub(crate) links: Rows<'a>,
    pub(crate) link: Links<'a>,
    pub(crate) dropped_links: Numbers<'a, UInt32Type>,
}

/// A column of enum values by name, unknown ones as decimal text.
pub(crate) struct Names<'a> {
    text: Text<'a>,
    names: &'static [&'static str],
    /// The numbers of the texts of a short dictionary.
    numbers: Vec<Option<i32>>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(text: Text<'a>, names: &'static [&'static str]) -> Self {
        let mut this = Self { text, names, numbers: Vec::new() };
        if text.has_dictionary() && text.values.len() <= 64 {
            this.numbers = (0..text.values.len()).map(|slot| this.number(text.values.get(slot)?)).collect();
        }
        this
    }

    fn number(&self, text: &[u8]) -> Option<i32> {
        number(self.names, text)
    }

    /// The number of a row, none for null.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Cell<Option<i32>> {
        let Some(slot) = self.text.slot(row)? else { return Ok(None) };
        let number = match self.numbers.get(slot) {
            Some(number) => *number,
            None => self.text.values.get(slot).and_then(|text| self.number(text)),
        };
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Flaw { column: self.text.name, message: "neither a name nor a number of the enum" }),
        }
    }
}

/// The columns of `events`.
pub(crate) struct Events<'a> {
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) name: Text<'a>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped: Numbers<'a, UInt32Type>,
}

/// The columns of `links`.
pub(crate) struct Links<'a> {
    pub(crate) trace_id: Ids<'a>,
    pub(crate) span_id: Ids<'a>,
    pub(crate) trace_state: Text<'a>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped: Numbers<'a, UInt32Type>,
}

pub(crate) const TIME: &str = "Timestamp(ns)";

impl<'a> Records<'a> for Spans<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, EncodeError> {
        let columns = Columns::of(batch);
        let (events, event) = columns.structs("events")?;
        let (links, link) = columns.structs("links")?;
        Ok(Self {
            rows: batch.num_rows(),
            trace_id: columns.ids("trace_id", 16)?,
            span_id: columns.ids("span_id", 8)?,
            parent_span_id: columns.ids("parent_span_id", 8)?,
            trace_state: columns.text("trace_state")?,
            flags: columns.numbers("flags", "UInt32")?,
            name: columns.text("name")?,
            kind: Names::of(columns.text("kind")?, &KINDS),
            start_time: columns.numbers("start_time", TIME)?,
            end_time: columns.numbers("end_time", TIME)?,
            status_code: Names::of(columns.text("status_code")?, &STATUS_CODES),
            status_message: columns.text("status_message")?,
            attributes: Attributes::of(&columns, "attributes", "attribute_types")?,
            dropped_attributes: columns.numbers("dropped_attributes_count", "UInt32")?,
            events,
            event: Events {
                time: event.numbers("events.time", TIME)?,
                name: event.text("events.name")?,
                attributes: Attributes::of(&event, "events.attributes", "events.attribute_types")?,
                dropped: event.numbers("events.dropped_attributes_count", "UInt32")?,
            },
            dropped_events: columns.numbers("dropped_events_count", "UInt32")?,
            links,
            link: Links {
                trace_id: link.ids("links.trace_id", 16)?,
                span_id: link.ids("links.span_id", 8)?,
                trace_state: link.text("links.trace_state")?,
                flags: link.numbers("links.flags", "UInt32")?,
                attributes: Attributes::of(&link, "links.attributes", "links.attribute_types")?,
                dropped: link.numbers("links.dropped_attributes_count", "UInt32")?,
            },
            dropped_links: columns.numbers("dropped_links_count", "UInt32")?,
        })
    }

    fn estimate(&self) -> usize {
        self.rows * 130
            + self.attributes.estimate()
            + self.event.attributes.estimate()
            + self.link.attributes.estimate()
    }

    fn write_scope(out: &mut Out, batches: &[Self], runs: &[Run]) -> Result<(), EncodeError> {
        each_row(out, batches, runs, Self::write)
    }
}

impl Spans<'_> {
    fn write(&self, out: &mut Out, row: usize) -> Cell<()> {
        let span = out.open(2, 2);
        id(out, 1, self.trace_id.get(row));
        id(out, 2, self.span_id.get(row));
        out.bytes_unless_empty(3, self.trace_state.or_empty(row)?);
        id(out, 4, self.parent_span_id.get(row));
        out.bytes_unless_empty(5, self.name.or_empty(row)?);
        out.varint_unless_zero(6, self.kind.get(row)?.unwrap_or_default() as u64);
        out.fixed64_unless_zero(7, self.start_time.or_zero(row) as u64);
        out.fixed64_unless_zero(8, self.end_time.or_zero(row) as u64);
        self.attributes.write(out, 9, row)?;
        out.varint_unless_zero(10, self.dropped_attributes.or_zero(row).into());
        for at in self.events.range(row)? {
            self.event(out, at)?;
        }
        out.varint_unless_zero(12, self.dropped_events.or_zero(row).into());
        for at in self.links.range(row)? {
            self.link(out, at)?;
        }
        out.varint_unless_zero(14, self.dropped_links.or_zero(row).into());
        if let Some(code) = self.status_code.get(row)? {
            let status = out.open(15, 1);
            out.bytes_unless_empty(2, self.status_message.or_empty(row)?);
            out.varint_unless_zero(3, code as u64);
            out.close(status);
        }
        out.fixed32_unless_zero(16, self.flags.or_zero(row));
        out.close(span);
        Ok(())
    }

    fn event(&self, out: &mut Out, at: usize) -> Cell<()> {
        let event = out.open(11, 1);
        out.fixed64_unless_zero(1, self.event.time.or_zero(at) as u64);
        out.bytes_unless_empty(2, self.event.name.or_empty(at)?);
        self.event.attributes.write(out, 3, at)?;
        out.varint_unless_zero(4, self.event.dropped.or_zero(at).into());
        out.close(event);
        Ok(())
    }

    fn link(&self, out: &mut Out, at: usize) -> Cell<()> {
        let link = out.open(13, 1);
        id(out, 1, self.link.trace_id.get(at));
        id(out, 2, self.link.span_id.get(at));
        out.bytes_unless_empty(3, self.link.trace_state.or_empty(at)?);
        self.link.attributes.write(out, 4, at)?;
        out.varint_unless_zero(5, self.link.dropped.or_zero(at).into());
        out.fixed32_unless_zero(6, self.link.flags.or_zero(at));
        out.close(link);
        Ok(())
    }
}

/// Writes an id field; a null one is absent.
#[inline(always)]
pub(crate) fn id(out: &mut Out, number: u8, id: Option<&[u8]>) {
    if let Some(id) = id {
        out.bytes_field(number, id);
    }
}
