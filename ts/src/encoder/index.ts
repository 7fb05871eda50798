import { invalidData } from '../arguments.js';
import { logRecord, touchLogRecord } from './logs.js';
import { resourceMetrics } from './metrics.js';
import { envelopes, type Skipped } from './records.js';
import { span, touchSpan } from './traces.js';
import type { ReadableLogRecord, ReadableSpan, Resource, ResourceMetrics } from './types.js';
import { type Pieces, Writer } from './writer.js';

/** Where a request goes. The pieces belong to the encoder and are valid during the call only. */
export type Sink<T> = (pieces: Pieces, skipped: Skipped) => T;

/** The writer that is used over and over; undefined while it is in use. */
let idle: Writer | undefined = new Writer();

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
    const skipped: Skipped = { count: 0, reason: '', lost: '' };
    writer.start();
    try {
      write(writer, skipped);
    } catch (error) {
      // Not one record, but what holds them: no array, or no metrics of a reader.
      throw invalidData(`the batch cannot be read: ${error instanceof Error ? error.message : String(error)}`, error);
    }
    return sink(writer.pieces(), skipped);
  } finally {
    idle = writer;
  }
}
