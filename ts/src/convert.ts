import { types } from 'node:util';
import type { RecordBatch, Table } from 'apache-arrow';
import { arrow, ipcOf } from './apache-arrow.js';
import { bytesOf, oneOf, positionOf } from './arguments.js';
import { unwrap } from './errors.js';
import { native } from './native.js';
import type { Signal } from './signal.js';

/** An encoding of OTLP: one `Export*ServiceRequest` in binary protobuf, or in OTLP/JSON. */
export type Format = (typeof FORMATS)[number];

const FORMATS = ['protobuf', 'json'] as const;

/** One OTLP request as columns. */
export interface Decoded {
  /** Its records, one row each, in the columns of the files. */
  readonly table: Table;
  /** Records that are not in it, because they are invalid. */
  readonly rejected: number;
  /** Why the first is not; empty when all are. */
  readonly message: string;
}

/** Turns one OTLP export request into an apache-arrow table. It needs no library. */
export async function decode(signal: Signal, bytes: Uint8Array, format: Format = 'protobuf'): Promise<Decoded> {
  const { ipc, rejected, message } = unwrap(
    native.decode(positionOf(signal), bytesOf(bytes), oneOf('format', format, FORMATS)),
  );
  const { tableFromIPC } = await arrow();
  return { table: tableFromIPC(ipc), rejected, message };
}

/**
 * Turns rows back into one OTLP export request, equal to what they were made from.
 *
 * @param rows a table or record batch in the columns of the files, or the bytes of an Arrow IPC stream or file of them, also in
 *   the types that polars and DuckDB give them
 */
export async function encode(
  signal: Signal,
  rows: Table | RecordBatch | Uint8Array,
  format: Format = 'protobuf',
): Promise<Uint8Array> {
  const [position, wanted] = [positionOf(signal), oneOf('format', format, FORMATS)];
  return unwrap(native.encode(position, types.isUint8Array(rows) ? rows : await ipcOf(rows), wanted));
}
