//! Log records.

use arrow_array::RecordBatch;
use arrow_array::types::Int32Type;
use otlp_arrow_wire::otap::PayloadType;
use otlp_arrow_wire::read::Block;

use super::attributes::{Attributes, Place, Seen, Values};
use super::cells::{Columns, Fixed, Ints, Texts};
use super::common::Common;
use super::error::Fault;
use super::output::{Memo, Missing, batch, dictionary, dictionary_bytes, types_dictionary, zeros};
use super::planning::Planning;
use super::tables::Tables;
use crate::Signal;
use crate::column::{self, Counters, Dictionary, Ids, Letters, Numbers, Text, Times};
use crate::counts::Counts;
use crate::render::letter;

/// What the rows of a batch will be.
pub(super) struct Logs<'b> {
    rows: usize,
    ids: Vec<u32>,
    time: Ints<'b>,
    observed_time: Ints<'b>,
    trace_id: Fixed<'b, 16>,
    span_id: Fixed<'b, 8>,
    severity_number: Ints<'b>,
    severity_text: Texts<'b>,
    event_name: Texts<'b>,
    dropped: Ints<'b>,
    flags: Ints<'b>,
    bodies: Bodies<'b>,
    attributes: Attributes<'b>,
    common: Common<'b>,
}

/// The bodies of all rows: a letter, and where its text is.
struct Bodies<'b> {
    strings: &'b [u8],
    scratch: Vec<u8>,
    /// Without a body, 0.
    letters: Vec<u8>,
    places: Vec<Block>,
}

impl<'b> Bodies<'b> {
    fn of(root: &Columns<'b>, planning: &mut Planning<'_, '_>) -> Result<Self, Fault> {
        let Some(body) = root.structs("body") else {
            return Ok(Self { strings: &[], scratch: Vec::new(), letters: vec![0; root.rows], places: Vec::new() });
        };
        planning.take(root.rows * 17)?;
        let values = Values::of(&body.columns)?;
        let mut bodies = Self {
            strings: values.strings.data,
            scratch: Vec::new(),
            letters: Vec::with_capacity(root.rows),
            places: Vec::with_capacity(root.rows),
        };
        for row in 0..root.rows {
            if body.is_null(row) {
                bodies.letters.push(0);
                bodies.places.push(Block::default());
                continue;
            }
            let start = bodies.scratch.len();
            let (letter, place) = values.text(row, &mut bodies.scratch, planning)?;
            bodies.letters.push(letter);
            bodies.places.push(match place {
                Place::Strings(block) => block,
                Place::Nowhere => Block::default(),
                Place::Scratch => Block { start, end: bodies.scratch.len() },
            });
            planning.taken(&bodies.scratch)?;
        }
        planning.next();
        Ok(bodies)
    }

    fn build(&self, rows: usize, bytes: usize) -> (Text, Dictionary) {
        let (mut texts, mut types) = (Text::default(), Dictionary::new());
        texts.reserve(rows, bytes);
        types.reserve(rows);
        for (row, &letter) in self.letters.iter().enumerate() {
            match letter {
                0 => types.push_null(),
                letter => types.push(&[letter]),
            }
            match letter {
                0 | letter::EMPTY => texts.push_null(),
                letter::STRING => texts.push(self.strings, self.places[row]),
                _ => texts.push(&self.scratch, self.places[row]),
            }
        }
        (texts, types)
    }
}

impl<'b> Logs<'b> {
    pub(super) fn of(
        tables: &'b Tables<'_>,
        planning: &mut Planning<'_, '_>,
        counts: &mut Counts,
    ) -> Result<Self, Fault> {
        let root = tables.root(PayloadType::Logs);
        counts.rows = root.rows;
        planning.within(Signal::Logs, counts)?;
        planning.take(root.rows * 4)?;
        let ids = root.written("id")?.ids(root.rows)?;
        let attributes = Attributes::of(tables.get(PayloadType::LogAttrs), &ids, planning)?;
        planning.next();
        attributes.count(ids.iter().copied(), &mut counts.attributes, planning)?;
        let logs = Self {
            rows: root.rows,
            time: root.ints("time_unix_nano")?,
            observed_time: root.ints("observed_time_unix_nano")?,
            trace_id: root.fixed("trace_id")?,
            span_id: root.fixed("span_id")?,
            severity_number: root.ints("severity_number")?,
            severity_text: root.texts("severity_text")?,
            event_name: root.texts("event_name")?,
            dropped: root.ints("dropped_attributes_count")?,
            flags: root.ints("flags")?,
            bodies: Bodies::of(&root, planning)?,
            common: Common::of(tables, &root, planning, counts)?,
            ids,
            attributes,
        };
        counts.text[0] = logs.bodies.places.iter().map(|block| block.len()).sum();
        counts.dictionary += 8 + dictionary_bytes(&logs.severity_text, 0..logs.rows);
        counts.dictionary += dictionary_bytes(&logs.event_name, 0..logs.rows);
        // Letters, as if those of all rows were different.
        counts.dictionary += counts.attributes.entries;
        Ok(logs)
    }

    pub(super) fn build(&self, counts: &Counts) -> RecordBatch {
        let rows = self.rows;
        let (mut time, mut observed_time) = (Times::default(), Times::default());
        let mut severity_number = Numbers::<Int32Type>::default();
        let (mut trace_id, mut span_id) = (Ids::<16>::default(), Ids::<8>::default());
        let (mut dropped, mut flags) = (Counters::default(), Counters::default());
        let (mut severity_text, mut event_name) = (Dictionary::new(), Dictionary::new());
        let (mut attributes, mut types) = (column::Attributes::default(), Dictionary::new());
        time.reserve(rows);
        observed_time.reserve(rows);
        severity_number.reserve(rows);
        trace_id.reserve(rows);
        span_id.reserve(rows);
        dropped.reserve(rows);
        flags.reserve(rows);
        severity_text.reserve(rows);
        event_name.reserve(rows);
        attributes.reserve(rows, &counts.attributes);
        types.reserve(rows);
        for row in 0..rows {
            time.push_known(self.time.or_zero(row) as u64);
            observed_time.push_known(self.observed_time.or_zero(row) as u64);
            let number = self.severity_number.or_zero(row) as i32;
            severity_number.push_option((number != 0).then_some(number));
            trace_id.push_id(self.trace_id.get(row));
            span_id.push_id(self.span_id.get(row));
            dropped.push(self.dropped.count(row));
            flags.push(self.flags.count(row));
        }
        let (mut seen, mut letters) = (Seen::default(), Letters::default());
        for id in &self.ids {
            self.attributes.push(*id, &mut attributes, &mut letters, &mut seen);
            types_dictionary(&mut types, &letters);
        }
        let mut memo = Memo::default();
        dictionary(&mut memo, &mut severity_text, &self.severity_text, 0..rows, Missing::Null);
        dictionary(&mut memo, &mut event_name, &self.event_name, 0..rows, Missing::Null);
        let (mut body, mut body_type) = self.bodies.build(rows, counts.text[0]);
        let mut zeros = zeros();
        let mut columns = vec![
            time.finish(&mut zeros),
            observed_time.finish(&mut zeros),
            severity_number.finish(&mut zeros),
            severity_text.finish(&mut zeros),
            body.finish(&mut zeros),
            body_type.finish(&mut zeros),
            attributes.finish(&mut zeros),
            types.finish(&mut zeros),
            dropped.finish(&mut zeros),
            flags.finish(&mut zeros),
            trace_id.finish(&mut zeros),
            span_id.finish(&mut zeros),
            event_name.finish(&mut zeros),
        ];
        self.common.build(0..rows, rows, &mut zeros, &mut columns);
        batch(Signal::Logs, rows, columns)
    }
}
