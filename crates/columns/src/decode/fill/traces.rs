//! Spans in the second pass.

mod copy;

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, StructArray};
use arrow_schema::Fields;
use otlp_arrow_wire::read::{Block, Cursor, Wire};

use super::{Enumeration, push_types, push_types_dictionary};
use crate::Signal;
use crate::column::{Again, Attributes, Counters, Dictionary, Ids, Letters, Lists, Numbers, Text, Times, Zeros};
use crate::counts::{Children, Counts};
use crate::names::{KINDS, STATUS_CODES};
use crate::schema;
use crate::sink::{ColumnSink, no_null};

#[derive(Debug)]
pub(super) struct Traces {
    trace_id: Ids<16>,
    span_id: Ids<8>,
    parent_span_id: Ids<8>,
    trace_state: Text,
    flags: Counters,
    name: Dictionary,
    kind: Enumeration<6>,
    start_time: Times,
    end_time: Times,
    duration: Numbers<Int64Type>,
    status_code: Enumeration<3>,
    status_message: Text,
    attributes: Attributes,
    attribute_types: Dictionary,
    dropped_attributes: Counters,
    event_lists: Lists,
    events: Events,
    dropped_events: Counters,
    link_lists: Lists,
    links: Links,
    dropped_links: Counters,
    letters: Letters,
    inner_letters: Letters,
}

impl Traces {
    pub(super) fn new() -> Self {
        Self {
            trace_id: Ids::default(),
            span_id: Ids::default(),
            parent_span_id: Ids::default(),
            trace_state: Text::default(),
            flags: Counters::default(),
            name: Dictionary::new(),
            kind: Enumeration::new(KINDS),
            start_time: Times::default(),
            end_time: Times::default(),
            duration: Numbers::default(),
            status_code: Enumeration::new(STATUS_CODES),
            status_message: Text::default(),
            attributes: Attributes::default(),
            attribute_types: Dictionary::new(),
            dropped_attributes: Counters::default(),
            event_lists: Lists::default(),
            events: Events::new(),
            dropped_events: Counters::default(),
            link_lists: Lists::default(),
            links: Links::new(),
            dropped_links: Counters::default(),
            letters: Letters::default(),
            inner_letters: Letters::default(),
        }
    }

    pub(super) fn reserve(&mut self, counts: &Counts) {
        let rows = counts.rows;
        self.trace_id.reserve(rows);
        self.span_id.reserve(rows);
        self.parent_span_id.reserve(rows);
        self.trace_state.reserve(rows, counts.text[0]);
        self.flags.reserve(rows);
        self.name.reserve(rows);
        self.kind.column.reserve(rows);
        self.start_time.reserve(rows);
        self.end_time.reserve(rows);
        self.duration.reserve(rows);
        self.status_code.column.reserve(rows);
        self.status_message.reserve(rows, counts.text[1]);
        self.attributes.reserve(rows, &counts.attributes);
        self.attribute_types.reserve(rows);
        self.dropped_attributes.reserve(rows);
        self.event_lists.reserve(rows);
        self.events.reserve(&counts.children[0]);
        self.dropped_events.reserve(rows);
        self.link_lists.reserve(rows);
        self.links.reserve(&counts.children[1]);
        self.dropped_links.reserve(rows);
    }

    /// Appends a `Span`.
    pub(super) fn span(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool) -> Wire<()> {
        self.letters.clear();
        let none = Block::default();
        let (mut trace_id, mut span_id, mut parent, mut state, mut name) = (none, none, none, none, none);
        let (mut kind, mut start, mut end, mut flags) = (0, 0, 0, 0);
        let (mut dropped_attributes, mut dropped_events, mut dropped_links) = (0, 0, 0);
        let mut status = None;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => trace_id = cursor.block()?,
                0x12 => span_id = cursor.block()?,
                0x1a => state = cursor.block()?,
                0x22 => parent = cursor.block()?,
                0x2a => name = cursor.block()?,
                0x30 => kind = cursor.varint32()? as i32,
                0x39 => start = cursor.fixed64()?,
                0x41 => end = cursor.fixed64()?,
                0x4a => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                0x50 => dropped_attributes = cursor.varint32()?,
                0x5a => self.events.push(bytes, cursor.message()?, repeats, &mut self.inner_letters)?,
                0x60 => dropped_events = cursor.varint32()?,
                0x6a => self.links.push(bytes, cursor.message()?, repeats, &mut self.inner_letters)?,
                0x70 => dropped_links = cursor.varint32()?,
                0x7a => status = Some(cursor.message()?),
                0x85 => flags = cursor.fixed32()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.trace_id.push(bytes, trace_id);
        self.span_id.push(bytes, span_id);
        self.parent_span_id.push(bytes, parent);
        self.trace_state.push_known(bytes, state);
        self.flags.push(flags);
        self.name.push(name.of(bytes));
        self.kind.push(kind);
        self.start_time.push(start);
        self.end_time.push(end);
        self.duration.push(end.wrapping_sub(start) as i64);
        self.status(bytes, status)?;
        self.attributes.close(repeats, &mut self.letters);
        push_types_dictionary(&mut self.attribute_types, &self.letters);
        self.dropped_attributes.push(dropped_attributes);
        self.event_lists.push(self.events.len());
        self.dropped_events.push(dropped_events);
        self.link_lists.push(self.links.len());
        self.dropped_links.push(dropped_links);
        Ok(())
    }

    #[inline(always)]
    fn status(&mut self, bytes: &[u8], status: Option<Cursor<'_>>) -> Wire<()> {
        let Some(mut cursor) = status else {
            self.status_code.column.push_null();
            self.status_message.push_null();
            return Ok(());
        };
        let (mut message, mut code) = (Block::default(), 0);
        while !cursor.done() {
            match cursor.key()? {
                0x12 => message = cursor.block()?,
                0x18 => code = cursor.varint32()? as i32,
                key => cursor.skip(key, 0)?,
            }
        }
        self.status_code.push(code);
        self.status_message.push_known(bytes, message);
        Ok(())
    }

    /// The columns in schema order.
    pub(super) fn finish(&mut self, zeros: &mut Zeros, columns: &mut Vec<ArrayRef>) {
        let events = self.events.finish(zeros);
        let links = self.links.finish(zeros);
        columns.extend([
            self.trace_id.finish(zeros),
            self.span_id.finish(zeros),
            self.parent_span_id.finish(zeros),
            self.trace_state.finish(zeros),
            self.flags.finish(zeros),
            self.name.finish(zeros),
            self.kind.finish(zeros),
            self.start_time.finish(zeros),
            self.end_time.finish(zeros),
            self.duration.finish(zeros),
            self.status_code.finish(zeros),
            self.status_message.finish(zeros),
            self.attributes.finish(zeros),
            self.attribute_types.finish(zeros),
            self.dropped_attributes.finish(zeros),
            self.event_lists.finish(self.events.item.clone(), events, zeros),
            self.dropped_events.finish(zeros),
            self.link_lists.finish(self.links.item.clone(), links, zeros),
            self.dropped_links.finish(zeros),
        ]);
    }

    /// The same, written.
    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.trace_id.write(sink);
        self.span_id.write(sink);
        self.parent_span_id.write(sink);
        self.trace_state.write(sink);
        self.flags.write(sink);
        self.name.write(sink);
        self.kind.write(sink);
        self.start_time.write(sink);
        self.end_time.write(sink);
        self.duration.write(sink);
        self.status_code.write(sink);
        self.status_message.write(sink);
        self.attributes.write(sink);
        self.attribute_types.write(sink);
        self.dropped_attributes.write(sink);
        self.event_lists.write(sink);
        self.events.write(sink);
        self.dropped_events.write(sink);
        self.link_lists.write(sink);
        self.links.write(sink);
        self.dropped_links.write(sink);
    }
}

#[derive(Debug)]
struct Events {
    fields: Fields,
    item: arrow_schema::FieldRef,
    time: Times,
    name: Text,
    attributes: Attributes,
    types: Text,
    dropped: Counters,
    none: Again,
}

impl Events {
    fn new() -> Self {
        let (item, fields) = schema::struct_of(Signal::Traces, schema::traces::EVENTS);
        Self {
            item,
            fields,
            time: Times::default(),
            name: Text::default(),
            attributes: Attributes::default(),
            types: Text::default(),
            dropped: Counters::default(),
            none: Again::default(),
        }
    }

    fn len(&self) -> usize {
        self.name.len()
    }

    fn reserve(&mut self, counts: &Children) {
        if counts.items == 0 {
            return;
        }
        self.time.reserve(counts.items);
        self.name.reserve(counts.items, counts.text);
        self.attributes.reserve(counts.items, &counts.attributes);
        self.types.reserve(counts.items, counts.attributes.entries);
        self.dropped.reserve(counts.items);
    }

    fn push(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool, letters: &mut Letters) -> Wire<()> {
        letters.clear();
        let (mut time, mut name, mut dropped) = (0, Block::default(), 0);
        while !cursor.done() {
            match cursor.key()? {
                0x09 => time = cursor.fixed64()?,
                0x12 => name = cursor.block()?,
                0x1a => self.attributes.push(bytes, cursor.message()?, letters)?,
                0x20 => dropped = cursor.varint32()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.time.push(time);
        self.name.push(bytes, name);
        self.attributes.close(repeats, letters);
        push_types(&mut self.types, letters);
        self.dropped.push(dropped);
        Ok(())
    }

    fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let items = self.len();
        let mut none = std::mem::take(&mut self.none);
        let array = if items == 0 { none.array(0, || self.array(zeros)) } else { self.array(zeros) };
        self.none = none;
        array
    }

    fn array(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let columns = vec![
            self.time.finish(zeros),
            self.name.finish(zeros),
            self.attributes.finish(zeros),
            self.types.finish(zeros),
            self.dropped.finish(zeros),
        ];
        Arc::new(StructArray::new(self.fields.clone(), columns, None))
    }

    fn write(&mut self, sink: &mut impl ColumnSink) {
        no_null(self.len(), sink);
        self.time.write(sink);
        self.name.write(sink);
        self.attributes.write(sink);
        self.types.write(sink);
        self.dropped.write(sink);
    }
}

#[derive(Debug)]
struct Links {
    fields: Fields,
    item: arrow_schema::FieldRef,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    trace_state: Text,
    flags: Counters,
    attributes: Attributes,
    types: Text,
    dropped: Counters,
    none: Again,
}

impl Links {
    fn new() -> Self {
        let (item, fields) = schema::struct_of(Signal::Traces, schema::traces::LINKS);
        Self {
            item,
            fields,
            trace_id: Ids::default(),
            span_id: Ids::default(),
            trace_state: Text::default(),
            flags: Counters::default(),
            attributes: Attributes::default(),
            types: Text::default(),
            dropped: Counters::default(),
            none: Again::default(),
        }
    }

    fn len(&self) -> usize {
        self.trace_state.len()
    }

    fn reserve(&mut self, counts: &Children) {
        if counts.items == 0 {
            return;
        }
        self.trace_id.reserve(counts.items);
        self.span_id.reserve(counts.items);
        self.trace_state.reserve(counts.items, counts.text);
        self.flags.reserve(counts.items);
        self.attributes.reserve(counts.items, &counts.attributes);
        self.types.reserve(counts.items, counts.attributes.entries);
        self.dropped.reserve(counts.items);
    }

    fn push(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool, letters: &mut Letters) -> Wire<()> {
        letters.clear();
        let none = Block::default();
        let (mut trace_id, mut span_id, mut state, mut flags, mut dropped) = (none, none, none, 0, 0);
        while !cursor.done() {
            match cursor.key()? {
                0x0a => trace_id = cursor.block()?,
                0x12 => span_id = cursor.block()?,
                0x1a => state = cursor.block()?,
                0x22 => self.attributes.push(bytes, cursor.message()?, letters)?,
                0x28 => dropped = cursor.varint32()?,
                0x35 => flags = cursor.fixed32()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.trace_id.push(bytes, trace_id);
        self.span_id.push(bytes, span_id);
        self.trace_state.push_known(bytes, state);
        self.flags.push(flags);
        self.attributes.close(repeats, letters);
        push_types(&mut self.types, letters);
        self.dropped.push(dropped);
        Ok(())
    }

    fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let items = self.len();
        let mut none = std::mem::take(&mut self.none);
        let array = if items == 0 { none.array(0, || self.array(zeros)) } else { self.array(zeros) };
        self.none = none;
        array
    }

    fn array(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let columns = vec![
            self.trace_id.finish(zeros),
            self.span_id.finish(zeros),
            self.trace_state.finish(zeros),
            self.flags.finish(zeros),
            self.attributes.finish(zeros),
            self.types.finish(zeros),
            self.dropped.finish(zeros),
        ];
        Arc::new(StructArray::new(self.fields.clone(), columns, None))
    }

    fn write(&mut self, sink: &mut impl ColumnSink) {
        no_null(self.len(), sink);
        self.trace_id.write(sink);
        self.span_id.write(sink);
        self.trace_state.write(sink);
        self.flags.write(sink);
        self.attributes.write(sink);
        self.types.write(sink);
        self.dropped.write(sink);
    }
}
