//! Log records in the second pass.

mod copy;

use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use otlp_arrow_wire::read::{Block, Cursor, Wire};

use super::push_types_dictionary;
use crate::column::{Attributes, Counters, Dictionary, Ids, Letters, Numbers, Text, Times, Zeros};
use crate::counts::Counts;
use crate::render::{Value, letter};
use crate::sink::ColumnSink;

#[derive(Debug)]
pub(super) struct Logs {
    time: Times,
    observed_time: Times,
    severity_number: Numbers<Int32Type>,
    severity_text: Dictionary,
    body: Text,
    body_type: Dictionary,
    attributes: Attributes,
    attribute_types: Dictionary,
    dropped_attributes: Counters,
    flags: Counters,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    event_name: Dictionary,
    letters: Letters,
}

impl Logs {
    pub(super) fn new() -> Self {
        Self {
            time: Times::default(),
            observed_time: Times::default(),
            severity_number: Numbers::default(),
            severity_text: Dictionary::new(),
            body: Text::default(),
            body_type: Dictionary::new(),
            attributes: Attributes::default(),
            attribute_types: Dictionary::new(),
            dropped_attributes: Counters::default(),
            flags: Counters::default(),
            trace_id: Ids::default(),
            span_id: Ids::default(),
            event_name: Dictionary::new(),
            letters: Letters::default(),
        }
    }

    pub(super) fn reserve(&mut self, counts: &Counts) {
        let rows = counts.rows;
        self.time.reserve(rows);
        self.observed_time.reserve(rows);
        self.severity_number.reserve(rows);
        self.severity_text.reserve(rows);
        self.body.reserve(rows, counts.text[0]);
        self.body_type.reserve(rows);
        self.attributes.reserve(rows, &counts.attributes);
        self.attribute_types.reserve(rows);
        self.dropped_attributes.reserve(rows);
        self.flags.reserve(rows);
        self.trace_id.reserve(rows);
        self.span_id.reserve(rows);
        self.event_name.reserve(rows);
    }

    /// Appends a `LogRecord`.
    pub(super) fn log(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool) -> Wire<()> {
        self.letters.clear();
        let none = Block::default();
        let (mut time, mut observed, mut severity, mut flags, mut dropped) = (0, 0, 0, 0, 0);
        let (mut severity_text, mut trace_id, mut span_id, mut event_name) = (none, none, none, none);
        let mut body = None;
        while !cursor.done() {
            match cursor.key()? {
                0x09 => time = cursor.fixed64()?,
                0x10 => severity = cursor.varint32()? as i32,
                0x1a => severity_text = cursor.block()?,
                0x2a => body = Some(Value::read(cursor.message()?)?),
                0x32 => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                0x38 => dropped = cursor.varint32()?,
                0x45 => flags = cursor.fixed32()?,
                0x4a => trace_id = cursor.block()?,
                0x52 => span_id = cursor.block()?,
                0x59 => observed = cursor.fixed64()?,
                0x62 => event_name = cursor.block()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.time.push_known(time);
        self.observed_time.push_known(observed);
        self.severity_number.push_option((severity != 0).then_some(severity));
        self.severity_text.push_known(severity_text.of(bytes));
        self.body(bytes, body)?;
        self.attributes.close(repeats, &mut self.letters);
        push_types_dictionary(&mut self.attribute_types, &self.letters);
        self.dropped_attributes.push(dropped);
        self.flags.push(flags);
        self.trace_id.push(bytes, trace_id);
        self.span_id.push(bytes, span_id);
        self.event_name.push_known(event_name.of(bytes));
        Ok(())
    }

    /// Without a body both columns are null; an empty body is null of type `n`.
    #[inline(always)]
    fn body(&mut self, bytes: &[u8], body: Option<Value>) -> Wire<()> {
        let Some(body) = body else {
            self.body.push_null();
            self.body_type.push_null();
            return Ok(());
        };
        let letter = body.text(bytes, &mut self.body.data)?;
        if letter == letter::EMPTY {
            self.body.push_null()
        } else {
            self.body.close()
        }
        self.body_type.push(&[letter]);
        Ok(())
    }

    /// The columns in schema order.
    pub(super) fn finish(&mut self, zeros: &mut Zeros, columns: &mut Vec<ArrayRef>) {
        columns.extend([
            self.time.finish(zeros),
            self.observed_time.finish(zeros),
            self.severity_number.finish(zeros),
            self.severity_text.finish(zeros),
            self.body.finish(zeros),
            self.body_type.finish(zeros),
            self.attributes.finish(zeros),
            self.attribute_types.finish(zeros),
            self.dropped_attributes.finish(zeros),
            self.flags.finish(zeros),
            self.trace_id.finish(zeros),
            self.span_id.finish(zeros),
            self.event_name.finish(zeros),
        ]);
    }

    /// The same, written.
    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.time.write(sink);
        self.observed_time.write(sink);
        self.severity_number.write(sink);
        self.severity_text.write(sink);
        self.body.write(sink);
        self.body_type.write(sink);
        self.attributes.write(sink);
        self.attribute_types.write(sink);
        self.dropped_attributes.write(sink);
        self.flags.write(sink);
        self.trace_id.write(sink);
        self.span_id.write(sink);
        self.event_name.write(sink);
    }
}
