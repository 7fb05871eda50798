//! Text in columns: the whole buffer of the values is searched at once, and each hit told its row.

use arrow_array::{Array, StringArray};
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{logs, traces};
use otlp_arrow_store::ReadError;

use super::attributes::Attributes;
use super::predicate::{DictionaryTest, Test};
use super::selection::Selection;
use super::view::View;
use crate::filter::{Matcher, Pattern, find_any_case};

/// A term about text: in the body of a log record; in the name, the status message or an attribute of a span.
pub(super) struct ContainsTest {
    pattern: Pattern,
    columns: &'static [usize],
    name: Option<DictionaryTest>,
}

impl ContainsTest {
    pub(super) fn new(signal: Signal, pattern: Pattern) -> Self {
        let (columns, name): (&[usize], _) = match signal {
            Signal::Traces => {
                let wanted = pattern.clone();
                let name = DictionaryTest::new(traces::NAME, false, move |text| wanted.is_in(text.as_bytes()));
                (&[traces::NAME, traces::STATUS_MESSAGE, traces::ATTRIBUTES], Some(name))
            }
            _ => (&[logs::BODY], None),
        };
        Self { pattern, columns, name }
    }
}

impl Test for ContainsTest {
    fn columns(&self) -> &[usize] {
        self.columns
    }

    fn narrow(&mut self, view: &View<'_>, rows: &mut Selection) -> Result<(), ReadError> {
        let Some(name) = &mut self.name else {
            let bodies = view.text(logs::BODY)?;
            keep(bodies, &self.pattern, rows);
            return Ok(());
        };
        let mut found = vec![false; view.rows()];
        let mut mark = |rows: &Selection| rows.iter().for_each(|row| found[row] = true);
        let mut of_name = rows.clone();
        name.narrow(view, &mut of_name)?;
        mark(&of_name);
        let mut of_message = rows.clone();
        keep(view.text(traces::STATUS_MESSAGE)?, &self.pattern, &mut of_message);
        mark(&of_message);
        let attributes = Attributes::of(view.map(traces::ATTRIBUTES)?)?;
        if rows.len() * 8 >= view.rows() {
            let mut row = 0;
            for entry in hits(attributes.values, &self.pattern) {
                while row < view.rows() && attributes.range(row).end <= entry as usize {
                    row += 1;
                }
                if row < view.rows() && attributes.range(row).contains(&(entry as usize)) {
                    found[row] = true;
                }
            }
        } else {
            for row in rows.iter().filter(|row| !found[*row]).collect::<Vec<_>>() {
                let values = attributes.range(row).filter(|at| attributes.values.is_valid(*at));
                found[row] =
                    values.map(|at| attributes.values.value(at)).any(|value| self.pattern.is_in(value.as_bytes()));
            }
        }
        rows.retain(|row| found[row]);
        Ok(())
    }
}

/// Leaves the rows whose text has the pattern in it.
fn keep(texts: &StringArray, pattern: &Pattern, rows: &mut Selection) {
    // Of few rows the rest of the buffer need not be seen.
    if rows.len() * 8 >= texts.len() {
        rows.intersect(hits(texts, pattern));
    } else {
        rows.retain(|row| texts.is_valid(row) && pattern.is_in(texts.value(row).as_bytes()));
    }
}

/// The rows that have the pattern in them, in order.
fn hits(texts: &StringArray, pattern: &Pattern) -> Vec<u32> {
    let bytes = texts.value_data();
    match pattern.matcher() {
        Matcher::Bytes(finder) => {
            walk(texts, finder.needle().len(), |from| Some(from + finder.find(&bytes[from..])?), |_| true)
        }
        Matcher::AnyCase(wanted) => {
            walk(texts, wanted.len(), |from| Some(from + find_any_case(&bytes[from..], wanted)?), |_| true)
        }
        Matcher::Regex(regex, Some(finder)) => walk(
            texts,
            finder.needle().len(),
            |from| Some(from + finder.find(&bytes[from..])?),
            |row| regex.is_match(texts.value(row).as_bytes()),
        ),
        Matcher::Regex(regex, None) => {
            let matches = |row: &usize| texts.is_valid(*row) && regex.is_match(texts.value(*row).as_bytes());
            (0..texts.len()).filter(matches).map(|row| row as u32).collect()
        }
    }
}

/// The rows in which `next`, which gives the first hit of `len` bytes from a place in the buffer on, has one that does not
/// reach beyond them, and of which `holds`.
fn walk(
    texts: &StringArray,
    len: usize,
    next: impl Fn(usize) -> Option<usize>,
    holds: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let offsets = texts.value_offsets();
    let (mut rows, mut row) = (Vec::new(), 0);
    let end = offsets.last().map_or(0, |end| *end as usize);
    let mut from = offsets.first().map_or(0, |first| *first as usize);
    while from < end
        && let Some(hit) = next(from)
        && hit < end
    {
        // The last row that begins at or before the hit; rows without text lie before it.
        row += offsets[row + 1..].partition_point(|offset| *offset as usize <= hit);
        let stop = offsets[row + 1] as usize;
        if hit + len <= stop {
            if texts.is_valid(row) && holds(row) {
                rows.push(row as u32);
            }
            from = stop;
        } else {
            from = hit + 1;
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn naive(texts: &StringArray, pattern: &Pattern) -> Vec<u32> {
        let found = |row: &u32| {
            let row = *row as usize;
            texts.is_valid(row) && pattern.is_in(texts.value(row).as_bytes())
        };
        (0..texts.len() as u32).filter(found).collect()
    }

    /// Hits that reach from one value into the next, empty values, nulls, slices: as if each value were searched alone.
    #[test]
    fn the_whole_buffer_gives_what_each_value_gives() {
        let words = ["ab", "b", "", "aab", "xab", "ba", "abab", "a", "ABa", "b\nab"];
        let mut rng = otlp_arrow_testkit::rng::Rng::new(7);
        for _ in 0..2_000 {
            let rows = rng.index(12);
            let texts: Vec<Option<&str>> = (0..rows).map(|_| (!rng.one_in(5)).then(|| *rng.pick(&words))).collect();
            let texts = StringArray::from(texts);
            let from = rng.index(rows + 1);
            let texts = texts.slice(from, rows - from);
            for pattern in [
                Pattern::text("ab", false),
                Pattern::text("ab", true),
                Pattern::text("bab", false),
                Pattern::text("b", false),
                Pattern::regex("^ab", false).unwrap(),
                Pattern::regex("aab+$", false).unwrap(),
                Pattern::regex("x?bab", false).unwrap(),
            ] {
                assert_eq!(hits(&texts, &pattern), naive(&texts, &pattern), "{pattern:?} in {texts:?}");
                let mut few = Selection::Rows(vec![0; usize::from(!texts.is_empty())]);
                keep(&texts, &pattern, &mut few);
                assert_eq!(few.len(), naive(&texts, &pattern).iter().filter(|row| **row == 0).count());
            }
        }
    }
}
