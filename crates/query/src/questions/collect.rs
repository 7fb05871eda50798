//! All rows that match, up to a number, with their place in the order of time.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::Array;
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::ReadError;

use crate::filter::{Cursor, Term};
use crate::record::{Part, take_rows};
use crate::scan::{ANY_TIME, Asking, Gather, Scan, Selection, Stop, View};

/// Rows of one signal, each with its place.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) parts: Vec<Part>,
    /// Place, part, row within the part.
    pub(super) rows: Vec<(Cursor, usize, usize)>,
}

/// All rows of `signal` for which `terms` hold, `most` of them; more stop the question.
pub(super) fn collect(asking: &Asking<'_>, signal: Signal, terms: Vec<Term>, most: usize) -> Result<Collected> {
    let left = AtomicUsize::new(most);
    let scan = Scan { asking, signal, terms, bound: None, within: ANY_TIME };
    let mut all = Collected::default();
    for mut some in scan.run(|| Collect { asking, left: &left, found: Collected::default() })? {
        let first = all.parts.len();
        all.parts.append(&mut some.found.parts);
        all.rows.extend(some.found.rows.iter().map(|(key, part, row)| (*key, part + first, *row)));
    }
    Ok(all)
}

struct Collect<'a> {
    asking: &'a Asking<'a>,
    left: &'a AtomicUsize,
    found: Collected,
}

impl Gather for Collect<'_> {
    fn columns(&self) -> &[usize] {
        &[]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let take = |left: usize| Some(left - rows.len().min(left));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or_default();
        if left < rows.len() {
            self.asking.stop(Stop::MaxRows);
        }
        let times = view.order_times(rows)?;
        let rows: Vec<u32> = rows.iter().take(left).map(|row| row as u32).collect();
        let part = take_rows(view, &rows)?;
        if !self.asking.hold(part.iter().map(|column| column.get_array_memory_size()).sum()) {
            return Ok(());
        }
        let at = self.found.parts.len();
        let places = rows.iter().zip(times).enumerate();
        self.found.rows.extend(places.map(|(row, (from, time))| (view.place(*from as usize, time), at, row)));
        self.found.parts.push(part);
        Ok(())
    }
}
