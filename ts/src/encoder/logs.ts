import { anyValue, attributes, touchAttributes } from './attributes.js';
import type { ReadableLogRecord } from './types.js';
import type { Writer } from './writer.js';

/** The content of a `LogRecord` message. */
export function logRecord(w: Writer, record: ReadableLogRecord): void {
  w.time(0x09, record.hrTime);
  w.uint32(0x10, record.severityNumber);
  if (record.severityText) w.string(0x1a, record.severityText);
  if (record.body !== undefined) anyValue(w, 0x2a, record.body, 0);
  attributes(w, 0x32, record.attributes);
  w.uint32(0x38, record.droppedAttributesCount);
  const context = record.spanContext;
  if (context) {
    if (context.traceFlags) w.fixed32(0x45, context.traceFlags);
    if (context.traceId) w.id(0x4a, context.traceId);
    if (context.spanId) w.id(0x52, context.spanId);
  }
  w.time(0x59, record.hrTimeObserved);
  if (record.eventName) w.string(0x62, record.eventName);
}

/** Looks at everything {@link logRecord} will need. */
export function touchLogRecord(record: ReadableLogRecord): number {
  const { body } = record;
  const text = typeof body === 'string' ? body.length : 0;
  return record.hrTime[0] + record.hrTimeObserved[0] + text + touchAttributes(record.attributes);
}
