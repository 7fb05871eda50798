//! Lists below data points: numbers, quantiles, exemplars.

mod copy;

use std::sync::Arc;

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, StructArray};
use arrow_schema::{FieldRef, Fields};
use otlp_arrow_wire::read::{Block, Cursor, Wire};

use super::push_types;
use crate::Signal;
use crate::column::{Again, Attributes, Ids, Letters, Lists, Numbers, Text, Times, Zeros};
use crate::counts::Children;
use crate::decode::plan::Plan;
use crate::schema;
use crate::sink::{ColumnSink, no_null};

/// A nullable list column of numbers.
#[derive(Debug)]
pub(super) struct NumberLists<P: ArrowPrimitiveType> {
    lists: Lists,
    values: Numbers<P>,
}

impl<P: ArrowPrimitiveType> Default for NumberLists<P> {
    fn default() -> Self {
        Self { lists: Lists::default(), values: Numbers::default() }
    }
}

impl<P: ArrowPrimitiveType> NumberLists<P> {
    pub(super) fn reserve(&mut self, rows: usize, values: usize) {
        self.lists.expect(rows);
        self.values.reserve(values);
    }

    #[inline(always)]
    pub(super) fn push(&mut self, value: P::Native) {
        self.values.push(value);
    }

    /// Appends packed eight-byte numbers to the list that is open.
    #[inline(always)]
    pub(super) fn extend(&mut self, packed: &[u8], read: impl Fn([u8; 8]) -> P::Native) {
        self.values.extend(packed.as_chunks().0.iter().map(|chunk| read(*chunk)));
    }

    /// Appends numbers to the list that is open.
    pub(super) fn push_all(&mut self, values: &[P::Native]) {
        self.values.extend(values.iter().copied());
    }

    /// Ends a list; null if the point has none.
    #[inline(always)]
    pub(super) fn close(&mut self, present: bool) {
        if present { self.lists.push(self.values.len()) } else { self.lists.push_nulls(1) }
    }

    #[inline(always)]
    pub(super) fn push_nulls(&mut self, count: usize) {
        self.lists.push_nulls(count);
    }

    pub(super) fn finish(&mut self, item: &FieldRef, zeros: &mut Zeros) -> ArrayRef {
        let values = self.values.finish(zeros);
        self.lists.finish(item.clone(), values, zeros)
    }

    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        self.lists.write(sink);
        self.values.write(sink);
    }
}

#[derive(Debug)]
pub(super) struct Quantiles {
    fields: Fields,
    pub(super) item: FieldRef,
    quantile: Numbers<Float64Type>,
    value: Numbers<Float64Type>,
    none: Again,
}

impl Quantiles {
    pub(super) fn new() -> Self {
        let (item, fields) = schema::struct_of(Signal::Metrics, schema::metrics::QUANTILES);
        Self { fields, item, quantile: Numbers::default(), value: Numbers::default(), none: Again::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.value.len()
    }

    pub(super) fn reserve(&mut self, counts: &Children) {
        if counts.items == 0 {
            return;
        }
        self.quantile.reserve(counts.items);
        self.value.reserve(counts.items);
    }

    pub(super) fn push(&mut self, mut cursor: Cursor<'_>) -> Wire<()> {
        let (mut quantile, mut value) = (0, 0);
        while !cursor.done() {
            match cursor.key()? {
                0x09 => quantile = cursor.fixed64()?,
                0x11 => value = cursor.fixed64()?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.quantile.push(f64::from_bits(quantile));
        self.value.push(f64::from_bits(value));
        Ok(())
    }

    pub(super) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let items = self.len();
        let mut none = std::mem::take(&mut self.none);
        let array = if items == 0 { none.array(0, || self.array(zeros)) } else { self.array(zeros) };
        self.none = none;
        array
    }

    fn array(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let columns = vec![self.quantile.finish(zeros), self.value.finish(zeros)];
        Arc::new(StructArray::new(self.fields.clone(), columns, None))
    }

    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        no_null(self.len(), sink);
        self.quantile.write(sink);
        self.value.write(sink);
    }
}

#[derive(Debug)]
pub(super) struct Exemplars {
    fields: Fields,
    pub(super) item: FieldRef,
    time: Times,
    value: Numbers<Float64Type>,
    value_int: Numbers<Int64Type>,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    attributes: Attributes,
    types: Text,
    letters: Letters,
    none: Again,
}

impl Exemplars {
    pub(super) fn new() -> Self {
        let (item, fields) = schema::struct_of(Signal::Metrics, schema::metrics::EXEMPLARS);
        Self {
            item,
            fields,
            time: Times::default(),
            value: Numbers::default(),
            value_int: Numbers::default(),
            trace_id: Ids::default(),
            span_id: Ids::default(),
            attributes: Attributes::default(),
            types: Text::default(),
            letters: Letters::default(),
            none: Again::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.value.len()
    }

    pub(super) fn reserve(&mut self, counts: &Children) {
        if counts.items == 0 {
            return;
        }
        self.time.reserve(counts.items);
        self.value.reserve(counts.items);
        self.value_int.reserve(counts.items);
        self.trace_id.reserve(counts.items);
        self.span_id.reserve(counts.items);
        self.attributes.reserve(counts.items, &counts.attributes);
        self.types.reserve(counts.items, counts.attributes.entries);
    }

    pub(super) fn push(&mut self, bytes: &[u8], mut cursor: Cursor<'_>, repeats: bool) -> Wire<()> {
        self.letters.clear();
        let (mut time, mut value, mut int) = (0, None, None);
        let (mut trace_id, mut span_id) = (Block::default(), Block::default());
        while !cursor.done() {
            match cursor.key()? {
                0x11 => time = cursor.fixed64()?,
                0x19 => (value, int) = (Some(f64::from_bits(cursor.fixed64()?)), None),
                0x22 => span_id = cursor.block()?,
                0x2a => trace_id = cursor.block()?,
                0x31 => {
                    let number = cursor.fixed64()? as i64;
                    (value, int) = (Some(number as f64), Some(number));
                }
                0x3a => self.attributes.push(bytes, cursor.message()?, &mut self.letters)?,
                key => cursor.skip(key, 0)?,
            }
        }
        self.time.push(time);
        self.value.push_option(value);
        self.value_int.push_option(int);
        self.trace_id.push(bytes, trace_id);
        self.span_id.push(bytes, span_id);
        self.attributes.close(repeats, &mut self.letters);
        push_types(&mut self.types, &self.letters);
        Ok(())
    }

    pub(super) fn finish(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let items = self.len();
        let mut none = std::mem::take(&mut self.none);
        let array = if items == 0 { none.array(0, || self.array(zeros)) } else { self.array(zeros) };
        self.none = none;
        array
    }

    fn array(&mut self, zeros: &mut Zeros) -> ArrayRef {
        let columns = vec![
            self.time.finish(zeros),
            self.value.finish(zeros),
            self.value_int.finish(zeros),
            self.trace_id.finish(zeros),
            self.span_id.finish(zeros),
            self.attributes.finish(zeros),
            self.types.finish(zeros),
        ];
        Arc::new(StructArray::new(self.fields.clone(), columns, None))
    }

    pub(super) fn write(&mut self, sink: &mut impl ColumnSink) {
        no_null(self.len(), sink);
        self.time.write(sink);
        self.value.write(sink);
        self.value_int.write(sink);
        self.trace_id.write(sink);
        self.span_id.write(sink);
        self.attributes.write(sink);
        self.types.write(sink);
    }
}

/// Goes through the records of a request beside the plan.
#[derive(Debug)]
pub(super) struct Skips<'a> {
    plan: &'a Plan,
    record: usize,
    skip: usize,
    repeat: usize,
}

impl<'a> Skips<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self { plan, record: 0, skip: 0, repeat: 0 }
    }

    /// The next record: `None` if it is left out, else whether it repeats a key.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<bool> {
        let record = self.record;
        self.record += 1;
        if let Some(skip) = self.plan.skips.get(self.skip)
            && record >= skip.first
        {
            if record + 1 == skip.end {
                self.skip += 1;
            }
            return None;
        }
        let repeats = self.plan.repeats.get(self.repeat) == Some(&record);
        self.repeat += usize::from(repeats);
        Some(repeats)
    }
}
