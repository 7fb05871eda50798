//! Goes through spans and log records for exceptions.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, MapArray, StructArray};
use otlp_arrow_base::error::Result;
use otlp_arrow_columns::Signal;
use otlp_arrow_columns::schema::{common, logs, traces};
use otlp_arrow_store::ReadError;

use super::answer::{ErrorGroup, Exception};
use super::trend::Trend;
use crate::figures::{normalized, top_frame};
use crate::filter::{Nanos, Order, Term};
use crate::maps::Map;
use crate::record::hex;
use crate::scan::{ANY_TIME, Asking, Attributes, Gather, Scan, Selection, Times, View};

/// What one group takes beside its texts.
const GROUP_BYTES: usize = 512;
/// What one cell of a group's counts over time takes.
const CELL_BYTES: usize = 48;
/// The most of a stack trace that is kept of an example.
const MOST_STACK: usize = 16 << 10;

/// What the exceptions of a group have in common: type, message without its numbers, frame.
pub(crate) type Key = (Box<str>, Box<str>, Option<Box<str>>);

/// The exceptions of a group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) count: u64,
    seen: (Nanos, Nanos),
    services: BTreeMap<Box<str>, u64>,
    pub(super) trend: Trend,
    example: Exception,
}

impl Group {
    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.seen = (self.seen.0.min(other.seen.0), self.seen.1.max(other.seen.1));
        other.services.into_iter().for_each(|(name, count)| *self.services.entry(name).or_default() += count);
        self.trend.merge(other.trend);
        if other.example.order() > self.example.order() {
            self.example = other.example;
        }
    }

    pub(super) fn finish(self, key: Key, step: Nanos) -> ErrorGroup {
        let group = format!("{:016x}", fingerprint(&key));
        let (exception_type, message, frame) = key;
        let mut services: Vec<(String, u64)> =
            self.services.into_iter().map(|(name, count)| (name.into(), count)).collect();
        services.sort_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
        ErrorGroup {
            group,
            exception_type: exception_type.into(),
            message: message.into(),
            frame: frame.map(Into::into),
            count: self.count,
            services,
            first_seen: self.seen.0,
            last_seen: self.seen.1,
            trend: self.trend.told(step),
            example: self.example,
        }
    }
}

/// The number of a group: the same in every directory and every version (FNV-1a of its texts).
pub(crate) fn fingerprint((exception_type, message, frame): &Key) -> u64 {
    let texts = [exception_type, message, frame.as_deref().unwrap_or_default()];
    let bytes = texts.into_iter().flat_map(|text| text.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) groups: BTreeMap<Key, Group>,
    /// The first ones in the order of the filter.
    pub(crate) rows: Vec<Exception>,
}

/// All exceptions for which `terms` hold, grouped, and `rows` of them one by one, those of `only` if that is given. A word that
/// one signal does not know asks for the exceptions of the others.
pub(crate) fn gathered(
    asking: &Asking<'_>,
    signals: &[Signal],
    terms: &dyn Fn(Signal) -> Result<Vec<Term>>,
    order: Order,
    rows: usize,
    only: Option<u64>,
) -> Result<Gathered> {
    let all = signals.iter().map(|signal| Ok((*signal, terms(*signal)?)));
    let (fit, refused): (Vec<_>, Vec<_>) = all.partition(Result::is_ok);
    if fit.is_empty()
        && let Some(Err(error)) = refused.into_iter().next()
    {
        return Err(error);
    }
    let mut all = Gathered::default();
    for (signal, terms) in fit.into_iter().flatten() {
        let scan = Scan { asking, signal, terms, bound: None, within: ANY_TIME };
        let make = || Gathering { asking, signal, most: rows, only, order, groups: Map::default(), rows: Vec::new() };
        for some in scan.run(make)? {
            for (key, group) in some.groups {
                match all.groups.get_mut(&key) {
                    Some(known) => known.merge(group),
                    None => drop(all.groups.insert(key, group)),
                }
            }
            all.rows.extend(some.rows);
        }
    }
    keep_first(&mut all.rows, rows, order);
    Ok(all)
}

fn keep_first(rows: &mut Vec<Exception>, most: usize, order: Order) {
    match order {
        Order::Newest => rows.sort_by(|a, b| b.order().cmp(&a.order())),
        Order::Oldest => rows.sort_by(|a, b| a.order().cmp(&b.order())),
    }
    rows.truncate(most);
}

struct Gathering<'a> {
    asking: &'a Asking<'a>,
    signal: Signal,
    most: usize,
    only: Option<u64>,
    order: Order,
    groups: Map<Key, Group>,
    rows: Vec<Exception>,
}

const OF_SPANS: [usize; 5] = [
    traces::TRACE_ID,
    traces::SPAN_ID,
    traces::NAME,
    traces::EVENTS,
    common::first(traces::COUNT) + common::SERVICE_NAME,
];
const OF_LOGS: [usize; 6] = [
    logs::TIME,
    logs::OBSERVED_TIME,
    logs::ATTRIBUTES,
    logs::TRACE_ID,
    logs::SPAN_ID,
    common::first(logs::COUNT) + common::SERVICE_NAME,
];

/// What is known of an exception before it is told.
struct Seen<'a> {
    time: Nanos,
    exception_type: &'a str,
    message: &'a str,
    stack: Option<&'a str>,
    escaped: bool,
}

impl<'a> Seen<'a> {
    /// In the attributes of a row, if there is one.
    fn of(attributes: &Attributes<'a>, row: usize, time: Nanos) -> Option<Self> {
        let get = |key: &str| attributes.get(row, key.as_bytes()).flatten();
        let (exception_type, message) = (get("exception.type"), get("exception.message"));
        let stack = get("exception.stacktrace");
        exception_type.or(message).or(stack)?;
        Some(Self {
            time,
            exception_type: exception_type.unwrap_or_default(),
            message: message.unwrap_or_default(),
            stack,
            escaped: get("exception.escaped") == Some("true"),
        })
    }
}

impl Gather for Gathering<'_> {
    fn columns(&self) -> &[usize] {
        match self.signal {
            Signal::Logs => &OF_LOGS,
            _ => &OF_SPANS,
        }
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        match self.signal {
            Signal::Logs => self.logs(view, rows),
            _ => self.spans(view, rows),
        }
    }
}

impl Gathering<'_> {
    fn spans(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let list = view.list(traces::EVENTS)?;
        let Some(events) = list.values().as_struct_opt() else { return Ok(()) };
        let child = |name: &str| {
            let missing = || ReadError::damaged(format!("events without {name:?}"));
            StructArray::column_by_name(events, name).ok_or_else(missing)
        };
        let wrong = || ReadError::damaged("events are of other types than ours");
        let names = child("name")?.as_string_opt::<i32>().ok_or_else(wrong)?;
        let times = child("time")?.as_primitive_opt::<TimestampNanosecondType>().ok_or_else(wrong)?;
        let map: &MapArray = child("attributes")?.as_map_opt().ok_or_else(wrong)?;
        let attributes = Attributes::of(map)?;
        let offsets = list.value_offsets();
        for row in rows.iter() {
            for at in offsets[row] as usize..offsets[row + 1] as usize {
                if names.value(at) != "exception" {
                    continue;
                }
                if let Some(seen) = Seen::of(&attributes, at, times.value(at).cast_unsigned()) {
                    self.add(view, row, &seen, [traces::TRACE_ID, traces::SPAN_ID, OF_SPANS[4]], Some(traces::NAME))?;
                }
            }
        }
        Ok(())
    }

    fn logs(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let attributes = Attributes::of(view.map(logs::ATTRIBUTES)?)?;
        let times = Times::of(view)?;
        for row in rows.iter() {
            if let Some(seen) = Seen::of(&attributes, row, times.order(row)) {
                self.add(view, row, &seen, [logs::TRACE_ID, logs::SPAN_ID, OF_LOGS[5]], None)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        view: &View<'_>,
        row: usize,
        seen: &Seen<'_>,
        [trace, span, service]: [usize; 3],
        name: Option<usize>,
    ) -> std::result::Result<(), ReadError> {
        let frame = seen.stack.and_then(top_frame).map(Into::into);
        let key: Key = (seen.exception_type.into(), normalized(seen.message).into(), frame);
        if self.only.is_some_and(|only| fingerprint(&key) != only) {
            return Ok(());
        }
        let text = |column: usize| {
            let (array, values) = view.dictionary(column)?;
            Ok::<_, ReadError>(array.keys().is_valid(row).then(|| values.value(array.keys().value(row) as usize)))
        };
        let id = |column: usize| {
            let ids = view.ids(column)?;
            Ok::<_, ReadError>(ids.is_valid(row).then(|| hex(ids.value(row))))
        };
        let service = text(service)?.unwrap_or_default();
        let known = self.groups.get_mut(&key);
        let is_example = known.as_ref().is_none_or(|group| seen.time >= group.example.time);
        let is_row = self.most > 0;
        let told = match is_example || is_row {
            false => None,
            true => Some(Exception {
                time: seen.time,
                service: service.to_owned(),
                exception_type: seen.exception_type.to_owned(),
                message: seen.message.to_owned(),
                stacktrace: seen.stack.map(shortened),
                escaped: seen.escaped,
                trace_id: id(trace)?,
                span_id: id(span)?,
                span_name: name.map(text).transpose()?.flatten().map(str::to_owned),
                signal: self.signal,
            }),
        };
        match known {
            Some(group) => {
                group.count += 1;
                group.seen = (group.seen.0.min(seen.time), group.seen.1.max(seen.time));
                if group.trend.add(seen.time) {
                    self.asking.hold(CELL_BYTES);
                }
                match group.services.get_mut(service) {
                    Some(count) => *count += 1,
                    None => drop(group.services.insert(service.into(), 1)),
                }
                if let Some(told) = told.as_ref().filter(|told| told.order() > group.example.order()) {
                    group.example = told.clone();
                }
            }
            None => {
                let Some(example) = told.clone() else { return Ok(()) };
                let held = GROUP_BYTES + key.1.len() + example.stacktrace.as_ref().map_or(0, String::len);
                if !self.asking.hold(held) {
                    return Ok(());
                }
                let services = [(service.into(), 1)].into();
                let mut trend = Trend::default();
                trend.add(seen.time);
                self.groups.insert(key, Group { count: 1, seen: (seen.time, seen.time), services, trend, example });
            }
        }
        if let Some(told) = told.filter(|_| is_row) {
            self.asking.hold(told.message.len() + told.stacktrace.as_ref().map_or(0, String::len) + 256);
            self.rows.push(told);
            if self.rows.len() > 2 * self.most + 1024 {
                let held = |rows: &[Exception]| {
                    rows.iter()
                        .map(|told| told.message.len() + told.stacktrace.as_ref().map_or(0, String::len) + 256)
                        .sum::<usize>()
                };
                let before = held(&self.rows);
                keep_first(&mut self.rows, self.most, self.order);
                self.asking.release(before - held(&self.rows));
            }
        }
        Ok(())
    }
}

fn shortened(stack: &str) -> String {
    match stack.char_indices().map(|(at, _)| at).find(|at| *at >= MOST_STACK) {
        Some(end) => format!("{}…", &stack[..end]),
        None => stack.to_owned(),
    }
}
