//! Spans joined to their parents: edges between services.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Edge, EdgeKind, MapNode, NodeKind};
use super::gather::{Calls, Numbered, Peer, Span, SpanKey};
use crate::filter::{Cursor, Filter, Nanos};
use crate::maps::{Map, Set};
use crate::questions::services::Requests;

/// All spans, with one numbering of services and peers.
#[derive(Debug, Default)]
pub(super) struct Joined {
    spans: Vec<Span>,
    links: Vec<(usize, SpanKey)>,
    services: Numbered<Box<str>>,
    peers: Numbered<Peer>,
}

/// From and to, by service, or by peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Service(u32),
    Peer(u32),
    Link(u32),
}

impl Joined {
    pub(super) fn append(&mut self, calls: Calls<'_>) {
        let services: Vec<u32> = calls.services.values.into_iter().map(|name| self.services.number(name)).collect();
        let peers: Vec<u32> = calls.peers.values.into_iter().map(|peer| self.peers.number(peer)).collect();
        let first = self.spans.len();
        let spans = calls.spans.into_iter().map(|span| Span {
            service: services[span.service as usize],
            peer: span.peer.map(|peer| peers[peer as usize]),
            ..span
        });
        self.spans.extend(spans);
        self.links.extend(calls.links.into_iter().map(|(from, to)| (from + first, to)));
    }

    /// Nodes and edges; of `only` these spans, if there are some.
    pub(super) fn finish(mut self, filter: &Filter, only: Option<&Set<Cursor>>) -> (Vec<MapNode>, Vec<Edge>) {
        // Of spans that came twice one counts.
        let mut by_key: Map<SpanKey, usize> = Map::default();
        for (at, span) in self.spans.iter().enumerate() {
            let last = by_key.entry(span.key).or_insert(at);
            if span.place > self.spans[*last].place {
                *last = at;
            }
        }
        let is_counted = |at: usize, span: &Span| {
            by_key.get(&span.key) == Some(&at)
                && filter.from.is_none_or(|from| span.place.time >= from)
                && only.is_none_or(|only| only.contains(&span.place))
        };
        let parents: Set<SpanKey> = self.spans.iter().filter_map(|span| Some((span.key.0, span.parent?))).collect();
        // A peer that is a service which sends spans is that service.
        let known: BTreeMap<Box<str>, u32> =
            (0..).zip(&self.services.values).map(|(at, name)| (name.clone(), at)).collect();
        let mut edges: BTreeMap<(u32, To), Requests> = BTreeMap::new();
        let mut seen: Option<(Nanos, Nanos)> = None;
        let mut counts: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (_, span) in self.spans.iter().enumerate().filter(|(at, span)| is_counted(*at, span)) {
            let start = span.place.time;
            seen = Some(seen.map_or((start, start), |(first, last)| (first.min(start), last.max(start))));
            let count = counts.entry(span.service).or_default();
            *count = (count.0 + 1, count.1 + u64::from(span.is_error));
            let mut add = |from: u32, to: To| {
                edges.entry((from, to)).or_default().add(f64::from(span.weight), span.is_error, span.duration);
            };
            let parent = span.parent.and_then(|parent| by_key.get(&(span.key.0, parent)));
            if let Some(parent) =
                parent.map(|parent| &self.spans[*parent]).filter(|parent| parent.service != span.service)
            {
                add(parent.service, To::Service(span.service));
            }
            if let Some(peer) = span.peer.filter(|_| !parents.contains(&span.key)) {
                match known.get(&self.peers.values[peer as usize].1) {
                    Some(service) if *service != span.service => add(span.service, To::Service(*service)),
                    Some(_) => {}
                    None => add(span.service, To::Peer(peer)),
                }
            }
        }
        for (from, to) in std::mem::take(&mut self.links) {
            let span = &self.spans[from];
            let linked = by_key.get(&to).map(|to| self.spans[*to].service).filter(|service| *service != span.service);
            if let Some(service) = linked.filter(|_| is_counted(from, span)) {
                // From what came first to what refers to it.
                let edge = edges.entry((service, To::Link(span.service))).or_default();
                edge.add(f64::from(span.weight), span.is_error, span.duration);
            }
        }
        self.shown(filter, seen, &counts, edges)
    }

    fn shown(
        &self,
        filter: &Filter,
        seen: Option<(Nanos, Nanos)>,
        counts: &BTreeMap<u32, (u64, u64)>,
        edges: BTreeMap<(u32, To), Requests>,
    ) -> (Vec<MapNode>, Vec<Edge>) {
        let (first, last) = seen.unwrap_or_default();
        let (from, to) = (filter.from.unwrap_or(first), filter.to.unwrap_or(last));
        let seconds = (to.saturating_sub(from) as f64 / 1e9).max(1.0);
        let service = |number: u32| self.services.values[number as usize].to_string();
        let mut nodes: Vec<MapNode> = counts
            .iter()
            .map(|(number, (spans, errors))| MapNode {
                name: service(*number),
                kind: NodeKind::Service,
                spans: *spans,
                errors: *errors,
            })
            .collect();
        let has = |nodes: &[MapNode], name: &str, kind: NodeKind| {
            nodes.iter().any(|node| node.name == name && node.kind == kind)
        };
        let ends: BTreeSet<u32> = edges
            .keys()
            .flat_map(|(from, to)| match to {
                To::Service(to) | To::Link(to) => [*from, *to],
                To::Peer(_) => [*from, *from],
            })
            .collect();
        for number in ends.into_iter().filter(|number| !counts.contains_key(number)) {
            nodes.push(MapNode { name: service(number), kind: NodeKind::Service, spans: 0, errors: 0 });
        }
        let mut shown = Vec::new();
        for ((from, to), mut requests) in edges {
            let (name, to_kind, kind) = match to {
                To::Service(to) => (service(to), NodeKind::Service, EdgeKind::Call),
                To::Link(to) => (service(to), NodeKind::Service, EdgeKind::Link),
                To::Peer(peer) => {
                    let (kind, name) = &self.peers.values[peer as usize];
                    if !has(&nodes, name, *kind) {
                        nodes.push(MapNode { name: name.to_string(), kind: *kind, spans: 0, errors: 0 });
                    }
                    (name.to_string(), *kind, EdgeKind::Call)
                }
            };
            let percentiles = requests.durations.percentiles([0.5, 0.95, 0.99]);
            shown.push(Edge {
                from: service(from),
                to: name,
                to_kind,
                kind,
                requests: requests.count,
                weighted_requests: requests.weight,
                rate: requests.weight / seconds,
                errors: requests.errors,
                error_share: requests.errors as f64 / requests.count.max(1) as f64,
                p50: percentiles.map(|[p50, ..]| p50),
                p95: percentiles.map(|[_, p95, _]| p95),
                p99: percentiles.map(|[.., p99]| p99),
            });
        }
        nodes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        shown.sort_by(|a, b| (&a.from, &a.to, a.to_kind, a.kind).cmp(&(&b.from, &b.to, b.to_kind, b.kind)));
        (nodes, shown)
    }
}
