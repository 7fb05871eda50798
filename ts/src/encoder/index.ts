import { logRecord, touchLogRecord } from './logs.js';
import { resourceMetrics } from './metrics.js';
import { envelopes, type Skipped } from './records.js';
import { span, touchSpan } from './traces.js';
import type { ReadableLogRecord, ReadableSpan, Resource, ResourceMetrics } from './types.js';
import { type Pieces, Writer } from './writer.js';

/**
 * Where a request goes. The bytes belong to the encoder and are valid during the call only.
 *
 * `pieces`, if there is one, is asked first: it takes what a {@link Writer} gathered, or nothing, by
 * undefined: then the request is written once more, as a whole.
 */
export interface Sink<T> {
  whole(request: Uint8Array, skipped: Skipped): T;
  pieces?(pieces: Pieces, skipped: Skipped): T | undefined;
}

/** Requests that are written as a whole after one whose texts could not be gathered. */
const PAUSE = 16;

/** The writer that is used over and over; undefined while it is in use. */
let idle: Writer | undefined = new Writer();
/** How many more requests are not tried to be gathered. */
let pause = 0;

/** Encodes spans as one `ExportTraceServiceRequest`; `fallback` is the resource of spans that have none. */
export function encodeTraces<T>(spans: readonly ReadableSpan[], fallback: Resource | undefined, sink: Sink<T>): T {
  return encode(sink, (w, skipped) => envelopes(w, spans, fallback, span, skipped, touchSpan));
}

/** Encodes what a metric reader collected as one `ExportMetricsServiceRequest`. */
export function encodeMetrics<T>(collected: ResourceMetrics, fallback: Resource | undefined, sink: Sink<T>): T {
  return encode(sink, (w, skipped) => resourceMetrics(w, collected, fallback, skipped));
}

/** Encodes log records as one `ExportLogsServiceRequest`. */
export function encodeLogs<T>(records: readonly ReadableLogRecord[], fallback: Resource | undefined, sink: Sink<T>): T {
  return encode(sink, (w, skipped) => envelopes(w, records, fallback, logRecord, skipped, touchLogRecord));
}

function encode<T>(sink: Sink<T>, write: (w: Writer, skipped: Skipped) => void): T {
  // A getter of a record may export something itself: that export gets a writer of its own.
  const writer = idle ?? new Writer();
  idle = undefined;
  try {
    if (sink.pieces) {
      if (pause === 0) {
        const skipped: Skipped = { count: 0, reason: '' };
        writer.start(true);
        write(writer, skipped);
        const taken = writer.finishText() ? sink.pieces(writer.pieces(), skipped) : undefined;
        if (taken !== undefined) return taken;
        pause = PAUSE;
      } else {
        pause--;
      }
    }
    const skipped: Skipped = { count: 0, reason: '' };
    writer.start(false);
    write(writer, skipped);
    return sink.whole(writer.bytes(), skipped);
  } finally {
    writer.reset();
    idle = writer;
  }
}
