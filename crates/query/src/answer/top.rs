//! The first rows in the order of time, from all files: what lists are made of.

use std::cmp::Ordering;

use arrow_array::{Array, RecordBatch, new_empty_array};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_store::ReadError;

use super::{Searched, internal};
use crate::filter::{Cursor, Filter, Nanos, Order};
use crate::record::{Part, assemble, take_rows};
use crate::scan::{Asking, Bound, Gather, Scan, Selection, Stop, View, time_columns};

/// Rows in the order that was asked for, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct Found {
    /// All columns of the schema of the signal.
    pub batch: RecordBatch,
    /// Behind the last row, if there are more.
    pub cursor: Option<Cursor>,
    /// What was searched.
    pub searched: Searched,
}

/// The first rows of `signal` that match `filter`, `usual` of them if it does not say how many.
pub fn top(asking: &Asking<'_>, signal: Signal, filter: &Filter, usual: usize) -> Result<Found> {
    let limit = asking.rows_of(filter.limit, usual);
    let bound = Bound::new(filter.order);
    let scan = Scan { asking, signal, terms: filter.terms(signal)?, bound: Some(&bound), within: behind(filter) };
    // One more than wanted tells whether there are more.
    let make = || TopRows::new(asking, &bound, filter.order, filter.cursor, limit.saturating_add(1));
    let mut gathered = scan.run(make)?;
    let (mut parts, mut ranked) = (Vec::new(), Vec::new());
    for rows in &mut gathered {
        let first = parts.len();
        parts.append(&mut rows.parts);
        ranked.extend(rows.best.drain(..).map(|best| Ranked { part: best.part + first, ..best }));
    }
    ranked.sort_by(|a, b| compare(filter.order, &a.key, &b.key));
    let more = ranked.len() > limit;
    ranked.truncate(limit);
    let last = ranked.last().map(|last| last.key);
    if more {
        let all = filter.limit.is_none_or(|wanted| wanted <= limit);
        asking.stop(if all { Stop::Limit } else { Stop::MaxRows });
    }
    let rows: Vec<(usize, usize)> = ranked.iter().map(|ranked| (ranked.part, ranked.row)).collect();
    let batch = assemble(signal, &parts, &rows).map_err(|error| internal(&error))?;
    let mut searched = Searched::of(asking, filter);
    if let Some(last) = last.filter(|_| more) {
        searched.ends_at(filter.order, last.time);
    }
    let cursor = last.filter(|_| more || asking.stopped().is_some());
    Ok(Found { batch, cursor, searched })
}

/// The times, both ends included, that a row behind the cursor may have.
pub(crate) fn behind(filter: &Filter) -> (Nanos, Nanos) {
    match (filter.cursor, filter.order) {
        (None, _) => (0, Nanos::MAX),
        (Some(cursor), Order::Newest) => (0, cursor.time),
        (Some(cursor), Order::Oldest) => (cursor.time, Nanos::MAX),
    }
}

/// How two rows stand in an order: what comes first is less.
pub(crate) fn compare(order: Order, a: &Cursor, b: &Cursor) -> Ordering {
    match order {
        Order::Newest => b.cmp(a),
        Order::Oldest => a.cmp(b),
    }
}

/// The first rows that one thread has found.
#[derive(Debug)]
pub struct TopRows<'a> {
    asking: &'a Asking<'a>,
    bound: &'a Bound,
    order: Order,
    after: Option<Cursor>,
    limit: usize,
    pub(crate) best: Vec<Ranked>,
    pub(crate) parts: Vec<Part>,
    /// Bytes of each part; nothing of one that has no row any more.
    held: Vec<usize>,
    /// Rows of all parts.
    kept: usize,
    times: &'static [usize],
}

/// A row that was found: where it stands in the order, and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked {
    pub(crate) key: Cursor,
    pub(crate) part: usize,
    pub(crate) row: usize,
}

impl<'a> TopRows<'a> {
    pub(crate) fn new(
        asking: &'a Asking<'a>,
        bound: &'a Bound,
        order: Order,
        after: Option<Cursor>,
        limit: usize,
    ) -> Self {
        Self {
            asking,
            bound,
            order,
            after,
            limit,
            best: Vec::new(),
            parts: Vec::new(),
            held: Vec::new(),
            kept: 0,
            times: &[],
        }
    }

    /// Leaves the first rows of all that were found, and what of the parts they are in.
    fn shrink(&mut self) {
        if self.best.len() > self.limit {
            let order = self.order;
            self.best.select_nth_unstable_by(self.limit, |a, b| compare(order, &a.key, &b.key));
            self.best.truncate(self.limit);
        }
        if self.best.len() == self.limit {
            let worst = self.best.iter().map(|best| best.key).max_by(|a, b| compare(self.order, a, b));
            if let Some(worst) = worst {
                self.bound.tighten(worst.time);
            }
        }
        if self.kept > 2 * self.limit + 1024 {
            self.give_back();
        }
    }

    /// Gives back the memory of parts that have no row any more.
    fn give_back(&mut self) {
        let mut live = vec![false; self.parts.len()];
        self.best.iter().for_each(|best| live[best.part] = true);
        self.kept = self.best.len();
        for (part, _) in live.iter().enumerate().filter(|(_, live)| !**live) {
            self.asking.release(std::mem::take(&mut self.held[part]));
            self.parts[part] = self.parts[part].iter().map(|column| new_empty_array(column.data_type())).collect();
        }
    }
}

impl Gather for TopRows<'_> {
    fn columns(&self) -> &[usize] {
        self.times
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        self.times = time_columns(view.signal());
        let worst = match self.best.len() >= self.limit {
            true => self.best.iter().map(|best| best.key).max_by(|a, b| compare(self.order, a, b)),
            false => None,
        };
        let times = view.order_times(rows)?;
        let before =
            |key: &Cursor, other: Option<Cursor>| other.is_none_or(|other| compare(self.order, key, &other).is_lt());
        let behind = |key: &Cursor| self.after.is_none_or(|after| compare(self.order, key, &after).is_gt());
        let keys = rows.iter().zip(times).map(|(row, time)| (row as u32, view.place(row, time)));
        let mut found: Vec<(u32, Cursor)> = keys.filter(|(_, key)| behind(key) && before(key, worst)).collect();
        if found.len() > self.limit {
            found.select_nth_unstable_by(self.limit, |a, b| compare(self.order, &a.1, &b.1));
            found.truncate(self.limit);
        }
        if found.is_empty() {
            return Ok(());
        }
        found.sort_unstable_by_key(|(row, _)| *row);
        let rows: Vec<u32> = found.iter().map(|(row, _)| *row).collect();
        let part = take_rows(view, &rows)?;
        let bytes: usize = part.iter().map(|column| column.get_array_memory_size()).sum();
        if !self.asking.hold(bytes) {
            return Ok(());
        }
        let at = self.parts.len();
        self.parts.push(part);
        self.held.push(bytes);
        self.kept += rows.len();
        self.best.extend(found.iter().enumerate().map(|(row, (_, key))| Ranked { key: *key, part: at, row }));
        self.shrink();
        Ok(())
    }
}
