//! Rows of the traces table to SPANS, SPAN_EVENTS, SPAN_LINKS and their attributes.

use arrow_array::RecordBatch;
use otlp_arrow_wire::otap::PayloadType;

use super::attributes::Attributes;
use super::coded::{Coded, Of, Width};
use super::ids::{Ids, NO_ID};
use super::ipc::Messages;
use super::leaf::{Encoding, Leaf, Plain, Validity, time};
use super::lost::Lost;
use super::shared::{Place, Shared};
use super::table::{Part, Piece, SchemaIds, Stream, clear};
use super::tables::{Tables, each_row};
use crate::EncodeError;
use crate::encode::column::Cell;
use crate::encode::records::Records as _;
use crate::encode::spans::Spans as Source;

/// The tables of spans.
pub(super) struct Traces {
    stream: Stream,
    rows: usize,
    next: Ids,
    id: Plain<u16>,
    shared: Shared,
    start_time: Plain<i64>,
    duration: Coded,
    trace_id: Coded,
    span_id: Coded,
    trace_state: Coded,
    parent_span_id: Coded,
    name: Coded,
    kind: Coded,
    dropped_attributes: Plain<u32>,
    dropped_events: Plain<u32>,
    dropped_links: Plain<u32>,
    flags: Plain<u32>,
    status: Validity,
    status_code: Coded,
    status_message: Coded,
    attributes: Attributes,
    events: Events,
    links: Links,
}

struct Events {
    stream: Stream,
    rows: usize,
    next: Ids,
    /// The number of the name of the row before, and its parent.
    before: Option<(u32, u16)>,
    id: Plain<u32>,
    parent: Plain<u16>,
    time: Plain<i64>,
    name: Coded,
    dropped: Plain<u32>,
    attributes: Attributes,
}

struct Links {
    stream: Stream,
    rows: usize,
    next: Ids,
    /// The number of the trace of the row before, and its parent.
    before: Option<(u32, u16)>,
    id: Plain<u32>,
    parent: Plain<u16>,
    trace_id: Coded,
    span_id: Coded,
    trace_state: Coded,
    dropped: Plain<u32>,
    flags: Plain<u32>,
    attributes: Attributes,
}

/// What is written as the parent of a row whose `like` is a number that only like rows have: rows come by parent, so it is
/// never negative.
fn parent(before: &mut Option<(u32, u16)>, like: u32, parent: u32) -> u16 {
    // There are no more spans than numbers of 16 bits.
    let parent = parent as u16;
    match before.replace((like, parent)) {
        Some((other, before)) if other == like => parent - before,
        _ => parent,
    }
}

impl Traces {
    pub(super) fn new() -> Self {
        let text = |name| Coded::new(name, Of::Text, Width::U8, true);
        let dropped = || Plain::optional("dropped_attributes_count");
        Self {
            stream: Stream::new(PayloadType::Spans),
            rows: 0,
            next: Ids::default(),
            id: Plain::optional("id").encoded(Encoding::Delta),
            shared: Shared::new(),
            start_time: Plain::required("start_time_unix_nano").of_type(time()),
            duration: Coded::new("duration_time_unix_nano", Of::Duration, Width::U8, false),
            trace_id: Coded::new("trace_id", Of::Ids(16), Width::U8, false),
            span_id: Coded::new("span_id", Of::Ids(8), Width::Plain, false),
            trace_state: text("trace_state"),
            parent_span_id: Coded::new("parent_span_id", Of::Ids(8), Width::Plain, true),
            name: Coded::new("name", Of::Text, Width::U8, false),
            kind: Coded::new("kind", Of::I32, Width::U8, true),
            dropped_attributes: dropped(),
            dropped_events: Plain::optional("dropped_events_count"),
            dropped_links: Plain::optional("dropped_links_count"),
            flags: Plain::optional("flags"),
            status: Validity::default(),
            status_code: Coded::new("code", Of::I32, Width::U8, true),
            status_message: text("status_message"),
            attributes: Attributes::new(PayloadType::SpanAttrs, false),
            events: Events {
                stream: Stream::new(PayloadType::SpanEvents),
                rows: 0,
                next: Ids::default(),
                before: None,
                id: Plain::optional("id").encoded(Encoding::Delta),
                parent: Plain::required("parent_id").encoded(Encoding::QuasiDelta),
                time: Plain::optional("time_unix_nano").of_type(time()),
                name: Coded::new("name", Of::Text, Width::U8, false),
                dropped: dropped(),
                attributes: Attributes::new(PayloadType::SpanEventAttrs, true),
            },
            links: Links {
                stream: Stream::new(PayloadType::SpanLinks),
                rows: 0,
                next: Ids::default(),
                before: None,
                id: Plain::optional("id").encoded(Encoding::Delta),
                parent: Plain::required("parent_id").encoded(Encoding::QuasiDelta),
                trace_id: Coded::new("trace_id", Of::Ids(16), Width::U8, false),
                span_id: Coded::new("span_id", Of::Ids(8), Width::U8, false),
                trace_state: text("trace_state"),
                dropped: dropped(),
                flags: Plain::optional("flags"),
                attributes: Attributes::new(PayloadType::SpanLinkAttrs, true),
            },
        }
    }

    fn row(&mut self, source: &Source<'_>, row: usize, place: &Place<'_>) -> Cell<()> {
        let (events, links) = (source.events.range(row)?, source.links.range(row)?);
        let children = !source.attributes.is_empty(row)? || !events.is_empty() || !links.is_empty();
        let id = self.next.of(children);
        self.id.option(id.map(|id| id.delta as u16));
        self.shared.push(place);
        let start = source.start_time.or_zero(row);
        self.start_time.push(start);
        self.duration.push(&source.end_time.or_zero(row).wrapping_sub(start).to_le_bytes());
        self.trace_id.push(source.trace_id.get(row).unwrap_or(&NO_ID));
        self.span_id.push(source.span_id.get(row).unwrap_or(&NO_ID[..8]));
        self.trace_state.unless_empty(source.trace_state.or_empty(row)?);
        self.parent_span_id.option(source.parent_span_id.get(row));
        self.name.push(source.name.or_empty(row)?);
        self.kind.unless_zero(source.kind.get(row)?.unwrap_or_default());
        self.dropped_attributes.unless_zero(source.dropped_attributes.or_zero(row));
        self.dropped_events.unless_zero(source.dropped_events.or_zero(row));
        self.dropped_links.unless_zero(source.dropped_links.or_zero(row));
        self.flags.unless_zero(source.flags.or_zero(row));
        let code = source.status_code.get(row)?;
        self.status.push(code.is_some());
        // Written even if 0, so that a status that says nothing is there.
        self.status_code.option(code.map(i32::to_le_bytes).as_ref().map(|code| &code[..]));
        self.status_message.unless_empty(source.status_message.or_empty(row)?);
        self.rows += 1;
        let Some(id) = id else { return Ok(()) };
        self.attributes.add(&source.attributes, row, id.number)?;
        events.into_iter().try_for_each(|at| self.events.row(source, at, id.number))?;
        links.into_iter().try_for_each(|at| self.links.row(source, at, id.number))
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let status: Vec<&mut dyn Leaf> = vec![&mut self.status_code, &mut self.status_message];
        let [resource, scope, schema_url] = self.shared.parts();
        let parts = vec![
            Part::Column(&mut self.id),
            resource,
            scope,
            schema_url,
            Part::Column(&mut self.start_time),
            Part::Column(&mut self.duration),
            Part::Column(&mut self.trace_id),
            Part::Column(&mut self.span_id),
            Part::Column(&mut self.trace_state),
            Part::Column(&mut self.parent_span_id),
            Part::Column(&mut self.name),
            Part::Column(&mut self.kind),
            Part::Column(&mut self.dropped_attributes),
            Part::Column(&mut self.dropped_events),
            Part::Column(&mut self.dropped_links),
            Part::Struct("status", &mut self.status, status),
            Part::Column(&mut self.flags),
        ];
        (&mut self.stream, parts)
    }
}

impl Events {
    fn row(&mut self, source: &Source<'_>, at: usize, of: u32) -> Cell<()> {
        let event = &source.event;
        let id = self.next.of(!event.attributes.is_empty(at)?);
        self.id.option(id.map(|id| id.delta));
        self.time.option(event.time.get(at));
        let name = self.name.number(event.name.or_empty(at)?);
        self.name.push_number(Some(name));
        self.parent.push(parent(&mut self.before, name, of));
        self.dropped.unless_zero(event.dropped.or_zero(at));
        self.rows += 1;
        id.map_or(Ok(()), |id| self.attributes.add(&event.attributes, at, id.number))
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let Self { stream, id, parent, time, name, dropped, .. } = self;
        let parts = [Part::Column(id), Part::Column(parent), Part::Column(time), Part::Column(name)];
        (stream, parts.into_iter().chain([Part::Column(dropped)]).collect())
    }

    fn end(&mut self) -> usize {
        (self.next, self.before) = (Ids::default(), None);
        std::mem::take(&mut self.rows)
    }
}

impl Links {
    fn row(&mut self, source: &Source<'_>, at: usize, of: u32) -> Cell<()> {
        let link = &source.link;
        let id = self.next.of(!link.attributes.is_empty(at)?);
        self.id.option(id.map(|id| id.delta));
        let trace = self.trace_id.number(link.trace_id.get(at).unwrap_or(&NO_ID));
        self.trace_id.push_number(Some(trace));
        self.parent.push(parent(&mut self.before, trace, of));
        self.span_id.push(link.span_id.get(at).unwrap_or(&NO_ID[..8]));
        self.trace_state.unless_empty(link.trace_state.or_empty(at)?);
        self.dropped.unless_zero(link.dropped.or_zero(at));
        self.flags.unless_zero(link.flags.or_zero(at));
        self.rows += 1;
        id.map_or(Ok(()), |id| self.attributes.add(&link.attributes, at, id.number))
    }

    fn parts(&mut self) -> (&mut Stream, Vec<Part<'_>>) {
        let Self { stream, id, parent, trace_id, span_id, trace_state, dropped, flags, .. } = self;
        let ids = [Part::Column(id), Part::Column(parent), Part::Column(trace_id), Part::Column(span_id)];
        let others = [Part::Column(trace_state), Part::Column(dropped), Part::Column(flags)];
        (stream, ids.into_iter().chain(others).collect())
    }

    fn end(&mut self) -> usize {
        (self.next, self.before) = (Ids::default(), None);
        std::mem::take(&mut self.rows)
    }
}

impl Tables for Traces {
    fn fill(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        let source = Source::of(batch)?;
        each_row(self, batch, |this| &mut this.shared, |this, row, place| this.row(&source, row, place))
    }

    fn pieces(&mut self, ids: &mut SchemaIds, messages: &mut Messages) -> Vec<Piece> {
        let mut out = Vec::new();
        let rows = std::mem::take(&mut self.rows);
        self.next = Ids::default();
        let (stream, parts) = self.parts();
        out.extend(stream.piece(rows, parts, ids, messages));
        out.extend(self.attributes.piece(ids, messages));
        let rows = self.events.end();
        let (stream, parts) = self.events.parts();
        out.extend(stream.piece(rows, parts, ids, messages));
        out.extend(self.events.attributes.piece(ids, messages));
        let rows = self.links.end();
        let (stream, parts) = self.links.parts();
        out.extend(stream.piece(rows, parts, ids, messages));
        out.extend(self.links.attributes.piece(ids, messages));
        self.shared.pieces(ids, messages, &mut out);
        out
    }

    fn restart(&mut self) {
        [&mut self.stream, &mut self.events.stream, &mut self.links.stream].into_iter().for_each(Stream::restart);
        let attributes = [&mut self.attributes, &mut self.events.attributes, &mut self.links.attributes];
        attributes.into_iter().for_each(Attributes::restart);
        self.shared.restart();
    }

    fn forget(&mut self) {
        clear(&mut self.parts().1);
        clear(&mut self.events.parts().1);
        clear(&mut self.links.parts().1);
        (self.rows, self.next) = (0, Ids::default());
        self.events.end();
        self.links.end();
        let attributes = [&mut self.attributes, &mut self.events.attributes, &mut self.links.attributes];
        attributes.into_iter().for_each(Attributes::forget);
        self.shared.forget();
    }

    fn lost(&mut self) -> Lost {
        let mut lost = self.shared.lost();
        for of in [&mut self.attributes, &mut self.events.attributes, &mut self.links.attributes] {
            lost.add_all(std::mem::take(&mut of.lost));
        }
        lost
    }
}
