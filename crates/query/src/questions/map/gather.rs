//! What the map has to know of each span.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ListArray};
use otlp_arrow_columns::schema::{common, traces};
use otlp_arrow_store::ReadError;

use super::answer::NodeKind;
use crate::filter::Cursor;
use crate::maps::Set;
use crate::questions::services::weight;
use crate::scan::{Asking, Attributes, Gather, Selection, View};

/// What one span takes while calls are joined.
const SPAN_BYTES: usize = 192;
/// What a link takes.
const LINK_BYTES: usize = 48;

/// A span by its trace and its own id.
pub(super) type SpanKey = (u128, u64);

/// What is called that sends nothing itself.
pub(super) type Peer = (NodeKind, Box<str>);

/// One span.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) key: SpanKey,
    pub(super) parent: Option<u64>,
    /// Its service and its peer, by their numbers.
    pub(super) service: u32,
    pub(super) peer: Option<u32>,
    /// When it starts, and where it is: of several of one id the last one counts.
    pub(super) place: Cursor,
    pub(super) duration: i64,
    pub(super) weight: f32,
    pub(super) is_error: bool,
}

/// The spans that one thread has seen.
#[derive(Debug)]
pub(super) struct Calls<'a> {
    asking: &'a Asking<'a>,
    pub(super) spans: Vec<Span>,
    /// Which span links to which.
    pub(super) links: Vec<(usize, SpanKey)>,
    pub(super) services: Numbered<Box<str>>,
    pub(super) peers: Numbered<Peer>,
}

/// Distinct values by number.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    numbers: BTreeMap<T, u32>,
    pub(super) values: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), values: Vec::new() }
    }
}

impl<T: Ord + Clone> Numbered<T> {
    pub(super) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = self.values.len() as u32;
        self.numbers.insert(value.clone(), number);
        self.values.push(value);
        number
    }
}

impl<'a> Calls<'a> {
    pub(super) fn new(asking: &'a Asking<'a>) -> Self {
        Self { asking, spans: Vec::new(), links: Vec::new(), services: Numbered::default(), peers: Numbered::default() }
    }
}

const SERVICE: usize = common::first(traces::COUNT) + common::SERVICE_NAME;

/// Attributes that name what a client span calls, the first one that is there counts; and what that is.
const NAMES: [(&str, NodeKind); 10] = [
    ("peer.service", NodeKind::External),
    ("server.address", NodeKind::External),
    ("net.peer.name", NodeKind::External),
    ("db.system.name", NodeKind::Database),
    ("db.system", NodeKind::Database),
    ("messaging.destination.name", NodeKind::Messaging),
    ("messaging.destination", NodeKind::Messaging),
    ("messaging.system", NodeKind::Messaging),
    ("rpc.service", NodeKind::External),
    ("net.sock.peer.addr", NodeKind::External),
];

/// What a span calls by its attributes.
fn peer(attributes: &Attributes<'_>, row: usize) -> Option<Peer> {
    let get = |key: &str| attributes.get(row, key.as_bytes()).flatten().filter(|value| !value.is_empty());
    let (name, kind) = NAMES.iter().find_map(|(key, kind)| Some((get(key)?, *kind)))?;
    let is = |keys: [&str; 2]| keys.into_iter().any(|key| get(key).is_some());
    // A host is called, and a database runs there: what it is tells more than where.
    let kind = match kind {
        NodeKind::External if is(["db.system.name", "db.system"]) => NodeKind::Database,
        NodeKind::External if is(["messaging.system", "messaging.destination.name"]) => NodeKind::Messaging,
        kind => kind,
    };
    Some((kind, name.into()))
}

fn key(trace: &[u8], span: &[u8]) -> Option<SpanKey> {
    Some((u128::from_be_bytes(trace.try_into().ok()?), u64::from_be_bytes(span.try_into().ok()?)))
}

impl Gather for Calls<'_> {
    fn columns(&self) -> &[usize] {
        &[
            traces::TRACE_ID,
            traces::SPAN_ID,
            traces::PARENT_SPAN_ID,
            traces::TRACE_STATE,
            traces::KIND,
            traces::START_TIME,
            traces::DURATION,
            traces::STATUS_CODE,
            traces::ATTRIBUTES,
            traces::LINKS,
            SERVICE,
        ]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        if !self.asking.hold(rows.len() * SPAN_BYTES) {
            return Ok(());
        }
        let (ids, spans) = (view.ids(traces::TRACE_ID)?, view.ids(traces::SPAN_ID)?);
        let (parents, states) = (view.ids(traces::PARENT_SPAN_ID)?, view.text(traces::TRACE_STATE)?);
        let (starts, durations) = (view.times(traces::START_TIME)?, view.i64s(traces::DURATION)?);
        let (kinds, kind_values) = view.dictionary(traces::KIND)?;
        let (statuses, status_values) = view.dictionary(traces::STATUS_CODE)?;
        let (services, service_values) = view.dictionary(SERVICE)?;
        let attributes = Attributes::of(view.map(traces::ATTRIBUTES)?)?;
        let links = Links::of(view.list(traces::LINKS)?);
        let calls: Vec<bool> = kind_values.iter().map(|kind| matches!(kind, Some("client" | "producer"))).collect();
        let fails: Vec<bool> = status_values.iter().map(|status| status == Some("error")).collect();
        let numbers: Vec<u32> =
            service_values.iter().map(|name| self.services.number(name.unwrap_or_default().into())).collect();
        let mut linked = 0;
        for row in rows.iter() {
            if ids.is_null(row) || spans.is_null(row) {
                continue;
            }
            let Some(own) = key(ids.value(row), spans.value(row)) else { continue };
            let service = match services.keys().is_valid(row) {
                true => numbers[services.keys().value(row) as usize],
                false => self.services.number(Box::default()),
            };
            let is_call = kinds.keys().is_valid(row) && calls[kinds.keys().value(row) as usize];
            let peer = is_call.then(|| peer(&attributes, row)).flatten().map(|peer| self.peers.number(peer));
            if let Some(links) = &links {
                for to in links.of_row(row) {
                    linked += 1;
                    self.links.push((self.spans.len(), to));
                }
            }
            self.spans.push(Span {
                key: own,
                parent: parents
                    .is_valid(row)
                    .then(|| parents.value(row).try_into().ok().map(u64::from_be_bytes))
                    .flatten(),
                service,
                peer,
                place: view.place(row, starts.value(row).cast_unsigned()),
                duration: durations.value(row),
                weight: if states.is_valid(row) { weight(states.value(row)) as f32 } else { 1.0 },
                is_error: statuses.keys().is_valid(row) && fails[statuses.keys().value(row) as usize],
            });
        }
        self.asking.hold(linked * LINK_BYTES);
        Ok(())
    }
}

/// The ids of the links of a block.
struct Links<'a> {
    offsets: &'a [i32],
    traces: &'a arrow_array::FixedSizeBinaryArray,
    spans: &'a arrow_array::FixedSizeBinaryArray,
}

impl<'a> Links<'a> {
    fn of(list: &'a ListArray) -> Option<Self> {
        let fields = list.values().as_struct_opt()?;
        let ids = |name: &str| fields.column_by_name(name)?.as_fixed_size_binary_opt();
        Some(Self { offsets: list.value_offsets(), traces: ids("trace_id")?, spans: ids("span_id")? })
    }

    fn of_row(&self, row: usize) -> impl Iterator<Item = SpanKey> + '_ {
        let all = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        let valid = all.filter(|at| self.traces.is_valid(*at) && self.spans.is_valid(*at));
        valid.filter_map(|at| key(self.traces.value(at), self.spans.value(at)))
    }
}

/// Where the spans are that match.
#[derive(Debug, Default)]
pub(super) struct Called(pub(super) Set<Cursor>);

impl Gather for Called {
    fn columns(&self) -> &[usize] {
        &[traces::START_TIME]
    }

    fn gather(&mut self, view: &View<'_>, rows: &Selection) -> std::result::Result<(), ReadError> {
        let starts = view.times(traces::START_TIME)?;
        self.0.extend(rows.iter().map(|row| view.place(row, starts.value(row).cast_unsigned())));
        Ok(())
    }
}
