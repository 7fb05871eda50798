//! The terms of a filter as tests of the rows of a block, each with what it remembers from block to block.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};
use otlp_arrow_store::ReadError;

use super::attributes::AttributeTest;
use super::resources::Resource;
use super::selection::Selection;
use super::texts::ContainsTest;
use super::times::{Times, time_columns};
use super::view::View;
use crate::filter::{Condition, IdPrefix, Nanos, Term, TextTest};

type Result<T> = std::result::Result<T, ReadError>;

/// One term, for one thread.
pub(crate) trait Test: Send {
    /// The columns it looks at.
    fn columns(&self) -> &[usize];

    /// Leaves the rows for which it holds.
    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()>;

    /// Whether it holds for no row of a file in which `values` are all values that `column` has.
    fn is_impossible(&mut self, column: usize, values: &ArrayRef) -> bool {
        let _ = (column, values);
        false
    }
}

/// Rows of batches in memory for which every term holds.
pub(crate) struct Matching {
    signal: Signal,
    tests: Vec<Box<dyn Test>>,
}

impl Matching {
    pub(crate) fn new(signal: Signal, terms: &[Term]) -> Self {
        Self { signal, tests: tests(signal, terms) }
    }

    /// The columns that decide, by their positions in the schema; some of them twice.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.tests.iter().flat_map(|test| test.columns()).copied()
    }

    /// Which rows of `batch`, which has all columns of the schema, or those that decide and others by their names.
    pub(crate) fn rows(&mut self, batch: &RecordBatch) -> Result<Selection> {
        let view = View::of_batch(self.signal, batch);
        let mut rows = Selection::All(batch.num_rows() as u32);
        for test in &mut self.tests {
            if !rows.is_empty() {
                test.narrow(&view, &mut rows)?;
            }
        }
        Ok(rows)
    }
}

/// The tests of `terms`, in their order.
pub(crate) fn tests(signal: Signal, terms: &[Term]) -> Vec<Box<dyn Test>> {
    terms.iter().map(|term| test(signal, term.clone())).collect()
}

/// A term that is decided by the values of a column with a dictionary alone.
pub(crate) struct DictionaryTerm {
    /// Its position in the schema of the signal.
    pub(crate) column: usize,
    /// Whether it holds of a row without a value.
    pub(crate) null: bool,
    /// Of which values it holds.
    pub(crate) holds: Box<dyn Fn(&str) -> bool + Send>,
}

/// `None` of terms that something else decides.
pub(crate) fn dictionary_term(signal: Signal, term: &Term) -> Option<DictionaryTerm> {
    match term {
        Term::Text(column, tests) => Some(text_term(signal, *column, tests.clone())),
        Term::Resource(condition) => Some(resource_term(signal, condition.clone())),
        _ => None,
    }
}

fn text_term(signal: Signal, column: usize, tests: Vec<TextTest>) -> DictionaryTerm {
    // A span without a status has none set.
    let absent = if signal == Signal::Traces && column == traces::STATUS_CODE { "unset" } else { "" };
    let null = TextTest::any(&tests, absent);
    DictionaryTerm { column, null, holds: Box::new(move |text| TextTest::any(&tests, text)) }
}

fn resource_term(signal: Signal, condition: Condition) -> DictionaryTerm {
    let column = common::first(otlp_arrow_columns::schema(signal).fields().len()) + common::RESOURCE_ATTRIBUTES;
    let null = condition.holds(None);
    let holds = move |json: &str| match Resource::parse(json).get(&condition.key) {
        None => condition.holds(None),
        Some(value) => condition.holds(Some(value.as_deref().map(str::as_bytes))),
    };
    DictionaryTerm { column, null, holds: Box::new(holds) }
}

fn test(signal: Signal, term: Term) -> Box<dyn Test> {
    let attributes = match signal {
        Signal::Traces => traces::ATTRIBUTES,
        Signal::Metrics => metrics::ATTRIBUTES,
        Signal::Logs => logs::ATTRIBUTES,
    };
    let (trace, span) = match signal {
        Signal::Logs => (logs::TRACE_ID, logs::SPAN_ID),
        _ => (traces::TRACE_ID, traces::SPAN_ID),
    };
    match term {
        Term::Time(from, to) => Box::new(TimeTest { columns: time_columns(signal), from, to }),
        Term::Trace(id) => Box::new(IdTest { column: [trace], id }),
        Term::Traces(ids) => Box::new(IdsTest { column: [trace], ids }),
        Term::Span(id) => Box::new(IdTest { column: [span], id }),
        Term::Duration(min, max) => Box::new(DurationTest { min, max }),
        Term::Severity(min, max) => Box::new(SeverityTest { min, max }),
        Term::Contains(pattern) => Box::new(ContainsTest::new(signal, pattern)),
        Term::Attribute(condition) => Box::new(AttributeTest::new(attributes, condition)),
        Term::Text(column, tests) => Box::new(DictionaryTest::of(text_term(signal, column, tests))),
        Term::Resource(condition) => Box::new(DictionaryTest::of(resource_term(signal, condition))),
    }
}

struct TimeTest {
    columns: &'static [usize],
    from: Nanos,
    to: Nanos,
}

impl Test for TimeTest {
    fn columns(&self) -> &[usize] {
        self.columns
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()> {
        let times = Times::of(view)?;
        match times.plain() {
            Some(times) => {
                let length = self.to.saturating_sub(self.from);
                rows.retain(|row| times[row].cast_unsigned().wrapping_sub(self.from) < length);
            }
            None => rows.retain(|row| times.get(row).is_some_and(|time| self.from <= time && time < self.to)),
        }
        Ok(())
    }
}

struct IdTest {
    column: [usize; 1],
    id: IdPrefix,
}

impl Test for IdTest {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()> {
        let ids = view.ids(self.column[0])?;
        if rows.len() < ids.len() {
            rows.retain(|row| ids.is_valid(row) && self.id.begins(ids.value(row)));
            return Ok(());
        }
        let (wanted, mask, width) = self.id.bits();
        if usize::try_from(ids.value_length()) != Ok(width) {
            return Err(ReadError::damaged("an id column of another width"));
        }
        // Few rows have it: whether one has an id at all is asked of those only.
        let bytes = &ids.value_data()[..ids.len() * width];
        let found: Vec<u32> = match width {
            16 => hits(bytes.as_chunks::<16>().0, |id| u128::from_be_bytes(*id) & mask == wanted),
            _ => {
                let (wanted, mask) = ((wanted >> 64) as u64, (mask >> 64) as u64);
                hits(bytes.as_chunks::<8>().0, |id| u64::from_be_bytes(*id) & mask == wanted)
            }
        };
        *rows = Selection::Rows(found.into_iter().filter(|row| ids.is_valid(*row as usize)).collect());
        Ok(())
    }
}

fn hits<T>(ids: &[T], is_wanted: impl Fn(&T) -> bool) -> Vec<u32> {
    (0..).zip(ids).filter(|(_, id)| is_wanted(id)).map(|(row, _)| row).collect()
}

struct IdsTest {
    column: [usize; 1],
    ids: Arc<BTreeSet<[u8; 16]>>,
}

impl Test for IdsTest {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()> {
        let ids = view.ids(self.column[0])?;
        rows.retain(|row| {
            ids.is_valid(row) && <&[u8; 16]>::try_from(ids.value(row)).is_ok_and(|id| self.ids.contains(id))
        });
        Ok(())
    }
}

struct DurationTest {
    min: i64,
    max: i64,
}

impl Test for DurationTest {
    fn columns(&self) -> &[usize] {
        &[traces::DURATION]
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()> {
        let durations = view.i64s(traces::DURATION)?.values();
        rows.retain(|row| self.min <= durations[row] && durations[row] <= self.max);
        Ok(())
    }
}

struct SeverityTest {
    min: i32,
    max: i32,
}

impl Test for SeverityTest {
    fn columns(&self) -> &[usize] {
        &[logs::SEVERITY_NUMBER]
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()> {
        let numbers = view.i32s(logs::SEVERITY_NUMBER)?;
        // No severity is the number 0 of the protocol.
        let number = |row: usize| if numbers.is_valid(row) { numbers.value(row) } else { 0 };
        rows.retain(|row| self.min <= number(row) && number(row) <= self.max);
        Ok(())
    }
}

/// A test of a dictionary column: each value is tested once for all blocks that share the dictionary.
pub(super) struct DictionaryTest {
    column: [usize; 1],
    /// Whether it holds of a row without a value.
    null: bool,
    holds: Box<dyn Fn(&str) -> bool + Send>,
    /// The last dictionary, and of which values it holds.
    known: Option<(ArrayRef, Vec<bool>)>,
}

impl DictionaryTest {
    pub(super) fn new(column: usize, null: bool, holds: impl Fn(&str) -> bool + Send + 'static) -> Self {
        Self { column: [column], null, holds: Box::new(holds), known: None }
    }

    fn of(DictionaryTerm { column, null, holds }: DictionaryTerm) -> Self {
        Self { column: [column], null, holds, known: None }
    }

    /// Of which values of the dictionary it holds.
    fn values(&mut self, values: &ArrayRef) -> Result<&[bool]> {
        let known = self.known.take().filter(|(known, _)| Arc::ptr_eq(known, values));
        let known = match known {
            Some(known) => known,
            None => {
                let text = values.as_string_opt::<i32>();
                let text = text.ok_or_else(|| ReadError::damaged("a dictionary of what is not text"))?;
                let holds = (0..text.len()).map(|at| (self.holds)(text.value(at))).collect();
                (Arc::clone(values), holds)
            }
        };
        Ok(&self.known.insert(known).1)
    }
}

impl Test for DictionaryTest {
    fn columns(&self) -> &[usize] {
        &self.column
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<()> {
        let (array, _) = view.dictionary(self.column[0])?;
        let null = self.null;
        let values = self.values(array.values())?;
        let keys = array.keys();
        match keys.null_count() {
            0 => {
                if !values.iter().any(|holds| *holds) {
                    *rows = Selection::Rows(Vec::new());
                } else if !values.iter().all(|holds| *holds) {
                    let keys = keys.values();
                    rows.retain(|row| values[keys[row] as usize]);
                }
            }
            _ => rows.retain(|row| if keys.is_valid(row) { values[keys.value(row) as usize] } else { null }),
        }
        Ok(())
    }

    fn is_impossible(&mut self, column: usize, values: &ArrayRef) -> bool {
        let null = self.null;
        column == self.column[0] && !null && self.values(values).is_ok_and(|values| !values.iter().any(|holds| *holds))
    }
}
