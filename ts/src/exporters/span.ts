import type { ReadableSpan } from '../encoder/types.js';
import { Exporter, type Owner, type Send } from './exporter.js';
import { type ExporterOptions, timeoutOf } from './options.js';

/** A `SpanExporter` of the 2.x and 3.x SDKs. Made by `OtlpLibrary.spanExporter()`. */
export class SpanExporter extends Exporter<ReadableSpan[]> {
  /** @internal */
  constructor(owner: Owner, send: Send<ReadableSpan[]>, options: ExporterOptions) {
    super(owner, send, timeoutOf(options, 'OTEL_BSP_EXPORT_TIMEOUT'));
  }
}
