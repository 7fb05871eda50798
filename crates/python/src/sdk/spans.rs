//! `ReadableSpan` to `opentelemetry.proto.trace.v1.Span`.

use pyo3::intern;
use pyo3::prelude::*;

use otlp_arrow_wire::Writer;

use super::Failure;
use super::group::Groups;
use super::ids::{Context, enum_number, field, flags, nanos, span_id, text, trace_id, trace_state};
use super::types::{BOUNDED_ATTRIBUTES, BOUNDED_LIST, CONTEXT, EVENT, LINK, READABLE_SPAN, SPAN, STATUS};
use super::value::attributes;

mod span {
    pub(super) const TRACE_ID: u32 = 1;
    pub(super) const SPAN_ID: u32 = 2;
    pub(super) const TRACE_STATE: u32 = 3;
    pub(super) const PARENT_SPAN_ID: u32 = 4;
    pub(super) const NAME: u32 = 5;
    pub(super) const KIND: u32 = 6;
    pub(super) const START_TIME: u32 = 7;
    pub(super) const END_TIME: u32 = 8;
    pub(super) const ATTRIBUTES: u32 = 9;
    pub(super) const DROPPED_ATTRIBUTES_COUNT: u32 = 10;
    pub(super) const EVENTS: u32 = 11;
    pub(super) const DROPPED_EVENTS_COUNT: u32 = 12;
    pub(super) const LINKS: u32 = 13;
    pub(super) const DROPPED_LINKS_COUNT: u32 = 14;
    pub(super) const STATUS: u32 = 15;
    pub(super) const FLAGS: u32 = 16;
}

/// Appends one span to its group; nothing of it stays there if it cannot be written whole.
pub(super) fn encode<'py>(span: &Bound<'py, PyAny>, groups: &mut Groups<'py, '_>) -> Result<(), Failure> {
    const SPANS: u32 = 2;
    let py = span.py();
    // The SDK's own spans only return a private field from each property, so the call is saved.
    let known = READABLE_SPAN.is(span) || SPAN.is(span);
    let resource = field(span, known, intern!(py, "_resource"), intern!(py, "resource"))?;
    let scope = field(span, known, intern!(py, "_instrumentation_scope"), intern!(py, "instrumentation_scope"))?;
    let writer = groups.records(&resource, &scope)?;
    let mark = writer.mark();
    let message = writer.open(SPANS, 2);
    match content(writer, span, known) {
        Ok(()) => writer.close(message),
        Err(failure) => {
            writer.rewind(mark);
            return Err(failure);
        }
    }
    Ok(())
}

fn content(writer: &mut Writer, span: &Bound<'_, PyAny>, known: bool) -> Result<(), Failure> {
    let py = span.py();
    let context = field(span, known, intern!(py, "_context"), intern!(py, "context"))?;
    if !context.is_none() {
        let context = Context::read(&context, CONTEXT.is(&context))?;
        writer.bytes_always(span::TRACE_ID, &trace_id(&context.trace_id)?);
        writer.bytes_always(span::SPAN_ID, &span_id(&context.span_id)?);
        trace_state(writer, span::TRACE_STATE, &context.trace_state)?;
    }
    let parent = field(span, known, intern!(py, "_parent"), intern!(py, "parent"))?;
    let mut parent_is_remote = false;
    if !parent.is_none() {
        let parent = Context::read(&parent, CONTEXT.is(&parent))?;
        writer.bytes_always(span::PARENT_SPAN_ID, &span_id(&parent.span_id)?);
        parent_is_remote = parent.is_remote;
    }
    text(writer, span::NAME, &field(span, known, intern!(py, "_name"), intern!(py, "name"))?)?;
    // The SDK numbers its kinds from 0 where OTLP has UNSPECIFIED.
    let kind = field(span, known, intern!(py, "_kind"), intern!(py, "kind"))?;
    if !kind.is_none() {
        writer.uint_always(span::KIND, (enum_number(&kind)? + 1) as u64);
    }
    let start = field(span, known, intern!(py, "_start_time"), intern!(py, "start_time"))?;
    writer.fixed64(span::START_TIME, nanos(&start)?);
    let end = field(span, known, intern!(py, "_end_time"), intern!(py, "end_time"))?;
    writer.fixed64(span::END_TIME, nanos(&end)?);

    let mapping = field(span, known, intern!(py, "_attributes"), intern!(py, "attributes"))?;
    let left_out = attributes(writer, span::ATTRIBUTES, &mapping)?;
    let dropped = dropped(span, known, &mapping, intern!(py, "dropped_attributes"))?;
    writer.uint(span::DROPPED_ATTRIBUTES_COUNT, u64::from(dropped) + u64::from(left_out));

    let events = field(span, known, intern!(py, "_events"), intern!(py, "events"))?;
    for_each(&events, |event| encode_event(writer, event))?;
    writer.uint(span::DROPPED_EVENTS_COUNT, self::dropped(span, known, &events, intern!(py, "dropped_events"))?.into());
    let links = field(span, known, intern!(py, "_links"), intern!(py, "links"))?;
    for_each(&links, |link| encode_link(writer, link))?;
    writer.uint(span::DROPPED_LINKS_COUNT, self::dropped(span, known, &links, intern!(py, "dropped_links"))?.into());

    encode_status(writer, &field(span, known, intern!(py, "_status"), intern!(py, "status"))?)?;
    writer.fixed32(span::FLAGS, flags(parent_is_remote));
    Ok(())
}

/// What the SDK dropped of `items`, a part of `owner`; read from the SDK's own container where it is one.
fn dropped(
    owner: &Bound<'_, PyAny>,
    known: bool,
    items: &Bound<'_, PyAny>,
    public: &Bound<'_, pyo3::types::PyString>,
) -> PyResult<u32> {
    let py = owner.py();
    if !known {
        return owner.getattr_opt(public)?.map_or(Ok(0), |count| count.extract());
    }
    if BOUNDED_ATTRIBUTES.is(items) || BOUNDED_LIST.is(items) {
        return items.getattr(intern!(py, "dropped"))?.extract();
    }
    Ok(0)
}

/// Calls `f` with each element of an events or links list, None being empty.
fn for_each<'py>(
    items: &Bound<'py, PyAny>,
    mut f: impl FnMut(&Bound<'py, PyAny>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // Most spans have neither: an empty list of the SDK's own is told by its deque, without its lock and copy.
    if BOUNDED_LIST.is(items) {
        if items.getattr(intern!(items.py(), "_dq"))?.len()? == 0 {
            return Ok(());
        }
    } else if items.is_none() {
        return Ok(());
    }
    for item in items.try_iter()? {
        f(&item?)?;
    }
    Ok(())
}

fn encode_event(writer: &mut Writer, event: &Bound<'_, PyAny>) -> Result<(), Failure> {
    const TIME: u32 = 1;
    const NAME: u32 = 2;
    const ATTRIBUTES: u32 = 3;
    const DROPPED_ATTRIBUTES_COUNT: u32 = 4;
    let py = event.py();
    let known = EVENT.is(event);
    let message = writer.open(span::EVENTS, 1);
    let time = field(event, known, intern!(py, "_timestamp"), intern!(py, "timestamp"))?;
    writer.fixed64(TIME, nanos(&time)?);
    text(writer, NAME, &field(event, known, intern!(py, "_name"), intern!(py, "name"))?)?;
    let mapping = field(event, known, intern!(py, "_attributes"), intern!(py, "attributes"))?;
    let left_out = attributes(writer, ATTRIBUTES, &mapping)?;
    let dropped = dropped(event, known, &mapping, intern!(py, "dropped_attributes"))?;
    writer.uint(DROPPED_ATTRIBUTES_COUNT, u64::from(dropped) + u64::from(left_out));
    writer.close(message);
    Ok(())
}

fn encode_link(writer: &mut Writer, link: &Bound<'_, PyAny>) -> Result<(), Failure> {
    const TRACE_ID: u32 = 1;
    const SPAN_ID: u32 = 2;
    const TRACE_STATE: u32 = 3;
    const ATTRIBUTES: u32 = 4;
    const DROPPED_ATTRIBUTES_COUNT: u32 = 5;
    const FLAGS: u32 = 6;
    let py = link.py();
    let known = LINK.is(link);
    let context = field(link, known, intern!(py, "_context"), intern!(py, "context"))?;
    let context = Context::read(&context, CONTEXT.is(&context))?;
    let message = writer.open(span::LINKS, 1);
    writer.bytes_always(TRACE_ID, &trace_id(&context.trace_id)?);
    writer.bytes_always(SPAN_ID, &span_id(&context.span_id)?);
    trace_state(writer, TRACE_STATE, &context.trace_state)?;
    let mapping = field(link, known, intern!(py, "_attributes"), intern!(py, "attributes"))?;
    let left_out = attributes(writer, ATTRIBUTES, &mapping)?;
    let dropped = dropped(link, known, &mapping, intern!(py, "dropped_attributes"))?;
    writer.uint(DROPPED_ATTRIBUTES_COUNT, u64::from(dropped) + u64::from(left_out));
    writer.fixed32(FLAGS, flags(context.is_remote));
    writer.close(message);
    Ok(())
}

fn encode_status(writer: &mut Writer, status: &Bound<'_, PyAny>) -> PyResult<()> {
    const MESSAGE: u32 = 2;
    const CODE: u32 = 3;
    if status.is_none() {
        return Ok(());
    }
    let py = status.py();
    let known = STATUS.is(status);
    let message = writer.open(span::STATUS, 1);
    text(writer, MESSAGE, &field(status, known, intern!(py, "_description"), intern!(py, "description"))?)?;
    let code = field(status, known, intern!(py, "_status_code"), intern!(py, "status_code"))?;
    writer.uint(CODE, enum_number(&code)? as u64);
    writer.close(message);
    Ok(())
}
