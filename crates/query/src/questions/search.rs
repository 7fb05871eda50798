//! Traces in which some span matches: one line a trace.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use crate::maps::{Map, Set};
use arrow_array::{Array, RecordBatch};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, traces};
use otlp_arrow_store::ReadError;
use serde::Serialize;

use super::hints;
use super::question::{Kind, Question};
use super::table::Table;
use crate::answer::{Answer, Searched, behind, compare, json};
use crate::filter::{Cursor, Filter, Nanos, Order, Term};
use crate::record::{Form, as_nanos, as_time, hex};
use crate::scan::{ANY_TIME, Asking, Bound, Gather, Scan, Selection, Stop, View};

/// Traces where nobody says how many.
const USUAL: usize = 20;

pub(super) const KIND: Kind = Kind {
    name: "traces",
    text: "traces in which some span matches: root, services, spans, errors, duration",
    filtered: true,
    parameters: &[],
    read: |parameters, now| Ok(Box::new(SearchQuestion { filter: Filter::read(parameters, now)? })),
};

/// Traces in which some span matches, in the order of the newest (or oldest) of these spans.
#[derive(Clone, Debug, Default)]
pub struct SearchQuestion {
    /// What must hold of one of its spans.
    pub filter: Filter,
}

/// Traces that were found.
#[derive(Clone, Debug)]
pub struct Search {
    /// In the order that was asked for.
    pub traces: Vec<TraceSummary>,
    /// Where the next ones begin, if there are more.
    pub cursor: Option<Cursor>,
    /// What was searched.
    pub searched: Searched,
}

/// One trace in one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceSummary {
    /// Its id in hexadecimal.
    pub trace_id: String,
    /// Service of its root: the span without a parent, or the first one whose parent is missing.
    pub root_service: String,
    /// Name of its root.
    pub root_name: String,
    /// When its first span starts.
    #[serde(serialize_with = "as_time")]
    pub start_time: Nanos,
    /// Nanoseconds from there to the end of its last span.
    #[serde(serialize_with = "as_nanos")]
    pub duration: u64,
    /// Spans, those that came twice once.
    pub spans: u64,
    /// How many of them are errors.
    pub errors: u64,
    /// How many spans match; of those that were looked at, where the question ended early.
    pub matched: u64,
    /// Spans by service.
    pub services: BTreeMap<String, u64>,
}

type Id = [u8; 16];

impl Question for SearchQuestion {
    type Answer = Search;

    fn ask(&self, asking: &Asking<'_>) -> Result<Search> {
        let filter = &self.filter;
        let limit = asking.rows_of(filter.limit, USUAL);
        let ahead = self.ahead(asking)?;
        let bound = Bound::new(filter.order);
        let terms = filter.terms(Signal::Traces)?;
        let scan = Scan { asking, signal: Signal::Traces, terms, bound: Some(&bound), within: behind(filter) };
        let make = || First {
            order: filter.order,
            ahead: &ahead,
            bound: &bound,
            limit: limit + 1,
            asking,
            best: Map::default(),
        };
        let mut best: Map<Id, Cursor> = Map::default();
        for first in scan.run(make)? {
            for (id, key) in first.best {
                better(&mut best, filter.order, id, key);
            }
        }
        let mut best: Vec<(Id, Cursor)> = best.into_iter().collect();
        best.sort_unstable_by(|a, b| compare(filter.order, &a.1, &b.1));
        let more = best.len() > limit;
        best.truncate(limit);
        let ids: Arc<BTreeSet<Id>> = Arc::new(best.iter().map(|(id, _)| *id).collect());
        let traces = self.summaries(asking, &best, ids)?;
        if more {
            let all = filter.limit.is_none_or(|wanted| wanted <= limit);
            asking.stop(if all { Stop::Limit } else { Stop::MaxRows });
        }
        let mut searched = Searched::of(asking, filter);
        let last = best.last().map(|(_, key)| *key);
        if let Some(last) = last.filter(|_| more) {
            searched.ends_at(filter.order, last.time);
        }
        if traces.is_empty() {
            searched.hints = hints::of(asking, Signal::Traces, filter)?;
        }
        let cursor = last.filter(|_| more || asking.stopped().is_some());
        Ok(Search { traces, cursor, searched })
    }
}

impl SearchQuestion {
    /// Traces that an earlier answer had: those with a matching span before the cursor.
    fn ahead(&self, asking: &Asking<'_>) -> Result<Set<Id>> {
        let Some(cursor) = self.filter.cursor else { return Ok(Set::default()) };
        let within = match self.filter.order {
            Order::Newest => (cursor.time, Nanos::MAX),
            Order::Oldest => (0, cursor.time),
        };
        let scan =
            Scan { asking, signal: Signal::Traces, terms: self.filter.terms(Signal::Traces)?, bound: None, within };
        let make = || Ahead { order: self.filter.order, cursor, ids: Set::default() };
        Ok(scan.run(make)?.into_iter().flat_map(|ahead| ahead.ids).collect())
    }

    fn summaries(
        &self,
        asking: &Asking<'_>,
        best: &[(Id, Cursor)],
        ids: Arc<BTreeSet<Id>>,
    ) -> Result<Vec<TraceSummary>> {
        if best.is_empty() {
            return Ok(Vec::new());
        }
        let count = |terms: Vec<Term>| -> Result<Map<Id, Sums>> {
            let scan = Scan { asking, signal: Signal::Traces, terms, bound: None, within: ANY_TIME };
            let mut all: Map<Id, Sums> = Map::default();
            for some in scan.run(|| Summing::new(asking))? {
                some.traces.into_iter().for_each(|(id, sums)| all.entry(id).or_default().add(sums));
            }
            Ok(all)
        };
        let mut terms = self.filter.terms(Signal::Traces)?;
        let mut all = count(vec![Term::Traces(Arc::clone(&ids))])?;
        let mut matched = match terms.is_empty() {
            true => Map::default(),
            false => {
                terms.insert(0, Term::Traces(ids));
                count(terms)?
            }
        };
        let summary = |(id, _): &(Id, Cursor)| {
            let sums = all.remove(id).unwrap_or_default();
            let matched = matched.remove(id).map_or(sums.spans.len(), |matched| matched.spans.len());
            sums.summary(id, matched)
        };
        Ok(best.iter().map(summary).collect())
    }
}

fn better(best: &mut Map<Id, Cursor>, order: Order, id: Id, key: Cursor) {
    let known = best.entry(id).or_insert(key);
    if compare(order, &key, known).is_lt() {
        *known = key;
    }
}

fn ids_of<'v>(
    view: &'v View<'_>,
    rows: &'v Selection,
) -> std::result::Result<impl Iterator<Item = (usize, Id)> + 'v, ReadError> {
    let ids = view.ids(traces::TRACE_ID)?;
    let id = |row: usize| ids.is_valid(row).then(|| ids.value(row).try_into().ok()).flatten();
    Ok(rows.iter().filter_map(move |row| Some((row, id(row)?))))
}

/// The first traces that one thread has found.
struct First<'a> {
    order: Order,
    ahead: &'a Set<Id>,
    bound: &'a Bound,
    limit: usize,
    asking: &'a Asking<'a>,
    best: Map<Id, Cursor>,
}

impl Gather for First<'_> {
    fn columns(&self) -> &[usize] {
        &[traces::TRACE_ID, traces::START_TIME]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let times = view.times(traces::START_TIME)?;
        let before = self.best.len();
        for (row, id) in ids_of(view, rows)?.filter(|(_, id)| !self.ahead.contains(id)) {
            better(&mut self.best, self.order, id, view.place(row, times.value(row).cast_unsigned()));
        }
        self.asking.hold((self.best.len() - before) * 64);
        if self.best.len() >= self.limit {
            // A trace whose first span comes later in the order cannot be among the first.
            let mut keys: Vec<Cursor> = self.best.values().copied().collect();
            let (_, worst, _) = keys.select_nth_unstable_by(self.limit - 1, |a, b| compare(self.order, a, b));
            let worst = *worst;
            self.bound.tighten(worst.time);
            self.best.retain(|_, key| compare(self.order, key, &worst).is_le());
        }
        Ok(())
    }
}

struct Ahead {
    order: Order,
    cursor: Cursor,
    ids: Set<Id>,
}

impl Gather for Ahead {
    fn columns(&self) -> &[usize] {
        &[traces::TRACE_ID, traces::START_TIME]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let times = view.times(traces::START_TIME)?;
        let place = |row: usize| view.place(row, times.value(row).cast_unsigned());
        let ahead = ids_of(view, rows)?.filter(|(row, _)| compare(self.order, &place(*row), &self.cursor).is_le());
        self.ids.extend(ahead.map(|(_, id)| id));
        Ok(())
    }
}

/// What a summary is made of.
#[derive(Default)]
struct Sums {
    /// Each span once: whether it is an error, its service and whether it has a parent.
    spans: Map<(Option<[u8; 8]>, Nanos), One>,
    end: Nanos,
}

#[derive(Clone)]
struct One {
    /// Of a span that came twice the last one counts.
    place: Cursor,
    service: Arc<str>,
    name: Arc<str>,
    parent: Option<[u8; 8]>,
    is_error: bool,
}

impl Sums {
    fn add(&mut self, other: Sums) {
        other.spans.into_iter().for_each(|(key, one)| self.put(key, one));
        self.end = self.end.max(other.end);
    }

    fn put(&mut self, key: (Option<[u8; 8]>, Nanos), one: One) {
        match self.spans.entry(key) {
            Entry::Occupied(mut known) if known.get().place < one.place => drop(known.insert(one)),
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(one);
            }
        }
    }

    fn summary(self, id: &Id, matched: usize) -> TraceSummary {
        let known: Set<[u8; 8]> = self.spans.keys().filter_map(|(id, _)| *id).collect();
        let above = |(key, one): &(&(Option<[u8; 8]>, Nanos), &One)| {
            // The root, then what has lost its parent, then what is in a circle; of several the first.
            let rank = match one.parent {
                None => 0,
                Some(parent) if !known.contains(&parent) => 1,
                Some(_) => 2,
            };
            (rank, key.1, key.0)
        };
        let root = self.spans.iter().min_by_key(above).map(|(_, one)| one.clone());
        let start_time = self.spans.keys().map(|(_, start)| *start).min().unwrap_or_default();
        let mut services: BTreeMap<String, u64> = BTreeMap::new();
        for one in self.spans.values() {
            *services.entry(one.service.to_string()).or_default() += 1;
        }
        TraceSummary {
            trace_id: hex(id),
            root_service: root.as_ref().map_or_else(String::new, |root| root.service.to_string()),
            root_name: root.as_ref().map_or_else(String::new, |root| root.name.to_string()),
            start_time,
            duration: self.end.saturating_sub(start_time),
            spans: self.spans.len() as u64,
            errors: self.spans.values().filter(|one| one.is_error).count() as u64,
            matched: matched as u64,
            services,
        }
    }
}

struct Summing<'a> {
    asking: &'a Asking<'a>,
    traces: Map<Id, Sums>,
    columns: [usize; 8],
}

impl<'a> Summing<'a> {
    fn new(asking: &'a Asking<'a>) -> Self {
        let service = common::first(traces::COUNT) + common::SERVICE_NAME;
        let columns = [
            traces::TRACE_ID,
            traces::SPAN_ID,
            traces::PARENT_SPAN_ID,
            traces::NAME,
            traces::START_TIME,
            traces::END_TIME,
            traces::STATUS_CODE,
            service,
        ];
        Self { asking, traces: Map::default(), columns }
    }
}

impl Gather for Summing<'_> {
    fn columns(&self) -> &[usize] {
        &self.columns
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let ids = |column: usize| {
            let ids = view.ids(column)?;
            Ok::<_, ReadError>(move |row: usize| ids.is_valid(row).then(|| ids.value(row).try_into().ok()).flatten())
        };
        let (span, parent) = (ids(traces::SPAN_ID)?, ids(traces::PARENT_SPAN_ID)?);
        let (starts, ends) = (view.times(traces::START_TIME)?, view.times(traces::END_TIME)?);
        let mut texts: Map<(usize, i32), Arc<str>> = Map::default();
        let mut text = |column: usize, row: usize| {
            let (array, values) = view.dictionary(column)?;
            if array.keys().is_null(row) {
                return Ok::<_, ReadError>("".into());
            }
            let key = array.keys().value(row);
            Ok(Arc::clone(texts.entry((column, key)).or_insert_with(|| values.value(key as usize).into())))
        };
        for (row, id) in ids_of(view, rows)? {
            let start = starts.value(row).cast_unsigned();
            let one = One {
                place: view.place(row, start),
                service: text(self.columns[7], row)?,
                name: text(traces::NAME, row)?,
                parent: parent(row),
                is_error: &*text(traces::STATUS_CODE, row)? == "error",
            };
            let sums = self.traces.entry(id).or_default();
            sums.end = sums.end.max(ends.value(row).cast_unsigned());
            sums.put((span(row), start), one);
        }
        self.asking.hold(rows.len() * 96);
        Ok(())
    }
}

impl Answer for Search {
    fn searched(&self) -> &Searched {
        &self.searched
    }

    fn rows(&self) -> usize {
        self.traces.len()
    }

    fn table(&self) -> Result<RecordBatch> {
        let all = || self.traces.iter();
        Table::default()
            .text("trace_id", all().map(|trace| trace.trace_id.as_str()))
            .text("root_service", all().map(|trace| trace.root_service.as_str()))
            .text("root_name", all().map(|trace| trace.root_name.as_str()))
            .times("start_time", all().map(|trace| trace.start_time))
            .u64s("duration", all().map(|trace| trace.duration))
            .u64s("spans", all().map(|trace| trace.spans))
            .u64s("errors", all().map(|trace| trace.errors))
            .u64s("matched", all().map(|trace| trace.matched))
            .lists("services", all().map(|trace| trace.services.keys().map(String::as_str)))
            .finish()
    }

    fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Shown<'a> {
            traces: &'a [TraceSummary],
            #[serde(skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
            searched: &'a Searched,
        }
        let cursor = self.cursor.map(|cursor| cursor.to_string());
        json(form, out, &Shown { traces: &self.traces, cursor, searched: &self.searched })
    }
}
