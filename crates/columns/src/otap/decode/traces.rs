//! Spans, their events and links.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, RecordBatch, StructArray};
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::{Attributes, Seen};
use super::cells::{Columns, Fixed, Ints, Struct, Texts};
use super::children::Groups;
use super::common::Common;
use super::error::Fault;
use super::output::{Memo, Missing, batch, dictionary, dictionary_bytes, text, types, types_dictionary, zeros};
use super::planning::Planning;
use super::tables::Tables;
use crate::Signal;
use crate::column::{self, Counters, Dictionary, Ids, Letters, Lists, Numbers, Text, Times, Zeros};
use crate::counts::{Children, Counts};
use crate::names::{KINDS, STATUS_CODES};
use crate::schema;
use crate::text::same;

/// What the rows of a batch will be.
pub(super) struct Traces<'b> {
    rows: usize,
    ids: Vec<u32>,
    start: Ints<'b>,
    duration: Ints<'b>,
    trace_id: Fixed<'b, 16>,
    span_id: Fixed<'b, 8>,
    parent_span_id: Fixed<'b, 8>,
    trace_state: Texts<'b>,
    flags: Ints<'b>,
    name: Texts<'b>,
    kind: Ints<'b>,
    dropped: [Ints<'b>; 3],
    status: Option<Struct<'b>>,
    status_code: Ints<'b>,
    status_message: Texts<'b>,
    attributes: Attributes<'b>,
    events: Option<Events<'b>>,
    links: Option<Links<'b>>,
    common: Common<'b>,
}

/// Rows of a table that hangs on spans.
struct Below<'b> {
    ids: Vec<u32>,
    groups: Groups,
    attributes: Attributes<'b>,
}

impl<'b> Below<'b> {
    fn of(
        columns: &Columns<'b>,
        spans: &[u32],
        attributes: Option<Columns<'b>>,
        alike: impl Fn(usize) -> bool,
        planning: &mut Planning<'_, '_>,
    ) -> Result<Self, Fault> {
        planning.take(columns.rows * 16)?;
        let ids = columns.written("id")?.ids(columns.rows)?;
        let parents = columns.written("parent_id")?.parents(columns.rows, |row| row > 0 && alike(row))?;
        let attributes = Attributes::of(attributes, &ids, planning)?;
        planning.next();
        Ok(Self { groups: Groups::of(&parents, spans), ids, attributes })
    }

    /// Counts the rows that some span has; `text` gives the bytes of the text of one.
    fn count(
        &self,
        spans: &[u32],
        size: &mut Children,
        planning: &Planning<'_, '_>,
        text: impl Fn(usize) -> usize,
    ) -> Result<(), Fault> {
        for span in spans {
            let rows = self.groups.rows(*span);
            size.items += rows.len();
            size.text += rows.iter().map(|row| text(*row as usize)).sum::<usize>();
            let ids = rows.iter().map(|row| self.ids[*row as usize]);
            self.attributes.count(ids, &mut size.attributes, planning)?;
            let needed = size.items.saturating_mul(24).saturating_add(size.text);
            if needed > planning.limit {
                return Err(Fault::TooLarge { needed, limit: planning.limit });
            }
        }
        Ok(())
    }
}

struct Events<'b> {
    below: Below<'b>,
    time: Ints<'b>,
    name: Texts<'b>,
    dropped: Ints<'b>,
}

struct Links<'b> {
    below: Below<'b>,
    trace_id: Fixed<'b, 16>,
    span_id: Fixed<'b, 8>,
    trace_state: Texts<'b>,
    dropped: Ints<'b>,
    flags: Ints<'b>,
}

impl<'b> Events<'b> {
    fn of(
        tables: &'b Tables<'_>,
        spans: &[u32],
        planning: &mut Planning<'_, '_>,
        size: &mut Children,
    ) -> Result<Option<Self>, Fault> {
        let Some(table) = tables.get(PayloadType::SpanEvents) else { return Ok(None) };
        let name = table.texts("name")?;
        let alike = |row: usize| match (name.slot(row), name.slot(row - 1)) {
            (Some(one), Some(other)) if one == other && name.dictionary().is_some() => true,
            _ => same(name.or_empty(row), name.or_empty(row - 1)),
        };
        let below = Below::of(&table, spans, tables.get(PayloadType::SpanEventAttrs), alike, planning)?;
        below.count(spans, size, planning, |row| name.or_empty(row).len())?;
        let (time, dropped) = (table.ints("time_unix_nano")?, table.ints("dropped_attributes_count")?);
        Ok(Some(Self { below, time, name, dropped }))
    }
}

impl<'b> Links<'b> {
    fn of(
        tables: &'b Tables<'_>,
        spans: &[u32],
        planning: &mut Planning<'_, '_>,
        size: &mut Children,
    ) -> Result<Option<Self>, Fault> {
        let Some(table) = tables.get(PayloadType::SpanLinks) else { return Ok(None) };
        let trace_id: Fixed<'b, 16> = table.fixed("trace_id")?;
        let alike = |row: usize| trace_id.raw(row) == trace_id.raw(row - 1);
        let below = Below::of(&table, spans, tables.get(PayloadType::SpanLinkAttrs), alike, planning)?;
        let trace_state = table.texts("trace_state")?;
        below.count(spans, size, planning, |row| trace_state.or_empty(row).len())?;
        Ok(Some(Self {
            below,
            trace_id,
            span_id: table.fixed("span_id")?,
            trace_state,
            dropped: table.ints("dropped_attributes_count")?,
            flags: table.ints("flags")?,
        }))
    }
}

impl<'b> Traces<'b> {
    pub(super) fn of(
        tables: &'b Tables<'_>,
        planning: &mut Planning<'_, '_>,
        counts: &mut Counts,
    ) -> Result<Self, Fault> {
        let root = tables.root(PayloadType::Spans);
        let rows = root.rows;
        counts.rows = rows;
        planning.within(Signal::Traces, counts)?;
        planning.take(rows * 4)?;
        let ids = root.written("id")?.ids(rows)?;
        let attributes = Attributes::of(tables.get(PayloadType::SpanAttrs), &ids, planning)?;
        planning.next();
        attributes.count(ids.iter().copied(), &mut counts.attributes, planning)?;
        let [event_size, link_size] = &mut counts.children;
        let events = Events::of(tables, &ids, planning, event_size)?;
        let links = Links::of(tables, &ids, planning, link_size)?;
        let status = root.structs("status");
        let within = status.map_or(Columns { rows: 0, fields: &[], arrays: &[], ..root }, |status| status.columns);
        let traces = Self {
            rows,
            start: root.ints("start_time_unix_nano")?,
            duration: root.ints("duration_time_unix_nano")?,
            trace_id: root.fixed("trace_id")?,
            span_id: root.fixed("span_id")?,
            parent_span_id: root.fixed("parent_span_id")?,
            trace_state: root.texts("trace_state")?,
            flags: root.ints("flags")?,
            name: root.texts("name")?,
            kind: root.ints("kind")?,
            dropped: [
                root.ints("dropped_attributes_count")?,
                root.ints("dropped_events_count")?,
                root.ints("dropped_links_count")?,
            ],
            status,
            status_code: within.ints("code")?,
            status_message: within.texts("status_message")?,
            common: Common::of(tables, &root, planning, counts)?,
            ids,
            attributes,
            events,
            links,
        };
        let bytes = |texts: &Texts<'_>| (0..rows).map(|row| texts.or_empty(row).len()).sum::<usize>();
        counts.text = [bytes(&traces.trace_state), bytes(&traces.status_message)];
        counts.dictionary += dictionary_bytes(&traces.name, 0..rows);
        // Names of enumerations, numbers that have none, and letters as if those of all rows were different.
        counts.dictionary += 256 + counts.attributes.entries;
        counts.dictionary += (0..rows).filter(|row| !(0..6).contains(&traces.kind.or_zero(*row))).count() * 11;
        counts.dictionary += (0..rows).filter(|row| !(0..3).contains(&traces.status_code.or_zero(*row))).count() * 11;
        Ok(traces)
    }

    /// Whether a span has a status: Go and Rust write it wherever one span of the batch has one.
    fn has_status(&self, row: usize) -> bool {
        self.status.is_some_and(|status| !status.is_null(row))
    }

    pub(super) fn build(&self, counts: &Counts) -> RecordBatch {
        let rows = self.rows;
        let mut zeros = zeros();
        let (mut trace_id, mut span_id, mut parent) = (Ids::<16>::default(), Ids::<8>::default(), Ids::<8>::default());
        let (mut start_time, mut end_time) = (Times::default(), Times::default());
        let mut duration = Numbers::<Int64Type>::default();
        let (mut trace_state, mut message) = (Text::default(), Text::default());
        let mut flags = Counters::default();
        let mut dropped: [Counters; 3] = Default::default();
        trace_id.reserve(rows);
        span_id.reserve(rows);
        parent.reserve(rows);
        start_time.reserve(rows);
        end_time.reserve(rows);
        duration.reserve(rows);
        trace_state.reserve(rows, counts.text[0]);
        message.reserve(rows, counts.text[1]);
        flags.reserve(rows);
        dropped.iter_mut().for_each(|column| column.reserve(rows));
        for row in 0..rows {
            trace_id.push_id(self.trace_id.get(row));
            span_id.push_id(self.span_id.get(row));
            parent.push_id(self.parent_span_id.get(row));
            let (start, lasted) = (self.start.or_zero(row), self.duration.or_zero(row));
            start_time.push(start as u64);
            end_time.push(start.wrapping_add(lasted) as u64);
            duration.push(lasted);
            text(&mut trace_state, &self.trace_state, row, Missing::Null);
            text(&mut message, &self.status_message, row, Missing::Null);
            flags.push(self.flags.count(row));
            for (to, from) in dropped.iter_mut().zip(&self.dropped) {
                to.push(from.count(row));
            }
        }
        let mut name = Dictionary::new();
        name.reserve(rows);
        dictionary(&mut Memo::default(), &mut name, &self.name, 0..rows, Missing::Empty);
        let kind = (0..rows).map(|row| Some(self.kind.or_zero(row) as i32));
        let mut kind = names(rows, kind, &KINDS);
        let code = |row| self.has_status(row).then(|| self.status_code.or_zero(row) as i32);
        let mut status_code = names(rows, (0..rows).map(code), &STATUS_CODES);
        let (mut attributes, mut letter_column) = (column::Attributes::default(), Dictionary::new());
        attributes.reserve(rows, &counts.attributes);
        letter_column.reserve(rows);
        let (mut seen, mut letters) = (Seen::default(), Letters::default());
        for id in &self.ids {
            self.attributes.push(*id, &mut attributes, &mut letters, &mut seen);
            types_dictionary(&mut letter_column, &letters);
        }
        let events = self.events(&counts.children[0], &mut zeros);
        let links = self.links(&counts.children[1], &mut zeros);
        let [dropped_attributes, dropped_events, dropped_links] = &mut dropped;
        let mut columns = vec![
            trace_id.finish(&mut zeros),
            span_id.finish(&mut zeros),
            parent.finish(&mut zeros),
            trace_state.finish(&mut zeros),
            flags.finish(&mut zeros),
            name.finish(&mut zeros),
            kind.finish(&mut zeros),
            start_time.finish(&mut zeros),
            end_time.finish(&mut zeros),
            duration.finish(&mut zeros),
            status_code.finish(&mut zeros),
            message.finish(&mut zeros),
            attributes.finish(&mut zeros),
            letter_column.finish(&mut zeros),
            dropped_attributes.finish(&mut zeros),
            events,
            dropped_events.finish(&mut zeros),
            links,
            dropped_links.finish(&mut zeros),
        ];
        self.common.build(0..rows, rows, &mut zeros, &mut columns);
        batch(Signal::Traces, rows, columns)
    }

    fn events(&self, size: &Children, zeros: &mut Zeros) -> ArrayRef {
        let (item, fields) = schema::struct_of(Signal::Traces, schema::traces::EVENTS);
        let mut lists = Lists::default();
        lists.reserve(self.rows);
        let (mut time, mut name, mut dropped) = (Times::default(), Text::default(), Counters::default());
        let (mut attributes, mut letter_column) = (column::Attributes::default(), Text::default());
        if size.items > 0 {
            time.reserve(size.items);
            name.reserve(size.items, size.text);
            dropped.reserve(size.items);
            attributes.reserve(size.items, &size.attributes);
            letter_column.reserve(size.items, size.attributes.entries);
        }
        let (mut seen, mut letters) = (Seen::default(), Letters::default());
        for id in &self.ids {
            if let Some(events) = &self.events {
                for &row in events.below.groups.rows(*id) {
                    let row = row as usize;
                    time.push(events.time.or_zero(row) as u64);
                    text(&mut name, &events.name, row, Missing::Empty);
                    dropped.push(events.dropped.count(row));
                    events.below.attributes.push(events.below.ids[row], &mut attributes, &mut letters, &mut seen);
                    types(&mut letter_column, &letters);
                }
            }
            lists.push(name.len());
        }
        let columns = vec![
            time.finish(zeros),
            name.finish(zeros),
            attributes.finish(zeros),
            letter_column.finish(zeros),
            dropped.finish(zeros),
        ];
        lists.finish(item, Arc::new(StructArray::new(fields, columns, None)), zeros)
    }

    fn links(&self, size: &Children, zeros: &mut Zeros) -> ArrayRef {
        let (item, fields) = schema::struct_of(Signal::Traces, schema::traces::LINKS);
        let mut lists = Lists::default();
        lists.reserve(self.rows);
        let (mut trace_id, mut span_id, mut state) = (Ids::<16>::default(), Ids::<8>::default(), Text::default());
        let (mut flags, mut dropped) = (Counters::default(), Counters::default());
        let (mut attributes, mut letter_column) = (column::Attributes::default(), Text::default());
        if size.items > 0 {
            trace_id.reserve(size.items);
            span_id.reserve(size.items);
            state.reserve(size.items, size.text);
            flags.reserve(size.items);
            dropped.reserve(size.items);
            attributes.reserve(size.items, &size.attributes);
            letter_column.reserve(size.items, size.attributes.entries);
        }
        let (mut seen, mut letters) = (Seen::default(), Letters::default());
        for id in &self.ids {
            if let Some(links) = &self.links {
                for &row in links.below.groups.rows(*id) {
                    let row = row as usize;
                    trace_id.push_id(links.trace_id.get(row));
                    span_id.push_id(links.span_id.get(row));
                    text(&mut state, &links.trace_state, row, Missing::Null);
                    flags.push(links.flags.count(row));
                    dropped.push(links.dropped.count(row));
                    links.below.attributes.push(links.below.ids[row], &mut attributes, &mut letters, &mut seen);
                    types(&mut letter_column, &letters);
                }
            }
            lists.push(state.len());
        }
        let columns = vec![
            trace_id.finish(zeros),
            span_id.finish(zeros),
            state.finish(zeros),
            flags.finish(zeros),
            attributes.finish(zeros),
            letter_column.finish(zeros),
            dropped.finish(zeros),
        ];
        lists.finish(item, Arc::new(StructArray::new(fields, columns, None)), zeros)
    }
}

/// A column of an enumeration: names, and numbers that have none.
pub(super) fn names(rows: usize, values: impl Iterator<Item = Option<i32>>, names: &[&str]) -> Dictionary {
    let mut column = Dictionary::new();
    column.reserve(rows);
    let mut keys = vec![-1; names.len()];
    for value in values {
        let Some(value) = value else {
            column.push_null();
            continue;
        };
        let known = usize::try_from(value).ok().filter(|at| *at < names.len());
        let key = match known {
            Some(at) if keys[at] >= 0 => keys[at],
            Some(at) => {
                keys[at] = column.key(names[at].as_bytes());
                keys[at]
            }
            None => column.key(itoa::Buffer::new().format(value).as_bytes()),
        };
        column.push_key(key);
    }
    column
}
