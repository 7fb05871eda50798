import type { ReadableLogRecord } from '../encoder/types.js';
import { Exporter, type Owner, type Send } from './exporter.js';
import { type ExporterOptions, timeoutOf } from './options.js';

/** A `LogRecordExporter` of the 2.x and 3.x SDKs. Made by `OtlpLibrary.logExporter()`. */
export class LogExporter extends Exporter<ReadableLogRecord[]> {
  /** @internal */
  constructor(owner: Owner, send: Send<ReadableLogRecord[]>, options: ExporterOptions) {
    super(owner, send, timeoutOf(options, 'OTEL_BLRP_EXPORT_TIMEOUT'));
  }
}
