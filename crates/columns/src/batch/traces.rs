//! The columns of spans, their events and links.

use std::ops::Range;

use arrow_array::StructArray;
use arrow_array::types::{Int64Type, TimestampNanosecondType, UInt32Type};

use super::attributes::{Attributes, Known};
use super::cells::{Ids, Numbers};
use super::common::COUNT;
use super::context::Context;
use super::error::{Bad, BatchError, Checked};
use super::find::Finder;
use super::lists::{Lists, structs, without_null};
use super::logs::TIME;
use super::text::Text;
use crate::counts::{Children, Counts};
use crate::names::{KINDS, STATUS_CODES};
use crate::schema;

/// A batch of spans.
pub(crate) struct Traces<'a> {
    pub(crate) trace_id: Ids<'a, 16>,
    pub(crate) span_id: Ids<'a, 8>,
    pub(crate) parent_span_id: Ids<'a, 8>,
    pub(crate) trace_state: Text<'a>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) name: Text<'a>,
    pub(crate) kind: Text<'a>,
    pub(crate) start_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) end_time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) status_code: Text<'a>,
    pub(crate) status_message: Text<'a>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped_attributes: Numbers<'a, UInt32Type>,
    pub(crate) event_lists: Lists<'a>,
    pub(crate) events: Option<Events<'a>>,
    pub(crate) dropped_events: Numbers<'a, UInt32Type>,
    pub(crate) link_lists: Lists<'a>,
    pub(crate) links: Option<Links<'a>>,
    pub(crate) dropped_links: Numbers<'a, UInt32Type>,
}

/// The elements of `events`.
pub(crate) struct Events<'a> {
    structs: &'a StructArray,
    pub(crate) time: Numbers<'a, TimestampNanosecondType>,
    pub(crate) name: Text<'a>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped: Numbers<'a, UInt32Type>,
}

/// The elements of `links`.
pub(crate) struct Links<'a> {
    structs: &'a StructArray,
    pub(crate) trace_id: Ids<'a, 16>,
    pub(crate) span_id: Ids<'a, 8>,
    pub(crate) trace_state: Text<'a>,
    pub(crate) flags: Numbers<'a, UInt32Type>,
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped: Numbers<'a, UInt32Type>,
}

impl<'a> Traces<'a> {
    pub(super) fn of(columns: &mut Finder<'a>) -> Result<Self, BatchError> {
        // It is derived from both times, whatever it says here.
        Numbers::<Int64Type>::optional(columns, "duration", "Int64")?;
        let (event_lists, events) = structs(columns, "events", true)?;
        let (link_lists, links) = structs(columns, "links", true)?;
        Ok(Self {
            trace_id: Ids::optional(columns, "trace_id")?,
            span_id: Ids::optional(columns, "span_id")?,
            parent_span_id: Ids::optional(columns, "parent_span_id")?,
            trace_state: Text::optional(columns, "trace_state")?,
            flags: Numbers::required(columns, "flags", "UInt32")?,
            name: Text::required(columns, "name")?,
            kind: Text::required(columns, "kind")?,
            start_time: Numbers::required(columns, "start_time", TIME)?,
            end_time: Numbers::required(columns, "end_time", TIME)?,
            status_code: Text::optional(columns, "status_code")?,
            status_message: Text::optional(columns, "status_message")?,
            attributes: Attributes::of(columns, "attributes", "attribute_types")?,
            dropped_attributes: Numbers::required(columns, "dropped_attributes_count", COUNT)?,
            event_lists,
            events: events.map(Events::of).transpose()?,
            dropped_events: Numbers::required(columns, "dropped_events_count", COUNT)?,
            link_lists,
            links: links.map(Links::of).transpose()?,
            dropped_links: Numbers::required(columns, "dropped_links_count", COUNT)?,
        })
    }

    pub(super) fn check(&self, context: &Context, rows: usize, counts: &mut Counts) -> Checked<()> {
        let any = |_: &'a [u8]| Ok(());
        counts.text[0] += self.trace_state.check(0..rows)?;
        counts.text[1] += self.status_message.check(0..rows)?;
        context.within(counts)?;
        counts.dictionary += self.name.check_each(context, rows, any)?;
        counts.dictionary += self.kind.check_names(context, rows, &KINDS)?;
        counts.dictionary += self.status_code.check_names(context, rows, &STATUS_CODES)?;
        if let Some(row) = (0..rows).find(|&row| self.is_message_alone(row)) {
            let message =
                "is null, which says that there is no status, and status_message is not: use unset, ok or error";
            return Err(self.status_code.flaw(row, message).into());
        }
        let mut known = Known::default();
        for row in 0..rows {
            self.attributes.check(context, &mut known, row, &mut counts.attributes)?;
        }
        counts.dictionary += self.attributes.types.check_each(context, rows, any)?;
        let mut known = Known::default();
        let [events, links] = &mut counts.children;
        for row in 0..rows {
            let range = self.event_lists.sound(row)?;
            if let Some(of) = &self.events {
                of.check(context, &mut known, row, range, events)?;
            }
            let range = self.link_lists.sound(row)?;
            if let Some(of) = &self.links {
                of.check(context, &mut known, row, range, links)?;
            }
        }
        for ids in [&self.span_id, &self.parent_span_id] {
            ids.check(0..rows)?;
        }
        self.trace_id.check(0..rows)?;
        for times in [&self.start_time, &self.end_time] {
            times.check(0..rows)?;
        }
        for numbers in [&self.flags, &self.dropped_attributes, &self.dropped_events, &self.dropped_links] {
            numbers.check(0..rows)?;
        }
        context.within(counts)
    }

    /// A status that is a message only has no place in OTLP.
    #[inline(always)]
    fn is_message_alone(&self, row: usize) -> bool {
        self.status_code.slot(row).is_none() && self.status_message.get(row).is_some_and(|text| !text.is_empty())
    }
}

impl<'a> Events<'a> {
    fn of(structs: &'a StructArray) -> Result<Self, BatchError> {
        let mut columns = Finder::new("events", &schema::event_fields(), structs.fields(), structs.columns())?;
        Ok(Self {
            structs,
            time: Numbers::required(&mut columns, "events.time", TIME)?,
            name: Text::required(&mut columns, "events.name")?,
            attributes: Attributes::of(&mut columns, "events.attributes", "events.attribute_types")?,
            dropped: Numbers::required(&mut columns, "events.dropped_attributes_count", COUNT)?,
        })
    }

    fn check(
        &self,
        context: &Context,
        known: &mut Known<'a>,
        row: usize,
        range: Range<usize>,
        size: &mut Children,
    ) -> Checked<()> {
        without_null(self.structs, "events", row, &range)?;
        size.items += range.len();
        let check = || -> Checked<()> {
            self.time.check(range.clone())?;
            size.text = size.text.saturating_add(self.name.check(range.clone())?);
            self.dropped.check(range.clone())?;
            range.into_iter().try_for_each(|at| self.attributes.check(context, known, at, &mut size.attributes))
        };
        check().map_err(|bad| bad.at(row)).and_then(|()| in_memory(context, size.text))
    }
}

impl<'a> Links<'a> {
    fn of(structs: &'a StructArray) -> Result<Self, BatchError> {
        let mut columns = Finder::new("links", &schema::link_fields(), structs.fields(), structs.columns())?;
        Ok(Self {
            structs,
            trace_id: Ids::optional(&mut columns, "links.trace_id")?,
            span_id: Ids::optional(&mut columns, "links.span_id")?,
            trace_state: Text::optional(&mut columns, "links.trace_state")?,
            flags: Numbers::required(&mut columns, "links.flags", "UInt32")?,
            attributes: Attributes::of(&mut columns, "links.attributes", "links.attribute_types")?,
            dropped: Numbers::required(&mut columns, "links.dropped_attributes_count", COUNT)?,
        })
    }

    fn check(
        &self,
        context: &Context,
        known: &mut Known<'a>,
        row: usize,
        range: Range<usize>,
        size: &mut Children,
    ) -> Checked<()> {
        without_null(self.structs, "links", row, &range)?;
        size.items += range.len();
        let check = || -> Checked<()> {
            self.trace_id.check(range.clone())?;
            self.span_id.check(range.clone())?;
            size.text = size.text.saturating_add(self.trace_state.check(range.clone())?);
            self.flags.check(range.clone())?;
            self.dropped.check(range.clone())?;
            range.into_iter().try_for_each(|at| self.attributes.check(context, known, at, &mut size.attributes))
        };
        check().map_err(|bad| bad.at(row)).and_then(|()| in_memory(context, size.text))
    }
}

/// Text below lists may be in a dictionary, and far more than that in rows.
fn in_memory(context: &Context, bytes: usize) -> Checked<()> {
    if bytes > context.limit { Err(Bad::TooLarge(bytes)) } else { Ok(()) }
}
