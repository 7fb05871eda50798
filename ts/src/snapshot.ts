import { types } from 'node:util';
import type { RecordBatch, Table } from 'apache-arrow';
import type { BindingError, BindingReader } from '../native/binding.cjs';
import { arrow } from './apache-arrow.js';
import { invalidConfig, json, positionOf, shown } from './arguments.js';
import { unwrap } from './errors.js';
import type { Signal } from './signal.js';

/** Which rows and columns to read. */
export interface ReadOptions {
  /** Records at or after this time: a Date, or nanoseconds since 1970. */
  from?: Date | bigint;
  /** Records before this time. */
  to?: Date | bigint;
  /** Only these columns, in this order. */
  columns?: readonly string[];
  /** At most so many rows. */
  limit?: number;
  /** Leaves dictionary columns as they are instead of delivering plain text. @default false */
  dictionaries?: boolean;
}

/** Makes the snapshot. */
type Open = () => Promise<BindingReader | BindingError>;

/** What reads rows: a library, or a directory that is asked. */
interface Reads {
  read(signalPosition: number, options: string): Promise<BindingReader | BindingError>;
}

/** The rows of a signal, of `binding`. */
export function rowsOf(binding: Reads, signal: Signal, { ...options }: ReadOptions): IpcSnapshot {
  return new IpcSnapshot(async () => {
    const { from, to, ...rest } = options;
    const wanted = { ...rest, from: nanoseconds('from', from), to: nanoseconds('to', to) };
    return binding.read(positionOf(signal), json(wanted));
  });
}

/** A snapshot as the bytes of an Arrow IPC stream: awaited as a whole, iterated in pieces. */
export class IpcSnapshot implements PromiseLike<Uint8Array>, AsyncIterable<Uint8Array> {
  readonly #open: Open;

  constructor(open: Open) {
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const reader = unwrap(await this.#open());
    try {
      for (;;) {
        const piece = unwrap(await reader.next());
        if (!piece) return;
        yield piece;
      }
    } finally {
      reader.close();
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a snapshot reads it whole
  then<A = Uint8Array, B = never>(
    onfulfilled?: ((bytes: Uint8Array) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#whole().then(onfulfilled, onrejected);
  }

  async #whole(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this) pieces.push(piece);
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }
}

/** A snapshot as apache-arrow objects: awaited as a table, iterated in record batches. */
export class Snapshot implements PromiseLike<Table>, AsyncIterable<RecordBatch> {
  readonly #ipc: PromiseLike<Uint8Array> & AsyncIterable<Uint8Array>;

  constructor(ipc: PromiseLike<Uint8Array> & AsyncIterable<Uint8Array>) {
    this.#ipc = ipc;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<RecordBatch> {
    const { RecordBatchReader } = await arrow();
    // The reader awaits whole what can be awaited, so it sees the pieces only; and it does not end what it leaves half read.
    const pieces = this.#ipc[Symbol.asyncIterator]();
    try {
      yield* await RecordBatchReader.from({ [Symbol.asyncIterator]: () => pieces });
    } finally {
      await pieces.return?.();
    }
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a snapshot reads it whole
  then<A = Table, B = never>(
    onfulfilled?: ((table: Table) => A | PromiseLike<A>) | null,
    onrejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#table().then(onfulfilled, onrejected);
  }

  async #table(): Promise<Table> {
    const { tableFromIPC } = await arrow();
    // Of pieces the table keeps each as it is; of the whole there would be a copy beside them.
    return tableFromIPC({ [Symbol.asyncIterator]: () => this.#ipc[Symbol.asyncIterator]() });
  }
}

/** The latest time there is, in nanoseconds since 1970. */
const LATEST = 2n ** 64n - 1n;

/** A time as the addon is told it; one outside the range of OTLP is the nearest in it. */
function nanoseconds(name: string, time: Date | bigint | undefined): string | undefined {
  if (time === undefined) return undefined;
  const milliseconds = types.isDate(time) ? time.getTime() : undefined;
  if (typeof time !== 'bigint' && (milliseconds === undefined || Number.isNaN(milliseconds))) {
    throw invalidConfig(`${name} = ${shown(time)} is not a time: use a Date or nanoseconds since 1970 as a bigint`);
  }
  const wanted = milliseconds === undefined ? BigInt(time as bigint) : BigInt(milliseconds) * 1_000_000n;
  return (wanted < 0n ? 0n : wanted > LATEST ? LATEST : wanted).toString();
}
