import { attributes, touchAttributes } from './attributes.js';
import type { ReadableSpan, SpanContext } from './types.js';
import type { Writer } from './writer.js';

const HAS_IS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

/** The content of a `Span` message. */
export function span(w: Writer, s: ReadableSpan): void {
  const context = s.spanContext();
  const parent = s.parentSpanContext;
  w.id(0x0a, context.traceId);
  w.id(0x12, context.spanId);
  const state = context.traceState?.serialize();
  if (state) w.string(0x1a, state);
  if (parent?.spanId) w.id(0x22, parent.spanId);
  else if (s.parentSpanId) w.id(0x22, s.parentSpanId);
  if (s.name) w.string(0x2a, s.name);
  w.uint32(0x30, s.kind === undefined || s.kind === null ? 0 : s.kind + 1);
  w.time(0x39, s.startTime);
  w.time(0x41, s.endTime);
  attributes(w, 0x4a, s.attributes);
  w.uint32(0x50, s.droppedAttributesCount);
  const { events, links } = s;
  // By number: an iterator costs something even where there are none.
  for (let i = 0; i < events.length; i++) {
    const event = events[i]!;
    w.open(0x5a);
    w.time(0x09, event.time);
    if (event.name) w.string(0x12, event.name);
    attributes(w, 0x1a, event.attributes);
    w.uint32(0x20, event.droppedAttributesCount);
    w.close();
  }
  w.uint32(0x60, s.droppedEventsCount);
  for (let i = 0; i < links.length; i++) {
    const link = links[i]!;
    w.open(0x6a);
    w.id(0x0a, link.context.traceId);
    w.id(0x12, link.context.spanId);
    const linkState = link.context.traceState?.serialize();
    if (linkState) w.string(0x1a, linkState);
    attributes(w, 0x22, link.attributes);
    w.uint32(0x28, link.droppedAttributesCount);
    w.fixed32(0x35, flags(link.context, link.context.isRemote));
    w.close();
  }
  w.uint32(0x70, s.droppedLinksCount);
  const { code, message } = s.status;
  w.open(0x7a);
  if (message) w.string(0x12, message);
  w.uint32(0x18, code);
  w.close();
  w.fixed32(0x85, flags(context, parent?.isRemote));
}

/** Looks at everything {@link span} will need. */
export function touchSpan(s: ReadableSpan): number {
  const { traceId, spanId } = s.spanContext();
  const ids = traceId.length + spanId.length;
  const rest = s.startTime[0] + s.endTime[0] + s.events.length + s.links.length;
  return ids + rest + touchAttributes(s.attributes);
}

/** The W3C flags, and whether the context came from another process: of a span, its parent's. */
function flags(context: SpanContext, isRemote: boolean | undefined): number {
  return (context.traceFlags & 0xff) | HAS_IS_REMOTE | (isRemote ? IS_REMOTE : 0);
}
