//! Spans in the first pass.

use otlp_arrow_wire::read::{Cursor, Wire, fields};

use super::Checker;
use super::value::Names;

const ATTRIBUTES: Names = Names { key: "attributes.key", value: "attributes.value" };
const EVENTS: Names = Names { key: "events.attributes.key", value: "events.attributes.value" };
const LINKS: Names = Names { key: "links.attributes.key", value: "links.attributes.value" };

const SPAN: u64 = fields([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

impl<'a> Checker<'a> {
    /// A `Span`.
    pub(super) fn span(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        let before = self.open_record();
        let (mut trace_id, mut span_id, mut parent) = (0, 0, 0);
        let (mut state, mut name, mut message) = (0, 0, 0);
        let mut statuses = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x0a => trace_id = cursor.block()?.len(),
                0x12 => span_id = cursor.block()?.len(),
                0x1a => state = self.text(&mut cursor, "trace_state")?,
                0x22 => parent = cursor.block()?.len(),
                0x2a => name = self.text(&mut cursor, "name")?,
                0x30 | 0x50 | 0x60 | 0x70 => drop(cursor.varint()?),
                0x39 | 0x41 => drop(cursor.fixed64()?),
                0x4a => self.attribute(&mut cursor, &ATTRIBUTES)?,
                0x5a => self.event(cursor.message()?)?,
                0x6a => self.link(cursor.message()?)?,
                0x7a => {
                    statuses += 1;
                    message = self.status(cursor.message()?)?;
                }
                0x85 => drop(cursor.fixed32()?),
                key => self.other(&mut cursor, key, SPAN)?,
            }
        }
        if statuses > 1 {
            self.merges += statuses - 1;
        }
        self.id(trace_id, 16, "trace_id");
        self.id(span_id, 8, "span_id");
        self.id(parent, 8, "parent_span_id");
        self.counts.text[0] += state;
        self.counts.text[1] += message;
        self.counts.dictionary += name;
        self.close_record(&before)
    }

    /// A `Status`: bytes of its message.
    fn status(&mut self, mut cursor: Cursor<'a>) -> Wire<usize> {
        let mut message = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x12 => message = self.text(&mut cursor, "status.message")?,
                0x18 => drop(cursor.varint()?),
                key => cursor.skip(key, fields([2, 3]))?,
            }
        }
        Ok(message)
    }

    fn event(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        self.inner_keys.clear();
        let mut name = 0;
        while !cursor.done() {
            match cursor.key()? {
                0x09 => drop(cursor.fixed64()?),
                0x12 => name = self.text(&mut cursor, "events.name")?,
                0x1a => self.inner_attribute(&mut cursor, 0, &EVENTS)?,
                0x20 => drop(cursor.varint()?),
                key => cursor.skip(key, fields([1, 2, 3, 4]))?,
            }
        }
        self.counts.children[0].items += 1;
        self.counts.children[0].text += name;
        Ok(())
    }

    fn link(&mut self, mut cursor: Cursor<'a>) -> Wire<()> {
        self.inner_keys.clear();
        let (mut trace_id, mut span_id, mut state) = (0, 0, 0);
        while !cursor.done() {
            match cursor.key()? {
                0x0a => trace_id = cursor.block()?.len(),
                0x12 => span_id = cursor.block()?.len(),
                0x1a => state = self.text(&mut cursor, "links.trace_state")?,
                0x22 => self.inner_attribute(&mut cursor, 1, &LINKS)?,
                0x28 => drop(cursor.varint()?),
                0x35 => drop(cursor.fixed32()?),
                key => cursor.skip(key, fields([1, 2, 3, 4, 5, 6]))?,
            }
        }
        self.id(trace_id, 16, "links.trace_id");
        self.id(span_id, 8, "links.span_id");
        self.counts.children[1].items += 1;
        self.counts.children[1].text += state;
        Ok(())
    }
}
