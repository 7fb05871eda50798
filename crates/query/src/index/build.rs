//! Makes the index of a sealed file: goes through all of its blocks once, and makes only the columns that it needs.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, metrics, traces};
use otlp_arrow_store::ReadError;

use super::blocks::{Known, severity_bit};
use super::contents::Contents;
use super::ids::Gathered;
use super::words::{Keys, Words};
use crate::maps::Map;
use crate::scan::{Times, View, time_columns};
use crate::snapshot::OpenFile;

type Result<T> = std::result::Result<T, ReadError>;

/// The columns with a dictionary that questions ask for most, by their positions.
fn word_columns(signal: Signal) -> Vec<usize> {
    let first = common::first(otlp_arrow_columns::schema(signal).fields().len());
    let own: &[usize] = match signal {
        Signal::Traces => &[traces::NAME, traces::KIND, traces::STATUS_CODE],
        Signal::Metrics => &[metrics::METRIC_NAME, metrics::METRIC_TYPE],
        Signal::Logs => &[logs::EVENT_NAME],
    };
    own.iter().copied().chain([first + common::SERVICE_NAME, first + common::RESOURCE_ATTRIBUTES]).collect()
}

fn attributes_column(signal: Signal) -> usize {
    match signal {
        Signal::Traces => traces::ATTRIBUTES,
        Signal::Metrics => metrics::ATTRIBUTES,
        Signal::Logs => logs::ATTRIBUTES,
    }
}

fn id_column(signal: Signal) -> Option<usize> {
    match signal {
        Signal::Traces => Some(traces::TRACE_ID),
        Signal::Logs => Some(logs::TRACE_ID),
        Signal::Metrics => None,
    }
}

/// The index of `open`, and its table of ids. `None` where `goes_on` said no.
pub(super) fn build(open: &OpenFile, goes_on: &dyn Fn() -> bool) -> Result<Option<(Contents, Option<Vec<u8>>)>> {
    let (signal, outline) = (open.file.signal, open.reader.outline());
    let count = outline.blocks().len();
    let mut columns: Vec<usize> = time_columns(signal).to_vec();
    columns.extend(id_column(signal));
    let mut words: Vec<Option<Words>> = Vec::new();
    let dictionaries: Map<usize, &ArrayRef> = outline.dictionaries().into_iter().flatten().collect();
    for column in word_columns(signal) {
        let values = open.columns[column].and_then(|column| dictionaries.get(&column));
        let values = values.and_then(|values| values.as_string_opt::<i32>());
        if let Some(kept) = values.and_then(|values| Words::of(column, values.iter().flatten(), count)) {
            words.push(Some(kept));
            columns.push(column);
        }
    }
    match signal {
        Signal::Traces => columns.push(traces::DURATION),
        Signal::Logs => columns.push(logs::SEVERITY_NUMBER),
        Signal::Metrics => {}
    }
    let mut blocks = Vec::with_capacity(count);
    let (mut ids, mut keys) = (Gathered::default(), KeyCounts::default());
    for (at, block) in outline.blocks().iter().enumerate() {
        if !goes_on() {
            return Ok(None);
        }
        let view = View::new(open, at, *block);
        view.need(&columns)?;
        blocks.push(known(&view)?);
        for words in words.iter_mut().flatten() {
            add_words(&view, at, words)?;
        }
        if let Some(column) = id_column(signal) {
            ids.block(at as u32, view.ids(column)?.iter().flatten());
        }
        keys.add(&view, attributes_column(signal))?;
    }
    let rows = outline.rows();
    let (filter, table) = match id_column(signal) {
        Some(_) => ids.finish().unzip(),
        None => (None, None),
    };
    let words = words.into_iter().flatten().collect();
    let contents = Contents { signal, rows, blocks: blocks.into(), words, keys: keys.finish(), filter, table: None };
    Ok(Some((contents, table)))
}

fn known(view: &View<'_>) -> Result<Known> {
    let mut known = Known::new(view.rows() as u64, Times::of(view)?.bounds(view.rows()));
    match view.signal() {
        Signal::Traces => {
            let durations = view.i64s(traces::DURATION)?.values().iter();
            known.duration =
                durations.fold((i64::MAX, i64::MIN), |(min, max), duration| (min.min(*duration), max.max(*duration)));
        }
        Signal::Logs => {
            let numbers = view.i32s(logs::SEVERITY_NUMBER)?;
            // No severity is the number 0 of the protocol.
            let bits = numbers.iter().map(|number| severity_bit(number.unwrap_or_default()));
            known.severities = bits.fold(0, |bits, bit| bits | bit);
        }
        Signal::Metrics => {}
    }
    Ok(known)
}

fn add_words(view: &View<'_>, block: usize, words: &mut Words) -> Result<()> {
    let array = view.column(words.column)?;
    let array = array.as_dictionary_opt::<Int32Type>();
    let array = array.ok_or_else(|| ReadError::damaged("a column of words is not a dictionary"))?;
    let (keys, values) = (array.keys(), array.values().len());
    let mut seen = vec![false; values + 1];
    match keys.null_count() {
        0 => keys.values().iter().for_each(|key| seen[*key as usize] = true),
        _ => (0..keys.len())
            .for_each(|row| seen[if keys.is_valid(row) { keys.value(row) as usize } else { values }] = true),
    }
    (0..=values).filter(|value| seen[*value]).for_each(|value| words.add(block, value));
    Ok(())
}

/// Counts keys of attributes by the form of a record: all of its keys, which many records share.
#[derive(Debug, Default)]
struct KeyCounts {
    /// How many records have these keys, written one behind the other with their lengths.
    forms: Map<Box<[u8]>, u64>,
    counts: Map<Box<str>, u64>,
    scratch: Vec<u8>,
    full: bool,
}

/// More forms than this are taken apart at once.
const MOST_FORMS: usize = 2 << 10;

impl KeyCounts {
    fn add(&mut self, view: &View<'_>, column: usize) -> Result<()> {
        if self.full {
            return Ok(());
        }
        let (rows, keys) = view.map_keys(column)?;
        let (offsets, bytes) = (keys.value_offsets(), keys.value_data());
        let mut last: (&[u8], usize) = (&[], 0);
        let mut same = 0;
        for row in rows.windows(2) {
            let (from, to) = (row[0] as usize, row[1] as usize);
            if from == to {
                continue;
            }
            let own = &offsets[from..=to];
            let text = &bytes[own[0] as usize..own[to - from] as usize];
            // Neighbours are often alike.
            if text == last.0 && alike(own, &offsets[last.1..][..own.len().min(offsets.len() - last.1)]) {
                same += 1;
                continue;
            }
            self.count(same);
            same = 1;
            last = (text, from);
            self.scratch.clear();
            self.scratch.extend(text);
            own.windows(2).for_each(|pair| self.scratch.extend(((pair[1] - pair[0]) as u32).to_le_bytes()));
            self.scratch.extend(((to - from) as u32).to_le_bytes());
        }
        self.count(same);
        if self.forms.len() > MOST_FORMS {
            self.take_apart();
        }
        Ok(())
    }

    /// So many more records have the keys in `scratch`.
    fn count(&mut self, records: u64) {
        if records == 0 {
            return;
        }
        match self.forms.get_mut(self.scratch.as_slice()) {
            Some(count) => *count += records,
            None => {
                self.forms.insert(self.scratch.as_slice().into(), records);
            }
        }
    }

    fn take_apart(&mut self) {
        for (form, records) in std::mem::take(&mut self.forms) {
            let number = |at: usize| {
                let bytes = form.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
                u32::from_le_bytes(bytes) as usize
            };
            let keys = number(form.len() - 4);
            let (mut at, lens) = (0, form.len() - 4 - 4 * keys);
            for key in 0..keys {
                let len = number(lens + 4 * key);
                let key = String::from_utf8_lossy(form.get(at..at + len).unwrap_or_default());
                at += len;
                match self.counts.get_mut(&*key) {
                    Some(count) => *count += records,
                    None => {
                        self.counts.insert(key.into(), records);
                    }
                }
            }
        }
        if self.counts.len() > Keys::MOST {
            *self = Self { full: true, ..Self::default() };
        }
    }

    /// `None` where there are too many.
    fn finish(mut self) -> Option<Keys> {
        self.take_apart();
        if self.full { None } else { Keys::of(self.counts.into_iter()) }
    }
}

/// Whether these offsets are equally far from each other.
fn alike(a: &[i32], b: &[i32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(left, right)| left - a[0] == right - b[0])
}
